/*
 * lease.h - who holds what: leases of PRA sessions, and the vault requests (loans) they stand on.
 *
 *   sitting  one PRA session of one PRA user      1 --- n  leases
 *   lease    this session may use this credential n --- 1  loan
 *   loan     one live vault request               holders = leases + check-outs in flight that know it
 *   intent   a request that was sent and of which we do not yet know what became of it (intent.c)
 *
 * A loan is found by (vault, mapped user, request id). Its life:
 *
 *   OPEN --last holder gone--> RETURNING --checked in, already gone, or past the vault's own expiry--> freed
 *     ^                           |
 *     +--loan_reopen()------------+   only while it is certain that no check-in has reached the vault
 *
 * A loan that was the person's own before us (ADOPTED), or of which that is not yet known (UNPROVEN), is
 * dropped without a check-in when its last holder goes; so is one the vault said is gone.
 *
 * Every change passes through leases_tell() in lease.c: the one place to tell a store.
 */
#ifndef JG_BROKER_LEASE_H
#define JG_BROKER_LEASE_H

#include "backends/backend.h"
#include "base/id.h"
#include "base/timers.h"
#include "broker/session.h"
#include "broker/table.h"

#include <sys/queue.h>

enum loan_state { LOAN_OPEN, LOAN_RETURNING };
enum loan_origin { LOAN_OURS, LOAN_ADOPTED, LOAN_UNPROVEN };

struct leases;
struct checkin;
struct lease;
struct sitting;

SLIST_HEAD(lease_list, lease);

/* Waits for what becomes of a check-in: told once per attempt, until it is unlinked or the loan has ended. */
struct loan_watch {
    void (*told)(struct loan_watch *, bool ended); /* ended: the loan is gone; else the attempt failed */
    struct loan *loan;                             /* NULL = not watching */
    LIST_ENTRY(loan_watch) link;
};

struct loan {
    struct table_node node; /* spare: check-outs in flight that hold it */
    struct leases *leases;
    struct lease_list held;
    LIST_HEAD(, loan_watch) watches;
    struct deadline deadline; /* OPEN: timed release; RETURNING: the next attempt */
    uint64_t ends_ms;         /* monotonic end of the leases */
    int64_t expires_wall_ms;  /* the same, as shown */
    struct checkin *checkin;  /* while RETURNING; NULL then = no memory for it yet */
    uint8_t state, origin;
    bool gone; /* the vault said that it is no more */
    /* the key, in one piece */
    struct vault *vault;
    int64_t request_id;
    char user[];
};

struct lease {
    SLIST_ENTRY(lease) of_loan, of_sitting;
    struct loan *loan;
    struct sitting *sitting;
    uint32_t opened_s; /* monotonic */
    char id[ID_SIZE];
    char credential_id[];
};

struct sitting {
    struct table_node node; /* spare: length of the key */
    struct lease_list leases;
    char key[]; /* user, domain (both in lower case) and session id, each with its NUL */
};

struct leases_counters {
    uint64_t opened, closed, checked_in, already_gone, lapsed;
};

struct leases *leases_new(struct timers *);
void leases_free(struct leases *); /* cancels check-ins in flight; nobody is told */

/* ---- sittings and leases ---- */

/* A session's key in a fresh sitting, not in any table; free() it. NULL = out of memory. */
struct sitting *sitting_probe(const struct session *);
/* The session's leases; NULL = none. Also NULL when out of memory. */
struct sitting *sitting_find(struct leases *, const struct session *);
struct lease *lease_find(struct leases *, const struct session *, const char *credential_id);
/*
 * Makes one of the loan's holders in flight the session's lease. If the session already has this credential
 * on this loan that lease is returned (one session, one lease). NULL = out of memory; the hold then stays.
 */
struct lease *lease_open(struct leases *, const struct session *, const char *credential_id, struct loan *,
                         const char id[ID_SIZE]);
/* Ends the lease; the loan is given back if that was its last holder. `why` is a word for the log. */
void lease_close(struct lease *, const char *why);
uint64_t lease_age_s(const struct lease *);
const char *sitting_user(const struct sitting *);
const char *sitting_session(const struct sitting *);

/* ---- loans ---- */

struct loan *loan_find(struct leases *, struct vault *, const char *user, int64_t request_id);
/* A new OPEN loan with one holder. NULL = out of memory. */
struct loan *loan_new(struct leases *, struct vault *, const char *user, int64_t request_id,
                      enum loan_origin);
/* Sets the end and starts the timed release. `ends_ms` is monotonic. */
void loan_set_end(struct loan *, uint64_t ends_ms, int64_t expires_wall_ms);
void loan_end_now(struct loan *); /* its leases end in the next turn */
void loan_take(struct loan *);    /* one holder in flight more; only while OPEN */
/* One less; the last one ends the loan. `lease_id` names it in the log. */
void loan_drop(struct loan *, const char lease_id[ID_SIZE]);
void loan_gone(struct loan *); /* the vault said that the request is no more */
size_t loan_holders(const struct loan *);

/* ---- giving back: checkin.c ---- */

/* OPEN and without holders: begins the check-in. */
void loan_return(struct loan *, const char lease_id[ID_SIZE]);
bool loan_in_flight(const struct loan *); /* a check-in is on its way right now */
/* Takes a loan back that is waiting for its next attempt; true = OPEN again, with one holder. */
bool loan_reopen(struct loan *);
/* A person waits for the outcome: the next attempt is made now rather than later. */
void loan_hurry(struct loan *);
void loan_watch(struct loan *, struct loan_watch *);
void loan_unwatch(struct loan_watch *); /* any number of times */
void loan_cancel(struct loan *);        /* leases_free() */

/* ---- the table as a whole ---- */

void leases_close_all(
    struct leases *); /* release_on_stop: ends every lease, and each one opened from now on */
bool leases_quiet(const struct leases *, bool all_returned);
struct broker_state;
void leases_state(struct leases *, struct broker_state *);

#endif
