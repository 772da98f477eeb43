/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_calls.c - see store_calls.h.
 */
#include "commands/store_calls.h"

#include "base/clock.h"
#include "base/container_of.h"
#include "base/json.h"
#include "stores/etcd_ends.h"
#include "stores/etcd_flight.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define BODY_MAX (2U << 20)
#define PAGE     500

struct one_call {
    struct etcd_call call;
    struct store_calls *of;
    bool done;
};

int store_calls_open(struct store_calls *s, struct loop *loop, const struct conf_store *conf)
{
    struct etcd_client_opts opts;
    char why[256] = "";

    *s = (struct store_calls){.conf = conf, .loop = loop, .body = BUF_INIT(BODY_MAX)};
    int err = store_access(conf, &opts, &s->password, s->why);

    if (err)
        return err;
    s->client = etcd_client_new(loop, &opts, why);
    if (s->client)
        return 0;
    (void)snprintf(s->why, sizeof(s->why), "%s", why);
    return -ENOMEM;
}

static void on_closed(void *arg)
{
    loop_stop(arg);
}

void store_calls_close(struct store_calls *s)
{
    if (s->client) {
        etcd_client_close(s->client, on_closed, s->loop);
        (void)loop_run(s->loop);
    }
    s->client = NULL;
    secret_clear(&s->password);
    buf_free(&s->body);
    cJSON_Delete(s->answer);
    s->answer = NULL;
}

struct etcd_writer store_calls_writer(struct store_calls *s)
{
    buf_clear(&s->body);
    return (struct etcd_writer){&s->body, s->conf->prefix};
}

/* In etcd's words, and with what is to be done about them. */
static void explain(struct store_calls *s, const struct etcd_call *call, int err)
{
    (void)snprintf(s->why, sizeof(s->why), "%s%s%s", call->why[0] ? call->why : strerror(-err),
                   call->refusal ? "; " : "", call->refusal ? call->refusal->remedy : "");
}

static void on_done(struct etcd_call *call)
{
    struct one_call *c = CONTAINER_OF(call, struct one_call, call);

    c->done = true;
    c->of->answer = call->answer ? cJSON_Duplicate(call->answer, true) : NULL; /* the client frees its own */
    loop_stop(c->of->loop);
}

/* Changes nothing twice: the body is a read, or compares what it changes. */
int store_calls_ask(struct store_calls *s, const char *path)
{
    struct one_call c = {
        .of = s,
        .call = {.path = path, .done = on_done, .body = s->body, .then = ETCD_ANY, .otherwise = ETCD_ANY}};
    uint64_t from = clock_measure_us();

    cJSON_Delete(s->answer);
    s->answer = NULL;
    int err = s->body.failed ? -ENOMEM : etcd_call(s->client, &c.call);

    while (!err && !c.done)
        (void)loop_run(s->loop);
    s->took_us = clock_measure_us() - from;
    if (!err)
        err = c.call.err ? c.call.err : s->answer ? 0 : -ENOMEM;
    if (err)
        explain(s, &c.call, err);
    return err;
}

int store_calls_txn(struct store_calls *s, bool *held)
{
    int err = store_calls_ask(s, "/v3/kv/txn");

    *held = !err && cJSON_IsTrue(json_get(s->answer, "succeeded"));
    return err;
}

bool store_calls_refused(int err)
{
    return err == -EACCES || err == -EKEYREJECTED || err == -EREMOTEIO;
}

bool store_calls_away(int err)
{
    return err == -ECONNREFUSED || err == -ETIMEDOUT || err == -ECONNRESET || err == -EIO ||
           err == -EHOSTUNREACH || err == -ENETUNREACH || err == -EPROTO;
}

/* ---- many keys ---- */

static int take_page(struct store_calls *s, struct buf *next,
                     int (*pair)(void *arg, const char *key, const struct etcd_kv *), void *arg, int *n)
{
    size_t skip = strlen(s->conf->prefix);
    struct etcd_kv kv;
    int err = 0;

    for (*n = 0; !err && etcd_kv_read(s->answer, *n, &kv); ++*n) {
        buf_clear(next);
        err = buf_append(next, kv.key.data + skip, kv.key.len > skip ? kv.key.len - skip : 0);
        const char *key = err ? NULL : buf_cstr(next);

        err = key ? pair(arg, key, &kv) : -ENOMEM;
    }
    return err;
}

int store_calls_range(struct store_calls *s, const char *from, const char *to,
                      int (*pair)(void *arg, const char *key, const struct etcd_kv *), void *arg)
{
    struct buf next = BUF_INIT(4096);
    int n = PAGE, err = buf_str(&next, from);

    while (!err && n == PAGE) {
        struct etcd_writer w = store_calls_writer(s);

        etcd_write_range(&w, next.data, next.len, to, PAGE);
        err = store_calls_ask(s, "/v3/kv/range");
        if (err)
            break;
        err = take_page(s, &next, pair, arg, &n);
        if (!err)
            err = buf_char(&next, '\0'); /* the least key after the last one */
        if (err)
            (void)snprintf(s->why, sizeof(s->why), "a row cannot be read: %s", strerror(-err));
    }
    buf_free(&next);
    return err;
}

/* The leases that the gateway has named go along (etcd_ends.h). */
static int keep_ends(void *arg, const char *key, const struct etcd_kv *kv)
{
    struct buf *ends = arg;

    (void)key;
    etcd_ends_copy(ends, kv->value.data, kv->value.len);
    return ends->failed ? -ENOMEM : 0;
}

int store_calls_fence(struct store_calls *s, const char *node, int64_t epoch, int64_t mod,
                      const char *adopter, bool *held)
{
    char key[ETCD_KEY_SIZE], to[ETCD_KEY_SIZE];
    struct buf ends = BUF_INIT(ETCD_VALUE_SIZE);

    etcd_self_key(key, node);
    (void)etcd_put_texts(to, (const char *const[]){key, "!", NULL});
    int err = store_calls_range(s, key, to, keep_ends, &ends);

    if (!err) {
        struct etcd_writer w = store_calls_writer(s);

        etcd_write_fence(&w, node, epoch, mod, adopter, ends.len ? buf_cstr(&ends) : "");
        err = store_calls_txn(s, held);
    }
    buf_free(&ends);
    return err;
}

struct one_scan {
    struct etcd_scan scan;
    struct store_calls *of;
    bool done;
    int err;
};

static void on_scanned(struct etcd_scan *scan, int err)
{
    struct one_scan *o = CONTAINER_OF(scan, struct one_scan, scan);

    o->done = true;
    o->err = err;
    loop_stop(o->of->loop);
}

int store_calls_rows(struct store_calls *s, const struct store_reader *reader, void *arg)
{
    struct one_scan o = {.of = s,
                         .scan = {.prefix = s->conf->prefix,
                                  .node = s->conf->node,
                                  .reader = *reader,
                                  .arg = arg,
                                  .done = on_scanned}};
    int err = etcd_scan(s->client, &o.scan);

    while (!err && !o.done)
        (void)loop_run(s->loop);
    err = err ? err : o.err;
    s->strange = o.scan.strange;
    if (err == -EUCLEAN)
        (void)snprintf(s->why, sizeof(s->why),
                       "a row in etcd cannot be read: no gateway has written it so; correct it, or delete it "
                       "with `etcdctl del`: its key, below %.100s, is in the line above",
                       s->conf->prefix);
    else if (err && o.scan.call.err == err)
        explain(s, &o.scan.call, err);
    else if (err)
        (void)snprintf(s->why, sizeof(s->why), "the rows in etcd cannot be read: %s", strerror(-err));
    return err;
}

/* ---- time ---- */

struct pause {
    struct deadline deadline;
    struct loop *loop;
    bool over;
};

static void on_over(struct deadline *d)
{
    struct pause *p = CONTAINER_OF(d, struct pause, deadline);

    p->over = true;
    loop_stop(p->loop);
}

int store_calls_wait(struct store_calls *s, uint64_t ms)
{
    struct pause p = {.loop = s->loop};
    int err = timer_start(loop_timers(s->loop), &p.deadline, ms, on_over);

    if (err)
        (void)snprintf(s->why, sizeof(s->why), "%s", strerror(-err));
    while (!err && !p.over)
        (void)loop_run(s->loop);
    return err;
}
