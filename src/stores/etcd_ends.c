/* SPDX-License-Identifier: Apache-2.0 */
/*
 * etcd_ends.c - see etcd_ends.h.
 */
#include "stores/etcd_ends.h"

#include "base/id.h"
#include "base/json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX 2048
#define DEPTH    8

struct etcd_end {
    TAILQ_ENTRY(etcd_end) link;
    const void *by;    /* NULL = it is decided */
    bool is_written;   /* `position` is set */
    uint64_t position; /* the record is among so many that the trail has taken */
    char lease[ID_SIZE];
    size_t n;
    char text[]; /* JSON */
};

void etcd_ends_init(struct etcd_ends *ends)
{
    *ends = (struct etcd_ends){.n = 0};
    TAILQ_INIT(&ends->all);
}

static void drop(struct etcd_ends *ends, struct etcd_end *e)
{
    TAILQ_REMOVE(&ends->all, e, link);
    ends->n--;
    ends->undecided -= e->by != NULL;
    free(e);
}

void etcd_ends_clear(struct etcd_ends *ends)
{
    struct etcd_end *e;

    while ((e = TAILQ_FIRST(&ends->all)))
        drop(ends, e);
}

/* ---- what is named ---- */

static void write_end(struct buf *out, const struct request_row *r, const char *lease, const char *record,
                      int64_t wall_ms)
{
    struct jsonw w = jsonw_start(out);

    jsonw_object(&w, NULL);
    jsonw_str(&w, "i", lease);
    jsonw_str(&w, "v", r->vault);
    jsonw_str(&w, *r->name ? "r" : "m", *r->name ? r->name : r->mark);
    jsonw_int(&w, "t", wall_ms);
    jsonw_str(&w, "w", record);
    jsonw_end(&w);
}

/* One that is decided. */
static bool make_room(struct etcd_ends *ends)
{
    struct etcd_end *e = TAILQ_FIRST(&ends->all);

    if (ends->n < ETCD_ENDS_MAX)
        return true;
    while (e && e->by)
        e = TAILQ_NEXT(e, link);
    if (e)
        drop(ends, e);
    return e;
}

void etcd_ends_add(struct etcd_ends *ends, const void *by, const struct request_row *r,
                   const struct lease_row *lease, const char *record, int64_t wall_ms)
{
    struct buf text = BUF_INIT(TEXT_MAX);

    if (!record || !*record)
        return;
    write_end(&text, r, lease->id, record, wall_ms);
    struct etcd_end *e =
        !text.failed && strlen(lease->id) < ID_SIZE && make_room(ends) ? malloc(sizeof *e + text.len) : NULL;

    if (e) {
        *e = (struct etcd_end){.by = by, .n = text.len};
        memcpy(e->lease, lease->id, strlen(lease->id) + 1);
        memcpy(e->text, text.data, text.len);
        TAILQ_INSERT_TAIL(&ends->all, e, link);
        ends->n++;
        ends->undecided++;
    }
    buf_free(&text);
}

static void decide(struct etcd_ends *ends, const void *by, const char *lease, bool ended)
{
    struct etcd_end *e, *next;

    for (e = TAILQ_FIRST(&ends->all); e; e = next) {
        next = TAILQ_NEXT(e, link);
        if (e->by != by || (lease && strcmp(e->lease, lease) != 0))
            continue;
        if (ended) {
            e->by = NULL;
            ends->undecided--;
        } else {
            drop(ends, e);
        }
    }
}

void etcd_ends_decide(struct etcd_ends *ends, const void *by, bool ended)
{
    if (ends->undecided)
        decide(ends, by, NULL, ended);
}

void etcd_ends_decide_one(struct etcd_ends *ends, const void *by, const char *lease, bool ended)
{
    if (ends->undecided)
        decide(ends, by, lease, ended);
}

/* The record of one that is decided was given to the trail at once, so that it is among those it has taken.
 */
void etcd_ends_settle(struct etcd_ends *ends, uint64_t taken, uint64_t settled)
{
    struct etcd_end *e, *next;

    for (e = TAILQ_FIRST(&ends->all); e; e = next) {
        next = TAILQ_NEXT(e, link);
        if (e->by)
            continue;
        if (!e->is_written)
            e->position = taken;
        e->is_written = true;
        if (e->position <= settled)
            drop(ends, e);
    }
}

void etcd_ends_write(const struct etcd_ends *ends, struct jsonw *w)
{
    const struct etcd_end *e;

    if (!ends->n)
        return;
    jsonw_array(w, "e");
    TAILQ_FOREACH(e, &ends->all, link)
    jsonw_raw(w, NULL, e->text, e->n);
    jsonw_end(w);
}

/* ---- what another gateway has named ---- */

bool etcd_ends_read(const cJSON *list, int n, struct store_end *end, const char **mark)
{
    const cJSON *one = cJSON_GetArrayItem(list, n);

    *end = (struct store_end){.lease = json_text(one, "i"),
                              .vault = json_text(one, "v"),
                              .name = json_text(one, "r"),
                              .record = json_text(one, "w"),
                              .at_wall_ms = json_number(one, "t")};
    *mark = json_text(one, "m");
    if (strlen(end->lease) >= ID_SIZE)
        end->lease = "";
    return one;
}

bool etcd_ends_take(const char *value, size_t n, cJSON **list)
{
    struct json_outcome outcome;
    cJSON *tree = json_read(value, n, DEPTH, JSON_EXACT, &outcome);

    *list = cJSON_DetachItemFromObjectCaseSensitive(tree, "e");
    cJSON_Delete(tree);
    if (cJSON_IsArray(*list) && cJSON_GetArraySize(*list))
        return true;
    cJSON_Delete(*list);
    *list = NULL;
    return outcome.err != -ENOMEM;
}

void etcd_ends_print(struct buf *out, const cJSON *list)
{
    char *text = list ? cJSON_PrintUnformatted(list) : NULL;

    if (list && text) {
        buf_str(out, ",\"e\":");
        buf_str(out, text);
    }
    out->failed |= list && !text;
    cJSON_free(text);
}

void etcd_ends_copy(struct buf *out, const char *value, size_t n)
{
    cJSON *list;

    out->failed |= !etcd_ends_take(value, n, &list);
    etcd_ends_print(out, list);
    cJSON_Delete(list);
}
