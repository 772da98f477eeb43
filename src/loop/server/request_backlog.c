/* SPDX-License-Identifier: Apache-2.0 */
/*
 * request_backlog.c - complete requests that are begun in a later iteration of the loop.
 *
 * The idea: an iteration of the loop serves every readable socket before it ends. A thousand requests that
 * arrive together would make one long iteration, and a health check would wait for all of it. So an iteration
 * begins a limited number of requests (loop_step); the others wait here, read and parsed, in the order of
 * their arrival, and later iterations begin them. Requests that the application marks as urgent go first,
 * within the same limit. A stranger's request does not wait here: its head was already limited
 * (read_queue.c). Requests of separate listeners do not wait either. A loop that is not busy has no backlog.
 *
 * Life of an entry: request_backlog_wait() -> begun in a later iteration, or request_backlog_leave() when the
 * request ends before: its client left, or the application answered it unbegun.
 *
 * Invariants: a connection in the backlog has `req_open` and is in phase WORK. While one of the two lists is
 * not empty the server's deadline `begin` runs, and no request passes its list.
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
    return TAILQ_EMPTY(&server->urgent) && TAILQ_EMPTY(&server->backlog);
}

static void begin_first(struct http_server *server)
{
    struct http_conn *c = TAILQ_FIRST(TAILQ_EMPTY(&server->urgent) ? &server->backlog : &server->urgent);

    request_backlog_leave(c);
    server->app.message(server->app.arg, &c->req);
}

static void on_begin(struct deadline *deadline)
{
    struct http_server *server = CONTAINER_OF(deadline, struct http_server, begin);

    while (!is_empty(server) && loop_step(server->loop, LOOP_REQUESTS))
        begin_first(server);
    if (is_empty(server) || begin_later(server) == 0)
        return;
    while (!is_empty(server)) /* no memory for a deadline: all are begun in this iteration */
        begin_first(server);
}

bool request_backlog_wait(struct http_conn *c)
{
    struct http_server *server = c->server;
    struct http_conns *list = c->req.urgent ? &server->urgent : &server->backlog;
    bool first = TAILQ_EMPTY(&server->urgent) && (c->req.urgent || TAILQ_EMPTY(&server->backlog));

    if (c->stranger || c->place == PLACE_SEPARATE || (first && loop_step(server->loop, LOOP_REQUESTS)))
        return false;
    if (!timer_running(&server->begin) && begin_later(server))
        return false;
    TAILQ_INSERT_TAIL(list, c, backlog_link);
    c->backlog_list = list;
    return true;
}

void request_backlog_leave(struct http_conn *c)
{
    if (!c->backlog_list)
        return;
    TAILQ_REMOVE(c->backlog_list, c, backlog_link);
    c->backlog_list = NULL;
}
