/* SPDX-License-Identifier: Apache-2.0 */
/*
 * activity.c - activity of teams and of the site's vault, and messages of its syslog; see store.h.
 *
 * Each row has a digest that is unique, so that what was stored before adds nothing: windows overlap, and the
 * archive of the syslog is whole each time.
 */
#include "base/digest.h"
#include "base/jsonw.h"
#include "base/lsid.h"
#include "base/text.h"
#include "reports/store/store_internal.h"

#define DIGEST_HEX (2 * DIGEST_SIZE + 1)

/* Of the JSON text in s->scratch. */
static enum db_outcome digest_scratch(struct report_store *s, char hex[DIGEST_HEX])
{
    unsigned char digest[DIGEST_SIZE];

    if (s->scratch.failed || digest_sha256(s->scratch.data, s->scratch.len, digest))
        return store_fail(s, DB_NO_MEMORY, "out of memory");
    text_hex(hex, digest, sizeof(digest));
    return DB_OK;
}

static struct jsonw start_scratch(struct report_store *s)
{
    buf_clear(&s->scratch);
    s->scratch.failed = false;
    return jsonw_start(&s->scratch);
}

static void write_string(struct buf *b, const char *text)
{
    (void)buf_char(b, '"');
    jsonw_escape(b, text, strlen(text));
    (void)buf_char(b, '"');
}

/* An object of the names and values; the text stays in s->scratch. NULL = out of memory. The names are the
 * site's, and jsonw_str() takes names as they are. */
static const char *json_of(struct report_store *s, const struct record_pair *pairs, size_t n)
{
    struct buf *b = &s->scratch;

    (void)start_scratch(s);
    (void)buf_char(b, '{');
    for (size_t i = 0; i < n; i++) {
        (void)buf_str(b, i ? "," : "");
        write_string(b, pairs[i].name ? pairs[i].name : "");
        (void)buf_char(b, ':');
        if (pairs[i].value)
            write_string(b, pairs[i].value);
        else
            (void)buf_str(b, "null");
    }
    (void)buf_char(b, '}');
    if (!b->failed && buf_cstr(b))
        return b->data;
    (void)store_fail(s, DB_NO_MEMORY, "out of memory");
    return NULL;
}

static enum db_outcome run_added(struct report_store *s, struct db_stmt *stmt, bool *added)
{
    enum db_outcome outcome = store_run(s, stmt);
    bool new = outcome == DB_OK && s->db->ops->changes(s->db) > 0;

    if (added)
        *added = new;
    return outcome;
}

enum db_outcome store_team(struct report_store *s, const char *host_name, const struct record_team *r,
                           bool *added)
{
    struct db_stmt *stmt = store_upsert(s, &s->put_team, "team", "digest", UPSERT_NOTHING);
    struct jsonw w = start_scratch(s);
    char hex[DIGEST_HEX];

    if (!stmt)
        return store_failed(s);
    jsonw_array(&w, NULL);
    jsonw_str(&w, NULL, host_name);
    jsonw_int(&w, NULL, r->team_id);
    jsonw_int(&w, NULL, r->timestamp);
    jsonw_str(&w, NULL, r->type);
    jsonw_str(&w, NULL, r->performed_by);
    for (size_t i = 0; i < r->ndata; i++) {
        jsonw_str(&w, NULL, r->data[i].name);
        jsonw_str(&w, NULL, r->data[i].value);
    }
    jsonw_end(&w);
    enum db_outcome outcome = digest_scratch(s, hex);
    const char *json = outcome == DB_OK ? json_of(s, r->data, r->ndata) : NULL;
    if (!json)
        return store_failed(s);
    put_int(s, stmt, 1, r->team_id);
    put_cut(s, stmt, 2, r->name, 256);
    put_cut(s, stmt, 3, r->type, 256);
    put_cut(s, stmt, 4, r->performed_by, 256);
    put_text(s, stmt, 5, host_name);
    put_int(s, stmt, 6, r->timestamp);
    put_text(s, stmt, 7, json);
    put_text(s, stmt, 8, hex);
    return run_added(s, stmt, added);
}

/* ---- the site's vault ---- */

static bool is_use(const char *event_type)
{
    if (!event_type)
        return false;
    for (const char *p = event_type; *p; p++)
        if (text_equal_nocase_n(p, strlen(p) < 5 ? strlen(p) : 5, "check", 5))
            return true;
    return text_equal_nocase(event_type, "Credentials Used");
}

static enum db_outcome note_use(struct report_store *s, const char *host_name, int64_t account_id,
                                int64_t when)
{
    struct db_stmt *stmt = store_stmt(
        s, "UPDATE \"jg_vault_account\" SET \"last_used_unix\" = ?, \"seq\" = ? WHERE \"host_name\" = ? AND "
           "\"account_id\" = ? AND (\"last_used_unix\" IS NULL OR \"last_used_unix\" < ?)");

    if (!stmt)
        return store_failed(s);
    put_int(s, stmt, 1, when);
    put_int(s, stmt, 2, s->seq + 1);
    put_text(s, stmt, 3, host_name);
    put_int(s, stmt, 4, account_id);
    put_int(s, stmt, 5, when);
    enum db_outcome outcome = store_run(s, stmt);
    if (outcome == DB_OK && s->db->ops->changes(s->db) > 0)
        (void)store_next_seq(s);
    return outcome;
}

/* Copies the account's name of the inventory into s->scratch; "" = it is not there. */
static enum db_outcome account_name(struct report_store *s, const char *host_name, int64_t account_id)
{
    struct db_stmt *stmt = store_stmt(
        s, "SELECT \"name\" FROM \"jg_vault_account\" WHERE \"host_name\" = ? AND \"account_id\" = ?");

    (void)start_scratch(s);
    if (!stmt)
        return store_failed(s);
    put_text(s, stmt, 1, host_name);
    put_int(s, stmt, 2, account_id);
    enum db_outcome outcome = s->db->ops->step(stmt);
    const char *name = outcome == DB_ROW ? get_text(s, stmt, 0) : NULL;
    if (name)
        (void)buf_str(&s->scratch, name);
    s->db->ops->reset(stmt);
    if (!buf_cstr(&s->scratch))
        return store_fail(s, DB_NO_MEMORY, "out of memory");
    return outcome == DB_ROW ? DB_OK : outcome;
}

static enum db_outcome insert_vault_activity(struct report_store *s, const char *host_name,
                                             const struct record_vault_activity *r, const char *hex,
                                             bool *added)
{
    struct db_stmt *stmt = store_upsert(s, &s->put_vault, "jg_vault_activity", "digest", UPSERT_NOTHING);
    char lsid[LSID_SIZE];

    if (!stmt)
        return store_failed(s);
    put_text(s, stmt, 1, host_name);
    put_int(s, stmt, 2, r->timestamp);
    put_cut(s, stmt, 3, r->event_type, 256);
    put_cut(s, stmt, 4, r->account_id, 64);
    put_text(s, stmt, 5, s->scratch.len ? s->scratch.data : NULL);
    put_cut(s, stmt, 6, r->performed_by, 256);
    put_cut(s, stmt, 7, r->performed_by_type, 64);
    put_text(s, stmt, 8, r->data);
    put_text(s, stmt, 9, r->data && lsid_normal(r->data, lsid) ? lsid : NULL);
    put_text(s, stmt, 10, hex);
    put_int(s, stmt, 11, s->seq + 1);
    return run_added(s, stmt, added);
}

enum db_outcome store_vault_activity(struct report_store *s, const char *host_name,
                                     const struct record_vault_activity *r, bool *added)
{
    struct jsonw w = start_scratch(s);
    char hex[DIGEST_HEX];
    int64_t account_id;
    bool has_id = r->account_id && text_int(r->account_id, 0, INT64_MAX, &account_id), new = false;

    jsonw_array(&w, NULL);
    jsonw_str(&w, NULL, host_name);
    jsonw_int(&w, NULL, r->timestamp);
    jsonw_str(&w, NULL, r->event_type);
    jsonw_str(&w, NULL, r->account_id);
    jsonw_str(&w, NULL, r->performed_by);
    jsonw_str(&w, NULL, r->performed_by_type);
    jsonw_str(&w, NULL, r->data);
    jsonw_end(&w);
    enum db_outcome outcome = digest_scratch(s, hex);
    (void)start_scratch(s);
    if (outcome == DB_OK && has_id)
        outcome = account_name(s, host_name, account_id);
    if (outcome == DB_OK)
        outcome = insert_vault_activity(s, host_name, r, hex, &new);
    if (added)
        *added = new;
    if (outcome != DB_OK || !new)
        return outcome;
    (void)store_next_seq(s);
    return has_id && is_use(r->event_type) ? note_use(s, host_name, account_id, r->timestamp) : DB_OK;
}

/* ---- syslog ---- */

enum db_outcome store_syslog(struct report_store *s, const char *host_name, const struct record_syslog *r,
                             bool *added)
{
    struct db_stmt *stmt = store_upsert(s, &s->put_syslog, "jg_syslog_event", "digest", UPSERT_NOTHING);
    struct jsonw w = start_scratch(s);
    char hex[DIGEST_HEX];
    bool new = false;

    if (!stmt)
        return store_failed(s);
    jsonw_array(&w, NULL);
    jsonw_str(&w, NULL, host_name);
    jsonw_str(&w, NULL, r->line);
    jsonw_int(&w, NULL, (int64_t)r->ordinal);
    jsonw_end(&w);
    enum db_outcome outcome = digest_scratch(s, hex);
    const char *json = outcome == DB_OK ? json_of(s, r->data, r->ndata) : NULL;
    if (!json)
        return store_failed(s);
    put_text(s, stmt, 1, host_name);
    put_int(s, stmt, 2, r->timestamp);
    put_cut(s, stmt, 3, r->appliance, 255);
    put_cut(s, stmt, 4, r->event, 256);
    put_cut(s, stmt, 5, r->target, 256);
    put_cut(s, stmt, 6, r->status, 64);
    put_cut(s, stmt, 7, r->who, 256);
    put_cut(s, stmt, 8, r->who_ip, 64);
    put_text(s, stmt, 9, json);
    put_text(s, stmt, 10, hex);
    put_int(s, stmt, 11, s->seq + 1);
    outcome = run_added(s, stmt, &new);
    if (new)
        (void)store_next_seq(s);
    if (added)
        *added = new;
    return outcome;
}
