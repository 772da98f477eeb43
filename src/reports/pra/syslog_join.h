/*
 * syslog_join.h - segments of one message of the appliance's log, joined.
 */
#ifndef JG_REPORTS_PRA_SYSLOG_JOIN_H
#define JG_REPORTS_PRA_SYSLOG_JOIN_H

#include <stddef.h>
#include <stdint.h>

#define SYSLOG_SEGMENTS_MAX 99

struct syslog_segment {
    const char *head; /* of the line, up to and with the blank before the site's id */
    size_t head_len;
    const char *key; /* host, pid and site: segments of one message have it in common */
    size_t key_len;
    unsigned number, total; /* 1..total..99 */
    const char *payload;
    size_t len;
};

struct syslog_joins;

struct syslog_joins *syslog_joins_new(void);
void syslog_joins_free(struct syslog_joins *);
/* 1: the message is whole, and *head and *payload are its texts until the next call; 0: segments are missing;
 * -ENOMEM. */
int syslog_join(struct syslog_joins *, const struct syslog_segment *, const char **head, size_t *head_len,
                const char **payload, size_t *len);
/* Messages given up, and those that are not whole yet. */
uint64_t syslog_joins_left(const struct syslog_joins *);

#endif
