/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_etcd_answers.c - each way through the store on etcd (cluster_rig.h) once for each of its calls, whose
 * answer is lost, late, cut or refused.
 *
 * No outcome differs, and in the end etcd has the same keys.
 */
#include "cluster_rig.h"

#include "base/log.h"
#include "check.h"

#include <string.h>

static enum cluster_fault planned;
static unsigned nth; /* call that meets it */

static enum cluster_fault fault_of(const char *path)
{
    static bool signed_in; /* with the call before */
    bool signs_in = strstr(path, "/auth/");
    bool refuses = planned == CLUSTER_401 && (signs_in || signed_in); /* no retry mends that */

    signed_in = signs_in;
    return cluster.calls == nth && !refuses ? planned : CLUSTER_GOOD;
}

static void each(void **state)
{
    const struct cluster_scenario *s = *state;

    planned = CLUSTER_GOOD;
    s->run();
    unsigned calls = cluster.calls;

    assert_true(calls > 0);
    for (int fault = CLUSTER_BEFORE; fault < CLUSTER_NFAULTS; fault++)
        for (nth = 1; nth <= calls; nth++) {
            if (fault == CLUSTER_403)
                continue; /* a permission that is lacking stays so: no retry helps */
            planned = (enum cluster_fault)fault;
            case_label("%s: call %u of %u meets fault %d", s->name, nth, calls, fault);
            s->run();
        }
    case_text[0] = '\0';
}

int main(int argc, char **argv)
{
    struct CMUnitTest tests[32];

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    (void)log_open(&(struct log_opts){.level = LOG_ERROR, .file = "/dev/null"});
    cluster.fault = fault_of;
    for (size_t i = 0; i < cluster_nscenarios; i++)
        tests[i] = (struct CMUnitTest){.name = cluster_scenarios[i].name,
                                       .test_func = each,
                                       .initial_state = (void *)(uintptr_t)&cluster_scenarios[i]};
    return _cmocka_run_group_tests("test_etcd_answers", tests, cluster_nscenarios, NULL, NULL);
}
