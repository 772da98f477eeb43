/* SPDX-License-Identifier: Apache-2.0 */
/*
 * permissions.c - what the API account of a site must be allowed; see permissions.h.
 */
#include "backends/pra/permissions.h"

#include "backends/pra/site.h"

#include <string.h>

const struct pra_requirement pra_need_command_read = {"perm_command", NULL, PRA_NEED_READ,
                                                      "Command API: Read Only or Full Access"};
const struct pra_requirement pra_need_command_full = {"perm_command", NULL, PRA_NEED_FULL,
                                                      "Command API: Full Access"};
const struct pra_requirement pra_need_reports = {
    "perm_reporting_support", "perm_reporting", PRA_NEED_ALLOWED,
    "Reporting API: Allow Access to Access Session Reports and Recordings"};
const struct pra_requirement pra_need_configuration = {"perm_configuration", NULL, PRA_NEED_ALLOWED,
                                                       "Configuration API: Allow Access"};
const struct pra_requirement pra_need_ecm = {"perm_ecm", NULL, PRA_NEED_ALLOWED,
                                             "Endpoint Credential Manager API: Allow Access"};
const struct pra_requirement pra_need_vault_accounts = {
    "perm_configuration_vault_account", NULL, PRA_NEED_ALLOWED, "Configuration API: Manage Vault Accounts"};
const struct pra_requirement pra_need_syslog = {"perm_reporting_syslog", NULL, PRA_NEED_ALLOWED,
                                                "Reporting API: Allow Access to Syslog Reports"};

const struct pra_feature_row pra_features[PRA_NFEATURES] = {
    [PRA_FEATURE_WATCH] = {"watch", "watching", &pra_need_command_read},
    [PRA_FEATURE_EARLY_RELEASE] = {"early_release", "early release by polling", &pra_need_reports},
    [PRA_FEATURE_KILL_SWITCH] = {"kill_switch", "ending sessions", &pra_need_command_full},
    [PRA_FEATURE_JUMPOINTS] = {"jumpoints", "Jumpoints", &pra_need_configuration},
    [PRA_FEATURE_ECM] = {"ecm", "the ECM plug-in", &pra_need_ecm},
};

bool pra_site_uses(const struct pra_site_params *p, enum pra_feature feature)
{
    switch (feature) {
    case PRA_FEATURE_EARLY_RELEASE: return p->poll_interval_ms > 0;
    case PRA_FEATURE_KILL_SWITCH: return p->terminate;
    case PRA_FEATURE_JUMPOINTS: return p->njumpoints || p->all_jumpoints;
    case PRA_FEATURE_ECM: return p->ecm;
    default: return true;
    }
}

static const struct pra_requirement *const password_safe[] = {&pra_need_command_full, &pra_need_reports,
                                                              &pra_need_ecm, NULL};
static const struct pra_requirement *const insights[] = {&pra_need_command_read,   &pra_need_configuration,
                                                         &pra_need_vault_accounts, &pra_need_reports,
                                                         &pra_need_syslog,         NULL};
static const struct list_row {
    const char *name;
    const struct pra_requirement *const *needs;
} lists[PRA_NLISTS] = {
    [PRA_LIST_PASSWORD_SAFE] = {"password_safe", password_safe},
    [PRA_LIST_INSIGHTS] = {"insights", insights},
};

const char *pra_permission(const struct pra_info *info, const char *name)
{
    for (size_t i = 0; info && i < info->npermissions; i++)
        if (!strcmp(info->permissions[i].name, name))
            return info->permissions[i].value;
    return NULL;
}

static bool is_enough(enum pra_need need, const char *value)
{
    switch (need) {
    case PRA_NEED_READ: return !strcmp(value, "read_only") || !strcmp(value, "full_access");
    case PRA_NEED_FULL: return !strcmp(value, "full_access");
    default: return !strcmp(value, "1");
    }
}

enum pra_grant pra_granted(const struct pra_info *info, const struct pra_requirement *r)
{
    const char *value = pra_permission(info, r->permission);

    if (!value && r->otherwise)
        value = pra_permission(info, r->otherwise);
    if (!value)
        return PRA_GRANT_UNKNOWN;
    return is_enough(r->need, value) ? PRA_GRANT_YES : PRA_GRANT_NO;
}

enum pra_list_verdict pra_list_verdict(const struct pra_info *info, enum pra_list list)
{
    enum pra_list_verdict verdict = PRA_LIST_COMPLETE;

    for (const struct pra_requirement *const *r = lists[list].needs; *r; r++) {
        enum pra_grant grant = pra_granted(info, *r);
        if (grant == PRA_GRANT_NO)
            return PRA_LIST_INCOMPLETE;
        if (grant == PRA_GRANT_UNKNOWN)
            verdict = PRA_LIST_UNKNOWN;
    }
    return verdict;
}

const struct pra_requirement *const *pra_list(enum pra_list list)
{
    return lists[list].needs;
}

const char *pra_list_name(enum pra_list list)
{
    return lists[list].name;
}

const char *pra_list_verdict_name(enum pra_list_verdict verdict)
{
    static const char *const names[] = {[PRA_LIST_UNKNOWN] = "unknown",
                                        [PRA_LIST_INCOMPLETE] = "incomplete",
                                        [PRA_LIST_COMPLETE] = "complete"};

    return names[verdict];
}
