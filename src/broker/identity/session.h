/*
 * session.h - the PRA session object that comes with every operation (docs/api.md).
 *
 * It is a view: its texts belong to the caller that filled it in. session_copy() makes one that owns its
 * texts in a single piece of memory, for work that outlives the HTTP request.
 */
#ifndef JG_BROKER_IDENTITY_SESSION_H
#define JG_BROKER_IDENTITY_SESSION_H

#include "base/lsid.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum jump_method {
    METHOD_NONE,
    METHOD_RDP,
    METHOD_SHELL,
    METHOD_WEB,
    METHOD_TUNNEL,
    METHOD_JUMP_CLIENT,
    METHOD_OTHER
};

struct session {
    const char *id;       /* NULL where not required */
    const char *lsid;     /* as given, of lsid form (base/lsid.h); NULL = none */
    const char *username; /* never NULL */
    const char *domain;   /* NULL = none ("" counts as none) */
    enum jump_method method;
    const char *computer_name, *hostname, *ip_address, *name; /* NULL = not given */
    int64_t port;                                             /* 0 = not given */
    const char *application;
    const char *network_id;
    const char *client, *request_id, *trace_id; /* of the HTTP request, for audit and explain; NULL = none */
    bool has_peer; /* it came over the control socket, from the user of the machine with this uid */
    uid_t peer_uid;
    const char *peer_user; /* NULL = the uid has no name */
};

/* The lsid as given: `lsid` or, without it, `id` where that has the form. NULL = not known. */
const char *session_lsid(const struct session *);
struct session *session_copy(const struct session *); /* NULL = out of memory; free() it */

#endif
