/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_fake_etcd.c - the fake etcd answers as a real one does: both are asked the same, transactions and
 * ranges that a seed makes of few keys, and a few that etcd refuses.
 *
 * What a member says of itself (cluster, member, term) is not compared. Without etcd the test is skipped.
 */
#include "etcd_rig.h"
#include "fake_etcd.h"

#include "base/json.h"
#include "check.h"

#include <cJSON.h>
#include <stdlib.h>
#include <string.h>

#define CALLS  800
#define LEVELS 2

static struct etcd_rig rig;
static bool is_there;
static unsigned seed = 4711;

static unsigned below(unsigned n)
{
    return (unsigned)rand_r(&seed) % n;
}

/* ---- requests ---- */

static void add_base64(struct buf *to, const char *name, const char *text)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned bits = (unsigned)(unsigned char)text[0] << 8 | (unsigned char)(text[0] ? text[1] : 0);
    bool two = text[0] && text[1];

    (void)buf_printf(to, "\"%s\":\"", name);
    if (text[0])
        (void)buf_printf(to, "%c%c%c=", digits[bits >> 10], digits[bits >> 4 & 63],
                         two ? digits[bits << 2 & 63] : '=');
    (void)buf_char(to, '"');
}

static void add_key(struct buf *to, const char *name)
{
    const char key[2] = {(char)('a' + below(6)), '\0'};

    add_base64(to, name, key);
}

static void add_span(struct buf *to, unsigned chance)
{
    add_key(to, "key");
    if (below(100) >= chance)
        return;
    (void)buf_char(to, ',');
    add_key(to, below(2) ? "range_end" : "rangeEnd");
}

static void add_value(struct buf *to)
{
    const char value[3] = {(char)('A' + below(4)), below(2) ? 'x' : '\0', '\0'};

    add_base64(to, "value", below(8) ? value : "");
}

static void add_compare(struct buf *to)
{
    static const char *const results[] = {"EQUAL", "GREATER", "LESS", "NOT_EQUAL"};
    static const char *const targets[] = {"VERSION", "CREATE", "MOD", "VALUE"};
    static const char *const members[] = {"version", "create_revision", "mod_revision"};
    unsigned target = below(4);

    (void)buf_char(to, '{');
    add_span(to, 30);
    (void)buf_printf(to, ",\"target\":\"%s\",\"result\":\"%s\",", targets[target], results[below(4)]);
    if (target == 3)
        add_value(to);
    else
        (void)buf_printf(to, "\"%s\":\"%u\"", members[target], below(3) ? below(3) : below(400));
    (void)buf_char(to, '}');
}

static void add_ops(struct buf *to, unsigned levels);

static void add_txn(struct buf *to, unsigned levels)
{
    (void)buf_str(to, "{\"compare\":[");
    for (unsigned i = below(3); i; i--) {
        add_compare(to);
        (void)buf_str(to, i > 1 ? "," : "");
    }
    (void)buf_str(to, "],\"success\":[");
    add_ops(to, levels);
    (void)buf_str(to, "],\"failure\":[");
    add_ops(to, levels);
    (void)buf_str(to, "]}");
}

static void add_range(struct buf *to)
{
    add_span(to, 70);
    if (!below(3))
        (void)buf_printf(to, ",\"limit\":\"%u\"", below(4));
    if (!below(6))
        (void)buf_str(to, ",\"keys_only\":true");
    if (!below(6))
        (void)buf_str(to, ",\"count_only\":true");
}

static void add_op(struct buf *to, unsigned levels)
{
    switch (below(levels ? 4 : 3)) {
    case 0:
        (void)buf_str(to, "{\"requestPut\":{");
        add_key(to, "key");
        (void)buf_char(to, ',');
        add_value(to);
        break;
    case 1:
        (void)buf_str(to, "{\"request_delete_range\":{");
        add_span(to, 30);
        break;
    case 2:
        (void)buf_str(to, "{\"requestRange\":{");
        add_range(to);
        break;
    default:
        (void)buf_str(to, "{\"requestTxn\":");
        add_txn(to, levels - 1);
        (void)buf_char(to, '}');
        return;
    }
    (void)buf_str(to, "}}");
}

static void add_ops(struct buf *to, unsigned levels)
{
    for (unsigned n = below(4); n; n--) {
        add_op(to, levels);
        (void)buf_str(to, n > 1 ? "," : "");
    }
}

/* ---- answers ---- */

static void forget_members(cJSON *tree)
{
    cJSON *head = cJSON_GetObjectItem(tree, "header");

    cJSON_DeleteItemFromObject(head, "cluster_id");
    cJSON_DeleteItemFromObject(head, "member_id");
    cJSON_DeleteItemFromObject(head, "raft_term");
    cJSON_DeleteItemFromObject(tree, "details");
}

static void same(const char *path, const char *body, struct fake_etcd *fake)
{
    struct buf answer = BUF_INIT(1 << 24);
    int status = fake_etcd_call(fake, path, body, &answer);
    char *real = etcd_rig_ask(&rig, path, body);

    assert_non_null(real);
    case_label("%.250s", body);
    cJSON *got = cJSON_Parse(buf_cstr(&answer)), *wanted = cJSON_Parse(strstr(real, "\r\n\r\n") + 4);

    assert_non_null(got);
    assert_non_null(wanted);
    forget_members(got);
    forget_members(wanted);
    if (!cJSON_Compare(got, wanted, true))
        print_error("%s %.400s\nfake: %.400s\nreal: %.400s\n", path, body, answer.data,
                    strstr(real, "\r\n\r\n") + 4);
    assert_true(cJSON_Compare(got, wanted, true));
    assert_int_equal(status, strtol(strchr(real, ' '), NULL, 10));
    cJSON_Delete(got);
    cJSON_Delete(wanted);
    buf_free(&answer);
    free(real);
}

/* ---- tests ---- */

TEST(transactions_and_ranges_are_answered_as_by_etcd)
{
    struct fake_etcd *fake = fake_etcd_new();
    struct buf body = BUF_INIT(1 << 20);

    if (!is_there)
        skip();
    for (int i = 0; i < CALLS; i++) {
        bool range = !below(4);

        buf_clear(&body);
        if (range) {
            (void)buf_char(&body, '{');
            add_range(&body);
            (void)buf_char(&body, '}');
        } else {
            add_txn(&body, LEVELS);
        }
        same(range ? "/v3/kv/range" : "/v3/kv/txn", buf_cstr(&body), fake);
    }
    assert_true(fake_etcd_revision(fake) > CALLS / 8);
    buf_free(&body);
    fake_etcd_free(fake);
}

static void add_many(struct buf *to, int n, const char *op)
{
    for (int i = 0; i < n; i++)
        (void)buf_printf(to, "%s%s", i ? "," : "", op);
}

TEST(what_etcd_refuses_is_refused)
{
    static const char *const bodies[] = {
        "{\"success\":[{\"requestPut\":{\"value\":\"YQ==\"}}]}",
        "{\"compare\":[{\"target\":\"MOD\"}]}",
        "{\"success\":[{\"requestTxn\":{\"failure\":[{\"requestRange\":{}}]}}]}",
    };
    static const char get[] = "{\"requestRange\":{\"key\":\"YQ==\"}}";
    struct fake_etcd *fake = fake_etcd_new();
    struct buf body = BUF_INIT(1 << 20);

    if (!is_there)
        skip();
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++)
        same("/v3/kv/txn", bodies[i], fake);
    for (int outer = 100; outer <= 128; outer += 28) /* 28 or 29 operations within 100, 1 within 128 */
        for (int inner = 28; inner <= 29; inner++) {
            buf_clear(&body);
            (void)buf_str(&body, "{\"success\":[{\"requestTxn\":{\"success\":[");
            add_many(&body, inner, get);
            (void)buf_str(&body, "]}},");
            add_many(&body, outer - 1, get);
            (void)buf_str(&body, "]}");
            same("/v3/kv/txn", buf_cstr(&body), fake);
        }
    same("/v3/auth/authenticate", "{\"name\":\"a\",\"password\":\"b\"}", fake);
    buf_free(&body);
    fake_etcd_free(fake);
}

static int setup(void **state)
{
    (void)state;
    json_init();
    is_there = etcd_rig_start(&rig);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    if (is_there)
        etcd_rig_end(&rig);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_etcd_refuses_is_refused), /* writes nothing: both begin at revision 1 */
        cmocka_unit_test(transactions_and_ranges_are_answered_as_by_etcd),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
