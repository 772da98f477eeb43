/* SPDX-License-Identifier: Apache-2.0 */
/*
 * request_backlog.c - complete requests that are begun in a later iteration of the loop.
 *
 * The idea: an iteration of the loop serves every readable socket before it ends. It begins a limited number
 * of requests (loop_step), so that it is short however many arrive; the others wait here, read and parsed.
 * Urgent requests go first, within a limit of their own. In both queues peers alternate. A stranger's request
 * does not wait here, since its head was already limited (read_queue.c), nor does one of a separate listener.
 *
 * Life of an entry: request_backlog_wait() -> begun in a later iteration, or request_backlog_leave() when the
 * request ends before: its client left, or the application answered it unbegun.
 *
 * Invariants: a connection in the backlog has `req_open` and is in phase WORK. While one of the two queues is
 * not empty the server's deadline `begin` runs, and no request passes its queue.
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

    c->backlog_queue = NULL;
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
    while (!is_empty(server)) /* no memory for a deadline: all are begun in this iteration */
        begin_first(server, server->urgent.n ? &server->urgent : &server->backlog);
}

bool request_backlog_wait(struct http_conn *c)
{
    struct http_server *server = c->server;
    bool urgent = c->req.urgent;
    struct fair_queue *queue = urgent ? &server->urgent : &server->backlog;
    struct fair_queue_party *party =
        c->party ? &c->party->queues[urgent ? QUEUE_URGENT : QUEUE_REQUESTS] : NULL;

    if (c->stranger || !party || (!queue->n && loop_step(server->loop, urgent ? LOOP_URGENT : LOOP_REQUESTS)))
        return false;
    if (!timer_running(&server->begin) && begin_later(server))
        return false;
    fair_queue_add(queue, party, &c->backlog_item, false);
    c->backlog_queue = queue;
    return true;
}

void request_backlog_leave(struct http_conn *c)
{
    if (c->backlog_queue)
        fair_queue_remove(c->backlog_queue, &c->backlog_item);
    c->backlog_queue = NULL;
}
