/* SPDX-License-Identifier: Apache-2.0 */
/*
 * request_identity.c - which record is the request that a vault names.
 *
 * The vault names a request by a text (Password Safe: its number). The name alone does not identify the
 * request in three cases:
 *
 *   - a faulty answer has the name of another person's request;
 *   - two sections lead to one vault by two addresses, so one request has two sections;
 *   - a section leads to another vault than when the row was written, and the same name is another request.
 *
 * So a record is taken for the request only if user and account agree as well. Where that is not enough, the
 * mark in the reason decides.
 *
 * Unproven is a restored record whose section has another url now. Until the list of its user shows the
 * name with the account and a mark of ours it is not checked in, and its rows keep the url of before, so
 * that a restart does not take it for proven. Any mark is enough there: it may be that of a lease that has
 * ended long ago.
 */
#include "broker/leases/request_identity.h"

#include "base/container_of.h"
#include "base/log.h"
#include "base/person.h"
#include "broker/identity/credential_id.h"
#include "broker/identity/request_reason.h"
#include "broker/leases/internal.h"

#include <string.h>

/* ---- the vault ---- */

const char *vault_request_url(const struct vault_request *request)
{
    return request->vault_ref->url;
}

bool vault_request_is_at(const struct vault_request *request, const struct vault *vault)
{
    return request->vault_ref->number == vault_ref_find(&request->vault_ref->leases->vaults, vault)->number;
}

void vault_request_join(const struct vault_request *request, const struct vault *vault)
{
    const struct vault_refs *refs = &request->vault_ref->leases->vaults;
    const struct vault_ref *same = request->vault_ref;
    size_t old = vault_ref_find(refs, vault)->number;

    if (old == same->number)
        return;
    log_warn("vaults_are_one", "vault=%s other=%s", vault->conf->name, same->vault->conf->name);
    for (size_t i = 0; i < refs->n; i++)
        if (refs->refs[i]->number == old)
            refs->refs[i]->number = same->number;
}

/* Several records may have one name, so the key is not unique: the first one from `request` on in its chain
 * of the hash. `vault` NULL = at any. */
static struct vault_request *first_of(struct vault_request *request, const struct vault *vault,
                                      const char *name)
{
    while (request && (strcmp(request->name, name) != 0 || (vault && !vault_request_is_at(request, vault))))
        request = request->hh.hh_next ? CONTAINER_OF(request->hh.hh_next, struct vault_request, hh) : NULL;
    return request;
}

static struct vault_request *next_of(const struct vault_request *request, const struct vault *vault)
{
    struct UT_hash_handle *next = request->hh.hh_next;

    return next ? first_of(CONTAINER_OF(next, struct vault_request, hh), vault, request->name) : NULL;
}

struct vault_request *vault_request_find(const struct leases *ls, const struct vault *vault, const char *name)
{
    struct vault_request *request;

    HASH_FIND(hh, ls->requests, name, strlen(name), request);
    return first_of(request, vault, name);
}

/* ---- accounts ---- */

struct vault_account row_account(const struct vault *vault, const struct active_request *row)
{
    return (struct vault_account){vault, row->account_key};
}

struct vault_account ref_account(const struct vault *vault, const struct credential_ref *ref)
{
    return (struct vault_account){vault, ref->account_key};
}

/* A stray's asker names no credential. A vault that is not in the configuration has no match(). */
bool vault_account_fits(struct vault_account account, const char *credential_id)
{
    struct credential_ref ref;

    if (!account.key || !credential_id_parse(credential_id, &ref))
        return true;
    return account.vault->ops->match
               ? account.vault->ops->match(account.key, ref.account_key) != ACCOUNT_OTHER
               : strcmp(account.key, ref.account_key) == 0;
}

bool vault_request_of_account(const struct vault_request *request, struct vault_account account)
{
    const struct lease *lease;

    SLIST_FOREACH(lease, &request->leased, of_request)
    if (!vault_account_fits(account, lease->credential_id))
        return false;
    return vault_account_fits(account, request->asker->credential_id);
}

/* ---- records ---- */

struct vault_request *vault_request_known(const struct leases *ls, const struct vault *vault,
                                          const char *name, const char *user, struct vault_account account)
{
    struct vault_request *first = vault_request_find(ls, vault, name), *request;

    for (request = first; request; request = next_of(request, vault))
        if (person_same(request->user, user) && vault_request_of_account(request, account))
            return request;
    for (request = first; request; request = next_of(request, vault))
        if (request->origin != ORIGIN_UNKNOWN && vault_request_of_account(request, account))
            return request;
    return NULL;
}

struct vault_request *keyed_find(const struct leases *ls, const struct vault *vault, const char *key,
                                 const char *user)
{
    struct vault_request *request = vault_request_find(ls, vault, key);

    while (request && !(request->is_keyed && strcmp(request->user, user) == 0))
        request = next_of(request, vault);
    return request;
}

struct vault_request *vault_request_marked(const struct leases *ls, const struct vault *vault,
                                           const struct active_request *row, const char *mark)
{
    const struct lease *lease = lease_by_id(ls, mark);
    struct vault_request *request = lease ? lease->request : NULL;

    if (request && request->hh.tbl && strcmp(request->name, row->name) == 0 && request->state != VR_ASKED &&
        vault_request_of_account(request, row_account(vault, row)))
        return request;
    if (!lease_id_known(ls, mark))
        return NULL;
    for (request = vault_request_find(ls, NULL, row->name); request; request = next_of(request, NULL))
        if (request->origin == ORIGIN_OURS && vault_request_of_account(request, row_account(vault, row)))
            return request;
    return NULL;
}

/* ---- proof ---- */

bool vault_request_is_unproven(const struct vault_request *request)
{
    return request->origin == ORIGIN_UNKNOWN && request->state == VR_HELD;
}

bool vault_request_proven(const struct vault_request *request, const struct active_request *row)
{
    const struct lease *lease;
    char id[ID_SIZE];

    if (reason_lease_id(row->reason, id))
        return lease_id_known(request->vault_ref->leases, id) || vault_request_is_unproven(request);
    SLIST_FOREACH(lease, &request->leased, of_request)
    if (reason_is_cut(row->reason, lease->id))
        return true;
    return reason_is_cut(row->reason, request->asker->id);
}

/* Its row names the url of before until now. */
void vault_request_prove(struct vault_request *request)
{
    if (request->origin == ORIGIN_OURS)
        return;
    request->origin = ORIGIN_OURS;
    (void)row_edit(request);
}
