/*
 * database.h - the database of a configuration: which engine, how its connections are opened, and what a
 * failure means for the exit code.
 */
#ifndef JG_REPORTS_COMMANDS_DATABASE_H
#define JG_REPORTS_COMMANDS_DATABASE_H

#include "reports/conf/reports_conf.h"
#include "reports/db/lock.h"
#include "reports/store/store.h"

struct database {
    const struct db_ops *ops;
    struct db_params writer;             /* of the collector */
    struct db_params layouts;            /* of the page: writes that must be on disk */
    struct db_params reader;             /* of the page: nothing but reading */
    struct db_login *login, *read_login; /* of a server; NULL with SQLite */
    char *lock_file;                     /* SQLite's */
    bool vendor_indexes;
    uint64_t full_check_max;
};

/* Reads passwords and, where `load_driver`, loads the driver for good: before threads and sandbox. The
 * configuration outlives it. DB_OK, or *error; database_free() in both cases. */
enum db_outcome database_prepare(struct database *, const struct reports_conf *, bool load_driver,
                                 struct db_error *);
void database_free(struct database *);

/* Is there no file of SQLite yet? A writer would make it. */
bool database_is_missing(const struct database *);

/* A reload: connections that are made from then on have the new passwords. */
struct database_logins { /* connection strings, secret; NULL with SQLite */
    char *writer, *reader;
};
/* Reads the password files. DB_OK, or *error and nothing to discard. */
enum db_outcome database_read_logins(const struct reports_conf *, struct database_logins *,
                                     struct db_error *);
void database_take_logins(struct database *, struct database_logins *);
void database_discard(struct database_logins *);

/* The collector's store, with its schema brought up where `migrate`. NULL and *error. */
struct report_store *database_store(const struct database *, bool migrate, struct db_error *);
/* Takes the lock of the one collector for `command` ("run"). DB_BUSY: the error names the holder. */
enum db_outcome database_lock(const struct database *, struct report_store *, const char *command,
                              struct db_lock **, struct db_error *);

/* -errno, from which the exit code of a start follows (commands/line/exit.h). */
int database_errno(enum db_outcome);

#endif
