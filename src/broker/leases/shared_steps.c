/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shared_steps.c - steps of a shared store on their way, and what their outcomes do to a record; see
 * shared_steps.h.
 */
#include "broker/leases/shared_steps.h"

#include "base/container_of.h"
#include "base/log.h"
#include "broker/leases/clock_skew.h"
#include "broker/leases/lease_audit.h"

#include <errno.h>
#include <stdlib.h>

/* ---- the store ---- */

struct store *leases_shared(const struct leases *ls)
{
    return ls->shared;
}

bool leases_joined(const struct leases *ls)
{
    struct store_state state;

    if (!ls->shared)
        return true;
    ls->shared->ops->state(ls->shared, &state);
    return state.cluster->joined && !state.cluster->fenced && *ls->tag.letters;
}

/* Any answer of the vault has a Date. */
static void ask_for_date(const struct vault_request *r)
{
    struct leases *ls = r->vault_ref->leases;

    if (active_requests_expect(ls->reader, vault_request_vault(r), r->user, vault_request_name(r)))
        active_requests_start(ls->reader);
}

bool shared_is_time_known(const struct vault_request *r)
{
    struct vault *vault = vault_request_vault(r);
    struct vault_state state;

    if (!r->is_adopted)
        return true;
    vault->ops->state(vault, &state);
    return state.skew_known;
}

bool shared_has_date(const struct vault_request *r)
{
    if (shared_is_time_known(r))
        return true;
    ask_for_date(r);
    return false;
}

uint64_t shared_look_ms(const struct vault_request *r, uint64_t left_ms)
{
    return left_ms <= DATE_MS || shared_is_time_known(r) ? left_ms : DATE_MS;
}

/* The end of one that was adopted is looked at in its vault's time: that may not have been known when it
 * came.
 */
bool shared_is_past(const struct vault_request *r)
{
    struct vault *vault = vault_request_vault(r);
    const struct leases *ls = r->vault_ref->leases;
    uint64_t now = clock_now(ls->clock);

    if (r->is_adopted)
        return shared_is_time_known(r) &&
               leases_wall(ls, vault) - r->expires_wall_ms >= (int64_t)vault->conf->minute_ms;
    return now > r->ends_ms && now - r->ends_ms >= vault->conf->minute_ms;
}

/* ---- steps on their way ---- */

void shared_step_free(struct shared_step *s)
{
    journal_unwait(&s->written);
    if (s->wait)
        s->wait->step = NULL;
    if (s->hh.tbl)
        HASH_DEL(s->leases->releases, s);
    LIST_REMOVE(s, link);
    free(s);
}

static void on_outcome(struct journal_wait *w, int err)
{
    struct shared_step *s = CONTAINER_OF(w, struct shared_step, written);

    struct vault_request *r = w->step ? shared_record(s->leases, w->step->request.mark) : NULL;

    if (r)
        r->outcomes++;
    s->judge(s, err);
    shared_step_free(s);
}

/* Puts the step, and follows it. NULL = out of memory. */
struct shared_step *shared_put(struct leases *ls, const struct store_step *step,
                               void (*judge)(struct shared_step *, int err), struct shared_wait *wait)
{
    struct shared_step *s = calloc(1, sizeof *s);

    if (!s)
        return NULL;
    *s = (struct shared_step){.leases = ls, .judge = judge, .written.follows = true};
    if (journal_put(ls->journal, step, &s->written, on_outcome) != 1) {
        free(s);
        return NULL;
    }
    LIST_INSERT_HEAD(&ls->shared_steps, s, link);
    if (wait) {
        s->wait = wait;
        wait->step = s;
    }
    return s;
}

void shared_note_lost(struct leases *ls, const struct store_step *step)
{
    ls->missed.begin(ls);
    log_error("journal_lost", "step=%s request=%s error=%s", store_step_rules[step->kind].name,
              step->request.mark, "out of memory");
}

void shared_unwait(struct shared_wait *wait)
{
    if (wait->step)
        wait->step->wait = NULL;
    wait->step = NULL;
}

/* The time of its vault. */
int64_t shared_wall(struct leases *ls, const struct request_row *row)
{
    const struct vault_ref *ref =
        *row->mark ? vault_ref_of_row(&ls->vaults, row->vault, row->url, false) : NULL;

    return ref ? leases_wall(ls, ref->vault) : clock_wall(ls->clock);
}

void shared_record_end(const struct shared_step *s, int err)
{
    const struct store_step *step = s->written.step;

    if (!err && s->record.why)
        audit_lease_row_end(s->leases->audit, &step->request, &step->lease, &s->record, step->holders,
                            shared_wall(s->leases, &step->request));
}

void shared_tell(struct shared_step *s, int err, struct vault_request *returned)
{
    struct shared_wait *wait = s->wait;
    const struct shared_outcome outcome = {.word = err == 0         ? SHARED_APPLIED
                                                   : err == -ESTALE ? SHARED_REFUSED
                                                                    : SHARED_FENCED,
                                           .step = err == 0 || err == -ESTALE ? s->written.step : NULL,
                                           .returned = returned};

    if (!wait)
        return;
    shared_unwait(wait);
    wait->done(wait, &outcome);
}

/* ---- records ---- */

/* The one with this mark that may be in the store; NULL = none. */
struct vault_request *shared_record(const struct leases *ls, const char *mark)
{
    const struct lease *lease = lease_by_id(ls, mark);

    return lease && lease->request && lease->request->asker == lease ? lease->request : NULL;
}

void shared_forget_lease(struct lease *lease)
{
    lease_log_change("ended_elsewhere", lease->request, lease);
    lease_unlink(lease);
    lease_forget(lease);
}

void shared_forget_leases(struct vault_request *r)
{
    struct lease *lease;

    while ((lease = SLIST_FIRST(&r->leased)))
        shared_forget_lease(lease);
}

static int elsewhere_enter(struct vault_request *r)
{
    vault_request_hide(r);
    return 0;
}

static enum vr_state elsewhere_resume(struct vault_request *r, int err)
{
    (void)r;
    (void)err;
    return VR_ELSEWHERE;
}

static void elsewhere_drop(struct vault_request *r)
{
    (void)r;
}

const struct vr_step vr_elsewhere_step = {"elsewhere",      NULL,          REQUEST_HELD, elsewhere_enter,
                                          elsewhere_resume, elsewhere_drop};

/* It is not this gateway's any more. */
void shared_vanish(struct vault_request *r)
{
    shared_forget_leases(r);
    r->has_row = false;
    r->returned = r->undecided = r->opening = false;
    vault_request_goto(r, r->checkouts ? VR_ELSEWHERE : VR_ENDED);
}

/* ---- return ---- */

static void judge_return(struct shared_step *s, int err)
{
    const struct store_step *step = s->written.step;
    struct vault_request *r;

    if (err == -ECANCELED || !(r = shared_record(s->leases, step->request.mark)) || !r->undecided)
        return;
    r->undecided = false;
    if (err == 0 && !step->now) { /* it is RETURNING, and this gateway's */
        if (r->state == VR_QUEUED)
            vault_request_goto(r, VR_QUEUED);
    } else if (r->state == VR_QUEUED || r->returned) { /* others hold it, or have given it back */
        shared_vanish(r);
    }
}

void shared_return(struct vault_request *r)
{
    const struct store_step step = {.kind = r->has_row ? STEP_RETURN : STEP_ASK,
                                    .request = row_of_request(r, REQUEST_RETURNING),
                                    .lease.id = ""};
    struct leases *ls = r->vault_ref->leases;

    if (ls->voiding)
        return;
    r->undecided = shared_put(ls, &step, judge_return, NULL) != NULL;
    r->unwritten = !r->undecided;
    r->has_row |= r->undecided;
    if (r->unwritten)
        shared_note_lost(ls, &step);
}

/* ---- cancel, finish, clear ---- */

static void judge_others(struct shared_step *s, int err)
{
    shared_record_end(s, err);
    shared_tell(s, err, NULL);
}

bool shared_cancel_row(struct leases *ls, const struct request_row *row, struct shared_wait *wait)
{
    return shared_put(ls, &(struct store_step){.kind = STEP_CANCEL, .request = *row, .lease.id = ""},
                      judge_others, wait) != NULL;
}

bool shared_finish(struct leases *ls, const struct shared_over *over, struct shared_wait *wait)
{
    const struct store_step step = {.kind = STEP_FINISH,
                                    .request = {.mark = "", .asker = *over->who},
                                    .lease.id = "",
                                    .since = over->moment,
                                    .over_ms = over->ms};

    return shared_put(ls, &step, judge_others, wait) != NULL;
}

bool shared_amend_row(struct leases *ls, const struct store_found *found, const char *lsid,
                      struct shared_wait *wait)
{
    struct store_step step = {.kind = STEP_AMEND, .request = *found->request, .lease = *found->lease};

    step.lease.holder.lsid = lsid;
    return shared_put(ls, &step, judge_others, wait) != NULL;
}

bool shared_clear_row(struct leases *ls, const struct lease_row *lease, const struct request_row *row,
                      struct shared_wait *wait)
{
    static const struct request_row none = {.mark = ""};
    struct shared_step *s =
        shared_put(ls,
                   &(struct store_step){
                       .kind = STEP_CLEAR, .request = row ? *row : none, .lease = *lease, .record = "gone"},
                   judge_others, wait);

    if (s)
        s->record = (struct lease_end_record){.why = "gone"};
    return s;
}
