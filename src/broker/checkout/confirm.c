/* SPDX-License-Identifier: Apache-2.0 */
/*
 * confirm.c - the state `confirm`: no secret leaves without a fresh word of a store that is shared.
 *
 * Another gateway may have ended the lease, or counted this one as dead. So the store is asked, after the
 * request has come, whether the lease is open, its request held and this gateway in its place. For a lease
 * that the check-out makes its STEP_OPEN says it; for one that the session has a question does, beside the
 * reading of the secret. A lease that another gateway's check-out has made, and may undo, is counted first:
 * then its STEP_REPEAT says it. The word is good for a time that begins when it was sent: if that is over,
 * since the vault or the audit trail was slow, the store is asked again.
 *
 * The state is passed twice where the session has its lease already: before the record of success, and before
 * the answer.
 *
 * Not here: how long the word is good (stores/store.h, is_fresh).
 */
#include "broker/checkout/checkout.h"

#include "base/container_of.h"
#include "base/text.h"

#include <errno.h>
#include <string.h>

#define REST_MS 20

static bool is_fresh(const struct co_shared *s)
{
    return s->confirmed_ms && s->answer == STORE_OPEN && s->store->ops->is_fresh(s->store, s->confirmed_ms);
}

bool co_is_confirmed(const struct checkout *co)
{
    return is_fresh(co->shared);
}

static void on_confirmed(struct store_question *q, enum store_answer answer)
{
    struct co_shared *s = CONTAINER_OF(q, struct co_shared, question);
    struct checkout *co = s->checkout;

    s->is_asked = false;
    s->answer = answer;
    s->row_gone = answer == STORE_OVER && STAILQ_EMPTY(&q->found);
    s->confirmed_ms = q->sent_ms;
    if (answer == STORE_OPEN || answer == STORE_OVER)
        co_note_moment(co, q->moment);
    if (co->state == CO_CONFIRM)
        co_resume(co);
}

/* Of the lease through which it reads: its own, or the one that the session has. */
static const char *lease_id_of(const struct checkout *co)
{
    const struct lease *own = lease_find(co->op.broker->leases, co->session, co->credential_id);

    return co->lease || !own || own->request != co->request ? co->lease_id : own->id;
}

/* The check-out names the lsid that the lease of the other gateway's check-out lacks. Without memory the
 * lease is not found by it. */
static void give_lsid(struct checkout *co)
{
    const struct co_shared *s = co->shared;
    const struct store_found found = {.request = s->request, .lease = s->lease};

    if (s->lease && s->request && *co->by_lsid.lsid && !*s->lease->holder.lsid)
        (void)shared_amend_row(co->op.broker->leases, &found, co->by_lsid.lsid, NULL);
}

static void on_repeated(struct shared_wait *w, const struct shared_outcome *outcome)
{
    struct co_shared *s = CONTAINER_OF(w, struct co_shared, repeated);
    struct checkout *co = s->checkout;

    s->is_asked = false;
    s->repeat = outcome->word == SHARED_APPLIED ? REPEAT_COUNTED : REPEAT_NONE;
    s->answer = outcome->word == SHARED_APPLIED   ? STORE_OPEN
                : outcome->word == SHARED_REFUSED ? STORE_OVER
                                                  : STORE_FENCED;
    s->confirmed_ms = outcome->word == SHARED_APPLIED ? outcome->step->sent_ms : 0;
    if (outcome->word == SHARED_APPLIED)
        give_lsid(co);
    if (co->state == CO_CONFIRM)
        co_resume(co);
}

static int repeat(struct checkout *co)
{
    struct co_shared *s = co->shared;
    const struct store_found found = {.request = s->request, .lease = s->lease};

    s->repeated.done = on_repeated;
    if (!shared_repeat(co->op.broker->leases, &found, &s->repeated))
        return -ENOMEM;
    s->repeat = REPEAT_SENT;
    s->is_asked = true;
    return 0;
}

static int ask(struct checkout *co)
{
    struct co_shared *s = co->shared;

    if (s->repeat == REPEAT_DUE && s->lease && s->request)
        return repeat(co);
    const struct request_row row = row_of_request(co->request, REQUEST_HELD);
    const struct session *who = co->session;

    (void)text_copy(s->lease_id, sizeof(s->lease_id), lease_id_of(co));
    s->question = (struct store_question){.kind = QUESTION_CONFIRM,
                                          .until_ms = co->op.ends_ms,
                                          .who = {.username = who->username,
                                                  .domain = who->domain ? who->domain : "",
                                                  .session = who->id ? who->id : "",
                                                  .lsid = "",
                                                  .credential = co->credential_id,
                                                  .system = "",
                                                  .account = ""},
                                          .lease = s->lease_id,
                                          .mark = row.mark,
                                          .vault = row.vault,
                                          .name = row.name,
                                          .done = on_confirmed};
    int err = s->store->ops->ask(s->store, &s->question);

    s->is_asked = !err;
    return err;
}

void co_confirm_begin(struct checkout *co)
{
    struct co_shared *s = co->shared;

    if (!s->is_asked && !is_fresh(s))
        (void)ask(co); /* `confirm` tries again */
}

static int confirm_enter(struct checkout *co)
{
    struct co_shared *s = co->shared;

    if (s->rests)
        return co_defer_for(co, REST_MS);
    if (is_fresh(s))
        return CO_NOW;
    if (s->is_asked)
        return CO_WAIT;
    int err = ask(co);

    return err ? err : CO_WAIT;
}

/* The session's lease has ended, at another gateway or with its request. */
static enum co_state lease_is_over(struct checkout *co)
{
    struct leases *ls = co->op.broker->leases;
    struct lease *own = co->lease ? NULL : lease_find(ls, co->session, co->credential_id);

    if (own && own->request == co->request) {
        /* Where other hands have deleted its row it holds its request still. */
        if (!co->shared->row_gone || !shared_release_lease(own, "gone", NULL))
            shared_forget_lease(own);
        shared_touched(ls, row_mark(co->request));
    }
    if (co->retry == CO_RETRY_SPENT || co->recorded.done || *co->ended_lease_id)
        return co_fail_ended(co);
    return co_ask_again(co);
}

/* The word has come too late, or the vault or the trail was slow. A store that cannot be written is not asked
 * again: what it confirms is never good. */
static enum co_state confirm_again(struct checkout *co)
{
    if (!journal_writable(leases_journal(co->op.broker->leases)))
        return co_store_failed(co, -EIO);
    co->shared->rests = true;
    return CO_CONFIRM;
}

static enum co_state confirm_resume(struct checkout *co, int err)
{
    struct co_shared *s = co->shared;
    bool has_rested = s->rests;

    s->rests = false;
    if (err < 0)
        return co_store_failed(co, err);
    if (has_rested)
        return CO_CONFIRM;
    if (s->answer == STORE_OVER)
        return lease_is_over(co);
    if (s->answer != STORE_OPEN)
        return co_store_failed(co, -EIO);
    if (!is_fresh(s))
        return confirm_again(co);
    return co->recorded.done ? CO_REPLY : CO_KEEP;
}

static bool confirm_drop(struct checkout *co)
{
    timer_stop(co->op.broker->timers, &co->defer);
    co_confirm_end(co);
    return true;
}

const struct co_step co_confirm_step = {"confirm", confirm_enter, confirm_resume, confirm_drop};
