/* SPDX-License-Identifier: Apache-2.0 */
/*
 * uses.c - check-outs of gateways: a row per lease, joined to its session; see store.h.
 *
 * A lease and its session come in either order, so both ends join: a lease looks for its session, a session
 * for leases that have none. By lsid: `joined_by` says so before the session is stored. By credential: an
 * event Credential Injection Attempt with the same credential_id and user, the nearest within 120 s.
 */
#include "reports/store/store_internal.h"

#include "base/lsid.h"
#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>

#define JOIN_SECONDS 120

#define JOINED_BY_LSID       "lsid"
#define JOINED_BY_SESSION    "session"
#define JOINED_BY_CREDENTIAL "credential_id"
#define JOINED_BY_NONE       "none"

enum use_text { /* columns that are texts, in the table's order */
                USE_LEASE,
                USE_GATEWAY,
                USE_LSID,
                USE_JOINED_BY,
                USE_USER,
                USE_DOMAIN,
                USE_CREDENTIAL,
                USE_VAULT,
                USE_SYSTEM,
                USE_ACCOUNT,
                USE_KIND,
                USE_REASON,
                USE_CHECKIN_OUTCOME,
                USE_NTEXTS
};
enum use_number { USE_SESSION, USE_CHECKOUT, USE_EXPIRES, USE_RELEASED, USE_CHECKIN, USE_NNUMBERS };

static const struct use_column { /* the table's order, without seq */
    const char *name;
    bool is_text;
    int field;
    int size;
} columns[] = {
    {"lease_id", true, USE_LEASE, 64},
    {"gateway", true, USE_GATEWAY, 256},
    {"lsid", true, USE_LSID, 64},
    {"session_id", false, USE_SESSION, 0},
    {"joined_by", true, USE_JOINED_BY, 16},
    {"user_name", true, USE_USER, 256},
    {"domain", true, USE_DOMAIN, 256},
    {"credential_id", true, USE_CREDENTIAL, 256},
    {"vault", true, USE_VAULT, 256},
    {"system", true, USE_SYSTEM, 256},
    {"account", true, USE_ACCOUNT, 256},
    {"kind", true, USE_KIND, 32},
    {"checkout_unix", false, USE_CHECKOUT, 0},
    {"expires_unix", false, USE_EXPIRES, 0},
    {"released_unix", false, USE_RELEASED, 0},
    {"reason", true, USE_REASON, 64},
    {"checkin_unix", false, USE_CHECKIN, 0},
    {"checkin_outcome", true, USE_CHECKIN_OUTCOME, 64},
};
enum { NCOLUMNS = sizeof(columns) / sizeof(*columns) };

#define ALL_COLUMNS                                                                                          \
    "\"lease_id\", \"gateway\", \"lsid\", \"session_id\", \"joined_by\", \"user_name\", \"domain\", "        \
    "\"credential_id\", \"vault\", \"system\", \"account\", \"kind\", \"checkout_unix\", "                   \
    "\"expires_unix\", \"released_unix\", \"reason\", \"checkin_unix\", \"checkin_outcome\""

struct use_row {
    struct record_arena memory; /* of the texts that were stored */
    const char *texts[USE_NTEXTS];
    int64_t numbers[USE_NNUMBERS];
    bool changed;
};

static enum db_outcome out_of_memory(struct report_store *s)
{
    return store_fail(s, DB_NO_MEMORY, "out of memory");
}

/* ---- a row ---- */

static enum db_outcome take_row(struct report_store *s, struct db_stmt *stmt, struct use_row *row)
{
    for (int i = 0; i < NCOLUMNS; i++) {
        if (!columns[i].is_text) {
            row->numbers[columns[i].field] = get_int(s, stmt, i);
            continue;
        }
        size_t len;
        const char *text = s->db->ops->column_text(stmt, i, &len);
        if (!text)
            continue;
        row->texts[columns[i].field] = record_text(&row->memory, text, len);
        if (!row->texts[columns[i].field])
            return out_of_memory(s);
    }
    return DB_ROW;
}

/* DB_ROW: it is there; DB_OK: it is not. */
static enum db_outcome read_row(struct report_store *s, const char *gateway, const char *lease_id,
                                struct use_row *row)
{
    struct db_stmt *stmt =
        store_stmt(s, "SELECT " ALL_COLUMNS " FROM \"jg_credential_use\" WHERE \"gateway\" = "
                      "? AND \"lease_id\" = ?");

    if (!stmt)
        return store_failed(s);
    put_text(s, stmt, 1, gateway);
    put_text(s, stmt, 2, lease_id);
    enum db_outcome outcome = s->db->ops->step(stmt);
    if (outcome == DB_ROW)
        outcome = take_row(s, stmt, row);
    s->db->ops->reset(stmt);
    return outcome;
}

static enum db_outcome write_use(struct report_store *s, const struct use_row *row)
{
    struct db_stmt *stmt =
        store_upsert(s, &s->put_use, "jg_credential_use", "gateway lease_id", UPSERT_REPLACE);

    if (!stmt)
        return store_failed(s);
    for (int i = 0; i < NCOLUMNS; i++) {
        if (columns[i].is_text)
            put_cut(s, stmt, i + 1, row->texts[columns[i].field], columns[i].size);
        else
            put_int(s, stmt, i + 1, row->numbers[columns[i].field]);
    }
    put_int(s, stmt, NCOLUMNS + 1, store_next_seq(s));
    return store_run(s, stmt);
}

static void set_text(struct use_row *row, enum use_text field, const char *text, int size)
{
    const char *old = row->texts[field];

    if (!text)
        return;
    size_t n = text_cut(text, size);
    if (old && strlen(old) == n && memcmp(old, text, n) == 0)
        return;
    row->texts[field] = text;
    row->changed = true;
}

static void set_number(struct use_row *row, enum use_number field, int64_t number)
{
    if (number == RECORD_NONE || row->numbers[field] == number)
        return;
    row->numbers[field] = number;
    row->changed = true;
}

/* ---- joining ---- */

/* Without the domain before it or behind it. */
static void bare_name(const char *user, const char **name, size_t *n)
{
    const char *slash = strrchr(user, '\\');

    *name = slash ? slash + 1 : user;
    *n = strcspn(*name, "@");
}

static bool same_user(const char *a, const char *b)
{
    const char *x, *y;
    size_t xn, yn;

    if (!a || !b)
        return false;
    bare_name(a, &x, &xn);
    bare_name(b, &y, &yn);
    return xn > 0 && text_equal_nocase_n(x, xn, y, yn);
}

/* The newest session of that lsid: it may be at several sites only by error. */
static enum db_outcome find_by_lsid(struct report_store *s, const char *lsid, int64_t *session_id)
{
    struct db_stmt *stmt = store_stmt(s, "SELECT max(\"id\") FROM \"session\" WHERE \"lsid\" = ?");

    if (!stmt)
        return store_failed(s);
    put_text(s, stmt, 1, lsid);
    enum db_outcome outcome = s->db->ops->step(stmt);
    *session_id = outcome == DB_ROW ? get_int(s, stmt, 0) : RECORD_NONE;
    s->db->ops->reset(stmt);
    return outcome == DB_ROW ? DB_OK : outcome;
}

static enum db_outcome find_by_credential(struct report_store *s, const struct use_row *row,
                                          int64_t *session_id)
{
    struct db_stmt *stmt = store_stmt(
        s,
        "SELECT e.\"session_id\", e.\"timestamp_unix\", s.\"user_name\" FROM \"session_event\" e JOIN "
        "\"session_event_data\" d ON d.\"session_event_id\" = e.\"id\" JOIN \"session\" s ON s.\"id\" = "
        "e.\"session_id\" WHERE e.\"timestamp_unix\" BETWEEN ? AND ? AND e.\"type\" = '" EVENT_INJECTION
        "' AND " NO_INDEX(
            "d.\"name\"") " = 'credential_id' AND d.\"value\" = ? ORDER BY e.\"timestamp_unix\", e.\"id\"");
    int64_t checkout = row->numbers[USE_CHECKOUT], nearest = INT64_MAX;
    enum db_outcome outcome;

    *session_id = RECORD_NONE;
    if (!stmt)
        return store_failed(s);
    put_int(s, stmt, 1, checkout - JOIN_SECONDS);
    put_int(s, stmt, 2, checkout + JOIN_SECONDS);
    put_text(s, stmt, 3, row->texts[USE_CREDENTIAL]);
    while ((outcome = s->db->ops->step(stmt)) == DB_ROW) {
        int64_t apart = llabs(get_int(s, stmt, 1) - checkout);

        if (apart < nearest && same_user(get_text(s, stmt, 2), row->texts[USE_USER])) {
            nearest = apart;
            *session_id = get_int(s, stmt, 0);
        }
    }
    s->db->ops->reset(stmt);
    return outcome;
}

static enum db_outcome join_use(struct report_store *s, struct use_row *row)
{
    int64_t session_id = RECORD_NONE;
    enum db_outcome outcome = DB_OK;

    if (row->numbers[USE_SESSION] != RECORD_NONE)
        return DB_OK;
    if (row->texts[USE_LSID]) {
        outcome = find_by_lsid(s, row->texts[USE_LSID], &session_id);
    } else if (row->texts[USE_CREDENTIAL] && row->numbers[USE_CHECKOUT] != RECORD_NONE) {
        outcome = find_by_credential(s, row, &session_id);
        if (outcome == DB_OK && session_id != RECORD_NONE)
            set_text(row, USE_JOINED_BY, JOINED_BY_CREDENTIAL, 16);
    }
    set_number(row, USE_SESSION, session_id);
    return outcome;
}

/* ---- events of a lease ---- */

static void merge(struct use_row *row, const struct store_use *u, const char *lsid)
{
    const struct {
        enum use_text field;
        const char *text;
    } texts[] = {
        {USE_LEASE, u->lease_id},
        {USE_GATEWAY, u->gateway},
        {USE_USER, u->user_name},
        {USE_DOMAIN, u->domain},
        {USE_CREDENTIAL, u->credential_id},
        {USE_VAULT, u->vault},
        {USE_SYSTEM, u->system},
        {USE_ACCOUNT, u->account},
        {USE_KIND, u->kind},
        {USE_REASON, u->reason},
        {USE_LSID, lsid},
        {USE_CHECKIN_OUTCOME, u->checkin_outcome},
    };

    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
        for (int c = 0; c < NCOLUMNS; c++)
            if (columns[c].is_text && columns[c].field == (int)texts[i].field)
                set_text(row, texts[i].field, texts[i].text, columns[c].size);
    set_number(row, USE_CHECKOUT, u->checkout);
    set_number(row, USE_EXPIRES, u->expires);
    set_number(row, USE_RELEASED, u->released);
    set_number(row, USE_CHECKIN, u->checkin);
}

enum db_outcome store_use(struct report_store *s, const struct store_use *u)
{
    struct use_row row = {.changed = false};
    char lsid[LSID_SIZE];
    bool by_lsid = u->lsid && lsid_normal(u->lsid, lsid);
    bool by_session = !by_lsid && u->session && lsid_normal(u->session, lsid);

    for (int i = 0; i < USE_NNUMBERS; i++)
        row.numbers[i] = RECORD_NONE;
    if (!u->lease_id || !u->gateway)
        return store_fail(s, DB_CONSTRAINT, "a check-out without lease_id or gateway");
    enum db_outcome outcome = read_row(s, u->gateway, u->lease_id, &row);
    if (outcome == DB_OK || outcome == DB_ROW) {
        merge(&row, u, by_lsid || by_session ? lsid : NULL);
        if (!row.texts[USE_JOINED_BY])
            set_text(&row, USE_JOINED_BY, JOINED_BY_NONE, 16);
        if (by_lsid || (by_session && strcmp(row.texts[USE_JOINED_BY], JOINED_BY_LSID) != 0))
            set_text(&row, USE_JOINED_BY, by_lsid ? JOINED_BY_LSID : JOINED_BY_SESSION, 16);
        outcome = join_use(s, &row);
    }
    if (outcome == DB_OK && row.changed)
        outcome = write_use(s, &row);
    record_arena_free(&row.memory);
    return outcome;
}

/* ---- a session looks for its leases ---- */

struct found_uses {
    struct record_arena memory;
    struct found_use {
        const char *gateway, *lease_id;
    } * uses;
    size_t n, room;
};

static bool note_found(struct report_store *s, struct db_stmt *stmt, struct found_uses *found)
{
    size_t n[2];
    const char *gateway = s->db->ops->column_text(stmt, 0, &n[0]);
    const char *lease_id = s->db->ops->column_text(stmt, 1, &n[1]);
    struct found_use *u = record_append(&found->memory, &found->uses, &found->n, &found->room, sizeof(*u));

    if (!u)
        return false;
    u->gateway = record_text(&found->memory, gateway, n[0]);
    u->lease_id = record_text(&found->memory, lease_id, n[1]);
    return u->gateway && u->lease_id;
}

static enum db_outcome find_uses_by_lsid(struct report_store *s, const char *lsid, struct found_uses *found)
{
    struct db_stmt *stmt = store_stmt(s, "SELECT \"gateway\", \"lease_id\" FROM \"jg_credential_use\" WHERE "
                                         "\"lsid\" = ? AND \"session_id\" IS NULL");
    enum db_outcome outcome;

    if (!stmt)
        return store_failed(s);
    put_text(s, stmt, 1, lsid);
    while ((outcome = s->db->ops->step(stmt)) == DB_ROW)
        if (!note_found(s, stmt, found)) {
            outcome = out_of_memory(s);
            break;
        }
    s->db->ops->reset(stmt);
    return outcome;
}

/* Leases without an lsid, whose credential an event of this session has. */
static enum db_outcome find_uses_by_credential(struct report_store *s, int64_t session_id,
                                               const char *user_name, struct found_uses *found)
{
    struct db_stmt *stmt = store_stmt(
        s, "SELECT u.\"gateway\", u.\"lease_id\", u.\"user_name\" FROM \"session_event\" e JOIN "
           "\"session_event_data\" d ON d.\"session_event_id\" = e.\"id\" JOIN \"jg_credential_use\" u ON "
           "u.\"credential_id\" = d.\"value\" AND u.\"checkout_unix\" BETWEEN e.\"timestamp_unix\" - 120 AND "
           "e.\"timestamp_unix\" + 120 WHERE e.\"session_id\" = ? AND " NO_INDEX(
               "e.\"type\"") " = '" EVENT_INJECTION
                             "' AND " NO_INDEX("d.\"name\"") " = 'credential_id' AND u.\"session_id\" IS "
                                                             "NULL AND u.\"lsid\" IS NULL");
    enum db_outcome outcome;

    if (!stmt)
        return store_failed(s);
    put_int(s, stmt, 1, session_id);
    while ((outcome = s->db->ops->step(stmt)) == DB_ROW) {
        if (same_user(get_text(s, stmt, 2), user_name) && !note_found(s, stmt, found)) {
            outcome = out_of_memory(s);
            break;
        }
    }
    s->db->ops->reset(stmt);
    return outcome;
}

static enum db_outcome join_found(struct report_store *s, const struct found_uses *found, size_t by_lsid,
                                  int64_t session_id)
{
    struct db_stmt *stmts[2] = {
        store_stmt(
            s, "UPDATE \"jg_credential_use\" SET \"session_id\" = ?, \"seq\" = ? WHERE \"gateway\" = ? AND "
               "\"lease_id\" = ?"),
        store_stmt(s, "UPDATE \"jg_credential_use\" SET \"session_id\" = ?, \"seq\" = ?, \"joined_by\" = "
                      "'" JOINED_BY_CREDENTIAL "' WHERE \"gateway\" = ? AND \"lease_id\" = ?")};
    enum db_outcome outcome = DB_OK;

    for (size_t i = 0; outcome == DB_OK && i < found->n; i++) {
        struct db_stmt *stmt = stmts[i >= by_lsid];

        if (!stmt)
            return store_failed(s);
        put_int(s, stmt, 1, session_id);
        put_int(s, stmt, 2, store_next_seq(s));
        put_text(s, stmt, 3, found->uses[i].gateway);
        put_text(s, stmt, 4, found->uses[i].lease_id);
        outcome = store_run(s, stmt);
    }
    return outcome;
}

enum db_outcome uses_join_session(struct report_store *s, int64_t session_id, const char *lsid,
                                  const char *user_name)
{
    struct found_uses found = {.n = 0};
    enum db_outcome outcome = find_uses_by_lsid(s, lsid, &found);
    size_t by_lsid = found.n;

    if (outcome == DB_OK)
        outcome = find_uses_by_credential(s, session_id, user_name, &found);
    if (outcome == DB_OK)
        outcome = join_found(s, &found, by_lsid, session_id);
    record_arena_free(&found.memory);
    return outcome;
}
