/* SPDX-License-Identifier: Apache-2.0 */
/*
 * account.c - lists of accounts, and the freeing of a vault's answer.
 *
 * The texts of the rows are kept together (string_pool.h) and never move. Rows move while the list grows, so
 * a pointer to a row is valid only once the list is complete.
 *
 * Life: account_list_new() has one reference; the last account_list_unref() frees.
 */
#include "backends/backend.h"
#include "base/string_pool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

const char *account_kind_word(enum account_kind kind)
{
    static const char *const words[KIND_NKINDS] = {
        [KIND_LOCAL] = "local",
        [KIND_DOMAIN_LINKED] = "domain_linked",
        [KIND_APPLICATION] = "application",
        [KIND_DATABASE] = "database",
        [KIND_CLOUD] = "cloud",
        [KIND_ALIAS] = "alias",
    };

    return kind < KIND_NKINDS ? words[kind] : "any";
}

struct account_list *account_list_new(void)
{
    struct account_list *list = calloc(1, sizeof(*list));

    if (list)
        list->refs = 1;
    return list;
}

struct account_list *account_list_ref(struct account_list *list)
{
    list->refs++;
    return list;
}

void account_list_unref(struct account_list *list)
{
    if (!list || --list->refs)
        return;
    string_pool_free(list->string_pool);
    free(list->rows);
    free(list);
}

static int rows_grow(struct account_list *list)
{
    size_t cap = list->cap ? list->cap * 2 : 1; /* most lists are the accounts of one system, and are kept */
    struct account *rows;

    if (list->n < list->cap)
        return 0;
    rows = reallocarray(list->rows, cap, sizeof(*rows));
    if (!rows)
        return -ENOMEM;
    list->rows = rows;
    list->cap = cap;
    return 0;
}

int account_list_add(struct account_list *list, const struct account *account)
{
    struct account row = *account;
    const char **texts[] = {&row.system,   &row.account,     &row.domain,      &row.upn,
                            &row.instance, &row.application, &row.description, &row.alias};
    int err = rows_grow(list);

    for (size_t i = 0; !err && i < sizeof(texts) / sizeof(texts[0]); i++)
        err = string_pool_keep(&list->string_pool, texts[i]);
    if (err)
        return err;
    if (!row.system)
        row.system = "";
    if (!row.account)
        row.account = "";
    list->rows[list->n++] = row;
    return 0;
}

void vault_call_free(struct vault_call *call)
{
    account_list_unref(call->accounts);
    call->accounts = NULL;
    directory_list_free(call->directory);
    call->directory = NULL;
    secret_clear(&call->secret);
    for (size_t i = 0; i < call->active.n; i++)
        free(call->active.rows[i].reason);
    free(call->active.rows);
    call->active = (struct active_requests){0};
}
