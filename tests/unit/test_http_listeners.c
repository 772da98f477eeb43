/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_http_listeners.c - sockets that accept: how many, without descriptors, IPv6, Unix sockets and their
 * files.
 */
#include "check.h"
#include "http_rig.h"
#include "loop/server/connection.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

TEST(connections_over_the_limit_get_503)
{
    struct rig rig;
    struct client c[4];
    struct http_server_opts opts = rig_opts;

    opts.max_connections = 2;
    rig_start(&rig, &opts);
    rig_listen(&rig, &(struct http_listen_opts){.name = "t", .host = "127.0.0.1"});
    for (int i = 0; i < 3; i++)
        client_open(&c[i], &rig);
    client_send(&c[2], GET("/echo"));
    client_expect(&c[2], "HTTP/1.1 503 Service Unavailable", 1);
    client_expect_end(&c[2]);
    assert_true(c[2].eof);
    assert_int_equal(rig.fault.code, FAULT_OVERLOADED);
    assert_int_equal(http_connections(rig.server), 2);
    client_close(&c[2]);
    client_close(&c[0]);
    rig_iterate_n(&rig, 5);
    assert_int_equal(http_connections(rig.server), 1);
    client_open(&c[3], &rig);
    client_send(&c[3], GET("/echo"));
    client_expect(&c[3], "HTTP/1.1 200", 1);
    client_close(&c[1]);
    client_close(&c[3]);
    rig_end(&rig);
}

TEST(without_descriptors_accepting_pauses)
{
    struct rig rig;
    struct client c;
    struct rlimit old, tight;
    int probe;

    rig_start_plain(&rig);
    client_open(&c, &rig);
    probe = dup(c.fd);
    assert_true(probe >= 0);
    close(probe);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    tight = old;
    tight.rlim_cur = (rlim_t)probe; /* the next descriptor is one too many */
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
    rig_iterate_n(&rig, 5);
    assert_int_equal(http_connections(rig.server), 0);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    client_send(&c, GET("/echo"));
    rig_iterate_n(&rig, 5);
    assert_int_equal(http_connections(rig.server), 0); /* still pausing, not spinning */
    rig_advance(&rig, 100);
    client_expect(&c, "HTTP/1.1 200", 1);
    client_close(&c);
    rig_end(&rig);
}

TEST(ipv6_is_served)
{
    struct rig rig;
    struct client c;
    char why[256];

    rig_start(&rig, NULL);
    if (http_listen(rig.server, &(struct http_listen_opts){.name = "six", .host = "::1"}, rig.address, why)) {
        rig_end(&rig);
        skip(); /* a machine without IPv6 */
    }
    client_open(&c, &rig);
    client_send(&c, GET("/echo"));
    client_expect(&c, "HTTP/1.1 200", 1);
    assert_int_equal(strncmp(rig.peer, "[::1]:", 6), 0);
    client_close(&c);
    rig_end(&rig);
}

TEST(listen_errors_name_their_cause)
{
    struct rig rig;
    char why[256] = "", address[128], host[] = "127.0.0.1";
    uint16_t port;

    rig_start_plain(&rig);
    port = (uint16_t)atoi(strrchr(rig.address, ':') + 1);
    assert_int_equal(http_listen(rig.server,
                                 &(struct http_listen_opts){.name = "b", .host = host, .port = port}, address,
                                 why),
                     -EADDRINUSE);
    assert_non_null(strstr(why, "listener b:"));
    assert_int_equal(
        http_listen(rig.server, &(struct http_listen_opts){.name = "b", .host = "localhost"}, address, why),
        -EINVAL);
    assert_int_equal(
        http_listen(rig.server,
                    &(struct http_listen_opts){
                        .name = "b",
                        .host = host,
                        .tls = &(struct http_tls_opts){.certificate = "/nonexistent", .key = "/n"}},
                    address, why),
        -EINVAL);
    assert_non_null(strstr(why, "/nonexistent"));
    rig_end(&rig);
}

TEST(a_unix_socket_has_mode_owner_and_peer)
{
    char folder[] = "/tmp/jumpgate-test-XXXXXX";
    char path[64], why[256], address[128];
    struct http_listen_opts opts = {.name = "u", .host = path, .is_unix = true, .unix_mode = 0620};
    struct rig rig;
    struct client c;
    struct stat st;
    int fd;

    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/s.sock", folder);
    rig_start(&rig, NULL);
    rig_listen(&rig, &opts);
    assert_int_equal(strcmp(rig.address + 5, path), 0);
    assert_int_equal(lstat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0620);
    client_open(&c, &rig);
    client_send(&c, GET("/echo"));
    client_expect(&c, "HTTP/1.1 200", 1);
    assert_int_equal(rig.uid, getuid());
    assert_string_equal(rig.peer, "unix");
    /* A second one on the same path finds the first alive. */
    assert_int_equal(http_listen(rig.server, &opts, address, why), -EADDRINUSE);
    assert_int_equal(lstat(path, &st), 0);
    client_close(&c);
    rig_end(&rig);
    assert_int_equal(lstat(path, &st), -1);

    /* A file that is no socket is left alone, a dead socket is not. */
    fd = open(path, O_CREAT | O_WRONLY, 0600);
    assert_true(fd >= 0);
    close(fd);
    rig_start(&rig, NULL);
    assert_int_equal(http_listen(rig.server, &opts, address, why), -EEXIST);
    assert_int_equal(unlink(path), 0);
    rig_listen(&rig, &opts);
    opts.unix_owner = "no-such-user-here";
    rig_end(&rig);
    rig_start(&rig, NULL);
    assert_int_equal(http_listen(rig.server, &opts, address, why), -ENOENT);
    assert_non_null(strstr(why, "unknown owner"));
    assert_int_equal(lstat(path, &st), -1); /* nothing left behind */
    rig_end(&rig);
    assert_int_equal(rmdir(folder), 0);
}

TEST(a_stale_unix_socket_is_replaced)
{
    char folder[] = "/tmp/jumpgate-test-XXXXXX";
    char path[64];
    struct http_listen_opts opts = {.name = "u", .host = path, .is_unix = true, .unix_mode = 0600};
    struct sockaddr_storage ss = {.ss_family = AF_UNIX};
    struct rig rig;
    struct client c;
    int fd;

    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/s.sock", folder);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    memcpy((char *)&ss + offsetof(struct sockaddr, sa_data), path, strlen(path) + 1);
    assert_int_equal(bind(fd, (struct sockaddr *)&ss, 110), 0);
    close(fd); /* as a crash would leave it */
    rig_start(&rig, NULL);
    rig_listen(&rig, &opts);
    client_open(&c, &rig);
    client_send(&c, GET("/echo"));
    client_expect(&c, "HTTP/1.1 200", 1);
    client_close(&c);
    rig_end(&rig);
    assert_int_equal(rmdir(folder), 0);
}

static void note(void *arg)
{
    *(bool *)arg = true;
}

static int listening_unix(const char *path)
{
    struct sockaddr_storage ss = {.ss_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    memcpy((char *)&ss + offsetof(struct sockaddr, sa_data), path, strlen(path) + 1);
    assert_int_equal(bind(fd, (struct sockaddr *)&ss, 110), 0);
    assert_int_equal(listen(fd, 16), 0);
    return fd;
}

/* One client sends before the notice ends and is served, one sends nothing, one connects too late. */
TEST(a_passed_socket_is_left_to_the_next_process)
{
    char folder[] = "/tmp/jumpgate-test-XXXXXX";
    char path[64];
    struct http_listen_opts opts = {.name = "u", .host = path, .is_unix = true, .unix_mode = 0600};
    struct rig rig;
    struct client asking, silent, late;
    struct stat st;
    bool done = false;
    int kept;

    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/s.sock", folder);
    kept = listening_unix(path);
    opts.passed_fd = dup(kept);
    rig_start(&rig, NULL);
    rig_listen(&rig, &opts);
    assert_true(http_has_passed(rig.server));
    client_open(&asking, &rig);
    client_open(&silent, &rig);
    client_send(&asking, GET("/echo"));
    client_expect(&asking, "HTTP/1.1 200", 1);
    assert_int_equal(client_count(&asking, "Connection: close"), 0);
    assert_int_equal(http_hand_over(rig.server, 1000, note, &done), 0);
    rig_advance(&rig, 900);
    client_send(&asking, GET("/hold"));
    rig_wait_for(&rig, rig.held);
    rig_advance(&rig, 200);
    assert_false(done);
    client_open(&late, &rig);
    client_send(&late, GET("/echo"));
    rig_iterate_n(&rig, 20);
    rig_advance(&rig, 1200);
    client_expect_end(&silent);
    assert_false(done);
    rig_answer(&rig, 200, "x");
    client_expect(&asking, "Connection: close", 1);
    client_expect_end(&asking);
    rig_advance(&rig, 100);
    rig_wait_for(&rig, done);
    assert_int_equal(client_count(&late, "HTTP/1.1"), 0); /* it waits in the kernel */
    rig_end(&rig);
    assert_int_equal(lstat(path, &st), 0);

    opts.passed_fd = kept;
    rig_start(&rig, NULL);
    rig_listen(&rig, &opts);
    late.rig = &rig;
    client_expect(&late, "HTTP/1.1 200", 1);
    client_close(&late);
    client_close(&silent);
    client_close(&asking);
    rig_end(&rig);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(folder), 0);
}

/* The end of a direction that this side has shut is not the end of its client. */
TEST(a_request_that_came_before_its_direction_was_shut_is_answered)
{
    char folder[] = "/tmp/jumpgate-test-XXXXXX";
    char path[64];
    struct http_listen_opts opts = {.name = "u", .host = path, .is_unix = true, .unix_mode = 0600};
    struct rig rig;
    struct client c;
    struct http_conn *conn;
    uv_os_fd_t fd;

    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/s.sock", folder);
    rig_start(&rig, NULL);
    rig_listen(&rig, &opts);
    client_open(&c, &rig);
    rig_wait_for(&rig, http_connections(rig.server) == 1);
    http_last_answers(rig.server);
    client_send(&c, GET("/hold"));
    conn = TAILQ_FIRST(&rig.server->conns);
    assert_int_equal(uv_fileno(&conn->u.handle, &fd), 0);
    conn->input_shut = true; /* as end_idle() does when the bytes arrive between its two looks */
    assert_int_equal(shutdown(fd, SHUT_RD), 0);
    rig_wait_for(&rig, rig.held);
    rig_iterate_n(&rig, 20);
    assert_int_equal(rig.gones, 0);
    rig_answer(&rig, 200, "answer");
    client_expect(&c, "answer", 1);
    client_expect_end(&c);
    client_close(&c);
    rig_end(&rig);
    assert_int_equal(rmdir(folder), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(connections_over_the_limit_get_503),
        cmocka_unit_test(without_descriptors_accepting_pauses),
        cmocka_unit_test(ipv6_is_served),
        cmocka_unit_test(listen_errors_name_their_cause),
        cmocka_unit_test(a_unix_socket_has_mode_owner_and_peer),
        cmocka_unit_test(a_stale_unix_socket_is_replaced),
        cmocka_unit_test(a_passed_socket_is_left_to_the_next_process),
        cmocka_unit_test(a_request_that_came_before_its_direction_was_shut_is_answered),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
