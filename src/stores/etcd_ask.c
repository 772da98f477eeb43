/* SPDX-License-Identifier: Apache-2.0 */
/*
 * etcd_ask.c - see etcd_ask.h.
 *
 * A question is up to three reads, of which the next one needs keys that the one before has found:
 *
 *   confirm   s, r
 *   session   s/S/ i/S/             -> r of each s
 *   lsid      e/LSID/ -> s, i       -> r of each s
 *   request   r, h/VAULT/R/
 *   mark      i/, which has the check-outs in flight alone
 *   list      a page of r/, i/ or w/ -> h/VAULT/R/ of each r -> s of each h
 *
 * The first read of each has m/SELF before the others.
 */
#include "stores/etcd_ask.h"

#include "base/container_of.h"
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

#define AGAIN_MS 100

/* A row that was found, and where what belongs to it is read next. */
struct finding {
    struct store_found found; /* first */
    char next[ETCD_KEY_SIZE]; /* "" = nothing */
};

struct etcd_asking {
    LIST_ENTRY(etcd_asking) link;
    struct etcd_asker *asker;
    struct store_question *q;
    struct etcd_reads reads;
    struct deadline until, again;
    int (*next)(struct etcd_asking *); /* after the reads: 0 = more reads, 1 = all is found, -errno */
    enum store_answer answer;
    struct finding *last; /* found */
    int64_t epoch;        /* of the gateway that has asked; 0 = it has not joined as yet */
    uint64_t sent_us;
    char cursor[STORE_CURSOR_SIZE]; /* as it was asked */
};

static void begin(struct etcd_asking *);

/* ---- the end ---- */

static void free_found(struct store_found_list *list)
{
    struct store_found *f;

    while ((f = STAILQ_FIRST(list))) {
        STAILQ_REMOVE_HEAD(list, link);
        free(f->request);
        free(f->lease);
        free(f);
    }
}

static void asking_free(struct etcd_asking *a)
{
    timer_stop(a->asker->timers, &a->until);
    timer_stop(a->asker->timers, &a->again);
    etcd_reads_clear(&a->reads);
    LIST_REMOVE(a, link);
    free(a);
}

void etcd_forget(struct store_question *q)
{
    struct etcd_asking *a = q->private;

    if (!a)
        return;
    q->private = NULL;
    asking_free(a);
    free_found(&q->found);
}

static void finish(struct etcd_asking *a, enum store_answer answer)
{
    struct store_question *q = a->q;
    struct store_found *f;

    q->private = NULL;
    asking_free(a);
    if (answer == STORE_NONE || answer == STORE_FENCED)
        free_found(&q->found);
    struct store_found *next = STAILQ_FIRST(&q->found); /* done() may free the question */

    q->done(q, answer);
    while ((f = next)) {
        next = STAILQ_NEXT(f, link);
        free(f->request);
        free(f->lease);
        free(f);
    }
}

void etcd_ask_end_all(struct etcd_asker *asker)
{
    struct etcd_asking *a;

    while ((a = LIST_FIRST(&asker->list)))
        finish(a, STORE_NONE);
}

static void on_until(struct deadline *d)
{
    finish(CONTAINER_OF(d, struct etcd_asking, until), STORE_NONE);
}

static void on_again(struct deadline *d)
{
    begin(CONTAINER_OF(d, struct etcd_asking, again));
}

/* From the beginning: a question changes nothing. */
static void ask_again(struct etcd_asking *a)
{
    etcd_reads_clear(&a->reads);
    free_found(&a->q->found);
    if (a->q->kind == QUESTION_LIST)
        memcpy(a->q->cursor, a->cursor, sizeof a->cursor);
    if (timer_start(a->asker->timers, &a->again, AGAIN_MS, on_again))
        log_error("store_timer", "error=%s", strerror(ENOMEM)); /* its deadline ends it */
}

/* ---- rows ---- */

/* The n-th row of a read. 1 = there is none. One that cannot be read is logged. */
static int row_at(const cJSON *range, int n, bool is_lease, struct etcd_row *row)
{
    struct etcd_kv kv;

    if (!etcd_kv_read(range, n, &kv))
        return 1;
    int err = etcd_row_read(row, is_lease, kv.value.data, kv.value.len);

    if (err == -EUCLEAN)
        log_error("store_row_unreadable", "key=%.*s", (int)kv.key.len, kv.key.data);
    etcd_kv_free(&kv);
    return err;
}

static struct finding *finding_new(struct etcd_asking *a)
{
    struct finding *f = calloc(1, sizeof *f);

    if (f)
        STAILQ_INSERT_TAIL(&a->q->found, &f->found, link);
    a->last = f;
    return f;
}

static int found_request(struct etcd_asking *a, const struct request_row *r, const struct lease_row *l)
{
    struct finding *f = finding_new(a);

    if (!f || etcd_row_show(a->asker->self, r, &f->found.request))
        return -ENOMEM;
    return l && !(f->found.lease = lease_row_copy(l)) ? -ENOMEM : 0;
}

/* Its request is read next. `r` has but what names it. */
static int found_lease(struct etcd_asking *a, const struct etcd_row *row)
{
    struct finding *f = finding_new(a);

    if (!f || !(f->found.lease = lease_row_copy(&row->lease)))
        return -ENOMEM;
    return etcd_request_key(f->next, &row->request);
}

static int set_request(const struct etcd_asking *a, struct store_found *f, const struct etcd_row *row)
{
    struct lease_row lease = *f->lease, *copy;
    int err = etcd_row_show(a->asker->self, &row->request, &f->request);

    lease.request = row->request.mark;
    copy = err ? NULL : lease_row_copy(&lease);
    if (!copy)
        return -ENOMEM;
    free(f->lease);
    f->lease = copy;
    return 0;
}

/* The lease of this hold, if the session has not another one meanwhile. */
static int set_lease(struct store_found *f, const struct etcd_row *row)
{
    struct lease_row lease = row->lease;

    if (strcmp(lease.id, f->lease->id) != 0)
        return 0;
    lease.request = f->request->mark;
    struct lease_row *copy = lease_row_copy(&lease);

    if (!copy)
        return -ENOMEM;
    free(f->lease);
    f->lease = copy;
    return 0;
}

/* ---- reads ---- */

static void on_reads(struct etcd_reads *r, int err)
{
    struct etcd_asking *a = CONTAINER_OF(r, struct etcd_asking, reads);

    a->asker->trip(a->asker->arg, clock_measure_us() - a->sent_us);
    if (!err)
        err = a->next(a);
    if (err == 1)
        finish(a, a->answer);
    else if (err)
        ask_again(a);
}

static struct etcd_reads no_reads(const struct etcd_asking *a)
{
    return (struct etcd_reads){.client = a->asker->client, .prefix = a->asker->prefix, .done = on_reads};
}

/* 0, -errno, or 1: there is nothing to read. */
static int send_reads(struct etcd_asking *a, int (*next)(struct etcd_asking *))
{
    a->next = next;
    a->sent_us = clock_measure_us();
    return a->reads.n ? etcd_reads(&a->reads) : 1;
}

/* What belongs to each finding. */
static int on_filled(struct etcd_asking *a)
{
    struct store_found *f;
    size_t n = 0;
    int err = 0;

    STAILQ_FOREACH(f, &a->q->found, link)
    {
        struct etcd_row row;

        if (!*((struct finding *)f)->next || err < 0)
            continue;
        err = row_at(etcd_reads_at(&a->reads, n++), 0, f->request != NULL, &row);
        if (err)
            continue;
        err = row.is_lease ? set_lease(f, &row) : set_request(a, f, &row);
        etcd_row_free(&row);
    }
    return err < 0 ? err : 1;
}

static int fill(struct etcd_asking *a)
{
    struct store_found *f;
    int err = 0;

    etcd_reads_clear(&a->reads);
    a->reads = no_reads(a);
    STAILQ_FOREACH(f, &a->q->found, link)
    if (*((struct finding *)f)->next && !err)
        err = etcd_reads_add(&a->reads, ((struct finding *)f)->next, NULL, 0);
    return err ? err : send_reads(a, on_filled);
}

/* All rows of a range. */
static int take_rows(struct etcd_asking *a, const cJSON *range, bool is_lease)
{
    struct etcd_row row;
    int err = 0;

    for (int n = 0; !err && (err = row_at(range, n, is_lease, &row)) == 0; n++) {
        err = is_lease ? found_lease(a, &row) : found_request(a, &row.request, NULL);
        etcd_row_free(&row);
    }
    return err == 1 ? 0 : err;
}

static bool is_fenced(struct etcd_asking *a)
{
    struct etcd_kv kv;
    bool is_self = etcd_kv_read(etcd_reads_at(&a->reads, 0), 0, &kv);

    if (is_self)
        etcd_kv_free(&kv);
    if (is_self && kv.created == a->epoch)
        return false;
    a->answer = STORE_FENCED;
    return true;
}

/* ---- confirm ---- */

static int on_confirm(struct etcd_asking *a)
{
    struct etcd_row s, r;

    if (is_fenced(a))
        return 1;
    a->answer = STORE_OVER;
    int err = row_at(etcd_reads_at(&a->reads, 1), 0, true, &s);

    if (err)
        return err;
    err = found_lease(a, &s);
    struct finding *f = (struct finding *)STAILQ_FIRST(&a->q->found);
    bool same = strcmp(s.lease.id, a->q->lease) == 0;

    etcd_row_free(&s);
    if (err || !same)
        return err ? err : fill(a);
    err = row_at(etcd_reads_at(&a->reads, 2), 0, false, &r);
    if (err)
        return err;
    err = set_request(a, &f->found, &r);
    a->answer = r.request.state == REQUEST_HELD ? STORE_OPEN : STORE_OVER;
    etcd_row_free(&r);
    return err ? err : 1;
}

static int begin_confirm(struct etcd_asking *a)
{
    const struct store_question *q = a->q;
    const struct request_row r = {
        .mark = q->mark ? q->mark : "", .vault = q->vault, .user = q->user, .name = q->name};
    char lease[ETCD_KEY_SIZE], request[ETCD_KEY_SIZE];
    int err = etcd_session_key(lease, "s/", &q->who, true);

    if (!err)
        err = etcd_request_key(request, &r);
    if (!err)
        err = etcd_reads_add(&a->reads, lease, NULL, 0);
    if (!err)
        err = etcd_reads_add(&a->reads, request, NULL, 0);
    return err ? err : send_reads(a, on_confirm);
}

/* ---- session, lsid ---- */

static int on_session(struct etcd_asking *a)
{
    if (is_fenced(a))
        return 1;
    int err = take_rows(a, etcd_reads_at(&a->reads, 1), true);

    if (!err)
        err = take_rows(a, etcd_reads_at(&a->reads, 2), false);
    return err ? err : fill(a);
}

static int add_range(struct etcd_asking *a, const char *key)
{
    char to[ETCD_KEY_SIZE];

    etcd_key_end(to, key);
    return etcd_reads_add(&a->reads, key, to, 0);
}

static int begin_session(struct etcd_asking *a)
{
    char leases[ETCD_KEY_SIZE], intents[ETCD_KEY_SIZE];
    int err = etcd_session_key(leases, "s/", &a->q->who, false);

    if (!err)
        err = etcd_session_key(intents, "i/", &a->q->who, false);
    if (!err)
        err = add_range(a, leases);
    if (!err)
        err = add_range(a, intents);
    return err ? err : send_reads(a, on_session);
}

/* Pairs of s/ and i/ that the e/ keys lead to; the session may have another lease by now. */
static int on_lsid_rows(struct etcd_asking *a)
{
    int err = 0;

    for (size_t n = 0; n < a->reads.n && err >= 0; n++) {
        struct etcd_row row;

        err = row_at(etcd_reads_at(&a->reads, n), 0, n % 2 == 0, &row);
        if (err)
            continue;
        const struct holder *h = row.is_lease ? &row.lease.holder : &row.request.asker;

        if (strcmp(h->lsid, a->q->who.lsid) == 0)
            err = row.is_lease ? found_lease(a, &row) : found_request(a, &row.request, NULL);
        etcd_row_free(&row);
    }
    return err < 0 ? err : fill(a);
}

static int add_lsid_rows(struct etcd_reads *more, struct etcd_kv *kv)
{
    char lease[ETCD_KEY_SIZE], intent[ETCD_KEY_SIZE];
    const char *holder = buf_cstr(&kv->value), *key = buf_cstr(&kv->key);
    const char *id = key ? strrchr(key, '/') : NULL;

    if (!holder || !id || snprintf(lease, sizeof lease, "s/%s", holder) >= (int)sizeof lease ||
        snprintf(intent, sizeof intent, "i/%s%s", holder, id) >= (int)sizeof intent)
        return -EUCLEAN;
    int err = etcd_reads_add(more, lease, NULL, 0);

    return err ? err : etcd_reads_add(more, intent, NULL, 0);
}

static int on_lsid(struct etcd_asking *a)
{
    struct etcd_reads more = no_reads(a);
    struct etcd_kv kv;
    int err = 0;

    if (is_fenced(a))
        return 1;
    for (int n = 0; !err && etcd_kv_read(etcd_reads_at(&a->reads, 1), n, &kv); n++) {
        err = add_lsid_rows(&more, &kv);
        etcd_kv_free(&kv);
    }
    if (err) {
        etcd_reads_clear(&more);
        return err;
    }
    etcd_reads_clear(&a->reads);
    a->reads = more;
    return send_reads(a, on_lsid_rows);
}

static int begin_lsid(struct etcd_asking *a)
{
    char key[ETCD_KEY_SIZE];
    int err = etcd_lsid_key(key, a->q->who.lsid);

    if (!err)
        err = add_range(a, key);
    return err ? err : send_reads(a, on_lsid);
}

/* ---- request ---- */

/* One finding for each h/ of the request, of whose lease the id is known; `with_leases`: the rest is read
 * next. */
static int take_holders(struct etcd_asking *a, const struct request_row *r, const cJSON *holds,
                        bool with_leases)
{
    struct etcd_kv kv;
    int err = 0, n = 0;

    for (; !err && etcd_kv_read(holds, n, &kv); n++) {
        const char *key = buf_cstr(&kv.key), *holder = buf_cstr(&kv.value);
        const char *at = key ? strrchr(key, '/') : NULL;
        const struct lease_row lease = {.request = r->mark, .id = at ? at + 1 : ""};

        err = at && holder ? found_request(a, r, &lease) : -ENOMEM;
        if (!err && with_leases)
            (void)snprintf(a->last->next, sizeof a->last->next, "s/%.300s", holder);
        etcd_kv_free(&kv);
    }
    return err || n ? err : found_request(a, r, NULL);
}

static int on_request(struct etcd_asking *a)
{
    struct etcd_row row;

    if (is_fenced(a))
        return 1;
    int err = row_at(etcd_reads_at(&a->reads, 1), 0, false, &row);

    if (err)
        return err;
    err = take_holders(a, &row.request, etcd_reads_at(&a->reads, 2), false);
    etcd_row_free(&row);
    return err ? err : 1;
}

static int begin_request(struct etcd_asking *a)
{
    const struct store_question *q = a->q;
    const struct request_row r = {
        .mark = q->mark ? q->mark : "", .vault = q->vault, .user = q->user, .name = q->name};
    char request[ETCD_KEY_SIZE], holds[ETCD_KEY_SIZE];
    int err = etcd_request_key(request, &r);

    if (!err)
        err = etcd_holds_key(holds, &r);
    if (!err)
        err = etcd_reads_add(&a->reads, request, NULL, 0);
    if (!err)
        err = add_range(a, holds);
    return err ? err : send_reads(a, on_request);
}

/* ---- mark ---- */

static int on_mark(struct etcd_asking *a)
{
    struct etcd_row row;
    int err = 0;

    if (is_fenced(a))
        return 1;
    for (int n = 0; !err && (err = row_at(etcd_reads_at(&a->reads, 1), n, false, &row)) == 0; n++) {
        if (strcmp(row.request.mark, a->q->mark) == 0)
            err = found_request(a, &row.request, NULL);
        etcd_row_free(&row);
    }
    return err < 0 ? err : 1;
}

static int begin_mark(struct etcd_asking *a)
{
    int err = add_range(a, "i/");

    return err ? err : send_reads(a, on_mark);
}

/* ---- list ---- */

static const char *const parts[] = {"r/", "i/", "w/"};
enum { NPARTS = 3 };

static size_t part_of(const char *cursor)
{
    size_t i = 0;

    while (i < NPARTS && strncmp(cursor, parts[i], 2) != 0)
        i++;
    return i;
}

/* The requests of the page become one finding for each of their leases. */
static int on_holds(struct etcd_asking *a)
{
    struct store_found_list page = STAILQ_HEAD_INITIALIZER(page);
    struct store_found *f;
    size_t n = 0;
    int err = 0;

    STAILQ_CONCAT(&page, &a->q->found);
    while ((f = STAILQ_FIRST(&page)) && !err) {
        const cJSON *holds = *((struct finding *)f)->next ? etcd_reads_at(&a->reads, n++) : NULL;

        STAILQ_REMOVE_HEAD(&page, link);
        err = take_holders(a, f->request, holds, true);
        free(f->request);
        free(f);
    }
    free_found(&page);
    return err ? err : fill(a);
}

/* Where the next page begins. */
static int set_cursor(struct etcd_asking *a, struct etcd_kv *kv)
{
    size_t skip = strlen(a->asker->prefix);
    const char *key = buf_cstr(&kv->key);

    if (!key || kv->key.len < skip ||
        snprintf(a->q->cursor, STORE_CURSOR_SIZE, "%s", key + skip) >= STORE_CURSOR_SIZE)
        return -EUCLEAN;
    return 0;
}

static bool is_of_node(const struct request_row *r, const char *node)
{
    size_t n = strlen(node);

    return !n || (strncmp(r->owner, node, n) == 0 && r->owner[n] == '@');
}

static int take_list_row(struct etcd_asking *a, struct etcd_kv *kv)
{
    struct etcd_row row;
    int err = etcd_row_read(&row, false, kv->value.data, kv->value.len);

    if (err)
        return err == -EUCLEAN ? 0 : err;
    if (is_of_node(&row.request, a->q->node ? a->q->node : "")) {
        err = found_request(a, &row.request, NULL);
        if (!err && (row.request.state == REQUEST_HELD || row.request.state == REQUEST_RETURNING))
            err = etcd_holds_key(a->last->next, &row.request);
    }
    etcd_row_free(&row);
    return err;
}

static int on_list_page(struct etcd_asking *a)
{
    size_t part = part_of(a->q->cursor);
    struct etcd_kv kv;
    struct store_found *f;
    int err = 0;
    unsigned n = 0;

    if (is_fenced(a))
        return 1;
    (void)snprintf(a->q->cursor, STORE_CURSOR_SIZE, "%s", part + 1 < NPARTS ? parts[part + 1] : "");
    for (; !err && n <= a->q->limit && etcd_kv_read(etcd_reads_at(&a->reads, 1), (int)n, &kv); n++) {
        err = n == a->q->limit ? set_cursor(a, &kv) : take_list_row(a, &kv);
        etcd_kv_free(&kv);
    }
    etcd_reads_clear(&a->reads);
    a->reads = no_reads(a);
    STAILQ_FOREACH(f, &a->q->found, link)
    if (*((struct finding *)f)->next && !err)
        err = add_range(a, ((struct finding *)f)->next);
    return err ? err : send_reads(a, on_holds);
}

static int begin_list(struct etcd_asking *a)
{
    char to[ETCD_KEY_SIZE];

    if (!*a->q->cursor)
        (void)snprintf(a->q->cursor, sizeof a->q->cursor, "%s", parts[0]);
    etcd_key_end(to, parts[part_of(a->q->cursor)]);
    int err = etcd_reads_add(&a->reads, a->q->cursor, to, a->q->limit + 1);

    return err ? err : send_reads(a, on_list_page);
}

/* ---- begin ---- */

static int begin_reads(struct etcd_asking *a)
{
    static int (*const begins[])(struct etcd_asking *) = {
        [QUESTION_CONFIRM] = begin_confirm, [QUESTION_SESSION] = begin_session, [QUESTION_LSID] = begin_lsid,
        [QUESTION_REQUEST] = begin_request, [QUESTION_MARK] = begin_mark,       [QUESTION_LIST] = begin_list};
    char self[ETCD_KEY_SIZE];

    etcd_self_key(self, a->asker->self->node);
    a->reads = no_reads(a);
    a->answer = STORE_OPEN;
    a->q->sent_ms = clock_now(a->asker->clock);
    int err = etcd_reads_add(&a->reads, self, NULL, 0);

    return err ? err : begins[a->q->kind](a);
}

static void begin(struct etcd_asking *a)
{
    int64_t epoch = *a->asker->epoch;

    if (a->epoch && epoch && a->epoch != epoch) {
        finish(a, STORE_FENCED);
        return;
    }
    if (!a->epoch)
        a->epoch = epoch;
    if (!epoch || begin_reads(a))
        ask_again(a);
}

int etcd_ask(struct etcd_asker *asker, struct store_question *q)
{
    uint64_t now_ms = clock_now(timers_clock(asker->timers));
    struct etcd_asking *a = calloc(1, sizeof *a);

    STAILQ_INIT(&q->found);
    q->private = NULL;
    if (!a)
        return -ENOMEM;
    a->asker = asker;
    a->q = q;
    a->reads = no_reads(a);
    LIST_INSERT_HEAD(&asker->list, a, link);
    int err = q->kind == QUESTION_LIST &&
                      (!q->limit || q->limit > STORE_LIST_MAX || (*q->cursor && part_of(q->cursor) == NPARTS))
                  ? -EINVAL
                  : timer_start(asker->timers, &a->until, q->until_ms > now_ms ? q->until_ms - now_ms : 0,
                                on_until);

    if (err) {
        asking_free(a);
        return err;
    }
    q->private = a;
    if (q->kind == QUESTION_LIST)
        memcpy(a->cursor, q->cursor, sizeof a->cursor);
    begin(a);
    return 0;
}
