/*
 * credential_id.h - the opaque name of an account at a vault: stable over restarts and between gateways.
 *
 * It carries version, vault name and the vault's key of the account; no secret, no request id, nothing of the
 * user. At most 256 characters of A-Za-z0-9._- . An id from a client is parsed strictly.
 */
#ifndef JG_BROKER_IDENTITY_CREDENTIAL_ID_H
#define JG_BROKER_IDENTITY_CREDENTIAL_ID_H

#include "backends/backend.h"

#define CREDENTIAL_ID_SIZE 257 /* 256 characters and the NUL */

struct credential_ref {
    char vault[CONF_NAME_MAX];
    char account_key[ACCOUNT_KEY_SIZE];
};

/* False = the account has no key, or one that is too long beside this name; `out` is "". */
bool credential_id_write(char out[CREDENTIAL_ID_SIZE], const char *vault, const struct account *);
/* False = not an id of this gateway (the caller answers credential_not_found). */
bool credential_id_parse(const char *id, struct credential_ref *);

/* The same for an endpoint: vault, system and method ("rdp", "shell"). Never parsed, only compared. */
void endpoint_id_write(char out[CREDENTIAL_ID_SIZE], const char *vault, int64_t system_id,
                       const char *method);

#endif
