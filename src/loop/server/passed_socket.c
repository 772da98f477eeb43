/* SPDX-License-Identifier: Apache-2.0 */
/*
 * passed_socket.c - is a socket of the service manager the one that a listener describes?
 *
 * The manager has made, bound and listened on the socket before this process began, and keeps it when this
 * process ends (socket activation). Connections that arrive in between wait in the socket's backlog. The
 * socket is taken only if it is what the configuration says, because its address decides who can connect: a
 * stream socket that listens, of the listener's family, at the listener's address.
 *
 * Not here: which descriptor belongs to which listener (commands/run/passed_sockets.c).
 */
#include "loop/server/connection.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#define WHY_SIZE 256

union address {
    struct sockaddr any;
    struct sockaddr_storage storage;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
    struct sockaddr_un un;
};

static int refuse(char why[WHY_SIZE], const struct http_listen_opts *opts, const char *what)
{
    (void)snprintf(why, WHY_SIZE, "listener %s: descriptor %d, which the service manager passed, %.160s",
                   opts->name, opts->passed_fd, what);
    return -EINVAL;
}

static int option(int fd, int level, int name)
{
    int value = -1;
    socklen_t size = sizeof(value);

    return getsockopt(fd, level, name, &value, &size) ? -1 : value;
}

static void describe(const union address *a, socklen_t size, char *out, size_t n)
{
    char host[INET6_ADDRSTRLEN] = "?";

    if (a->any.sa_family != AF_UNIX) { /* the port is in the same place for both */
        (void)uv_ip_name(&a->any, host, sizeof(host));
        (void)snprintf(out, n, a->any.sa_family == AF_INET6 ? "[%s]:%u" : "%s:%u", host,
                       ntohs(a->in.sin_port));
    } else if (size <= offsetof(struct sockaddr_un, sun_path)) {
        (void)snprintf(out, n, "a Unix socket without a name");
    } else {
        (void)snprintf(out, n, "unix:%s%s", a->un.sun_path[0] ? "" : "@",
                       a->un.sun_path + (a->un.sun_path[0] ? 0 : 1));
    }
}

static bool same_tcp(const union address *a, const struct http_listen_opts *opts)
{
    union address wanted;

    memset(&wanted, 0, sizeof(wanted));
    if (uv_ip4_addr(opts->host, opts->port, &wanted.in) == 0)
        return a->any.sa_family == AF_INET && a->in.sin_addr.s_addr == wanted.in.sin_addr.s_addr &&
               (!opts->port || a->in.sin_port == wanted.in.sin_port);
    return uv_ip6_addr(opts->host, opts->port, &wanted.in6) == 0 && a->any.sa_family == AF_INET6 &&
           memcmp(&a->in6.sin6_addr, &wanted.in6.sin6_addr, sizeof(struct in6_addr)) == 0 &&
           a->in6.sin6_scope_id == wanted.in6.sin6_scope_id &&
           (!opts->port || a->in6.sin6_port == wanted.in6.sin6_port);
}

static bool same_address(const union address *a, const struct http_listen_opts *opts)
{
    if (opts->is_unix)
        return a->any.sa_family == AF_UNIX && strcmp(a->un.sun_path, opts->host) == 0;
    return same_tcp(a, opts);
}

static int refuse_address(char why[WHY_SIZE], const struct http_listen_opts *opts, const union address *a,
                          socklen_t size)
{
    char is[sizeof(a->un.sun_path) + 8], text[WHY_SIZE];

    describe(a, size, is, sizeof(is));
    (void)snprintf(text, sizeof(text), "listens on %.108s, and the listener's address is another one", is);
    return refuse(why, opts, text);
}

/* Without its file the socket goes on listening, and no client can open it. A folder that the gateway's user
 * may not enter shows nothing. */
static bool has_lost_file(const char *path)
{
    struct stat st;

    return lstat(path, &st) == 0 ? !S_ISSOCK(st.st_mode) : errno == ENOENT || errno == ENOTDIR;
}

/* What is accepted inherits TCP_NODELAY. */
static int prepare(int fd, const struct http_listen_opts *opts)
{
    int on = 1, flags = fcntl(fd, F_GETFL), own = fcntl(fd, F_GETFD);

    if (flags < 0 || own < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
        fcntl(fd, F_SETFD, own | FD_CLOEXEC) < 0)
        return -errno;
    if (!opts->is_unix && setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)))
        return -errno;
    return 0;
}

int passed_socket_check(const struct http_listen_opts *opts, char why[WHY_SIZE])
{
    int fd = opts->passed_fd;
    union address a;
    socklen_t size = sizeof(a) - 1; /* so that a path always ends with a NUL */

    memset(&a, 0, sizeof(a));
    if (getsockname(fd, &a.any, &size))
        return refuse(why, opts, "is no socket");
    if (a.any.sa_family != AF_UNIX && a.any.sa_family != AF_INET && a.any.sa_family != AF_INET6)
        return refuse(why, opts, "is neither a TCP nor a Unix socket");
    if (option(fd, SOL_SOCKET, SO_TYPE) != SOCK_STREAM)
        return refuse(why, opts, "is no stream socket: ListenStream= makes one");
    if (option(fd, SOL_SOCKET, SO_ACCEPTCONN) != 1)
        return refuse(why, opts, "does not listen: Accept=no passes the listening socket");
    if (!same_address(&a, opts))
        return refuse_address(why, opts, &a, size);
    if (opts->is_unix && has_lost_file(opts->host))
        return refuse(why, opts, "has lost its file: restart the socket unit, which makes it again");
    /* One peer would have the addresses of all IPv4 peers in one network of IPv6. */
    if (a.any.sa_family == AF_INET6 && option(fd, IPPROTO_IPV6, IPV6_V6ONLY) != 1)
        return refuse(why, opts, "takes IPv4 as well: set BindIPv6Only=ipv6-only");
    if (prepare(fd, opts))
        return refuse(why, opts, "cannot be prepared");
    return 0;
}
