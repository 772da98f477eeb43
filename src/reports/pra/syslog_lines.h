/*
 * syslog_lines.h - lines of the appliance's log turned into records.
 *
 * A line is `Mon DD hh:mm:ss host BG[pid]: siteid:segment:total:payload`; lines of other programs are passed
 * over. A long message is split anywhere, into segments, which may stand apart: they are joined by host, pid
 * and site before the payload is split into its pairs `key=value;`, where `\` makes `=`, `;` and itself
 * plain.
 *
 * The time of a message is its `when`, else the line's date in the newest year that makes it not more than a
 * day later than now. Equal messages of one archive are numbered (ordinal), so that the same archive gives
 * the same records. They are looked for among the last 65536 different messages at least.
 *
 * Memory is bounded: a line of 64 kB, 256 messages that are not whole, 4 MiB of their segments; what is over
 * that is left out and counted. Any one thread.
 */
#ifndef JG_REPORTS_PRA_SYSLOG_LINES_H
#define JG_REPORTS_PRA_SYSLOG_LINES_H

#include "reports/pra/batch.h"

struct syslog_lines;

struct syslog_lines *syslog_lines_new(int64_t now_s); /* NULL when out of memory */
void syslog_lines_free(struct syslog_lines *);        /* NULL is fine */
/* Records go into `out`, which is not flushed. 0 or -ENOMEM. */
int syslog_lines_feed(struct syslog_lines *, const char *bytes, size_t n, struct batch_out *out);
int syslog_lines_end_file(struct syslog_lines *, struct batch_out *out); /* its last line may have no end */
/* Messages left out: malformed, too long, or without all their segments (those count when the archive is at
 * its end). */
uint64_t syslog_lines_left_out(const struct syslog_lines *);

#endif
