/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_log.c - both forms of a log line, and that nothing from outside can forge one.
 */
#include "base/json.h"
#include "base/log.h"
#include "check.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char path[64];

static void open_log(bool json, enum log_level level)
{
    (void)snprintf(path, sizeof(path), "/tmp/jumpgate-log-%ld", (long)getpid());
    (void)unlink(path);
    assert_int_equal(log_open(&(struct log_opts){.level = level, .json = json, .file = path}), 0);
}

static char *read_log(void)
{
    static char text[8192];
    FILE *f = fopen(path, "r");

    assert_non_null(f);
    size_t n = fread(text, 1, sizeof(text) - 1, f);
    text[n] = '\0';
    (void)fclose(f);
    return text;
}

static int teardown(void **state)
{
    (void)state;
    log_close();
    (void)unlink(path);
    return 0;
}

static void text_lines(void **state)
{
    (void)state;
    const char *volatile nothing = NULL;
    open_log(false, LOG_INFO);
    log_info("check_out", "user=%s n=%d big=%" PRIu64 " size=%zu age=%.3f none=%s", "ACME\\mrivera", -3,
             UINT64_MAX, (size_t)7, 1.5, nothing);
    log_debug("hidden", "x=%d", 1);
    log_warn("forged", "name=%s", "a\nb \"c\" level=error");
    log_error("bare", "x=%s", "");
    char *text = read_log();
    assert_non_null(strstr(text,
                           "Z info  check_out user=\"ACME\\\\mrivera\" n=-3 big=18446744073709551615 size=7 "
                           "age=1.500 none=-\n"));
    assert_non_null(strstr(text, " warn  forged name=\"a\\nb \\\"c\\\" level=error\"\n"));
    assert_non_null(strstr(text, " error bare x=\"\"\n"));
    assert_null(strstr(text, "hidden"));
}

static void json_lines(void **state)
{
    (void)state;
    open_log(true, LOG_DEBUG);
    log_debug("event", "s=%s n=%d hex=%x l=%ld", "q\"\n\xff", 5, 255u, -7L);
    char *text = read_log();
    assert_non_null(strstr(text,
                           "\"level\":\"debug\",\"event\":\"event\",\"s\":\"q\\\"\\n\xef\xbf\xbd\",\"n\":5,"
                           "\"hex\":\"ff\",\"l\":-7}\n"));
    assert_null(json_check(text, strlen(text), 4, 0));
}

static void reopening_follows_a_rotation(void **state)
{
    (void)state;
    open_log(false, LOG_INFO);
    log_info("one", "x=%d", 1);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(log_reopen(), 0);
    log_info("two", "x=%d", 2);
    char *text = read_log();
    assert_null(strstr(text, "one"));
    assert_non_null(strstr(text, "two x=2"));
    assert_int_equal(log_open(&(struct log_opts){.level = LOG_INFO, .file = "/nonexistent/x"}), -ENOENT);
    log_info("three", "x=%d", 3);
    assert_non_null(strstr(read_log(), "three"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(text_lines, teardown),
        cmocka_unit_test_teardown(json_lines, teardown),
        cmocka_unit_test_teardown(reopening_follows_a_rotation, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
