/*
 * report.h - reports of the admin port: requests, sessions, counts.
 */
#ifndef SIM_REPORT_H
#define SIM_REPORT_H

#include "passwordsafe-sim/server.h"

struct request;

/* `finished`: how many of the ended requests to list, newest last. */
void report_state(struct server *, size_t finished, struct buf *out);
void report_counts(struct server *, struct buf *out);
void report_request(struct jsonw *, const struct request *);
/* Everything the account hides, for tests that must know the truth. */
void report_account(struct server *, const struct model_account *, struct buf *out);

#endif
