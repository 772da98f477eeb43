/* SPDX-License-Identifier: Apache-2.0 */
/*
 * db.c - what is the same for every engine; see db.h.
 */
#include "reports/db/db.h"

#include <stdarg.h>
#include <stdio.h>

const char *db_outcome_name(enum db_outcome outcome)
{
    static const char *const names[DB_NOUTCOMES] = {
        [DB_OK] = "ok",
        [DB_ROW] = "row",
        [DB_CONSTRAINT] = "constraint",
        [DB_BUSY] = "busy",
        [DB_AWAY] = "away",
        [DB_FULL] = "full",
        [DB_DAMAGED] = "damaged",
        [DB_INTERRUPTED] = "interrupted",
        [DB_REFUSED] = "refused",
        [DB_NO_MEMORY] = "no_memory",
        [DB_FAILED] = "failed",
    };

    return names[outcome];
}

enum db_outcome db_fail(struct db *db, enum db_outcome outcome, int code, const char *fmt, ...)
{
    va_list ap;

    db->error.outcome = outcome;
    db->error.code = code;
    va_start(ap, fmt);
    (void)vsnprintf(db->error.text, sizeof(db->error.text), fmt, ap);
    va_end(ap);
    return outcome;
}

enum db_outcome db_run(struct db *db, struct db_stmt *stmt)
{
    enum db_outcome outcome = db->ops->step(stmt);

    db->ops->reset(stmt);
    return outcome == DB_ROW ? DB_OK : outcome;
}

enum db_outcome db_get_int(struct db *db, const char *sql, int64_t absent, int64_t *value)
{
    struct db_stmt *stmt;
    enum db_outcome outcome = db->ops->prepare(db, sql, &stmt);

    *value = absent;
    if (outcome != DB_OK)
        return outcome;
    outcome = db->ops->step(stmt);
    if (outcome == DB_ROW && !db->ops->column_is_null(stmt, 0))
        *value = db->ops->column_int(stmt, 0);
    db->ops->finalize(stmt);
    return outcome == DB_ROW ? DB_OK : outcome;
}
