/*
 * credential_id.h - the opaque name of an account at a vault: stable over restarts and between gateways.
 *
 * It carries version, vault name, kind, system, account and application id; no secret, no request id, nothing
 * of the user. At most 256 characters of A-Za-z0-9._- . An id from a client is parsed strictly.
 */
#ifndef JG_BROKER_IDENTITY_CREDENTIAL_ID_H
#define JG_BROKER_IDENTITY_CREDENTIAL_ID_H

#include "backends/backend.h"

#define CREDENTIAL_ID_SIZE 257 /* 256 characters and the NUL */

struct credential_ref {
    char vault[CONF_NAME_MAX];
    enum account_kind kind;
    int64_t system_id, account_id, application_id;
};

/* `vault` is the name of its section. */
void credential_ref_make(const char *vault, const struct account *, struct credential_ref *);
void credential_id_write(char out[CREDENTIAL_ID_SIZE], const char *vault, const struct account *);
/* False = not an id of this gateway (the caller answers credential_not_found). */
bool credential_id_parse(const char *id, struct credential_ref *);

/* The same for an endpoint: vault, system and method ("rdp", "shell"). Never parsed, only compared. */
void endpoint_id_write(char out[CREDENTIAL_ID_SIZE], const char *vault, int64_t system_id,
                       const char *method);

#endif
