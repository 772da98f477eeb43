IF OBJECT_ID(N'"session"', N'U') IS NULL CREATE TABLE "session" (
    "id" bigint IDENTITY(1,1) NOT NULL PRIMARY KEY,
    "lsid" nvarchar(64) NOT NULL,
    "type" nvarchar(32) NULL,
    "start_time" AS (DATEADD(second, CAST("start_unix" % 86400 AS int), DATEADD(day, CAST("start_unix" / 86400 AS int), CONVERT(datetime2(0), '1970-01-01T00:00:00', 126)))) PERSISTED,
    "end_time" AS (DATEADD(second, CAST("end_unix" % 86400 AS int), DATEADD(day, CAST("end_unix" / 86400 AS int), CONVERT(datetime2(0), '1970-01-01T00:00:00', 126)))) PERSISTED,
    "duration" nvarchar(16) NULL,
    "file_transfers" bigint NULL,
    "host_name" nvarchar(255) NOT NULL,
    "external_key" nvarchar(1024) NULL,
    "public_site_id" bigint NOT NULL,
    "public_site_name" nvarchar(255) NOT NULL,
    "jump_group_id" bigint NULL,
    "jump_group_name" nvarchar(256) NULL,
    "lseq" bigint NULL,
    "jump_group_type" nvarchar(16) NULL,
    "jumpoint_id" bigint NULL,
    "jumpoint_name" nvarchar(256) NULL,
    "primary_customer" nvarchar(256) NULL,
    "primary_rep" nvarchar(256) NULL,
    "file_moves" bigint NULL,
    "file_deletes" bigint NULL,
    "session_chat_view_url" nvarchar(max) NULL,
    "session_chat_download_url" nvarchar(max) NULL,
    "session_recording_view_url" nvarchar(max) NULL,
    "session_recording_download_url" nvarchar(max) NULL,
    "start_unix" bigint NOT NULL,
    "end_unix" bigint NULL,
    "duration_seconds" bigint NULL,
    "user_name" nvarchar(256) NULL,
    "endpoint_name" nvarchar(256) NULL,
    "jump_item_type" nvarchar(32) NOT NULL,
    "state" nvarchar(16) NOT NULL,
    "injections" bigint NOT NULL,
    "injections_failed" bigint NOT NULL,
    "outside_hours" bit NOT NULL,
    "has_recording" bit NOT NULL,
    "digest" nvarchar(64) NOT NULL,
    "revision" bigint NOT NULL,
    "stored_at" bigint NOT NULL,
    "fetched_at" bigint NOT NULL,
    "changed_at" bigint NOT NULL,
    "seq" bigint NOT NULL
);
IF OBJECT_ID(N'"session_event"', N'U') IS NULL CREATE TABLE "session_event" (
    "id" bigint IDENTITY(1,1) NOT NULL PRIMARY KEY,
    "session_id" bigint NOT NULL,
    "type" nvarchar(256) NULL,
    "performed_by" nvarchar(256) NULL,
    "performed_by_type" nvarchar(32) NULL,
    "destination" nvarchar(256) NULL,
    "timestamp" AS (DATEADD(second, CAST("timestamp_unix" % 86400 AS int), DATEADD(day, CAST("timestamp_unix" / 86400 AS int), CONVERT(datetime2(0), '1970-01-01T00:00:00', 126)))) PERSISTED,
    "destination_type" nvarchar(32) NULL,
    "body" nvarchar(max) NULL,
    "filename" nvarchar(max) NULL,
    "filesize" bigint NULL,
    "timestamp_unix" bigint NOT NULL,
    "position" bigint NOT NULL,
    "performed_by_gsnumber" bigint NULL,
    "destination_gsnumber" bigint NULL
);
IF OBJECT_ID(N'"session_event_data"', N'U') IS NULL CREATE TABLE "session_event_data" (
    "id" bigint IDENTITY(1,1) NOT NULL PRIMARY KEY,
    "session_event_id" bigint NOT NULL,
    "name" nvarchar(256) NULL,
    "value" nvarchar(max) NULL
);
IF OBJECT_ID(N'"system_information"', N'U') IS NULL CREATE TABLE "system_information" (
    "id" bigint IDENTITY(1,1) NOT NULL PRIMARY KEY,
    "session_id" bigint NOT NULL,
    "session_event_id" bigint NOT NULL,
    "category" nvarchar(256) NULL,
    "row_number" bigint NOT NULL,
    "field" nvarchar(256) NULL,
    "value" nvarchar(max) NULL
);
IF OBJECT_ID(N'"representative"', N'U') IS NULL CREATE TABLE "representative" (
    "id" bigint IDENTITY(1,1) NOT NULL PRIMARY KEY,
    "session_id" bigint NOT NULL,
    "gsnumber" bigint NULL,
    "rep_id" bigint NULL,
    "username" nvarchar(256) NULL,
    "display_name" nvarchar(256) NULL,
    "public_display_name" nvarchar(256) NULL,
    "private_display_name" nvarchar(256) NULL,
    "public_ip" nvarchar(64) NULL,
    "private_ip" nvarchar(64) NULL,
    "hostname" nvarchar(256) NULL,
    "os" nvarchar(256) NULL,
    "session_owner" bit NOT NULL,
    "seconds_involved" bigint NULL,
    "invited" bit NOT NULL
);
IF OBJECT_ID(N'"customer"', N'U') IS NULL CREATE TABLE "customer" (
    "id" bigint IDENTITY(1,1) NOT NULL PRIMARY KEY,
    "session_id" bigint NOT NULL,
    "gsnumber" bigint NULL,
    "username" nvarchar(256) NULL,
    "public_ip" nvarchar(64) NULL,
    "private_ip" nvarchar(64) NULL,
    "hostname" nvarchar(256) NULL,
    "os" nvarchar(256) NULL
);
IF OBJECT_ID(N'"team"', N'U') IS NULL CREATE TABLE "team" (
    "id" bigint IDENTITY(1,1) NOT NULL PRIMARY KEY,
    "team_id" bigint NULL,
    "name" nvarchar(256) NULL,
    "timestamp" AS (DATEADD(second, CAST("timestamp_unix" % 86400 AS int), DATEADD(day, CAST("timestamp_unix" / 86400 AS int), CONVERT(datetime2(0), '1970-01-01T00:00:00', 126)))) PERSISTED,
    "type" nvarchar(256) NULL,
    "performed_by" nvarchar(256) NULL,
    "host_name" nvarchar(255) NOT NULL,
    "timestamp_unix" bigint NOT NULL,
    "data" nvarchar(max) NULL,
    "digest" nvarchar(64) NOT NULL
);
IF OBJECT_ID(N'"custom_attribute"', N'U') IS NULL CREATE TABLE "custom_attribute" (
    "id" bigint IDENTITY(1,1) NOT NULL PRIMARY KEY,
    "session_id" bigint NOT NULL,
    "display_name" nvarchar(256) NULL,
    "code_name" nvarchar(256) NULL,
    "value" nvarchar(max) NULL
);
IF OBJECT_ID(N'"command_shell_recording"', N'U') IS NULL CREATE TABLE "command_shell_recording" (
    "id" bigint IDENTITY(1,1) NOT NULL PRIMARY KEY,
    "session_id" bigint NOT NULL,
    "instance" bigint NOT NULL,
    "view_url" nvarchar(max) NULL,
    "download_url" nvarchar(max) NULL
);
IF OBJECT_ID(N'"jg_schema"', N'U') IS NULL CREATE TABLE "jg_schema" (
    "version" bigint NOT NULL,
    "applied_at" bigint NOT NULL,
    "digest" nvarchar(64) NOT NULL,
    "event_indexes" bit NOT NULL,
    PRIMARY KEY NONCLUSTERED ("version")
);
IF OBJECT_ID(N'"jg_site"', N'U') IS NULL CREATE TABLE "jg_site" (
    "host_name" nvarchar(255) NOT NULL,
    "name" nvarchar(256) NULL,
    "state" nvarchar(32) NULL,
    "reason" nvarchar(256) NULL,
    "since" bigint NULL,
    "skew_ms" bigint NULL,
    "api_version" nvarchar(64) NULL,
    "permissions" nvarchar(max) NULL,
    "last_success" bigint NULL,
    "enabled" bit NOT NULL,
    PRIMARY KEY NONCLUSTERED ("host_name")
);
IF OBJECT_ID(N'"jg_cursor"', N'U') IS NULL CREATE TABLE "jg_cursor" (
    "host_name" nvarchar(255) NOT NULL,
    "source" nvarchar(64) NOT NULL,
    "position" nvarchar(255) NOT NULL,
    "updated_at" bigint NOT NULL,
    PRIMARY KEY NONCLUSTERED ("host_name", "source")
);
IF OBJECT_ID(N'"jg_todo"', N'U') IS NULL CREATE TABLE "jg_todo" (
    "host_name" nvarchar(255) NOT NULL,
    "lsid" nvarchar(64) NOT NULL,
    "why" nvarchar(32) NOT NULL,
    "tries" bigint NOT NULL,
    "next_at" bigint NOT NULL,
    "error" nvarchar(1024) NULL,
    PRIMARY KEY NONCLUSTERED ("host_name", "lsid")
);
IF OBJECT_ID(N'"jg_counter"', N'U') IS NULL CREATE TABLE "jg_counter" (
    "seq" bigint NOT NULL,
    PRIMARY KEY NONCLUSTERED ("seq")
);
IF OBJECT_ID(N'"jg_commit"', N'U') IS NULL CREATE TABLE "jg_commit" (
    "at" bigint NOT NULL,
    "seq" bigint NOT NULL,
    PRIMARY KEY NONCLUSTERED ("at")
);
IF OBJECT_ID(N'"jg_layout"', N'U') IS NULL CREATE TABLE "jg_layout" (
    "user_name" nvarchar(256) NOT NULL,
    "revision" bigint NOT NULL,
    "document" nvarchar(max) NULL,
    PRIMARY KEY NONCLUSTERED ("user_name")
);
IF OBJECT_ID(N'"jg_tally"', N'U') IS NULL CREATE TABLE "jg_tally" (
    "grain" nvarchar(1) NOT NULL,
    "slot" bigint NOT NULL,
    "host_name" nvarchar(255) NOT NULL,
    "jump_group_name" nvarchar(256) NOT NULL,
    "dim" nvarchar(16) NOT NULL,
    "label" nvarchar(256) NOT NULL,
    "n" bigint NOT NULL,
    "seconds" bigint NOT NULL,
    PRIMARY KEY NONCLUSTERED ("grain", "dim", "slot", "host_name", "jump_group_name", "label")
);
IF OBJECT_ID(N'"jg_slot"', N'U') IS NULL CREATE TABLE "jg_slot" (
    "slot" bigint NOT NULL,
    "host_name" nvarchar(255) NOT NULL,
    "sessions" bigint NOT NULL,
    "seconds" bigint NOT NULL,
    "abnormal" bigint NOT NULL,
    "outside_hours" bigint NOT NULL,
    "injections" bigint NOT NULL,
    "injections_failed" bigint NOT NULL,
    PRIMARY KEY NONCLUSTERED ("slot", "host_name")
);
IF OBJECT_ID(N'"jg_vault_activity"', N'U') IS NULL CREATE TABLE "jg_vault_activity" (
    "id" bigint IDENTITY(1,1) NOT NULL PRIMARY KEY,
    "host_name" nvarchar(255) NOT NULL,
    "timestamp_unix" bigint NOT NULL,
    "event_type" nvarchar(256) NULL,
    "account_id" nvarchar(64) NULL,
    "account_name" nvarchar(256) NULL,
    "performed_by" nvarchar(256) NULL,
    "performed_by_type" nvarchar(64) NULL,
    "data" nvarchar(max) NULL,
    "lsid" nvarchar(64) NULL,
    "digest" nvarchar(64) NOT NULL,
    "seq" bigint NOT NULL
);
IF OBJECT_ID(N'"jg_vault_account"', N'U') IS NULL CREATE TABLE "jg_vault_account" (
    "host_name" nvarchar(255) NOT NULL,
    "account_id" bigint NOT NULL,
    "type" nvarchar(64) NULL,
    "name" nvarchar(256) NULL,
    "username" nvarchar(256) NULL,
    "description" nvarchar(1024) NULL,
    "account_group_id" bigint NULL,
    "account_policy" nvarchar(256) NULL,
    "endpoint_id" bigint NULL,
    "last_checkout_unix" bigint NULL,
    "last_used_unix" bigint NULL,
    "first_seen" bigint NOT NULL,
    "changed_at" bigint NOT NULL,
    "gone_at" bigint NULL,
    "seq" bigint NOT NULL,
    PRIMARY KEY NONCLUSTERED ("host_name", "account_id")
);
IF OBJECT_ID(N'"jg_jump_item"', N'U') IS NULL CREATE TABLE "jg_jump_item" (
    "host_name" nvarchar(255) NOT NULL,
    "type" nvarchar(64) NOT NULL,
    "item_id" bigint NOT NULL,
    "name" nvarchar(256) NULL,
    "hostname" nvarchar(256) NULL,
    "jump_group_id" bigint NULL,
    "jump_group_type" nvarchar(16) NULL,
    "jumpoint_id" bigint NULL,
    "tag" nvarchar(256) NULL,
    "first_seen" bigint NOT NULL,
    "gone_at" bigint NULL,
    PRIMARY KEY NONCLUSTERED ("host_name", "type", "item_id")
);
IF OBJECT_ID(N'"jg_jumpoint"', N'U') IS NULL CREATE TABLE "jg_jumpoint" (
    "host_name" nvarchar(255) NOT NULL,
    "jumpoint_id" bigint NOT NULL,
    "name" nvarchar(256) NULL,
    "platform" nvarchar(64) NULL,
    "connected" bit NOT NULL,
    "enabled" bit NOT NULL,
    "clustered" bit NOT NULL,
    "network_id" nvarchar(1024) NULL,
    "first_seen" bigint NOT NULL,
    "gone_at" bigint NULL,
    PRIMARY KEY NONCLUSTERED ("host_name", "jumpoint_id")
);
IF OBJECT_ID(N'"jg_syslog_event"', N'U') IS NULL CREATE TABLE "jg_syslog_event" (
    "id" bigint IDENTITY(1,1) NOT NULL PRIMARY KEY,
    "host_name" nvarchar(255) NOT NULL,
    "timestamp_unix" bigint NOT NULL,
    "appliance" nvarchar(255) NULL,
    "event" nvarchar(256) NULL,
    "target" nvarchar(256) NULL,
    "status" nvarchar(64) NULL,
    "who" nvarchar(256) NULL,
    "who_ip" nvarchar(64) NULL,
    "data" nvarchar(max) NULL,
    "digest" nvarchar(64) NOT NULL,
    "seq" bigint NOT NULL
);
IF OBJECT_ID(N'"jg_credential_use"', N'U') IS NULL CREATE TABLE "jg_credential_use" (
    "lease_id" nvarchar(64) NOT NULL,
    "gateway" nvarchar(256) NOT NULL,
    "lsid" nvarchar(64) NULL,
    "session_id" bigint NULL,
    "joined_by" nvarchar(16) NOT NULL,
    "user_name" nvarchar(256) NULL,
    "domain" nvarchar(256) NULL,
    "credential_id" nvarchar(256) NULL,
    "vault" nvarchar(256) NULL,
    "system" nvarchar(256) NULL,
    "account" nvarchar(256) NULL,
    "kind" nvarchar(32) NULL,
    "checkout_unix" bigint NULL,
    "expires_unix" bigint NULL,
    "released_unix" bigint NULL,
    "reason" nvarchar(64) NULL,
    "checkin_unix" bigint NULL,
    "checkin_outcome" nvarchar(64) NULL,
    "seq" bigint NOT NULL,
    PRIMARY KEY NONCLUSTERED ("gateway", "lease_id")
);
IF NOT EXISTS (SELECT 1 FROM sys.indexes WHERE name = N'session__start_time_ndx') CREATE INDEX "session__start_time_ndx" ON "session" ("start_time");
IF NOT EXISTS (SELECT 1 FROM sys.indexes WHERE name = N'session__host_name_ndx') CREATE INDEX "session__host_name_ndx" ON "session" ("host_name");
IF NOT EXISTS (SELECT 1 FROM sys.indexes WHERE name = N'session__jump_group_name_ndx') CREATE INDEX "session__jump_group_name_ndx" ON "session" ("jump_group_name");
IF NOT EXISTS (SELECT 1 FROM sys.indexes WHERE name = N'session__lsid_ndx') CREATE INDEX "session__lsid_ndx" ON "session" ("lsid");
IF NOT EXISTS (SELECT 1 FROM sys.indexes WHERE name = N'session_event__type_performed_by_type_ndx') CREATE INDEX "session_event__type_performed_by_type_ndx" ON "session_event" ("type", "performed_by_type");
IF NOT EXISTS (SELECT 1 FROM sys.indexes WHERE name = N'session_event__session_id_ndx') CREATE INDEX "session_event__session_id_ndx" ON "session_event" ("session_id");
IF NOT EXISTS (SELECT 1 FROM sys.indexes WHERE name = N'session_event__type_destination_ndx') CREATE INDEX "session_event__type_destination_ndx" ON "session_event" ("type", "destination");
IF NOT EXISTS (SELECT 1 FROM sys.indexes WHERE name = N'session_event__type_performed_by_ndx') CREATE INDEX "session_event__type_performed_by_ndx" ON "session_event" ("type", "performed_by");
IF NOT EXISTS (SELECT 1 FROM sys.indexes WHERE name = N'session_event_data__session_event_id_ndx') CREATE INDEX "session_event_data__session_event_id_ndx" ON "session_event_data" ("session_event_id");
IF NOT EXISTS (SELECT 1 FROM sys.indexes WHERE name = N'session_event_data__name_ndx') CREATE INDEX "session_event_data__name_ndx" ON "session_event_data" ("name");
IF NOT EXISTS (SELECT 1 FROM sys.indexes WHERE name = N'jg_session_key') CREATE UNIQUE INDEX "jg_session_key" ON "session" ("host_name", "lsid");
IF NOT EXISTS (SELECT 1 FROM sys.indexes WHERE name = N'jg_session_start') CREATE INDEX "jg_session_start" ON "session" ("start_unix", "host_name", "jump_group_name", "state", "duration_seconds");
IF NOT EXISTS (SELECT 1 FROM sys.indexes WHERE name = N'jg_session_user') CREATE INDEX "jg_session_user" ON "session" ("user_name", "start_unix", "host_name", "jump_group_name", "duration_seconds");
IF NOT EXISTS (SELECT 1 FROM sys.indexes WHERE name = N'jg_session_endpoint') CREATE INDEX "jg_session_endpoint" ON "session" ("endpoint_name", "start_unix", "host_name", "jump_group_name", "duration_seconds");
IF NOT EXISTS (SELECT 1 FROM sys.indexes WHERE name = N'jg_session_group') CREATE INDEX "jg_session_group" ON "session" ("jump_group_name", "start_unix", "host_name", "duration_seconds");
IF NOT EXISTS (SELECT 1 FROM sys.indexes WHERE name = N'jg_session_jumpoint') CREATE INDEX "jg_session_jumpoint" ON "session" ("jumpoint_name", "start_unix", "host_name", "jump_group_name", "duration_seconds");
IF NOT EXISTS (SELECT 1 FROM sys.indexes WHERE name = N'jg_session_duration') CREATE INDEX "jg_session_duration" ON "session" ("duration_seconds");
IF NOT EXISTS (SELECT 1 FROM sys.indexes WHERE name = N'jg_session_end') CREATE INDEX "jg_session_end" ON "session" ("end_unix");
IF NOT EXISTS (SELECT 1 FROM sys.indexes WHERE name = N'jg_session_seq') CREATE INDEX "jg_session_seq" ON "session" ("seq");
IF NOT EXISTS (SELECT 1 FROM sys.indexes WHERE name = N'jg_session_open') CREATE INDEX "jg_session_open" ON "session" ("state", "host_name", "start_unix") WHERE "state" <> 'closed';
IF NOT EXISTS (SELECT 1 FROM sys.indexes WHERE name = N'jg_session_failed') CREATE INDEX "jg_session_failed" ON "session" ("start_unix", "host_name") WHERE "injections_failed" > 0;
IF NOT EXISTS (SELECT 1 FROM sys.indexes WHERE name = N'jg_session_outside') CREATE INDEX "jg_session_outside" ON "session" ("start_unix", "host_name", "user_name") WHERE "outside_hours" = 1;
IF NOT EXISTS (SELECT 1 FROM sys.indexes WHERE name = N'jg_event_time') CREATE INDEX "jg_event_time" ON "session_event" ("timestamp_unix", "type");
IF NOT EXISTS (SELECT 1 FROM sys.indexes WHERE name = N'jg_event_type') CREATE INDEX "jg_event_type" ON "session_event" ("type", "timestamp_unix");
IF NOT EXISTS (SELECT 1 FROM sys.indexes WHERE name = N'jg_information_session') CREATE INDEX "jg_information_session" ON "system_information" ("session_id");
IF NOT EXISTS (SELECT 1 FROM sys.indexes WHERE name = N'jg_representative_session') CREATE INDEX "jg_representative_session" ON "representative" ("session_id");
IF NOT EXISTS (SELECT 1 FROM sys.indexes WHERE name = N'jg_customer_session') CREATE INDEX "jg_customer_session" ON "customer" ("session_id");
IF NOT EXISTS (SELECT 1 FROM sys.indexes WHERE name = N'jg_attribute_session') CREATE INDEX "jg_attribute_session" ON "custom_attribute" ("session_id");
IF NOT EXISTS (SELECT 1 FROM sys.indexes WHERE name = N'jg_shell_session') CREATE INDEX "jg_shell_session" ON "command_shell_recording" ("session_id");
IF NOT EXISTS (SELECT 1 FROM sys.indexes WHERE name = N'jg_team_digest') CREATE UNIQUE INDEX "jg_team_digest" ON "team" ("digest");
IF NOT EXISTS (SELECT 1 FROM sys.indexes WHERE name = N'jg_team_time') CREATE INDEX "jg_team_time" ON "team" ("timestamp_unix", "host_name");
IF NOT EXISTS (SELECT 1 FROM sys.indexes WHERE name = N'jg_todo_due') CREATE INDEX "jg_todo_due" ON "jg_todo" ("host_name", "next_at");
IF NOT EXISTS (SELECT 1 FROM sys.indexes WHERE name = N'jg_vault_activity_digest') CREATE UNIQUE INDEX "jg_vault_activity_digest" ON "jg_vault_activity" ("digest");
IF NOT EXISTS (SELECT 1 FROM sys.indexes WHERE name = N'jg_vault_activity_time') CREATE INDEX "jg_vault_activity_time" ON "jg_vault_activity" ("timestamp_unix", "host_name", "event_type");
IF NOT EXISTS (SELECT 1 FROM sys.indexes WHERE name = N'jg_vault_activity_account') CREATE INDEX "jg_vault_activity_account" ON "jg_vault_activity" ("host_name", "account_id", "timestamp_unix");
IF NOT EXISTS (SELECT 1 FROM sys.indexes WHERE name = N'jg_vault_activity_seq') CREATE INDEX "jg_vault_activity_seq" ON "jg_vault_activity" ("seq");
IF NOT EXISTS (SELECT 1 FROM sys.indexes WHERE name = N'jg_vault_account_seq') CREATE INDEX "jg_vault_account_seq" ON "jg_vault_account" ("seq");
IF NOT EXISTS (SELECT 1 FROM sys.indexes WHERE name = N'jg_jump_item_name') CREATE INDEX "jg_jump_item_name" ON "jg_jump_item" ("host_name", "jump_group_id", "name");
IF NOT EXISTS (SELECT 1 FROM sys.indexes WHERE name = N'jg_syslog_digest') CREATE UNIQUE INDEX "jg_syslog_digest" ON "jg_syslog_event" ("digest");
IF NOT EXISTS (SELECT 1 FROM sys.indexes WHERE name = N'jg_syslog_time') CREATE INDEX "jg_syslog_time" ON "jg_syslog_event" ("timestamp_unix", "host_name", "event");
IF NOT EXISTS (SELECT 1 FROM sys.indexes WHERE name = N'jg_syslog_seq') CREATE INDEX "jg_syslog_seq" ON "jg_syslog_event" ("seq");
IF NOT EXISTS (SELECT 1 FROM sys.indexes WHERE name = N'jg_use_checkout') CREATE INDEX "jg_use_checkout" ON "jg_credential_use" ("checkout_unix");
IF NOT EXISTS (SELECT 1 FROM sys.indexes WHERE name = N'jg_use_lsid') CREATE INDEX "jg_use_lsid" ON "jg_credential_use" ("lsid");
IF NOT EXISTS (SELECT 1 FROM sys.indexes WHERE name = N'jg_use_session') CREATE INDEX "jg_use_session" ON "jg_credential_use" ("session_id");
IF NOT EXISTS (SELECT 1 FROM sys.indexes WHERE name = N'jg_use_credential') CREATE INDEX "jg_use_credential" ON "jg_credential_use" ("credential_id", "checkout_unix");
IF NOT EXISTS (SELECT 1 FROM sys.indexes WHERE name = N'jg_use_seq') CREATE INDEX "jg_use_seq" ON "jg_credential_use" ("seq");
