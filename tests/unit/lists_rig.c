/* SPDX-License-Identifier: Apache-2.0 */
#include "lists_rig.h"

#include "check.h"

const struct account_query web = {.kind = KIND_LOCAL, .system = "web01"};
const struct account_query none = {.kind = KIND_LOCAL, .system = "nothing"};

void rig_start(struct rig *rig, struct account_lists_opts opts)
{
    fake_clock_init(&rig->clock);
    rig->timers = timers_new(&rig->clock.clock);
    assert_non_null(rig->timers);
    fake_vault_init(&rig->vault, &rig->clock.clock);
    fake_vault_add(&rig->vault, 1, 11, "web01", "root", "x");
    fake_vault_add(&rig->vault, 1, 12, "web01", "admin", "x");
    fake_vault_add(&rig->vault, 2, 21, "web02", "root", "x");
    opts.timers = rig->timers;
    rig->lists = account_lists_new(&opts);
    assert_non_null(rig->lists);
}

void rig_start_plain(struct rig *rig)
{
    rig_start(rig, (struct account_lists_opts){
                       .list_cache_ms = CACHE, .known_ms = KNOWN, .max_entries = 100, .max_known = 100});
}

void rig_end(struct rig *rig)
{
    account_lists_free(rig->lists);
    assert_int_equal(fake_vault_pending(&rig->vault), 0);
    assert_int_equal(timers_count(rig->timers), 0);
    fake_vault_free(&rig->vault);
    timers_free(rig->timers);
}

static void on_done(struct list_wait *wait)
{
    struct client *client = (struct client *)(void *)wait;

    client->answers++;
    client->rows = wait->accounts ? wait->accounts->n : 0;
    account_list_unref(wait->accounts);
    wait->accounts = NULL;
    if (client->leaves)
        account_lists_leave(client->rig->lists, &client->leaves->wait);
    if (client->asks_again) {
        client->asks_again = false;
        assert_int_equal(
            account_lists_get(client->rig->lists, &client->rig->vault.vault, "CORP\\bob", &web, wait), 0);
    }
}

int start_read_as(struct rig *rig, struct client *client, const char *user, const struct account_query *query,
                  uint64_t timeout_ms)
{
    client->rig = rig;
    client->answers = 0;
    client->wait = (struct list_wait){.timeout_ms = timeout_ms, .done = on_done};
    return account_lists_get(rig->lists, &rig->vault.vault, user, query, &client->wait);
}

void start_read(struct rig *rig, struct client *client, const struct account_query *query)
{
    assert_int_equal(start_read_as(rig, client, "CORP\\bob", query, 10000), 0);
    assert_int_equal(client->answers, 0);
}

void rig_settle(struct rig *rig)
{
    while (fake_vault_step(&rig->vault))
        continue;
    fake_clock_run(&rig->clock, rig->timers, 0);
}
