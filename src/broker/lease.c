/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lease.c - the lease table: which session holds which credential, and on which vault request.
 *
 * A lease belongs to (PRA user, PRA session, credential). User and domain are compared as base/person.h does,
 * in ASCII case and otherwise exactly; the session id exactly. So leases of one session id under two users
 * are different leases. A sitting gathers what one session holds, since a session ends as a whole. Several
 * leases may stand on one loan.
 *
 * Life of a lease: lease_open() --release, sessions/complete, timed release, "gone"--> lease_close(). It is
 * never in between: whatever takes time (the check-in) is the loan's affair, so the session is rid of it at
 * once.
 *
 * Memory: one open lease alone on its loan is a sitting, a lease and a loan in one allocation each, about 390
 * bytes together with its places in the tables and in the timer heap.
 *
 * Not here: how a loan is given back (checkin.c), requests of unknown outcome (intent.c), who may end a lease
 * (release.c).
 */
#include "broker/leases.h"

#include "base/log.h"
#include "base/person.h"
#include "broker/audit_leases.h"
#include "broker/broker.h"
#include "broker/op.h"

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
        if (lane_new(ls, opts->vaults[i]))
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

void leases_tell(struct leases *ls, enum lease_change change, const struct loan *loan,
                 const struct lease *lease)
{
    static const char *const words[] = {
        [LEASE_OPENED] = "opened",        [LEASE_CLOSED] = "closed",
        [LOAN_CHECKED_IN] = "checked_in", [LOAN_ALREADY_GONE] = "already_gone",
        [LOAN_LAPSED] = "lapsed",         [LOAN_FORGOTTEN] = "forgotten",
    };

    ls->lapsed_ever += change == LOAN_LAPSED;
    log_debug("lease_change", "change=%s user=%s lease=%s holders=%zu", words[change], loan->user,
              lease ? lease->id : NULL, loan_holders(loan));
}

/* ---- sittings ---- */

struct sitting *sitting_probe(const struct session *s)
{
    const char *domain = s->domain ? s->domain : "", *id = s->id ? s->id : "";
    size_t n = strlen(s->username) + strlen(domain) + strlen(id) + 3;
    struct sitting *probe = malloc(offsetof(struct sitting, key) + n); /* the key begins in the padding */

    if (!probe)
        return NULL;
    memset(probe, 0, offsetof(struct sitting, key));
    memcpy(person_key(person_key(probe->key, s->username), domain), id, strlen(id) + 1);
    probe->node.spare = (uint32_t)n;
    probe->node.hash = table_hash(probe->key, n);
    SLIST_INIT(&probe->leases);
    return probe;
}

struct sitting *sitting_find(const struct leases *ls, const struct sitting *probe)
{
    struct table_node *node = table_first(&ls->sittings, probe->node.hash);

    for (; node; node = table_next(node)) {
        struct sitting *s = OWNER_OF(node, struct sitting, node);

        if (s->node.spare == probe->node.spare && memcmp(s->key, probe->key, s->node.spare) == 0)
            return s;
    }
    return NULL;
}

/* The session's sitting, made if need be. */
static struct sitting *sitting_get(struct leases *ls, const struct session *session)
{
    struct sitting *probe = sitting_probe(session), *found = probe ? sitting_find(ls, probe) : NULL;

    if (found || !probe || table_add(&ls->sittings, &probe->node, probe->node.hash)) {
        free(probe);
        return found;
    }
    return probe;
}

static void sitting_unref(struct leases *ls, struct sitting *s)
{
    if (--s->refs)
        return;
    table_remove(&ls->sittings, &s->node);
    free(s);
}

const char *sitting_user(const struct sitting *s)
{
    return s->key;
}

const char *sitting_domain(const struct sitting *s)
{
    return s->key + strlen(s->key) + 1;
}

const char *sitting_session(const struct sitting *s)
{
    const char *domain = sitting_domain(s);

    return domain + strlen(domain) + 1;
}

/* ---- leases ---- */

static struct lease *lease_in(const struct sitting *s, const char *credential_id)
{
    struct lease *lease;

    SLIST_FOREACH(lease, &s->leases, of_sitting)
    if (strcmp(lease->credential_id, credential_id) == 0)
        return lease;
    return NULL;
}

struct lease *lease_find(struct leases *ls, const struct session *session, const char *credential_id)
{
    struct sitting *probe = sitting_probe(session), *s = probe ? sitting_find(ls, probe) : NULL;

    free(probe);
    return s ? lease_in(s, credential_id) : NULL;
}

struct lease *lease_by_id(const struct leases *ls, const char *id)
{
    return registry_find(&ls->registry, id);
}

bool lease_id_known(const struct leases *ls, const char id[ID_SIZE])
{
    return registry_knows(&ls->registry, id);
}

struct lease *lease_make(struct leases *ls, const struct session *session, const char *credential_id,
                         const char *id, int64_t created_wall_ms)
{
    size_t n = strlen(credential_id) + 1;
    struct sitting *s = sitting_get(ls, session);
    struct lease *lease = s ? malloc(offsetof(struct lease, credential_id) + n) : NULL;

    if (s)
        s->refs++;
    if (lease) {
        memset(lease, 0, offsetof(struct lease, credential_id));
        lease->sitting = s;
        lease->created_s = (uint32_t)(created_wall_ms / 1000);
        (void)memccpy(lease->id, id, '\0', ID_SIZE - 1);
        memcpy(lease->credential_id, credential_id, n);
    }
    if (!lease || registry_add(&ls->registry, lease)) {
        if (s)
            sitting_unref(ls, s);
        free(lease);
        return NULL;
    }
    return lease;
}

void lease_free(struct leases *ls, struct lease *lease)
{
    registry_remove(&ls->registry, lease);
    sitting_unref(ls, lease->sitting);
    free(lease);
}

struct lease *lease_intend(struct leases *ls, const struct session *session, const char *credential_id,
                           const char id[ID_SIZE])
{
    return lease_make(ls, session, credential_id, id, clock_wall(ls->clock));
}

int lease_settle(struct lease *lease, struct loan *loan)
{
    lease->state = LEASE_OPEN;
    lease->loan = loan;
    return lease_tell(loan->leases, lease);
}

void lease_unsettle(struct lease *lease)
{
    lease->state = LEASE_INTENT;
    lease->intent = NULL;
}

void lease_discard(struct leases *ls, struct lease *lease)
{
    registry_remember(&ls->registry, lease->id);
    journal_remove(ls->journal, lease->id);
    lease_free(ls, lease);
}

void lease_link(struct lease *lease, struct loan *loan)
{
    lease->loan = loan;
    lease->state = LEASE_OPEN;
    SLIST_INSERT_HEAD(&lease->sitting->leases, lease, of_sitting);
    SLIST_INSERT_HEAD(&loan->held, lease, of_loan);
    loan->leases->nleases++;
}

void lease_cover(struct lease *lease, struct loan *loan)
{
    lease->loan = loan;
    lease->state = LEASE_RELEASING;
    SLIST_INSERT_HEAD(&loan->held, lease, of_loan);
}

void lease_open(struct lease *lease)
{
    struct loan *loan = lease->loan;
    struct leases *ls = loan->leases;
    struct lease *old = lease_in(lease->sitting, lease->credential_id);

    lease_link(lease, loan);
    loan->node.spare--;
    loan_uncover(loan);
    leases_tell(ls, LEASE_OPENED, loan, lease);
    if (old)
        lease_close(old, "replaced");
    if (ls->closing || clock_now(ls->clock) >= loan_ends(loan))
        loan_end_now(loan); /* in the next turn, after the answer */
}

bool lease_is_held(const struct lease *lease)
{
    const struct lease *each;

    SLIST_FOREACH(each, &lease->sitting->leases, of_sitting)
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
    struct loan *loan = lease->loan;
    struct sitting *s = lease->sitting;
    struct leases *ls = loan->leases;

    audit_lease_end(ls->audit, lease, why);
    SLIST_REMOVE(&s->leases, lease, lease, of_sitting);
    SLIST_REMOVE(&loan->held, lease, lease, of_loan);
    ls->nleases--;
    leases_tell(ls, LEASE_CLOSED, loan, lease);
    log_event(strcmp(why, "released") == 0 ? LOG_DEBUG : LOG_INFO, "lease_ended",
              "why=%s user=%s session=%s credential=%s lease=%s age_s=%llu holders=%zu", why, sitting_user(s),
              sitting_session(s), lease->credential_id, lease->id, (unsigned long long)lease_age_s(ls, lease),
              loan_holders(loan));
    loan_take(loan); /* so that the loan ends in one place, loan_drop() */
    loan_drop(loan, lease);
}
