/* SPDX-License-Identifier: Apache-2.0 */
/*
 * certificate.c - the stage certificate: the certificates, keys and revocation lists of this gateway.
 *
 * For each listener with TLS: dates, purpose and names of its certificate, whether the key fits, whether each
 * further certificate of the file has signed the one before it, and the authorities and revocation lists for
 * clients. For each vault and site: the client certificate and key that the gateway shows, and `ca_file`.
 *
 * A certificate that ends within two weeks is a warning. That clients trust the issuer cannot be seen from
 * here: a file with one certificate is noted.
 *
 * Not here: the certificate that the vault shows (tls.c).
 */
#include "commands/doctor/own.h"

#include "base/certificate.h"
#include "conf/conf.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

#define TITLE_SIZE 128
#define NAME_SIZE  256

struct certificate_use {
    struct own_side *own;
    char where[TITLE_SIZE]; /* "[listener main] `tls_certificate`" */
    const char *path;
    bool is_server; /* of a listener; else shown to a vault */
};

/* ---- files ---- */

static const struct own_remedy unreadable = {
    "the file is missing, not PEM, or not readable for the user that runs this command",
    "write it again as PEM, readable for the gateway's user"};

/* All certificates of a file; empty when there are none. NULL = out of memory. */
static STACK_OF(X509) * read_chain(const char *path)
{
    STACK_OF(X509) *chain = sk_X509_new_null();
    BIO *in = certificate_file_open(path);
    X509 *cert;

    while (chain && in && (cert = PEM_read_bio_X509(in, NULL, NULL, NULL)))
        if (!sk_X509_push(chain, cert))
            X509_free(cert);
    BIO_free(in);
    ERR_clear_error();
    return chain;
}

/* A key with a passphrase is refused rather than asked for. */
static int on_passphrase(char *buf, int size, int rwflag, void *arg)
{
    (void)buf;
    (void)size;
    (void)rwflag;
    (void)arg;
    return -1;
}

static EVP_PKEY *read_key(const char *path)
{
    BIO *in = certificate_file_open(path);
    EVP_PKEY *key = in ? PEM_read_bio_PrivateKey(in, NULL, on_passphrase, NULL) : NULL;

    BIO_free(in);
    ERR_clear_error();
    return key;
}

static void name_of(const X509_NAME *name, char out[NAME_SIZE])
{
    if (!X509_NAME_oneline(name, out, NAME_SIZE))
        (void)snprintf(out, NAME_SIZE, "?");
}

/* ---- one certificate ---- */

static void look_at_dates(const struct certificate_use *use, const X509 *cert, const char *which)
{
    static const struct own_remedy ended = {"the certificate is over: each new connection is refused",
                                            "renew it and reload the gateway"};
    static const struct own_remedy early = {
        "the certificate was made ahead of time, or this machine's clock is "
        "behind",
        "check the clock (timedatectl), then the certificate's dates"};
    static const struct own_remedy soon = {"the certificate ends within two weeks",
                                           "renew it and reload the gateway"};
    char when[DOCTOR_WHEN_SIZE];

    switch (doctor_validity_words(X509_get0_notBefore(cert), X509_get0_notAfter(cert), when)) {
    case VALIDITY_ENDED:
        own_problem(use->own, REPORT_FAILED, ended, "%s: %sin %s %s", use->where, which, use->path, when);
        break;
    case VALIDITY_NOT_BEGUN:
        own_problem(use->own, REPORT_FAILED, early, "%s: %sin %s %s", use->where, which, use->path, when);
        break;
    case VALIDITY_ENDS_SOON:
        own_problem(use->own, REPORT_WARNING, soon, "%s: %sin %s: %s", use->where, which, use->path, when);
        break;
    default: report_note(use->own->d, "%s: %sin %s: %s", use->where, which, use->path, when);
    }
}

static void look_at_purpose(const struct certificate_use *use, X509 *cert)
{
    static const struct own_remedy server = {
        "its usages do not allow a server (serverAuth): clients refuse it",
        "have it issued again for server authentication"};
    static const struct own_remedy client = {
        "its usages do not allow a client (clientAuth): the vault refuses it",
        "have it issued again for client authentication"};

    if (X509_check_purpose(cert, use->is_server ? X509_PURPOSE_SSL_SERVER : X509_PURPOSE_SSL_CLIENT, 0) != 1)
        own_problem(use->own, REPORT_FAILED, use->is_server ? server : client, "%s: %s is for another use",
                    use->where, use->path);
    ERR_clear_error();
}

static void look_at_names(const struct certificate_use *use, const X509 *cert)
{
    static const struct own_remedy nameless = {
        "today's clients look at the subject alternative names alone, and it has none",
        "have it issued again with the gateway's names or addresses as subject alternative names"};
    GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
    int n = names ? sk_GENERAL_NAME_num(names) : 0;

    GENERAL_NAMES_free(names);
    if (!n)
        own_problem(use->own, REPORT_FAILED, nameless, "%s: %s is made for no name", use->where, use->path);
}

static void look_at_key(const struct certificate_use *use, const X509 *cert, const char *path)
{
    static const struct own_remedy bad = {
        "the file holds no key, or one with a passphrase",
        "write the key as PEM without a passphrase, readable for the gateway's "
        "user alone"};
    static const struct own_remedy other = {
        "certificate and key were renewed apart, or the files were mixed up",
        "install the key that the certificate was requested with"};
    EVP_PKEY *key = read_key(path);

    if (!key)
        own_problem(use->own, REPORT_FAILED, bad, "%s: the key in %s cannot be used", use->where, path);
    else if (X509_check_private_key(cert, key) != 1)
        own_problem(use->own, REPORT_FAILED, other, "%s: %s is not the key of the certificate in %s",
                    use->where, path, use->path);
    EVP_PKEY_free(key);
    ERR_clear_error();
}

/* ---- the chain ---- */

static bool has_signed(X509 *issuer, X509 *cert)
{
    bool good =
        X509_check_issued(issuer, cert) == X509_V_OK && X509_verify(cert, X509_get0_pubkey(issuer)) == 1;

    ERR_clear_error();
    return good;
}

static void look_at_chain(const struct certificate_use *use, STACK_OF(X509) * chain)
{
    static const struct own_remedy broken = {
        "the file must hold the certificate, then the one that has signed it, and so on; clients cannot "
        "build "
        "the chain otherwise",
        "put the certificates into that order, and add the one that is missing"};
    char name[NAME_SIZE];

    for (int i = 1; i < sk_X509_num(chain); i++) {
        X509 *cert = sk_X509_value(chain, i);
        name_of(X509_get_subject_name(cert), name);
        if (!has_signed(cert, sk_X509_value(chain, i - 1)))
            own_problem(use->own, REPORT_FAILED, broken,
                        "%s: in %s the certificate %s has not signed the one before it", use->where,
                        use->path, name);
        look_at_dates(use, cert, "the issuer's certificate ");
    }
    if (sk_X509_num(chain) == 1) {
        name_of(X509_get_issuer_name(sk_X509_value(chain, 0)), name);
        report_note(use->own->d, "%s: %s holds no certificate of an issuer; the other side must know %s",
                    use->where, use->path, name);
    }
}

static void look_at_pair(const struct certificate_use *use, const char *key)
{
    STACK_OF(X509) *chain = use->path ? read_chain(use->path) : NULL;
    X509 *leaf = chain && sk_X509_num(chain) ? sk_X509_value(chain, 0) : NULL;

    if (use->path && !leaf)
        own_problem(use->own, REPORT_FAILED, unreadable, "%s: %s holds no certificate that can be read",
                    use->where, use->path);
    if (leaf) {
        look_at_dates(use, leaf, "");
        look_at_purpose(use, leaf);
        if (use->is_server)
            look_at_names(use, leaf);
        look_at_key(use, leaf, key ? key : use->path);
        look_at_chain(use, chain);
    }
    sk_X509_pop_free(chain, X509_free);
}

/* ---- authorities and revocation lists ---- */

/* Of several authorities in a file some may be over: the others go on. */
static void look_at_authorities(const struct certificate_use *use, STACK_OF(X509) * authorities)
{
    static const struct own_remedy over = {"all authorities in the file are over: no certificate is trusted",
                                           "put the authority's present certificate into the file"};
    char when[DOCTOR_WHEN_SIZE], name[NAME_SIZE];
    int valid = 0;

    for (int i = 0; i < sk_X509_num(authorities); i++) {
        const X509 *cert = sk_X509_value(authorities, i);
        enum doctor_validity validity =
            doctor_validity_words(X509_get0_notBefore(cert), X509_get0_notAfter(cert), when);
        valid += validity == VALIDITY_GOOD || validity == VALIDITY_ENDS_SOON;
        name_of(X509_get_subject_name(cert), name);
        if (validity != VALIDITY_GOOD)
            report_note(use->own->d, "%s: the authority %s: %s", use->where, name, when);
    }
    if (!sk_X509_num(authorities))
        own_problem(use->own, REPORT_FAILED, unreadable, "%s: %s holds no certificate that can be read",
                    use->where, use->path);
    else if (!valid)
        own_problem(use->own, REPORT_FAILED, over, "%s: no authority in %s is valid today", use->where,
                    use->path);
}

static bool is_of(X509_CRL *list, X509 *authority)
{
    bool good = X509_NAME_cmp(X509_CRL_get_issuer(list), X509_get_subject_name(authority)) == 0 &&
                X509_CRL_verify(list, X509_get0_pubkey(authority)) == 1;

    ERR_clear_error();
    return good;
}

static void look_at_list(const struct certificate_use *use, X509_CRL *list, STACK_OF(X509) * authorities,
                         unsigned long *covered)
{
    static const struct own_remedy foreign = {
        "the list was made by another authority than those of `client_ca`, or with another key",
        "fetch the list of the authority in `client_ca`"};
    static const struct own_remedy ended = {"a list past its next update refuses every client",
                                            "fetch the authority's present list, and do so by a timer; then "
                                            "reload the gateway"};
    static const struct own_remedy early = {
        "this machine's clock is behind, or the list was made ahead of time",
        "check the clock (timedatectl)"};
    const ASN1_TIME *next = X509_CRL_get0_nextUpdate(list), *last = X509_CRL_get0_lastUpdate(list);
    char when[DOCTOR_WHEN_SIZE];
    int issuer = -1;

    for (int i = 0; i < sk_X509_num(authorities) && issuer < 0; i++)
        if (is_of(list, sk_X509_value(authorities, i)))
            issuer = i;
    if (issuer < 0)
        own_problem(use->own, REPORT_FAILED, foreign, "%s: a list in %s is of no authority in `client_ca`",
                    use->where, use->path);
    else if (issuer < (int)(8 * sizeof(*covered)))
        *covered |= 1UL << issuer;
    enum doctor_validity validity = doctor_validity_words(last, next ? next : last, when);
    if (next && validity == VALIDITY_ENDED)
        own_problem(use->own, REPORT_FAILED, ended, "%s: a list in %s %s", use->where, use->path, when);
    else if (validity == VALIDITY_NOT_BEGUN)
        own_problem(use->own, REPORT_FAILED, early, "%s: a list in %s %s", use->where, use->path, when);
    else if (next)
        report_note(use->own->d, "%s: a list in %s: %s", use->where, use->path, when);
}

static void look_at_lists(const struct certificate_use *use, STACK_OF(X509) * authorities)
{
    static const struct own_remedy uncovered = {"with `client_crl` each authority of a chain needs its list: "
                                                "without it every client of it is refused",
                                                "add the authority's list to the file"};
    BIO *in = certificate_file_open(use->path);
    unsigned long covered = 0;
    char name[NAME_SIZE];
    X509_CRL *list;
    size_t n = 0;

    for (; in && (list = PEM_read_bio_X509_CRL(in, NULL, NULL, NULL)); n++) {
        look_at_list(use, list, authorities, &covered);
        X509_CRL_free(list);
    }
    BIO_free(in);
    ERR_clear_error();
    if (!n)
        own_problem(use->own, REPORT_FAILED, unreadable, "%s: %s holds no list that can be read", use->where,
                    use->path);
    for (int i = 0; n && i < sk_X509_num(authorities) && i < (int)(8 * sizeof(covered)); i++)
        if (!(covered & 1UL << i)) {
            name_of(X509_get_subject_name(sk_X509_value(authorities, i)), name);
            own_problem(use->own, REPORT_FAILED, uncovered, "%s: %s holds no list of %s", use->where,
                        use->path, name);
        }
}

/* ---- sections ---- */

static struct certificate_use use_of(struct own_side *own, const char *kind, const char *name,
                                     const char *key, const char *path)
{
    struct certificate_use use = {.own = own, .path = path};

    (void)snprintf(use.where, sizeof(use.where), "[%s%s%s] `%s`", kind, *name ? " " : "", name, key);
    return use;
}

static void look_at_listener(struct own_side *own, const struct conf_listener *l)
{
    struct certificate_use use = use_of(own, "listener", l->name, "tls_certificate", l->tls_certificate);
    STACK_OF(X509) *authorities = l->client_ca ? read_chain(l->client_ca) : NULL;

    use.is_server = true;
    look_at_pair(&use, l->tls_key);
    if (authorities) {
        use = use_of(own, "listener", l->name, "client_ca", l->client_ca);
        look_at_authorities(&use, authorities);
    }
    if (l->client_crl) {
        use = use_of(own, "listener", l->name, "client_crl", l->client_crl);
        look_at_lists(&use, authorities);
    }
    sk_X509_pop_free(authorities, X509_free);
}

static void look_at_ca_file(struct own_side *own, const char *kind, const char *name, const char *path)
{
    struct certificate_use use = use_of(own, kind, name, "ca_file", path);
    STACK_OF(X509) *authorities = path ? read_chain(path) : NULL;

    if (authorities)
        look_at_authorities(&use, authorities);
    sk_X509_pop_free(authorities, X509_free);
}

/* The number of its certificates. */
static size_t look_at_store(struct own_side *own, const struct conf_store *s)
{
    struct certificate_use use = use_of(own, "store", "", "client_certificate", s->client_certificate);

    look_at_pair(&use, s->client_key);
    look_at_ca_file(own, "store", "", s->ca_file);
    return s->client_certificate != NULL;
}

void own_certificates(struct own_side *own)
{
    const struct conf *conf = own->conf;
    size_t n = 0;

    for (size_t i = 0; i < conf->nlisteners; i++) {
        n += conf->listeners[i].tls_certificate != NULL;
        look_at_listener(own, &conf->listeners[i]);
    }
    for (size_t i = 0; i < conf->nvaults; i++) {
        const struct conf_vault *v = &conf->vaults[i];
        struct certificate_use use =
            use_of(own, "vault", v->name, "client_certificate", v->client_certificate);
        n += v->client_certificate != NULL;
        look_at_pair(&use, v->client_key);
        look_at_ca_file(own, "vault", v->name, v->ca_file);
    }
    for (size_t i = 0; i < conf->npras; i++)
        look_at_ca_file(own, "pra", conf->pras[i].name, conf->pras[i].ca_file);
    n += look_at_store(own, &conf->store);
    if (n)
        own_good(own, "%zu certificate%s in order", n, n == 1 ? " is" : "s are");
    else
        own_good(own, "no listener has TLS, and neither a vault nor etcd is shown a client certificate");
}
