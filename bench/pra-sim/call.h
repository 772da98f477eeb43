/*
 * call.h - one call of the site's APIs inside the server; the diagram is in server.h.
 *
 * A call owns a copy of what it needs from its HTTP request: the request is freed with its connection, the
 * call continues without it. `req` is NULL once the client has left.
 */
#ifndef PRA_SIM_CALL_H
#define PRA_SIM_CALL_H

#include "pra-sim/server.h"
#include "sim/trickle.h"

struct pra_call {
    struct server *server;
    struct http_req *req;
    struct dispatch_call input;
    char name[DISPATCH_NAME];
    char *store; /* the copies */
    size_t store_size;
    struct fault_injection_rule *rule;
    struct deadline wait;
    struct trickle trickle; /* a slow answer */
    struct server_entry entry;
    uint64_t begun_ms;
    struct buf flood;                 /* the answer that a flood repeats */
    size_t rows_from, rows_to;        /* in `flood`: the rows */
    void (*ended)(struct pra_call *); /* what the flood calls then */
    uint64_t left;                    /* bytes of rows that a flood has still to send */
    bool waits_for_client;            /* it hangs, or floods */
    bool inside;                      /* a part is being sent: the client may leave meanwhile */
    TAILQ_ENTRY(pra_call) link;
};

/* Takes the request in; answers 500 itself when memory runs out. */
void pra_call_start(struct server *, struct http_req *);
void pra_call_client_left(struct pra_call *);
/* Without dispatching; for the end of the program. */
void pra_call_drop(struct pra_call *);

#endif
