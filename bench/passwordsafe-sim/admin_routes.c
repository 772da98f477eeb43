/* SPDX-License-Identifier: Apache-2.0 */
/*
 * admin_routes.c - routes of the admin port; see admin_routes.h and docs/simulator.md.
 */
#include "passwordsafe-sim/admin_routes.h"

#include "base/json.h"
#include "base/text.h"
#include "passwordsafe-sim/report.h"
#include "passwordsafe-sim/requests.h"
#include "passwordsafe-sim/scenario.h"
#include "passwordsafe-sim/sessions.h"
#include "sim/fields.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* ---- the actions ---- */

static struct server *server_of(const struct admin_task *t)
{
    return t->arg;
}

static void get_state(struct admin_task *t)
{
    struct params p;
    const char *text;
    int64_t finished = 1000;

    if (params_read(&p, t->query, t->query ? strlen(t->query) : 0)) {
        t->status = 400;
        return;
    }
    text = params_get(&p, "finished");
    if (text && !text_int(text, 0, INT_MAX, &finished))
        t->status = 400;
    params_free(&p);
    if (!t->status)
        report_state(server_of(t), (size_t)finished, &t->out);
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

static void post_scenario(struct admin_task *t)
{
    admin_done(t, cJSON_IsObject(t->body) ? scenario_apply(server_of(t)->model, t->body, &t->why) : -EINVAL);
}

static void post_list(struct admin_task *t)
{
    admin_done(t,
               t->body ? scenario_apply_list(server_of(t)->model, t->path + 1, t->body, &t->why) : -EINVAL);
    simtime_moved(&server_of(t)->time);
}

static void get_account(struct admin_task *t)
{
    const struct model_account *a = model_account(server_of(t)->model, t->id);

    if (a)
        report_account(server_of(t), a, &t->out);
    else
        t->status = 404;
}

static void post_latency(struct admin_task *t)
{
    struct fields f = {.entry = t->body, .why = &t->why};

    fields_u64(&f, "latency_ms", &server_of(t)->latency_ms);
    fields_u64(&f, "jitter_ms", &server_of(t)->jitter_ms);
    admin_done(t, t->body ? f.rc : -EINVAL);
}

static void post_expire_sessions(struct admin_task *t)
{
    struct fields f = {.entry = t->body, .why = &t->why};
    const char *name = NULL;
    const struct model_user *user = NULL;
    size_t n;

    fields_text(&f, "user", &name);
    if (name)
        user = model_user_named(server_of(t)->model, name);
    if (f.rc || (name && !user)) {
        admin_done(t, -EINVAL);
        return;
    }
    n = sessions_expire(server_of(t)->model, user);
    (void)buf_printf(&t->out, "{\"expired\":%zu}", n);
}

static void post_clock(struct admin_task *t)
{
    struct fields f = {.entry = t->body, .why = &t->why};

    simtime_change(&server_of(t)->time, &f);
    admin_done(t, t->body ? f.rc : -EINVAL);
}

static struct request *request_of(struct admin_task *t)
{
    struct request *r = requests_find(server_of(t)->model, t->id);

    if (!r || !request_live(r))
        t->status = r ? 409 : 404;
    return t->status ? NULL : r;
}

static void get_request(struct admin_task *t)
{
    const struct request *r = requests_find(server_of(t)->model, t->id);
    struct jsonw w = jsonw_start(&t->out);

    if (r)
        report_request(&w, r);
    else
        t->status = 404;
}

static void approve(struct admin_task *t)
{
    struct request *r = request_of(t);

    if (r)
        admin_done(t, requests_approve(server_of(t)->model, r, NULL));
}

static void end_request(struct admin_task *t, enum request_state how)
{
    struct request *r = request_of(t);

    if (!r)
        return;
    requests_end(server_of(t)->model, r, how);
    admin_done(t, 0);
}

static void deny(struct admin_task *t)
{
    end_request(t, REQUEST_DENIED);
}

static void terminate(struct admin_task *t)
{
    end_request(t, REQUEST_TERMINATED);
}

static void expire(struct admin_task *t)
{
    end_request(t, REQUEST_EXPIRED);
}

const struct admin_route admin_routes[] = {
    {"GET", "/state", get_state},
    {"GET", "/counts", get_counts},
    {"DELETE", "/counts", delete_counts},
    {"GET", "/faults", get_faults},
    {"POST", "/faults", post_faults},
    {"DELETE", "/faults", delete_faults},
    {"POST", "/scenario", post_scenario},
    {"POST", "/settings", post_list},
    {"POST", "/policies", post_list},
    {"POST", "/groups", post_list},
    {"POST", "/users", post_list},
    {"POST", "/systems", post_list},
    {"POST", "/accounts", post_list},
    {"POST", "/links", post_list},
    {"POST", "/oauth_clients", post_list},
    {"GET", "/accounts/*", get_account},
    {"POST", "/latency", post_latency},
    {"POST", "/expire-sessions", post_expire_sessions},
    {"POST", "/clock", post_clock},
    {"GET", "/requests/*", get_request},
    {"POST", "/requests/*/approve", approve},
    {"POST", "/requests/*/deny", deny},
    {"POST", "/requests/*/terminate", terminate},
    {"POST", "/requests/*/expire", expire},
};
const size_t admin_nroutes = sizeof(admin_routes) / sizeof(admin_routes[0]);
