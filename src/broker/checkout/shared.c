/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shared.c - what a check-out has besides where the store is shared (struct co_shared), and letting go of it.
 *
 * Not here: the states (elsewhere.c, confirm.c).
 */
#include "broker/checkout/checkout.h"

#include "base/container_of.h"
#include "base/log.h"
#include "stores/store_rows.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int co_shared_new(struct checkout *co, struct store *store)
{
    if (!store)
        return 0;
    co->shared = calloc(1, sizeof *co->shared);
    if (!co->shared)
        return -ENOMEM;
    co->shared->checkout = co;
    co->shared->store = store;
    return 0;
}

void co_confirm_end(struct checkout *co)
{
    struct co_shared *s = co->shared;

    if (s->question.private)
        s->store->ops->forget(s->store, &s->question);
    if (s->repeated.step)
        shared_abandon(&s->repeated);
    if (s->repeat == REPEAT_SENT)
        s->repeat = REPEAT_NONE;
    s->is_asked = s->rests = false;
    s->confirmed_ms = 0;
}

void co_drop_rows(struct checkout *co)
{
    struct co_shared *s = co->shared;

    free(s->lease);
    free(s->request);
    s->lease = NULL;
    s->request = NULL;
}

/* ---- when it has begun: see finished.c ---- */

void co_note_begin(struct checkout *co)
{
    struct co_shared *s = co->shared;

    if (s)
        s->since = s->store->ops->moment(s->store);
}

/* While the question is under way its answer is the first word: it was sent before. */
void co_note_moment(struct checkout *co, int64_t moment)
{
    struct co_shared *s = co->shared;

    if (s->first || s->first_asked.private)
        return;
    s->first = moment;
    s->first_ms = clock_now(co->op.broker->clock) - co->started_ms;
}

static void on_first(struct store_question *q, enum store_answer answer)
{
    struct co_shared *s = CONTAINER_OF(q, struct co_shared, first_asked);

    if (answer == STORE_OPEN)
        co_note_moment(s->checkout, q->moment);
}

void co_note_wait(struct checkout *co)
{
    struct co_shared *s = co->shared;

    if (!s || s->first || s->first_asked.private || co->state <= CO_BEGIN || co->state >= CO_INTENT)
        return;
    s->first_asked =
        (struct store_question){.kind = QUESTION_MOMENT, .until_ms = co->op.ends_ms, .done = on_first};
    (void)s->store->ops->ask(s->store, &s->first_asked); /* without memory the STEP_ASK has the first word */
}

bool co_is_finished(const struct checkout *co)
{
    bool is = false;

    for (size_t i = 0; i < STORE_FINISHES; i++)
        is = is || co->shared->finishes[i].moment;
    return is;
}

/* ---- its end, and rows ---- */

void co_shared_free(struct checkout *co)
{
    struct co_shared *s = co->shared;

    if (!s)
        return;
    co_confirm_end(co);
    if (s->first_asked.private)
        s->store->ops->forget(s->store, &s->first_asked);
    shared_unwait(&s->opened);
    shared_unwait(&s->kept);
    co_drop_rows(co);
    free(s);
    co->shared = NULL;
}

/* Without memory there is none: the check-out fails, or asks the vault for a request. */
void co_note_rows(struct checkout *co, const struct store_step *step)
{
    struct co_shared *s = co->shared;

    co_drop_rows(co);
    memset(s->finishes, 0, sizeof s->finishes);
    if (!step)
        return;
    memcpy(s->finishes, step->finishes, sizeof s->finishes);
    co_note_moment(co, step->moment);
    s->lease = step->lease_now ? lease_row_copy(step->lease_now) : NULL;
    s->request = step->now ? request_row_copy(step->now) : NULL;
    if ((step->now && !s->request) || (step->lease_now && !s->lease))
        co_drop_rows(co);
}

void co_release_elsewhere(struct checkout *co, const char *why)
{
    struct co_shared *s = co->shared;
    struct store_found found = {.request = s->request, .lease = s->lease};

    if (s->lease && s->request && !shared_release_row(co->op.broker->leases, &found, why, NULL, NULL))
        log_error("journal_lost", "lease=%s error=%s", s->lease->id, "out of memory");
    co_drop_rows(co);
}

void co_undo_repeat(struct checkout *co)
{
    struct co_shared *s = co->shared;
    const struct store_found found = {.request = s->request, .lease = s->lease};

    if (s->repeat == REPEAT_COUNTED && s->lease && s->request)
        shared_undo_repeat(co->op.broker->leases, &found);
    s->repeat = REPEAT_NONE;
}

bool co_abandon_open(struct checkout *co)
{
    if (!co->shared->opened.step)
        return false;
    shared_abandon(&co->shared->opened);
    return true;
}
