/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pending.c - the state `pending`: vault requests that wait for their approver; see pending.h.
 *
 * While a check-out asks for its secret the wait does not end.
 */
#include "broker/leases/pending.h"

#include "base/person.h"
#include "broker/leases/internal.h"

#include <errno.h>
#include <string.h>

#define ASKED_FOR_MS 1000 /* until the next look whether its wait is over, while it is asked for */

static int pending_enter(struct vault_request *r)
{
    struct leases *ls = r->vault_ref->leases;
    struct request_work *w = request_work_get(r);

    if (!w)
        return -ENOMEM;
    int64_t left = w->next_wall_ms - clock_wall(ls->clock);

    if (vault_request_defer(r, left > 0 ? (uint64_t)left : r->checkouts ? ASKED_FOR_MS : 0))
        return -ENOMEM;
    vault_request_list(r, &ls->pending);
    return 0;
}

static enum vr_state pending_resume(struct vault_request *r, int err)
{
    if (err == 0 && r->checkouts)
        return VR_PENDING;
    row_return(r, NULL);
    return VR_QUEUED;
}

static void pending_drop(struct vault_request *r)
{
    vault_request_stop_deadline(r);
    vault_request_unlist(r, &r->vault_ref->leases->pending);
}

const struct vr_step vr_pending_step = {"pending",     "pending",      REQUEST_PENDING,
                                        pending_enter, pending_resume, pending_drop};

bool pending_is_of(const struct vault_request *r, const struct session *session)
{
    const struct session_leases *s = r->asker->session_leases;

    return person_same(session_leases_user(s), session->username) &&
           person_same(session_leases_domain(s), session->domain ? session->domain : "");
}

struct vault_request *pending_find(const struct leases *ls, const struct session *session,
                                   const char *credential_id, const struct vault *vault)
{
    const struct request_work *w;

    TAILQ_FOREACH(w, &ls->pending, of_list)
    if (strcmp(w->request->asker->credential_id, credential_id) == 0 && pending_is_of(w->request, session) &&
        vault_request_is_at(w->request, vault))
        return w->request;
    return NULL;
}

/* The end of its wait is set. The deadline of HELD has room for that of the wait. */
static void keep(struct vault_request *r, struct lease *lease)
{
    row_pend(r, lease);
    lease_forget(lease);
    vault_request_goto(r, VR_PENDING);
}

bool pending_keep(struct vault_request *r, struct lease *lease, uint64_t wait_ms)
{
    struct request_work *w = request_work_get(r);

    if (!w)
        return false;
    w->next_wall_ms = clock_wall(r->vault_ref->leases->clock) + (int64_t)wait_ms;
    r->checkouts--;
    keep(r, lease);
    return true;
}

/* While a vault request is HELD its work has a time only if it has waited and no lease was handed over. */
bool pending_keep_again(struct vault_request *r, struct lease *lease)
{
    if (r->gone || !r->work || !r->work->next_wall_ms)
        return false;
    keep(r, lease);
    return true;
}

void pending_handed_over(struct vault_request *r)
{
    if (r->work)
        r->work->next_wall_ms = 0;
}

void pending_withdraw(struct vault_request *r)
{
    if (!r->checkouts) {
        r->work->next_wall_ms = 0; /* the check-in is due */
        row_return(r, NULL);
        vault_request_goto(r, VR_QUEUED);
        return;
    }
    r->work->next_wall_ms =
        clock_wall(r->vault_ref->leases->clock); /* its wait is over, also for a restart */
    (void)row_edit(r);
    (void)vault_request_defer(r, ASKED_FOR_MS); /* without memory its wait ends as before */
}

void pending_withdraw_of(struct leases *ls, const struct session_leases *probe, const char *credential_id)
{
    const struct session_leases *s = session_leases_find(ls, probe);
    struct request_work *w, *next;

    for (w = s ? TAILQ_FIRST(&ls->pending) : NULL; w; w = next) {
        next = TAILQ_NEXT(w, of_list);
        if (w->request->asker->session_leases == s &&
            strcmp(w->request->asker->credential_id, credential_id) == 0)
            pending_withdraw(w->request);
    }
}
