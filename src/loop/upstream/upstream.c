/* SPDX-License-Identifier: Apache-2.0 */
/*
 * upstream.c - the calls of one vault: from upstream_call() to done().
 *
 *   new --upstream_call--> waiting --a connection--> busy --> finished --> done()
 *                             ^  \                  /  |         ^
 *                             |   +--- deadline ---+---|---------+   -ETIMEDOUT
 *                             +------ repeat ----------+             lost before any byte of an answer
 *
 * Who waits is served in this order: repeats (on fresh connections only), then the line
 * (base/queue/priority_queue.h): what was begun, then what people begin, in turns, then what is given back
 * and the background. A call is in exactly one of the two, on one connection, or in `finished`.
 *
 * A call with `wait_ms` has two times: one to wait, and its timeout from the moment it has a connection. So a
 * call with effects is never begun for somebody who will not wait for it, and has its full time once begun.
 *
 * done() is called from one function, upstream_deliver(), which runs at the end of a poll callback or from
 * the `later` deadline: never inside upstream_call(), never with libcurl on the stack. What is finished
 * during a delivery waits for the next one, so that a caller who tries again at once cannot hold the loop.
 *
 * `later` is always running (parked when there is nothing to do): moving a running deadline needs no memory,
 * so a finished call is never lost to an allocation failure.
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

#define PARKED_MS   (3600u * 1000u)
#define COOKIES_MAX 16384

/* ---- once per process ---- */

int upstream_global_init(void)
{
    /* What libcurl copies into memory of its own is wiped when it is freed. */
    if (curl_global_init_mem(CURL_GLOBAL_DEFAULT, wiping_alloc, wiping_free, wiping_realloc, wiping_strdup,
                             wiping_calloc))
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

static void enqueue(struct call *call)
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

static void leave_line(struct call *call)
{
    call->up->waiting--;
    TAILQ_REMOVE(&pool_row(call->up, call->owner)->waiting, call, own);
}

static void dequeue(struct call *call)
{
    struct upstream *up = call->up;

    if (call->retried) {
        up->waiting--;
        up->nrepeats--;
        TAILQ_REMOVE(&up->repeats, call, link);
        return;
    }
    leave_line(call);
    priority_queue_remove(&up->priority_queue, &call->place);
}

static struct call *call_of(struct priority_queue_item *item)
{
    return item ? CONTAINER_OF(item, struct call, place) : NULL;
}

static struct call *take_from_line(struct upstream *up)
{
    struct call *call = call_of(priority_queue_take(&up->priority_queue));

    if (call)
        leave_line(call);
    return call;
}

static void on_deadline(struct deadline *);

/* It has a connection. Moving a running deadline needs no memory. */
static void begin(struct call *call)
{
    struct upstream *up = call->up;

    call->begun_ms = pool_now(up);
    if (call->wait_ms &&
        timer_start(loop_timers(up->loop), &call->deadline, call->exchange_timeout_ms, on_deadline))
        log_error("upstream_timer", "vault=%s error=%s", up->name, "out of memory");
    call->wait_ms = 0; /* a repeat is no longer bound by it */
}

struct call *upstream_next(struct upstream *up, bool fresh)
{
    struct call *call = fresh ? TAILQ_FIRST(&up->repeats) : NULL;

    if (call)
        dequeue(call);
    else
        call = take_from_line(up);
    if (call)
        begin(call);
    return call;
}

struct call *upstream_peek(const struct upstream *up)
{
    return call_of(priority_queue_peek(&up->priority_queue));
}

void upstream_take(struct call *call)
{
    dequeue(call);
    begin(call);
}

/* ---- ending ---- */

static void on_later(struct deadline *d);

static void wake(struct upstream *up)
{
    if (up->will_deliver)
        return;
    if (timer_start(loop_timers(up->loop), &up->later, 0, on_later))
        log_error("upstream_timer", "vault=%s error=%s", up->name, "out of memory");
}

/* How long a vault takes for what people begin; the latest 16 count most. */
static void learn_exchange(struct upstream *up, const struct call *call)
{
    double took = (double)(pool_now(up) - call->begun_ms);

    if (call->place.class == CALL_NEW)
        up->exchange_ms += (took - up->exchange_ms) / (up->exchange_ms > 0 ? 16 : 1);
}

/* Takes the call out of wherever it is; a busy one is off its connection when this is called by the pool. */
static void settle(struct call *call)
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

    settle(call);
    call->err = err;
    if (err) {
        char words[sizeof(call->why)]; /* `why` may be call->why itself */
        text_copy(words, sizeof(words), why);
        memcpy(call->why, words, sizeof(words));
        call_free_answer(call);
    }
    call->state = CALL_FINISHED;
    TAILQ_INSERT_TAIL(&up->finished, call, link);
    up->nfinished++;
    wake(up);
}

void upstream_repeat(struct call *call)
{
    struct upstream *up = call->up;

    up->busy--;
    up->state.retried++;
    call->conn = NULL;
    call->retried = true;
    call->why[0] = '\0';
    enqueue(call);
}

void upstream_failed(struct upstream *up, const char *why)
{
    up->state.last_failure_ms = pool_now(up);
    text_copy(up->state.last_error, sizeof(up->state.last_error), why);
}

void upstream_fail_waiting(struct upstream *up, size_t n, const char *why)
{
    struct call *call;

    while (n-- > 0 && (call = upstream_next(up, true)))
        upstream_finish(call, -ECONNREFUSED, why);
}

static void fail_hopeless_row(struct upstream *up, struct pool_row *row, const char *why)
{
    struct call *call, *next;

    for (call = TAILQ_FIRST(&row->waiting); call; call = next) {
        next = TAILQ_NEXT(call, own);
        if (pool_busy_for(up, call->owner))
            continue;
        dequeue(call);
        upstream_finish(call, -ECONNREFUSED, why);
    }
}

void upstream_fail_hopeless(struct upstream *up, const char *why)
{
    for (size_t i = 0; up->waiting > up->nrepeats && i < POOL_OWNERS; i++)
        fail_hopeless_row(up, &up->rows[i], why);
}

static void abandon(struct call *call, const char *why)
{
    if (call->state == CALL_WAITING)
        dequeue(call);
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
    abandon(call, "no answer in time");
    if (!waiting)
        upstream_failed(up, "no answer in time");
    upstream_finish(call, err, waiting ? "no connection became free in time" : "no answer in time");
    pool_serve(up);
}

/* ---- delivery ---- */

void upstream_deliver(struct upstream *up)
{
    size_t n = up->nfinished; /* those that finish meanwhile wait */
    struct call *call;

    while (n-- > 0 && (call = TAILQ_FIRST(&up->finished))) {
        TAILQ_REMOVE(&up->finished, call, link);
        up->nfinished--;
        call->state = CALL_UNSENT;
        call->done(call); /* may free it */
    }
    if (up->nfinished)
        wake(up);
}

static void tear_down(struct upstream *up)
{
    up->torn_down = true;
    up->alive++; /* our own, so that the end comes once */
    timer_stop(loop_timers(up->loop), &up->later);
    timer_stop(loop_timers(up->loop), &up->sweep);
    timer_stop(loop_timers(up->loop), &up->aging);
    pool_close_all(up);
    if (--up->alive == 0)
        upstream_conns_gone(up);
}

static void on_later(struct deadline *d)
{
    struct upstream *up = CONTAINER_OF(d, struct upstream, later);

    /* It has just left the heap, so there is room for it. */
    if (timer_start(loop_timers(up->loop), &up->later, PARKED_MS, on_later))
        log_error("upstream_timer", "vault=%s error=%s", up->name, "out of memory");
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
    enqueue(call);
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
        abandon(call, "the call was cancelled");
        settle(call);
    }
    call->state = CALL_UNSENT;
    call_free_answer(call);
    if (state != CALL_FINISHED)
        pool_serve(up);
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
    out->idle = up->nidle;
    out->queued = up->waiting;
    out->in_flight = up->busy;
    memcpy(out->priority_queue, up->priority_queue.n, sizeof(out->priority_queue));
}

/* Where nobody has waited yet: three exchanges make a check-out and its release, over all connections. */
void upstream_outlook(const struct upstream *up, const struct fair_queue_party *party,
                      struct upstream_outlook *out)
{
    double usual = 3 * up->exchange_ms / (double)up->connections;

    out->wait_ms = priority_queue_wait_ms(&up->priority_queue, party, usual);
    out->exchange_ms = (uint64_t)up->exchange_ms;
}

/* ---- birth and end ---- */

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
    TAILQ_INIT(&up->unowned);
    for (size_t i = 0; i < POOL_OWNERS; i++) {
        TAILQ_INIT(&up->rows[i].idle);
        TAILQ_INIT(&up->rows[i].waiting);
    }
}

static void on_dialer_discarded(void *arg)
{
    (void)arg;
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
    up->name = strdup(opts->name ? opts->name : "-");
    up->scratch = secret_alloc(UPSTREAM_SCRATCH);
    if (up->name && up->scratch)
        up->dialer = dialer_new(loop, opts, why);
    if (up->dialer && timer_start(loop_timers(loop), &up->later, PARKED_MS, on_later)) {
        dialer_close(up->dialer, on_dialer_discarded, NULL);
        up->dialer = NULL;
    }
    if (!up->dialer) {
        upstream_free(up);
        return NULL;
    }
    return up;
}

/* ---- renewal ---- */

struct upstream_next {
    struct upstream_opts limits; /* its texts are not looked at again */
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
    pool_renewed(up);
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

    while ((call = upstream_next(up, true)))
        upstream_finish(call, -ECANCELED, "the upstream is closing");
}

void upstream_close(struct upstream *up, void (*closed)(void *arg), void *arg)
{
    struct conn *c;

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
    wake(up);
}
