/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_ps_calls.c - the bytes of each operation, tries, deadlines, unknown outcomes, cancelling.
 */
#include "check.h"
#include "ps_rig.h"

#include <errno.h>
#include <stdio.h>

#define USER "ACME\\mrivera"

static struct rig_ask ask, other;

static int setup(void **state)
{
    (void)state;
    ask_init(&ask, USER);
    rig_init();
    return 0;
}

static int teardown(void **state)
{
    ask_free(&ask);
    return rig_teardown(state);
}

/* A vault with one session of USER, idle. */
static void ready(void)
{
    rig_start_signed_in(&ask, USER);
}

static void expect_sent(const char *method, const char *target, const char *body)
{
    assert_int_equal(rig_waiting(), 1);
    assert_non_null(rig_call(0));
    assert_string_equal(rig.last_method, method);
    assert_string_equal(rig.last_target, target);
    assert_string_equal(rig.last_body, body);
    assert_string_equal(rig.last_headers,
                        *body
                            ? "Content-Type: application/json\r\nAccept: application/json\r\nCookie: s=1\r\n"
                            : "Accept: application/json\r\nCookie: s=1\r\n");
    rig.vault->ops->cancel(rig.vault, &ask.call);
    assert_int_equal(rig_waiting(), 0);
}

static void list_with(const struct account_query *query, const char *target)
{
    char whole[512];

    (void)snprintf(whole, sizeof(whole), RIG_BASE "/ManagedAccounts?%slimit=1000&offset=0", target);
    assert_int_equal(rig.vault->ops->list(rig.vault, query, &ask.call), 0);
    expect_sent("GET", whole, "");
}

TEST(list_bytes)
{
    ready();
    list_with(&(struct account_query){.kind = KIND_LOCAL, .system = "ledger01"},
              "systemName=ledger01&type=system&");
    list_with(&(struct account_query){.kind = KIND_DOMAIN_LINKED, .system = "a b&c/\xc3\xbc"},
              "systemName=a%20b%26c%2F%C3%BC&type=domainlinked&");
    list_with(&(struct account_query){.kind = KIND_DATABASE, .ip = "10.0.0.1"},
              "ipAddress=10.0.0.1&type=database&");
    list_with(&(struct account_query){.kind = KIND_NKINDS, .application = "SAP"},
              "applicationDisplayName=SAP&type=application&");
    list_with(&(struct account_query){.kind = KIND_CLOUD, .system_id = 17}, "systemID=17&type=cloud&");
    list_with(&(struct account_query){.kind = KIND_NKINDS, .recent = true}, "type=recent&");
    list_with(&(struct account_query){.kind = KIND_NKINDS}, "");
}

static void request_with(const struct checkout_want *request, const char *body)
{
    assert_int_equal(rig.vault->ops->checkout(rig.vault, request, &ask.call), 0);
    (void)rig_call(0);
    assert_false(rig.last_safe); /* only this room knows what a repetition of it means */
    expect_sent("POST", RIG_BASE "/Requests", body);
}

TEST(request_bytes)
{
    ready();
    request_with(&(struct checkout_want){.account_key = "l.17.203.0",
                                         .minutes = 60,
                                         .reason = "PRA session 7c1e",
                                         .ticket_system_id = 0,
                                         .ticket_number = NULL},
                 "{\"AccessType\":\"View\",\"SystemID\":17,\"AccountID\":203,\"DurationMinutes\":60,"
                 "\"Reason\":\"PRA session 7c1e\",\"ConflictOption\":\"reuse\"}");
    request_with(&(struct checkout_want){.account_key = "d.31.507.0",
                                         .minutes = 60,
                                         .reason = NULL,
                                         .ticket_system_id = 0,
                                         .ticket_number = NULL},
                 "{\"AccessType\":\"View\",\"SystemID\":31,\"AccountID\":507,\"DurationMinutes\":60,"
                 "\"ConflictOption\":\"reuse\"}");
    request_with(&(struct checkout_want){.account_key = "p.31.507.9",
                                         .minutes = 5,
                                         .reason = "a\"b\\c\n",
                                         .ticket_system_id = 3,
                                         .ticket_number = "CHG\"1"},
                 "{\"AccessType\":\"View\",\"SystemID\":31,\"AccountID\":507,\"ApplicationID\":9,"
                 "\"DurationMinutes\":5,\"Reason\":\"a\\\"b\\\\c\\n\",\"ConflictOption\":\"reuse\","
                 "\"TicketSystemID\":3,\"TicketNumber\":\"CHG\\\"1\"}");
}

TEST(other_bytes)
{
    const struct vault_ops *ops;

    ready();
    ops = rig.vault->ops;
    assert_int_equal(ops->policy(rig.vault, "l.17.203.0", 60, &ask.call), 0);
    expect_sent("POST", RIG_BASE "/AccessPolicies/Test",
                "{\"SystemId\":17,\"AccountId\":203,\"DurationMinutes\":60}");
    assert_int_equal(
        ops->read_secret(rig.vault, &(struct request_ref){.key = "9114"}, CREDENTIAL_PASSWORD, &ask.call), 0);
    expect_sent("GET", RIG_BASE "/Credentials/9114?type=password", "");
    assert_int_equal(
        ops->read_secret(rig.vault, &(struct request_ref){.key = "9114"}, CREDENTIAL_SSH_KEY, &ask.call), 0);
    expect_sent("GET", RIG_BASE "/Credentials/9114?type=dsskey", "");
    assert_int_equal(
        ops->read_secret(rig.vault, &(struct request_ref){.key = "9114"}, CREDENTIAL_PASSPHRASE, &ask.call),
        0);
    expect_sent("GET", RIG_BASE "/Credentials/9114?type=passphrase", "");
    assert_int_equal(
        ops->checkin(rig.vault, &(struct request_ref){.key = "9114"}, "PRA session 7c1e ended", &ask.call),
        0);
    expect_sent("PUT", RIG_BASE "/Requests/9114/Checkin", "{\"Reason\":\"PRA session 7c1e ended\"}");
    assert_int_equal(ops->checkin(rig.vault, &(struct request_ref){.key = "9114"}, NULL, &ask.call), 0);
    expect_sent("PUT", RIG_BASE "/Requests/9114/Checkin", "{}");
    assert_int_equal(ops->requests(rig.vault, &ask.call), 0);
    expect_sent("GET", RIG_BASE "/Requests?status=all&queue=req", "");
}

/* A name goes into a target: what is no request id of this vault is not sent. */
TEST(a_name_that_is_no_request_id_is_not_sent)
{
    static const char *const names[] = {"", "12/../../Settings", "-1", "r-17", "1 2", "12?x"};

    ready();
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        case_label("%s", names[i]);
        assert_int_equal(rig.vault->ops->read_secret(rig.vault, &(struct request_ref){.key = names[i]},
                                                     CREDENTIAL_PASSWORD, &ask.call),
                         -EINVAL);
        assert_int_equal(
            rig.vault->ops->checkin(rig.vault, &(struct request_ref){.key = names[i]}, NULL, &ask.call),
            -EINVAL);
    }
}

TEST(directory_bytes)
{
    const struct vault_ops *ops;

    ready();
    ops = rig.vault->ops;
    assert_int_equal(ops->directory(rig.vault, DIRECTORY_SYSTEMS, &ask.call), 0);
    expect_sent("GET", RIG_BASE "/ManagedSystems?limit=1000&offset=0", "");
    assert_int_equal(ops->directory(rig.vault, DIRECTORY_PLATFORMS, &ask.call), 0);
    expect_sent("GET", RIG_BASE "/Platforms", "");
    assert_int_equal(ops->directory(rig.vault, DIRECTORY_WORKGROUPS, &ask.call), 0);
    expect_sent("GET", RIG_BASE "/Workgroups", "");
    list_with(&(struct account_query){.kind = KIND_LOCAL, .system = "a", .workgroup = "North & South"},
              "systemName=a&workgroupName=North%20%26%20South&type=system&");
}

TEST(isa_bytes)
{
    struct checkout_want want = {.account_key = "l.17.203.0",
                                 .minutes = 60,
                                 .reason = "why",
                                 .direct = true,
                                 .type = CREDENTIAL_SSH_KEY};

    ready();
    assert_int_equal(rig.vault->ops->checkout(rig.vault, &want, &ask.call), 0);
    expect_sent("POST", RIG_BASE "/ISARequests?type=dsskey",
                "{\"SystemID\":17,\"AccountID\":203,\"DurationMinutes\":60,\"Reason\":\"why\"}");
    want.type = CREDENTIAL_PASSWORD;
    assert_int_equal(rig.vault->ops->checkout(rig.vault, &want, &ask.call), 0);
    (void)rig_call(0);
    assert_false(rig.last_safe);
    rig_answer(rig_call(0), 201, "{\"Credentials\":\"s3cret\"}"); /* or the bare string */
    assert_int_equal(ask.call.result, VAULT_OK);
    assert_int_equal(ask.call.origin, CHECKOUT_NONE);
    assert_string_equal(ask.call.secret.p, "s3cret");
}

TEST(aliases_have_calls_of_their_own)
{
    const struct vault_ops *ops;
    struct checkout_want request = {.account_key = "s.0.9.0", .minutes = 5};

    ready();
    ops = rig.vault->ops;
    assert_int_equal(ask_list(&ask, KIND_ALIAS, "x"), 0);
    (void)rig_call(0);
    assert_string_equal(rig.last_target, RIG_BASE "/Aliases"); /* all of them, on one page */
    rig_answer(rig_call(0), 200,
               "[{\"AliasId\":9,\"AliasName\":\"payroll\",\"SystemId\":17,\"SystemName\":\"ledger01\","
               "\"AccountId\":203,"
               "\"AccountName\":\"root\",\"AliasState\":1}]");
    assert_int_equal(ask.call.result, VAULT_OK);
    assert_int_equal(ask.call.accounts->n, 1);
    assert_int_equal(ask.call.accounts->rows[0].kind, KIND_ALIAS);
    assert_int_equal(ask.call.accounts->rows[0].account_id, 9);
    assert_int_equal(ask.call.accounts->rows[0].system_id, 0);
    assert_string_equal(ask.call.accounts->rows[0].alias, "payroll");
    ask_again(&ask, USER);
    assert_int_equal(ops->checkout(rig.vault, &request, &ask.call), 0);
    expect_sent("POST", RIG_BASE "/Aliases/9/Requests",
                "{\"AccessType\":\"View\",\"DurationMinutes\":5,\"ConflictOption\":\"reuse\"}");
    ask.call.account_key = "s.0.9.0";
    assert_int_equal(
        ops->read_secret(rig.vault, &(struct request_ref){.key = "9114"}, CREDENTIAL_PASSWORD, &ask.call), 0);
    expect_sent("GET", RIG_BASE "/Aliases/9/Credentials/9114?type=password", "");
}

/* ---- tries ---- */

static void expect_failed(enum fault_code code, bool unknown)
{
    assert_int_equal(ask.done, 1);
    assert_int_equal(ask.call.result, VAULT_FAILED);
    assert_int_equal(ask.call.fault.code, code);
    assert_int_equal(ask.call.unknown, unknown);
    ask_again(&ask, USER);
}

TEST(tries_then_fails)
{
    ready();
    assert_int_equal(ask_list(&ask, KIND_LOCAL, "x"), 0);
    rig_answer(rig_call(0), 500, "<html>");
    assert_int_equal(rig_waiting(), 0);
    rig_advance(40); /* the shortest pause is 50 ms */
    assert_int_equal(rig_waiting(), 0);
    rig_advance(110);
    rig_fail(rig_call(0), -ECONNRESET, true);
    rig_advance(300);
    rig_answer(rig_call(0), 502, "");
    expect_failed(FAULT_VAULT_ERROR, false);
    assert_int_equal(ask_list(&ask, KIND_LOCAL, "x"), 0);
    rig_answer(rig_call(0), 408, "");
    rig_advance(150);
    rig_answer(rig_call(0), 200, "[]");
    assert_int_equal(ask.call.result, VAULT_OK);
    ask_free(&ask);
}

TEST(retry_after)
{
    ready();
    assert_int_equal(ask_list(&ask, KIND_LOCAL, "x"), 0);
    rig_reply(rig_call(0), &(struct rig_answer){429, "", NULL, NULL, "2", NULL, NULL});
    rig_advance(1999);
    assert_int_equal(rig_waiting(), 0);
    rig_advance(1);
    rig_reply(rig_call(0), &(struct rig_answer){429, "", NULL, NULL, "30", NULL, NULL});
    assert_int_equal(ask.call.fault.retry_after_s, 30);
    expect_failed(FAULT_VAULT_UNAVAILABLE, false);
    assert_int_equal(ask_list(&ask, KIND_LOCAL, "x"), 0);
    rig_answer(rig_call(0), 429, ""); /* without a time: not worth it */
    expect_failed(FAULT_VAULT_UNAVAILABLE, false);
    assert_int_equal(ask_list(&ask, KIND_LOCAL, "x"), 0);
    rig_reply(rig_call(0), &(struct rig_answer){503, "", NULL, NULL, "1", NULL, NULL});
    rig_advance(SECONDS(1));
    rig_answer(rig_call(0), 200, "[]");
    assert_int_equal(ask.call.result, VAULT_OK);
    ask_free(&ask);
}

TEST(no_try_beyond_the_callers_time)
{
    ready();
    ask.call.timeout_ms = 40;
    assert_int_equal(ask_list(&ask, KIND_LOCAL, "x"), 0);
    assert_int_equal((rig_call(0), rig.last_timeout_ms), 40);
    rig_answer(rig_call(0), 503, "");
    expect_failed(FAULT_VAULT_UNAVAILABLE, false);
    ask.call.timeout_ms = MINUTES(1);
    assert_int_equal(ask_list(&ask, KIND_LOCAL, "x"), 0);
    assert_int_equal((rig_call(0), rig.last_timeout_ms), SECONDS(10));
    rig_fail(rig_call(0), -ETIMEDOUT, true);
    expect_failed(FAULT_DEADLINE_EXCEEDED, false);
}

/* Once sent, the time is kept by loop/upstream alone: it knows whether anything of the call has left. */
TEST(deadline_while_sent)
{
    ready();
    ask.call.timeout_ms = 300;
    assert_int_equal(ask_request(&ask, "r"), 0);
    rig_advance(SECONDS(1));
    assert_int_equal(ask.done, 0);
    rig_fail(rig_call(0), -ETIMEDOUT, false);
    expect_failed(FAULT_DEADLINE_EXCEEDED, false);
}

TEST(deadline_while_waiting)
{
    rig_start();
    ask_init(&ask, USER);
    ask.call.timeout_ms = 300;
    assert_int_equal(ask_request(&ask, NULL), 0);
    rig_advance(299);
    assert_int_equal(ask.done, 0);
    rig_advance(1);
    expect_failed(FAULT_DEADLINE_EXCEEDED, false); /* never sent */
}

/* ---- outcomes that are not known ---- */

TEST(lost_request_is_asked_again)
{
    ready();
    assert_int_equal(ask_request(&ask, "r"), 0);
    rig_fail(rig_call(0), -ECONNRESET, true);
    rig_advance(150);
    rig_answer(rig_call(0), 201, "9114");
    assert_int_equal(ask.call.result, VAULT_OK);
    assert_string_equal(ask.call.request_key, "9114");
    assert_false(ask.call.unknown);
    ask_again(&ask, USER);
    assert_int_equal(ask_request(&ask, "r"), 0);
    rig_fail(rig_call(0), -ECONNRESET, true);
    rig_advance(150);
    rig_answer(rig_call(0), 200, "9114"); /* ours, or one there was before? */
    assert_int_equal(ask.call.result, VAULT_OK);
    assert_true(ask.call.origin == CHECKOUT_REUSED);
    assert_true(ask.call.unknown);
    ask_free(&ask);
}

static bool may_be_sent;

static bool may_send(struct vault_call *call)
{
    assert_ptr_equal(call, &ask.call);
    return may_be_sent;
}

/* As loop/upstream does with the call that waits. */
static void send_or_withhold(void)
{
    struct call *http = rig_call(0);

    assert_non_null(http->may_send);
    if (!http->may_send(http))
        rig_fail(http, -ESTALE, false);
}

TEST(a_request_is_sent_while_it_may_be)
{
    ready();
    ask.call.may_send = may_send;
    may_be_sent = false;
    assert_int_equal(ask_request(&ask, "r"), 0);
    send_or_withhold();
    assert_true(ask.call.withheld);
    expect_failed(FAULT_VAULT_UNAVAILABLE, false);
    ask.call.may_send = may_send;
    may_be_sent = true;
    assert_int_equal(ask_request(&ask, "r"), 0);
    send_or_withhold();
    assert_int_equal(rig_waiting(), 1);
    rig_fail(rig_call(0), -ECONNRESET, true);
    rig_advance(150);
    may_be_sent = false; /* so its repeat is withheld, and the first sending may have happened */
    send_or_withhold();
    assert_true(ask.call.withheld);
    expect_failed(FAULT_VAULT_UNAVAILABLE, true);
    assert_int_equal(ask_list(&ask, KIND_LOCAL, "x"), 0);
    assert_null(rig_call(0)->may_send);
    rig_answer(rig_call(0), 200, "[]");
    assert_false(ask.call.withheld);
    ask_free(&ask);
}

TEST(request_outcomes)
{
    rig.conf.retries = 0;
    ready();
    assert_int_equal(ask_request(&ask, "r"), 0);
    rig_fail(rig_call(0), -ECONNRESET, true);
    expect_failed(FAULT_VAULT_UNAVAILABLE, true);
    assert_int_equal(ask_request(&ask, "r"), 0);
    rig_fail(rig_call(0), -ECONNREFUSED, false);
    expect_failed(FAULT_VAULT_UNAVAILABLE, false);
    assert_int_equal(ask_request(&ask, "r"), 0);
    rig_fail(rig_call(0), -ETIMEDOUT, true);
    expect_failed(FAULT_DEADLINE_EXCEEDED, true);
    assert_int_equal(ask_request(&ask, "r"), 0);
    rig_answer(rig_call(0), 500, "");
    expect_failed(FAULT_VAULT_ERROR, true);
    assert_int_equal(ask_request(&ask, "r"), 0);
    rig_answer(rig_call(0), 201, "<html>");
    expect_failed(FAULT_VAULT_ERROR, true);
    assert_int_equal(ask_request(&ask, "r"), 0);
    rig_answer(rig_call(0), 429, "");
    expect_failed(FAULT_VAULT_UNAVAILABLE, false);
    assert_int_equal(ask_checkin(&ask), 0);
    rig_answer(rig_call(0), 503, "");
    expect_failed(FAULT_VAULT_UNAVAILABLE, true);
}

TEST(refusal_after_a_lost_request)
{
    ready();
    assert_int_equal(ask_request(&ask, "r"), 0);
    rig_fail(rig_call(0), -ECONNRESET, true);
    rig_advance(150);
    rig_answer(rig_call(0), 409, "4091"); /* perhaps our own, pending */
    expect_failed(FAULT_VAULT_CONFLICT, true);
    assert_int_equal(ask_request(&ask, "r"), 0);
    rig_fail(rig_call(0), -ECONNRESET, true);
    rig_advance(150);
    rig_answer(rig_call(0), 401, "");
    rig_answer(rig_call(0), 401, "");
    rig_advance(0);
    expect_failed(FAULT_VAULT_REFUSED_USER, true);
}

/* A request that takes effect may be answered by anything on its way back. */
TEST(request_answered_by_others)
{
    static const struct {
        int status;
        const char *body;
    } rows[] = {
        {200, "<html>"},
        {204, ""},
        {301, ""},
        {302, ""},
        {303, "<html>"},
        {304, ""},
        {307, ""},
        {308, "<html>"},
        {400, "<html>"},
        {403, "<html>"},
        {403, ""},
        {403, "RBAC: denied"},
        {404, "<html>"},
        {404, "404 page not found"},
        {404, "{\"message\":\"no Route matched\"}"},
        {405, ""},
        {408, ""},
        {409, "<html>"},
        {404, "{\"Message\":\"No HTTP resource was found that matches the request URI\"}"},
        {429, "<html>"},
        {500, "<html>"},
        {502, ""},
        {504, ""},
    };

    rig.conf.retries = 0;
    ready();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        case_label("%d %s", rows[i].status, rows[i].body);
        assert_int_equal(ask_request(&ask, "r"), 0);
        rig_answer(rig_call(0), rows[i].status, rows[i].body);
        expect_failed(rows[i].status == 429 ? FAULT_VAULT_UNAVAILABLE : FAULT_VAULT_ERROR, true);
    }
}

/* A 401 may come from a proxy: the request is asked for once more, and what was handed over may be the first
 * one's. */
TEST(request_answered_by_401)
{
    ready();
    assert_int_equal(ask_request(&ask, "r"), 0);
    rig_answer(rig_call(0), 401, "\"User not authenticated\"");
    rig_sign_in(USER, "s=2\n");
    rig_answer(rig_call(0), 200, "9114");
    assert_int_equal(ask.call.result, VAULT_OK);
    assert_true(ask.call.unknown);
    ask_again(&ask, USER);
    assert_int_equal(ask_request(&ask, "r"), 0);
    rig_answer(rig_call(0), 401, "");
    rig_sign_in(USER, "s=3\n");
    rig_answer(rig_call(0), 401, "");
    expect_failed(FAULT_VAULT_REFUSED_USER, true);
    assert_int_equal(ask_request(&ask, "r"), 0);
    rig_sign_in(USER, "s=4\n");
    rig_answer(rig_call(0), 401, "<html>");
    rig_sign_in(USER, "s=5\n");
    rig_answer(rig_call(0), 401, "<html>");
    expect_failed(FAULT_VAULT_ERROR, true);
}

TEST(lost_checkin)
{
    ready();
    assert_int_equal(ask_checkin(&ask), 0);
    rig_fail(rig_call(0), -ECONNRESET, true);
    rig_advance(150);
    rig_answer(rig_call(0), 404, "\"gone\"");
    assert_int_equal(ask.call.result, VAULT_GONE);
    assert_false(ask.call.unknown);
}

/* ---- limits, cancelling ---- */

TEST(too_many_calls)
{
    rig.conf.max_calls = 2;
    rig_start();
    ask_init(&ask, USER);
    ask_init(&other, "x");
    assert_int_equal(ask_list(&ask, KIND_LOCAL, "x"), 0);
    assert_int_equal(ask_list(&other, KIND_LOCAL, "x"), 0);
    {
        static struct rig_ask third;

        ask_init(&third, USER);
        assert_int_equal(ask_list(&third, KIND_LOCAL, "x"), -EAGAIN);
    }
}

TEST(upstream_is_full)
{
    ready();
    rig.refuse_calls = -EAGAIN;
    assert_int_equal(ask_request(&ask, NULL), 0);
    assert_int_equal(ask.done, 0);
    rig_advance(0);
    expect_failed(FAULT_OVERLOADED, false);
    rig.refuse_calls = -ENOMEM;
    ask_init(&other, "x");
    assert_int_equal(ask_list(&other, KIND_LOCAL, "x"), 0);
    assert_int_equal(other.done, 0);
    rig_advance(0);
    assert_int_equal(other.call.fault.code, FAULT_INTERNAL);
    rig.refuse_calls = 0;
}

static void cancel(void)
{
    rig.vault->ops->cancel(rig.vault, &ask.call);
    rig.vault->ops->cancel(rig.vault, &ask.call);
    rig_advance(SECONDS(1));
    assert_int_equal(ask.done, 0);
    ask_again(&ask, USER);
}

TEST(cancel_in_every_state)
{
    rig_start();
    ask_init(&ask, USER);
    assert_int_equal(ask_list(&ask, KIND_LOCAL, "x"), 0);
    cancel(); /* waiting */
    rig_sign_in(USER, "s=1\n");
    assert_int_equal(ask_list(&ask, KIND_LOCAL, "x"), 0);
    assert_int_equal(rig_waiting(), 1);
    cancel(); /* sent */
    assert_int_equal(rig_waiting(), 0);
    assert_int_equal(ask_list(&ask, KIND_LOCAL, "x"), 0);
    rig_answer(rig_call(0), 503, "");
    cancel(); /* paused */
    assert_int_equal(rig_waiting(), 0);
    rig.refuse_calls = -ENOMEM;
    assert_int_equal(ask_list(&ask, KIND_LOCAL, "x"), 0);
    cancel(); /* ended, not yet answered */
    rig.refuse_calls = 0;
    assert_int_equal(ask_list(&ask, KIND_LOCAL, "x"), 0);
    rig_answer(rig_call(0), 200, "[]");
    rig.vault->ops->cancel(rig.vault, &ask.call); /* over */
    assert_int_equal(ask.done, 1);
    ask_free(&ask);
}

static void withdraw(bool can)
{
    assert_int_equal(rig.vault->ops->withdraw(rig.vault, &ask.call), can);
    if (!can)
        return;
    assert_false(rig.vault->ops->withdraw(rig.vault, &ask.call)); /* there is nothing any more */
    rig_advance(SECONDS(1));
    assert_int_equal(ask.done, 0);
    assert_int_equal(rig_waiting(), 0);
    ask_again(&ask, USER);
    assert_int_equal(ask_request(&ask, NULL), 0);
}

/* Only what certainly never reached the vault is taken back. */
TEST(withdrawn_while_unsent)
{
    rig_start();
    ask_init(&ask, USER);
    assert_int_equal(ask_request(&ask, NULL), 0);
    rig_sign_in(USER, "s=1\n");
    rig.in_line = true;
    withdraw(true); /* queued for a connection */
    rig_answer(rig_call(0), 401, "");
    rig.in_line = false;
    rig_advance(0);
    assert_contains(rig_call(0)->target, "/Auth/SignApp");
    withdraw(false); /* queued for a session; the first sending may have taken effect */
    rig_sign_in(USER, "s=2\n");
    rig_answer(rig_call(0), 201, "9114");
    assert_int_equal(ask.call.result, VAULT_OK);
    ask_again(&ask, USER);
    assert_int_equal(ask_request(&ask, NULL), 0);
    withdraw(false); /* under way */
    rig_fail(rig_call(0), -ECONNREFUSED, false);
    assert_int_equal(rig_waiting(), 0);
    withdraw(true); /* pausing; nothing was sent */
    rig_fail(rig_call(0), -ECONNRESET, true);
    assert_int_equal(rig_waiting(), 0);
    withdraw(false); /* pausing; it may have happened */
    rig.in_line = true;
    rig_advance(SECONDS(5));
    assert_int_equal(rig_waiting(), 1);
    withdraw(false); /* queued once more */
    rig_answer(rig_call(0), 201, "41");
    assert_int_equal(ask.done, 1);
    withdraw(false); /* over */
    ask_free(&ask);
}

static void ask_next(struct rig_ask *first)
{
    vault_call_free(&first->call);
    ask_init(&other, USER);
    assert_int_equal(ask_list(&other, KIND_LOCAL, "again"), 0);
}

TEST(next_call_inside_done)
{
    ready();
    ask.then = ask_next;
    assert_int_equal(ask_list(&ask, KIND_LOCAL, "x"), 0);
    rig_answer(rig_call(0), 200, "[]");
    assert_int_equal(rig_waiting(), 1);
    rig_answer(rig_call(0), 200, "[]");
    assert_int_equal(other.done, 1);
    ask_free(&other);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(list_bytes),
        T(request_bytes),
        T(other_bytes),
        T(a_name_that_is_no_request_id_is_not_sent),
        T(aliases_have_calls_of_their_own),
        T(directory_bytes),
        T(isa_bytes),
        T(tries_then_fails),
        T(a_request_is_sent_while_it_may_be),
        T(retry_after),
        T(no_try_beyond_the_callers_time),
        T(deadline_while_sent),
        T(deadline_while_waiting),
        T(lost_request_is_asked_again),
        T(request_outcomes),
        T(refusal_after_a_lost_request),
        T(request_answered_by_others),
        T(request_answered_by_401),
        T(lost_checkin),
        T(too_many_calls),
        T(upstream_is_full),
        T(cancel_in_every_state),
        T(withdrawn_while_unsent),
        T(next_call_inside_done),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
