/* SPDX-License-Identifier: Apache-2.0 */
/*
 * etcd_ask_list.c - QUESTION_LIST, page by page: the keys r/ and i/ one after the other, and to each
 * request of a page its holders.
 */
#include "stores/etcd_asking.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const parts[] = {"r/", "i/"};
enum { NPARTS = 2 };

static size_t part_of(const char *cursor)
{
    size_t i = 0;

    while (i < NPARTS && strncmp(cursor, parts[i], 2) != 0)
        i++;
    return i;
}

bool etcd_list_is_cursor(const char *cursor)
{
    return !*cursor || part_of(cursor) < NPARTS;
}

/* The requests of the page become one finding for each of their leases. */
static int on_holds(struct etcd_asking *a)
{
    struct store_found_list page = STAILQ_HEAD_INITIALIZER(page);
    struct store_found *f;
    size_t n = 0;
    int err = 0;

    STAILQ_CONCAT(&page, &a->q->found);
    while ((f = STAILQ_FIRST(&page)) && !err) {
        const cJSON *holds = *((struct finding *)f)->next ? etcd_reads_at(&a->reads, n++) : NULL;

        STAILQ_REMOVE_HEAD(&page, link);
        err = etcd_asking_take_holders(a, f->request, holds, true);
        free(f->request);
        free(f);
    }
    etcd_found_free(&page);
    return err ? err : etcd_asking_fill(a);
}

static bool is_of_node(const struct request_row *r, const char *node)
{
    size_t n = strlen(node);

    return !n || (strncmp(r->owner, node, n) == 0 && r->owner[n] == '@');
}

static int take_list_row(struct etcd_asking *a, struct etcd_kv *kv)
{
    struct etcd_row row;
    int err = etcd_asking_read_row(a, kv, false, &row);

    if (err)
        return err == -EUCLEAN ? 0 : err;
    if (is_of_node(&row.request, a->q->node ? a->q->node : "")) {
        err = etcd_asking_found(a, &row.request, NULL);
        if (!err && (row.request.state == REQUEST_HELD || row.request.state == REQUEST_RETURNING))
            err = etcd_holds_key(a->last->next, &row.request);
    }
    etcd_row_free(&row);
    return err;
}

static int on_list_page(struct etcd_asking *a)
{
    size_t part = part_of(a->q->cursor);
    struct etcd_kv kv;
    struct store_found *f;
    int err = 0;
    unsigned n = 0;

    if (etcd_asking_is_fenced(a))
        return 1;
    (void)snprintf(a->q->cursor, STORE_CURSOR_SIZE, "%s", part + 1 < NPARTS ? parts[part + 1] : "");
    for (; !err && n <= a->limit && etcd_kv_read(etcd_reads_at(&a->reads, 1), (int)n, &kv); n++) {
        err = n == a->limit ? etcd_asking_set_cursor(a, &kv, a->q->cursor) : take_list_row(a, &kv);
    }
    etcd_reads_clear(&a->reads);
    a->reads = etcd_asking_no_reads(a);
    STAILQ_FOREACH(f, &a->q->found, link)
    if (*((struct finding *)f)->next && !err)
        err = etcd_asking_add_range(a, ((struct finding *)f)->next);
    return err ? err : etcd_asking_send(a, on_holds);
}

int etcd_list_begin(struct etcd_asking *a)
{
    char to[ETCD_KEY_SIZE];

    if (!*a->q->cursor)
        (void)snprintf(a->q->cursor, sizeof a->q->cursor, "%s", parts[0]);
    etcd_key_end(to, parts[part_of(a->q->cursor)]);
    int err = etcd_reads_add(&a->reads, a->q->cursor, to, a->limit + 1);

    return err ? err : etcd_asking_send(a, on_list_page);
}
