/* SPDX-License-Identifier: Apache-2.0 */
/*
 * session_end.c - check-outs in flight and the lsid of their session: the site says that the session has
 * ended, or PRA says which lsid it has.
 *
 * By the site's report a check-out is not undone. It is answered as usual, and its lease ends when it has
 * landed. A process that dies in between must know it: from the moment that the row is OPEN it says so, and
 * the next start ends that lease (leases/restore.c). Where the check-out reads through a lease that its
 * session has, that lease ends at once, and the check-out goes on with its own hold on the vault request.
 *
 * Not here: the session's own release or completion, which ends and undoes check-outs (checkouts_end() in
 * checkout.c).
 */
#include "base/container_of.h"
#include "base/crash_point.h"
#include "base/log.h"
#include "broker/checkout/checkout.h"
#include "broker/release_work.h"
#include "stores/store_rows.h"

#include <errno.h>
#include <string.h>

static void write_row(struct checkout *co)
{
    if (co->lease && row_amend(co->lease))
        log_error("journal_lost", "lease=%s error=%s", co->lease->id, "out of memory");
}

int co_set_lsid(struct checkout *co, const char *lsid)
{
    int err = lsid_checkout_set(co->op.broker->leases, &co->by_lsid, lsid);

    if (err)
        return err;
    if (co->by_lsid.entry)
        co->session->lsid = co->by_lsid.lsid; /* for its record, and for the lease it makes */
    return 0;
}

/* The session that has ended is not the one of the check-out. */
static void forget_end(struct checkout *co)
{
    co->end = NULL;
    if (co->lease)
        co->lease->end = NULL;
}

/* An lsid that was named counts for the check-out and the lease; the lease's says more than the session's id.
 */
void co_share_lsid(struct checkout *co, struct lease *lease)
{
    struct leases *ls = co->op.broker->leases;
    int err = 0;

    if (co->lsid_named && strcmp(co->by_lsid.lsid, lease_lsid(lease)) != 0) {
        err = lease_set_lsid(ls, lease, co->by_lsid.lsid);
        err = err ? err : row_amend(lease);
    } else if (!co->lsid_named && lease->lsid_entry && lease->lsid_entry != co->by_lsid.entry) {
        forget_end(co);
        err = co_set_lsid(co, lease_lsid(lease));
    }
    if (err)
        log_error("lsid_lost", "lease=%s error=%s", lease->id, "out of memory");
}

static bool learn_lsid(struct checkout *co, const char *lsid)
{
    char key[LSID_SIZE];

    co->lsid_named = true;
    if (strcmp(co->by_lsid.lsid, lsid) == 0)
        return true;
    if (co->by_lsid.entry && lsid_normal(lsid, key) && strcmp(co->by_lsid.entry->key, key) != 0)
        forget_end(co);
    if (co_set_lsid(co, lsid) ||
        (co->lease && lease_set_lsid(co->op.broker->leases, co->lease, co->by_lsid.lsid)))
        return false;
    write_row(co);
    return true;
}

int checkouts_set_lsid(struct broker *b, const struct session_leases *session, const char *lsid)
{
    struct checkout *co = session_queue_first(b, session);
    bool all = true;

    for (; co; co = TAILQ_NEXT(co, of_queue))
        all = learn_lsid(co, lsid) && all;
    return all ? 0 : -ENOMEM;
}

/* It reads through a lease of its session, which is going to end. */
static void keep_own_lease(struct checkout *co)
{
    const struct lease *own = lease_find(co->op.broker->leases, co->session, co->credential_id);

    if (co->request && !co->lease && own && own->request == co->request &&
        own->lsid_entry == co->by_lsid.entry)
        memcpy(co->ended_lease_id, own->id, ID_SIZE);
}

size_t checkouts_note_end(const struct lsid_entry *entry, const struct session_end *end)
{
    struct lsid_checkout *each;
    size_t n = 0;

    LIST_FOREACH(each, &entry->checkouts, link)
    {
        struct checkout *co = CONTAINER_OF(each, struct checkout, by_lsid);

        if (co->end || co->session_ended || co->state >= CO_ENDED)
            continue;
        n++;
        co->end = end;
        keep_own_lease(co);
        if (!co->lease)
            continue;
        co->lease->end = end;
        if (co->lease->state == LEASE_SETTLED)
            write_row(co);
    }
    return n;
}

/* The lease is another gateway's, or holds another gateway's request: the store has it. One through which the
 * check-out has read may have no lsid there, so it is found by its session. */
static void end_elsewhere(struct checkout *co)
{
    const struct lease_row *read = co->shared->lease;
    struct release_work_args args = {.end = co->end, .why = "session_ended"};

    if (read && !*read->holder.lsid) {
        args.session = co->session;
        args.credential_id = co->credential_id;
    } else {
        args.lsid = co->by_lsid.lsid;
    }
    if (!release_work_new(co->op.broker, &args, NULL, NULL))
        log_error("session_end_lost", "lsid=%s error=%s", co->by_lsid.lsid, "out of memory");
}

void co_landed(struct checkout *co)
{
    struct broker *b = co->op.broker;
    struct lease *lease = co->end ? lease_by_id(b->leases, co->lease_id) : NULL;

    bool is_open = lease && lease->state == LEASE_OPEN;

    if (co->end && co->shared && !is_open)
        end_elsewhere(co);
    if (!is_open)
        return;
    crash_point("pra.ended.landed");
    b->session_ends[co->end->source].leases++;
    lease_close_ended(lease, co->end);
}
