/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proxy.c - what an HTTP proxy says to CONNECT, and what its refusal means.
 *
 * libcurl reports a refused tunnel as a connection that could not be made. The status of the proxy's answer
 * tells missing credentials from an allow-list and from a vault that the proxy cannot reach. The tunnel is
 * asked for as the gateway asks for it: without credentials, since the configuration has none for a proxy.
 *
 * Not here: proxies over TLS and SOCKS; their refusals stay with the backend's own words.
 */
#include "commands/doctor/stages.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEAD_MAX 16384

bool doctor_is_http_proxy(const char *proxy, struct address_url *out)
{
    char why[ADDRESS_WHY_SIZE];

    return proxy && *proxy && address_split_url(proxy, out, why) == 0 && strcmp(out->scheme, "http") == 0;
}

static bool send_all(int fd, const char *text, size_t n)
{
    while (n) {
        ssize_t sent = send(fd, text, n, MSG_NOSIGNAL);
        if (sent <= 0)
            return false;
        text += sent;
        n -= (size_t)sent;
    }
    return true;
}

/* One byte after the other: what follows the head belongs to the tunnel. */
static bool read_head(int fd, char head[HEAD_MAX])
{
    size_t n = 0;

    while (n + 1 < HEAD_MAX && recv(fd, head + n, 1, 0) == 1) {
        head[++n] = '\0';
        if (n >= 4 && memcmp(head + n - 4, "\r\n\r\n", 4) == 0)
            return true;
    }
    return false;
}

int doctor_tunnel(int fd, const char *host, uint16_t port)
{
    char text[2 * ADDRESS_HOST_SIZE + 96], head[HEAD_MAX] = "";
    bool is_ipv6 = strchr(host, ':') != NULL;
    const char *left = is_ipv6 ? "[" : "", *right = is_ipv6 ? "]" : "";
    int status, n = snprintf(text, sizeof(text), "CONNECT %s%s%s:%u HTTP/1.1\r\nHost: %s%s%s:%u\r\n\r\n",
                             left, host, right, port, left, host, right, port);

    if (n < 0 || (size_t)n >= sizeof(text))
        return -EMSGSIZE;
    if (!send_all(fd, text, (size_t)n) || !read_head(fd, head))
        return -EPROTO;
    if (strncmp(head, "HTTP/1.", 7) != 0 || strlen(head) < 12)
        return -EPROTO;
    status = (int)strtol(head + 9, NULL, 10);
    return status >= 100 && status <= 999 ? status : -EPROTO;
}

int doctor_ask_proxy(const struct address_url *proxy, const char *host, uint16_t port, uint64_t timeout_ms)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM}, *addresses = NULL;
    char text[8];
    int status = -EHOSTUNREACH;

    (void)snprintf(text, sizeof(text), "%u", proxy->port);
    if (getaddrinfo(proxy->host, text, &hints, &addresses))
        return status;
    for (const struct addrinfo *ai = addresses; ai && status < 0; ai = ai->ai_next) {
        int fd = doctor_connect(ai, timeout_ms);
        status = fd < 0 ? fd : doctor_tunnel(fd, host, port);
        if (fd >= 0)
            (void)close(fd);
    }
    freeaddrinfo(addresses);
    return status;
}

void doctor_proxy_words(int status, const char *host, uint16_t port, char cause[DOCTOR_WORDS_SIZE],
                        char remedy[DOCTOR_WORDS_SIZE])
{
    if (status == 407) {
        (void)snprintf(cause, DOCTOR_WORDS_SIZE,
                       "the proxy wants credentials (407), and the gateway sends none to a proxy");
        (void)snprintf(remedy, DOCTOR_WORDS_SIZE,
                       "let this machine through at the proxy without credentials, by its address, to %s "
                       "port %u",
                       host, port);
    } else if (status == 403 || status == 401 || status == 405) {
        (void)snprintf(cause, DOCTOR_WORDS_SIZE,
                       "the proxy's rules do not let this machine connect to %s port %u (%d)", host, port,
                       status);
        (void)snprintf(remedy, DOCTOR_WORDS_SIZE,
                       "enter %s port %u in the proxy's allow-list for this machine; some proxies allow "
                       "CONNECT to port 443 alone",
                       host, port);
    } else if (status >= 500) {
        (void)snprintf(cause, DOCTOR_WORDS_SIZE, "the proxy cannot reach %s port %u itself (%d)", host, port,
                       status);
        (void)snprintf(remedy, DOCTOR_WORDS_SIZE,
                       "check name and port in `url`, the proxy's own name servers, and the firewall behind "
                       "the proxy");
    } else if (status > 0) {
        (void)snprintf(cause, DOCTOR_WORDS_SIZE,
                       "the server in `proxy` answers %d to CONNECT: it is no proxy, or does not allow "
                       "tunnels",
                       status);
        (void)snprintf(remedy, DOCTOR_WORDS_SIZE, "compare `proxy` with the address of the company's proxy");
    } else {
        (void)snprintf(cause, DOCTOR_WORDS_SIZE,
                       "the server in `proxy` does not answer CONNECT in HTTP: it is no HTTP proxy");
        (void)snprintf(remedy, DOCTOR_WORDS_SIZE,
                       "compare scheme, host and port of `proxy` with those of the company's proxy");
    }
}
