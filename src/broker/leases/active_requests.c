/* SPDX-License-Identifier: Apache-2.0 */
/*
 * active_requests.c - request polls, their queue and its pace; see active_requests.h.
 */
#include "broker/leases/active_requests.h"

#include "base/backoff.h"
#include "base/container_of.h"
#include "base/crash_point.h"
#include "base/person.h"
#include "base/uthash_nofail.h"

#include <stdlib.h>
#include <string.h>

#define IN_FLIGHT_MAX  32
#define SECOND_LOOK_MS 5000

LIST_HEAD(wait_list, active_requests_wait);

enum request_poll_state { POLL_IDLE, POLL_RESTING, POLL_QUEUED, POLL_IN_FLIGHT };

struct request_poll {
    UT_hash_handle hh;
    struct active_requests_reader *reader;
    struct vault *vault;
    enum request_poll_state state;
    bool asked_again; /* after the call was sent */
    unsigned failures;
    uint64_t round;
    struct wait_list waiting, asked;
    char **expected; /* names of requests to be looked for in the next list */
    size_t nexpected, cap;
    bool second_look; /* one list lacked them already: a round must not begin again with them */
    struct deadline rest;
    TAILQ_ENTRY(request_poll) link;
    struct vault_call call;
    const char *user; /* behind the key */
    char key[];       /* the vault's address, and the user as person_key() writes it */
};

struct active_requests_reader {
    struct timers *timers;
    const struct clock *clock;
    uint64_t *random;
    struct active_requests_owner *owner;
    uint64_t gap_us;
    struct request_poll *polls; /* by key */
    TAILQ_HEAD(, request_poll) queue;
    size_t in_flight;
    uint64_t next_us; /* of the monotonic clock: the next call may go */
    uint64_t round;
    struct deadline pace;
};

static void send_queued(struct active_requests_reader *);

struct active_requests_reader *active_requests_new(const struct active_requests_opts *opts)
{
    struct active_requests_reader *reader = calloc(1, sizeof *reader);

    if (!reader)
        return NULL;
    if (timer_reserve(opts->timers, &reader->pace)) {
        free(reader);
        return NULL;
    }
    reader->timers = opts->timers;
    reader->clock = timers_clock(opts->timers);
    reader->random = opts->random;
    reader->owner = opts->owner;
    reader->gap_us = opts->per_s > 0 ? (uint64_t)(1e6 / opts->per_s) : 0;
    TAILQ_INIT(&reader->queue);
    return reader;
}

/* ---- polls ---- */

static void poll_free_memory(struct request_poll *poll)
{
    vault_call_free(&poll->call);
    for (size_t i = 0; i < poll->nexpected; i++)
        free(poll->expected[i]);
    free(poll->expected);
    free(poll);
}

/* In no table. NULL = out of memory. */
static struct request_poll *poll_new(struct active_requests_reader *reader, struct vault *vault,
                                     const char *user)
{
    size_t n = strlen(user) + 1;
    struct request_poll *poll = calloc(1, sizeof *poll + sizeof vault + 2 * n);

    if (!poll)
        return NULL;
    poll->reader = reader;
    poll->vault = vault;
    memcpy(poll->key, &vault, sizeof vault);
    poll->user = memcpy(person_key(poll->key + sizeof vault, user), user, n);
    return poll;
}

/* The poll of this vault and user, made if there is none. NULL = out of memory. */
static struct request_poll *poll_get(struct active_requests_reader *reader, struct vault *vault,
                                     const char *user)
{
    size_t key_size = sizeof vault + strlen(user) + 1;
    struct request_poll *fresh = poll_new(reader, vault, user), *found;

    if (!fresh)
        return NULL;
    HASH_FIND(hh, reader->polls, fresh->key, key_size, found);
    if (!found)
        HASH_ADD_KEYPTR(hh, reader->polls, fresh->key, key_size, fresh);
    if (!found && fresh->hh.tbl)
        return fresh;
    poll_free_memory(fresh);
    return found;
}

static void poll_free(struct request_poll *poll)
{
    struct active_requests_reader *reader = poll->reader;

    if (poll->state == POLL_IN_FLIGHT) {
        poll->vault->ops->cancel(poll->vault, &poll->call);
        reader->in_flight--;
    }
    if (poll->state == POLL_QUEUED)
        TAILQ_REMOVE(&reader->queue, poll, link);
    timer_stop(reader->timers, &poll->rest);
    HASH_DEL(reader->polls, poll);
    poll_free_memory(poll);
}

static void poll_enqueue(struct request_poll *poll)
{
    struct active_requests_reader *reader = poll->reader;

    if (poll->state == POLL_IN_FLIGHT) {
        poll->asked_again = true;
        return;
    }
    if (poll->state == POLL_QUEUED)
        return;
    timer_stop(reader->timers, &poll->rest);
    poll->state = POLL_QUEUED;
    TAILQ_INSERT_TAIL(&reader->queue, poll, link);
}

static void on_rested(struct deadline *d)
{
    struct request_poll *poll = CONTAINER_OF(d, struct request_poll, rest);

    poll->state = POLL_IDLE;
    poll_enqueue(poll);
    send_queued(poll->reader);
}

/* ---- waits ---- */

static void link_wait(struct wait_list *list, struct active_requests_wait *wait)
{
    wait->linked = true;
    LIST_INSERT_HEAD(list, wait, link);
}

void active_requests_leave(struct active_requests_wait *wait)
{
    if (wait->linked)
        LIST_REMOVE(wait, link);
    wait->linked = false;
}

void active_requests_get(struct active_requests_reader *reader, struct vault *vault, const char *user,
                         struct active_requests_wait *wait)
{
    struct request_poll *poll = poll_get(reader, vault, user);

    if (!poll) {
        wait->not_found(wait, false);
        return;
    }
    link_wait(&poll->waiting, wait);
    poll_enqueue(poll);
    send_queued(reader);
}

/* ---- expected requests ---- */

void active_requests_round(struct active_requests_reader *reader)
{
    reader->round++;
}

static void forget_expected(struct request_poll *poll)
{
    while (poll->nexpected)
        free(poll->expected[--poll->nexpected]);
}

static bool add_expected(struct request_poll *poll, const char *name)
{
    if (poll->nexpected == poll->cap) {
        size_t cap = poll->cap ? poll->cap * 2 : 4;
        char **expected = realloc(poll->expected, cap * sizeof *expected);

        if (!expected)
            return false;
        poll->expected = expected;
        poll->cap = cap;
    }
    char *copy = strdup(name);

    if (copy)
        poll->expected[poll->nexpected++] = copy;
    return copy != NULL;
}

bool active_requests_expect(struct active_requests_reader *reader, struct vault *vault, const char *user,
                            const char *name)
{
    struct request_poll *poll = poll_get(reader, vault, user);

    if (!poll || poll->state == POLL_IN_FLIGHT || poll->second_look)
        return false;
    if (poll->round != reader->round)
        forget_expected(poll);
    poll->round = reader->round;
    if (!add_expected(poll, name))
        return false;
    poll_enqueue(poll);
    return true;
}

void active_requests_start(struct active_requests_reader *reader)
{
    send_queued(reader);
}

size_t active_requests_polls(const struct active_requests_reader *reader)
{
    return HASH_COUNT(reader->polls);
}

/* ---- after a list ---- */

/* Queued again, now or after a rest; or freed, when there is nothing left to ask. */
static void poll_go_on(struct request_poll *poll, uint64_t rest_ms)
{
    poll->state = POLL_IDLE;
    if (poll->asked_again || !LIST_EMPTY(&poll->waiting)) {
        poll->asked_again = false;
        poll_enqueue(poll);
    } else if (!poll->nexpected) {
        poll_free(poll);
    } else if (timer_start(poll->reader->timers, &poll->rest, rest_ms, on_rested)) {
        poll_free(poll); /* the next round will ask */
    } else {
        poll->state = POLL_RESTING;
    }
}

/* Each not_found() may free its wait, and may wait again: then it is linked to `waiting`. */
static void notify_waits(struct request_poll *poll, bool list_was_read)
{
    struct active_requests_wait *wait;

    while ((wait = LIST_FIRST(&poll->asked))) {
        active_requests_leave(wait);
        wait->not_found(wait, list_was_read);
    }
}

static struct active_requests_wait *find_wait(const struct request_poll *poll,
                                              const struct active_request *row)
{
    struct active_requests_wait *wait;

    LIST_FOREACH(wait, &poll->asked, link)
    if (wait->matches(wait, row))
        return wait;
    return NULL;
}

static int by_name(const void *x, const void *y)
{
    return strcmp(((const struct active_request *)x)->name, ((const struct active_request *)y)->name);
}

static void pass_rows(struct request_poll *poll)
{
    struct active_requests *active = &poll->call.active;
    struct active_requests_owner *owner = poll->reader->owner;

    for (size_t i = 0; i < active->n; i++)
        owner->row(owner, poll->vault, poll->user, &active->rows[i], find_wait(poll, &active->rows[i]));
}

static void pass_expected(struct request_poll *poll)
{
    struct active_requests *active = &poll->call.active;
    struct active_requests_owner *owner = poll->reader->owner;
    size_t n = poll->nexpected, kept = 0;

    if (active->n)
        qsort(active->rows, active->n, sizeof *active->rows, by_name);
    for (size_t i = 0; i < n; i++) {
        struct active_request key = {.name = poll->expected[i]};
        const struct active_request *row =
            active->n ? bsearch(&key, active->rows, active->n, sizeof key, by_name) : NULL;

        if (owner->expected(owner, poll->vault, poll->user, key.name, row))
            poll->expected[kept++] = key.name;
        else
            free(key.name);
    }
    poll->nexpected = kept;
    poll->second_look = kept > 0;
}

/* The state stays POLL_IN_FLIGHT while the list is passed on: to ask again meanwhile must not free the rows.
 */
static void on_listed(struct vault_call *call)
{
    struct request_poll *poll = CONTAINER_OF(call, struct request_poll, call);
    struct active_requests_reader *reader = poll->reader;

    crash_point("reconcile.list.answered");
    reader->in_flight--;
    if (call->result == VAULT_OK) {
        poll->failures = 0;
        pass_rows(poll);
        pass_expected(poll);
        notify_waits(poll, true);
        reader->owner->read(reader->owner, poll->vault);
        poll_go_on(poll, SECOND_LOOK_MS);
    } else {
        notify_waits(poll, false);
        poll_go_on(poll, backoff_ms(++poll->failures, reader->random));
    }
    send_queued(reader);
}

/* ---- pace ---- */

static void on_pace(struct deadline *d)
{
    send_queued(CONTAINER_OF(d, struct active_requests_reader, pace));
}

static void send_list(struct request_poll *poll)
{
    struct active_requests_reader *reader = poll->reader;
    struct active_requests_wait *wait;

    while ((wait = LIST_FIRST(&poll->waiting))) {
        active_requests_leave(wait);
        link_wait(&poll->asked, wait);
    }
    vault_call_free(&poll->call);
    poll->call = (struct vault_call){.user = poll->user,
                                     .timeout_ms = poll->vault->conf->call_timeout_ms,
                                     .background = true,
                                     .done = on_listed};
    poll->state = POLL_IN_FLIGHT;
    crash_point("reconcile.list.before");
    if (poll->vault->ops->requests(poll->vault, &poll->call) == 0) {
        reader->in_flight++;
        crash_point("reconcile.list.sent");
        return;
    }
    notify_waits(poll, false);
    poll_go_on(poll, backoff_ms(++poll->failures, reader->random));
}

/* A poll whose call fails to start rests before it is queued again, so the loop ends. */
static void send_queued(struct active_requests_reader *reader)
{
    uint64_t now = clock_now(reader->clock) * 1000;

    while (!TAILQ_EMPTY(&reader->queue) && reader->in_flight < IN_FLIGHT_MAX && reader->next_us <= now) {
        struct request_poll *poll = TAILQ_FIRST(&reader->queue);

        TAILQ_REMOVE(&reader->queue, poll, link);
        reader->next_us = (reader->next_us + reader->gap_us < now ? now : reader->next_us) + reader->gap_us;
        send_list(poll);
    }
    if (TAILQ_EMPTY(&reader->queue) || reader->next_us <= now || timer_running(&reader->pace))
        return;
    timer_set(reader->timers, &reader->pace, (reader->next_us - now + 999) / 1000, on_pace);
}

/* ---- the end ---- */

void active_requests_free(struct active_requests_reader *reader)
{
    struct request_poll *poll, *next;
    struct active_requests_wait *wait;

    if (!reader)
        return;
    HASH_ITER(hh, reader->polls, poll, next)
    {
        while ((wait = LIST_FIRST(&poll->waiting)) || (wait = LIST_FIRST(&poll->asked)))
            active_requests_leave(wait);
        poll_free(poll);
    }
    timer_unreserve(reader->timers, &reader->pace);
    free(reader);
}
