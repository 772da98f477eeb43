/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_ps_sessions.c - users, their sessions, who waits for one, and what a 401 does.
 */
#include "check.h"
#include "ps_rig.h"

#include <errno.h>
#include <stdio.h>

#define USER  "ACME\\mrivera"
#define OTHER "ACME\\tkoh"

static struct rig_ask asks[32];

static int setup(void **state)
{
    (void)state;
    rig_init();
    return 0;
}

static void begin(size_t i, const char *user)
{
    ask_init(&asks[i], user);
    assert_int_equal(ask_list(&asks[i], KIND_LOCAL, "ledger01"), 0);
}

/* The first waiting call must be a list over this cookie; answers it. */
static void serve(const char *cookie)
{
    char header[64];

    assert_non_null(rig_call(0));
    (void)snprintf(header, sizeof(header), "Cookie: %s\r\n", cookie);
    assert_contains(rig.last_target, "/ManagedAccounts");
    assert_contains(rig.last_headers, header);
    assert_lacks(rig.last_headers, "Authorization");
    rig_answer(rig_call(0), 200, "[]");
}

static void expect_ok(size_t i)
{
    assert_int_equal(asks[i].done, 1);
    assert_int_equal(asks[i].call.result, VAULT_OK);
    ask_free(&asks[i]);
}

/* Answers a list over the session, and the next call then shows the jar. */
static void jar_after(const char *set, const char *sent)
{
    begin(0, USER);
    rig_reply(rig_call(0), &(struct rig_answer){.status = 200, .body = "[]", .cookies = set});
    expect_ok(0);
    begin(0, USER);
    assert_non_null(rig_call(0));
    if (sent)
        assert_contains(rig.last_headers, sent);
    else
        assert_lacks(rig.last_headers, "Cookie");
    rig_answer(rig_call(0), 200, "[]");
    expect_ok(0);
}

TEST(cookies_taken_back_are_not_sent)
{
    rig_start();
    begin(0, USER);
    rig_sign_in(USER, "s=1; path=/\ng=0; Max-Age=0\nb=2; expires=Fri, 31-Dec-9999 23:59:59 GMT\n");
    assert_non_null(rig_call(0));
    assert_contains(rig.last_headers, "Cookie: s=1; b=2\r\n");
    rig_answer(rig_call(0), 200, "[]");
    expect_ok(0);
    jar_after("\001x=7\n", "Cookie: s=1; b=2\r\n"); /* no cookie has such a letter */
    jar_after("c=3\n", "Cookie: s=1; b=2; c=3\r\n");
    jar_after("c=; Max-Age=0; path=/\n", "Cookie: s=1; b=2\r\n");
    jar_after(
        "b=; expires=Tue, 12-Oct-1999 07:00:00 GMT; path=/\nd=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT\n",
        "Cookie: s=1\r\n");
    jar_after("s=4; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=60\n",
              "Cookie: s=4\r\n"); /* Max-Age counts */
    jar_after("s=5; Max-Age=soon; Expires=never\n", "Cookie: s=5\r\n");
    jar_after("s=; max-age=-1\ns=6\n", "Cookie: s=6\r\n"); /* the last one counts */
    jar_after("s=7\ns=; Max-Age = 00\n", NULL);
    jar_after("s=8\n", "Cookie: s=8\r\n");
}

TEST(one_sign_in_for_many)
{
    rig.conf.sessions_per_user = 1;
    rig_start();
    for (size_t i = 0; i < 10; i++)
        begin(i, USER);
    assert_int_equal(rig_waiting(), 1);
    rig_sign_in(USER, "s=1\n");
    for (size_t i = 0; i < 10; i++) {
        assert_int_equal(rig_waiting(), 1); /* one session serves one call at a time */
        serve("s=1");
        expect_ok(i); /* in order */
    }
    assert_int_equal(rig.total, 11);
}

TEST(sessions_grow_to_the_limit)
{
    struct vault_state vs;

    rig.conf.sessions_per_user = 3;
    rig_start();
    for (size_t i = 0; i < 10; i++)
        begin(i, USER);
    rig_sign_in(USER, "s=1\n"); /* one is served, the next sign-in starts */
    assert_int_equal(rig_waiting(), 2);
    rig_answer(rig_call(0), 200, "[]"); /* s=1 goes to the next call */
    rig_sign_in(USER, "s=2\n");
    assert_int_equal(rig_waiting(), 3);
    rig.vault->ops->state(rig.vault, &vs);
    assert_int_equal(vs.sessions, 2);
    assert_int_equal(vs.users, 1);
    for (int i = 0; i < 3; i++)
        if (strstr((rig_call((size_t)i), rig.last_target), "SignAppin"))
            rig_reply(rig_call((size_t)i), &(struct rig_answer){200, "{}", "s=3\n", NULL, NULL, NULL, NULL});
    assert_int_equal(rig_waiting(), 3);
    while (rig_waiting())
        rig_answer(rig_call(0), 200, "[]");
    for (size_t i = 0; i < 10; i++)
        expect_ok(i);
    assert_int_equal(rig.total, 13); /* ten lists, three sign-ins */
}

TEST(people_first)
{
    rig.conf.sessions_per_user = 1;
    rig_start();
    for (size_t i = 0; i < 4; i++) {
        ask_init(&asks[i], USER);
        asks[i].call.background = i < 2;
        assert_int_equal(ask_list(&asks[i], KIND_LOCAL, "x"), 0);
    }
    rig_sign_in(USER, "s=1\n");
    for (size_t i = 0; i < 4; i++) {
        (void)rig_call(0);
        assert_int_equal(rig.last_background, i >= 2);
        serve("s=1");
        expect_ok((i + 2) % 4);
    }
}

TEST(users_never_share)
{
    rig_start();
    begin(0, USER);
    begin(1, OTHER);
    assert_int_equal(rig_waiting(), 2);
    rig_sign_in(USER, "s=one\n");
    rig_sign_in(OTHER, "s=two\n");
    serve("s=one");
    serve("s=two");
    for (size_t i = 0; i < 6; i++) {
        expect_ok(i % 2);
        begin(i % 2, i % 2 ? OTHER : USER);
        serve(i % 2 ? "s=two" : "s=one");
    }
    expect_ok(0);
    expect_ok(1);
    assert_int_equal(rig.total, 10);
}

/* The vault compares names without ASCII case: one person, one session, and the name as it came first. */
TEST(every_spelling_is_one_user)
{
    static const char *const spellings[] = {"acme\\MRIVERA", "ACME\\Mrivera", "Acme\\mriverA"};

    rig.conf.sessions_per_user = 1;
    rig_start();
    begin(0, USER);
    for (size_t i = 0; i < 3; i++)
        begin(i + 1, spellings[i]);
    assert_int_equal(rig_waiting(), 1);
    rig_sign_in(USER, "s=one\n");
    for (size_t i = 0; i < 4; i++) {
        serve("s=one");
        expect_ok(i);
    }
    begin(0, "ACME\\mriver\xc3\x81"); /* beyond ASCII a name is exactly what it is */
    rig_sign_in("ACME\\mriver\xc3\x81", "s=two\n");
    begin(1, "ACME\\mriver\xc3\xa1");
    serve("s=two");
    rig_sign_in("ACME\\mriver\xc3\xa1", "s=three\n");
    serve("s=three");
    expect_ok(0);
    expect_ok(1);
}

TEST(no_spelling_evades_a_refusal)
{
    char name[] = USER;

    rig_start();
    begin(0, USER);
    rig_answer(rig_call(0), 401, "");
    rig_advance(0);
    assert_int_equal(asks[0].call.result, VAULT_REFUSED);
    for (size_t i = 0; name[i]; i++) {
        if (name[i] == '\\')
            continue;
        name[i] ^= 0x20;
        begin(1, name);
        rig_advance(0);
        assert_int_equal(asks[1].done, 1);
        assert_int_equal(asks[1].call.result, VAULT_REFUSED);
        ask_free(&asks[1]);
    }
    assert_int_equal(rig.total, 1);
}

TEST(refusal_fails_all_waiting)
{
    rig_start();
    for (size_t i = 0; i < 5; i++)
        begin(i, USER);
    rig_answer(rig_call(0), 401, "");
    rig_advance(0);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(asks[i].done, 1);
        assert_int_equal(asks[i].call.result, VAULT_REFUSED);
    }
    assert_int_equal(rig.total, 1);
}

/* A further session that is refused or lost leaves the calls to the session there is. */
TEST(extra_session_not_needed)
{
    rig_start();
    begin(0, USER);
    begin(1, USER);
    begin(2, USER);
    rig_sign_in(USER, "s=1\n");
    rig_call(1);
    assert_contains(rig.last_target, "SignAppin");
    rig_fail(rig_call(1), -ECONNREFUSED, false);
    assert_int_equal(rig_waiting(), 1); /* no storm of sign-ins */
    serve("s=1");
    serve("s=1");
    serve("s=1");
    for (size_t i = 0; i < 3; i++)
        expect_ok(i);
}

static void session_with(const char *cookie)
{
    begin(31, USER);
    rig_sign_in(USER, cookie);
    rig_answer(rig_call(0), 200, "[]");
    expect_ok(31);
}

TEST(lost_session_replays_once)
{
    rig_start();
    session_with("s=1\n");
    begin(0, USER);
    rig_answer(rig_call(0), 401, "\"User not authenticated\"");
    assert_int_equal(asks[0].done, 0);
    rig_sign_in(USER, "s=2\n");
    serve("s=2"); /* without Authorization: the session had worked before */
    expect_ok(0);
    begin(0, USER);
    serve("s=2");
    expect_ok(0);
}

TEST(a_replay_keeps_its_place)
{
    rig.conf.sessions_per_user = 1;
    rig_start();
    session_with("s=1\n");
    begin(0, USER);
    begin(1, USER);
    rig_answer(rig_call(0), 401, "");
    rig_sign_in(USER, "s=2\n");
    serve("s=2");
    expect_ok(0);
    assert_int_equal(asks[1].done, 0);
    serve("s=2");
    expect_ok(1);
}

TEST(second_401_is_final)
{
    rig_start();
    session_with("s=1\n");
    begin(0, USER);
    rig_answer(rig_call(0), 401, "");
    rig_sign_in(USER, "s=2\n");
    rig_answer(rig_call(0), 401, "");
    assert_int_equal(asks[0].done, 1);
    assert_int_equal(asks[0].call.result, VAULT_FAILED);
    assert_int_equal(asks[0].call.fault.code, FAULT_VAULT_REFUSED_USER);
    assert_int_equal(rig_waiting(), 0);
}

/* All sessions are lost together: the replay must not go to another dead one. */
TEST(idle_sessions_go_with_the_lost_one)
{
    rig_start();
    begin(0, USER);
    begin(1, USER);
    rig_sign_in(USER, "s=1\n");
    rig_reply(rig_call(1), &(struct rig_answer){200, "{}", "s=2\n", NULL, NULL, NULL, NULL});
    rig_answer(rig_call(0), 200, "[]");
    rig_answer(rig_call(0), 200, "[]");
    expect_ok(0);
    expect_ok(1);
    begin(0, USER);
    rig_answer(rig_call(0), 401, "");
    assert_int_equal(rig_waiting(), 2);
    rig_call(0);
    assert_contains(rig.last_target, "/Auth/Signout");
    rig_answer(rig_call(0), 401, "");
    rig_sign_in(USER, "s=3\n");
    serve("s=3");
    expect_ok(0);
}

/* Answers all that waits. The lists must go over a session that is newer than the lost ones, s=1 and s=2. */
static void serve_on_new_sessions(void)
{
    while (rig_waiting()) {
        struct call *call = rig_call(0);
        if (strstr(rig.last_target, "/SignAppin")) {
            rig_reply(call, &(struct rig_answer){200, "{}", "s=3\n", NULL, NULL, NULL, NULL});
        } else if (strstr(rig.last_target, "/Signout")) {
            assert_lacks(rig.last_headers, "s=3");
            rig_answer(call, 401, "");
        } else {
            assert_contains(rig.last_headers, "Cookie: s=3\r\n");
            rig_answer(call, 200, "[]");
        }
    }
}

/* A busy one may be as dead, and only its next call would tell: after its call it is signed out. */
TEST(busy_sessions_go_with_the_lost_one)
{
    static const struct {
        int status;
        const char *body;
    } answers[] = {{500, "<html>"}, {200, "[]"}, {401, ""}};

    for (size_t i = 0; i < 3; i++) {
        rig_start();
        begin(0, USER);
        begin(1, USER);
        rig_sign_in(USER, "s=1\n");
        rig_reply(rig_call(1), &(struct rig_answer){200, "{}", "s=2\n", NULL, NULL, NULL, NULL});
        rig_answer(rig_call(0), 200, "[]");
        rig_answer(rig_call(0), 200, "[]");
        expect_ok(0);
        expect_ok(1);
        begin(0, USER);
        begin(1, USER);
        rig_answer(rig_call(0), 401, "");
        rig_answer(rig_call(0), answers[i].status, answers[i].body); /* the other one */
        serve_on_new_sessions();
        rig_advance(1000); /* after a 500 it is tried again */
        serve_on_new_sessions();
        expect_ok(0);
        expect_ok(1);
        assert_int_equal(rig_teardown(NULL), 0);
        rig_init();
    }
    rig_start();
}

TEST(replay_then_refused)
{
    rig_start();
    session_with("s=1\n");
    begin(0, USER);
    rig_answer(rig_call(0), 401, "");
    rig_answer(rig_call(0), 401, ""); /* the sign-in */
    rig_advance(0);
    assert_int_equal(asks[0].call.result, VAULT_REFUSED);
    assert_int_equal(asks[0].done, 1);
}

/* A vault that wants the header with every call: found out on a fresh session, and remembered. */
TEST(header_with_every_call)
{
    rig_start();
    begin(0, USER);
    rig_sign_in(USER, "s=1\n");
    rig_call(0);
    assert_lacks(rig.last_headers, "Authorization");
    rig_answer(rig_call(0), 401, "");
    rig_sign_in(USER, "s=2\n");
    rig_call(0);
    assert_contains(rig.last_headers, "Authorization: PS-Auth key=" RIG_KEY "; runas=ACME\\mrivera;\r\n");
    assert_contains(rig.last_headers, "Cookie: s=2\r\n");
    rig_answer(rig_call(0), 200, "[]");
    expect_ok(0);
    begin(1, OTHER);
    rig_sign_in(OTHER, "s=3\n");
    rig_call(0);
    assert_contains(rig.last_headers, "Authorization: PS-Auth key=" RIG_KEY "; runas=ACME\\tkoh;\r\n");
    rig_answer(rig_call(0), 200, "[]");
    expect_ok(1);
}

TEST(header_does_not_help)
{
    rig_start();
    begin(0, USER);
    rig_sign_in(USER, "s=1\n");
    rig_answer(rig_call(0), 401, "");
    rig_sign_in(USER, "s=2\n");
    rig_answer(rig_call(0), 401, "");
    assert_int_equal(asks[0].call.result, VAULT_FAILED);
    begin(0, USER);
    rig_sign_in(USER, "s=3\n");
    serve("s=3"); /* not remembered */
    expect_ok(0);
}

TEST(idle_sessions_are_signed_out)
{
    struct vault_state vs;

    rig_start();
    session_with("s=1\n");
    rig_advance(rig.conf.session_idle_ms - 1);
    assert_int_equal(rig_waiting(), 0);
    begin(0, USER);
    serve("s=1");
    expect_ok(0);
    rig_advance(rig.conf.session_idle_ms - 1);
    assert_int_equal(rig_waiting(), 0);
    rig_advance(1);
    assert_int_equal(rig_waiting(), 1);
    rig_call(0);
    assert_string_equal(rig.last_method, "POST");
    assert_string_equal(rig.last_target, RIG_BASE "/Auth/Signout");
    assert_string_equal(rig.last_headers, "Accept: application/json\r\nCookie: s=1\r\n");
    assert_true(rig.last_background);
    rig_answer(rig_call(0), 500, "");
    rig.vault->ops->state(rig.vault, &vs);
    assert_int_equal(vs.sessions, 0);
    assert_int_equal(vs.users, 0);
}

TEST(refused_users_are_forgotten)
{
    struct vault_state vs;
    char user[16];

    rig_start();
    for (size_t i = 0; i < 30; i++) {
        (void)snprintf(user, sizeof(user), "u%zu", i);
        begin(i, user);
        rig_answer(rig_call(0), 401, "");
        rig_advance(0);
        assert_int_equal(asks[i].call.result, VAULT_REFUSED);
    }
    rig.vault->ops->state(rig.vault, &vs);
    assert_int_equal(vs.users, 30);
    rig_advance(MINUTES(1));
    rig.vault->ops->state(rig.vault, &vs);
    assert_int_equal(vs.users, 0);
}

TEST(nothing_after_close)
{
    rig_start();
    session_with("s=1\n");
    begin(0, USER);
    begin(1, OTHER);
    assert_int_equal(rig_waiting(), 2);
    assert_int_equal(rig_teardown(NULL), 0); /* asserts on the sign-outs */
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(asks[i].done, 1);
        assert_int_equal(asks[i].call.result, VAULT_FAILED);
        assert_int_equal(asks[i].call.fault.code, FAULT_DRAINING);
    }
    assert_int_equal(rig.total, 5); /* sign-in, list, list, sign-in, and the one sign-out */
    rig_init();
}

TEST(a_sign_in_outlives_its_call)
{
    rig_start();
    begin(0, USER);
    rig.vault->ops->cancel(rig.vault, &asks[0].call);
    rig_sign_in(USER, "s=1\n");
    assert_int_equal(rig_waiting(), 0);
    begin(0, USER);
    serve("s=1");
    expect_ok(0);
}

/* What loop/upstream keeps connections apart by: one number from the sign-in to the sign-out of a vault user.
 */
TEST(each_user_owns_his_calls)
{
    uint64_t owner[2];

    rig_start();
    for (size_t i = 0; i < 2; i++) {
        const char *user = i ? OTHER : USER, *cookie = i ? "s=2" : "s=1", *set = i ? "s=2\n" : "s=1\n";
        begin(i, user);
        owner[i] = rig_call(0)->owner;
        rig_sign_in(user, set);
        assert_int_equal(rig_call(0)->owner, owner[i]);
        serve(cookie);
        expect_ok(i);
    }
    assert_int_not_equal(owner[0], 0); /* the probe's */
    assert_int_not_equal(owner[0], owner[1]);
    begin(0, USER);
    assert_int_equal(rig_call(0)->owner, owner[0]);
    serve("s=1");
    expect_ok(0);
    rig_advance(rig.conf.session_idle_ms);
    for (size_t i = 0; i < 2; i++) { /* the one of OTHER has been idle longer */
        uint64_t expected = owner[1 - i];
        assert_contains(rig_call(0)->target, "/Auth/Signout");
        assert_int_equal(rig_call(0)->owner, expected);
        rig_answer(rig_call(0), 200, "");
    }
    begin(0, USER); /* a user who comes again is another: the connections of before are of another owner */
    assert_true(rig_call(0)->owner > owner[1]);
    rig_sign_in(USER, "s=3\n");
    serve("s=3");
    expect_ok(0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, rig_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(cookies_taken_back_are_not_sent),
        T(one_sign_in_for_many),
        T(sessions_grow_to_the_limit),
        T(people_first),
        T(users_never_share),
        T(every_spelling_is_one_user),
        T(no_spelling_evades_a_refusal),
        T(refusal_fails_all_waiting),
        T(extra_session_not_needed),
        T(lost_session_replays_once),
        T(a_replay_keeps_its_place),
        T(second_401_is_final),
        T(idle_sessions_go_with_the_lost_one),
        T(busy_sessions_go_with_the_lost_one),
        T(replay_then_refused),
        T(header_with_every_call),
        T(header_does_not_help),
        T(idle_sessions_are_signed_out),
        T(refused_users_are_forgotten),
        T(nothing_after_close),
        T(a_sign_in_outlives_its_call),
        T(each_user_owns_his_calls),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
