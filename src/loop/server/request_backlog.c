/* SPDX-License-Identifier: Apache-2.0 */
/*
 * request_backlog.c - complete requests that wait for a turn of the loop in which they are begun.
 *
 * The idea: a turn of the loop serves every socket that has something to say, and nobody is heard until it
 * ends. A thousand requests that come together would make one long turn, and a question after the gateway's
 * health would wait for all of it. So a turn begins a limited number of requests (loop_step); those over it
 * wait here, read and parsed, in the order in which they came, and the turns that follow take them in turn.
 * What the application calls urgent is begun before
 * the others, from a limit of its own: however much of it comes, the others get their share of every turn. In
 * both lines peers take turns, and what a connection asks next stands behind what others have asked. A
 * stranger's request does not wait here: its head has paid (read_queue.c). Nor does one that is apart. A loop
 * that is not busy never has a backlog.
 *
 * Life of an entry: request_backlog_wait() -> begun in a later turn, or request_backlog_leave() when the
 * request ends before: its client left, or the application answered it without having begun it.
 *
 * Invariants: a connection in the backlog has `req_open` and is in phase WORK. While one of the two lines is
 * not empty the server's deadline `begin` runs, and no request passes its line.
 */
#include "base/container_of.h"
#include "loop/server/connection.h"

static void on_begin(struct deadline *deadline);

static int begin_later(struct http_server *server)
{
    return timer_start(loop_timers(server->loop), &server->begin, 0, on_begin);
}

static bool is_empty(const struct http_server *server)
{
    return !server->urgent.n && !server->backlog.n;
}

static void begin_first(struct http_server *server, struct fair_queue *queue)
{
    struct http_conn *c = CONTAINER_OF(fair_queue_take(queue), struct http_conn, backlog_item);

    c->waits = NULL;
    server->app.message(server->app.arg, &c->req);
}

static void begin_some(struct http_server *server, struct fair_queue *queue, enum loop_work work)
{
    while (queue->n && loop_step(server->loop, work))
        begin_first(server, queue);
}

static void on_begin(struct deadline *deadline)
{
    struct http_server *server = CONTAINER_OF(deadline, struct http_server, begin);

    begin_some(server, &server->urgent, LOOP_URGENT);
    begin_some(server, &server->backlog, LOOP_REQUESTS);
    if (is_empty(server) || begin_later(server) == 0)
        return;
    while (!is_empty(server)) /* no memory for a deadline: a long turn is the lesser evil */
        begin_first(server, server->urgent.n ? &server->urgent : &server->backlog);
}

bool request_backlog_wait(struct http_conn *c)
{
    struct http_server *server = c->server;
    bool urgent = c->req.urgent;
    struct fair_queue *queue = urgent ? &server->urgent : &server->backlog;
    struct fair_queue_party *party = c->party ? &c->party->lines[urgent ? LINE_URGENT : LINE_REQUESTS] : NULL;

    if (c->stranger || !party || (!queue->n && loop_step(server->loop, urgent ? LOOP_URGENT : LOOP_REQUESTS)))
        return false;
    if (!timer_running(&server->begin) && begin_later(server))
        return false;
    fair_queue_add(queue, party, &c->backlog_item, false);
    c->waits = queue;
    return true;
}

void request_backlog_leave(struct http_conn *c)
{
    if (c->waits)
        fair_queue_remove(c->waits, &c->backlog_item);
    c->waits = NULL;
}
