/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_restore_many.c - a new process takes over very many rows: each is restored, and those that are due are
 * checked in, a bounded number at a time.
 */
#include "broker_rig.h"
#include "check.h"

#include <stdio.h>
#include <time.h>

enum { MANY = 100000 };

static size_t removed, handed;

static struct request_row many_request(unsigned i, const char *mark, const char *user, const char *session)
{
    static char name[FAKE_NAME_SIZE];

    return (struct request_row){.mark = mark,
                                .state = i % 2 ? REQUEST_HELD : REQUEST_RETURNING,
                                .vault = "main",
                                .url = "",
                                .user = user,
                                .name = fake_vault_name(1000000 + i, name),
                                .expires_wall_ms = 0,
                                .last_error = "",
                                .asker = {.username = user,
                                          .domain = "",
                                          .session = session,
                                          .lsid = "",
                                          .credential = "j1.main.l.1.11.0",
                                          .system = "",
                                          .account = ""}};
}

/* Half of them held by a lease each, half of them returning. */
static int load_many(struct store *s, const struct store_reader *reader, void *arg)
{
    struct fake_store *fs = (struct fake_store *)s;
    char mark[32], user[32], session[32];
    int err = 0;

    for (unsigned i = 0; i < 2 * MANY && !err; i++) {
        unsigned n = i % MANY;

        (void)snprintf(mark, sizeof mark, "lease%021u", n);
        (void)snprintf(user, sizeof user, "user%u", n % 5000);
        (void)snprintf(session, sizeof session, "session%u", n);
        struct request_row r = many_request(n, mark, user, session);

        r.asker.created_wall_ms = clock_wall(fs->clock) - SECONDS(1000);
        r.expires_wall_ms = clock_wall(fs->clock) + MINUTES(1);
        if (i < MANY)
            err = reader->request(arg, &r);
        else if (n % 2)
            err = reader->lease(
                arg, &(struct lease_row){.request = mark, .id = mark, .holder = r.asker, .ended_site = ""});
    }
    return err;
}

static int count_steps(struct store *s, struct store_steps *steps)
{
    struct fake_store *fs = (struct fake_store *)s;
    const struct store_step *step;

    STAILQ_FOREACH(step, steps, link)
    {
        removed += step->kind == STEP_CLOSE;
        handed++;
        fs->npending++;
    }
    STAILQ_CONCAT(&fs->queue, steps);
    return 0;
}

static void tell_many(const struct store *s, struct store_state *state)
{
    (void)s;
    *state = (struct store_state){.writable = true};
}

static void commit_many(struct fake_store *fs)
{
    struct store_step *step;

    while ((step = STAILQ_FIRST(&fs->queue))) {
        STAILQ_REMOVE_HEAD(&fs->queue, link);
        fs->npending--;
        step->done(step, STORE_APPLIED);
    }
}

TEST(a_hundred_thousand_rows_are_restored_and_checked_in)
{
    struct store_ops ops;
    struct world w;
    clock_t from;

    world_init(&w);
    world_add_store(&w);
    ops = *w.store->store.ops;
    ops.load = load_many;
    ops.steps = count_steps;
    ops.state = tell_many;
    w.store->store.ops = &ops;
    from = clock();
    world_start(&w);
    print_message("restart: %ld ms\n", (long)((clock() - from) * 1000 / CLOCKS_PER_SEC));
    assert_int_equal(world_state(&w).leases_active, MANY / 2);
    from = clock();
    for (unsigned turns = 0; removed < MANY; turns++) {
        assert_true(turns < 10 * MANY);
        fake_clock_run(&w.clock, w.timers, 10);
        assert_true(fake_vault_pending(&w.vault) <= 16 + 32); /* check-ins and lists in flight are bounded */
        while (fake_vault_step(&w.vault))
            if (w.store->npending > 1000)
                commit_many(w.store);
        commit_many(w.store);
    }
    print_message("all given back: %ld ms\n", (long)((clock() - from) * 1000 / CLOCKS_PER_SEC));
    world_end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_hundred_thousand_rows_are_restored_and_checked_in),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
