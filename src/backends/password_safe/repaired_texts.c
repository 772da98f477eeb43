/* SPDX-License-Identifier: Apache-2.0 */
/*
 * repaired_texts.c - counts what of the vault's answers could not be taken as it was: texts with a letter
 * that cannot stand in JSON, and rows whose ids or names are missing or cannot be read exactly.
 *
 * Both are counted per vault at every answer and logged at the first one only: they come with each answer
 * until the vault's administrator corrects them.
 */
#include "backends/password_safe/internal.h"
#include "base/log.h"

#include <stdio.h>

void ps_repaired_start(struct ps *ps)
{
    static const struct metric rows[PS_NREPAIRS] = {
        [PS_REPAIRED_TEXTS] = {.name = "jumpgate_vault_texts_mended_total",
                               .help = "Texts of the vault with a letter that JSON or UTF-8 does not allow, "
                                       "replaced by U+FFFD.",
                               .kind = METRIC_COUNTER},
        [PS_ROWS_LEFT_OUT] =
            {.name = "jumpgate_vault_rows_refused_total",
             .help = "Rows of the vault left out because an id or a name in them is missing or cannot be "
                     "read exactly.",
             .kind = METRIC_COUNTER},
    };

    (void)snprintf(ps->repaired_labels, sizeof(ps->repaired_labels), "vault=\"%s\"", ps->vault.conf->name);
    for (size_t i = 0; i < PS_NREPAIRS; i++) {
        ps->repaired[i].metric = rows[i];
        ps->repaired[i].metric.labels = ps->repaired_labels;
        metric_register(&ps->repaired[i].metric);
    }
}

void ps_repaired_stop(struct ps *ps)
{
    for (size_t i = 0; i < PS_NREPAIRS; i++)
        metric_unregister(&ps->repaired[i].metric);
}

/* True the first time. */
static bool count_repair(struct ps_call *call, enum ps_repair what, size_t n)
{
    struct ps_repaired *m = &call->ps->repaired[what];
    bool first = !m->logged;

    metric_add(&m->metric, (double)n);
    m->logged = true;
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
