/* SPDX-License-Identifier: Apache-2.0 */
/*
 * certificates.c - keys, certificates and requests of the first run; see setup.h.
 *
 *   own-ca    an authority, the server's certificate and, where the client is known by one, the client's
 *   request   the server's key, a request for the operator's authority, and a certificate signed by the key
 *             itself, with which the gateway starts until the real one takes its place
 *
 * Keys are ECDSA over P-256. They are in OpenSSL's secure memory, and as PEM in secret memory until they are
 * in their files. Certificates begin an hour in the past, since clocks differ.
 */
#include "commands/setup/setup.h"

#include "base/text.h"

#include <errno.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <string.h>

#define CA_DAYS     3650
#define LEAF_DAYS   825
#define EARLIER_S   3600
#define DAY_S       86400L
#define SERIAL_BITS 127
#define SAN_SIZE    1024

struct issued {
    EVP_PKEY *key;
    X509 *certificate;
};

static void issued_free(struct issued *i)
{
    EVP_PKEY_free(i->key);
    X509_free(i->certificate);
    *i = (struct issued){0};
}

/* ---- names ---- */

/* "gw.example, 192.0.2.1" -> "DNS:gw.example,IP:192.0.2.1" */
static int server_sans(const char *names, char out[SAN_SIZE])
{
    size_t used = 0;

    for (const char *p = names + strspn(names, " ,"); *p; p += strspn(p, " ,")) {
        size_t n = strcspn(p, " ,");
        char name[256];
        int written;

        if (n >= sizeof(name))
            return -ENAMETOOLONG;
        memcpy(name, p, n);
        name[n] = '\0';
        written = snprintf(out + used, SAN_SIZE - used, "%s%s:%s", used ? "," : "",
                           text_is_ip(name) ? "IP" : "DNS", name);
        if (written < 0 || (size_t)written >= SAN_SIZE - used)
            return -ENAMETOOLONG;
        used += (size_t)written;
        p += n;
    }
    return used ? 0 : -EINVAL;
}

static void first_name(const char *names, char out[64])
{
    names += strspn(names, " ,");
    (void)snprintf(out, 64, "%.*s", (int)strcspn(names, " ,"), names);
}

static bool set_name(X509_NAME *name, const char *text)
{
    return X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)text, -1, -1, 0) == 1;
}

/* ---- certificates ---- */

static bool add_extension(X509 *certificate, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509_EXTENSION *e;
    bool added;

    X509V3_set_ctx(&ctx, issuer, certificate, NULL, NULL, 0);
    e = X509V3_EXT_nconf_nid(NULL, &ctx, nid, value);
    added = e && X509_add_ext(certificate, e, -1) == 1;
    X509_EXTENSION_free(e);
    return added;
}

static bool set_serial(X509 *certificate)
{
    BIGNUM *number = BN_new();
    bool set = number && BN_rand(number, SERIAL_BITS, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY) &&
               BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate));

    BN_free(number);
    return set;
}

struct wish {
    const char *name, *usage, *purpose, *san;
    bool authority;
    long days;
};

static bool fill(X509 *c, const struct wish *w, EVP_PKEY *key, X509 *issuer)
{
    return X509_set_version(c, X509_VERSION_3) && set_serial(c) &&
           X509_gmtime_adj(X509_getm_notBefore(c), -EARLIER_S) &&
           X509_gmtime_adj(X509_getm_notAfter(c), w->days * DAY_S) &&
           set_name(X509_get_subject_name(c), w->name) &&
           X509_set_issuer_name(c, X509_get_subject_name(issuer)) && X509_set_pubkey(c, key) &&
           add_extension(c, issuer, NID_basic_constraints,
                         w->authority ? "critical,CA:TRUE,pathlen:0" : "critical,CA:FALSE") &&
           add_extension(c, issuer, NID_key_usage, w->usage) &&
           (!w->purpose || add_extension(c, issuer, NID_ext_key_usage, w->purpose)) &&
           (!w->san || add_extension(c, issuer, NID_subject_alt_name, w->san)) &&
           add_extension(c, issuer, NID_subject_key_identifier, "hash") &&
           (c == issuer || add_extension(c, issuer, NID_authority_key_identifier, "keyid:always"));
}

/* Signed by `by`, or NULL = by its own key. */
static int issue(struct issued *out, const struct wish *w, const struct issued *by)
{
    out->key = EVP_EC_gen("P-256");
    out->certificate = X509_new();
    if (!out->key || !out->certificate ||
        !fill(out->certificate, w, out->key, by ? by->certificate : out->certificate) ||
        !X509_sign(out->certificate, by ? by->key : out->key, EVP_sha256())) {
        issued_free(out);
        return -EIO;
    }
    return 0;
}

static X509_REQ *make_request(const struct issued *server, const char *name, const char *san)
{
    X509_REQ *r = X509_REQ_new();
    STACK_OF(X509_EXTENSION) *extensions = sk_X509_EXTENSION_new_null();
    X509_EXTENSION *e = X509V3_EXT_nconf_nid(NULL, NULL, NID_subject_alt_name, san);
    bool made = r && extensions && e && sk_X509_EXTENSION_push(extensions, e) > 0;

    if (made)
        e = NULL;
    made = made && X509_REQ_set_version(r, X509_REQ_VERSION_1) &&
           set_name(X509_REQ_get_subject_name(r), name) && X509_REQ_set_pubkey(r, server->key) &&
           X509_REQ_add_extensions(r, extensions) && X509_REQ_sign(r, server->key, EVP_sha256());
    X509_EXTENSION_free(e);
    sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
    if (made)
        return r;
    X509_REQ_free(r);
    return NULL;
}

/* ---- files ---- */

static int take_pem(BIO *bio, bool written, struct buf *out)
{
    char *text = NULL;
    long n = written ? BIO_get_mem_data(bio, &text) : 0;
    int err = n > 0 ? buf_append(out, text, (size_t)n) : -EIO;

    BIO_free(bio); /* secure memory is wiped */
    return err;
}

static int add_key(struct setup *s, EVP_PKEY *key, const char *name)
{
    struct buf pem = BUF_SECRET(SETUP_TEXT_MAX);
    BIO *bio = BIO_new(BIO_s_secmem());
    int err = bio ? take_pem(bio, PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1, &pem)
                  : -ENOMEM;
    struct setup_file *f = err ? NULL : setup_add(s, 0600, &pem, "/etc/jumpgate/secrets/%s.key", name);

    if (f) {
        f->secret = "private key";
        f->to_unit = strcmp(name, "server") == 0;
    }
    buf_free(&pem);
    return f ? 0 : err ? err : -ENOMEM;
}

static int add_certificate(struct setup *s, X509 *certificate, const char *name)
{
    struct buf pem = BUF_INIT(SETUP_TEXT_MAX);
    BIO *bio = BIO_new(BIO_s_mem());
    int err = bio ? take_pem(bio, PEM_write_bio_X509(bio, certificate) == 1, &pem) : -ENOMEM;
    bool added = !err && setup_add(s, 0644, &pem, "/etc/jumpgate/tls/%s.pem", name);

    buf_free(&pem);
    return added ? 0 : err ? err : -ENOMEM;
}

static int add_request(struct setup *s, const struct issued *server, const char *name, const char *san)
{
    struct buf pem = BUF_INIT(SETUP_TEXT_MAX);
    X509_REQ *r = make_request(server, name, san);
    BIO *bio = r ? BIO_new(BIO_s_mem()) : NULL;
    int err = bio ? take_pem(bio, PEM_write_bio_X509_REQ(bio, r) == 1, &pem) : -EIO;
    bool added = !err && setup_add(s, 0644, &pem, "/etc/jumpgate/tls/server.csr");

    X509_REQ_free(r);
    buf_free(&pem);
    return added ? 0 : err ? err : -ENOMEM;
}

static int add_pair(struct setup *s, const struct issued *i, const char *name)
{
    int err = add_key(s, i->key, name);

    return err ? err : add_certificate(s, i->certificate, name);
}

/* ---- what the answers need ---- */

static int add_client(struct setup *s, const struct issued *ca)
{
    struct issued client = {0};
    const char *name = setup_answer(s, SETUP_CLIENT);
    char san[128], file[96];
    int err;

    if (!setup_is(s, SETUP_CLIENT_BY, "certificate"))
        return 0;
    (void)snprintf(san, sizeof(san), "URI:urn:jumpgate:client:%s", name);
    (void)snprintf(file, sizeof(file), "client-%s", name);
    const struct wish wish = {.name = name,
                              .usage = "critical,digitalSignature",
                              .purpose = "clientAuth",
                              .san = san,
                              .days = LEAF_DAYS};
    err = issue(&client, &wish, ca);
    if (!err)
        err = add_pair(s, &client, file);
    issued_free(&client);
    return err;
}

static int add_server(struct setup *s, const struct issued *ca)
{
    struct issued server = {0};
    char san[SAN_SIZE], name[64];
    int err = server_sans(setup_answer(s, SETUP_SERVER_NAMES), san);

    if (err)
        return err;
    first_name(setup_answer(s, SETUP_SERVER_NAMES), name);
    const struct wish wish = {.name = name,
                              .usage = "critical,digitalSignature",
                              .purpose = "serverAuth",
                              .san = san,
                              .days = LEAF_DAYS};
    err = issue(&server, &wish, ca);
    if (!err)
        err = add_pair(s, &server, "server");
    if (!err && !ca)
        err = add_request(s, &server, name, san);
    issued_free(&server);
    return err;
}

static int add_with_authority(struct setup *s)
{
    static const struct wish authority = {.name = "jumpgate's own authority",
                                          .usage = "critical,keyCertSign,cRLSign",
                                          .authority = true,
                                          .days = CA_DAYS};
    struct issued ca = {0};
    int err = issue(&ca, &authority, NULL);

    if (!err)
        err = add_pair(s, &ca, "ca");
    if (!err)
        err = add_server(s, &ca);
    if (!err)
        err = add_client(s, &ca);
    issued_free(&ca);
    return err;
}

int setup_certificates(struct setup *s)
{
    int err = 0;

    if (!setup_is_unix(s))
        err = setup_is(s, SETUP_CERTIFICATE, "request") ? add_server(s, NULL) : add_with_authority(s);
    ERR_clear_error();
    return err;
}
