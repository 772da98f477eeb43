/* SPDX-License-Identifier: Apache-2.0 */
/*
 * connect.c - one connection to one address, waited for; see stages.h.
 */
#include "commands/doctor/stages.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

static int wait_connected(int fd, uint64_t timeout_ms)
{
    struct pollfd p = {.fd = fd, .events = POLLOUT};
    int n, err = 0;
    socklen_t len = sizeof(err);

    do
        n = poll(&p, 1, (int)timeout_ms);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return -errno;
    if (n == 0)
        return -ETIMEDOUT;
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len) ? -errno : -err;
}

static int make_blocking(int fd, uint64_t timeout_ms)
{
    struct timeval tv = {.tv_sec = (time_t)(timeout_ms / 1000),
                         .tv_usec = (suseconds_t)(timeout_ms % 1000 * 1000)};
    int flags = fcntl(fd, F_GETFL);

    if (flags < 0 || fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)) ||
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)))
        return -errno;
    return 0;
}

int doctor_connect(const struct addrinfo *ai, uint64_t timeout_ms)
{
    int fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), err = 0;

    if (fd < 0)
        return -errno;
    if (connect(fd, ai->ai_addr, ai->ai_addrlen))
        err = errno == EINPROGRESS ? wait_connected(fd, timeout_ms) : -errno;
    if (!err)
        err = make_blocking(fd, timeout_ms);
    if (!err)
        return fd;
    (void)close(fd);
    return err;
}
