/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sqlite_move.c - see sqlite_move.h. The rows come in one transaction, with what says where they came from,
 * and are read back before it is committed.
 */
#include "stores/sqlite_move.h"

#include "base/crash_point.h"
#include "stores/sqlite_schema.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct sqlite_move {
    struct sqlite_file file;
    int lock;
};

struct sqlite_move *sqlite_move_open(const char *state_dir, char why[SQLITE_MOVE_WHY])
{
    struct sqlite_move *m = calloc(1, sizeof(*m));
    bool rebuilt;

    (void)snprintf(why, SQLITE_MOVE_WHY, "out of memory");
    if (m && sqlite_file_take(&m->file, &m->lock, state_dir, false, &rebuilt, why)) {
        free(m);
        m = NULL;
    }
    return m;
}

void sqlite_move_close(struct sqlite_move *m)
{
    if (!m)
        return;
    sqlite_file_close(&m->file);
    (void)close(m->lock);
    free(m);
}

int sqlite_move_state(struct sqlite_move *m, struct store_move *move)
{
    return sqlite_file_move(m->file.db, move);
}

int sqlite_move_tag(struct sqlite_move *m, char tag[ID_TAG_SIZE])
{
    return sqlite_file_tag(m->file.db, tag);
}

int sqlite_move_load(struct sqlite_move *m, struct move_rows *rows)
{
    return sqlite_file_load(m->file.db, &move_reader, rows);
}

/* ---- writing ---- */

static int execute(struct sqlite_move *m, const char *sql)
{
    return sqlite_errno(sqlite3_exec(m->file.db, sql, NULL, NULL, NULL));
}

static int commit(struct sqlite_move *m, int err)
{
    if (!err)
        err = sqlite_file_run(&m->file, SQL_COMMIT);
    if (err)
        (void)sqlite_file_run(&m->file, SQL_ROLLBACK);
    return err;
}

int sqlite_move_set(struct sqlite_move *m, const struct store_move *move)
{
    int err = sqlite_file_run(&m->file, SQL_BEGIN);

    if (!err)
        err = sqlite_file_set_move(m->file.db, move);
    return commit(m, err);
}

static int set_tag(struct sqlite_move *m, const char *tag)
{
    char sql[128], letters[ID_TAG_SIZE];

    (void)snprintf(letters, sizeof(letters), "%s", tag);
    if (strchr(letters, '\''))
        return -EINVAL;
    (void)snprintf(sql, sizeof(sql), "DELETE FROM store_tag; INSERT INTO store_tag VALUES ('%s')", letters);
    return execute(m, sql);
}

static int put_cursor(struct sqlite_move *m, const struct cursor_row *cursor)
{
    struct store_step step = {.kind = STEP_CURSOR, .cursor = *cursor};
    enum store_outcome outcome;

    return sqlite_file_step(&m->file, &step, &outcome);
}

static int write_rows(struct sqlite_move *m, const struct move_rows *rows)
{
    int err = execute(m, "DELETE FROM lease; DELETE FROM vault_request");

    for (size_t i = 0; !err && i < rows->nrequests; i++)
        err = sqlite_file_add_request(&m->file, rows->requests[i]);
    for (size_t i = 0; !err && i < rows->nleases; i++)
        err = sqlite_file_add_lease(&m->file, rows->leases[i]);
    for (size_t i = 0; !err && i < rows->ncursors; i++)
        err = put_cursor(m, &rows->cursors[i]);
    return err;
}

/* 0 = what is there is what was to be written. */
static int read_back(struct sqlite_move *m, const struct move_rows *rows)
{
    char wanted[MOVE_DIGEST_SIZE], found[MOVE_DIGEST_SIZE];
    struct move_rows there = {.nrequests = 0};
    size_t odd = 0;
    int err = sqlite_move_load(m, &there);

    if (!err) {
        move_rows_end(&there, &odd);
        err = move_rows_digest(&there, found);
    }
    if (!err)
        err = move_rows_digest(rows, wanted);
    if (!err && (odd || there.nrequests != rows->nrequests || there.nleases != rows->nleases ||
                 strcmp(found, wanted) != 0))
        err = -EBADMSG;
    move_rows_free(&there);
    return err;
}

int sqlite_move_fill(struct sqlite_move *m, const struct move_rows *rows, const struct store_move *move)
{
    int err = sqlite_file_run(&m->file, SQL_BEGIN);

    if (!err)
        err = write_rows(m, rows);
    crash_point("store_copy.file.rows");
    if (!err)
        err = set_tag(m, move->tag);
    if (!err)
        err = sqlite_file_set_move(m->file.db, move);
    if (!err)
        err = read_back(m, rows);
    return commit(m, err);
}
