/* SPDX-License-Identifier: Apache-2.0 */
/*
 * report.c - the state of the vault as JSON; see report.h. Cookies, tokens and keys of sessions are left out.
 */
#include "passwordsafe-sim/report.h"

#include "passwordsafe-sim/credentials.h"
#include "passwordsafe-sim/requests.h"
#include "passwordsafe-sim/sessions.h"

#include <stdio.h>

void report_request(struct jsonw *w, const struct request *r)
{
    jsonw_object(w, NULL);
    jsonw_int(w, "id", r->id);
    jsonw_str(w, "user", r->user->name);
    jsonw_int(w, "system", r->pair->system->id);
    jsonw_int(w, "account", r->pair->account->id);
    jsonw_str(w, "access", model_access_names[r->access]);
    jsonw_str(w, "reason", r->reason);
    jsonw_str(w, "ticket", r->ticket);
    jsonw_str(w, "state", request_state_names[r->state]);
    wire_put_date(w, "start", r->start);
    wire_put_date(w, "approved", r->approved);
    wire_put_date(w, "expires", r->expires);
    wire_put_date(w, "ended", r->ended);
    jsonw_int(w, "reads", r->reads);
    jsonw_bool(w, "rotate", r->rotate);
    jsonw_end(w);
}

static void put_live(struct server *s, struct jsonw *w, const char *name, enum request_state state)
{
    const struct request *r;

    jsonw_array(w, name);
    TAILQ_FOREACH(r, &s->model->requests->live, in_all)
    {
        if (r->state == state)
            report_request(w, r);
    }
    jsonw_end(w);
}

static void put_ended(struct server *s, struct jsonw *w, size_t most)
{
    const struct requests *rs = s->model->requests;
    const struct request *r;
    size_t skip = rs->nended > most ? rs->nended - most : 0;

    jsonw_array(w, "finished");
    TAILQ_FOREACH(r, &rs->ended, in_all)
    {
        if (skip)
            skip--;
        else
            report_request(w, r);
    }
    jsonw_end(w);
}

static void put_totals(struct server *s, struct jsonw *w)
{
    const struct requests *rs = s->model->requests;

    jsonw_object(w, "requests");
    jsonw_int(w, "active", (int64_t)(rs->nlive - rs->npending));
    jsonw_int(w, "pending", (int64_t)rs->npending);
    jsonw_int(w, "finished", (int64_t)rs->nended);
    jsonw_int(w, "created", (int64_t)rs->created);
    jsonw_int(w, "reused", (int64_t)rs->reused);
    jsonw_int(w, "conflicts", (int64_t)rs->refused);
    for (int i = REQUEST_CHECKED_IN; i < REQUEST_NSTATES; i++)
        jsonw_int(w, request_state_names[i], (int64_t)rs->ends[i]);
    jsonw_end(w);
}

static void put_sessions(struct server *s, struct jsonw *w)
{
    const struct sessions *ss = s->model->sessions;
    const struct session *one;

    jsonw_array(w, "sessions");
    TAILQ_FOREACH(one, &ss->all, link)
    {
        jsonw_object(w, NULL);
        jsonw_str(w, "user", one->user ? one->user->name : NULL);
        jsonw_str(w, "challenged", one->challenged ? one->challenged->name : NULL);
        jsonw_int(w, "idle_ms", (int64_t)(model_now(s->model) - one->used_ms));
        jsonw_int(w, "calls", (int64_t)one->calls);
        jsonw_int(w, "inside", one->inside);
        jsonw_int(w, "concurrent_max", one->inside_peak);
        jsonw_end(w);
    }
    jsonw_end(w);
    jsonw_object(w, "session_totals");
    jsonw_int(w, "open", (int64_t)ss->n);
    jsonw_int(w, "opened", (int64_t)ss->opened);
    jsonw_int(w, "closed", (int64_t)ss->closed);
    jsonw_int(w, "expired", (int64_t)ss->expired);
    jsonw_int(w, "concurrent_max", ss->peak);
    jsonw_end(w);
}

static void put_call(struct jsonw *w, const char *name, const struct server_counts *n)
{
    char status[8];

    if (n->calls == 0)
        return;
    jsonw_object(w, name);
    jsonw_int(w, "calls", (int64_t)n->calls);
    jsonw_object(w, "statuses");
    for (unsigned i = 0; i < SERVER_STATUSES; i++) {
        if (!n->status[i])
            continue;
        (void)snprintf(status, sizeof(status), "%u", i);
        jsonw_int(w, status, n->status[i]);
    }
    jsonw_end(w);
    jsonw_end(w);
}

static void put_statuses(const struct server *s, struct jsonw *w)
{
    char text[8];

    jsonw_object(w, "statuses");
    for (unsigned i = 0; i < SERVER_STATUSES; i++) {
        uint64_t sum = 0;
        for (size_t k = 0; k <= dispatch_nroutes; k++)
            sum += s->counts[k].status[i];
        if (!sum)
            continue;
        (void)snprintf(text, sizeof(text), "%u", i);
        jsonw_int(w, text, (int64_t)sum);
    }
    jsonw_end(w);
}

static void put_counts(struct server *s, struct jsonw *w)
{
    jsonw_object(w, "calls");
    for (size_t i = 0; i < dispatch_nroutes; i++)
        put_call(w, dispatch_routes[i].name, &s->counts[i]);
    put_call(w, "none", &s->counts[dispatch_nroutes]);
    jsonw_end(w);
    put_statuses(s, w);
    jsonw_int(w, "active_requests", (int64_t)(s->model->requests->nlive - s->model->requests->npending));
    jsonw_int(w, "pending_requests", (int64_t)s->model->requests->npending);
    jsonw_int(w, "in_flight", (int64_t)s->in_flight);
    jsonw_int(w, "in_flight_max", (int64_t)s->in_flight_peak);
    jsonw_int(w, "connections", s->closing ? 0 : (int64_t)http_connections(s->http));
    jsonw_int(w, "session_concurrent_max", s->model->sessions->peak);
}

void report_counts(struct server *s, struct buf *out)
{
    struct jsonw w = jsonw_start(out);

    jsonw_object(&w, NULL);
    put_counts(s, &w);
    jsonw_end(&w);
}

void report_state(struct server *s, size_t finished, struct buf *out)
{
    struct jsonw w = jsonw_start(out);

    jsonw_object(&w, NULL);
    wire_put_date(&w, "now", model_wall(s->model));
    put_live(s, &w, "active", REQUEST_ACTIVE);
    put_live(s, &w, "pending", REQUEST_PENDING);
    put_ended(s, &w, finished);
    put_totals(s, &w);
    put_sessions(s, &w);
    put_counts(s, &w);
    jsonw_end(&w);
}

static void put_secret(struct server *s, struct jsonw *w, const char *name, const struct model_account *a,
                       enum credential_type type)
{
    struct buf b = BUF_INIT(65536);

    if (credentials_get(s->model, a, type, &b) > 0)
        jsonw_strn(w, name, b.data ? b.data : "", b.len);
    else
        jsonw_null(w, name);
    buf_free(&b);
}

void report_account(struct server *s, const struct model_account *a, struct buf *out)
{
    struct jsonw w = jsonw_start(out);

    jsonw_object(&w, NULL);
    jsonw_int(&w, "id", a->id);
    jsonw_str(&w, "name", a->name);
    jsonw_str(&w, "domain", a->domain);
    jsonw_int(&w, "version", a->version);
    jsonw_int(&w, "change_state", a->change_state);
    jsonw_bool(&w, "api_enabled", a->api_enabled);
    put_secret(s, &w, "password", a, CREDENTIAL_PASSWORD);
    put_secret(s, &w, "key", a, CREDENTIAL_KEY);
    put_secret(s, &w, "passphrase", a, CREDENTIAL_PASSPHRASE);
    jsonw_end(&w);
}
