/* SPDX-License-Identifier: Apache-2.0 */
/*
 * report.c - the state of the vault as JSON; see report.h.
 */
#include "pi-sim/report.h"

#include "pi-sim/call.h"

#include <stdio.h>

static void put_number(struct jsonw *w, const char *name, uint64_t value)
{
    jsonw_int(w, name, (int64_t)value);
}

static void put_names(struct jsonw *w, const struct credential *c)
{
    struct buf text = BUF_INIT(2048);

    credential_describe(c, &text);
    jsonw_int(w, "id", c->id);
    jsonw_strn(w, "credential", text.data ? text.data : "", text.len);
    buf_free(&text);
}

static void put_who(struct jsonw *w, const struct identity *i, const char *who)
{
    jsonw_str(w, "identity", i ? i->name : NULL);
    jsonw_str(w, "who", who);
}

/* ---- check-outs ---- */

static void put_checkout(struct jsonw *w, const struct checkout *c)
{
    jsonw_object(w, NULL);
    put_number(w, "number", c->number);
    put_names(w, c->credential);
    put_who(w, c->identity, c->who);
    jsonw_str(w, "comment", c->comment);
    jsonw_str(w, "state", checkout_end_names[c->end]);
    jsonw_int(w, "begun_ms", c->begun_ms);
    jsonw_int_or_null(w, "ended_ms", c->ended_ms, c->end == CHECKOUT_LIVE);
    jsonw_int(w, "outs", c->outs);
    jsonw_int(w, "open", c->open);
    jsonw_int(w, "version", c->version);
    /* Its holder has a password that is no longer right. */
    jsonw_bool(w, "cut_off", c->end == CHECKOUT_LIVE && c->version != c->credential->version);
    jsonw_end(w);
}

static void put_checkouts(const struct server *s, struct jsonw *w, const char *name, bool live)
{
    const struct checkout *c;

    jsonw_array(w, name);
    TAILQ_FOREACH(c, &s->vault->checkouts->all, in_all)
    {
        if (!live || c->end == CHECKOUT_LIVE)
            put_checkout(w, c);
    }
    jsonw_end(w);
}

void report_checkouts(struct server *s, bool live, struct buf *out)
{
    struct jsonw w = jsonw_start(out);

    put_checkouts(s, &w, NULL, live);
}

/* ---- counts ---- */

static void put_call(struct jsonw *w, const char *name, const struct server_counts *n)
{
    char status[8];

    if (n->calls == 0)
        return;
    jsonw_object(w, name);
    put_number(w, "calls", n->calls);
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

static uint64_t abandoned(const struct server *s)
{
    const struct pi_call *c;
    uint64_t n = 0;

    TAILQ_FOREACH(c, &s->calls, link)
    {
        n += c->conduct.lost;
    }
    return n;
}

static void put_counts(const struct server *s, struct jsonw *w)
{
    uint64_t sum = 0;

    jsonw_object(w, "calls");
    for (size_t i = 0; i < dispatch_nnames; i++)
        put_call(w, dispatch_names[i], &s->counts[i]);
    jsonw_end(w);
    jsonw_object(w, "violations");
    for (int i = 0; i < VIOLATION_COUNT; i++) {
        sum += s->vault->conduct.violations[i];
        if (s->vault->conduct.violations[i])
            put_number(w, violation_names[i], s->vault->conduct.violations[i]);
    }
    jsonw_end(w);
    put_number(w, "violations_total", sum);
    put_number(w, "in_flight", s->in_flight);
    put_number(w, "in_flight_max", s->in_flight_peak);
    put_number(w, "abandoned", abandoned(s));
    put_number(w, "connections", s->closing ? 0 : http_connections(s->http));
}

void report_counts(struct server *s, struct buf *out)
{
    struct jsonw w = jsonw_start(out);

    jsonw_object(&w, NULL);
    put_counts(s, &w);
    jsonw_end(&w);
}

/* ---- state ---- */

static void put_identity(const struct server *s, struct jsonw *w, const struct identity *i)
{
    jsonw_object(w, NULL);
    jsonw_str(w, "name", i->name);
    jsonw_str(w, "authenticator", i->authenticator);
    jsonw_bool(w, "enabled", i->enabled);
    jsonw_bool(w, "all_access", i->all_access);
    jsonw_bool(w, "ignore_checkout", i->ignore_checkout);
    jsonw_bool(w, "locked", i->locked && vault_now(s->vault) < i->locked_until_ms);
    jsonw_int(w, "failures", i->failures);
    put_number(w, "tokens", tokens_alive(s->vault, i));
    jsonw_end(w);
}

static void put_totals(const struct server *s, struct jsonw *w)
{
    const struct checkouts *all = s->vault->checkouts;

    jsonw_object(w, "totals");
    put_number(w, "checkouts", all->made);
    put_number(w, "live", all->nlive);
    for (int i = CHECKOUT_CHECKED_IN; i <= CHECKOUT_BY_OPERATOR; i++)
        put_number(w, checkout_end_names[i], all->ended[i]);
    put_number(w, "tokens_issued", s->vault->tokens->issued);
    put_number(w, "tokens_alive", tokens_alive(s->vault, NULL));
    jsonw_end(w);
}

void report_state(struct server *s, struct buf *out)
{
    struct jsonw w = jsonw_start(out);

    jsonw_object(&w, NULL);
    jsonw_int(&w, "now_ms", vault_wall(s->vault));
    put_checkouts(s, &w, "live", true);
    put_totals(s, &w);
    jsonw_array(&w, "identities");
    for (size_t i = 0; i < s->vault->identities.n; i++)
        put_identity(s, &w, s->vault->identities.item[i]);
    jsonw_end(&w);
    put_counts(s, &w);
    jsonw_end(&w);
}

/* ---- history ---- */

static void put_event(struct jsonw *w, const struct history_entry *e)
{
    jsonw_object(w, NULL);
    put_number(w, "number", e->number);
    jsonw_int(w, "at_ms", e->wall_ms);
    jsonw_str(w, "what", e->event.what);
    if (e->event.credential)
        put_names(w, e->event.credential);
    put_who(w, e->event.identity, e->event.who);
    jsonw_str(w, "outcome", e->event.outcome);
    jsonw_str(w, "comment", e->event.comment);
    jsonw_int_or_null(w, "checkout", (int64_t)e->event.checkout, !e->event.checkout);
    jsonw_int_or_null(w, "version", e->event.version, !e->event.version);
    jsonw_int_or_null(w, "call", (int64_t)e->call, !e->call);
    jsonw_int_or_null(w, "status", e->status, !e->call);
    jsonw_str(w, "fault", e->fault);
    jsonw_end(w);
}

void report_history(struct server *s, uint64_t after, struct buf *out)
{
    const struct history_entry *e;
    struct jsonw w = jsonw_start(out);

    jsonw_object(&w, NULL);
    put_number(&w, "made", s->vault->history.made);
    put_number(&w, "dropped", s->vault->history.dropped);
    jsonw_array(&w, "events");
    TAILQ_FOREACH(e, &s->vault->history.all, link)
    {
        if (e->number > after)
            put_event(&w, e);
    }
    jsonw_end(&w);
    jsonw_end(&w);
}

/* ---- what is secret ---- */

static void put_claims(struct jsonw *w, const struct credential *c)
{
    jsonw_object(w, "claims");
    for (size_t i = 0; i < c->claims.n; i++) {
        const struct claim *claim = c->claims.item[i];
        if (claim->held)
            jsonw_int(w, claim->identity->name, claim->held);
    }
    jsonw_end(w);
}

static void put_credential(struct jsonw *w, const struct credential *c)
{
    struct buf plain = BUF_INIT(65536);

    jsonw_object(w, NULL);
    put_names(w, c);
    jsonw_str(w, "list", c->list);
    jsonw_str(w, "system", c->system);
    jsonw_str(w, "account", c->account);
    jsonw_str(w, "namespace", c->namespace);
    jsonw_int(w, "type", c->type);
    jsonw_str(w, "custom_type", c->custom_type);
    jsonw_bool(w, "approval", c->approval);
    jsonw_bool(w, "unreachable", c->unreachable);
    jsonw_int(w, "version", c->version);
    if (credential_password(c, &plain) > 0)
        jsonw_strn(w, "password", plain.data ? plain.data : "", plain.len);
    else
        jsonw_null(w, "password");
    put_claims(w, c);
    jsonw_end(w);
    buf_free(&plain);
}

void report_credentials(struct server *s, struct buf *out)
{
    struct jsonw w = jsonw_start(out);

    jsonw_array(&w, NULL);
    for (size_t i = 0; i < s->vault->credentials.n; i++)
        put_credential(&w, s->vault->credentials.item[i]);
    jsonw_end(&w);
}

void report_tokens(struct server *s, struct buf *out)
{
    struct jsonw w = jsonw_start(out);

    (void)tokens_alive(s->vault, NULL); /* ages them */
    jsonw_array(&w, NULL);
    for (const struct token *t = s->vault->tokens->by_text; t; t = t->by_text.next) {
        if (t->state != TOKEN_ALIVE)
            continue;
        jsonw_object(&w, NULL);
        put_number(&w, "number", t->number);
        jsonw_str(&w, "identity", t->identity->name);
        jsonw_str(&w, "face", face_names[t->face]);
        put_number(&w, "calls", t->calls);
        put_number(&w, "age_ms", vault_now(s->vault) - t->issued_ms);
        jsonw_str(&w, "token", t->text);
        jsonw_end(&w);
    }
    jsonw_end(&w);
}
