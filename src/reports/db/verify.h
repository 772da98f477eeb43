/*
 * verify.h - is the file of a database damaged?
 *
 * A server verifies its own pages, so only SQLite's file is read here. Reading it whole takes about 3 s of
 * CPU for a gigabyte, so a start reads a small file whole, and of a large one the ends of every table and
 * index.
 */
#ifndef JG_REPORTS_DB_VERIFY_H
#define JG_REPORTS_DB_VERIFY_H

#include "reports/db/db.h"

/*
 * What a start reads: a file of at most whole_max bytes is read whole. Of a larger one the header, the
 * schema, and for each table and index its root and the pages on the way to its first and its last row: where
 * rows are added, and what every query needs first. DB_OK, or DB_DAMAGED with db->error, or what reading
 * says.
 */
enum db_outcome db_verify_start(struct db *, uint64_t whole_max);
/* All of it, whatever its size. */
enum db_outcome db_verify_whole(struct db *);

#endif
