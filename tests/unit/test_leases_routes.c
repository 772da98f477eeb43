/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_leases_routes.c - the operator's side of leases: pages, filters, cursors, ending one by its id; and
 * what readiness, /status and /metrics say of the store. Answers are compared byte for byte.
 */
#include "check.h"

#include "fake_gateway.h"

#include "base/json.h"
#include "handlers/gateway.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ID "01J8ZK3V5T7M9P2R4S6W8Y0ABC"

static const char *const sessions[] = {"S-1", "S-2"};

static void send_as(struct fake_req *f, enum http_method method, const char *token, const char *path,
                    const char *query)
{
    static char bearer[64];

    snprintf(bearer, sizeof(bearer), "Bearer %s", token);
    fake_req_init(f, method, path);
    f->req.query = query;
    fake_req_header(f, "Authorization", bearer);
    if (method == HTTP_POST_)
        f->req.content_length = 0;
    send_request(f);
}

static void list(const char *query)
{
    struct fake_req f;
    send_as(&f, HTTP_GET_, "ops", "/v1/leases", query);
}

static void assert_code(int status, const char *code)
{
    char wanted[64];

    snprintf(wanted, sizeof(wanted), "\"code\":\"%s\"", code);
    if (fake_answer.status != status || !strstr(fake_answer.body, wanted))
        fail_msg("%d %s instead of %d %s", fake_answer.status, fake_answer.body, status, code);
}

/* ---- the list ---- */

TEST(a_lease_has_its_members)
{
    const struct lease_view rows[] = {
        {.id = ID,
         .request_id = 42,
         .request_key = "42",
         .user = "CORP\\ann",
         .sessions = sessions,
         .nsessions = 2,
         .lsid = "{01234567-89AB-cdef-0123-456789abcdef}",
         .credential_id = "c1",
         .system = "web01",
         .account = "CORP\\svc",
         .state = "releasing",
         .created_wall_ms = 1773135012345,
         .expires_wall_ms = 1773138612999,
         .attempts = 3,
         .last_error = "the vault said \"no\""},
        {.id = "B",
         .user = "bob",
         .sessions = sessions + 1,
         .nsessions = 1,
         .credential_id = "c2",
         .state = "intent",
         .adopted = true,
         .created_wall_ms = 1773135012345,
         .last_error = ""},
    };
    fake_broker.leases = rows;
    fake_broker.nleases = 2;
    fake_broker.next = 255;
    list(NULL);
    assert_int_equal(fake_answer.status, 200);
    assert_string_equal(fake_answer.type, "application/json");
    assert_string_equal(
        fake_answer.body,
        "{\"leases\":[{\"id\":\"" ID
        "\",\"request_id\":42,\"request_key\":\"42\",\"user\":\"CORP\\\\ann\",\"sessions\":[\"S-1\",\"S-2\"],"
        "\"lsid\":\"{01234567-89AB-cdef-0123-456789abcdef}\","
        "\"credential_id\":\"c1\",\"system\":\"web01\",\"account\":\"CORP\\\\svc\",\"state\":\"releasing\","
        "\"created_at\":\"2026-03-10T09:30:12Z\","
        "\"expires_at\":\"2026-03-10T10:30:12Z\",\"attempts\":3,\"last_error\":\"the vault said "
        "\\\"no\\\"\"},"
        "{\"id\":\"B\",\"request_id\":null,\"request_key\":null,\"user\":\"bob\",\"sessions\":[\"S-2\"],"
        "\"lsid\":null,"
        "\"credential_id\":\"c2\",\"system\":null,\"account\":null,"
        "\"state\":\"intent\",\"created_at\":\"2026-03-10T09:30:12Z\",\"expires_at\":null,\"attempts\":0,"
        "\"last_error\":null,\"adopted\":true}],\"next\":\"00000000000000ff\"}");
}

TEST(no_lease_is_an_empty_list)
{
    list("");
    assert_string_equal(fake_answer.body, "{\"leases\":[],\"next\":null}");
    assert_string_equal(fake_broker.filters, "-|-|-");
    assert_int_equal(fake_broker.filter.limit, 100);
    assert_int_equal(fake_broker.filter.after, 0);
}

TEST(filters_are_decoded)
{
    list("user=CORP%5cann&session=S%2B1+x&state=open&limit=1000&cursor=00000000000000ff");
    assert_int_equal(fake_answer.status, 200);
    assert_string_equal(fake_broker.filters, "CORP\\ann|S+1 x|open");
    assert_int_equal(fake_broker.filter.limit, 1000);
    assert_int_equal(fake_broker.filter.after, 255);
    list("us%65r=z%C3%B6%26%3d&limit=1");
    assert_string_equal(fake_broker.filters, "z\xc3\xb6&=|-|-");
    assert_int_equal(fake_broker.filter.limit, 1);
}

TEST(each_state_is_a_filter)
{
    static const char *const known[] = {LEASE_STATES};
    char query[32];
    for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
        snprintf(query, sizeof(query), "state=%s", known[i]);
        list(query);
        assert_int_equal(fake_answer.status, 200);
    }
}

TEST(a_cursor_comes_back)
{
    static const uint64_t cursors[] = {1, 0x0123456789abcdef, UINT64_MAX};
    char query[64];
    for (size_t i = 0; i < sizeof(cursors) / sizeof(*cursors); i++) {
        fake_broker.next = cursors[i];
        list(NULL);
        const char *next = strstr(fake_answer.body, "\"next\":\"");
        assert_non_null(next);
        snprintf(query, sizeof(query), "cursor=%.*s", (int)strcspn(next + 8, "\""), next + 8);
        list(query);
        assert_true(fake_broker.filter.after == cursors[i]);
    }
}

TEST(bad_queries_are_refused)
{
    static const char *const bad[] = {
        "users=ann",
        "User=ann",
        "user",
        "user=",
        "session=",
        "state=",
        "state=Open",
        "state=lost",
        "limit=0",
        "limit=1001",
        "limit=-1",
        "limit=1.0",
        "limit=",
        "limit= 1",
        "cursor=0000000000000000",
        "cursor=ff",
        "cursor=00000000000000fg",
        "cursor=00000000000000ff0",
        "cursor=",
        "user=a&user=b",
        "user=a&us%65r=b",
        "user=%",
        "user=%4",
        "user=%zz",
        "user=%00",
        "user=a%00b",
        "user=%ff",
        "user=%c0%80",
        "us%er=a",
        "&",
        "user=a&",
        "=a",
        "user=a&&state=open",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        list(bad[i]);
        if (fake_answer.status != 400)
            fail_msg("%s: %d", bad[i], fake_answer.status);
        assert_code(400, "invalid_request");
    }
    assert_int_equal(fake_broker.pages, 0);
    list("state=lost");
    assert_non_null(
        strstr(fake_answer.body, "`state` must be one of intent, pending, open, releasing, lapsed"));
    list("users=ann");
    assert_non_null(strstr(fake_answer.body, "`users` is not known here"));
}

/* Rows that together are longer than an answer may be: the page gets shorter instead of failing. */
TEST(a_page_that_is_too_long_gets_shorter)
{
    enum { ROWS = 100, LETTERS = 20000 };
    static struct lease_view rows[ROWS];
    static char name[LETTERS + 1];
    static const char *names[10];
    memset(name, 'x', LETTERS);
    for (size_t i = 0; i < 10; i++)
        names[i] = name;
    for (size_t i = 0; i < ROWS; i++)
        rows[i] = (struct lease_view){.id = "A",
                                      .user = "u",
                                      .sessions = names,
                                      .nsessions = 10,
                                      .credential_id = "c",
                                      .state = "open"};
    fake_broker.leases = rows;
    fake_broker.nleases = ROWS;
    fake_broker.next = 7;
    fake_answer_cut = true;
    list(NULL);
    fake_answer_cut = false;
    assert_in_range(fake_answer.length, 50 * 10 * LETTERS, 16 << 20);
    assert_int_equal(fake_answer.status, 200);
    assert_int_equal(fake_broker.pages, 2);
    assert_int_equal(fake_broker.filter.limit, 50);
}

TEST(operators_alone_see_leases)
{
    struct fake_req f;
    send_as(&f, HTTP_GET_, "tok", "/v1/leases", NULL);
    assert_code(403, "forbidden");
    assert_non_null(strstr(fake_answer.body, "`operate`"));
    send_as(&f, HTTP_POST_, "eye", "/v1/leases/" ID "/release", NULL);
    assert_code(403, "forbidden");
    send_as(&f, HTTP_GET_, "nobody", "/v1/leases", "nonsense");
    assert_code(401, "unauthenticated");
    send_as(&f, HTTP_POST_, "ops", "/v1/leases", NULL);
    assert_code(405, "method_not_allowed");
    send_as(&f, HTTP_GET_, "ops", "/v1/leases/" ID "/release", NULL);
    assert_code(405, "method_not_allowed");
    assert_int_equal(fake_broker.calls + fake_broker.pages, 0);
}

/* An operator looks at leases when something is wrong: also while the gateway is full or shuts down. */
TEST(a_draining_gateway_still_lists)
{
    gateway_drain(fake_gateway);
    list(NULL);
    assert_int_equal(fake_answer.status, 200);
}

/* ---- ending one ---- */

static void end(struct fake_req *f, const char *path)
{
    send_as(f, HTTP_POST_, "ops", path, NULL);
}

TEST(a_lease_is_released_by_its_id)
{
    struct fake_req f;
    end(&f, "/v1/leases/" ID "/release");
    assert_string_equal(fake_broker.what, "release_lease");
    assert_string_equal(fake_broker.asked, "-|" ID "|-|0|-|");
    assert_int_equal(fake_broker.timeout_ms, SECONDS(15));
    fake_broker.released(fake_broker.arg, &(struct release_answer){.released = 1, .remaining_holders = 2});
    assert_int_equal(fake_answer.status, 200);
    assert_string_equal(fake_answer.body, "{\"released\":1}");
    end(&f, "/v1/leases/" ID "/release");
    fake_broker.released(fake_broker.arg, &(struct release_answer){.released = 1, .pending = true});
    assert_string_equal(fake_answer.body, "{\"released\":1,\"pending\":true}");
}

TEST(an_unknown_lease_is_not_found)
{
    struct fake_req f;
    struct fault fault;
    fault_set(&fault, FAULT_NOT_FOUND, "there is no such lease");
    end(&f, "/v1/leases/x/release");
    fake_broker.released(fake_broker.arg, &(struct release_answer){.fault = &fault});
    assert_code(404, "not_found");
    end(&f, "/v1/leases/" ID "D/release"); /* longer than an id can be: the broker is not asked */
    assert_code(404, "not_found");
    assert_int_equal(fake_broker.calls, 1);
}

TEST(the_id_is_decoded)
{
    struct fake_req f;
    end(&f, "/v1/leases/%30%2f+%C3%BC/release");
    assert_string_equal(fake_broker.asked, "-|0/+\xc3\xbc|-|0|-|");
    cancel_request(&f);
    assert_int_equal(fake_broker.left, 1);
}

TEST(bad_paths_are_refused)
{
    static const char *const missing[] = {
        "/v1/leases/",         "/v1/leases//release",    "/v1/leases/a/b/release", "/v1/leases/a/release/",
        "/v1/leases/a/releas", "/v1/leases/a/%72elease", "/v1/leases/a",           "/v1/leases/a%2frelease",
        "/v1/lease/a/release", "/v1/leases/a//release",
    };
    static const char *const bad[] = {"%", "%4", "%zz", "a%00", "%ff", "%ed%a0%80"};
    char path[64];
    struct fake_req f;
    for (size_t i = 0; i < sizeof(missing) / sizeof(*missing); i++) {
        end(&f, missing[i]);
        if (fake_answer.status != 404)
            fail_msg("%s: %d", missing[i], fake_answer.status);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        snprintf(path, sizeof(path), "/v1/leases/%s/release", bad[i]);
        end(&f, path);
        assert_code(400, "invalid_request");
    }
    assert_int_equal(fake_broker.calls, 0);
}

/* No body is needed; one that is there has to be a JSON object, and is not looked at. */
TEST(a_release_needs_no_body)
{
    static const struct {
        const char *type, *body;
        int64_t length;
        int status; /* 0 = the broker is asked */
    } rows[] = {
        {NULL, "", 0, 0},
        {"text/plain", "", 0, 0},
        {"application/json", "{}", 2, 0},
        {"application/json", "[]", 2, 400},
        {"application/json", "{", 1, 400},
        {"text/plain", "{}", 2, 415},
        {NULL, "{}", 2, 415},
        {NULL, "", -1, 411},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        case_label("%s of type %s, length %d", rows[i].body, rows[i].type ? rows[i].type : "(none)",
                   (int)rows[i].length);
        struct fake_req f;
        unsigned calls = fake_broker.calls;
        fake_req_init(&f, HTTP_POST_, "/v1/leases/" ID "/release");
        fake_req_header(&f, "Authorization", "Bearer ops");
        if (rows[i].type)
            fake_req_header(&f, "Content-Type", rows[i].type);
        f.req.body = rows[i].body;
        f.req.body_len = strlen(rows[i].body);
        f.req.content_length = rows[i].length;
        send_request(&f);
        assert_int_equal(fake_broker.calls, calls + !rows[i].status);
        if (rows[i].status)
            assert_int_equal(fake_answer.status, rows[i].status);
        else
            cancel_request(&f);
    }
}

TEST(a_release_keeps_its_timeout)
{
    struct fake_req f;
    fake_req_init(&f, HTTP_POST_, "/v1/leases/" ID "/release");
    fake_req_header(&f, "Authorization", "Bearer ops");
    fake_req_header(&f, "X-Request-Timeout-Ms", "250");
    f.req.content_length = 0;
    send_request(&f);
    assert_int_equal(fake_broker.timeout_ms, 250);
    cancel_request(&f);
}

TEST(a_release_is_refused_without_memory_and_while_draining)
{
    struct fake_req f;
    fake_broker.no_memory = true;
    end(&f, "/v1/leases/" ID "/release");
    assert_code(500, "internal_error");
    gateway_drain(fake_gateway);
    end(&f, "/v1/leases/" ID "/release");
    assert_code(503, "draining");
    end(&f, "/v1/leases/%/release"); /* 400 comes before */
    assert_code(400, "invalid_request");
}

/* ---- the store ---- */

static void fail_store(void)
{
    fake_store_state = (struct store_state){
        .why = "No space left on device", .queued = 3, .commits = 12, .last_commit_us = 2500};
}

TEST(a_failing_store_is_not_ready)
{
    struct fake_req f;
    start_request(&f, "/readyz", NULL);
    assert_string_equal(fake_answer.body, "{\"ready\":true,\"reasons\":[]}");
    fail_store();
    start_request(&f, "/readyz", NULL);
    assert_int_equal(fake_answer.status, 503);
    assert_string_equal(fake_answer.body,
                        "{\"ready\":false,\"reasons\":[\"the lease store cannot be written: No space left on "
                        "device; there are no new check-outs\"]}");
}

TEST(health_shows_the_store)
{
    struct fake_req f;
    start_request(&f, "/v1/health", NULL);
    assert_int_equal(fake_answer.status, 200);
    assert_non_null(
        strstr(fake_answer.body,
               "{\"name\":\"store\",\"ok\":true,\"detail\":\"writable\",\"last_success_age_ms\":0}"));
    fail_store();
    start_request(&f, "/v1/health", NULL);
    assert_int_equal(fake_answer.status, 503);
    assert_non_null(
        strstr(fake_answer.body, "{\"name\":\"store\",\"ok\":false,\"detail\":\"No space left on device\","));
}

TEST(status_shows_the_store)
{
    struct fake_req f;
    fail_store();
    start_request(&f, "/status", NULL);
    assert_non_null(
        strstr(fake_answer.body,
               "{\"name\":\"store\",\"type\":\"fake\",\"state\":\"not_writable\",\"writable\":false,"
               "\"why\":\"No space left on device\",\"queued\":3,\"commits\":12,\"last_commit_ms\":2.5}]"));
    assert_non_null(
        strstr(fake_answer.body, "\"leases\":{\"active\":2,\"releasing\":0,\"retrying\":1,\"lapsed\":0,"));
}

TEST(metrics_show_the_store)
{
    static const char *const lines[] = {
        "jumpgate_store_writable 0\n",
        "jumpgate_store_queued 3\n",
        "# TYPE jumpgate_store_commits_total counter\njumpgate_store_commits_total 12\n",
        "jumpgate_store_last_commit_seconds 0.0025\n",
        "jumpgate_store_steps_refused_total 3\n",
    };
    struct buf page = BUF_INIT(1 << 20);
    fail_store();
    gateway_render_metrics(fake_gateway, &page);
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
        if (!strstr(buf_cstr(&page), lines[i]))
            fail_msg("missing: %s", lines[i]);
    buf_free(&page);
}

#define T(name)     cmocka_unit_test_setup_teardown(name, fake_gateway_setup, fake_gateway_teardown)
#define STORE(name) cmocka_unit_test_setup_teardown(name, fake_gateway_setup_store, fake_gateway_teardown)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        T(a_lease_has_its_members),
        T(no_lease_is_an_empty_list),
        T(filters_are_decoded),
        T(each_state_is_a_filter),
        T(a_cursor_comes_back),
        T(bad_queries_are_refused),
        T(a_page_that_is_too_long_gets_shorter),
        T(operators_alone_see_leases),
        T(a_draining_gateway_still_lists),
        T(a_lease_is_released_by_its_id),
        T(an_unknown_lease_is_not_found),
        T(the_id_is_decoded),
        T(bad_paths_are_refused),
        T(a_release_needs_no_body),
        T(a_release_keeps_its_timeout),
        T(a_release_is_refused_without_memory_and_while_draining),
        STORE(a_failing_store_is_not_ready),
        STORE(health_shows_the_store),
        STORE(status_shows_the_store),
        STORE(metrics_show_the_store),
    };
    json_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
