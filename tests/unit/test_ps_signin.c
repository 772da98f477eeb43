/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_ps_signin.c - how the backend says who it is: PS-Auth, OAuth, cookies, refusals.
 */
#include "check.h"
#include "ps_rig.h"

#include <errno.h>
#include <stdio.h>

#define USER "ACME\\mrivera"

static int setup(void **state)
{
    (void)state;
    rig_init();
    return 0;
}

/* Starts a list as `user`; what comes of it is the test's. */
static void begin(struct rig_ask *ask, const char *user)
{
    ask_init(ask, user);
    assert_int_equal(ask_list(ask, KIND_LOCAL, "ledger01"), 0);
    assert_int_equal(ask->done, 0);
}

static void end_ok(struct rig_ask *ask)
{
    assert_contains((rig_call(0), rig.last_target), "/ManagedAccounts");
    rig_answer(rig_call(0), 200, "[]");
    assert_int_equal(ask->done, 1);
    assert_int_equal(ask->call.result, VAULT_OK);
    ask_free(ask);
}

TEST(key_bytes)
{
    static struct rig_ask ask;

    rig_start();
    begin(&ask, USER);
    assert_non_null(rig_call(0));
    assert_string_equal(rig.last_method, "POST");
    assert_string_equal(rig.last_target, RIG_BASE "/Auth/SignAppin");
    assert_string_equal(rig.last_headers, "Authorization: PS-Auth key=" RIG_KEY "; runas=ACME\\mrivera;\r\n"
                                          "Content-Type: application/json\r\n"
                                          "Accept: application/json\r\n");
    assert_string_equal(rig.last_body, "");
    rig_sign_in(USER, "ASP.NET_SessionId=q3v0; path=/; secure; HttpOnly; SameSite=None\n");
    rig_call(0);
    assert_string_equal(rig.last_headers, "Accept: application/json\r\nCookie: ASP.NET_SessionId=q3v0\r\n");
    end_ok(&ask);
}

TEST(password_bytes)
{
    static struct rig_ask ask;

    rig_init_password();
    rig_start();
    begin(&ask, "ACME\\tkoh");
    rig_call(0);
    assert_contains(rig.last_headers,
                    "Authorization: PS-Auth key=" RIG_KEY "; runas=ACME\\tkoh; pwd=[winter Sun 9];\r\n");
    rig_sign_in(NULL, "s=1\n");
    end_ok(&ask);
}

static void write_key(const char *text)
{
    FILE *file = fopen(rig.conf.api_key_file, "w");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

/* A sign-in after the renewal shows the new key; a session from before is used on. */
TEST(key_is_renewed)
{
    static struct rig_ask ask;
    struct password_safe_next *renewal;
    char why[256] = "";

    rig_start();
    begin(&ask, USER);
    rig_sign_in(USER, "s=1\n");
    end_ok(&ask);
    write_key("K2changed\n");
    renewal = password_safe_prepare(&rig.conf, why);
    assert_non_null(renewal);
    password_safe_discard(renewal); /* nothing of it is taken */
    begin(&ask, USER);
    end_ok(&ask);
    rig.conf.connections = 3;
    renewal = password_safe_prepare(&rig.conf, why);
    assert_non_null(renewal);
    password_safe_reload(rig.vault, renewal);
    assert_int_equal(rig.renewed_connections, 3);
    begin(&ask, USER);
    end_ok(&ask);
    begin(&ask, "ACME\\other");
    assert_non_null(rig_call(0));
    assert_contains(rig.last_headers, "PS-Auth key=K2changed; runas=ACME\\other;");
    rig_sign_in(NULL, "s=2\n");
    end_ok(&ask);
    write_key(RIG_KEY "\n"); /* the tests share the file */
}

TEST(bad_secret_is_not_taken)
{
    struct conf_vault next;
    char why[256] = "";

    rig_start();
    next = rig.conf;
    next.api_key_file = (char *)(uintptr_t) "/nonexistent/key";
    assert_null(password_safe_prepare(&next, why));
    assert_contains(why, "api_key_file: /nonexistent/key");
}

TEST(address_that_would_lie)
{
    static const char *const bad[] = {"",      " ACME\\x", "x ", "x;runas=admin", "x\r\nX: y", "\t",
                                      "x\x7f", "x\ny",     NULL};
    static struct rig_ask ask;

    rig_start();
    for (size_t i = 0; bad[i]; i++) {
        begin(&ask, bad[i]);
        assert_int_equal(rig_waiting(), 0);
        rig_advance(0);
        assert_int_equal(ask.done, 1);
        assert_int_equal(ask.call.result, VAULT_FAILED); /* not the vault's refusal: no other name comes in */
        assert_int_equal(ask.call.fault.code, FAULT_VAULT_REFUSED_USER);
        ask_free(&ask);
    }
    begin(&ask, "M\xc3\xbcller O'Neil [x]");
    rig_sign_in("M\xc3\xbcller O'Neil [x]", "s=1\n");
    end_ok(&ask);
}

TEST(cookie_forms)
{
    static const struct {
        const char *set, *sent;
    } rows[] = {
        {"a=1; path=/\nb=2; secure\n", "a=1; b=2"},
        {"b=2\na=1\nb=3; HttpOnly\n", "b=3; a=1"},
        {"  a = 1 ;x\n", "a = 1"},
        {"a=x=y==; Path=/\n", "a=x=y=="},
        {"noname\n=novalue\na=1\n", "a=1"},
        {"a=\nb=2\n", "a=; b=2"},
        {"A=1\na=2\n", "A=1; a=2"},
        {"bad=\x01\x02\nok=1\n", "ok=1"},
    };
    char want[128], user[16];
    static struct rig_ask ask;

    rig_start();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        case_label("%s", rows[i].set);
        (void)snprintf(user, sizeof(user), "user%zu", i);
        begin(&ask, user);
        rig_sign_in(user, rows[i].set);
        rig_call(0);
        (void)snprintf(want, sizeof(want), "Accept: application/json\r\nCookie: %s\r\n", rows[i].sent);
        assert_string_equal(rig.last_headers, want);
        end_ok(&ask);
    }
}

TEST(cookies_set_later)
{
    static struct rig_ask ask;

    rig_start();
    begin(&ask, USER);
    rig_sign_in(USER, "a=1\nb=2\n");
    rig_reply(rig_call(0), &(struct rig_answer){200, "[]", "b=9; path=/\nc=3\n", NULL, NULL, NULL, NULL});
    ask_free(&ask);
    begin(&ask, USER);
    rig_call(0);
    assert_contains(rig.last_headers, "Cookie: a=1; b=9; c=3\r\n");
    end_ok(&ask);
}

TEST(no_cookie_is_no_session)
{
    static struct rig_ask ask;

    rig_start();
    begin(&ask, USER);
    rig_sign_in(USER, NULL);
    rig_advance(0);
    assert_int_equal(ask.call.result, VAULT_FAILED);
    assert_int_equal(ask.call.fault.code, FAULT_VAULT_ERROR);
    ask_free(&ask);
}

static void refuse(struct rig_ask *ask, const char *second_factor)
{
    const struct rig_answer answer = {.status = 401, .cookies = "s=m77\n", .second_factor = second_factor};

    begin(ask, USER);
    assert_int_equal(rig_waiting(), 1);
    rig_reply(rig_call(0), &answer);
    rig_advance(0);
    assert_int_equal(ask->done, 1);
    assert_int_equal(ask->call.result, VAULT_REFUSED);
    assert_int_equal(ask->call.fault.code, FAULT_VAULT_REFUSED_USER);
    assert_int_equal(ask->call.fault.vault_status, 401);
    assert_lacks(ask->call.fault.detail, RIG_KEY);
    assert_int_equal(rig_waiting(), 0);
}

static void expect_refused_at_once(void)
{
    size_t before = rig.total;
    static struct rig_ask ask;

    begin(&ask, USER);
    rig_advance(0);
    assert_int_equal(ask.done, 1);
    assert_int_equal(ask.call.result, VAULT_REFUSED);
    assert_int_equal(rig.total, before);
    ask_free(&ask);
}

TEST(refusals_back_off)
{
    static const uint64_t pause[] = {500, 1000, 2000, 4000, 8000, 16000, 30000, 30000};
    static struct rig_ask ask;

    rig_start();
    for (size_t i = 0; i < sizeof(pause) / sizeof(pause[0]); i++) {
        refuse(&ask, NULL);
        assert_contains(ask.call.fault.detail, "requesters group");
        assert_contains(ask.call.fault.detail, "source address");
        assert_true(strlen(ask.call.fault.detail) < FAULT_DETAIL_SIZE - 2);
        ask_free(&ask);
        rig_advance(pause[i] - 1);
        expect_refused_at_once();
        rig_advance(1);
    }
    begin(&ask, USER);
    rig_sign_in(USER, "s=1\n");
    end_ok(&ask);
    /* success has cleared the count: the next refusal is the first again */
    rig_advance(rig.conf.session_idle_ms);
    rig_answer(rig_call(0), 200, "");
    refuse(&ask, NULL);
    ask_free(&ask);
    rig_advance(500);
    begin(&ask, USER);
    rig_sign_in(USER, "s=1\n");
    end_ok(&ask);
}

/* Its memory of the refusal would end during the next sign-in. */
TEST(a_user_that_signs_in_again_is_not_forgotten)
{
    static struct rig_ask ask;
    struct vault_state now;

    rig_start();
    refuse(&ask, NULL);
    ask_free(&ask);
    rig_advance(SECONDS(59));
    begin(&ask, USER);
    assert_int_equal(rig_waiting(), 1);
    rig_advance(SECONDS(2));
    rig.vault->ops->state(rig.vault, &now);
    assert_int_equal(now.users, 1);
    rig_sign_in(USER, "s=1\n");
    end_ok(&ask);
}

TEST(refusal_spares_other_users)
{
    static struct rig_ask ask;

    rig_start();
    refuse(&ask, NULL);
    ask_free(&ask);
    begin(&ask, "ACME\\other");
    rig_sign_in("ACME\\other", "s=1\n");
    end_ok(&ask);
}

TEST(second_factor)
{
    static struct rig_ask ask;

    rig_start();
    refuse(&ask, "Enter your one-time code");
    assert_contains(ask.call.fault.detail, "MFA");
    ask_free(&ask);
    rig_advance(SECONDS(29));
    expect_refused_at_once();
}

TEST(licence)
{
    static struct rig_ask ask;

    rig_start();
    begin(&ask, USER);
    rig_answer(rig_call(0), 403, "\"no licence\"");
    rig_advance(0);
    assert_int_equal(ask.call.result, VAULT_REFUSED);
    assert_contains(ask.call.fault.detail, "licence");
    ask_free(&ask);
}

/* A caller that comes meanwhile; the vault gets no call of it. */
static void expect_held_off(const char *user, enum fault_code code)
{
    static struct rig_ask ask;
    size_t before = rig.total;

    begin(&ask, user);
    rig_advance(0);
    assert_int_equal(ask.done, 1);
    assert_int_equal(ask.call.result, VAULT_FAILED);
    assert_int_equal(ask.call.fault.code, code);
    assert_true(ask.call.fault.retry_after_s >= 1);
    assert_false(ask.call.unknown);
    assert_int_equal(rig.total, before);
    ask_free(&ask);
}

TEST(lost_sign_ins_back_off)
{
    static const uint64_t pause[] = {100, 200, 400, 800, 1600, 2000, 2000};
    static struct rig_ask ask;

    rig.conf.retries = 0;
    rig_start();
    for (size_t i = 0; i < sizeof(pause) / sizeof(pause[0]); i++) {
        begin(&ask, USER);
        if (i % 2)
            rig_answer(rig_call(0), 500, "<html>");
        else
            rig_fail(rig_call(0), -ECONNREFUSED, false);
        rig_advance(0);
        assert_int_equal(ask.done, 1);
        assert_int_equal(ask.call.result, VAULT_FAILED);
        assert_int_equal(ask.call.fault.code, i % 2 ? FAULT_VAULT_ERROR : FAULT_VAULT_UNAVAILABLE);
        assert_true(ask.call.fault.retry_after_s >= 1);
        assert_false(ask.call.unknown);
        ask_free(&ask);
        rig_advance(pause[i] - 1);
        expect_held_off(USER, i % 2 ? FAULT_VAULT_ERROR : FAULT_VAULT_UNAVAILABLE);
        rig_advance(1);
    }
    begin(&ask, USER);
    rig_sign_in(USER, "s=1\n");
    end_ok(&ask);
    /* success has ended it: the next failure is the first again */
    rig_advance(rig.conf.session_idle_ms);
    rig_answer(rig_call(0), 200, "");
    begin(&ask, USER);
    rig_answer(rig_call(0), 500, "");
    rig_advance(0);
    ask_free(&ask);
    rig_advance(100);
    begin(&ask, USER);
    rig_sign_in(USER, "s=1\n");
    end_ok(&ask);
}

/* Twenty callers who try again and again, for three seconds: the vault gets few sign-ins. */
TEST(many_callers_make_few_sign_ins)
{
    static struct rig_ask asks[20];
    size_t in_second = 0;

    rig_start();
    for (uint64_t at = 0; at < 3000; at += 10) {
        for (size_t i = 0; i < 20; i++)
            if (!at || asks[i].done) {
                ask_free(&asks[i]);
                begin(&asks[i], USER);
            }
        while (rig_waiting())
            rig_answer(rig_call(0), 500, "");
        if (at % 1000 == 990) {
            assert_true(rig.total - in_second <= 5);
            in_second = rig.total;
        }
        rig_advance(10);
    }
    assert_true(rig.total >= 5);
    rig_advance(SECONDS(10));
    while (rig_waiting())
        rig_answer(rig_call(0), 500, "");
    rig_advance(SECONDS(10));
    for (size_t i = 0; i < 20; i++)
        ask_free(&asks[i]);
}

/* Hundreds of users: the vault's budget holds over all of them, and its recovery is noticed. */
TEST(many_users_share_the_vaults_budget)
{
    static struct rig_ask asks[200];
    size_t in_second = 0, ok = 0;
    char name[32];

    rig.conf.retries = 0;
    rig.conf.max_calls = 1000;
    rig_start();
    for (uint64_t at = 0; at < 4000; at += 10) {
        for (size_t i = 0; i < 200; i++) {
            if (at && !asks[i].done)
                continue;
            assert_true(!at || asks[i].call.fault.code == FAULT_VAULT_ERROR);
            (void)snprintf(name, sizeof(name), "ACME\\u%zu", i);
            ask_free(&asks[i]);
            begin(&asks[i], name);
        }
        assert_true(rig_waiting() <= 20);
        while (rig_waiting())
            rig_answer(rig_call(0), 500, "");
        if (at % 1000 == 990) {
            assert_true(rig.total - in_second <= 20);
            assert_true(rig.total > in_second);
            in_second = rig.total;
        }
        rig_advance(10);
    }
    rig_advance(SECONDS(2)); /* the longest pause; from now on the vault works */
    ask_free(&asks[0]);
    begin(&asks[0], "ACME\\first");
    rig_sign_in("ACME\\first", "s=1\n");
    end_ok(&asks[0]);
    for (size_t i = 0; i < 200; i++) {
        ask_free(&asks[i]);
        (void)snprintf(name, sizeof(name), "ACME\\u%zu", i);
        begin(&asks[i], name);
    }
    for (size_t i = 0; rig_waiting(); i++) {
        struct call *call = rig_call(0);

        if (strstr(rig.last_target, "SignApp"))
            rig_reply(call,
                      &(struct rig_answer){.status = 200, .body = "{\"UserId\":1}", .cookies = "s=1\n"});
        else
            rig_answer(call, 200, "[]");
        rig_advance(0);
    }
    for (size_t i = 0; i < 200; i++) {
        ok += asks[i].done && asks[i].call.result == VAULT_OK;
        ask_free(&asks[i]);
    }
    assert_int_equal(ok, 200);
}

/* The morning: as many sign-ins as the vault answers, and more with each answer. */
TEST(a_vault_that_works_is_asked_for_more)
{
    static struct rig_ask asks[100];
    char name[32];

    rig.conf.max_calls = 1000;
    rig_start();
    for (size_t i = 0; i < 100; i++) {
        (void)snprintf(name, sizeof(name), "ACME\\u%zu", i);
        begin(&asks[i], name);
    }
    assert_int_equal(rig_waiting(), 20);
    rig_sign_in(NULL, "s=1\n");
    assert_int_equal(rig_waiting(), 19 + 1 + 2); /* its call, and two others */
    for (size_t i = 0; i < 19; i++)
        rig_sign_in(NULL, "s=1\n");
    assert_int_equal(rig_waiting(), 20 + 40);
    while (rig_waiting()) {
        struct call *call = rig_call(0);

        if (strstr(rig.last_target, "SignApp"))
            rig_sign_in(NULL, "s=1\n");
        else
            rig_answer(call, 200, "[]");
    }
    for (size_t i = 0; i < 100; i++) {
        assert_int_equal(asks[i].done, 1);
        assert_int_equal(asks[i].call.result, VAULT_OK);
        ask_free(&asks[i]);
    }
}

/* One user whose sign-in always fails does not hold up the others. */
TEST(lost_sign_in_spares_other_users)
{
    static struct rig_ask ask;

    rig.conf.retries = 0;
    rig_start();
    for (size_t i = 0; i < 30; i++) {
        begin(&ask, USER);
        rig_answer(rig_call(0), 500, "");
        rig_advance(0);
        ask_free(&ask);
        expect_held_off(USER, FAULT_VAULT_ERROR);
        if (i == 29)
            break;
        rig_advance(SECONDS(2));
    }
    begin(&ask, "ACME\\other");
    rig_sign_in("ACME\\other", "s=1\n");
    end_ok(&ask);
    expect_held_off(USER, FAULT_VAULT_ERROR); /* nor does another user's success end this back-off */
}

TEST(form_of_a_sign_in)
{
    static const struct {
        const char *body;
        bool good;
    } rows[] = {
        {"{}", true},  {"\xef\xbb\xbf {\"UserId\":41,\"Name\":\"\\ud800\"}\r\n", true},
        {"", false},   {"\"welcome\"", false},
        {"[]", false}, {"OK", false},
        {"{", false},
    };
    static struct rig_ask ask;

    rig.conf.retries = 0;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        case_label("%s", rows[i].body);
        char user[16];

        if (!i)
            rig_start();
        (void)snprintf(user, sizeof(user), "u%zu", i);
        begin(&ask, user);
        rig_reply(rig_call(0), &(struct rig_answer){.status = 200, .cookies = "s=1\n", .body = rows[i].body});
        rig_advance(0);
        if (rows[i].good) {
            end_ok(&ask);
            continue;
        }
        assert_int_equal(ask.call.result, VAULT_FAILED);
        assert_int_equal(ask.call.fault.code, FAULT_VAULT_ERROR);
        ask_free(&ask);
    }
}

/* Whatever its status, a page in the vault's place is neither a session nor a refusal. */
TEST(page_at_the_sign_in)
{
    static const int status[] = {200, 302, 400, 401, 403, 404, 500};
    static struct rig_ask ask;

    rig_start();
    for (size_t i = 0; i < sizeof(status) / sizeof(status[0]); i++) {
        rig.conf.retries = 0;
        begin(&ask, USER);
        rig_reply(rig_call(0),
                  &(struct rig_answer){.status = status[i],
                                       .cookies = "s=1\n",
                                       .body = "\xef\xbb\xbf \n<!DOCTYPE html><html>Log in</html>"});
        rig_advance(0);
        assert_int_equal(ask.done, 1);
        assert_int_equal(ask.call.result, VAULT_FAILED);
        assert_int_equal(ask.call.fault.code, FAULT_VAULT_ERROR);
        ask_free(&ask);
        rig_advance(SECONDS(2));
        begin(&ask, USER); /* what calls itself HTML is a page as well */
        rig_reply(rig_call(0), &(struct rig_answer){.status = status[i],
                                                    .cookies = "s=1\n",
                                                    .body = "{}",
                                                    .content_type = "Text/HTML; charset=utf-8"});
        rig_advance(0);
        assert_int_equal(ask.call.result, VAULT_FAILED);
        assert_int_equal(ask.call.fault.code, FAULT_VAULT_ERROR);
        ask_free(&ask);
        rig_advance(SECONDS(2));
    }
}

TEST(lost_sign_in_is_tried_again)
{
    static struct rig_ask ask;

    rig_start();
    begin(&ask, USER);
    rig_fail(rig_call(0), -ECONNREFUSED, false);
    rig_advance(200);
    rig_answer(rig_call(0), 503, "");
    rig_advance(400);
    rig_sign_in(USER, "s=1\n");
    end_ok(&ask);
}

/* ---- OAuth ---- */

#define TOKEN(text) "{\"access_token\":\"" text "\",\"expires_in\":3600,\"token_type\":\"Bearer\"}"

static void token(const char *body)
{
    assert_non_null(rig_call(0));
    assert_string_equal(rig.last_target, RIG_BASE "/Auth/connect/token");
    assert_contains(rig.last_headers, "Content-Type: application/x-www-form-urlencoded\r\n");
    assert_string_equal(rig.last_body, "client_id=6b1f0c52-aaaa-bbbb&client_secret=s%2Bcr%2Fet"
                                       "&grant_type=client_credentials");
    rig_answer(rig_call(0), 200, body);
}

static void bearer(const char *value)
{
    char headers[160];

    rig_call(0);
    (void)snprintf(headers, sizeof(headers), "Authorization: Bearer %s\r\nContent-Type: application/json\r\n",
                   value);
    assert_string_equal(rig.last_target, RIG_BASE "/Auth/SignAppIn");
    assert_contains(rig.last_headers, headers);
    rig_sign_in(NULL, "s=1\n");
}

TEST(oauth)
{
    static struct rig_ask ask;

    rig_init_oauth();
    rig_start();
    begin(&ask, "application:6b1f0c52-aaaa-bbbb");
    token(TOKEN("eyJ.e30.c2ln"));
    bearer("eyJ.e30.c2ln");
    end_ok(&ask);
    /* idle for ten minutes: session gone, token still good */
    rig_advance(rig.conf.session_idle_ms);
    rig_answer(rig_call(0), 200, "");
    begin(&ask, "application:6b1f0c52-aaaa-bbbb");
    bearer("eyJ.e30.c2ln");
    end_ok(&ask);
    rig_advance(MINUTES(60));
    rig_answer(rig_call(0), 200, "");
    begin(&ask, "application:6b1f0c52-aaaa-bbbb");
    token(TOKEN("second"));
    bearer("second");
    end_ok(&ask);
}

TEST(oauth_old_token_refused)
{
    static struct rig_ask ask;

    rig_init_oauth();
    rig_start();
    begin(&ask, "whoever");
    token(TOKEN("one"));
    bearer("one");
    end_ok(&ask);
    rig_advance(rig.conf.session_idle_ms);
    rig_answer(rig_call(0), 200, "");
    begin(&ask, "whoever");
    rig_answer(rig_call(0), 401, "");
    token(TOKEN("two"));
    rig_call(0);
    assert_contains(rig.last_headers, "Bearer two");
    rig_answer(rig_call(0), 401, "");
    rig_advance(0);
    assert_int_equal(ask.call.result, VAULT_REFUSED);
    assert_int_equal(rig_waiting(), 0);
    ask_free(&ask);
}

TEST(oauth_token_trouble)
{
    static const struct {
        const char *body;
        int status;
        enum vault_result result;
    } rows[] = {
        {"{\"error\":\"invalid_client\"}", 400, VAULT_REFUSED},
        {"", 401, VAULT_REFUSED},
        {"{}", 200, VAULT_FAILED},
        {"<html>", 200, VAULT_FAILED},
        {"<html>", 400, VAULT_FAILED},
        {"<html>", 401, VAULT_FAILED},
        {"<html>", 403, VAULT_FAILED},
        {TOKEN("a b\\r\\nX: y"), 200, VAULT_FAILED},
        {"", 500, VAULT_FAILED},
    };
    static struct rig_ask ask;

    rig.conf.retries = 0;
    rig_init_oauth();
    rig_start();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        case_label("%d %s", rows[i].status, rows[i].body);
        begin(&ask, "whoever");
        rig_answer(rig_call(0), rows[i].status, rows[i].body);
        rig_advance(0);
        assert_int_equal(ask.done, 1);
        assert_int_equal(ask.call.result, rows[i].result);
        assert_lacks(ask.call.fault.detail, "s+cr");
        ask_free(&ask);
        rig_advance(MINUTES(1));
    }
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, rig_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(key_bytes),
        T(key_is_renewed),
        T(bad_secret_is_not_taken),
        T(password_bytes),
        T(address_that_would_lie),
        T(cookie_forms),
        T(cookies_set_later),
        T(no_cookie_is_no_session),
        T(refusals_back_off),
        T(a_user_that_signs_in_again_is_not_forgotten),
        T(refusal_spares_other_users),
        T(second_factor),
        T(licence),
        T(lost_sign_ins_back_off),
        T(many_callers_make_few_sign_ins),
        T(many_users_share_the_vaults_budget),
        T(a_vault_that_works_is_asked_for_more),
        T(lost_sign_in_spares_other_users),
        T(page_at_the_sign_in),
        T(form_of_a_sign_in),
        T(lost_sign_in_is_tried_again),
        T(oauth),
        T(oauth_old_token_refused),
        T(oauth_token_trouble),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
