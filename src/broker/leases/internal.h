/*
 * internal.h - the inside of the lease table (struct leases), for the files of this folder alone.
 *
 * lease_table.h describes leases and vault requests; here is what only the files that change them need. Each
 * file has one part of the life: restore.c makes the table from the store, lease_life.c begins and ends
 * leases, request_states.c moves vault requests from state to state, recovery.c and checkin.c have the
 * states in which one is looked for and given back, spin.c those of what follows, reconcile.c compares with
 * the vault's lists, rows.c says it all to the journal, shared.c follows the outcomes of steps that a shared
 * store decides, and lease_table.c has the objects and their memory.
 *
 * Invariants: in_state[] counts the vault requests by state; each is the `request` of its asker, which is in
 * the table; those with a name are in `requests`, but for one that is VR_LAPSED or that a recovery looks for.
 */
#ifndef JG_BROKER_LEASES_INTERNAL_H
#define JG_BROKER_LEASES_INTERNAL_H

#include "broker/leases/active_requests.h"
#include "broker/leases/checkin.h"
#include "broker/leases/checkin_queue.h"
#include "broker/leases/journal.h"
#include "broker/leases/key_doubt.h"
#include "broker/leases/keyed.h"
#include "broker/leases/known_users.h"
#include "broker/leases/lease_life.h"
#include "broker/leases/lease_table.h"
#include "broker/leases/lease_tag.h"
#include "broker/leases/leases.h"
#include "broker/leases/list_share.h"
#include "broker/leases/lsid_index.h"
#include "broker/leases/pending.h"
#include "broker/leases/reconcile.h"
#include "broker/leases/recovery.h"
#include "broker/leases/request_identity.h"
#include "broker/leases/request_states.h"
#include "broker/leases/rows.h"
#include "broker/leases/shared.h"
#include "broker/leases/shared_strays.h"
#include "broker/leases/sites.h"
#include "broker/leases/spin.h"
#include "broker/leases/spin_debt.h"
#include "broker/leases/vault_ref.h"

struct leases {
    struct timers *timers;
    const struct clock *clock;
    struct journal *journal;
    const struct vr_step *const *steps; /* by state */
    struct audit *audit;                /* NULL = none is kept */
    struct active_requests_reader *reader;
    struct reconcile *reconcile;
    struct lease_tag tag;
    struct store *shared; /* NULL = the store is the gateway's alone */
    /* leases_adopt(), which is built on what calls it */
    int (*adopt)(struct leases *, const struct request_row *, const struct lease_row *const *, size_t n);
    /* shared_damaged(), which is built on what calls it */
    void (*damaged)(struct vault_request *, const struct lease_row *left);
    bool was_fenced; /* and has not joined again as yet */
    bool voiding;    /* the gateway was fenced: nothing is written for what ends now */
    LIST_HEAD(shared_steps, shared_step) shared_steps; /* whose outcomes are awaited */
    struct shared_step *releases;                      /* on their way, by lease */
    LIST_HEAD(, shared_look) looks;
    struct { /* shared_missed.c */
        struct store_question question;
        struct deadline again;
        bool must_repeat;
        void (*begin)(struct leases *); /* shared_missed(), which is built on what calls it */
    } missed;
    struct list_share share;
    struct suspect *suspects;             /* shared_strays.c */
    TAILQ_HEAD(, known_user) known_users; /* known_users.c */
    size_t nknown_users;
    struct lease *leases_by_id;      /* in any state; the hash keeps the order of creation */
    struct lease *next_lease;        /* of the walk */
    uint64_t last_number;            /* of a lease */
    struct session_leases *sessions; /* by key */
    struct lsid_entry *lsids;        /* by key */
    struct lsid_others lsid_others;  /* of a shared store */
    struct site_list sites;
    struct deadline restored;       /* ends leases of the store whose PRA session has ended */
    struct vault_request *requests; /* by name, several may have one */
    struct vault_refs vaults;
    TAILQ_HEAD(work_list, request_work) lapsed; /* oldest first */
    struct work_list pending;
    size_t in_state[VR_NSTATES];
    size_t nleases;           /* open */
    bool closing;             /* release_on_stop */
    bool draining;            /* no spin is begun any more */
    uint64_t burst_ms, burst; /* timed releases in this millisecond */
    uint64_t lapsed_ever;
    uint64_t random; /* of backoff_ms() */
};

/* ---- the work on a vault request that recovery or check-in has ---- */

struct request_work {
    struct vault_request *request;
    /* recovery.c */
    struct active_requests_wait look;
    uint64_t settled_ms; /* from then on no sending of its call can arrive any more; 0 = none was lost */
    unsigned looks, failures;
    bool list_was_read;
    bool given_back; /* it has ended, and another sending of its call may have made another */
    char *found;     /* the name of the request in the list; NULL = it was not there */
    /* keyed.c */
    uint64_t checkout_until_ms, checkin_until_ms; /* until then a call whose answer was lost may arrive */
    LIST_HEAD(, key_wait) key_waits;
    char last_holder[ID_SIZE]; /* "" = its asker */
    unsigned spins;            /* that have failed (spin.h) */
    int64_t began_wall_ms;     /* its check-out, where one has taken it back (spin.h); 0 = with its asker */
    bool is_dropped;           /* by an operator, while its check-in is under way */
    bool is_recovered;         /* no one has held it: a check-out of unknown outcome */
    /* checkin.c */
    struct vault_call *call;       /* on its way */
    struct journal_wait returning; /* for the last STEP_RETURN */
    struct journal_wait row_written;
    bool is_row_written; /* of a keyed one: the row that says RETURNING is durable */
    struct checkin_queue_item queued;
    LIST_HEAD(watch_list, vault_request_watch) watches;
    const char *last_error; /* NULL = none; never freed */
    int64_t next_wall_ms;
    unsigned attempts;
    bool hurried;         /* a caller waits for the outcome */
    bool tried;           /* by this process */
    bool is_listed;       /* in leases.lapsed, or in leases.pending */
    bool *on_its_way;     /* where the queue asks whether the call has begun */
    uint64_t delay_ms;    /* of LOOK_LATER and RETRY */
    uint64_t retry_at_ms; /* RETRY: when the next attempt begins, monotonic */
    TAILQ_ENTRY(request_work) of_list;
    struct request_row *elsewhere; /* of another gateway's: its row; NULL = it is this gateway's */
};

/* The request's own, made if there is none. NULL = out of memory. */
struct request_work *request_work_get(struct vault_request *);

/* In the store. One whose name is known is looked for because it is not known whose it is, or once more. */
static inline enum request_state vault_request_row_state(const struct vault_request *r)
{
    if (r->state == VR_SETTLING && r->origin != ORIGIN_UNKNOWN)
        return REQUEST_HELD;
    return vault_request_is_looked_for(r) && r->name ? REQUEST_RETURNING
                                                     : r->vault_ref->leases->steps[r->state]->row;
}

/* ---- leases: lease_table.c ---- */

/* A lease in state ASKING, with no request as yet. NULL = out of memory. */
struct lease *lease_new(struct leases *, const struct lease_args *, int64_t created_wall_ms);
/* Out of the table and freed. */
void lease_free(struct leases *, struct lease *);
/*
 * A walk over the leases with a number above `after`, oldest first, in any state. Any lease may be added or
 * freed between two steps. One walk at a time. NULL = the walk is over.
 */
struct lease *lease_first(struct leases *, uint64_t after);
struct lease *lease_next(struct leases *);
/* The session's open lease on this credential; NULL = none. */
struct lease *session_leases_lease(const struct session_leases *, const char *credential_id);
/* Puts it on its vault request and into its session_leases: OPEN. */
void lease_link(struct lease *, struct vault_request *);
/* Off both: ENDED. */
void lease_unlink(struct lease *);

/* ---- vault requests: lease_table.c ---- */

/* VR_ASKED, of origin UNKNOWN, held by the check-out of its asker. NULL = out of memory. */
struct vault_request *vault_request_new(struct leases *, struct vault *, const char *user,
                                        struct lease *asker);
/* Its memory, with the asker's unless that is open. */
void vault_request_free(struct vault_request *);
void vault_request_hide(struct vault_request *); /* not found by its name any more; any number of times */

/* ---- restore.c ---- */

int leases_restore(struct leases *); /* 0 or -errno */
/* A request that is this gateway's from now on, and the leases that hold it, of a shared store. 0 or -ENOMEM.
 */
int leases_adopt(struct leases *, const struct request_row *, const struct lease_row *const *, size_t n);

#endif
