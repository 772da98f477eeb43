/* SPDX-License-Identifier: Apache-2.0 */
/*
 * session_started.c - PRA reports the start of a session: the report is recorded, and answered when the
 * record is on disk.
 *
 *   broker_session_started(): lsid given to leases, record written --> all on disk --> done
 *
 * A report that names the lsid of the session gives it to the leases and check-outs in flight that the
 * session has, so that the site can end them by it; also to leases that other gateways have made.
 *
 * The session has started whether or not record and rows can be written, so there is no refusal: what is not
 * on disk before the caller's deadline follows later, as all that is not waited for.
 */
#include "base/container_of.h"
#include "base/crash_point.h"
#include "broker/audit.h"
#include "broker/leases/journal.h"
#include "broker/leases/lease_table.h"
#include "broker/leases/leases.h"
#include "broker/leases/rows.h"
#include "broker/leases/shared.h"
#include "broker/lsid_rows.h"
#include "broker/operation.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct session_started {
    struct op op;
    struct audit_wait recorded;
    struct journal_wait written;
    struct lsid_rows elsewhere;
    unsigned waiting; /* for so many of the three */
    session_started_done *done;
    void *arg;
};

static void session_started_leave(struct op *op)
{
    struct session_started *started = CONTAINER_OF(op, struct session_started, op);

    audit_unwait(op->broker->audit, &started->recorded);
    journal_unwait(&started->written);
    lsid_rows_end(&started->elsewhere);
    op_end(op);
    free(started);
}

static void finish_op(struct op *op)
{
    struct session_started *started = CONTAINER_OF(op, struct session_started, op);

    started->done(started->arg);
    session_started_leave(op);
}

static void wait_ended(struct session_started *started)
{
    if (--started->waiting == 0)
        finish_op(&started->op);
}

static void on_recorded(struct audit_wait *w, int err)
{
    (void)err;
    wait_ended(CONTAINER_OF(w, struct session_started, recorded));
}

static void on_written(struct journal_wait *w, int err)
{
    if (!err)
        crash_point("lease.lsid.durable");
    wait_ended(CONTAINER_OF(w, struct session_started, written));
}

static void on_given_elsewhere(struct lsid_rows *rows)
{
    struct session_started *started = CONTAINER_OF(rows, struct session_started, elsewhere);

    lsid_rows_end(rows);
    wait_ended(started);
}

static const struct op_class session_started_class = {session_started_leave, finish_op,
                                                      session_started_leave};

/* ---- the lsid of the session's leases ---- */

static int set_lsid(struct leases *ls, struct lease *lease, const char *lsid, size_t *changed)
{
    if (strcmp(lease_lsid(lease), lsid) == 0)
        return 0;
    ++*changed;
    int err = lease_set_lsid(ls, lease, lsid);

    return err ? err : row_amend(lease);
}

/* *changed = so many rows of this gateway are to be written. 0 or -ENOMEM. */
static int give_lsid_here(struct broker *b, const struct session *session, size_t *changed)
{
    struct session_leases *probe = session_leases_probe(session);
    const struct session_leases *s = probe ? session_leases_find(b->leases, probe) : NULL;
    int err = probe ? checkouts_set_lsid(b, probe, session->lsid) : -ENOMEM;
    struct lease *lease;

    free(probe);
    if (s)
        SLIST_FOREACH(lease, &s->leases, of_session)
    err = err ? err : set_lsid(b->leases, lease, session->lsid, changed);
    if (*changed)
        crash_point("lease.lsid.put");
    return err;
}

static int give_lsid(struct session_started *started, const struct session *session, size_t *changed)
{
    struct broker *b = started->op.broker;

    if (!session->lsid || !session->id)
        return 0;
    int err = give_lsid_here(b, session, changed);

    if (err || !leases_shared(b->leases))
        return err;
    err = lsid_rows_begin(&started->elsewhere, b, session, on_given_elsewhere);
    started->waiting += !err;
    return err;
}

/* ---- the operation ---- */

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

static bool await_rows(struct broker *b, struct journal_wait *wait)
{
    return journal_await_all(leases_journal(b->leases), wait, on_written) == 1;
}

struct op *broker_session_started(struct broker *b, const struct started_args *args,
                                  session_started_done *done, void *arg)
{
    struct session_started *started = malloc(sizeof(*started));
    size_t changed = 0;

    if (!started)
        return NULL;
    *started = (struct session_started){.recorded = {.done = on_recorded}, .done = done, .arg = arg};
    if (op_begin(&started->op, &session_started_class, b, args->by.timeout_ms)) {
        free(started);
        return NULL;
    }
    if (give_lsid(started, &args->by.session, &changed)) {
        op_end(&started->op);
        free(started);
        return NULL;
    }
    started->waiting += write_record(b->audit, args, &started->recorded) == AUDIT_WAIT;
    started->waiting += changed && await_rows(b, &started->written);
    if (!started->waiting)
        op_expire_soon(&started->op);
    return &started->op;
}
