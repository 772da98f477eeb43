/*
 * username.h - what is typed at the endpoint: DOMAIN\account, a UPN, or the bare account.
 */
#ifndef JG_BROKER_IDENTITY_USERNAME_H
#define JG_BROKER_IDENTITY_USERNAME_H

#include "backends/backend.h"

/* The caller frees it; NULL = out of memory. */
char *username_typed(const struct account *, enum conf_username_form);

#endif
