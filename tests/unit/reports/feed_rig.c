/* SPDX-License-Identifier: Apache-2.0 */
/*
 * feed_rig.c - a store with some of everything that the feed shows; see feed_rig.h.
 */
#include "feed_rig.h"

#include "check.h"

#include <string.h>

int64_t feed_wall_ms;

static int64_t wall_ms(void *arg)
{
    (void)arg;
    return feed_wall_ms;
}

const struct clock feed_clock = {.wall_ms = wall_ms};

void feed_ok(struct reports_rig *rig, enum db_outcome outcome)
{
    if (outcome != DB_OK)
        fail_msg("%s: %s", db_outcome_name(outcome), store_error(rig->store)->text);
}

struct buf feed_buf(void)
{
    return BUF_INIT(2 * FEED_PAGE_MAX);
}

/* ---- what is stored ---- */

static void put_session(struct reports_rig *rig, const char *host, const struct record_session *r,
                        enum store_state state, int64_t now)
{
    const struct store_session in = {
        .host_name = host, .session = r, .state = state, .has_recording = -1, .now = now};
    enum store_change change;

    feed_ok(rig, store_begin(rig->store));
    feed_ok(rig, store_session(rig->store, &in, &change));
    feed_ok(rig, store_commit(rig->store));
}

static void put_full_session(struct reports_rig *rig, struct record_arena *a)
{
    struct record_session *r = rig_session(a, &(struct rig_session){5, RIG_T0 + 60, RIG_T0 + 660, 1, 7});
    struct record_event *e = rig_event(a, r, r->start + 600, "Session End");
    struct record_info *info = record_append(a, &e->info, &e->ninfo, &e->info_room, sizeof(*info));
    struct record_attribute *ticket =
        record_append(a, &r->attributes, &r->nattributes, &r->attributes_room, sizeof(*ticket));
    struct record_shell *shell = record_append(a, &r->shells, &r->nshells, &r->shells_room, sizeof(*shell));

    assert_true(info && ticket && shell);
    *info = (struct record_info){"Memory", "Total", "16 GB, \"fast\"", 0};
    *ticket = (struct record_attribute){"Ticket", "ticket", "=cmd|' /C calc'!A0"};
    *shell = (struct record_shell){1, "https://pra.example.com/s?key=1", "https://pra.example.com/d?key=1"};
    r->chat_view_url = r->chat_download_url = "https://pra.example.com/chat?key=2";
    r->recording_view_url = r->recording_download_url = "https://pra.example.com/view?key=3";
    r->external_key = "INC-7";
    r->customers[0].private_ip = "10.1.2.3";
    e->body = "körper\nof two \"lines\", and \x01";
    e->filename = "-5.txt";
    e->filesize = 123456789012;
    rig_pair(a, e, "size", "1");
    rig_pair(a, e, "size", "2");
    rig_pair(a, e, "a \"name\"", NULL);
    put_session(rig, RIG_HOST, r, STORE_CLOSED, RIG_T0 + 700);
}

static void put_accounts(struct reports_rig *rig)
{
    const struct record_vault_account accounts[] = {
        {7, "windows_local", "srv admin", "Administrator", "of the server", 1, "default", 12, RIG_T0},
        {8, "ssh", "key", NULL, NULL, RECORD_NONE, NULL, RECORD_NONE, RECORD_NONE},
    };

    for (size_t round = 0; round < 2; round++) {
        store_round_begin(rig->store, STORE_VAULT_ACCOUNTS, RIG_HOST, RIG_T0 + 1000 * (int64_t)round);
        feed_ok(rig, store_begin(rig->store));
        for (size_t i = 0; i < 2 - round; i++)
            feed_ok(rig, store_vault_account(rig->store, &accounts[i]));
        feed_ok(rig, store_round_end(rig->store, STORE_VAULT_ACCOUNTS, NULL));
        feed_ok(rig, store_commit(rig->store));
    }
}

static void put_syslog(struct reports_rig *rig)
{
    static struct record_pair data[] = {{"event", "login"}, {"note", "a=b;\\ \"x\""}, {"secret", "***"}};
    const struct record_syslog lines[] = {
        {.event = "login",
         .target = "web/login",
         .status = "success",
         .who = "Jane Doe (jdoe) using local",
         .who_ip = "192.0.2.1"},
        {.event = "login",
         .target = "web/api",
         .status = "failure",
         .who = "reporting",
         .who_ip = "2001:db8::1"},
        {.event = "logout", .status = "success"},
        {.event = "user_added", .target = "bob", .who = "Jane Doe (jdoe)"},
        {.event = "api_account_changed", .who = "admin using saml"},
        {.event = "session_policy_removed", .status = "failure"},
        {.event = "backup_created", .status = "success"},
        {.event = NULL},
    };

    feed_ok(rig, store_begin(rig->store));
    for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
        struct record_syslog r = lines[i];

        r.timestamp = RIG_T0 + 10 * (int64_t)i;
        r.appliance = "appliance";
        r.data = data;
        r.ndata = sizeof(data) / sizeof(*data);
        r.line = "a line";
        r.ordinal = i;
        feed_ok(rig, store_syslog(rig->store, RIG_HOST, &r, NULL));
    }
    feed_ok(rig, store_commit(rig->store));
}

void feed_fill(struct reports_rig *rig)
{
    struct record_arena a = {0};
    struct record_session *other = rig_session(&a, &(struct rig_session){7, RIG_T0 + 200, RECORD_NONE, 2, 2});

    put_full_session(rig, &a);
    put_session(rig, RIG_HOST, rig_session(&a, &(struct rig_session){6, RIG_T0 + 100, RECORD_NONE, 1, 3}),
                STORE_RUNNING, RIG_T0 + 800);
    other->primary_customer = other->primary_rep = NULL;
    other->nrepresentatives = other->ncustomers = 0;
    put_session(rig, OTHER_HOST, other, STORE_ABNORMAL, RIG_T0 + 900);
    put_accounts(rig);
    put_syslog(rig);
    record_arena_free(&a);
}

/* ---- readers ---- */

static enum query_outcome read_page(struct reports_rig *rig, const struct query_context *ctx,
                                    const struct feed_request *r, struct buf *out, struct feed_answer *answer,
                                    struct query_error *error)
{
    struct db *db = rig_reader(rig);
    enum query_outcome outcome = feed_read(db, ctx, r, out, answer, error);
    if (outcome == QUERY_DATABASE)
        print_error("%s\n", db->error.text);
    db->ops->close(db);
    return outcome;
}

void feed_page_of(struct reports_rig *rig, const struct feed_request *r, const char *const *hosts,
                  size_t nhosts, struct buf *out, struct feed_answer *answer)
{
    const struct query_context ctx = {
        .now = RIG_T0, .time_zone = "UTC", .hosts = hosts, .nhosts = nhosts, .all_hosts = !hosts};
    struct query_error error;

    buf_clear(out);
    if (read_page(rig, &ctx, r, out, answer, &error) != QUERY_OK)
        fail_msg("%s %s", error.parameter, error.why);
    assert_true(out->len <= FEED_PAGE_MAX);
}

void feed_page(struct reports_rig *rig, const struct feed_request *r, struct buf *out,
               struct feed_answer *answer)
{
    feed_page_of(rig, r, NULL, 0, out, answer);
}

enum query_outcome feed_try(struct reports_rig *rig, const struct feed_request *r, struct query_error *error)
{
    const struct query_context ctx = {.now = RIG_T0, .time_zone = "UTC", .all_hosts = true};
    struct buf out = feed_buf();
    struct feed_answer answer;
    enum query_outcome outcome = read_page(rig, &ctx, r, &out, &answer, error);

    buf_free(&out);
    return outcome;
}
