/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vault_metrics.c - the metrics of one vault, registered as long as it lives, each with the vault's name as a
 * label: the duration of calls by operation, what of its answers was repaired or left out, refused calls by
 * reason, failed calls, and waiting calls by class.
 *
 * Repaired texts and rows left out are counted at every answer and logged at the first one only: they come
 * with each answer until the vault's administrator corrects them.
 */
#include "backends/password_safe/internal.h"
#include "base/log.h"

#include <stdio.h>

static const char *const classes[CALL_NCLASSES] = {
    [CALL_CONTINUE] = "begun",
    [CALL_NEW] = "first",
    [CALL_CHECKIN] = "return",
    [CALL_BACKGROUND] = "background",
};

static double read_wait(void *of)
{
    return (double)ps_overload_wait_ms(((const struct ps_metric *)of)->ps) / 1000;
}

static double read_queue(void *of)
{
    const struct ps_metric *m = of;
    size_t class = (size_t)(m - &m->ps->metrics[PS_METRIC_QUEUES]);
    struct upstream_state up = {0};

    upstream_state(m->ps->up, &up);
    return (double)(m->ps->nwaiting[class] + up.priority_queue[class]);
}

static void add_metric(struct ps *ps, size_t at, const struct metric *row, const char *label,
                       const char *value)
{
    struct ps_metric *m = &ps->metrics[at];
    int used = snprintf(m->labels, sizeof(m->labels), "vault=\"%s\"", ps->vault.conf->name);

    if (label)
        (void)snprintf(m->labels + used, sizeof(m->labels) - (size_t)used, ",%s=\"%s\"", label, value);
    m->ps = ps;
    m->metric = *row;
    m->metric.labels = m->labels;
    m->metric.arg = m;
    metric_register(&m->metric);
}

/* clang-format off */
static const struct metric
    latency = {.name = "jumpgate_vault_call_duration_seconds", .kind = METRIC_HISTOGRAM,
               .help = "Duration of calls to the vault, the wait for a connection included."},
    repairs[PS_NREPAIRS] = {
        [PS_REPAIRED_TEXTS] = {.name = "jumpgate_vault_texts_mended_total", .kind = METRIC_COUNTER,
                               .help = "Texts of the vault with a letter that JSON or UTF-8 does not allow, replaced by U+FFFD."},
        [PS_ROWS_LEFT_OUT] = {.name = "jumpgate_vault_rows_refused_total", .kind = METRIC_COUNTER,
                              .help = "Rows of the vault left out because an id or a name in them is missing or cannot be read exactly."}},
    refusals = {.name = "jumpgate_vault_refusals_total", .kind = METRIC_COUNTER,
                .help = "Operations and calls not admitted to the queue, by reason."},
    failures = {.name = "jumpgate_vault_failures_total", .kind = METRIC_COUNTER,
                .help = "Calls that ended without an answer of the vault that could be used."},
    wait = {.name = "jumpgate_vault_wait_seconds", .kind = METRIC_GAUGE, .read = read_wait,
            .help = "Estimate: how long a call of a new user would wait for the vault."},
    queues = {.name = "jumpgate_vault_line", .kind = METRIC_GAUGE, .read = read_queue,
              .help = "Calls that wait for a session or a connection, by class."};
/* clang-format on */

void ps_metrics_start(struct ps *ps)
{
    for (size_t i = 0; i < PS_NOPERATIONS; i++)
        add_metric(ps, PS_METRIC_LATENCY + i, &latency, "operation", ps_operations[i].name);
    for (size_t i = 0; i < PS_NREPAIRS; i++)
        add_metric(ps, PS_METRIC_REPAIRS + i, &repairs[i], NULL, NULL);
    for (size_t i = 0; i < PS_NREFUSALS; i++)
        add_metric(ps, PS_METRIC_REFUSALS + i, &refusals, "reason", ps_refusal_words[i]);
    add_metric(ps, PS_METRIC_FAILURES, &failures, NULL, NULL);
    add_metric(ps, PS_METRIC_WAIT, &wait, NULL, NULL);
    for (size_t i = 0; i < CALL_NCLASSES; i++)
        add_metric(ps, PS_METRIC_QUEUES + i, &queues, "class", classes[i]);
}

void ps_metrics_stop(struct ps *ps)
{
    for (size_t i = 0; i < PS_NMETRICS; i++)
        metric_unregister(&ps->metrics[i].metric);
}

void ps_count_failure(struct ps *ps)
{
    metric_add(&ps->metrics[PS_METRIC_FAILURES].metric, 1);
}

/* True the first time. */
static bool count_repair(struct ps_call *call, enum ps_repair what, size_t n)
{
    struct metric *m = &call->ps->metrics[PS_METRIC_REPAIRS + what].metric;
    bool first = !(m->value > 0);

    metric_add(m, (double)n);
    return first;
}

void ps_repaired_texts(struct ps_call *call, size_t n)
{
    if (count_repair(call, PS_REPAIRED_TEXTS, n))
        log_warn("vault_texts_mended", "vault=%s call=%s texts=%zu", call->ps->vault.conf->name,
                 call->op->name, n);
}

void ps_repaired_row_left_out(struct ps_call *call, bool odd)
{
    if (count_repair(call, PS_ROWS_LEFT_OUT, 1))
        log_warn("vault_row_refused", "vault=%s call=%s why=%s", call->ps->vault.conf->name, call->op->name,
                 odd ? "an id in it is no whole number or too large" : "its ids or its name are missing");
}
