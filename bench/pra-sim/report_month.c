/* SPDX-License-Identifier: Apache-2.0 */
/*
 * report_month.c - made-up sessions as JSON: the truth that a test compares with; see report.h.
 *
 * The totals come from the sessions and their events directly. What a test reads from the site's reports went
 * through XML, and must add up to the same.
 */
#include "pra-sim/report.h"

#include "base/text.h"
#include "pra-sim/month_events.h"

#include <stdlib.h>
#include <string.h>

struct total {
    const char *name; /* lives as long as the totals, or as the program */
    int64_t n;
    UT_hash_handle hh;
    char store[2 * MONTH_TEXT];
};

struct totals {
    struct total *groups, *users, *endpoints, *jumpoints, *types, *events, *reasons;
    int64_t states[SESSION_NSTATES], nevents, with_end, recordings, transfers, moves, deletes, seconds;
};

static void count(struct total **all, const char *name)
{
    struct total *t = NULL;

    HASH_FIND_STR(*all, name, t);
    if (!t) {
        t = calloc(1, sizeof(*t));
        if (!t)
            abort(); /* totals with gaps give every test a wrong result */
        (void)text_copy(t->store, sizeof(t->store), name);
        t->name = t->store;
        HASH_ADD_KEYPTR(hh, *all, t->name, strlen(t->name), t);
    }
    t->n++;
}

static void put_counts(struct jsonw *w, const char *name, struct total **all)
{
    struct total *t, *next;

    jsonw_array(w, name); /* of pairs: a name may have any character */
    HASH_ITER(hh, *all, t, next)
    {
        jsonw_array(w, NULL);
        jsonw_str(w, NULL, t->name);
        jsonw_int(w, NULL, t->n);
        jsonw_end(w);
        HASH_DEL(*all, t);
        free(t);
    }
    jsonw_end(w);
}

static void count_events(struct totals *all, const struct month_script *s)
{
    struct month_event e;

    for (uint64_t i = 0; i < s->shown; i++) {
        const char *type = month_event_type(s, i);
        count(&all->events, type);
        all->nevents++;
        if (strcmp(type, "Credential Injection Attempt Failed") != 0)
            continue;
        month_event(s, i, &e);
        count(&all->reasons, e.value[e.nvalues - 1].value);
    }
}

static void count_session(struct totals *all, const struct month *m, const struct month_session *one)
{
    struct month_script s;
    char jumpoint[MONTH_TEXT] = "(none)";

    month_script(m, one, &s);
    all->states[one->state]++;
    all->recordings += one->recording;
    all->transfers += s.transfers;
    all->moves += s.moves;
    all->deletes += s.deletes;
    if (one->state == SESSION_ENDED) {
        all->with_end++;
        all->seconds += one->times.closed_s - one->times.start_s;
    }
    count(&all->groups, s.item.group);
    count(&all->users, s.user[0].username);
    count(&all->endpoints, s.item.name);
    if (s.item.jumpoint >= 0)
        month_jumpoint((uint64_t)s.item.jumpoint, jumpoint);
    count(&all->jumpoints, jumpoint);
    count(&all->types, item_types[s.item.type]);
    count_events(all, &s);
}

static void put_totals(struct jsonw *w, struct totals *all)
{
    jsonw_object(w, NULL);
    jsonw_object(w, "states");
    for (int i = 0; i < SESSION_NSTATES; i++)
        jsonw_int(w, session_state_names[i], all->states[i]);
    jsonw_end(w);
    jsonw_int(w, "events", all->nevents);
    jsonw_int(w, "with_end", all->with_end);
    jsonw_int(w, "seconds", all->seconds);
    jsonw_int(w, "recordings", all->recordings);
    jsonw_int(w, "file_transfers", all->transfers);
    jsonw_int(w, "file_moves", all->moves);
    jsonw_int(w, "file_deletes", all->deletes);
    put_counts(w, "by_jump_group", &all->groups);
    put_counts(w, "by_user", &all->users);
    put_counts(w, "by_endpoint", &all->endpoints);
    put_counts(w, "by_jumpoint", &all->jumpoints);
    put_counts(w, "by_type", &all->types);
    put_counts(w, "by_event_type", &all->events);
    put_counts(w, "by_failure_reason", &all->reasons);
    jsonw_end(w);
}

void report_month_totals(const struct server *s, struct buf *out)
{
    const struct month *m = s->site->month;
    struct jsonw w = jsonw_start(out);
    int64_t now_s = site_now(s->site) / 1000;
    struct month_session one;
    struct totals all = {0};

    for (uint64_t i = 0; m && i < month_count(m, now_s); i++) {
        if (month_gone(m, i) != GONE_NOT)
            continue;
        month_session(m, i, now_s, &one);
        if (one.times.start_s <= now_s)
            count_session(&all, m, &one);
    }
    put_totals(&w, &all);
}

void report_month(const struct server *s, struct buf *out)
{
    const struct month *m = s->site->month;
    struct jsonw w = jsonw_start(out);

    jsonw_object(&w, NULL);
    if (m) {
        const struct month_opts *o = &m->opts;
        jsonw_int(&w, "count", (int64_t)month_count(m, site_now(s->site) / 1000));
        jsonw_int(&w, "begin_s", m->begin_s);
        jsonw_int(&w, "until_s", o->until_s);
        jsonw_int(&w, "sessions", (int64_t)o->sessions);
        jsonw_int(&w, "running", (int64_t)o->running);
        jsonw_int(&w, "live_hour", (int64_t)o->live_hour);
        jsonw_int(&w, "events", (int64_t)o->events);
        jsonw_int(&w, "seed", (int64_t)o->seed);
        jsonw_int(&w, "days", (int64_t)o->days);
        jsonw_int(&w, "users", (int64_t)o->users);
        jsonw_int(&w, "endpoints", (int64_t)o->endpoints);
        jsonw_int(&w, "groups", (int64_t)o->groups);
        jsonw_int(&w, "jumpoints", (int64_t)o->jumpoints);
        jsonw_int(&w, "vault_accounts", (int64_t)o->vault_accounts);
        jsonw_int(&w, "vault_activity", (int64_t)o->vault_activity);
        jsonw_int(&w, "team_activity", (int64_t)o->team_activity);
        jsonw_int(&w, "syslog_messages", (int64_t)o->syslog_messages);
        jsonw_int(&w, "stream_hour", (int64_t)o->stream_hour);
    }
    jsonw_end(&w);
}

void report_month_session(const struct server *s, uint64_t index, struct buf *out)
{
    const struct month *m = s->site->month;
    struct jsonw w = jsonw_start(out);
    struct month_session one;
    struct month_script script;

    month_session(m, index, site_now(s->site) / 1000, &one);
    month_script(m, &one, &script);
    jsonw_object(&w, NULL);
    jsonw_int(&w, "index", (int64_t)index);
    jsonw_str(&w, "lsid", one.lsid);
    jsonw_str(&w, "state", session_state_names[one.state]);
    jsonw_int(&w, "start_s", one.times.start_s);
    jsonw_int(&w, "closed_s", one.times.closed_s);
    jsonw_int(&w, "revision", one.revision);
    jsonw_bool(&w, "recording", one.recording);
    jsonw_str(&w, "user", script.user[0].username);
    jsonw_str(&w, "endpoint", script.item.name);
    jsonw_str(&w, "jump_group", script.item.group);
    jsonw_str(&w, "type", item_types[script.item.type]);
    jsonw_str(&w, "external_key", script.external_key);
    jsonw_int(&w, "events", (int64_t)script.shown);
    jsonw_end(&w);
}
