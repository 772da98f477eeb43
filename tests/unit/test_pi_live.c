/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_pi_live.c - the backend on the real loop and upstream against pi-sim, on loopback, once for each value
 * of each knob.
 *
 * The simulator is written from the facts about the product, not from this backend: here the two meet. In
 * each run credentials are checked out, read again and given back, and refusals are met. Whatever the knob:
 * at the end nothing of the gateway's is checked out, nothing of a person's was touched, and the simulator
 * has counted nothing against the client.
 */
#include "check.h"
#include "live_sim.h"

#include "backends/privileged_identity/internal.h"
#include "base/log.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#define PASSWORD      "Wheel+of/fortune=9"
#define PATIENCE      20000
#define TEXT(literal) ((char *)(uintptr_t)(literal))

enum { ADM1, ADM2, WEB01, NOSUCH, NACCESSES };

struct live {
    struct live_sim sim;
    struct loop *loop;
    struct conf conf;
    struct conf_vault vault_conf;
    struct conf_access access[NACCESSES];
    struct vault *vault;
    struct deadline patience;
    struct vault_call call;
    bool closed;
    char url[128], password_path[64], profile_path[64];
};

static struct live live;
static char *users[] = {TEXT("ann")};
static char *hosts[] = {TEXT("*")};

/* ---- loop and vault ---- */

static void on_patience(struct deadline *d)
{
    (void)d;
    fprintf(stderr, "the simulator did not answer in %d ms\n", PATIENCE);
    abort();
}

static void conf_init(void)
{
    static const char *const shared[] = {[ADM1] = "adm1", [ADM2] = "adm2", [NOSUCH] = "nosuch"};
    struct conf_vault *v = &live.vault_conf;

    for (int i = 0; i < NACCESSES; i++) {
        struct conf_access *a = &live.access[i];

        (void)snprintf(a->name, sizeof(a->name), "a%d", i);
        a->users = (struct conf_list){.item = users, .n = 1};
        a->hosts = (struct conf_list){.item = hosts, .n = 1};
        if (i == WEB01) {
            a->stored_system = TEXT("web01");
            a->stored_account = TEXT("Administrator");
            a->stored_type = 1;
            continue;
        }
        a->shared_list = TEXT("Domain admins");
        a->shared_system = TEXT("corp.test");
        a->shared_account = TEXT(shared[i]);
    }
    (void)snprintf(v->name, sizeof(v->name), "erpm");
    v->type = TEXT("privileged_identity");
    v->url = live.url;
    v->base_path = TEXT("/ERPMWebService");
    v->profile = TEXT("json-v2");
    v->login_name = TEXT("svc-gateway");
    v->login_password_file = live.password_path;
    v->provisional = PROVISIONAL_GUESSED;
    v->repeat_checkout = true;
    v->token_max_age_ms = MINUTES(10);
    v->session_idle_ms = MINUTES(5);
    v->sessions_per_user = 4;
    v->max_calls = 64;
    v->connections = 8;
    v->connect_timeout_ms = v->call_timeout_ms = SECONDS(10);
    v->connection_idle_ms = MINUTES(1);
    v->max_answer = 1 << 16;
    live.conf.vaults = v;
    live.conf.nvaults = 1;
    live.conf.accesses = live.access;
    live.conf.naccesses = NACCESSES;
}

/* The simulator with its arguments, and a file of rows where there is one. */
static void start(const char *const *args, const char *rows)
{
    char why[256] = "";

    memset(&live, 0, sizeof(live));
    live_sim_start(&live.sim, SIMULATOR, args);
    (void)snprintf(live.url, sizeof(live.url), "http://%s", live.sim.api);
    live_sim_file(live.password_path, PASSWORD);
    conf_init();
    if (rows) {
        live_sim_file(live.profile_path, rows);
        live.vault_conf.profile_file = live.profile_path;
    }
    live.loop = loop_new();
    assert_non_null(live.loop);
    live.vault = privileged_identity_new(live.loop, &live.conf, &live.vault_conf, why);
    if (!live.vault)
        fail_msg("privileged_identity_new: %s", why);
}

static void on_closed(void *arg)
{
    live.closed = true;
    loop_stop(arg);
}

static void close_vault(void)
{
    vault_call_free(&live.call);
    privileged_identity_close(live.vault, on_closed, live.loop);
    while (!live.closed)
        (void)loop_run(live.loop);
    assert_int_equal(loop_free(live.loop), 0);
}

static void stop(void)
{
    live_sim_stop(&live.sim);
    (void)unlink(live.password_path);
    if (*live.profile_path)
        (void)unlink(live.profile_path);
}

/* ---- operations ---- */

static void on_done(struct vault_call *call)
{
    (void)call;
    timer_stop(loop_timers(live.loop), &live.patience);
    loop_stop(live.loop);
}

static struct vault_call *ready(void)
{
    vault_call_free(&live.call);
    live.call = (struct vault_call){.timeout_ms = SECONDS(10), .done = on_done};
    return &live.call;
}

static enum vault_result finish(int err)
{
    assert_int_equal(err, 0);
    assert_int_equal(timer_start(loop_timers(live.loop), &live.patience, PATIENCE, on_patience), 0);
    (void)loop_run(live.loop);
    return live.call.result;
}

static const char *key_of(int which)
{
    return pi_access_at(pi_of(live.vault)->access, (size_t)which)->key;
}

/* Of what is held, as the broker counts them. */
static uint32_t checkouts;

static enum vault_result check_out(int which)
{
    checkouts = 1;
    const struct checkout_want want = {
        .account_key = key_of(which), .reason = "CHG-1 \"q\"", .lease_id = "01L"};

    return finish(live.vault->ops->checkout(live.vault, &want, ready()));
}

static enum vault_result with_request(int which, bool in)
{
    char key[REQUEST_KEY_SIZE], *handle = NULL;

    assert_int_equal(live.vault->ops->identify(live.vault, key_of(which), key, &handle), 0);
    const struct request_ref ref = {
        .key = key, .handle = handle, .lease_id = "01L", .checkins = in ? checkouts : 0};
    int err = in ? live.vault->ops->checkin(live.vault, &ref, "", ready())
                 : live.vault->ops->read_secret(live.vault, &ref, CREDENTIAL_PASSWORD, ready());
    free(handle);
    return finish(err);
}

static enum vault_result read_again(int which)
{
    checkouts++;
    return with_request(which, false);
}

/* As the broker does: until it is confirmed. */
static enum vault_result check_in(int which)
{
    enum vault_result result = VAULT_FAILED;

    for (int i = 0; i < 4 && result != VAULT_OK && result != VAULT_GONE; i++)
        result = with_request(which, true);
    return result;
}

/* Gives back what the answer to a check-out leaves to be given back. */
static enum vault_result give_back(int which, enum vault_result result)
{
    return result == VAULT_OK || live.call.unknown ? check_in(which) : VAULT_GONE;
}

/* ---- what must hold ---- */

static void assert_right(const char *left)
{
    const char *state = live_sim_admin(&live.sim, "/checkouts?live=1", NULL);

    if (strcmp(state, left) != 0 && strstr(state, "svc-gateway"))
        fail_msg("left at the vault: %s", state);
    state = live_sim_admin(&live.sim, "/counts", NULL);
    const char *violations = strstr(state, "\"violations\":");
    assert_non_null(violations);
    if (strncmp(violations, "\"violations\":{}", 15) != 0)
        fail_msg("counted against the client: %s", violations);
}

static void person_has_adm2(void)
{
    (void)live_sim_admin(
        &live.sim, "/checkouts",
        "{\"list\":\"Domain admins\",\"system\":\"corp.test\",\"account\":\"adm2\",\"who\":\"CORP\\\\bob\"}");
}

static void assert_person_still_has(void)
{
    assert_non_null(strstr(live_sim_admin(&live.sim, "/checkouts?live=1", NULL), "CORP\\\\bob"));
}

/* ---- the walk ---- */

/* Of a shared and a stored credential, of one that a person has, and of one that is not there. */
struct expected {
    const char *knob, *value;
    enum vault_result out, stored, conflict, absent;
    const char *rows; /* of the profile file; NULL = none */
};

#define ALL_OK      VAULT_OK, VAULT_OK, VAULT_CONFLICT, VAULT_ABSENT, NULL
#define UNCLEAR     VAULT_OK, VAULT_OK, VAULT_FAILED, VAULT_FAILED, NULL
#define ALL(result) result, result, result, result, NULL

static void walk(const struct expected *e)
{
    enum vault_result out = check_out(ADM1);

    assert_int_equal(out, e->out);
    if (out == VAULT_OK) {
        assert_true(live.call.secret.len > 8);
        if (live.vault_conf.repeat_checkout)
            assert_int_equal(read_again(ADM1), VAULT_OK);
    }
    if (out == VAULT_OK)
        assert_true(check_in(ADM1) == VAULT_OK || live.call.result == VAULT_GONE);
    out = check_out(WEB01);
    assert_int_equal(out, e->stored);
    (void)give_back(WEB01, out);
    person_has_adm2();
    out = check_out(ADM2);
    assert_int_equal(out, e->conflict);
    (void)give_back(ADM2, out);
    assert_person_still_has();
    out = check_out(NOSUCH);
    assert_int_equal(out, e->absent);
    (void)give_back(NOSUCH, out);
}

static void run(const struct expected *e)
{
    char knob[96];

    case_label("%s=%s", e->knob, e->value);
    (void)snprintf(knob, sizeof(knob), "%s=%s", e->knob, e->value);
    start((const char *const[]){"--knob", knob, NULL}, e->rows);
    live.vault_conf.repeat_checkout = strcmp(knob, "repeat_checkout=refused") != 0;
    live.vault_conf.checkin_each = strcmp(knob, "checkins=each") == 0;
    walk(e);
    close_vault();
    assert_right("[]");
    stop();
}

#define HEADER_ROWS                                                                                          \
    "[checkout_shared]\ntoken = header\n[checkin_shared]\ntoken = header\n[checkout_stored]\ntoken = "       \
    "header\n"                                                                                               \
    "[checkin_stored]\ntoken = header\n[sign_out]\ntoken = header\n"

static const struct expected knobs[] = {
    {"flag", "OperationSucceeded", ALL_OK},
    {"flag", "none", ALL_OK},
    {"flag", "Success", ALL_OK},
    {"flag", "ErrorCode", ALL_OK},
    {"flag", "HasError", ALL_OK},
    {"flag", "ErrorText", ALL_OK},
    {"refusal", "json", ALL_OK},
    {"refusal", "json_exception", ALL_OK},
    {"refusal", "json_detail", ALL_OK},
    {"refusal", "json_string", UNCLEAR}, /* in no form of the service's own */
    {"refusal", "xml", ALL_OK},
    {"refusal", "soap", ALL_OK},
    {"refusal", "html", UNCLEAR},
    {"refusal", "message", ALL_OK},
    {"refusal", "message_only", ALL_OK},
    {"refusal_status", "500", ALL_OK},
    {"refusal_status", "400", ALL_OK},
    {"token_place", "body", ALL_OK},
    {"token_place", "header", VAULT_OK, VAULT_OK, VAULT_CONFLICT, VAULT_ABSENT, HEADER_ROWS},
    {"token_place", "either", ALL_OK},
    {"token_shape", "guid", ALL_OK},
    {"token_shape", "base64", ALL_OK},
    {"token_shape", "long", ALL_OK},
    {"token_shape", "short", ALL(VAULT_REFUSED)},
    {"token_shape", "blank", ALL(VAULT_REFUSED)},
    {"token_faces", "own", ALL_OK},
    {"login_type", "refused", ALL_OK},
    {"locked_tokens", "dead", ALL_OK},
    {"sign_out_dead", "success", ALL_OK},
    {"account_form", "qualified", ALL_OK},
    {"account_form", "plain", ALL_OK},
    {"empty_members", "refused", ALL_OK},
    {"repeat_checkout", "refused", ALL_OK},
    {"repeat_end", "extended", ALL_OK},
    {"checkins", "each", ALL_OK},
    {"ignored_checkout", "unrecorded", ALL_OK},
    {"foreign_checkin", "all_access", ALL_OK},
    {"foreign_checkin", "anyone", ALL_OK},
    {"absent_checkin", "success", ALL_OK},
    {"absent_checkin", "message", ALL_OK},
    {"done_answer", "flag", ALL_OK},
    {"done_answer", "empty", ALL_OK},
    {"done_answer", "true", ALL_OK},
    {"done_answer", "null", ALL_OK},
    {"done_answer", "string", ALL_OK},
    {"done_answer", "other_words", ALL_OK},
    {"checkin_password", "changed", ALL_OK},
    {"checkin_password", "later", ALL_OK},
    {"slashes", "plain", ALL_OK},
    {"long_comment", "refused", ALL_OK},
    {"retry_after", "seconds", ALL_OK},
};

TEST(every_knob)
{
    for (size_t i = 0; i < sizeof(knobs) / sizeof(knobs[0]); i++)
        run(&knobs[i]);
}

static void reload(void)
{
    struct privileged_identity_next *next =
        privileged_identity_prepare(&live.conf, &live.vault_conf, (char[256]){0});

    assert_non_null(next);
    privileged_identity_reload(live.vault, next);
}

static void take_profile(const char *profile)
{
    live.vault_conf.profile = TEXT(profile);
    reload();
}

TEST(every_face)
{
    static const char *const profiles[] = {"json-v2", "json-v1", "rest"};
    static const struct expected all_ok = {"", "", ALL_OK};

    for (size_t i = 0; i < 3; i++) {
        case_label("%s", profiles[i]);
        start((const char *const[]){NULL}, NULL);
        take_profile(profiles[i]);
        walk(&all_ok);
        close_vault();
        assert_right("[]");
        stop();
    }
}

/* A wrong password: one sign-in, whatever the form of its refusal; a page is no refusal. */
TEST(wrong_password_signs_in_once)
{
    static const char *const values[] = {"refusal", "401", "403", "text", "empty", "null"};

    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        char knob[64];

        case_label("%s", values[i]);
        (void)snprintf(knob, sizeof(knob), "sign_in_refused=%s", values[i]);
        start((const char *const[]){"--knob", knob, NULL}, NULL);
        (void)live_sim_admin(&live.sim, "/identities", "{\"name\":\"svc-gateway\",\"password\":\"another\"}");
        for (int k = 0; k < 5; k++) {
            assert_int_equal(check_out(ADM1), VAULT_REFUSED);
            assert_false(live.call.unknown);
        }
        assert_non_null(strstr(live_sim_admin(&live.sim, "/counts", NULL), "\"sign_in\":{\"calls\":1"));
        close_vault();
        assert_right("[]");
        stop();
    }
}

/* The token dies at the vault: one new sign-in, and the call goes once more. */
TEST(dead_token)
{
    static const char *const values[] = {"refusal", "401", "403", "message"};

    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        char knob[64];

        case_label("%s", values[i]);
        (void)snprintf(knob, sizeof(knob), "token_refused=%s", values[i]);
        start((const char *const[]){"--knob", knob, NULL}, NULL);
        assert_int_equal(check_out(ADM1), VAULT_OK);
        (void)live_sim_admin(&live.sim, "/expire-tokens", "{}");
        assert_int_equal(read_again(ADM1), VAULT_OK);
        assert_int_equal(check_in(ADM1), VAULT_OK);
        close_vault();
        assert_right("[]");
        stop();
    }
}

/* A page with any status is not the vault's word: no refusal of the identity, and no word on the token. */
TEST(pages)
{
    start((const char *const[]){"--knob", "sign_in_refused=html", NULL}, NULL);
    (void)live_sim_admin(&live.sim, "/identities", "{\"name\":\"svc-gateway\",\"password\":\"another\"}");
    assert_int_equal(check_out(ADM1), VAULT_FAILED);
    assert_int_equal(live.call.fault.code, FAULT_VAULT_ERROR);
    assert_false(live.call.unknown);
    close_vault();
    stop();
    start((const char *const[]){"--knob", "token_refused=html", NULL}, NULL);
    assert_int_equal(check_out(ADM1), VAULT_OK);
    (void)live_sim_admin(&live.sim, "/expire-tokens", "{}");
    assert_int_equal(read_again(ADM1), VAULT_FAILED);
    assert_true(live.call.unknown);
    close_vault();
    stop();
}

/* A face without the guessed operations: the check-in is never confirmed. */
TEST(guessed_row_that_is_not_there)
{
    start((const char *const[]){"--knob", "guessed=absent", NULL}, NULL);
    assert_int_equal(check_out(WEB01), VAULT_OK);
    assert_int_equal(check_in(WEB01), VAULT_FAILED);
    assert_true(live.call.unknown);
    assert_non_null(strstr(live.call.fault.detail, "404"));
    close_vault();
    stop();
}

/* The faces whose check-out is guessed: what is not there is of unknown outcome, and so is its check-in. */
TEST(guessed_faces_that_are_not_there)
{
    static const char *const profiles[] = {"json-v1", "rest"};

    for (size_t i = 0; i < 2; i++) {
        case_label("%s", profiles[i]);
        start((const char *const[]){"--knob", "guessed=absent", NULL}, NULL);
        take_profile(profiles[i]);
        assert_int_equal(check_out(ADM1), VAULT_FAILED);
        assert_true(live.call.unknown);
        assert_non_null(strstr(live.call.fault.detail, "404"));
        assert_int_equal(check_in(ADM1), VAULT_FAILED);
        close_vault();
        assert_right("[]");
        stop();
    }
}

TEST(rate_limit)
{
    static const struct {
        const char *status;
        int code;
    } cases[] = {{"429", 429}, {"503", 503}, {"403", 403}};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char knob[64];

        case_label("%s", cases[i].status);
        (void)snprintf(knob, sizeof(knob), "rate_status=%s", cases[i].status);
        start((const char *const[]){"--knob", knob, "--knob", "retry_after=seconds", NULL}, NULL);
        assert_int_equal(check_out(ADM1), VAULT_OK);
        (void)live_sim_admin(&live.sim, "/clock", "{\"frozen\":true}");
        (void)live_sim_admin(&live.sim, "/settings", "{\"rate_second\":1}");
        (void)read_again(ADM1);
        assert_int_equal(read_again(ADM1), VAULT_FAILED);
        assert_true(live.call.unknown);
        assert_int_equal(live.call.fault.vault_status, cases[i].code);
        assert_true(cases[i].code == 403 || live.call.fault.retry_after_s > 0);
        (void)live_sim_admin(&live.sim, "/settings", "{\"rate_second\":0}");
        assert_int_equal(check_in(ADM1), VAULT_OK);
        /* A page with 403 refuses no token. */
        assert_non_null(strstr(live_sim_admin(&live.sim, "/counts", NULL), "\"sign_in\":{\"calls\":1"));
        close_vault();
        assert_right("[]");
        stop();
    }
}

TEST(second_factor)
{
    start((const char *const[]){NULL}, NULL);
    (void)live_sim_admin(&live.sim, "/identities", "{\"name\":\"svc-gateway\",\"mfa\":\"402117\"}");
    assert_int_equal(check_out(ADM1), VAULT_REFUSED);
    assert_true(live.call.fault.second_factor);
    close_vault();
    assert_right("[]");
    stop();
}

/* No code is ever sent, so it is the same whether a face would read one. */
TEST(second_factor_of_every_face)
{
    static const char *const profiles[] = {"json-v2", "json-v1", "rest"};

    for (size_t i = 0; i < 3; i++) {
        case_label("%s", profiles[i]);
        start((const char *const[]){"--knob", "mfa_faces=rest", NULL}, NULL);
        take_profile(profiles[i]);
        (void)live_sim_admin(&live.sim, "/identities", "{\"name\":\"svc-gateway\",\"mfa\":\"402117\"}");
        assert_int_equal(check_out(ADM1), VAULT_REFUSED);
        assert_true(live.call.fault.second_factor);
        close_vault();
        assert_right("[]");
        stop();
    }
}

/* A locked identity is refused, whatever the words; unlocked, it signs in. */
TEST(locked_identity)
{
    static const char *const values[] = {"same", "own"};

    for (size_t i = 0; i < 2; i++) {
        char knob[64];

        case_label("%s", values[i]);
        (void)snprintf(knob, sizeof(knob), "locked=%s", values[i]);
        start((const char *const[]){"--knob", knob, NULL}, NULL);
        (void)live_sim_admin(&live.sim, "/settings", "{\"lockout_failures\":1,\"sign_in_ms\":0}");
        (void)live_sim_admin(&live.sim, "/identities", "{\"name\":\"svc-gateway\",\"password\":\"another\"}");
        assert_int_equal(check_out(ADM1), VAULT_REFUSED);
        (void)live_sim_admin(&live.sim, "/identities",
                             "{\"name\":\"svc-gateway\",\"password\":\"" PASSWORD "\"}");
        reload(); /* ends the pause */
        assert_int_equal(check_out(ADM1), VAULT_REFUSED);
        assert_int_equal(strstr(live.call.fault.detail, "locked out") != NULL, i);
        assert_false(live.call.fault.second_factor);
        (void)live_sim_admin(&live.sim, "/identities", "{\"name\":\"svc-gateway\",\"unlock\":true}");
        reload();
        assert_int_equal(check_out(ADM1), VAULT_OK);
        assert_int_equal(check_in(ADM1), VAULT_OK);
        close_vault();
        assert_right("[]");
        stop();
    }
}

/* The vault has ended the check-out by itself: what is read afterwards is the password of now. */
TEST(password_after_the_vaults_own_end)
{
    static const char *const values[] = {"kept", "changed", "later"};

    for (size_t i = 0; i < 3; i++) {
        char knob[64], before[64];

        case_label("%s", values[i]);
        (void)snprintf(knob, sizeof(knob), "end_password=%s", values[i]);
        start((const char *const[]){"--knob", knob, "--checkout-life", "60s", "--change-delay", "30s", NULL},
              NULL);
        assert_int_equal(check_out(ADM1), VAULT_OK);
        (void)snprintf(before, sizeof(before), "%.*s", (int)live.call.secret.len, live.call.secret.p);
        (void)live_sim_admin(&live.sim, "/clock", "{\"advance_ms\":61000}");
        assert_int_equal(read_again(ADM1), VAULT_OK);
        assert_int_equal(strncmp(before, live.call.secret.p, live.call.secret.len) != 0, i == 1);
        (void)live_sim_admin(&live.sim, "/clock", "{\"advance_ms\":31000}");
        assert_int_equal(read_again(ADM1), VAULT_OK);
        assert_int_equal(strncmp(before, live.call.secret.p, live.call.secret.len) != 0, i != 0);
        assert_int_equal(check_in(ADM1), VAULT_OK);
        close_vault();
        assert_right("[]");
        stop();
    }
}

TEST(no_password_stored)
{
    static const struct {
        const char *value;
        enum vault_result result;
    } cases[] = {{"empty", VAULT_FAILED},
                 {"null", VAULT_FAILED},
                 {"left_out", VAULT_FAILED},
                 {"refused", VAULT_FAILED}};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char knob[64];

        case_label("%s", cases[i].value);
        (void)snprintf(knob, sizeof(knob), "no_password=%s", cases[i].value);
        start((const char *const[]){"--knob", knob, NULL}, NULL);
        (void)live_sim_admin(
            &live.sim, "/credentials",
            "{\"list\":\"Domain admins\",\"system\":\"corp.test\",\"account\":\"adm1\",\"password\":null}");
        assert_int_equal(check_out(ADM1), cases[i].result);
        assert_true(live.call.unknown);
        (void)check_in(ADM1);
        close_vault();
        assert_right("[]");
        stop();
    }
}

#define NESTED_LIST_ROWS                                                                                     \
    "[list_shared]\npath = AccountStoreOps_SharedCredential_List\nanswer = ListValues\n"                     \
    "body = {\"AuthenticationToken\":\"{token}\",\"SharedCredentialListName\":\"{list}\"}\n"                 \
    "[list_stored]\npath = AccountStoreOps_StoredCredential_List\nanswer = ListValues\n"                     \
    "body = {\"AuthenticationToken\":\"{token}\",\"SystemName\":\"{system}\"}\n"
#define LIST_ROWS                                                                                            \
    "[list_shared]\npath = AccountStoreOps_SharedCredential_List\n"                                          \
    "body = {\"AuthenticationToken\":\"{token}\",\"SharedCredentialListName\":\"{list}\"}\n"                 \
    "[list_stored]\npath = AccountStoreOps_StoredCredential_List\n"                                          \
    "body = {\"AuthenticationToken\":\"{token}\",\"SystemName\":\"{system}\"}\n"

TEST(listings)
{
    static const char *const values[] = {"objects", "strings", "nested"};
    const char *const form = NULL;
    const struct vault_session session = {.username = "ann", .domain = "", .forms = &form};

    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        char knob[64];

        case_label("%s", values[i]);
        (void)snprintf(knob, sizeof(knob), "list_form=%s", values[i]);
        start((const char *const[]){"--knob", "list_rows=served", "--knob", knob, NULL},
              i == 2 ? NESTED_LIST_ROWS : LIST_ROWS);
        assert_int_equal(finish(live.vault->ops->entitled(live.vault, &session, NULL, ready())), VAULT_OK);
        assert_int_equal(live.call.accounts->n, NACCESSES - 1); /* `nosuch` is not listed */
        close_vault();
        assert_right("[]");
        stop();
    }
}

#define SPIN_ROWS                                                                                            \
    "[spin_shared]\npath = AccountStoreOps_SharedCredential_Spin\n"                                          \
    "body = {\"AuthenticationToken\":\"{token}\",\"Comment\":\"{comment}\",\"SharedCredentialIdentifier\":"  \
    "{\"AccountName\":\"{account}\",\"SharedCredentialListName\":\"{list}\",\"SystemName\":\"{system}\"}}\n"

TEST(spin)
{
    char key[REQUEST_KEY_SIZE], *handle = NULL;

    start((const char *const[]){"--knob", "spin_rows=served", "--change-delay", "0s", NULL}, SPIN_ROWS);
    assert_int_equal(check_out(ADM1), VAULT_OK);
    assert_int_equal(check_in(ADM1), VAULT_OK);
    assert_int_equal(live.vault->ops->identify(live.vault, key_of(ADM1), key, &handle), 0);
    const struct request_ref ref = {.key = key, .handle = handle, .lease_id = "01L"};
    assert_int_equal(finish(live.vault->ops->after_checkin(live.vault, &ref, ready())), VAULT_OK);
    free(handle);
    close_vault();
    assert_right("[]");
    stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_knob),
        cmocka_unit_test(every_face),
        cmocka_unit_test(wrong_password_signs_in_once),
        cmocka_unit_test(dead_token),
        cmocka_unit_test(pages),
        cmocka_unit_test(guessed_row_that_is_not_there),
        cmocka_unit_test(guessed_faces_that_are_not_there),
        cmocka_unit_test(rate_limit),
        cmocka_unit_test(second_factor),
        cmocka_unit_test(second_factor_of_every_face),
        cmocka_unit_test(locked_identity),
        cmocka_unit_test(password_after_the_vaults_own_end),
        cmocka_unit_test(no_password_stored),
        cmocka_unit_test(listings),
        cmocka_unit_test(spin),
    };

    if (upstream_global_init())
        return 1;
    (void)log_open(&(struct log_opts){.level = LOG_ERROR, .file = "-"});
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    upstream_global_cleanup();
    return failed;
}
