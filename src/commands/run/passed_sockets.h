/* SPDX-License-Identifier: Apache-2.0 */
/*
 * passed_sockets.h - sockets that the service manager has made, and the listeners they belong to.
 *
 * With socket activation the manager listens before the gateway starts and while it restarts, so that no
 * connection is refused meanwhile. It passes the descriptors from number 3 on, each with a name; the name is
 * that of the listener. A listener without a descriptor makes its own socket.
 *
 * Not here: whether a socket is what its listener describes (loop/server/passed_socket.c).
 */
#ifndef JG_COMMANDS_RUN_PASSED_SOCKETS_H
#define JG_COMMANDS_RUN_PASSED_SOCKETS_H

#include "conf/conf.h"

#define PASSED_SOCKETS_WHY_SIZE 256

struct passed_sockets {
    char **names; /* NULL-terminated; owned */
    int n;
};

/*
 * Takes what LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES say out of the environment. 0, also when nothing was
 * passed, or -errno and why: the variables are malformed, a name belongs to no listener of `conf`, or two
 * descriptors have one name. passed_sockets_free() in every case. Once, before a thread exists.
 */
int passed_sockets_take(struct passed_sockets *, const struct conf *, char why[PASSED_SOCKETS_WHY_SIZE]);
/* The descriptor of a listener; 0 = none. */
int passed_socket_of(const struct passed_sockets *, const char *listener);
void passed_sockets_free(struct passed_sockets *);

#endif
