/* SPDX-License-Identifier: Apache-2.0 */
/*
 * checkin.c - the states `queued`, `checking_in` and `retry`: checking a vault request in, however long it
 * takes.
 *
 *   queued --> checking_in --checked in / already gone--> ended
 *     ^            |failed
 *     |            v
 *     +--------- retry (back-off, doubling, with jitter) --past the vault's own expiry--> lapsed
 *
 * The check-in belongs to the vault request alone: neither the session that released nor a check-out that is
 * undone waits for it; both may watch. Once begun it is never cancelled. It goes on until the vault confirms,
 * says that the request is gone, or must have ended it by itself: one vault minute after the end, since both
 * count from slightly different moments, and not before this process has tried once.
 *
 * Where keys are not unique the first attempt waits until the row that says RETURNING is durable.
 *
 * The row of the vault request has the attempts made, the time of the next one and the last error, and is
 * written again after each failure while the store can write; so a restart goes on where this process was.
 *
 * A watch is called once; to be called for the next attempt it watches again. Watches may unlink each other.
 *
 * Not here: which check-in is next (checkin_queue.c).
 */
#include "broker/leases/checkin.h"

#include "base/backoff.h"
#include "base/container_of.h"
#include "base/crash_point.h"
#include "base/log.h"
#include "broker/leases/internal.h"
#include "broker/leases/key_due.h"
#include "broker/leases/lease_audit.h"

#include <errno.h>
#include <stdlib.h>

#define MAX_ATTEMPTS 1000000000U

/* ---- queued ---- */

/* The next one of the queue: false = no call is on its way. The vault request may have ended meanwhile. */
static bool start_checkin(struct checkin_queue_item *item)
{
    struct request_work *w = CONTAINER_OF(item, struct request_work, queued);
    bool on_its_way = false;

    w->on_its_way = &on_its_way;
    vault_request_goto(w->request, VR_CHECKING_IN);
    return on_its_way;
}

/* Once more, or later where it was not written. */
static void on_row_written(struct journal_wait *wait, int err)
{
    struct request_work *w = CONTAINER_OF(wait, struct request_work, row_written);

    w->is_row_written = !err;
    if (err)
        vault_request_resume(w->request);
    else
        vault_request_goto(w->request, VR_QUEUED);
}

/* Where a key comes again, a restart that finds the row HELD would let a repeat check out beside this
 * check-in. 0 = the row says RETURNING, 1 = that is waited for, -EIO = the store cannot write. */
static int await_row(struct vault_request *r)
{
    if (!r->is_keyed || r->work->is_row_written)
        return 0;
    return journal_await_all(r->vault_ref->leases->journal, &r->work->row_written, on_row_written);
}

/* start_checkin() may be called at once. */
static int queued_enter(struct vault_request *r)
{
    struct request_work *w = request_work_get(r);

    if (r->unwritten)
        shared_return(r);
    if (!w || r->unwritten)
        return -ENOMEM;
    if (r->undecided)
        return 0; /* the store decides whether it is this gateway's to check in: shared.c */
    int waits = await_row(r);

    if (waits)
        return waits < 0 ? waits : 0;
    w->is_row_written = true;
    w->queued.start = start_checkin;
    return checkin_queue_join(&r->vault_ref->checkins, &w->queued, r->user, w->hurried);
}

static enum vr_state queued_resume(struct vault_request *r, int err)
{
    (void)err; /* no memory, or the store cannot write: later */
    if (r->work)
        r->work->delay_ms = backoff_ms(1, &r->vault_ref->leases->random);
    return VR_RETRY;
}

static void queued_drop(struct vault_request *r)
{
    if (!r->work)
        return;
    journal_unwait(&r->work->row_written);
    checkin_queue_leave(&r->vault_ref->checkins, &r->work->queued);
}

const struct vr_step vr_queued_step = {"queued",     "releasing",   REQUEST_RETURNING,
                                       queued_enter, queued_resume, queued_drop};

/* ---- checking in ---- */

struct checkin_call {
    struct vault_call call;
    struct vault_request *request;
};

static void free_call(struct request_work *w)
{
    vault_call_free(w->call);
    free(CONTAINER_OF(w->call, struct checkin_call, call));
    w->call = NULL;
}

static void on_checked_in(struct vault_call *call)
{
    struct vault_request *r = CONTAINER_OF(call, struct checkin_call, call)->request;
    struct checkin_queue *queue = &r->vault_ref->checkins;

    crash_point("checkin.answered");
    vault_request_resume(r);
    checkin_queue_done(queue);
}

/* The end of a session that the site reports is not an operation of a client: unless one waits for the
 * outcome, its check-in goes behind the calls of all of them. */
static bool is_background(const struct vault_request *r)
{
    return r->session_ended && !r->work->hurried;
}

static int checking_in_enter(struct vault_request *r)
{
    struct request_work *w = r->work;
    struct vault *vault = vault_request_vault(r);
    struct checkin_call *cc = malloc(sizeof *cc);

    w->attempts += w->attempts < MAX_ATTEMPTS;
    w->tried = true;
    if (!cc)
        return -ENOMEM;
    if (keyed_is_of_other_identity(r)) {
        free(cc);
        return -EPERM;
    }
    *cc = (struct checkin_call){.request = r,
                                .call = {.user = r->user,
                                         .timeout_ms = vault->conf->call_timeout_ms,
                                         .background = true,
                                         .begun = !is_background(r),
                                         .admitted = true,
                                         .done = on_checked_in}};
    crash_point("checkin.before");
    struct request_ref ref = vault_request_ref(r);
    int err = vault->ops->checkin(vault, &ref, "released by jumpgate", &cc->call);

    if (err) {
        free(cc);
        return err;
    }
    crash_point("checkin.sent");
    w->call = &cc->call;
    *w->on_its_way = true;
    return 0;
}

static bool is_past_expiry(const struct vault_request *r)
{
    if (r->is_keyed)
        return keyed_is_past_life(r);
    return vault_request_vault(r)->can.has_end && shared_is_past(r);
}

static enum vr_state attempt_failed(struct vault_request *r, const char *error)
{
    struct request_work *w = r->work;

    w->last_error = error;
    w->hurried = false;
    audit_checkin_failed(r->vault_ref->leases->audit, r, w->attempts, error);
    log_warn("check_in_failed", "user=%s lease=%s attempts=%u error=%s", r->user, r->asker->id, w->attempts,
             error);
    w->delay_ms = backoff_ms(w->attempts, &r->vault_ref->leases->random);
    return VR_RETRY;
}

static enum vr_state checking_in_resume(struct vault_request *r, int err)
{
    if (err < 0)
        return attempt_failed(r, r->vault_ref->absent ? "vault_not_configured"
                                 : err == -EPERM      ? fault_row(FAULT_VAULT_REFUSED_USER)->code
                                                      : "overloaded");
    enum vault_result result = r->work->call->result;
    const char *error = fault_row(r->work->call->fault.code)->code;

    if (r->is_keyed && (r->work->call->unknown || r->work->call->repeated))
        keyed_doubt_checkin(r);
    if (result == VAULT_OK || result == VAULT_GONE)
        keyed_given_back(r);
    else
        keyed_checked_in(r, r->work->call->checkins);
    free_call(r->work);
    if (result != VAULT_OK && result != VAULT_GONE)
        return r->work->is_dropped ? vault_request_over(r, END_DROPPED, NULL) : attempt_failed(r, error);
    return vault_request_over(r, result == VAULT_OK ? END_CHECKED_IN : END_ALREADY_GONE, NULL);
}

/* Only where the gateway stops, or was fenced: what was sent may take effect. */
static void checking_in_drop(struct vault_request *r)
{
    if (!r->work->call)
        return;
    vault_request_vault(r)->ops->cancel(vault_request_vault(r), r->work->call);
    free_call(r->work);
    checkin_queue_cancelled(&r->vault_ref->checkins);
}

const struct vr_step vr_checking_in_step = {"checking_in",     "releasing",        REQUEST_RETURNING,
                                            checking_in_enter, checking_in_resume, checking_in_drop};

/* ---- retry ---- */

/* Those that watch are called when all else is done: they may hurry it. */
static int retry_enter(struct vault_request *r)
{
    struct leases *ls = r->vault_ref->leases;
    struct request_work *w = r->work;
    uint64_t delay_ms = w ? w->delay_ms : backoff_ms(1, &ls->random);
    struct watch_list watches;

    vault_request_defer(r, delay_ms);
    if (!w)
        return 0;
    w->retry_at_ms = clock_now(ls->clock) + delay_ms;
    w->next_wall_ms = clock_wall(ls->clock) + (int64_t)delay_ms;
    if (w->tried && journal_writable(ls->journal))
        row_return(r, NULL);
    vault_request_move_watches(r, &watches);
    watch_list_notify(&watches, false);
    return 0;
}

static enum vr_state retry_resume(struct vault_request *r, int err)
{
    (void)err;
    if (!is_past_expiry(r) || (r->work && !r->work->tried))
        return VR_QUEUED;
    row_return(r, NULL); /* where the store could not write it has another state as yet */
    return vault_request_lapse(r);
}

const struct vr_step vr_retry_step = {"retry",     "releasing",  REQUEST_RETURNING,
                                      retry_enter, retry_resume, vault_request_stop_deadline};

/* ---- from outside ---- */

void vault_request_note_haste(struct vault_request *r)
{
    struct request_work *w = request_work_get(r);

    if (w)
        w->hurried = !r->expired && !r->session_ended;
}

void vault_request_hurry(struct vault_request *r)
{
    struct request_work *w = request_work_get(r);

    if (!w || (r->state != VR_QUEUED && r->state != VR_RETRY))
        return;
    w->hurried = true;
    vault_request_goto(r, VR_QUEUED);
}

const char *vault_request_checkin_error(const struct vault_request *r)
{
    return r->work && r->work->last_error ? r->work->last_error : "out of memory";
}

void vault_request_forget(struct vault_request *r)
{
    vault_request_goto(r, vault_request_over(r, END_LAPSE_SHOWN, NULL));
}
