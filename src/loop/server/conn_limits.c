/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conn_limits.c - what each peer has open; see conn_limits.h.
 */
#include "loop/server/conn_limits.h"

#include "base/container_of.h"
#include "base/uthash_nofail.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct peer {
    struct conn_peer shared;
    UT_hash_handle hh;
};

struct conn_limits {
    struct peer *all;
};

struct conn_limits *conn_limits_new(void)
{
    return calloc(1, sizeof(struct conn_limits));
}

void conn_limits_free(struct conn_limits *ps)
{
    struct peer *p, *next;

    if (!ps)
        return;
    HASH_ITER(hh, ps->all, p, next)
    {
        HASH_DEL(ps->all, p);
        free(p);
    }
    free(ps);
}

static struct peer *peer_find(struct conn_limits *ps, const char *origin)
{
    struct peer *p;

    HASH_FIND_STR(ps->all, origin, p);
    return p;
}

static struct peer *peer_add(struct conn_limits *ps, const char *origin)
{
    struct peer *p = calloc(1, sizeof(*p));

    if (!p)
        return NULL;
    strncpy(p->shared.origin, origin, sizeof(p->shared.origin) - 1);
    TAILQ_INIT(&p->shared.silent);
    TAILQ_INIT(&p->shared.heard);
    HASH_ADD_STR(ps->all, shared.origin, p);
    if (p->hh.tbl)
        return p;
    free(p);
    return NULL;
}

int conn_limits_enter(struct conn_limits *ps, const char *origin, size_t max, struct conn_peer **out)
{
    struct peer *p = peer_find(ps, origin);

    if (p && max && p->shared.n >= max)
        return -EAGAIN;
    p = p ? p : peer_add(ps, origin);
    if (!p)
        return -ENOMEM;
    p->shared.n++;
    *out = &p->shared;
    return 0;
}

void conn_limits_leave(struct conn_limits *ps, struct conn_peer *peer)
{
    struct peer *p = CONTAINER_OF(peer, struct peer, shared);

    if (--peer->n)
        return;
    HASH_DEL(ps->all, p);
    free(p);
}
