/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tls.c - the certificate the vault shows: who signed it, for which names, for how long; and if it is
 * refused, why.
 *
 * Verification is as strict as the gateway's own and is never switched off: the callback below records a
 * certificate that OpenSSL refuses, and never accepts it. Nothing is sent over a connection that failed.
 *
 * Behind an HTTP proxy the connection goes through its tunnel. Behind any other proxy the certificate is not
 * looked at here; the API stage connects through the proxy and checks it.
 */
#include "commands/doctor/stages.h"

#include "base/certificate.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define DAYS_FEW 14

struct probe {
    struct doctor *d;
    SSL_CTX *ctx;
    SSL *ssl;
    int fd;
    long refused;  /* X509_V_ERR_..., 0 = the chain is good */
    bool good;     /* the vault's certificate was accepted */
    int alert;     /* reason code of the vault's alert, 0 = none */
    char why[160]; /* what TLS itself complained of */
};

static int ex_index(void)
{
    static int index = -1;

    if (index < 0)
        index = SSL_get_ex_new_index(0, NULL, NULL, NULL, NULL);
    return index;
}

/* ---- what a certificate says ---- */

static void note_name(struct doctor *d, const char *what, const X509_NAME *name)
{
    char text[256];

    if (X509_NAME_oneline(name, text, sizeof(text)))
        report_note(d, "%s %s", what, text);
}

static void add_alt_name(const GENERAL_NAME *name, char *out, size_t size)
{
    size_t used = strlen(out);
    int kind;
    const ASN1_STRING *value = GENERAL_NAME_get0_value(name, &kind);
    const unsigned char *p =
        value && (kind == GEN_DNS || kind == GEN_IPADD) ? ASN1_STRING_get0_data(value) : NULL;

    if (!p)
        return;
    if (kind == GEN_DNS)
        (void)snprintf(out + used, size - used, " %.*s", ASN1_STRING_length(value), (const char *)p);
    else if (ASN1_STRING_length(value) == 4)
        (void)snprintf(out + used, size - used, " %u.%u.%u.%u", p[0], p[1], p[2], p[3]);
    else
        (void)snprintf(out + used, size - used, " (an IPv6 address)");
}

static void note_alt_names(struct doctor *d, const X509 *cert)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
    char text[400] = "";

    for (int i = 0; names && i < sk_GENERAL_NAME_num(names); i++)
        add_alt_name(sk_GENERAL_NAME_value(names, i), text, sizeof(text));
    report_note(d, "made for:%s", *text ? text : " no name at all");
    GENERAL_NAMES_free(names);
}

/* Whole days from now, negative for a time that is over; a time that cannot be read counts as now. */
static int days_until(const ASN1_TIME *at, bool *is_over)
{
    int days = 0, seconds = 0;

    if (!ASN1_TIME_diff(&days, &seconds, NULL, at))
        days = seconds = 0;
    *is_over = days < 0 || seconds < 0 || (!days && !seconds);
    return days;
}

static const char *plural(int n)
{
    return n == 1 ? "" : "s";
}

enum doctor_validity doctor_validity_words(const ASN1_TIME *begin, const ASN1_TIME *end,
                                           char out[DOCTOR_WHEN_SIZE])
{
    bool has_begun, has_ended;
    int to_begin = days_until(begin, &has_begun), to_end = days_until(end, &has_ended);

    if (has_ended && !to_end)
        (void)snprintf(out, DOCTOR_WHEN_SIZE, "ended today");
    else if (has_ended)
        (void)snprintf(out, DOCTOR_WHEN_SIZE, "ended %d day%s ago", -to_end, plural(-to_end));
    else if (!has_begun && to_begin)
        (void)snprintf(out, DOCTOR_WHEN_SIZE, "begins in %d day%s", to_begin, plural(to_begin));
    else if (!has_begun)
        (void)snprintf(out, DOCTOR_WHEN_SIZE, "begins within a day");
    else
        (void)snprintf(out, DOCTOR_WHEN_SIZE, "%d day%s left", to_end, plural(to_end));
    return has_ended           ? VALIDITY_ENDED
           : !has_begun        ? VALIDITY_NOT_BEGUN
           : to_end < DAYS_FEW ? VALIDITY_ENDS_SOON
                               : VALIDITY_GOOD;
}

void doctor_note_validity(struct doctor *d, const X509 *cert)
{
    struct tm begins, ends;
    char from[32] = "?", to[32] = "?", when[DOCTOR_WHEN_SIZE];

    if (ASN1_TIME_to_tm(X509_get0_notBefore(cert), &begins))
        (void)strftime(from, sizeof(from), "%Y-%m-%d", &begins);
    if (ASN1_TIME_to_tm(X509_get0_notAfter(cert), &ends))
        (void)strftime(to, sizeof(to), "%Y-%m-%d", &ends);
    doctor_validity_words(X509_get0_notBefore(cert), X509_get0_notAfter(cert), when);
    report_note(d, "valid from %s to %s (%s)", from, to, when);
}

static void note_certificate(struct doctor *d, const X509 *cert)
{
    note_name(d, "certificate of", X509_get_subject_name(cert));
    note_name(d, "signed by", X509_get_issuer_name(cert));
    note_alt_names(d, cert);
    doctor_note_validity(d, cert);
}

/* ---- the connection ---- */

/* Records the reason; OpenSSL refuses. */
static int on_verify(int good, X509_STORE_CTX *store)
{
    SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct probe *probe = ssl ? SSL_get_ex_data(ssl, ex_index()) : NULL;
    const X509 *leaf = X509_STORE_CTX_get0_cert(store);

    if (!good && probe && !probe->refused) {
        probe->refused = X509_STORE_CTX_get_error(store);
        if (leaf)
            note_certificate(probe->d, leaf);
        if (X509_STORE_CTX_get_error_depth(store) > 0)
            note_name(probe->d, "the trouble is with the certificate of",
                      X509_get_subject_name(X509_STORE_CTX_get_current_cert(store)));
    }
    return good;
}

/* A key with a passphrase is refused rather than asked for. */
static int on_passphrase(char *buf, int size, int rwflag, void *arg)
{
    (void)buf;
    (void)size;
    (void)rwflag;
    (void)arg;
    return 0;
}

static bool load_own(const struct conf_vault *conf, SSL_CTX *ctx)
{
    SSL_CTX_set_default_passwd_cb(ctx, on_passphrase);
    return !conf->client_certificate ||
           (SSL_CTX_use_certificate_chain_file(ctx, conf->client_certificate) == 1 &&
            SSL_CTX_use_PrivateKey_file(ctx, conf->client_key ? conf->client_key : conf->client_certificate,
                                        SSL_FILETYPE_PEM) == 1);
}

bool doctor_own_pair(const struct conf_vault *conf)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    bool good = ctx && load_own(conf, ctx);

    SSL_CTX_free(ctx);
    ERR_clear_error();
    return good;
}

static bool make_context(struct probe *probe)
{
    const struct conf_vault *conf = probe->d->vault_conf;

    probe->ctx = SSL_CTX_new(TLS_client_method());
    if (!probe->ctx || SSL_CTX_set_min_proto_version(probe->ctx, TLS1_2_VERSION) != 1)
        return false;
    SSL_CTX_set_verify(probe->ctx, SSL_VERIFY_PEER, on_verify);
    if (conf->ca_file ? SSL_CTX_load_verify_locations(probe->ctx, conf->ca_file, NULL) != 1
                      : SSL_CTX_set_default_verify_paths(probe->ctx) != 1)
        return false;
    return load_own(conf, probe->ctx);
}

/* The name or address that the certificate must be made for. */
static bool expect_name(struct probe *probe)
{
    const char *host = probe->d->url.host;
    X509_VERIFY_PARAM *param = SSL_get0_param(probe->ssl);

    if (X509_VERIFY_PARAM_set1_ip_asc(param, host) == 1)
        return true;
    ERR_clear_error();
    return SSL_set1_host(probe->ssl, host) == 1 && SSL_set_tlsext_host_name(probe->ssl, host) == 1;
}

static bool connect_any(struct probe *probe)
{
    const struct doctor *d = probe->d;

    for (const struct addrinfo *ai = d->addresses; ai && probe->fd < 0; ai = ai->ai_next)
        probe->fd = doctor_connect(ai, d->vault_conf->connect_timeout_ms);
    return probe->fd >= 0 &&
           (!d->proxied || doctor_tunnel(probe->fd, d->url.host, doctor_url_port(&d->url)) / 100 == 2);
}

/* Keeps OpenSSL's reason. */
static bool tls_broke(struct probe *probe)
{
    unsigned long err = ERR_get_error();
    const char *reason = err ? ERR_reason_error_string(err) : NULL;

    if (ERR_GET_LIB(err) == ERR_LIB_SSL)
        probe->alert = ERR_GET_REASON(err);
    (void)snprintf(probe->why, sizeof(probe->why), "%s",
                   reason ? reason : "the other side closed the connection or was silent");
    return false;
}

static bool shake_hands(struct probe *probe)
{
    if (!make_context(probe) || !(probe->ssl = SSL_new(probe->ctx)) ||
        SSL_set_ex_data(probe->ssl, ex_index(), probe) != 1 || !expect_name(probe) || !connect_any(probe) ||
        SSL_set_fd(probe->ssl, probe->fd) != 1 || SSL_connect(probe->ssl) != 1)
        return tls_broke(probe);
    probe->good = true;
    return true;
}

/*
 * With TLS 1.3 a server judges the client's certificate after the client's handshake has ended, and its alert
 * comes in place of an answer. So the API's base is asked for, without a user, as the gateway's own probe
 * does. An answer of any kind, and silence, are left to the next stage.
 */
static bool is_let_in(struct probe *probe)
{
    const struct address_url *url = &probe->d->url;
    char text[1024], answer[1];
    int n = snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n",
                     *url->path ? url->path : "/", url->host);

    if (n < 0 || (size_t)n >= sizeof(text))
        return true;
    ERR_clear_error();
    errno = 0;
    if (SSL_write(probe->ssl, text, n) != n)
        ERR_clear_error(); /* the alert may be here nevertheless */
    if (SSL_read(probe->ssl, answer, sizeof(answer)) > 0 || errno == EAGAIN)
        return true;
    return tls_broke(probe);
}

static void probe_free(struct probe *probe)
{
    SSL_free(probe->ssl);
    SSL_CTX_free(probe->ctx);
    if (probe->fd >= 0)
        (void)close(probe->fd);
    ERR_clear_error();
}

/* ---- findings ---- */

static void explain_unknown_ca(struct doctor *d)
{
    const char *ca = d->vault_conf->ca_file;

    report_cause(d, "the certificate comes from an authority this gateway does not trust: an appliance's own "
                    "or a company's CA, or the vault does not send its intermediate certificates");
    report_remedy(d,
                  "get the CA certificate (PEM) from the vault's administrators, compare its fingerprint "
                  "with them, and %s%s%s; never switch verification off",
                  ca ? "put it into " : "name it as `ca_file` in [vault ", ca ? ca : d->vault_conf->name,
                  ca ? "" : "]");
}

static void explain_refusal(struct doctor *d, long refused)
{
    switch (refused) {
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        report_cause(d, "the certificate is good but made for other names than %s (wrong name)", d->url.host);
        report_remedy(d,
                      "use one of the names above in `url`, or have a new certificate made with this name");
        break;
    case X509_V_ERR_CERT_HAS_EXPIRED:
        report_cause(d, "the certificate, or one of those it rests on, has expired");
        report_remedy(d, "renew it on the vault; if its dates look right, this machine's clock is wrong");
        break;
    case X509_V_ERR_CERT_NOT_YET_VALID:
        report_cause(d, "the certificate is not valid yet: this machine's clock is behind, or the "
                        "certificate was made ahead of time");
        report_remedy(d, "check the clock of this machine (timedatectl), then the certificate's dates");
        break;
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_CERT_UNTRUSTED: explain_unknown_ca(d); break;
    default:
        report_cause(d, "OpenSSL refuses the certificate: %s", X509_verify_cert_error_string(refused));
        report_remedy(d,
                      "have a new certificate made for the vault, with today's usual algorithms and usages "
                      "(server authentication)");
    }
}

static void explain_own_certificate(struct doctor *d)
{
    const struct conf_vault *conf = d->vault_conf;

    if (!conf->client_certificate) {
        report_cause(d, "the vault wants a client certificate, and none is configured");
        report_remedy(d,
                      "set `client_certificate` and `client_key` in [vault %s], or turn \"Client "
                      "Certificate Required\" off for the gateway's API registration",
                      conf->name);
        return;
    }
    report_cause(d,
                 "the vault does not accept the client certificate in %s: it has expired, was revoked, or "
                 "comes from an authority that the vault does not trust",
                 conf->client_certificate);
    report_remedy(d,
                  "compare its issuer and dates with what the vault's administrators expect (openssl x509 "
                  "-noout -issuer -dates -in %s), and have it issued again if need be",
                  conf->client_certificate);
}

static void explain_handshake(struct doctor *d, const struct probe *probe)
{
    if (certificate_is_refusal(probe->alert)) {
        explain_own_certificate(d);
        return;
    }
    if (probe->good) {
        report_cause(d,
                     "the other side closes the connection as soon as TLS is established: it wants a client "
                     "certificate and %s, or a load balancer has no vault to hand the connection to",
                     d->vault_conf->client_certificate ? "does not accept the configured one"
                                                       : "none is configured");
        report_remedy(d, "see the vault's API registration (\"Client Certificate Required\") and the load "
                         "balancer's own view of the vault");
        return;
    }
    report_cause(d,
                 "the other side does not speak TLS 1.2 or newer on this port, or it wants a client "
                 "certificate and %s",
                 d->vault_conf->client_certificate ? "does not accept the configured one"
                                                   : "none is configured");
    report_remedy(d, "check the port; if the API registration says \"Client Certificate Required\", set "
                     "`client_certificate` and `client_key`");
}

static void report_failed_tls(struct doctor *d, const struct probe *probe)
{
    if (probe->refused) {
        report_failed(d, "the vault's certificate is refused: %s",
                      X509_verify_cert_error_string(probe->refused));
        explain_refusal(d, probe->refused);
    } else {
        report_failed(d, probe->good ? "the vault ends the TLS connection: %s" : "no TLS connection: %s",
                      probe->why);
        explain_handshake(d, probe);
    }
}

static void report_good(struct doctor *d, SSL *ssl)
{
    X509 *leaf = SSL_get0_peer_certificate(ssl);
    bool is_over = false;
    int days = leaf ? days_until(X509_get0_notAfter(leaf), &is_over) : 0;

    if (leaf)
        note_certificate(d, leaf);
    report_ok(d, "%s, certificate good for %d more day%s%s", SSL_get_version(ssl), days, plural(days),
              days < DAYS_FEW ? "; RENEW IT SOON" : "");
}

bool doctor_tls(struct doctor *d)
{
    struct probe probe = {.d = d, .fd = -1};
    struct address_url proxy;
    bool well;

    if (strcmp(d->url.scheme, "https") != 0) {
        report_ok(d, "not used: `insecure_http` to this machine itself");
        return true;
    }
    if (d->proxied && !doctor_is_http_proxy(d->vault_conf->proxy, &proxy)) {
        report_unknown(d,
                       "not looked at: the vault is behind a proxy that is not asked in HTTP; see the next "
                       "stage");
        return true;
    }
    well = shake_hands(&probe) && is_let_in(&probe);
    if (well)
        report_good(d, probe.ssl);
    else
        report_failed_tls(d, &probe);
    probe_free(&probe);
    return well;
}
