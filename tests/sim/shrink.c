/* SPDX-License-Identifier: Apache-2.0 */
/* shrink.c - see the header. Pieces of half the length, a quarter, ... one act are left out in turn. */
#include "shrink.h"

#include "world.h"

#include "base/memory/secret.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define SECONDS_MAX 60

static void run_child(const struct script *s, int to)
{
    struct counts *counts = counts_new();
    struct world_result result;
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

    (void)alarm(SECONDS_MAX);
    (void)dup2(null, STDERR_FILENO);
    world_run(s, NULL, counts, &result);
    if (result.failed && write(to, result.failure, sizeof result.failure) < 0)
        abort();
    _exit(result.failed);
}

bool shrink_fails(const struct script *s, char failure[512])
{
    int ends[2], status = 0;

    (void)secret_close(); /* that memory is wiped for a child */
    if (pipe(ends))
        abort();
    pid_t child = fork();
    if (child < 0)
        abort();
    if (child == 0)
        run_child(s, ends[1]);
    (void)close(ends[1]);
    (void)snprintf(failure, 512, "the process ended by itself");
    if (read(ends[0], failure, 512) < 0)
        abort();
    (void)close(ends[0]);
    if (waitpid(child, &status, 0) != child)
        abort();
    return status != 0;
}

/* Is it the same promise? Numbers and ids may be others: words with a digit do not count. */
static bool is_same(const char *a, const char *b)
{
    for (;;) {
        a += strspn(a, " ");
        b += strspn(b, " ");
        size_t n = strcspn(a, " "), m = strcspn(b, " ");
        bool id = strcspn(a, "0123456789") < n;

        if (!n || !m)
            return n == m;
        if (!id && (n != m || memcmp(a, b, n) != 0))
            return false;
        a += n;
        b += m;
    }
}

/* One pass with pieces of n acts; true = something was left out. */
static bool leave_out(struct script *s, size_t n, const char *wanted)
{
    bool any = false;
    char failure[512];

    for (size_t at = 0; at < s->n;) {
        struct script shorter;

        script_without(&shorter, s, at, n);
        if (shrink_fails(&shorter, failure) && is_same(wanted, failure)) {
            script_free(s);
            *s = shorter;
            any = true;
        } else {
            script_free(&shorter);
            at += n;
        }
    }
    return any;
}

void shrink(struct script *s, const char *failure)
{
    size_t n = s->n / 2;

    while (n) {
        bool any = leave_out(s, n, failure);

        if (n > 1)
            n /= 2;
        else if (!any)
            n = 0;
    }
}
