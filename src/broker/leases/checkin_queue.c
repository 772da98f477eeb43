/* SPDX-License-Identifier: Apache-2.0 */
/*
 * checkin_queue.c - a fair queue of users, and a count of the calls in flight; see checkin_queue.h.
 *
 * A checkin_queue_user exists while an item of that user is in the queue. checkin_queue_run() is not
 * re-entered: a check-in that fails to start goes to its back-off, never back into the queue.
 */
#include "broker/leases/checkin_queue.h"

#include "base/container_of.h"
#include "base/person.h"
#include "base/uthash_nofail.h"
#include "conf/conf.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct checkin_queue_user {
    UT_hash_handle hh;
    struct fair_queue_party party;
    char key[]; /* person_key() */
};

void checkin_queue_init(struct checkin_queue *queue, const struct conf_vault *conf)
{
    *queue = (struct checkin_queue){.conf = conf};
    fair_queue_init(&queue->fair_queue);
}

void checkin_queue_free(struct checkin_queue *queue)
{
    HASH_CLEAR(hh, queue->users);
}

static struct checkin_queue_user *user_new(const char *name)
{
    struct checkin_queue_user *user = calloc(1, sizeof *user + strlen(name) + 1);

    if (user)
        (void)person_key(user->key, name);
    return user;
}

static struct checkin_queue_user *user_get(struct checkin_queue *queue, const char *name)
{
    struct checkin_queue_user *fresh = user_new(name), *found;

    if (!fresh)
        return NULL;
    size_t len = strlen(fresh->key);

    HASH_FIND(hh, queue->users, fresh->key, len, found);
    if (!found)
        HASH_ADD_KEYPTR(hh, queue->users, fresh->key, len, fresh);
    if (!found && fresh->hh.tbl)
        return fresh;
    free(fresh);
    return found;
}

static void unlink_user(struct checkin_queue *queue, struct checkin_queue_item *item)
{
    struct checkin_queue_user *user = item->user;

    item->user = NULL;
    if (user->party.n)
        return;
    HASH_DEL(queue->users, user);
    free(user);
}

static size_t max_in_flight(const struct checkin_queue *queue)
{
    size_t connections = (size_t)queue->conf->connections, third = connections / 3;
    size_t places = third > CHECKINS_IN_FLIGHT ? third : CHECKINS_IN_FLIGHT;

    return places < connections ? places : connections;
}

/* The next item, if it may be on its way now. Those that are first are at the head of the queue. */
static struct checkin_queue_item *next_item(const struct checkin_queue *queue)
{
    struct fair_queue_item *slot = fair_queue_next(&queue->fair_queue);
    struct checkin_queue_item *item = slot ? CONTAINER_OF(slot, struct checkin_queue_item, slot) : NULL;
    size_t places = max_in_flight(queue);

    if (item && !item->first)
        places -= places / 4;
    return queue->in_flight < places ? item : NULL;
}

static void checkin_queue_run(struct checkin_queue *queue)
{
    struct checkin_queue_item *item;

    if (queue->running)
        return;
    queue->running = true;
    while ((item = next_item(queue))) {
        (void)fair_queue_take(&queue->fair_queue);
        unlink_user(queue, item);
        queue->in_flight += item->start(item);
    }
    queue->running = false;
}

int checkin_queue_join(struct checkin_queue *queue, struct checkin_queue_item *item, const char *name,
                       bool first)
{
    struct checkin_queue_user *user = user_get(queue, name);

    if (!user)
        return -ENOMEM;
    item->user = user;
    item->first = first;
    fair_queue_add(&queue->fair_queue, &user->party, &item->slot, first);
    checkin_queue_run(queue);
    return 0;
}

void checkin_queue_leave(struct checkin_queue *queue, struct checkin_queue_item *item)
{
    if (!item->user)
        return;
    fair_queue_remove(&queue->fair_queue, &item->slot);
    unlink_user(queue, item);
}

void checkin_queue_cancelled(struct checkin_queue *queue)
{
    queue->in_flight--;
}

void checkin_queue_done(struct checkin_queue *queue)
{
    queue->in_flight--;
    checkin_queue_run(queue);
}
