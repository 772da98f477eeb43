/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rows.c - the sessions of a report; see rows.h.
 */
#include "pra-sim/rows.h"

#include "pra-sim/spoil.h"

#include <errno.h>
#include <stdlib.h>

void rows_add(struct rows *rows, struct row row)
{
    if (rows->n == rows->cap) {
        size_t cap = rows->cap ? rows->cap * 2 : 256;
        struct row *grown = realloc(rows->row, cap * sizeof(*grown));
        if (!grown) {
            rows->failed = true;
            return;
        }
        rows->row = grown;
        rows->cap = cap;
    }
    rows->row[rows->n++] = row;
}

void rows_free(struct rows *rows)
{
    free(rows->row);
    *rows = (struct rows){0};
}

/* ---- made by a test ---- */

static void find_made(const struct site *s, const struct period *p, struct rows *rows)
{
    for (size_t i = 0; i < s->sessions.all.n; i++) {
        struct session *one = s->sessions.all.item[i];
        int64_t at = (p->by_end ? one->end_ms : one->start_ms) / 1000;
        if (one->gone == GONE_ALL || (p->by_end && one->state != SESSION_ENDED))
            continue;
        if (p->by_end && site_now(s) - one->end_ms < (int64_t)s->report_lag_ms)
            continue;
        if (at >= p->from && at < p->to)
            rows_add(rows, (struct row){.made = one, .index = i, .at_s = at});
    }
}

/* ---- made up ---- */

static bool end_is_reported(const struct site *s, uint64_t index, const struct month_times *t, int64_t now_s)
{
    int64_t lag_s = (int64_t)s->report_lag_ms / 1000;

    if (month_state(t, now_s) != SESSION_ENDED)
        return false;
    if (s->late_permille && month_chance(s->month->opts.seed + index, 60) % 1000 < s->late_permille)
        lag_s += (int64_t)s->late_ms / 1000;
    return now_s - t->closed_s >= lag_s;
}

static void look(const struct site *s, const struct period *p, uint64_t index, struct rows *rows)
{
    int64_t now_s = site_now(s) / 1000;
    struct month_times t = month_times(s->month, index);
    int64_t at = p->by_end ? t.closed_s : t.start_s;

    if (at < p->from || at >= p->to || t.start_s > now_s || month_gone(s->month, index) == GONE_ALL)
        return;
    if (!p->by_end || end_is_reported(s, index, &t, now_s))
        rows_add(rows, (struct row){.index = index, .at_s = at});
}

static void find_made_up(const struct site *s, const struct period *p, struct rows *rows)
{
    const struct month *m = s->month;
    uint64_t sessions = m->opts.sessions, all = month_count(m, site_now(s) / 1000);
    int64_t from = p->by_end ? p->from - MONTH_LONGEST_S : p->from;
    uint64_t i = month_first_at(m, from);
    uint64_t end = p->to == INT64_MAX ? sessions : month_first_at(m, p->to);

    for (; i < end; i++)
        look(s, p, i, rows);
    for (i = sessions; i < all; i++)
        look(s, p, i, rows);
}

/* A change may have moved an end out of reach of its start: such sessions are looked at one by one. */
static void find_changed(const struct site *s, const struct period *p, struct rows *rows)
{
    const struct month_change *c;

    for (c = s->month->changes; c && p->by_end; c = c->hh.next) {
        struct month_times t = month_times(s->month, c->index);
        bool far = t.closed_s - t.start_s > MONTH_LONGEST_S;
        if (c->index < s->month->opts.sessions && far && t.start_s < p->from - MONTH_LONGEST_S)
            look(s, p, c->index, rows);
    }
}

/* ---- order ---- */

static int by_time(const void *a, const void *b)
{
    const struct row *x = a, *y = b;

    if (x->at_s != y->at_s)
        return x->at_s < y->at_s ? -1 : 1;
    if (!x->made != !y->made)
        return x->made ? -1 : 1;
    return x->index < y->index ? -1 : x->index > y->index;
}

static void reverse(struct rows *rows)
{
    for (size_t i = 0; i < rows->n / 2; i++) {
        struct row other = rows->row[i];
        rows->row[i] = rows->row[rows->n - 1 - i];
        rows->row[rows->n - 1 - i] = other;
    }
}

static void shuffle(struct rows *rows)
{
    for (size_t i = rows->n; i > 1; i--) {
        size_t j = (size_t)(month_chance(i, rows->n) % i);
        struct row other = rows->row[i - 1];
        rows->row[i - 1] = rows->row[j];
        rows->row[j] = other;
    }
}

static void repeat(struct rows *rows)
{
    size_t n = rows->n;

    for (size_t i = 0; i < n; i++)
        rows_add(rows, rows->row[i]);
}

void rows_spoil(struct rows *rows, int fault)
{
    if (fault == SPOIL_ROWS_TWICE)
        repeat(rows);
    if (fault == SPOIL_ROWS_SHUFFLED)
        shuffle(rows);
}

void rows_find(const struct site *s, const struct period *p, struct rows *rows)
{
    *rows = (struct rows){0};
    find_made(s, p, rows);
    if (s->month) {
        find_made_up(s, p, rows);
        find_changed(s, p, rows);
    }
    if (rows->n && s->knob[KNOB_ROW_ORDER] != ROW_ORDER_ANY)
        qsort(rows->row, rows->n, sizeof(*rows->row), by_time);
    if (s->knob[KNOB_ROW_ORDER] == ROW_ORDER_NEWEST)
        reverse(rows);
    if (s->knob[KNOB_ROW_ORDER] == ROW_ORDER_ANY)
        shuffle(rows);
}

/* ---- by lsid ---- */

bool rows_by_lsid(const struct site *s, const char *text, struct row *row)
{
    int64_t now_s = site_now(s) / 1000;
    char lsid[LSID_SIZE];

    *row = (struct row){.made = sessions_find(&s->sessions, text)};
    if (row->made)
        return row->made->gone == GONE_NOT;
    if (!s->month || !session_lsid(text, lsid) || !month_find(s->month, lsid, &row->index))
        return false;
    if (row->index >= month_count(s->month, now_s) || month_gone(s->month, row->index) != GONE_NOT)
        return false;
    return month_times(s->month, row->index).start_s <= now_s;
}

/* ---- one of them ---- */

enum session_state rows_state(const struct site *s, const struct row *row)
{
    struct month_times t;

    if (row->made)
        return row->made->state;
    t = month_times(s->month, row->index);
    return month_state(&t, site_now(s) / 1000);
}

int rows_end(struct site *s, const struct row *row, bool abnormally, int64_t at_ms)
{
    struct month_change *c;

    if (row->made) {
        (void)sessions_end(&s->sessions, row->made, abnormally, at_ms);
        return site_session_ended(s, row->made);
    }
    c = month_change(s->month, row->index);
    if (!c)
        return -ENOMEM;
    c->closed_s = at_ms / 1000;
    c->abnormal = abnormally;
    return 0;
}
