/* SPDX-License-Identifier: Apache-2.0 */
/*
 * retain.c - what is older than `keep` goes, in chunks of one transaction each; see store.h.
 *
 * A session that goes takes its counts out of the tallies, so a day or month whose sessions are gone has no
 * rows left, and a recount finds the same. Its check-outs and its todo row go with it. The times of commits
 * before that go too.
 */
#include "reports/store/store_internal.h"

struct chunk {
    int64_t ids[STORE_CHUNK];
    size_t n;
};

/* Ids by a text whose parameters are a time and a limit. */
static enum db_outcome read_ids(struct report_store *s, const char *sql, int64_t before, struct chunk *c)
{
    struct db_stmt *stmt = store_stmt(s, sql);
    enum db_outcome outcome;

    if (!stmt)
        return store_failed(s);
    put_int(s, stmt, 1, before);
    put_int(s, stmt, 2, (int64_t)(STORE_CHUNK - c->n));
    while ((outcome = s->db->ops->step(stmt)) == DB_ROW && c->n < STORE_CHUNK)
        c->ids[c->n++] = get_int(s, stmt, 0);
    s->db->ops->reset(stmt);
    return outcome == DB_ROW ? DB_OK : outcome;
}

static enum db_outcome delete_session(struct report_store *s, int64_t id)
{
    static const char *const texts[] = {
        "DELETE FROM \"jg_credential_use\" WHERE \"session_id\" = ?",
        "DELETE FROM \"jg_todo\" WHERE EXISTS (SELECT 1 FROM \"session\" s WHERE s.\"id\" = ? AND "
        "s.\"host_name\" "
        "= \"jg_todo\".\"host_name\" AND s.\"lsid\" = \"jg_todo\".\"lsid\")",
        "DELETE FROM \"session\" WHERE \"id\" = ?",
    };
    enum db_outcome outcome = tally_stored(s, id, -1);

    if (outcome == DB_OK)
        outcome = session_delete_rows(s, id);
    for (size_t i = 0; outcome == DB_OK && i < sizeof(texts) / sizeof(*texts); i++)
        outcome = store_run_id(s, texts[i], id);
    return outcome;
}

static enum db_outcome retain_sessions(struct report_store *s, int64_t before, bool *more)
{
    struct chunk c = {.n = 0};
    enum db_outcome outcome =
        read_ids(s, "SELECT \"id\" FROM \"session\" WHERE \"end_unix\" < ? ORDER BY \"end_unix\", \"id\"{}",
                 before, &c);

    if (outcome == DB_OK && c.n < STORE_CHUNK)
        outcome = read_ids(s,
                           "SELECT \"id\" FROM \"session\" WHERE \"end_unix\" IS NULL AND \"start_unix\" < ? "
                           "ORDER BY \"start_unix\", \"id\"{}",
                           before, &c);
    for (size_t i = 0; outcome == DB_OK && i < c.n; i++)
        outcome = delete_session(s, c.ids[i]);
    if (outcome == DB_OK)
        outcome = store_run_id(s, "DELETE FROM \"jg_commit\" WHERE \"at\" < ?", before);
    *more |= c.n == STORE_CHUNK;
    return outcome;
}

static enum db_outcome retain_rows(struct report_store *s, const char *sql, int64_t before, bool *more)
{
    struct db_stmt *stmt = store_stmt(s, sql);

    if (!stmt)
        return store_failed(s);
    put_int(s, stmt, 1, before);
    put_int(s, stmt, 2, STORE_CHUNK);
    enum db_outcome outcome = store_run(s, stmt);
    if (outcome == DB_OK)
        *more |= s->db->ops->changes(s->db) >= STORE_CHUNK;
    return outcome;
}

#define OLDEST(table)                                                                                        \
    "DELETE FROM \"" table "\" WHERE \"id\" IN (SELECT \"id\" FROM \"" table                                 \
    "\" WHERE \"timestamp_unix\" < ? ORDER BY \"timestamp_unix\", \"id\"{})"

static enum db_outcome retain_activity(struct report_store *s, int64_t before, bool *more)
{
    static const char *const texts[] = {
        OLDEST("jg_vault_activity"),
        OLDEST("team"),
        /* Up to the check-out time of the last of the chunk: those of one second go together. */
        "DELETE FROM \"jg_credential_use\" WHERE \"checkout_unix\" <= (SELECT max(x.\"checkout_unix\") FROM "
        "(SELECT \"checkout_unix\" FROM \"jg_credential_use\" WHERE \"checkout_unix\" < ? ORDER BY "
        "\"checkout_unix\"{}) x)",
    };
    enum db_outcome outcome = DB_OK;

    for (size_t i = 0; outcome == DB_OK && i < sizeof(texts) / sizeof(*texts); i++)
        outcome = retain_rows(s, texts[i], before, more);
    if (outcome == DB_OK)
        outcome = store_run_id(s,
                               "DELETE FROM \"jg_credential_use\" WHERE \"checkout_unix\" IS NULL AND "
                               "coalesce(\"released_unix\", \"checkin_unix\", 0) < ?",
                               before);
    return outcome;
}

enum db_outcome store_retain(struct report_store *s, const struct store_keep *keep, bool *more)
{
    enum db_outcome outcome = store_begin(s);

    *more = false;
    if (outcome != DB_OK)
        return outcome;
    if (keep->sessions != RECORD_NONE)
        outcome = retain_sessions(s, keep->sessions, more);
    if (outcome == DB_OK && keep->activity != RECORD_NONE)
        outcome = retain_activity(s, keep->activity, more);
    if (outcome == DB_OK && keep->syslog != RECORD_NONE)
        outcome = retain_rows(s, OLDEST("jg_syslog_event"), keep->syslog, more);
    outcome = store_end(s, outcome);
    if (outcome == DB_OK && s->db->dialect->reclaim)
        outcome = s->db->ops->exec(s->db, s->db->dialect->reclaim);
    return outcome;
}
