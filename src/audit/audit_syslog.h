/*
 * audit_syslog.h - audit lines as syslog messages, to a Unix datagram socket or by UDP; the second sink.
 *
 * Best effort: a datagram that cannot be sent at once is counted and forgotten. The message is the audit line
 * itself, so a collector on another machine holds the hashes that a forged trail would have to match.
 *
 * Two forms. RFC 3164 in the shape that the C library's syslog() writes (no host) is what the local collector
 * expects on /dev/log; RFC 5424, with host, record number and structured data, is for all other places.
 */
#ifndef JG_AUDIT_AUDIT_SYSLOG_H
#define JG_AUDIT_AUDIT_SYSLOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define AUDIT_SYSLOG_HOST 256

enum audit_syslog_form { AUDIT_SYSLOG_AUTO, AUDIT_SYSLOG_RFC3164, AUDIT_SYSLOG_RFC5424 };

struct audit_syslog {
    int fd;         /* made once; -1 = none */
    bool is_open;   /* an address was given */
    bool connected; /* to the socket that has the path now */
    bool rfc3164;
    struct sockaddr_storage to;
    socklen_t to_size;
    char host[AUDIT_SYSLOG_HOST];
    uint64_t sent, dropped;
};

/* `unix:/PATH`, `/PATH`, `udp:ADDRESS:PORT`; NULL or "" = none. What is none of these counts every message as
 * dropped (the configuration refuses it). AUTO: RFC 3164 for the paths of the machine's own collector. */
void audit_syslog_open(struct audit_syslog *, const char *address, enum audit_syslog_form);
void audit_syslog_close(struct audit_syslog *);
void audit_syslog_send(struct audit_syslog *, const char *lines, size_t n); /* whole lines */

#endif
