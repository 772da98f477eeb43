/*
 * trickle.h - the slow sending of an answer: a few bytes each 100 ms, then the connection is closed.
 */
#ifndef SIM_TRICKLE_H
#define SIM_TRICKLE_H

#include "base/timers.h"
#include "loop/server/server.h"

struct trickle {
    struct timers *timers;
    struct http_req *req; /* NULL = it is over */
    struct buf rest;
    size_t step; /* bytes at a time; 0 = 16 */
    bool inside; /* a part is being sent: the client may leave meanwhile */
    struct deadline wait;
    void (*ended)(struct trickle *); /* called once, never inside trickle_start() */
};

/* Takes the bytes, which are a whole answer. Timers, request, step and `ended` are set. */
void trickle_start(struct trickle *, struct buf *bytes);
/* The request is gone; calls `ended`, now or when the sending of a part has returned. */
void trickle_client_left(struct trickle *);
void trickle_clear(struct trickle *); /* without calling `ended`; any number of times */

#endif
