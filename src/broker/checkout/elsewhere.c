/* SPDX-License-Identifier: Apache-2.0 */
/*
 * elsewhere.c - a check-out among several gateways with one store: the states `pause`, `search` and
 * `opening`.
 *
 *   its STEP_ASK is applied      the session has no lease of the credential: the vault is asked
 *     otherwise, its lease       another gateway has it: its secret is read, and the answer has its id and
 *                                end. It counts before (confirm.c)
 *     otherwise, the request is  the lease is cleared; `pause`
 *     being given back
 *     applied, and one waits     its secret is read: it is opened with the secret, or answered as waiting
 *     for its approver
 *
 *   the vault has made it (201)  STEP_OPEN beside the reading of the secret
 *   the vault had it, and it is  `search`: the store is asked for its row
 *   not in the table
 *     its row is HELD            STEP_OPEN beside the reading of the secret: the lease joins it
 *     PENDING                    its secret is read, as above
 *     either, and its user has   `lookup`: if the vault's list of the user has it, as above. Gateways may
 *     another name               have different names for one user of the vault; and a faulty answer may
 *                                name the request of another one
 *     RETURNING                  `pause`
 *     none                       `lookup`: if the vault's list has the gateway's mark, or it is the person's
 *                                own, STEP_OPEN makes its row, and in `opening` that is awaited before the
 *                                secret is read: a request that has ended meanwhile then answers so
 *
 *   its STEP_OPEN is otherwise   another gateway was quicker, or the request is being given back: what was
 * read is wiped; `pause`; of a session that has ended at another gateway the check-out ends
 *
 * `pause` lasts 50 to 500 ms, and leads to a new STEP_ASK under a lease id of its own.
 *
 * Not here: the records of requests (leases/shared.c), the confirmation (confirm.c).
 */
#include "broker/checkout/checkout.h"

#include "base/container_of.h"
#include "base/person.h"
#include "base/text.h"
#include "broker/leases/clock_skew.h"
#include "broker/leases/request_identity.h"
#include "stores/store_rows.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PAUSE_MIN_MS 50
#define PAUSE_MAX_MS 500

/* ---- the lease that the session has ---- */

void co_begin_asking(struct checkout *co)
{
    struct lease *old = lease_find(co->op.broker->leases, co->session, co->credential_id);

    co->shared->is_known = co->shared->open_first = co->shared->is_claim = false;
    co->shared->maker[0] = '\0';
    co_confirm_end(co);
    if (old)
        lease_close(old, "replaced");
}

static bool is_over(const struct checkout *co, const struct request_row *r)
{
    return leases_wall(co->op.broker->leases, co->vault) >= r->expires_wall_ms;
}

/* A record to read through. NULL = out of memory. */
static struct vault_request *record_of(struct checkout *co)
{
    struct lease_args args = co_lease_args(co);
    char id[ID_SIZE];

    args.id = id;
    return lease_id_new(co->op.broker->leases, id)
               ? NULL
               : shared_elsewhere(co->op.broker->leases, &args, co->vault, co->shared->request);
}

static enum co_state read_elsewhere(struct checkout *co)
{
    struct co_shared *s = co->shared;
    struct vault_request *request = record_of(co);

    if (!request)
        return co_fail_start(co, -ENOMEM);
    co_hold(co, request, true);
    co->at_vault = CO_VAULT_BEGUN;
    (void)text_copy(co->lease_id, sizeof(co->lease_id), s->lease->id);
    s->repeat = s->lease->answers == ANSWERS_MANY ? REPEAT_NONE : REPEAT_DUE;
    if (!*s->request->url || strcmp(s->request->url, vault_request_url(request)) == 0)
        return co_first_fetch(co);
    co_undo(co); /* the section leads to another vault there */
    co_release_elsewhere(co, "replaced");
    return CO_PAUSE;
}

enum co_state co_session_has(struct checkout *co)
{
    struct co_shared *s = co->shared;
    struct leases *ls = co->op.broker->leases;

    if (!s->lease)
        return co_store_failed(co, -EIO);
    if (!s->request || s->request->state == REQUEST_RETURNING || s->request->state == REQUEST_LAPSED) {
        (void)shared_clear_row(ls, s->lease, s->request, NULL); /* without memory the next one tries */
        return CO_PAUSE;
    }
    if (s->request->state != REQUEST_HELD || is_over(co, s->request))
        return CO_PAUSE;
    if (*s->request->name)
        return read_elsewhere(co);
    co_release_elsewhere(co, "replaced"); /* the vault keeps no request through which to read again */
    return CO_PAUSE;
}

/* ---- a request that waits for its approver ---- */

static enum co_state begin_claim(struct checkout *co, struct vault_request *request)
{
    co_hold(co, request, true);
    co->at_vault = CO_VAULT_BEGUN;
    co->shared->is_claim = co->shared->is_known = true;
    return co_first_fetch(co);
}

static enum co_state claim_shown(struct checkout *co)
{
    const struct request_row *row = co->shared->request;
    struct vault_request *request = row->mine ? pending_marked(co->op.broker->leases, row->mark) : NULL;

    if (request)
        vault_request_hold(request);
    else
        request = record_of(co);
    return request ? begin_claim(co, request) : co_fail_start(co, -ENOMEM);
}

/* It waits at the vault that the section leads to here. */
static bool is_claimable(const struct checkout *co, const struct request_row *row)
{
    return row && row->state == REQUEST_PENDING && strcmp(row->vault, co->vault->conf->name) == 0 &&
           strcmp(row->url, vault_request_url(co->asked)) == 0;
}

enum co_state co_ask_vault(struct checkout *co)
{
    if (!co->shared->lease && is_claimable(co, co->shared->request))
        return claim_shown(co);
    return co_is_isa(co) ? CO_ISA : CO_REQUEST;
}

enum co_state co_read_waiting(struct checkout *co, struct vault_request *request)
{
    if (co->at_vault == CO_VAULT_STRAY)
        return co_claim(co, request) ? co_first_fetch(co) : CO_REPLY;
    vault_request_hold(request);
    return begin_claim(co, request);
}

/* ---- pause ---- */

static int pause_enter(struct checkout *co)
{
    uint64_t ms = (uint64_t)PAUSE_MIN_MS << co->shared->pauses;

    co->shared->pauses += ms < PAUSE_MAX_MS;
    return co_defer_for(co, ms < PAUSE_MAX_MS ? ms : PAUSE_MAX_MS);
}

static enum co_state pause_resume(struct checkout *co, int err)
{
    return err < 0 ? co_fail_start(co, err) : co_intend_again(co);
}

static bool pause_drop(struct checkout *co)
{
    timer_stop(co->op.broker->timers, &co->defer);
    return true;
}

const struct co_step co_pause_step = {"pause", pause_enter, pause_resume, pause_drop};

/* ---- search ---- */

/* Of another user or account than what was asked for, as far as the row says. */
static bool is_doubtful(const struct checkout *co, const struct request_row *row)
{
    return !person_same(row->user, usermap_user(&co->users)) ||
           !vault_account_fits((struct vault_account){co->vault, co->account_key}, row->asker.credential);
}

static void on_searched(struct store_question *q, enum store_answer answer)
{
    struct co_shared *s = CONTAINER_OF(q, struct co_shared, question);
    struct checkout *co = s->checkout;
    const struct store_found *f = STAILQ_FIRST(&q->found);

    co_drop_rows(co);
    s->answer = answer;
    s->is_known = f && f->request;
    s->is_doubtful = s->is_known && is_doubtful(co, f->request);
    if (s->is_known)
        s->found_state = f->request->state;
    if (s->is_known && s->found_state == REQUEST_PENDING)
        s->request = request_row_copy(f->request);
    co_resume(co);
}

static int search_enter(struct checkout *co)
{
    struct co_shared *s = co->shared;

    s->question = (struct store_question){.kind = *s->maker ? QUESTION_MARK : QUESTION_REQUEST,
                                          .until_ms = co->op.ends_ms,
                                          .mark = *s->maker ? s->maker : co->lease_id,
                                          .vault = co->vault->conf->name,
                                          .name = co->answered,
                                          .done = on_searched};
    return s->store->ops->ask(s->store, &s->question);
}

/* Its row is made by the gateway that has made the request, as long as that may still open it. */
static enum co_state maker_found(struct checkout *co)
{
    struct co_shared *s = co->shared;
    bool is_in_flight = s->is_known;

    s->maker[0] = '\0';
    s->is_known = false;
    if (!is_in_flight)
        return co_open(co);
    co_drop_request(co);
    return CO_PAUSE;
}

/* The vault has handed over one that waits, which was asked for by another name of the account. */
static enum co_state claim_found(struct checkout *co)
{
    vault_request_clear_name(co->asked);
    co->request = NULL;
    return claim_shown(co);
}

enum co_state co_open_found(struct checkout *co)
{
    struct co_shared *s = co->shared;

    if (s->found_state == REQUEST_HELD) {
        co->request->origin =
            ORIGIN_OURS; /* the store's row says more; nothing is at the vault for this one */
        return co_open(co);
    }
    if (is_claimable(co, s->request) && co->at_vault != CO_VAULT_STRAY)
        return claim_found(co);
    co_drop_request(co);
    return CO_PAUSE;
}

static enum co_state search_resume(struct checkout *co, int err)
{
    struct co_shared *s = co->shared;

    if (err < 0 || s->answer != STORE_OPEN)
        return co_store_failed(co, err < 0 ? err : -EIO);
    if (*s->maker)
        return maker_found(co);
    if (!s->is_known || (s->is_doubtful && s->found_state != REQUEST_RETURNING))
        return CO_LOOKUP;
    return co_open_found(co);
}

static bool search_drop(struct checkout *co)
{
    co->shared->store->ops->forget(co->shared->store, &co->shared->question);
    return true;
}

const struct co_step co_search_step = {"search", search_enter, search_resume, search_drop};

/* ---- open ---- */

/* Its lease and its hold are the step's. What was read may be of a request that has ended. */
static void let_go(struct checkout *co)
{
    co->vault->ops->cancel(co->vault, &co->call);
    secret_clear(&co->secret);
    secret_clear(&co->passphrase);
    co->stage = CO_SECRET_PREFERRED;
    co->lease = NULL;
    co->request = NULL;
}

static void on_opened(struct shared_wait *w, const struct shared_outcome *outcome)
{
    struct co_shared *s = CONTAINER_OF(w, struct co_shared, opened);
    struct checkout *co = s->checkout;

    if (outcome->word == SHARED_APPLIED) {
        co->row_err = 0;
        co->request = co->lease->request;
        s->answer = STORE_OPEN;
        s->confirmed_ms = outcome->step->sent_ms;
        if (co->state == CO_KEEP || co->state == CO_OPENING || co->state == CO_PEND)
            co_resume(co);
        return;
    }
    let_go(co);
    if (outcome->word == SHARED_FENCED)
        co_goto(co, co_store_failed(co, -EIO));
    else if (outcome->step->cancelled)
        co_goto(co, co_fail(co, FAULT_CREDENTIAL_NOT_FOUND,
                            "the session has ended while its check-out was under way"));
    else
        co_goto(co, CO_PAUSE);
}

/* Another check-out of this gateway has named the request, and asks still whether it may open it: there is no
 * row that a lease could join. */
static bool is_unopened(const struct checkout *co)
{
    return co->request != co->asked && co->request->state == VR_ASKED && !co->shared->is_known;
}

enum co_state co_open(struct checkout *co)
{
    struct co_shared *s = co->shared;

    if (is_unopened(co)) {
        co_drop_request(co);
        return CO_PAUSE;
    }
    s->opened.done = on_opened;
    if (!shared_open(co->lease, co->request, s->is_known || co->request != co->asked, &s->opened))
        return co_fail_start(co, -ENOMEM); /* the store has the request as ASKED */
    co->asked = NULL;
    co->row_err = ROW_ON_ITS_WAY;
    return s->open_first ? CO_OPENING : co_next_fetch(co);
}

static int opening_enter(struct checkout *co)
{
    return co->row_err == ROW_ON_ITS_WAY ? CO_WAIT : CO_NOW;
}

static enum co_state opening_resume(struct checkout *co, int err)
{
    (void)err;
    co->shared->open_first = false;
    return co_next_fetch(co);
}

static bool opening_drop(struct checkout *co)
{
    (void)co; /* what is on its way is followed: co_undo() */
    return true;
}

const struct co_step co_opening_step = {"opening", opening_enter, opening_resume, opening_drop};
