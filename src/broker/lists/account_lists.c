/* SPDX-License-Identifier: Apache-2.0 */
/*
 * account_lists.c - reads of account lists: equal ones share one vault call, and a fresh list needs none.
 *
 *   get --fresh in the cache----> hit: done() on the next run of the timers
 *    |--same read under way ----> one more waiter of that read
 *    '--neither ----------------> a new read --> its end: the cache, then every waiter's done()
 *
 * A read lasts while it has waiters: a waiter ends with its answer, at its own deadline or by leaving, and
 * with the last one the call is cancelled. The read itself has no deadline but the vault's call_timeout: the
 * longest deadline of its waiters is the read's, even that of a late one.
 *
 * A read that ends is out of the table before the first done(), so that a get() inside a done() starts a new
 * read or hits the cache. done() may free its waiter, make other waiters of the same read leave, and get()
 * again: waiters are taken from the front one by one, and `ending` keeps the read in memory without waiters.
 *
 * Invariants: failures go to all waiters and are not kept. A waiter is in the queue `hits`, in that of its
 * read, or in none.
 *
 * Not here: which lists are kept, and for how long (account_list_cache.c).
 */
#include "broker/lists/account_lists.h"

#include "base/container_of.h"
#include "base/uthash_nofail.h"
#include "broker/lists/account_list_cache.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <utlist.h>

#define DEFAULT_ENTRIES 4096
#define DEFAULT_ROWS    65536
/* The longest timeout a caller may name. A read ends earlier, with its last waiter. */
#define LONGEST_MS 600000

struct list_read {
    UT_hash_handle hh;
    struct account_lists *lists;
    struct vault *vault;
    struct list_key *key;
    struct account_query query; /* texts in the key */
    struct vault_call call;
    struct list_wait *waiters; /* in order of arrival */
    bool ending;
};

struct account_lists {
    struct timers *timers;
    struct account_list_cache *cache;
    struct account_facts facts;
    struct list_read *list_reads;
    struct list_wait *hits; /* they wait for the next run of the timers */
    struct account_lists_stats stats;
};

struct account_lists *account_lists_new(const struct account_lists_opts *opts)
{
    const struct clock *clock = timers_clock(opts->timers);
    size_t max_rows = opts->max_known ? opts->max_known : DEFAULT_ROWS;
    struct account_list_cache_opts cache = {
        .clock = clock,
        .fresh_ms = opts->list_cache_ms,
        .keep_ms = opts->known_ms,
        .max_entries = opts->max_entries ? opts->max_entries : DEFAULT_ENTRIES,
        .max_rows = max_rows,
    };
    struct account_lists *lists = calloc(1, sizeof(*lists));

    if (!lists)
        return NULL;
    lists->timers = opts->timers;
    lists->cache = account_list_cache_new(&cache);
    if (!lists->cache) {
        free(lists);
        return NULL;
    }
    account_facts_init(&lists->facts, clock, opts->known_ms, max_rows);
    return lists;
}

static void list_read_free(struct list_read *list_read)
{
    vault_call_free(&list_read->call);
    free(list_read->key);
    free(list_read);
}

/* Without waiters the answer of the call is of no use. */
static void list_read_cancel(struct list_read *list_read)
{
    HASH_DEL(list_read->lists->list_reads, list_read);
    list_read->vault->ops->cancel(list_read->vault, &list_read->call);
    list_read_free(list_read);
}

void account_lists_free(struct account_lists *lists)
{
    struct list_read *list_read, *next;

    if (!lists)
        return;
    while (lists->hits)
        account_lists_leave(lists, lists->hits);
    HASH_ITER(hh, lists->list_reads, list_read, next)
    {
        while (list_read->waiters)
            list_wait_dequeue(list_read->waiters, lists->timers);
        list_read_cancel(list_read);
    }
    account_list_cache_free(lists->cache);
    account_facts_clear(&lists->facts);
    free(lists);
}

static void answer_wait(const struct list_read *list_read, struct list_wait *wait)
{
    wait->result = list_read->call.result;
    wait->fault = list_read->call.fault;
    wait->age_ms = 0;
    wait->status = list_read->call.status;
    wait->accounts = list_read->call.accounts ? account_list_ref(list_read->call.accounts) : NULL;
    wait->done(wait);
}

static void on_read(struct vault_call *call)
{
    struct list_read *list_read = CONTAINER_OF(call, struct list_read, call);
    struct account_lists *lists = list_read->lists;

    list_read->ending = true;
    HASH_DEL(lists->list_reads, list_read);
    if (call->result == VAULT_OK && call->accounts) {
        account_list_cache_put(lists->cache, list_read->key, call->accounts);
        list_read->key = NULL;
    }
    while (list_read->waiters) {
        struct list_wait *wait = list_read->waiters;
        list_wait_dequeue(wait, lists->timers);
        answer_wait(list_read, wait);
    }
    list_read_free(list_read);
}

/* Takes the wait out of its read, which ends with its last waiter. */
static void leave_read(struct list_wait *wait)
{
    struct list_read *list_read = CONTAINER_OF(wait->queue, struct list_read, waiters);

    list_wait_dequeue(wait, list_read->lists->timers);
    if (!list_read->waiters && !list_read->ending)
        list_read_cancel(list_read);
}

static void on_wait_expired(struct deadline *deadline)
{
    struct list_wait *wait = CONTAINER_OF(deadline, struct list_wait, deadline);

    leave_read(wait);
    wait->result = VAULT_FAILED;
    fault_set(&wait->fault, FAULT_DEADLINE_EXCEEDED, "the vault did not list accounts in time");
    wait->done(wait);
}

static int answer_from_cache(struct account_lists *lists, struct account_list *rows, struct list_wait *wait)
{
    int err = list_wait_hit(wait, lists->timers, &lists->hits);

    if (err)
        return err;
    lists->stats.hits++;
    wait->accounts = account_list_ref(rows);
    return 0;
}

static int join(struct list_read *list_read, struct list_wait *wait)
{
    int err = timer_start(list_read->lists->timers, &wait->deadline, wait->timeout_ms, on_wait_expired);

    if (!err)
        list_wait_enqueue(wait, &list_read->waiters);
    return err;
}

/* Owns the key from now on, even on failure. */
static struct list_read *list_read_new(struct account_lists *lists, struct vault *vault, struct list_key *key)
{
    struct list_read *list_read = calloc(1, sizeof(*list_read));

    if (list_read)
        HASH_ADD_KEYPTR(hh, lists->list_reads, key->bytes, key->len, list_read);
    if (!list_read || !list_read->hh.tbl) {
        free(key);
        free(list_read);
        return NULL;
    }
    list_read->lists = lists;
    list_read->vault = vault;
    list_read->key = key;
    list_key_query(key, &list_read->query);
    list_read->call.user = list_key_user(key);
    list_read->call.timeout_ms = LONGEST_MS;
    list_read->call.done = on_read;
    return list_read;
}

static int start_read(struct account_lists *lists, struct vault *vault, struct list_key *key,
                      struct list_wait *wait)
{
    struct list_read *list_read = list_read_new(lists, vault, key);
    int err = list_read ? join(list_read, wait) : -ENOMEM;

    if (!list_read)
        return err;
    list_read->call.admitted = wait->admitted;
    if (!err && !wait->admitted)
        err = vault_admit(vault, list_read->call.user, wait->timeout_ms, &list_read->call.fault);
    if (!err)
        err = vault->ops->list(vault, &list_read->query, &list_read->call);
    if (!err) {
        lists->stats.reads++;
        return 0;
    }
    if (wait->queue)
        list_wait_dequeue(wait, lists->timers);
    wait->fault = list_read->call.fault;
    HASH_DEL(lists->list_reads, list_read);
    list_read_free(list_read);
    return err;
}

int account_lists_get(struct account_lists *lists, struct vault *vault, const char *user,
                      const struct account_query *query, struct list_wait *wait)
{
    struct list_key *key = list_key_new(vault, user, query);
    struct account_list *rows;
    struct list_read *list_read;
    int err;

    list_wait_begin(wait);
    if (!key)
        return -ENOMEM;
    HASH_FIND(hh, lists->list_reads, key->bytes, key->len, list_read);
    rows = account_list_cache_get(lists->cache, key, &wait->age_ms);
    if (!rows && !list_read)
        return start_read(lists, vault, key, wait);
    free(key);
    if (rows)
        return answer_from_cache(lists, rows, wait);
    err = join(list_read, wait);
    if (!err) {
        lists->stats.coalesced++;
        wait->source = LIST_SHARED;
    }
    return err;
}

void account_lists_leave(struct account_lists *lists, struct list_wait *wait)
{
    if (wait->queue == &lists->hits) {
        list_wait_dequeue(wait, lists->timers);
        account_list_unref(wait->accounts);
        wait->accounts = NULL;
    } else if (wait->queue) {
        leave_read(wait);
    }
}

const struct account *account_lists_known(struct account_lists *lists, struct vault *vault, const char *user,
                                          const char *account_key, struct account_list **hold)
{
    return account_list_cache_find(lists->cache, vault, user, account_key, hold);
}

struct account_facts *account_lists_facts(struct account_lists *lists)
{
    return &lists->facts;
}

void account_lists_stats(const struct account_lists *lists, struct account_lists_stats *stats)
{
    *stats = lists->stats;
}

void account_lists_reload(struct account_lists *lists, uint64_t list_cache_ms, uint64_t known_ms)
{
    account_list_cache_reload(lists->cache, list_cache_ms, known_ms);
    lists->facts.keep_ms = known_ms;
}
