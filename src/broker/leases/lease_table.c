/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lease_table.c - the lease table: which session holds which credential, and on which vault request.
 *
 * A lease belongs to (PRA user, PRA session, credential). User and domain are compared as base/person.h does,
 * in ASCII case and otherwise exactly; the session id exactly. So leases of one session id under two users
 * are different leases. A session_leases gathers what one session holds, since a session ends as a whole.
 * Several leases may stand on one vault request.
 *
 * Life of a lease: lease_open() --release, sessions/complete, timed release, "gone"--> lease_close(). It is
 * never in between: whatever takes time (the check-in) is the vault request's affair, so the session is rid
 * of it at once.
 *
 * Memory: one open lease alone on its vault request is a session_leases, a lease and a vault request in one
 * allocation each, about 390 bytes together with its places in the tables and in the timer heap.
 *
 * Not here: how a vault request is given back (checkin.c), requests of unknown outcome (intent.c), who may
 * end a lease (release.c).
 */
#include "broker/leases/internal.h"

#include "base/container_of.h"
#include "base/log.h"
#include "base/person.h"
#include "broker/broker.h"
#include "broker/leases/lease_audit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool begin(struct leases *ls, const struct leases_opts *opts)
{
    ls->journal = journal_new(opts->timers, opts->store);
    ls->reconcile = ls->journal ? reconcile_new(ls, opts->reconcile_every_ms, opts->reconcile_per_s) : NULL;
    if (!ls->reconcile)
        return false;
    for (size_t i = 0; i < opts->nvaults; i++)
        if (checkin_queue_new(ls, opts->vaults[i]))
            return false;
    return leases_restore(ls) == 0;
}

struct leases *leases_new(const struct leases_opts *opts)
{
    struct leases *ls = calloc(1, sizeof *ls);
    char id[ID_SIZE];

    if (!ls || id_new(id)) {
        free(ls);
        return NULL;
    }
    ls->timers = opts->timers;
    ls->clock = timers_clock(opts->timers);
    ls->audit = opts->audit;
    TAILQ_INIT(&ls->lapsed);
    memcpy(&ls->random, id, sizeof ls->random);
    if (begin(ls, opts))
        return ls;
    leases_free(ls);
    return NULL;
}

struct journal *leases_journal(struct leases *ls)
{
    return ls->journal;
}

void leases_tell(struct leases *ls, enum lease_change change, const struct vault_request *request,
                 const struct lease *lease)
{
    static const char *const words[] = {
        [LEASE_OPENED] = "opened",           [LEASE_CLOSED] = "closed",
        [REQUEST_CHECKED_IN] = "checked_in", [REQUEST_ALREADY_GONE] = "already_gone",
        [REQUEST_EXPIRED] = "lapsed",        [REQUEST_FORGOTTEN] = "forgotten",
    };

    ls->lapsed_ever += change == REQUEST_EXPIRED;
    log_debug("lease_change", "change=%s user=%s lease=%s holders=%zu", words[change], request->user,
              lease ? lease->id : NULL, vault_request_holders(request));
}

/* ---- session_leases ---- */

struct session_leases *session_leases_probe(const struct session *s)
{
    const char *domain = s->domain ? s->domain : "", *id = s->id ? s->id : "";
    size_t n = strlen(s->username) + strlen(domain) + strlen(id) + 3;
    struct session_leases *probe =
        malloc(offsetof(struct session_leases, key) + n); /* the key begins in the padding */

    if (!probe)
        return NULL;
    memset(probe, 0, offsetof(struct session_leases, key));
    memcpy(person_key(person_key(probe->key, s->username), domain), id, strlen(id) + 1);
    probe->node.spare = (uint32_t)n;
    probe->node.hash = table_hash(probe->key, n);
    SLIST_INIT(&probe->leases);
    return probe;
}

struct session_leases *session_leases_find(const struct leases *ls, const struct session_leases *probe)
{
    struct table_node *node = table_first(&ls->session_leases, probe->node.hash);

    for (; node; node = table_next(node)) {
        struct session_leases *s = CONTAINER_OF(node, struct session_leases, node);

        if (s->node.spare == probe->node.spare && memcmp(s->key, probe->key, s->node.spare) == 0)
            return s;
    }
    return NULL;
}

/* The session's session_leases, made if need be. */
static struct session_leases *session_leases_get(struct leases *ls, const struct session *session)
{
    struct session_leases *probe = session_leases_probe(session),
                          *found = probe ? session_leases_find(ls, probe) : NULL;

    if (found || !probe || table_add(&ls->session_leases, &probe->node, probe->node.hash)) {
        free(probe);
        return found;
    }
    return probe;
}

static void session_leases_unref(struct leases *ls, struct session_leases *s)
{
    if (--s->refs)
        return;
    table_remove(&ls->session_leases, &s->node);
    free(s);
}

const char *session_leases_user(const struct session_leases *s)
{
    return s->key;
}

const char *session_leases_domain(const struct session_leases *s)
{
    return s->key + strlen(s->key) + 1;
}

const char *session_leases_session(const struct session_leases *s)
{
    const char *domain = session_leases_domain(s);

    return domain + strlen(domain) + 1;
}

/* ---- leases ---- */

static struct lease *lease_in(const struct session_leases *s, const char *credential_id)
{
    struct lease *lease;

    SLIST_FOREACH(lease, &s->leases, of_session)
    if (strcmp(lease->credential_id, credential_id) == 0)
        return lease;
    return NULL;
}

struct lease *lease_find(struct leases *ls, const struct session *session, const char *credential_id)
{
    struct session_leases *probe = session_leases_probe(session),
                          *s = probe ? session_leases_find(ls, probe) : NULL;

    free(probe);
    return s ? lease_in(s, credential_id) : NULL;
}

struct lease *lease_by_id(const struct leases *ls, const char *id)
{
    return lease_index_find(&ls->lease_index, id);
}

bool lease_id_known(const struct leases *ls, const char id[ID_SIZE])
{
    return lease_index_knows(&ls->lease_index, id);
}

struct lease *lease_make(struct leases *ls, const struct session *session, const char *credential_id,
                         const char *id, int64_t created_wall_ms)
{
    size_t n = strlen(credential_id) + 1;
    struct session_leases *s = session_leases_get(ls, session);
    struct lease *lease = s ? malloc(offsetof(struct lease, credential_id) + n) : NULL;

    if (s)
        s->refs++;
    if (lease) {
        memset(lease, 0, offsetof(struct lease, credential_id));
        lease->session_leases = s;
        lease->created_s = (uint32_t)(created_wall_ms / 1000);
        (void)memccpy(lease->id, id, '\0', ID_SIZE - 1);
        memcpy(lease->credential_id, credential_id, n);
    }
    if (!lease || lease_index_add(&ls->lease_index, lease)) {
        if (s)
            session_leases_unref(ls, s);
        free(lease);
        return NULL;
    }
    return lease;
}

void lease_free(struct leases *ls, struct lease *lease)
{
    lease_index_remove(&ls->lease_index, lease);
    session_leases_unref(ls, lease->session_leases);
    free(lease);
}

struct lease *lease_intend(struct leases *ls, const struct session *session, const char *credential_id,
                           const char id[ID_SIZE])
{
    return lease_make(ls, session, credential_id, id, clock_wall(ls->clock));
}

int lease_settle(struct lease *lease, struct vault_request *request)
{
    lease->state = LEASE_OPEN;
    lease->request = request;
    return lease_tell(request->leases, lease);
}

void lease_unsettle(struct lease *lease)
{
    lease->state = LEASE_INTENT;
    lease->intent = NULL;
}

void lease_discard(struct leases *ls, struct lease *lease)
{
    lease_index_remember(&ls->lease_index, lease->id);
    journal_remove(ls->journal, lease->id);
    lease_free(ls, lease);
}

void lease_link(struct lease *lease, struct vault_request *request)
{
    lease->request = request;
    lease->state = LEASE_OPEN;
    SLIST_INSERT_HEAD(&lease->session_leases->leases, lease, of_session);
    SLIST_INSERT_HEAD(&request->held, lease, of_request);
    request->leases->nleases++;
}

void lease_cover(struct lease *lease, struct vault_request *request)
{
    lease->request = request;
    lease->state = LEASE_RELEASING;
    SLIST_INSERT_HEAD(&request->held, lease, of_request);
}

void lease_open(struct lease *lease)
{
    struct vault_request *request = lease->request;
    struct leases *ls = request->leases;
    struct lease *old = lease_in(lease->session_leases, lease->credential_id);

    lease_link(lease, request);
    request->node.spare--;
    vault_request_uncover(request);
    leases_tell(ls, LEASE_OPENED, request, lease);
    if (old)
        lease_close(old, "replaced");
    if (ls->closing || clock_now(ls->clock) >= vault_request_ends(request))
        vault_request_end_now(request); /* in the next turn, after the answer */
}

bool lease_is_held(const struct lease *lease)
{
    const struct lease *each;

    SLIST_FOREACH(each, &lease->session_leases->leases, of_session)
    if (each == lease)
        return true;
    return false;
}

uint64_t lease_age_s(const struct leases *ls, const struct lease *lease)
{
    int64_t now_s = clock_wall(ls->clock) / 1000;

    return now_s > lease->created_s ? (uint64_t)now_s - lease->created_s : 0;
}

void lease_close(struct lease *lease, const char *why)
{
    struct vault_request *request = lease->request;
    struct session_leases *s = lease->session_leases;
    struct leases *ls = request->leases;

    audit_lease_end(ls->audit, lease, why);
    SLIST_REMOVE(&s->leases, lease, lease, of_session);
    SLIST_REMOVE(&request->held, lease, lease, of_request);
    ls->nleases--;
    leases_tell(ls, LEASE_CLOSED, request, lease);
    log_event(strcmp(why, "released") == 0 ? LOG_DEBUG : LOG_INFO, "lease_ended",
              "why=%s user=%s session=%s credential=%s lease=%s age_s=%llu holders=%zu", why,
              session_leases_user(s), session_leases_session(s), lease->credential_id, lease->id,
              (unsigned long long)lease_age_s(ls, lease), vault_request_holders(request));
    vault_request_take(request); /* so that the vault request ends in one place, vault_request_drop() */
    vault_request_drop(request, lease);
}
