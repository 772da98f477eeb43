/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api.c - tiles, grids, values, the page of a session: a query of reports/query each, asked on a reader.
 *
 * A grid, a session and its events are audited before they are answered; tiles are numbers and are not.
 */
#include "base/clock.h"
#include "reports/web/web_internal.h"

#include <stdlib.h>
#include <string.h>

/* ---- without a database ---- */

static void write_allow(struct jsonw *w, unsigned allow)
{
    static const char *const words[] = {"view", "export", "recordings", "admin"};

    jsonw_array(w, "allow");
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (allow & 1U << i)
            jsonw_str(w, NULL, words[i]);
    jsonw_end(w);
}

void me_start(struct web_request *r)
{
    const struct web *web = r->web;
    const struct web_session *session = web_request_session(r);
    int64_t left = session ? (int64_t)web_session_left(&web->sessions, session) : 0;
    struct view *view = view_new(web, r);
    char ends[CLOCK_RFC3339_SIZE];
    struct jsonw w;

    if (!view) {
        web_fail_with(r, PROBLEM_INTERNAL, "out of memory");
        return;
    }
    web_object(r, &w);
    jsonw_str(&w, "user", r->name);
    write_allow(&w, r->allow);
    jsonw_array(&w, "sites");
    for (size_t i = 0; i < view_context(view)->nsites; i++)
        if (view_sees(view, view_context(view)->sites[i].host_name))
            jsonw_str(&w, NULL, view_context(view)->sites[i].host_name);
    jsonw_end(&w);
    jsonw_str(&w, "csrf", r->csrf);
    jsonw_str(&w, "time_zone", web->conf->reports.time_zone);
    jsonw_str(&w, "expires_at", clock_rfc3339(clock_wall(web->clock) + left, ends));
    jsonw_end(&w);
    view_free(view);
    web_json(r, 200);
}

void tiles_start(struct web_request *r)
{
    if (query_tiles(&r->body))
        web_fail_with(r, PROBLEM_INTERNAL, "out of memory");
    else
        web_json(r, 200);
}

void columns_start(struct web_request *r)
{
    if (web_query_parsed(r, query_columns(r->segment[0], &r->body), NULL))
        web_json(r, 200);
}

/* ---- a query ---- */

/* Copies what the request may see, and takes its URL's query apart. False = it is answered. */
static bool parse(struct web_request *r, enum query_call call, const char *name)
{
    struct query_error error = {0};

    r->view = view_new(r->web, r);
    if (!r->view) {
        web_fail_with(r, PROBLEM_INTERNAL, "out of memory");
        return false;
    }
    r->has_range = call == QUERY_TILE || call == QUERY_RECORDS;
    return web_query_parsed(r, query_parse(call, name, r->query, view_context(r->view), &r->parsed, &error),
                            &error);
}

static void count_statement(struct web_request *r, enum query_call call)
{
    took_add(&r->web->counts.statements[call], r->job.took_us);
}

static void ask(struct web_request *r, enum db_outcome (*work)(struct web_request *, struct db *),
                void (*asked)(struct web_request *))
{
    r->ask = work;
    r->asked = asked;
    web_ask(r, r->web->pages, r->web->conf->reports.query_timeout_ms);
}

static void answer(struct web_request *r)
{
    web_json(r, 200);
}

/* ---- tiles ---- */

static enum db_outcome ask_tile(struct web_request *r, struct db *db)
{
    return web_judge(r, db, query_tile(db, r->parsed, &r->body, &r->result));
}

static void tile_asked(struct web_request *r)
{
    int tile = query_tile_named(r->segment[0]);

    count_statement(r, QUERY_TILE);
    if (tile >= 0 && tile < COUNTS_TILES)
        took_add(&r->web->counts.tiles[tile], r->job.took_us);
    if (web_asked_well(r))
        web_json(r, 200);
}

void tile_start(struct web_request *r)
{
    if (parse(r, QUERY_TILE, r->segment[0]))
        ask(r, ask_tile, tile_asked);
}

/* ---- grids ---- */

/* After the record: the session remembers the address, so that the page may ask for it again. */
static void answer_view(struct web_request *r)
{
    struct web_session *session = web_request_session(r);

    if (session)
        web_session_viewed(session, r->address);
    web_json(r, 200);
}

/* Counts a query, and answers it where it failed or is the page's own refresh. True = a view to be recorded.
 */
static bool is_view(struct web_request *r, enum query_call call)
{
    count_statement(r, call);
    if (!web_asked_well(r))
        return false;
    if (!note_is_refresh(r))
        return true;
    answer(r);
    return false;
}

/* Refuses early what could not be answered. */
static bool can_record(struct web_request *r)
{
    if (notes_possible(r->web))
        return true;
    web_fail_with(r, PROBLEM_AUDIT_UNAVAILABLE,
                  "the audit trail cannot be written, and audit_policy is strict");
    return false;
}

static enum db_outcome ask_records(struct web_request *r, struct db *db)
{
    return web_judge(r, db, query_records(db, r->parsed, &r->body, &r->result));
}

static void records_asked(struct web_request *r)
{
    struct note n;

    if (!is_view(r, QUERY_RECORDS))
        return;
    note_begin(&n, r, "viewed");
    note_text(&n, "dataset", r->segment[0]);
    note_text(&n, "filters", r->query);
    note_number(&n, "rows", r->result.rows);
    note_await(&n, answer_view);
}

void records_start(struct web_request *r)
{
    if (can_record(r) && parse(r, QUERY_RECORDS, r->segment[0]))
        ask(r, ask_records, records_asked);
}

static enum db_outcome ask_values(struct web_request *r, struct db *db)
{
    return web_judge(r, db, query_values(db, r->parsed, r->segment[1], &r->body, &r->result));
}

static void values_asked(struct web_request *r)
{
    count_statement(r, QUERY_VALUES);
    if (web_asked_well(r))
        web_json(r, 200);
}

void values_start(struct web_request *r)
{
    if (parse(r, QUERY_VALUES, r->segment[0]))
        ask(r, ask_values, values_asked);
}

/* ---- a session ---- */

static enum db_outcome ask_session(struct web_request *r, struct db *db)
{
    return web_judge(r, db, query_session(db, r->parsed, r->segment[0], r->segment[1], &r->body, &r->result));
}

static void session_asked(struct web_request *r)
{
    struct note n;

    if (!is_view(r, QUERY_SESSION))
        return;
    note_begin(&n, r, "session_viewed");
    note_text(&n, "host_name", r->segment[0]);
    note_text(&n, "lsid", r->segment[1]);
    note_bool(&n, "links", r->result.links);
    note_await(&n, answer_view);
}

void session_start(struct web_request *r)
{
    if (can_record(r) && parse(r, QUERY_SESSION, NULL))
        ask(r, ask_session, session_asked);
}

static enum db_outcome ask_events(struct web_request *r, struct db *db)
{
    return web_judge(r, db,
                     query_session_events(db, r->parsed, r->segment[0], r->segment[1], &r->body, &r->result));
}

static void events_asked(struct web_request *r)
{
    struct note n;

    if (!is_view(r, QUERY_EVENTS))
        return;
    note_begin(&n, r, "viewed");
    note_text(&n, "dataset", "session_events");
    note_text(&n, "host_name", r->segment[0]);
    note_text(&n, "lsid", r->segment[1]);
    note_text(&n, "filters", r->query);
    note_number(&n, "rows", r->result.rows);
    note_await(&n, answer_view);
}

void events_start(struct web_request *r)
{
    if (can_record(r) && parse(r, QUERY_EVENTS, NULL))
        ask(r, ask_events, events_asked);
}
