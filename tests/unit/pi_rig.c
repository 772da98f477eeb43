/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pi_rig.c - see the header.
 */
#include "pi_rig.h"

#include "backends/privileged_identity/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct conf pi_conf;
struct conf_access pi_access_of[PI_NACCESSES];
char pi_account_key[PI_NACCESSES][ACCOUNT_KEY_SIZE];

static char password_path[64], profile_path[64];
static char *users[] = {(char *)(uintptr_t) "CORP\\ann"};
uint32_t pi_checkins_due;
static char *hosts[] = {(char *)(uintptr_t) "web1"};

#define TEXT(literal) ((char *)(uintptr_t)(literal))

static void access_init(struct conf_access *a, const char *name)
{
    (void)snprintf(a->name, sizeof(a->name), "%s", name);
    a->users = (struct conf_list){.item = users, .n = 1};
    a->hosts = (struct conf_list){.item = hosts, .n = 1};
}

static void conf_init(void)
{
    memset(&pi_conf, 0, sizeof(pi_conf));
    memset(pi_access_of, 0, sizeof(pi_access_of));
    access_init(&pi_access_of[PI_ADM1], "adm1");
    pi_access_of[PI_ADM1].shared_list = TEXT("Domain admins");
    pi_access_of[PI_ADM1].shared_system = TEXT("corp.test");
    pi_access_of[PI_ADM1].shared_account = TEXT("CORP\\adm1");
    access_init(&pi_access_of[PI_WEB1], "web1");
    pi_access_of[PI_WEB1].stored_system = TEXT("web1.corp.test");
    pi_access_of[PI_WEB1].stored_account = TEXT("root");
    pi_access_of[PI_WEB1].stored_type = 3;
    pi_access_of[PI_WEB1].stored_custom_type = TEXT("");
    pi_conf.vaults = &rig.conf;
    pi_conf.nvaults = 1;
    pi_conf.accesses = pi_access_of;
    pi_conf.naccesses = PI_NACCESSES;
    pi_conf.gateway.list_cache_ms = SECONDS(60);
}

void pi_rig_init(void)
{
    static const char *const never[] = {PI_PASS, PI_TOKEN_1, PI_TOKEN_2, "winter", "adm1", NULL};

    pi_checkins_due = 0;
    rig_open("/ERPMWebService/AuthService.svc", never);
    rig_file(password_path, "winter Sun 9\n");
    (void)snprintf(rig.conf.name, sizeof(rig.conf.name), "erpm");
    rig.conf.type = TEXT("privileged_identity");
    rig.conf.url = TEXT(RIG_URL);
    rig.conf.provisional = PROVISIONAL_GUESSED;
    rig.conf.base_path = TEXT("/ERPMWebService");
    rig.conf.profile = TEXT("json-v2");
    rig.conf.login_name = TEXT("svc-gateway");
    rig.conf.login_password_file = password_path;
    rig.conf.token_max_age_ms = MINUTES(10);
    rig.conf.session_idle_ms = MINUTES(5);
    rig.conf.repeat_checkout = true;
    rig.conf.settle_ms = SECONDS(30);
    rig.conf.sessions_per_user = 4;
    rig.conf.max_calls = 64;
    rig.conf.connections = 8;
    rig.conf.call_timeout_ms = SECONDS(10);
    rig.conf.retries = 2;
    conf_init();
}

void pi_rig_profile(const char *text)
{
    FILE *f;

    rig_file(profile_path, "");
    f = fopen(profile_path, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(chmod(profile_path, 0600), 0);
    rig.conf.profile_file = profile_path;
}

void pi_rig_keys(void)
{
    for (size_t i = 0; i < pi_conf.naccesses; i++)
        (void)snprintf(pi_account_key[i], ACCOUNT_KEY_SIZE, "%s",
                       pi_access_at(pi_of(rig.vault)->access, i)->key);
}

void pi_rig_start(void)
{
    char why[256] = "";

    rig.vault = privileged_identity_new(NULL, &pi_conf, &rig.conf, why);
    if (!rig.vault)
        fail_msg("privileged_identity_new: %s", why);
    pi_rig_keys();
    rig_advance(0);
}

int pi_rig_teardown(void **state)
{
    (void)state;
    rig_end(privileged_identity_close, "/DoLogout");
    return 0;
}

void pi_rig_reload(void)
{
    char why[256] = "";
    struct privileged_identity_next *next = privileged_identity_prepare(&pi_conf, &rig.conf, why);

    if (!next)
        fail_msg("privileged_identity_prepare: %s", why);
    privileged_identity_reload(rig.vault, next);
}

void pi_sign_in(const char *token)
{
    char body[256];
    struct call *call = rig_call(0);

    assert_non_null(call);
    assert_string_equal(rig.last_target, PI_LOGIN);
    assert_contains(rig.last_body, "\"Username\":\"svc-gateway\"");
    (void)snprintf(body, sizeof(body), "{\"OperationMessage\":\"%s\",\"OperationSucceeded\":true}", token);
    rig_answer(call, 200, body);
}

void pi_signed_out(const char *token)
{
    struct call *call = rig_call(0);

    assert_non_null(call);
    assert_string_equal(rig.last_target, PI_LOGOUT);
    assert_contains(rig.last_body, token);
    rig_answer(call, 200, "");
}

void pi_ask_init(struct rig_ask *ask)
{
    ask_init(ask, "svc-gateway");
}

int pi_checkout(struct rig_ask *ask, int which)
{
    const struct checkout_want want = {.account_key = pi_account_key[which],
                                       .minutes = 60,
                                       .reason = "to mend \"it\"",
                                       .lease_id = PI_LEASE};

    return rig.vault->ops->checkout(rig.vault, &want, &ask->call);
}

typedef int on_request(struct vault *, const struct request_ref *, struct vault_call *);

static int with_request(struct rig_ask *ask, int which, on_request *operate)
{
    char key[REQUEST_KEY_SIZE], *handle = NULL;
    int err = rig.vault->ops->identify(rig.vault, pi_account_key[which], key, &handle);
    struct request_ref ref = {
        .key = key, .handle = handle, .lease_id = PI_LEASE, .checkins = pi_checkins_due};

    if (!err)
        err = operate(rig.vault, &ref, &ask->call);
    free(handle);
    return err;
}

static int read_password(struct vault *v, const struct request_ref *ref, struct vault_call *call)
{
    return v->ops->read_secret(v, ref, CREDENTIAL_PASSWORD, call);
}

static int checkin(struct vault *v, const struct request_ref *ref, struct vault_call *call)
{
    return v->ops->checkin(v, ref, "session ended", call);
}

int pi_read(struct rig_ask *ask, int which)
{
    return with_request(ask, which, read_password);
}

int pi_checkin(struct rig_ask *ask, int which)
{
    return with_request(ask, which, checkin);
}

int pi_spin(struct rig_ask *ask, int which)
{
    return with_request(ask, which, rig.vault->ops->after_checkin);
}

static int entitled(struct rig_ask *ask, const char *user, const char *host, const char *key)
{
    const struct vault_session session = {
        .username = user, .domain = "CORP", .forms = &host, .nforms = host ? 1 : 0};

    return rig.vault->ops->entitled(rig.vault, &session, key, &ask->call);
}

int pi_entitled_all(struct rig_ask *ask, const char *user, const char *host)
{
    return entitled(ask, user, host, NULL);
}

int pi_entitled_to(struct rig_ask *ask, const char *user, const char *host, int which)
{
    return entitled(ask, user, host, pi_account_key[which]);
}

void pi_checked_out(struct rig_ask *ask, int which)
{
    pi_ask_init(ask);
    assert_int_equal(pi_checkout(ask, which), 0);
    pi_sign_in(PI_TOKEN_1);
    rig_answer(rig_call(0), 200, "{\"Password\":\"" PI_PASS "\"}");
    assert_int_equal(ask->done, 1);
    assert_int_equal(ask->call.result, VAULT_OK);
    ask_again(ask, "svc-gateway");
}
