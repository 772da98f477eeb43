/* SPDX-License-Identifier: Apache-2.0 */
/*
 * failing_calls.c - counts calls and lets one fail; see the header.
 *
 * The counter is atomic, since the lease store and the audit trail have a thread each. A thread works while
 * the loop waits for it, so that the calls of a scenario come in the same order each time, or nearly so: a
 * call that another run does not reach fails the next of its place instead.
 */
#include "failing_calls.h"

#include "check.h"

#include <execinfo.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/common_interface_defs.h>
#include <sanitizer/lsan_interface.h>
#endif

#define MOST   20000 /* calls of one scenario */
#define FRAMES 9     /* how much of the stack tells one way from another; the first two are of this file */
#define NAMES  512   /* of calls */
#define BURST  12    /* calls that fail one after the other in the whole form */

static struct {
    atomic_bool on;
    atomic_uint count, from, n; /* calls so far; which fail */
    atomic_bool counting;       /* the first run */
    atomic_bool first;          /* failing_calls_first(): the ways are those that have failed */
    uint64_t ways[MOST];
    bool trace, listing;
    const char *failed;  /* what has failed first */
    bool inside, broken; /* a run has begun; one has not come to its end, and what it had is lost */
} calls;

static _Thread_local unsigned paused;

static uint64_t way_here(void)
{
    void *frames[FRAMES];
    int n = backtrace(frames, FRAMES);
    uint64_t way = 1469598103934665603U;

    for (int i = 2; i < n; i++)
        way = (way ^ (uintptr_t)frames[i]) * 1099511628211U;
    return way;
}

/* The first call of this run whose way has not failed yet. */
static bool fails_first(void)
{
    uint64_t way = way_here();

    for (unsigned i = 0; i < calls.n; i++)
        if (calls.ways[i] == way)
            return false;
    if (calls.failed)
        return false;
    assert_in_range(calls.n, 0, MOST - 1);
    calls.ways[calls.n++] = way;
    return true;
}

/* Prints it once for the process. */
static void list(const char *name)
{
    static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    static const char *known[NAMES];
    static size_t n;
    size_t i = 0;

    (void)pthread_mutex_lock(&mutex);
    while (i < n && strcmp(known[i], name) != 0)
        i++;
    if (i == n) {
        assert_in_range(n, 0, NAMES - 1);
        known[n++] = name;
        (void)dprintf(STDOUT_FILENO, "\nreached %s\n", name); /* a scenario may have a stdout of its own */
    }
    (void)pthread_mutex_unlock(&mutex);
}

bool failing_call(const char *name)
{
    if (!calls.on || paused)
        return false;
    if (calls.listing) {
        paused++;
        list(name);
        paused--;
        return false;
    }
    unsigned nth = ++calls.count;

    if (calls.counting && nth <= MOST) {
        paused++;
        calls.ways[nth - 1] = way_here();
        paused--;
    }
    bool fails = nth >= calls.from && nth - calls.from < calls.n;

    if (calls.first) {
        paused++;
        fails = fails_first();
        paused--;
    }

    if (fails && !calls.failed)
        calls.failed = name;
#ifdef __SANITIZE_ADDRESS__
    if (fails && calls.trace)
        __sanitizer_print_stack_trace();
#endif
    return fails;
}

void failing_calls_pause(void)
{
    paused++;
}

void failing_calls_resume(void)
{
    paused--;
}

void failing_calls_start(void)
{
    calls.on = true;
}

void failing_calls_stop(void)
{
    calls.on = false;
    if (calls.failed)
        case_label("call %u of %u, %s, fails", (unsigned)calls.from, (unsigned)calls.count, calls.failed);
}

/* It takes longer than a run. */
static void check_leaks(const char *name)
{
#ifdef __SANITIZE_ADDRESS__
    if (!calls.broken && __lsan_do_recoverable_leak_check())
        fail_msg("%s: memory is lost; JG_FAILING_CALLS=trace says by which call", name);
#else
    (void)name;
#endif
}

static void run(const char *name, void (*scenario)(void), unsigned from, unsigned n)
{
    calls.broken = calls.broken || calls.inside;
    calls.inside = true;
    calls.count = 0;
    calls.from = from;
    calls.n = n;
    calls.failed = NULL;
    case_label("%s: call %u fails, and %u after it", name, from, n ? n - 1 : 0);
    scenario();
    failing_calls_stop();
    if (calls.trace)
        check_leaks(name);
    calls.inside = false;
    case_text[0] = '\0';
}

static bool is_new_way(unsigned nth)
{
    for (unsigned i = 0; i < nth - 1; i++)
        if (calls.ways[i] == calls.ways[nth - 1])
            return false;
    return true;
}

/* JG_FAILING_CALLS=reached: that is all that is done. */
static bool only_lists(const char *name, void (*scenario)(void))
{
    const char *form = getenv("JG_FAILING_CALLS");

    calls.listing = form && !strcmp(form, "reached");
    if (calls.listing)
        run(name, scenario, 0, 0);
    return calls.listing;
}

void failing_calls_first(const char *name, void (*scenario)(void))
{
    if (only_lists(name, scenario))
        return;
    calls.first = true;
    calls.n = 0;
    do
        run(name, scenario, 1, calls.n);
    while (calls.failed);
    calls.first = false;
    check_leaks(name);
    print_message("%s: %u made to fail\n", name, (unsigned)calls.n);
}

void failing_calls_each(const char *name, void (*scenario)(void))
{
    const char *form = getenv("JG_FAILING_CALLS");
    bool all = form && !strcmp(form, "all");
    unsigned total, tried = 0;

    if (only_lists(name, scenario))
        return;
    calls.trace = form && !strcmp(form, "trace");
    case_report(); /* this file's: of the scenario before */
    run(name, scenario, 0,
        0); /* what is made once for the process is there then, and calls are counted alike */
    calls.counting = true;
    run(name, scenario, 0, 0);
    calls.counting = false;
    total = calls.count;
    assert_in_range(total, 1, MOST);
    for (unsigned nth = 1; nth <= total; nth++) {
        if (!all && !is_new_way(nth))
            continue;
        tried++;
        run(name, scenario, nth, 1);
        if (all)
            run(name, scenario, nth, BURST);
    }
    check_leaks(name);
    print_message("%s: %u calls, %u made to fail\n", name, total, tried);
}
