/* SPDX-License-Identifier: Apache-2.0 */
/*
 * feed_rows.c - rows into records, a batch at a time; see feed_internal.h.
 */
#include "reports/query/feed_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int feed_batch_init(struct feed_batch *b, const struct feed_layout *layout)
{
    *b = (struct feed_batch){.layout = layout,
                             .records = calloc(FEED_BATCH, sizeof(*b->records)),
                             .texts = BUF_INIT(FEED_TEXTS_MAX)};
    return b->records ? 0 : -ENOMEM;
}

static void clear(struct feed_batch *b)
{
    for (size_t i = 0; i < b->n; i++)
        for (size_t p = 0; p < FEED_PARTS_MAX; p++)
            buf_free(&b->records[i].parts[p]);
    b->n = 0;
    b->parts_sum = 0;
    buf_clear(&b->texts);
    b->texts.failed = false;
}

void feed_batch_free(struct feed_batch *b)
{
    clear(b);
    buf_free(&b->texts);
    free(b->records);
    b->records = NULL;
}

static void read_record(struct feed_batch *b, struct db *db, struct db_stmt *stmt)
{
    const struct feed_layout *l = b->layout;
    struct feed_record *r = &b->records[b->n++];

    *r = (struct feed_record){.seq = db->ops->column_int(stmt, 0),
                              .position = db->ops->column_int(stmt, 1),
                              .id = db->ops->column_int(stmt, 2)};
    for (int i = 0; i < FEED_NPERSONS; i++)
        r->persons[i].null = true;
    for (size_t i = 0; i < l->ncolumns; i++) {
        const struct feed_column *c = &l->columns[i];

        if (c->kind != FEED_PART)
            feed_cell_read(b, db, stmt, c->place, c->kind == FEED_TEXT || c->kind == FEED_JSON, &r->cells[i]);
    }
}

static void write_select(struct sql *sql, const struct feed_layout *l, const struct query_context *ctx,
                         const struct feed_bounds *bounds, size_t most)
{
    const struct feed_source *source = l->source;

    (void)buf_append(&sql->text, l->select.data, l->select.len);
    (void)buf_printf(&sql->text, " FROM %s WHERE %s.\"seq\" <= ", source->from, source->session);
    sql_int(sql, bounds->until);
    /* A record whose position comes next is of the same seq: the first condition keeps the index in use. */
    (void)buf_printf(&sql->text, " AND %s.\"seq\" >= ", source->session);
    sql_int(sql, bounds->position == FEED_WHOLE ? bounds->seq + 1 : bounds->seq);
    if (bounds->position != FEED_WHOLE) {
        (void)buf_printf(&sql->text, " AND (%s.\"seq\" > ", source->session);
        sql_int(sql, bounds->seq);
        (void)buf_printf(&sql->text, " OR %s > ", source->position);
        sql_int(sql, bounds->position);
        sql_str(sql, ")");
    }
    if (!ctx->all_hosts) { /* coalesce: an index of sites would give the rows in another order */
        (void)buf_printf(&sql->text, " AND coalesce(%s.\"host_name\", '') IN (", source->session);
        for (size_t i = 0; i < ctx->nhosts; i++) {
            sql_str(sql, i ? ", " : "");
            sql_text(sql, ctx->hosts[i]);
        }
        sql_str(sql, ctx->nhosts ? ")" : "NULL)");
    }
    (void)buf_printf(&sql->text, " ORDER BY %s.\"seq\"%s", source->session,
                     source->of_session ? ", t.\"position\"" : "");
    sql_limit(sql, (int64_t)most);
}

static enum db_outcome read_rows(struct feed_batch *b, struct db *db, const struct query_context *ctx,
                                 const struct feed_bounds *bounds, size_t most)
{
    struct sql sql = sql_start(db->dialect, ctx->now);
    struct db_stmt *stmt;
    enum db_outcome outcome;

    clear(b);
    write_select(&sql, b->layout, ctx, bounds, most);
    outcome = sql_prepare(db, &sql, &stmt);
    while (outcome == DB_OK || outcome == DB_ROW) {
        if (b->n == most || b->texts.len > FEED_TEXTS)
            break;
        outcome = db->ops->step(stmt);
        if (outcome != DB_ROW)
            break;
        read_record(b, db, stmt);
    }
    b->last = outcome == DB_OK && b->n < most;
    db->ops->finalize(stmt);
    sql_free(&sql);
    if (b->texts.failed)
        return db_fail(db, DB_NO_MEMORY, 0, "out of memory");
    return outcome == DB_ROW ? DB_OK : outcome;
}

/* Parts that are over the limit: the batch is read again with fewer records. */
enum db_outcome feed_batch_read(struct feed_batch *b, struct db *db, const struct query_context *ctx,
                                const struct feed_bounds *bounds, size_t most)
{
    for (;; most = most > 4 ? most / 4 : 1) {
        bool over = false;
        enum db_outcome outcome = read_rows(b, db, ctx, bounds, most);

        if (outcome == DB_OK && b->n)
            outcome = feed_parts_read(b, db, &over);
        if (outcome != DB_OK || !over)
            return outcome;
        if (most == 1) {
            b->records[0].shortened = true;
            return DB_OK;
        }
    }
}
