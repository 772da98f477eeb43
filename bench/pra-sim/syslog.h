/*
 * syslog.h - the messages of the appliance's syslog, and the archive that the Syslog report is.
 */
#ifndef PRA_SIM_SYSLOG_H
#define PRA_SIM_SYSLOG_H

#include "pra-sim/dispatch.h"

#define SYSLOG_PAYLOAD 8192

struct syslog_message {
    int64_t at_s;
    const char *host;
    unsigned pid;
    struct buf payload; /* escaped pairs, not yet split */
};

void syslog_message(const struct site *, uint64_t index,
                    struct syslog_message *); /* init payload with BUF_INIT */
/* Lines of the messages [from, to), long ones split and their parts between those of other processes. */
void syslog_lines(const struct site *, uint64_t from, uint64_t to, struct buf *out);
/* The archive: today's lines, and those of the 13 days before as .gz members. */
void syslog_zip(struct dispatch *);

#endif
