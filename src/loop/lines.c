/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lines.c - connections that wait for a turn of the loop in which they are heard.
 *
 * The idea: every read from a stranger's connection, and every head of a request in it, costs a step
 * (loop_step), and a turn of the loop has few of them. A stranger for whom there is none is not read any more
 * and stands in a line; the turns that follow hear the first of the line, one read or one head each. Who
 * brings a thousand requests in one packet stands in line a thousand times, behind everybody who came
 * meanwhile. What is not read stays in the kernel.
 *
 * Handshakes have a line of their own: each takes as long as many requests.
 *
 * A client's connection is in no line. It is heard in every turn, for a few heads (request.c).
 *
 * Invariants: a connection in a line is not read. While a line is not empty the deadline `hear` runs, and no
 * read of that kind passes the line.
 */
#include "loop/connection.h"

static struct conn_line *line_of(const struct http_conn *c)
{
    return &c->server->lines[c->phase == CONN_HANDSHAKE ? LINE_HANDSHAKES : LINE_STRANGERS];
}

void lines_init(struct http_server *server)
{
    server->lines[LINE_STRANGERS].work = LOOP_STRANGERS;
    server->lines[LINE_HANDSHAKES].work = LOOP_HANDSHAKES;
    for (size_t i = 0; i < NLINES; i++)
        TAILQ_INIT(&server->lines[i].conns);
}

static void on_turn(struct deadline *deadline);

static int next_turn(struct http_server *server)
{
    return timer_start(loop_timers(server->loop), &server->hear, 0, on_turn);
}

/* What came with an earlier read goes before what is still in the socket. */
static void hear(struct http_conn *c)
{
    lines_leave(c);
    if (c->phase == CONN_NEXT)
        conn_work_pending(c);
    else
        c->called = true;
    conn_settle(c);
}

static void hear_line(struct http_server *server, struct conn_line *line)
{
    while (!TAILQ_EMPTY(&line->conns) && loop_step(server->loop, line->work))
        hear(TAILQ_FIRST(&line->conns));
}

static void on_turn(struct deadline *deadline)
{
    struct http_server *server =
        (struct http_server *)((char *)deadline - offsetof(struct http_server, hear));
    bool more = false;

    for (size_t i = 0; i < NLINES; i++) {
        hear_line(server, &server->lines[i]);
        more = more || !TAILQ_EMPTY(&server->lines[i].conns);
    }
    if (!more || timer_running(&server->hear) || next_turn(server) == 0)
        return;
    for (size_t i = 0; i < NLINES; i++) /* no memory for a deadline: nobody would ever call them */
        while (!TAILQ_EMPTY(&server->lines[i].conns))
            conn_close(TAILQ_FIRST(&server->lines[i].conns), "out of memory");
}

bool lines_may_read(struct http_conn *c)
{
    const struct conn_line *line = line_of(c);
    bool called = c->called;

    c->called = false;
    return !c->stranger || called ||
           (TAILQ_EMPTY(&line->conns) && loop_step(c->server->loop, line->work));
}

void lines_join(struct http_conn *c)
{
    struct http_server *server = c->server;
    struct conn_line *line = line_of(c);

    if (c->line || c->phase == CONN_CLOSED)
        return;
    if (!timer_running(&server->hear) && next_turn(server)) {
        conn_close(c, "out of memory");
        return;
    }
    TAILQ_INSERT_TAIL(&line->conns, c, line_link);
    c->line = line;
}

void lines_leave(struct http_conn *c)
{
    if (!c->line)
        return;
    TAILQ_REMOVE(&c->line->conns, c, line_link);
    c->line = NULL;
}
