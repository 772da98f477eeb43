/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_log_journal.c - the log under systemd: records with fields, lines with a priority, and that neither
 * delays the caller. The journal is a datagram socket of the test.
 */
#include "base/crash_message.h"
#include "base/json.h"
#include "base/log.h"
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static struct {
    char path[80], file[80];
    int fd;             /* of the journal; -1 = there is none */
    int reader, stderr; /* stderr as it was */
    char got[70000];
} t;

static void open_journal(void)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};

    (void)snprintf(to.sun_path, sizeof(to.sun_path), "%s", t.path);
    (void)unlink(t.path);
    t.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(t.fd, (struct sockaddr *)&to, sizeof(to)), 0);
}

/* Standard error is a pipe, and $JOURNAL_STREAM says that it is the journal. */
static int setup(void **state)
{
    struct stat st;
    char stream[64];
    int fds[2];

    (void)state;
    (void)snprintf(t.path, sizeof(t.path), "/tmp/jg-journal-%ld", (long)getpid());
    (void)snprintf(t.file, sizeof(t.file), "/tmp/jg-journal-%ld.log", (long)getpid());
    t.fd = -1;
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    t.reader = fds[0];
    t.stderr = dup(STDERR_FILENO);
    assert_int_equal(dup2(fds[1], STDERR_FILENO), STDERR_FILENO);
    assert_int_equal(close(fds[1]), 0);
    assert_int_equal(fcntl(t.reader, F_SETFL, O_NONBLOCK), 0);
    assert_int_equal(fstat(STDERR_FILENO, &st), 0);
    (void)snprintf(stream, sizeof(stream), "%lu:%lu", (unsigned long)st.st_dev, (unsigned long)st.st_ino);
    assert_int_equal(setenv("JOURNAL_STREAM", stream, 1), 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    log_close();
    (void)dup2(t.stderr, STDERR_FILENO);
    (void)close(t.stderr);
    (void)close(t.reader);
    if (t.fd >= 0)
        (void)close(t.fd);
    (void)unlink(t.path);
    (void)unlink(t.file);
    return 0;
}

static void open_log(bool json, const char *file)
{
    assert_int_equal(
        log_open(&(struct log_opts){.level = LOG_INFO, .json = json, .file = file, .journal = t.path}), 0);
}

/* The next record. */
static const char *record(void)
{
    ssize_t n = recv(t.fd, t.got, sizeof(t.got) - 1, 0);

    assert_true(n > 0);
    t.got[n] = '\0';
    return t.got;
}

/* What is on standard error. */
static const char *on_stderr(void)
{
    ssize_t n = read(t.reader, t.got, sizeof(t.got) - 1);

    t.got[n > 0 ? n : 0] = '\0';
    return t.got;
}

TEST(an_event_is_a_record_with_fields)
{
    open_journal();
    open_log(false, "-");
    log_warn("check_out", "request_id=%s vault=%s n=%d", "job-1", "a b", -3);
    assert_string_equal(record(), "MESSAGE=check_out request_id=job-1 vault=\"a b\" n=-3\n"
                                  "PRIORITY=4\nSYSLOG_IDENTIFIER=jumpgate\nSYSLOG_FACILITY=3\n"
                                  "JUMPGATE_EVENT=check_out\nJUMPGATE_REQUEST_ID=job-1\nJUMPGATE_VAULT=a b\n"
                                  "JUMPGATE_N=-3\n");
    log_error("bad", "x=%s", "");
    assert_non_null(strstr(record(), "\nPRIORITY=3\n"));
    log_info("good", "x=%s", "");
    assert_non_null(strstr(record(), "\nPRIORITY=6\n"));
    assert_string_equal(on_stderr(), "");
}

TEST(no_value_makes_a_field)
{
    open_journal();
    open_log(false, "-");
    log_info("forged", "name=%s", "a\nPRIORITY=0\n\nMESSAGE=b\x1b[31m");
    const char *got = record();
    assert_null(strstr(got, "\nPRIORITY=0"));
    assert_null(strstr(got, "\nMESSAGE="));
    assert_null(strchr(got, '\x1b'));
    size_t lines = 0;
    for (const char *p = got; (p = strchr(p, '\n')); p++)
        lines++;
    assert_int_equal(lines, 6);
}

TEST(json_is_the_message)
{
    open_journal();
    open_log(true, "-");
    log_info("event", "x=%s", "y");
    const char *got = record();
    char *message = strndup(got + 8, strcspn(got, "\n") - 8);
    assert_non_null(message);
    assert_null(json_check(message, strlen(message), 4, 0));
    assert_non_null(strstr(message, "\"event\":\"event\",\"x\":\"y\""));
    assert_non_null(strstr(t.got, "\nJUMPGATE_X=y\n"));
    free(message);
}

TEST(what_goes_to_stderr_anyway_is_a_record)
{
    open_journal();
    open_log(false, "-");
    log_always("listening", "address=%s", "127.0.0.1:1");
    assert_int_equal(strncmp(record(), "MESSAGE=listening address=127.0.0.1:1\nPRIORITY=6\n", 48), 0);
    log_complaint("store", "it is in use");
    assert_int_equal(
        strncmp(record(), "MESSAGE=start_failed what=store why=\"it is in use\"\nPRIORITY=3\n", 61), 0);
    log_text(LOG_WARN, "configuration_warning", "a.conf:1: warning: x\na.conf:2: y\n", 34);
    assert_non_null(strstr(record(), "\nJUMPGATE_LINE=a.conf:1: warning: x\n"));
    assert_non_null(strstr(record(), "\nJUMPGATE_LINE=a.conf:2: y\n"));
    open_log(false, t.file); /* beside a log file they are lines of stderr */
    log_always("listening", "address=%s", "127.0.0.1:2");
    assert_string_equal(on_stderr(), "<6>listening address=127.0.0.1:2\n");
}

TEST(without_its_socket_lines_have_a_priority)
{
    open_log(false, "-");
    log_info("event", "x=%d", 1);
    const char *got = on_stderr();
    assert_int_equal(strncmp(got, "<6>2", 4), 0);
    assert_non_null(strstr(got, "Z info  event x=1\n"));
    log_complaint("store", "it is in use");
    assert_string_equal(on_stderr(), "<3>jumpgate: store: it is in use\n");
    log_text(LOG_WARN, "configuration_warning", "one\ntwo\n", 8);
    assert_string_equal(on_stderr(), "<4>one\n<4>two\n");
    crash_message("secret memory", "written behind its end");
    assert_string_equal(on_stderr(), "<3>jumpgate: secret memory: written behind its end\n");
    open_log(true, "-");
    log_error("event", "x=%d", 1);
    assert_int_equal(strncmp(on_stderr(), "<3>{\"time\":\"", 12), 0);
}

TEST(another_stream_is_no_journal)
{
    open_journal();
    assert_int_equal(setenv("JOURNAL_STREAM", "1:2", 1), 0);
    open_log(false, "-");
    log_info("event", "x=%d", 1);
    assert_int_equal(on_stderr()[0], '2');
    assert_true(recv(t.fd, t.got, sizeof(t.got), MSG_DONTWAIT) < 0);
}

static void check_json_lines(unsigned lines)
{
    const char *got = on_stderr();

    for (; *got; got = strchr(got, '\n') + 1, lines--)
        assert_null(json_check(got, strcspn(got, "\n"), 4, 0));
    assert_int_equal(lines, 0);
}

TEST(with_json_every_line_is_json)
{
    assert_int_equal(unsetenv("JOURNAL_STREAM"), 0);
    for (int file = 0; file < 2; file++) {
        open_log(true, file ? t.file : "-");
        log_always("listening", "address=%s", "127.0.0.1:\"1\"");
        log_complaint("store", "it is in use \"\n\xff");
        log_text(LOG_ERROR, "configuration_mistake", "a.conf:1: \"x\"\na.conf:2: y\n", 26);
        crash_message("secret memory", "written behind its end");
        check_json_lines(5);
    }
}

TEST(a_line_of_text_stays_as_it_was)
{
    assert_int_equal(unsetenv("JOURNAL_STREAM"), 0);
    open_log(false, "-");
    log_always("listening", "address=%s", "127.0.0.1:1");
    log_complaint("store", "it is in use");
    log_text(LOG_ERROR, "configuration_mistake", "one\ntwo\n", 8);
    assert_string_equal(on_stderr(),
                        "listening address=127.0.0.1:1\njumpgate: store: it is in use\none\ntwo\n");
}

/* The socket takes a few records, the queue some thousand, and the caller returns from all. */
TEST(a_journal_that_does_not_read_delays_no_caller)
{
    enum { EVENTS = 20000 };
    uint64_t before = log_left_out(), next = 0;

    open_journal();
    open_log(false, "-");
    assert_int_equal(log_thread(), 0);
    for (int i = 0; i < EVENTS; i++)
        log_info("event", "number=%d", i);
    uint64_t left_out = log_left_out() - before;
    assert_true(left_out > 0 && left_out < EVENTS);
    while (!strstr(record(), "JUMPGATE_EVENT=log_lines_left_out\n")) {
        char wanted[40];

        (void)snprintf(wanted, sizeof(wanted), "\nJUMPGATE_NUMBER=%llu\n", (unsigned long long)next++);
        assert_non_null(strstr(t.got, wanted));
    }
    assert_int_equal(next + left_out, EVENTS);
    assert_int_equal(strtoull(strstr(t.got, "JUMPGATE_LINES=") + 15, NULL, 10), left_out);
}

TEST(a_journal_that_was_restarted_is_found_again)
{
    uint64_t before = log_left_out();

    open_journal();
    open_log(false, "-");
    assert_int_equal(log_thread(), 0);
    log_info("event", "number=%d", 1);
    (void)record();
    assert_int_equal(close(t.fd), 0);
    assert_int_equal(unlink(t.path), 0);
    for (int i = 0; i < 3; i++)
        log_info("lost", "number=%d", i);
    while (log_left_out() - before < 3)
        (void)usleep(1000);
    open_journal();
    log_info("event", "number=%d", 2);
    assert_non_null(strstr(record(), "JUMPGATE_LINES=3\n"));
    assert_non_null(strstr(record(), "JUMPGATE_NUMBER=2\n"));
    assert_int_equal(log_left_out() - before, 3);
}

int main(void)
{
    (void)signal(SIGPIPE, SIG_IGN);
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(an_event_is_a_record_with_fields),
        T(no_value_makes_a_field),
        T(json_is_the_message),
        T(what_goes_to_stderr_anyway_is_a_record),
        T(without_its_socket_lines_have_a_priority),
        T(another_stream_is_no_journal),
        T(with_json_every_line_is_json),
        T(a_line_of_text_stays_as_it_was),
        T(a_journal_that_does_not_read_delays_no_caller),
        T(a_journal_that_was_restarted_is_found_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
