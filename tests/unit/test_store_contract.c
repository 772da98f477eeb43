/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_store_contract.c - the contract of a store, asked of SQLite on a real disk and of the fake one of the
 * other tests.
 */
#include "fake_clock.h"
#include "fake_store.h"
#include "store_contract.h"

#include "check.h"
#include "stores/sqlite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct fake_case {
    struct store_under_test under_test; /* first */
    struct fake_clock clock;
    struct fake_store fake;
};

static void fake_go_on(struct store_under_test *t)
{
    (void)fake_store_commit(&((struct fake_case *)t)->fake);
}

static void fake_empty(struct store_under_test *t)
{
    struct fake_case *c = (struct fake_case *)t;

    fake_store_free(&c->fake);
    fake_store_init(&c->fake, &c->clock.clock);
}

static void fake_begin(struct fake_case *c)
{
    fake_clock_init(&c->clock);
    fake_store_init(&c->fake, &c->clock.clock);
    c->under_test = (struct store_under_test){
        .store = &c->fake.store, .finds_marks = true, .go_on = fake_go_on, .empty = fake_empty};
}

TEST(each_step_in_each_state_of_the_fake)
{
    static struct fake_case c;

    fake_begin(&c);
    store_contract_steps(&c.under_test);
    fake_store_free(&c.fake);
}

TEST(random_steps_of_the_fake)
{
    static struct fake_case c;

    for (unsigned seed = 1; seed < 20; seed++) {
        fake_begin(&c);
        store_contract_order(&c.under_test, seed);
        fake_store_free(&c.fake);
    }
}

/* ---- the fake one, as several gateways' ---- */

static int load_shared(struct store_under_test *t, const struct store_reader *reader, void *arg)
{
    const struct fake_store *fs = &((struct fake_case *)t)->fake;
    int err = 0;

    for (size_t i = 0; i < FAKE_STORE_ROWS && !err; i++)
        if (fs->requests[i])
            err = reader->request(arg, fs->requests[i]);
    for (size_t i = 0; i < FAKE_STORE_ROWS && !err; i++)
        if (fs->leases[i])
            err = reader->lease(arg, fs->leases[i]);
    for (size_t i = 0; i < fs->ncursors && !err; i++)
        err = reader->cursor(arg, &(struct cursor_row){fs->cursors[i].site, fs->cursors[i].ms});
    return err;
}

static void empty_shared(struct store_under_test *t)
{
    fake_empty(t);
    fake_store_share(&((struct fake_case *)t)->fake, NULL, "g1");
}

TEST(each_step_in_each_state_of_the_shared_fake)
{
    static struct fake_case c;

    fake_begin(&c);
    c.under_test.is_shared = true;
    c.under_test.load = load_shared;
    c.under_test.empty = empty_shared;
    fake_store_share(&c.fake, NULL, "g1");
    store_contract_steps(&c.under_test);
    store_contract_repeats(&c.under_test);
    store_contract_finishes(&c.under_test);
    for (unsigned seed = 1; seed < 20; seed++)
        store_contract_order(&c.under_test, seed);
    fake_store_free(&c.fake);
}

/* ---- SQLite ---- */

struct sqlite_case {
    struct store_under_test under_test; /* first */
    struct loop *loop;
    char dir[64];
    bool closed;
};

static void on_closed(void *arg)
{
    ((struct sqlite_case *)arg)->closed = true;
}

static void sqlite_go_on(struct store_under_test *t)
{
    (void)uv_run(loop_uv(((struct sqlite_case *)t)->loop), UV_RUN_ONCE);
}

static void sqlite_end(struct sqlite_case *c)
{
    char command[128];

    c->closed = false;
    c->under_test.store->ops->close(c->under_test.store, on_closed, c);
    while (!c->closed)
        sqlite_go_on(&c->under_test);
    (void)snprintf(command, sizeof command, "rm -rf '%s'", c->dir);
    assert_int_equal(system(command), 0);
}

static void sqlite_begin(struct sqlite_case *c)
{
    bool rebuilt;
    char why[320];

    (void)snprintf(c->dir, sizeof c->dir, "/tmp/jumpgate-contract-XXXXXX");
    assert_non_null(mkdtemp(c->dir));
    c->under_test.store = sqlite_store_open(c->loop, c->dir, false, &rebuilt, why);
    assert_non_null(c->under_test.store);
}

/* By the steps themselves: a file for each case would be slow. */
static int gone(struct sqlite_case *c, const struct store_step *given);

static int empty_request(void *arg, const struct request_row *r)
{
    return gone(arg,
                &(struct store_step){.kind = STEP_CLOSE, .request = {.mark = r->mark}, .lease = {.id = ""}});
}

static int empty_lease(void *arg, const struct lease_row *l)
{
    return gone(arg, &(struct store_step){.kind = STEP_LEAVE, .lease = {.request = l->request, .id = l->id}});
}

static int empty_cursor(void *arg, const struct cursor_row *c)
{
    return gone(arg, &(struct store_step){.kind = STEP_CURSOR, .cursor = {c->site, 0}});
}

static bool step_done;
static void on_gone(struct store_step *step, enum store_outcome outcome)
{
    (void)step;
    assert_int_equal(outcome, STORE_APPLIED);
    step_done = true;
}

static int gone(struct sqlite_case *c, const struct store_step *given)
{
    struct store_steps list = STAILQ_HEAD_INITIALIZER(list);
    struct store_step step = *given;

    step.done = on_gone;
    step_done = false;
    STAILQ_INSERT_TAIL(&list, &step, link);
    assert_int_equal(c->under_test.store->ops->steps(c->under_test.store, &list), 0);
    while (!step_done)
        sqlite_go_on(&c->under_test);
    return 0;
}

static void sqlite_empty(struct store_under_test *t)
{
    static const struct store_reader leases = {.lease = empty_lease, .cursor = empty_cursor};
    static const struct store_reader requests = {.request = empty_request, .cursor = empty_cursor};

    assert_int_equal(t->store->ops->load(t->store, &leases, t), 0);
    assert_int_equal(t->store->ops->load(t->store, &requests, t), 0);
}

#define SQLITE_UNDER_TEST                                                                                    \
    {                                                                                                        \
        .finds_marks = true, .go_on = sqlite_go_on, .empty = sqlite_empty                                    \
    }

TEST(each_step_in_each_state_of_sqlite)
{
    struct sqlite_case c = {.under_test = SQLITE_UNDER_TEST, .loop = loop_new()};

    sqlite_begin(&c);
    store_contract_steps(&c.under_test);
    sqlite_end(&c);
    assert_int_equal(loop_free(c.loop), 0);
}

TEST(random_steps_of_sqlite)
{
    struct sqlite_case c = {.under_test = SQLITE_UNDER_TEST, .loop = loop_new()};

    sqlite_begin(&c);
    for (unsigned seed = 1; seed < 4; seed++)
        store_contract_order(&c.under_test, seed);
    sqlite_end(&c);
    assert_int_equal(loop_free(c.loop), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_step_in_each_state_of_the_fake),
        cmocka_unit_test(random_steps_of_the_fake),
        cmocka_unit_test(each_step_in_each_state_of_the_shared_fake),
        cmocka_unit_test(each_step_in_each_state_of_sqlite),
        cmocka_unit_test(random_steps_of_sqlite),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
