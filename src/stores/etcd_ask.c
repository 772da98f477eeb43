/* SPDX-License-Identifier: Apache-2.0 */
/*
 * etcd_ask.c - see etcd_ask.h.
 *
 * A question is up to three reads, of which the next one needs keys that the one before has found:
 *
 *   confirm   s, r
 *   session   s/S/ i/S/, r expected -> r of each other s
 *   lsid      e/LSID/ -> s, i       -> r of each s
 *   request   r, h/VAULT/R/
 *   waiting   w/U/C         -> r
 *   mark      i/, which has the check-outs in flight alone, page by page until the mark is found
 *   moment    nothing more
 *   list      a page of r/ or i/ -> h/VAULT/R/ of each r -> s of each h
 *
 * The first read of each has m/SELF before the others, and so has each page of `mark`.
 *
 * Not here: list (etcd_ask_list.c).
 */
#include "stores/etcd_ask.h"

#include "base/container_of.h"
#include "base/json.h"
#include "base/log.h"
#include "base/lsid.h"
#include "stores/etcd_asking.h"
#include "stores/etcd_flight.h"
#include "stores/store_rows.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int add_self(struct etcd_asking *a)
{
    char self[ETCD_KEY_SIZE];

    etcd_self_key(self, a->asker->self->node);
    return etcd_reads_add(&a->reads, self, NULL, 0);
}

/* ---- confirm ---- */

static int on_confirm(struct etcd_asking *a)
{
    struct etcd_row s, r;

    if (etcd_asking_is_fenced(a))
        return 1;
    a->answer = STORE_OVER;
    int err = etcd_asking_row_at(a, etcd_reads_at(&a->reads, 1), 0, true, &s);

    if (err)
        return err;
    err = etcd_asking_found_lease(a, &s);
    struct finding *f = (struct finding *)STAILQ_FIRST(&a->q->found);
    bool same = strcmp(s.lease.id, a->q->lease) == 0;

    etcd_row_free(&s);
    if (err || !same)
        return err ? err : etcd_asking_fill(a);
    err = etcd_asking_row_at(a, etcd_reads_at(&a->reads, 2), 0, false, &r);
    if (err)
        return err;
    err = etcd_asking_set_request(a, &f->found, &r);
    a->answer = r.request.state == REQUEST_HELD ? STORE_OPEN : STORE_OVER;
    etcd_row_free(&r);
    return err ? err : 1;
}

static int begin_confirm(struct etcd_asking *a)
{
    const struct store_question *q = a->q;
    const struct request_row r = {.mark = q->mark ? q->mark : "", .vault = q->vault, .name = q->name};
    char lease[ETCD_KEY_SIZE], request[ETCD_KEY_SIZE];
    int err = etcd_session_key(lease, "s/", &q->who, true);

    if (!err)
        err = etcd_request_key(request, &r);
    if (!err)
        err = etcd_reads_add(&a->reads, lease, NULL, 0);
    if (!err)
        err = etcd_reads_add(&a->reads, request, NULL, 0);
    return err ? err : etcd_asking_send(a, on_confirm);
}

/* ---- session, lsid ---- */

/* The lease whose request was read with it. */
static int take_expected(struct etcd_asking *a)
{
    struct store_found *f;
    struct etcd_row row;

    STAILQ_FOREACH(f, &a->q->found, link)
    if (f->lease && strcmp(((struct finding *)f)->next, a->expected) == 0)
        break;
    if (!f)
        return 0;
    ((struct finding *)f)->next[0] = '\0';
    int err = etcd_asking_row_at(a, etcd_reads_at(&a->reads, 3), 0, false, &row);

    if (err)
        return err == 1 ? 0 : err; /* it has gone */
    err = etcd_asking_set_request(a, f, &row);
    etcd_row_free(&row);
    return err;
}

static int on_session(struct etcd_asking *a)
{
    if (etcd_asking_is_fenced(a))
        return 1;
    int err = etcd_asking_take_rows(a, etcd_reads_at(&a->reads, 1), true);

    if (!err)
        err = etcd_asking_take_rows(a, etcd_reads_at(&a->reads, 2), false);
    if (!err && *a->expected)
        err = take_expected(a);
    return err ? err : etcd_asking_fill(a);
}

static int begin_session(struct etcd_asking *a)
{
    char leases[ETCD_KEY_SIZE], intents[ETCD_KEY_SIZE];
    int err = etcd_session_key(leases, "s/", &a->q->who, false);

    if (!err)
        err = etcd_session_key(intents, "i/", &a->q->who, false);
    if (!err)
        err = etcd_asking_add_range(a, leases);
    if (!err)
        err = etcd_asking_add_range(a, intents);
    a->expected[0] = '\0';
    if (!err && a->q->expected)
        err = etcd_request_key(a->expected, a->q->expected);
    if (!err && *a->expected)
        err = etcd_reads_add(&a->reads, a->expected, NULL, 0);
    return err ? err : etcd_asking_send(a, on_session);
}

/* Pairs of s/ and i/ that the e/ keys lead to; the session may have another lease by now. */
static int on_lsid_rows(struct etcd_asking *a)
{
    int err = 0;

    for (size_t n = 0; n < a->reads.n && err >= 0; n++) {
        struct etcd_row row;

        err = etcd_asking_row_at(a, etcd_reads_at(&a->reads, n), 0, n % 2 == 0, &row);
        if (err == -EUCLEAN)
            err = 0;
        if (err || !row.tree)
            continue;
        const struct holder *h = row.is_lease ? &row.lease.holder : &row.request.asker;

        if (lsid_same(h->lsid, a->q->who.lsid))
            err = row.is_lease ? etcd_asking_found_lease(a, &row) : etcd_asking_found(a, &row.request, NULL);
        etcd_row_free(&row);
    }
    return err < 0 ? err : etcd_asking_fill(a);
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
    struct etcd_reads more = etcd_asking_no_reads(a);
    struct etcd_kv kv;
    int err = 0;

    if (etcd_asking_is_fenced(a))
        return 1;
    for (int n = 0; !err && etcd_kv_read(etcd_reads_at(&a->reads, 1), n, &kv); n++) {
        err = add_lsid_rows(&more, &kv);
    }
    if (err) {
        etcd_reads_clear(&more);
        return err;
    }
    etcd_reads_clear(&a->reads);
    a->reads = more;
    return etcd_asking_send(a, on_lsid_rows);
}

static int begin_lsid(struct etcd_asking *a)
{
    char key[ETCD_KEY_SIZE];
    int err = etcd_lsid_key(key, a->q->who.lsid);

    if (!err)
        err = etcd_asking_add_range(a, key);
    return err ? err : etcd_asking_send(a, on_lsid);
}

/* ---- request ---- */

static int on_request(struct etcd_asking *a)
{
    struct etcd_row row;

    if (etcd_asking_is_fenced(a))
        return 1;
    int err = etcd_asking_row_at(a, etcd_reads_at(&a->reads, 1), 0, false, &row);

    if (err)
        return err;
    err = etcd_asking_take_holders(a, &row.request, etcd_reads_at(&a->reads, 2), false);
    etcd_row_free(&row);
    return err ? err : 1;
}

static int begin_request(struct etcd_asking *a)
{
    const struct store_question *q = a->q;
    const struct request_row r = {.mark = q->mark ? q->mark : "", .vault = q->vault, .name = q->name};
    char request[ETCD_KEY_SIZE], holds[ETCD_KEY_SIZE];
    int err = etcd_request_key(request, &r);

    if (!err)
        err = etcd_holds_key(holds, &r);
    if (!err)
        err = etcd_reads_add(&a->reads, request, NULL, 0);
    if (!err)
        err = etcd_asking_add_range(a, holds);
    return err ? err : etcd_asking_send(a, on_request);
}

/* ---- waiting ---- */

/* It may have ended since the key was read. */
static int on_waiting_row(struct etcd_asking *a)
{
    struct etcd_row row;
    int err = etcd_asking_row_at(a, etcd_reads_at(&a->reads, 0), 0, false, &row);

    if (err)
        return err;
    if (row.request.state == REQUEST_PENDING)
        err = etcd_asking_found(a, &row.request, NULL);
    etcd_row_free(&row);
    return err ? err : 1;
}

static int on_waiting(struct etcd_asking *a)
{
    char key[ETCD_KEY_SIZE];
    struct etcd_kv kv;

    if (etcd_asking_is_fenced(a) || !etcd_kv_read(etcd_reads_at(&a->reads, 1), 0, &kv))
        return 1;
    if (!etcd_waiting_request_key(key, &kv.value))
        return -EUCLEAN;
    etcd_reads_clear(&a->reads);
    a->reads = etcd_asking_no_reads(a);
    int err = etcd_reads_add(&a->reads, key, NULL, 0);

    return err ? err : etcd_asking_send(a, on_waiting_row);
}

static int begin_waiting(struct etcd_asking *a)
{
    char key[ETCD_KEY_SIZE];
    int err = etcd_waiting_key(key, a->q->user, a->q->who.credential);

    if (!err)
        err = etcd_reads_add(&a->reads, key, NULL, 0);
    return err ? err : etcd_asking_send(a, on_waiting);
}

/* ---- mark ---- */

#define MARKS "i/"

static bool is_of_mark(struct etcd_kv *kv, const char *mark)
{
    const char *key = buf_cstr(&kv->key), *at = key ? strrchr(key, '/') : NULL;

    return !at || strcmp(at + 1, mark) == 0;
}

static int take_marked(struct etcd_asking *a, struct etcd_kv *kv)
{
    struct etcd_row row;
    int err = etcd_asking_read_row(a, kv, false, &row);

    if (err)
        return err;
    err = etcd_asking_found(a, &row.request, NULL);
    etcd_row_free(&row);
    return err ? err : 1;
}

static int send_mark_page(struct etcd_asking *);

/* The mark ends the key: a row of another one may be of any form. */
static int on_mark_page(struct etcd_asking *a)
{
    struct etcd_kv kv;
    unsigned n = 0;
    int err = 0;

    if (etcd_asking_is_fenced(a))
        return 1;
    for (; !err && n < a->limit && etcd_kv_read(etcd_reads_at(&a->reads, 1), (int)n, &kv); n++)
        if (is_of_mark(&kv, a->q->mark))
            err = take_marked(a, &kv);
    if (err || n < a->limit || !etcd_kv_read(etcd_reads_at(&a->reads, 1), (int)n, &kv))
        return err ? err : 1;
    err = etcd_asking_set_cursor(a, &kv, a->cursor);
    etcd_reads_clear(&a->reads);
    a->reads = etcd_asking_no_reads(a);
    if (!err)
        err = add_self(a);
    return err ? err : send_mark_page(a);
}

/* From the cursor on. */
static int send_mark_page(struct etcd_asking *a)
{
    char to[ETCD_KEY_SIZE];

    etcd_key_end(to, MARKS);
    int err = etcd_reads_add(&a->reads, a->cursor, to, a->limit + 1);

    return err ? err : etcd_asking_send(a, on_mark_page);
}

static int begin_mark(struct etcd_asking *a)
{
    memcpy(a->cursor, MARKS, sizeof MARKS);
    return send_mark_page(a);
}

/* ---- moment ---- */

static int on_moment(struct etcd_asking *a)
{
    (void)etcd_asking_is_fenced(a);
    return 1;
}

static int begin_moment(struct etcd_asking *a)
{
    return etcd_asking_send(a, on_moment);
}

/* ---- begin ---- */

static int begin_reads(struct etcd_asking *a)
{
    static int (*const begins[])(struct etcd_asking *) = {
        [QUESTION_CONFIRM] = begin_confirm, [QUESTION_SESSION] = begin_session, [QUESTION_LSID] = begin_lsid,
        [QUESTION_REQUEST] = begin_request, [QUESTION_WAITING] = begin_waiting, [QUESTION_MARK] = begin_mark,
        [QUESTION_LIST] = etcd_list_begin,  [QUESTION_MOMENT] = begin_moment};

    a->reads = etcd_asking_no_reads(a);
    a->answer = STORE_OPEN;
    a->q->sent_ms = clock_now(a->asker->clock);
    a->q->moment = 0;
    int err = add_self(a);

    return err ? err : begins[a->q->kind](a);
}

static void begin(struct etcd_asking *a)
{
    int64_t epoch = *a->asker->epoch;

    if (a->epoch && epoch && a->epoch != epoch) {
        etcd_asking_finish(a, STORE_FENCED);
        return;
    }
    if (!a->epoch)
        a->epoch = epoch;
    if (!epoch || begin_reads(a))
        etcd_asking_again(a);
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
    a->begin = begin;
    a->q = q;
    a->limit = q->kind == QUESTION_MARK ? STORE_LIST_MAX : q->limit;
    a->reads = etcd_asking_no_reads(a);
    LIST_INSERT_HEAD(&asker->list, a, link);
    int err = q->kind == QUESTION_LIST &&
                      (!q->limit || q->limit > STORE_LIST_MAX || !etcd_list_is_cursor(q->cursor))
                  ? -EINVAL
                  : timer_start(asker->timers, &a->until, q->until_ms > now_ms ? q->until_ms - now_ms : 0,
                                etcd_asking_on_until);

    if (err) {
        etcd_asking_free(a);
        return err;
    }
    q->private = a;
    if (q->kind == QUESTION_LIST)
        memcpy(a->cursor, q->cursor, sizeof a->cursor);
    begin(a);
    return 0;
}
