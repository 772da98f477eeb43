/*
 * call.h - one call of the web service inside the server; the diagram is in server.h.
 *
 * A call owns a copy of what it needs from its HTTP request: the request is freed with its connection, the
 * call continues without it. `req` is NULL once the client has left.
 */
#ifndef PI_SIM_CALL_H
#define PI_SIM_CALL_H

#include "pi-sim/server.h"
#include "sim/trickle.h"

struct pi_call {
    struct server *server;
    struct http_req *req;
    struct dispatch_call input;
    const char *name; /* in counts and rules */
    uint64_t number;
    char *store; /* the copies */
    size_t store_size;
    struct fault_injection_rule *rule;
    struct conduct_call conduct;
    enum conduct_answer answer; /* how it went for the client */
    bool token_refused;
    bool judged; /* conduct has ended */
    bool hanging;
    struct trickle trickle;
    struct deadline wait;
    TAILQ_ENTRY(pi_call) link;
};

/* Takes the request in; answers 500 itself when memory runs out. */
void pi_call_start(struct server *, struct http_req *);
void pi_call_client_left(struct pi_call *);
/* Without dispatching; for the end of the program. */
void pi_call_drop(struct pi_call *);

#endif
