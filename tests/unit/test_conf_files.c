/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_conf_files.c - files named in a configuration: readable, guarded, and certificates that fit their
 * keys.
 *
 * Keys and certificates are made here, so that nothing expires in the tree.
 */
#include "check.h"
#include "conf_fixture.h"

#include <errno.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TLS "@GOOD@\n[listener tls]\naddress = 0.0.0.0:8443\n"

static FILE *create(struct fixture *f, const char *name)
{
    FILE *out = fopen(fixture_file(f, name, "", 0600), "w");

    assert_non_null(out);
    return out;
}

/* Writes NAME.key, and NAME.pem valid for `days` from now (negative: expired), with a Common Name if there is
 * one. Takes the key. */
static void make_pair_of(struct fixture *f, const char *name, long days, EVP_PKEY *key, const char *common)
{
    X509 *cert = X509_new();
    char file[64];
    FILE *out;

    assert_non_null(key);
    assert_non_null(cert);
    assert_int_equal(ASN1_INTEGER_set(X509_get_serialNumber(cert), 1), 1);
    assert_non_null(X509_gmtime_adj(X509_getm_notBefore(cert), -10 * 86400));
    assert_non_null(X509_gmtime_adj(X509_getm_notAfter(cert), days * 86400));
    assert_int_equal(X509_set_pubkey(cert, key), 1);
    if (common)
        assert_int_equal(X509_NAME_add_entry_by_NID(X509_get_subject_name(cert), NID_commonName,
                                                    MBSTRING_UTF8, (const unsigned char *)common, -1, -1, 0),
                         1);
    assert_true(X509_sign(cert, key, EVP_sha256()) > 0);
    (void)snprintf(file, sizeof(file), "%s.key", name);
    out = create(f, file);
    assert_int_equal(PEM_write_PrivateKey(out, key, NULL, NULL, 0, NULL, NULL), 1);
    assert_int_equal(fclose(out), 0);
    (void)snprintf(file, sizeof(file), "%s.pem", name);
    out = create(f, file);
    assert_int_equal(PEM_write_X509(out, cert), 1);
    assert_int_equal(fclose(out), 0);
    X509_free(cert);
    EVP_PKEY_free(key);
}

static void make_pair(struct fixture *f, const char *name, long days)
{
    make_pair_of(f, name, days, EVP_EC_gen("P-256"), NULL);
}

static void make_encrypted_key(struct fixture *f, const char *name)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    FILE *out = create(f, name);
    unsigned char pass[] = "opensesame";

    assert_non_null(key);
    assert_int_equal(PEM_write_PrivateKey(out, key, EVP_aes_128_cbc(), pass, sizeof(pass) - 1, NULL, NULL),
                     1);
    assert_int_equal(fclose(out), 0);
    EVP_PKEY_free(key);
}

TEST(a_matching_pair_is_fine)
{
    struct fixture *f = *state;

    make_pair(f, "a", 30);
    assert_loads(f, TLS "tls_certificate = @DIR@/a.pem\ntls_key = @DIR@/a.key\nclient_ca = @DIR@/a.pem\n"
                        "[client cert]\ncertificate_san = pra\nallow = broker\n");
    assert_int_equal(f->errors.len, 0);
    assert_loads(
        f, "@GOOD@\nclient_certificate = @DIR@/a.pem\nclient_key = @DIR@/a.key\nca_file = @DIR@/a.pem\n");
    assert_int_equal(f->errors.len, 0);
}

TEST(pairs_that_do_not_fit)
{
    struct fixture *f = *state;

    make_pair(f, "a", 30);
    make_pair(f, "b", 30);
    make_encrypted_key(f, "locked.key");
    assert_mistake(f, TLS "tls_certificate = @DIR@/a.pem\ntls_key = @DIR@/b.key\n", 12, "`tls_key`: ");
    assert_non_null(strstr(buf_cstr(&f->errors), "is not the key of the certificate in"));
    assert_mistake(f, TLS "tls_certificate = @DIR@/a.key\ntls_key = @DIR@/a.key\n", 11,
                   "`tls_certificate`: ");
    assert_non_null(strstr(buf_cstr(&f->errors), "holds no certificate in PEM form"));
    assert_mistake(f, TLS "tls_certificate = @DIR@/a.pem\ntls_key = @DIR@/a.pem\n", 12, "`tls_key`: ");
    assert_non_null(strstr(buf_cstr(&f->errors), "holds no private key in PEM form"));
    assert_mistake(f, TLS "tls_certificate = @DIR@/a.pem\ntls_key = @DIR@/locked.key\n", 12, "`tls_key`: ");
    assert_non_null(strstr(buf_cstr(&f->errors), "has a passphrase; remove it"));
    assert_mistake(f, "@GOOD@\nca_file = @DIR@/key\n", 9, "`ca_file`: ");
    assert_mistake(f, "@GOOD@\nclient_certificate = @DIR@/b.pem\nclient_key = @DIR@/a.key\n", 10,
                   "`client_key`: ");
}

TEST(certificate_with_a_weak_key_is_refused)
{
    struct fixture *f = *state;

    make_pair_of(f, "weak", 30, EVP_RSA_gen(1024), NULL);
    assert_mistake(f, "@GOOD@\nclient_certificate = @DIR@/weak.pem\nclient_key = @DIR@/weak.key\n", 9,
                   "`client_certificate`: OpenSSL refuses the certificate in ");
    assert_non_null(strstr(buf_cstr(&f->errors), "ee key too small"));
}

TEST(a_common_name_beside_a_user_of_etcd_is_refused)
{
    static const char with_user[] =
        "@GOOD@\n[store]\ntype = etcd\nendpoints = https://a.example:2379\n"
        "client_certificate = @DIR@/a.pem\nclient_key = @DIR@/a.key\nuser = jg\npassword_file = @DIR@/key\n";
    struct fixture *f = *state;

    make_pair_of(f, "a", 365, EVP_EC_gen("P-256"), "gateway");
    assert_mistake(f, with_user, 12, "`client_certificate`: ");
    assert_non_null(strstr(buf_cstr(&f->errors), "has a Common Name, and etcd then refuses `user`"));
    assert_loads(f, "@GOOD@\n[store]\ntype = etcd\nendpoints = https://a.example:2379\n"
                    "client_certificate = @DIR@/a.pem\nclient_key = @DIR@/a.key\n");
    make_pair(f, "a", 365);
    assert_loads(f, with_user);
}

/* The first certificate is whole, and libcurl would refuse the file at each call. */
TEST(every_certificate_of_a_file_is_read)
{
    static const char *const ends[] = {"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n",
                                       "-----BEGIN CERTIFICATE-----\nMIIBezCCASGgAwIBAg\n"};
    struct fixture *f = *state;
    char pem[4096] = "", twice[8192], path[300];

    make_pair(f, "whole", 100);
    (void)snprintf(path, sizeof(path), "%s/whole.pem", f->dir);
    FILE *in = fopen(path, "r");
    assert_non_null(in);
    size_t n = fread(pem, 1, sizeof(pem) / 2, in);
    assert_int_equal(fclose(in), 0);
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        (void)snprintf(pem + n, sizeof(pem) - n, "%s", ends[i]);
        (void)fixture_file(f, "bundle", pem, 0644);
        assert_mistake(f, "@GOOD@\nca_file = @DIR@/bundle\n", 9, "`ca_file`: certificate number 2 in ");
    }
    (void)snprintf(twice, sizeof(twice), "%.*sthe second:\n%.*s# the end\n", (int)n, pem, (int)n, pem);
    (void)fixture_file(f, "bundle", twice, 0644);
    assert_loads(f, "@GOOD@\nca_file = @DIR@/bundle\n");
    assert_int_equal(f->errors.len, 0);
}

TEST(an_expired_certificate_is_warned_of)
{
    struct fixture *f = *state;

    make_pair(f, "old", -1);
    assert_warned(f, TLS "tls_certificate = @DIR@/old.pem\ntls_key = @DIR@/old.key\n", 11,
                  "the certificate in ");
    assert_non_null(strstr(buf_cstr(&f->errors), "has expired"));
}

TEST(files_that_are_not_there)
{
    struct fixture *f = *state;

    assert_mistake(f, "@GOOD@\nrun_as_password_file = @DIR@/none\n", 9,
                   "`run_as_password_file`: cannot read ");
    assert_mistake(f, "@GOOD@\nrun_as_password_file = @DIR@\n", 9, "`run_as_password_file`: ");
    assert_non_null(strstr(buf_cstr(&f->errors), "is not a regular file"));
    (void)fixture_file(f, "empty", "", 0600);
    assert_mistake(f, "@GOOD@\nrun_as_password_file = @DIR@/empty\n", 9, "`run_as_password_file`: ");
    assert_non_null(strstr(buf_cstr(&f->errors), "is empty"));
    assert_mistake(f, "@GOOD@\nca_file = $HOME/ca.pem\n", 9, "`ca_file` takes nothing from the environment");
    assert_mistake(f, "@GOOD@\nrun_as_password_file = -----BEGIN RSA PRIVATE KEY-----\n", 9,
                   "`run_as_password_file` needs the name of a file, not its content");
    if (geteuid() != 0) {
        (void)fixture_file(f, "locked", "x", 0);
        assert_mistake(f, "@GOOD@\nrun_as_password_file = @DIR@/locked\n", 9,
                       "`run_as_password_file`: cannot read ");
    }
}

TEST(secrets_that_others_can_read)
{
    static const mode_t open_modes[] = {0640, 0604, 0644};
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(open_modes) / sizeof(open_modes[0]); i++) {
        (void)fixture_file(f, "pw", "secret", open_modes[i]);
        assert_warned(f, "@GOOD@\nrun_as_password_file = @DIR@/pw\n", 9, "`run_as_password_file`: ");
        assert_non_null(strstr(buf_cstr(&f->errors), "can be read by others"));
    }
    (void)fixture_file(f, "pw", "secret", 0400);
    assert_loads(f, "@GOOD@\nrun_as_password_file = @DIR@/pw\n");
    assert_int_equal(f->errors.len, 0);
}

#define SECOND "@GOOD@\n[vault two]\nurl = https://VAULT.example/BeyondTrust/api/public/v3/\napi_key_file = "

/* One API registration is one sign-in, in however many files its key is. */
TEST(one_key_in_two_files_is_one_sign_in)
{
    struct fixture *f = *state;
    char key[256] = "", line[300];
    FILE *in;

    (void)fixture_file(f, "other", "x", 0600);
    (void)snprintf(line, sizeof(line), "%s/key", f->dir);
    in = fopen(line, "r");
    assert_non_null(in);
    assert_non_null(fgets(key, sizeof(key), in));
    assert_int_equal(fclose(in), 0);
    key[strcspn(key, "\r\n")] = '\0';
    (void)fixture_file(f, "copy", key, 0600);
    assert_mistake(f, SECOND "@DIR@/copy\n", 10,
                   "[vault two] is [vault main] in line 7 again: same `url` and same sign-in");
    assert_int_equal(fixture_messages(f), 1);
    (void)snprintf(line, sizeof(line), "%s\n", key); /* the end of the line belongs to no key */
    (void)fixture_file(f, "copy", line, 0600);
    assert_mistake(f, SECOND "@DIR@/copy\n", 10, "[vault two] is [vault main]");
    assert_mistake(f, SECOND "@DIR@/../\n", 11, "`api_key_file`: ");
    assert_int_equal(fixture_messages(f), 1);
    assert_loads(f, SECOND "@DIR@/other\n");
    assert_loads(f, "@GOOD@\n[vault two]\nurl = https://b.example/BeyondTrust/api/public/v3\n"
                    "api_key_file = @DIR@/copy\n"); /* another vault that happens to have the key */
    assert_int_equal(f->errors.len, 0);
}

static void mistake_about(struct fixture *f, const char *path, mode_t mode, const char *conf, const char *key)
{
    char text[64];
    struct stat st;

    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(chmod(path, mode), 0);
    assert_int_equal(fixture_load(f, conf), -EINVAL);
    (void)snprintf(text, sizeof(text), "written by others than its owner (mode %04o)", (unsigned)mode);
    assert_non_null(strstr(buf_cstr(&f->errors), key));
    assert_non_null(strstr(buf_cstr(&f->errors), path));
    assert_non_null(strstr(buf_cstr(&f->errors), text));
    assert_int_equal(chmod(path, st.st_mode & 07777), 0);
}

TEST(what_others_can_write_is_refused)
{
    static const mode_t open_modes[] = {0720, 0702, 0777};
    struct fixture *f = *state;
    const char *conf = "@GOOD@\nrun_as_password_file = @DIR@/pw\n[gateway]\nstate_dir = @DIR@/below/state\n";
    char below[128], name[160];

    (void)fixture_file(f, "pw", "secret", 0600);
    (void)snprintf(below, sizeof(below), "%s/below", f->dir);
    (void)snprintf(name, sizeof(name), "%s/state", below);
    assert_int_equal(mkdir(below, 0755), 0);
    assert_loads(f, conf); /* the state directory will be made */
    assert_int_equal(mkdir(name, 0700), 0);
    assert_loads(f, conf);
    for (size_t i = 0; i < sizeof(open_modes) / sizeof(open_modes[0]); i++) {
        mistake_about(f, name, open_modes[i], conf, "`state_dir`: ");
        mistake_about(f, below, open_modes[i], conf, "`state_dir`: ");
        mistake_about(f, f->dir, open_modes[i], conf, "`this file`: ");
        mistake_about(f, fixture_file(f, "pw", "secret", 0600), open_modes[i], conf,
                      "`run_as_password_file`: ");
    }
    mistake_about(f, name, 01777, conf, "`state_dir`: "); /* sticky is for what is on the way */
    assert_int_equal(chmod(below, 01777), 0);
    assert_loads(f, conf);
    assert_int_equal(rmdir(name), 0);
    assert_int_equal(rmdir(below), 0);
}

TEST(folders_of_log_trail_and_socket_that_others_can_write_are_warned_of)
{
    static const mode_t open_modes[] = {0720, 0702, 01777};
    struct fixture *f = *state;
    const char *conf = "@GOOD@\n[listener two]\naddress = unix:@DIR@/logs/socket\n"
                       "[gateway]\nlog_file = @DIR@/logs/log\naudit_file = @DIR@/logs/trail\n";
    char folder[128];

    (void)snprintf(folder, sizeof(folder), "%s/logs", f->dir);
    assert_int_equal(mkdir(folder, 0750), 0);
    assert_loads(f, conf);
    assert_null(strstr(buf_cstr(&f->errors) ? buf_cstr(&f->errors) : "", "can be written"));
    for (size_t i = 0; i < sizeof(open_modes) / sizeof(open_modes[0]); i++) {
        assert_int_equal(chmod(folder, open_modes[i]), 0);
        assert_loads(f, conf);
        assert_non_null(strstr(buf_cstr(&f->errors), "warning: `log_file`: "));
        assert_non_null(strstr(buf_cstr(&f->errors), "warning: `audit_file`: "));
        assert_non_null(strstr(buf_cstr(&f->errors), "warning: `address`: "));
        assert_non_null(strstr(buf_cstr(&f->errors), "can be written by others than its owner"));
    }
    assert_int_equal(rmdir(folder), 0);
}

TEST(what_belongs_to_others_is_refused)
{
    struct fixture *f = *state;
    const char *path = fixture_file(f, "pw", "secret", 0600);

    if (geteuid() != 0)
        skip();
    assert_int_equal(chown(path, 4711, (gid_t)-1), 0);
    assert_int_equal(fixture_load(f, "@GOOD@\nrun_as_password_file = @DIR@/pw\n"), -EINVAL);
    assert_non_null(strstr(buf_cstr(&f->errors), "belongs to uid 4711"));
}

TEST(the_group_of_the_trail_must_reach_it)
{
    struct fixture *f = *state;
    char text[512];
    gid_t other = getegid() + 1;

    (void)snprintf(text, sizeof(text),
                   "@GOOD@\n[gateway]\naudit_file = @DIR@/audit.jsonl\naudit_group = %u\n", (unsigned)other);
    assert_mistake(f, text, 11, "`audit_group`: the group");
    (void)snprintf(text, sizeof(text), "@GOOD@\n[gateway]\naudit_group = no-such-group\n");
    assert_mistake(f, text, 10, "there is no group `no-such-group`");
    assert_int_equal(chmod(f->dir, 0711), 0);
    (void)snprintf(text, sizeof(text),
                   "@GOOD@\n[gateway]\naudit_file = @DIR@/audit.jsonl\naudit_group = %u\n", (unsigned)other);
    assert_loads(f, text);
    assert_int_equal(chmod(f->dir, 0700), 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        T(a_matching_pair_is_fine),
        T(pairs_that_do_not_fit),
        T(certificate_with_a_weak_key_is_refused),
        T(a_common_name_beside_a_user_of_etcd_is_refused),
        T(every_certificate_of_a_file_is_read),
        T(an_expired_certificate_is_warned_of),
        T(files_that_are_not_there),
        T(secrets_that_others_can_read),
        T(one_key_in_two_files_is_one_sign_in),
        T(what_others_can_write_is_refused),
        T(folders_of_log_trail_and_socket_that_others_can_write_are_warned_of),
        T(what_belongs_to_others_is_refused),
        T(the_group_of_the_trail_must_reach_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
