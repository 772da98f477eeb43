/* SPDX-License-Identifier: Apache-2.0 */
/*
 * site_params.c - from the [pra] section to the parameters of a site, for the gateway and for the doctor.
 */
#include "commands/run/site_params.h"

struct pra_site_params site_params(const struct conf_pra *conf)
{
    return (struct pra_site_params){
        .client = {.name = conf->name,
                   .url = conf->url,
                   .client_id = conf->client_id,
                   .ca_file = conf->ca_file,
                   .proxy = conf->proxy,
                   .connect_timeout_ms = conf->connect_timeout_ms,
                   .call_timeout_ms = conf->call_timeout_ms,
                   .report_timeout_ms = conf->report_timeout_ms,
                   .max_answer = conf->max_answer,
                   .rate_per_s = conf->rate_per_s},
        .probe_interval_ms = conf->probe_interval_ms,
        .check_interval_ms = conf->check_interval_ms,
        .poll_interval_ms = conf->poll_interval_ms,
        .poll_overlap_ms = conf->poll_overlap_ms,
        .catch_up_ms = conf->catch_up_ms,
        .terminate = conf->terminate,
        .ecm = conf->ecm,
        .jumpoints = (const char *const *)conf->jumpoints.names.item,
        .njumpoints = conf->jumpoints.names.n,
        .all_jumpoints = conf->jumpoints.all,
    };
}
