/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vault_metrics.c - the metrics of one vault, registered as long as it lives, each with the vault's name as a
 * label: refused calls by reason, failed calls, the wait, waiting calls by class; and the row for the
 * duration of calls, which each backend registers by its own operations.
 */
#include "backends/http_vault/http_vault.h"

#include <stdio.h>

static const char *const classes[CALL_NCLASSES] = {
    [CALL_CONTINUE] = "begun",
    [CALL_NEW] = "first",
    [CALL_CHECKIN] = "return",
    [CALL_BACKGROUND] = "background",
};

static double read_wait(void *of)
{
    return (double)http_vault_wait_ms(((const struct vault_metric *)of)->vault) / 1000;
}

static double read_queue(void *of)
{
    const struct vault_metric *m = of;
    size_t class = (size_t)(m - m->vault->queues);
    struct upstream_state up = {0};

    upstream_state(m->vault->up, &up);
    return (double)(m->vault->nwaiting[class] + up.priority_queue[class]);
}

void http_vault_metric_add(struct http_vault *hv, struct vault_metric *m, const struct metric *row,
                           const char *label, const char *value)
{
    int used = snprintf(m->labels, sizeof(m->labels), "vault=\"%s\"", hv->vault.conf->name);

    if (label)
        (void)snprintf(m->labels + used, sizeof(m->labels) - (size_t)used, ",%s=\"%s\"", label, value);
    m->vault = hv;
    m->metric = *row;
    m->metric.labels = m->labels;
    m->metric.arg = m;
    metric_register(&m->metric);
}

/* clang-format off */
static const struct metric
    latency = {.name = "jumpgate_vault_call_duration_seconds", .kind = METRIC_HISTOGRAM,
               .help = "Duration of calls to the vault, the wait for a connection included."},
    refusals = {.name = "jumpgate_vault_refusals_total", .kind = METRIC_COUNTER,
                .help = "Operations and calls not admitted to the queue, by reason."},
    failures = {.name = "jumpgate_vault_failures_total", .kind = METRIC_COUNTER,
                .help = "Calls that ended without an answer of the vault that could be used."},
    wait = {.name = "jumpgate_vault_wait_seconds", .kind = METRIC_GAUGE, .read = read_wait,
            .help = "Estimate: how long a call of a new user would wait for the vault."},
    queues = {.name = "jumpgate_vault_line", .kind = METRIC_GAUGE, .read = read_queue,
              .help = "Calls that wait for a session or a connection, by class."};
/* clang-format on */

void http_vault_latency_add(struct http_vault *hv, struct vault_metric *m, const char *operation)
{
    http_vault_metric_add(hv, m, &latency, "operation", operation);
}

void http_vault_metrics_start(struct http_vault *hv)
{
    for (size_t i = 0; i < OVERLOAD_NREFUSALS; i++)
        http_vault_metric_add(hv, &hv->refusals[i], &refusals, "reason", overload_words[i]);
    http_vault_metric_add(hv, &hv->failures, &failures, NULL, NULL);
    http_vault_metric_add(hv, &hv->wait, &wait, NULL, NULL);
    for (size_t i = 0; i < CALL_NCLASSES; i++)
        http_vault_metric_add(hv, &hv->queues[i], &queues, "class", classes[i]);
}

void http_vault_metrics_stop(struct http_vault *hv)
{
    for (size_t i = 0; i < OVERLOAD_NREFUSALS; i++)
        metric_unregister(&hv->refusals[i].metric);
    metric_unregister(&hv->failures.metric);
    metric_unregister(&hv->wait.metric);
    for (size_t i = 0; i < CALL_NCLASSES; i++)
        metric_unregister(&hv->queues[i].metric);
}

void http_vault_count_failure(struct http_vault *hv)
{
    metric_add(&hv->failures.metric, 1);
}
