/*
 * password_safe.h - BeyondTrust Password Safe, public API v3, as a backend.
 *
 * docs/password-safe.md says what of that API is used, and how.
 */
#ifndef JG_BACKENDS_PASSWORD_SAFE_H
#define JG_BACKENDS_PASSWORD_SAFE_H

#include "backends/backend.h"
#include "loop/loop.h"

extern const struct vault_ops password_safe_ops;

/* Reads the secrets from their files. NULL and `why` on failure. `conf` outlives the vault. */
struct vault *password_safe_new(struct loop *, const struct conf_vault *conf, char why[256]);
/* A reload has two steps, of which only the first can fail. password_safe_prepare() reads what the next
 * configuration names. password_safe_reload() takes it over, once the values of that configuration have
 * replaced the old ones (conf/conf_change.h). */
struct password_safe_next;
struct password_safe_next *password_safe_prepare(const struct conf_vault *next, char why[256]);
void password_safe_discard(struct password_safe_next *); /* NULL is fine */
void password_safe_reload(struct vault *, struct password_safe_next *);

/* Ends calls with -ESHUTDOWN as VAULT_FAILED, signs idle sessions out (bounded by call_timeout), frees. */
void password_safe_close(struct vault *, void (*closed)(void *arg), void *arg);

#endif
