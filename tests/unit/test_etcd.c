/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_etcd.c - the store on a real etcd of one member: the contract of a store, the same with faults on the
 * way to etcd, joining and fencing.
 */
#include "etcd_rig.h"
#include "store_contract.h"
#include "strange_rows.h"

#include "check.h"
#include "loop/upstream/upstream.h"
#include "stores/etcd.h"
#include "stores/etcd_scan.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PREFIX "/t/"

static struct etcd_rig etcd; /* one for all tests */
static bool is_there;

struct etcd_case {
    struct store_under_test under_test; /* first */
    struct loop *loop;
    struct etcd_client *reader; /* reads past the store, and past the proxy */
    bool opened, closed, scanned;
    uint64_t ttl_ms;  /* 0 = the usual one */
    unsigned adopted; /* requests that the store has given */
    char why[ETCD_STORE_WHY];
    int scan_err;
    const char *user;
    unsigned seed; /* of faults */
    bool old_token;
    unsigned faults[FAULT_NFAULTS];
    struct strange_rows strange;
};

/* ---- a store and its rows ---- */

static void turn(struct etcd_case *c)
{
    (void)uv_run(loop_uv(c->loop), UV_RUN_ONCE);
}

static void go_on(struct store_under_test *t)
{
    turn((struct etcd_case *)t);
}

static void on_opened(void *arg, const char *why)
{
    struct etcd_case *c = arg;

    assert_false(c->opened);
    c->opened = true;
    (void)snprintf(c->why, sizeof c->why, "%s", why);
}

static void on_closed(void *arg)
{
    ((struct etcd_case *)arg)->closed = true;
}

static void close_store(struct etcd_case *c)
{
    c->closed = false;
    c->under_test.store->ops->close(c->under_test.store, on_closed, c);
    while (!c->closed)
        turn(c);
    c->under_test.store = NULL;
}

/* Until it has joined, or says why it cannot. */
static void open_store(struct etcd_case *c, const char *const *urls, size_t n, const char *node,
                       const char *instance)
{
    char word[] = "secret";
    const struct secret password = {.p = word, .len = strlen(word)};
    const struct etcd_store_opts opts = {
        .client = {.endpoints = urls, .nendpoints = n, .user = c->user, .password = &password},
        .ttl_ms = c->ttl_ms,
        .prefix = PREFIX,
        .node = node,
        .instance = instance};
    char why[ETCD_STORE_WHY];

    c->opened = false;
    c->under_test.store = etcd_store_open(c->loop, &opts, on_opened, c, why);
    assert_non_null(c->under_test.store);
    while (!c->opened)
        turn(c);
}

struct scan_case {
    struct etcd_scan scan; /* first */
    struct etcd_case *c;
};

static void on_scan(struct etcd_scan *scan, int err)
{
    struct etcd_case *c = ((struct scan_case *)scan)->c;

    c->scan_err = err;
    c->scanned = true;
}

static int scan_rows(struct store_under_test *t, const struct store_reader *reader, void *arg)
{
    struct scan_case s = {
        .scan = {.prefix = PREFIX, .node = "g1", .reader = *reader, .arg = arg, .done = on_scan},
        .c = (struct etcd_case *)t};

    s.c->scanned = false;
    assert_int_equal(etcd_scan(s.c->reader, &s.scan), 0);
    while (!s.c->scanned)
        turn(s.c);
    return s.c->scan_err;
}

static void empty(struct store_under_test *t)
{
    (void)t;
    etcd_rig_delete(&etcd, PREFIX "d", PREFIX "m");
    etcd_rig_delete(&etcd, PREFIX "p", PREFIX "z");
}

/* ---- rows of a newer version ---- */

static char *ask_rig(void *arg, const char *path, const char *body)
{
    char *answer = etcd_rig_ask(arg, path, body);
    const char *head = answer ? strstr(answer, "\r\n\r\n") : NULL;

    assert_non_null(head);
    return memmove(answer, head + 4, strlen(head + 4) + 1);
}

static void go_on_with(void *arg)
{
    turn(arg);
}

static void make_strange(struct store_under_test *t)
{
    struct etcd_case *c = (struct etcd_case *)t;

    strange_rows_make(&c->strange);
    strange_rows_read(t->store, go_on_with, c);
}

static void check_strange(struct store_under_test *t)
{
    (void)strange_rows_check(&((struct etcd_case *)t)->strange);
}

/* ---- the case ---- */

static void begin(struct etcd_case *c)
{
    const char *const urls[] = {etcd.url};
    const struct etcd_client_opts opts = {.endpoints = urls, .nendpoints = 1, .timeout_ms = SECONDS(5)};
    char why[256];

    *c = (struct etcd_case){.under_test = {.is_shared = true,
                                           .load = scan_rows,
                                           .go_on = go_on,
                                           .empty = empty,
                                           .make_strange = make_strange,
                                           .check_strange = check_strange},
                            .strange = {.prefix = PREFIX, .ask = ask_rig, .arg = &etcd},
                            .loop = loop_new()};
    assert_non_null(c->loop);
    c->reader = etcd_client_new(c->loop, &opts, why);
    assert_non_null(c->reader);
    etcd_rig_delete(&etcd, PREFIX, PREFIX "z");
}

static void end(struct etcd_case *c)
{
    if (c->under_test.store)
        close_store(c);
    c->closed = false;
    etcd_client_close(c->reader, on_closed, c);
    while (!c->closed)
        turn(c);
    assert_int_equal(timers_count(loop_timers(c->loop)), 0);
    assert_int_equal(loop_free(c->loop), 0);
}

static void open_alone(struct etcd_case *c)
{
    const char *const urls[] = {etcd.url};

    open_store(c, urls, 1, "g1", "one");
    assert_string_equal(c->why, "");
}

#define NEEDS_ETCD                                                                                           \
    do {                                                                                                     \
        if (!is_there)                                                                                       \
            skip();                                                                                          \
    } while (0)

/* ---- the contract ---- */

TEST(each_step_in_each_state)
{
    struct etcd_case c;

    NEEDS_ETCD;
    begin(&c);
    open_alone(&c);
    store_contract_steps(&c.under_test);
    store_contract_repeats(&c.under_test);
    store_contract_finishes(&c.under_test);
    end(&c);
}

TEST(each_step_keeps_the_members_of_a_newer_version)
{
    struct etcd_case c;

    NEEDS_ETCD;
    begin(&c);
    open_alone(&c);
    store_contract_strange(&c.under_test);
    end(&c);
}

TEST(random_steps)
{
    struct etcd_case c;

    NEEDS_ETCD;
    begin(&c);
    open_alone(&c);
    for (unsigned seed = 1; seed < 6; seed++)
        store_contract_order(&c.under_test, seed);
    end(&c);
}

/* ---- faults ---- */

/* Every third request of a flight meets one; a token that was fetched for it is good. */
static enum etcd_fault some_fault(void *arg, const char *path)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* the proxies have threads of their own */
    struct etcd_case *c = arg;
    enum etcd_fault fault = FAULT_NONE;

    if (strcmp(path, "/v3/auth/authenticate") == 0)
        return SIGNED_IN;
    (void)pthread_mutex_lock(&lock);
    if (strcmp(path, "/v3/kv/txn") == 0 && rand_r(&c->seed) % 3 == 0)
        fault = (enum etcd_fault)(rand_r(&c->seed) % FAULT_NFAULTS);
    if (fault == FAULT_401 && c->old_token)
        fault = FAULT_NONE;
    c->old_token = fault == FAULT_401;
    c->faults[fault]++;
    (void)pthread_mutex_unlock(&lock);
    return fault;
}

/* Two members, which are one: each answer may be lost before or after, late, cut, twice. No outcome differs.
 */
TEST(no_lost_answer_changes_an_outcome)
{
    struct etcd_proxy *proxies[2];
    char urls[2][64];
    const char *const endpoints[] = {urls[0], urls[1]};
    struct etcd_case c;

    NEEDS_ETCD;
    for (unsigned seed = 1; seed < 3; seed++) {
        begin(&c);
        c.seed = seed;
        c.user = "jumpgate";
        for (int i = 0; i < 2; i++)
            proxies[i] = etcd_proxy_start(&etcd, some_fault, &c, urls[i]);
        open_store(&c, endpoints, 2, "g1", "one");
        assert_string_equal(c.why, "");
        c.under_test.is_unsure = true;
        store_contract_order(&c.under_test, seed);
        store_contract_finishes(&c.under_test);
        end(&c);
        for (int i = 0; i < 2; i++)
            etcd_proxy_end(proxies[i]);
        for (int fault = 0; fault < FAULT_NFAULTS; fault++)
            assert_true(c.faults[fault] > 0);
    }
}

/* ---- one store after the other, beside the other ---- */

struct given_step {
    struct store_step step; /* first */
    bool done;
    enum store_outcome outcome;
    int found;     /* state of the request that was shown; -1 = none */
    char mark[16]; /* its mark */
};

static void on_given(struct store_step *step, enum store_outcome outcome)
{
    struct given_step *g = (struct given_step *)step;

    assert_false(g->done);
    g->done = true;
    g->outcome = outcome;
    g->found = step->now ? (int)step->now->state : -1;
    (void)snprintf(g->mark, sizeof g->mark, "%s", step->now ? step->now->mark : "");
}

static struct given_step ask_for(const char *mark)
{
    const struct holder holder = {"mrivera", "ACME", mark, "lsid", mark, "web01", "root", 1000};

    return (struct given_step){.step = {.kind = STEP_ASK,
                                        .request = {.mark = mark,
                                                    .vault = "safe",
                                                    .url = "https://vault.example.test",
                                                    .user = "ACME\\mrivera",
                                                    .name = "",
                                                    .last_error = "",
                                                    .asker = holder},
                                        .lease = {.id = ""},
                                        .instead = "",
                                        .done = on_given}};
}

/* A step on the request "41" that the vault has made for this mark, and on the lease of that id. */
static struct given_step step_on_41(enum store_step_kind kind, enum request_state state, const char *mark)
{
    struct given_step g = ask_for(mark);

    g.step.kind = kind;
    g.step.request.state = state;
    g.step.request.name = "41";
    g.step.lease =
        (struct lease_row){.request = mark, .id = mark, .holder = g.step.request.asker, .ended_site = ""};
    return g;
}

static void give(const struct etcd_case *c, struct given_step *g)
{
    struct store_steps list = STAILQ_HEAD_INITIALIZER(list);

    STAILQ_INSERT_TAIL(&list, &g->step, link);
    assert_int_equal(c->under_test.store->ops->steps(c->under_test.store, &list), 0);
    assert_false(g->done);
}

static enum store_outcome give_and_wait(struct etcd_case *c, const char *mark)
{
    struct given_step g = ask_for(mark);

    give(c, &g);
    while (!g.done)
        turn(c);
    return g.outcome;
}

static bool is_writable(const struct etcd_case *c)
{
    struct store_state state;

    c->under_test.store->ops->state(c->under_test.store, &state);
    assert_int_equal(state.why[0] == '\0', state.writable);
    return state.writable;
}

static int count_request(void *arg, const struct request_row *r)
{
    assert_string_equal(r->url, "https://vault.example.test");
    ++*(int *)arg;
    return 0;
}

static void on_adopt(void *arg, const char *from, const struct request_row *r,
                     const struct lease_row *const *leases, size_t n)
{
    struct etcd_case *c = arg;

    assert_int_equal(strncmp(from, "g1@", 3), 0);

    (void)leases;
    assert_true(r->mine);
    assert_int_equal(n, 0);
    assert_int_equal(count_request(&c->adopted, r), 0);
}

/* Until so many rows of before were given, and the dead incarnation has gone. */
static void adopt(struct etcd_case *c, unsigned n)
{
    static const struct store_news news = {.adopt = on_adopt};
    struct store_state state;

    c->adopted = 0;
    c->under_test.store->ops->listen(c->under_test.store, &news, c);
    do {
        turn(c);
        c->under_test.store->ops->state(c->under_test.store, &state);
    } while (c->adopted < n || state.cluster->adoptions == 0);
    assert_int_equal(c->adopted, n);
    assert_int_equal(state.cluster->adopted, n);
}

TEST(a_restart_finds_its_rows_and_its_tag)
{
    struct etcd_case c;
    char tag[ID_TAG_SIZE];

    NEEDS_ETCD;
    begin(&c);
    open_alone(&c);
    (void)snprintf(tag, sizeof tag, "%s", c.under_test.store->ops->tag(c.under_test.store));
    assert_int_equal(strlen(tag), ID_TAG_SIZE - 1);
    assert_int_equal(give_and_wait(&c, "a"), STORE_APPLIED);
    assert_int_equal(give_and_wait(&c, "b"), STORE_APPLIED);
    close_store(&c);
    open_alone(&c);
    adopt(&c, 2);
    assert_string_equal(c.under_test.store->ops->tag(c.under_test.store), tag);
    close_store(&c);
    open_alone(&c);
    adopt(&c, 2); /* they are its own of before, once more */
    end(&c);
}

TEST(more_rows_than_a_page)
{
    static struct given_step steps[1203];
    static char marks[1203][16];
    struct etcd_case c;
    struct store_state now;

    NEEDS_ETCD;
    begin(&c);
    open_alone(&c);
    for (size_t i = 0; i < 1203; i++) {
        (void)snprintf(marks[i], sizeof marks[i], "mark-%zu", i);
        steps[i] = ask_for(marks[i]);
        give(&c, &steps[i]);
    }
    while (!steps[1202].done)
        turn(&c);
    for (size_t i = 0; i < 1203; i++)
        assert_int_equal(steps[i].outcome, STORE_APPLIED);
    c.under_test.store->ops->state(c.under_test.store, &now);
    assert_int_equal(now.steps, 1203);
    assert_in_range(now.commits, 14, 18); /* ninety to a flight, and beats */
    close_store(&c);
    open_alone(&c);
    adopt(&c, 1203);
    end(&c);
}

/* Two check-outs are handed one request. Its first lease ends while the second one comes: two steps without a
 * key that both write, and etcd compares before it writes. */
TEST(a_request_that_is_given_back_takes_no_holder)
{
    struct given_step opens = step_on_41(STEP_OPEN, REQUEST_HELD, "a");
    struct given_step returns = step_on_41(STEP_RETURN, REQUEST_RETURNING, "a");
    struct given_step joins = step_on_41(STEP_OPEN, REQUEST_HELD, "b");
    struct store_state before, after;
    struct etcd_case c;

    NEEDS_ETCD;
    begin(&c);
    open_alone(&c);
    assert_int_equal(give_and_wait(&c, "a"), STORE_APPLIED);
    assert_int_equal(give_and_wait(&c, "b"), STORE_APPLIED);
    give(&c, &opens);
    while (!opens.done)
        turn(&c);
    assert_int_equal(opens.outcome, STORE_APPLIED);
    c.under_test.store->ops->state(c.under_test.store, &before);
    give(&c, &returns);
    give(&c, &joins);
    while (!joins.done)
        turn(&c);
    c.under_test.store->ops->state(c.under_test.store, &after);
    assert_in_range(after.commits - before.commits, 2, 10); /* beats may come between */
    assert_int_equal(returns.outcome, STORE_APPLIED);
    assert_int_equal(joins.outcome, STORE_OTHERWISE);
    assert_int_equal(joins.found, REQUEST_RETURNING);
    end(&c);
}

static void give_this(struct etcd_case *c, struct given_step *g, enum store_outcome expected)
{
    give(c, g);
    while (!g->done)
        turn(c);
    assert_int_equal(g->outcome, expected);
}

static int count_request_of_a(void *arg, const struct request_row *r)
{
    assert_string_equal(r->mark, r->state == REQUEST_HELD ? "a" : "c");
    ++*(int *)arg;
    return 0;
}

static int count_lease_of_a(void *arg, const struct lease_row *l)
{
    assert_string_equal(l->request, "a");
    *(int *)arg += 10;
    return 0;
}

static enum etcd_fault lose_one(void *arg, const char *path)
{
    atomic_bool *lose = arg;

    return strcmp(path, "/v3/kv/txn") == 0 && atomic_exchange(lose, false) ? FAULT_AFTER : FAULT_NONE;
}

/* Both ask the vault, and both are handed the request that the first one has made. */
static void hold_one_request(bool answer_lost)
{
    static const struct store_reader reader = {.request = count_request_of_a, .lease = count_lease_of_a};
    struct given_step opens = step_on_41(STEP_OPEN, REQUEST_HELD, "a");
    struct given_step joins = step_on_41(STEP_OPEN, REQUEST_HELD, "b");
    struct given_step early = step_on_41(STEP_RETURN, REQUEST_RETURNING, "a");
    struct given_step leaves = step_on_41(STEP_LEAVE, REQUEST_HELD, "a");
    struct given_step last = step_on_41(STEP_RETURN, REQUEST_RETURNING, "b");
    struct given_step late = step_on_41(STEP_OPEN, REQUEST_HELD, "c");
    char url[64];
    const char *const urls[] = {url};
    struct etcd_case one, two;
    struct etcd_proxy *proxy;
    atomic_bool lose = false;
    int n = 0;

    begin(&one);
    proxy = etcd_proxy_start(&etcd, lose_one, &lose, url);
    two = one;
    open_alone(&one);
    open_store(&two, urls, 1, "g2", "two");
    assert_string_equal(two.why, "");
    assert_int_equal(give_and_wait(&one, "a"), STORE_APPLIED);
    assert_int_equal(give_and_wait(&two, "b"), STORE_APPLIED);
    assert_int_equal(give_and_wait(&two, "c"), STORE_APPLIED);
    give_this(&one, &opens, STORE_APPLIED);
    assert_string_equal(opens.mark, "");
    lose = answer_lost;
    give_this(&two, &joins, STORE_APPLIED);
    assert_false(lose);
    assert_string_equal(joins.mark, "a");
    assert_int_equal(scan_rows(&one.under_test, &reader, &n), 0);
    assert_int_equal(n, 22); /* the request of a, the intent of c, and two leases */
    give_this(&one, &early, STORE_OTHERWISE);
    assert_int_equal(early.found, REQUEST_HELD);
    give_this(&one, &leaves, STORE_APPLIED);
    last.step.request.mark = "a";
    give_this(&two, &last, STORE_APPLIED);
    give_this(&two, &late, STORE_OTHERWISE);
    assert_int_equal(late.found, REQUEST_RETURNING);
    close_store(&two);
    end(&one);
    etcd_proxy_end(proxy);
}

TEST(two_gateways_hold_one_request)
{
    NEEDS_ETCD;
    hold_one_request(false);
    hold_one_request(true);
}

TEST(a_hundred_check_outs_in_one_flight)
{
    static struct given_step asks[100], opens[100];
    static char marks[100][16];
    struct store_state before, after;
    struct etcd_case c;

    NEEDS_ETCD;
    begin(&c);
    open_alone(&c);
    for (size_t i = 0; i < 100; i++) {
        (void)snprintf(marks[i], sizeof marks[i], "mark-%zu", i);
        asks[i] = ask_for(marks[i]);
        opens[i] = step_on_41(STEP_OPEN, REQUEST_HELD, marks[i]);
        opens[i].step.request.name = marks[i];
        give(&c, &asks[i]);
    }
    while (!asks[99].done)
        turn(&c);
    c.under_test.store->ops->state(c.under_test.store, &before);
    for (size_t i = 0; i < 100; i++)
        give(&c, &opens[i]);
    while (!opens[99].done)
        turn(&c);
    c.under_test.store->ops->state(c.under_test.store, &after);
    for (size_t i = 0; i < 100; i++)
        assert_int_equal(opens[i].outcome, STORE_APPLIED);
    assert_in_range(after.commits - before.commits, 2, 10); /* ninety to a flight; beats may come between */
    end(&c);
}

static enum etcd_fault always_before(void *arg, const char *path)
{
    return *(atomic_bool *)arg && strcmp(path, "/v3/kv/txn") == 0 ? FAULT_BEFORE : FAULT_NONE;
}

/* Its own restart takes a gateway's place: what is left of the old one changes nothing any more. The old one
 * hears nothing of etcd while the young one joins: it would join again. */
TEST(an_old_incarnation_is_fenced)
{
    struct given_step g = ask_for("b");
    struct etcd_case old, young;
    struct etcd_proxy *proxy;
    atomic_bool faulty = false;
    char url[64];
    const char *const urls[] = {url};

    NEEDS_ETCD;
    begin(&old);
    proxy = etcd_proxy_start(&etcd, always_before, &faulty, url);
    open_store(&old, urls, 1, "g1", "one");
    assert_string_equal(old.why, "");
    assert_int_equal(give_and_wait(&old, "a"), STORE_APPLIED);
    young = old;
    faulty = true;
    open_alone(&young);
    give(&old, &g);
    faulty = false;
    while (!g.done)
        turn(&old);
    assert_int_equal(g.outcome, STORE_AWAY);
    assert_false(is_writable(&old));
    close_store(&old);
    assert_int_equal(give_and_wait(&young, "b"), STORE_APPLIED);
    end(&young);
    etcd_proxy_end(proxy);
}

/* ---- etcd away ---- */

TEST(steps_wait_for_an_etcd_that_is_away)
{
    struct given_step late = ask_for("b"), waits = ask_for("c");
    struct etcd_case c;

    NEEDS_ETCD;
    begin(&c);
    open_alone(&c);
    assert_int_equal(give_and_wait(&c, "a"), STORE_APPLIED);
    etcd_rig_kill(&etcd);
    late.step.until_ms = clock_now(&clock_system) + 500;
    give(&c, &late);
    give(&c, &waits);
    while (!late.done)
        turn(&c);
    assert_int_equal(late.outcome, STORE_AWAY);
    assert_int_equal(late.step.err, -ETIMEDOUT);
    while (is_writable(&c))
        turn(&c);
    assert_false(waits.done);
    etcd_rig_restart(&etcd);
    while (!waits.done)
        turn(&c);
    assert_int_equal(waits.outcome, STORE_APPLIED);
    assert_true(is_writable(&c));
    assert_int_equal(give_and_wait(&c, "b"), STORE_APPLIED); /* it was never asked for */
    end(&c);
}

/* Its fate is not known, so it is sent again and again; a store that is closed does not wait for that. */
TEST(a_store_that_closes_waits_for_no_answer)
{
    struct given_step g = ask_for("a");
    struct etcd_proxy *proxy;
    struct etcd_case c;
    atomic_bool faulty = false;
    char url[64];
    const char *const urls[] = {url};

    NEEDS_ETCD;
    begin(&c);
    proxy = etcd_proxy_start(&etcd, always_before, &faulty, url);
    open_store(&c, urls, 1, "g1", "one");
    assert_string_equal(c.why, "");
    faulty = true;
    give(&c, &g);
    for (uint64_t until = clock_measure_us() + 700000; clock_measure_us() < until;)
        turn(&c);
    assert_false(g.done);
    close_store(&c);
    assert_true(g.done);
    assert_int_equal(g.outcome, STORE_AWAY);
    end(&c);
    etcd_proxy_end(proxy);
}

/* ---- sign-in ---- */

static void ask_member(const struct etcd_rig *rig, const char *path, const char *body)
{
    char *answer = etcd_rig_ask(rig, path, body);

    assert_non_null(answer);
    assert_non_null(strstr(answer, " 200 "));
    free(answer);
}

/* A token of before a restart is unknown after it: the store signs in again. */
TEST(a_user_signs_in_and_again_after_a_restart)
{
    struct etcd_rig guarded;
    const char *const urls[] = {guarded.url};
    struct etcd_case c;

    NEEDS_ETCD;
    begin(&c);
    assert_true(etcd_rig_start(&guarded));
    ask_member(&guarded, "/v3/auth/role/add", "{\"name\":\"root\"}");
    ask_member(&guarded, "/v3/auth/user/add", "{\"name\":\"root\",\"password\":\"secret\"}");
    ask_member(&guarded, "/v3/auth/user/grant", "{\"user\":\"root\",\"role\":\"root\"}");
    ask_member(&guarded, "/v3/auth/enable", "{}");
    c.user = "root";
    open_store(&c, urls, 1, "g1", "one");
    assert_string_equal(c.why, "");
    assert_int_equal(give_and_wait(&c, "a"), STORE_APPLIED);
    etcd_rig_kill(&guarded);
    etcd_rig_restart(&guarded);
    assert_int_equal(give_and_wait(&c, "b"), STORE_APPLIED);
    close_store(&c);
    c.user = "stranger";
    open_store(&c, urls, 1, "g1", "one");
    assert_non_null(strstr(c.why, "HTTP 400"));
    end(&c);
    etcd_rig_end(&guarded);
}

struct refusals {
    atomic_bool refuses;
    atomic_uint sign_ins;
    atomic_ullong ms[2]; /* of the first two that were refused */
};

static enum etcd_fault refuse(void *arg, const char *path)
{
    struct refusals *r = arg;
    bool is_sign_in = strcmp(path, "/v3/auth/authenticate") == 0;

    if (!r->refuses)
        return is_sign_in ? SIGNED_IN : FAULT_NONE;
    if (is_sign_in && r->sign_ins < 2)
        r->ms[r->sign_ins++] = clock_now(&clock_system);
    return FAULT_401;
}

/* The password was changed: each sign-in costs etcd time, with the wrong one too. */
TEST(a_sign_in_that_is_refused_is_not_repeated_at_once)
{
    struct refusals refusals = {.refuses = false};
    char url[64];
    const char *const urls[] = {url};
    struct etcd_case c;

    NEEDS_ETCD;
    begin(&c);
    struct etcd_proxy *proxy = etcd_proxy_start(&etcd, refuse, &refusals, url);

    c.user = "jumpgate";
    open_store(&c, urls, 1, "g1", "one");
    assert_string_equal(c.why, "");
    refusals.refuses = true;
    while (refusals.sign_ins < 2)
        turn(&c);
    assert_true(refusals.ms[1] - refusals.ms[0] >= 1900); /* two seconds */
    refusals.refuses = false;
    while (give_and_wait(&c, "a") != STORE_APPLIED)
        turn(&c);
    end(&c);
    etcd_proxy_end(proxy);
}

static int setup(void **state)
{
    (void)state;
    assert_int_equal(upstream_global_init(), 0);
    is_there = etcd_rig_start(&etcd);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    if (is_there)
        etcd_rig_end(&etcd);
    upstream_global_cleanup();
    return 0;
}

/* ---- members ---- */

struct one_call {
    struct etcd_call call; /* first */
    bool done;
    int err;
};

static void on_call(struct etcd_call *call)
{
    struct one_call *one = (struct one_call *)call;

    one->done = true;
    one->err = call->err;
}

/* The error of one call through these members. */
static int call_through(struct etcd_case *c, const char *const *urls, size_t n)
{
    const struct etcd_client_opts opts = {.endpoints = urls, .nendpoints = n, .timeout_ms = SECONDS(5)};
    struct one_call one = {.call = {.path = "/v3/kv/range", .body = BUF_INIT(64), .done = on_call}};
    char why[256];
    struct etcd_client *client = etcd_client_new(c->loop, &opts, why);

    assert_non_null(client);
    assert_int_equal(buf_str(&one.call.body, "{\"key\":\"eA==\"}"), 0);
    assert_int_equal(etcd_call(client, &one.call), 0);
    while (!one.done)
        turn(c);
    buf_free(&one.call.body);
    c->closed = false;
    etcd_client_close(client, on_closed, c);
    while (!c->closed)
        turn(c);
    return one.err;
}

/* Each member is tried once in a call, and only one that answers under another name has a wrong one. */
TEST(a_call_tries_each_member_once)
{
    const char *const urls[] = {"http://127.0.0.1:9", "http://127.0.0.1:9", etcd.url};
    struct etcd_case c;

    NEEDS_ETCD;
    begin(&c);
    assert_int_equal(call_through(&c, urls, 3), 0);
    assert_int_equal(call_through(&c, urls, 2), -ECONNREFUSED);
    assert_int_equal(call_through(&c, urls, 1), -ECONNREFUSED);
    end(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_tries_each_member_once),
        cmocka_unit_test(each_step_in_each_state),
        cmocka_unit_test(each_step_keeps_the_members_of_a_newer_version),
        cmocka_unit_test(random_steps),
        cmocka_unit_test(no_lost_answer_changes_an_outcome),
        cmocka_unit_test(a_restart_finds_its_rows_and_its_tag),
        cmocka_unit_test(more_rows_than_a_page),
        cmocka_unit_test(a_request_that_is_given_back_takes_no_holder),
        cmocka_unit_test(two_gateways_hold_one_request),
        cmocka_unit_test(a_hundred_check_outs_in_one_flight),
        cmocka_unit_test(an_old_incarnation_is_fenced),
        cmocka_unit_test(steps_wait_for_an_etcd_that_is_away),
        cmocka_unit_test(a_store_that_closes_waits_for_no_answer),
        cmocka_unit_test(a_user_signs_in_and_again_after_a_restart),
        cmocka_unit_test(a_sign_in_that_is_refused_is_not_repeated_at_once),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
