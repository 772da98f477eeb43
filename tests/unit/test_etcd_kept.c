/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_etcd_kept.c - members of a newer version stay when the store on etcd writes their row again: each step
 * on the fake etcd (the real one: test_etcd.c), each way in which a row is read, and what is remembered.
 */
#include "cluster_rig.h"
#include "strange_rows.h"

#include "base/log.h"
#include "check.h"
#include "stores/etcd_scan.h"
#include "stores/etcd_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define P CLUSTER_PREFIX

static struct cluster_node *const g1 = &cluster.nodes[0], *const g2 = &cluster.nodes[1];

/* ---- cutting out ---- */

TEST(members_are_cut_out_as_they_stand)
{
    static const struct {
        const char *json, *members;
    } cases[] = {
        {"{}", ""},
        {"{\"a\":1,\"b\":\"x\"}", ""},
        {"{\"a\":1,\"c\":2}", ",\"c\":2"},
        {"{\"c\":2,\"a\":1}", ",\"c\":2"},
        {"{\"c\":[1,{\"a\":\"]}\"},[]],\"a\":1,\"d\":{\"b\":[]}}",
         ",\"c\":[1,{\"a\":\"]}\"},[]],\"d\":{\"b\":[]}"},
        {"{\"c\":\"a\\\"},\\\\\",\"a\":1}", ",\"c\":\"a\\\"},\\\\\""},
        {"{ \"c\" : 12345678901234567890 , \"a\" : [ ] , \"d\" : -1e5 }",
         ",\"c\":12345678901234567890,\"d\":-1e5"},
        {"{\"ab\":true,\"\":null,\"a\\\"\":false}", ",\"ab\":true,\"\":null,\"a\\\"\":false"},
        {"{\"\\u0061\":1,\"\\u0063\":1,\"\\u0161\":1}", ",\"\\u0063\":1,\"\\u0161\":1"},
        {"{\"c\":\"\xc3\xa4\"}", ",\"c\":\"\xc3\xa4\""},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf out = BUF_INIT(1000);

        case_label("%s", cases[i].json);
        etcd_strange_members(&out, cases[i].json, strlen(cases[i].json), "ab");
        assert_string_equal(out.len ? buf_cstr(&out) : "", cases[i].members);
        buf_free(&out);
    }
}

/* A text that ends anywhere is not read beyond its end. */
TEST(a_text_that_is_cut_off_is_not_read_beyond_its_end)
{
    static const char whole[] = "{ \"a\" : 1 , \"c\\\\\" : [ { \"x\" : \"\\\"\" } , 2 ] , \"d\" : 7 }";

    for (size_t n = 0; n < sizeof whole; n++) {
        struct buf out = BUF_INIT(1000);
        char *part = malloc(n + 1);

        assert_non_null(part);
        memcpy(part, whole, n);
        etcd_strange_members(&out, part, n, "ab");
        free(part);
        buf_free(&out);
    }
}

/* ---- what is remembered ---- */

TEST(an_older_reading_changes_nothing)
{
    struct etcd_kept k;

    etcd_kept_init(&k);
    assert_string_equal(etcd_kept_members(NULL, KEPT_REQUEST, "a"), "");
    assert_int_equal(etcd_kept_note(NULL, KEPT_REQUEST, "a", 1, ",\"z\":1"), 0);
    assert_int_equal(etcd_kept_note(&k, KEPT_REQUEST, "a", 7, ",\"z\":7"), 0);
    assert_string_equal(etcd_kept_members(&k, KEPT_REQUEST, "a"), ",\"z\":7");
    assert_string_equal(etcd_kept_members(&k, KEPT_LEASE, "a"), "");
    assert_int_equal(etcd_kept_note(&k, KEPT_REQUEST, "a", 6, ",\"z\":6"), 0);
    assert_int_equal(etcd_kept_note(&k, KEPT_REQUEST, "a", 6, ""), 0);
    assert_string_equal(etcd_kept_members(&k, KEPT_REQUEST, "a"), ",\"z\":7");
    assert_int_equal(etcd_kept_note(&k, KEPT_REQUEST, "a", 8, ",\"z\":8"), 0);
    assert_int_equal(etcd_kept_note(&k, KEPT_REQUEST, "a", 9, ",\"z\":8"), 0); /* the same once more */
    assert_int_equal(etcd_kept_note(&k, KEPT_REQUEST, "a", 8, ""), 0);
    assert_string_equal(etcd_kept_members(&k, KEPT_REQUEST, "a"), ",\"z\":8");
    assert_int_equal(etcd_kept_note(&k, KEPT_REQUEST, "a", 10, ""), 0);
    assert_string_equal(etcd_kept_members(&k, KEPT_REQUEST, "a"), "");
    assert_int_equal(k.cache.n, 0);
    etcd_kept_clear(&k);
}

TEST(those_that_were_used_longest_ago_give_way)
{
    static char members[KEPT_VALUE];
    unsigned n = KEPT_WEIGHT / KEPT_VALUE;
    struct etcd_kept k;
    char id[16];

    memset(members, ' ', sizeof members - 1);
    memcpy(members, ",\"z\":1", sizeof ",\"z\":1" - 1);
    etcd_kept_init(&k);
    for (unsigned i = 0; i < 2 * n; i++) {
        (void)snprintf(id, sizeof id, "%u", i);
        assert_int_equal(etcd_kept_note(&k, KEPT_LEASE, id, 7, members), 0);
        assert_string_not_equal(etcd_kept_members(&k, KEPT_LEASE, "0"), "");
        assert_in_range(k.cache.weight, 1, KEPT_WEIGHT);
    }
    assert_string_equal(etcd_kept_members(&k, KEPT_LEASE, "1"), "");
    etcd_kept_clear(&k);
    assert_int_equal(k.cache.n, 0);
}

/* ---- a store ---- */

static char *ask_fake(void *arg, const char *path, const char *body)
{
    struct buf answer = BUF_INIT(1 << 20);

    (void)arg;
    assert_int_equal(fake_etcd_call(cluster.keys, path, body, &answer), 200);
    char *text = strdup(buf_cstr(&answer));

    buf_free(&answer);
    return text;
}

static struct strange_rows strange = {.prefix = P, .ask = ask_fake};

static size_t remembered(const struct cluster_node *n)
{
    return ((const struct etcd_store *)(const void *)n->store)->kept.cache.n;
}

static void go_on_with(void *arg)
{
    (void)arg;
    cluster_step();
}

static void go_on(struct store_under_test *t)
{
    (void)t;
    cluster_step();
}

struct scanned {
    struct etcd_scan scan; /* first */
    bool done;
    int err;
};

static void on_scanned(struct etcd_scan *scan, int err)
{
    struct scanned *s = (struct scanned *)scan;

    s->done = true;
    s->err = err;
}

static struct etcd_client *reader;

static int scan_rows(struct store_under_test *t, const struct store_reader *rows, void *arg)
{
    struct scanned s = {.scan = {.prefix = P, .node = "g1", .reader = *rows, .arg = arg, .done = on_scanned}};

    (void)t;
    assert_int_equal(etcd_scan(reader, &s.scan), 0);
    cluster_wait(&s.done, "a scan");
    return s.err;
}

static void drop_key(void *arg, const char *key, const char *value)
{
    (void)arg, (void)value;
    if (key[sizeof P - 1] != 'm' && key[sizeof P - 1] != 'c')
        fake_etcd_put(cluster.keys, key, NULL);
}

static void empty(struct store_under_test *t)
{
    struct fake_etcd *copy = fake_etcd_copy(cluster.keys);

    (void)t;
    fake_etcd_each(copy, P, drop_key, NULL);
    fake_etcd_free(copy);
}

static void make_strange(struct store_under_test *t)
{
    strange_rows_make(&strange);
    strange_rows_read(t->store, go_on_with, NULL);
    assert_true(remembered(g1) >= strange.n);
}

static void check_strange(struct store_under_test *t)
{
    (void)t;
    (void)strange_rows_check(&strange);
}

static void set_done(void *arg)
{
    *(bool *)arg = true;
}

TEST(each_step_keeps_the_members_of_a_newer_version)
{
    static const char *const urls[] = {"https://g2.one.test"};
    static const struct secret password = {.p = (char *)(uintptr_t) "secret", .len = 6};
    const struct etcd_client_opts opts = {
        .endpoints = urls, .nendpoints = 1, .user = "jumpgate", .password = &password, .timeout_ms = 1000};
    struct store_under_test t = {.is_shared = true,
                                 .load = scan_rows,
                                 .go_on = go_on,
                                 .empty = empty,
                                 .make_strange = make_strange,
                                 .check_strange = check_strange};
    char why[256];
    bool closed = false;

    cluster_begin();
    assert_true(cluster_open(g1));
    t.store = g1->store;
    reader = etcd_client_new(NULL, &opts, why);
    assert_non_null(reader);
    store_contract_strange(&t);
    etcd_client_close(reader, set_done, &closed);
    cluster_wait(&closed, "a client");
    cluster_end();
}

/* The steps of a gateway that has only its own rows remember nothing. */
TEST(nothing_is_remembered_of_rows_without_such_members)
{
    cluster_fill();
    strange_rows_read(g1->store, go_on_with, NULL);
    strange_rows_read(g2->store, go_on_with, NULL);
    assert_int_equal(remembered(g1), 0);
    assert_int_equal(remembered(g2), 0);
    cluster_end();
}

static void give(struct cluster_node *n, enum store_step_kind kind, enum request_state state, const char *id,
                 enum store_outcome outcome)
{
    struct cluster_given g;

    cluster_give(n, &g, kind, state, id);
    cluster_wait(&g.done, store_step_rules[kind].name);
    assert_int_equal(g.outcome, outcome);
}

/* A gateway has the rows of another one as a question has shown them, and writes them as its own. */
TEST(a_question_shows_the_members_to_the_step_that_follows)
{
    static const enum store_question_kind kinds[] = {QUESTION_CONFIRM, QUESTION_SESSION, QUESTION_LSID,
                                                     QUESTION_REQUEST, QUESTION_LIST};
    struct cluster_asked a;

    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        case_label("question %d", (int)kinds[i]);
        cluster_fill();
        strange_rows_make(&strange);
        cluster_ask(g2, &a, kinds[i]);
        cluster_wait(&a.done, "a question");
        give(g2, STEP_END, REQUEST_RETURNING, "a", STORE_APPLIED);
        assert_int_equal(strange_rows_check(&strange), 6);
        cluster_end();
    }
}

/* What an outcome shows is read as well. */
TEST(an_outcome_shows_the_members_to_the_step_that_follows)
{
    cluster_fill();
    strange_rows_make(&strange);
    give(g2, STEP_EDIT, REQUEST_LAPSED, "a", STORE_OTHERWISE);
    give(g2, STEP_END, REQUEST_RETURNING, "a", STORE_APPLIED);
    assert_int_equal(strange_rows_check(&strange), 6);
    cluster_end();
}

TEST(what_is_remembered_goes_with_the_row)
{
    cluster_fill();
    strange_rows_make(&strange);
    strange_rows_read(g1->store, go_on_with, NULL);
    assert_int_equal(remembered(g1), 6); /* four requests, two leases */
    give(g1, STEP_LEAVE, REQUEST_HELD, "a", STORE_APPLIED);
    assert_int_equal(remembered(g1), 5);
    give(g1, STEP_END, REQUEST_RETURNING, "a", STORE_APPLIED);
    give(g1, STEP_CLOSE, REQUEST_RETURNING, "a", STORE_APPLIED); /* and the lease b with it */
    assert_in_range(remembered(g1), 3, 4);
    g1->cut = true;
    cluster_advance(3 * CLUSTER_TTL_MS);
    assert_int_equal(remembered(g2), 3);
    assert_int_equal(strange_rows_check(&strange), 3); /* adopted as they are */
    g1->cut = false;
    cluster_advance(3 * CLUSTER_TTL_MS);
    assert_true(g1->fenced > 0);
    assert_int_equal(remembered(g1), 0);
    cluster_end();
}

/* A dead incarnation whose adopter has died: the next one keeps what a newer one has written of it. */
TEST(a_dead_gateway_keeps_the_members_of_its_adopter)
{
    char dead[96], value[160];

    cluster_begin();
    assert_true(cluster_open(g2));
    cluster_advance(SECONDS(3));
    cluster.is_lenient = true;
    (void)snprintf(dead, sizeof dead, P "d/g9@4");
    fake_etcd_put(cluster.keys, dead, "{\"a\":\"g8@5\",\"since\":[1,2],\"x\":\"g7@6 \"}");
    fake_etcd_put(cluster.keys, P "r/other/1",
                  "O{\"m\":\"z\",\"o\":\"g9@4\",\"v\":\"other\",\"u\":\"u\",\"n\":\"1\"}");
    for (int i = 0;
         i < 60 && (!fake_etcd_get(cluster.keys, dead) || !strstr(fake_etcd_get(cluster.keys, dead), "g2@"));
         i++)
        cluster_advance(SECONDS(1) / 4);
    (void)snprintf(value, sizeof value, "%s", fake_etcd_get(cluster.keys, dead));
    assert_non_null(strstr(value, "\"since\":[1,2]}"));
    cluster.is_lenient = false;
    cluster_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_are_cut_out_as_they_stand),
        cmocka_unit_test(a_text_that_is_cut_off_is_not_read_beyond_its_end),
        cmocka_unit_test(an_older_reading_changes_nothing),
        cmocka_unit_test(those_that_were_used_longest_ago_give_way),
        cmocka_unit_test(each_step_keeps_the_members_of_a_newer_version),
        cmocka_unit_test(nothing_is_remembered_of_rows_without_such_members),
        cmocka_unit_test(a_question_shows_the_members_to_the_step_that_follows),
        cmocka_unit_test(an_outcome_shows_the_members_to_the_step_that_follows),
        cmocka_unit_test(what_is_remembered_goes_with_the_row),
        cmocka_unit_test(a_dead_gateway_keeps_the_members_of_its_adopter),
    };

    (void)log_open(&(struct log_opts){.level = LOG_ERROR, .file = "/dev/null"});
    return cmocka_run_group_tests(tests, NULL, NULL);
}
