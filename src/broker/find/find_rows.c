/* SPDX-License-Identifier: Apache-2.0 */
/*
 * find_rows.c - merge, de-duplicate, order.
 *
 * The same account comes back under several name forms and kinds. It is one credential per (vault, system,
 * account, application); of several rows the one that stays is the one the order likes best, so that the
 * credential id, which carries the kind, does not depend on which answer came first.
 *
 * What the operator hides is left out, and so are aliases of other endpoints. The order: the operator's
 * favourites in the order of the patterns, exact host match, then kind (local, domain-linked, database,
 * application, the rest), then the display value, then the credential id. It is a total order over what the
 * caller sees, hence stable between calls.
 *
 * Everything is sorted in place in one array of small items; display values are written for the survivors
 * only, all into one piece of memory.
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
    const struct fanout_vault *of;
    const char *display;
    size_t seq;       /* place in the lists; the last word */
    size_t favourite; /* place of the operator's pattern that fits; great = none */
    bool exact;
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

/* What makes two rows the same credential. */
static int compare_identity(const struct item *a, const struct item *b)
{
    int order = (a->of > b->of) - (a->of < b->of);

    if (!order)
        order = compare_ids(a->account->system_id, b->account->system_id);
    if (!order)
        order = compare_ids(a->account->account_id, b->account->account_id);
    if (!order)
        order = compare_ids(a->account->application_id, b->account->application_id);
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

    credential_id_write(left, a->of->vault->conf->name, a->account);
    credential_id_write(right, b->of->vault->conf->name, b->account);
    return strcmp(left, right);
}

static int by_order(const void *x, const void *y)
{
    const struct item *a = x, *b = y;
    int order = (a->favourite > b->favourite) - (a->favourite < b->favourite);

    if (!order)
        order = compare_group(a, b);
    if (!order)
        order = host_names_compare(a->display, b->display);
    if (!order)
        order = compare_credential_ids(a, b);
    return order ? order : (a->seq > b->seq) - (a->seq < b->seq);
}

static struct item make_item(const struct fanout_vault *sv, const struct session *session,
                             const struct account *account, size_t seq)
{
    const struct conf_list *favourites = &sv->vault->conf->favourites;
    struct item item = {
        .account = account, .of = sv, .seq = seq, .exact = host_names_is_exact(session, account->system)};
    size_t place = find_show_pattern(favourites, account);

    item.favourite = place < favourites->n ? place : SIZE_MAX;
    return item;
}

static void collect_vault(const struct fanout_vault *sv, const struct session *session, struct find_rows *out,
                          struct item *items, size_t *n)
{
    const struct conf_list *hide = &sv->vault->conf->hide;

    for (size_t k = 0; k < sv->n; k++) {
        const struct account_list *rows = sv->asks[k].wait.accounts;
        for (size_t i = 0; rows && i < rows->n; i++) {
            const struct account *account = &rows->rows[i];
            if (account->kind == KIND_ALIAS && !find_ask_alias_fits(session, account))
                out->elsewhere++;
            else if (find_show_pattern(hide, account) < hide->n)
                out->hidden++;
            else {
                items[*n] = make_item(sv, session, account, *n);
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
        size += find_show(items[i].of->vault->conf, items[i].account, NULL, 0) + 1;
    out->string_pool = malloc(size);
    if (!out->string_pool)
        return -ENOMEM;
    out->string_pool[0] = '\0';
    for (size_t i = 0; i < n; i++) {
        items[i].display = out->string_pool + used;
        used +=
            find_show(items[i].of->vault->conf, items[i].account, out->string_pool + used, size - used) + 1;
    }
    return 0;
}

/* A check-out of late has shown that it has a key alone. */
static bool has_key(const struct item *item)
{
    const struct vault_fanout *fanout = item->of->fanout;
    struct credential_ref ref;

    if (!fanout || !fanout->opts.lists)
        return false;
    credential_ref_make(item->of->vault->conf->name, item->account, &ref);
    return account_lists_known_key(fanout->opts.lists, item->of->vault, &ref);
}

/* An account on a platform without keys has a password; on another it may have either, or both. */
static const char *secret_type(struct catalogue_cache *catalogue_cache, const struct item *item)
{
    if (has_key(item))
        return "ssh_key";
    const struct system_index *index =
        catalogue_cache ? catalogue_cache_index(catalogue_cache, item->of->vault) : NULL;
    const struct system_entry *entry = system_index_entry(index, item->account->system_id);

    return entry && entry->keys_known && !entry->keys ? "password" : "unknown";
}

/* Keeps of each vault as many as it wants shown. */
static size_t cap(struct item *items, size_t n, const struct vault_fanout *fanout, struct find_rows *out)
{
    size_t kept = 0;

    for (size_t i = 0; i < n; i++) {
        uint64_t limit = items[i].of->vault->conf->credential_limit, before = 0;
        for (size_t k = 0; limit && k < kept && fanout->n > 1; k++)
            before += items[k].of == items[i].of;
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
    out->of = calloc(n + 1, sizeof(struct fanout_vault *));
    if (!out->row || !out->of)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++) {
        struct credential *row = &out->row[i];
        credential_id_write(row->credential_id, items[i].of->vault->conf->name, items[i].account);
        row->display_value = items[i].display;
        row->account = items[i].account;
        row->secret_type = secret_type(out->catalogue_cache, &items[i]);
        out->of[i] = items[i].of;
    }
    out->n = n;
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
        n = cap(items, n, fanout, out);
        err = write_rows(items, n, out);
    }
    free(items);
    if (err)
        find_rows_free(out);
    return err;
}

void find_rows_free(struct find_rows *rows)
{
    free(rows->row);
    free(rows->of);
    free(rows->string_pool);
    *rows = (struct find_rows){0};
}
