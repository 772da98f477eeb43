/* SPDX-License-Identifier: Apache-2.0 */
/*
 * etcd_reads.c - see etcd_reads.h.
 */
#include "stores/etcd_reads.h"

#include "base/container_of.h"
#include "base/json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BODY_MAX (1u << 20)

struct etcd_read_key {
    char *key, *to; /* `to` NULL = the key alone */
    unsigned limit;
};

static void on_call(struct etcd_call *);

int etcd_reads_add(struct etcd_reads *r, const char *key, const char *to, unsigned limit)
{
    if (r->n == r->cap) {
        size_t cap = r->cap ? 2 * r->cap : 16;
        struct etcd_read_key *larger = realloc(r->keys, cap * sizeof *larger);

        if (!larger)
            return -ENOMEM;
        r->keys = larger;
        r->cap = cap;
    }
    struct etcd_read_key one = {.key = strdup(key), .to = to ? strdup(to) : NULL, .limit = limit};

    if (!one.key || (to && !one.to)) {
        free(one.key);
        free(one.to);
        return -ENOMEM;
    }
    r->keys[r->n++] = one;
    return 0;
}

/* The next keys that fit into one transaction. */
static int send_next(struct etcd_reads *r)
{
    struct etcd_op ops[ETCD_READS_MAX];
    const struct etcd_writer w = {&r->call.body, r->prefix};
    size_t n = 0;

    for (; n < ETCD_READS_MAX && r->sent + n < r->n; n++)
        ops[n] = (struct etcd_op){.kind = ETCD_GET,
                                  .key = r->keys[r->sent + n].key,
                                  .to = r->keys[r->sent + n].to,
                                  .limit = r->keys[r->sent + n].limit};
    buf_clear(&r->call.body);
    etcd_write_reads(&w, ops, n);
    r->sent += n;
    return r->call.body.failed ? -ENOMEM : etcd_call(r->client, &r->call);
}

static void finish(struct etcd_reads *r, int err)
{
    buf_free(&r->call.body);
    r->done(r, err); /* may clear or free it */
}

static void on_call(struct etcd_call *call)
{
    struct etcd_reads *r = CONTAINER_OF(call, struct etcd_reads, call);
    int err = call->err;

    if (!err) {
        cJSON *responses = cJSON_DetachItemFromObject(call->answer, "responses");

        r->answers[r->nanswers++] = responses;
        err = responses ? 0 : -EPROTO;
    }
    if (!err && r->sent < r->n && !(err = send_next(r)))
        return;
    finish(r, err);
}

int etcd_reads(struct etcd_reads *r)
{
    r->answers = calloc(r->n / ETCD_READS_MAX + 1, sizeof(cJSON *));
    r->call = (struct etcd_call){.path = "/v3/kv/txn", .body = BUF_INIT(BODY_MAX), .done = on_call};
    int err = r->answers ? send_next(r) : -ENOMEM;

    if (err)
        buf_free(&r->call.body);
    return err;
}

const cJSON *etcd_reads_at(const struct etcd_reads *r, size_t n)
{
    size_t at = n / ETCD_READS_MAX;
    const cJSON *one =
        at < r->nanswers ? cJSON_GetArrayItem(r->answers[at], (int)(n % ETCD_READS_MAX)) : NULL;

    return one && cJSON_IsObject(one) ? one->child : NULL;
}

void etcd_reads_clear(struct etcd_reads *r)
{
    etcd_cancel(&r->call);
    buf_free(&r->call.body);
    for (size_t i = 0; i < r->n; i++) {
        free(r->keys[i].key);
        free(r->keys[i].to);
    }
    for (size_t i = 0; i < r->nanswers; i++)
        cJSON_Delete(r->answers[i]);
    free(r->keys);
    free(r->answers);
    *r = (struct etcd_reads){.client = r->client, .prefix = r->prefix, .done = r->done};
}
