/*
 * trail.h - the audit trail of session reports: who signed in and looked at what, and what the program did.
 *
 * Its file is chained as the gateway's is (audit/audit_chain.h); the head is in the state directory, wherever
 * the trail is.
 */
#ifndef JG_REPORTS_COMMANDS_RUN_TRAIL_H
#define JG_REPORTS_COMMANDS_RUN_TRAIL_H

#include "audit/audit_writer.h"
#include "loop/loop.h"
#include "reports/conf/reports_conf.h"

/* NULL, errno and `why`. */
struct audit_writer *trail_open(struct loop *, const struct reports_conf *, char why[320]);
/* `collector_started`: version, digest of the configuration, whether it collects. */
void trail_started(struct audit_writer *, const struct reports_conf *);
/* `user_changed` for each user whom a reload adds, changes or removes. */
void trail_users(struct audit_writer *, const struct reports_conf *now, const struct reports_conf *next);

#endif
