/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tls_files.c - certificates and keys for TLS tests; see tls_files.h. P-256 keys, valid for a day.
 */
#include "tls_files.h"

#include <dirent.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct pair {
    X509 *cert;
    EVP_PKEY *key;
};

static char folder[40];

const char *tls_file(const char *name, const char *ending, char path[TLS_FILES_PATH])
{
    snprintf(path, TLS_FILES_PATH, "%s/%s%s", folder, name, ending);
    return path;
}

static void extend(X509 *cert, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509_EXTENSION *e;

    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, cert, cert, NULL, NULL, 0);
    e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    assert_non_null(e);
    assert_int_equal(X509_add_ext(cert, e, -1), 1);
    X509_EXTENSION_free(e);
}

/* A DNS name with a NUL inside, which no configuration text can say. */
static void extend_with_nul(X509 *cert)
{
    GENERAL_NAMES *names = sk_GENERAL_NAME_new_null();

    for (int i = 0; i < 2; i++) {
        GENERAL_NAME *name = GENERAL_NAME_new();
        ASN1_IA5STRING *text = ASN1_IA5STRING_new();

        assert_int_equal(i ? ASN1_STRING_set(text, "plain.example", 13)
                           : ASN1_STRING_set(text, "good.example\0.evil.example", 26),
                         1);
        GENERAL_NAME_set0_value(name, GEN_DNS, text);
        assert_true(sk_GENERAL_NAME_push(names, name) > 0);
    }
    assert_int_equal(X509_add1_ext_i2d(cert, NID_subject_alt_name, names, 0, 0), 1);
    GENERAL_NAMES_free(names);
}

static struct pair make(const char *cn, const struct pair *issuer, const char *san, long ends_in_s)
{
    static long serial = 1;
    struct pair p = {X509_new(), EVP_EC_gen("P-256")};
    X509_NAME *name;

    assert_non_null(p.cert);
    assert_non_null(p.key);
    name = X509_get_subject_name(p.cert);
    assert_int_equal(X509_set_version(p.cert, 2), 1);
    ASN1_INTEGER_set(X509_get_serialNumber(p.cert), serial++);
    X509_gmtime_adj(X509_getm_notBefore(p.cert), -86400);
    X509_gmtime_adj(X509_getm_notAfter(p.cert), ends_in_s);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)cn, -1, -1, 0);
    X509_set_issuer_name(p.cert, issuer ? X509_get_subject_name(issuer->cert) : name);
    X509_set_pubkey(p.cert, p.key);
    extend(p.cert, NID_basic_constraints, issuer ? "CA:FALSE" : "critical,CA:TRUE");
    if (san && strcmp(san, "NUL") == 0)
        extend_with_nul(p.cert);
    else if (san)
        extend(p.cert, NID_subject_alt_name, san);
    assert_true(X509_sign(p.cert, issuer ? issuer->key : p.key, EVP_sha256()) > 0);
    return p;
}

static void save(const char *name, struct pair p)
{
    char path[TLS_FILES_PATH];
    FILE *f = fopen(tls_file(name, ".crt", path), "w");

    assert_non_null(f);
    assert_int_equal(PEM_write_X509(f, p.cert), 1);
    fclose(f);
    f = fopen(tls_file(name, ".key", path), "w");
    assert_non_null(f);
    assert_int_equal(PEM_write_PrivateKey(f, p.key, NULL, NULL, 0, NULL, NULL), 1);
    fclose(f);
    X509_free(p.cert);
    EVP_PKEY_free(p.key);
}

static X509_CRL *make_list(const struct pair *ca, const X509 *revoked, int age_s)
{
    X509_CRL *list = X509_CRL_new();
    ASN1_TIME *from = X509_gmtime_adj(NULL, -age_s), *until = X509_gmtime_adj(NULL, 86400);

    assert_true(list && from && until);
    assert_int_equal(X509_CRL_set_version(list, 1), 1);
    assert_int_equal(X509_CRL_set_issuer_name(list, X509_get_subject_name(ca->cert)), 1);
    assert_int_equal(X509_CRL_set1_lastUpdate(list, from), 1);
    assert_int_equal(X509_CRL_set1_nextUpdate(list, until), 1);
    if (revoked) {
        X509_REVOKED *row = X509_REVOKED_new();

        assert_non_null(row);
        assert_int_equal(
            X509_REVOKED_set_serialNumber(row, (ASN1_INTEGER *)(uintptr_t)X509_get0_serialNumber(revoked)),
            1);
        assert_int_equal(X509_REVOKED_set_revocationDate(row, from), 1);
        assert_int_equal(X509_CRL_add0_revoked(list, row), 1);
    }
    assert_true(X509_CRL_sign(list, ca->key, EVP_sha256()) > 0);
    ASN1_TIME_free(from);
    ASN1_TIME_free(until);
    return list;
}

/* Two lists of the authority in one file: an older one, of nothing, and the newer one. */
static void save_lists(const struct pair *ca, const X509 *revoked)
{
    char path[TLS_FILES_PATH];
    FILE *f = fopen(tls_file("ca", ".crl", path), "w");

    assert_non_null(f);
    for (int i = 0; i < 2; i++) {
        X509_CRL *list = make_list(ca, i ? revoked : NULL, i ? 60 : 3600);

        assert_int_equal(PEM_write_X509_CRL(f, list), 1);
        X509_CRL_free(list);
    }
    fclose(f);
}

int tls_files_setup(void **unused)
{
    static const char names[] =
        "DNS:pra.example,URI:spiffe://x/pra,email:ops@example.org,IP:192.0.2.7,IP:2001:db8::1";
    struct pair ca = make("test CA", NULL, NULL, 86400);
    struct pair other = make("test CA", NULL, NULL, 86400);

    (void)unused;
    snprintf(folder, sizeof(folder), "/tmp/jumpgate-test-XXXXXX");
    assert_non_null(mkdtemp(folder));
    save("server", make("server", &ca, "IP:127.0.0.1", 7200));
    save("good", make("good", &ca, names, 86400));
    save("nul", make("nul", &ca, "NUL", 86400));
    struct pair revoked = make("revoked", &ca, names, 86400);
    save_lists(&ca, revoked.cert);
    save("revoked", revoked);
    save("bare", make("bare", &ca, NULL, 86400));
    save("expired", make("expired", &ca, names, -60));
    save("stranger", make("good", &other, names, 86400));
    save("ca", ca);
    save("other", other);
    return 0;
}

int tls_files_teardown(void **unused)
{
    DIR *dir = opendir(folder);
    char path[512];
    const struct dirent *entry;

    (void)unused;
    assert_non_null(dir);
    while ((entry = readdir(dir))) {
        snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
        unlink(path);
    }
    closedir(dir);
    assert_int_equal(rmdir(folder), 0);
    return 0;
}
