/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sqlite.c - SQLite behind db.h.
 *
 * A writer opens the file in WAL mode, so that readers read beside it. synchronous is NORMAL: after a power
 * failure the newest commits may be absent, never a part of one; what the collector has lost so it reads
 * again, since its cursors are in the same file. full_sync is for what cannot be read again.
 *
 * A reader opens the file with mode=ro, sets query_only, and an authorizer denies everything but SELECT: each
 * of the three is enough against a mistake in the others.
 *
 * A file that is moved or removed takes no more writes: SQLite alone would go on in a file that has no name.
 * A file that is put back is written to again.
 *
 * interrupt() sets a flag that a progress handler looks at, since sqlite3_interrupt() alone is lost between
 * two statements.
 *
 * Invariants: `error` is set by whatever returns something else than DB_OK and DB_ROW. The first bind that
 * fails is kept in the statement and reported by step().
 */
#include "reports/db/db.h"

#include "base/clock.h"
#include "base/text.h"

#include <libgen.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#define PROGRESS_STEPS 10000 /* of the virtual machine, between two looks at the flag */
#define PATH_BYTES     4096

struct db_stmt {
    sqlite3_stmt *sqlite;
    struct sqlite *owner;
    int bind_rc;
    LIST_ENTRY(db_stmt) link;
};

struct sqlite {
    struct db db; /* first */
    sqlite3 *sqlite;
    LIST_HEAD(, db_stmt) stmts;
    struct db_stmt *begin_read, *begin_write, *commit, *rollback;
    atomic_bool interrupted;
    uint64_t limit_ms; /* of the monotonic clock; 0 = none */
    uint64_t busy_until_ms;
    unsigned busy_ms;
    char path[PATH_BYTES];
};

static struct sqlite *sqlite_of(struct db *db)
{
    return (struct sqlite *)(void *)db;
}

/* ---- errors ---- */

static enum db_outcome outcome_of(int rc)
{
    static const struct {
        int rc;
        enum db_outcome outcome;
    } rows[] = {
        {SQLITE_OK, DB_OK},
        {SQLITE_DONE, DB_OK},
        {SQLITE_ROW, DB_ROW},
        {SQLITE_CONSTRAINT, DB_CONSTRAINT},
        {SQLITE_BUSY, DB_BUSY},
        {SQLITE_LOCKED, DB_BUSY},
        {SQLITE_CANTOPEN, DB_AWAY},
        {SQLITE_IOERR, DB_AWAY},
        {SQLITE_PROTOCOL, DB_AWAY},
        {SQLITE_FULL, DB_FULL},
        {SQLITE_CORRUPT, DB_DAMAGED},
        {SQLITE_NOTADB, DB_DAMAGED},
        {SQLITE_INTERRUPT, DB_INTERRUPTED},
        {SQLITE_READONLY, DB_REFUSED},
        {SQLITE_AUTH, DB_REFUSED},
        {SQLITE_PERM, DB_REFUSED},
        {SQLITE_NOMEM, DB_NO_MEMORY},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        if (rows[i].rc == (rc & 0xff))
            return rows[i].outcome;
    return DB_FAILED;
}

static enum db_outcome damaged(struct sqlite *s, int rc, const char *why)
{
    return db_fail(
        &s->db, DB_DAMAGED, rc,
        "%.120s is damaged or no SQLite file (%.60s): restore it from a backup, or move it away and "
        "fill a new one with `collect --once --since`",
        s->path, why);
}

static enum db_outcome failed(struct sqlite *s, int rc)
{
    enum db_outcome outcome = outcome_of(rc);
    const char *why = s->sqlite ? sqlite3_errmsg(s->sqlite) : sqlite3_errstr(rc);

    if (outcome == DB_DAMAGED)
        return damaged(s, rc, why);
    if (outcome == DB_AWAY)
        return db_fail(&s->db, outcome, rc, "%.160s: %.80s", s->path, why);
    return db_fail(&s->db, outcome, rc, "%.300s", why);
}

/* ---- interrupting ---- */

static int on_progress(void *arg)
{
    const struct sqlite *s = arg;

    return atomic_load_explicit(&s->interrupted, memory_order_relaxed) ||
           (s->limit_ms && clock_now(&clock_system) >= s->limit_ms);
}

static void sqlite_limit(struct db *db, unsigned ms)
{
    sqlite_of(db)->limit_ms = ms ? clock_now(&clock_system) + ms : 0;
}

static void sqlite_interrupt_now(struct db *db)
{
    struct sqlite *s = sqlite_of(db);

    atomic_store(&s->interrupted, true);
    sqlite3_interrupt(s->sqlite);
}

static void sqlite_resume(struct db *db)
{
    atomic_store(&sqlite_of(db)->interrupted, false);
}

static bool is_interrupted(struct sqlite *s)
{
    if (!atomic_load_explicit(&s->interrupted, memory_order_relaxed))
        return false;
    (void)db_fail(&s->db, DB_INTERRUPTED, SQLITE_INTERRUPT, "interrupted");
    return true;
}

/* ---- waiting for another's lock ---- */

#define BUSY_NAP_MS 20

/* In place of SQLite's own waiting, which interrupt() does not end. 0 = the statement is DB_BUSY. */
static int on_busy(void *arg, int naps)
{
    struct sqlite *s = arg;
    uint64_t now = clock_now(&clock_system);

    if (naps == 0)
        s->busy_until_ms = now + s->busy_ms;
    if (now >= s->busy_until_ms || atomic_load_explicit(&s->interrupted, memory_order_relaxed))
        return 0;
    (void)sqlite3_sleep(naps < BUSY_NAP_MS ? naps + 1 : BUSY_NAP_MS);
    return 1;
}

/* ---- statements ---- */

static enum db_outcome sqlite_prepare(struct db *db, const char *sql, struct db_stmt **stmt)
{
    struct sqlite *s = sqlite_of(db);
    struct db_stmt *new = calloc(1, sizeof(*new));

    *stmt = NULL;
    if (!new)
        return db_fail(db, DB_NO_MEMORY, SQLITE_NOMEM, "out of memory");
    int rc = sqlite3_prepare_v3(s->sqlite, sql, -1, SQLITE_PREPARE_PERSISTENT, &new->sqlite, NULL);
    if (rc != SQLITE_OK) {
        free(new);
        return failed(s, rc);
    }
    new->owner = s;
    LIST_INSERT_HEAD(&s->stmts, new, link);
    *stmt = new;
    return DB_OK;
}

static void sqlite_finalize(struct db_stmt *stmt)
{
    if (!stmt)
        return;
    (void)sqlite3_finalize(stmt->sqlite);
    LIST_REMOVE(stmt, link);
    free(stmt);
}

static void note_bind(struct db_stmt *stmt, int rc)
{
    if (rc != SQLITE_OK && stmt->bind_rc == SQLITE_OK)
        stmt->bind_rc = rc;
}

static void sqlite_bind_int(struct db_stmt *stmt, int n, int64_t value)
{
    note_bind(stmt, sqlite3_bind_int64(stmt->sqlite, n, value));
}

static void sqlite_bind_text(struct db_stmt *stmt, int n, const char *text, size_t len)
{
    note_bind(stmt, sqlite3_bind_text64(stmt->sqlite, n, text, len, SQLITE_STATIC, SQLITE_UTF8));
}

static void sqlite_bind_null(struct db_stmt *stmt, int n)
{
    note_bind(stmt, sqlite3_bind_null(stmt->sqlite, n));
}

static enum db_outcome sqlite_step(struct db_stmt *stmt)
{
    if (stmt->bind_rc != SQLITE_OK)
        return failed(stmt->owner, stmt->bind_rc);
    if (is_interrupted(stmt->owner))
        return DB_INTERRUPTED;
    int rc = sqlite3_step(stmt->sqlite);
    return rc == SQLITE_ROW ? DB_ROW : rc == SQLITE_DONE ? DB_OK : failed(stmt->owner, rc);
}

static void sqlite_reset(struct db_stmt *stmt)
{
    (void)sqlite3_reset(stmt->sqlite); /* says the failure of the step once more */
    stmt->bind_rc = SQLITE_OK;
}

static bool sqlite_column_is_null(struct db_stmt *stmt, int n)
{
    return sqlite3_column_type(stmt->sqlite, n) == SQLITE_NULL;
}

static int64_t sqlite_column_int(struct db_stmt *stmt, int n)
{
    return sqlite3_column_int64(stmt->sqlite, n);
}

static const char *sqlite_column_text(struct db_stmt *stmt, int n, size_t *len)
{
    const char *text = (const char *)sqlite3_column_text(stmt->sqlite, n);

    if (len)
        *len = (size_t)sqlite3_column_bytes(stmt->sqlite, n);
    return text;
}

/* quick_check reads every page and row once. It leaves out whether indexes and rows agree, which needs a
 * search for each row. */
static enum db_outcome sqlite_verify(struct db *db)
{
    struct sqlite *s = sqlite_of(db);
    struct db_stmt *stmt;
    enum db_outcome outcome = sqlite_prepare(db, "PRAGMA quick_check(1)", &stmt);

    if (outcome == DB_OK)
        outcome = sqlite_step(stmt);
    if (outcome == DB_ROW) {
        const char *said = sqlite_column_text(stmt, 0, NULL);
        char first[64];

        (void)snprintf(first, sizeof(first), "%.*s", said ? (int)strcspn(said, "\n") : 0, said ? said : "");
        outcome = strcmp(first, "ok") == 0 ? DB_OK : damaged(s, SQLITE_CORRUPT, first);
    }
    sqlite_finalize(stmt);
    return outcome;
}

static int64_t sqlite_changes(struct db *db)
{
    return sqlite3_changes64(sqlite_of(db)->sqlite);
}

/* ---- transactions ---- */

static enum db_outcome run_kept(struct sqlite *s, struct db_stmt **kept, const char *sql)
{
    enum db_outcome outcome = *kept ? DB_OK : sqlite_prepare(&s->db, sql, kept);

    return outcome == DB_OK ? db_run(&s->db, *kept) : outcome;
}

/* Whether the file is still the one of its name. */
static enum db_outcome check_place(struct sqlite *s)
{
    int moved = 0;
    int rc = sqlite3_file_control(s->sqlite, "main", SQLITE_FCNTL_HAS_MOVED, &moved);

    if (rc != SQLITE_OK && rc != SQLITE_NOTFOUND)
        return failed(s, rc);
    return moved ? db_fail(&s->db, DB_AWAY, SQLITE_READONLY_DBMOVED,
                           "the file %.200s has been moved or removed: put it back, or restart", s->path)
                 : DB_OK;
}

static enum db_outcome sqlite_begin(struct db *db, bool write)
{
    struct sqlite *s = sqlite_of(db);

    if (write && check_place(s) != DB_OK)
        return s->db.error.outcome;
    return write ? run_kept(s, &s->begin_write, "BEGIN IMMEDIATE") : run_kept(s, &s->begin_read, "BEGIN");
}

static void sqlite_rollback(struct db *db)
{
    struct sqlite *s = sqlite_of(db);
    struct db_stmt *stmt;

    LIST_FOREACH(stmt, &s->stmts, link)
    (void)sqlite3_reset(stmt->sqlite);
    if (sqlite3_get_autocommit(s->sqlite))
        return;
    struct db_error kept = s->db.error; /* of what failed before, not of the rollback */
    bool interrupted = atomic_exchange(&s->interrupted, false);
    (void)run_kept(s, &s->rollback, "ROLLBACK");
    if (interrupted)
        atomic_store(&s->interrupted, true);
    s->db.error = kept;
}

static enum db_outcome sqlite_commit(struct db *db)
{
    struct sqlite *s = sqlite_of(db);
    bool wrote = sqlite3_txn_state(s->sqlite, "main") == SQLITE_TXN_WRITE;
    enum db_outcome outcome = wrote ? check_place(s) : DB_OK;

    if (outcome == DB_OK)
        outcome = run_kept(s, &s->commit, "COMMIT");
    if (outcome != DB_OK)
        sqlite_rollback(db);
    return outcome;
}

static enum db_outcome sqlite_exec(struct db *db, const char *sql)
{
    struct sqlite *s = sqlite_of(db);

    if (is_interrupted(s))
        return DB_INTERRUPTED;
    int rc = sqlite3_exec(s->sqlite, sql, NULL, NULL, NULL);
    return rc == SQLITE_OK ? DB_OK : failed(s, rc);
}

/* ---- opening ---- */

static int authorize(void *arg, int action, const char *a, const char *b, const char *database,
                     const char *trigger)
{
    (void)arg;
    (void)a;
    (void)database;
    (void)trigger;
    switch (action) {
    case SQLITE_SELECT:
    case SQLITE_READ:
    case SQLITE_RECURSIVE:
    case SQLITE_TRANSACTION: return SQLITE_OK;
    case SQLITE_FUNCTION: return b && text_equal_nocase(b, "load_extension") ? SQLITE_DENY : SQLITE_OK;
    default: return SQLITE_DENY;
    }
}

static void sqlite_close(struct db *db)
{
    if (!db)
        return;
    struct sqlite *s = sqlite_of(db);
    if (s->sqlite)
        sqlite_rollback(db);
    while (!LIST_EMPTY(&s->stmts))
        sqlite_finalize(LIST_FIRST(&s->stmts));
    (void)sqlite3_close(s->sqlite);
    free(s);
}

/* page_size and auto_vacuum are of a file that has no table yet, so they are set before WAL writes the first
 * page. Pages of 8 KiB cost an eighth less CPU than those of 4 KiB while sessions are written
 * (bench/report-year). */
static enum db_outcome set_up_writer(struct sqlite *s, const struct db_params *p)
{
    enum db_outcome outcome = sqlite_exec(&s->db, "PRAGMA page_size = 8192;"
                                                  "PRAGMA auto_vacuum = INCREMENTAL;"
                                                  "PRAGMA journal_mode = WAL;"
                                                  "PRAGMA wal_autocheckpoint = 4000;"
                                                  "PRAGMA journal_size_limit = 67108864;");

    if (outcome == DB_OK)
        outcome =
            sqlite_exec(&s->db, p->full_sync ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL");
    return outcome;
}

static enum db_outcome set_up(struct sqlite *s, const struct db_params *p)
{
    char cache[64];
    int64_t unused;

    (void)sqlite3_extended_result_codes(s->sqlite, 1);
    s->busy_ms = p->busy_ms;
    (void)sqlite3_busy_handler(s->sqlite, on_busy, s);
    (void)sqlite3_db_config(s->sqlite, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    (void)sqlite3_db_config(s->sqlite, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_progress_handler(s->sqlite, PROGRESS_STEPS, on_progress, s);
    /* The first read of the file: says whether it is a database. */
    enum db_outcome outcome = db_get_int(&s->db, "SELECT count(*) FROM sqlite_master", 0, &unused);
    if (outcome == DB_OK && !p->read_only)
        outcome = set_up_writer(s, p);
    (void)snprintf(cache, sizeof(cache), "PRAGMA temp_store = FILE; PRAGMA cache_size = -%u",
                   p->cache_kib ? p->cache_kib : 2000);
    if (outcome == DB_OK)
        outcome = sqlite_exec(&s->db, cache);
    if (outcome == DB_OK && p->read_only)
        outcome = sqlite_exec(&s->db, "PRAGMA query_only = ON");
    if (outcome == DB_OK && p->read_only && sqlite3_set_authorizer(s->sqlite, authorize, NULL) != SQLITE_OK)
        outcome = failed(s, SQLITE_MISUSE);
    return outcome;
}

/*
 * Sorting beyond the page cache (an index on all events, an export in an order that no index has) goes to
 * files beside the database, the only folder that the sandbox lets it write to. The journal of a statement
 * stays in memory: it has the pages that a few rows change. Counting of all memory
 * that SQLite has is off: it is a lock around each allocation. The folder is that of the first database that
 * the process opens; where it cannot be had, SQLite takes one of its own choice.
 */
static void configure(const char *path)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static bool done;
    char folder[PATH_BYTES];

    (void)pthread_mutex_lock(&lock);
    if (!done && text_copy(folder, sizeof(folder), path)) {
        (void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
        (void)sqlite3_config(SQLITE_CONFIG_STMTJRNL_SPILL, -1);
        sqlite3_temp_directory = sqlite3_mprintf("%s", dirname(folder));
        done = true;
    }
    (void)pthread_mutex_unlock(&lock);
}

static enum db_outcome sqlite_open(const struct db_params *p, struct db **db, struct db_error *error)
{
    struct sqlite *s = calloc(1, sizeof(*s));
    int flags = p->read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;

    *db = NULL;
    if (!s) {
        *error = (struct db_error){.outcome = DB_NO_MEMORY, .code = SQLITE_NOMEM, .text = "out of memory"};
        return DB_NO_MEMORY;
    }
    s->db.ops = &db_sqlite;
    s->db.dialect = dialect_of(DB_SQLITE);
    LIST_INIT(&s->stmts);
    enum db_outcome outcome = DB_OK;
    if (!text_copy(s->path, sizeof(s->path), p->path))
        outcome = db_fail(&s->db, DB_AWAY, SQLITE_CANTOPEN, "the file's name is too long: %.200s", p->path);
    if (outcome == DB_OK) {
        configure(s->path);
        int rc = sqlite3_open_v2(s->path, &s->sqlite, flags | SQLITE_OPEN_NOMUTEX, NULL);
        outcome = rc == SQLITE_OK ? set_up(s, p) : failed(s, rc);
    }
    if (outcome != DB_OK) {
        *error = s->db.error;
        sqlite_close(&s->db);
        return outcome;
    }
    *db = &s->db;
    return DB_OK;
}

const struct db_ops db_sqlite = {
    .name = "sqlite",
    .open = sqlite_open,
    .close = sqlite_close,
    .begin = sqlite_begin,
    .commit = sqlite_commit,
    .rollback = sqlite_rollback,
    .exec = sqlite_exec,
    .prepare = sqlite_prepare,
    .finalize = sqlite_finalize,
    .bind_int = sqlite_bind_int,
    .bind_text = sqlite_bind_text,
    .bind_null = sqlite_bind_null,
    .step = sqlite_step,
    .reset = sqlite_reset,
    .column_is_null = sqlite_column_is_null,
    .column_int = sqlite_column_int,
    .column_text = sqlite_column_text,
    .verify = sqlite_verify,
    .changes = sqlite_changes,
    .interrupt = sqlite_interrupt_now,
    .resume = sqlite_resume,
    .limit = sqlite_limit,
};
