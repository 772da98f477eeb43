/* SPDX-License-Identifier: Apache-2.0 */
/*
 * leases_print.c - leases on standard output; see leases_print.h.
 *
 * JSON is written row by row and has exactly the members of GET /v1/leases. The table is kept until its end,
 * so that every column is as wide as its widest cell; the last column is not padded.
 *
 * Names, session ids and errors come from other systems: control and invisible characters are escaped in the
 * table (utf8_visible). An empty cell is written as `-`, so that columns can be counted.
 */
#include "commands/leases_print.h"

#include "base/clock.h"
#include "base/text.h"
#include "base/utf8.h"
#include "handlers/lease_json.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define ROW_MAX (64U << 20) /* one lease with all sessions that share its request */

static const char titles[] = "ID\0STATE\0USER\0SESSIONS\0EXPIRES\0ATTEMPTS\0CREDENTIAL\0LAST ERROR\0LSID";

struct leases_print leases_print_start(bool json)
{
    struct leases_print p = {.json = json, .cells = BUF_INIT(SIZE_MAX / 2)};
    const char *title = titles;

    for (size_t i = 0; i < LEASES_COLUMNS; i++, title += strlen(title) + 1)
        p.width[i] = strlen(title);
    return p;
}

/* With the first row and not before: a list that cannot be had prints nothing. */
static const char json_head[] = "{\"leases\":[";

static void print_json(struct leases_print *p, const struct lease_view *view)
{
    struct buf buf = BUF_INIT(ROW_MAX);
    struct jsonw w = jsonw_start(&buf);

    lease_json(&w, view);
    p->failed = p->failed || buf.failed;
    if (!buf.failed)
        printf("%s\n%.*s", p->n ? "," : json_head, (int)buf.len, buf.data);
    buf_free(&buf);
}

/* ---- the table ---- */

static void write_sessions(struct buf *cell, const struct lease_view *view)
{
    for (size_t i = 0; i < view->nsessions; i++)
        (void)buf_printf(cell, "%s%s", i ? "," : "", view->sessions[i]);
}

static void write_cell(struct buf *cell, size_t column, const struct lease_view *view)
{
    char expires[CLOCK_RFC3339_SIZE];

    switch (column) {
    case 0: (void)buf_str(cell, view->id); break;
    case 1: (void)buf_printf(cell, "%s%s", view->state, view->adopted ? ",adopted" : ""); break;
    case 2: (void)buf_str(cell, view->user); break;
    case 3: write_sessions(cell, view); break;
    case 4:
        if (view->expires_wall_ms)
            (void)buf_str(cell, clock_rfc3339(view->expires_wall_ms, expires));
        break;
    case 5: (void)buf_printf(cell, "%" PRId64, view->attempts); break;
    case 6: (void)buf_str(cell, view->credential_id); break;
    case 7: (void)buf_str(cell, view->last_error ? view->last_error : ""); break;
    default: (void)buf_str(cell, view->lsid ? view->lsid : ""); break;
    }
    if (!cell->len)
        (void)buf_char(cell, '-');
}

static void keep_cell(struct leases_print *p, size_t column, const struct lease_view *view)
{
    struct buf cell = BUF_INIT(ROW_MAX);
    size_t from = p->cells.len;

    write_cell(&cell, column, view);
    utf8_visible(&p->cells, cell.data, cell.len);
    p->failed = p->failed || cell.failed || buf_char(&p->cells, '\0') || p->cells.failed;
    buf_free(&cell);
    size_t wide = p->failed ? 0 : utf8_count(p->cells.data + from);
    if (wide > p->width[column])
        p->width[column] = wide;
}

/* `text` are the cells of the row, one behind the other; returns what follows them. */
static const char *print_line(const struct leases_print *p, const char *text)
{
    for (size_t i = 0; i < LEASES_COLUMNS; i++, text += strlen(text) + 1) {
        int blanks = i + 1 < LEASES_COLUMNS ? (int)(p->width[i] - utf8_count(text)) + 2 : 0;

        printf("%s%*s", text, blanks, "");
    }
    puts("");
    return text;
}

/* ---- both ---- */

void leases_print_row(void *print, const struct lease_view *view)
{
    struct leases_print *p = print;

    for (size_t i = 0; !p->json && i < LEASES_COLUMNS; i++)
        keep_cell(p, i, view);
    if (p->json)
        print_json(p, view);
    p->n++;
}

int leases_print_end(struct leases_print *p)
{
    const char *row = p->cells.data;
    int err = p->failed ? -ENOMEM : 0;

    if (p->json)
        printf("%s],\"next\":null}\n", p->n ? "" : json_head);
    if (!p->json && !err)
        (void)print_line(p, titles);
    for (size_t i = 0; !p->json && !err && i < p->n; i++)
        row = print_line(p, row);
    leases_print_drop(p);
    return err;
}

void leases_print_drop(struct leases_print *p)
{
    buf_free(&p->cells);
}
