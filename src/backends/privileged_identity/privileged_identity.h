/*
 * privileged_identity.h - BeyondTrust Privileged Identity as a backend.
 *
 * docs/privileged-identity.md says what of the service is known and how it is used.
 */
#ifndef JG_BACKENDS_PRIVILEGED_IDENTITY_H
#define JG_BACKENDS_PRIVILEGED_IDENTITY_H

#include "backends/backend.h"
#include "loop/loop.h"

extern const struct vault_ops privileged_identity_ops;

/* Reads the secret, the profile and the map of `conf`, one of whose vaults is `vault`. NULL and `why` on
 * failure. Both outlive the vault. */
struct vault *privileged_identity_new(struct loop *, const struct conf *conf, const struct conf_vault *vault,
                                      char why[256]);
/* A reload has two steps, of which only the first can fail: see password_safe.h. It ends every pause after
 * refused sign-ins. */
struct privileged_identity_next;
struct privileged_identity_next *privileged_identity_prepare(const struct conf *next,
                                                             const struct conf_vault *vault, char why[256]);
void privileged_identity_discard(struct privileged_identity_next *); /* NULL is fine */
void privileged_identity_reload(struct vault *, struct privileged_identity_next *);

/* Ends calls with -ESHUTDOWN as VAULT_FAILED, signs out (bounded by call_timeout), frees. */
void privileged_identity_close(struct vault *, void (*closed)(void *arg), void *arg);

#endif
