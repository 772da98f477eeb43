/*
 * internal.h - the inside of the lease table (struct leases), for the files of this folder alone.
 *
 * lease_table.h describes leases and vault requests; here is what only the files that change them need. Each
 * file has one part of the life: restore.c makes the table from the store, lease_life.c begins and ends
 * leases, checkin.c gives vault requests back, intent.c recovers those of unknown outcome, reconcile.c
 * compares with the vault's lists, and lease_table.c has the objects and their memory.
 *
 * Invariants: each count is the number of objects in the state it names; a vault request is found in
 * `requests` until it is LAPSED, and never afterwards.
 */
#ifndef JG_BROKER_LEASES_INTERNAL_H
#define JG_BROKER_LEASES_INTERNAL_H

#include "broker/leases/active_requests.h"
#include "broker/leases/checkin.h"
#include "broker/leases/intent.h"
#include "broker/leases/journal.h"
#include "broker/leases/lease_index.h"
#include "broker/leases/lease_life.h"
#include "broker/leases/lease_table.h"
#include "broker/leases/lease_tag.h"
#include "broker/leases/leases.h"
#include "broker/leases/lsid_index.h"
#include "broker/leases/reconcile.h"
#include "broker/leases/request_identity.h"
#include "broker/leases/sites.h"
#include "broker/leases/vault_ref.h"

struct leases {
    struct timers *timers;
    const struct clock *clock;
    struct journal *journal;
    struct audit *audit; /* NULL = none is kept */
    struct active_requests_reader *reader;
    struct reconcile *reconcile;
    struct lease_tag tag;
    struct lease_index lease_index;
    struct session_leases *sessions; /* by key */
    struct lsid_entry *lsids;        /* by key */
    struct site_list sites;
    struct deadline restored;       /* ends leases of the store whose PRA session has ended */
    struct vault_request *requests; /* by name, several may have one; LAPSED ones are in `lapsed` instead */
    int64_t requestless;            /* vault requests without a request at the vault that were ever made */
    struct vault_refs vaults;
    TAILQ_HEAD(, checkin) lapsed; /* oldest first */
    size_t nlapsed;
    size_t nleases;
    size_t nintents;
    size_t in_flight; /* check-ins on their way or in a queue */
    size_t retrying;  /* vault requests that wait for their next attempt */
    size_t recoveries;
    /* The last lease of an unproven request ends: it becomes an intent, which finds the request by its mark.
     * A pointer, since intents end in lease_life.c themselves. */
    void (*recover_unproven)(struct lease *, struct vault_request *);
    bool closing;             /* release_on_stop */
    uint64_t burst_ms, burst; /* timed releases in this millisecond */
    uint64_t lapsed_ever;
    uint64_t random; /* of backoff_ms() */
};

/* ---- leases: lease_table.c ---- */

/* A lease in any state, as yet without vault request or intent. NULL = out of memory. */
struct lease *lease_new(struct leases *, const struct session *, const char *credential_id, const char *id,
                        int64_t created_wall_ms);
/* Out of the index and freed; its row stays. */
void lease_free(struct leases *, struct lease *);
/* The session's open lease on this credential; NULL = none. */
struct lease *session_leases_lease(const struct session_leases *, const char *credential_id);
/* Puts an OPEN lease on its vault request and into its session_leases. */
void lease_link(struct lease *, struct vault_request *);
/* Puts it on its vault request as a cover: RELEASING. */
void lease_cover(struct lease *, struct vault_request *);
/* Discards all covers of a vault request. */
void vault_request_uncover(struct vault_request *);

/* ---- check-ins: checkin.c ---- */

struct checkin_call;

/* Of a RETURNING or LAPSED vault request. It waits for its deadline, is in the queue, or has a call on its
 * way. */
struct checkin {
    struct vault_request *request;
    struct checkin_call *call; /* on its way */
    struct checkin_queue_item queued;
    TAILQ_ENTRY(checkin) lapsed;
    LIST_HEAD(watch_list, vault_request_watch) watches;
    const char *last_error; /* NULL = none; never freed */
    int64_t next_wall_ms;
    unsigned attempts;
    bool waiting; /* for its deadline */
    bool tried;   /* by this process */
    bool unknown; /* some attempt may have reached the vault */
};

enum request_end {
    END_CHECKED_IN, /* the vault confirmed */
    END_ALREADY_GONE,
    END_LAPSED,   /* the vault's own expiry came first */
    END_FORGOTTEN /* not for the gateway to check in */
};
/* Takes it out of the table, calls its watches, frees it. */
void vault_request_end(struct vault_request *, enum request_end);
/* A vault request of the store is RETURNING, with a cover and `attempts` made; the next one after `delay_ms`.
 */
void vault_request_resume(struct vault_request *, int64_t attempts, const char *last_error,
                          uint64_t delay_ms);
void vault_request_resume_lapsed(struct vault_request *, int64_t attempts, const char *last_error,
                                 uint64_t keep_ms);
/* Some check-in has reached the vault, or may have. */
bool vault_request_checkin_sent(const struct vault_request *);
/* A RETURNING vault request is HELD again; its watches go into `aside`. */
void vault_request_stop_checkin(struct vault_request *, struct watch_list *aside);
void watch_list_notify(struct watch_list *, bool ended);
void vault_request_cancel(struct vault_request *); /* stops everything, without callbacks */

/* ---- intents: intent.c ---- */

struct intent {
    struct leases *leases;
    struct lease *lease;
    struct vault *vault;
    uint64_t ends_ms;    /* of what is asked for */
    uint64_t settled_ms; /* from then on the call cannot arrive any more */
    int64_t expires_wall_ms;
    struct deadline deadline;
    struct active_requests_wait wait;
    unsigned attempts, failures;
    bool recovering;
    const char *name; /* of an unproven request; "" = not known. Behind the user */
    char user[];
};

void intent_recover_unproven(struct lease *, struct vault_request *); /* as leases.recover_unproven */

int leases_restore(struct leases *); /* restore.c: 0 or -errno */

#endif
