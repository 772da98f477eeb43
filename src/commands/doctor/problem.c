/* SPDX-License-Identifier: Apache-2.0 */
/*
 * problem.c - several problems of one stage: the worst is the finding, the others are notes; see
 * own.h.
 */
#include "commands/doctor/own.h"

#include <stdarg.h>
#include <stdio.h>

#define DETAIL_SIZE 512

void own_problem(struct own_side *own, enum report_part part, struct own_remedy remedy, const char *fmt, ...)
{
    struct doctor *d = own->d;
    const struct doctor_finding *finding = &d->report.of[d->report.stage];
    char detail[DETAIL_SIZE];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(detail, sizeof(detail), fmt, ap);
    va_end(ap);
    if (finding->state == STATE_FAILED || (finding->state == STATE_WARNING && part == REPORT_WARNING)) {
        report_note(d, "also: %s; %s", detail, remedy.remedy);
        return;
    }
    if (finding->state == STATE_WARNING)
        report_note(d, "also: %s; %s", finding->detail, finding->remedy);
    report_write(&d->report, part, "%s", detail);
    report_cause(d, "%s", remedy.cause);
    report_remedy(d, "%s", remedy.remedy);
}

void own_good(struct own_side *own, const char *fmt, ...)
{
    struct doctor *d = own->d;
    char detail[DETAIL_SIZE];
    va_list ap;

    if (d->report.of[d->report.stage].state != STATE_UNKNOWN)
        return;
    va_start(ap, fmt);
    (void)vsnprintf(detail, sizeof(detail), fmt, ap);
    va_end(ap);
    report_ok(d, "%s", detail);
}
