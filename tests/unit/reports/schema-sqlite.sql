CREATE TABLE IF NOT EXISTS "session" (
    "id" INTEGER PRIMARY KEY NOT NULL,
    "lsid" TEXT NOT NULL,
    "type" TEXT NULL,
    "start_time" TEXT GENERATED ALWAYS AS (datetime("start_unix", 'unixepoch')) VIRTUAL,
    "end_time" TEXT GENERATED ALWAYS AS (datetime("end_unix", 'unixepoch')) VIRTUAL,
    "duration" TEXT NULL,
    "file_transfers" INTEGER NULL,
    "host_name" TEXT NOT NULL,
    "external_key" TEXT NULL,
    "public_site_id" INTEGER NOT NULL,
    "public_site_name" TEXT NOT NULL,
    "jump_group_id" INTEGER NULL,
    "jump_group_name" TEXT NULL,
    "lseq" INTEGER NULL,
    "jump_group_type" TEXT NULL,
    "jumpoint_id" INTEGER NULL,
    "jumpoint_name" TEXT NULL,
    "primary_customer" TEXT NULL,
    "primary_rep" TEXT NULL,
    "file_moves" INTEGER NULL,
    "file_deletes" INTEGER NULL,
    "session_chat_view_url" TEXT NULL,
    "session_chat_download_url" TEXT NULL,
    "session_recording_view_url" TEXT NULL,
    "session_recording_download_url" TEXT NULL,
    "start_unix" INTEGER NOT NULL,
    "end_unix" INTEGER NULL,
    "duration_seconds" INTEGER NULL,
    "user_name" TEXT NULL,
    "endpoint_name" TEXT NULL,
    "jump_item_type" TEXT NOT NULL,
    "state" TEXT NOT NULL,
    "injections" INTEGER NOT NULL,
    "injections_failed" INTEGER NOT NULL,
    "outside_hours" INTEGER NOT NULL,
    "has_recording" INTEGER NOT NULL,
    "digest" TEXT NOT NULL,
    "revision" INTEGER NOT NULL,
    "stored_at" INTEGER NOT NULL,
    "fetched_at" INTEGER NOT NULL,
    "changed_at" INTEGER NOT NULL,
    "seq" INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS "session_event" (
    "id" INTEGER PRIMARY KEY NOT NULL,
    "session_id" INTEGER NOT NULL,
    "type" TEXT NULL,
    "performed_by" TEXT NULL,
    "performed_by_type" TEXT NULL,
    "destination" TEXT NULL,
    "timestamp" TEXT GENERATED ALWAYS AS (datetime("timestamp_unix", 'unixepoch')) VIRTUAL,
    "destination_type" TEXT NULL,
    "body" TEXT NULL,
    "filename" TEXT NULL,
    "filesize" INTEGER NULL,
    "timestamp_unix" INTEGER NOT NULL,
    "position" INTEGER NOT NULL,
    "performed_by_gsnumber" INTEGER NULL,
    "destination_gsnumber" INTEGER NULL
) STRICT;
CREATE TABLE IF NOT EXISTS "session_event_data" (
    "id" INTEGER PRIMARY KEY NOT NULL,
    "session_event_id" INTEGER NOT NULL,
    "name" TEXT NULL,
    "value" TEXT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS "system_information" (
    "id" INTEGER PRIMARY KEY NOT NULL,
    "session_id" INTEGER NOT NULL,
    "session_event_id" INTEGER NOT NULL,
    "category" TEXT NULL,
    "row_number" INTEGER NOT NULL,
    "field" TEXT NULL,
    "value" TEXT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS "representative" (
    "id" INTEGER PRIMARY KEY NOT NULL,
    "session_id" INTEGER NOT NULL,
    "gsnumber" INTEGER NULL,
    "rep_id" INTEGER NULL,
    "username" TEXT NULL,
    "display_name" TEXT NULL,
    "public_display_name" TEXT NULL,
    "private_display_name" TEXT NULL,
    "public_ip" TEXT NULL,
    "private_ip" TEXT NULL,
    "hostname" TEXT NULL,
    "os" TEXT NULL,
    "session_owner" INTEGER NOT NULL,
    "seconds_involved" INTEGER NULL,
    "invited" INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS "customer" (
    "id" INTEGER PRIMARY KEY NOT NULL,
    "session_id" INTEGER NOT NULL,
    "gsnumber" INTEGER NULL,
    "username" TEXT NULL,
    "public_ip" TEXT NULL,
    "private_ip" TEXT NULL,
    "hostname" TEXT NULL,
    "os" TEXT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS "team" (
    "id" INTEGER PRIMARY KEY NOT NULL,
    "team_id" INTEGER NULL,
    "name" TEXT NULL,
    "timestamp" TEXT GENERATED ALWAYS AS (datetime("timestamp_unix", 'unixepoch')) VIRTUAL,
    "type" TEXT NULL,
    "performed_by" TEXT NULL,
    "host_name" TEXT NOT NULL,
    "timestamp_unix" INTEGER NOT NULL,
    "data" TEXT NULL,
    "digest" TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS "custom_attribute" (
    "id" INTEGER PRIMARY KEY NOT NULL,
    "session_id" INTEGER NOT NULL,
    "display_name" TEXT NULL,
    "code_name" TEXT NULL,
    "value" TEXT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS "command_shell_recording" (
    "id" INTEGER PRIMARY KEY NOT NULL,
    "session_id" INTEGER NOT NULL,
    "instance" INTEGER NOT NULL,
    "view_url" TEXT NULL,
    "download_url" TEXT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS "jg_schema" (
    "version" INTEGER NOT NULL,
    "applied_at" INTEGER NOT NULL,
    "digest" TEXT NOT NULL,
    "event_indexes" INTEGER NOT NULL,
    PRIMARY KEY ("version")
) WITHOUT ROWID, STRICT;
CREATE TABLE IF NOT EXISTS "jg_site" (
    "host_name" TEXT NOT NULL,
    "name" TEXT NULL,
    "state" TEXT NULL,
    "reason" TEXT NULL,
    "since" INTEGER NULL,
    "skew_ms" INTEGER NULL,
    "api_version" TEXT NULL,
    "permissions" TEXT NULL,
    "last_success" INTEGER NULL,
    "enabled" INTEGER NOT NULL,
    PRIMARY KEY ("host_name")
) WITHOUT ROWID, STRICT;
CREATE TABLE IF NOT EXISTS "jg_cursor" (
    "host_name" TEXT NOT NULL,
    "source" TEXT NOT NULL,
    "position" TEXT NOT NULL,
    "updated_at" INTEGER NOT NULL,
    PRIMARY KEY ("host_name", "source")
) WITHOUT ROWID, STRICT;
CREATE TABLE IF NOT EXISTS "jg_todo" (
    "host_name" TEXT NOT NULL,
    "lsid" TEXT NOT NULL,
    "why" TEXT NOT NULL,
    "tries" INTEGER NOT NULL,
    "next_at" INTEGER NOT NULL,
    "error" TEXT NULL,
    PRIMARY KEY ("host_name", "lsid")
) WITHOUT ROWID, STRICT;
CREATE TABLE IF NOT EXISTS "jg_counter" (
    "seq" INTEGER NOT NULL,
    PRIMARY KEY ("seq")
) WITHOUT ROWID, STRICT;
CREATE TABLE IF NOT EXISTS "jg_commit" (
    "at" INTEGER NOT NULL,
    "seq" INTEGER NOT NULL,
    PRIMARY KEY ("at")
) WITHOUT ROWID, STRICT;
CREATE TABLE IF NOT EXISTS "jg_layout" (
    "user_name" TEXT NOT NULL,
    "revision" INTEGER NOT NULL,
    "document" TEXT NULL,
    PRIMARY KEY ("user_name")
) WITHOUT ROWID, STRICT;
CREATE TABLE IF NOT EXISTS "jg_tally" (
    "grain" TEXT NOT NULL,
    "slot" INTEGER NOT NULL,
    "host_name" TEXT NOT NULL,
    "jump_group_name" TEXT NOT NULL,
    "dim" TEXT NOT NULL,
    "label" TEXT NOT NULL,
    "n" INTEGER NOT NULL,
    "seconds" INTEGER NOT NULL,
    PRIMARY KEY ("grain", "dim", "slot", "host_name", "jump_group_name", "label")
) WITHOUT ROWID, STRICT;
CREATE TABLE IF NOT EXISTS "jg_slot" (
    "slot" INTEGER NOT NULL,
    "host_name" TEXT NOT NULL,
    "sessions" INTEGER NOT NULL,
    "seconds" INTEGER NOT NULL,
    "abnormal" INTEGER NOT NULL,
    "outside_hours" INTEGER NOT NULL,
    "injections" INTEGER NOT NULL,
    "injections_failed" INTEGER NOT NULL,
    PRIMARY KEY ("slot", "host_name")
) WITHOUT ROWID, STRICT;
CREATE TABLE IF NOT EXISTS "jg_vault_activity" (
    "id" INTEGER PRIMARY KEY NOT NULL,
    "host_name" TEXT NOT NULL,
    "timestamp_unix" INTEGER NOT NULL,
    "event_type" TEXT NULL,
    "account_id" TEXT NULL,
    "account_name" TEXT NULL,
    "performed_by" TEXT NULL,
    "performed_by_type" TEXT NULL,
    "data" TEXT NULL,
    "lsid" TEXT NULL,
    "digest" TEXT NOT NULL,
    "seq" INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS "jg_vault_account" (
    "host_name" TEXT NOT NULL,
    "account_id" INTEGER NOT NULL,
    "type" TEXT NULL,
    "name" TEXT NULL,
    "username" TEXT NULL,
    "description" TEXT NULL,
    "account_group_id" INTEGER NULL,
    "account_policy" TEXT NULL,
    "endpoint_id" INTEGER NULL,
    "last_checkout_unix" INTEGER NULL,
    "last_used_unix" INTEGER NULL,
    "first_seen" INTEGER NOT NULL,
    "changed_at" INTEGER NOT NULL,
    "gone_at" INTEGER NULL,
    "seq" INTEGER NOT NULL,
    PRIMARY KEY ("host_name", "account_id")
) WITHOUT ROWID, STRICT;
CREATE TABLE IF NOT EXISTS "jg_jump_item" (
    "host_name" TEXT NOT NULL,
    "type" TEXT NOT NULL,
    "item_id" INTEGER NOT NULL,
    "name" TEXT NULL,
    "hostname" TEXT NULL,
    "jump_group_id" INTEGER NULL,
    "jump_group_type" TEXT NULL,
    "jumpoint_id" INTEGER NULL,
    "tag" TEXT NULL,
    "first_seen" INTEGER NOT NULL,
    "gone_at" INTEGER NULL,
    PRIMARY KEY ("host_name", "type", "item_id")
) WITHOUT ROWID, STRICT;
CREATE TABLE IF NOT EXISTS "jg_jumpoint" (
    "host_name" TEXT NOT NULL,
    "jumpoint_id" INTEGER NOT NULL,
    "name" TEXT NULL,
    "platform" TEXT NULL,
    "connected" INTEGER NOT NULL,
    "enabled" INTEGER NOT NULL,
    "clustered" INTEGER NOT NULL,
    "network_id" TEXT NULL,
    "first_seen" INTEGER NOT NULL,
    "gone_at" INTEGER NULL,
    PRIMARY KEY ("host_name", "jumpoint_id")
) WITHOUT ROWID, STRICT;
CREATE TABLE IF NOT EXISTS "jg_syslog_event" (
    "id" INTEGER PRIMARY KEY NOT NULL,
    "host_name" TEXT NOT NULL,
    "timestamp_unix" INTEGER NOT NULL,
    "appliance" TEXT NULL,
    "event" TEXT NULL,
    "target" TEXT NULL,
    "status" TEXT NULL,
    "who" TEXT NULL,
    "who_ip" TEXT NULL,
    "data" TEXT NULL,
    "digest" TEXT NOT NULL,
    "seq" INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS "jg_credential_use" (
    "lease_id" TEXT NOT NULL,
    "gateway" TEXT NOT NULL,
    "lsid" TEXT NULL,
    "session_id" INTEGER NULL,
    "joined_by" TEXT NOT NULL,
    "user_name" TEXT NULL,
    "domain" TEXT NULL,
    "credential_id" TEXT NULL,
    "vault" TEXT NULL,
    "system" TEXT NULL,
    "account" TEXT NULL,
    "kind" TEXT NULL,
    "checkout_unix" INTEGER NULL,
    "expires_unix" INTEGER NULL,
    "released_unix" INTEGER NULL,
    "reason" TEXT NULL,
    "checkin_unix" INTEGER NULL,
    "checkin_outcome" TEXT NULL,
    "seq" INTEGER NOT NULL,
    PRIMARY KEY ("gateway", "lease_id")
) WITHOUT ROWID, STRICT;
CREATE INDEX IF NOT EXISTS "session__start_time_ndx" ON "session" ("start_time");
CREATE INDEX IF NOT EXISTS "session__host_name_ndx" ON "session" ("host_name");
CREATE INDEX IF NOT EXISTS "session__jump_group_name_ndx" ON "session" ("jump_group_name");
CREATE INDEX IF NOT EXISTS "session__lsid_ndx" ON "session" ("lsid");
CREATE INDEX IF NOT EXISTS "session_event__type_performed_by_type_ndx" ON "session_event" ("type", "performed_by_type");
CREATE INDEX IF NOT EXISTS "session_event__session_id_ndx" ON "session_event" ("session_id");
CREATE INDEX IF NOT EXISTS "session_event__type_destination_ndx" ON "session_event" ("type", "destination");
CREATE INDEX IF NOT EXISTS "session_event__type_performed_by_ndx" ON "session_event" ("type", "performed_by");
CREATE INDEX IF NOT EXISTS "session_event_data__session_event_id_ndx" ON "session_event_data" ("session_event_id");
CREATE INDEX IF NOT EXISTS "session_event_data__name_ndx" ON "session_event_data" ("name");
CREATE UNIQUE INDEX IF NOT EXISTS "jg_session_key" ON "session" ("host_name", "lsid");
CREATE INDEX IF NOT EXISTS "jg_session_start" ON "session" ("start_unix", "host_name", "jump_group_name", "state", "duration_seconds", "user_name", "endpoint_name");
CREATE INDEX IF NOT EXISTS "jg_session_user" ON "session" ("user_name", "start_unix", "host_name", "jump_group_name", "duration_seconds");
CREATE INDEX IF NOT EXISTS "jg_session_endpoint" ON "session" ("endpoint_name", "start_unix", "host_name", "jump_group_name", "duration_seconds");
CREATE INDEX IF NOT EXISTS "jg_session_group" ON "session" ("jump_group_name", "start_unix", "host_name", "duration_seconds");
CREATE INDEX IF NOT EXISTS "jg_session_jumpoint" ON "session" ("jumpoint_name", "start_unix", "host_name", "jump_group_name", "duration_seconds");
CREATE INDEX IF NOT EXISTS "jg_session_duration" ON "session" ("duration_seconds");
CREATE INDEX IF NOT EXISTS "jg_session_end" ON "session" ("end_unix");
CREATE INDEX IF NOT EXISTS "jg_session_seq" ON "session" ("seq");
CREATE INDEX IF NOT EXISTS "jg_session_open" ON "session" ("state", "host_name", "start_unix") WHERE "state" <> 'closed';
CREATE INDEX IF NOT EXISTS "jg_session_failed" ON "session" ("start_unix", "host_name") WHERE "injections_failed" > 0;
CREATE INDEX IF NOT EXISTS "jg_session_outside" ON "session" ("start_unix", "host_name", "user_name") WHERE "outside_hours" = 1;
CREATE INDEX IF NOT EXISTS "jg_event_time" ON "session_event" ("timestamp_unix", "type");
CREATE INDEX IF NOT EXISTS "jg_event_type" ON "session_event" ("type", "timestamp_unix");
CREATE INDEX IF NOT EXISTS "jg_information_session" ON "system_information" ("session_id");
CREATE INDEX IF NOT EXISTS "jg_representative_session" ON "representative" ("session_id");
CREATE INDEX IF NOT EXISTS "jg_customer_session" ON "customer" ("session_id");
CREATE INDEX IF NOT EXISTS "jg_attribute_session" ON "custom_attribute" ("session_id");
CREATE INDEX IF NOT EXISTS "jg_shell_session" ON "command_shell_recording" ("session_id");
CREATE UNIQUE INDEX IF NOT EXISTS "jg_team_digest" ON "team" ("digest");
CREATE INDEX IF NOT EXISTS "jg_team_time" ON "team" ("timestamp_unix", "host_name");
CREATE INDEX IF NOT EXISTS "jg_todo_due" ON "jg_todo" ("host_name", "next_at");
CREATE UNIQUE INDEX IF NOT EXISTS "jg_vault_activity_digest" ON "jg_vault_activity" ("digest");
CREATE INDEX IF NOT EXISTS "jg_vault_activity_time" ON "jg_vault_activity" ("timestamp_unix", "host_name", "event_type");
CREATE INDEX IF NOT EXISTS "jg_vault_activity_account" ON "jg_vault_activity" ("host_name", "account_id", "timestamp_unix");
CREATE INDEX IF NOT EXISTS "jg_vault_activity_seq" ON "jg_vault_activity" ("seq");
CREATE INDEX IF NOT EXISTS "jg_vault_account_seq" ON "jg_vault_account" ("seq");
CREATE INDEX IF NOT EXISTS "jg_jump_item_name" ON "jg_jump_item" ("host_name", "jump_group_id", "name");
CREATE UNIQUE INDEX IF NOT EXISTS "jg_syslog_digest" ON "jg_syslog_event" ("digest");
CREATE INDEX IF NOT EXISTS "jg_syslog_time" ON "jg_syslog_event" ("timestamp_unix", "host_name", "event");
CREATE INDEX IF NOT EXISTS "jg_syslog_seq" ON "jg_syslog_event" ("seq");
CREATE INDEX IF NOT EXISTS "jg_use_checkout" ON "jg_credential_use" ("checkout_unix");
CREATE INDEX IF NOT EXISTS "jg_use_lsid" ON "jg_credential_use" ("lsid");
CREATE INDEX IF NOT EXISTS "jg_use_session" ON "jg_credential_use" ("session_id");
CREATE INDEX IF NOT EXISTS "jg_use_credential" ON "jg_credential_use" ("credential_id", "checkout_unix");
CREATE INDEX IF NOT EXISTS "jg_use_seq" ON "jg_credential_use" ("seq");
