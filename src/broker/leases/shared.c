/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shared.c - leases of a shared store: opening and ending them, and the records that follow; see shared.h.
 *
 * In each outcome the order is: the operation is told, the record follows. But for an `open` that was
 * refused, of which the check-out must let go before its record may go.
 */
#include "broker/leases/shared.h"

#include "base/log.h"
#include "broker/leases/lease_audit.h"
#include "broker/leases/shared_steps.h"
#include "stores/store_rows.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- the record follows the store ---- */

/* The store has it as RETURNING, or is to have it: checked in when the last check-out has let go. */
static void begin_checkin(struct vault_request *r)
{
    struct request_work *work = request_work_get(r);

    if (work)
        work->hurried = !r->expired && !r->session_ended;
    r->returned = false;
    vault_request_goto(r, VR_QUEUED);
}

static void give_back(struct vault_request *r)
{
    shared_forget_leases(r);
    r->returned = true;
    if (!r->checkouts)
        begin_checkin(r);
}

static bool is_being_returned(const struct vault_request *r)
{
    return r->returned || vault_request_is_returning(r) || vault_request_is_looked_for(r);
}

/* It was another gateway's, and its last lease has ended here. */
static void take_over(struct leases *ls, const struct request_row *now)
{
    struct vault_request *r;

    if (ls->adopt(ls, now, NULL, 0))
        log_error("shared_request", "request=%s error=%s", now->mark, "out of memory");
    r = shared_record(ls, now->mark);
    if (r)
        vault_request_hurry(r);
}

void shared_follow(struct leases *ls, const char *mark, const struct request_row *now)
{
    struct vault_request *r = shared_record(ls, mark);
    bool is_mine = now && now->mine;

    if (is_mine && strcmp(now->mark, mark) != 0)
        r = shared_record(ls, now->mark);
    if (r && r->state != VR_HELD)
        return; /* asked for, or being given back: its own steps decide */
    if (!is_mine) {
        if (r && !r->returned)
            shared_vanish(r);
    } else if (now->state == REQUEST_RETURNING) {
        if (!r)
            take_over(ls, now);
        else if (!is_being_returned(r))
            give_back(r);
    }
}

/* The record that is being given back by this gateway; NULL = none is. */
static struct vault_request *returned_record(const struct leases *ls, const struct store_step *step)
{
    struct vault_request *r =
        step && step->now && step->now->mine ? shared_record(ls, step->now->mark) : NULL;

    return r && is_being_returned(r) ? r : NULL;
}

/* ---- release, end ---- */

static void judge_release(struct shared_step *s, int err)
{
    const struct store_step *step = s->written.step;
    struct leases *ls = s->leases;

    if (err == -ECANCELED) {
        shared_tell(s, err, NULL);
        return;
    }
    shared_follow(ls, step->request.mark, step->now);
    shared_tell(s, err, returned_record(ls, step));
}

void shared_release(struct vault_request *r, const struct lease *lease, struct shared_wait *wait)
{
    const struct store_step step = {
        .kind = STEP_RELEASE, .request = row_of_request(r, REQUEST_RETURNING), .lease = row_of_lease(lease)};
    struct leases *ls = r->vault_ref->leases;

    if (!ls->voiding && !shared_put(ls, &step, judge_release, wait))
        shared_note_lost(&step);
}

bool shared_release_row(struct leases *ls, const struct store_found *found, const char *why,
                        const struct session_end *end, struct shared_wait *wait)
{
    struct lease *own = lease_by_id(ls, found->lease->id);
    struct store_step step = {.kind = STEP_RELEASE, .request = *found->request, .lease = *found->lease};

    step.request.state = REQUEST_RETURNING;
    step.request.attempts = step.request.next_wall_ms = 0;
    if (!shared_put(ls, &step, judge_release, wait))
        return false;
    if (own && own->state == LEASE_OPEN) {
        if (end)
            own->request->session_ended = true;
        audit_lease_end(ls->audit, own, why, end);
        shared_forget_lease(own);
    } else {
        audit_lease_row_end(ls->audit, found, why, end);
    }
    return true;
}

bool shared_release_lease(struct lease *lease, const char *why, struct shared_wait *wait)
{
    struct request_row request = row_of_request(lease->request, REQUEST_HELD);
    struct lease_row row = row_of_lease(lease);
    const struct store_found found = {.request = &request, .lease = &row};

    return shared_release_row(lease->request->vault_ref->leases, &found, why, NULL, wait);
}

/* What ends without a check-in leaves no row, and is not waited for. */
static void end_unreturned(struct vault_request *r)
{
    if (r->checkouts) {
        row_close(r, NULL);
        shared_vanish(r);
        return;
    }
    vault_request_goto(r, vault_request_over(r, END_FORGOTTEN, NULL));
}

static void end_leases(struct vault_request *r, const char *why)
{
    struct leases *ls = r->vault_ref->leases;
    struct lease *lease;

    while ((lease = SLIST_FIRST(&r->leased))) {
        audit_lease_end(ls->audit, lease, why, NULL);
        log_info("lease_ended", "why=%s user=%s session=%s credential=%s lease=%s", why,
                 session_leases_user(lease->session_leases), session_leases_session(lease->session_leases),
                 lease->credential_id, lease->id);
        shared_forget_lease(lease);
    }
}

void shared_end(struct vault_request *r, const char *why)
{
    const struct store_step step = {
        .kind = STEP_END, .request = row_of_request(r, REQUEST_RETURNING), .lease.id = ""};
    struct leases *ls = r->vault_ref->leases;

    end_leases(r, why);
    if (r->returned || r->state != VR_HELD)
        return;
    if (!ls->voiding && !shared_put(ls, &step, judge_release, NULL))
        shared_note_lost(&step);
    /* No holder outlives its end, and the end of one that is gone at the vault takes nothing from a holder.
     */
    if (r->origin == ORIGIN_OURS)
        give_back(r);
    else if (r->origin == ORIGIN_UNKNOWN && !r->gone && !r->checkouts)
        vault_request_recover(r);
    else
        end_unreturned(r);
}

/* ---- holds ---- */

static void end_voided(struct vault_request *r, struct lease *lease)
{
    if (lease)
        lease_forget(lease);
    if (r->checkouts)
        return;
    shared_forget_leases(r);
    vault_request_cancel(r);
}

/* The last check-out of a request that was never opened. */
static void end_asked(struct vault_request *r)
{
    if (r->origin == ORIGIN_UNKNOWN && !r->gone) {
        vault_request_recover(r);
        return;
    }
    if (r->origin != ORIGIN_OURS) {
        vault_request_goto(r, vault_request_over(r, END_FORGOTTEN, NULL));
        return;
    }
    shared_return(r);
    give_back(r);
}

/* A check-out has let go of it. */
static void let_go(struct vault_request *r)
{
    if (r->checkouts)
        return;
    if (r->state == VR_ELSEWHERE)
        vault_request_goto(r, VR_ENDED);
    else if (r->returned)
        begin_checkin(r);
    else if (r->state == VR_ASKED)
        end_asked(r);
}

void shared_unhold(struct vault_request *r, struct lease *lease)
{
    r->checkouts--;
    if (r->vault_ref->leases->voiding) {
        end_voided(r, lease);
        return;
    }
    if (lease) {
        shared_release(r, lease, NULL);
        lease_forget(lease);
    }
    let_go(r);
}

/* ---- open ---- */

/* Nothing is kept for what was asked: its row goes. */
static void withdraw_asked(struct vault_request *r, const struct lease *lease)
{
    struct request_row row = row_of_request(r, REQUEST_ASKED);
    struct leases *ls = r->vault_ref->leases;

    row.mark = lease->id;
    row.name = "";
    row.asker = row_of_lease(lease).holder;
    const struct store_step step = {.kind = STEP_CLOSE, .request = row, .lease.id = ""};

    if (!ls->voiding && journal_put(ls->journal, &step, NULL, NULL) < 0)
        shared_note_lost(&step);
}

/* The lease cannot hold it. What the vault has made for it is given back; what it had is others'. */
static void refuse(struct shared_step *s)
{
    const struct store_step *step = s->written.step;
    struct vault_request *r = s->request;
    struct lease *lease = s->lease;
    struct leases *ls = s->leases;
    bool is_own = r->asker == lease;

    r->checkouts--;
    if (is_own && !s->reused) {
        lease->state = LEASE_ENDED;
        r->origin = ORIGIN_OURS;
        shared_return(r);
        give_back(r);
        return;
    }
    withdraw_asked(r, lease);
    if (is_own) {
        lease->state = LEASE_ENDED;
        shared_vanish(r);
        return;
    }
    lease_forget(lease);
    let_go(r);
    shared_follow(ls, step->request.mark, step->now);
}

/* The row of another gateway's request. */
bool shared_set_elsewhere(struct vault_request *r, const struct request_row *row)
{
    struct request_work *work = request_work_get(r);
    struct leases *ls = r->vault_ref->leases;

    if (!work)
        return false;
    free(work->elsewhere);
    work->elsewhere = request_row_copy(row);
    if (!work->elsewhere)
        return false;
    int64_t left = row->expires_wall_ms - leases_wall(ls, vault_request_vault(r));

    r->origin = (uint8_t)(row->adopted ? ORIGIN_FOREIGN : ORIGIN_OURS);
    r->ends_ms = clock_now(ls->clock) + (uint64_t)(left > 0 ? left : 0);
    r->expires_wall_ms = row->expires_wall_ms;
    r->has_row = false;
    vault_request_goto(r, VR_ELSEWHERE);
    return true;
}

static void judge_open(struct shared_step *s, int err)
{
    const struct store_step *step = s->written.step;

    if (err == 0 && step->now && strcmp(step->now->mark, s->request->asker->id) != 0 &&
        !shared_set_elsewhere(s->request, step->now))
        log_error("shared_request", "request=%s error=%s", step->request.mark, "out of memory");
    shared_tell(s, err, NULL);
    if (err == -ESTALE)
        refuse(s);
    else if (s->is_abandoned || err)
        shared_unhold(s->request, s->lease);
}

bool shared_open(struct lease *lease, struct vault_request *r, bool reused, struct shared_wait *wait)
{
    struct vault_request *own = lease->request != r ? lease->request : NULL;
    struct leases *ls = r->vault_ref->leases;

    lease->request = r;
    struct store_step step = {.kind = STEP_OPEN,
                              .reused = reused,
                              .request = row_of_request(r, REQUEST_HELD),
                              .lease = row_of_lease(lease),
                              .instead = own ? own->asker->id : ""};
    struct shared_step *s = shared_put(ls, &step, judge_open, wait);

    if (!s) {
        lease->request = own ? own : r;
        return false;
    }
    lease->state = LEASE_SETTLED;
    s->lease = lease;
    s->request = r;
    s->reused = reused;
    if (r->state != VR_HELD && r->state != VR_ELSEWHERE)
        vault_request_goto(r, VR_HELD);
    if (own) {
        own->asker = NULL;
        vault_request_free(own);
    }
    return true;
}

void shared_abandon(struct shared_wait *wait)
{
    wait->step->is_abandoned = true;
    shared_unwait(wait);
}
