/*
 * broker.h - the operations of the gateway, as the handlers see them.
 *
 * The broker decides which vault user a PRA user is, which accounts fit an endpoint, which session holds a
 * lease, and when it ends. It knows neither sockets nor JSON nor libcurl (no uv.h, no curl.h in this folder):
 * it uses the clock, the timers, the vaults, the store and the audit trail, and calls the functions below.
 *
 * Every operation: broker_x() copies its arguments, returns an op and later calls done exactly once, never
 * before it has returned; NULL when out of memory. The answer and everything in it is valid only inside done.
 * broker_leave(): the client has left, done will not be called; a request that has been sent to a vault is
 * undone when its answer comes (docs/checkout.md). Each op ends by its deadline.
 */
#ifndef JG_BROKER_BROKER_H
#define JG_BROKER_BROKER_H

#include "backends/backend.h"
#include "base/timers.h"
#include "broker/identity/credential_id.h"
#include "broker/identity/session.h"
#include "broker/leases/lease_listing.h"
#include "stores/store.h"

struct audit;
struct audit_claim;
struct broker;
struct op;

struct broker_opts {
    struct timers *timers;
    const struct conf *conf;     /* outlives the broker */
    struct vault *const *vaults; /* copied */
    size_t nvaults;
    struct store *store; /* outlives the broker; NULL = leases are in memory only */
    struct audit *audit; /* outlives the broker; NULL = none is kept */
};

/* Reads the store before anything else; NULL = it cannot be read (the log says why), or out of memory. */
struct broker *broker_new(const struct broker_opts *);
/* The store was lost, and a new one has no rows: warns of what no one will give back. */
void broker_store_rebuilt(const struct broker *);
/*
 * The audit trail has a check-out without its end. If the store has no row of it, its request is looked for
 * at the vault, and checked in if it has the gateway's mark. Before the first op. True = a row was lost.
 */
bool broker_claim(struct broker *, const struct audit_claim *);
/* The comparison with the vaults' lists begins now. `all_users`: of every user for whom this gateway has had
 * a request, where the store is shared. How many of these are watched. */
size_t broker_reconcile(struct broker *, bool all_users);
/* Stops: no new ops (FAULT_DRAINING), ops in flight go on. With release_on_stop all leases are checked in,
 * unless another gateway is alive to which they go. */
void broker_drain(struct broker *);
/*
 * After broker_drain(), again and again until broker_idle(): where the store is shared, this gateway's
 * requests go to another gateway as soon as nothing is in flight and the releases that wait for the store
 * are done; one that is not done when the broker is freed is dropped, and the log says so. Where no other is
 * alive they stay for the next start. While the store does not answer, a gateway without leases, requests and
 * such releases is done at once; any other one waits for the store, and the log says for what.
 */
void broker_hand_over(struct broker *);
/* Nothing in flight, no release that waits for a shared store and, with release_on_stop, nothing left to
 * check in. */
bool broker_idle(const struct broker *);
/* After the values of its configuration have changed in place (conf/conf_change.h). */
void broker_reload(struct broker *);
void broker_free(struct broker *); /* ends what is left: done is not called any more */

void broker_leave(struct op *);

/* The session that asks, and its time: the arguments of every operation of a session begin with them. */
struct asked_by {
    struct session session;
    uint64_t timeout_ms; /* the caller's or request_timeout, whichever is less */
};

struct credential {
    char credential_id[CREDENTIAL_ID_SIZE];
    const char *display_value;
    const struct account *account;
    const char *secret_type; /* "password", "ssh_key", "unknown" */
    bool policy_asked;       /* then: */
    struct vault_policy policy;
};

struct find_answer {
    const struct fault *fault; /* NULL = success */
    const struct credential *credentials;
    size_t n;
    const char *const *partial; /* names of the vaults that did not answer */
    size_t npartial;
    uint64_t age_ms;
};
typedef void find_done(void *arg, const struct find_answer *);
struct op *broker_find(struct broker *, const struct asked_by *, find_done *, void *arg);

struct checkout_args {
    struct asked_by by;
    const char *credential_id;
    int64_t duration_minutes; /* 0 = not named */
    const char *reason;       /* NULL = none */
    int64_t ticket_system_id; /* 0 = none */
    const char *ticket_number;
    bool prefer_ssh_key;
};
struct checkout_answer {
    const struct fault *fault; /* NULL = success */
    const char *credential_id;
    bool ssh_key;         /* kind */
    const char *username; /* to be typed at the endpoint */
    const char *account, *domain;
    const struct secret *password, *private_key, *passphrase; /* NULL = not there */
    const char *lease_id;
    int64_t request_id;      /* 0 = there is none, or its name is no number */
    const char *request_key; /* the vault's name of the request; NULL or "" = there is none */
    int64_t expires_wall_ms;
    bool adopted;
};
typedef void checkout_done(void *arg, const struct checkout_answer *);
struct op *broker_checkout(struct broker *, const struct checkout_args *, checkout_done *, void *arg);

struct release_args {
    struct asked_by by;
    const char *credential_id; /* NULL = all of the session (sessions/complete) */
};
struct release_answer {
    const struct fault *fault;
    int64_t released;
    int64_t remaining_holders;
    bool pending; /* the vault has not confirmed; the check-in follows */
};
typedef void release_done(void *arg, const struct release_answer *);
struct op *broker_release(struct broker *, const struct release_args *, release_done *, void *arg);

struct started_args {
    struct asked_by by;
    const char *history_url; /* NULL = none */
    int64_t expiry_s;        /* 0 = not known */
};
typedef void session_started_done(void *arg);
/* done comes when the record is on disk, or at the caller's deadline. */
struct op *broker_session_started(struct broker *, const struct started_args *, session_started_done *,
                                  void *arg);

/*
 * The site says that a PRA session has ended: its leases end, for all its users, as by sessions/complete. A
 * check-out in flight is answered as usual and its lease ends then; nothing else is touched. The check-ins
 * never go before an operation. An lsid that no lease has, and one that has ended before, end nothing.
 */
struct session_ended_args {
    const char *lsid; /* in any form (base/lsid.h) */
    enum session_end_source source;
    const char *site;    /* configuration name of the site */
    uint64_t timeout_ms; /* how long the ends may take to become durable */
};
struct session_ended_answer {
    /* An event may be refused, since the site repeats it: FAULT_DRAINING and FAULT_AUDIT_UNAVAILABLE (strict)
     * before anything has ended, FAULT_STORE_UNAVAILABLE also where the ends are not durable in time. */
    const struct fault *fault; /* NULL = success */
    size_t ended;              /* leases */
};
typedef void session_ended_done(void *arg, const struct session_ended_answer *);
/* Answered when these ends and all before them are durable, before any call of a vault is. */
struct op *broker_session_ended(struct broker *, const struct session_ended_args *, session_ended_done *,
                                void *arg);
/* The same without an answer, for a report that is made again until it is durable: how many leases ended. */
size_t broker_end_session(struct broker *, const struct session_ended_args *);

/* When the oldest open lease or check-out in flight with an lsid was made (wall clock). False = none has one.
 */
bool broker_pra_oldest_key(const struct broker *, int64_t *created_wall_ms);
/* Up to when the closed sessions of a site are known, in the site's time. False = not known. */
bool broker_pra_cursor_load(const struct broker *, const char *site, int64_t *cursor_ms);
/* Durable soon, and no earlier than all that has ended before. 0, -ENOMEM, or -EAGAIN where ends over several
 * gateways are under way: the store has what it had. */
int broker_pra_cursor_save(struct broker *, const char *site, int64_t cursor_ms);

/* Whose lease it is, in the spelling of its other records; "" = not known. */
#define LEASE_PERSON_SIZE 1025 /* 256 letters */
struct lease_person {
    char user[LEASE_PERSON_SIZE], domain[LEASE_PERSON_SIZE];
};
void broker_lease_person(struct broker *, const char *lease_id, struct lease_person *);

/* What an operator who ends a lease and its PRA session has to know of it. */
struct lease_session {
    struct lease_person person;
    char lsid[LSID_TEXT_SIZE]; /* as given; "" = not known */
    char key[LSID_SIZE];       /* in the one form */
};
/* False = no lease has this id, or it has ended. */
bool broker_lease_session(struct broker *, const char *lease_id, struct lease_session *);

struct endpoint {
    char endpoint_id[CREDENTIAL_ID_SIZE];
    const char *name, *hostname, *ip_address; /* ip NULL = not known */
    int64_t port;
    enum jump_method method;           /* METHOD_RDP or METHOD_SHELL */
    const char *comments, *network_id; /* network NULL = not known */
};
struct endpoints_args {
    struct asked_by by;
    bool rdp, shell;   /* types asked for; both when the caller named none */
    const char *query; /* "" = none */
    int64_t recent;    /* 0 = not asked */
};
struct endpoints_answer {
    const struct fault *fault;
    const struct endpoint *endpoints;
    size_t n;
    bool truncated;
    const char *const *partial; /* names of the vaults that did not answer */
    size_t npartial;
    uint64_t age_ms;
};
typedef void endpoints_done(void *arg, const struct endpoints_answer *);
struct op *broker_endpoints(struct broker *, const struct endpoints_args *, endpoints_done *, void *arg);

/* The lease table, page by page: leases_list() in broker/leases/lease_listing.h. */
uint64_t broker_leases(struct broker *, const struct lease_filter *,
                       void (*row)(void *arg, const struct lease_view *), void *arg);

/*
 * The same of all gateways, where the store is shared: FAULT_STORE_UNAVAILABLE while it is away. `cursor` is
 * the `next` of the page before, "" = from the beginning; the filter's limit counts requests. The filter's
 * texts and `cursor` stay valid until done.
 */
struct store_found_list;
struct lease_page_answer {
    const struct fault *fault; /* NULL = success */
    const char *next;          /* "" = there is no more */
    size_t n;                  /* rows */
    const struct store_found_list *found;
    const struct lease_filter *filter;
};
typedef void lease_page_done(void *arg, const struct lease_page_answer *);
bool broker_is_shared(const struct broker *);
struct op *broker_lease_page(struct broker *, const struct lease_filter *, const char *cursor,
                             uint64_t timeout_ms, lease_page_done *, void *arg);
/* Within done: calls `row` for each; texts are valid within the call. */
void lease_page_rows(const struct lease_page_answer *, void (*row)(void *arg, const struct lease_view *),
                     void *arg);
/* leases_list_pending(), there. */
void broker_pending(struct broker *, const struct session *,
                    void (*row)(void *arg, const struct lease_view *), void *arg);
/* Ends one lease by its id, of any session: released 0 or 1, or FAULT_NOT_FOUND for an unknown id. */
struct op *broker_release_lease(struct broker *, const char *lease_id, uint64_t timeout_ms, release_done *,
                                void *arg);
/* Gives up the check-in of what the vault does not end by itself (leases/keyed.h), by the lease id with which
 * it is listed: its row goes, and no call is made for it any more. `pending`: a call is under way, after
 * which that happens. FAULT_NOT_FOUND, or FAULT_VAULT_CONFLICT for what is not such. */
struct op *broker_forget_lease(struct broker *, const char *lease_id, uint64_t timeout_ms, release_done *,
                               void *arg);
/*
 * Checks a credential in of which the gateway has no row, at a vault whose keys come again: by hand, where
 * the lease store was lost. It is a vault request from then on, that no lease has held: it has a row, is
 * listed by `lease_id` and repeated until the vault confirms; `pending` = it has not yet.
 * FAULT_VAULT_CONFLICT while the key has a row, FAULT_CREDENTIAL_NOT_FOUND, FAULT_UNSUPPORTED for another
 * kind of vault, FAULT_STORE_UNAVAILABLE.
 */
struct op *broker_checkin_credential(struct broker *, const char *credential_id, uint64_t timeout_ms,
                                     release_done *, void *arg);

/*
 * Why a find came back as it did (broker/find/explain.h); NULL when there is no record, or no longer. Valid
 * until the next call into the broker.
 */
struct explain_view;
const struct explain_view *broker_explain(struct broker *, const char *request_id);

/* For /status and /metrics. */
struct session_ends {
    uint64_t sessions, leases; /* ended sessions that had a lease or a check-out in flight; their leases */
};
struct broker_state {
    size_t ops; /* in flight */
    size_t leases_active, leases_releasing, leases_retrying;
    uint64_t oldest_overdue_ms; /* how long the oldest lease is past its end and not checked in; 0 = none */
    uint64_t checkouts, releases, lapsed, cache_hits, coalesced;
    uint64_t foreign_releases; /* of a shared store: leases ended here on requests of other gateways */
    size_t leases_pending;     /* requests that wait for their approver */
    size_t leases_intent;      /* requests under way, or of unknown outcome */
    size_t journal_stuck;      /* rows that the store has not written yet */
    uint64_t steps_refused;    /* by the store, whose rows were not as the gateway had written them */
    bool store_writable;       /* true without a store */
    struct session_ends session_ends[SESSION_END_NSOURCES];
};
void broker_state(const struct broker *, struct broker_state *);
/* leases_count_keys(), there. */
void broker_count_keys(const struct broker *, const struct vault *, struct key_counts *);
/* Answers of find and endpoints without the rows of this vault, by its place among the vaults. */
uint64_t broker_partial_answers(const struct broker *, size_t vault);

#endif
