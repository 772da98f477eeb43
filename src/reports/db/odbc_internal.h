/*
 * odbc_internal.h - what the files of the ODBC engine share; see odbc.c.
 */
#ifndef JG_REPORTS_DB_ODBC_INTERNAL_H
#define JG_REPORTS_DB_ODBC_INTERNAL_H

#include "reports/db/db.h"

#include <pthread.h>
#include <semaphore.h>
#include <sql.h>
#include <sqlext.h>
#include <stdatomic.h>
#include <sys/queue.h>

/* ---- texts (odbc_text.c): UTF-8 here, UTF-16 there, so that no driver asks for the locale ---- */

struct wide { /* grows */
    SQLWCHAR *units;
    size_t n, room;
};
/* Appends a text, ill-formed bytes as U+FFFD. False when memory runs out. */
bool wide_append(struct wide *, const char *text, size_t len);
bool wide_reserve(struct wide *, size_t more);
void wide_free(struct wide *); /* wipes */

struct narrow { /* grows */
    char *bytes;
    size_t n, room;
};
/* Appends n units as UTF-8 and a NUL, lone surrogates as U+FFFD. False when memory runs out. */
bool narrow_append(struct narrow *, const SQLWCHAR *units, size_t n);

/* ---- cancelling (odbc_cancel.c) ---- */

/*
 * A thread of its own cancels the running statement, and again every 100 ms while it runs: a cancel that
 * comes before the server has begun with the statement is lost, and to cancel may block as connecting does.
 */
struct canceller {
    pthread_t thread;
    pthread_mutex_t mutex;
    sem_t wake;
    SQLHSTMT running; /* SQL_NULL_HSTMT = none */
    bool stop;
    atomic_bool interrupted;
    atomic_uint_least64_t limit_ms; /* of the monotonic clock; 0 = none */
};
int canceller_start(struct canceller *); /* 0 or -errno */
void canceller_stop(struct canceller *);
void canceller_running(struct canceller *, SQLHSTMT); /* or SQL_NULL_HSTMT: it has ended */
void canceller_interrupt(struct canceller *);
void canceller_resume(struct canceller *);
void canceller_limit(struct canceller *, unsigned ms); /* from now; 0 = none */
bool canceller_forbids(const struct canceller *);      /* interrupted, or beyond the limit */

/* ---- connections (odbc_connect.c) ---- */

struct odbc_handle { /* the driver's part of a statement, which a lost connection takes with it */
    SQLHSTMT handle; /* SQL_NULL_HSTMT: not prepared on this connection */
    bool open;       /* the driver has rows to give */
    bool described;  /* the columns are known */
    LIST_ENTRY(odbc_handle) link;
};

struct odbc {
    struct db db; /* first */
    SQLHENV env;
    SQLHDBC dbc;
    bool connected;
    bool lost; /* the connection is of no use any more */
    bool in_transaction;
    bool spoilt;    /* a statement of the transaction failed */
    bool untouched; /* the transaction is for reading, and no statement has run in it */
    bool read_only;
    unsigned busy_ms, connect_timeout_s;
    struct db_login *login;
    char *secrets[2]; /* passwords of the last text of it, which no text of an error may hold; NULL */
    int64_t changes;
    SQLHSTMT plain;                   /* for exec(); SQL_NULL_HSTMT = not made */
    LIST_HEAD(, odbc_handle) handles; /* of all statements */
    struct canceller canceller;
};

static inline struct odbc *odbc_of(struct db *db)
{
    return (struct odbc *)(void *)db;
}

/* Outside of a transaction connects if that is needed; within one a lost connection is DB_AWAY. */
enum db_outcome odbc_ready(struct odbc *);
void odbc_disconnect(struct odbc *);
bool odbc_is_interrupted(struct odbc *);
/* Runs statements without parameters on the connection that is there. */
enum db_outcome odbc_run(struct odbc *, const char *sql);
/* The same of a text of the dialect, with the time to wait for locks in it; NULL = nothing to do. */
enum db_outcome odbc_run_dialect(struct odbc *, const char *text);
/* `call` with the text as UTF-16. */
SQLRETURN odbc_with_text(SQLHSTMT, const char *sql, SQLRETURN (*call)(SQLHSTMT, SQLWCHAR *, SQLINTEGER),
                         bool *no_memory);
/* Reads away what a statement that was run still has to say: counts, and failures of later parts of it. */
SQLRETURN odbc_drain(struct odbc *, SQLHSTMT, bool until_rows);
/* Its rows are given up; its handle too. */
void odbc_close_rows(struct odbc_handle *);
void odbc_release(struct odbc_handle *);

/* ---- transactions (odbc_transaction.c) ---- */

enum db_outcome odbc_begin(struct db *, bool write);
enum db_outcome odbc_commit(struct db *);
void odbc_rollback(struct db *);
/* An untouched transaction on a new connection, in place of one whose connection was old. */
enum db_outcome odbc_begin_again(struct odbc *);

/* ---- statements (odbc_stmt.c) ---- */

enum db_outcome odbc_prepare(struct db *, const char *sql, struct db_stmt **);
void odbc_finalize(struct db_stmt *);
void odbc_bind_int(struct db_stmt *, int n, int64_t value);
void odbc_bind_text(struct db_stmt *, int n, const char *text, size_t len);
void odbc_bind_null(struct db_stmt *, int n);
enum db_outcome odbc_step(struct db_stmt *);
void odbc_reset(struct db_stmt *);
bool odbc_column_is_null(struct db_stmt *, int n);
int64_t odbc_column_int(struct db_stmt *, int n);
const char *odbc_column_text(struct db_stmt *, int n, size_t *len);
void odbc_finalize_all(struct odbc *);

/* ---- errors (odbc_error.c) ---- */

/* Reads the diagnosis of a failed call into db->error. */
enum db_outcome odbc_failed(struct odbc *, SQLSMALLINT handle_type, SQLHANDLE);
enum db_outcome odbc_no_memory(struct odbc *);
/* The outcome of a diagnosis; `native` is the server's own number (SQL Server). */
enum db_outcome odbc_outcome(enum db_engine, const char *state, int native);
/* The passwords in a connection string. False when memory runs out. */
bool odbc_find_secrets(const char *connect, char *secrets[2]);
void odbc_forget_secrets(char *secrets[2]);

/* ---- opening (odbc.c) ---- */

/* What open() of both engines is. */
enum db_outcome odbc_open(const struct db_ops *, const struct dialect *, const struct db_params *,
                          struct db **, struct db_error *);

#endif
