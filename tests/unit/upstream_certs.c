/* SPDX-License-Identifier: Apache-2.0 */
/*
 * upstream_certs.c - certificates for the tests: one authority, one foreign authority, P-256 keys.
 *
 * Everything is made in memory at the start of a test program; only what the code under test takes as a file
 * goes to a temporary directory, which is removed at the end. Nothing here is for use outside tests.
 */
#include "upstream_certs.h"

#include "check.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void add_extension(X509 *x, int nid, const char *value)
{
    X509V3_CTX ctx;

    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, x, x, NULL, NULL, 0);
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    assert_non_null(e);
    assert_int_equal(X509_add_ext(x, e, -1), 1);
    X509_EXTENSION_free(e);
}

struct subject {
    const char *name, *san; /* san NULL = an authority */
    long from, to;          /* seconds from now */
};

static X509 *make(const struct subject *s, EVP_PKEY *key, X509 *issuer, EVP_PKEY *issuer_key)
{
    static long serial = 1;
    X509 *x = X509_new();

    assert_non_null(x);
    X509_set_version(x, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x), serial++);
    X509_gmtime_adj(X509_getm_notBefore(x), s->from);
    X509_gmtime_adj(X509_getm_notAfter(x), s->to);
    X509_set_pubkey(x, key);
    X509_NAME *name = X509_get_subject_name(x);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)s->name, -1, -1, 0);
    X509_set_issuer_name(x, issuer ? X509_get_subject_name(issuer) : name);
    add_extension(x, NID_basic_constraints, s->san ? "CA:FALSE" : "critical,CA:TRUE");
    if (s->san)
        add_extension(x, NID_subject_alt_name, s->san);
    assert_true(X509_sign(x, issuer_key, EVP_sha256()) > 0);
    return x;
}

static void save(char path[64], const char *dir, const char *name, X509 *x, EVP_PKEY *key)
{
    snprintf(path, 64, "%s/%s", dir, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    if (x)
        assert_int_equal(PEM_write_X509(f, x), 1);
    if (key)
        assert_int_equal(PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL), 1);
    fclose(f);
}

#define DAY 86400L

static void make_all(struct certs *c)
{
    memset(c, 0, sizeof(*c));
    strcpy(c->dir, "/tmp/jg-certs-XXXXXX");
    assert_non_null(mkdtemp(c->dir));
    EVP_PKEY *ca_key = EVP_EC_gen("P-256"), *other_key = EVP_EC_gen("P-256");
    EVP_PKEY *client_key = EVP_EC_gen("P-256");
    c->key = EVP_EC_gen("P-256");
    assert_true(ca_key && other_key && client_key && c->key);

    c->ca = make(&(struct subject){"test authority", NULL, -DAY, DAY}, ca_key, NULL, ca_key);
    X509 *other = make(&(struct subject){"other authority", NULL, -DAY, DAY}, other_key, NULL, other_key);
    c->server =
        make(&(struct subject){"vault", "IP:127.0.0.1,DNS:vault.test", -DAY, DAY}, c->key, c->ca, ca_key);
    c->wrong_name =
        make(&(struct subject){"127.0.0.1", "DNS:elsewhere.test", -DAY, DAY}, c->key, c->ca, ca_key);
    c->expired = make(&(struct subject){"vault", "IP:127.0.0.1", -2 * DAY, -DAY}, c->key, c->ca, ca_key);
    X509 *client =
        make(&(struct subject){"jumpgate", "DNS:jumpgate.test", -DAY, DAY}, client_key, c->ca, ca_key);
    save(c->ca_file, c->dir, "ca.pem", c->ca, NULL);
    save(c->other_ca_file, c->dir, "other.pem", other, NULL);
    save(c->client_certificate, c->dir, "client.pem", client, NULL);
    save(c->client_key, c->dir, "client.key", NULL, client_key);
    X509_free(client);
    X509_free(other);
    EVP_PKEY_free(ca_key);
    EVP_PKEY_free(other_key);
    EVP_PKEY_free(client_key);
}

static void free_all(struct certs *c)
{
    unlink(c->ca_file);
    unlink(c->other_ca_file);
    unlink(c->client_certificate);
    unlink(c->client_key);
    rmdir(c->dir);
    X509_free(c->ca);
    X509_free(c->server);
    X509_free(c->wrong_name);
    X509_free(c->expired);
    EVP_PKEY_free(c->key);
}

SSL_CTX *certs_server(const struct certs *c, X509 *which, int version)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

    assert_non_null(ctx);
    assert_int_equal(SSL_CTX_use_certificate(ctx, which), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(ctx, c->key), 1);
    SSL_CTX_set_min_proto_version(ctx, version);
    SSL_CTX_set_max_proto_version(ctx, version);
    assert_int_equal(X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), c->ca), 1);
    SSL_CTX_set_session_id_context(ctx, (const unsigned char *)"peer", 4);
    SSL_CTX_clear_mode(ctx, SSL_MODE_AUTO_RETRY);
    return ctx;
}

struct certs certs;

int certs_setup(void **unused)
{
    (void)unused;
    make_all(&certs);
    return 0;
}

int certs_teardown(void **unused)
{
    (void)unused;
    free_all(&certs);
    return 0;
}
