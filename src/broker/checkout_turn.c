/* SPDX-License-Identifier: Apache-2.0 */
/*
 * checkout_turn.c - equal check-outs wait for each other.
 *
 * The same session asking for the same credential twice at once must end with one lease. Rather than joining
 * two half-done machines, the second waits until the first has ended and then finds its lease, or, if the
 * first failed or its client left, goes its own way. A place is one (user, session, credential); the first in
 * its queue is at work, the others wait in the order they came. The next one is woken by a deadline of zero,
 * so never on the stack of the one that ends.
 */
#include "broker/checkout.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct turn {
    struct table_node node; /* spare: length of the key */
    TAILQ_HEAD(, checkout) queue;
    char key[];
};

static struct turn *turn_probe(const struct checkout *co)
{
    struct sitting *s = sitting_probe(co->session);
    size_t n = s ? s->node.spare : 0, m = strlen(co->credential_id) + 1;
    struct turn *t = s ? malloc(sizeof *t + n + m) : NULL;

    if (t) {
        memset(t, 0, sizeof *t);
        TAILQ_INIT(&t->queue);
        memcpy(t->key, s->key, n);
        memcpy(t->key + n, co->credential_id, m);
        t->node.spare = (uint32_t)(n + m);
        t->node.hash = table_hash(t->key, n + m);
    }
    free(s);
    return t;
}

static struct turn *turn_get(struct checkout *co)
{
    struct table *turns = co->op.broker->turns;
    struct turn *probe = turn_probe(co);
    struct table_node *node = probe ? table_first(turns, probe->node.hash) : NULL;

    for (; node; node = table_next(node)) {
        struct turn *t = OWNER_OF(node, struct turn, node);

        if (t->node.spare == probe->node.spare && memcmp(t->key, probe->key, t->node.spare) == 0) {
            free(probe);
            return t;
        }
    }
    if (!probe || table_add(turns, &probe->node, probe->node.hash)) {
        free(probe);
        return NULL;
    }
    return probe;
}

int turn_enqueue(struct checkout *co)
{
    struct turn *t = turn_get(co);

    if (!t)
        return -ENOMEM;
    co->place = t;
    TAILQ_INSERT_TAIL(&t->queue, co, queued);
    return TAILQ_FIRST(&t->queue) == co ? CO_NOW : CO_WAIT;
}

static void on_turn(struct deadline *d)
{
    co_resume(OWNER_OF(d, struct checkout, turn));
}

/* Out of memory for the wake-up: the waiter's own deadline will end it. */
static void wake(struct checkout *co)
{
    (void)!timer_start(co->op.broker->timers, &co->turn, 0, on_turn);
}

void turn_leave(struct checkout *co)
{
    struct turn *t = co->place;

    if (!t)
        return;
    bool first = TAILQ_FIRST(&t->queue) == co;

    co->place = NULL;
    timer_stop(co->op.broker->timers, &co->turn);
    TAILQ_REMOVE(&t->queue, co, queued);
    if (TAILQ_EMPTY(&t->queue)) {
        table_remove(co->op.broker->turns, &t->node);
        free(t);
    } else if (first) {
        wake(TAILQ_FIRST(&t->queue));
    }
}

static enum co_state turn_resume(struct checkout *co, int err)
{
    return err < 0 ? co_fail_start(co, err) : CO_ACCOUNT;
}

const struct co_step co_turn_step = {"turn", turn_enqueue, turn_resume, turn_leave};
