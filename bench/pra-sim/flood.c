/* SPDX-License-Identifier: Apache-2.0 */
/*
 * flood.c - an answer of gigabytes that is well-formed: its rows are sent again and again; see flood.h.
 *
 * Only one copy of the rows is in memory. More is sent when the socket has taken what was there before, so a
 * client that stops reading stops the flood.
 */
#include "pra-sim/flood.h"

#include "base/container_of.h"
#include "pra-sim/spoil.h"
#include "sim/delivery.h"

#include <stdlib.h>

#define USUAL_SIZE (UINT64_C(2) << 30)
#define TURN_BYTES (UINT64_C(1) << 20) /* in one turn of the loop */
#define WAIT_MS    1

static void send_rows(struct deadline *d);

static void later(struct pra_call *c)
{
    if (timer_start(loop_timers(c->server->loop), &c->wait, WAIT_MS, send_rows))
        abort();
}

static void send_bytes(struct pra_call *c, const char *bytes, size_t n)
{
    c->inside = true; /* the client may leave meanwhile */
    if (n)
        http_send_part(c->req, bytes, n);
    c->inside = false;
}

static void send_rows(struct deadline *d)
{
    struct pra_call *c = CONTAINER_OF(d, struct pra_call, wait);
    size_t n = c->rows_to - c->rows_from;

    for (uint64_t sent = 0; c->req && c->left >= n && sent < TURN_BYTES && !http_is_sending(c->req);
         sent += n) {
        send_bytes(c, c->flood.data + c->rows_from, n);
        c->left -= n;
    }
    if (c->req && c->left >= n) {
        later(c);
        return;
    }
    if (c->req)
        http_abort(c->req, c->flood.data + c->rows_to, c->flood.len - c->rows_to, false);
    c->req = NULL;
    c->ended(c);
}

void flood_start(struct pra_call *c, const struct sim_answer *a, void (*ended)(struct pra_call *))
{
    uint64_t size = c->rule->size ? c->rule->size : USUAL_SIZE;
    struct buf head = BUF_INIT(16384);

    c->ended = ended;
    (void)buf_append(&c->flood, a->body.data ? a->body.data : "", a->body.len);
    if (c->flood.failed || !spoil_rows(&c->flood, &c->rows_from, &c->rows_to)) {
        c->rows_from = 0; /* no rows: the whole body is what comes again */
        c->rows_to = c->flood.len;
    }
    if (c->rows_to == c->rows_from) {
        http_abort(c->req, NULL, 0, false);
        c->req = NULL;
        c->ended(c);
        return;
    }
    c->left = size;
    c->waits_for_client = true;
    delivery_head(&head, a);
    (void)buf_printf(&head, "Connection: close\r\n\r\n"); /* its end is the connection's */
    (void)buf_append(&head, c->flood.data, c->rows_from < 8192 ? c->rows_from : 0);
    send_bytes(c, head.data, head.failed ? 0 : head.len);
    buf_free(&head);
    later(c);
}
