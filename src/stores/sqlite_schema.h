/*
 * sqlite_schema.h - the file behind the embedded store: opening it safely, its schema, its rows and steps.
 *
 * Private to stores/. Every function here blocks; sqlite.c decides on which thread it runs.
 */
#ifndef JG_STORES_SQLITE_SCHEMA_H
#define JG_STORES_SQLITE_SCHEMA_H

#include "stores/move.h"
#include "stores/store.h"

#include <sqlite3.h>

/* A statement of a step; sqlite_rows.c has their texts. */
enum sqlite_statement {
    SQL_BEGIN,
    SQL_COMMIT,
    SQL_ROLLBACK,
    SQL_PROBE,
    SQL_INSERT_REQUEST,
    SQL_UPDATE_REQUEST,
    SQL_DELETE_REQUEST,
    SQL_DELETE_ASKED,
    SQL_READ_REQUEST,
    SQL_INSERT_LEASE,
    SQL_UPDATE_LEASE,
    SQL_DELETE_LEASE,
    SQL_PUT_CURSOR,
    SQL_NSTATEMENTS
};

struct sqlite_file {
    sqlite3 *db;
    sqlite3_stmt *statements[SQL_NSTATEMENTS];
    int error; /* of an opening that failed, -errno */
};

enum sqlite_verdict {
    SQLITE_FILE_GOOD,
    SQLITE_FILE_DAMAGED, /* truncated, zeroed, garbage, or another program's: --rebuild can help */
    SQLITE_FILE_NEWER,   /* written by a newer version: never touched */
    SQLITE_FILE_FAILED   /* cannot be opened: permissions, disk */
};

/* Opens an existing file, checks that it is a lease store and whole, and migrates an older schema. */
enum sqlite_verdict sqlite_file_open(struct sqlite_file *, const char *path, char why[256]);
/* By the head of the file alone: "" or what is wrong with it; *newer = it was written by a newer version. */
const char *sqlite_file_fault(const char *head, size_t n, bool *newer);
#define SQLITE_FILE_HEAD 100
/* The same judgement of a file that is open, which is only read. */
enum sqlite_verdict sqlite_file_judge(sqlite3 *db, char why[256]);
/* Makes a fresh, empty, durable file at `path` (which must not exist), atomically. 0 or -errno. */
int sqlite_file_create(const char *path, char why[256]);
/* Before an existing file is opened: makes its bytes and those of its log durable, as a reader sees them now.
 * A process before may have ended after a sync that failed (base/durable.h). 0 or -errno. */
int sqlite_file_settle(const char *path, char why[256]);
void sqlite_file_close(struct sqlite_file *);

/* A good file that is only read may be of an older schema: *db is replaced by a copy in memory that is
 * migrated. 0 or -errno. */
int sqlite_file_make_readable(sqlite3 **db);
/* The store's tag, "" = none. 0 or -errno. */
int sqlite_file_tag(sqlite3 *db, char tag[ID_TAG_SIZE]);
int sqlite_file_set_tag(sqlite3 *db, const char tag[ID_TAG_SIZE]);
/* Whether its rows were moved, or came from elsewhere. 0 or -errno. The second within a transaction. */
int sqlite_file_move(sqlite3 *db, struct store_move *);
int sqlite_file_set_move(sqlite3 *db, const struct store_move *);
int sqlite_errno(int rc); /* SQLite's result as -errno */

/* ---- its place: sqlite_open.c ---- */

/* Locks the state directory, and opens the file in it, or makes one; as sqlite_store_open(). 0, or -errno,
 * `why` and no lock. */
int sqlite_file_take(struct sqlite_file *, int *lock, const char *state_dir, bool rebuild, bool *rebuilt,
                     char why[320]);

/* ---- rows: sqlite_rows.c ---- */

int sqlite_file_prepare(struct sqlite_file *); /* SQLite's result */
int sqlite_file_load(sqlite3 *db, const struct store_reader *, void *arg);
int sqlite_file_run(struct sqlite_file *, enum sqlite_statement); /* without values: 0 or -errno */
/* Within a transaction. *outcome APPLIED or OTHERWISE, with step->now; or -errno, and the transaction is to
 * be rolled back. */
int sqlite_file_step(struct sqlite_file *, struct store_step *, enum store_outcome *outcome);
/* Within a transaction: a row that is not there. 0 or -errno; -EEXIST = there is one of that mark. */
int sqlite_file_add_request(struct sqlite_file *, const struct request_row *);
int sqlite_file_add_lease(struct sqlite_file *, const struct lease_row *);

#endif
