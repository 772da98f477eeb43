/* SPDX-License-Identifier: Apache-2.0 */
/*
 * call.c - the way of a call: latency, dispatch, faults; see server.h and call.h.
 */
#include "pi-sim/call.h"

#include "base/container_of.h"
#include "pi-sim/spoil.h"
#include "sim/copies.h"
#include "sim/delivery.h"

#include <stdlib.h>
#include <string.h>

/* ---- copying the request ---- */

static int copy_request(struct pi_call *c, const struct http_req *req)
{
    struct dispatch_call from = {.method = req->method_name,
                                 .path = req->path,
                                 .query = req->query,
                                 .content_type = http_header(req, "Content-Type"),
                                 .token = http_header(req, "AuthenticationToken")};
    char *at;

    c->store_size = copies_size(from.method) + copies_size(from.path) + copies_size(from.query) +
                    copies_size(from.content_type) + copies_size(from.token) + req->body_len + 1;
    c->store = at = malloc(c->store_size);
    if (!c->store)
        return -1;
    c->input = (struct dispatch_call){
        .method = copies_put(&at, from.method),
        .path = copies_put(&at, from.path),
        .query = copies_put(&at, from.query),
        .content_type = copies_put(&at, from.content_type),
        .token = copies_put(&at, from.token),
        .cookie = http_header(req, "Cookie") != NULL,
        .certificate = req->peer->certificate,
        .body_len = req->body_len,
    };
    c->input.body = copies_put_n(&at, req->body ? req->body : "", req->body_len);
    return 0;
}

/* ---- the end ---- */

static uint64_t now_ms(const struct pi_call *c)
{
    return clock_now(loop_clock(c->server->loop));
}

static void judge(struct pi_call *c)
{
    if (!c->judged)
        conduct_end(&c->conduct, c->answer, c->token_refused, now_ms(c));
    c->judged = true;
}

static void call_free(struct pi_call *c)
{
    struct server *s = c->server;

    timer_stop(loop_timers(s->loop), &c->wait);
    trickle_clear(&c->trickle);
    judge(c);
    TAILQ_REMOVE(&s->calls, c, link);
    s->in_flight--;
    fault_injection_release(c->rule);
    wipe(c->store, c->store_size);
    free(c->store);
    free(c);
}

void pi_call_drop(struct pi_call *c)
{
    call_free(c);
}

/* What it has not been answered, it cannot know. */
static void give_up(struct pi_call *c)
{
    c->req = NULL;
    c->conduct.lost = true;
    c->answer = ANSWER_UNCLEAR;
    c->token_refused = false;
}

void pi_call_client_left(struct pi_call *c)
{
    give_up(c);
    if (c->trickle.req)
        trickle_client_left(&c->trickle);
    else if (c->hanging)
        call_free(c);
}

/* ---- faults ---- */

static int kind_of(const struct pi_call *c)
{
    return c->rule ? c->rule->kind : INJECT_NONE;
}

static void count_answer(const struct pi_call *c, int status)
{
    server_count(c->server, c->name)->status[status > 0 && status < SERVER_STATUSES ? status : 0]++;
}

/* The fault that needs no vault. True when it was one. */
static bool fault_before(struct pi_call *c)
{
    int kind = kind_of(c);

    if (kind == INJECT_HANG) {
        count_answer(c, 0);
        c->hanging = true;
        if (!c->req)
            call_free(c);
        return true;
    }
    if (kind != INJECT_DROP_BEFORE && kind != INJECT_RESET)
        return false;
    count_answer(c, 0);
    if (c->req)
        http_abort(c->req, NULL, 0, kind == INJECT_RESET);
    call_free(c);
    return true;
}

/* The client is cut off now, the call goes on. */
static void fault_at_once(struct pi_call *c)
{
    struct sim_answer answer;

    if (kind_of(c) == SPOIL_LATE_PAGE) {
        fault_injection_answer(c->rule, dispatch_html, &answer);
        count_answer(c, answer.status);
        delivery_send(c->req, NULL, &answer, &(struct delivery_opts){.close = true});
        sim_answer_free(&answer);
        give_up(c);
    }
    if (kind_of(c) == SPOIL_LATE) {
        count_answer(c, 0);
        http_abort(c->req, NULL, 0, false);
        give_up(c);
    }
}

static void end_token(struct pi_call *c)
{
    if (c->conduct.token)
        tokens_end(c->conduct.token, TOKEN_ENDED);
}

/* ---- dispatch ---- */

static void carry_out(struct pi_call *c, struct sim_answer *answer, struct dispatch_result *result)
{
    struct vault *v = c->server->vault;
    uint64_t mark = v->history.made;
    bool sent = c->req && kind_of(c) != INJECT_DROP_AFTER && kind_of(c) != INJECT_GARBAGE;

    dispatch_run(v, &c->input, answer, result);
    history_of_call(&v->history, mark, c->number, sent ? answer->status : 0,
                    c->rule ? c->rule->action : NULL);
}

static void make_answer(struct pi_call *c, struct sim_answer *answer)
{
    struct dispatch_result result = {.outcome = ANSWER_UNCLEAR};

    if (kind_of(c) == INJECT_STATUS) {
        fault_injection_answer(c->rule, dispatch_html, answer);
        return;
    }
    if (kind_of(c) == SPOIL_LOST_TOKEN)
        end_token(c);
    carry_out(c, answer, &result);
    if (kind_of(c) == SPOIL_DOUBLED) {
        sim_answer_free(answer);
        carry_out(c, answer, &result);
    }
    if (kind_of(c) == INJECT_STATUS_AFTER) {
        sim_answer_free(answer);
        fault_injection_answer(c->rule, dispatch_html, answer);
    } else if (c->rule) {
        spoil_answer(c->rule, answer);
    }
    if (!c->req || !spoil_leaves_answer(c->rule))
        return;
    c->answer = result.outcome;
    c->token_refused = result.token_refused;
}

static void run_again(struct deadline *d)
{
    struct pi_call *c = CONTAINER_OF(d, struct pi_call, wait);
    struct dispatch_result result;
    struct sim_answer answer;

    carry_out(c, &answer, &result);
    sim_answer_free(&answer);
    call_free(c);
}

static void on_trickled(struct trickle *t)
{
    call_free(CONTAINER_OF(t, struct pi_call, trickle));
}

static void send_slowly(struct pi_call *c, struct sim_answer *a)
{
    struct buf raw = BUF_INIT(a->body.len + 16384);

    delivery_head(&raw, a);
    (void)buf_printf(&raw, "Content-Length: %zu\r\nConnection: close\r\n\r\n", a->body.len);
    (void)buf_append(&raw, a->body.data ? a->body.data : "", a->body.len);
    c->trickle = (struct trickle){.timers = loop_timers(c->server->loop),
                                  .req = c->req,
                                  .step = (size_t)c->rule->size,
                                  .ended = on_trickled};
    trickle_start(&c->trickle, &raw);
}

/* True when the call goes on after it. */
static bool deliver(struct pi_call *c, struct sim_answer *a)
{
    bool again = kind_of(c) == SPOIL_DOUBLED_LATE;

    if (c->req && kind_of(c) == SPOIL_SLOW) {
        send_slowly(c, a);
        return true;
    }
    if (c->req)
        delivery_send(c->req, c->rule, a, &(struct delivery_opts){0});
    c->req = NULL;
    if (!again)
        return false;
    judge(c); /* for its client it is over */
    return timer_start(loop_timers(c->server->loop), &c->wait, c->rule->latency_ms, run_again) == 0;
}

static void run_call(struct pi_call *c)
{
    bool counted = kind_of(c) == SPOIL_LATE || kind_of(c) == SPOIL_LATE_PAGE, goes_on;
    struct sim_answer answer;

    if (fault_before(c))
        return;
    make_answer(c, &answer);
    if (!counted)
        count_answer(c, kind_of(c) == INJECT_DROP_AFTER ? 0 : answer.status);
    goes_on = deliver(c, &answer);
    sim_answer_free(&answer);
    if (!goes_on)
        call_free(c);
}

static void on_waited(struct deadline *d)
{
    run_call(CONTAINER_OF(d, struct pi_call, wait));
}

static uint64_t latency_of(struct pi_call *c)
{
    struct server *s = c->server;
    uint64_t ms = s->latency_ms;

    if (c->rule && kind_of(c) != SPOIL_DOUBLED_LATE)
        ms += c->rule->latency_ms;
    if (s->jitter_ms)
        ms += fault_injection_random(&s->fault_injection) % (s->jitter_ms + 1);
    return ms;
}

/* ---- its arrival ---- */

static void begin(struct pi_call *c)
{
    struct server *s = c->server;
    struct conduct_asked asked;
    struct dispatch d;

    dispatch_open(&d, s->vault, &c->input);
    c->name = dispatch_name(&d);
    dispatch_asked(&d, &asked);
    conduct_begin(&c->conduct, s->vault, &asked, now_ms(c));
    server_count(s, c->name)->calls++;
    c->rule = fault_injection_pick(
        &s->fault_injection, &(struct fault_injection_call){.name = c->name,
                                                            .path = c->input.path,
                                                            .query = c->input.query,
                                                            .user = d.identity ? d.identity->name : NULL});
    dispatch_close(&d);
}

static void enter(struct pi_call *c)
{
    struct server *s = c->server;
    uint64_t ms;

    begin(c);
    fault_at_once(c);
    ms = latency_of(c);
    if (ms == 0 || timer_start(loop_timers(s->loop), &c->wait, ms, on_waited))
        run_call(c);
}

void pi_call_start(struct server *s, struct http_req *req)
{
    struct pi_call *c = calloc(1, sizeof(*c));

    if (!c || copy_request(c, req)) {
        free(c);
        http_respond(req, &(struct http_response){.status = 500, .close = true});
        return;
    }
    c->server = s;
    c->req = req;
    c->number = ++s->ncalls;
    req->app = c;
    TAILQ_INSERT_TAIL(&s->calls, c, link);
    if (++s->in_flight > s->in_flight_peak)
        s->in_flight_peak = s->in_flight;
    enter(c);
}
