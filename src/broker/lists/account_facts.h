/*
 * account_facts.h - what finds and check-outs have learned of accounts and no list of the vault says.
 *
 * The access policy, per user and account, for a while: a remembered policy is no decision, the vault judges
 * each check-out. And the accounts with an SSH key and no password, as check-outs have shown: a property of
 * the account and not of the user, kept until a check-out reads a password. Both are bounded in number; what
 * was learned first is dropped first. Without memory nothing is remembered, which is no error.
 */
#ifndef JG_BROKER_LISTS_ACCOUNT_FACTS_H
#define JG_BROKER_LISTS_ACCOUNT_FACTS_H

#include "backends/backend.h"
#include "base/bounded_cache.h"

struct account_facts {
    struct bounded_cache policies, ssh_keys;
    uint64_t keep_ms; /* of policies; may be changed at any time */
};

enum policy_knowledge {
    POLICY_NOT_ASKED, /* of late */
    POLICY_KNOWN,
    POLICY_UNANSWERED /* the vault was asked of late and could not tell: asking again is of no use yet */
};

void account_facts_init(struct account_facts *, const struct clock *, uint64_t keep_ms, size_t max_policies);
void account_facts_clear(struct account_facts *);

/* NULL = the vault could not tell it, which is remembered as long. */
void account_facts_learn_policy(struct account_facts *, const struct vault *, const char *user,
                                const char *account_key, const struct vault_policy *);
/* Fills in the policy with POLICY_KNOWN only. */
enum policy_knowledge account_facts_policy(const struct account_facts *, const struct vault *,
                                           const char *user, const char *account_key, struct vault_policy *);

/* The account has a key and no password, or (false) it has a password. */
void account_facts_learn_key(struct account_facts *, const struct vault *, const char *account_key,
                             bool key_alone);
bool account_facts_key_alone(const struct account_facts *, const struct vault *, const char *account_key);

#endif
