/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_log.c - both forms of a log line, and that nothing from outside can forge one.
 */
#include "base/json.h"
#include "base/log.h"
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
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

TEST(text_lines)
{
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

TEST(json_lines)
{
    open_log(true, LOG_DEBUG);
    log_debug("event", "s=%s n=%d hex=%x l=%ld", "q\"\n\xff", 5, 255u, -7L);
    char *text = read_log();
    assert_non_null(strstr(text,
                           "\"level\":\"debug\",\"event\":\"event\",\"s\":\"q\\\"\\n\xef\xbf\xbd\",\"n\":5,"
                           "\"hex\":\"ff\",\"l\":-7}\n"));
    assert_null(json_check(text, strlen(text), 4, 0));
}

TEST(reopening_follows_a_rotation)
{
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

TEST(invisible_characters_are_escaped)
{
    open_log(false, LOG_INFO);
    log_info("text", "x=%s",
             "a\xc2\x9b"
             "31m\xe2\x80\xae"
             "b\xe2\x80\x8b\xf3\xa0\x81\x81\x7f");
    assert_non_null(strstr(read_log(), "x=\"a\\u009b31m\\u202eb\\u200b\\udb40\\udc41\\u007f\"\n"));
    open_log(true, LOG_INFO);
    log_info("json", "x=%s", "Zo\xc3\xab\xc2\x85\xe2\x81\xa6\xef\xbb\xbf");
    char *text = read_log();
    assert_non_null(strstr(text, "\"x\":\"Zo\xc3\xab\\u0085\\u2066\\ufeff\"}\n"));
    assert_null(json_check(text, strlen(text), 4, 0));
}

TEST(only_regular_files_are_opened)
{
    char name[80];
    struct log_opts opts = {.level = LOG_INFO, .file = name};
    (void)snprintf(name, sizeof(name), "/tmp/jumpgate-log-%ld.other", (long)getpid());
    (void)unlink(name);
    assert_int_equal(mkfifo(name, 0600), 0);
    assert_int_equal(log_open(&opts), -EMEDIUMTYPE); /* and does not wait for a reader */
    int reader = open(name, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    assert_true(reader >= 0);
    assert_int_equal(log_open(&opts), -EMEDIUMTYPE);
    assert_int_equal(close(reader), 0);
    assert_int_equal(unlink(name), 0);
    assert_int_equal(symlink("/tmp", name), 0);
    assert_int_equal(log_open(&opts), -ELOOP);
    assert_int_equal(unlink(name), 0);
    assert_non_null(strstr(log_why(-ELOOP), "link"));
    assert_int_equal(log_open(&(struct log_opts){.level = LOG_INFO, .file = "/dev/tty"}), -EMEDIUMTYPE);
}

/* ---- a thread writes ---- */

static struct {
    int reader, kept;
} pipe_of;

/* Standard error becomes a pipe whose end the test has. */
static void pipe_stderr(void)
{
    int fds[2];

    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    pipe_of.reader = fds[0];
    pipe_of.kept = dup(STDERR_FILENO);
    assert_true(pipe_of.kept >= 0);
    assert_int_equal(dup2(fds[1], STDERR_FILENO), STDERR_FILENO);
    assert_int_equal(close(fds[1]), 0);
    assert_int_equal(log_open(&(struct log_opts){.level = LOG_INFO, .file = "-"}), 0);
}

static void give_stderr_back(void)
{
    assert_int_equal(dup2(pipe_of.kept, STDERR_FILENO), STDERR_FILENO);
    assert_int_equal(close(pipe_of.kept), 0);
}

/* Up to and with the line about what was left out, which is the last one. */
static const char *read_until_note(struct buf *all)
{
    char piece[4096];
    const char *note = NULL;

    while (!note || !strchr(note, '\n')) {
        ssize_t n = read(pipe_of.reader, piece, sizeof(piece));
        assert_true(n > 0);
        assert_int_equal(buf_append(all, piece, (size_t)n), 0);
        size_t tail = all->len < 2 * sizeof(piece) ? all->len : 2 * sizeof(piece);
        note = strstr(buf_cstr(all) + all->len - tail, " warn  log_lines_left_out lines=");
    }
    return note;
}

/* Much more than a pipe and the queue hold, and it is not read: the caller is not delayed. */
TEST(a_log_that_is_not_read_delays_no_caller)
{
    enum { LINES = 40000 };
    struct buf all = BUF_INIT(64 << 20);
    uint64_t before = log_left_out();
    pipe_stderr();
    assert_int_equal(log_thread(), 0);
    for (int i = 0; i < LINES; i++)
        log_info("line", "number=%d filling=%s", i, "............................................");
    uint64_t left_out = log_left_out() - before;
    assert_true(left_out > 0 && left_out < LINES);
    const char *note = read_until_note(&all); /* now it flows */
    assert_int_equal(strtoull(strchr(note, '=') + 1, NULL, 10), left_out);
    log_close();
    give_stderr_back();
    assert_int_equal(close(pipe_of.reader), 0);
    /* What was taken is there in its order, what was left out is one stretch behind it. */
    uint64_t next = 0;
    for (const char *p = strstr(buf_cstr(&all), "number="); p; p = strstr(p + 1, "number="))
        assert_int_equal(strtoull(p + 7, NULL, 10), next++);
    assert_int_equal(next + left_out, LINES);
    buf_free(&all);
}

TEST(the_end_does_not_wait_for_a_reader)
{
    pipe_stderr();
    assert_int_equal(log_thread(), 0);
    for (int i = 0; i < 2000; i++)
        log_info("line", "number=%d filling=%s", i, "............................................");
    log_close(); /* comes back */
    give_stderr_back();
    assert_int_equal(close(pipe_of.reader), 0);
}

/* The pipe has no reading end any more; the lines of then are counted, and written about where there is a
 * way. */
TEST(what_a_broken_log_lost_is_reported_later)
{
    pipe_stderr();
    assert_int_equal(log_thread(), 0);
    assert_int_equal(close(pipe_of.reader), 0);
    uint64_t before = log_left_out();
    for (int i = 0; i < 10; i++)
        log_info("lost", "number=%d", i);
    open_log(false, LOG_INFO);
    assert_int_equal(log_left_out() - before, 10);
    log_info("after", "number=%d", 10);
    log_close();
    give_stderr_back();
    char *text = read_log(), *note = strstr(text, "log_lines_left_out lines=10\n");
    assert_non_null(note);
    assert_non_null(strstr(note, "after number=10\n"));
    assert_null(strstr(text, "lost"));
    assert_int_equal(log_left_out() - before, 10);
}

TEST(what_waits_goes_to_the_new_file)
{
    open_log(false, LOG_INFO);
    assert_int_equal(log_thread(), 0);
    for (int i = 0; i < 100; i++) {
        log_info("line", "number=%d", i);
        if (i == 50) {
            assert_int_equal(unlink(path), 0);
            assert_int_equal(log_reopen(), 0);
        }
    }
    log_close();
    char *text = read_log();
    assert_non_null(strstr(text, "number=99\n"));
    assert_non_null(strstr(text, "number=51\n"));
}

int main(void)
{
    (void)signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(text_lines, teardown),
        cmocka_unit_test_teardown(json_lines, teardown),
        cmocka_unit_test_teardown(reopening_follows_a_rotation, teardown),
        cmocka_unit_test_teardown(invisible_characters_are_escaped, teardown),
        cmocka_unit_test_teardown(only_regular_files_are_opened, teardown),
        cmocka_unit_test_teardown(a_log_that_is_not_read_delays_no_caller, teardown),
        cmocka_unit_test_teardown(what_a_broken_log_lost_is_reported_later, teardown),
        cmocka_unit_test_teardown(what_waits_goes_to_the_new_file, teardown),
        cmocka_unit_test_teardown(the_end_does_not_wait_for_a_reader, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
