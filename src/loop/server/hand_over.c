/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hand_over.c - the server's last answers: how connections end so that no request is lost.
 *
 * A client that keeps its connection may send a request at the moment the server closes. So it is told first:
 * from http_last_answers() on every response has `Connection: close`. What is left are connections that are
 * idle.
 *
 *   http_last_answers   idle connections that have had a response are closed at once
 *   http_hand_over      for sockets that the service manager keeps (passed_socket.c): those connections have
 *                       `notice_ms` to send one more request and to be told. Then the passed sockets are no
 *                       longer accepted from; what connects afterwards waits in the kernel for the next
 *                       process. Connections that were accepted have `notice_ms` for their first request;
 *                       a request that has arrived in part by then ends as at the end of its phase's time.
 *                       done() is called when every request of a passed listener has its response.
 *
 * An idle connection is closed only if no byte of its client waits to be read. Over a Unix socket the
 * direction of the client is shut first, and then looked at once more: a client that sends later gets EPIPE,
 * so it knows that its request was not taken. Over TCP a request that is on its way at that moment is lost.
 *
 * The connections are looked at every LOOK_MS, because none of them knows of the others.
 */
#include "loop/server/connection.h"

#include "base/container_of.h"
#include "base/memory/secret.h"

#include <sys/socket.h>

#define LOOK_MS       20
#define UNFINISHED_MS 1000 /* a begun request has at least so long to arrive, however short the notice is */

static bool was_answered(const struct http_conn *c)
{
    return c->phase == CONN_IDLE && c->requests;
}

static bool has_sent(uv_os_fd_t fd)
{
    char byte = 0;
    bool sent = recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;

    wipe(&byte, 1);
    return sent;
}

/* Closes it unless its client has sent something. */
static void end_idle(struct http_conn *c)
{
    uv_os_fd_t fd;

    if (!uv_fileno(&c->u.handle, &fd)) {
        if (has_sent(fd))
            return;
        if (c->peer.is_unix && !shutdown(fd, SHUT_RD) && has_sent(fd)) {
            c->input_shut = true;
            return;
        }
    }
    conn_close(c, "server drains");
}

/* conn_close() leaves the list as it is. */
static void end_answered(struct http_server *server)
{
    struct http_conn *c;

    TAILQ_FOREACH(c, &server->conns, link)
    {
        if (was_answered(c))
            end_idle(c);
    }
}

void http_last_answers(struct http_server *server)
{
    server->last_answers = true;
    end_answered(server);
}

/* ---- handing over ---- */

static bool any_answered(const struct http_server *server)
{
    const struct http_conn *c;

    TAILQ_FOREACH(c, &server->conns, link)
    {
        if (was_answered(c))
            return true;
    }
    return false;
}

static void stop_accepting(struct http_server *server)
{
    struct listener *l;

    server->hand_over.stopped = true;
    server->hand_over.since_ms = server_now(server);
    SLIST_FOREACH(l, &server->listeners, link)
    {
        if (l->passed)
            listener_close(l);
    }
    end_answered(server);
}

/* Connections that have sent no request within the notice. */
static void end_silent(struct http_server *server)
{
    struct http_conn *c;

    TAILQ_FOREACH(c, &server->conns, link)
    {
        if (c->listener->passed && (c->phase == CONN_IDLE || c->phase == CONN_HANDSHAKE))
            end_idle(c);
    }
}

/* Requests that have arrived in part: the next process is not to wait for their clients. */
static void end_unfinished(struct http_server *server)
{
    struct http_conn *c;
    uv_os_fd_t fd;

    TAILQ_FOREACH(c, &server->conns, link)
    {
        bool unfinished = c->phase == CONN_HEAD || c->phase == CONN_CERTIFICATE || c->phase == CONN_BODY ||
                          c->phase == CONN_TRAILERS;

        if (c->listener->passed && unfinished && !uv_fileno(&c->u.handle, &fd) && !has_sent(fd))
            conn_expire(c);
    }
}

/* Is a response, or the first request of a connection, still to come on a passed listener? */
static bool any_expected(const struct http_server *server)
{
    const struct http_conn *c;

    TAILQ_FOREACH(c, &server->conns, link)
    {
        if (c->listener->passed && c->phase != CONN_LINGER && c->phase != CONN_CLOSED)
            return true;
    }
    return false;
}

static void on_look(struct deadline *deadline)
{
    struct http_server *server = CONTAINER_OF(deadline, struct http_server, hand_over.look);
    struct hand_over *h = &server->hand_over;
    uint64_t passed_ms = server_now(server) - h->since_ms;
    bool over = passed_ms >= h->notice_ms;

    if (!h->stopped && (over || !any_answered(server)))
        stop_accepting(server);
    else if (h->stopped && over) {
        end_silent(server);
        if (passed_ms >= UNFINISHED_MS)
            end_unfinished(server);
    }
    if (h->stopped && !any_expected(server))
        h->done(h->arg);
    else
        timer_set(loop_timers(server->loop), &h->look, LOOK_MS, on_look);
}

bool http_has_passed(const struct http_server *server)
{
    const struct listener *l;

    SLIST_FOREACH(l, &server->listeners, link)
    {
        if (l->passed)
            return true;
    }
    return false;
}

int http_hand_over(struct http_server *server, uint64_t notice_ms, void (*done)(void *arg), void *arg)
{
    server->last_answers = true;
    server->hand_over.notice_ms = notice_ms;
    server->hand_over.since_ms = server_now(server);
    server->hand_over.done = done;
    server->hand_over.arg = arg;
    int err = timer_reserve(loop_timers(server->loop), &server->hand_over.look);

    if (!err)
        timer_set(loop_timers(server->loop), &server->hand_over.look, 0, on_look);
    return err;
}
