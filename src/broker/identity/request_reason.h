/*
 * request_reason.h - the Reason field of a vault request, and the mark in it by which the gateway's requests
 * are found again.
 */
#ifndef JG_BROKER_IDENTITY_REQUEST_REASON_H
#define JG_BROKER_IDENTITY_REQUEST_REASON_H

#include "base/id.h"
#include "broker/identity/session.h"

#include <stdbool.h>

#define REASON_MAX 1000 /* the vault's own limit, in UTF-16 units */

struct reason_parts {
    const char *given;    /* the client's, verbatim; NULL or "" = none */
    const char *template; /* configured; "" = none */
    const struct session *session;
    const char *lease_id;
};

/* The text in front of the mark would be empty. */
bool reason_empty(const struct reason_parts *);
/* "given or template [jumpgate LEASE]", cut from the middle. The caller frees it; NULL = out of memory. */
char *reason_text(const struct reason_parts *);
/* The lease id in the mark at the end of a reason; false = there is no mark. */
bool reason_lease_id(const char *reason, char id[ID_SIZE]);
/* The reason ends in the first part of the mark with this id: a vault has cut it. */
bool reason_is_cut(const char *reason, const char *lease_id);

#endif
