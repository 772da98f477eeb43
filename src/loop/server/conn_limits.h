/*
 * conn_limits.h - how many connections each peer has open.
 *
 * A peer is an origin as server.h names it: an IPv4 address, an IPv6 /64 network. An entry exists only while
 * the peer has a connection, so the table is never larger than the number of connections.
 */
#ifndef JG_LOOP_SERVER_CONN_LIMITS_H
#define JG_LOOP_SERVER_CONN_LIMITS_H

#include "loop/server/server.h"

struct conn_limits;

struct conn_limits *conn_limits_new(void);
void conn_limits_free(struct conn_limits *); /* NULL is fine */
/* One more, if that makes at most `max` (0 = no limit). 0, -EAGAIN or -ENOMEM. */
int conn_limits_enter(struct conn_limits *, const char *origin, size_t max);
void conn_limits_leave(struct conn_limits *, const char *origin);

#endif
