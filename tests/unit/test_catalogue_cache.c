/* SPDX-License-Identifier: Apache-2.0 */
/* Catalogues over time: fresh, stale, too old; one reading for all; failures; the directory; the bound on
 * rows. */
#include "check.h"

#include "broker/catalogue/catalogue_cache.h"
#include "find_rig.h"

#include <stdlib.h>
#include <string.h>

#define FRESH 60000
#define MAX   600000
#define BOB   "CORP\\bob"

struct waiter {
    struct catalogue_wait wait; /* first */
    unsigned answers;
    size_t rows;
    struct waiter *leaves; /* in done(): makes this one leave */
    struct desk *desk;
};

static void on_catalogue(struct catalogue_wait *wait)
{
    struct waiter *w = (struct waiter *)(void *)wait;

    w->answers++;
    w->rows = wait->catalogue ? wait->catalogue->n : 0;
    catalogue_unref(wait->catalogue);
    wait->catalogue = NULL;
    if (w->leaves)
        catalogue_cache_leave(w->desk->broker.catalogue_cache, &w->leaves->wait);
}

static void ask(struct desk *desk, struct waiter *w, const char *user)
{
    *w = (struct waiter){.wait.done = on_catalogue, .desk = desk};
    assert_int_equal(catalogue_cache_get(desk->broker.catalogue_cache, desk->vaults[0], user, &w->wait), 0);
    assert_int_equal(w->answers, 0); /* never before the return */
}

static void get(struct desk *desk, struct waiter *w)
{
    ask(desk, w, BOB);
    desk_run(desk);
    assert_int_equal(w->answers, 1);
}

static void pass(struct desk *desk, uint64_t ms)
{
    fake_clock_run(&desk->clock, desk->timers, ms);
}

static struct catalogue_cache_stats stats(const struct desk *desk)
{
    struct catalogue_cache_stats s;

    catalogue_cache_stats(desk->broker.catalogue_cache, &s);
    return s;
}

static void open_desk(struct desk *desk)
{
    desk_open(desk, 1);
    fake_vault_add(&desk->vault[0], 1, 11, "web01", "root", "x");
}

TEST(serves_stale_while_it_renews)
{
    struct waiter w;
    struct desk desk;

    open_desk(&desk);
    get(&desk, &w);
    assert_int_equal(w.rows, 1);
    assert_int_equal(desk.nasked, 2);
    fake_vault_add(&desk.vault[0], 2, 21, "web02", "root", "x");
    pass(&desk, FRESH - 1);
    get(&desk, &w);
    assert_int_equal(w.rows, 1);
    assert_int_equal(w.wait.age_ms, FRESH - 1);
    assert_int_equal(desk.nasked, 2); /* fresh: nobody is asked */
    pass(&desk, 1);
    ask(&desk, &w, BOB);
    pass(&desk, 0); /* before the vault has answered */
    assert_int_equal(w.answers, 1);
    assert_int_equal(w.rows, 1);
    assert_int_equal(w.wait.age_ms, FRESH);
    assert_int_equal(desk.nasked, 4);
    get(&desk, &w); /* joins nothing, starts nothing: one renewal is under way */
    assert_int_equal(desk.nasked, 4);
    get(&desk, &w);
    assert_int_equal(w.rows, 2);
    assert_int_equal(w.wait.age_ms, 0);
    assert_int_equal(stats(&desk).stale, 2);
    desk_close(&desk);
}

TEST(waits_when_too_old)
{
    struct waiter w;
    struct desk desk;

    open_desk(&desk);
    get(&desk, &w);
    pass(&desk, MAX);
    ask(&desk, &w, BOB);
    pass(&desk, 0);
    assert_int_equal(w.answers, 1); /* just not too old */
    assert_int_equal(w.wait.age_ms, MAX);
    desk_run(&desk);
    pass(&desk, MAX + 1);
    fake_vault_add(&desk.vault[0], 2, 21, "web02", "root", "x");
    ask(&desk, &w, BOB);
    pass(&desk, 0);
    assert_int_equal(w.answers, 0);
    desk_run(&desk);
    assert_int_equal(w.rows, 2);
    assert_int_equal(w.wait.age_ms, 0);
    desk_close(&desk);
}

TEST(one_reading_for_all)
{
    struct waiter a, b, c;
    struct desk desk;

    open_desk(&desk);
    ask(&desk, &a, BOB);
    ask(&desk, &b, BOB);
    ask(&desk, &c, BOB);
    assert_int_equal(desk.nasked, 2);
    a.leaves = &b; /* while they are being told */
    desk_run(&desk);
    assert_int_equal(a.answers, 1);
    assert_int_equal(b.answers, 0);
    assert_int_equal(c.answers, 1);
    ask(&desk, &a, "CORP\\alice"); /* another user, another catalogue */
    assert_int_equal(desk.nasked, 4);
    catalogue_cache_leave(desk.broker.catalogue_cache, &a.wait);
    catalogue_cache_leave(desk.broker.catalogue_cache, &a.wait);
    desk_run(&desk);
    assert_int_equal(a.answers, 0);
    ask(&desk, &a, "CORP\\alice"); /* what was read for nobody serves now */
    pass(&desk, 0);
    assert_int_equal(a.answers, 1);
    assert_int_equal(desk.nasked, 4);
    desk_close(&desk);
}

static enum fake_fault planned(void *arg, enum fake_op op, unsigned nth)
{
    (void)nth;
    return op == FAKE_LIST ? *(enum fake_fault *)arg : FAKE_FINE;
}

TEST(failures_are_shared_and_not_kept)
{
    enum fake_fault fault = FAKE_UNREACHABLE;
    struct waiter a, b;
    struct desk desk;

    open_desk(&desk);
    desk.vault[0].plan = planned;
    desk.vault[0].plan_arg = &fault;
    ask(&desk, &a, BOB);
    ask(&desk, &b, BOB);
    desk_run(&desk);
    assert_int_equal(a.answers + b.answers, 2);
    assert_int_equal(a.wait.result, VAULT_FAILED);
    assert_int_equal(b.wait.fault.code, FAULT_VAULT_UNAVAILABLE);
    assert_int_equal(stats(&desk).users, 0);
    fault = FAKE_CANNOT_START;
    a.wait.done = on_catalogue;
    assert_int_not_equal(catalogue_cache_get(desk.broker.catalogue_cache, desk.vaults[0], BOB, &a.wait), 0);
    assert_int_equal(stats(&desk).users, 0);
    fault = FAKE_FINE;
    get(&desk, &a);
    assert_int_equal(a.wait.result, VAULT_OK);
    desk_close(&desk);
}

/* The old one serves on; the vault is asked again, but not once per search. */
TEST(a_failed_renewal_keeps_the_old)
{
    enum fake_fault fault = FAKE_FINE;
    struct waiter w;
    struct desk desk;
    size_t asked;

    open_desk(&desk);
    desk.vault[0].plan = planned;
    desk.vault[0].plan_arg = &fault;
    get(&desk, &w);
    fault = FAKE_UNREACHABLE;
    pass(&desk, FRESH);
    asked = desk.nasked;
    for (int i = 0; i < 20; i++) {
        get(&desk, &w);
        assert_int_equal(w.rows, 1);
        assert_int_equal(w.wait.result, VAULT_OK);
    }
    assert_in_range(desk.nasked - asked, 1, 2);
    pass(&desk, 1000);
    get(&desk, &w);
    assert_in_range(desk.nasked - asked, 3, 4);
    pass(&desk, MAX);
    get(&desk, &w);
    assert_int_equal(w.wait.result, VAULT_FAILED); /* too old to serve, and nothing newer */
    fault = FAKE_FINE;
    get(&desk, &w);
    assert_int_equal(w.rows, 1);
    assert_int_equal(w.wait.age_ms, 0);
    desk_close(&desk);
}

TEST(a_refused_user_loses_the_catalogue)
{
    struct waiter w;
    struct desk desk;

    open_desk(&desk);
    get(&desk, &w);
    desk.vault[0].refuse_user = BOB;
    pass(&desk, FRESH);
    get(&desk, &w); /* the last time */
    assert_int_equal(w.rows, 1);
    get(&desk, &w);
    assert_int_equal(w.wait.result, VAULT_REFUSED);
    assert_int_equal(stats(&desk).users, 0);
    desk_close(&desk);
}

TEST(without_cache_each_search_reads)
{
    struct waiter w;
    struct desk desk;

    open_desk(&desk);
    catalogue_cache_free(desk.broker.catalogue_cache);
    desk.broker.catalogue_cache = catalogue_cache_new(&(struct catalogue_cache_opts){
        .timers = desk.timers, .vaults = desk.vaults, .nvaults = 1, .max_age_ms = MAX});
    get(&desk, &w);
    fake_vault_add(&desk.vault[0], 2, 21, "web02", "root", "x");
    get(&desk, &w);
    assert_int_equal(w.rows, 2);
    assert_int_equal(desk.nasked, 4);
    desk_close(&desk);
}

TEST(the_number_of_rows_is_bounded)
{
    static const char *const users[] = {"a", "b", "c", "d"};
    struct waiter w;
    struct desk desk;

    open_desk(&desk);
    fake_vault_add(&desk.vault[0], 2, 21, "web02", "root", "x");
    catalogue_cache_free(desk.broker.catalogue_cache);
    desk.broker.catalogue_cache = catalogue_cache_new(&(struct catalogue_cache_opts){.timers = desk.timers,
                                                                                     .vaults = desk.vaults,
                                                                                     .nvaults = 1,
                                                                                     .fresh_ms = FRESH,
                                                                                     .max_age_ms = MAX,
                                                                                     .max_rows = 6});
    for (size_t i = 0; i < 4; i++) {
        if (i == 3) {
            ask(&desk, &w, "a"); /* used again: b is the one to go */
            desk_run(&desk);
        }
        ask(&desk, &w, users[i]);
        desk_run(&desk);
        assert_in_range(stats(&desk).rows, 1, 6);
    }
    assert_int_equal(desk.nasked, 8);
    ask(&desk, &w, "a");
    desk_run(&desk);
    assert_int_equal(desk.nasked, 8);
    ask(&desk, &w, "b");
    desk_run(&desk);
    assert_int_equal(desk.nasked, 10);
    desk_close(&desk);
}

/* ---- the directory ---- */

static const struct directory_row systems[] = {{.id = 1,
                                                .name = "web01",
                                                .host = "web01",
                                                .dns = "web01.acme.test",
                                                .ip = "10.0.0.1",
                                                .platform_id = 2,
                                                .workgroup_id = 7,
                                                .description = "front"}};
static const struct directory_row platforms[] = {
    {.id = 2, .name = "Linux", .session_type = "SSH", .port = 22, .ssh_keys = true}};
static const struct directory_row workgroups[] = {{.id = 7, .name = "Berlin"}};

static void with_directory(struct desk *desk)
{
    static char reader[] = "svc-reader";
    struct fake_vault *v = &desk->vault[0];

    open_desk(desk);
    v->conf.directory_user = reader;
    v->directory[DIRECTORY_SYSTEMS] = systems;
    v->directory[DIRECTORY_PLATFORMS] = platforms;
    v->directory[DIRECTORY_WORKGROUPS] = workgroups;
    for (size_t i = 0; i < DIRECTORY_NPARTS; i++)
        v->ndirectory[i] = 1;
}

static struct system_entry *system_entry_of(struct desk *desk)
{
    return system_index_entry(catalogue_cache_index(desk->broker.catalogue_cache, desk->vaults[0]), 1);
}

TEST(the_directory_is_read_once_for_all)
{
    struct waiter a, b;
    struct desk desk;

    with_directory(&desk);
    ask(&desk, &a, BOB);
    ask(&desk, &b, "CORP\\alice");
    desk_run(&desk);
    assert_int_equal(a.answers + b.answers, 2);
    assert_int_equal(desk.vault[0].count[FAKE_DIRECTORY], 3);
    assert_non_null(system_entry_of(&desk));
    assert_int_equal(system_entry_of(&desk)->method, METHOD_SHELL);
    assert_string_equal(system_entry_text(system_entry_of(&desk), system_entry_of(&desk)->network), "Berlin");
    assert_int_equal(system_entry_of(&desk)->keys, SSH_KEYS_POSSIBLE);
    pass(&desk, FRESH);
    get(&desk, &a);
    assert_int_equal(desk.vault[0].count[FAKE_DIRECTORY], 6); /* in the background */
    desk_close(&desk);
}

TEST(parts_may_be_forbidden)
{
    struct waiter w;
    struct desk desk;

    for (int missing = 0; missing < DIRECTORY_NPARTS; missing++) {
        with_directory(&desk);
        desk.vault[0].directory[missing] = NULL;
        get(&desk, &w);
        assert_int_equal(w.rows, 1);
        if (missing == DIRECTORY_SYSTEMS)
            assert_null(system_entry_of(&desk));
        if (missing == DIRECTORY_PLATFORMS)
            assert_int_equal(system_entry_of(&desk)->method, METHOD_NONE);
        if (missing == DIRECTORY_WORKGROUPS)
            assert_int_equal(system_entry_of(&desk)->network, 0);
        desk_close(&desk);
    }
}

static enum fake_fault no_directory(void *arg, enum fake_op op, unsigned nth)
{
    (void)nth;
    return op == FAKE_DIRECTORY ? *(enum fake_fault *)arg : FAKE_FINE;
}

TEST(a_directory_that_is_away_stops_nobody)
{
    enum fake_fault fault = FAKE_UNREACHABLE;
    struct waiter w;
    struct desk desk;

    with_directory(&desk);
    desk.vault[0].plan = no_directory;
    desk.vault[0].plan_arg = &fault;
    get(&desk, &w);
    assert_int_equal(w.rows, 1);
    assert_null(system_entry_of(&desk));
    ask(&desk, &w, "CORP\\alice"); /* within the pause */
    desk_run(&desk);
    assert_int_equal(desk.vault[0].count[FAKE_DIRECTORY], 3);
    fault = FAKE_FINE;
    pass(&desk, FRESH);
    get(&desk, &w);
    assert_non_null(system_entry_of(&desk));
    fault = FAKE_CANNOT_START;
    pass(&desk, MAX);
    get(&desk, &w);
    assert_non_null(system_entry_of(&desk)); /* kept while it fails */
    pass(&desk, 1);
    assert_null(system_entry_of(&desk)); /* but not for ever */
    get(&desk, &w);
    assert_int_equal(w.rows, 1);
    desk_close(&desk);
}

/* Any reading may be interrupted by the end of everything. */
TEST(ends_at_any_step)
{
    struct waiter w;
    struct desk desk;

    for (int steps = 0; steps < 6; steps++) {
        with_directory(&desk);
        ask(&desk, &w, BOB);
        for (int i = 0; i < steps && desk_step(&desk); i++) {}
        desk_close(&desk);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(serves_stale_while_it_renews),
        cmocka_unit_test(waits_when_too_old),
        cmocka_unit_test(one_reading_for_all),
        cmocka_unit_test(failures_are_shared_and_not_kept),
        cmocka_unit_test(a_failed_renewal_keeps_the_old),
        cmocka_unit_test(a_refused_user_loses_the_catalogue),
        cmocka_unit_test(without_cache_each_search_reads),
        cmocka_unit_test(the_number_of_rows_is_bounded),
        cmocka_unit_test(the_directory_is_read_once_for_all),
        cmocka_unit_test(parts_may_be_forbidden),
        cmocka_unit_test(a_directory_that_is_away_stops_nobody),
        cmocka_unit_test(ends_at_any_step),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
