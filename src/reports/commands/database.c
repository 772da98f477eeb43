/* SPDX-License-Identifier: Apache-2.0 */
/*
 * database.c - the database of a configuration; see database.h.
 */
#include "reports/commands/database.h"

#include "base/memory/secret.h"
#include "reports/db/server.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BUSY_MS      10000
#define WRITER_CACHE 16384 /* KiB */
#define READER_CACHE 8192

static enum db_outcome __attribute__((format(printf, 3, 4)))
fail(struct db_error *error, enum db_outcome outcome, const char *fmt, ...)
{
    va_list ap;

    *error = (struct db_error){.outcome = outcome};
    va_start(ap, fmt);
    (void)vsnprintf(error->text, sizeof(error->text), fmt, ap);
    va_end(ap);
    return outcome;
}

static enum db_engine engine_of(const struct reports_database *b)
{
    static const enum db_engine engines[] = {[REPORTS_SQLITE] = DB_SQLITE,
                                             [REPORTS_POSTGRESQL] = DB_POSTGRESQL,
                                             [REPORTS_SQLSERVER] = DB_SQLSERVER};

    return engines[b->type];
}

static struct db_server server_of(const struct reports_database *b)
{
    return (struct db_server){.engine = engine_of(b),
                              .driver = b->driver,
                              .server = b->server,
                              .port = b->port,
                              .database = b->database,
                              .user = b->user,
                              .ca_file = b->ca_file,
                              .options = b->options,
                              .connect_timeout_ms = b->connect_timeout_ms};
}

/* The connection string for a login, whose password is in a file. */
static enum db_outcome connect_string(struct db_server server, const char *password_file, char **connect,
                                      struct db_error *error)
{
    struct buf text = BUF_SECRET(DB_CONNECT_MAX);
    struct secret password = {0};
    char why[80] = "";
    enum db_outcome outcome;

    if (password_file && secret_read_line(&password, password_file, why))
        return fail(error, DB_REFUSED, "%.200s %s", password_file, why);
    server.password = password.p;
    outcome = db_server_connect(&server, &text, error);
    secret_clear(&password);
    const char *whole = outcome == DB_OK ? buf_cstr(&text) : NULL;
    *connect = whole ? strdup(whole) : NULL;
    buf_free(&text);
    return outcome == DB_OK && !*connect ? fail(error, DB_NO_MEMORY, "out of memory") : outcome;
}

void database_discard(struct database_logins *l)
{
    db_login_wipe(l->writer);
    db_login_wipe(l->reader);
    *l = (struct database_logins){NULL, NULL};
}

enum db_outcome database_read_logins(const struct reports_conf *conf, struct database_logins *l,
                                     struct db_error *error)
{
    const struct reports_database *b = &conf->database;
    struct db_server writer = server_of(b), reader = writer;

    *l = (struct database_logins){NULL, NULL};
    if (b->type == REPORTS_SQLITE)
        return DB_OK;
    reader.read_only = true;
    if (b->read_user)
        reader.user = b->read_user;
    enum db_outcome outcome = connect_string(writer, b->password_file, &l->writer, error);
    if (outcome == DB_OK)
        outcome = connect_string(reader, b->read_user ? b->read_password_file : b->password_file, &l->reader,
                                 error);
    if (outcome != DB_OK)
        database_discard(l);
    return outcome;
}

void database_take_logins(struct database *d, struct database_logins *l)
{
    if (l->writer)
        db_login_renew(d->login, l->writer);
    if (l->reader)
        db_login_renew(d->read_login, l->reader);
    *l = (struct database_logins){NULL, NULL};
}

static enum db_outcome make_logins(struct database *d, const struct reports_conf *conf,
                                   struct db_error *error)
{
    struct database_logins texts;
    enum db_outcome outcome = database_read_logins(conf, &texts, error);

    if (outcome != DB_OK)
        return outcome;
    d->login = db_login_new(texts.writer);
    d->read_login = db_login_new(texts.reader);
    database_discard(&texts);
    return d->login && d->read_login ? DB_OK : fail(error, DB_NO_MEMORY, "out of memory");
}

static enum db_outcome prepare_server(struct database *d, const struct reports_conf *conf, bool load_driver,
                                      struct db_error *error)
{
    const struct reports_database *b = &conf->database;
    struct db_server server = server_of(b);
    enum db_outcome outcome = make_logins(d, conf, error);

    if (outcome == DB_OK && load_driver)
        outcome = db_server_prepare(&server, conf->reports.state_dir, error);
    if (outcome != DB_OK)
        return outcome;
    d->ops = db_server_ops(server.engine);
    d->writer = d->layouts = d->reader = (struct db_params){
        .login = d->login, .busy_ms = BUSY_MS, .connect_ms = (unsigned)b->connect_timeout_ms};
    d->reader.login = d->read_login;
    d->reader.read_only = true;
    return DB_OK;
}

enum db_outcome database_prepare(struct database *d, const struct reports_conf *conf, bool load_driver,
                                 struct db_error *error)
{
    const struct reports_database *b = &conf->database;

    *d = (struct database){.vendor_indexes = b->vendor_indexes, .full_check_max = b->full_check_max};
    if (asprintf(&d->lock_file, "%s/collector.lock", conf->reports.state_dir) < 0) {
        d->lock_file = NULL;
        return fail(error, DB_NO_MEMORY, "out of memory");
    }
    if (b->type != REPORTS_SQLITE)
        return prepare_server(d, conf, load_driver, error);
    d->ops = &db_sqlite;
    d->writer = (struct db_params){.path = b->path, .busy_ms = BUSY_MS, .cache_kib = WRITER_CACHE};
    d->layouts = (struct db_params){.path = b->path, .busy_ms = BUSY_MS, .full_sync = true};
    d->reader =
        (struct db_params){.path = b->path, .busy_ms = BUSY_MS, .cache_kib = READER_CACHE, .read_only = true};
    return DB_OK;
}

bool database_is_missing(const struct database *d)
{
    return d->writer.path && access(d->writer.path, F_OK) && errno == ENOENT;
}

void database_free(struct database *d)
{
    db_login_unref(d->login);
    db_login_unref(d->read_login);
    d->login = d->read_login = NULL;
    free(d->lock_file);
    d->lock_file = NULL;
}

struct report_store *database_store(const struct database *d, bool migrate, struct db_error *error)
{
    const struct store_params params = {.ops = d->ops,
                                        .db = d->writer,
                                        .vendor_indexes = d->vendor_indexes,
                                        .verify_whole_max = d->full_check_max,
                                        .migrate = migrate};

    return store_open(&params, time(NULL), error);
}

enum db_outcome database_lock(const struct database *d, struct report_store *store, const char *command,
                              struct db_lock **lock, struct db_error *error)
{
    char host[HOST_NAME_MAX + 1] = "", holder[DB_HOLDER_SIZE];
    enum db_outcome outcome;

    (void)gethostname(host, sizeof(host) - 1);
    host[strcspn(host, ".")] = '\0';
    (void)snprintf(holder, sizeof(holder), "reports %s, %.24s, process %d", command, host, (int)getpid());
    outcome = db_lock_take(store_db(store), d->lock_file, holder, lock);
    if (outcome != DB_OK)
        *error = store_db(store)->error;
    return outcome;
}

int database_errno(enum db_outcome outcome)
{
    switch (outcome) {
    case DB_OK: return 0;
    case DB_BUSY: return -EBUSY;
    case DB_AWAY: return -EIO;
    case DB_FULL: return -ENOSPC;
    case DB_NO_MEMORY: return -ENOMEM;
    case DB_INTERRUPTED: return -EINTR;
    default: return -EINVAL;
    }
}
