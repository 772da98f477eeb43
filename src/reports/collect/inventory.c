/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inventory.c - the source of vault accounts, Jump items and Jumpoints: a round over the pages of all lists.
 *
 * The rows of a kind are kept until all its lists are whole, and become one task: begin, rows, end. So what a
 * whole round does not name is gone, and a round that broke changes nothing. A kind over STOCK_MAX is left
 * out. A list that the site does not have (404) is empty where another list of its kind is there; one that
 * the account may not read leaves its kind out, and the round says so.
 *
 * Types of Jump Items of stored sessions follow from the inventory: a round that changed it says so in the
 * cursor COLLECT_DERIVED, in the same transaction, and asks for upkeep's chain.
 */
#include "reports/collect/collect_internal.h"

#include "base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define STOCK_MAX (48 * 1024 * 1024)

static const struct list {
    enum report_page_kind page;
    enum store_kind kind;
} lists[] = {
    {REPORT_PAGE_VAULT_ACCOUNT, STORE_VAULT_ACCOUNTS}, {REPORT_PAGE_JUMP_CLIENT, STORE_JUMP_ITEMS},
    {REPORT_PAGE_REMOTE_RDP, STORE_JUMP_ITEMS},        {REPORT_PAGE_REMOTE_VNC, STORE_JUMP_ITEMS},
    {REPORT_PAGE_SHELL_JUMP, STORE_JUMP_ITEMS},        {REPORT_PAGE_PROTOCOL_TUNNEL, STORE_JUMP_ITEMS},
    {REPORT_PAGE_WEB_JUMP, STORE_JUMP_ITEMS},          {REPORT_PAGE_MYSQL_TUNNEL, STORE_JUMP_ITEMS},
    {REPORT_PAGE_PSQL_TUNNEL, STORE_JUMP_ITEMS},       {REPORT_PAGE_NETWORK_TUNNEL, STORE_JUMP_ITEMS},
    {REPORT_PAGE_JUMPOINT, STORE_JUMPOINTS},
};
enum { NLISTS = sizeof(lists) / sizeof(*lists) };

static void free_parts(struct stock_parts *parts)
{
    struct stock_part *p;

    while ((p = STAILQ_FIRST(parts))) {
        STAILQ_REMOVE_HEAD(parts, link);
        record_arena_free(&p->arena);
        free(p);
    }
}

void inventory_reset(struct collect_site *site)
{
    struct stock *stock = &site->stock;

    for (int i = 0; i < STORE_NKINDS; i++)
        free_parts(&stock->parts[i]);
    inventory_init(site);
}

void inventory_init(struct collect_site *site)
{
    site->stock = (struct stock){.page = 1};
    for (int i = 0; i < STORE_NKINDS; i++)
        STAILQ_INIT(&site->stock.parts[i]);
}

/* ---- a kind is whole ---- */

struct round_task {
    struct site_task base;
    struct stock_parts parts;
    enum store_kind kind;
    bool changed; /* by the writer's thread: Jump Items are not as before */
};

static enum db_outcome put_item(struct report_store *store, const struct stock_part *p, size_t i)
{
    switch (p->kind) {
    case REPORT_VAULT_ACCOUNTS: return store_vault_account(store, (struct record_vault_account *)p->rows + i);
    case REPORT_JUMP_ITEMS: return store_jump_item(store, (struct record_jump_item *)p->rows + i);
    case REPORT_JUMPOINTS: return store_jumpoint(store, (struct record_jumpoint *)p->rows + i);
    default: return DB_OK;
    }
}

static enum db_outcome round_apply(struct site_task *base, struct report_store *store)
{
    struct round_task *t = CONTAINER_OF(base, struct round_task, base);
    enum db_outcome outcome = DB_OK;
    struct stock_part *p;
    char position[STORE_POSITION_SIZE];

    store_round_begin(store, t->kind, base->site->host_name, base->now);
    STAILQ_FOREACH(p, &t->parts, link)
    for (size_t i = 0; outcome == DB_OK && i < p->n; i++)
        outcome = put_item(store, p, i);
    if (outcome == DB_OK)
        outcome = store_round_end(store, t->kind, NULL);
    t->changed = t->kind == STORE_JUMP_ITEMS && store_round_changed(store, t->kind);
    if (outcome != DB_OK || !t->changed)
        return outcome;
    (void)snprintf(position, sizeof(position), "inventory %" PRId64, base->now);
    return store_set_cursor(store, base->site->host_name, COLLECT_DERIVED, position, base->now);
}

static void round_after(struct site_task *base, enum db_outcome outcome, const char *why)
{
    struct collector *c = base->site->collector;

    (void)why;
    if (outcome == DB_OK && CONTAINER_OF(base, struct round_task, base)->changed)
        c->hooks->derive_again(c);
}

static void round_release(struct site_task *base)
{
    free_parts(&CONTAINER_OF(base, struct round_task, base)->parts);
}

static void kind_is_over(struct source *s, enum store_kind kind)
{
    struct stock *stock = &s->site->stock;
    struct round_task *t;

    if (stock->skip[kind] || !stock->named[kind]) {
        free_parts(&stock->parts[kind]);
        return;
    }
    t = site_task_new(s->site, s, sizeof(*t));
    if (!t) {
        s->lost = true;
        return;
    }
    t->base.apply = round_apply;
    t->base.after = round_after;
    t->base.release = round_release;
    t->kind = kind;
    STAILQ_INIT(&t->parts);
    STAILQ_CONCAT(&t->parts, &stock->parts[kind]);
    site_task_submit(&t->base);
}

/* ---- pages ---- */

static void ask_page(struct source *s)
{
    const struct stock *stock = &s->site->stock;
    struct report_site *site = s->site->site;

    source_asked(s, site->ops->page(site, source_call(s), lists[stock->list].page, stock->page));
}

static void inventory_begin(struct source *s)
{
    inventory_reset(s->site);
    ask_page(s);
}

static void inventory_batch(struct source *s, struct report_batch *batch)
{
    struct stock *stock = &s->site->stock;
    enum store_kind kind = lists[stock->list].kind;
    struct stock_part *p;

    if (stock->skip[kind])
        return;
    p = stock->bytes < STOCK_MAX ? malloc(sizeof(*p)) : NULL;
    if (!p) {
        stock->skip[kind] = true;
        (void)snprintf(stock->error, sizeof(stock->error), "%s: too many rows",
                       report_page_name(lists[stock->list].page));
        return;
    }
    *p = (struct stock_part){.arena = batch->arena, .kind = batch->kind, .rows = batch->rows, .n = batch->n};
    batch->arena = (struct record_arena){.chunks = NULL};
    stock->bytes += p->arena.used;
    STAILQ_INSERT_TAIL(&stock->parts[kind], p, link);
}

static void last_list(struct source *s)
{
    struct stock *stock = &s->site->stock;
    const struct report_outcome whole = {.end = REPORT_OK};
    struct last_task *t;

    t = last_task_new(s, stock->first_failure.end != REPORT_OK ? &stock->first_failure : &whole, sizeof(*t));
    if (!t)
        return;
    (void)snprintf(t->position, sizeof(t->position), "%" PRId64, t->base.now);
    if (stock->error[0] && stock->first_failure.end == REPORT_OK)
        t->broke = "the inventory has too many rows";
    site_task_submit(&t->base);
}

static void next_list(struct source *s)
{
    struct stock *stock = &s->site->stock;
    enum store_kind kind = lists[stock->list].kind;

    stock->page = 1;
    stock->list++;
    if (stock->list == NLISTS || lists[stock->list].kind != kind)
        kind_is_over(s, kind);
    if (stock->list < NLISTS)
        ask_page(s);
    else
        last_list(s);
}

/* A list that is not there, or that the account may not read; the round goes on with the others. */
static bool leaves_out(struct source *s, const struct report_outcome *o)
{
    struct stock *stock = &s->site->stock;
    enum store_kind kind = lists[stock->list].kind;

    if (o->end == REPORT_API_DISABLED && kind == STORE_JUMP_ITEMS)
        return true;
    if (o->end != REPORT_DENIED && o->end != REPORT_API_DISABLED)
        return false;
    stock->skip[kind] = true;
    if (stock->first_failure.end == REPORT_OK)
        stock->first_failure = *o;
    return true;
}

static void inventory_ended(struct source *s, const struct report_outcome *o)
{
    struct stock *stock = &s->site->stock;

    if (report_end_is_whole(o->end)) {
        stock->named[lists[stock->list].kind] = true;
        if (o->last || o->end == REPORT_NO_ROWS) {
            next_list(s);
            return;
        }
        stock->page++;
        ask_page(s);
    } else if (leaves_out(s, o)) {
        next_list(s);
    } else {
        inventory_reset(s->site);
        source_failed(s, o);
    }
}

static int64_t inventory_interval(const struct collect_site *site)
{
    return site->collector->settings.inventory_interval;
}

const struct source_row inventory_row = {.name = "inventory",
                                         .urgency = REPORT_REST,
                                         .fetch = COLLECT_FETCH_INVENTORY,
                                         .ask = REPORT_ASK_PAGE,
                                         .interval = inventory_interval,
                                         .begin = inventory_begin,
                                         .batch = inventory_batch,
                                         .ended = inventory_ended};
