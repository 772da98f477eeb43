/* SPDX-License-Identifier: Apache-2.0 */
/*
 * call.c - the way of a call: latency, dispatch, faults, log; see server.h and call.h.
 */
#include "pra-sim/call.h"

#include "base/container_of.h"
#include "base/memory/secret.h"
#include "base/text.h"
#include "pra-sim/flood.h"
#include "pra-sim/spoil.h"
#include "sim/copies.h"
#include "sim/delivery.h"
#include "sim/strings.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOGGED_TEXT 512

/* ---- copying the request ---- */

static int copy_request(struct pra_call *c, const struct http_req *req)
{
    struct dispatch_call from = {.method = req->method_name,
                                 .path = req->path,
                                 .query = req->query,
                                 .authorization = http_header(req, "Authorization"),
                                 .content_type = http_header(req, "Content-Type"),
                                 .accept = http_header(req, "Accept"),
                                 .host = http_header(req, "Host")};
    size_t peer = copies_host(req->peer->address);
    char *at;

    c->store_size = copies_size(from.method) + copies_size(from.path) + copies_size(from.query) +
                    copies_size(from.authorization) + copies_size(from.content_type) +
                    copies_size(from.accept) + copies_size(from.host) + peer + 1 + req->body_len + 1;
    c->store = at = malloc(c->store_size);
    if (!c->store)
        return -1;
    c->input = (struct dispatch_call){
        .method = copies_put(&at, from.method),
        .path = copies_put(&at, from.path),
        .query = copies_put(&at, from.query),
        .authorization = copies_put(&at, from.authorization),
        .content_type = copies_put(&at, from.content_type),
        .accept = copies_put(&at, from.accept),
        .host = copies_put(&at, from.host),
        .keeps = req->keep_alive,
        .has_length = req->content_length >= 0 || req->chunked,
        .body_len = req->body_len,
    };
    c->input.peer = copies_put_n(&at, req->peer->address, peer);
    c->input.body = copies_put_n(&at, req->body ? req->body : "", req->body_len);
    return 0;
}

/* ---- log ---- */

/* Query and form; of what a call must not have in its URL only that it was there. */
static int log_params(struct pra_call *c)
{
    const char *query = c->input.query ? c->input.query : "", *below;
    enum dispatch_api api = dispatch_api_of(c->input.path, &below);
    bool form = api == API_COMMAND || api == API_REPORTING;
    char text[LOGGED_TEXT];

    if (c->entry.violation == VIOLATION_TOKEN_IN_URL || c->entry.violation == VIOLATION_MULTIPART)
        return strings_replace(&c->entry.params, "…");
    (void)snprintf(text, sizeof(text), "%s%s%s", query, *query && form && c->input.body_len ? "&" : "",
                   form ? c->input.body : "");
    return strings_replace(&c->entry.params, text);
}

static void log_request(struct pra_call *c)
{
    char client[128];

    dispatch_client(c->server->site, &c->input, client, sizeof(client));
    c->entry.violation = -1;
    c->entry.wall_ms = site_now(c->server->site);
    (void)text_copy(c->entry.name, sizeof(c->entry.name), c->name);
    if (strings_replace(&c->entry.method, c->input.method) ||
        strings_replace(&c->entry.path, c->input.path) || strings_replace(&c->entry.client, client) ||
        strings_replace(&c->entry.peer, c->input.peer) || strings_replace(&c->entry.host, c->input.host))
        abort(); /* a log with gaps gives every test a wrong result */
}

static void log_answer(struct pra_call *c, int status, size_t bytes)
{
    struct server *s = c->server;
    struct server_counts *n = server_count(s, c->name);
    struct server_entry *place = &s->log[s->logged % SERVER_LOG];

    if (n)
        n->status[status > 0 && status < SERVER_STATUSES ? status : 0]++;
    c->entry.number = ++s->logged;
    c->entry.status = status;
    c->entry.bytes = bytes;
    c->entry.fault = c->rule ? c->rule->action : NULL;
    c->entry.took_ms = clock_now(loop_clock(s->loop)) - c->begun_ms;
    if (log_params(c))
        abort();
    free(place->method);
    free(place->path);
    free(place->params);
    free(place->client);
    free(place->peer);
    free(place->host);
    *place = c->entry;
    c->entry = (struct server_entry){0};
}

/* ---- the end ---- */

static void call_free(struct pra_call *c)
{
    struct server *s = c->server;

    timer_stop(loop_timers(s->loop), &c->wait);
    TAILQ_REMOVE(&s->calls, c, link);
    s->in_flight--;
    fault_injection_release(c->rule);
    trickle_clear(&c->trickle);
    buf_free(&c->flood);
    free(c->entry.method);
    free(c->entry.path);
    free(c->entry.params);
    free(c->entry.client);
    free(c->entry.peer);
    free(c->entry.host);
    wipe(c->store, c->store_size);
    free(c->store);
    free(c);
}

void pra_call_drop(struct pra_call *c)
{
    call_free(c);
}

void pra_call_client_left(struct pra_call *c)
{
    c->req = NULL;
    if (c->trickle.req)
        trickle_client_left(&c->trickle);
    else if (c->waits_for_client && !c->inside)
        call_free(c);
}

/* ---- slow answers ---- */

static void on_trickled(struct trickle *t)
{
    call_free(CONTAINER_OF(t, struct pra_call, trickle));
}

static void send_slowly(struct pra_call *c, struct buf *raw)
{
    c->trickle = (struct trickle){.timers = loop_timers(c->server->loop),
                                  .req = c->req,
                                  .step = (size_t)c->rule->size,
                                  .ended = on_trickled};
    trickle_start(&c->trickle, raw);
}

/* A head whose length may be wrong, and the body. */
static void write_raw(struct buf *raw, const struct fault_injection_rule *r, const struct sim_answer *a)
{
    size_t announced = a->body.len;

    if (r->kind == SPOIL_WRONG_LENGTH)
        announced += r->size ? (size_t)r->size : 1000;
    if (r->kind == SPOIL_SHORT_LENGTH)
        announced /= 2;
    delivery_head(raw, a);
    (void)buf_printf(raw, "Content-Length: %zu\r\nConnection: close\r\n\r\n", announced);
    (void)buf_append(raw, a->body.data ? a->body.data : "", a->body.len);
}

/* True when the rule's kind concerns the sending; then the answer is sent, or will be. */
static bool sent_raw(struct pra_call *c, struct sim_answer *a)
{
    int kind = c->rule ? c->rule->kind : INJECT_NONE;
    struct buf raw = BUF_INIT(a->body.len + 16384);

    if (kind == SPOIL_FLOOD) {
        flood_start(c, a, call_free);
        return true;
    }
    if (kind == SPOIL_RESET_MIDDLE) {
        write_raw(&raw, c->rule, a);
        http_abort(c->req, raw.data, raw.failed ? 0 : raw.len - a->body.len / 2, true);
        buf_free(&raw);
        call_free(c);
        return true;
    }
    if (kind != SPOIL_WRONG_LENGTH && kind != SPOIL_SHORT_LENGTH && kind != SPOIL_SLOW)
        return false;
    write_raw(&raw, c->rule, a);
    if (kind != SPOIL_SLOW) {
        http_abort(c->req, raw.data, raw.failed ? 0 : raw.len, false);
        buf_free(&raw);
        call_free(c);
        return true;
    }
    send_slowly(c, &raw);
    return true;
}

/* ---- dispatch ---- */

static int kind_of(const struct pra_call *c)
{
    return c->rule ? c->rule->kind : INJECT_NONE;
}

/* The fault that needs no site. True when it was one. */
static bool fault_before(struct pra_call *c)
{
    int kind = kind_of(c);

    if (kind == INJECT_HANG) {
        log_answer(c, 0, 0);
        c->waits_for_client = true;
        if (!c->req)
            call_free(c);
        return true;
    }
    if (kind != INJECT_DROP_BEFORE && kind != INJECT_RESET)
        return false;
    log_answer(c, 0, 0);
    if (c->req)
        http_abort(c->req, NULL, 0, kind == INJECT_RESET);
    c->req = NULL;
    call_free(c);
    return true;
}

static void make_answer(struct pra_call *c, struct sim_answer *a)
{
    struct dispatch_opts opts = {.fault = kind_of(c), .size = c->rule ? c->rule->size : 0};

    if (kind_of(c) == INJECT_STATUS) {
        fault_injection_answer(c->rule, dispatch_html, a);
        return;
    }
    dispatch_run(c->server->site, &c->input, &opts, a, &c->entry.violation);
    if (kind_of(c) == INJECT_STATUS_AFTER) {
        sim_answer_free(a);
        fault_injection_answer(c->rule, dispatch_html, a);
    } else if (c->rule) {
        spoil_answer(c->rule, a);
    }
}

static void put_date(const struct pra_call *c, char out[64])
{
    char date[TIME_ISO];

    time_http(site_now(c->server->site), date);
    (void)snprintf(out, 64, "Date: %s\r\n", date);
}

static void run_call(struct pra_call *c)
{
    struct sim_answer answer;
    char date[64];

    if (fault_before(c))
        return;
    make_answer(c, &answer);
    log_answer(c, kind_of(c) == INJECT_DROP_AFTER ? 0 : answer.status, answer.body.len);
    if (c->req && sent_raw(c, &answer)) {
        sim_answer_free(&answer);
        return;
    }
    put_date(c, date);
    if (c->req)
        delivery_send(c->req, c->rule, &answer, &(struct delivery_opts){.close = true, .date = date});
    c->req = NULL;
    sim_answer_free(&answer);
    call_free(c);
}

static void on_waited(struct deadline *d)
{
    run_call(CONTAINER_OF(d, struct pra_call, wait));
}

static uint64_t latency_of(struct pra_call *c)
{
    struct server *s = c->server;
    uint64_t ms = s->latency_ms + (c->rule ? c->rule->latency_ms : 0);

    if (s->jitter_ms)
        ms += fault_injection_random(&s->fault_injection) % (s->jitter_ms + 1);
    return ms;
}

static void enter(struct pra_call *c)
{
    struct server *s = c->server;
    struct server_counts *n;
    uint64_t ms;

    dispatch_name(&c->input, c->name);
    n = server_count(s, c->name);
    if (n)
        n->calls++;
    c->begun_ms = clock_now(loop_clock(s->loop));
    log_request(c);
    c->rule = fault_injection_pick(
        &s->fault_injection,
        &(struct fault_injection_call){
            .name = c->name, .path = c->input.path, .query = c->input.query, .user = c->entry.client});
    ms = latency_of(c);
    if (ms == 0 || timer_start(loop_timers(s->loop), &c->wait, ms, on_waited))
        run_call(c);
}

void pra_call_start(struct server *s, struct http_req *req)
{
    struct pra_call *c = calloc(1, sizeof(*c));

    if (!c || copy_request(c, req)) {
        free(c);
        http_respond(req, &(struct http_response){.status = 500, .close = true});
        return;
    }
    c->server = s;
    c->req = req;
    c->flood = BUF_INIT(SIM_ANSWER_MAX);
    req->app = c;
    TAILQ_INSERT_TAIL(&s->calls, c, link);
    if (++s->in_flight > s->in_flight_peak)
        s->in_flight_peak = s->in_flight;
    enter(c);
}
