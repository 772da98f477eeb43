/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keyed.c - the states `settling` and `quiet`, and the end of the last hold; see keyed.h.
 *
 * The row of one that settles is ASKED, or HELD without a lease where it was held before: a restart waits for
 * `settle` again with either. The row of one that is quiet is RETURNING: a restart checks it in once more.
 */
#include "broker/leases/keyed.h"

#include "base/log.h"
#include "broker/leases/internal.h"

#include <string.h>

static void defer_until(struct vault_request *r, uint64_t moment_ms)
{
    uint64_t now = clock_now(r->vault_ref->leases->clock);

    vault_request_defer(r, moment_ms > now ? moment_ms - now : 0);
}

/* ---- holders ---- */

void keyed_take_over(struct vault_request *r)
{
    vault_request_hold(r);
    vault_request_goto(r, VR_ASKED);
}

static void note_last_holder(struct vault_request *r, const struct lease *lease)
{
    struct request_work *w = lease ? request_work_get(r) : NULL;

    if (w)
        memcpy(w->last_holder, lease->id, ID_SIZE);
}

/* Where there is no memory for the doubt of a lost answer it is given back at once. */
void keyed_last_holder_gone(struct vault_request *r, struct lease *lease)
{
    bool settles = (keyed_checkout_may_arrive(r) || r->refused) && !r->vault_ref->leases->closing;

    note_last_holder(r, lease);
    if (!settles) {
        r->origin = ORIGIN_OURS;
        row_return(r, lease);
    } else if (lease) {
        row_leave(r, lease);
    }
    if (lease)
        lease_forget(lease);
    vault_request_note_haste(r);
    vault_request_goto(r, settles ? VR_SETTLING : VR_QUEUED);
}

void keyed_recover(struct vault_request *r)
{
    log_event(LOG_INFO, "recovery_begun", "user=%s lease=%s", r->user, r->asker->id);
    vault_request_goto(r, VR_SETTLING);
}

bool keyed_is_droppable(const struct vault_request *r)
{
    return r->is_keyed && (vault_request_is_returning(r) || r->state == VR_QUIET);
}

bool keyed_drop(struct vault_request *r)
{
    struct request_work *w = request_work_get(r);

    if (r->state == VR_CHECKING_IN && w) {
        w->is_dropped = true;
        return true;
    }
    if (r->state != VR_QUIET)
        vault_request_goto(r, vault_request_over(r, END_DROPPED, NULL));
    return false;
}

/* ---- settling ---- */

static int settling_enter(struct vault_request *r)
{
    if (r->work)
        defer_until(r, r->work->checkout_until_ms);
    else
        vault_request_defer(r, keyed_settle_ms(r));
    return 0;
}

/*
 * The vault has said that another identity has it. A check-in might end what that person has, so none is
 * sent: also where an earlier check-out was lost, and is made after all when the person has given back.
 */
static enum vr_state settle_refused(struct vault_request *r)
{
    log_warn(
        "lost_checkout_left", "user=%s credential=%s lease=%s hint=%s", r->user, r->asker->credential_id,
        r->asker->id,
        "a check-out without an answer, then another identity had it: if the vault shows it as checked out "
        "by the gateway, check it in by hand");
    return vault_request_over(r, END_NEVER, NULL);
}

static enum vr_state settling_resume(struct vault_request *r, int err)
{
    (void)err;
    if (r->refused)
        return settle_refused(r);
    if (r->work && r->origin == ORIGIN_UNKNOWN)
        r->work->is_recovered = true;
    r->origin = ORIGIN_OURS;
    row_return(r, NULL);
    return VR_QUEUED;
}

const struct vr_step vr_settling_step = {"settling",     "intent",        REQUEST_ASKED,
                                         settling_enter, settling_resume, vault_request_stop_deadline};

/* ---- quiet ---- */

/* The check-in is confirmed: those that wait for that wait no longer. */
static int quiet_enter(struct vault_request *r)
{
    struct watch_list watches;

    defer_until(r, r->work->checkin_until_ms);
    vault_request_move_watches(r, &watches);
    watch_list_notify(&watches, true);
    return 0;
}

static enum vr_state quiet_resume(struct vault_request *r, int err)
{
    (void)err;
    row_close(r, NULL);
    return VR_ENDED;
}

const struct vr_step vr_quiet_step = {"quiet",     "releasing",  REQUEST_RETURNING,
                                      quiet_enter, quiet_resume, vault_request_stop_deadline};
