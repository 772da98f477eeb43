/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_etcd_cases.c - cases of the store on etcd (cluster_rig.h) in which one call meets another fault than
 * the next: sign-ins, and the end of an incarnation in the middle of a step.
 */
#include "cluster_rig.h"

#include "base/log.h"
#include "base/text.h"
#include "check.h"
#include "stores/etcd_txn.h"
#include "stores/store_rows.h"

#include <errno.h>
#include <string.h>

static struct cluster_node *const g1 = &cluster.nodes[0];

void cluster_adopted(struct cluster_node *n, const struct request_row *r, size_t nleases)
{
    (void)n, (void)r, (void)nleases;
}

static int setup(void **state)
{
    (void)state;
    cluster = (struct cluster_rig){.timers = NULL};
    cluster_begin();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    cluster.fault = NULL;
    cluster_end();
    return 0;
}

/* ---- sign-ins ---- */

static unsigned sign_ins, refused;

static bool signs_in(const char *path)
{
    bool is = strstr(path, "/auth/") != NULL;

    sign_ins += is;
    return is;
}

/* The first few calls with a token. */
static enum cluster_fault refuse_tokens(const char *path)
{
    return signs_in(path) || refused == 0 ? CLUSTER_GOOD : (refused--, CLUSTER_401);
}

TEST(a_token_that_is_refused_after_its_sign_in_ends_no_opening)
{
    cluster.fault = refuse_tokens;
    cluster_watch(true);
    refused = 5;
    uint64_t from = cluster.fc.now;

    assert_true(cluster_open(g1));
    assert_int_equal(refused, 0);
    assert_in_range(cluster.fc.now - from, 2000, 20000); /* with pauses */
}

/* A member of a user who has no permission, or whose password is wrong, answers the same for good. */
static enum cluster_fault forbid(const char *path)
{
    return signs_in(path) ? CLUSTER_GOOD : CLUSTER_403;
}

TEST(a_permission_that_is_lacking_ends_the_opening)
{
    cluster.is_lenient = true;
    cluster.fault = forbid;
    cluster_watch(true);
    assert_false(cluster_open(g1));
    assert_non_null(strstr(g1->why, "user"));
    assert_non_null(strstr(g1->why, "HTTP 403"));
}

static enum cluster_fault planned;

static enum cluster_fault once(const char *path)
{
    enum cluster_fault fault = signs_in(path) ? CLUSTER_GOOD : planned;

    planned = fault == planned ? CLUSTER_GOOD : planned;
    return fault;
}

static enum cluster_fault reset_always(const char *path)
{
    return signs_in(path) ? CLUSTER_GOOD : CLUSTER_BEFORE;
}

/* Some versions of etcd close the connection of an old token; one of a restored backup does not answer. */
TEST(no_answer_in_time_or_a_closed_connection_has_the_client_sign_in_once)
{
    static const struct {
        enum cluster_fault fault;
        unsigned sign_ins;
    } rows[] = {{CLUSTER_REFUSED, 0},
                {CLUSTER_WRONG, 0},
                {CLUSTER_503, 0},
                {CLUSTER_TIMEOUT, 1},
                {CLUSTER_BEFORE, 1}};

    assert_true(cluster_open(g1));
    cluster.fault = once;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        sign_ins = 0;
        planned = rows[i].fault;
        cluster_watch(true);
        cluster_advance(CLUSTER_TTL_MS / 2);
        assert_int_equal(planned, CLUSTER_GOOD);
        assert_int_equal(sign_ins, rows[i].sign_ins);
    }
    cluster.fault = reset_always;
    sign_ins = cluster.calls = 0;
    while (cluster.calls < 3) /* the call, its sign-in, and the call; then the next member */
        cluster_step();
    cluster_step();
    assert_int_equal(sign_ins, 1);
}

#define AT_ONCE 6

static unsigned answered;

static void on_asked(struct store_question *q, enum store_answer answer)
{
    (void)q;
    answered += answer == STORE_OPEN;
}

/* Questions on their way at once, with a token that etcd does not know any more. */
static void ask_many(struct store_question asked[AT_ONCE])
{
    assert_true(cluster_open(g1));
    answered = 0;
    cluster.fault = refuse_tokens;
    cluster_watch(true);
    sign_ins = 0;
    refused = AT_ONCE;
    for (int i = 0; i < AT_ONCE; i++) {
        asked[i] = (struct store_question){.kind = QUESTION_MARK, /* each has a call of its own */
                                           .mark = "41",
                                           .done = on_asked,
                                           .until_ms = cluster.fc.now + 3000};
        assert_int_equal(g1->store->ops->ask(g1->store, &asked[i]), 0);
    }
    for (int i = 0; i < AT_ONCE; i++) /* each is refused before the sign-in is answered */
        cluster_step();
    assert_int_equal(refused, 0);
}

/* A sign-in costs etcd 100 ms: with one for each call, many calls would be too late once more, and so on. */
TEST(calls_whose_token_is_refused_wait_for_one_sign_in)
{
    struct store_question asked[AT_ONCE];

    ask_many(asked);
    while (answered < AT_ONCE)
        cluster_step();
    assert_int_equal(sign_ins, 1);
}

TEST(a_store_closes_while_calls_wait_for_the_sign_in)
{
    struct store_question asked[AT_ONCE];

    ask_many(asked);
    assert_int_equal(sign_ins, 0);
    cluster_watch(false);
    cluster_close(g1);
    assert_true(g1->closed);
}

/* ---- the end of an incarnation ---- */

struct given {
    struct store_step step; /* first */
    bool done;
    enum store_outcome outcome;
};

static void on_done(struct store_step *step, enum store_outcome outcome)
{
    struct given *g = (struct given *)step;

    assert_false(g->done);
    g->done = true;
    g->outcome = outcome;
}

static struct given step_of(enum store_step_kind kind, enum request_state state, const char *lease)
{
    const struct holder holder = {"mrivera", "ACME", "s", "s", "root@web01", "web01", "root", 1000};

    return (struct given){.step = {.kind = kind,
                                   .request = {.mark = "a",
                                               .owner = "",
                                               .state = state,
                                               .vault = "safe",
                                               .url = "https://vault.example.test",
                                               .user = "ACME\\mrivera",
                                               .name = state == REQUEST_ASKED ? "" : "41",
                                               .last_error = "",
                                               .asker = holder},
                                   .lease = {.request = "a", .id = lease, .holder = holder, .ended_site = ""},
                                   .instead = "",
                                   .done = on_done}};
}

static void give(struct given *g)
{
    struct store_steps list = STAILQ_HEAD_INITIALIZER(list);

    STAILQ_INSERT_TAIL(&list, &g->step, link);
    assert_int_equal(g1->store->ops->steps(g1->store, &list), 0);
}

static void apply(struct given g)
{
    give(&g);
    cluster_wait(&g.done, store_step_rules[g.step.kind].name);
    assert_int_equal(g.outcome, STORE_APPLIED);
}

/* ---- questions ---- */

struct question_on_way {
    struct store_question q; /* first */
    bool done, has_request;
    enum store_answer answer;
    unsigned found;
};

static void on_found(struct store_question *q, enum store_answer answer)
{
    struct question_on_way *w = (struct question_on_way *)q;
    const struct store_found *f;

    assert_false(w->done);
    w->done = true;
    w->answer = answer;
    STAILQ_FOREACH(f, &q->found, link)
    {
        w->found++;
        w->has_request = w->has_request || f->request;
    }
}

static void ask(struct question_on_way *w, struct store_question q)
{
    *w = (struct question_on_way){.q = q};
    w->q.until_ms = cluster.fc.now + 3000;
    w->q.done = on_found;
    assert_int_equal(g1->store->ops->ask(g1->store, &w->q), 0);
}

static void open_one(void)
{
    assert_true(cluster_open(g1));
    apply(step_of(STEP_ASK, REQUEST_ASKED, ""));
    apply(step_of(STEP_OPEN, REQUEST_HELD, "a"));
    cluster_watch(true);
    cluster.calls = 0;
}

static const struct store_question about_request = {
    .kind = QUESTION_REQUEST, .vault = "safe", .user = "ACME\\mrivera"};

/* Every other one about a request that is not there. */
static void ask_about(struct question_on_way asked[AT_ONCE])
{
    for (int i = 0; i < AT_ONCE; i++) {
        struct store_question q = about_request;

        q.name = i % 2 ? "42" : "41";
        ask(&asked[i], q);
    }
}

static void check_answers(const struct question_on_way asked[AT_ONCE], unsigned forgotten)
{
    for (int i = 0; i < AT_ONCE; i++) {
        bool is_forgotten = forgotten & 1u << i;

        case_label("question %d", i);
        assert_int_equal(asked[i].done, !is_forgotten);
        if (is_forgotten)
            continue;
        assert_int_equal(asked[i].answer, STORE_OPEN);
        assert_int_equal(asked[i].found, !(i % 2));
        assert_int_equal(asked[i].has_request, !(i % 2));
    }
}

TEST(questions_at_once_share_their_calls)
{
    struct question_on_way asked[AT_ONCE];

    open_one();
    ask_about(asked);
    cluster_wait(&asked[AT_ONCE - 1].done, "the questions");
    check_answers(asked, 0);
    assert_int_equal(cluster.calls, 2); /* the first one alone, the others when it has its answer */
}

/* Of those whose call is under way, and of those that gather. */
TEST(a_question_that_is_forgotten_leaves_the_others_their_answers)
{
    struct question_on_way asked[AT_ONCE];

    for (unsigned forgotten = 1; forgotten < 1u << AT_ONCE; forgotten = forgotten * 2 + 1) {
        bool all = forgotten == (1u << AT_ONCE) - 1;

        if (forgotten == 1)
            open_one();
        ask_about(asked);
        for (int i = 0; i < AT_ONCE; i++)
            if (forgotten & 1u << i)
                g1->store->ops->forget(g1->store, &asked[i].q);
        if (!all)
            cluster_wait(&asked[AT_ONCE - 1].done, "the questions");
        check_answers(asked, forgotten);
    }
    ask_about(asked);
    cluster_step(); /* the first has its answer, the others are on their way */
    g1->store->ops->forget(g1->store, &asked[2].q);
    cluster_wait(&asked[AT_ONCE - 1].done, "the questions");
    check_answers(asked, 1u << 2);
}

/* The second of two calls, and with it five questions, at both members. */
static enum cluster_fault break_second(const char *path)
{
    (void)path;
    return cluster.calls == 2 || cluster.calls == 3 ? CLUSTER_EMPTY : CLUSTER_GOOD;
}

TEST(questions_whose_call_fails_are_asked_again)
{
    struct question_on_way asked[AT_ONCE];

    open_one();
    cluster.fault = break_second;
    ask_about(asked);
    for (int i = 0; i < AT_ONCE; i++)
        cluster_wait(&asked[i].done, "the questions");
    check_answers(asked, 0);
}

/* What is expected saves a call, and decides nothing. */
TEST(the_request_that_a_session_is_thought_to_hold_is_read_at_once)
{
    static const struct holder who = {.username = "mrivera", .domain = "ACME", .session = "s", .lsid = ""};
    static const char *const names[] = {"41", "42", NULL};

    open_one();
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct request_row row = {.mark = "a", .vault = "safe", .user = "ACME\\mrivera", .name = names[i]};
        struct question_on_way asked;

        case_label("expected %s", names[i] ? names[i] : "nothing");
        cluster.calls = 0;
        ask(&asked, (struct store_question){
                        .kind = QUESTION_SESSION, .who = who, .expected = names[i] ? &row : NULL});
        cluster_wait(&asked.done, "the session's leases");
        assert_int_equal(asked.answer, STORE_OPEN);
        assert_int_equal(asked.found, 1);
        assert_true(asked.has_request);
        assert_int_equal(cluster.calls, i == 0 ? 1 : 2);
    }
}

/* As another gateway would that counts this one as dead. */
static void declare_dead(const char *key)
{
    const struct etcd_op drop = {.kind = ETCD_DELETE, .key = key};
    struct buf body = BUF_INIT(1 << 12), answer = BUF_INIT(1 << 12);
    const struct etcd_writer w = {&body, CLUSTER_PREFIX};

    (void)buf_str(&body, "{\"success\":[");
    etcd_write_ops(&w, &drop, 1);
    (void)buf_str(&body, "]}");
    assert_int_equal(fake_etcd_call(cluster.keys, "/v3/kv/txn", buf_cstr(&body), &answer), 200);
    buf_free(&body);
    buf_free(&answer);
}

/* A step that waits for the leases of its request is that incarnation's, and ends with it. */
TEST(a_close_under_way_ends_with_its_incarnation)
{
    struct given close = step_of(STEP_CLOSE, REQUEST_RETURNING, ""),
                 next = step_of(STEP_EDIT, REQUEST_HELD, "");

    assert_true(cluster_open(g1));
    apply(step_of(STEP_ASK, REQUEST_ASKED, ""));
    apply(step_of(STEP_OPEN, REQUEST_HELD, "a"));
    apply(step_of(STEP_END, REQUEST_RETURNING, ""));
    cluster_watch(true);
    give(&close);
    while (!cluster.calls)
        cluster_step(); /* its flight: leases hold the request, and are read now */
    assert_false(close.done);
    declare_dead("m/g1");
    give(&next);
    while (!g1->fenced)
        cluster_step();
    assert_true(cluster.calls < 5); /* the close has not come to its own transaction */
    assert_true(close.done);
    assert_int_equal(close.outcome, STORE_AWAY);
    assert_int_equal(close.step.err, -ESTALE);
    assert_true(next.done);
}

/* ---- an lsid that becomes known while its lease ends ---- */

#define LSID "0123456789abcdef0123456789abcdef"

static struct given step_without_lsid(enum store_step_kind kind, enum request_state state)
{
    struct given g = step_of(kind, state, "a");

    g.step.lease.holder.lsid = g.step.request.asker.lsid = "";
    return g;
}

static void open_without_lsid(void)
{
    struct given ask = step_without_lsid(STEP_ASK, REQUEST_ASKED);

    ask.step.lease.id = "";
    assert_true(cluster_open(g1));
    apply(ask);
    apply(step_without_lsid(STEP_OPEN, REQUEST_HELD));
}

static struct given step_with_lsid(void)
{
    struct given g = step_of(STEP_AMEND, REQUEST_HELD, "a");

    g.step.lease.holder.lsid = LSID;
    return g;
}

static void check_no_lease(void)
{
    assert_int_equal(cluster_keys(CLUSTER_PREFIX "s/"), 0);
    assert_int_equal(cluster_keys(CLUSTER_PREFIX "h/"), 0);
    assert_int_equal(cluster_keys(CLUSTER_PREFIX "e/"), 0);
}

struct first_key {
    char name[256], value[1024];
};

static void keep_key(void *arg, const char *key, const char *value)
{
    struct first_key *first = arg;

    assert_true(text_copy(first->name, sizeof first->name, key));
    assert_true(text_copy(first->value, sizeof first->value, value));
}

static unsigned faulty_call;

static enum cluster_fault lose_one(const char *path)
{
    (void)path;
    return cluster.calls == faulty_call ? planned : CLUSTER_GOOD;
}

/* The step knows its lease as it was before: with each answer, one call of which is lost. */
TEST(an_lsid_that_is_given_before_its_lease_ends_leaves_no_key)
{
    static const struct {
        enum store_step_kind kind;
        enum request_state state;
    } rows[] = {{STEP_LEAVE, REQUEST_HELD},      {STEP_RELEASE, REQUEST_RETURNING},
                {STEP_RELEASE, REQUEST_PENDING}, {STEP_RETURN, REQUEST_RETURNING},
                {STEP_PEND, REQUEST_PENDING},    {STEP_CLEAR, REQUEST_RETURNING},
                {STEP_CLOSE, REQUEST_RETURNING}};
    static const enum cluster_fault faults[] = {CLUSTER_GOOD, CLUSTER_BEFORE, CLUSTER_AFTER, CLUSTER_CUT};

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (size_t k = 0; k < sizeof faults / sizeof *faults; k++)
            for (faulty_call = 1; faulty_call < 5; faulty_call++) {
                case_label("%s with fault %zu at call %u", store_step_rules[rows[i].kind].name, k,
                           faulty_call);
                cluster_end();
                cluster_begin();
                open_without_lsid();
                apply(step_with_lsid());
                assert_int_equal(cluster_keys(CLUSTER_PREFIX "e/" LSID "/"), 1);
                if (rows[i].kind == STEP_CLEAR)
                    apply(step_of(STEP_END, REQUEST_RETURNING, ""));
                planned = faults[k];
                cluster.fault = lose_one;
                cluster.calls = 0;
                cluster_watch(true);
                apply(step_without_lsid(rows[i].kind, rows[i].state));
                cluster_watch(false);
                cluster.fault = NULL;
                check_no_lease();
            }
}

/* A cursor's step has no texts of a request or lease. */
TEST(the_lost_answer_to_a_cursor_is_looked_for)
{
    for (faulty_call = 1; faulty_call < 5; faulty_call++) {
        cluster_end();
        cluster_begin();
        assert_true(cluster_open(g1));
        planned = CLUSTER_AFTER;
        cluster.fault = lose_one;
        cluster.calls = 0;
        cluster_watch(true);
        apply((struct given){.step = {.kind = STEP_CURSOR, .cursor = {"pra one", 7}, .done = on_done}});
        cluster_watch(false);
        cluster.fault = NULL;
        assert_int_equal(cluster_keys(CLUSTER_PREFIX "p/g1/"), 1);
    }
}

/* CLOSE of a request that a lease holds still: the lsid comes after so many calls. */
TEST(an_lsid_that_is_given_while_its_request_closes_leaves_no_key)
{
    for (unsigned at = 1; at < 6; at++) {
        struct given close = step_of(STEP_CLOSE, REQUEST_RETURNING, "");
        struct buf lease = BUF_INIT(1 << 12);
        struct first_key key = {"", ""};

        case_label("after %u calls", at);
        cluster_end();
        cluster_begin();
        open_without_lsid();
        apply(step_of(STEP_END, REQUEST_RETURNING, ""));
        fake_etcd_each(cluster.keys, CLUSTER_PREFIX "s/", keep_key, &key);
        cluster_watch(true);
        cluster.calls = 0;
        give(&close);
        while (cluster.calls < at && !close.done)
            cluster_step();
        if (fake_etcd_get(cluster.keys, key.name)) {
            (void)buf_printf(&lease, "O{\"i\":\"a\",\"k\":\"%s\",%s", LSID,
                             key.value + strlen("O{\"i\":\"a\","));
            fake_etcd_put(cluster.keys, key.name, buf_cstr(&lease));
            fake_etcd_put(cluster.keys, CLUSTER_PREFIX "e/" LSID "/a",
                          key.name + strlen(CLUSTER_PREFIX "s/"));
        }
        cluster_wait(&close.done, "the close");
        assert_int_equal(close.outcome, STORE_APPLIED);
        cluster_watch(false);
        buf_free(&lease);
        check_no_lease();
    }
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_token_that_is_refused_after_its_sign_in_ends_no_opening),
        T(a_permission_that_is_lacking_ends_the_opening),
        T(no_answer_in_time_or_a_closed_connection_has_the_client_sign_in_once),
        T(calls_whose_token_is_refused_wait_for_one_sign_in),
        T(a_store_closes_while_calls_wait_for_the_sign_in),
        T(questions_at_once_share_their_calls),
        T(a_question_that_is_forgotten_leaves_the_others_their_answers),
        T(questions_whose_call_fails_are_asked_again),
        T(the_request_that_a_session_is_thought_to_hold_is_read_at_once),
        T(a_close_under_way_ends_with_its_incarnation),
        T(an_lsid_that_is_given_before_its_lease_ends_leaves_no_key),
        T(the_lost_answer_to_a_cursor_is_looked_for),
        T(an_lsid_that_is_given_while_its_request_closes_leaves_no_key),
    };

    (void)log_open(&(struct log_opts){.level = LOG_ERROR, .file = "/dev/null"});
    return cmocka_run_group_tests(tests, NULL, NULL);
}
