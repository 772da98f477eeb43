/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loop.c - clock, deadlines, signals and the once-per-iteration hooks on one libuv loop.
 *
 * The idea: deadlines are kept in a heap (base/timers.h), and libuv has one timer. It is armed at most once
 * per iteration, in the prepare phase just before the loop blocks, because a busy iteration starts and stops
 * hundreds of deadlines and only the earliest matters. When no timer is armed at all it is armed at once, so
 * that a deadline alone keeps loop_run() running.
 *
 * The system's clock is read once per iteration and millisecond: deadlines and ages need no more, and a busy
 * iteration needs the time a thousand times. libuv's own time, updated after every poll, says whether an
 * iteration has passed. Outside of loop_run() the clock is read each time.
 *
 * Life: loop_new -> loop_run / loop_iterate -> loop_free. The prepare handle and the signals do not keep the
 * loop alive; the timer does while a deadline runs. loop_free() frees only when uv_loop_close() succeeds; on
 * -EBUSY the loop stays allocated, may run on, and may be freed again.
 *
 * Invariants: this file is the only caller of uv_timer_start() and uv_run(). SIGPIPE is ignored from
 * loop_new() on, since a peer that left must be an error code of the write, not the end of the process.
 *
 * Not here: threads for work that blocks (worker.c), sockets, the actions of signals.
 */
#include "loop/loop.h"

#include "base/log.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#define UV_WITH_RINGS 0x012d00U /* 1.45 */
#define MAX_SIGNALS   8
#define LAG_SECONDS   10
/* Iterations for closing handles; each runs one generation of close callbacks. */
#define CLOSING_ITERATIONS 64

struct watched_signal {
    uv_signal_t handle;
    void (*fn)(void *arg, int signum);
    void *arg;
};

/* The longest iteration of each of the last ten seconds. */
struct lag {
    uint64_t iteration_ns; /* when the last iteration ended, 0 = none yet */
    uint64_t idle_ns;      /* libuv's total of blocked time at that time */
    uint64_t last_ns;
    uint64_t worst_ns[LAG_SECONDS];
    uint64_t second[LAG_SECONDS]; /* which second the slot is about */
};

/* Steps of one iteration: some milliseconds for each kind. */
static const unsigned steps_max[LOOP_NWORKS] = {
    [LOOP_REQUESTS] = 64,  [LOOP_URGENT] = 16,    [LOOP_ANSWERS] = 64, [LOOP_STRANGERS] = 32,
    [LOOP_INSISTENT] = 16, [LOOP_HANDSHAKES] = 8, [LOOP_DIALS] = 16,
};

struct loop {
    uv_loop_t uv;
    struct clock clock; /* the system's, read once per iteration */
    uint64_t now_ms;    /* its time when libuv's was seen_ms */
    uint64_t seen_ms;
    bool running;
    unsigned steps[LOOP_NWORKS]; /* taken in this iteration */
    uv_timer_t timer;
    uv_prepare_t prepare;
    struct timers *timers;
    struct loop_hook *hooks;
    struct loop_hook *next_hook; /* the next to call in this iteration */
    struct watched_signal signals[MAX_SIGNALS];
    size_t nsignals;
    struct lag lag;
    bool firing; /* on_timer() is on the stack */
    bool rearm;  /* the earliest deadline changed since the timer was armed */
    bool closed; /* the loop's own handles are closed */
};

static uint64_t iteration_now_ms(void *arg)
{
    struct loop *loop = arg;
    uint64_t seen = uv_now(&loop->uv);

    if (seen != loop->seen_ms || !loop->running) {
        loop->seen_ms = seen;
        loop->now_ms = clock_now(&clock_system);
    }
    return loop->now_ms;
}

static int64_t iteration_wall_ms(void *arg)
{
    (void)arg;
    return clock_wall(&clock_system);
}

static void arm_timer(struct loop *);

static void on_timer(uv_timer_t *timer)
{
    struct loop *loop = timer->data;

    loop->firing = true;
    timers_run(loop->timers);
    if (!uv_is_active((uv_handle_t *)timer))
        arm_timer(loop);
    loop->firing = false;
    loop->rearm = true;
}

static void arm_timer(struct loop *loop)
{
    uint64_t delay;

    loop->rearm = false;
    if (loop->closed)
        return;
    /* libuv counts from its cached time: a long iteration would shorten the delay and fire early. */
    uv_update_time(&loop->uv);
    delay = timers_next(loop->timers);
    if (delay == UINT64_MAX) {
        uv_timer_stop(&loop->timer);
        return;
    }
    /* A deadline that is due again at once waits for the next iteration: libuv would call on_timer() without
     * end. */
    if (loop->firing && delay == 0)
        delay = 1;
    uv_timer_start(&loop->timer, on_timer, delay, 0);
}

static void on_timers_change(void *arg)
{
    struct loop *loop = arg;

    loop->rearm = true;
    if (!loop->closed && !uv_is_active((uv_handle_t *)&loop->timer))
        arm_timer(loop);
}

static void lag_note(struct loop *loop)
{
    struct lag *lag = &loop->lag;
    uint64_t now = uv_hrtime();
    uint64_t idle = uv_metrics_idle_time(&loop->uv);
    uint64_t second = now / UINT64_C(1000000000);
    size_t slot = (size_t)(second % LAG_SECONDS);
    uint64_t whole = now - lag->iteration_ns;
    uint64_t blocked = idle - lag->idle_ns;

    if (lag->iteration_ns) {
        lag->last_ns = whole > blocked ? whole - blocked : 0;
        if (lag->second[slot] != second) {
            lag->second[slot] = second;
            lag->worst_ns[slot] = 0;
        }
        if (lag->last_ns > lag->worst_ns[slot])
            lag->worst_ns[slot] = lag->last_ns;
    }
    lag->iteration_ns = now;
    lag->idle_ns = idle;
}

static void on_prepare(uv_prepare_t *prepare)
{
    struct loop *loop = prepare->data;
    struct loop_hook *hook = loop->hooks;

    memset(loop->steps, 0, sizeof(loop->steps));
    while (hook) {
        loop->next_hook = hook->next;
        hook->iteration(hook);
        hook = loop->next_hook;
    }
    lag_note(loop);
    if (loop->rearm)
        arm_timer(loop);
}

static int start_handles(struct loop *loop)
{
    int err = uv_timer_init(&loop->uv, &loop->timer);

    if (!err)
        err = uv_prepare_init(&loop->uv, &loop->prepare);
    if (!err)
        err = uv_prepare_start(&loop->prepare, on_prepare);
    if (err)
        return err;
    loop->uv.data = loop;
    loop->timer.data = loop;
    loop->prepare.data = loop;
    uv_unref((uv_handle_t *)&loop->prepare);
    timers_on_change(loop->timers, on_timers_change, loop);
    return 0;
}

struct loop *loop_new_clock(const struct clock *clock)
{
    struct loop *loop = calloc(1, sizeof(*loop));

    if (!loop)
        return NULL;
    signal(SIGPIPE, SIG_IGN);
    if (uv_loop_init(&loop->uv))
        goto no_loop;
    loop->clock = (struct clock){.now_ms = iteration_now_ms, .wall_ms = iteration_wall_ms, .arg = loop};
    loop->timers = timers_new(clock ? clock : &loop->clock);
    if (!loop->timers)
        goto no_timers;
    if (uv_loop_configure(&loop->uv, UV_METRICS_IDLE_TIME) || start_handles(loop))
        goto no_handles;
    return loop;

no_handles: /* timer and prepare hold no resources before they are started */
    timers_free(loop->timers);
no_timers:
    uv_loop_close(&loop->uv);
no_loop:
    free(loop);
    return NULL;
}

bool loop_wants_rings(void)
{
    return uv_version() >= UV_WITH_RINGS;
}

struct loop *loop_new(void)
{
    return loop_new_clock(NULL);
}

static void close_own_handles(struct loop *loop)
{
    loop->closed = true;
    uv_close((uv_handle_t *)&loop->timer, NULL);
    uv_close((uv_handle_t *)&loop->prepare, NULL);
    for (size_t i = 0; i < loop->nsignals; i++)
        uv_close((uv_handle_t *)&loop->signals[i].handle, NULL);
}

int loop_free(struct loop *loop)
{
    if (!loop)
        return 0;
    /* First the handles of other files, while deadlines and hooks still work. */
    for (int i = 0; i < CLOSING_ITERATIONS && !loop->closed; i++) {
        if (!uv_run(&loop->uv, UV_RUN_NOWAIT))
            break;
    }
    if (!loop->closed)
        close_own_handles(loop);
    for (int i = 0; i < CLOSING_ITERATIONS; i++) {
        if (!uv_run(&loop->uv, UV_RUN_NOWAIT))
            break;
    }
    if (timers_count(loop->timers) || uv_loop_close(&loop->uv)) {
        log_error("loop_busy", "deadlines=%zu", timers_count(loop->timers));
        return -EBUSY;
    }
    timers_free(loop->timers);
    free(loop);
    return 0;
}

int loop_run(struct loop *loop)
{
    loop->running = true;
    int alive = uv_run(&loop->uv, UV_RUN_DEFAULT);

    loop->running = false;
    return alive;
}

void loop_stop(struct loop *loop)
{
    uv_stop(&loop->uv);
}

int loop_iterate(struct loop *loop)
{
    /* A test's clock moves without libuv's knowledge: what is due by it is fired here. */
    timers_run(loop->timers);
    /* libuv iterates only while a handle is alive; a test needs hooks and signals also without one. */
    uv_ref((uv_handle_t *)&loop->prepare);
    uv_run(&loop->uv, UV_RUN_NOWAIT);
    uv_unref((uv_handle_t *)&loop->prepare);
    return uv_loop_alive(&loop->uv);
}

uv_loop_t *loop_uv(struct loop *loop)
{
    return &loop->uv;
}

struct loop *loop_of(const uv_loop_t *uv)
{
    return uv->data;
}

bool loop_step(struct loop *loop, enum loop_work work)
{
    if (loop->steps[work] >= steps_max[work])
        return false;
    loop->steps[work]++;
    return true;
}

struct timers *loop_timers(struct loop *loop)
{
    return loop->timers;
}

const struct clock *loop_clock(struct loop *loop)
{
    return timers_clock(loop->timers);
}

void loop_on_iteration(struct loop *loop, struct loop_hook *hook)
{
    LL_APPEND(loop->hooks, hook); /* hooks run in the order of their registration */
}

void loop_off_iteration(struct loop *loop, struct loop_hook *hook)
{
    struct loop_hook **at = &loop->hooks;

    while (*at && *at != hook)
        at = &(*at)->next;
    if (!*at)
        return;
    *at = hook->next;
    if (loop->next_hook == hook)
        loop->next_hook = hook->next;
    hook->next = NULL;
}

static void on_signal(uv_signal_t *handle, int signum)
{
    struct watched_signal *watched = handle->data;

    watched->fn(watched->arg, signum);
}

int loop_on_signal(struct loop *loop, int signum, void (*fn)(void *arg, int signum), void *arg)
{
    struct watched_signal *watched;
    int err;

    if (loop->nsignals == MAX_SIGNALS)
        return -ENOSPC;
    watched = &loop->signals[loop->nsignals];
    err = uv_signal_init(&loop->uv, &watched->handle);
    if (err)
        return err;
    loop->nsignals++; /* from here on loop_free() closes it */
    watched->handle.data = watched;
    watched->fn = fn;
    watched->arg = arg;
    err = uv_signal_start(&watched->handle, on_signal, signum);
    uv_unref((uv_handle_t *)&watched->handle);
    return err;
}

double loop_lag_ms(struct loop *loop)
{
    const struct lag *lag = &loop->lag;
    uint64_t second = uv_hrtime() / UINT64_C(1000000000);
    uint64_t worst = lag->last_ns;

    for (size_t i = 0; i < LAG_SECONDS; i++) {
        if (lag->second[i] + LAG_SECONDS > second && lag->worst_ns[i] > worst)
            worst = lag->worst_ns[i];
    }
    return (double)worst / 1e6;
}
