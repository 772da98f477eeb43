/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_pra_own.c - calls of the PRA client whose request and reader are the caller's: requests, pieces with
 * pauses, stalls, archives, pages, and the order and number of calls under the limits of session reports.
 */
#include "test_pra_rig.h"

#include "base/json.h"

#include <errno.h>
#include <stdio.h>

struct own {
    struct pra_call call; /* first */
    int done;
    size_t rows, bytes;
    int refuse; /* bytes() answers this */
};

static bool is_root(void *ctx, const char *name)
{
    (void)ctx;
    return !strcmp(name, "list");
}

static int on_begin(void *ctx, unsigned depth, const char *name, const char **attributes)
{
    struct own *o = ctx;

    (void)name;
    (void)attributes;
    o->rows += depth == 2;
    return 0;
}

static int on_end(void *ctx, unsigned depth, const char *name, const char *text)
{
    (void)ctx;
    (void)depth;
    (void)name;
    (void)text;
    return 0;
}

static const struct pra_xml_reader reader = {.root = is_root, .begin = on_begin, .end = on_end};

static int on_bytes(struct pra_call *call, const char *bytes, size_t n)
{
    struct own *o = (struct own *)call;

    assert_non_null(bytes);
    o->bytes += n;
    return o->refuse;
}

static void on_done(struct pra_call *call)
{
    ((struct own *)call)->done++;
}

static void start(struct own *o, enum pra_call_kind kind, const char *target)
{
    o->call.kind = kind;
    o->call.own.target = target;
    o->call.own.reader = kind == PRA_CALL_PAGE ? NULL : &reader;
    o->call.own.ctx = o;
    o->call.own.bytes = on_bytes;
    o->call.done = on_done;
    assert_int_equal(pra_client_call(rig.client, &o->call), 0);
    if (rig_find("/oauth2/token"))
        rig_grant();
}

static struct call *sent(struct own *o, enum pra_call_kind kind, const char *target)
{
    memset(o, 0, sizeof(*o));
    start(o, kind, target);
    rig_run(1000);
    struct call *call = rig_find(target);
    assert_non_null(call);
    return call;
}

/* ---- requests ---- */

TEST(requests_are_the_callers)
{
    static struct own o;

    rig_open();
    (void)sent(&o, PRA_CALL_REPORT, "/api/reporting?generate_report=Team&start_time=1&duration=0");
    assert_string_equal(rig.last_method, "GET");
    assert_non_null(strstr(rig.last_headers, "Authorization: Bearer t0ken1\r\n"));
    assert_non_null(strstr(rig.last_headers, "Connection: close\r\n"));
    pra_client_cancel(&o.call);
    memset(&o, 0, sizeof(o));
    o.call.own.form = "generate_report=AccessSession&lsids=a%2Cb";
    start(&o, PRA_CALL_REPORT, "/api/reporting");
    rig_run(1000);
    assert_non_null(rig_find("/api/reporting"));
    assert_string_equal(rig.last_method, "POST");
    assert_string_equal(rig.last_body, "generate_report=AccessSession&lsids=a%2Cb");
    assert_non_null(strstr(rig.last_headers, "Content-Type: application/x-www-form-urlencoded\r\n"));
    pra_client_cancel(&o.call);
}

TEST(a_report_is_read_by_the_callers_reader)
{
    static struct own o;

    rig_open();
    rig_xml(sent(&o, PRA_CALL_REPORT, "/r"), "<list><a/><a/><b>x</b></list>");
    assert_int_equal(o.done, 1);
    assert_int_equal(o.call.result.fault, PRA_OK);
    assert_int_equal(o.rows, 3);
    rig_xml(sent(&o, PRA_CALL_REPORT, "/r"), "<error>No rows found.</error>");
    assert_int_equal(o.call.result.fault, PRA_NO_ROWS);
    rig_xml(sent(&o, PRA_CALL_REPORT, "/r"), "<list><a/>");
    assert_int_equal(o.call.result.fault, PRA_NONSENSE);
    assert_int_equal(o.rows, 1); /* it was read nevertheless */
}

/* ---- pauses and stalls ---- */

/* A piece as the upstream gives it; then what is due. */
static void piece(struct call *call, const char *text)
{
    rig.answering = call;
    rig.resumed = false;
    call->status = 200;
    assert_int_equal(call->piece(call, text, strlen(text)), CALL_PAUSE);
    rig_run(0);
}

TEST(a_call_that_is_held_reads_no_more)
{
    static struct own o;

    rig_open();
    struct call *call = sent(&o, PRA_CALL_REPORT, "/r");
    piece(call, "<list><a/>");
    assert_true(rig.resumed);
    pra_call_hold(&o.call);
    pra_call_hold(&o.call);
    piece(call, "<a/>");
    assert_false(rig.resumed);
    rig_run(600000);
    assert_false(rig.resumed);
    pra_call_go_on(&o.call);
    assert_false(rig.resumed); /* not from within it */
    rig_run(0);
    assert_true(rig.resumed);
    rig.resumed = false;
    pra_call_go_on(&o.call);
    rig_run(0);
    assert_false(rig.resumed);
    pra_call_hold(&o.call); /* a pause that is over before the next piece */
    pra_call_go_on(&o.call);
    piece(call, "</list>");
    assert_true(rig.resumed);
    assert_int_equal(o.rows, 2);
    pra_client_cancel(&o.call);
    pra_call_hold(&o.call);
    pra_call_go_on(&o.call);
    assert_int_equal(o.done, 0);
}

TEST(a_call_without_a_byte_for_its_time_ends)
{
    static struct own o;

    rig_open();
    memset(&o, 0, sizeof(o));
    o.call.stall_ms = 5000;
    start(&o, PRA_CALL_REPORT, "/r");
    rig_run(250);
    struct call *call = rig_find("/r");
    assert_non_null(call);
    for (int i = 0; i < 5; i++) {
        rig_run(4000);
        assert_int_equal(o.done, 0);
        piece(call, i ? "<a/>" : "<list>");
        assert_true(rig.resumed);
    }
    pra_call_hold(&o.call);
    piece(call, "<a/>");
    rig_run(60000); /* a pause is no stall */
    assert_int_equal(o.done, 0);
    pra_call_go_on(&o.call);
    rig_run(0);
    assert_true(rig.resumed);
    rig_run(4999);
    assert_int_equal(o.done, 0);
    rig_run(1);
    assert_int_equal(o.done, 1);
    assert_int_equal(o.call.result.fault, PRA_TIMEOUT);
    assert_true(o.call.result.sent);
    assert_int_equal(rig.cancelled, 1);
}

TEST(a_call_that_is_never_answered_stalls)
{
    static struct own o;

    rig_open();
    memset(&o, 0, sizeof(o));
    o.call.stall_ms = 5000;
    start(&o, PRA_CALL_REPORT, "/r");
    rig_run(250);
    assert_non_null(rig_find("/r"));
    rig_run(5000);
    assert_int_equal(o.done, 1);
    assert_int_equal(o.call.result.fault, PRA_TIMEOUT);
}

/* ---- archives ---- */

static void check_archive(const char *type, const char *body, enum pra_fault fault, size_t bytes)
{
    static struct own o;

    rig_open();
    rig_answer(sent(&o, PRA_CALL_ARCHIVE, "/r"), 200, type, body);
    assert_int_equal(o.done, 1);
    assert_int_equal(o.call.result.fault, fault);
    assert_int_equal(o.bytes, bytes);
    assert_int_equal(o.call.archive, bytes > 0);
    rig_again();
}

TEST(an_archive_or_an_error_in_its_place)
{
    check_archive("application/zip", "PK\3\4 and so on", PRA_OK, 14);
    check_archive("application/octet-stream", "PK\3\4", PRA_OK, 4);
    check_archive("application/zip", "no magic", PRA_OK, 8);
    check_archive("text/xml", "<error>You lack the permission.</error>", PRA_SITE_ERROR, 0);
    check_archive("application/zip", "<error>You lack the permission.</error>", PRA_SITE_ERROR, 0);
    check_archive("text/html", "<html/>", PRA_WEB_PAGE, 0);
    check_archive("text/plain", "hello", PRA_NONSENSE, 0);
    check_archive("application/zip", "", PRA_NONSENSE, 0);
}

TEST(an_archive_with_another_status_is_none)
{
    static struct own o;

    rig_open();
    rig_answer(sent(&o, PRA_CALL_ARCHIVE, "/r"), 403, "application/zip", "PK\3\4");
    assert_int_equal(o.call.result.fault, PRA_DENIED);
    assert_int_equal(o.bytes, 0);
}

TEST(bytes_that_are_not_taken_end_the_call)
{
    static struct own o;

    rig_open();
    struct call *call = sent(&o, PRA_CALL_ARCHIVE, "/r");
    o.refuse = -ENOSPC;
    call->status = 200;
    assert_int_equal(call->piece(call, "PK", 2), -ENOSPC);
    rig_fail(call, -ENOSPC, CALL_FAULT_NONE);
    assert_int_equal(o.done, 1);
    assert_int_not_equal(o.call.result.fault, PRA_OK);
}

/* ---- pages ---- */

TEST(a_page_is_handed_on_as_it_is)
{
    static struct own o;

    rig_open();
    rig_reply(sent(&o, PRA_CALL_PAGE, "/api/config/v1/jump-group"),
              &(struct rig_answer){.type = "application/json", .body = "[{\"id\":1}]", .last_page = "7"});
    assert_int_equal(o.call.result.fault, PRA_OK);
    assert_int_equal(o.call.answer.last_page, 7);
    assert_string_equal(buf_cstr(&o.call.answer.page), "[{\"id\":1}]");
    pra_call_free(&o.call);
    rig_answer(sent(&o, PRA_CALL_PAGE, "/api/config/v1/jump-group"), 200, "text/html", "<html/>");
    assert_int_equal(o.call.result.fault, PRA_WEB_PAGE);
}

/* Without `error` in it a 401 is about a parameter, and the token stays. */
TEST(two_kinds_of_401)
{
    static struct own o;

    rig_open();
    rig_answer(sent(&o, PRA_CALL_PAGE, "/p"), 401, "application/json", "{\"message\":\"Unknown parameter\"}");
    assert_int_equal(o.done, 1);
    assert_int_equal(o.call.result.fault, PRA_SITE_ERROR);
    assert_int_equal(o.call.result.status, 401);
    rig_answer(sent(&o, PRA_CALL_PAGE, "/p"), 401, "application/json",
               "{\"error\":\"access_denied\",\"message\":\"x\"}");
    assert_int_equal(o.done, 0);
    rig_grant();
    rig_run(1000);
    rig_answer(rig_find("/p"), 200, "application/json", "[]");
    assert_int_equal(o.done, 1);
    assert_int_equal(o.call.result.fault, PRA_OK);
    assert_int_equal(rig.tokens, 2);
    pra_call_free(&o.call);
}

/* ---- order and number ---- */

TEST(calls_at_once_and_their_order)
{
    static struct own o[5];
    static const enum pra_urgency urgency[] = {PRA_LAST, PRA_BACKFILL, PRA_BACKGROUND, PRA_LIVE, PRA_LIVE};
    static const char *const targets[] = {"/last", "/backfill", "/fetch", "/live1", "/live2"};
    static const char *const order[] = {"/live1", "/live2", "/fetch", "/backfill", "/last"};

    rig.params.parallel = 2;
    rig_open();
    memset(o, 0, sizeof(o));
    for (int i = 0; i < 5; i++) {
        o[i].call.own.urgency = urgency[i];
        o[i].call.kind = PRA_CALL_REPORT;
        o[i].call.own.target = targets[i];
        o[i].call.own.reader = &reader;
        o[i].call.own.ctx = &o[i];
        o[i].call.done = on_done;
        assert_int_equal(pra_client_call(rig.client, &o[i].call), 0);
    }
    rig_grant();
    rig_run(10000);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(rig_waiting(), i < 4 ? 2 : 1);
        (void)rig_call(0);
        assert_string_equal(rig.last_target, order[i]);
        rig_xml(rig_call(0), "<list/>");
        rig_run(10000);
    }
    for (int i = 0; i < 5; i++)
        assert_int_equal(o[i].done, 1);
}

TEST(a_call_that_is_cancelled_makes_room)
{
    static struct own o[2];

    rig.params.parallel = 1;
    rig_open();
    memset(o, 0, sizeof(o));
    start(&o[0], PRA_CALL_REPORT, "/one");
    start(&o[1], PRA_CALL_REPORT, "/two");
    rig_run(10000);
    assert_null(rig_find("/two"));
    pra_client_cancel(&o[0].call);
    rig_run(1000);
    assert_non_null(rig_find("/two"));
    pra_client_cancel(&o[1].call);
}

/* Live calls go on while few calls are left; the others wait. */
TEST(few_calls_left_at_the_site)
{
    static struct own o[3];
    struct pra_client_state now;

    rig.params.remaining_low = 1500;
    rig_open();
    rig_reply(sent(&o[0], PRA_CALL_REPORT, "/r"),
              &(struct rig_answer){.body = "<list/>", .remaining = "1499"});
    pra_client_state(rig.client, &now);
    assert_int_equal(now.remaining, 1499);
    memset(o, 0, sizeof(o));
    o[0].call.own.urgency = PRA_BACKGROUND;
    start(&o[0], PRA_CALL_REPORT, "/fetch");
    o[1].call.own.urgency = PRA_LIVE;
    start(&o[1], PRA_CALL_REPORT, "/live");
    rig_run(5000);
    assert_null(rig_find("/fetch"));
    rig_reply(rig_find("/live"), &(struct rig_answer){.body = "<list/>", .remaining = "1500"});
    o[2].call.own.urgency = PRA_LIVE; /* a call that wants its turn lets the others be looked at */
    start(&o[2], PRA_CALL_REPORT, "/again");
    rig_run(5000);
    assert_non_null(rig_find("/fetch"));
    pra_client_cancel(&o[0].call);
    pra_client_cancel(&o[2].call);
}

TEST(the_hours_budget)
{
    static struct own o;
    unsigned sent_now = 0;

    rig.params.hourly = 20;
    rig.params.rate_per_s = 1000;
    rig_open();
    for (int i = 0; i < 40; i++) {
        memset(&o, 0, sizeof(o));
        start(&o, PRA_CALL_REPORT, "/r");
        rig_run(1000);
        if (!rig_find("/r")) {
            pra_client_cancel(&o.call);
            break;
        }
        rig_xml(rig_find("/r"), "<list/>");
        sent_now++;
    }
    assert_int_equal(sent_now, 20 - 2 - 1); /* a tenth is kept for live calls, and the token was one */
    memset(&o, 0, sizeof(o));
    o.call.own.urgency = PRA_LIVE;
    start(&o, PRA_CALL_REPORT, "/live");
    rig_run(1000);
    rig_xml(rig_find("/live"), "<list/>");
}

TEST(a_pause_that_the_site_asks_for)
{
    static struct own o;

    rig.params.pause_ms = 60000;
    rig_open();
    rig_reply(sent(&o, PRA_CALL_REPORT, "/r"), &(struct rig_answer){.status = 503});
    assert_int_equal(o.call.result.fault, PRA_UNAVAILABLE);
    assert_int_equal(o.call.result.retry_after_ms, 60000);
    memset(&o, 0, sizeof(o));
    o.call.own.urgency = PRA_LIVE;
    start(&o, PRA_CALL_REPORT, "/live");
    rig_run(58000);
    assert_null(rig_find("/live"));
    rig_run(3000);
    rig_xml(rig_find("/live"), "<list/>");
}

/* ---- tokens ---- */

TEST(a_token_is_kept_until_shortly_before_its_end)
{
    static struct own o;

    rig.params.renew_before_ms = 60000;
    rig_open();
    rig_xml(sent(&o, PRA_CALL_REPORT, "/r"), "<list/>");
    rig_run(3600000 - 60000 - 5000);
    rig_xml(sent(&o, PRA_CALL_REPORT, "/r"), "<list/>");
    assert_int_equal(rig.tokens, 1);
    rig_run(10000);
    rig_xml(sent(&o, PRA_CALL_REPORT, "/r"), "<list/>");
    assert_int_equal(rig.tokens, 2);
}

TEST(refused_credentials_pause_up_to_an_hour)
{
    static struct own o;
    struct pra_client_state now;
    uint64_t longest = 0;

    rig.params.refused_max_ms = 3600000;
    rig_open();
    for (int i = 0; i < 9; i++) {
        memset(&o, 0, sizeof(o));
        o.call.kind = PRA_CALL_REPORT;
        o.call.own.target = "/r";
        o.call.own.reader = &reader;
        o.call.done = on_done;
        assert_int_equal(pra_client_call(rig.client, &o.call), 0);
        rig_answer(rig_find("/oauth2/token"), 401, "application/json", "{\"error\":\"invalid_client\"}");
        rig_run(0);
        assert_int_equal(o.done, 1);
        assert_int_equal(o.call.result.fault, PRA_CLIENT_REFUSED);
        pra_client_state(rig.client, &now);
        longest = now.token_pause_ms;
        assert_int_equal(longest, i < 6 ? 60000ULL << i : 3600000);
        rig_run(longest);
    }
    assert_int_equal(longest, 3600000);
}

#define RUN(test) cmocka_unit_test_setup_teardown(test, rig_start, rig_stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUN(requests_are_the_callers),
        RUN(a_report_is_read_by_the_callers_reader),
        RUN(a_call_that_is_held_reads_no_more),
        RUN(a_call_without_a_byte_for_its_time_ends),
        RUN(a_call_that_is_never_answered_stalls),
        RUN(an_archive_or_an_error_in_its_place),
        RUN(an_archive_with_another_status_is_none),
        RUN(bytes_that_are_not_taken_end_the_call),
        RUN(a_page_is_handed_on_as_it_is),
        RUN(two_kinds_of_401),
        RUN(calls_at_once_and_their_order),
        RUN(a_call_that_is_cancelled_makes_room),
        RUN(few_calls_left_at_the_site),
        RUN(the_hours_budget),
        RUN(a_pause_that_the_site_asks_for),
        RUN(a_token_is_kept_until_shortly_before_its_end),
        RUN(refused_credentials_pause_up_to_an_hour),
    };

    json_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
