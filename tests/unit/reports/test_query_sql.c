/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_query_sql.c - the statements of queries for each engine against a golden file, and the indexes that
 * SQLite takes for them.
 *
 * With JG_WRITE_GOLDEN=1 the golden file is written instead of compared.
 */
#include "check.h"
#include "reports/query/query.h"
#include "reports_rig.h"

#include <stdlib.h>
#include <string.h>

/* ---- an engine that notes what it is asked, and finds nothing ---- */

struct noted {
    struct db db; /* first */
    struct buf texts;
};

static enum db_outcome note_prepare(struct db *db, const char *sql, struct db_stmt **stmt)
{
    struct noted *noted = (struct noted *)(void *)db;

    (void)buf_printf(&noted->texts, "%s\n", sql);
    *stmt = (struct db_stmt *)(void *)noted;
    return DB_OK;
}

static enum db_outcome note_begin(struct db *db, bool write)
{
    (void)db;
    assert_false(write);
    return DB_OK;
}

static void nothing_rolled_back(struct db *db)
{
    (void)db;
}

static void nothing_finalized(struct db_stmt *stmt)
{
    (void)stmt;
}

static void no_int(struct db_stmt *stmt, int n, int64_t value)
{
    (void)stmt;
    (void)n;
    (void)value;
}

static void no_text(struct db_stmt *stmt, int n, const char *text, size_t len)
{
    (void)stmt;
    (void)n;
    assert_int_equal(strlen(text), len);
}

static enum db_outcome no_row(struct db_stmt *stmt)
{
    (void)stmt;
    return DB_OK;
}

static const struct db_ops note_ops = {.begin = note_begin,
                                       .rollback = nothing_rolled_back,
                                       .prepare = note_prepare,
                                       .finalize = nothing_finalized,
                                       .bind_int = no_int,
                                       .bind_text = no_text,
                                       .step = no_row};

static const char *const hosts[] = {"pra.example.com", "vendor.example.org"};
static const struct query_context everything = {
    .now = 1801785600, .time_zone = "UTC", .all_hosts = true, .late_release = 300, .unmatched_after = 3600};
static const struct query_context limited = {.now = 1801785600,
                                             .time_zone = "UTC",
                                             .hosts = hosts,
                                             .nhosts = 2,
                                             .late_release = 300,
                                             .unmatched_after = 3600};

static void note(struct noted *noted, enum query_call call, const char *name, const char *text,
                 const struct query_context *ctx)
{
    struct query *q;
    struct query_error error;
    struct buf json = BUF_INIT(1 << 20);

    if (query_parse(call, name, text, ctx, &q, &error) != QUERY_OK)
        fail_msg("%s?%s: %s %s", name ? name : "", text, error.parameter, error.why);
    enum query_outcome outcome = call == QUERY_TILE      ? query_tile(&noted->db, q, &json, NULL)
                                 : call == QUERY_RECORDS ? query_records(&noted->db, q, &json, NULL)
                                 : call == QUERY_VALUES
                                     ? query_values(&noted->db, q, "user", &json, NULL)
                                     : query_session(&noted->db, q, hosts[0], "l", &json, NULL);
    assert_int_equal(outcome, call == QUERY_SESSION ? QUERY_NOT_FOUND : QUERY_OK);
    query_free(q);
    buf_free(&json);
}

static const struct {
    enum query_call call;
    const char *name, *text;
    bool limited;
} asked[] = {
    {QUERY_TILE, "sessions_over_time", "from=2026-06-17T08:10:00Z&to=2026-06-17T08:55:00Z", false},
    {QUERY_TILE, "running_now", "", true},
    {QUERY_TILE, "by_site", "range=12m&group=Linux", false},
    {QUERY_TILE, "top_users", "range=12m", true},
    {QUERY_TILE, "durations", "range=all", false},
    {QUERY_TILE, "injection_failures", "range=7d&user=alice", false},
    {QUERY_TILE, "file_transfers", "range=all", false},
    {QUERY_TILE, "config_changes", "range=7d", false},
    {QUERY_TILE, "late_releases", "range=7d", true},
    {QUERY_RECORDS, "sessions", "sort=user&f.user=notin:a,b&f.endpoint=contains:x&f.duration=empty:", false},
    {QUERY_RECORDS, "events", "range=all&columns=timestamp,failure_reason,user", true},
    {QUERY_RECORDS, "credential_use", "f.late_seconds=ge:5&columns=lease_id,late_seconds", false},
    {QUERY_VALUES, "events", "prefix=a", true},
    {QUERY_SESSION, NULL, "", false},
};

TEST(golden_file_of_queries)
{
    struct buf all = BUF_INIT(1 << 20);
    bool write = getenv("JG_WRITE_GOLDEN");

    for (int i = 0; i < DB_NENGINES; i++) {
        struct noted noted = {.db = {.ops = &note_ops, .dialect = dialect_of((enum db_engine)i)},
                              .texts = BUF_INIT(1 << 20)};
        (void)buf_printf(&all, "-- %s\n", noted.db.dialect->name);
        for (size_t k = 0; k < sizeof(asked) / sizeof(*asked); k++)
            note(&noted, asked[k].call, asked[k].name, asked[k].text,
                 asked[k].limited ? &limited : &everything);
        (void)buf_append(&all, noted.texts.data, noted.texts.len);
        buf_free(&noted.texts);
    }
    FILE *file = fopen("reports/queries.sql", write ? "w" : "r");
    char *golden = calloc(1, all.len + 2);
    assert_non_null(file);
    assert_non_null(golden);
    if (write) {
        assert_int_equal(fwrite(all.data, 1, all.len, file), all.len);
    } else {
        size_t n = fread(golden, 1, all.len + 1, file);
        if (n != all.len || memcmp(golden, all.data, n) != 0)
            fail_msg("reports/queries.sql has other statements; JG_WRITE_GOLDEN=1 writes it");
    }
    assert_int_equal(fclose(file), 0);
    free(golden);
    buf_free(&all);
}

/* ---- plans ---- */

static void plan_of(struct db *db, const char *sql, struct buf *plan)
{
    struct buf text = BUF_INIT(1 << 20);
    struct db_stmt *stmt;

    (void)buf_printf(&text, "EXPLAIN QUERY PLAN %s", sql);
    if (db->ops->prepare(db, buf_cstr(&text), &stmt) != DB_OK)
        fail_msg("%s: %s", sql, db->error.text);
    while (db->ops->step(stmt) == DB_ROW)
        (void)buf_printf(plan, "%s\n", db->ops->column_text(stmt, 3, NULL));
    db->ops->finalize(stmt);
    buf_free(&text);
}

TEST(queries_follow_their_indexes)
{
    static const struct {
        enum query_call call;
        const char *name, *text;
        bool limited;
        const char *uses[3], *not ;
    } cases[] = {
        {QUERY_RECORDS,
         "sessions",
         "",
         false,
         {"jg_session_start (start_unix>? AND start_unix<?)"},
         "FOR ORDER BY"},
        {QUERY_RECORDS, "sessions", "site=pra.example.com", false, {"jg_session_start"}, "FOR ORDER BY"},
        {QUERY_RECORDS, "sessions", "range=all&sort=user", false, {"jg_session_user"}, "FOR ORDER BY"},
        {QUERY_RECORDS, "sessions", "range=all&sort=-user", true, {"jg_session_user"}, "FOR ORDER BY"},
        {QUERY_RECORDS,
         "sessions",
         "range=all&sort=endpoint",
         false,
         {"jg_session_endpoint"},
         "FOR ORDER BY"},
        {QUERY_RECORDS,
         "sessions",
         "range=all&sort=-jump_group",
         false,
         {"jg_session_group"},
         "FOR ORDER BY"},
        {QUERY_RECORDS,
         "sessions",
         "range=all&sort=-duration",
         false,
         {"jg_session_duration (duration_seconds>?)"},
         "SCAN s"},
        {QUERY_RECORDS,
         "sessions",
         "range=all&sort=end_time",
         false,
         {"jg_session_end (end_unix>?)"},
         "SCAN s"},
        {QUERY_RECORDS,
         "sessions",
         "user=alice",
         false,
         {"jg_session_user (user_name=? AND start_unix>? AND start_unix<?)"},
         "FOR ORDER BY"},
        {QUERY_RECORDS, "sessions", "group=Linux", false, {"jg_session_group"}, "SCAN s"},
        {QUERY_RECORDS,
         "events",
         "",
         false,
         {"jg_event_time (timestamp_unix>? AND timestamp_unix<?)", "s USING INTEGER PRIMARY KEY"},
         "FOR ORDER BY"},
        {QUERY_RECORDS, "events", "", true, {"jg_event_time", "s USING INTEGER PRIMARY KEY"}, "FOR ORDER BY"},
        {QUERY_RECORDS,
         "events",
         "user=alice",
         false,
         {"jg_session_user (user_name=?", "session_event__session_id_ndx"},
         "SCAN t"},
        {QUERY_TILE, "running_now", "", false, {"COVERING INDEX jg_session_open (state=?)"}, "SCAN"},
        {QUERY_TILE, "running_now", "group=Linux", false, {"jg_session_open (state=?)"}, "jg_session_group"},
        {QUERY_TILE,
         "late_releases",
         "range=7d&group=Linux",
         false,
         {"jg_use_checkout (checkout_unix>?", "s USING INTEGER PRIMARY KEY"},
         "jg_session_group"},
        {QUERY_TILE,
         "top_endpoints",
         "from=2026-06-17T08:10:00Z&to=2026-06-17T08:55:00Z",
         false,
         {"COVERING INDEX jg_session_start (start_unix>? AND start_unix<?)"},
         "SCAN s"},
        {QUERY_TILE,
         "top_users",
         "range=7d&user=alice",
         false,
         {"jg_session_user (user_name=? AND start_unix>?"},
         "SCAN s"},
        {QUERY_TILE,
         "by_site",
         "from=2026-06-17T08:10:00Z&to=2026-06-17T08:55:00Z",
         false,
         {"COVERING INDEX jg_session_start (start_unix>? AND start_unix<?)"},
         "SCAN s"},
        {QUERY_TILE,
         "by_type",
         "from=2026-01-17T08:10:00Z&to=2026-09-17T08:55:00Z",
         false,
         {"jg_tally", "jg_session_start"},
         "SCAN s"},
        {QUERY_TILE,
         "event_types",
         "from=2026-01-17T08:10:00Z&to=2026-09-17T08:55:00Z",
         false,
         {"jg_tally", "COVERING INDEX jg_event_time"},
         "SCAN t"},
        {QUERY_TILE, "vault_activity", "range=7d", true, {"COVERING INDEX jg_vault_activity_time"}, "SCAN t"},
        {QUERY_TILE, "config_changes", "range=7d", false, {"COVERING INDEX jg_syslog_time"}, "SCAN t"},
        {QUERY_TILE, "late_releases", "range=7d", false, {"jg_use_checkout"}, "SCAN t"},
        {QUERY_RECORDS,
         "sessions",
         "range=all&f.outside_hours=eq:true",
         false,
         {"jg_session_outside"},
         "FOR ORDER BY"},
        {QUERY_RECORDS,
         "sessions",
         "range=all&f.injections_failed=ge:1",
         false,
         {"jg_session_failed"},
         "FOR ORDER BY"},
        {QUERY_VALUES,
         "sessions",
         "",
         false,
         {"COVERING INDEX jg_session_user (user_name>?)"},
         "FOR ORDER BY"},
        {QUERY_SESSION, NULL, "", false, {"jg_session_key (host_name=? AND lsid=?)"}, "SCAN"},
    };
    struct reports_rig rig;

    rig_make(&rig);
    assert_true(rig_open(&rig, true));
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct noted noted = {.db = {.ops = &note_ops, .dialect = dialect_of(DB_SQLITE)},
                              .texts = BUF_INIT(1 << 20)};
        struct buf plan = BUF_INIT(1 << 20);
        case_label("%s?%s", cases[i].name ? cases[i].name : "a session", cases[i].text);
        note(&noted, cases[i].call, cases[i].name, cases[i].text, cases[i].limited ? &limited : &everything);
        for (char *line = (char *)buf_cstr(&noted.texts), *next; *line; line = next) {
            next = strchr(line, '\n');
            *next++ = '\0';
            plan_of(store_db(rig.store), line, &plan);
        }
        const char *text = buf_cstr(&plan);
        for (size_t k = 0; k < 3 && cases[i].uses[k]; k++)
            if (!strstr(text, cases[i].uses[k]))
                fail_msg("%s?%s\n`%s` is not in\n%s", cases[i].name, cases[i].text, cases[i].uses[k], text);
        if (strstr(text, cases[i].not ))
            fail_msg("%s?%s\n`%s` is in\n%s", cases[i].name, cases[i].text, cases[i].not, text);
        buf_free(&plan);
        buf_free(&noted.texts);
    }
    rig_remove(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden_file_of_queries),
        cmocka_unit_test(queries_follow_their_indexes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
