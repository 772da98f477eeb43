/* SPDX-License-Identifier: Apache-2.0 */
/*
 * etcd_outcomes.c - what became of a step: from the answer to it, or from its keys where the answer was lost;
 * see etcd_steps.h.
 */
#include "base/json.h"
#include "base/lsid.h"
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

/* Where a check-out is undone the lease may stay as it is. */
static bool ends_lease(const struct store_step *step)
{
    switch (step->kind) {
    case STEP_PEND:
    case STEP_LEAVE:
    case STEP_RETURN:
    case STEP_CLOSE:
    case STEP_CLEAR: return true;
    case STEP_RELEASE: return !step->undo;
    default: return false;
    }
}

bool etcd_may_lack_lsid(const struct store_step *step)
{
    const struct lease_row *l = &step->lease;

    return ends_lease(step) && *l->id && !step->lsid_now && !(l->holder.lsid && *l->holder.lsid);
}

/* Of a request that is RETURNING: etcd_close.c, and then the step again. */
static bool takes_leases_along(const struct store_step *step)
{
    return step->kind == STEP_CLOSE || step->kind == STEP_LAPSE;
}

static bool has_lsid(const struct store_step *step)
{
    char normal[LSID_SIZE];

    return step->request.asker.lsid && lsid_normal(step->request.asker.lsid, normal);
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
    if (etcd_shows_session(step) || (lost && etcd_may_lack_lsid(step)))
        add_read(r, LOOK_SESSION, step->kind == STEP_ASK ? k->asker : k->lease, NULL);
    if (lost && step->kind == STEP_ASK)
        add_read(r, LOOK_PENDING, k->pending, NULL);
    if (step->kind == STEP_OPEN && *step->instead)
        add_read(r, LOOK_INSTEAD, k->instead, NULL);
    if (step->kind == STEP_ASK && step->since)
        add_read(r, LOOK_FINISHED, k->finishes[0], NULL);
    if (step->kind == STEP_ASK && step->since && has_lsid(step))
        add_read(r, LOOK_FINISHED_LSID, k->finishes[1], NULL);
    if (lost && step->kind == STEP_REPEAT)
        add_read(r, LOOK_HOLD, k->hold, NULL);
    if (takes_leases_along(step) || (lost && step->kind == STEP_RELEASE))
        add_read(r, LOOK_HOLDERS, k->holds, holds_end);
}

bool etcd_cannot_fail(const struct store_step *step)
{
    return step->kind == STEP_AMEND || step->kind == STEP_LEAVE || step->kind == STEP_CURSOR ||
           step->kind == STEP_FINISH;
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
static int read_row(const struct etcd_self *self, const cJSON *range, bool is_lease, struct etcd_row *row)
{
    struct etcd_kv kv;

    return etcd_kv_read(range, 0, &kv) ? etcd_kept_read(self->kept, row, is_lease, &kv) : 1;
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

/* The request as these reads have found it, into step->now. The row at i/ may be of another request. */
static int show_request(const struct etcd_self *self, struct store_step *step, const cJSON *reads)
{
    struct etcd_row row;
    int at = 0, err;

    for (; at < LOOK_ROWS && !step->now; at++) {
        err = read_row(self, etcd_response(reads, at), false, &row);
        if (err == 1)
            continue;
        if (err)
            return err;
        if (at == LOOK_REQUEST || strcmp(row.request.mark, step->request.mark) == 0)
            err = etcd_row_show(self, &row.request, &step->now);
        etcd_row_free(&row);
        if (err)
            return err;
    }
    return 0;
}

static int show_cancelled(const struct etcd_self *self, struct store_step *step, const cJSON *range)
{
    struct etcd_row row;
    int err = read_row(self, range, false, &row);

    if (err)
        return err == -ENOMEM ? err : 0;
    step->cancelled = row.request.cancelled;
    etcd_row_free(&row);
    return 0;
}

/* The session's lease, where that is another one; its request and its hold are read afterwards
 * (etcd_flight.c). */
static int show_lease(const struct etcd_self *self, struct store_step *step, const cJSON *range,
                      struct etcd_shown *shown)
{
    char key[ETCD_KEY_SIZE], hold[ETCD_KEY_SIZE];
    struct etcd_row row;
    int err = read_row(self, range, true, &row);

    if (err)
        return err == 1 ? 0 : err;
    if (step->kind == STEP_ASK || strcmp(row.lease.id, step->lease.id) != 0) {
        err = etcd_request_key(key, &row.request);
        err = err ? err : etcd_hold_key(hold, &row.request, row.lease.id);
        step->lease_now = err ? NULL : lease_row_copy(&row.lease);
        shown->request_key = err ? NULL : strdup(key);
        shown->hold_key = err ? NULL : strdup(hold);
        if (!err && (!step->lease_now || !shown->request_key || !shown->hold_key))
            err = -ENOMEM;
    }
    etcd_row_free(&row);
    return err;
}

static bool has_all_reads(const cJSON *answer, const struct etcd_look *r)
{
    bool has = etcd_responses(answer) == (int)r->n;

    for (int i = 0; has && i < (int)r->n; i++)
        has = etcd_is_range(etcd_response(answer, i));
    return has;
}

static int count_rows(const cJSON *range)
{
    return cJSON_GetArraySize(json_get(range, "kvs"));
}

/* A value that is no number counts as that of a session which has ended just then. */
static void show_finish(struct store_step *step, enum etcd_look_place what, const cJSON *range)
{
    char value[24];
    struct etcd_kv kv;

    if (!etcd_kv_read(range, 0, &kv) || kv.mod <= step->since)
        return;
    etcd_small_value(range, value, sizeof value);
    step->finishes[what - LOOK_FINISHED] =
        (struct store_finish){.moment = kv.mod, .ago_ms = strtoull(value, NULL, 10)};
}

static int otherwise(const struct etcd_self *self, struct store_step *step, const cJSON *reads,
                     const struct etcd_look *r, struct etcd_shown *shown)
{
    int err = show_request(self, step, reads);

    if (!err && step->kind == STEP_OPEN)
        err = show_cancelled(self, step, read_at(reads, r, *step->instead ? LOOK_INSTEAD : LOOK_INTENT));
    if (!err && etcd_shows_session(step))
        err = show_lease(self, step, read_at(reads, r, LOOK_SESSION), shown);
    for (enum etcd_look_place at = LOOK_FINISHED; at <= LOOK_FINISHED_LSID; at++)
        if (r->place[at] >= 0)
            show_finish(step, at, read_at(reads, r, at));
    shown->outcome = step->kind == STEP_CLOSE && !step->now ? STORE_APPLIED : STORE_OTHERWISE;
    bool is_broken =
        err == -EUCLEAN && step->kind == STEP_CLOSE; /* nothing is left to do for it all the same */

    if (is_broken || (takes_leases_along(step) && step->now && step->now->state == REQUEST_RETURNING))
        shown->holders = count_rows(read_at(reads, r, LOOK_HOLDERS)) > 0;
    return is_broken && shown->holders ? 0 : err;
}

/* ---- a lease with an lsid that the step lacks ---- */

static int show_lsid(const struct etcd_self *self, struct store_step *step, const cJSON *range,
                     struct etcd_shown *shown)
{
    struct etcd_row row;
    int err = read_row(self, range, true, &row);

    if (err)
        return err == 1 ? 0 : err;
    if (strcmp(row.lease.id, step->lease.id) == 0 && *row.lease.holder.lsid) {
        step->lsid_now = strdup(row.lease.holder.lsid);
        shown->again = step->lsid_now != NULL;
        err = shown->again ? 0 : -ENOMEM;
    }
    etcd_row_free(&row);
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

/* ASK: the request that waits is read afterwards (etcd_flight.c). */
static int show_waiting(const cJSON *range, struct etcd_shown *shown)
{
    char key[ETCD_KEY_SIZE];
    struct etcd_kv kv;

    if (!etcd_kv_read(range, 0, &kv))
        return 0;
    if (!etcd_waiting_request_key(key, &kv.value))
        return -EUCLEAN;
    shown->request_key = strdup(key);
    return shown->request_key ? 0 : -ENOMEM;
}

static int show_row(const struct etcd_self *self, const cJSON *range, struct store_step *step)
{
    struct etcd_row row;
    int err = read_row(self, range, false, &row);

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

/* OPEN and RETURN: the request of another mark, where there is one; OPEN of another gateway's: as it is now.
 */
static int show_joined(const struct etcd_self *self, struct store_step *step, const cJSON *range)
{
    int err = show_row(self, range, step);
    const char *owner = step->kind == STEP_OPEN && step->request.owner ? step->request.owner : "";
    bool is_anothers = *owner && strcmp(owner, self->owner) != 0;

    if (step->now && !is_anothers && strcmp(step->now->mark, step->request.mark) == 0) {
        free(step->now);
        step->now = NULL;
    }
    return err;
}

/* The lease that was to end holds its request still. */
static bool is_kept(const struct store_step *step, const cJSON *holders)
{
    bool is = false;
    struct etcd_kv kv;

    for (int n = 0; !is && etcd_kv_read(holders, n, &kv); n++) {
        const char *key = buf_cstr(&kv.key), *at = key ? strrchr(key, '/') : NULL;

        is = at && strcmp(at + 1, step->lease.id) == 0;
    }
    return is;
}

static int show_released(const struct etcd_self *self, struct store_step *step, const cJSON *answer)
{
    const cJSON *holders = nth_range(answer, 1);

    step->holders = (unsigned)count_rows(holders);
    step->kept = step->undo && is_kept(step, holders);
    if (holders || step->request.state == REQUEST_PENDING)
        return show_row(self, nth_range(answer, 0), step);
    return etcd_needs_no_checkin(&step->request) ? 0 : show_own(self, step);
}

static int show_applied(const struct etcd_self *self, struct store_step *step, const cJSON *answer,
                        struct etcd_shown *shown)
{
    switch (step->kind) {
    case STEP_ASK: return show_waiting(nth_range(answer, 0), shown);
    case STEP_OPEN:
    case STEP_RETURN: return show_joined(self, step, nth_range(answer, 0));
    case STEP_RELEASE: return show_released(self, step, answer);
    case STEP_END: return show_own(self, step);
    default: return 0;
    }
}

int etcd_step_read(const struct etcd_self *self, struct store_step *step, const struct etcd_shape *shape,
                   const cJSON *answer, struct etcd_shown *shown)
{
    bool held = false;
    size_t n;
    const cJSON *reads = etcd_chain_answer(answer, &held, &n);
    struct etcd_look r;

    *shown = (struct etcd_shown){.outcome = STORE_APPLIED};
    if (!reads)
        return -EPROTO;
    if (held && n + 1 == shape->named) {
        shown->outcome = STORE_OTHERWISE;
        return etcd_is_range(etcd_response(reads, 0)) ? show_lsid(self, step, etcd_response(reads, 0), shown)
                                                      : -EPROTO;
    }
    if (etcd_cannot_fail(step))
        return 0;
    etcd_look_plan(&r, step, NULL, NULL, false);
    if (held ? n >= shape->n || etcd_responses(reads) != (int)shape->nops[n] : !has_all_reads(reads, &r))
        return -EPROTO;
    return held ? show_applied(self, step, reads, shown) : otherwise(self, step, reads, &r, shown);
}

int etcd_step_show_request(const struct etcd_self *self, struct store_step *step, const cJSON *range)
{
    struct lease_row *copy = NULL;
    struct etcd_kv kv;
    struct etcd_row row;

    free(step->now);
    step->now = NULL;
    int err = etcd_kv_read(range, 0, &kv) ? etcd_kept_read(self->kept, &row, false, &kv) : 1;

    if (err)
        return err == 1 ? 0 : err;
    if (step->lease_now) {
        struct lease_row lease = *step->lease_now;

        lease.request = row.request.mark;
        copy = lease_row_copy(&lease);
        err = copy ? 0 : -ENOMEM;
    }
    if (!err && (copy || row.request.state == REQUEST_PENDING))
        err = etcd_row_show(self, &row.request, &step->now);
    etcd_row_free(&row);
    if (!err && copy) {
        free(step->lease_now);
        step->lease_now = copy;
    } else {
        free(copy);
    }
    return err;
}

/* ---- a lost answer ---- */

void etcd_step_write_look(const struct etcd_writer *w, const struct store_step *step,
                          const struct etcd_keys *k)
{
    struct etcd_alternative always = {.nops = 1};
    char holds_end[ETCD_KEY_SIZE];
    struct etcd_look r;

    if (step->kind == STEP_CURSOR || step->kind == STEP_FINISH) {
        always.ops[0] = (struct etcd_op){.kind = ETCD_GET, .key = *k->cursor ? k->cursor : k->finishes[0]};
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
    case STEP_OPEN: return LOOK_SESSION;
    case STEP_REPEAT: return LOOK_HOLD;
    case STEP_CANCEL: return LOOK_INTENT;
    case STEP_ASK:
    case STEP_EDIT: return step->request.state == REQUEST_ASKED ? LOOK_INTENT : LOOK_REQUEST;
    default: return LOOK_REQUEST;
    }
}

static bool is_of_revision(const cJSON *read, int64_t revision)
{
    struct etcd_kv kv;

    if (!etcd_kv_read(read, 0, &kv))
        return false;
    bool is = kv.mod == revision || kv.created == revision;

    return is;
}

/* The lease is gone, by this step or before; or others answer with it. */
static int judge_release(const struct etcd_self *self, struct store_step *step, const cJSON *answer,
                         const struct etcd_look *r)
{
    step->holders = (unsigned)count_rows(read_at(answer, r, LOOK_HOLDERS));
    step->kept = step->undo && is_kept(step, read_at(answer, r, LOOK_HOLDERS));
    return show_request(self, step, answer);
}

/* An intent that others' request has replaced has left nothing that shows it. */
static bool has_left_nothing(const struct store_step *step, const cJSON *answer, const struct etcd_look *r)
{
    bool gone = !count_rows(read_at(answer, r, LOOK_INTENT));

    return step->kind == STEP_CLEAR || (step->kind == STEP_RETURN && gone && step->now &&
                                        strcmp(step->now->mark, step->request.mark) != 0);
}

int etcd_step_judge(const struct etcd_self *self, struct store_step *step, const cJSON *answer,
                    int64_t revision, struct etcd_shown *shown)
{
    struct etcd_look r;

    *shown = (struct etcd_shown){.outcome = STORE_APPLIED};
    etcd_look_plan(&r, step, NULL, NULL, true);
    if (etcd_may_lack_lsid(step)) {
        int err = has_all_reads(answer, &r) ? show_lsid(self, step, read_at(answer, &r, LOOK_SESSION), shown)
                                            : -EPROTO;

        if (err || shown->again)
            return err;
    }
    if (etcd_cannot_fail(step))
        return 0;
    if (!has_all_reads(answer, &r))
        return -EPROTO;
    if (step->kind == STEP_RELEASE)
        return judge_release(self, step, answer, &r);
    if (step->kind != STEP_CLOSE && is_of_revision(read_at(answer, &r, written_key(step)), revision)) {
        switch (step->kind) {
        case STEP_END: return show_own(self, step);
        case STEP_ASK: return show_waiting(read_at(answer, &r, LOOK_PENDING), shown);
        case STEP_OPEN: return show_joined(self, step, read_at(answer, &r, LOOK_REQUEST));
        default: return 0;
        }
    }
    int err = otherwise(self, step, answer, &r, shown);

    if (!err && has_left_nothing(step, answer, &r))
        shown->outcome = STORE_APPLIED;
    return err;
}
