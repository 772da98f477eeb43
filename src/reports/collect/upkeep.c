/* SPDX-License-Identifier: Apache-2.0 */
/*
 * upkeep.c - what the collector does beside collecting: retention every hour, the end of sessions that no
 * site is asked for, the vendor's indexes on events off while a large backlog is worked off, derived columns
 * computed again when working hours or the inventory change.
 *
 * A site that is removed from the configuration, disabled, or without `sessions` in `fetch` is not asked, so
 * a session of it that is stored as running would run for ever. It becomes abnormal running_max after its
 * start, as where the account may not ask whether a session is active (decide_state()). Where the site is
 * asked again, a session that has an end by then is corrected.
 *
 * Each is a chain of tasks that have transactions of their own; a chain is open at most once. The hours of a
 * site are in jg_cursor (COLLECT_DERIVED) once all its sessions are computed by them and by the inventory; a
 * chain goes over the sites of which they are not. A
 * round of the inventory that changed it replaces them there, also while a chain runs, whose end then leaves
 * the cursor as it is. A chain that broke off begins again with the next start.
 */
#include "reports/collect/collect_internal.h"

#include "base/digest.h"
#include "base/log.h"
#include "base/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define UPKEEP_MS       60000u
#define RETAIN_EVERY_MS 3600000u
#define INDEXES_ON_TODO 1000

struct keep_task {
    struct writer_task task;
    struct collector *collector;
    enum db_outcome (*apply)(struct keep_task *, struct report_store *);
    void (*after)(struct keep_task *, bool good);
    int64_t now;
    struct store_keep keep;
    bool more, on;
    int64_t running_max;
    int64_t position, changed;
    size_t at; /* the site whose sessions are derived, behind `position` */
    struct keep_hours {
        char host_name[256], digest[65], was[STORE_POSITION_SIZE]; /* was: the cursor as the chain began */
        struct working_hours *hours;                               /* that follow; NULL = the same */
        bool differs, is_first;
    } * sites;
    size_t nsites;
};

static enum db_outcome run(struct writer_task *task, struct report_store *store)
{
    struct keep_task *t = CONTAINER_OF(task, struct keep_task, task);

    return t->apply(t, store);
}

static void done(struct writer_task *task, enum db_outcome outcome, const char *why)
{
    struct keep_task *t = CONTAINER_OF(task, struct keep_task, task);
    struct collector *c = t->collector;

    if (outcome != DB_OK && !c->stopping)
        log_error("upkeep_failed", "why=%s", why);
    t->after(t, outcome == DB_OK);
    free(t->sites);
    free(t);
    collect_task_done(c);
}

static struct keep_task *keep_task_new(struct collector *c,
                                       enum db_outcome (*apply)(struct keep_task *, struct report_store *),
                                       void (*after)(struct keep_task *, bool good))
{
    struct keep_task *t = c->stopping ? NULL : calloc(1, sizeof(*t));

    if (!t)
        return NULL;
    t->task.run = run;
    t->task.done = done;
    t->task.alone = true;
    t->collector = c;
    t->apply = apply;
    t->after = after;
    t->now = collect_now(c);
    return t;
}

/* Commits, or rolls back what failed. */
static enum db_outcome finish(struct report_store *store, enum db_outcome outcome)
{
    if (outcome == DB_OK)
        return store_commit(store);
    store_rollback(store);
    return outcome;
}

void collect_retire_hours(struct collector *c, struct working_hours *hours)
{
    struct working_hours **retired;

    if (!hours)
        return;
    retired = reallocarray(c->retired, c->nretired + 1, sizeof(*retired));
    if (!retired)
        return; /* lost, since it may be in use */
    c->retired = retired;
    c->retired[c->nretired++] = hours;
}

/* ---- retention ---- */

/*
 * The present of retention. A clock that is ahead would delete what no site reports any more, so the earliest
 * one decides: ours, or that of a site. While sites are asked and none has said its time yet, ours alone is
 * not trusted: false, and nothing goes.
 */
static bool earliest_now(const struct collector *c, int64_t *now)
{
    bool asked = false, said = false;

    *now = collect_now(c);
    for (size_t i = 0; i < c->nsites; i++) {
        const struct collect_site *site = c->order[i];

        asked |= site->site != NULL;
        if (!site->has_skew)
            continue;
        said = true;
        if (clock_said(site) < *now)
            *now = clock_said(site);
    }
    return said || !asked;
}

static enum db_outcome retain_apply(struct keep_task *t, struct report_store *store)
{
    return store_retain(store, &t->keep, &t->more);
}

static void retain(struct collector *);

static void retain_after(struct keep_task *t, bool good)
{
    struct collector *c = t->collector;

    c->keeping.retaining = false;
    if (!good)
        return;
    if (t->more)
        retain(c);
    else
        c->keeping.retain_at_ms = clock_now(timers_clock(c->timers)) + RETAIN_EVERY_MS;
}

static void retain(struct collector *c)
{
    int64_t now;
    bool may = earliest_now(c, &now) && !c->keeping.retaining;
    struct keep_task *t = may ? keep_task_new(c, retain_apply, retain_after) : NULL;

    if (!t)
        return;
    t->keep = (struct store_keep){.sessions = now - c->settings.keep,
                                  .activity = now - c->settings.keep,
                                  .syslog = now - c->settings.keep_syslog};
    c->keeping.retaining = true;
    collect_submit(c, &t->task);
}

/* ---- stored sites ---- */

struct names {
    struct record_arena arena;
    const char **rows;
    size_t n, room;
    const struct keep_task *task;
    bool failed;
};

static int take_name(struct names *names, const char *text)
{
    const char **name = record_append(&names->arena, &names->rows, &names->n, &names->room, sizeof(*name));

    if (name)
        *name = record_text(&names->arena, text, strlen(text));
    names->failed = !name || !*name;
    return names->failed;
}

static int take_unknown(void *arg, const struct store_site *row)
{
    struct names *names = arg;

    for (size_t i = 0; i < names->task->nsites; i++)
        if (strcmp(names->task->sites[i].host_name, row->host_name) == 0)
            return 0;
    return take_name(names, row->host_name);
}

/* The stored sites that are not among those of the task. */
static enum db_outcome other_sites(const struct keep_task *t, struct report_store *store, struct names *names)
{
    *names = (struct names){.task = t};
    enum db_outcome outcome = store_sites(store, take_unknown, names);

    return outcome == DB_OK && names->failed ? DB_NO_MEMORY : outcome;
}

/* ---- sessions that no site is asked for ---- */

static int take_old(void *arg, const char *lsid, int64_t start, int64_t fetched_at)
{
    struct names *old = arg;
    const struct keep_task *t = old->task;

    if ((start == RECORD_NONE ? fetched_at : start) + t->running_max > t->now)
        return 0;
    return take_name(old, lsid) || old->n == STORE_CHUNK;
}

/* At most STORE_CHUNK sessions of a site, in a transaction. */
static enum db_outcome end_running(struct keep_task *t, struct report_store *store, const char *host_name)
{
    struct names old = {.task = t};
    enum db_outcome outcome = store_running(store, host_name, take_old, &old);
    bool found;

    if (outcome == DB_OK && old.failed)
        outcome = DB_NO_MEMORY;
    if (outcome == DB_OK && old.n) {
        outcome = store_begin(store);
        for (size_t i = 0; outcome == DB_OK && i < old.n; i++)
            outcome = store_session_state(store, host_name, old.rows[i], STORE_ABNORMAL, t->now, &found);
        outcome = finish(store, outcome);
    }
    t->more |= old.n == STORE_CHUNK;
    record_arena_free(&old.arena);
    return outcome;
}

static enum db_outcome unasked_apply(struct keep_task *t, struct report_store *store)
{
    struct names names;
    enum db_outcome outcome = other_sites(t, store, &names);

    for (size_t i = 0; outcome == DB_OK && i < names.n; i++)
        outcome = end_running(t, store, names.rows[i]);
    record_arena_free(&names.arena);
    return outcome;
}

static void end_unasked(struct collector *);

static void unasked_after(struct keep_task *t, bool good)
{
    if (good && t->more)
        end_unasked(t->collector);
}

/* The sites that are asked for sessions. */
static bool take_asked(struct keep_task *t)
{
    struct collector *c = t->collector;

    t->sites = calloc(c->nsites ? c->nsites : 1, sizeof(*t->sites));
    for (size_t i = 0; t->sites && i < c->nsites; i++)
        if (source_is_wanted(&c->order[i]->sources[COLLECT_FETCH]))
            text_copy(t->sites[t->nsites++].host_name, sizeof(t->sites->host_name), c->order[i]->host_name);
    return t->sites;
}

static void end_unasked(struct collector *c)
{
    struct keep_task *t = c->partial ? NULL : keep_task_new(c, unasked_apply, unasked_after);

    if (!t)
        return;
    t->running_max = c->settings.running_max;
    if (take_asked(t))
        collect_submit(c, &t->task);
    else
        free(t);
}

/* ---- indexes ---- */

static enum db_outcome indexes_apply(struct keep_task *t, struct report_store *store)
{
    return store_event_indexes(store, t->on);
}

static void indexes_after(struct keep_task *t, bool good)
{
    struct upkeep_state *k = &t->collector->keeping;

    k->indexing = false;
    if (!good)
        return;
    if (k->indexes_known ? k->indexes != t->on : !t->on)
        log_info("event_indexes", "on=%d", t->on);
    k->indexes = t->on;
    k->indexes_known = true;
}

void upkeep_indexes(struct collector *c)
{
    struct upkeep_state *k = &c->keeping;
    int64_t todo = 0;
    bool backfills = false, on;

    if (k->indexing || c->away || c->stopping)
        return;
    for (size_t i = 0; i < c->nsites; i++) {
        todo += c->order[i]->todo;
        backfills |= source_is_wanted(&c->order[i]->sources[COLLECT_BACKFILL]) &&
                     !c->order[i]->sources[COLLECT_BACKFILL].denied &&
                     (!c->order[i]->planned || listing_backfills(c->order[i]));
    }
    if (todo > COLLECT_BACKLOG)
        on = false;
    else if (todo < INDEXES_ON_TODO && !backfills)
        on = true;
    else
        return;
    if (k->indexes_known && k->indexes == on)
        return;
    struct keep_task *t = keep_task_new(c, indexes_apply, indexes_after);
    if (!t)
        return;
    t->on = on;
    k->indexing = true;
    collect_submit(c, &t->task);
}

/* ---- derived columns: working hours, inventory ---- */

static void hours_chain(struct keep_task *before);

static enum db_outcome hours_apply(struct keep_task *t, struct report_store *store)
{
    enum db_outcome outcome = DB_OK;

    for (size_t i = 0; outcome == DB_OK && i < t->nsites; i++) {
        struct keep_hours *h = &t->sites[i];

        if (h->hours && store_set_hours(store, h->host_name, h->hours))
            outcome = DB_NO_MEMORY;
        else
            outcome = store_get_cursor(store, h->host_name, COLLECT_DERIVED, h->was);
        h->is_first = outcome == DB_OK && !h->was[0];
        h->differs = outcome == DB_OK && strcmp(h->was, h->digest) != 0;
        t->more |= h->differs && !h->is_first;
    }
    return outcome;
}

static enum db_outcome note_site(const struct keep_hours *h, struct report_store *store, int64_t now)
{
    char is[STORE_POSITION_SIZE];
    enum db_outcome outcome = store_get_cursor(store, h->host_name, COLLECT_DERIVED, is);

    if (outcome != DB_OK || strcmp(is, h->was) != 0)
        return outcome;
    return store_set_cursor(store, h->host_name, COLLECT_DERIVED, h->digest, now);
}

/* `derived`: the site whose sessions are derived; those that had no hours have no sessions of other hours. */
static enum db_outcome note_hours(struct keep_task *t, struct report_store *store, size_t derived)
{
    enum db_outcome outcome = store_begin(store);

    if (outcome != DB_OK)
        return outcome;
    for (size_t i = 0; outcome == DB_OK && i < t->nsites; i++)
        if (i == derived || t->sites[i].is_first)
            outcome = note_site(&t->sites[i], store, t->now);
    return finish(store, outcome);
}

/* From `at` on, the next site whose sessions are to be derived again. */
static size_t next_to_derive(const struct keep_task *t, size_t at)
{
    while (at < t->nsites && (!t->sites[at].differs || t->sites[at].is_first))
        at++;
    return at;
}

/* Some sessions of a site; behind its last one its hours are noted, with those of sites that had none. */
static enum db_outcome rederive_apply(struct keep_task *t, struct report_store *store)
{
    int64_t after = t->position;
    size_t at = next_to_derive(t, t->at);
    enum db_outcome outcome =
        at < t->nsites ? store_rederive(store, t->sites[at].host_name, t->now, false, &after, &t->changed)
                       : DB_OK;

    if (outcome == DB_OK && !after)
        outcome = note_hours(t, store, at);
    if (outcome != DB_OK)
        return outcome;
    t->position = after;
    t->at = after ? at : next_to_derive(t, at + 1);
    return DB_OK;
}

static void hours_over(struct collector *c)
{
    c->keeping.rederiving = false;
    if (c->keeping.rederive_again)
        upkeep_derive(c);
}

static void rederive_after(struct keep_task *t, bool good)
{
    bool again = t->collector->keeping.rederive_again;

    if (good && t->at < t->nsites && !again) {
        hours_chain(t);
        return;
    }
    if (good && !again)
        log_info("sessions_derived", "what=%s",
                 "derived columns are those of the configuration and inventory");
    hours_over(t->collector);
}

static bool take_hours(struct keep_task *t)
{
    struct collector *c = t->collector;

    t->sites = calloc(c->nsites ? c->nsites : 1, sizeof(*t->sites));
    if (!t->sites)
        return false;
    for (size_t i = 0; i < c->nsites; i++) {
        unsigned char digest[DIGEST_SIZE];
        const char *text = c->order[i]->hours_text;
        struct keep_hours *h = &t->sites[t->nsites++];

        if (digest_sha256(text, strlen(text), digest))
            return false;
        text_hex(h->digest, digest, sizeof(digest));
        text_copy(h->host_name, sizeof(h->host_name), c->order[i]->host_name);
        h->hours = c->order[i]->next_hours;
    }
    return true;
}

/* The next task of a chain, with the sites of the one before. */
static void hours_next(struct keep_task *before,
                       enum db_outcome (*apply)(struct keep_task *, struct report_store *),
                       void (*after)(struct keep_task *, bool good))
{
    struct collector *c = before->collector;
    struct keep_task *t = keep_task_new(c, apply, after);

    if (!t) {
        c->keeping.rederiving = false; /* the next start sees the difference */
        return;
    }
    t->sites = before->sites;
    t->nsites = before->nsites;
    before->sites = NULL;
    t->position = before->position;
    t->at = before->at;
    collect_submit(c, &t->task);
}

static void hours_chain(struct keep_task *before)
{
    hours_next(before, rederive_apply, rederive_after);
}

/* The store has the next hours: those before are no longer used. */
static void hours_are_set(struct collector *c, const struct keep_task *t)
{
    for (size_t i = 0; i < c->nsites; i++)
        for (size_t k = 0; k < t->nsites; k++) {
            struct collect_site *site = c->order[i];
            if (!t->sites[k].hours || strcmp(site->host_name, t->sites[k].host_name) != 0)
                continue;
            if (site->next_hours == t->sites[k].hours) {
                collect_retire_hours(c, site->hours);
                site->hours = site->next_hours;
                site->next_hours = NULL;
            }
        }
}

static enum db_outcome first_apply(struct keep_task *t, struct report_store *store)
{
    return note_hours(t, store, t->nsites);
}

static void first_after(struct keep_task *t, bool good)
{
    (void)good;
    hours_over(t->collector);
}

static void hours_after(struct keep_task *t, bool good)
{
    struct collector *c = t->collector;
    bool differs = false;

    if (good)
        hours_are_set(c, t);
    for (size_t i = 0; i < t->nsites; i++)
        differs |= t->sites[i].differs;
    if (good && t->more) {
        log_info("sessions_derive", "what=%s", "derived columns are computed again");
        hours_chain(t);
    } else if (good && differs) {
        hours_next(t, first_apply, first_after);
    } else {
        hours_over(c);
    }
}

void upkeep_derive(struct collector *c)
{
    struct keep_task *t;

    c->keeping.rederive_again = c->keeping.rederiving;
    if (c->keeping.rederiving || c->stopping)
        return;
    t = keep_task_new(c, hours_apply, hours_after);
    if (t && take_hours(t)) {
        c->keeping.rederiving = true;
        collect_submit(c, &t->task);
        return;
    }
    if (t)
        free(t->sites);
    free(t); /* the next start sees the difference */
}

/* ---- sites that are configured no more ---- */

static enum db_outcome off_apply(struct keep_task *t, struct report_store *store)
{
    struct names names;
    enum db_outcome outcome = other_sites(t, store, &names);

    if (outcome == DB_OK && names.n) {
        outcome = store_begin(store);
        for (size_t i = 0; outcome == DB_OK && i < names.n; i++)
            outcome = store_site_off(store, names.rows[i], t->now);
        outcome = finish(store, outcome);
    }
    record_arena_free(&names.arena);
    return outcome;
}

static void off_after(struct keep_task *t, bool good)
{
    (void)t;
    (void)good;
}

static void turn_off(struct collector *c)
{
    struct keep_task *t = c->partial ? NULL : keep_task_new(c, off_apply, off_after);

    if (!t)
        return;
    if (take_hours(t)) {
        collect_submit(c, &t->task);
        return;
    }
    free(t->sites);
    free(t);
}

/* ---- life ---- */

static void tick(struct deadline *d)
{
    struct collector *c = CONTAINER_OF(d, struct collector, upkeep);

    if (!c->away && clock_now(timers_clock(c->timers)) >= c->keeping.retain_at_ms) {
        end_unasked(c);
        retain(c);
    }
    upkeep_indexes(c);
    for (size_t i = 0; i < c->nsites; i++)
        collect_site_judge(c->order[i]);
    c->hooks->check_end(c);
    if (!c->stopping)
        timer_set(c->timers, &c->upkeep, UPKEEP_MS, tick);
}

void upkeep_last(struct collector *c)
{
    end_unasked(c);
    retain(c);
    upkeep_indexes(c);
}

int upkeep_start(struct collector *c)
{
    upkeep_derive(c);
    turn_off(c);
    int err = timer_reserve(c->timers, &c->upkeep);

    if (!err)
        timer_set(c->timers, &c->upkeep, 1000, tick);
    return err;
}

void upkeep_stop(struct collector *c)
{
    timer_unreserve(c->timers, &c->upkeep);
}
