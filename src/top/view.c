/* SPDX-License-Identifier: Apache-2.0 */
/*
 * view.c - the screen of `jumpgate top`; see view.h.
 *
 *   header       state, version, uptime, time
 *   reasons      why the gateway is not ready, or its counts
 *   OPERATIONS   rates and percentiles         (beside each other where the screen is wide)
 *   VAULTS       state, calls; the PRA site
 *   LEASES       the rest of the height
 *   ERRORS       the requests that failed last
 *   footer       keys, a question, a message
 *
 * Not here: the tables themselves (view_tables.c), which rows are given to which (view_layout.c).
 */
#include "top/view.h"

#include "top/figures.h"
#include "top/view_layout.h"
#include "top/view_tables.h"

#include <inttypes.h>
#include <stdio.h>

static const char *const help[] = {
    "q            leave",
    "?            this help; any key closes it",
    "/            filter the leases: type, Enter keeps it, Esc drops it",
    "s            next order: time left, user, system, account, state",
    "up, down     select a lease; PgUp, PgDn by a page; Home, End",
    "r            release the selected lease, after a question",
    "p, space     pause",
    "+, -         a longer, a shorter interval",
    "",
    "/s           operations that ended in one second, since the screen before",
    "failed/s     of them: answered with an error, or the client left",
    "p50 p95 p99  half, 95 %, 99 % of them took no longer; - where none ended",
    "left         time until a lease ends by itself; below 0 it is overdue",
    "count        equal failures in one row; TIME (UTC) is the last one's",
};

/* ---- header ---- */

static void draw_state(const struct screen *s, struct screen_line *line, const struct view *v,
                       const struct sample *now)
{
    if (*v->away) {
        line_style(line, STYLE_WARN);
        line_text(s, line, "no answer");
    } else if (now) {
        line_style(line, now->ready ? STYLE_GOOD : STYLE_BAD);
        line_text(s, line, "%s", now->draining ? "shutting down" : now->ready ? "ready" : "not ready");
    }
    line_style(line, STYLE_PLAIN);
}

static void draw_header(struct screen *s, const struct view *v, const struct model *m, int64_t now_wall_ms)
{
    struct screen_line *line = screen_line(s, s->n);
    char text[FIGURE_SIZE * 3], clock[FIGURE_SIZE], up[FIGURE_SIZE];

    line_style(line, STYLE_STRONG);
    line_text(s, line, "jumpgate");
    line_style(line, STYLE_PLAIN);
    if (m->now)
        line_text(s, line, " %s", m->now->version);
    line_text(s, line, "  ");
    draw_state(s, line, v, m->now);
    if (m->now)
        line_text(s, line, "  up %s", figure_left(m->now->uptime_s * 1000, up));
    if (v->paused) {
        line_style(line, STYLE_WARN);
        line_text(s, line, "  paused");
        line_style(line, STYLE_PLAIN);
    }
    (void)snprintf(text, sizeof(text), "every %.3gs  %s UTC", v->interval_s,
                   figure_clock(now_wall_ms, clock));
    line_style(line, STYLE_DIM);
    line_right(s, line, text);
}

static void draw_counts(struct screen *s, const struct sample *now)
{
    struct screen_line *line = screen_line(s, s->n);
    char overdue[FIGURE_SIZE];

    line_style(line, STYLE_DIM);
    line_text(s, line, "in flight %" PRId64 "  leases: %" PRId64 " active, %" PRId64 " releasing",
              now->in_flight, now->active, now->releasing);
    if (now->retrying)
        line_text(s, line, ", %" PRId64 " retrying", now->retrying);
    if (now->lapsed)
        line_text(s, line, ", %" PRId64 " lapsed", now->lapsed);
    if (now->overdue_s > 0) {
        line_style(line, STYLE_BAD);
        line_text(s, line, "  overdue %s", figure_left(now->overdue_s * 1000, overdue));
        line_style(line, STYLE_DIM);
    }
    line_text(s, line, "  connections %" PRId64 "  loop lag %.1f ms", now->connections, now->lag_ms);
}

static void draw_reasons(struct screen *s, const struct view *v, const struct sample *now, size_t n)
{
    if (*v->away) {
        struct screen_line *line = screen_line(s, s->n);

        line_style(line, STYLE_WARN);
        line_text(s, line, "%s", v->away);
        return;
    }
    if (!now) {
        line_text(s, screen_line(s, s->n), "asking the gateway");
        return;
    }
    for (size_t i = 0; i < n; i++) {
        struct screen_line *line = screen_line(s, s->n);

        line_style(line, STYLE_BAD);
        line_cell(s, line, now->reasons[i], s->cols, ALIGN_LEFT);
    }
    if (!n)
        draw_counts(s, now);
}

/* ---- footer ---- */

static void draw_keys(const struct screen *s, struct screen_line *line)
{
    static const char *const keys[][2] = {{"q", "quit"},    {"?", "help"},  {"/", "filter"},    {"s", "sort"},
                                          {"r", "release"}, {"p", "pause"}, {"+ -", "interval"}};

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        line_style(line, STYLE_STRONG);
        line_text(s, line, "%s", keys[i][0]);
        line_style(line, STYLE_DIM);
        line_text(s, line, " %s   ", keys[i][1]);
    }
}

static void draw_footer(struct screen *s, const struct view *v)
{
    struct screen_line *line = screen_line(s, s->rows - 1);

    if (*v->question) {
        line_style(line, STYLE_STRONG);
        line_cell(s, line, v->question, s->cols, ALIGN_LEFT);
    } else if (v->filtering) {
        line_style(line, STYLE_STRONG);
        line_text(s, line, "filter: %s_", v->leases.filter);
        line_style(line, STYLE_DIM);
        line_right(s, line, "Enter keeps it, Esc drops it");
    } else if (*v->message) {
        line_style(line, STYLE_STRONG);
        line_cell(s, line, v->message, s->cols, ALIGN_LEFT);
    } else {
        draw_keys(s, line);
    }
}

/* ---- the whole ---- */

static void draw_help(struct screen *s)
{
    for (size_t i = 0; i < sizeof(help) / sizeof(help[0]); i++)
        line_text(s, screen_line(s, i + 3), "  %s", help[i]);
}

static void draw_too_small(struct screen *s)
{
    line_text(s, screen_line(s, 0), "needs 80x24, and has %zux%zu", s->cols, s->rows);
}

static void draw_blocks(struct screen *s, const struct model *m, const struct view_layout *l)
{
    size_t top = s->n + (l->gaps ? 1 : 0);

    table_operations(s, m, top, 0, l->operations);
    if (l->beside)
        table_vaults(s, m, top, TABLE_OPERATIONS_WIDTH + TABLE_GAP, l->vaults);
    else
        table_vaults(s, m, s->n + (l->gaps ? 1 : 0), 0, l->vaults);
}

static void draw_tables(struct screen *s, struct view *v, const struct model *m, int64_t now_wall_ms)
{
    struct view_layout l = view_layout(s->rows, s->cols, m, v);

    draw_reasons(s, v, m->now, l.reasons);
    if (!m->now)
        return;
    draw_blocks(s, m, &l);
    table_leases(s, v, m->now, now_wall_ms, s->n + (l.gaps ? 1 : 0), l.leases);
    table_errors(s, m->now, s->rows ? s->rows - 2 - l.errors : s->n + 1, l.errors);
}

struct screen view_draw(struct view *v, const struct model *m, int64_t now_wall_ms, size_t rows, size_t cols,
                        bool ascii)
{
    struct screen s = screen_start(rows, cols, ascii);

    if (rows && (rows < VIEW_ROWS_MIN || cols < VIEW_COLS_MIN)) {
        draw_too_small(&s);
        return s;
    }
    if (lease_list_make(&v->leases, m->now))
        s.failed = true;
    draw_header(&s, v, m, now_wall_ms);
    if (v->help && rows)
        draw_help(&s);
    else
        draw_tables(&s, v, m, now_wall_ms);
    if (rows)
        draw_footer(&s, v);
    return s;
}
