/* SPDX-License-Identifier: Apache-2.0 */
/*
 * session_queue.c - the check-outs in flight of each session; those of one credential run one at a time.
 *
 * The same session asking for the same credential twice at once must end with one lease. So the second one
 * waits until the first has ended and then finds its lease, or, if the first failed or its client left, asks
 * the vault itself. The end of a session ends its check-outs.
 *
 * Each session has its check-outs in one queue, in the order they came, from the first moment until they are
 * freed; among those of one credential the first runs and the others wait. A session has few, so the
 * queue is walked. The next one is resumed by a deadline of zero, never on the stack of the one that ends.
 */
#include "broker/checkout/checkout.h"

#include "base/container_of.h"
#include "base/uthash_nofail.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct session_queue {
    UT_hash_handle hh; /* broker.session_queues, by key */
    TAILQ_HEAD(, checkout) checkouts;
    size_t key_size;
    char key[]; /* a session_leases's */
};

static struct session_queue *session_queue_find(const struct broker *b, const struct session_leases *session)
{
    struct session_queue *queue;

    HASH_FIND(hh, b->session_queues, session->key, session->key_size, queue);
    return queue;
}

static struct session_queue *session_queue_new(struct broker *b, const struct session_leases *session)
{
    struct session_queue *queue = malloc(sizeof *queue + session->key_size);

    if (!queue)
        return NULL;
    *queue = (struct session_queue){.key_size = session->key_size};
    TAILQ_INIT(&queue->checkouts);
    memcpy(queue->key, session->key, session->key_size);
    HASH_ADD_KEYPTR(hh, b->session_queues, queue->key, queue->key_size, queue);
    if (!queue->hh.tbl) {
        free(queue);
        return NULL;
    }
    return queue;
}

int session_queue_join(struct checkout *co)
{
    struct broker *b = co->op.broker;
    struct session_leases *session = session_leases_probe(co->session);
    struct session_queue *queue = session ? session_queue_find(b, session) : NULL;

    if (session && !queue)
        queue = session_queue_new(b, session);
    free(session);
    if (!queue)
        return -ENOMEM;
    co->queue = queue;
    TAILQ_INSERT_TAIL(&queue->checkouts, co, of_queue);
    return 0;
}

struct checkout *session_queue_first(const struct broker *b, const struct session_leases *session)
{
    struct session_queue *queue = session_queue_find(b, session);

    return queue ? TAILQ_FIRST(&queue->checkouts) : NULL;
}

/* The check-out that runs for this credential; NULL = none. */
static struct checkout *first_of(const struct session_queue *queue, const char *credential_id)
{
    struct checkout *co;

    TAILQ_FOREACH(co, &queue->checkouts, of_queue)
    if (strcmp(co->credential_id, credential_id) == 0)
        return co;
    return NULL;
}

static int session_queue_enter(struct checkout *co)
{
    return first_of(co->queue, co->credential_id) == co ? CO_NOW : CO_WAIT;
}

void session_queue_leave(struct checkout *co)
{
    struct session_queue *queue = co->queue;

    if (!queue)
        return;
    bool first = first_of(queue, co->credential_id) == co;

    co->queue = NULL;
    timer_stop(co->op.broker->timers, &co->defer);
    TAILQ_REMOVE(&queue->checkouts, co, of_queue);
    struct checkout *next = first ? first_of(queue, co->credential_id) : NULL;
    if (next && next->state == CO_SESSION_QUEUE)
        (void)co_defer(next); /* without memory its own deadline ends it */
    if (!TAILQ_EMPTY(&queue->checkouts))
        return;
    HASH_DEL(co->op.broker->session_queues, queue);
    free(queue);
}

static enum co_state session_queue_resume(struct checkout *co, int err)
{
    return err < 0 ? co_fail_start(co, err) : CO_ACCOUNT;
}

static bool session_queue_drop(struct checkout *co)
{
    session_queue_leave(co);
    return true;
}

const struct co_step co_session_queue_step = {"session_queue", session_queue_enter, session_queue_resume,
                                              session_queue_drop};
