/*
 * report_xml.h - the rows of the Reporting API's reports.
 */
#ifndef PRA_SIM_REPORT_XML_H
#define PRA_SIM_REPORT_XML_H

#include "pra-sim/dispatch.h"

/* A row of AccessSessionListing, and a whole session of AccessSession. */
void report_listing_row(struct dispatch *, struct xml *, const struct session *);
void report_session(struct dispatch *, struct xml *, const struct session *);
/* AccessSessionSummary: one row for each user with sessions in the period (seconds, `to` not in it). */
void report_summaries(struct dispatch *, struct xml *, bool by_end, int64_t from, int64_t to);

#endif
