/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_routes.c - the router: which refusal comes first, request ids, deadlines, limits, clients that leave,
 * and the operator's pages. What the nine operations read and write is in test_operations.c.
 */
#include "check.h"
#include "handlers/gateway.h"

#include "fake_gateway.h"

#include "base/json.h"
#include "base/metrics.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIND "{" GOOD_SESSION "}"

static const char *code(void)
{
    static char text[64];
    const char *at = strstr(fake_answer.body, "\"code\":\"");
    if (!at)
        return "-";
    snprintf(text, sizeof(text), "%.*s", (int)strcspn(at + 8, "\""), at + 8);
    return text;
}

#define assert_problem(wanted_status, wanted_code)                                                           \
    do {                                                                                                     \
        assert_int_equal(fake_answer.status, wanted_status);                                                 \
        assert_string_equal(code(), wanted_code);                                                            \
        assert_string_equal(fake_answer.type, "application/problem+json");                                   \
    } while (0)

/* Each row breaks one rule and all that come after it: the first one must be named. */
static const struct {
    const char *path, *token, *type, *body, *timeout;
    int64_t length; /* -1 none, -2 that of the body */
    int method, status;
    const char *code;
} order[] = {
    {"/v1/nothing", NULL, NULL, "", "x", -1, HTTP_POST_, 404, "not_found"},
    {"/v1/credentials/find/", NULL, NULL, "", "x", -1, HTTP_POST_, 404, "not_found"},
    {"/v1//health", "tok", NULL, "", NULL, -1, HTTP_GET_, 404, "not_found"},
    {"/v1/%68ealth", "tok", NULL, "", NULL, -1, HTTP_GET_, 404, "not_found"},
    {"/v1/credentials/find", NULL, NULL, "", "x", -1, HTTP_GET_, 405, "method_not_allowed"},
    {"/v1/credentials/find", "tok", NULL, "", "x", -1, HTTP_HEAD_, 405, "method_not_allowed"},
    {"/livez", NULL, NULL, "", NULL, 0, HTTP_POST_, 405, "method_not_allowed"},
    {"/v1/credentials/find", NULL, NULL, "", "x", -1, HTTP_POST_, 401, "unauthenticated"},
    {"/v1/credentials/find", "no", NULL, "", "x", -1, HTTP_POST_, 401, "unauthenticated"},
    {"/v1/credentials/find", "eye", NULL, "", "x", -1, HTTP_POST_, 403, "forbidden"},
    {"/status", "slow", NULL, "", NULL, -1, HTTP_GET_, 403, "forbidden"},
    {"/v1/credentials/find", "slow", NULL, "", "x", -1, HTTP_POST_, 411, "length_required"},
    {"/v1/credentials/find", "slow", "text/plain", "", "x", 2049, HTTP_POST_, 413, "body_too_large"},
    {"/v1/health", "slow", NULL, "", NULL, 2049, HTTP_GET_, 413, "body_too_large"},
    {"/v1/credentials/find", "slow", "text/plain", "{", "x", -2, HTTP_POST_, 415, "unsupported_media_type"},
    {"/v1/credentials/find", "slow", NULL, "{", "x", -2, HTTP_POST_, 415, "unsupported_media_type"},
    {"/v1/credentials/find", "slow", "application/json", "{", "x", -2, HTTP_POST_, 400, "invalid_request"},
    {"/v1/credentials/find", "slow", "application/json", "{", "1", -2, HTTP_POST_, 400, "invalid_request"},
    {"/v1/credentials/find", "slow", "application/json", "", "1", 0, HTTP_POST_, 400, "invalid_request"},
    {"/v1/credentials/find", "slow", NULL, "", "1", 0, HTTP_POST_, 400, "invalid_request"},
    {"/v1/credentials/find", "slow", "application/json", "[]", "1", -2, HTTP_POST_, 400, "invalid_request"},
    {"/v1/credentials/find", "slow", "application/json", FIND, "1", -2, HTTP_POST_, 429, "rate_limited"},
    {"/v1/credentials/find", "tok", "application/json", FIND, "1", -2, HTTP_POST_, 503, "draining"},
};

static void make(struct fake_req *f, size_t i)
{
    static char bearer[64];

    fake_req_init(f, (enum http_method)order[i].method, order[i].path);
    if (order[i].token) {
        snprintf(bearer, sizeof(bearer), "Bearer %s", order[i].token);
        fake_req_header(f, "Authorization", bearer);
    }
    if (order[i].type)
        fake_req_header(f, "Content-Type", order[i].type);
    if (order[i].timeout)
        fake_req_header(f, "X-Request-Timeout-Ms", order[i].timeout);
    f->req.body = order[i].body;
    f->req.body_len = strlen(order[i].body);
    f->req.content_length = order[i].length == -2 ? (int64_t)f->req.body_len : order[i].length;
}

TEST(refusals_have_an_order)
{
    struct fake_req f;
    /* spend the one token of `slow`, and close the doors: everything later in the order would refuse as well
     */
    fake_req_init(&f, HTTP_GET_, "/v1/capabilities");
    fake_req_header(&f, "Authorization", "Bearer slow");
    send_request(&f);
    assert_int_equal(fake_answer.status, 200);
    gateway_drain(fake_gateway);
    for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
        make(&f, i);
        fake_answers = 0;
        send_request(&f);
        if (fake_answers != 1 || fake_answer.status != order[i].status || strcmp(code(), order[i].code) != 0)
            fail_msg("%s, expected %s: %u answers, %d %s", order[i].path, order[i].code, fake_answers,
                     fake_answer.status, code());
    }
    assert_int_equal(fake_broker.calls, 0);
}

TEST(refusals_carry_their_headers)
{
    struct fake_req f;
    fake_req_init(&f, HTTP_GET_, "/v1/credentials/find");
    send_request(&f);
    assert_string_equal(fake_answer_header("Allow"), "POST");
    fake_req_init(&f, HTTP_POST_, "/readyz");
    send_request(&f);
    assert_string_equal(fake_answer_header("Allow"), "GET, HEAD");
    fake_req_init(&f, HTTP_GET_, "/v1/health");
    send_request(&f);
    assert_problem(401, "unauthenticated");
    assert_string_equal(fake_answer_header("WWW-Authenticate"), "Bearer");
    assert_non_null(fake_answer_header("X-Request-Id"));
    assert_null(fake_answer_header("Retry-After"));
}

static const char *answered_id(const char *sent)
{
    struct fake_req f;
    fake_req_init(&f, HTTP_GET_, "/livez");
    if (sent)
        fake_req_header(&f, "X-Request-Id", sent);
    send_request(&f);
    return fake_answer_header("X-Request-Id");
}

TEST(request_ids_are_echoed_or_made)
{
    char longest[130];
    memset(longest, 'a', sizeof(longest));
    longest[129] = '\0';
    assert_string_equal(answered_id("A.z_9-"), "A.z_9-");
    assert_int_equal(strlen(answered_id(longest)), 26); /* 129 are too many */
    longest[128] = '\0';
    assert_string_equal(answered_id(longest), longest);
    assert_int_equal(strlen(answered_id("")), 26);
    assert_int_equal(strlen(answered_id("with blank")), 26);
    assert_int_equal(strlen(answered_id("x\"y")), 26);
    assert_int_equal(strlen(answered_id(NULL)), 26);
}

static int status_of_type(const char *type)
{
    struct fake_req f;
    fake_req_init(&f, HTTP_POST_, "/v1/sessions/start");
    fake_req_header(&f, "Authorization", "Bearer tok");
    fake_req_header(&f, "Content-Type", type);
    f.req.body = "{}";
    f.req.body_len = 2;
    f.req.chunked = true;
    send_request(&f);
    return fake_answer.status;
}

TEST(media_types_are_json_in_utf8)
{
    assert_int_equal(status_of_type("application/json"), 501);
    assert_int_equal(status_of_type("Application/JSON ; charset=\"UTF-8\""), 501);
    assert_int_equal(status_of_type("application/json;charset=utf-8; q=1"), 501);
    assert_int_equal(status_of_type("application/json;"), 501);
    assert_int_equal(status_of_type("application/json; charset=latin1"), 415);
    assert_int_equal(status_of_type("application/json; charset=\"utf-8"), 415);
    assert_int_equal(status_of_type("application/jsonx"), 415);
    assert_int_equal(status_of_type("application/json charset=utf-8"), 415);
    assert_int_equal(status_of_type("text/json"), 415);
    assert_int_equal(status_of_type(""), 415);
}

static void ask_with_timeout(struct fake_req *f, const char *value, const char *second)
{
    fake_req_init(f, HTTP_POST_, "/v1/credentials/find");
    fake_req_header(f, "Authorization", "Bearer tok");
    fake_req_header(f, "X-Request-Timeout-Ms", value);
    if (second)
        fake_req_header(f, "X-Request-Timeout-Ms", second);
    fake_req_json(f, FIND);
    send_request(f);
}

static uint64_t granted(const char *value)
{
    struct fake_req f;
    ask_with_timeout(&f, value, NULL);
    cancel_request(&f);
    return fake_broker.timeout_ms;
}

TEST(timeouts_are_read_and_bounded)
{
    static const char *const wrong[] = {"0", "600001", "-1", "1.5", "", "1s", "+5", " 5", "0x10"};
    struct fake_req f;
    assert_int_equal(granted("1"), 1);
    assert_int_equal(granted("14999"), 14999);
    assert_int_equal(granted("600000"), 15000);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        ask_with_timeout(&f, wrong[i], NULL);
        assert_problem(400, "invalid_request");
    }
    ask_with_timeout(&f, "5", "5");
    assert_problem(400, "invalid_request");
}

static void send_late(struct fake_req *f, const char *timeout, uint64_t late_ms)
{
    const struct http_app *app = gateway_app(fake_gateway);

    fake_req_init(f, HTTP_POST_, "/v1/credentials/find");
    fake_req_header(f, "Authorization", "Bearer tok");
    fake_req_header(f, "X-Request-Timeout-Ms", timeout);
    fake_req_json(f, FIND);
    f->req.started_ms = fake_clock.now;
    assert_int_equal(app->head(app->arg, &f->req), 2048);
    fake_clock_advance(&fake_clock, late_ms);
    app->message(app->arg, &f->req);
}

TEST(a_slow_body_uses_up_the_timeout)
{
    struct fake_req f;
    send_late(&f, "100", 60);
    assert_int_equal(fake_broker.timeout_ms, 40);
    cancel_request(&f);
    send_late(&f, "100", 100);
    assert_problem(504, "deadline_exceeded");
    assert_int_equal(fake_broker.calls, 1);
}

TEST(over_the_limit_requests_are_refused_until_one_leaves)
{
    struct fake_req one, two, three;
    start_request(&one, "/v1/credentials/find", FIND);
    start_request(&two, "/v1/credentials/find", FIND);
    assert_int_equal(fake_answers, 0);
    start_request(&three, "/v1/credentials/find", FIND);
    assert_problem(503, "overloaded");
    assert_non_null(fake_answer_header("Retry-After"));
    start_request(&three, "/v1/health", NULL);
    assert_int_equal(fake_answer.status, 200);
    start_request(&three, "/metrics", NULL);
    assert_int_equal(fake_answer.status, 200);
    cancel_request(&one);
    assert_int_equal(fake_broker.left, 1);
    fake_answers = 0;
    start_request(&three, "/v1/credentials/find", FIND); /* there is room again */
    assert_int_equal(fake_answers, 0);
    cancel_request(&two);
    cancel_request(&three);
    assert_int_equal(fake_broker.left, 3);
    assert_int_equal(fake_answers, 0);
}

TEST(giving_up_answers_all_in_flight)
{
    struct fake_req one, two;
    start_request(&one, "/v1/credentials/find", FIND);
    start_request(&two, "/v1/credentials/find", FIND);
    gateway_drain(fake_gateway);
    assert_int_equal(fake_answers, 0); /* those in flight go on */
    gateway_give_up(fake_gateway);
    assert_problem(503, "draining");
    assert_int_equal(fake_answers, 2);
    assert_int_equal(fake_broker.left, 2);
    assert_null(one.req.app);
    gateway_give_up(fake_gateway);
    assert_int_equal(fake_answers, 2);
}

TEST(an_answer_makes_room)
{
    struct fake_req f;
    for (unsigned i = 0; i < 10; i++) {
        start_request(&f, "/v1/credentials/find", FIND);
        fake_broker.found(fake_broker.arg, &(struct find_answer){.n = 0});
        assert_int_equal(fake_answer.status, 200);
    }
    assert_int_equal(fake_answers, 10);
    assert_int_equal(fake_broker.left, 0);
}

TEST(a_client_gone_after_its_head_starts_nothing)
{
    const struct http_app *app = gateway_app(fake_gateway);
    struct fake_req f;
    fake_req_init(&f, HTTP_POST_, "/v1/credentials/find");
    fake_req_header(&f, "Authorization", "Bearer tok");
    fake_req_json(&f, FIND);
    assert_int_equal(app->head(app->arg, &f.req), 2048);
    cancel_request(&f);
    assert_null(f.req.app);
    cancel_request(&f);
    assert_int_equal(fake_answers, 0);
    assert_int_equal(fake_broker.left, 0);
}

TEST(without_memory_a_request_is_refused)
{
    struct fake_req f;
    fake_broker.no_memory = true;
    start_request(&f, "/v1/credentials/find", FIND);
    assert_problem(500, "internal_error");
}

static int status_for_slow(const char *path)
{
    struct fake_req f;
    fake_req_init(&f, HTTP_GET_, path);
    fake_req_header(&f, "Authorization", "Bearer slow");
    send_request(&f);
    return fake_answer.status;
}

TEST(the_rate_limits_a_client)
{
    assert_int_equal(status_for_slow("/v1/health"), 200); /* costs nothing */
    assert_int_equal(status_for_slow("/v1/capabilities"), 200);
    assert_int_equal(status_for_slow("/v1/capabilities"), 429);
    assert_problem(429, "rate_limited");
    assert_string_equal(fake_answer_header("Retry-After"), "1");
    assert_int_equal(status_for_slow("/v1/health"), 200); /* and is never limited */
}

static void ask_without_token(struct fake_req *f, const char *path)
{
    fake_req_init(f, HTTP_GET_, path);
    memcpy(f->peer.origin, "127.0.0.1", 10);
    send_request(f);
}

/* Whatever a stranger asks: its bucket holds a minute's worth of requests that are logged, the rest is
 * counted. */
TEST(log_lines_of_strangers_are_bounded)
{
    static const char *const paths[] = {"/nowhere", "/livez", "/v1/capabilities", "/v1/credentials/find"};
    const struct http_app *app = gateway_app(fake_gateway);
    struct fake_req f;
    fake_conf.gateway.failed_logins_per_s = 0.5;
    for (unsigned i = 0; i < 80; i++)
        ask_without_token(&f, paths[i % 4]);
    assert_int_equal(fake_gateway->stranger_lines.total, 50);
    assert_false(app->may_log(app->arg, &f.peer));
    assert_int_equal(fake_gateway->stranger_lines.left_out, 51);
    f.peer.known = true; /* a client's connection is not asked */
    f.req.path = "/nowhere";
    send_request(&f);
    assert_int_equal(fake_gateway->stranger_lines.left_out, 51);
    fake_clock_advance(&fake_clock, SECONDS(5));
    (void)timers_run(fake_timers);
    assert_int_equal(fake_gateway->stranger_lines.left_out, 0); /* the log has counted them */
    assert_int_equal(fake_gateway->stranger_lines.total, 51);
}

static bool known_after(const char *path, const char *authorization)
{
    struct fake_req f;
    fake_req_init(&f, HTTP_GET_, path);
    if (authorization)
        fake_req_header(&f, "Authorization", authorization);
    send_request(&f);
    return f.peer.known;
}

TEST(an_authenticated_client_is_no_stranger)
{
    const struct http_app *app = gateway_app(fake_gateway);
    const struct http_peer peer = {.listener = "test"};
    assert_true(known_after("/v1/capabilities", "Bearer tok"));
    assert_true(known_after("/v1/capabilities", "Bearer eye")); /* 403, but a client */
    assert_true(known_after("/livez", "Bearer tok"));
    assert_true(known_after("/nowhere", "Bearer tok"));
    assert_false(known_after("/livez", NULL));
    assert_false(known_after("/livez", "Bearer guess"));
    assert_false(known_after("/v1/capabilities", "Bearer guess"));
    assert_false(app->knows(app->arg, &peer));
}

static void refuse(const struct http_req *req, struct buf *body, struct buf *headers)
{
    const struct http_app *app = gateway_app(fake_gateway);
    const struct http_peer peer = {.listener = "test", .origin = "127.0.0.1"};
    struct fault f;

    fault_set(&f, FAULT_OVERLOADED, "max_connections are open");
    assert_string_equal(app->refuse(app->arg, &peer, req, &f, body, headers), "application/problem+json");
    assert_non_null(strstr(buf_cstr(body), "\"code\":\"overloaded\""));
    assert_non_null(strstr(buf_cstr(headers), "Retry-After: 1\r\n"));
}

TEST(refusals_of_the_server_have_the_problem_form)
{
    const struct http_app *app = gateway_app(fake_gateway);
    struct buf body = BUF_INIT(8192), headers = BUF_INIT(8192);
    struct fake_req f;
    refuse(NULL, &body, &headers);
    buf_clear(&body);
    buf_clear(&headers);
    fake_req_init(&f, HTTP_POST_, "/v1/credentials/find");
    fake_req_header(&f, "Authorization", "Bearer tok");
    fake_req_header(&f, "X-Request-Id", "mine");
    fake_req_json(&f, FIND);
    assert_int_equal(app->head(app->arg, &f.req), 2048);
    refuse(&f.req, &body, &headers); /* in the middle of its body */
    assert_non_null(strstr(buf_cstr(&headers), "X-Request-Id: mine\r\n"));
    assert_null(f.req.app);
    cancel_request(&f);
    buf_free(&body);
    buf_free(&headers);
}

static const char *ready(int status)
{
    struct fake_req f;
    fake_req_init(&f, HTTP_GET_, "/readyz");
    send_request(&f);
    assert_int_equal(fake_answer.status, status);
    return fake_answer.body;
}

TEST(readiness_names_its_reasons)
{
    assert_string_equal(ready(200), "{\"ready\":true,\"reasons\":[]}");
    fake_vault_state = (struct vault_state){.known = false};
    assert_string_equal(ready(200), "{\"ready\":true,\"reasons\":[]}");
    fake_vault_state = (struct vault_state){.known = true, .detail = "connection refused"};
    assert_string_equal(
        ready(503), "{\"ready\":false,\"reasons\":[\"vault main is not reachable: connection refused\"]}");
    fake_vault_state.reachable = true;
    fake_certificate_end = fake_clock.wall / 1000 + 1;
    (void)ready(200);
    fake_certificate_end = fake_clock.wall / 1000;
    assert_non_null(strstr(ready(503), "expired"));
    fake_certificate_end = 0;
    fake_crl_end = fake_clock.wall / 1000;
    assert_non_null(strstr(ready(503), "past its next update"));
    gateway_drain(fake_gateway);
    assert_non_null(strstr(ready(503), "shutting down"));
}

TEST(health_lists_each_check)
{
    struct fake_req f;
    start_request(&f, "/v1/health", NULL);
    assert_int_equal(fake_answer.status, 200);
    assert_string_equal(
        fake_answer.body,
        "{\"healthy\":true,\"checks\":[{\"name\":\"gateway\",\"ok\":true,\"detail\":\"serving\","
        "\"last_success_age_ms\":0},{\"name\":\"vault:main\",\"ok\":true,\"detail\":\"\","
        "\"last_success_age_ms\":5}]}");
    fake_vault_state = (struct vault_state){.known = true, .last_success_age_ms = UINT64_MAX};
    start_request(&f, "/v1/health", NULL);
    assert_int_equal(fake_answer.status, 503);
    assert_non_null(strstr(fake_answer.body, "\"healthy\":false"));
    assert_non_null(strstr(fake_answer.body, "\"last_success_age_ms\":null"));
}

/* Away, as known and not reachable. */
static const struct vault_state away = {.known = true, .detail = "lost", .last_success_age_ms = UINT64_MAX};

TEST(one_vault_of_two_is_enough)
{
    fake_second_state = away;
    assert_string_equal(ready(200), "{\"ready\":true,\"reasons\":[\"vault second is not reachable: lost\"]}");
    struct fake_req f;
    start_request(&f, "/v1/health", NULL);
    assert_int_equal(fake_answer.status, 200);
    assert_non_null(strstr(fake_answer.body, "{\"healthy\":true,"));
    assert_non_null(strstr(fake_answer.body, "{\"name\":\"vault:second\",\"ok\":false,\"detail\":\"lost\","));
    start_request(&f, "/status", NULL);
    assert_non_null(strstr(fake_answer.body, "\"name\":\"second\",\"type\":\"password_safe\","
                                             "\"state\":\"down\",\"detail\":\"lost\""));
    assert_non_null(
        strstr(fake_answer.body, "\"held\":4,\"returning\":3,\"settling\":2,\"spinning\":6,\"overdue\":1}"));
    assert_null(strstr(strstr(fake_answer.body, "\"overdue\":1}") + 1, "\"overdue\""));
    fake_vault_state = away;
    assert_string_equal(ready(503), "{\"ready\":false,\"reasons\":[\"vault main is not reachable: lost\","
                                    "\"vault second is not reachable: lost\"]}");
    start_request(&f, "/v1/health", NULL);
    assert_int_equal(fake_answer.status, 503);
    fake_second_state = (struct vault_state){.known = false}; /* not asked yet */
    (void)ready(200);
}

TEST(a_certificate_for_one_vault_concerns_that_vault_alone)
{
    fake_second_state.certificate_end = fake_clock.wall / 1000;
    assert_string_equal(ready(200),
                        "{\"ready\":true,\"reasons\":[\"the certificate of vault second has expired\"]}");
    fake_vault_state = away;
    (void)ready(503);
    fake_vault_state = (struct vault_state){.known = true, .reachable = true};
    fake_vault_state.certificate_end = fake_clock.wall / 1000;
    (void)ready(503);
    fake_vault_state.certificate_end++;
    (void)ready(200);
}

TEST(lists_name_the_vaults_that_are_missing)
{
    static const char *const names[] = {"main", "second"};
    struct fake_req f;
    start_request(&f, "/v1/credentials/find", FIND);
    fake_broker.found(fake_broker.arg, &(struct find_answer){.partial = names, .npartial = 2});
    assert_non_null(strstr(fake_answer.body, "\"age_ms\":0,\"partial\":[\"main\",\"second\"]}"));
    start_request(&f, "/v1/credentials/find", FIND);
    fake_broker.found(fake_broker.arg, &(struct find_answer){.n = 0});
    assert_non_null(strstr(fake_answer.body, "\"partial\":[]}"));
    start_request(&f, "/v1/endpoints/find", "{" GOOD_SESSION "}");
    fake_broker.endpoints(fake_broker.arg, &(struct endpoints_answer){.partial = names + 1, .npartial = 1});
    assert_non_null(strstr(fake_answer.body, "\"partial\":[\"second\"]}"));
    start_request(&f, "/v1/endpoints/find", "{" GOOD_SESSION ",\"types\":[\"web\"]}"); /* no vault is asked */
    assert_non_null(strstr(fake_answer.body, "\"partial\":[]}"));
}

TEST(status_has_its_members)
{
    static const char *const members[] = {"version", "uptime_seconds", "config_digest", "dependencies",
                                          "leases",  "loop_lag_ms",    "certificates",  "last_errors"};
    struct fake_req f;
    const char *why;
    fake_certificate_end = fake_clock.wall / 1000 + 86400 * 3;
    fake_clock_advance(&fake_clock, SECONDS(61));
    start_request(&f, "/status", NULL);
    cJSON *page = json_parse(fake_answer.body, strlen(fake_answer.body), 32, 0, &why);
    assert_non_null(page);
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
        assert_non_null(json_get(page, members[i]));
    assert_int_equal(json_get(page, "uptime_seconds")->valueint, 61);
    assert_int_equal(json_get(json_get(page, "leases"), "active")->valueint, 2);
    assert_string_equal(json_get(page, "config_digest")->valuestring, "d1");
    cJSON_Delete(page);
}

/* GET /status as the client with this token. */
static const char *status_for(const char *bearer)
{
    struct fake_req f;

    fake_req_init(&f, HTTP_GET_, "/status");
    fake_req_header(&f, "Authorization", bearer);
    send_request(&f);
    assert_int_equal(fake_answer.status, 200);
    return fake_answer.body;
}

TEST(failures_are_listed_with_names_for_operators)
{
    struct fake_req f;

    fake_broker.no_memory = true;
    start_request(&f, "/v1/credentials/find", FIND);
    assert_int_equal(fake_answer.status, 500);
    assert_non_null(strstr(status_for("Bearer both"), "\"user\":\"CORP\\\\ann\",\"endpoint\":\"web01\""));
    assert_non_null(strstr(status_for("Bearer eye"), "\"user\":null,\"endpoint\":null,\"detail\":null"));
    assert_null(strstr(status_for("Bearer eye"), "CORP"));
}

TEST(metrics_count_requests)
{
    static const char *const lines[] = {
        "jumpgate_requests_total{operation=\"capabilities\",status=\"200\"} 2\n",
        "jumpgate_requests_total{operation=\"unknown\",status=\"404\"} 1\n",
        "jumpgate_requests_total{operation=\"find\",status=\"499\"} 1\n",
        "jumpgate_request_duration_seconds_count{operation=\"capabilities\"} 2\n",
        "jumpgate_leases{state=\"active\"} 2\n",
        "jumpgate_lease_oldest_overdue_seconds 4.2\n",
        "jumpgate_vault_up{vault=\"main\"} 1\n",
        "jumpgate_partial_answers_total{vault=\"main\"} 5\n",
        "jumpgate_connections 3\n",
        "jumpgate_authentication_failures_total 0\n",
        "jumpgate_requests_in_flight 0\n",
    };
    struct fake_req f;
    struct buf page = BUF_INIT(1 << 20);
    start_request(&f, "/v1/capabilities", NULL);
    start_request(&f, "/v1/capabilities", NULL);
    start_request(&f, "/nothing", NULL);
    start_request(&f, "/v1/credentials/find", FIND);
    cancel_request(&f);
    gateway_render_metrics(fake_gateway, &page);
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
        if (!strstr(buf_cstr(&page), lines[i]))
            fail_msg("missing: %s", lines[i]);
    buf_free(&page);
}

#define T(name) cmocka_unit_test_setup_teardown(name, fake_gateway_setup, fake_gateway_teardown)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        T(refusals_have_an_order),
        T(refusals_carry_their_headers),
        T(request_ids_are_echoed_or_made),
        T(media_types_are_json_in_utf8),
        T(timeouts_are_read_and_bounded),
        T(a_slow_body_uses_up_the_timeout),
        T(over_the_limit_requests_are_refused_until_one_leaves),
        T(giving_up_answers_all_in_flight),
        T(an_answer_makes_room),
        T(a_client_gone_after_its_head_starts_nothing),
        T(without_memory_a_request_is_refused),
        T(the_rate_limits_a_client),
        T(log_lines_of_strangers_are_bounded),
        T(an_authenticated_client_is_no_stranger),
        T(refusals_of_the_server_have_the_problem_form),
        T(readiness_names_its_reasons),
        T(lists_name_the_vaults_that_are_missing),
        cmocka_unit_test_setup_teardown(one_vault_of_two_is_enough, fake_gateway_setup_two,
                                        fake_gateway_teardown),
        cmocka_unit_test_setup_teardown(a_certificate_for_one_vault_concerns_that_vault_alone,
                                        fake_gateway_setup_two, fake_gateway_teardown),
        T(health_lists_each_check),
        T(status_has_its_members),
        T(failures_are_listed_with_names_for_operators),
        T(metrics_count_requests),
    };
    json_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
