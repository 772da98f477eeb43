/* SPDX-License-Identifier: Apache-2.0 */
/*
 * odbc_error.c - what a driver says about a failure as an outcome and a text; see odbc_internal.h.
 *
 * The text is the server's, with passwords of the connection string left out wherever they stand in it.
 */
#include "base/text.h"
#include "reports/db/odbc_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MESSAGE_UNITS 512
#define STATE_LEN     5
#define HIDDEN        "***"

/* By the beginning of the SQLSTATE, the first that fits. */
static const struct {
    const char *state;
    enum db_outcome outcome;
} by_state[] = {
    {"01004", DB_FAILED},      /* cut: nothing here reads into a place of fixed size */
    {"08", DB_AWAY},           /* connection */
    {"57P", DB_AWAY},          /* shut down, crashed, starting; the database was dropped */
    {"53300", DB_AWAY},        /* too many connections */
    {"IM", DB_AWAY},           /* the driver is not installed */
    {"HYT01", DB_AWAY},        /* time-out of the connection */
    {"57014", DB_INTERRUPTED}, /* cancelled */
    {"HY008", DB_INTERRUPTED}, {"HYT00", DB_BUSY}, /* time-out of a statement */
    {"55P03", DB_BUSY},                            /* time-out of a lock */
    {"40", DB_BUSY},                               /* deadlock, serialization: the same once more succeeds */
    {"23", DB_CONSTRAINT},     {"44", DB_CONSTRAINT},   {"22", DB_CONSTRAINT}, /* a value is not allowed */
    {"53100", DB_FULL},        {"53", DB_AWAY}, /* the server is short of something else */
    {"58", DB_AWAY},                            /* its system fails */
    {"XX001", DB_DAMAGED},     {"XX002", DB_DAMAGED},   {"25006", DB_REFUSED}, /* read only */
    {"28", DB_REFUSED},                                                        /* user or password */
    {"3D", DB_REFUSED},                                                        /* no such database */
    {"42501", DB_REFUSED},                                                     /* no right */
    {"HY001", DB_NO_MEMORY},   {"HY014", DB_NO_MEMORY},
};

/* SQL Server's own numbers, since its drivers have one SQLSTATE for most of them. */
static const struct {
    int native;
    enum db_outcome outcome;
} by_native[] = {
    {1205, DB_BUSY},       /* deadlock */
    {1222, DB_BUSY},       /* time-out of a lock */
    {3960, DB_BUSY},       /* conflict of snapshots */
    {51222, DB_BUSY},      /* the writer's lock (dialect.c) */
    {515, DB_CONSTRAINT},  /* null */
    {547, DB_CONSTRAINT},  /* foreign key, check */
    {2601, DB_CONSTRAINT}, /* unique index */
    {2627, DB_CONSTRAINT}, /* key */
    {2628, DB_CONSTRAINT}, /* text too long */
    {8152, DB_CONSTRAINT}, /* the same, older */
    {1101, DB_FULL},       /* no page */
    {1105, DB_FULL},       /* no extent */
    {9002, DB_FULL},       /* log */
    {823, DB_DAMAGED},     /* reading a page */
    {824, DB_DAMAGED},     /* a page's check sum */
    {229, DB_REFUSED},     /* no right on the object */
    {230, DB_REFUSED},     /* on the column */
    {262, DB_REFUSED},     /* in the database */
    {297, DB_REFUSED},     /* of the server */
    {300, DB_REFUSED},     /* likewise */
    {916, DB_REFUSED},     /* the database is not the login's */
    {3906, DB_REFUSED},    /* read only */
    {4060, DB_REFUSED},    /* no such database */
    {18456, DB_REFUSED},   /* log-in */
    {596, DB_AWAY},        /* the session was ended */
    {6005, DB_AWAY},       /* shutting down */
    {17142, DB_AWAY},      /* paused */
    {701, DB_AWAY},        /* memory of the server */
    {8645, DB_AWAY},       /* likewise */
};

enum db_outcome odbc_outcome(enum db_engine engine, const char *state, int native)
{
    for (size_t i = 0; engine == DB_SQLSERVER && i < sizeof(by_native) / sizeof(*by_native); i++)
        if (by_native[i].native == native)
            return by_native[i].outcome;
    for (size_t i = 0; i < sizeof(by_state) / sizeof(*by_state); i++)
        if (strncmp(state, by_state[i].state, strlen(by_state[i].state)) == 0)
            return by_state[i].outcome;
    return DB_FAILED;
}

/* ---- passwords ---- */

/* The value in braces that begins at `p`, each doubled brace as one. */
static char *braced(const char *p)
{
    char *value = malloc(strlen(p) + 1);
    size_t n = 0;

    for (; value && *p && (*p != '}' || p[1] == '}'); p++) {
        p += *p == '}';
        value[n++] = *p;
    }
    if (value)
        value[n] = 0;
    return value;
}

bool odbc_find_secrets(const char *connect, char *secrets[2])
{
    static const char *const keys[2] = {";Password={", ";PWD={"};

    for (int i = 0; i < 2; i++) {
        const char *at = strstr(connect, keys[i]);

        secrets[i] = at ? braced(at + strlen(keys[i])) : NULL;
        if (at && !secrets[i])
            return false;
    }
    return true;
}

void odbc_forget_secrets(char *secrets[2])
{
    for (int i = 0; i < 2; i++) {
        db_login_wipe(secrets[i]);
        secrets[i] = NULL;
    }
}

static void hide(char *text, size_t size, const char *secret)
{
    size_t len = secret ? strlen(secret) : 0;

    for (char *at = text; len && (at = strstr(at, secret)); at += strlen(HIDDEN)) {
        char rest[DB_TEXT_SIZE * 4];

        (void)text_copy(rest, sizeof(rest), at + len);
        (void)snprintf(at, size - (size_t)(at - text), HIDDEN "%s", rest);
        if (strlen(at) < strlen(HIDDEN))
            return;
    }
}

/* ---- diagnoses ---- */

/* Blanks in place of line ends, and without the drivers' names at the beginning. */
static char *tidy(char *text)
{
    for (char *p = text; *p; p++)
        if ((unsigned char)*p < ' ')
            *p = ' ';
    while (*text == '[' && strchr(text, ']'))
        text = strchr(text, ']') + 1;
    while (*text == ' ')
        text++;
    for (size_t n = strlen(text); n && text[n - 1] == ' ';)
        text[--n] = 0;
    return text;
}

/* A failure without a state of its own: does the server still answer? An answer of any kind will do. */
static bool answers(struct odbc *o)
{
    SQLWCHAR question[] = {'S', 'E', 'L', 'E', 'C', 'T', ' ', '1', 0}, state[STATE_LEN + 1] = {0};
    SQLHSTMT stmt;
    SQLINTEGER native;
    SQLSMALLINT len;

    if (!SQL_SUCCEEDED(SQLAllocHandle(SQL_HANDLE_STMT, o->dbc, &stmt)))
        return false;
    bool answer = SQL_SUCCEEDED(SQLExecDirectW(stmt, question, SQL_NTS)) ||
                  (SQL_SUCCEEDED(SQLGetDiagRecW(SQL_HANDLE_STMT, stmt, 1, state, &native, NULL, 0, &len)) &&
                   state[0] == '2'); /* 25P02: the transaction has failed, which a server says */
    (void)SQLFreeHandle(SQL_HANDLE_STMT, stmt);
    return answer;
}

static bool is_dead(struct odbc *o, const char *state)
{
    SQLUINTEGER dead = SQL_CD_FALSE;

    if (!o->connected)
        return false;
    if (SQL_SUCCEEDED(SQLGetConnectAttr(o->dbc, SQL_ATTR_CONNECTION_DEAD, &dead, sizeof(dead), NULL)) &&
        dead == SQL_CD_TRUE)
        return true;
    return strcmp(state, "HY000") == 0 && !answers(o);
}

enum db_outcome odbc_no_memory(struct odbc *o)
{
    return db_fail(&o->db, DB_NO_MEMORY, 0, "out of memory");
}

enum db_outcome odbc_failed(struct odbc *o, SQLSMALLINT type, SQLHANDLE handle)
{
    SQLWCHAR state_units[STATE_LEN + 1] = {0}, units[MESSAGE_UNITS] = {0};
    struct narrow state = {.n = 0}, message = {.n = 0};
    SQLINTEGER native = 0;
    SQLSMALLINT len = 0;

    SQLRETURN rc = SQLGetDiagRecW(type, handle, 1, state_units, &native, units, MESSAGE_UNITS, &len);
    if (!SQL_SUCCEEDED(rc))
        len = 0;
    size_t n = len < 0 ? 0 : len < MESSAGE_UNITS ? (size_t)len : MESSAGE_UNITS - 1;
    bool failed = !narrow_append(&state, state_units, STATE_LEN) || !narrow_append(&message, units, n);
    enum db_outcome outcome =
        failed ? DB_NO_MEMORY : odbc_outcome(o->db.dialect->engine, state.bytes, native);
    if (outcome != DB_INTERRUPTED && outcome != DB_NO_MEMORY && is_dead(o, state.bytes))
        outcome = DB_AWAY;
    if (outcome == DB_AWAY)
        o->lost = true;
    for (int i = 0; !failed && i < 2; i++)
        hide(message.bytes, message.n, o->secrets[i]);
    if (outcome == DB_NO_MEMORY)
        (void)odbc_no_memory(o);
    else
        (void)db_fail(&o->db, outcome, native, "%.*s (%s)", DB_TEXT_SIZE - 16,
                      n ? tidy(message.bytes) : "the driver does not say why", state.bytes);
    free(state.bytes);
    free(message.bytes);
    return outcome;
}
