/* SPDX-License-Identifier: Apache-2.0 */
#include "find_rig.h"

#include "broker/catalogue/catalogue_cache.h"
#include "broker/find/partial_answers.h"
#include "check.h"

#include "base/log.h"
#include "base/text.h"

#include <string.h>

static struct rig *current; /* where the recording vault writes */
static struct vault_ops recording;
static int (*plain_list)(struct vault *, const struct account_query *, struct vault_call *);

static int record_list(struct vault *vault, const struct account_query *query, struct vault_call *call)
{
    struct rig_query *asked = &current->asked[current->nasked++];
    int err;

    assert_in_range(current->nasked, 1, RIG_QUERIES);
    *asked = (struct rig_query){.kind = query->kind, .recent = query->recent};
    text_copy(asked->user, sizeof(asked->user), call->user);
    text_copy(asked->system, sizeof(asked->system), query->system ? query->system : "");
    text_copy(asked->ip, sizeof(asked->ip), query->ip ? query->ip : "");
    text_copy(asked->application, sizeof(asked->application), query->application ? query->application : "");
    err = plain_list(vault, query, call);
    if (fake_vault_pending(&current->vault[0]) > current->most_pending)
        current->most_pending = fake_vault_pending(&current->vault[0]);
    return err;
}

void rig_start(struct rig *rig, size_t nvaults)
{
    static const char *const names[] = {"main", "second"};

    memset(rig, 0, sizeof(*rig));
    current = rig;
    assert_int_equal(log_open(&(struct log_opts){.level = LOG_ERROR, .file = "-"}), 0);
    fake_clock_init(&rig->clock);
    rig->timers = timers_new(&rig->clock.clock);
    rig->conf.gateway.release_duration_ms = MINUTES(60);
    rig->conf.gateway.endpoint_limit = 200;
    rig->conf.gateway.catalogue_cache_ms = MINUTES(1);
    rig->conf.gateway.catalogue_max_age_ms = MINUTES(10);
    for (size_t i = 0; i < nvaults; i++) {
        fake_vault_init(&rig->vault[i], &rig->clock.clock);
        text_copy(rig->vault[i].conf.name, sizeof(rig->vault[i].conf.name), names[i]);
        recording = *rig->vault[i].vault.ops;
        plain_list = recording.list;
        rig->vaults[i] = &rig->vault[i].vault;
    }
    recording.list = record_list;
    for (size_t i = 0; i < nvaults; i++)
        rig->vault[i].vault.ops = &recording;
    rig->broker = (struct broker){
        .timers = rig->timers,
        .clock = &rig->clock.clock,
        .conf = &rig->conf,
        .vaults = rig->vaults,
        .nvaults = nvaults,
        .lists = account_lists_new(&(struct account_lists_opts){
            .timers = rig->timers, .list_cache_ms = SECONDS(15), .known_ms = MINUTES(1)}),
    };
    rig->broker.catalogue_cache =
        catalogue_cache_new(&(struct catalogue_cache_opts){.timers = rig->timers,
                                                           .vaults = rig->vaults,
                                                           .nvaults = nvaults,
                                                           .fresh_ms = MINUTES(1),
                                                           .max_age_ms = MINUTES(10)});
    rig->broker.partial = partial_answers_new(nvaults);
    assert_non_null(rig->broker.partial);
    TAILQ_INIT(&rig->broker.ops);
    assert_non_null(rig->timers);
    assert_non_null(rig->broker.lists);
    assert_non_null(rig->broker.catalogue_cache);
}

size_t rig_pending(const struct rig *rig)
{
    size_t n = 0;

    for (size_t i = 0; i < rig->broker.nvaults; i++)
        n += fake_vault_pending(&rig->vault[i]);
    return n;
}

void rig_end(struct rig *rig)
{
    assert_int_equal(rig->broker.nops, 0);
    catalogue_cache_free(rig->broker.catalogue_cache); /* a reading goes on without who asked for it */
    assert_int_equal(rig_pending(rig), 0);
    assert_int_equal(timers_count(rig->timers), 0);
    account_lists_free(rig->broker.lists);
    partial_answers_free(rig->broker.partial);
    for (size_t i = 0; i < rig->broker.nvaults; i++)
        fake_vault_free(&rig->vault[i]);
    timers_free(rig->timers);
}

bool rig_step(struct rig *rig)
{
    for (size_t i = 0; i < rig->broker.nvaults; i++)
        if (fake_vault_step(&rig->vault[i]))
            return true;
    return false;
}

void rig_settle(struct rig *rig)
{
    do {
        fake_clock_run(&rig->clock, rig->timers, 0);
    } while (rig_step(rig) || timers_next(rig->timers) == 0);
}
