/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_notify.c - what a service manager is told: the test listens where NOTIFY_SOCKET points to.
 */
#include "check.h"
#include "fake_clock.h"
#include "loop/notify.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Where a manager may listen: a path, or @ and a name in the abstract name space. */
static int listen_at(const char *name)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    size_t n = strlen(name);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    memcpy(un.sun_path, name, n);
    if (*name == '@')
        un.sun_path[0] = '\0';
    assert_int_equal(
        bind(fd, (struct sockaddr *)&un, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n)), 0);
    return fd;
}

static void expect_told(int fd, const char *what)
{
    char text[256] = "";

    assert_int_equal(recv(fd, text, sizeof(text) - 1, 0), strlen(what));
    assert_string_equal(text, what);
}

static void expect_silence(int fd)
{
    char text[256];

    assert_int_equal(recv(fd, text, sizeof(text), 0), -1);
}

static void set_environment(const char *name, const char *usec, int pid)
{
    char text[32];

    snprintf(text, sizeof(text), "%d", pid);
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
    if (name)
        setenv("NOTIFY_SOCKET", name, 1);
    if (usec)
        setenv("WATCHDOG_USEC", usec, 1);
    if (pid)
        setenv("WATCHDOG_PID", text, 1);
}

TEST(states_are_sent)
{
    char folder[] = "/tmp/jumpgate-test-XXXXXX", path[64], text[256] = "";
    struct loop *loop = loop_new();
    long long usec = 0;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/n", folder);
    set_environment(path, NULL, 0);
    int fd = listen_at(path);
    struct notify *notify = notify_new(loop);
    assert_non_null(notify);
    assert_int_equal(timers_count(loop_timers(loop)), 0); /* no watchdog: no wake-ups */
    notify_ready(notify);
    expect_told(fd, "READY=1");
    notify_reloading(notify);
    assert_true(recv(fd, text, sizeof(text) - 1, 0) > 0);
    assert_int_equal(sscanf(text, "RELOADING=1\nMONOTONIC_USEC=%lld", &usec), 1);
    assert_true(usec > 0);

    close(fd);
    notify_ready(notify); /* the socket is gone: no more than a line in the log */
    unlink(path);
    fd = listen_at(path); /* the manager is back, on another socket */
    notify_stopping(notify);
    expect_told(fd, "STOPPING=1");

    notify_free(notify);
    assert_int_equal(loop_free(loop), 0);
    close(fd);
    unlink(path);
    assert_int_equal(rmdir(folder), 0);
}

TEST(the_watchdog_is_notified_by_iterations)
{
    char name[64];
    struct fake_clock fake;
    fake_clock_init(&fake);
    struct loop *loop = loop_new_clock(&fake.clock);
    snprintf(name, sizeof(name), "@jumpgate-test-%d", (int)getpid());
    set_environment(name, "4000000", (int)getpid());
    int fd = listen_at(name);
    struct notify *notify = notify_new(loop);
    assert_non_null(notify);
    for (int i = 0; i < 2; i++) {
        fake_clock_advance(&fake, 1999);
        loop_iterate(loop);
        expect_silence(fd);
        fake_clock_advance(&fake, 1);
        loop_iterate(loop);
        expect_told(fd, "WATCHDOG=1");
    }
    notify_free(notify);
    assert_int_equal(loop_free(loop), 0);
    close(fd);
}

/* An environment that is not for us, or makes no sense, is as good as none. */
TEST(starts_whatever_the_environment_says)
{
    char far[200];
    struct loop *loop = loop_new();
    memset(far, 'x', sizeof(far) - 1);
    far[0] = '/';
    far[sizeof(far) - 1] = '\0';
    const struct {
        const char *name, *usec;
        int pid;
        size_t timers;
    } cases[] = {
        {NULL, NULL, 0, 0},       {"", NULL, 0, 0},        {"@", NULL, 0, 0},
        {"relative", NULL, 0, 0}, {far, NULL, 0, 0},       {"/nobody/here", NULL, 0, 0},
        {NULL, "0", 0, 0},        {NULL, "-5", 0, 0},      {NULL, "4s", 0, 0},
        {NULL, "", 0, 0},         {NULL, "4000000", 1, 0}, {NULL, "4000000", 0, 1},
        {NULL, "1", 0, 1},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        case_label("NOTIFY_SOCKET %s, WATCHDOG_USEC %s, pid %d", cases[i].name ? cases[i].name : "(none)",
                   cases[i].usec ? cases[i].usec : "(none)", cases[i].pid);
        set_environment(cases[i].name, cases[i].usec, cases[i].pid);
        struct notify *notify = notify_new(loop);
        assert_non_null(notify);
        notify_ready(notify);
        notify_reloading(notify);
        notify_stopping(notify);
        assert_int_equal(timers_count(loop_timers(loop)), cases[i].timers);
        notify_free(notify);
        assert_int_equal(timers_count(loop_timers(loop)), 0);
    }
    assert_int_equal(loop_free(loop), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(states_are_sent),
        cmocka_unit_test(the_watchdog_is_notified_by_iterations),
        cmocka_unit_test(starts_whatever_the_environment_says),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
