/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_failing_hashes.c - each call of OpenSSL, each allocation and each random number fails once where texts
 * are hashed, ids made, passwords compared, and certificates read from files.
 *
 * What fails says so, and what does not fail is right: no hash is ever a wrong one, no id a known one, and no
 * wrong password the right one. The next call of the same kind succeeds.
 */
#include "base/certificate.h"
#include "base/digest.h"
#include "base/id.h"
#include "base/log.h"
#include "check.h"
#include "failing_calls.h"
#include "reports/conf/password.h"
#include "secrets_gone.h"
#include "tls_files.h"

#include <openssl/err.h>
#include <pthread.h>
#include <string.h>

static const unsigned char of_abc[DIGEST_SIZE] = {
    0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40, 0xde, 0x5d, 0xae, 0x22, 0x23,
    0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17, 0x7a, 0x9c, 0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad};

static bool hash(void)
{
    static const unsigned char nothing[DIGEST_SIZE];
    unsigned char out[DIGEST_SIZE] = "something of before";
    int err = digest_sha256("abc", 3, out);

    assert_memory_equal(out, err ? nothing : of_abc, DIGEST_SIZE);
    return !err;
}

/* A thread has a context of its own, until it ends. */
static void *hash_in_thread(void *unused)
{
    (void)unused;
    failing_calls_start();
    (void)hash();
    failing_calls_stop();
    assert_true(hash());
    ERR_clear_error();
    return NULL;
}

static void hashed(void)
{
    pthread_t thread;

    assert_int_equal(pthread_create(&thread, NULL, hash_in_thread, NULL), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

static void *hash_first(void *unused)
{
    (void)unused;
    failing_calls_start();
    (void)hash();
    failing_calls_stop();
    return NULL;
}

static void hashed_first(void)
{
    pthread_t thread;

    assert_int_equal(pthread_create(&thread, NULL, hash_first, NULL), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

/* Some ids come from one call of the generator. */
static void ids(void)
{
    char of[40][ID_SIZE] = {""};

    failing_calls_start();
    for (int i = 0; i < 40; i++) {
        if (id_new(of[i])) {
            failing_calls_stop();
            assert_int_equal(id_new(of[i]), 0);
            failing_calls_start();
        }
        for (int before = 0; before < i; before++)
            assert_string_not_equal(of[before], of[i]);
    }
    failing_calls_stop();
    ERR_clear_error();
}

/* ---- passwords of the reports ---- */

#define OPENSESAME "$scrypt$ln=12,r=1,p=1$AAECAwQFBgcICQoLDA0ODw$G3nAqeWLRuh7I9MUC3ijp2nA1jg7K+UBucr9lZ4ZLis"

static bool matches(const char *text, const char *password)
{
    return password_matches(text, password, strlen(password));
}

/* The right one may be refused; no other one is taken. */
static void passwords(void)
{
    char text[PASSWORD_TEXT_SIZE] = "";

    failing_calls_start();
    (void)matches(OPENSESAME, "opensesame");
    assert_false(matches(OPENSESAME, "opensesam"));
    assert_false(matches(OPENSESAME, ""));
    int err = password_make("barley", 6, text);
    failing_calls_stop();
    assert_true(matches(OPENSESAME, "opensesame"));
    if (!err)
        assert_true(password_valid(text) && matches(text, "barley"));
    ERR_clear_error();
}

/* ---- certificates ---- */

static void files(void)
{
    char path[TLS_FILES_PATH];

    (void)tls_file("server", ".crt", path);
    failing_calls_start();
    int64_t end = certificate_file_end(path);
    failing_calls_stop();
    int64_t true_end = certificate_file_end(path);

    assert_true(true_end > 0);
    assert_true(end == 0 || end == true_end);
    assert_int_equal(ERR_peek_error(), 0);
}

#define EACH(scenario)                                                                                       \
    TEST(each_call_of_##scenario)                                                                            \
    {                                                                                                        \
        failing_calls_each(#scenario, scenario);                                                             \
        assert_secrets_gone();                                                                               \
    }

TEST(each_call_of_the_first_hash)
{
    failing_calls_first("hashed_first", hashed_first);
    assert_true(hash());
}

EACH(hashed)
EACH(ids)
EACH(passwords)
EACH(files)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_call_of_the_first_hash),
        cmocka_unit_test(each_call_of_hashed),
        cmocka_unit_test(each_call_of_ids),
        cmocka_unit_test(each_call_of_passwords),
        cmocka_unit_test(each_call_of_files),
    };

    (void)log_open(&(struct log_opts){.level = LOG_ERROR, .file = "/dev/null"});
    return cmocka_run_group_tests(tests, tls_files_setup, tls_files_teardown);
}
