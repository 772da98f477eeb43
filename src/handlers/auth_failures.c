/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth_failures.c - how often each peer came without being a known client; see auth_failures.h.
 *
 * Where there is no memory for an origin, it is let off: a failure to count must not shut anybody out.
 */
#include "handlers/auth_failures.h"

#include "loop/server/server.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

/* The hash says "out of memory" instead of leaving the program; the plain hash has no bare fall-through. */
#define HASH_FUNCTION(key, len, hash) HASH_SAX(key, len, hash)
#define HASH_NONFATAL_OOM             1
#define uthash_nonfatal_oom(origin)   ((origin)->unhashed = true)
#include <uthash.h>

#define BURST_S    60
#define WAIT_MAX_S 3600

struct bucket {
    double tokens;
    uint64_t filled_ms; /* monotonic, when `tokens` was true */
};

struct origin {
    char name[HTTP_ORIGIN_SIZE];
    struct bucket logins, lines;
    bool unhashed;
    TAILQ_ENTRY(origin) link;
    UT_hash_handle hh;
};

struct auth_failures {
    const struct clock *clock;
    struct origin *all;
    TAILQ_HEAD(, origin) used; /* the one that failed longest ago first */
    size_t n;
    struct bucket lines; /* of all; filled_ms 0 = full */
};

struct auth_failures *auth_failures_new(const struct clock *clock)
{
    struct auth_failures *fs = calloc(1, sizeof(*fs));

    if (!fs)
        return NULL;
    fs->clock = clock;
    TAILQ_INIT(&fs->used);
    return fs;
}

static void forget(struct auth_failures *fs, struct origin *o)
{
    HASH_DEL(fs->all, o);
    TAILQ_REMOVE(&fs->used, o, link);
    fs->n--;
    free(o);
}

void auth_failures_free(struct auth_failures *fs)
{
    if (!fs)
        return;
    while (!TAILQ_EMPTY(&fs->used))
        forget(fs, TAILQ_FIRST(&fs->used));
    free(fs);
}

static double size_of(double per_s)
{
    return per_s * BURST_S > 1 ? per_s * BURST_S : 1;
}

static struct origin *add(struct auth_failures *fs, const char *name, double per_s)
{
    struct origin *o = calloc(1, sizeof(*o));

    if (!o)
        return NULL;
    strncpy(o->name, name, sizeof(o->name) - 1);
    o->logins = o->lines = (struct bucket){size_of(per_s), clock_now(fs->clock)};
    HASH_ADD_STR(fs->all, name, o);
    if (o->unhashed) {
        free(o);
        return NULL;
    }
    TAILQ_INSERT_TAIL(&fs->used, o, link);
    fs->n++;
    if (fs->n > AUTH_FAILURES_MAX)
        forget(fs, TAILQ_FIRST(&fs->used));
    return o;
}

static struct origin *get(struct auth_failures *fs, const char *name, double per_s)
{
    struct origin *o;

    HASH_FIND_STR(fs->all, name, o);
    if (!o)
        return add(fs, name, per_s);
    TAILQ_REMOVE(&fs->used, o, link);
    TAILQ_INSERT_TAIL(&fs->used, o, link);
    return o;
}

static bool take(const struct auth_failures *fs, struct bucket *b, double per_s)
{
    uint64_t now = clock_now(fs->clock);

    b->tokens = fmin(b->tokens + (double)(now - b->filled_ms) / 1000.0 * per_s, size_of(per_s));
    b->filled_ms = now;
    if (b->tokens < 1)
        return false;
    b->tokens -= 1;
    return true;
}

static bool take_of_all(struct auth_failures *fs, double per_s)
{
    if (!fs->lines.filled_ms)
        fs->lines = (struct bucket){size_of(per_s), clock_now(fs->clock)};
    return take(fs, &fs->lines, per_s);
}

unsigned auth_failures_take(struct auth_failures *fs, const char *name, double per_s)
{
    struct origin *o = per_s > 0 ? get(fs, name, per_s) : NULL;

    if (!o || take(fs, &o->logins, per_s))
        return 0;
    return (unsigned)ceil(fmin((1 - o->logins.tokens) / per_s, WAIT_MAX_S));
}

bool auth_failures_line(struct auth_failures *fs, const char *name, double per_s)
{
    struct origin *o = per_s > 0 ? get(fs, name, per_s) : NULL;

    if (per_s <= 0)
        return true;
    /* The bucket of the origin first: who is over its own takes nothing from the others. */
    return (!o || take(fs, &o->lines, per_s)) && take_of_all(fs, AUTH_FAILURES_ALL * per_s);
}

size_t auth_failures_count(const struct auth_failures *fs)
{
    return fs->n;
}
