/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crash_point.c - named places where a test kills or stops the process; see crash_point.h. The lock is for
 * calls from the thread pool.
 */
#include "base/crash_point.h"

#ifdef JG_CRASH_POINTS

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_NAMES 64

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const char *seen[MAX_NAMES];

static struct wanted {
    const char *variable;
    int signal;
    unsigned passed;
} kill_at = {"JG_KILL_AT", SIGKILL, 0}, stop_at = {"JG_STOP_AT", SIGSTOP, 0};

static void list_name(const char *name)
{
    if (!getenv("JG_KILL_LIST"))
        return;
    for (int i = 0; i < MAX_NAMES; i++) {
        if (!seen[i]) {
            seen[i] = name;
            (void)dprintf(STDERR_FILENO, "crash point %s\n", name);
            return;
        }
        if (strcmp(seen[i], name) == 0)
            return;
    }
}

static void pass(struct wanted *w, const char *name)
{
    const char *at = getenv(w->variable);
    size_t n = strlen(name);

    if (!at || strncmp(at, name, n) != 0 || (at[n] != '\0' && at[n] != ':'))
        return;
    unsigned long nth = at[n] ? strtoul(at + n + 1, NULL, 10) : 1;

    if (++w->passed == nth)
        (void)kill(getpid(), w->signal);
}

void crash_point(const char *name)
{
    (void)pthread_mutex_lock(&lock);
    list_name(name);
    pass(&kill_at, name);
    pass(&stop_at, name);
    (void)pthread_mutex_unlock(&lock);
}

#else
typedef int crash_point_is_not_built; /* a translation unit must not be empty */
#endif
