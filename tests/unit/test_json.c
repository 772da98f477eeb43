/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_json.c - the strict reader, the single-string reader in both server dialects, and the writer.
 */
#include "base/json.h"
#include "base/jsonw.h"
#include "base/utf8.h"
#include "check.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *why_not(const char *text)
{
    return json_check(text, strlen(text), 32, 0);
}

TEST(good_texts_are_taken)
{
    static const char *const good[] = {
        "{}",
        "[]",
        " {\"a\" : [1, -2.5e+3, 0.1, true, false, null] }\r\n",
        "\"\"",
        "0",
        "-0",
        "22.0",
        "1E5",
        "\"\\u00e9\\ud83d\\ude00\\n\\/\"",
        "\"\xf0\x9f\x98\x80\"",
    };
    for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
        if (why_not(good[i]))
            fail_msg("%s: %s", good[i], why_not(good[i]));
}

TEST(bad_texts_are_refused)
{
    static const char *const bad[] = {
        "",
        " ",
        "{",
        "}",
        "{\"a\"}",
        "{\"a\":}",
        "{a:1}",
        "{'a':1}",
        "[1,]",
        "{\"a\":1,}",
        "[1 2]",
        "01",
        "1.",
        ".5",
        "+1",
        "1e",
        "-",
        "nul",
        "True",
        "NaN",
        "\"\x01\"",
        "\"\\x\"",
        "\"\\u12\"",
        "\"\\u0000\"",
        "\"\\ud800\"",
        "\"\\udc00\"",
        "\"\\ud800\\u0041\"",
        "\"\xff\"",
        "\"\xc0\x80\"",
        "\"\xed\xa0\x80\"",
        "\"\xf5\x80\x80\x80\"",
        "\"abc",
        "\"abc\\",
        "{} x",
        "{}{}",
        "\xef\xbb\xbf{}",
        "// x\n{}",
        "{\"a\":1,\"a\":2}",
        "{\"b\":{\"a\":1,\"\\u0061\":2}}",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        if (!why_not(bad[i]))
            fail_msg("taken: %s", bad[i]);
    assert_non_null(json_check("{}\0", 3, 32, 0));
}

TEST(depth_counts_the_outermost_as_one)
{
    char text[200];

    for (int depth = 31; depth <= 33; depth++) {
        memset(text, '[', (size_t)depth);
        memset(text + depth, ']', (size_t)depth);
        const char *why = json_check(text, (size_t)depth * 2, 32, 0);
        if (depth <= 32)
            assert_null(why);
        else
            assert_string_equal(why, "nested too deep");
    }
}

/* Every prefix of a good text is refused or, if a value by itself, taken; nothing is read beyond its end. */
TEST(every_prefix_is_survived)
{
    const char *text = "{\"a\":[1.5e3,\"\\ud83d\\ude00\xc3\xa9\",{\"b\":null}],\"c\":true}";
    size_t n = strlen(text);

    for (size_t i = 0; i < n; i++) {
        char *copy = malloc(i ? i : 1);
        assert_non_null(copy);
        memcpy(copy, text, i);
        assert_non_null(json_check(copy, i, 32, 0));
        free(copy);
    }
    assert_null(why_not(text));
}

TEST(members_are_found)
{
    const char *text = "{\"SystemId\":17,\"n\":22.0,\"f\":2.5,\"z\":null,\"big\":1e300}", *why;
    cJSON *tree = json_parse(text, strlen(text), 32, 0, &why);
    int64_t n = 0;

    assert_non_null(tree);
    assert_null(json_get(tree, "systemid"));
    assert_true(json_int(json_get_nocase(tree, "systemID"), &n) && n == 17);
    assert_true(json_int(json_get(tree, "n"), &n) && n == 22);
    assert_false(json_int(json_get(tree, "f"), &n));
    assert_false(json_int(json_get(tree, "big"), &n));
    assert_null(json_get(tree, "z"));
    assert_false(json_int(NULL, &n));
    cJSON_Delete(tree);
}

TEST(vault_answers_may_repeat_members)
{
    const char *text = "{\"a\":1,\"a\":2}", *why;

    cJSON *tree = json_parse(text, strlen(text), 32, JSON_DUPLICATES_OK, &why);
    assert_non_null(tree);
    cJSON_Delete(tree);
}

/* ---- texts of the vault ---- */

#define FFFD "\xef\xbf\xbd"

TEST(letters_of_the_vault_are_mended)
{
    static const struct {
        const char *json, *text;
        size_t mended;
    } rows[] = {
        {"\"plain \xc3\xa9 \\ud83d\\ude00\"", "plain \xc3\xa9 \xf0\x9f\x98\x80", 0},
        {"\"a\\u0000b\"", "a" FFFD "b", 1},
        {"\"\\u0000\\u0000\"", FFFD FFFD, 1},
        {"\"\\ud800\"", FFFD, 1},
        {"\"\\ud800\\u0041\"", FFFD "A", 1},
        {"\"\\ud800\\ud83d\\ude00\"", FFFD "\xf0\x9f\x98\x80", 1},
        {"\"\\udc00x\"", FFFD "x", 1},
        {"\"caf\xe9\"", "caf" FFFD, 1},
        {"\"caf\xe9 bar\"", "caf" FFFD " bar", 1},
        {"\"\xe2\x82\"", FFFD, 1},
        {"\"\xe2\x82z\"", FFFD "z", 1},
        {"\"\xc0\x80\"", FFFD FFFD, 1},
        {"\"\xed\xa0\x80\"", FFFD FFFD FFFD, 1},
        {"\"\xff\xfe\"", FFFD FFFD, 1},
        {"\"\xf0\x9f\x98\"", FFFD, 1},
        {"\"a\tb\x01\"", "a" FFFD "b" FFFD, 1},
        {"\"\\\"\\u0000\\\\\"", "\"" FFFD "\\", 1},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        case_label("%s", rows[i].json);
        struct json_outcome out;
        cJSON *tree = json_read(rows[i].json, strlen(rows[i].json), 4, JSON_MEND, &out);

        assert_non_null(tree);
        assert_null(out.why);
        assert_int_equal(out.err, 0);
        assert_string_equal(tree->valuestring, rows[i].text);
        assert_int_equal(out.mended, rows[i].mended);
        cJSON_Delete(tree);
        assert_null(json_read(rows[i].mended ? rows[i].json : "\"", rows[i].mended ? strlen(rows[i].json) : 1,
                              4, 0, &out));
        assert_int_equal(out.err, rows[i].mended ? -EILSEQ : -EINVAL);
    }
}

TEST(only_the_texts_with_such_letters_change)
{
    const char *text = " {\"n\\u0000\": [1, \"a\xff\", -2.5e3], \"good\":\"b\", \"c\":{\"d\":\"\\ud800\"}} ";
    struct json_outcome out;
    cJSON *tree = json_read(text, strlen(text), 4, JSON_MEND, &out);
    const cJSON *list = json_get(tree, "n" FFFD);

    assert_non_null(list);
    assert_int_equal(out.mended, 3);
    assert_string_equal(cJSON_GetArrayItem(list, 1)->valuestring, "a" FFFD);
    assert_true(cJSON_GetArrayItem(list, 2)->valuedouble == -2500);
    assert_string_equal(json_get(tree, "good")->valuestring, "b");
    assert_string_equal(json_get(json_get(tree, "c"), "d")->valuestring, FFFD);
    cJSON_Delete(tree);
}

/* What is no text stays as strict as ever, and every prefix is survived. */
TEST(mending_is_for_letters_alone)
{
    static const char *const bad[] = {
        "\"\\x\"",
        "\"\\u12\"",
        "\"\\u12g4\"",
        "\"abc",
        "\"a\xff",
        "[1,]",
        "[\"\xff\" 2]",
        "nul",
        "\xff",
        "\"a\"\xff",
        "{\"a\":1,\"a\":\"\xff\"}",
        "{\"a\xff\":1,\"a\\u0000\":2}",
    };
    const char *text = "{\"a\":[\"\xff\\u0000\",12345678901234567,{\"\\ud800\":null}]}";
    struct json_outcome out;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_null(json_read(bad[i], strlen(bad[i]), 4, JSON_MEND | JSON_EXACT, &out));
        assert_int_equal(out.err, -EINVAL);
        assert_non_null(out.why);
    }
    for (size_t n = 0; n < strlen(text); n++) {
        char *copy = malloc(n ? n : 1);
        assert_non_null(copy);
        memcpy(copy, text, n);
        assert_null(json_read(copy, n, 8, JSON_MEND | JSON_EXACT, &out));
        free(copy);
    }
}

static bool exact(const char *json, int64_t *n)
{
    struct json_outcome out;
    cJSON *tree = json_read(json, strlen(json), 2, JSON_EXACT, &out);
    bool good;

    assert_non_null(tree);
    assert_true(json_is_numeral(tree) || cJSON_IsArray(tree) || !json_int_exact(tree, n));
    good = json_int_exact(tree, n);
    cJSON_Delete(tree);
    return good;
}

TEST(integers_are_read_exactly_or_not_at_all)
{
    static const struct {
        const char *json;
        int64_t n;
    } good[] = {
        {"9007199254740991", INT64_C(9007199254740991)},
        {"9007199254740992", INT64_C(9007199254740992)},
        {"9007199254740993", INT64_C(9007199254740993)},
        {"-9007199254740993", INT64_C(-9007199254740993)},
        {"9223372036854775807", INT64_MAX},
        {"-9223372036854775808", INT64_MIN},
        {"22.0", 22},
        {"\"17\"", 17},
    };
    static const char *const bad[] = {"9223372036854775808",
                                      "1e16",
                                      "9007199254740993.0",
                                      "99999999999999999999999",
                                      "1.5",
                                      "\"17 \"",
                                      "\"x\"",
                                      "\"\"",
                                      "true",
                                      "null",
                                      "[]"};
    static const char *const doubles[] = {"9007199254740992", "9007199254740993", "-9007199254740992",
                                          "1e300"};
    struct json_outcome out;
    int64_t n = 0;

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_true(exact(good[i].json, &n));
        assert_true(n == good[i].n);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(exact(bad[i], &n));
    for (size_t i = 0; i < sizeof(doubles) / sizeof(doubles[0]); i++) { /* as a client's number */
        cJSON *tree = json_read(doubles[i], strlen(doubles[i]), 2, 0, &out);
        assert_false(json_int(tree, &n));
        cJSON_Delete(tree);
    }
}

TEST(secrets_are_never_mended)
{
    static const char *const bad[] = {"\"a\\u0000b\"", "\"\\ud800\"", "\"\xff\"", "\"a\nb\""};
    struct secret s = {0};

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(json_unescape(bad[i], strlen(bad[i]), &s), -EILSEQ);
    assert_null(s.p);
}

static void one_string(const char *json, const char *plain)
{
    struct secret s = {0};

    assert_int_equal(json_unescape(json, strlen(json), &s), 0);
    assert_string_equal(s.p, plain);
    assert_int_equal(s.len, strlen(plain));
    secret_clear(&s);
}

TEST(passwords_survive_both_dialects)
{
    struct secret s = {0};

    one_string("\"Tr0ut\\\\lamp\\\"42&co\"", "Tr0ut\\lamp\"42&co");
    one_string("\"Tr0ut\\\\lamp\\u002242\\u0026co\"", "Tr0ut\\lamp\"42&co");
    one_string(" \"\\u003Ca\\u003e\\u0027\\u002B\" \r\n", "<a>'+");
    one_string("\"\\u00E9\xc3\xa9\\uD83D\\uDE00\"", "\xc3\xa9\xc3\xa9\xf0\x9f\x98\x80");
    one_string("\"-----BEGIN\\r\\nX\\n\\t\\b\\f\\/\"", "-----BEGIN\r\nX\n\t\b\f/");
    one_string("\"\"", "");
    assert_int_equal(json_unescape("abc", 3, &s), -EINVAL);
    assert_int_equal(json_unescape("\"abc", 4, &s), -EINVAL);
    assert_int_equal(json_unescape("\"a\"b", 4, &s), -EINVAL);
    assert_int_equal(json_unescape("{\"a\":1}", 7, &s), -EINVAL);
    assert_null(s.p);
}

TEST(the_writer_writes_valid_json)
{
    struct buf b = BUF_INIT(4096);
    struct jsonw w = jsonw_start(&b);

    jsonw_object(&w, NULL);
    jsonw_str(&w, "s", "a\"\\\n\x01\x7f\xc3\xa9\xff\xc3");
    jsonw_str(&w, "none", NULL);
    jsonw_array(&w, "rows");
    jsonw_int(&w, NULL, INT64_MIN);
    jsonw_int(&w, NULL, 0);
    jsonw_double(&w, NULL, 2.5);
    jsonw_double(&w, NULL, 100);
    jsonw_object(&w, NULL);
    jsonw_end(&w);
    jsonw_bool(&w, NULL, true);
    jsonw_end(&w);
    jsonw_raw(&w, "raw", "[1]", 3);
    jsonw_end(&w);
    assert_false(b.failed);
    assert_string_equal(buf_cstr(&b),
                        "{\"s\":\"a\\\"\\\\\\n\\u0001\\u007f\xc3\xa9\xef\xbf\xbd\xef\xbf\xbd\",\"none\":null,"
                        "\"rows\":[-9223372036854775808,0,2.5,100,{},true],\"raw\":[1]}");
    assert_null(json_check(b.data, b.len, 32, 0));
    buf_free(&b);
}

/* Whatever bytes go in, valid JSON comes out, and reading it back gives the bytes if they were UTF-8. */
TEST(random_bytes_come_out_valid)
{
    unsigned seed = 11;
    char bytes[40];

    for (int round = 0; round < 3000; round++) {
        size_t n = (size_t)(rand_r(&seed) % 40);
        for (size_t i = 0; i < n; i++)
            bytes[i] = (char)(1 + rand_r(&seed) % 255);
        struct buf b = BUF_INIT(4096);
        struct jsonw w = jsonw_start(&b);
        jsonw_strn(&w, NULL, bytes, n);
        assert_null(json_check(b.data, b.len, 1, 0));
        struct secret s = {0};
        assert_int_equal(json_unescape(b.data, b.len, &s), 0);
        if (utf8_valid(bytes, n)) {
            assert_int_equal(s.len, n);
            if (n)
                assert_memory_equal(s.p, bytes, n);
        }
        secret_clear(&s);
        buf_free(&b);
    }
}

/* ---- where trees live ---- */

static size_t secret_blocks(void)
{
    struct arena_state state;

    secret_state(&state);
    return state.blocks;
}

/* Every piece of the tree, names and texts included. */
static bool all_secret(const cJSON *value, bool secret)
{
    const cJSON *child;

    if (secret_owns(value) != secret || (value->string && secret_owns(value->string) != secret) ||
        (value->valuestring && secret_owns(value->valuestring) != secret))
        return false;
    cJSON_ArrayForEach(child, value) if (!all_secret(child, secret)) return false;
    return true;
}

/* A text of `n` members, one of them long. */
static void write_text(struct buf *b, int n)
{
    static char filler[6000];
    struct jsonw w = jsonw_start(b);

    memset(filler, 'x', sizeof(filler) - 1);
    jsonw_object(&w, NULL);
    for (int i = 0; i < n; i++) {
        char name[16];

        (void)snprintf(name, sizeof(name), "n%d", i);
        jsonw_str(&w, name, i == n / 2 ? filler : name);
    }
    jsonw_end(&w);
    assert_false(b->failed);
}

/* Trees of all sizes, secret ones between others, thrown away in another order than made. */
TEST(trees_live_where_they_should)
{
    static const int sizes[] = {0, 1, 3, 40, 3000};
    enum { NTREES = 2 * sizeof(sizes) / sizeof(sizes[0]) };
    size_t before = secret_blocks();
    cJSON *trees[NTREES];
    const char *why;

    for (int i = 0; i < NTREES; i++) {
        struct buf b = BUF_INIT(1 << 20);
        write_text(&b, sizes[i / 2]);
        trees[i] = json_parse(b.data, b.len, 4, i % 2 ? JSON_SECRET : 0, &why);
        assert_non_null(trees[i]);
        buf_free(&b);
    }
    for (int i = 0; i < NTREES; i++) {
        assert_int_equal(cJSON_GetArraySize(trees[i]), sizes[i / 2]);
        assert_true(all_secret(trees[i], i % 2));
    }
    assert_true(secret_blocks() > before);
    for (int i = 0; i < NTREES; i += 2)
        cJSON_Delete(trees[i]);
    for (int i = NTREES - 1; i > 0; i -= 2)
        cJSON_Delete(trees[i]);
    assert_int_equal(secret_blocks(), before);
    cJSON *own = cJSON_CreateObject(); /* not by json_parse() */
    assert_non_null(cJSON_AddStringToObject(own, "a", "b"));
    assert_true(all_secret(own, false));
    cJSON_Delete(own);
}

TEST(duplicates_among_few_and_many)
{
    for (int n = 2; n < 40; n++) {
        struct buf b = BUF_INIT(1 << 16);
        write_text(&b, n);
        assert_null(json_check(b.data, b.len, 2, 0));
        b.len--; /* the last brace */
        assert_int_equal(buf_printf(&b, ",\"n%d\":1}", n / 3), 0);
        assert_string_equal(json_check(b.data, b.len, 2, 0), "duplicate member");
        buf_free(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trees_live_where_they_should),
        cmocka_unit_test(duplicates_among_few_and_many),
        cmocka_unit_test(good_texts_are_taken),
        cmocka_unit_test(bad_texts_are_refused),
        cmocka_unit_test(depth_counts_the_outermost_as_one),
        cmocka_unit_test(every_prefix_is_survived),
        cmocka_unit_test(members_are_found),
        cmocka_unit_test(vault_answers_may_repeat_members),
        cmocka_unit_test(letters_of_the_vault_are_mended),
        cmocka_unit_test(only_the_texts_with_such_letters_change),
        cmocka_unit_test(mending_is_for_letters_alone),
        cmocka_unit_test(integers_are_read_exactly_or_not_at_all),
        cmocka_unit_test(secrets_are_never_mended),
        cmocka_unit_test(passwords_survive_both_dialects),
        cmocka_unit_test(the_writer_writes_valid_json),
        cmocka_unit_test(random_bytes_come_out_valid),
    };

    json_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
