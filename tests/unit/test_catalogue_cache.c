/* SPDX-License-Identifier: Apache-2.0 */
/* Catalogues over time: fresh, stale, too old; one reading for all; failures; the directory; the bound on
 * rows. */
#include "check.h"

#include "broker/catalogue/catalogue_cache.h"
#include "find_rig.h"

#include <stdlib.h>
#include <string.h>

#define FRESH MINUTES(1)
#define MAX   MINUTES(10)
#define BOB   "CORP\\bob"

struct waiter {
    struct list_wait wait; /* first */
    unsigned answers;
    size_t rows;
    struct waiter *leaves; /* in done(): makes this one leave */
    struct rig *rig;
};

static void on_catalogue(struct list_wait *wait)
{
    struct waiter *w = (struct waiter *)(void *)wait;

    w->answers++;
    w->rows = wait->catalogue ? wait->catalogue->n : 0;
    catalogue_unref(wait->catalogue);
    wait->catalogue = NULL;
    if (w->leaves)
        catalogue_cache_leave(w->rig->broker.catalogue_cache, &w->leaves->wait);
}

static void ask(struct rig *rig, struct waiter *w, const char *user)
{
    *w = (struct waiter){.wait.done = on_catalogue, .rig = rig};
    assert_int_equal(catalogue_cache_get(rig->broker.catalogue_cache, rig->vaults[0], user, &w->wait), 0);
    assert_int_equal(w->answers, 0); /* never before the return */
}

static void get(struct rig *rig, struct waiter *w)
{
    ask(rig, w, BOB);
    rig_settle(rig);
    assert_int_equal(w->answers, 1);
}

static void pass(struct rig *rig, uint64_t ms)
{
    fake_clock_run(&rig->clock, rig->timers, ms);
}

static struct catalogue_cache_stats stats(const struct rig *rig)
{
    struct catalogue_cache_stats s;

    catalogue_cache_stats(rig->broker.catalogue_cache, &s);
    return s;
}

static void open_desk(struct rig *rig)
{
    rig_start(rig, 1);
    fake_vault_add(&rig->vault[0], 1, 11, "web01", "root", "x");
}

TEST(serves_stale_while_it_renews)
{
    struct waiter w;
    struct rig rig;

    open_desk(&rig);
    get(&rig, &w);
    assert_int_equal(w.rows, 1);
    assert_int_equal(rig.nasked, 2);
    fake_vault_add(&rig.vault[0], 2, 21, "web02", "root", "x");
    pass(&rig, FRESH - 1);
    get(&rig, &w);
    assert_int_equal(w.rows, 1);
    assert_int_equal(w.wait.age_ms, FRESH - 1);
    assert_int_equal(rig.nasked, 2); /* fresh: no vault is asked */
    pass(&rig, 1);
    ask(&rig, &w, BOB);
    pass(&rig, 0); /* before the vault has answered */
    assert_int_equal(w.answers, 1);
    assert_int_equal(w.rows, 1);
    assert_int_equal(w.wait.age_ms, FRESH);
    assert_int_equal(rig.nasked, 4);
    get(&rig, &w); /* joins nothing, starts nothing: one renewal is under way */
    assert_int_equal(rig.nasked, 4);
    get(&rig, &w);
    assert_int_equal(w.rows, 2);
    assert_int_equal(w.wait.age_ms, 0);
    rig_end(&rig);
}

TEST(waits_when_too_old)
{
    struct waiter w;
    struct rig rig;

    open_desk(&rig);
    get(&rig, &w);
    pass(&rig, MAX);
    ask(&rig, &w, BOB);
    pass(&rig, 0);
    assert_int_equal(w.answers, 1); /* just not too old */
    assert_int_equal(w.wait.age_ms, MAX);
    rig_settle(&rig);
    pass(&rig, MAX + 1);
    fake_vault_add(&rig.vault[0], 2, 21, "web02", "root", "x");
    ask(&rig, &w, BOB);
    pass(&rig, 0);
    assert_int_equal(w.answers, 0);
    rig_settle(&rig);
    assert_int_equal(w.rows, 2);
    assert_int_equal(w.wait.age_ms, 0);
    rig_end(&rig);
}

TEST(one_reading_for_all)
{
    struct waiter a, b, c;
    struct rig rig;

    open_desk(&rig);
    ask(&rig, &a, BOB);
    ask(&rig, &b, BOB);
    ask(&rig, &c, BOB);
    assert_int_equal(rig.nasked, 2);
    a.leaves = &b; /* while they are being answered */
    rig_settle(&rig);
    assert_int_equal(a.answers, 1);
    assert_int_equal(b.answers, 0);
    assert_int_equal(c.answers, 1);
    ask(&rig, &a, "CORP\\alice"); /* another user, another catalogue */
    assert_int_equal(rig.nasked, 4);
    catalogue_cache_leave(rig.broker.catalogue_cache, &a.wait);
    catalogue_cache_leave(rig.broker.catalogue_cache, &a.wait);
    rig_settle(&rig);
    assert_int_equal(a.answers, 0);
    ask(&rig, &a, "CORP\\alice"); /* what was read for a waiter that left serves now */
    pass(&rig, 0);
    assert_int_equal(a.answers, 1);
    assert_int_equal(rig.nasked, 4);
    rig_end(&rig);
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
    struct rig rig;

    open_desk(&rig);
    rig.vault[0].plan = planned;
    rig.vault[0].plan_arg = &fault;
    ask(&rig, &a, BOB);
    ask(&rig, &b, BOB);
    rig_settle(&rig);
    assert_int_equal(a.answers + b.answers, 2);
    assert_int_equal(a.wait.result, VAULT_FAILED);
    assert_int_equal(b.wait.fault.code, FAULT_VAULT_UNAVAILABLE);
    assert_int_equal(stats(&rig).users, 0);
    fault = FAKE_CANNOT_START;
    a.wait.done = on_catalogue;
    assert_int_not_equal(catalogue_cache_get(rig.broker.catalogue_cache, rig.vaults[0], BOB, &a.wait), 0);
    assert_int_equal(stats(&rig).users, 0);
    fault = FAKE_FINE;
    get(&rig, &a);
    assert_int_equal(a.wait.result, VAULT_OK);
    rig_end(&rig);
}

/* The old one serves on; the vault is asked again, but not once per search. */
TEST(a_failed_renewal_keeps_the_old)
{
    enum fake_fault fault = FAKE_FINE;
    struct waiter w;
    struct rig rig;
    size_t asked;

    open_desk(&rig);
    rig.vault[0].plan = planned;
    rig.vault[0].plan_arg = &fault;
    get(&rig, &w);
    fault = FAKE_UNREACHABLE;
    pass(&rig, FRESH);
    asked = rig.nasked;
    for (int i = 0; i < 20; i++) {
        get(&rig, &w);
        assert_int_equal(w.rows, 1);
        assert_int_equal(w.wait.result, VAULT_OK);
    }
    assert_in_range(rig.nasked - asked, 1, 2);
    pass(&rig, SECONDS(1));
    get(&rig, &w);
    assert_in_range(rig.nasked - asked, 3, 4);
    pass(&rig, MAX);
    get(&rig, &w);
    assert_int_equal(w.wait.result, VAULT_FAILED); /* too old to serve, and nothing newer */
    fault = FAKE_FINE;
    get(&rig, &w);
    assert_int_equal(w.rows, 1);
    assert_int_equal(w.wait.age_ms, 0);
    rig_end(&rig);
}

TEST(a_refused_user_loses_the_catalogue)
{
    struct waiter w;
    struct rig rig;

    open_desk(&rig);
    get(&rig, &w);
    rig.vault[0].refuse_user = BOB;
    pass(&rig, FRESH);
    get(&rig, &w); /* the last time */
    assert_int_equal(w.rows, 1);
    get(&rig, &w);
    assert_int_equal(w.wait.result, VAULT_REFUSED);
    assert_int_equal(stats(&rig).users, 0);
    rig_end(&rig);
}

TEST(without_cache_each_search_reads)
{
    struct waiter w;
    struct rig rig;

    open_desk(&rig);
    catalogue_cache_free(rig.broker.catalogue_cache);
    rig.broker.catalogue_cache = catalogue_cache_new(&(struct catalogue_cache_opts){
        .timers = rig.timers, .vaults = rig.vaults, .nvaults = 1, .max_age_ms = MAX});
    get(&rig, &w);
    fake_vault_add(&rig.vault[0], 2, 21, "web02", "root", "x");
    get(&rig, &w);
    assert_int_equal(w.rows, 2);
    assert_int_equal(rig.nasked, 4);
    rig_end(&rig);
}

TEST(the_number_of_rows_is_bounded)
{
    static const char *const users[] = {"a", "b", "c", "d"};
    struct waiter w;
    struct rig rig;

    open_desk(&rig);
    fake_vault_add(&rig.vault[0], 2, 21, "web02", "root", "x");
    catalogue_cache_free(rig.broker.catalogue_cache);
    rig.broker.catalogue_cache = catalogue_cache_new(&(struct catalogue_cache_opts){.timers = rig.timers,
                                                                                    .vaults = rig.vaults,
                                                                                    .nvaults = 1,
                                                                                    .fresh_ms = FRESH,
                                                                                    .max_age_ms = MAX,
                                                                                    .max_rows = 6});
    for (size_t i = 0; i < 4; i++) {
        if (i == 3) {
            ask(&rig, &w, "a"); /* used again: b is the one to go */
            rig_settle(&rig);
        }
        ask(&rig, &w, users[i]);
        rig_settle(&rig);
        assert_in_range(stats(&rig).rows, 1, 6);
    }
    assert_int_equal(rig.nasked, 8);
    ask(&rig, &w, "a");
    rig_settle(&rig);
    assert_int_equal(rig.nasked, 8);
    ask(&rig, &w, "b");
    rig_settle(&rig);
    assert_int_equal(rig.nasked, 10);
    rig_end(&rig);
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

static void with_directory(struct rig *rig)
{
    static char reader[] = "svc-reader";
    struct fake_vault *v = &rig->vault[0];

    open_desk(rig);
    v->conf.directory_user = reader;
    v->directory[DIRECTORY_SYSTEMS] = systems;
    v->directory[DIRECTORY_PLATFORMS] = platforms;
    v->directory[DIRECTORY_WORKGROUPS] = workgroups;
    for (size_t i = 0; i < DIRECTORY_NPARTS; i++)
        v->ndirectory[i] = 1;
}

static struct system_entry *system_entry_of(struct rig *rig)
{
    return system_index_entry(catalogue_cache_index(rig->broker.catalogue_cache, rig->vaults[0]), 1);
}

TEST(the_directory_is_read_once_for_all)
{
    struct waiter a, b;
    struct rig rig;

    with_directory(&rig);
    ask(&rig, &a, BOB);
    ask(&rig, &b, "CORP\\alice");
    rig_settle(&rig);
    assert_int_equal(a.answers + b.answers, 2);
    assert_int_equal(rig.vault[0].count[FAKE_DIRECTORY], 3);
    assert_non_null(system_entry_of(&rig));
    assert_int_equal(system_entry_of(&rig)->method, METHOD_SHELL);
    assert_string_equal(system_entry_text(system_entry_of(&rig), system_entry_of(&rig)->network), "Berlin");
    assert_int_equal(system_entry_of(&rig)->keys, SSH_KEYS_POSSIBLE);
    pass(&rig, FRESH);
    get(&rig, &a);
    assert_int_equal(rig.vault[0].count[FAKE_DIRECTORY], 6); /* in the background */
    rig_end(&rig);
}

TEST(parts_may_be_forbidden)
{
    struct waiter w;
    struct rig rig;

    for (int missing = 0; missing < DIRECTORY_NPARTS; missing++) {
        with_directory(&rig);
        rig.vault[0].directory[missing] = NULL;
        get(&rig, &w);
        assert_int_equal(w.rows, 1);
        if (missing == DIRECTORY_SYSTEMS)
            assert_null(system_entry_of(&rig));
        if (missing == DIRECTORY_PLATFORMS)
            assert_int_equal(system_entry_of(&rig)->method, METHOD_NONE);
        if (missing == DIRECTORY_WORKGROUPS)
            assert_int_equal(system_entry_of(&rig)->network, 0);
        rig_end(&rig);
    }
}

static enum fake_fault no_directory(void *arg, enum fake_op op, unsigned nth)
{
    (void)nth;
    return op == FAKE_DIRECTORY ? *(enum fake_fault *)arg : FAKE_FINE;
}

TEST(a_directory_that_cannot_be_read_stops_no_search)
{
    enum fake_fault fault = FAKE_UNREACHABLE;
    struct waiter w;
    struct rig rig;

    with_directory(&rig);
    rig.vault[0].plan = no_directory;
    rig.vault[0].plan_arg = &fault;
    get(&rig, &w);
    assert_int_equal(w.rows, 1);
    assert_null(system_entry_of(&rig));
    ask(&rig, &w, "CORP\\alice"); /* within the pause */
    rig_settle(&rig);
    assert_int_equal(rig.vault[0].count[FAKE_DIRECTORY], 3);
    fault = FAKE_FINE;
    pass(&rig, FRESH);
    get(&rig, &w);
    assert_non_null(system_entry_of(&rig));
    fault = FAKE_CANNOT_START;
    pass(&rig, MAX);
    get(&rig, &w);
    assert_non_null(system_entry_of(&rig)); /* kept while it fails */
    pass(&rig, 1);
    assert_null(system_entry_of(&rig)); /* but not for ever */
    get(&rig, &w);
    assert_int_equal(w.rows, 1);
    rig_end(&rig);
}

/* Any reading may be interrupted by the end of everything. */
TEST(ends_at_any_step)
{
    struct waiter w;
    struct rig rig;

    for (int steps = 0; steps < 6; steps++) {
        with_directory(&rig);
        ask(&rig, &w, BOB);
        for (int i = 0; i < steps && rig_step(&rig); i++) {}
        rig_end(&rig);
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
        cmocka_unit_test(a_directory_that_cannot_be_read_stops_no_search),
        cmocka_unit_test(ends_at_any_step),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
