/* SPDX-License-Identifier: Apache-2.0 */
/*
 * etcd_scan.c - see etcd_scan.h.
 *
 *   r/ i/ (requests) -> s/ (leases) -> p/NODE/ (cursors), each in pages of PAGE keys
 *
 * A lease names its request by vault and name, the row of a lease in store.h by its mark: the marks of
 * the requests that were read are kept until the end of the scan. A lease whose request was not read is
 * left out, and logged: it has ended between the pages.
 */
#include "stores/etcd_scan.h"

#include "base/container_of.h"
#include "base/json.h"
#include "base/log.h"
#include "base/text.h"
#include "base/uthash_nofail.h"
#include "stores/etcd_rows.h"
#include "stores/etcd_txn.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define PAGE     500
#define NEXT_MAX (1u << 20) /* also of a key that no gateway has written */
#define BODY_MAX (2u << 20)

enum scan_part { PART_REQUESTS, PART_INTENTS, PART_LEASES, PART_CURSORS, NPARTS };

static const char *const starts[NPARTS] = {"r/", "i/", "s/", "p/"};

struct etcd_scan_request {
    UT_hash_handle hh;
    char *mark; /* behind the key */
    char key[];
};

/* ---- marks ---- */

static int keep_mark(struct etcd_scan *s, const char *key, const char *mark)
{
    size_t keylen = strlen(key) + 1, marklen = strlen(mark) + 1;
    struct etcd_scan_request *r = malloc(sizeof *r + keylen + marklen);

    if (!r)
        return -ENOMEM;
    r->mark = r->key + keylen;
    memcpy(r->key, key, keylen);
    memcpy(r->mark, mark, marklen);
    HASH_ADD_KEYPTR(hh, s->requests, r->key, keylen - 1, r);
    if (r->hh.tbl)
        return 0;
    free(r);
    return -ENOMEM;
}

static const char *mark_of(struct etcd_scan *s, const char *key)
{
    struct etcd_scan_request *r;

    HASH_FIND_STR(s->requests, key, r);
    return r ? r->mark : NULL;
}

static void free_marks(struct etcd_scan *s)
{
    struct etcd_scan_request *r, *next;

    HASH_ITER(hh, s->requests, r, next)
    {
        HASH_DEL(s->requests, r);
        free(r);
    }
}

/* ---- rows ---- */

static int on_request(struct etcd_scan *s, const char *key, const struct etcd_row *row)
{
    int err = s->part == PART_REQUESTS ? keep_mark(s, key, row->request.mark) : 0;

    return err || !s->reader.request ? err : s->reader.request(s->arg, &row->request);
}

static int on_lease(struct etcd_scan *s, struct etcd_row *row)
{
    char key[ETCD_KEY_SIZE];
    int err = etcd_request_key(key, &row->request);

    if (err)
        return err;
    row->lease.request = mark_of(s, key);
    if (row->lease.request)
        return s->reader.lease ? s->reader.lease(s->arg, &row->lease) : 0;
    log_warn("store_lease_alone", "lease=%s", row->lease.id);
    return 0;
}

static int on_cursor(struct etcd_scan *s, const char *key, struct buf *value)
{
    char site[ETCD_KEY_SIZE];
    const char *text = buf_cstr(value), *at = strrchr(key, '/');
    int64_t ms;

    if (!text || !at || snprintf(site, sizeof site, "%s", at + 1) >= (int)sizeof site)
        return -ENOMEM;
    if (!text_url_decode(site, false) || !text_int(text, INT64_MIN, INT64_MAX, &ms))
        return -EUCLEAN;
    return s->reader.cursor ? s->reader.cursor(s->arg, &(struct cursor_row){site, ms}) : 0;
}

/* `key` is without the prefix. */
static int on_row(struct etcd_scan *s, const char *key, struct etcd_kv *kv)
{
    struct etcd_row row;

    if (s->part == PART_CURSORS)
        return on_cursor(s, key, &kv->value);
    int err = etcd_row_read(&row, s->part == PART_LEASES, kv->value.data, kv->value.len);

    if (err) {
        log_error("store_row_unreadable", "key=%s", key);
        return err;
    }
    s->strange += row.is_strange;
    err = row.is_lease ? on_lease(s, &row) : on_request(s, key, &row);
    etcd_row_free(&row);
    return err;
}

/* ---- pages ---- */

static void on_page(struct etcd_call *);

/* Where the part begins, and where it ends: '0' comes after '/'. */
static void bounds(const struct etcd_scan *s, char from[ETCD_KEY_SIZE], char to[ETCD_KEY_SIZE])
{
    (void)snprintf(from, ETCD_KEY_SIZE, "%s%s%s", starts[s->part], s->part == PART_CURSORS ? s->node : "",
                   s->part == PART_CURSORS ? "/" : "");
    (void)snprintf(to, ETCD_KEY_SIZE, "%s", from);
    to[strlen(to) - 1]++;
}

static int read_page(struct etcd_scan *s)
{
    char from[ETCD_KEY_SIZE], to[ETCD_KEY_SIZE];
    struct etcd_writer w = {&s->call.body, s->prefix};

    bounds(s, from, to);
    buf_clear(&s->call.body);
    etcd_write_range(&w, s->next.len ? s->next.data : from, s->next.len ? s->next.len : strlen(from), to,
                     s->page);
    return s->call.body.failed ? -ENOMEM : etcd_call(s->client, &s->call);
}

static void end(struct etcd_scan *s, int err)
{
    etcd_scan_cancel(s);
    s->done(s, err); /* may start it again, or free it */
}

/* The rows of a page; *n = how many. */
static int take_page(struct etcd_scan *s, int *n)
{
    size_t skip = strlen(s->prefix);
    struct etcd_kv kv;
    int err = 0;

    for (*n = 0; !err && etcd_kv_read(s->call.answer, *n, &kv); ++*n) {
        buf_clear(&s->next);
        err = buf_append(&s->next, kv.key.data + skip, kv.key.len > skip ? kv.key.len - skip : 0);
        const char *key = err ? NULL : buf_cstr(&s->next);

        err = key ? on_row(s, key, &kv) : -ENOMEM;
    }
    return err;
}

static void on_page(struct etcd_call *call)
{
    struct etcd_scan *s = CONTAINER_OF(call, struct etcd_scan, call);
    int n = 0, err = call->err ? call->err : take_page(s, &n);

    if (err == -EMSGSIZE && s->page > 1) {
        s->page /= 2;
        err = 0;
    } else if (!err && n < (int)s->page) {
        s->part++;
        buf_clear(&s->next);
    } else if (!err) {
        err = buf_char(&s->next, '\0'); /* the least key after the last one */
    }
    if (!err && s->part < NPARTS)
        err = read_page(s);
    if (err || s->part == NPARTS)
        end(s, err);
}

int etcd_scan(struct etcd_client *client, struct etcd_scan *s)
{
    s->client = client;
    s->part = PART_REQUESTS;
    s->page = PAGE;
    s->requests = NULL;
    s->next = BUF_INIT(NEXT_MAX);
    s->call = (struct etcd_call){.path = "/v3/kv/range", .body = BUF_INIT(BODY_MAX), .done = on_page};
    int err = read_page(s);

    if (err)
        etcd_scan_cancel(s);
    return err;
}

void etcd_scan_cancel(struct etcd_scan *s)
{
    etcd_cancel(&s->call);
    buf_free(&s->call.body);
    buf_free(&s->next);
    free_marks(s);
}
