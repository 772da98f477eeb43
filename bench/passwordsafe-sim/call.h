/*
 * call.h - one call of the API inside the server; the diagram is in server.h.
 *
 * A call owns a copy of what it needs from its HTTP request: the request is freed with its connection, the
 * call continues without it. `req` is NULL once the client has left.
 */
#ifndef SIM_CALL_H
#define SIM_CALL_H

#include "passwordsafe-sim/server.h"
#include "passwordsafe-sim/sessions.h"

struct call {
    struct server *server;
    struct http_req *req;
    const struct dispatch_route *route; /* NULL = none */
    struct dispatch_call input;
    char *store; /* the copies */
    size_t store_size;
    struct fault_injection_rule *rule;
    struct session *session;
    struct session_waiter waiter;
    bool queued, hanging;
    struct deadline wait;
    TAILQ_ENTRY(call) link;
};

/* Takes the request in; answers 500 itself when memory runs out. */
void call_start(struct server *, struct http_req *);
void call_client_left(struct call *);
/* Without dispatching; for the end of the program. */
void call_drop(struct call *);

#endif
