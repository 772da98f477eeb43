/* SPDX-License-Identifier: Apache-2.0 */
/*
 * site_json.c - the PRA site in /status and in /v1/health.
 *
 * What is not known is null. The site's check is never required: it changes neither `healthy` nor a status.
 */
#include "handlers/site_json.h"

#include "base/clock.h"

#include <stdio.h>

static void write_text_or_null(struct jsonw *w, const char *name, const char *text)
{
    jsonw_str(w, name, text && *text ? text : NULL);
}

static void write_granted(struct jsonw *w, const struct pra_info *info)
{
    if (!info) {
        jsonw_null(w, "permissions");
        return;
    }
    jsonw_object(w, "permissions");
    for (size_t i = 0; i < info->npermissions; i++)
        jsonw_str(w, info->permissions[i].name, info->permissions[i].value);
    jsonw_end(w);
}

static void write_missing(struct jsonw *w, const struct pra_site_view *v)
{
    if (!v->info) {
        jsonw_null(w, "missing");
        return;
    }
    jsonw_array(w, "missing");
    for (size_t i = 0; i < v->nmissing; i++) {
        jsonw_object(w, NULL);
        jsonw_str(w, "permission", v->missing[i].permission);
        jsonw_str(w, "feature", v->missing[i].feature);
        jsonw_end(w);
    }
    jsonw_end(w);
}

static void write_permissions(struct jsonw *w, const struct pra_site_view *v)
{
    write_granted(w, v->info);
    write_missing(w, v);
    jsonw_object(w, "lists");
    for (enum pra_list list = 0; list < PRA_NLISTS; list++)
        jsonw_str(w, pra_list_name(list), pra_list_verdict_name(v->lists[list]));
    jsonw_end(w);
}

static void write_jumpoints(struct jsonw *w, const struct pra_site_view *v)
{
    if (!v->has_jumpoints) {
        jsonw_null(w, "jumpoints");
        return;
    }
    jsonw_array(w, "jumpoints");
    for (size_t i = 0; i < v->njumpoints; i++) {
        jsonw_object(w, NULL);
        jsonw_str(w, "name", v->jumpoints[i].name);
        if (v->jumpoints[i].found)
            jsonw_bool(w, "connected", v->jumpoints[i].connected);
        else
            jsonw_null(w, "connected");
        jsonw_end(w);
    }
    jsonw_end(w);
}

static void write_polling(struct jsonw *w, const struct pra_site_view *v)
{
    char cursor[CLOCK_RFC3339_SIZE];

    jsonw_str(w, "cursor", v->cursor_ms ? clock_rfc3339(v->cursor_ms, cursor) : NULL);
    jsonw_int_or_null(w, "last_poll_age_ms", (int64_t)v->last_poll_age_ms, !v->has_poll);
    jsonw_object(w, "ended");
    for (enum pra_end_source source = 0; source < PRA_NSOURCES; source++)
        jsonw_int(w, pra_source_name(source), (int64_t)v->leases_ended[source]);
    jsonw_end(w);
}

void site_status_write(const struct pra_site *site, struct jsonw *w)
{
    struct pra_site_view v;

    pra_site_view(site, &v);
    jsonw_object(w, NULL);
    jsonw_str(w, "name", v.name);
    jsonw_str(w, "type", "pra");
    jsonw_str(w, "state", pra_state_name(v.state));
    jsonw_str(w, "detail", v.detail);
    jsonw_int_or_null(w, "last_success_age_ms", (int64_t)v.last_success_age_ms, !v.has_success);
    jsonw_int_or_null(w, "clock_skew_ms", v.skew_ms, !v.has_skew);
    write_text_or_null(w, "version", v.health ? v.health->version : NULL);
    write_text_or_null(w, "api_version", v.info ? v.info->api_version : NULL);
    write_text_or_null(w, "appliance_id", v.health ? v.health->appliance_id : NULL);
    write_text_or_null(w, "failover_role", v.health ? v.health->failover_role : NULL);
    write_permissions(w, &v);
    write_jumpoints(w, &v);
    write_polling(w, &v);
    jsonw_int(w, "calls", (int64_t)v.calls);
    jsonw_int(w, "tokens", (int64_t)v.tokens);
    jsonw_end(w);
}

void site_health_write(const struct pra_site *site, struct jsonw *w)
{
    struct pra_site_view v;
    char name[80];

    pra_site_view(site, &v);
    (void)snprintf(name, sizeof(name), "pra:%s", v.name);
    jsonw_object(w, NULL);
    jsonw_str(w, "name", name);
    jsonw_bool(w, "ok", v.state == PRA_STATE_UP || v.state == PRA_STATE_STANDBY);
    jsonw_bool(w, "required", false);
    jsonw_str(w, "detail", *v.detail ? v.detail : pra_state_name(v.state));
    jsonw_int_or_null(w, "last_success_age_ms", (int64_t)v.last_success_age_ms, !v.has_success);
    jsonw_end(w);
}
