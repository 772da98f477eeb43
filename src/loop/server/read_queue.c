/* SPDX-License-Identifier: Apache-2.0 */
/*
 * read_queue.c - connections that wait for a turn of the loop in which they are heard.
 *
 * The idea: every read from a stranger's connection, and every head of a request in it, costs a step
 * (loop_step), and a turn of the loop has few of them. A stranger for whom there is none is not read any more
 * and stands in a line; the turns that follow hear the first of the line, one read or one head each. Who
 * brings a thousand requests in one packet stands in line a thousand times, behind everybody who came
 * meanwhile. What is not read stays in the kernel.
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
    server->read_queues[QUEUE_STRANGERS].work = LOOP_STRANGERS;
    server->read_queues[QUEUE_INSISTENT].work = LOOP_INSISTENT;
    server->read_queues[QUEUE_HANDSHAKES].work = LOOP_HANDSHAKES;
    for (size_t i = 0; i < NREAD_QUEUES; i++)
        TAILQ_INIT(&server->read_queues[i].conns);
}

static void on_turn(struct deadline *deadline);

static int next_turn(struct http_server *server)
{
    return timer_start(loop_timers(server->loop), &server->hear, 0, on_turn);
}

/* What came with an earlier read goes before what is still in the socket. */
static void hear(struct http_conn *c)
{
    read_queue_leave(c);
    if (c->phase == CONN_NEXT) {
        c->heard_ms = now_ms(c);
        conn_work_pending(c);
    } else {
        c->called = true;
    }
    conn_settle(c);
}

static void hear_line(struct http_server *server, struct read_queue *queue)
{
    while (!TAILQ_EMPTY(&queue->conns) && loop_step(server->loop, queue->work))
        hear(TAILQ_FIRST(&queue->conns));
}

static void on_turn(struct deadline *deadline)
{
    struct http_server *server = CONTAINER_OF(deadline, struct http_server, hear);
    bool more = false;

    for (size_t i = 0; i < NREAD_QUEUES; i++) {
        hear_line(server, &server->read_queues[i]);
        more = more || !TAILQ_EMPTY(&server->read_queues[i].conns);
    }
    if (!more || timer_running(&server->hear) || next_turn(server) == 0)
        return;
    for (size_t i = 0; i < NREAD_QUEUES; i++) /* no memory for a deadline: nobody would ever call them */
        while (!TAILQ_EMPTY(&server->read_queues[i].conns))
            conn_close(TAILQ_FIRST(&server->read_queues[i].conns), "out of memory");
}

bool read_queue_may_read(struct http_conn *c)
{
    const struct read_queue *queue;
    bool may = c->called;

    if (!c->stranger)
        return true;
    queue = line_of(c);
    c->called = false;
    may = may || (TAILQ_EMPTY(&queue->conns) && loop_step(c->server->loop, queue->work));
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
    TAILQ_INSERT_TAIL(&queue->conns, c, line_link);
    c->queue = queue;
}

void read_queue_leave(struct http_conn *c)
{
    if (!c->queue)
        return;
    TAILQ_REMOVE(&c->queue->conns, c, line_link);
    c->queue = NULL;
}
