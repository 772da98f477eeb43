/*
 * policy_cache.h - what the access policy wants, per vault, user and account, remembered for a while.
 *
 * Bounded in number; the policy learned first goes first. A remembered policy is no decision: the vault
 * judges each check-out.
 */
#ifndef JG_BROKER_LISTS_POLICY_CACHE_H
#define JG_BROKER_LISTS_POLICY_CACHE_H

#include "base/clock.h"
#include "broker/identity/credential_id.h"

struct policy_cache;

struct policy_cache *policy_cache_new(const struct clock *, uint64_t keep_ms, size_t max);
void policy_cache_free(struct policy_cache *); /* NULL is fine */
void policy_cache_reload(struct policy_cache *, uint64_t keep_ms);
/* NULL = the vault could not tell it, which is remembered as long. */
void policy_cache_put(struct policy_cache *, const struct vault *, const char *user,
                      const struct credential_ref *, const struct vault_policy *);

enum policy_knowledge {
    POLICY_NOT_ASKED, /* of late */
    POLICY_KNOWN,
    POLICY_UNANSWERED /* the vault was asked of late and could not tell */
};
/* Fills in the policy with POLICY_KNOWN only. */
enum policy_knowledge policy_cache_get(struct policy_cache *, const struct vault *, const char *user,
                                       const struct credential_ref *, struct vault_policy *);

#endif
