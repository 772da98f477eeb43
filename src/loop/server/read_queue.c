/* SPDX-License-Identifier: Apache-2.0 */
/*
 * read_queue.c - strangers' connections that wait for a later iteration to be read.
 *
 * The idea: every read from a stranger's connection, and every request head in what was read, takes one step
 * of a budget (loop_step) that an iteration of the loop has few of. A connection without a step is not read
 * and joins a queue, in which peers alternate; later iterations serve the queue from its front, one read or
 * one head each. What is not read stays in the kernel.
 *
 * Three queues have a budget each. A connection that was read less than a second ago is insistent: a first
 * request, and a probe every few seconds, do not wait behind connections that send without pause. Handshakes
 * have a queue because one takes as long as many requests. A client's connection is in no queue.
 *
 * Invariants: a connection in a queue is not read. While a queue is not empty the deadline `serve_queues`
 * runs, and no read of that kind passes the queue.
 */
#include "base/container_of.h"
#include "loop/server/connection.h"

#define INSISTENT_MS 1000

static struct read_queue *queue_for(const struct http_conn *c)
{
    bool insistent = c->last_read_ms && server_now(c->server) - c->last_read_ms < INSISTENT_MS;

    if (c->phase == CONN_HANDSHAKE)
        return &c->server->read_queues[QUEUE_HANDSHAKES];
    return &c->server->read_queues[insistent ? QUEUE_INSISTENT : QUEUE_STRANGERS];
}

void read_queues_init(struct http_server *server)
{
    struct read_queue *queues = server->read_queues;

    queues[QUEUE_STRANGERS] = (struct read_queue){.work = LOOP_STRANGERS};
    queues[QUEUE_INSISTENT] = (struct read_queue){.work = LOOP_INSISTENT};
    queues[QUEUE_HANDSHAKES] = (struct read_queue){.work = LOOP_HANDSHAKES};
    for (size_t i = 0; i < NREAD_QUEUES; i++)
        fair_queue_init(&queues[i].conns);
}

static void on_serve_queues(struct deadline *deadline);

static int serve_later(struct http_server *server)
{
    return timer_start(loop_timers(server->loop), &server->serve_queues, 0, on_serve_queues);
}

/* Bytes of an earlier read go before those still in the socket. */
static void serve_conn(struct http_conn *c)
{
    if (c->phase == CONN_NEXT) {
        c->last_read_ms = server_now(c->server);
        conn_work_pending(c);
    } else {
        c->may_read = true;
    }
    conn_settle(c);
}

static struct http_conn *queue_take(struct read_queue *queue)
{
    struct http_conn *c = CONTAINER_OF(fair_queue_take(&queue->conns), struct http_conn, read_item);

    c->queue = NULL;
    return c;
}

static void serve_queue(struct http_server *server, struct read_queue *queue)
{
    while (queue->conns.n && loop_step(server->loop, queue->work))
        serve_conn(queue_take(queue));
}

static void on_serve_queues(struct deadline *deadline)
{
    struct http_server *server = CONTAINER_OF(deadline, struct http_server, serve_queues);
    bool more = false;

    for (size_t i = 0; i < NREAD_QUEUES; i++) {
        serve_queue(server, &server->read_queues[i]);
        more = more || server->read_queues[i].conns.n;
    }
    if (!more || timer_running(&server->serve_queues) || serve_later(server) == 0)
        return;
    for (size_t i = 0; i < NREAD_QUEUES; i++) /* without a deadline the queues would never be served */
        while (server->read_queues[i].conns.n)
            conn_close(queue_take(&server->read_queues[i]), "out of memory");
}

bool read_queue_may_read(struct http_conn *c)
{
    const struct read_queue *queue;
    bool may = c->may_read;

    if (!c->stranger)
        return true;
    queue = queue_for(c);
    c->may_read = false;
    may = may || (!queue->conns.n && loop_step(c->server->loop, queue->work));
    if (may && c->phase != CONN_HANDSHAKE)
        c->last_read_ms = server_now(c->server);
    return may;
}

void read_queue_join(struct http_conn *c)
{
    struct http_server *server = c->server;
    struct read_queue *queue = queue_for(c);

    if (c->queue || c->phase == CONN_CLOSED)
        return;
    if (!timer_running(&server->serve_queues) && serve_later(server)) {
        conn_close(c, "out of memory");
        return;
    }
    fair_queue_add(&queue->conns, &c->party->queues[queue - server->read_queues], &c->read_item, false);
    c->queue = queue;
}

void read_queue_leave(struct http_conn *c)
{
    if (c->queue)
        fair_queue_remove(&c->queue->conns, &c->read_item);
    c->queue = NULL;
}
