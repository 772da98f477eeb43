/* SPDX-License-Identifier: Apache-2.0 */
/*
 * site.c - the life of a site: its cursors are read, its sources begin.
 *
 * Not here: its word (word.c), the answers of the site (info.c and the other sources).
 */
#include "reports/collect/collect_internal.h"

#include "base/log.h"
#include "base/text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- loading ---- */

struct load_task {
    struct site_task base;
    char cursors[COLLECT_NSOURCES][STORE_POSITION_SIZE];
    struct {
        bool found;
        enum collect_word word;
        char reason[128];
        int64_t since, last_success;
    } row;
    int64_t todo, failed;
};

static int take_row(void *arg, const struct store_site *row)
{
    struct load_task *t = arg;

    if (strcmp(row->host_name, t->base.site->host_name) != 0)
        return 0;
    t->row.found = true;
    for (int i = 0; i < COLLECT_NWORDS; i++)
        if (row->state && strcmp(row->state, collect_word_name((enum collect_word)i)) == 0)
            t->row.word = (enum collect_word)i;
    text_copy(t->row.reason, sizeof(t->row.reason), row->reason ? row->reason : "");
    t->row.since = row->since;
    t->row.last_success = row->last_success;
    return 1;
}

static enum db_outcome load_apply(struct site_task *base, struct report_store *store)
{
    struct load_task *t = CONTAINER_OF(base, struct load_task, base);
    const char *host_name = base->site->host_name;
    enum db_outcome outcome = store_sites(store, take_row, t);

    for (int i = 0; outcome == DB_OK && i < COLLECT_NSOURCES; i++)
        outcome =
            store_get_cursor(store, host_name, collect_source_name((enum collect_source)i), t->cursors[i]);
    if (outcome == DB_OK)
        outcome = store_todo_count(store, host_name, COLLECT_TRIES, &t->todo, &t->failed);
    return outcome;
}

static void begin_sources(struct collect_site *site)
{
    for (int i = 0; i < COLLECT_NSOURCES; i++) {
        struct source *s = &site->sources[i];
        if (s->started == RECORD_NONE)
            s->started = collect_now(site->collector);
        if (source_is_wanted(s) && !s->busy && !timer_running(&s->wait))
            source_schedule(s, 0);
    }
}

static void load_after(struct site_task *base, enum db_outcome outcome, const char *why)
{
    struct load_task *t = CONTAINER_OF(base, struct load_task, base);
    struct collect_site *site = base->site;

    if (outcome != DB_OK) {
        if (!site->collector->stopping)
            log_error("site_not_loaded", "site=%s why=%s", site->name, why);
        for (int i = 0; i < COLLECT_NSOURCES; i++)
            site->sources[i].result = ROUND_FAILED;
        return;
    }
    for (int i = 0; i < COLLECT_NSOURCES; i++)
        text_copy(site->sources[i].cursor, STORE_POSITION_SIZE, t->cursors[i]);
    if (t->row.found) {
        site->word = t->row.word;
        text_copy(site->reason, sizeof(site->reason), t->row.reason);
        if (site->word == COLLECT_ACTION_REQUIRED)
            text_copy(site->loaded_reason, sizeof(site->loaded_reason), t->row.reason);
        site->since = t->row.since;
        site->last_success = t->row.last_success;
    }
    site->todo = t->todo;
    site->failed = t->failed;
    site->loaded = true;
    if (site->gone || site->collector->stopping)
        return;
    site->put_wanted = true;
    begin_sources(site);
    collect_site_judge(site);
    upkeep_indexes(site->collector);
}

int collect_site_load(struct collect_site *site)
{
    struct load_task *t;

    if (site->loaded) {
        begin_sources(site);
        return 0;
    }
    t = site_task_new(site, NULL, sizeof(*t));
    if (!t)
        return -ENOMEM;
    t->base.apply = load_apply;
    t->base.after = load_after;
    site_task_submit(&t->base);
    return 0;
}

/* ---- life ---- */

static int take_params(struct collect_site *site, const struct collect_site_params *p, char why[256])
{
    char *name = strdup(p->name), *text = NULL;
    struct working_hours *hours = working_hours_new(p->time_zone, p->working_hours, why, 256);

    if (!name || !hours || asprintf(&text, "%s %s", p->time_zone, p->working_hours) < 0) {
        free(name);
        working_hours_free(hours);
        return -EINVAL;
    }
    free(site->name);
    site->name = name;
    if (site->hours_text && strcmp(site->hours_text, text) == 0) {
        working_hours_free(hours);
        free(text);
    } else {
        collect_retire_hours(site->collector, site->next_hours);
        free(site->hours_text);
        site->next_hours = hours;
        site->hours_text = text;
    }
    site->enabled = p->enabled;
    site->fetch = p->fetch;
    site->batch = p->batch;
    site->site = p->site;
    site->fetcher.most = site->fetcher.batch = p->batch;
    return 0;
}

struct collect_site *collect_site_new(struct collector *c, const struct collect_site_params *p, char why[256])
{
    struct collect_site *site = calloc(1, sizeof(*site));

    if (!site)
        return NULL;
    site->collector = c;
    site->last_success = RECORD_NONE;
    site->since = collect_now(c);
    for (int i = 0; i < COLLECT_NSOURCES; i++)
        source_init(&site->sources[i], site, (enum collect_source)i);
    listing_init(site);
    fetch_init(site);
    inventory_init(site);
    site->host_name = strdup(p->host_name);
    if (site->host_name && !take_params(site, p, why)) {
        site->word = site->enabled ? COLLECT_PENDING : COLLECT_OFF;
        return site;
    }
    collect_site_free(site);
    return NULL;
}

int collect_site_change(struct collect_site *site, const struct collect_site_params *p, char why[256])
{
    int err;

    if (site->site != p->site || !p->enabled) {
        collect_site_stop(site);
        site->greeted = false;
    }
    err = take_params(site, p, why);
    if (err)
        return err;
    for (int i = 0; i < COLLECT_NSOURCES; i++)
        if (!source_is_wanted(&site->sources[i]))
            source_stop(&site->sources[i]);
    collect_site_judge(site);
    return 0;
}

void collect_site_hold(struct collect_site *site, bool held)
{
    if (held || !site->site)
        return;
    for (int i = 0; i < COLLECT_NSOURCES; i++) {
        struct source *s = &site->sources[i];
        if (s->paused) {
            s->paused = false;
            site->site->ops->resume(&s->call);
        }
        source_release(s);
    }
}

void collect_site_stop(struct collect_site *site)
{
    for (int i = 0; i < COLLECT_NSOURCES; i++)
        source_stop(&site->sources[i]);
    listing_stop(site);
    inventory_reset(site);
}

void collect_site_free(struct collect_site *site)
{
    listing_free(site);
    fetch_free(site);
    inventory_reset(site);
    collect_retire_hours(site->collector, site->hours);
    collect_retire_hours(site->collector, site->next_hours);
    free(site->hours_text);
    free(site->permissions);
    free(site->name);
    free(site->host_name);
    free(site);
}
