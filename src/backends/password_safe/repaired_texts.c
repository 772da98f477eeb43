/* SPDX-License-Identifier: Apache-2.0 */
/*
 * repaired_texts.c - counts what of the vault's answers could not be taken as it was: texts with a letter
 * that cannot stand in JSON, and rows whose ids or names are missing or cannot be read exactly.
 *
 * Both are counted per vault, at every answer, and logged at the first one only: the vault has them until its
 * administrator corrects them.
 */
#include "backends/password_safe/internal.h"
#include "base/log.h"

#include <stdio.h>

void ps_mended_start(struct ps *ps)
{
    static const struct metric rows[PS_NMENDINGS] = {
        [PS_MENDED_TEXTS] = {.name = "jumpgate_vault_texts_mended_total",
                             .help = "Texts of the vault with a letter that JSON or UTF-8 does not allow, "
                                     "replaced by U+FFFD.",
                             .kind = METRIC_COUNTER},
        [PS_REFUSED_ROWS] =
            {.name = "jumpgate_vault_rows_refused_total",
             .help = "Rows of the vault left out because an id or a name in them is missing or cannot be "
                     "read exactly.",
             .kind = METRIC_COUNTER},
    };

    (void)snprintf(ps->mended_labels, sizeof(ps->mended_labels), "vault=\"%s\"", ps->vault.conf->name);
    for (size_t i = 0; i < PS_NMENDINGS; i++) {
        ps->mended[i].metric = rows[i];
        ps->mended[i].metric.labels = ps->mended_labels;
        metric_register(&ps->mended[i].metric);
    }
}

void ps_mended_stop(struct ps *ps)
{
    for (size_t i = 0; i < PS_NMENDINGS; i++)
        metric_unregister(&ps->mended[i].metric);
}

/* True the first time. */
static bool count(struct ps_call *call, enum ps_mending what, size_t n)
{
    struct ps_mended *m = &call->ps->mended[what];
    bool first = !m->logged;

    metric_add(&m->metric, (double)n);
    m->logged = true;
    return first;
}

void ps_mended_texts(struct ps_call *call, size_t n)
{
    if (count(call, PS_MENDED_TEXTS, n))
        log_warn("vault_texts_mended", "vault=%s call=%s texts=%zu", call->ps->vault.conf->name,
                 call->op->name, n);
}

void ps_mended_no_row(struct ps_call *call, bool odd)
{
    if (count(call, PS_REFUSED_ROWS, 1))
        log_warn("vault_row_refused", "vault=%s call=%s why=%s", call->ps->vault.conf->name, call->op->name,
                 odd ? "an id in it is no whole number or too large" : "its ids or its name are missing");
}
