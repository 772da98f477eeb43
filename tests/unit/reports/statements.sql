-- sqlite
INSERT INTO "session_event_data" ("id", "session_event_id", "name", "value") VALUES (?, ?, ?, ?), (?, ?, ?, ?);
INSERT INTO "jg_tally" AS t ("grain", "slot", "host_name", "jump_group_name", "dim", "label", "n", "seconds") VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT ("grain", "dim", "slot", "host_name", "jump_group_name", "label") DO UPDATE SET "n" = t."n" + excluded."n", "seconds" = t."seconds" + excluded."seconds"
INSERT INTO "jg_cursor" AS t ("host_name", "source", "position", "updated_at") VALUES (?, ?, ?, ?) ON CONFLICT ("host_name", "source") DO UPDATE SET "position" = excluded."position", "updated_at" = excluded."updated_at"
INSERT INTO "team" AS t ("team_id", "name", "type", "performed_by", "host_name", "timestamp_unix", "data", "digest") VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT ("digest") DO NOTHING
CAST(strftime('%s', "start_unix", 'unixepoch', 'start of month') AS INTEGER)
-- not needed
-- not needed
-- not needed
-- not needed
-- not needed
-- not needed
-- not needed
-- postgresql
INSERT INTO "session_event_data" ("id", "session_event_id", "name", "value") VALUES (?, ?, ?, ?), (?, ?, ?, ?);
INSERT INTO "jg_tally" AS t ("grain", "slot", "host_name", "jump_group_name", "dim", "label", "n", "seconds") VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT ("grain", "dim", "slot", "host_name", "jump_group_name", "label") DO UPDATE SET "n" = t."n" + excluded."n", "seconds" = t."seconds" + excluded."seconds"
INSERT INTO "jg_cursor" AS t ("host_name", "source", "position", "updated_at") VALUES (?, ?, ?, ?) ON CONFLICT ("host_name", "source") DO UPDATE SET "position" = excluded."position", "updated_at" = excluded."updated_at"
INSERT INTO "team" AS t ("team_id", "name", "type", "performed_by", "host_name", "timestamp_unix", "data", "digest") VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT ("digest") DO NOTHING
CAST(extract(epoch FROM date_trunc('month', to_timestamp("start_unix") AT TIME ZONE 'UTC')) AS bigint)
SET lock_timeout = 200
SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY; SET lock_timeout = 200
SELECT pg_advisory_xact_lock(1246908241)
SELECT CASE WHEN pg_try_advisory_lock(1246908240) THEN 1 ELSE 0 END
SELECT pg_advisory_unlock(1246908240)
SELECT a.application_name FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid WHERE l.locktype = 'advisory' AND l.granted AND l.classid = 0 AND l.objid = 1246908240 AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
SELECT set_config('application_name', ?, false)
-- sqlserver
SET IDENTITY_INSERT "session_event_data" ON; INSERT INTO "session_event_data" ("id", "session_event_id", "name", "value") VALUES (?, ?, ?, ?), (?, ?, ?, ?); SET IDENTITY_INSERT "session_event_data" OFF;
MERGE INTO "jg_tally" WITH (HOLDLOCK) AS t USING (VALUES (?, ?, ?, ?, ?, ?, ?, ?)) AS s ("grain", "slot", "host_name", "jump_group_name", "dim", "label", "n", "seconds") ON t."grain" = s."grain" AND t."dim" = s."dim" AND t."slot" = s."slot" AND t."host_name" = s."host_name" AND t."jump_group_name" = s."jump_group_name" AND t."label" = s."label" WHEN MATCHED THEN UPDATE SET "n" = t."n" + s."n", "seconds" = t."seconds" + s."seconds" WHEN NOT MATCHED THEN INSERT ("grain", "slot", "host_name", "jump_group_name", "dim", "label", "n", "seconds") VALUES (s."grain", s."slot", s."host_name", s."jump_group_name", s."dim", s."label", s."n", s."seconds");
MERGE INTO "jg_cursor" WITH (HOLDLOCK) AS t USING (VALUES (?, ?, ?, ?)) AS s ("host_name", "source", "position", "updated_at") ON t."host_name" = s."host_name" AND t."source" = s."source" WHEN MATCHED THEN UPDATE SET "position" = s."position", "updated_at" = s."updated_at" WHEN NOT MATCHED THEN INSERT ("host_name", "source", "position", "updated_at") VALUES (s."host_name", s."source", s."position", s."updated_at");
MERGE INTO "team" WITH (HOLDLOCK) AS t USING (VALUES (?, ?, ?, ?, ?, ?, ?, ?)) AS s ("team_id", "name", "type", "performed_by", "host_name", "timestamp_unix", "data", "digest") ON t."digest" = s."digest" WHEN NOT MATCHED THEN INSERT ("team_id", "name", "type", "performed_by", "host_name", "timestamp_unix", "data", "digest") VALUES (s."team_id", s."name", s."type", s."performed_by", s."host_name", s."timestamp_unix", s."data", s."digest");
CAST(DATEDIFF(day, '1970-01-01', DATEADD(month, DATEDIFF(month, '1970-01-01', DATEADD(day, CAST("start_unix" / 86400 AS int), CONVERT(datetime2(0), '1970-01-01T00:00:00', 126))), '1970-01-01')) AS bigint) * 86400
SET LOCK_TIMEOUT 200
SET LOCK_TIMEOUT 200; IF (SELECT snapshot_isolation_state FROM sys.databases WHERE database_id = DB_ID()) = 1 SET TRANSACTION ISOLATION LEVEL SNAPSHOT
DECLARE @r int; EXEC @r = sp_getapplock @Resource = N'jumpgate-reports-writer', @LockMode = 'Exclusive', @LockOwner = 'Transaction', @LockTimeout = 200; IF @r < 0 THROW 51222, 'another connection is writing', 1
DECLARE @r int; EXEC @r = sp_getapplock @Resource = N'jumpgate-reports', @LockMode = 'Exclusive', @LockOwner = 'Session', @LockTimeout = 0; SELECT CASE WHEN @r >= 0 THEN 1 ELSE 0 END
EXEC sp_releaseapplock @Resource = N'jumpgate-reports', @LockOwner = 'Session'
SELECT TOP (1) s.program_name + N', ' + s.host_name FROM sys.dm_tran_locks l JOIN sys.dm_exec_sessions s ON s.session_id = l.request_session_id WHERE l.resource_type = 'APPLICATION' AND l.request_status = 'GRANT' AND l.resource_database_id = DB_ID() AND l.resource_description LIKE N'%:_jumpgate-reports_:%' ESCAPE N'!'
-- not needed
