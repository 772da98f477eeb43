/* SPDX-License-Identifier: Apache-2.0 */
/*
 * server.c - connection strings, the rules they keep, and loading the driver; see server.h.
 */
#include "reports/db/server.h"

#include "base/address.h"
#include "base/text.h"

#include <dlfcn.h>
#include <errno.h>
#include <inttypes.h>
#include <odbcinst.h>
#include <sql.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_SERVER   "localhost"
#define DEFAULT_DATABASE "BGSessions"
#define DEFAULT_CA       "/etc/ssl/certs/ca-certificates.crt"
#define PROGRAM          "jumpgate-reports"
#define FREETDS          "FreeTDS"
#define KEY_SIZE         64
#define PATH_SIZE        4096

static enum db_outcome refuse(struct db_error *error, enum db_outcome outcome, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static enum db_outcome refuse(struct db_error *error, enum db_outcome outcome, const char *fmt, ...)
{
    va_list ap;

    *error = (struct db_error){.outcome = outcome};
    va_start(ap, fmt);
    (void)vsnprintf(error->text, sizeof(error->text), fmt, ap);
    va_end(ap);
    return outcome;
}

static bool is_set(const char *text)
{
    return text && *text;
}

static const char *or_else(const char *text, const char *otherwise)
{
    return is_set(text) ? text : otherwise;
}

static const char *driver_of(const struct db_server *s)
{
    return or_else(s->driver, s->engine == DB_POSTGRESQL ? "PostgreSQL Unicode" : FREETDS);
}

static bool is_freetds(const struct db_server *s)
{
    return s->engine == DB_SQLSERVER && text_equal_nocase(driver_of(s), FREETDS);
}

/* The bytes do not leave this machine. */
static bool is_local(const struct db_server *s)
{
    return !is_set(s->server) || *s->server == '/' || address_is_loopback(s->server);
}

/* ---- `options` ---- */

struct option {
    char key[KEY_SIZE];
    const char *value; /* within `options`, braces included */
    size_t len;
};

/* The next key=value; NULL at the end, or where there is none (then *broken). */
static const char *next_option(const char *p, struct option *o, bool *broken)
{
    p += strspn(p, "; ");
    if (!*p)
        return NULL;
    size_t n = strcspn(p, "=;");
    *broken = p[n] != '=' || n == 0 || n >= KEY_SIZE;
    if (*broken)
        return NULL;
    (void)text_copy_n(o->key, sizeof(o->key), p, n);
    for (size_t i = strlen(o->key); i && o->key[i - 1] == ' ';)
        o->key[--i] = 0;
    o->value = p + n + 1;
    const char *end = o->value;
    if (*end == '{')
        while (*end && (*end != '}' || *++end == '}'))
            end++;
    end += strcspn(end, ";");
    o->len = (size_t)(end - o->value);
    return end;
}

static bool has_text(const struct option *o, const char *text)
{
    size_t n = strlen(text);

    for (size_t i = 0; i + n <= o->len; i++)
        if (text_equal_nocase_n(o->value + i, n, text, n))
            return true;
    return false;
}

/* Keys that have a key of their own in `[database]`. */
static const char *const owned[] = {"Driver",   "DSN",  "FileDSN",     "Servername", "Server", "Address",
                                    "Addr",     "Port", "Database",    "Username",   "UID",    "User",
                                    "Password", "PWD",  "LoginPrompt", "SaveFile"};

/* Keys on which TLS hangs, and the values that leave it whole. */
static const struct {
    const char *key, *values[3];
} tls_keys[] = {
    {"SSLmode", {"verify-full"}},          {"CA", {NULL}}, /* the PostgreSQL driver's short form of it */
    {"Encryption", {"require", "strict"}}, {"Encrypt", {"yes", "mandatory", "strict"}},
    {"TrustServerCertificate", {"no"}},    {"HostNameInCertificate", {NULL}},
    {"ServerCertificate", {NULL}},
};

static bool weakens_tls(const struct option *o)
{
    for (size_t i = 0; i < sizeof(tls_keys) / sizeof(*tls_keys); i++) {
        if (!text_equal_nocase(o->key, tls_keys[i].key))
            continue;
        for (size_t j = 0; j < 3 && tls_keys[i].values[j]; j++)
            if (text_equal_nocase_n(o->value, o->len, tls_keys[i].values[j], strlen(tls_keys[i].values[j])))
                return false;
        return true;
    }
    return text_equal_nocase(o->key, "pqopt") && (has_text(o, "ssl") || has_text(o, "host"));
}

static enum db_outcome check_option(const struct db_server *s, const struct option *o, struct db_error *error)
{
    for (size_t i = 0; i < sizeof(owned) / sizeof(*owned); i++)
        if (text_equal_nocase(o->key, owned[i]))
            return refuse(error, DB_REFUSED, "options: %s has a key of its own in [database]", owned[i]);
    if (has_text(o, "password") || has_text(o, "passfile"))
        return refuse(error, DB_REFUSED, "options: a password stands in password_file, not in %s", o->key);
    if (!is_local(s) && weakens_tls(o))
        return refuse(error, DB_REFUSED,
                      "options: %s would leave out TLS or its checks, which only a server on this machine "
                      "may do without",
                      o->key);
    return DB_OK;
}

/* What the PostgreSQL driver takes without braces only. */
static enum db_outcome check_plain(const struct db_server *s, struct db_error *error)
{
    const struct {
        const char *key, *value;
    } rows[] = {{"server", s->server}, {"database", s->database}, {"user", s->user}};

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        if (is_set(rows[i].value) && strpbrk(rows[i].value, ";{}"))
            return refuse(error, DB_REFUSED,
                          "%s: the PostgreSQL driver takes no semicolon and no brace in it", rows[i].key);
    return DB_OK;
}

static enum db_outcome check(const struct db_server *s, struct db_error *error)
{
    struct option option;
    bool broken = false;
    enum db_outcome outcome = s->engine == DB_POSTGRESQL ? check_plain(s, error) : DB_OK;

    for (const char *p = s->options ? s->options : "";
         outcome == DB_OK && (p = next_option(p, &option, &broken));)
        outcome = check_option(s, &option, error);
    if (outcome == DB_OK && broken)
        outcome = refuse(error, DB_REFUSED, "options: key=value, separated by semicolons");
    if (outcome == DB_OK && s->engine == DB_SQLSERVER && !is_freetds(s) && is_set(s->ca_file))
        outcome =
            refuse(error, DB_REFUSED,
                   "ca_file: the driver %.80s takes the system's authorities; it is for " FREETDS " alone",
                   driver_of(s));
    return outcome;
}

/* ---- strings ---- */

/* {value}, each } doubled. */
static void add_braced(struct buf *b, const char *key, const char *value)
{
    (void)buf_str(b, key);
    (void)buf_str(b, "={");
    for (const char *p = value ? value : ""; *p; p++)
        (void)buf_append(b, *p == '}' ? "}}" : p, *p == '}' ? 2 : 1);
    (void)buf_str(b, "};");
}

static void add_number(struct buf *b, const char *key, uint64_t value)
{
    (void)buf_printf(b, "%s=%" PRIu64 ";", key, value);
}

/* A value of libpq's own list: 'value' with \ before ' and \. */
static void add_libpq(struct buf *b, const char *key, const char *value)
{
    (void)buf_printf(b, "%s=", key);
    bool plain = *value && !value[strcspn(value, " '\\")];
    (void)buf_str(b, plain ? "" : "'");
    for (const char *p = value; *p; p++) {
        if (*p == '\'' || *p == '\\')
            (void)buf_char(b, '\\');
        (void)buf_char(b, *p);
    }
    (void)buf_str(b, plain ? " " : "' ");
}

static void add_postgresql(const struct db_server *s, struct buf *b)
{
    struct buf libpq = BUF_INIT(DB_CONNECT_MAX);

    add_braced(b, "Driver", driver_of(s));
    /* The driver leaves the braces of these three where they are: check_plain(). */
    (void)buf_printf(b, "Servername=%s;", or_else(s->server, DEFAULT_SERVER));
    add_number(b, "Port", s->port ? s->port : 5432);
    (void)buf_printf(b, "Database=%s;Username=%s;", or_else(s->database, DEFAULT_DATABASE),
                     or_else(s->user, ""));
    add_braced(b, "Password", s->password);
    (void)buf_str(b, "SSLmode=verify-full;");
    add_libpq(&libpq, "sslrootcert", or_else(s->ca_file, DEFAULT_CA));
    (void)buf_printf(&libpq,
                     "connect_timeout=%" PRIu64 " application_name=" PROGRAM
                     " gssencmode=disable keepalives_idle=60 keepalives_interval=10"
                     " keepalives_count=3 tcp_user_timeout=60000",
                     s->connect_timeout_ms ? (s->connect_timeout_ms + 999) / 1000 : 10);
    const char *text = buf_cstr(&libpq);
    if (text)
        add_braced(b, "pqopt", text);
    b->failed |= libpq.failed || !text;
    buf_free(&libpq);
    /* Readers take large results in parts, by a cursor; writers have small ones, which cost a third of the
     * calls without. 7.4-1: a failure ends the transaction, and not each statement has a savepoint. */
    (void)buf_printf(b,
                     "UseDeclareFetch=%d;Fetch=1000;UseServerSidePrepare=1;BoolsAsChar=0;LFConversion=0;"
                     "Protocol=7.4-1;Debug=0;CommLog=0;",
                     s->read_only);
}

static void add_sqlserver(const struct db_server *s, struct buf *b)
{
    char place[ADDRESS_HOST_SIZE + 16];
    const char *server = or_else(s->server, DEFAULT_SERVER);
    uint64_t port = s->port ? s->port : 1433;

    add_braced(b, "Driver", driver_of(s));
    (void)snprintf(place, sizeof(place), "%s,%" PRIu64, server, port);
    add_braced(b, "Server", is_freetds(s) ? server : place);
    if (is_freetds(s))
        add_number(b, "Port", port);
    add_braced(b, "Database", or_else(s->database, DEFAULT_DATABASE));
    add_braced(b, "UID", s->user);
    add_braced(b, "PWD", s->password);
    (void)buf_str(b, is_freetds(s) ? "TDS_Version=7.4;ClientCharset=UTF-8;Encryption=require;"
                                   : "Encrypt=yes;TrustServerCertificate=no;");
    (void)buf_str(b, "APP=" PROGRAM ";");
    if (s->read_only)
        (void)buf_str(b, "ApplicationIntent=ReadOnly;");
}

enum db_outcome db_server_connect(const struct db_server *s, struct buf *b, struct db_error *error)
{
    enum db_outcome outcome = check(s, error);

    if (outcome != DB_OK)
        return outcome;
    if (s->engine == DB_POSTGRESQL)
        add_postgresql(s, b);
    else
        add_sqlserver(s, b);
    if (is_set(s->options))
        (void)buf_printf(b, "%s;", s->options);
    return b->failed
               ? refuse(error, DB_REFUSED, "the connection string is longer than %d bytes", DB_CONNECT_MAX)
               : DB_OK;
}

const struct db_ops *db_server_ops(enum db_engine engine)
{
    return engine == DB_POSTGRESQL ? &db_postgresql : engine == DB_SQLSERVER ? &db_sqlserver : &db_sqlite;
}

/* ---- the driver ---- */

static const char *package_of(const struct db_server *s)
{
    return s->engine == DB_POSTGRESQL ? "odbc-postgresql"
           : is_freetds(s)            ? "tdsodbc"
                                      : "of the driver's vendor";
}

/* A name without a folder is in the folder `odbc` beside the driver manager. */
static void *load_beside(const char *name)
{
    Dl_info manager;
    char path[PATH_SIZE];

    if (strchr(name, '/') || !dladdr((void *)(uintptr_t)SQLAllocHandle, &manager) || !manager.dli_fname)
        return NULL;
    const char *slash = strrchr(manager.dli_fname, '/');
    int n = snprintf(path, sizeof(path), "%.*s/odbc/%s", slash ? (int)(slash - manager.dli_fname) : 1,
                     slash ? manager.dli_fname : ".", name);
    return n > 0 && (size_t)n < sizeof(path) ? dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE) : NULL;
}

/* For good, so that connecting maps nothing into memory any more. */
static enum db_outcome load_driver(const struct db_server *s, struct db_error *error)
{
    char name[PATH_SIZE] = "";
    const char *driver = driver_of(s);

    if (SQLGetPrivateProfileString(driver, "Driver", "", name, sizeof(name), "odbcinst.ini") <= 0 || !*name)
        return refuse(error, DB_AWAY,
                      "the ODBC driver %.80s is not installed: install the package %s, or name another one "
                      "in [database] driver",
                      driver, package_of(s));
    if (load_beside(name) || dlopen(name, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE))
        return DB_OK;
    const char *why = dlerror();
    return refuse(error, DB_AWAY, "the ODBC driver %.80s cannot be loaded: %.160s", driver, why ? why : name);
}

static enum db_outcome write_freetds(const struct db_server *s, const char *path, struct db_error *error)
{
    char temporary[PATH_SIZE];
    int n = snprintf(temporary, sizeof(temporary), "%s.new", path);
    FILE *f = n > 0 && (size_t)n < sizeof(temporary) ? fopen(temporary, "we") : NULL;

    if (!f)
        return refuse(error, DB_AWAY, "%.200s: %s", path, strerror(errno));
    (void)fprintf(f,
                  "# Written at each start by " PROGRAM
                  ".\n[global]\n\ttds version = 7.4\n\tclient charset = UTF-8\n"
                  "\ttext size = 2147483647\n\tconnect timeout = %" PRIu64 "\n",
                  s->connect_timeout_ms ? (s->connect_timeout_ms + 999) / 1000 : 10);
    (void)fprintf(f, "\tencryption = require\n\tca file = %s\n\tcheck certificate hostname = yes\n",
                  or_else(s->ca_file, "system"));
    bool failed = ferror(f);
    failed |= fclose(f) != 0;
    if (failed || rename(temporary, path)) {
        int err = errno;
        (void)unlink(temporary);
        return refuse(error, err == ENOSPC ? DB_FULL : DB_AWAY, "%.200s: %s", path, strerror(err));
    }
    return DB_OK;
}

enum db_outcome db_server_prepare(const struct db_server *s, const char *state_dir, struct db_error *error)
{
    char path[PATH_SIZE];
    enum db_outcome outcome = check(s, error);

    if (outcome == DB_OK && is_freetds(s)) {
        int n = snprintf(path, sizeof(path), "%s/freetds.conf", state_dir);
        if (n < 0 || (size_t)n >= sizeof(path))
            return refuse(error, DB_AWAY, "state_dir is too long");
        outcome = write_freetds(s, path, error);
        if (outcome == DB_OK && setenv("FREETDSCONF", path, 1))
            outcome = refuse(error, DB_NO_MEMORY, "out of memory");
    }
    return outcome == DB_OK ? load_driver(s, error) : outcome;
}
