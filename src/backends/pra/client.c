/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client.c - the life of a call to a site: token, turn, sending, answer.
 *
 *   idle --pra_client_call--> wants token --granted--> waits --its turn--> sent --judged--> done()
 *                                 ^   \                  |                  |
 *                                 |    +-- no token -----+--> ended --------+   (by a deadline, later)
 *                                 +------------ token refused, once --------+
 *
 * One token call serves all calls that want a token, and they share its failure. While the site refuses the
 * secret, or the token call has failed a moment ago, calls that need a token end at once with that failure.
 *
 * The turn goes by urgency: urgent calls, then probes, then the others; the token call is as urgent as the
 * calls that want a token. pra_budget says when. `turn` fires when the first of them may go, and has a place
 * of its own; a call's `later` runs until it is sent, so that moving it needs no memory.
 *
 * Invariants: a call is in `calls` from pra_client_call() until just before its done(). done() is called by
 * call_finish() alone, from the loop or from pra_client_close().
 *
 * Not here: the texts of requests (request.c), what an answer is worth (judge.c).
 */
#include "backends/pra/client_internal.h"

#include "base/container_of.h"
#include "base/log.h"
#include "base/text.h"

#include <errno.h>
#include <stdlib.h>

#define PARKED_MS (2u * 3600 * 1000)
#define MAX_CALLS 1000

static void serve(struct pra_client *);
static void want_token(struct pra_client *);
static void on_turn(struct deadline *);

/* ---- ending ---- */

/* What is only needed while the call runs. The request holds token or secret. */
static void forget_request(struct pra_call *call)
{
    timer_stop(call->client->timers, &call->later);
    buf_free(&call->headers);
    buf_free(&call->target);
    buf_free(&call->form);
    buf_free(&call->body);
    pra_xml_free(call->xml);
    call->xml = NULL;
    call_free_answer(&call->http);
}

void pra_call_free(struct pra_call *call)
{
    pra_answer_free(&call->answer);
}

/* A call less is sent: where their number is limited the next has its turn. */
static void leave_place(struct pra_client *client)
{
    if (client->parallel && !client->closing)
        timer_set(client->timers, &client->turn, 0, on_turn);
}

/* May free the call. */
static void call_finish(struct pra_call *call)
{
    TAILQ_REMOVE(&call->client->calls, call, link);
    forget_request(call);
    call->state = PRA_CALL_IDLE;
    leave_place(call->client);
    call->done(call);
}

static void on_ended(struct deadline *d)
{
    call_finish(CONTAINER_OF(d, struct pra_call, later));
}

static void end_later(struct pra_call *call, const struct pra_result *result)
{
    call->result = *result;
    call->state = PRA_CALL_ENDED;
    if (timer_start(call->client->timers, &call->later, 0, on_ended))
        call->later.fire = on_ended;
}

static void on_parked(struct deadline *d)
{
    struct pra_call *call = CONTAINER_OF(d, struct pra_call, later);

    call->result = (struct pra_result){.fault = PRA_TIMEOUT, .failed = call->kind};
    call_finish(call);
}

static int park(struct pra_call *call)
{
    return timer_start(call->client->timers, &call->later, PARKED_MS, on_parked);
}

/* ---- token ---- */

static void end_without_token(struct pra_client *client)
{
    struct pra_result failure = client->token.failure;
    uint64_t now = clock_now(client->clock);
    struct pra_call *call;

    failure.sent = false;
    if (pra_token_paused(&client->token, now))
        failure.retry_after_ms = client->token.paused_until_ms - now;
    TAILQ_FOREACH(call, &client->calls, link)
    {
        if (call->state == PRA_CALL_WANTS_TOKEN)
            end_later(call, &failure);
    }
}

static void log_token_failure(const struct pra_client *client, const struct pra_result *r)
{
    char words[PRA_TEXT_SIZE + 80];

    pra_result_words(r, words, sizeof(words));
    log_warn(r->fault == PRA_CLIENT_REFUSED ? "pra_client_refused" : "pra_token_failed",
             "pra=%s status=%d pause_ms=%llu why=%s", client->name, r->status,
             (unsigned long long)(client->token.paused_until_ms - clock_now(client->clock)), words);
}

static void token_answered(struct pra_client *client)
{
    struct pra_call *call = &client->token_call;

    forget_request(call);
    call->state = PRA_CALL_IDLE;
    if (call->result.fault == PRA_OK) {
        TAILQ_FOREACH(call, &client->calls, link)
        {
            if (call->state == PRA_CALL_WANTS_TOKEN)
                call->state = PRA_CALL_WAITS;
        }
    } else {
        pra_token_failed(&client->token, &call->result, clock_now(client->clock));
        log_token_failure(client, &call->result);
        end_without_token(client);
    }
    serve(client);
}

/* Calls want a token: asks for one, unless one is asked for already or none may be asked for. */
static void want_token(struct pra_client *client)
{
    struct pra_call *call = &client->token_call;

    if (call->state != PRA_CALL_IDLE)
        return;
    if (pra_token_paused(&client->token, clock_now(client->clock))) {
        end_without_token(client);
        return;
    }
    *call = (struct pra_call){.kind = PRA_CALL_TOKEN, .client = client, .state = PRA_CALL_WAITS};
    serve(client);
}

/* ---- sending ---- */

static void count_call(struct pra_client *client, const struct pra_call *call)
{
    struct pra_call_counts *counts = &client->counts[call->kind];

    counts->outcomes[pra_fault_outcome(call->result.fault)]++;
    metric_observe_us(&counts->duration, clock_measure_us() - call->http.started_us);
}

/* True: the call is to be sent once more, with another token. */
static bool wants_repeat(struct pra_client *client, const struct pra_call *call)
{
    return call->result.fault == PRA_TOKEN_REFUSED &&
           pra_token_refused_call(&client->token, call->kind, call->token_serial, call->repeated,
                                  clock_now(client->clock));
}

static void note_end(struct pra_client *client, struct pra_call *call)
{
    call->took_ms = clock_now(client->clock) - call->began_ms;
    count_call(client, call);
    if (client->observe)
        client->observe(client->observe_arg, call->kind, &call->result);
}

static void on_stall(struct deadline *d)
{
    struct pra_call *call = CONTAINER_OF(d, struct pra_call, later);
    struct pra_client *client = call->client;

    upstream_cancel(&call->http);
    pra_answer_lost(call);
    pra_answer_free(&call->answer);
    call->result = (struct pra_result){.fault = PRA_TIMEOUT, .failed = call->kind, .sent = true};
    note_end(client, call);
    call_finish(call);
}

/* The call is sent: it ends when nothing of its answer has come for stall_ms. */
static void watch(struct pra_call *call)
{
    uint64_t ms = call->held || !call->stall_ms ? PARKED_MS : call->stall_ms;

    if (timer_start(call->client->timers, &call->later, ms, on_stall))
        call->later.fire = on_stall; /* without it the time of the whole call still holds */
}

/* ---- pieces of the answer ---- */

static void on_resume(struct deadline *d)
{
    struct pra_call *call = CONTAINER_OF(d, struct pra_call, later);

    if (call->held || call->stall_ms)
        watch(call);
    if (!call->held)
        upstream_resume(&call->http);
}

/* It is paused after each piece, so one iteration of the loop never parses more than one piece. */
static int on_piece(struct call *http, const char *bytes, size_t n)
{
    struct pra_call *call = CONTAINER_OF(http, struct pra_call, http);
    int err = n ? pra_answer_piece(call, bytes, n) : 0;

    if (err)
        return err;
    /* It runs already, so that moving it needs no memory. */
    if (timer_start(call->client->timers, &call->later, 0, on_resume))
        return -ENOMEM;
    return CALL_PAUSE;
}

void pra_call_hold(struct pra_call *call)
{
    call->held = true;
}

void pra_call_go_on(struct pra_call *call)
{
    bool held = call->held;

    call->held = false;
    if (held && call->state == PRA_CALL_SENT && timer_start(call->client->timers, &call->later, 0, on_resume))
        call->later.fire = on_resume;
}

/* ---- the answer ---- */

static void on_answer(struct call *http)
{
    struct pra_call *call = CONTAINER_OF(http, struct pra_call, http);
    struct pra_client *client = call->client;

    pra_answer_judge(client, call);
    note_end(client, call);
    if (call == &client->token_call) {
        token_answered(client);
        return;
    }
    if (call->result.fault == PRA_OK || call->result.fault == PRA_NO_ROWS)
        pra_token_served_call(&client->token, call->kind);
    if (wants_repeat(client, call) && (forget_request(call), park(call) == 0)) {
        call->repeated = true;
        call->archive = false;
        call->state = PRA_CALL_WANTS_TOKEN;
        if (client->token.text.p)
            call->state = PRA_CALL_WAITS;
        else
            want_token(client);
        serve(client);
        return;
    }
    call_finish(call);
}

static int send_http(struct pra_client *client, struct pra_call *call)
{
    int err = pra_request_write(client, call);

    call->http.done = on_answer;
    call->http.piece = pra_reader_of(call) ? on_piece : NULL;
    call->http.begun = call->urgent;
    call->began_ms = clock_now(client->clock);
    call->began_wall_ms = clock_wall(client->clock);
    call->token_serial = client->token.serial;
    return err ? err : upstream_call(client->up, &call->http);
}

static void send_failed(struct pra_client *client, struct pra_call *call, int err)
{
    struct pra_result failure = {.fault = err == -ENOMEM ? PRA_NO_MEMORY : PRA_NO_CONNECTION,
                                 .failed = call->kind};

    call->began_wall_ms = 0;
    if (call != &client->token_call) {
        end_later(call, &failure);
        return;
    }
    call->result = failure;
    forget_request(call);
    call->state = PRA_CALL_IDLE;
    pra_token_failed(&client->token, &failure, clock_now(client->clock));
    end_without_token(client);
}

/* It has its turn. */
static void send_call(struct pra_client *client, struct pra_call *call)
{
    if (pra_needs_token(call->kind) && !client->token.text.p) {
        call->state = PRA_CALL_WANTS_TOKEN; /* it was dropped meanwhile */
        want_token(client);
        return;
    }
    int err = send_http(client, call);
    if (err) {
        send_failed(client, call, err);
        return;
    }
    call->state = PRA_CALL_SENT;
    if (call->stall_ms)
        watch(call);
    client->sent++;
    pra_budget_take(&client->budget, clock_now(client->clock));
}

static enum pra_urgency urgency_of(const struct pra_call *call)
{
    if (call->urgent)
        return PRA_URGENT;
    if (call->own.urgency)
        return call->own.urgency;
    return call->kind == PRA_CALL_PROBE ? PRA_PROBES : PRA_BACKGROUND;
}

/* The token call is as urgent as the calls that want a token. */
static enum pra_urgency token_urgency(const struct pra_client *client)
{
    enum pra_urgency first = PRA_BACKGROUND;
    const struct pra_call *call;

    TAILQ_FOREACH(call, &client->calls, link)
    {
        if (call->state == PRA_CALL_WANTS_TOKEN && urgency_of(call) < first)
            first = urgency_of(call);
    }
    return first;
}

static bool is_full(const struct pra_client *client)
{
    const struct pra_call *call;
    unsigned n = 0;

    TAILQ_FOREACH(call, &client->calls, link)
    n += call->state == PRA_CALL_SENT;
    return client->parallel && n >= client->parallel;
}

static struct pra_call *first_waiting(struct pra_client *client, enum pra_urgency urgency)
{
    struct pra_call *call;

    if (client->token_call.state == PRA_CALL_WAITS && urgency == token_urgency(client))
        return &client->token_call;
    if (is_full(client))
        return NULL;
    TAILQ_FOREACH(call, &client->calls, link)
    {
        if (call->state == PRA_CALL_WAITS && urgency_of(call) == urgency)
            return call;
    }
    return NULL;
}

/* The call that may go now; NULL, and in how many milliseconds the first may. */
static struct pra_call *next_call(struct pra_client *client, uint64_t *wait)
{
    uint64_t now = clock_now(client->clock);

    *wait = PARKED_MS;
    for (enum pra_urgency u = PRA_URGENT; u < PRA_NURGENCIES; u++) {
        struct pra_call *call = first_waiting(client, u);
        uint64_t left = call ? pra_budget_wait(&client->budget, now, u) : PARKED_MS;
        if (call && !left)
            return call;
        *wait = left < *wait ? left : *wait;
    }
    return NULL;
}

static void on_turn(struct deadline *d)
{
    serve(CONTAINER_OF(d, struct pra_client, turn));
}

/* Ends the calls that a pause of the site holds back, where it is longer than calls wait. */
static void end_paused(struct pra_client *client)
{
    uint64_t left = pra_budget_pause_left(&client->budget, clock_now(client->clock));
    struct pra_call *call;

    if (!client->pause_waited_ms || left <= client->pause_waited_ms)
        return;
    TAILQ_FOREACH(call, &client->calls, link)
    {
        struct pra_result paused = {.fault = PRA_RATE_LIMITED, .failed = call->kind, .retry_after_ms = left};

        if ((call->state == PRA_CALL_WANTS_TOKEN || call->state == PRA_CALL_WAITS) &&
            urgency_of(call) >= PRA_LIVE)
            end_later(call, &paused);
    }
}

static void serve(struct pra_client *client)
{
    struct pra_call *call;
    uint64_t wait;

    if (client->closing)
        return;
    end_paused(client);
    while ((call = next_call(client, &wait)))
        send_call(client, call);
    timer_set(client->timers, &client->turn, wait, on_turn);
}

/* ---- the caller's side ---- */

int pra_client_call(struct pra_client *client, struct pra_call *call)
{
    uint64_t now = clock_now(client->clock);

    if (client->closing)
        return -ESHUTDOWN;
    call->client = client;
    call->repeated = call->once;
    call->archive = call->held = false;
    call->began_wall_ms = 0;
    if (park(call))
        return -ENOMEM;
    TAILQ_INSERT_TAIL(&client->calls, call, link);
    call->state = PRA_CALL_WAITS;
    if (pra_needs_token(call->kind) && !pra_token_fresh(&client->token, now)) {
        call->state = PRA_CALL_WANTS_TOKEN;
        want_token(client);
    }
    serve(client);
    return 0;
}

void pra_client_cancel(struct pra_call *call)
{
    if (call->state == PRA_CALL_SENT)
        upstream_cancel(&call->http);
    if (call->state != PRA_CALL_IDLE) {
        TAILQ_REMOVE(&call->client->calls, call, link);
        forget_request(call);
        call->state = PRA_CALL_IDLE;
        leave_place(call->client);
    }
    pra_call_free(call);
}

void pra_client_state(const struct pra_client *client, struct pra_client_state *out)
{
    const struct pra_token *token = &client->token;
    struct pra_budget budget = client->budget;
    uint64_t now = clock_now(client->clock);

    *out = (struct pra_client_state){
        .refused = token->refused,
        .token = token->failure,
        .token_paused = pra_token_paused(token, now),
        .background_pause_ms = pra_budget_wait(&budget, now, PRA_BACKGROUND),
        .few_left = pra_budget_below(&budget, now, PRA_REMAINING_FEW),
        .none_left = pra_budget_below(&budget, now, PRA_REMAINING_LOW),
        .tokens = token->granted,
        .calls = client->sent,
        .remaining = budget.has_remaining ? budget.remaining : -1,
    };
    if (out->token_paused)
        out->token_pause_ms = token->paused_until_ms - now;
}

void pra_client_observe(struct pra_client *client,
                        void (*fn)(void *arg, enum pra_call_kind, const struct pra_result *), void *arg)
{
    client->observe = fn;
    client->observe_arg = arg;
}

struct pra_call_counts *pra_client_counts(struct pra_client *client)
{
    return client->counts;
}

const uint64_t *pra_client_tokens(const struct pra_client *client)
{
    return &client->token.granted;
}

/* ---- life ---- */

static void client_free(struct pra_client *client)
{
    secret_clear(&client->secret);
    pra_token_forget(&client->token);
    free(client->name);
    free(client->client_id);
    free(client);
}

static struct upstream_opts opts_of(const struct pra_params *params)
{
    return (struct upstream_opts){
        .kind = "pra",
        .name = params->name,
        .url = params->url,
        .proxy = params->proxy,
        .ca_file = params->ca_file,
        .single = true,
        .connections = params->parallel ? params->parallel + 1 : PRA_CONNECTIONS,
        .max_calls = MAX_CALLS,
        .connect_timeout_ms = params->connect_timeout_ms,
        .call_timeout_ms = params->call_timeout_ms,
        .idle_timeout_ms = params->call_timeout_ms,
        .max_answer = params->max_answer,
    };
}

static void take_params(struct pra_client *client, const struct pra_params *params)
{
    client->call_timeout_ms = params->call_timeout_ms;
    client->report_timeout_ms = params->report_timeout_ms;
    client->max_answer = params->max_answer;
    client->parallel = params->parallel;
    client->budget.rate_per_s = params->rate_per_s;
    client->budget.hourly = params->hourly;
    client->budget.remaining_low = params->remaining_low;
    client->budget.pause_ms = params->pause_ms;
    client->pause_waited_ms = params->pause_waited_ms;
    client->token.rules = (struct pra_token_rules){params->refused_max_ms, params->renew_before_ms};
}

struct pra_client *pra_client_new(struct loop *loop, const struct pra_params *params, struct secret *secret,
                                  char why[256])
{
    struct pra_client *client = calloc(1, sizeof(*client));
    struct upstream_opts opts = opts_of(params);

    text_copy(why, 256, "out of memory");
    if (!client) {
        secret_clear(secret);
        return NULL;
    }
    secret_move(&client->secret, secret);
    TAILQ_INIT(&client->calls);
    client->loop = loop;
    client->timers = loop_timers(loop);
    client->clock = loop_clock(loop);
    client->token_call.client = client;
    take_params(client, params);
    client->name = strdup(params->name);
    client->client_id = strdup(params->client_id);
    if (client->name && client->client_id && !timer_reserve(client->timers, &client->turn))
        client->up = upstream_new(loop, &opts, why);
    if (client->up)
        return client;
    timer_unreserve(client->timers, &client->turn);
    client_free(client);
    return NULL;
}

/* The token call that runs, if any, uses the old secret. */
static void change_secret(struct pra_client *client, struct secret *secret)
{
    struct pra_call *call = &client->token_call;

    secret_clear(&client->secret);
    secret_move(&client->secret, secret);
    pra_token_forget(&client->token);
    if (call->state == PRA_CALL_SENT)
        upstream_cancel(&call->http);
    if (call->state == PRA_CALL_IDLE)
        return;
    forget_request(call);
    call->state = PRA_CALL_IDLE;
    want_token(client);
}

int pra_client_reload(struct pra_client *client, const struct pra_params *params, struct secret *secret)
{
    struct upstream_opts opts = opts_of(params);
    struct upstream_next *next = upstream_prepare(&opts);

    if (!next) {
        if (secret)
            secret_clear(secret);
        return -ENOMEM;
    }
    upstream_reload(client->up, next);
    take_params(client, params);
    if (secret && !secret_equal(&client->secret, secret->p, secret->len))
        change_secret(client, secret);
    if (secret)
        secret_clear(secret);
    serve(client);
    return 0;
}

static void on_upstream_closed(void *arg)
{
    struct pra_client *client = arg;
    void (*closed)(void *) = client->closed;
    void *closed_arg = client->arg;

    client_free(client);
    closed(closed_arg);
}

static void close_call(struct pra_call *call)
{
    bool sent = call->state == PRA_CALL_SENT && call->http.sent;

    if (call->state == PRA_CALL_SENT)
        upstream_cancel(&call->http);
    pra_answer_free(&call->answer);
    call->result = (struct pra_result){.fault = PRA_CANCELLED, .failed = call->kind, .sent = sent};
    call_finish(call);
}

void pra_client_stop(struct pra_client *client)
{
    struct pra_call *call = &client->token_call;

    client->closing = true;
    timer_unreserve(client->timers, &client->turn);
    if (call->state == PRA_CALL_SENT)
        upstream_cancel(&call->http);
    forget_request(call);
    call->state = PRA_CALL_IDLE;
    while ((call = TAILQ_FIRST(&client->calls)))
        close_call(call);
}

void pra_client_close(struct pra_client *client, void (*closed)(void *arg), void *arg)
{
    client->closed = closed;
    client->arg = arg;
    pra_client_stop(client);
    upstream_close(client->up, on_upstream_closed, client);
}
