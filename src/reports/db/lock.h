/*
 * lock.h - one collector per database: a lock that ends with its process or its connection.
 *
 * SQLite: flock() on a file of the state directory and on one beside the database ("reports.db-lock"), so
 * that configurations with other state directories are excluded too; both have the holder's name in them.
 * Servers: a lock of the connection (dialect.h); it is taken again when the connection is made again, and the
 * name is the session's.
 */
#ifndef JG_REPORTS_DB_LOCK_H
#define JG_REPORTS_DB_LOCK_H

#include "reports/db/db.h"

#define DB_HOLDER_SIZE 64

struct db_lock;

/* DB_BUSY: another has it, db->error.text names it. `file` is the state directory's, for SQLite alone;
 * `holder` is this program's name as the other one will read it ("reports run, host, process 4711"). The lock
 * ends before the connection does. */
enum db_outcome db_lock_take(struct db *, const char *file, const char *holder, struct db_lock **lock);
void db_lock_release(struct db_lock *); /* NULL is fine */

#endif
