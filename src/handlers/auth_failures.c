/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth_failures.c - how often each peer failed to identify itself as a client; see auth_failures.h.
 *
 * Without memory for an origin its failure is not counted: a failure to count must not refuse a client.
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
    TAILQ_HEAD(, origin) used; /* the one whose last failure is oldest first */
    size_t n;
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

static void origin_forget(struct auth_failures *fs, struct origin *o)
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
        origin_forget(fs, TAILQ_FIRST(&fs->used));
    free(fs);
}

static double bucket_size(double per_s)
{
    return per_s * BURST_S > 1 ? per_s * BURST_S : 1;
}

static struct origin *origin_add(struct auth_failures *fs, const char *name, double per_s)
{
    struct origin *o = calloc(1, sizeof(*o));

    if (!o)
        return NULL;
    strncpy(o->name, name, sizeof(o->name) - 1);
    o->logins = o->lines = (struct bucket){bucket_size(per_s), clock_now(fs->clock)};
    HASH_ADD_STR(fs->all, name, o);
    if (o->unhashed) {
        free(o);
        return NULL;
    }
    TAILQ_INSERT_TAIL(&fs->used, o, link);
    fs->n++;
    if (fs->n > AUTH_FAILURES_MAX)
        origin_forget(fs, TAILQ_FIRST(&fs->used));
    return o;
}

static struct origin *origin_get(struct auth_failures *fs, const char *name, double per_s)
{
    struct origin *o;

    HASH_FIND_STR(fs->all, name, o);
    if (!o)
        return origin_add(fs, name, per_s);
    TAILQ_REMOVE(&fs->used, o, link);
    TAILQ_INSERT_TAIL(&fs->used, o, link);
    return o;
}

static bool bucket_take(const struct auth_failures *fs, struct bucket *b, double per_s)
{
    uint64_t now = clock_now(fs->clock);

    b->tokens = fmin(b->tokens + (double)(now - b->filled_ms) / 1000.0 * per_s, bucket_size(per_s));
    b->filled_ms = now;
    if (b->tokens < 1)
        return false;
    b->tokens -= 1;
    return true;
}

unsigned auth_failures_take(struct auth_failures *fs, const char *name, double per_s)
{
    struct origin *o = per_s > 0 ? origin_get(fs, name, per_s) : NULL;

    if (!o || bucket_take(fs, &o->logins, per_s))
        return 0;
    return (unsigned)ceil(fmin((1 - o->logins.tokens) / per_s, WAIT_MAX_S));
}

bool auth_failures_line(struct auth_failures *fs, const char *name, double per_s)
{
    struct origin *o = per_s > 0 ? origin_get(fs, name, per_s) : NULL;

    return !o || bucket_take(fs, &o->lines, per_s);
}

size_t auth_failures_count(const struct auth_failures *fs)
{
    return fs->n;
}
