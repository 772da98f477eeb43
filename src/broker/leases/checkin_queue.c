/* SPDX-License-Identifier: Apache-2.0 */
/*
 * checkin_queue.c - check-ins stand in line: one line per vault, and in it one per user, served in turn.
 *
 * When a hundred thousand leases end at once (a vault that was away, a night's end, a restart) their
 * check-ins must neither flood the vault nor keep one user waiting for all the others. So at most
 * LANE_IN_FLIGHT (see checkin_queue.h) are on their way to a vault; each vault has its own lane, so a sick
 * one holds up nobody else; and in a check-in queue the users take turns (base/queue/fair_queue.h). Somebody
 * who waits for the outcome is put first among the check-ins of that user, and that user first in the
 * check-in queue.
 *
 * A checkin_queue_user exists while it has something in line. checkin_queue_run() is not re-entered: starting
 * a check-in that fails at once ends up in its back-off, never here.
 *
 * The vault of a row whose name is configured no more is played by one that refuses to start any call: its
 * rows are kept and shown, their check-ins wait, and it all goes on when the vault is configured again.
 */
#include "broker/leases/checkin_queue.h"

#include "base/address.h"
#include "base/container_of.h"
#include "base/log.h"
#include "base/person.h"
#include "broker/leases/checkin.h"
#include "broker/leases/internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct checkin_queue_user {
    struct table_node node;
    struct fair_queue_party party;
    char name[];
};

/* ---- a vault that is not there ---- */

static int refuse_requests(struct vault *v, struct vault_call *call)
{
    (void)v;
    (void)call;
    return -ENOTCONN;
}

static int refuse_checkin(struct vault *v, int64_t id, const char *reason, struct vault_call *call)
{
    (void)id;
    (void)reason;
    return refuse_requests(v, call);
}

static void cancel_nothing(struct vault *v, struct vault_call *call)
{
    (void)v;
    (void)call;
}

static void tell_absent(const struct vault *v, struct vault_state *state)
{
    (void)v;
    *state = (struct vault_state){.last_success_age_ms = UINT64_MAX};
}

/* No check-out comes here, so the other calls are never made. */
static const struct vault_ops absent_ops = {.name = "absent",
                                            .requests = refuse_requests,
                                            .checkin = refuse_checkin,
                                            .cancel = cancel_nothing,
                                            .state = tell_absent};

static struct vault *absent_new(const char *name)
{
    struct vault *v = calloc(1, sizeof *v);
    struct conf_vault *conf = calloc(1, sizeof *conf);

    if (!v || !conf) {
        free(v);
        free(conf);
        return NULL;
    }
    (void)memccpy(conf->name, name, '\0', sizeof conf->name - 1);
    conf->minute_ms = 60000;
    conf->call_timeout_ms = 10000;
    *v = (struct vault){.ops = &absent_ops, .conf = conf};
    return v;
}

static void absent_free(struct vault *v)
{
    free((void *)(uintptr_t)v->conf);
    free(v);
}

/* ---- lanes ---- */

struct checkin_queue *checkin_queue_of(const struct leases *ls, const struct vault *vault)
{
    for (size_t i = 0; i < ls->ncheckin_queues; i++)
        if (ls->checkin_queues[i]->vault == vault)
            return ls->checkin_queues[i];
    return NULL;
}

static uint16_t place_of(const struct leases *ls, const char *url)
{
    for (size_t i = 0; *url && i < ls->ncheckin_queues; i++)
        if (strcmp(ls->checkin_queues[i]->url, url) == 0)
            return ls->checkin_queues[i]->place;
    return (uint16_t)ls->ncheckin_queues;
}

static struct checkin_queue *add_checkin_queue(struct leases *ls, struct vault *vault, const char *url)
{
    struct checkin_queue **checkin_queues =
        realloc(ls->checkin_queues, (ls->ncheckin_queues + 1) * sizeof(struct checkin_queue *));

    if (!checkin_queues)
        return NULL;
    ls->checkin_queues = checkin_queues;
    struct checkin_queue *checkin_queue =
        ls->ncheckin_queues < UINT16_MAX ? calloc(1, sizeof *checkin_queue) : NULL;

    if (checkin_queue)
        checkin_queue->url = strdup(url);
    if (!checkin_queue || !checkin_queue->url) {
        free(checkin_queue);
        return NULL;
    }
    checkin_queue->vault = vault;
    checkin_queue->number = (uint16_t)ls->ncheckin_queues;
    checkin_queue->place = place_of(ls, url);
    fair_queue_init(&checkin_queue->fair_queue);
    ls->checkin_queues[ls->ncheckin_queues++] = checkin_queue;
    return checkin_queue;
}

int checkin_queue_new(struct leases *ls, struct vault *vault)
{
    char url[NAMES_IDENTITY_SIZE];

    address_url_identity(vault->conf->url, url);
    return add_checkin_queue(ls, vault, url) ? 0 : -ENOMEM;
}

/* NULL for `name` or `url`: any. */
static struct checkin_queue *find_checkin_queue(const struct leases *ls, const char *name, const char *url)
{
    for (size_t i = 0; i < ls->ncheckin_queues; i++) {
        struct checkin_queue *checkin_queue = ls->checkin_queues[i];

        if ((!name || strcmp(checkin_queue->vault->conf->name, name) == 0) &&
            (!url || strcmp(checkin_queue->url, url) == 0) && (!checkin_queue->absent || (name && url)))
            return checkin_queue;
    }
    return NULL;
}

struct checkin_queue *checkin_queue_of_row(struct leases *ls, const char *name, const char *url)
{
    struct checkin_queue *checkin_queue = find_checkin_queue(ls, name, url);

    if (!checkin_queue && *url)
        checkin_queue = find_checkin_queue(ls, NULL, url);
    if (!checkin_queue)
        checkin_queue = find_checkin_queue(ls, name, NULL);
    if (checkin_queue)
        return checkin_queue;
    struct vault *absent = absent_new(name);

    checkin_queue = absent ? add_checkin_queue(ls, absent, url) : NULL;
    if (checkin_queue)
        checkin_queue->absent = true;
    else if (absent)
        absent_free(absent);
    return checkin_queue;
}

void checkin_queue_tell_absent(const struct checkin_queue *checkin_queue)
{
    log_warn("leases_of_absent_vault", "vault=%s hint=%s", checkin_queue->vault->conf->name,
             "they are kept; configure the vault again to have them checked in");
}

void checkin_queues_free(struct leases *ls)
{
    for (size_t i = 0; i < ls->ncheckin_queues; i++) {
        if (ls->checkin_queues[i]->absent)
            absent_free(ls->checkin_queues[i]->vault);
        table_free(&ls->checkin_queues[i]->names);
        free(ls->checkin_queues[i]->url);
        free(ls->checkin_queues[i]->moved_from);
        free(ls->checkin_queues[i]);
    }
    free(ls->checkin_queues);
}

/* ---- in line ---- */

static struct checkin_queue_user *user_find(const struct checkin_queue *checkin_queue, const char *name)
{
    struct table_node *node = table_first(&checkin_queue->names, table_hash_person(name));

    for (; node; node = table_next(node)) {
        struct checkin_queue_user *user = CONTAINER_OF(node, struct checkin_queue_user, node);

        if (person_same(user->name, name))
            return user;
    }
    return NULL;
}

static struct checkin_queue_user *user_get(struct checkin_queue *checkin_queue, const char *name)
{
    struct checkin_queue_user *user = user_find(checkin_queue, name);
    size_t n = strlen(name) + 1;

    if (user)
        return user;
    user = malloc(sizeof *user + n);
    if (!user)
        return NULL;
    *user = (struct checkin_queue_user){0};
    memcpy(user->name, name, n);
    if (table_add(&checkin_queue->names, &user->node, table_hash_person(name))) {
        free(user);
        return NULL;
    }
    return user;
}

/* It is out of the line already. */
static void forget(struct checkin_queue *checkin_queue, struct checkin *c)
{
    struct checkin_queue_user *user = c->place.user;

    c->place.user = NULL;
    if (user->party.n)
        return;
    table_remove(&checkin_queue->names, &user->node);
    free(user);
}

static size_t width(const struct checkin_queue *checkin_queue)
{
    size_t third = (size_t)checkin_queue->vault->conf->connections / 3;

    return third > LANE_IN_FLIGHT ? third : LANE_IN_FLIGHT;
}

static void checkin_queue_run(struct checkin_queue *checkin_queue)
{
    struct fair_queue_item *slot;

    if (checkin_queue->running)
        return;
    checkin_queue->running = true;
    while (checkin_queue->in_flight < width(checkin_queue) &&
           (slot = fair_queue_take(&checkin_queue->fair_queue))) {
        struct checkin *c = CONTAINER_OF(slot, struct checkin, place.slot);

        forget(checkin_queue, c);
        checkin_queue->in_flight += checkin_start(c);
    }
    checkin_queue->running = false;
}

int checkin_queue_join(struct checkin_queue *checkin_queue, struct checkin *c, const char *name, bool first)
{
    struct checkin_queue_user *user = user_get(checkin_queue, name);

    if (!user)
        return -ENOMEM;
    c->place.user = user;
    fair_queue_add(&checkin_queue->fair_queue, &user->party, &c->place.slot, first);
    checkin_queue_run(checkin_queue);
    return 0;
}

void checkin_queue_leave(struct checkin_queue *checkin_queue, struct checkin *c)
{
    if (!c->place.user)
        return;
    fair_queue_remove(&checkin_queue->fair_queue, &c->place.slot);
    forget(checkin_queue, c);
}

void checkin_queue_done(struct checkin_queue *checkin_queue)
{
    checkin_queue->in_flight--;
    checkin_queue_run(checkin_queue);
}
