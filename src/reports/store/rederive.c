/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rederive.c - derived columns again, from stored rows: after other working hours, a new inventory, or a
 * version that derives otherwise; see store.h.
 */
#include "reports/store/store_internal.h"

struct again { /* one session */
    int64_t id;
    struct derive_from from;
    const char *stored_user, *stored_endpoint, *stored_type;
    int64_t stored_injections, stored_failed, stored_duration;
    bool stored_outside;
};

static const char *copied(struct report_store *s, struct db_stmt *stmt, int n, struct record_arena *texts,
                          bool *failed)
{
    size_t len;
    const char *text = s->db->ops->column_text(stmt, n, &len);

    if (!text)
        return NULL;
    text = record_text(texts, text, len);
    *failed |= !text;
    return text;
}

#define STORED                                                                                               \
    "SELECT \"id\", \"host_name\", \"start_unix\", \"end_unix\", \"primary_rep\", \"primary_customer\", "    \
    "\"jumpoint_id\", \"jumpoint_name\", \"jump_group_id\", \"user_name\", \"endpoint_name\", "              \
    "\"jump_item_type\", \"injections\", \"injections_failed\", \"duration_seconds\", \"outside_hours\" "    \
    "FROM \"session\" WHERE \"id\" > ?"

/* The stored columns of the next session behind `after`, of one site where host_name is not NULL. DB_OK:
 * there is none. In the order of ids, so that no step sorts the sessions of the site. */
static enum db_outcome next_session(struct report_store *s, const char *host_name, int64_t after,
                                    struct record_arena *texts, struct again *a)
{
    static const char all[] = STORED " ORDER BY \"id\"{}";
    static const char one[] = STORED " AND " NO_INDEX("\"host_name\"") " = ? ORDER BY \"id\"{}";
    struct db_stmt *stmt = store_stmt(s, host_name ? one : all);
    bool failed = false;

    if (!stmt)
        return store_failed(s);
    put_int(s, stmt, 1, after);
    if (host_name)
        put_text(s, stmt, 2, host_name);
    put_int(s, stmt, host_name ? 3 : 2, 1);
    enum db_outcome outcome = s->db->ops->step(stmt);
    if (outcome == DB_ROW) {
        *a = (struct again){.id = get_int(s, stmt, 0),
                            .from = {.host_name = copied(s, stmt, 1, texts, &failed),
                                     .start = get_int(s, stmt, 2),
                                     .end = get_int(s, stmt, 3),
                                     .primary_rep = copied(s, stmt, 4, texts, &failed),
                                     .primary_customer = copied(s, stmt, 5, texts, &failed),
                                     .has_jumpoint = has_jumpoint(get_int(s, stmt, 6), get_text(s, stmt, 7)),
                                     .jump_group_id = get_int(s, stmt, 8)},
                            .stored_user = copied(s, stmt, 9, texts, &failed),
                            .stored_endpoint = copied(s, stmt, 10, texts, &failed),
                            .stored_type = copied(s, stmt, 11, texts, &failed),
                            .stored_injections = get_int(s, stmt, 12),
                            .stored_failed = get_int(s, stmt, 13),
                            .stored_duration = get_int(s, stmt, 14),
                            .stored_outside = s->db->ops->column_int(stmt, 15) != 0};
    }
    s->db->ops->reset(stmt);
    return failed ? store_fail(s, DB_NO_MEMORY, "out of memory") : outcome;
}

static enum db_outcome read_owner(struct report_store *s, struct again *a, struct record_arena *texts)
{
    struct db_stmt *stmt =
        store_stmt(s, "SELECT \"username\" FROM \"representative\" WHERE \"session_id\" = ? "
                      "AND \"session_owner\" = 1 AND \"username\" IS NOT NULL ORDER BY \"id\"");
    bool failed = false;

    if (!stmt)
        return store_failed(s);
    put_int(s, stmt, 1, a->id);
    enum db_outcome outcome = s->db->ops->step(stmt);
    if (outcome == DB_ROW)
        a->from.owner = copied(s, stmt, 0, texts, &failed);
    s->db->ops->reset(stmt);
    if (failed)
        return store_fail(s, DB_NO_MEMORY, "out of memory");
    return outcome == DB_ROW ? DB_OK : outcome;
}

static enum db_outcome read_events(struct report_store *s, struct again *a)
{
    struct db_stmt *stmt = store_stmt(
        s, "SELECT \"type\", count(*) FROM \"session_event\" WHERE \"session_id\" = ? AND " NO_INDEX(
               "\"type\"") " IN ('" EVENT_INJECTION "', '" EVENT_INJECTION_FAILED "', '" EVENT_SHELL
                           "') GROUP BY \"type\"");
    enum db_outcome outcome;

    if (!stmt)
        return store_failed(s);
    put_int(s, stmt, 1, a->id);
    while ((outcome = s->db->ops->step(stmt)) == DB_ROW) {
        const char *type = get_text(s, stmt, 0);
        int64_t n = get_int(s, stmt, 1);

        if (strcmp(type, EVENT_INJECTION) == 0)
            a->from.injections = n;
        else if (strcmp(type, EVENT_INJECTION_FAILED) == 0)
            a->from.injections_failed = n;
        else
            a->from.shell_started = true;
    }
    s->db->ops->reset(stmt);
    return outcome;
}

static enum db_outcome read_event_type(struct report_store *s, struct again *a)
{
    struct db_stmt *stmt =
        store_stmt(s, "SELECT d.\"value\" FROM \"session_event\" e JOIN \"session_event_data\" d ON "
                      "d.\"session_event_id\" = e.\"id\" WHERE e.\"session_id\" = ? AND " NO_INDEX(
                          "d.\"name\"") " = "
                                        "'jump_item_type' ORDER BY d.\"id\"");
    enum db_outcome outcome;

    if (!stmt)
        return store_failed(s);
    put_int(s, stmt, 1, a->id);
    while ((outcome = s->db->ops->step(stmt)) == DB_ROW && !a->from.event_jump_item_type)
        a->from.event_jump_item_type = jump_item_type_word(get_text(s, stmt, 0));
    s->db->ops->reset(stmt);
    return outcome == DB_ROW ? DB_OK : outcome;
}

static bool is_same(const struct again *a, const struct derived *d)
{
    return store_same_text(a->stored_user, d->user_name) &&
           store_same_text(a->stored_endpoint, d->endpoint_name) &&
           store_same_text(a->stored_type, d->jump_item_type) && a->stored_injections == d->injections &&
           a->stored_failed == d->injections_failed && a->stored_duration == d->duration_seconds &&
           a->stored_outside == d->outside_hours;
}

static enum db_outcome update(struct report_store *s, int64_t id, const struct derived *d, int64_t now)
{
    struct db_stmt *stmt = store_stmt(
        s, "UPDATE \"session\" SET \"user_name\" = ?, \"endpoint_name\" = ?, \"jump_item_type\" = ?, "
           "\"injections\" "
           "= ?, \"injections_failed\" = ?, \"duration_seconds\" = ?, \"outside_hours\" = ?, \"revision\" = "
           "\"revision\" + 1, \"changed_at\" = ?, \"seq\" = ? WHERE \"id\" = ?");
    enum db_outcome outcome = stmt ? tally_stored(s, id, -1) : store_failed(s);

    if (outcome != DB_OK)
        return outcome;
    put_cut(s, stmt, 1, d->user_name, 256);
    put_cut(s, stmt, 2, d->endpoint_name, 256);
    put_text(s, stmt, 3, d->jump_item_type);
    put_int(s, stmt, 4, d->injections);
    put_int(s, stmt, 5, d->injections_failed);
    put_int(s, stmt, 6, d->duration_seconds);
    put_int(s, stmt, 7, d->outside_hours);
    put_int(s, stmt, 8, now);
    put_int(s, stmt, 9, store_next_seq(s));
    put_int(s, stmt, 10, id);
    outcome = store_run(s, stmt);
    return outcome == DB_OK ? tally_stored(s, id, 1) : outcome;
}

static enum db_outcome rederive_one(struct report_store *s, struct again *a, struct record_arena *texts,
                                    int64_t now, bool dry_run, int64_t *changed)
{
    struct derived d;
    enum db_outcome outcome = read_owner(s, a, texts);

    if (outcome == DB_OK)
        outcome = read_events(s, a);
    if (outcome == DB_OK)
        outcome = read_event_type(s, a);
    if (outcome == DB_OK)
        outcome = session_derive(s, &a->from, &d);
    /* A site that is configured no more has no hours: what was computed by them stays. */
    if (outcome == DB_OK && !session_hours(s, a->from.host_name))
        d.outside_hours = a->stored_outside;
    if (outcome != DB_OK || is_same(a, &d))
        return outcome;
    ++*changed;
    return dry_run ? DB_OK : update(s, a->id, &d, now);
}

enum db_outcome store_rederive(struct report_store *s, const char *host_name, int64_t now, bool dry_run,
                               int64_t *after, int64_t *changed)
{
    enum db_outcome outcome = store_begin(s);
    int64_t differ = 0, at = *after;
    int i = 0;

    for (; outcome == DB_OK && i < STORE_CHUNK; i++) {
        struct record_arena texts = {0};
        struct again a;

        outcome = next_session(s, host_name, at, &texts, &a);
        if (outcome == DB_OK)
            at = 0;
        if (outcome == DB_ROW) {
            at = a.id;
            outcome = rederive_one(s, &a, &texts, now, dry_run, &differ);
        }
        record_arena_free(&texts);
        if (at == 0)
            break;
    }
    outcome = store_end(s, outcome);
    if (outcome != DB_OK)
        return outcome;
    *after = at;
    if (changed)
        *changed = differ;
    return DB_OK;
}
