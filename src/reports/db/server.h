/*
 * server.h - a database server of `[database]`: its connection string, and what its driver needs before
 * there are threads and a sandbox.
 *
 *     db_server_prepare()  once, before threads and sandbox: the driver and its files
 *     db_server_connect()  the connection string for db_params.connect: a secret
 *
 * Rules: values stand in braces with each `}` doubled; `options` stands behind them as it is, and must hold
 * no password. TLS with verification of the server's name is the default; `options` may change that only for
 * a server on a loopback address or a Unix socket.
 *
 * Not here: connecting (odbc.c), reading the password's file.
 */
#ifndef JG_REPORTS_DB_SERVER_H
#define JG_REPORTS_DB_SERVER_H

#include "base/buf.h"
#include "reports/db/db.h"

#define DB_CONNECT_MAX 16384 /* bytes of a connection string */

struct db_server {         /* NULL, "" and 0 = the engine's own */
    enum db_engine engine; /* DB_POSTGRESQL or DB_SQLSERVER */
    const char *driver;    /* as odbcinst.ini names it */
    const char *server;    /* name, address, or the folder of a Unix socket; by default localhost */
    uint64_t port;
    const char *database; /* by default BGSessions */
    const char *user, *password;
    const char *ca_file; /* by default the system's authorities */
    const char *options;
    uint64_t connect_timeout_ms;
    bool read_only; /* for the page's connections */
};

/* Appends the connection string. DB_REFUSED: a rule is broken, and *error names it. Of the buffer the caller
 * makes DB_CONNECT_MAX bytes, and frees it. */
enum db_outcome db_server_connect(const struct db_server *, struct buf *connect, struct db_error *error);

/* Checks the rules, loads the driver for good, and writes and names `state_dir`/freetds.conf where FreeTDS
 * reads it. DB_AWAY: the driver is not installed; *error names the package. */
enum db_outcome db_server_prepare(const struct db_server *, const char *state_dir, struct db_error *error);

/* The operations for the engine. */
const struct db_ops *db_server_ops(enum db_engine);

#endif
