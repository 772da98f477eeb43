/*
 * lease.h - who holds what: leases of PRA sessions, and the vault requests (loans) they stand on.
 *
 *   sitting  one PRA session of one PRA user      1 --- n  leases
 *   lease    this session may use this credential n --- 1  loan
 *   loan     one live vault request               holders = open leases + check-outs in flight that know it
 *   intent   a request that was sent and of which we do not yet know what became of it (intent.c)
 *
 * A lease is also one row of the journal, from before the vault is asked until nothing is left to do:
 *
 *   INTENT --request id known--> OPEN --last holder of its loan--> RELEASING --checked in, gone--> removed
 *      |                          | others hold the loan: removed      \--vault's own expiry--> LAPSED
 *      +--nothing came of it: removed
 *
 * A loan is found by (vault, request id); its user is a part of it, not of its name. Its life:
 *
 *   OPEN --last holder gone--> RETURNING --checked in, or already gone--> freed
 *     ^                           |     \--past the vault's own expiry--> LAPSED, freed after a day
 *     +--loan_reopen()------------+   only while it is certain that no check-in has reached the vault
 *
 * A RETURNING loan keeps a lease in state RELEASING as its cover: the row by which a restart would find it. A
 * loan taken back keeps its cover until another lease of it is durable, so that no instant is without one.
 *
 * A loan that was the person's own before us (ADOPTED), or of which that is not yet known (UNPROVEN), is
 * dropped without a check-in when its last holder goes; so is one the vault said is gone, and one of which
 * the vault keeps no request (LOCAL: its request id is 0, it is held for its time and never looked for).
 */
#ifndef JG_BROKER_LEASE_H
#define JG_BROKER_LEASE_H

#include "backends/backend.h"
#include "base/id.h"
#include "base/timers.h"
#include "broker/session.h"
#include "broker/table.h"
#include "stores/store.h"

#include <sys/queue.h>

enum loan_state { LOAN_OPEN, LOAN_RETURNING, LOAN_LAPSED_STATE };
enum loan_origin { LOAN_OURS, LOAN_ADOPTED, LOAN_UNPROVEN, LOAN_LOCAL };

struct audit;
struct leases;
struct checkin;
struct intent;
struct journal;
struct lease;
struct sitting;

SLIST_HEAD(lease_list, lease);

/* Waits for what becomes of a check-in: told once, then unlinked; it may watch again. */
struct loan_watch {
    void (*told)(struct loan_watch *, bool ended); /* ended: the loan is gone; else the attempt failed, or
                                                      somebody has taken the loan back */
    struct loan *loan;                             /* NULL = not watching */
    LIST_ENTRY(loan_watch) link;
};

struct loan {
    struct table_node node; /* spare: check-outs in flight that hold it */
    struct leases *leases;
    struct lease_list held; /* open leases, and covers (state RELEASING) */
    struct deadline
        deadline; /* OPEN: timed release; RETURNING: the next attempt; LAPSED: the end of its day */
    union {
        uint64_t ends_ms; /* monotonic end of the leases: loan_ends() */
        struct checkin
            *checkin; /* has_checkin: while RETURNING, if there was memory for it; it has the end */
    };
    int64_t expires_wall_ms; /* the end, as shown */
    int64_t request_id;
    uint16_t lane; /* its vault */
    uint8_t state, origin;
    bool has_checkin : 1;
    bool gone : 1;    /* the vault said that it is no more */
    bool missed : 1;  /* one list of the vault's did not have it */
    bool expired : 1; /* its time has come */
    char user[];
};

struct lease {
    SLIST_ENTRY(lease) of_loan, of_sitting;
    union {
        struct loan *loan;     /* OPEN, RELEASING, LAPSED */
        struct intent *intent; /* INTENT; NULL = between two requests */
    };
    struct sitting *sitting;
    uint32_t number;    /* low half of its number in the registry */
    uint32_t created_s; /* wall clock */
    uint8_t state;      /* enum lease_state */
    char id[ID_SIZE];
    char credential_id[];
};

struct sitting {
    struct table_node node;   /* spare: length of the key */
    struct lease_list leases; /* the open ones */
    uint32_t refs;            /* leases in any state */
    char key[]; /* user and domain, as person_key() writes them, and session id, each with its NUL */
};

struct leases_opts {
    struct timers *timers;
    struct vault *const *vaults;
    size_t nvaults;
    struct store *store;         /* NULL = in memory only */
    uint64_t reconcile_every_ms; /* 0 = at the start only */
    double reconcile_per_s;      /* 0 = unlimited */
    struct audit *audit;         /* NULL = none is kept */
};

/* Reads the store; NULL = it cannot be read, or out of memory. */
struct leases *leases_new(const struct leases_opts *);
void leases_free(struct leases *); /* cancels check-ins in flight; nobody is told */
struct journal *leases_journal(struct leases *);

/* ---- sittings and leases ---- */

/* A session's key in a fresh sitting, not in any table; free() it. NULL = out of memory. */
struct sitting *sitting_probe(const struct session *);
/* The leases of the session with this key; NULL = none. */
struct sitting *sitting_find(const struct leases *, const struct sitting *probe);
struct lease *lease_find(struct leases *, const struct session *, const char *credential_id);
struct lease *lease_by_id(const struct leases *, const char *id);
/* Is this the id of a lease of ours, of now or of not long ago? */
bool lease_id_known(const struct leases *, const char id[ID_SIZE]);
/* A lease in state INTENT, of which the store knows nothing yet. NULL = out of memory. */
struct lease *lease_intend(struct leases *, const struct session *, const char *credential_id,
                           const char id[ID_SIZE]);
/* The request is known: the row becomes OPEN. A check-out in flight still holds the loan. 0 or -ENOMEM. */
int lease_settle(struct lease *, struct loan *);
/* The request turned out dead: an INTENT again, without intent as yet. */
void lease_unsettle(struct lease *);
/* Makes one of the loan's holders in flight the session's lease: an INTENT that was settled. */
void lease_open(struct lease *);
/* Nothing comes of it: the row goes, and the lease with it. */
void lease_discard(struct leases *, struct lease *);
/* Ends an open lease; the loan is given back if that was its last holder. `why` is a word for the log. */
void lease_close(struct lease *, const char *why);
bool lease_is_held(const struct lease *); /* open, and handed over to its session */
uint64_t lease_age_s(const struct leases *, const struct lease *);
const char *sitting_user(const struct sitting *);
const char *sitting_domain(const struct sitting *);
const char *sitting_session(const struct sitting *);

/* ---- rows: lease_row.c ---- */

/* Tells the journal what the row of this lease is now. 0 or -ENOMEM. */
int lease_tell(struct leases *, const struct lease *);

/* ---- loans ---- */

struct vault *loan_vault(const struct loan *);
/*
 * The request's id at its vault is what it is known by, whichever section of the configuration leads there
 * and however its user is spelled.
 */
struct loan *loan_find(struct leases *, const struct vault *, int64_t request_id);
/* A new OPEN loan with one holder. `user` is who holds it at the vault: its check-in runs as this user. NULL
 * = out of memory. */
struct loan *loan_new(struct leases *, struct vault *, const char *user, int64_t request_id,
                      enum loan_origin);
/* Sets the end and starts the timed release. `ends_ms` is monotonic. */
void loan_set_end(struct loan *, uint64_t ends_ms, int64_t expires_wall_ms);
uint64_t loan_ends(const struct loan *);
/* Its time is over though its timer has not come up yet: its leases end now. False = it is not; the loan may
 * be gone after true. */
bool loan_expire(struct loan *);
void loan_end_now(struct loan *); /* its leases end in the next turn */
void loan_take(struct loan *);    /* one holder in flight more; only while OPEN */
/*
 * One holder in flight less; the last one ends the loan. `lease`, if not NULL, is the one it had settled or
 * meant to: it becomes the loan's cover, or goes.
 */
void loan_drop(struct loan *, struct lease *);
void loan_gone(struct loan *); /* the vault said that the request is no more */
size_t loan_holders(const struct loan *);

/* ---- giving back: checkin.c ---- */

/* OPEN and without holders: begins the check-in; one of `held` is the cover. */
void loan_return(struct loan *, bool tell);
bool loan_in_flight(const struct loan *); /* a check-in is on its way, or next in line */
/* Takes a loan back that is waiting for its next attempt; true = OPEN again, with one holder. */
bool loan_reopen(struct loan *);
/* A person waits for the outcome: the next attempt is made now rather than later. */
void loan_hurry(struct loan *);
/* RETURNING only. False = it cannot be watched (out of memory). */
bool loan_watch(struct loan *, struct loan_watch *);
void loan_unwatch(struct loan_watch *); /* any number of times */
void loan_cancel(struct loan *);        /* leases_free() */
void loan_forget(struct loan *);        /* LAPSED: a person has seen it */

/* ---- the table as a whole ---- */

void leases_close_all(
    struct leases *); /* release_on_stop: ends every lease, and each one opened from now on */
bool leases_quiet(const struct leases *, bool all_returned);
struct broker_state;
void leases_state(struct leases *, struct broker_state *);

#endif
