/* SPDX-License-Identifier: Apache-2.0 */
/*
 * todo.c - sites, cursors, and sessions that are to be read; see store.h.
 */
#include "reports/store/store_internal.h"

#include "base/text.h"

enum db_outcome store_put_site(struct report_store *s, const struct store_site *site)
{
    struct db_stmt *stmt = store_upsert(s, &s->put_site, "jg_site", "host_name", UPSERT_REPLACE);

    if (!stmt)
        return store_failed(s);
    put_cut(s, stmt, 1, site->host_name, 255);
    put_cut(s, stmt, 2, site->name, 256);
    put_cut(s, stmt, 3, site->state, 32);
    put_cut(s, stmt, 4, site->reason, 256);
    put_int(s, stmt, 5, site->since);
    put_int(s, stmt, 6, site->skew_ms);
    put_cut(s, stmt, 7, site->api_version, 64);
    put_text(s, stmt, 8, site->permissions);
    put_int(s, stmt, 9, site->last_success);
    put_int(s, stmt, 10, site->enabled);
    return store_run(s, stmt);
}

enum db_outcome store_sites(struct report_store *s, int (*row)(void *arg, const struct store_site *),
                            void *arg)
{
    struct db_stmt *stmt = store_stmt(
        s, "SELECT \"host_name\", \"name\", \"state\", \"reason\", \"since\", \"skew_ms\", \"api_version\", "
           "\"permissions\", \"last_success\", \"enabled\" FROM \"jg_site\" ORDER BY \"host_name\"");
    enum db_outcome outcome;

    if (!stmt)
        return store_failed(s);
    while ((outcome = s->db->ops->step(stmt)) == DB_ROW) {
        const struct store_site site = {.host_name = get_text(s, stmt, 0),
                                        .name = get_text(s, stmt, 1),
                                        .state = get_text(s, stmt, 2),
                                        .reason = get_text(s, stmt, 3),
                                        .since = get_int(s, stmt, 4),
                                        .skew_ms = get_int(s, stmt, 5),
                                        .api_version = get_text(s, stmt, 6),
                                        .permissions = get_text(s, stmt, 7),
                                        .last_success = get_int(s, stmt, 8),
                                        .enabled = get_int(s, stmt, 9) == 1};
        if (row(arg, &site))
            break;
    }
    s->db->ops->reset(stmt);
    return outcome == DB_ROW ? DB_OK : outcome;
}

enum db_outcome store_site_off(struct report_store *s, const char *host_name, int64_t now)
{
    struct db_stmt *stmt =
        store_stmt(s, "UPDATE \"jg_site\" SET \"state\" = 'Off', \"reason\" = NULL, \"since\" = ?, "
                      "\"enabled\" = 0 WHERE \"host_name\" = ? AND (\"state\" <> 'Off' OR \"enabled\" <> 0)");

    if (!stmt)
        return store_failed(s);
    put_int(s, stmt, 1, now);
    put_text(s, stmt, 2, host_name);
    return store_run(s, stmt);
}

/* ---- cursors ---- */

enum db_outcome store_set_cursor(struct report_store *s, const char *host_name, const char *source,
                                 const char *position, int64_t now)
{
    struct db_stmt *stmt = store_upsert(s, &s->put_cursor, "jg_cursor", "host_name source", UPSERT_REPLACE);

    if (!stmt)
        return store_failed(s);
    if (strlen(position) >= STORE_POSITION_SIZE)
        return store_fail(s, DB_FAILED, "a cursor is longer than STORE_POSITION_SIZE");
    put_text(s, stmt, 1, host_name);
    put_text(s, stmt, 2, source);
    put_text(s, stmt, 3, position);
    put_int(s, stmt, 4, now);
    return store_run(s, stmt);
}

enum db_outcome store_get_cursor(struct report_store *s, const char *host_name, const char *source,
                                 char position[STORE_POSITION_SIZE])
{
    struct db_stmt *stmt =
        store_stmt(s, "SELECT \"position\" FROM \"jg_cursor\" WHERE \"host_name\" = ? AND \"source\" = ?");

    position[0] = '\0';
    if (!stmt)
        return store_failed(s);
    put_text(s, stmt, 1, host_name);
    put_text(s, stmt, 2, source);
    enum db_outcome outcome = s->db->ops->step(stmt);
    const char *text = outcome == DB_ROW ? get_text(s, stmt, 0) : NULL;
    if (text)
        (void)text_copy(position, STORE_POSITION_SIZE, text);
    s->db->ops->reset(stmt);
    return outcome == DB_ROW ? DB_OK : outcome;
}

/* ---- todo ---- */

enum db_outcome store_todo_add_absent(struct report_store *s, const char *host_name, const char *lsid,
                                      const char *why, int64_t next_at, bool *added)
{
    struct db_stmt *stmt =
        store_stmt(s, "INSERT INTO \"jg_todo\" (\"host_name\", \"lsid\", \"why\", \"tries\", \"next_at\") "
                      "SELECT ?, ?, ?, 0, CAST(? AS bigint) WHERE NOT EXISTS "
                      "(SELECT 1 FROM \"jg_todo\" WHERE \"host_name\" = ? AND \"lsid\" = ?)");

    if (!stmt)
        return store_failed(s);
    put_text(s, stmt, 1, host_name);
    put_text(s, stmt, 2, lsid);
    put_cut(s, stmt, 3, why, 32);
    put_int(s, stmt, 4, next_at);
    put_text(s, stmt, 5, host_name);
    put_text(s, stmt, 6, lsid);
    enum db_outcome outcome = store_run(s, stmt);
    *added = outcome == DB_OK && s->db->ops->changes(s->db) > 0;
    return outcome;
}

enum db_outcome store_todo_add(struct report_store *s, const char *host_name, const char *lsid,
                               const char *why, int64_t next_at, bool *added)
{
    bool new = false;
    enum db_outcome outcome = store_todo_add_absent(s, host_name, lsid, why, next_at, &new);

    if (added)
        *added = new;
    if (outcome != DB_OK || new)
        return outcome;
    struct db_stmt *stmt = store_stmt(s, "UPDATE \"jg_todo\" SET \"next_at\" = ?, \"why\" = ? WHERE "
                                         "\"host_name\" = ? AND \"lsid\" = ? AND \"next_at\" > ? AND "
                                         "\"tries\" = 0");
    if (!stmt)
        return store_failed(s);
    put_int(s, stmt, 1, next_at);
    put_cut(s, stmt, 2, why, 32);
    put_text(s, stmt, 3, host_name);
    put_text(s, stmt, 4, lsid);
    put_int(s, stmt, 5, next_at);
    return store_run(s, stmt);
}

enum db_outcome store_todo_failed(struct report_store *s, const char *host_name, const char *lsid,
                                  const char *error, int64_t next_at)
{
    struct db_stmt *stmt =
        store_stmt(s, "UPDATE \"jg_todo\" SET \"tries\" = \"tries\" + 1, \"error\" = ?, \"next_at\" = ? "
                      "WHERE \"host_name\" = ? AND \"lsid\" = ?");

    if (!stmt)
        return store_failed(s);
    put_cut(s, stmt, 1, error, 1024);
    put_int(s, stmt, 2, next_at);
    put_text(s, stmt, 3, host_name);
    put_text(s, stmt, 4, lsid);
    return store_run(s, stmt);
}

enum db_outcome store_todo_done(struct report_store *s, const char *host_name, const char *lsid)
{
    struct db_stmt *stmt = store_stmt(s, "DELETE FROM \"jg_todo\" WHERE \"host_name\" = ? AND \"lsid\" = ?");

    if (!stmt)
        return store_failed(s);
    put_text(s, stmt, 1, host_name);
    put_text(s, stmt, 2, lsid);
    return store_run(s, stmt);
}

enum db_outcome store_todo_due(struct report_store *s, const char *host_name, int64_t now, int limit,
                               int (*row)(void *arg, const struct store_todo *), void *arg)
{
    struct db_stmt *stmt =
        store_stmt(s, "SELECT \"lsid\", \"why\", \"tries\", \"next_at\", \"error\" FROM \"jg_todo\" WHERE "
                      "\"host_name\" = ? AND \"next_at\" <= ? ORDER BY \"next_at\", \"lsid\"{}");
    enum db_outcome outcome;

    if (!stmt)
        return store_failed(s);
    put_text(s, stmt, 1, host_name);
    put_int(s, stmt, 2, now);
    put_int(s, stmt, 3, limit);
    while ((outcome = s->db->ops->step(stmt)) == DB_ROW) {
        const struct store_todo todo = {.lsid = get_text(s, stmt, 0),
                                        .why = get_text(s, stmt, 1),
                                        .tries = get_int(s, stmt, 2),
                                        .next_at = get_int(s, stmt, 3),
                                        .error = get_text(s, stmt, 4)};
        if (row(arg, &todo))
            break;
    }
    s->db->ops->reset(stmt);
    return outcome == DB_ROW ? DB_OK : outcome;
}

enum db_outcome store_todo_count(struct report_store *s, const char *host_name, int64_t tries, int64_t *all,
                                 int64_t *failed)
{
    struct db_stmt *stmt = store_stmt(
        s, "SELECT count(*), coalesce(sum(CASE WHEN \"tries\" >= ? THEN 1 ELSE 0 END), 0) FROM \"jg_todo\" "
           "WHERE \"host_name\" = ?");

    *all = *failed = 0;
    if (!stmt)
        return store_failed(s);
    put_int(s, stmt, 1, tries);
    put_text(s, stmt, 2, host_name);
    enum db_outcome outcome = s->db->ops->step(stmt);
    if (outcome == DB_ROW) {
        *all = s->db->ops->column_int(stmt, 0);
        *failed = s->db->ops->column_int(stmt, 1);
    }
    s->db->ops->reset(stmt);
    return outcome == DB_ROW ? DB_OK : outcome;
}
