/* SPDX-License-Identifier: Apache-2.0 */
/*
 * etcd_close.c - see etcd_close.h.
 */
#include "stores/etcd_close.h"

#include "base/container_of.h"
#include "stores/etcd_flight.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define LEASES_MAX 20 /* to a transaction; the next ones follow with the next try of the step */
#define BODY_MAX   (256u << 10)

void etcd_close_cancel(struct etcd_closing *c)
{
    etcd_reads_clear(&c->holds);
    etcd_reads_clear(&c->leases);
    etcd_cancel(&c->call);
    buf_free(&c->call.body);
}

static void finish(struct etcd_closing *c, int err)
{
    etcd_close_cancel(c);
    c->done(c, err); /* may free it */
}

static void on_call(struct etcd_call *call)
{
    struct etcd_closing *c = CONTAINER_OF(call, struct etcd_closing, call);

    finish(c, call->err);
}

/* s/ goes where it is of this lease, h/ in any case. */
static void write_lease(const struct etcd_writer *w, const struct etcd_row *row, const char *lease,
                        const char *hold)
{
    char from[ETCD_KEY_SIZE], to[ETCD_KEY_SIZE], lsid[ETCD_KEY_SIZE] = "", tail[ETCD_KEY_SIZE];
    const struct etcd_op drop = {.kind = ETCD_DELETE, .key = hold};
    struct etcd_alternative a = {.ops = {{.kind = ETCD_DELETE, .key = lease}}, .nops = 1, .ncompares = 1};

    etcd_write_ops(w, &drop, 1);
    if (!row)
        return;
    (void)snprintf(from, sizeof from, "O{\"i\":\"%s\"", row->lease.id);
    (void)snprintf(to, sizeof to, "O{\"i\":\"%s\"-", row->lease.id);
    a.compares[0] = (struct etcd_compare){.kind = ETCD_VALUE, .key = lease, .from = from, .to = to};
    if (*row->lease.holder.lsid && etcd_lsid_key(lsid, row->lease.holder.lsid) == 0 &&
        snprintf(tail, sizeof tail, "%s%s", lsid, row->lease.id) < (int)sizeof tail)
        a.ops[a.nops++] = (struct etcd_op){.kind = ETCD_DELETE, .key = tail};
    buf_char(w->out, ',');
    etcd_write_chain(w, &a, 1, NULL, 0);
}

static int write_one(struct etcd_closing *c, const struct etcd_writer *w, size_t n, struct etcd_kv *hold)
{
    char lease[ETCD_KEY_SIZE];
    const char *key = buf_cstr(&hold->key), *holder = buf_cstr(&hold->value);
    const char *id = key ? strrchr(key, '/') : NULL;
    struct etcd_row row;
    struct etcd_kv kv;
    bool there = false;

    if (!id || !holder || snprintf(lease, sizeof lease, "s/%s", holder) >= (int)sizeof lease)
        return -EUCLEAN;
    if (etcd_kv_read(etcd_reads_at(&c->leases, n), 0, &kv)) {
        there = etcd_row_read(&row, true, kv.value.data, kv.value.len) == 0;
        etcd_kv_free(&kv);
    }
    if (n)
        buf_char(w->out, ',');
    write_lease(w, there && strcmp(row.lease.id, id + 1) == 0 ? &row : NULL, lease, key + strlen(c->prefix));
    if (there)
        etcd_row_free(&row);
    return 0;
}

static void on_leases(struct etcd_reads *r, int err)
{
    struct etcd_closing *c = CONTAINER_OF(r, struct etcd_closing, leases);
    const struct etcd_writer w = {&c->call.body, c->prefix};
    char self[ETCD_KEY_SIZE];
    const struct etcd_compare own = {.kind = ETCD_CREATED, .key = self, .mod = c->epoch};
    struct etcd_kv kv;

    etcd_self_key(self, c->self->node);
    buf_char(w.out, '{');
    etcd_write_compares(&w, &own, 1);
    buf_str(w.out, ",\"success\":[");
    for (int n = 0; !err && n < LEASES_MAX && etcd_kv_read(etcd_reads_at(&c->holds, 0), n, &kv); n++) {
        err = write_one(c, &w, (size_t)n, &kv);
        etcd_kv_free(&kv);
    }
    buf_str(w.out, "]}");
    if (!err)
        err = w.out->failed ? -ENOMEM : etcd_call(c->client, &c->call);
    if (err)
        finish(c, err);
}

static void on_holds(struct etcd_reads *r, int err)
{
    struct etcd_closing *c = CONTAINER_OF(r, struct etcd_closing, holds);
    struct etcd_kv kv;
    int n = 0;

    for (; !err && n < LEASES_MAX && etcd_kv_read(etcd_reads_at(r, 0), n, &kv); n++) {
        char key[ETCD_KEY_SIZE];
        const char *holder = buf_cstr(&kv.value);

        err = holder && snprintf(key, sizeof key, "s/%s", holder) < (int)sizeof key
                  ? etcd_reads_add(&c->leases, key, NULL, 0)
                  : -EUCLEAN;
        etcd_kv_free(&kv);
    }
    if (!err && n)
        err = etcd_reads(&c->leases);
    if (err || !n)
        finish(c, err);
}

int etcd_close_leases(struct etcd_closing *c)
{
    char from[ETCD_KEY_SIZE], to[ETCD_KEY_SIZE];
    int err = etcd_holds_key(from, &c->step->request);

    c->holds = (struct etcd_reads){.client = c->client, .prefix = c->prefix, .done = on_holds};
    c->leases = (struct etcd_reads){.client = c->client, .prefix = c->prefix, .done = on_leases};
    c->call = (struct etcd_call){.path = "/v3/kv/txn", .body = BUF_INIT(BODY_MAX), .done = on_call};
    if (!err)
        etcd_key_end(to, from);
    if (!err)
        err = etcd_reads_add(&c->holds, from, to, LEASES_MAX);
    if (!err)
        err = etcd_reads(&c->holds);
    if (err)
        etcd_close_cancel(c);
    return err;
}
