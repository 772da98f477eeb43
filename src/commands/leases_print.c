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
#include <stdlib.h>
#include <string.h>

#define ROW_MAX (64U << 20) /* one lease with all sessions that share its request */

struct leases_line {
    char *cells[LEASES_COLUMNS];
};

static const char *const titles[LEASES_COLUMNS] = {
    "ID", "STATE", "USER", "SESSIONS", "EXPIRES", "ATTEMPTS", "CREDENTIAL", "LAST ERROR", "LSID"};

struct leases_print leases_print_start(bool json)
{
    struct leases_print p = {.json = json};

    for (size_t i = 0; i < LEASES_COLUMNS; i++)
        p.width[i] = strlen(titles[i]);
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
    p->n++;
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

static bool fill_line(struct leases_print *p, struct leases_line *line, const struct lease_view *view)
{
    for (size_t i = 0; i < LEASES_COLUMNS; i++) {
        struct buf cell = BUF_INIT(ROW_MAX), shown = BUF_INIT(ROW_MAX);

        write_cell(&cell, i, view);
        utf8_visible(&shown, cell.data, cell.len);
        const char *text = buf_cstr(&shown);
        line->cells[i] = text && !cell.failed && !shown.failed ? strdup(text) : NULL;
        buf_free(&cell);
        buf_free(&shown);
        if (!line->cells[i])
            return false;
        size_t wide = utf8_count(line->cells[i]);
        if (wide > p->width[i])
            p->width[i] = wide;
    }
    return true;
}

static bool make_room(struct leases_print *p)
{
    size_t cap = p->cap ? p->cap * 2 : 64;

    if (p->n < p->cap)
        return true;
    struct leases_line *lines = realloc(p->lines, cap * sizeof(*lines));
    if (!lines)
        return false;
    p->lines = lines;
    p->cap = cap;
    return true;
}

static void keep_line(struct leases_print *p, const struct lease_view *view)
{
    if (!make_room(p)) {
        p->failed = true;
        return;
    }
    p->lines[p->n] = (struct leases_line){{NULL}};
    p->failed = !fill_line(p, &p->lines[p->n], view) || p->failed;
    p->n++;
}

static void print_line(const struct leases_print *p, const char *const cells[LEASES_COLUMNS])
{
    for (size_t i = 0; i + 1 < LEASES_COLUMNS; i++)
        printf("%s%*s  ", cells[i], (int)(p->width[i] - utf8_count(cells[i])), "");
    printf("%s\n", cells[LEASES_COLUMNS - 1]);
}

/* ---- both ---- */

void leases_print_row(struct leases_print *p, const struct lease_view *view)
{
    if (p->json)
        print_json(p, view);
    else
        keep_line(p, view);
}

int leases_print_end(struct leases_print *p)
{
    int err = p->failed ? -ENOMEM : 0;

    if (p->json)
        printf("%s],\"next\":null}\n", p->n ? "" : json_head);
    if (!p->json && !err) {
        print_line(p, titles);
        for (size_t i = 0; i < p->n; i++)
            print_line(p, (const char *const *)p->lines[i].cells);
    }
    leases_print_drop(p);
    return err;
}

void leases_print_drop(struct leases_print *p)
{
    for (size_t i = 0; p->lines && i < p->n; i++)
        for (size_t k = 0; k < LEASES_COLUMNS; k++)
            free(p->lines[i].cells[k]);
    free(p->lines);
    p->lines = NULL;
    p->n = p->cap = 0;
}
