/* SPDX-License-Identifier: Apache-2.0 */
/*
 * checkin_count.c - how many check-ins a request key needs where checkin_calls is `each`: as many as
 * check-outs of it were answered or lost.
 *
 * A count is in memory alone. After a restart, or without memory for a count, check-ins of a key go on until
 * the vault says that nothing is left.
 */
#include "backends/privileged_identity/internal.h"
#include "base/uthash_nofail.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct pi_count {
    char key[PI_KEY_SIZE];
    size_t checkouts;
    UT_hash_handle hh;
};

static struct pi_count *count_of(const struct pi *pi, const char *key)
{
    struct pi_count *count;

    HASH_FIND_STR(pi->counts, key, count);
    return count;
}

static void forget(struct pi *pi, struct pi_count *count)
{
    if (!count)
        return;
    HASH_DEL(pi->counts, count);
    free(count);
}

static struct pi_count *count_new(struct pi *pi, const char *key)
{
    struct pi_count *count = calloc(1, sizeof(*count));

    if (!count)
        return NULL;
    (void)snprintf(count->key, sizeof(count->key), "%s", key);
    HASH_ADD_STR(pi->counts, key, count);
    if (count->hh.tbl)
        return count;
    free(count);
    return NULL;
}

void pi_count_checkout(struct pi *pi, const char *key, bool first)
{
    struct pi_count *count = pi->http.vault.conf->checkin_each ? count_of(pi, key) : NULL;

    if (!pi->http.vault.conf->checkin_each)
        return;
    if (!count && first)
        count = count_new(pi, key);
    if (count)
        count->checkouts++;
}

bool pi_count_checkin(struct pi *pi, const char *key)
{
    struct pi_count *count = count_of(pi, key);

    if (!count)
        return true;
    if (--count->checkouts)
        return true;
    forget(pi, count);
    return false;
}

void pi_count_gone(struct pi *pi, const char *key)
{
    forget(pi, count_of(pi, key));
}

void pi_counts_free(struct pi *pi)
{
    struct pi_count *count, *next;

    HASH_ITER(hh, pi->counts, count, next)
    forget(pi, count);
}
