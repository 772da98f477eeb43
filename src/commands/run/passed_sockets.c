/* SPDX-License-Identifier: Apache-2.0 */
/*
 * passed_sockets.c - reads the service manager's variables; see passed_sockets.h.
 *
 * A descriptor without a listener is an error, not ignored: its clients would connect and never be answered.
 * The control socket is never passed: the commands find out by a refused connection that no gateway runs.
 */
#include "commands/run/passed_sockets.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>

static int refuse(char why[PASSED_SOCKETS_WHY_SIZE], int i, const char *name, const char *what)
{
    (void)snprintf(why, PASSED_SOCKETS_WHY_SIZE,
                   "descriptor %d, which the service manager passed as %.64s, %s", SD_LISTEN_FDS_START + i,
                   name, what);
    return -EINVAL;
}

static bool has_listener(const struct conf *conf, const char *name)
{
    for (size_t i = 0; i < conf->nlisteners; i++)
        if (!strcmp(conf->listeners[i].name, name))
            return true;
    return false;
}

static int check_name(const struct passed_sockets *p, const struct conf *conf, int i,
                      char why[PASSED_SOCKETS_WHY_SIZE])
{
    const char *name = p->names[i];

    if (!has_listener(conf, name))
        return refuse(why, i, name,
                      "has no [listener] of that name; FileDescriptorName= of the socket unit is the "
                      "listener's name");
    for (int k = 0; k < i; k++)
        if (!strcmp(p->names[k], name))
            return refuse(why, i, name, "is the second one of that name; a listener has one address");
    return 0;
}

int passed_sockets_take(struct passed_sockets *p, const struct conf *conf, char why[PASSED_SOCKETS_WHY_SIZE])
{
    int err = 0;

    *p = (struct passed_sockets){0};
    p->n = sd_listen_fds_with_names(1, &p->names);
    if (p->n < 0) {
        err = p->n;
        p->n = 0;
        (void)snprintf(why, PASSED_SOCKETS_WHY_SIZE, "LISTEN_FDS, LISTEN_PID or LISTEN_FDNAMES: %s",
                       strerror(-err));
    }
    for (int i = 0; i < p->n && !err; i++)
        err = check_name(p, conf, i, why);
    return err;
}

int passed_socket_of(const struct passed_sockets *p, const char *listener)
{
    for (int i = 0; i < p->n; i++)
        if (!strcmp(p->names[i], listener))
            return SD_LISTEN_FDS_START + i;
    return 0;
}

void passed_sockets_free(struct passed_sockets *p)
{
    for (int i = 0; p->names && p->names[i]; i++)
        free(p->names[i]);
    free(p->names);
    *p = (struct passed_sockets){0};
}
