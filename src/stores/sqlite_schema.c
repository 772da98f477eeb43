/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sqlite_schema.c - the file behind the embedded store: creation, examination, migration and rows.
 *
 * `application_id` marks a file as a lease store, `user_version` is its schema. A file is made under another
 * name, filled, synced and renamed, so that a crash in a first start leaves either nothing or a whole store.
 * A file that is empty or cut off is therefore always damage.
 *
 * A change of the schema is one more row in migrations[]; user_version is the number of rows applied.
 *
 * Not here: threads, queues and the lock of the directory (sqlite.c).
 */
#include "stores/sqlite_schema.h"

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
    "CREATE TABLE store_tag (tag TEXT NOT NULL) STRICT;",
};
enum { NEWEST = sizeof(migrations) / sizeof(*migrations) };

static const char columns[] =
    "id, state, vault, user, username, domain, session, credential, tag, system_id, account_id,"
    " application_id, request_id, adopted, created_ms, expires_ms, attempts, next_ms, last_error";
/* Of later versions, in their order. A file that is only read may be of an earlier one. */
static const struct {
    int64_t version; /* that has it */
    const char *name, *absent;
} added_columns[] = {{2, "url", "''"},        {3, "lsid", "''"},   {3, "ended", "0"},
                     {3, "ended_site", "''"}, {4, "system", "''"}, {4, "account", "''"}};
enum { NADDED = sizeof(added_columns) / sizeof(*added_columns), SQL_SIZE = 512 };

/* All columns, as a file of this version can show them. */
static const char *list_columns(int64_t version, char out[SQL_SIZE])
{
    size_t n = (size_t)snprintf(out, SQL_SIZE, "%s", columns);

    for (size_t i = 0; i < NADDED; i++)
        n += (size_t)snprintf(out + n, SQL_SIZE - n, ", %s",
                              version < added_columns[i].version ? added_columns[i].absent
                                                                 : added_columns[i].name);
    return out;
}

int sqlite_errno(int rc)
{
    switch (rc & 0xff) {
    case SQLITE_OK:
    case SQLITE_DONE:
    case SQLITE_ROW: return 0;
    case SQLITE_FULL: return -ENOSPC;
    case SQLITE_NOMEM: return -ENOMEM;
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return -EBUSY;
    case SQLITE_READONLY:
    case SQLITE_PERM: return -EROFS;
    case SQLITE_CANTOPEN: return -ENOENT;
    default: return -EIO;
    }
}

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

static int read_pragma(sqlite3 *db, const char *sql, int64_t *value)
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

/* By SQLite's own check, without the comparison of indexes: there are none. */
static bool is_whole(sqlite3 *db)
{
    sqlite3_stmt *s = NULL;
    bool whole = sqlite3_prepare_v2(db, "PRAGMA quick_check(1)", -1, &s, NULL) == SQLITE_OK &&
                 sqlite3_step(s) == SQLITE_ROW && strcmp((const char *)sqlite3_column_text(s, 0), "ok") == 0;

    (void)sqlite3_finalize(s);
    return whole;
}

static int migrate(sqlite3 *db, int64_t from)
{
    char sql[64];
    int rc = SQLITE_OK;

    for (int64_t v = from; v < NEWEST && rc == SQLITE_OK; v++) {
        (void)snprintf(sql, sizeof(sql), "PRAGMA user_version = %d", (int)v + 1);
        rc = execute(db, "BEGIN IMMEDIATE");
        if (rc == SQLITE_OK)
            rc = execute(db, migrations[v]);
        if (rc == SQLITE_OK)
            rc = execute(db, sql);
        if (rc == SQLITE_OK)
            rc = execute(db, "COMMIT");
        else
            (void)execute(db, "ROLLBACK");
    }
    return rc;
}

static int prepare(struct sqlite_file *f)
{
    char put[2 * SQL_SIZE], all_columns[SQL_SIZE];
    const struct {
        const char *sql;
        sqlite3_stmt **to;
    } all[] = {
        {"BEGIN IMMEDIATE", &f->begin},
        {"COMMIT", &f->commit},
        {"ROLLBACK", &f->rollback},
        {put, &f->put},
        {"DELETE FROM lease WHERE id = ?1", &f->remove},
        {"INSERT OR REPLACE INTO pra_cursor (site, cursor_ms) VALUES (?1,?2)", &f->put_cursor},
        {"UPDATE probe SET n = n + 1", &f->probe},
    };
    int rc = SQLITE_OK;

    (void)snprintf(put, sizeof(put),
                   "INSERT OR REPLACE INTO lease (%s) VALUES "
                   "(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17,"
                   "?18,?19,?20,?21,?22,?23,?24,?25)",
                   list_columns(NEWEST, all_columns));
    for (size_t i = 0; i < sizeof(all) / sizeof(*all) && rc == SQLITE_OK; i++)
        rc = sqlite3_prepare_v3(f->db, all[i].sql, -1, SQLITE_PREPARE_PERSISTENT, all[i].to, NULL);
    return rc;
}

void sqlite_file_close(struct sqlite_file *f)
{
    sqlite3_stmt **all[] = {&f->begin,  &f->commit,     &f->rollback, &f->put,
                            &f->remove, &f->put_cursor, &f->probe};

    for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
        (void)sqlite3_finalize(*all[i]);
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

/* Is it a lease store, of a known version, and whole? */
static enum sqlite_verdict judge(sqlite3 *db, int64_t *version, char why[256])
{
    int64_t application = 0;
    int rc = read_pragma(db, "PRAGMA application_id", &application);

    if (rc == SQLITE_OK)
        rc = read_pragma(db, "PRAGMA user_version", version);
    if (rc != SQLITE_OK) {
        (void)snprintf(why, 256, "%s", sqlite3_errmsg(db));
        return verdict_of(rc);
    }
    if (application != APPLICATION_ID) {
        (void)snprintf(why, 256, "it is not a lease store of jumpgate");
        return SQLITE_FILE_DAMAGED;
    }
    if (*version > NEWEST) {
        (void)snprintf(why, 256, "it was written by a newer version (schema %lld, this one knows %d)",
                       (long long)*version, NEWEST);
        return SQLITE_FILE_NEWER;
    }
    if (!is_whole(db)) {
        (void)snprintf(why, 256, "it is damaged");
        return SQLITE_FILE_DAMAGED;
    }
    return SQLITE_FILE_GOOD;
}

enum sqlite_verdict sqlite_file_judge(sqlite3 *db, char why[256])
{
    int64_t version = 0;

    return judge(db, &version, why);
}

static enum sqlite_verdict examine(struct sqlite_file *f, char why[256])
{
    int64_t version = 0;
    enum sqlite_verdict verdict = judge(f->db, &version, why);

    if (verdict != SQLITE_FILE_GOOD)
        return verdict;
    int rc = migrate(f->db, version);
    if (rc == SQLITE_OK)
        return SQLITE_FILE_GOOD;
    (void)snprintf(why, 256, "%s", sqlite3_errmsg(f->db));
    return verdict_of(rc);
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
    enum sqlite_verdict verdict = verdict_of(rc);
    if (rc != SQLITE_OK)
        (void)snprintf(why, 256, "%s", f->db ? sqlite3_errmsg(f->db) : "out of memory");
    else
        verdict = examine(f, why);
    if (verdict == SQLITE_FILE_GOOD && prepare(f) != SQLITE_OK) {
        (void)snprintf(why, 256, "%s", sqlite3_errmsg(f->db));
        verdict = SQLITE_FILE_DAMAGED;
    }
    if (verdict != SQLITE_FILE_GOOD) {
        int err = f->db ? errno_of(f->db, sqlite3_errcode(f->db)) : -ENOMEM;

        sqlite_file_close(f);
        f->error = err;
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

static int sync_path(const char *path, int flags)
{
    int fd = open(path, flags | O_CLOEXEC);

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
    char fresh[4096], directory[4096];

    if (snprintf(fresh, sizeof(fresh), "%s.new", path) >= (int)sizeof(fresh))
        return -ENAMETOOLONG;
    (void)snprintf(directory, sizeof(directory), "%.*s", (int)(strrchr(path, '/') - path), path);
    (void)unlink(fresh);
    int err = fill(fresh, why);
    if (err)
        return err;
    if (chmod(fresh, 0600) || rename(fresh, path)) {
        err = -errno;
        (void)snprintf(why, 256, "%s", strerror(-err));
        return err;
    }
    err = sync_path(path, O_RDONLY);
    return err ? err : sync_path(directory, O_RDONLY | O_DIRECTORY);
}

/* ---- rows ---- */

static const char *text_at(sqlite3_stmt *s, int column)
{
    const char *text = (const char *)sqlite3_column_text(s, column);

    return text ? text : "";
}

/* A request without a name is number 0 in the file. */
static const char *name_at(sqlite3_stmt *s, int column)
{
    return sqlite3_column_int64(s, column) ? text_at(s, column) : "";
}

static bool read_row(sqlite3_stmt *s, struct lease_row *r)
{
    int64_t state = sqlite3_column_int64(s, 1), ended = sqlite3_column_int64(s, 21);

    if (ended < 0 || ended >= SESSION_END_NSOURCES)
        return false;
    *r = (struct lease_row){
        .id = text_at(s, 0),
        .state = (enum lease_state)state,
        .vault = text_at(s, 2),
        .user = text_at(s, 3),
        .username = text_at(s, 4),
        .domain = text_at(s, 5),
        .session = text_at(s, 6),
        .credential = text_at(s, 7),
        .tag = text_at(s, 8),
        .system_id = sqlite3_column_int64(s, 9),
        .account_id = sqlite3_column_int64(s, 10),
        .application_id = sqlite3_column_int64(s, 11),
        .request = name_at(s, 12),
        .adopted = sqlite3_column_int64(s, 13) != 0,
        .created_wall_ms = sqlite3_column_int64(s, 14),
        .expires_wall_ms = sqlite3_column_int64(s, 15),
        .attempts = sqlite3_column_int64(s, 16),
        .next_wall_ms = sqlite3_column_int64(s, 17),
        .last_error = text_at(s, 18),
        .url = text_at(s, 19),
        .lsid = text_at(s, 20),
        .ended = (enum session_end_source)ended,
        .ended_site = text_at(s, 22),
        .system = text_at(s, 23),
        .account = text_at(s, 24),
    };
    return state >= 0 && state < LEASE_NSTATES && *r->id;
}

int sqlite_file_load(sqlite3 *db, int (*row)(void *arg, const struct lease_row *), void *arg)
{
    sqlite3_stmt *s = NULL;
    char sql[2 * SQL_SIZE], all_columns[SQL_SIZE];
    struct lease_row r;
    int64_t version = 0;
    int err = 0, rc = read_pragma(db, "PRAGMA user_version", &version);

    /* A reader has not migrated the file. */
    (void)snprintf(sql, sizeof(sql), "SELECT %s FROM lease", list_columns(version, all_columns));
    if (rc == SQLITE_OK)
        rc = sqlite3_prepare_v2(db, sql, -1, &s, NULL);
    while (rc == SQLITE_OK && !err) {
        int step = sqlite3_step(s);
        if (step == SQLITE_DONE)
            break;
        if (step != SQLITE_ROW)
            rc = step;
        else
            err = read_row(s, &r) ? row(arg, &r) : -EUCLEAN;
    }
    (void)sqlite3_finalize(s);
    return err ? err : sqlite_errno(rc);
}

int sqlite_file_load_cursors(sqlite3 *db, int (*row)(void *arg, const struct cursor_row *), void *arg)
{
    sqlite3_stmt *s = NULL;
    int err = 0, step = SQLITE_DONE;
    int rc = sqlite3_prepare_v2(db, "SELECT site, cursor_ms FROM pra_cursor", -1, &s, NULL);

    while (rc == SQLITE_OK && !err && (step = sqlite3_step(s)) == SQLITE_ROW)
        err = row(arg, &(struct cursor_row){text_at(s, 0), sqlite3_column_int64(s, 1)});
    if (rc == SQLITE_OK && !err)
        rc = step == SQLITE_DONE ? SQLITE_OK : step;
    (void)sqlite3_finalize(s);
    return err ? err : sqlite_errno(rc);
}

/* ---- the tag ---- */

int sqlite_file_tag(sqlite3 *db, char tag[ID_TAG_SIZE])
{
    sqlite3_stmt *s = NULL;
    int step = SQLITE_DONE, rc = sqlite3_prepare_v2(db, "SELECT tag FROM store_tag", -1, &s, NULL);

    tag[0] = '\0';
    if (rc == SQLITE_OK && (step = sqlite3_step(s)) == SQLITE_ROW)
        (void)snprintf(tag, ID_TAG_SIZE, "%s", text_at(s, 0));
    (void)sqlite3_finalize(s);
    return sqlite_errno(rc == SQLITE_OK ? step : rc);
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

int sqlite_file_step(sqlite3_stmt *s)
{
    int rc = sqlite3_step(s);

    (void)sqlite3_reset(s);
    return sqlite_errno(rc);
}

int sqlite_file_put(struct sqlite_file *f, const struct lease_row *r)
{
    const char *texts[] = {r->vault, r->user, r->username, r->domain, r->session, r->credential, r->tag};
    const int64_t numbers[] = {r->system_id,   r->account_id,      r->application_id,  0,
                               r->adopted,     r->created_wall_ms, r->expires_wall_ms, r->attempts,
                               r->next_wall_ms};
    int rc = sqlite3_bind_text(f->put, 1, r->id, -1, SQLITE_STATIC);

    rc |= sqlite3_bind_int64(f->put, 2, (int64_t)r->state);
    for (int i = 0; i < 7; i++)
        rc |= sqlite3_bind_text(f->put, 3 + i, texts[i], -1, SQLITE_STATIC);
    for (int i = 0; i < 9; i++)
        rc |= sqlite3_bind_int64(f->put, 10 + i, numbers[i]);
    if (*r->request)
        rc |= sqlite3_bind_text(f->put, 13, r->request, -1, SQLITE_STATIC);
    rc |= sqlite3_bind_text(f->put, 19, r->last_error, -1, SQLITE_STATIC);
    rc |= sqlite3_bind_text(f->put, 20, r->url, -1, SQLITE_STATIC);
    rc |= sqlite3_bind_text(f->put, 21, r->lsid, -1, SQLITE_STATIC);
    rc |= sqlite3_bind_int64(f->put, 22, (int64_t)r->ended);
    rc |= sqlite3_bind_text(f->put, 23, r->ended_site, -1, SQLITE_STATIC);
    rc |= sqlite3_bind_text(f->put, 24, r->system, -1, SQLITE_STATIC);
    rc |= sqlite3_bind_text(f->put, 25, r->account, -1, SQLITE_STATIC);
    if (rc != SQLITE_OK)
        return -ENOMEM;
    return sqlite_file_step(f->put);
}

int sqlite_file_put_cursor(struct sqlite_file *f, const struct cursor_row *c)
{
    int rc = sqlite3_bind_text(f->put_cursor, 1, c->site, -1, SQLITE_STATIC);

    rc |= sqlite3_bind_int64(f->put_cursor, 2, c->cursor_ms);
    return rc == SQLITE_OK ? sqlite_file_step(f->put_cursor) : -ENOMEM;
}

int sqlite_file_remove(struct sqlite_file *f, const char *id)
{
    if (sqlite3_bind_text(f->remove, 1, id, -1, SQLITE_STATIC) != SQLITE_OK)
        return -ENOMEM;
    return sqlite_file_step(f->remove);
}
