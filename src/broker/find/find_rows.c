/* SPDX-License-Identifier: Apache-2.0 */
/*
 * find_rows.c - merge, de-duplicate, order.
 *
 * The same account comes back under several name forms and kinds. It is one credential per (vault, system,
 * account, application); of several rows the first in the order below stays, so that the credential id, which
 * carries the kind, does not depend on which answer came first.
 *
 * Accounts that fit `hide` are left out, and so are aliases of other endpoints. The order: `favourites` in
 * the order of the patterns, exact host match, then kind (local, domain-linked, database, application, the
 * rest), then the display value, then the credential id. It is a total order over what the client sees, hence
 * stable between calls.
 *
 * Rows of different vaults that would look alike in the answer are marked: the name of the vault is put
 * behind the display value. That is decided of the rows that are in the answer, so a row that is alone there
 * is never changed; the rows are in the order of what is shown in the end.
 *
 * Items are sorted in place in one array; display values are written for the remaining items only, all into
 * one piece of memory.
 */
#include "broker/find/find_rows.h"

#include "broker/catalogue/catalogue_cache.h"
#include "broker/find/display_name.h"
#include "broker/find/find_queries.h"
#include "broker/identity/host_names.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct item {
    const struct account *account;
    const struct fanout_vault *target;
    const char *display;
    size_t seq;       /* place in the lists; decides where all else is equal */
    size_t favourite; /* place of the pattern of `favourites` that fits; SIZE_MAX = none */
    bool exact;
    bool marked; /* the vault's name is part of the display value */
};

static int compare_ids(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

static int kind_rank(enum account_kind kind)
{
    switch (kind) {
    case KIND_LOCAL: return 0;
    case KIND_DOMAIN_LINKED: return 1;
    case KIND_DATABASE: return 2;
    case KIND_APPLICATION: return 3;
    default: return 4;
    }
}

/* 0 where two rows are the same credential. */
static int compare_identity(const struct item *a, const struct item *b)
{
    int order = (a->target > b->target) - (a->target < b->target);

    if (!order)
        order = compare_ids(a->account->system_id, b->account->system_id);
    if (!order)
        order = compare_ids(a->account->account_id, b->account->account_id);
    if (!order)
        order = compare_ids(a->account->application_id, b->account->application_id);
    if (!order && !a->account->account_id && !a->account->system_id) /* a vault without numbers */
        order = strcmp(a->account->key, b->account->key);
    return order;
}

static int compare_group(const struct item *a, const struct item *b)
{
    if (a->exact != b->exact)
        return a->exact ? -1 : 1;
    return kind_rank(a->account->kind) - kind_rank(b->account->kind);
}

static int by_identity(const void *x, const void *y)
{
    const struct item *a = x, *b = y;
    int order = compare_identity(a, b);

    if (!order)
        order = compare_group(a, b);
    if (!order)
        order = (int)a->account->kind - (int)b->account->kind;
    return order ? order : (a->seq > b->seq) - (a->seq < b->seq);
}

static int compare_credential_ids(const struct item *a, const struct item *b)
{
    char left[CREDENTIAL_ID_SIZE], right[CREDENTIAL_ID_SIZE];

    credential_id_write(left, a->target->vault->conf->name, a->account);
    credential_id_write(right, b->target->vault->conf->name, b->account);
    return strcmp(left, right);
}

static int by_order(const void *x, const void *y)
{
    const struct item *a = x, *b = y;
    int order = (a->favourite > b->favourite) - (a->favourite < b->favourite);

    if (!order)
        order = compare_group(a, b);
    if (!order)
        order = display_name_compare(a->display, b->display);
    if (!order)
        order = compare_credential_ids(a, b);
    return order ? order : (a->seq > b->seq) - (a->seq < b->seq);
}

static struct item make_item(const struct fanout_vault *target, const struct session *session,
                             const struct account *account, size_t seq)
{
    const struct conf_list *favourites = &target->vault->conf->favourites;
    struct item item = {.account = account,
                        .target = target,
                        .seq = seq,
                        .exact = session_has_host_name(session, account->system)};
    size_t place = display_name_pattern(favourites, account);

    item.favourite = place < favourites->n ? place : SIZE_MAX;
    return item;
}

static void collect_vault(const struct fanout_vault *target, const struct session *session,
                          struct find_rows *out, struct item *items, size_t *n)
{
    const struct conf_list *hide = &target->vault->conf->hide;

    for (size_t k = 0; k < target->n; k++) {
        const struct account_list *rows = target->queries[k].wait.accounts;
        for (size_t i = 0; rows && i < rows->n; i++) {
            const struct account *account = &rows->rows[i];
            if (account->kind == KIND_ALIAS && !find_queries_alias_fits(session, account))
                out->elsewhere++;
            else if (display_name_pattern(hide, account) < hide->n)
                out->hidden++;
            else {
                items[*n] = make_item(target, session, account, *n);
                ++*n;
            }
        }
    }
}

/* Keeps the first of each identity; returns how many are left. */
static size_t unique(struct item *items, size_t n)
{
    size_t kept = 0;

    qsort(items, n, sizeof(items[0]), by_identity);
    for (size_t i = 0; i < n; i++)
        if (kept == 0 || compare_identity(&items[kept - 1], &items[i]) != 0)
            items[kept++] = items[i];
    return kept;
}

static int write_displays(struct item *items, size_t n, struct find_rows *out)
{
    size_t size = 1, used = 0;

    for (size_t i = 0; i < n; i++)
        size +=
            display_name_write(items[i].target->vault->conf, items[i].account, items[i].marked, NULL, 0) + 1;
    free(out->displays);
    out->displays = malloc(size);
    if (!out->displays)
        return -ENOMEM;
    out->displays[0] = '\0';
    for (size_t i = 0; i < n; i++) {
        items[i].display = out->displays + used;
        used += display_name_write(items[i].target->vault->conf, items[i].account, items[i].marked,
                                   out->displays + used, size - used) +
                1;
    }
    return 0;
}

static int by_look(const void *x, const void *y)
{
    const struct item *const *a = x, *const *b = y;

    return strcmp((*a)->display, (*b)->display);
}

/* Marks the rows [from, to) if they are of more than one vault; true = one is marked that was not. */
static bool mark_run(struct item **from, struct item *const *to)
{
    bool alike = false, changed = false;

    for (struct item **i = from + 1; i < to; i++)
        alike = alike || (*i)->target != (*from)->target;
    for (struct item **i = from; alike && i < to; i++) {
        changed = changed || !(*i)->marked;
        (*i)->marked = true;
    }
    return changed;
}

static bool mark_alike(struct item **looks, size_t n)
{
    bool changed = false;

    qsort(looks, n, sizeof(struct item *), by_look);
    for (size_t i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && strcmp(looks[i]->display, looks[end]->display) == 0;)
            end++;
        changed = mark_run(looks + i, looks + end) || changed;
    }
    return changed;
}

/*
 * Rows of different vaults that look alike get the names of their vaults. A marked row may look like another
 * row in turn, which is then marked as well; each row is marked once, so it ends.
 */
static int tell_apart(struct item *items, size_t n, size_t nvaults, struct find_rows *out)
{
    struct item **looks;
    bool marked = false;
    int err = 0;

    if (nvaults < 2 || n < 2)
        return 0;
    looks = calloc(n, sizeof(struct item *));
    if (!looks)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++)
        looks[i] = &items[i];
    while (!err && mark_alike(looks, n)) {
        marked = true;
        err = write_displays(items, n, out);
    }
    free(looks);
    if (!err && marked)
        qsort(items, n, sizeof(items[0]), by_order);
    return err;
}

/* An earlier check-out has shown that the account has an SSH key and no password. */
static bool has_key_only(const struct item *item)
{
    const struct vault_fanout *fanout = item->target->fanout;

    if (!fanout || !fanout->op.broker)
        return false;
    return account_facts_key_alone(account_lists_facts(fanout->op.broker->lists), item->target->vault,
                                   item->account->key);
}

/* An account on a platform without keys has a password; on another it may have either, or both. */
static const char *secret_type(struct catalogue_cache *catalogue_cache, const struct item *item)
{
    if (has_key_only(item))
        return "ssh_key";
    if (item->target->vault->can.secret_with_checkout)
        return "password";
    const struct system_index *index =
        catalogue_cache ? catalogue_cache_index(catalogue_cache, item->target->vault) : NULL;
    const struct system_entry *entry = system_index_entry(index, item->account->system_id);

    return entry && entry->keys == SSH_KEYS_NONE ? "password" : "unknown";
}

/* Keeps of each vault at most its credential_limit. */
static size_t apply_limits(struct item *items, size_t n, const struct vault_fanout *fanout,
                           struct find_rows *out)
{
    size_t kept = 0;

    for (size_t i = 0; i < n; i++) {
        uint64_t limit = items[i].target->vault->conf->credential_limit, before = 0;
        for (size_t k = 0; limit && k < kept && fanout->n > 1; k++)
            before += items[k].target == items[i].target;
        if (fanout->n == 1)
            before = kept;
        if (limit && before >= limit)
            out->capped++;
        else
            items[kept++] = items[i];
    }
    return kept;
}

static int write_rows(const struct item *items, size_t n, struct find_rows *out)
{
    out->row = calloc(n + 1, sizeof(*out->row));
    out->target = calloc(n + 1, sizeof(struct fanout_vault *));
    if (!out->row || !out->target)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++) {
        struct credential *row = &out->row[out->n];
        if (!credential_id_write(row->credential_id, items[i].target->vault->conf->name, items[i].account))
            continue; /* it could not be checked out */
        row->display_value = items[i].display;
        row->account = items[i].account;
        row->secret_type = secret_type(out->catalogue_cache, &items[i]);
        out->target[out->n++] = items[i].target;
    }
    return 0;
}

int find_rows_make(const struct vault_fanout *fanout, const struct session *session,
                   struct catalogue_cache *catalogue_cache, struct find_rows *out)
{
    struct item *items = calloc(vault_fanout_count_rows(fanout) + 1, sizeof(*items));
    size_t n = 0, collected;
    int err;

    *out = (struct find_rows){.catalogue_cache = catalogue_cache};
    if (!items)
        return -ENOMEM;
    for (size_t i = 0; i < fanout->n; i++)
        if (fanout->vault[i].state == FANOUT_ANSWERED)
            collect_vault(&fanout->vault[i], session, out, items, &n);
    collected = n;
    n = unique(items, n);
    out->twice = collected - n;
    err = write_displays(items, n, out);
    if (!err) {
        if (n)
            qsort(items, n, sizeof(items[0]), by_order);
        n = apply_limits(items, n, fanout, out);
        err = tell_apart(items, n, fanout->n, out);
    }
    if (!err)
        err = write_rows(items, n, out);
    free(items);
    if (err)
        find_rows_free(out);
    return err;
}

void find_rows_free(struct find_rows *rows)
{
    free(rows->row);
    free(rows->target);
    free(rows->displays);
    *rows = (struct find_rows){0};
}
