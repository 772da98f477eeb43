/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lease_list.c - the leases as they are shown; see lease_list.h.
 */
#include "top/lease_list.h"

#include "base/casefold.h"
#include "base/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FOLDED_MAX 8192

const char *lease_order_word(enum lease_order order)
{
    static const char *const words[NORDERS] = {"time left", "user", "system", "account", "state"};

    return words[order];
}

/* ---- the filter ---- */

static bool contains(const char *text, const char *folded, size_t n)
{
    char out[FOLDED_MAX];
    size_t len = strlen(text);

    if (CASEFOLD_SIZE(len) > sizeof(out))
        len = sizeof(out) / 2;
    len = casefold_text(out, text, len);
    return len >= n && memmem(out, len, folded, n);
}

static bool fits(const struct lease_sample *l, const char *folded, size_t n)
{
    return !n || contains(l->user, folded, n) || contains(l->system, folded, n) ||
           contains(l->account, folded, n) || contains(l->state, folded, n) ||
           contains(l->session, folded, n) || contains(l->id, folded, n) ||
           contains(l->credential, folded, n);
}

/* ---- the order ---- */

static int compare_ends(const struct lease_sample *a, const struct lease_sample *b)
{
    if (!a->expires_wall_ms != !b->expires_wall_ms)
        return a->expires_wall_ms ? -1 : 1; /* those without an end are last */
    return (a->expires_wall_ms > b->expires_wall_ms) - (a->expires_wall_ms < b->expires_wall_ms);
}

static int compare(const void *left, const void *right, void *order)
{
    const struct lease_sample *a = *(const struct lease_sample *const *)left;
    const struct lease_sample *b = *(const struct lease_sample *const *)right;
    int by = 0;

    switch (*(enum lease_order *)order) {
    case ORDER_USER: by = strcasecmp(a->user, b->user); break;
    case ORDER_SYSTEM: by = strcasecmp(a->system, b->system); break;
    case ORDER_ACCOUNT: by = strcasecmp(a->account, b->account); break;
    case ORDER_STATE: by = strcmp(a->state, b->state); break;
    case ORDER_LEFT:
    case NORDERS: break;
    }
    by = by ? by : compare_ends(a, b);
    return by ? by : strcmp(a->id, b->id);
}

/* ---- the list ---- */

static void find_selected(struct lease_list *list)
{
    size_t at = list->selected;

    for (size_t i = 0; i < list->n; i++)
        if (strcmp(list->rows[i]->id, list->selected_id) == 0)
            at = i;
    list->selected = at < list->n ? at : list->n ? list->n - 1 : 0;
    if (list->n)
        (void)text_copy(list->selected_id, sizeof(list->selected_id), list->rows[list->selected]->id);
}

int lease_list_make(struct lease_list *list, const struct sample *s)
{
    char folded[CASEFOLD_SIZE(FILTER_SIZE)];
    size_t n = casefold_text(folded, list->filter, strlen(list->filter));

    free(list->rows);
    list->n = 0;
    list->rows = calloc((s ? s->nleases : 0) + 1, sizeof(*list->rows));
    if (!list->rows)
        return -ENOMEM;
    for (size_t i = 0; s && i < s->nleases; i++)
        if (fits(&s->leases[i], folded, n))
            list->rows[list->n++] = &s->leases[i];
    qsort_r(list->rows, list->n, sizeof(*list->rows), compare, &list->order);
    find_selected(list);
    return 0;
}

void lease_list_move(struct lease_list *list, long rows)
{
    long at = (long)list->selected + rows;

    if (!list->n)
        return;
    list->selected = at < 0 ? 0 : (size_t)at >= list->n ? list->n - 1 : (size_t)at;
    (void)text_copy(list->selected_id, sizeof(list->selected_id), list->rows[list->selected]->id);
}

const struct lease_sample *lease_list_selected(const struct lease_list *list)
{
    return list->n ? list->rows[list->selected] : NULL;
}

void lease_list_free(struct lease_list *list)
{
    free(list->rows);
    list->rows = NULL;
    list->n = 0;
}
