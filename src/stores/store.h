/*
 * store.h - where vault requests and leases are kept so that they outlive the process.
 *
 * A store is a const struct of functions, as a vault is. It keeps two kinds of row, and one row per PRA site,
 * its cursor. No row ever holds a secret.
 *
 *   vault_request   from before the vault is asked until the vault has confirmed the end of the request. Its
 *                   key is its mark: the lease id that the vault's reason has
 *   lease           a session holds a vault request; several leases may hold one
 *
 * Rows change by steps alone. A step says which rows it expects and what it makes of them, and has its own
 * outcome:
 *
 *   APPLIED     durable
 *   OTHERWISE   the rows are not as the step expects: it has changed nothing, and shows the request as it is
 *   AWAY        the store cannot write: the step has not happened and never will
 *
 * What each kind of step expects and changes is a row of store_step_rules[]; every store keeps to it, and one
 * suite of tests asks each of them (tests/unit/store_contract.h).
 *
 * A store has a tag: five letters with which every lease id of its gateway begins, so that a request at the
 * vault whose reason has such an id is the gateway's own, however old it is.
 *
 * What a caller keeps to, so that a store may key its rows by more than the mark: a mark is asked for once, a
 * lease id is of one lease, and a session has one open lease of a credential. A request's vault, user and
 * asker stay, and so does its name, once it is known. A step describes its request, and the lease that it
 * changes, as they are before or after it, also where its rule deletes them.
 *
 * Rules: steps() takes over the whole list and returns 0, and later calls `done` exactly once for each step,
 * in the order of the list and never before it has returned; or it returns -errno and has taken nothing.
 * Lists take effect in the order in which they were given, steps in the order of their list; each sees what
 * the one before has made. What is AWAY takes along all that was given after it. A store in one file applies
 * a list as a whole or not at all, but for the steps that are OTHERWISE; etcd may apply its first steps
 * alone. When to write, and which steps share a commit, is the caller's decision: the store starts at once. A
 * step and its texts stay valid until `done`. A step cannot be cancelled. close() completes what is queued,
 * then calls `closed`. While the store cannot write (state().writable) it tries again every second.
 *
 * A store may be shared: several gateways (nodes) have their rows in it. Each request then has an owner, the
 * gateway that answers for it, and a gateway that is silent for too long is fenced: what it has not written
 * by then it never writes, and another gateway adopts its rows. A gateway is named by its node and its epoch,
 * which is new with each start and after each fence. A shared store has all of store_ops; one that is a
 * gateway's alone has NULL for what follows set_tag() and close(), gives its rows at load(), and is always
 * certain. What a caller keeps to in addition:
 *
 *   - a session has one open lease of a credential in the whole cluster: ASK and OPEN of a second one are
 *     OTHERWISE. An old lease is left before a new one is asked for
 *   - a lease ends by STEP_RELEASE, and not by LEAVE or RETURN: others may hold its request
 *   - a secret goes out only while is_fresh() says so of a confirmation of its lease (QUESTION_CONFIRM, or
 * the STEP_OPEN or STEP_REPEAT that was applied)
 *   - steps on rows of another gateway have the rows as a question has shown them
 *
 * A list of steps to a shared store is taken apart as etcd wants it. Its steps wait for an etcd that does not
 * answer until their `until_ms`, or for ever. A CLOSE that takes leases along may be done later than steps
 * that follow it.
 *
 * A shared store keeps neither a request's handle, nor how many check-ins are due, nor a lease's own end, and
 * nothing of a spin.
 *
 * Not here: which steps are given and when (broker/leases/rows.h, journal.h); copies of rows (store_rows.h).
 */
#ifndef JG_STORES_STORE_H
#define JG_STORES_STORE_H

#include "base/id.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

/* ---- rows ---- */

enum request_state {
    REQUEST_ASKED,     /* the vault may have been asked: the request may exist there */
    REQUEST_HELD,      /* leases hold it */
    REQUEST_RETURNING, /* to be checked in; attempts and next try are kept */
    REQUEST_LAPSED,    /* the vault's own expiry came first; kept for a day, for operators to see */
    REQUEST_PENDING,   /* it waits for its approver */
    REQUEST_SPINNING,  /* it was given back, and its password is to be changed (request_spin) */
    REQUEST_NSTATES
};

/* The spin of a request: the change of its password after the check-in, where the vault makes one. */
enum request_spin {
    SPIN_UNUSED, /* no lease has had the secret */
    SPIN_USED,   /* one may have had it: the spin follows its confirmed check-in */
    SPIN_DUE,    /* that is confirmed, and no spin has been sent since */
    SPIN_SENT,   /* a spin may be on its way */
    REQUEST_NSPINS
};

/* Their words in logs and commands. */
extern const char *const request_state_words[REQUEST_NSTATES];

/* Who asks, for what. Texts are never NULL: "" = none, or not known. */
struct holder {
    const char *username, *domain; /* PRA user */
    const char *session;           /* PRA session id */
    const char *lsid;              /* of the PRA session, as given */
    const char *credential;        /* credential id */
    const char *system, *account;  /* their names, for operators */
    int64_t created_wall_ms;
};

struct request_row {
    const char *mark;
    const char *owner; /* of a shared store, as it was read: node@epoch; otherwise "". Steps need not have it,
                          where the row is the gateway's own */
    bool mine;         /* of a shared store, as it was read: the owner is this gateway, as it is now */
    bool cancelled;    /* ASKED, as it was read: STEP_CANCEL has been here */
    enum request_state state;
    const char *vault; /* configuration name */
    const char *url;   /* the vault's address, in one spelling; "" = the row is of a version that kept none */
    const char *user;  /* mapped vault user (run-as) */
    const char *name;  /* the vault's; "" = not known yet, or the vault keeps no request */
    const char *handle;    /* with which a check-in names it besides; "" = none. Set by ASK, and stays */
    uint32_t checkins_due; /* see request_ref.checkins; 0 = not known */
    bool adopted;          /* the person's own request: never checked in */
    int64_t expires_wall_ms;
    int64_t attempts;       /* check-ins tried */
    int64_t next_wall_ms;   /* next check-in or spin, 0 = at once; LAPSED, PENDING: the end of waiting */
    const char *last_error; /* "" = none */
    enum request_spin spin;
    int64_t spins;         /* that have failed */
    int64_t began_wall_ms; /* its check-out, where one has taken it back; 0 = with its asker */
    struct holder asker;   /* of the lease for which it was asked */
};

/* Which report ended the PRA session of a lease. */
enum session_end_source {
    SESSION_END_NONE, /* the session has not ended */
    SESSION_END_POLL, /* a listing of closed sessions */
    SESSION_END_EVENT,
    SESSION_END_TERMINATE, /* the gateway had the session terminated */
    SESSION_END_NSOURCES
};

/* How many check-outs answer their session with a lease: the one that has made it, and one that found it at
 * another gateway, from when it says so (STEP_REPEAT) until it fails. */
enum lease_answers { ANSWERS_ONE, ANSWERS_TWO, ANSWERS_MANY };

struct lease_row {
    const char *request; /* mark of the vault request that it holds */
    const char *id;
    struct holder holder;
    int64_t expires_wall_ms;    /* its own end; 0 = its request's. Set by OPEN, and stays */
    enum lease_answers answers; /* of a shared store, in store_step.lease_now */
    /* The PRA session has ended, the lease as yet has not: its check-out was in flight. The next start ends
     * it. */
    enum session_end_source ended;
    const char *ended_site; /* which site reported it; "" = none */
};

/* Up to when the closed sessions of a PRA site are known. */
struct cursor_row {
    const char *site;  /* configuration name */
    int64_t cursor_ms; /* the site's time, Unix ms */
};

/* ---- steps ---- */

enum store_step_kind {
    STEP_ASK,    /* the vault is about to be asked */
    STEP_OPEN,   /* the request is held, by this lease among others; the ASKED one `instead` ends with it */
    STEP_PEND,   /* the vault wants an approval: the request waits, and no lease holds it */
    STEP_EDIT,   /* the request is described otherwise */
    STEP_AMEND,  /* the lease is described otherwise */
    STEP_LEAVE,  /* the lease ends, the request stays */
    STEP_RETURN, /* the request has lost its last holder, or a check-in has failed */
    STEP_LAPSE,  /* the request has ended by itself */
    STEP_CLOSE,  /* nothing is left to do for the request */
    STEP_CURSOR,
    /* Of a store that is a gateway's alone; a shared one is OTHERWISE: */
    STEP_SPIN,  /* the request was given back, and its spin is due, is about to be sent, or has failed */
    STEP_AGAIN, /* the vault is about to be asked once more for what was given back */
    /* Of a shared store alone: */
    STEP_RELEASE, /* the lease ends; the request is to be checked in if no other lease holds it */
    STEP_END,     /* the request is to be checked in, whoever holds it: its time is over, or it has gone */
    STEP_CANCEL,  /* the session of an ASKED request has ended: it may not be opened any more */
    STEP_CLEAR,   /* a lease goes whose request has ended */
    STEP_REPEAT,  /* one check-out more answers with the lease, which another gateway has made */
    STEP_FINISH,  /* a PRA session has ended: what was begun for it before is not asked for any more */
    STEP_NKINDS,
    STEP_FIRST_SHARED = STEP_RELEASE
};

enum row_change { ROW_AS_IS, ROW_INSERTED, ROW_UPDATED, ROW_DELETED };

/*
 * What a kind of step expects and does. An update of a request changes all but mark, user, and asker (of
 * which it changes the lsid). `from`: bits of the states in which the request must be; 0 = in that of the
 * step's row, or, where it is deleted, in any or absent. An inserted request must not be there. `alone`: no
 * lease may hold the request then. A lease that is amended or deleted need not be there; where its id is ""
 * there is none.
 *
 * In a shared store:
 *
 *   ASK      expects besides that the asker's session has no open lease of the credential, and no FINISH
 *            after `since`, which `finishes` shows otherwise; shows the PENDING request of its user and
 *            credential
 *   OPEN     expects besides that the lease's session has none, and of an ASKED request, and of `instead`,
 *            that it is not cancelled. Where another gateway holds the request of that name, the lease joins
 *            that one, whose row stays as it is; where none does and the step is `reused`, it is OTHERWISE. A
 *            PENDING request of another gateway becomes this one's. What is described as this gateway's own,
 *            and is another's by now, is OTHERWISE
 *   EDIT     expects an ASKED request not to be cancelled
 *   RETURN   of an ASKED request that others hold by its name: the ASKED row goes, theirs stays. Leases may
 *            hold one that is RETURNING (STEP_END), and stay
 *   CLOSE    of a RETURNING request: leases that still hold it (STEP_END) go with it
 *   LAPSE    the same: leases that still hold it go
 *   RELEASE  expects the lease. The step's request is RETURNING, and becomes so where no other lease holds
 *            it; then this gateway is its owner, and checks it in. A request that is `adopted` or has no name
 *            goes instead. `holders` = the leases that are left. Where the step's request is PENDING, the
 *            request waits instead, and is this gateway's; or is RETURNING where its user and credential have
 *            another one that waits
 *   END      HELD -> RETURNING with its leases, of which this gateway becomes the owner
 *   CANCEL   expects it ASKED, and not cancelled before; keeps its owner
 *   CLEAR    expects the lease, and its request absent, RETURNING or LAPSED
 *   REPEAT   expects the lease, and its request HELD
 *   FINISH   always applied. The session is that of the asker: username, domain, session; or, where `session`
 *            is "", all of this lsid. Where it has another FINISH after `since`, `ago_ms` is 0: the earlier
 *            end may be the one that is written later. The store forgets it after STORE_FINISH_MS
 *
 * A check-out that fails undoes the lease: RELEASE with `undo`. As long as others answer with the lease it
 * stays, counts one less, and `kept` says so. The count ends at ANSWERS_MANY, which never becomes less: such
 * a lease ends with its session or its time.
 *
 * OPEN, RELEASE, END, CANCEL, RETURN and CLOSE of another's request let its owner know (store_news.touched).
 */
struct store_step_rule {
    const char *name;
    enum row_change request, lease;
    unsigned from;
    bool alone;
};
extern const struct store_step_rule store_step_rules[STEP_NKINDS];

#define STORE_RECORD_SIZE 400

enum store_outcome { STORE_APPLIED, STORE_OTHERWISE, STORE_AWAY, STORE_NOUTCOMES };

/*
 * Moments: a shared store counts what is written to it, by whichever gateway. `moment` of an answer is the
 * count when the question was answered, and store_ops.moment() the last one that this gateway has been told
 * of: the store was no earlier then. A FINISH is after a moment if its own one is greater.
 */
struct store_finish {
    int64_t moment; /* 0 = none */
    /* So long before the FINISH was sent the session had ended; less where that is not known. */
    uint64_t ago_ms;
};
enum { STORE_FINISHES = 2 }; /* of the session, and of its lsid */
/* A FINISH counts for so long, at least: longer than any check-out lasts (request_timeout). */
#define STORE_FINISH_MS (12u * 60u * 1000u)

struct store_step {
    enum store_step_kind kind;
    /* Of a shared store. OPEN: the vault has not made the request for this lease, it had it. */
    bool reused;
    bool undo; /* Of a shared store. RELEASE: a check-out that was to answer with the lease has failed. */
    /* Of a shared store, monotonic, 0 = none: a step that has not been sent by then is AWAY (-ETIMEDOUT),
     * alone. One that has been sent waits for its outcome. */
    uint64_t until_ms;
    struct request_row request; /* `mark` "" = none is meant */
    struct lease_row lease;     /* `id` "" = none is meant */
    /* Mark of an ASKED request that is deleted with STEP_OPEN: the lease's own, of its id; "" = none. */
    const char *instead;
    /* Of a shared store, of a step that ends a lease: with what its end is to be recorded where this gateway
     * cannot do it any more (store_news.unrecorded), up to STORE_RECORD_SIZE. NULL or "" = it has no record.
     */
    const char *record;
    struct cursor_row cursor;
    /* Of a shared store: a moment. ASK of an ASKED request: 0 = any FINISH is as none. FINISH: when the
     * session has ended the store was no earlier. */
    int64_t since;
    uint64_t over_ms; /* FINISH: when the session has ended, monotonic */
    void (*done)(struct store_step *, enum store_outcome);
    int err; /* AWAY: -ENOSPC, -EIO, -ENOMEM */
    /*
     * OTHERWISE: the request as it is now, NULL = there is none of this description. APPLIED: STEP_OPEN on a
     * request that another gateway has made meanwhile shows that one; its own, asked for, has ended. One that
     * describes another gateway's request shows it as it is now. ASK shows the request that waits, NULL =
     * none does. RELEASE and END show what has become of the request, NULL = it has gone. Freed by the store
     * after `done`.
     */
    struct request_row *now;
    /* Of a shared store, OTHERWISE of ASK and OPEN: the session has this lease already, and `now` is the
     * request that this one holds, NULL = it has gone. Freed as `now`. */
    struct lease_row *lease_now;
    char *lsid_now; /* the store's: lsid of the lease that ends, which `lease` does not have */
    bool cancelled; /* OTHERWISE of OPEN: STEP_CANCEL has been at what the lease was asked for by: `instead`,
                       or the request where that is "" */
    unsigned holders; /* APPLIED RELEASE: leases that hold the request still */
    bool kept;        /* APPLIED RELEASE with `undo`: the lease is among them */
    uint64_t sent_ms; /* APPLIED, of a shared store: monotonic, when it was sent */
    int64_t moment;   /* the same, and OTHERWISE: when it had its outcome */
    struct store_finish finishes[STORE_FINISHES]; /* OTHERWISE of ASK: after `since` */
    STAILQ_ENTRY(store_step) link;                /* the caller's until steps() */
};

STAILQ_HEAD(store_steps, store_step);

/* ---- questions to a shared store ---- */

enum store_question_kind {
    QUESTION_CONFIRM, /* is the lease open, its request HELD, this gateway not fenced? */
    QUESTION_SESSION, /* all leases and ASKED requests of a PRA session: username, domain, session */
    QUESTION_LSID,    /* the same, by the lsid, in whatever form */
    QUESTION_REQUEST, /* a vault request by vault and name, and its holders; PENDING ones as well */
    QUESTION_WAITING, /* the PENDING request of a vault user and a credential: user, who.credential */
    QUESTION_MARK,    /* the ASKED request of this mark, whoever asks: while it is there the request may be
                         opened    by the gateway that has made it, and by no other */
    QUESTION_LIST,    /* all requests and leases, page by page */
    QUESTION_MOMENT   /* nothing but the moment */
};

enum store_answer {
    STORE_OPEN,   /* CONFIRM: yes. Otherwise: `found` is all there is */
    STORE_OVER,   /* CONFIRM: the lease has ended, or its request is not HELD; both are in `found` */
    STORE_FENCED, /* this gateway is not what it was when it asked: its table is void */
    STORE_NONE    /* there was no answer by `until_ms`, or it cannot be read */
};

/* A lease with its request, a lease whose request has gone, or a request alone. Of the leases that
 * QUESTION_REQUEST finds only the id is known. */
struct store_found {
    STAILQ_ENTRY(store_found) link;
    struct request_row *request; /* NULL = it has gone */
    struct lease_row *lease;     /* NULL = none */
    bool is_orphan; /* LIST: the lease holds the request, and neither its own row nor one in its place is
                       there */
};
STAILQ_HEAD(store_found_list, store_found);

#define STORE_CURSOR_SIZE 320
#define STORE_LIST_MAX    500

/*
 * Any number may be under way. ask() returns 0 and later calls `done` exactly once, never before it has
 * returned; or it returns -errno. After forget() `done` does not come any more. A question and its texts stay
 * valid until either.
 */
struct store_question {
    enum store_question_kind kind;
    uint64_t until_ms;        /* monotonic */
    struct holder who;        /* CONFIRM: username, domain, session, credential. SESSION, LSID: see there */
    const char *lease;        /* CONFIRM: its id */
    const char *mark;         /* MARK; CONFIRM: of a request without a name */
    const char *vault, *name; /* CONFIRM, REQUEST */
    const char *user;         /* WAITING */
    /* SESSION: the request that one of the leases is thought to hold, NULL = not known: it saves the time of
     * reading it afterwards, and decides nothing. */
    const struct request_row *expected;
    const char *node; /* LIST: of this owner alone; "" = of all */
    unsigned limit;   /* LIST: requests to a page, at most STORE_LIST_MAX */
    char
        cursor[STORE_CURSOR_SIZE]; /* LIST: "" = from the beginning; in done() for the next page, "" = none */
    void (*done)(struct store_question *, enum store_answer);
    /* in done() */
    uint64_t sent_ms;              /* monotonic: when the question that was answered was sent */
    int64_t moment;                /* of its first reading */
    struct store_found_list found; /* freed by the store after done() */
    void *private;                 /* the store's; NULL before ask() */
};

/* ---- news of a shared store ---- */

/* The end of a lease whose gateway was counted as dead before its record was on disk, as far as the store
 * knows: that gateway may have the record as well. */
struct store_end {
    const char *from; /* node@epoch */
    const char *lease;
    const char *vault, *name; /* of its request; `name` "" = the vault keeps none */
    const char *record;       /* store_step.record, or what closing() has said */
    int64_t at_wall_ms;       /* when the step was sent, by the clock of its gateway */
};

/*
 * Called from the loop, never from within a call to the store. Texts and rows are valid within the call. Any
 * may be NULL.
 */
struct store_news {
    /* The gateway is a member of the cluster, with an epoch of its own: load() now gives the cursors. The
     * requests that are this gateway's come as adopt(). */
    void (*joined)(void *arg);
    /* Another gateway may count this one as dead before long: what is_fresh() and may_send() say becomes
     * false; or it does not any more. */
    void (*certain)(void *arg, bool certain);
    /* This gateway was counted as dead, and its rows are another's: none of them is in its hands, no secret
     * goes out and no check-in is made for them. Steps that wait are AWAY (-ESTALE) before. The store joins
     * again by itself. */
    void (*fenced)(void *arg);
    /* A request that is this gateway's from now on, in any state, and the leases that hold it: of another
     * gateway that has died or has left, or of this gateway as it was before: `from`, node@epoch. */
    void (*adopt)(void *arg, const char *from, const struct request_row *,
                  const struct lease_row *const *leases, size_t n);
    /* Requests that are this gateway's could not be given so, for want of memory: QUESTION_LIST has them. */
    void (*missed)(void *arg);
    /* Another gateway has changed a request that is, or was, this gateway's. A hint, which may be lost. */
    void (*touched)(void *arg, const char *mark);
    /* A lease has gone with its request, which CLOSE or LAPSE of this gateway has ended (see STEP_END). */
    void (*closed)(void *arg, const struct request_row *, const struct lease_row *);
    /* A lease of this request is about to go so: its store_step.record. A static text. */
    const char *(*closing)(void *arg, const struct request_row *);
    /* A gateway was counted as dead, and may have taken the record of this end with it. More than once where
     * this gateway or another one has died with it. */
    void (*unrecorded)(void *arg, const struct store_end *);
    /* How many records the audit trail has taken, the one of the last step among them, and how many of these,
     * from the first one on, are on disk. NULL = none is
     * ever known to be. */
    void (*trail)(void *arg, uint64_t *taken, uint64_t *settled);
    /* A gateway is counted as dead, by whomever. */
    void (*gone)(void *arg, const char *node, int64_t epoch);
    /* How many leases this gateway has, for the others to see. */
    size_t (*leases)(void *arg);
};

/* ---- the store ---- */

enum store_member_state {
    MEMBER_ALIVE,
    MEMBER_SILENT,  /* for longer than half of the time after which it is counted as dead */
    MEMBER_LEAVING, /* it stops, and hands its rows over */
    MEMBER_ADOPTED, /* it is dead, and its rows are being adopted */
    MEMBER_NSTATES
};

struct store_member {
    char node[64];
    int64_t epoch;
    enum store_member_state state;
    uint64_t silent_ms;
    uint64_t leases;
    char version[32], config_digest[72];
    char adopter[96]; /* ADOPTED: node@epoch; "" = none as yet */
};

#define STORE_TRIP_BUCKETS 14 /* upper bounds in ms: store_trip_bounds_ms[], the last one without */
extern const unsigned store_trip_bounds_ms[STORE_TRIP_BUCKETS - 1];

/* What a shared store knows of its cluster, and counts. */
struct store_cluster {
    bool joined, certain;
    bool fenced;        /* and not joined again as yet */
    bool refused;       /* etcd answers, and has refused the last write: it is not away (store_state.why) */
    const char *remedy; /* what to do about that, a half sentence; "" = not known */
    uint64_t certain_left_ms; /* for so long it is certain without a further write */
    char node[64];
    int64_t epoch;
    const char *config_digest;          /* of this gateway; NULL = it has none */
    const struct store_member *members; /* without this gateway */
    size_t nmembers;
    uint64_t fences;                                 /* of this gateway, so far */
    uint64_t adoptions;                              /* gateways whose rows this one has adopted, so far */
    uint64_t adopted;                                /* requests among them */
    uint64_t outcomes[STEP_NKINDS][STORE_NOUTCOMES]; /* steps so far */
    uint64_t endpoint_changes;
    uint64_t unreadable; /* rows that could not be read, each value once, so far */
    char endpoint[128];
    char leader[24]; /* id of etcd's leader; "" = not known */
    int64_t revision, db_bytes;
    uint64_t trips[STORE_TRIP_BUCKETS], trips_sum_us; /* round trips of flights and questions, so far */
};

struct store_state {
    bool writable;
    char why[160];           /* when not */
    size_t queued;           /* steps that wait */
    uint64_t commits, steps; /* so far; of a shared store flights, those without steps included */
    uint64_t last_commit_us;
    const struct store_cluster *cluster; /* NULL = it is not shared; valid until the loop goes on */
};

/* What a load calls, each for each row, NULL = for none; a result other than 0 ends it. Texts are valid
 * within the call. */
struct store_reader {
    int (*request)(void *arg, const struct request_row *);
    int (*lease)(void *arg, const struct lease_row *);
    int (*cursor)(void *arg, const struct cursor_row *);
};

struct store;

struct store_ops {
    const char *name;
    /* All vault requests, then all leases, then all cursors, each in no order. Before any step; a shared
     * store gives the cursors alone, once it has joined, and has none before. 0 or -errno. */
    int (*load)(struct store *, const struct store_reader *, void *arg);
    /* "" = it has none yet. */
    const char *(*tag)(const struct store *);
    /* Keeps the tag: durable on return. Before any step, and only where tag() is "". 0 or -errno. NULL = the
     * store draws its tag itself. */
    int (*set_tag)(struct store *, const char tag[ID_TAG_SIZE]);
    int (*steps)(struct store *, struct store_steps *);
    void (*state)(const struct store *, struct store_state *);
    void (*close)(struct store *, void (*closed)(void *arg), void *arg);

    /* Of a shared store; NULL otherwise. */

    /* Once, before any step. What has happened before comes then: joined(), adopt(). */
    void (*listen)(struct store *, const struct store_news *, void *arg);
    int (*ask)(struct store *, struct store_question *);
    void (*forget)(struct store *, struct store_question *); /* any number of times, also after done() */
    /* May a request be made at the vault at this moment? Judged by the clock as it is, not by the loop's. */
    bool (*may_send)(const struct store *);
    /* May an answer go out whose confirmation was sent then (sent_ms)? As may_send(). Not while the store
     * cannot be written: releases wait then, and no confirmation shows them. */
    bool (*is_fresh)(const struct store *, uint64_t sent_ms);
    /* See struct store_finish. */
    int64_t (*moment)(const struct store *);
    /* The digest of the configuration is another one now (store_member.config_digest). Copied. */
    void (*set_config)(struct store *, const char *digest);
    /* Hands all rows of this gateway over to another one. `done`: `taken` = that has happened; false = no
     * other gateway is alive. Until close() the store takes no more steps. */
    void (*leave)(struct store *, void (*done)(void *arg, bool taken), void *arg);
};

/* Every store's own struct begins with this. */
struct store {
    const struct store_ops *ops;
};

static inline bool store_is_shared(const struct store *s)
{
    return s && s->ops->listen;
}

#endif
