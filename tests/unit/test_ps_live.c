/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_ps_live.c - the backend on the real loop and upstream against passwordsafe-sim, on loopback.
 *
 * The simulator is written from the facts about the vault, not from this backend: here the two meet. Each run
 * starts one with other answers to the questions nobody could settle (knobs), walks a check-out to its end,
 * and the ways it is refused. After each the loop must close without a handle left.
 */
#include "check.h"

#include "backends/password_safe/account_key.h"
#include "backends/password_safe/password_safe.h"
#include "loop/upstream/upstream.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define KEY      "K1example0key"
#define MARIA    "ACME\\mrivera"
#define ARGS_MAX 16
#define PATIENCE 20000

struct live {
    pid_t sim;
    struct loop *loop;
    struct conf_vault conf;
    struct vault *vault;
    struct deadline patience;
    struct vault_call call;
    bool closed;
    char url[128], key_path[64];
};

static struct live live;

/* ---- simulator ---- */

static void sim_exec(int out, const char *const *more)
{
    const char *args[ARGS_MAX] = {SIMULATOR, "--fixture", "worked", "--api-key", KEY};
    size_t n = 5;

    for (; *more && n < ARGS_MAX - 1; n++)
        args[n] = *more++;
    args[n] = NULL;
    if (dup2(out, 1) < 0 || dup2(out, 2) < 0)
        _exit(126);
    (void)execv(SIMULATOR, (char *const *)(uintptr_t)args);
    _exit(127);
}

static void sim_start(const char *const *more)
{
    int fd[2];
    char line[256] = "", address[64] = "";
    FILE *out;

    assert_int_equal(pipe(fd), 0);
    live.sim = fork();
    assert_true(live.sim >= 0);
    if (!live.sim)
        sim_exec(fd[1], more);
    (void)close(fd[1]);
    out = fdopen(fd[0], "r");
    assert_non_null(out);
    while (!strstr(line, "ready") && fgets(line, sizeof(line), out))
        if (strstr(line, "listener=api"))
            assert_int_equal(sscanf(strstr(line, "address="), "address=%63s", address), 1);
    (void)fclose(out);
    assert_true(*address);
    (void)snprintf(live.url, sizeof(live.url), "http://%s/BeyondTrust/api/public/v3", address);
}

/* ---- loop and vault ---- */

static void key_write(const char *text)
{
    int fd;

    (void)snprintf(live.key_path, sizeof(live.key_path), "/tmp/test-ps-live-XXXXXX");
    fd = mkstemp(live.key_path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    (void)close(fd);
}

static void on_patience(struct deadline *d)
{
    (void)d;
    fprintf(stderr, "the simulator did not answer in %d ms\n", PATIENCE);
    abort();
}

static void start(const char *const *more, bool oauth)
{
    char why[256] = "";

    memset(&live, 0, sizeof(live));
    sim_start(more);
    key_write(oauth ? "s+cr/et" : KEY);
    live.loop = loop_new();
    assert_non_null(live.loop);
    (void)snprintf(live.conf.name, sizeof(live.conf.name), "safe");
    live.conf.url = live.url;
    if (oauth) {
        live.conf.oauth_client_id = (char *)(uintptr_t) "6b1f0c52";
        live.conf.oauth_client_secret_file = live.key_path;
    } else {
        live.conf.api_key_file = live.key_path;
    }
    live.conf.session_idle_ms = MINUTES(10);
    live.conf.sessions_per_user = 4;
    live.conf.max_calls = 64;
    live.conf.connections = 8;
    live.conf.connect_timeout_ms = live.conf.call_timeout_ms = SECONDS(10);
    live.conf.connection_idle_ms = MINUTES(1);
    live.conf.retries = 2;
    live.conf.max_answer = 1 << 20;
    live.vault = password_safe_new(live.loop, &live.conf, why);
    if (!live.vault)
        fail_msg("password_safe_new: %s", why);
}

static void on_closed(void *arg)
{
    live.closed = true;
    loop_stop(arg);
}

static void stop(void)
{
    int status;

    password_safe_close(live.vault, on_closed, live.loop);
    while (!live.closed)
        (void)loop_run(live.loop);
    assert_int_equal(loop_free(live.loop), 0);
    (void)kill(live.sim, SIGTERM);
    assert_int_equal(waitpid(live.sim, &status, 0), live.sim);
    (void)unlink(live.key_path);
}

static void on_done(struct vault_call *call)
{
    (void)call;
    timer_stop(loop_timers(live.loop), &live.patience);
    loop_stop(live.loop);
}

static struct vault_call *ready(const char *user)
{
    vault_call_free(&live.call);
    live.call = (struct vault_call){.user = user, .timeout_ms = SECONDS(10), .done = on_done};
    return &live.call;
}

static void finish(int err, enum vault_result want)
{
    assert_int_equal(err, 0);
    assert_int_equal(timer_start(loop_timers(live.loop), &live.patience, PATIENCE, on_patience), 0);
    (void)loop_run(live.loop);
    if (live.call.result != want)
        fail_msg("result %d instead of %d: %s", live.call.result, want, live.call.fault.detail);
}

/* ---- operations ---- */

static void list(const char *user, enum account_kind kind, const char *system, size_t n)
{
    struct account_query query = {.kind = kind, .system = system};

    finish(live.vault->ops->list(live.vault, &query, ready(user)), VAULT_OK);
    assert_int_equal(live.call.accounts->n, n);
}

static int64_t request(const char *user, int64_t system, int64_t account, enum vault_result want)
{
    char key[PS_KEY_SIZE];
    struct checkout_want args = {.account_key = key, .minutes = 30, .reason = "CHG-1 \"q\""};

    ps_account_key_write(key, &(struct ps_account_key){KIND_LOCAL, system, account, 0});

    finish(live.vault->ops->checkout(live.vault, &args, ready(user)), want);
    return request_key_number(live.call.request_key);
}

static const char *name_of(int64_t id)
{
    static char name[24];

    (void)snprintf(name, sizeof(name), "%lld", (long long)id);
    return name;
}

static void credential(int64_t id, enum credential_type type, enum vault_result want, const char *secret)
{
    finish(live.vault->ops->read_secret(live.vault, &(struct request_ref){.key = name_of(id)}, type,
                                        ready(MARIA)),
           want);
    if (secret)
        assert_true(secret_equal(&live.call.secret, secret, strlen(secret)));
}

static void checkin(int64_t id, enum vault_result want)
{
    finish(
        live.vault->ops->checkin(live.vault, &(struct request_ref){.key = name_of(id)}, "done", ready(MARIA)),
        want);
}

static void the_whole_walk(void)
{
    int64_t id;

    list(MARIA, KIND_LOCAL, "ledger01", 1);
    assert_string_equal(live.call.accounts->rows[0].account, "root");
    list(MARIA, KIND_DOMAIN_LINKED, "web07", 1);
    assert_string_equal(live.call.accounts->rows[0].domain, "acme.test");
    list(MARIA, KIND_LOCAL, "no such system", 0);
    finish(live.vault->ops->policy(live.vault, "l.17.203.0", 30, ready(MARIA)), VAULT_OK);
    assert_true(live.call.policy.available);
    assert_false(live.call.policy.approval);
    id = request(MARIA, 17, 203, VAULT_OK);
    assert_false(live.call.origin == CHECKOUT_REUSED);
    assert_true(request(MARIA, 17, 203, VAULT_OK) == id);
    assert_true(live.call.origin == CHECKOUT_REUSED);
    finish(live.vault->ops->requests(live.vault, ready(MARIA)), VAULT_OK);
    assert_int_equal(live.call.active.n, 1);
    assert_true(request_key_number(live.call.active.rows[0].name) == id);
    assert_string_equal(live.call.active.rows[0].reason, "CHG-1 \"q\"");
    credential(id, CREDENTIAL_PASSWORD, VAULT_OK, "Tr0ut\\lamp\"42&co");
    credential(id, CREDENTIAL_SSH_KEY, VAULT_ABSENT, NULL);
    checkin(id, VAULT_OK);
    checkin(id, VAULT_GONE);
    credential(id, CREDENTIAL_PASSWORD, VAULT_GONE, NULL);
}

static void the_refusals(void)
{
    int64_t id;

    (void)request(MARIA, 17, 204, VAULT_DENIED);
    assert_int_equal(live.call.fault.vault_code, 4031);
    (void)request(MARIA, 17, 99999, VAULT_ABSENT);
    id = request(MARIA, 22, 310, VAULT_OK);
    credential(id, CREDENTIAL_PASSWORD, VAULT_PENDING, NULL);
    assert_int_equal(live.call.fault.vault_code, 4034);
    (void)request(MARIA, 22, 310, VAULT_CONFLICT);
    assert_int_equal(live.call.fault.vault_code, 4091);
    checkin(id, VAULT_OK);
    finish(live.vault->ops->requests(live.vault, ready("ACME\\outsider")), VAULT_REFUSED);
    finish(live.vault->ops->requests(live.vault, ready("ACME\\tkoh")), VAULT_REFUSED);
    assert_non_null(strstr(live.call.fault.detail, "MFA"));
}

static void with(const char *const *more)
{
    start(more, false);
    the_whole_walk();
    the_refusals();
    vault_call_free(&live.call);
    stop();
}

TEST(defaults)
{
    with((const char *const[]){NULL});
}

TEST(other_dialect)
{
    with((const char *const[]){"--knob", "12=stj", "--knob", "15=text", "--verification-cookie", NULL});
    with((const char *const[]){"--knob", "11=empty", "--knob", "15=string", NULL});
    with((const char *const[]){"--knob", "11=400", NULL});
    with((const char *const[]){"--knob", "12=stj", "--knob", "21=object", NULL});
}

TEST(header_on_every_call)
{
    with((const char *const[]){"--knob", "16=yes", NULL});
}

TEST(oauth)
{
    start((const char *const[]){"--oauth-client", "6b1f0c52:s+cr/et", NULL}, true);
    finish(live.vault->ops->requests(live.vault, ready("application:6b1f0c52")), VAULT_OK);
    vault_call_free(&live.call);
    stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults),
        cmocka_unit_test(other_dialect),
        cmocka_unit_test(header_on_every_call),
        cmocka_unit_test(oauth),
    };

    if (upstream_global_init())
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    upstream_global_cleanup();
    return failed;
}
