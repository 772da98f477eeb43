/*
 * report.h - the admin port's reports. No token and no password but in the reports that are for them.
 */
#ifndef PI_SIM_REPORT_H
#define PI_SIM_REPORT_H

#include "pi-sim/server.h"

void report_state(struct server *, struct buf *out);
void report_counts(struct server *, struct buf *out);
/* The events after number `after`, oldest first. */
void report_history(struct server *, uint64_t after, struct buf *out);
/* All check-outs, or the live ones. */
void report_checkouts(struct server *, bool live, struct buf *out);
/* Names, passwords and versions, for tests that must know the truth. */
void report_credentials(struct server *, struct buf *out);
/* The live tokens, for a test that looks where they have been left. */
void report_tokens(struct server *, struct buf *out);

#endif
