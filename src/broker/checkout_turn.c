/* SPDX-License-Identifier: Apache-2.0 */
/*
 * checkout_turn.c - the check-outs in flight of each session; equal ones wait for each other.
 *
 * The same session asking for the same credential twice at once must end with one lease. Rather than joining
 * two half-done machines, the second waits until the first has ended and then finds its lease, or, if the
 * first failed or its client left, goes its own way. A session that ends takes its check-outs with it.
 *
 * So each session has its check-outs in one queue, in the order they came, from the first moment until they
 * are freed; among those of one credential the first is at work and the others wait. A session has few, so
 * the queue is walked; what the gateway holds in all costs nothing here. The next one is woken by a deadline
 * of zero, so never on the stack of the one that ends.
 */
#include "broker/checkout.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct turn {
    struct table_node node; /* spare: length of the key */
    TAILQ_HEAD(, checkout) queue;
    char key[]; /* a sitting's */
};

static struct turn *turn_find(const struct broker *b, const struct sitting *who)
{
    struct table_node *node = table_first(b->turns, who->node.hash);

    for (; node; node = table_next(node)) {
        struct turn *t = OWNER_OF(node, struct turn, node);

        if (node->spare == who->node.spare && memcmp(t->key, who->key, node->spare) == 0)
            return t;
    }
    return NULL;
}

static struct turn *turn_new(struct broker *b, const struct sitting *who)
{
    struct turn *t = malloc(sizeof *t + who->node.spare);

    if (!t)
        return NULL;
    memset(t, 0, sizeof *t);
    TAILQ_INIT(&t->queue);
    memcpy(t->key, who->key, who->node.spare);
    t->node.spare = who->node.spare;
    if (table_add(b->turns, &t->node, who->node.hash)) {
        free(t);
        return NULL;
    }
    return t;
}

int turn_join(struct checkout *co)
{
    struct broker *b = co->op.broker;
    struct sitting *who = sitting_probe(co->session);
    struct turn *t = who ? turn_find(b, who) : NULL;

    if (who && !t)
        t = turn_new(b, who);
    free(who);
    if (!t)
        return -ENOMEM;
    co->place = t;
    TAILQ_INSERT_TAIL(&t->queue, co, queued);
    return 0;
}

struct checkout *turn_first(const struct broker *b, const struct sitting *who)
{
    struct turn *t = turn_find(b, who);

    return t ? TAILQ_FIRST(&t->queue) : NULL;
}

/* The one at work on that credential; NULL = none. */
static struct checkout *first_of(const struct turn *t, const char *credential_id)
{
    struct checkout *co;

    TAILQ_FOREACH(co, &t->queue, queued)
    if (strcmp(co->credential_id, credential_id) == 0)
        return co;
    return NULL;
}

static int turn_enter(struct checkout *co)
{
    return first_of(co->place, co->credential_id) == co ? CO_NOW : CO_WAIT;
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
    bool first = first_of(t, co->credential_id) == co;

    co->place = NULL;
    timer_stop(co->op.broker->timers, &co->turn);
    TAILQ_REMOVE(&t->queue, co, queued);
    struct checkout *next = first ? first_of(t, co->credential_id) : NULL;
    if (next && next->state == CO_TURN)
        wake(next);
    if (!TAILQ_EMPTY(&t->queue))
        return;
    table_remove(co->op.broker->turns, &t->node);
    free(t);
}

static enum co_state turn_resume(struct checkout *co, int err)
{
    return err < 0 ? co_fail_start(co, err) : CO_ACCOUNT;
}

static bool turn_drop(struct checkout *co)
{
    turn_leave(co);
    return true;
}

const struct co_step co_turn_step = {"turn", turn_enter, turn_resume, turn_drop};
