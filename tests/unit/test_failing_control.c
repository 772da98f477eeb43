/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_failing_control.c - each call of libcurl, of the system and each allocation fails once while a command
 * asks a gateway on its control socket; a thread stands for the gateway.
 *
 * A call has its whole answer, or fails and says why. A gateway that listens is never taken for one that does
 * not run: the command would go on without it. The next call succeeds, on the same client or another one.
 */
#include "check.h"
#include "commands/control.h"
#include "failing_calls.h"

#include "base/log.h"

#include <curl/curl.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define BODY   "{\"leases\":[]}"
#define ANSWER "HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n" BODY

static char dir[64], file[96];

/* ---- the gateway ---- */

/* One answer for each head, until the client leaves; the bodies of the requests are one letter long. */
static void serve(int fd)
{
    static const char end[] = "\r\n\r\n";
    size_t seen = 0;
    char letter;

    while (read(fd, &letter, 1) == 1) {
        seen = letter == end[seen] ? seen + 1 : letter == end[0];
        if (seen < strlen(end))
            continue;
        seen = 0;
        if (send(fd, ANSWER, strlen(ANSWER), MSG_NOSIGNAL) < 0)
            break;
    }
    (void)close(fd);
}

static void *gateway(void *arg)
{
    int fd, listener = *(int *)arg;

    while ((fd = accept(listener, NULL, NULL)) >= 0)
        serve(fd);
    return NULL;
}

static int listen_there(void)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)snprintf(to.sun_path, sizeof(to.sun_path), "%s", file);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&to, sizeof(to)), 0);
    assert_int_equal(listen(fd, 4), 0);
    return fd;
}

/* ---- the command ---- */

static bool ask(struct control_client *c, const char *method, const char *body, bool runs)
{
    struct control_answer answer;
    int err = control_client_ask(c, method, "/v1/leases", body, &answer);

    if (err) {
        assert_true(*answer.why);
        if (runs)
            assert_int_not_equal(err, -ECONNREFUSED);
    } else {
        assert_true(runs);
        assert_int_equal(answer.status, 200);
        assert_int_equal(answer.body.len, strlen(BODY));
        assert_memory_equal(answer.body.data, BODY, strlen(BODY));
    }
    control_answer_free(&answer);
    return !err;
}

static struct control_client *client(int *directory)
{
    *directory = control_directory(dir);
    if (*directory < 0)
        return NULL;
    struct control_client *c = control_client_new(*directory, MINUTES(1));

    if (!c)
        (void)close(*directory);
    return c;
}

static void command(bool runs)
{
    atomic_bool stop = false;
    int directory;

    failing_calls_start();
    struct control_client *c = client(&directory);

    if (!c) {
        failing_calls_stop();
        c = client(&directory);
        assert_non_null(c);
        failing_calls_start();
    }
    (void)ask(c, "GET", NULL, runs);
    (void)ask(c, "POST", "x", runs);
    (void)control_client_wait(c, MINUTES(2));
    (void)control_client_stop_on(c, &stop);
    (void)ask(c, "GET", NULL, runs);
    failing_calls_stop();
    assert_int_equal(ask(c, "GET", NULL, runs), runs);
    assert_int_equal(ask(c, "POST", "x", runs), runs);
    control_client_free(c);
    assert_int_equal(close(directory), 0);
}

static void asked(void)
{
    pthread_t thread;
    int listener = listen_there();

    assert_int_equal(pthread_create(&thread, NULL, gateway, &listener), 0);
    command(true);
    assert_int_equal(shutdown(listener, SHUT_RDWR), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(close(listener), 0);
    assert_int_equal(unlink(file), 0);
}

static void not_there(void)
{
    command(false);
}

#define EACH(scenario)                                                                                       \
    TEST(each_call_of_##scenario)                                                                            \
    {                                                                                                        \
        failing_calls_each(#scenario, scenario);                                                             \
    }

EACH(asked)
EACH(not_there)

static int setup(void **state)
{
    (void)state;
    (void)snprintf(dir, sizeof(dir), "/tmp/jumpgate-control-XXXXXX");
    assert_non_null(mkdtemp(dir));
    (void)snprintf(file, sizeof(file), "%s/control.sock", dir);
    return curl_global_init(CURL_GLOBAL_ALL) == CURLE_OK ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    curl_global_cleanup();
    return rmdir(dir);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_call_of_asked),
        cmocka_unit_test(each_call_of_not_there),
    };

    (void)log_open(&(struct log_opts){.level = LOG_ERROR, .file = "/dev/null"});
    return cmocka_run_group_tests(tests, setup, teardown);
}
