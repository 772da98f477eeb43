/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lsid_index.c - leases and check-outs by the lsid of their PRA session; see lsid_index.h.
 */
#include "broker/leases/lsid_index.h"

#include "broker/leases/clock_skew.h"
#include "broker/leases/internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct lsid_entry *lsid_entry_find(const struct leases *ls, const char key[LSID_SIZE])
{
    struct lsid_entry *found;

    HASH_FIND(hh, ls->lsids, key, LSID_SIZE - 1, found);
    return found;
}

struct lsid_entry *lsid_entry_ref(struct leases *ls, const char key[LSID_SIZE])
{
    struct lsid_entry *entry = lsid_entry_find(ls, key);

    if (entry) {
        entry->refs++;
        return entry;
    }
    entry = calloc(1, sizeof *entry);
    if (!entry)
        return NULL;
    entry->refs = 1;
    memcpy(entry->key, key, LSID_SIZE);
    HASH_ADD(hh, ls->lsids, key, LSID_SIZE - 1, entry);
    if (entry->hh.tbl)
        return entry;
    free(entry);
    return NULL;
}

void lsid_entry_unref(struct leases *ls, struct lsid_entry *entry)
{
    if (!entry || --entry->refs)
        return;
    HASH_DEL(ls->lsids, entry);
    free(entry);
}

/* The entry of an lsid in any form. 0 with *entry NULL: it is none. */
static int entry_of(struct leases *ls, const char *lsid, struct lsid_entry **entry)
{
    char key[LSID_SIZE];

    *entry = NULL;
    if (!lsid_normal(lsid, key))
        return 0;
    *entry = lsid_entry_ref(ls, key);
    return *entry ? 0 : -ENOMEM;
}

/* ---- leases ---- */

const char *lease_lsid(const struct lease *lease)
{
    if (lease->lsid_spelled)
        return lease->lsid_spelled;
    return lease->lsid_entry ? lease->lsid_entry->key : "";
}

void lsid_index_add(struct lease *lease)
{
    if (lease->lsid_entry)
        SLIST_INSERT_HEAD(&lease->lsid_entry->leases, lease, of_lsid);
}

void lsid_index_remove(struct lease *lease)
{
    if (lease->lsid_entry)
        SLIST_REMOVE(&lease->lsid_entry->leases, lease, lease, of_lsid);
}

void lsid_index_forget(struct leases *ls, struct lease *lease)
{
    lsid_entry_unref(ls, lease->lsid_entry);
    free(lease->lsid_spelled);
    lease->lsid_entry = NULL;
    lease->lsid_spelled = NULL;
}

int lease_set_lsid(struct leases *ls, struct lease *lease, const char *lsid)
{
    struct lsid_entry *entry;
    int err = entry_of(ls, lsid, &entry);
    bool is_key = !entry || strcmp(entry->key, lsid) == 0;
    char *spelled = is_key ? NULL : strdup(lsid);

    if (!is_key && !spelled) {
        lsid_entry_unref(ls, entry);
        err = -ENOMEM;
    }
    if (err)
        return err;
    if (lease->state == LEASE_OPEN)
        lsid_index_remove(lease);
    lsid_index_forget(ls, lease);
    lease->lsid_entry = entry;
    lease->lsid_spelled = spelled;
    if (lease->state == LEASE_OPEN)
        lsid_index_add(lease);
    return 0;
}

/* ---- check-outs ---- */

void lsid_checkout_leave(struct leases *ls, struct lsid_checkout *co)
{
    if (co->entry)
        LIST_REMOVE(co, link);
    lsid_entry_unref(ls, co->entry);
    co->entry = NULL;
    co->lsid[0] = '\0';
}

int lsid_checkout_set(struct leases *ls, struct lsid_checkout *co, const char *lsid)
{
    struct lsid_entry *entry;
    int err = entry_of(ls, lsid, &entry);

    if (err)
        return err;
    lsid_checkout_leave(ls, co);
    if (!entry)
        return 0;
    co->entry = entry;
    memcpy(co->lsid, lsid, strlen(lsid) + 1); /* of a form, so it fits */
    LIST_INSERT_HEAD(&entry->checkouts, co, link);
    return 0;
}

/* ---- leases that are not in the table ---- */

/* In the time of its vault -> by this machine's clock. */
static int64_t wall_here_ms(const struct leases *ls, struct vault *vault, int64_t wall_ms)
{
    return wall_ms - (leases_wall(ls, vault) - clock_wall(ls->clock));
}

static int64_t created_here_ms(const struct leases *ls, const struct lease *lease)
{
    return wall_here_ms(ls, lease->request->vault_ref->vault, lease->created_s * 1000);
}

static void note_other(struct leases *ls, int64_t created_wall_ms, uint64_t ends_ms)
{
    struct lsid_others *o = &ls->lsid_others;
    bool is_first = o->ends_ms <= clock_now(ls->clock);

    if (is_first || created_wall_ms < o->created_wall_ms)
        o->created_wall_ms = created_wall_ms;
    if (is_first || ends_ms > o->ends_ms)
        o->ends_ms = ends_ms;
}

void lsid_index_note_joined(const struct lease *lease)
{
    struct leases *ls = lease->request->vault_ref->leases;

    if (lease->lsid_entry)
        note_other(ls, created_here_ms(ls, lease), lease->request->ends_ms);
}

void lsid_index_note_row(struct leases *ls, struct vault *vault, const struct request_row *request,
                         const struct lease_row *row)
{
    int64_t left_ms = request->expires_wall_ms - leases_wall(ls, vault);
    char key[LSID_SIZE];

    if (left_ms > 0 && lsid_normal(row->holder.lsid, key))
        note_other(ls, wall_here_ms(ls, vault, row->holder.created_wall_ms),
                   clock_now(ls->clock) + (uint64_t)left_ms);
}

/* ---- the oldest ---- */

bool lsid_index_oldest(const struct leases *ls, int64_t *created_wall_ms)
{
    const struct lsid_entry *entry = ls->lsids;
    const struct lsid_checkout *co;
    const struct lease *lease;
    int64_t oldest =
        ls->lsid_others.ends_ms > clock_now(ls->clock) ? ls->lsid_others.created_wall_ms : INT64_MAX;

    for (; entry; entry = entry->hh.next) {
        SLIST_FOREACH(lease, &entry->leases, of_lsid)
        if (created_here_ms(ls, lease) < oldest)
            oldest = created_here_ms(ls, lease);
        LIST_FOREACH(co, &entry->checkouts, link)
        if (co->created_wall_ms < oldest)
            oldest = co->created_wall_ms;
    }
    *created_wall_ms = oldest;
    return oldest != INT64_MAX;
}
