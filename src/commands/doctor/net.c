/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net.c - the stages dns and tcp: does the name resolve, and do its addresses answer?
 *
 * A blocking resolver and blocking sockets, one address after the other, so that each has a result of its
 * own: one dead address of three makes every third connect slow. With a proxy both stages check the proxy,
 * which resolves the vault's own name; the connection then includes the tunnel to the vault.
 */
#include "commands/doctor/stages.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PORT_HTTPS 443
#define PORT_HTTP  80

uint16_t doctor_url_port(const struct address_url *url)
{
    if (url->port)
        return url->port;
    return strcmp(url->scheme, "https") ? PORT_HTTP : PORT_HTTPS;
}

static void address_text(const struct addrinfo *ai, char out[NI_MAXHOST])
{
    if (getnameinfo(ai->ai_addr, ai->ai_addrlen, out, NI_MAXHOST, NULL, 0, NI_NUMERICHOST) != 0)
        (void)snprintf(out, NI_MAXHOST, "?");
}

static const char *target_kind(const struct doctor *d)
{
    return d->proxied ? "proxy" : "vault";
}

/* ---- name ---- */

static void dns_failed(struct doctor *d, int err)
{
    report_failed(d, "the %s's name %s does not resolve: %s", target_kind(d), d->target.host,
                  gai_strerror(err));
    if (err == EAI_AGAIN)
        report_cause(d, "no name server answered, or the name does not exist in any zone they know");
    else
        report_cause(
            d, "the host in `%s` of [vault %s] is misspelt, or this machine's name servers do not know it",
            d->proxied ? "proxy" : "url", d->vault_conf->name);
    report_remedy(d,
                  "compare the host with the one in a browser that reaches BeyondInsight; ask `getent hosts "
                  "%s` on this machine; check /etc/resolv.conf",
                  d->target.host);
}

bool doctor_dns(struct doctor *d)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    char port[8], text[NI_MAXHOST];
    size_t n = 0;
    int err;

    (void)snprintf(port, sizeof(port), "%u", d->target_port);
    err = getaddrinfo(d->target.host, port, &hints, &d->addresses);
    if (err) {
        dns_failed(d, err);
        return false;
    }
    for (const struct addrinfo *ai = d->addresses; ai; ai = ai->ai_next, n++) {
        address_text(ai, text);
        report_note(d, "%s", text);
    }
    report_ok(d, "the %s's name %s has %zu address%s", target_kind(d), d->target.host, n, n == 1 ? "" : "es");
    return true;
}

/* ---- connection ---- */

static void tcp_failed(struct doctor *d, int err)
{
    report_failed(d, "no connection to %s port %u: %s", d->target.host, d->target_port, strerror(-err));
    if (err == -ECONNREFUSED)
        report_cause(d,
                     "the machine is there but nothing listens on port %u: wrong port in the %s, or the "
                     "service is stopped",
                     d->target_port, d->proxied ? "proxy" : "url");
    else if (err == -ETIMEDOUT)
        report_cause(d, "a firewall drops the packets, or the address is not the %s's", target_kind(d));
    else
        report_cause(d, "there is no way from this machine to that network");
    report_remedy(d, "check the port in the configuration (the API is on 443 unless it was moved) and let "
                     "this machine through every firewall to it");
}

/* Does the proxy on this connection lead to the vault? */
static bool is_tunnelled(struct doctor *d, int fd)
{
    uint16_t port = doctor_url_port(&d->url);
    char cause[DOCTOR_WORDS_SIZE], remedy[DOCTOR_WORDS_SIZE];
    int status = doctor_tunnel(fd, d->url.host, port);

    if (status >= 200 && status < 300)
        return true;
    doctor_proxy_words(status, d->url.host, port, cause, remedy);
    if (status > 0)
        report_failed(d, "the proxy answers %d to the tunnel to %s port %u", status, d->url.host, port);
    else
        report_failed(d, "the proxy does not answer to the tunnel to %s port %u", d->url.host, port);
    report_cause(d, "%s", cause);
    report_remedy(d, "%s", remedy);
    return false;
}

static bool proxy_leads_there(struct doctor *d, int fd)
{
    struct address_url proxy;

    if (!d->proxied || !doctor_is_http_proxy(d->vault_conf->proxy, &proxy))
        return true;
    return is_tunnelled(d, fd);
}

bool doctor_tcp(struct doctor *d)
{
    size_t good = 0, n = 0;
    int err = -EHOSTUNREACH;
    bool leads = true;

    for (const struct addrinfo *ai = d->addresses; ai; ai = ai->ai_next, n++) {
        char text[NI_MAXHOST];
        int fd = doctor_connect(ai, d->vault_conf->connect_timeout_ms);
        address_text(ai, text);
        report_note(d, "%s: %s", text, fd < 0 ? strerror(-fd) : "connected");
        if (fd < 0) {
            err = fd;
            continue;
        }
        if (!good++)
            leads = proxy_leads_there(d, fd);
        (void)close(fd);
    }
    if (good && !leads)
        return false;
    if (!good) {
        tcp_failed(d, err);
        return false;
    }
    report_ok(d, "port %u answers on %zu of %zu address%s%s", d->target_port, good, n, n == 1 ? "" : "es",
              d->proxied ? " of the proxy" : "");
    return true;
}
