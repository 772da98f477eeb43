/* SPDX-License-Identifier: Apache-2.0 */
/*
 * audit_syslog.c - audit lines as syslog datagrams; see audit_syslog.h.
 *
 * Facility 13 (log audit), severity 5 (notice): priority 109. The time is the line's own, the host is left to
 * the collector. The socket is made at the start, since the sandbox allows no new Unix socket later;
 * it is connected when there is something to send, and again after the collector was lost. No call waits.
 */
#include "audit/audit_syslog.h"

#include "audit/audit_chain.h"
#include "base/text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

void audit_syslog_open(struct audit_syslog *s, const char *path)
{
    *s = (struct audit_syslog){.fd = -1};
    (void)text_copy(s->path, sizeof(s->path), path ? path : "");
    if (*s->path)
        s->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

void audit_syslog_close(struct audit_syslog *s)
{
    if (s->fd >= 0)
        (void)close(s->fd);
    s->fd = -1;
}

static bool ensure_connected(struct audit_syslog *s)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};

    if (s->connected)
        return true;
    s->connected = s->fd >= 0 && text_copy(to.sun_path, sizeof(to.sun_path), s->path) &&
                   connect(s->fd, (const struct sockaddr *)&to, sizeof(to)) == 0;
    return s->connected;
}

/* Connected once more where the collector may have been restarted. */
static int send_one(struct audit_syslog *s, const char *message, size_t n)
{
    for (int tries = 0; tries < 2; tries++) {
        if (!ensure_connected(s))
            return -1;
        if (send(s->fd, message, n, MSG_NOSIGNAL) == (ssize_t)n)
            return 0;
        if (errno == EAGAIN || errno == EMSGSIZE || errno == ENOBUFS)
            return -1;
        s->connected = false;
    }
    return -1;
}

static void send_line(struct audit_syslog *s, const char *line, size_t n)
{
    struct audit_line l;
    char message[AUDIT_LINE_MAX + 256];

    if (audit_line_read(line, n, &l))
        return;
    int head =
        snprintf(message, sizeof(message), "<109>1 %s - jumpgate %ld %s - ", l.time, (long)getpid(), l.event);
    if (head < 0 || (size_t)head + n > sizeof(message))
        return;
    memcpy(message + head, line, n - 1); /* without the line end */
    if (send_one(s, message, (size_t)head + n - 1))
        s->dropped++;
    else
        s->sent++;
}

void audit_syslog_send(struct audit_syslog *s, const char *lines, size_t n)
{
    if (!*s->path)
        return;
    while (n) {
        const char *end = memchr(lines, '\n', n);
        size_t length = end ? (size_t)(end - lines) + 1 : n;

        send_line(s, lines, length);
        lines += length;
        n -= length;
    }
}
