/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store.c - the store: opening, transactions, statements that are kept; see store.h.
 *
 * Ids of rows are given here, from the largest that is stored: one writer per database. So rows of a table go
 * in statements of several, and rows that belong to them know their id beforehand.
 *
 * A transaction ends with what it has summed: tallies, then the counter. Both crash points of a commit are
 * here, but for those of migrations (db/migrate.c).
 */
#include "reports/store/store_internal.h"

#include "base/crash_point.h"
#include "reports/db/verify.h"

#include <errno.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

static const char *const row_tables[ROWS_NTABLES] = {
    [ROWS_SESSION] = "session",
    [ROWS_EVENT] = "session_event",
    [ROWS_EVENT_DATA] = "session_event_data",
    [ROWS_INFORMATION] = "system_information",
    [ROWS_REPRESENTATIVE] = "representative",
    [ROWS_CUSTOMER] = "customer",
    [ROWS_ATTRIBUTE] = "custom_attribute",
    [ROWS_SHELL] = "command_shell_recording",
};

/* ---- statements ---- */

enum db_outcome store_fail(struct report_store *s, enum db_outcome outcome, const char *why)
{
    return db_fail(s->db, outcome, 0, "%s", why);
}

static struct db_stmt *prepare(struct report_store *s, const char *sql)
{
    struct buf whole = BUF_INIT(TEXT_MAX), limit = BUF_INIT(TEXT_MAX);
    struct db_stmt *stmt = NULL;

    dialect_write(&limit, s->db->dialect->limit, "?");
    const char *text = buf_cstr(&limit);
    if (text)
        dialect_write(&whole, sql, text);
    text = text && !whole.failed ? buf_cstr(&whole) : NULL;
    if (!text)
        (void)store_fail(s, DB_NO_MEMORY, "out of memory");
    else if (s->db->ops->prepare(s->db, text, &stmt) != DB_OK)
        stmt = NULL;
    buf_free(&whole);
    buf_free(&limit);
    return stmt;
}

struct db_stmt *store_stmt(struct report_store *s, const char *sql)
{
    size_t at = ((uintptr_t)sql >> 3) * 0x9e3779b1U % KEPT_SLOTS;

    for (int i = 0; i < KEPT_SLOTS; i++, at = (at + 1) % KEPT_SLOTS) {
        if (s->kept[at].sql == sql)
            return s->kept[at].stmt;
        if (s->kept[at].sql)
            continue;
        s->kept[at].stmt = prepare(s, sql);
        if (s->kept[at].stmt)
            s->kept[at].sql = sql;
        return s->kept[at].stmt;
    }
    (void)store_fail(s, DB_FAILED, "more statements than KEPT_SLOTS");
    return NULL;
}

struct db_stmt *store_upsert(struct report_store *s, struct db_stmt **kept, const char *table,
                             const char *keys, enum schema_upsert how)
{
    struct buf sql = BUF_INIT(TEXT_MAX);

    if (*kept)
        return *kept;
    schema_upsert(s->db->dialect, schema_table(table), keys, how, &sql);
    const char *text = sql.failed ? NULL : buf_cstr(&sql);
    if (!text)
        (void)store_fail(s, DB_NO_MEMORY, "out of memory");
    else
        (void)s->db->ops->prepare(s->db, text, kept);
    buf_free(&sql);
    return *kept;
}

enum db_outcome store_run_id(struct report_store *s, const char *sql, int64_t id)
{
    struct db_stmt *stmt = store_stmt(s, sql);

    if (stmt)
        put_int(s, stmt, 1, id);
    return store_run(s, stmt);
}

bool store_same_text(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

/* ---- transactions ---- */

/* A row that is 0 afterwards is deleted, so that a recount finds the same rows. */
static enum db_outcome write_tally_row(struct report_store *s, const struct tally_row *r)
{
    static const char empty[] =
        "DELETE FROM \"jg_tally\" WHERE \"grain\" = ? AND \"slot\" = ? AND \"host_name\" = ? AND "
        "\"jump_group_name\" = ? AND \"dim\" = ? AND \"label\" = ? AND \"n\" = 0 AND \"seconds\" = 0";
    const struct db_ops *ops = s->db->ops;
    struct db_stmt *stmts[2] = {
        store_upsert(s, &s->add_tally, "jg_tally", schema_table("jg_tally")->key, UPSERT_ADD),
        r->n < 0 ? store_stmt(s, empty) : NULL};
    enum db_outcome outcome = DB_OK;

    if (r->n == 0 && r->seconds == 0)
        return DB_OK;
    for (int i = 0; outcome == DB_OK && i < (r->n < 0 ? 2 : 1); i++) {
        if (!stmts[i])
            return store_failed(s);
        ops->bind_text(stmts[i], 1, &r->grain, 1);
        ops->bind_int(stmts[i], 2, r->slot);
        ops->bind_text(stmts[i], 3, r->host_name, r->host_len);
        ops->bind_text(stmts[i], 4, r->jump_group_name, r->group_len);
        put_text(s, stmts[i], 5, tally_dims[r->dim]);
        ops->bind_text(stmts[i], 6, r->label, r->label_len);
        if (i == 0) {
            ops->bind_int(stmts[i], 7, r->n);
            ops->bind_int(stmts[i], 8, r->seconds);
        }
        outcome = db_run(s->db, stmts[i]);
    }
    return outcome;
}

static enum db_outcome write_slot(struct report_store *s, const struct tally_slot *r)
{
    static const char empty[] = "DELETE FROM \"jg_slot\" WHERE \"slot\" = ? AND \"host_name\" = ? AND "
                                "\"sessions\" = 0 AND \"seconds\" = "
                                "0 AND \"abnormal\" = 0 AND \"outside_hours\" = 0 AND \"injections\" = 0 AND "
                                "\"injections_failed\" = 0";
    const struct db_ops *ops = s->db->ops;
    struct db_stmt *stmts[2] = {store_upsert(s, &s->add_slot, "jg_slot", "slot host_name", UPSERT_ADD), NULL};
    enum db_outcome outcome = DB_OK;
    bool less = false, any = false;

    for (int i = 0; i < SLOT_NSUMS; i++) {
        less |= r->sums[i] < 0;
        any |= r->sums[i] != 0;
    }
    if (!any)
        return DB_OK;
    if (less)
        stmts[1] = store_stmt(s, empty);
    for (int i = 0; outcome == DB_OK && i < (less ? 2 : 1); i++) {
        if (!stmts[i])
            return store_failed(s);
        ops->bind_int(stmts[i], 1, r->slot);
        ops->bind_text(stmts[i], 2, r->host_name, r->host_len);
        for (int j = 0; i == 0 && j < SLOT_NSUMS; j++)
            ops->bind_int(stmts[i], 3 + j, r->sums[j]);
        outcome = db_run(s->db, stmts[i]);
    }
    return outcome;
}

static enum db_outcome write_tallies(struct report_store *s)
{
    enum db_outcome outcome = DB_OK;

    for (size_t i = 0; outcome == DB_OK && i < s->tally.row_slots; i++)
        if (s->tally.rows[i])
            outcome = write_tally_row(s, s->tally.rows[i]);
    for (size_t i = 0; outcome == DB_OK && i < s->tally.slot_slots; i++)
        if (s->tally.slots[i])
            outcome = write_slot(s, s->tally.slots[i]);
    return outcome;
}

static void forget(struct report_store *s)
{
    tally_clear(&s->tally);
    for (int i = 0; i < ROWS_NTABLES; i++)
        inserter_clear(&s->ins[i]);
    s->in_transaction = false;
}

static enum db_outcome first_ids(struct report_store *s)
{
    enum db_outcome outcome = DB_OK;
    char sql[128];

    for (int i = 0; outcome == DB_OK && i < ROWS_NTABLES; i++) {
        (void)snprintf(sql, sizeof(sql), "SELECT max(\"id\") FROM \"%s\"", row_tables[i]);
        outcome = db_get_int(s->db, sql, 0, &s->next_id[i]);
        s->next_id[i]++;
    }
    if (outcome == DB_OK)
        outcome = db_get_int(s->db, "SELECT max(\"seq\") FROM \"jg_counter\"", 0, &s->seq);
    s->committed_seq = s->seq;
    s->connections = s->db->connections;
    return outcome;
}

enum db_outcome store_begin(struct report_store *s)
{
    if (s->in_transaction)
        return store_fail(s, DB_FAILED, "a transaction is open already");
    enum db_outcome outcome = s->db->ops->begin(s->db, true);
    s->in_transaction = outcome == DB_OK;
    if (outcome != DB_OK || s->db->connections == s->connections)
        return outcome;
    /* A new connection: the last commit may have been done on the old one, or another collector has written.
     */
    outcome = first_ids(s);
    return outcome == DB_OK ? DB_OK : store_end(s, outcome);
}

void store_rollback(struct report_store *s)
{
    s->db->ops->rollback(s->db);
    s->seq = s->committed_seq;
    s->counts = s->committed;
    forget(s);
}

/* The counter, and the first commit of this second. */
static enum db_outcome write_seq(struct report_store *s, int64_t at)
{
    enum db_outcome outcome = store_run_id(s, "UPDATE \"jg_counter\" SET \"seq\" = ?", s->seq);

    if (outcome != DB_OK || at == s->noted_at)
        return outcome;
    struct db_stmt *stmt = store_upsert(s, &s->put_commit, "jg_commit", "at", UPSERT_NOTHING);
    if (stmt) {
        put_int(s, stmt, 1, at);
        put_int(s, stmt, 2, s->committed_seq);
    }
    return store_run(s, stmt);
}

enum db_outcome store_commit(struct report_store *s)
{
    int64_t at = clock_wall(s->clock) / 1000;
    bool moved = s->seq != s->committed_seq;
    enum db_outcome outcome =
        s->in_transaction ? write_tallies(s) : store_fail(s, DB_FAILED, "no transaction is open");

    if (outcome == DB_OK && moved)
        outcome = write_seq(s, at);
    crash_point("reports.store.before_commit");
    if (outcome == DB_OK)
        outcome = s->db->ops->commit(s->db);
    if (outcome != DB_OK) {
        struct db_error why = s->db->error;
        store_rollback(s);
        s->db->error = why;
        return outcome;
    }
    crash_point("reports.store.after_commit");
    s->counts.commits++;
    s->committed_seq = s->seq;
    s->noted_at = moved ? at : s->noted_at;
    s->committed = s->counts;
    forget(s);
    return DB_OK;
}

enum db_outcome store_end(struct report_store *s, enum db_outcome outcome)
{
    if (outcome == DB_OK)
        return store_commit(s);
    struct db_error why = s->db->error;
    store_rollback(s);
    s->db->error = why;
    return outcome;
}

int64_t store_seq(const struct report_store *s)
{
    return s->seq;
}

/* ---- sites ---- */

int store_set_hours(struct report_store *s, const char *host_name, const struct working_hours *hours)
{
    struct site_hours *h = s->hours;

    while (h && strcmp(h->host_name, host_name) != 0)
        h = h->next;
    if (!h) {
        h = calloc(1, sizeof(*h));
        if (!h)
            return -ENOMEM;
        h->host_name = strdup(host_name);
        if (!h->host_name) {
            free(h);
            return -ENOMEM;
        }
        h->next = s->hours;
        s->hours = h;
    }
    h->hours = hours;
    return 0;
}

/* ---- opening ---- */

static enum db_outcome set_up(struct report_store *s, const struct store_params *p, int64_t now)
{
    struct schema_state state;
    enum db_outcome outcome = p->holder ? db_lock_take(s->db, p->lock_file, p->holder, &s->lock) : DB_OK;

    if (outcome == DB_OK)
        outcome = db_verify_start(s->db, p->verify_whole_max);
    if (outcome == DB_OK)
        outcome =
            p->migrate ? schema_migrate(s->db, now, p->vendor_indexes, false, NULL) : schema_check(s->db);
    if (outcome == DB_OK)
        outcome = schema_state(s->db, &state);
    if (outcome == DB_OK && !p->migrate)
        outcome = schema_vendor_indexes(s->db, p->vendor_indexes, state.event_indexes);
    if (outcome == DB_OK)
        outcome = first_ids(s);
    for (int i = 0; outcome == DB_OK && i < ROWS_NTABLES; i++)
        outcome = inserter_init(&s->ins[i], s->db, row_tables[i]);
    if (outcome != DB_OK)
        return outcome;
    s->digest = EVP_MD_CTX_new();
    s->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    return s->digest && s->sha256 ? DB_OK : store_fail(s, DB_NO_MEMORY, "out of memory");
}

struct report_store *store_open(const struct store_params *p, int64_t now, struct db_error *error)
{
    struct report_store *s = calloc(1, sizeof(*s));

    if (!s) {
        *error = (struct db_error){.outcome = DB_NO_MEMORY, .text = "out of memory"};
        return NULL;
    }
    s->vendor_indexes = p->vendor_indexes;
    s->clock = p->clock ? p->clock : &clock_system;
    s->scratch = BUF_INIT(TEXT_MAX);
    if (p->ops->open(&p->db, &s->db, error) != DB_OK) {
        free(s);
        return NULL;
    }
    if (set_up(s, p, now) != DB_OK) {
        *error = s->db->error;
        store_close(s);
        return NULL;
    }
    return s;
}

void store_close(struct report_store *s)
{
    if (!s)
        return;
    s->db->ops->rollback(s->db);
    db_lock_release(s->lock);
    s->db->ops->close(s->db);
    for (int i = 0; i < ROWS_NTABLES; i++)
        inserter_free(&s->ins[i]);
    for (int i = 0; i < STORE_NKINDS; i++)
        free(s->rounds[i].seen);
    for (struct site_hours *h = s->hours, *next; h; h = next) {
        next = h->next;
        free(h->host_name);
        free(h);
    }
    tally_free(&s->tally);
    buf_free(&s->scratch);
    EVP_MD_CTX_free(s->digest);
    EVP_MD_free(s->sha256);
    free(s);
}

struct db *store_db(struct report_store *s)
{
    return s->db;
}

const struct db_error *store_error(const struct report_store *s)
{
    return &s->db->error;
}

void store_interrupt(struct report_store *s)
{
    s->db->ops->interrupt(s->db);
}

void store_resume(struct report_store *s)
{
    s->db->ops->resume(s->db);
}

enum db_outcome store_event_indexes(struct report_store *s, bool on)
{
    struct schema_state state;
    enum db_outcome outcome = schema_state(s->db, &state);

    if (outcome != DB_OK || state.event_indexes == (on && s->vendor_indexes))
        return outcome;
    return schema_vendor_indexes(s->db, s->vendor_indexes, on);
}

void store_counts(const struct report_store *s, struct store_counts *counts)
{
    *counts = s->committed;
}
