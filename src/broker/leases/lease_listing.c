/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lease_listing.c - the lease table, page by page.
 *
 * The cursor is the number of a lease, which never changes: leases that come or go between two pages neither
 * repeat nor hide others. A lease between two vault requests (its first one turned out dead, the next is not
 * asked for yet) is not shown.
 */
#include "broker/leases/lease_listing.h"

#include "base/person.h"
#include "broker/leases/internal.h"

#include <stdlib.h>
#include <string.h>

#define SESSIONS_MAX 1000

static const char *const state_words[LEASE_NSTATES] = {LEASE_STATES};

/* The sessions that hold the vault request, this lease's own first. */
static size_t list_sessions(const struct lease *lease, const char **out, size_t max)
{
    const struct lease *other;
    size_t n = 0;

    out[n++] = session_leases_session(lease->session_leases);
    if (lease->state == LEASE_INTENT)
        return n;
    SLIST_FOREACH(other, &lease->request->leased, of_request)
    if (other != lease && other->state == LEASE_OPEN && n < max)
        out[n++] = session_leases_session(other->session_leases);
    return n;
}

static void view_intent(const struct lease *lease, struct lease_view *v)
{
    v->user = lease->intent->user;
    v->expires_wall_ms = lease->intent->expires_wall_ms;
}

static void view_vault_request(const struct lease *lease, struct lease_view *v)
{
    const struct vault_request *request = lease->request;

    v->user = request->user;
    v->request_id = request_name_number(request->name);
    v->adopted = request->origin == ORIGIN_FOREIGN;
    v->expires_wall_ms = request->expires_wall_ms;
    v->attempts = request->checkin ? request->checkin->attempts : 0;
    v->last_error = request->checkin ? request->checkin->last_error : NULL;
}

/* False = it is between two vault requests. */
static bool view_of(const struct lease *lease, struct lease_view *v)
{
    *v = (struct lease_view){.id = lease->id,
                             .lsid = *lease->lsid ? lease->lsid : NULL,
                             .credential_id = lease->credential_id,
                             .system = lease->names ? lease->names->system : NULL,
                             .account = lease->names ? lease->names->account : NULL,
                             .state = state_words[lease->state],
                             .created_wall_ms = lease->created_s * 1000};
    if (lease->state != LEASE_INTENT)
        view_vault_request(lease, v);
    else if (lease->intent)
        view_intent(lease, v);
    else
        return false;
    return true;
}

static bool is_wanted(const struct lease_filter *f, const struct lease *lease, const struct lease_view *v)
{
    return (!f->user || person_same(f->user, v->user)) && (!f->state || strcmp(f->state, v->state) == 0) &&
           (!f->session || strcmp(f->session, session_leases_session(lease->session_leases)) == 0);
}

/* The next lease of the walk, as it is now: one whose time is over has ended. NULL = the walk is over. */
static struct lease *next_lease(struct leases *ls)
{
    struct lease *lease;
    char id[ID_SIZE];

    while ((lease = lease_index_next(&ls->lease_index))) {
        if (lease->state != LEASE_OPEN || !lease_is_held(lease))
            return lease;
        memcpy(id, lease->id, ID_SIZE);
        if (!vault_request_expire(lease->request) || (lease = lease_by_id(ls, id)))
            return lease;
    }
    return NULL;
}

uint64_t leases_list(struct leases *ls, const struct lease_filter *f,
                     void (*row)(void *arg, const struct lease_view *), void *arg)
{
    const char *sessions[SESSIONS_MAX];
    uint64_t shown = f->after;
    struct lease *lease;
    struct lease_view v;

    lease_index_walk(&ls->lease_index, f->after);
    for (size_t n = 0; (lease = next_lease(ls));) {
        if (!view_of(lease, &v) || !is_wanted(f, lease, &v))
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
