/*
 * shared.h - requests and leases in a store that several gateways share (stores/store.h).
 *
 * In such a store a step is a question: whether a lease was the last one, and whose request it holds, is
 * known when the step has its outcome. So each step that decides something is followed here to its outcome,
 * whether or not the operation that has caused it still waits, and the records follow the store:
 *
 *   open      applied: the lease holds the request, which may have turned out to be another gateway's
 *             otherwise: the check-out has nothing; what the vault has made for it is given back
 *   release   applied or otherwise: the request is held by others, or is this gateway's to check in, or is no
 *             longer this gateway's at all
 *   return, end   the same
 *
 * The record of a request is this gateway's memory of a row that it owns. Which leases hold the request only
 * the store knows: a lease that other gateways have added is not in the table, and one that they have ended
 * stays in it until the store says so.
 *
 * Not here: what a check-out does with an outcome (checkout/elsewhere.c), a release over all gateways
 * (broker/release_shared.c), rows that come from the store (restore.c).
 */
#ifndef JG_BROKER_LEASES_SHARED_H
#define JG_BROKER_LEASES_SHARED_H

#include "broker/leases/lease_table.h"

struct shared_step;

enum shared_word {
    SHARED_APPLIED,
    SHARED_REFUSED, /* OTHERWISE */
    SHARED_FENCED   /* the step has not happened and never will: this gateway was fenced */
};

struct shared_outcome {
    enum shared_word word;
    const struct store_step *step;  /* as decided; NULL where the word is FENCED */
    struct vault_request *returned; /* it is this gateway's to check in; NULL = it is not */
};

/* Waits for the outcome of a step: called once, never before the call that begins the wait has returned. */
struct shared_wait {
    void (*done)(struct shared_wait *, const struct shared_outcome *);
    struct shared_step *step; /* NULL = not waiting */
};

/* ---- what operations ask ---- */

/* The store, where it is shared; NULL otherwise. */
struct store *leases_shared(const struct leases *);
bool leases_joined(const struct leases *); /* the gateway is a member of the cluster; true without one */

#define DATE_MS 1000 /* until the next look whether the vault has answered */

/* The time in which its end is given is known: it is no adopted one, or its vault has answered. */
bool shared_is_time_known(const struct vault_request *);
/* The same; if not, the vault is asked. */
bool shared_has_date(const struct vault_request *);
/* Its end has passed by a minute of its vault, so that the vault has ended it by itself; of any store. */
bool shared_is_past(const struct vault_request *);
/* In how many milliseconds to look at an end that seems to be `left_ms` away: sooner, where the time in which
 * it is given is not known as yet. */
uint64_t shared_look_ms(const struct vault_request *, uint64_t left_ms);

/* ---- steps ---- */

/*
 * As lease_settle(). `reused`: the vault had the request already. Until the outcome the check-out may call
 * shared_abandon(). REFUSED: lease and request are not the check-out's any more once `done` has returned.
 * False = out of memory; nothing has changed.
 */
bool shared_open(struct lease *, struct vault_request *, bool reused, struct shared_wait *);
/* The check-out ends before the outcome: its lease and its hold, or its part in another's, follow it. */
void shared_abandon(struct shared_wait *);
/*
 * A check-out answers with the lease of another gateway's check-out: from then on the failure of that one
 * does not end the lease. REFUSED: it has ended. Until the outcome the check-out may call shared_abandon().
 * False = out of memory.
 */
bool shared_repeat(struct leases *, const struct store_found *, struct shared_wait *);
/* A check-out that was counted so has failed: the lease ends, unless others answer with it. */
void shared_undo_repeat(struct leases *, const struct store_found *);
/* A lease that a question has shown ends, whether or not it is in the table. `why` and `end`: as
 * lease_close(), lease_close_ended(). False = out of memory. */
bool shared_release_row(struct leases *, const struct store_found *, const char *why,
                        const struct session_end *end, struct shared_wait *);
/* The same for one that is open in the table. */
bool shared_release_lease(struct lease *, const char *why, struct shared_wait *);
/* The same for one that has been taken off the table, and is freed. */
void shared_end_lease(struct lease *, const char *why, const struct session_end *);
/* Another gateway's request, as a question has shown it, has ended at the vault: it is given back. False =
 * out of memory. */
bool shared_end_row(struct leases *, const struct request_row *, struct shared_wait *);
/* The session of an ASKED request that a question has shown has ended. False = out of memory. */
bool shared_cancel_row(struct leases *, const struct request_row *, struct shared_wait *);
/* When a session has ended. */
struct shared_over {
    const struct holder *who; /* username, domain and session; or, where the session is "", the lsid */
    uint64_t ms;              /* monotonic */
    int64_t moment;           /* the store was no earlier then */
};
/* Check-outs of the session that have begun before, at whichever gateway, ask for nothing more. False = out
 * of memory. */
bool shared_finish(struct leases *, const struct shared_over *, struct shared_wait *);
/* A lease that a question has shown, of another gateway's session, has this lsid from now on. False = out of
 * memory. */
bool shared_amend_row(struct leases *, const struct store_found *, const char *lsid, struct shared_wait *);
/* A lease whose request has ended goes. False = out of memory. */
bool shared_clear_row(struct leases *, const struct lease_row *, const struct request_row *,
                      struct shared_wait *);
void shared_unwait(struct shared_wait *); /* any number of times */

/*
 * The request waits for its approver from now on, unless others hold it: the check-out lets go of the request
 * and of its lease, which is SETTLED. APPLIED: store_step.now says what has become of it. False = out of
 * memory; nothing has changed.
 */
bool shared_keep(struct lease *, struct vault_request *, uint64_t wait_ms, struct shared_wait *);
/* A request that waits, as a question or step has shown it, is not needed any more. False = out of memory. */
bool shared_withdraw_row(struct leases *, const struct request_row *, struct shared_wait *);
/* The end of a record was set: that of another gateway's request is opened with this end. */
void shared_note_end(struct vault_request *);

/* The request becomes RETURNING in the store before it is checked in. From ASKED or HELD without leases. */
void shared_return(struct vault_request *);
/* Its time is over, or the vault has ended it: its leases end, and it is given back. */
void shared_end(struct vault_request *);
/* The step of shared_end() alone. False = out of memory: all requests of this gateway are asked for. */
bool shared_put_end(struct vault_request *);
/* One check-out less holds it, as vault_request_unhold(). A lease that is SETTLED is undone: it stays where
 * others answer with it. */
void shared_unhold(struct vault_request *, struct lease *);

/* ---- another gateway's request ---- */

/*
 * A record for a check-out that reads through a request of which this is the row: in state ELSEWHERE, held by
 * the check-out, with an asker of its own. `args`: of the check-out, with an id that no lease has. NULL = out
 * of memory.
 */
struct vault_request *shared_elsewhere(struct leases *, const struct lease_args *, struct vault *,
                                       const struct request_row *);
/* The record becomes that of another gateway's request, of which this is the row. False = out of memory. */
bool shared_set_elsewhere(struct vault_request *, const struct request_row *);

/* ---- what the store says ---- */

/* The store has this of the request with the mark; NULL = nothing. Its record follows. */
void shared_follow(struct leases *, const char *mark, const struct request_row *now);
/* A request that is this gateway's from now on (store_news.adopt); `from` "" = it is not known of whom it
 * was. 0 or -ENOMEM. */
int shared_adopt(struct leases *, const char *from, const struct request_row *,
                 const struct lease_row *const *, size_t n);
/* The table lacks requests that are this gateway's (store_news.missed): the store is asked for them. */
void shared_missed(struct leases *);     /* any number of times */
void shared_missed_end(struct leases *); /* the same */
/* A lease of the table has ended in the store: nothing is written. */
void shared_forget_lease(struct lease *);
/* A lease has gone with its request (store_news.closed): its end is recorded. And why: store_news.closing. */
void shared_closed(struct leases *, const struct request_row *, const struct lease_row *);
const char *shared_closing(struct leases *, const struct request_row *);
/* The end of a lease of a gateway that was counted as dead (store_news.unrecorded) is recorded. */
void shared_unrecorded(struct leases *, const struct store_end *);
/* Another gateway has changed the request (store_news.touched): the store is asked. */
void shared_touched(struct leases *, const char *mark);
/* Its rows are not as the table has them: the store is asked for them. Where none is there, or none that
 * holds it, other hands have deleted them: its leases end, and it is given back. `left`: a lease of it that
 * is not in the table any more, whose row may be there; then a request without a row is another gateway's, or
 * over, and is let go. NULL = none. Copied. */
void shared_damaged(struct vault_request *, const struct lease_row *left);
/* The same with what the store has shown: no lease holds it, or (`has_row` false) it has no row at all. */
void shared_give_back_unheld(struct vault_request *, bool has_row, const struct lease_row *left);
/*
 * The gateway was fenced: nothing in the table is its own any more, and nothing is written or checked in for
 * it. Between the two the check-outs in flight are ended. A request that is on its way to the vault is
 * recovered when its check-out has ended.
 */
void shared_void_begin(struct leases *);
void shared_void_end(struct leases *);
void shared_joined(struct leases *); /* it is a member of the cluster, again */
void shared_gone(struct leases *);   /* a member is (store_news.gone) */
void shared_free(struct leases *);   /* before the records */

#endif
