/* SPDX-License-Identifier: Apache-2.0 */
#include "lists_rig.h"

#include "check.h"

const struct account_query web = {.kind = KIND_LOCAL, .system = "web01"};
const struct account_query none = {.kind = KIND_LOCAL, .system = "nothing"};

void start(struct world *w, struct account_lists_opts opts)
{
    fake_clock_init(&w->clock);
    w->timers = timers_new(&w->clock.clock);
    assert_non_null(w->timers);
    fake_vault_init(&w->vault, &w->clock.clock);
    fake_vault_add(&w->vault, 1, 11, "web01", "root", "x");
    fake_vault_add(&w->vault, 1, 12, "web01", "admin", "x");
    fake_vault_add(&w->vault, 2, 21, "web02", "root", "x");
    opts.timers = w->timers;
    w->lists = account_lists_new(&opts);
    assert_non_null(w->lists);
}

void start_default(struct world *w)
{
    start(w, (struct account_lists_opts){
                 .list_cache_ms = CACHE, .known_ms = KNOWN, .max_entries = 100, .max_known = 100});
}

void stop(struct world *w)
{
    account_lists_free(w->lists);
    assert_int_equal(fake_vault_pending(&w->vault), 0);
    assert_int_equal(timers_count(w->timers), 0);
    fake_vault_free(&w->vault);
    timers_free(w->timers);
}

static void on_done(struct list_wait *wait)
{
    struct client *client = (struct client *)(void *)wait;

    client->answers++;
    client->rows = wait->accounts ? wait->accounts->n : 0;
    account_list_unref(wait->accounts);
    wait->accounts = NULL;
    if (client->leaves)
        account_lists_leave(client->world->lists, &client->leaves->wait);
    if (client->asks_again) {
        client->asks_again = false;
        assert_int_equal(
            account_lists_get(client->world->lists, &client->world->vault.vault, "CORP\\bob", &web, wait), 0);
    }
}

int ask_as(struct world *w, struct client *client, const char *user, const struct account_query *query,
           uint64_t timeout_ms)
{
    client->world = w;
    client->answers = 0;
    client->wait = (struct list_wait){.timeout_ms = timeout_ms, .done = on_done};
    return account_lists_get(w->lists, &w->vault.vault, user, query, &client->wait);
}

void ask(struct world *w, struct client *client, const struct account_query *query)
{
    assert_int_equal(ask_as(w, client, "CORP\\bob", query, 10000), 0);
    assert_int_equal(client->answers, 0);
}

void run(struct world *w)
{
    while (fake_vault_step(&w->vault))
        continue;
    fake_clock_run(&w->clock, w->timers, 0);
}
