/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conn_pool.c - the connections of one vault: opened when calls wait, used one exchange at a time by one
 * owner, kept while fresh.
 *
 *   connecting --opened--> idle <--answered-- in use
 *        |                  | \---a call---->  |
 *      failed          idle too long,     lost, nonsense, timed out,
 *        |             too old, peer      cancelled, not reusable,
 *        |             closed, its place  too old
 *        |             needed
 *        +------------------+------------------+----> closed
 *
 * Pinning: HTTP/1.1 cannot tell a late second answer to one request from the answer to the next. So a
 * connection is pinned to the owner of its first call, and carries no call of another. At the limit of
 * connections, the one idle for longest is closed before another is opened.
 *
 * Open on demand: never more connecting than calls that wait, never more than `connections` in all. The idle
 * lists are last in, first out, so that surplus connections become idle for long and are swept.
 *
 * Waiting calls are served in order, with one exception: a call whose owner has an idle connection starts at
 * once if it continues a check-out, or delays no call before it, or is among the first POOL_IN_A_ROW that
 * pass others on this connection. Opening a connection costs more than an exchange.
 *
 * A connection ends at `max_age`, or up to a tenth of it earlier, so that connections opened together do not
 * end together. An idle one is closed then, a busy one after its answer.
 *
 * A failed connect ends one waiting call; connects for the others continue. After one failure at most two
 * connects run at a time; after three in a row the vault counts as down: a waiting call fails unless a
 * connection of its owner is in use, and for BACKOFF_MS new calls fail at once. Then a single connect probes.
 *
 * Invariants: done() is never called here. pool_conn_close() may free the connection: it is not used
 * afterwards. A connection is reused only if its answer ended cleanly and nothing, not even a byte, followed
 * it. An idle connection that becomes readable is read: TLS messages (tickets, key updates) are processed,
 * anything else closes it.
 */
#include "loop/upstream/conn_pool.h"

#include "base/container_of.h"
#include "base/log.h"
#include "base/memory/secret.h"
#include "base/text.h"

#include <errno.h>
#include <stdlib.h>

#define BACKOFF_MS   250
#define DOWN_AFTER   3
#define SCRATCH_SIZE UPSTREAM_SCRATCH
#define SPREAD_BITS  10
#define SPREAD       (1u << SPREAD_BITS)

uint64_t pool_now(const struct upstream *up)
{
    return clock_now(loop_clock(up->loop));
}

/* ---- closing ---- */

static struct conn_list *idle_beside(struct pool_conn *c)
{
    return c->pinned ? &pool_row(c->up, c->owner)->idle : &c->up->unpinned;
}

static void unlink_conn(struct pool_conn *c)
{
    struct upstream *up = c->up;

    switch (c->state) {
    case POOL_CONN_OPENING:
        TAILQ_REMOVE(&up->connecting, c, link);
        up->nconnecting--;
        break;
    case POOL_CONN_IDLE:
        TAILQ_REMOVE(&up->idle, c, link);
        TAILQ_REMOVE(idle_beside(c), c, own);
        up->nidle--;
        break;
    case POOL_CONN_BUSY:
        TAILQ_REMOVE(&up->in_use, c, link);
        up->nin_use--;
        break;
    case POOL_CONN_CLOSED: break;
    }
}

static void on_vault_conn_closed(struct vault_conn *vault_conn)
{
    struct pool_conn *c = (struct pool_conn *)vault_conn;
    struct upstream *up = c->up;

    exchange_free(&c->exchange);
    wipe(c, sizeof(*c));
    free(c);
    if (--up->alive == 0)
        upstream_conns_gone(up);
}

/* Idempotent; may free c. */
static void pool_conn_close(struct pool_conn *c, const char *why)
{
    if (c->state == POOL_CONN_CLOSED)
        return;
    log_debug("upstream_close", "kind=%s name=%s why=%s exchanges=%llu", c->up->kind, c->up->name, why,
              (unsigned long long)c->exchanges);
    unlink_conn(c);
    c->state = POOL_CONN_CLOSED;
    exchange_finish(&c->exchange);
    vault_conn_close(&c->vault_conn);
}

void pool_close_all(struct upstream *up)
{
    struct pool_conn *c;

    while ((c = TAILQ_FIRST(&up->connecting)) || (c = TAILQ_FIRST(&up->idle)) ||
           (c = TAILQ_FIRST(&up->in_use)))
        pool_conn_close(c, "the upstream is closing");
}

/* ---- idle ---- */

static void on_sweep(struct deadline *d)
{
    struct upstream *up = CONTAINER_OF(d, struct upstream, sweep);
    uint64_t now = pool_now(up);
    struct pool_conn *oldest;

    while ((oldest = TAILQ_LAST(&up->idle, conn_list))) {
        uint64_t end = oldest->idle_at_ms + up->idle_timeout_ms;
        if (end > now) {
            timer_set(loop_timers(up->loop), &up->sweep, end - now, on_sweep);
            return;
        }
        pool_conn_close(oldest, "idle for too long");
    }
}

static void pool_conn_idle(struct pool_conn *c)
{
    struct upstream *up = c->up;

    unlink_conn(c);
    c->state = POOL_CONN_IDLE;
    c->idle_at_ms = pool_now(up);
    TAILQ_INSERT_HEAD(&up->idle, c, link);
    TAILQ_INSERT_HEAD(idle_beside(c), c, own);
    up->nidle++;
    if (!timer_running(&up->sweep))
        timer_set(loop_timers(up->loop), &up->sweep, up->idle_timeout_ms, on_sweep);
}

/* ---- age ---- */

/* UINT64_MAX without a limit. */
static uint64_t end_of(const struct pool_conn *c)
{
    uint64_t age = c->up->max_age_ms;

    return age ? c->open_at_ms + age - age / 10 * c->spread / SPREAD : UINT64_MAX;
}

static void on_aging(struct deadline *d);

static void arm_aging(struct upstream *up, uint64_t at_ms)
{
    uint64_t now = pool_now(up);

    if (at_ms == UINT64_MAX || (timer_running(&up->aging) && up->aging_at_ms <= at_ms))
        return;
    up->aging_at_ms = at_ms;
    timer_set(loop_timers(up->loop), &up->aging, at_ms > now ? at_ms - now : 0, on_aging);
}

/* Closes idle connections past their end, and arms the deadline for the next one. */
static void on_aging(struct deadline *d)
{
    struct upstream *up = CONTAINER_OF(d, struct upstream, aging);
    uint64_t now = pool_now(up), next_at = UINT64_MAX;
    struct pool_conn *c, *next;

    for (c = TAILQ_FIRST(&up->idle); c; c = next) {
        next = TAILQ_NEXT(c, link);
        if (c->ends_at_ms <= now)
            pool_conn_close(c, "too old");
        else if (c->ends_at_ms < next_at)
            next_at = c->ends_at_ms;
    }
    TAILQ_FOREACH(c, &up->in_use, link)
    {
        if (c->ends_at_ms > now && c->ends_at_ms < next_at)
            next_at = c->ends_at_ms;
    }
    arm_aging(up, next_at);
}

/* Spreads consecutive connections evenly over a tenth of max_age, by multiples of the golden ratio. */
static void pool_conn_opened(struct pool_conn *c)
{
    struct upstream *up = c->up;

    c->spread = (unsigned)((up->state.opened * UINT64_C(0x9e3779b97f4a7c15)) >> (64 - SPREAD_BITS));
    c->open_at_ms = pool_now(up);
    c->ends_at_ms = end_of(c);
    up->state.opened++;
    arm_aging(up, c->ends_at_ms);
}

void pool_limits_changed(struct upstream *up)
{
    struct conn_list *open[] = {&up->idle, &up->in_use};
    struct pool_conn *c;

    for (int i = 0; i < 2; i++) {
        TAILQ_FOREACH(c, open[i], link)
        {
            c->ends_at_ms = end_of(c);
            arm_aging(up, c->ends_at_ms);
        }
    }
}

/*
 * No byte came in the whole time of a call. Connections idle since before it began may be dead as well, and
 * each would cost another call its time.
 */
void pool_doubt(struct call *call)
{
    struct upstream *up = call->up;
    struct pool_conn *busy = call->conn, *c;

    if (busy->exchange.began || call->exchange_timeout_ms < up->call_timeout_ms)
        return;
    dialer_doubt(up->dialer);
    while ((c = TAILQ_LAST(&up->idle, conn_list)) && c->idle_at_ms < call->begun_ms)
        pool_conn_close(c, "a call that began later had no answer");
}

/* ---- reading an idle connection ---- */

/* Reads an idle connection; any byte of plaintext closes it. True = still usable. */
static bool pool_conn_check_idle(struct pool_conn *c)
{
    c->vault_conn.want_write = false;
    ssize_t n = vault_conn_recv(&c->vault_conn, c->up->scratch, SCRATCH_SIZE);
    if (n == -EAGAIN && vault_conn_watch(&c->vault_conn) == 0)
        return true;
    if (n > 0)
        wipe(c->up->scratch, (size_t)n);
    pool_conn_close(c, n > 0 ? "bytes without a request" : "closed by the peer");
    return false;
}

/* ---- one exchange ---- */

/* 0 = all sent or the socket is full; -ECONNRESET; -ESTALE = nothing is sent, and may not be. */
static int pool_conn_write(struct pool_conn *c)
{
    const char *bytes;
    size_t n;

    while ((n = exchange_unsent(&c->exchange, &bytes)) > 0) {
        if (!c->begun && c->call->may_send && !c->call->may_send(c->call))
            return -ESTALE;
        ssize_t out = vault_conn_send(&c->vault_conn, bytes, n);
        /* Over TLS a record that would block may be partly sent: count it as sent. */
        if (out > 0 || (out == -EAGAIN && c->vault_conn.tls))
            c->begun = c->call->sent = true;
        if (out == -EAGAIN)
            return 0;
        if (out < 0)
            return (int)out;
        exchange_sent(&c->exchange, (size_t)out);
    }
    return 0;
}

/* EXCHANGE_MORE, EXCHANGE_DONE or -errno. */
static int pool_conn_read(struct pool_conn *c, bool *more)
{
    struct upstream *up = c->up;
    ssize_t n;

    do {
        n = vault_conn_recv(&c->vault_conn, up->scratch, SCRATCH_SIZE);
        if (n == -EAGAIN)
            return EXCHANGE_MORE;
        if (n < 0)
            return (int)n;
        if (n == 0)
            return exchange_end(&c->exchange);
        int r = exchange_feed(&c->exchange, up->scratch, (size_t)n);
        wipe(up->scratch, (size_t)n);
        *more = vault_conn_more(&c->vault_conn, n, SCRATCH_SIZE);
        if (r != EXCHANGE_MORE || c->exchange.paused)
            return r;
    } while (*more);
    return EXCHANGE_MORE;
}

/* Bytes may follow the answer in OpenSSL's buffer, where no poll sees them: only TLS tickets are acceptable.
 */
static bool nothing_follows(struct pool_conn *c)
{
    ssize_t n = vault_conn_recv(&c->vault_conn, c->up->scratch, SCRATCH_SIZE);

    if (n > 0)
        wipe(c->up->scratch, (size_t)n);
    return n == -EAGAIN;
}

/* With TLS 1.3 a server refuses a client's certificate on a connection that is open: an answer decides. */
static void note_reached(struct upstream *up)
{
    if (up->unreached)
        log_info("upstream_reachable", "kind=%s name=%s failures=%u", up->kind, up->name, up->unreached);
    up->unreached = 0;
}

static void pool_conn_answered(struct pool_conn *c, bool more)
{
    struct upstream *up = c->up;
    struct call *call = c->call;
    uint64_t now = pool_now(up);
    bool keep = !up->single && exchange_reusable(&c->exchange) && now < c->ends_at_ms &&
                (!more || nothing_follows(c));

    c->call = NULL;
    if (c->exchanges++ == 0)
        note_reached(up);
    exchange_finish(&c->exchange);
    up->state.last_success_ms = now;
    upstream_finish(call, 0, "");
    if (keep && !up->closing && vault_conn_watch(&c->vault_conn) == 0) {
        c->drained = true;
        pool_conn_idle(c);
    } else {
        pool_conn_close(c, "not reusable after its answer");
    }
}

static void pool_conn_failed(struct pool_conn *c, int err)
{
    struct upstream *up = c->up;
    struct call *call = c->call;
    bool stale = err == -ECONNRESET && c->reused && !c->exchange.began;
    char why[sizeof(call->why)];

    text_copy(why, sizeof(why), call->why[0] ? call->why : c->vault_conn.error);
    c->call = NULL;
    pool_conn_close(c, why);
    if (stale && !call->retried && (call->safe || !call->sent) && !up->closing) {
        upstream_repeat(call);
        return;
    }
    upstream_failed(up, why);
    upstream_finish(call, err, why);
}

/* Its call may not be sent any more. The connection has carried nothing of it. */
static void pool_conn_withhold(struct pool_conn *c)
{
    struct call *call = c->call;

    c->call = NULL;
    exchange_finish(&c->exchange);
    upstream_finish(call, -ESTALE, "it may not be sent any more");
    if (vault_conn_watch(&c->vault_conn) == 0)
        pool_conn_idle(c);
    else
        pool_conn_close(c, "it cannot be polled");
}

static void pool_conn_continue(struct pool_conn *c)
{
    bool more = false;

    c->vault_conn.want_write = false;
    int wrote = pool_conn_write(c);
    if (wrote == -ESTALE) {
        pool_conn_withhold(c);
        return;
    }
    /* An answer may be there even though sending failed. */
    int r = c->exchange.paused ? EXCHANGE_MORE : pool_conn_read(c, &more);
    c->vault_conn.paused = r == EXCHANGE_MORE && c->exchange.paused;
    if (r == EXCHANGE_MORE)
        r = wrote ? wrote : vault_conn_watch(&c->vault_conn) ? -ECONNRESET : EXCHANGE_MORE;
    if (r == EXCHANGE_MORE)
        return;
    if (r == EXCHANGE_DONE)
        pool_conn_answered(c, more);
    else
        pool_conn_failed(c, r);
}

static void pool_conn_start(struct pool_conn *c, struct call *call)
{
    struct upstream *up = c->up;

    int err = exchange_begin(&c->exchange, call, dialer_host(up->dialer));
    if (err) {
        upstream_finish(call, err, err == -ENOMEM ? "out of memory" : "the request head is too large");
        return;
    }
    unlink_conn(c);
    c->state = POOL_CONN_BUSY;
    c->pinned = true;
    c->owner = call->owner;
    c->call = call;
    call->conn = c;
    call->state = CALL_BUSY;
    up->busy++;
    TAILQ_INSERT_TAIL(&up->in_use, c, link);
    up->nin_use++;
    c->reused = c->pooled;
    up->state.reused += c->reused;
    c->vault_conn.want_write = false;
    c->vault_conn.error[0] = '\0';
    c->begun = false;
    err = pool_conn_write(c);
    if (err == -ESTALE)
        pool_conn_withhold(c);
    else if (err || vault_conn_watch(&c->vault_conn))
        pool_conn_failed(c, -ECONNRESET);
}

void pool_resume(struct call *call)
{
    struct pool_conn *c = call->conn;

    if (!c->exchange.paused)
        return;
    c->exchange.paused = false;
    pool_conn_continue(c);
}

void pool_abandon(struct call *call, const char *why)
{
    struct pool_conn *c = call->conn;

    c->call = NULL;
    pool_conn_close(c, why);
}

/* ---- opening ---- */

static size_t open_conns(const struct upstream *up)
{
    return up->nconnecting + up->nidle + up->nin_use;
}

static size_t connects_allowed(const struct upstream *up)
{
    if (up->failures == 0)
        return up->connections;
    if (up->failures < DOWN_AFTER)
        return 2;
    return pool_now(up) < up->closed_until_ms ? 0 : 1;
}

static void connect_failed(struct upstream *up, enum call_fault fault, const char *why)
{
    up->fault = fault;
    up->failures++;
    if (up->unreached++ == 0)
        log_warn("upstream_unreachable", "kind=%s name=%s why=%s", up->kind, up->name, why);
    upstream_failed(up, why);
    upstream_fail_waiting(up, 1, why);
    if (up->failures >= DOWN_AFTER)
        up->closed_until_ms = pool_now(up) + BACKOFF_MS;
}

static void on_opened(struct vault_conn *vault_conn, int err)
{
    struct pool_conn *c = (struct pool_conn *)vault_conn;
    struct upstream *up = c->up;

    if (err) {
        char why[CURL_ERROR_SIZE];
        text_copy(why, sizeof(why), vault_conn->error);
        enum call_fault fault = vault_conn->fault;
        pool_conn_close(c, why);
        connect_failed(up, fault, why);
    } else {
        up->failures = 0;
        pool_conn_opened(c);
        pool_conn_idle(c);
    }
    pool_serve(up);
    if (!err)
        c->pooled = true; /* from now on; c is still valid: its poll is closed in a later iteration */
    if (!err && up->single && c->state == POOL_CONN_IDLE)
        pool_conn_close(c, "its call is gone");
}

/* After an answer: starts a waiting call of the connection's owner on it. */
static void serve_beside(const struct pool_conn *c)
{
    struct call *call;

    if (c->state != POOL_CONN_IDLE || !c->up->waiting)
        return;
    TAILQ_FOREACH(call, &pool_row(c->up, c->owner)->waiting, own)
    {
        if (call->owner == c->owner) {
            pool_serve_call(call);
            return;
        }
    }
}

static void on_ready(struct vault_conn *vault_conn)
{
    struct pool_conn *c = (struct pool_conn *)vault_conn;
    struct upstream *up = c->up;

    up->will_deliver = true;
    if (c->state == POOL_CONN_BUSY)
        pool_conn_continue(c);
    else if (c->state == POOL_CONN_IDLE)
        pool_conn_check_idle(c);
    up->will_deliver = false;
    upstream_deliver(up); /* no other function of this folder or of libcurl is on the stack */
    serve_beside(c);      /* also a closed one is still valid: its poll is closed in a later iteration */
    pool_serve(up);
    c->drained = false;
}

static int pool_conn_open(struct upstream *up)
{
    struct pool_conn *c = calloc(1, sizeof(*c));

    if (!c)
        return -ENOMEM;
    c->up = up;
    c->vault_conn.opened = on_opened;
    c->vault_conn.ready = on_ready;
    c->vault_conn.closed = on_vault_conn_closed;
    exchange_init(&c->exchange);
    int err = vault_conn_open(&c->vault_conn, up->dialer);
    if (err) {
        exchange_free(&c->exchange);
        free(c);
        return err;
    }
    c->state = POOL_CONN_OPENING;
    TAILQ_INSERT_TAIL(&up->connecting, c, link);
    up->nconnecting++;
    up->alive++;
    return 0;
}

/* Closes the connections idle for longest until one more may be opened. */
static bool make_room(struct upstream *up)
{
    struct pool_conn *c;

    while (open_conns(up) >= up->connections && (c = TAILQ_LAST(&up->idle, conn_list)))
        pool_conn_close(c, "its place is needed");
    return open_conns(up) < up->connections;
}

static void open_more(struct upstream *up, size_t wanted)
{
    while (up->nconnecting < wanted && up->nconnecting < connects_allowed(up)) {
        if (!make_room(up))
            return;
        if (pool_conn_open(up)) {
            connect_failed(up, CALL_FAULT_OTHER, "out of memory or descriptors");
            return;
        }
    }
}

/* Checked by a read unless opened or read just now; closed if it is not usable. */
static bool is_usable(struct pool_conn *c)
{
    if (!c->pooled || c->drained)
        return true;
    if (c->ends_at_ms <= pool_now(c->up)) {
        pool_conn_close(c, "too old");
        return false;
    }
    return vault_conn_silent(&c->vault_conn) || pool_conn_check_idle(c);
}

/* The last used idle connection pinned to this owner. NULL = none. */
static struct pool_conn *take_pinned(struct upstream *up, uint64_t owner)
{
    struct pool_conn *c, *next;

    for (c = TAILQ_FIRST(&pool_row(up, owner)->idle); c; c = next) {
        next = TAILQ_NEXT(c, own);
        if (c->owner == owner && is_usable(c))
            return c;
    }
    return NULL;
}

/* An idle connection that has carried no call. NULL = none. */
static struct pool_conn *take_unpinned(struct upstream *up, bool fresh_only)
{
    struct pool_conn *c;

    while ((c = TAILQ_FIRST(&up->unpinned)) && !(fresh_only && c->pooled)) {
        if (is_usable(c))
            return c;
    }
    return NULL;
}

static void serve_fresh(struct upstream *up)
{
    struct pool_conn *c;
    struct call *call;

    while (up->waiting && (c = take_unpinned(up, true)) && (call = upstream_next_call(up, true)))
        pool_conn_start(c, call);
}

static void serve_queue(struct upstream *up)
{
    struct pool_conn *c;
    struct call *call;

    while (up->waiting > up->nrepeats && (call = upstream_peek_call(up))) {
        if (!(c = take_pinned(up, call->owner)) && !(c = take_unpinned(up, false)))
            return;
        (void)upstream_next_call(up, false);
        c->in_a_row = 0;
        pool_conn_start(c, call);
    }
}

bool pool_busy_for(const struct upstream *up, uint64_t owner)
{
    const struct pool_conn *c;

    TAILQ_FOREACH(c, &up->in_use, link)
    {
        if (c->owner == owner)
            return true;
    }
    return false;
}

/* Do other calls wait for a connection that closing an idle one would allow? */
static bool places_are_short(const struct upstream *up)
{
    return up->nconnecting + 1 < up->waiting && up->nconnecting < connects_allowed(up);
}

void pool_serve_call(struct call *call)
{
    struct upstream *up = call->up;
    struct pool_conn *c;

    if (up->closing || upstream_peek_call(up)->owner == call->owner)
        return; /* it is the next in order anyway */
    if (!(c = take_pinned(up, call->owner)))
        return;
    bool passes = places_are_short(up);
    if (passes && call->place.class != CALL_CONTINUE && c->in_a_row >= POOL_IN_A_ROW)
        return;
    c->in_a_row = passes ? c->in_a_row + 1 : 0;
    upstream_take_call(call);
    pool_conn_start(c, call);
}

/*
 * A connection opened just now goes to repeats first, and a connect for a repeat comes before those for other
 * calls. Where no connect is allowed, repeats fail, since they need a fresh connection, and so does every
 * waiting call whose owner has no busy connection.
 */
void pool_serve(struct upstream *up)
{
    if (up->closing || !up->waiting)
        return;
    serve_fresh(up);
    open_more(up, up->nrepeats);
    serve_queue(up);
    open_more(up, up->waiting);
    if (up->nconnecting || !up->waiting || connects_allowed(up))
        return;
    upstream_fail_waiting(up, up->nrepeats, up->state.last_error);
    upstream_fail_hopeless(up, up->state.last_error);
}
