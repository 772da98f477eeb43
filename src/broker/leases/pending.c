/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pending.c - the state `pending`: vault requests that wait for their approver; see pending.h.
 *
 * While a check-out asks for its secret the wait does not end.
 */
#include "broker/leases/pending.h"

#include "base/person.h"
#include "broker/leases/clock_skew.h"
#include "broker/leases/internal.h"

#include <errno.h>
#include <string.h>

#define LOOK_MS 1000 /* until the next look whether its wait is over, while it is asked for */

static int64_t time_left(const struct vault_request *r)
{
    return r->work->next_wall_ms - leases_wall(r->vault_ref->leases, vault_request_vault(r));
}

static int pending_enter(struct vault_request *r)
{
    struct leases *ls = r->vault_ref->leases;
    struct request_work *w = request_work_get(r);

    if (!w)
        return -ENOMEM;
    int64_t left = time_left(r);

    if (left > 0)
        vault_request_defer(r, shared_look_ms(r, (uint64_t)left));
    else
        vault_request_defer(r, r->checkouts ? LOOK_MS : shared_has_date(r) ? 0 : DATE_MS);
    vault_request_list(r, &ls->pending);
    return 0;
}

static void give_back(struct vault_request *r)
{
    if (r->vault_ref->leases->shared)
        shared_return(r);
    else
        row_return(r, NULL);
}

/* The clock of the vault of one that was adopted may have been found to differ. */
static enum vr_state pending_resume(struct vault_request *r, int err)
{
    bool goes_on = r->checkouts || (r->is_adopted && (time_left(r) > 0 || !shared_has_date(r)));

    if (err == 0 && goes_on)
        return VR_PENDING;
    give_back(r);
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

struct vault_request *pending_marked(const struct leases *ls, const char *mark)
{
    const struct lease *lease = lease_by_id(ls, mark);
    struct vault_request *r = lease && lease->request->asker == lease ? lease->request : NULL;

    return r && (r->state == VR_PENDING || r->state == VR_HELD) && !r->returned ? r : NULL;
}

int64_t pending_wait_end(const struct vault_request *r, uint64_t wait_ms)
{
    return leases_wall(r->vault_ref->leases, vault_request_vault(r)) + (int64_t)wait_ms;
}

void pending_wait(struct vault_request *r, int64_t end_wall_ms)
{
    struct request_work *w = request_work_get(r);

    if (w)
        w->next_wall_ms = end_wall_ms;
    vault_request_goto(r, VR_PENDING);
}

/* The end of its wait is set. */
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
    w->next_wall_ms = pending_wait_end(r, wait_ms);
    r->checkouts--;
    keep(r, lease);
    return true;
}

/* While a vault request is HELD its work has a time only if it has waited and no lease was handed over. */
bool pending_may_wait_again(const struct vault_request *r)
{
    return !r->gone && r->work && r->work->next_wall_ms;
}

bool pending_keep_again(struct vault_request *r, struct lease *lease)
{
    if (!pending_may_wait_again(r))
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
        give_back(r);
        vault_request_goto(r, VR_QUEUED);
        return;
    }
    r->work->next_wall_ms = pending_wait_end(r, 0); /* its wait is over, also for a restart */
    (void)row_edit(r);
    vault_request_defer(r, LOOK_MS);
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
