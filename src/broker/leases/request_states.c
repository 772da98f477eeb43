/* SPDX-License-Identifier: Apache-2.0 */
/*
 * request_states.c - what moves a vault request from state to state; see request_states.h.
 *
 * Here are the states that wait for nothing but time: ASKED for its check-out, LAPSED for its day, and ENDED,
 * where every vault request leaves the table.
 *
 * Not here: the table of states (leases.c), HELD (lease_life.c).
 */
#include "broker/leases/request_states.h"

#include "base/container_of.h"
#include "base/log.h"
#include "broker/leases/internal.h"
#include "broker/leases/lease_audit.h"

#include <errno.h>

#define LAPSED_KEPT_MS (24 * 3600000LL)
#define LAPSED_MAX     1000

static const struct vr_step *step_of(const struct vault_request *r)
{
    return r->vault_ref->leases->steps[r->state];
}

static void set_state(struct vault_request *r, enum vr_state next)
{
    struct leases *ls = r->vault_ref->leases;

    log_debug("request_state", "request=%s user=%s from=%s to=%s", r->asker->id, r->user, step_of(r)->name,
              ls->steps[next]->name);
    ls->in_state[r->state]--;
    ls->in_state[next]++;
    r->state = (uint8_t)next;
    key_waits_notify(r);
}

void vault_request_goto(struct vault_request *r, enum vr_state next)
{
    for (;;) {
        int err;

        step_of(r)->drop(r);
        set_state(r, next);
        err = step_of(r)->enter(r);
        if (!err)
            return; /* waiting, or freed */
        next = step_of(r)->resume(r, err);
    }
}

void vault_request_resume(struct vault_request *r)
{
    vault_request_goto(r, step_of(r)->resume(r, 0));
}

/* ---- what is asked of a state ---- */

const char *vault_request_word(const struct vault_request *r)
{
    return step_of(r)->word;
}

/* ---- time ---- */

static void on_deadline(struct deadline *d)
{
    vault_request_resume(CONTAINER_OF(d, struct vault_request, deadline));
}

void vault_request_defer(struct vault_request *r, uint64_t delay_ms)
{
    timer_set(r->vault_ref->leases->timers, &r->deadline, delay_ms, on_deadline);
}

void vault_request_stop_deadline(struct vault_request *r)
{
    timer_stop(r->vault_ref->leases->timers, &r->deadline);
}

/* ---- lists ---- */

void vault_request_list(struct vault_request *r, struct work_list *list)
{
    TAILQ_INSERT_TAIL(list, r->work, of_list);
    r->work->is_listed = true;
}

void vault_request_unlist(struct vault_request *r, struct work_list *list)
{
    if (!r->work || !r->work->is_listed)
        return;
    TAILQ_REMOVE(list, r->work, of_list);
    r->work->is_listed = false;
}

/* ---- asked ---- */

static int asked_enter(struct vault_request *r)
{
    (void)r;
    return 0;
}

const struct vr_step vr_asked_step = {"asked",     "intent", REQUEST_ASKED,
                                      asked_enter, NULL,     vault_request_stop_deadline};

/* ---- the end ---- */

static const char *const end_words[END_NEVER + 1] = {[END_CHECKED_IN] = "checked_in",
                                                     [END_ALREADY_GONE] = "already_gone",
                                                     [END_LAPSED] = "lapsed",
                                                     [END_FORGOTTEN] = "forgotten",
                                                     [END_DROPPED] = "dropped"};

/* What no one has held was given back after a check-out of unknown outcome. */
static const char *end_word(const struct vault_request *r, enum request_end how)
{
    bool is_recovered =
        r->work && r->work->is_recovered && (how == END_CHECKED_IN || how == END_ALREADY_GONE);

    return is_recovered ? "recovered" : end_words[how];
}

static void report_end(const struct vault_request *r, enum request_end how)
{
    const struct request_work *w = r->work;
    unsigned attempts = w ? w->attempts : 0;
    const char *error = w ? w->last_error : NULL;
    enum log_level level = how == END_LAPSED ? LOG_WARN : attempts > 1 ? LOG_INFO : LOG_DEBUG;

    const char *word = end_word(r, how);

    if (!word)
        return; /* it has been reported */
    lease_log_change(word, r, NULL);
    audit_checkin_end(r->vault_ref->leases->audit, r, word, attempts, error);
    log_event(level, "given_back", "outcome=%s user=%s lease=%s attempts=%u error=%s", word, r->user,
              r->asker->id, attempts, error);
}

/* Out of the table before the watches are called: they ask the vault again at once. */
static int ended_enter(struct vault_request *r)
{
    struct watch_list watches;

    vault_request_move_watches(r, &watches);
    vault_request_free(r);
    watch_list_notify(&watches, true);
    return 0;
}

const struct vr_step vr_ended_step = {"ended", NULL, REQUEST_RETURNING, ended_enter, NULL, NULL};

/*
 * Another sending of its call may still arrive, or has arrived: while the vault had this one, where it gives
 * a request for each call (direct access), or after the vault has ended this one. A look that found nothing,
 * later than a sending can arrive, is the end of the doubt.
 */
static bool is_in_doubt(const struct vault_request *r, enum request_end how)
{
    uint64_t settled_ms = r->work ? r->work->settled_ms : 0;

    return settled_ms && how != END_LAPSE_SHOWN &&
           (how != END_NEVER || clock_now(r->vault_ref->leases->clock) < settled_ms);
}

/* The row stays, and it is looked for once more. */
static enum vr_state look_again(struct vault_request *r, const struct lease *lease)
{
    struct request_work *w = r->work;
    uint64_t now = clock_now(r->vault_ref->leases->clock);

    vault_request_hide(r);
    w->given_back = true;
    w->failures = w->attempts = 0;
    w->last_error = NULL;
    if (r->name)
        row_return(r, lease);
    else if (lease)
        row_leave(r, lease);
    w->delay_ms = w->settled_ms > now ? w->settled_ms - now : 0;
    return VR_LOOK_LATER;
}

enum vr_state vault_request_over(struct vault_request *r, enum request_end how, const struct lease *lease)
{
    report_end(r, how);
    if (is_in_doubt(r, how))
        return look_again(r, lease);
    if (spin_follows(r, how))
        return VR_SPIN_DUE;
    spin_give_up(r, how);
    if (r->is_keyed && !lease && how != END_NEVER && keyed_checkin_may_arrive(r))
        return VR_QUIET;
    row_close(r, lease);
    return VR_ENDED;
}

void vault_request_cancel(struct vault_request *r)
{
    struct vault_request_watch *w;

    while (r->work && (w = LIST_FIRST(&r->work->watches)))
        vault_request_unwatch(w);
    step_of(r)->drop(r);
    vault_request_free(r);
}

/* ---- lapsed ---- */

/* Its day, or what is left of it after a restart. */
static int lapsed_enter(struct vault_request *r)
{
    struct leases *ls = r->vault_ref->leases;
    struct request_work *w = request_work_get(r), *oldest;
    struct watch_list watches;

    if (!w)
        return -ENOMEM;
    int64_t left = w->next_wall_ms - clock_wall(ls->clock);

    vault_request_defer(r, left > 0 ? (uint64_t)(left < LAPSED_KEPT_MS ? left : LAPSED_KEPT_MS) : 0);
    vault_request_hide(r);
    vault_request_list(r, &ls->lapsed);
    oldest = TAILQ_FIRST(&ls->lapsed);
    vault_request_move_watches(r, &watches);
    watch_list_notify(&watches, true);
    if (ls->in_state[VR_LAPSED] > LAPSED_MAX)
        vault_request_goto(oldest->request, vault_request_over(oldest->request, END_LAPSE_SHOWN, NULL));
    return 0;
}

static enum vr_state lapsed_resume(struct vault_request *r, int err)
{
    (void)err;
    return vault_request_over(r, END_LAPSE_SHOWN, NULL);
}

static void lapsed_drop(struct vault_request *r)
{
    vault_request_stop_deadline(r);
    vault_request_unlist(r, &r->vault_ref->leases->lapsed);
}

const struct vr_step vr_lapsed_step = {"lapsed",     "lapsed",      REQUEST_LAPSED,
                                       lapsed_enter, lapsed_resume, lapsed_drop};

enum vr_state vault_request_lapse(struct vault_request *r)
{
    struct request_work *w = request_work_get(r);

    r->vault_ref->leases->lapsed_ever++;
    report_end(r, END_LAPSED);
    spin_give_up(r, END_LAPSED);
    if (w) {
        w->next_wall_ms = clock_wall(r->vault_ref->leases->clock) + LAPSED_KEPT_MS;
        w->settled_ms = 0;
    }
    row_lapse(r);
    return VR_LAPSED;
}
