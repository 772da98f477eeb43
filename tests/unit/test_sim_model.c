/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_sim_model.c - the simulator's dispatcher on the worked data, in one process, with a clock moved by
 * hand.
 *
 * The wire has its own tests (tests/e2e). Here are the sums that need thousands of steps: seeded walks over
 * the request calls after which the lists, the counters and the indexes must agree.
 */

#include "base/json.h"
#include "check.h"
#include "passwordsafe-sim/dispatch.h"
#include "passwordsafe-sim/generate.h"
#include "passwordsafe-sim/requests.h"
#include "passwordsafe-sim/scenario.h"
#include "passwordsafe-sim/sessions.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct world {
    uint64_t now;
    struct clock clock;
    struct timers *timers;
    struct model *m;
    char cookie[2][128];
    int status; /* of the last call */
    char body[65536];
};

static uint64_t world_now(void *arg)
{
    return ((struct world *)arg)->now;
}

static int64_t world_wall(void *arg)
{
    return (int64_t)((struct world *)arg)->now + INT64_C(1773133212500);
}

static void pass(struct world *w, uint64_t ms)
{
    w->now += ms;
    while (timers_next(w->timers) == 0)
        (void)timers_run(w->timers);
}

static void call(struct world *w, int user, const char *method, const char *path, const char *body)
{
    char whole[256];
    struct sim_answer answer;
    struct dispatch_call c = {.method = method,
                              .path = whole,
                              .cookie = user >= 0 ? w->cookie[user] : NULL,
                              .cookie_lines = user >= 0,
                              .content_type = "application/json",
                              .has_length = true,
                              .body = body ? body : "",
                              .body_len = body ? strlen(body) : 0};
    char *query;

    (void)snprintf(whole, sizeof(whole), "%s/%s", DISPATCH_BASE, path);
    query = strchr(whole, '?');
    if (query) {
        *query = '\0';
        c.query = query + 1;
    }
    dispatch_run(w->m, &c, &answer);
    w->status = answer.status;
    (void)snprintf(w->body, sizeof(w->body), "%.*s", (int)answer.body.len,
                   answer.body.data ? answer.body.data : "");
    sim_answer_free(&answer);
}

static void sign_in(struct world *w, int slot, const char *name)
{
    struct session *s = sessions_open(w->m, NULL);

    assert_non_null(s);
    s->user = model_user_named(w->m, name);
    assert_non_null(s->user);
    (void)snprintf(w->cookie[slot], sizeof(w->cookie[slot]), "ASP.NET_SessionId=%s", s->cookie);
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof(*w));
    struct buf why = BUF_INIT(1024);

    assert_non_null(w);
    w->now = 1000;
    w->clock = (struct clock){.now_ms = world_now, .wall_ms = world_wall, .arg = w};
    w->timers = timers_new(&w->clock);
    w->m = model_new(w->timers);
    assert_int_equal(scenario_load_fixture(w->m, "worked", &why), 0);
    buf_free(&why);
    sign_in(w, 0, "ACME\\mrivera");
    sign_in(w, 1, "ACME\\jdoe");
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;

    model_free(w->m);
    assert_int_equal(timers_count(w->timers), 0);
    timers_free(w->timers);
    free(w);
    return 0;
}

static void request(struct world *w, int user, int system, int account, int minutes, const char *option)
{
    char body[256];

    (void)snprintf(body, sizeof(body),
                   "{\"SystemID\":%d,\"AccountID\":%d,\"DurationMinutes\":%d,\"ConflictOption\":\"%s\"}",
                   system, account, minutes, option);
    call(w, user, "POST", "Requests", body);
}

TEST(a_request_is_made_read_and_checked_in)
{
    struct world *w = *state;

    request(w, 0, 17, 203, 60, "");
    assert_int_equal(w->status, 201);
    assert_string_equal(w->body, "9114");
    call(w, 0, "GET", "Credentials/9114", NULL);
    assert_string_equal(w->body, "\"Tr0ut\\\\lamp\\\"42&co\"");
    call(w, 1, "GET", "Credentials/9114", NULL);
    assert_int_equal(w->status, 404);
    pass(w, 60 * 60000 - 1);
    sign_in(w, 0, "ACME\\mrivera");
    call(w, 0, "GET", "Credentials/9114", NULL);
    assert_int_equal(w->status, 200);
    pass(w, 1);
    call(w, 0, "GET", "Credentials/9114", NULL);
    assert_int_equal(w->status, 404);
}

/* What the three live lists, the counters and the index say must be one thing. */
static void check_books(struct world *w)
{
    const struct requests *rs = w->m->requests;
    const struct request *r;
    size_t live = 0, pending = 0, by_user = 0, by_account = 0;

    TAILQ_FOREACH(r, &rs->live, in_all)
    {
        assert_true(request_live(r));
        assert_ptr_equal(requests_find(w->m, r->id), r);
        live++;
        pending += r->state == REQUEST_PENDING;
    }
    for (size_t i = 0; i < w->m->users.n; i++)
        TAILQ_FOREACH(r, &((struct model_user *)w->m->users.item[i])->live, in_user)
    by_user++;
    for (size_t i = 0; i < w->m->accounts.n; i++) {
        const struct model_account *a = w->m->accounts.item[i];
        int n = 0;
        TAILQ_FOREACH(r, &a->live, in_account)
        n++;
        assert_true(a->max_concurrent == 0 || n <= a->max_concurrent);
        by_account += (size_t)n;
    }
    assert_int_equal(live, rs->nlive);
    assert_int_equal(pending, rs->npending);
    assert_int_equal(by_user, live);
    assert_int_equal(by_account, live);
    assert_int_equal(rs->created, rs->nlive + rs->ends[REQUEST_CHECKED_IN] + rs->ends[REQUEST_EXPIRED] +
                                      rs->ends[REQUEST_DENIED] + rs->ends[REQUEST_CANCELLED] +
                                      rs->ends[REQUEST_TERMINATED]);
    assert_true(rs->nended <= w->m->settings.max_finished);
}

static unsigned chance(unsigned *seed, unsigned n)
{
    *seed = *seed * 1664525u + 1013904223u;
    return (*seed >> 8) % n;
}

static void step(struct world *w, unsigned *seed)
{
    static const int pairs[][2] = {{17, 203}, {22, 310}, {31, 507}, {32, 507}, {40, 410}};
    static const char *const options[] = {"", "reuse", "renew"};
    const int *pair = pairs[chance(seed, 5)];
    int user = (int)chance(seed, 2);
    char path[64];

    switch (chance(seed, 6)) {
    case 0:
        (void)snprintf(path, sizeof(path), "Requests/%u/Checkin",
                       (unsigned)w->m->requests->next_id - 1 - chance(seed, 8));
        call(w, user, "PUT", path, "{}");
        break;
    case 1: pass(w, chance(seed, 90000)); break;
    case 2: call(w, user, "GET", "Requests?status=all", NULL); break;
    case 3: sign_in(w, user, user ? "ACME\\jdoe" : "ACME\\mrivera"); break;
    default: request(w, user, pair[0], pair[1], 1 + (int)chance(seed, 3), options[chance(seed, 3)]); break;
    }
}

TEST(random_calls_keep_the_model_consistent)
{
    struct world *w = *state;
    struct model_account *shared = model_account(w->m, 507);

    w->m->settings.max_finished = 50;
    shared->max_concurrent = 2;
    for (unsigned seed = 1; seed <= 20; seed++) {
        unsigned chances = seed;
        for (int i = 0; i < 400; i++)
            step(w, &chances);
        check_books(w);
    }
    assert_true(w->m->requests->created > 500);
    pass(w, 10 * 60000);
    assert_int_equal(w->m->requests->nlive, 0);
}

TEST(sessions_do_not_pile_up)
{
    struct world *w = *state;

    for (int i = 0; i < 1000; i++) {
        pass(w, 60000);
        sign_in(w, 0, "ACME\\mrivera");
    }
    assert_true(w->m->sessions->n <= 22);
}

TEST(the_generated_company_is_complete)
{
    struct world *w = *state;
    struct generate_opts o = generate_defaults;
    char ip[128];

    o.users = 500;
    o.systems = 20000;
    o.ssh_keys = 2;
    assert_int_equal(generate(w->m, &o), 0);
    sign_in(w, 0, "ACME\\user500");
    call(w, 0, "GET", "ManagedAccounts?systemName=srv19999&type=system&limit=1000", NULL);
    assert_non_null(strstr(w->body, "\"AccountName\":\"root\""));
    (void)snprintf(ip, sizeof(ip), "ManagedAccounts?type=system&ipAddress=%s",
                   ((struct model_system *)names_first(&w->m->system_names, "srv20000"))->ip);
    call(w, 0, "GET", ip, NULL);
    assert_non_null(strstr(w->body, "\"SystemName\":\"srv20000\""));
    call(w, 0, "GET", "ManagedAccounts?limit=1&offset=59999", NULL);
    assert_non_null(strstr(w->body, "\"SystemName\":\"srv20000\""));
    call(w, 0, "GET", "ManagedAccounts?accountName=adm3@acme.test&limit=2", NULL);
    assert_non_null(strstr(w->body, "\"DomainName\":\"acme.test\""));
}

TEST(mistakes_of_a_scenario_are_refused)
{
    static const char *const bad[] = {
        "[]",
        "{\"nonsense\":[]}",
        "{\"users\":[{\"groups\":[]}]}",
        "{\"users\":[{\"name\":\"x\",\"groups\":[\"no such group\"]}]}",
        "{\"accounts\":[{\"name\":\"x\",\"system\":424242}]}",
        "{\"links\":[{\"system\":17,\"account\":424242}]}",
        "{\"groups\":[{\"name\":\"g\",\"grants\":[{\"rule\":\"r\",\"roles\":[\"king\"]}]}]}",
        "{\"settings\":{\"knobs\":{\"12\":\"klingon\"}}}",
        "{\"accounts\":[{\"id\":203,\"last_change\":\"yesterday\"}]}",
        "{\"users\":5}",
    };
    struct world *w = *state;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct buf why = BUF_INIT(1024);
        assert_int_not_equal(scenario_load_text(w->m, bad[i], strlen(bad[i]), &why), 0);
        assert_true(why.len > 0);
        buf_free(&why);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_request_is_made_read_and_checked_in, setup, teardown),
        cmocka_unit_test_setup_teardown(random_calls_keep_the_model_consistent, setup, teardown),
        cmocka_unit_test_setup_teardown(sessions_do_not_pile_up, setup, teardown),
        cmocka_unit_test_setup_teardown(the_generated_company_is_complete, setup, teardown),
        cmocka_unit_test_setup_teardown(mistakes_of_a_scenario_are_refused, setup, teardown),
    };

    json_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
