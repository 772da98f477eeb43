/* SPDX-License-Identifier: Apache-2.0 */
/*
 * session_started.c - what PRA tells about a session: it is written down, and answered when that is on disk.
 *
 *   broker_session_started(): record given away --> on disk --> done
 *
 * It has happened whether or not it can be written, so there is no refusal: a record that cannot be had in
 * time, or before the caller's patience ends, follows later, as all others do that nobody waits for.
 */
#include "base/container_of.h"
#include "broker/audit.h"
#include "broker/operation.h"

#include <stdlib.h>

struct session_started {
    struct op op; /* first */
    struct audit_wait recorded;
    session_started_done *done;
    void *arg;
};

static void session_started_leave(struct op *op)
{
    struct session_started *t = (struct session_started *)op;

    audit_unwait(op->broker->audit, &t->recorded);
    op_end(op);
    free(t);
}

static void finish(struct op *op)
{
    struct session_started *t = (struct session_started *)op;

    t->done(t->arg);
    session_started_leave(op);
}

static void on_recorded(struct audit_wait *w, int err)
{
    (void)err;
    finish(&CONTAINER_OF(w, struct session_started, recorded)->op);
}

static const struct op_class session_started_class = {"told", session_started_leave, finish,
                                                      session_started_leave};

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

struct op *broker_session_started(struct broker *b, const struct started_args *args,
                                  session_started_done *done, void *arg)
{
    struct session_started *t = malloc(sizeof(*t));

    if (!t)
        return NULL;
    *t = (struct session_started){.recorded = {.done = on_recorded}, .done = done, .arg = arg};
    bool waits = record(b->audit, args, &t->recorded) == AUDIT_WAIT;

    if (op_begin(&t->op, &session_started_class, b,
                 waits ? args->timeout_ms : 0)) { /* without a wait: in the next turn */
        audit_unwait(b->audit, &t->recorded);
        free(t);
        return NULL;
    }
    return &t->op;
}
