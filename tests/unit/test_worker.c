/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_worker.c - the thread of a worker: whose turn it is, and what happens when the system gives none.
 *
 * uv_thread_create() is played here, so that it can be refused.
 */
#include "check.h"
#include "loop/worker.h"

#include <signal.h>
#include <string.h>

static struct loop *loop;
static bool no_threads;
static unsigned threads;

int uv_thread_create(uv_thread_t *thread, void (*entry)(void *arg), void *arg)
{
    static const uv_thread_options_t plain = {.flags = UV_THREAD_NO_FLAGS};

    threads++;
    return no_threads ? UV_EAGAIN : uv_thread_create_ex(thread, &plain, entry, arg);
}

struct task {
    struct worker worker; /* first */
    uv_thread_t at;       /* where the work was done */
    sigset_t blocked;
    unsigned worked, done, rounds;
    bool starting, closed;
};

static void on_work(struct worker *w)
{
    struct task *t = (struct task *)w;

    t->at = uv_thread_self();
    (void)pthread_sigmask(SIG_SETMASK, NULL, &t->blocked);
    t->worked++;
}

static void start(struct task *t)
{
    t->starting = true;
    worker_go(&t->worker);
    t->starting = false;
}

static void on_done(struct worker *w)
{
    struct task *t = (struct task *)w;
    uv_thread_t self = uv_thread_self(), *at = &t->at;

    assert_false(t->starting); /* never before worker_go() has returned */
    if (t->worked)
        assert_false(uv_thread_equal(&self, at));
    t->done++;
    if (t->done < t->rounds)
        start(t);
}

static void on_closed(struct worker *w)
{
    ((struct task *)w)->closed = true;
}

static void begin(struct task *t, unsigned rounds)
{
    *t = (struct task){.worker = {.work = on_work, .done = on_done}, .rounds = rounds};
    assert_int_equal(worker_open(loop, &t->worker), 0);
}

static void until(const unsigned *n, unsigned wanted)
{
    while (*n < wanted)
        (void)uv_run(loop_uv(loop), UV_RUN_ONCE);
    assert_int_equal(*n, wanted);
}

static void end(struct task *t)
{
    worker_close(&t->worker, on_closed);
    assert_false(t->closed);
    while (!t->closed)
        (void)uv_run(loop_uv(loop), UV_RUN_ONCE);
}

static int setup(void **state)
{
    (void)state;
    no_threads = false;
    threads = 0;
    loop = loop_new();
    return loop ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    return loop_free(loop);
}

TEST(work_is_done_on_the_thread_and_answered_on_the_loop)
{
    struct task t;

    begin(&t, 1);
    assert_int_equal(threads, 0);
    start(&t);
    until(&t.done, 1);
    assert_int_equal(t.worked, 1);
    assert_int_equal(sigismember(&t.blocked, SIGTERM), 1);
    assert_int_equal(sigismember(&t.blocked, SIGXFSZ), 1);
    end(&t);
}

TEST(one_thread_does_it_all_in_turn)
{
    struct task t;

    begin(&t, 1000);
    start(&t);
    until(&t.done, 1000);
    assert_int_equal(t.worked, 1000);
    assert_int_equal(threads, 1);
    end(&t);
    assert_int_equal(t.worked, 1000);
}

TEST(without_a_thread_done_comes_alone)
{
    struct task t;

    begin(&t, 1);
    no_threads = true;
    start(&t);
    until(&t.done, 1);
    assert_int_equal(t.worked, 0);
    no_threads = false;
    start(&t);
    until(&t.done, 2);
    assert_int_equal(t.worked, 1);
    end(&t);
}

TEST(closing_needs_no_work)
{
    struct task t;

    begin(&t, 1);
    end(&t);
    assert_int_equal(threads, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
        T(work_is_done_on_the_thread_and_answered_on_the_loop),
        T(one_thread_does_it_all_in_turn),
        T(without_a_thread_done_comes_alone),
        T(closing_needs_no_work),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
