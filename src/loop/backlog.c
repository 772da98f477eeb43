/* SPDX-License-Identifier: Apache-2.0 */
/*
 * backlog.c - complete requests that wait for a turn of the loop in which they are begun.
 *
 * The idea: a turn of the loop serves every socket that has something to say, and nobody is heard until it
 * ends. A thousand requests that come together would make one long turn, and a question after the gateway's
 * health would wait for all of it. So a turn begins a limited number of requests (loop_step); those over it
 * wait here, read and parsed, in the order in which they came, and the turns that follow take them in turn.
 * What the application calls urgent never waits. A loop that is not busy never has a backlog.
 *
 * Life of an entry: backlog_wait() -> begun in a later turn, or backlog_leave() when the request ends before:
 * its client left, or the application answered it without having begun it.
 *
 * Invariants: a connection in the backlog has `req_open` and is in phase WORK. While the backlog is not empty
 * the server's deadline `begin` runs, and no request passes it.
 */
#include "loop/connection.h"

static void on_turn(struct deadline *deadline);

static int next_turn(struct http_server *server)
{
    return timer_start(loop_timers(server->loop), &server->begin, 0, on_turn);
}

static void begin_first(struct http_server *server)
{
    struct http_conn *c = TAILQ_FIRST(&server->backlog);

    backlog_leave(c);
    server->app.message(server->app.arg, &c->req);
}

static void on_turn(struct deadline *deadline)
{
    struct http_server *server =
        (struct http_server *)((char *)deadline - offsetof(struct http_server, begin));

    while (!TAILQ_EMPTY(&server->backlog) && loop_step(server->loop, LOOP_REQUESTS))
        begin_first(server);
    if (TAILQ_EMPTY(&server->backlog) || next_turn(server) == 0)
        return;
    while (!TAILQ_EMPTY(&server->backlog)) /* no memory for a deadline: a long turn is the lesser evil */
        begin_first(server);
}

bool backlog_wait(struct http_conn *c)
{
    struct http_server *server = c->server;
    bool first = TAILQ_EMPTY(&server->backlog);

    if (c->req.urgent || (first && loop_step(server->loop, LOOP_REQUESTS)))
        return false;
    if (first && next_turn(server))
        return false;
    TAILQ_INSERT_TAIL(&server->backlog, c, backlog_link);
    c->waits = true;
    return true;
}

void backlog_leave(struct http_conn *c)
{
    if (!c->waits)
        return;
    c->waits = false;
    TAILQ_REMOVE(&c->server->backlog, c, backlog_link);
}
