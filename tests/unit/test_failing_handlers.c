/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_failing_handlers.c - each allocation and each call of OpenSSL fails once while a request is read and
 * answered, against a fake broker and a fake site.
 *
 * A caller is never another one, nor unknown, because its token could not be hashed: a request that fails for
 * want of memory is answered 500 or 503, is no failure of the caller's and leaves nothing with the broker.
 * The same request is answered as usual then.
 */
#include "check.h"
#include "failing_calls.h"
#include "fake_gateway.h"

#include "base/log.h"

#include <stdio.h>
#include <string.h>

#define LSID "0123456789abcdef0123456789abcdef"

static const struct row {
    const char *path, *token, *body; /* body NULL = GET */
    int status;                      /* 0 = the broker has it */
} rows[] = {
    {"/v1/credentials/find", "tok", "{" GOOD_SESSION "}", 0},
    {"/v1/credentials/find", "tok", "{", 400},
    {"/v1/credentials/find", "eye", "{" GOOD_SESSION "}", 403},
    {"/v1/credentials/find", "tokk", "{" GOOD_SESSION "}", 401},
    {"/v1/credentials/checkout", "tok", "{" GOOD_SESSION ",\"credential_id\":\"main:1:2\"}", 0},
    {"/v1/endpoints/find", "tok", "{" GOOD_SESSION ",\"query\":\"web\"}", 0},
    {"/v1/leases", "slow", NULL, 403},
    {"/v1/leases", "both", NULL, 200},
    {"/v1/health", "tok", NULL, 200},
    {"/status", "eye", NULL, 200},
    {"/status", "nothing", NULL, 401},
    {"/metrics", "eye", NULL, 200},
    {"/readyz", "tok", NULL, 200},
    {"/livez", "tok", NULL, 200},
};

static void ask(const struct row *row)
{
    char authorization[64];
    struct fake_req f;

    (void)snprintf(authorization, sizeof(authorization), "Bearer %s", row->token);
    fake_answers = fake_broker.calls = 0;
    fake_answer.status = 0;
    fake_req_init(&f, row->body ? HTTP_POST_ : HTTP_GET_, row->path);
    fake_req_header(&f, "Authorization", authorization);
    if (row->body)
        fake_req_json(&f, row->body);
    send_request(&f);
    assert_int_equal(fake_answers + fake_broker.calls, 1);
    if (!fake_answers)
        cancel_request(&f);
}

static const struct row *row;

static void failed(int status)
{
    if (status != 500 && status != 503)
        fail_msg("%s as %s: %d for want of memory", row->path, row->token, status);
}

static void one_request(void)
{
    assert_int_equal(fake_gateway_setup_site(NULL), 0);
    failing_calls_start();
    ask(row);
    failing_calls_stop();
    if (fake_answer.status != row->status)
        failed(fake_answer.status);
    ask(row);
    assert_int_equal(fake_answer.status, row->status);
    (void)fake_gateway_teardown(NULL);
}

TEST(each_call_of_a_request)
{
    for (row = rows; row < rows + sizeof(rows) / sizeof(rows[0]); row++)
        failing_calls_each(row->path, one_request);
}

/* ---- events of the site ---- */

static const struct event {
    const char *query, *header;
    int status; /* 0 = the broker has it */
} events[] = {
    {"token=event", NULL, 0},
    {"token=even%74", NULL, 0},
    {NULL, "event", 0},
    {"token=event", "event", 0},
    {"token=other", NULL, 401},
    {"token=other", "event", 401},
    {"token=event&token=event", NULL, 401},
};

static const struct event *event;

static void send_event(void)
{
    struct fake_req f;

    fake_answers = fake_broker.calls = 0;
    fake_answer.status = 0;
    fake_req_init(&f, HTTP_POST_, "/v1/events/pra");
    fake_req_json(&f, "event=access_session_end&lsid=" LSID);
    f.headers[f.req.nheaders - 1].value = "application/x-www-form-urlencoded";
    f.req.query = event->query;
    f.peer.listener = "events";
    if (event->header)
        fake_req_header(&f, "X-Jumpgate-Event-Token", event->header);
    send_request(&f);
    assert_int_equal(fake_answers + fake_broker.calls, 1);
    if (!fake_answers)
        cancel_request(&f);
}

static void one_event(void)
{
    assert_int_equal(fake_gateway_setup_site(NULL), 0);
    failing_calls_start();
    send_event();
    failing_calls_stop();
    if (fake_answer.status != event->status && fake_answer.status != 500 && fake_answer.status != 503)
        fail_msg("?%s %s: %d for want of memory", event->query, event->header ? event->header : "-",
                 fake_answer.status);
    send_event();
    assert_int_equal(fake_answer.status, event->status);
    (void)fake_gateway_teardown(NULL);
}

TEST(each_call_of_an_event)
{
    for (event = events; event < events + sizeof(events) / sizeof(events[0]); event++)
        failing_calls_each("event", one_event);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_call_of_a_request),
        cmocka_unit_test(each_call_of_an_event),
    };

    (void)log_open(&(struct log_opts){.level = LOG_ERROR, .file = "/dev/null"});
    return cmocka_run_group_tests(tests, NULL, NULL);
}
