/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_reports_store.c - rows in: sessions new, the same and changed, derived columns, todo rows, cursors,
 * activity, inventory, check-outs, retention.
 */
#include "check.h"
#include "reports_rig.h"

#include <stdlib.h>
#include <string.h>

static struct reports_rig rig;
static struct record_arena arena;

static int setup(void **state)
{
    (void)state;
    rig_make(&rig);
    if (!rig_open(&rig, true))
        fail_msg("%s", rig.error.text);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    record_arena_free(&arena);
    rig_remove(&rig);
    return 0;
}

static void ok(enum db_outcome outcome)
{
    if (outcome != DB_OK)
        fail_msg("%s: %s", db_outcome_name(outcome), store_error(rig.store)->text);
}

static struct record_session *session(int64_t number, unsigned variant)
{
    return rig_session(&arena, &(struct rig_session){.number = number,
                                                     .start = RIG_T0 + number * 1000,
                                                     .end = RIG_T0 + number * 1000 + 600,
                                                     .variant = variant});
}

/* Sessions of the numbers below n, in one transaction. */
static void store_sessions(int64_t n)
{
    enum store_change change;

    ok(store_begin(rig.store));
    for (int64_t number = 0; number < n; number++) {
        const struct store_session in = {RIG_HOST, session(number, 0), STORE_CLOSED, -1, 5000};
        ok(store_session(rig.store, &in, &change));
        assert_int_equal(change, STORE_NEW);
    }
    ok(store_commit(rig.store));
}

/* ---- sessions ---- */

TEST(a_session_is_stored_with_all_its_rows)
{
    struct record_session *r = session(4, 1);
    struct record_event *e = rig_event(&arena, r, r->start + 5, "Session End");
    struct record_info *info = record_append(&arena, &e->info, &e->ninfo, &e->info_room, sizeof(*info));
    struct record_attribute *a =
        record_append(&arena, &r->attributes, &r->nattributes, &r->attributes_room, sizeof(*a));
    struct record_shell *shell =
        record_append(&arena, &r->shells, &r->nshells, &r->shells_room, sizeof(*shell));

    *info = (struct record_info){"Memory", "total", "16 GB", 3};
    *a = (struct record_attribute){"Ticket", "ticket", "T-1"};
    *shell = (struct record_shell){1, "https://pra.example.com/v", "https://pra.example.com/d"};
    e->body = "körper";
    e->filename = "a.txt";
    e->filesize = 12345678901;
    r->external_key = "it's \"quoted\"; DROP TABLE session";
    assert_int_equal(rig_store(&rig, r, STORE_CLOSED, 5000), STORE_NEW);
    assert_int_equal(rig_int(&rig, "SELECT count(*) FROM session"), 1);
    assert_string_equal(rig_text(&rig, "SELECT external_key FROM session"), r->external_key);
    assert_string_equal(rig_text(&rig, "SELECT lsid || host_name || type || duration || state FROM session"),
                        "00000000000000000000000000000004pra.example.comsupport00:10:00closed");
    assert_string_equal(rig_text(&rig, "SELECT start_time || ' ' || end_time FROM session"),
                        "2026-01-01 01:06:40 2026-01-01 01:16:40");
    assert_string_equal(
        rig_text(&rig, "SELECT user_name || '/' || endpoint_name || '/' || duration_seconds || '/' "
                       "|| file_transfers || '/' || public_site_id || public_site_name FROM session"),
        "user 4/endpoint 4/600/1/1Default");
    assert_string_equal(rig_text(&rig, "SELECT revision || '/' || stored_at || '/' || fetched_at || '/' || "
                                       "changed_at || '/' || seq || '/' || has_recording FROM session"),
                        "1/5000/5000/5000/1/1");
    assert_int_equal(rig_int(&rig, "SELECT count(*) FROM session_event"), (int64_t)r->nevents);
    assert_string_equal(rig_text(&rig,
                                 "SELECT type || body || filename || filesize || timestamp || position FROM "
                                 "session_event WHERE type = 'Session End'"),
                        "Session Endkörpera.txt123456789012026-01-01 01:06:458");
    assert_string_equal(
        rig_text(&rig, "SELECT category || field || value || row_number FROM system_information"),
        "Memorytotal16 GB3");
    assert_string_equal(rig_text(&rig, "SELECT display_name || code_name || value FROM custom_attribute"),
                        "TicketticketT-1");
    assert_string_equal(
        rig_text(&rig, "SELECT instance || view_url || download_url FROM command_shell_recording"),
        "1https://pra.example.com/vhttps://pra.example.com/d");
    assert_string_equal(rig_text(&rig, "SELECT " RIG_LIST("username || session_owner || seconds_involved || "
                                                          "public_ip") " FROM representative"),
                        "user 4160192.0.2.7:51234,guest 4060192.0.2.7:51234");
    assert_string_equal(rig_text(&rig, "SELECT username || gsnumber || hostname FROM customer"),
                        "endpoint 42host");
    assert_int_equal(rig_int(&rig, "SELECT count(*) FROM session_event_data d JOIN session_event e ON e.id = "
                                   "d.session_event_id JOIN session s ON s.id = e.session_id"),
                     rig_int(&rig, "SELECT count(*) FROM session_event_data"));
    assert_true(rig_int(&rig, "SELECT count(*) FROM session_event_data") > 5);
    assert_int_equal(rig_differences(&rig), 0);
}

TEST(the_same_session_changes_its_urls_only)
{
    struct record_session *r = session(1, 0);
    struct record_shell *shell =
        record_append(&arena, &r->shells, &r->nshells, &r->shells_room, sizeof(*shell));

    *shell = (struct record_shell){0, "https://a", "https://b"};
    assert_int_equal(rig_store(&rig, r, STORE_CLOSED, 5000), STORE_NEW);
    r->recording_view_url = "https://other";
    r->chat_view_url = "https://chat";
    shell->view_url = "https://c";
    assert_int_equal(rig_store(&rig, r, STORE_CLOSED, 6000), STORE_SAME);
    assert_string_equal(rig_text(&rig,
                                 "SELECT session_recording_view_url || session_chat_view_url || revision || "
                                 "fetched_at || changed_at || seq FROM session"),
                        "https://otherhttps://chat1600050001");
    assert_string_equal(rig_text(&rig, "SELECT view_url FROM command_shell_recording"), "https://c");
    assert_int_equal(store_seq(rig.store), 1);
}

TEST(lists_without_order_do_not_change_a_session)
{
    struct record_session *r = session(1, 0);
    struct record_person swap = r->representatives[0];

    assert_int_equal(rig_store(&rig, r, STORE_CLOSED, 5000), STORE_NEW);
    r->representatives[0] = r->representatives[1];
    r->representatives[1] = swap;
    assert_int_equal(rig_store(&rig, r, STORE_CLOSED, 6000), STORE_SAME);
    struct record_event event = r->events[0]; /* the order of events says something */
    r->events[0] = r->events[1];
    r->events[1] = event;
    assert_int_equal(rig_store(&rig, r, STORE_CLOSED, 6000), STORE_CHANGED);
}

TEST(a_changed_session_keeps_its_id_and_loses_its_old_rows)
{
    assert_int_equal(rig_store(&rig, session(1, 0), STORE_CLOSED, 5000), STORE_NEW);
    assert_int_equal(rig_store(&rig, session(2, 0), STORE_CLOSED, 5000), STORE_NEW);
    int64_t id = rig_int(&rig, "SELECT id FROM session WHERE lsid LIKE '%1'");
    struct record_session *r = session(1, 3);
    assert_int_equal(rig_store(&rig, r, STORE_CLOSED, 7000), STORE_CHANGED);
    assert_int_equal(rig_int(&rig, "SELECT id FROM session WHERE lsid LIKE '%1'"), id);
    assert_string_equal(
        rig_text(&rig, "SELECT revision || '/' || stored_at || '/' || changed_at || '/' || seq FROM "
                       "session WHERE lsid LIKE '%1'"),
        "2/5000/7000/3");
    assert_int_equal(rig_int(&rig, "SELECT count(*) FROM session_event WHERE session_id = 1"),
                     (int64_t)r->nevents);
    assert_int_equal(rig_int(&rig,
                             "SELECT count(*) FROM session_event_data WHERE session_event_id NOT IN (SELECT "
                             "id FROM session_event)"),
                     0);
    assert_int_equal(rig_int(&rig, "SELECT count(*) FROM representative WHERE session_id = 1"), 2);
    assert_int_equal(rig_differences(&rig), 0);
    rig_close(&rig); /* ids go on behind the largest that is stored */
    assert_true(rig_open(&rig, true));
    assert_int_equal(rig_store(&rig, session(3, 0), STORE_CLOSED, 8000), STORE_NEW);
    assert_int_equal(rig_int(&rig, "SELECT seq FROM session WHERE id = 3"), 4);
}

TEST(running_then_abnormal_then_ended)
{
    struct record_session *r = session(1, 0);
    bool found;

    r->end = RECORD_NONE;
    r->recording_view_url = NULL;
    assert_int_equal(rig_store(&rig, r, STORE_RUNNING, 5000), STORE_NEW);
    assert_int_equal(
        rig_int(&rig, "SELECT count(*) FROM session WHERE end_time IS NULL AND duration_seconds IS NULL"), 1);
    assert_int_equal(rig_int(&rig, "SELECT sum(n) FROM jg_tally WHERE dim = 'duration'"), RECORD_NONE);
    ok(store_begin(rig.store));
    ok(store_session_state(rig.store, RIG_HOST, r->lsid, STORE_ABNORMAL, 6000, &found));
    assert_true(found);
    ok(store_session_state(rig.store, RIG_HOST, "none", STORE_ABNORMAL, 6000, &found));
    assert_false(found);
    ok(store_commit(rig.store));
    assert_string_equal(rig_text(&rig, "SELECT state || revision || seq FROM session"), "abnormal22");
    assert_int_equal(rig_int(&rig, "SELECT sum(abnormal) FROM jg_slot"), 1);
    assert_int_equal(rig_differences(&rig), 0);
    assert_int_equal(rig_store(&rig, r, STORE_ABNORMAL, 6500), STORE_SAME);
    r->end = r->start + 70;
    assert_int_equal(rig_store(&rig, r, STORE_CLOSED, 7000), STORE_CHANGED);
    assert_string_equal(rig_text(&rig, "SELECT state || revision || duration_seconds FROM session"),
                        "closed370");
    assert_int_equal(
        rig_int(&rig, "SELECT n FROM jg_tally WHERE dim = 'duration' AND label = '60' AND grain = 'd'"), 1);
    assert_int_equal(rig_int(&rig, "SELECT sum(abnormal) FROM jg_slot"), 0);
    assert_int_equal(rig_differences(&rig), 0);
}

TEST(derived_columns)
{
    static const struct {
        const char *word, *want;
        bool jumpoint, shell, inventory;
    } cases[] = {
        {"Remote RDP", "remote-rdp", true, true, true},
        {"WEB_JUMP", "web-jump", false, false, false},
        {"something else", "jump-client", false, true, true},
        {NULL, "jump-client", false, true, true},
        {NULL, "remote-vnc", true, true, true},
        {NULL, "shell-jump", true, true, false},
        {NULL, "unknown", true, false, false},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        int64_t number = 12 + (int64_t)i;
        struct record_session *r = session(number, 0);
        struct record_event *e = rig_event(&arena, r, r->start, "Jump Item Authorization Request Utilized");

        case_label("%zu", i);
        if (cases[i].word)
            rig_pair(&arena, e, "jump_item_type", cases[i].word);
        if (cases[i].shell)
            (void)rig_event(&arena, r, r->start, "Command Shell Session Started");
        r->jumpoint_id = cases[i].jumpoint ? 3 : i % 2 ? -1 : RECORD_NONE;
        r->jumpoint_name = NULL;
        r->jump_group_id = 7;
        r->primary_customer = cases[i].inventory ? "in the inventory" : "not there";
        ok(store_begin(rig.store));
        store_round_begin(rig.store, STORE_JUMP_ITEMS, RIG_HOST, 1000);
        ok(store_jump_item(rig.store, &(struct record_jump_item){.type = "remote-vnc",
                                                                 .item_id = 1,
                                                                 .name = "in the inventory",
                                                                 .jump_group_id = 7,
                                                                 .jumpoint_id = 3}));
        ok(store_round_end(rig.store, STORE_JUMP_ITEMS, NULL));
        ok(store_commit(rig.store));
        assert_int_equal(rig_store(&rig, r, STORE_CLOSED, 5000), STORE_NEW);
        assert_string_equal(rig_text(&rig, "SELECT jump_item_type FROM session ORDER BY id DESC LIMIT 1"),
                            cases[i].want);
    }
    struct record_session *r = session(1, 0);
    r->representatives[0].session_owner = false; /* then by the display name */
    (void)rig_event(&arena, r, r->start, "Credential Injection Attempt");
    (void)rig_event(&arena, r, r->start, "Credential Injection Attempt Failed");
    int64_t attempts = 0, failed = 0;
    for (size_t i = 0; i < r->nevents; i++) {
        attempts += strcmp(r->events[i].type, "Credential Injection Attempt") == 0;
        failed += strcmp(r->events[i].type, "Credential Injection Attempt Failed") == 0;
    }
    assert_int_equal(rig_store(&rig, r, STORE_CLOSED, 5000), STORE_NEW);
    assert_string_equal(rig_text(&rig, "SELECT user_name FROM session ORDER BY id DESC LIMIT 1"), "User 1");
    assert_int_equal(rig_int(&rig, "SELECT injections FROM session ORDER BY id DESC LIMIT 1"), attempts);
    assert_int_equal(rig_int(&rig, "SELECT injections_failed FROM session ORDER BY id DESC LIMIT 1"), failed);
    assert_int_equal(rig_differences(&rig), 0);
    int64_t after = 0, changed = -1; /* from stored rows comes the same */
    ok(store_rederive(rig.store, NULL, 9000, false, &after, &changed));
    assert_int_equal(changed, 0);
    assert_int_equal(after, 0);
}

TEST(derived_columns_of_one_site)
{
    char why[128];
    struct working_hours *all = working_hours_new("UTC", "mon-sun 00:00-24:00", why, sizeof(why));
    int64_t after = 0, changed = 0;

    assert_int_equal(store_set_hours(rig.store, RIG_HOST, all), 0);
    store_sessions(10);
    rig_exec(&rig, "UPDATE session SET user_name = 'wrong', outside_hours = 1");
    rig_exec(&rig, "UPDATE session SET host_name = 'gone.example.com' WHERE id > 6");
    ok(store_rederive(rig.store, RIG_HOST, 9000, false, &after, &changed));
    assert_int_equal(changed, 6);
    assert_int_equal(after, 0);
    assert_int_equal(rig_int(&rig, "SELECT count(*) FROM session WHERE user_name = 'wrong'"), 4);
    /* A site without hours keeps what was computed by them. */
    ok(store_rederive(rig.store, NULL, 9000, false, &after, &changed));
    assert_int_equal(changed, 4);
    assert_int_equal(rig_int(&rig, "SELECT count(*) FROM session WHERE user_name = 'wrong'"), 0);
    assert_int_equal(rig_int(&rig, "SELECT count(*) FROM session WHERE outside_hours = 1"), 4);
    rig_close(&rig);
    working_hours_free(all);
}

TEST(other_working_hours_recount_what_is_stored)
{
    char why[128];
    struct working_hours *all = working_hours_new("UTC", "mon-sun 00:00-24:00", why, sizeof(why));
    struct working_hours *few = working_hours_new("UTC", "thu 01:00-02:00", why, sizeof(why));
    int64_t after = 0, changed = 0, total = 0;

    assert_int_equal(store_set_hours(rig.store, RIG_HOST, all), 0);
    store_sessions(600);
    assert_int_equal(rig_int(&rig, "SELECT count(*) FROM session WHERE outside_hours = 1"), 0);
    assert_int_equal(store_set_hours(rig.store, RIG_HOST, few), 0);
    ok(store_rederive(rig.store, NULL, 9000, true, &after, &changed)); /* dry */
    assert_int_equal(after, STORE_CHUNK);
    assert_int_equal(rig_int(&rig, "SELECT count(*) FROM session WHERE outside_hours = 1"), 0);
    after = 0;
    do {
        ok(store_rederive(rig.store, NULL, 9000, false, &after, &changed));
        total += changed;
    } while (after);
    int64_t outside = rig_int(
        &rig,
        "SELECT count(*) FROM session WHERE CAST(start_time AS varchar(20)) NOT LIKE '2026-01-01 01:%' AND "
        "outside_hours = 1");
    assert_int_equal(total, outside);
    assert_true(outside > 550 && outside < 600);
    assert_int_equal(rig_int(&rig, "SELECT sum(outside_hours) FROM jg_slot"), outside);
    assert_int_equal(rig_int(&rig, "SELECT count(*) FROM session WHERE revision = 2"), outside);
    assert_int_equal(rig_differences(&rig), 0);
    rig_close(&rig);
    working_hours_free(all);
    working_hours_free(few);
}

TEST(long_texts_are_cut_at_characters)
{
    struct record_session *r = session(1, 0);
    char *long_name = record_alloc(&arena, 1201);

    for (int i = 0; i < 600; i++)
        memcpy(long_name + 2 * (size_t)i, "ö", 2);
    r->primary_customer = r->jump_group_name = long_name;
    rig_event(&arena, r, r->start, long_name)->performed_by = long_name;
    assert_int_equal(rig_store(&rig, r, STORE_CLOSED, 5000), STORE_NEW);
    assert_int_equal(rig_int(&rig, "SELECT length(endpoint_name) FROM session"), 256);
    assert_int_equal(rig_int(&rig, "SELECT max(length(type)) FROM session_event"), 256);
    assert_int_equal(rig_differences(&rig), 0);
    assert_int_equal(rig_store(&rig, r, STORE_CLOSED, 5000), STORE_SAME);
    assert_int_equal(rig_store(&rig, session(1, 1), STORE_CLOSED, 5000), STORE_CHANGED);
    assert_int_equal(rig_differences(&rig), 0);
}

TEST(a_transaction_that_is_rolled_back_leaves_nothing)
{
    struct record_session *r = session(1, 0);
    const struct store_session in = {
        .host_name = RIG_HOST, .session = r, .state = STORE_CLOSED, .has_recording = -1, .now = 1};
    enum store_change change;

    assert_int_equal(store_session(rig.store, &in, &change), DB_FAILED); /* without a transaction */
    ok(store_begin(rig.store));
    assert_int_equal(store_begin(rig.store), DB_FAILED);
    ok(store_session(rig.store, &in, &change));
    ok(store_set_cursor(rig.store, RIG_HOST, "closed", "1", 1));
    store_rollback(rig.store);
    assert_int_equal(store_commit(rig.store), DB_FAILED);
    assert_int_equal(rig_int(&rig, "SELECT count(*) FROM session"), 0);
    assert_int_equal(rig_int(&rig, "SELECT count(*) FROM jg_cursor"), 0);
    assert_int_equal(store_seq(rig.store), 0);
    assert_int_equal(rig_store(&rig, r, STORE_CLOSED, 2), STORE_NEW);
    assert_int_equal(rig_int(&rig, "SELECT seq FROM session"), 1);
    assert_int_equal(rig_differences(&rig), 0);
}

static int note_lsid(void *arg, const char *lsid, int64_t start, int64_t fetched_at)
{
    (void)snprintf(arg, 64, "%.2s %d %d", lsid + 30, (int)(start - RIG_T0), (int)fetched_at);
    return 0;
}

TEST(what_is_known_of_sessions)
{
    struct record_session *r = session(10, 0);
    struct store_known known;
    char text[64] = "";

    ok(store_known(rig.store, RIG_HOST, r->lsid, &known));
    assert_false(known.stored);
    r->end = RECORD_NONE;
    (void)rig_store(&rig, r, STORE_RUNNING, 4000);
    (void)rig_store(&rig, session(11, 0), STORE_CLOSED, 5000);
    ok(store_known(rig.store, RIG_HOST, r->lsid, &known));
    assert_true(known.stored && known.state == STORE_RUNNING && known.end == RECORD_NONE &&
                known.revision == 1);
    ok(store_running(rig.store, RIG_HOST, note_lsid, text));
    assert_string_equal(text, "0a 10000 4000");
    text[0] = '\0';
    ok(store_running(rig.store, "other.example.com", note_lsid, text));
    assert_string_equal(text, "");
}

/* ---- todo and cursors ---- */

static int note_todo(void *arg, const struct store_todo *t)
{
    char *text = arg;
    size_t n = strlen(text);

    (void)snprintf(text + n, 512 - n, "%s %s %d %d %s;", t->lsid, t->why, (int)t->tries, (int)t->next_at,
                   t->error ? t->error : "-");
    return 0;
}

static int first_only(void *arg, const struct store_todo *t)
{
    (void)note_todo(arg, t);
    return 1;
}

TEST(todo_rows)
{
    char text[512] = "";
    bool added;
    int64_t all, failed;

    ok(store_begin(rig.store));
    ok(store_todo_add(rig.store, RIG_HOST, "aa", "listed", 50, &added));
    assert_true(added);
    ok(store_todo_add(rig.store, RIG_HOST, "bb", "listed", 40, NULL));
    ok(store_todo_add(rig.store, RIG_HOST, "cc", "listed", 90, NULL));
    ok(store_todo_add(rig.store, "other.example.com", "dd", "listed", 1, NULL));
    ok(store_todo_failed(rig.store, RIG_HOST, "aa", "away", 60));
    ok(store_todo_add(rig.store, RIG_HOST, "aa", "recheck", 70, &added)); /* later: nothing */
    assert_false(added);
    ok(store_todo_add(rig.store, RIG_HOST, "bb", "running", 30, &added)); /* earlier */
    ok(store_commit(rig.store));
    ok(store_todo_due(rig.store, RIG_HOST, 80, 10, note_todo, text));
    assert_string_equal(text, "bb running 0 30 -;aa listed 1 60 away;");
    text[0] = '\0';
    ok(store_todo_due(rig.store, RIG_HOST, 80, 1, note_todo, text));
    ok(store_todo_due(rig.store, RIG_HOST, 80, 9, first_only, text));
    assert_string_equal(text, "bb running 0 30 -;bb running 0 30 -;");
    ok(store_todo_count(rig.store, RIG_HOST, 1, &all, &failed));
    assert_int_equal(all, 3);
    assert_int_equal(failed, 1);
    ok(store_begin(rig.store));
    ok(store_todo_done(rig.store, RIG_HOST, "bb"));
    ok(store_commit(rig.store));
    ok(store_todo_count(rig.store, RIG_HOST, 2, &all, &failed));
    assert_int_equal(all, 2);
    assert_int_equal(failed, 0);
}

TEST(cursors_and_sites)
{
    char position[STORE_POSITION_SIZE], long_one[STORE_POSITION_SIZE + 1];

    ok(store_get_cursor(rig.store, RIG_HOST, "closed", position));
    assert_string_equal(position, "");
    ok(store_begin(rig.store));
    ok(store_set_cursor(rig.store, RIG_HOST, "closed", "17", 5));
    ok(store_set_cursor(rig.store, RIG_HOST, "closed", "18", 6));
    memset(long_one, 'x', sizeof(long_one));
    long_one[STORE_POSITION_SIZE] = '\0';
    assert_int_equal(store_set_cursor(rig.store, RIG_HOST, "closed", long_one, 6), DB_FAILED);
    struct store_site site = {.host_name = RIG_HOST,
                              .name = "main",
                              .state = "Pending",
                              .since = 1,
                              .skew_ms = RECORD_NONE,
                              .last_success = RECORD_NONE,
                              .enabled = true};
    ok(store_put_site(rig.store, &site));
    site.state = "Connected";
    site.last_success = 9;
    ok(store_put_site(rig.store, &site));
    ok(store_commit(rig.store));
    ok(store_get_cursor(rig.store, RIG_HOST, "closed", position));
    assert_string_equal(position, "18");
    assert_string_equal(rig_text(&rig, "SELECT name || state || last_success || enabled || CASE WHEN skew_ms "
                                       "IS NULL THEN 1 ELSE 0 END FROM jg_site"),
                        "mainConnected911");
}

/* ---- activity ---- */

TEST(activity_is_stored_once)
{
    struct record_pair pairs[] = {{"public_ip", "192.0.2.1"}, {"a\"b", NULL}};
    const struct record_team team = {.team_id = 5,
                                     .timestamp = 1000,
                                     .name = "Operators",
                                     .type = "Conference Member Added",
                                     .performed_by = "Ann",
                                     .data = pairs,
                                     .ndata = 2};
    struct record_vault_activity use = {.timestamp = 2000,
                                        .event_type = "Credentials Used",
                                        .account_id = "7",
                                        .performed_by = "Ann",
                                        .performed_by_type = "User",
                                        .data = "{ABCDEF01-2345-6789-abcd-ef0123456789}"};
    struct record_syslog line = {.timestamp = 3000,
                                 .appliance = "app",
                                 .event = "login",
                                 .target = "web/login",
                                 .status = "failure",
                                 .who = "Ann (ann)",
                                 .who_ip = "192.0.2.9",
                                 .data = pairs,
                                 .ndata = 1,
                                 .line = "line"};
    bool added[8];

    ok(store_begin(rig.store));
    store_round_begin(rig.store, STORE_VAULT_ACCOUNTS, RIG_HOST, 500);
    ok(store_vault_account(rig.store, &(struct record_vault_account){.account_id = 7,
                                                                     .name = "root",
                                                                     .account_group_id = 1,
                                                                     .endpoint_id = RECORD_NONE,
                                                                     .last_checkout = RECORD_NONE}));
    ok(store_round_end(rig.store, STORE_VAULT_ACCOUNTS, NULL));
    for (int i = 0; i < 2; i++) {
        ok(store_team(rig.store, RIG_HOST, &team, &added[i]));
        ok(store_vault_activity(rig.store, RIG_HOST, &use, &added[2 + i]));
        ok(store_syslog(rig.store, RIG_HOST, &line, &added[4 + i]));
    }
    line.ordinal = 1;
    ok(store_syslog(rig.store, RIG_HOST, &line, &added[6]));
    ok(store_syslog(rig.store, "other.example.com", &line, &added[7]));
    ok(store_commit(rig.store));
    const bool want[] = {true, false, true, false, true, false, true, true};
    assert_memory_equal(added, want, sizeof(want));
    assert_string_equal(
        rig_text(
            &rig,
            "SELECT team_id || name || type || performed_by || host_name || timestamp || data FROM team"),
        "5OperatorsConference Member AddedAnnpra.example.com1970-01-01 "
        "00:16:40{\"public_ip\":\"192.0.2.1\",\"a\\\"b\":null}");
    assert_string_equal(
        rig_text(
            &rig,
            "SELECT account_id || account_name || lsid || performed_by || event_type FROM jg_vault_activity"),
        "7rootabcdef0123456789abcdef0123456789AnnCredentials Used");
    assert_int_equal(rig_int(&rig, "SELECT last_used_unix FROM jg_vault_account"), 2000);
    assert_string_equal(
        rig_text(
            &rig,
            "SELECT appliance || event || target || status || who || who_ip || data FROM jg_syslog_event"),
        "apploginweb/loginfailureAnn (ann)192.0.2.9{\"public_ip\":\"192.0.2.1\"}");
    assert_int_equal(rig_int(&rig, "SELECT count(*) FROM jg_syslog_event"), 3);
    /* account, activity, the account's last use, three lines: each its own seq */
    assert_int_equal(store_seq(rig.store), 6);
    assert_int_equal(rig_int(&rig, "SELECT seq FROM jg_vault_account"), 3);
}

/* ---- inventory ---- */

static void account(int64_t id, const char *name, int64_t last_checkout)
{
    ok(store_vault_account(rig.store, &(struct record_vault_account){.account_id = id,
                                                                     .type = "ssh",
                                                                     .name = name,
                                                                     .account_group_id = 1,
                                                                     .endpoint_id = RECORD_NONE,
                                                                     .last_checkout = last_checkout}));
}

TEST(a_round_marks_what_is_gone_and_what_came_back)
{
    uint64_t gone;

    for (int64_t now = 100; now <= 400; now += 100) {
        ok(store_begin(rig.store));
        store_round_begin(rig.store, STORE_VAULT_ACCOUNTS, RIG_HOST, now);
        account(1, "one", RECORD_NONE);
        if (now != 200)
            account(2, now == 400 ? "renamed" : "two", 50);
        ok(store_round_end(rig.store, STORE_VAULT_ACCOUNTS, &gone));
        ok(store_commit(rig.store));
        assert_int_equal(gone, now == 200);
        if (now == 200)
            assert_int_equal(rig_int(&rig, "SELECT gone_at FROM jg_vault_account WHERE account_id = 2"), 200);
    }
    assert_string_equal(
        rig_text(&rig,
                 "SELECT name || first_seen || changed_at || CASE WHEN gone_at IS NULL THEN 1 ELSE 0 END || "
                 "last_used_unix || seq FROM jg_vault_account WHERE account_id = 2"),
        "renamed1004001505");
    assert_string_equal(
        rig_text(&rig,
                 "SELECT name || first_seen || changed_at || seq FROM jg_vault_account WHERE account_id = 1"),
        "one1001001");
    assert_int_equal(store_round_end(rig.store, STORE_VAULT_ACCOUNTS, NULL), DB_FAILED);
    assert_int_equal(store_vault_account(rig.store, &(struct record_vault_account){.account_id = 3}),
                     DB_FAILED);
}

TEST(an_unfinished_round_and_another_site_mark_nothing)
{
    ok(store_begin(rig.store));
    for (int i = 0; i < 2; i++) {
        const char *host = i ? "other.example.com" : RIG_HOST;
        store_round_begin(rig.store, STORE_JUMPOINTS, host, 100);
        ok(store_jumpoint(rig.store, &(struct record_jumpoint){.jumpoint_id = 1,
                                                               .name = "jp",
                                                               .platform = "linux-x86",
                                                               .connected = true,
                                                               .network_id = "n"}));
        ok(store_round_end(rig.store, STORE_JUMPOINTS, NULL));
    }
    store_round_begin(rig.store, STORE_JUMPOINTS, RIG_HOST, 200); /* not ended */
    ok(store_commit(rig.store));
    assert_int_equal(
        rig_int(&rig,
                "SELECT count(*) FROM jg_jumpoint WHERE gone_at IS NULL AND connected = 1 AND clustered = 0"),
        2);
    ok(store_begin(rig.store));
    store_round_begin(rig.store, STORE_JUMPOINTS, RIG_HOST, 300);
    ok(store_round_end(rig.store, STORE_JUMPOINTS, NULL));
    ok(store_commit(rig.store));
    assert_string_equal(
        rig_text(&rig,
                 "SELECT " RIG_LIST(
                     "host_name || coalesce(CAST(gone_at AS varchar(20)), '-')") " FROM "
                                                                                 "(SELECT * FROM jg_jumpoint "
                                                                                 "ORDER BY host_name) x"),
        "other.example.com-,pra.example.com300");
}

TEST(jump_items_are_told_apart_by_type_and_id)
{
    static const char *const types[] = {"remote-rdp", "shell-jump", "web-jump"};
    uint64_t gone;

    for (int round = 0; round < 2; round++) {
        ok(store_begin(rig.store));
        store_round_begin(rig.store, STORE_JUMP_ITEMS, RIG_HOST, 100 + round);
        for (int i = round; i < 3; i++)
            ok(store_jump_item(rig.store, &(struct record_jump_item){.type = types[i],
                                                                     .item_id = 1,
                                                                     .name = "x",
                                                                     .jump_group_id = 1,
                                                                     .jump_group_type = "shared",
                                                                     .jumpoint_id = 2,
                                                                     .tag = "t"}));
        ok(store_round_end(rig.store, STORE_JUMP_ITEMS, &gone));
        ok(store_commit(rig.store));
        assert_int_equal(gone, round);
    }
    assert_string_equal(rig_text(&rig, "SELECT type || gone_at FROM jg_jump_item WHERE gone_at IS NOT NULL"),
                        "remote-rdp101");
}

/* ---- check-outs ---- */

static struct store_use use_of(const char *lease_id)
{
    return (struct store_use){.lease_id = lease_id,
                              .gateway = "gw",
                              .checkout = RECORD_NONE,
                              .expires = RECORD_NONE,
                              .released = RECORD_NONE,
                              .checkin = RECORD_NONE};
}

static void put_use(const struct store_use *u)
{
    ok(store_begin(rig.store));
    ok(store_use(rig.store, u));
    ok(store_commit(rig.store));
}

TEST(events_of_a_lease_make_one_row)
{
    struct store_use u = use_of("L1");

    u.user_name = "ann";
    u.domain = "corp";
    u.vault = "main";
    u.system = "srv";
    u.account = "root";
    u.kind = "managed";
    u.checkout = 100;
    u.expires = 200;
    put_use(&u);
    put_use(&u); /* again: nothing changes */
    assert_int_equal(store_seq(rig.store), 1);
    struct store_use end = use_of("L1"), in = use_of("L1");
    end.released = 150;
    end.reason = "released";
    put_use(&end);
    in.checkin = 160;
    in.checkin_outcome = "checked_in";
    put_use(&in);
    assert_string_equal(
        rig_text(&rig, "SELECT gateway || user_name || domain || vault || system || account || kind || "
                       "checkout_unix || expires_unix || released_unix || reason || checkin_unix || "
                       "checkin_outcome || joined_by || seq FROM jg_credential_use"),
        "gwanncorpmainsrvrootmanaged100200150released160checked_innone3");
}

TEST(a_lease_is_joined_whichever_comes_first)
{
    struct record_session *r = session(3, 0), *late = session(5, 0);
    struct store_use by_lsid = use_of("A"), by_session = use_of("B"), before = use_of("C"),
                     other = use_of("D");

    (void)rig_store(&rig, r, STORE_CLOSED, 5000);
    by_lsid.lsid = r->lsid;
    by_session.session = "{00000000-0000-0000-0000-000000000003}";
    before.lsid = late->lsid;
    other.lsid = "ffffffffffffffffffffffffffffffff";
    put_use(&by_lsid);
    put_use(&by_session);
    put_use(&before);
    put_use(&other);
    assert_int_equal(rig_int(&rig, "SELECT count(*) FROM jg_credential_use WHERE session_id IS NULL"), 2);
    (void)rig_store(&rig, late, STORE_CLOSED, 6000);
    assert_string_equal(
        rig_text(&rig,
                 "SELECT " RIG_LIST("lease_id || joined_by || coalesce(CAST(session_id AS varchar(20)), "
                                    "'-')") " FROM (SELECT * FROM jg_credential_use ORDER BY lease_id) x"),
        "Alsid1,Bsession1,Clsid2,Dlsid-");
}

TEST(a_lease_is_joined_by_its_credential)
{
    static const struct {
        const char *lease, *user, *credential;
        int64_t checkout;
        bool joined;
    } cases[] = {
        {"A", "CORP\\User.X", "cred", 1000, true},  {"B", "user.x@corp.example", "cred", 1000 - 120, true},
        {"C", "user.x", "cred", 1000 + 120, true},  {"D", "user.x", "cred", 1000 + 121, false},
        {"E", "user.x", "cred", 1000 - 121, false}, {"F", "user.y", "cred", 1000, false},
        {"G", "user.x", "another", 1000, false},    {"H", NULL, "cred", 1000, false},
    };

    for (int session_first = 0; session_first < 2; session_first++) {
        for (int step = 0; step < 2; step++) {
            if (step == session_first) {
                for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
                    struct store_use u = use_of(cases[i].lease);
                    u.gateway = session_first ? "later" : "earlier";
                    u.user_name = cases[i].user;
                    u.credential_id = cases[i].credential;
                    u.checkout = RIG_T0 + session_first * 100000 + cases[i].checkout;
                    put_use(&u);
                }
                continue;
            }
            struct record_session *r = session(100 * session_first, 0);
            r->representatives[0].username = "user.x";
            r->nevents = 0;
            rig_pair(
                &arena,
                rig_event(&arena, r, RIG_T0 + session_first * 100000 + 1000, "Credential Injection Attempt"),
                "credential_id", "cred");
            (void)rig_store(&rig, r, STORE_CLOSED, 5000);
        }
        for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
            char sql[200];
            case_label("%d %s", session_first, cases[i].lease);
            (void)snprintf(sql, sizeof(sql),
                           "SELECT joined_by || coalesce(CAST(session_id AS varchar(20)), '-') FROM "
                           "jg_credential_use WHERE "
                           "lease_id = '%s' AND gateway = '%s'",
                           cases[i].lease, session_first ? "later" : "earlier");
            assert_string_equal(rig_text(&rig, sql), !cases[i].joined ? "none-"
                                                     : session_first  ? "credential_id2"
                                                                      : "credential_id1");
        }
    }
}

/* ---- retention ---- */

TEST(what_is_old_goes_in_chunks)
{
    const struct store_keep keep = {.sessions = RIG_T0 + 700000, .activity = 1500, .syslog = RECORD_NONE};
    struct store_use old = use_of("old"), new = use_of("new");
    bool more;
    int chunks = 0;

    store_sessions(1200);
    old.checkout = 1000;
    new.checkout = 2000;
    put_use(&old);
    put_use(&new);
    ok(store_begin(rig.store));
    ok(store_todo_add(rig.store, RIG_HOST, "00000000000000000000000000000001", "recheck", 1, NULL));
    ok(store_todo_add(rig.store, RIG_HOST, "000000000000000000000000000004a0", "recheck", 1, NULL));
    for (int64_t t = 1000; t <= 2000; t += 1000) {
        ok(store_team(rig.store, RIG_HOST, &(struct record_team){.timestamp = t}, NULL));
        ok(store_vault_activity(rig.store, RIG_HOST, &(struct record_vault_activity){.timestamp = t}, NULL));
        ok(store_syslog(rig.store, RIG_HOST,
                        &(struct record_syslog){.timestamp = t, .line = t == 1000 ? "a" : "b"}, NULL));
    }
    ok(store_commit(rig.store));
    do {
        ok(store_retain(rig.store, &keep, &more));
        chunks++;
    } while (more);
    assert_int_equal(chunks, 2);
    assert_int_equal(rig_int(&rig, "SELECT count(*) FROM session"), 500);
    assert_int_equal(
        rig_int(&rig, "SELECT count(*) FROM session_event WHERE session_id NOT IN (SELECT id FROM session)"),
        0);
    assert_int_equal(rig_int(&rig, "SELECT count(*) FROM session_event_data WHERE session_event_id NOT IN "
                                   "(SELECT id FROM session_event)"),
                     0);
    assert_int_equal(rig_int(&rig, "SELECT count(*) FROM jg_todo"), 1);
    assert_string_equal(rig_text(&rig, "SELECT lease_id FROM jg_credential_use"), "new");
    assert_int_equal(rig_int(&rig, "SELECT min(timestamp_unix) + count(*) FROM team"), 2001);
    assert_int_equal(rig_int(&rig, "SELECT min(timestamp_unix) + count(*) FROM jg_vault_activity"), 2001);
    assert_int_equal(rig_int(&rig, "SELECT count(*) FROM jg_syslog_event"), 2);
    assert_true(rig_int(&rig, "SELECT min(slot) FROM jg_tally WHERE grain = 'd'") >=
                RIG_T0 + 8 * 86400 - 86400);
    assert_int_equal(rig_differences(&rig), 0);
}

TEST(a_recount_mends_what_differs)
{
    int64_t differences;

    for (int64_t n = 0; n < 50; n++)
        (void)rig_store(&rig, session(n, (unsigned)n), STORE_CLOSED, 5000);
    assert_int_equal(rig_differences(&rig), 0);
    rig_exec(&rig,
             "UPDATE jg_tally SET n = n + 1 WHERE dim = 'user' AND label = 'user 3'; DELETE FROM jg_slot "
             "WHERE slot = (SELECT min(slot) FROM jg_slot)");
    assert_true(rig_differences(&rig) > 2);
    ok(store_recount(rig.store, false, &differences));
    assert_true(differences > 2);
    assert_int_equal(rig_differences(&rig), 0);
    assert_int_equal(rig_int(&rig, "SELECT sum(n) FROM jg_tally WHERE dim = 'all' AND grain = 'm'"), 50);
}

TEST(an_interrupted_writer_goes_on_after_resume)
{
    store_interrupt(rig.store);
    assert_int_equal(store_begin(rig.store), DB_INTERRUPTED);
    store_resume(rig.store);
    assert_int_equal(rig_store(&rig, session(1, 0), STORE_CLOSED, 1), STORE_NEW);
}

static int64_t wall_ms(void *arg)
{
    return *(const int64_t *)arg;
}

TEST(each_second_of_commits_has_the_seq_before_it)
{
    int64_t now = INT64_C(5000900);
    const struct clock clock = {.wall_ms = wall_ms, .arg = &now};
    const struct store_keep keep = {.sessions = 5002, .activity = RECORD_NONE, .syslog = RECORD_NONE};
    bool more;

    rig_close(&rig);
    rig.clock = &clock;
    assert_true(rig_open(&rig, true));
    rig_store(&rig, session(1, 0), STORE_CLOSED, 0);
    rig_store(&rig, session(2, 0), STORE_CLOSED, 0); /* of the same second: no row */
    now += 200;
    rig_store(&rig, session(2, 0), STORE_CLOSED, 0); /* the same session: seq does not move */
    assert_int_equal(rig_int(&rig, "SELECT count(*) FROM jg_commit"), 1);
    rig_store(&rig, session(3, 0), STORE_CLOSED, 0);
    now += 1000;
    rig_store(&rig, session(4, 0), STORE_CLOSED, 0);
    now -= 1000; /* the clock is set back: the second keeps its lower number */
    rig_store(&rig, session(5, 0), STORE_CLOSED, 0);
    assert_int_equal(rig_int(&rig, "SELECT count(*) FROM jg_commit"), 3);
    assert_int_equal(rig_int(&rig, "SELECT seq FROM jg_commit WHERE at = 5000"), 0);
    assert_int_equal(rig_int(&rig, "SELECT seq FROM jg_commit WHERE at = 5001"), 2);
    assert_int_equal(rig_int(&rig, "SELECT seq FROM jg_commit WHERE at = 5002"), 3);
    ok(store_retain(rig.store, &keep, &more));
    assert_int_equal(rig_int(&rig, "SELECT count(*) FROM jg_commit"), 1);
    assert_int_equal(rig_int(&rig, "SELECT seq FROM jg_commit WHERE at = 5002"), 3);
}

TEST(the_vendors_event_indexes_go_and_come)
{
    static const char count[] = "SELECT count(*) FROM " RIG_INDEXES " LIKE 'session_event__type%'";

    assert_int_equal(rig_int(&rig, count), 3);
    ok(store_event_indexes(rig.store, false));
    assert_int_equal(rig_int(&rig, count), 0);
    rig_close(&rig);
    assert_true(rig_open(&rig, true)); /* still worked off */
    assert_int_equal(rig_int(&rig, count), 0);
    ok(store_event_indexes(rig.store, true));
    assert_int_equal(rig_int(&rig, count), 3);
}

#define RUN(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUN(a_session_is_stored_with_all_its_rows),
        RUN(the_same_session_changes_its_urls_only),
        RUN(lists_without_order_do_not_change_a_session),
        RUN(a_changed_session_keeps_its_id_and_loses_its_old_rows),
        RUN(running_then_abnormal_then_ended),
        RUN(derived_columns),
        RUN(derived_columns_of_one_site),
        RUN(other_working_hours_recount_what_is_stored),
        RUN(long_texts_are_cut_at_characters),
        RUN(a_transaction_that_is_rolled_back_leaves_nothing),
        RUN(what_is_known_of_sessions),
        RUN(todo_rows),
        RUN(cursors_and_sites),
        RUN(activity_is_stored_once),
        RUN(a_round_marks_what_is_gone_and_what_came_back),
        RUN(an_unfinished_round_and_another_site_mark_nothing),
        RUN(jump_items_are_told_apart_by_type_and_id),
        RUN(events_of_a_lease_make_one_row),
        RUN(a_lease_is_joined_whichever_comes_first),
        RUN(a_lease_is_joined_by_its_credential),
        RUN(what_is_old_goes_in_chunks),
        RUN(a_recount_mends_what_differs),
        RUN(an_interrupted_writer_goes_on_after_resume),
        RUN(each_second_of_commits_has_the_seq_before_it),
        RUN(the_vendors_event_indexes_go_and_come),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
