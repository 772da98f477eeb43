/*
 * login_name.h - the name under which an account logs in at its endpoint, as `username` of a check-out's
 * answer: DOMAIN\account, a UPN, or the bare account. A pure function of the account and `username_form`.
 *
 * Not here: the vault user that the gateway acts as (usermap.h).
 */
#ifndef JG_BROKER_IDENTITY_LOGIN_NAME_H
#define JG_BROKER_IDENTITY_LOGIN_NAME_H

#include "backends/backend.h"

/* The caller frees it; NULL = out of memory. */
char *login_name_make(const struct account *, enum conf_username_form);

#endif
