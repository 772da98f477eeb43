/*
 * broker_rig.h - a broker between a fake clock and a fake vault, and what a caller of it sees.
 *
 * One account "root" on system 1 (account 11) with a password, release_duration 60 minutes, request_timeout
 * 15 s. The verbs are those of README.md.
 */
#ifndef JG_TESTS_BROKER_RIG_H
#define JG_TESTS_BROKER_RIG_H

#include "check.h"
#include "fake_clock.h"
#include "fake_store.h"
#include "fake_vault.h"

#include "broker/audit.h"
#include "broker/broker.h"
#include "broker/operation.h"

/* What the audit trail does to the next records that are waited for. */
enum sink_mood { SINK_FINE, SINK_BUSY, SINK_FAILS, SINK_STUCK };

struct fake_sink {
    struct audit_sink sink; /* first */
    enum sink_mood mood;
    bool down; /* known not to write */
    bool late; /* no record is on disk yet */
    struct audit_wait *wait[8];
    size_t nwaits;
    unsigned records, durable; /* given in all; waited for and on disk */
    struct buf *text;          /* of all records, one a line; NULL = not kept */
};

struct world {
    struct fake_clock clock;
    struct timers *timers;
    struct fake_vault vault;
    struct conf conf;
    struct fake_store *store; /* NULL = none; world_add_store() */
    struct broker *broker;
    struct fake_sink sink;
    struct audit *audit;    /* NULL = none; world_add_audit() */
    enum fake_op broken_op; /* world_set_fault() */
    enum fake_fault broken_how;
    char credential[CREDENTIAL_ID_SIZE]; /* the account "root" */
};

/* What a check-out's caller was answered. */
struct caller {
    struct op *op; /* NULL once it was answered */
    int replies;
    enum fault_code code;
    char detail[FAULT_DETAIL_SIZE];
    char lease_id[32], username[128], secret[128], passphrase[128];
    int64_t request_id, expires_wall_ms;
    int64_t kept_id; /* of the request that waits for its approver, as the fault names it; 0 = none */
    unsigned retry_after_s;
    bool ssh_key, adopted;
};

struct released {
    struct op *op;
    int replies;
    enum fault_code code;
    int64_t released, remaining;
    bool pending;
};

extern const struct fake_kind
    *world_kind; /* of the vaults that are made from now on; NULL = as Password Safe */
void world_init(struct world *);
void world_start(
    struct world *); /* makes the broker; between the two the vault and the conf may be changed */
bool world_try_start(struct world *);       /* false = there is no broker */
void world_start_plain(struct world *);     /* begun and started, as it comes */
void world_start_stored(struct world *);    /* the same with a store, reconciled every 10 minutes */
void world_set_key_account(struct world *); /* its account has a key with a passphrase and no password */
/* One more on the same system: "admin", account 12. */
void world_add_account(struct world *, char credential[CREDENTIAL_ID_SIZE]);
void world_set_two_candidates(struct world *); /* run_as has two forms of which the vault refuses the first */
void world_add_store(struct world *);          /* before world_start(): leases are kept in a store */
void world_add_audit(struct world *, enum conf_audit_policy); /* before world_start(): records are kept */
/* Answers one record that is waited for; false = none, or the trail is stuck. */
bool world_answer_record(struct world *);
/*
 * The process dies and a new one begins with what vault and store have. Of the vault's waiting calls those
 * with a bit in `carried_out` still happen, of the store's waiting writes the first `durable` are on disk.
 */
void world_crash(struct world *, unsigned carried_out, size_t durable);
void world_kill(struct world *, unsigned carried_out, size_t durable); /* the same without the new process */
void world_end(struct world *);
struct session person_session(const char *user, const char *session_id);
struct checkout_args checkout_args_for(const struct world *, const char *user, const char *session_id);
/* `c` is emptied first. */
void start_checkout_with(struct world *, const struct checkout_args *, struct caller *c);
void start_checkout(struct world *, const char *user, const char *session_id, struct caller *c);
void start_checkout_of(struct world *, const char *user, const char *session_id, const char *credential,
                       struct caller *c);
/* Asks, lets all happen; returns the fault. */
enum fault_code finish_checkout(struct world *, const char *user, const char *session_id, struct caller *c);
enum fault_code finish_checkout_with(struct world *, const struct checkout_args *, struct caller *c);
void checkout_ok(struct world *, const char *user, const char *session_id, struct caller *c);
/* Starts as world_start_plain() or _stored(), with a lease of alice's session s1. */
void world_start_leased(struct world *, struct caller *);
void world_start_stored_leased(struct world *, struct caller *);
void assert_checkout_ok(const struct caller *); /* answered once, and no fault */
void cancel_checkout(struct caller *);
void start_release(struct world *, const char *user, const char *session_id, const char *credential,
                   struct released *r);
void finish_release(struct world *, const char *user, const char *session_id, const char *credential,
                    struct released *r);
/* From now on every call of this kind meets this fault; `w->vault.plan = NULL` mends it. */
void world_set_fault(struct world *, enum fake_op, enum fake_fault);
/* Which waiting call of the vault is the nth (from 0) of its kind; world_deliver() lets its answer arrive. */
size_t world_find_call(const struct world *, enum fake_op, size_t nth);
void world_deliver(struct world *, enum fake_op, size_t nth);
unsigned world_checkins(const struct world *); /* given back to the vault, all requests together */
void world_iterate(struct world *);            /* runs what is due now */
void world_settle(struct world *);
void world_advance(struct world *, uint64_t ms); /* settles on the way */
/* Runs until the vault has a call of this kind waiting, delivering all others. */
void world_run_until(struct world *, enum fake_op);
struct broker_state world_state(const struct world *);

#endif
