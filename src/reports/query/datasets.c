/* SPDX-License-Identifier: Apache-2.0 */
/*
 * datasets.c - the table of datasets and their columns; see datasets.h.
 */
#include "reports/query/datasets.h"

#include <string.h>

const char *const value_type_names[VALUE_NTYPES] = {[VALUE_TEXT] = "text",
                                                    [VALUE_NUMBER] = "number",
                                                    [VALUE_TIME] = "time",
                                                    [VALUE_BOOL] = "bool",
                                                    [VALUE_DURATION] = "duration"};

#define S(column) "s.\"" column "\""
#define T(column) "t.\"" column "\""

#define TEXT(name, title, flags, expression)                                                                 \
    {                                                                                                        \
        name, title, VALUE_TEXT, flags, expression                                                           \
    }
#define NUMBER(name, title, flags, expression)                                                               \
    {                                                                                                        \
        name, title, VALUE_NUMBER, flags, expression                                                         \
    }
#define TIME(name, title, flags, expression)                                                                 \
    {                                                                                                        \
        name, title, VALUE_TIME, COL_SORT | (flags), expression                                              \
    }
#define BOOL(name, title, flags, expression)                                                                 \
    {                                                                                                        \
        name, title, VALUE_BOOL, COL_FULL | (flags), expression                                              \
    }
#define DURATION(name, title, flags, expression)                                                             \
    {                                                                                                        \
        name, title, VALUE_DURATION, flags, expression                                                       \
    }
/* clang-format off */
static const struct dataset_column sessions[] = {
    TIME("start_time", "Start", COL_SHOWN | COL_FULL, S("start_unix")),
    TIME("end_time", "End", 0, S("end_unix")),
    DURATION("duration", "Duration", COL_SHOWN | COL_SORT, S("duration_seconds")),
    TEXT("state", "State", COL_FULL, S("state")),
    TEXT("site", "Site", COL_SHOWN | COL_FULL | COL_LOWER | COL_LED, S("host_name")),
    TEXT("user", "User", COL_SHOWN | COL_SORT | COL_LED, S("user_name")),
    TEXT("endpoint", "Endpoint", COL_SHOWN | COL_SORT | COL_LED, S("endpoint_name")),
    TEXT("jump_group", "Jump group", COL_SHOWN | COL_SORT | COL_LED, S("jump_group_name")),
    TEXT("jumpoint", "Jumpoint", COL_SHOWN | COL_LED, S("jumpoint_name")),
    TEXT("type", "Type", COL_SHOWN | COL_FULL, S("jump_item_type")),
    NUMBER("injections", "Injections", COL_FULL, S("injections")),
    NUMBER("injections_failed", "Failed injections", COL_FULL, S("injections_failed")),
    NUMBER("file_transfers", "File transfers", 0, S("file_transfers")),
    TEXT("external_key", "External key", 0, S("external_key")),
    BOOL("outside_hours", "Outside hours", 0, S("outside_hours")),
    TEXT("lsid", "Session", COL_SHOWN | COL_FULL | COL_LOWER | COL_LED, S("lsid")),
};

/* The reason is cut as the tallies cut theirs. */
#define FAILURE_REASON                                                                                       \
    "(SELECT SUBSTRING(d.\"value\", 1, 256) FROM \"session_event_data\" d WHERE d.\"session_event_id\" = "   \
    "t.\"id\" AND d.\"name\" = 'failure_reason' ORDER BY d.\"id\"{first})"

static const struct dataset_column events[] = {
    TIME("timestamp", "Time", COL_SHOWN | COL_FULL, T("timestamp_unix")),
    TEXT("type", "Type", COL_SHOWN, T("type")),
    TEXT("performed_by", "By", COL_SHOWN, T("performed_by")),
    TEXT("performed_by_type", "By type", 0, T("performed_by_type")),
    TEXT("destination", "To", COL_SHOWN, T("destination")),
    TEXT("filename", "File", COL_SHOWN, T("filename")),
    TEXT("failure_reason", "Reason", COL_SHOWN, FAILURE_REASON),
    TEXT("site", "Site", COL_SHOWN | COL_FULL | COL_LOWER | COL_PARENT, S("host_name")),
    TEXT("user", "User", COL_SHOWN | COL_PARENT, S("user_name")),
    TEXT("endpoint", "Endpoint", COL_SHOWN | COL_PARENT, S("endpoint_name")),
    TEXT("jump_group", "Jump group", COL_PARENT, S("jump_group_name")),
    TEXT("lsid", "Session", COL_SHOWN | COL_FULL | COL_LOWER | COL_PARENT, S("lsid")),
};

static const struct dataset_column vault_activity[] = {
    TIME("timestamp", "Time", COL_SHOWN | COL_FULL, T("timestamp_unix")),
    TEXT("site", "Site", COL_SHOWN | COL_FULL | COL_LOWER, T("host_name")),
    TEXT("event_type", "Event type", COL_SHOWN, T("event_type")),
    TEXT("account_id", "Account ID", 0, T("account_id")),
    TEXT("account_name", "Account", COL_SHOWN, T("account_name")),
    TEXT("performed_by", "By", COL_SHOWN, T("performed_by")),
    TEXT("performed_by_type", "By type", COL_SHOWN, T("performed_by_type")),
    TEXT("data", "Data", 0, T("data")),
    TEXT("lsid", "Session", COL_SHOWN | COL_LOWER, T("lsid")),
};

static const struct dataset_column accounts[] = {
    TEXT("site", "Site", COL_SHOWN | COL_FULL | COL_LOWER | COL_LED, T("host_name")),
    NUMBER("account_id", "Account ID", COL_FULL, T("account_id")),
    TEXT("type", "Type", COL_SHOWN, T("type")),
    TEXT("name", "Name", COL_SHOWN, T("name")),
    TEXT("username", "User name", COL_SHOWN, T("username")),
    TEXT("description", "Description", COL_SHOWN, T("description")),
    NUMBER("account_group_id", "Account group ID", 0, T("account_group_id")),
    TEXT("account_policy", "Account policy", COL_SHOWN, T("account_policy")),
    NUMBER("endpoint_id", "Endpoint ID", 0, T("endpoint_id")),
    TIME("last_checkout", "Last check-out", 0, T("last_checkout_unix")),
    TIME("last_used", "Last used", COL_SHOWN, T("last_used_unix")),
    TIME("first_seen", "First seen", COL_SHOWN | COL_FULL, T("first_seen")),
    TIME("changed_at", "Changed", COL_FULL, T("changed_at")),
    TIME("gone_at", "Gone", COL_SHOWN, T("gone_at")),
};

static const struct dataset_column jump_items[] = {
    TEXT("site", "Site", COL_SHOWN | COL_FULL | COL_LOWER | COL_LED, T("host_name")),
    TEXT("type", "Type", COL_SHOWN | COL_FULL, T("type")),
    NUMBER("item_id", "Item ID", COL_FULL, T("item_id")),
    TEXT("name", "Name", COL_SHOWN, T("name")),
    TEXT("hostname", "Host name", COL_SHOWN, T("hostname")),
    NUMBER("jump_group_id", "Jump group ID", COL_SHOWN, T("jump_group_id")),
    TEXT("jump_group_type", "Jump group type", COL_SHOWN, T("jump_group_type")),
    NUMBER("jumpoint_id", "Jumpoint ID", COL_SHOWN, T("jumpoint_id")),
    TEXT("tag", "Tag", COL_SHOWN, T("tag")),
    TIME("first_seen", "First seen", COL_SHOWN | COL_FULL, T("first_seen")),
    TIME("gone_at", "Gone", COL_SHOWN, T("gone_at")),
};

static const struct dataset_column jumpoints[] = {
    TEXT("site", "Site", COL_SHOWN | COL_FULL | COL_LOWER | COL_LED, T("host_name")),
    NUMBER("jumpoint_id", "Jumpoint ID", COL_SHOWN | COL_FULL, T("jumpoint_id")),
    TEXT("name", "Name", COL_SHOWN, T("name")),
    TEXT("platform", "Platform", COL_SHOWN, T("platform")),
    BOOL("connected", "Connected", COL_SHOWN, T("connected")),
    BOOL("enabled", "Enabled", COL_SHOWN, T("enabled")),
    BOOL("clustered", "Clustered", COL_SHOWN, T("clustered")),
    TEXT("network_id", "Network ID", 0, T("network_id")),
    TIME("first_seen", "First seen", COL_SHOWN | COL_FULL, T("first_seen")),
    TIME("gone_at", "Gone", COL_SHOWN, T("gone_at")),
};

/* One column for the names of events that end so: no filter of one column says that. */
#define CONFIG_CHANGE                                                                                        \
    "CASE WHEN t.\"event\" LIKE '%!_added' ESCAPE '!' OR t.\"event\" LIKE '%!_changed' ESCAPE '!' OR "       \
    "t.\"event\" LIKE '%!_removed' ESCAPE '!' THEN 1 ELSE 0 END"

static const struct dataset_column syslog[] = {
    TIME("timestamp", "Time", COL_SHOWN | COL_FULL, T("timestamp_unix")),
    TEXT("site", "Site", COL_SHOWN | COL_FULL | COL_LOWER, T("host_name")),
    TEXT("appliance", "Appliance", 0, T("appliance")),
    TEXT("event", "Event", COL_SHOWN, T("event")),
    TEXT("target", "Target", COL_SHOWN, T("target")),
    TEXT("status", "Status", COL_SHOWN, T("status")),
    TEXT("who", "Who", COL_SHOWN, T("who")),
    TEXT("who_ip", "From address", COL_SHOWN, T("who_ip")),
    TEXT("data", "Data", 0, T("data")),
    BOOL("config_change", "Configuration change", 0, CONFIG_CHANGE),
};

static const struct dataset_column credential_use[] = {
    TIME("checkout", "Check-out", COL_SHOWN, T("checkout_unix")),
    TEXT("gateway", "Gateway", COL_SHOWN | COL_FULL | COL_LED, T("gateway")),
    TEXT("site", "Site", COL_SHOWN | COL_LOWER | COL_PARENT, S("host_name")),
    TEXT("user_name", "User", COL_SHOWN, T("user_name")),
    TEXT("domain", "Domain", 0, T("domain")),
    TEXT("vault", "Vault", 0, T("vault")),
    TEXT("system", "System", COL_SHOWN, T("system")),
    TEXT("account", "Account", COL_SHOWN, T("account")),
    TEXT("kind", "Kind", 0, T("kind")),
    TEXT("credential_id", "Credential ID", 0, T("credential_id")),
    TIME("released", "Released", 0, T("released_unix")),
    TEXT("reason", "Reason", COL_SHOWN, T("reason")),
    TIME("checkin", "Check-in", COL_SHOWN, T("checkin_unix")),
    TEXT("checkin_outcome", "Check-in outcome", COL_SHOWN, T("checkin_outcome")),
    TIME("expires", "Expires", 0, T("expires_unix")),
    DURATION("late_seconds", "Late", COL_PARENT, "(coalesce(t.\"checkin_unix\", {now}) - s.\"end_unix\")"),
    TEXT("joined_by", "Joined by", COL_FULL, T("joined_by")),
    TEXT("lease_id", "Lease", COL_FULL, T("lease_id")),
    NUMBER("session_id", "Session number", 0, T("session_id")),
    TEXT("lsid", "Session", COL_SHOWN | COL_LOWER, T("lsid")),
};

static const struct dataset_column team[] = {
    TIME("timestamp", "Time", COL_SHOWN | COL_FULL, T("timestamp_unix")),
    TEXT("site", "Site", COL_SHOWN | COL_FULL | COL_LOWER, T("host_name")),
    NUMBER("team_id", "Team ID", 0, T("team_id")),
    TEXT("name", "Team", COL_SHOWN, T("name")),
    TEXT("type", "Type", COL_SHOWN, T("type")),
    TEXT("performed_by", "By", COL_SHOWN, T("performed_by")),
    TEXT("data", "Data", COL_SHOWN, T("data")),
};

#define COLUMNS(c) .columns = (c), .ncolumns = sizeof(c) / sizeof(*(c))
#define OF_SESSION .host = S("host_name"), .group = S("jump_group_name"), .user = S("user_name"), .endpoint = S("endpoint_name")

const struct dataset datasets[] = {
    {.name = "sessions", .title = "Sessions", .table = "\"session\" s", .time = S("start_unix"), OF_SESSION,
     .sort = "-start_time", .order = {{S("start_unix"), false}, {S("id"), false}}, .norder = 2, COLUMNS(sessions)},
    {.name = "events", .title = "Events", .table = "\"session_event\" t",
     .parent = "\"session\" s ON s.\"id\" = t.\"session_id\"", .time = T("timestamp_unix"), OF_SESSION,
     .host_of_parent = true, .user_of_parent = true,
     .sort = "-timestamp", .order = {{T("id"), false}}, .norder = 1, COLUMNS(events)},
    {.name = "vault_activity", .title = "Vault activity", .table = "\"jg_vault_activity\" t", .time = T("timestamp_unix"),
     .host = T("host_name"), .sort = "-timestamp", .order = {{T("id"), false}}, .norder = 1, COLUMNS(vault_activity)},
    {.name = "accounts", .title = "Accounts", .table = "\"jg_vault_account\" t", .host = T("host_name"), .sort = "-last_used",
     .order = {{T("host_name"), true}, {T("account_id"), false}}, .norder = 2, COLUMNS(accounts)},
    {.name = "jump_items", .title = "Jump Items", .table = "\"jg_jump_item\" t", .host = T("host_name"), .sort = "-first_seen",
     .order = {{T("host_name"), true}, {T("type"), true}, {T("item_id"), false}}, .norder = 3, COLUMNS(jump_items)},
    {.name = "jumpoints", .title = "Jumpoints", .table = "\"jg_jumpoint\" t", .host = T("host_name"), .sort = "-first_seen",
     .order = {{T("host_name"), true}, {T("jumpoint_id"), false}}, .norder = 2, COLUMNS(jumpoints)},
    {.name = "syslog", .title = "Syslog", .table = "\"jg_syslog_event\" t", .time = T("timestamp_unix"),
     .host = T("host_name"), .sort = "-timestamp", .order = {{T("id"), false}}, .norder = 1, COLUMNS(syslog)},
    {.name = "credential_use", .title = "Check-outs", .table = "\"jg_credential_use\" t",
     .parent = "\"session\" s ON s.\"id\" = t.\"session_id\"", .parent_absent = true, .time = T("checkout_unix"),
     .host = S("host_name"), .group = S("jump_group_name"), .user = T("user_name"), .endpoint = S("endpoint_name"),
     .host_of_parent = true, .sort = "-checkout",
     .order = {{T("gateway"), true}, {T("lease_id"), true}}, .norder = 2, COLUMNS(credential_use)},
    {.name = "team", .title = "Teams", .table = "\"team\" t", .time = T("timestamp_unix"), .host = T("host_name"),
     .sort = "-timestamp", .order = {{T("id"), false}}, .norder = 1, COLUMNS(team)},
};
/* clang-format on */
const size_t ndatasets = sizeof(datasets) / sizeof(*datasets);

const struct dataset *dataset_named(const char *name)
{
    for (size_t i = 0; i < ndatasets; i++)
        if (strcmp(datasets[i].name, name) == 0)
            return &datasets[i];
    return NULL;
}

const struct dataset_column *dataset_column(const struct dataset *dataset, const char *name)
{
    for (size_t i = 0; i < dataset->ncolumns; i++)
        if (strcmp(dataset->columns[i].name, name) == 0)
            return &dataset->columns[i];
    return NULL;
}
