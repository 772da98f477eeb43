/* SPDX-License-Identifier: Apache-2.0 */
/*
 * view_layout.c - how many lines each part of the screen gets; see view_layout.h.
 */
#include "top/view_layout.h"

#include "top/view_tables.h"

#define GAPS_FROM    32 /* lines of a screen that has empty lines */
#define REASONS_MAX  3
#define LEASES_LEAST 5
#define LEASES_STEP  5

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t most(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* Lines of all but the rows: header, reasons, footer, titles, gaps. */
static size_t fixed_lines(const struct view_layout *l)
{
    size_t tables = l->beside ? 3 : 4; /* the leases have the names of their columns on a line of their own */

    return 2 + most(l->reasons, 1) + tables * (l->gaps ? 2 : 1) + 1;
}

static size_t rows_of(const struct view_layout *l)
{
    size_t top = l->beside ? most(l->operations, l->vaults) : l->operations + l->vaults;

    return top + l->leases + l->errors;
}

/* Adds rows to `*rows` up to `wanted` as long as there is room. */
static void widen(struct view_layout *l, size_t *rows, size_t wanted, size_t room)
{
    while (*rows < wanted) {
        ++*rows;
        if (rows_of(l) > room) {
            --*rows;
            return;
        }
    }
}

struct view_layout view_layout(size_t rows, size_t cols, const struct model *m, const struct view *v)
{
    size_t operations = m->noperations + 1, leases = m->now ? m->now->nleases : 0;
    size_t vaults = m->now ? m->now->nvaults + (m->now->site.name ? 1 : 0) : 0;
    size_t errors = m->now ? m->now->nerrors : 0;
    struct view_layout l = {.beside = cols >= TABLE_OPERATIONS_WIDTH + TABLE_GAP + TABLE_VAULTS_WIDTH,
                            .gaps = !rows || rows >= GAPS_FROM};

    l.reasons = m->now && !*v->away ? m->now->nreasons : 0;
    if (rows)
        l.reasons = least(l.reasons, REASONS_MAX);
    if (!rows) {
        l.operations = operations;
        l.vaults = vaults;
        l.leases = v->leases.n;
        l.errors = errors;
        return l;
    }
    size_t room = rows - fixed_lines(&l);
    l.operations = least(operations, most(3, room / 6));
    l.vaults = least(vaults, most(3, room / 6));
    l.errors = least(errors, most(3, room / 7));
    l.leases = LEASES_LEAST;
    widen(&l, &l.leases, (leases / LEASES_STEP + 1) * LEASES_STEP, room);
    widen(&l, &l.errors, errors, room);
    widen(&l, &l.operations, operations, room);
    widen(&l, &l.vaults, vaults, room);
    widen(&l, &l.leases, rows, room);
    return l;
}
