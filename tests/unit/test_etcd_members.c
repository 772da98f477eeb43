/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_etcd_members.c - what a gateway makes of the members and the dead that its beats read: silence, whose
 * rows are cared for, and what there was no memory to read.
 */
#include "fake_etcd.h"

#include "base/json.h"
#include "check.h"
#include "stores/etcd_flight.h"
#include "stores/etcd_members.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define TTL  6000
#define SELF "g1"

static struct etcd_members m;
static struct fake_etcd *keys;
static char gone[64];

static int setup(void **state)
{
    (void)state;
    memset(&m, 0, sizeof m);
    gone[0] = '\0';
    keys = fake_etcd_new();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fake_etcd_free(keys);
    return 0;
}

/* ---- memory ---- */

static bool is_short; /* of trees */

static void *take(size_t n)
{
    return is_short ? NULL : malloc(n);
}

/* ---- keys ---- */

static cJSON *call(const char *path, struct buf *body)
{
    struct buf answer = BUF_INIT(1 << 16);
    struct json_outcome outcome;

    assert_int_equal(fake_etcd_call(keys, path, buf_cstr(body), &answer), 200);
    cJSON *tree = json_read(answer.data, answer.len, 16, JSON_EXACT, &outcome);

    assert_non_null(tree);
    buf_free(&answer);
    buf_free(body);
    return tree;
}

static void do_op(enum etcd_op_kind kind, const char *key, const char *value)
{
    const struct etcd_op op = {.kind = kind, .key = key, .value = value};
    struct buf body = BUF_INIT(1 << 16);
    const struct etcd_writer w = {&body, ""};

    (void)buf_str(&body, "{\"success\":[");
    etcd_write_ops(&w, &op, 1);
    (void)buf_str(&body, "]}");
    cJSON_Delete(call("/v3/kv/txn", &body));
}

static void put(const char *key, const char *value)
{
    do_op(ETCD_PUT, key, value);
}

static cJSON *range(const char *from, const char *to)
{
    struct buf body = BUF_INIT(1 << 16);
    const struct etcd_writer w = {&body, ""};

    etcd_write_range(&w, from, strlen(from), to, 0);
    return call("/v3/kv/range", &body);
}

static void on_gone(void *arg, const char *node, int64_t epoch)
{
    (void)arg;
    assert_true(epoch > 0);
    (void)snprintf(gone, sizeof gone, "%s", node);
}

/* A beat; `short_of` = there is no memory for what it has read. */
static void beat(uint64_t now_ms, bool short_of)
{
    cJSON *members = range("m/", "m0"), *dead = range("d/", "d0");

    is_short = short_of;
    etcd_members_read(&m, SELF, members, dead, now_ms, false, on_gone, NULL);
    is_short = false;
    cJSON_Delete(members);
    cJSON_Delete(dead);
}

static bool is_cared_for(uint64_t now_ms)
{
    assert_int_equal(m.ndead, 1);
    return etcd_dead_is_cared_for(&m, &m.dead[0], SELF "@1", now_ms, TTL);
}

static const struct store_member *shown(const char *node)
{
    etcd_members_show(&m, 1000, TTL);
    for (size_t i = 0; i < m.nshown; i++)
        if (strcmp(m.shown[i].node, node) == 0)
            return &m.shown[i];
    return NULL;
}

/* ---- members ---- */

TEST(a_member_is_due_after_a_ttl_of_silence_or_when_it_leaves)
{
    put("m/" SELF, "{\"i\":\"x\",\"q\":1}");
    put("m/g2", "{\"i\":\"y\",\"q\":1,\"l\":7,\"w\":\"1.2\",\"h\":\"abc\"}");
    beat(1000, false);
    assert_int_equal(m.n, 1); /* without itself */
    assert_false(etcd_member_is_due(&m.members[0], 1000 + TTL - 1, TTL));
    assert_true(etcd_member_is_due(&m.members[0], 1000 + TTL, TTL));
    assert_int_equal(shown("g2")->state, MEMBER_ALIVE);
    assert_int_equal(shown("g2")->leases, 7);
    assert_string_equal(shown("g2")->version, "1.2");
    assert_string_equal(shown("g2")->config_digest, "abc");
    put("m/g2", "{\"i\":\"y\",\"q\":2,\"g\":1}");
    beat(1000, false);
    assert_true(etcd_member_is_due(&m.members[0], 1000, TTL));
    assert_int_equal(shown("g2")->state, MEMBER_LEAVING);
    do_op(ETCD_DELETE, "m/g2", NULL);
    beat(1000, false);
    assert_int_equal(m.n, 0);
    assert_string_equal(gone, "g2");
}

/* It has shown a sign of life all the same, and what it says is read from the next beat. */
TEST(a_member_that_there_was_no_memory_for_is_read_again)
{
    put("m/g2", "{\"i\":\"y\",\"q\":1,\"g\":1}");
    beat(1000, false);
    put("m/g2", "{\"i\":\"y\",\"q\":2}");
    beat(2000, true);
    assert_int_equal(m.members[0].seen_ms, 2000);
    assert_true(m.members[0].leaving);
    beat(2000, false);
    assert_false(m.members[0].leaving);
}

/* Such a key is no gateway's, and no fence could name it. */
TEST(a_key_of_another_form_is_no_member_and_no_dead_one)
{
    put("m/x/g2", "{\"i\":\"y\",\"q\":1}");
    put("m/", "{\"i\":\"y\",\"q\":1}");
    put("d/x/g3@5", "{\"a\":\"g4@1\"}");
    beat(1000, false);
    assert_int_equal(m.n, 0);
    assert_int_equal(m.ndead, 0);
}

/* ---- the dead ---- */

TEST(the_rows_of_a_dead_one_are_cared_for_while_its_adopter_lives)
{
    put("m/g3", "{\"i\":\"z\",\"q\":1}");
    int64_t epoch = fake_etcd_revision(keys);
    char value[64];

    (void)snprintf(value, sizeof value, "{\"a\":\"g3@%lld\"}", (long long)epoch);
    put("d/g2@5", value);
    beat(1000, false);
    assert_true(is_cared_for(1000));
    assert_int_equal(shown("g2")->state, MEMBER_ADOPTED);
    assert_memory_equal(shown("g2")->adopter, "g3@", 3);
    do_op(ETCD_DELETE, "m/g3", NULL);
    beat(1000, false);
    assert_false(is_cared_for(1000));
    put("d/g2@5", "{\"a\":\"\"}");
    beat(1000, false);
    assert_false(is_cared_for(1000));
    put("d/g2@5", "{\"a\":\"\",\"x\":\"g9@1 g1@1 \"}"); /* this one lacks their vault */
    beat(1000, false);
    assert_true(is_cared_for(1000));
    put("d/g2@5", "{\"a\":\"g2@0\"}"); /* its next incarnation, for a ttl */
    beat(1000, false);
    assert_true(is_cared_for(1000 + TTL - 1));
    assert_false(is_cared_for(1000 + TTL));
}

/* Else they would be taken from their adopter. */
TEST(a_dead_one_that_there_was_no_memory_for_keeps_its_adopter)
{
    put("d/g2@5", "{\"a\":\"g2@0\"}");
    beat(1000, true);
    assert_int_equal(m.ndead, 0); /* the next beat adds it */
    beat(1000, false);
    assert_true(is_cared_for(1000));
    beat(1001, true);
    assert_true(is_cared_for(1001));
    int64_t mod = m.dead[0].mod;

    put("d/g2@5", "{\"a\":\"\"}");
    beat(1002, true);
    assert_true(is_cared_for(1002));
    assert_int_equal(m.dead[0].mod, mod); /* a transaction that compares it fails */
    beat(1003, false);
    assert_false(is_cared_for(1003));
}

/* ---- itself ---- */

TEST(its_own_key_is_its_own_another_s_or_not_read)
{
    static const char value[] = "{\"i\":\"one\",\"q\":7}";
    uint64_t sequence;

    assert_int_equal(etcd_self_read(value, strlen(value), "one", &sequence), 0);
    assert_int_equal(sequence, 7);
    assert_int_equal(etcd_self_read(value, strlen(value), "two", &sequence), -ENOENT);
    assert_int_equal(etcd_self_read("{", 1, "one", &sequence), -ENOENT);
    is_short = true;
    assert_int_equal(etcd_self_read(value, strlen(value), "one", &sequence), -ENOMEM);
    is_short = false;
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_member_is_due_after_a_ttl_of_silence_or_when_it_leaves),
        T(a_member_that_there_was_no_memory_for_is_read_again),
        T(a_key_of_another_form_is_no_member_and_no_dead_one),
        T(the_rows_of_a_dead_one_are_cared_for_while_its_adopter_lives),
        T(a_dead_one_that_there_was_no_memory_for_keeps_its_adopter),
        T(its_own_key_is_its_own_another_s_or_not_read),
    };
    cJSON_Hooks hooks = {.malloc_fn = take, .free_fn = free};

    cJSON_InitHooks(&hooks);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
