/*
 * lease_table.h - who holds what: leases of PRA sessions, and the vault requests they stand on.
 *
 *   session_leases  one PRA session of one PRA user      1 --- n  leases
 *   lease    this session may use this credential n --- 1  vault request
 *   vault request     one live vault request               holders = open leases + check-outs in flight that
 * know it intent   a request that was sent and of which we do not yet know what became of it (intent.c)
 *
 * A lease is also one row of the journal, from before the vault is asked until nothing is left to do:
 *
 *   INTENT --request id known--> OPEN --last holder of its vault request--> RELEASING --checked in, gone-->
 * removed |                          | others hold the vault request: removed      \--vault's own expiry-->
 * LAPSED
 *      +--nothing came of it: removed
 *
 * A vault request is found by (vault, request id); its user is a part of it, not of its name. Its life:
 *
 *   OPEN --last holder gone--> RETURNING --checked in, or already gone--> freed
 *     ^                           |     \--past the vault's own expiry--> LAPSED, freed after a day
 *     +--loan_reopen()------------+   only while it is certain that no check-in has reached the vault
 *
 * A RETURNING vault request keeps a lease in state RELEASING as its cover: the row by which a restart would
 * find it. A vault request taken back keeps its cover until another lease of it is durable, so that no
 * instant is without one.
 *
 * A vault request that was the person's own before us (ADOPTED), or of which that is not yet known
 * (UNKNOWN), is dropped without a check-in when its last holder goes; so is one the vault said is gone, and
 * one of which the vault keeps no request (LOCAL: its request id is 0, it is held for its time and never
 * looked for).
 */
#ifndef JG_BROKER_LEASES_LEASE_TABLE_H
#define JG_BROKER_LEASES_LEASE_TABLE_H

#include "backends/backend.h"
#include "base/hash_table.h"
#include "base/id.h"
#include "base/timers.h"
#include "broker/identity/session.h"
#include "stores/store.h"

#include <sys/queue.h>

enum vault_request_state { REQUEST_HELD, REQUEST_RETURNING, REQUEST_LAPSED };
enum request_origin { ORIGIN_OURS, ORIGIN_FOREIGN, ORIGIN_UNKNOWN, ORIGIN_NO_REQUEST };

struct audit;
struct leases;
struct checkin;
struct intent;
struct journal;
struct lease;
struct session_leases;

SLIST_HEAD(lease_list, lease);

/* Waits for what becomes of a check-in: told once, then unlinked; it may watch again. */
struct vault_request_watch {
    void (*on_ended)(struct vault_request_watch *,
                     bool ended);  /* ended: the vault request is gone; else the attempt failed, or
                         somebody has taken the vault request back */
    struct vault_request *request; /* NULL = not watching */
    LIST_ENTRY(vault_request_watch) link;
};

struct vault_request {
    struct table_node node; /* spare: check-outs in flight that hold it */
    struct leases *leases;
    struct lease_list held; /* open leases, and covers (state RELEASING) */
    struct deadline
        deadline; /* OPEN: timed release; RETURNING: the next attempt; LAPSED: the end of its day */
    union {
        uint64_t ends_ms; /* monotonic end of the leases: vault_request_ends() */
        struct checkin
            *checkin; /* has_checkin: while RETURNING, if there was memory for it; it has the end */
    };
    int64_t expires_wall_ms; /* the end, as shown */
    int64_t request_id;
    uint16_t checkin_queue; /* its vault */
    uint8_t state, origin;
    bool has_checkin : 1;
    bool gone : 1;    /* the vault said that it is no more */
    bool missed : 1;  /* one list of the vault's did not have it */
    bool expired : 1; /* its time has come */
    char user[];
};

struct lease {
    SLIST_ENTRY(lease) of_request, of_session;
    union {
        struct vault_request *request; /* OPEN, RELEASING, LAPSED */
        struct intent *intent;         /* INTENT; NULL = between two requests */
    };
    struct session_leases *session_leases;
    uint32_t number;    /* low half of its number in the index */
    uint32_t created_s; /* wall clock */
    uint8_t state;      /* enum lease_state */
    char id[ID_SIZE];
    char credential_id[];
};

struct session_leases {
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

/* ---- session_leases and leases ---- */

/* A session's key in a fresh session_leases, not in any table; free() it. NULL = out of memory. */
struct session_leases *session_leases_probe(const struct session *);
/* The leases of the session with this key; NULL = none. */
struct session_leases *session_leases_find(const struct leases *, const struct session_leases *probe);
struct lease *lease_find(struct leases *, const struct session *, const char *credential_id);
struct lease *lease_by_id(const struct leases *, const char *id);
/* Is this the id of a lease of ours, of now or of not long ago? */
bool lease_id_known(const struct leases *, const char id[ID_SIZE]);
/* A lease in state INTENT, of which the store knows nothing yet. NULL = out of memory. */
struct lease *lease_intend(struct leases *, const struct session *, const char *credential_id,
                           const char id[ID_SIZE]);
/* The request is known: the row becomes OPEN. A check-out in flight still holds the vault request. 0 or
 * -ENOMEM. */
int lease_settle(struct lease *, struct vault_request *);
/* The request turned out dead: an INTENT again, without intent as yet. */
void lease_unsettle(struct lease *);
/* Makes one of the vault request's holders in flight the session's lease: an INTENT that was settled. */
void lease_open(struct lease *);
/* Nothing comes of it: the row goes, and the lease with it. */
void lease_discard(struct leases *, struct lease *);
/* Ends an open lease; the vault request is given back if that was its last holder. `why` is a word for the
 * log. */
void lease_close(struct lease *, const char *why);
bool lease_is_held(const struct lease *); /* open, and handed over to its session */
uint64_t lease_age_s(const struct leases *, const struct lease *);
const char *session_leases_user(const struct session_leases *);
const char *session_leases_domain(const struct session_leases *);
const char *session_leases_session(const struct session_leases *);

/* ---- rows: lease_row.c ---- */

/* Tells the journal what the row of this lease is now. 0 or -ENOMEM. */
int lease_tell(struct leases *, const struct lease *);

/* ---- vault requests ---- */

struct vault *vault_request_vault(const struct vault_request *);
const char *
vault_request_url(const struct vault_request *); /* its vault's, in one spelling; "" = not known */
/*
 * A record with this id at this vault, whichever section of the configuration leads there; `vault` NULL = at
 * any. Whether it is the request that is meant: vault_request_known().
 */
struct vault_request *vault_request_find(const struct leases *, const struct vault *, int64_t request_id);
bool vault_request_is_at(const struct vault_request *, const struct vault *);
/* `vault` has turned out to lead to where the request is: from now on the two sections are one vault. */
void vault_request_join(const struct vault_request *, const struct vault *);
/*
 * An account as a list of the vault or a credential names it; 0 = not told. vault_account_fits(): may it be
 * the credential's? An alias may stand for any account, and an account that is linked or of an application
 * is known by its own number alone.
 */
struct vault_account {
    int64_t system_id, account_id;
};
struct credential_ref;
struct vault_account row_account(const struct active_request *);
struct vault_account ref_account(const struct credential_ref *);
bool vault_account_fits(struct vault_account, const char *credential_id);
/* False = some lease on it is of another account. */
bool vault_request_of_account(const struct vault_request *, struct vault_account);
/*
 * The record of this id that may be this user's and of this account. The number alone proves nothing: a row
 * of the store may be of another vault that had the section's name before (origin UNKNOWN). A record that is
 * not in doubt is found however its user is spelled.
 */
struct vault_request *vault_request_known(const struct leases *, const struct vault *, int64_t request_id,
                                          const char *user, struct vault_account);
/*
 * The record of the request in this row of a vault's list, by the mark in its reason: also where another
 * section leads to the same vault by another address. NULL = none.
 */
struct vault_request *vault_request_marked(const struct leases *, const struct active_request *,
                                           const char *mark);
/*
 * A restored request whose section has led elsewhere before: whether it is at this vault is not known yet.
 * Its vault's list proves it by our mark (vault_request_prove); without that it is never checked in.
 */
bool vault_request_is_unproven(const struct vault_request *);
/* Is the request in this row, of the same id and account, one of ours? */
bool vault_request_proven(const struct vault_request *, const struct active_request *);
void vault_request_prove(struct vault_request *);
/* A new OPEN vault request with one holder. `user` is who holds it at the vault: its check-in runs as this
 * user. NULL = out of memory. */
struct vault_request *vault_request_new(struct leases *, struct vault *, const char *user, int64_t request_id,
                                        enum request_origin);
/* Sets the end and starts the timed release. `ends_ms` is monotonic. */
void vault_request_set_end(struct vault_request *, uint64_t ends_ms, int64_t expires_wall_ms);
uint64_t vault_request_ends(const struct vault_request *);
/* Its time is over though its timer has not come up yet: its leases end now. False = it is not; the vault
 * request may be gone after true. */
bool vault_request_expire(struct vault_request *);
void vault_request_end_now(struct vault_request *); /* its leases end in the next turn */
void vault_request_take(struct vault_request *);    /* one holder in flight more; only while OPEN */
/*
 * One holder in flight less; the last one ends the vault request. `lease`, if not NULL, is the one it had
 * settled or meant to: it becomes the vault request's cover, or goes.
 */
void vault_request_drop(struct vault_request *, struct lease *);
void vault_request_gone(struct vault_request *); /* the vault said that the request is no more */
size_t vault_request_holders(const struct vault_request *);

/* ---- giving back: checkin.c ---- */

/* OPEN and without holders: begins the check-in; one of `held` is the cover. */
void vault_request_return(struct vault_request *, bool tell);
bool vault_request_in_flight(const struct vault_request *); /* a check-in is on its way, or next in line */
/* Takes a vault request back that is waiting for its next attempt; true = OPEN again, with one holder. */
bool vault_request_reopen(struct vault_request *);
/* A person waits for the outcome: the next attempt is made now rather than later. */
void vault_request_hurry(struct vault_request *);
/* RETURNING only. False = it cannot be watched (out of memory). */
bool vault_request_watch(struct vault_request *, struct vault_request_watch *);
void vault_request_unwatch(struct vault_request_watch *); /* any number of times */
void vault_request_cancel(struct vault_request *);        /* leases_free() */
void vault_request_forget(struct vault_request *);        /* LAPSED: a person has seen it */

/* ---- the table as a whole ---- */

void leases_close_all(
    struct leases *); /* release_on_stop: ends every lease, and each one opened from now on */
bool leases_quiet(const struct leases *, bool all_returned);
struct broker_state;
void leases_state(struct leases *, struct broker_state *);

#endif
