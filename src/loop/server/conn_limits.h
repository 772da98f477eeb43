/*
 * conn_limits.h - what each peer has open, and its parties in the queues of the server.
 *
 * A peer is an origin as server.h defines it: an IPv4 address, an IPv6 /64 network, a uid. An entry exists
 * only while the peer has a connection, so the table is never larger than the number of connections. In the
 * queues of the server (read_queue.c, request_backlog.c) peers alternate, and strangers.c closes a connection
 * of the peer that has most of them.
 */
#ifndef JG_LOOP_SERVER_CONN_LIMITS_H
#define JG_LOOP_SERVER_CONN_LIMITS_H

#include "base/queue/fair_queue.h"
#include "base/uthash_nofail.h"
#include "loop/server/server.h"

#include <sys/queue.h>

TAILQ_HEAD(http_conns, http_conn);

/* The fair queues of the server, the read queues first; a peer is one party in each. */
enum conn_queue {
    QUEUE_STRANGERS,
    QUEUE_INSISTENT,
    QUEUE_HANDSHAKES,
    NREAD_QUEUES,
    QUEUE_URGENT = NREAD_QUEUES,
    QUEUE_REQUESTS,
    CONN_NQUEUES
};

struct conn_peer {
    char origin[HTTP_ORIGIN_SIZE];
    size_t n; /* connections */
    struct fair_queue_party queues[CONN_NQUEUES];
    /* strangers.c: its strangers before and after an answered ClientHello; oldest first */
    struct http_conns silent, answered;
    size_t nsilent, nanswered;
    TAILQ_ENTRY(conn_peer) link; /* among the peers with a similar number of them */
    UT_hash_handle hh;
};

struct conn_limits { /* all zero = no peer */
    struct conn_peer *all;
};

/* One more, if that makes at most `max` (0 = no limit). 0 and the peer, -EAGAIN or -ENOMEM. */
int conn_limits_enter(struct conn_limits *, const char *origin, size_t max, struct conn_peer **);
void conn_limits_leave(struct conn_limits *, struct conn_peer *); /* with its last connection it is freed */

#endif
