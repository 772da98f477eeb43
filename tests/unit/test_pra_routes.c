/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_pra_routes.c - the site's events and the kill switch at the gateway's border, against a fake broker
 * and a fake site.
 */
#include "check.h"

#include "fake_gateway.h"

#include <stdio.h>
#include <string.h>

#define EVENTS "/v1/events/pra"
#define LSID   "0123456789abcdef0123456789abcdef"
#define LEASE  "0000000000000000000000000a"
#define FORM   "application/x-www-form-urlencoded"

/* A form from the listener "events" with the right token in the URL. */
static void send_event(struct fake_req *f, const char *body)
{
    fake_req_init(f, HTTP_POST_, EVENTS);
    fake_req_json(f, body);
    f->headers[f->req.nheaders - 1].value = FORM;
    f->req.query = "token=event";
    f->peer.listener = "events";
    send_request(f);
}

static void answer_end(size_t ended, const struct fault *fault)
{
    fake_broker.session_ended(fake_broker.arg, &(struct session_ended_answer){fault, ended});
}

/* ---- events ---- */

TEST(an_end_is_answered_when_it_is_durable)
{
    struct fake_req f;

    send_event(&f, "event=access_session_end&lsid=%7B01234567-89AB-CDEF-0123-456789ABCDEF%7D");
    assert_int_equal(fake_answers, 0);
    assert_string_equal(fake_broker.what, "session_ended");
    assert_string_equal(fake_broker.asked, "-|" LSID "|-|0|-|site");
    answer_end(3, NULL);
    assert_int_equal(fake_answer.status, 200);
    assert_string_equal(fake_answer.type, "application/json");
    assert_string_equal(fake_answer.body, "{\"accepted\":true,\"event\":\"end\",\"ended\":3}");
    assert_int_equal(fake_site.events[PRA_EVENT_END][PRA_EVENT_ACCEPTED], 1);
    assert_int_equal(fake_site.ended[PRA_END_EVENT], 3);
}

TEST(an_end_that_cannot_be_kept_is_refused)
{
    struct fake_req f;
    struct fault fault;

    send_event(&f, "event=access_session_end&lsid=" LSID);
    fault_set(&fault, FAULT_STORE_UNAVAILABLE, "full");
    answer_end(0, &fault);
    assert_int_equal(fake_answer.status, 503);
    assert_non_null(strstr(fake_answer.body, "\"store_unavailable\""));
    assert_non_null(fake_answer_header("Retry-After"));
    assert_int_equal(fake_site.events[PRA_EVENT_END][PRA_EVENT_UNAVAILABLE], 1);
}

TEST(a_draining_gateway_refuses_every_event)
{
    struct fake_req f;

    gateway_drain(fake_gateway);
    send_event(&f, "event=access_session_end&lsid=" LSID);
    assert_int_equal(fake_answer.status, 503);
    assert_non_null(strstr(fake_answer.body, "\"draining\""));
    assert_int_equal(fake_broker.calls, 0);
}

TEST(other_events_are_accepted_at_once)
{
    struct fake_req f;

    send_event(&f, "event=Access_Session_Begin&lsid=" LSID);
    assert_string_equal(fake_answer.body, "{\"accepted\":true,\"event\":\"begin\",\"ended\":0}");
    send_event(&f, "event=something&lsid=x");
    assert_string_equal(fake_answer.body,
                        "{\"accepted\":true,\"event\":\"other\",\"ignored\":true,\"ended\":0}");
    assert_int_equal(fake_site.events[PRA_EVENT_BEGIN][PRA_EVENT_ACCEPTED], 1);
    assert_int_equal(fake_site.events[PRA_EVENT_OTHER][PRA_EVENT_IGNORED], 1);
    assert_int_equal(fake_broker.calls, 0);
}

TEST(a_malformed_event_is_not_sent_again)
{
    static const char *const bodies[] = {
        "event=access_session_end",
        "event=access_session_end&lsid=1",
        ("event=access_session_end&lsid=" LSID "&lsid=" LSID),
        "lsid=" LSID,
        "{\"event\":\"access_session_end\"}",
    };

    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        struct fake_req f;
        send_event(&f, bodies[i]);
        if (fake_answer.status != 200 || !strstr(fake_answer.body, "{\"accepted\":false,\"code\":\"invalid_"))
            fail_msg("%s: %d %s", bodies[i], fake_answer.status, fake_answer.body);
    }
    assert_int_equal(fake_broker.calls, 0);
}

TEST(an_overlong_event_is_answered_before_its_body)
{
    struct fake_req f;

    fake_req_init(&f, HTTP_POST_, EVENTS);
    f.req.content_length = 4096;
    f.req.query = "token=event";
    send_request(&f);
    assert_int_equal(fake_answer.status, 200);
    assert_non_null(strstr(fake_answer.body, "longer than max_body"));
}

TEST(each_token_that_is_given_must_be_right)
{
    static const struct {
        const char *query, *header;
        int status;
    } rows[] = {
        {"token=event", NULL, 200},
        {NULL, "event", 200},
        {"token=event", "event", 200},
        {"a=b&token=%65vent", NULL, 200},
        {NULL, NULL, 401},
        {"token=", NULL, 401},
        {"token=wrong", NULL, 401},
        {"token=event", "wrong", 401},
        {"token=wrong", "event", 401},
        {"token=event&token=wrong", NULL, 401},
        {"token=event&token=event", NULL, 401},
        {"Token=event", NULL, 401},
        {"token=%zz", NULL, 401},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct fake_req f;
        fake_req_init(&f, HTTP_POST_, EVENTS);
        fake_req_json(&f, "event=other");
        f.headers[f.req.nheaders - 1].value = FORM;
        f.req.query = rows[i].query;
        if (rows[i].header)
            fake_req_header(&f, "X-Jumpgate-Event-Token", rows[i].header);
        send_request(&f);
        if (fake_answer.status != rows[i].status)
            fail_msg("row %zu: %d %s", i, fake_answer.status, fake_answer.body);
    }
    assert_int_equal(fake_site.events[PRA_EVENT_NONE][PRA_EVENT_REFUSED], 9);
}

TEST(an_address_outside_events_from_is_refused_alike)
{
    static char network[] = "192.0.2.0/24";
    static char *items[] = {network};
    struct fake_req f;

    fake_conf.pras[0].events_from = (struct conf_list){items, 1};
    send_event(&f, "event=other");
    assert_int_equal(fake_answer.status, 401);
    fake_req_init(&f, HTTP_POST_, EVENTS);
    fake_req_json(&f, "event=other");
    f.headers[f.req.nheaders - 1].value = FORM;
    f.req.query = "token=event";
    snprintf(f.peer.address, sizeof(f.peer.address), "192.0.2.99:4711");
    send_request(&f);
    assert_int_equal(fake_answer.status, 200);
}

TEST(without_a_token_the_route_is_not_there)
{
    struct fake_req f;

    fake_conf.pras[0].events_token.n = 0;
    send_event(&f, "event=other");
    assert_int_equal(fake_answer.status, 404);
}

TEST(a_listener_for_events_serves_nothing_else)
{
    static const struct {
        const char *path;
        enum http_method method;
        int status;
    } rows[] = {
        {"/livez", HTTP_GET_, 200}, {"/readyz", HTTP_GET_, 404},          {"/status", HTTP_GET_, 404},
        {"/x", HTTP_GET_, 404},     {"/v1/capabilities", HTTP_GET_, 404}, {EVENTS, HTTP_GET_, 405},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct fake_req f;
        fake_req_init(&f, rows[i].method, rows[i].path);
        fake_req_header(&f, "Authorization", "Bearer tok");
        f.peer.listener = "events";
        send_request(&f);
        if (fake_answer.status != rows[i].status)
            fail_msg("%s: %d", rows[i].path, fake_answer.status);
    }
    assert_string_equal(fake_answer_header("Allow"), "POST");
}

/* ---- the kill switch ---- */

static void terminate(struct fake_req *f, const char *id, const char *body)
{
    char path[64];

    snprintf(path, sizeof(path), "/v1/leases/%s/release", id);
    fake_req_init(f, HTTP_POST_, path);
    fake_req_header(f, "Authorization", "Bearer ops");
    fake_req_json(f, body);
    send_request(f);
}

static void begin_termination(struct fake_req *f)
{
    fake_broker.lease_session = (struct lease_session){.lsid = "{" LSID "}", .key = LSID};
    terminate(f, LEASE, "{\"terminate\":true}");
    assert_int_equal(fake_answers, 0);
    assert_string_equal(fake_broker.what, "release_lease");
    assert_string_equal(fake_site.termination->lsid, LSID);
}

static void end_release(int64_t released, bool pending)
{
    fake_broker.released(fake_broker.arg, &(struct release_answer){.released = released, .pending = pending});
}

static void end_termination(enum pra_termination_outcome outcome, size_t ended)
{
    struct pra_termination *t = fake_site.termination;

    t->outcome = outcome;
    t->ended = ended;
    snprintf(t->text, sizeof(t->text), "the site's words");
    t->done(t);
}

TEST(both_halves_are_awaited_in_either_order)
{
    struct fake_req f;

    begin_termination(&f);
    end_release(1, true);
    assert_int_equal(fake_answers, 0);
    end_termination(PRA_TERMINATE_DONE, 2);
    assert_int_equal(fake_answer.status, 200);
    assert_string_equal(
        fake_answer.body,
        "{\"released\":1,\"terminated\":true,\"outcome\":\"terminated\",\"ended\":2,\"pending\":true}");
    fake_answers = 0;
    begin_termination(&f);
    end_termination(PRA_TERMINATE_ALREADY_ENDED, 0);
    assert_int_equal(fake_answers, 0);
    end_release(0, false);
    assert_string_equal(fake_answer.body,
                        "{\"released\":0,\"terminated\":false,\"outcome\":\"already_ended\",\"ended\":0}");
}

TEST(each_failure_of_the_site_says_what_was_released)
{
    static const struct {
        enum pra_termination_outcome outcome;
        int status;
        const char *code;
    } rows[] = {
        {PRA_TERMINATE_ERROR, 502, "pra_error"},
        {PRA_TERMINATE_REFUSED, 502, "pra_refused"},
        {PRA_TERMINATE_UNAVAILABLE, 503, "pra_unavailable"},
        {PRA_TERMINATE_LOST, 504, "deadline_exceeded"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct fake_req f;
        char code[48];

        fake_answers = 0;
        begin_termination(&f);
        end_release(1, false);
        end_termination(rows[i].outcome, 0);
        snprintf(code, sizeof(code), "\"code\":\"%s\"", rows[i].code);
        if (fake_answer.status != rows[i].status || !strstr(fake_answer.body, code) ||
            !strstr(fake_answer.body, "\"released\":1") || !strstr(fake_answer.body, "in the console"))
            fail_msg("%s: %d %s", rows[i].code, fake_answer.status, fake_answer.body);
    }
}

TEST(what_cannot_be_ended_is_not_touched)
{
    struct fake_req f;

    terminate(&f, "unknown", "{\"terminate\":true}");
    assert_int_equal(fake_answer.status, 404);
    terminate(&f, LEASE, "{\"terminate\":true}");
    assert_int_equal(fake_answer.status, 422);
    assert_non_null(strstr(fake_answer.body, "\"session_not_terminable\""));
    fake_broker.lease_session = (struct lease_session){.lsid = LSID, .key = LSID};
    fake_conf.pras[0].terminate = false;
    terminate(&f, LEASE, "{\"terminate\":true}");
    assert_int_equal(fake_answer.status, 501);
    fake_conf.pras[0].terminate = true;
    fake_site.no_memory = true;
    terminate(&f, LEASE, "{\"terminate\":true}");
    assert_int_equal(fake_answer.status, 500);
    assert_int_equal(fake_broker.calls, 0);
}

TEST(without_the_word_it_is_a_plain_release)
{
    static const char *const bodies[] = {"{}", "{\"terminate\":false}", "{\"terminate\":null}", "null"};

    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        struct fake_req f;
        fake_answers = 0;
        terminate(&f, LEASE, bodies[i]);
        assert_int_equal(fake_answers, 0);
        end_release(1, false);
        assert_string_equal(fake_answer.body, "{\"released\":1}");
    }
    assert_null(fake_site.termination);
    for (size_t i = 0; i < 4; i++) {
        static const char *const bad[] = {"{\"terminate\":\"yes\"}", "{\"terminate\":1}", "[]", "true"};
        struct fake_req f;
        terminate(&f, LEASE, bad[i]);
        assert_int_equal(fake_answer.status, 400);
    }
}

TEST(a_client_that_leaves_stops_nothing)
{
    struct fake_req f;

    begin_termination(&f);
    cancel_request(&f);
    assert_int_equal(fake_broker.left, 0);
    end_termination(PRA_TERMINATE_DONE, 0);
    end_release(1, false);
    assert_int_equal(fake_answers, 0);
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, fake_gateway_setup_site, fake_gateway_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROW(an_end_is_answered_when_it_is_durable),   ROW(an_end_that_cannot_be_kept_is_refused),
        ROW(a_draining_gateway_refuses_every_event),  ROW(other_events_are_accepted_at_once),
        ROW(a_malformed_event_is_not_sent_again),     ROW(an_overlong_event_is_answered_before_its_body),
        ROW(each_token_that_is_given_must_be_right),  ROW(an_address_outside_events_from_is_refused_alike),
        ROW(without_a_token_the_route_is_not_there),  ROW(a_listener_for_events_serves_nothing_else),
        ROW(both_halves_are_awaited_in_either_order), ROW(each_failure_of_the_site_says_what_was_released),
        ROW(what_cannot_be_ended_is_not_touched),     ROW(without_the_word_it_is_a_plain_release),
        ROW(a_client_that_leaves_stops_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
