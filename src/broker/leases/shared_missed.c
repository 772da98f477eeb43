/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shared_missed.c - requests that are this gateway's in a shared store, and that its table lacks for want of
 * memory; see shared.h.
 *
 * A request that was adopted, or whose last lease has ended here, has no other gateway that checks it in. If
 * its record cannot be made, or a step that was to end it is lost, all requests of this gateway are asked for
 * a little later, page by page, until the table has them all and the store has none as held that the table
 * gives back. Its deadline has a place of its own: however long memory is short, it goes on.
 *
 * What a page shows may have changed since: then a later step on the request finds it out (shared.c).
 */
#include "base/container_of.h"
#include "broker/leases/shared_steps.h"

#include <string.h>

#define AGAIN_MS  1000
#define ASKING_MS 10000

static void ask_later(struct leases *ls);

/* The leases of one request follow each other. Of one whose row has gone only the id is known. */
static size_t take_leases(const struct store_found *first, const struct lease_row *leases[STORE_LIST_MAX])
{
    const struct store_found *f = first;
    size_t n = 0;

    for (; f && f->request && strcmp(f->request->mark, first->request->mark) == 0; f = STAILQ_NEXT(f, link))
        if (n < STORE_LIST_MAX && f->lease && *f->lease->holder.credential)
            leases[n++] = f->lease;
    return n;
}

/* Its END was lost: the store has it as held, and would never let it go. */
static bool is_behind(const struct vault_request *r)
{
    return r->returned || vault_request_is_returning(r) || r->state == VR_LAPSED;
}

/* Its record decides first: it is gone then, or it is given back. */
static bool is_undecided(const struct vault_request *r)
{
    return r->unwritten || r->undecided || r->opening || vault_request_is_looked_for(r) ||
           r->state == VR_ELSEWHERE;
}

/* A step that was lost is put again. False = later. */
static bool compare(struct vault_request *r, const struct request_row *row)
{
    if (row->state != REQUEST_HELD)
        return true;
    if (is_undecided(r))
        return false;
    return !is_behind(r) || shared_put_end(r);
}

/* False = not all of it, for want of memory. */
static bool adopt_page(struct leases *ls, const struct store_found_list *page)
{
    const struct lease_row *leases[STORE_LIST_MAX];
    const struct store_found *f;
    const char *mark = "";
    bool all = true;

    STAILQ_FOREACH(f, page, link)
    {
        if (!f->request || strcmp(f->request->mark, mark) == 0)
            continue;
        mark = f->request->mark;
        struct vault_request *r = f->request->mine ? shared_record(ls, mark) : NULL;

        if (r)
            all = compare(r, f->request) && all;
        else if (f->request->mine)
            all = !shared_adopt(ls, "", f->request, leases, take_leases(f, leases)) && all;
    }
    return all;
}

static void ask(struct leases *);

static void on_page(struct store_question *q, enum store_answer answer)
{
    struct leases *ls = CONTAINER_OF(q, struct leases, missed.question);

    if (answer != STORE_OPEN)
        q->cursor[0] = '\0';
    else if (!adopt_page(ls, &q->found))
        ls->missed.must_repeat = true;
    if (answer == STORE_OPEN && *q->cursor)
        ask(ls);
    else if (answer != STORE_OPEN || ls->missed.must_repeat)
        ask_later(ls);
}

/* The cursor is that of the page before; "" = from the beginning. */
static void ask(struct leases *ls)
{
    struct store_question *q = &ls->missed.question;
    struct store_state state;

    ls->shared->ops->state(ls->shared, &state);
    if (!*q->cursor)
        ls->missed.must_repeat = false;
    q->kind = QUESTION_LIST;
    q->until_ms = clock_now(ls->clock) + ASKING_MS;
    q->node = state.cluster->node;
    q->limit = STORE_LIST_MAX;
    q->done = on_page;
    if (ls->shared->ops->ask(ls->shared, q)) {
        q->cursor[0] = '\0';
        ask_later(ls);
    }
}

static void on_again(struct deadline *d)
{
    struct leases *ls = CONTAINER_OF(d, struct leases, missed.again);

    if (!ls->missed.question.private)
        ask(ls);
}

static void ask_later(struct leases *ls)
{
    timer_set(ls->timers, &ls->missed.again, AGAIN_MS, on_again);
}

void shared_missed(struct leases *ls)
{
    ls->missed.must_repeat = true;
    if (!ls->missed.question.private && !timer_running(&ls->missed.again))
        ask_later(ls);
}

void shared_missed_end(struct leases *ls)
{
    if (ls->missed.question.private)
        ls->shared->ops->forget(ls->shared, &ls->missed.question);
    timer_unreserve(ls->timers, &ls->missed.again);
}
