/*
 * etcd_rig.h - a real etcd of one member for a test, and a proxy before it that loses, delays and repeats.
 *
 * The member listens on loopback ports that were free, and keeps its data in a temporary directory. It ends
 * with the rig, and with the test program. Where etcd is not installed, etcd_rig_start() says so and is
 * false.
 *
 * The proxy gives each request to etcd over a connection of its own, unless a fault comes between.
 */
#ifndef JG_TESTS_ETCD_RIG_H
#define JG_TESTS_ETCD_RIG_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct etcd_rig {
    pid_t pid;
    int port, peer_port;
    char dir[64], url[64];
};

bool etcd_rig_start(struct etcd_rig *);
void etcd_rig_end(struct etcd_rig *);
/* The member is killed; it comes again with its data, at its port. */
void etcd_rig_kill(struct etcd_rig *);
void etcd_rig_restart(struct etcd_rig *);
/* One request to etcd, from the test's own thread. The answer with its head, to be freed. */
char *etcd_rig_ask(const struct etcd_rig *, const char *path, const char *body);
/* All keys from `from` up to `to` go. */
void etcd_rig_delete(const struct etcd_rig *, const char *from, const char *to);

enum etcd_fault {
    FAULT_NONE,
    FAULT_BEFORE,    /* etcd does not get it; the connection is closed */
    FAULT_AFTER,     /* etcd has done it; the connection is closed */
    FAULT_CUT,       /* etcd has done it; half of the answer comes */
    FAULT_LATE,      /* the connection is closed; etcd gets it a while later */
    FAULT_TWICE,     /* etcd gets it twice; the second answer comes */
    FAULT_401,       /* refused: the token is old */
    FAULT_503,       /* no leader: etcd does not get it */
    FAULT_503_AFTER, /* etcd has done it, and the member says that it does not know */
    FAULT_FULL,      /* etcd has done it, and says that its quota is reached */
    FAULT_NFAULTS,
    SIGNED_IN = FAULT_NFAULTS /* no fault: a token, which etcd never sees */
};

struct etcd_proxy;

/* `fault` is called for each request, on a thread of the proxy, one call at a time. */
struct etcd_proxy *etcd_proxy_start(const struct etcd_rig *,
                                    enum etcd_fault (*fault)(void *arg, const char *path), void *arg,
                                    char url[64]);
void etcd_proxy_end(struct etcd_proxy *); /* what is late has come by then */
/* From now on connections are refused; what is late has come by then. And it listens again, at its port. */
void etcd_proxy_refuse(struct etcd_proxy *);
void etcd_proxy_listen(struct etcd_proxy *);

#endif
