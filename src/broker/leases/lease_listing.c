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

/* `user` has room for the PRA user. */
static bool view_of(const struct lease *lease, struct lease_view *v, char user[LEASE_USER_SIZE])
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
                             .expires_wall_ms = spin_is_under_way(request) ? 0 : lease_expires_wall(lease)};
    if (request->is_keyed || !vault_request_vault(request)->can.per_user) {
        const struct session_leases *s = lease->session_leases;

        person_write(user, LEASE_USER_SIZE, session_leases_domain(s), session_leases_user(s));
        v->user = user;
        v->run_as = request->user;
    }
    if ((request->state == VR_ASKED && !request->is_keyed) || vault_request_is_looked_for(request))
        return true;
    v->request_key = vault_request_name(request);
    v->request_id = request_key_number(v->request_key);
    v->attempts = !work ? 0 : spin_is_under_way(request) ? work->spins : work->attempts;
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
    char user[LEASE_USER_SIZE];
    uint64_t shown = f->after;
    struct lease_view v;
    size_t n = 0;

    for (struct lease *lease = lease_first(ls, f->after); lease; lease = lease_next(ls)) {
        lease = as_of_now(ls, lease);
        if (!lease || !view_of(lease, &v, user) || !is_wanted(f, lease, &v))
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
    char user[LEASE_USER_SIZE];
    const char *holder;
    struct lease_view v;

    TAILQ_FOREACH(w, &ls->pending, of_list)
    if (pending_is_of(w->request, session) && view_of(w->request->asker, &v, user)) {
        v.nsessions = list_sessions(w->request->asker, &holder, 1);
        v.sessions = &holder;
        row(arg, &v);
    }
}

/* ---- counts ---- */

static void count_key(const struct vault_request *r, struct key_counts *n)
{
    bool is_returning = vault_request_is_returning(r);

    n->held += r->state == VR_HELD;
    n->returning += is_returning;
    n->settling += r->state == VR_SETTLING || r->state == VR_QUIET;
    n->spinning += spin_is_under_way(r);
    n->overdue += is_returning && r->work && r->work->last_error;
}

/* Each vault request is found at its asker. */
void leases_count_keys(const struct leases *ls, const struct vault *vault, struct key_counts *n)
{
    const struct vault_ref *ref = vault_ref_find(&ls->vaults, vault);

    *n = (struct key_counts){0};
    if (ref)
        memcpy(n->spins, ref->spins, sizeof n->spins);
    for (const struct lease *lease = ls->leases_by_id; lease; lease = lease->hh.next) {
        const struct vault_request *r = lease->request;

        if (r && r->asker == lease && vault_request_vault(r) == vault)
            count_key(r, n);
    }
}
