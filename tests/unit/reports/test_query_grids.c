/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_query_grids.c - pages of grids under writers, filters, totals, exports, values, the page of a session.
 */
#include "base/json.h"
#include "check.h"
#include "reports/query_rig.h"

#include <stdlib.h>
#include <string.h>

#define SESSIONS 500

static struct query_rig rig;

static int setup(void **state)
{
    (void)state;
    query_rig_make(&rig, 11);
    query_rig_sessions(&rig, SESSIONS);
    query_rig_activity(&rig);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    query_rig_end(&rig);
    return 0;
}

static const cJSON *member(const cJSON *object, const char *name)
{
    const cJSON *m = cJSON_GetObjectItem(object, name);

    if (!m)
        fail_msg("no member `%s`", name);
    return m;
}

static const char *text_of(const cJSON *object, const char *name)
{
    return cJSON_IsString(member(object, name)) ? member(object, name)->valuestring : "(null)";
}

static int64_t total_of(const char *dataset, const char *query)
{
    cJSON *page = query_rig_records(&rig, dataset, query);
    int64_t total = (int64_t)member(page, "total")->valuedouble;

    cJSON_Delete(page);
    return total;
}

/* ---- pages ---- */

#define KEPT_MAX 4000

struct walk {
    char *ids[KEPT_MAX];
    int n;
};

static void walk_free(struct walk *w)
{
    for (int i = 0; i < w->n; i++)
        free(w->ids[i]);
    w->n = 0;
}

/* What tells one row from another, of any dataset: all of it. */
static void keep_rows(struct walk *w, const cJSON *page, bool turned)
{
    const cJSON *rows = member(page, "rows");
    int n = cJSON_GetArraySize(rows);

    for (int i = 0; i < n && w->n < KEPT_MAX; i++)
        w->ids[w->n++] = cJSON_PrintUnformatted(cJSON_GetArrayItem(rows, turned ? n - 1 - i : i));
}

/* Follows `next` or `previous` to the end; `between` is called between two pages. */
static void walk_pages(struct walk *w, const char *dataset, const char *query, const char *from,
                       const char *direction, void (*between)(void))
{
    char text[8192], cursor[4096];
    const char *parameter = strcmp(direction, "next") == 0 ? "after" : "before";

    (void)snprintf(cursor, sizeof(cursor), "%s", from ? from : "");
    do {
        (void)snprintf(text, sizeof(text), "%s%s%s%s%s", query, *cursor ? "&" : "", *cursor ? parameter : "",
                       *cursor ? "=" : "", cursor);
        cJSON *page = query_rig_records(&rig, dataset, text);
        keep_rows(w, page, strcmp(parameter, "before") == 0);
        const cJSON *next = member(page, direction);
        (void)snprintf(cursor, sizeof(cursor), "%s", cJSON_IsString(next) ? next->valuestring : "");
        cJSON_Delete(page);
        if (between)
            between();
    } while (*cursor);
}

/* The cursor of the last page that has one. */
static void last_cursor(const char *dataset, const char *query, char cursor[4096])
{
    char text[8192];

    *cursor = '\0';
    for (;;) {
        (void)snprintf(text, sizeof(text), "%s%s%s", query, *cursor ? "&after=" : "", cursor);
        cJSON *page = query_rig_records(&rig, dataset, text);
        const cJSON *next = member(page, "next"), *previous = member(page, "previous");
        bool more = cJSON_IsString(next);
        (void)snprintf(cursor, 4096, "%s",
                       more                       ? next->valuestring
                       : cJSON_IsString(previous) ? previous->valuestring
                                                  : "");
        cJSON_Delete(page);
        if (!more)
            return;
    }
}

static void same(const struct walk *a, const struct walk *b, int skip)
{
    assert_int_equal(a->n - skip, b->n);
    for (int i = 0; i < b->n; i++)
        assert_string_equal(a->ids[i], b->ids[b->n - 1 - i]);
}

static const struct {
    const char *dataset, *query;
} orders[] = {
    {"sessions", "range=all&sort=-start_time&limit=47&columns=lsid,start_time"},
    {"sessions", "range=all&sort=start_time&limit=47&columns=lsid,start_time"},
    {"sessions", "range=all&sort=end_time&limit=47&columns=lsid,end_time"},
    {"sessions", "range=all&sort=-end_time&limit=47&columns=lsid,end_time"},
    {"sessions", "range=all&sort=duration&limit=61&columns=duration,lsid"},
    {"sessions", "range=all&sort=-duration&limit=61&columns=duration,lsid"},
    {"sessions", "range=all&sort=user&limit=43&columns=user,lsid"},
    {"sessions", "range=all&sort=-user&limit=43&columns=user,lsid"},
    {"sessions", "range=all&sort=-endpoint&limit=43&columns=lsid,endpoint"},
    {"sessions", "range=all&sort=endpoint&group=Linux&limit=43&columns=endpoint,lsid"},
    {"sessions", "range=all&sort=jump_group&limit=43&columns=lsid,jump_group&f.state=ne:running"},
    {"events", "range=all&sort=timestamp&limit=199&columns=timestamp,type,lsid,failure_reason"},
    {"vault_activity", "range=all&limit=33"},
    {"accounts", "limit=9&sort=last_used"},
    {"accounts", "limit=9&sort=-gone_at"},
    {"syslog", "range=all&limit=77"},
    {"credential_use", "range=all&limit=31&sort=-checkin"},
    {"credential_use", "range=all&limit=31&sort=released&columns=lease_id,late_seconds"},
    {"team", "range=all&limit=31"},
};

TEST(pages_forward_and_back_are_one_sorted_whole)
{
    for (size_t i = 0; i < sizeof(orders) / sizeof(*orders); i++) {
        struct walk forward = {.n = 0}, back = {.n = 0};
        char cursor[4096], whole[1024];
        case_label("%s %s", orders[i].dataset, orders[i].query);
        walk_pages(&forward, orders[i].dataset, orders[i].query, NULL, "next", NULL);
        assert_int_equal(forward.n, total_of(orders[i].dataset, orders[i].query));
        assert_true(forward.n > 10);
        last_cursor(orders[i].dataset, orders[i].query, cursor);
        assert_true(*cursor);
        /* Back from the first row of the last page: all rows before it. */
        walk_pages(&back, orders[i].dataset, orders[i].query, cursor, "previous", NULL);
        same(&forward, &back, forward.n - back.n);
        assert_true(back.n > 0 && forward.n - back.n <= 200);
        /* An export without limit has the same rows in the same order. */
        const char *limit = strstr(orders[i].query, "limit=");
        (void)snprintf(whole, sizeof(whole), "%.*s%s", (int)(limit - orders[i].query), orders[i].query,
                       limit + strcspn(limit, "&"));
        char *text = query_rig_export(&rig, orders[i].dataset, whole, QUERY_NDJSON), *line = text;
        for (int row = 0; row < forward.n; row++) {
            char *end = strchr(line, '\n');
            assert_non_null(end);
            *end = '\0';
            assert_string_equal(line, forward.ids[row]);
            line = end + 1;
        }
        assert_int_equal(*line, '\0');
        free(text);
        walk_free(&forward);
        walk_free(&back);
    }
}

/* A group of so many that its sessions are read in the order asked for, not by the group's index. */
TEST(a_group_of_many_sessions_comes_in_every_order)
{
    static const char *const sorts[] = {"endpoint", "-endpoint", "-duration", "end_time"};
    struct walk all = {.n = 0};

    rig_exec(
        &rig.store,
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1100) INSERT INTO "
        "\"session\" (\"id\", \"lsid\", \"host_name\", \"public_site_id\", \"public_site_name\", "
        "\"jump_group_name\", \"endpoint_name\", \"start_unix\", \"end_unix\", \"duration_seconds\", "
        "\"jump_item_type\", \"state\", \"injections\", \"injections_failed\", \"outside_hours\", "
        "\"has_recording\", \"digest\", \"revision\", \"stored_at\", \"fetched_at\", \"changed_at\", "
        "\"seq\") SELECT 9000000 + i, 'crowd-' || i, 'pra.example.com', 1, 'Default', 'crowd', CAST(1000000 "
        "+ i * 7919 % 1100 AS text), 1790000000, 1790000000 + i * 7919 % 1100, i * 7919 % 1100, "
        "'shell-jump', 'closed', 0, 0, 0, 0, 'x', 1, 1, 1, 1, 1 FROM n");
    for (size_t i = 0; i < sizeof(sorts) / sizeof(*sorts); i++) {
        char query[128], expected[64];
        (void)snprintf(query, sizeof(query), "range=all&group=crowd&limit=200&columns=endpoint&sort=%s",
                       sorts[i]);
        case_label("%s", sorts[i]);
        walk_pages(&all, "sessions", query, NULL, "next", NULL);
        assert_int_equal(all.n, 1100);
        for (int row = 0; row < all.n; row++) {
            int number = sorts[i][0] == '-' ? 1099 - row : row;
            (void)snprintf(expected, sizeof(expected), "{\"endpoint\":\"%d\"}", 1000000 + number);
            assert_string_equal(all.ids[row], expected);
        }
        walk_free(&all);
    }
    rig_exec(&rig.store, "DELETE FROM \"session\" WHERE \"jump_group_name\" = 'crowd'");
}

TEST(rows_without_a_value_come_first_upwards_and_last_downwards)
{
    cJSON *up = query_rig_records(&rig, "sessions", "range=all&sort=user&columns=user&limit=1"),
          *down = query_rig_records(&rig, "sessions", "range=all&sort=-user&columns=user&limit=1");

    assert_true(cJSON_IsNull(member(cJSON_GetArrayItem(member(up, "rows"), 0), "user")));
    assert_false(cJSON_IsNull(member(cJSON_GetArrayItem(member(down, "rows"), 0), "user")));
    cJSON_Delete(up);
    cJSON_Delete(down);
}

static void store_more(void)
{
    (void)query_rig_session(&rig, RIG_NOW - 3, "zoe");
    (void)query_rig_session(&rig, RIG_T0, "aaron");
}

TEST(rows_that_come_meanwhile_move_no_page)
{
    static const char *const queries[] = {"range=all&sort=-start_time&limit=50&columns=lsid",
                                          "range=all&sort=user&limit=50&columns=lsid",
                                          "range=all&sort=-duration&limit=50&columns=lsid"};

    for (size_t i = 0; i < sizeof(queries) / sizeof(*queries); i++) {
        struct walk before = {.n = 0}, during = {.n = 0};
        case_label("%s", queries[i]);
        walk_pages(&before, "sessions", queries[i], NULL, "next", NULL);
        walk_pages(&during, "sessions", queries[i], NULL, "next", store_more);
        /* Each row that was there is there once, in its order; new ones may be between. */
        int at = 0;
        for (int row = 0; row < during.n && at < before.n; row++)
            if (strcmp(during.ids[row], before.ids[at]) == 0)
                at++;
        assert_int_equal(at, before.n);
        for (int a = 1; a < during.n; a++)
            assert_string_not_equal(during.ids[a], during.ids[a - 1]);
        walk_free(&before);
        walk_free(&during);
    }
}

TEST(a_page_without_rows_before_or_behind_has_no_cursor_there)
{
    cJSON *page = query_rig_records(&rig, "sessions", "range=all&f.user=eq:nobody");

    assert_true(cJSON_IsNull(member(page, "next")));
    assert_true(cJSON_IsNull(member(page, "previous")));
    assert_int_equal((int)member(page, "total")->valuedouble, 0);
    cJSON_Delete(page);
    page = query_rig_records(&rig, "sessions", "range=all&limit=200&f.user=eq:alice");
    assert_true(cJSON_IsNull(member(page, "next")));
    assert_true(cJSON_IsNull(member(page, "previous")));
    cJSON_Delete(page);
}

/* ---- cursors ---- */

TEST(a_cursor_that_was_changed_or_belongs_elsewhere_is_refused)
{
    static const char *const elsewhere[] = {
        "range=all&sort=start_time&after=%s", "range=12m&after=%s", "range=all&user=alice&after=%s",
        "range=all&f.state=eq:closed&after=%s", "range=all&site=pra.example.com&after=%s"};
    cJSON *page = query_rig_records(&rig, "sessions", "range=all&limit=5");
    char cursor[1024], text[2048];

    (void)snprintf(cursor, sizeof(cursor), "%s", text_of(page, "next"));
    cJSON_Delete(page);
    (void)snprintf(text, sizeof(text), "range=all&limit=7&columns=lsid&tz=Europe/Berlin&after=%s", cursor);
    assert_int_equal(query_rig_parse(&rig, QUERY_RECORDS, "sessions", text), QUERY_OK);
    for (size_t i = 0; i < sizeof(elsewhere) / sizeof(*elsewhere); i++) {
        const char *place = strstr(elsewhere[i], "%s");
        case_label("%s", elsewhere[i]);
        (void)snprintf(text, sizeof(text), "%.*s%s", (int)(place - elsewhere[i]), elsewhere[i], cursor);
        assert_int_equal(query_rig_parse(&rig, QUERY_RECORDS, "sessions", text), QUERY_INVALID_CURSOR);
        assert_string_equal(rig.error.parameter, "after");
    }
    (void)snprintf(text, sizeof(text), "range=all&after=%s", cursor);
    assert_int_equal(query_rig_parse(&rig, QUERY_RECORDS, "events", text), QUERY_INVALID_CURSOR);
    for (size_t i = strlen("range=all&after="); i < strlen(text); i++) {
        char kept = text[i];
        text[i] = kept == '0' ? '1' : '0';
        assert_int_equal(query_rig_parse(&rig, QUERY_RECORDS, "sessions", text), QUERY_INVALID_CURSOR);
        text[i] = kept;
    }
    text[strlen(text) - 2] = '\0';
    assert_int_equal(query_rig_parse(&rig, QUERY_RECORDS, "sessions", text), QUERY_INVALID_CURSOR);
    assert_int_equal(query_rig_parse(&rig, QUERY_RECORDS, "sessions", "before=x"), QUERY_INVALID_CURSOR);
}

/* ---- filters ---- */

TEST(filters_leave_what_they_say)
{
    static const struct {
        const char *dataset, *query, *sql;
    } cases[] = {
        {"sessions", "f.user=eq:carol, the first", "FROM session WHERE user_name = 'carol, the first'"},
        {"sessions", "f.user=ne:alice", "FROM session WHERE user_name <> 'alice' OR user_name IS NULL"},
        {"sessions", "f.user=in:alice,carol%5C, the first,back%5C%5Cslash",
         "FROM session WHERE user_name IN ('alice', 'carol, the first', 'back\\slash')"},
        {"sessions", "f.user=notin:alice,bob,",
         "FROM session WHERE user_name NOT IN ('alice', 'bob') AND user_name IS NOT NULL"},
        {"sessions", "f.user=in:,alice", "FROM session WHERE user_name = 'alice' OR user_name IS NULL"},
        {"sessions", "f.user=empty", "FROM session WHERE user_name IS NULL"},
        {"sessions", "f.user=empty:no", "FROM session WHERE user_name IS NOT NULL"},
        {"sessions", "f.user=eq:", "FROM session WHERE user_name IS NULL"},
        {"sessions", "f.endpoint=contains:RV-", "FROM session WHERE lower(endpoint_name) LIKE '%rv-%'"},
        {"sessions", "f.endpoint=starts:srv",
         "FROM session WHERE endpoint_name IN ('srv-1', 'srv-2', 'SRV-3')"},
        {"sessions", "f.endpoint=contains:_", "FROM session WHERE endpoint_name = 'x_1'"},
        {"sessions", "f.endpoint=contains:%25", "FROM session WHERE endpoint_name = 'x%1'"},
        {"sessions", "f.endpoint=contains:%5C", "FROM session WHERE endpoint_name = 'db\\2'"},
        {"sessions", "f.endpoint=contains:k\u00fc", "FROM session WHERE endpoint_name = 'k\u00fche'"},
        {"sessions", "f.endpoint=contains:k\u00dc", "FROM session WHERE 1 = 0"},
        {"sessions", "f.duration=ge:28800", "FROM session WHERE duration_seconds >= 28800"},
        {"sessions", "f.duration=between:60,299", "FROM session WHERE duration_seconds BETWEEN 60 AND 299"},
        {"sessions", "f.duration=empty:", "FROM session WHERE duration_seconds IS NULL"},
        {"sessions", "f.duration=in:0,60,",
         "FROM session WHERE duration_seconds IN (0, 60) OR duration_seconds IS NULL"},
        {"sessions", "f.outside_hours=eq:true", "FROM session WHERE outside_hours = 1"},
        {"sessions", "f.outside_hours=ne:1", "FROM session WHERE outside_hours = 0"},
        {"sessions", "f.start_time=ge:2026-06-01T00:00:00Z&f.start_time=le:2026-07-01T00:00:00Z",
         "FROM session WHERE start_unix BETWEEN 1780272000 AND 1782864000"},
        {"sessions", "f.start_time=ge:2026-06-01T00:00:00%2B02:00",
         "FROM session WHERE start_unix >= 1780264800"},
        {"sessions", "f.site=eq:PRA.Example.COM", "FROM session WHERE host_name = 'pra.example.com'"},
        {"sessions", "group=&group=Linux",
         "FROM session WHERE jump_group_name = 'Linux' OR jump_group_name IS NULL"},
        {"events", "f.user=eq:alice&f.type=starts:file ",
         "FROM session_event e JOIN session s ON s.id = e.session_id WHERE s.user_name = 'alice' AND "
         "lower(e.type) LIKE 'file %'"},
        {"events", "user=bob&f.failure_reason=eq:wrong, password",
         "FROM session_event e JOIN session s ON s.id = e.session_id WHERE s.user_name = 'bob' AND EXISTS "
         "(SELECT 1 FROM session_event_data d WHERE d.session_event_id = e.id AND d.name = 'failure_reason' "
         "AND d.value = 'wrong, password')"},
        {"accounts", "f.last_used=empty:&f.type=ne:ssh",
         "FROM jg_vault_account WHERE last_used_unix IS NULL AND (type <> 'ssh' OR type IS NULL)"},
        {"accounts", "user=ignored&range=24h", "FROM jg_vault_account"},
        {"syslog", "f.config_change=eq:true",
         "FROM jg_syslog_event WHERE event LIKE '%\\_added' ESCAPE '\\' OR "
         "event LIKE '%\\_changed' ESCAPE '\\' OR event LIKE '%\\_removed' ESCAPE '\\'"},
        {"credential_use", "f.late_seconds=ge:301",
         "FROM jg_credential_use u JOIN session s ON s.id = u.session_id WHERE coalesce(u.checkin_unix, "
         "1801785600) - s.end_unix > 300"},
        {"credential_use", "site=pra.example.com",
         "FROM jg_credential_use u JOIN session s ON s.id = u.session_id WHERE s.host_name = "
         "'pra.example.com'"},
    };
    char query[1024], sql[1024];

    assert_int_equal(RIG_NOW, 1801785600);
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        case_label("%s %s", cases[i].dataset, cases[i].query);
        bool ranged = strstr(cases[i].query, "range=");
        (void)snprintf(query, sizeof(query), "%s%s", ranged ? "" : "range=all&", cases[i].query);
        (void)snprintf(sql, sizeof(sql), "SELECT count(*) %s", cases[i].sql);
        int64_t expected = rig_int(&rig.store, sql), total = total_of(cases[i].dataset, query);
        assert_int_equal(total, expected);
        if (!strstr(sql, "1 = 0"))
            assert_true(expected > 0);
    }
}

TEST(columns_come_as_chosen_with_their_types)
{
    cJSON *page = query_rig_records(&rig, "sessions",
                                    "range=all&f.user=eq:alice&limit=1&tz=Asia/"
                                    "Kolkata&columns=lsid,duration,start_time,outside_hours,site");
    const cJSON *columns = member(page, "columns"), *row = cJSON_GetArrayItem(member(page, "rows"), 0);
    static const char *const types[] = {"text", "duration", "time", "bool", "text"};

    for (int i = 0; i < 5; i++)
        assert_string_equal(text_of(cJSON_GetArrayItem(columns, i), "type"), types[i]);
    assert_string_equal(text_of(cJSON_GetArrayItem(columns, 0), "title"), "Session");
    assert_non_null(strstr(text_of(row, "start_time"), "+05:30"));
    assert_true(cJSON_IsBool(member(row, "outside_hours")));
    assert_int_equal(cJSON_GetArraySize(row), 5);
    cJSON_Delete(page);
    page = query_rig_records(&rig, "sessions", "");
    assert_int_equal(cJSON_GetArraySize(member(page, "columns")), 9);
    cJSON_Delete(page);
}

TEST(counting_that_takes_too_long_is_given_up)
{
    struct db *db = rig.reader;
    struct db_stmt *stmt;

    /* What the total does, on a statement without end. */
    db->ops->limit(db, 20);
    assert_int_equal(db->ops->prepare(db,
                                      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) "
                                      "SELECT count(*) FROM n",
                                      &stmt),
                     DB_OK);
    assert_int_equal(db->ops->step(stmt), DB_INTERRUPTED);
    db->ops->finalize(stmt);
    db->ops->limit(db, 0);
    assert_true(total_of("sessions", "range=all") > SESSIONS - 1);
}

TEST(an_interrupted_query_fails_and_the_next_one_does_not)
{
    struct query *q;
    struct buf json = BUF_INIT(1 << 20);

    assert_int_equal(query_parse(QUERY_RECORDS, "sessions", "", &rig.ctx, &q, &rig.error), QUERY_OK);
    rig.reader->ops->interrupt(rig.reader);
    assert_int_equal(query_records(rig.reader, q, &json, NULL), QUERY_DATABASE);
    assert_int_equal(rig.reader->error.outcome, DB_INTERRUPTED);
    rig.reader->ops->resume(rig.reader);
    buf_clear(&json);
    assert_int_equal(query_records(rig.reader, q, &json, NULL), QUERY_OK);
    buf_free(&json);
    /* A buffer that is too small is no page. */
    json = BUF_INIT(100);
    assert_int_equal(query_records(rig.reader, q, &json, NULL), QUERY_NO_MEMORY);
    buf_free(&json);
    query_free(q);
}

/* ---- CSV ---- */

/* One field by RFC 4180, strictly; moves *p behind it and its comma or line end. False at a line's end. */
static bool read_field(const char **p, char *field, size_t size, bool *quoted)
{
    size_t n = 0;

    *quoted = **p == '"';
    if (*quoted) {
        for ((*p)++;; (*p)++) {
            if (**p == '"' && (*p)[1] != '"')
                break;
            if (**p == '"')
                (*p)++;
            assert_true(**p && n + 1 < size);
            field[n++] = **p;
        }
        (*p)++;
    } else {
        for (; !strchr(",\r", **p); (*p)++) {
            assert_true(**p && **p != '"' && **p != '\n' && n + 1 < size);
            field[n++] = **p;
        }
    }
    field[n] = '\0';
    if (**p == ',') {
        (*p)++;
        return true;
    }
    assert_int_equal(strncmp(*p, "\r\n", 2), 0);
    *p += 2;
    return false;
}

TEST(csv_read_again_has_every_row_and_no_formula)
{
    static const char *const harmless[] = {"plain",   "a,b",        "say \"hi\"", "two\r\nlines", "",
                                           " lead",   "-1 is text", "=1+1",       "+1",           "@x",
                                           "\tx",     "\rx",        "\nx",        "\uff1dx",      "\uff0bx",
                                           "\uff0dx", "\uff20x",    "\uff1ex"};
    static const bool guarded[] = {false, false, false, false, false, false, true, true, true,
                                   true,  true,  true,  true,  true,  true,  true, true, false};
    char field[4096];
    bool quoted;

    for (size_t i = 0; i < sizeof(harmless) / sizeof(*harmless); i++)
        (void)query_rig_session(&rig, RIG_NOW - 100 + (int64_t)i, harmless[i]);
    char *csv =
        query_rig_export(&rig, "sessions",
                         "from=2027-02-04T23:58:20Z&to=2027-02-05T00:00:00Z&sort=start_time&tz=Europe/Berlin&"
                         "f.duration=eq:60&columns=start_time,user,duration,end_time",
                         QUERY_CSV);
    const char *p = csv;
    for (int i = 0; i < 3; i++)
        assert_true(read_field(&p, field, sizeof(field), &quoted));
    assert_false(read_field(&p, field, sizeof(field), &quoted));
    assert_string_equal(field, "end_time");
    size_t found = 0;
    while (*p) {
        assert_true(read_field(&p, field, sizeof(field), &quoted));
        assert_non_null(strstr(field, "+01:00"));
        assert_true(read_field(&p, field, sizeof(field), &quoted));
        const char *text = field[0] == '\'' ? field + 1 : field;
        if (found < sizeof(harmless) / sizeof(*harmless) && strcmp(text, harmless[found]) == 0) {
            assert_int_equal(field[0] == '\'', guarded[found]);
            if (guarded[found])
                assert_true(quoted);
            found++;
        }
        assert_true(read_field(&p, field, sizeof(field), &quoted));
        assert_string_equal(field, "60");
        assert_false(read_field(&p, field, sizeof(field), &quoted));
    }
    assert_int_equal(found, sizeof(harmless) / sizeof(*harmless));
    free(csv);
}

TEST(numbers_stay_and_a_lone_empty_field_is_no_empty_line)
{
    rig_exec(&rig.store, "UPDATE \"session\" SET \"file_transfers\" = -5 WHERE \"user_name\" = 'zoe'");
    char *csv =
        query_rig_export(&rig, "sessions", "range=all&f.user=eq:zoe&columns=file_transfers", QUERY_CSV);
    assert_int_equal(strncmp(csv, "file_transfers\r\n-5\r\n-5\r\n", 24), 0);
    free(csv);
    csv = query_rig_export(&rig, "sessions", "range=all&f.user=empty:&columns=user&bom=1", QUERY_CSV);
    assert_int_equal(strncmp(csv, "\xef\xbb\xbfuser\r\n\"\"\r\n", 13), 0);
    free(csv);
    csv = query_rig_export(&rig, "sessions", "range=all&f.user=eq:nobody", QUERY_CSV);
    assert_string_equal(csv, "start_time,duration,site,user,endpoint,jump_group,jumpoint,type,lsid\r\n");
    free(csv);
}

TEST(an_export_has_the_rows_of_the_moment_it_began)
{
    struct query *q;
    struct query_export *export;
    struct buf piece = BUF_INIT(1 << 20);
    bool more = true;
    int64_t before = total_of("events", "range=all"), pieces = 0;

    assert_int_equal(query_parse(QUERY_EXPORT, "events", "range=all", &rig.ctx, &q, &rig.error), QUERY_OK);
    assert_int_equal(query_export_open(rig.reader, q, QUERY_NDJSON, &export), QUERY_OK);
    while (more) {
        buf_clear(&piece);
        assert_int_equal(query_export_next(export, &piece, &more), QUERY_OK);
        assert_true(piece.len < QUERY_PIECE + 8192);
        assert_true(!piece.len || piece.data[piece.len - 1] == '\n');
        if (pieces++ == 0)
            query_rig_sessions(&rig, 20);
    }
    assert_true(pieces > 3);
    assert_int_equal(query_export_rows(export), before);
    query_export_close(export);
    char name[64];
    query_export_name(q, QUERY_CSV, name);
    assert_string_equal(name, "events-20270205T000000Z.csv");
    query_free(q);
    buf_free(&piece);
    assert_true(total_of("events", "range=all") > before);
}

/* ---- values ---- */

static cJSON *values(const char *dataset, const char *column, const char *query)
{
    struct query *q;
    struct buf json = BUF_INIT(1 << 20);
    const char *why;

    assert_int_equal(query_parse(QUERY_VALUES, dataset, query, &rig.ctx, &q, &rig.error), QUERY_OK);
    enum query_outcome outcome = query_values(rig.reader, q, column, &json, NULL);
    query_free(q);
    if (outcome != QUERY_OK)
        fail_msg("%s.%s: %d %s", dataset, column, (int)outcome, rig.reader->error.text);
    cJSON *tree = json_parse(json.data, json.len, 8, 0, &why);
    assert_non_null(tree);
    buf_free(&json);
    return tree;
}

TEST(values_are_offered_for_every_column)
{
    static const struct {
        const char *dataset, *column, *query, *first;
        int n;
    } cases[] = {
        {"sessions", "jump_group", "", "50%", 12},
        {"sessions", "user", "prefix=BA", "back\\slash", 1},
        {"sessions", "user", "prefix=100%25", "100%", 1},
        {"sessions", "user", "prefix=_", NULL, 0},
        {"sessions", "state", "", "abnormal", 3},
        {"sessions", "type", "", "jump-client", 3},
        {"sessions", "outside_hours", "", "false", 2},
        {"sessions", "duration", "", NULL, 0},
        {"events", "type", "prefix=file ", "File 1", 12},
        {"events", "failure_reason", "prefix=WRONG", "wrong, password", 1},
        {"events", "user", "prefix=alice", "alice", 1},
        {"credential_use", "site", "", "pra.example.com", 2},
        {"credential_use", "account", "", "root", 1},
        {"syslog", "status", "", "Success", 3},
        {"accounts", "type", "", "ssh", 4},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        case_label("%s.%s %s", cases[i].dataset, cases[i].column, cases[i].query);
        cJSON *tree = values(cases[i].dataset, cases[i].column, cases[i].query);
        const cJSON *list = member(tree, "values");
        assert_int_equal(cJSON_GetArraySize(list), cases[i].n);
        if (cases[i].first)
            assert_string_equal(cJSON_GetArrayItem(list, 0)->valuestring, cases[i].first);
        cJSON_Delete(tree);
    }
    for (int i = 0; i < 60; i++) {
        char user[32];
        (void)snprintf(user, sizeof(user), "many%02d", i);
        (void)query_rig_session(&rig, RIG_T0 + i, user);
    }
    cJSON *tree = values("sessions", "user", "prefix=many");
    assert_int_equal(cJSON_GetArraySize(member(tree, "values")), 50);
    cJSON_Delete(tree);
}

TEST(values_of_sites_that_may_not_be_seen_are_not_offered)
{
    static const char *const hosts[] = {RIG_OTHER_HOST};
    const char *lsid = query_rig_session(&rig, RIG_T0, "only-there");
    assert_non_null(lsid);
    cJSON *tree = values("sessions", "user", "prefix=only");
    assert_int_equal(cJSON_GetArraySize(member(tree, "values")), 1);
    cJSON_Delete(tree);
    rig.ctx.all_hosts = false;
    rig.ctx.hosts = hosts;
    rig.ctx.nhosts = 1;
    static const char *const columns[] = {"user", "site", "type"};
    for (size_t i = 0; i < 2; i++) {
        tree = values("sessions", columns[i], i == 0 ? "prefix=only" : "prefix=pra");
        assert_int_equal(cJSON_GetArraySize(member(tree, "values")), 0);
        cJSON_Delete(tree);
    }
    rig.ctx.all_hosts = true;
}

/* ---- the page of a session ---- */

static cJSON *session_json(enum query_call call, const char *host, const char *lsid, const char *query,
                           enum query_outcome expected)
{
    struct query *q;
    struct buf json = BUF_INIT(16 << 20);
    const char *why;

    assert_int_equal(query_parse(call, NULL, query, &rig.ctx, &q, &rig.error), QUERY_OK);
    enum query_outcome outcome = call == QUERY_SESSION
                                     ? query_session(rig.reader, q, host, lsid, &json, &rig.result)
                                     : query_session_events(rig.reader, q, host, lsid, &json, &rig.result);
    query_free(q);
    assert_int_equal(outcome, expected);
    cJSON *tree = outcome == QUERY_OK ? json_parse(json.data, json.len, 16, 0, &why) : NULL;
    if (outcome == QUERY_OK && !tree)
        fail_msg("%s: %.*s", why, (int)json.len, json.data);
    buf_free(&json);
    return tree;
}

/* A session with people, events, data that stands twice, recordings. */
static const char *whole_session(int events)
{
    static char lsid[64];
    const struct rig_session of = {
        .number = 100000 + rig.sessions++, .start = RIG_T0 + 500, .end = RIG_T0 + 900, .events = 1};
    struct record_session *r = rig_session(&rig.arena, &of);

    r->nevents = 0;
    for (int i = 0; i < events; i++) {
        struct record_event *e =
            rig_event(&rig.arena, r, of.start + i / 2, i % 3 ? "Chat Message" : "File Upload");
        e->body = "text <b>";
        rig_pair(&rig.arena, e, "file.0.filename", "a");
        rig_pair(&rig.arena, e, "file.0.filename", "b");
        rig_pair(&rig.arena, e, "credential_id", "c1");
    }
    r->recording_view_url = "https://PRA.example.com:443/v?k=1";
    r->recording_download_url = "https://pra.example.com.evil.example/d";
    r->chat_view_url = "javascript:alert(1)";
    r->chat_download_url = "http://pra.example.com/c";
    struct record_shell *shell =
        record_append(&rig.arena, &r->shells, &r->nshells, &r->shells_room, sizeof(*shell));
    *shell = (struct record_shell){0, "https://pra.example.com/s", "https://pra.example.com@evil.example/"};
    struct record_attribute *a =
        record_append(&rig.arena, &r->attributes, &r->nattributes, &r->attributes_room, sizeof(*a));
    *a = (struct record_attribute){"Ticket", "ticket", "T-1"};
    assert_int_equal(rig_store(&rig.store, r, STORE_CLOSED, RIG_NOW), STORE_NEW);
    const struct store_use use = {.lease_id = r->lsid,
                                  .gateway = "gw",
                                  .lsid = r->lsid,
                                  .user_name = "u",
                                  .account = "root",
                                  .checkout = of.start,
                                  .expires = RECORD_NONE,
                                  .released = RECORD_NONE,
                                  .checkin = of.end + 90};
    assert_int_equal(store_begin(rig.store.store), DB_OK);
    assert_int_equal(store_use(rig.store.store, &use), DB_OK);
    assert_int_equal(store_commit(rig.store.store), DB_OK);
    (void)snprintf(lsid, sizeof(lsid), "%s", r->lsid);
    return lsid;
}

TEST(the_page_of_a_session_has_all_of_it)
{
    const char *lsid = whole_session(7);
    char upper[64];

    (void)snprintf(upper, sizeof(upper), "%s", lsid);
    for (char *c = upper; *c; c++)
        *c = (char)(*c >= 'a' && *c <= 'f' ? *c - 32 : *c);
    cJSON *page = session_json(QUERY_SESSION, "PRA.example.com", upper, "tz=Europe/Berlin", QUERY_OK);
    assert_string_equal(text_of(member(page, "session"), "lsid"), lsid);
    assert_string_equal(text_of(member(page, "session"), "start_time"), "2026-01-01T01:08:20+01:00");
    assert_string_equal(text_of(member(page, "session"), "state"), "closed");
    assert_int_equal(cJSON_GetArraySize(member(page, "representatives")), 2);
    assert_int_equal(cJSON_GetArraySize(member(page, "customers")), 1);
    assert_string_equal(text_of(cJSON_GetArrayItem(member(page, "custom_attributes"), 0), "value"), "T-1");
    assert_int_equal(
        (int)member(cJSON_GetArrayItem(member(page, "credentials"), 0), "late_seconds")->valuedouble, 90);
    assert_int_equal((int)member(page, "event_count")->valuedouble, 7);
    assert_int_equal((int)member(member(page, "event_types"), "Chat Message")->valuedouble, 4);
    cJSON_Delete(page);
}

TEST(links_lead_to_the_site_itself_or_are_text)
{
    const char *lsid = whole_session(1);
    cJSON *page = session_json(QUERY_SESSION, RIG_HOST, lsid, "", QUERY_OK);
    const cJSON *list = member(page, "recordings"), *recording = cJSON_GetArrayItem(list, 0),
                *chat = cJSON_GetArrayItem(list, 1), *shell = cJSON_GetArrayItem(list, 2);

    assert_int_equal(cJSON_GetArraySize(list), 3);
    assert_string_equal(text_of(recording, "view_url"), "https://PRA.example.com:443/v?k=1");
    assert_true(cJSON_IsNull(member(recording, "download_url")));
    assert_string_equal(text_of(recording, "download_text"), "https://pra.example.com.evil.example/d");
    assert_true(cJSON_IsNull(member(chat, "view_url")));
    assert_true(cJSON_IsNull(member(chat, "download_url")));
    assert_string_equal(text_of(shell, "view_url"), "https://pra.example.com/s");
    assert_true(cJSON_IsNull(member(shell, "download_url")));
    assert_true(rig.result.links);
    cJSON_Delete(page);
    rig.ctx.recordings = false;
    page = session_json(QUERY_SESSION, RIG_HOST, lsid, "", QUERY_OK);
    assert_null(cJSON_GetObjectItem(page, "recordings"));
    assert_false(rig.result.links);
    char *text = cJSON_PrintUnformatted(page);
    assert_null(strstr(text, "https:"));
    free(text);
    cJSON_Delete(page);
    rig.ctx.recordings = true;
}

TEST(events_of_a_session_come_in_order_with_their_data)
{
    const char *lsid = whole_session(450);
    char query[512] = "";
    int n = 0, pages = 0;

    do {
        cJSON *page = session_json(QUERY_EVENTS, RIG_HOST, lsid, query, QUERY_OK);
        const cJSON *event, *next = member(page, "next");
        cJSON_ArrayForEach(event, member(page, "events"))
        {
            const cJSON *data = member(event, "data");
            assert_string_equal(text_of(event, "type"), n % 3 ? "Chat Message" : "File Upload");
            assert_string_equal(text_of(data, "file.0.filename"), "a");
            assert_string_equal(text_of(data, "file.0.filename (2)"), "b");
            assert_string_equal(text_of(data, "credential_id"), "c1");
            n++;
        }
        (void)snprintf(query, sizeof(query), "after=%s", cJSON_IsString(next) ? next->valuestring : "");
        pages++;
        cJSON_Delete(page);
    } while (query[6]);
    assert_int_equal(n, 450);
    assert_int_equal(pages, 3);
    cJSON *page = session_json(QUERY_EVENTS, RIG_HOST, lsid, "type=File Upload&limit=2", QUERY_OK);
    assert_int_equal(cJSON_GetArraySize(member(page, "events")), 2);
    (void)snprintf(query, sizeof(query), "after=%s", text_of(page, "next"));
    cJSON_Delete(page);
    /* A cursor of one type is none of another. */
    assert_null(session_json(QUERY_EVENTS, RIG_HOST, lsid, query, QUERY_INVALID_CURSOR));
    assert_null(session_json(QUERY_EVENTS, RIG_HOST, lsid, "after=00", QUERY_INVALID_CURSOR));
}

TEST(long_bodies_make_short_pages)
{
    const struct rig_session of = {.number = 900001, .start = RIG_T0, .end = RIG_T0 + 9, .events = 1};
    struct record_session *r = rig_session(&rig.arena, &of);
    size_t size = 900000;
    char *body = record_alloc(&rig.arena, size + 1), query[512] = "";
    int n = 0, pages = 0;

    memset(body, 'x', size);
    for (int i = 0; i < 7; i++)
        rig_event(&rig.arena, r, of.start, "Chat Message")->body = body;
    (void)rig_store(&rig.store, r, STORE_CLOSED, RIG_NOW);
    do {
        cJSON *page = session_json(QUERY_EVENTS, RIG_HOST, r->lsid, query, QUERY_OK);
        const cJSON *next = member(page, "next");
        n += cJSON_GetArraySize(member(page, "events"));
        (void)snprintf(query, sizeof(query), "after=%s", cJSON_IsString(next) ? next->valuestring : "");
        pages++;
        cJSON_Delete(page);
    } while (query[6]);
    assert_int_equal(n, 8);
    assert_true(pages >= 3);
}

TEST(a_session_of_another_site_is_not_there)
{
    static const char *const hosts[] = {RIG_OTHER_HOST};
    const char *lsid = whole_session(1);

    assert_null(session_json(QUERY_SESSION, RIG_OTHER_HOST, lsid, "", QUERY_NOT_FOUND));
    rig.ctx.all_hosts = false;
    rig.ctx.hosts = hosts;
    rig.ctx.nhosts = 1;
    assert_null(session_json(QUERY_SESSION, RIG_HOST, lsid, "", QUERY_NOT_FOUND));
    assert_null(session_json(QUERY_EVENTS, RIG_HOST, lsid, "", QUERY_NOT_FOUND));
    char query[256];
    (void)snprintf(query, sizeof(query), "range=all&f.lsid=eq:%s", lsid);
    assert_int_equal(total_of("sessions", query), 0);
    assert_int_equal(total_of("events", query), 0);
    assert_int_equal(total_of("credential_use", query), 0);
    rig.ctx.all_hosts = true;
    assert_int_equal(total_of("sessions", query), 1);
    assert_int_equal(total_of("events", query), 1);
    assert_int_equal(total_of("credential_use", query), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pages_forward_and_back_are_one_sorted_whole),
        cmocka_unit_test(a_group_of_many_sessions_comes_in_every_order),
        cmocka_unit_test(rows_without_a_value_come_first_upwards_and_last_downwards),
        cmocka_unit_test(rows_that_come_meanwhile_move_no_page),
        cmocka_unit_test(a_page_without_rows_before_or_behind_has_no_cursor_there),
        cmocka_unit_test(a_cursor_that_was_changed_or_belongs_elsewhere_is_refused),
        cmocka_unit_test(filters_leave_what_they_say),
        cmocka_unit_test(columns_come_as_chosen_with_their_types),
        cmocka_unit_test(counting_that_takes_too_long_is_given_up),
        cmocka_unit_test(an_interrupted_query_fails_and_the_next_one_does_not),
        cmocka_unit_test(csv_read_again_has_every_row_and_no_formula),
        cmocka_unit_test(numbers_stay_and_a_lone_empty_field_is_no_empty_line),
        cmocka_unit_test(an_export_has_the_rows_of_the_moment_it_began),
        cmocka_unit_test(values_are_offered_for_every_column),
        cmocka_unit_test(values_of_sites_that_may_not_be_seen_are_not_offered),
        cmocka_unit_test(the_page_of_a_session_has_all_of_it),
        cmocka_unit_test(links_lead_to_the_site_itself_or_are_text),
        cmocka_unit_test(events_of_a_session_come_in_order_with_their_data),
        cmocka_unit_test(long_bodies_make_short_pages),
        cmocka_unit_test(a_session_of_another_site_is_not_there),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
