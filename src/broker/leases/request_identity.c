/* SPDX-License-Identifier: Apache-2.0 */
/*
 * request_identity.c - which record is the request that a vault names.
 *
 * A request is named by a number, and a number is little: a faulty answer names another person's, two
 * sections lead to one vault by two addresses, and a section leads to another vault today than when the row
 * was written, where the same number is another request. So a record is taken for the request only if user
 * and account agree as well, and of what is in doubt the mark in the reason decides.
 *
 * Unproven is a restored record whose section has another url now. Until the list of its user shows the
 * number with the account and a mark of ours it is not checked in, and its rows keep the url of before, so
 * that a restart does not take it for proven. Any mark is enough there: it may be that of a lease that has
 * ended long ago.
 */
#include "broker/leases/internal.h"

#include "base/container_of.h"
#include "base/log.h"
#include "base/person.h"
#include "broker/identity/credential_id.h"
#include "broker/identity/request_reason.h"

/* Without the vault: two sections may turn out to lead to one. */
uint32_t vault_request_hash(int64_t request_id)
{
    return table_hash(&request_id, sizeof request_id);
}

const char *vault_request_url(const struct vault_request *request)
{
    return request->leases->checkin_queues[request->checkin_queue]->url;
}

bool vault_request_is_at(const struct vault_request *request, const struct vault *vault)
{
    const struct leases *ls = request->leases;

    return ls->checkin_queues[request->checkin_queue]->place == checkin_queue_of(ls, vault)->place;
}

void vault_request_join(const struct vault_request *request, const struct vault *vault)
{
    const struct leases *ls = request->leases;
    const struct checkin_queue *same = ls->checkin_queues[request->checkin_queue];
    uint16_t old = checkin_queue_of(ls, vault)->place;

    if (old == same->place)
        return;
    log_warn("vaults_are_one", "vault=%s other=%s", vault->conf->name, same->vault->conf->name);
    for (size_t i = 0; i < ls->ncheckin_queues; i++)
        if (ls->checkin_queues[i]->place == old)
            ls->checkin_queues[i]->place = same->place;
}

/* The first record of this id from `node` on; `vault` NULL = at any. */
static struct vault_request *first_of(struct table_node *node, const struct vault *vault, int64_t request_id)
{
    for (; node; node = table_next(node)) {
        struct vault_request *request = CONTAINER_OF(node, struct vault_request, node);

        if (request->request_id == request_id && (!vault || vault_request_is_at(request, vault)))
            return request;
    }
    return NULL;
}

static struct vault_request *next_of(const struct vault_request *request, const struct vault *vault)
{
    return first_of(table_next(&request->node), vault, request->request_id);
}

struct vault_request *vault_request_find(const struct leases *ls, const struct vault *vault,
                                         int64_t request_id)
{
    return first_of(table_first(&ls->requests, vault_request_hash(request_id)), vault, request_id);
}

/* ---- accounts ---- */

struct vault_account row_account(const struct active_request *row)
{
    return (struct vault_account){row->system_id, row->account_id};
}

struct vault_account ref_account(const struct credential_ref *ref)
{
    bool alias = ref->kind == KIND_ALIAS, linked = ref->kind == KIND_DOMAIN_LINKED;

    return (struct vault_account){alias || linked ? 0 : ref->system_id, alias ? 0 : ref->account_id};
}

bool vault_account_fits(struct vault_account account, const char *credential_id)
{
    struct credential_ref ref;

    if (!credential_id_parse(credential_id, &ref))
        return true; /* a stray's cover names none */
    struct vault_account own = ref_account(&ref);

    return (!account.account_id || !own.account_id || account.account_id == own.account_id) &&
           (!account.system_id || !own.system_id || account.system_id == own.system_id);
}

bool vault_request_of_account(const struct vault_request *request, struct vault_account account)
{
    const struct lease *lease;

    SLIST_FOREACH(lease, &request->held, of_request)
    if (!vault_account_fits(account, lease->credential_id))
        return false;
    return true;
}

/* ---- records ---- */

struct vault_request *vault_request_known(const struct leases *ls, const struct vault *vault,
                                          int64_t request_id, const char *user, struct vault_account account)
{
    struct vault_request *first = vault_request_find(ls, vault, request_id), *request;

    for (request = first; request; request = next_of(request, vault))
        if (person_same(request->user, user) && vault_request_of_account(request, account))
            return request;
    for (request = first; request; request = next_of(request, vault))
        if (request->origin != ORIGIN_UNKNOWN && vault_request_of_account(request, account))
            return request;
    return NULL;
}

struct vault_request *vault_request_marked(const struct leases *ls, const struct active_request *row,
                                           const char *mark)
{
    const struct lease *lease = lease_by_id(ls, mark);
    bool stands = lease && (lease->state == LEASE_OPEN || lease->state == LEASE_RELEASING);
    struct vault_request *request;

    if (stands && lease->request->request_id == row->request_id &&
        vault_request_of_account(lease->request, row_account(row)))
        return lease->request;
    if (!lease_id_known(ls, mark))
        return NULL;
    for (request = vault_request_find(ls, NULL, row->request_id); request; request = next_of(request, NULL))
        if (request->origin == ORIGIN_OURS && vault_request_of_account(request, row_account(row)))
            return request;
    return NULL;
}

/* ---- proof ---- */

bool vault_request_is_unproven(const struct vault_request *request)
{
    return request->origin == ORIGIN_UNKNOWN && !SLIST_EMPTY(&request->held);
}

bool vault_request_proven(const struct vault_request *request, const struct active_request *row)
{
    const struct lease *lease;
    char id[ID_SIZE];

    if (reason_lease_id(row->reason, id))
        return lease_id_known(request->leases, id) || vault_request_is_unproven(request);
    SLIST_FOREACH(lease, &request->held, of_request)
    if (reason_is_cut(row->reason, lease->id))
        return true;
    return false;
}

/* Its rows name the url of before until now. */
void vault_request_prove(struct vault_request *request)
{
    const struct lease *lease;

    if (request->origin == ORIGIN_OURS)
        return;
    request->origin = ORIGIN_OURS;
    SLIST_FOREACH(lease, &request->held, of_request)
    if (lease_tell(request->leases, lease))
        log_error("journal_lost", "lease=%s error=%s", lease->id, "out of memory");
}
