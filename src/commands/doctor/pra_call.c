/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pra_call.c - one call to the PRA site, and the finding of a fault; see pra.h.
 */
#include "commands/doctor/pra.h"

#include "base/container_of.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* ---- findings ---- */

void site_enter(struct site_doctor *s, enum doctor_stage stage)
{
    s->d->report.stage = stage;
}

/* The fault of the present stage, with what to do about it. */
void site_fault(struct site_doctor *s, enum report_part part, const char *code, const char *detail,
                const char *cause, const char *remedy)
{
    struct doctor_report *report = &s->d->report;

    report->of[report->stage].fault = code;
    report_write(report, part, "%s", detail);
    report_cause(s->d, "%s", cause);
    report_remedy(s->d, "%s", remedy);
}

const struct explanation *site_explanation(const struct explanation *rows, size_t n, enum pra_fault fault)
{
    for (size_t i = 0; i + 1 < n; i++)
        if (rows[i].fault == fault)
            return &rows[i];
    return &rows[n - 1]; /* for every other fault */
}

void site_explain(struct site_doctor *s, const struct explanation *row, const struct pra_result *result)
{
    char detail[PRA_TEXT_SIZE + 160], cause[DOCTOR_WORDS_SIZE];
    bool other = result->page && result->fault != PRA_WEB_PAGE && s->d->report.stage > STAGE_PRA_PROBE;

    pra_result_words(result, detail, sizeof(detail));
    /* The site has answered the probe, but a machine before it may treat the API's paths in another way. */
    if (result->page)
        (void)snprintf(
            cause, sizeof(cause),
            "an HTML page came in the answer's place (%d): a proxy, a firewall (WAF) or a maintenance "
            "page answers for the site; or, if the site wrote it, %s",
            result->status, row->cause);
    site_fault(s, REPORT_FAILED, row->code, detail, other ? cause : row->cause, row->remedy);
}

/* ---- calls ---- */

static void on_done(struct pra_call *call)
{
    struct site_call *waiting = CONTAINER_OF(call, struct site_call, call);

    waiting->done = true;
    loop_stop(waiting->loop);
}

/* One call, waited for; pra_call_free() it. */
void site_ask(struct site_doctor *s, struct site_call *out)
{
    out->loop = s->loop;
    out->call.urgent = out->call.once = true;
    out->call.done = on_done;
    if (pra_client_call(s->client, &out->call)) {
        out->call.result.fault = PRA_NO_MEMORY;
        return;
    }
    while (!out->done)
        (void)loop_run(s->loop);
}

bool site_denies(const struct pra_result *result)
{
    return result->fault == PRA_DENIED ||
           (result->fault == PRA_SITE_ERROR &&
            (strcasestr(result->text, "permission") || strcasestr(result->text, "denied")));
}

/* What the XML APIs answer when they are switched off, unless it is a page. */
bool site_lacks(const struct pra_result *result)
{
    return result->fault == PRA_STATUS && result->status == 404;
}

/* The site's clock, as far as it is known. */
int64_t site_time_ms(const struct site_doctor *s)
{
    return clock_wall(loop_clock(s->loop)) + s->skew_ms;
}
