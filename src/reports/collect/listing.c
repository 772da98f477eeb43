/* SPDX-License-Identifier: Apache-2.0 */
/*
 * listing.c - the sources that learn which sessions there are: closed (live), backfill, sweep, running.
 *
 * closed asks from its cursor on, by the end. What lies between the start of collecting and the first cursor,
 * and what came while no collector ran, is the backfill's range: oldest first, in windows, first by the end,
 * then by the start, since sessions that were closed abnormally have no end. The plan, that is which part is
 * whose, is made and stored in one transaction before the first listing. The sweep goes over the last days
 * once a day in the same way. What they find becomes rows of jg_todo, with the cursor in one transaction;
 * rows of live sources are due before all others.
 *
 * Where a site's clock is set back, the cursor of closed is ahead of it for a poll or two; what ends
 * meanwhile is found by its start, by running, and where that does not reach so far, by the sweep.
 *
 * An answer of more than PART_BYTES becomes several transactions, of which the last moves the cursor.
 */
#include "reports/collect/collect_internal.h"

#include "base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PART_BYTES    (1024 * 1024)
#define GAP_LEAST     3600 /* a cursor that is older leaves its gap to the backfill */
#define THROTTLE_MS   5000u
#define DUE_FIRST     0    /* next_at of what is fetched before all others */
#define FORGET_S      1800 /* a report may come later than its row in a list */
#define SWEEP_CHECK_S 300

/* ---- parts of an answer ---- */

static struct lister *lister_of(struct source *s)
{
    struct collect_site *site = s->site;

    switch (s->id) {
    case COLLECT_CLOSED: return &site->closed;
    case COLLECT_BACKFILL: return &site->backfill;
    case COLLECT_SWEEP: return &site->sweep;
    default: return &site->running;
    }
}

static enum todo_why why_of(const struct source *s)
{
    switch (s->id) {
    case COLLECT_BACKFILL: return WHY_BACKFILL;
    case COLLECT_SWEEP: return WHY_SWEEP;
    case COLLECT_RUNNING: return WHY_RUNNING;
    default: return WHY_LISTED;
    }
}

static void free_parts(struct listed_parts *parts)
{
    struct listed_part *p;

    while ((p = STAILQ_FIRST(parts))) {
        STAILQ_REMOVE_HEAD(parts, link);
        record_arena_free(&p->arena);
        free(p);
    }
}

/* ---- the task of a part ---- */

struct listed_task {
    struct last_task last;
    struct listed_parts parts;
    enum todo_why why;
    bool by_start, is_last;
    int64_t due;
    uint64_t added, unusable;
};

static struct listed_task *task_of(struct site_task *base)
{
    return CONTAINER_OF(base, struct listed_task, last.base);
}

static enum db_outcome add_listed(struct listed_task *t, struct report_store *store, const char *text)
{
    const char *host_name = t->last.base.site->host_name;
    struct store_known known;
    char lsid[LSID_SIZE];
    enum db_outcome outcome;
    bool added = false;

    if (!lsid_normal(text, lsid)) {
        t->unusable++;
        return DB_OK;
    }
    outcome = store_known(store, host_name, lsid, &known);
    if (outcome != DB_OK || !decide_listed(t->why, t->by_start, &known))
        return outcome;
    if (t->why == WHY_RUNNING)
        outcome = store_todo_add_absent(store, host_name, lsid, todo_why_name(t->why), t->due, &added);
    else
        outcome = store_todo_add(store, host_name, lsid, todo_why_name(t->why), t->due, &added);
    t->added += added;
    return outcome;
}

struct lsids {
    struct record_arena arena;
    const char **names;
    size_t n, room;
    bool failed;
};

static int take_lsid(void *arg, const char *lsid, int64_t start, int64_t fetched_at)
{
    struct lsids *l = arg;
    const char **name = record_append(&l->arena, &l->names, &l->n, &l->room, sizeof(*name));

    (void)start;
    (void)fetched_at;
    if (name)
        *name = record_text(&l->arena, lsid, strlen(lsid));
    l->failed = !name || !*name;
    return l->failed;
}

/* Sessions that are stored as running, whether or not the list has them. */
static enum db_outcome add_running(struct listed_task *t, struct report_store *store)
{
    struct lsids l = {.failed = false};
    enum db_outcome outcome = store_running(store, t->last.base.site->host_name, take_lsid, &l);

    if (outcome == DB_OK && l.failed)
        outcome = DB_NO_MEMORY;
    for (size_t i = 0; outcome == DB_OK && i < l.n; i++)
        outcome = add_listed(t, store, l.names[i]);
    record_arena_free(&l.arena);
    return outcome;
}

static enum db_outcome listed_apply(struct site_task *base, struct report_store *store)
{
    struct listed_task *t = task_of(base);
    enum db_outcome outcome = DB_OK;
    struct listed_part *p;

    t->added = t->unusable = 0;
    STAILQ_FOREACH(p, &t->parts, link)
    for (size_t i = 0; outcome == DB_OK && i < p->n; i++)
        outcome = add_listed(t, store, p->rows[i].lsid);
    if (outcome == DB_OK && t->is_last && t->why == WHY_RUNNING)
        outcome = add_running(t, store);
    if (outcome == DB_OK && t->is_last)
        outcome = last_task_apply(base, store);
    return outcome;
}

static void listed_after(struct site_task *base, enum db_outcome outcome, const char *why)
{
    struct listed_task *t = task_of(base);
    struct collect_site *site = base->site;

    if (outcome == DB_OK) {
        site->dropped += t->unusable;
        site->todo += (int64_t)t->added;
        if (t->added)
            source_wake(&site->sources[COLLECT_FETCH]);
    }
    if (t->is_last)
        last_task_after(base, outcome, why);
}

static void listed_release(struct site_task *base)
{
    free_parts(&task_of(base)->parts);
}

static struct listed_task *listed_task_new(struct source *s, const struct report_outcome *o)
{
    struct lister *l = lister_of(s);
    struct last_task *last = o ? last_task_new(s, o, sizeof(struct listed_task))
                               : site_task_new(s->site, s, sizeof(struct listed_task));
    struct listed_task *t = last ? CONTAINER_OF(last, struct listed_task, last) : NULL;

    if (!t)
        return NULL;
    t->last.base.apply = listed_apply;
    t->last.base.after = listed_after;
    t->last.base.release = listed_release;
    t->is_last = o != NULL;
    t->why = why_of(s);
    t->by_start = l->by_start;
    t->due = t->why == WHY_LISTED || t->why == WHY_RUNNING ? DUE_FIRST : t->last.base.now;
    t->last.base.task.bytes = l->bytes;
    STAILQ_INIT(&t->parts);
    STAILQ_CONCAT(&t->parts, &l->parts);
    l->bytes = 0;
    return t;
}

/* ---- lsids that the site does not know ---- */

void listing_forget(struct collect_site *site, const char *lsid)
{
    struct forgotten *f;

    if (!site->forgotten)
        site->forgotten = calloc(FORGOTTEN_MAX, sizeof(*site->forgotten));
    if (!site->forgotten)
        return; /* it is asked for once more */
    f = &site->forgotten[site->next_forgotten++ % FORGOTTEN_MAX];
    text_copy(f->lsid, sizeof(f->lsid), lsid);
    f->until = collect_now(site->collector) + FORGET_S;
}

/* Takes them out of an answer: each would be asked for again with every poll. */
static size_t leave_out_forgotten(const struct collect_site *site, struct record_listed *rows, size_t n)
{
    int64_t now = collect_now(site->collector);
    size_t kept = 0;

    for (size_t i = 0; i < n; i++) {
        bool known = true;
        for (size_t k = 0; site->forgotten && known && k < FORGOTTEN_MAX; k++)
            known = site->forgotten[k].until <= now || !rows[i].lsid ||
                    strcmp(site->forgotten[k].lsid, rows[i].lsid) != 0;
        if (known)
            rows[kept++] = rows[i];
    }
    return kept;
}

static void listing_batch(struct source *s, struct report_batch *batch)
{
    struct lister *l = lister_of(s);
    struct listed_part *p = batch->kind == REPORT_LISTED ? malloc(sizeof(*p)) : NULL;

    if (!p) {
        s->lost = true;
        return;
    }
    *p = (struct listed_part){.arena = batch->arena, .rows = batch->listed, .n = batch->n};
    batch->arena = (struct record_arena){.chunks = NULL};
    STAILQ_INSERT_TAIL(&l->parts, p, link);
    l->bytes += p->arena.used;
    l->rows += p->n;
    p->n = leave_out_forgotten(s->site, p->rows, p->n);
    if (l->bytes < PART_BYTES)
        return;
    struct listed_task *t = listed_task_new(s, NULL);
    if (t)
        site_task_submit(&t->last.base);
}

/* ---- asking ---- */

/* Sessions in [from, to); `to` may be left open where it is the site's present. */
static void ask_window(struct source *s, int64_t from, int64_t to, bool open)
{
    struct lister *l = lister_of(s);
    struct report_site *site = s->site->site;
    struct report_window w = {.by_start = l->by_start, .from_s = from, .duration_s = open ? 0 : to - from};

    l->asked_to = to;
    l->rows = 0;
    source_asked(s, site->ops->listing(site, source_call(s), &w));
}

static struct listed_task *listing_ended(struct source *s, const struct report_outcome *o)
{
    struct lister *l = lister_of(s);

    if (report_end_is_whole(o->end))
        windows_answered(&l->windows, l->rows);
    else if (end_rule(o->end)->halves)
        windows_failed(&l->windows);
    return listed_task_new(s, o);
}

/* The present for a listing: what ended in this very second may not be listed yet. */
static int64_t latest(const struct collect_site *site)
{
    return collect_site_today(site) - 1;
}

static bool is_limited(const struct collect_site *site)
{
    return site->collector->until != RECORD_NONE;
}

static int64_t poll_interval(const struct collect_site *site)
{
    return site->collector->settings.poll_interval;
}

/* ---- the plan ---- */

bool collect_read_range(const char *text, struct collect_range *range)
{
    int64_t numbers[3];
    size_t n = 0;
    char *end = NULL;

    for (; n < 3 && (n == 0 || *end == ' '); n++, text = end + 1) {
        numbers[n] = strtoll(text, &end, 10);
        if (end == text)
            return false;
    }
    if (n < 2 || *end)
        return false;
    *range = (struct collect_range){.from = numbers[0], .to = numbers[1], .start = numbers[n - 1]};
    if (n < 3 || range->start > range->from)
        range->start = range->from;
    return true;
}

static void write_range(char out[STORE_POSITION_SIZE], const struct collect_range *range)
{
    (void)snprintf(out, STORE_POSITION_SIZE, "%" PRId64 " %" PRId64 " %" PRId64, range->from, range->to,
                   range->start);
}

struct plan_task {
    struct site_task base;
    char closed[STORE_POSITION_SIZE], backfill[STORE_POSITION_SIZE];
};

static enum db_outcome plan_apply(struct site_task *base, struct report_store *store)
{
    struct plan_task *t = CONTAINER_OF(base, struct plan_task, base);
    const char *host_name = base->site->host_name;
    enum db_outcome outcome = store_set_cursor(store, host_name, closed_row.name, t->closed, base->now);

    if (outcome == DB_OK)
        outcome = store_set_cursor(store, host_name, backfill_row.name, t->backfill, base->now);
    return outcome;
}

static void closed_ask(struct source *);

static void plan_after(struct site_task *base, enum db_outcome outcome, const char *why)
{
    struct plan_task *t = CONTAINER_OF(base, struct plan_task, base);
    struct collect_site *site = base->site;
    struct source *closed = &site->sources[COLLECT_CLOSED], *backfill = &site->sources[COLLECT_BACKFILL];
    struct collect_range range = {.from = 0};

    if (outcome != DB_OK) {
        source_broke(closed, why ? why : "the database refused the cursors");
        return;
    }
    text_copy(closed->cursor, sizeof(closed->cursor), t->closed);
    text_copy(backfill->cursor, sizeof(backfill->cursor), t->backfill);
    (void)collect_read_range(t->backfill, &range);
    site->backfill.from = range.from;
    site->backfill.to = range.to;
    site->missing = range.from < range.to;
    site->missing_from = range.start;
    site->planned = true;
    if (site->gone || site->collector->stopping || !site->site) {
        closed->busy = false;
        return;
    }
    closed_ask(closed);
    source_release(backfill);
}

/*
 * Where closed and backfill begin. A cursor that is fresh goes on; without one, or where it is old, closed
 * begins now and the backfill's range reaches up to here.
 */
static void make_plan(struct collect_site *site, struct plan_task *t)
{
    const struct collector *c = site->collector;
    const char *cursor = site->sources[COLLECT_CLOSED].cursor;
    int64_t now = latest(site), gap = c->settings.overlap > GAP_LEAST ? c->settings.overlap : GAP_LEAST;
    int64_t old = cursor[0] ? strtoll(cursor, NULL, 10) : RECORD_NONE, from, to;
    struct collect_range range = {.from = 0};
    bool has_range = collect_read_range(site->sources[COLLECT_BACKFILL].cursor, &range);

    from = range.from;
    to = range.to;

    if (!has_range || old == RECORD_NONE) {
        from = now - c->settings.backfill;
        to = old = now;
    } else if (now - old > gap) {
        from = from < to ? from : old - c->settings.overlap;
        to = old = now;
    } else if (old > now) {
        old = now; /* the site's clock was set back */
    }
    if (c->since != RECORD_NONE) {
        from = c->since < from || from >= to ? c->since : from;
        to = now > to ? now : to;
    }
    from = from > collect_site_oldest(site) ? from : collect_site_oldest(site);
    from = from < to ? from : to;
    (void)snprintf(t->closed, sizeof(t->closed), "%" PRId64, old);
    /* A range that goes on keeps its start: what was listed may not be stored yet. */
    range.start = range.from < range.to && range.start < from ? range.start : from;
    range.from = from;
    range.to = to;
    write_range(t->backfill, &range);
}

static void plan(struct source *s)
{
    struct plan_task *t = site_task_new(s->site, s, sizeof(*t));

    if (!t) {
        source_broke(s, "out of memory");
        return;
    }
    t->base.apply = plan_apply;
    t->base.after = plan_after;
    make_plan(s->site, t);
    site_task_submit(&t->base);
}

/* ---- closed ---- */

static void closed_ask(struct source *s)
{
    struct collect_site *site = s->site;
    struct lister *l = &site->closed;
    int64_t now = latest(site), from = strtoll(s->cursor, NULL, 10) - site->collector->settings.overlap;

    from = from > collect_site_oldest(site) ? from : collect_site_oldest(site);
    from = from < now ? from : now - 1;
    l->by_start = false;
    /* The overlap is asked for again with each window, so a window is what lies behind it. */
    l->more = now - from > l->windows.width + site->collector->settings.overlap;
    if (l->more)
        ask_window(s, from, from + site->collector->settings.overlap + l->windows.width, false);
    else
        ask_window(s, from, now, !is_limited(site));
}

static void closed_begin(struct source *s)
{
    if (s->site->planned)
        closed_ask(s);
    else
        plan(s);
}

static void closed_over(struct source *s)
{
    source_succeeded(s, s->site->closed.more ? 0 : SOURCE_INTERVAL);
}

static void closed_ended(struct source *s, const struct report_outcome *o)
{
    struct listed_task *t = listing_ended(s, o);

    if (!t)
        return;
    t->last.over = closed_over;
    (void)snprintf(t->last.position, sizeof(t->last.position), "%" PRId64, s->site->closed.asked_to);
    site_task_submit(&t->last.base);
}

/* ---- backfill ---- */

bool listing_backfills(const struct collect_site *site)
{
    return site->planned && site->backfill.from < site->backfill.to;
}

static void range_ask(struct source *s)
{
    struct lister *l = lister_of(s);
    int64_t to = l->from + l->windows.width;

    ask_window(s, l->from, to < l->to ? to : l->to, false);
}

static void backfill_begin(struct source *s)
{
    struct collect_site *site = s->site;

    if (!site->planned) {
        s->busy = false;
        s->held = true;
        return;
    }
    if (!listing_backfills(site)) {
        source_succeeded(s, SOURCE_INTERVAL);
        return;
    }
    if (site->todo > COLLECT_TODO_MAX) {
        source_succeeded(s, THROTTLE_MS);
        return;
    }
    int64_t oldest = collect_site_oldest(site);
    if (site->backfill.from < oldest)
        site->backfill.from = oldest < site->backfill.to ? oldest : site->backfill.to - 1;
    site->backfill.by_start = false;
    range_ask(s);
}

static void backfill_over(struct source *s)
{
    struct lister *l = &s->site->backfill;

    if (!l->by_start) {
        l->by_start = true;
        ask_window(s, l->from, l->asked_to, false);
        return;
    }
    l->from = l->asked_to;
    source_succeeded(s, l->from < l->to ? 0 : SOURCE_INTERVAL);
    if (l->from >= l->to)
        s->site->collector->hooks->todo_changed(s->site->collector);
}

static void backfill_ended(struct source *s, const struct report_outcome *o)
{
    const struct lister *l = &s->site->backfill;
    struct listed_task *t = listing_ended(s, o);

    if (!t)
        return;
    t->last.over = backfill_over;
    if (l->by_start)
        write_range(t->last.position, &(struct collect_range){
                                          .from = l->asked_to, .to = l->to, .start = s->site->missing_from});
    site_task_submit(&t->last.base);
}

/* ---- sweep ---- */

static void write_day(const struct collect_site *site, char out[STORE_POSITION_SIZE])
{
    time_t now = (time_t)collect_site_today(site);
    struct tm tm;

    if (!gmtime_r(&now, &tm) || !strftime(out, STORE_POSITION_SIZE, "%Y-%m-%d", &tm))
        out[0] = '\0';
}

static int64_t sweep_interval(const struct collect_site *site)
{
    (void)site;
    return SWEEP_CHECK_S;
}

static void sweep_over(struct source *s)
{
    struct lister *l = &s->site->sweep;

    if (!l->more) {
        source_succeeded(s, SOURCE_INTERVAL);
        return;
    }
    if (!l->by_start) {
        l->by_start = true;
        ask_window(s, l->from, l->asked_to, false);
        return;
    }
    l->by_start = false;
    l->from = l->asked_to;
    range_ask(s);
}

static void sweep_begin(struct source *s)
{
    struct collect_site *site = s->site;
    struct lister *l = &site->sweep;
    const struct collect_settings *settings = &site->collector->settings;
    char day[STORE_POSITION_SIZE];

    write_day(site, day);
    if (strcmp(day, s->cursor) == 0) {
        source_succeeded(s, SOURCE_INTERVAL);
        return;
    }
    l->to = latest(site);
    l->from = l->to - settings->sweep;
    l->from = l->from > collect_site_oldest(site) ? l->from : collect_site_oldest(site);
    if (!s->cursor[0] && settings->backfill >= settings->sweep) {
        /* The first start: the backfill goes over the same days. */
        struct report_outcome none = {.end = REPORT_OK};
        struct last_task *t = last_task_new(s, &none, sizeof(*t));
        if (!t)
            return;
        text_copy(t->position, sizeof(t->position), day);
        site_task_submit(&t->base);
        return;
    }
    l->by_start = false;
    range_ask(s);
}

static void sweep_ended(struct source *s, const struct report_outcome *o)
{
    struct lister *l = &s->site->sweep;
    struct listed_task *t = listing_ended(s, o);

    if (!t)
        return;
    l->more = !l->by_start || l->asked_to < l->to;
    t->last.over = sweep_over;
    if (!l->more)
        write_day(s->site, t->last.position);
    site_task_submit(&t->last.base);
}

/* ---- running ---- */

static int64_t running_interval(const struct collect_site *site)
{
    return site->collector->settings.running_interval;
}

static void running_begin(struct source *s)
{
    struct collect_site *site = s->site;
    int64_t now = collect_site_today(site), from = now - site->collector->settings.running_max;

    site->running.by_start = true;
    ask_window(s, from > 0 ? from : 0, now, !is_limited(site));
}

static void running_ended(struct source *s, const struct report_outcome *o)
{
    struct listed_task *t = listing_ended(s, o);

    if (t)
        site_task_submit(&t->last.base);
}

/* ---- rows, life ---- */

#define LISTING_ROW(word, when, every)                                                                       \
    const struct source_row word##_row = {.name = #word,                                                     \
                                          .urgency = (when),                                                 \
                                          .fetch = COLLECT_FETCH_SESSIONS,                                   \
                                          .ask = REPORT_ASK_LISTING,                                         \
                                          .interval = (every),                                               \
                                          .begin = word##_begin,                                             \
                                          .batch = listing_batch,                                            \
                                          .ended = word##_ended}

LISTING_ROW(closed, REPORT_LIVE, poll_interval);
LISTING_ROW(backfill, REPORT_BACKFILL, poll_interval);
LISTING_ROW(sweep, REPORT_REST, sweep_interval);
LISTING_ROW(running, REPORT_LIVE, running_interval);

static void lister_init(struct lister *l)
{
    windows_init(&l->windows);
    STAILQ_INIT(&l->parts);
}

void listing_init(struct collect_site *site)
{
    lister_init(&site->closed);
    lister_init(&site->backfill);
    lister_init(&site->sweep);
    lister_init(&site->running);
}

static void lister_drop(struct lister *l)
{
    free_parts(&l->parts);
    l->bytes = 0;
}

void listing_stop(struct collect_site *site)
{
    lister_drop(&site->closed);
    lister_drop(&site->backfill);
    lister_drop(&site->sweep);
    lister_drop(&site->running);
}

void listing_free(struct collect_site *site)
{
    listing_stop(site);
    free(site->forgotten);
}

bool listing_is_complete(const struct collect_site *site)
{
    static const enum collect_source listing[] = {COLLECT_CLOSED, COLLECT_BACKFILL, COLLECT_SWEEP,
                                                  COLLECT_RUNNING};

    for (size_t i = 0; i < sizeof(listing) / sizeof(*listing); i++)
        if (site->sources[listing[i]].result == ROUND_OPEN)
            return false;
    return true;
}
