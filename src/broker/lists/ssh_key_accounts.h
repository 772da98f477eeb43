/*
 * ssh_key_accounts.h - accounts with an SSH key and no password, as check-outs have shown.
 *
 * No list of the vault says so. It is a property of the account, not of the user. Bounded in number; the
 * account that was learned first goes first. A check-out that reads a password drops the account.
 */
#ifndef JG_BROKER_LISTS_SSH_KEY_ACCOUNTS_H
#define JG_BROKER_LISTS_SSH_KEY_ACCOUNTS_H

#include "backends/backend.h"
#include "broker/identity/credential_id.h"

struct ssh_key_accounts;

struct ssh_key_accounts *ssh_key_accounts_new(size_t max); /* NULL = out of memory */
void ssh_key_accounts_free(struct ssh_key_accounts *);     /* NULL is fine */
/* Without memory nothing is kept, which is no error. */
void ssh_key_accounts_put(struct ssh_key_accounts *, const struct vault *, const struct credential_ref *);
void ssh_key_accounts_drop(struct ssh_key_accounts *, const struct vault *, const struct credential_ref *);
bool ssh_key_accounts_has(const struct ssh_key_accounts *, const struct vault *,
                          const struct credential_ref *);

#endif
