/*
 * operation.h - what all operations in flight have in common; private to the broker.
 *
 * An op is a member of find, endpoints, checkout, release, session_ended and session_started, whose object
 * frees itself at its end. `left` is set by broker_leave(); `leave` is the op's own reaction (a read is
 * dropped, a check-out already sent is awaited and undone). The deadline fires `expired`.
 */
#ifndef JG_BROKER_OPERATION_H
#define JG_BROKER_OPERATION_H

#include "broker/broker.h"
#include "broker/identity/credential_id.h"
#include "broker/identity/usermap.h"
#include "broker/lists/account_lists.h"

#include <stddef.h>
#include <sys/queue.h>

struct catalogue_cache;
struct explain;
struct leases;
struct session_queue;

struct op_class {
    void (*leave)(struct op *); /* the client has left; may free the op */
    void (*expired)(struct op *);
    void (*destroy)(struct op *); /* broker_free(): cancel everything and free, no callbacks */
};

struct op {
    const struct op_class *class;
    struct broker *broker;
    struct deadline deadline;
    uint64_t ends_ms; /* monotonic deadline of the caller */
    bool left;
    TAILQ_ENTRY(op) link;
};

struct broker {
    struct timers *timers;
    const struct clock *clock;
    const struct conf *conf;
    struct vault **vaults;
    size_t nvaults;
    struct account_lists *lists;
    struct catalogue_cache *catalogue_cache; /* of endpoints, per user */
    struct explain *explain;                 /* why finds came back as they did */
    struct partial_answers *partial;         /* answers in which a vault is missing; NULL = not counted */
    struct leases *leases;
    struct audit *audit;                  /* NULL = none is kept */
    struct session_queue *session_queues; /* check-outs in flight, by session: checkout/session_queue.c */
    bool draining;
    bool releases_on_stop; /* known when it drains */
    TAILQ_HEAD(op_list, op) ops;
    size_t nops;
    uint64_t checkouts, releases;
    struct session_ends session_ends[SESSION_END_NSOURCES];
    /* of a shared store: */
    enum { NOT_HANDED_OVER, HANDING_OVER_ROWS, HANDED_OVER, NOT_TAKEN } hand_over;
    bool says_it_waits; /* the stop, for the store */
    /* release_work.h */
    LIST_HEAD(, release_work) works;
    size_t nworks;
    uint64_t foreign_releases; /* of them on requests of other gateways */
};

struct lease;
struct lsid_entry;
struct session_end;
struct session_leases;

/*
 * The session has ended, or releases this credential (NULL = all): its check-outs in flight end as well, and
 * are undone. Their callers are answered in the next iteration. checkout.c.
 */
void checkouts_end(struct broker *, const struct session_leases *session, const char *credential_id);
/* The same for the one that holds this lease before its session does; false = there is none. */
bool checkouts_end_lease(struct broker *, const struct lease *);

/* The gateway was fenced: all check-outs in flight end, and are answered so. checkout.c. */
void checkouts_void(struct broker *);

/* The check-outs in flight of the session have this lsid from now on. 0 or -ENOMEM. checkout/session_end.c.
 */
int checkouts_set_lsid(struct broker *, const struct session_leases *session, const char *lsid);
/*
 * The site says that this session has ended: its check-outs in flight are answered as usual, and their leases
 * end then. Returns their number. Before the session's leases are ended.
 */
size_t checkouts_note_end(const struct lsid_entry *, const struct session_end *);

/* Puts the op on the list and starts its deadline. 0 or -ENOMEM. */
int op_begin(struct op *, const struct op_class *, struct broker *, uint64_t timeout_ms);
/* Its deadline is over: `expired` in a later iteration. */
void op_expire_soon(struct op *);
void op_end(struct op *); /* off the list, deadline stopped; the caller frees */
/* Milliseconds the caller still has; at least 1. */
uint64_t op_time_left(const struct op *);
/* NULL when there is no vault of that name. */
struct vault *broker_vault(const struct broker *, const char *name);
/* The vault of this id and the id's parts; NULL = it is not one that credentials/find gave out. */
struct vault *broker_vault_of_credential(const struct broker *, const char *credential_id,
                                         struct credential_ref *);

/* The next vault call of an op: user and time left filled in, answer fields cleared. */
void op_vault_call(const struct op *, struct vault_call *, const char *user,
                   void (*done)(struct vault_call *));

#endif
