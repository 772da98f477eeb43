/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch.c - the source that reads sessions: rows of jg_todo that are due, a batch at a time.
 *
 *   due rows -> call -> each session: one task (its rows, tallies, todo row) -> due rows …
 *
 * An lsid that is missing in a whole answer is asked for alone; "Invalid lsid." for it is the site's last
 * word. After a broken answer the batch halves, at once while the site answers, so that one session that
 * cannot be read is soon asked for alone; then it is that session that has failed, and it waits longer and
 * longer, the others do not.
 *
 * recheck has no calls of its own: its rows of jg_todo are due at the ages of `recheck`, and come here.
 *
 * Not here: is a running session active (probe.c).
 */
#include "reports/collect/collect_internal.h"

#include "base/log.h"
#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STREAK_MAX 10 /* halvings at once: 500 lsids become one */

/* ---- lists of what is wanted ---- */

static struct wanted *wanted_add(struct wanted_list *l)
{
    if (l->n == l->room) {
        size_t room = l->room ? l->room * 2 : 64;
        struct wanted *rows = reallocarray(l->rows, room, sizeof(*rows));
        if (!rows)
            return NULL;
        l->rows = rows;
        l->room = room;
    }
    l->rows[l->n] = (struct wanted){.came = false};
    return &l->rows[l->n++];
}

static struct wanted *wanted_find(struct fetcher *f, const char *lsid)
{
    struct wanted_list *l = &f->asked;

    for (size_t i = 0; i < l->n; i++) {
        struct wanted *w = &l->rows[(f->at + i) % l->n];
        if (strcmp(w->lsid, lsid) == 0) {
            f->at = (f->at + i + 1) % l->n;
            return w;
        }
    }
    return NULL;
}

static struct fetcher *fetcher_of(const struct source *s)
{
    return &s->site->fetcher;
}

/* ---- a session came ---- */

struct session_task {
    struct site_task base;
    struct record_arena arena;
    struct store_session session;
    enum todo_why why;
    int64_t tries;
    int64_t recheck; /* ours; RECORD_NONE = not again */
    int64_t wait;    /* after a failure */
    enum store_change change;
    char lsid[LSID_SIZE];
};

static enum db_outcome session_apply(struct site_task *base, struct report_store *store)
{
    struct session_task *t = CONTAINER_OF(base, struct session_task, base);
    const char *host_name = base->site->host_name;
    enum db_outcome outcome = store_session(store, &t->session, &t->change);

    if (outcome == DB_OK)
        outcome = store_todo_done(store, host_name, t->lsid);
    if (outcome == DB_OK && t->recheck != RECORD_NONE)
        outcome = store_todo_add(store, host_name, t->lsid, todo_why_name(WHY_RECHECK), t->recheck, NULL);
    return outcome;
}

static void session_failed(struct source *, const char *lsid, int64_t tries, const char *why);

static void session_after(struct site_task *base, enum db_outcome outcome, const char *why)
{
    struct session_task *t = CONTAINER_OF(base, struct session_task, base);
    struct collect_site *site = base->site;

    if (site->gone || site->collector->stopping)
        return;
    if (outcome != DB_OK) {
        session_failed(base->source, t->lsid, t->tries, why ? why : "the database refused it");
        return;
    }
    site->sessions_new += t->change == STORE_NEW;
    site->sessions_changed += t->change == STORE_CHANGED;
    if (t->session.state == STORE_RUNNING)
        probe_add(site, t->lsid);
    else
        probe_drop(site, t->lsid);
}

static void session_release(struct site_task *base)
{
    record_arena_free(&CONTAINER_OF(base, struct session_task, base)->arena);
}

static void store_one(struct source *s, const struct wanted *w, struct record_session *session,
                      struct record_arena *arena)
{
    struct collect_site *site = s->site;
    const struct collect_settings *settings = &site->collector->settings;
    struct session_task *t = site_task_new(site, s, sizeof(*t));
    struct session_view view = {.now = collect_site_now(site),
                                .running_max = settings->running_max,
                                .why = w->why,
                                .command_denied = site->command_denied};

    if (!t) {
        s->lost = true;
        return;
    }
    t->base.apply = session_apply;
    t->base.after = session_after;
    t->base.release = session_release;
    t->base.task.sessions = 1;
    t->base.task.bytes = arena->used;
    t->arena = *arena;
    *arena = (struct record_arena){.chunks = NULL};
    t->why = w->why;
    t->tries = w->tries;
    t->session = (struct store_session){.host_name = site->host_name,
                                        .session = session,
                                        .state = decide_state(session, &view),
                                        .has_recording = -1,
                                        .now = t->base.now};
    t->recheck = RECORD_NONE;
    if (session->end != RECORD_NONE) {
        int64_t at = decide_recheck(settings, session->end, view.now);
        t->recheck = at == RECORD_NONE ? at : at - site->skew_ms / 1000;
    }
    text_copy(t->lsid, sizeof(t->lsid), session->lsid);
    site_task_submit(&t->base);
}

static void fetch_batch(struct source *s, struct report_batch *batch)
{
    struct fetcher *f = fetcher_of(s);

    if (batch->kind != REPORT_SESSIONS)
        return;
    for (size_t i = 0; i < batch->n; i++) { /* they come one by one */
        struct record_session *session = &batch->sessions[i];
        struct wanted *w = session->lsid ? wanted_find(f, session->lsid) : NULL;

        if (!w || w->came)
            continue; /* not asked for, or twice */
        w->came = true;
        store_one(s, w, session, &batch->arena);
    }
}

/* ---- a session that cannot be read ---- */

struct trouble_task { /* a failed try, or an lsid that the site does not know */
    struct site_task base;
    char lsid[LSID_SIZE], error[COLLECT_ERROR_SIZE];
    int64_t next_at;
    bool unknown, dropped;
};

static enum db_outcome forget(struct trouble_task *t, struct report_store *store)
{
    const char *host_name = t->base.site->host_name;
    struct store_known known;
    bool found;
    enum db_outcome outcome = store_known(store, host_name, t->lsid, &known);

    t->dropped = outcome == DB_OK && !known.stored;
    if (outcome == DB_OK && known.stored && known.state == STORE_RUNNING)
        outcome = store_session_state(store, host_name, t->lsid, STORE_ABNORMAL, t->base.now, &found);
    return outcome == DB_OK ? store_todo_done(store, host_name, t->lsid) : outcome;
}

static enum db_outcome trouble_apply(struct site_task *base, struct report_store *store)
{
    struct trouble_task *t = CONTAINER_OF(base, struct trouble_task, base);

    if (t->unknown)
        return forget(t, store);
    return store_todo_failed(store, base->site->host_name, t->lsid, t->error, t->next_at);
}

static void trouble_after(struct site_task *base, enum db_outcome outcome, const char *why)
{
    struct trouble_task *t = CONTAINER_OF(base, struct trouble_task, base);

    (void)why;
    if (outcome != DB_OK)
        return;
    if (t->unknown)
        probe_drop(base->site, t->lsid);
    base->site->dropped += t->dropped;
}

static struct trouble_task *trouble_new(struct source *s, const char *lsid)
{
    struct trouble_task *t = site_task_new(s->site, s, sizeof(*t));

    if (!t) {
        s->lost = true;
        return NULL;
    }
    t->base.apply = trouble_apply;
    t->base.after = trouble_after;
    text_copy(t->lsid, sizeof(t->lsid), lsid);
    return t;
}

static void session_failed(struct source *s, const char *lsid, int64_t tries, const char *why)
{
    struct trouble_task *t = trouble_new(s, lsid);

    fetcher_of(s)->sessions_failed++;
    if (!t)
        return;
    text_copy(t->error, sizeof(t->error), why);
    t->next_at = t->base.now + decide_session_wait(tries + 1, &s->site->collector->random);
    log_warn("session_failed", "site=%s lsid=%s tries=%lld why=%s", s->site->name, lsid, (long long)tries + 1,
             why);
    site_task_submit(&t->base);
}

static void session_unknown(struct source *s, const char *lsid)
{
    struct trouble_task *t = trouble_new(s, lsid);

    if (!t)
        return;
    t->unknown = true;
    listing_forget(s->site, lsid);
    site_task_submit(&t->base);
}

static void fetch_refused(struct source *s, const char *lsid, const char *why)
{
    struct wanted *w = wanted_find(fetcher_of(s), lsid);

    if (!w || w->came)
        return;
    w->came = true;
    session_failed(s, lsid, w->tries, why);
}

/* ---- what is due ---- */

struct due_task {
    struct site_task base;
    struct wanted_list list;
    int64_t all, failed;
    int limit;
    bool no_memory;
};

static int take_due(void *arg, const struct store_todo *row)
{
    struct due_task *t = arg;
    struct wanted *w = wanted_add(&t->list);

    t->no_memory = !w;
    if (!w)
        return 1;
    text_copy(w->lsid, sizeof(w->lsid), row->lsid);
    w->why = todo_why_named(row->why);
    w->tries = row->tries;
    return 0;
}

static enum db_outcome due_apply(struct site_task *base, struct report_store *store)
{
    struct due_task *t = CONTAINER_OF(base, struct due_task, base);
    const char *host_name = base->site->host_name;
    enum db_outcome outcome;

    t->list.n = 0;
    t->no_memory = false;
    outcome = store_todo_due(store, host_name, base->now, t->limit, take_due, t);
    if (outcome == DB_OK && t->no_memory)
        outcome = DB_NO_MEMORY;
    if (outcome == DB_OK)
        outcome = store_todo_count(store, host_name, COLLECT_TRIES, &t->all, &t->failed);
    return outcome;
}

static void ask_for(struct source *s)
{
    struct fetcher *f = fetcher_of(s);
    const char *lsids[REPORT_LSIDS_MAX];

    f->at = 0;
    for (size_t i = 0; i < f->asked.n; i++)
        lsids[i] = f->asked.rows[i].lsid;
    source_asked(s, s->site->site->ops->sessions(s->site->site, source_call(s), lsids, f->asked.n));
}

static void nothing_due(struct source *s)
{
    struct fetcher *f = fetcher_of(s);
    bool once = s->site->collector->once, complete = listing_is_complete(s->site);

    if (!listing_backfills(s->site))
        s->site->missing = false;
    if (!once || complete) {
        if (once && f->sessions_failed)
            s->result = ROUND_FAILED;
        source_succeeded(s, SOURCE_INTERVAL);
        if (once)
            source_wake(&s->site->sources[COLLECT_PROBE]);
        return;
    }
    s->busy = false; /* a listing wakes it, and the end of each */
    s->failures = 0;
    if (s->again)
        source_schedule(s, 0);
}

static void due_after(struct site_task *base, enum db_outcome outcome, const char *why)
{
    struct due_task *t = CONTAINER_OF(base, struct due_task, base);
    struct source *s = base->source;
    struct fetcher *f = fetcher_of(s);

    if (outcome != DB_OK) {
        source_broke(s, why ? why : "the database refused a question");
        return;
    }
    s->site->todo = t->all;
    s->site->failed = t->failed;
    s->site->collector->hooks->todo_changed(s->site->collector);
    if (!source_is_wanted(s) || s->site->gone || s->site->collector->stopping) {
        s->busy = false;
        return;
    }
    free(f->asked.rows);
    f->asked = t->list;
    t->list = (struct wanted_list){.rows = NULL};
    if (f->asked.n)
        ask_for(s);
    else
        nothing_due(s);
}

static void due_release(struct site_task *base)
{
    free(CONTAINER_OF(base, struct due_task, base)->list.rows);
}

static void fetch_begin(struct source *s)
{
    struct fetcher *f = fetcher_of(s);
    struct due_task *t;

    if (f->alone.n) {
        f->asked.n = 0;
        struct wanted *w = wanted_add(&f->asked);
        if (!w) {
            source_broke(s, "out of memory");
            return;
        }
        *w = f->alone.rows[--f->alone.n];
        w->came = false;
        ask_for(s);
        return;
    }
    t = site_task_new(s->site, s, sizeof(*t));
    if (!t) {
        source_broke(s, "out of memory");
        return;
    }
    t->base.apply = due_apply;
    t->base.after = due_after;
    t->base.release = due_release;
    t->limit = (int)f->batch;
    site_task_submit(&t->base);
}

/* ---- the answer is over ---- */

static size_t count_missing(const struct fetcher *f)
{
    size_t n = 0;

    for (size_t i = 0; i < f->asked.n; i++)
        n += !f->asked.rows[i].came;
    return n;
}

static const char *text_of(const struct report_outcome *o)
{
    return o->text[0] ? o->text : report_end_name(o->end);
}

/* Those that a whole answer, or "Invalid lsid.", left out. */
static void whole(struct source *s, const struct report_outcome *o)
{
    struct fetcher *f = fetcher_of(s);
    bool was_alone = f->asked.n == 1;

    f->streak = 0;
    f->batch = f->batch * 2 < f->most ? f->batch * 2 : f->most;
    for (size_t i = 0; i < f->asked.n; i++) {
        struct wanted *w = &f->asked.rows[i], *again;
        if (w->came)
            continue;
        if (was_alone && o->end == REPORT_INVALID_LSID)
            session_unknown(s, w->lsid);
        else if (was_alone)
            session_failed(s, w->lsid, w->tries, "the site's answer does not have it");
        else if ((again = wanted_add(&f->alone)))
            *again = *w;
    }
    if (s->lost)
        source_broke(s, "out of memory");
    else
        source_succeeded(s, 0);
}

/* Whether the call goes out again at once, with a smaller batch. */
static bool halve(struct fetcher *f, const struct report_outcome *o)
{
    bool site_answers = o->status == 200 || o->status == 500;

    if (!end_rule(o->end)->halves || f->asked.n <= 1)
        return false;
    f->batch = f->asked.n / 2 < f->batch / 2 ? (unsigned)f->asked.n / 2 : f->batch / 2;
    f->batch = f->batch ? f->batch : 1;
    return site_answers && f->streak++ < STREAK_MAX;
}

static void fetch_ended(struct source *s, const struct report_outcome *o)
{
    struct fetcher *f = fetcher_of(s);
    bool alone = f->asked.n == 1;

    if (report_end_is_whole(o->end) || o->end == REPORT_INVALID_LSID) {
        whole(s, o);
        return;
    }
    if (alone && count_missing(f) && end_rule(o->end)->blames)
        session_failed(s, f->asked.rows[0].lsid, f->asked.rows[0].tries, text_of(o));
    if (halve(f, o)) {
        s->failures = 0;
        s->again = true;
        s->busy = false;
        source_schedule(s, 0);
        return;
    }
    source_failed(s, o);
}

/* ---- rows, life ---- */

static int64_t poll_interval(const struct collect_site *site)
{
    return site->collector->settings.poll_interval;
}

const struct source_row fetch_row = {.name = "fetch",
                                     .urgency = REPORT_FETCH,
                                     .fetch = COLLECT_FETCH_SESSIONS,
                                     .ask = REPORT_ASK_SESSIONS,
                                     .interval = poll_interval,
                                     .begin = fetch_begin,
                                     .batch = fetch_batch,
                                     .refused = fetch_refused,
                                     .ended = fetch_ended};

const struct source_row recheck_row = {.name = "recheck",
                                       .fetch = COLLECT_FETCH_SESSIONS,
                                       .ask = REPORT_ASK_SESSIONS,
                                       .interval = poll_interval};

void fetch_init(struct collect_site *site)
{
    site->fetcher = (struct fetcher){.batch = 1};
    TAILQ_INIT(&site->probes);
}

void fetch_free(struct collect_site *site)
{
    struct probe *p;

    free(site->fetcher.asked.rows);
    free(site->fetcher.alone.rows);
    while ((p = TAILQ_FIRST(&site->probes))) {
        TAILQ_REMOVE(&site->probes, p, link);
        free(p);
    }
}
