/* SPDX-License-Identifier: Apache-2.0 */
/*
 * directory.c - when the system index is read, and who waits for it.
 *
 *   resting --asked for, none or stale--> reading (three calls side by side) --all in--> resting, new index
 *                                            '--the systems cannot be read--> resting, old index, pause
 *
 * Only the systems are needed: where platforms or workgroups may not be read, the index lacks methods or
 * network names. The first reading has waiters, later ones run in the background while the old index serves;
 * with a catalogue_cache of 0 every reading has waiters. After a failure no reading begins, and no search
 * waits, for a pause that doubles up to a minute, so that a directory that does not answer delays no search.
 *
 * Invariants: `open` counts the calls under way; waiters exist only while it is not 0. No timer runs: ages
 * are compared when the index is asked for.
 */
#include "broker/catalogue/directory.h"

#include "base/backoff.h"
#include "base/container_of.h"
#include "base/log.h"
#include "broker/catalogue/directory_index.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

struct part_call {
    struct vault_call call; /* first */
    struct directory *of;
};

struct directory {
    struct directory_opts opts;
    const struct clock *clock;
    struct part_call part[DIRECTORY_NPARTS];
    char *user; /* a copy: the configuration may change during a reading */
    unsigned open;
    struct system_index *index;
    uint64_t began_ms, read_ms; /* of the reading under way, of the index */
    uint64_t pause_until_ms;
    unsigned failures; /* in a row */
    uint64_t random;   /* of backoff_ms() */
    struct directory_wait *waiters;
};

struct directory *directory_new(const struct directory_opts *opts)
{
    struct directory *directory = calloc(1, sizeof(*directory));

    if (!directory)
        return NULL;
    directory->opts = *opts;
    directory->clock = timers_clock(opts->timers);
    directory->random = (clock_now(directory->clock) * 0x9E3779B97F4A7C15U) | 1;
    for (size_t i = 0; i < DIRECTORY_NPARTS; i++)
        directory->part[i].of = directory;
    return directory;
}

void directory_free(struct directory *directory)
{
    if (!directory)
        return;
    for (size_t i = 0; i < DIRECTORY_NPARTS; i++) {
        directory->opts.vault->ops->cancel(directory->opts.vault, &directory->part[i].call);
        vault_call_free(&directory->part[i].call);
    }
    while (directory->waiters)
        directory_leave(directory->waiters);
    system_index_free(directory->index);
    free(directory->user);
    free(directory);
}

void directory_leave(struct directory_wait *wait)
{
    if (!wait->directory)
        return;
    DL_DELETE(wait->directory->waiters, wait);
    wait->directory = NULL;
}

static void end_reading(struct directory *directory)
{
    for (size_t i = 0; i < DIRECTORY_NPARTS; i++)
        vault_call_free(&directory->part[i].call);
    while (directory->waiters) {
        struct directory_wait *wait = directory->waiters;
        directory_leave(wait);
        wait->done(wait);
    }
}

static void fail_reading(struct directory *directory, const char *detail)
{
    log_warn("directory_failed", "vault=%s user=%s in_a_row=%u detail=%s", directory->opts.vault->conf->name,
             directory->opts.vault->conf->directory_user, directory->failures + 1, detail);
    directory->pause_until_ms =
        clock_now(directory->clock) + backoff_ms(++directory->failures + 1, &directory->random);
}

/* The list of a part that the index can do without; NULL = it could not be read. */
static struct directory_list *optional_part(const struct directory *directory, enum directory_part part,
                                            const char *what)
{
    const struct vault_call *call = &directory->part[part].call;

    if (call->result != VAULT_OK && directory->failures == 0 && !directory->index)
        log_warn("directory_incomplete", "vault=%s without=%s detail=%s", directory->opts.vault->conf->name,
                 what, call->fault.detail);
    return call->result == VAULT_OK ? call->directory : NULL;
}

static void finish_reading(struct directory *directory)
{
    const struct vault_call *systems = &directory->part[DIRECTORY_SYSTEMS].call;
    struct system_index_sources from = {.conf = directory->opts.vault->conf, .systems = systems->directory};
    struct system_index *index = NULL;

    if (systems->result != VAULT_OK || !systems->directory) {
        fail_reading(directory, systems->fault.detail);
        end_reading(directory);
        return;
    }
    from.platforms = optional_part(directory, DIRECTORY_PLATFORMS, "platforms");
    from.workgroups = optional_part(directory, DIRECTORY_WORKGROUPS, "workgroups");
    index = system_index_make(&from);
    if (index) {
        system_index_free(directory->index);
        directory->index = index;
        directory->read_ms = directory->began_ms;
        directory->failures = 0;
        log_debug("directory_read", "vault=%s systems=%zu took_ms=%" PRIu64,
                  directory->opts.vault->conf->name, index->n,
                  clock_now(directory->clock) - directory->began_ms);
    } else {
        fail_reading(directory, "out of memory");
    }
    end_reading(directory);
}

static void on_part(struct vault_call *call)
{
    struct part_call *part = CONTAINER_OF(call, struct part_call, call);

    if (--part->of->open == 0)
        finish_reading(part->of);
}

/* False = the call could not be started. */
static bool start_part(struct directory *directory, enum directory_part which, bool background)
{
    struct vault *vault = directory->opts.vault;
    struct part_call *part = &directory->part[which];

    part->call = (struct vault_call){
        .user = directory->user,
        .timeout_ms = directory->opts.max_age_ms ? directory->opts.max_age_ms : 60000,
        .background = background,
        .done = on_part,
    };
    if (vault->ops->directory(vault, which, &part->call)) {
        part->call.result = VAULT_FAILED;
        fault_set(&part->call.fault, FAULT_OVERLOADED, "the call could not be started");
        return false;
    }
    directory->open++;
    return true;
}

static void read_all(struct directory *directory, bool background)
{
    directory->began_ms = clock_now(directory->clock);
    free(directory->user);
    directory->user = strdup(directory->opts.vault->conf->directory_user);
    if (!directory->user) {
        fail_reading(directory, "out of memory");
        return;
    }
    if (!start_part(directory, DIRECTORY_SYSTEMS, background)) {
        fail_reading(directory, "the call could not be started");
        return;
    }
    (void)start_part(directory, DIRECTORY_PLATFORMS, background);
    (void)start_part(directory, DIRECTORY_WORKGROUPS, background);
}

static bool is_on(const struct directory *directory)
{
    const struct vault *vault = directory->opts.vault;

    return vault->conf->directory_user && *vault->conf->directory_user && vault->ops->directory;
}

struct system_index *directory_index(struct directory *directory)
{
    uint64_t age = clock_now(directory->clock) - directory->read_ms;

    if (directory->index && directory->opts.fresh_ms && age > directory->opts.max_age_ms) {
        system_index_free(directory->index);
        directory->index = NULL;
    }
    return directory->index;
}

void directory_want(struct directory *directory)
{
    uint64_t now = clock_now(directory->clock);

    if (!is_on(directory) || directory->open || now < directory->pause_until_ms)
        return;
    if (!directory_index(directory) || now - directory->read_ms >= directory->opts.fresh_ms)
        read_all(directory, true);
}

bool directory_ready(struct directory *directory, struct directory_wait *wait)
{
    uint64_t now = clock_now(directory->clock);
    bool have = directory_index(directory) != NULL && directory->opts.fresh_ms;

    wait->directory = NULL;
    if (!is_on(directory) || (have && now - directory->read_ms < directory->opts.fresh_ms))
        return true;
    if (!directory->open && now >= directory->pause_until_ms)
        read_all(directory, have);
    if (have || !directory->open)
        return true;
    wait->directory = directory;
    DL_APPEND(directory->waiters, wait);
    return false;
}

void directory_reload(struct directory *directory, uint64_t fresh_ms, uint64_t max_age_ms)
{
    directory->opts.fresh_ms = fresh_ms;
    directory->opts.max_age_ms = max_age_ms;
}
