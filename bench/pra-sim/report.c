/* SPDX-License-Identifier: Apache-2.0 */
/*
 * report.c - the admin port's reports; see report.h.
 */
#include "pra-sim/report.h"

#include <stdio.h>

static void put_number(struct jsonw *w, const char *name, uint64_t value)
{
    jsonw_int(w, name, (int64_t)value);
}

/* ---- state ---- */

static void put_account(const struct server *s, struct jsonw *w, struct account *a)
{
    jsonw_object(w, NULL);
    jsonw_str(w, "client_id", a->client_id);
    jsonw_bool(w, "enabled", a->enabled);
    jsonw_bool(w, "locked", account_locked(&s->site->accounts, a));
    jsonw_int(w, "failures", (int64_t)a->failures);
    put_number(w, "tokens", a->ntokens);
    put_number(w, "issued", a->issued);
    put_number(w, "pushed_out", a->pushed_out);
    put_number(w, "rate_left", account_rate_left(&s->site->accounts, a));
    jsonw_object(w, "permissions");
    for (enum permission p = 0; p < PERM_COUNT; p++)
        jsonw_str(w, permission_names[p], account_permission(a, p));
    jsonw_end(w);
    jsonw_end(w);
}

static void put_jumpoint(struct jsonw *w, const struct jumpoint *j)
{
    jsonw_object(w, NULL);
    jsonw_int(w, "id", j->id);
    jsonw_str(w, "name", j->name);
    jsonw_bool(w, "enabled", j->enabled);
    jsonw_bool(w, "connected", j->connected);
    jsonw_end(w);
}

static void put_sessions(const struct server *s, struct jsonw *w)
{
    jsonw_object(w, "sessions");
    for (int i = 0; i < SESSION_NSTATES; i++)
        put_number(w, session_state_names[i], s->site->sessions.n[i]);
    put_number(w, "terminated", s->site->terminated);
    jsonw_end(w);
}

void report_state(const struct server *s, struct buf *out)
{
    const struct site *site = s->site;
    struct jsonw w = jsonw_start(out);

    jsonw_object(&w, NULL);
    jsonw_int(&w, "now_ms", site_now(site));
    jsonw_bool(&w, "listening", s->http && !s->shutting);
    jsonw_bool(&w, "healthy", site->healthy);
    jsonw_str(&w, "failover_role", failover_roles[site->role]);
    jsonw_str(&w, "appliance_id", site->appliance_id);
    put_sessions(s, &w);
    jsonw_array(&w, "accounts");
    for (size_t i = 0; i < site->accounts.all.n; i++)
        put_account(s, &w, site->accounts.all.item[i]);
    jsonw_end(&w);
    jsonw_array(&w, "jumpoints");
    for (size_t i = 0; i < site->jumpoints.n; i++)
        put_jumpoint(&w, site->jumpoints.item[i]);
    jsonw_end(&w);
    put_number(&w, "events_queued", outbound_queued(&site->outbound));
    jsonw_end(&w);
}

void report_tokens(const struct server *s, struct buf *out)
{
    struct jsonw w = jsonw_start(out);

    jsonw_array(&w, NULL);
    for (size_t i = 0; i < s->site->accounts.all.n; i++) {
        const struct account *a = s->site->accounts.all.item[i];
        const struct token *t;
        TAILQ_FOREACH(t, &a->tokens, link)
        {
            jsonw_str(&w, NULL, t->text);
        }
    }
    jsonw_end(&w);
}

void report_session_json(struct jsonw *w, const struct session *s)
{
    jsonw_object(w, NULL);
    jsonw_str(w, "lsid", s->lsid);
    jsonw_str(w, "state", session_state_names[s->state]);
    jsonw_int(w, "start_ms", s->start_ms);
    if (s->state == SESSION_ENDED)
        jsonw_int(w, "end_ms", s->end_ms);
    else
        jsonw_null(w, "end_ms");
    for (int i = 0; i < SESSION_NTEXTS; i++)
        jsonw_str(w, session_text_names[i], session_text(s, (enum session_text)i));
    jsonw_end(w);
}

/* ---- counts ---- */

static void put_statuses(struct jsonw *w, const struct server_counts *n)
{
    char status[12];

    jsonw_object(w, "statuses");
    for (unsigned i = 0; i < SERVER_STATUSES; i++) {
        if (!n->status[i])
            continue;
        (void)snprintf(status, sizeof(status), "%u", i);
        jsonw_int(w, status, n->status[i]);
    }
    jsonw_end(w);
}

void report_counts(const struct server *s, struct buf *out)
{
    struct jsonw w = jsonw_start(out);
    uint64_t calls = 0;

    jsonw_object(&w, NULL);
    jsonw_object(&w, "calls");
    for (size_t i = 0; i < s->ncounts; i++) {
        calls += s->counts[i]->calls;
        jsonw_object(&w, s->counts[i]->name);
        put_number(&w, "calls", s->counts[i]->calls);
        put_statuses(&w, s->counts[i]);
        jsonw_end(&w);
    }
    jsonw_end(&w);
    put_number(&w, "total", calls);
    jsonw_object(&w, "violations");
    for (int i = 0; i < VIOLATION_COUNT; i++)
        if (s->site->violations[i])
            put_number(&w, violation_names[i], s->site->violations[i]);
    jsonw_end(&w);
    put_number(&w, "in_flight", s->in_flight);
    put_number(&w, "in_flight_max", s->in_flight_peak);
    jsonw_end(&w);
}

/* ---- log ---- */

static void put_entry(struct jsonw *w, const struct server_entry *e)
{
    jsonw_object(w, NULL);
    put_number(w, "number", e->number);
    jsonw_int(w, "at_ms", e->wall_ms);
    jsonw_str(w, "call", e->name);
    jsonw_str(w, "method", e->method);
    jsonw_str(w, "path", e->path);
    jsonw_str(w, "params", e->params);
    jsonw_str(w, "client", e->client);
    jsonw_str(w, "peer", e->peer);
    jsonw_str(w, "host", e->host);
    jsonw_int(w, "status", e->status);
    jsonw_str(w, "violation", e->violation < 0 ? NULL : violation_names[e->violation]);
    jsonw_str(w, "fault", e->fault);
    put_number(w, "took_ms", e->took_ms);
    put_number(w, "bytes", e->bytes);
    jsonw_end(w);
}

void report_log(const struct server *s, size_t n, struct buf *out)
{
    struct jsonw w = jsonw_start(out);
    uint64_t kept = s->logged < SERVER_LOG ? s->logged : SERVER_LOG;

    if (n > kept)
        n = (size_t)kept;
    jsonw_array(&w, NULL);
    for (uint64_t i = s->logged - n; i < s->logged; i++)
        put_entry(&w, &s->log[i % SERVER_LOG]);
    jsonw_end(&w);
}

/* ---- recipients ---- */

void report_recipients(const struct server *s, struct buf *out)
{
    const struct vec *all = &s->site->outbound.recipients;
    struct jsonw w = jsonw_start(out);

    jsonw_array(&w, NULL);
    for (size_t i = 0; i < all->n; i++) {
        const struct recipient *r = all->item[i];
        jsonw_object(&w, NULL);
        jsonw_str(&w, "name", r->name);
        jsonw_bool(&w, "enabled", r->enabled);
        put_number(&w, "queued", r->queued);
        put_number(&w, "sent", r->sent);
        put_number(&w, "attempts", r->attempts);
        put_number(&w, "failed", r->failed);
        put_number(&w, "dropped", r->dropped);
        jsonw_int(&w, "last_status", r->last_status);
        jsonw_str(&w, "last_error", r->last_error);
        jsonw_end(&w);
    }
    jsonw_end(&w);
}
