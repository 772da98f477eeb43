/* SPDX-License-Identifier: Apache-2.0 */
/*
 * session_started.c - PRA reports the start of a session: the report is recorded, and answered when the
 * record is on disk.
 *
 *   broker_session_started(): record written --> on disk --> done
 *
 * The session has started whether or not the record can be written, so there is no refusal: a record that is
 * not on disk before the caller's deadline follows later, as all records that are not waited for.
 */
#include "base/container_of.h"
#include "broker/audit.h"
#include "broker/operation.h"

#include <stdlib.h>

struct session_started {
    struct op op;
    struct audit_wait recorded;
    session_started_done *done;
    void *arg;
};

static void session_started_leave(struct op *op)
{
    struct session_started *started = CONTAINER_OF(op, struct session_started, op);

    audit_unwait(op->broker->audit, &started->recorded);
    op_end(op);
    free(started);
}

static void finish_op(struct op *op)
{
    struct session_started *started = CONTAINER_OF(op, struct session_started, op);

    started->done(started->arg);
    session_started_leave(op);
}

static void on_recorded(struct audit_wait *w, int err)
{
    (void)err;
    finish_op(&CONTAINER_OF(w, struct session_started, recorded)->op);
}

static const struct op_class session_started_class = {session_started_leave, finish_op,
                                                      session_started_leave};

/* The history URL is recorded in part: the whole of it may open the recording. */
static int write_record(struct audit *audit, const struct started_args *args, struct audit_wait *wait)
{
    struct audit_note note;

    audit_note(&note, audit, "session_started");
    audit_session(&note, &args->by.session);
    audit_url(&note, "history_url", args->history_url);
    audit_number(&note, "history_url_expiry_seconds", args->expiry_s);
    return audit_write_await(&note, wait);
}

struct op *broker_session_started(struct broker *b, const struct started_args *args,
                                  session_started_done *done, void *arg)
{
    struct session_started *started = malloc(sizeof(*started));

    if (!started)
        return NULL;
    *started = (struct session_started){.recorded = {.done = on_recorded}, .done = done, .arg = arg};
    bool waits = write_record(b->audit, args, &started->recorded) == AUDIT_WAIT;

    if (op_begin(&started->op, &session_started_class, b,
                 waits ? args->by.timeout_ms : 0)) { /* without a wait: in the next iteration */
        audit_unwait(b->audit, &started->recorded);
        free(started);
        return NULL;
    }
    return &started->op;
}
