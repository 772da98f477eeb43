/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_reports_feed.c - the feed: its bytes in each format against golden files, requests, cursors, times of
 * storing, sites, records that fit into no page.
 *
 * With JG_WRITE_GOLDEN=1 the golden files are written instead of compared.
 */
#include "base/json.h"
#include "check.h"
#include "feed_rig.h"
#include "reports/query/feed_export.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static struct reports_rig rig;
static struct buf page;
static struct feed_answer answer;

static int setup(void **state)
{
    (void)state;
    rig_make(&rig);
    rig.clock = &feed_clock;
    feed_wall_ms = INT64_C(1000) * RIG_T0;
    page = feed_buf();
    if (!rig_open(&rig, true))
        fail_msg("%s", rig.error.text);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    buf_free(&page);
    rig_remove(&rig);
    return 0;
}

/* ---- bytes ---- */

static void compare_file(const char *name)
{
    FILE *file = fopen(name, getenv("JG_WRITE_GOLDEN") ? "wb" : "rb");

    assert_non_null(file);
    if (getenv("JG_WRITE_GOLDEN")) {
        assert_int_equal(fwrite(page.data, 1, page.len, file), page.len);
    } else {
        char *golden = calloc(1, page.len + 2);
        assert_non_null(golden);
        assert_int_equal(fread(golden, 1, page.len + 1, file), page.len);
        assert_memory_equal(golden, page.data, page.len);
        free(golden);
    }
    assert_int_equal(fclose(file), 0);
}

TEST(bytes_are_those_of_the_golden_files)
{
    static const char *const names[] = {"ndjson", "ocsf.ndjson", "csv"};
    char name[96];

    feed_fill(&rig);
    for (int d = 0; d < FEED_NDATASETS; d++) {
        for (int f = 0; f < FEED_NFORMATS; f++) {
            struct feed_request r = feed_request((enum feed_dataset)d);

            r.format = (enum feed_format)f;
            (void)snprintf(name, sizeof(name), "reports/feed-%s.%s", feed_dataset_name(r.dataset), names[f]);
            case_label("%s", name);
            feed_page(&rig, &r, &page, &answer);
            compare_file(name);
        }
    }
}

TEST(pages_one_behind_another_are_the_whole)
{
    struct buf all = feed_buf();

    feed_fill(&rig);
    for (int i = 0; i < FEED_NDATASETS * FEED_NFORMATS; i++) {
        struct feed_request r = feed_request((enum feed_dataset)(i % FEED_NDATASETS));
        struct feed_answer whole;

        r.format = (enum feed_format)(i / FEED_NDATASETS % FEED_NFORMATS);
        case_label("%s, format %d", feed_dataset_name(r.dataset), r.format);
        feed_page(&rig, &r, &page, &whole);
        assert_false(whole.more);
        buf_clear(&all);
        assert_int_equal(buf_append(&all, page.data, page.len), 0);
        r.limit = 1 + (unsigned)i % 3;
        size_t at = 0;
        int64_t records = 0;
        do {
            feed_page(&rig, &r, &page, &answer);
            assert_true(at + page.len <= all.len);
            assert_memory_equal(all.data + at, page.data, page.len);
            at += page.len;
            assert_int_equal(answer.records < r.limit ? answer.records : r.limit, answer.records);
            records += answer.records;
            (void)snprintf(r.cursor, sizeof(r.cursor), "%s", answer.next);
            r.no_header = true;
        } while (answer.more);
        assert_int_equal(at, all.len);
        assert_int_equal(records, whole.records);
        assert_string_equal(answer.next, whole.next);
        feed_page(&rig, &r, &page, &answer); /* at the end a cursor stays as it is */
        assert_int_equal(page.len, 0);
        assert_string_equal(answer.next, r.cursor);
    }
    buf_free(&all);
}

TEST(no_record_has_a_signed_url)
{
    feed_fill(&rig);
    for (int i = 0; i < FEED_NDATASETS * FEED_NFORMATS; i++) {
        struct feed_request r = feed_request((enum feed_dataset)(i % FEED_NDATASETS));

        r.format = (enum feed_format)(i / FEED_NDATASETS);
        feed_page(&rig, &r, &page, &answer);
        assert_null(strstr(buf_cstr(&page), "key="));
        assert_null(strstr(buf_cstr(&page), "_url"));
    }
}

/* ---- OCSF 1.3.0 ---- */

struct ocsf_class { /* what the schema requires of an event, beside what it requires of all */
    int uid, category;
    int activities[8];       /* that the class knows, beside 0 and 99 */
    const char *required[3]; /* paths */
    const char *one_of[6];   /* at least one of these */
};

static const struct ocsf_class ocsf_classes[] = {
    {0, 0, {0}, {NULL}, {NULL}},
    {4001,
     4,
     {1, 2, 3, 4, 5, 6, 7},
     {"dst_endpoint"},
     {"dst_endpoint.ip", "dst_endpoint.name", "dst_endpoint.hostname"}},
    {3002, 3, {1, 2, 3, 4, 5, 6}, {"user"}, {"service.name", "dst_endpoint.hostname"}},
    {3004, 3, {1, 2, 3, 4}, {"entity"}, {"entity.name", "entity.uid"}},
    {5003, 5, {1, 2}, {"user"}, {"user.name", "user.uid", "user.account"}},
};

static const char *const ocsf_all[] = {"activity_id",  "category_uid",     "class_uid",
                                       "metadata",     "metadata.product", "metadata.product.vendor_name",
                                       "metadata.uid", "severity_id",      "time",
                                       "type_uid"};

static const cJSON *path(const cJSON *event, const char *text)
{
    char copy[64], *save = NULL;

    (void)snprintf(copy, sizeof(copy), "%s", text);
    for (char *name = strtok_r(copy, ".", &save); name && event; name = strtok_r(NULL, ".", &save))
        event = json_get(event, name);
    return event;
}

static int number(const cJSON *event, const char *text)
{
    int64_t value;

    assert_true(json_int(path(event, text), &value));
    return value > INT32_MAX ? -1 : (int)value;
}

static void check_required(const cJSON *event, const struct ocsf_class *c)
{
    for (size_t i = 0; i < sizeof(ocsf_all) / sizeof(*ocsf_all); i++)
        if (!path(event, ocsf_all[i]))
            fail_msg("%s is absent", ocsf_all[i]);
    for (int i = 0; i < 3 && c->required[i]; i++)
        if (!path(event, c->required[i]))
            fail_msg("%s is absent", c->required[i]);
    bool any = !c->one_of[0];
    for (int i = 0; i < 6 && c->one_of[i]; i++)
        any |= path(event, c->one_of[i]) != NULL;
    assert_true(any);
}

static void check_event(const cJSON *event)
{
    int uid = number(event, "class_uid"), activity = number(event, "activity_id");
    const struct ocsf_class *c = ocsf_classes;
    bool known = activity == 99;

    while (c->uid != uid)
        assert_true(++c < ocsf_classes + sizeof(ocsf_classes) / sizeof(*ocsf_classes));
    check_required(event, c);
    for (int i = 0; i < 8; i++)
        known |= activity > 0 && c->activities[i] == activity;
    assert_true(known);
    assert_int_equal(number(event, "category_uid"), c->category);
    assert_int_equal(number(event, "type_uid"), uid * 100 + activity);
    assert_string_equal(json_text(path(event, "metadata"), "version"), "1.3.0");
    assert_int_equal(json_number(event, "time") % 1000, 0);
    assert_true(json_number(event, "time") >= INT64_C(1000) * RIG_T0);
    for (const cJSON *user = path(event, "user"); user; user = NULL)
        assert_true(*json_text(user, "name") || *json_text(user, "uid"));
    const cJSON *status = path(event, "status_id");
    assert_true(!status || number(event, "status_id") == 1 || number(event, "status_id") == 2);
    assert_in_range(number(event, "severity_id"), 1, 6);
}

TEST(every_event_has_what_its_class_requires)
{
    feed_fill(&rig);
    for (int d = 0; d < FEED_NDATASETS; d++) {
        struct feed_request r = feed_request((enum feed_dataset)d);

        r.format = FEED_OCSF;
        feed_page(&rig, &r, &page, &answer);
        for (char *line = (char *)buf_cstr(&page), *next; *line; line = next) {
            const char *why;

            next = strchr(line, '\n') + 1;
            case_label("%.*s", (int)(next - line), line);
            cJSON *event = json_parse(line, (size_t)(next - line), 32, 0, &why);
            assert_non_null(event);
            check_event(event);
            cJSON_Delete(event);
        }
    }
}

/* ---- requests ---- */

TEST(the_query_of_a_url_is_checked)
{
    static const char cursor[] = "0100000000000000000000000000000000000123456789abcdef";
    static const struct {
        const char *dataset, *text;
        enum query_outcome outcome;
        const char *parameter;
    } cases[] = {
        {"sessions", "", QUERY_OK, ""},
        {"sessions", NULL, QUERY_OK, ""},
        {"syslog", "limit=1000&format=csv&since=2026-01-01", QUERY_OK, ""},
        {"syslog", "since=2026-01-01T00:00:00Z", QUERY_OK, ""},
        {"syslog", "since=2026-01-01T00:00:00", QUERY_INVALID, "since"},
        {"syslog", "since=2026-01-01T23:59:60Z", QUERY_INVALID, "since"},
        {"syslog", "&limit=1&", QUERY_OK, ""},
        {"team", "", QUERY_NOT_FOUND, ""},
        {"sessions", "limit=0", QUERY_INVALID, "limit"},
        {"sessions", "limit=1001", QUERY_INVALID, "limit"},
        {"sessions", "limit=+5", QUERY_INVALID, "limit"},
        {"sessions", "limit=", QUERY_INVALID, "limit"},
        {"sessions", "limit=1&limit=1", QUERY_INVALID, "limit"},
        {"sessions", "format=xml", QUERY_INVALID, "format"},
        {"sessions", "since=soon", QUERY_INVALID, "since"},
        {"sessions", "since=30x", QUERY_INVALID, "since"},
        {"sessions", "since=3661d", QUERY_INVALID, "since"},
        {"sessions", "since=99999999999999999999d", QUERY_INVALID, "since"},
        {"sessions", "since=-5d", QUERY_INVALID, "since"},
        {"sessions", "Limit=5", QUERY_INVALID, "Limit"},
        {"sessions", "sort=-seq", QUERY_INVALID, "sort"},
        {"sessions", "limit=%zz", QUERY_INVALID, "limit"},
        {"sessions", "limit=%ff", QUERY_INVALID, "limit"},
        {"sessions", "cursor=", QUERY_INVALID_CURSOR, "cursor"},
        {"sessions", "cursor=abc", QUERY_INVALID_CURSOR, "cursor"},
    };
    const struct query_context ctx = {.now = RIG_T0};
    struct feed_request r;
    struct query_error error;
    char both[128];

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        case_label("%s", cases[i].text ? cases[i].text : "");
        assert_int_equal(feed_parse(cases[i].dataset, cases[i].text, &ctx, &r, &error), cases[i].outcome);
        assert_string_equal(error.parameter, cases[i].parameter);
        assert_int_equal(error.why[0] != '\0',
                         cases[i].outcome == QUERY_INVALID || cases[i].outcome == QUERY_INVALID_CURSOR);
    }
    (void)snprintf(both, sizeof(both), "cursor=%s&since=1d", cursor);
    assert_int_equal(feed_parse("events", both, &ctx, &r, &error), QUERY_INVALID);
    (void)snprintf(both, sizeof(both), "cursor=%s", cursor);
    assert_int_equal(feed_parse("events", both, &ctx, &r, &error), QUERY_OK);
    assert_string_equal(r.cursor, cursor);
}

TEST(since_is_a_time_a_date_or_an_age)
{
    static const struct {
        const char *text;
        int64_t since;
    } cases[] = {
        {"2026-01-01", RIG_T0},
        {"2026-01-01T00:00:10Z", RIG_T0 + 10},
        {"2026-01-01T01:00:10%2B01:00", RIG_T0 + 10},
        {"30d", RIG_T0 - 30 * 86400},
        {"12h", RIG_T0 - 12 * 3600},
        {"15m", RIG_T0 - 900},
        {"0s", RIG_T0},
    };
    const struct query_context ctx = {.now = RIG_T0};
    struct feed_request r;
    struct query_error error;
    char text[64];

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        case_label("%s", cases[i].text);
        (void)snprintf(text, sizeof(text), "since=%s", cases[i].text);
        assert_int_equal(feed_parse("events", text, &ctx, &r, &error), QUERY_OK);
        assert_int_equal(r.since, cases[i].since);
    }
}

/* ---- cursors ---- */

static void refuse_cursor(struct feed_request *r)
{
    struct query_error error;

    assert_int_equal(feed_try(&rig, r, &error), QUERY_INVALID_CURSOR);
    assert_string_equal(error.parameter, "cursor");
}

TEST(a_cursor_that_was_changed_or_is_of_elsewhere_is_refused)
{
    struct feed_request r = feed_request(FEED_SESSIONS);
    struct query_error error;

    feed_fill(&rig);
    r.limit = 1;
    feed_page(&rig, &r, &page, &answer);
    assert_true(answer.more);
    for (size_t i = 0; answer.next[i]; i++) {
        (void)snprintf(r.cursor, sizeof(r.cursor), "%s", answer.next);
        r.cursor[i] = r.cursor[i] == '5' ? '6' : '5';
        case_label("digit %zu", i);
        refuse_cursor(&r);
    }
    (void)snprintf(r.cursor, sizeof(r.cursor), "%s", answer.next);
    r.cursor[strlen(r.cursor) - 1] = '\0';
    refuse_cursor(&r);
    (void)snprintf(r.cursor, sizeof(r.cursor), "%s", answer.next);
    r.dataset = FEED_EVENTS;
    refuse_cursor(&r);
    r.dataset = FEED_SESSIONS;
    assert_int_equal(feed_try(&rig, &r, &error), QUERY_OK);
    rig_exec(&rig, "UPDATE jg_schema SET applied_at = applied_at + 1"); /* another database */
    refuse_cursor(&r);
}

TEST(a_cursor_outlives_restarts_and_migrations_but_not_a_database_put_back)
{
    struct feed_request r = feed_request(FEED_SYSLOG);

    feed_fill(&rig);
    r.limit = 3;
    feed_page(&rig, &r, &page, &answer);
    (void)snprintf(r.cursor, sizeof(r.cursor), "%s", answer.next);
    rig_close(&rig);
    assert_true(rig_open(&rig, false));
    rig_exec(&rig,
             "INSERT INTO jg_schema (version, applied_at, digest, event_indexes) SELECT 0, applied_at + "
             "1000, digest, 1 FROM jg_schema"); /* as a later migration does */
    feed_page(&rig, &r, &page, &answer);
    assert_int_equal(answer.records, 3);
    rig_exec(&rig, "UPDATE jg_counter SET seq = 4");
    refuse_cursor(&r);
}

/* ---- times of storing, sites ---- */

static int64_t count_of(struct feed_request *r)
{
    feed_page(&rig, r, &page, &answer);
    return answer.records;
}

static void store_at(int64_t second, int64_t number)
{
    struct record_arena a = {0};

    feed_wall_ms = second * 1000;
    rig_store(&rig, rig_session(&a, &(struct rig_session){number, RIG_T0, RIG_T0 + 5, 1, 2}), STORE_CLOSED,
              second);
    record_arena_free(&a);
}

TEST(since_and_until_go_by_the_time_of_storing)
{
    static const struct {
        int64_t since, until, sessions;
    } cases[] = {
        {QUERY_NONE, QUERY_NONE, 4},
        {100, QUERY_NONE, 4},
        {1000, QUERY_NONE, 4},
        {1001, QUERY_NONE, 2},
        {1010, QUERY_NONE, 2},
        {1011, QUERY_NONE, 1},
        {1021, QUERY_NONE, 0},
        {QUERY_NONE, 1000, 0},
        {QUERY_NONE, 1001, 2},
        {QUERY_NONE, 1020, 3},
        {QUERY_NONE, 5000, 4},
        {1010, 1020, 1},
        {1020, 1010, 0},
    };

    store_at(1000, 1);
    store_at(1000, 2);
    store_at(1010, 3);
    store_at(1020, 4);
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        for (int events = 0; events < 2; events++) {
            struct feed_request r = feed_request(events ? FEED_EVENTS : FEED_SESSIONS);

            case_label("case %zu", i);
            r.since = cases[i].since;
            r.until = cases[i].until;
            assert_int_equal(count_of(&r), cases[i].sessions * (events ? 2 : 1));
        }
    }
    /* A reader that begins with what is new sees what comes then. */
    struct feed_request r = feed_request(FEED_SESSIONS);
    r.since = 1021;
    assert_int_equal(count_of(&r), 0);
    (void)snprintf(r.cursor, sizeof(r.cursor), "%s", answer.next);
    store_at(1015, 5);
    assert_int_equal(count_of(&r), 1);
}

TEST(what_was_stored_before_times_were_kept_is_in_every_since)
{
    struct feed_request r = feed_request(FEED_SESSIONS);

    store_at(1000, 1);
    rig_exec(&rig, "DELETE FROM jg_commit");
    store_at(2000, 2);
    r.since = 1500;
    assert_int_equal(count_of(&r), 2);
    r.since = 2001;
    assert_int_equal(count_of(&r), 0);
}

TEST(a_reader_sees_its_sites_alone)
{
    static const char *const hosts[] = {OTHER_HOST};
    static const int64_t records[FEED_NDATASETS] = {1, 2, 0, 0};

    feed_fill(&rig);
    for (int d = 0; d < FEED_NDATASETS; d++) {
        const struct feed_request r = feed_request((enum feed_dataset)d);

        case_label("%s", feed_dataset_name(r.dataset));
        feed_page_of(&rig, &r, hosts, 1, &page, &answer);
        assert_int_equal(answer.records, records[d]);
        assert_null(strstr(buf_cstr(&page), RIG_HOST));
        feed_page_of(&rig, &r, hosts, 0, &page, &answer);
        assert_int_equal(answer.records, 0);
        assert_int_equal(page.len, 0);
    }
}

/* ---- sizes ---- */

static char *long_text(size_t n, char fill)
{
    char *text = calloc(1, n + 1);

    assert_non_null(text);
    memset(text, fill, n);
    return text;
}

/* A session with an event whose texts are n bytes each. */
static void store_large(int64_t number, size_t n, char fill, size_t values)
{
    struct record_arena a = {0};
    struct record_session *r = rig_session(&a, &(struct rig_session){number, RIG_T0, RIG_T0 + 5, 1, 2});
    char *text = long_text(n, fill);

    r->events[1].body = text;
    for (size_t i = 0; i < values; i++)
        rig_pair(&a, &r->events[1], "value", text);
    rig_store(&rig, r, STORE_CLOSED, 5);
    free(text);
    record_arena_free(&a);
}

TEST(a_page_ends_before_4_mib_and_nothing_is_lost)
{
    for (int64_t i = 0; i < 6; i++)
        store_large(i, 1000000, 'x', 0);
    for (int f = 0; f < FEED_NFORMATS; f++) {
        struct feed_request r = feed_request(FEED_EVENTS);
        int64_t records = 0, pages = 0;

        r.format = (enum feed_format)f;
        do {
            feed_page(&rig, &r, &page, &answer);
            assert_in_range(page.len, 1, FEED_PAGE_MAX);
            assert_null(strstr(buf_cstr(&page), "\"shortened\":true"));
            records += answer.records;
            pages++;
            (void)snprintf(r.cursor, sizeof(r.cursor), "%s", answer.next);
        } while (answer.more);
        assert_int_equal(records, 12);
        assert_int_equal(pages, 2);
    }
}

TEST(a_record_that_fits_into_no_page_is_shortened)
{
    static const struct {
        size_t n, values;
        char fill;
    } cases[] = {
        {1000000, 0, '\x01'},      /* six bytes a letter in JSON */
        {1000000, 3, 'x'},         /* over the limit of a part */
        {(2 << 20) - 500, 0, '"'}, /* fits as text, not as JSON */
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
        store_large((int64_t)i, cases[i].n, cases[i].fill, cases[i].values);
    for (int f = 0; f < FEED_NFORMATS; f++) {
        struct feed_request r = feed_request(FEED_EVENTS);
        int64_t records = 0, shortened = 0;

        r.format = (enum feed_format)f;
        do {
            feed_page(&rig, &r, &page, &answer);
            records += answer.records;
            for (const char *p = buf_cstr(&page); p;
                 p = strstr(p, f == FEED_CSV ? ",true\r\n" : "\"shortened\":true"), p = p ? p + 1 : p)
                shortened++;
            shortened--; /* the page itself */
            (void)snprintf(r.cursor, sizeof(r.cursor), "%s", answer.next);
        } while (answer.more);
        case_label("format %d", f);
        assert_int_equal(records, 6);
        assert_int_equal(shortened, f == FEED_CSV ? 2 : 3);
    }
}

/* ---- the command ---- */

static volatile sig_atomic_t stop;

static int export_to(int fd, struct feed_request *r, bool follow, char why[DB_TEXT_SIZE])
{
    const struct query_context ctx = {.now = RIG_T0, .all_hosts = true};
    struct feed_export export = {.db = rig_reader(&rig),
                                 .ctx = &ctx,
                                 .request = *r,
                                 .fd = fd,
                                 .follow = follow,
                                 .interval_ms = 5,
                                 .stop = &stop};
    int outcome = feed_export(&export, r->cursor, why);

    export.db->ops->close(export.db);
    return outcome;
}

static int new_file(void)
{
    char name[160];

    (void)snprintf(name, sizeof(name), "%s/out", rig.dir);
    int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    return fd;
}

/* Appends what is in the file, and closes it. */
static void take_file(int fd, struct buf *all)
{
    char bytes[4096];
    ssize_t n;

    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    while ((n = read(fd, bytes, sizeof(bytes))) > 0)
        assert_int_equal(buf_append(all, bytes, (size_t)n), 0);
    assert_int_equal(n, 0);
    assert_int_equal(close(fd), 0);
}

static void check_is_page(const struct buf *all)
{
    assert_int_equal(all->len, page.len);
    assert_memory_equal(all->data, page.data, page.len);
}

/* The bytes of records that are whole: CSV of this rig has one record with a line break within. */
static void cut_to_records(struct buf *all, const struct feed_mark *marks)
{
    size_t whole = 0;

    for (int64_t i = 0; i < answer.records && marks[i].end <= all->len; i++)
        whole = marks[i].end;
    all->len = whole;
}

TEST(the_command_writes_the_bytes_of_the_feed)
{
    char why[DB_TEXT_SIZE];
    struct buf all = feed_buf();

    feed_fill(&rig);
    for (int i = 0; i < FEED_NDATASETS * FEED_NFORMATS; i++) {
        struct feed_request r = feed_request((enum feed_dataset)(i % FEED_NDATASETS));
        int fd = new_file();

        r.format = (enum feed_format)(i / FEED_NDATASETS);
        feed_page(&rig, &r, &page, &answer);
        r.limit = 2;
        assert_int_equal(export_to(fd, &r, false, why), 0);
        buf_clear(&all);
        take_file(fd, &all);
        check_is_page(&all);
        assert_string_equal(r.cursor, answer.next);
    }
    buf_free(&all);
}

TEST(after_a_failed_write_the_cursor_is_behind_the_last_whole_record)
{
    struct feed_mark marks[FEED_LIMIT_MAX];
    char why[DB_TEXT_SIZE];
    struct buf all = feed_buf();
    struct rlimit before;

    feed_fill(&rig);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    (void)signal(SIGXFSZ, SIG_IGN);
    for (size_t size = 0; size < 8000; size += 397) {
        struct feed_request r = feed_request(FEED_EVENTS);

        r.format = size % 2 ? FEED_CSV : FEED_NDJSON;
        case_label("%zu bytes", size);
        r.marks = marks;
        feed_page(&rig, &r, &page, &answer);
        r.marks = NULL;
        r.limit = 1 + (unsigned)size % 7;
        int fd = new_file();
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &(struct rlimit){size, before.rlim_max}), 0);
        bool fails = export_to(fd, &r, false, why) != 0;
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
        assert_int_equal(fails, size < page.len);
        assert_int_equal(strncmp(why, "cannot write", 12) == 0, fails);
        buf_clear(&all);
        take_file(fd, &all);
        cut_to_records(&all, marks);
        fd = new_file();
        r.no_header = all.len > 0;
        assert_int_equal(export_to(fd, &r, false, why), 0);
        take_file(fd, &all);
        check_is_page(&all);
    }
    buf_free(&all);
}

static void on_alarm(int signal)
{
    (void)signal;
    stop = 1;
}

/* Reads all of a pipe in a process of its own, slowly, into the file. */
static pid_t read_pipe(int from, int not_ours, int to)
{
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid)
        return pid;
    char bytes[512];
    ssize_t n;
    (void)close(not_ours);
    while ((n = read(from, bytes, sizeof(bytes))) > 0) {
        if (write(to, bytes, (size_t)n) != n)
            _exit(1);
        (void)usleep(200);
    }
    _exit(0);
}

TEST(told_to_stop_it_ends_between_records)
{
    const struct sigaction action = {.sa_handler = on_alarm};
    char why[DB_TEXT_SIZE];
    struct buf all = feed_buf();

    feed_fill(&rig);
    for (int64_t i = 0; i < 40; i++)
        store_at(RIG_T0 + i, 100 + i);
    assert_int_equal(sigaction(SIGALRM, &action, NULL), 0);
    for (suseconds_t delay = 1; delay < 20000; delay = delay * 3 + 500) {
        struct feed_request r = feed_request(FEED_EVENTS);
        int fds[2], status, fd = new_file();

        feed_page(&rig, &r, &page, &answer);
        assert_int_equal(pipe(fds), 0);
        assert_true(fcntl(fds[1], F_SETPIPE_SZ, 4096) > 0);
        pid_t reader = read_pipe(fds[0], fds[1], fd);
        (void)close(fds[0]);
        stop = 0;
        assert_int_equal(setitimer(ITIMER_REAL, &(struct itimerval){.it_value = {0, delay}}, NULL), 0);
        assert_int_equal(export_to(fds[1], &r, true, why), 0);
        (void)close(fds[1]);
        assert_int_equal(waitpid(reader, &status, 0), reader);
        assert_int_equal(status, 0);
        stop = 0;
        buf_clear(&all);
        take_file(fd, &all);
        assert_true(all.len == 0 || all.data[all.len - 1] == '\n');
        fd = new_file();
        assert_int_equal(export_to(fd, &r, false, why), 0);
        take_file(fd, &all);
        check_is_page(&all);
    }
    buf_free(&all);
}

#define RUN(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUN(bytes_are_those_of_the_golden_files),
        RUN(pages_one_behind_another_are_the_whole),
        RUN(no_record_has_a_signed_url),
        RUN(every_event_has_what_its_class_requires),
        RUN(the_query_of_a_url_is_checked),
        RUN(since_is_a_time_a_date_or_an_age),
        RUN(a_cursor_that_was_changed_or_is_of_elsewhere_is_refused),
        RUN(a_cursor_outlives_restarts_and_migrations_but_not_a_database_put_back),
        RUN(since_and_until_go_by_the_time_of_storing),
        RUN(what_was_stored_before_times_were_kept_is_in_every_since),
        RUN(a_reader_sees_its_sites_alone),
        RUN(a_page_ends_before_4_mib_and_nothing_is_lost),
        RUN(a_record_that_fits_into_no_page_is_shortened),
        RUN(the_command_writes_the_bytes_of_the_feed),
        RUN(after_a_failed_write_the_cursor_is_behind_the_last_whole_record),
        RUN(told_to_stop_it_ends_between_records),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
