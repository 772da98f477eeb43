/* SPDX-License-Identifier: Apache-2.0 */
/*
 * etcd_adopt.c - see etcd_adopt.h.
 *
 * One page at a time is worked off, its transactions at once.
 */
#include "stores/etcd_adopt_parts.h"

#include "base/container_of.h"
#include "base/crash_point.h"
#include "base/json.h"
#include "base/log.h"
#include "stores/etcd_flight.h"
#include "stores/etcd_reads.h"
#include "stores/store_rows.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE       500
#define BATCH_SIZE (512u << 10) /* of the body, from where on it takes no further row: etcd takes 1.5 MB */
#define BODY_MAX   (2u << 20)
#define NEXT_MAX   (1u << 20) /* also of a key that no gateway has written */
#define AGAIN_MS   250

enum { NPARTS = 2 };
static const char *const parts[NPARTS] = {"i/", "r/"};

static void go(struct etcd_adoption *);

/* ---- the end ---- */

static void batch_free(struct batch *b)
{
    timer_stop(b->a->by->timers, &b->again);
    etcd_cancel(&b->call);
    buf_free(&b->call.body);
    etcd_reads_clear(&b->leases);
    for (size_t i = 0; i < b->n; i++) {
        free(b->rows[i].key);
        free(b->rows[i].value);
    }
    LIST_REMOVE(b, link);
    free(b);
}

void etcd_adopt_cancel(struct etcd_adoption *a)
{
    struct etcd_adoption_work *w = a->work;
    struct batch *b;

    while ((b = LIST_FIRST(&w->batches)))
        batch_free(b);
    timer_stop(a->by->timers, &w->again);
    etcd_cancel(&w->call);
    etcd_reads_clear(&w->holds);
    cJSON_Delete(w->ends);
    buf_free(&w->call.body);
    buf_free(&w->next);
    free(w);
    free(a);
}

static void end(struct etcd_adoption *a, bool done)
{
    a->by->ended(a->by->arg, a, done);
    etcd_adopt_cancel(a);
}

static void on_again(struct deadline *d)
{
    struct etcd_adoption_work *w = CONTAINER_OF(d, struct etcd_adoption_work, again);

    go(w->call.user);
}

static void try_later(struct etcd_adoption *a)
{
    if (timer_start(a->by->timers, &a->work->again, AGAIN_MS, on_again))
        end(a, false); /* the next beat begins it again */
}

/* ---- transactions that a dead gateway cannot make ---- */

static void write_guard(const struct etcd_adopter *by, const struct etcd_writer *w, const char *key,
                        int64_t mod)
{
    char self[ETCD_KEY_SIZE];
    const struct etcd_compare compares[] = {{.kind = ETCD_CREATED, .key = self, .mod = by->epoch},
                                            {.kind = ETCD_MOD, .key = key, .mod = mod}};

    etcd_self_key(self, by->self->node);
    buf_char(w->out, '{');
    etcd_write_compares(w, compares, key ? 2 : 1);
    buf_str(w->out, ",\"success\":[");
}

/* `failed`: memory was short for a value. */
static void send_own(struct etcd_adoption *a, const char *compared, const struct etcd_op *ops, size_t n,
                     bool failed)
{
    struct etcd_adoption_work *work = a->work;
    const struct etcd_writer w = {&work->call.body, a->by->prefix};

    buf_clear(&work->call.body);
    write_guard(a->by, &w, compared, work->mod);
    etcd_write_ops(&w, ops, n);
    w.out->failed |= failed;
    buf_str(w.out, "]}");
    work->call.path = "/v3/kv/txn";
    work->call.then = (int)n;
    if (work->call.body.failed || etcd_call(a->by->client, &work->call))
        try_later(a);
}

static void send_own_state(struct etcd_adoption *a)
{
    char member[ETCD_KEY_SIZE], dead[ETCD_KEY_SIZE], hints[ETCD_KEY_SIZE], hints_end[ETCD_KEY_SIZE];
    struct buf value = BUF_INIT(ETCD_DEAD_VALUE_SIZE), more = BUF_INIT(ETCD_DEAD_VALUE_SIZE);

    etcd_adopt_write_more(a, &more);
    etcd_self_key(member, a->node);
    etcd_dead_key(dead, sizeof dead, a->node, a->epoch);
    (void)snprintf(hints, sizeof hints, "n/%s/", a->node);
    etcd_key_end(hints_end, hints);
    etcd_dead_value(&value, a->work->state == ADOPT_LEAVES ? "" : a->by->self->owner, a->work->lack,
                    more.len ? buf_cstr(&more) : "");
    value.failed |= more.failed;
    buf_free(&more);
    const char *text = buf_cstr(&value);
    const struct etcd_op put = {.kind = ETCD_PUT, .key = dead, .value = text ? text : ""};
    const struct etcd_op fence[] = {
        put, {.kind = ETCD_DELETE, .key = member}, {.kind = ETCD_DELETE, .key = hints, .to = hints_end}};
    const struct etcd_op drop = {.kind = ETCD_DELETE, .key = dead};

    switch (a->work->state) {
    case ADOPT_FENCES: send_own(a, member, fence, 3, value.failed); break;
    case ADOPT_TAKES: send_own(a, dead, &put, 1, value.failed); break;
    case ADOPT_LEAVES: send_own(a, NULL, &put, 1, value.failed); break;
    default: send_own(a, NULL, &drop, 1, false); break;
    }
    buf_free(&value);
}

/* ---- rows that were written, and their leases ---- */

static void next_page(struct etcd_adoption *);

static void finish_batch(struct batch *b)
{
    struct etcd_adoption *a = b->a;

    batch_free(b);
    if (LIST_EMPTY(&a->work->batches))
        next_page(a);
}

/* The leases of one row that were read, into the list; they are to be freed. False = out of memory. */
static bool take_leases(const struct batch *b, const struct batch_row *row, const char *mark,
                        struct lease_row **leases, size_t *n)
{
    bool all = true;

    *n = 0;
    for (size_t i = 0; i < row->nleases && all; i++) {
        struct etcd_kv kv;
        struct etcd_row lease;

        if (!etcd_kv_read(etcd_reads_at(&b->leases, row->first + i), 0, &kv))
            continue;
        int err = etcd_kept_read(b->a->by->self->kept, &lease, true, &kv);

        if (!err) {
            lease.lease.request = mark;
            leases[*n] = lease_row_copy(&lease.lease);
            all = leases[*n] != NULL;
            *n += all;
            etcd_row_free(&lease);
        }
        all = all && err != -ENOMEM;
    }
    return all;
}

/* 0, -EUCLEAN or -ENOMEM. */
static int give_row(struct batch *b, const struct batch_row *row)
{
    struct etcd_adoption *a = b->a;
    struct etcd_row read;
    struct lease_row **leases = calloc(row->nleases + 1, sizeof *leases);
    int err = leases ? etcd_row_read(&read, false, row->value, row->len) : -ENOMEM;
    size_t n = 0;

    if (err) {
        free(leases);
        return err;
    }
    read.request.mine = true;
    a->rows++;
    if (take_leases(b, row, read.request.mark, leases, &n))
        a->by->adopt(a->by->arg, a->work->owner, &read.request, (const struct lease_row *const *)leases, n);
    else
        err = -ENOMEM;
    for (size_t i = 0; i < n; i++)
        free(leases[i]);
    free(leases);
    etcd_row_free(&read);
    return err;
}

/* `missed`: some of them, or their leases, could not be read. */
static void give_rows(struct batch *b, bool missed)
{
    const struct etcd_adopter *by = b->a->by;

    for (size_t i = 0; i < b->n; i++)
        if (b->rows[i].is_ours && !missed)
            missed = give_row(b, &b->rows[i]) == -ENOMEM;
    finish_batch(b);
    if (missed)
        by->missed(by->arg);
}

static void send_batch(struct deadline *);

/* The leases, or the answer, could not be read. The rows are written: the same transaction once more finds
 * them so. */
static void send_again(struct batch *b)
{
    etcd_reads_clear(&b->leases);
    if (timer_start(b->a->by->timers, &b->again, AGAIN_MS, send_batch))
        give_rows(b, true);
}

static void on_leases(struct etcd_reads *r, int err)
{
    struct batch *b = CONTAINER_OF(r, struct batch, leases);

    if (err)
        send_again(b);
    else
        give_rows(b, false);
}

/* The holds of a row that were read with it. */
static int add_leases(struct batch *b, struct batch_row *row, const cJSON *holds)
{
    struct etcd_kv kv;
    int err = 0;

    row->first = b->leases.n;
    for (int i = 0; !err && etcd_kv_read(holds, i, &kv); i++) {
        char key[ETCD_KEY_SIZE];
        enum lease_answers answers;

        if (etcd_held_lease_key(key, &kv.value, &answers))
            err = etcd_reads_add(&b->leases, key, NULL, 0);
    }
    row->nleases = b->leases.n - row->first;
    return err;
}

/* Written by this transaction, or by the same one whose answer was lost. */
static bool is_written(const struct batch_row *row, const cJSON *answer)
{
    struct etcd_kv kv;

    if (cJSON_IsTrue(json_get(answer, "succeeded")))
        return true;
    if (!etcd_kv_read(etcd_response(answer, 0), 0, &kv))
        return false;
    bool same = kv.value.len == row->len && memcmp(kv.value.data, row->value, row->len) == 0;

    return same;
}

/* Has the row's part of the transaction its put or its read, and the holds, if it reads them? */
static bool has_answers(const struct batch_row *row, const cJSON *answer)
{
    bool put = cJSON_IsTrue(json_get(answer, "succeeded"));

    return etcd_responses(answer) == (row->is_held ? 2 : 1) &&
           etcd_is_range(etcd_response(answer, 0)) == !put &&
           (!row->is_held || etcd_is_range(etcd_response(answer, 1)));
}

static int read_written(struct batch *b, const cJSON *answer)
{
    int err = 0;

    for (size_t i = 0; i < b->n; i++)
        if (!has_answers(&b->rows[i], etcd_response(answer, (int)i)))
            return -EPROTO;
    for (size_t i = 0; i < b->n; i++) {
        const cJSON *own = etcd_response(answer, (int)i);

        b->rows[i].is_ours = is_written(&b->rows[i], own);
        b->a->work->must_rescan |= !b->rows[i].is_ours;
        if (b->rows[i].is_ours && b->rows[i].is_held && !err)
            err = add_leases(b, &b->rows[i], etcd_response(own, 1));
    }
    return err;
}

/* Rows may have been written. */
static void give_up(struct etcd_adoption *a)
{
    const struct etcd_adopter *by = a->by;

    end(a, false);
    by->missed(by->arg);
}

static void send_batch(struct deadline *d)
{
    struct batch *b = CONTAINER_OF(d, struct batch, again);

    if (etcd_call(b->a->by->client, &b->call) &&
        timer_start(b->a->by->timers, &b->again, AGAIN_MS, send_batch))
        give_up(b->a);
}

static void on_batch(struct etcd_call *call)
{
    struct batch *b = CONTAINER_OF(call, struct batch, call);
    struct etcd_adoption *a = b->a;

    crash_point("etcd.adopt.answered");
    if (call->err) {
        if (timer_start(a->by->timers, &b->again, AGAIN_MS, send_batch))
            give_up(a);
        return;
    }
    if (!cJSON_IsTrue(json_get(call->answer, "succeeded"))) {
        end(a, false); /* this gateway is not what it was */
        return;
    }
    int err = read_written(b, call->answer);

    if (!err && b->leases.n)
        err = etcd_reads(&b->leases);
    else if (!err)
        err = 1;
    if (err == 1)
        give_rows(b, false);
    else if (err)
        send_again(b);
}

/* ---- writing rows ---- */

static void write_row(const struct etcd_writer *w, const struct batch_row *row, const char *holds,
                      const char *holds_end)
{
    const struct etcd_compare as_read = {.kind = ETCD_MOD, .key = row->key, .mod = row->mod};
    const struct etcd_op put = {.kind = ETCD_PUT, .key = row->key, .value = row->value};
    const struct etcd_op get = {.kind = ETCD_GET, .key = row->key};
    const struct etcd_op get_holds = {.kind = ETCD_GET, .key = holds, .to = holds_end};
    const struct etcd_op success[] = {put, get_holds}, failure[] = {get, get_holds};
    size_t n = row->is_held ? 2 : 1;

    buf_str(w->out, "{\"requestTxn\":{");
    etcd_write_compares(w, &as_read, 1);
    buf_str(w->out, ",\"success\":[");
    etcd_write_ops(w, success, n);
    buf_str(w->out, "],\"failure\":[");
    etcd_write_ops(w, failure, n);
    buf_str(w->out, "]}}");
}

/* The row's value with this gateway as its owner. Where that is more than another owner in the text, it is
 * written as this version writes it: no gateway has written it so, and no step would find its mark. */
static int reown(const struct etcd_adoption *a, const struct etcd_kv *kv, const struct request_row *r,
                 struct buf *value)
{
    const char *owner = a->by->self->owner;

    if (!etcd_value_reown(value, kv->value.data, kv->value.len, a->work->owner, owner)) {
        buf_free(value);
        *value = BUF_INIT(ETCD_VALUE_SIZE);
        etcd_request_value(value, r, owner, etcd_kept_members(a->by->self->kept, KEPT_REQUEST, r->mark));
    }
    return value->failed || !buf_cstr(value) ? -ENOMEM : 0;
}

/* Appends the row's part of the batch's transaction. */
static int add_row(struct batch *b, const char *key, const char *holds, const struct etcd_kv *kv,
                   const struct request_row *r)
{
    const struct etcd_writer w = {&b->call.body, b->a->by->prefix};
    struct batch_row *row = &b->rows[b->n];
    struct buf value = BUF_INIT(ETCD_VALUE_SIZE);
    char holds_end[ETCD_KEY_SIZE];

    if (reown(b->a, kv, r, &value)) {
        buf_free(&value);
        return -ENOMEM;
    }
    etcd_key_end(holds_end, holds);
    *row =
        (struct batch_row){.key = strdup(key), .value = strdup(value.data), .len = value.len, .mod = kv->mod};
    row->is_held = r->state == REQUEST_HELD || r->state == REQUEST_RETURNING;
    buf_free(&value);
    if (!row->key || !row->value) {
        free(row->key);
        free(row->value);
        return -ENOMEM;
    }
    if (b->n++)
        buf_char(w.out, ',');
    write_row(&w, row, holds, holds_end);
    return w.out->failed ? -ENOMEM : 0;
}

static struct batch *batch_new(struct etcd_adoption *a)
{
    struct batch *b = calloc(1, sizeof *b);

    if (!b)
        return NULL;
    b->a = a;
    b->call = (struct etcd_call){.path = "/v3/kv/txn", .body = BUF_INIT(BODY_MAX), .done = on_batch};
    b->leases = (struct etcd_reads){.client = a->by->client, .prefix = a->by->prefix, .done = on_leases};
    LIST_INSERT_HEAD(&a->work->batches, b, link);
    const struct etcd_writer w = {&b->call.body, a->by->prefix};

    write_guard(a->by, &w, NULL, 0);
    return b;
}

static int close_batch(struct batch *b)
{
    buf_str(&b->call.body, "]}");
    b->call.then = (int)b->n;
    return b->call.body.failed                                       ? -ENOMEM
           : timer_start(b->a->by->timers, &b->again, 0, send_batch) ? -ENOMEM
                                                                     : 0;
}

/* ---- pages ---- */

/* A row that is another's, or of a vault that this gateway lacks, stays. */
static int on_row(struct etcd_adoption *a, const char *key, const struct etcd_kv *kv, struct batch **batch)
{
    char holds[ETCD_KEY_SIZE];
    struct etcd_row row;
    int err = etcd_kept_read(a->by->self->kept, &row, false, kv);

    if (!err && etcd_holds_key(holds, &row.request)) { /* what it names fits no key */
        etcd_row_free(&row);
        etcd_kept_unreadable(a->by->self->kept, kv);
        err = -EUCLEAN;
    }
    if (err == -EUCLEAN)
        return 0;
    if (err)
        return err;
    bool is_its = strcmp(row.request.owner, a->work->owner) == 0;

    if (is_its && a->by->has_vault && !a->by->has_vault(a->by->arg, row.request.vault)) {
        a->work->must_leave = true;
        is_its = false;
    }
    if (is_its && !*batch && !(*batch = batch_new(a)))
        err = -ENOMEM;
    if (is_its && !err)
        err = add_row(*batch, key, holds, kv, &row.request);
    if (!err && *batch && ((*batch)->n == BATCH_ROWS || (*batch)->call.body.len > BATCH_SIZE)) {
        err = close_batch(*batch);
        *batch = NULL;
    }
    etcd_row_free(&row);
    return err;
}

static int take_page(struct etcd_adoption *a, const cJSON *answer, int *n)
{
    struct etcd_adoption_work *w = a->work;
    size_t skip = strlen(a->by->prefix);
    struct batch *batch = NULL;
    struct etcd_kv kv;
    int err = 0;

    for (*n = 0; !err && etcd_kv_read(answer, *n, &kv); ++*n) {
        buf_clear(&w->next);
        err = buf_append(&w->next, kv.key.data + skip, kv.key.len > skip ? kv.key.len - skip : 0);
        const char *key = err ? NULL : buf_cstr(&w->next);

        err = key ? on_row(a, key, &kv, &batch) : -ENOMEM;
    }
    if (!err && batch)
        err = close_batch(batch);
    return err;
}

static void read_page(struct etcd_adoption *a)
{
    struct etcd_adoption_work *w = a->work;
    const struct etcd_writer writer = {&w->call.body, a->by->prefix};
    const char *from = parts[w->part];
    char to[ETCD_KEY_SIZE];

    etcd_key_end(to, from);
    buf_clear(&w->call.body);
    etcd_write_range(&writer, w->next.len ? w->next.data : from, w->next.len ? w->next.len : strlen(from), to,
                     w->page);
    w->call.path = "/v3/kv/range";
    if (w->call.body.failed || etcd_call(a->by->client, &w->call))
        try_later(a);
}

static void finish_scan(struct etcd_adoption *a)
{
    struct etcd_adoption_work *w = a->work;

    if (!etcd_adopt_is_recorded(a)) { /* looks once more */
        w->part = NPARTS;
        try_later(a);
        return;
    }
    w->part = 0;
    if (w->must_rescan) {
        w->must_rescan = w->must_leave = false;
        read_page(a);
    } else if (w->must_leave) {
        log_warn("store_adopt", "node=%s hint=%s", a->node,
                 "rows of vaults that this gateway does not have stay for one that has them");
        size_t n = strlen(w->lack);

        (void)snprintf(w->lack + n, sizeof w->lack - n, "%s ", a->by->self->owner);
        w->state = ADOPT_LEAVES;
        send_own_state(a);
    } else {
        w->state = ADOPT_ENDS;
        send_own_state(a);
    }
}

static void next_page(struct etcd_adoption *a)
{
    struct etcd_adoption_work *w = a->work;

    if (w->last_page) {
        w->part++;
        buf_clear(&w->next);
    }
    if (w->part == NPARTS)
        finish_scan(a);
    else
        read_page(a);
}

static void on_page(struct etcd_adoption *a)
{
    struct etcd_adoption_work *w = a->work;
    int n, err = take_page(a, w->call.answer, &n);

    w->last_page = n < (int)w->page;
    if (!err && !w->last_page)
        err = buf_char(&w->next, '\0'); /* the least key after the last one */
    if (err)
        end(a, false);
    else if (LIST_EMPTY(&w->batches))
        next_page(a);
}

/* ---- states ---- */

static void begin_scan(struct etcd_adoption *a, int err)
{
    a->work->state = err ? ADOPT_CHECKS : ADOPT_SCANS;
    if (err)
        try_later(a);
    else
        read_page(a);
}

/* Which of the ends that it has named have happened; then its rows. */
static void check_ends(struct etcd_adoption *a)
{
    int err = etcd_adopt_check_ends(a);

    if (err)
        begin_scan(a, err < 0 ? err : 0);
}

static void go_on(struct etcd_adoption *a)
{
    log_warn("cluster_adopts", "node=%s epoch=%" PRId64, a->node, a->epoch);
    a->work->state = ADOPT_CHECKS;
    check_ends(a);
}

static void on_looked(struct etcd_adoption *a)
{
    int err = etcd_adopt_read_look(a);

    if (err == -ENOMEM)
        try_later(a);
    else if (err)
        end(a, false); /* it lives, or another was quicker */
    else if ((a->work->state = a->work->then) == ADOPT_SCANS)
        go_on(a);
    else
        send_own_state(a);
}

static void on_call(struct etcd_call *call)
{
    struct etcd_adoption *a = call->user;
    struct etcd_adoption_work *w = a->work;
    bool held = cJSON_IsTrue(json_get(call->answer, "succeeded"));

    if (call->err == -EMSGSIZE && w->state == ADOPT_SCANS && w->page > 1) {
        w->page /= 2;
        read_page(a);
    } else if (call->err && w->state >= ADOPT_SCANS) {
        try_later(a);
    } else if (call->err) {
        end(a, false); /* the next beat tells what has become of it */
    } else if (w->state == ADOPT_LOOKS) {
        on_looked(a);
    } else if (w->state == ADOPT_SCANS) {
        on_page(a);
    } else if (w->state > ADOPT_SCANS) {
        end(a, held && w->state == ADOPT_ENDS);
    } else if (!held) {
        end(a, false);
    } else {
        go_on(a);
    }
}

static void go(struct etcd_adoption *a)
{
    switch (a->work->state) {
    case ADOPT_LOOKS:
        if (etcd_adopt_look(a))
            try_later(a);
        break;
    case ADOPT_CHECKS: check_ends(a); break;
    case ADOPT_SCANS:
        if (a->work->part == NPARTS)
            finish_scan(a);
        else
            read_page(a);
        break;
    default: send_own_state(a);
    }
}

/* `then`: the first state after the look. */
static struct etcd_adoption *adoption_new(const struct etcd_adopter *by, enum adopt_state then,
                                          const char *node, int64_t epoch, int64_t mod)
{
    struct etcd_adoption *a = calloc(1, sizeof *a);
    struct etcd_adoption_work *w = a ? calloc(1, sizeof *w) : NULL;

    if (!w) {
        free(a);
        return NULL;
    }
    *w = (struct etcd_adoption_work){.state = ADOPT_LOOKS,
                                     .then = then,
                                     .checked = begin_scan,
                                     .mod = mod,
                                     .page = PAGE,
                                     .next = BUF_INIT(NEXT_MAX)};
    w->call = (struct etcd_call){.body = BUF_INIT(BODY_MAX), .done = on_call, .user = a};
    a->by = by;
    a->work = w;
    a->epoch = epoch;
    (void)snprintf(a->node, sizeof a->node, "%s", node);
    (void)snprintf(w->owner, sizeof w->owner, "%s@%" PRId64, node, epoch);
    if (timer_start(by->timers, &w->again, 0, on_again)) {
        etcd_adopt_cancel(a);
        return NULL;
    }
    return a;
}

struct etcd_adoption *etcd_adopt_member(const struct etcd_adopter *by, const struct etcd_member *m)
{
    return adoption_new(by, ADOPT_FENCES, m->node, m->epoch, m->mod);
}

struct etcd_adoption *etcd_adopt_dead(const struct etcd_adopter *by, const struct etcd_dead *d, bool mine)
{
    struct etcd_adoption *a = adoption_new(by, mine ? ADOPT_SCANS : ADOPT_TAKES, d->node, d->epoch, d->mod);

    if (a)
        (void)snprintf(a->work->lack, sizeof a->work->lack, "%s", d->lack);
    return a;
}
