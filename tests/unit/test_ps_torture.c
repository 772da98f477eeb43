/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_ps_torture.c - every wait, broken in every way, and a second wait after it in every way.
 *
 * Two users each walk list, request, credential, check-in, three at a time, against a small vault played
 * here. A clean run counts the HTTP calls; then each call k1 meets each fault, and after it each k2 too.
 * After every run:
 *   - each operation was answered exactly once, or never if it was cancelled;
 *   - no call ran over the session of another user;
 *   - where the vault made a request, its operation said OK, or unknown, or was cancelled (nobody loses a
 * request believing it was not made), and an operation that could be withdrawn made none;
 *   - closing leaves no call, deadline or byte behind (rig_teardown, and the sanitizer).
 */
#include "check.h"
#include "ps_rig.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum fault_kind {
    F_NONE,
    F_REFUSED,      /* no connection */
    F_LOST_DID,     /* done, answer lost */
    F_LOST_DID_NOT, /* sent, not done */
    F_TIMEOUT_DID,
    F_401, /* a proxy may have answered, so it may be done */
    F_403,
    F_500_DID,
    F_503,
    F_GARBAGE_DID,
    F_CANCEL, /* the operation this call serves is cancelled before the answer */
    F_CANCEL_ALL,
    F_WITHDRAW, /* all that are still unsent are taken back */
    F_CLOSE,
    F_NKINDS
};

/* The fault of a call, as a failure prints it. */
static const char *const fault_names[F_NKINDS] = {
    [F_NONE] = "unharmed",
    [F_REFUSED] = "without a connection",
    [F_LOST_DID] = "done, its answer cut",
    [F_LOST_DID_NOT] = "cut before the vault acted",
    [F_TIMEOUT_DID] = "done, and timed out",
    [F_401] = "answered with 401",
    [F_403] = "answered with 403",
    [F_500_DID] = "done, and answered with 500",
    [F_503] = "answered with 503",
    [F_GARBAGE_DID] = "done, and answered with garbage",
    [F_CANCEL] = "cancelled",
    [F_CANCEL_ALL] = "cancelled with all others",
    [F_WITHDRAW] = "sent while all unsent ones are withdrawn",
    [F_CLOSE] = "under way when the vault is closed",
};

#define WALKERS 6

struct walker {
    struct rig_ask ask; /* first */
    char user[16], reason[32];
    int step;
    bool running, cancelled, withdrawn, over;
    bool made, told; /* the vault made a request in this operation; its operation knows or doubts it */
};

static struct walker walkers[WALKERS];
static unsigned sessions_made, http_calls;
static bool vault_closed;

static void walk(struct walker *);

static void on_step(struct rig_ask *ask)
{
    struct walker *w = (struct walker *)(void *)ask;
    enum vault_result result = ask->call.result;

    w->running = false;
    if (w->made)
        w->told = result == VAULT_OK || ask->call.unknown;
    assert_true(result == VAULT_OK || ask->call.fault.code != FAULT_NONE);
    assert_true(!ask->call.unknown || result == VAULT_FAILED ||
                (result == VAULT_OK && ask->call.origin == CHECKOUT_REUSED));
    if (w->made)
        assert_true(w->told);
    vault_call_free(&ask->call);
    w->step = result == VAULT_OK ? w->step + 1 : 4;
    walk(w);
}

static void walk(struct walker *w)
{
    int err = 0;

    w->made = false;
    if (w->step >= 4 || vault_closed) {
        w->over = true;
        return;
    }
    ask_init(&w->ask, w->user);
    w->ask.then = on_step;
    switch (w->step) {
    case 0: err = ask_list(&w->ask, KIND_LOCAL, w->user); break;
    case 1: err = ask_request(&w->ask, w->reason); break;
    case 2: err = ask_credential(&w->ask); break;
    default: err = ask_checkin(&w->ask); break;
    }
    w->running = !err;
    w->over = err != 0;
}

/* ---- the vault ---- */

/* Who asks? Cookies are u<user>-<n>. */
static const char *cookie_user(void)
{
    static char user[16];
    const char *cookie = strstr(rig.last_headers, "Cookie: sid=");

    assert_non_null(cookie);
    assert_int_equal(sscanf(cookie, "Cookie: sid=%15[a-z]", user), 1);
    return user;
}

/* The reason names the maker of the request. */
static void make_request(void)
{
    for (size_t i = 0; i < WALKERS; i++)
        if (strstr(rig.last_body, walkers[i].reason))
            walkers[i].made = true;
}

static void play(struct call *call, bool answer, int err)
{
    char cookie[64], user[16] = "";
    const char *runas = strstr(rig.last_headers, "runas=");
    struct rig_answer a = {.status = 200, .body = "[]"};

    if (strstr(rig.last_target, "/Auth/SignAppin")) {
        assert_int_equal(sscanf(runas, "runas=%15[a-z]", user), 1);
        (void)snprintf(cookie, sizeof(cookie), "sid=%s%u\n", user, ++sessions_made);
        a.body = "{}";
        a.cookies = cookie;
    } else if (strstr(rig.last_target, "/Credentials/")) {
        a.body = "\"secret\"";
    } else if (strstr(rig.last_target, "/Checkin")) {
        a.status = 204;
        a.body = NULL;
    } else if (strstr(rig.last_target, "/Requests")) {
        assert_contains(rig.last_body, cookie_user());
        a.status = 201;
        a.body = "9114";
    } else if (strstr(rig.last_target, "/ManagedAccounts")) {
        assert_contains(rig.last_target, cookie_user());
    }
    if (answer)
        rig_reply(call, &a);
    else
        rig_fail(call, err, true);
}

static void cancel_one(struct walker *w)
{
    rig.vault->ops->cancel(rig.vault, &w->ask.call);
    w->cancelled = w->cancelled || w->running;
    w->running = false;
    w->over = true;
}

static void cancel_some(bool all)
{
    for (size_t i = 0; i < WALKERS; i++) {
        if (!walkers[i].running)
            continue;
        cancel_one(&walkers[i]);
        if (!all)
            return;
    }
}

static void withdraw_all(void)
{
    rig.in_line = true; /* what waits here has not been seen by the vault */
    for (size_t i = 0; i < WALKERS; i++) {
        struct walker *w = &walkers[i];
        if (!w->running || !rig.vault->ops->withdraw(rig.vault, &w->ask.call))
            continue;
        w->running = false;
        w->withdrawn = w->over = true;
    }
    rig.in_line = false;
}

static void on_closed(void *arg)
{
    *(bool *)arg = true;
}

static bool commits(enum fault_kind kind)
{
    return kind == F_NONE || kind == F_LOST_DID || kind == F_TIMEOUT_DID || kind == F_500_DID ||
           kind == F_GARBAGE_DID || kind == F_401;
}

/* What is under way may all have happened. */
static void commit_all(void)
{
    for (size_t i = 0; rig_call(i); i++)
        if (!strcmp(rig.last_method, "POST") && strstr(rig.last_target, "/Requests"))
            make_request();
}

static void meet(struct call *call, enum fault_kind kind)
{
    bool request = strstr(rig.last_target, "/Requests") && !strstr(rig.last_target, "/Checkin");

    if (request && commits(kind))
        make_request();
    switch (kind) {
    case F_NONE: play(call, true, 0); break;
    case F_REFUSED: rig_fail(call, -ECONNREFUSED, false); break;
    case F_LOST_DID:
    case F_LOST_DID_NOT: rig_fail(call, -ECONNRESET, true); break;
    case F_TIMEOUT_DID: rig_fail(call, -ETIMEDOUT, true); break;
    case F_401: rig_answer(call, 401, "\"User not authenticated\""); break;
    case F_403: rig_answer(call, 403, "4031"); break;
    case F_500_DID: rig_answer(call, 500, "<html>"); break;
    case F_503: rig_answer(call, 503, ""); break;
    case F_GARBAGE_DID: rig_answer(call, 200, "<html>\x01"); break;
    case F_CANCEL: cancel_some(false); break;
    case F_CANCEL_ALL: cancel_some(true); break;
    case F_WITHDRAW: withdraw_all(); break;
    case F_CLOSE:
    case F_NKINDS:
        vault_closed = true;
        commit_all();
        password_safe_close(rig.vault, on_closed, &rig.closed);
        break;
    }
}

static bool all_over(void)
{
    for (size_t i = 0; i < WALKERS; i++)
        if (!walkers[i].over)
            return false;
    return true;
}

static void finish_closed(void)
{
    while (rig_waiting()) {
        struct call *call = rig_call(0);

        assert_contains(rig.last_target, "/Auth/Signout");
        rig_answer(call, 200, "");
    }
    rig_advance(0);
    assert_non_null(rig.closing);
    rig.closing(rig.closing_arg);
    assert_true(rig.closed);
    rig.vault = NULL;
}

static void run(unsigned k1, enum fault_kind f1, unsigned k2, enum fault_kind f2)
{
    case_label("call %u %s, call %u %s", k1, fault_names[f1], k2, fault_names[f2]);
    rig_init();
    rig.conf.sessions_per_user = 2;
    rig_start();
    memset(walkers, 0, sizeof(walkers));
    vault_closed = false;
    http_calls = sessions_made = 0;
    for (size_t i = 0; i < WALKERS; i++) {
        (void)snprintf(walkers[i].user, sizeof(walkers[i].user), "%s", i % 2 ? "anna" : "bert");
        (void)snprintf(walkers[i].reason, sizeof(walkers[i].reason), "%s-%zu", i % 2 ? "anna" : "bert", i);
        walk(&walkers[i]);
    }
    for (int turn = 0; turn < 1000 && !all_over() && !vault_closed; turn++) {
        struct call *call = rig_call(turn % 3 ? 0 : rig_waiting() - (rig_waiting() ? 1 : 0));

        if (!call) {
            rig_advance(100);
            continue;
        }
        http_calls++;
        meet(call, http_calls == k1 ? f1 : http_calls == k2 ? f2 : F_NONE);
        rig_advance(0);
    }
    if (vault_closed)
        finish_closed();
    assert_true(all_over());
    for (size_t i = 0; i < WALKERS; i++)
        assert_false(walkers[i].running || (walkers[i].withdrawn && walkers[i].made));
    rig_teardown(NULL);
}

TEST(every_wait_in_every_way)
{
    unsigned waits;

    run(0, F_NONE, 0, F_NONE);
    waits = http_calls;
    assert_true(waits >= WALKERS * 4 + 2);
    for (unsigned k1 = 1; k1 <= waits; k1++)
        for (int f1 = F_REFUSED; f1 < F_NKINDS; f1++)
            run(k1, (enum fault_kind)f1, 0, F_NONE);
}

TEST(two_faults)
{
    unsigned waits;

    run(0, F_NONE, 0, F_NONE);
    waits = http_calls;
    for (unsigned k1 = 1; k1 <= waits; k1++)
        for (int f1 = F_REFUSED; f1 < F_NKINDS; f1++)
            for (unsigned k2 = k1 + 1; k2 <= k1 + 6; k2++)
                for (int f2 = F_REFUSED; f2 < F_NKINDS; f2++)
                    run(k1, (enum fault_kind)f1, k2, (enum fault_kind)f2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_wait_in_every_way),
        cmocka_unit_test(two_faults),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
