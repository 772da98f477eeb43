/*
 * outcomes.h - what an answer of the site means for the session reports.
 */
#ifndef JG_REPORTS_PRA_OUTCOMES_H
#define JG_REPORTS_PRA_OUTCOMES_H

#include "backends/pra/answers.h"
#include "reports/pra/pra_site.h"

/* end, status, retry, permission and text of the outcome. */
void outcome_take(struct report_outcome *, enum report_ask, enum report_page_kind, const struct pra_result *);
void outcome_grants(enum report_grant grants[REPORT_NASKS], const struct pra_info *);

#endif
