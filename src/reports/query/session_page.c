/* SPDX-License-Identifier: Apache-2.0 */
/*
 * session_page.c - what the page of a session shows, but its events.
 *
 * Lists are rows of a table: a table of the database, its columns, the order. URLs are signed keys: they are
 * read only where the query may show them, and are links only when they lead to the site that made them.
 */
#include "base/jsonw.h"
#include "base/text.h"
#include "reports/query/session_find.h"

#include <ctype.h>

#define PART_ROWS  5000
#define COLUMNS(c) (c), sizeof(c) / sizeof(*(c))

/* clang-format off */
#define TEXT(name)   {name, "", VALUE_TEXT, 0, "t.\"" name "\""}
#define NUMBER(name) {name, "", VALUE_NUMBER, 0, "t.\"" name "\""}
#define BOOL(name)   {name, "", VALUE_BOOL, 0, "t.\"" name "\""}

static const struct dataset_column representatives[] = {
    TEXT("username"), TEXT("display_name"), TEXT("public_display_name"), TEXT("private_display_name"),
    TEXT("public_ip"), TEXT("private_ip"), TEXT("hostname"), TEXT("os"), BOOL("session_owner"), BOOL("invited"),
    {"seconds_involved", "", VALUE_DURATION, 0, "t.\"seconds_involved\""}, NUMBER("gsnumber"),
};
static const struct dataset_column customers[] = {
    TEXT("username"), TEXT("public_ip"), TEXT("private_ip"), TEXT("hostname"), TEXT("os"), NUMBER("gsnumber"),
};
static const struct dataset_column attributes[] = {TEXT("display_name"), TEXT("code_name"), TEXT("value")};
static const struct dataset_column information[] = {
    TEXT("category"), {"row", "", VALUE_NUMBER, 0, "t.\"row_number\""}, TEXT("field"), TEXT("value"),
};

/* Beside the columns of the dataset. */
static const struct dataset_column summary[] = {
    {"session_type", "", VALUE_TEXT, 0, "s.\"type\""},
    {"duration_text", "", VALUE_TEXT, 0, "s.\"duration\""},
    {"jump_group_type", "", VALUE_TEXT, 0, "s.\"jump_group_type\""},
    {"primary_rep", "", VALUE_TEXT, 0, "s.\"primary_rep\""},
    {"primary_customer", "", VALUE_TEXT, 0, "s.\"primary_customer\""},
    {"file_moves", "", VALUE_NUMBER, 0, "s.\"file_moves\""},
    {"file_deletes", "", VALUE_NUMBER, 0, "s.\"file_deletes\""},
    {"has_recording", "", VALUE_BOOL, 0, "s.\"has_recording\""},
    {"revision", "", VALUE_NUMBER, 0, "s.\"revision\""},
    {"stored_at", "", VALUE_TIME, 0, "s.\"stored_at\""},
    {"fetched_at", "", VALUE_TIME, 0, "s.\"fetched_at\""},
    {"changed_at", "", VALUE_TIME, 0, "s.\"changed_at\""},
};

static const struct part {
    const char *name, *table;
    const struct dataset_column *columns;
    size_t ncolumns;
    const char *order;
} parts[] = {
    {"representatives", "\"representative\" t", COLUMNS(representatives), "t.\"id\""},
    {"customers", "\"customer\" t", COLUMNS(customers), "t.\"id\""},
    {"custom_attributes", "\"custom_attribute\" t", COLUMNS(attributes), "t.\"id\""},
    {"system_information", "\"system_information\" t", COLUMNS(information), "t.\"id\""},
};
/* clang-format on */

struct page {
    struct db *db;
    const struct query *q;
    struct jsonw *w;
    struct found_session session;
    bool links;
};

/* ---- finding ---- */

static const char *lower_copy(struct record_arena *arena, const char *text)
{
    char *copy = (char *)record_text(arena, text, strlen(text));

    for (char *c = copy; c && *c; c++)
        *c = (char)(*c >= 'A' && *c <= 'Z' ? *c + 32 : *c);
    return copy;
}

enum query_outcome session_find(struct db *db, const struct query *q, const char *host_name, const char *lsid,
                                struct record_arena *arena, struct found_session *found)
{
    struct sql sql = sql_start(db->dialect, q->ctx->now);
    bool any = true;

    *found = (struct found_session){
        .id = -1, .host_name = lower_copy(arena, host_name), .lsid = lower_copy(arena, lsid)};
    if (!found->host_name || !found->lsid)
        return QUERY_NO_MEMORY;
    sql_str(&sql, "SELECT s.\"id\" FROM \"session\" s WHERE s.\"host_name\" = ");
    sql_text(&sql, found->host_name);
    sql_str(&sql, " AND s.\"lsid\" = ");
    sql_text(&sql, found->lsid);
    where_hosts(&sql, q, "s.\"host_name\"", &any);
    struct db_stmt *stmt;
    enum db_outcome outcome = sql_prepare(db, &sql, &stmt);
    if (outcome == DB_OK) {
        outcome = db->ops->step(stmt);
        if (outcome == DB_ROW)
            found->id = db->ops->column_int(stmt, 0);
        db->ops->finalize(stmt);
    }
    sql_free(&sql);
    return outcome == DB_OK ? QUERY_NOT_FOUND : query_of(outcome);
}

/* ---- rows of a part ---- */

static void write_columns(struct sql *sql, const struct dataset_column *columns, size_t n, bool first)
{
    for (size_t i = 0; i < n; i++) {
        sql_str(sql, first && i == 0 ? "SELECT " : ", ");
        sql_expression(sql, columns[i].expression);
    }
}

static void write_row(struct page *p, struct db_stmt *stmt, const struct dataset_column *columns, size_t n,
                      int at)
{
    for (size_t i = 0; i < n; i++)
        value_json(p->w, columns[i].name, &columns[i], p->q, p->db, stmt, at + (int)i, true);
}

static enum db_outcome write_list(struct page *p, const char *name, struct sql *sql,
                                  const struct dataset_column *columns, size_t n)
{
    struct db_stmt *stmt;
    enum db_outcome outcome = sql_prepare(p->db, sql, &stmt);

    jsonw_array(p->w, name);
    if (outcome == DB_OK) {
        while ((outcome = p->db->ops->step(stmt)) == DB_ROW) {
            jsonw_object(p->w, NULL);
            write_row(p, stmt, columns, n, 0);
            jsonw_end(p->w);
        }
        p->db->ops->finalize(stmt);
    }
    jsonw_end(p->w);
    sql_free(sql);
    return outcome;
}

static enum db_outcome write_part(struct page *p, const struct part *part)
{
    struct sql sql = sql_start(p->db->dialect, p->q->ctx->now);

    write_columns(&sql, part->columns, part->ncolumns, true);
    sql_str(&sql, " FROM ");
    sql_str(&sql, part->table);
    sql_str(&sql, " WHERE t.\"session_id\" = ");
    sql_int(&sql, p->session.id);
    sql_str(&sql, " ORDER BY ");
    sql_str(&sql, part->order);
    sql_limit(&sql, PART_ROWS);
    return write_list(p, part->name, &sql, part->columns, part->ncolumns);
}

static enum db_outcome write_credentials(struct page *p)
{
    const struct dataset *d = dataset_named("credential_use");
    struct sql sql = sql_start(p->db->dialect, p->q->ctx->now);

    write_columns(&sql, d->columns, d->ncolumns, true);
    sql_str(&sql, " FROM ");
    sql_str(&sql, d->table);
    sql_str(&sql, " JOIN ");
    sql_str(&sql, d->parent);
    sql_str(&sql, " WHERE t.\"session_id\" = ");
    sql_int(&sql, p->session.id);
    sql_str(&sql, " ORDER BY t.\"checkout_unix\", t.\"gateway\", t.\"lease_id\"");
    sql_limit(&sql, PART_ROWS);
    return write_list(p, "credentials", &sql, d->columns, d->ncolumns);
}

static enum db_outcome write_session(struct page *p)
{
    const struct dataset *d = dataset_named("sessions");
    const size_t nsummary = sizeof(summary) / sizeof(*summary);
    struct sql sql = sql_start(p->db->dialect, p->q->ctx->now);
    struct db_stmt *stmt;

    write_columns(&sql, d->columns, d->ncolumns, true);
    write_columns(&sql, summary, nsummary, false);
    sql_str(&sql, " FROM \"session\" s WHERE s.\"id\" = ");
    sql_int(&sql, p->session.id);
    enum db_outcome outcome = sql_prepare(p->db, &sql, &stmt);
    if (outcome == DB_OK) {
        outcome = p->db->ops->step(stmt);
        jsonw_object(p->w, "session");
        if (outcome == DB_ROW) {
            write_row(p, stmt, d->columns, d->ncolumns, 0);
            write_row(p, stmt, summary, nsummary, (int)d->ncolumns);
        }
        jsonw_end(p->w);
        p->db->ops->finalize(stmt);
    }
    sql_free(&sql);
    return outcome == DB_ROW ? DB_OK : outcome;
}

/* ---- recordings ---- */

static const char *url_host(const struct page *p)
{
    for (size_t i = 0; i < p->q->ctx->nsites; i++)
        if (strcmp(p->q->ctx->sites[i].host_name, p->session.host_name) == 0)
            return p->q->ctx->sites[i].url_host;
    return NULL;
}

/* https, on that host, and nothing that a browser reads otherwise than it looks. */
static bool is_link(const char *url, const char *host)
{
    static const char scheme[] = "https://";
    const size_t before = sizeof(scheme) - 1, n = host ? strlen(host) : 0;

    if (!n || !text_equal_nocase_n(url, strnlen(url, before), scheme, before) ||
        !text_equal_nocase_n(url + before, strnlen(url + before, n), host, n))
        return false;
    for (const char *c = url; *c; c++)
        if ((unsigned char)*c <= ' ' || *c == 0x7f || *c == '\\')
            return false;
    url += before + n;
    if (*url == ':')
        url += 1 + strspn(url + 1, "0123456789");
    return *url == '/';
}

static void write_url(struct page *p, const char *url, const char *as_link, const char *as_text)
{
    bool link = url && is_link(url, url_host(p));

    jsonw_str(p->w, as_link, link ? url : NULL);
    if (url && !link)
        jsonw_str(p->w, as_text, url);
    p->links |= url != NULL;
}

static void write_recording(struct page *p, struct db_stmt *stmt, const char *kind, int view)
{
    const struct db_ops *ops = p->db->ops;

    if (ops->column_is_null(stmt, view) && ops->column_is_null(stmt, view + 1))
        return;
    jsonw_object(p->w, NULL);
    jsonw_str(p->w, "kind", kind);
    write_url(p, ops->column_text(stmt, view, NULL), "view_url", "view_text");
    write_url(p, ops->column_text(stmt, view + 1, NULL), "download_url", "download_text");
    jsonw_end(p->w);
}

static enum db_outcome write_recordings_of(struct page *p, const char *text, const char *const *kinds,
                                           int nkinds)
{
    struct sql sql = sql_start(p->db->dialect, p->q->ctx->now);
    struct db_stmt *stmt;

    sql_str(&sql, text);
    sql_int(&sql, p->session.id);
    enum db_outcome outcome = sql_prepare(p->db, &sql, &stmt);
    if (outcome == DB_OK) {
        while ((outcome = p->db->ops->step(stmt)) == DB_ROW)
            for (int i = 0; i < nkinds; i++)
                write_recording(p, stmt, kinds[i], 2 * i);
        p->db->ops->finalize(stmt);
    }
    sql_free(&sql);
    return outcome;
}

static enum db_outcome write_recordings(struct page *p)
{
    static const char *const of_session[] = {"recording", "chat"}, *const of_shell[] = {"command_shell"};

    jsonw_array(p->w, "recordings");
    enum db_outcome outcome = write_recordings_of(
        p,
        "SELECT s.\"session_recording_view_url\", s.\"session_recording_download_url\", "
        "s.\"session_chat_view_url\", s.\"session_chat_download_url\" FROM \"session\" s WHERE s.\"id\" = ",
        of_session, 2);
    if (outcome == DB_OK)
        outcome = write_recordings_of(p,
                                      "SELECT t.\"view_url\", t.\"download_url\" FROM "
                                      "\"command_shell_recording\" t WHERE t.\"session_id\" = ",
                                      of_shell, 1);
    jsonw_end(p->w);
    return outcome;
}

/* ---- events, counted ---- */

static enum db_outcome write_event_types(struct page *p)
{
    struct sql sql = sql_start(p->db->dialect, p->q->ctx->now);
    struct db_stmt *stmt;
    int64_t all = 0;

    sql_str(&sql,
            "SELECT coalesce(t.\"type\", ''), count(*) FROM \"session_event\" t WHERE t.\"session_id\" = ");
    sql_int(&sql, p->session.id);
    sql_str(&sql, " GROUP BY coalesce(t.\"type\", '') ORDER BY 1");
    enum db_outcome outcome = sql_prepare(p->db, &sql, &stmt);
    jsonw_object(p->w, "event_types");
    if (outcome == DB_OK) {
        while ((outcome = p->db->ops->step(stmt)) == DB_ROW) {
            const char *type = p->db->ops->column_text(stmt, 0, NULL);
            int64_t n = p->db->ops->column_int(stmt, 1);
            jsonw_int(p->w, type ? type : "", n);
            all += n;
        }
        p->db->ops->finalize(stmt);
    }
    jsonw_end(p->w);
    jsonw_int(p->w, "event_count", all);
    sql_free(&sql);
    return outcome;
}

/* ---- the page ---- */

static enum db_outcome write_page(struct page *p)
{
    enum db_outcome outcome = write_session(p);

    for (size_t i = 0; outcome == DB_OK && i < sizeof(parts) / sizeof(*parts); i++)
        outcome = write_part(p, &parts[i]);
    if (outcome == DB_OK)
        outcome = write_credentials(p);
    if (outcome == DB_OK && p->q->ctx->recordings)
        outcome = write_recordings(p);
    return outcome == DB_OK ? write_event_types(p) : outcome;
}

enum query_outcome query_session(struct db *db, const struct query *q, const char *host_name,
                                 const char *lsid, struct buf *json, struct query_result *result)
{
    struct jsonw w = jsonw_start(json);
    struct page p = {.db = db, .q = q, .w = &w};
    struct record_arena arena = {.limit = 0};
    enum query_outcome outcome = query_of(db->ops->begin(db, false));

    if (outcome == QUERY_OK)
        outcome = session_find(db, q, host_name, lsid, &arena, &p.session);
    if (outcome == QUERY_OK) {
        jsonw_object(&w, NULL);
        outcome = query_of(write_page(&p));
        jsonw_end(&w);
    }
    db->ops->rollback(db);
    record_arena_free(&arena);
    if (result)
        *result = (struct query_result){.rows = 1, .links = p.links};
    return outcome == QUERY_OK && json->failed ? QUERY_NO_MEMORY : outcome;
}
