/*
 * entitled_session.h - a session as vault_ops.entitled() is asked for it: its user, and the names of its
 * endpoint in the forms that the vault's `match` selects.
 *
 * Life cycle: made once, used by any number of calls, freed by its owner when none is in flight.
 */
#ifndef JG_BROKER_IDENTITY_ENTITLED_SESSION_H
#define JG_BROKER_IDENTITY_ENTITLED_SESSION_H

#include "backends/backend.h"
#include "broker/identity/host_names.h"

struct entitled_session {
    struct vault_session asked; /* points into the session and into what follows */
    const char *forms[HOST_NAMES_MAX];
    struct host_names names;
};

/* The session stays in place as long as this. NULL = out of memory. */
struct entitled_session *entitled_session_new(const struct session *, const struct conf_vault *);
void entitled_session_free(struct entitled_session *); /* NULL is fine */

#endif
