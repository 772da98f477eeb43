/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_pra_live.c - the PRA site's state machine on the real loop and upstream against pra-sim, on loopback.
 *
 * The simulator is written from what is known of the product, not from this client: here the two meet. Each
 * run starts one with other answers to the open questions (knobs), sees it up, sees a session end, terminates
 * another, and leaves no violation behind.
 */
#include "check.h"

#include "backends/pra/site.h"
#include "base/json.h"
#include "base/text.h"
#include "loop/upstream/upstream.h"
#include "secrets_gone.h"

#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define CLIENT_ID "c1d2e3f405162738495a6b7c8d9eafb0c1d2e3f4"
#define SECRET    "Site+secret/of=the:tests"
#define PATIENCE  90
#define ARGS_MAX  32
#define ROWS      50000
#define RUNS      "da4b510ba1b04bd3b9e1fa6bd9ad4f3c"

static struct live {
    pid_t sim;
    int admin_port;
    char url[64];
    struct loop *loop;
    struct pra_site *site;
    struct pra_site_params params;
    bool closed, terminated;
    size_t ended, saves;
    char lsid[LSID_SIZE]; /* of the last one that ended */
    struct pra_termination termination;
} live;

/* ---- simulator ---- */

static void sim_exec(int out, const char *const *knobs)
{
    const char *args[ARGS_MAX] = {SIMULATOR, "--permission", "perm_command=full_access", "--permission",
                                  "perm_reporting_support=1"};
    size_t n = 5;

    for (; *knobs && n < ARGS_MAX - 3; knobs++) {
        args[n++] = "--knob";
        args[n++] = *knobs;
    }
    if (dup2(out, 1) < 0 || dup2(out, 2) < 0)
        _exit(126);
    (void)execv(SIMULATOR, (char *const *)(uintptr_t)args);
    _exit(127);
}

static void sim_start(const char *const *knobs)
{
    int fd[2];
    char line[256] = "";
    FILE *out;

    assert_int_equal(pipe(fd), 0);
    live.sim = fork();
    assert_true(live.sim >= 0);
    if (!live.sim)
        sim_exec(fd[1], knobs);
    (void)close(fd[1]);
    out = fdopen(fd[0], "r");
    assert_non_null(out);
    while (!strstr(line, "ready") && fgets(line, sizeof(line), out)) {
        const char *address = strstr(line, "address=");
        if (strstr(line, "listener=api"))
            (void)snprintf(live.url, sizeof(live.url), "http://%.*s", (int)strcspn(address + 8, "\n"),
                           address + 8);
        if (strstr(line, "listener=admin"))
            assert_int_equal(sscanf(address, "address=127.0.0.1:%d", &live.admin_port), 1);
    }
    (void)fclose(out);
    assert_true(*live.url && live.admin_port);
}

/* One order to the admin port; what it answers, in `answer`. */
static void order(const char *method, const char *path, const char *json, struct buf *answer)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)live.admin_port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    char text[4096], piece[16384];
    ssize_t n;

    buf_clear(answer);
    assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof(at)), 0);
    (void)snprintf(text, sizeof(text),
                   "%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n"
                   "Content-Length: %zu\r\n\r\n%s",
                   method, path, strlen(json), json);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    while ((n = read(fd, piece, sizeof(piece))) > 0)
        assert_int_equal(buf_append(answer, piece, (size_t)n), 0);
    (void)close(fd);
    if (strncmp(buf_cstr(answer), "HTTP/1.1 200", 12) != 0)
        print_error("%s %s: %.300s\n", method, path, buf_cstr(answer));
    assert_memory_equal(answer->data, "HTTP/1.1 200", 12);
}

/* ---- the broker's side ---- */

static bool oldest_key(void *ctx, int64_t *created_ms)
{
    (void)ctx;
    *created_ms = clock_wall(&clock_system) - 60000;
    return true;
}

static size_t session_ended(void *ctx, const char *lsid, enum pra_end_source source)
{
    (void)ctx;
    (void)source;
    live.ended++;
    (void)text_copy(live.lsid, sizeof(live.lsid), lsid);
    return 1;
}

static void save_cursor(void *ctx, int64_t cursor_ms)
{
    (void)ctx;
    assert_true(cursor_ms > 0);
    live.saves++;
}

static void on_closed(void *arg)
{
    (void)arg;
    live.closed = true;
}

static void on_terminated(struct pra_termination *t)
{
    (void)t;
    live.terminated = true;
}

/* ---- life ---- */

static struct pra_site_view *view(void)
{
    static struct pra_site_view v;

    pra_site_view(live.site, &v);
    return &v;
}

/* Something is waited for that does not come. */
static void on_alarm(int signum)
{
    (void)signum;
    fprintf(stderr, "state=%s calls=%llu listings=%llu ended=%zu saves=%zu terminated=%d detail=%s\n",
            pra_state_name(view()->state), (unsigned long long)view()->calls,
            (unsigned long long)view()->counts[PRA_CALL_LISTING].outcomes[PRA_OUT_OK], live.ended, live.saves,
            live.terminated, view()->detail);
    abort();
}

static void start(const char *const *knobs)
{
    static const struct pra_site_hooks hooks = {oldest_key, session_ended, save_cursor, NULL};
    struct secret secret = {0};
    char why[256];

    (void)signal(SIGALRM, on_alarm);
    alarm(PATIENCE);
    memset(&live, 0, sizeof(live));
    json_init();
    assert_int_equal(upstream_global_init(), 0);
    sim_start(knobs);
    live.loop = loop_new();
    live.params = (struct pra_site_params){
        .client = {.name = "sim",
                   .url = live.url,
                   .client_id = CLIENT_ID,
                   .connect_timeout_ms = 5000,
                   .call_timeout_ms = 10000,
                   .report_timeout_ms = 30000,
                   .max_answer = 16 << 20,
                   .rate_per_s = 10},
        .probe_interval_ms = 1000,
        .check_interval_ms = 5000,
        .poll_interval_ms = 1000,
        .poll_overlap_ms = 120000,
        .catch_up_ms = 86400000,
        .terminate = true,
    };
    assert_int_equal(secret_set(&secret, SECRET, strlen(SECRET)), 0);
    live.site = pra_site_new(live.loop, &live.params, &secret, &hooks, 0, why);
    assert_non_null(live.site);
    assert_int_equal(pra_site_start(live.site), 0);
}

static void turn(void)
{
    uv_run(loop_uv(live.loop), UV_RUN_ONCE);
}

static void wait_state(enum pra_state state)
{
    while (view()->state != state)
        turn();
}

static void stop(void)
{
    struct buf answer = BUF_INIT(1 << 24);
    int status;

    order("GET", "/counts", "", &answer);
    if (!strstr(buf_cstr(&answer), "\"violations\":{}"))
        print_error("%s\n", buf_cstr(&answer));
    assert_non_null(strstr(buf_cstr(&answer), "\"violations\":{}"));
    buf_free(&answer);
    pra_site_close(live.site, on_closed, NULL);
    while (!live.closed)
        turn();
    assert_int_equal(loop_free(live.loop), 0);
    upstream_global_cleanup();
    assert_int_equal(kill(live.sim, SIGTERM), 0);
    assert_int_equal(waitpid(live.sim, &status, 0), live.sim);
    assert_int_equal(status, 0);
    assert_secrets_gone();
}

/* ---- tests ---- */

static void begin_termination(const char *lsid)
{
    live.terminated = false;
    memset(&live.termination, 0, sizeof(live.termination));
    assert_true(lsid_normal(lsid, live.termination.lsid));
    live.termination.done = on_terminated;
    assert_int_equal(pra_site_terminate(live.site, &live.termination), 0);
    while (!live.terminated)
        turn();
}

static void walk(const char *const *knobs, bool refuses_ended)
{
    static const char first[] = "da4b510ba1b04bd3b9e1fa6bd9ad4f3c",
                      second[] = "00112233445566778899aabbccddeeff";
    struct buf answer = BUF_INIT(1 << 20);

    start(knobs);
    order("POST", "/sessions", "{\"lsid\":\"da4b510ba1b04bd3b9e1fa6bd9ad4f3c\",\"start_ago_ms\":5000}",
          &answer);
    order("POST", "/sessions", "{\"lsid\":\"00112233445566778899aabbccddeeff\",\"start_ago_ms\":5000}",
          &answer);
    wait_state(PRA_STATE_UP);
    assert_string_equal(view()->detail, "");
    while (!view()->has_poll)
        turn();
    assert_int_equal(live.ended, 0);
    order("POST", "/sessions/end", "{\"lsid\":\"da4b510ba1b04bd3b9e1fa6bd9ad4f3c\"}", &answer);
    while (!live.ended)
        turn();
    assert_string_equal(live.lsid, first);
    while (!live.saves)
        turn();
    begin_termination(second);
    assert_int_equal(live.termination.outcome, PRA_TERMINATE_DONE);
    begin_termination(first);
    if (refuses_ended)
        assert_int_equal(live.termination.outcome, PRA_TERMINATE_ALREADY_ENDED);
    begin_termination("ffffffffffffffffffffffffffffffff");
    assert_int_equal(live.termination.outcome, PRA_TERMINATE_ERROR);
    assert_true(*live.termination.text);
    assert_int_equal(view()->state, PRA_STATE_UP);
    buf_free(&answer);
    stop();
}

TEST(the_usual_site)
{
    static const char *const none[] = {NULL};

    walk(none, true);
}

TEST(sites_of_other_kinds)
{
    static const char *const docs[] = {"command_namespace=docs",
                                       "reporting_namespace=docs",
                                       "permission_form=element",
                                       "error_place=child",
                                       "success_place=child",
                                       "session_time=ts",
                                       "lsid_form=braces",
                                       "health_root=health",
                                       "timestamp=ts",
                                       "token_type=lower",
                                       NULL};
    static const char *const old[] = {"command_namespace=bomgar",
                                      "reporting_namespace=bomgar",
                                      "prefix=bt",
                                      "permission_form=attribute",
                                      "session_time=iso",
                                      "lsid_form=upper",
                                      "timestamp=iso",
                                      "attribute_order=reversed",
                                      "no_rows=found",
                                      "xml_layout=indented",
                                      NULL};
    static const char *const bare[] = {"command_namespace=none",
                                       "reporting_namespace=none",
                                       "xml_declaration=off",
                                       "no_rows=empty",
                                       "open_end=empty",
                                       "session_time=unix",
                                       "lsid_form=dashes",
                                       "timestamp=absent",
                                       "permission_names=all",
                                       "expires_in=absent",
                                       NULL};

    walk(docs, true);
    walk(old, true);
    walk(bare, true);
}

/* Every row comes, a part of them in each iteration. */
TEST(a_listing_of_fifty_thousand_rows)
{
    static const char *const none[] = {NULL};
    struct buf answer = BUF_INIT(1 << 24);
    char json[128];
    size_t most = 0;

    start(none);
    (void)snprintf(
        json, sizeof(json),
        "{\"count\":%d,\"start_ago_ms\":50000,\"ended\":true,\"end_ago_ms\":1000,\"events\":false}", ROWS);
    order("POST", "/sessions", json, &answer);
    while (live.ended < ROWS) {
        size_t before = live.ended;
        turn();
        most = live.ended - before > most ? live.ended - before : most;
    }
    assert_true(most <= 512);
    while (!live.saves)
        turn();
    assert_int_equal(view()->state, PRA_STATE_UP);
    print_message("the longest iteration took %.1f ms\n", loop_lag_ms(live.loop));
    buf_free(&answer);
    stop();
}

/* A session that runs has ended under none of them; and the site is up again by itself. */
TEST(no_fault_of_an_answer_proves_an_end)
{
    static const char *const none[] = {NULL};
    static const char *const actions[] = {
        "html500",      "unavailable",   "throttle",     "page",       "error",       "html",
        "redirect",     "token_refused", "status_after", "page_after", "error_after", "html_after",
        "drop_before",  "reset",         "hang",         "drop_after", "truncate",    "garbage",
        "wrong_length", "short_length",  "cut",          "empty",      "oversize",    "wrong_type",
        "unknown_root", "doctype",       "entities",     "deep",       "no_end",      "trailing",
        "bad_utf8",     "slow"};
    struct buf answer = BUF_INIT(1 << 20);

    start(none);
    order("POST", "/settings", "{\"rate_second\":1000}", &answer);
    order("POST", "/sessions", "{\"lsid\":\"" RUNS "\",\"start_ago_ms\":5000}", &answer);
    wait_state(PRA_STATE_UP);
    live.params.client.call_timeout_ms = live.params.client.report_timeout_ms = 300;
    live.params.client.rate_per_s = 50;
    live.params.probe_interval_ms = live.params.poll_interval_ms = 100;
    for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
        char json[128];
        uint64_t calls = view()->calls;

        order("DELETE", "/faults", "", &answer);
        (void)snprintf(json, sizeof(json), "{\"action\":\"%s\",\"status\":502,\"path\":\"/api/\"}",
                       actions[i]);
        order("POST", "/faults", json, &answer);
        assert_int_equal(pra_site_reload(live.site, &live.params, NULL), 0);
        while (view()->calls < calls + 5)
            turn();
    }
    assert_int_equal(live.ended, 0);
    order("DELETE", "/faults", "", &answer);
    live.params.client.call_timeout_ms = live.params.client.report_timeout_ms = 10000;
    assert_int_equal(pra_site_reload(live.site, &live.params, NULL), 0);
    order("POST", "/sessions/end", "{\"lsid\":\"" RUNS "\"}", &answer);
    wait_state(PRA_STATE_UP);
    while (!live.ended)
        turn();
    assert_string_equal(live.lsid, RUNS);
    buf_free(&answer);
    stop();
}

TEST(an_outage_and_a_failover)
{
    static const char *const none[] = {NULL};
    struct buf answer = BUF_INIT(1 << 20);

    start(none);
    wait_state(PRA_STATE_UP);
    order("POST", "/listener", "{\"open\":false}", &answer);
    wait_state(PRA_STATE_DOWN);
    order("POST", "/listener", "{\"open\":true}", &answer);
    wait_state(PRA_STATE_UP);
    order("POST", "/failover", "{\"role\":\"backup\"}", &answer);
    wait_state(PRA_STATE_STANDBY);
    order("POST", "/failover", "{\"role\":\"primary\"}", &answer);
    wait_state(PRA_STATE_UP);
    order("POST", "/accounts", "{\"client_secret\":\"other\"}", &answer);
    wait_state(PRA_STATE_REFUSED);
    struct secret secret = {0};
    assert_int_equal(secret_set(&secret, "other", 5), 0);
    assert_int_equal(pra_site_reload(live.site, &live.params, &secret), 0);
    wait_state(PRA_STATE_UP);
    buf_free(&answer);
    stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_usual_site),
        cmocka_unit_test(sites_of_other_kinds),
        cmocka_unit_test(a_listing_of_fifty_thousand_rows),
        cmocka_unit_test(no_fault_of_an_answer_proves_an_end),
        cmocka_unit_test(an_outage_and_a_failover),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
