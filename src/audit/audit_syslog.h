/*
 * audit_syslog.h - audit lines to a Unix datagram socket in the form of RFC 5424; the second sink.
 *
 * Best effort: a datagram that cannot be sent at once is counted and forgotten. The message is the audit line
 * itself, so a collector on another machine holds the hashes that a forged trail would have to match.
 */
#ifndef JG_AUDIT_AUDIT_SYSLOG_H
#define JG_AUDIT_AUDIT_SYSLOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AUDIT_SYSLOG_PATH 108

struct audit_syslog {
    int fd;         /* made once; -1 = none */
    bool connected; /* to the socket that has the path now */
    char path[AUDIT_SYSLOG_PATH];
    uint64_t sent, dropped;
};

void audit_syslog_open(struct audit_syslog *, const char *path); /* NULL or "" = none */
void audit_syslog_close(struct audit_syslog *);
void audit_syslog_send(struct audit_syslog *, const char *lines, size_t n); /* whole lines */

#endif
