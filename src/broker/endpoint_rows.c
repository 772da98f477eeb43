/* SPDX-License-Identifier: Apache-2.0 */
/*
 * endpoint_rows.c - groups accounts by system and puts the systems into the order of a search box.
 *
 * A system is (vault, system id). What is typed is matched against its name: all words, anywhere, without
 * case. Better fits come first (the whole name, its beginning, the beginning of a word, the rest), then the
 * name. The recent ones keep the order in which the vault listed them.
 *
 * Without a directory to ask, the method of a system is not known: it is the one type the caller asked for,
 * or a row for each of two (contract 9.6); the port is the method's standard one and the host is the system's
 * name. A later catalogue of systems and platforms will enter in write_system(), where a group becomes rows.
 *
 * Applications, databases and cloud accounts are no endpoints for RDP or a shell and do not count.
 */
#include "broker/endpoint_rows.h"

#include "base/text.h"
#include "broker/match.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define PORT_RDP 3389
#define PORT_SSH 22

struct item {
    const struct account *account;
    const struct survey_vault *of;
    enum match_rank rank;
    size_t seq;
    size_t accounts; /* of a system: how many different ones */
};

static int compare_system(const struct item *a, const struct item *b)
{
    if (a->of != b->of)
        return a->of < b->of ? -1 : 1;
    return (a->account->system_id > b->account->system_id) - (a->account->system_id < b->account->system_id);
}

static int compare_account(const struct item *a, const struct item *b)
{
    return (a->account->account_id > b->account->account_id) -
           (a->account->account_id < b->account->account_id);
}

static int compare_seq(const struct item *a, const struct item *b)
{
    return (a->seq > b->seq) - (a->seq < b->seq);
}

static int by_system(const void *x, const void *y)
{
    int order = compare_system(x, y);

    if (!order)
        order = compare_account(x, y);
    return order ? order : compare_seq(x, y);
}

static int by_fit(const void *x, const void *y)
{
    const struct item *a = x, *b = y;
    int order = (int)a->rank - (int)b->rank;

    if (!order)
        order = match_compare(a->account->system, b->account->system);
    return order ? order : compare_system(a, b);
}

static int by_seq(const void *x, const void *y)
{
    return compare_seq(x, y);
}

static bool is_endpoint(const struct account *account)
{
    return (account->kind == KIND_LOCAL || account->kind == KIND_DOMAIN_LINKED) && *account->system;
}

static size_t collect_list(const struct survey_vault *sv, const struct account_list *rows, const char *query,
                           struct item *items, size_t n)
{
    for (size_t i = 0; rows && i < rows->n; i++) {
        const struct account *account = &rows->rows[i];
        struct item item = {.account = account, .of = sv, .seq = n, .accounts = 1};
        if (!is_endpoint(account))
            continue;
        item.rank = match_rank(query, account->system);
        if (item.rank != MATCH_NOT)
            items[n++] = item;
    }
    return n;
}

static size_t collect(const struct survey *survey, const char *query, struct item *items)
{
    size_t n = 0;

    for (size_t i = 0; i < survey->n; i++)
        for (size_t k = 0; survey->vault[i].state == SURVEY_ANSWERED && k < survey->vault[i].n; k++)
            n = collect_list(&survey->vault[i], survey->vault[i].asks[k].wait.accounts, query, items, n);
    return n;
}

/* One item per system, which counts its accounts and has the place of the first of them. */
static size_t group(struct item *items, size_t n)
{
    size_t kept = 0;

    qsort(items, n, sizeof(items[0]), by_system);
    for (size_t i = 0, last = 0; i < n; last = i++) {
        struct item *head = kept ? &items[kept - 1] : NULL;
        if (!head || compare_system(head, &items[i]) != 0) {
            items[kept++] = items[i];
            continue;
        }
        head->accounts += compare_account(&items[last], &items[i]) != 0;
        if (items[i].seq < head->seq)
            head->seq = items[i].seq;
    }
    return kept;
}

static void write_row(struct endpoint_rows *out, const struct item *item, enum jump_method method,
                      const char *comments)
{
    const char *system = item->account->system;
    bool rdp = method == METHOD_RDP;
    struct endpoint *row = &out->row[out->n++];

    *row = (struct endpoint){
        .name = system,
        .hostname = system,
        .ip_address = text_is_ip(system) ? system : NULL,
        .port = rdp ? PORT_RDP : PORT_SSH,
        .method = method,
        .comments = comments,
    };
    endpoint_id_write(row->endpoint_id, item->of->vault->conf->name, item->account->system_id,
                      rdp ? "rdp" : "shell");
}

/* The rows of one system, as far as the limit lets them. */
static void write_system(struct endpoint_rows *out, const struct item *item, const struct endpoint_wish *wish,
                         char comments[32])
{
    (void)snprintf(comments, 32, "%zu account%s", item->accounts, item->accounts == 1 ? "" : "s");
    if (wish->rdp && out->n < wish->limit)
        write_row(out, item, METHOD_RDP, comments);
    else if (wish->rdp)
        out->truncated = true;
    if (wish->shell && out->n < wish->limit)
        write_row(out, item, METHOD_SHELL, comments);
    else if (wish->shell)
        out->truncated = true;
}

static int write_systems(const struct item *items, size_t n, const struct endpoint_wish *wish,
                         struct endpoint_rows *out)
{
    size_t most = wish->limit / 2 < n ? wish->limit : n * 2;

    out->row = calloc(most + 1, sizeof(*out->row));
    out->comments = calloc(n + 1, sizeof(*out->comments));
    if (!out->row || !out->comments)
        return -ENOMEM;
    for (size_t i = 0; i < n && !out->truncated; i++)
        write_system(out, &items[i], wish, out->comments[i]);
    return 0;
}

int endpoint_rows_make(const struct survey *survey, const struct endpoint_wish *wish,
                       struct endpoint_rows *out)
{
    struct item *items = calloc(survey_count_rows(survey) + 1, sizeof(*items));
    size_t n;
    int err;

    *out = (struct endpoint_rows){0};
    if (!items)
        return -ENOMEM;
    n = group(items, collect(survey, wish->query, items));
    qsort(items, n, sizeof(items[0]), wish->recent ? by_seq : by_fit);
    err = write_systems(items, n, wish, out);
    free(items);
    if (err)
        endpoint_rows_free(out);
    else if (!survey_is_whole(survey))
        out->truncated = true; /* a vault that did not answer may have known more */
    return err;
}

void endpoint_rows_free(struct endpoint_rows *rows)
{
    free(rows->row);
    free(rows->comments);
    *rows = (struct endpoint_rows){0};
}
