/* SPDX-License-Identifier: Apache-2.0 */
/* test_pra_world.c - see test_pra_site.h. */
#include "test_pra_site.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

struct world world;
static char info_body[2048];
static const char *permission_list;

/* ---- the broker's side ---- */

static bool oldest_key(void *ctx, int64_t *created_ms)
{
    assert_ptr_equal(ctx, &world);
    *created_ms = world.oldest_ms;
    return world.oldest_ms != 0;
}

static size_t session_ended(void *ctx, const char *lsid, enum pra_end_source source)
{
    assert_ptr_equal(ctx, &world);
    (void)snprintf(world.ended[world.nended++ % 64], LSID_SIZE, "%s", lsid);
    world.by_source[source]++;
    return world.leases;
}

static void save_cursor(void *ctx, int64_t cursor_ms)
{
    assert_ptr_equal(ctx, &world);
    world.saves++;
    world.saved_ms = cursor_ms;
}

const struct pra_site_hooks world_hooks = {oldest_key, session_ended, save_cursor, &world};

/* ---- the site's side ---- */

static enum pra_call_kind kind_of(const struct call *call)
{
    if (!strcmp(call->target, "/check_health"))
        return PRA_CALL_PROBE;
    if (!strcmp(call->target, "/oauth2/token"))
        return PRA_CALL_TOKEN;
    if (strstr(call->target, "get_api_info"))
        return PRA_CALL_INFO;
    if (strstr(call->target, "check_health"))
        return PRA_CALL_HEALTH;
    if (strstr(call->target, "jumpoint"))
        return PRA_CALL_JUMPOINTS;
    if (strstr(call->target, "Listing"))
        return PRA_CALL_LISTING;
    return strstr(call->target, "AccessSession") ? PRA_CALL_SESSION : PRA_CALL_TERMINATE;
}

static void note(const struct call *call, enum pra_call_kind kind)
{
    const char *end = strstr(call->target, "end_time=");

    if (kind == PRA_CALL_LISTING) {
        assert_int_equal(sscanf(end, "end_time=%lld&duration=%lld", &world.from_s, &world.duration_s), 2);
        world.froms[world.n[kind] % 64] = world.from_s;
        world.durations[world.n[kind] % 64] = world.duration_s;
    }
    world.n[kind]++;
    world.at[kind] = rig.fc.now;
}

static const char *date_now(char text[40])
{
    time_t now = (time_t)(rig.fc.wall / 1000 + world.ahead_s);
    struct tm utc;

    assert_true(strftime(text, 40, "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&now, &utc)) > 0);
    return text;
}

static void reply(struct call *call)
{
    enum pra_call_kind kind = kind_of(call);
    struct reply r = world.answers[kind];
    char token[128], date[40];

    if (r.err) {
        rig_fail(call, r.err, r.fault);
        return;
    }
    if (world.dated && !r.date)
        r.date = date_now(date);
    if (kind == PRA_CALL_TOKEN && !r.body) {
        (void)snprintf(token, sizeof(token), RIG_TOKEN, ++rig.tokens);
        r.body = token;
    }
    if (kind == PRA_CALL_INFO && !r.body) {
        (void)snprintf(info_body, sizeof(info_body), OF_PERMISSIONS("%s"),
                       (long long)(rig.fc.wall / 1000 + world.ahead_s), permission_list);
        r.body = info_body;
    }
    rig_reply(call, &(struct rig_answer){r.status, r.body, r.type, r.date, r.retry_after, r.remaining,
                                         r.last_page});
}

/* Answers what has been sent; true = something was. */
static bool settle(void)
{
    struct rig_sent *sent;

    TAILQ_FOREACH(sent, &rig.sent, link)
    {
        enum pra_call_kind kind = kind_of(sent->call);
        const struct reply *r = &world.answers[kind];

        if (r->hold || rig.fc.now < sent->at_ms + r->takes_ms)
            continue;
        note(sent->call, kind);
        reply(sent->call);
        return true;
    }
    return false;
}

/* Milliseconds until the next answer that takes its time. */
static uint64_t next_answer(void)
{
    uint64_t next = UINT64_MAX;
    struct rig_sent *sent;

    TAILQ_FOREACH(sent, &rig.sent, link)
    {
        const struct reply *r = &world.answers[kind_of(sent->call)];
        uint64_t at = sent->at_ms + r->takes_ms;

        if (!r->hold && at - rig.fc.now < next)
            next = at - rig.fc.now;
    }
    return next;
}

void live(uint64_t ms)
{
    uint64_t end = rig.fc.now + ms;

    for (;;) {
        do
            (void)timers_run(rig.timers);
        while (settle());
        uint64_t next = timers_next(rig.timers), answer = next_answer();
        next = answer < next ? answer : next;
        if (next == UINT64_MAX || rig.fc.now + next > end)
            break;
        fake_clock_advance(&rig.fc, next);
    }
    fake_clock_advance(&rig.fc, end - rig.fc.now);
}

void live_until(enum pra_state state, uint64_t ms)
{
    uint64_t end = rig.fc.now + ms;

    live(0);
    while (view()->state != state && rig.fc.now < end)
        live(50);
    assert_string_equal(pra_state_name(view()->state), pra_state_name(state));
}

void release(const char *target)
{
    struct call *call = rig_find(target);

    assert_non_null(call);
    note(call, kind_of(call));
    reply(call);
}

/* ---- what is shown ---- */

struct pra_site_view *view(void)
{
    static struct pra_site_view v;

    pra_site_view(world.site, &v);
    return &v;
}

bool says(const char *words)
{
    bool found = strstr(view()->detail, words) != NULL;

    if (!found)
        print_error("the detail is: %s\n", view()->detail);
    return found;
}

void set_permissions(const char *list)
{
    permission_list = list;
}

/* ---- life ---- */

int world_setup(void **state)
{
    if (rig_start(state))
        return -1;
    memset(&world, 0, sizeof(world));
    set_permissions(ALL_PERMISSIONS);
    for (int i = 0; i < PRA_NCALLS; i++)
        world.answers[i].type = "text/xml";
    world.answers[PRA_CALL_TOKEN].type = world.answers[PRA_CALL_JUMPOINTS].type = "application/json";
    world.answers[PRA_CALL_PROBE] = (struct reply){.type = "text/plain", .body = "All systems go\n"};
    world.answers[PRA_CALL_HEALTH].body = HEALTH_OF("none");
    world.answers[PRA_CALL_LISTING].body = NO_SESSIONS;
    world.answers[PRA_CALL_SESSION].body = "<session_list/>";
    world.answers[PRA_CALL_TERMINATE].body = "<success>Successfully terminated</success>";
    world.answers[PRA_CALL_JUMPOINTS].body = "[]";
    rig.piece = 4096;
    world.params = (struct pra_site_params){
        .client = rig.params,
        .probe_interval_ms = 15 * SECOND,
        .check_interval_ms = 5 * MINUTE,
        .poll_interval_ms = 15 * SECOND,
        .poll_overlap_ms = 2 * MINUTE,
        .catch_up_ms = 24 * HOUR,
    };
    world.leases = 1;
    return 0;
}

void world_open(int64_t cursor_ms)
{
    struct secret secret = {0};
    char why[256];

    assert_int_equal(secret_set(&secret, "s3cret", 6), 0);
    world.site = pra_site_new(NULL, &world.params, &secret, &world_hooks, cursor_ms, why);
    assert_non_null(world.site);
    assert_int_equal(pra_site_start(world.site), 0);
}

static void on_site_closed(void *arg)
{
    *(bool *)arg = true;
}

void world_close(void)
{
    bool closed = false;

    if (!world.site)
        return;
    pra_site_close(world.site, on_site_closed, &closed);
    assert_false(closed);
    (void)timers_run(rig.timers);
    assert_true(closed);
    world.site = NULL;
}

int world_teardown(void **state)
{
    world_close();
    return rig_stop(state);
}
