/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_failing_etcd.c - each call for memory, a digest, a timer or a connection fails once on each way
 * through the store on etcd (cluster_rig.h), and once more where the answer of one call is lost.
 *
 * A step that is AWAY has not happened, a question that has no answer is asked again, and each outcome is as
 * without the failure; in the end etcd has the same keys.
 */
#include "cluster_rig.h"

#include "base/json.h"
#include "base/log.h"
#include "check.h"
#include "failing_calls.h"

static void watch(bool on)
{
    if (on)
        failing_calls_start();
    else
        failing_calls_stop();
}

static void quiet(bool on)
{
    if (on)
        failing_calls_pause();
    else
        failing_calls_resume();
}

#define LOST 3 /* of the calls of a scenario */

static enum cluster_fault lose_one(const char *path)
{
    (void)path;
    return cluster.calls == LOST ? CLUSTER_AFTER : CLUSTER_GOOD;
}

static void each(void **state)
{
    const struct cluster_scenario *s = *state;

    cluster.fault = NULL;
    failing_calls_each(s->name, s->run);
    cluster.fault = lose_one;
    failing_calls_each(s->name, s->run);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    struct CMUnitTest tests[32];

    (void)log_open(&(struct log_opts){.level = LOG_ERROR, .file = "/dev/null"});
    json_init(); /* the memory of trees is the gateway's */
    cluster.watch = watch;
    cluster.quiet = quiet;
    cluster.fails = failing_call;
    for (size_t i = 0; i < cluster_nscenarios; i++)
        tests[i] = (struct CMUnitTest){.name = cluster_scenarios[i].name,
                                       .test_func = each,
                                       .initial_state = (void *)(uintptr_t)&cluster_scenarios[i]};
    return _cmocka_run_group_tests("test_failing_etcd", tests, cluster_nscenarios, NULL, NULL);
}
