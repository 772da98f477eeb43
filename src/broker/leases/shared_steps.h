/*
 * shared_steps.h - a step of a shared store on its way, and the least that its outcome does to a record; for
 * the files of this folder alone.
 *
 * Such a step lasts until its outcome or the end of the table, so a request has its fate whether or not an
 * operation waits. Of a lease that is being opened it also has pointers: the check-out holds both until it
 * lets go of them by shared_abandon(), and from then on the step does.
 *
 * Not here: open, release and end (shared.c), which is built on this; so are the check-in and the recovery,
 * for which a request becomes RETURNING here.
 */
#ifndef JG_BROKER_LEASES_SHARED_STEPS_H
#define JG_BROKER_LEASES_SHARED_STEPS_H

#include "broker/leases/internal.h"
#include "broker/leases/lease_audit.h"

struct shared_step {
    struct journal_wait written;
    LIST_ENTRY(shared_step) link; /* leases.shared_steps */
    struct leases *leases;
    struct shared_wait *wait; /* NULL = no operation waits */
    void (*judge)(struct shared_step *, int err);
    struct lease_end_record record; /* of the lease that the step ends */
    /* of a `release` that is no undo */
    UT_hash_handle hh; /* leases.releases, by lease */
    char lease_id[ID_SIZE];
    bool is_second; /* one of the same lease was on its way before: this one ends nothing */
    /* of an `open` */
    struct lease *lease;
    struct vault_request *request;
    bool reused, is_abandoned;
};

/* Puts the step, and follows it. `wait` NULL = no operation waits. NULL = out of memory. */
struct shared_step *shared_put(struct leases *, const struct store_step *,
                               void (*judge)(struct shared_step *, int err), struct shared_wait *);
void shared_step_free(struct shared_step *);
/* leases_wall() of the vault of this row. */
int64_t shared_wall(struct leases *, const struct request_row *);
/* The step has its outcome: the record that belongs to it is written. */
void shared_record_end(const struct shared_step *, int err);
/* Whoever waits is told: `err` as journal_wait.done() has it. */
void shared_tell(struct shared_step *, int err, struct vault_request *returned);
void shared_note_lost(struct leases *, const struct store_step *); /* for want of memory */

/* The record with this mark that may be in the store; NULL = none. */
struct vault_request *shared_record(const struct leases *, const char *mark);
void shared_forget_leases(struct vault_request *); /* all of them, without a step */
/*
 * The store does not know it as this gateway's any more: its leases leave the table without a step, and
 * check-outs that still hold it keep it in ELSEWHERE until they have found out.
 */
void shared_vanish(struct vault_request *);

#endif
