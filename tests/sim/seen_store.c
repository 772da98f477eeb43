/* SPDX-License-Identifier: Apache-2.0 */
/*
 * seen_store.c - what the store answers, compared with a model of its rows; see the header.
 *
 * Each step is given to the store with a `done` of this file, and a copy of it waits in `given`, in order.
 * The rows at a start are compared by a number that does not depend on their order (a digest).
 */
#include "seen_store.h"

#include "fake_store.h"
#include "ids_seen.h"
#include "oracle.h"
#include "stores/sqlite.h"

#include <stdlib.h>
#include <string.h>

#define NUMBERS_MAX 512

struct given {
    STAILQ_ENTRY(given) link;
    struct store_step copy; /* its texts are the step's own */
    struct store_step *step;
    void (*done)(struct store_step *, enum store_outcome);
    bool last; /* of its list */
};

struct digests {
    uint64_t of[NUMBERS_MAX];
    size_t n;
};

struct seen_store {
    struct store store; /* the gateway's view */
    struct store *real;
    struct node *node;
    struct world *world;
    struct fake_store *rows;
    struct id_seen *leases; /* that have ever had a row */
    STAILQ_HEAD(, given) given;
    unsigned otherwise;
    char tag[ID_TAG_SIZE];
    /* Rows with lists that failed since the last commit; `ghost` gets those of one moment. */
    struct digests ghosts;
    struct fake_store *ghost;
    uint64_t ghost_ms, failing_ms; /* failing_ms: of the first of them */
    bool killed;
    struct digests possible; /* at the next start */
};

static struct seen_store *current; /* of the process that runs: one world at a time */

static struct seen_store *seen_of(struct store *store)
{
    return (struct seen_store *)store;
}

/* ---- rows as a number ---- */

static void add_bytes(uint64_t *h, const void *bytes, size_t n)
{
    const unsigned char *p = bytes;

    for (size_t i = 0; i < n; i++)
        *h = (*h ^ p[i]) * UINT64_C(0x100000001B3);
}

static void add_number(uint64_t *h, int64_t number)
{
    add_bytes(h, &number, sizeof number);
}

static void add_text(uint64_t *h, const char *text)
{
    add_bytes(h, text, strlen(text) + 1);
}

static void add_holder(uint64_t *h, const struct holder *of)
{
    const char *const texts[] = {of->username,   of->domain, of->session, of->lsid,
                                 of->credential, of->system, of->account};

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        add_text(h, texts[i]);
    add_number(h, of->created_wall_ms);
}

static uint64_t begin_row(int kind)
{
    uint64_t h = UINT64_C(0xCBF29CE484222325);

    add_number(&h, kind);
    return h;
}

static int digest_request(void *sum, const struct request_row *r)
{
    const char *const texts[] = {r->mark, r->vault, r->url, r->user, r->name, r->last_error};
    uint64_t h = begin_row(1);

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        add_text(&h, texts[i]);
    add_number(&h, r->state);
    add_number(&h, r->adopted);
    add_number(&h, r->expires_wall_ms);
    add_number(&h, r->attempts);
    add_number(&h, r->next_wall_ms);
    add_holder(&h, &r->asker);
    *(uint64_t *)sum += h;
    return 0;
}

static int digest_lease(void *sum, const struct lease_row *l)
{
    uint64_t h = begin_row(2);

    add_text(&h, l->request);
    add_text(&h, l->id);
    add_holder(&h, &l->holder);
    add_number(&h, l->ended);
    add_text(&h, l->ended_site);
    *(uint64_t *)sum += h;
    return 0;
}

static int digest_cursor(void *sum, const struct cursor_row *c)
{
    uint64_t h = begin_row(3);

    add_text(&h, c->site);
    add_number(&h, c->cursor_ms);
    *(uint64_t *)sum += h;
    return 0;
}

static uint64_t digest(struct fake_store *rows)
{
    static const struct store_reader reader = {digest_request, digest_lease, digest_cursor};
    uint64_t sum = 0;

    (void)rows->store.ops->load(&rows->store, &reader, &sum);
    return sum;
}

static void add_digest(struct digests *to, struct fake_store *rows)
{
    if (to->n == NUMBERS_MAX)
        abort();
    to->of[to->n++] = digest(rows);
}

/* ---- rows ---- */

static int take_request(void *rows, const struct request_row *r)
{
    fake_store_put_request(rows, r);
    return 0;
}

static int take_lease(void *rows, const struct lease_row *l)
{
    fake_store_put_lease(rows, l);
    return 0;
}

static int take_cursor(void *rows, const struct cursor_row *c)
{
    fake_store_put_cursor(rows, c);
    return 0;
}

/* A model with the rows of this store. NULL = they cannot be read. */
static struct fake_store *rows_of(const struct seen_store *s, struct store *from)
{
    static const struct store_reader reader = {take_request, take_lease, take_cursor};
    struct fake_store *rows = malloc(sizeof *rows);

    if (!rows)
        abort();
    fake_store_init(rows, &s->node->clock);
    if (!from || from->ops->load(from, &reader, rows) == 0)
        return rows;
    fake_store_free(rows);
    free(rows);
    return NULL;
}

static void free_rows(struct fake_store *rows)
{
    if (!rows)
        return;
    fake_store_free(rows);
    free(rows);
}

static enum store_outcome apply(struct fake_store *rows, struct given *g)
{
    enum store_outcome outcome = fake_store_apply(rows, &g->copy);

    free(g->copy.now);
    g->copy.now = NULL;
    return outcome;
}

/* ---- answers ---- */

/* Lists that fail at one moment were one commit. */
static void note_failed(struct seen_store *s, struct given *g)
{
    if (!s->ghost || s->ghost_ms != s->world->now_ms) {
        s->failing_ms = s->ghost ? s->failing_ms : s->world->now_ms;
        free_rows(s->ghost);
        s->ghost = rows_of(s, &s->rows->store);
        s->ghost_ms = s->world->now_ms;
    } else if (s->ghosts.n) {
        s->ghosts.n--;
    }
    (void)apply(s->ghost, g);
    add_digest(&s->ghosts, s->ghost);
}

static void forget_failed(struct seen_store *s)
{
    free_rows(s->ghost);
    s->ghost = NULL;
    s->ghosts.n = 0;
}

static void note_answer(struct seen_store *s, struct given *g, enum store_outcome outcome)
{
    if (outcome == STORE_AWAY) {
        note_failed(s, g);
        return;
    }
    forget_failed(s);
    s->otherwise += outcome == STORE_OTHERWISE;
    enum store_outcome right = apply(s->rows, g);

    if (g->copy.lease.id && fake_store_lease(s->rows, g->copy.lease.id))
        ids_seen_add(&s->leases, g->copy.lease.id);
    if (right != outcome)
        world_fail(s->world, "the store answers a step (%s) otherwise than its rule says",
                   store_step_rules[g->copy.kind].name);
}

static void on_step(struct store_step *step, enum store_outcome outcome)
{
    struct seen_store *s = current;
    struct given *g = STAILQ_FIRST(&s->given);

    if (!g || g->step != step)
        abort(); /* an answer twice, or out of order */
    STAILQ_REMOVE_HEAD(&s->given, link);
    step->done = g->done;
    if (!s->killed)
        note_answer(s, g, outcome);
    free(g);
    step->done(step, outcome);
}

static void note_given(struct seen_store *s, struct store_steps *steps)
{
    struct store_step *step;

    STAILQ_FOREACH(step, steps, link)
    {
        struct given *g = calloc(1, sizeof *g);

        if (!g)
            abort();
        *g = (struct given){.copy = *step, .step = step, .done = step->done};
        g->copy.now = NULL;
        g->last = !STAILQ_NEXT(step, link);
        step->done = on_step;
        STAILQ_INSERT_TAIL(&s->given, g, link);
    }
}

/* ---- as a store ---- */

static int seen_steps(struct store *store, struct store_steps *steps)
{
    struct seen_store *s = seen_of(store);

    note_given(s, steps);
    int err = s->real->ops->steps(s->real, steps);

    if (err)
        abort(); /* this one refuses no list before it is closed */
    return 0;
}

static int seen_load(struct store *store, const struct store_reader *reader, void *arg)
{
    struct store *real = seen_of(store)->real;

    return real->ops->load(real, reader, arg);
}

static const char *seen_tag(const struct store *store)
{
    const struct store *real = ((const struct seen_store *)store)->real;

    return real->ops->tag(real);
}

static int seen_set_tag(struct store *store, const char tag[ID_TAG_SIZE])
{
    struct seen_store *s = seen_of(store);
    int err = s->real->ops->set_tag(s->real, tag);

    if (!err && !s->killed)
        memcpy(s->tag, tag, ID_TAG_SIZE);
    return err;
}

static void seen_state(const struct store *store, struct store_state *state)
{
    const struct store *real = ((const struct seen_store *)store)->real;

    real->ops->state(real, state);
}

static void seen_close(struct store *store, void (*closed)(void *arg), void *arg)
{
    struct store *real = seen_of(store)->real;

    real->ops->close(real, closed, arg);
}

static const struct store_ops seen_ops = {.name = "seen",
                                          .load = seen_load,
                                          .tag = seen_tag,
                                          .set_tag = seen_set_tag,
                                          .steps = seen_steps,
                                          .state = seen_state,
                                          .close = seen_close};

/* ---- starts and ends ---- */

static bool is_possible(const struct seen_store *s, uint64_t found)
{
    for (size_t i = 0; i < s->possible.n; i++)
        if (s->possible.of[i] == found) {
            counts_add(s->world->counts, 1, i ? "store.found.more" : "store.found.as_answered");
            return true;
        }
    return false;
}

static void compare(struct seen_store *s)
{
    struct fake_store *found = rows_of(s, s->real);

    if (!found) {
        if (!s->killed)
            world_fail(s->world, "the rows of the store cannot be read");
        return;
    }
    if (!is_possible(s, digest(found)))
        world_fail(s->world, "a start finds other rows than the store has answered");
    if (*s->tag && strcmp(s->tag, s->real->ops->tag(s->real)) != 0)
        world_fail(s->world, "the store has lost its tag");
    free_rows(s->rows);
    s->rows = found;
    for (size_t i = 0; i < FAKE_STORE_ROWS; i++)
        if (found->leases[i])
            ids_seen_add(&s->leases, found->leases[i]->id);
    s->possible.n = 0;
    forget_failed(s);
}

struct store *seen_store_open(struct seen_store *s, struct loop *loop, const char *state_dir, char why[320])
{
    bool rebuilt;

    s->killed = false;
    current = s;
    s->real = sqlite_store_open(loop, state_dir, false, &rebuilt, why);
    if (!s->real)
        return NULL;
    s->killed = s->node->dead; /* while it was opened */
    if (!s->killed)
        compare(s);
    return &s->store;
}

/* The rows as answered, and with what failed: whether that reached the file is not known. */
static void add_possible(struct seen_store *s, struct fake_store *rows)
{
    add_digest(&s->possible, rows);
    for (size_t i = 0; i < s->ghosts.n; i++)
        s->possible.of[s->possible.n++] = s->ghosts.of[i];
}

void seen_store_cut(struct seen_store *s)
{
    struct fake_store *rows = rows_of(s, &s->rows->store);
    struct given *g;

    s->killed = true;
    oracle_on_kill(s->world->oracle);
    if (s->ghost)
        oracle_on_lost_steps(s->world->oracle, s->failing_ms);
    if (s->possible.n) { /* killed again before its rows were looked at */
        free_rows(rows);
        return;
    }
    add_possible(s, rows);
    STAILQ_FOREACH(g, &s->given, link)
    {
        (void)apply(rows, g);
        if (g->last)
            add_digest(&s->possible, rows);
    }
    free_rows(rows);
}

void seen_store_closed(struct seen_store *s)
{
    if (!STAILQ_EMPTY(&s->given))
        abort(); /* a step without an answer */
    if (!s->killed && !s->possible.n)
        add_possible(s, s->rows);
}

/* ---- rows by what was answered ---- */

bool seen_store_has_request(const struct seen_store *s, const char *mark, const char *name)
{
    for (size_t i = 0; i < FAKE_STORE_ROWS; i++) {
        const struct request_row *row = s->rows->requests[i];

        if (row && (strcmp(row->mark, mark) == 0 || strcmp(row->name, name) == 0))
            return true;
    }
    return false;
}

bool seen_store_has_lease(const struct seen_store *s, const char *lease_id)
{
    return ids_seen_has(s->leases, lease_id);
}

size_t seen_store_requests(const struct seen_store *s)
{
    size_t n = 0;

    for (size_t i = 0; i < FAKE_STORE_ROWS; i++)
        n += s->rows->requests[i] && s->rows->requests[i]->state != REQUEST_LAPSED;
    return n;
}

size_t seen_store_leases(const struct seen_store *s)
{
    return fake_store_leases(s->rows);
}

bool seen_store_refused(const struct seen_store *s)
{
    return s->otherwise;
}

/* ---- life ---- */

struct seen_store *seen_store_new(struct node *n)
{
    struct seen_store *s = calloc(1, sizeof *s);

    if (!s)
        abort();
    s->store.ops = &seen_ops;
    s->node = n;
    s->world = n->world;
    STAILQ_INIT(&s->given);
    s->rows = rows_of(s, NULL);
    add_digest(&s->possible, s->rows);
    return s;
}

void seen_store_free(struct seen_store *s)
{
    free_rows(s->rows);
    free_rows(s->ghost);
    ids_seen_free(&s->leases);
    free(s);
}
