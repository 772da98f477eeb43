/* SPDX-License-Identifier: Apache-2.0 */
/*
 * word.c - the word of a site (Pending, Connected, Action Required, Off), and its row in jg_site.
 *
 * A failure of a source that is certain to need an operator counts at once, another one when the source is
 * late: three of its intervals without success. Of several reasons the one of the highest rank is shown
 * (end_rule()).
 *
 * A restart knows no failure of before, and the first answers of a site say nothing about what its other
 * sources will be refused. So a site becomes Connected only when each source that may still say why it is not
 * has ended a round: until then Action Required stands as it is, and a new site is Pending.
 */
#include "reports/collect/collect_internal.h"

#include "base/log.h"
#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PUT_EVERY_S 60 /* of last_success alone */

static const char *const words[COLLECT_NWORDS] = {[COLLECT_PENDING] = "Pending",
                                                  [COLLECT_CONNECTED] = "Connected",
                                                  [COLLECT_ACTION_REQUIRED] = "Action Required",
                                                  [COLLECT_OFF] = "Off"};

const char *collect_word_name(enum collect_word word)
{
    return words[word];
}

/* ---- its word ---- */

struct judgement {
    enum collect_word word;
    unsigned rank;
    char reason[128];
};

static void accuse(struct judgement *j, unsigned rank, const char *reason, const char *what)
{
    if (rank <= j->rank)
        return;
    j->rank = rank;
    j->word = COLLECT_ACTION_REQUIRED;
    if (what)
        (void)snprintf(j->reason, sizeof(j->reason), "%s %s", reason, what);
    else
        text_copy(j->reason, sizeof(j->reason), reason);
}

static bool is_late(const struct source *s, int64_t now)
{
    int64_t since = s->last_success != RECORD_NONE ? s->last_success : s->started;

    return since == RECORD_NONE || now - since > 3 * s->row->interval(s->site);
}

/* A failure of this reason was shown when the program ended, and it goes on. */
static bool goes_on(const struct source *s)
{
    return s->last_success == RECORD_NONE &&
           strcmp(end_reason(s->end, s->status), s->site->loaded_reason) == 0;
}

static void judge_source(const struct source *s, struct judgement *j)
{
    const struct collector *c = s->site->collector;
    const struct end_rule *rule = end_rule(s->end);

    if (!s->failures || !source_is_wanted(s) || !rule->rank || (s->id == COLLECT_INFO && s->denied))
        return;
    /* A round comes and goes: it cannot wait until the source is late. */
    if (!rule->certain && !c->once && s->site->last_success != RECORD_NONE && !is_late(s, collect_now(c)) &&
        !goes_on(s))
        return;
    accuse(j, rule->rank, end_reason(s->end, s->status), rule->act == END_DENIED ? s->permission : NULL);
}

static struct judgement judge(const struct collect_site *site)
{
    struct judgement j = {.word = site->last_success == RECORD_NONE ? COLLECT_PENDING : COLLECT_CONNECTED};
    int64_t skew = site->skew_ms < 0 ? -site->skew_ms : site->skew_ms;

    if (!site->enabled || !site->site)
        return (struct judgement){.word = COLLECT_OFF};
    for (int i = 0; i < COLLECT_NSOURCES; i++)
        judge_source(&site->sources[i], &j);
    if (skew > SKEW_ACTION_MS)
        accuse(&j, 4, "clock", NULL);
    bool refused = strcmp(j.reason, "credentials") == 0;
    if (refused && strcmp(site->reason, j.reason) == 0 &&
        collect_now(site->collector) - site->since > (int64_t)CREDENTIALS_DAYS * DAY)
        j.word = COLLECT_OFF;
    return j;
}

/* Has each source ended a round? Of a site that is not Action Required, those that the account may use will
 * not be refused. */
static bool is_known(const struct collect_site *site)
{
    for (int i = 0; i < COLLECT_NSOURCES; i++) {
        const struct source *s = &site->sources[i];
        bool granted = s->row->ask >= 0 && site->grants[s->row->ask] == REPORT_GRANT_YES;

        if (source_is_wanted(s) && s->last_success == RECORD_NONE && !s->failures &&
            (site->word == COLLECT_ACTION_REQUIRED || !granted))
            return false;
    }
    return true;
}

static void wait_for_sources(const struct collect_site *site, struct judgement *j)
{
    if (j->word != COLLECT_CONNECTED || site->word == COLLECT_CONNECTED || is_known(site))
        return;
    j->word = COLLECT_PENDING;
    if (site->word != COLLECT_ACTION_REQUIRED)
        return;
    j->word = site->word;
    text_copy(j->reason, sizeof(j->reason), site->reason);
}

void collect_site_judge(struct collect_site *site)
{
    struct judgement j;
    int64_t now = collect_now(site->collector);
    bool same_reason;

    /* What is stored holds until the site has answered. */
    if (!site->loaded || (!site->greeted && site->enabled && site->site))
        return;
    j = judge(site);
    wait_for_sources(site, &j);
    same_reason = strcmp(j.reason, site->reason) == 0;
    if (j.word != site->word || !same_reason) {
        log_event(j.word == COLLECT_ACTION_REQUIRED ? LOG_WARN : LOG_INFO, "site_state",
                  "site=%s state=%s reason=%s", site->name, words[j.word], j.reason[0] ? j.reason : NULL);
        /* Off after a week of refused credentials is dated from their beginning. */
        if (j.word != COLLECT_OFF || !same_reason)
            site->since = now;
        site->word = j.word;
        site->greeted &= j.word != COLLECT_OFF; /* its other sources wait for get_api_info */
        text_copy(site->reason, sizeof(site->reason), j.reason);
        site->put_wanted = true;
    }
    if (site->put_wanted || now - site->put_at >= PUT_EVERY_S)
        collect_site_put(site);
}

/* ---- its row ---- */

struct put_task { /* with copies: a reload may change the site before the writer's thread reads the row */
    struct site_task base;
    struct store_site row;
    char name[128], reason[128], api_version[64];
    char *permissions;
};

static enum db_outcome put_apply(struct site_task *base, struct report_store *store)
{
    struct put_task *t = CONTAINER_OF(base, struct put_task, base);

    return store_put_site(store, &t->row);
}

static void put_after(struct site_task *base, enum db_outcome outcome, const char *why)
{
    struct collect_site *site = base->site;

    (void)why;
    site->put_running = false;
    if (outcome == DB_OK && site->put_wanted && !site->gone)
        collect_site_put(site);
}

static void put_release(struct site_task *base)
{
    free(CONTAINER_OF(base, struct put_task, base)->permissions);
}

void collect_site_put(struct collect_site *site)
{
    struct put_task *t;

    site->put_wanted = true;
    if (site->put_running || !site->collector->started)
        return;
    t = site_task_new(site, NULL, sizeof(*t));
    if (!t)
        return; /* the next one writes it */
    t->base.apply = put_apply;
    t->base.after = put_after;
    t->base.release = put_release;
    text_copy(t->name, sizeof(t->name), site->name);
    text_copy(t->reason, sizeof(t->reason), site->reason);
    text_copy(t->api_version, sizeof(t->api_version), site->api_version);
    t->permissions = site->permissions ? strdup(site->permissions) : NULL;
    t->row = (struct store_site){.host_name = site->host_name,
                                 .name = t->name,
                                 .state = words[site->word],
                                 .reason = t->reason[0] ? t->reason : NULL,
                                 .since = site->since,
                                 .skew_ms = site->skew_ms,
                                 .api_version = t->api_version[0] ? t->api_version : NULL,
                                 .permissions = t->permissions,
                                 .last_success = site->last_success,
                                 .enabled = site->enabled};
    site->put_running = true;
    site->put_wanted = false;
    site->put_at = collect_now(site->collector);
    site_task_submit(&t->base);
}
