/* SPDX-License-Identifier: Apache-2.0 */
/*
 * latency.c - how long the vault takes: one histogram per operation, from the sending of a call to its answer
 * or failure, the wait for a connection included.
 *
 * The histograms are registered as long as the vault lives. Their labels name vault and operation.
 */
#include "backends/password_safe/internal.h"

#include <stdio.h>

void ps_latency_start(struct ps *ps)
{
    for (size_t i = 0; i < PS_NOPERATIONS; i++) {
        struct ps_latency *l = &ps->latency[i];

        (void)snprintf(l->labels, sizeof(l->labels), "vault=\"%s\",operation=\"%s\"", ps->vault.conf->name,
                       ps_operations[i].name);
        l->metric = (struct metric){
            .name = "jumpgate_vault_call_duration_seconds",
            .help = "Time of calls to the vault, waiting for a connection included.",
            .kind = METRIC_HISTOGRAM,
            .labels = l->labels,
        };
        metric_register(&l->metric);
    }
}

void ps_latency_stop(struct ps *ps)
{
    for (size_t i = 0; i < PS_NOPERATIONS; i++)
        metric_unregister(&ps->latency[i].metric);
}

void ps_latency_observe(struct ps *ps, const struct ps_op *op, const struct call *http)
{
    struct ps_latency *l = &ps->latency[op - ps_operations];

    metric_observe_us(&l->metric, clock_measure_us() - http->started_us);
}
