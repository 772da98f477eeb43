/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtual_threads.c - threads as contexts; see the header.
 *
 *   uv_thread_create --> runnable --due--> runs --uv_cond_wait, uv_sem_wait--> waits --signal, post--+
 *                            ^               \--virtual_thread_sleep, timed wait--> due later        |
 *                            +----------------------------------------------------------------------+
 *
 * Only the loop's own context resumes a thread, and a thread goes back to it. A lock is therefore never
 * contended; one that is held while its holder waits is a mistake of the program, and ends the run.
 */
#include "virtual_threads.h"

#include "base/container_of.h"
#include "base/sanitized.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <ucontext.h>
#include <uv.h>

#if SANITIZED
#include <sanitizer/common_interface_defs.h>
#endif

#define STACK_BYTES (512 * 1024)

struct thread {
    TAILQ_ENTRY(thread) link;
    ucontext_t context;
    struct deadline due;
    const void *waits_for; /* condition or semaphore */
    void (*fn)(void *arg);
    void *arg;
    bool ended, joined;
    void *owner;
    void *saved; /* the sanitizer's */
    char *stack;
};

static struct {
    struct timers *events;
    TAILQ_HEAD(threads, thread) threads;
    struct threads left; /* behind, with what they have: no thread has joined them */
    struct thread *running;
    uint64_t (*wait_ms)(void *owner);
    void *owner;        /* of threads that are made */
    ucontext_t context; /* the loop's */
    const void *bottom; /* of its stack, for the sanitizer */
    size_t size;
} all = {.threads = TAILQ_HEAD_INITIALIZER(all.threads), .left = TAILQ_HEAD_INITIALIZER(all.left)};

/* ---- changing over ---- */

static void switch_to(void **saved, const void *bottom, size_t size)
{
#if SANITIZED
    __sanitizer_start_switch_fiber(saved, bottom, size);
#else
    (void)saved;
    (void)bottom;
    (void)size;
#endif
}

static void switched(void *saved, const void **bottom, size_t *size)
{
#if SANITIZED
    __sanitizer_finish_switch_fiber(saved, bottom, size);
#else
    (void)saved;
    (void)bottom;
    (void)size;
#endif
}

static void resume(struct thread *t)
{
    void *saved = NULL;

    if (all.running || t->ended)
        abort();
    timer_stop(all.events, &t->due);
    t->waits_for = NULL;
    all.running = t;
    switch_to(&saved, t->stack, STACK_BYTES);
    if (swapcontext(&all.context, &t->context))
        abort();
    switched(saved, NULL, NULL);
    all.running = NULL;
}

static void go_back(struct thread *t)
{
    switch_to(t->ended ? NULL : &t->saved, all.bottom, all.size);
    if (swapcontext(&t->context, &all.context))
        abort();
    switched(t->saved, &all.bottom, &all.size);
}

static void run_after(struct thread *, uint64_t ms);

static void on_due(struct deadline *d)
{
    struct thread *t = CONTAINER_OF(d, struct thread, due);

    uint64_t ms = all.wait_ms(t->owner);

    if (ms)
        run_after(t, ms);
    else
        resume(t);
}

static void run_after(struct thread *t, uint64_t ms)
{
    if (timer_start(all.events, &t->due, ms, on_due))
        abort();
}

static void thread_main(void)
{
    struct thread *t = all.running;

    switched(NULL, &all.bottom, &all.size);
    t->fn(t->arg);
    t->ended = true;
    go_back(t);
    abort();
}

static void wait_for(const void *what)
{
    struct thread *t = all.running;

    if (!t)
        abort(); /* the loop never waits */
    t->waits_for = what;
    go_back(t);
}

static void wake(const void *what)
{
    struct thread *t;

    TAILQ_FOREACH(t, &all.threads, link)
    if (!t->ended && t->waits_for == what)
        run_after(t, 0);
}

/* ---- for the world ---- */

void virtual_threads_begin(struct timers *events, uint64_t (*wait_ms)(void *owner))
{
    all.events = events;
    all.wait_ms = wait_ms;
}

void virtual_threads_own(void *owner)
{
    all.owner = owner;
}

void virtual_threads_end(void)
{
    struct thread *t;

    while ((t = TAILQ_FIRST(&all.threads))) {
        if (!t->ended)
            abort();
        TAILQ_REMOVE(&all.threads, t, link);
        free(t->stack);
        t->stack = NULL;
        if (t->joined)
            free(t);
        else
            TAILQ_INSERT_TAIL(&all.left, t, link);
    }
}

bool virtual_threads_wait(const void *owner)
{
    const struct thread *t;

    TAILQ_FOREACH(t, &all.threads, link)
    if (!t->ended && t->owner == owner)
        return true;
    return false;
}

bool virtual_thread_runs(void)
{
    return all.running;
}

void virtual_thread_sleep(uint64_t ms)
{
    run_after(all.running, ms);
    go_back(all.running);
}

bool virtual_threads_hurry(const void *owner)
{
    struct thread *t;
    bool any = false;

    TAILQ_FOREACH(t, &all.threads, link)
    if (!t->ended && t->owner == owner && timer_running(&t->due)) {
        resume(t);
        any = true;
    }
    return any;
}

/* ---- libuv's ---- */

uint64_t uv_hrtime(void)
{
    return clock_now(timers_clock(all.events)) * 1000000;
}

int uv_thread_create(uv_thread_t *id, uv_thread_cb fn, void *arg)
{
    struct thread *t = calloc(1, sizeof *t);
    char *stack = malloc(STACK_BYTES);

    if (!t || !stack || getcontext(&t->context))
        abort();
    t->owner = all.owner;
    t->fn = fn;
    t->arg = arg;
    t->stack = stack;
    t->context.uc_stack.ss_sp = stack;
    t->context.uc_stack.ss_size = STACK_BYTES;
    makecontext(&t->context, thread_main, 0);
    TAILQ_INSERT_TAIL(&all.threads, t, link);
    *id = (uv_thread_t)t;
    run_after(t, 0);
    return 0;
}

int uv_thread_join(uv_thread_t *id)
{
    struct thread *t = (struct thread *)*id; /* NOLINT(performance-no-int-to-ptr) */

    while (!t->ended) {
        if (!timer_running(&t->due))
            abort(); /* it waits for what never comes */
        resume(t);
    }
    t->joined = true;
    return 0;
}

static int *number_in(void *lock)
{
    return lock;
}

int uv_mutex_init(uv_mutex_t *mutex)
{
    *number_in(mutex) = 0;
    return 0;
}

void uv_mutex_destroy(uv_mutex_t *mutex)
{
    (void)mutex;
}

void uv_mutex_lock(uv_mutex_t *mutex)
{
    if ((*number_in(mutex))++)
        abort();
}

void uv_mutex_unlock(uv_mutex_t *mutex)
{
    if (--*number_in(mutex))
        abort();
}

int uv_cond_init(uv_cond_t *cond)
{
    (void)cond;
    return 0;
}

void uv_cond_destroy(uv_cond_t *cond)
{
    (void)cond;
}

void uv_cond_signal(uv_cond_t *cond)
{
    wake(cond);
}

void uv_cond_wait(uv_cond_t *cond, uv_mutex_t *mutex)
{
    uv_mutex_unlock(mutex);
    wait_for(cond);
    uv_mutex_lock(mutex);
}

int uv_cond_timedwait(uv_cond_t *cond, uv_mutex_t *mutex, uint64_t ns)
{
    run_after(all.running, (ns + 999999) / 1000000);
    uv_cond_wait(cond, mutex);
    return 0;
}

int uv_sem_init(uv_sem_t *sem, unsigned value)
{
    *number_in(sem) = (int)value;
    return 0;
}

void uv_sem_destroy(uv_sem_t *sem)
{
    (void)sem;
}

void uv_sem_post(uv_sem_t *sem)
{
    ++*number_in(sem);
    wake(sem);
}

void uv_sem_wait(uv_sem_t *sem)
{
    while (!*number_in(sem))
        wait_for(sem);
    --*number_in(sem);
}
