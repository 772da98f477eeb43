/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spin.c - the states `spin_due`, `spin_queued` and `spinning`; see spin.h.
 *
 * Spins are in the queue of the vault's check-ins, behind those for which a caller waits.
 */
#include "broker/leases/spin.h"

#include "base/container_of.h"
#include "base/crash_point.h"
#include "base/log.h"
#include "broker/leases/clock_skew.h"
#include "broker/leases/internal.h"

#include <errno.h>
#include <stdlib.h>

#define LATER_MS   1000 /* the store cannot write, or no memory */
#define LONGEST_MS (24 * 3600000LL)

/* ---- its end ---- */

/* A lost answer may still have its effect: then the key is taken by no one before that is over. */
static enum vr_state end(struct vault_request *r)
{
    r->spin = SPIN_UNUSED;
    r->work->spins = 0;
    if (keyed_checkin_may_arrive(r)) {
        row_return(r, NULL);
        return VR_QUIET;
    }
    row_close(r, NULL);
    return VR_ENDED;
}

/* ---- due ---- */

static void on_noted(struct journal_wait *wait, int err)
{
    (void)wait;
    (void)err; /* the journal keeps it */
}

/*
 * The check-in is confirmed: those that wait for that wait no longer. While the gateway stops, and while its
 * vault is not configured, the row alone waits. The row is not delayed: a process that ended before it would
 * check in once more, and be answered that there is nothing to spin.
 */
static int due_enter(struct vault_request *r)
{
    struct watch_list watches;

    (void)journal_await_all(r->vault_ref->leases->journal, &r->work->row_written, on_noted);
    if (!r->vault_ref->absent && !r->vault_ref->leases->draining)
        vault_request_defer(r, r->work->delay_ms);
    vault_request_move_watches(r, &watches);
    watch_list_notify(&watches, true);
    return 0;
}

static enum vr_state due_resume(struct vault_request *r, int err)
{
    (void)err;
    if (r->vault_ref->leases->draining)
        return VR_SPIN_DUE;
    if (spin_first_delay(r) >= 0)
        return VR_SPIN_QUEUED;
    spin_give_up(r, END_CHECKED_IN);
    return end(r);
}

static void due_drop(struct vault_request *r)
{
    vault_request_stop_deadline(r);
    journal_unwait(&r->work->row_written);
}

const struct vr_step vr_spin_due_step = {"spin_due", "spinning", REQUEST_SPINNING,
                                         due_enter,  due_resume, due_drop};

/* ---- queued ---- */

static bool start_spin(struct checkin_queue_item *item)
{
    struct request_work *w = CONTAINER_OF(item, struct request_work, queued);
    bool on_its_way = false;

    w->on_its_way = &on_its_way;
    vault_request_goto(w->request, VR_SPINNING);
    return on_its_way;
}

static int join_queue(struct vault_request *r)
{
    r->work->queued.start = start_spin;
    return checkin_queue_join(&r->vault_ref->checkins, &r->work->queued, r->user, false);
}

/* A store that has an older row, since memory was short for the step before, refuses this one (-ESTALE): the
 * spin goes on, and a restart would check in once more. */
static void on_row_written(struct journal_wait *wait, int err)
{
    struct vault_request *r = CONTAINER_OF(wait, struct request_work, row_written)->request;

    if ((err && err != -ESTALE) || join_queue(r))
        vault_request_resume(r);
}

static int queued_enter(struct vault_request *r)
{
    if (r->spin != SPIN_SENT) {
        r->spin = SPIN_SENT;
        row_spin(r);
    }
    int waits = journal_await_all(r->vault_ref->leases->journal, &r->work->row_written, on_row_written);

    return waits < 0 ? waits : waits ? 0 : join_queue(r);
}

/* It could not be queued. Its row may not have been written, and is put again. */
static enum vr_state queued_resume(struct vault_request *r, int err)
{
    (void)err;
    r->spin = SPIN_DUE;
    r->work->delay_ms = LATER_MS;
    return VR_SPIN_DUE;
}

static void queued_drop(struct vault_request *r)
{
    journal_unwait(&r->work->row_written);
    checkin_queue_leave(&r->vault_ref->checkins, &r->work->queued);
}

const struct vr_step vr_spin_queued_step = {"spin_queued", "spinning",    REQUEST_SPINNING,
                                            queued_enter,  queued_resume, queued_drop};

/* ---- spinning ---- */

struct spin_call {
    struct vault_call call;
    struct vault_request *request;
};

static void free_call(struct request_work *w)
{
    vault_call_free(w->call);
    free(CONTAINER_OF(w->call, struct spin_call, call));
    w->call = NULL;
}

static void on_spun(struct vault_call *call)
{
    struct vault_request *r = CONTAINER_OF(call, struct spin_call, call)->request;
    struct checkin_queue *queue = &r->vault_ref->checkins;

    crash_point("spin.answered");
    vault_request_resume(r);
    checkin_queue_done(queue);
}

static int spinning_enter(struct vault_request *r)
{
    struct vault *vault = vault_request_vault(r);
    struct spin_call *sc = keyed_is_of_other_identity(r) ? NULL : malloc(sizeof *sc);

    if (!sc)
        return keyed_is_of_other_identity(r) ? -EPERM : -ENOMEM;
    *sc = (struct spin_call){.request = r,
                             .call = {.user = r->user,
                                      .timeout_ms = vault->conf->call_timeout_ms,
                                      .background = true,
                                      .admitted = true,
                                      .done = on_spun}};
    crash_point("spin.before");
    struct request_ref ref = vault_request_ref(r);
    int err = vault->ops->after_checkin(vault, &ref, &sc->call);

    if (err) {
        free(sc);
        return err;
    }
    crash_point("spin.sent");
    r->work->call = &sc->call;
    *r->work->on_its_way = true;
    return 0;
}

/* True = it is repeated. */
static bool count_failure(struct vault_request *r, const char *error)
{
    r->work->spins++;
    r->work->last_error = error;
    log_warn("spin_failed", "user=%s lease=%s attempts=%u error=%s", r->user, r->asker->id, r->work->spins,
             error);
    if (r->work->spins <= SPIN_REPEATS)
        return true;
    spin_report(r, SPIN_FAILED, error);
    return false;
}

static enum vr_state failed(struct vault_request *r, const char *error)
{
    if (!count_failure(r, error))
        return end(r);
    spin_put_row(r, spin_next_delay(r));
    return VR_SPIN_DUE;
}

/* It may take effect: the request is given back once more, and the spin is made after that. */
static void lost(struct vault_request *r, const char *error)
{
    struct request_work *w = r->work;

    r->spin = count_failure(r, error) ? SPIN_DUE : SPIN_UNUSED;
    keyed_doubt_checkin(r);
    w->attempts = 0;
    w->tried = w->is_row_written = w->is_recovered = false;
    w->next_wall_ms = 0;
    row_return(r, NULL);
}

static enum vr_state spinning_resume(struct vault_request *r, int err)
{
    if (err < 0)
        return failed(r, err == -EPERM ? fault_row(FAULT_VAULT_REFUSED_USER)->code : "overloaded");
    const struct vault_call *call = r->work->call;
    const char *error = fault_row(call->fault.code)->code;
    bool is_ok = call->result == VAULT_OK, is_unknown = call->unknown || call->repeated;

    free_call(r->work);
    if (is_unknown && !is_ok) {
        lost(r, error);
        return VR_QUEUED;
    }
    if (!is_ok)
        return failed(r, error);
    if (is_unknown)
        keyed_doubt_checkin(r);
    spin_report(r, SPIN_ACCEPTED, NULL);
    return end(r);
}

/* Only where the gateway stops: what was sent may take effect, and the row says so. */
static void spinning_drop(struct vault_request *r)
{
    if (!r->work->call)
        return;
    vault_request_vault(r)->ops->cancel(vault_request_vault(r), r->work->call);
    free_call(r->work);
    checkin_queue_cancelled(&r->vault_ref->checkins);
}

const struct vr_step vr_spinning_step = {"spinning",     "spinning",      REQUEST_SPINNING,
                                         spinning_enter, spinning_resume, spinning_drop};

/* ---- a check-out comes ---- */

void spin_recall(struct vault_request *r)
{
    struct checkin_queue *queue = &r->vault_ref->checkins;

    if (r->state != VR_SPINNING || !vault_withdraw(vault_request_vault(r), r->work->call))
        return;
    free_call(r->work);
    r->work->delay_ms = 0;
    vault_request_goto(r, VR_SPIN_DUE);
    checkin_queue_done(queue);
}

void spin_take_back(struct vault_request *r)
{
    struct request_work *w = r->work;

    spin_report(r, SPIN_WITHDRAWN, NULL);
    r->spin = SPIN_DUE;
    r->work->spins = 0;
    r->origin = ORIGIN_UNKNOWN;
    r->gone = r->missed = r->expired = r->refused = r->session_ended = false;
    w->began_wall_ms = leases_wall(r->vault_ref->leases, vault_request_vault(r));
    r->was_lost = keyed_checkout_may_arrive(r);
    w->last_holder[0] = '\0';
    w->last_error = NULL;
    w->attempts = 0;
    w->next_wall_ms = 0;
    w->tried = w->hurried = w->is_row_written = w->is_recovered = w->is_dropped = false;
    vault_request_hold(r);
    vault_request_goto(r, VR_ASKED);
}

/* ---- after a start ---- */

void spin_restored(struct vault_request *r, uint64_t delay_ms)
{
    struct request_work *w = r->work;
    int64_t left = w->next_wall_ms - clock_wall(r->vault_ref->leases->clock);
    int64_t longest = r->vault_ref->absent ? LONGEST_MS : spin_first_delay(r);

    if (r->spin == SPIN_SENT) {
        lost(r, "interrupted");
        w->delay_ms = delay_ms;
        vault_request_goto(r, VR_RETRY);
        return;
    }
    longest = longest < SPIN_LONGEST_REPEAT_MS ? SPIN_LONGEST_REPEAT_MS : longest;
    r->spin = SPIN_DUE;
    w->delay_ms = left <= 0 ? delay_ms : (uint64_t)(left < longest ? left : longest);
    if (keyed_checkin_may_arrive(r) && w->delay_ms < keyed_settle_ms(r))
        w->delay_ms = keyed_settle_ms(r);
    vault_request_goto(r, VR_SPIN_DUE);
}
