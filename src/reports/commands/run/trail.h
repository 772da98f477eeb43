/*
 * trail.h - the audit trail of session reports: who signed in and looked at what, and what the program did.
 *
 * Its file is chained as the gateway's is (audit/audit_chain.h); the head is in the state directory, wherever
 * the trail is.
 *
 * A trail has one writer. A process that collects writes `audit_file`, and there is one of them for each
 * state directory and database. A process that serves the page alone has a folder of its own for trail and
 * head, named after the address that it listens on: `audit.ADDRESS` in the state directory. So any number of
 * them run, and each goes on with its own chain after a restart. An `audit_file` that names another place is
 * taken as it is.
 */
#ifndef JG_REPORTS_COMMANDS_RUN_TRAIL_H
#define JG_REPORTS_COMMANDS_RUN_TRAIL_H

#include "audit/audit_writer.h"
#include "loop/loop.h"
#include "reports/conf/reports_conf.h"

/* The folder of trail and head, the caller's. `collects`: this process does. NULL: no memory. */
char *trail_folder(const struct reports_conf *, bool collects);
/* The folder is there (folders.h). NULL, errno and `why`. */
struct audit_writer *trail_open(struct loop *, const struct reports_conf *, bool collects, char why[320]);
/* `collector_started`: version, digest of the configuration, whether it collects. */
void trail_started(struct audit_writer *, const struct reports_conf *, bool collects);

struct trail_backfill {
    const char *site;     /* NULL = all */
    int64_t since, until; /* Unix seconds; RECORD_NONE = not given */
};
/* `backfill`: a round that moves the start of collecting back. 0, and the wait ends as that of a sink
 * (audit_sink.h), or -errno. */
int trail_backfill(struct audit_writer *, const struct trail_backfill *, struct audit_wait *);
/* `user_changed` for each user whom a reload adds, changes or removes. */
void trail_users(struct audit_writer *, const struct reports_conf *now, const struct reports_conf *next);

#endif
