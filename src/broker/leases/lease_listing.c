/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lease_listing.c - the lease table, page by page.
 *
 * The cursor is the number of a lease, which never changes: leases that come or go between two pages neither
 * repeat nor hide others. A vault request that no lease holds is shown as the lease for which it was asked.
 */
#include "broker/leases/lease_listing.h"

#include "base/person.h"
#include "broker/leases/internal.h"

#include <stdlib.h>
#include <string.h>

#define SESSIONS_MAX 1000

/* The sessions that hold the vault request, this lease's own first. */
static size_t list_sessions(const struct lease *lease, const char **out, size_t max)
{
    const struct lease *other;
    size_t n = 0;

    out[n++] = session_leases_session(lease->session_leases);
    SLIST_FOREACH(other, &lease->request->leased, of_request)
    if (other != lease && n < max)
        out[n++] = session_leases_session(other->session_leases);
    return n;
}

/* NULL = it is not shown: it has ended, and its vault request is held by others. */
static const char *word_of(const struct lease *lease)
{
    if (lease->state == LEASE_OPEN || lease->state == LEASE_SETTLED)
        return "open";
    return vault_request_word(lease->request);
}

static bool view_of(const struct lease *lease, struct lease_view *v)
{
    const struct vault_request *request = lease->request;
    const struct request_work *work = request->work;
    const char *word = word_of(lease), *lsid = lease_lsid(lease), *account = lease_account(lease);

    if (!word)
        return false;
    *v = (struct lease_view){.id = lease->id,
                             .lsid = *lsid ? lsid : NULL,
                             .credential_id = lease->credential_id,
                             .system = *account ? lease_system(lease) : NULL,
                             .account = *account ? account : NULL,
                             .state = word,
                             .created_wall_ms = lease->created_s * 1000,
                             .user = request->user,
                             .adopted = request->origin == ORIGIN_FOREIGN,
                             .expires_wall_ms = request->expires_wall_ms};
    if (request->state == VR_ASKED || vault_request_is_looked_for(request))
        return true;
    v->request_id = request_name_number(vault_request_name(request));
    v->attempts = work ? work->attempts : 0;
    v->last_error = work ? work->last_error : NULL;
    return true;
}

static bool is_wanted(const struct lease_filter *f, const struct lease *lease, const struct lease_view *v)
{
    return (!f->user || person_same(f->user, v->user)) && (!f->state || strcmp(f->state, v->state) == 0) &&
           (!f->node || (v->node && strcmp(f->node, v->node) == 0)) &&
           (!f->session || strcmp(f->session, session_leases_session(lease->session_leases)) == 0);
}

/* The lease as it is now: one whose time is over has ended. NULL = it is no more. */
static struct lease *as_of_now(struct leases *ls, struct lease *lease)
{
    char id[ID_SIZE];

    if (lease->state != LEASE_OPEN)
        return lease;
    memcpy(id, lease->id, ID_SIZE);
    return vault_request_expire(lease->request) ? lease_by_id(ls, id) : lease;
}

uint64_t leases_list(struct leases *ls, const struct lease_filter *f,
                     void (*row)(void *arg, const struct lease_view *), void *arg)
{
    const char *sessions[SESSIONS_MAX];
    uint64_t shown = f->after;
    struct lease_view v;
    size_t n = 0;

    for (struct lease *lease = lease_first(ls, f->after); lease; lease = lease_next(ls)) {
        lease = as_of_now(ls, lease);
        if (!lease || !view_of(lease, &v) || !is_wanted(f, lease, &v))
            continue;
        if (n++ == f->limit)
            return shown; /* there is one more */
        v.sessions = sessions;
        v.nsessions = list_sessions(lease, sessions, SESSIONS_MAX);
        row(arg, &v);
        shown = lease->number;
    }
    return 0;
}

void leases_list_pending(struct leases *ls, const struct session *session,
                         void (*row)(void *arg, const struct lease_view *), void *arg)
{
    const struct request_work *w;
    const char *holder;
    struct lease_view v;

    TAILQ_FOREACH(w, &ls->pending, of_list)
    if (pending_is_of(w->request, session) && view_of(w->request->asker, &v)) {
        v.nsessions = list_sessions(w->request->asker, &holder, 1);
        v.sessions = &holder;
        row(arg, &v);
    }
}
