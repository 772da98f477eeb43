/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ps_rig.c - see the header.
 */
#include "ps_rig.h"

#include <stdio.h>

static char key_path[64], password_path[64], secret_path[64];

void rig_init(void)
{
    static const char *const never[] = {RIG_KEY, "winter", "cr/et", "9114", "Cookie", "sid=", "secret", NULL};

    rig_open(RIG_BASE, never);
    rig_file(key_path, RIG_KEY "\n");
    rig_file(password_path, "winter Sun 9\n");
    rig_file(secret_path, "s+cr/et\n");
    (void)snprintf(rig.conf.name, sizeof(rig.conf.name), "safe");
    rig.conf.url = (char *)(uintptr_t) "https://vault.example.test" RIG_BASE;
    rig.conf.api_key_file = key_path;
    rig.conf.session_idle_ms = MINUTES(10);
    rig.conf.sessions_per_user = 4;
    rig.conf.max_calls = 64;
    rig.conf.connections = 8;
    rig.conf.call_timeout_ms = SECONDS(10);
    rig.conf.retries = 2;
}

void rig_init_password(void)
{
    rig.conf.run_as_password_file = password_path;
}

void rig_init_oauth(void)
{
    rig.conf.api_key_file = NULL;
    rig.conf.oauth_client_id = (char *)(uintptr_t) "6b1f0c52-aaaa-bbbb";
    rig.conf.oauth_client_secret_file = secret_path;
}

void rig_start(void)
{
    char why[256] = "";

    rig.vault = password_safe_new(NULL, &rig.conf, why);
    if (!rig.vault)
        fail_msg("password_safe_new: %s", why);
    rig_advance(0);
}

int rig_teardown(void **state)
{
    (void)state;
    rig_end(password_safe_close, "/Auth/Signout");
    return 0;
}

void rig_sign_in(const char *user, const char *cookie)
{
    struct call *call = rig_call(0);
    char runas[600];

    assert_non_null(call);
    assert_contains(rig.last_target, "/Auth/SignApp");
    assert_lacks(rig.last_headers, "Cookie:");
    if (user) {
        (void)snprintf(runas, sizeof(runas), "runas=%s;", user);
        assert_contains(rig.last_headers, runas);
    }
    rig_reply(call, &(struct rig_answer){.status = 200, .body = "{\"UserId\":1}", .cookies = cookie});
}

/* ---- what the broker would do ---- */

int ask_list(struct rig_ask *ask, enum account_kind kind, const char *system)
{
    struct account_query query = {.kind = kind, .system = system};

    return rig.vault->ops->list(rig.vault, &query, &ask->call);
}

int ask_request(struct rig_ask *ask, const char *reason)
{
    struct checkout_want request = {.account_key = "l.17.203.0", .minutes = 60, .reason = reason};

    return rig.vault->ops->checkout(rig.vault, &request, &ask->call);
}

int ask_credential(struct rig_ask *ask)
{
    return rig.vault->ops->read_secret(rig.vault, &(struct request_ref){.key = "9114"}, CREDENTIAL_PASSWORD,
                                       &ask->call);
}

int ask_checkin(struct rig_ask *ask)
{
    return rig.vault->ops->checkin(rig.vault, &(struct request_ref){.key = "9114"}, "PRA session 7c1e ended",
                                   &ask->call);
}

void rig_start_signed_in(struct rig_ask *ask, const char *user)
{
    rig_start();
    ask_init(ask, user);
    assert_int_equal(ask_list(ask, KIND_LOCAL, "x"), 0);
    rig_sign_in(user, "s=1\n");
    rig_answer(rig_call(0), 200, "[]");
    assert_int_equal(ask->done, 1);
    ask_again(ask, user);
}
