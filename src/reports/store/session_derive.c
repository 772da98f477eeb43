/* SPDX-License-Identifier: Apache-2.0 */
/*
 * session_derive.c - columns that are made of a session: user, endpoint, type of Jump Item, working hours;
 * the words of states.
 *
 * The type of Jump Item is the first that is known: the word in an event's data; `jump-client` without a
 * Jumpoint; the type of the one Jump Item of that group and name in the inventory; `shell-jump` where a
 * command shell was started; else `unknown`.
 */
#include "base/text.h"
#include "reports/store/store_internal.h"

#include <ctype.h>

const char *const store_state_names[] = {
    [STORE_RUNNING] = "running",
    [STORE_CLOSED] = "closed",
    [STORE_ABNORMAL] = "abnormal",
};

enum store_state store_state_named(const char *name)
{
    if (name && strcmp(name, "running") == 0)
        return STORE_RUNNING;
    return name && strcmp(name, "abnormal") == 0 ? STORE_ABNORMAL : STORE_CLOSED;
}

static const char *const words[] = {
    "remote-rdp",        "remote-vnc",       "shell-jump",          "protocol-tunnel-jump", "web-jump",
    "mysql-tunnel-jump", "psql-tunnel-jump", "network-tunnel-jump", "jump-client",
};

static bool same_word(const char *text, const char *word)
{
    for (; *text && *word; text++, word++) {
        int c = *text == ' ' || *text == '_' ? '-' : tolower((unsigned char)*text);
        if (c != *word)
            return false;
    }
    return !*text && !*word;
}

const char *jump_item_type_word(const char *text)
{
    for (size_t i = 0; text && i < sizeof(words) / sizeof(*words); i++)
        if (same_word(text, words[i]))
            return words[i];
    return NULL;
}

bool has_jumpoint(int64_t id, const char *name)
{
    return id >= 0 || (id == RECORD_NONE && name);
}

/* *type is NULL unless all Jump Items of that group and name have one type that is known. */
static enum db_outcome type_of_inventory(struct report_store *s, const struct derive_from *from,
                                         const char **type)
{
    struct db_stmt *stmt =
        store_stmt(s, "SELECT min(\"type\"), count(*) FROM \"jg_jump_item\" WHERE \"host_name\" = ? AND "
                      "\"jump_group_id\" = ? AND \"name\" = ? AND \"gone_at\" IS NULL");

    *type = NULL;
    if (!stmt)
        return store_failed(s);
    put_text(s, stmt, 1, from->host_name);
    put_int(s, stmt, 2, from->jump_group_id);
    put_cut(s, stmt, 3, from->primary_customer, 256);
    enum db_outcome outcome = s->db->ops->step(stmt);
    if (outcome == DB_ROW && s->db->ops->column_int(stmt, 1) == 1)
        *type = jump_item_type_word(get_text(s, stmt, 0));
    s->db->ops->reset(stmt);
    return outcome == DB_ROW ? DB_OK : outcome;
}

static enum db_outcome derive_type(struct report_store *s, const struct derive_from *from, const char **type)
{
    enum db_outcome outcome = DB_OK;

    *type = jump_item_type_word(from->event_jump_item_type);
    if (!*type && !from->has_jumpoint)
        *type = "jump-client";
    if (!*type && from->primary_customer && from->jump_group_id != RECORD_NONE)
        outcome = type_of_inventory(s, from, type);
    if (!*type)
        *type = from->shell_started ? "shell-jump" : "unknown";
    return outcome;
}

const struct working_hours *session_hours(const struct report_store *s, const char *host_name)
{
    for (const struct site_hours *h = s->hours; h; h = h->next)
        if (strcmp(h->host_name, host_name) == 0)
            return h->hours;
    return NULL;
}

static bool is_outside(const struct report_store *s, const char *host_name, int64_t start)
{
    const struct working_hours *hours = session_hours(s, host_name);

    return hours && working_hours_outside(hours, start);
}

enum db_outcome session_derive(struct report_store *s, const struct derive_from *from, struct derived *to)
{
    *to = (struct derived){
        .user_name = from->owner ? from->owner : from->primary_rep,
        .endpoint_name = from->primary_customer,
        .injections = from->injections,
        .injections_failed = from->injections_failed,
        .duration_seconds = from->end == RECORD_NONE ? RECORD_NONE : from->end - from->start,
        .outside_hours = is_outside(s, from->host_name, from->start),
    };
    return derive_type(s, from, &to->jump_item_type);
}
