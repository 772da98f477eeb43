/* SPDX-License-Identifier: Apache-2.0 */
#include "find_rig.h"

#include "broker/catalogue/catalogue_cache.h"
#include "check.h"

#include "base/log.h"
#include "base/text.h"

#include <string.h>

static struct desk *current; /* whom the recording vault tells */
static struct vault_ops recording;
static int (*plain_list)(struct vault *, const struct account_query *, struct vault_call *);

static int record_list(struct vault *vault, const struct account_query *query, struct vault_call *call)
{
    struct desk_asked *asked = &current->asked[current->nasked++];
    int err;

    assert_in_range(current->nasked, 1, DESK_ASKED);
    *asked = (struct desk_asked){.kind = query->kind, .recent = query->recent};
    text_copy(asked->user, sizeof(asked->user), call->user);
    text_copy(asked->system, sizeof(asked->system), query->system ? query->system : "");
    text_copy(asked->ip, sizeof(asked->ip), query->ip ? query->ip : "");
    text_copy(asked->application, sizeof(asked->application), query->application ? query->application : "");
    err = plain_list(vault, query, call);
    if (fake_vault_pending(&current->vault[0]) > current->most_pending)
        current->most_pending = fake_vault_pending(&current->vault[0]);
    return err;
}

void desk_open(struct desk *desk, size_t nvaults)
{
    static const char *const names[] = {"main", "second"};

    memset(desk, 0, sizeof(*desk));
    current = desk;
    assert_int_equal(log_open(&(struct log_opts){.level = LOG_ERROR, .file = "-"}), 0);
    fake_clock_init(&desk->clock);
    desk->timers = timers_new(&desk->clock.clock);
    desk->conf.gateway.release_duration_ms = 3600000;
    desk->conf.gateway.endpoint_limit = 200;
    desk->conf.gateway.catalogue_cache_ms = 60000;
    desk->conf.gateway.catalogue_max_age_ms = 600000;
    for (size_t i = 0; i < nvaults; i++) {
        fake_vault_init(&desk->vault[i], &desk->clock.clock);
        text_copy(desk->vault[i].conf.name, sizeof(desk->vault[i].conf.name), names[i]);
        recording = *desk->vault[i].vault.ops;
        plain_list = recording.list;
        desk->vaults[i] = &desk->vault[i].vault;
    }
    recording.list = record_list;
    for (size_t i = 0; i < nvaults; i++)
        desk->vault[i].vault.ops = &recording;
    desk->broker = (struct broker){
        .timers = desk->timers,
        .clock = &desk->clock.clock,
        .conf = &desk->conf,
        .vaults = desk->vaults,
        .nvaults = nvaults,
        .lists = account_lists_new(
            &(struct account_lists_opts){.timers = desk->timers, .list_cache_ms = 15000, .known_ms = 60000}),
    };
    desk->broker.catalogue_cache = catalogue_cache_new(&(struct catalogue_cache_opts){.timers = desk->timers,
                                                                                      .vaults = desk->vaults,
                                                                                      .nvaults = nvaults,
                                                                                      .fresh_ms = 60000,
                                                                                      .max_age_ms = 600000});
    TAILQ_INIT(&desk->broker.ops);
    assert_non_null(desk->timers);
    assert_non_null(desk->broker.lists);
    assert_non_null(desk->broker.catalogue_cache);
}

size_t desk_pending(const struct desk *desk)
{
    size_t n = 0;

    for (size_t i = 0; i < desk->broker.nvaults; i++)
        n += fake_vault_pending(&desk->vault[i]);
    return n;
}

void desk_close(struct desk *desk)
{
    assert_int_equal(desk->broker.nops, 0);
    catalogue_cache_free(desk->broker.catalogue_cache); /* a reading goes on without who asked for it */
    assert_int_equal(desk_pending(desk), 0);
    assert_int_equal(timers_count(desk->timers), 0);
    account_lists_free(desk->broker.lists);
    for (size_t i = 0; i < desk->broker.nvaults; i++)
        fake_vault_free(&desk->vault[i]);
    timers_free(desk->timers);
}

bool desk_step(struct desk *desk)
{
    for (size_t i = 0; i < desk->broker.nvaults; i++)
        if (fake_vault_step(&desk->vault[i]))
            return true;
    return false;
}

void desk_run(struct desk *desk)
{
    do {
        fake_clock_run(&desk->clock, desk->timers, 0);
    } while (desk_step(desk) || timers_next(desk->timers) == 0);
}
