/* SPDX-License-Identifier: Apache-2.0 */
/*
 * collector_call.c - GET /api/collector: how far the collector has come, for users who may administer.
 *
 * From the collector in this process; without one, from what another process has written: jg_site, jg_cursor
 * and jg_todo. A site that is configured no more is Off, in both. Sessions that have failed are rows of
 * jg_todo in both; a collector's state is answered without them where the database does not give them.
 */
#include "base/clock.h"
#include "base/container_of.h"
#include "base/text.h"
#include "reports/web/web_internal.h"

#include <string.h>

#define FAILED_SHOWN 200
#define BETWEEN      '\n' /* two texts of JSON, which have no such letter */

static void write_time(struct jsonw *w, const char *name, int64_t unix_s, bool known)
{
    char text[CLOCK_RFC3339_SIZE];

    jsonw_str(w, name, known ? clock_rfc3339(unix_s * 1000, text) : NULL);
}

static void write_seconds(struct jsonw *w, const char *name, int64_t value)
{
    jsonw_int_or_null(w, name, value, value == RECORD_NONE);
}

/* ---- the collector in this process ---- */

static void write_sources(struct jsonw *w, const struct collect_site_state *s)
{
    jsonw_object(w, "sources");
    for (size_t i = 0; i < COLLECT_NSOURCES; i++) {
        const struct collect_source_state *source = &s->sources[i];

        jsonw_object(w, collect_source_name((enum collect_source)i));
        jsonw_str(w, "state", collect_activity_name(source->activity));
        jsonw_str(w, "cursor", source->cursor && *source->cursor ? source->cursor : NULL);
        write_seconds(w, "lag_seconds", source->lag);
        jsonw_str(w, "error", source->error);
        write_time(w, "last_success", source->last_success, source->last_success != RECORD_NONE);
        jsonw_end(w);
    }
    jsonw_end(w);
}

static void write_site(struct jsonw *w, const struct collect_site_state *s)
{
    jsonw_object(w, NULL);
    jsonw_str(w, "name", s->name);
    jsonw_str(w, "host_name", s->host_name);
    jsonw_str(w, "state", collect_word_name(s->word));
    jsonw_str(w, "reason", s->reason);
    write_time(w, "since", s->since, s->since != RECORD_NONE);
    write_time(w, "last_success", s->last_success, s->last_success != RECORD_NONE);
    jsonw_int(w, "skew_ms", s->skew_ms);
    jsonw_str(w, "api_version", s->api_version && *s->api_version ? s->api_version : NULL);
    write_sources(w, s);
    jsonw_int(w, "todo", s->todo);
    jsonw_int(w, "failed", s->failed);
    jsonw_end(w);
}

static bool is_configured(const struct web *web, const char *host_name)
{
    for (size_t i = 0; i < web->conf->nsites; i++)
        if (strcmp(web->conf->sites[i].host_name, host_name) == 0)
            return true;
    return false;
}

/* A site that is configured no more: nothing of it is asked for. */
static void write_removed(struct jsonw *w, const struct site_row *row)
{
    jsonw_object(w, NULL);
    jsonw_str(w, "name", row->name[0] ? row->name : row->host_name);
    jsonw_str(w, "host_name", row->host_name);
    jsonw_str(w, "state", collect_word_name(COLLECT_OFF));
    jsonw_str(w, "reason", NULL);
    write_time(w, "since", row->since, row->has_since);
    write_time(w, "last_success", row->last_success, row->has_success);
    jsonw_null(w, "skew_ms");
    jsonw_str(w, "api_version", row->api_version[0] ? row->api_version : NULL);
    jsonw_object(w, "sources");
    jsonw_end(w);
    jsonw_int(w, "todo", 0);
    jsonw_int(w, "failed", 0);
    jsonw_end(w);
}

static void write_all_removed(struct web_request *r, struct jsonw *w)
{
    const struct web *web = r->web;

    for (size_t i = 0; i < web->nrows; i++)
        if (!is_configured(web, web->rows[i].host_name) && view_sees(r->view, web->rows[i].host_name))
            write_removed(w, &web->rows[i]);
}

static void write_gateways(struct jsonw *w, const struct collect_state *state)
{
    jsonw_array(w, "gateways");
    for (size_t i = 0; state && i < state->ngateways; i++) {
        const struct collect_gateway_state *g = &state->gateways[i];

        jsonw_object(w, NULL);
        jsonw_str(w, "name", g->name);
        jsonw_str(w, "state", g->error ? "failing" : g->last_success == RECORD_NONE ? "pending" : "ok");
        jsonw_str(w, "error", g->error);
        jsonw_int(w, "seq", (int64_t)g->seq);
        jsonw_int(w, "broken", (int64_t)g->broken);
        write_time(w, "last_line_time", g->last_line, g->last_line != RECORD_NONE);
        write_time(w, "last_success", g->last_success, g->last_success != RECORD_NONE);
        jsonw_end(w);
    }
    jsonw_end(w);
}

static void write_database(struct jsonw *w, const struct web *web, const struct collect_state *state)
{
    enum db_outcome outcome = readers_outcome(web->pages);
    int64_t bytes = states_database_bytes(web);

    jsonw_object(w, "database");
    jsonw_str(w, "type", web->db_name);
    jsonw_str(w, "reading", outcome == DB_OK ? "ok" : db_outcome_name(outcome));
    if (state) {
        jsonw_str(w, "writing",
                  state->database.outcome == DB_OK ? "ok" : db_outcome_name(state->database.outcome));
        jsonw_str(w, "why", state->database.why);
        jsonw_bool(w, "vendor_indexes", state->indexes);
        jsonw_bool(w, "rederiving", state->rederiving);
    }
    if (bytes >= 0)
        jsonw_int(w, "bytes", bytes);
    jsonw_end(w);
}

/* `failed`: the array, or empty where it cannot be had. */
static void write_failed(struct web_request *r, struct jsonw *w, const struct buf *failed)
{
    if (failed->len)
        jsonw_raw(w, "failed_sessions", failed->data, failed->len);
    else
        jsonw_null(w, "failed_sessions");
    r->body.failed = r->body.failed || failed->failed;
}

static void answer_from_state(struct web_request *r, const struct buf *failed)
{
    const struct collect_state *state = collect_state(r->web->collector);
    struct jsonw w;

    web_object(r, &w);
    jsonw_array(&w, "sites");
    for (size_t i = 0; i < state->nsites; i++)
        if (view_sees(r->view, state->sites[i].host_name))
            write_site(&w, &state->sites[i]);
    write_all_removed(r, &w);
    jsonw_end(&w);
    write_failed(r, &w, failed);
    write_gateways(&w, state);
    write_database(&w, r->web, state);
    jsonw_end(&w);
    web_json(r, 200);
}

/* ---- sessions that have failed ---- */

static void take_failed(const struct db_ops *ops, struct db_stmt *s, struct jsonw *w)
{
    jsonw_object(w, NULL);
    jsonw_str(w, "host_name", ops->column_text(s, 0, NULL));
    jsonw_str(w, "lsid", ops->column_text(s, 1, NULL));
    jsonw_int(w, "tries", ops->column_int(s, 2));
    write_time(w, "next_at", ops->column_int(s, 3), true);
    jsonw_str(w, "error", ops->column_text(s, 4, NULL));
    jsonw_end(w);
}

/* The first FAILED_SHOWN of the sites that may be seen, those that are tried next first. */
static enum db_outcome list_failed(struct web_request *r, struct db *db)
{
    const struct db_ops *ops = db->ops;
    struct jsonw w = jsonw_start(&r->body);
    struct db_stmt *s = NULL;
    enum db_outcome outcome = ops->prepare(
        db,
        "SELECT \"host_name\", \"lsid\", \"tries\", \"next_at\", \"error\" FROM \"jg_todo\" WHERE "
        "\"tries\" >= 5 ORDER BY \"next_at\", \"host_name\", \"lsid\"",
        &s);

    if (outcome != DB_OK)
        return outcome;
    jsonw_array(&w, NULL);
    for (int n = 0; n < FAILED_SHOWN && (outcome = ops->step(s)) == DB_ROW;) {
        if (!view_sees(r->view, ops->column_text(s, 0, NULL)))
            continue;
        take_failed(ops, s, &w);
        n++;
    }
    jsonw_end(&w);
    ops->finalize(s);
    r->outcome = QUERY_OK;
    return outcome == DB_ROW ? DB_OK : outcome;
}

static void failed_listed(struct web_request *r)
{
    struct buf failed = BUF_INIT(WEB_JSON_MAX);

    buf_move(&failed, &r->body);
    if (r->job.outcome != DB_OK)
        buf_free(&failed);
    answer_from_state(r, &failed);
    buf_free(&failed);
}

/* ---- another process ---- */

/* Calls `take` for each row of a statement about one site. */
static enum db_outcome each_row(struct db *db, const char *sql, const char *host_name, struct jsonw *w,
                                void (*take)(const struct db_ops *, struct db_stmt *, struct jsonw *))
{
    const struct db_ops *ops = db->ops;
    struct db_stmt *s = NULL;
    enum db_outcome outcome = ops->prepare(db, sql, &s);

    if (outcome != DB_OK)
        return outcome;
    if (host_name)
        ops->bind_text(s, 1, host_name, strlen(host_name));
    while ((outcome = ops->step(s)) == DB_ROW)
        take(ops, s, w);
    ops->finalize(s);
    return outcome;
}

static void take_cursor(const struct db_ops *ops, struct db_stmt *s, struct jsonw *w)
{
    jsonw_object(w, ops->column_text(s, 0, NULL));
    jsonw_str(w, "state", NULL);
    jsonw_str(w, "cursor", ops->column_text(s, 1, NULL));
    jsonw_null(w, "lag_seconds");
    jsonw_str(w, "error", NULL);
    write_time(w, "updated_at", ops->column_int(s, 2), true);
    jsonw_end(w);
}

static void take_todo(const struct db_ops *ops, struct db_stmt *s, struct jsonw *w)
{
    jsonw_int(w, "todo", ops->column_int(s, 0));
    jsonw_int(w, "failed", ops->column_int(s, 1));
}

static enum db_outcome write_row(struct jsonw *w, struct db *db, const struct query_site *site)
{
    enum db_outcome outcome;

    jsonw_object(w, NULL);
    jsonw_str(w, "name", site->host_name);
    jsonw_str(w, "host_name", site->host_name);
    jsonw_str(w, "state", site->state);
    jsonw_str(w, "reason", site->reason);
    write_time(w, "since", site->since, site->since != QUERY_NONE);
    write_time(w, "last_success", site->last_success, site->last_success != QUERY_NONE);
    jsonw_null(w, "skew_ms");
    jsonw_object(w, "sources");
    outcome = each_row(db,
                       "SELECT \"source\", \"position\", \"updated_at\" FROM \"jg_cursor\" WHERE "
                       "\"host_name\" = ? ORDER BY \"source\"",
                       site->host_name, w, take_cursor);
    jsonw_end(w);
    if (outcome == DB_OK)
        outcome = each_row(db,
                           "SELECT count(*), coalesce(sum(CASE WHEN \"tries\" >= 5 THEN 1 ELSE 0 END), 0) "
                           "FROM \"jg_todo\" WHERE \"host_name\" = ?",
                           site->host_name, w, take_todo);
    jsonw_end(w);
    return outcome;
}

static enum db_outcome ask(struct web_request *r, struct db *db)
{
    const struct query_context *context = view_context(r->view);
    struct jsonw w = jsonw_start(&r->body);
    enum db_outcome outcome = DB_OK;

    jsonw_array(&w, NULL);
    for (size_t i = 0; i < context->nsites && outcome == DB_OK; i++)
        if (view_sees(r->view, context->sites[i].host_name))
            outcome = write_row(&w, db, &context->sites[i]);
    jsonw_end(&w);
    (void)buf_char(&r->body, BETWEEN);
    return outcome == DB_OK ? list_failed(r, db) : outcome;
}

static void asked(struct web_request *r)
{
    struct buf sites = BUF_INIT(WEB_JSON_MAX), failed = BUF_INIT(WEB_JSON_MAX);
    struct jsonw w;

    if (!web_asked_well(r))
        return;
    buf_move(&sites, &r->body);
    const char *between = memchr(sites.data, BETWEEN, sites.len);
    size_t n = between ? (size_t)(between - sites.data) : sites.len;
    if (between)
        (void)buf_append(&failed, between + 1, sites.len - n - 1);
    web_object(r, &w);
    jsonw_raw(&w, "sites", sites.data, n);
    write_failed(r, &w, &failed);
    write_gateways(&w, NULL);
    write_database(&w, r->web, NULL);
    jsonw_end(&w);
    r->body.failed = r->body.failed || sites.failed;
    buf_free(&sites);
    buf_free(&failed);
    web_json(r, 200);
}

static bool any_failed(struct collector *collector)
{
    const struct collect_state *state = collect_state(collector);

    for (size_t i = 0; i < state->nsites; i++)
        if (state->sites[i].failed)
            return true;
    return false;
}

void collector_start(struct web_request *r)
{
    r->view = view_new(r->web, r);
    if (!r->view) {
        web_fail_with(r, PROBLEM_INTERNAL, "out of memory");
        return;
    }
    if (r->web->collector && !any_failed(r->web->collector)) { /* also where the database does not answer */
        const struct buf none = {.data = (char[]){"[]"}, .len = 2};

        answer_from_state(r, &none);
        return;
    }
    r->ask = r->web->collector ? list_failed : ask;
    r->asked = r->web->collector ? failed_listed : asked;
    web_ask(r, r->web->pages, r->web->conf->reports.query_timeout_ms);
}
