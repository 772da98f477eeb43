/*
 * audit_sink.h - where audit records go, as seen by the code that records.
 *
 * A sink is a const struct of functions, as a vault and a store are. A record is the inside of a JSON object,
 * beginning with its `event` member; the sink adds number, time and hashes and keeps the order of put().
 * All calls are made on the loop's thread.
 *
 * Rules: put() returns 0 and, with a wait, later calls its `done` exactly once, never before put() has
 * returned; or it returns <0 and never calls it. done(0): the record is on disk. done(<0): it was not on disk
 * in time; a record with AUDIT_KEEP is then still written as soon as that is possible, a record without it is
 * dropped unless it is on disk already. After forget() `done` is not called any more.
 */
#ifndef JG_AUDIT_AUDIT_SINK_H
#define JG_AUDIT_AUDIT_SINK_H

#include "base/jsonw.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AUDIT_MEMBERS_MAX 24576 /* bytes of one record's members */

enum audit_flags {
    AUDIT_KEEP = 1 /* tells what has happened: it is written later where it cannot be written now */
};

struct audit_wait {
    void (*done)(struct audit_wait *, int err);
    void *entry; /* the sink's; NULL = not waiting */
};

struct audit_state {
    bool writable;
    char why[160];                    /* when not */
    size_t queued;                    /* records not on disk yet */
    uint64_t seq;                     /* of the last record on disk */
    uint64_t records;                 /* on disk, since the start */
    uint64_t taken;                   /* by put(), since the start */
    uint64_t settled;                 /* of these the first ones, which are on disk or are not to be kept */
    uint64_t failures;                /* attempts to write that failed */
    uint64_t lost;                    /* records given up because too many were waiting */
    uint64_t breaks;                  /* the file was found deleted, replaced, cut or changed */
    uint64_t sink_sent, sink_dropped; /* second sink */
    uint64_t last_commit_us;
};

/* Members of /status of either program, from `name` to `breaks`, in an object that is open. */
void audit_state_json(struct jsonw *, const struct audit_state *, bool strict);

struct audit_sink;

struct audit_sink_ops {
    /* 0, or -EMSGSIZE, -ENOMEM, -ESHUTDOWN, or, with a wait, -EBUSY: it would have to wait too long. */
    int (*put)(struct audit_sink *, const char *members, size_t n, unsigned flags, struct audit_wait *);
    void (*forget)(struct audit_sink *, struct audit_wait *); /* any number of times */
    void (*state)(struct audit_sink *, struct audit_state *);
};

/* Every sink's own struct begins with this. */
struct audit_sink {
    const struct audit_sink_ops *ops;
};

#endif
