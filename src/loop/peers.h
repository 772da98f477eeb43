/*
 * peers.h - how many connections each peer has open.
 *
 * A peer is an origin as http.h names it: an IPv4 address, an IPv6 /64 network. An entry exists only while
 * the peer has a connection, so the table is never larger than the number of connections.
 */
#ifndef JG_LOOP_PEERS_H
#define JG_LOOP_PEERS_H

#include "loop/http.h"

struct peers;

struct peers *peers_new(void);
void peers_free(struct peers *); /* NULL is fine */
/* One more, if that makes at most `max` (0 = no limit). 0, -EAGAIN or -ENOMEM. */
int peers_enter(struct peers *, const char *origin, size_t max);
void peers_leave(struct peers *, const char *origin);

#endif
