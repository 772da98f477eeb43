/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vault_rig.c - see the header. The fakes here keep the written rules of loop/upstream/upstream.h, and are
 * strict where it is: done() never inside upstream_call(), nothing after a cancel, -ECANCELED for all when
 * the upstream closes.
 */
#include "vault_rig.h"

#include "base/log.h"
#include "base/metrics.h"
#include "secrets_gone.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define FILES_MAX 8

struct rig rig;
static char log_path[64];
static const char *files[FILES_MAX];
static size_t nfiles;
static const char *const *never_logged;

/* ---- loop/upstream and loop, as the backend sees them ---- */

struct timers *loop_timers(struct loop *loop)
{
    (void)loop;
    return rig.timers;
}

const struct clock *loop_clock(struct loop *loop)
{
    (void)loop;
    return &rig.fc.clock;
}

struct upstream_next *upstream_prepare(const struct upstream_opts *opts)
{
    struct upstream_opts *copy = malloc(sizeof(*copy));

    assert_non_null(copy);
    *copy = *opts;
    return (struct upstream_next *)copy;
}

void upstream_discard(struct upstream_next *renewal)
{
    free(renewal);
}

void upstream_reload(struct upstream *up, struct upstream_next *renewal)
{
    (void)up;
    rig.renewed_connections = ((const struct upstream_opts *)renewal)->connections;
    free(renewal);
}

struct upstream *upstream_new(struct loop *loop, const struct upstream_opts *opts, char why[256])
{
    (void)loop;
    (void)why;
    assert_string_equal(opts->url, RIG_URL);
    return (struct upstream *)(void *)&rig;
}

static struct rig_sent *sent_new(struct call *call)
{
    struct rig_sent *sent = calloc(1, sizeof(*sent));

    assert_non_null(sent);
    sent->call = call;
    sent->method = strdup(call->method);
    sent->target = strdup(call->target);
    sent->headers = strdup(call->headers ? call->headers : "");
    sent->body = strndup(call->body ? call->body : "", call->body_len);
    return sent;
}

static void sent_free(struct rig_sent *sent)
{
    free(sent->method);
    free(sent->target);
    free(sent->headers);
    free(sent->body);
    free(sent);
}

static bool is_probe(const struct call *call)
{
    return !strcmp(call->target, rig.probe_target);
}

int upstream_call(struct upstream *up, struct call *call)
{
    struct rig_sent *sent;

    (void)up;
    assert_non_null(call->done);
    assert_true(call->timeout_ms > 0);
    call->begun_ms = rig.fc.now;
    if (is_probe(call)) {
        assert_null(rig.probe);
        rig.probe = sent_new(call);
        rig.probes++;
        call->state = 1;
        return 0;
    }
    if (rig.refuse_calls)
        return rig.refuse_calls;
    sent = sent_new(call);
    call->state = 1;
    call->body_in.max = 1 << 20;
    call->cookies.max = 1 << 16;
    TAILQ_INSERT_TAIL(&rig.sent, sent, link);
    rig.total++;
    return 0;
}

static struct rig_sent *sent_of(const struct call *call)
{
    struct rig_sent *sent;

    if (rig.probe && rig.probe->call == call)
        return rig.probe;
    TAILQ_FOREACH(sent, &rig.sent, link)
    if (sent->call == call)
        return sent;
    return NULL;
}

/* The texts must still be there, unchanged. */
static void sent_take(struct call *call)
{
    struct rig_sent *sent = sent_of(call);

    assert_non_null(sent);
    assert_string_equal(call->target, sent->target);
    assert_string_equal(call->headers ? call->headers : "", sent->headers);
    assert_memory_equal(call->body ? call->body : "", sent->body, call->body_len);
    if (sent == rig.probe)
        rig.probe = NULL;
    else
        TAILQ_REMOVE(&rig.sent, sent, link);
    sent_free(sent);
    call->state = 0;
}

void upstream_cancel(struct call *call)
{
    if (sent_of(call))
        sent_take(call);
    call_free_answer(call);
}

bool upstream_unsent(const struct call *call)
{
    return rig.in_line && sent_of(call) && !call->sent;
}

void call_free_answer(struct call *call)
{
    buf_free(&call->cookies);
    buf_free(&call->body_in);
}

void upstream_close(struct upstream *up, void (*closed)(void *arg), void *arg)
{
    (void)up;
    assert_null(rig.closing);
    rig.closing = closed;
    rig.closing_arg = arg;
}

void upstream_outlook(const struct upstream *up, const struct fair_queue_party *party,
                      struct upstream_outlook *out)
{
    (void)up;
    (void)party;
    *out = rig.outlook;
}

void upstream_state(const struct upstream *up, struct upstream_state *state)
{
    (void)up;
    *state = (struct upstream_state){
        .connections = 3, .connecting = rig.connecting, .priority_queue = {rig.in_first_line}};
}

/* ---- the test's side ---- */

static void files_remove(void)
{
    for (size_t i = 0; i < nfiles; i++)
        (void)unlink(files[i]);
}

void rig_file(char path[64], const char *text)
{
    int fd;

    if (*path)
        return;
    (void)snprintf(path, 64, "/tmp/test-vault-XXXXXX");
    fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    (void)close(fd);
    assert_true(nfiles < FILES_MAX);
    if (!nfiles)
        (void)atexit(files_remove);
    files[nfiles++] = path;
}

/* Everything is logged, down to debug, and none of it may hold a secret. */
static void log_start(void)
{
    rig_file(log_path, "");
    assert_int_equal(log_open(&(struct log_opts){.level = LOG_DEBUG, .file = log_path}), 0);
}

static void log_check(void)
{
    static char text[1 << 16];
    int fd = open(log_path, O_RDONLY | O_CLOEXEC);
    ssize_t n = read(fd, text, sizeof(text) - 1);

    (void)close(fd);
    assert_true(n >= 0);
    text[n] = '\0';
    for (size_t i = 0; never_logged[i]; i++)
        assert_lacks(text, never_logged[i]);
    assert_int_equal(truncate(log_path, 0), 0);
}

void rig_open(const char *probe_target, const char *const *never)
{
    memset(&rig, 0, sizeof(rig));
    fake_clock_init(&rig.fc);
    rig.timers = timers_new(&rig.fc.clock);
    assert_non_null(rig.timers);
    TAILQ_INIT(&rig.sent);
    rig.probe_target = probe_target;
    never_logged = never;
    if (!*log_path)
        log_start();
}

static void on_closed(void *arg)
{
    *(bool *)arg = true;
}

static void assert_no_metric(void)
{
    struct buf page = BUF_INIT(1U << 20);

    metrics_render(&page);
    assert_lacks(buf_cstr(&page), "jumpgate_vault");
    buf_free(&page);
}

void rig_end(void (*close_vault)(struct vault *, void (*closed)(void *), void *), const char *signout)
{
    if (rig.vault) {
        close_vault(rig.vault, on_closed, &rig.closed);
        while (!TAILQ_EMPTY(&rig.sent)) {
            assert_contains(TAILQ_FIRST(&rig.sent)->target, signout);
            rig_answer(TAILQ_FIRST(&rig.sent)->call, 200, "");
        }
        assert_null(rig.probe);
        assert_false(rig.closed);
        assert_non_null(rig.closing);
        rig.closing(rig.closing_arg);
        assert_true(rig.closed);
        assert_no_metric();
    }
    assert_int_equal(timers_count(rig.timers), 0);
    timers_free(rig.timers);
    log_check();
    assert_secrets_gone();
}

static void probe_answer(void)
{
    static const struct rig_answer answer = {.status = 401, .body = "\"User not authenticated\""};

    if (rig.probe && !rig.hold_probes)
        rig_reply(rig.probe->call, &answer);
}

void rig_advance(uint64_t ms)
{
    uint64_t end = rig.fc.now + ms, next;

    for (int steps = 0; steps < 100000; steps++) {
        (void)timers_run(rig.timers);
        probe_answer();
        next = timers_next(rig.timers);
        if (next == UINT64_MAX || rig.fc.now + next > end)
            break;
        fake_clock_advance(&rig.fc, next);
    }
    fake_clock_advance(&rig.fc, end - rig.fc.now);
    (void)timers_run(rig.timers);
    probe_answer();
}

struct call *rig_call(size_t i)
{
    struct rig_sent *sent;

    TAILQ_FOREACH(sent, &rig.sent, link)
    if (!i--)
        break;
    if (!sent)
        return NULL;
    (void)snprintf(rig.last_method, sizeof(rig.last_method), "%s", sent->method);
    (void)snprintf(rig.last_target, sizeof(rig.last_target), "%s", sent->target);
    (void)snprintf(rig.last_headers, sizeof(rig.last_headers), "%s", sent->headers);
    (void)snprintf(rig.last_body, sizeof(rig.last_body), "%s", sent->body);
    rig.last_background = sent->call->background;
    rig.last_safe = sent->call->safe;
    rig.last_timeout_ms = sent->call->timeout_ms;
    return sent->call;
}

size_t rig_waiting(void)
{
    struct rig_sent *sent;
    size_t n = 0;

    TAILQ_FOREACH(sent, &rig.sent, link)
    n++;
    return n;
}

static void value_set(struct call *call, enum call_headers which, const char *text)
{
    (void)snprintf(call->value[which], sizeof(call->value[which]), "%s", text ? text : "");
}

void rig_reply(struct call *call, const struct rig_answer *answer)
{
    sent_take(call);
    call->err = 0;
    call->sent = true;
    call->status = answer->status;
    call->body_in.max = 4 << 20;
    call->body_in.secret = call->secret;
    call->cookies.max = 1 << 16;
    value_set(call, CALL_2FA, answer->second_factor);
    value_set(call, CALL_RETRY_AFTER, answer->retry_after);
    value_set(call, CALL_DATE, answer->date);
    value_set(call, CALL_CONTENT_TYPE, answer->content_type);
    if (answer->body)
        assert_int_equal(buf_str(&call->body_in, answer->body), 0);
    if (answer->cookies)
        assert_int_equal(buf_str(&call->cookies, answer->cookies), 0);
    call->done(call);
}

void rig_answer(struct call *call, int status, const char *body)
{
    rig_reply(call, &(struct rig_answer){.status = status, .body = body});
}

void rig_fail(struct call *call, int err, bool sent)
{
    sent_take(call);
    call->err = err;
    call->sent = sent;
    call->status = 0;
    (void)snprintf(call->why, sizeof(call->why), "planned");
    call->done(call);
}

/* ---- what the broker would do ---- */

static void on_done(struct vault_call *call)
{
    struct rig_ask *ask = (struct rig_ask *)(void *)call;

    ask->done++;
    assert_int_equal(ask->done, 1);
    if (ask->then)
        ask->then(ask);
}

void ask_init(struct rig_ask *ask, const char *user)
{
    memset(ask, 0, sizeof(*ask));
    ask->call.user = user;
    ask->call.timeout_ms = SECONDS(15);
    ask->call.done = on_done;
}

void ask_free(struct rig_ask *ask)
{
    vault_call_free(&ask->call);
}

void ask_again(struct rig_ask *ask, const char *user)
{
    ask_free(ask);
    ask_init(ask, user);
}
