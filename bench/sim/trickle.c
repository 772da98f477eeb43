/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trickle.c - a few bytes at a time; see trickle.h.
 */
#include "sim/trickle.h"

#include "base/container_of.h"

#include <stdlib.h>

#define STEP_MS 100
#define STEP    16

static void send_part(struct deadline *d)
{
    struct trickle *t = CONTAINER_OF(d, struct trickle, wait);
    size_t n = t->step ? t->step : STEP;

    if (n > t->rest.len)
        n = t->rest.len;
    t->inside = true;
    http_send_part(t->req, t->rest.data, n);
    t->inside = false;
    buf_consume(&t->rest, n);
    if (t->req && t->rest.len && !timer_start(t->timers, &t->wait, STEP_MS, send_part))
        return;
    if (t->req)
        http_abort(t->req, NULL, 0, false);
    t->req = NULL;
    t->ended(t);
}

void trickle_start(struct trickle *t, struct buf *bytes)
{
    t->rest = BUF_INIT(bytes->max);
    buf_move(&t->rest, bytes);
    if (timer_start(t->timers, &t->wait, 0, send_part))
        abort(); /* an answer that never comes gives the test a wrong result */
}

void trickle_client_left(struct trickle *t)
{
    t->req = NULL;
    if (t->inside)
        return;
    timer_stop(t->timers, &t->wait);
    t->ended(t);
}

void trickle_clear(struct trickle *t)
{
    if (t->timers)
        timer_stop(t->timers, &t->wait);
    buf_free(&t->rest);
}
