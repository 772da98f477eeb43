/* SPDX-License-Identifier: Apache-2.0 */
/*
 * outcomes.c - what an answer of the site means; see outcomes.h.
 *
 * The client's faults become ends by a table. An <error> is told apart by its words, since the site answers
 * all of them with status 200: an lsid that it does not know, a permission that is missing, and everything
 * else.
 */
#include "reports/pra/outcomes.h"

#include "backends/pra/permissions.h"
#include "base/text.h"

#include <string.h>

static const enum report_end ends[PRA_NFAULTS] = {
    [PRA_OK] = REPORT_OK,
    [PRA_NO_ROWS] = REPORT_NO_ROWS,
    [PRA_NAME_UNKNOWN] = REPORT_UNREACHABLE,
    [PRA_REFUSED_TCP] = REPORT_UNREACHABLE,
    [PRA_CONNECT_LATE] = REPORT_UNREACHABLE,
    [PRA_TLS_ISSUER] = REPORT_TLS,
    [PRA_TLS_NAME] = REPORT_TLS,
    [PRA_TLS_EXPIRED] = REPORT_TLS,
    [PRA_TLS_NONE] = REPORT_TLS,
    [PRA_NO_CONNECTION] = REPORT_UNREACHABLE,
    [PRA_TIMEOUT] = REPORT_TIMEOUT,
    [PRA_LOST] = REPORT_BROKEN,
    [PRA_TOO_LARGE] = REPORT_TOO_LARGE,
    [PRA_NONSENSE] = REPORT_FORMAT,
    [PRA_WEB_PAGE] = REPORT_WEB_PAGE,
    [PRA_REDIRECT] = REPORT_SITE_ERROR,
    [PRA_STATUS] = REPORT_SITE_ERROR,
    [PRA_UNAVAILABLE] = REPORT_RATE_LIMITED,
    [PRA_RATE_LIMITED] = REPORT_RATE_LIMITED,
    [PRA_SITE_ERROR] = REPORT_SITE_ERROR,
    [PRA_DENIED] = REPORT_DENIED,
    [PRA_TOKEN_REFUSED] = REPORT_CREDENTIALS,
    [PRA_CLIENT_REFUSED] = REPORT_CREDENTIALS,
    [PRA_CANCELLED] = REPORT_STOPPED,
    [PRA_NO_MEMORY] = REPORT_NO_MEMORY,
};

static const struct end_row {
    const char *name, *reason;
} rows[REPORT_NENDS] = {
    [REPORT_OK] = {"ok", NULL},
    [REPORT_NO_ROWS] = {"no_rows", NULL},
    [REPORT_INVALID_LSID] = {"invalid_lsid", NULL},
    [REPORT_CREDENTIALS] = {"credentials", "credentials"},
    [REPORT_DENIED] = {"denied", "permission"},
    [REPORT_RATE_LIMITED] = {"rate_limited", NULL},
    [REPORT_API_DISABLED] = {"api_disabled", "api_disabled"},
    [REPORT_TLS] = {"tls", "tls"},
    [REPORT_UNREACHABLE] = {"unreachable", "unreachable"},
    [REPORT_TIMEOUT] = {"timeout", "unreachable"},
    [REPORT_BROKEN] = {"broken", "unreachable"},
    [REPORT_TOO_LARGE] = {"too_large", "format"},
    [REPORT_FORMAT] = {"format", "format"},
    [REPORT_WEB_PAGE] = {"web_page", "format"},
    [REPORT_SITE_ERROR] = {"site_error", NULL},
    [REPORT_NO_SPOOL] = {"no_spool", NULL},
    [REPORT_NO_MEMORY] = {"no_memory", NULL},
    [REPORT_STOPPED] = {"stopped", NULL},
};

static const struct pra_requirement need_vault = {
    "perm_reporting_vault", NULL, PRA_NEED_ALLOWED,
    "Reporting API: Allow Access to Vault Account Activity Reports"};
static const struct pra_requirement *const needs[REPORT_NASKS] = {
    [REPORT_ASK_LISTING] = &pra_need_reports,   [REPORT_ASK_SESSIONS] = &pra_need_reports,
    [REPORT_ASK_TEAM] = &pra_need_reports,      [REPORT_ASK_VAULT] = &need_vault,
    [REPORT_ASK_SYSLOG] = &pra_need_syslog,     [REPORT_ASK_PAGE] = &pra_need_configuration,
    [REPORT_ASK_INFO] = &pra_need_command_read, [REPORT_ASK_ATTRIBUTES] = &pra_need_command_read,
};

const char *report_end_name(enum report_end end)
{
    return rows[end].name;
}

const char *report_end_reason(enum report_end end)
{
    return rows[end].reason;
}

bool report_end_is_whole(enum report_end end)
{
    return end == REPORT_OK || end == REPORT_NO_ROWS;
}

static bool is_invalid_lsid(enum report_ask ask, const char *text)
{
    if (ask == REPORT_ASK_ATTRIBUTES)
        return true; /* an <error> is all that the site says of a session that is not active */
    return ask == REPORT_ASK_SESSIONS &&
           text_equal_nocase_n(text, strlen(text) < 12 ? strlen(text) : 12, "invalid lsid", 12);
}

static enum report_end end_of_error(enum report_ask ask, const struct pra_result *r)
{
    if (strcasestr(r->text, "permission"))
        return REPORT_DENIED;
    if (r->status == 404)
        return REPORT_API_DISABLED;
    if (r->fault == PRA_SITE_ERROR && r->status == 200 && is_invalid_lsid(ask, r->text))
        return REPORT_INVALID_LSID;
    return REPORT_SITE_ERROR;
}

void outcome_take(struct report_outcome *out, enum report_ask ask, enum report_page_kind page,
                  const struct pra_result *r)
{
    const struct pra_requirement *need =
        ask == REPORT_ASK_PAGE && page == REPORT_PAGE_VAULT_ACCOUNT ? &pra_need_vault_accounts : needs[ask];

    out->end = ends[r->fault];
    if (out->end == REPORT_SITE_ERROR)
        out->end = end_of_error(ask, r);
    out->status = r->status;
    out->retry_after_ms = r->retry_after_ms;
    out->permission = need->permission;
    text_copy(out->text, sizeof(out->text), r->text);
}

void outcome_grants(enum report_grant grants[REPORT_NASKS], const struct pra_info *info)
{
    static const enum report_grant as[] = {[PRA_GRANT_UNKNOWN] = REPORT_GRANT_UNKNOWN,
                                           [PRA_GRANT_NO] = REPORT_GRANT_NO,
                                           [PRA_GRANT_YES] = REPORT_GRANT_YES};

    for (int i = 0; i < REPORT_NASKS; i++)
        grants[i] = as[pra_granted(info, needs[i])];
}
