/*
 * store.h - where the rows of leases are kept so that they outlive the process.
 *
 * A store is a const struct of functions, as a vault is. It keeps one row per lease: which PRA session holds
 * which vault request, until when, and how far its check-in has come; and one row per PRA site, its cursor.
 * No row ever holds a secret.
 *
 * A store has a tag: five letters with which every lease id of its gateway begins, so that a request at the
 * vault whose reason has such an id is the gateway's own, however old it is.
 *
 * Writes are asynchronous and durable: `done` comes when the row is on disk, not before. The writes of one
 * call become durable together or not at all; lists become durable in the order in which they were given. A
 * write that fails has changed nothing. When to write, and which writes share a commit, is the caller's
 * decision: the store starts at once. While the store cannot write (state().writable), the broker makes no
 * new check-outs and keeps releasing leases (docs/journal.md); the store tries again every second.
 *
 * Rules: write() takes over the whole list, returns 0 and later calls `done` exactly once for each write,
 * never before it has returned; or it returns -errno and has taken nothing. A write and the texts of its row
 * stay valid until `done`. A write cannot be cancelled. close() completes the queued writes, then calls
 * `closed`.
 *
 * Not here: the meaning of the rows (broker/leases/journal.h).
 */
#ifndef JG_STORES_STORE_H
#define JG_STORES_STORE_H

#include "base/id.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

enum lease_state {
    LEASE_INTENT,    /* on disk before the vault gets the request: it may exist there */
    LEASE_OPEN,      /* the vault's request id is known and held */
    LEASE_RELEASING, /* to be checked in; attempts and next try are kept */
    LEASE_LAPSED,    /* the vault's own expiry came first; kept for a day, for operators to see */
    LEASE_NSTATES
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
    const char *id; /* lease id */
    enum lease_state state;
    const char *vault; /* configuration name */
    const char *url;   /* the vault's address, in one spelling; "" = the row is of a version that kept none */
    const char *user;  /* mapped vault user (run-as) */
    const char *username;   /* PRA user */
    const char *domain;     /* PRA domain, "" = none */
    const char *session;    /* PRA session id */
    const char *lsid;       /* of the PRA session, as given; "" = not known */
    const char *credential; /* credential id */
    const char *tag; /* the mark in the vault's reason by which an own request is known: the lease id */
    int64_t system_id, account_id, application_id;
    const char *request; /* the vault's name of it; "" = not known (intent), or none */
    bool adopted;        /* the person's own request: never checked in before its expiry */
    int64_t created_wall_ms, expires_wall_ms;
    int64_t attempts;       /* check-ins tried */
    int64_t next_wall_ms;   /* next check-in, 0 = at once */
    const char *last_error; /* "" = none */
    /* The PRA session has ended, the lease as yet has not: its check-out was in flight. The next start ends
     * it. */
    enum session_end_source ended;
    const char *ended_site;       /* which site reported it; "" = none */
    const char *system, *account; /* their names, for operators; "" = not known */
};

/* All texts of a row, for what copies one. */
#define LEASE_ROW_TEXTS 15
static inline void lease_row_texts(struct lease_row *r, const char **texts[LEASE_ROW_TEXTS])
{
    const char **all[LEASE_ROW_TEXTS] = {
        &r->id,         &r->vault, &r->user, &r->username,   &r->domain, &r->session, &r->credential, &r->tag,
        &r->last_error, &r->url,   &r->lsid, &r->ended_site, &r->system, &r->account, &r->request};

    for (int i = 0; i < LEASE_ROW_TEXTS; i++)
        texts[i] = all[i];
}

/* Up to when the closed sessions of a PRA site are known. */
struct cursor_row {
    const char *site;  /* configuration name */
    int64_t cursor_ms; /* the site's time, Unix ms */
};

struct store_write {
    bool remove; /* the lease has ended: only row.id counts */
    struct lease_row row;
    struct cursor_row cursor; /* `site` not NULL: this is written, in place of a lease's row */
    void (*done)(struct store_write *, int err); /* 0 or -errno: -ENOSPC, -EIO, -ENOMEM */
    STAILQ_ENTRY(store_write) link;              /* the caller's until write() */
};

STAILQ_HEAD(store_writes, store_write);

struct store_state {
    bool writable;
    char why[160];          /* when not */
    size_t queued;          /* writes that wait */
    uint64_t commits, rows; /* so far */
    uint64_t last_commit_us;
};

struct store;

struct store_ops {
    const char *name;
    /* Calls `row` for each kept lease, in no order; texts are valid within the call. Before any write. 0 or
     * -errno. */
    int (*load)(struct store *, int (*row)(void *arg, const struct lease_row *), void *arg);
    /* The same for the cursor of each site. */
    int (*load_cursors)(struct store *, int (*row)(void *arg, const struct cursor_row *), void *arg);
    /* "" = it has none yet. */
    const char *(*tag)(const struct store *);
    /* Keeps the tag: durable on return. Before any write. 0 or -errno. */
    int (*set_tag)(struct store *, const char tag[ID_TAG_SIZE]);
    int (*write)(struct store *, struct store_writes *);
    void (*state)(const struct store *, struct store_state *);
    void (*close)(struct store *, void (*closed)(void *arg), void *arg);
};

/* Every store's own struct begins with this. */
struct store {
    const struct store_ops *ops;
};

#endif
