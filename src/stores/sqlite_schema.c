/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sqlite_schema.c - the file behind the embedded store: creation, examination and migration.
 *
 * `application_id` marks a file as a lease store, `user_version` is its schema. A file is made under another
 * name, filled, synced and renamed, so that a crash in a first start leaves either nothing or a whole store.
 * A file that is empty or cut off is therefore always damage.
 *
 * A change of the schema is one more row in migrations[]; user_version is the number of rows applied.
 *
 * Not here: rows and steps (sqlite_rows.c); threads, queues and the lock of the directory (sqlite.c).
 */
#include "stores/sqlite_schema.h"

#include "base/crash_point.h"
#include "base/durable.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define APPLICATION_ID 0x4a474c53 /* "JGLS" */

static const char *const migrations[] = {
    "CREATE TABLE lease ("
    " id TEXT PRIMARY KEY NOT NULL, state INTEGER NOT NULL, vault TEXT NOT NULL, user TEXT NOT NULL,"
    " username TEXT NOT NULL, domain TEXT NOT NULL, session TEXT NOT NULL, credential TEXT NOT NULL, tag "
    "TEXT NOT NULL,"
    " system_id INTEGER NOT NULL, account_id INTEGER NOT NULL, application_id INTEGER NOT NULL,"
    " request_id INTEGER NOT NULL, adopted INTEGER NOT NULL, created_ms INTEGER NOT NULL, expires_ms INTEGER "
    "NOT NULL,"
    " attempts INTEGER NOT NULL, next_ms INTEGER NOT NULL, last_error TEXT NOT NULL) WITHOUT ROWID, STRICT;"
    "CREATE TABLE probe (n INTEGER NOT NULL) STRICT; INSERT INTO probe VALUES (0);",
    "ALTER TABLE lease ADD COLUMN url TEXT NOT NULL DEFAULT '';",
    "ALTER TABLE lease ADD COLUMN lsid TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE lease ADD COLUMN ended INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE lease ADD COLUMN ended_site TEXT NOT NULL DEFAULT '';"
    "CREATE TABLE pra_cursor (site TEXT PRIMARY KEY NOT NULL, cursor_ms INTEGER NOT NULL) WITHOUT ROWID, "
    "STRICT;",
    ("ALTER TABLE lease ADD COLUMN system TEXT NOT NULL DEFAULT '';"
     "ALTER TABLE lease ADD COLUMN account TEXT NOT NULL DEFAULT '';"),
    /*
     * Rows of leases become vault requests and leases. Rows that name one request at one vault become one:
     * its mark is the id of the oldest lease that is open, or else of the oldest. What was kept beside an
     * open lease to cover the request is dropped.
     */
    ("CREATE TABLE store_tag (tag TEXT NOT NULL) STRICT;"
     "ALTER TABLE lease RENAME TO old;"
     "CREATE TABLE vault_request ("
     " mark TEXT PRIMARY KEY NOT NULL, state INTEGER NOT NULL, vault TEXT NOT NULL, url TEXT NOT NULL,"
     " name TEXT NOT NULL, adopted INTEGER NOT NULL, expires_ms INTEGER NOT NULL, attempts INTEGER NOT NULL,"
     " next_ms INTEGER NOT NULL, last_error TEXT NOT NULL, lsid TEXT NOT NULL, user TEXT NOT NULL,"
     " username TEXT NOT NULL, domain TEXT NOT NULL, session TEXT NOT NULL, credential TEXT NOT NULL,"
     " system TEXT NOT NULL, account TEXT NOT NULL, created_ms INTEGER NOT NULL) WITHOUT ROWID, STRICT;"
     "CREATE TABLE lease ("
     " request TEXT NOT NULL, id TEXT NOT NULL, lsid TEXT NOT NULL, ended INTEGER NOT NULL,"
     " ended_site TEXT NOT NULL, username TEXT NOT NULL, domain TEXT NOT NULL, session TEXT NOT NULL,"
     " credential TEXT NOT NULL, system TEXT NOT NULL, account TEXT NOT NULL, created_ms INTEGER NOT NULL,"
     " PRIMARY KEY (request, id)) WITHOUT ROWID, STRICT;"
     "CREATE TEMP TABLE mark_of AS SELECT id, state, request_id,"
     " CASE WHEN state = 0 OR request_id = 0 THEN id ELSE first_value(id) OVER ("
     "  PARTITION BY state = 0, CASE WHEN url = '' THEN vault ELSE url END, request_id"
     "  ORDER BY state, created_ms, id) END AS mark FROM old;"
     /* An intent with a request id is one whose vault had moved, and is to be proven before its check-in. */
     "INSERT INTO vault_request SELECT id, CASE WHEN state = 0 AND request_id <> 0 THEN 2 ELSE state END, "
     "vault,"
     " url, CASE request_id WHEN 0 THEN '' ELSE CAST(request_id AS TEXT) END, adopted, expires_ms, attempts,"
     " next_ms, last_error, lsid, user, username, domain, session, credential, system, account, created_ms"
     " FROM old WHERE id IN (SELECT mark FROM mark_of);"
     "UPDATE vault_request SET adopted = 0 WHERE mark IN (SELECT m.mark FROM mark_of m JOIN old USING (id)"
     " WHERE old.adopted = 0);"
     "INSERT INTO lease SELECT m.mark, id, lsid, ended, ended_site, username, domain, session, credential,"
     " system, account, created_ms FROM old JOIN mark_of m USING (id) WHERE old.state = 1;"
     "DROP TABLE mark_of; DROP TABLE old;"),
    /* At most one row: where the rows have been moved to, or where they came from. */
    "CREATE TABLE store_move (state INTEGER NOT NULL, id TEXT NOT NULL, tag TEXT NOT NULL, peer TEXT NOT "
    "NULL)"
    " STRICT;",
    /* Requests whose key comes again: what names them besides, and leases with an end of their own. */
    "ALTER TABLE vault_request ADD COLUMN handle TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE lease ADD COLUMN expires_ms INTEGER NOT NULL DEFAULT 0;",
    /* The spin. Leases may have had the secret of a request that was held or is being given back. */
    "ALTER TABLE vault_request ADD COLUMN spin INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE vault_request ADD COLUMN spins INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE vault_request ADD COLUMN began_ms INTEGER NOT NULL DEFAULT 0;"
    "UPDATE vault_request SET spin = 1 WHERE state IN (1, 2) AND handle <> '';",
    "ALTER TABLE vault_request ADD COLUMN checkins_due INTEGER NOT NULL DEFAULT 0;",
};
enum { NEWEST = sizeof(migrations) / sizeof(*migrations) };

/* The same for a database that could not be opened or filled: the system's own reason where SQLite has it. */
static int errno_of(sqlite3 *db, int rc)
{
    int system = db && (rc & 0xff) == SQLITE_CANTOPEN ? sqlite3_system_errno(db) : 0;

    return system ? -system : sqlite_errno(rc);
}

/* SQLite counts its memory under a lock in each allocation; the count has no reader here. SQLite ignores this
 * once it is in use in the process, and goes on counting. */
static void disable_memory_statistics(void)
{
    (void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

static int execute(sqlite3 *db, const char *sql)
{
    return sqlite3_exec(db, sql, NULL, NULL, NULL);
}

static int read_number(sqlite3 *db, const char *sql, int64_t *value)
{
    sqlite3_stmt *s = NULL;
    int rc = sqlite3_prepare_v2(db, sql, -1, &s, NULL);

    if (rc == SQLITE_OK) {
        rc = sqlite3_step(s);
        if (rc == SQLITE_ROW)
            *value = sqlite3_column_int64(s, 0);
    }
    (void)sqlite3_finalize(s);
    return rc == SQLITE_ROW ? SQLITE_OK : rc;
}

/* By SQLite's own check, without the comparison of indexes: there are none. SQLite's result. */
static int check_whole(sqlite3 *db, bool *whole)
{
    sqlite3_stmt *s = NULL;
    int rc = sqlite3_prepare_v2(db, "PRAGMA quick_check(1)", -1, &s, NULL);

    if (rc == SQLITE_OK)
        rc = sqlite3_step(s);
    const char *word = rc == SQLITE_ROW ? (const char *)sqlite3_column_text(s, 0) : NULL;

    if (rc == SQLITE_ROW)
        rc = word ? SQLITE_OK : SQLITE_NOMEM;
    *whole = word && strcmp(word, "ok") == 0;
    (void)sqlite3_finalize(s);
    return rc;
}

/* A changed bit in a page may leave a table whole: states that no gateway writes. */
static int count_odd_rows(sqlite3 *db, int64_t *odd)
{
    char sql[256];

    (void)snprintf(
        sql, sizeof(sql),
        "SELECT (SELECT count(*) FROM vault_request WHERE state NOT BETWEEN 0 AND %d OR spin NOT BETWEEN 0 "
        "AND "
        "%d OR mark = '')"
        " + (SELECT count(*) FROM lease WHERE ended NOT BETWEEN 0 AND %d OR request = '' OR id = '')",
        REQUEST_NSTATES - 1, REQUEST_NSPINS - 1, SESSION_END_NSOURCES - 1);
    return read_number(db, sql, odd);
}

static int migrate(sqlite3 *db, int64_t from)
{
    char sql[64];
    int rc = SQLITE_OK;

    for (int64_t v = from; v < NEWEST && rc == SQLITE_OK; v++) {
        (void)snprintf(sql, sizeof(sql), "PRAGMA user_version = %d", (int)v + 1);
        rc = execute(db, "BEGIN IMMEDIATE");
        crash_point("store.migrate.begun");
        if (rc == SQLITE_OK)
            rc = execute(db, migrations[v]);
        if (rc == SQLITE_OK)
            rc = execute(db, sql);
        crash_point("store.migrate.filled");
        if (rc == SQLITE_OK)
            rc = execute(db, "COMMIT");
        else
            (void)execute(db, "ROLLBACK");
        crash_point("store.migrate.done");
    }
    return rc;
}

void sqlite_file_close(struct sqlite_file *f)
{
    for (size_t i = 0; i < SQL_NSTATEMENTS; i++)
        (void)sqlite3_finalize(f->statements[i]);
    (void)sqlite3_close(f->db);
    *f = (struct sqlite_file){0};
}

static enum sqlite_verdict verdict_of(int rc)
{
    switch (rc & 0xff) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_ERROR: return SQLITE_FILE_DAMAGED;
    default: return SQLITE_FILE_FAILED;
    }
}

/* A call of SQLite has failed, which need not be the file's fault. */
static enum sqlite_verdict refuse(sqlite3 *db, int rc, int *error, char why[256])
{
    (void)snprintf(why, 256, "%s", db ? sqlite3_errmsg(db) : "out of memory");
    *error = db ? errno_of(db, rc) : -ENOMEM;
    return verdict_of(rc);
}

static enum sqlite_verdict call_damaged(char why[256])
{
    (void)snprintf(why, 256, "it is damaged");
    return SQLITE_FILE_DAMAGED;
}

/* Is it a lease store, of a known version, and whole? */
static enum sqlite_verdict judge(sqlite3 *db, int64_t *version, int *error, char why[256])
{
    int64_t application = 0;
    bool whole = false;
    int rc = read_number(db, "PRAGMA application_id", &application);

    if (rc == SQLITE_OK)
        rc = read_number(db, "PRAGMA user_version", version);
    if (rc != SQLITE_OK)
        return refuse(db, rc, error, why);
    if (application != APPLICATION_ID) {
        (void)snprintf(why, 256, "it is not a lease store of jumpgate");
        return SQLITE_FILE_DAMAGED;
    }
    if (*version > NEWEST) {
        (void)snprintf(why, 256, "it was written by a newer version (schema %lld, this one knows %d)",
                       (long long)*version, NEWEST);
        return SQLITE_FILE_NEWER;
    }
    rc = check_whole(db, &whole);
    if (rc != SQLITE_OK)
        return refuse(db, rc, error, why);
    return whole ? SQLITE_FILE_GOOD : call_damaged(why);
}

enum sqlite_verdict sqlite_file_judge(sqlite3 *db, char why[256])
{
    int64_t version = 0;
    int error;

    return judge(db, &version, &error, why);
}

int sqlite_file_make_readable(sqlite3 **db)
{
    sqlite3 *copy = NULL;
    int64_t version = 0;
    int rc = read_number(*db, "PRAGMA user_version", &version);

    if (rc != SQLITE_OK || version == NEWEST)
        return sqlite_errno(rc);
    rc = sqlite3_open_v2(":memory:", &copy, SQLITE_OPEN_READWRITE | SQLITE_OPEN_EXRESCODE, NULL);
    sqlite3_backup *backup = rc == SQLITE_OK ? sqlite3_backup_init(copy, "main", *db, "main") : NULL;

    if (backup) {
        (void)sqlite3_backup_step(backup, -1);
        rc = sqlite3_backup_finish(backup);
    } else if (rc == SQLITE_OK) {
        rc = sqlite3_errcode(copy);
    }
    if (rc == SQLITE_OK)
        rc = execute(copy, "PRAGMA temp_store = MEMORY");
    if (rc == SQLITE_OK)
        rc = migrate(copy, version);
    if (rc == SQLITE_OK) {
        sqlite3 *file = *db;

        *db = copy;
        copy = file;
    }
    (void)sqlite3_close(copy);
    return sqlite_errno(rc);
}

static enum sqlite_verdict examine(struct sqlite_file *f, char why[256])
{
    int64_t version = 0, odd = 0;
    enum sqlite_verdict verdict = judge(f->db, &version, &f->error, why);

    if (verdict != SQLITE_FILE_GOOD)
        return verdict;
    int rc = migrate(f->db, version);

    if (rc == SQLITE_OK)
        rc = count_odd_rows(f->db, &odd);
    if (rc == SQLITE_OK)
        rc = sqlite_file_prepare(f);
    if (rc != SQLITE_OK)
        return refuse(f->db, rc, &f->error, why);
    return odd ? call_damaged(why) : SQLITE_FILE_GOOD;
}

enum sqlite_verdict sqlite_file_open(struct sqlite_file *f, const char *path, char why[256])
{
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_EXRESCODE;

    disable_memory_statistics();
    int rc = sqlite3_open_v2(path, &f->db, flags, NULL);

    if (rc == SQLITE_OK)
        rc = sqlite3_busy_timeout(f->db, 2000);
    if (rc == SQLITE_OK)
        rc = execute(f->db,
                     "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA temp_store = MEMORY");
    enum sqlite_verdict verdict = rc == SQLITE_OK ? examine(f, why) : refuse(f->db, rc, &f->error, why);

    if (verdict != SQLITE_FILE_GOOD) {
        int error = f->error;

        sqlite_file_close(f);
        f->error = error;
    }
    return verdict;
}

static int64_t number_at(const char *bytes)
{
    const unsigned char *b = (const unsigned char *)bytes;

    return (int64_t)((uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3]);
}

const char *sqlite_file_fault(const char *head, size_t n, bool *newer)
{
    static const char magic[] = "SQLite format 3"; /* with the NUL behind it */

    *newer = false;
    if (n < SQLITE_FILE_HEAD || memcmp(head, magic, sizeof(magic)) != 0)
        return "it is damaged";
    if (number_at(head + 68) != APPLICATION_ID)
        return "it is not a lease store of jumpgate";
    *newer = number_at(head + 60) > NEWEST;
    return *newer ? "it was written by a newer version" : "";
}

static int sync_file(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return -errno;
    int err = fsync(fd) ? -errno : 0;
    (void)close(fd);
    return err;
}

static int fill(const char *path, char why[256])
{
    sqlite3 *db = NULL;
    char id[64];
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOFOLLOW;

    disable_memory_statistics();
    int rc = sqlite3_open_v2(path, &db, flags, NULL);

    (void)snprintf(id, sizeof(id), "PRAGMA application_id = %d", APPLICATION_ID);
    if (rc == SQLITE_OK)
        rc = execute(db, id);
    if (rc == SQLITE_OK)
        rc = migrate(db, 0);
    if (rc != SQLITE_OK)
        (void)snprintf(why, 256, "%s", db ? sqlite3_errmsg(db) : "out of memory");
    int err = db || rc == SQLITE_OK ? errno_of(db, rc) : -ENOMEM;
    (void)sqlite3_close(db);
    return err;
}

int sqlite_file_create(const char *path, char why[256])
{
    char fresh[4096];

    if (snprintf(fresh, sizeof(fresh), "%s.new", path) >= (int)sizeof(fresh))
        return -ENAMETOOLONG;
    (void)unlink(fresh);
    int err = fill(fresh, why);
    if (err)
        return err;
    if (chmod(fresh, 0600) || rename(fresh, path)) {
        err = -errno;
        (void)snprintf(why, 256, "%s", strerror(-err));
        return err;
    }
    err = sync_file(path);
    return err ? err : durable_name(path);
}

static int settle(const char *path)
{
    struct stat st;
    int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);

    if (fd < 0)
        return errno == ENOENT ? 0 : -errno;
    int err = fstat(fd, &st) ? -errno : durable_again(fd, 0, (uint64_t)st.st_size);
    if (!err && fsync(fd))
        err = -errno;
    (void)close(fd);
    return err;
}

int sqlite_file_settle(const char *path, char why[256])
{
    char log[4096];

    if (snprintf(log, sizeof(log), "%s-wal", path) >= (int)sizeof(log))
        return -ENAMETOOLONG;
    int err = settle(log);

    err = err ? err : settle(path);
    if (err)
        (void)snprintf(why, 256, "%s", strerror(-err));
    return err;
}

/* ---- the tag ---- */

int sqlite_file_tag(sqlite3 *db, char tag[ID_TAG_SIZE])
{
    sqlite3_stmt *s = NULL;
    int rc = sqlite3_prepare_v2(db, "SELECT tag FROM store_tag", -1, &s, NULL);

    tag[0] = '\0';
    if (rc == SQLITE_OK)
        rc = sqlite3_step(s);
    const char *text = rc == SQLITE_ROW ? (const char *)sqlite3_column_text(s, 0) : "";

    if (text)
        (void)snprintf(tag, ID_TAG_SIZE, "%s", text);
    (void)sqlite3_finalize(s);
    return text ? sqlite_errno(rc) : -ENOMEM;
}

int sqlite_file_set_tag(sqlite3 *db, const char tag[ID_TAG_SIZE])
{
    char sql[128];

    (void)snprintf(sql, sizeof(sql),
                   "BEGIN; DELETE FROM store_tag; INSERT INTO store_tag VALUES ('%s'); COMMIT", tag);
    int rc = execute(db, sql);

    if (rc != SQLITE_OK)
        (void)execute(db, "ROLLBACK");
    return sqlite_errno(rc);
}

/* ---- moved, or not ---- */

/* SQLite's result: no column may be NULL. */
static int copy_column(sqlite3_stmt *s, int column, char *to, size_t size)
{
    const char *text = (const char *)sqlite3_column_text(s, column);

    (void)snprintf(to, size, "%s", text ? text : "");
    return text ? SQLITE_OK : SQLITE_NOMEM;
}

int sqlite_file_move(sqlite3 *db, struct store_move *m)
{
    sqlite3_stmt *s = NULL;
    int rc = sqlite3_prepare_v2(db, "SELECT state, id, tag, peer FROM store_move", -1, &s, NULL);

    *m = (struct store_move){.state = MOVE_NONE};
    if (rc == SQLITE_OK)
        rc = sqlite3_step(s);
    if (rc == SQLITE_ROW) {
        int state = sqlite3_column_int(s, 0);

        m->state = state == MOVE_GONE || state == MOVE_CAME ? (enum move_state)state : MOVE_BEGUN;
        rc = copy_column(s, 1, m->id, sizeof(m->id));
        if (rc == SQLITE_OK)
            rc = copy_column(s, 2, m->tag, sizeof(m->tag));
        if (rc == SQLITE_OK)
            rc = copy_column(s, 3, m->peer, sizeof(m->peer));
    }
    (void)sqlite3_finalize(s);
    return sqlite_errno(rc);
}

int sqlite_file_set_move(sqlite3 *db, const struct store_move *m)
{
    sqlite3_stmt *s = NULL;
    int rc = execute(db, "DELETE FROM store_move");

    if (rc == SQLITE_OK)
        rc = sqlite3_prepare_v2(db, "INSERT INTO store_move VALUES (?1,?2,?3,?4)", -1, &s, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_bind_int(s, 1, (int)m->state);
    if (rc == SQLITE_OK)
        rc = sqlite3_bind_text(s, 2, m->id, -1, SQLITE_STATIC);
    if (rc == SQLITE_OK)
        rc = sqlite3_bind_text(s, 3, m->tag, -1, SQLITE_STATIC);
    if (rc == SQLITE_OK)
        rc = sqlite3_bind_text(s, 4, m->peer, -1, SQLITE_STATIC);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(s);
    (void)sqlite3_finalize(s);
    return sqlite_errno(rc);
}
