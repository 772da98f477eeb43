/* SPDX-License-Identifier: Apache-2.0 */
/*
 * history.c - the list of events; see history.h.
 */
#include "pi-sim/history.h"

#include "pi-sim/vault.h"
#include "sim/strings.h"

#include <stdlib.h>

void history_init(struct history *h)
{
    *h = (struct history){0};
    TAILQ_INIT(&h->all);
}

static void drop_first(struct history *h)
{
    struct history_entry *e = TAILQ_FIRST(&h->all);

    TAILQ_REMOVE(&h->all, e, link);
    h->n--;
    free((char *)e->event.who);
    free((char *)e->event.comment);
    free(e);
}

void history_clear(struct history *h)
{
    while (h->n)
        drop_first(h);
    h->dropped = 0;
}

static const char *copied(const char *text)
{
    char *copy = NULL;

    if (strings_replace(&copy, text))
        abort();
    return copy;
}

void history_add(struct vault *v, const struct history_event *event)
{
    struct history *h = &v->history;
    struct history_entry *e = calloc(1, sizeof(*e));

    if (!e)
        abort();
    e->event = *event;
    e->event.who = copied(event->who);
    e->event.comment = copied(event->comment);
    e->number = ++h->made;
    e->wall_ms = vault_wall(v);
    TAILQ_INSERT_TAIL(&h->all, e, link);
    if (++h->n <= HISTORY_MAX)
        return;
    drop_first(h);
    h->dropped++;
}

void history_of_call(struct history *h, uint64_t mark, uint64_t call, int status, const char *fault)
{
    struct history_entry *e;

    TAILQ_FOREACH_REVERSE(e, &h->all, history_list, link)
    {
        if (e->number <= mark)
            return;
        e->call = call;
        e->status = status;
        e->fault = fault;
    }
}
