/* SPDX-License-Identifier: Apache-2.0 */
/*
 * etcd_outcomes.c - what became of a step: from the answer to it, or from its keys where the answer was lost;
 * see etcd_steps.h.
 */
#include "base/json.h"
#include "stores/etcd_look.h"
#include "stores/store_rows.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- reads ---- */

static void add_read(struct etcd_look *r, enum etcd_look_place what, const char *key, const char *to)
{
    r->place[what] = (int)r->n;
    r->ops[r->n++] = (struct etcd_op){.kind = ETCD_GET, .key = key, .to = to};
}

bool etcd_shows_session(const struct store_step *step)
{
    return step->kind == STEP_OPEN || (step->kind == STEP_ASK && step->request.state == REQUEST_ASKED);
}

void etcd_look_plan(struct etcd_look *r, const struct store_step *step, const struct etcd_keys *k,
                    const char *holds_end, bool lost)
{
    static const struct etcd_keys none;

    k = k ? k : &none;
    r->n = 0;
    for (int i = 0; i < LOOK_NREADS; i++)
        r->place[i] = -1;
    add_read(r, LOOK_REQUEST, k->request, NULL);
    add_read(r, LOOK_INTENT, k->intent, NULL);
    add_read(r, LOOK_PENDING, k->pending, NULL);
    if (etcd_shows_session(step))
        add_read(r, LOOK_SESSION, step->kind == STEP_ASK ? k->asker : k->lease, NULL);
    if (lost && step->kind == STEP_OPEN)
        add_read(r, LOOK_HOLD, k->hold, NULL);
    if (step->kind == STEP_CLOSE || (lost && step->kind == STEP_RELEASE))
        add_read(r, LOOK_HOLDERS, k->holds, holds_end);
}

bool etcd_cannot_fail(const struct store_step *step)
{
    return step->kind == STEP_AMEND || step->kind == STEP_LEAVE || step->kind == STEP_CURSOR;
}

bool etcd_needs_no_checkin(const struct request_row *r)
{
    return r->adopted || !*r->name;
}

/* ---- outcomes ---- */

static const cJSON *read_at(const cJSON *answer, const struct etcd_look *r, enum etcd_look_place what)
{
    return r->place[what] < 0 ? NULL : etcd_response(answer, r->place[what]);
}

/* The row that a read has found, into *row. 1 = there is none. */
static int read_row(const cJSON *range, bool is_lease, struct etcd_row *row)
{
    struct etcd_kv kv;

    if (!etcd_kv_read(range, 0, &kv))
        return 1;
    int err = etcd_row_read(row, is_lease, kv.value.data, kv.value.len);

    etcd_kv_free(&kv);
    return err;
}

int etcd_row_show(const struct etcd_self *self, const struct request_row *r, struct request_row **now)
{
    free(*now);
    *now = request_row_copy(r);
    if (!*now)
        return -ENOMEM;
    (*now)->mine = strcmp((*now)->owner, self->owner) == 0;
    return 0;
}

/* The request as these reads have found it, into step->now. The row at w/ may be of another request. */
static int show_request(const struct etcd_self *self, struct store_step *step, const cJSON *reads)
{
    struct etcd_row row;
    int at = 0, err;

    while ((err = read_row(etcd_response(reads, at), false, &row)) == 1)
        if (++at == LOOK_ROWS)
            return 0;
    if (err)
        return err;
    if (at != LOOK_PENDING || strcmp(row.request.mark, step->request.mark) == 0)
        err = etcd_row_show(self, &row.request, &step->now);
    etcd_row_free(&row);
    return err;
}

static bool is_cancelled(const cJSON *range)
{
    struct etcd_row row;

    if (read_row(range, false, &row))
        return false;
    bool cancelled = row.request.cancelled;

    etcd_row_free(&row);
    return cancelled;
}

/* The session's lease, where that is another one; its request is read afterwards (etcd_flight.c). */
static int show_lease(struct store_step *step, const cJSON *range, char **request_key)
{
    char key[ETCD_KEY_SIZE];
    struct etcd_row row;
    int err = read_row(range, true, &row);

    if (err)
        return err == 1 ? 0 : err;
    if (step->kind == STEP_ASK || strcmp(row.lease.id, step->lease.id) != 0) {
        err = etcd_request_key(key, &row.request);
        step->lease_now = err ? NULL : lease_row_copy(&row.lease);
        *request_key = err ? NULL : strdup(key);
        if (!err && (!step->lease_now || !*request_key))
            err = -ENOMEM;
    }
    etcd_row_free(&row);
    return err;
}

static int count_rows(const cJSON *range)
{
    return cJSON_GetArraySize(json_get(range, "kvs"));
}

static int otherwise(const struct etcd_self *self, struct store_step *step, const cJSON *reads,
                     const struct etcd_look *r, struct etcd_shown *shown)
{
    int err = show_request(self, step, reads);

    if (!err && step->kind == STEP_OPEN)
        step->cancelled = is_cancelled(read_at(reads, r, LOOK_INTENT));
    if (!err && etcd_shows_session(step))
        err = show_lease(step, read_at(reads, r, LOOK_SESSION), &shown->request_key);
    shown->outcome = step->kind == STEP_CLOSE && !step->now ? STORE_APPLIED : STORE_OTHERWISE;
    if (step->kind == STEP_CLOSE && step->now && step->now->state == REQUEST_RETURNING)
        shown->holders = count_rows(read_at(reads, r, LOOK_HOLDERS)) > 0;
    return err;
}

/* ---- what an alternative that held has read ---- */

/* The n-th read among the answers of an alternative; NULL = none. */
static const cJSON *nth_range(const cJSON *answer, int n)
{
    for (int i = 0; i < etcd_responses(answer); i++) {
        const cJSON *one = etcd_response(answer, i);

        if (one && one->string && strcmp(one->string, "response_range") == 0 && n-- == 0)
            return one;
    }
    return NULL;
}

static int show_row(const struct etcd_self *self, const cJSON *range, struct store_step *step)
{
    struct etcd_row row;
    int err = read_row(range, false, &row);

    if (err)
        return err < 0 ? err : 0;
    err = etcd_row_show(self, &row.request, &step->now);
    etcd_row_free(&row);
    return err;
}

/* As this gateway has written it. */
static int show_own(const struct etcd_self *self, struct store_step *step)
{
    struct request_row r = step->request;

    r.owner = self->owner;
    r.cancelled = false;
    return etcd_row_show(self, &r, &step->now);
}

/* OPEN and RETURN: the request of another mark, where there is one. */
static int show_joined(const struct etcd_self *self, struct store_step *step, const cJSON *range)
{
    int err = show_row(self, range, step);

    if (step->now && strcmp(step->now->mark, step->request.mark) == 0) {
        free(step->now);
        step->now = NULL;
    }
    return err;
}

static int show_released(const struct etcd_self *self, struct store_step *step, const cJSON *answer)
{
    const cJSON *holders = nth_range(answer, 1);

    step->holders = (unsigned)count_rows(holders);
    if (holders)
        return show_row(self, nth_range(answer, 0), step);
    return etcd_needs_no_checkin(&step->request) ? 0 : show_own(self, step);
}

static int show_applied(const struct etcd_self *self, struct store_step *step, const cJSON *answer)
{
    switch (step->kind) {
    case STEP_OPEN:
    case STEP_RETURN: return show_joined(self, step, nth_range(answer, 0));
    case STEP_RELEASE: return show_released(self, step, answer);
    case STEP_END: return show_own(self, step);
    default: return 0;
    }
}

int etcd_step_read(const struct etcd_self *self, struct store_step *step, const cJSON *answer,
                   struct etcd_shown *shown)
{
    bool held = false;
    const cJSON *reads = etcd_chain_answer(answer, &held);
    struct etcd_look r;

    *shown = (struct etcd_shown){.outcome = STORE_APPLIED};
    if (!reads)
        return -EPROTO;
    if (etcd_cannot_fail(step))
        return 0;
    etcd_look_plan(&r, step, NULL, NULL, false);
    return held ? show_applied(self, step, reads) : otherwise(self, step, reads, &r, shown);
}

/* ---- a lost answer ---- */

void etcd_step_write_look(const struct etcd_writer *w, const struct store_step *step,
                          const struct etcd_keys *k)
{
    struct etcd_alternative always = {.nops = 1};
    char holds_end[ETCD_KEY_SIZE];
    struct etcd_look r;

    if (*k->cursor) {
        always.ops[0] = (struct etcd_op){.kind = ETCD_GET, .key = k->cursor};
    } else {
        etcd_key_end(holds_end, k->holds);
        etcd_look_plan(&r, step, k, holds_end, true);
        memcpy(always.ops, r.ops, r.n * sizeof r.ops[0]);
        always.nops = r.n;
    }
    etcd_write_chain(w, &always, 1, NULL, 0);
}

/* Which of the keys the step writes where it is applied. */
static enum etcd_look_place written_key(const struct store_step *step)
{
    switch (step->kind) {
    case STEP_OPEN: return LOOK_HOLD;
    case STEP_PEND: return LOOK_PENDING;
    case STEP_CANCEL: return LOOK_INTENT;
    case STEP_ASK:
    case STEP_EDIT:
        return step->request.state == REQUEST_ASKED     ? LOOK_INTENT
               : step->request.state == REQUEST_PENDING ? LOOK_PENDING
                                                        : LOOK_REQUEST;
    default: return LOOK_REQUEST;
    }
}

static bool is_of_revision(const cJSON *read, int64_t revision)
{
    struct etcd_kv kv;

    if (!etcd_kv_read(read, 0, &kv))
        return false;
    bool is = kv.mod == revision || kv.created == revision;

    etcd_kv_free(&kv);
    return is;
}

/* The lease is gone, by this step or before. */
static int judge_release(const struct etcd_self *self, struct store_step *step, const cJSON *answer,
                         const struct etcd_look *r)
{
    step->holders = (unsigned)count_rows(read_at(answer, r, LOOK_HOLDERS));
    return show_row(self, read_at(answer, r, LOOK_REQUEST), step);
}

/* An intent that others' request has replaced has left nothing that shows it. */
static bool has_left_nothing(const struct store_step *step, const cJSON *answer, const struct etcd_look *r)
{
    bool gone = !count_rows(read_at(answer, r, LOOK_INTENT)) && !count_rows(read_at(answer, r, LOOK_PENDING));

    return step->kind == STEP_CLEAR || (step->kind == STEP_RETURN && gone && step->now &&
                                        strcmp(step->now->mark, step->request.mark) != 0);
}

int etcd_step_judge(const struct etcd_self *self, struct store_step *step, const cJSON *answer,
                    int64_t revision, struct etcd_shown *shown)
{
    struct etcd_look r;

    *shown = (struct etcd_shown){.outcome = STORE_APPLIED};
    if (etcd_cannot_fail(step))
        return 0;
    etcd_look_plan(&r, step, NULL, NULL, true);
    if (step->kind == STEP_RELEASE)
        return judge_release(self, step, answer, &r);
    if (step->kind != STEP_CLOSE && is_of_revision(read_at(answer, &r, written_key(step)), revision)) {
        if (step->kind == STEP_END)
            return show_own(self, step);
        return step->kind == STEP_OPEN ? show_joined(self, step, read_at(answer, &r, LOOK_REQUEST)) : 0;
    }
    int err = otherwise(self, step, answer, &r, shown);

    if (!err && has_left_nothing(step, answer, &r))
        shown->outcome = STORE_APPLIED;
    return err;
}
