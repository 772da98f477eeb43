/* SPDX-License-Identifier: Apache-2.0 */
/*
 * account.c - lists of accounts, and the freeing of a vault's answer.
 *
 * A list of a thousand rows with eight texts each must not cost eight thousand allocations: the texts go, one
 * after the other, into chunks that are never moved and only freed together with the list. Rows may move
 * while the list grows (account_list_add), so nobody keeps a pointer to one before the list is complete.
 *
 * Life: account_list_new() has one reference; the last account_list_unref() frees. A list that is shared is
 * not added to any more.
 */
#include "backends/backend.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_BYTES ((size_t)16 * 1024)

struct chunk {
    struct chunk *next;
    size_t used, size;
    char bytes[];
};

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
    for (struct chunk *chunk = list->texts, *next; chunk; chunk = next) {
        next = chunk->next;
        free(chunk);
    }
    free(list->rows);
    free(list);
}

static int rows_grow(struct account_list *list)
{
    size_t cap = list->cap ? list->cap * 2 : 8;
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

/* Small lists get small chunks: most answers have a handful of rows. */
static struct chunk *chunk_new(size_t want, const struct chunk *before)
{
    size_t size = before ? before->size * 2 : 512;
    struct chunk *chunk;

    if (size > CHUNK_BYTES)
        size = CHUNK_BYTES;
    if (size < want)
        size = want;
    chunk = malloc(sizeof(*chunk) + size);
    if (chunk) {
        chunk->used = 0;
        chunk->size = size;
    }
    return chunk;
}

static int text_keep(struct account_list *list, const char **text)
{
    struct chunk *chunk = list->texts;
    size_t n;

    if (!*text)
        return 0;
    n = strlen(*text) + 1;
    if (!chunk || chunk->size - chunk->used < n) {
        chunk = chunk_new(n, chunk);
        if (!chunk)
            return -ENOMEM;
        chunk->next = list->texts;
        list->texts = chunk;
    }
    memcpy(chunk->bytes + chunk->used, *text, n);
    *text = chunk->bytes + chunk->used;
    chunk->used += n;
    return 0;
}

int account_list_add(struct account_list *list, const struct account *account)
{
    struct account row = *account;
    const char **texts[] = {&row.system,   &row.account,     &row.domain,     &row.upn,
                            &row.instance, &row.application, &row.description};
    int err = rows_grow(list);

    for (size_t i = 0; !err && i < sizeof(texts) / sizeof(texts[0]); i++)
        err = text_keep(list, texts[i]);
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
    secret_clear(&call->secret);
    for (size_t i = 0; i < call->active.n; i++)
        free(call->active.rows[i].reason);
    free(call->active.rows);
    call->active = (struct active_requests){0};
}
