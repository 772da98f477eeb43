/* SPDX-License-Identifier: Apache-2.0 */
/*
 * print.c - leases on standard output; see print.h.
 *
 * JSON is written row by row and has exactly the members of GET /v1/leases. The table (print_table.h) has in
 * front what a person looks for: who has what, since when, for how long. The wide table has the rest as well.
 *
 * The names of account and system are not in the store: where they are not known, the numbers in a
 * credential id of Password Safe are shown, as #17.
 */
#include "commands/leases/print.h"

#include "backends/password_safe/account_key.h"
#include "base/clock.h"
#include "broker/identity/credential_id.h"
#include "commands/span.h"
#include "handlers/lease_json.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define ROW_MAX (64U << 20) /* one lease with all sessions that share its request */

#define NAMES "ID", "STATE"
#define FACTS                                                                                                \
    "ACCOUNT", "SYSTEM", "USER", "START", "LEFT", "SESSIONS", "LAST ERROR", "REQUEST", "EXPIRES",            \
        "ATTEMPTS", "CREDENTIAL", "LSID", "RUN AS"

static const char *const alone[] = {NAMES, FACTS}, *const shared[] = {NAMES, "NODE", FACTS};
enum { USUAL = 9, WIDE = sizeof(alone) / sizeof(*alone) };
_Static_assert(WIDE < PRINT_TABLE_COLUMNS, "the table has room for all columns");

struct leases_print leases_print_start(bool json, bool wide, bool nodes)
{
    size_t columns = (wide ? (size_t)WIDE : (size_t)USUAL) + (nodes ? 1 : 0);

    return (struct leases_print){
        .json = json,
        .wide = wide,
        .nodes = nodes,
        .now_wall_ms = clock_wall(&clock_system),
        .table = print_table_start(nodes ? shared : alone, columns),
    };
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

static void name_cell(struct leases_print *p, const char *name, bool parsed, int64_t number)
{
    if (name && *name)
        print_table_cell(&p->table, STYLE_PLAIN, name);
    else if (parsed && number)
        print_table_cellf(&p->table, STYLE_PLAIN, "#%" PRId64, number);
    else
        print_table_cell(&p->table, STYLE_PLAIN, NULL);
}

static void names_cells(struct leases_print *p, const struct lease_view *view)
{
    struct credential_ref ref;
    struct ps_account_key key = {.kind = KIND_LOCAL};
    bool parsed =
        credential_id_parse(view->credential_id, &ref) && ps_account_key_read(ref.account_key, &key);

    name_cell(p, view->account, parsed, key.account_id);
    name_cell(p, view->system, parsed, key.system_id);
}

static void left_cell(struct leases_print *p, const struct lease_view *view)
{
    int64_t left = (view->expires_wall_ms - p->now_wall_ms) / 1000;
    char span[SPAN_SIZE];

    if (!view->expires_wall_ms)
        print_table_cell(&p->table, STYLE_PLAIN, NULL);
    else if (left >= 0)
        print_table_cell(&p->table, STYLE_PLAIN, span_text(left, span));
    else
        print_table_cellf(&p->table, STYLE_BAD, "overdue %s", span_text(-left, span));
}

static void sessions_cell(struct leases_print *p, const struct lease_view *view)
{
    struct buf cell = BUF_INIT(ROW_MAX);

    for (size_t i = 0; i < view->nsessions; i++)
        (void)buf_printf(&cell, "%s%s", i ? "," : "", view->sessions[i]);
    const char *text = buf_cstr(&cell);

    p->failed = p->failed || cell.failed || !text;
    print_table_cell(&p->table, STYLE_PLAIN, text);
    buf_free(&cell);
}

static void time_cell(struct leases_print *p, int64_t wall_ms)
{
    char text[CLOCK_RFC3339_SIZE];

    print_table_cell(&p->table, STYLE_PLAIN, clock_rfc3339_or_null(wall_ms, text));
}

static void wide_cells(struct leases_print *p, const struct lease_view *view)
{
    if (view->request_id)
        print_table_cellf(&p->table, STYLE_PLAIN, "%" PRId64, view->request_id);
    else
        print_table_cell(&p->table, STYLE_PLAIN, NULL);
    time_cell(p, view->expires_wall_ms);
    print_table_cellf(&p->table, STYLE_PLAIN, "%" PRId64, view->attempts);
    print_table_cell(&p->table, STYLE_PLAIN, view->credential_id);
    print_table_cell(&p->table, STYLE_PLAIN, view->lsid);
    print_table_cell(&p->table, STYLE_PLAIN, view->run_as ? view->run_as : view->user);
}

static void table_row(struct leases_print *p, const struct lease_view *view)
{
    bool bad = strcmp(view->state, "lapsed") == 0, open = strcmp(view->state, "open") == 0;

    print_table_cell(&p->table, STYLE_PLAIN, view->id);
    print_table_cellf(&p->table,
                      bad    ? STYLE_BAD
                      : open ? STYLE_PLAIN
                             : STYLE_WARN,
                      "%s%s", view->state, view->adopted ? ",adopted" : "");
    if (p->nodes)
        print_table_cell(&p->table, STYLE_PLAIN, view->node);
    names_cells(p, view);
    print_table_cell(&p->table, STYLE_PLAIN, view->user);
    time_cell(p, view->created_wall_ms);
    left_cell(p, view);
    sessions_cell(p, view);
    print_table_cell(&p->table, STYLE_WARN, view->last_error);
    if (p->wide)
        wide_cells(p, view);
}

/* ---- both ---- */

void leases_print_row(void *print, const struct lease_view *view)
{
    struct leases_print *p = print;

    if (p->json)
        print_json(p, view);
    else
        table_row(p, view);
    p->n++;
}

int leases_print_end(struct leases_print *p)
{
    int err = p->failed ? -ENOMEM : 0;

    if (p->json)
        printf("%s],\"next\":null}\n", p->n ? "" : json_head);
    else if (!p->n)
        puts("no leases");
    else if (!err)
        return print_table_end(&p->table, stdout);
    leases_print_drop(p);
    return err;
}

void leases_print_drop(struct leases_print *p)
{
    print_table_drop(&p->table);
}
