/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_pra_memory.c - memory that runs out while a site is watched: each allocation fails once, at the start,
 * in checks, listings, terminations and reloads. Nothing leaks, no call is left behind, and with memory back
 * the site is up, and what ended meanwhile is passed on. The linker puts the functions below between the code
 * and malloc; the simulated site has its memory always.
 */
#include "test_pra_site.h"

#include <stdio.h>
#include <stdlib.h>

#define MOST 2000 /* allocations of one scenario */

static long fails_at = -1; /* allocations until one fails; -1 = none does */

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *old, size_t n);
char *__real_strdup(const char *text);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *old, size_t n);
char *__wrap_strdup(const char *text);

static bool fails(void)
{
    return !rig.in_rig && fails_at >= 0 && fails_at-- == 0;
}

void *__wrap_malloc(size_t n)
{
    return fails() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
    return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *old, size_t n)
{
    return fails() ? NULL : __real_realloc(old, n);
}

char *__wrap_strdup(const char *text)
{
    return fails() ? NULL : __real_strdup(text);
}

static struct asked {
    struct pra_termination t; /* first */
    bool done;
} asked;

static void on_done(struct pra_termination *t)
{
    ((struct asked *)t)->done = true;
}

/* True: it has begun, and will be done. */
static bool terminate(void)
{
    asked = (struct asked){.t = {.done = on_done, .timeout_ms = 5000}};
    (void)snprintf(asked.t.lsid, sizeof(asked.t.lsid), "%s", RIG_LSID2);
    return pra_site_terminate(world.site, &asked.t) == 0;
}

static void set_up(void)
{
    static const char *const names[] = {"J1", "J2"};

    world.answers[PRA_CALL_LISTING].body =
        "<session_summary_list><session_summary lsid=\"" RIG_LSID "\"/></session_summary_list>";
    world.answers[PRA_CALL_TERMINATE].body = "<error>not active</error>";
    world.answers[PRA_CALL_SESSION].body = "<session_list><session lsid=\"" RIG_LSID2
                                           "\"><end_time timestamp=\"1733140000\"/></session></session_list>";
    world.answers[PRA_CALL_JUMPOINTS].body =
        "[{\"name\":\"J1\",\"connected\":true},{\"name\":\"J2\",\"connected\":true}]";
    world.params.jumpoints = names;
    world.params.njumpoints = 2;
    world.oldest_ms = rig.fc.wall - 1000;
}

static bool open_site(long at)
{
    struct secret secret = {0};
    char why[256];

    assert_int_equal(secret_set(&secret, "s3cret", 6), 0);
    fails_at = at;
    world.site = pra_site_new(NULL, &world.params, &secret, &world_hooks, 0, why);
    assert_null(secret.p);
    return world.site && pra_site_start(world.site) == 0;
}

static void all_is_well_again(void)
{
    fails_at = -1;
    world.nended = 0;
    live(10 * MINUTE);
    live_until(PRA_STATE_UP, MINUTE);
    assert_true(world.nended > 0);
    assert_int_equal(view()->njumpoints, 2);
}

/* What runs after the start: polls, a termination with its look, a reload, and a refused token. */
static void use_site(void)
{
    bool begun;

    live(20 * SECOND);
    begun = terminate();
    live(6 * SECOND);
    assert_true(!begun || asked.done);
    (void)pra_site_reload(world.site, &world.params, NULL);
    live(20 * SECOND);
    world.answers[PRA_CALL_LISTING].status = 401;
    live(16 * SECOND);
    world.answers[PRA_CALL_LISTING].status = 0;
    live(16 * SECOND);
}

static bool with_failure_at(long at)
{
    bool started, all;

    set_up();
    started = open_site(at);
    if (started) {
        use_site();
        all = fails_at >= 0;
        all_is_well_again();
    } else {
        all = false;
    }
    fails_at = -1;
    world_teardown(NULL);
    world_setup(NULL);
    return all;
}

TEST(each_allocation_may_fail)
{
    long at = 0;

    while (at < MOST && !with_failure_at(at))
        at++;
    assert_in_range(at, 50, MOST - 1); /* there is something to fail, and all of it has failed */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_allocation_may_fail, world_setup, world_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
