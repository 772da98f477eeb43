/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pra_checks.c - the stages of a PRA site that need a token: permissions, role, clock, reports.
 *
 * Not here: which permission which feature needs (backends/pra/permissions.c).
 */
#include "backends/pra/site.h"
#include "commands/doctor/pra.h"
#include "commands/run/site_params.h"
#include "conf/conf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define SKEW_BAD_MS    60000
#define SYNC_STALE_MS  (3600 * 1000)
#define LISTING_BACK_S 60

/* ---- permissions ---- */

static bool is_missing(const struct site_doctor *s, const struct pra_site_params *params,
                       enum pra_feature feature)
{
    return pra_site_uses(params, feature) &&
           pra_granted(&s->info, pra_features[feature].need) == PRA_GRANT_NO;
}

/* A later feature lacks the same permission, and its box grants this one's as well. */
static bool is_told_later(const struct site_doctor *s, const struct pra_site_params *params,
                          enum pra_feature feature)
{
    for (enum pra_feature later = feature + 1; later < PRA_NFEATURES; later++)
        if (is_missing(s, params, later) &&
            strcmp(pra_features[later].need->permission, pra_features[feature].need->permission) == 0)
            return true;
    return false;
}

static void judge_permissions(struct site_doctor *s, const struct pra_site_params *params)
{
    char detail[512] = "", remedy[512] = "";
    size_t missing = 0;

    for (enum pra_feature i = 0; i < PRA_NFEATURES; i++) {
        const struct pra_requirement *need = pra_features[i].need;
        if (!is_missing(s, params, i))
            continue;
        size_t used = strlen(detail), told = strlen(remedy);
        (void)snprintf(detail + used, sizeof(detail) - used, "%s%s needs %s", used ? "; " : "",
                       pra_features[i].title, need->permission);
        if (!is_told_later(s, params, i))
            (void)snprintf(remedy + told, sizeof(remedy) - told, "%s%s",
                           told ? "; " : "Management > API Configuration, set ", need->box);
        missing++;
    }
    if (missing) {
        site_fault(s, REPORT_FAILED, "permission_missing", detail,
                   "the API account lacks what the configured features need", remedy);
        return;
    }
    for (enum pra_list list = 0; list < PRA_NLISTS; list++)
        if (pra_list_verdict(&s->info, list) == PRA_LIST_INCOMPLETE) {
            size_t used = strlen(detail);
            (void)snprintf(detail + used, sizeof(detail) - used, "%s%s", used ? ", " : "",
                           pra_list_name(list));
        }
    if (*detail) {
        char text[600];
        (void)snprintf(text, sizeof(text),
                       "all that is configured is allowed; not all that is asked for by: %s", detail);
        site_fault(s, REPORT_WARNING, "vendor_list_incomplete", text,
                   "the account has fewer permissions than the vendor's own integrations want",
                   "nothing, unless Password Safe or Identity Security Insights use this account");
        return;
    }
    report_ok(s->d, "the account may do all that is configured");
}

void site_check_permissions(struct site_doctor *s)
{
    struct pra_site_params params = site_params(s->conf);

    site_enter(s, STAGE_PRA_PERMISSIONS);
    if (!s->has_info)
        return;
    for (size_t i = 0; i < s->info.npermissions; i++)
        report_note(s->d, "%s = %s", s->info.permissions[i].name, s->info.permissions[i].value);
    judge_permissions(s, &params);
}

/* ---- role, clock ---- */

static void judge_health(struct site_doctor *s, const struct pra_health *health)
{
    bool stale = health->has_sync && site_time_ms(s) - health->last_sync_ms > SYNC_STALE_MS;

    report_note(s->d, "version %s, appliance %s", *health->version ? health->version : "not named",
                *health->appliance_id ? health->appliance_id : "not named");
    if (strcasecmp(health->failover_role, "backup") == 0)
        site_fault(s, REPORT_FAILED, "standby", "this appliance is the backup of a failover pair",
                   "`url` names the backup, or the pair has switched over and its name has not",
                   "write the name that the pair shares into `url`");
    else if (health->has_success && !health->success)
        site_fault(s, REPORT_FAILED, "site_reports_error",
                   *health->error_message ? health->error_message : "the site reports an error",
                   "the appliance has a problem of its own", "see its /login and /appliance pages");
    else if (stale)
        site_fault(s, REPORT_WARNING, "sync_stale",
                   "the pair's last data synchronisation is over an hour old",
                   "the backup is away, or synchronisation is switched off",
                   "see Management > Failover at the site");
    else
        report_ok(s->d, "role %s, no error reported",
                  *health->failover_role ? health->failover_role : "not named");
}

void site_check_role(struct site_doctor *s)
{
    struct site_call health = {.call = {.kind = PRA_CALL_HEALTH}};
    static const struct explanation other = {
        PRA_OK, "site_reports_error", "check_health of the Command API did not answer", "see the detail"};

    site_enter(s, STAGE_PRA_ROLE);
    if (!s->has_info || pra_granted(&s->info, &pra_need_command_read) == PRA_GRANT_NO)
        return; /* check_health is a call of the Command API */
    site_ask(s, &health);
    if (health.call.result.fault == PRA_OK)
        judge_health(s, &health.call.answer.health);
    else
        site_explain(s, &other, &health.call.result);
    pra_call_free(&health.call);
}

void site_check_clock(struct site_doctor *s)
{
    char detail[160];

    site_enter(s, STAGE_PRA_CLOCK);
    if (!s->has_info)
        return;
    if (!s->has_skew) {
        report_unknown(s->d, "the site does not say its time");
        return;
    }
    (void)snprintf(detail, sizeof(detail), "the site's clock is %.1f s %s this machine's",
                   (double)llabs(s->skew_ms) / 1000, s->skew_ms < 0 ? "behind" : "ahead of");
    if (llabs(s->skew_ms) > SKEW_BAD_MS)
        site_fault(s, REPORT_FAILED, "clock_skew", detail, "one of the two clocks is not kept by NTP",
                   "check `timedatectl` here and the NTP server in the site's /appliance");
    else
        report_ok(s->d, "%s", detail);
}

/* ---- reports ---- */

static const struct explanation reporting_rows[] = {
    {PRA_DENIED, "reporting_denied", "the account may not read session reports",
     "Management > API Configuration: check Allow Access to Access Session Reports and Recordings"},
    {PRA_WEB_PAGE, "reporting_error", "the XML API is switched off at the site",
     "Management > Security: check Enable XML API"},
    {PRA_OK, "reporting_error", "the listing of closed sessions failed",
     "see the detail; a busy site may need a longer `report_timeout`"},
};

static const struct explanation *reporting_row(const struct pra_result *result)
{
    if (site_denies(result))
        return &reporting_rows[0];
    if (site_lacks(result))
        return &reporting_rows[1];
    return site_explanation(reporting_rows, sizeof(reporting_rows) / sizeof(reporting_rows[0]),
                            result->fault);
}

void site_check_reporting(struct site_doctor *s)
{
    struct site_call listing = {.call = {.kind = PRA_CALL_LISTING}};
    const struct pra_result *result = &listing.call.result;

    site_enter(s, STAGE_PRA_REPORTING);
    if (!s->conf->poll_interval_ms) {
        report_ok(s->d, "not used: `poll_interval` is 0s");
        return;
    }
    listing.call.end_time_s = site_time_ms(s) / 1000 - LISTING_BACK_S;
    site_ask(s, &listing);
    if (result->fault == PRA_OK || result->fault == PRA_NO_ROWS)
        report_ok(s->d, "%zu session%s ended in the last minute", listing.call.answer.listing.n,
                  listing.call.answer.listing.n == 1 ? "" : "s");
    else
        site_explain(s, reporting_row(result), result);
    pra_call_free(&listing.call);
}
