/* SPDX-License-Identifier: Apache-2.0 */
/*
 * context.c - what a request may see, and the sites with their states, for the thread of a query.
 *
 * A view is a copy: the configuration may be reloaded, and the collector may go on, while a query runs.
 *
 * States come from the collector in this process. Rows of jg_site, read every STATES_MS, add sites that were
 * in the configuration once; without a collector (`collect = no`) they are all there is.
 */
#include "base/container_of.h"
#include "base/log.h"
#include "base/text.h"
#include "reports/web/web_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define STATES_MS   10000
#define STATES_ROWS 1000

struct text {
    struct text *next;
    char bytes[];
};

struct view {
    struct query_context context;
    struct query_site *sites;
    const char **hosts;
    struct text *texts;
    bool failed;
};

/* A copy that lives as long as the view. */
static const char *keep(struct view *v, const char *text)
{
    size_t n = text ? strlen(text) + 1 : 0;
    struct text *copy = text ? malloc(sizeof(*copy) + n) : NULL;

    v->failed = v->failed || (text && !copy);
    if (!copy)
        return NULL;
    memcpy(copy->bytes, text, n);
    copy->next = v->texts;
    v->texts = copy;
    return copy->bytes;
}

void view_free(struct view *v)
{
    if (!v)
        return;
    while (v->texts) {
        struct text *next = v->texts->next;

        free(v->texts);
        v->texts = next;
    }
    free(v->sites);
    free(v->hosts);
    free(v);
}

const struct query_context *view_context(const struct view *v)
{
    return &v->context;
}

bool view_sees(const struct view *v, const char *host_name)
{
    for (size_t i = 0; i < v->context.nhosts; i++)
        if (strcmp(v->context.hosts[i], host_name) == 0)
            return true;
    return v->context.all_hosts;
}

/* ---- sites ---- */

static const struct reports_site *site_of_conf(const struct web *web, const char *host_name)
{
    for (size_t i = 0; i < web->conf->nsites; i++)
        if (strcmp(web->conf->sites[i].host_name, host_name) == 0)
            return &web->conf->sites[i];
    return NULL;
}

static const struct site_row *row_of(const struct web *web, const char *host_name)
{
    for (size_t i = 0; i < web->nrows; i++)
        if (strcmp(web->rows[i].host_name, host_name) == 0)
            return &web->rows[i];
    return NULL;
}

/* "https://pra.example.com:8443" -> "pra.example.com" */
static const char *host_of_url(struct view *v, const char *url)
{
    const char *at = url ? strstr(url, "://") : NULL;
    char host[256];
    size_t n;

    if (!at)
        return NULL;
    at += 3;
    n = *at == '[' ? strcspn(at, "]") + 1 : strcspn(at, ":/");
    if (!text_copy_n(host, sizeof(host), at, n))
        return NULL;
    return keep(v, host);
}

static void site_from_row(struct view *v, struct query_site *site, const struct site_row *row)
{
    site->state = row && row->state[0] ? keep(v, row->state) : "Pending";
    site->reason = row && row->reason[0] ? keep(v, row->reason) : NULL;
    site->since = row && row->has_since ? row->since : QUERY_NONE;
    site->last_success = row && row->has_success ? row->last_success : QUERY_NONE;
    site->missing_from = row && row->has_missing ? row->missing_from : QUERY_NONE;
}

/* Not configured, or not enabled. */
static void site_off(struct query_site *site)
{
    site->state = collect_word_name(COLLECT_OFF);
    site->reason = NULL;
}

static void site_from_state(struct view *v, struct query_site *site, const struct collect_site_state *s)
{
    site->state = collect_word_name(s->word);
    site->reason = keep(v, s->reason);
    site->since = s->since == RECORD_NONE ? QUERY_NONE : s->since;
    site->last_success = s->last_success == RECORD_NONE ? QUERY_NONE : s->last_success;
    site->missing_from = s->missing_from == RECORD_NONE ? QUERY_NONE : s->missing_from;
}

static const struct collect_site_state *state_of(const struct collect_state *state, const char *host_name)
{
    for (size_t i = 0; state && i < state->nsites; i++)
        if (strcmp(state->sites[i].host_name, host_name) == 0)
            return &state->sites[i];
    return NULL;
}

static void add_sites(struct view *v, const struct web *web)
{
    const struct collect_state *state = web->collector ? collect_state(web->collector) : NULL;
    size_t n = 0;

    for (size_t i = 0; i < web->conf->nsites; i++) {
        const struct reports_site *conf = &web->conf->sites[i];
        const struct collect_site_state *s = state_of(state, conf->host_name);
        struct query_site *site = &v->sites[n++];

        site->host_name = keep(v, conf->host_name);
        site->url_host = host_of_url(v, conf->url);
        if (s)
            site_from_state(v, site, s);
        else
            site_from_row(v, site, row_of(web, conf->host_name));
        if (!s && !conf->enabled)
            site_off(site);
    }
    for (size_t i = 0; i < web->nrows; i++) {
        if (site_of_conf(web, web->rows[i].host_name))
            continue;
        v->sites[n].host_name = keep(v, web->rows[i].host_name);
        site_from_row(v, &v->sites[n], &web->rows[i]);
        site_off(&v->sites[n++]);
    }
    v->context.sites = v->sites;
    v->context.nsites = n;
}

/* Names of [pra NAME] sections as host names. A name without a section matches no site. */
static void restrict_sites(struct view *v, const struct web *web, const struct conf_list *names)
{
    size_t n = 0;

    for (size_t i = 0; i < names->n; i++)
        for (size_t k = 0; k < web->conf->nsites; k++)
            if (strcmp(web->conf->sites[k].name, names->item[i]) == 0)
                v->hosts[n++] = keep(v, web->conf->sites[k].host_name);
    v->context.hosts = v->hosts;
    v->context.nhosts = n;
    v->context.all_hosts = names->n == 0;
}

static const struct conf_list *sites_of(const struct web *web, const struct web_request *r)
{
    static const struct conf_list none = {0};

    if (r->route->access == ACCESS_READER) {
        for (size_t i = 0; i < web->conf->nreaders; i++)
            if (strcmp(web->conf->readers[i].name, r->name) == 0)
                return &web->conf->readers[i].sites;
    } else {
        const struct reports_user *u = user_find(web, r->name);

        if (u)
            return &u->sites;
    }
    return &none;
}

struct view *view_new(const struct web *web, const struct web_request *r)
{
    const struct reports_main *m = &web->conf->reports;
    const struct conf_list *names = sites_of(web, r);
    struct view *v = calloc(1, sizeof(*v));

    if (!v)
        return NULL;
    v->sites = calloc(web->conf->nsites + web->nrows + 1, sizeof(*v->sites));
    v->hosts = calloc(names->n + 1, sizeof(*v->hosts));
    if (!v->sites || !v->hosts) {
        view_free(v);
        return NULL;
    }
    v->context.now = clock_wall(web->clock) / 1000;
    v->context.time_zone = keep(v, m->time_zone);
    v->context.late_release = (int64_t)(m->late_release_ms / 1000);
    v->context.unmatched_after = (int64_t)(m->unmatched_after_ms / 1000);
    v->context.recordings = r->allow & REPORTS_RECORDINGS;
    v->context.admin = r->allow & REPORTS_ADMIN;
    add_sites(v, web);
    restrict_sites(v, web, names);
    if (!v->failed)
        return v;
    view_free(v);
    return NULL;
}

/* ---- rows of jg_site ---- */

struct states_job {
    struct reader_job job;
    struct web *web;
    struct site_row *rows;
    size_t n;
    int64_t bytes;
    bool busy, stopped;
};

static void take_text(const struct db_ops *ops, struct db_stmt *s, int column, char *out, size_t size)
{
    const char *text = ops->column_text(s, column, NULL);

    (void)text_copy(out, size, text ? text : "");
}

/* Windows are still to be listed, or sessions that they had are still to be fetched. */
static void take_backfill(const struct db_ops *ops, struct db_stmt *s, struct site_row *row)
{
    struct collect_range range;
    char position[64];

    take_text(ops, s, 8, position, sizeof(position));
    row->has_missing =
        collect_read_range(position, &range) && (range.from < range.to || ops->column_int(s, 9) != 0);
    row->missing_from = row->has_missing ? range.start : 0;
}

static void take_row(const struct db_ops *ops, struct db_stmt *s, struct site_row *row)
{
    take_text(ops, s, 0, row->host_name, sizeof(row->host_name));
    take_text(ops, s, 1, row->name, sizeof(row->name));
    take_text(ops, s, 2, row->state, sizeof(row->state));
    take_text(ops, s, 3, row->reason, sizeof(row->reason));
    take_text(ops, s, 4, row->api_version, sizeof(row->api_version));
    row->has_since = !ops->column_is_null(s, 5);
    row->since = ops->column_int(s, 5);
    row->has_success = !ops->column_is_null(s, 6);
    row->last_success = ops->column_int(s, 6);
    row->has_skew = !ops->column_is_null(s, 7);
    row->skew_ms = ops->column_int(s, 7);
    take_backfill(ops, s, row);
}

static enum db_outcome read_rows(struct reader_job *job, struct db *db)
{
    struct states_job *j = CONTAINER_OF(job, struct states_job, job);
    const struct db_ops *ops = db->ops;
    struct db_stmt *s = NULL;
    enum db_outcome outcome =
        ops->prepare(db,
                     "SELECT s.\"host_name\", s.\"name\", s.\"state\", s.\"reason\", s.\"api_version\", "
                     "s.\"since\", s.\"last_success\", s.\"skew_ms\", c.\"position\", CASE WHEN EXISTS "
                     "(SELECT 1 FROM \"jg_todo\" t WHERE t.\"host_name\" = s.\"host_name\" AND "
                     "t.\"why\" = 'backfill' AND t.\"tries\" < 5) THEN 1 ELSE 0 END FROM \"jg_site\" s "
                     "LEFT JOIN \"jg_cursor\" c ON c.\"host_name\" = s.\"host_name\" AND "
                     "c.\"source\" = 'backfill' ORDER BY s.\"host_name\"",
                     &s);

    j->n = 0;
    if (outcome != DB_OK)
        return outcome;
    while ((outcome = ops->step(s)) == DB_ROW && j->n < STATES_ROWS)
        take_row(ops, s, &j->rows[j->n++]);
    ops->finalize(s);
    outcome = outcome == DB_ROW ? DB_OK : outcome;
    /* A login that may not ask for the size reads everything else. */
    if (outcome != DB_OK || !db->dialect->bytes || db_get_int(db, db->dialect->bytes, -1, &j->bytes) != DB_OK)
        j->bytes = -1;
    return outcome;
}

static void on_next(struct deadline *deadline);

static void later(struct web *web)
{
    timer_set(loop_timers(web->loop), &web->states_next, STATES_MS, on_next);
}

static void states_free(struct states_job *j)
{
    free(j->rows);
    free(j);
}

static void on_rows(struct reader_job *job)
{
    struct states_job *j = CONTAINER_OF(job, struct states_job, job);
    struct web *web = j->web;
    struct site_row *rows;

    j->busy = false;
    if (j->stopped) {
        states_free(j);
        return;
    }
    rows = job->outcome == DB_OK ? calloc(j->n + 1, sizeof(*rows)) : NULL;
    if (rows) {
        memcpy(rows, j->rows, j->n * sizeof(*rows));
        free(web->rows);
        web->rows = rows;
        web->nrows = j->n;
        web->server_bytes = j->bytes;
    }
    later(web);
}

static void ask(struct web *web)
{
    struct states_job *j = web->states;

    j->job.run = read_rows;
    j->job.done = on_rows;
    j->busy = reader_submit(web->pages, &j->job, web->conf->reports.query_timeout_ms);
    if (!j->busy)
        later(web);
}

static void on_next(struct deadline *deadline)
{
    ask(CONTAINER_OF(deadline, struct web, states_next));
}

int states_start(struct web *web)
{
    struct states_job *j = calloc(1, sizeof(*j));

    if (!j)
        return -ENOMEM;
    j->web = web;
    j->rows = calloc(STATES_ROWS, sizeof(*j->rows));
    if (!j->rows || timer_reserve(loop_timers(web->loop), &web->states_next)) {
        free(j->rows);
        free(j);
        return -ENOMEM;
    }
    web->states = j;
    web->server_bytes = -1;
    ask(web);
    return 0;
}

int64_t states_database_bytes(const struct web *web)
{
    const struct reports_database *d = &web->conf->database;
    struct stat st;

    if (d->type != REPORTS_SQLITE)
        return web->server_bytes;
    return stat(d->path, &st) == 0 ? st.st_size : -1;
}

void states_stop(struct web *web)
{
    struct states_job *j = web->states;

    timer_unreserve(loop_timers(web->loop), &web->states_next);
    web->states = NULL;
    if (!j)
        return;
    j->stopped = true;
    if (!j->busy)
        states_free(j);
}
