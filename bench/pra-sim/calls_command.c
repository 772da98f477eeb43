/* SPDX-License-Identifier: Apache-2.0 */
/*
 * calls_command.c - the Command API: its actions and their permissions.
 */
#include "pra-sim/month_xml.h"
#include "pra-sim/rows.h"

#include "base/text.h"

#include <stdio.h>
#include <string.h>

static bool permitted(struct dispatch *d, enum command_level least)
{
    return d->account->permission[PERM_COMMAND] >= (int)least;
}

/* ---- get_api_info ---- */

static void put_timestamp(struct dispatch *d, struct xml *x)
{
    int64_t now = site_now(d->site);
    char iso[TIME_ISO];

    time_iso(now, iso);
    switch (d->site->knob[KNOB_TIMESTAMP]) {
    case TIMESTAMP_UNIX: xml_leaf_int(x, "timestamp", now / 1000); break;
    case TIMESTAMP_ISO: xml_leaf(x, "timestamp", iso); break;
    case TIMESTAMP_TS:
        xml_open(x, "timestamp");
        xml_attribute_int(x, "ts", now / 1000);
        xml_text(x, iso);
        xml_close(x);
        break;
    default: break;
    }
}

static void put_permission(struct dispatch *d, struct xml *x, const char *name, const char *value)
{
    switch (d->site->knob[KNOB_PERMISSION_FORM]) {
    case PERMISSION_NAME:
        xml_open(x, "permission");
        xml_attribute(x, "name", name);
        xml_text(x, value);
        xml_close(x);
        break;
    case PERMISSION_ELEMENT: xml_leaf(x, name, value); break;
    default:
        xml_open(x, "permission");
        xml_attribute(x, name, value);
        xml_close(x);
        break;
    }
}

/* get_api_info documents `perm_reporting` alone; the Configuration API has one permission for each kind of
 * report. */
static bool is_listed(int names, enum permission p)
{
    bool api = p == PERM_REPORTING_SUPPORT || p == PERM_REPORTING_JUMP_ITEM || p == PERM_REPORTING_SYSLOG;

    return names != NAMES_DOCUMENTED || !api;
}

static void put_permissions(struct dispatch *d, struct xml *x)
{
    int names = d->site->knob[KNOB_PERMISSION_NAMES];

    xml_open(x, "permissions");
    for (enum permission p = 0; p < PERM_COUNT; p++) {
        const char *name = permission_names[p];
        if (p == PERM_CONFIGURATION_VAULT && !d->site->knob[KNOB_VAULT_PERMISSION])
            name = "perm_configuration_vault_acount"; /* as the vendor's page spells it */
        if (is_listed(names, p))
            put_permission(d, x, name, account_permission(d->account, p));
    }
    if (names != NAMES_CONFIGURATION)
        put_permission(d, x, "perm_reporting", account_permission(d->account, PERM_REPORTING_SUPPORT));
    xml_close(x);
}

static void get_api_info(struct dispatch *d)
{
    struct xml x = answer_xml(d);

    xml_open(&x, "get_api_info");
    xml_leaf(&x, "api_version", d->site->api_version);
    put_timestamp(d, &x);
    put_permissions(d, &x);
    xml_close(&x);
}

/* ---- check_health ---- */

static void put_failover(struct dispatch *d, struct xml *x)
{
    const char *p = d->site->shared_ips;
    char iso[TIME_ISO], ip[64];

    xml_leaf(x, "failover_role", failover_roles[d->site->role]);
    if (*p)
        xml_open(x, "enabled_shared_ips");
    for (; *p; p += strcspn(p, ","), p += *p == ',') {
        (void)text_copy_n(ip, sizeof(ip), p, strcspn(p, ","));
        xml_leaf(x, "ip", ip);
    }
    if (*d->site->shared_ips)
        xml_close(x);
    if (d->site->role == ROLE_NONE)
        return;
    time_iso(d->site->sync_ms, iso);
    xml_open(x, "last_data_sync_time");
    xml_attribute_int(x, "ts", d->site->sync_ms / 1000);
    xml_text(x, iso);
    xml_close(x);
    xml_leaf(x, "last_data_sync_status", d->site->sync_status);
}

static void check_health(struct dispatch *d)
{
    static const char *const roots[] = {"check_health", "health", "check_health_response",
                                        "appliance_health"};
    struct xml x = answer_xml(d);

    xml_open(&x, roots[d->site->knob[KNOB_HEALTH_ROOT]]);
    xml_open(&x, "appliance");
    xml_attribute(&x, "id", d->site->appliance_id);
    xml_text(&x, d->site->hostname);
    xml_close(&x);
    xml_leaf(&x, "version", d->site->version);
    xml_leaf(&x, "success", d->site->healthy ? "1" : "0");
    if (*d->site->error_message)
        xml_leaf(&x, "error_message", d->site->error_message);
    put_failover(d, &x);
    xml_close(&x);
}

/* ---- sessions ---- */

static bool session_of(struct dispatch *d, const char *root, struct row *row)
{
    const char *lsid = dispatch_param(d, "lsid");

    if (!lsid || !*lsid) {
        answer_violation(d, VIOLATION_MISSING_PARAMETER, "Missing parameter: lsid");
        return false;
    }
    if (rows_by_lsid(d->site, lsid, row))
        return true;
    answer_error(d, root, "Invalid lsid.");
    return false;
}

static void put_attributes(struct dispatch *d, struct xml *x, const struct row *row)
{
    struct month_session one;

    if (!row->made) {
        month_session(d->site->month, row->index, site_now(d->site) / 1000, &one);
        month_put_attributes(x, &one);
        return;
    }
    xml_open(x, "custom_attribute");
    xml_attribute(x, "display_name", "Ticket");
    xml_attribute(x, "code_name", "ticket");
    xml_text(x, session_text(row->made, SESSION_EXTERNAL_KEY));
    xml_close(x);
}

static void get_session_attributes(struct dispatch *d)
{
    struct row row;
    struct xml x;

    if (!session_of(d, "custom_attributes", &row))
        return;
    if (rows_state(d->site, &row) != SESSION_RUNNING) {
        answer_error(d, "custom_attributes", "The session is not active.");
        return;
    }
    x = answer_xml(d);
    xml_open(&x, "custom_attributes");
    put_attributes(d, &x, &row);
    xml_close(&x);
}

static void terminate_session(struct dispatch *d)
{
    struct row row;
    bool ran;

    if (!session_of(d, "terminate_session", &row))
        return;
    ran = rows_state(d->site, &row) == SESSION_RUNNING;
    if (!ran && !d->site->knob[KNOB_TERMINATE_ENDED]) {
        answer_error(d, "terminate_session", "The session has already ended.");
        return;
    }
    if (ran) {
        d->site->terminated++;
        if (rows_end(d->site, &row, false, site_now(d->site)))
            d->answer->body.failed = true;
    }
    answer_success(d, "terminate_session", "Successfully terminated");
}

/* ---- the table ---- */

static void get_clients(struct dispatch *d)
{
    calls_clients(d, dispatch_param(d, "action"));
}

#define PARAMETERS 5

static const struct action {
    const char *name;
    enum command_level least;
    void (*run)(struct dispatch *);     /* NULL = it changes the site, and is not for programs that watch */
    const char *parameters[PARAMETERS]; /* NULL-ended */
} actions[] = {
    {"get_api_info", COMMAND_READ_ONLY, get_api_info, {"action"}},
    {"check_health", COMMAND_READ_ONLY, check_health, {"action"}},
    {"get_session_attributes", COMMAND_READ_ONLY, get_session_attributes, {"action", "lsid"}},
    {"get_logged_in_reps", COMMAND_READ_ONLY, get_clients, {"action"}},
    {"get_connected_client_list", COMMAND_READ_ONLY, get_clients, {"action", "type", "summary_only"}},
    {"get_connected_clients",
     COMMAND_READ_ONLY,
     get_clients,
     {"action", "type", "id", "include_connections"}},
    {"terminate_session", COMMAND_FULL, terminate_session, {"action", "lsid"}},
    {"set_session_attributes", COMMAND_FULL, NULL, {NULL}},
    {"import_jump_shortcut", COMMAND_FULL, NULL, {NULL}},
    {"set_failover_role", COMMAND_FULL, NULL, {NULL}},
    {"join_session", COMMAND_FULL, NULL, {NULL}},
};

static const struct action *action_named(const char *name)
{
    for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++)
        if (strcmp(actions[i].name, name) == 0)
            return &actions[i];
    return NULL;
}

static enum command_level least_of(const struct dispatch *d, const struct action *a)
{
    bool open = a->run == get_api_info && !d->site->knob[KNOB_INFO_DENIED];

    return open ? COMMAND_DENY : a->least;
}

void calls_command(struct dispatch *d)
{
    const char *name = dispatch_param(d, "action");
    const struct action *a = name ? action_named(name) : NULL;

    if (!name || !*name)
        answer_violation(d, VIOLATION_MISSING_PARAMETER, "Missing parameter: action");
    else if (!a)
        answer_violation(d, VIOLATION_BAD_PARAMETER, "Unknown action.");
    else if (!a->run)
        answer_violation(d, VIOLATION_CHANGING_ACTION,
                         "This action is not for programs that watch the site.");
    else if (!permitted(d, least_of(d, a)))
        answer_denied(d, a->name);
    else if (dispatch_params_known(d, a->parameters))
        a->run(d);
}
