/* SPDX-License-Identifier: Apache-2.0 */
/*
 * etcd_asking.c - what all questions have in common; see etcd_asking.h.
 */
#include "stores/etcd_asking.h"

#include "base/container_of.h"
#include "base/json.h"
#include "base/log.h"
#include "stores/etcd_flight.h"
#include "stores/store_rows.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define AGAIN_MS 100

/* ---- the end ---- */

void etcd_found_free(struct store_found_list *list)
{
    struct store_found *f;

    while ((f = STAILQ_FIRST(list))) {
        STAILQ_REMOVE_HEAD(list, link);
        free(f->request);
        free(f->lease);
        free(f);
    }
}

void etcd_asking_free(struct etcd_asking *a)
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
    etcd_asking_free(a);
    etcd_found_free(&q->found);
}

void etcd_asking_finish(struct etcd_asking *a, enum store_answer answer)
{
    struct store_question *q = a->q;
    struct store_found *f;

    q->private = NULL;
    etcd_asking_free(a);
    if (answer == STORE_NONE || answer == STORE_FENCED)
        etcd_found_free(&q->found);
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
        etcd_asking_finish(a, STORE_NONE);
}

void etcd_asking_on_until(struct deadline *d)
{
    etcd_asking_finish(CONTAINER_OF(d, struct etcd_asking, until), STORE_NONE);
}

static void on_again(struct deadline *d)
{
    struct etcd_asking *a = CONTAINER_OF(d, struct etcd_asking, again);

    a->begin(a);
}

/* From the beginning: a question changes nothing. */
void etcd_asking_again(struct etcd_asking *a)
{
    etcd_reads_clear(&a->reads);
    etcd_found_free(&a->q->found);
    if (a->q->kind == QUESTION_LIST)
        memcpy(a->q->cursor, a->cursor, sizeof a->cursor);
    if (timer_start(a->asker->timers, &a->again, AGAIN_MS, on_again))
        log_error("store_timer", "error=%s", strerror(ENOMEM)); /* its deadline ends it */
}

/* ---- rows ---- */

int etcd_asking_read_row(const struct etcd_asking *a, struct etcd_kv *kv, bool is_lease, struct etcd_row *row)
{
    return etcd_kept_read(a->asker->self->kept, row, is_lease, kv);
}

int etcd_asking_row_at(const struct etcd_asking *a, const cJSON *range, int n, bool is_lease,
                       struct etcd_row *row)
{
    struct etcd_kv kv;

    return etcd_kv_read(range, n, &kv) ? etcd_asking_read_row(a, &kv, is_lease, row) : 1;
}

static struct finding *finding_new(struct etcd_asking *a)
{
    struct finding *f = calloc(1, sizeof *f);

    if (f)
        STAILQ_INSERT_TAIL(&a->q->found, &f->found, link);
    a->last = f;
    return f;
}

int etcd_asking_found(struct etcd_asking *a, const struct request_row *r, const struct lease_row *l)
{
    struct finding *f = finding_new(a);

    if (!f || etcd_row_show(a->asker->self, r, &f->found.request))
        return -ENOMEM;
    return l && !(f->found.lease = lease_row_copy(l)) ? -ENOMEM : 0;
}

/* Its request is read next. `r` has but what names it. */
int etcd_asking_found_lease(struct etcd_asking *a, const struct etcd_row *row)
{
    struct finding *f = finding_new(a);

    if (!f || !(f->found.lease = lease_row_copy(&row->lease)))
        return -ENOMEM;
    return etcd_request_key(f->next, &row->request);
}

int etcd_asking_set_request(const struct etcd_asking *a, struct store_found *f, const struct etcd_row *row)
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
    if (!err && !a->q->moment)
        a->q->moment = r->revision;
    if (err == -EMSGSIZE && a->limit > 1)
        a->limit /= 2;
    if (!err)
        err = a->next(a);
    if (err == 1)
        etcd_asking_finish(a, a->answer);
    else if (err)
        etcd_asking_again(a);
}

/* What has many rows to its key goes alone. */
static bool is_short(enum store_question_kind kind)
{
    return kind != QUESTION_LIST && kind != QUESTION_MARK;
}

struct etcd_reads etcd_asking_no_reads(const struct etcd_asking *a)
{
    return (struct etcd_reads){.client = a->asker->client,
                               .prefix = a->asker->prefix,
                               .line = is_short(a->q->kind) ? &a->asker->line : NULL,
                               .done = on_reads};
}

/* 0, -errno, or 1: there is nothing to read. */
int etcd_asking_send(struct etcd_asking *a, int (*next)(struct etcd_asking *))
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
        err = etcd_asking_row_at(a, etcd_reads_at(&a->reads, n++), 0, f->request != NULL, &row);
        f->is_orphan = err == 1 && f->request;
        if (err == -EUCLEAN)
            err = 0; /* what one row says is missing; the others are there */
        if (err || !row.tree)
            continue;
        err = row.is_lease ? set_lease(f, &row) : etcd_asking_set_request(a, f, &row);
        etcd_row_free(&row);
    }
    return err < 0 ? err : 1;
}

int etcd_asking_fill(struct etcd_asking *a)
{
    struct store_found *f;
    int err = 0;

    etcd_reads_clear(&a->reads);
    a->reads = etcd_asking_no_reads(a);
    STAILQ_FOREACH(f, &a->q->found, link)
    if (*((struct finding *)f)->next && !err)
        err = etcd_reads_add(&a->reads, ((struct finding *)f)->next, NULL, 0);
    return err ? err : etcd_asking_send(a, on_filled);
}

/* All rows of a range that can be read: the others do not keep these from being ended. */
int etcd_asking_take_rows(struct etcd_asking *a, const cJSON *range, bool is_lease)
{
    struct etcd_row row = {.tree = NULL};
    int err = 0;

    for (int n = 0; !err; n++) {
        err = etcd_asking_row_at(a, range, n, is_lease, &row);
        if (err == -EUCLEAN)
            err = 0;
        else if (!err)
            err = is_lease ? etcd_asking_found_lease(a, &row) : etcd_asking_found(a, &row.request, NULL);
        etcd_row_free(&row);
    }
    return err == 1 ? 0 : err;
}

bool etcd_asking_is_fenced(struct etcd_asking *a)
{
    struct etcd_kv kv;
    bool is_self = etcd_kv_read(etcd_reads_at(&a->reads, 0), 0, &kv);

    if (is_self && kv.created == a->epoch)
        return false;
    a->answer = STORE_FENCED;
    return true;
}

int etcd_asking_set_cursor(const struct etcd_asking *a, struct etcd_kv *kv, char cursor[STORE_CURSOR_SIZE])
{
    size_t skip = strlen(a->asker->prefix);
    const char *key = buf_cstr(&kv->key);

    if (!key || kv->key.len < skip ||
        snprintf(cursor, STORE_CURSOR_SIZE, "%s", key + skip) >= STORE_CURSOR_SIZE)
        return -EUCLEAN;
    return 0;
}

int etcd_asking_add_range(struct etcd_asking *a, const char *key)
{
    char to[ETCD_KEY_SIZE];

    etcd_key_end(to, key);
    return etcd_reads_add(&a->reads, key, to, 0);
}

/* One finding for each h/ of the request, of whose lease the id is known; `with_leases`: the rest is read
 * next. */
int etcd_asking_take_holders(struct etcd_asking *a, const struct request_row *r, const cJSON *holds,
                             bool with_leases)
{
    struct etcd_kv kv;
    int err = 0, n = 0;

    for (; !err && etcd_kv_read(holds, n, &kv); n++) {
        const char *key = buf_cstr(&kv.key), *at = key ? strrchr(key, '/') : NULL;
        const struct lease_row lease = {.request = r->mark, .id = at ? at + 1 : ""};
        enum lease_answers answers;

        err = at ? etcd_asking_found(a, r, &lease) : -ENOMEM;
        if (!err && with_leases && !etcd_held_lease_key(a->last->next, &kv.value, &answers)) {
            etcd_kept_unreadable(a->asker->self->kept, &kv);
            a->last->next[0] = '\0';
        }
    }
    return err || n ? err : etcd_asking_found(a, r, NULL);
}
