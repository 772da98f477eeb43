/*
 * db_check.h - SQL text run on a connection; the test fails where that fails.
 */
#ifndef JG_TESTS_DB_CHECK_H
#define JG_TESTS_DB_CHECK_H

#include "check.h"
#include "reports/db/db.h"

static inline void exec_ok(struct db *db, const char *sql)
{
    if (db->ops->exec(db, sql) != DB_OK)
        fail_msg("%s: %s", sql, db->error.text);
}

static inline int64_t get_int(struct db *db, const char *sql)
{
    int64_t value;

    if (db_get_int(db, sql, -1, &value) != DB_OK)
        fail_msg("%s: %s", sql, db->error.text);
    return value;
}

#endif
