/*
 * credential_handle.h - the names of one credential of Privileged Identity: as a text for the row of a
 * request, with which it can be given back when no section of the configuration names it any more.
 */
#ifndef JG_BACKENDS_PRIVILEGED_IDENTITY_CREDENTIAL_HANDLE_H
#define JG_BACKENDS_PRIVILEGED_IDENTITY_CREDENTIAL_HANDLE_H

#include "backends/privileged_identity/access.h"

/* Owned texts. */
struct pi_names {
    bool shared;
    char *system, *account; /* the account in the vault's own spelling, with its domain */
    char *list;             /* shared; else NULL */
    char *custom_type;      /* stored; "" = none */
    uint64_t type;
};

/* Both: 0, -EINVAL (no handle, or longer than a row keeps) or -ENOMEM; nothing is left to free then. */
int pi_handle_write(const struct pi_credential *, char **handle);
int pi_handle_read(const char *handle, struct pi_names *);
int pi_names_copy(const struct pi_credential *, struct pi_names *); /* 0 or -ENOMEM */
void pi_names_free(struct pi_names *);                              /* zeroed is fine */

#endif
