/* SPDX-License-Identifier: Apache-2.0 */
/*
 * source.c - what all sources of a site have in common: when a round begins, how it ends, and what follows.
 *
 *   waits --due--> round: begin() -> call -> tasks --> succeeded: waits for its interval
 *     ^                                            \-> failed: waits for its back-off
 *     +-- held: the database is away, or the site has not answered yet
 *
 * A source that the account may not ask waits for an hour, or for permissions that say otherwise (info.c).
 */
#include "reports/collect/collect_internal.h"

#include "base/log.h"
#include "base/text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define DENIED_MS    3600000u
#define WAIT_MS      60000u
#define ONCE_FAST_MS 1000u
#define A_DAY_MS     86400000u

static const struct source_row *const rows[COLLECT_NSOURCES] = {
    [COLLECT_INFO] = &info_row,       [COLLECT_CLOSED] = &closed_row,   [COLLECT_BACKFILL] = &backfill_row,
    [COLLECT_FETCH] = &fetch_row,     [COLLECT_RUNNING] = &running_row, [COLLECT_PROBE] = &probe_row,
    [COLLECT_RECHECK] = &recheck_row, [COLLECT_SWEEP] = &sweep_row,     [COLLECT_TEAM] = &team_row,
    [COLLECT_VAULT] = &vault_row,     [COLLECT_SYSLOG] = &syslog_row,   [COLLECT_INVENTORY] = &inventory_row,
};

const char *collect_source_name(enum collect_source source)
{
    return rows[source]->name;
}

static void begin(struct source *);

static struct source *source_of(struct report_call *call)
{
    return CONTAINER_OF(call, struct source, call);
}

/* ---- when ---- */

static void due(struct deadline *wait)
{
    begin(CONTAINER_OF(wait, struct source, wait));
}

void source_schedule(struct source *s, uint64_t ms)
{
    struct collector *c = s->site->collector;

    if (c->stopping || s->site->gone || !source_is_wanted(s) || s->result != ROUND_OPEN)
        return;
    if (s->busy) {
        s->again |= ms == 0;
        return;
    }
    if (timer_start(c->timers, &s->wait, ms, due))
        s->held = true; /* out of memory: the next collect_site_hold() begins it */
}

void source_wake(struct source *s)
{
    if (!s->held)
        source_schedule(s, 0);
}

void source_release(struct source *s)
{
    if (!s->held)
        return;
    s->held = false;
    source_schedule(s, 0);
}

static void begin(struct source *s)
{
    struct collect_site *site = s->site;

    if (s->busy || site->collector->stopping || site->gone || !source_is_wanted(s))
        return;
    if (site->collector->away || !site->loaded || (!site->greeted && s->id != COLLECT_INFO)) {
        s->held = true;
        return;
    }
    s->busy = true;
    s->again = s->lost = false;
    s->spoiled = false;
    s->row->begin(s);
}

/* ---- the end of a round ---- */

static void check_round(struct collect_site *site)
{
    if (site->sources[COLLECT_CLOSED].result == ROUND_FAILED && !site->planned)
        site->sources[COLLECT_BACKFILL].result = ROUND_FAILED;
    /* Sessions that were listed last are fetched before the round is over. */
    source_wake(&site->sources[COLLECT_FETCH]);
    source_wake(&site->sources[COLLECT_PROBE]);
}

static void complete(struct source *s, enum round_result result)
{
    if (!s->site->collector->once || s->result != ROUND_OPEN)
        return;
    s->result = result;
    check_round(s->site);
}

static uint64_t interval_ms(const struct source *s)
{
    int64_t seconds = s->row->interval(s->site);

    return seconds > 0 ? (uint64_t)seconds * 1000 : 1000;
}

void source_succeeded(struct source *s, uint64_t next_ms)
{
    struct collector *c = s->site->collector;
    bool again = s->again;

    s->busy = false;
    s->failures = 0;
    s->denied = false;
    s->error[0] = '\0';
    s->last_success = collect_now(c);
    if (next_ms == SOURCE_INTERVAL && !again)
        complete(s, ROUND_COMPLETE);
    source_schedule(s, again ? 0 : next_ms == SOURCE_INTERVAL ? interval_ms(s) : next_ms);
    collect_site_judge(s->site);
    c->hooks->check_end(c);
}

static uint64_t wait_ms(struct source *s, const struct report_outcome *o, enum end_act act)
{
    struct collector *c = s->site->collector;

    if (act == END_DENIED)
        return DENIED_MS;
    if (s->site->word == COLLECT_OFF)
        return A_DAY_MS;
    if (act == END_WAIT)
        return o->retry_after_ms ? o->retry_after_ms : WAIT_MS;
    if (c->once)
        return ONCE_FAST_MS;
    return decide_backoff_ms(s->failures, &c->random);
}

/* A round gives up what will not get better soon. */
static bool gives_up(const struct source *s, enum end_act act, uint64_t wait)
{
    return s->site->collector->once &&
           (act == END_DENIED || s->end == REPORT_CREDENTIALS || s->end == REPORT_TLS ||
            s->failures >= COLLECT_ONCE_TRIES || (act == END_WAIT && wait > COLLECT_ONCE_WAIT_MS));
}

static void fail(struct source *s, enum end_act act, uint64_t wait)
{
    struct collect_site *site = s->site;

    s->busy = s->again = false;
    log_event(s->failures == 1 ? LOG_WARN : LOG_DEBUG, "source_failed",
              "site=%s source=%s end=%s status=%d failures=%u wait_ms=%llu why=%s", site->name, s->row->name,
              report_end_name(s->end), s->status, s->failures, (unsigned long long)wait, s->error);
    if (gives_up(s, act, wait))
        complete(s, ROUND_FAILED);
    source_schedule(s, wait);
    collect_site_judge(site);
    site->collector->hooks->check_end(site->collector);
}

void source_failed(struct source *s, const struct report_outcome *o)
{
    enum end_act act = end_rule(o->end)->act;

    s->failures++;
    s->end = o->end;
    s->status = o->status;
    s->permission = o->permission;
    s->denied = act == END_DENIED;
    if (o->text[0])
        (void)snprintf(s->error, sizeof(s->error), "%.*s", (int)sizeof(s->error) - 1, o->text);
    else
        text_copy(s->error, sizeof(s->error), report_end_name(o->end));
    if (act == END_STOPPED || s->site->collector->stopping) {
        s->busy = false;
        s->site->collector->hooks->check_end(s->site->collector);
        return;
    }
    fail(s, act, wait_ms(s, o, act));
}

void source_broke(struct source *s, const char *why)
{
    struct report_outcome none = {.end = REPORT_NO_MEMORY};

    s->failures++;
    s->end = REPORT_NO_MEMORY;
    s->status = 0;
    text_copy(s->error, sizeof(s->error), why);
    if (s->site->collector->stopping) {
        s->busy = false;
        s->site->collector->hooks->check_end(s->site->collector);
        return;
    }
    fail(s, END_BACKOFF, wait_ms(s, &none, END_BACKOFF));
}

/* ---- its call ---- */

static void on_batch(struct report_call *call, struct report_batch *batch)
{
    struct source *s = source_of(call);
    struct collector *c = s->site->collector;
    struct writer_state state;

    if (s->row->batch)
        s->row->batch(s, batch);
    c->writer->ops->state(c->writer, &state);
    if (!c->away && state.bytes <= COLLECT_WAITING_MAX)
        return;
    s->paused = true;
    s->site->site->ops->pause(call);
}

static void on_refused(struct report_call *call, const char *lsid, const char *why)
{
    struct source *s = source_of(call);

    s->site->refused++;
    if (s->row->refused && lsid)
        s->row->refused(s, lsid, why);
}

static void on_info(struct report_call *call, const struct report_info *info)
{
    struct source *s = source_of(call);

    if (s->row->info)
        s->row->info(s, info);
}

static void on_ended(struct report_call *call, const struct report_outcome *o)
{
    struct source *s = source_of(call);

    s->paused = false;
    s->calls[o->end]++;
    s->call_ms += o->took_ms;
    s->site->texts_cut += o->texts_cut;
    if (o->end == REPORT_OK) /* a round that asks nothing proves nothing of the site */
        s->site->last_success = collect_now(s->site->collector);
    if (clock_take_date(s->site, o))
        source_wake(&s->site->sources[COLLECT_INFO]);
    s->row->ended(s, o);
}

static const struct report_sink sink = {
    .batch = on_batch, .refused = on_refused, .info = on_info, .ended = on_ended};

struct report_call *source_call(struct source *s)
{
    s->call.sink = &sink;
    s->call.urgency = s->row->urgency;
    return &s->call;
}

void source_asked(struct source *s, int err)
{
    struct report_outcome o = {.end = err == -ESHUTDOWN ? REPORT_STOPPED : REPORT_NO_MEMORY};

    if (!err)
        return;
    text_copy(o.text, sizeof(o.text), strerror(-err));
    s->row->ended(s, &o);
}

/* ---- its last task ---- */

struct last_task *last_task_new(struct source *s, const struct report_outcome *o, size_t size)
{
    struct last_task *t = site_task_new(s->site, s, size);

    if (!t) {
        source_broke(s, "out of memory");
        return NULL;
    }
    t->outcome = *o;
    t->base.apply = last_task_apply;
    t->base.after = last_task_after;
    if (s->lost)
        t->broke = "out of memory";
    return t;
}

enum db_outcome last_task_apply(struct site_task *base, struct report_store *store)
{
    struct last_task *t = CONTAINER_OF(base, struct last_task, base);
    struct source *s = base->source;

    if (s->spoiled)
        t->broke = "the database refused a part of the answer";
    if (t->broke || !report_end_is_whole(t->outcome.end) || !t->position[0])
        return DB_OK;
    return store_set_cursor(store, base->site->host_name, s->row->name, t->position, base->now);
}

void last_task_after(struct site_task *base, enum db_outcome outcome, const char *why)
{
    struct last_task *t = CONTAINER_OF(base, struct last_task, base);
    struct source *s = base->source;

    if (outcome != DB_OK) {
        source_broke(s, why ? why : "the database refused the cursor");
        return;
    }
    if (!report_end_is_whole(t->outcome.end)) {
        source_failed(s, &t->outcome);
        return;
    }
    if (t->broke) {
        source_broke(s, t->broke);
        return;
    }
    if (base->site->gone || base->site->collector->stopping || !source_is_wanted(s)) {
        s->busy = false;
        return;
    }
    if (t->position[0])
        text_copy(s->cursor, sizeof(s->cursor), t->position);
    if (t->over)
        t->over(s);
    else
        source_succeeded(s, SOURCE_INTERVAL);
}

/* ---- life ---- */

void source_init(struct source *s, struct collect_site *site, enum collect_source id)
{
    *s = (struct source){
        .site = site, .id = id, .row = rows[id], .last_success = RECORD_NONE, .started = RECORD_NONE};
}

void source_stop(struct source *s)
{
    timer_stop(s->site->collector->timers, &s->wait);
    s->held = s->again = false;
    if (!s->call.inside)
        return;
    s->site->site->ops->cancel(&s->call);
    s->paused = s->busy = false;
}
