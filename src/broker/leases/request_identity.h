/*
 * request_identity.h - which record is the request that a vault names.
 *
 * A name alone proves nothing: a row of the store may be of another vault that had the section's name
 * before, and a faulty answer names another person's request. So user and account must agree, and of what is
 * in doubt the mark in the reason decides.
 *
 * Not here: when a list is read (active_requests.h), and what follows from it (reconcile.c).
 */
#ifndef JG_BROKER_LEASES_REQUEST_IDENTITY_H
#define JG_BROKER_LEASES_REQUEST_IDENTITY_H

#include "broker/leases/lease_table.h"

struct credential_ref;

/* ---- the vault ---- */

/* Its vault's, in one spelling; "" = not known. */
const char *vault_request_url(const struct vault_request *);
bool vault_request_is_at(const struct vault_request *, const struct vault *);
/* `vault` has turned out to lead to where the request is: from now on the two sections are one vault. */
void vault_request_join(const struct vault_request *, const struct vault *);

/* ---- the account ---- */

/* As a list of the vault or a credential names it; all zero = not stated. The key is not copied. */
struct vault_account {
    const struct vault *vault;
    const char *key;
};

struct vault_account row_account(const struct vault *, const struct active_request *);
struct vault_account ref_account(const struct vault *, const struct credential_ref *);
/* May it be the credential's? The vault says which keys can be one account's (vault_ops.match). */
bool vault_account_fits(struct vault_account, const char *credential_id);
/* False = some lease on it is of another account. */
bool vault_request_of_account(const struct vault_request *, struct vault_account);

/* ---- the record; NULL = none ---- */

/*
 * One with this name at this vault, whichever section of the configuration leads there; `vault` NULL = at
 * any. Whether it is the request that is meant: vault_request_known().
 */
struct vault_request *vault_request_find(const struct leases *, const struct vault *, const char *name);
/*
 * The one of this name that may be this user's and of this account. One that is not in doubt is found however
 * its user is spelled.
 */
struct vault_request *vault_request_known(const struct leases *, const struct vault *, const char *name,
                                          const char *user, struct vault_account);
/*
 * The one of the request in this row of a vault's list, by the mark in its reason: also where another section
 * leads to the same vault by another address.
 */
struct vault_request *vault_request_marked(const struct leases *, const struct vault *,
                                           const struct active_request *, const char *mark);

/* The record of a key that comes again, made as this vault user. */
struct vault_request *keyed_find(const struct leases *, const struct vault *, const char *key,
                                 const char *user);

/* ---- proof ---- */

/*
 * A restored request whose section led elsewhere before: whether it is at this vault is not known yet. The
 * vault's list proves it by our mark (vault_request_prove()); without that it is never checked in.
 */
bool vault_request_is_unproven(const struct vault_request *);
/* Is the request in this row, of the same id and account, one of ours? */
bool vault_request_proven(const struct vault_request *, const struct active_request *);
void vault_request_prove(struct vault_request *);

#endif
