/*
 * credentials.h - what an account's secrets are, and their rotation.
 *
 * A secret set from outside is kept as set. All others are derived from seed, account and version, so twenty
 * thousand accounts need no memory for them; they are awkward on purpose (quotes, backslashes, ampersands,
 * and characters beyond ASCII and beyond the basic plane).
 *
 * Rotation is the change agent's work, not the caller's: queued (ChangeState 2), then changing (1,
 * IsChanging), then a new version is in force. The old secret is what the vault shows until then.
 */
#ifndef SIM_CREDENTIALS_H
#define SIM_CREDENTIALS_H

#include "base/buf.h"
#include "passwordsafe-sim/model.h"

enum credential_type { CREDENTIAL_PASSWORD, CREDENTIAL_KEY, CREDENTIAL_PASSPHRASE, CREDENTIAL_TOTP };

/* Appends the secret. 1 = there, 0 = the account has none of that type, -ENOMEM. */
int credentials_get(const struct model *, const struct model_account *, enum credential_type,
                    struct buf *out);
void credentials_rotate(struct model *, struct model_account *);
/* Installs a password as set from outside. 0 or -ENOMEM. */
int credentials_set(struct model_account *, enum credential_type, const char *value);

#endif
