/* SPDX-License-Identifier: Apache-2.0 */
/*
 * upstream.c - the calls of one vault: from upstream_call() to done().
 *
 *   new --upstream_call--> waiting --a connection--> busy --> finished --> done()
 *                             ^  \                  /  |         ^
 *                             |   +--- deadline ---+---|---------+   -ETIMEDOUT
 *                             +------ repeat ----------+             lost before any byte of an answer
 *
 * Waiting calls are served in this order: repeats (on fresh connections only), then the priority queue
 * (CALL_CONTINUE, CALL_NEW fairly by party, CALL_CHECKIN, CALL_BACKGROUND). A call is in exactly one of:
 * `repeats`, the priority queue, one connection, `finished`.
 *
 * A call with `wait_ms` has two limits: one for waiting, and its timeout from the moment it has a connection.
 * So a call with effects is not begun for a client that will be gone, and has its full time once begun.
 *
 * done() is called from one function, upstream_deliver(), which runs at the end of a poll callback or from
 * the `later` deadline: never inside upstream_call(), never from within libcurl. A call that finishes during
 * a delivery waits for the next one, so that a caller that repeats at once cannot hold the loop.
 *
 * `later`, `sweep` and `aging` have places of their own among the timers, so that starting them cannot fail:
 * a finished call is delivered, and an idle connection ends.
 *
 * End: upstream_close -> calls end with -ECANCELED -> delivered -> connections closed -> dialer closed ->
 * closed().
 *
 * Not here: connections (conn_pool.c), bytes (exchange.c).
 */
#include "loop/upstream/upstream.h"

#include "base/container_of.h"
#include "base/log.h"
#include "base/memory/secret.h"
#include "base/memory/wiping_alloc.h"
#include "base/text.h"
#include "loop/upstream/conn_pool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define COOKIES_MAX 16384

/* ---- once per process ---- */

int upstream_global_init(void)
{
    /* libcurl's copies of secrets are wiped when they are freed. */
    if (curl_global_init_mem(CURL_GLOBAL_DEFAULT, malloc, wiping_free, wiping_realloc, strdup, calloc))
        return -EIO;
    const curl_version_info_data *v = curl_version_info(CURLVERSION_NOW);
    if (v && v->ssl_version && !strncmp(v->ssl_version, "OpenSSL/", 8))
        return 0;
    log_error("upstream_init", "error=%s", "libcurl is not built with OpenSSL");
    curl_global_cleanup();
    return -EIO;
}

void upstream_global_cleanup(void)
{
    curl_global_cleanup();
}

/* ---- waiting ---- */

static void enqueue_call(struct call *call)
{
    struct upstream *up = call->up;

    call->state = CALL_WAITING;
    up->waiting++;
    up->nrepeats += call->retried;
    if (call->retried) {
        TAILQ_INSERT_TAIL(&up->repeats, call, link);
        return;
    }
    priority_queue_add(&up->priority_queue, &call->place, call_class_of(call->begun, call->background),
                       call->party, false);
    TAILQ_INSERT_TAIL(&pool_row(up, call->owner)->waiting, call, own);
}

static void leave_queue(struct call *call)
{
    call->up->waiting--;
    TAILQ_REMOVE(&pool_row(call->up, call->owner)->waiting, call, own);
}

static void dequeue_call(struct call *call)
{
    struct upstream *up = call->up;

    if (call->retried) {
        up->waiting--;
        up->nrepeats--;
        TAILQ_REMOVE(&up->repeats, call, link);
        return;
    }
    leave_queue(call);
    priority_queue_remove(&up->priority_queue, &call->place);
}

static struct call *call_of(struct priority_queue_item *item)
{
    return item ? CONTAINER_OF(item, struct call, place) : NULL;
}

static struct call *take_from_queue(struct upstream *up)
{
    struct call *call = call_of(priority_queue_take(&up->priority_queue));

    if (call)
        leave_queue(call);
    return call;
}

static void on_deadline(struct deadline *);

/* It has a connection. Moving a running deadline needs no memory. */
static void begin_exchange(struct call *call)
{
    struct upstream *up = call->up;

    call->begun_ms = pool_now(up);
    if (call->wait_ms &&
        timer_start(loop_timers(up->loop), &call->deadline, call->exchange_timeout_ms, on_deadline))
        log_error("upstream_timer", "kind=%s name=%s error=%s", up->kind, up->name, "out of memory");
    call->wait_ms = 0; /* it no longer limits a repeat */
}

struct call *upstream_next_call(struct upstream *up, bool fresh)
{
    struct call *call = fresh ? TAILQ_FIRST(&up->repeats) : NULL;

    if (call)
        dequeue_call(call);
    else
        call = take_from_queue(up);
    if (call)
        begin_exchange(call);
    return call;
}

struct call *upstream_peek_call(const struct upstream *up)
{
    return call_of(priority_queue_peek(&up->priority_queue));
}

void upstream_take_call(struct call *call)
{
    if (call->retried) {
        dequeue_call(call);
    } else {
        leave_queue(call);
        priority_queue_serve(&call->up->priority_queue, &call->place);
    }
    begin_exchange(call);
}

/* ---- ending ---- */

static void on_later(struct deadline *d);

static void deliver_later(struct upstream *up)
{
    if (!up->will_deliver)
        timer_set(loop_timers(up->loop), &up->later, 0, on_later);
}

/* Moving average of the duration of CALL_NEW exchanges, over about 16. */
static void learn_exchange(struct upstream *up, const struct call *call)
{
    double took = (double)(pool_now(up) - call->begun_ms);

    if (call->place.class == CALL_NEW)
        up->exchange_ms += (took - up->exchange_ms) / (up->exchange_ms > 0 ? 16 : 1);
}

/* Detaches the call from its connection and stops its deadline. */
static void detach_call(struct call *call)
{
    struct upstream *up = call->up;

    if (call->conn) {
        up->busy--;
        learn_exchange(up, call);
    }
    call->conn = NULL;
    timer_stop(loop_timers(up->loop), &call->deadline);
}

void upstream_finish(struct call *call, int err, const char *why)
{
    struct upstream *up = call->up;

    detach_call(call);
    call->err = err;
    call->fault = err == -ECONNREFUSED ? up->fault : CALL_FAULT_NONE;
    if (err) {
        char words[sizeof(call->why)]; /* `why` may be call->why itself */
        text_copy(words, sizeof(words), why);
        memcpy(call->why, words, sizeof(words));
        call_free_answer(call);
    }
    call->state = CALL_FINISHED;
    TAILQ_INSERT_TAIL(&up->finished, call, link);
    up->nfinished++;
    deliver_later(up);
}

void upstream_repeat(struct call *call)
{
    struct upstream *up = call->up;

    up->busy--;
    up->state.retried++;
    call->conn = NULL;
    call->retried = true;
    call->why[0] = '\0';
    enqueue_call(call);
}

void upstream_failed(struct upstream *up, const char *why)
{
    up->state.last_failure_ms = pool_now(up);
    text_copy(up->state.last_error, sizeof(up->state.last_error), why);
}

void upstream_fail_waiting(struct upstream *up, size_t n, const char *why)
{
    struct call *call;

    while (n-- > 0 && (call = upstream_next_call(up, true)))
        upstream_finish(call, -ECONNREFUSED, why);
}

static void fail_hopeless_row(struct upstream *up, struct pool_row *row, const char *why)
{
    struct call *call, *next;

    for (call = TAILQ_FIRST(&row->waiting); call; call = next) {
        next = TAILQ_NEXT(call, own);
        if (pool_busy_for(up, call->owner))
            continue;
        dequeue_call(call);
        upstream_finish(call, -ECONNREFUSED, why);
    }
}

void upstream_fail_hopeless(struct upstream *up, const char *why)
{
    for (size_t i = 0; up->waiting > up->nrepeats && i < POOL_OWNERS; i++)
        fail_hopeless_row(up, &up->rows[i], why);
}

static void abandon_call(struct call *call, const char *why)
{
    if (call->state == CALL_WAITING)
        dequeue_call(call);
    else
        pool_abandon(call, why);
}

static void on_deadline(struct deadline *d)
{
    struct call *call = CONTAINER_OF(d, struct call, deadline);
    struct upstream *up = call->up;
    bool waiting = call->state == CALL_WAITING;
    int err = waiting && call->wait_ms ? -EAGAIN : -ETIMEDOUT;

    if (!waiting)
        pool_doubt(call);
    abandon_call(call, "no answer in time");
    if (!waiting)
        upstream_failed(up, "no answer in time");
    upstream_finish(call, err, waiting ? "no connection became free in time" : "no answer in time");
    pool_serve(up);
}

/* ---- delivery ---- */

void upstream_deliver(struct upstream *up)
{
    size_t n = up->nfinished; /* calls that finish meanwhile wait */
    struct call *call;

    while (n-- > 0 && (call = TAILQ_FIRST(&up->finished))) {
        TAILQ_REMOVE(&up->finished, call, link);
        up->nfinished--;
        call->state = CALL_UNSENT;
        call->done(call); /* may free it */
    }
    if (up->nfinished)
        deliver_later(up);
}

/* False when out of memory. */
static bool reserve_deadlines(struct upstream *up)
{
    struct timers *timers = loop_timers(up->loop);

    return !timer_reserve(timers, &up->later) && !timer_reserve(timers, &up->sweep) &&
           !timer_reserve(timers, &up->aging);
}

static void unreserve_deadlines(struct upstream *up)
{
    timer_unreserve(loop_timers(up->loop), &up->later);
    timer_unreserve(loop_timers(up->loop), &up->sweep);
    timer_unreserve(loop_timers(up->loop), &up->aging);
}

static void tear_down(struct upstream *up)
{
    up->torn_down = true;
    up->alive++; /* held here, so that the end comes once */
    unreserve_deadlines(up);
    pool_close_all(up);
    if (--up->alive == 0)
        upstream_conns_gone(up);
}

static void on_later(struct deadline *d)
{
    struct upstream *up = CONTAINER_OF(d, struct upstream, later);

    upstream_deliver(up);
    if (up->closing && !up->nfinished && !up->torn_down)
        tear_down(up);
}

/* ---- the caller's side ---- */

static void start_answer(struct call *call, struct upstream *up)
{
    size_t max = call->max_answer ? call->max_answer : up->max_answer;

    call_free_answer(call);
    call->body_in = call->secret ? BUF_SECRET(max) : BUF_INIT(max);
    call->cookies = BUF_SECRET(COOKIES_MAX);
    memset(call->value, 0, sizeof(call->value));
    call->why[0] = '\0';
    call->err = call->status = 0;
    call->sent = call->retried = false;
    call->conn = NULL;
    call->up = up;
}

int upstream_call(struct upstream *up, struct call *call)
{
    if (up->closing)
        return -ESHUTDOWN;
    if (up->waiting + up->busy >= up->max_calls)
        return -EAGAIN;
    if (!exchange_valid(call))
        return -EINVAL;
    start_answer(call, up);
    uint64_t timeout = call->timeout_ms ? call->timeout_ms : up->call_timeout_ms;
    int err = timer_start(loop_timers(up->loop), &call->deadline, call->wait_ms ? call->wait_ms : timeout,
                          on_deadline);
    if (err)
        return err;
    call->exchange_timeout_ms = timeout;
    call->started_us = clock_measure_us();
    up->state.calls++;
    enqueue_call(call);
    pool_serve_call(call);
    pool_serve(up);
    return 0;
}

void upstream_cancel(struct call *call)
{
    struct upstream *up = call->up;
    int state = call->state;

    if (state == CALL_UNSENT)
        return;
    if (state == CALL_FINISHED) {
        TAILQ_REMOVE(&up->finished, call, link);
        up->nfinished--;
    } else {
        abandon_call(call, "the call was cancelled");
        detach_call(call);
    }
    call->state = CALL_UNSENT;
    call_free_answer(call);
    if (state != CALL_FINISHED)
        pool_serve(up);
}

void upstream_resume(struct call *call)
{
    if (call->state != CALL_BUSY)
        return;
    pool_resume(call);
    pool_serve(call->up);
}

bool upstream_unsent(const struct call *call)
{
    return call->state == CALL_WAITING && !call->sent;
}

void call_free_answer(struct call *call)
{
    buf_free(&call->cookies);
    buf_free(&call->body_in);
}

void upstream_state(const struct upstream *up, struct upstream_state *out)
{
    *out = up->state;
    out->connections = up->nconnecting + up->nidle + up->nin_use;
    out->connecting = up->nconnecting;
    out->idle = up->nidle;
    out->queued = up->waiting;
    out->in_flight = up->busy;
    memcpy(out->priority_queue, up->priority_queue.n, sizeof(out->priority_queue));
}

/* Without a measured wait: three exchanges make a check-out and its release, over all connections. */
void upstream_outlook(const struct upstream *up, const struct fair_queue_party *party,
                      struct upstream_outlook *out)
{
    double usual = 3 * up->exchange_ms / (double)up->connections;

    out->wait_ms = priority_queue_wait_ms(&up->priority_queue, party, usual);
    out->exchange_ms = (uint64_t)up->exchange_ms;
}

/* ---- life ---- */

static void upstream_free(struct upstream *up)
{
    secret_free(up->scratch);
    free(up->name);
    free(up);
}

static void start_lists(struct upstream *up)
{
    TAILQ_INIT(&up->repeats);
    TAILQ_INIT(&up->finished);
    TAILQ_INIT(&up->connecting);
    TAILQ_INIT(&up->idle);
    TAILQ_INIT(&up->in_use);
    TAILQ_INIT(&up->unpinned);
    for (size_t i = 0; i < POOL_OWNERS; i++) {
        TAILQ_INIT(&up->rows[i].idle);
        TAILQ_INIT(&up->rows[i].waiting);
    }
}

static void set_limits(struct upstream *up, const struct upstream_opts *opts)
{
    up->connections = opts->connections ? opts->connections : 1;
    up->max_calls = opts->max_calls;
    up->max_answer = opts->max_answer;
    up->call_timeout_ms = opts->call_timeout_ms;
    up->idle_timeout_ms = opts->idle_timeout_ms;
    up->max_age_ms = opts->max_age_ms;
}

struct upstream *upstream_new(struct loop *loop, const struct upstream_opts *opts, char why[256])
{
    struct upstream *up = calloc(1, sizeof(*up));

    text_copy(why, 256, "out of memory");
    if (!up)
        return NULL;
    start_lists(up);
    priority_queue_init(&up->priority_queue, loop_clock(loop));
    up->loop = loop;
    set_limits(up, opts);
    up->single = opts->single;
    up->kind = opts->kind;
    up->name = strdup(opts->name ? opts->name : "-");
    up->scratch = secret_alloc(UPSTREAM_SCRATCH);
    if (up->name && up->scratch && reserve_deadlines(up))
        up->dialer = dialer_new(loop, opts, why);
    if (!up->dialer) {
        unreserve_deadlines(up);
        upstream_free(up);
        return NULL;
    }
    return up;
}

/* ---- reload ---- */

struct upstream_next {
    struct upstream_opts limits; /* only its numbers are used */
    struct dialer_files *files;
};

struct upstream_next *upstream_prepare(const struct upstream_opts *opts)
{
    struct upstream_next *r = calloc(1, sizeof(*r));

    if (!r)
        return NULL;
    r->limits = *opts;
    r->files = dialer_files_new(opts);
    if (r->files)
        return r;
    free(r);
    return NULL;
}

void upstream_discard(struct upstream_next *r)
{
    if (!r)
        return;
    dialer_files_free(r->files);
    free(r);
}

void upstream_reload(struct upstream *up, struct upstream_next *r)
{
    set_limits(up, &r->limits);
    dialer_reload(up->dialer, r->files);
    r->files = NULL;
    upstream_discard(r);
    pool_limits_changed(up);
    pool_serve(up); /* there may be more connections now */
}

static void on_dialer_closed(void *arg)
{
    struct upstream *up = arg;
    void (*closed)(void *) = up->closed;
    void *closed_arg = up->arg;

    upstream_free(up);
    if (closed)
        closed(closed_arg);
}

void upstream_conns_gone(struct upstream *up)
{
    if (up->torn_down)
        dialer_close(up->dialer, on_dialer_closed, up);
}

static void cancel_waiting(struct upstream *up)
{
    struct call *call;

    while ((call = upstream_next_call(up, true)))
        upstream_finish(call, -ECANCELED, "the upstream is closing");
}

void upstream_close(struct upstream *up, void (*closed)(void *arg), void *arg)
{
    struct pool_conn *c;

    if (up->closing)
        return;
    up->closing = true;
    up->closed = closed;
    up->arg = arg;
    cancel_waiting(up);
    while ((c = TAILQ_FIRST(&up->in_use))) {
        struct call *call = c->call;
        pool_abandon(call, "the upstream is closing");
        upstream_finish(call, -ECANCELED, "the upstream is closing");
    }
    deliver_later(up);
}
