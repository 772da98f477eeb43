/*
 * checkout.h - one check-out in flight; private to this folder.
 *
 * What it owns is listed in docs/ownership.md. `asked` means: its own vault request, which it holds while it
 * asks the vault; a request may exist there that no record names. `request` means: the vault request of which
 * it reads the secret, and which it holds; often it is the one that was asked for. `lease` belongs to the
 * check-out until it is handed over; it is NULL where the session has a lease already. All three are settled
 * in the state `reply`, which every ending passes.
 */
#ifndef JG_BROKER_CHECKOUT_CHECKOUT_H
#define JG_BROKER_CHECKOUT_CHECKOUT_H

#include "broker/audit.h"
#include "broker/identity/entitled_session.h"
#include "broker/leases/checkin.h"
#include "broker/leases/journal.h"
#include "broker/leases/key_doubt.h"
#include "broker/leases/keyed.h"
#include "broker/leases/lease_life.h"
#include "broker/leases/leases.h"
#include "broker/leases/lsid_index.h"
#include "broker/leases/pending.h"
#include "broker/leases/recovery.h"
#include "broker/leases/request_states.h"
#include "broker/leases/rows.h"
#include "broker/leases/shared.h"
#include "broker/leases/sites.h"
#include "broker/operation.h"

enum co_state {
    CO_BEGIN,
    CO_SESSION_QUEUE,
    CO_ACCOUNT,
    CO_POLICY,
    CO_TURN,
    CO_INTENT,
    CO_COUNT,
    CO_REQUEST,
    CO_AWAIT,
    CO_PAUSE,
    CO_SEARCH,
    CO_LOOKUP,
    CO_ISA,
    CO_SEEK,
    CO_OPENING,
    CO_PASSWORD,
    CO_KEY,
    CO_PASSPHRASE,
    CO_KEEP,
    CO_PEND,
    CO_AUDIT,
    CO_CONFIRM,
    CO_ENDED,
    CO_REPLY,
    CO_DONE,
    CO_NSTATES
};

/* Whether the request may be asked for once more where the vault says that the held one has ended. */
enum co_retry {
    CO_RETRY_NONE,    /* it was made for this check-out */
    CO_RETRY_ALLOWED, /* it was there before */
    CO_RETRY_SPENT    /* it is the last one that is asked for */
};

/* What the vault has done for this check-out. */
enum co_at_vault {
    CO_VAULT_UNASKED, /* nothing that is known */
    CO_VAULT_BEGUN,   /* it has answered: the calls that follow go on with that */
    CO_VAULT_STRAY    /* the same, and a request may exist whose id no answer has named */
};

/* Which part of the secret is read next. */
enum co_secret_stage {
    CO_SECRET_PREFERRED, /* the type that was asked for */
    CO_SECRET_OTHER,     /* the other type: that one was absent */
    CO_SECRET_PASSPHRASE,
    CO_SECRET_COMPLETE
};

/* It reads through a lease that another gateway has made, and of which that one may end the check-out. */
enum co_repeat {
    REPEAT_NONE,    /* it does not, or that check-out can end the lease no more */
    REPEAT_DUE,     /* the store is to count this check-out (STEP_REPEAT) */
    REPEAT_SENT,    /* that is on its way */
    REPEAT_COUNTED, /* if this check-out fails, it takes its count back */
};

/* What a check-out has besides where the store is shared. */
struct co_shared {
    struct checkout *checkout;
    struct store *store;
    struct shared_wait opened; /* for the outcome of its STEP_OPEN */
    bool is_known;             /* the store has the request that the vault has handed over, */
    char maker[ID_SIZE]; /* mark of the check-out that may have made it and be about to open it; "" = none */
    enum request_state found_state; /* in this state, */
    bool is_doubtful;               /* of a user with another name, or of another account */
    bool open_first;                /* the secret is read only when the lease is open */
    unsigned pauses;
    unsigned repetitions;        /* how often it has asked for another request */
    struct lease_row *lease;     /* which the session has already, as the store has shown it; NULL = none */
    struct request_row *request; /* of that lease, or one that waits for its approver */
    bool is_claim;               /* it reads through one that waits, and has asked the vault for none */
    struct shared_wait kept;     /* approval.c: for the outcome of the step that keeps its request */
    bool is_decided;             /* that is known */
    struct store_question question; /* search, confirm */
    char lease_id[ID_SIZE];         /* of the latter */
    enum co_repeat repeat;
    struct shared_wait repeated; /* for the outcome of its STEP_REPEAT */
    bool is_asked;               /* of a confirmation, or its STEP_REPEAT: it is on its way */
    bool rests;                  /* before the store is asked for it again */
    bool row_gone;               /* it is over, and the session has no lease of the credential at all */
    enum store_answer answer;    /* of the last one */
    uint64_t confirmed_ms;       /* when it was sent; 0 = none as yet */
    /* finished.c: has its session ended since it has begun? */
    struct store_question first_asked; /* for the moment of the store's first word */
    int64_t since;                     /* the store was no earlier when it has begun */
    int64_t first;                     /* the store's moment when it had its first word; 0 = none as yet */
    uint64_t first_ms;                 /* so long after its begin that came */
    struct store_finish finishes[STORE_FINISHES]; /* what its last STEP_ASK was refused for */
};

struct checkout {
    struct op op;
    checkout_done *done;
    void *arg;
    const struct co_step *const *steps; /* by state */
    enum co_state state;
    /* what was asked; texts are behind the struct, the session in an allocation of its own */
    struct session *session;
    const char *credential_id, *reason, *ticket_number;
    int64_t duration_minutes, ticket_system_id;
    enum credential_type preferred; /* a password or a key */
    /* what the states have found out */
    char *account_key; /* of `credential_id`, behind the struct as well */
    struct vault *vault;
    struct usermap users;
    struct entitled_session *entitled; /* where the vault is asked for it; NULL = not so */
    struct account_list *hold;         /* keeps `account` alive */
    const struct account *account;
    enum policy_knowledge policy_knowledge;
    struct vault_policy policy;
    int64_t minutes;
    struct checkout_want want;
    char *reason_sent;
    char reader_id[ID_SIZE]; /* of the lease for which a further check-out reads */
    uint64_t sent_ms;        /* when the vault was asked: its expiry counts from no earlier */
    int64_t sent_wall_ms;
    struct lease *lease; /* of `asked`, or settled on `request`; NULL = none, or the session's own is used */
    struct vault_request *asked;
    struct vault_request *request;
    struct vault_request *awaited;       /* CO_AWAIT: the check-in to wait for */
    const char *awaited_error;           /* why its attempt has failed; NULL = it has not */
    char answered[REQUEST_KEY_SIZE];     /* the name of the request, as the vault answered it */
    char *handle;                        /* with which a keyed request is named besides; NULL = none */
    struct key_wait key_wait;            /* CO_TURN */
    bool has_hurried;                    /* the check-in that it waits for */
    enum request_origin doubtful_origin; /* as the vault says: ORIGIN_OURS = it has just made it */
    enum co_retry retry;
    enum co_at_vault at_vault;
    enum co_secret_stage stage;
    struct secret secret, passphrase;
    enum credential_type type; /* of `secret` */
    const char *kept_url;      /* of the request that waits for its approver; NULL = none */
    int64_t kept_expires_wall_ms;
    struct fault fault;
    uint64_t started_ms;
    char lease_id[ID_SIZE];
    /* what it waits for, one at a time */
    struct deadline defer; /* to a later iteration */
    struct list_wait wait;
    struct vault_call call;
    struct vault_request_watch watch;
    struct journal_wait written;
    int row_err;                /* of the last row that was put; ROW_ON_ITS_WAY: `written` waits for it */
    struct audit_wait recorded; /* `done` is set once the record of a success has begun */
    int audit_err;              /* AUDIT_WAIT: not known yet */
    bool session_ended;         /* while it was in flight, by the session's own request: it is undone */
    /* session_end.c */
    struct lsid_checkout by_lsid;
    bool lsid_named; /* not taken from the session's id */
    const struct session_end
        *end; /* the site's report meanwhile: it is answered, and then ends; NULL = none */
    char ended_lease_id[ID_SIZE]; /* the session's own lease, through which it reads, and which has ended by
                                     that report; "" = none */
    struct co_shared *shared;     /* NULL = the store is this gateway's alone */
    /* session_queue.c */
    struct session_queue *queue;
    TAILQ_ENTRY(checkout) of_queue;
};

enum { ROW_ON_ITS_WAY = 1 };

/* What enter() may return besides -errno. */
enum { CO_WAIT = 0, CO_NOW = 1 };

struct co_step {
    const char *name;
    int (*enter)(struct checkout *); /* CO_WAIT, CO_NOW (resume at once) or -errno (could not) */
    enum co_state (*resume)(struct checkout *, int err); /* err < 0: enter could not start */
    /* Its client has left or its session has ended: ends the wait. False or NULL = the end must be awaited.
     */
    bool (*drop)(struct checkout *);
};

extern const struct co_step co_session_queue_step, co_account_step, co_policy_step, co_turn_step,
    co_intent_step, co_count_step, co_request_step, co_await_step, co_pause_step, co_search_step,
    co_lookup_step, co_isa_step, co_seek_step, co_opening_step, co_password_step, co_key_step,
    co_passphrase_step, co_keep_step, co_pend_step, co_audit_step, co_confirm_step;

/* ---- session_queue.c ---- */

int session_queue_join(struct checkout *); /* before it begins; 0 or -ENOMEM */
/* Done or given up: the next one of the credential may begin. Any number of times. */
void session_queue_leave(struct checkout *);
/* The session's first; the others follow by `of_queue`. */
struct checkout *session_queue_first(const struct broker *, const struct session_leases *);

/* ---- shared.c, elsewhere.c, confirm.c: where the store is shared ---- */

int co_shared_new(struct checkout *, struct store *); /* `store` NULL: nothing. 0 or -ENOMEM */
void co_shared_free(struct checkout *);
void co_drop_rows(struct checkout *); /* of the lease that its session has */
/* What its STEP_ASK shows: the lease that the session has already, perhaps of another gateway; or the request
 * that waits for its approver. */
void co_note_rows(struct checkout *, const struct store_step *);
/* Next, after its STEP_ASK was applied: the secret of the request that waits for its approver, where the
 * store has shown one; or the vault is asked for a request. */
enum co_state co_ask_vault(struct checkout *);
/* The vault has handed over one that waits, of which this is the record: its secret is read. */
enum co_state co_read_waiting(struct checkout *, struct vault_request *);
/* It reads through a request that waits, of whichever gateway. */
bool co_is_claim(const struct checkout *);
/* Next, after its STEP_ASK has shown that the session has a lease. */
enum co_state co_session_has(struct checkout *);
/* The lease that the session has at another gateway ends, where there is one. */
void co_release_elsewhere(struct checkout *, const char *why);
/* A lease is about to be asked for: an own one of the session, which it replaces, ends before. */
void co_begin_asking(struct checkout *);
/* The lease holds the request: as co_settle(). */
enum co_state co_open(struct checkout *);
/* With the request that `search` has found, which the vault's list has as the user's, of the account. */
enum co_state co_open_found(struct checkout *);
/* Ends the wait for its STEP_OPEN: true = lease and hold follow the step. */
bool co_abandon_open(struct checkout *);
void co_undo_repeat(struct checkout *); /* it has failed */
void co_confirm_begin(
    struct checkout *); /* beside the reading of the secret, where it has no lease of its own */
void co_confirm_end(struct checkout *);
bool co_is_confirmed(const struct checkout *); /* its answer may go out, at this moment */
/* The store is out of reach, or says that the gateway was fenced. */
enum co_state co_store_failed(struct checkout *, int err);

/* ---- shared.c, finished.c: the end of its session at another gateway, before its intent ---- */

void co_note_begin(struct checkout *);
/* It waits for something else than the store: the store has the first word. */
void co_note_wait(struct checkout *);
void co_note_moment(struct checkout *, int64_t moment); /* the store has answered */
/* Its STEP_ASK was refused: was that, too, for the end of its session? */
bool co_is_finished(const struct checkout *);
/* Next then. */
enum co_state co_session_finished(struct checkout *);
/* Next: a new STEP_ASK under a lease id of its own. */
enum co_state co_intend_again(struct checkout *);

/* ---- approval.c ---- */

/* The vault gives no secret until an approver has decided. */
enum co_state co_wait_for_approval(struct checkout *);

/* ---- driver.c ---- */

/* Enters the state and goes on from there. May free the check-out. */
void co_goto(struct checkout *, enum co_state next);
/* The wait is over: resume and go on. May free the check-out. */
void co_resume(struct checkout *);
/* As enter: resumes in the next iteration, on an empty stack. */
int co_defer(struct checkout *);
int co_defer_for(struct checkout *, uint64_t ms);
void co_answered(struct checkout *);  /* the vault has answered something */
void co_on_call(struct vault_call *); /* as vault_call.done */
/* Makes co->call ready to be handed to the vault, as this user. */
void co_call(struct checkout *, const char *user);
/* The same for a first call: it begins while there is time for the rest, or not at all. */
void co_call_in_time(struct checkout *, const char *user);
/* The same for a call with effects: once begun it has the vault's own time. */
void co_call_awaited(struct checkout *, const char *user);
/* The lsid by which the site knows its session. 0 or -ENOMEM. */
int co_set_lsid(struct checkout *, const char *lsid);
/* It reads through this lease of its session: what one of the two knows of the lsid the other learns. */
void co_share_lsid(struct checkout *, struct lease *);
/* It has been answered with the lease `lease_id`: ends that if its session has ended. */
void co_landed(struct checkout *);
/* Asked once, before anything is written or sent: false = it would not be answered in time; co->fault says
 * so. */
bool co_admitted(struct checkout *);
bool co_drop_call(struct checkout *); /* as drop, of a call that changes nothing at the vault */
/* Where a request's key comes again (turn.c). */
bool co_is_keyed(const struct checkout *);
/* Next, where the vault is to be asked: the turn of the key, or at once. */
enum co_state co_intent(const struct checkout *);
/* As co_settle(), with the end of its lease. */
enum co_state co_settle_keyed(struct checkout *);
/* It is held, and its secret is not given twice. CO_REPLY. */
enum co_state co_fail_held(struct checkout *, const struct vault_request *);
/* The lease through which it reads has ended while it was under way. */
enum co_state co_fail_ended(struct checkout *);
/* All return CO_REPLY. */
enum co_state co_fail(struct checkout *, enum fault_code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
enum co_state co_fail_start(struct checkout *,
                            int err); /* -EAGAIN: with the words of co->call, if it has any */
enum co_state co_fail_with(struct checkout *, const struct fault *);
/* The vault refused the user's sign-in: CO_ACCOUNT with the next candidate, or CO_REPLY. */
enum co_state co_next_user(struct checkout *, const struct fault *);
/* The vault says that the request has ended: another one is asked for, if it was not made for this check-out
 * and a repetition is left. */
enum co_state co_request_dead(struct checkout *, const struct fault *);
/* What was read is of a lease or a request that has ended by now, and may be asked for once more. */
bool co_is_over(const struct checkout *);
/* Drops the hold on the request, and what was asked for: a lost sending of it is recovered. */
void co_drop_request(struct checkout *co);
/* Drops the hold on the request and asks for another one, under a lease id of its own. A check-out does so
 * once; where the store is shared, three times. */
enum co_state co_ask_again(struct checkout *);
/* Lets go of all it holds: what may exist at the vault is recovered, what no one else holds is given back.
 */
void co_undo(struct checkout *);
/* Counts as a holder of the vault request from now on; `was_there`: it was not made for this check-out. */
void co_hold(struct checkout *, struct vault_request *, bool was_there);
/* The same for one of another check-out, under a lease id of its own; what was asked for is dropped. False =
 * co->fault says why not. */
bool co_claim(struct checkout *, struct vault_request *);
/* The record of a success, which the state `audit` waits for; and of a check-out that failed: audit_step.c.
 */
void co_audit_begin(struct checkout *);
void co_audit_end(struct checkout *);
/* Direct access, without the policy being asked: the states `isa` and `seek`. */
bool co_is_isa(const struct checkout *);
int co_make_reason(struct checkout *, const char *lease_id); /* reason_sent. 0 or -ENOMEM */
/* Words and times of what is asked for, and the call for it. 0 or -ENOMEM. */
int co_make_request(struct checkout *);
/* The vault request that was asked for has this name and is held; ORIGIN_UNKNOWN: it was there before.
 * False = co->fault says why not. */
bool co_hold_asked(struct checkout *, const char *name, enum request_origin);
/* Certainly nothing is at the vault of what was asked for: it ends, with its lease. */
void co_withdraw(struct checkout *);
/* A call that asks for a request did not work out. */
enum co_state co_request_refused(struct checkout *);
/* Of the lease that the check-out makes. */
/* Of the lease it will be: the check-out's own, or the one that the session has. */
const char *co_lease_id(const struct checkout *);
struct lease_args co_lease_args(const struct checkout *);
/* The session's own lease on this credential, if it is of this very vault, or NULL. */
struct lease *co_own_lease(const struct checkout *);
/* The same, if it has a vault request through which the secret can be read again. */
struct lease *co_readable_lease(const struct checkout *);
enum co_state co_read_own(struct checkout *, struct lease *); /* next, where there is such a lease */
/* The type that is read next. */
enum credential_type co_wanted_type(const struct checkout *);
/* A read found nothing of this type. */
bool co_is_absent(const struct vault_call *);
/* One type was not there: `other` if it was not tried yet, else CO_REPLY. */
enum co_state co_try_other(struct checkout *, enum co_state other);
/* Takes what was read over from the call; it is of the wanted type. An absent passphrase is empty. */
void co_take_secret(struct checkout *);
/* The end of its lease, as shown. */
int64_t co_expires_wall(const struct checkout *);
/* The first read of the secret. */
enum co_state co_first_fetch(const struct checkout *);
enum co_state co_counted_fetch(const struct checkout *); /* after CO_COUNT */
/* The next read of the secret, by its stage; or CO_KEEP. */
enum co_state co_next_fetch(const struct checkout *);
/* The vault request is held: the row of the lease is put, and the secret is read unless it was. */
enum co_state co_settle(struct checkout *);

#endif
