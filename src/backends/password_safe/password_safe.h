/*
 * password_safe.h - BeyondTrust Password Safe, public API v3, as a backend.
 *
 * Facts: password-safe-api sections 1 to 4, 6, 7, 9.
 */
#ifndef JG_BACKENDS_PASSWORD_SAFE_H
#define JG_BACKENDS_PASSWORD_SAFE_H

#include "backends/backend.h"
#include "loop/loop.h"

extern const struct vault_ops password_safe_ops;

/* Reads the secrets (key, passwords) from their files. NULL and `why` on failure. `conf` outlives the vault.
 */
struct vault *password_safe_new(struct loop *, const struct conf_vault *conf, char why[256]);
/*
 * A reload, in two steps, since only the first can fail: reads what the next configuration names; then, once
 * its values stand at the place of the old ones (conf/conf_change.h), takes it.
 */
struct password_safe_next;
struct password_safe_next *password_safe_prepare(const struct conf_vault *next, char why[256]);
void password_safe_discard(struct password_safe_next *); /* NULL is fine */
void password_safe_reload(struct vault *, struct password_safe_next *);

/* Signs idle vault sessions out (bounded by call_timeout), ends calls with -ESHUTDOWN as VAULT_FAILED, frees.
 */
void password_safe_close(struct vault *, void (*closed)(void *arg), void *arg);

#endif
