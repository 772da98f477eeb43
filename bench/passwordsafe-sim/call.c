/* SPDX-License-Identifier: Apache-2.0 */
/*
 * call.c - the way of a call: lock, latency, dispatch; see server.h and call.h.
 */
#include "passwordsafe-sim/call.h"

#include "base/container_of.h"
#include "sim/copies.h"
#include "sim/delivery.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* ---- copying the request ---- */

static int copy_request(struct call *c, const struct http_req *req)
{
    struct dispatch_call from = {.method = req->method_name,
                                 .path = req->path,
                                 .query = req->query,
                                 .authorization = http_header(req, "Authorization"),
                                 .cookie = http_header(req, "Cookie"),
                                 .content_type = http_header(req, "Content-Type")};
    size_t peer = copies_host(req->peer->address);
    char *at;

    c->store_size = copies_size(from.method) + copies_size(from.path) + copies_size(from.query) +
                    copies_size(from.authorization) + copies_size(from.cookie) +
                    copies_size(from.content_type) + peer + 1 + req->body_len + 1;
    c->store = at = malloc(c->store_size);
    if (!c->store)
        return -1;
    c->input = (struct dispatch_call){
        .method = copies_put(&at, from.method),
        .path = copies_put(&at, from.path),
        .query = copies_put(&at, from.query),
        .authorization = copies_put(&at, from.authorization),
        .cookie = copies_put(&at, from.cookie),
        .content_type = copies_put(&at, from.content_type),
        .cookie_lines = http_header_count(req, "Cookie"),
        .has_length = req->content_length >= 0 || req->chunked,
        .certificate = req->peer->nsans > 0,
        .body_len = req->body_len,
    };
    c->input.peer = copies_put_n(&at, req->peer->address, peer);
    c->input.body = copies_put_n(&at, req->body ? req->body : "", req->body_len);
    return 0;
}

/* ---- the end ---- */

static void call_free(struct call *c)
{
    struct server *s = c->server;

    timer_stop(loop_timers(s->loop), &c->wait);
    TAILQ_REMOVE(&s->calls, c, link);
    s->in_flight--;
    if (c->session)
        session_leave(s->model->sessions, c->session);
    fault_injection_release(c->rule);
    wipe(c->store, c->store_size);
    free(c->store);
    free(c);
}

void call_drop(struct call *c)
{
    call_free(c);
}

void call_client_left(struct call *c)
{
    c->req = NULL;
    if (c->hanging)
        call_free(c);
}

/* ---- dispatch ---- */

static void count_answer(const struct call *c, int status)
{
    struct server_counts *n =
        &c->server->counts[c->route ? c->route - dispatch_routes : (ptrdiff_t)dispatch_nroutes];

    n->status[status > 0 && status < SERVER_STATUSES ? status : 0]++;
}

static int kind_of(const struct call *c)
{
    return c->rule ? c->rule->kind : INJECT_NONE;
}

/* The fault that needs no model. True when it was one. */
static bool fault_before(struct call *c)
{
    int kind = kind_of(c);

    if (kind == INJECT_HANG) {
        count_answer(c, 0);
        if (c->req)
            c->hanging = true;
        else
            call_free(c);
        return true;
    }
    if (kind != INJECT_DROP_BEFORE && kind != INJECT_RESET)
        return false;
    count_answer(c, 0);
    if (c->req)
        http_abort(c->req, NULL, 0, kind == INJECT_RESET);
    c->req = NULL;
    call_free(c);
    return true;
}

static void run_call(struct call *c)
{
    struct sim_answer answer;

    if (fault_before(c))
        return;
    if (kind_of(c) == INJECT_STATUS) {
        fault_injection_answer(c->rule, dispatch_json, &answer);
    } else {
        if (kind_of(c) == SERVER_LOST_SESSION && c->session)
            sessions_close(c->server->model, c->session);
        dispatch_run(c->server->model, &c->input, &answer);
    }
    if (kind_of(c) == INJECT_STATUS_AFTER) {
        sim_answer_free(&answer);
        fault_injection_answer(c->rule, dispatch_json, &answer);
    }
    count_answer(c, kind_of(c) == INJECT_DROP_AFTER ? 0 : answer.status);
    if (c->req)
        delivery_send(c->req, c->rule, &answer, &(struct delivery_opts){0});
    c->req = NULL;
    sim_answer_free(&answer);
    call_free(c);
}

static void on_waited(struct deadline *d)
{
    run_call(CONTAINER_OF(d, struct call, wait));
}

static uint64_t latency_of(struct call *c)
{
    struct server *s = c->server;
    uint64_t ms = s->latency_ms + (c->rule ? c->rule->latency_ms : 0);

    if (s->jitter_ms)
        ms += fault_injection_random(&s->fault_injection) % (s->jitter_ms + 1);
    return ms;
}

/* The call has the lock. It runs on this stack only where there is nothing to wait for. */
static void wait_latency(struct call *c, bool defer)
{
    uint64_t ms = latency_of(c);

    if (ms == 0 && !defer)
        run_call(c);
    else if (timer_start(loop_timers(c->server->loop), &c->wait, ms, on_waited))
        run_call(c);
}

static void on_granted(struct session_waiter *w)
{
    struct call *c = CONTAINER_OF(w, struct call, waiter);

    c->queued = false;
    if (!c->server->closing)
        wait_latency(c, true);
}

static void enter(struct call *c)
{
    struct server *s = c->server;
    char cookie[SESSION_COOKIE];
    const char *user = NULL;

    if (dispatch_cookie(&c->input, cookie, sizeof(cookie)))
        c->session = sessions_find(s->model, cookie);
    if (c->session && c->session->user)
        user = c->session->user->name;
    c->rule = fault_injection_pick(&s->fault_injection,
                                   &(struct fault_injection_call){.name = c->route ? c->route->name : "none",
                                                                  .path = c->input.path,
                                                                  .query = c->input.query,
                                                                  .user = user});
    c->waiter.granted = on_granted;
    if (c->session && !session_enter(s->model->sessions, c->session, &c->waiter)) {
        c->queued = true;
        return;
    }
    wait_latency(c, false);
}

void call_start(struct server *s, struct http_req *req)
{
    struct call *c = calloc(1, sizeof(*c));
    int status;

    if (!c || copy_request(c, req)) {
        free(c);
        http_respond(req, &(struct http_response){.status = 500, .close = true});
        return;
    }
    c->server = s;
    c->req = req;
    req->app = c;
    TAILQ_INSERT_TAIL(&s->calls, c, link);
    s->in_flight++;
    if (s->in_flight > s->in_flight_peak)
        s->in_flight_peak = s->in_flight;
    c->route = dispatch_match(c->input.method, c->input.path, NULL, &status);
    s->counts[c->route ? c->route - dispatch_routes : (ptrdiff_t)dispatch_nroutes].calls++;
    enter(c);
}
