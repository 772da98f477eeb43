/* SPDX-License-Identifier: Apache-2.0 */
/*
 * activity.c - the sources whose answers are rows by themselves: team, vault, syslog.
 *
 * Each batch of an answer is a task; the last task moves the cursor. team and vault ask from their newest
 * timestamp on, less `overlap`; syslog has no time, its cursor is the digest of the archive. A row that came
 * before adds nothing (store.h). Rows older than `keep` are left out: retention would delete them again.
 */
#include "reports/collect/collect_internal.h"

#include "base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

struct rows_task {
    struct site_task base;
    struct record_arena arena;
    enum report_kind kind;
    const void *rows;
    size_t n;
    int64_t oldest;
};

static enum db_outcome put_row(const struct rows_task *t, struct report_store *store, size_t i)
{
    const char *host_name = t->base.site->host_name;

    switch (t->kind) {
    case REPORT_TEAM: {
        const struct record_team *r = (const struct record_team *)t->rows + i;
        return r->timestamp < t->oldest ? DB_OK : store_team(store, host_name, r, NULL);
    }
    case REPORT_VAULT_ACTIVITY: {
        const struct record_vault_activity *r = (const struct record_vault_activity *)t->rows + i;
        return r->timestamp < t->oldest ? DB_OK : store_vault_activity(store, host_name, r, NULL);
    }
    case REPORT_SYSLOG: {
        const struct record_syslog *r = (const struct record_syslog *)t->rows + i;
        return r->timestamp < t->oldest ? DB_OK : store_syslog(store, host_name, r, NULL);
    }
    default: return DB_OK;
    }
}

static enum db_outcome rows_apply(struct site_task *base, struct report_store *store)
{
    const struct rows_task *t = CONTAINER_OF(base, struct rows_task, base);
    enum db_outcome outcome = DB_OK;

    for (size_t i = 0; outcome == DB_OK && i < t->n; i++)
        outcome = put_row(t, store, i);
    return outcome;
}

static void rows_release(struct site_task *base)
{
    record_arena_free(&CONTAINER_OF(base, struct rows_task, base)->arena);
}

/* The newest time of a batch becomes the cursor of the round. */
static void note_newest(struct source *s, const struct report_batch *batch)
{
    int64_t *newest = &s->site->newest[s->id];

    for (size_t i = 0; i < batch->n; i++) {
        int64_t at = batch->kind == REPORT_TEAM             ? batch->team[i].timestamp
                     : batch->kind == REPORT_VAULT_ACTIVITY ? batch->vault_activity[i].timestamp
                                                            : RECORD_NONE;
        /* A row from the future would hide what comes until then. */
        if (at > *newest && at <= collect_site_now(s->site))
            *newest = at;
    }
}

static void activity_batch(struct source *s, struct report_batch *batch)
{
    struct rows_task *t = site_task_new(s->site, s, sizeof(*t));
    const struct collect_settings *settings = &s->site->collector->settings;

    if (!t) {
        s->lost = true;
        return;
    }
    note_newest(s, batch);
    t->base.apply = rows_apply;
    t->base.release = rows_release;
    t->base.task.bytes = batch->arena.used;
    t->kind = batch->kind;
    t->rows = batch->rows;
    t->n = batch->n;
    t->oldest =
        collect_site_now(s->site) - (s->id == COLLECT_SYSLOG ? settings->keep_syslog : settings->keep);
    t->arena = batch->arena;
    batch->arena = (struct record_arena){.chunks = NULL};
    site_task_submit(&t->base);
}

/* ---- team and vault ---- */

static void since_begin(struct source *s)
{
    struct collect_site *site = s->site;
    const struct collector *c = site->collector;
    struct report_site *report = site->site;
    int64_t from =
        s->cursor[0] ? strtoll(s->cursor, NULL, 10) : collect_site_now(site) - c->settings.backfill;
    int64_t oldest = collect_site_oldest(site);

    site->newest[s->id] = from;
    from -= s->cursor[0] ? c->settings.overlap : 0;
    if (c->since != RECORD_NONE && c->since < from && !site->since_done[s->id])
        from = c->since;
    from = from > oldest ? from : oldest;
    source_asked(s, s->id == COLLECT_TEAM ? report->ops->team(report, source_call(s), from)
                                          : report->ops->vault(report, source_call(s), from));
}

static void since_over(struct source *s)
{
    s->site->since_done[s->id] = true;
    source_succeeded(s, SOURCE_INTERVAL);
}

static void since_ended(struct source *s, const struct report_outcome *o)
{
    struct last_task *t = last_task_new(s, o, sizeof(*t));

    if (!t)
        return;
    t->over = since_over;
    (void)snprintf(t->position, sizeof(t->position), "%" PRId64, s->site->newest[s->id]);
    site_task_submit(&t->base);
}

/* ---- syslog ---- */

static void syslog_begin(struct source *s)
{
    struct report_site *report = s->site->site;

    source_asked(s, report->ops->syslog(report, source_call(s), s->cursor));
}

static void syslog_ended(struct source *s, const struct report_outcome *o)
{
    struct last_task *t = last_task_new(s, o, sizeof(*t));

    if (!t)
        return;
    text_copy(t->position, sizeof(t->position), o->digest);
    site_task_submit(&t->base);
}

/* ---- rows ---- */

static int64_t inventory_interval(const struct collect_site *site)
{
    return site->collector->settings.inventory_interval;
}

static int64_t syslog_interval(const struct collect_site *site)
{
    return site->collector->settings.syslog_interval;
}

const struct source_row team_row = {.name = "team",
                                    .urgency = REPORT_REST,
                                    .fetch = COLLECT_FETCH_TEAM,
                                    .ask = REPORT_ASK_TEAM,
                                    .interval = inventory_interval,
                                    .begin = since_begin,
                                    .batch = activity_batch,
                                    .ended = since_ended};
const struct source_row vault_row = {.name = "vault",
                                     .urgency = REPORT_REST,
                                     .fetch = COLLECT_FETCH_VAULT,
                                     .ask = REPORT_ASK_VAULT,
                                     .interval = inventory_interval,
                                     .begin = since_begin,
                                     .batch = activity_batch,
                                     .ended = since_ended};
const struct source_row syslog_row = {.name = "syslog",
                                      .urgency = REPORT_REST,
                                      .fetch = COLLECT_FETCH_SYSLOG,
                                      .ask = REPORT_ASK_SYSLOG,
                                      .interval = syslog_interval,
                                      .begin = syslog_begin,
                                      .batch = activity_batch,
                                      .ended = syslog_ended};
