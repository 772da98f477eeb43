/*
 * db.h - a connection to a database: one table of operations per engine, outcomes in place of its error
 * codes.
 *
 * A connection has one owner thread, and every call blocks; db->ops->interrupt() alone may come from any
 * thread. Statements are prepared once and kept. Values are bound, never written into SQL text.
 *
 *     prepare -> bind … -> step (DB_ROW, column …)* -> DB_OK -> reset -> bind …
 *
 * A server's connection that is lost (DB_AWAY) is made again by the next begin(), or by the next statement
 * outside of a transaction, with the newest text of its login (login.h); statements stay prepared.
 *
 * After a failure db->error has the outcome, the engine's code and its text. A transaction in which a
 * statement failed is rolled back by the caller.
 *
 * Not here: which texts an engine wants (dialect.h), which tables there are (schema.h).
 */
#ifndef JG_REPORTS_DB_DB_H
#define JG_REPORTS_DB_DB_H

#include "reports/db/dialect.h"
#include "reports/db/login.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum db_outcome {
    DB_OK,          /* done; of a step: no further row */
    DB_ROW,         /* of a step: a row is there */
    DB_CONSTRAINT,  /* a key is there already, or a value is not allowed */
    DB_BUSY,        /* another connection holds a lock for longer than busy_ms */
    DB_AWAY,        /* the server or the file cannot be reached or opened */
    DB_FULL,        /* no space, or the file is at its limit */
    DB_DAMAGED,     /* the file is no database, or is broken */
    DB_INTERRUPTED, /* interrupt() was called */
    DB_REFUSED,     /* no right to do it: read-only, denied by the engine, schema that is not ours */
    DB_NO_MEMORY,
    DB_FAILED, /* any other error: a fault of this program */
    DB_NOUTCOMES
};

#define DB_TEXT_SIZE 320

struct db_error {
    enum db_outcome outcome; /* DB_OK until the first failure */
    int code;                /* the engine's own */
    char text[DB_TEXT_SIZE]; /* for operators: what failed, and what to do where that is known */
};

struct db_params {
    const char *path;       /* SQLite: the file; made by a writer where there is none */
    struct db_login *login; /* ODBC: the connection string; each connection keeps a reference */
    bool read_only;         /* nothing but SELECT is possible */
    bool full_sync;         /* SQLite: each commit is on disk when commit() returns (writers of layouts) */
    unsigned busy_ms;       /* how long a statement waits for another's lock; 0 = not at all */
    unsigned connect_ms;    /* SQL Server: how long connecting may take; 0 = the driver's own time */
    unsigned cache_kib;     /* SQLite: page cache; 0 = the engine's own size */
};

struct db_ops;
struct db { /* the engine's struct begins with it */
    const struct db_ops *ops;
    const struct dialect *dialect;
    struct db_error error; /* of the last call that failed */
    uint64_t connections;  /* how often it was connected: another number = what was read before may be old */
    bool collector_lock;   /* a server's: taken again with each connection (lock.h) */
};

struct db_stmt; /* of one connection */

struct db_ops {
    const char *name; /* "sqlite" */
    /* *db is NULL after a failure, and *error says why. The params are not kept. */
    enum db_outcome (*open)(const struct db_params *, struct db **db, struct db_error *error);
    void (*close)(struct db *); /* rolls back, frees its statements too; NULL is fine */

    /* write: takes the writer's lock at once, so that no later statement is DB_BUSY. */
    enum db_outcome (*begin)(struct db *, bool write);
    /* After a failure the transaction is rolled back; after DB_AWAY of a server it may be committed. */
    enum db_outcome (*commit)(struct db *);
    void (*rollback)(struct db *); /* without a transaction nothing */

    enum db_outcome (*exec)(struct db *, const char *sql); /* one or several statements without parameters */

    /* *stmt is freed with the connection, or by finalize(). What is wrong with the text is said here or by
     * the first step. */
    enum db_outcome (*prepare)(struct db *, const char *sql, struct db_stmt **stmt);
    void (*finalize)(struct db_stmt *); /* NULL is fine */
    /* Parameters are counted from 1. A text must stay until the statement is reset; NULL binds null. A failed
     * bind is reported by the next step. */
    void (*bind_int)(struct db_stmt *, int n, int64_t value);
    void (*bind_text)(struct db_stmt *, int n, const char *text, size_t len);
    void (*bind_null)(struct db_stmt *, int n);
    enum db_outcome (*step)(struct db_stmt *);
    void (*reset)(struct db_stmt *); /* ready for the next values; parameters keep theirs until then */

    /* Columns are counted from 0 and stay until the next step or reset. */
    bool (*column_is_null)(struct db_stmt *, int n);
    int64_t (*column_int)(struct db_stmt *, int n);                   /* 0 for null */
    const char *(*column_text)(struct db_stmt *, int n, size_t *len); /* NULL for null; `len` may be NULL */

    /* Reads the whole database: its pages, its free list and every row. DB_DAMAGED names the file and says
     * what to do. It takes about 3 s of CPU for a gigabyte. NULL: the engine verifies its own pages. */
    enum db_outcome (*verify)(struct db *);

    int64_t (*changes)(struct db *); /* rows that the last INSERT, UPDATE or DELETE changed */

    /* Any thread: the running statement, and every one until resume(), ends with DB_INTERRUPTED; one that
     * waits for another's lock may end with DB_BUSY. The caller makes sure that the connection is not closed
     * meanwhile. */
    void (*interrupt)(struct db *);
    void (*resume)(struct db *);

    /* The owner: statements end with DB_INTERRUPTED when they run on beyond so many milliseconds from now; 0
     * = no such limit. NULL: the engine has none. */
    void (*limit)(struct db *, unsigned ms);
};

extern const struct db_ops db_sqlite, db_postgresql, db_sqlserver;

const char *db_outcome_name(enum db_outcome); /* "busy": for log and metrics */

/* ---- the same for every engine ---- */

/* Steps once and resets: of a statement that gives no row. */
enum db_outcome db_run(struct db *, struct db_stmt *);
/* The first column of the first row of `sql`, which has no parameter; `absent` where there is none or null.
 */
enum db_outcome db_get_int(struct db *, const char *sql, int64_t absent, int64_t *value);
/* Sets db->error and returns the outcome. */
enum db_outcome db_fail(struct db *, enum db_outcome, int code, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

#endif
