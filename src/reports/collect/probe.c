/* SPDX-License-Identifier: Apache-2.0 */
/*
 * probe.c - the source that asks whether a session without an end is active at all.
 *
 * Each session that was stored as running is asked for, not more often than its answer can matter. One that
 * the site does not call active gets a row `inactive` in jg_todo, due after `abnormal_after`: if the report
 * still has no end then, the session was closed abnormally (decide_state()). Where the account may not use
 * the Command API, sessions become abnormal `running_max` after their start instead.
 */
#include "reports/collect/collect_internal.h"

#include "base/text.h"

#include <stdlib.h>
#include <string.h>

/* The first that is wanted; those that were asked go to the end. */
static struct probe *next_probe(const struct collect_site *site)
{
    struct probe *p;

    TAILQ_FOREACH(p, &site->probes, link)
    if (p->wanted)
        return p;
    return NULL;
}

static struct probe *find_probe(const struct collect_site *site, const char *lsid)
{
    struct probe *p;

    TAILQ_FOREACH(p, &site->probes, link)
    if (strcmp(p->lsid, lsid) == 0)
        return p;
    return NULL;
}

void probe_add(struct collect_site *site, const char *lsid)
{
    struct probe *p = find_probe(site, lsid);
    const struct collect_settings *settings = &site->collector->settings;
    int64_t now = collect_now(site->collector);

    if (site->command_denied)
        return;
    if (!p) {
        p = calloc(1, sizeof(*p));
        if (!p)
            return; /* the next fetch of it comes here again */
        text_copy(p->lsid, sizeof(p->lsid), lsid);
        p->asked = RECORD_NONE;
        TAILQ_INSERT_TAIL(&site->probes, p, link);
    }
    p->wanted |= p->asked == RECORD_NONE || now - p->asked >= settings->abnormal_after / 2;
    if (p->wanted)
        source_wake(&site->sources[COLLECT_PROBE]);
}

void probe_drop(struct collect_site *site, const char *lsid)
{
    struct probe *p = find_probe(site, lsid);

    if (!p)
        return;
    TAILQ_REMOVE(&site->probes, p, link);
    free(p);
}

bool probe_is_empty(const struct collect_site *site)
{
    return !next_probe(site);
}

/* ---- asking ---- */

static void nothing_to_ask(struct source *s)
{
    if (s->site->collector->once && s->site->sources[COLLECT_FETCH].result == ROUND_OPEN) {
        s->busy = false; /* fetch wakes it, and its end does */
        return;
    }
    source_succeeded(s, SOURCE_INTERVAL);
}

static void probe_begin(struct source *s)
{
    struct collect_site *site = s->site;
    struct probe *p = site->command_denied ? NULL : next_probe(site);

    if (!p) {
        nothing_to_ask(s);
        return;
    }
    p->wanted = false;
    p->asked = collect_now(site->collector);
    TAILQ_REMOVE(&site->probes, p, link);
    TAILQ_INSERT_TAIL(&site->probes, p, link);
    text_copy(site->probed, sizeof(site->probed), p->lsid);
    source_asked(s, site->site->ops->attributes(site->site, source_call(s), p->lsid));
}

/* ---- a session that is not active ---- */

struct inactive_task {
    struct site_task base;
    char lsid[LSID_SIZE];
    int64_t due;
};

static enum db_outcome inactive_apply(struct site_task *base, struct report_store *store)
{
    struct inactive_task *t = CONTAINER_OF(base, struct inactive_task, base);
    bool added;

    return store_todo_add_absent(store, base->site->host_name, t->lsid, todo_why_name(WHY_INACTIVE), t->due,
                                 &added);
}

static void inactive_after(struct site_task *base, enum db_outcome outcome, const char *why)
{
    struct source *s = base->source;

    if (outcome == DB_OK)
        source_succeeded(s, 0);
    else
        source_broke(s, why ? why : "the database refused a row");
}

static void is_inactive(struct source *s)
{
    struct inactive_task *t = site_task_new(s->site, s, sizeof(*t));

    if (!t) {
        source_broke(s, "out of memory");
        return;
    }
    t->base.apply = inactive_apply;
    t->base.after = inactive_after;
    text_copy(t->lsid, sizeof(t->lsid), s->site->probed);
    t->due = t->base.now + s->site->collector->settings.abnormal_after;
    site_task_submit(&t->base);
}

static void probe_ended(struct source *s, const struct report_outcome *o)
{
    struct probe *p;

    if (report_end_is_whole(o->end)) {
        source_succeeded(s, 0);
        return;
    }
    if (o->end == REPORT_INVALID_LSID) {
        is_inactive(s);
        return;
    }
    if (o->end == REPORT_DENIED)
        s->site->command_denied = true;
    p = find_probe(s->site, s->site->probed);
    if (p)
        p->asked = RECORD_NONE;
    source_failed(s, o);
}

static int64_t running_interval(const struct collect_site *site)
{
    return site->collector->settings.running_interval;
}

const struct source_row probe_row = {.name = "probe",
                                     .urgency = REPORT_REST,
                                     .fetch = COLLECT_FETCH_SESSIONS,
                                     .ask = REPORT_ASK_ATTRIBUTES,
                                     .interval = running_interval,
                                     .begin = probe_begin,
                                     .ended = probe_ended};
