/* SPDX-License-Identifier: Apache-2.0 */
/*
 * checkout.c - one check-out, from the credential that is asked for to a lease.
 *
 *   begin -> session_queue -> account -> policy -> intent -> request -> password | key -> passphrase -> keep
 *         -> audit -> reply
 *
 *   account -> password | key    the session has a lease already: its secret is read again; or a request of
 *                                the person waits for its approver: its secret is asked for
 *   password | key -> pend       the vault wants an approval, and the request is kept for that
 *   request -> lookup            the vault's reuse named a request that the table does not hold
 *   request -> await             it named one whose check-in is under way; then intent again
 *   intent -> isa -> seek        direct access, in place of request
 *   policy -> turn -> intent     where the request's key comes again (turn.c)
 *
 * Where the store is shared by several gateways (elsewhere.c, confirm.c):
 *
 *   intent -> password | key     the session has a lease at another gateway: its secret is read
 *   request -> search            the vault's reuse named a request of which the store may know the owner
 *   lookup -> opening            the lease is open before the secret is read
 *   any -> pause -> intent       the request is being given back: it is asked for again
 *   audit -> confirm -> reply    the answer goes out only as long as the store's word is fresh
 *
 * Every ending passes `reply`, good or bad, client present or not: there the vault request becomes a lease or
 * is dropped, and one of unknown outcome begins its recovery. A client that left or ran out of time has
 * its wait dropped where that is harmless; a request that may be sent is awaited and then undone. The
 * check-in is the vault request's work (leases/checkin.c), so the check-out ends at once.
 *
 * Invariants: done is called at most once, and never with op.left set; `request` and `asked`, where they are
 * not NULL, count the check-out among their holders, once where they are one.
 *
 * Races, and where they are settled:
 *  - two check-outs of one user and account get one request id: both hold the vault request, the undo of one
 *    leaves it;
 *  - the same session asks twice at once: session_queue.c;
 *  - the request id is one that is being given back: `await`, then the vault is asked again;
 *  - the vault carries out a check-in before the secret is read: it says "gone", and the request is asked
 *    for again, once;
 *  - a lost sending may have made what the check-out asked for, and another one's is handed over: the
 *    check-out goes on with that under a new lease id, and the first is recovered;
 *  - the answer of another check-out of this gateway is still on its way: in `lookup` the mark proves that
 *    the gateway made the request.
 *
 * Two writes of the journal are waited for: `intent` before the vault is asked, and in `keep` the row with
 * the request id, which was handed to the store as soon as the id was known and is written while the secret
 * is read. If either fails the check-out ends with store_unavailable and is undone.
 *
 * A session that ends while its check-out is in flight ends that too (checkouts_end): it is undone at once,
 * its caller is answered in the next iteration, and nothing outlives the session.
 *
 * Not here: moving from state to state (driver.c); what each state does (session_queue.c, account_policy.c,
 * persist.c, request_access.c, direct_access.c, read_secret.c, audit_step.c).
 */
#include "broker/checkout/checkout.h"

#include "base/container_of.h"
#include "base/crash_point.h"
#include "base/log.h"
#include "base/text.h"
#include "broker/identity/login_name.h"
#include "broker/release_work.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define COVERED_MS 20

static const struct op_class checkout_class;
static const struct co_step co_begin_step, co_ended_step, co_reply_step, co_done_step;

static const struct co_step *const states[CO_NSTATES] = {
    [CO_BEGIN] = &co_begin_step,     [CO_SESSION_QUEUE] = &co_session_queue_step,
    [CO_ACCOUNT] = &co_account_step, [CO_POLICY] = &co_policy_step,
    [CO_TURN] = &co_turn_step,       [CO_INTENT] = &co_intent_step,
    [CO_REQUEST] = &co_request_step, [CO_AWAIT] = &co_await_step,
    [CO_PAUSE] = &co_pause_step,     [CO_SEARCH] = &co_search_step,
    [CO_OPENING] = &co_opening_step, [CO_CONFIRM] = &co_confirm_step,
    [CO_KEEP] = &co_keep_step,       [CO_PEND] = &co_pend_step,
    [CO_AUDIT] = &co_audit_step,     [CO_ENDED] = &co_ended_step,
    [CO_LOOKUP] = &co_lookup_step,   [CO_PASSWORD] = &co_password_step,
    [CO_ISA] = &co_isa_step,         [CO_SEEK] = &co_seek_step,
    [CO_KEY] = &co_key_step,         [CO_PASSPHRASE] = &co_passphrase_step,
    [CO_REPLY] = &co_reply_step,     [CO_DONE] = &co_done_step,
    [CO_COUNT] = &co_count_step,
};

static size_t text_size(const char *text)
{
    return text ? strlen(text) + 1 : 0;
}

static void co_free(struct checkout *co)
{
    session_queue_leave(co);
    lsid_checkout_leave(co->op.broker->leases, &co->by_lsid);
    timer_stop(co->op.broker->timers, &co->defer);
    vault_request_unwatch(&co->watch);
    key_wait_leave(&co->key_wait);
    journal_unwait(&co->written);
    audit_unwait(co->op.broker->audit, &co->recorded);
    vault_call_free(&co->call);
    co_shared_free(co);
    account_list_unref(co->hold);
    entitled_session_free(co->entitled);
    usermap_free(&co->users);
    secret_clear(&co->secret);
    secret_clear(&co->passphrase);
    free(co->reason_sent);
    free(co->handle);
    free(co->session);
    op_end(&co->op);
    free(co);
}

/* ---- begin: nothing happens on the caller's stack ---- */

/* What its session has released before ends before. */
static bool is_covered(const struct checkout *co)
{
    return co->shared && release_works_cover(co->op.broker, co->session, co->credential_id);
}

static int begin_enter(struct checkout *co)
{
    return co_defer_for(co, is_covered(co) ? COVERED_MS : 0);
}

static enum co_state begin_resume(struct checkout *co, int err)
{
    struct credential_ref ref;

    if (err < 0)
        return co_fail_start(co, err);
    if (co->op.broker->draining)
        return co_fail_start(co, -ESHUTDOWN);
    if (is_covered(co))
        return CO_BEGIN;
    if (!audit_permits(co->op.broker->audit)) {
        audit_fault(&co->fault);
        return CO_REPLY;
    }
    if (!leases_joined(co->op.broker->leases))
        return co_store_failed(co, -EIO);
    co->vault = broker_vault_of_credential(co->op.broker, co->credential_id, &ref);
    if (!co->vault)
        return co_fail(co, FAULT_CREDENTIAL_NOT_FOUND,
                       "credential_id is not one that credentials/find gave out");
    (void)text_copy(co->account_key, text_size(co->credential_id), ref.account_key); /* the id is longer */
    if (co->vault->can.secret_with_checkout) /* the one secret that there is */
        co->preferred = CREDENTIAL_PASSWORD;
    err = usermap_at(co->vault, co->session, &co->users);
    if (err)
        return co_fail_start(co, err);
    return CO_SESSION_QUEUE;
}

static bool begin_drop(struct checkout *co)
{
    timer_stop(co->op.broker->timers, &co->defer);
    return true;
}

static const struct co_step co_begin_step = {"begin", begin_enter, begin_resume, begin_drop};

/* ---- reply: the one place where a check-out ends ---- */

static void answer_fault(struct checkout *co, const struct fault *fault)
{
    co->done(co->arg, &(struct checkout_answer){.fault = fault, .credential_id = co->credential_id});
}

static void answer_secret(struct checkout *co, const struct vault_request *request, const char *username,
                          int64_t expires_wall_ms)
{
    bool key = co->type == CREDENTIAL_SSH_KEY;
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
                          .lease_id = co->lease_id,
                          .request_id = request_key_number(vault_request_name(request)),
                          .request_key = vault_request_name(request),
                          .expires_wall_ms = expires_wall_ms,
                          .adopted = request->origin == ORIGIN_FOREIGN,
                      });
}

/* In a shared store what is read through a lease of the session, or is another gateway's, is held until it
 * has been answered. */
static bool hand_shared(struct checkout *co)
{
    const struct vault_request *request = co->request;
    const struct lease *own = lease_find(co->op.broker->leases, co->session, co->credential_id);

    if (!co_is_confirmed(co) || request->returned ||
        (request->state != VR_HELD && request->state != VR_ELSEWHERE))
        return false;
    if (!co->lease && (request->state == VR_ELSEWHERE ? !co->shared->lease : !own || own->request != request))
        return false; /* the lease through which it reads has ended */
    if (co->lease && request->state == VR_HELD) {
        lease_open(co->lease);
        co->request = NULL;
    } else if (co->lease) {
        lsid_index_note_joined(co->lease);
        lease_forget(co->lease);
    } else if (request->state == VR_HELD) {
        memcpy(co->lease_id, own->id, ID_SIZE);
    }
    co->lease = NULL;
    co->shared->repeat = REPEAT_NONE; /* it answers */
    return true;
}

/*
 * The hold becomes the session's lease, or joins the one it has. False = that one has ended meanwhile. Where
 * it has ended by the site's report, the hold lasts until the answer has been given.
 */
static bool hand_lease(struct checkout *co)
{
    struct lease *lease = co->lease;

    if (co->shared)
        return hand_shared(co);
    if (lease) {
        lease_open(lease);
    } else {
        lease = lease_find(co->op.broker->leases, co->session, co->credential_id);
        if (lease && lease->request == co->request)
            lease_join(lease);
        else if (*co->ended_lease_id)
            lease = NULL;
        else
            return false;
    }
    memcpy(co->lease_id, lease ? lease->id : co->ended_lease_id, ID_SIZE);
    co->lease = NULL;
    if (lease)
        co->request = NULL;
    return true;
}

/* False = co->fault says why not. */
static bool hand_over(struct checkout *co)
{
    char *username = login_name_make(co->account, co->vault->conf->username_form);
    const struct vault_request *request = co->request;
    int64_t expires_wall_ms = co_expires_wall(co);
    bool handed = username && hand_lease(co);

    if (!username)
        (void)co_fail(co, FAULT_INTERNAL, "out of memory");
    else if (!handed && co->shared && !co_is_confirmed(co))
        (void)co_store_failed(co, -EIO);
    else if (!handed)
        (void)co_fail_ended(co);
    if (handed) {
        co->op.broker->checkouts++;
        crash_point("checkout.reply.before");
        answer_secret(co, request, username, expires_wall_ms);
        crash_point("checkout.reply");
        co_landed(co);
    }
    free(username);
    return handed;
}

static int reply_enter(struct checkout *co)
{
    timer_stop(co->op.broker->timers, &co->op.deadline);
    if (co->session_ended)
        (void)co_fail(co, FAULT_CREDENTIAL_NOT_FOUND,
                      "the session has ended while its check-out was under way");
    if (!co->op.left && (fault_is_set(&co->fault) || !hand_over(co)))
        answer_fault(co, &co->fault);
    secret_clear(&co->secret);
    secret_clear(&co->passphrase);
    co_undo(co);
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
static int done_enter(struct checkout *co)
{
    co_free(co);
    return CO_WAIT;
}

static const struct co_step co_done_step = {"done", done_enter, NULL, NULL};

/* ---- ended: by its session; the caller is answered in the next iteration ---- */

static enum co_state ended_resume(struct checkout *co, int err)
{
    (void)co;
    (void)err;
    return CO_REPLY;
}

static const struct co_step co_ended_step = {"ended", co_defer, ended_resume, begin_drop};

/* False = its end is awaited, then it is undone. */
static bool drop_wait(struct checkout *co)
{
    const struct co_step *step = states[co->state];

    return step->drop && step->drop(co);
}

static void co_end(struct checkout *co)
{
    if (co->session_ended || co->state >= CO_ENDED)
        return;
    co->session_ended = true;
    if (!drop_wait(co))
        return;
    co_undo(co);
    co_goto(co, CO_ENDED);
}

static struct checkout *find_unended(struct broker *b, const struct session_leases *session,
                                     const char *credential_id)
{
    struct checkout *co = session_queue_first(b, session);

    for (; co; co = TAILQ_NEXT(co, of_queue))
        if (!co->session_ended && co->state < CO_ENDED &&
            (!credential_id || strcmp(co->credential_id, credential_id) == 0))
            return co;
    return NULL;
}

/* Ending one may end others, so the queue is walked from its head for each. */
void checkouts_end(struct broker *b, const struct session_leases *session, const char *credential_id)
{
    struct checkout *co;

    while ((co = find_unended(b, session, credential_id)))
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
    struct checkout *co = CONTAINER_OF(op, struct checkout, op);

    if (drop_wait(co))
        co_goto(co, CO_REPLY);
}

static void co_expired(struct op *op)
{
    struct checkout *co = CONTAINER_OF(op, struct checkout, op);

    if (co->shared && (co->state == CO_BEGIN || co->state == CO_INTENT || co->state == CO_SEARCH ||
                       co->state == CO_OPENING || co->state == CO_KEEP || co->state == CO_CONFIRM ||
                       (co->state == CO_PAUSE && co->call.withheld)))
        (void)co_store_failed(co, -EIO);
    else
        (void)co_fail(
            co, FAULT_DEADLINE_EXCEEDED,
            "no answer in time; the check-out got as far as `%s` and is undone: see the vault's latency in "
            "/metrics, and request_timeout",
            states[co->state]->name);
    answer_fault(co, &co->fault);
    broker_leave(op);
}

static void co_destroy(struct op *op)
{
    struct checkout *co = CONTAINER_OF(op, struct checkout, op);

    if (co->vault) {
        co->vault->ops->cancel(co->vault, &co->call);
        account_lists_leave(co->op.broker->lists, &co->wait);
    }
    co_free(co); /* vault request and lease are in the table, which goes next */
}

static const struct op_class checkout_class = {co_leave, co_expired, co_destroy};

/* One whose request is on its way to the vault is answered now, and recovered when that has ended. */
static void co_void(struct checkout *co)
{
    (void)co_fail(co, FAULT_STORE_UNAVAILABLE,
                  "the gateway was counted as dead by the others and joins again; check out again");
    answer_fault(co, &co->fault);
    broker_leave(&co->op);
}

static struct checkout *find_unanswered(const struct broker *b)
{
    struct op *op;

    TAILQ_FOREACH(op, &b->ops, link)
    if (op->class == &checkout_class && !op->left)
        return CONTAINER_OF(op, struct checkout, op);
    return NULL;
}

void checkouts_void(struct broker *b)
{
    struct checkout *co;

    while ((co = find_unanswered(b)))
        co_void(co);
}

static char *copy_text(const char **at, char *to, const char *from)
{
    if (!from)
        return to;
    size_t n = strlen(from) + 1;

    memcpy(to, from, n);
    *at = to;
    return to + n;
}

static struct checkout *co_new(const struct leases *ls, const struct checkout_args *args)
{
    size_t id = text_size(args->credential_id);
    struct checkout *co =
        calloc(1, sizeof *co + 2 * id + text_size(args->reason) + text_size(args->ticket_number));

    if (!co)
        return NULL;
    char *to = copy_text(&co->credential_id, (char *)(co + 1), args->credential_id);

    to = copy_text(&co->reason, to, args->reason);
    co->account_key = copy_text(&co->ticket_number, to, args->ticket_number);
    co->duration_minutes = args->duration_minutes;
    co->ticket_system_id = args->ticket_system_id;
    co->preferred = args->prefer_ssh_key ? CREDENTIAL_SSH_KEY : CREDENTIAL_PASSWORD;
    co->session = session_copy(&args->by.session);
    co->steps = states;
    if (!co->session || lease_id_new(ls, co->lease_id) || co_shared_new(co, leases_shared(ls))) {
        free(co->session);
        free(co);
        return NULL;
    }
    return co;
}

struct op *broker_checkout(struct broker *b, const struct checkout_args *args, checkout_done *done, void *arg)
{
    struct checkout *co = co_new(b->leases, args);

    if (!co)
        return NULL;
    co->done = done;
    co->arg = arg;
    co->started_ms = clock_now(b->clock);
    co_note_begin(co);
    if (op_begin(&co->op, &checkout_class, b, args->by.timeout_ms)) {
        co_shared_free(co);
        free(co->session);
        free(co);
        return NULL;
    }
    co->lsid_named = co->session->lsid != NULL;
    co->by_lsid.created_wall_ms = clock_wall(b->clock);
    if (session_queue_join(co) || co_set_lsid(co, session_lsid(&args->by.session)) || co_defer(co)) {
        co_free(co);
        return NULL;
    }
    return &co->op;
}
