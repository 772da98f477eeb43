/* SPDX-License-Identifier: Apache-2.0 */
/*
 * query_rig.c - made-up records in a real database, and queries on it; see query_rig.h.
 */
#include "reports/query_rig.h"

#include "base/json.h"
#include "check.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define DAY          86400
#define JSON_LIMIT   (64 * 1024 * 1024)
#define COUNT(array) (sizeof(array) / sizeof(*(array)))

static const char *const users[] = {"alice", "bob",         "carol, the first", "back\\slash",
                                    "100%",  "under_score", "=SUM(A1)",         "J\u00f6rg",
                                    "eve",   "a&b=c+d #?",  "EXAMPLE\\dave",    "mallory",
                                    "trent", "\"quoted\"",  "tail\\,comma"};
static const char *const endpoints[] = {"srv-1",     "srv-2", "SRV-3", "db,1",  "db\\2", "web 1",   "web+2",
                                        "k\u00fche", "x_1",   "x%1",   "final", "last",  "one more"};
static const char *const groups[] = {
    "Linux", "Windows", "Network, core", "Databases", "50%", "a_b", "z\\\\z", "G1", "G2", "G3", "G4", "G5"};
static const char *const event_types[] = {"Session Start",
                                          "Chat Message",
                                          "File Download",
                                          "File Upload",
                                          "File Deleted",
                                          "file moved",
                                          "Credential Injection Attempt",
                                          "Credential Injection Attempt Failed",
                                          "Registry Imported",
                                          "Screen Recording",
                                          "Command Shell Session Started",
                                          "Elevate Client",
                                          "Service Access Allowed",
                                          "Legal, Agreement",
                                          "File 1",
                                          "File 2",
                                          "File 3",
                                          "File 4",
                                          "File 5",
                                          "File 6",
                                          "File 7",
                                          "File 8"};
static const char *const reasons[] = {"Access denied",
                                      "Time-out",
                                      "wrong, password",
                                      "locked",
                                      "expired",
                                      "no_route",
                                      "r6",
                                      "r7",
                                      "r8",
                                      "r9",
                                      "r10",
                                      "r11",
                                      "r12"};

uint64_t query_rig_random(struct query_rig *rig, uint64_t below)
{
    rig->random = rig->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (rig->random >> 33) % below;
}

static const char *any_of(struct query_rig *rig, const char *const *texts, size_t n)
{
    /* The first ones more often. */
    size_t a = query_rig_random(rig, n), b = query_rig_random(rig, n);
    return texts[a < b ? a : b];
}
#define ANY_OF(rig, texts) any_of(rig, texts, COUNT(texts))

static const char *text_of(struct query_rig *rig, const char *fmt, int64_t number)
{
    char text[64];

    (void)snprintf(text, sizeof(text), "%s%" PRId64, fmt, number);
    return record_text(&rig->arena, text, strlen(text));
}

static void ok(struct query_rig *rig, enum db_outcome outcome)
{
    if (outcome != DB_OK)
        fail_msg("%s: %s", db_outcome_name(outcome), store_error(rig->store.store)->text);
}

/* ---- the rig ---- */

void query_rig_make(struct query_rig *rig, uint64_t seed)
{
    char why[128];

    *rig = (struct query_rig){.random = seed};
    rig_make(&rig->store);
    if (!rig_open(&rig->store, true))
        fail_msg("%s", rig->store.error.text);
    static struct working_hours *hours;
    if (!hours)
        hours = working_hours_new("Europe/Berlin", "mon-fri 07:00-19:00", why, sizeof(why));
    assert_non_null(hours);
    assert_int_equal(store_set_hours(rig->store.store, RIG_HOST, hours), 0);
    assert_int_equal(store_set_hours(rig->store.store, RIG_OTHER_HOST, hours), 0);
    rig->reader = rig_reader(&rig->store);
    rig->sites[0] = (struct query_site){.host_name = RIG_HOST,
                                        .url_host = RIG_HOST,
                                        .state = "Connected",
                                        .since = RIG_T0,
                                        .last_success = RIG_NOW - 30,
                                        .missing_from = QUERY_NONE};
    rig->sites[1] = rig->sites[0];
    rig->sites[1].host_name = rig->sites[1].url_host = RIG_OTHER_HOST;
    rig->ctx = (struct query_context){.now = RIG_NOW,
                                      .time_zone = "UTC",
                                      .sites = rig->sites,
                                      .nsites = 2,
                                      .all_hosts = true,
                                      .late_release = 300,
                                      .unmatched_after = 3600,
                                      .recordings = true,
                                      .admin = true};
}

void query_rig_end(struct query_rig *rig)
{
    if (rig->reader)
        rig->reader->ops->close(rig->reader);
    record_arena_free(&rig->arena);
    rig_remove(&rig->store);
}

/* ---- records ---- */

static void add_events(struct query_rig *rig, struct record_session *r)
{
    size_t n = query_rig_random(rig, 8);

    for (size_t i = 0; i < n; i++) {
        const char *type = ANY_OF(rig, event_types);
        /* Over the borders of days and months too. */
        int64_t when = r->start + (int64_t)(query_rig_random(rig, 4) ? i * 61 : i * 40000);
        struct record_event *e = rig_event(&rig->arena, r, when, type);
        if (strstr(type, "Failed") && query_rig_random(rig, 4))
            rig_pair(&rig->arena, e, "failure_reason", ANY_OF(rig, reasons));
        if (query_rig_random(rig, 30) == 0)
            e->type = NULL;
    }
}

/* Often at a border: what lies a second before or behind it is counted elsewhere. */
static int64_t any_start(struct query_rig *rig)
{
    int64_t start = RIG_NOW - (int64_t)query_rig_random(rig, 400 * DAY);

    switch (query_rig_random(rig, 6)) {
    case 0: return start - start % DAY;
    case 1: return start - start % DAY - 1;
    case 2: return start - start % 900;
    case 3: return RIG_NOW - (int64_t)query_rig_random(rig, 3 * DAY);
    default: return start;
    }
}

static struct record_session *any_session(struct query_rig *rig, int64_t start, const char *user)
{
    bool running = query_rig_random(rig, 12) == 0;
    const struct rig_session of = {.number = rig->sessions,
                                   .start = start,
                                   .end =
                                       running ? RECORD_NONE : start + (int64_t)query_rig_random(rig, 40000),
                                   .events = 1};
    struct record_session *r = rig_session(&rig->arena, &of);

    r->nevents = 0;
    r->representatives[0].username = user;
    if (!user)
        r->nrepresentatives = 0;
    r->primary_rep = user;
    r->primary_customer = query_rig_random(rig, 20) ? ANY_OF(rig, endpoints) : NULL;
    r->jump_group_name = query_rig_random(rig, 9) ? ANY_OF(rig, groups) : NULL;
    if (query_rig_random(rig, 5) == 0)
        r->end = r->end == RECORD_NONE
                     ? r->end
                     : start + (int64_t[]){0, 59, 60, 299, 300, 14400, 28800}[rig->sessions % 7];
    add_events(rig, r);
    return r;
}

static void add_use(struct query_rig *rig, const struct record_session *r)
{
    int64_t checkin = r->end == RECORD_NONE ? RECORD_NONE : r->end + (int64_t)query_rig_random(rig, 900);
    struct store_use u = {.lease_id = text_of(rig, "lease-", rig->sessions),
                          .gateway = "gw",
                          .lsid = query_rig_random(rig, 3) ? r->lsid : NULL,
                          .user_name = query_rig_random(rig, 9) ? ANY_OF(rig, users) : NULL,
                          .system = r->primary_customer,
                          .account = "root",
                          .checkout = r->start,
                          .expires = r->start + 7200,
                          .released = RECORD_NONE,
                          .checkin = query_rig_random(rig, 4) ? checkin : RECORD_NONE};

    ok(rig, store_use(rig->store.store, &u));
}

static void put_session(struct query_rig *rig, const struct record_session *r, const char *host)
{
    struct store_session in = {.host_name = host, .session = r, .has_recording = -1, .now = RIG_NOW};
    enum store_change change;

    in.state = r->end != RECORD_NONE      ? STORE_CLOSED
               : query_rig_random(rig, 2) ? STORE_RUNNING
                                          : STORE_ABNORMAL;
    ok(rig, store_session(rig->store.store, &in, &change));
    rig->sessions++;
}

void query_rig_sessions(struct query_rig *rig, int n)
{
    for (int i = 0; i < n;) {
        ok(rig, store_begin(rig->store.store));
        for (int end = i + 100; i < n && i < end; i++) {
            const char *user = query_rig_random(rig, 15) ? ANY_OF(rig, users) : NULL;
            struct record_session *r = any_session(rig, any_start(rig), user);
            put_session(rig, r, query_rig_random(rig, 3) ? RIG_HOST : RIG_OTHER_HOST);
            if (query_rig_random(rig, 2))
                add_use(rig, r);
        }
        ok(rig, store_commit(rig->store.store));
    }
}

const char *query_rig_session(struct query_rig *rig, int64_t start, const char *user)
{
    static char lsid[64];
    struct record_session *r = any_session(rig, start, user);

    r->end = start + 60;
    ok(rig, store_begin(rig->store.store));
    put_session(rig, r, RIG_HOST);
    ok(rig, store_commit(rig->store.store));
    (void)snprintf(lsid, sizeof(lsid), "%s", r->lsid);
    return lsid;
}

static void add_syslog(struct query_rig *rig, const char *host, uint64_t i)
{
    static const char *const events[] = {"login",          "logout",        "user_changed", "user_added",
                                         "policy_removed", "group_changed", "x_changed",    "y_added",
                                         "z_removed",      "a_added",       "b_added",      "c_added",
                                         "d_added",        "e_added",       "added",        "xchanged"};
    static const char *const status[] = {"success", "failure", NULL, "Success"};
    struct record_pair pair = {"event", "x"};
    struct record_syslog line = {.timestamp = RIG_NOW - (int64_t)query_rig_random(rig, 60 * DAY),
                                 .appliance = "b",
                                 .event = ANY_OF(rig, events),
                                 .status = ANY_OF(rig, status),
                                 .who = query_rig_random(rig, 7) ? ANY_OF(rig, users) : NULL,
                                 .who_ip = "192.0.2.1",
                                 .data = &pair,
                                 .ndata = 1,
                                 .line = text_of(rig, "line ", (int64_t)i)};

    ok(rig, store_syslog(rig->store.store, host, &line, NULL));
}

static void add_account(struct query_rig *rig, int64_t i)
{
    static const char *const types[] = {"ssh", "windows_local", "windows_domain", "token", NULL};
    struct record_vault_account a = {.account_id = i,
                                     .type = ANY_OF(rig, types),
                                     .name = text_of(rig, "account ", i),
                                     .account_group_id = RECORD_NONE,
                                     .endpoint_id = RECORD_NONE,
                                     .last_checkout =
                                         query_rig_random(rig, 2) ? RIG_T0 + i * 1000 : RECORD_NONE};

    ok(rig, store_vault_account(rig->store.store, &a));
}

static void add_activity(struct query_rig *rig, const char *host, int64_t i)
{
    static const char *const types[] = {"Credentials Used", "Password Rotated", "Check Out", "Check In",
                                        NULL};
    struct record_vault_activity v = {.timestamp = RIG_NOW - i * 5000,
                                      .event_type = ANY_OF(rig, types),
                                      .account_id = text_of(rig, "", i % 20),
                                      .performed_by = ANY_OF(rig, users),
                                      .data = text_of(rig, "data ", i)};
    struct record_team t = {.team_id = i % 3,
                            .timestamp = RIG_NOW - i * 7000,
                            .name = text_of(rig, "team ", i % 3),
                            .type = "Log in",
                            .performed_by = ANY_OF(rig, users)};

    ok(rig, store_vault_activity(rig->store.store, host, &v, NULL));
    ok(rig, store_team(rig->store.store, host, &t, NULL));
}

void query_rig_activity(struct query_rig *rig)
{
    static const char *const hosts[] = {RIG_HOST, RIG_OTHER_HOST};

    for (size_t h = 0; h < COUNT(hosts); h++) {
        store_round_begin(rig->store.store, STORE_VAULT_ACCOUNTS, hosts[h], RIG_T0);
        ok(rig, store_begin(rig->store.store));
        for (int64_t i = 0; i < 40; i++)
            add_account(rig, i);
        ok(rig, store_round_end(rig->store.store, STORE_VAULT_ACCOUNTS, NULL));
        for (int64_t i = 0; i < 100; i++)
            add_activity(rig, hosts[h], i);
        for (uint64_t i = 0; i < 300; i++)
            add_syslog(rig, hosts[h], i);
        ok(rig, store_commit(rig->store.store));
    }
}

/* ---- queries ---- */

enum query_outcome query_rig_parse(struct query_rig *rig, enum query_call call, const char *name,
                                   const char *query)
{
    struct query *q;
    enum query_outcome outcome = query_parse(call, name, query, &rig->ctx, &q, &rig->error);

    query_free(q);
    return outcome;
}

static struct query *parsed(struct query_rig *rig, enum query_call call, const char *name, const char *text)
{
    struct query *q;
    enum query_outcome outcome = query_parse(call, name, text, &rig->ctx, &q, &rig->error);

    if (outcome != QUERY_OK)
        fail_msg("%s?%s: %s %s", name, text, rig->error.parameter, rig->error.why);
    return q;
}

static cJSON *read_json(struct query_rig *rig, enum query_outcome outcome, struct buf *json, const char *text)
{
    const char *why;

    if (outcome != QUERY_OK)
        fail_msg("%s: outcome %d: %s", text, (int)outcome, rig->reader->error.text);
    cJSON *tree = json_parse(json->data, json->len, 16, 0, &why);
    if (!tree)
        fail_msg("%s: %s: %.*s", text, why, (int)json->len, json->data);
    buf_free(json);
    return tree;
}

cJSON *query_rig_tile(struct query_rig *rig, const char *tile, const char *query)
{
    struct query *q = parsed(rig, QUERY_TILE, tile, query);
    struct buf json = BUF_INIT(JSON_LIMIT);
    enum query_outcome outcome = query_tile(rig->reader, q, &json, &rig->result);

    query_free(q);
    return read_json(rig, outcome, &json, tile);
}

cJSON *query_rig_records(struct query_rig *rig, const char *dataset, const char *query)
{
    struct query *q = parsed(rig, QUERY_RECORDS, dataset, query);
    struct buf json = BUF_INIT(JSON_LIMIT);
    enum query_outcome outcome = query_records(rig->reader, q, &json, &rig->result);

    query_free(q);
    return read_json(rig, outcome, &json, query);
}

cJSON *query_rig_follow(struct query_rig *rig, const char *href)
{
    char dataset[64];
    const char *question = strchr(href, '?');

    assert_int_equal(strncmp(href, "/records/", 9), 0);
    assert_non_null(question);
    (void)snprintf(dataset, sizeof(dataset), "%.*s", (int)(question - href - 9), href + 9);
    return query_rig_records(rig, dataset, question + 1);
}

char *query_rig_export(struct query_rig *rig, const char *dataset, const char *query,
                       enum query_format format)
{
    struct query *q = parsed(rig, QUERY_EXPORT, dataset, query);
    struct buf all = BUF_INIT(JSON_LIMIT);
    struct query_export *export;
    bool more = true;

    assert_int_equal(query_export_open(rig->reader, q, format, &export), QUERY_OK);
    while (more)
        if (query_export_next(export, &all, &more) != QUERY_OK)
            fail_msg("%s: %s", query, rig->reader->error.text);
    rig->result.rows = query_export_rows(export);
    query_export_close(export);
    query_free(q);
    char *text = strdup(buf_cstr(&all));
    buf_free(&all);
    return text;
}
