/* SPDX-License-Identifier: Apache-2.0 */
/*
 * migrate.c - the schema of a database: its state, whether it can be used, bringing it up; see schema.h.
 *
 * A version is one transaction: its tables and columns, its indexes, its row in jg_schema. The row holds the
 * digest of the version's DDL, so a version that another build has made differently is seen. All of the DDL
 * is harmless where it has been done.
 *
 * A database without jg_schema that has tables of these names belongs to another program, unless their
 * columns are the same.
 */
#include "base/crash_point.h"
#include "base/digest.h"
#include "base/text.h"
#include "reports/db/schema.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define DDL_MAX    (256 * 1024)
#define DIGEST_HEX (2 * DIGEST_SIZE + 1)

#define HINT_MIGRATE "`jumpgate reports migrate` brings it up"

static enum db_outcome no_memory(struct db *db)
{
    return db_fail(db, DB_NO_MEMORY, 0, "out of memory");
}

/* ---- what is there ---- */

struct columns_seen { /* of one table, against what is expected of it */
    const struct schema_table *table;
    size_t found;
    bool seen[64];
    struct buf *differ; /* lines for what differs; may be NULL */
    bool differs;
};

static void note_column(struct columns_seen *s, const char *name)
{
    s->found++;
    for (size_t i = 0; i < s->table->ncolumns && i < sizeof(s->seen); i++) {
        if (strcmp(s->table->columns[i].name, name) == 0) {
            s->seen[i] = true;
            return;
        }
    }
    s->differs = true;
    if (s->differ)
        (void)buf_printf(s->differ, "table %s: column %.100s is not one of ours\n", s->table->name, name);
}

static void note_absent(struct columns_seen *s)
{
    for (size_t i = 0; i < s->table->ncolumns && i < sizeof(s->seen); i++) {
        if (s->seen[i])
            continue;
        s->differs = true;
        if (s->differ)
            (void)buf_printf(s->differ, "table %s: column %s is absent\n", s->table->name,
                             s->table->columns[i].name);
    }
}

/* Reads the columns of a table; found = 0 when there is no such table. */
static enum db_outcome examine(struct db *db, struct db_stmt *columns_of, struct columns_seen *s)
{
    enum db_outcome outcome;

    db->ops->bind_text(columns_of, 1, s->table->name, strlen(s->table->name));
    while ((outcome = db->ops->step(columns_of)) == DB_ROW) {
        const char *name = db->ops->column_text(columns_of, 0, NULL);
        if (name)
            note_column(s, name);
    }
    db->ops->reset(columns_of);
    if (outcome == DB_OK && s->found)
        note_absent(s);
    return outcome;
}

/* Compares all tables; `made` = jg_schema is there. */
static enum db_outcome examine_all(struct db *db, bool *made, bool *any, bool *differs, struct buf *differ)
{
    struct db_stmt *columns_of;
    enum db_outcome outcome = db->ops->prepare(db, db->dialect->columns_of, &columns_of);

    *made = *any = *differs = false;
    for (size_t i = 0; outcome == DB_OK && i < schema_ntables; i++) {
        struct columns_seen s = {.table = &schema_tables[i], .differ = differ};

        outcome = examine(db, columns_of, &s);
        if (s.found && strcmp(s.table->name, "jg_schema") == 0)
            *made = true;
        *any |= s.found > 0;
        *differs |= s.differs;
    }
    db->ops->finalize(columns_of);
    return outcome;
}

enum db_outcome schema_state(struct db *db, struct schema_state *state)
{
    bool made, any, differs;
    int64_t event_indexes = 0;
    enum db_outcome outcome = examine_all(db, &made, &any, &differs, NULL);

    *state = (struct schema_state){0};
    if (outcome != DB_OK)
        return outcome;
    state->foreign = any && !made;
    if (made)
        outcome = db_get_int(db, "SELECT max(\"version\") FROM \"jg_schema\"", 0, &state->version);
    if (outcome == DB_OK && made)
        outcome = db_get_int(db, "SELECT min(\"event_indexes\") FROM \"jg_schema\"", 0, &event_indexes);
    state->event_indexes = event_indexes;
    return outcome;
}

/* ---- digests ---- */

static enum db_outcome version_digest(struct db *db, int version, char hex[DIGEST_HEX])
{
    struct buf ddl = BUF_INIT(DDL_MAX);
    unsigned char digest[DIGEST_SIZE];

    schema_ddl_tables(db->dialect, version, &ddl);
    bool failed = ddl.failed || digest_sha256(ddl.data, ddl.len, digest);
    buf_free(&ddl);
    if (failed)
        return no_memory(db);
    text_hex(hex, digest, DIGEST_SIZE);
    return DB_OK;
}

static enum db_outcome compare_digest(struct db *db, int64_t version, const char *stored)
{
    char hex[DIGEST_HEX];
    enum db_outcome outcome = version_digest(db, (int)version, hex);

    if (outcome == DB_OK && (!stored || strcmp(stored, hex) != 0))
        outcome = db_fail(db, DB_REFUSED, 0,
                          "version %" PRId64 " of the schema was made by another build of jumpgate-reports, "
                          "whose tables differ: use that build, or collect into a new database",
                          version);
    return outcome;
}

static enum db_outcome check_digests(struct db *db)
{
    struct db_stmt *stmt;
    enum db_outcome outcome =
        db->ops->prepare(db, "SELECT \"version\", \"digest\" FROM \"jg_schema\" ORDER BY \"version\"", &stmt);

    if (outcome != DB_OK)
        return outcome;
    while ((outcome = db->ops->step(stmt)) == DB_ROW) {
        outcome = compare_digest(db, db->ops->column_int(stmt, 0), db->ops->column_text(stmt, 1, NULL));
        if (outcome != DB_OK)
            break;
    }
    db->ops->finalize(stmt);
    return outcome;
}

static enum db_outcome refuse_newer(struct db *db, int64_t version)
{
    return db_fail(db, DB_REFUSED, 0,
                   "the schema has version %" PRId64 ", newer than this program's %d: install the newer "
                   "jumpgate-reports",
                   version, SCHEMA_VERSION);
}

enum db_outcome schema_check(struct db *db)
{
    struct schema_state state;
    enum db_outcome outcome = schema_state(db, &state);

    if (outcome != DB_OK)
        return outcome;
    if (state.foreign)
        return db_fail(db, DB_REFUSED, 0,
                       "the database has tables that this program has not made (there is no jg_schema): "
                       "name another one; `jumpgate reports migrate --dry-run` lists what differs");
    if (state.version > SCHEMA_VERSION)
        return refuse_newer(db, state.version);
    if (state.version < SCHEMA_VERSION)
        return db_fail(db, DB_REFUSED, 0,
                       "the schema has version %" PRId64 ", this program needs %d: " HINT_MIGRATE,
                       state.version, SCHEMA_VERSION);
    return check_digests(db);
}

/* ---- bringing it up ---- */

static enum db_outcome record_version(struct db *db, int version, int64_t now, bool event_indexes)
{
    struct buf sql = BUF_INIT(DDL_MAX);
    char hex[DIGEST_HEX];
    struct db_stmt *stmt = NULL;
    enum db_outcome outcome = version_digest(db, version, hex);

    schema_insert(db->dialect, schema_table("jg_schema"), 1, &sql);
    const char *text = buf_cstr(&sql);
    if (outcome == DB_OK)
        outcome = text ? db->ops->prepare(db, text, &stmt) : no_memory(db);
    if (outcome == DB_OK) {
        db->ops->bind_int(stmt, 1, version);
        db->ops->bind_int(stmt, 2, now);
        db->ops->bind_text(stmt, 3, hex, sizeof(hex) - 1);
        db->ops->bind_int(stmt, 4, event_indexes);
        outcome = db_run(db, stmt);
    }
    db->ops->finalize(stmt);
    buf_free(&sql);
    return outcome;
}

static enum db_outcome run_version(struct db *db, int version)
{
    struct buf ddl = BUF_INIT(DDL_MAX);

    schema_ddl_version(db->dialect, version, &ddl);
    const char *text = ddl.failed ? NULL : buf_cstr(&ddl);
    enum db_outcome outcome = text ? db->ops->exec(db, text) : no_memory(db);
    buf_free(&ddl);
    return outcome;
}

static enum db_outcome apply(struct db *db, int version, int64_t now, bool event_indexes)
{
    enum db_outcome outcome = db->ops->begin(db, true);

    if (outcome == DB_OK)
        outcome = run_version(db, version);
    if (outcome == DB_OK && version == 1)
        outcome = db->ops->exec(db, "INSERT INTO \"jg_counter\" (\"seq\") SELECT 0 WHERE NOT EXISTS "
                                    "(SELECT 1 FROM \"jg_counter\")");
    if (outcome == DB_OK)
        outcome = record_version(db, version, now, event_indexes);
    crash_point("reports.migrate.before_commit");
    if (outcome == DB_OK)
        outcome = db->ops->commit(db);
    else
        db->ops->rollback(db);
    crash_point("reports.migrate.after_commit");
    return outcome;
}

/* A database without jg_schema: ours when it has no table of these names, or all columns of those it has. */
static enum db_outcome refuse_foreign(struct db *db, struct buf *said)
{
    bool made, any, differs;
    enum db_outcome outcome = examine_all(db, &made, &any, &differs, said);

    if (outcome == DB_OK && differs)
        outcome = db_fail(db, DB_REFUSED, 0,
                          "the database has tables of another program, whose columns differ: name another "
                          "database");
    return outcome;
}

enum db_outcome schema_migrate(struct db *db, int64_t now, bool vendor_indexes, bool dry_run,
                               struct buf *said)
{
    struct schema_state state;
    enum db_outcome outcome = schema_state(db, &state);

    if (outcome == DB_OK && state.version > SCHEMA_VERSION)
        return refuse_newer(db, state.version);
    if (outcome == DB_OK && state.foreign)
        outcome = refuse_foreign(db, said);
    if (outcome == DB_OK && state.version > 0)
        outcome = check_digests(db);
    bool event_indexes = state.version == 0 ? vendor_indexes : state.event_indexes;
    for (int v = (int)state.version + 1; outcome == DB_OK && v <= SCHEMA_VERSION; v++) {
        if (!dry_run)
            outcome = apply(db, v, now, event_indexes);
        if (outcome == DB_OK && said)
            (void)buf_printf(said, "version %d%s\n", v, dry_run ? " is to be applied" : " applied");
    }
    if (outcome == DB_OK && !dry_run)
        outcome = schema_vendor_indexes(db, vendor_indexes, event_indexes);
    return outcome;
}

/* ---- the vendor's indexes ---- */

static enum db_outcome change_index(struct db *db, const struct schema_index *x, bool drop)
{
    struct buf ddl = BUF_INIT(DDL_MAX);

    schema_ddl_index(db->dialect, x, drop, &ddl);
    const char *text = ddl.failed ? NULL : buf_cstr(&ddl);
    enum db_outcome outcome = text ? db->ops->exec(db, text) : no_memory(db);
    buf_free(&ddl);
    return outcome;
}

static enum db_outcome record_event_indexes(struct db *db, bool built)
{
    return db->ops->exec(db, built ? "UPDATE \"jg_schema\" SET \"event_indexes\" = 1"
                                   : "UPDATE \"jg_schema\" SET \"event_indexes\" = 0");
}

enum db_outcome schema_vendor_indexes(struct db *db, bool wanted, bool event_indexes)
{
    bool built = wanted && event_indexes;
    enum db_outcome outcome = built ? DB_OK : record_event_indexes(db, false);

    for (size_t i = 0; outcome == DB_OK && i < schema_nindexes; i++) {
        const struct schema_index *x = &schema_indexes[i];

        if (x->kind != INDEX_VENDOR && x->kind != INDEX_VENDOR_EVENT)
            continue;
        outcome = change_index(db, x, x->kind == INDEX_VENDOR ? !wanted : !built);
        crash_point("reports.migrate.index");
    }
    return outcome == DB_OK && built ? record_event_indexes(db, true) : outcome;
}
