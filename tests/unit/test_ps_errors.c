/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_ps_errors.c - every row of the translation: which result and fault a vault's refusal becomes.
 */
#include "check.h"
#include "ps_rig.h"

#include <errno.h>
#include <stdio.h>

#define USER "ACME\\mrivera"

enum op { LIST, POLICY, REQUEST, CREDENTIAL, CHECKIN, REQUESTS };

static struct rig_ask ask;

static int setup(void **state)
{
    (void)state;
    rig_init();
    rig.conf.retries = 0;
    rig_start_signed_in(&ask, USER);
    return 0;
}

static int teardown(void **state)
{
    ask_free(&ask);
    return rig_teardown(state);
}

static void start(enum op op)
{
    int err = -EINVAL;

    ask_again(&ask, USER);
    switch (op) {
    case LIST: err = ask_list(&ask, KIND_LOCAL, "x"); break;
    case POLICY: err = rig.vault->ops->policy(rig.vault, "l.17.203.0", 60, &ask.call); break;
    case REQUEST: err = ask_request(&ask, NULL); break;
    case CREDENTIAL: err = ask_credential(&ask); break;
    case CHECKIN: err = ask_checkin(&ask); break;
    case REQUESTS: err = rig.vault->ops->requests(rig.vault, &ask.call); break;
    }
    assert_int_equal(err, 0);
}

struct row {
    enum op op;
    int status;
    const char *body;
    enum vault_result result;
    enum fault_code code;
    int vault_code;
};

static void check(const struct row *row)
{
    start(row->op);
    rig_answer(rig_call(0), row->status, row->body);
    if (ask.done != 1 || ask.call.result != row->result || ask.call.fault.code != row->code)
        fail_msg("op %d status %d body %s: done %d result %d fault %d", row->op, row->status, row->body,
                 ask.done, ask.call.result, ask.call.fault.code);
    assert_int_equal(ask.call.fault.vault_status, row->status);
    assert_int_equal(ask.call.fault.vault_code, row->vault_code);
    assert_true(*ask.call.fault.detail);
    assert_lacks(ask.call.fault.detail, "9114");
}

static void check_all(const struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++)
        check(&rows[i]);
}

TEST(denied)
{
    static const struct row rows[] = {
        {REQUEST, 403, "4031", VAULT_DENIED, FAULT_NOT_ENTITLED, 4031},
        {REQUEST, 403, "4032", VAULT_DENIED, FAULT_NOT_ENTITLED, 4032},
        {REQUEST, 403, "4033", VAULT_DENIED, FAULT_NOT_ENTITLED, 4033},
        {REQUEST, 403, "4035", VAULT_DENIED, FAULT_NOT_ENTITLED, 4035},
        {REQUEST, 403, "\"4031\"", VAULT_DENIED, FAULT_NOT_ENTITLED, 4031},
        {REQUEST, 403, " 4031\r\n", VAULT_DENIED, FAULT_NOT_ENTITLED, 4031},
        {REQUEST, 403, "{\"Message\":\"4031\"}", VAULT_DENIED, FAULT_NOT_ENTITLED, 4031},
        {REQUEST, 403, "{\"message\":4031}", VAULT_DENIED, FAULT_NOT_ENTITLED, 4031},
        {REQUEST, 403, "{\"error\":\"4031: no\"}", VAULT_DENIED, FAULT_NOT_ENTITLED, 4031},
        {REQUEST, 403, "\xef\xbb\xbf{\"Message\":\"4031\"}", VAULT_DENIED, FAULT_NOT_ENTITLED, 4031},
        {REQUEST, 403, "\"Forbidden\"", VAULT_DENIED, FAULT_NOT_ENTITLED, 0},
        {CREDENTIAL, 403, "4031", VAULT_DENIED, FAULT_NOT_ENTITLED, 4031},
        {CREDENTIAL, 403, "4034", VAULT_PENDING, FAULT_APPROVAL_PENDING, 4034},
        {CREDENTIAL, 403, "\"4034\"", VAULT_PENDING, FAULT_APPROVAL_PENDING, 4034},
        {CHECKIN, 403, "4031", VAULT_DENIED, FAULT_NOT_ENTITLED, 4031},
        {POLICY, 403, "4031", VAULT_DENIED, FAULT_NOT_ENTITLED, 4031},
        {REQUESTS, 403, "4032", VAULT_DENIED, FAULT_NOT_ENTITLED, 4032},
    };

    check_all(rows, sizeof(rows) / sizeof(rows[0]));
}

TEST(conflicts_and_absences)
{
    static const struct row rows[] = {
        {REQUEST, 409, "4091", VAULT_CONFLICT, FAULT_VAULT_CONFLICT, 4091},
        {REQUEST, 409, "\"4091\"", VAULT_CONFLICT, FAULT_VAULT_CONFLICT, 4091},
        {REQUEST, 404, "\"Managed Account not found\"", VAULT_ABSENT, FAULT_CREDENTIAL_NOT_FOUND, 0},
        {REQUEST, 404, "\"has been released\"", VAULT_ABSENT, FAULT_CREDENTIAL_NOT_FOUND, 0},
        {CREDENTIAL, 404, "\"Request has been released or is expired\"", VAULT_GONE, FAULT_VAULT_CONFLICT, 0},
        {CREDENTIAL, 404, "{\"Message\":\"Request 9114 is EXPIRED\"}", VAULT_GONE, FAULT_VAULT_CONFLICT, 0},
        {CREDENTIAL, 404, "\"no such credential\"", VAULT_ABSENT, FAULT_CREDENTIAL_NOT_FOUND, 0},
        {CREDENTIAL, 400, "\"request 9114 has no key\"", VAULT_ABSENT, FAULT_CREDENTIAL_NOT_FOUND, 0},
        {CHECKIN, 404, "\"Request not found\"", VAULT_GONE, FAULT_VAULT_CONFLICT, 0},
        {CHECKIN, 400, "\"request 9114\"", VAULT_BAD, FAULT_VAULT_ERROR, 0},
        {REQUESTS, 404, "", VAULT_FAILED, FAULT_VAULT_ERROR, 0},
    };

    check_all(rows, sizeof(rows) / sizeof(rows[0]));
}

TEST(bad_values)
{
    static const struct row rows[] = {
        {REQUEST, 400, "\"A reason is required\"", VAULT_BAD, FAULT_REASON_REQUIRED, 0},
        {REQUEST, 400, "Reason is missing", VAULT_BAD, FAULT_REASON_REQUIRED, 0},
        {REQUEST, 400, "{\"Message\":\"Reason required by policy\"}", VAULT_BAD, FAULT_REASON_REQUIRED, 0},
        {REQUEST, 400, "\xef\xbb\xbf{\"Message\":\"Reason is missing\"}", VAULT_BAD, FAULT_REASON_REQUIRED,
         0},
        {REQUEST, 400, "\"Reason over 1000 characters\"", VAULT_BAD, FAULT_VAULT_ERROR, 0},
        {REQUEST, 400, "\"Ticket number required\"", VAULT_BAD, FAULT_TICKET_REQUIRED, 0},
        {REQUEST, 400, "\"TicketSystemID: no reason given\"", VAULT_BAD, FAULT_TICKET_REQUIRED, 0},
        {REQUEST, 400, "\"Duration exceeds the maximum\"", VAULT_BAD, FAULT_DURATION_TOO_LONG, 0},
        {REQUEST, 400, "\"DurationMinutes out of range\"", VAULT_BAD, FAULT_DURATION_TOO_LONG, 0},
        {REQUEST, 400, "\"unknown AccessType\"", VAULT_BAD, FAULT_VAULT_ERROR, 0},
        {LIST, 400, "\"ipAddress needs a type; no reason\"", VAULT_BAD, FAULT_VAULT_ERROR, 0},
    };

    check_all(rows, sizeof(rows) / sizeof(rows[0]));
    start(REQUEST);
    rig_answer(rig_call(0), 400, "\"Ticket\\r\\n  number\\u0007 required\"");
    assert_contains(ask.call.fault.detail, "Ticket number required");
}

TEST(failures)
{
    static const struct row rows[] = {
        {LIST, 500, "<html>", VAULT_FAILED, FAULT_VAULT_ERROR, 0},
        {LIST, 502, "{\"Message\":\"4031\"}", VAULT_FAILED, FAULT_VAULT_ERROR, 0},
        {LIST, 503, "", VAULT_FAILED, FAULT_VAULT_UNAVAILABLE, 0},
        {LIST, 429, "", VAULT_FAILED, FAULT_VAULT_UNAVAILABLE, 0},
        {LIST, 504, "", VAULT_FAILED, FAULT_VAULT_ERROR, 0},
        {LIST, 410, "", VAULT_FAILED, FAULT_VAULT_ERROR, 0},
        {LIST, 405, "", VAULT_FAILED, FAULT_VAULT_ERROR, 0},
        {LIST, 415, "", VAULT_FAILED, FAULT_VAULT_ERROR, 0},
        {LIST, 302, "", VAULT_FAILED, FAULT_VAULT_ERROR, 0},
        {CREDENTIAL, 500, "\"secret words\"", VAULT_FAILED, FAULT_VAULT_ERROR, 0},
        {CREDENTIAL, 204, "", VAULT_FAILED, FAULT_VAULT_ERROR, 0},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        check(&rows[i]);
        assert_lacks(ask.call.fault.detail, "secret words");
    }
}

/* One operation, answered by a proxy: nothing of it is believed. */
static void foreign(enum op op, int status, const char *body, const char *content_type)
{
    enum fault_code code = status == 429 || status == 503 ? FAULT_VAULT_UNAVAILABLE : FAULT_VAULT_ERROR;

    start(op);
    rig_reply(rig_call(0),
              &(struct rig_answer){.status = status, .body = body, .content_type = content_type});
    if (ask.done != 1 || ask.call.result != VAULT_FAILED || ask.call.fault.code != code)
        fail_msg("op %d status %d body %s: done %d result %d fault %d", op, status, body, ask.done,
                 ask.call.result, ask.call.fault.code);
    assert_int_equal(ask.call.unknown, op == REQUEST || op == CHECKIN);
    assert_int_equal(ask.call.fault.vault_status, status);
    assert_null(ask.call.accounts);
    assert_null(ask.call.secret.p);
    assert_string_equal(ask.call.request_key, "");
}

TEST(pages_are_never_believed)
{
    static const int statuses[] = {200, 201, 203, 206, 300, 301, 302, 303, 304, 307, 308, 400, 402, 403, 404,
                                   405, 406, 409, 410, 421, 429, 431, 451, 500, 501, 502, 503, 504, 511};
    static const char *const bodies[] = {
        "<html><body>4031</body></html>",
        "\xef\xbb\xbf<!DOCTYPE html>",
        " \r\n\t<?xml version=\"1.0\"?><Error>4031</Error>",
    };

    for (enum op op = LIST; op <= REQUESTS; op++) {
        for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
            for (size_t k = 0; k < sizeof(bodies) / sizeof(bodies[0]); k++)
                foreign(op, statuses[i], bodies[k], k == 2 ? "application/xml" : "text/html");
            foreign(op, statuses[i], "[]", "text/html; charset=utf-8");
            foreign(op, statuses[i], "4031", "TEXT/HTML");
            foreign(op, statuses[i], "", "application/xhtml+xml");
        }
    }
}

/* Refusals without the vault's form: what proxies say when they say it without HTML. */
TEST(other_forms_are_not_the_vaults)
{
    static const struct {
        int status;
        const char *body;
    } rows[] = {
        {403, ""},
        {403, "RBAC: access denied"},
        {403, "{\"message\":\"Forbidden\"}"},
        {403, "403"},
        {403, "[4031]"},
        {403, "\"4031"},
        {404, ""},
        {404, "4031"},
        {404, "404 page not found"},
        {404, "{\"message\":\"no Route matched with those values\"}"},
        {404, "{\"Message\":\"No HTTP resource was found that matches the request URI 'https://x'.\"}"},
        {404, "{}"},
        {404, "\"gone\" and more"},
        {409, ""},
        {409, "conflict"},
        {400, ""},
        {400, "{\"a\":1}"},
        {302, "\"moved\""},
        {410, "\"gone\""},
    };

    for (enum op op = LIST; op <= REQUESTS; op++)
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
            foreign(op, rows[i].status, rows[i].body, "text/plain");
}

TEST(check_in_is_done_by_a_2xx_that_is_no_page)
{
    static const struct rig_answer done[] = {
        {.status = 204},
        {.status = 204, .content_type = "text/html"}, /* it has no body that could be a page */
        {.status = 200},
        {.status = 200, .body = "{}", .content_type = "application/json"},
        {.status = 202, .body = "\"ok\""},
    };

    for (size_t i = 0; i < sizeof(done) / sizeof(done[0]); i++) {
        start(CHECKIN);
        rig_reply(rig_call(0), &done[i]);
        assert_int_equal(ask.call.result, VAULT_OK);
        assert_false(ask.call.unknown);
    }
}

TEST(a_version_that_is_disabled_is_called_so_and_nothing_else_is)
{
    static const int statuses[] = {410, 404, 500, 302};

    for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
        start(LIST);
        rig_reply(rig_call(0), &(struct rig_answer){.status = statuses[i]});
        if (statuses[i] == 410)
            assert_contains(ask.call.fault.detail, "disabled this version");
        else
            assert_lacks(ask.call.fault.detail, "disabled this version");
    }
}

/* Markup that does not look like it: compressed, in another encoding, behind other bytes. */
TEST(check_in_is_not_done_by_what_is_no_json)
{
    static const char *const bodies[] = {"released", "\x1f\x8b\x08", "\xff\xfe<\x01", "{", "x<html>"};

    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        start(CHECKIN);
        rig_reply(rig_call(0), &(struct rig_answer){.status = 200, .body = bodies[i]});
        assert_int_equal(ask.call.result, VAULT_FAILED);
        assert_true(ask.call.unknown);
    }
}

TEST(only_a_request_waits_for_an_approver)
{
    start(LIST);
    rig_reply(rig_call(0), &(struct rig_answer){.status = 403, .body = "4034"});
    assert_int_equal(ask.call.result, VAULT_OK);
    assert_false(ask.call.accounts && ask.call.accounts->n);
    start(REQUESTS);
    rig_reply(rig_call(0), &(struct rig_answer){.status = 403, .body = "4034"});
    assert_int_equal(ask.call.result, VAULT_DENIED);
}

TEST(lost)
{
    static const struct {
        int err;
        enum fault_code code;
    } rows[] = {
        {-ECONNREFUSED, FAULT_VAULT_UNAVAILABLE},
        {-ECONNRESET, FAULT_VAULT_UNAVAILABLE},
        {-ETIMEDOUT, FAULT_DEADLINE_EXCEEDED},
        {-EPROTO, FAULT_VAULT_ERROR},
        {-EMSGSIZE, FAULT_VAULT_ERROR},
        {-ENOMEM, FAULT_INTERNAL},
        {-ECANCELED, FAULT_DRAINING},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        case_label("%s", strerror(-rows[i].err));
        start(CREDENTIAL);
        rig_fail(rig_call(0), rows[i].err, true);
        assert_int_equal(ask.call.result, VAULT_FAILED);
        assert_int_equal(ask.call.fault.code, rows[i].code);
        assert_int_equal(ask.call.fault.vault_status, 0);
        assert_false(ask.call.unknown);
    }
}

TEST(times_to_wait)
{
    static const struct {
        const char *value;
        unsigned seconds;
    } rows[] = {
        {"", 0},
        {"7", 7},
        {"0", 1},
        {"99999", 3600},
        {"999999999999999", 3600},
        {"9223372036854775807", 3600},
        {"9223372036854775808", 0}, /* no number: as if absent */
        {"-5", 0},
        {"7.5", 0},
        {"7 s", 0},
        {"soon", 0},
        {"Sun, 31 Feb 1994 08:49:37 GMT", 0},
        {"Sun, 06 Nov 9999 08:49:37 GMT", 3600},
        {"Sun, 06 Nov 1994 08:49:37 GMT", 1},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        case_label("Retry-After: %s", rows[i].value);
        start(LIST);
        rig_reply(rig_call(0), &(struct rig_answer){.status = 503, .retry_after = rows[i].value});
        assert_int_equal(ask.call.fault.retry_after_s, rows[i].seconds);
    }
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(denied),
        T(conflicts_and_absences),
        T(bad_values),
        T(failures),
        T(pages_are_never_believed),
        T(other_forms_are_not_the_vaults),
        T(check_in_is_done_by_a_2xx_that_is_no_page),
        T(a_version_that_is_disabled_is_called_so_and_nothing_else_is),
        T(check_in_is_not_done_by_what_is_no_json),
        T(only_a_request_waits_for_an_approver),
        T(lost),
        T(times_to_wait),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
