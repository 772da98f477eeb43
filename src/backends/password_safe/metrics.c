/* SPDX-License-Identifier: Apache-2.0 */
/*
 * metrics.c - the metrics of one Password Safe beside those of each HTTP vault: the duration of calls by
 * operation, and what of its answers was repaired or left out.
 *
 * Repaired texts and rows left out are counted at every answer and logged at the first one only: they come
 * with each answer until the vault's administrator corrects them.
 */
#include "backends/password_safe/internal.h"
#include "base/log.h"

/* clang-format off */
static const struct metric repairs[PS_NREPAIRS] = {
    [PS_REPAIRED_TEXTS] = {.name = "jumpgate_vault_texts_mended_total", .kind = METRIC_COUNTER,
                           .help = "Texts of the vault with a letter that JSON or UTF-8 does not allow, replaced by U+FFFD."},
    [PS_ROWS_LEFT_OUT] = {.name = "jumpgate_vault_rows_refused_total", .kind = METRIC_COUNTER,
                          .help = "Rows of the vault left out because an id or a name in them is missing or cannot be read exactly."}};
/* clang-format on */

void ps_metrics_start(struct ps *ps)
{
    for (size_t i = 0; i < PS_NOPERATIONS; i++)
        http_vault_latency_add(&ps->http, &ps->latency[i], ps_operations[i].name);
    for (size_t i = 0; i < PS_NREPAIRS; i++)
        http_vault_metric_add(&ps->http, &ps->repairs[i], &repairs[i], NULL, NULL);
    http_vault_metrics_start(&ps->http);
}

void ps_metrics_stop(struct ps *ps)
{
    for (size_t i = 0; i < PS_NOPERATIONS; i++)
        metric_unregister(&ps->latency[i].metric);
    for (size_t i = 0; i < PS_NREPAIRS; i++)
        metric_unregister(&ps->repairs[i].metric);
}

/* True the first time. */
static bool count_repair(struct ps_call *call, enum ps_repair what, size_t n)
{
    struct metric *m = &call->ps->repairs[what].metric;
    bool first = !(m->value > 0);

    metric_add(m, (double)n);
    return first;
}

void ps_repaired_texts(struct ps_call *call, size_t n)
{
    if (count_repair(call, PS_REPAIRED_TEXTS, n))
        log_warn("vault_texts_mended", "vault=%s call=%s texts=%zu", call->ps->http.vault.conf->name,
                 call->op->name, n);
}

void ps_repaired_row_left_out(struct ps_call *call, bool odd)
{
    if (count_repair(call, PS_ROWS_LEFT_OUT, 1))
        log_warn("vault_row_refused", "vault=%s call=%s why=%s", call->ps->http.vault.conf->name,
                 call->op->name,
                 odd ? "an id in it is no whole number or too large" : "its ids or its name are missing");
}
