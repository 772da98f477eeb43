/*
 * audit.h - the audit trail of a running gateway: opened before anything may be checked out, closed last.
 */
#ifndef JG_COMMANDS_RUN_AUDIT_H
#define JG_COMMANDS_RUN_AUDIT_H

#include "audit/audit_writer.h"
#include "broker/audit.h"
#include "broker/broker.h"
#include "conf/conf.h"

struct loop;

struct run_audit {
    struct audit_writer *writer; /* NULL = not open */
    struct audit *audit;
};

/* Opens the trail; so many records may wait. False, errno and `why`. */
bool run_audit_attach(struct run_audit *, struct loop *, const struct conf *, size_t max_queued,
                      char why[320]);
/* The same, and records the start of the gateway. */
bool run_audit_open(struct run_audit *, struct loop *, const struct conf *, char why[320]);
void run_audit_rotate(struct run_audit *);
/* Records the end; `audit` is not used afterwards. */
void run_audit_stop(struct run_audit *);
/* Finishes the writes, then calls `closed`; without an open writer it does nothing. */
void run_audit_close(struct run_audit *, void (*closed)(void *arg), void *arg);

/* Before the broker is made: a store without a tag takes that of the newest lease id in the trail's last
 * part, so that requests which a lost or rebuilt store knew are recognised. */
void run_tag(const struct conf *, struct store *);
/* After the store has been read and before requests are served. For check-outs in the trail's last part
 * without an end or a row, recovery is started; the log and the trail record how many. */
void run_witness(const struct conf *, struct broker *, struct audit *);

#endif
