/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_failing_setup.c - each allocation and each call of OpenSSL fails once while `jumpgate setup` makes
 * keys, certificates and a request.
 *
 * Either it fails, or all files are there: each certificate has its key, its authority has signed it, and it
 * names what was answered, an address as an address. No error of OpenSSL is left behind.
 */
#include "check.h"
#include "commands/setup/setup.h"
#include "failing_calls.h"

#include "base/log.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>

static BIO *pem(const struct setup *s, const char *path)
{
    BIO *bio = NULL;

    for (size_t i = 0; i < s->plan.n && !bio; i++)
        if (strcmp(s->plan.files[i].path, path) == 0)
            bio = BIO_new_mem_buf(s->plan.files[i].data.data, (int)s->plan.files[i].data.len);
    assert_non_null(bio);
    return bio;
}

static X509 *certificate(const struct setup *s, const char *path)
{
    BIO *bio = pem(s, path);
    X509 *x = PEM_read_bio_X509(bio, NULL, NULL, NULL);

    assert_non_null(x);
    BIO_free(bio);
    return x;
}

/* Of both forms of the server's names. */
static void assert_names(X509 *x)
{
    assert_int_equal(X509_check_host(x, "gw.example.test", 0, 0, NULL), 1);
    assert_int_equal(X509_check_ip_asc(x, "192.0.2.1", 0), 1);
    assert_int_equal(X509_check_ip_asc(x, "2001:db8::1", 0), 1);
    assert_int_equal(X509_check_host(x, "192.0.2.1", 0, 0, NULL), 0);
}

/* `by` NULL = signed by its own key. */
static void assert_pair(const struct setup *s, const char *name, const char *key_path, X509 *by)
{
    BIO *bio = pem(s, key_path);
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
    X509 *x = certificate(s, name);

    assert_non_null(key);
    assert_int_equal(X509_check_private_key(x, key), 1);
    assert_int_equal(X509_verify(x, by ? X509_get0_pubkey(by) : key), 1);
    assert_int_equal(X509_get_version(x), X509_VERSION_3);
    assert_true(ASN1_INTEGER_get(X509_get_serialNumber(x)) != 0);
    assert_true(X509_cmp_current_time(X509_get0_notBefore(x)) < 0);
    assert_true(X509_cmp_current_time(X509_get0_notAfter(x)) > 0);
    if (strstr(name, "server"))
        assert_names(x);
    X509_free(x);
    EVP_PKEY_free(key);
    BIO_free(bio);
}

static void assert_request(const struct setup *s)
{
    BIO *bio = pem(s, "/etc/jumpgate/tls/server.csr");
    X509_REQ *r = PEM_read_bio_X509_REQ(bio, NULL, NULL, NULL);
    STACK_OF(X509_EXTENSION) * extensions;

    assert_non_null(r);
    assert_int_equal(X509_REQ_verify(r, X509_REQ_get0_pubkey(r)), 1);
    extensions = X509_REQ_get_extensions(r);
    assert_int_equal(sk_X509_EXTENSION_num(extensions), 1);
    sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
    X509_REQ_free(r);
    BIO_free(bio);
}

static int make(struct setup *s, const char *kind)
{
    static char listen[] = "0.0.0.0:8443", names[] = "gw.example.test, 192.0.2.1 2001:db8::1";
    static char client[] = "pra", by[] = "certificate";
    static char kinds[2][8] = {"own-ca", "request"};

    *s = (struct setup){.plan.group = (gid_t)-1};
    s->answers[SETUP_LISTEN] = listen;
    s->answers[SETUP_SERVER_NAMES] = names;
    s->answers[SETUP_CLIENT] = client;
    s->answers[SETUP_CLIENT_BY] = by;
    s->answers[SETUP_CERTIFICATE] = kinds[strcmp(kind, "request") == 0];
    return setup_certificates(s);
}

/* With calls that fail, and then with none. */
static void check(const char *kind, void (*assert_all)(const struct setup *))
{
    for (int again = 0; again < 2; again++) {
        struct setup s;
        int err;

        if (!again)
            failing_calls_start();
        err = make(&s, kind);
        failing_calls_stop();
        assert_int_equal(ERR_peek_error(), 0);
        if (!err)
            assert_all(&s);
        assert_true(!again || !err);
        setup_plan_free(&s);
    }
}

static void assert_own_ca(const struct setup *s)
{
    X509 *ca = certificate(s, "/etc/jumpgate/tls/ca.pem");

    assert_int_equal(s->plan.n, 6);
    assert_int_equal(X509_check_ca(ca), 1);
    assert_pair(s, "/etc/jumpgate/tls/ca.pem", "/etc/jumpgate/secrets/ca.key", NULL);
    assert_pair(s, "/etc/jumpgate/tls/server.pem", "/etc/jumpgate/secrets/server.key", ca);
    assert_pair(s, "/etc/jumpgate/tls/client-pra.pem", "/etc/jumpgate/secrets/client-pra.key", ca);
    X509_free(ca);
}

static void assert_requested(const struct setup *s)
{
    assert_int_equal(s->plan.n, 3);
    assert_pair(s, "/etc/jumpgate/tls/server.pem", "/etc/jumpgate/secrets/server.key", NULL);
    assert_request(s);
}

static void own_ca(void)
{
    check("own-ca", assert_own_ca);
}

static void request(void)
{
    check("request", assert_requested);
}

TEST(each_call_of_an_own_authority)
{
    failing_calls_each("own_ca", own_ca);
}

TEST(each_call_of_a_request)
{
    failing_calls_each("request", request);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_call_of_an_own_authority),
        cmocka_unit_test(each_call_of_a_request),
    };

    (void)log_open(&(struct log_opts){.level = LOG_ERROR, .file = "/dev/null"});
    return cmocka_run_group_tests(tests, NULL, NULL);
}
