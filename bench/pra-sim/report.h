/*
 * report.h - the state of the site as JSON, for the admin port. Secrets and tokens are left out.
 */
#ifndef PRA_SIM_REPORT_H
#define PRA_SIM_REPORT_H

#include "base/jsonw.h"
#include "pra-sim/server.h"

void report_state(const struct server *, struct buf *out);
void report_counts(const struct server *, struct buf *out);
/* The last n calls, oldest first. */
void report_log(const struct server *, size_t n, struct buf *out);
void report_recipients(const struct server *, struct buf *out);
void report_session_json(struct jsonw *, const struct session *);

#endif
