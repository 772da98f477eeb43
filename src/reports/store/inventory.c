/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inventory.c - rounds of vault accounts, Jump Items and Jumpoints; see store.h.
 *
 * A row of kinds[] is one kind: its table, its columns in the table's order (keys first, then data), the
 * columns behind them. A row is read, compared, and written only when it differs or was gone.
 */
#include "reports/store/store_internal.h"

#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>

#define MAX_CELLS 12

struct cell {
    const char *text; /* NULL with is_text: null */
    int64_t number;
    bool is_text;
};

static const struct kind {
    const char *table;
    size_t nkeys, ncells; /* ncells: keys and data */
    bool has_seq;     /* behind the cells: first_seen, changed_at, gone_at, seq; else first_seen, gone_at */
    const char *read; /* by keys: the data cells, then first_seen, gone_at */
    const char *present; /* by site: id, and the type where it is a key */
    const char *gone;    /* gone_at, [seq,] host_name, id [, type] */
} kinds[STORE_NKINDS] = {
    [STORE_VAULT_ACCOUNTS] =
        {"jg_vault_account", 2, 11, true,
         "SELECT \"type\", \"name\", \"username\", \"description\", \"account_group_id\", "
         "\"account_policy\", "
         "\"endpoint_id\", \"last_checkout_unix\", \"last_used_unix\", \"first_seen\", \"gone_at\" FROM "
         "\"jg_vault_account\" WHERE \"host_name\" = ? AND \"account_id\" = ?",
         "SELECT \"account_id\", '' FROM \"jg_vault_account\" WHERE \"host_name\" = ? AND \"gone_at\" IS "
         "NULL",
         "UPDATE \"jg_vault_account\" SET \"gone_at\" = ?, \"seq\" = ? WHERE \"host_name\" = ? AND "
         "\"account_id\" = ?"},
    [STORE_JUMP_ITEMS] =
        {"jg_jump_item", 3, 9, false,
         "SELECT \"name\", \"hostname\", \"jump_group_id\", \"jump_group_type\", \"jumpoint_id\", \"tag\", "
         "\"first_seen\", \"gone_at\" FROM \"jg_jump_item\" WHERE \"host_name\" = ? AND \"type\" = ? AND "
         "\"item_id\" = ?",
         "SELECT \"item_id\", \"type\" FROM \"jg_jump_item\" WHERE \"host_name\" = ? AND \"gone_at\" IS NULL",
         "UPDATE \"jg_jump_item\" SET \"gone_at\" = ? WHERE \"host_name\" = ? AND \"item_id\" = ? AND "
         "\"type\" = "
         "?"},
    [STORE_JUMPOINTS] =
        {"jg_jumpoint", 2, 8, false,
         "SELECT \"name\", \"platform\", \"connected\", \"enabled\", \"clustered\", \"network_id\", "
         "\"first_seen\", \"gone_at\" FROM \"jg_jumpoint\" WHERE \"host_name\" = ? AND \"jumpoint_id\" = ?",
         "SELECT \"jumpoint_id\", '' FROM \"jg_jumpoint\" WHERE \"host_name\" = ? AND \"gone_at\" IS NULL",
         "UPDATE \"jg_jumpoint\" SET \"gone_at\" = ? WHERE \"host_name\" = ? AND \"jumpoint_id\" = ?"},
};

static struct cell text_cell(const char *text)
{
    return (struct cell){.text = text, .is_text = true};
}

static struct cell int_cell(int64_t number)
{
    return (struct cell){.number = number};
}

static void put_cell(struct report_store *s, const struct kind *k, struct db_stmt *stmt, int n,
                     const struct cell *c, size_t column)
{
    if (c->is_text)
        put_cut(s, stmt, n, c->text, schema_table(k->table)->columns[column].size);
    else
        put_int(s, stmt, n, c->number);
}

/* ---- a row ---- */

static bool same_cell(struct report_store *s, const struct kind *k, struct db_stmt *stmt, int n,
                      const struct cell *c, size_t column)
{
    if (!c->is_text)
        return get_int(s, stmt, n) == c->number;
    size_t len;
    const char *text = s->db->ops->column_text(stmt, n, &len);
    if (!text || !c->text)
        return !text && !c->text;
    return len == text_cut(c->text, schema_table(k->table)->columns[column].size) &&
           memcmp(text, c->text, len) == 0;
}

/* *first_seen = RECORD_NONE: it is new. *same: there is nothing to write. */
static enum db_outcome compare(struct report_store *s, const struct kind *k, const struct cell *cells,
                               int64_t *first_seen, bool *same)
{
    struct db_stmt *stmt = store_stmt(s, k->read);
    size_t data = k->ncells - k->nkeys;

    *first_seen = RECORD_NONE;
    *same = false;
    if (!stmt)
        return store_failed(s);
    for (size_t i = 0; i < k->nkeys; i++)
        put_cell(s, k, stmt, (int)i + 1, &cells[i], i);
    enum db_outcome outcome = s->db->ops->step(stmt);
    if (outcome == DB_ROW) {
        *first_seen = get_int(s, stmt, (int)data);
        *same = s->db->ops->column_is_null(stmt, (int)data + 1);
        for (size_t i = 0; i < data; i++)
            *same = *same && same_cell(s, k, stmt, (int)i, &cells[k->nkeys + i], k->nkeys + i);
    }
    s->db->ops->reset(stmt);
    return outcome == DB_ROW ? DB_OK : outcome;
}

static enum db_outcome write_item(struct report_store *s, enum store_kind kind, const struct cell *cells)
{
    const struct kind *k = &kinds[kind];
    int64_t first_seen;
    bool same;
    enum db_outcome outcome = compare(s, k, cells, &first_seen, &same);

    if (outcome != DB_OK || same)
        return outcome;
    s->rounds[kind].changed = true;
    struct db_stmt *stmt =
        store_upsert(s, &s->put_item[kind], k->table, schema_table(k->table)->key, UPSERT_REPLACE);
    int n = 1;
    if (!stmt)
        return store_failed(s);
    for (size_t i = 0; i < k->ncells; i++)
        put_cell(s, k, stmt, n++, &cells[i], i);
    put_int(s, stmt, n++, first_seen == RECORD_NONE ? s->rounds[kind].now : first_seen);
    if (k->has_seq)
        put_int(s, stmt, n++, s->rounds[kind].now);
    put_int(s, stmt, n++, RECORD_NONE);
    if (k->has_seq)
        put_int(s, stmt, n, store_next_seq(s));
    return store_run(s, stmt);
}

/* ---- rounds ---- */

static uint64_t type_hash(const char *type)
{
    uint64_t hash = 0xcbf29ce484222325U;

    for (const char *p = type; *p; p++)
        hash = (hash ^ (unsigned char)*p) * 0x100000001b3U;
    return hash;
}

static enum db_outcome note_seen(struct report_store *s, enum store_kind kind, int64_t id, const char *type)
{
    struct round *r = &s->rounds[kind];

    if (!r->host_name[0])
        return store_fail(s, DB_FAILED, "a row of the inventory outside of a round");
    if (r->n == r->room) {
        size_t room = r->room ? r->room * 2 : 256;
        struct round_key *seen = reallocarray(r->seen, room, sizeof(*seen));
        if (!seen)
            return store_fail(s, DB_NO_MEMORY, "out of memory");
        r->seen = seen;
        r->room = room;
    }
    r->seen[r->n++] = (struct round_key){.id = id, .type = type_hash(type)};
    return DB_OK;
}

void store_round_begin(struct report_store *s, enum store_kind kind, const char *host_name, int64_t now)
{
    struct round *r = &s->rounds[kind];

    (void)text_copy(r->host_name, sizeof(r->host_name), host_name);
    r->now = now;
    r->n = 0;
    r->changed = false;
}

static int by_key(const void *a, const void *b)
{
    const struct round_key *x = a, *y = b;

    if (x->id != y->id)
        return x->id < y->id ? -1 : 1;
    return (x->type > y->type) - (x->type < y->type);
}

struct gone { /* what the round did not name */
    struct record_arena memory;
    struct gone_key {
        int64_t id;
        const char *type;
    } * keys;
    size_t n, room;
};

static enum db_outcome find_gone(struct report_store *s, enum store_kind kind, struct gone *gone)
{
    struct round *r = &s->rounds[kind];
    struct db_stmt *stmt = store_stmt(s, kinds[kind].present);
    enum db_outcome outcome;

    if (!stmt)
        return store_failed(s);
    if (r->n)
        qsort(r->seen, r->n, sizeof(*r->seen), by_key);
    put_text(s, stmt, 1, r->host_name);
    while ((outcome = s->db->ops->step(stmt)) == DB_ROW) {
        const char *type = get_text(s, stmt, 1);
        struct round_key key = {.id = get_int(s, stmt, 0), .type = type_hash(type)};

        if (r->n && bsearch(&key, r->seen, r->n, sizeof(key), by_key))
            continue;
        struct gone_key *g = record_append(&gone->memory, &gone->keys, &gone->n, &gone->room, sizeof(*g));
        if (g)
            *g = (struct gone_key){key.id, record_text(&gone->memory, type, strlen(type))};
        if (!g || !g->type) {
            outcome = store_fail(s, DB_NO_MEMORY, "out of memory");
            break;
        }
    }
    s->db->ops->reset(stmt);
    return outcome;
}

static enum db_outcome mark_gone(struct report_store *s, enum store_kind kind, const struct gone_key *g)
{
    struct db_stmt *stmt = store_stmt(s, kinds[kind].gone);
    int n = 1;

    if (!stmt)
        return store_failed(s);
    put_int(s, stmt, n++, s->rounds[kind].now);
    if (kinds[kind].has_seq)
        put_int(s, stmt, n++, store_next_seq(s));
    put_text(s, stmt, n++, s->rounds[kind].host_name);
    put_int(s, stmt, n++, g->id);
    if (kinds[kind].nkeys == 3)
        put_text(s, stmt, n, g->type);
    return store_run(s, stmt);
}

enum db_outcome store_round_end(struct report_store *s, enum store_kind kind, uint64_t *count)
{
    struct round *r = &s->rounds[kind];
    struct gone gone = {0};

    if (!r->host_name[0])
        return store_fail(s, DB_FAILED, "the end of a round that was not begun");
    enum db_outcome outcome = find_gone(s, kind, &gone);
    for (size_t i = 0; outcome == DB_OK && i < gone.n; i++)
        outcome = mark_gone(s, kind, &gone.keys[i]);
    r->changed |= gone.n > 0;
    if (count)
        *count = gone.n;
    record_arena_free(&gone.memory);
    if (outcome == DB_OK)
        r->host_name[0] = '\0';
    return outcome;
}

bool store_round_changed(const struct report_store *s, enum store_kind kind)
{
    return s->rounds[kind].changed;
}

/* ---- kinds ---- */

/* The newest activity of the account that is a use or a check-out, or what is stored: activity goes first. */
static enum db_outcome last_activity(struct report_store *s, const char *host_name, int64_t account_id,
                                     int64_t *when)
{
    struct db_stmt *stmt = store_stmt(
        s,
        "SELECT max(x.\"used\") FROM (SELECT max(\"timestamp_unix\") AS \"used\" FROM \"jg_vault_activity\" "
        "WHERE \"host_name\" = ? AND \"account_id\" = ? AND (lower(\"event_type\") = 'credentials used' OR "
        "lower(\"event_type\") LIKE '%check%') UNION ALL SELECT \"last_used_unix\" FROM \"jg_vault_account\" "
        "WHERE \"host_name\" = ? AND \"account_id\" = ?) x");
    char id[24];

    *when = RECORD_NONE;
    if (!stmt)
        return store_failed(s);
    (void)snprintf(id, sizeof(id), "%lld", (long long)account_id);
    put_text(s, stmt, 1, host_name);
    put_text(s, stmt, 2, id);
    put_text(s, stmt, 3, host_name);
    put_int(s, stmt, 4, account_id);
    enum db_outcome outcome = s->db->ops->step(stmt);
    if (outcome == DB_ROW)
        *when = get_int(s, stmt, 0);
    s->db->ops->reset(stmt);
    return outcome == DB_ROW ? DB_OK : outcome;
}

enum db_outcome store_vault_account(struct report_store *s, const struct record_vault_account *r)
{
    const char *host_name = s->rounds[STORE_VAULT_ACCOUNTS].host_name;
    int64_t last_used;
    enum db_outcome outcome = note_seen(s, STORE_VAULT_ACCOUNTS, r->account_id, "");

    if (outcome == DB_OK)
        outcome = last_activity(s, host_name, r->account_id, &last_used);
    if (outcome != DB_OK)
        return outcome;
    last_used = r->last_checkout > last_used ? r->last_checkout : last_used;
    const struct cell cells[MAX_CELLS] = {
        text_cell(host_name),
        int_cell(r->account_id),
        text_cell(r->type),
        text_cell(r->name),
        text_cell(r->username),
        text_cell(r->description),
        int_cell(r->account_group_id),
        text_cell(r->account_policy),
        int_cell(r->endpoint_id),
        int_cell(r->last_checkout),
        int_cell(last_used),
    };
    return write_item(s, STORE_VAULT_ACCOUNTS, cells);
}

enum db_outcome store_jump_item(struct report_store *s, const struct record_jump_item *r)
{
    const char *type = r->type ? r->type : "";
    enum db_outcome outcome = note_seen(s, STORE_JUMP_ITEMS, r->item_id, type);
    const struct cell cells[MAX_CELLS] = {
        text_cell(s->rounds[STORE_JUMP_ITEMS].host_name),
        text_cell(type),
        int_cell(r->item_id),
        text_cell(r->name),
        text_cell(r->hostname),
        int_cell(r->jump_group_id),
        text_cell(r->jump_group_type),
        int_cell(r->jumpoint_id),
        text_cell(r->tag),
    };

    return outcome == DB_OK ? write_item(s, STORE_JUMP_ITEMS, cells) : outcome;
}

enum db_outcome store_jumpoint(struct report_store *s, const struct record_jumpoint *r)
{
    enum db_outcome outcome = note_seen(s, STORE_JUMPOINTS, r->jumpoint_id, "");
    const struct cell cells[MAX_CELLS] = {
        text_cell(s->rounds[STORE_JUMPOINTS].host_name),
        int_cell(r->jumpoint_id),
        text_cell(r->name),
        text_cell(r->platform),
        int_cell(r->connected),
        int_cell(r->enabled),
        int_cell(r->clustered),
        text_cell(r->network_id),
    };

    return outcome == DB_OK ? write_item(s, STORE_JUMPOINTS, cells) : outcome;
}
