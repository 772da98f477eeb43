/* SPDX-License-Identifier: Apache-2.0 */
/*
 * told.c - what PRA tells about a session: it is written down, and answered when that is on disk.
 *
 *   broker_session_started(): record given away --> on disk --> done
 *
 * It has happened whether or not it can be written, so there is no refusal: a record that cannot be had in
 * time, or before the caller's patience ends, follows later, as all others do that nobody waits for.
 */
#include "broker/audit.h"
#include "broker/op.h"

#include <stdlib.h>

struct told {
    struct op op; /* first */
    struct audit_wait recorded;
    told_done *done;
    void *arg;
};

static void told_leave(struct op *op)
{
    struct told *t = (struct told *)op;

    audit_unwait(op->broker->audit, &t->recorded);
    op_end(op);
    free(t);
}

static void finish(struct op *op)
{
    struct told *t = (struct told *)op;

    t->done(t->arg);
    told_leave(op);
}

static void on_recorded(struct audit_wait *w, int err)
{
    (void)err;
    finish(&OWNER_OF(w, struct told, recorded)->op);
}

static const struct op_class told_class = {"told", told_leave, finish, told_leave};

/* The history URL is recorded in part: whoever has it may be able to open it. */
static int record(struct audit *audit, const struct started_args *args, struct audit_wait *wait)
{
    struct audit_note note;

    audit_note(&note, audit, "session_started");
    audit_session(&note, &args->session);
    audit_url(&note, "history_url", args->history_url);
    audit_number(&note, "history_url_expiry_seconds", args->expiry_s);
    return audit_write_await(&note, wait);
}

struct op *broker_session_started(struct broker *b, const struct started_args *args, told_done *done,
                                  void *arg)
{
    struct told *t = malloc(sizeof(*t));

    if (!t)
        return NULL;
    *t = (struct told){.recorded = {.done = on_recorded}, .done = done, .arg = arg};
    bool waits = record(b->audit, args, &t->recorded) == AUDIT_WAIT;

    if (op_begin(&t->op, &told_class, b,
                 waits ? args->timeout_ms : 0)) { /* without a wait: in the next turn */
        audit_unwait(b->audit, &t->recorded);
        free(t);
        return NULL;
    }
    return &t->op;
}
