/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_etcd_strange.c - keys in etcd that no gateway writes, and what the store makes of them; and what it
 * does at moments that the ways of cluster_scenarios.c do not come by.
 */
#include "cluster_rig.h"

#include "base/log.h"
#include "check.h"
#include "stores/etcd_rows.h"
#include "stores/etcd_scan.h"
#include "stores/etcd_txn.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define P CLUSTER_PREFIX

static struct cluster_node *const g1 = &cluster.nodes[0], *const g2 = &cluster.nodes[1];

static void put(const char *key, const char *value)
{
    fake_etcd_put(cluster.keys, key, value);
}

/* ---- an answer that is not whole ---- */

#define HEAD "{\"header\":{\"revision\":\"7\"}"
#define ROW  "{\"key\":\"YQ==\",\"value\":\"YQ==\",\"create_revision\":\"1\",\"mod_revision\":\"2\"}"
#define TXN  HEAD ",\"succeeded\":true,\"responses\":"

TEST(whole_answers)
{
    static const struct {
        const char *text;
        int then, otherwise;
        bool whole;
    } cases[] = {
        {HEAD "}", 0, 0, true},
        {HEAD ",\"kvs\":[" ROW "],\"count\":\"1\"}", 0, 0, true},
        {HEAD ",\"kvs\":[" ROW "],\"more\":true,\"count\":\"2\"}", 0, 0, true},
        {HEAD ",\"kvs\":[" ROW "],\"more\":true,\"count\":\"1\"}", 0, 0, false},
        {HEAD ",\"more\":true,\"count\":\"1\"}", 0, 0, false},
        {HEAD ",\"kvs\":[" ROW "],\"count\":\"2\"}", 0, 0, false},
        {HEAD ",\"kvs\":[" ROW "," ROW "],\"count\":\"1\"}", 0, 0, false},
        {HEAD ",\"kvs\":[" ROW "]}", 0, 0, false},
        {HEAD ",\"kvs\":[7],\"count\":\"1\"}", 0, 0, false},
        {HEAD ",\"kvs\":{},\"count\":\"0\"}", 0, 0, false},
        {HEAD ",\"count\":\"x\"}", 0, 0, false},
        {HEAD ",\"more\":1}", 0, 0, false},
        {"{\"header\":{\"revision\":\"-7\"}}", 0, 0, false},
        {"{\"header\":7}", 0, 0, false},
        {"[]", 0, 0, false},
        {HEAD "}", 1, 0, true},
        {HEAD "}", 0, 1, false},
        {TXN "[{\"response_put\":{}}]}", 1, 0, true},
        {TXN "[{\"response_put\":{}}]}", 2, 1, false},
        {TXN "[{\"response_put\":{}}]}", ETCD_ANY, 0, true},
        {TXN "[{\"response_got\":{}}]}", 1, 0, false},
        {TXN "[{\"response_put\":7}]}", 1, 0, false},
        {TXN "[{\"response_put\":{},\"response_range\":{}}]}", 1, 0, false},
        {TXN "[{}]}", 1, 0, false},
        {TXN "[7]}", 1, 0, false},
        {TXN "7}", ETCD_ANY, 0, false},
        {TXN "[{\"response_txn\":{\"responses\":[{\"response_range\":{\"count\":\"1\"}}]}}]}", 1, 0, false},
        {TXN "[{\"response_txn\":{\"succeeded\":1}}]}", 1, 0, false},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        case_label("%s, %d, %d", cases[i].text, cases[i].then, cases[i].otherwise);
        cJSON *answer = cJSON_Parse(cases[i].text);

        assert_non_null(answer);
        assert_int_equal(etcd_answer_is_whole(answer, cases[i].then, cases[i].otherwise), cases[i].whole);
        cJSON_Delete(answer);
    }
}

static unsigned answers;

static void break_one(const char *path, struct buf *answer)
{
    (void)path;
    if (answers++ == 0)
        buf_clear(answer);
}

TEST(a_broken_answer_goes_to_the_next_member)
{
    struct store_state now;

    answers = 0;
    cluster_begin();
    assert_true(cluster_open(g1));
    cluster.spoil = break_one;
    cluster_watch(true);
    cluster_advance(SECONDS(2));
    g1->store->ops->state(g1->store, &now);
    assert_int_equal(now.cluster->endpoint_changes, 1);
    assert_true(strstr(now.cluster->endpoint, "two") && !g1->fenced);
    cluster.spoil = NULL;
    cluster_end();
}

/* The answer to a flight, and then that to the look at what the flight has written. */
static void break_two(const char *path, struct buf *answer)
{
    (void)path;
    unsigned n = answers++;

    if (n == 0)
        buf_clear(answer);
    if (n != 2)
        return;
    cJSON *tree = cJSON_ParseWithLength(answer->data, answer->len);
    cJSON *step = cJSON_GetArrayItem(cJSON_GetObjectItem(tree, "responses"), 0);

    assert_non_null(step);
    cJSON_DeleteItemFromObject(step->child, "responses");
    char *text = cJSON_PrintUnformatted(tree);

    buf_clear(answer);
    assert_int_equal(buf_str(answer, text), 0);
    cJSON_free(text);
    cJSON_Delete(tree);
}

static void drop_succeeded(const char *path, struct buf *answer)
{
    static const char text[] = ",\"succeeded\":true,\"responses\":[{\"response_put\"";
    static const size_t skip = sizeof ",\"succeeded\":true" - 1;
    char *at = strstr(buf_cstr(answer), text);

    (void)path;
    if (!at || answers++)
        return;
    memmove(at, at + skip, strlen(at + skip) + 1);
    answer->len -= skip;
}

/* A flight without a beat, whose only step has no part in it: it has one response, as a refused one has. */
TEST(an_answer_of_which_only_the_outcome_is_missing)
{
    static char name[2 * ETCD_KEY_SIZE];
    struct cluster_given g;

    answers = 0;
    memset(name, 'n', sizeof name - 1);
    cluster_fill();
    g2->cut = true;
    cluster.spoil = drop_succeeded;
    cluster_watch(true);
    for (int i = 0; !answers && i < 10; i++) {
        cluster_give(g1, &g, STEP_END, REQUEST_RETURNING, "a");
        g.step.request.name = name;
        cluster_wait(&g.done, "a step");
    }
    assert_true(answers > 0 && !g1->fenced);
    cluster.spoil = NULL;
    cluster_end();
}

TEST(a_look_that_is_broken_is_repeated)
{
    struct cluster_given g;

    answers = 0;
    cluster_fill();
    g2->cut = true;
    cluster.spoil = break_two;
    cluster_watch(true);
    cluster_give(g1, &g, STEP_END, REQUEST_RETURNING, "a");
    cluster_wait(&g.done, "a step");
    assert_int_equal(g.outcome, STORE_APPLIED);
    assert_true(g.shows && answers > 3 && !g1->fenced);
    cluster.spoil = NULL;
    cluster_end();
}

/* ---- rows ---- */

TEST(rows_that_no_gateway_writes)
{
    static const struct {
        const char *value;
        bool is_lease;
        int err;
    } cases[] = {
        {"O{\"i\":\"a\"}", true, 0},
        {"O{\"m\":\"a\"}", false, 0},
        {"I{\"m\":\"a\"}", false, 0},
        {"X{\"m\":\"a\"}", false, 0},
        {"", false, -EUCLEAN},
        {"O", false, -EUCLEAN},
        {"O{", false, -EUCLEAN},
        {"O[]", false, -EUCLEAN},
        {"O7", true, -EUCLEAN},
        {"Q{\"m\":\"a\"}", false, -EUCLEAN},
        {"O{}", false, -EUCLEAN},
        {"O{}", true, -EUCLEAN},
        {"R{\"i\":\"a\"}", true, -EUCLEAN},
        {"O{\"i\":7}", true, -EUCLEAN},
        {"O{\"i\":\"a\",\"g\":-1}", true, -EUCLEAN},
        {"O{\"i\":\"a\",\"g\":99}", true, -EUCLEAN},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct etcd_row row;

        case_label("%s", cases[i].value);
        assert_int_equal(etcd_row_read(&row, cases[i].is_lease, cases[i].value, strlen(cases[i].value)),
                         cases[i].err);
        if (!cases[i].err)
            etcd_row_free(&row);
    }
}

TEST(a_value_whose_owner_is_another_is_not_taken_over)
{
    static const char *const values[] = {"O{}",
                                         "O{\"m\":\"a\",\"o\":\"g1@7",
                                         "O{\"m\":\"a\",\"o\":\"g1@77\"}",
                                         "O{\"m\":\"a\",\"o\":\"g2@7\"}",
                                         "O{\"m\":\"a\",\"o\":\"",
                                         "O{\"v\":\"a\",\"o\":\"g1@7\",\"m\":\"a\"}",
                                         "O{\"m\":\"a\",\"v\":\"b\",\"o\":\"g1@7\"}",
                                         "O{\"m\": \"a\",\"o\":\"g1@7\"}",
                                         "O{\"m\":\"",
                                         "O"};
    struct buf out = BUF_INIT(256);

    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        assert_false(etcd_value_reown(&out, values[i], strlen(values[i]), "g1@7", "g2@8"));
    assert_true(etcd_value_reown(&out, "O{\"m\":\"a\",\"o\":\"g1@7\"}", 22, "g1@7", "g22@8"));
    assert_string_equal(buf_cstr(&out), "O{\"m\":\"a\",\"o\":\"g22@8\"}");
    buf_free(&out);
}

TEST(a_name_that_fits_no_key)
{
    static char name[2 * ETCD_KEY_SIZE];
    const struct holder h = {"u", "d", "s", name, "c", "y", "z", 1};
    struct store_step step = {.kind = STEP_ASK,
                              .instead = "",
                              .request = {.mark = "m", .vault = "v", .user = "u", .name = name, .asker = h},
                              .lease = {.id = ""}};
    struct etcd_keys keys;

    memset(name, 'n', sizeof name - 1);
    assert_int_equal(etcd_keys_of(&keys, &step, "g1"), -ENAMETOOLONG);
    step.request.name = "41";
    assert_int_equal(etcd_keys_of(&keys, &step, "g1"), 0);
    assert_string_equal(keys.asker_lsid, ""); /* it is not looked for by its lsid */
    step.request.vault = name;
    assert_int_equal(etcd_keys_of(&keys, &step, "g1"), -ENAMETOOLONG);
    step = (struct store_step){.kind = STEP_CURSOR, .cursor = {.site = name}};
    assert_int_equal(etcd_keys_of(&keys, &step, "g1"), -ENAMETOOLONG);
}

/* ---- joining ---- */

TEST(a_cluster_that_is_not_entered)
{
    static const struct {
        const char *key, *value, *why;
    } cases[] = {
        {P "c/schema", "99", "the cluster's schema is 99"},
        {P "c/schema", "one", "the cluster's schema is one"},
        {P "c/moved", "{}", "a place that this version does not know"},
        {P "c/moved", "{\"k\":\"gone\",\"i\":\"1\",\"w\":\"/x\"}", "were moved to /x"},
        {P "c/v/safe", "{\"d\":\"other\",\"u\":\"https://x\"}", "(url there: https://x)"},
        {P "c/v/safe", "[", "(url there: not readable)"},
        {P "c/tag", "abc", "c/tag is damaged"},
        {P "p/g1/%zz", "7", "below p/, is damaged"},
        {P "p/g1/site", "seven", "below p/, is damaged"},
        {P "c/v/%zz", "{}", ""},
        {P "c/v/a vault of another gateway", "{}", ""},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        case_label("%s %s", cases[i].key, cases[i].value);
        cluster_begin();
        cluster.is_lenient = true;
        put(cases[i].key, cases[i].value);
        assert_int_equal(cluster_open(g1), !*cases[i].why);
        assert_non_null(strstr(g1->why, cases[i].why));
        cluster.is_lenient = false;
        cluster_end();
    }
}

static enum cluster_fault wrong_name(const char *path)
{
    (void)path;
    return CLUSTER_WRONG;
}

TEST(an_etcd_of_another_name)
{
    cluster_begin();
    cluster.is_lenient = true;
    cluster.fault = wrong_name;
    cluster_watch(true);
    assert_false(cluster_open(g1));
    assert_non_null(strstr(g1->why, "certificate is for another name"));
    cluster.fault = NULL;
    cluster.is_lenient = false;
    cluster_end();
}

/* ---- members ---- */

TEST(more_members_than_the_store_counts)
{
    char key[40];

    cluster_begin();
    assert_true(cluster_open(g1));
    for (int i = 0; i < 70; i++) {
        (void)snprintf(key, sizeof key, P "m/x%02d", i);
        put(key, i ? "{\"i\":\"x\",\"q\":1}" : "[");
        (void)snprintf(key, sizeof key, P "d/y%02d@7", i);
        put(key, i ? "{\"a\":\"x01@7\"}" : "{\"a\":7}");
    }
    put(P "d/without an epoch", "{}");
    put(P "d/@", "{}");
    cluster_advance(SECONDS(2));
    struct store_state now;

    g1->store->ops->state(g1->store, &now);
    assert_int_equal(now.cluster->nmembers, 64); /* the dead are adopted by now */
    assert_true(now.cluster->certain);
    cluster_advance(4 * CLUSTER_TTL_MS); /* they are dead, and nothing is theirs */
    g1->store->ops->state(g1->store, &now);
    assert_int_equal(now.cluster->nmembers, 0);
    assert_null(fake_etcd_get(cluster.keys, P "m/x69"));
    cluster_end();
}

/* No gateway has such a name: it is not counted, and does not come and go with each beat. */
TEST(a_member_whose_name_is_too_long)
{
    struct store_state now;
    char key[128];

    cluster_begin();
    assert_true(cluster_open(g1));
    (void)snprintf(key, sizeof key, P "m/%0100d", 0);
    put(key, "{}");
    cluster_advance(3 * CLUSTER_TTL_MS);
    g1->store->ops->state(g1->store, &now);
    assert_int_equal(now.cluster->nmembers, 0);
    assert_int_equal(g1->gone, 0);
    cluster_end();
}

/* ---- questions ---- */

static const enum store_question_kind question_kinds[] = {QUESTION_CONFIRM, QUESTION_SESSION, QUESTION_LSID,
                                                          QUESTION_REQUEST, QUESTION_MARK,    QUESTION_LIST};
enum { NQUESTIONS = 6 };

static enum store_answer ask(struct cluster_asked *a, enum store_question_kind kind)
{
    cluster_ask(g2, a, kind);
    cluster_wait(&a->done, "a question");
    return a->answer;
}

TEST(a_gateway_that_is_not_what_it_was)
{
    struct cluster_asked a;

    for (size_t i = 0; i < NQUESTIONS; i++) {
        cluster_fill();
        put(P "m/g2", NULL);
        put(P "m/g2", "{\"i\":\"g2\",\"q\":1}");
        case_label("question %d", (int)question_kinds[i]);
        assert_int_equal(ask(&a, question_kinds[i]), STORE_FENCED);
        assert_int_equal(a.requests + a.leases, 0);
        cluster_end();
    }
}

TEST(a_question_without_an_answer)
{
    struct cluster_asked a, b;

    cluster_fill();
    g2->cut = true;
    assert_int_equal(ask(&a, QUESTION_LIST), STORE_NONE);
    cluster_ask(g2, &a, QUESTION_LIST);
    g2->store->ops->forget(g2->store, &a.q);
    g2->store->ops->forget(g2->store, &a.q);
    cluster_ask(g2, &b, QUESTION_LIST);
    cluster_close(g2); /* ends it */
    assert_true(b.done && b.answer == STORE_NONE);
    assert_false(a.done);
    cluster_end();
}

/* The n-th key that begins so. */
static struct {
    char key[512], value[2048];
    int skip;
} first;

static void keep_first(void *arg, const char *key, const char *value)
{
    (void)arg;
    if (first.skip-- == 0) {
        (void)snprintf(first.key, sizeof first.key, "%s", key);
        (void)snprintf(first.value, sizeof first.value, "%s", value);
    }
}

static void find(const char *prefix, int n)
{
    first.key[0] = '\0';
    first.skip = n;
    fake_etcd_each(cluster.keys, prefix, keep_first, NULL);
    assert_true(*first.key);
}

TEST(a_row_that_no_question_can_read)
{
    static const struct {
        const char *prefix, *value;
        enum store_question_kind kind;
        enum store_answer answer;
        unsigned leases, requests;
    } cases[] = {
        {P "r/", "O[", QUESTION_CONFIRM, STORE_NONE, 0, 0},
        {P "r/", NULL, QUESTION_CONFIRM, STORE_OVER, 1, 0},
        {P "r/", "O[", QUESTION_REQUEST, STORE_NONE, 0, 0},
        {P "r/", "O[", QUESTION_LIST, STORE_OPEN, 0, 2},    /* the others of its page */
        {P "r/", "O[", QUESTION_SESSION, STORE_OPEN, 1, 0}, /* its lease can be released */
        {P "r/", NULL, QUESTION_SESSION, STORE_OPEN, 1, 0},
        {P "i/", "O[", QUESTION_MARK, STORE_NONE, 0, 0},
        {P "h/", "", QUESTION_LIST, STORE_OPEN, 2, 4},
        {P "e/a/", "", QUESTION_LSID, STORE_OPEN, 0, 0},
        {P "e/a/", "without an end", QUESTION_LSID, STORE_OPEN, 0, 0},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct cluster_asked a;

        cluster_fill();
        find(cases[i].prefix, 0);
        put(first.key, cases[i].value);
        case_label("%s %s for question %d", cases[i].prefix, cases[i].value, (int)cases[i].kind);
        assert_int_equal(ask(&a, cases[i].kind), cases[i].answer);
        assert_int_equal(a.leases, cases[i].leases);
        assert_int_equal(a.requests, cases[i].requests);
        cluster_end();
    }
}

/* A step whose row cannot be read is OTHERWISE, and shows nothing. */
TEST(a_row_that_no_step_can_read)
{
    struct cluster_given g;

    cluster_fill();
    find(P "r/", 0);
    put(first.key, "R[");
    cluster_give(g1, &g, STEP_EDIT, REQUEST_HELD, "a");
    cluster_wait(&g.done, "a step");
    assert_int_equal(g.outcome, STORE_OTHERWISE);
    assert_false(g.shows);
    cluster_end();
}

/* ---- adoption ---- */

/* g1 dies, and g2 has its rows; how many. */
static unsigned adopt(void)
{
    g1->cut = true;
    cluster_advance(5 * CLUSTER_TTL_MS);
    return g2->adopted;
}

TEST(a_row_that_cannot_be_read_is_not_adopted)
{
    cluster_fill();
    find(P "r/", 0);
    put(first.key, "O[");
    assert_int_equal(adopt(), 3);
    assert_string_equal(fake_etcd_get(cluster.keys, first.key), "O[");
    cluster_end();
}

/* Another program has written it with other blanks: it is adopted in the form in which steps find it. */
TEST(a_row_of_another_form_is_adopted)
{
    char text[2100];

    cluster_fill();
    find(P "r/", 0);
    (void)snprintf(text, sizeof text, "%c{ %s", first.value[0], first.value + 2);
    put(first.key, text);
    assert_int_equal(adopt(), 4);
    const char *now = fake_etcd_get(cluster.keys, first.key);

    assert_int_equal(strncmp(now, first.value, sizeof "O{\"m\":" - 1), 0);
    assert_non_null(strstr(now, "\"o\":\"g2@"));
    assert_null(strstr(now, "g1@"));
    cluster_end();
}

TEST(a_row_whose_name_fits_no_key_is_not_adopted)
{
    static char name[2 * ETCD_KEY_SIZE];
    char text[4096];

    memset(name, 'n', sizeof name - 1);
    cluster_fill();
    find(P "r/", 0);
    (void)snprintf(text, sizeof text, "%c{\"n\":\"%s\",%s", first.value[0], name,
                   strstr(first.value, "\"m\":"));
    *strstr(text, ",\"n\":") = '\0'; /* the name that it had */
    strcat(text, "}");
    put(P "r/safe/long", text);
    assert_int_equal(adopt(), 4);
    assert_string_equal(fake_etcd_get(cluster.keys, P "r/safe/long"), text);
    cluster_end();
}

static unsigned ranges;

/* Another gateway changes a row that was read. */
static void change_row(const char *path, struct buf *answer)
{
    (void)answer;
    if (strcmp(path, "/v3/kv/range") == 0 && ranges++ == 0) {
        find(P "i/", 0);
        put(first.key, first.value);
    }
}

/* Something other than it was when the adoption began. */
static void end_gateway(const char *path, struct buf *answer)
{
    (void)answer;
    if (strcmp(path, "/v3/kv/range") == 0 && ranges++ == 0) {
        put(P "m/g2", NULL);
        put(P "m/g2", "{\"i\":\"g2\",\"q\":1}");
    }
}

TEST(a_row_that_changes_while_it_is_adopted)
{
    ranges = 0;
    cluster_fill();
    cluster.spoil = change_row;
    cluster_watch(true);
    assert_int_equal(adopt(), 4);
    assert_true(ranges > 2); /* the pages were read again */
    cluster.spoil = NULL;
    cluster_end();
}

TEST(an_adopter_that_is_fenced)
{
    ranges = 0;
    cluster_fill();
    cluster.spoil = end_gateway;
    cluster_watch(true);
    assert_int_equal(adopt(), 4);
    assert_true(g2->fenced > 0);
    cluster.spoil = NULL;
    cluster_end();
}

/* ---- many rows ---- */

/* Keys with a number, and one in the value. */
static void put_many(const char *keys, const char *value, const char *end, unsigned n)
{
    char key[128], text[128];

    for (unsigned i = 0; i < n; i++) {
        (void)snprintf(key, sizeof key, "%s%03u", keys, i);
        (void)snprintf(text, sizeof text, "%s%03u%s", value, i, end);
        put(key, text);
    }
}

/* More keys than a transaction reads. */
TEST(a_page_of_many_requests)
{
    struct cluster_asked a;

    cluster_fill();
    put_many(P "r/safe/", "O{\"m\":\"x\",\"o\":\"g1@1\",\"v\":\"safe\",\"n\":\"", "\"}", 150);
    assert_int_equal(ask(&a, QUESTION_LIST), STORE_OPEN);
    assert_int_equal(a.requests, 154); /* of those of fill() three are at r/, and one has two leases */
    assert_int_equal(a.leases, 2);
    cluster_end();
}

/* More leases than go with one transaction, and holds whose lease is gone. */
TEST(a_request_ends_with_many_leases)
{
    struct cluster_given g;

    cluster_fill();
    put_many(P "h/safe/41/x", "session/credential", "", 45);
    cluster_give(g1, &g, STEP_END, REQUEST_RETURNING, "a");
    cluster_wait(&g.done, "a step");
    assert_int_equal(g.outcome, STORE_APPLIED);
    cluster_give(g1, &g, STEP_CLOSE, REQUEST_RETURNING, "a");
    g.step.lease.id = "";
    cluster_wait(&g.done, "a step");
    assert_int_equal(g.outcome, STORE_APPLIED);
    first.key[0] = '\0';
    first.skip = 0;
    fake_etcd_each(cluster.keys, P "h/", keep_first, NULL);
    assert_string_equal(first.key, "");
    cluster_end();
}

/* ---- a scan ---- */

struct scanned {
    struct etcd_scan scan; /* first */
    bool done;
    int err;
    unsigned requests, leases;
};

static int scan_request(void *arg, const struct request_row *r)
{
    (void)r;
    ((struct scanned *)arg)->requests++;
    return 0;
}

static int scan_lease(void *arg, const struct lease_row *l)
{
    (void)l;
    ((struct scanned *)arg)->leases++;
    return 0;
}

static void on_scanned(struct etcd_scan *scan, int err)
{
    struct scanned *s = (struct scanned *)scan;

    s->done = true;
    s->err = err;
}

static void set_done(void *arg)
{
    *(bool *)arg = true;
}

static struct scanned scan(void)
{
    static const char *const urls[] = {"https://g2.one.test"};
    static const struct secret password = {.p = (char *)(uintptr_t) "secret", .len = 6};
    const struct etcd_client_opts opts = {
        .endpoints = urls, .nendpoints = 1, .user = "jumpgate", .password = &password, .timeout_ms = 1000};
    struct scanned s = {.scan = {.prefix = P,
                                 .node = "g1",
                                 .reader = {.request = scan_request, .lease = scan_lease},
                                 .arg = &s,
                                 .done = on_scanned}};
    char why[256];
    bool closed = false;
    struct etcd_client *client = etcd_client_new(NULL, &opts, why);

    assert_non_null(client);
    assert_int_equal(etcd_scan(client, &s.scan), 0);
    cluster_wait(&s.done, "a scan");
    etcd_client_close(client, set_done, &closed);
    cluster_wait(&closed, "a client");
    return s;
}

/* More than a page; a lease whose request has ended is left out. */
TEST(a_scan_of_many_rows)
{
    cluster_fill();
    find(P "r/", 0);
    put(first.key, NULL); /* of a and b */
    put_many(P "r/safe/", "O{\"m\":\"x\",\"o\":\"g1@1\",\"v\":\"safe\",\"n\":\"", "\"}", 501);
    struct scanned s = scan();

    assert_int_equal(s.err, 0);
    assert_int_equal(s.requests, 501 + 3);
    assert_int_equal(s.leases, 0);
    cluster_end();
}

/* Rows of which a page is more than the client takes: the pages are smaller. */
TEST(pages_that_are_too_large)
{
    struct cluster_asked a;

    cluster_fill();
    put_many(P "r/safe/", "O{\"m\":\"x\",\"o\":\"g7@1\",\"v\":\"safe\",\"n\":\"", "\"}", 150);
    cluster.max_answer = 6000;
    assert_int_equal(ask(&a, QUESTION_LIST), STORE_OPEN);
    assert_in_range(a.requests, 1, 100);
    assert_int_equal(strncmp(a.q.cursor, "r/", 2), 0);
    struct scanned s = scan();

    assert_int_equal(s.err, 0);
    assert_int_equal(s.requests, 150 + 4);
    assert_int_equal(adopt(), 4);
    cluster.max_answer = 0;
    cluster_end();
}

/* Rows of other marks: more than a page of them, and none can be read. */
TEST(a_mark_is_found_behind_rows_that_cannot_be_read)
{
    static const size_t max_answers[] = {0, 6000};

    for (size_t i = 0; i < 2; i++) {
        struct cluster_asked a;

        case_label("answers of at most %zu bytes", max_answers[i]);
        cluster_fill();
        put_many(P "i/!/", "O[", "", STORE_LIST_MAX + 1);
        cluster.max_answer = max_answers[i];
        assert_int_equal(ask(&a, QUESTION_MARK), STORE_OPEN);
        assert_int_equal(a.requests, 1);
        cluster.max_answer = 0;
        cluster_end();
    }
}

TEST(a_scan_of_a_row_that_cannot_be_read)
{
    static const char *const keys[][2] = {
        {P "r/x", "O["}, {P "s/x/y", "O["}, {P "p/g1/%zz", "7"}, {P "p/g1/site", "seven"}};

    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        cluster_fill();
        put(keys[i][0], keys[i][1]);
        case_label("%s", keys[i][0]);
        assert_int_equal(scan().err, -EUCLEAN);
        cluster_end();
    }
}

/* ---- a backup is restored, or the store ends, at each moment ---- */

enum { MOMENTS = 40 };

/* A step and a question are on their way, and what follows them. */
static void begin_moment(int n, struct cluster_given *g, struct cluster_asked *a)
{
    cluster_fill();
    cluster_give(g1, g, STEP_END, REQUEST_RETURNING, "a");
    cluster_wait(&g->done, "a step");
    cluster_ask(g1, a, QUESTION_LIST);
    cluster_give(g1, g, STEP_CLOSE, REQUEST_RETURNING, "a");
    g->step.lease.id = "";
    case_label("moment %d", n);
    while (n--)
        cluster_step();
}

TEST(the_store_ends)
{
    for (int n = 0; n < MOMENTS; n++) {
        struct cluster_given g;
        struct cluster_asked a;

        begin_moment(n, &g, &a);
        cluster_close(g1);
        assert_true(g.done && a.done);
        cluster_end();
    }
}

TEST(a_backup_is_restored)
{
    for (int n = 0; n < MOMENTS; n++) {
        struct cluster_given g;
        struct cluster_asked a;

        begin_moment(n, &g, &a);
        fake_etcd_free(cluster.keys);
        cluster.keys = fake_etcd_new();
        fake_etcd_enable_auth(cluster.keys, "jumpgate", "secret");
        cluster_advance(3 * CLUSTER_TTL_MS);
        assert_true(g.done && a.done);
        assert_true(g1->fenced == 1 && g1->joined == 2 && g2->fenced == 1 && g2->joined == 2);
        cluster_end();
    }
}

static enum cluster_fault lost(const char *path)
{
    (void)path;
    return CLUSTER_AFTER;
}

TEST(the_store_ends_while_etcd_is_silent)
{
    for (int n = 0; n < MOMENTS / 2; n++) {
        struct cluster_given g;

        cluster_fill();
        cluster.fault = lost;
        cluster_watch(true);
        cluster_give(g1, &g, STEP_END, REQUEST_RETURNING, "a");
        case_label("moment %d", n);
        for (int i = 0; i < n; i++)
            cluster_step();
        cluster_close(g1);
        assert_true(g.done && g.outcome == STORE_AWAY);
        cluster.fault = NULL;
        cluster_end();
    }
}

/* ---- the end ---- */

static void note_left(void *arg, bool taken)
{
    struct cluster_node *n = arg;

    assert_false(n->left);
    n->left = true;
    n->taken = taken;
}

static enum store_member_state seen_by_g1(void)
{
    struct store_state state;

    g1->store->ops->state(g1->store, &state);
    assert_int_equal(state.cluster->nmembers, 1);
    return state.cluster->members[0].state;
}

/* Silence is what a gateway sees whose own beats are answered. */
TEST(a_gateway_that_has_no_answer_calls_no_other_one_silent)
{
    cluster_fill();
    assert_int_equal(seen_by_g1(), MEMBER_ALIVE);
    g1->cut = true;
    cluster_advance(10 * CLUSTER_TTL_MS);
    assert_int_equal(seen_by_g1(), MEMBER_ALIVE);
    g1->cut = false;
    cluster_end();
}

/* A gateway that has died is no heir: the other one does not wait for it. */
TEST(the_last_one_that_stops_waits_for_no_dead_one)
{
    cluster_fill();
    g2->cut = true;
    cluster_advance(CLUSTER_TTL_MS / 2);
    g1->store->ops->leave(g1->store, note_left, g1);
    cluster_advance(CLUSTER_TTL_MS / 4);
    assert_false(g1->left);                                       /* it may be alive */
    cluster_advance(CLUSTER_TTL_MS / 4 + 2 * CLUSTER_TTL_MS / 6); /* two beats besides: how often it looks */
    assert_true(g1->left);
    assert_false(g1->taken);
    cluster_end();
}

TEST(a_step_after_the_end)
{
    struct store_steps none = STAILQ_HEAD_INITIALIZER(none);
    struct cluster_given g;

    cluster_fill();
    cluster_give(g1, &g, STEP_AMEND, REQUEST_HELD, "a");
    g1->store->ops->leave(g1->store, NULL, NULL);
    assert_int_equal(g1->store->ops->steps(g1->store, &none), -ESHUTDOWN);
    cluster_close(g1);
    assert_true(g.done);
    cluster_end();
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_answers),
        cmocka_unit_test(a_broken_answer_goes_to_the_next_member),
        cmocka_unit_test(an_answer_of_which_only_the_outcome_is_missing),
        cmocka_unit_test(a_look_that_is_broken_is_repeated),
        cmocka_unit_test(a_scan_of_many_rows),
        cmocka_unit_test(pages_that_are_too_large),
        cmocka_unit_test(a_scan_of_a_row_that_cannot_be_read),
        cmocka_unit_test(rows_that_no_gateway_writes),
        cmocka_unit_test(a_value_whose_owner_is_another_is_not_taken_over),
        cmocka_unit_test(a_name_that_fits_no_key),
        cmocka_unit_test(a_cluster_that_is_not_entered),
        cmocka_unit_test(an_etcd_of_another_name),
        cmocka_unit_test(more_members_than_the_store_counts),
        cmocka_unit_test(a_member_whose_name_is_too_long),
        cmocka_unit_test(a_gateway_that_is_not_what_it_was),
        cmocka_unit_test(a_question_without_an_answer),
        cmocka_unit_test(a_row_that_no_question_can_read),
        cmocka_unit_test(a_mark_is_found_behind_rows_that_cannot_be_read),
        cmocka_unit_test(a_row_that_no_step_can_read),
        cmocka_unit_test(a_row_that_cannot_be_read_is_not_adopted),
        cmocka_unit_test(a_row_of_another_form_is_adopted),
        cmocka_unit_test(a_row_whose_name_fits_no_key_is_not_adopted),
        cmocka_unit_test(a_row_that_changes_while_it_is_adopted),
        cmocka_unit_test(an_adopter_that_is_fenced),
        cmocka_unit_test(a_page_of_many_requests),
        cmocka_unit_test(a_request_ends_with_many_leases),
        cmocka_unit_test(the_store_ends),
        cmocka_unit_test(a_backup_is_restored),
        cmocka_unit_test(the_store_ends_while_etcd_is_silent),
        cmocka_unit_test(a_gateway_that_has_no_answer_calls_no_other_one_silent),
        cmocka_unit_test(the_last_one_that_stops_waits_for_no_dead_one),
        cmocka_unit_test(a_step_after_the_end),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    (void)log_open(&(struct log_opts){.level = LOG_ERROR, .file = "/dev/null"});
    return cmocka_run_group_tests(tests, NULL, NULL);
}
