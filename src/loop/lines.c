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
 * There are three lines, each with steps of its own. Who was heard less than a second ago is insistent: a
 * caller that comes with its first request, and a probe that comes now and then, do not wait behind a
 * thousand that never stop. Of handshakes each takes as long as many requests.
 *
 * A client's connection is in no line. It is heard in every turn, for a few heads (request.c).
 *
 * Invariants: a connection in a line is not read. While a line is not empty the deadline `hear` runs, and no
 * read of that kind passes the line.
 */
#include "loop/connection.h"

#define INSISTENT_MS 1000

static uint64_t now_ms(const struct http_conn *c)
{
    return clock_now(loop_clock(c->server->loop));
}

static struct conn_line *line_of(const struct http_conn *c)
{
    bool insistent = c->heard_ms && now_ms(c) - c->heard_ms < INSISTENT_MS;

    if (c->phase == CONN_HANDSHAKE)
        return &c->server->lines[LINE_HANDSHAKES];
    return &c->server->lines[insistent ? LINE_INSISTENT : LINE_STRANGERS];
}

void lines_init(struct http_server *server)
{
    server->lines[LINE_STRANGERS].work = LOOP_STRANGERS;
    server->lines[LINE_INSISTENT].work = LOOP_INSISTENT;
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
    if (c->phase == CONN_NEXT) {
        c->heard_ms = now_ms(c);
        conn_work_pending(c);
    } else {
        c->called = true;
    }
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
    const struct conn_line *line;
    bool may = c->called;

    if (!c->stranger)
        return true;
    line = line_of(c);
    c->called = false;
    may = may || (TAILQ_EMPTY(&line->conns) && loop_step(c->server->loop, line->work));
    if (may && c->phase != CONN_HANDSHAKE)
        c->heard_ms = now_ms(c);
    return may;
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
