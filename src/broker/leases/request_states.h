/*
 * request_states.h - the life of a vault request: what moves it from state to state.
 *
 *   ASKED --its last holder is gone, and nothing is known--> LOOKING <--> LOOK_LATER --not there--> ENDED
 *     | \                                                       |
 *     |  \--nothing was sent--> ENDED                           +--found--> QUEUED; another's--> ENDED
 *     |
 *     +--settled--> HELD --last holder gone, its time--> QUEUED --> CHECKING_IN --confirmed, gone--> ENDED
 *                     |                                     ^           |
 *                     |                                     +-- RETRY <-+ failed --past its expiry--> LAPSED
 *                     +--not the gateway's own--> ENDED                                  --a day--> ENDED
 *                     +--not known whose--> LOOKING
 *                     |
 *                     +--wants an approval--> PENDING --approved--> HELD
 *                                                | --withdrawn, its wait is over, denied--> QUEUED
 *
 * No arrow leads back from QUEUED: a request that is being given back takes no holder. A check-out that gets
 * it from the vault's reuse waits for its end and asks again.
 *
 * In a shared store a check-out may read through a request of another gateway, or find that its own has
 * become one: ELSEWHERE, which ends with the last check-out, and of which nothing is written but the end of a
 * lease that was not answered. One that is QUEUED waits for the step that makes it RETURNING.
 *
 * Each state is a row of a table: what entering it starts, where its end leads, and how its wait is ended
 * from outside. vault_request_goto() alone changes the state, and VR_ENDED alone takes a vault request out of
 * the table.
 *
 * A request whose key comes again has no LOOKING: it settles instead, and is quiet before it ends (keyed.h);
 * and a change of its password may follow the check-in (spin.h).
 *
 * Not here: the states of the recovery (recovery.c) and of the check-in (checkin.c).
 */
#ifndef JG_BROKER_LEASES_REQUEST_STATES_H
#define JG_BROKER_LEASES_REQUEST_STATES_H

#include "broker/leases/lease_table.h"

struct work_list; /* internal.h */

struct vr_step {
    const char *name, *word; /* for the log; for operators, NULL = shown through its leases */
    enum request_state row;  /* in the store */
    /* 0 = it waits; -errno = it could not. The last state frees the vault request. NULL = the first state. */
    int (*enter)(struct vault_request *);
    /* err < 0: enter could not. NULL = the state is left from outside alone. */
    enum vr_state (*resume)(struct vault_request *, int err);
    void (*drop)(struct vault_request *); /* ends the wait; any number of times */
};

extern const struct vr_step vr_pending_step, vr_asked_step, vr_looking_step, vr_look_later_step, vr_held_step,
    vr_queued_step, vr_checking_in_step, vr_retry_step, vr_lapsed_step, vr_settling_step, vr_quiet_step,
    vr_spin_due_step, vr_spin_queued_step, vr_spinning_step, vr_elsewhere_step, vr_ended_step;

/* How a vault request has ended. */
enum request_end {
    END_CHECKED_IN, /* the vault confirmed */
    END_ALREADY_GONE,
    END_LAPSED,      /* the vault's own expiry came first */
    END_FORGOTTEN,   /* not for the gateway to check in */
    END_DROPPED,     /* an operator has given it up */
    END_LAPSE_SHOWN, /* its lapse was reported, and has been shown for its time */
    END_NEVER        /* there is no such request at the vault, or another record has it */
};

/* Enters the state and goes on from there. May free the vault request. */
void vault_request_goto(struct vault_request *, enum vr_state next);
/* The wait is over: resume and go on. May free the vault request. */
void vault_request_resume(struct vault_request *);
/* Reports how it has ended, and removes its row. `lease` ends with it, NULL = none. VR_ENDED, to go to; or
 * VR_LOOK_LATER, where a repeat of its call may still arrive. */
enum vr_state vault_request_over(struct vault_request *, enum request_end, const struct lease *);
/* The vault must have ended it by itself. VR_LAPSED, to go to. */
enum vr_state vault_request_lapse(struct vault_request *);
void vault_request_cancel(struct vault_request *); /* stops everything, without callbacks, and frees it */

const char *vault_request_word(const struct vault_request *); /* as vr_step.word */

static inline bool vault_request_is_looked_for(const struct vault_request *r) /* by a recovery */
{
    return r->state == VR_LOOKING || r->state == VR_LOOK_LATER;
}

static inline bool vault_request_is_in_flight(const struct vault_request *r) /* a check-in, queued or sent */
{
    return r->state == VR_QUEUED || r->state == VR_CHECKING_IN;
}

static inline bool vault_request_is_returning(const struct vault_request *r)
{
    return vault_request_is_in_flight(r) || r->state == VR_RETRY;
}

/* The state's deadline, after which it is resumed. */
void vault_request_defer(struct vault_request *, uint64_t delay_ms);
void vault_request_stop_deadline(struct vault_request *); /* any number of times */

/* Into a list of leases (lapsed, pending), at its end; and out of it, any number of times. It has its work.
 */
void vault_request_list(struct vault_request *, struct work_list *);
void vault_request_unlist(struct vault_request *, struct work_list *);

#endif
