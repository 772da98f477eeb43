/* SPDX-License-Identifier: Apache-2.0 */
/*
 * admin_routes.c - routes of the admin port; see admin_routes.h.
 */
#include "pi-sim/admin_routes.h"

#include "base/text.h"
#include "pi-sim/entries.h"
#include "pi-sim/report.h"
#include "sim/fields.h"
#include "sim/params.h"

#include <errno.h>
#include <string.h>

static struct server *server_of(const struct admin_task *t)
{
    return t->arg;
}

/* One number of the query. */
static uint64_t query_number(struct admin_task *t, const char *name)
{
    struct params p;
    const char *text;
    int64_t value = 0;

    if (params_read(&p, t->query, t->query ? strlen(t->query) : 0)) {
        t->status = 400;
        return 0;
    }
    text = params_get(&p, name);
    if (text && !text_int(text, 0, INT64_MAX, &value))
        t->status = 400;
    params_free(&p);
    return (uint64_t)value;
}

/* ---- reports ---- */

static void get_state(struct admin_task *t)
{
    report_state(server_of(t), &t->out);
}

static void get_counts(struct admin_task *t)
{
    report_counts(server_of(t), &t->out);
}

static void delete_counts(struct admin_task *t)
{
    server_reset_counts(server_of(t));
    admin_done(t, 0);
}

static void get_history(struct admin_task *t)
{
    uint64_t after = query_number(t, "after");

    if (!t->status)
        report_history(server_of(t), after, &t->out);
}

static void delete_history(struct admin_task *t)
{
    history_clear(&server_of(t)->vault->history);
    admin_done(t, 0);
}

static void get_checkouts(struct admin_task *t)
{
    uint64_t live = query_number(t, "live");

    if (!t->status)
        report_checkouts(server_of(t), live != 0, &t->out);
}

static void get_credentials(struct admin_task *t)
{
    report_credentials(server_of(t), &t->out);
}

static void get_tokens(struct admin_task *t)
{
    report_tokens(server_of(t), &t->out);
}

/* ---- changes ---- */

static void post_scenario(struct admin_task *t)
{
    struct vault *v = server_of(t)->vault;

    admin_done(t, cJSON_IsObject(t->body) ? lists_apply(&entries_lists, v, t->body, &t->why) : -EINVAL);
}

static void post_list(struct admin_task *t)
{
    struct vault *v = server_of(t)->vault;

    admin_done(t, t->body ? lists_apply_one(&entries_lists, v, t->path + 1, t->body, &t->why) : -EINVAL);
    simtime_moved(&server_of(t)->time);
}

/* The checkout's number is in the path. */
static void end_checkout(struct admin_task *t)
{
    struct vault *v = server_of(t)->vault;
    struct checkout *c = checkouts_by_number(v, (uint64_t)t->id);

    if (!c) {
        t->status = 404;
        return;
    }
    if (c->end != CHECKOUT_LIVE) {
        t->status = 409;
        return;
    }
    checkouts_end(v, c, CHECKOUT_BY_OPERATOR);
    admin_done(t, 0);
}

static void post_expire_tokens(struct admin_task *t)
{
    struct fields f = {.entry = t->body, .why = &t->why};
    struct vault *v = server_of(t)->vault;
    const struct identity *i = NULL;
    const char *name = NULL;

    fields_text(&f, "identity", &name);
    if (name)
        i = vault_identity_named(v, name);
    if (f.rc || (name && !i)) {
        admin_done(t, -EINVAL);
        return;
    }
    (void)buf_printf(&t->out, "{\"expired\":%zu}", tokens_end_all(v, i));
}

static void post_doubt(struct admin_task *t)
{
    conduct_doubt(server_of(t)->vault);
    admin_done(t, 0);
}

static void post_latency(struct admin_task *t)
{
    struct fields f = {.entry = t->body, .why = &t->why};

    fields_u64(&f, "latency_ms", &server_of(t)->latency_ms);
    fields_u64(&f, "jitter_ms", &server_of(t)->jitter_ms);
    admin_done(t, t->body ? f.rc : -EINVAL);
}

static void post_clock(struct admin_task *t)
{
    struct fields f = {.entry = t->body, .why = &t->why};

    simtime_change(&server_of(t)->time, &f);
    admin_done(t, t->body ? f.rc : -EINVAL);
}

/* ---- faults ---- */

static void get_faults(struct admin_task *t)
{
    fault_injection_report(&server_of(t)->fault_injection, &t->out);
}

static void post_faults(struct admin_task *t)
{
    admin_done(t, t->body ? fault_injection_add(&server_of(t)->fault_injection, t->body, &t->why) : -EINVAL);
}

static void delete_faults(struct admin_task *t)
{
    fault_injection_clear(&server_of(t)->fault_injection);
    admin_done(t, 0);
}

const struct admin_route admin_routes[] = {
    {"GET", "/state", get_state},
    {"GET", "/counts", get_counts},
    {"DELETE", "/counts", delete_counts},
    {"GET", "/history", get_history},
    {"DELETE", "/history", delete_history},
    {"GET", "/checkouts", get_checkouts},
    {"GET", "/credentials", get_credentials},
    {"GET", "/tokens", get_tokens},
    {"POST", "/scenario", post_scenario},
    {"POST", "/settings", post_list},
    {"POST", "/identities", post_list},
    {"POST", "/credentials", post_list},
    {"POST", "/sets", post_list},
    {"POST", "/checkouts", post_list},
    {"POST", "/checkouts/*/end", end_checkout},
    {"POST", "/expire-tokens", post_expire_tokens},
    {"POST", "/doubt", post_doubt},
    {"POST", "/latency", post_latency},
    {"POST", "/clock", post_clock},
    {"GET", "/faults", get_faults},
    {"POST", "/faults", post_faults},
    {"DELETE", "/faults", delete_faults},
};
const size_t admin_nroutes = sizeof(admin_routes) / sizeof(admin_routes[0]);
