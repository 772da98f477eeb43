/* SPDX-License-Identifier: Apache-2.0 */
/*
 * admin_routes.c - routes of the admin port; see admin_routes.h and docs/pra-simulator.md.
 */
#include "pra-sim/admin_routes.h"

#include "base/text.h"
#include "pra-sim/report.h"
#include "sim/fields.h"
#include "sim/params.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct server *server_of(const struct admin_task *t)
{
    return ((struct program_parts *)t->arg)->server;
}

/* ---- reading ---- */

/* One parameter of the query, in `out`; false = absent. */
static bool query_text(struct admin_task *t, const char *name, char *out, size_t size)
{
    struct params p;
    const char *text;
    bool found;

    if (!t->query || params_read(&p, t->query, strlen(t->query)))
        return false;
    text = params_get(&p, name);
    found = text && text_copy(out, size, text);
    params_free(&p);
    return found;
}

static size_t query_number(struct admin_task *t, const char *name, int64_t otherwise)
{
    char text[24];
    int64_t value = otherwise;

    if (query_text(t, name, text, sizeof(text)) && !text_int(text, 0, INT32_MAX, &value))
        t->status = 400;
    return (size_t)value;
}

static void get_state(struct admin_task *t)
{
    report_state(server_of(t), &t->out);
}

static void get_tokens(struct admin_task *t)
{
    report_tokens(server_of(t), &t->out);
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

static void get_log(struct admin_task *t)
{
    size_t n = query_number(t, "last", SERVER_LOG);

    if (!t->status)
        report_log(server_of(t), n, &t->out);
}

static void delete_log(struct admin_task *t)
{
    server_reset_log(server_of(t));
    admin_done(t, 0);
}

/* ---- faults, clock, listener ---- */

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

static void post_clock(struct admin_task *t)
{
    struct fields f = {.entry = t->body, .why = &t->why};

    simtime_change(&server_of(t)->time, &f);
    admin_done(t, t->body ? f.rc : -EINVAL);
}

static void post_listener(struct admin_task *t)
{
    struct fields f = {.entry = t->body, .why = &t->why};
    bool open = true;

    fields_bool(&f, "open", &open);
    if (f.rc || !t->body) {
        admin_done(t, -EINVAL);
        return;
    }
    if (open) {
        admin_done(t, server_open(server_of(t)));
        return;
    }
    server_shut(server_of(t));
    admin_done(t, 0);
}

static void post_tls(struct admin_task *t)
{
    struct fields f = {.entry = t->body, .why = &t->why};
    const char *certificate = NULL, *key = NULL;
    char why[256] = "";
    int rc;

    fields_text(&f, "certificate", &certificate);
    fields_text(&f, "key", &key);
    if (f.rc || !certificate || !key) {
        admin_done(t, fields_missing(&f, "certificate"));
        return;
    }
    rc = server_certificate(server_of(t), certificate, key, why);
    (void)buf_str(&t->why, why);
    admin_done(t, rc);
}

/* ---- the site ---- */

typedef int change_fn(struct server *, const cJSON *, struct buf *why);

/* One entry or a list of them. */
static void carry_out(struct admin_task *t, change_fn *change)
{
    const cJSON *e;
    int rc = 0;

    if (!cJSON_IsArray(t->body)) {
        admin_done(t, t->body ? change(server_of(t), t->body, &t->why) : -EINVAL);
        return;
    }
    cJSON_ArrayForEach(e, t->body)
    {
        if (!rc)
            rc = change(server_of(t), e, &t->why);
    }
    admin_done(t, rc);
}

static void post_settings(struct admin_task *t)
{
    carry_out(t, change_settings);
}

static void post_accounts(struct admin_task *t)
{
    carry_out(t, change_account);
}

static void post_jumpoints(struct admin_task *t)
{
    carry_out(t, change_jumpoint);
}

static void post_failover(struct admin_task *t)
{
    carry_out(t, change_failover);
}

static void post_events(struct admin_task *t)
{
    carry_out(t, change_event);
}

/* ---- sessions ---- */

static void answer_change(struct admin_task *t, int rc)
{
    if (rc)
        t->status = rc == -ENOMEM ? 500 : 400;
}

static void get_sessions(struct admin_task *t)
{
    const struct sessions *all = &server_of(t)->site->sessions;
    size_t last = query_number(t, "last", 1000);
    struct jsonw w = jsonw_start(&t->out);
    const struct session *one;
    char lsid[64];

    if (query_text(t, "lsid", lsid, sizeof(lsid))) {
        one = sessions_find(all, lsid);
        if (one)
            report_session_json(&w, one);
        else
            t->status = 404;
        return;
    }
    jsonw_array(&w, NULL);
    for (size_t i = all->all.n > last ? all->all.n - last : 0; i < all->all.n; i++)
        report_session_json(&w, all->all.item[i]);
    jsonw_end(&w);
}

static void post_sessions(struct admin_task *t)
{
    answer_change(t, change_sessions(server_of(t), t->body, &t->why, &t->out));
}

static void post_sessions_end(struct admin_task *t)
{
    answer_change(t, change_end(server_of(t), t->body, &t->why, &t->out));
}

static void delete_sessions(struct admin_task *t)
{
    sessions_free(&server_of(t)->site->sessions);
    admin_done(t, 0);
}

/* ---- made-up sessions ---- */

static void get_month(struct admin_task *t)
{
    report_month(server_of(t), &t->out);
}

static void post_month(struct admin_task *t)
{
    admin_done(t, change_month(server_of(t), t->body, &t->why));
}

static void delete_month(struct admin_task *t)
{
    struct site *s = server_of(t)->site;

    month_free(s->month);
    s->month = NULL;
    admin_done(t, 0);
}

static void get_month_totals(struct admin_task *t)
{
    report_month_totals(server_of(t), &t->out);
}

static void get_month_session(struct admin_task *t)
{
    const struct month *m = server_of(t)->site->month;
    uint64_t index = query_number(t, "index", 0);
    char lsid[64], plain[LSID_SIZE];
    bool known = m && !t->status;

    if (known && query_text(t, "lsid", lsid, sizeof(lsid)))
        known = session_lsid(lsid, plain) && month_find(m, plain, &index);
    if (known && index < month_count(m, site_now(server_of(t)->site) / 1000))
        report_month_session(server_of(t), index, &t->out);
    else
        t->status = 404;
}

static void post_sessions_change(struct admin_task *t)
{
    carry_out(t, change_one);
}

static void post_inventory(struct admin_task *t)
{
    carry_out(t, change_inventory);
}

/* ---- recipients ---- */

static void get_recipients(struct admin_task *t)
{
    report_recipients(server_of(t), &t->out);
}

static void post_recipients(struct admin_task *t)
{
    struct sender *sender = ((struct program_parts *)t->arg)->sender;

    admin_done(t, t->body ? change_recipient(server_of(t), sender, t->body, &t->why) : -EINVAL);
}

static void delete_recipients(struct admin_task *t)
{
    struct outbound *o = &server_of(t)->site->outbound;

    while (o->recipients.n)
        outbound_remove(o, o->recipients.item[o->recipients.n - 1]);
    admin_done(t, 0);
}

const struct admin_route admin_routes[] = {
    {"GET", "/state", get_state},
    {"GET", "/tokens", get_tokens},
    {"GET", "/counts", get_counts},
    {"DELETE", "/counts", delete_counts},
    {"GET", "/log", get_log},
    {"DELETE", "/log", delete_log},
    {"GET", "/faults", get_faults},
    {"POST", "/faults", post_faults},
    {"DELETE", "/faults", delete_faults},
    {"POST", "/clock", post_clock},
    {"POST", "/listener", post_listener},
    {"POST", "/tls", post_tls},
    {"POST", "/settings", post_settings},
    {"POST", "/accounts", post_accounts},
    {"POST", "/jumpoints", post_jumpoints},
    {"POST", "/failover", post_failover},
    {"GET", "/sessions", get_sessions},
    {"POST", "/sessions", post_sessions},
    {"POST", "/sessions/end", post_sessions_end},
    {"DELETE", "/sessions", delete_sessions},
    {"POST", "/sessions/change", post_sessions_change},
    {"POST", "/inventory", post_inventory},
    {"GET", "/month", get_month},
    {"POST", "/month", post_month},
    {"DELETE", "/month", delete_month},
    {"GET", "/month/totals", get_month_totals},
    {"GET", "/month/session", get_month_session},
    {"GET", "/recipients", get_recipients},
    {"POST", "/recipients", post_recipients},
    {"DELETE", "/recipients", delete_recipients},
    {"POST", "/events", post_events},
};
const size_t admin_nroutes = sizeof(admin_routes) / sizeof(admin_routes[0]);
