/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conn_limits.c - what each peer has open; see conn_limits.h.
 */
#include "loop/server/conn_limits.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct conn_peer *peer_add(struct conn_limits *limits, const char *origin)
{
    struct conn_peer *p = calloc(1, sizeof(*p));

    if (!p)
        return NULL;
    strncpy(p->origin, origin, sizeof(p->origin) - 1);
    TAILQ_INIT(&p->silent);
    TAILQ_INIT(&p->answered);
    HASH_ADD_STR(limits->all, origin, p);
    if (p->hh.tbl)
        return p;
    free(p);
    return NULL;
}

int conn_limits_enter(struct conn_limits *limits, const char *origin, size_t max, struct conn_peer **out)
{
    struct conn_peer *p;

    HASH_FIND_STR(limits->all, origin, p);
    if (p && max && p->n >= max)
        return -EAGAIN;
    p = p ? p : peer_add(limits, origin);
    if (!p)
        return -ENOMEM;
    p->n++;
    *out = p;
    return 0;
}

void conn_limits_leave(struct conn_limits *limits, struct conn_peer *p)
{
    if (--p->n)
        return;
    HASH_DEL(limits->all, p);
    free(p);
}
