/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sqlite_rows.c - rows and steps in SQL; see store.h for what a step expects and does.
 *
 * What a step expects of its request is part of the statement that changes it: a statement that has changed
 * no row says OTHERWISE, without a read before. The request comes first, the lease follows where the request
 * was as expected.
 *
 * Values are bound in the order of the columns: those that an update changes come first.
 */
#include "stores/sqlite_schema.h"
#include "stores/store_rows.h"

#include <errno.h>
#include <string.h>

#define REQUEST_COLUMNS                                                                                      \
    "state, vault, url, name, adopted, expires_ms, attempts, next_ms, last_error, lsid, spin, spins, "       \
    "began_ms, checkins_due, mark, user, username, domain, session, credential, system, account, "           \
    "created_ms, handle"
#define LEASE_COLUMNS                                                                                        \
    "lsid, ended, ended_site, request, id, username, domain, session, credential, system, account, "         \
    "created_ms, expires_ms"

/* clang-format off */
static const char *const texts[SQL_NSTATEMENTS] = {
    [SQL_BEGIN] = "BEGIN IMMEDIATE",
    [SQL_COMMIT] = "COMMIT",
    [SQL_ROLLBACK] = "ROLLBACK",
    [SQL_PROBE] = "UPDATE probe SET n = n + 1",
    [SQL_INSERT_REQUEST] = "INSERT OR IGNORE INTO vault_request (" REQUEST_COLUMNS ") VALUES "
                           "(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17,?18,?19,?20,?21,?22,?23,?24)",
    [SQL_UPDATE_REQUEST] = "UPDATE vault_request SET state = ?1, vault = ?2, url = ?3, name = ?4, adopted = ?5,"
                           " expires_ms = ?6, attempts = ?7, next_ms = ?8, last_error = ?9, lsid = ?10,"
                           " spin = ?11, spins = ?12, began_ms = ?13, checkins_due = ?14"
                           " WHERE mark = ?15 AND (?16 >> state) & 1"
                           " AND (?17 = 0 OR NOT EXISTS (SELECT 1 FROM lease WHERE request = ?15 AND id <> ?18))",
    [SQL_DELETE_REQUEST] = "DELETE FROM vault_request WHERE mark = ?1"
                           " AND NOT EXISTS (SELECT 1 FROM lease WHERE request = ?1 AND id <> ?2)",
    [SQL_DELETE_ASKED] = "DELETE FROM vault_request WHERE mark = ?1 AND state = 0",
    [SQL_READ_REQUEST] = "SELECT " REQUEST_COLUMNS " FROM vault_request WHERE mark = ?1",
    [SQL_INSERT_LEASE] = "INSERT OR REPLACE INTO lease (" LEASE_COLUMNS ") VALUES "
                         "(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13)",
    [SQL_UPDATE_LEASE] = "UPDATE lease SET lsid = ?1, ended = ?2, ended_site = ?3 WHERE request = ?4 AND id = ?5",
    [SQL_DELETE_LEASE] = "DELETE FROM lease WHERE request = ?1 AND id = ?2",
    [SQL_PUT_CURSOR] = "INSERT OR REPLACE INTO pra_cursor (site, cursor_ms) VALUES (?1,?2)",
};
/* clang-format on */

int sqlite_errno(int rc)
{
    switch (rc & 0xff) {
    case SQLITE_OK:
    case SQLITE_DONE:
    case SQLITE_ROW: return 0;
    case SQLITE_FULL: return -ENOSPC;
    case SQLITE_NOMEM: return -ENOMEM;
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return -EBUSY;
    case SQLITE_READONLY:
    case SQLITE_PERM: return -EROFS;
    case SQLITE_CANTOPEN: return -ENOENT;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_ERROR: return -EUCLEAN;
    default: return -EIO;
    }
}

int sqlite_file_prepare(struct sqlite_file *f)
{
    int rc = SQLITE_OK;

    for (size_t i = 0; i < SQL_NSTATEMENTS && rc == SQLITE_OK; i++)
        rc = sqlite3_prepare_v3(f->db, texts[i], -1, SQLITE_PREPARE_PERSISTENT, &f->statements[i], NULL);
    return rc;
}

/* ---- values ---- */

/* Binds one value after the other; a failure is out of memory. */
struct binder {
    sqlite3_stmt *s;
    int n, rc;
};

static void bind_text(struct binder *b, const char *text)
{
    b->rc |= sqlite3_bind_text(b->s, ++b->n, text, -1, SQLITE_STATIC);
}

static void bind_number(struct binder *b, int64_t number)
{
    b->rc |= sqlite3_bind_int64(b->s, ++b->n, number);
}

static void bind_changeable(struct binder *b, const struct request_row *r)
{
    bind_number(b, (int64_t)r->state);
    bind_text(b, r->vault);
    bind_text(b, r->url);
    bind_text(b, r->name);
    bind_number(b, r->adopted);
    bind_number(b, r->expires_wall_ms);
    bind_number(b, r->attempts);
    bind_number(b, r->next_wall_ms);
    bind_text(b, r->last_error);
    bind_text(b, r->asker.lsid);
    bind_number(b, (int64_t)r->spin);
    bind_number(b, r->spins);
    bind_number(b, r->began_wall_ms);
    bind_number(b, r->checkins_due);
    bind_text(b, r->mark);
}

/* Without the lsid. */
static void bind_holder(struct binder *b, const struct holder *h)
{
    bind_text(b, h->username);
    bind_text(b, h->domain);
    bind_text(b, h->session);
    bind_text(b, h->credential);
    bind_text(b, h->system);
    bind_text(b, h->account);
    bind_number(b, h->created_wall_ms);
}

static void bind_lease(struct binder *b, const struct lease_row *l)
{
    bind_text(b, l->holder.lsid);
    bind_number(b, (int64_t)l->ended);
    bind_text(b, l->ended_site);
    bind_text(b, l->request);
    bind_text(b, l->id);
}

/* *changed = rows. 0 or -errno. */
static int run(const struct binder *b, int *changed)
{
    if (b->rc != SQLITE_OK)
        return -ENOMEM;
    int rc = sqlite3_step(b->s);

    (void)sqlite3_reset(b->s);
    *changed = sqlite3_changes(sqlite3_db_handle(b->s));
    return sqlite_errno(rc);
}

int sqlite_file_run(struct sqlite_file *f, enum sqlite_statement which)
{
    int changed;

    return run(&(struct binder){.s = f->statements[which]}, &changed);
}

/* ---- reading ---- */

/* A row of a query, and whether it lacks a text: no column may be NULL. */
struct row_source {
    sqlite3_stmt *s;
    int err; /* -ENOMEM, or -EUCLEAN: no gateway writes such a row */
};

static const char *text_at(struct row_source *from, int column)
{
    const char *text = (const char *)sqlite3_column_text(from->s, column);

    if (!text)
        from->err = sqlite3_column_type(from->s, column) == SQLITE_NULL ? -EUCLEAN : -ENOMEM;
    return text ? text : "";
}

static struct holder holder_at(struct row_source *from, int lsid, int others)
{
    return (struct holder){
        .lsid = text_at(from, lsid),
        .username = text_at(from, others),
        .domain = text_at(from, others + 1),
        .session = text_at(from, others + 2),
        .credential = text_at(from, others + 3),
        .system = text_at(from, others + 4),
        .account = text_at(from, others + 5),
        .created_wall_ms = sqlite3_column_int64(from->s, others + 6),
    };
}

/* 0, -ENOMEM or -EUCLEAN. */
static int read_request(sqlite3_stmt *s, struct request_row *r)
{
    struct row_source from = {.s = s};
    int64_t state = sqlite3_column_int64(s, 0), spin = sqlite3_column_int64(s, 10);
    int64_t due = sqlite3_column_int64(s, 13);

    if (state < 0 || state >= REQUEST_NSTATES || spin < 0 || spin >= REQUEST_NSPINS || due < 0 ||
        due > UINT32_MAX)
        return -EUCLEAN;
    *r = (struct request_row){
        .owner = "",
        .state = (enum request_state)state,
        .vault = text_at(&from, 1),
        .url = text_at(&from, 2),
        .name = text_at(&from, 3),
        .adopted = sqlite3_column_int64(s, 4) != 0,
        .expires_wall_ms = sqlite3_column_int64(s, 5),
        .attempts = sqlite3_column_int64(s, 6),
        .next_wall_ms = sqlite3_column_int64(s, 7),
        .last_error = text_at(&from, 8),
        .spin = (enum request_spin)spin,
        .spins = sqlite3_column_int64(s, 11),
        .began_wall_ms = sqlite3_column_int64(s, 12),
        .checkins_due = (uint32_t)due,
        .mark = text_at(&from, 14),
        .user = text_at(&from, 15),
        .asker = holder_at(&from, 9, 16),
        .handle = text_at(&from, 23),
    };
    return from.err || *r->mark ? from.err : -EUCLEAN;
}

static int read_lease(sqlite3_stmt *s, struct lease_row *l)
{
    struct row_source from = {.s = s};
    int64_t ended = sqlite3_column_int64(s, 1);

    if (ended < 0 || ended >= SESSION_END_NSOURCES)
        return -EUCLEAN;
    *l = (struct lease_row){
        .ended = (enum session_end_source)ended,
        .ended_site = text_at(&from, 2),
        .request = text_at(&from, 3),
        .id = text_at(&from, 4),
        .holder = holder_at(&from, 0, 5),
        .expires_wall_ms = sqlite3_column_int64(s, 12),
    };
    return from.err || (*l->request && *l->id) ? from.err : -EUCLEAN;
}

static int pass_request(sqlite3_stmt *s, const struct store_reader *reader, void *arg)
{
    struct request_row r;
    int err = read_request(s, &r);

    return err || !reader->request ? err : reader->request(arg, &r);
}

static int pass_lease(sqlite3_stmt *s, const struct store_reader *reader, void *arg)
{
    struct lease_row l;
    int err = read_lease(s, &l);

    return err || !reader->lease ? err : reader->lease(arg, &l);
}

static int pass_cursor(sqlite3_stmt *s, const struct store_reader *reader, void *arg)
{
    struct row_source from = {.s = s};
    const struct cursor_row row = {text_at(&from, 0), sqlite3_column_int64(s, 1)};

    return from.err || !reader->cursor ? from.err : reader->cursor(arg, &row);
}

static int pass_all(sqlite3 *db, const char *sql,
                    int (*pass)(sqlite3_stmt *, const struct store_reader *, void *arg),
                    const struct store_reader *reader, void *arg)
{
    sqlite3_stmt *s = NULL;
    int err = 0, step = SQLITE_DONE, rc = sqlite3_prepare_v2(db, sql, -1, &s, NULL);

    while (rc == SQLITE_OK && !err && (step = sqlite3_step(s)) == SQLITE_ROW)
        err = pass(s, reader, arg);
    if (rc == SQLITE_OK && !err)
        rc = step;
    (void)sqlite3_finalize(s);
    return err ? err : sqlite_errno(rc);
}

int sqlite_file_load(sqlite3 *db, const struct store_reader *reader, void *arg)
{
    int err = pass_all(db, "SELECT " REQUEST_COLUMNS " FROM vault_request", pass_request, reader, arg);

    if (!err)
        err = pass_all(db, "SELECT " LEASE_COLUMNS " FROM lease", pass_lease, reader, arg);
    return err ? err : pass_all(db, "SELECT site, cursor_ms FROM pra_cursor", pass_cursor, reader, arg);
}

/* The request as it is now, into step->now. */
static int show_request(struct sqlite_file *f, struct store_step *step)
{
    sqlite3_stmt *s = f->statements[SQL_READ_REQUEST];
    struct request_row r;
    int rc = sqlite3_bind_text(s, 1, step->request.mark, -1, SQLITE_STATIC);

    if (rc == SQLITE_OK)
        rc = sqlite3_step(s);
    int err = rc == SQLITE_ROW ? read_request(s, &r) : sqlite_errno(rc);

    if (rc == SQLITE_ROW && !err && !(step->now = request_row_copy(&r)))
        err = -ENOMEM;
    (void)sqlite3_reset(s);
    return err;
}

/* ---- steps ---- */

/* The lease that ends with the step does not keep the request. */
static const char *own_lease(const struct store_step *step)
{
    return store_step_rules[step->kind].lease == ROW_DELETED ? step->lease.id : "";
}

static int change_request(struct sqlite_file *f, const struct store_step *step, int *changed)
{
    const struct store_step_rule *rule = &store_step_rules[step->kind];
    const struct request_row *r = &step->request;
    struct binder b = {.s = f->statements[rule->request == ROW_INSERTED  ? SQL_INSERT_REQUEST
                                          : rule->request == ROW_UPDATED ? SQL_UPDATE_REQUEST
                                                                         : SQL_DELETE_REQUEST]};

    if (rule->request == ROW_DELETED) {
        bind_text(&b, r->mark);
        bind_text(&b, own_lease(step));
        return run(&b, changed);
    }
    bind_changeable(&b, r);
    if (rule->request == ROW_INSERTED) {
        bind_text(&b, r->user);
        bind_holder(&b, &r->asker);
        bind_text(&b, r->handle ? r->handle : "");
    } else {
        bind_number(&b, rule->from ? rule->from : 1U << r->state);
        bind_number(&b, rule->alone);
        bind_text(&b, own_lease(step));
    }
    return run(&b, changed);
}

static int change_lease(struct sqlite_file *f, const struct store_step *step)
{
    const struct lease_row *l = &step->lease;
    enum row_change change = store_step_rules[step->kind].lease;
    struct binder b = {.s = f->statements[change == ROW_INSERTED  ? SQL_INSERT_LEASE
                                          : change == ROW_UPDATED ? SQL_UPDATE_LEASE
                                                                  : SQL_DELETE_LEASE]};
    int changed;

    if (change == ROW_AS_IS || !*l->id)
        return 0;
    if (change == ROW_DELETED) {
        bind_text(&b, l->request);
        bind_text(&b, l->id);
        return run(&b, &changed);
    }
    bind_lease(&b, l);
    if (change == ROW_INSERTED) {
        bind_holder(&b, &l->holder);
        bind_number(&b, l->expires_wall_ms);
    }
    return run(&b, &changed);
}

static int delete_asked(struct sqlite_file *f, const char *mark)
{
    struct binder b = {.s = f->statements[SQL_DELETE_ASKED]};
    int changed;

    bind_text(&b, mark);
    return run(&b, &changed);
}

static int put_cursor(struct sqlite_file *f, const struct cursor_row *c)
{
    struct binder b = {.s = f->statements[SQL_PUT_CURSOR]};
    int changed;

    bind_text(&b, c->site);
    bind_number(&b, c->cursor_ms);
    return run(&b, &changed);
}

/* The request and then, if that is as expected, what else the step changes. */
static int change_rows(struct sqlite_file *f, struct store_step *step, enum store_outcome *outcome)
{
    const struct store_step_rule *rule = &store_step_rules[step->kind];
    int changed = 0, err = rule->request == ROW_AS_IS ? 0 : change_request(f, step, &changed);

    if (!err && rule->request != ROW_AS_IS && !changed) {
        err = show_request(f, step);
        /* What is absent needs no deletion. */
        *outcome = rule->request == ROW_DELETED && !step->now ? STORE_APPLIED : STORE_OTHERWISE;
    }
    if (err || *outcome == STORE_OTHERWISE)
        return err;
    err = change_lease(f, step);
    if (!err && step->kind == STEP_OPEN && *step->instead)
        err = delete_asked(f, step->instead);
    return err;
}

int sqlite_file_step(struct sqlite_file *f, struct store_step *step, enum store_outcome *outcome)
{
    *outcome = STORE_APPLIED;
    return step->kind == STEP_CURSOR ? put_cursor(f, &step->cursor) : change_rows(f, step, outcome);
}

/* ---- rows without a step ---- */

int sqlite_file_add_request(struct sqlite_file *f, const struct request_row *row)
{
    const struct store_step step = {.kind = STEP_ASK, .request = *row};
    int changed = 0, err = change_request(f, &step, &changed);

    return err || changed ? err : -EEXIST;
}

int sqlite_file_add_lease(struct sqlite_file *f, const struct lease_row *row)
{
    const struct store_step step = {.kind = STEP_OPEN, .lease = *row};

    return change_lease(f, &step);
}
