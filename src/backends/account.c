/* SPDX-License-Identifier: Apache-2.0 */
/*
 * account.c - lists of accounts and of directory rows, keys, and the freeing of a vault's answer.
 *
 * The texts of the rows are kept together (string_pool.h) and never move. Rows move while the list grows, so
 * a pointer to a row is valid only once the list is complete.
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

/* One more row of `size` bytes: the rows, perhaps moved; NULL = no memory, and they are as before. */
static void *rows_grow(void *rows, size_t n, size_t *cap, size_t size)
{
    size_t more = *cap ? *cap * 2 : 1; /* most lists are the accounts of one system, and are kept */

    if (n < *cap)
        return rows;
    rows = reallocarray(rows, more, size);
    *cap = rows ? more : *cap;
    return rows;
}

static int keep_texts(struct string_pool **pool, const char **const texts[], size_t n)
{
    int err = 0;

    for (size_t i = 0; !err && i < n; i++)
        err = string_pool_keep(pool, texts[i]);
    return err;
}

int account_list_add(struct account_list *list, const struct account *account)
{
    struct account row = *account;
    const char **texts[] = {&row.key,   &row.system,   &row.account,     &row.domain,
                            &row.upn,   &row.instance, &row.application, &row.description,
                            &row.alias, &row.username, &row.label};
    struct account *rows = rows_grow(list->rows, list->n, &list->cap, sizeof(row));

    list->rows = rows ? rows : list->rows;
    if (!rows || keep_texts(&list->string_pool, texts, sizeof(texts) / sizeof(texts[0])))
        return -ENOMEM;
    if (!row.system)
        row.system = "";
    if (!row.account)
        row.account = "";
    list->rows[list->n++] = row;
    return 0;
}

struct directory_list *directory_list_new(void)
{
    return calloc(1, sizeof(struct directory_list));
}

void directory_list_free(struct directory_list *list)
{
    if (!list)
        return;
    string_pool_free(list->string_pool);
    free(list->rows);
    free(list);
}

int directory_list_add(struct directory_list *list, const struct directory_row *from)
{
    struct directory_row row = *from;
    const char **texts[] = {&row.name, &row.short_name, &row.session_type, &row.host,
                            &row.dns,  &row.ip,         &row.description};
    struct directory_row *rows = rows_grow(list->rows, list->n, &list->cap, sizeof(row));

    list->rows = rows ? rows : list->rows;
    if (!rows || keep_texts(&list->string_pool, texts, sizeof(texts) / sizeof(texts[0])))
        return -ENOMEM;
    list->rows[list->n++] = row;
    return 0;
}

bool vaults_list_systems(struct vault *const *vaults, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!vaults[i]->ops->entitled)
            return true;
    return n == 0;
}

bool vault_is_account_key(const struct vault *v, const char *account_key)
{
    char key[REQUEST_KEY_SIZE], *handle = NULL;
    struct account_query query;

    if (v->ops->query)
        return v->ops->query(v, account_key, &query) == 0;
    if (!v->ops->identify)
        return true; /* entitled() will say */
    int err = v->ops->identify(v, account_key, key, &handle);

    free(handle);
    return err != -EINVAL;
}

int64_t request_key_number(const char *key)
{
    int64_t value = 0;

    for (const char *p = key; *p; p++)
        if (*p < '0' || *p > '9' || __builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, *p - '0', &value))
            return 0;
    return value;
}

int active_request_set(struct active_request *row, const char *name, const char *account_key,
                       const char *reason)
{
    size_t n = strlen(name) + 1, key = strlen(account_key) + 1, more = reason ? strlen(reason) + 1 : 0;

    row->name = malloc(n + key + more);
    if (!row->name)
        return -ENOMEM;
    memcpy(row->name, name, n);
    row->account_key = memcpy(row->name + n, account_key, key);
    row->reason = reason ? memcpy(row->account_key + key, reason, more) : NULL;
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
        free(call->active.rows[i].name);
    free(call->active.rows);
    call->active = (struct active_requests){0};
}
