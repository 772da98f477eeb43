/* SPDX-License-Identifier: Apache-2.0 */
/*
 * session_ended.c - the site says that a PRA session has ended: its leases end early.
 *
 *   broker_session_ended(): check-outs in flight are marked, leases end at once --> all rows durable --> done
 *
 * The site knows the session by its lsid, so the leases of all its users end. The end of each is the same as
 * by sessions/complete; what is releasing already, or was never answered, is not on the list. The answer
 * waits for the whole journal: so a report that comes again while the ends of the first are on their way to
 * the disk is not answered before them.
 *
 * A report that can be made again (an event) is refused while it could not be kept. A report that cannot, or
 * that is made again anyway (a listing), takes effect as far as it can: rows follow when the store can write.
 *
 * Not here: what a check-out in flight does (checkout/session_end.c), who may report (handlers).
 */
#include "base/container_of.h"
#include "base/crash_point.h"
#include "base/log.h"
#include "broker/audit.h"
#include "broker/leases/journal.h"
#include "broker/leases/lease_life.h"
#include "broker/leases/leases.h"
#include "broker/leases/lsid_index.h"
#include "broker/leases/shared.h"
#include "broker/leases/sites.h"
#include "broker/operation.h"
#include "broker/release_work.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct session_ended {
    struct op op;
    session_ended_done *done;
    void *arg;
    enum session_end_source source;
    struct journal_wait written;
    struct release_work *work; /* of a shared store; NULL = it is done, or none is needed */
    struct fault fault;
    size_t ended;
    size_t here; /* of a shared store: leases of this gateway, which are counted already */
    bool known;  /* the session is counted already */
};

/* ---- the effect ---- */

static size_t count_leases(const struct lsid_entry *entry)
{
    const struct lease *lease;
    size_t n = 0;

    SLIST_FOREACH(lease, &entry->leases, of_lsid)
    n++;
    return n;
}

static size_t end_leases(struct lsid_entry *entry, const struct session_end *end)
{
    struct lease *lease;
    size_t n = 0;

    while ((lease = SLIST_FIRST(&entry->leases))) {
        if (vault_request_expire(lease->request)) /* its time is over: it has expired, and is not ended */
            continue;
        lease_close_ended(lease, end);
        n++;
    }
    return n;
}

/* A session that nothing is known of costs no more than the look-up. *known = something is. */
static size_t end_session(struct broker *b, const char *lsid, enum session_end_source source,
                          const char *site, bool *known)
{
    struct leases *ls = b->leases;
    char key[LSID_SIZE];
    struct lsid_entry *entry = lsid_normal(lsid, key) ? lsid_entry_find(ls, key) : NULL;

    *known = false;
    if (!entry)
        return 0;
    const struct session_end *end = session_end_get(ls, source, site);

    entry->refs++; /* it outlives its leases */
    size_t checkouts = checkouts_note_end(entry, end);
    size_t leases = leases_shared(ls) ? count_leases(entry) : end_leases(entry, end);

    lsid_entry_unref(ls, entry);
    *known = checkouts || leases;
    if (!*known)
        return 0;
    crash_point("pra.ended.put");
    b->session_ends[source].sessions++;
    b->session_ends[source].leases += leases;
    log_info("session_ended", "source=%s pra=%s lsid=%s leases=%zu checkouts=%zu", session_end_word(source),
             site, key, leases, checkouts);
    return leases;
}

/* Its leases over all gateways. NULL = out of memory, or too many are to be done. */
static struct release_work *end_everywhere(struct broker *b, const struct session_ended_args *args,
                                           const struct release_work_class *class, void *arg)
{
    return release_work_new(
        b,
        &(struct release_work_args){.lsid = args->lsid,
                                    .end = session_end_get(b->leases, args->source, args->site),
                                    .is_over = args->source != SESSION_END_POLL,
                                    .why = "session_ended"},
        class, arg);
}

static bool is_lsid(const char *lsid)
{
    char key[LSID_SIZE];

    return lsid_normal(lsid, key);
}

size_t broker_end_session(struct broker *b, const struct session_ended_args *args)
{
    bool known;

    if (leases_shared(b->leases) && is_lsid(args->lsid) && !end_everywhere(b, args, NULL, NULL))
        log_error("session_end_lost", "lsid=%s error=%s", args->lsid, "out of memory");
    return end_session(b, args->lsid, args->source, args->site, &known);
}

/* ---- the operation ---- */

static void session_ended_leave(struct op *op)
{
    struct session_ended *e = CONTAINER_OF(op, struct session_ended, op);

    journal_unwait(&e->written);
    if (e->work)
        release_work_leave(e->work);
    op_end(op);
    free(e);
}

static void finish_op(struct session_ended *e)
{
    e->done(e->arg, &(struct session_ended_answer){fault_is_set(&e->fault) ? &e->fault : NULL, e->ended});
    session_ended_leave(&e->op);
}

static void not_durable(struct session_ended *e)
{
    if (e->source == SESSION_END_EVENT)
        fault_set(
            &e->fault, FAULT_STORE_UNAVAILABLE,
            "the lease store cannot be written; the log and /readyz say why. The event is to be sent again");
}

/* Nothing is waited for (the op has no time then), or the time is over. */
static void session_ended_expired(struct op *op)
{
    struct session_ended *e = CONTAINER_OF(op, struct session_ended, op);

    if (e->written.entry || e->work)
        not_durable(e);
    finish_op(e);
}

static void on_ended(void *arg, const struct lease_row *lease, unsigned others,
                     struct vault_request *returned)
{
    struct session_ended *e = arg;
    struct broker *b = e->op.broker;

    (void)lease;
    (void)others;
    (void)returned;
    if (!e->known)
        b->session_ends[e->source].sessions++;
    e->known = true;
    if (++e->ended > e->here)
        b->session_ends[e->source].leases++;
}

static void on_done(void *arg, bool found)
{
    struct session_ended *e = arg;

    (void)found;
    e->work = NULL;
    finish_op(e);
}

static const struct release_work_class work_class = {on_ended, on_done};

/* Answered when the work is done. */
static void begin_work(struct broker *b, struct session_ended *e, const struct session_ended_args *args)
{
    e->work = end_everywhere(b, args, &work_class, e);
    if (e->work)
        return;
    not_durable(e);
    op_expire_soon(&e->op);
}

static void on_written(struct journal_wait *w, int err)
{
    struct session_ended *e = CONTAINER_OF(w, struct session_ended, written);

    if (err)
        not_durable(e);
    else
        crash_point("pra.ended.durable");
    finish_op(e);
}

static const struct op_class session_ended_class = {session_ended_leave, session_ended_expired,
                                                    session_ended_leave};

/* An event that could not be kept is refused, and changes nothing. */
static bool is_refused(const struct broker *b, struct session_ended *e)
{
    if (e->source != SESSION_END_EVENT)
        return false;
    if (b->draining)
        fault_set(&e->fault, FAULT_DRAINING, "the gateway is stopping");
    else if (!audit_permits(b->audit))
        audit_fault(&e->fault);
    else if (!journal_writable(leases_journal(b->leases)))
        not_durable(e);
    return fault_is_set(&e->fault);
}

struct op *broker_session_ended(struct broker *b, const struct session_ended_args *args,
                                session_ended_done *done, void *arg)
{
    struct session_ended *e = malloc(sizeof *e);

    if (!e)
        return NULL;
    *e = (struct session_ended){.done = done, .arg = arg, .source = args->source};
    bool refused = is_refused(b, e);

    if (op_begin(&e->op, &session_ended_class, b, args->timeout_ms)) {
        free(e);
        return NULL;
    }
    if (!refused)
        e->ended = end_session(b, args->lsid, args->source, args->site, &e->known);
    if (!refused && leases_shared(b->leases) && is_lsid(args->lsid)) {
        e->here = e->ended;
        e->ended = 0; /* counted when the store has ended them */
        begin_work(b, e, args);
        return &e->op;
    }
    int waits = refused ? 0 : journal_await_all(leases_journal(b->leases), &e->written, on_written);

    if (waits < 0)
        not_durable(e);
    if (waits != 1)
        op_expire_soon(&e->op);
    return &e->op;
}

/* ---- what the site's poll keeps and asks ---- */

bool broker_pra_oldest_key(const struct broker *b, int64_t *created_wall_ms)
{
    return lsid_index_oldest(b->leases, created_wall_ms);
}

bool broker_pra_cursor_load(const struct broker *b, const char *site, int64_t *cursor_ms)
{
    return site_cursor(b->leases, site, cursor_ms);
}

/* What it covers ends first: the store has no word of it as yet. */
int broker_pra_cursor_save(struct broker *b, const char *site, int64_t cursor_ms)
{
    if (release_works_count(b))
        return -EAGAIN;
    return site_save_cursor(b->leases, site, cursor_ms);
}
