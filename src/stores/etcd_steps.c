/* SPDX-License-Identifier: Apache-2.0 */
/*
 * etcd_steps.c - each kind of step as a chain of alternatives (etcd_txn.h): one for each form in which the
 * rows may be that the step expects (store.h).
 *
 *   kind    compares                                  writes
 *   ask     i and the asker's s absent, x not         i, e; reads w
 *             changed after `since`
 *           (found at the vault:) r absent            r
 *   open    i is I, s and r absent, not `reused`      r O, h, s; i goes
 *           r is O of this mark, s absent, `instead`  r O, h, s; another owner's r stays as it is
 *             is I
 *           r is O of this mark, h is there           r O, s: the same lease once more; as before
 *           r is W of this mark, s absent,            r O, h, s, e; w goes
 *             `instead` is I
 *           i is I, s absent, r is O                  h, s; i and that of `instead` go: another gateway's
 *   pend    r is O, no other h, w absent              r W, w; h with s and e go
 *   edit    the row is in its state                   the row; of an intent e
 *   amend   h is there                                s, e
 *   leave   h is there                                h, s and e go
 *   return  r is O of this mark, no other h           r R; h with s and e go
 *           r is R of this mark                       the same
 *           r is W of this mark                       r R; w, and h with s and e, go
 *           i is there, r absent                      r R; i and e go
 *           i is there                                i and e go: others hold the request
 *   lapse   r is R, no h                              r L
 *   close   r is W of this mark, whoever owns it      r, w, and h with s and e, go
 *           no other h                                r, i, and h with s and e, go
 *   release (undo:) h says 2                          h says 1
 *           (undo:) h says many                       nothing
 *           (it is to wait:) r is O, h is there, no   r W, w; h, s and e go
 *             other h, w absent
 *           r is O, h is there, no other h            r R (or goes); h, s and e go
 *           h is there                                h, s and e go
 *   end     r is O of this mark                       r R
 *   cancel  i is I of this mark and owner             i X
 *   clear   s is of this lease, r absent, R or L      h, s and e go
 *   repeat  h says 1, r is O                          h says 2
 *           h is there, r is O                        h says many
 *   finish                                            x
 *   cursor                                            p
 *   spin, again                                       nothing: no such request is kept here
 *
 * Where the step describes a request as this gateway's own, O and W are of this gateway as well: another one
 * may have opened or kept it meanwhile. A lease that ends goes only where its h is there: the session's s may
 * be of a newer lease.
 *
 * Before those of a step that ends a lease, and does not know an lsid of it, stands one that holds where s
 * has an lsid: it reads s and writes nothing, and the store gives the step again with that lsid. Without it e
 * stays where the lsid has become known since the step's lease was read. RELEASE to undo has none.
 *
 * CLOSE or LAPSE of a request that is R and has an h is OTHERWISE here; the flight (etcd_flight.c) has the
 * leases go first, and gives the step again.
 */
#include "stores/etcd_look.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* What a step's alternatives are put together from. */
struct parts {
    const struct store_step *step;
    const struct etcd_keys *k;
    struct buf request, lease; /* values, NUL-terminated */
    struct buf returning;      /* of RELEASE of a request that is to wait: value where it cannot */
    bool is_anothers; /* the step describes a request as a question has shown it: its owner is another */
    char holds_end[ETCD_KEY_SIZE], after_hold[ETCD_KEY_SIZE];
    char waiting_from[ETCD_KEY_SIZE], waiting_to[ETCD_KEY_SIZE]; /* values at r/: waiting, of this mark */
    char pending_from[ETCD_KEY_SIZE], pending_to[ETCD_KEY_SIZE]; /* the same, of its owner where that is this
                                                                    gateway */
    char held_from[ETCD_KEY_SIZE], held_to[ETCD_KEY_SIZE];       /* values at r/: held, of this mark */
    char opened_from[ETCD_KEY_SIZE], opened_to[ETCD_KEY_SIZE];   /* the same, of its owner where that is this
                                                                    gateway */
    char returning_from[ETCD_KEY_SIZE], returning_to[ETCD_KEY_SIZE]; /* the same, returning */
    char owned_from[ETCD_KEY_SIZE], owned_to[ETCD_KEY_SIZE]; /* values at i/: of this mark and owner */
    char two[ETCD_KEY_SIZE], many[ETCD_KEY_SIZE];            /* values at h/: so many check-outs */
    char lease_from[ETCD_KEY_SIZE], lease_to[ETCD_KEY_SIZE]; /* values at s/: of this lease */
    char named_from[ETCD_KEY_SIZE], named_to[ETCD_KEY_SIZE]; /* the same, with an lsid */
    struct etcd_op lease_ends[3];
    size_t nlease_ends;
    struct etcd_alternative chain[ETCD_ALTERNATIVES_MAX];
    size_t n;
};

/* ---- putting an alternative together ---- */

static struct etcd_alternative *alternative(struct parts *p)
{
    struct etcd_alternative *a = &p->chain[p->n++];

    a->ncompares = a->nops = 0;
    return a;
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
        a->ops[a->nops++] = (struct etcd_op){
            .kind = ETCD_IF, .key = p->k->hold, .then = p->lease_ends, .nthen = p->nlease_ends};
}

/* A lease that is known to be there ends. */
static void drop_lease(const struct parts *p, struct etcd_alternative *a)
{
    drop(a, p->k->hold);
    drop(a, p->k->lease);
    drop(a, p->k->lease_lsid);
}

static void put_lsid(struct etcd_alternative *a, const char *key, const char *value)
{
    if (*key)
        put(a, key, value);
}

static void drop_intent(const struct parts *p, struct etcd_alternative *a)
{
    drop(a, p->k->intent);
    drop(a, p->k->asker_lsid);
}

static const char *request_value(const struct parts *p)
{
    return p->request.data;
}

/* ---- the kinds ---- */

static void read_row(struct etcd_alternative *a, const char *key)
{
    a->ops[a->nops++] = (struct etcd_op){.kind = ETCD_GET, .key = key};
}

static void ask(struct parts *p)
{
    struct etcd_alternative *a = alternative(p);
    const char *key = p->step->request.state == REQUEST_ASKED ? p->k->intent : p->k->request;

    compare(a, ETCD_ABSENT, key);
    if (key == p->k->intent)
        compare(a, ETCD_ABSENT, p->k->asker);
    for (size_t i = 0; i < STORE_FINISHES; i++)
        if (*p->k->finishes[i])
            a->compares[a->ncompares++] = (struct etcd_compare){
                .kind = ETCD_NOT_SINCE, .key = p->k->finishes[i], .mod = p->step->since + 1};
    put(a, key, request_value(p));
    if (key != p->k->intent)
        return;
    put_lsid(a, p->k->asker_lsid, p->k->asker_value);
    read_row(a, p->k->pending);
}

/* Whoever owns another gateway's request by now still does. `again`: the lease has its hold. */
static void hold(const struct parts *p, struct etcd_alternative *a, bool again)
{
    if (!p->is_anothers)
        put(a, p->k->request, request_value(p));
    if (!again)
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
    hold(p, a, false);
    drop(a, p->k->intent);
}

/* Its session has not ended meanwhile. */
static void compare_instead(const struct parts *p, struct etcd_alternative *a)
{
    if (*p->k->instead)
        compare_state(a, p->k->instead, "I", "J");
}

static void open_held(struct parts *p, bool again)
{
    struct etcd_alternative *a = alternative(p);

    compare_state(a, p->k->request, p->opened_from, p->opened_to);
    compare(a, again ? ETCD_THERE : ETCD_ABSENT, again ? p->k->hold : p->k->lease);
    if (!again)
        compare_instead(p, a);
    hold(p, a, again);
    if (p->is_anothers)
        read_row(a, p->k->request);
}

static void open_pending(struct parts *p)
{
    struct etcd_alternative *a = alternative(p);

    compare_state(a, p->k->request, p->pending_from, p->pending_to);
    compare(a, ETCD_ABSENT, p->k->lease);
    compare_instead(p, a);
    if (p->is_anothers)
        put(a, p->k->request, request_value(p));
    hold(p, a, false);
    drop(a, p->k->pending);
    put_lsid(a, p->k->lease_lsid, p->k->holder);
    if (p->is_anothers)
        read_row(a, p->k->request);
}

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
    drop(a, p->k->instead);
    read_row(a, p->k->request);
}

static void open_lease(struct parts *p)
{
    if (!p->step->reused)
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
    put(a, p->k->request, request_value(p));
    put(a, p->k->pending, p->k->pending_value);
    end_lease(p, a);
}

/* The key under which a request is in this state, and the first letters of its value. */
static const char *key_in_state(const struct parts *p, const char **from, const char **to)
{
    switch (p->step->request.state) {
    case REQUEST_ASKED: *from = "I", *to = "J"; return p->k->intent;
    case REQUEST_PENDING: *from = p->pending_from, *to = p->pending_to; break;
    case REQUEST_RETURNING: *from = "R", *to = "S"; break;
    case REQUEST_LAPSED: *from = "L", *to = "M"; break;
    case REQUEST_SPINNING: *from = "S", *to = "T"; break;
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
    if (key == p->k->intent)
        put_lsid(a, p->k->asker_lsid, p->k->asker_value);
}

static void amend(struct parts *p)
{
    struct etcd_alternative *a = alternative(p);

    compare(a, ETCD_THERE, p->k->hold);
    put(a, p->k->lease, p->lease.data);
    put_lsid(a, p->k->lease_lsid, p->k->holder);
}

static void leave(struct parts *p)
{
    struct etcd_alternative *a = alternative(p);

    compare(a, ETCD_THERE, p->k->hold);
    drop_lease(p, a);
}

/* `alone`: only where no other lease holds it. */
static void give_back_from(struct parts *p, const char *from, const char *to, bool alone)
{
    struct etcd_alternative *a = alternative(p);

    compare_state(a, p->k->request, from, to);
    if (alone)
        compare_alone(p, a);
    put(a, p->k->request, request_value(p));
    end_lease(p, a);
}

static void give_back(struct parts *p)
{
    give_back_from(p, p->held_from, p->held_to, true);
    give_back_from(p, p->returning_from, p->returning_to, false);
    struct etcd_alternative *a = alternative(p);

    compare_state(a, p->k->request, p->pending_from, p->pending_to);
    put(a, p->k->request, request_value(p));
    drop(a, p->k->pending);
    end_lease(p, a);

    a = alternative(p);
    compare(a, ETCD_THERE, p->k->intent);
    compare(a, ETCD_ABSENT, p->k->request);
    put(a, p->k->request, request_value(p));
    drop_intent(p, a);

    a = alternative(p);
    compare(a, ETCD_THERE, p->k->intent);
    drop_intent(p, a);
    read_row(a, p->k->request);
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

    compare_state(a, p->k->request, p->waiting_from, p->waiting_to);
    drop(a, p->k->request);
    drop(a, p->k->pending);
    end_lease(p, a);

    a = alternative(p);
    compare_alone(p, a);
    drop(a, p->k->request);
    drop_intent(p, a);
    end_lease(p, a);
}

static void compare_answers(struct etcd_alternative *a, const char *key, const char *value)
{
    a->compares[a->ncompares++] = (struct etcd_compare){.kind = ETCD_IS, .key = key, .from = value};
}

static void read_holders(const struct parts *p, struct etcd_alternative *a)
{
    read_row(a, p->k->request);
    a->ops[a->nops++] = (struct etcd_op){.kind = ETCD_GET, .key = p->k->holds, .to = p->holds_end};
}

/* Others answer with the lease. */
static void undo(struct parts *p)
{
    struct etcd_alternative *a = alternative(p);

    compare_answers(a, p->k->hold, p->two);
    put(a, p->k->hold, p->k->holder);
    read_holders(p, a);

    a = alternative(p);
    compare_answers(a, p->k->hold, p->many);
    read_holders(p, a);
}

static void repeat_if(struct parts *p, const char *is, const char *becomes)
{
    struct etcd_alternative *a = alternative(p);

    if (is)
        compare_answers(a, p->k->hold, is);
    else
        compare(a, ETCD_THERE, p->k->hold);
    compare_state(a, p->k->request, "O", "P");
    put(a, p->k->hold, becomes);
}

static void repeat(struct parts *p)
{
    repeat_if(p, p->k->holder, p->two);
    repeat_if(p, NULL, p->many);
}

static struct etcd_alternative *release_last(struct parts *p)
{
    struct etcd_alternative *a = alternative(p);

    compare_state(a, p->k->request, "O", "P");
    compare(a, ETCD_THERE, p->k->hold);
    compare_alone(p, a);
    drop_lease(p, a);
    return a;
}

/* Where the user has another one that waits, this one does not. */
static void release_to_wait(struct parts *p)
{
    struct etcd_alternative *a = release_last(p);

    compare(a, ETCD_ABSENT, p->k->pending);
    put(a, p->k->request, request_value(p));
    put(a, p->k->pending, p->k->pending_value);
    read_row(a, p->k->request);

    a = release_last(p);
    put(a, p->k->request, p->returning.data);
    read_row(a, p->k->request);
}

static void release_to_return(struct parts *p)
{
    struct etcd_alternative *a = release_last(p);

    if (etcd_needs_no_checkin(&p->step->request))
        drop(a, p->k->request);
    else
        put(a, p->k->request, request_value(p));
}

static void release(struct parts *p)
{
    if (p->step->undo)
        undo(p);
    if (p->step->request.state == REQUEST_PENDING)
        release_to_wait(p);
    else
        release_to_return(p);
    struct etcd_alternative *a = alternative(p);

    compare(a, ETCD_THERE, p->k->hold);
    drop_lease(p, a);
    read_holders(p, a);
}

static void end_request(struct parts *p)
{
    struct etcd_alternative *a = alternative(p);

    compare_state(a, p->k->request, p->held_from, p->held_to);
    put(a, p->k->request, request_value(p));
}

static void cancel(struct parts *p)
{
    struct etcd_alternative *a = alternative(p);

    compare_state(a, p->k->intent, p->owned_from, p->owned_to);
    put(a, p->k->intent, request_value(p));
}

static void clear_where(struct parts *p, const char *from, const char *to)
{
    struct etcd_alternative *a = alternative(p);

    compare_state(a, p->k->lease, p->lease_from, p->lease_to);
    if (from)
        compare_state(a, p->k->request, from, to);
    else
        compare(a, ETCD_ABSENT, p->k->request);
    drop_lease(p, a);
}

static void clear(struct parts *p)
{
    clear_where(p, NULL, NULL);
    clear_where(p, "R", "S");
    clear_where(p, "L", "M");
}

/* Of a request whose key comes again, which this store does not keep: it never holds. */
static void refuse(struct parts *p)
{
    struct etcd_alternative *a = alternative(p);

    compare(a, ETCD_THERE, p->k->request);
    compare(a, ETCD_ABSENT, p->k->request);
}

static void learn_lsid(struct parts *p)
{
    struct etcd_alternative *a = alternative(p);

    compare_state(a, p->k->lease, p->named_from, p->named_to);
    read_row(a, p->k->lease);
}

static void (*const kinds[STEP_NKINDS])(struct parts *) = {
    [STEP_ASK] = ask,          [STEP_OPEN] = open_lease, [STEP_PEND] = pend,
    [STEP_EDIT] = edit,        [STEP_AMEND] = amend,     [STEP_LEAVE] = leave,
    [STEP_RETURN] = give_back, [STEP_LAPSE] = lapse,     [STEP_CLOSE] = close_request,
    [STEP_SPIN] = refuse,      [STEP_AGAIN] = refuse,    [STEP_RELEASE] = release,
    [STEP_END] = end_request,  [STEP_CANCEL] = cancel,   [STEP_CLEAR] = clear,
    [STEP_REPEAT] = repeat,
};

/* ---- a step as a whole ---- */

/* Values in this state that begin so: a comma follows the text, and comes before '-'. */
static bool write_range_of(char from[ETCD_KEY_SIZE], char to[ETCD_KEY_SIZE], const char *begin,
                           const char *text)
{
    return etcd_put_texts(from, (const char *const[]){begin, text, "\"", NULL}) &&
           etcd_put_texts(to, (const char *const[]){from, "-", NULL});
}

static bool write_owned(char text[ETCD_KEY_SIZE], const char *mark, const char *owner)
{
    return etcd_put_texts(text, (const char *const[]){mark, "\",\"o\":\"", owner, NULL});
}

static bool write_ranges(struct parts *p, const struct etcd_self *self)
{
    const struct request_row *r = &p->step->request;
    char owned[ETCD_KEY_SIZE], own[ETCD_KEY_SIZE];
    bool fits =
        write_owned(owned, r->mark, r->owner ? r->owner : "") && write_owned(own, r->mark, self->owner);
    const char *text = p->is_anothers ? r->mark : own;

    return fits && write_range_of(p->pending_from, p->pending_to, "W{\"m\":\"", text) &&
           write_range_of(p->opened_from, p->opened_to, "O{\"m\":\"", text) &&
           write_range_of(p->waiting_from, p->waiting_to, "W{\"m\":\"", r->mark) &&
           write_range_of(p->held_from, p->held_to, "O{\"m\":\"", r->mark) &&
           write_range_of(p->returning_from, p->returning_to, "R{\"m\":\"", r->mark) &&
           write_range_of(p->owned_from, p->owned_to, "I{\"m\":\"", owned) &&
           (!has_lease(p) || (write_range_of(p->lease_from, p->lease_to, "O{\"i\":\"", p->step->lease.id) &&
                              etcd_named_lease_range(p->named_from, p->named_to, p->step->lease.id) &&
                              etcd_hold_value(p->two, p->k->holder, ANSWERS_TWO) &&
                              etcd_hold_value(p->many, p->k->holder, ANSWERS_MANY)));
}

/* A cancelled intent keeps its owner; of every other row that is written this gateway is the owner. */
static void write_request(struct parts *p, const struct etcd_self *self)
{
    struct request_row r = p->step->request;
    bool is_new = store_step_rules[p->step->kind].request == ROW_INSERTED;
    const char *more = is_new ? "" : etcd_kept_members(self->kept, KEPT_REQUEST, r.mark);
    bool cancels = p->step->kind == STEP_CANCEL;

    r.cancelled = cancels;
    r.state = cancels ? REQUEST_ASKED : r.state;
    etcd_request_value(&p->request, &r, cancels && r.owner ? r.owner : self->owner, more);
    (void)buf_cstr(&p->request);
    if (p->step->kind != STEP_RELEASE || r.state != REQUEST_PENDING)
        return;
    r.state = REQUEST_RETURNING;
    r.attempts = r.next_wall_ms = 0;
    etcd_request_value(&p->returning, &r, self->owner, more);
    (void)buf_cstr(&p->returning);
}

static bool begin_parts(struct parts *p, const struct etcd_self *self)
{
    const char *owner = p->step->request.owner;

    p->is_anothers = owner && *owner && strcmp(owner, self->owner) != 0;
    write_request(p, self);
    if (has_lease(p)) {
        etcd_lease_value(&p->lease, &p->step->lease, &p->step->request,
                         etcd_kept_members(self->kept, KEPT_LEASE, p->step->lease.id));
        (void)buf_cstr(&p->lease);
    }
    etcd_key_end(p->holds_end, p->k->holds);
    bool fits = etcd_put_texts(p->after_hold, (const char *const[]){p->k->hold, "!", NULL});

    const char *const ends[] = {p->k->hold, p->k->lease, p->k->lease_lsid};

    for (size_t i = 0; i < 3 && *ends[i]; i++)
        p->lease_ends[p->nlease_ends++] = (struct etcd_op){.kind = ETCD_DELETE, .key = ends[i]};
    return fits && write_ranges(p, self);
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

static void write_finish(const struct etcd_writer *w, const struct etcd_self *self,
                         const struct store_step *step, const struct etcd_keys *k)
{
    const char *key = k->finishes[0];
    uint64_t ago_ms = self->now_ms > step->over_ms ? self->now_ms - step->over_ms : 0;
    char value[24];
    const struct etcd_alternative chain[] = {
        {.compares = {{.kind = ETCD_NOT_SINCE, .key = key, .mod = step->since + 1}},
         .ncompares = 1,
         .ops = {{.kind = ETCD_PUT, .key = key, .value = value}},
         .nops = 1},
        {.ops = {{.kind = ETCD_PUT, .key = key, .value = "0"}}, .nops = 1}};

    (void)snprintf(value, sizeof value, "%" PRIu64, ago_ms);
    etcd_write_chain(w, chain, 2, NULL, 0);
}

int etcd_step_write(const struct etcd_writer *w, const struct etcd_self *self, const struct store_step *step,
                    const struct etcd_keys *k, struct etcd_shape *shape)
{
    struct parts p; /* 10 kB, of which a step writes what it needs */
    struct etcd_look reads;

    p.step = step;
    p.k = k;
    p.request = p.lease = p.returning = BUF_INIT(ETCD_VALUE_SIZE);
    p.n = p.nlease_ends = 0;

    *shape = (struct etcd_shape){.n = 0};
    if (step->kind == STEP_FINISH)
        write_finish(w, self, step, k);
    if (step->kind == STEP_CURSOR)
        write_cursor(w, step, k);
    if (step->kind == STEP_CURSOR || step->kind == STEP_FINISH) {
        shape->nops[shape->n++] = 1;
        return w->out->failed ? -ENOMEM : 0;
    }
    bool fits = begin_parts(&p, self);
    bool failed = p.request.failed || p.lease.failed || p.returning.failed;

    if (fits && !failed) {
        if (etcd_may_lack_lsid(step))
            learn_lsid(&p);
        shape->named = p.n;
        kinds[step->kind](&p);
        for (; shape->n < p.n; shape->n++)
            shape->nops[shape->n] = p.chain[shape->n].nops;
        etcd_look_plan(&reads, step, k, p.holds_end, false);
        etcd_write_chain(w, p.chain, p.n, reads.ops, etcd_cannot_fail(step) ? 0 : reads.n);
    }
    buf_free(&p.request);
    buf_free(&p.lease);
    buf_free(&p.returning);
    return !fits ? -ENAMETOOLONG : failed || w->out->failed ? -ENOMEM : 0;
}
