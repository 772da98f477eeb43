/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shared.c - leases of a shared store: opening and ending them, and the records that follow; see shared.h.
 *
 * In each outcome the order is: the operation is told, the record follows. But for an `open` that was
 * refused, of which the check-out must let go before its record may go.
 */
#include "broker/leases/shared.h"

#include "base/log.h"
#include "broker/leases/clock_skew.h"
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
    vault_request_note_haste(r);
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
        ls->missed.begin(ls);
    r = shared_record(ls, now->mark);
    if (r && now->state == REQUEST_RETURNING)
        vault_request_hurry(r);
}

/* The store has it as this gateway's. */
static void follow_own(struct vault_request *r, const struct request_row *now)
{
    if (now->state == REQUEST_RETURNING && !is_being_returned(r)) {
        give_back(r);
    } else if (now->state == REQUEST_PENDING && r->state == VR_HELD) {
        shared_forget_leases(r);
        pending_wait(r, now->next_wall_ms);
    } else if (now->state == REQUEST_HELD && r->state == VR_PENDING) {
        vault_request_goto(r, VR_HELD);
    }
}

void shared_follow(struct leases *ls, const char *mark, const struct request_row *now)
{
    struct vault_request *r = shared_record(ls, mark);
    bool is_mine = now && now->mine;

    if (is_mine && strcmp(now->mark, mark) != 0)
        r = shared_record(ls, now->mark);
    if (r && (r->opening || (r->state != VR_HELD && r->state != VR_PENDING)))
        return; /* asked for, being opened or given back: its own steps decide */
    if (is_mine && r)
        follow_own(r, now);
    else if (is_mine && (now->state == REQUEST_RETURNING || now->state == REQUEST_PENDING))
        take_over(ls, now);
    else if (!is_mine && r && !r->returned)
        shared_vanish(r);
}

/* The record that is being given back by this gateway; NULL = none is. */
static struct vault_request *returned_record(const struct leases *ls, const struct store_step *step)
{
    struct vault_request *r =
        step && step->now && step->now->mine ? shared_record(ls, step->now->mark) : NULL;

    return r && is_being_returned(r) ? r : NULL;
}

/* ---- release, end ---- */

/* Its lease had ended before, or has lost its hold to other hands: then the request may be held by none. */
static void look_if_unheld(struct leases *ls, const struct store_step *step)
{
    struct vault_request *r = step->now && step->now->mine && step->now->state == REQUEST_HELD
                                  ? shared_record(ls, step->now->mark)
                                  : NULL;

    if (r && r->state == VR_HELD && SLIST_EMPTY(&r->leased) && *step->lease.id)
        ls->damaged(r, &step->lease);
}

static void judge_release(struct shared_step *s, int err)
{
    const struct store_step *step = s->written.step;
    struct leases *ls = s->leases;

    if (!err && s->is_second)
        err = -ESTALE;
    shared_record_end(s, err);
    if (err == -ECANCELED) {
        shared_tell(s, err, NULL);
        return;
    }
    shared_follow(ls, step->request.mark, step->now);
    if (err)
        look_if_unheld(ls, step);
    shared_tell(s, err, returned_record(ls, step));
}

/* After a lost answer the store cannot see which of two releases of a lease has ended it, and both are
 * APPLIED (stores/etcd_steps.h). Here they are given in their order, so it is the first. */
static void note_release(struct shared_step *s, const char *lease_id)
{
    struct leases *ls = s->leases;
    const struct shared_step *first;

    memcpy(s->lease_id, lease_id, ID_SIZE);
    HASH_FIND(hh, ls->releases, s->lease_id, ID_SIZE - 1, first);
    s->is_second = first;
    if (!first)
        HASH_ADD(hh, ls->releases, lease_id, ID_SIZE - 1, s);
}

/* False = out of memory. */
static bool put_release(struct leases *ls, const struct store_step *release, const char *why,
                        const struct session_end *end, struct shared_wait *wait)
{
    const struct lease_end_record record = {.why = why, .end = end};
    char text[STORE_RECORD_SIZE];
    struct store_step step = *release;

    step.record = lease_end_text(&record, text);
    struct shared_step *s = shared_put(ls, &step, judge_release, wait);

    if (!s)
        return false;
    s->record = record;
    if (!step.undo && strlen(step.lease.id) == ID_SIZE - 1)
        note_release(s, step.lease.id);
    return true;
}

/* Of a lease that its check-out has not handed over. */
static struct store_step release_of(const struct vault_request *r, const struct lease *lease,
                                    enum request_state becomes)
{
    return (struct store_step){.kind = STEP_RELEASE,
                               .undo = lease->state == LEASE_SETTLED,
                               .request = row_of_request(r, becomes),
                               .lease = row_of_lease(lease)};
}

/* One that has waited for its approver waits again. `why` NULL = it was never answered: it has no record. */
static void release(struct vault_request *r, const struct lease *lease, const char *why,
                    const struct session_end *end)
{
    bool waits = lease->state == LEASE_SETTLED && pending_may_wait_again(r);
    const struct store_step step = release_of(r, lease, waits ? REQUEST_PENDING : REQUEST_RETURNING);
    struct leases *ls = r->vault_ref->leases;

    if (!ls->voiding && !put_release(ls, &step, why, end, NULL))
        shared_note_lost(ls, &step);
}

void shared_end_lease(struct lease *lease, const char *why, const struct session_end *end)
{
    release(lease->request, lease, why, end);
    lease_forget(lease);
}

/* A row that a question has shown, as it is to be. */
static struct request_row returning(const struct request_row *shown)
{
    struct request_row row = *shown;

    row.state = REQUEST_RETURNING;
    row.attempts = row.next_wall_ms = 0;
    return row;
}

static struct store_step release_of_row(const struct request_row *request, const struct lease_row *lease)
{
    return (struct store_step){.kind = STEP_RELEASE, .request = returning(request), .lease = *lease};
}

bool shared_release_row(struct leases *ls, const struct store_found *found, const char *why,
                        const struct session_end *end, struct shared_wait *wait)
{
    struct lease *own = lease_by_id(ls, found->lease->id);
    const struct store_step step = release_of_row(found->request, found->lease);

    if (!put_release(ls, &step, why, end, wait))
        return false;
    if (own && own->state == LEASE_OPEN) {
        if (end)
            own->request->session_ended = true;
        shared_forget_lease(own);
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

/* ---- a lease of another gateway that is answered here as well ---- */

static void undo_row(struct leases *ls, const struct request_row *request, const struct lease_row *lease)
{
    struct store_step step = release_of_row(request, lease);

    step.undo = true;
    if (!ls->voiding && !shared_put(ls, &step, judge_release, NULL))
        shared_note_lost(ls, &step);
}

void shared_undo_repeat(struct leases *ls, const struct store_found *found)
{
    undo_row(ls, found->request, found->lease);
}

static void judge_repeat(struct shared_step *s, int err)
{
    const struct store_step *step = s->written.step;

    shared_tell(s, err, NULL);
    if (!err && s->is_abandoned)
        undo_row(s->leases, &step->request, &step->lease);
}

bool shared_repeat(struct leases *ls, const struct store_found *found, struct shared_wait *wait)
{
    const struct store_step step = {.kind = STEP_REPEAT, .request = *found->request, .lease = *found->lease};

    return shared_put(ls, &step, judge_repeat, wait) != NULL;
}

/* ---- the end of a request ---- */

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

/* The check-in does not wait for the store: where it is done already the step that closes the row follows,
 * and nothing is left to do. */
static void judge_end(struct shared_step *s, int err)
{
    if (err != -ECANCELED && shared_record(s->leases, s->written.step->request.mark))
        judge_release(s, err);
}

bool shared_put_end(struct vault_request *r)
{
    const struct store_step step = {
        .kind = STEP_END, .request = row_of_request(r, REQUEST_RETURNING), .lease.id = ""};
    struct leases *ls = r->vault_ref->leases;

    if (ls->voiding || shared_put(ls, &step, judge_end, NULL))
        return true;
    shared_note_lost(ls, &step);
    return false;
}

bool shared_end_row(struct leases *ls, const struct request_row *row, struct shared_wait *wait)
{
    const struct store_step step = {.kind = STEP_END, .request = returning(row), .lease.id = ""};

    return shared_put(ls, &step, judge_release, wait) != NULL;
}

/* Its leases are those that the store shows as they go: shared_closed(). */
void shared_end(struct vault_request *r)
{
    shared_forget_leases(r);
    if (r->returned || r->state != VR_HELD)
        return;
    (void)shared_put_end(r);
    /* No holder outlives its end, and the end of one that is gone at the vault takes nothing from a holder.
     */
    if (r->origin == ORIGIN_OURS)
        give_back(r);
    else if (r->origin == ORIGIN_UNKNOWN && !r->gone && !r->checkouts)
        vault_request_recover(r);
    else
        end_unreturned(r);
}

/* ---- rows that other hands have deleted ---- */

/* Whether its lease was there yet or not: it has ended here. */
static void judge_unheld(struct shared_step *s, int err)
{
    if (err != -ECANCELED)
        shared_record_end(s, 0);
}

static void clear_lease(struct vault_request *r, const struct lease_row *lease)
{
    const struct store_step step = {
        .kind = STEP_CLEAR, .request = row_of_request(r, REQUEST_RETURNING), .lease = *lease};
    struct shared_step *s = shared_put(r->vault_ref->leases, &step, judge_unheld, NULL);

    if (s)
        s->record = (struct lease_end_record){.why = "gone"};
}

/* What is left of its leases goes, after the request is RETURNING. */
static void clear_leases(struct vault_request *r, const struct lease_row *left)
{
    const struct lease *lease;

    if (left)
        clear_lease(r, left);
    SLIST_FOREACH(lease, &r->leased, of_request)
    {
        const struct lease_row row = row_of_lease(lease);

        clear_lease(r, &row);
    }
}

void shared_give_back_unheld(struct vault_request *r, bool has_row, const struct lease_row *left)
{
    if (r->checkouts || r->opening || r->undecided || r->returned || r->vault_ref->leases->voiding)
        return; /* the next look finds it */
    log_warn("rows_missing", "request=%s vault=%s user=%s row=%s hint=%s", row_mark(r),
             vault_request_vault(r)->conf->name, r->user, has_row ? "held_by_none" : "gone",
             "other hands have changed the store; the request is given back");
    r->has_row = has_row;
    if (r->origin != ORIGIN_OURS) {
        clear_leases(r, left);
        shared_forget_leases(r);
        end_unreturned(r);
        return;
    }
    shared_return(r);
    clear_leases(r, left);
    give_back(r);
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

/* Another gateway's that waited has been denied, or has ended. */
static void end_elsewhere(struct vault_request *r)
{
    const struct request_row *row = r->work ? r->work->elsewhere : NULL;

    if (r->gone && row && row->state == REQUEST_PENDING)
        (void)shared_withdraw_row(r->vault_ref->leases, row, NULL); /* without memory the next one tries */
    vault_request_goto(r, VR_ENDED);
}

/* A check-out has let go of it. */
static void let_go(struct vault_request *r)
{
    if (r->checkouts)
        return;
    if (r->state == VR_ELSEWHERE)
        end_elsewhere(r);
    else if (r->state == VR_PENDING && r->gone && !r->returned)
        pending_withdraw(r);
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
        /* one that has ended another gateway may have answered with */
        release(r, lease, lease->state == LEASE_ENDED ? "released" : NULL, NULL);
        lease_forget(lease);
    }
    let_go(r);
}

/* ---- requests that wait for their approver ---- */

bool shared_keep(struct lease *lease, struct vault_request *r, uint64_t wait_ms, struct shared_wait *wait)
{
    struct store_step step = release_of(r, lease, REQUEST_PENDING);

    step.request.attempts = 0;
    step.request.next_wall_ms = pending_wait_end(r, wait_ms);
    if (!shared_put(r->vault_ref->leases, &step, judge_release, wait))
        return false;
    r->checkouts--;
    lease_forget(lease);
    let_go(r);
    return true;
}

static void judge_withdrawal(struct shared_step *s, int err)
{
    const struct store_step *step = s->written.step;

    if (err == 0) {
        struct request_row now = step->request;

        now.mine = true;
        shared_follow(s->leases, now.mark, &now);
    }
    shared_tell(s, err, NULL);
}

bool shared_withdraw_row(struct leases *ls, const struct request_row *row, struct shared_wait *wait)
{
    const struct store_step step = {.kind = STEP_RETURN, .request = returning(row), .lease.id = ""};

    return ls->voiding || shared_put(ls, &step, judge_withdrawal, wait) != NULL;
}

void shared_note_end(struct vault_request *r)
{
    if (r->work && r->work->elsewhere)
        r->work->elsewhere->expires_wall_ms = r->expires_wall_ms;
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
        shared_note_lost(ls, &step);
}

/* The lease cannot hold it. What the vault has made for it is given back; what it had is others', or the
 * person's own. */
static void refuse(struct shared_step *s)
{
    const struct store_step *step = s->written.step;
    struct vault_request *r = s->request;
    struct lease *lease = s->lease;
    struct leases *ls = s->leases;
    bool is_own = r->asker == lease;

    r->checkouts--;
    if (is_own && !s->reused && r->origin != ORIGIN_FOREIGN) {
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

/* Of a record whose row the store never had, or has no longer: the lease goes on without it. */
static void drop_record(struct vault_request *r, const struct lease *lease)
{
    if (r->asker == lease)
        r->asker = NULL;
    vault_request_free(r);
}

/* A check-out lets go of it; the last one drops it. */
static void leave_record(struct vault_request *r, const struct lease *lease)
{
    r->checkouts--;
    if (r->state != VR_HELD && r->asker != lease) {
        let_go(r);
        return;
    }
    drop_record(r, lease);
}

/* Another gateway's has waited for its approver, and is this one's now: the check-out holds a record of its
 * own. Until it has been handed over it may wait again. Where others hold the record of before, it stays, as
 * of another gateway. */
static bool take_opened(struct shared_step *s, const struct request_row *now)
{
    struct leases *ls = s->leases;
    struct vault_request *r = ls->adopt(ls, now, NULL, 0) ? NULL : shared_record(ls, now->mark);
    struct request_work *work = r && r->state == VR_HELD ? request_work_get(r) : NULL;

    if (!work || vault_request_holders(s->request) > 1)
        return false;
    work->next_wall_ms = now->next_wall_ms;
    r->checkouts++;
    leave_record(s->request, s->lease);
    s->request = s->lease->request = r;
    return true;
}

/* It shows what the store has in place of what was described. */
static void follow_opened(struct shared_step *s, const struct request_row *now)
{
    if (strcmp(now->mark, s->request->asker->id) == 0 || (now->mine && take_opened(s, now)) ||
        shared_set_elsewhere(s->request, now))
        return;
    log_error("shared_request", "request=%s error=%s", now->mark, "out of memory");
}

static void judge_open(struct shared_step *s, int err)
{
    const struct store_step *step = s->written.step;

    s->request->opening = false;
    if (err == 0 && step->now)
        follow_opened(s, step->now);
    if (err == 0 && s->request->state == VR_PENDING)
        vault_request_goto(s->request, VR_HELD);
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
    if (r->state != VR_HELD && r->state != VR_ELSEWHERE) {
        r->opening = true;
        vault_request_goto(r, VR_HELD);
    }
    if (own)
        drop_record(own, own->asker);
    return true;
}

void shared_abandon(struct shared_wait *wait)
{
    wait->step->is_abandoned = true;
    shared_unwait(wait);
}
