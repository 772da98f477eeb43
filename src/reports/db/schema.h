/*
 * schema.h - the tables of the reports database: one table of tables and columns, from which DDL, INSERT
 * statements and docs/reports-sql.md come.
 *
 * Tables of the vendor keep the names of the Integration Client's database (BGSessions), so that what reads
 * that database reads this one. A column says where its name is from: the vendor's documents, the site's
 * report, or this program. Every time is Unix seconds in a column `…_unix`; the vendor's columns of times are
 * generated from it.
 *
 * To add a column: one row with `since` = the next version. To add a table: its columns and one row.
 *
 * Not here: rows (store/), reading them (query/).
 */
#ifndef JG_REPORTS_DB_SCHEMA_H
#define JG_REPORTS_DB_SCHEMA_H

#include "base/buf.h"
#include "reports/db/db.h"

#define SCHEMA_VERSION 1

enum column_kind {
    COLUMN_ID,   /* identity, primary key */
    COLUMN_INT,  /* 64 bit */
    COLUMN_BOOL, /* 0 or 1 */
    COLUMN_TEXT, /* of `size` characters, longer ones are cut; 0 = of any length */
    COLUMN_TIME, /* UTC, generated from the column `from`; never inserted */
};

enum column_origin { ORIGIN_VENDOR = 'v', ORIGIN_REPORT = 'i', ORIGIN_OURS = 'o' };

struct schema_column {
    const char *name;
    enum column_kind kind;
    enum column_origin origin;
    int size;
    bool null; /* may be null */
    const char *from;
    const char *text; /* for the document */
    int since;        /* schema version that has it first */
};

struct schema_table {
    const char *name;
    const struct schema_column *columns;
    size_t ncolumns;
    const char *key;  /* columns of the primary key, separated by blanks; NULL = the identity */
    const char *text; /* for the document */
    int since;
};

enum index_kind {
    INDEX_OURS,          /* always */
    INDEX_VENDOR_ALWAYS, /* the vendor's name and columns, and needed by this program too: always */
    INDEX_VENDOR,        /* with `vendor_indexes` */
    INDEX_VENDOR_EVENT,  /* with `vendor_indexes`, and not while a large backlog is worked off */
};

struct schema_index {
    const char *name, *table;
    const char *columns; /* separated by blanks */
    const char *more;    /* columns behind them where the engine's limit of an index row allows; NULL */
    const char *where;   /* of a partial index, else NULL */
    enum index_kind kind;
    bool unique;
    int since;
};

extern const struct schema_table schema_tables[];
extern const size_t schema_ntables;
extern const struct schema_index schema_indexes[];
extern const size_t schema_nindexes;

const struct schema_table *schema_table(const char *name); /* NULL = there is none */

/* ---- texts; buf->failed is set when memory runs out ---- */

/* CREATE TABLE and, for versions after the first, ALTER TABLE of everything that this version adds. */
void schema_ddl_tables(const struct dialect *, int version, struct buf *);
/* CREATE INDEX, or DROP INDEX, of one; each is harmless where it has been done. */
void schema_ddl_index(const struct dialect *, const struct schema_index *, bool drop, struct buf *);
/* The DDL of one version: its tables and columns, and those of its indexes that are always there. */
void schema_ddl_version(const struct dialect *, int version, struct buf *);
/* The whole DDL of the newest version, all indexes: what the golden files hold. */
void schema_ddl(const struct dialect *, struct buf *);
/* INSERT of `rows` rows with all columns but generated ones, in the table's order, as parameters. */
void schema_insert(const struct dialect *, const struct schema_table *, unsigned rows, struct buf *);
/* The same of one row, without its identity, where a row may be there with the same `keys` (separated by
 * blanks; a unique index has them). */
enum schema_upsert {
    UPSERT_NOTHING, /* it stays as it is */
    UPSERT_REPLACE, /* the other columns get the new values */
    UPSERT_ADD,     /* the new values are added to the other columns */
};
void schema_upsert(const struct dialect *, const struct schema_table *, const char *keys, enum schema_upsert,
                   struct buf *);
/* docs/reports-sql.md */
void schema_document(struct buf *);

/* ---- migrations (migrate.c) ---- */

struct schema_state {
    int64_t version;    /* 0 = none of our tables */
    bool foreign;       /* there are tables of these names, but jg_schema is not */
    bool event_indexes; /* the vendor's indexes on events are built */
};

/* Reads the state of a database. */
enum db_outcome schema_state(struct db *, struct schema_state *);
/* Checks that this program can use it as it is. DB_REFUSED with db->error otherwise: newer, older, foreign.
 */
enum db_outcome schema_check(struct db *);
/*
 * Brings the schema up to SCHEMA_VERSION: one transaction for each version. `said` gets a line for each step,
 * or for each difference of a foreign database. dry_run: nothing is changed.
 */
enum db_outcome schema_migrate(struct db *, int64_t now, bool vendor_indexes, bool dry_run, struct buf *said);
/* Builds or drops the vendor's indexes as asked, the ones on events by themselves; a transaction each. */
enum db_outcome schema_vendor_indexes(struct db *, bool wanted, bool event_indexes);

/* ---- rights (rights.c): db->error names the table and the right that is missing ---- */

/* Can this login bring the schema up, and write each table? All of it is tried without a row, in a
 * transaction that is rolled back. */
enum db_outcome schema_may_write(struct db *);
/* Can it read each table of the schema, which is there? */
enum db_outcome schema_may_read(struct db *);

#endif
