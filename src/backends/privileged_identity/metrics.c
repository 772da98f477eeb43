/* SPDX-License-Identifier: Apache-2.0 */
/*
 * metrics.c - the metrics of one vault of Privileged Identity: durations of calls, unknown outcomes,
 * conflicts. No credential, list or user is a label.
 */
#include "backends/privileged_identity/internal.h"

static const char *const measured[PI_NMEASURED] = {
    [PI_M_SIGN_IN] = "sign_in", [PI_M_SIGN_OUT] = "sign_out", [PI_M_CHECKOUT] = "checkout",
    [PI_M_CHECKIN] = "checkin", [PI_M_SPIN] = "spin",         [PI_M_LIST] = "list",
};

enum pi_measured pi_measured_of(enum pi_operation op)
{
    static const enum pi_measured of[PI_NOPERATIONS] = {
        [PI_SIGN_IN] = PI_M_SIGN_IN,          [PI_SIGN_OUT] = PI_M_SIGN_OUT,
        [PI_CHECKOUT_STORED] = PI_M_CHECKOUT, [PI_CHECKOUT_SHARED] = PI_M_CHECKOUT,
        [PI_CHECKIN_STORED] = PI_M_CHECKIN,   [PI_CHECKIN_SHARED] = PI_M_CHECKIN,
        [PI_SPIN_STORED] = PI_M_SPIN,         [PI_SPIN_SHARED] = PI_M_SPIN,
        [PI_LIST_STORED] = PI_M_LIST,         [PI_LIST_SHARED] = PI_M_LIST,
    };

    return of[op];
}

/* Those with effects are three in a row. */
static size_t effect_of(enum pi_operation op)
{
    return (size_t)(pi_measured_of(op) - PI_M_CHECKOUT);
}

void pi_count_outcome(struct pi *pi, enum pi_operation op, const struct vault_call *out)
{
    if (pi_measured_of(op) == PI_M_LIST)
        return;
    if (out->unknown)
        metric_add(&pi->unknown[effect_of(op)].metric, 1);
    if (out->result == VAULT_CONFLICT)
        metric_add(&pi->conflicts.metric, 1);
}

/* clang-format off */
static const struct metric
    unknown = {.name = "jumpgate_vault_unknown_outcomes_total", .kind = METRIC_COUNTER,
               .help = "Calls that may have taken effect and whose answer is missing or not the vault's own."},
    conflicts = {.name = "jumpgate_vault_conflicts_total", .kind = METRIC_COUNTER,
                 .help = "Check-outs refused because another holder has the credential at the vault."};
/* clang-format on */

void pi_metrics_start(struct pi *pi)
{
    for (size_t i = 0; i < PI_NMEASURED; i++)
        http_vault_latency_add(&pi->http, &pi->latency[i], measured[i]);
    for (size_t i = 0; i < 3; i++)
        http_vault_metric_add(&pi->http, &pi->unknown[i], &unknown, "operation", measured[PI_M_CHECKOUT + i]);
    http_vault_metric_add(&pi->http, &pi->conflicts, &conflicts, NULL, NULL);
    http_vault_metrics_start(&pi->http);
}

void pi_metrics_stop(struct pi *pi)
{
    for (size_t i = 0; i < PI_NMEASURED; i++)
        metric_unregister(&pi->latency[i].metric);
    for (size_t i = 0; i < 3; i++)
        metric_unregister(&pi->unknown[i].metric);
    metric_unregister(&pi->conflicts.metric);
}
