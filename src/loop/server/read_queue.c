/* SPDX-License-Identifier: Apache-2.0 */
/*
 * read_queue.c - connections that wait for a turn of the loop in which they are heard.
 *
 * The idea: every read from a stranger's connection, and every head of a request in it, costs a step
 * (loop_step), and a turn of the loop has few of them. A stranger for whom there is none is not read any more
 * and stands in a line; the turns that follow hear the first of the line, one read or one head each. Who
 * brings a thousand requests in one packet stands in line a thousand times, behind everybody who came
 * meanwhile. In a line peers take turns, so that a thousand connections of one peer do not stand before the
 * one of another. What is not read stays in the kernel.
 *
 * There are three lines, each with steps of its own. Who was heard less than a second ago is insistent: a
 * caller that comes with its first request, and a probe that comes now and then, do not wait behind a
 * thousand that never stop. Of handshakes each takes as long as many requests.
 *
 * A client's connection is in no line. It is heard in every turn, for a few heads (request.c).
 *
 * Invariants: a connection in a line is not read. While a line is not empty the deadline `hear` runs, and no
 * read of that kind passes the line.
 */
#include "base/container_of.h"
#include "loop/server/connection.h"

#define INSISTENT_MS 1000

static uint64_t now_ms(const struct http_conn *c)
{
    return clock_now(loop_clock(c->server->loop));
}

static struct read_queue *line_of(const struct http_conn *c)
{
    bool insistent = c->heard_ms && now_ms(c) - c->heard_ms < INSISTENT_MS;

    if (c->phase == CONN_HANDSHAKE)
        return &c->server->read_queues[QUEUE_HANDSHAKES];
    return &c->server->read_queues[insistent ? QUEUE_INSISTENT : QUEUE_STRANGERS];
}

void read_queues_init(struct http_server *server)
{
    struct read_queue *queues = server->read_queues;

    queues[QUEUE_STRANGERS] = (struct read_queue){.work = LOOP_STRANGERS, .line = LINE_STRANGERS};
    queues[QUEUE_INSISTENT] = (struct read_queue){.work = LOOP_INSISTENT, .line = LINE_INSISTENT};
    queues[QUEUE_HANDSHAKES] = (struct read_queue){.work = LOOP_HANDSHAKES, .line = LINE_HANDSHAKES};
    for (size_t i = 0; i < NREAD_QUEUES; i++)
        fair_queue_init(&queues[i].conns);
}

static void on_turn(struct deadline *deadline);

static int next_turn(struct http_server *server)
{
    return timer_start(loop_timers(server->loop), &server->hear, 0, on_turn);
}

/* What came with an earlier read goes before what is still in the socket. */
static void hear(struct http_conn *c)
{
    if (c->phase == CONN_NEXT) {
        c->heard_ms = now_ms(c);
        conn_work_pending(c);
    } else {
        c->called = true;
    }
    conn_settle(c);
}

static struct http_conn *take_first(struct read_queue *queue)
{
    struct http_conn *c = CONTAINER_OF(fair_queue_take(&queue->conns), struct http_conn, read_item);

    c->queue = NULL;
    return c;
}

static void hear_line(struct http_server *server, struct read_queue *queue)
{
    while (queue->conns.n && loop_step(server->loop, queue->work))
        hear(take_first(queue));
}

static void on_turn(struct deadline *deadline)
{
    struct http_server *server = CONTAINER_OF(deadline, struct http_server, hear);
    bool more = false;

    for (size_t i = 0; i < NREAD_QUEUES; i++) {
        hear_line(server, &server->read_queues[i]);
        more = more || server->read_queues[i].conns.n;
    }
    if (!more || timer_running(&server->hear) || next_turn(server) == 0)
        return;
    for (size_t i = 0; i < NREAD_QUEUES; i++) /* no memory for a deadline: nobody would ever call them */
        while (server->read_queues[i].conns.n)
            conn_close(take_first(&server->read_queues[i]), "out of memory");
}

bool read_queue_may_read(struct http_conn *c)
{
    const struct read_queue *queue;
    bool may = c->called;

    if (!c->stranger)
        return true;
    queue = line_of(c);
    c->called = false;
    may = may || (!queue->conns.n && loop_step(c->server->loop, queue->work));
    if (may && c->phase != CONN_HANDSHAKE)
        c->heard_ms = now_ms(c);
    return may;
}

void read_queue_join(struct http_conn *c)
{
    struct http_server *server = c->server;
    struct read_queue *queue = line_of(c);

    if (c->queue || c->phase == CONN_CLOSED)
        return;
    if (!timer_running(&server->hear) && next_turn(server)) {
        conn_close(c, "out of memory");
        return;
    }
    fair_queue_add(&queue->conns, &c->party->lines[queue->line], &c->read_item, false);
    c->queue = queue;
}

void read_queue_leave(struct http_conn *c)
{
    if (c->queue)
        fair_queue_remove(&c->queue->conns, &c->read_item);
    c->queue = NULL;
}
