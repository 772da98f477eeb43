/* SPDX-License-Identifier: Apache-2.0 */
/*
 * live_sim.c - see the header.
 */
#include "live_sim.h"

#include "check.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define ARGS_MAX 26

static void run(int out, const char *program, const char *const *args)
{
    const char *all[ARGS_MAX] = {program};

    for (size_t n = 1; *args && n < ARGS_MAX - 1; n++)
        all[n] = *args++;
    if (dup2(out, 1) < 0 || dup2(out, 2) < 0)
        _exit(126);
    (void)execv(program, (char *const *)(uintptr_t)all);
    _exit(127);
}

static void take_address(const char *line, const char *listener, char out[64])
{
    if (strstr(line, listener))
        assert_int_equal(sscanf(strstr(line, "address="), "address=%63s", out), 1);
}

void live_sim_start(struct live_sim *sim, const char *program, const char *const *args)
{
    int fd[2];
    char line[256] = "";

    *sim = (struct live_sim){.pid = -1};
    assert_int_equal(pipe(fd), 0);
    sim->pid = fork();
    assert_true(sim->pid >= 0);
    if (!sim->pid)
        run(fd[1], program, args);
    (void)close(fd[1]);
    FILE *out = fdopen(fd[0], "r");
    assert_non_null(out);
    while (!strstr(line, "ready") && fgets(line, sizeof(line), out)) {
        take_address(line, "listener=api", sim->api);
        take_address(line, "listener=admin", sim->admin);
    }
    (void)fclose(out);
    if (!*sim->api)
        fail_msg("%s does not start: %s", program, line);
}

void live_sim_stop(struct live_sim *sim)
{
    int status;

    (void)kill(sim->pid, SIGTERM);
    assert_int_equal(waitpid(sim->pid, &status, 0), sim->pid);
    assert_int_equal(status, 0);
}

static int connect_to(const char *address)
{
    char host[64];
    unsigned port;
    struct sockaddr_in to = {.sin_family = AF_INET};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(sscanf(address, "%63[^:]:%u", host, &port), 2);
    to.sin_port = htons((uint16_t)port);
    assert_int_equal(inet_pton(AF_INET, host, &to.sin_addr), 1);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
    return fd;
}

const char *live_sim_admin(const struct live_sim *sim, const char *path, const char *body)
{
    return live_sim_call(sim, body ? "POST" : "GET", path, body);
}

const char *live_sim_call(const struct live_sim *sim, const char *method, const char *path, const char *body)
{
    static char answer[1 << 18];
    char request[4096];
    size_t got = 0;
    int fd = connect_to(sim->admin);
    int n = snprintf(request, sizeof(request),
                     "%s %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\nContent-Type: application/json\r\n"
                     "Content-Length: %zu\r\n\r\n%s",
                     method, path, sim->admin, body ? strlen(body) : 0, body ? body : "");

    assert_true(n > 0 && (size_t)n < sizeof(request));
    assert_int_equal(write(fd, request, (size_t)n), n);
    for (ssize_t part; (part = read(fd, answer + got, sizeof(answer) - 1 - got)) > 0;)
        got += (size_t)part;
    (void)close(fd);
    answer[got] = '\0';
    const char *end = strstr(answer, "\r\n\r\n");
    if (!end || strncmp(answer, "HTTP/1.1 2", 10) != 0)
        fail_msg("%s %s %s: %s", method, path, body ? body : "", answer);
    return end + 4;
}

void live_sim_file(char path[64], const char *text)
{
    (void)snprintf(path, 64, "/tmp/test-live-XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    (void)close(fd);
}
