/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lists.c - one vault call for all who ask the same at the same time, and the memory of its answer.
 *
 *   get --fresh in the cache--> hit: done() on the next run of the timers
 *    |--same call in flight --> joins its waiters
 *    '--neither             --> a new flight --> lands: cache, then every waiter's done()
 *
 * A flight lives while somebody waits for it: a waiter goes by its answer, by its own deadline or by leaving,
 * and with the last one the call is cancelled. The flight itself carries no deadline but the vault's
 * call_timeout; since each waiter has its own, the longest of them is the flight's, even one that joined
 * late.
 *
 * A landing flight is off the table before the first done(), so what a done() asks for starts anew or hits
 * the cache. done() may free its waiter, leave for others of the same flight, and ask again: waiters are
 * taken from the front one by one, and `landing` keeps a flight that loses its last waiter from cancelling
 * itself.
 *
 * Failures go to all who wait and are not kept. `read` of a waiter says where it is: NULL nowhere, the lists
 * for a hit on its way, else its flight. Which lists are kept, and for how long, is list_cache.c's matter.
 */
#include "broker/lists.h"

#include "broker/hash.h"
#include "broker/key_notes.h"
#include "broker/list_cache.h"
#include "broker/policy_cache.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <utlist.h>

#define DEFAULT_ENTRIES 8192
#define DEFAULT_ROWS    100000
#define KEY_NOTES       16384
/* The greatest patience a caller may name. A flight ends earlier, with its last waiter. */
#define LONGEST_MS 600000

struct flight {
    UT_hash_handle hh;
    struct lists *lists;
    struct vault *vault;
    struct list_key *key;
    struct account_query query; /* texts in the key */
    struct vault_call call;
    struct list_wait *waiters; /* in order of arrival */
    bool landing;
};

struct lists {
    struct timers *timers;
    struct list_cache *cache;
    struct policy_cache *policies;
    struct key_notes *keys;
    struct flight *flights;
    struct list_wait *hits; /* answers on their way */
    struct lists_stats stats;
};

struct lists *lists_new(const struct lists_opts *opts)
{
    const struct clock *clock = timers_clock(opts->timers);
    size_t max_rows = opts->max_known ? opts->max_known : DEFAULT_ROWS;
    struct list_cache_opts cache = {
        .clock = clock,
        .fresh_ms = opts->list_cache_ms,
        .keep_ms = opts->known_ms,
        .max_entries = opts->max_entries ? opts->max_entries : DEFAULT_ENTRIES,
        .max_rows = max_rows,
    };
    struct lists *lists = calloc(1, sizeof(*lists));

    if (!lists)
        return NULL;
    lists->timers = opts->timers;
    lists->cache = list_cache_new(&cache);
    lists->policies = policy_cache_new(clock, opts->known_ms, max_rows);
    lists->keys = key_notes_new(KEY_NOTES);
    if (!lists->cache || !lists->policies || !lists->keys) {
        lists_free(lists);
        return NULL;
    }
    return lists;
}

static struct list_wait *wait_of(struct deadline *deadline)
{
    return (struct list_wait *)(void *)((char *)deadline - offsetof(struct list_wait, deadline));
}

static void flight_free(struct flight *flight)
{
    vault_call_free(&flight->call);
    free(flight->key);
    free(flight);
}

/* Nobody waits any more: the call is worth nothing. */
static void flight_cancel(struct flight *flight)
{
    HASH_DEL(flight->lists->flights, flight);
    flight->vault->ops->cancel(flight->vault, &flight->call);
    flight_free(flight);
}

static void detach(struct flight *flight, struct list_wait *wait)
{
    DL_DELETE(flight->waiters, wait);
    timer_stop(flight->lists->timers, &wait->deadline);
    wait->read = NULL;
}

void lists_free(struct lists *lists)
{
    struct flight *flight, *next;

    if (!lists)
        return;
    while (lists->hits)
        lists_leave(lists, lists->hits);
    HASH_ITER(hh, lists->flights, flight, next)
    {
        while (flight->waiters)
            detach(flight, flight->waiters);
        flight_cancel(flight);
    }
    list_cache_free(lists->cache);
    policy_cache_free(lists->policies);
    key_notes_free(lists->keys);
    free(lists);
}

static void hand_over(const struct flight *flight, struct list_wait *wait)
{
    wait->result = flight->call.result;
    wait->fault = flight->call.fault;
    wait->age_ms = 0;
    wait->status = flight->call.status;
    wait->accounts = flight->call.accounts ? account_list_ref(flight->call.accounts) : NULL;
    wait->done(wait);
}

static void on_landed(struct vault_call *call)
{
    struct flight *flight = (struct flight *)(void *)((char *)call - offsetof(struct flight, call));
    struct lists *lists = flight->lists;

    flight->landing = true;
    HASH_DEL(lists->flights, flight);
    if (call->result == VAULT_OK && call->accounts) {
        list_cache_put(lists->cache, flight->key, call->accounts);
        flight->key = NULL;
    }
    while (flight->waiters) {
        struct list_wait *wait = flight->waiters;
        detach(flight, wait);
        hand_over(flight, wait);
    }
    flight_free(flight);
}

static void on_wait_expired(struct deadline *deadline)
{
    struct list_wait *wait = wait_of(deadline);
    struct flight *flight = wait->read;

    detach(flight, wait);
    if (!flight->waiters && !flight->landing)
        flight_cancel(flight);
    wait->result = VAULT_FAILED;
    fault_set(&wait->fault, FAULT_DEADLINE_EXCEEDED, "the vault did not list accounts in time");
    wait->done(wait);
}

static void on_hit(struct deadline *deadline)
{
    struct list_wait *wait = wait_of(deadline);
    struct lists *lists = wait->read;

    DL_DELETE(lists->hits, wait);
    wait->read = NULL;
    wait->done(wait);
}

static int answer_from_cache(struct lists *lists, struct account_list *rows, struct list_wait *wait)
{
    int err = timer_start(lists->timers, &wait->deadline, 0, on_hit);

    if (err)
        return err;
    lists->stats.hits++;
    wait->source = LIST_FROM_CACHE;
    wait->accounts = account_list_ref(rows);
    wait->read = lists;
    DL_APPEND(lists->hits, wait);
    return 0;
}

static int join(struct flight *flight, struct list_wait *wait)
{
    int err = timer_start(flight->lists->timers, &wait->deadline, wait->timeout_ms, on_wait_expired);

    if (err)
        return err;
    wait->read = flight;
    DL_APPEND(flight->waiters, wait);
    return 0;
}

/* Takes the key over, in any case. */
static struct flight *flight_new(struct lists *lists, struct vault *vault, struct list_key *key)
{
    struct flight *flight = calloc(1, sizeof(*flight));

    if (!flight) {
        free(key);
        return NULL;
    }
    flight->lists = lists;
    flight->vault = vault;
    flight->key = key;
    list_key_query(key, &flight->query);
    flight->call.user = list_key_user(key);
    flight->call.timeout_ms = LONGEST_MS;
    flight->call.done = on_landed;
    HASH_ADD_KEYPTR(hh, lists->flights, key->bytes, key->len, flight);
    if (!flight->hh.tbl) {
        flight_free(flight);
        return NULL;
    }
    return flight;
}

static int take_off(struct lists *lists, struct vault *vault, struct list_key *key, struct list_wait *wait)
{
    struct flight *flight = flight_new(lists, vault, key);
    int err = flight ? join(flight, wait) : -ENOMEM;

    if (!flight)
        return err;
    if (!err) {
        err = wait->let_in ? 0 : vault_admit(vault, flight->call.user, wait->timeout_ms, &flight->call.fault);
        flight->call.let_in = wait->let_in;
        if (!err)
            err = vault->ops->list(vault, &flight->query, &flight->call);
        if (err)
            detach(flight, wait);
    }
    if (err) {
        wait->fault = flight->call.fault;
        HASH_DEL(lists->flights, flight);
        flight_free(flight);
        return err;
    }
    lists->stats.reads++;
    return 0;
}

int lists_get(struct lists *lists, struct vault *vault, const char *user, const struct account_query *query,
              struct list_wait *wait)
{
    struct list_key *key = list_key_new(vault, user, query);
    struct account_list *rows;
    struct flight *flight;
    int err;

    wait->result = VAULT_OK;
    wait->fault = (struct fault){0};
    wait->accounts = NULL;
    wait->age_ms = 0;
    wait->source = LIST_FROM_VAULT;
    wait->status = 0;
    wait->read = NULL;
    wait->deadline = (struct deadline){0};
    if (!key)
        return -ENOMEM;
    HASH_FIND(hh, lists->flights, key->bytes, key->len, flight);
    rows = list_cache_get(lists->cache, key, &wait->age_ms);
    if (!rows && !flight)
        return take_off(lists, vault, key, wait);
    free(key);
    if (rows)
        return answer_from_cache(lists, rows, wait);
    wait->age_ms = 0;
    err = join(flight, wait);
    if (!err) {
        lists->stats.coalesced++;
        wait->source = LIST_SHARED;
    }
    return err;
}

void lists_leave(struct lists *lists, struct list_wait *wait)
{
    struct flight *flight = wait->read;

    if (!wait->read)
        return;
    if (wait->read == lists) {
        DL_DELETE(lists->hits, wait);
        timer_stop(lists->timers, &wait->deadline);
        account_list_unref(wait->accounts);
        wait->accounts = NULL;
        wait->read = NULL;
        return;
    }
    detach(flight, wait);
    if (!flight->waiters && !flight->landing)
        flight_cancel(flight);
}

const struct account *lists_known(struct lists *lists, struct vault *vault, const char *user,
                                  const struct credential_ref *ref, struct account_list **hold)
{
    const struct account *row = list_cache_find(lists->cache, vault, user, ref, hold);

    if (row)
        account_list_ref(*hold);
    return row;
}

bool lists_known_policy(struct lists *lists, struct vault *vault, const char *user,
                        const struct credential_ref *ref, struct vault_policy *policy)
{
    return policy_cache_get(lists->policies, vault, user, ref, policy);
}

void lists_learn_policy(struct lists *lists, struct vault *vault, const char *user,
                        const struct credential_ref *ref, const struct vault_policy *policy)
{
    policy_cache_put(lists->policies, vault, user, ref, policy);
}

bool lists_policy_untold(struct lists *lists, struct vault *vault, const char *user,
                         const struct credential_ref *ref)
{
    return policy_cache_untold(lists->policies, vault, user, ref);
}

void lists_learn_key(struct lists *lists, struct vault *vault, const struct credential_ref *ref,
                     bool key_alone)
{
    if (key_alone)
        key_notes_put(lists->keys, vault, ref);
    else
        key_notes_drop(lists->keys, vault, ref);
}

bool lists_known_key(const struct lists *lists, const struct vault *vault, const struct credential_ref *ref)
{
    return key_notes_has(lists->keys, vault, ref);
}

void lists_stats(const struct lists *lists, struct lists_stats *stats)
{
    *stats = lists->stats;
}

void lists_renew(struct lists *lists, uint64_t list_cache_ms, uint64_t known_ms)
{
    list_cache_renew(lists->cache, list_cache_ms, known_ms);
    policy_cache_renew(lists->policies, known_ms);
}
