/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth_failures.c - how often each peer failed to identify itself as a client; see auth_failures.h.
 *
 * Without memory for an origin its failure is not counted: a failure to count must not refuse a client.
 */
#include "handlers/auth_failures.h"

#include "base/token_bucket.h"
#include "base/uthash_nofail.h"
#include "loop/server/server.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#define BURST_S 60

struct origin {
    char name[HTTP_ORIGIN_SIZE];
    struct token_bucket logins, lines;
    TAILQ_ENTRY(origin) link;
    UT_hash_handle hh;
};

struct auth_failures {
    const struct clock *clock;
    struct origin *all;
    TAILQ_HEAD(, origin) used; /* the one whose last failure is oldest first */
    struct token_bucket lines; /* of all origins; filled_ms 0 = full */
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
    o->logins = o->lines = (struct token_bucket){bucket_size(per_s), clock_now(fs->clock)};
    HASH_ADD_STR(fs->all, name, o);
    if (!o->hh.tbl) {
        free(o);
        return NULL;
    }
    TAILQ_INSERT_TAIL(&fs->used, o, link);
    if (HASH_COUNT(fs->all) > AUTH_FAILURES_MAX)
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

static unsigned bucket_take(const struct auth_failures *fs, struct token_bucket *b, double per_s)
{
    return token_bucket_take(b, per_s, bucket_size(per_s), clock_now(fs->clock));
}

static bool line_of_all(struct auth_failures *fs, double per_s)
{
    if (!fs->lines.filled_ms)
        fs->lines = (struct token_bucket){bucket_size(per_s), clock_now(fs->clock)};
    return bucket_take(fs, &fs->lines, per_s) == 0;
}

unsigned auth_failures_take(struct auth_failures *fs, const char *name, double per_s)
{
    struct origin *o = per_s > 0 ? origin_get(fs, name, per_s) : NULL;

    return o ? bucket_take(fs, &o->logins, per_s) : 0;
}

bool auth_failures_line(struct auth_failures *fs, const char *name, double per_s)
{
    struct origin *o = per_s > 0 ? origin_get(fs, name, per_s) : NULL;

    if (per_s <= 0)
        return true;
    /* The bucket of the origin first: an origin over its limit takes nothing from the bucket of all. */
    return (!o || bucket_take(fs, &o->lines, per_s) == 0) && line_of_all(fs, AUTH_FAILURES_ALL * per_s);
}

size_t auth_failures_count(const struct auth_failures *fs)
{
    return HASH_COUNT(fs->all);
}
