/* SPDX-License-Identifier: Apache-2.0 */
/*
 * etcd_move.c - see etcd_move.h.
 */
#include "stores/etcd_move.h"

#include "base/json.h"
#include "base/jsonw.h"
#include "base/text.h"
#include "stores/etcd_members.h"
#include "stores/etcd_rows.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH 4

bool etcd_schema_is_known(const char *text)
{
    int64_t number;

    return !*text || text_int(text, ETCD_SCHEMA_OLDEST, ETCD_SCHEMA_NEWEST, &number);
}

/* ---- c/moved ---- */

static const char *const kinds[] = {
    [ETCD_MOVED_IN] = "in", [ETCD_MOVED_OUT] = "out", [ETCD_MOVED_GONE] = "gone"};
enum { NKINDS = sizeof(kinds) / sizeof(*kinds) };

void etcd_moved_write(struct buf *out, const struct etcd_moved *m)
{
    struct jsonw w = jsonw_start(out);

    jsonw_object(&w, NULL);
    jsonw_str(&w, "k", kinds[m->kind]);
    jsonw_str(&w, "i", m->id);
    jsonw_str(&w, "w", m->peer);
    jsonw_end(&w);
}

int etcd_moved_read(const char *value, size_t n, struct etcd_moved *m)
{
    struct json_outcome outcome;
    cJSON *tree = json_read(value, n, DEPTH, JSON_EXACT, &outcome);
    const char *kind = json_text(tree, "k");
    bool known = false;

    for (int i = 0; i < NKINDS; i++) {
        if (strcmp(kinds[i], kind) != 0)
            continue;
        m->kind = (enum etcd_moved_kind)i;
        known = true;
    }
    known = known && text_copy(m->id, sizeof(m->id), json_text(tree, "i"));
    if (!text_copy(m->peer, sizeof(m->peer), json_text(tree, "w")))
        m->peer[0] = '\0';
    cJSON_Delete(tree);
    return known ? 0 : outcome.err == -ENOMEM ? -ENOMEM : -EUCLEAN;
}

void etcd_moved_explain(const struct etcd_moved *m, char why[ETCD_MOVED_WHY])
{
    if (m->kind == ETCD_MOVED_GONE)
        (void)snprintf(
            why, ETCD_MOVED_WHY,
            "the cluster's leases were moved to %.120s; use that store, or move them back (jumpgate "
            "store copy)",
            m->peer);
    else
        (void)snprintf(
            why, ETCD_MOVED_WHY,
            "a move of leases %s %.120s is not complete; run the same `jumpgate store copy` once more",
            m->kind == ETCD_MOVED_IN ? "from" : "to", m->peer);
}

/* ---- rows as keys ---- */

int etcd_pairs_add(struct etcd_pairs *p, const char *key, const char *value)
{
    size_t keylen = strlen(key) + 1, valuelen = strlen(value) + 1;

    if (!(p->n & (p->n - 1))) {
        struct etcd_pair *all = realloc(p->all, (p->n ? 2 * p->n : 1) * sizeof(*all));

        if (!all)
            return -ENOMEM;
        p->all = all;
    }
    char *text = malloc(keylen + valuelen);

    if (!text)
        return -ENOMEM;
    p->all[p->n++] = (struct etcd_pair){memcpy(text, key, keylen), memcpy(text + keylen, value, valuelen)};
    return 0;
}

static int by_key(const void *left, const void *right)
{
    return strcmp(((const struct etcd_pair *)left)->key, ((const struct etcd_pair *)right)->key);
}

void etcd_pairs_sort(struct etcd_pairs *p)
{
    if (p->n)
        qsort(p->all, p->n, sizeof(*p->all), by_key);
}

const struct etcd_pair *etcd_pairs_find(const struct etcd_pairs *p, const char *key)
{
    const struct etcd_pair wanted = {.key = (char *)key};

    return p->n ? bsearch(&wanted, p->all, p->n, sizeof(*p->all), by_key) : NULL;
}

void etcd_pairs_free(struct etcd_pairs *p)
{
    for (size_t i = 0; i < p->n; i++)
        free(p->all[i].key);
    free(p->all);
    *p = (struct etcd_pairs){.n = 0};
}

/* The lsid's key where there is one. */
static int add_lsid(struct etcd_pairs *p, const char *key, const char *value)
{
    return *key ? etcd_pairs_add(p, key, value) : 0;
}

static int add_request(struct etcd_pairs *p, const struct request_row *r, const char *owner, const char *node)
{
    const struct store_step step = {.kind = STEP_EDIT, .request = *r, .lease.id = ""};
    struct buf value = BUF_INIT(ETCD_VALUE_SIZE);
    struct etcd_keys k;
    int err = etcd_keys_of(&k, &step, node);

    etcd_request_value(&value, r, owner, "");
    const char *text = buf_cstr(&value);

    if (!err && (value.failed || !text))
        err = -ENOMEM;
    if (!err)
        err = etcd_pairs_add(p, r->state == REQUEST_ASKED ? k.intent : k.request, text);
    if (!err && r->state == REQUEST_PENDING)
        err = etcd_pairs_add(p, k.pending, k.pending_value);
    if (!err && r->state == REQUEST_ASKED)
        err = add_lsid(p, k.asker_lsid, k.asker_value);
    buf_free(&value);
    return err;
}

static int add_lease(struct etcd_pairs *p, const struct lease_row *l, const struct request_row *r,
                     const char *node)
{
    const struct store_step step = {.kind = STEP_AMEND, .request = *r, .lease = *l};
    struct buf value = BUF_INIT(ETCD_VALUE_SIZE);
    struct etcd_keys k;
    int err = etcd_keys_of(&k, &step, node);

    etcd_lease_value(&value, l, r, "");
    const char *text = buf_cstr(&value);

    if (!err && (value.failed || !text))
        err = -ENOMEM;
    if (!err)
        err = etcd_pairs_add(p, k.lease, text);
    if (!err)
        err = etcd_pairs_add(p, k.hold, k.holder);
    if (!err)
        err = add_lsid(p, k.lease_lsid, k.holder);
    buf_free(&value);
    return err;
}

static int add_cursor(struct etcd_pairs *p, const struct cursor_row *c, const char *node)
{
    const struct store_step step = {.kind = STEP_CURSOR, .cursor = *c};
    char value[24];
    struct etcd_keys k;
    int err = etcd_keys_of(&k, &step, node);

    (void)snprintf(value, sizeof(value), "%lld", (long long)c->cursor_ms);
    return err ? err : etcd_pairs_add(p, k.cursor, value);
}

int etcd_pairs_of(struct etcd_pairs *p, const struct move_rows *rows, const char *owner, const char *node,
                  const char **twice)
{
    int err = 0;

    for (size_t i = 0; !err && i < rows->nrequests; i++)
        err = add_request(p, rows->requests[i], owner, node);
    for (size_t i = 0; !err && i < rows->nleases; i++)
        err = add_lease(p, rows->leases[i], move_rows_request(rows, rows->leases[i]->request), node);
    for (size_t i = 0; !err && i < rows->ncursors; i++)
        err = add_cursor(p, &rows->cursors[i], node);
    etcd_pairs_sort(p);
    for (size_t i = 1; !err && i < p->n; i++) {
        if (strcmp(p->all[i - 1].key, p->all[i].key) != 0)
            continue;
        *twice = p->all[i].key;
        err = -EEXIST;
    }
    return err;
}

/* ---- transactions ---- */

void etcd_write_fence(const struct etcd_writer *w, const char *node, int64_t epoch, int64_t mod,
                      const char *adopter, const char *more)
{
    char key[ETCD_KEY_SIZE], dead[ETCD_KEY_SIZE], hints[ETCD_KEY_SIZE], hints_end[ETCD_KEY_SIZE];
    struct buf value = BUF_INIT(ETCD_DEAD_VALUE_SIZE);
    const struct etcd_compare as_read = {.kind = ETCD_MOD, .key = key, .mod = mod};

    (void)snprintf(key, sizeof(key), "m/%s", node);
    etcd_dead_key(dead, sizeof(dead), node, epoch);
    (void)snprintf(hints, sizeof(hints), "n/%s/", node);
    etcd_key_end(hints_end, hints);
    etcd_dead_value(&value, adopter, "", more);
    const char *text = buf_cstr(&value);
    const struct etcd_op ops[] = {{.kind = ETCD_DELETE, .key = key},
                                  {.kind = ETCD_PUT, .key = dead, .value = text ? text : ""},
                                  {.kind = ETCD_DELETE, .key = hints, .to = hints_end}};

    (void)buf_char(w->out, '{');
    etcd_write_compares(w, &as_read, 1);
    (void)buf_str(w->out, ",\"success\":[");
    etcd_write_ops(w, ops, sizeof(ops) / sizeof(*ops));
    (void)buf_str(w->out, "]}");
    w->out->failed |= value.failed || !text;
    buf_free(&value);
}
