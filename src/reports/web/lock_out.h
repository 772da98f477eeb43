/*
 * lock_out.h - failed attempts to sign in: who has to wait, and for how long.
 *
 * `attempts` failures of a user from a network lock that pair out for `lock_out_ms` after the last of them,
 * whatever password is given then; the same user from another network is not held up. Beside that, a network
 * may make LOCK_OUT_PER_MINUTE attempts a minute, for whatever users.
 *
 * A network is what http_peer.origin has: an IPv4 address, an IPv6 /64. Both tables are bounded; the pair
 * whose last failure is oldest goes first. Names of users are kept as given, whether or not they exist.
 */
#ifndef JG_REPORTS_WEB_LOCK_OUT_H
#define JG_REPORTS_WEB_LOCK_OUT_H

#include "base/bounded_cache.h"

#define LOCK_OUT_PER_MINUTE 20
#define LOCK_OUT_ENTRIES    4096

struct lock_out {
    const struct clock *clock;
    uint64_t attempts, lock_out_ms;
    struct bounded_cache pairs, networks;
};

void lock_out_init(struct lock_out *, const struct clock *);
void lock_out_clear(struct lock_out *);
/* Takes one attempt of the network's: 0, or the seconds until there is one. */
unsigned lock_out_take(struct lock_out *, const char *network);
/* Seconds until the pair may try again; 0 = now. */
unsigned lock_out_wait(struct lock_out *, const char *user, const char *network);
/* Counts a failure; true when it locks the pair out. */
bool lock_out_failed(struct lock_out *, const char *user, const char *network);
void lock_out_succeeded(struct lock_out *, const char *user, const char *network);

#endif
