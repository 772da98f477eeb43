/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_etcd_txn.c - etcd's transactions: the text of comparisons, operations and chains, and the answers.
 */
#include "stores/etcd_txn.h"

#include "base/json.h"
#include "check.h"

#include <string.h>

/* ---- base64 ---- */

/* Bit by bit, as another program would. */
static void encode(const char *text, char *out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t bits = 8 * strlen(text), n = 0;

    for (size_t at = 0; at < bits; at += 6) {
        unsigned digit = 0;

        for (size_t bit = at; bit < at + 6; bit++) {
            unsigned byte = bit < bits ? (unsigned char)text[bit / 8] : 0;

            digit = digit << 1 | (byte >> (7 - bit % 8) & 1U);
        }
        out[n++] = digits[digit];
    }
    while (n % 4)
        out[n++] = '=';
    out[n] = '\0';
}

static void assert_row(const char *coded, const char *text)
{
    char json[256];
    struct etcd_kv kv;

    (void)snprintf(json, sizeof(json),
                   "{\"kvs\":[{\"key\":\"%s\",\"create_revision\":\"3\",\"mod_revision\":\"4\"}]}", coded);
    cJSON *tree = cJSON_Parse(json);
    assert_non_null(tree);
    for (int i = 0; i < 2; i++) { /* what has been decoded stays so */
        assert_true(etcd_kv_read(tree, 0, &kv));
        assert_int_equal(kv.key.len, strlen(text));
        assert_string_equal(kv.key.data, text);
        assert_int_equal(kv.created, 3);
        assert_int_equal(kv.mod, 4);
        assert_int_equal(kv.value.len, 0);
    }
    assert_false(etcd_kv_read(tree, 1, &kv));
    cJSON_Delete(tree);
}

TEST(a_key_is_the_prefix_and_its_text_at_every_length)
{
    static const char head[] = "/\xc3\xbf?\xf0", text[] = "r~\xff/\x01\xfe>";

    for (size_t h = 0; h < sizeof(head); h++)
        for (size_t n = 0; n < sizeof(text); n++) {
            char prefix[8] = "", key[8] = "", whole[16], coded[32], wanted[128];
            struct buf out = BUF_INIT(4096);
            const struct etcd_writer w = {.out = &out, .prefix = prefix};

            memcpy(prefix, head, h);
            memcpy(key, text, n);
            (void)snprintf(whole, sizeof(whole), "%s%s", prefix, key);
            encode(whole, coded);
            case_label("%zu and %zu", h, n);
            etcd_write_ops(&w, &(struct etcd_op){.kind = ETCD_GET, .key = key}, 1);
            (void)snprintf(wanted, sizeof(wanted), "{\"requestRange\":{\"key\":\"%s\"}}", coded);
            assert_string_equal(buf_cstr(&out), wanted);
            assert_row(coded, whole);
            buf_clear(&out);
            etcd_write_range(&w, text, n, "", 0); /* what follows is not of the key */
            encode(prefix, whole);
            (void)snprintf(wanted, sizeof(wanted), "{\"key\":\"%s\",\"range_end\":\"%s\"}", coded, whole);
            assert_string_equal(buf_cstr(&out), wanted);
            buf_free(&out);
        }
}

/* ---- forms ---- */

#define A "\"key\":\"L2E=\"" /* /a */

TEST(each_comparison_has_its_form)
{
    static const struct {
        struct etcd_compare compare;
        const char *text;
    } cases[] = {
        {{.kind = ETCD_ABSENT, .key = "a", .mod = 9},
         "{" A ",\"target\":\"CREATE\",\"result\":\"EQUAL\",\"create_revision\":\"0\"}"},
        {{.kind = ETCD_THERE, .key = "a", .mod = 9},
         "{" A ",\"target\":\"CREATE\",\"result\":\"GREATER\",\"create_revision\":\"0\"}"},
        {{.kind = ETCD_VALUE, .key = "a", .from = "v", .to = "w"},
         "{" A ",\"target\":\"VALUE\",\"result\":\"GREATER\",\"value\":\"dg==\"},"
         "{" A ",\"target\":\"VALUE\",\"result\":\"LESS\",\"value\":\"dw==\"}"},
        {{.kind = ETCD_IS, .key = "a", .from = "v"},
         "{" A ",\"target\":\"VALUE\",\"result\":\"EQUAL\",\"value\":\"dg==\"}"},
        {{.kind = ETCD_NONE_IN, .key = "a", .to = "b", .mod = 9},
         "{" A
         ",\"range_end\":\"L2I=\",\"target\":\"CREATE\",\"result\":\"EQUAL\",\"create_revision\":\"0\"}"},
        {{.kind = ETCD_MOD, .key = "a", .mod = 9007199254740993},
         "{" A ",\"target\":\"MOD\",\"result\":\"EQUAL\",\"mod_revision\":\"9007199254740993\"}"},
        {{.kind = ETCD_MOD, .key = "a", .mod = -7},
         "{" A ",\"target\":\"MOD\",\"result\":\"EQUAL\",\"mod_revision\":\"-7\"}"},
        {{.kind = ETCD_CREATED, .key = "a", .mod = 7},
         "{" A ",\"target\":\"CREATE\",\"result\":\"EQUAL\",\"create_revision\":\"7\"}"},
        {{.kind = ETCD_OLDER_IN, .key = "a", .to = "b", .mod = 7},
         "{" A
         ",\"range_end\":\"L2I=\",\"target\":\"CREATE\",\"result\":\"LESS\",\"create_revision\":\"7\"}"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char wanted[1024];
        struct buf out = BUF_INIT(4096);
        const struct etcd_writer w = {.out = &out, .prefix = "/"};
        const struct etcd_compare twice[] = {cases[i].compare, cases[i].compare};

        case_label("%zu", i);
        etcd_write_compares(&w, twice, 2);
        (void)snprintf(wanted, sizeof(wanted), "\"compare\":[%s,%s]", cases[i].text, cases[i].text);
        assert_string_equal(buf_cstr(&out), wanted);
        buf_free(&out);
    }
}

TEST(each_operation_has_its_form)
{
    static const struct etcd_op then[] = {{.kind = ETCD_PUT, .key = "a", .value = "a"},
                                          {.kind = ETCD_DELETE, .key = "a", .to = "b"}};
    static const struct etcd_op ops[] = {
        {.kind = ETCD_PUT, .key = "a", .value = "v"},
        {.kind = ETCD_DELETE, .key = "a"},
        {.kind = ETCD_GET, .key = "a", .to = "b", .limit = 10},
        {.kind = ETCD_IF, .key = "a", .then = then, .nthen = 2},
    };
    struct buf out = BUF_INIT(4096);
    const struct etcd_writer w = {.out = &out, .prefix = "/"};

    etcd_write_ops(&w, ops, 4);
    assert_string_equal(
        buf_cstr(&out),
        "{\"requestPut\":{" A ",\"value\":\"dg==\"}},"
        "{\"requestDeleteRange\":{" A "}},"
        "{\"requestRange\":{" A ",\"range_end\":\"L2I=\",\"limit\":\"10\"}},"
        "{\"requestTxn\":{\"compare\":[{" A
        ",\"target\":\"CREATE\",\"result\":\"GREATER\",\"create_revision\":\"0\"}],\"success\":["
        "{\"requestPut\":{" A ",\"value\":\"YQ==\"}},"
        "{\"requestDeleteRange\":{" A ",\"range_end\":\"L2I=\"}}]}}");
    buf_clear(&out);
    etcd_write_reads(&w, &ops[1], 1);
    assert_string_equal(buf_cstr(&out), "{\"success\":[{\"requestDeleteRange\":{" A "}}]}");
    buf_free(&out);
}

TEST(a_chain_has_each_alternative_in_the_failure_of_the_one_before)
{
    static const struct etcd_alternative chain[] = {
        {.compares = {{.kind = ETCD_THERE, .key = "a"}},
         .ncompares = 1,
         .ops = {{.kind = ETCD_DELETE, .key = "a"}},
         .nops = 1},
        {.nops = 0},
    };
    static const struct etcd_op read = {.kind = ETCD_GET, .key = "a"};
    struct buf out = BUF_INIT(4096);
    const struct etcd_writer w = {.out = &out, .prefix = "/"};

    etcd_write_chain(&w, chain, 2, &read, 1);
    assert_string_equal(
        buf_cstr(&out),
        "{\"requestTxn\":{\"compare\":[{" A
        ",\"target\":\"CREATE\",\"result\":\"GREATER\",\"create_revision\":\"0\"}],\"success\":["
        "{\"requestDeleteRange\":{" A "}}],\"failure\":["
        "{\"requestTxn\":{\"compare\":[],\"success\":[],\"failure\":["
        "{\"requestRange\":{" A "}}]}}]}}");
    buf_free(&out);
}

/* ---- answers ---- */

TEST(a_chain_is_answered_by_the_alternative_that_held_or_by_the_reads)
{
    static const struct {
        const char *answer;
        bool is_one, held;
        size_t n;
    } cases[] = {
        {"{\"succeeded\":true}", true, true, 0},
        {"{\"succeeded\":true,\"responses\":[{\"response_txn\":{}}]}", true, true, 0},
        {"{\"responses\":[{\"response_txn\":{\"succeeded\":true}}]}", true, true, 1},
        {"{\"responses\":[{\"response_txn\":{\"responses\":[{\"response_txn\":{}}]}}]}", true, false, 2},
        {"{\"responses\":[{\"response_range\":{}}]}", true, false, 0},
        {"{\"responses\":[{\"response_txn\":{}},{\"response_txn\":{}}]}", true, false, 0},
        {"{\"responses\":[\"response_txn\"]}", true, false, 0},
        {"{\"responses\":[{\"response_txn\":[]}]}", false, false, 1},
        {"[]", false, false, 0},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        cJSON *tree = cJSON_Parse(cases[i].answer);
        bool held = false;
        size_t n = 99;

        case_label("%s", cases[i].answer);
        assert_non_null(tree);
        assert_int_equal(etcd_chain_answer(tree, &held, &n) != NULL, cases[i].is_one);
        assert_int_equal(n, cases[i].n);
        assert_int_equal(held, cases[i].held);
        cJSON_Delete(tree);
    }
}

TEST(a_response_is_in_an_object_of_its_own)
{
    cJSON *tree = cJSON_Parse("{\"responses\":[[1],{\"response_range\":{}},{\"response_put\":{}}]}");

    assert_non_null(tree);
    assert_int_equal(etcd_responses(tree), 3);
    assert_null(etcd_response(tree, 0));
    assert_true(etcd_is_range(etcd_response(tree, 1)));
    assert_false(etcd_is_range(etcd_response(tree, 2)));
    assert_null(etcd_response(tree, 3));
    assert_false(etcd_is_range(NULL));
    cJSON_Delete(tree);
}

TEST(an_answer_that_lacks_something_is_not_whole)
{
    static const struct {
        const char *rest;
        int then;
        bool whole;
    } cases[] = {
        {"\"kvs\":[{\"key\":\"YQ==\",\"value\":\"YQ==\",\"create_revision\":\"1\",\"mod_revision\":\"1\"}],"
         "\"count\":\"1\"",
         -1, true},
        {"\"kvs\":[{\"value\":\"YQ==\",\"create_revision\":\"1\",\"mod_revision\":\"1\"}],\"count\":\"1\"",
         -1, false},
        {"\"kvs\":[{\"key\":\"\",\"create_revision\":\"1\",\"mod_revision\":\"1\"}],\"count\":\"1\"", -1,
         false},
        {"\"kvs\":[{\"key\":\"YQ==\",\"create_revision\":\"1\"}],\"count\":\"1\"", -1, false},
        {"\"kvs\":[{\"key\":\"YQ==\",\"mod_revision\":\"1\"}],\"count\":\"1\"", -1, false},
        {"\"succeeded\":true", 0, true},
        {"\"succeeded\":true,\"responses\":[{\"response_put\":{}}]", 0, false},
        {"\"succeeded\":true,\"responses\":[{\"response_put\":{}}]", 1, true},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[256];

        case_label("%s", cases[i].rest);
        (void)snprintf(text, sizeof(text), "{\"header\":{\"revision\":\"5\"},%s}", cases[i].rest);
        cJSON *tree = cJSON_Parse(text);
        assert_non_null(tree);
        assert_int_equal(etcd_answer_is_whole(tree, cases[i].then, -1), cases[i].whole);
        cJSON_Delete(tree);
    }
}

TEST(a_key_that_is_no_base64_is_not_read)
{
    static const struct {
        const char *answer;
        bool is_read;
    } cases[] = {{"{\"kvs\":[{\"key\":\"!!\"}]}", false}, {"{\"kvs\":[{\"key\":5}]}", true}};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        cJSON *tree = cJSON_Parse(cases[i].answer);
        struct etcd_kv kv;

        assert_non_null(tree);
        assert_int_equal(etcd_kv_read(tree, 0, &kv), cases[i].is_read);
        assert_int_equal(kv.key.len, 0);
        cJSON_Delete(tree);
    }
}

TEST(a_small_value_is_there_as_far_as_it_fits)
{
    for (size_t size = 3; size <= 4; size++) {
        cJSON *tree = cJSON_Parse("{\"kvs\":[{\"key\":\"YQ==\",\"value\":\"YWJj\"}]}");
        char value[8] = "before";

        assert_non_null(tree);
        etcd_small_value(tree, value, size);
        assert_string_equal(value, size == 4 ? "abc" : "");
        cJSON_Delete(tree);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_is_the_prefix_and_its_text_at_every_length),
        cmocka_unit_test(each_comparison_has_its_form),
        cmocka_unit_test(each_operation_has_its_form),
        cmocka_unit_test(a_chain_has_each_alternative_in_the_failure_of_the_one_before),
        cmocka_unit_test(a_chain_is_answered_by_the_alternative_that_held_or_by_the_reads),
        cmocka_unit_test(a_response_is_in_an_object_of_its_own),
        cmocka_unit_test(an_answer_that_lacks_something_is_not_whole),
        cmocka_unit_test(a_key_that_is_no_base64_is_not_read),
        cmocka_unit_test(a_small_value_is_there_as_far_as_it_fits),
    };

    json_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
