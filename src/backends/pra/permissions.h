/*
 * permissions.h - what the API account of a site must be allowed, by feature and by vendor list.
 *
 * A permission that get_api_info does not name is unknown, not missing: the feature is tried, and the site
 * decides.
 */
#ifndef JG_BACKENDS_PRA_PERMISSIONS_H
#define JG_BACKENDS_PRA_PERMISSIONS_H

#include "backends/pra/answers.h"

enum pra_need { PRA_NEED_ALLOWED, PRA_NEED_READ, PRA_NEED_FULL };

struct pra_requirement {
    const char *permission;
    const char *otherwise; /* counts where `permission` is not named; NULL = none */
    enum pra_need need;
    const char *box; /* what an administrator ticks in PRA */
};

extern const struct pra_requirement pra_need_command_read, pra_need_command_full, pra_need_reports,
    pra_need_configuration, pra_need_ecm, pra_need_vault_accounts, pra_need_syslog;

/* What the gateway uses a site for. A later feature's box may grant an earlier one's permission as well. */
enum pra_feature {
    PRA_FEATURE_WATCH,
    PRA_FEATURE_EARLY_RELEASE,
    PRA_FEATURE_KILL_SWITCH,
    PRA_FEATURE_JUMPOINTS,
    PRA_FEATURE_ECM,
    PRA_NFEATURES
};
struct pra_feature_row {
    const char *name;  /* in /status and metrics */
    const char *title; /* for people: "ending sessions" */
    const struct pra_requirement *need;
};
extern const struct pra_feature_row pra_features[PRA_NFEATURES];
struct pra_site_params;
/* Is the feature switched on? */
bool pra_site_uses(const struct pra_site_params *, enum pra_feature);

enum pra_grant { PRA_GRANT_UNKNOWN, PRA_GRANT_NO, PRA_GRANT_YES };
/* `info` NULL = nothing is known. */
enum pra_grant pra_granted(const struct pra_info *, const struct pra_requirement *);
/* The value of a permission; NULL = it is not named. */
const char *pra_permission(const struct pra_info *, const char *name);

enum pra_list { PRA_LIST_PASSWORD_SAFE, PRA_LIST_INSIGHTS, PRA_NLISTS }; /* what the vendor asks for */
enum pra_list_verdict { PRA_LIST_UNKNOWN, PRA_LIST_INCOMPLETE, PRA_LIST_COMPLETE };
/* Incomplete: a permission of the list is known to be missing. Complete: all are known to be there. */
enum pra_list_verdict pra_list_verdict(const struct pra_info *, enum pra_list);
const struct pra_requirement *const *pra_list(enum pra_list); /* ended by NULL */
const char *pra_list_name(enum pra_list);
const char *pra_list_verdict_name(enum pra_list_verdict);

#endif
