/* SPDX-License-Identifier: Apache-2.0 */
/*
 * preconditions_net.c - can the listeners be opened, and do OpenSSL and time accept the certificates? See
 * preconditions.h.
 *
 * A port is tried out: bound with the options of the real listener and given back, never listened on. A port
 * in use is the gateway's own while it runs. While it does not, it may be the service manager's, which keeps
 * it between two starts (jumpgate.socket): then it is no mistake.
 */
#include "commands/run/preconditions.h"

#include "base/certificate.h"
#include "base/text.h"
#include "commands/conf_diff.h"
#include "commands/doctor/own.h"
#include "commands/run/reload.h"
#include "commands/vault_kinds.h"
#include "loop/server/tls.h"

#include <errno.h>
#include <glob.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

#define DAY_S        86400
#define WARN_DAYS    30
#define SOCKET_UNITS "/etc/systemd/system/sockets.target.wants/jumpgate*.socket"

static const char *title_of(const char *kind, const char *name, char out[CONF_NAME_MAX + 16])
{
    (void)snprintf(out, CONF_NAME_MAX + 16, "%s %s", kind, name);
    return out;
}

/* ---- ports ---- */

/* 0 or -errno of a bind as the listener makes it. */
static int try_port(const struct conf_listener *l)
{
    struct sockaddr_storage ss;
    socklen_t len = sizeof(struct sockaddr_in);
    int on = 1, err = 0;

    memset(&ss, 0, sizeof(ss));
    if (uv_ip4_addr(l->host, l->port, (struct sockaddr_in *)&ss)) {
        if (uv_ip6_addr(l->host, l->port, (struct sockaddr_in6 *)&ss))
            return -EINVAL;
        len = sizeof(struct sockaddr_in6);
    }
    int fd = socket(ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) ||
        (ss.ss_family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on))) ||
        bind(fd, (const struct sockaddr *)&ss, len))
        err = -errno;
    (void)close(fd);
    return err;
}

static bool manager_has_sockets(void)
{
    glob_t found;
    bool any = glob(SOCKET_UNITS, 0, NULL, &found) == 0;

    if (any)
        globfree(&found);
    return any;
}

/* A connection to a socket of the service manager would start the gateway. Root alone sees whose it is. */
static bool may_be_managers(const struct conf_listener *l)
{
    return own_is_activated(l) || (geteuid() != 0 && manager_has_sockets());
}

/* -EADDRINUSE: a process listens there, other than the service manager. */
static int try_unix(const struct conf_listener *l)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    struct ucred peer = {0};
    socklen_t size = sizeof(peer);

    if (!text_copy(un.sun_path, sizeof(un.sun_path), l->host))
        return -ENAMETOOLONG;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    bool listens = connect(fd, (const struct sockaddr *)&un, sizeof(un)) == 0;
    bool manager = listens && getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.pid == 1;

    (void)close(fd);
    return listens && !manager ? -EADDRINUSE : 0;
}

static void report_port(const struct preconditions *p, struct findings *f, const struct conf_listener *l,
                        int err)
{
    char section[CONF_NAME_MAX + 16];
    unsigned line = conf_line_of(p->file, title_of("listener", l->name, section), "address");

    if (err == -EADDRINUSE && p->runs)
        findings_warn(f, line, "address",
                      "`address`: %s is in use, perhaps by the running gateway; a restart needs it free",
                      l->address);
    else if (err == -EADDRINUSE && manager_has_sockets())
        findings_warn(f, line, "address",
                      "`address`: %s is in use; that is right if a socket unit of jumpgate holds it",
                      l->address);
    else if (err == -EADDRINUSE)
        findings_mistake(f, line, "address", err, "`address`: %s is in use by another process", l->address);
    else if (err == -EADDRNOTAVAIL)
        findings_mistake(f, line, "address", err, "`address`: %s is no address of this machine", l->host);
    else if (err == -EACCES)
        findings_mistake(f, line, "address", err,
                         "`address`: port %u is for root or a process with CAP_NET_BIND_SERVICE", l->port);
    else
        findings_mistake(f, line, "address", err, "`address`: %s: %s", l->address, strerror(-err));
}

void preconditions_ports(const struct preconditions *p, struct findings *f)
{
    for (size_t i = 0; i < p->conf->nlisteners; i++) {
        const struct conf_listener *l = &p->conf->listeners[i];
        int err = !l->is_unix ? try_port(l) : p->runs || !may_be_managers(l) ? try_unix(l) : 0;

        if (err && !(err == -EADDRINUSE && p->running && conf_diff_listens(p->running, l->address)))
            report_port(p, f, l, err);
    }
}

/* ---- certificates ---- */

struct ends {
    const char *section, *key, *path;
};

static void warn_of_end(const struct preconditions *p, struct findings *f, const struct ends *e,
                        const char *what, int64_t end)
{
    int64_t left = end - (int64_t)time(NULL);
    unsigned line = conf_line_of(p->file, e->section, e->key);

    if (end && left <= 0)
        findings_warn(f, line, e->key, "`%s`: %s in %s has ended", e->key, what, e->path);
    else if (end && left <= (int64_t)WARN_DAYS * DAY_S)
        findings_warn(f, line, e->key, "`%s`: %s in %s ends in %" PRId64 " days", e->key, what, e->path,
                      left / DAY_S);
}

/* The first certificate that ends. The reader of the configuration has said so where the first in the file
 * has ended. */
static void check_certificates(const struct preconditions *p, struct findings *f, const char *section,
                               const char *key, const char *path)
{
    const struct ends e = {section, key, path};
    BIO *in = certificate_file_open(path);
    int64_t earliest = 0;
    X509 *one;

    for (bool first = true; in && (one = PEM_read_bio_X509(in, NULL, NULL, NULL)); first = false) {
        int64_t end = certificate_time(X509_get0_notAfter(one));

        if (end && !(first && end <= (int64_t)time(NULL)) && (!earliest || end < earliest))
            earliest = end;
        X509_free(one);
    }
    BIO_free(in);
    ERR_clear_error();
    warn_of_end(p, f, &e, "a certificate", earliest);
}

/* A list is valid for days or weeks: it is warned of in the second half of its time. */
static void check_lists(const struct preconditions *p, struct findings *f, const char *section,
                        const char *path)
{
    const struct ends e = {section, "client_crl", path};
    BIO *in = certificate_file_open(path);
    int64_t earliest = 0, now = (int64_t)time(NULL);
    X509_CRL *one;

    while (in && (one = PEM_read_bio_X509_CRL(in, NULL, NULL, NULL))) {
        int64_t from = certificate_time(X509_CRL_get0_lastUpdate(one));
        int64_t end = certificate_time(X509_CRL_get0_nextUpdate(one));

        if (end > now && end - now < (end - from) / 2 && (!earliest || end < earliest))
            earliest = end;
        X509_CRL_free(one);
    }
    BIO_free(in);
    ERR_clear_error();
    warn_of_end(p, f, &e, "a revocation list", earliest);
}

static void check_listener(const struct preconditions *p, struct findings *f, const struct conf_listener *l)
{
    const struct http_tls_opts opts = reload_tls_opts(l);
    char section[CONF_NAME_MAX + 16], why[256] = "";

    if (!l->tls_certificate)
        return;
    (void)title_of("listener", l->name, section);
    struct tls_context *context = tls_context_new(&opts, why);
    if (!context)
        findings_mistake(f, conf_line_of(p->file, section, "tls_certificate"), "tls_certificate", -EINVAL,
                         "`tls_certificate`: %s", why);
    tls_context_unref(context);
    check_certificates(p, f, section, "tls_certificate", l->tls_certificate);
    check_certificates(p, f, section, "client_ca", l->client_ca);
    check_lists(p, f, section, l->client_crl);
}

static void check_vault(const struct preconditions *p, struct findings *f, const struct conf_vault *v)
{
    char section[CONF_NAME_MAX + 16], why[256] = "";

    (void)title_of("vault", v->name, section);
    const struct vault_kind *kind = vault_kind_of(v->type);
    struct vault_next *next = kind->prepare(p->conf, v, why);
    if (!next)
        findings_mistake(f, conf_line_of(p->file, section, "type"), NULL, -EINVAL, "[%s] %s", section, why);
    kind->discard(next);
    check_certificates(p, f, section, "client_certificate", v->client_certificate);
    check_certificates(p, f, section, "ca_file", v->ca_file);
}

void preconditions_tls(const struct preconditions *p, struct findings *f)
{
    char section[CONF_NAME_MAX + 16];

    for (size_t i = 0; i < p->conf->nlisteners; i++)
        check_listener(p, f, &p->conf->listeners[i]);
    for (size_t i = 0; i < p->conf->nvaults; i++)
        check_vault(p, f, &p->conf->vaults[i]);
    for (size_t i = 0; i < p->conf->npras; i++)
        check_certificates(p, f, title_of("pra", p->conf->pras[i].name, section), "ca_file",
                           p->conf->pras[i].ca_file);
    check_certificates(p, f, "store", "client_certificate", p->conf->store.client_certificate);
    check_certificates(p, f, "store", "ca_file", p->conf->store.ca_file);
}
