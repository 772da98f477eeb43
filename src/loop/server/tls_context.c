/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tls_context.c - the configuration of a TLS listener, and the names in a certificate.
 *
 * The idea: every setting that security depends on is made here, once per listener: versions 1.2 and 1.3,
 * forward secrecy and authenticated encryption only, X25519 and P-256, no compression, no renegotiation by
 * clients, client certificates required where a CA is named, and none of them revoked where lists are given.
 * Sessions are resumed by tickets alone (tls_tickets.c); the server keeps no session.
 *
 * Names: a subject alternative name becomes a text like "DNS:host". One that holds a NUL or another control
 * byte is left out, since as a text it could equal another name.
 *
 * Life: tls_context_new -> any number of connections, each with a reference -> tls_context_unref. A listener
 * may replace its context; a connection keeps the context it began with.
 */
#include "loop/server/tls_context.h"

#include "base/certificate.h"
#include "base/text.h"
#include "loop/server/tls_bio.h"
#include "loop/server/tls_tickets.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WHY_SIZE      256
#define TICKET_LIFE_S 3600
#define CIPHERS_12    "ECDHE+AESGCM:ECDHE+CHACHA20"
#define CIPHERS_13    "TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256"
#define GROUPS        "X25519:P-256"

struct tls_context {
    SSL_CTX *ctx;
    BIO_METHOD *bio;
    struct tls_tickets *tickets;
    unsigned refs;
    int64_t end;     /* notAfter of the certificate */
    int64_t crl_end; /* earliest next update of the revocation lists; 0 = there are none */
};

/* ---- making it ---- */

static bool load_failed(char why[WHY_SIZE], const char *what, const char *file)
{
    unsigned long code = ERR_peek_last_error();
    const char *reason = code ? ERR_reason_error_string(code) : NULL;

    snprintf(why, WHY_SIZE, "%s%s%s: %s", what, file ? " " : "", file ? file : "",
             reason ? reason : "not usable");
    ERR_clear_error();
    return false;
}

/* A key with a passphrase is refused rather than asked for on the terminal. */
static int on_passphrase(char *to, int size, int writing, void *arg)
{
    (void)to;
    (void)size;
    (void)writing;
    (void)arg;
    return -1;
}

static bool load_certificate(struct tls_context *t, const struct http_tls_opts *opts, char why[WHY_SIZE])
{
    SSL_CTX_set_default_passwd_cb(t->ctx, on_passphrase);
    if (SSL_CTX_use_certificate_chain_file(t->ctx, opts->certificate) != 1)
        return load_failed(why, "certificate", opts->certificate);
    if (SSL_CTX_use_PrivateKey_file(t->ctx, opts->key, SSL_FILETYPE_PEM) != 1)
        return load_failed(why, "key", opts->key);
    if (SSL_CTX_check_private_key(t->ctx) != 1)
        return load_failed(why, "the key is not the certificate's:", opts->key);
    t->end = certificate_time(X509_get0_notAfter(SSL_CTX_get0_certificate(t->ctx)));
    return true;
}

/* All lists of the file, or none: a later one may revoke what an earlier one does not. */
static bool add_lists(struct tls_context *t, BIO *in)
{
    X509_STORE *store = SSL_CTX_get_cert_store(t->ctx);
    X509_CRL *crl;
    bool added = true;
    size_t n = 0;

    ERR_clear_error();
    while (added && (crl = PEM_read_bio_X509_CRL(in, NULL, NULL, NULL))) {
        int64_t end = certificate_time(X509_CRL_get0_nextUpdate(crl));

        added = X509_STORE_add_crl(store, crl) == 1;
        n++;
        if (end && (!t->crl_end || end < t->crl_end))
            t->crl_end = end;
        X509_CRL_free(crl);
    }
    unsigned long code = ERR_peek_last_error(); /* the end of the file is one */

    return added && n && ERR_GET_LIB(code) == ERR_LIB_PEM && ERR_GET_REASON(code) == PEM_R_NO_START_LINE;
}

/* Each authority of a chain needs its list: without it a certificate is refused. */
static bool load_client_crl(struct tls_context *t, const struct http_tls_opts *opts, char why[WHY_SIZE])
{
    if (!opts->client_crl)
        return true;
    BIO *in = BIO_new_file(opts->client_crl, "r");
    bool added = in && add_lists(t, in);

    BIO_free(in);
    if (!added)
        return load_failed(why, "client CRL", opts->client_crl);
    ERR_clear_error();
    X509_STORE_set_flags(SSL_CTX_get_cert_store(t->ctx), X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
    return true;
}

static bool load_client_ca(struct tls_context *t, const struct http_tls_opts *opts, char why[WHY_SIZE])
{
    STACK_OF(X509_NAME) * names;

    if (!opts->client_ca)
        return true;
    if (SSL_CTX_load_verify_locations(t->ctx, opts->client_ca, NULL) != 1)
        return load_failed(why, "client CA", opts->client_ca);
    names = SSL_load_client_CA_file(opts->client_ca);
    if (!names)
        return load_failed(why, "client CA", opts->client_ca);
    SSL_CTX_set_client_CA_list(t->ctx, names); /* takes them */
    if (!opts->ask_late)
        SSL_CTX_set_verify(t->ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    return load_client_crl(t, opts, why);
}

static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *outlen, const unsigned char *in,
                   unsigned inlen, void *arg)
{
    static const unsigned char ours[] = "\x08http/1.1";
    unsigned char *chosen = NULL;

    (void)ssl;
    (void)arg;
    if (SSL_select_next_proto(&chosen, outlen, ours, sizeof(ours) - 1, in, inlen) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_NOACK;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

static bool set_options(struct tls_context *t, const struct http_tls_opts *opts, char why[WHY_SIZE])
{
    uint64_t options = SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE;
    static const unsigned char id[] = "jumpgate";

    /* Asked late by renegotiation, a client must not answer with its old session: that has no certificate. */
    options |= opts->ask_late ? SSL_OP_NO_SESSION_RESUMPTION_ON_RENEGOTIATION : SSL_OP_NO_RENEGOTIATION;
    SSL_CTX_set_options(t->ctx, options);
    SSL_CTX_set_mode(t->ctx, SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_session_cache_mode(t->ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_timeout(t->ctx, TICKET_LIFE_S);
    SSL_CTX_set_num_tickets(t->ctx, 1);
    SSL_CTX_set_alpn_select_cb(t->ctx, on_alpn, NULL);
    if (SSL_CTX_set_min_proto_version(t->ctx, TLS1_2_VERSION) != 1 ||
        SSL_CTX_set_max_proto_version(t->ctx, opts->max_version) != 1 ||
        SSL_CTX_set_cipher_list(t->ctx, CIPHERS_12) != 1 ||
        SSL_CTX_set_ciphersuites(t->ctx, CIPHERS_13) != 1 || SSL_CTX_set1_groups_list(t->ctx, GROUPS) != 1 ||
        SSL_CTX_set_session_id_context(t->ctx, id, sizeof(id) - 1) != 1)
        return load_failed(why, "TLS options", NULL);
    return true;
}

struct tls_context *tls_context_new(const struct http_tls_opts *opts, char why[WHY_SIZE])
{
    struct tls_context *t = calloc(1, sizeof(*t));

    ERR_clear_error();
    if (!t) {
        snprintf(why, WHY_SIZE, "out of memory");
        return NULL;
    }
    t->refs = 1;
    t->ctx = SSL_CTX_new(TLS_server_method());
    t->bio = tls_bio_method();
    t->tickets = t->ctx ? tls_tickets_new(t->ctx) : NULL;
    if (!t->ctx || !t->bio || !t->tickets) {
        load_failed(why, "TLS", NULL);
    } else if (set_options(t, opts, why) && load_certificate(t, opts, why) && load_client_ca(t, opts, why)) {
        return t;
    }
    tls_context_unref(t);
    return NULL;
}

struct tls_context *tls_context_ref(struct tls_context *t)
{
    t->refs++;
    return t;
}

void tls_context_unref(struct tls_context *t)
{
    if (!t || --t->refs)
        return;
    SSL_CTX_free(t->ctx);
    BIO_meth_free(t->bio);
    tls_tickets_free(t->tickets);
    free(t);
}

int64_t tls_context_end(const struct tls_context *t)
{
    return t->end;
}

int64_t tls_context_crl_end(const struct tls_context *t)
{
    return t->crl_end;
}

int tls_context_rotate(struct tls_context *t)
{
    return tls_tickets_rotate(t->tickets);
}

SSL *tls_context_ssl(struct tls_context *t)
{
    ERR_clear_error();
    return SSL_new(t->ctx);
}

BIO *tls_context_bio(struct tls_context *t)
{
    return BIO_new(t->bio);
}

/* ---- connections of before ---- */

bool tls_context_asks(const struct tls_context *t)
{
    return SSL_CTX_get_verify_mode(t->ctx) & SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
}

bool tls_context_trusts(const struct tls_context *t, X509 *certificate, STACK_OF(X509) * chain)
{
    X509_STORE_CTX *proof = X509_STORE_CTX_new();
    bool ok = proof && X509_STORE_CTX_init(proof, SSL_CTX_get_cert_store(t->ctx), certificate, chain) == 1 &&
              X509_STORE_CTX_set_default(proof, "ssl_client") == 1 && X509_verify_cert(proof) == 1;

    X509_STORE_CTX_free(proof);
    ERR_clear_error();
    return ok;
}

/* ---- names ---- */

/* Each leaves *text as it is, NULL, for a name that a text cannot hold faithfully. 0 or -ENOMEM. */
static int text_san(const char *prefix, const ASN1_STRING *value, char **text)
{
    const unsigned char *bytes = ASN1_STRING_get0_data(value);
    int n = ASN1_STRING_length(value);

    for (int i = 0; i < n; i++) {
        if (bytes[i] <= 0x20 || bytes[i] >= 0x7f)
            return 0;
    }
    return n > 0 && asprintf(text, "%s:%.*s", prefix, n, (const char *)bytes) < 0 ? -ENOMEM : 0;
}

static int ip_san(const ASN1_OCTET_STRING *value, char **text)
{
    char host[INET6_ADDRSTRLEN];
    int n = ASN1_STRING_length(value);
    int family = n == 4 ? AF_INET : AF_INET6;

    if ((n != 4 && n != 16) || !inet_ntop(family, ASN1_STRING_get0_data(value), host, sizeof(host)))
        return 0;
    return asprintf(text, "IP:%s", host) < 0 ? -ENOMEM : 0;
}

static int san_text(const GENERAL_NAME *name, char **text)
{
    switch (name->type) {
    case GEN_DNS: return text_san("DNS", name->d.dNSName, text);
    case GEN_URI: return text_san("URI", name->d.uniformResourceIdentifier, text);
    case GEN_EMAIL: return text_san("email", name->d.rfc822Name, text);
    case GEN_IPADD: return ip_san(name->d.iPAddress, text);
    default: return 0;
    }
}

int tls_certificate_sans(X509 *certificate, const char **sans, size_t max, size_t *n)
{
    int critical = -1; /* from 0 on: the names are there */
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, &critical, NULL);
    int err = !names && critical >= 0 ? -ENOMEM : 0;

    *n = 0;
    for (int i = 0; !err && i < sk_GENERAL_NAME_num(names) && *n < max; i++) {
        char *text = NULL;

        err = san_text(sk_GENERAL_NAME_value(names, i), &text);
        if (!err && text)
            sans[(*n)++] = text;
    }
    GENERAL_NAMES_free(names);
    return err;
}

static void name_words(const X509_NAME *name, char *out, size_t size)
{
    BIO *text = BIO_new(BIO_s_mem());
    char *bytes;
    long n = text && X509_NAME_print_ex(text, name, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB) >= 0
                 ? BIO_get_mem_data(text, &bytes)
                 : 0;

    if (n > 0)
        (void)text_copy_n(out, size, bytes, (size_t)n);
    BIO_free(text);
}

void tls_certificate_words(X509 *certificate, struct http_shown *out)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;

    *out = (struct http_shown){.subject = ""};
    name_words(X509_get_subject_name(certificate), out->subject, sizeof(out->subject));
    name_words(X509_get_issuer_name(certificate), out->issuer, sizeof(out->issuer));
    BIGNUM *number = ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate), NULL);
    char *hex = number ? BN_bn2hex(number) : NULL;
    if (hex)
        (void)text_copy(out->serial, sizeof(out->serial), hex);
    OPENSSL_free(hex);
    BN_free(number);
    if (X509_digest(certificate, EVP_sha256(), digest, &size) == 1 && size == (sizeof(out->sha256) - 1) / 2)
        text_hex(out->sha256, digest, size);
}
