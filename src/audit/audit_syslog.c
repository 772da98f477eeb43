/* SPDX-License-Identifier: Apache-2.0 */
/*
 * audit_syslog.c - audit lines as syslog datagrams; see audit_syslog.h.
 *
 * Facility 13 (log audit), severity 5 (notice): priority 109. The time is the line's own: in UTC for RFC
 * 5424, and in the local time that RFC 3164 means. The socket is made at the start, since the sandbox allows
 * no new Unix socket later; it is connected when there is something to send, and again after the collector
 * was lost. No call waits.
 *
 * RFC 5424: the host is the machine's name at the start, the message id the event; the structured data are
 * the registered elements `meta`, whose sequenceId is the record's number, and `origin`.
 */
#include "audit/audit_syslog.h"

#include "audit/audit_chain.h"
#include "base/address.h"
#include "base/text.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define PRIORITY     109
#define MSGID_MAX    32
#define SEQUENCE_MAX 2147483647
#define HEAD_MAX     768

/* Where the machine's own collector listens. */
static const char *const local_paths[] = {"/dev/log", "/run/systemd/journal/dev-log",
                                          "/run/systemd/journal/syslog", "/var/run/log"};

/* ---- the address ---- */

static bool is_local(const char *path)
{
    for (size_t i = 0; i < sizeof(local_paths) / sizeof(local_paths[0]); i++)
        if (strcmp(path, local_paths[i]) == 0)
            return true;
    return false;
}

static void open_unix(struct audit_syslog *s, const char *path)
{
    struct sockaddr_un *to = (struct sockaddr_un *)&s->to;

    to->sun_family = AF_UNIX;
    s->to_size = sizeof(*to);
    if (text_copy(to->sun_path, sizeof(to->sun_path), path))
        s->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

static void open_udp(struct audit_syslog *s, const char *address)
{
    char host[ADDRESS_HOST_SIZE], why[ADDRESS_WHY_SIZE];
    struct sockaddr_in *v4 = (struct sockaddr_in *)&s->to;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&s->to;
    uint16_t port;

    if (address_split(address, host, &port, why))
        return;
    if (inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(port);
        s->to_size = sizeof(*v4);
    } else if (inet_pton(AF_INET6, host, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(port);
        s->to_size = sizeof(*v6);
    } else {
        return;
    }
    s->fd = socket(s->to.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

/* A name that RFC 5424 does not allow becomes "-". */
static void find_host(struct audit_syslog *s)
{
    if (gethostname(s->host, sizeof(s->host)) != 0)
        *s->host = '\0';
    s->host[sizeof(s->host) - 1] = '\0';
    for (const char *p = s->host; *p; p++)
        if (*p <= ' ' || *p > '~')
            *s->host = '\0';
    if (!*s->host)
        (void)text_copy(s->host, sizeof(s->host), "-");
}

void audit_syslog_open(struct audit_syslog *s, const char *address, enum audit_syslog_form form)
{
    const char *path = address && strncmp(address, "unix:", 5) == 0 ? address + 5 : address;

    *s = (struct audit_syslog){.fd = -1, .is_open = address && *address};
    if (!s->is_open)
        return;
    find_host(s);
    s->rfc3164 = form == AUDIT_SYSLOG_RFC3164 || (form == AUDIT_SYSLOG_AUTO && is_local(path));
    if (strncmp(address, "udp:", 4) == 0)
        open_udp(s, address + 4);
    else
        open_unix(s, path);
}

void audit_syslog_close(struct audit_syslog *s)
{
    if (s->fd >= 0)
        (void)close(s->fd);
    s->fd = -1;
}

/* ---- sending ---- */

static bool ensure_connected(struct audit_syslog *s)
{
    if (s->connected)
        return true;
    s->connected = s->fd >= 0 && connect(s->fd, (const struct sockaddr *)&s->to, s->to_size) == 0;
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

/* `Nov 21 20:31:35`, of "2026-11-21T20:31:35.123Z". */
static bool local_time(const char *time, char out[32])
{
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    struct tm utc = {0}, local;

    if (!strptime(time, "%Y-%m-%dT%H:%M:%S", &utc))
        return false;
    time_t seconds = timegm(&utc);
    if (!localtime_r(&seconds, &local))
        return false;
    (void)snprintf(out, 32, "%s %2d %02d:%02d:%02d", months[local.tm_mon % 12], local.tm_mday, local.tm_hour,
                   local.tm_min, local.tm_sec);
    return true;
}

/* Everything before the line. Its length, or -1. */
static int write_head(const struct audit_syslog *s, const struct audit_line *l, char out[HEAD_MAX])
{
    char when[32];

    if (s->rfc3164)
        return local_time(l->time, when)
                   ? snprintf(out, HEAD_MAX, "<%d>%s jumpgate[%ld]: ", PRIORITY, when, (long)getpid())
                   : -1;
    return snprintf(out, HEAD_MAX,
                    "<%d>1 %s %s jumpgate %ld %.*s [meta sequenceId=\"%" PRIu64
                    "\"][origin software=\"jumpgate\" swVersion=\"%s\"] ",
                    PRIORITY, l->time, s->host, (long)getpid(), MSGID_MAX, l->event,
                    (l->link.seq - 1) % SEQUENCE_MAX + 1, JG_VERSION);
}

static void send_line(struct audit_syslog *s, const char *line, size_t n)
{
    struct audit_line l;
    char message[AUDIT_LINE_MAX + HEAD_MAX];

    int head = audit_line_read(line, n, &l, NULL) ? -1 : write_head(s, &l, message);
    bool sent = false;

    if (head >= 0 && head < HEAD_MAX) {
        memcpy(message + head, line, n - 1); /* without the line end */
        sent = send_one(s, message, (size_t)head + n - 1) == 0;
    }
    if (sent)
        s->sent++;
    else
        s->dropped++;
}

void audit_syslog_send(struct audit_syslog *s, const char *lines, size_t n)
{
    if (!s->is_open)
        return;
    while (n) {
        const char *end = memchr(lines, '\n', n);
        size_t length = end ? (size_t)(end - lines) + 1 : n;

        send_line(s, lines, length);
        lines += length;
        n -= length;
    }
}
