/* SPDX-License-Identifier: Apache-2.0 */
/*
 * schema_tables.c - the tables, their columns and indexes; see schema.h.
 *
 * Order of columns: as docs/reports-sql.md shows them, and the order in which the store binds them.
 *
 * Not here: texts made of it (schema.c).
 */
#include "reports/db/schema.h"

#define V ORIGIN_VENDOR
#define I ORIGIN_REPORT
#define O ORIGIN_OURS

#define ID(o)                                                                                                \
    {                                                                                                        \
        "id", COLUMN_ID, o, 0, false, NULL, "given by the collector", 1                                      \
    }
#define INT(name, o, text)                                                                                   \
    {                                                                                                        \
        name, COLUMN_INT, o, 0, false, NULL, text, 1                                                         \
    }
#define INT_NULL(name, o, text)                                                                              \
    {                                                                                                        \
        name, COLUMN_INT, o, 0, true, NULL, text, 1                                                          \
    }
#define BOOL(name, o, text)                                                                                  \
    {                                                                                                        \
        name, COLUMN_BOOL, o, 0, false, NULL, text, 1                                                        \
    }
#define WORD(name, n, o, text)                                                                               \
    {                                                                                                        \
        name, COLUMN_TEXT, o, n, false, NULL, text, 1                                                        \
    }
#define TEXT(name, n, o, text)                                                                               \
    {                                                                                                        \
        name, COLUMN_TEXT, o, n, true, NULL, text, 1                                                         \
    }
#define TIME(name, from, o, text)                                                                            \
    {                                                                                                        \
        name, COLUMN_TIME, o, 0, true, from, text, 1                                                         \
    }

#define HOST_NAME WORD("host_name", 255, O, "the PRA site")
#define SEQ       INT("seq", O, "moves with each change of the row")

static const struct schema_column session[] = {
    ID(V),
    WORD("lsid", 64, V, "PRA's id of the session, in lower case"),
    TEXT("type", 32, V, "`support`, as the site writes it"),
    TIME("start_time", "start_unix", V, "of `start_unix`"),
    TIME("end_time", "end_unix", V, "of `end_unix`; null while it runs, or when it was closed abnormally"),
    TEXT("duration", 16, V, "HH:MM:SS, as the site writes it"),
    INT_NULL("file_transfers", V, "number"),
    WORD("host_name", 255, V, "the PRA site, in lower case"),
    TEXT("external_key", 1024, V, "a ticket's id, for example"),
    INT("public_site_id", V, "1"),
    WORD("public_site_name", 255, V, "`Default`"),
    INT_NULL("jump_group_id", V, "of a personal group: the user's id"),
    TEXT("jump_group_name", 256, V, "of a personal group: the user's private display name"),
    INT_NULL("lseq", V, "the site's number of it; neither unique nor in order"),
    TEXT("jump_group_type", 16, I, "`shared`, `personal`"),
    INT_NULL("jumpoint_id", I, "null without a Jumpoint"),
    TEXT("jumpoint_name", 256, I, ""),
    TEXT("primary_customer", 256, I, "the endpoint's name (Jump Item)"),
    TEXT("primary_rep", 256, I, "display name of the session's owner"),
    INT_NULL("file_moves", I, "number"),
    INT_NULL("file_deletes", I, "number"),
    TEXT("session_chat_view_url", 0, I, "signed: as good as a key"),
    TEXT("session_chat_download_url", 0, I, "likewise"),
    TEXT("session_recording_view_url", 0, I, "likewise"),
    TEXT("session_recording_download_url", 0, I, "likewise"),
    INT("start_unix", O, "Unix seconds"),
    INT_NULL("end_unix", O, "Unix seconds"),
    INT_NULL("duration_seconds", O, "end less start"),
    TEXT("user_name", 256, O, "user name of the representative that owns the session, else `primary_rep`"),
    TEXT("endpoint_name", 256, O, "`primary_customer`"),
    WORD("jump_item_type", 32, O, "words of the Configuration API (`remote-rdp`), `jump-client`, `unknown`"),
    WORD("state", 16, O, "`running`, `closed`, `abnormal`"),
    INT("injections", O, "events Credential Injection Attempt"),
    INT("injections_failed", O, "events Credential Injection Attempt Failed"),
    BOOL("outside_hours", O, "it began outside the working hours of its site"),
    BOOL("has_recording", O, "of the screen or of a command shell"),
    WORD("digest", 64, O, "SHA-256 of the session without its URLs"),
    INT("revision", O, "1, and 1 more with each change"),
    INT("stored_at", O, "Unix seconds: of its first row"),
    INT("fetched_at", O, "Unix seconds: last read from the site"),
    INT("changed_at", O, "Unix seconds: of this revision"),
    SEQ,
};

static const struct schema_column session_event[] = {
    ID(V),
    INT("session_id", V, "`session`"),
    TEXT("type", 256, V, "`Session Start`, `Credential Injection Attempt`, …"),
    TEXT("performed_by", 256, V, "name"),
    TEXT("performed_by_type", 32, V, "`representative`, `customer`, `system`"),
    TEXT("destination", 256, V, "name"),
    TIME("timestamp", "timestamp_unix", I, "of `timestamp_unix`"),
    TEXT("destination_type", 32, I, ""),
    TEXT("body", 0, I, "text of a chat"),
    TEXT("filename", 0, I, ""),
    INT_NULL("filesize", I, "bytes"),
    INT("timestamp_unix", O, "Unix seconds"),
    INT("position", O, "in the session, from 0"),
    INT_NULL("performed_by_gsnumber", O, "number of that person in the session; 0 = the system"),
    INT_NULL("destination_gsnumber", O, "likewise"),
};

static const struct schema_column session_event_data[] = {
    ID(V),
    INT("session_event_id", V, "`session_event`"),
    TEXT("name", 256, V, "of a list of files: `file.N.filename`, `file.N.filesize`"),
    TEXT("value", 0, I, ""),
};

static const struct schema_column system_information[] = {
    ID(V),
    INT("session_id", I, "`session`"),
    INT("session_event_id", I, "`session_event`"),
    TEXT("category", 256, I, ""),
    INT("row_number", I, "of a table, from 0; -1 = its description"),
    TEXT("field", 256, I, ""),
    TEXT("value", 0, I, ""),
};

static const struct schema_column representative[] = {
    ID(V),
    INT("session_id", V, "`session`"),
    INT_NULL("gsnumber", I, "number in the session"),
    INT_NULL("rep_id", I, "the user's id"),
    TEXT("username", 256, I, ""),
    TEXT("display_name", 256, I, ""),
    TEXT("public_display_name", 256, I, ""),
    TEXT("private_display_name", 256, I, ""),
    TEXT("public_ip", 64, I, "with the port"),
    TEXT("private_ip", 64, I, ""),
    TEXT("hostname", 256, I, ""),
    TEXT("os", 256, I, ""),
    BOOL("session_owner", I, ""),
    INT_NULL("seconds_involved", I, ""),
    BOOL("invited", I, ""),
};

static const struct schema_column customer[] = {
    ID(V),
    INT("session_id", V, "`session`"),
    INT_NULL("gsnumber", I, "number in the session"),
    TEXT("username", 256, I, "the endpoint's name"),
    TEXT("public_ip", 64, I, "with the port"),
    TEXT("private_ip", 64, I, ""),
    TEXT("hostname", 256, I, ""),
    TEXT("os", 256, I, ""),
};

static const struct schema_column team[] = {
    ID(V),
    INT_NULL("team_id", I, ""),
    TEXT("name", 256, I, ""),
    TIME("timestamp", "timestamp_unix", I, "of `timestamp_unix`"),
    TEXT("type", 256, I, "of the event"),
    TEXT("performed_by", 256, I, ""),
    HOST_NAME,
    INT("timestamp_unix", O, "Unix seconds"),
    TEXT("data", 0, O, "JSON: an object of names and values"),
    WORD("digest", 64, O, "SHA-256 of the event"),
};

static const struct schema_column custom_attribute[] = {
    ID(V),
    INT("session_id", I, "`session`"),
    TEXT("display_name", 256, I, ""),
    TEXT("code_name", 256, I, ""),
    TEXT("value", 0, I, ""),
};

static const struct schema_column command_shell_recording[] = {
    ID(O),
    INT("session_id", O, "`session`"),
    INT("instance", O, "from 0"),
    TEXT("view_url", 0, O, "signed: as good as a key"),
    TEXT("download_url", 0, O, "likewise"),
};

static const struct schema_column jg_schema[] = {
    INT("version", O, "of the schema"),
    INT("applied_at", O, "Unix seconds"),
    WORD("digest", 64, O, "SHA-256 of the DDL of this version"),
    BOOL("event_indexes", O, "the vendor's indexes on events are built"),
};

static const struct schema_column jg_site[] = {
    HOST_NAME,
    TEXT("name", 256, O, "of its section in the configuration"),
    TEXT("state", 32, O, "`Pending`, `Connected`, `Action Required`, `Off`"),
    TEXT("reason", 256, O, "of the state"),
    INT_NULL("since", O, "Unix seconds: of the state"),
    INT_NULL("skew_ms", O, "the site's clock less ours"),
    TEXT("api_version", 64, O, ""),
    TEXT("permissions", 0, O, "of the API account"),
    INT_NULL("last_success", O, "Unix seconds"),
    BOOL("enabled", O, ""),
};

static const struct schema_column jg_cursor[] = {
    HOST_NAME,
    WORD("source", 64, O, "of the collector"),
    WORD("position", 255, O, "how far it has read"),
    INT("updated_at", O, "Unix seconds"),
};

static const struct schema_column jg_todo[] = {
    HOST_NAME,
    WORD("lsid", 64, O, "a session to read"),
    WORD("why", 32, O, ""),
    INT("tries", O, "that failed"),
    INT("next_at", O, "Unix seconds: not before"),
    TEXT("error", 1024, O, "of the last try"),
};

static const struct schema_column jg_counter[] = {
    INT("seq", O, "the newest `seq` of any table; one row"),
};

static const struct schema_column jg_commit[] = {
    INT("at", O, "Unix seconds: a second in which rows were stored"),
    INT("seq", O, "the newest `seq` before it"),
};

static const struct schema_column jg_layout[] = {
    WORD("user_name", 256, O, "of the page"),
    INT("revision", O, ""),
    TEXT("document", 0, O, "JSON"),
};

static const struct schema_column jg_tally[] = {
    WORD("grain", 1, O, "`d` day, `m` month"),
    INT("slot", O, "Unix seconds: start of the day or month, UTC"),
    HOST_NAME,
    WORD("jump_group_name", 256, O, "`` without one, and over all"),
    WORD("dim", 16, O,
         "`all`, `jumpoint`, `type`, `duration`, `outside`, `abnormal`, `event`, `reason`; by month also "
         "`user`, `endpoint`, and over all jump groups `site_user`, `site_endpoint`"),
    WORD("label", 256, O, "value of the dimension; of `duration` the lower bound in seconds; `` = null"),
    INT("n", O, "sessions that began, or events"),
    INT("seconds", O, "sum of `duration_seconds`; 0 of events"),
};

static const struct schema_column jg_slot[] = {
    INT("slot", O, "Unix seconds: start of 15 minutes"),
    HOST_NAME,
    INT("sessions", O, "that began"),
    INT("seconds", O, "sum of their `duration_seconds`"),
    INT("abnormal", O, "of them closed abnormally"),
    INT("outside_hours", O, "of them outside working hours"),
    INT("injections", O, "events Credential Injection Attempt"),
    INT("injections_failed", O, "events Credential Injection Attempt Failed"),
};

static const struct schema_column jg_vault_activity[] = {
    ID(O),
    HOST_NAME,
    INT("timestamp_unix", O, "Unix seconds"),
    TEXT("event_type", 256, O, ""),
    TEXT("account_id", 64, O, "of the site's vault"),
    TEXT("account_name", 256, O, "of the inventory, when the row was stored"),
    TEXT("performed_by", 256, O, ""),
    TEXT("performed_by_type", 64, O, ""),
    TEXT("data", 0, O, "as the site writes it"),
    TEXT("lsid", 64, O, "where `data` is one"),
    WORD("digest", 64, O, "SHA-256 of the activity"),
    SEQ,
};

static const struct schema_column jg_vault_account[] = {
    HOST_NAME,
    INT("account_id", O, ""),
    TEXT("type", 64, O, ""),
    TEXT("name", 256, O, ""),
    TEXT("username", 256, O, ""),
    TEXT("description", 1024, O, ""),
    INT_NULL("account_group_id", O, ""),
    TEXT("account_policy", 256, O, ""),
    INT_NULL("endpoint_id", O, ""),
    INT_NULL("last_checkout_unix", O, "Unix seconds, by the site"),
    INT_NULL("last_used_unix", O, "the later of it and the newest activity of use or check-out"),
    INT("first_seen", O, "Unix seconds"),
    INT("changed_at", O, "Unix seconds"),
    INT_NULL("gone_at", O, "Unix seconds: the site no longer has it"),
    SEQ,
};

static const struct schema_column jg_jump_item[] = {
    HOST_NAME,
    WORD("type", 64, O, "`remote-rdp`, `shell-jump`, `jump-client`, …"),
    INT("item_id", O, ""),
    TEXT("name", 256, O, ""),
    TEXT("hostname", 256, O, ""),
    INT_NULL("jump_group_id", O, ""),
    TEXT("jump_group_type", 16, O, ""),
    INT_NULL("jumpoint_id", O, ""),
    TEXT("tag", 256, O, ""),
    INT("first_seen", O, "Unix seconds"),
    INT_NULL("gone_at", O, "Unix seconds: the site no longer has it"),
};

static const struct schema_column jg_jumpoint[] = {
    HOST_NAME,
    INT("jumpoint_id", O, ""),
    TEXT("name", 256, O, ""),
    TEXT("platform", 64, O, ""),
    BOOL("connected", O, ""),
    BOOL("enabled", O, ""),
    BOOL("clustered", O, ""),
    TEXT("network_id", 1024, O, "of external Jump Items"),
    INT("first_seen", O, "Unix seconds"),
    INT_NULL("gone_at", O, "Unix seconds: the site no longer has it"),
};

static const struct schema_column jg_syslog_event[] = {
    ID(O),
    HOST_NAME,
    INT("timestamp_unix", O, "Unix seconds"),
    TEXT("appliance", 255, O, ""),
    TEXT("event", 256, O, ""),
    TEXT("target", 256, O, ""),
    TEXT("status", 64, O, ""),
    TEXT("who", 256, O, ""),
    TEXT("who_ip", 64, O, ""),
    TEXT("data", 0, O, "JSON: every key of the message"),
    WORD("digest", 64, O, "SHA-256 of the line and its ordinal among equal lines"),
    SEQ,
};

static const struct schema_column jg_credential_use[] = {
    WORD("lease_id", 64, O, "of the gateway"),
    WORD("gateway", 256, O, "name of its section"),
    TEXT("lsid", 64, O, ""),
    INT_NULL("session_id", O, "`session`"),
    WORD("joined_by", 16, O, "`lsid`, `session`, `credential_id`, `none`"),
    TEXT("user_name", 256, O, ""),
    TEXT("domain", 256, O, ""),
    TEXT("credential_id", 256, O, ""),
    TEXT("vault", 256, O, "name of the gateway's section"),
    TEXT("system", 256, O, "in the vault"),
    TEXT("account", 256, O, "in the vault"),
    TEXT("kind", 32, O, ""),
    INT_NULL("checkout_unix", O, "Unix seconds"),
    INT_NULL("expires_unix", O, "Unix seconds"),
    INT_NULL("released_unix", O, "Unix seconds"),
    TEXT("reason", 64, O, "why the lease ended"),
    INT_NULL("checkin_unix", O, "Unix seconds"),
    TEXT("checkin_outcome", 64, O, ""),
    SEQ,
};

#define COLUMNS(t) .name = #t, .columns = (t), .ncolumns = sizeof(t) / sizeof(*(t)), .since = 1

const struct schema_table schema_tables[] = {
    {COLUMNS(session), .text = "One session. Unique: `host_name` with `lsid`."},
    {COLUMNS(session_event), .text = "Events of sessions, in the report's order."},
    {COLUMNS(session_event_data), .text = "Names and values of events."},
    {COLUMNS(system_information), .text = "What an event says about the endpoint."},
    {COLUMNS(representative), .text = "Users in sessions."},
    {COLUMNS(customer), .text = "Endpoints in sessions."},
    {COLUMNS(team), .text = "Activity of teams: log-ins to the access console, for example."},
    {COLUMNS(custom_attribute), .text = "Custom attributes of sessions."},
    {COLUMNS(command_shell_recording), .text = "Recordings of command shells."},
    {COLUMNS(jg_schema), .key = "version", .text = "Migrations that were made, a row each."},
    {COLUMNS(jg_site), .key = "host_name", .text = "Sites and their state."},
    {COLUMNS(jg_cursor), .key = "host_name source", .text = "How far each source of a site is read."},
    {COLUMNS(jg_todo), .key = "host_name lsid", .text = "Sessions to read."},
    {COLUMNS(jg_counter), .key = "seq", .text = "The counter behind every `seq`."},
    {COLUMNS(jg_commit), .key = "at", .text = "When each `seq` was stored."},
    {COLUMNS(jg_layout), .key = "user_name", .text = "Dashboards that users have arranged."},
    {COLUMNS(jg_tally), .key = "grain dim slot host_name jump_group_name label",
     .text = "Counts by day and month. A session counts where it began, an event where it happened.\nRows "
             "with 0 are "
             "absent."},
    {COLUMNS(jg_slot), .key = "slot host_name",
     .text = "Counts by 15 minutes, from which any time zone's hours and days are summed."},
    {COLUMNS(jg_vault_activity), .text = "Activity of accounts of the site's vault."},
    {COLUMNS(jg_vault_account), .key = "host_name account_id", .text = "Accounts of the site's vault."},
    {COLUMNS(jg_jump_item), .key = "host_name type item_id", .text = "Jump Items and Jump Clients."},
    {COLUMNS(jg_jumpoint), .key = "host_name jumpoint_id", .text = "Jumpoints."},
    {COLUMNS(jg_syslog_event), .text = "Messages of the appliance's syslog."},
    {COLUMNS(jg_credential_use), .key = "gateway lease_id", .text = "Check-outs through the gateway."},
};
const size_t schema_ntables = sizeof(schema_tables) / sizeof(*schema_tables);

#define OURS(n, t, c)                                                                                        \
    {                                                                                                        \
        .name = n, .table = t, .columns = c, .kind = INDEX_OURS, .since = 1                                  \
    }
#define UNIQUE(n, t, c)                                                                                      \
    {                                                                                                        \
        .name = n, .table = t, .columns = c, .kind = INDEX_OURS, .unique = true, .since = 1                  \
    }
#define PARTIAL(n, t, c, w)                                                                                  \
    {                                                                                                        \
        .name = n, .table = t, .columns = c, .where = w, .kind = INDEX_OURS, .since = 1                      \
    }
#define VENDOR(n, t, c, k)                                                                                   \
    {                                                                                                        \
        .name = n, .table = t, .columns = c, .kind = k, .since = 1                                           \
    }
#define BEHIND_START " start_unix host_name jump_group_name duration_seconds"

const struct schema_index schema_indexes[] = {
    VENDOR("session__start_time_ndx", "session", "start_time", INDEX_VENDOR),
    VENDOR("session__host_name_ndx", "session", "host_name", INDEX_VENDOR),
    VENDOR("session__jump_group_name_ndx", "session", "jump_group_name", INDEX_VENDOR),
    VENDOR("session__lsid_ndx", "session", "lsid", INDEX_VENDOR_ALWAYS),
    VENDOR("session_event__type_performed_by_type_ndx", "session_event", "type performed_by_type",
           INDEX_VENDOR_EVENT),
    VENDOR("session_event__session_id_ndx", "session_event", "session_id", INDEX_VENDOR_ALWAYS),
    VENDOR("session_event__type_destination_ndx", "session_event", "type destination", INDEX_VENDOR_EVENT),
    VENDOR("session_event__type_performed_by_ndx", "session_event", "type performed_by", INDEX_VENDOR_EVENT),
    VENDOR("session_event_data__session_event_id_ndx", "session_event_data", "session_event_id",
           INDEX_VENDOR_ALWAYS),
    VENDOR("session_event_data__name_ndx", "session_event_data", "name", INDEX_VENDOR_EVENT),
    UNIQUE("jg_session_key", "session", "host_name lsid"),
    {.name = "jg_session_start",
     .table = "session",
     .columns = "start_unix host_name jump_group_name state duration_seconds",
     .more = "user_name endpoint_name",
     .kind = INDEX_OURS,
     .since = 1},
    OURS("jg_session_user", "session", "user_name" BEHIND_START),
    OURS("jg_session_endpoint", "session", "endpoint_name" BEHIND_START),
    OURS("jg_session_group", "session", "jump_group_name start_unix host_name duration_seconds"),
    OURS("jg_session_jumpoint", "session", "jumpoint_name" BEHIND_START),
    OURS("jg_session_duration", "session", "duration_seconds"),
    OURS("jg_session_end", "session", "end_unix"),
    OURS("jg_session_seq", "session", "seq"),
    PARTIAL("jg_session_open", "session", "state host_name start_unix", "\"state\" <> 'closed'"),
    PARTIAL("jg_session_failed", "session", "start_unix host_name", "\"injections_failed\" > 0"),
    PARTIAL("jg_session_outside", "session", "start_unix host_name user_name", "\"outside_hours\" = 1"),
    OURS("jg_event_time", "session_event", "timestamp_unix type"),
    OURS("jg_event_type", "session_event", "type timestamp_unix"),
    OURS("jg_information_session", "system_information", "session_id"),
    OURS("jg_representative_session", "representative", "session_id"),
    OURS("jg_customer_session", "customer", "session_id"),
    OURS("jg_attribute_session", "custom_attribute", "session_id"),
    OURS("jg_shell_session", "command_shell_recording", "session_id"),
    UNIQUE("jg_team_digest", "team", "digest"),
    OURS("jg_team_time", "team", "timestamp_unix host_name"),
    OURS("jg_todo_due", "jg_todo", "host_name next_at"),
    UNIQUE("jg_vault_activity_digest", "jg_vault_activity", "digest"),
    OURS("jg_vault_activity_time", "jg_vault_activity", "timestamp_unix host_name event_type"),
    OURS("jg_vault_activity_account", "jg_vault_activity", "host_name account_id timestamp_unix"),
    OURS("jg_vault_activity_seq", "jg_vault_activity", "seq"),
    OURS("jg_vault_account_seq", "jg_vault_account", "seq"),
    OURS("jg_jump_item_name", "jg_jump_item", "host_name jump_group_id name"),
    UNIQUE("jg_syslog_digest", "jg_syslog_event", "digest"),
    OURS("jg_syslog_time", "jg_syslog_event", "timestamp_unix host_name event"),
    OURS("jg_syslog_seq", "jg_syslog_event", "seq"),
    OURS("jg_use_checkout", "jg_credential_use", "checkout_unix"),
    OURS("jg_use_lsid", "jg_credential_use", "lsid"),
    OURS("jg_use_session", "jg_credential_use", "session_id"),
    OURS("jg_use_credential", "jg_credential_use", "credential_id checkout_unix"),
    OURS("jg_use_seq", "jg_credential_use", "seq"),
};
const size_t schema_nindexes = sizeof(schema_indexes) / sizeof(*schema_indexes);
