/* SPDX-License-Identifier: Apache-2.0 */
/*
 * etcd_close.c - see etcd_close.h.
 *
 * What other hands have written goes as well: a hold that leads to no lease, and the row of a lease that
 * cannot be read. So a request ends with its time whatever holds it.
 */
#include "stores/etcd_close.h"

#include "base/container_of.h"
#include "base/json.h"
#include "stores/etcd_flight.h"

#include <errno.h>
#include <string.h>

#define LEASES_MAX 20 /* to a transaction; the next ones follow with the next try of the step */
#define BODY_MAX   (256u << 10)
#define AGAIN_MS   250

/* Of a hold whose value names none: no row has this key. */
static const char no_lease[] = "s/-";

void etcd_close_cancel(struct etcd_closing *c)
{
    etcd_reads_clear(&c->holds);
    etcd_reads_clear(&c->leases);
    etcd_cancel(&c->call);
    timer_stop(c->timers, &c->again);
    buf_free(&c->call.body);
}

static void finish(struct etcd_closing *c, int err)
{
    etcd_close_cancel(c);
    c->done(c, err); /* may free it */
}

/* The lease of the n-th hold, as it was read. -ENOENT: the session's lease is another one by now, or none;
 * -EUCLEAN or -ENOMEM. */
static int read_lease(struct etcd_closing *c, size_t n, struct etcd_kv *hold, struct etcd_row *row)
{
    const char *key = buf_cstr(&hold->key), *id = key ? strrchr(key, '/') : NULL;
    struct etcd_kv kv;

    if (!etcd_kv_read(etcd_reads_at(&c->leases, n), 0, &kv))
        return -ENOENT;
    int err = etcd_kept_read(c->self->kept, row, true, &kv);

    if (!err && (!id || strcmp(row->lease.id, id + 1) != 0)) {
        etcd_row_free(row);
        return -ENOENT;
    }
    return err;
}

/* The answer about the n-th hold; NULL = its lease has an lsid that was not known, and nothing was done. */
static const cJSON *closed_hold(const cJSON *answer, bool may_lack_lsid)
{
    bool held;
    size_t n;
    const cJSON *ops = etcd_chain_answer(answer, &held, &n);

    return ops && !(may_lack_lsid && held && n == 0) ? etcd_response(ops, 0) : NULL;
}

/* Another gateway may have been quicker: what the transaction has not deleted it has not ended, unless an
 * earlier sending of it may have. */
static void tell_closed(struct etcd_closing *c)
{
    const cJSON *one, *hold;
    struct etcd_kv kv;
    struct etcd_row row;

    for (int n = 0; (one = etcd_response(c->call.answer, n)); n++) {
        if (!etcd_kv_read(etcd_reads_at(&c->holds, 0), n, &kv) || read_lease(c, (size_t)n, &kv, &row))
            continue;
        hold = closed_hold(one, !*row.lease.holder.lsid);
        if (hold && (json_number(hold, "deleted") > 0 || c->in_doubt))
            c->closed(c, &row.lease);
        etcd_row_free(&row);
    }
}

static void on_again(struct deadline *d)
{
    struct etcd_closing *c = CONTAINER_OF(d, struct etcd_closing, again);
    int err = etcd_call(c->client, &c->call);

    if (err)
        finish(c, err);
}

/* Where the answer is lost, or etcd is full and may have done it, the same bytes go again: the rows are not
 * there any more that said what ended. */
static void on_call(struct etcd_call *call)
{
    struct etcd_closing *c = CONTAINER_OF(call, struct etcd_closing, call);

    c->in_doubt |= call->unknown || call->err == -ENOSPC;
    if (call->err && c->in_doubt && timer_start(c->timers, &c->again, AGAIN_MS, on_again) == 0)
        return;
    if (!call->err && cJSON_IsTrue(json_get(call->answer, "succeeded")))
        tell_closed(c);
    finish(c, call->err);
}

/* Values of the lease, from the first one to without the last. */
static bool lease_range(char from[ETCD_KEY_SIZE], char to[ETCD_KEY_SIZE], const char *id)
{
    return etcd_put_texts(from, (const char *const[]){"O{\"i\":\"", id, "\"", NULL}) &&
           etcd_put_texts(to, (const char *const[]){from, "-", NULL});
}

/*
 * As one operation: a read alone where the lease has an lsid by now that was not read, and the next try reads
 * it; h/, s/ and e/ go where s/ is of this lease; else h/ alone.
 */
static int write_lease(const struct etcd_writer *w, const struct etcd_row *row, const char *lease,
                       const char *hold)
{
    char from[ETCD_KEY_SIZE], to[ETCD_KEY_SIZE], named_from[ETCD_KEY_SIZE], named_to[ETCD_KEY_SIZE];
    char lsid[ETCD_KEY_SIZE], tail[ETCD_KEY_SIZE];
    const struct etcd_op drop = {.kind = ETCD_DELETE, .key = hold};
    struct etcd_alternative chain[2] = {0}, *a = chain;

    if (row && !(lease_range(from, to, row->lease.id) &&
                 etcd_named_lease_range(named_from, named_to, row->lease.id)))
        return -EUCLEAN;
    if (row && !*row->lease.holder.lsid)
        *a++ = (struct etcd_alternative){
            .compares = {{.kind = ETCD_VALUE, .key = lease, .from = named_from, .to = named_to}},
            .ncompares = 1,
            .ops = {{.kind = ETCD_GET, .key = lease}},
            .nops = 1};
    if (row) {
        *a = (struct etcd_alternative){
            .compares = {{.kind = ETCD_VALUE, .key = lease, .from = from, .to = to}},
            .ncompares = 1,
            .ops = {drop, {.kind = ETCD_DELETE, .key = lease}},
            .nops = 2};
        if (*row->lease.holder.lsid && etcd_lsid_key(lsid, row->lease.holder.lsid) == 0 &&
            etcd_put_texts(tail, (const char *const[]){lsid, row->lease.id, NULL}))
            a->ops[a->nops++] = (struct etcd_op){.kind = ETCD_DELETE, .key = tail};
        a++;
    }
    etcd_write_chain(w, chain, (size_t)(a - chain), &drop, 1);
    return 0;
}

/* The lease's row cannot be read: it goes with the hold that leads to it, as it was read. */
static int write_broken(const struct etcd_closing *c, const struct etcd_writer *w, size_t n,
                        const char *lease, const char *hold)
{
    const struct etcd_op drop = {.kind = ETCD_DELETE, .key = hold};
    struct etcd_alternative same = {.compares = {{.kind = ETCD_MOD, .key = lease}},
                                    .ncompares = 1,
                                    .ops = {drop, {.kind = ETCD_DELETE, .key = lease}},
                                    .nops = 2};
    struct etcd_kv kv;

    if (etcd_kv_read(etcd_reads_at(&c->leases, n), 0, &kv))
        same.compares[0].mod = kv.mod;
    etcd_write_chain(w, &same, 1, &drop, 1);
    return 0;
}

static int write_one(struct etcd_closing *c, const struct etcd_writer *w, size_t n, struct etcd_kv *hold)
{
    char lease[ETCD_KEY_SIZE];
    enum lease_answers answers;
    struct etcd_row row;

    if (!buf_cstr(&hold->key))
        return -EUCLEAN;
    if (!etcd_held_lease_key(lease, &hold->value, &answers)) {
        etcd_kept_unreadable(c->self->kept, hold);
        memcpy(lease, no_lease, sizeof no_lease);
    }
    int err = read_lease(c, n, hold, &row);

    if (err == -ENOMEM)
        return err; /* without its hold the lease would stay for good */
    if (n)
        buf_char(w->out, ',');
    const char *key = hold->key.data + strlen(c->prefix);
    int written =
        err == -EUCLEAN ? write_broken(c, w, n, lease, key) : write_lease(w, err ? NULL : &row, lease, key);

    if (!err)
        etcd_row_free(&row);
    return written;
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
    }
    buf_str(w.out, "]}");
    if (!err && w.out->failed)
        err = -ENOMEM;
    if (err) {
        finish(c, err);
        return;
    }
    c->is_ready = true;
    c->ready(c);
}

void etcd_close_name(struct etcd_closing *c, struct etcd_ends *ends, const char *record, int64_t wall_ms)
{
    struct etcd_row row;
    struct etcd_kv kv;

    for (int n = 0; n < LEASES_MAX && etcd_kv_read(etcd_reads_at(&c->holds, 0), n, &kv); n++) {
        if (read_lease(c, (size_t)n, &kv, &row))
            continue;
        etcd_ends_add(ends, c, &c->step->request, &row.lease, record, wall_ms);
        etcd_row_free(&row);
    }
}

void etcd_close_send(struct etcd_closing *c)
{
    int err = etcd_call(c->client, &c->call);

    c->is_sent = true;
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
        enum lease_answers answers;

        if (!etcd_held_lease_key(key, &kv.value, &answers))
            memcpy(key, no_lease, sizeof no_lease);
        err = etcd_reads_add(&c->leases, key, NULL, 0);
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
    c->call = (struct etcd_call){
        .path = "/v3/kv/txn", .body = BUF_INIT(BODY_MAX), .done = on_call, .then = ETCD_ANY};
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
