/*
 * report_xml.h - the rows of the Reporting API's reports on sessions.
 */
#ifndef PRA_SIM_REPORT_XML_H
#define PRA_SIM_REPORT_XML_H

#include "pra-sim/dispatch.h"
#include "pra-sim/rows.h"

/* A row of AccessSessionListing, and a whole session of AccessSession. */
void report_listing_row(struct dispatch *, struct xml *, const struct row *);
void report_session(struct dispatch *, struct xml *, const struct row *);
/* AccessSessionSummary: one row for each user. */
void report_summaries(struct dispatch *, struct xml *, const struct rows *);

#endif
