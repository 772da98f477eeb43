/* SPDX-License-Identifier: Apache-2.0 */
/*
 * catalogue_cache.c - one entry per vault and user, and the readings that renew them.
 *
 *   resting --searched, none or stale--> reading: local and linked accounts, and the system index
 *      ^  ^                                 |--all in--> a new catalogue
 *      |  '---------------------------------'
 *      '------a list failed: the others are cancelled, the old catalogue is kept while it may serve
 *
 * An entry exists while it has a catalogue or a reading; only a reading has waiters. A waiter that leaves
 * does not end the reading: the next search of that user needs it, and a list of thousands of rows may take
 * longer than one search has. A reading is over before its first done() is called, so that a get() inside a
 * done() finds the new catalogue.
 *
 * After a failed renewal the next is tried after a pause that doubles up to catalogue_cache, so that a search
 * per second does not become a failing call per second. A search without a catalogue to answer from always
 * starts a reading.
 *
 * Invariants: `rows` is the sum over all entries; the queue `used` has the least recently searched first. It
 * is no bounded_cache: an entry that is being read must stay, and its rows change.
 */
#include "broker/catalogue/catalogue_cache.h"

#include "base/backoff.h"
#include "base/container_of.h"
#include "base/log.h"
#include "base/uthash_nofail.h"
#include "broker/lists/list_key.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <utlist.h>

#define DEFAULT_ROWS 1000000
#define MAX_USERS    16384
#define PAUSE_MS     1000
#define LONGEST_MS   600000
#define NLISTS       2

static const struct account_query questions[NLISTS] = {{.kind = KIND_LOCAL}, {.kind = KIND_DOMAIN_LINKED}};

struct entry;

struct list_call {
    struct vault_call call; /* first */
    struct entry *of;
};

struct entry {
    UT_hash_handle hh;
    struct catalogue_cache *of;
    struct vault *vault;
    struct list_key *key;
    struct catalogue *catalogue; /* NULL = none */
    uint64_t began_ms, read_ms;  /* of the reading under way, of the catalogue */
    uint64_t pause_until_ms;
    unsigned failures; /* in a row */
    bool reading;
    unsigned open; /* lists under way, and one for the directory */
    struct list_call list[NLISTS];
    struct directory_wait directory;
    struct list_wait *waiters;
    TAILQ_ENTRY(entry) link;
};

struct catalogue_cache {
    struct catalogue_cache_opts opts;
    const struct clock *clock;
    struct directory **directory; /* one per vault */
    struct entry *entries;
    TAILQ_HEAD(, entry) used;
    size_t rows;
    uint64_t random;        /* of backoff_ms() */
    struct list_wait *hits; /* they wait for the next run of the timers */
};

/* ---- entries ---- */

static void drop_catalogue(struct entry *entry)
{
    if (!entry->catalogue)
        return;
    entry->of->rows -= entry->catalogue->n;
    catalogue_unref(entry->catalogue);
    entry->catalogue = NULL;
}

static void entry_free(struct entry *entry)
{
    drop_catalogue(entry);
    HASH_DEL(entry->of->entries, entry);
    TAILQ_REMOVE(&entry->of->used, entry, link);
    free(entry->key);
    free(entry);
}

/* Owns the key from now on, even on failure. */
static struct entry *entry_new(struct catalogue_cache *cache, struct vault *vault, struct list_key *key)
{
    struct entry *entry = calloc(1, sizeof(*entry));

    if (entry)
        HASH_ADD_KEYPTR(hh, cache->entries, key->bytes, key->len, entry);
    if (!entry || !entry->hh.tbl) {
        free(key);
        free(entry);
        return NULL;
    }
    entry->of = cache;
    entry->vault = vault;
    entry->key = key;
    for (size_t i = 0; i < NLISTS; i++)
        entry->list[i].of = entry;
    TAILQ_INSERT_TAIL(&cache->used, entry, link);
    return entry;
}

/* The last in the order of searches from now on; NULL = out of memory. */
static struct entry *entry_get(struct catalogue_cache *cache, struct vault *vault, const char *user)
{
    struct list_key *key = list_key_owner(vault, user);
    struct entry *entry;

    if (!key)
        return NULL;
    HASH_FIND(hh, cache->entries, key->bytes, key->len, entry);
    if (!entry)
        return entry_new(cache, vault, key);
    free(key);
    TAILQ_REMOVE(&cache->used, entry, link);
    TAILQ_INSERT_TAIL(&cache->used, entry, link);
    return entry;
}

static void make_room(struct catalogue_cache *cache, const struct entry *keep)
{
    struct entry *entry = TAILQ_FIRST(&cache->used), *next;

    for (; entry && (cache->rows > cache->opts.max_rows || HASH_COUNT(cache->entries) > MAX_USERS);
         entry = next) {
        next = TAILQ_NEXT(entry, link);
        if (entry != keep && !entry->reading)
            entry_free(entry);
    }
}

static int answer_now(struct entry *entry, struct list_wait *wait)
{
    struct catalogue_cache *cache = entry->of;
    int err = list_wait_hit(wait, cache->opts.timers, &cache->hits);

    if (err)
        return err;
    wait->catalogue = catalogue_ref(entry->catalogue);
    wait->age_ms = clock_now(cache->clock) - entry->read_ms;
    return 0;
}

void catalogue_cache_leave(struct catalogue_cache *cache, struct list_wait *wait)
{
    if (!wait->queue)
        return;
    list_wait_dequeue(wait, cache->opts.timers);
    catalogue_unref(wait->catalogue);
    wait->catalogue = NULL;
}

/* ---- reading ---- */

static void stop_reading(struct entry *entry)
{
    for (size_t i = 0; i < NLISTS; i++) {
        entry->vault->ops->cancel(entry->vault, &entry->list[i].call);
        vault_call_free(&entry->list[i].call);
    }
    directory_leave(&entry->directory);
    entry->open = 0;
    entry->reading = false;
}

/* Gives all waiters the outcome of the reading: `fault`, or the entry's catalogue. May free the entry. */
static void answer_waiters(struct entry *entry, enum vault_result result, const struct fault *fault)
{
    struct list_wait *waiters = NULL, *wait;
    struct catalogue_cache *cache = entry->of;
    struct catalogue *catalogue = result == VAULT_OK ? catalogue_ref(entry->catalogue) : NULL;

    while ((wait = entry->waiters)) {
        list_wait_dequeue(wait, cache->opts.timers);
        list_wait_enqueue(wait, &waiters); /* a queue in which they can still leave */
    }
    if (!entry->catalogue)
        entry_free(entry);
    else
        make_room(cache, entry);
    while ((wait = waiters)) {
        list_wait_dequeue(wait, cache->opts.timers);
        wait->result = result;
        if (fault)
            wait->fault = *fault;
        wait->catalogue = catalogue ? catalogue_ref(catalogue) : NULL;
        wait->done(wait);
    }
    catalogue_unref(catalogue);
}

static void fail_reading(struct entry *entry, enum vault_result result, const struct fault *why)
{
    struct catalogue_cache *cache = entry->of;
    uint64_t pause = backoff_ms(++entry->failures + 1, &cache->random);
    struct fault fault = *why; /* a copy: the fault is in a call that is freed now */

    stop_reading(entry);
    entry->pause_until_ms =
        clock_now(cache->clock) + (pause < cache->opts.fresh_ms ? pause : cache->opts.fresh_ms);
    if (result == VAULT_REFUSED)
        drop_catalogue(entry);
    if (entry->catalogue)
        log_warn("catalogue_not_renewed", "vault=%s user=%s age_ms=%" PRIu64 " code=%s detail=%s",
                 entry->vault->conf->name, list_key_user(entry->key),
                 clock_now(cache->clock) - entry->read_ms, fault_row(fault.code)->code, fault.detail);
    answer_waiters(entry, result, &fault);
}

/* Of the lists that were read and the system index that there is; NULL = out of memory. */
static struct catalogue *make_catalogue(const struct entry *entry)
{
    struct account_list *lists[NLISTS];
    struct catalogue_sources from = {.conf = entry->vault->conf,
                                     .index = catalogue_cache_index(entry->of, entry->vault),
                                     .lists = lists,
                                     .nlists = NLISTS};

    for (size_t i = 0; i < NLISTS; i++)
        lists[i] = entry->list[i].call.accounts;
    return catalogue_make(&from);
}

static void finish_reading(struct entry *entry)
{
    struct catalogue_cache *cache = entry->of;
    struct catalogue *catalogue = make_catalogue(entry);
    struct fault fault;

    if (!catalogue) {
        fault_set(&fault, FAULT_INTERNAL, "out of memory");
        fail_reading(entry, VAULT_FAILED, &fault);
        return;
    }
    stop_reading(entry);
    drop_catalogue(entry);
    entry->catalogue = catalogue;
    entry->read_ms = entry->began_ms;
    entry->failures = 0;
    cache->rows += catalogue->n;
    log_debug("catalogue_read", "vault=%s user=%s systems=%zu took_ms=%" PRIu64, entry->vault->conf->name,
              list_key_user(entry->key), catalogue->n, clock_now(cache->clock) - entry->began_ms);
    answer_waiters(entry, VAULT_OK, NULL);
}

static void on_list(struct vault_call *call)
{
    struct list_call *list = CONTAINER_OF(call, struct list_call, call);
    struct entry *entry = list->of;

    entry->open--;
    if (call->result != VAULT_OK && call->result != VAULT_ABSENT)
        fail_reading(entry, call->result, &call->fault);
    else if (entry->open == 0)
        finish_reading(entry);
}

static void on_directory(struct directory_wait *wait)
{
    struct entry *entry = CONTAINER_OF(wait, struct entry, directory);

    if (--entry->open == 0)
        finish_reading(entry);
}

static int start_reading(struct entry *entry, bool background)
{
    struct catalogue_cache *cache = entry->of;

    entry->reading = true;
    entry->began_ms = clock_now(cache->clock);
    for (size_t i = 0; i < NLISTS; i++) {
        struct vault_call *call = &entry->list[i].call;
        int err;
        *call = (struct vault_call){.user = list_key_user(entry->key),
                                    .timeout_ms = LONGEST_MS,
                                    .background = background,
                                    .admitted = i > 0,
                                    .done = on_list};
        err = entry->vault->ops->list(entry->vault, &questions[i], call);
        if (err) {
            stop_reading(entry);
            return err;
        }
        entry->open++;
    }
    entry->directory.done = on_directory;
    if (!directory_ready(catalogue_cache_directory(cache, entry->vault), &entry->directory))
        entry->open++;
    return 0;
}

bool catalogue_cache_take_early(struct catalogue_cache *cache, struct vault *vault, const char *user,
                                struct list_wait *wait)
{
    struct list_key *key = list_key_owner(vault, user);
    struct entry *entry = NULL;
    struct catalogue *catalogue;

    if (key)
        HASH_FIND(hh, cache->entries, key->bytes, key->len, entry);
    free(key);
    if (!entry || wait->queue != &entry->waiters || entry->open != 1 || !entry->directory.directory)
        return false;
    catalogue = make_catalogue(entry);
    if (!catalogue)
        return false;
    list_wait_dequeue(wait, cache->opts.timers);
    wait->result = VAULT_OK;
    wait->catalogue = catalogue;
    return true;
}

/* ---- searches ---- */

/* A renewal that cannot begin fails without a waiter: the next search tries again. */
static void start_renewal(struct entry *entry)
{
    struct catalogue_cache *cache = entry->of;

    if (entry->reading || clock_now(cache->clock) < entry->pause_until_ms)
        return;
    if (start_reading(entry, true))
        entry->pause_until_ms = clock_now(cache->clock) + PAUSE_MS;
}

static int answer_or_wait(struct entry *entry, struct list_wait *wait)
{
    struct catalogue_cache *cache = entry->of;
    uint64_t age = clock_now(cache->clock) - entry->read_ms;
    int err = 0;

    if (entry->catalogue && cache->opts.fresh_ms && age < cache->opts.fresh_ms)
        return answer_now(entry, wait);
    if (entry->catalogue && cache->opts.fresh_ms && age <= cache->opts.max_age_ms) {
        start_renewal(entry);
        return answer_now(entry, wait);
    }
    drop_catalogue(entry);
    if (!entry->reading)
        err = start_reading(entry, false);
    if (!err)
        list_wait_enqueue(wait, &entry->waiters);
    return err;
}

int catalogue_cache_get(struct catalogue_cache *cache, struct vault *vault, const char *user,
                        struct list_wait *wait)
{
    struct entry *entry = entry_get(cache, vault, user);
    int err;

    list_wait_begin(wait);
    if (!entry)
        return -ENOMEM;
    err = answer_or_wait(entry, wait);
    if (err && !entry->catalogue && !entry->reading)
        entry_free(entry);
    return err;
}

/* ---- the cache as a whole ---- */

struct directory *catalogue_cache_directory(struct catalogue_cache *cache, const struct vault *vault)
{
    for (size_t i = 0; i < cache->opts.nvaults; i++)
        if (cache->opts.vaults[i] == vault)
            return cache->directory[i];
    return NULL;
}

struct system_index *catalogue_cache_index(struct catalogue_cache *cache, const struct vault *vault)
{
    struct directory *directory = catalogue_cache_directory(cache, vault);

    return directory ? directory_index(directory) : NULL;
}

struct catalogue_cache *catalogue_cache_new(const struct catalogue_cache_opts *opts)
{
    struct catalogue_cache *cache = calloc(1, sizeof(*cache));

    if (!cache)
        return NULL;
    cache->opts = *opts;
    cache->opts.max_rows = opts->max_rows ? opts->max_rows : DEFAULT_ROWS;
    cache->clock = timers_clock(opts->timers);
    cache->random = (clock_now(cache->clock) * 0x9E3779B97F4A7C15U) | 1;
    TAILQ_INIT(&cache->used);
    cache->directory = calloc(opts->nvaults + 1, sizeof(struct directory *));
    for (size_t i = 0; cache->directory && i < opts->nvaults; i++) {
        cache->directory[i] = directory_new(&(struct directory_opts){.timers = opts->timers,
                                                                     .vault = opts->vaults[i],
                                                                     .fresh_ms = opts->fresh_ms,
                                                                     .max_age_ms = opts->max_age_ms});
        if (!cache->directory[i]) {
            catalogue_cache_free(cache);
            return NULL;
        }
    }
    if (!cache->directory) {
        free(cache);
        return NULL;
    }
    return cache;
}

void catalogue_cache_free(struct catalogue_cache *cache)
{
    struct entry *entry;

    if (!cache)
        return;
    while (cache->hits)
        catalogue_cache_leave(cache, cache->hits);
    while ((entry = TAILQ_FIRST(&cache->used))) {
        stop_reading(entry);
        while (entry->waiters)
            catalogue_cache_leave(cache, entry->waiters);
        entry_free(entry);
    }
    /* behind the entries, which wait for directories */
    for (size_t i = 0; i < cache->opts.nvaults; i++)
        directory_free(cache->directory[i]);
    free(cache->directory);
    free(cache);
}

void catalogue_cache_stats(const struct catalogue_cache *cache, struct catalogue_cache_stats *stats)
{
    *stats = (struct catalogue_cache_stats){.users = HASH_COUNT(cache->entries), .rows = cache->rows};
}

void catalogue_cache_reload(struct catalogue_cache *cache, uint64_t fresh_ms, uint64_t max_age_ms)
{
    cache->opts.fresh_ms = fresh_ms;
    cache->opts.max_age_ms = max_age_ms;
    for (size_t i = 0; i < cache->opts.nvaults; i++)
        directory_reload(cache->directory[i], fresh_ms, max_age_ms);
}
