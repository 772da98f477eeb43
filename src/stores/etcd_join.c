/* SPDX-License-Identifier: Apache-2.0 */
/*
 * etcd_join.c - see etcd_join.h.
 *
 * Each call may be lost or done twice: then the next look finds what it has left, and goes on from there.
 */
#include "stores/etcd_join.h"

#include "base/container_of.h"
#include "base/json.h"
#include "base/log.h"
#include "stores/etcd_flight.h"
#include "stores/store_rows.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AGAIN_MS 1000
#define BODY_MAX 16384
#define SCHEMA   "1"

static void on_call(struct etcd_call *);

/* ---- rows ---- */

static struct etcd_join_row *row_new(struct etcd_join *j, const char *site)
{
    struct etcd_join_row *row = calloc(1, sizeof *row + strlen(site) + 1);

    if (!row)
        return NULL;
    memcpy(row->site, site, strlen(site) + 1);
    STAILQ_INSERT_TAIL(&j->rows, row, link);
    return row;
}

static int keep_request(void *arg, const struct request_row *r)
{
    struct etcd_join_row *row = row_new(arg, "");

    return row && (row->request = request_row_copy(r)) ? 0 : -ENOMEM;
}

static int keep_lease(void *arg, const struct lease_row *l)
{
    struct etcd_join_row *row = row_new(arg, "");

    return row && (row->lease = lease_row_copy(l)) ? 0 : -ENOMEM;
}

static int keep_cursor(void *arg, const struct cursor_row *c)
{
    struct etcd_join_row *row = row_new(arg, c->site);

    if (row)
        row->cursor_ms = c->cursor_ms;
    return row ? 0 : -ENOMEM;
}

static int pass_row(const struct etcd_join_row *row, const struct store_reader *reader, void *arg)
{
    const struct cursor_row cursor = {row->site, row->cursor_ms};

    if (row->request)
        return reader->request ? reader->request(arg, row->request) : 0;
    if (row->lease)
        return reader->lease ? reader->lease(arg, row->lease) : 0;
    return *row->site && reader->cursor ? reader->cursor(arg, &cursor) : 0;
}

int etcd_join_load(struct etcd_join *j, const struct store_reader *reader, void *arg)
{
    struct etcd_join_row *row;
    int err = 0;

    while ((row = STAILQ_FIRST(&j->rows))) {
        if (!err && reader)
            err = pass_row(row, reader, arg);
        STAILQ_REMOVE_HEAD(&j->rows, link);
        free(row->request);
        free(row->lease);
        free(row);
    }
    return err;
}

/* ---- calls ---- */

static void on_again(struct deadline *);

/* `again` runs from the start to the end, so that moving it needs no memory. */
static void try_in(struct etcd_join *j, uint64_t ms)
{
    if (timer_start(j->timers, &j->again, ms, on_again))
        log_error("store_timer", "error=%s", "out of memory");
}

static void join_failed(struct etcd_join *j, const char *why)
{
    log_warn("store_join", "node=%s error=%s", j->node, why);
    try_in(j, AGAIN_MS);
}

static void end(struct etcd_join *j, const char *why)
{
    char text[ETCD_JOIN_WHY];

    (void)snprintf(text, sizeof text, "%s", why);
    timer_stop(j->timers, &j->again);
    buf_free(&j->call.body);
    j->running = false;
    j->done(j, text);
}

static void send_call(struct etcd_join *j)
{
    if (j->call.body.failed || etcd_call(j->client, &j->call))
        join_failed(j, "out of memory");
}

static struct etcd_writer writer(struct etcd_join *j)
{
    buf_clear(&j->call.body);
    return (struct etcd_writer){&j->call.body, j->prefix};
}

/* ---- look, leave ---- */

static void look(struct etcd_join *j)
{
    char key[ETCD_KEY_SIZE];
    const struct etcd_op get = {.kind = ETCD_GET, .key = key};
    struct etcd_writer w = writer(j);

    j->state = JOIN_LOOKS;
    etcd_self_key(key, j->node);
    buf_str(w.out, "{\"success\":[");
    etcd_write_ops(&w, &get, 1);
    buf_str(w.out, "]}");
    send_call(j);
}

static void leave(struct etcd_join *j, int64_t revision)
{
    char key[ETCD_KEY_SIZE];
    const struct etcd_compare as_read = {.kind = ETCD_MOD, .key = key, .mod = revision};
    const struct etcd_op drop = {.kind = ETCD_DELETE, .key = key};
    struct etcd_writer w = writer(j);

    j->state = JOIN_LEAVES;
    etcd_self_key(key, j->node);
    buf_char(w.out, '{');
    etcd_write_compares(&w, &as_read, 1);
    buf_str(w.out, ",\"success\":[");
    etcd_write_ops(&w, &drop, 1);
    buf_str(w.out, "]}");
    send_call(j);
}

/* ---- enter ---- */

static void write_if_absent(const struct etcd_writer *w, const char *key, const char *value)
{
    const struct etcd_alternative absent = {.compares = {{.kind = ETCD_ABSENT, .key = key}},
                                            .ncompares = 1,
                                            .ops = {{.kind = ETCD_PUT, .key = key, .value = value}},
                                            .nops = 1};

    etcd_write_chain(w, &absent, 1, NULL, 0);
}

/* The reads come last: etcd does the operations in their order. */
static void write_enter(const struct etcd_writer *w, const char *key, const char *self, const char *tag)
{
    const struct etcd_compare absent = {.kind = ETCD_ABSENT, .key = key};
    const struct etcd_op put = {.kind = ETCD_PUT, .key = key, .value = self};
    const struct etcd_op gets[] = {{.kind = ETCD_GET, .key = "c/tag"}, {.kind = ETCD_GET, .key = "c/schema"}};

    buf_char(w->out, '{');
    etcd_write_compares(w, &absent, 1);
    buf_str(w->out, ",\"success\":[");
    etcd_write_ops(w, &put, 1);
    buf_char(w->out, ',');
    write_if_absent(w, "c/tag", tag);
    buf_char(w->out, ',');
    write_if_absent(w, "c/schema", SCHEMA);
    buf_char(w->out, ',');
    etcd_write_ops(w, gets, 2);
    buf_str(w->out, "]}");
}

static void enter(struct etcd_join *j)
{
    char key[ETCD_KEY_SIZE], id[ID_SIZE], tag[ID_TAG_SIZE];
    struct buf self = BUF_INIT(ETCD_VALUE_SIZE);
    struct etcd_writer w = writer(j);

    j->state = JOIN_ENTERS;
    etcd_self_key(key, j->node);
    etcd_self_value(&self, j->instance, 0);
    const char *text = buf_cstr(&self);

    if (!text || self.failed || id_new(id) || !id_tag(id, tag)) {
        join_failed(j, "out of memory, or of randomness");
    } else {
        write_enter(&w, key, text, tag);
        send_call(j);
    }
    buf_free(&self);
}

/* ---- answers ---- */

static void on_looked(struct etcd_join *j)
{
    uint64_t sequence;
    struct etcd_kv kv;
    char why[ETCD_JOIN_WHY];

    if (!etcd_kv_read(etcd_response(j->call.answer, 0), 0, &kv)) {
        enter(j);
        return;
    }
    bool ours = etcd_self_read(kv.value.data, kv.value.len, j->instance, &sequence);

    etcd_kv_free(&kv);
    if (ours) {
        leave(j, kv.mod);
        return;
    }
    (void)snprintf(why, sizeof why,
                   "the name %.63s is taken by another gateway of the cluster; give each its own", j->node);
    end(j, why);
}

/* A small value of the cluster, NUL-terminated; "" = it is absent or longer. */
static void read_small(const cJSON *range, char *to, size_t size)
{
    struct etcd_kv kv;

    to[0] = '\0';
    if (!etcd_kv_read(range, 0, &kv))
        return;
    if (kv.value.len < size) {
        memcpy(to, kv.value.data, kv.value.len);
        to[kv.value.len] = '\0';
    }
    etcd_kv_free(&kv);
}

static void on_read(struct etcd_scan *scan, int err)
{
    struct etcd_join *j = CONTAINER_OF(scan, struct etcd_join, scan);

    if (!err) {
        end(j, "");
        return;
    }
    (void)etcd_join_load(j, NULL, NULL);
    if (err == -EUCLEAN)
        end(j, "a row of the cluster cannot be read; the log names its key");
    else
        join_failed(j, scan->call.why[0] ? scan->call.why : "no answer");
}

static void read_rows(struct etcd_join *j)
{
    j->state = JOIN_READS;
    j->scan = (struct etcd_scan){.prefix = j->prefix,
                                 .node = j->node,
                                 .reader = {keep_request, keep_lease, keep_cursor},
                                 .arg = j,
                                 .done = on_read};
    if (etcd_scan(j->client, &j->scan))
        join_failed(j, "out of memory");
}

static void on_entered(struct etcd_join *j)
{
    char schema[8];

    if (!cJSON_IsTrue(json_get(j->call.answer, "succeeded"))) {
        join_failed(j, "the name was taken meanwhile");
        return;
    }
    j->revision = etcd_revision(j->call.answer);
    read_small(etcd_response(j->call.answer, 3), j->tag, sizeof j->tag);
    read_small(etcd_response(j->call.answer, 4), schema, sizeof schema);
    if (strcmp(schema, SCHEMA) != 0)
        end(j, "the cluster's schema is of another version of jumpgate");
    else if (strlen(j->tag) != ID_TAG_SIZE - 1)
        end(j, "the cluster's tag c/tag is damaged");
    else
        read_rows(j);
}

static void on_call(struct etcd_call *call)
{
    struct etcd_join *j = CONTAINER_OF(call, struct etcd_join, call);

    if (call->err == -EACCES) {
        end(j, call->why);
    } else if (call->err) {
        join_failed(j, call->why[0] ? call->why : "no answer");
    } else {
        switch (j->state) {
        case JOIN_LOOKS: on_looked(j); break;
        case JOIN_LEAVES: look(j); break;
        case JOIN_ENTERS: on_entered(j); break;
        case JOIN_READS: break;
        }
    }
}

/* ---- start and end ---- */

static void on_again(struct deadline *d)
{
    struct etcd_join *j = CONTAINER_OF(d, struct etcd_join, again);

    try_in(j, 3600u * 1000u);
    look(j);
}

int etcd_join_start(struct etcd_join *j)
{
    STAILQ_INIT(&j->rows);
    j->call = (struct etcd_call){.path = "/v3/kv/txn", .body = BUF_INIT(BODY_MAX), .done = on_call};
    j->running = true;
    int err = timer_start(j->timers, &j->again, 0, on_again);

    if (err)
        j->running = false;
    return err;
}

void etcd_join_cancel(struct etcd_join *j)
{
    if (j->running) {
        timer_stop(j->timers, &j->again);
        etcd_cancel(&j->call);
        if (j->state == JOIN_READS)
            etcd_scan_cancel(&j->scan);
        buf_free(&j->call.body);
        j->running = false;
    }
    (void)etcd_join_load(j, NULL, NULL);
}
