/*
 * request_reason.h - what the vault is told as the reason of a check-out, and how our own is known again.
 */
#ifndef JG_BROKER_IDENTITY_REQUEST_REASON_H
#define JG_BROKER_IDENTITY_REQUEST_REASON_H

#include "base/id.h"
#include "broker/identity/session.h"

#include <stdbool.h>

#define REASON_MAX 1000 /* the vault's own limit, in its characters (UTF-16 units) */

struct reason_parts {
    const char *given;    /* the caller's, verbatim; NULL or "" = none */
    const char *template; /* configured; "" = none */
    const struct session *session;
    const char *lease_id;
};

/* Would the text in front of the mark be empty? */
bool reason_empty(const struct reason_parts *);
/* "given or template [jumpgate LEASE]", cut from the middle. The caller frees it; NULL = out of memory. */
char *reason_text(const struct reason_parts *);
/* The lease id of a reason that bears our mark at its end; false = it bears none. */
bool reason_lease_id(const char *reason, char id[ID_SIZE]);
/* Does it end in the first part of the mark that bears this id? So it looks where a vault has cut it. */
bool reason_is_cut(const char *reason, const char *lease_id);

#endif
