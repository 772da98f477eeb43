/* SPDX-License-Identifier: Apache-2.0 */
/*
 * task.c - tasks for the writer, and the clocks: what every part of the collector stands on.
 *
 * A task counts for its site and for the collector until its done() has returned: so long neither is freed.
 */
#include "reports/collect/collect_internal.h"

#include <stdlib.h>

/* ---- clocks ---- */

int64_t collect_now(const struct collector *c)
{
    return clock_wall(timers_clock(c->timers)) / 1000;
}

int64_t collect_site_now(const struct collect_site *site)
{
    return (clock_wall(timers_clock(site->collector->timers)) + site->skew_ms) / 1000;
}

int64_t collect_site_today(const struct collect_site *site)
{
    int64_t now = collect_site_now(site), until = site->collector->until;

    return until != RECORD_NONE && until < now ? until : now;
}

int64_t collect_site_oldest(const struct collect_site *site)
{
    int64_t oldest = collect_site_now(site) - site->collector->settings.keep;

    return oldest > 0 ? oldest : 0;
}

/* ---- tasks ---- */

void collect_submit(struct collector *c, struct writer_task *task)
{
    c->tasks++;
    c->writer->ops->submit(c->writer, task);
}

void collect_task_done(struct collector *c)
{
    c->tasks--;
    c->hooks->check_end(c);
}

static enum db_outcome run_site_task(struct writer_task *task, struct report_store *store)
{
    struct site_task *t = CONTAINER_OF(task, struct site_task, task);
    enum db_outcome outcome = t->apply(t, store);

    if (t->source && (outcome == DB_FAILED || outcome == DB_CONSTRAINT))
        t->source->spoiled = true;
    return outcome;
}

static void site_task_done(struct writer_task *task, enum db_outcome outcome, const char *why)
{
    struct site_task *t = CONTAINER_OF(task, struct site_task, task);
    struct collect_site *site = t->site;
    struct collector *c = site->collector;

    if (t->after)
        t->after(t, outcome, why);
    site_task_free(t);
    site->tasks--;
    if (site->gone && !site->tasks)
        c->hooks->site_idle(site);
    collect_task_done(c);
}

void *site_task_new(struct collect_site *site, struct source *source, size_t size)
{
    struct site_task *t = calloc(1, size);

    if (!t)
        return NULL;
    t->site = site;
    t->source = source;
    t->now = collect_now(site->collector);
    t->task.run = run_site_task;
    t->task.done = site_task_done;
    return t;
}

void site_task_submit(struct site_task *t)
{
    t->site->tasks++;
    collect_submit(t->site->collector, &t->task);
}

void site_task_free(struct site_task *t)
{
    if (t->release)
        t->release(t);
    free(t);
}
