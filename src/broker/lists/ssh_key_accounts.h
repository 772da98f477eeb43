/*
 * ssh_key_accounts.h - accounts that were found to have a key and no password.
 *
 * No list of the vault's says so; a check-out finds out. It is the account's, not the user's. Bounded in
 * number, the least recently learned goes first; a check-out that reads a password corrects it.
 */
#ifndef JG_BROKER_LISTS_SSH_KEY_ACCOUNTS_H
#define JG_BROKER_LISTS_SSH_KEY_ACCOUNTS_H

#include "backends/backend.h"
#include "broker/identity/credential_id.h"

struct ssh_key_accounts;

struct ssh_key_accounts *ssh_key_accounts_new(size_t max); /* NULL = out of memory */
void ssh_key_accounts_free(struct ssh_key_accounts *);     /* NULL is fine */
/* Not keeping it, for want of memory, is no error. */
void ssh_key_accounts_put(struct ssh_key_accounts *, const struct vault *, const struct credential_ref *);
void ssh_key_accounts_drop(struct ssh_key_accounts *, const struct vault *, const struct credential_ref *);
bool ssh_key_accounts_has(const struct ssh_key_accounts *, const struct vault *,
                          const struct credential_ref *);

#endif
