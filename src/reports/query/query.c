/* SPDX-License-Identifier: Apache-2.0 */
/*
 * query.c - what every reader of a query's parts uses: why it is refused, lists, its end.
 */
#include "base/text.h"
#include "base/utf8.h"
#include "reports/query/query_internal.h"

#include <stdlib.h>

enum query_outcome refuse(struct query_error *error, const char *parameter, const char *why)
{
    (void)text_copy_n(error->parameter, sizeof(error->parameter), parameter,
                      utf8_fit(parameter, sizeof(error->parameter) - 1));
    (void)text_copy(error->why, sizeof(error->why), why);
    return QUERY_INVALID;
}

enum query_outcome list_add(struct query *q, struct text_list *list, const char *text)
{
    if (!*text) {
        list->empty = true;
        return QUERY_OK;
    }
    const char **place = record_append(&q->texts, &list->texts, &list->n, &list->room, sizeof(*list->texts));
    if (!place)
        return QUERY_NO_MEMORY;
    *place = text;
    q->nvalues++;
    return QUERY_OK;
}

void query_free(struct query *q)
{
    if (!q)
        return;
    zone_close(q->zone);
    zone_close(q->utc);
    record_arena_free(&q->texts);
    free(q);
}
