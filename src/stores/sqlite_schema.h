/*
 * sqlite_schema.h - the file behind the embedded store: opening it safely, its schema and its rows.
 *
 * Private to stores/. Every function here blocks; sqlite.c decides on which thread it runs.
 */
#ifndef JG_STORES_SQLITE_SCHEMA_H
#define JG_STORES_SQLITE_SCHEMA_H

#include "stores/store.h"

#include <sqlite3.h>

struct sqlite_file {
    sqlite3 *db;
    sqlite3_stmt *begin, *commit, *rollback, *put, *remove, *put_cursor, *probe;
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
void sqlite_file_close(struct sqlite_file *);

int sqlite_file_load(sqlite3 *db, int (*row)(void *arg, const struct lease_row *), void *arg);
int sqlite_file_load_cursors(sqlite3 *db, int (*row)(void *arg, const struct cursor_row *), void *arg);
/* The store's tag, "" = none. 0 or -errno. */
int sqlite_file_tag(sqlite3 *db, char tag[ID_TAG_SIZE]);
int sqlite_file_set_tag(sqlite3 *db, const char tag[ID_TAG_SIZE]);
/* Within a transaction. 0 or -errno. */
int sqlite_file_put(struct sqlite_file *, const struct lease_row *);
int sqlite_file_put_cursor(struct sqlite_file *, const struct cursor_row *);
int sqlite_file_remove(struct sqlite_file *, const char *id);
int sqlite_file_step(sqlite3_stmt *); /* begin, commit, rollback, probe: 0 or -errno */
int sqlite_errno(int rc);             /* SQLite's result as -errno */

#endif
