/* SPDX-License-Identifier: Apache-2.0 */
/*
 * calls.c - one call: its body and target, what its answer means, and a token that is refused. The life of a
 * call is in http_vault/calls.c.
 *
 * A call with effects is sent again only where the vault certainly did nothing: nothing of it was sent, or it
 * refused the token. A body with a token is wiped as soon as the answer is here.
 *
 * Where checkin_calls is `each`, one check-in makes further calls, until as many are done as there were
 * check-outs, or the vault says that nothing is left. A vault may say success to a check-in of nothing, so
 * their number is limited where it is not known.
 */
#include "backends/privileged_identity/internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define CHECKINS_MAX 256 /* of one operation, where the number is not known */

static void on_answer(struct call *);

static bool is_checkout(enum pi_operation op)
{
    return op == PI_CHECKOUT_STORED || op == PI_CHECKOUT_SHARED;
}

static bool is_checkin(enum pi_operation op)
{
    return op == PI_CHECKIN_STORED || op == PI_CHECKIN_SHARED;
}

static bool is_list(enum pi_operation op)
{
    return op == PI_LIST_STORED || op == PI_LIST_SHARED;
}

/* ---- sending ---- */

static void forget_texts(struct pi_call *call)
{
    buf_free(&call->body);
    buf_free(&call->headers);
}

static int write_call(struct pi_call *call, const struct pi_row *row)
{
    char type[24];
    const char *const value[PI_NPLACES] = {
        [PI_TOKEN] = call->pi->token->text.p,
        [PI_COMMENT] = call->comment,
        [PI_SYSTEM] = call->names.system,
        [PI_ACCOUNT] = call->names.account,
        [PI_LIST] = call->names.list,
        [PI_CUSTOM_TYPE] = call->names.custom_type,
        [PI_TYPE] = type,
    };
    int err = 0;

    (void)snprintf(type, sizeof(type), "%" PRIu64, call->names.type);
    free(call->target);
    call->target = pi_target(call->pi, call->op);
    if (!call->target)
        return -ENOMEM;
    if (row->post)
        err = pi_row_body(row, value, &call->body);
    return err ? err : pi_headers(row, call->pi->token, &call->headers);
}

static void send_call(struct http_vault_call *base)
{
    struct pi_call *call = CONTAINER_OF(base, struct pi_call, call);
    const struct pi_row *row = &call->pi->profile->row[call->op];
    bool post = row->post, written = pi_row_usable(call->pi, call->op) && !write_call(call, row);

    pi_token_use(call->pi, call);
    http_vault_call_send(base, &(struct call){
                                   .method = post ? "POST" : "GET",
                                   .target = written ? call->target : NULL,
                                   .headers = buf_cstr(&call->headers),
                                   .body = post ? buf_cstr(&call->body) : NULL,
                                   .body_len = post ? call->body.len : 0,
                                   .safe = !base->effects,
                                   .secret = is_checkout(call->op),
                                   .done = on_answer,
                               });
    if (base->state == VAULT_CALL_SENT)
        return;
    forget_texts(call);
    pi_token_leave(call);
}

/* ---- life ---- */

static void free_call(struct pi_call *call)
{
    forget_texts(call);
    pi_names_free(&call->names);
    free(call->comment);
    free(call->target);
    free(call);
}

static void end(struct http_vault_call *base)
{
    struct pi_call *call = CONTAINER_OF(base, struct pi_call, call);
    struct vault_call *out = base->out;

    pi_count_outcome(call->pi, call->op, out);
    pi_token_leave(call);
    free_call(call);
}

static void gone(struct http_vault *hv)
{
    struct pi *pi = CONTAINER_OF(hv, struct pi, http);

    pi->on_gone(pi);
}

static const struct http_vault_call_hooks hooks = {
    .serve = pi_serve, .send = send_call, .end = end, .gone = gone};

int pi_call_new(struct pi *pi, enum pi_operation op, struct vault_call *out, struct pi_names *names,
                char *comment, struct pi_call **made)
{
    struct pi_call *call = calloc(1, sizeof(*call));

    if (!call) {
        pi_names_free(names);
        free(comment);
        return -ENOMEM;
    }
    *call = (struct pi_call){
        .call = {.vault = &pi->http, .user = &pi->user, .hooks = &hooks, .out = out, .effects = !is_list(op)},
        .pi = pi,
        .op = op,
        .names = *names,
        .comment = comment,
        .body = BUF_SECRET(PI_BODY_MAX),
        .headers = BUF_SECRET(PI_HEADERS_MAX),
    };
    *names = (struct pi_names){.shared = false};
    *made = call;
    return 0;
}

int pi_call_start_ended(struct pi_call *call, enum vault_result result, const struct fault *fault)
{
    struct vault_call *out = call->call.out;
    int err = http_vault_call_start_ended(&call->call);

    if (err) {
        free_call(call);
        return err;
    }
    out->result = result;
    out->fault = *fault;
    return 0;
}

static int refuse_row(struct pi_call *call)
{
    const struct pi *pi = call->pi;
    struct fault fault;

    fault_set(&fault, FAULT_VAULT_ERROR,
              "the row %s of profile %s is %s: write it into profile_file of [vault %s]",
              pi_operation_name(call->op), pi->profile->name,
              pi_certainty_name(pi->profile->row[call->op].certainty), pi->http.vault.conf->name);
    return pi_call_start_ended(call, VAULT_FAILED, &fault);
}

int pi_call_start(struct pi_call *call)
{
    if (!pi_row_usable(call->pi, call->op))
        return refuse_row(call);
    int err = http_vault_call_start(&call->call);

    if (err)
        free_call(call);
    return err;
}

/* ---- answers ---- */

static bool wait_again(struct pi_call *call)
{
    struct http_vault_user *user = call->call.user;

    pi_token_leave(call);
    call_free_answer(&call->call.http);
    if (!http_vault_call_queue(&call->call))
        return false;
    pi_serve(user);
    return true;
}

/* The service said that it did nothing. */
static void token_refused(struct pi_call *call, const struct pi_answer *a)
{
    bool again = pi_token_refused(call);

    call->call.may_have_happened |= a->unknown; /* a password came with it */

    call->call.out->result = VAULT_FAILED;
    call->call.out->fault = a->fault;
    if (again) {
        call->replayed = true;
        if (wait_again(call))
            return;
    }
    pi_token_leave(call);
    http_vault_call_finish(&call->call);
}

static bool is_done(const struct vault_call *out)
{
    return out->result == VAULT_OK || out->result == VAULT_GONE;
}

/* A check-in was done, or nothing was left to give back: is another one needed? */
static bool wants_checkin(struct pi_call *call)
{
    struct vault_call *out = call->call.out;

    if (!is_checkin(call->op) || !is_done(out))
        return false;
    if (out->result == VAULT_GONE) {
        if (out->checkins)
            out->result = VAULT_OK;
        else
            fault_set(&out->fault, FAULT_VAULT_CONFLICT, "the vault has no such check-out any more");
        return false;
    }
    out->checkins++;
    return call->pi->http.vault.conf->checkin_each && out->checkins < (call->due ? call->due : CHECKINS_MAX);
}

static void take_answer(struct pi_call *call, struct pi_answer *a)
{
    struct http_vault_call *base = &call->call;
    struct vault_call *out = base->out;
    int status = base->http.status;

    base->may_have_happened |= a->unknown;
    out->result = a->result;
    out->fault = a->fault;
    out->holder_is_own = a->holder_is_own;
    if ((status == 503 || status == 429) && a->result == VAULT_FAILED)
        out->fault.retry_after_s = http_vault_retry_after_s(&call->pi->http, &base->http);
    if (is_checkout(call->op))
        (void)snprintf(out->request_key, sizeof(out->request_key), "%s", call->key);
    secret_move(&out->secret, &a->secret); /* there is one of a check-out that succeeded */
    if (a->result == VAULT_OK && call->listed) {
        *call->listed = a->names;
        a->names = (struct conf_list){.n = 0};
    }
}

static void read_answer(struct pi_call *call, struct pi_answer *a)
{
    struct http_vault_call *base = &call->call;
    uint64_t delay;

    take_answer(call, a);
    if (is_done(base->out))
        pi_token_proved(call);
    if (wants_checkin(call)) {
        call->replayed = false;
        if (wait_again(call))
            return;
        http_vault_deadline(base->out); /* it is repeated: check-ins are left */
    }
    pi_token_leave(call);
    if (!base->effects && !a->own && http_vault_is_retryable(&call->pi->http, &base->http, &delay) &&
        http_vault_call_pause(base, delay)) {
        call_free_answer(&base->http);
        return;
    }
    http_vault_call_finish(base);
}

static void on_answer(struct call *http)
{
    struct pi_call *call = CONTAINER_OF(http, struct pi_call, call.http);
    struct pi_answer a;

    pi_latency_observe(call->pi, call->op, http);
    forget_texts(call);
    if (http->err)
        pi_token_leave(call);
    if (http_vault_call_sent(&call->call, !call->call.effects) != VAULT_SENDING_ANSWERED)
        return;
    const struct pi_http answer = pi_http_of(call->pi, http, &call->token->text);
    pi_answer_read(call->pi->profile, call->op, &answer, &a);
    if (a.token_refused)
        token_refused(call, &a);
    else
        read_answer(call, &a);
    pi_answer_free(&a);
}
