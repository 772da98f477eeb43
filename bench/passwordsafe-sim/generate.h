/*
 * generate.h - a made-up company by seed: users, systems, accounts, policies.
 *
 * Same numbers and seed, same data, same ids. Ids begin at 10001 (users), 100001 (systems, accounts), so they
 * never meet those of a scenario. Names: users ACME\user1.., systems srv1.., directory accounts
 * acme.test\adm1..; the last systems of the range are governed by the policies that want something.
 */
#ifndef SIM_GENERATE_H
#define SIM_GENERATE_H

#include "passwordsafe-sim/model.h"

struct generate_opts {
    uint64_t users, approvers, systems;
    uint64_t local_accounts;  /* per system */
    uint64_t domain_accounts; /* in the directory */
    uint64_t domain_links;    /* per system */
    uint64_t databases, applications;
    uint64_t ssh_keys; /* systems with a key account, every second with a passphrase */
    uint64_t approval_systems, reason_systems, ticket_systems;
    uint64_t max_concurrent;
    bool mfa; /* every generated user has a second factor */
};

extern const struct generate_opts generate_defaults;

/* 0 or -ENOMEM. */
int generate(struct model *, const struct generate_opts *);

#define GENERATE_PASSWORD "correct horse" /* of every generated user */
#define GENERATE_MFA      "402117"

#endif
