/* SPDX-License-Identifier: Apache-2.0 */
/*
 * catalogue.c - accounts grouped by system, and the search over the systems.
 *
 * Making: local and domain-linked accounts are sorted by system and account; each system becomes a row with
 * the number of its accounts and its system entry from the index, or one with its name alone. Applications,
 * databases and cloud accounts are no endpoints for RDP or a shell and do not count. Rows are sorted by name.
 *
 * The search reads all rows once. The signature excludes nearly all rows that cannot fit before their text is
 * read: without it a search by a host's name takes 30 times the instructions (docs/benchmarks.md). Since the
 * rows are in order, so are the hits of each rank: the search keeps the first limit + 1 hits of each rank and
 * puts the ranks one after the other. So it needs no sort, and its memory is bounded by the limit and not by
 * the number of fits. Once the better ranks fill the answer, rows of worse rank are not looked for.
 */
#include "broker/catalogue/catalogue.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct item {
    const struct account *account;
    uint32_t seq;
};

static int order_ids(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

static int by_system(const void *x, const void *y)
{
    const struct item *a = x, *b = y;
    int order = order_ids(a->account->system_id, b->account->system_id);

    if (!order)
        order = order_ids(a->account->account_id, b->account->account_id);
    return order ? order : (a->seq > b->seq) - (a->seq < b->seq);
}

static int by_system_entry(const void *x, const void *y)
{
    const struct catalogue_row *a = x, *b = y;

    return system_entry_compare(a->entry, b->entry);
}

static int by_seq(const void *x, const void *y)
{
    const struct catalogue_row *a = x, *b = y;

    return (a->seq > b->seq) - (a->seq < b->seq);
}

static bool is_endpoint(const struct account *account)
{
    return (account->kind == KIND_LOCAL || account->kind == KIND_DOMAIN_LINKED) && *account->system;
}

static size_t collect(const struct catalogue_sources *from, struct item *items)
{
    size_t n = 0;

    for (size_t k = 0; k < from->nlists; k++)
        for (size_t i = 0; from->lists[k] && i < from->lists[k]->n; i++)
            if (is_endpoint(&from->lists[k]->rows[i])) {
                items[n] = (struct item){&from->lists[k]->rows[i], (uint32_t)n};
                n++;
            }
    return n;
}

/* The entry of a system that the index does not have. */
static struct system_entry *entry_without_index(const struct catalogue_sources *from,
                                                const struct account *account)
{
    struct system_entry_facts facts = {.system_id = account->system_id, .name = account->system};

    facts.method = directory_platform_method(from->conf, account->platform_id, NULL, NULL);
    return system_entry_new(&facts);
}

static int add_row(struct catalogue *catalogue, const struct catalogue_sources *from, const struct item *item)
{
    struct system_entry *entry = system_index_entry(from->index, item->account->system_id);
    struct catalogue_row *row = &catalogue->row[catalogue->n];

    entry = entry ? system_entry_ref(entry) : entry_without_index(from, item->account);
    if (!entry)
        return -ENOMEM;
    *row = (struct catalogue_row){
        .signature = entry->signature, .entry = entry, .accounts = 1, .seq = item->seq};
    catalogue->n++;
    return 0;
}

/* One row per system, with the place of its first account. */
static int group(struct catalogue *catalogue, const struct catalogue_sources *from, const struct item *items,
                 size_t n)
{
    int err = 0;

    for (size_t i = 0; i < n && !err; i++) {
        const struct account *before = i ? items[i - 1].account : NULL, *account = items[i].account;
        struct catalogue_row *row = i ? &catalogue->row[catalogue->n - 1] : NULL;
        if (!before || before->system_id != account->system_id) {
            err = add_row(catalogue, from, &items[i]);
            continue;
        }
        row->accounts += before->account_id != account->account_id;
        if (items[i].seq < row->seq)
            row->seq = items[i].seq;
    }
    return err;
}

static size_t count_systems(const struct item *items, size_t n)
{
    size_t systems = 0;

    for (size_t i = 0; i < n; i++)
        systems += i == 0 || items[i - 1].account->system_id != items[i].account->system_id;
    return systems;
}

static struct catalogue *make_of(const struct catalogue_sources *from, struct item *items)
{
    size_t n = collect(from, items);
    struct catalogue *catalogue = calloc(1, sizeof(*catalogue));

    if (!catalogue)
        return NULL;
    catalogue->refs = 1;
    if (n)
        qsort(items, n, sizeof(items[0]), by_system);
    catalogue->row = calloc(count_systems(items, n) + 1, sizeof(*catalogue->row));
    if (!catalogue->row || group(catalogue, from, items, n)) {
        catalogue_unref(catalogue);
        return NULL;
    }
    if (catalogue->n)
        qsort(catalogue->row, catalogue->n, sizeof(*catalogue->row),
              from->in_order ? by_seq : by_system_entry);
    return catalogue;
}

struct catalogue *catalogue_make(const struct catalogue_sources *from)
{
    struct catalogue *catalogue = NULL;
    struct item *items;
    size_t n = 0;

    for (size_t k = 0; k < from->nlists; k++)
        n += from->lists[k] ? from->lists[k]->n : 0;
    items = n < UINT32_MAX ? calloc(n + 1, sizeof(*items)) : NULL;
    if (items)
        catalogue = make_of(from, items);
    free(items);
    return catalogue;
}

struct catalogue *catalogue_ref(struct catalogue *catalogue)
{
    catalogue->refs++;
    return catalogue;
}

void catalogue_unref(struct catalogue *catalogue)
{
    if (!catalogue || --catalogue->refs)
        return;
    for (size_t i = 0; i < catalogue->n; i++)
        system_entry_unref(catalogue->row[i].entry);
    free(catalogue->row);
    free(catalogue);
}

/* ---- the search ---- */

/* The system may be in the answer, whatever the query is. */
static bool is_wanted(const struct system_entry *entry, const struct catalogue_filter *filter)
{
    if (entry->unreachable || (entry->method == METHOD_RDP && !filter->rdp) ||
        (entry->method == METHOD_SHELL && !filter->shell))
        return false;
    return !filter->network || casefold_equal(filter->network, system_entry_text(entry, entry->network));
}

struct found {
    struct catalogue_hit *hit; /* one array of `room` hits for each rank but MATCH_NOT */
    size_t room, n[MATCH_NOT];
};

/* The best rank of which no more are wanted: the better ones fill the answer already. */
static enum match_rank enough_of(const struct found *found)
{
    size_t n = 0;

    for (int rank = 0; rank < MATCH_NOT; rank++) {
        n += found->n[rank];
        if (n >= found->room)
            return (enum match_rank)rank;
    }
    return MATCH_NOT;
}

static void walk(const struct catalogue *catalogue, const struct catalogue_filter *filter,
                 struct found *found)
{
    const struct system_query *query = filter->query;
    enum match_rank enough = MATCH_NOT;

    for (size_t i = 0; i < catalogue->n && enough != MATCH_EXACT; i++) {
        const struct catalogue_row *row = &catalogue->row[i];
        enum match_rank rank;
        if (!casefold_may_contain(&row->signature, &query->signature) || !is_wanted(row->entry, filter))
            continue;
        rank = system_entry_rank(row->entry, query, enough);
        if (rank != MATCH_NOT && filter->in_order)
            rank = MATCH_EXACT;
        if (rank >= enough)
            continue;
        found->hit[rank * found->room + found->n[rank]++] = (struct catalogue_hit){row, rank};
        enough = enough_of(found);
    }
}

int catalogue_search(const struct catalogue *catalogue, const struct catalogue_filter *filter,
                     struct catalogue_hit **hits, size_t *n)
{
    struct found found = {.room = (filter->limit < catalogue->n ? filter->limit : catalogue->n) + 1};

    *n = 0;
    *hits = NULL;
    found.hit = calloc(found.room * MATCH_NOT, sizeof(*found.hit));
    if (!found.hit)
        return -ENOMEM;
    walk(catalogue, filter, &found);
    for (int rank = 0; rank < MATCH_NOT; rank++) {
        size_t more = found.n[rank] < found.room - *n ? found.n[rank] : found.room - *n;
        memmove(found.hit + *n, found.hit + (size_t)rank * found.room, more * sizeof(*found.hit));
        *n += more;
    }
    *hits = found.hit;
    return 0;
}
