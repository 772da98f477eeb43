/* SPDX-License-Identifier: Apache-2.0 */
/*
 * view_tables.c - the tables of the screen; see view_tables.h.
 *
 * Columns are separated by one blank. What has no value is `-`, so that columns can be counted.
 */
#include "top/view_tables.h"

#include "top/figures.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void put(const struct screen *s, struct screen_line *line, const char *text, size_t width,
                enum align align)
{
    line_cell(s, line, text && *text ? text : "-", width, align);
    line_cell(s, line, "", 1, ALIGN_LEFT);
}

/* The text in what is left of the line. */
static void put_rest(const struct screen *s, struct screen_line *line, const char *text)
{
    if (line && line->width < s->cols)
        line_cell(s, line, text, s->cols - line->width, ALIGN_LEFT);
}

static void put_number(const struct screen *s, struct screen_line *line, int64_t n, size_t width)
{
    char text[FIGURE_SIZE];

    (void)snprintf(text, sizeof(text), "%" PRId64, n);
    put(s, line, text, width, ALIGN_RIGHT);
}

/* The title of a table: its name, "3/9" where not all are shown, the names of its columns. */
static struct screen_line *title(struct screen *s, size_t at, size_t left)
{
    struct screen_line *line = screen_line(s, at);

    line_style(line, STYLE_PLAIN);
    line_to(s, line, left);
    line_style(line, STYLE_HEAD);
    return line;
}

static const char *name_of(const char *name, size_t shown, size_t all, char *out, size_t size)
{
    if (shown < all)
        (void)snprintf(out, size, "%s %zu/%zu", name, shown, all);
    else
        (void)snprintf(out, size, "%s", name);
    return out;
}

/* ---- operations ---- */

static void put_rates(const struct screen *s, struct screen_line *line, const struct rate_row *r)
{
    char text[FIGURE_SIZE];

    put(s, line, r->known ? figure_rate(r->per_s, text) : "-", 7, ALIGN_RIGHT);
    line_style(line, r->failed_per_s > 0 ? STYLE_WARN : STYLE_PLAIN);
    put(s, line, r->known ? figure_rate(r->failed_per_s, text) : "-", 8, ALIGN_RIGHT);
    line_style(line, STYLE_PLAIN);
}

static void put_percentile(const struct screen *s, struct screen_line *line, const struct rate_row *r,
                           enum percentile p)
{
    char text[FIGURE_SIZE];

    put(s, line, figure_seconds(r->seconds[p], r->bound, text), 7, ALIGN_RIGHT);
}

static void operation_row(struct screen *s, size_t at, size_t left, const struct rate_row *r)
{
    struct screen_line *line = screen_line(s, at);

    line_to(s, line, left);
    put(s, line, r->name, 16, ALIGN_LEFT);
    put_rates(s, line, r);
    for (enum percentile p = P50; p < NPERCENTILES; p++)
        put_percentile(s, line, r, p);
}

static int by_total(const void *a, const void *b)
{
    const struct rate_row *one = *(const struct rate_row *const *)a,
                          *two = *(const struct rate_row *const *)b;

    return one->total < two->total ? 1 : one->total > two->total ? -1 : strcmp(one->name, two->name);
}

void table_operations(struct screen *s, const struct model *m, size_t at, size_t left, size_t rows)
{
    const struct rate_row **order = calloc(m->noperations + 1, sizeof(*order));
    struct screen_line *line = title(s, at, left);
    size_t shown = rows ? rows - 1 : 0;
    char name[64];

    if (!order) {
        s->failed = true;
        return;
    }
    for (size_t i = 0; i < m->noperations; i++)
        order[i] = &m->operations[i];
    qsort(order, m->noperations, sizeof(*order), by_total);
    put(s, line, name_of("OPERATIONS", shown, m->noperations, name, sizeof(name)), 16, ALIGN_LEFT);
    put(s, line, "/s", 7, ALIGN_RIGHT);
    put(s, line, "failed/s", 8, ALIGN_RIGHT);
    put(s, line, "p50", 7, ALIGN_RIGHT);
    put(s, line, "p95", 7, ALIGN_RIGHT);
    put(s, line, "p99", 7, ALIGN_RIGHT);
    line_to(s, line, left ? s->cols : left + TABLE_OPERATIONS_WIDTH);
    line_style(line, STYLE_PLAIN);
    if (rows)
        operation_row(s, at + 1, left, &m->all);
    for (size_t i = 0; i < shown && i < m->noperations; i++)
        operation_row(s, at + 2 + i, left, order[i]);
    free(order);
}

/* ---- vaults and the site ---- */

static enum style style_of_state(const char *state)
{
    static const char *const good[] = {"reachable", "up", "standby"}, *const bad[] = {"unreachable", "down",
                                                                                      "refused"};

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        if (strcmp(state, good[i]) == 0)
            return STYLE_GOOD;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (strcmp(state, bad[i]) == 0)
            return STYLE_BAD;
    return STYLE_WARN;
}

static void put_state(const struct screen *s, struct screen_line *line, const char *state)
{
    line_style(line, style_of_state(state));
    put(s, line, state, 11, ALIGN_LEFT);
    line_style(line, STYLE_PLAIN);
}

static void vault_row(struct screen *s, size_t at, size_t left, const struct vault_sample *v,
                      const struct rate_row *r)
{
    struct screen_line *line = screen_line(s, at);

    line_to(s, line, left);
    put(s, line, v->name, 15, ALIGN_LEFT);
    put_state(s, line, v->state);
    if (style_of_state(v->state) == STYLE_BAD && *v->detail) {
        line_style(line, STYLE_BAD);
        put_rest(s, line, v->detail);
        line_style(line, STYLE_PLAIN);
        return;
    }
    put_rates(s, line, r);
    put_number(s, line, v->in_flight, 6);
    put_number(s, line, v->queued, 7);
    put_percentile(s, line, r, P95);
}

static void put_age(const struct screen *s, struct screen_line *line, const char *what, int64_t ms)
{
    char age[FIGURE_SIZE];

    if (ms >= 0)
        line_text(s, line, "%s %s ago  ", what, figure_left(ms, age));
}

static void site_row(struct screen *s, size_t at, size_t left, const struct site_sample *site)
{
    struct screen_line *line = screen_line(s, at);
    char name[80];

    line_to(s, line, left);
    (void)snprintf(name, sizeof(name), "pra %s", site->name);
    put(s, line, name, 15, ALIGN_LEFT);
    put_state(s, line, site->state);
    if (*site->detail) {
        put_rest(s, line, site->detail);
        return;
    }
    if (site->jumpoints)
        line_text(s, line, "jumpoints %zu/%zu  ", site->jumpoints - site->jumpoints_away, site->jumpoints);
    put_age(s, line, "answer", site->success_age_ms);
    put_age(s, line, "poll", site->poll_age_ms);
}

void table_vaults(struct screen *s, const struct model *m, size_t at, size_t left, size_t rows)
{
    const struct sample *now = m->now;
    size_t site = now->site.name && rows ? 1 : 0, room = rows - site, all = now->nvaults;
    struct screen_line *line = title(s, at, left);
    size_t n = 0;
    char name[64];

    put(s, line, name_of("VAULTS", room < all ? room : all, all, name, sizeof(name)), 15, ALIGN_LEFT);
    put(s, line, "state", 11, ALIGN_LEFT);
    put(s, line, "/s", 7, ALIGN_RIGHT);
    put(s, line, "failed/s", 8, ALIGN_RIGHT);
    put(s, line, "active", 6, ALIGN_RIGHT);
    put(s, line, "waiting", 7, ALIGN_RIGHT);
    put(s, line, "p95", 7, ALIGN_RIGHT);
    line_style(line, STYLE_PLAIN);
    for (int bad = 1; bad >= 0; bad--)
        for (size_t i = 0; i < all && n < room; i++)
            if ((style_of_state(now->vaults[i].state) == STYLE_BAD) == bad)
                vault_row(s, at + 1 + n++, left, &now->vaults[i], &m->vaults[i]);
    if (site)
        site_row(s, at + 1 + n, left, &now->site);
}

/* ---- leases ---- */

#define STATE_WIDTH   10
#define LEFT_WIDTH    9
#define SESSION_FROM  110 /* columns of a screen that has the sessions, */
#define SESSION_WIDTH 20
#define ID_FROM       150 /* and the ids */
#define ID_WIDTH      26

struct lease_widths {
    size_t system, account, user;
    bool session, id;
};

static struct lease_widths lease_widths(size_t cols)
{
    struct lease_widths w = {.session = cols >= SESSION_FROM, .id = cols >= ID_FROM};
    size_t taken = 1 + STATE_WIDTH + 1 + LEFT_WIDTH + 1 + 3; /* the first is that of the selection */

    taken += w.session ? SESSION_WIDTH + 1U : 0;
    taken += w.id ? ID_WIDTH + 1U : 0;
    size_t left = cols > taken + 30 ? cols - taken : 30;
    w.system = left / 3;
    w.account = (left - w.system) / 2;
    w.user = left - w.system - w.account;
    return w;
}

/* Which leases are shown, and how they were chosen. */
static void leases_title(struct screen *s, const struct view *v, size_t at, size_t rows,
                         const struct sample *now)
{
    const struct lease_list *list = &v->leases;
    struct screen_line *line = title(s, at, 0);

    line_text(s, line, "LEASES");
    if (list->n)
        line_text(s, line, " %zu-%zu of %zu%s", v->scroll + 1,
                  v->scroll + (list->n - v->scroll < rows ? list->n - v->scroll : rows), list->n,
                  now->more_leases ? " and more" : "");
    else
        line_text(s, line, " none");
    line_text(s, line, ", by %s", lease_order_word(list->order));
    if (*list->filter)
        line_text(s, line, ", filter: %s", list->filter);
    line_to(s, line, s->cols);
}

static void leases_columns(struct screen *s, size_t at)
{
    struct lease_widths w = lease_widths(s->cols);
    struct screen_line *line = screen_line(s, at);

    line_style(line, STYLE_DIM);
    line_cell(s, line, "", 1, ALIGN_LEFT);
    put(s, line, "system", w.system, ALIGN_LEFT);
    put(s, line, "account", w.account, ALIGN_LEFT);
    put(s, line, "user", w.user, ALIGN_LEFT);
    put(s, line, "state", STATE_WIDTH, ALIGN_LEFT);
    put(s, line, "left", LEFT_WIDTH, ALIGN_RIGHT);
    if (w.session)
        put(s, line, "session", SESSION_WIDTH, ALIGN_LEFT);
    if (w.id)
        put(s, line, "id", ID_WIDTH, ALIGN_LEFT);
}

static void put_left(const struct screen *s, struct screen_line *line, const struct lease_sample *l,
                     int64_t now_wall_ms, bool selected)
{
    int64_t left = l->expires_wall_ms - now_wall_ms;
    char text[FIGURE_SIZE];

    if (!selected && l->expires_wall_ms && left < 0)
        line_style(line, STYLE_BAD);
    put(s, line, l->expires_wall_ms ? figure_left(left, text) : "-", LEFT_WIDTH, ALIGN_RIGHT);
    if (!selected)
        line_style(line, STYLE_PLAIN);
}

static void lease_row(struct screen *s, size_t at, const struct lease_sample *l, int64_t now_wall_ms,
                      bool selected)
{
    struct lease_widths w = lease_widths(s->cols);
    struct screen_line *line = screen_line(s, at);
    bool odd = strcmp(l->state, "open") != 0 && !selected;

    line_style(line, selected ? STYLE_SELECTED : STYLE_PLAIN);
    line_cell(s, line, selected ? ">" : " ", 1, ALIGN_LEFT);
    put(s, line, l->system, w.system, ALIGN_LEFT);
    put(s, line, *l->account ? l->account : l->credential, w.account, ALIGN_LEFT);
    put(s, line, l->user, w.user, ALIGN_LEFT);
    if (odd)
        line_style(line, STYLE_WARN);
    put(s, line, l->adopted ? "adopted" : l->state, STATE_WIDTH, ALIGN_LEFT);
    if (odd)
        line_style(line, STYLE_PLAIN);
    put_left(s, line, l, now_wall_ms, selected);
    if (w.session)
        put(s, line, l->session, SESSION_WIDTH, ALIGN_LEFT);
    if (w.id)
        put(s, line, l->id, ID_WIDTH, ALIGN_LEFT);
    if (selected)
        line_to(s, line, s->cols);
}

/* The selected lease is among those that are shown. */
static void scroll_to_selected(struct view *v, size_t rows)
{
    const struct lease_list *list = &v->leases;

    if (list->selected < v->scroll)
        v->scroll = list->selected;
    if (rows && list->selected >= v->scroll + rows)
        v->scroll = list->selected - rows + 1;
    if (list->n <= rows)
        v->scroll = 0;
    else if (v->scroll + rows > list->n)
        v->scroll = list->n - rows;
}

void table_leases(struct screen *s, struct view *v, const struct sample *now, int64_t now_wall_ms, size_t at,
                  size_t rows)
{
    const struct lease_list *list = &v->leases;

    scroll_to_selected(v, rows);
    v->page = rows;
    leases_title(s, v, at, rows, now);
    leases_columns(s, at + 1);
    for (size_t i = 0; i < rows && v->scroll + i < list->n; i++)
        lease_row(s, at + 2 + i, list->rows[v->scroll + i], now_wall_ms,
                  s->rows && v->scroll + i == list->selected);
}

/* ---- errors ---- */

#define DETAIL_FROM 110 /* columns of a screen that has the detail */

static void error_row(struct screen *s, size_t at, const struct error_sample *e)
{
    struct screen_line *line = screen_line(s, at);
    bool wide = s->cols >= DETAIL_FROM;
    char time[FIGURE_SIZE];

    put(s, line, figure_clock(e->wall_ms, time), 8, ALIGN_LEFT);
    put_number(s, line, e->count, 5);
    put(s, line, e->operation, 12, ALIGN_LEFT);
    line_style(line, STYLE_WARN);
    put(s, line, e->code, 19, ALIGN_LEFT);
    line_style(line, STYLE_PLAIN);
    put(s, line, e->user, wide ? 20 : 16, ALIGN_LEFT);
    put(s, line, e->endpoint, wide ? 20 : 14, ALIGN_LEFT);
    if (wide)
        put_rest(s, line, *e->detail ? e->detail : "-");
}

void table_errors(struct screen *s, const struct sample *now, size_t at, size_t rows)
{
    struct screen_line *line = title(s, at, 0);
    bool wide = s->cols >= DETAIL_FROM;

    put(s, line, "ERRORS", 8, ALIGN_LEFT);
    put(s, line, "count", 5, ALIGN_RIGHT);
    put(s, line, "operation", 12, ALIGN_LEFT);
    put(s, line, "code", 19, ALIGN_LEFT);
    put(s, line, "user", wide ? 20 : 16, ALIGN_LEFT);
    put(s, line, "endpoint", wide ? 20 : 14, ALIGN_LEFT);
    if (wide)
        line_text(s, line, "detail");
    line_to(s, line, s->cols);
    line_style(line, STYLE_PLAIN);
    for (size_t i = 0; i < rows && i < now->nerrors; i++)
        error_row(s, at + 1 + i, &now->errors[i]);
}
