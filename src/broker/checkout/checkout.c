/* SPDX-License-Identifier: Apache-2.0 */
/*
 * checkout.c - one caller's walk from "I want this credential" to a lease.
 *
 *   begin -> turn -> account -> policy -> intent -> request -> password | key -> passphrase -> keep -> reply
 *                       |                  ^       |    \
 *                       |                  |       |     +-> lookup: the vault handed over one we do not hold
 *                       |                  +----- await: it handed over one that is just being given back
 *                       |                  +-- isa -> seek -> keep: direct access
 *                       +-- the session has a lease already: read its secret again
 *
 * Every ending passes `reply`, good or bad, client present or not: there the vault request becomes a lease or
 * is dropped, and an intent whose outcome is not known goes recovery. A client that left or ran out of time
 * has its wait dropped where that is harmless; a request that may be sent is awaited and then undone. Giving
 * back is the vault request's work (checkin.c), so the check-out ends at once.
 *
 * Invariants: done is called at most once, and never with op.left set; vault request != NULL means we are
 * counted among its holders; intent != NULL means a request may exist of which no vault request knows.
 *
 * Races, and where they are settled:
 *  - two check-outs of one user and account are given one id: both hold the vault request, the undo of one
 * leaves it;
 *  - the same session asks twice at once: session_queue.c;
 *  - the id is one whose check-in is on its way: `await`, then ask anew; if it had not been sent, it is taken
 * back;
 *  - the check-in landed before our answer came: the secret is "gone", the request is asked for anew, once;
 *  - the answer of another check-out of ours is still on its way: its intent proves the request ours in
 * `lookup`.
 *
 * Two writes of the journal are waited for: `intent` before the vault is asked, and in `keep` the row with
 * the request id, which was handed to the store as soon as the id was known and is written while the secret
 * is read. If either fails the check-out ends with store_unavailable, and what it holds goes back.
 *
 * A session that ends while its check-out is in flight ends that too (checkouts_end): what is held goes back
 * at once, the caller is told in the next turn, and nothing outlives the session.
 *
 * Not here: what each state does (session_queue.c, account_policy.c, request_access.c, direct_access.c,
 * read_secret.c).
 */
#include "broker/checkout/checkout.h"

#include "base/container_of.h"
#include "base/crash_point.h"
#include "base/log.h"
#include "broker/identity/username.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct op_class checkout_class;
static const struct co_step co_begin_step, co_ended_step, co_reply_step, co_done_step;

static const struct co_step *const steps[CO_NSTATES] = {
    [CO_BEGIN] = &co_begin_step,     [CO_SESSION_QUEUE] = &co_session_queue_step,
    [CO_ACCOUNT] = &co_account_step, [CO_POLICY] = &co_policy_step,
    [CO_INTENT] = &co_intent_step,   [CO_REQUEST] = &co_request_step,
    [CO_AWAIT] = &co_await_step,     [CO_KEEP] = &co_keep_step,
    [CO_AUDIT] = &co_audit_step,     [CO_ENDED] = &co_ended_step,
    [CO_LOOKUP] = &co_lookup_step,   [CO_PASSWORD] = &co_password_step,
    [CO_ISA] = &co_isa_step,         [CO_SEEK] = &co_seek_step,
    [CO_KEY] = &co_key_step,         [CO_PASSPHRASE] = &co_passphrase_step,
    [CO_REPLY] = &co_reply_step,     [CO_DONE] = &co_done_step,
};

static void co_free(struct checkout *co)
{
    session_queue_leave(co);
    timer_stop(co->op.broker->timers, &co->session_queue);
    vault_request_unwatch(&co->watch);
    journal_unwait(&co->written);
    audit_unwait(co->op.broker->audit, &co->recorded);
    vault_call_free(&co->call);
    account_list_unref(co->hold);
    usermap_free(&co->users);
    secret_clear(&co->secret);
    secret_clear(&co->passphrase);
    free(co->reason_sent);
    free(co->session);
    op_end(&co->op);
    free(co);
}

static void set_state(struct checkout *co, enum co_state next)
{
    log_debug("checkout_state", "lease=%s from=%s to=%s", co->lease_id, steps[co->state]->name,
              steps[next]->name);
    co->state = next;
}

/* May free co. */
static void co_goto(struct checkout *co, enum co_state next)
{
    for (;;) {
        if ((co->op.left || co->ended) && next != CO_DONE && next != CO_ENDED)
            next = CO_REPLY; /* nothing more is done for nobody */
        set_state(co, next);
        if (next == CO_DONE) {
            co_free(co);
            return;
        }
        int err = steps[next]->enter(co);

        if (err == CO_WAIT)
            return;
        next = steps[next]->resume(co, err);
    }
}

void co_resume(struct checkout *co)
{
    co_goto(co, steps[co->state]->resume(co, 0));
}

void co_on_call(struct vault_call *call)
{
    struct checkout *co = CONTAINER_OF(call, struct checkout, call);

    co->begun = true;
    co_resume(co);
}

void co_call(struct checkout *co, const char *user)
{
    op_vault_call(&co->op, &co->call, user, co_on_call);
    co->call.begun = co->begun;
}

void co_call_in_time(struct checkout *co, const char *user)
{
    co_call(co, user);
    co->call.wait_ms = co->call.timeout_ms - co->call.timeout_ms / 4;
}

void co_call_awaited(struct checkout *co, const char *user)
{
    co_call_in_time(co, user);
    co->call.timeout_ms = co->call.wait_ms + co->vault->conf->call_timeout_ms;
}

bool co_admitted(struct checkout *co)
{
    return co->begun ||
           vault_admit(co->vault, usermap_user(&co->users), op_time_left(&co->op), &co->fault) == 0;
}

bool co_drop_call(struct checkout *co)
{
    co->vault->ops->cancel(co->vault, &co->call);
    return true;
}

/* ---- faults ---- */

enum co_state co_fail(struct checkout *co, enum fault_code code, const char *fmt, ...)
{
    char detail[FAULT_DETAIL_SIZE];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(detail, sizeof detail, fmt, ap);
    va_end(ap);
    fault_set(&co->fault, code, "%s", detail);
    return CO_REPLY;
}

enum co_state co_fail_start(struct checkout *co, int err)
{
    if (err == -EAGAIN && fault_is_set(&co->call.fault))
        return co_fail_with(co, &co->call.fault);
    if (err == -EAGAIN)
        return co_fail(co, FAULT_OVERLOADED,
                       "too many vault calls are waiting; raise max_calls or try again");
    if (err == -ESHUTDOWN)
        return co_fail(co, FAULT_DRAINING, "the gateway is stopping");
    return co_fail(co, FAULT_INTERNAL, "out of memory");
}

enum co_state co_fail_with(struct checkout *co, const struct fault *fault)
{
    co->fault = *fault;
    if (!fault_is_set(fault))
        fault_set(&co->fault, FAULT_VAULT_ERROR, "the vault's answer makes no sense");
    return CO_REPLY;
}

enum co_state co_next_user(struct checkout *co, const struct fault *fault)
{
    const char *words = fault->detail;
    char tried[FAULT_DETAIL_SIZE];

    account_list_unref(co->hold);
    co->hold = NULL;
    co->account = NULL;
    if (usermap_next(&co->users))
        return CO_ACCOUNT;
    usermap_explain(&co->users, co->session, tried, sizeof tried);
    if (*co->users.ended || !*words)
        fault_set(&co->fault, FAULT_VAULT_REFUSED_USER, "%s", tried);
    else
        fault_set(&co->fault, FAULT_VAULT_REFUSED_USER, "%.*s: %.*s", FAULT_DETAIL_SIZE / 2 - 1, tried,
                  FAULT_DETAIL_SIZE / 2 - 4, words);
    co->fault.vault_status = fault->vault_status;
    co->fault.vault_code = fault->vault_code;
    co->fault.second_factor = fault->second_factor;
    return CO_REPLY;
}

/* ---- begin: nothing happens on the caller's stack ---- */

static void on_begin(struct deadline *d)
{
    co_resume(CONTAINER_OF(d, struct checkout, session_queue));
}

static int begin_enter(struct checkout *co)
{
    return timer_start(co->op.broker->timers, &co->session_queue, 0, on_begin);
}

static enum co_state begin_resume(struct checkout *co, int err)
{
    if (err < 0)
        return co_fail_start(co, err);
    if (co->op.broker->draining)
        return co_fail_start(co, -ESHUTDOWN);
    if (!audit_permits(co->op.broker->audit)) {
        audit_fault(&co->fault);
        return CO_REPLY;
    }
    if (!credential_id_parse(co->credential_id, &co->ref) ||
        !(co->vault = broker_vault(co->op.broker, co->ref.vault)))
        return co_fail(co, FAULT_CREDENTIAL_NOT_FOUND,
                       "credential_id is not one that credentials/find gave out");
    err = usermap_expand(co->vault->conf, co->session, &co->users);
    if (err)
        return co_fail_start(co, err);
    return CO_SESSION_QUEUE;
}

static bool begin_drop(struct checkout *co)
{
    timer_stop(co->op.broker->timers, &co->session_queue);
    return true;
}

static const struct co_step co_begin_step = {"begin", begin_enter, begin_resume, begin_drop};

/* ---- reply: the one place where a check-out ends ---- */

static void answer_fault(struct checkout *co, const struct fault *fault)
{
    co->done(co->arg, &(struct checkout_answer){.fault = fault, .credential_id = co->credential_id});
}

static void answer_secret(struct checkout *co, const struct lease *lease, const char *username)
{
    bool key = co->ssh_key;
    const char *domain = co->account->domain;

    co->done(co->arg, &(struct checkout_answer){
                          .credential_id = co->credential_id,
                          .ssh_key = key,
                          .username = username,
                          .account = co->account->account,
                          .domain = domain && *domain ? domain : NULL,
                          .password = key ? NULL : &co->secret,
                          .private_key = key ? &co->secret : NULL,
                          .passphrase = key && co->passphrase.len ? &co->passphrase : NULL,
                          .lease_id = lease->id,
                          .request_id = lease->request->request_id,
                          .expires_wall_ms = lease->request->expires_wall_ms,
                          .adopted = lease->request->origin == ORIGIN_FOREIGN,
                      });
}

/* Our hold becomes the session's lease, or goes into the one it has. NULL = that one has ended meanwhile. */
static struct lease *hand_lease(struct checkout *co)
{
    struct lease *lease = co->lease;

    if (lease) {
        lease_open(lease);
    } else {
        lease = lease_find(co->op.broker->leases, co->session, co->credential_id);
        if (!lease || lease->request != co->request)
            return NULL;
        co->request->node.spare--;
    }
    co->lease = NULL;
    co->request = NULL;
    return lease;
}

/* False = co->fault says why not. */
static bool hand_over(struct checkout *co)
{
    char *username = username_typed(co->account, co->vault->conf->username_form);
    struct lease *lease = username ? hand_lease(co) : NULL;

    if (!username)
        (void)co_fail(co, FAULT_INTERNAL, "out of memory");
    else if (!lease)
        (void)co_fail(co, FAULT_VAULT_ERROR, "the session's lease ended meanwhile; check out again");
    if (lease) {
        memcpy(co->lease_id, lease->id, ID_SIZE);
        co->op.broker->checkouts++;
        crash_point("checkout.reply.before");
        answer_secret(co, lease, username);
        crash_point("checkout.reply");
    }
    free(username);
    return lease != NULL;
}

/* Whatever we hold or may have caused goes back. */
static void undo(struct checkout *co)
{
    struct lease *lease = co->intent ? NULL : co->lease; /* with an intent it is the recovery's */

    if (co->request)
        vault_request_drop(co->request, lease);
    else if (lease)
        lease_discard(co->op.broker->leases, lease);
    if (co->intent)
        intent_recover(co->intent);
    co->request = NULL;
    co->lease = NULL;
    co->intent = NULL;
}

static int reply_enter(struct checkout *co)
{
    timer_stop(co->op.broker->timers, &co->op.deadline);
    if (co->ended)
        (void)co_fail(co, FAULT_CREDENTIAL_NOT_FOUND,
                      "the session has ended while its check-out was under way");
    if (!co->op.left && (fault_is_set(&co->fault) || !hand_over(co)))
        answer_fault(co, &co->fault);
    secret_clear(&co->secret);
    secret_clear(&co->passphrase);
    undo(co);
    return CO_NOW;
}

static enum co_state reply_resume(struct checkout *co, int err)
{
    const char *outcome = fault_is_set(&co->fault) ? fault_row(co->fault.code)->code
                          : co->op.left            ? "left"
                                                   : "ok";

    (void)err;
    co_audit_end(co);
    log_info("checkout", "outcome=%s ms=%llu user=%s domain=%s session=%s credential=%s lease=%s", outcome,
             (unsigned long long)(clock_now(co->op.broker->clock) - co->started_ms), co->session->username,
             co->session->domain, co->session->id, co->credential_id, co->lease_id);
    return CO_DONE;
}

static const struct co_step co_reply_step = {"reply", reply_enter, reply_resume, NULL};
static const struct co_step co_done_step = {"done", NULL, NULL, NULL};

/* ---- ended: by its session; the caller is told in the next turn ---- */

static void on_ended(struct deadline *d)
{
    co_resume(CONTAINER_OF(d, struct checkout, session_queue));
}

static int ended_enter(struct checkout *co)
{
    return timer_start(co->op.broker->timers, &co->session_queue, 0, on_ended);
}

static enum co_state ended_resume(struct checkout *co, int err)
{
    (void)co;
    (void)err;
    return CO_REPLY;
}

static const struct co_step co_ended_step = {"ended", ended_enter, ended_resume, begin_drop};

/* False = let it land, then undo. */
static bool give_up(struct checkout *co)
{
    const struct co_step *step = steps[co->state];

    return step->drop && step->drop(co);
}

static void co_end(struct checkout *co)
{
    if (co->ended || co->state >= CO_ENDED)
        return;
    co->ended = true;
    if (!give_up(co))
        return;
    undo(co);
    co_goto(co, CO_ENDED);
}

static struct checkout *find_of(struct broker *b, const struct session_leases *who, const char *credential_id)
{
    struct checkout *co = session_queue_first(b, who);

    for (; co; co = TAILQ_NEXT(co, of_queue))
        if (!co->ended && co->state < CO_ENDED &&
            (!credential_id || strcmp(co->credential_id, credential_id) == 0))
            return co;
    return NULL;
}

/* Ending one may end others, so the list is walked anew for each. */
void checkouts_end(struct broker *b, const struct session_leases *who, const char *credential_id)
{
    struct checkout *co;

    while ((co = find_of(b, who, credential_id)))
        co_end(co);
}

bool checkouts_end_lease(struct broker *b, const struct lease *lease)
{
    struct checkout *co = session_queue_first(b, lease->session_leases);

    while (co && co->lease != lease)
        co = TAILQ_NEXT(co, of_queue);
    if (co)
        co_end(co);
    return co != NULL;
}

/* ---- the client's side ---- */

static void co_leave(struct op *op)
{
    struct checkout *co = (struct checkout *)op;

    if (give_up(co))
        co_goto(co, CO_REPLY);
}

static void co_expired(struct op *op)
{
    struct checkout *co = (struct checkout *)op;

    (void)co_fail(
        co, FAULT_DEADLINE_EXCEEDED,
        "no answer in time; the check-out got as far as `%s` and is undone: see the vault's latency in "
        "/metrics, and request_timeout",
        steps[co->state]->name);
    answer_fault(co, &co->fault);
    broker_leave(op);
}

static void co_destroy(struct op *op)
{
    struct checkout *co = (struct checkout *)op;

    if (co->vault) {
        co->vault->ops->cancel(co->vault, &co->call);
        account_lists_leave(co->op.broker->lists, &co->wait);
    }
    intent_close(co->intent);
    co_free(co); /* the lease is in the table, which goes next */
}

static const struct op_class checkout_class = {"checkout", co_leave, co_expired, co_destroy};

static char *place_text(const char **at, char *to, const char *from)
{
    if (!from)
        return to;
    size_t n = strlen(from) + 1;

    memcpy(to, from, n);
    *at = to;
    return to + n;
}

static size_t text_size(const char *text)
{
    return text ? strlen(text) + 1 : 0;
}

static struct checkout *co_new(const struct checkout_args *args)
{
    size_t string_pool =
        text_size(args->credential_id) + text_size(args->reason) + text_size(args->ticket_number);
    struct checkout *co = calloc(1, sizeof *co + string_pool);

    if (!co)
        return NULL;
    char *to = place_text(&co->credential_id, (char *)(co + 1), args->credential_id);

    to = place_text(&co->reason, to, args->reason);
    (void)place_text(&co->ticket_number, to, args->ticket_number);
    co->duration_minutes = args->duration_minutes;
    co->ticket_system_id = args->ticket_system_id;
    co->prefer_ssh_key = args->prefer_ssh_key;
    co->session = session_copy(&args->session);
    if (!co->session || id_new(co->lease_id)) {
        free(co->session);
        free(co);
        return NULL;
    }
    return co;
}

struct op *broker_checkout(struct broker *b, const struct checkout_args *args, checkout_done *done, void *arg)
{
    struct checkout *co = co_new(args);

    if (!co)
        return NULL;
    co->done = done;
    co->arg = arg;
    co->started_ms = clock_now(b->clock);
    if (op_begin(&co->op, &checkout_class, b, args->timeout_ms)) {
        free(co->session);
        free(co);
        return NULL;
    }
    if (session_queue_join(co) || begin_enter(co)) {
        co_free(co);
        return NULL;
    }
    return &co->op;
}
