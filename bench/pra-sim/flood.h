/*
 * flood.h - an answer with its rows again and again, as fast as the client reads.
 */
#ifndef PRA_SIM_FLOOD_H
#define PRA_SIM_FLOOD_H

#include "pra-sim/call.h"

/* `ended` is called once, when all is sent or nothing can be. A client that leaves ends it too. */
void flood_start(struct pra_call *, const struct sim_answer *, void (*ended)(struct pra_call *));

#endif
