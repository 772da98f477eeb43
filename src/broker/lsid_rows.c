/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lsid_rows.c - see lsid_rows.h.
 */
#include "broker/lsid_rows.h"

#include "base/container_of.h"
#include "broker/leases/leases.h"
#include "broker/leases/shared.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define AGAIN_MS  500
#define ASKING_MS 5000

struct lsid_step {
    struct shared_wait wait;
    struct lsid_rows *rows;
    STAILQ_ENTRY(lsid_step) link;
};

static void ask(struct lsid_rows *);

static struct store *store_of(const struct lsid_rows *r)
{
    return leases_shared(r->broker->leases);
}

static void on_again(struct deadline *d)
{
    ask(CONTAINER_OF(d, struct lsid_rows, again));
}

static void ask_again(struct lsid_rows *r)
{
    timer_set(r->broker->timers, &r->again, AGAIN_MS, on_again);
}

static void step_free(struct lsid_step *s)
{
    shared_unwait(&s->wait);
    STAILQ_REMOVE(&s->rows->steps, s, lsid_step, link);
    free(s);
}

/* ---- amending ---- */

static void all_are_decided(struct lsid_rows *r)
{
    if (r->is_incomplete)
        ask_again(r);
    else
        r->done(r);
}

static void on_outcome(struct shared_wait *wait, const struct shared_outcome *outcome)
{
    struct lsid_step *s = CONTAINER_OF(wait, struct lsid_step, wait);
    struct lsid_rows *r = s->rows;

    r->is_incomplete |= outcome->word == SHARED_FENCED;
    step_free(s);
    if (STAILQ_EMPTY(&r->steps))
        all_are_decided(r);
}

/* False = out of memory. */
static bool amend(struct lsid_rows *r, const struct store_found *f)
{
    struct lsid_step *s = calloc(1, sizeof *s);

    if (!s)
        return false;
    *s = (struct lsid_step){.wait.done = on_outcome, .rows = r};
    STAILQ_INSERT_TAIL(&r->steps, s, link);
    if (shared_amend_row(r->broker->leases, f, r->session->lsid, &s->wait))
        return true;
    step_free(s);
    return false;
}

static bool lacks_lsid(const struct lsid_rows *r, const struct store_found *f)
{
    return f->request && f->lease && !*f->lease->holder.lsid && !lease_by_id(r->broker->leases, f->lease->id);
}

/* ---- asking ---- */

static void on_answer(struct store_question *q, enum store_answer answer)
{
    struct lsid_rows *r = CONTAINER_OF(q, struct lsid_rows, question);
    const struct store_found *f;

    r->is_asking = false;
    r->is_incomplete = answer != STORE_OPEN;
    STAILQ_FOREACH(f, &q->found, link)
    if (lacks_lsid(r, f))
        r->is_incomplete |= !amend(r, f);
    if (STAILQ_EMPTY(&r->steps))
        all_are_decided(r);
}

static void ask(struct lsid_rows *r)
{
    const struct session *s = r->session;

    r->question = (struct store_question){.kind = QUESTION_SESSION,
                                          .until_ms = clock_now(r->broker->clock) + ASKING_MS,
                                          .who = {.username = s->username,
                                                  .domain = s->domain ? s->domain : "",
                                                  .session = s->id,
                                                  .lsid = "",
                                                  .credential = "",
                                                  .system = "",
                                                  .account = ""},
                                          .node = "",
                                          .limit = STORE_LIST_MAX,
                                          .done = on_answer};
    r->is_asking = store_of(r)->ops->ask(store_of(r), &r->question) == 0;
    if (!r->is_asking)
        ask_again(r);
}

int lsid_rows_begin(struct lsid_rows *r, struct broker *b, const struct session *session,
                    void (*done)(struct lsid_rows *))
{
    *r = (struct lsid_rows){.done = done, .session = session_copy(session)};
    STAILQ_INIT(&r->steps);
    if (!r->session)
        return -ENOMEM;
    if (timer_reserve(b->timers, &r->again)) {
        free(r->session);
        return -ENOMEM;
    }
    r->broker = b;
    ask(r);
    return 0;
}

void lsid_rows_end(struct lsid_rows *r)
{
    struct lsid_step *s;

    if (!r->broker)
        return;
    if (r->is_asking)
        store_of(r)->ops->forget(store_of(r), &r->question);
    while ((s = STAILQ_FIRST(&r->steps)))
        step_free(s);
    timer_unreserve(r->broker->timers, &r->again);
    free(r->session);
    r->broker = NULL;
}
