/* SPDX-License-Identifier: Apache-2.0 */
/*
 * etcd_finishes.c - see etcd_finishes.h.
 *
 * Page by page: a page is read, what is old in it is deleted in one transaction, and the next one follows.
 * What fails is done by the next tick.
 */
#include "stores/etcd_finishes.h"

#include "base/container_of.h"

#include <string.h>

#define PAGE     100
#define BODY_MAX (1u << 20)

static void read_page(struct etcd_finishes *);

static void end(struct etcd_finishes *f)
{
    f->from[0] = '\0';
    etcd_reads_clear(&f->reads);
    buf_free(&f->call.body);
}

static void on_deleted(struct etcd_call *call)
{
    struct etcd_finishes *f = CONTAINER_OF(call, struct etcd_finishes, call);

    buf_free(&call->body);
    if (call->err || !*f->from)
        end(f);
    else
        read_page(f);
}

/* The key as it was read, without the prefix. */
static const char *own_key(const struct etcd_finishes *f, struct etcd_kv *kv)
{
    const char *key = buf_cstr(&kv->key);
    size_t skip = strlen(f->prefix);

    return key && kv->key.len > skip && kv->key.len - skip < ETCD_KEY_SIZE - 1 ? key + skip : NULL;
}

/* *n = keys of the page that go. `last`: the page's last one. */
static void write_deletions(struct etcd_finishes *f, const cJSON *page, size_t *n, char last[ETCD_KEY_SIZE],
                            int *read)
{
    const struct etcd_writer w = {&f->call.body, f->prefix};
    struct etcd_kv kv;

    buf_str(&f->call.body, "{\"success\":[");
    for (*n = 0, *read = 0; etcd_kv_read(page, *read, &kv); ++*read) {
        const char *key = own_key(f, &kv);
        struct etcd_alternative as_read = {.ncompares = 1, .nops = 1};

        if (!key)
            continue;
        memcpy(last, key, strlen(key) + 1);
        if (kv.mod > f->revisions[0])
            continue;
        as_read.compares[0] = (struct etcd_compare){.kind = ETCD_MOD, .key = last, .mod = kv.mod};
        as_read.ops[0] = (struct etcd_op){.kind = ETCD_DELETE, .key = last};
        if ((*n)++)
            buf_char(&f->call.body, ',');
        etcd_write_chain(&w, &as_read, 1, NULL, 0);
    }
    buf_str(&f->call.body, "]}");
}

static void on_page(struct etcd_reads *r, int err)
{
    struct etcd_finishes *f = CONTAINER_OF(r, struct etcd_finishes, reads);
    char last[ETCD_KEY_SIZE] = "";
    size_t n = 0;
    int read = 0;

    f->call = (struct etcd_call){.path = "/v3/kv/txn", .body = BUF_INIT(BODY_MAX), .done = on_deleted};
    if (!err)
        write_deletions(f, etcd_reads_at(r, 0), &n, last, &read);
    etcd_reads_clear(r);
    bool is_last = read < PAGE || !*last || !etcd_put_texts(f->from, (const char *const[]){last, "!", NULL});

    if (is_last)
        f->from[0] = '\0';
    f->call.then = (int)n;
    if (n && !f->call.body.failed && etcd_call(f->client, &f->call) == 0)
        return;
    buf_free(&f->call.body);
    if (is_last || n)
        end(f);
    else
        read_page(f);
}

static void read_page(struct etcd_finishes *f)
{
    f->reads = (struct etcd_reads){.client = f->client, .prefix = f->prefix, .done = on_page};
    if (etcd_reads_add(&f->reads, f->from, "x0", PAGE) || etcd_reads(&f->reads))
        end(f);
}

static void on_tick(struct deadline *d)
{
    struct etcd_finishes *f = CONTAINER_OF(d, struct etcd_finishes, tick);
    int64_t revision = etcd_client_revision(f->client);

    timer_set(f->timers, d, ETCD_FINISHES_TICK_MS, on_tick);
    if (f->n == ETCD_FINISHES_TICKS)
        memmove(&f->revisions[0], &f->revisions[1], --f->n * sizeof f->revisions[0]);
    f->revisions[f->n++] = revision;
    if (f->n < ETCD_FINISHES_TICKS || *f->from)
        return;
    memcpy(f->from, "x/", sizeof "x/");
    read_page(f);
}

int etcd_finishes_start(struct etcd_finishes *f, struct etcd_client *client, struct timers *timers,
                        const char *prefix)
{
    *f = (struct etcd_finishes){.client = client, .prefix = prefix};
    int err = timer_reserve(timers, &f->tick);

    if (err)
        return err;
    f->timers = timers;
    timer_set(timers, &f->tick, ETCD_FINISHES_TICK_MS, on_tick);
    return 0;
}

void etcd_finishes_stop(struct etcd_finishes *f)
{
    if (!f->timers)
        return;
    etcd_finishes_restart(f);
    timer_unreserve(f->timers, &f->tick);
    f->timers = NULL;
}

void etcd_finishes_restart(struct etcd_finishes *f)
{
    etcd_cancel(&f->call);
    end(f);
    f->n = 0;
}
