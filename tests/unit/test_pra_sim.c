/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_pra_sim.c - the simulated site's parts without a network, with a clock moved by hand.
 *
 * The wire has its own tests (tests/e2e). Here are the sums that need many steps: windows of listings that
 * must hold every session once, seeded walks over tokens and event queues, faults on every kind of body.
 */

#include "base/json.h"
#include "check.h"
#include "fake_clock.h"
#include "pra-sim/dispatch.h"
#include "pra-sim/spoil.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct world {
    struct fake_clock clock;
    struct timers *timers;
    struct site *site;
    struct account *account;
    char header[64];
};

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof(*w));

    assert_non_null(w);
    fake_clock_init(&w->clock);
    w->timers = timers_new(&w->clock.clock);
    assert_non_null(w->timers);
    w->site = site_new(w->timers, 7);
    assert_non_null(w->site);
    w->account = accounts_add(&w->site->accounts, "id", "secret");
    assert_non_null(w->account);
    w->site->accounts.limits.rate_second = w->site->accounts.limits.rate_hour = 1000000;
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;

    site_free(w->site);
    assert_int_equal(timers_count(w->timers), 0);
    timers_free(w->timers);
    free(w);
    return 0;
}

static unsigned chance(unsigned *seed, unsigned n)
{
    *seed = *seed * 1664525u + 1013904223u;
    return (*seed >> 8) % n;
}

static void sign_in(struct world *w)
{
    const struct token *t = account_issue(&w->site->accounts, w->account);

    assert_non_null(t);
    (void)snprintf(w->header, sizeof(w->header), "Bearer %s", t->text);
}

/* The caller frees the answer. */
static void get(struct world *w, const char *path, const char *query, struct sim_answer *answer)
{
    struct dispatch_call c = {.method = "GET",
                              .path = path,
                              .query = query,
                              .authorization = w->header,
                              .peer = "192.0.2.1",
                              .body = ""};
    int violation;

    dispatch_run(w->site, &c, &(struct dispatch_opts){0}, answer, &violation);
    assert_non_null(buf_cstr(&answer->body));
}

/* ---- listings ---- */

static size_t rows_of(struct world *w, const char *by, int64_t from, int64_t duration, const char *lsid)
{
    struct sim_answer answer;
    char query[128];
    size_t n = 0;

    (void)snprintf(query, sizeof(query), "generate_report=AccessSessionListing&%s=%lld&duration=%lld", by,
                   (long long)from, (long long)duration);
    get(w, "/api/reporting", query, &answer);
    assert_int_equal(answer.status, 200);
    for (const char *p = buf_cstr(&answer.body); (p = strstr(p, "<session_summary ")); p++)
        n += !lsid || strstr(p, lsid) == p + strlen("<session_summary lsid=\"");
    sim_answer_free(&answer);
    return n;
}

/* Windows that follow each other hold each ended session once, whatever their length. */
TEST(test_windows_hold_each_session_once)
{
    struct world *w = *state;
    int64_t begin = site_now(w->site) / 1000;
    unsigned seed = 5;
    size_t ended = 0;

    sign_in(w);
    for (int i = 0; i < 300; i++) {
        struct session *s = sessions_start(&w->site->sessions, NULL, site_now(w->site));
        assert_non_null(s);
        fake_clock_advance(&w->clock, chance(&seed, 4000));
        if (chance(&seed, 4) == 0)
            continue;
        assert_true(sessions_end(&w->site->sessions, s, chance(&seed, 4) == 0, site_now(w->site)));
        assert_false(sessions_end(&w->site->sessions, s, false, site_now(w->site)));
        ended += s->state == SESSION_ENDED;
    }
    assert_int_equal(rows_of(w, "end_time", begin, 0, NULL), ended);
    assert_int_equal(rows_of(w, "start_time", begin, 0, NULL), 300);
    for (int64_t length = 1; length < 200; length += 37) {
        size_t sum = 0;
        for (int64_t at = begin; at <= site_now(w->site) / 1000; at += length)
            sum += rows_of(w, "end_time", at, length, NULL);
        assert_int_equal(sum, ended);
    }
}

TEST(test_a_session_is_in_the_second_of_its_end)
{
    struct world *w = *state;
    struct session *s = sessions_start(&w->site->sessions, NULL, site_now(w->site));
    int64_t end;

    sign_in(w);
    fake_clock_advance(&w->clock, 12345);
    assert_true(sessions_end(&w->site->sessions, s, false, site_now(w->site)));
    end = s->end_ms / 1000;
    assert_int_equal(rows_of(w, "end_time", end, 1, s->lsid), 1);
    assert_int_equal(rows_of(w, "end_time", end, 0, s->lsid), 1);
    assert_int_equal(rows_of(w, "end_time", end + 1, 0, s->lsid), 0);
    assert_int_equal(rows_of(w, "end_time", end - 1, 1, s->lsid), 0);
}

TEST(test_lsid_forms)
{
    struct world *w = *state;
    static const char *const good[] = {
        "0123456789ABCDEF0123456789abcdef", "01234567-89ab-cdef-0123-456789abcdef",
        "{01234567-89ab-cdef-0123-456789ABCDEF}", "{0123456789abcdef0123456789abcdef}"};
    static const char *const bad[] = {"",
                                      "{}",
                                      "0123456789abcdef0123456789abcde",
                                      "0123456789abcdef0123456789abcdef0",
                                      "0123456789abcdef0123456789abcdeg",
                                      "0-123456789abcdef0123456789abcdef",
                                      "{0123456789abcdef0123456789abcdef"};
    struct session *s = sessions_start(&w->site->sessions, good[0], 0);
    char out[LSID_SIZE];

    assert_non_null(s);
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_ptr_equal(sessions_find(&w->site->sessions, good[i]), s);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(session_lsid(bad[i], out));
    assert_null(sessions_start(&w->site->sessions, good[1], 0));
}

/* ---- tokens ---- */

TEST(test_the_newest_tokens_are_good)
{
    struct world *w = *state;
    struct accounts *all = &w->site->accounts;
    char made[200][TOKEN_TEXT];

    for (size_t i = 0; i < 200; i++) {
        const struct token *t = account_issue(all, w->account);
        assert_non_null(t);
        memcpy(made[i], t->text, TOKEN_TEXT);
        for (size_t k = 0; k <= i; k++)
            assert_int_equal(accounts_of_token(all, made[k]) == w->account, i - k < 30);
    }
    fake_clock_advance(&w->clock, 3600 * 1000 - 1);
    assert_ptr_equal(accounts_of_token(all, made[199]), w->account);
    fake_clock_advance(&w->clock, 1);
    assert_null(accounts_of_token(all, made[199]));
    assert_int_equal(w->account->ntokens, 0);
}

TEST(test_rate_windows)
{
    struct world *w = *state;
    struct accounts *all = &w->site->accounts;
    size_t served = 0;

    all->limits.rate_second = 20;
    all->limits.rate_hour = 15000;
    for (int i = 0; i < 3600 * 10; i++) {
        if (account_rate(all, w->account) == 0)
            served++;
        if (account_rate(all, w->account) == 0)
            served++;
        if (i % 10 == 9)
            fake_clock_advance(&w->clock, 1000);
    }
    assert_int_equal(served, 15000);
    assert_int_equal(account_rate(all, w->account), 0); /* another hour has begun */
}

/* ---- event queues ---- */

struct post {
    struct recipient *pending;
    unsigned next[2]; /* number of the event that each recipient waits for */
    unsigned long sends;
};

static int on_send(void *arg, struct recipient *r, const struct outbound_event *e)
{
    struct post *p = arg;
    char wanted[32];

    (void)snprintf(wanted, sizeof(wanted), "event=%u", p->next[r->id - 1]);
    assert_string_equal(e->form, wanted);
    p->sends++;
    return 0;
}

static void settle(struct world *w, struct post *p, unsigned *seed)
{
    for (size_t i = 0; i < w->site->outbound.recipients.n; i++) {
        struct recipient *r = w->site->outbound.recipients.item[i];
        int status = chance(seed, 3) == 0 ? 200 : chance(seed, 2) ? 503 : 0;
        if (!r->sending)
            continue;
        if (status == 200)
            p->next[r->id - 1]++;
        outbound_sent(r, status, "no answer");
    }
}

TEST(test_events_come_in_order_and_once)
{
    struct world *w = *state;
    struct outbound *o = &w->site->outbound;
    struct post p = {0};
    unsigned seed = 11;
    char form[32];

    o->send = on_send;
    o->arg = &p;
    assert_non_null(outbound_add(o, "one", "http://one"));
    assert_non_null(outbound_add(o, "two", "http://two"));
    for (unsigned i = 0; i < 500; i++) {
        (void)snprintf(form, sizeof(form), "event=%u", i);
        assert_int_equal(outbound_queue(o, NULL, OUTBOUND_END, form, "text/plain"), 0);
        settle(w, &p, &seed);
        fake_clock_run(&w->clock, w->timers, chance(&seed, 4000));
    }
    for (int i = 0; i < 100000 && outbound_queued(o); i++) {
        settle(w, &p, &seed);
        fake_clock_run(&w->clock, w->timers, 10000);
    }
    assert_int_equal(outbound_queued(o), 0);
    assert_int_equal(p.next[0], 500);
    assert_int_equal(p.next[1], 500);
    assert_true(p.sends > 1500); /* most were refused at first */
}

TEST(test_a_dropped_event_frees_the_queue)
{
    struct world *w = *state;
    struct outbound *o = &w->site->outbound;
    struct post p = {0};
    struct recipient *r = outbound_add(o, "one", "http://one");

    o->send = on_send;
    o->arg = &p;
    r->retry_duration_ms = 25000;
    assert_int_equal(outbound_queue(o, NULL, OUTBOUND_END, "event=0", "text/plain"), 0);
    for (int i = 0; i < 2; i++) {
        outbound_sent(r, 500, "refused");
        fake_clock_run(&w->clock, w->timers, 9999);
        assert_false(r->sending);
        fake_clock_run(&w->clock, w->timers, 1);
        assert_true(r->sending);
    }
    p.next[0] = 1;
    assert_int_equal(outbound_queue(o, NULL, OUTBOUND_END, "event=1", "text/plain"), 0);
    outbound_sent(r, 0, "lost");
    fake_clock_run(&w->clock, w->timers, 10000);
    assert_int_equal(r->dropped, 1);
    assert_true(r->sending);
    outbound_sent(r, 200, "");
    assert_int_equal(r->queued, 0);
    assert_int_equal(r->sent, 1);
}

/* ---- XML and faults ---- */

TEST(test_xml_text)
{
    struct buf b = BUF_INIT(4096);
    struct xml x = {.buf = &b, .namespace = "urn:x", .prefix = "p"};

    xml_open(&x, "list");
    xml_open(&x, "row");
    xml_attribute(&x, "name", "a\"b<c>&d\x01");
    xml_text(&x, "1 < 2 & \"3\"");
    xml_close(&x);
    xml_leaf(&x, "none", "");
    xml_close(&x);
    assert_string_equal(buf_cstr(&b),
                        "<p:list xmlns:p=\"urn:x\"><p:row name=\"a&quot;b&lt;c&gt;&amp;d\xef\xbf\xbd\">"
                        "1 &lt; 2 &amp; &quot;3&quot;</p:row><p:none/></p:list>");
    xml_close(&x);
    assert_true(b.failed); /* more ends than beginnings */
    buf_free(&b);
}

TEST(test_every_fault_on_every_body)
{
    static const char *const bodies[] = {
        "",      "x", "<", "<a/>", "<a></a>", "<?xml version=\"1.0\"?><a b='c'>d</a>", "[{\"a\":1}]",
        "<?xml", "</"};
    size_t changed = 0;

    for (size_t i = 0; i < spoil_nactions; i++) {
        struct fault_injection_rule rule = {.kind = spoil_actions[i].kind, .size = 100};
        for (size_t k = 0; k < sizeof(bodies) / sizeof(bodies[0]); k++) {
            struct sim_answer a = SIM_ANSWER_INIT;
            a.content_type = "text/xml";
            assert_int_equal(buf_str(&a.body, bodies[k]), 0);
            spoil_answer(&rule, &a);
            assert_false(a.body.failed);
            changed += strcmp(buf_cstr(&a.body), bodies[k]) != 0;
            sim_answer_free(&a);
        }
    }
    assert_true(changed > 60);
}

TEST(test_names_of_calls)
{
    static const struct {
        const char *path, *query, *name;
    } calls[] = {
        {"/oauth2/token", NULL, "token"},
        {"/check_health", NULL, "probe"},
        {"/check_healthy", NULL, "none"},
        {"/api/command", "action=get_api_info", "get_api_info"},
        {"/api/command", "action=", "none"},
        {"/api/reporting", "duration=0&generate_report=AccessSession", "AccessSession"},
        {"/api/config/v1/jumpoint", NULL, "jumpoint"},
        {"/api/config/v1/jumpoint/12/node", "a=b", "jumpoint/{id}/node"},
        {"/api/config/v1", NULL, "none"},
        {"/api/config/v1/aaaaaaaaaaaaaaaaaaaaaaaaaaa/bbbbbbbbbbbbbbbbbbbbbbbbbb/cccccccccccccccccccccccccccc/"
         "1/2/3",
         NULL, "aaaaaaaaaaaaaaaaaaaaaaa/bbbbbbbbbbbbbbbbbbbbbbb"},
        {"/api/command", "action=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"},
    };
    char name[DISPATCH_NAME];

    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        struct dispatch_call c = {
            .method = "GET", .path = calls[i].path, .query = calls[i].query, .body = "", .peer = "x"};
        dispatch_name(&c, name);
        assert_string_equal(name, calls[i].name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_windows_hold_each_session_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_session_is_in_the_second_of_its_end, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lsid_forms, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_newest_tokens_are_good, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rate_windows, setup, teardown),
        cmocka_unit_test_setup_teardown(test_events_come_in_order_and_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_dropped_event_frees_the_queue, setup, teardown),
        cmocka_unit_test(test_xml_text),
        cmocka_unit_test(test_every_fault_on_every_body),
        cmocka_unit_test(test_names_of_calls),
    };

    json_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
