/*
 * lease_table.h - leases, the sessions that hold them, and the vault requests they hold.
 *
 *   session_leases   the leases of one PRA session of one person    1 --- n  leases
 *   lease            this session may use this credential           n --- 1  vault request
 *   vault request    one request at the vault: about to be made, held by leases and check-outs in flight, or
 *                    being given back
 *
 * Each check-out that asks the vault makes a lease and a vault request (VR_ASKED) whose mark is the lease's
 * id: the mark that the vault's reason has. The answer may name a request that the table has already (the
 * vault's reuse): then the lease joins that one, and its own ends. So a vault request has its asker, the
 * lease for which it was asked, and any number of open leases, the asker among them or not.
 *
 *   lease   ASKING --settled: its row is put--> SETTLED --answered--> OPEN --release, time, "gone"--> ENDED
 *
 * The states of a vault request are in request_states.h. Both kinds are rows of the store (stores/store.h):
 * a request from before the vault is asked until the vault has confirmed its end, a lease from SETTLED on.
 *
 * A vault request that the vault has named is found by that name, user and account (request_identity.h).
 *
 * A vault request that was the person's own (ORIGIN_FOREIGN) ends without a check-in with its last holder; so
 * does one of which the vault keeps no request (ORIGIN_NO_REQUEST: it has no name, is held for its time and
 * never found). One of which it is not known yet (ORIGIN_UNKNOWN) is looked for at the vault first. One of
 * the gateway's own is checked in even where the vault said that it is gone: the vault says so again.
 *
 * In a shared store the table has the requests of which this gateway is the owner, and of their leases those
 * that it knows of: other gateways add and end leases on them. What holds a request is decided by the store
 * (shared.h).
 *
 * Not here: what opens and ends leases (lease_life.h), check-ins (checkin.h), the table as a whole
 * (leases.h).
 */
#ifndef JG_BROKER_LEASES_LEASE_TABLE_H
#define JG_BROKER_LEASES_LEASE_TABLE_H

#include "backends/backend.h"
#include "base/id.h"
#include "base/lsid.h"
#include "base/timers.h"
#include "base/uthash_nofail.h"
#include "broker/identity/session.h"
#include "stores/store.h"

#include <sys/queue.h>

enum lease_state { LEASE_ASKING, LEASE_SETTLED, LEASE_OPEN, LEASE_ENDED };
enum request_origin { ORIGIN_OURS, ORIGIN_FOREIGN, ORIGIN_UNKNOWN, ORIGIN_NO_REQUEST };

/* What a vault request waits for: the rows of the table of states (leases.c). */
enum vr_state {
    VR_ASKED,       /* its check-out is in flight */
    VR_LOOKING,     /* recovery: a list of its user's live requests is read */
    VR_LOOK_LATER,  /* until the next attempt of the recovery */
    VR_HELD,        /* for its holders or its time */
    VR_PENDING,     /* for its approver; held only while a check-out asks for its secret */
    VR_QUEUED,      /* check-in: for a place at the vault */
    VR_CHECKING_IN, /* for the vault's answer */
    VR_RETRY,       /* until the next attempt of the check-in */
    VR_LAPSED,      /* for the end of its day */
    VR_SETTLING,    /* keyed.h: until no lost check-out can take effect any more */
    VR_QUIET,       /* keyed.h: given back, until no lost check-in or spin can take effect any more */
    VR_SPIN_DUE,    /* spin.h: given back, until its spin is to be sent */
    VR_SPIN_QUEUED, /* for its row, and for a place at the vault */
    VR_SPINNING,    /* for the vault's answer */
    VR_ELSEWHERE,   /* another gateway's: for the check-outs that read through it */
    VR_ENDED,
    VR_NSTATES
};

struct leases;
struct lsid_entry;
struct request_work;
struct session_end;
struct vault_ref;

SLIST_HEAD(lease_list, lease);

struct vault_request {
    UT_hash_handle hh; /* leases.requests, by name, while it has one */
    struct vault_ref *vault_ref;
    struct lease *asker;       /* its id is the mark; it may have ended, or be of no session (a stray) */
    char *name;                /* the vault's; NULL = not known, or the vault keeps no request */
    char *handle;              /* of a keyed one: what identify() gave; NULL = "" */
    struct lease_list leased;  /* open leases */
    struct deadline deadline;  /* of its state; it has a place */
    uint64_t ends_ms;          /* monotonic end of its leases */
    int64_t expires_wall_ms;   /* the end, as shown */
    struct request_work *work; /* of recovery and check-in; NULL = none as yet, or no memory */
    uint32_t checkouts;        /* in flight that hold it */
    union {
        uint16_t outcomes; /* of steps of a shared store on it: two of one question's time are compared */
        uint16_t due;      /* of a store that is the gateway's own: check-ins that are due (key_due.h) */
    };
    uint8_t state;          /* enum vr_state: request_states.c alone sets it */
    uint8_t origin;         /* enum request_origin */
    bool has_row : 1;       /* in the store, as far as its steps will be applied */
    bool step_lost : 1;     /* of its rows, for want of memory */
    bool gone : 1;          /* the vault said that the request is no more */
    bool missed : 1;        /* one list of live requests did not have it */
    bool unseen : 1;        /* of a shared store: the scan under way has not shown its row yet */
    bool expired : 1;       /* its end has passed */
    bool refused : 1;       /* the vault answered its POST with a conflict: one look is enough */
    bool is_keyed : 1;      /* its key comes again (keyed.h) */
    bool was_lost : 1;      /* of a keyed one: some check-out of it was of unknown outcome */
    unsigned spin : 2;      /* enum request_spin, of a keyed one (spin.h) */
    bool session_ended : 1; /* its last lease ended with its PRA session: its check-in goes after others */
    /* of a shared store: */
    bool returned : 1;   /* the store has it as RETURNING, this gateway's: it follows the last check-out */
    bool undecided : 1;  /* the step that makes it RETURNING is on its way: no check-in before its outcome */
    bool opening : 1;    /* the step that makes it HELD is on its way: what the store has is of before */
    bool unwritten : 1;  /* that step could not be put, for want of memory */
    bool is_adopted : 1; /* it was another gateway's, or this one's before: its end is in the vault's time */
    char short_name[10]; /* what `name` is, where it fits */
    char user[];         /* who holds it at the vault */
};

struct lease {
    UT_hash_handle hh; /* leases.leases_by_id */
    uint64_t number;   /* in order of creation, never changes: a cursor of listings */
    SLIST_ENTRY(lease) of_request, of_session;
    struct vault_request *request; /* that it holds, has held, or that was asked for it */
    struct session_leases *session_leases;
    struct lsid_entry *lsid_entry; /* lsid_index.h; NULL = its lsid is not known */
    SLIST_ENTRY(lease) of_lsid;    /* the open ones */
    char *lsid_spelled;            /* the lsid as given; NULL = as the key of its entry */
    const struct session_end *end; /* its session ended while its check-out was in flight: it ends when that
                                      has landed; NULL = not so */
    uint64_t ends_ms;              /* of a keyed request: its own end, monotonic; 0 = its request's */
    int64_t expires_wall_ms;       /* the same, as shown; 0 = its request's */
    int64_t created_s;             /* in the time in which leases of its vault end: leases_wall() */
    uint8_t state;                 /* enum lease_state */
    char id[ID_SIZE];
    char credential_id[]; /* behind it the names of system and account */
};

/* What a lease is made of; names that are NULL are not known. */
struct lease_args {
    const struct session *session;
    const char *credential_id, *id;
    const char *system, *domain, *account; /* for operators */
    const struct session_end *end;
};

struct session_leases {
    UT_hash_handle hh;
    struct lease_list leases; /* the open ones */
    uint32_t refs;            /* leases in any state */
    uint32_t key_size;
    /* user and domain, as person_key() writes them, and session id, each with its NUL; behind the key user
     * and domain as the first lease's session gave them */
    char key[];
};

/* ---- session_leases ---- */

/* A session's key in a fresh session_leases, not in any table; free() it. NULL = out of memory. */
struct session_leases *session_leases_probe(const struct session *);
/* The leases of the session with this key; NULL = none. */
struct session_leases *session_leases_find(const struct leases *, const struct session_leases *probe);
/* Gives the session's user and domain the spelling that the records of its leases have, where it has leases;
 * the texts are valid as long as these. */
void session_leases_spell(const struct leases *, struct session *);
/* In the spelling of the session that came first; "" = no domain. */
const char *session_leases_user(const struct session_leases *);
const char *session_leases_domain(const struct session_leases *);
const char *session_leases_session(const struct session_leases *);

/* ---- leases ---- */

struct lease *lease_find(struct leases *, const struct session *, const char *credential_id);
struct lease *lease_by_id(const struct leases *, const char *id);
/* Is this the id of a lease of the gateway, of now or of any time before (lease_tag.h)? */
bool lease_id_known(const struct leases *, const char id[ID_SIZE]);
/* A new id; one without the tag before the gateway has joined its cluster. 0 or -EIO. */
int lease_id_new(const struct leases *, char id[ID_SIZE]) __attribute__((warn_unused_result));
/* Names for operators, the account with its domain; "" = not known. */
const char *lease_system(const struct lease *);
const char *lease_account(const struct lease *);
uint64_t lease_age_s(const struct leases *, const struct lease *);
int64_t lease_expires_wall(const struct lease *); /* its end, as shown */
/* As given; "" = not known. */
const char *lease_lsid(const struct lease *);
/* An lsid in any form; NULL or what is no lsid: none. 0 or -ENOMEM. */
int lease_set_lsid(struct leases *, struct lease *, const char *lsid);
/* The lease ends or is freed where its request does not name it as its asker any more. */
void lease_forget(struct lease *);

/* ---- vault requests ---- */

struct vault *vault_request_vault(const struct vault_request *);
const char *vault_request_name(const struct vault_request *); /* "" = none */
/* As a call names it; its texts live as long as the vault request. */
struct request_ref vault_request_ref(const struct vault_request *);
/* As the vault calls it; it is found by that name from now on. 0 or -ENOMEM. */
int vault_request_set_name(struct vault_request *, const char *name);
void vault_request_clear_name(struct vault_request *);
/* One whose key comes again, just made: key and handle, which it takes over. 0 or -ENOMEM. */
int keyed_name(struct vault_request *, const char *key, char *handle);
size_t vault_request_holders(const struct vault_request *);
void vault_request_hold(struct vault_request *); /* one check-out more holds it; VR_ASKED and VR_HELD only */

/* A check-out waits for its turn of the key (keyed.h): called once, when the record's state changes or it
 * ends, then unlinked. It changes nothing there and then. */
struct key_wait {
    void (*changed)(struct key_wait *);
    struct vault_request *request; /* NULL = it does not wait */
    LIST_ENTRY(key_wait) link;
};
int key_wait_join(struct vault_request *, struct key_wait *); /* 0 or -ENOMEM */
void key_wait_leave(struct key_wait *);                       /* any number of times */
void key_waits_notify(struct vault_request *);

#endif
