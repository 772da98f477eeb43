/* SPDX-License-Identifier: Apache-2.0 */
/*
 * directory_list.c - lists of the rows of a vault's directory: systems, platforms and workgroups.
 *
 * One kind of row serves all three, since a reader needs an id, a name and a few members. Rows move while the
 * list grows; their texts do not.
 */
#include "backends/backend.h"
#include "base/string_pool.h"

#include <errno.h>
#include <stdlib.h>

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

static int rows_grow(struct directory_list *list)
{
    size_t cap = list->cap ? list->cap * 2 : 16;
    struct directory_row *rows;

    if (list->n < list->cap)
        return 0;
    rows = reallocarray(list->rows, cap, sizeof(*rows));
    if (!rows)
        return -ENOMEM;
    list->rows = rows;
    list->cap = cap;
    return 0;
}

int directory_list_add(struct directory_list *list, const struct directory_row *from)
{
    struct directory_row row = *from;
    const char **texts[] = {&row.name, &row.short_name, &row.session_type, &row.host,
                            &row.dns,  &row.ip,         &row.description};
    int err = rows_grow(list);

    for (size_t i = 0; !err && i < sizeof(texts) / sizeof(texts[0]); i++)
        err = string_pool_keep(&list->string_pool, texts[i]);
    if (!err)
        list->rows[list->n++] = row;
    return err;
}
