/* SPDX-License-Identifier: Apache-2.0 */
/*
 * session.c - one session into rows: new, the same, or changed; see store.h.
 *
 * A changed session is taken out (tallies subtracted, rows deleted) and written again under its id, so there
 * is one way to write a session. Rows go in statements of several (inserter.h); the texts stay the record's.
 */
#include "reports/store/store_internal.h"

#include <stdio.h>

struct stored { /* what is there of a session; id 0 = nothing */
    int64_t id, revision, stored_at;
    enum store_state state;
    bool has_recording;
    char digest[65];
};

static enum db_outcome find_stored(struct report_store *s, const char *host_name, const char *lsid,
                                   struct stored *to)
{
    struct db_stmt *stmt =
        store_stmt(s, "SELECT \"id\", \"revision\", \"stored_at\", \"state\", \"has_recording\", \"digest\" "
                      "FROM \"session\" WHERE \"host_name\" = ? AND \"lsid\" = ?");

    *to = (struct stored){0};
    if (!stmt)
        return store_failed(s);
    put_text(s, stmt, 1, host_name);
    put_text(s, stmt, 2, lsid);
    enum db_outcome outcome = s->db->ops->step(stmt);
    if (outcome == DB_ROW) {
        const char *digest = get_text(s, stmt, 5);
        *to = (struct stored){.id = get_int(s, stmt, 0),
                              .revision = get_int(s, stmt, 1),
                              .stored_at = get_int(s, stmt, 2),
                              .state = store_state_named(get_text(s, stmt, 3)),
                              .has_recording = s->db->ops->column_int(stmt, 4) != 0};
        (void)snprintf(to->digest, sizeof(to->digest), "%s", digest ? digest : "");
    }
    s->db->ops->reset(stmt);
    return outcome == DB_ROW ? DB_OK : outcome;
}

/* ---- deleting ---- */

enum db_outcome session_delete_rows(struct report_store *s, int64_t session_id)
{
    static const char *const texts[] = {
        ("DELETE FROM \"session_event_data\" WHERE \"session_event_id\" IN "
         "(SELECT \"id\" FROM \"session_event\" WHERE \"session_id\" = ?)"),
        "DELETE FROM \"session_event\" WHERE \"session_id\" = ?",
        "DELETE FROM \"system_information\" WHERE \"session_id\" = ?",
        "DELETE FROM \"representative\" WHERE \"session_id\" = ?",
        "DELETE FROM \"customer\" WHERE \"session_id\" = ?",
        "DELETE FROM \"custom_attribute\" WHERE \"session_id\" = ?",
        "DELETE FROM \"command_shell_recording\" WHERE \"session_id\" = ?",
    };
    enum db_outcome outcome = DB_OK;

    for (size_t i = 0; outcome == DB_OK && i < sizeof(texts) / sizeof(*texts); i++)
        outcome = store_run_id(s, texts[i], session_id);
    return outcome;
}

static enum db_outcome take_out(struct report_store *s, int64_t id)
{
    enum db_outcome outcome = tally_stored(s, id, -1);

    if (outcome == DB_OK)
        outcome = session_delete_rows(s, id);
    return outcome == DB_OK ? store_run_id(s, "DELETE FROM \"session\" WHERE \"id\" = ?", id) : outcome;
}

/* ---- writing ---- */

struct writing { /* one session that is being written */
    struct report_store *s;
    const struct store_session *in;
    const struct record_session *r;
    struct stored before; /* its id is the row's */
    struct derived derived;
    struct counted counted;
    bool has_recording;
    char digest[65];
};

static enum db_outcome write_row(struct writing *w)
{
    struct inserter *ins = &w->s->ins[ROWS_SESSION];
    const struct record_session *r = w->r;
    const struct derived *d = &w->derived;

    insert_int(ins, w->before.id);
    insert_text(ins, r->lsid);
    insert_text(ins, r->type);
    insert_text(ins, r->duration);
    insert_int(ins, r->file_transfers);
    insert_text(ins, w->in->host_name);
    insert_text(ins, r->external_key);
    insert_int(ins, 1);
    insert_text(ins, "Default");
    insert_int(ins, r->jump_group_id);
    insert_text(ins, r->jump_group_name);
    insert_int(ins, r->lseq);
    insert_text(ins, r->jump_group_type);
    insert_int(ins, r->jumpoint_id);
    insert_text(ins, r->jumpoint_name);
    insert_text(ins, r->primary_customer);
    insert_text(ins, r->primary_rep);
    insert_int(ins, r->file_moves);
    insert_int(ins, r->file_deletes);
    insert_text(ins, r->chat_view_url);
    insert_text(ins, r->chat_download_url);
    insert_text(ins, r->recording_view_url);
    insert_text(ins, r->recording_download_url);
    insert_int(ins, r->start);
    insert_int(ins, r->end);
    insert_int(ins, d->duration_seconds);
    insert_text(ins, d->user_name);
    insert_text(ins, d->endpoint_name);
    insert_text(ins, d->jump_item_type);
    insert_text(ins, store_state_names[w->in->state]);
    insert_int(ins, d->injections);
    insert_int(ins, d->injections_failed);
    insert_int(ins, d->outside_hours);
    insert_int(ins, w->has_recording);
    insert_text(ins, w->digest);
    insert_int(ins, w->before.revision + 1);
    insert_int(ins, w->before.stored_at ? w->before.stored_at : w->in->now);
    insert_int(ins, w->in->now);
    insert_int(ins, w->in->now);
    insert_int(ins, store_next_seq(w->s));
    return insert_row(ins);
}

static enum db_outcome write_person(struct writing *w, enum store_table table, const struct record_person *p)
{
    struct inserter *ins = &w->s->ins[table];

    insert_int(ins, w->s->next_id[table]++);
    insert_int(ins, w->before.id);
    insert_int(ins, p->gsnumber);
    if (table == ROWS_REPRESENTATIVE)
        insert_int(ins, p->rep_id);
    insert_text(ins, p->username);
    if (table == ROWS_REPRESENTATIVE) {
        insert_text(ins, p->display_name);
        insert_text(ins, p->public_display_name);
        insert_text(ins, p->private_display_name);
    }
    insert_text(ins, p->public_ip);
    insert_text(ins, p->private_ip);
    insert_text(ins, p->hostname);
    insert_text(ins, p->os);
    if (table == ROWS_REPRESENTATIVE) {
        insert_int(ins, p->session_owner);
        insert_int(ins, p->seconds_involved);
        insert_int(ins, p->invited);
    }
    return insert_row(ins);
}

static enum db_outcome write_people(struct writing *w)
{
    const struct record_session *r = w->r;
    struct inserter *attributes = &w->s->ins[ROWS_ATTRIBUTE], *shells = &w->s->ins[ROWS_SHELL];
    enum db_outcome outcome = DB_OK;

    for (size_t i = 0; outcome == DB_OK && i < r->nrepresentatives; i++)
        outcome = write_person(w, ROWS_REPRESENTATIVE, &r->representatives[i]);
    for (size_t i = 0; outcome == DB_OK && i < r->ncustomers; i++)
        outcome = write_person(w, ROWS_CUSTOMER, &r->customers[i]);
    for (size_t i = 0; outcome == DB_OK && i < r->nattributes; i++) {
        insert_int(attributes, w->s->next_id[ROWS_ATTRIBUTE]++);
        insert_int(attributes, w->before.id);
        insert_text(attributes, r->attributes[i].display_name);
        insert_text(attributes, r->attributes[i].code_name);
        insert_text(attributes, r->attributes[i].value);
        outcome = insert_row(attributes);
    }
    for (size_t i = 0; outcome == DB_OK && i < r->nshells; i++) {
        insert_int(shells, w->s->next_id[ROWS_SHELL]++);
        insert_int(shells, w->before.id);
        insert_int(shells, r->shells[i].instance);
        insert_text(shells, r->shells[i].view_url);
        insert_text(shells, r->shells[i].download_url);
        outcome = insert_row(shells);
    }
    return outcome;
}

static enum db_outcome write_event_parts(struct writing *w, const struct record_event *e, int64_t event_id)
{
    struct inserter *data = &w->s->ins[ROWS_EVENT_DATA], *info = &w->s->ins[ROWS_INFORMATION];
    enum db_outcome outcome = DB_OK;

    for (size_t i = 0; outcome == DB_OK && i < e->ndata; i++) {
        insert_int(data, w->s->next_id[ROWS_EVENT_DATA]++);
        insert_int(data, event_id);
        insert_text(data, e->data[i].name);
        insert_text(data, e->data[i].value);
        outcome = insert_row(data);
    }
    for (size_t i = 0; outcome == DB_OK && i < e->ninfo; i++) {
        insert_int(info, w->s->next_id[ROWS_INFORMATION]++);
        insert_int(info, w->before.id);
        insert_int(info, event_id);
        insert_text(info, e->info[i].category);
        insert_int(info, e->info[i].row == RECORD_NONE ? -1 : e->info[i].row);
        insert_text(info, e->info[i].field);
        insert_text(info, e->info[i].value);
        outcome = insert_row(info);
    }
    return outcome;
}

static const char *event_value(const struct record_event *e, const char *name)
{
    for (size_t i = 0; i < e->ndata; i++)
        if (e->data[i].name && strcmp(e->data[i].name, name) == 0)
            return e->data[i].value ? e->data[i].value : "";
    return NULL;
}

static bool is_type(const struct record_event *e, const char *type)
{
    return e->type && strcmp(e->type, type) == 0;
}

static int64_t event_time(const struct record_session *r, const struct record_event *e)
{
    return e->timestamp == RECORD_NONE ? r->start : e->timestamp;
}

static enum db_outcome write_event(struct writing *w, size_t position)
{
    const struct record_event *e = &w->r->events[position];
    struct inserter *ins = &w->s->ins[ROWS_EVENT];
    int64_t id = w->s->next_id[ROWS_EVENT]++, when = event_time(w->r, e);
    const char *reason = NULL;

    insert_int(ins, id);
    insert_int(ins, w->before.id);
    insert_text(ins, e->type);
    insert_text(ins, e->performed_by);
    insert_text(ins, e->performed_by_type);
    insert_text(ins, e->destination);
    insert_text(ins, e->destination_type);
    insert_text(ins, e->body);
    insert_text(ins, e->filename);
    insert_int(ins, e->filesize);
    insert_int(ins, when);
    insert_int(ins, (int64_t)position);
    insert_int(ins, e->performed_by_gsnumber);
    insert_int(ins, e->destination_gsnumber);
    if (is_type(e, EVENT_INJECTION_FAILED)) {
        reason = event_value(e, "failure_reason");
        reason = reason ? reason : "";
    }
    if (tally_event(&w->s->tally, &w->counted, e->type, when, reason, 1))
        return store_fail(w->s, DB_NO_MEMORY, "out of memory");
    enum db_outcome outcome = insert_row(ins);
    return outcome == DB_OK ? write_event_parts(w, e, id) : outcome;
}

static enum db_outcome flush_all(struct report_store *s)
{
    enum db_outcome outcome = DB_OK;

    for (int i = 0; outcome == DB_OK && i < ROWS_NTABLES; i++)
        outcome = insert_flush(&s->ins[i]);
    return outcome;
}

static enum db_outcome derive(struct writing *w)
{
    const struct record_session *r = w->r;
    struct derive_from from = {.host_name = w->in->host_name,
                               .start = r->start,
                               .end = r->end,
                               .primary_rep = r->primary_rep,
                               .primary_customer = r->primary_customer,
                               .has_jumpoint = has_jumpoint(r->jumpoint_id, r->jumpoint_name),
                               .jump_group_id = r->jump_group_id};

    for (size_t i = 0; i < r->nrepresentatives && !from.owner; i++)
        if (r->representatives[i].session_owner)
            from.owner = r->representatives[i].username;
    for (size_t i = 0; i < r->nevents; i++) {
        const struct record_event *e = &r->events[i];
        from.injections += is_type(e, EVENT_INJECTION);
        from.injections_failed += is_type(e, EVENT_INJECTION_FAILED);
        from.shell_started |= is_type(e, EVENT_SHELL);
        if (!jump_item_type_word(from.event_jump_item_type))
            from.event_jump_item_type = event_value(e, "jump_item_type");
    }
    return session_derive(w->s, &from, &w->derived);
}

static enum db_outcome write_session(struct writing *w)
{
    enum db_outcome outcome = derive(w);

    if (outcome != DB_OK)
        return outcome;
    w->counted = (struct counted){.host_name = w->in->host_name,
                                  .jump_group_name = w->r->jump_group_name,
                                  .jumpoint_name = w->r->jumpoint_name,
                                  .jump_item_type = w->derived.jump_item_type,
                                  .user_name = w->derived.user_name,
                                  .endpoint_name = w->derived.endpoint_name,
                                  .start = w->r->start,
                                  .duration_seconds = w->derived.duration_seconds,
                                  .closed = w->in->state == STORE_CLOSED,
                                  .abnormal = w->in->state == STORE_ABNORMAL,
                                  .outside_hours = w->derived.outside_hours};
    if (tally_session(&w->s->tally, &w->counted, 1))
        return store_fail(w->s, DB_NO_MEMORY, "out of memory");
    outcome = write_row(w);
    if (outcome == DB_OK)
        outcome = write_people(w);
    for (size_t i = 0; outcome == DB_OK && i < w->r->nevents; i++)
        outcome = write_event(w, i);
    if (outcome == DB_OK)
        outcome = flush_all(w->s);
    if (outcome == DB_OK)
        outcome = uses_join_session(w->s, w->before.id, w->r->lsid, w->derived.user_name);
    w->s->counts.events += w->r->nevents;
    return outcome;
}

/* ---- the same session again ---- */

static enum db_outcome refresh_shells(struct writing *w)
{
    struct db_stmt *stmt = store_stmt(
        w->s, "UPDATE \"command_shell_recording\" SET \"view_url\" = ?, \"download_url\" = ? WHERE "
              "\"session_id\" = ? AND \"instance\" = ?");
    enum db_outcome outcome = DB_OK;

    for (size_t i = 0; outcome == DB_OK && i < w->r->nshells; i++) {
        if (!stmt)
            return store_failed(w->s);
        put_text(w->s, stmt, 1, w->r->shells[i].view_url);
        put_text(w->s, stmt, 2, w->r->shells[i].download_url);
        put_int(w->s, stmt, 3, w->before.id);
        put_int(w->s, stmt, 4, w->r->shells[i].instance);
        outcome = store_run(w->s, stmt);
    }
    return outcome;
}

static enum db_outcome refresh(struct writing *w)
{
    struct db_stmt *stmt = store_stmt(
        w->s, "UPDATE \"session\" SET \"session_chat_view_url\" = ?, \"session_chat_download_url\" = ?, "
              "\"session_recording_view_url\" = ?, \"session_recording_download_url\" = ?, \"fetched_at\" = "
              "? WHERE "
              "\"id\" = ?");

    if (!stmt)
        return store_failed(w->s);
    put_text(w->s, stmt, 1, w->r->chat_view_url);
    put_text(w->s, stmt, 2, w->r->chat_download_url);
    put_text(w->s, stmt, 3, w->r->recording_view_url);
    put_text(w->s, stmt, 4, w->r->recording_download_url);
    put_int(w->s, stmt, 5, w->in->now);
    put_int(w->s, stmt, 6, w->before.id);
    enum db_outcome outcome = store_run(w->s, stmt);
    return outcome == DB_OK ? refresh_shells(w) : outcome;
}

/* A recording that was there once stays: the URLs are absent in a report made too early. */
static bool has_recording(const struct writing *w)
{
    const struct record_session *r = w->r;

    if (w->before.has_recording || w->in->has_recording == 1)
        return true;
    return w->in->has_recording < 0 && (r->recording_view_url || r->recording_download_url || r->nshells);
}

static enum db_outcome check_session(struct report_store *s, const struct store_session *in)
{
    const struct record_session *r = in->session;

    if (!s->in_transaction)
        return store_fail(s, DB_FAILED, "no transaction is open");
    if (!r->lsid || r->start == RECORD_NONE)
        return store_fail(s, DB_CONSTRAINT, "a session without id or start");
    return DB_OK;
}

enum db_outcome store_session(struct report_store *s, const struct store_session *in,
                              enum store_change *change)
{
    struct writing w = {.s = s, .in = in, .r = in->session};
    enum db_outcome outcome = check_session(s, in);

    if (outcome == DB_OK)
        outcome = find_stored(s, in->host_name, w.r->lsid, &w.before);
    if (outcome != DB_OK)
        return outcome;
    if (session_digest(s, w.r, w.digest))
        return store_fail(s, DB_NO_MEMORY, "out of memory");
    w.has_recording = has_recording(&w);
    if (w.before.id && w.before.state == in->state && w.before.has_recording == w.has_recording &&
        strcmp(w.before.digest, w.digest) == 0) {
        *change = STORE_SAME;
        s->counts.sessions_same++;
        return refresh(&w);
    }
    *change = w.before.id ? STORE_CHANGED : STORE_NEW;
    if (w.before.id) {
        s->counts.sessions_changed++;
        outcome = take_out(s, w.before.id);
    } else {
        s->counts.sessions_new++;
        w.before.id = s->next_id[ROWS_SESSION]++;
    }
    return outcome == DB_OK ? write_session(&w) : outcome;
}

/* ---- questions and states ---- */

enum db_outcome store_session_state(struct report_store *s, const char *host_name, const char *lsid,
                                    enum store_state state, int64_t now, bool *found)
{
    struct stored before;
    enum db_outcome outcome = find_stored(s, host_name, lsid, &before);
    struct db_stmt *stmt = store_stmt(
        s, "UPDATE \"session\" SET \"state\" = ?, \"revision\" = \"revision\" + 1, \"changed_at\" = ?, "
           "\"seq\" = ? WHERE \"id\" = ?");

    *found = before.id != 0;
    if (outcome != DB_OK || !before.id || before.state == state)
        return outcome;
    if (!stmt)
        return store_failed(s);
    outcome = tally_stored(s, before.id, -1);
    put_text(s, stmt, 1, store_state_names[state]);
    put_int(s, stmt, 2, now);
    put_int(s, stmt, 3, store_next_seq(s));
    put_int(s, stmt, 4, before.id);
    if (outcome == DB_OK)
        outcome = store_run(s, stmt);
    if (outcome == DB_OK)
        outcome = tally_stored(s, before.id, 1);
    if (outcome == DB_OK)
        s->counts.sessions_changed++;
    return outcome;
}

enum db_outcome store_known(struct report_store *s, const char *host_name, const char *lsid,
                            struct store_known *known)
{
    struct db_stmt *stmt =
        store_stmt(s, "SELECT \"state\", \"start_unix\", \"end_unix\", \"fetched_at\", \"revision\" FROM "
                      "\"session\" WHERE \"host_name\" = ? AND \"lsid\" = ?");

    *known = (struct store_known){.start = RECORD_NONE, .end = RECORD_NONE, .fetched_at = RECORD_NONE};
    if (!stmt)
        return store_failed(s);
    put_text(s, stmt, 1, host_name);
    put_text(s, stmt, 2, lsid);
    enum db_outcome outcome = s->db->ops->step(stmt);
    if (outcome == DB_ROW)
        *known = (struct store_known){.stored = true,
                                      .state = store_state_named(get_text(s, stmt, 0)),
                                      .start = get_int(s, stmt, 1),
                                      .end = get_int(s, stmt, 2),
                                      .fetched_at = get_int(s, stmt, 3),
                                      .revision = get_int(s, stmt, 4)};
    s->db->ops->reset(stmt);
    return outcome == DB_ROW ? DB_OK : outcome;
}

enum db_outcome store_running(struct report_store *s, const char *host_name,
                              int (*row)(void *arg, const char *lsid, int64_t start, int64_t fetched_at),
                              void *arg)
{
    struct db_stmt *stmt = store_stmt(
        s, "SELECT \"lsid\", \"start_unix\", \"fetched_at\" FROM \"session\" WHERE \"state\" = 'running' AND "
           "\"state\" <> 'closed' AND \"host_name\" = ? ORDER BY \"start_unix\"");
    enum db_outcome outcome;

    if (!stmt)
        return store_failed(s);
    put_text(s, stmt, 1, host_name);
    while ((outcome = s->db->ops->step(stmt)) == DB_ROW)
        if (row(arg, get_text(s, stmt, 0), get_int(s, stmt, 1), get_int(s, stmt, 2)))
            break;
    s->db->ops->reset(stmt);
    return outcome == DB_ROW ? DB_OK : outcome;
}
