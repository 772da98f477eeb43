/*
 * access.h - roles and policies of users on accounts, resolved once per set of groups.
 *
 * Users with the same groups share one resolved table: roles and policy per smart rule, and the list of pairs
 * they may see, in the stable order of (system id, account id). A table is valid for one generation of the
 * model and is resolved again on first use after a change. Account flags (API enabled, dedicated) are read at
 * each use.
 */
#ifndef SIM_ACCESS_H
#define SIM_ACCESS_H

#include "passwordsafe-sim/model.h"

struct access {
    char *signature; /* the group ids */
    bool registration;
    unsigned permissions;
    size_t nrules;
    unsigned *roles;
    struct model_policy **policies; /* by rule; of the first grant with the Requestor role */
    struct vec rows;                /* struct model_pair */
    bool rows_ready;
};

/* NULL = out of memory. */
const struct access *access_of(struct model *, struct model_user *);
unsigned access_roles(struct model *, struct model_user *, const struct model_account *);
/* The policy that governs this user's requests; NULL = no Requestor role. */
struct model_policy *access_policy(struct model *, struct model_user *, const struct model_account *);
/* Does the list show it? Some role, API enabled, not dedicated to another user. */
bool access_listed(struct model *, struct model_user *, const struct model_pair *);
bool access_flags_ok(const struct model_user *, const struct model_pair *);
/* All pairs with some role; NULL = out of memory. */
const struct vec *access_rows(struct model *, struct model_user *);
int access_approvers(struct model *, const struct model_account *);
void access_free(struct model *);

#endif
