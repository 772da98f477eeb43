/*
 * report.h - the state of the site as JSON, for the admin port. Secrets are left out, and so are tokens but
 * for the report of the live ones.
 */
#ifndef PRA_SIM_REPORT_H
#define PRA_SIM_REPORT_H

#include "base/jsonw.h"
#include "pra-sim/server.h"

void report_state(const struct server *, struct buf *out);
/* The texts of all live tokens: for a test that looks where they have been left. */
void report_tokens(const struct server *, struct buf *out);
void report_counts(const struct server *, struct buf *out);
/* The last n calls, oldest first. */
void report_log(const struct server *, size_t n, struct buf *out);
void report_recipients(const struct server *, struct buf *out);
/* The made-up sessions: what they are made of, and how many there are. */
void report_month(const struct server *, struct buf *out);
/* Everything that is countable, from the sessions themselves and not from their XML. */
void report_month_totals(const struct server *, struct buf *out);
void report_month_session(const struct server *, uint64_t index, struct buf *out);
void report_session_json(struct jsonw *, const struct session *);

#endif
