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
    REQUEST_NSTATES
};

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
    enum request_state state;
    const char *vault; /* configuration name */
    const char *url;   /* the vault's address, in one spelling; "" = the row is of a version that kept none */
    const char *user;  /* mapped vault user (run-as) */
    const char *name;  /* the vault's; "" = not known yet, or the vault keeps no request */
    bool adopted;      /* the person's own request: never checked in */
    int64_t expires_wall_ms;
    int64_t attempts;       /* check-ins tried */
    int64_t next_wall_ms;   /* next check-in, 0 = at once; LAPSED, PENDING: the end of waiting */
    const char *last_error; /* "" = none */
    struct holder asker;    /* of the lease for which it was asked */
};

/* Which report ended the PRA session of a lease. */
enum session_end_source {
    SESSION_END_NONE, /* the session has not ended */
    SESSION_END_POLL, /* a listing of closed sessions */
    SESSION_END_EVENT,
    SESSION_END_TERMINATE, /* the gateway had the session terminated */
    SESSION_END_NSOURCES
};

struct lease_row {
    const char *request; /* mark of the vault request that it holds */
    const char *id;
    struct holder holder;
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
    STEP_NKINDS
};

enum row_change { ROW_AS_IS, ROW_INSERTED, ROW_UPDATED, ROW_DELETED };

/*
 * What a kind of step expects and does. An update of a request changes all but mark, user, and asker (of
 * which it changes the lsid). `from`: bits of the states in which the request must be; 0 = in that of the
 * step's row, or, where it is deleted, in any or absent. An inserted request must not be there. `alone`: no
 * lease may hold the request then. A lease that is amended or deleted need not be there; where its id is ""
 * there is none.
 */
struct store_step_rule {
    const char *name;
    enum row_change request, lease;
    unsigned from;
    bool alone;
};
extern const struct store_step_rule store_step_rules[STEP_NKINDS];

enum store_outcome { STORE_APPLIED, STORE_OTHERWISE, STORE_AWAY };

struct store_step {
    enum store_step_kind kind;
    struct request_row request; /* `mark` "" = none is meant */
    struct lease_row lease;     /* `id` "" = none is meant */
    /* Mark of an ASKED request that is deleted with STEP_OPEN: the lease's own, of its id; "" = none. */
    const char *instead;
    struct cursor_row cursor;
    void (*done)(struct store_step *, enum store_outcome);
    int err; /* AWAY: -ENOSPC, -EIO, -ENOMEM */
    /*
     * OTHERWISE: the request as it is now, NULL = there is none of this description. APPLIED: STEP_OPEN on a
     * request that another gateway has made meanwhile shows that one; its own, asked for, has ended. Freed by
     * the store after `done`.
     */
    struct request_row *now;
    STAILQ_ENTRY(store_step) link; /* the caller's until steps() */
};

STAILQ_HEAD(store_steps, store_step);

/* ---- the store ---- */

struct store_state {
    bool writable;
    char why[160];           /* when not */
    size_t queued;           /* steps that wait */
    uint64_t commits, steps; /* so far */
    uint64_t last_commit_us;
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
    /* All vault requests, then all leases, then all cursors, each in no order. Before any step; etcd gives
     * what its opening has read, once. 0 or -errno. */
    int (*load)(struct store *, const struct store_reader *, void *arg);
    /* "" = it has none yet. */
    const char *(*tag)(const struct store *);
    /* Keeps the tag: durable on return. Before any step, and only where tag() is "". 0 or -errno. NULL = the
     * store draws its tag itself. */
    int (*set_tag)(struct store *, const char tag[ID_TAG_SIZE]);
    int (*steps)(struct store *, struct store_steps *);
    void (*state)(const struct store *, struct store_state *);
    void (*close)(struct store *, void (*closed)(void *arg), void *arg);
};

/* Every store's own struct begins with this. */
struct store {
    const struct store_ops *ops;
};

#endif
