/* SPDX-License-Identifier: Apache-2.0 */
/*
 * copy_etcd.c - the end of a store copy that is in etcd; see copy.h and stores/etcd_move.h.
 *
 * From copy_lock() on no gateway enters, so that keys are read and written without a comparison of each:
 * every transaction compares the create revision of c/moved instead.
 */
#include "commands/store/copy.h"

#include "base/crash_point.h"
#include "base/json.h"
#include "base/text.h"
#include "stores/etcd_members.h"
#include "stores/etcd_rows.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define BATCH_OPS   60
#define BATCH_BYTES (256U << 10)

/* Where requests, leases and what belongs to them are. */
static const char *const parts[][2] = {{"i/", "i0"}, {"r/", "r0"}, {"s/", "s0"},
                                       {"w/", "w0"}, {"h/", "h0"}, {"e/", "e0"}};
enum { NPARTS = sizeof(parts) / sizeof(*parts), NROW_PARTS = 3 };

int copy_failed(struct copy *c, int err)
{
    fprintf(stderr, "jumpgate: etcd: %s%s\n", c->calls.why,
            store_calls_away(err) ? "; nothing is lost: run the same command once more" : "");
    return EXIT_FAILED;
}

/* ---- looking ---- */

enum { LOOK_MOVED, LOOK_TAG, LOOK_SCHEMA, NLOOKS };

static int count_row(void *arg, const char *key, const struct etcd_kv *kv)
{
    (void)key;
    (void)kv;
    ++*(size_t *)arg;
    return 0;
}

static int read_moved(struct copy *c, const cJSON *range)
{
    struct etcd_kv kv;

    c->has_moved = etcd_kv_read(range, 0, &kv);
    c->epoch = c->moved_mod = 0;
    if (!c->has_moved)
        return EXIT_DONE;
    int err = etcd_moved_read(kv.value.data, kv.value.len, &c->moved);

    c->epoch = kv.created;
    c->moved_mod = kv.mod;
    if (!err)
        return EXIT_DONE;
    return command_failed(err == -ENOMEM ? "out of memory"
                                         : "etcd: c/moved is of a version that this one does not know");
}

int copy_look(struct copy *c)
{
    const struct etcd_op gets[NLOOKS] = {[LOOK_MOVED] = {.kind = ETCD_GET, .key = ETCD_MOVED_KEY},
                                         [LOOK_TAG] = {.kind = ETCD_GET, .key = "c/tag"},
                                         [LOOK_SCHEMA] = {.kind = ETCD_GET, .key = "c/schema"}};
    struct etcd_writer w = store_calls_writer(&c->calls);
    char schema[8];

    etcd_write_reads(&w, gets, NLOOKS);
    int err = store_calls_ask(&c->calls, "/v3/kv/txn");

    if (err)
        return copy_failed(c, err);
    etcd_small_value(etcd_response(c->calls.answer, LOOK_TAG), c->tag, sizeof(c->tag));
    etcd_small_value(etcd_response(c->calls.answer, LOOK_SCHEMA), schema, sizeof(schema));
    if (!etcd_schema_is_known(schema))
        return command_failed("etcd: the cluster's schema is of another version; use that version's command");
    int code = read_moved(c, etcd_response(c->calls.answer, LOOK_MOVED));

    c->netcd = 0;
    for (size_t i = 0; !code && !err && i < NROW_PARTS; i++)
        err = store_calls_range(&c->calls, parts[i][0], parts[i][1], count_row, &c->netcd);
    return code ? code : err ? copy_failed(c, err) : EXIT_DONE;
}

/* ---- members ---- */

struct member {
    char node[64];
    int64_t epoch, mod;
};

struct member_list {
    struct member all[ETCD_MEMBERS_MAX];
    size_t n;
};

static int on_member(void *arg, const char *key, const struct etcd_kv *kv)
{
    struct member_list *list = arg;
    struct member *m = &list->all[list->n];

    if (list->n == ETCD_MEMBERS_MAX)
        return -E2BIG;
    *m = (struct member){.epoch = kv->created, .mod = kv->mod};
    list->n += text_copy(m->node, sizeof(m->node), key + 2);
    return 0;
}

static bool was_there(const struct member_list *before, const struct member *m)
{
    for (size_t i = 0; i < before->n; i++)
        if (strcmp(before->all[i].node, m->node) == 0 && before->all[i].mod == m->mod)
            return true;
    return false;
}

static int refuse_living(const struct copy *c, const char *node)
{
    fprintf(stderr, "jumpgate: the gateway %s of the cluster below %s runs; stop all gateways of it first\n",
            node, c->etcd->store.prefix);
    return EXIT_FAILED;
}

static int fence(struct copy *c, const struct member *m)
{
    char next[ETCD_OWNER_SIZE];
    bool held;

    (void)snprintf(next, sizeof(next), "%s@0", m->node);
    int err = store_calls_fence(&c->calls, m->node, m->epoch, m->mod, next, &held);

    return err ? copy_failed(c, err) : held ? EXIT_DONE : refuse_living(c, m->node);
}

/* Who has not written for the ttl is dead, as for a gateway. */
int copy_stop_members(struct copy *c)
{
    struct member_list before = {.n = 0}, now = {.n = 0};
    int code = EXIT_DONE, err = store_calls_range(&c->calls, "m/", "m0", on_member, &before);

    if (!err && before.n) {
        fprintf(stderr, "jumpgate: waiting for %.1f s: does a gateway of the cluster run?\n",
                (double)c->etcd->store.ttl_ms / 1000);
        err = store_calls_wait(&c->calls, c->etcd->store.ttl_ms);
        if (!err)
            err = store_calls_range(&c->calls, "m/", "m0", on_member, &now);
    }
    for (size_t i = 0; !err && !code && i < now.n; i++)
        if (!was_there(&before, &now.all[i]))
            code = refuse_living(c, now.all[i].node);
    for (size_t i = 0; !err && !code && !c->dry && i < now.n; i++)
        code = fence(c, &now.all[i]);
    return err ? copy_failed(c, err) : code;
}

/* ---- the lock ---- */

static void write_first(const struct etcd_writer *w, const char *key, const char *value)
{
    const struct etcd_alternative absent = {.compares = {{.kind = ETCD_ABSENT, .key = key}},
                                            .ncompares = 1,
                                            .ops = {{.kind = ETCD_PUT, .key = key, .value = value}},
                                            .nops = 1};

    (void)buf_char(w->out, ',');
    etcd_write_chain(w, &absent, 1, NULL, 0);
}

static void write_lock(const struct etcd_writer *w, const struct copy *c, const char *moved, bool clear)
{
    const struct etcd_compare free_to_go[] = {{.kind = ETCD_MOD, .key = ETCD_MOVED_KEY, .mod = c->moved_mod},
                                              {.kind = ETCD_NONE_IN, .key = "m/", .to = "m0"}};
    struct etcd_op ops[NPARTS + 4] = {{.kind = ETCD_PUT, .key = ETCD_MOVED_KEY, .value = moved}};
    size_t n = 1;
    char schema[8];

    for (size_t i = 0; clear && i < NPARTS; i++)
        ops[n++] = (struct etcd_op){.kind = ETCD_DELETE, .key = parts[i][0], .to = parts[i][1]};
    if (clear) { /* whose rows are gone */
        ops[n++] = (struct etcd_op){.kind = ETCD_DELETE, .key = "d/", .to = "d0"};
        ops[n++] = (struct etcd_op){.kind = ETCD_DELETE, .key = "n/", .to = "n0"};
        ops[n++] = (struct etcd_op){.kind = ETCD_DELETE, .key = "x/", .to = "x0"};
    }
    (void)snprintf(schema, sizeof(schema), "%d", ETCD_SCHEMA_NEWEST);
    (void)buf_char(w->out, '{');
    etcd_write_compares(w, free_to_go, sizeof(free_to_go) / sizeof(*free_to_go));
    (void)buf_str(w->out, ",\"success\":[");
    etcd_write_ops(w, ops, n);
    if (*c->tag)
        write_first(w, "c/tag", c->tag);
    write_first(w, "c/schema", schema);
    (void)buf_str(w->out, "]}");
}

int copy_lock(struct copy *c, enum etcd_moved_kind kind, const char *id, const char *peer, bool clear)
{
    struct etcd_moved moved = {.kind = kind};
    struct buf value = BUF_INIT(4096);
    struct etcd_writer w = store_calls_writer(&c->calls);
    bool held = false;

    (void)snprintf(moved.id, sizeof(moved.id), "%s", id);
    (void)snprintf(moved.peer, sizeof(moved.peer), "%s", peer);
    etcd_moved_write(&value, &moved);
    const char *text = buf_cstr(&value);
    int err = text && !value.failed ? 0 : -ENOMEM;

    if (!err) {
        write_lock(&w, c, text, clear);
        err = store_calls_txn(&c->calls, &held);
    }
    buf_free(&value);
    if (err)
        return copy_failed(c, err);
    if (!held)
        return command_failed(
            "etcd: a gateway, or another copy, has begun meanwhile; see `jumpgate cluster`");
    crash_point("store_copy.etcd.locked");
    int code = copy_look(c);

    if (!code && (!c->has_moved || strcmp(c->moved.id, id) != 0))
        code = command_failed("etcd: c/moved was changed by another program");
    return code;
}

/* ---- rows ---- */

/* Every transaction of the copy from here on. */
static void begin_txn(const struct etcd_writer *w, const struct copy *c)
{
    const struct etcd_compare mine = {.kind = ETCD_CREATED, .key = ETCD_MOVED_KEY, .mod = c->epoch};

    (void)buf_char(w->out, '{');
    etcd_write_compares(w, &mine, 1);
    (void)buf_str(w->out, ",\"success\":[");
}

static int end_txn(struct copy *c, const struct etcd_writer *w)
{
    bool held;

    (void)buf_str(w->out, "]}");
    int err = store_calls_txn(&c->calls, &held);

    if (err)
        return copy_failed(c, err);
    return held ? EXIT_DONE : command_failed("etcd: c/moved was changed by another program");
}

static int on_pair(void *arg, const char *key, const struct etcd_kv *kv)
{
    return etcd_pairs_add(arg, key, kv->value.data ? kv->value.data : "");
}

static int read_pairs(struct copy *c, struct etcd_pairs *there)
{
    char from[ETCD_KEY_SIZE], to[ETCD_KEY_SIZE];
    int err = 0;

    for (size_t i = 0; !err && i < NPARTS; i++)
        err = store_calls_range(&c->calls, parts[i][0], parts[i][1], on_pair, there);
    (void)snprintf(from, sizeof(from), "p/%s/", c->etcd->store.node);
    etcd_key_end(to, from);
    if (!err)
        err = store_calls_range(&c->calls, from, to, on_pair, there);
    etcd_pairs_sort(there);
    return err ? copy_failed(c, err) : EXIT_DONE;
}

/* Operations that are sent, many to a transaction. */
struct batch {
    struct copy *copy;
    struct etcd_writer w;
    size_t n;
    int code;
};

static void send_batch(struct batch *b)
{
    if (!b->n || b->code)
        return;
    b->code = end_txn(b->copy, &b->w);
    b->n = 0;
    crash_point("store_copy.etcd.batch");
}

static void add_to_batch(struct batch *b, const struct etcd_op *op)
{
    if (b->n == BATCH_OPS || (b->n && b->w.out->len > BATCH_BYTES))
        send_batch(b);
    if (b->code)
        return;
    if (!b->n) {
        b->w = store_calls_writer(&b->copy->calls);
        begin_txn(&b->w, b->copy);
    } else {
        (void)buf_char(b->w.out, ',');
    }
    etcd_write_ops(&b->w, op, 1);
    b->n++;
}

/* What is there already stays; what is there and should not be is of a copy before that was not completed. */
static int write_difference(struct copy *c, const struct etcd_pairs *wanted, const struct etcd_pairs *there)
{
    struct batch b = {.copy = c};

    for (size_t i = 0; i < there->n; i++)
        if (!etcd_pairs_find(wanted, there->all[i].key) && strncmp(there->all[i].key, "p/", 2) != 0)
            add_to_batch(&b, &(struct etcd_op){.kind = ETCD_DELETE, .key = there->all[i].key});
    for (size_t i = 0; i < wanted->n; i++) {
        const struct etcd_pair *pair = &wanted->all[i], *is = etcd_pairs_find(there, pair->key);

        if (!is || strcmp(is->value, pair->value) != 0)
            add_to_batch(&b, &(struct etcd_op){.kind = ETCD_PUT, .key = pair->key, .value = pair->value});
    }
    send_batch(&b);
    return b.code;
}

static void owner_of(const struct copy *c, char owner[ETCD_OWNER_SIZE])
{
    (void)snprintf(owner, ETCD_OWNER_SIZE, "%s@%" PRId64, c->etcd->store.node, c->epoch);
}

int copy_write_rows(struct copy *c)
{
    struct etcd_pairs wanted = {.n = 0}, there = {.n = 0};
    char owner[ETCD_OWNER_SIZE];
    const char *twice = "";
    int code = EXIT_DONE;

    owner_of(c, owner);
    int err = etcd_pairs_of(&wanted, &c->rows, owner, c->etcd->store.node, &twice);

    if (err) {
        fprintf(stderr, "jumpgate: the rows of %s: %s%s\n", c->file_name,
                err == -EEXIST
                    ? "two of them are of one vault request; start the gateway once more, and stop it: "
                    : strerror(-err),
                err == -EEXIST ? twice : "");
        code = EXIT_FAILED;
    }
    if (!code)
        code = read_pairs(c, &there);
    if (!code)
        code = write_difference(c, &wanted, &there);
    etcd_pairs_free(&wanted);
    etcd_pairs_free(&there);
    crash_point("store_copy.etcd.written");
    return code;
}

int copy_verify(struct copy *c)
{
    struct move_rows there = {.nrequests = 0};
    char digest[MOVE_DIGEST_SIZE] = "";
    size_t odd = 0;
    int code = EXIT_DONE, err = store_calls_rows(&c->calls, &move_reader, &there);

    if (err)
        code = copy_failed(c, err);
    else
        move_rows_end(&there, &odd);
    if (!code && move_rows_digest(&there, digest))
        code = command_failed("out of memory");
    if (!code && (odd || there.nrequests != c->rows.nrequests || there.nleases != c->rows.nleases ||
                  strcmp(digest, c->digest) != 0))
        code = command_failed(
            "what was read back from etcd is not what was written: the copy is not complete, and "
            "its source is as it was");
    move_rows_free(&there);
    return code;
}

/* ---- the end ---- */

int copy_release(struct copy *c)
{
    char dead[ETCD_KEY_SIZE], next[ETCD_OWNER_SIZE];
    struct buf value = BUF_INIT(4096);
    struct etcd_writer w = store_calls_writer(&c->calls);

    etcd_dead_key(dead, sizeof(dead), c->etcd->store.node, c->epoch);
    (void)snprintf(next, sizeof(next), "%s@0", c->etcd->store.node);
    etcd_dead_value(&value, next, "", "");
    const char *text = buf_cstr(&value);
    const struct etcd_op ops[] = {{.kind = ETCD_DELETE, .key = ETCD_MOVED_KEY},
                                  {.kind = ETCD_PUT, .key = dead, .value = text ? text : ""}};

    begin_txn(&w, c);
    etcd_write_ops(&w, ops, sizeof(ops) / sizeof(*ops));
    int code = text && !value.failed ? end_txn(c, &w) : command_failed("out of memory");

    buf_free(&value);
    crash_point("store_copy.etcd.released");
    return code;
}

int copy_set_gone(struct copy *c)
{
    struct buf value = BUF_INIT(4096);
    struct etcd_writer w = store_calls_writer(&c->calls);

    c->moved.kind = ETCD_MOVED_GONE;
    etcd_moved_write(&value, &c->moved);
    const char *text = buf_cstr(&value);
    const struct etcd_op put = {.kind = ETCD_PUT, .key = ETCD_MOVED_KEY, .value = text ? text : ""};

    begin_txn(&w, c);
    etcd_write_ops(&w, &put, 1);
    int code = text && !value.failed ? end_txn(c, &w) : command_failed("out of memory");

    buf_free(&value);
    crash_point("store_copy.etcd.gone");
    return code;
}
