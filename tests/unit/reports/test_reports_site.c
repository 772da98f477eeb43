/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_reports_site.c - a site of the session reports over real sockets: against pra-sim, and against a small
 * site of the test's own for what pra-sim does not have (the archive, other reports, broken answers).
 */
#include "archive_rig.h"
#include "check.h"
#include "reading_rig.h"

#include "base/json.h"
#include "base/text.h"
#include "loop/upstream/upstream.h"
#include "reports/pra/pra_open.h"

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define CLIENT_ID "c1d2e3f405162738495a6b7c8d9eafb0c1d2e3f4"
#define SECRET    "Site+secret/of=the:tests"
#define PATIENCE  90
#define LSID      "da4b510ba1b04bd3b9e1fa6bd9ad4f3c"
#define LSID2     "00112233445566778899aabbccddeeff"

static struct live {
    pid_t peer;
    int admin_port;
    char url[64], spool[64];
    struct loop *loop;
    struct report_site *site;
    struct report_site_params params;
    bool closed;
} live;

struct asked {
    struct report_call call; /* first */
    int ended;
    struct report_outcome outcome;
    struct buf records;
    size_t batches, infos;
    bool pause_each;
    enum report_grant grant;
};

/* ---- what comes ---- */

static void on_batch(struct report_call *call, struct report_batch *batch)
{
    struct asked *a = call->ctx;

    assert_int_equal(a->ended, 0);
    a->batches++;
    reading_write(&a->records, batch);
    if (a->pause_each)
        live.site->ops->pause(call);
}

static void on_refused(struct report_call *call, const char *lsid, const char *why)
{
    struct asked *a = call->ctx;

    assert_int_equal(buf_printf(&a->records, "refused %s %s\n", lsid ? lsid : "-", why), 0);
}

static void on_info(struct report_call *call, const struct report_info *info)
{
    struct asked *a = call->ctx;

    a->infos++;
    a->grant = info->grants[REPORT_ASK_SESSIONS];
    assert_true(info->has_time && info->time_ms > 0 && info->npermissions > 0);
}

static void on_ended(struct report_call *call, const struct report_outcome *outcome)
{
    struct asked *a = call->ctx;

    assert_null(call->inside);
    a->ended++;
    a->outcome = *outcome;
}

static const struct report_sink sink = {on_batch, on_refused, on_info, on_ended};

static void asked_init(struct asked *a)
{
    memset(a, 0, sizeof(*a));
    a->call.sink = &sink;
    a->call.ctx = a;
    a->records = BUF_INIT(64U << 20);
}

/* ---- life ---- */

static void on_alarm(int signum)
{
    (void)signum;
    fprintf(stderr, "what is waited for does not come\n");
    abort();
}

static void turn(void)
{
    uv_run(loop_uv(live.loop), UV_RUN_ONCE);
}

static void on_closed(void *arg)
{
    (void)arg;
    live.closed = true;
}

static void site_start(void)
{
    struct secret secret = {0};
    char why[256];

    (void)signal(SIGALRM, on_alarm);
    alarm(PATIENCE);
    json_init();
    assert_int_equal(upstream_global_init(), 0);
    (void)text_copy(live.spool, sizeof(live.spool), "/tmp/jumpgate-spool-XXXXXX");
    assert_non_null(mkdtemp(live.spool));
    live.loop = loop_new();
    live.params = (struct report_site_params){.name = "one",
                                              .host_name = "pra.example.test",
                                              .url = live.url,
                                              .client_id = CLIENT_ID,
                                              .rate_per_s = 15, /* a site takes 20 a second */
                                              .hourly = 15000,
                                              .parallel = 2,
                                              .connect_timeout_ms = 5000,
                                              .stall_timeout_ms = 20000,
                                              .call_timeout_ms = 60000,
                                              .max_answer = 64U << 20,
                                              .max_session = 1U << 20,
                                              .spool_dir = live.spool};
    assert_int_equal(secret_set(&secret, SECRET, strlen(SECRET)), 0);
    live.site = report_site_new(live.loop, &live.params, &secret, why);
    assert_non_null(live.site);
    assert_string_equal(live.site->host_name, "pra.example.test");
}

static void site_stop(void)
{
    int status;

    live.closed = false;
    report_site_close(live.site, on_closed, NULL);
    while (!live.closed)
        turn();
    assert_int_equal(loop_free(live.loop), 0);
    upstream_global_cleanup();
    assert_int_equal(kill(live.peer, SIGTERM), 0);
    assert_int_equal(waitpid(live.peer, &status, 0), live.peer);
    assert_int_equal(rmdir(live.spool), 0); /* nothing is left in it */
    alarm(0);
}

static void wait_for(struct asked *a, int err)
{
    assert_int_equal(err, 0);
    while (!a->ended)
        turn();
    assert_int_equal(a->ended, 1);
    (void)buf_cstr(&a->records);
}

static void check_end(struct asked *a, enum report_end end)
{
    if (a->outcome.end != end)
        fail_msg("%s (%d, %s), not %s", report_end_name(a->outcome.end), a->outcome.status, a->outcome.text,
                 report_end_name(end));
}

static void asked_free(struct asked *a)
{
    buf_free(&a->records);
}

#ifdef SIMULATOR

/* ---- pra-sim ---- */

static void sim_exec(int out)
{
    const char *const args[] = {SIMULATOR,
                                "--permission",
                                "perm_command=read_only",
                                "--permission",
                                "perm_reporting_support=1",
                                "--permission",
                                "perm_configuration=1",
                                "--permission",
                                "perm_configuration_vault_account=1",
                                "--permission",
                                "perm_reporting_vault=1",
                                "--permission",
                                "perm_reporting_syslog=1",
                                NULL};

    if (dup2(out, 1) < 0 || dup2(out, 2) < 0)
        _exit(126);
    (void)execv(SIMULATOR, (char *const *)(uintptr_t)args);
    _exit(127);
}

static void sim_start(void)
{
    int fd[2];
    char line[256] = "";

    memset(&live, 0, sizeof(live));
    assert_int_equal(pipe(fd), 0);
    live.peer = fork();
    assert_true(live.peer >= 0);
    if (!live.peer)
        sim_exec(fd[1]);
    (void)close(fd[1]);
    FILE *out = fdopen(fd[0], "r");
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
    site_start();
}

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
    assert_non_null(buf_cstr(answer));
    assert_memory_equal(answer->data, "HTTP/1.1 200", 12);
}

static void make_sessions(struct buf *answer)
{
    order("POST", "/sessions", "{\"lsid\":\"" LSID "\",\"start_ago_ms\":60000,\"user\":\"ann\"}", answer);
    order("POST", "/sessions",
          "{\"lsid\":\"" LSID2 "\",\"start_ago_ms\":50000,\"ended\":true,\"end_ago_ms\":5000}", answer);
}

static void check_reports(void)
{
    const struct report_site_ops *ops = live.site->ops;
    const char *const lsids[] = {LSID, "{00112233-4455-6677-8899-AABBCCDDEEFF}"};
    const char *const unknown[] = {"ffffffffffffffffffffffffffffffff"};
    int64_t now_s = clock_wall(&clock_system) / 1000;
    struct asked a;

    asked_init(&a);
    wait_for(&a, ops->listing(live.site, &a.call, &(struct report_window){.from_s = now_s - 3600}));
    check_end(&a, REPORT_OK);
    assert_string_equal(buf_cstr(&a.records), "listed " LSID2 " 0\n");
    assert_true(a.outcome.sent_ms > 0 && a.outcome.has_date);
    assert_string_equal(a.outcome.permission, "perm_reporting_support");
    asked_free(&a);
    asked_init(&a);
    wait_for(&a, ops->listing(live.site, &a.call, &(struct report_window){true, now_s - 3600, 0}));
    assert_int_equal(a.outcome.rows, 2);
    asked_free(&a);
    asked_init(&a);
    wait_for(&a, ops->listing(live.site, &a.call, &(struct report_window){false, now_s - 7200, 60}));
    check_end(&a, REPORT_NO_ROWS);
    asked_free(&a);
    asked_init(&a);
    wait_for(&a, ops->sessions(live.site, &a.call, lsids, 2));
    check_end(&a, REPORT_OK);
    assert_int_equal(a.outcome.rows, 2);
    assert_non_null(strstr(buf_cstr(&a.records), "session lsid=" LSID));
    assert_non_null(strstr(buf_cstr(&a.records), "session lsid=" LSID2));
    assert_non_null(strstr(buf_cstr(&a.records), "type=Session End"));
    asked_free(&a);
    asked_init(&a);
    wait_for(&a, ops->sessions(live.site, &a.call, unknown, 1));
    check_end(&a, REPORT_INVALID_LSID);
    asked_free(&a);
}

static void check_others(void)
{
    const struct report_site_ops *ops = live.site->ops;
    struct asked a;

    asked_init(&a);
    wait_for(&a, ops->info(live.site, &a.call));
    check_end(&a, REPORT_OK);
    assert_int_equal(a.infos, 1);
    assert_int_equal(a.grant, REPORT_GRANT_YES);
    asked_free(&a);
    asked_init(&a);
    wait_for(&a, ops->attributes(live.site, &a.call, LSID));
    check_end(&a, REPORT_OK);
    asked_free(&a);
    asked_init(&a);
    wait_for(&a, ops->attributes(live.site, &a.call, LSID2));
    check_end(&a, REPORT_INVALID_LSID);
    asked_free(&a);
    asked_init(&a);
    wait_for(&a, ops->page(live.site, &a.call, REPORT_PAGE_JUMPOINT, 1));
    check_end(&a, REPORT_OK);
    assert_true(a.outcome.last);
    assert_non_null(strstr(buf_cstr(&a.records), "jumpoint jumpoint_id="));
    asked_free(&a);
    assert_true(ops->rate_remaining(live.site) > 0);
}

TEST(pra_sim_answers)
{
    struct buf answer = BUF_INIT(1 << 20);
    struct asked a;

    sim_start();
    make_sessions(&answer);
    check_reports();
    check_others();
    order("POST", "/accounts", "{\"permissions\":{\"perm_reporting_support\":\"0\"}}", &answer);
    asked_init(&a);
    wait_for(&a, live.site->ops->listing(live.site, &a.call, &(struct report_window){.from_s = 1}));
    check_end(&a, REPORT_DENIED);
    asked_free(&a);
    order("GET", "/counts", "", &answer);
    assert_non_null(strstr(buf_cstr(&answer), "\"violations\":{}"));
    buf_free(&answer);
    site_stop();
}

/* Every list, to its last page. */
static void check_inventory(void)
{
    for (int kind = 0; kind < REPORT_NPAGES; kind++) {
        bool last = false;
        for (unsigned page = 1; !last; page++) {
            struct asked a;
            case_label("%s %u", report_page_name((enum report_page_kind)kind), page);
            asked_init(&a);
            wait_for(&a, live.site->ops->page(live.site, &a.call, (enum report_page_kind)kind, page));
            check_end(&a, REPORT_OK);
            assert_int_equal(a.outcome.refused, 0);
            last = a.outcome.last;
            assert_true(page < 20);
            asked_free(&a);
        }
    }
}

TEST(a_made_up_month)
{
    struct buf answer = BUF_INIT(1 << 20);
    int64_t now_s = clock_wall(&clock_system) / 1000;
    struct asked a;

    sim_start();
    order("POST", "/month", "{\"sessions\":2000,\"events\":5,\"seed\":3,\"days\":30,\"endpoints\":500}",
          &answer);
    asked_init(&a);
    wait_for(&a, live.site->ops->team(live.site, &a.call, now_s - 20 * 86400));
    check_end(&a, REPORT_OK);
    assert_true(a.outcome.rows > 0 && !a.outcome.refused);
    asked_free(&a);
    asked_init(&a);
    wait_for(&a, live.site->ops->vault(live.site, &a.call, now_s - 20 * 86400));
    check_end(&a, REPORT_OK);
    assert_true(a.outcome.rows > 0 && !a.outcome.refused);
    asked_free(&a);
    asked_init(&a);
    wait_for(&a, live.site->ops->syslog(live.site, &a.call, NULL));
    check_end(&a, REPORT_OK);
    assert_true(a.outcome.rows > 0);
    assert_int_equal(a.outcome.refused, 0);
    asked_free(&a);
    check_inventory();
    order("GET", "/counts", "", &answer);
    assert_non_null(strstr(buf_cstr(&answer), "\"violations\":{}"));
    buf_free(&answer);
    site_stop();
}

/* No batch comes while the call is paused; all of them come in the end. */
TEST(a_large_answer_with_pauses)
{
    struct buf answer = BUF_INIT(16 << 20);
    struct asked a;
    size_t pauses = 0;

    sim_start();
    order("POST", "/sessions",
          "{\"count\":5000,\"start_ago_ms\":50000,\"ended\":true,\"end_ago_ms\":1000,\"events\":false}",
          &answer);
    asked_init(&a);
    a.pause_each = true;
    assert_int_equal(live.site->ops->listing(live.site, &a.call, &(struct report_window){.from_s = 1}), 0);
    while (!a.ended) {
        size_t before = a.batches;
        turn();
        if (a.batches == before || a.ended)
            continue;
        before = a.batches;
        for (int i = 0; i < 20; i++)
            uv_run(loop_uv(live.loop), UV_RUN_NOWAIT);
        assert_true(a.batches == before ||
                    a.ended); /* the rest of an answer that is read comes with its end */
        pauses++;
        live.site->ops->resume(&a.call);
    }
    check_end(&a, REPORT_OK);
    assert_int_equal(a.outcome.rows, 5000);
    assert_true(pauses > 5);
    asked_free(&a);
    buf_free(&answer);
    site_stop();
}

#endif

/* ---- a small site ---- */

struct small_answer {
    const char *target; /* a part of it */
    int status;
    const char *headers, *body;
    size_t len;      /* of the body, 0 = strlen */
    size_t promised; /* Content-Length, 0 = the body's */
};

static void small_reply(int fd, const struct small_answer *a)
{
    size_t len = a->len ? a->len : strlen(a->body);
    char head[1024];
    int n =
        snprintf(head, sizeof(head), "HTTP/1.1 %d x\r\n%sConnection: close\r\nContent-Length: %zu\r\n\r\n",
                 a->status, a->headers, a->promised ? a->promised : len);

    if (write(fd, head, (size_t)n) < 0)
        return;
    for (size_t at = 0; at < len;) {
        ssize_t done = write(fd, a->body + at, len - at);
        if (done <= 0)
            return;
        at += (size_t)done;
    }
}

static void small_serve(int listener, const struct small_answer *answers)
{
    static const struct small_answer token = {
        "/oauth2/token",
        200,
        "Content-Type: application/json\r\n",
        "{\"access_token\":\"t\",\"token_type\":\"Bearer\",\"expires_in\":3600}",
        0,
        0};

    for (;;) {
        char request[65536] = "";
        size_t n = 0;
        int fd = accept(listener, NULL, NULL);
        ssize_t got;
        while (!strstr(request, "\r\n\r\n") && (got = read(fd, request + n, sizeof(request) - 1 - n)) > 0)
            n += (size_t)got;
        request[strcspn(request, "\r")] = '\0';
        const struct small_answer *a = strstr(request, token.target) ? &token : answers;
        while (a != &token && a->target && !strstr(request, a->target))
            a++;
        if (a->target)
            small_reply(fd, a);
        (void)shutdown(fd, SHUT_WR);
        while (read(fd, request, sizeof(request)) > 0)
            ;
        (void)close(fd);
    }
}

static void small_start(const struct small_answer *answers)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(at);
    int listener = socket(AF_INET, SOCK_STREAM, 0);

    memset(&live, 0, sizeof(live));
    assert_int_equal(bind(listener, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(listen(listener, 16), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&at, &size), 0);
    (void)snprintf(live.url, sizeof(live.url), "http://127.0.0.1:%d", ntohs(at.sin_port));
    live.peer = fork();
    assert_true(live.peer >= 0);
    if (!live.peer)
        small_serve(listener, answers);
    (void)close(listener);
    site_start();
}

#define XML         "Content-Type: text/xml\r\n"
#define JSON        "Content-Type: application/json\r\n"
#define ZIP         "Content-Type: application/zip\r\nDate: Tue, 14 Nov 2023 22:13:20 GMT\r\n"
#define LINE(event) "Nov 14 10:00:00 pra1 BG[77]: 1234:01:01:event=" event "\n"

TEST(reports_and_pages_of_a_small_site)
{
    static const struct small_answer answers[] = {
        {"generate_report=Team&start_time=7&duration=0 ", 200, XML,
         "<team_activity_list><team_activity id=\"4\" name=\"Ops\"><events><event timestamp=\"10\"/></events>"
         "</team_activity></team_activity_list>",
         0, 0},
        {"generate_report=VaultAccountActivity&start_time=8&duration=0 ", 200, XML,
         "<vault_account_activity_list><error>No vault account activity matching your chosen criteria is "
         "available."
         "</error></vault_account_activity_list>",
         0, 0},
        {"/vault/account?per_page=100&current_page=2 ", 401, JSON,
         "{\"message\":\"Unknown query parameter\"}", 0, 0},
        {"/vault/account?current_page=2 ", 200, JSON "X-BT-Pagination-Last-Page: 3\r\n", "[{\"id\":7}]", 0,
         0},
        {"/jump-group?", 403, JSON, "{\"message\":\"no\"}", 0, 0},
        {"/jump-client?", 404, "Content-Type: text/html\r\n", "<html/>", 0, 0},
        {"get_api_info", 429, XML "Retry-After: 9\r\n", "", 0, 0},
        {0}};
    const struct report_site_ops *ops;
    struct asked a;

    small_start(answers);
    ops = live.site->ops;
    asked_init(&a);
    wait_for(&a, ops->team(live.site, &a.call, 7));
    check_end(&a, REPORT_OK);
    assert_string_equal(buf_cstr(&a.records), "team team_id=4 name=Ops timestamp=10\n");
    asked_free(&a);
    asked_init(&a);
    wait_for(&a, ops->vault(live.site, &a.call, 8));
    check_end(&a, REPORT_NO_ROWS);
    asked_free(&a);
    asked_init(&a);
    wait_for(&a, ops->page(live.site, &a.call, REPORT_PAGE_VAULT_ACCOUNT, 2));
    check_end(&a, REPORT_OK);
    assert_string_equal(buf_cstr(&a.records), "account account_id=7\n");
    assert_false(a.outcome.last);
    asked_free(&a);
    asked_init(&a);
    wait_for(&a, ops->page(live.site, &a.call, REPORT_PAGE_JUMP_GROUP, 1));
    check_end(&a, REPORT_DENIED);
    assert_string_equal(a.outcome.permission, "perm_configuration");
    asked_free(&a);
    asked_init(&a);
    wait_for(&a, ops->page(live.site, &a.call, REPORT_PAGE_JUMP_CLIENT, 1));
    assert_int_equal(a.outcome.status, 404);
    check_end(&a, REPORT_WEB_PAGE);
    asked_free(&a);
    asked_init(&a);
    wait_for(&a, ops->info(live.site, &a.call));
    check_end(&a, REPORT_RATE_LIMITED);
    assert_int_equal(a.outcome.retry_after_ms, 9000);
    asked_free(&a);
    site_stop();
}

TEST(a_broken_answer_keeps_what_was_complete)
{
    static const struct small_answer answers[] = {
        {"/api/reporting", 200, XML,
         "<session_list><session lsid=\"" LSID "\"/><session lsid=\"" LSID2 "\"><ls", 0, 5000},
        {0}};
    const char *const lsids[] = {LSID, LSID2};
    struct asked a;

    small_start(answers);
    asked_init(&a);
    wait_for(&a, live.site->ops->sessions(live.site, &a.call, lsids, 2));
    check_end(&a, REPORT_BROKEN);
    assert_int_equal(a.outcome.rows, 1);
    assert_false(report_end_is_whole(a.outcome.end));
    asked_free(&a);
    site_stop();
}

/* ---- archives ---- */

static void make_log(struct buf *zip, size_t lines)
{
    struct buf text = BUF_INIT(64 << 20);

    for (size_t i = 0; i < lines; i++)
        (void)buf_printf(&text, "Nov 14 10:00:00 pra1 BG[77]: 1234:01:01:event=e%zu;x=%zx\n", i,
                         i * 2654435761u);
    archive_make(zip, &(struct archive_member){"messages", buf_cstr(&text), text.len, false}, 1);
    buf_free(&text);
}

static void check_large_archive(char digest[65])
{
    struct asked a, other;

    asked_init(&a);
    a.pause_each = true;
    assert_int_equal(live.site->ops->syslog(live.site, &a.call, NULL), 0);
    asked_init(&other);
    assert_int_equal(live.site->ops->syslog(live.site, &other.call, NULL), -EBUSY);
    while (!a.ended) {
        size_t before = a.batches;
        turn();
        if (a.batches == before || a.ended)
            continue;
        for (int i = 0; i < 20; i++)
            uv_run(loop_uv(live.loop), UV_RUN_NOWAIT);
        assert_int_equal(a.batches, before + 1);
        live.site->ops->resume(&a.call);
    }
    check_end(&a, REPORT_OK);
    assert_int_equal(a.outcome.rows, 5000);
    assert_int_equal(a.outcome.refused, 0);
    assert_true(a.batches > 5);
    assert_int_equal(strlen(a.outcome.digest), 64);
    (void)text_copy(digest, 65, a.outcome.digest);
    asked_free(&a);
}

TEST(an_archive_is_read_on_a_thread)
{
    struct buf zip = BUF_INIT(64 << 20);
    struct asked a;
    char digest[65];

    make_log(&zip, 5000);
    small_start(
        (const struct small_answer[]){{"generate_report=Syslog ", 200, ZIP, zip.data, zip.len, 0}, {0}});
    check_large_archive(digest);
    asked_init(&a);
    wait_for(&a, live.site->ops->syslog(live.site, &a.call, digest)); /* the same archive */
    check_end(&a, REPORT_OK);
    assert_int_equal(a.outcome.rows, 0);
    assert_string_equal(a.outcome.digest, digest);
    asked_free(&a);
    buf_free(&zip);
    site_stop();
}

static void check_syslog(const struct small_answer *answer, enum report_end end)
{
    struct asked a;

    small_start((const struct small_answer[]){*answer, {0}});
    asked_init(&a);
    wait_for(&a, live.site->ops->syslog(live.site, &a.call, ""));
    check_end(&a, end);
    asked_free(&a);
    site_stop();
}

TEST(an_archive_that_is_none)
{
    check_syslog(&(struct small_answer){"Syslog", 200, ZIP, "PK\3\4 nothing", 0, 0}, REPORT_FORMAT);
    check_syslog(
        &(struct small_answer){"Syslog", 200, XML, "<error>You do not have permission.</error>", 0, 0},
        REPORT_DENIED);
    check_syslog(&(struct small_answer){"Syslog", 200, XML, "<session_list/>", 0, 0}, REPORT_FORMAT);
    check_syslog(&(struct small_answer){"Syslog", 200, ZIP, "PK\3\4", 0, 100}, REPORT_BROKEN);
    check_syslog(&(struct small_answer){"Syslog", 500, XML, "<error>Oops.</error>", 0, 0}, REPORT_SITE_ERROR);
}

TEST(a_spool_that_cannot_be_written)
{
    struct asked a;

    small_start((const struct small_answer[]){{"Syslog", 200, ZIP, "PK\3\4 nothing", 0, 0}, {0}});
    live.params.spool_dir = "/nonexistent";
    assert_int_equal(report_site_reload(live.site, &live.params, NULL), 0);
    asked_init(&a);
    wait_for(&a, live.site->ops->syslog(live.site, &a.call, NULL));
    check_end(&a, REPORT_NO_SPOOL);
    asked_free(&a);
    site_stop();
}

/* ---- cancelling and closing ---- */

/* At any number of turns of the loop: nothing is told afterwards, and nothing is left. */
TEST(calls_that_are_cancelled_or_stopped_at_any_time)
{
    struct buf zip = BUF_INIT(64 << 20);

    make_log(&zip, 3000);
    for (int turns = 0; turns < 60; turns += 3) {
        struct asked a, b;
        bool cancel = turns % 2;
        case_label("%d turns", turns);
        small_start((const struct small_answer[]){{"Syslog", 200, ZIP, zip.data, zip.len, 0},
                                                  {"Team", 200, XML, "<team_activity_list/>", 0, 0},
                                                  {0}});
        asked_init(&a);
        asked_init(&b);
        assert_int_equal(live.site->ops->syslog(live.site, &a.call, NULL), 0);
        assert_int_equal(live.site->ops->team(live.site, &b.call, 1), 0);
        assert_int_equal(live.site->ops->team(live.site, &b.call, 1), -EBUSY);
        for (int i = 0; i < turns && !(a.ended && b.ended); i++)
            uv_run(loop_uv(live.loop), i % 4 ? UV_RUN_NOWAIT : UV_RUN_ONCE);
        int a_before = a.ended, b_before = b.ended;
        if (cancel) {
            live.site->ops->cancel(&a.call);
            live.site->ops->cancel(&b.call);
            live.site->ops->cancel(&b.call);
        }
        site_stop();
        assert_int_equal(a.ended, cancel ? a_before : 1);
        assert_int_equal(b.ended, cancel ? b_before : 1);
        asked_free(&a);
        asked_free(&b);
    }
    buf_free(&zip);
}

TEST(questions_that_make_no_sense)
{
    static const struct small_answer none[] = {{0}};
    const char *const bad[] = {"no lsid"};
    struct asked a;

    small_start(none);
    asked_init(&a);
    const struct report_site_ops *ops = live.site->ops;
    assert_int_equal(ops->sessions(live.site, &a.call, bad, 1), -EINVAL);
    assert_int_equal(ops->sessions(live.site, &a.call, bad, 0), -EINVAL);
    assert_int_equal(ops->attributes(live.site, &a.call, "x"), -EINVAL);
    assert_int_equal(ops->page(live.site, &a.call, REPORT_PAGE_JUMPOINT, 0), -EINVAL);
    assert_int_equal(ops->listing(live.site, &a.call, &(struct report_window){.from_s = -1}), -EINVAL);
    assert_null(a.call.inside);
    ops->pause(&a.call);
    ops->resume(&a.call);
    ops->cancel(&a.call);
    assert_int_equal(ops->rate_remaining(live.site), -1);
    assert_int_equal(a.ended, 0);
    site_stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#ifdef SIMULATOR
        cmocka_unit_test(pra_sim_answers),
        cmocka_unit_test(a_made_up_month),
        cmocka_unit_test(a_large_answer_with_pauses),
#endif
        cmocka_unit_test(reports_and_pages_of_a_small_site),
        cmocka_unit_test(a_broken_answer_keeps_what_was_complete),
        cmocka_unit_test(an_archive_is_read_on_a_thread),
        cmocka_unit_test(an_archive_that_is_none),
        cmocka_unit_test(a_spool_that_cannot_be_written),
        cmocka_unit_test(calls_that_are_cancelled_or_stopped_at_any_time),
        cmocka_unit_test(questions_that_make_no_sense),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
