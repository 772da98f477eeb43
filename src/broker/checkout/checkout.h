/*
 * checkout.h - one check-out in flight; private to checkout*.c.
 *
 * What it owns is listed in docs/ownership.md. `vault request` means: counted among that vault request's
 * holders. `intent` means: a request may exist at the vault of which we do not know the id. `lease` is ours
 * until it is handed over: there is none when the session has one already. All are settled in the state
 * `reply`, which every ending passes.
 */
#ifndef JG_BROKER_CHECKOUT_CHECKOUT_H
#define JG_BROKER_CHECKOUT_CHECKOUT_H

#include "broker/audit.h"
#include "broker/leases/intent.h"
#include "broker/leases/journal.h"
#include "broker/leases/lease_table.h"
#include "broker/operation.h"

enum co_state {
    CO_BEGIN,
    CO_SESSION_QUEUE,
    CO_ACCOUNT,
    CO_POLICY,
    CO_INTENT,
    CO_REQUEST,
    CO_AWAIT,
    CO_LOOKUP,
    CO_ISA,
    CO_SEEK,
    CO_PASSWORD,
    CO_KEY,
    CO_PASSPHRASE,
    CO_KEEP,
    CO_AUDIT,
    CO_ENDED,
    CO_REPLY,
    CO_DONE,
    CO_NSTATES
};

struct checkout {
    struct op op; /* first */
    checkout_done *done;
    void *arg;
    enum co_state state;
    /* what was asked; texts are behind the struct, the session in a piece of its own */
    struct session *session;
    const char *credential_id, *reason, *ticket_number;
    int64_t duration_minutes, ticket_system_id;
    bool prefer_ssh_key;
    /* what is found out on the way */
    struct credential_ref ref;
    struct vault *vault;
    struct usermap users;
    struct account_list *hold; /* keeps `account` alive */
    const struct account *account;
    bool policy_known;
    struct vault_policy policy;
    int64_t minutes;
    struct request_args args;
    char *reason_sent;
    uint64_t sent_ms; /* when the vault was asked: its expiry counts from no earlier */
    int64_t sent_wall_ms;
    struct lease
        *lease; /* with an intent or settled on the vault request; NULL = the session's own is used */
    struct intent *intent;
    struct vault_request *request;
    struct vault_request *awaited; /* CO_AWAIT: the check-in to wait for */
    int64_t doubtful;              /* CO_LOOKUP: an id that is on record, but not as ours to hold; 0 = none */
    bool doubtful_new;             /* the vault says that it has just made it */
    bool unsure;                   /* a lost sending may have made a request that nobody names */
    bool old;                      /* the vault request was there before us: its request may turn out dead */
    bool anew;                     /* we have asked a second time */
    bool absent;                   /* the other type of credential was not there */
    bool given;                    /* some ISA call came through: there may be a request */
    bool phrase_read;              /* by an ISA call */
    struct secret secret, passphrase;
    bool ssh_key;
    struct fault fault;
    uint64_t started_ms;
    char lease_id[ID_SIZE];
    /* what it waits for, one at a time */
    struct deadline session_queue;
    struct list_wait wait;
    struct vault_call call;
    struct vault_request_watch watch;
    struct journal_wait written;
    int store_err;
    struct audit_wait recorded;
    int audit_err; /* AUDIT_WAIT: not known yet */
    bool audited;  /* the record of a success was begun */
    bool ended;    /* its session has ended meanwhile */
    bool begun;    /* the vault has answered something: what follows goes on with that */
    /* session_queue.c */
    struct session_queue *queue;
    TAILQ_ENTRY(checkout) of_queue;
};

/* What enter() may return besides -errno. */
enum { CO_WAIT = 0, CO_NOW = 1 };

struct co_step {
    const char *name;
    int (*enter)(struct checkout *); /* CO_WAIT, CO_NOW (resume at once) or -errno (could not) */
    enum co_state (*resume)(struct checkout *, int err); /* err < 0: enter could not start */
    bool (*drop)(struct checkout *); /* nobody waits: give the wait up. false or NULL = it must be awaited */
};

extern const struct co_step co_session_queue_step, co_account_step, co_policy_step, co_intent_step,
    co_request_step, co_await_step, co_lookup_step, co_isa_step, co_seek_step, co_password_step, co_key_step,
    co_passphrase_step, co_keep_step, co_audit_step;

/* The wait is over: resume and go on. May free the check-out. */
void co_resume(struct checkout *);
void co_on_call(struct vault_call *); /* as vault_call.done */
/* Makes co->call ready to be handed to the vault, as this user. */
void co_call(struct checkout *, const char *user);
/* The same for a first call: it begins while there is time for the rest, or not at all. */
void co_call_in_time(struct checkout *, const char *user);
/* The same for a call with effects: once begun it has the vault's own time. */
void co_call_awaited(struct checkout *, const char *user);
/* Asked once, before anything is written or sent: false = it would not be answered in time; co->fault says
 * so. */
bool co_admitted(struct checkout *);
bool co_drop_call(struct checkout *); /* as drop, of a call that changes nothing at the vault */
/* All return CO_REPLY. */
enum co_state co_fail(struct checkout *, enum fault_code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
enum co_state co_fail_start(struct checkout *,
                            int err); /* -EAGAIN: with the words of co->call, if it has any */
enum co_state co_fail_with(struct checkout *, const struct fault *);
/* The user's sign-in was refused: CO_ACCOUNT with the next candidate, or CO_REPLY. */
enum co_state co_next_user(struct checkout *, const struct fault *);
/* The vault says that the request we hold is no more: asked for anew once, if it was there before us. */
enum co_state co_request_dead(struct checkout *, const struct fault *);
/* What was read is of a lease or a request that has ended by now: asked for anew once. */
bool co_is_over(const struct checkout *);
enum co_state co_ask_anew(struct checkout *);
/* The record of a success, which the state `audit` waits for; and of a check-out that came to nothing:
 * audit_step.c. */
void co_audit_begin(struct checkout *);
void co_audit_end(struct checkout *);
/* Direct access, without the policy being asked: the states `isa` and `seek`. */
bool co_is_isa(const struct checkout *);
/* Words and times of what is asked for. 0 or -ENOMEM. */
int co_make_request(struct checkout *);
void co_set_end_as_asked(struct checkout *);
void co_close_intent(struct checkout *);
/* A call that asks for a request did not work out. */
enum co_state co_request_refused(struct checkout *);
/* The session's own lease on this credential, if it is of this very vault, or NULL. */
struct lease *co_own_lease(const struct checkout *);
/* A read found nothing of this type. */
bool co_is_absent(const struct vault_call *);
/* One type was not there: `other` if it was not tried yet, else CO_REPLY. */
enum co_state co_try_other(struct checkout *, enum co_state other);
/* The secret read is the account's password, or its key. */
void co_take_secret(struct checkout *, bool ssh_key);
/* The first read of the secret. */
enum co_state co_first_fetch(const struct checkout *);
/* We hold the vault request for good: the intent ends, the row becomes OPEN, and the secret is read if it was
 * not. */
enum co_state co_settle(struct checkout *);

/* ---- session_queue.c: the check-outs of each session, one at a time for each credential ---- */
int session_queue_join(struct checkout *);   /* before it begins; 0 or -ENOMEM */
void session_queue_leave(struct checkout *); /* done or given up: the next one may go; any number of times */
/* The session's first; the others follow by `queued`. */
struct checkout *session_queue_first(const struct broker *, const struct session_leases *);

#endif
