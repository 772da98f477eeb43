/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_last_errors.c - the requests that failed last: which are equal, which are forgotten, who reads names.
 */
#include "check.h"

#include "handlers/last_errors.h"

#include <stdio.h>
#include <string.h>

static struct last_errors *list;
static char page[1 << 16];

static int setup(void **state)
{
    (void)state;
    list = last_errors_new(3);
    return list ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    last_errors_free(list);
    return 0;
}

static void failed(const char *id, const char *client, enum fault_code code, const char *user)
{
    struct fault f;

    fault_set(&f, code, "why %s", id);
    last_errors_add(list, &(struct failed_request){.wall_ms = 1773135012345,
                                                   .request_id = id,
                                                   .operation = "find",
                                                   .client = client,
                                                   .user = user,
                                                   .endpoint = "web01",
                                                   .fault = &f});
}

static const char *written(bool names)
{
    struct buf buf = BUF_INIT(sizeof(page));
    struct jsonw w = jsonw_start(&buf);

    jsonw_object(&w, NULL);
    last_errors_write(list, &w, names);
    jsonw_end(&w);
    assert_false(buf.failed);
    snprintf(page, sizeof(page), "%s", buf_cstr(&buf));
    buf_free(&buf);
    return page;
}

/* The ids in their order, with the counts: "b1 a3". */
static const char *order(void)
{
    static char out[256];
    const char *at = written(true);
    size_t n = 0;

    out[0] = '\0';
    while ((at = strstr(at, "\"request_id\":\""))) {
        char id[16];
        int count;

        assert_int_equal(sscanf(at, "\"request_id\":\"%15[^\"]", id), 1);
        at = strstr(at, "\"count\":");
        assert_non_null(at);
        assert_int_equal(sscanf(at, "\"count\":%d", &count), 1);
        n += (size_t)snprintf(out + n, sizeof(out) - n, "%s%s*%d", n ? " " : "", id, count);
    }
    return out;
}

TEST(a_row_has_its_members)
{
    failed("a", "pra", FAULT_NOT_ENTITLED, "CORP\\ann");
    assert_string_equal(
        written(true), "{\"last_errors\":[{\"at\":\"2026-03-10T09:30:12.345Z\",\"request_id\":\"a\","
                       "\"operation\":\"find\",\"client\":\"pra\",\"status\":403,\"code\":\"not_entitled\","
                       "\"count\":1,\"user\":\"CORP\\\\ann\",\"endpoint\":\"web01\",\"detail\":\"why a\"}]}");
}

TEST(names_are_for_operators)
{
    failed("a", "pra", FAULT_NOT_ENTITLED, "CORP\\ann");
    assert_non_null(strstr(written(false), "\"count\":1,\"user\":null,\"endpoint\":null,\"detail\":null}"));
}

TEST(equal_failures_are_one_row)
{
    failed("a", "pra", FAULT_NOT_ENTITLED, "ann");
    failed("b", "pra", FAULT_NOT_ENTITLED, "bob");
    failed("c", "pra", FAULT_NOT_ENTITLED, "ann");
    assert_string_equal(order(), "c*2 b*1");
    failed("d", "ops", FAULT_NOT_ENTITLED, "ann");
    assert_string_equal(order(), "d*1 c*2 b*1");
}

TEST(the_one_untouched_longest_goes)
{
    failed("a", "pra", FAULT_NOT_ENTITLED, "ann");
    failed("b", "pra", FAULT_DRAINING, "ann");
    failed("c", "pra", FAULT_INTERNAL, "ann");
    failed("d", "pra", FAULT_NOT_ENTITLED, "ann");
    failed("e", "pra", FAULT_OVERLOADED, "ann");
    assert_string_equal(order(), "e*1 d*2 c*1");
}

TEST(strangers_take_one_row_for_each_code)
{
    failed("a", "pra", FAULT_NOT_ENTITLED, "ann");
    for (int i = 0; i < 100; i++)
        failed(i % 2 ? "x" : "y", NULL, FAULT_UNAUTHENTICATED, i % 3 ? "m" : "n");
    failed("z", NULL, FAULT_NOT_FOUND, "");
    assert_string_equal(order(), "z*1 x*100 a*1");
}

TEST(long_names_are_cut_between_letters)
{
    char name[2 * LAST_ERROR_NAME + 1], wanted[LAST_ERROR_NAME + 2];

    for (size_t i = 0; i < LAST_ERROR_NAME; i++)
        memcpy(name + 2 * i, "\xc3\xab", 2);
    name[2 * LAST_ERROR_NAME] = '\0';
    failed("a", "pra", FAULT_NOT_ENTITLED, name);
    failed("b", "pra", FAULT_NOT_ENTITLED, name);
    assert_string_equal(order(), "b*2");
    memcpy(wanted, name, LAST_ERROR_NAME - 2); /* 95 letters of two bytes, and the NUL */
    wanted[LAST_ERROR_NAME - 2] = '"';
    wanted[LAST_ERROR_NAME - 1] = '\0';
    assert_non_null(strstr(written(true), wanted));
    assert_null(strstr(written(true), "\xef\xbf\xbd"));
}

TEST(nothing_may_be_kept)
{
    last_errors_free(list);
    list = last_errors_new(0);
    assert_non_null(list);
    failed("a", "pra", FAULT_NOT_ENTITLED, "ann");
    assert_string_equal(written(true), "{\"last_errors\":[]}");
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        T(a_row_has_its_members),
        T(names_are_for_operators),
        T(equal_failures_are_one_row),
        T(the_one_untouched_longest_goes),
        T(strangers_take_one_row_for_each_code),
        T(long_names_are_cut_between_letters),
        T(nothing_may_be_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
