/* SPDX-License-Identifier: Apache-2.0 */
/*
 * etcd_steps.c - each kind of step as a chain of alternatives (etcd_txn.h): one for each form in which the
 * rows may be that the step expects (store.h).
 *
 *   kind    compares                                  writes
 *   ask     i and the asker's s absent                i
 *           (found at the vault:) r absent            r
 *   open    i is I, s and r absent                    r O, h, s; i goes
 *           r is O of this mark, s absent             r O, h, s
 *           r is O of this mark, h is there           r O, h, s: the same lease once more
 *           w is W of this request, s absent          r O, h, s; w goes
 *           i is I, s absent, r is O                  h, s; i goes: another gateway's request
 *   pend    r is O, no other h, w absent              w W; r, and h with s, go
 *   edit    the row is in its state                   the row
 *   amend   h is there                                s
 *   leave   h is there                                h and s go
 *   return  r is O or R, no other h                   r R; h with s go
 *           w is W of this request                    r R; w, and h with s, go
 *           i is there, r absent                      r R; i goes
 *   lapse   r is R, no h                              r L
 *   close   w is W of this request                    w, and h with s, go
 *           no other h                                r, i, and h with s, go
 *   cursor                                            p
 *
 * A lease that ends goes only where its h is there: the session's s may be of a newer lease.
 */
#include "stores/etcd_steps.h"

#include "stores/store_rows.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { ALTERNATIVES_MAX = 5 };

/* What a step's alternatives are put together from. */
struct parts {
    const struct store_step *step;
    const struct etcd_keys *k;
    struct buf request, lease; /* values, NUL-terminated */
    char holds_end[ETCD_KEY_SIZE], after_hold[ETCD_KEY_SIZE];
    char pending_from[ETCD_KEY_SIZE], pending_to[ETCD_KEY_SIZE]; /* values at w/ of this request */
    char held_from[ETCD_KEY_SIZE], held_to[ETCD_KEY_SIZE];       /* values at r/: held, of this mark */
    struct etcd_op lease_ends[2];
    struct etcd_alternative chain[ALTERNATIVES_MAX];
    size_t n;
};

/* ---- putting an alternative together ---- */

static struct etcd_alternative *alternative(struct parts *p)
{
    return &p->chain[p->n++];
}

static void compare(struct etcd_alternative *a, enum etcd_compare_kind kind, const char *key)
{
    a->compares[a->ncompares++] = (struct etcd_compare){.kind = kind, .key = key};
}

/* The row's value begins with a letter from `from` up to, without, `to`. */
static void compare_state(struct etcd_alternative *a, const char *key, const char *from, const char *to)
{
    a->compares[a->ncompares++] =
        (struct etcd_compare){.kind = ETCD_VALUE, .key = key, .from = from, .to = to};
}

static void compare_none_in(struct etcd_alternative *a, const char *from, const char *to)
{
    a->compares[a->ncompares++] = (struct etcd_compare){.kind = ETCD_NONE_IN, .key = from, .to = to};
}

static void put(struct etcd_alternative *a, const char *key, const char *value)
{
    a->ops[a->nops++] = (struct etcd_op){.kind = ETCD_PUT, .key = key, .value = value};
}

static void drop(struct etcd_alternative *a, const char *key)
{
    if (*key)
        a->ops[a->nops++] = (struct etcd_op){.kind = ETCD_DELETE, .key = key};
}

static bool has_lease(const struct parts *p)
{
    return *p->k->hold != '\0';
}

/* No lease holds the request but the one that ends with the step. */
static void compare_alone(const struct parts *p, struct etcd_alternative *a)
{
    const struct etcd_keys *k = p->k;

    if (!has_lease(p)) {
        compare_none_in(a, k->holds, p->holds_end);
        return;
    }
    compare_none_in(a, k->holds, k->hold);
    compare_none_in(a, p->after_hold, p->holds_end);
}

static void end_lease(const struct parts *p, struct etcd_alternative *a)
{
    if (has_lease(p))
        a->ops[a->nops++] =
            (struct etcd_op){.kind = ETCD_IF, .key = p->k->hold, .then = p->lease_ends, .nthen = 2};
}

static const char *request_value(const struct parts *p)
{
    return p->request.data;
}

/* ---- the kinds ---- */

static void ask(struct parts *p)
{
    struct etcd_alternative *a = alternative(p);
    const char *key = p->step->request.state == REQUEST_ASKED ? p->k->intent : p->k->request;

    compare(a, ETCD_ABSENT, key);
    if (key == p->k->intent)
        compare(a, ETCD_ABSENT, p->k->asker);
    put(a, key, request_value(p));
}

static void hold(const struct parts *p, struct etcd_alternative *a)
{
    put(a, p->k->request, request_value(p));
    put(a, p->k->hold, p->k->holder);
    put(a, p->k->lease, p->lease.data);
    drop(a, p->k->instead);
}

static void open_asked(struct parts *p)
{
    struct etcd_alternative *a = alternative(p);

    compare_state(a, p->k->intent, "I", "J");
    compare(a, ETCD_ABSENT, p->k->lease);
    compare(a, ETCD_ABSENT, p->k->request);
    hold(p, a);
    drop(a, p->k->intent);
}

static void open_held(struct parts *p, bool again)
{
    struct etcd_alternative *a = alternative(p);

    compare_state(a, p->k->request, p->held_from, p->held_to);
    compare(a, again ? ETCD_THERE : ETCD_ABSENT, again ? p->k->hold : p->k->lease);
    hold(p, a);
}

static void open_pending(struct parts *p)
{
    struct etcd_alternative *a = alternative(p);

    compare_state(a, p->k->pending, p->pending_from, p->pending_to);
    compare(a, ETCD_ABSENT, p->k->lease);
    hold(p, a);
    drop(a, p->k->pending);
}

enum { JOINED_REQUEST = 3 }; /* place of the read among the answers */

/* The vault has handed over a request that another gateway has made meanwhile: its row stays as it is. */
static void open_joined(struct parts *p)
{
    struct etcd_alternative *a = alternative(p);

    compare_state(a, p->k->intent, "I", "J");
    compare(a, ETCD_ABSENT, p->k->lease);
    compare_state(a, p->k->request, "O", "P");
    put(a, p->k->hold, p->k->holder);
    put(a, p->k->lease, p->lease.data);
    drop(a, p->k->intent);
    a->ops[a->nops++] = (struct etcd_op){.kind = ETCD_GET, .key = p->k->request};
}

static void open_lease(struct parts *p)
{
    open_asked(p);
    open_held(p, false);
    open_held(p, true);
    open_pending(p);
    open_joined(p);
}

static void pend(struct parts *p)
{
    struct etcd_alternative *a = alternative(p);

    compare_state(a, p->k->request, "O", "P");
    compare_alone(p, a);
    compare(a, ETCD_ABSENT, p->k->pending);
    put(a, p->k->pending, request_value(p));
    drop(a, p->k->request);
    end_lease(p, a);
}

/* The key under which a request is in this state, and the first letters of its value. */
static const char *key_in_state(const struct parts *p, const char **from, const char **to)
{
    switch (p->step->request.state) {
    case REQUEST_ASKED: *from = "I", *to = "J"; return p->k->intent;
    case REQUEST_PENDING: *from = p->pending_from, *to = p->pending_to; return p->k->pending;
    case REQUEST_RETURNING: *from = "R", *to = "S"; break;
    case REQUEST_LAPSED: *from = "L", *to = "M"; break;
    default: *from = "O", *to = "P";
    }
    return p->k->request;
}

static void edit(struct parts *p)
{
    const char *from, *to, *key = key_in_state(p, &from, &to);
    struct etcd_alternative *a = alternative(p);

    compare_state(a, key, from, to);
    put(a, key, request_value(p));
}

static void amend(struct parts *p)
{
    struct etcd_alternative *a = alternative(p);

    compare(a, ETCD_THERE, p->k->hold);
    put(a, p->k->lease, p->lease.data);
}

static void leave(struct parts *p)
{
    struct etcd_alternative *a = alternative(p);

    compare(a, ETCD_THERE, p->k->hold);
    drop(a, p->k->hold);
    drop(a, p->k->lease);
}

static void give_back(struct parts *p)
{
    struct etcd_alternative *a = alternative(p);

    compare_state(a, p->k->request, "O", "S");
    compare_alone(p, a);
    put(a, p->k->request, request_value(p));
    end_lease(p, a);

    a = alternative(p);
    compare_state(a, p->k->pending, p->pending_from, p->pending_to);
    put(a, p->k->request, request_value(p));
    drop(a, p->k->pending);
    end_lease(p, a);

    a = alternative(p);
    compare(a, ETCD_THERE, p->k->intent);
    compare(a, ETCD_ABSENT, p->k->request);
    put(a, p->k->request, request_value(p));
    drop(a, p->k->intent);
}

static void lapse(struct parts *p)
{
    struct etcd_alternative *a = alternative(p);

    compare_state(a, p->k->request, "R", "S");
    compare_none_in(a, p->k->holds, p->holds_end);
    put(a, p->k->request, request_value(p));
}

static void close_request(struct parts *p)
{
    struct etcd_alternative *a = alternative(p);

    compare_state(a, p->k->pending, p->pending_from, p->pending_to);
    drop(a, p->k->pending);
    end_lease(p, a);

    a = alternative(p);
    compare_alone(p, a);
    drop(a, p->k->request);
    drop(a, p->k->intent);
    end_lease(p, a);
}

static void (*const kinds[STEP_NKINDS])(struct parts *) = {
    [STEP_ASK] = ask,          [STEP_OPEN] = open_lease, [STEP_PEND] = pend,
    [STEP_EDIT] = edit,        [STEP_AMEND] = amend,     [STEP_LEAVE] = leave,
    [STEP_RETURN] = give_back, [STEP_LAPSE] = lapse,     [STEP_CLOSE] = close_request,
};

/* ---- a step as a whole ---- */

/* Values in this state and of this mark: a comma follows the mark, and comes before '-'. */
static bool write_range_of(char from[ETCD_KEY_SIZE], char to[ETCD_KEY_SIZE], char letter, const char *mark)
{
    bool fits = snprintf(from, ETCD_KEY_SIZE, "%c{\"m\":\"%s\"", letter, mark) < ETCD_KEY_SIZE;

    return fits && snprintf(to, ETCD_KEY_SIZE, "%c{\"m\":\"%s\"-", letter, mark) < ETCD_KEY_SIZE;
}

static bool begin_parts(struct parts *p, const struct etcd_self *self)
{
    const struct request_row *r = &p->step->request;
    const char *mark = r->mark;

    etcd_request_value(&p->request, r, self->owner);
    (void)buf_cstr(&p->request);
    if (has_lease(p)) {
        etcd_lease_value(&p->lease, &p->step->lease, r);
        (void)buf_cstr(&p->lease);
    }
    bool fits = snprintf(p->holds_end, ETCD_KEY_SIZE, "%s", p->k->holds) < ETCD_KEY_SIZE;

    p->holds_end[strlen(p->holds_end) - 1]++; /* '/' is one less than '0' */
    fits &= snprintf(p->after_hold, ETCD_KEY_SIZE, "%s!", p->k->hold) < ETCD_KEY_SIZE;
    fits &= write_range_of(p->pending_from, p->pending_to, 'W', mark);
    fits &= write_range_of(p->held_from, p->held_to, 'O', mark);
    p->lease_ends[0] = (struct etcd_op){.kind = ETCD_DELETE, .key = p->k->hold};
    p->lease_ends[1] = (struct etcd_op){.kind = ETCD_DELETE, .key = p->k->lease};
    return fits;
}

static void write_cursor(const struct etcd_writer *w, const struct store_step *step,
                         const struct etcd_keys *k)
{
    char value[24];
    const struct etcd_alternative always = {.ops = {{.kind = ETCD_PUT, .key = k->cursor, .value = value}},
                                            .nops = 1};

    (void)snprintf(value, sizeof value, "%" PRId64, step->cursor.cursor_ms);
    etcd_write_chain(w, &always, 1, NULL, 0);
}

/* The request wherever it is, for OTHERWISE and after a lost answer. */
enum { LOOK_REQUEST, LOOK_INTENT, LOOK_PENDING, LOOK_ROWS, LOOK_HOLD = LOOK_ROWS, LOOK_ALL };

static size_t look_ops(struct etcd_op ops[LOOK_ALL], const struct etcd_keys *k)
{
    ops[LOOK_REQUEST] = (struct etcd_op){.kind = ETCD_GET, .key = k->request};
    ops[LOOK_INTENT] = (struct etcd_op){.kind = ETCD_GET, .key = k->intent};
    ops[LOOK_PENDING] = (struct etcd_op){.kind = ETCD_GET, .key = k->pending};
    ops[LOOK_HOLD] = (struct etcd_op){.kind = ETCD_GET, .key = k->hold};
    return *k->hold ? LOOK_ALL : LOOK_ROWS;
}

/* What is absent anyway needs neither change nor deletion. */
static bool cannot_fail(const struct store_step *step)
{
    return step->kind == STEP_AMEND || step->kind == STEP_LEAVE || step->kind == STEP_CURSOR;
}

int etcd_step_write(const struct etcd_writer *w, const struct etcd_self *self, const struct store_step *step,
                    const struct etcd_keys *k)
{
    struct parts p = {
        .step = step, .k = k, .request = BUF_INIT(ETCD_VALUE_SIZE), .lease = BUF_INIT(ETCD_VALUE_SIZE)};
    struct etcd_op reads[LOOK_ALL];

    if (step->kind == STEP_CURSOR) {
        write_cursor(w, step, k);
        return w->out->failed ? -ENOMEM : 0;
    }
    bool fits = begin_parts(&p, self);
    bool failed = p.request.failed || p.lease.failed;

    if (fits && !failed) {
        kinds[step->kind](&p);
        (void)look_ops(reads, k);
        etcd_write_chain(w, p.chain, p.n, reads, cannot_fail(step) ? 0 : LOOK_ROWS);
    }
    buf_free(&p.request);
    buf_free(&p.lease);
    return !fits ? -ENAMETOOLONG : failed || w->out->failed ? -ENOMEM : 0;
}

/* ---- outcomes ---- */

/* The row that a read has found, into *row. 1 = there is none. */
static int read_row(const cJSON *range, struct etcd_row *row)
{
    struct etcd_kv kv;

    if (!etcd_kv_read(range, 0, &kv))
        return 1;
    int err = etcd_row_read(row, false, kv.value.data, kv.value.len);

    etcd_kv_free(&kv);
    return err;
}

/* The request as these reads have found it, into step->now. The row at w/ may be of another request. */
static int show_request(struct store_step *step, const cJSON *reads)
{
    struct etcd_row row;
    int at = 0, err;

    while ((err = read_row(etcd_response(reads, at), &row)) == 1)
        if (++at == LOOK_ROWS)
            return 0;
    if (err)
        return err;
    bool shown = at != LOOK_PENDING || strcmp(row.request.mark, step->request.mark) == 0;

    if (shown)
        step->now = request_row_copy(&row.request);
    etcd_row_free(&row);
    return shown && !step->now ? -ENOMEM : 0;
}

static int otherwise(struct store_step *step, const cJSON *reads, enum store_outcome *outcome)
{
    int err = show_request(step, reads);

    *outcome = step->kind == STEP_CLOSE && !step->now ? STORE_APPLIED : STORE_OTHERWISE;
    return err;
}

/* Into step->now, where another gateway has made the request that the lease holds. */
static int show_joined(struct store_step *step, const cJSON *range)
{
    struct etcd_row row;
    int err = step->kind == STEP_OPEN ? read_row(range, &row) : 1;

    if (err)
        return err < 0 ? err : 0;
    bool joined = strcmp(row.request.mark, step->request.mark) != 0;

    if (joined)
        step->now = request_row_copy(&row.request);
    etcd_row_free(&row);
    return joined && !step->now ? -ENOMEM : 0;
}

int etcd_step_read(struct store_step *step, const cJSON *answer, enum store_outcome *outcome)
{
    bool held = false;
    const cJSON *reads = etcd_chain_answer(answer, &held);

    *outcome = STORE_APPLIED;
    if (!reads)
        return -EPROTO;
    if (cannot_fail(step))
        return 0;
    return held ? show_joined(step, etcd_response(reads, JOINED_REQUEST)) : otherwise(step, reads, outcome);
}

void etcd_step_write_look(const struct etcd_writer *w, const struct etcd_keys *k)
{
    struct etcd_alternative always = {.nops = 1};

    if (*k->cursor)
        always.ops[0] = (struct etcd_op){.kind = ETCD_GET, .key = k->cursor};
    else
        always.nops = look_ops(always.ops, k);
    etcd_write_chain(w, &always, 1, NULL, 0);
}

/* Which of the keys the step writes where it is applied. */
static int written_key(const struct store_step *step)
{
    switch (step->kind) {
    case STEP_OPEN: return LOOK_HOLD;
    case STEP_PEND: return LOOK_PENDING;
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

int etcd_step_judge(struct store_step *step, const cJSON *answer, int64_t revision,
                    enum store_outcome *outcome)
{
    *outcome = STORE_APPLIED;
    if (cannot_fail(step))
        return 0;
    if (step->kind != STEP_CLOSE && is_of_revision(etcd_response(answer, written_key(step)), revision))
        return show_joined(step, etcd_response(answer, LOOK_REQUEST));
    return otherwise(step, answer, outcome);
}
