/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reports_rig.c - a store of session reports on a real file; see reports_rig.h.
 */
#include "reports_rig.h"

#include "check.h"
#include "postgres_rig.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- engines ---- */

#ifdef RIG_POSTGRESQL

void rig_make(struct reports_rig *rig)
{
    *rig = (struct reports_rig){.store = NULL};
    if (!postgres_rig_running()) {
        if (!postgres_rig_installed())
            exit(0);
        postgres_rig_start(false);
    }
    postgres_rig_clear();
}

struct store_params rig_params(const struct reports_rig *rig, bool read_only)
{
    struct db_server server = postgres_rig_server();

    (void)rig;
    server.read_only = read_only;
    return (struct store_params){
        .ops = &db_postgresql,
        .db = {.login = postgres_rig_login(&server), .busy_ms = 2000, .read_only = read_only},
        .migrate = true};
}

void rig_remove(struct reports_rig *rig)
{
    rig_close(rig);
}

#else

void rig_make(struct reports_rig *rig)
{
    *rig = (struct reports_rig){.store = NULL};
    /* In memory where that is possible: what is tested is the death of processes, not of machines. */
    (void)snprintf(rig->dir, sizeof(rig->dir), "%s/jumpgate-reports-XXXXXX",
                   access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
    assert_non_null(mkdtemp(rig->dir));
    (void)snprintf(rig->path, sizeof(rig->path), "%s/reports.db", rig->dir);
}

struct store_params rig_params(const struct reports_rig *rig, bool read_only)
{
    return (struct store_params){
        .ops = &db_sqlite,
        .db = {.path = rig->path, .busy_ms = 2000, .cache_kib = 4096, .read_only = read_only},
        .migrate = true};
}

void rig_remove(struct reports_rig *rig)
{
    char command[128];

    rig_close(rig);
    (void)snprintf(command, sizeof(command), "rm -rf '%s'", rig->dir);
    assert_int_equal(system(command), 0);
}

#endif

bool rig_open(struct reports_rig *rig, bool vendor_indexes)
{
    struct store_params params = rig_params(rig, false);

    params.vendor_indexes = vendor_indexes;
    params.clock = rig->clock;
    rig->store = store_open(&params, RIG_T0, &rig->error);
    return rig->store;
}

struct db *rig_reader(struct reports_rig *rig)
{
    const struct store_params params = rig_params(rig, true);
    struct db *db;

    if (params.ops->open(&params.db, &db, &rig->error) != DB_OK)
        fail_msg("%s", rig->error.text);
    return db;
}

void rig_close(struct reports_rig *rig)
{
    store_close(rig->store);
    rig->store = NULL;
}

int64_t rig_int(struct reports_rig *rig, const char *sql)
{
    int64_t value;

    if (db_get_int(store_db(rig->store), sql, RECORD_NONE, &value) != DB_OK)
        fail_msg("%s: %s", sql, store_error(rig->store)->text);
    return value;
}

const char *rig_text(struct reports_rig *rig, const char *sql)
{
    static char text[1024];
    struct db *db = store_db(rig->store);
    struct db_stmt *stmt;

    if (db->ops->prepare(db, sql, &stmt) != DB_OK)
        fail_msg("%s: %s", sql, db->error.text);
    const char *value = db->ops->step(stmt) == DB_ROW ? db->ops->column_text(stmt, 0, NULL) : "(none)";
    (void)snprintf(text, sizeof(text), "%s", value ? value : "(null)");
    db->ops->finalize(stmt);
    return text;
}

void rig_exec(struct reports_rig *rig, const char *sql)
{
    struct db *db = store_db(rig->store);

    if (db->ops->exec(db, sql) != DB_OK)
        fail_msg("%s: %s", sql, db->error.text);
}

int64_t rig_differences(struct reports_rig *rig)
{
    int64_t differences = -1;

    if (store_recount(rig->store, true, &differences) != DB_OK)
        fail_msg("recount: %s", store_error(rig->store)->text);
    return differences;
}

/* ---- sessions ---- */

static const char *text_of(struct record_arena *a, const char *fmt, int64_t number)
{
    char text[128];

    /* one of the formats below, each with one number */
    int n = strcmp(fmt, "lsid") == 0 ? snprintf(text, sizeof(text), "%032" PRIx64, (uint64_t)number)
                                     : snprintf(text, sizeof(text), "%s %" PRId64, fmt, number);
    const char *copy = record_text(a, text, (size_t)n);
    assert_non_null(copy);
    return copy;
}

struct record_event *rig_event(struct record_arena *a, struct record_session *r, int64_t when,
                               const char *type)
{
    struct record_event *e = record_append(a, &r->events, &r->nevents, &r->events_room, sizeof(*r->events));

    assert_non_null(e);
    *e = (struct record_event){.timestamp = when,
                               .type = type,
                               .performed_by = "System",
                               .performed_by_type = "system",
                               .destination = r->primary_customer,
                               .destination_type = "customer",
                               .destination_gsnumber = 2,
                               .filesize = RECORD_NONE};
    return e;
}

void rig_pair(struct record_arena *a, struct record_event *e, const char *name, const char *value)
{
    struct record_pair *p = record_append(a, &e->data, &e->ndata, &e->data_room, sizeof(*p));

    assert_non_null(p);
    *p = (struct record_pair){.name = name, .value = value};
}

static void add_people(struct record_arena *a, struct record_session *r, int64_t number)
{
    struct record_person *p = record_append(a, &r->customers, &r->ncustomers, &r->customers_room, sizeof(*p));

    assert_non_null(p);
    *p = (struct record_person){.gsnumber = 2,
                                .username = r->primary_customer,
                                .hostname = "host",
                                .rep_id = RECORD_NONE,
                                .seconds_involved = RECORD_NONE};
    for (int i = 0; i < 2; i++) {
        p = record_append(a, &r->representatives, &r->nrepresentatives, &r->representatives_room, sizeof(*p));
        assert_non_null(p);
        *p = (struct record_person){.gsnumber = 3 + i,
                                    .username = text_of(a, i ? "guest" : "user", number % 7),
                                    .display_name = r->primary_rep,
                                    .public_ip = "192.0.2.7:51234",
                                    .rep_id = number % 7,
                                    .seconds_involved = 60,
                                    .session_owner = i == 0};
    }
}

static void add_events(struct record_arena *a, struct record_session *r, const struct rig_session *of)
{
    static const char *const types[] = {"Session Start",
                                        "Conference Member Added",
                                        "Chat Message",
                                        "File Download",
                                        "Credential Injection Attempt",
                                        "Credential Injection Attempt Failed",
                                        "Session Foreground Window Changed"};
    static const char *const reasons[] = {"Access denied", "Time-out", NULL};
    size_t n = of->events ? of->events : 3 + (size_t)(of->number + of->variant) % 9;

    for (size_t i = 0; i < n; i++) {
        unsigned pick = (unsigned)((uint64_t)of->number * 7 + of->variant * 3 + i) % 7;
        struct record_event *e = rig_event(a, r, of->start + (int64_t)i * 61, types[i ? pick : 0]);

        if (pick == 5 && i && reasons[(of->variant + i) % 3])
            rig_pair(a, e, "failure_reason", reasons[(of->variant + i) % 3]);
        if (pick == 4 || pick == 5)
            rig_pair(a, e, "credential_id", text_of(a, "credential", of->number % 5));
        rig_pair(a, e, "text", "some text of an event, as long as they are in general");
    }
}

struct record_session *rig_session(struct record_arena *a, const struct rig_session *of)
{
    struct record_session *r = record_alloc(a, sizeof(*r));

    assert_non_null(r);
    *r = (struct record_session){
        .lsid = text_of(a, "lsid", of->number),
        .type = "support",
        .lseq = of->number,
        .start = of->start,
        .end = of->end,
        .duration = "00:10:00",
        .jumpoint_id = of->number % 4 ? of->number % 4 : RECORD_NONE,
        .jumpoint_name = of->number % 4 ? text_of(a, "jumpoint", of->number % 4) : NULL,
        .jump_group_id = of->number % 3,
        .jump_group_name = of->number % 5 ? text_of(a, "group", of->number % 3) : NULL,
        .jump_group_type = "shared",
        .primary_customer = text_of(a, "endpoint", of->number % 11),
        .primary_rep = text_of(a, "User", of->number % 7),
        .primary_customer_gsnumber = 2,
        .primary_rep_gsnumber = 3,
        .file_transfers = of->variant,
        .file_moves = 0,
        .file_deletes = 0,
    };
    if (of->end != RECORD_NONE)
        r->recording_view_url = text_of(a, "https://pra.example.com/view?key=", of->number);
    add_people(a, r, of->number);
    add_events(a, r, of);
    return r;
}

enum store_change rig_store(struct reports_rig *rig, const struct record_session *r, enum store_state state,
                            int64_t now)
{
    const struct store_session in = {
        .host_name = RIG_HOST, .session = r, .state = state, .has_recording = -1, .now = now};
    enum store_change change = STORE_SAME;

    if (store_begin(rig->store) != DB_OK || store_session(rig->store, &in, &change) != DB_OK ||
        store_commit(rig->store) != DB_OK)
        fail_msg("%s", store_error(rig->store)->text);
    return change;
}
