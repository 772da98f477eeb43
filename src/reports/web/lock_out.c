/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lock_out.c - failed attempts to sign in; see lock_out.h.
 */
#include "reports/web/lock_out.h"

#include "base/container_of.h"
#include "base/digest.h"
#include "base/text.h"
#include "base/token_bucket.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct pair {
    struct cache_entry entry;
    unsigned char key[DIGEST_SIZE];
    uint64_t failures, last_ms;
};

struct network {
    struct cache_entry entry;
    char name[64];
    struct token_bucket bucket;
};

void lock_out_init(struct lock_out *l, const struct clock *clock)
{
    *l = (struct lock_out){.clock = clock};
    l->pairs = l->networks = (struct bounded_cache){
        .clock = clock, .max_entries = LOCK_OUT_ENTRIES, .max_weight = LOCK_OUT_ENTRIES};
    bounded_cache_init(&l->pairs);
    bounded_cache_init(&l->networks);
}

void lock_out_clear(struct lock_out *l)
{
    bounded_cache_clear(&l->pairs);
    bounded_cache_clear(&l->networks);
}

static struct network *network_of(struct lock_out *l, const char *name)
{
    struct cache_entry *entry = bounded_cache_find(&l->networks, name, strlen(name));
    struct network *n;

    if (entry) {
        bounded_cache_touch(&l->networks, entry);
        return CONTAINER_OF(entry, struct network, entry);
    }
    n = calloc(1, sizeof(*n));
    if (!n)
        return NULL;
    (void)text_copy(n->name, sizeof(n->name), name);
    n->bucket = (struct token_bucket){LOCK_OUT_PER_MINUTE, clock_now(l->clock)};
    if (bounded_cache_put(&l->networks, &n->entry, n->name, strlen(n->name), 1))
        return n;
    free(n);
    return NULL;
}

unsigned lock_out_take(struct lock_out *l, const char *network)
{
    struct network *n = network_of(l, network);

    if (!n)
        return 1; /* no memory to count it: it does not pass */
    return token_bucket_take(&n->bucket, LOCK_OUT_PER_MINUTE / 60.0, LOCK_OUT_PER_MINUTE,
                             clock_now(l->clock));
}

/* The digest of both names: a name cannot make an entry large. */
static bool pair_key(const char *user, const char *network, unsigned char key[DIGEST_SIZE])
{
    char text[1200];
    int n = snprintf(text, sizeof(text), "%s\n%s", network, user);

    return n > 0 && digest_sha256(text, (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1, key) == 0;
}

static struct pair *pair_of(struct lock_out *l, const unsigned char key[DIGEST_SIZE])
{
    struct cache_entry *entry = bounded_cache_find(&l->pairs, key, DIGEST_SIZE);

    return entry ? CONTAINER_OF(entry, struct pair, entry) : NULL;
}

static bool is_over(const struct lock_out *l, const struct pair *p)
{
    return clock_now(l->clock) - p->last_ms >= l->lock_out_ms;
}

unsigned lock_out_wait(struct lock_out *l, const char *user, const char *network)
{
    unsigned char key[DIGEST_SIZE];
    struct pair *p = pair_key(user, network, key) ? pair_of(l, key) : NULL;

    if (!p || p->failures < l->attempts || is_over(l, p))
        return 0;
    return (unsigned)((p->last_ms + l->lock_out_ms - clock_now(l->clock) + 999) / 1000);
}

bool lock_out_failed(struct lock_out *l, const char *user, const char *network)
{
    unsigned char key[DIGEST_SIZE];
    struct pair *p;

    if (!pair_key(user, network, key))
        return false;
    p = pair_of(l, key);
    if (!p) {
        p = calloc(1, sizeof(*p));
        if (!p)
            return false;
        memcpy(p->key, key, sizeof(key));
        if (!bounded_cache_put(&l->pairs, &p->entry, p->key, DIGEST_SIZE, 1)) {
            free(p);
            return false;
        }
    }
    bounded_cache_touch(&l->pairs, &p->entry);
    if (p->failures && is_over(l, p))
        p->failures = 0;
    p->last_ms = clock_now(l->clock);
    return ++p->failures == l->attempts;
}

void lock_out_succeeded(struct lock_out *l, const char *user, const char *network)
{
    unsigned char key[DIGEST_SIZE];
    struct pair *p = pair_key(user, network, key) ? pair_of(l, key) : NULL;

    if (p)
        bounded_cache_drop(&l->pairs, &p->entry);
}
