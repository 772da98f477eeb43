/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_pra_rig.c - see the header. The fakes keep the written rules of loop/upstream/upstream.h.
 */
#include "test_pra_rig.h"

#include "base/json.h"
#include "base/log.h"
#include "secrets_gone.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

struct rig rig;

/* ---- loop/upstream and loop, as the client sees them ---- */

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
    (void)opts;
    return malloc(1);
}

void upstream_discard(struct upstream_next *next)
{
    free(next);
}

void upstream_reload(struct upstream *up, struct upstream_next *next)
{
    (void)up;
    free(next);
}

struct upstream *upstream_new(struct loop *loop, const struct upstream_opts *opts, char why[256])
{
    (void)loop;
    (void)why;
    assert_true(opts->single);
    assert_true(opts->connections <= 4);
    return (struct upstream *)(void *)&rig;
}

static void on_closed(struct deadline *d)
{
    (void)d;
    rig.closed = true;
    rig.on_closed(rig.closed_arg);
}

void upstream_close(struct upstream *up, void (*closed)(void *arg), void *arg)
{
    (void)up;
    assert_true(TAILQ_EMPTY(&rig.sent));
    rig.on_closed = closed;
    rig.closed_arg = arg;
    rig.closing = true;
    assert_int_equal(timer_start(rig.timers, &rig.later, 0, on_closed), 0);
}

int upstream_call(struct upstream *up, struct call *call)
{
    struct rig_sent *sent;

    (void)up;
    assert_non_null(call->done);
    assert_true(call->timeout_ms > 0);
    assert_int_equal(call->secret, strstr(call->target, "/oauth2/token") != NULL);
    assert_false(rig.closing);
    if (rig.refuse)
        return rig.refuse;
    rig.in_rig = true;
    sent = calloc(1, sizeof(*sent));
    assert_non_null(sent);
    sent->call = call;
    sent->method = strdup(call->method);
    sent->target = strdup(call->target);
    sent->headers = strdup(call->headers ? call->headers : "");
    sent->body = strndup(call->body ? call->body : "", call->body_len);
    rig.in_rig = false;
    sent->at_ms = rig.fc.now;
    call->state = 1;
    call->started_us = clock_measure_us();
    call->body_in = BUF_INIT(call->max_answer);
    TAILQ_INSERT_TAIL(&rig.sent, sent, link);
    rig.total++;
    return 0;
}

static struct rig_sent *sent_of(const struct call *call)
{
    struct rig_sent *sent;

    TAILQ_FOREACH(sent, &rig.sent, link)
    if (sent->call == call)
        return sent;
    return NULL;
}

static void sent_free(struct rig_sent *sent)
{
    free(sent->method);
    free(sent->target);
    free(sent->headers);
    free(sent->body);
    free(sent);
}

/* The texts must still be there, unchanged. */
static void sent_take(struct call *call)
{
    struct rig_sent *sent = sent_of(call);

    assert_non_null(sent);
    assert_string_equal(call->target, sent->target);
    assert_string_equal(call->headers ? call->headers : "", sent->headers);
    assert_memory_equal(call->body ? call->body : "", sent->body, call->body_len);
    TAILQ_REMOVE(&rig.sent, sent, link);
    sent_free(sent);
}

void upstream_cancel(struct call *call)
{
    if (!call->state)
        return;
    sent_take(call);
    rig.cancelled++;
    call->state = 0;
    call_free_answer(call);
}

void upstream_resume(struct call *call)
{
    assert_ptr_equal(call, rig.answering);
    rig.resumed = true;
}

void call_free_answer(struct call *call)
{
    buf_free(&call->body_in);
    buf_free(&call->cookies);
}

/* ---- the site's side ---- */

size_t rig_waiting(void)
{
    struct rig_sent *sent;
    size_t n = 0;

    TAILQ_FOREACH(sent, &rig.sent, link)
    n++;
    return n;
}

static struct call *show(const struct rig_sent *sent)
{
    (void)snprintf(rig.last_method, sizeof(rig.last_method), "%s", sent->method);
    (void)snprintf(rig.last_target, sizeof(rig.last_target), "%s", sent->target);
    (void)snprintf(rig.last_headers, sizeof(rig.last_headers), "%s", sent->headers);
    (void)snprintf(rig.last_body, sizeof(rig.last_body), "%s", sent->body);
    return sent->call;
}

struct call *rig_call(size_t i)
{
    struct rig_sent *sent;

    TAILQ_FOREACH(sent, &rig.sent, link)
    if (i-- == 0)
        return show(sent);
    return NULL;
}

struct call *rig_find(const char *target)
{
    struct rig_sent *sent;

    TAILQ_FOREACH(sent, &rig.sent, link)
    if (strstr(sent->target, target) || strstr(sent->body, target))
        return show(sent);
    return NULL;
}

static void set_value(struct call *call, enum call_headers which, const char *value)
{
    (void)snprintf(call->value[which], sizeof(call->value[which]), "%s", value ? value : "");
}

/* One piece, then only timers that are due: the client resumes from there. False: it took the last one. */
static void give_pieces(struct call *call, const char *body)
{
    size_t left = strlen(body), step = rig.piece;

    rig.answering = call;
    while (left) {
        size_t n = left < step ? left : step;
        rig.in_rig = true;
        char *copy = malloc(n); /* of exactly its size: a read beyond it is seen */
        rig.in_rig = false;
        assert_non_null(copy);
        memcpy(copy, body, n);
        int r = call->piece(call, copy, n);
        free(copy);
        assert_int_equal(r, CALL_PAUSE); /* one piece in an iteration */
        rig.resumed = false;
        (void)timers_run(rig.timers);
        assert_true(rig.resumed);
        body += n;
        left -= n;
    }
    rig.answering = NULL;
}

void rig_reply(struct call *call, const struct rig_answer *a)
{
    const char *body = a->body ? a->body : "";

    assert_non_null(call);
    call->status = a->status ? a->status : 200;
    call->err = 0;
    call->sent = true;
    set_value(call, CALL_CONTENT_TYPE, a->type);
    set_value(call, CALL_DATE, a->date);
    set_value(call, CALL_RETRY_AFTER, a->retry_after);
    set_value(call, CALL_RATE_REMAINING, a->remaining);
    set_value(call, CALL_LAST_PAGE, a->last_page);
    if (call->piece)
        give_pieces(call, body);
    else if (buf_append(&call->body_in, body, strlen(body)))
        call->err = -EMSGSIZE;
    sent_take(call);
    call->state = 0;
    call->done(call);
}

void rig_answer(struct call *call, int status, const char *type, const char *body)
{
    rig_reply(call, &(struct rig_answer){.status = status, .type = type, .body = body});
}

void rig_xml(struct call *call, const char *body)
{
    rig_answer(call, 200, "text/xml; charset=utf-8", body);
}

void rig_fail(struct call *call, int err, enum call_fault fault)
{
    assert_non_null(call);
    sent_take(call);
    call->state = 0;
    call->err = err;
    call->fault = fault;
    call->sent = err != -ECONNREFUSED;
    call->status = 0;
    (void)snprintf(call->why, sizeof(call->why), "words about the failure");
    call->done(call);
}

void rig_grant(void)
{
    char body[128];

    (void)snprintf(body, sizeof(body), RIG_TOKEN, ++rig.tokens);
    rig_answer(rig_find("/oauth2/token"), 200, "application/json", body);
}

/* ---- life ---- */

int rig_start(void **state)
{
    (void)state;
    json_init();
    (void)log_open(&(struct log_opts){.level = LOG_ERROR, .file = "-"});
    memset(&rig, 0, sizeof(rig));
    fake_clock_init(&rig.fc);
    rig.timers = timers_new(&rig.fc.clock);
    TAILQ_INIT(&rig.sent);
    rig.piece = 11;
    rig.params = (struct pra_params){
        .name = "site",
        .url = "https://site.example.test",
        .client_id = "id-of-the-account",
        .connect_timeout_ms = 5000,
        .call_timeout_ms = 10000,
        .report_timeout_ms = 30000,
        .max_answer = 1 << 20,
        .rate_per_s = 5,
    };
    return rig.timers ? 0 : -1;
}

void rig_open(void)
{
    struct secret secret = {0};
    char why[256];

    assert_int_equal(secret_set(&secret, "s3cret", 6), 0);
    rig.client = pra_client_new(NULL, &rig.params, &secret, why);
    assert_non_null(rig.client);
    assert_null(secret.p);
}

static void on_client_closed(void *arg)
{
    *(bool *)arg = true;
}

int rig_stop(void **state)
{
    bool closed = false;

    (void)state;
    if (rig.client) {
        pra_client_close(rig.client, on_client_closed, &closed);
        assert_false(closed);
        (void)timers_run(rig.timers);
        assert_true(closed);
    }
    assert_true(TAILQ_EMPTY(&rig.sent));
    assert_int_equal(timers_count(rig.timers), 0);
    timers_free(rig.timers);
    assert_secrets_gone();
    return 0;
}

void rig_again(void)
{
    rig_stop(NULL);
    rig_start(NULL);
}

void rig_run(uint64_t ms)
{
    fake_clock_run(&rig.fc, rig.timers, ms);
}

static void on_done(struct pra_call *call)
{
    ((struct rig_ask *)call)->done++;
}

void ask(struct rig_ask *a, enum pra_call_kind kind)
{
    memset(a, 0, sizeof(*a));
    a->call.kind = kind;
    a->call.page = 1;
    a->call.end_time_s = rig.fc.wall / 1000 - 3600;
    (void)snprintf(a->call.lsid, sizeof(a->call.lsid), "%s", RIG_LSID);
    a->call.done = on_done;
    assert_int_equal(pra_client_call(rig.client, &a->call), 0);
    assert_int_equal(a->done, 0);
}

void ask_urgent(struct rig_ask *a, enum pra_call_kind kind)
{
    memset(a, 0, sizeof(*a));
    a->call.urgent = true;
    a->call.kind = kind;
    (void)snprintf(a->call.lsid, sizeof(a->call.lsid), "%s", RIG_LSID);
    a->call.done = on_done;
    assert_int_equal(pra_client_call(rig.client, &a->call), 0);
}
