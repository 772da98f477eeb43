/*
 * delivery.h - the sending of an answer: as it should be, or spoiled by a fault rule.
 */
#ifndef SIM_DELIVERY_H
#define SIM_DELIVERY_H

#include "loop/server/server.h"
#include "sim/fault_injection.h"

struct delivery_opts {
    bool close;       /* the connection ends with the answer */
    const char *date; /* the Date line, with \r\n; NULL = of the system's clock */
};

/* Sends it as the rule (NULL = none) wants it, and empties it. Kinds of INJECT_OWN and above change nothing.
 */
void delivery_send(struct http_req *, const struct fault_injection_rule *, struct sim_answer *,
                   const struct delivery_opts *);
/* The head of an answer without the line that says how the body ends, and without its empty line. */
void delivery_head(struct buf *out, const struct sim_answer *);

#endif
