/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_failing_conf.c - each allocation, each call of OpenSSL and of the system fails once while a
 * configuration is read and its certificates, keys and revocation lists are checked.
 *
 * A configuration is taken, or refused with a message. A key that does not fit its certificate, and a file
 * that is none, are never taken: `jumpgate check` and a reload rest on that. With nothing failing any more
 * the good one is taken, without a message.
 */
#include "check.h"
#include "conf_fixture.h"
#include "failing_calls.h"
#include "tls_files.h"

#include "base/log.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static char text[4096];

static void write_text(const char *certificate, const char *key, const char *authority)
{
    char paths[4][TLS_FILES_PATH];

    (void)tls_file(certificate, ".crt", paths[0]);
    (void)tls_file(key, ".key", paths[1]);
    (void)tls_file(authority, ".crt", paths[2]);
    (void)tls_file("ca", ".crl", paths[3]);
    assert_int_equal(chmod(paths[1], 0600), 0);
    (void)snprintf(text, sizeof(text),
                   "@GOOD@\nclient_certificate = %s\nclient_key = %s\nca_file = %s\n"
                   "[listener tls]\naddress = 0.0.0.0:8443\ntls_certificate = %s\ntls_key = %s\n"
                   "client_ca = %s\nclient_crl = %s\n",
                   paths[0], paths[1], paths[2], paths[0], paths[1], paths[2], paths[3]);
}

/* No word of this kind is said of a file that was not read. */
static void assert_no_verdict(struct buf *messages)
{
    static const char *const verdicts[] = {"holds no", "is not the key", "damaged", "refuses", "passphrase"};

    for (size_t i = 0; messages->len && i < sizeof(verdicts) / sizeof(verdicts[0]); i++)
        if (strstr(buf_cstr(messages), verdicts[i]))
            fail_msg("%s", buf_cstr(messages));
}

/* Reads the file that the fixture has written. False: it is refused. */
static bool load(const struct fixture *f, bool is_good)
{
    char path[128];
    struct conf *conf = NULL;
    struct buf messages = BUF_INIT(65536);

    (void)snprintf(path, sizeof(path), "%s/test.conf", f->dir);
    failing_calls_start();
    int err = conf_load(path, &conf, &messages);
    failing_calls_stop();
    assert_int_equal(err == 0, conf != NULL);
    assert_true(!err || messages.len || messages.failed || err == -ENOMEM);
    if (is_good)
        assert_no_verdict(&messages);
    conf_free(conf);
    buf_free(&messages);
    ERR_clear_error();
    return !err;
}

static void loaded(void)
{
    void *state = NULL;

    assert_int_equal(fixture_setup(&state), 0);
    struct fixture *f = state;

    write_text("server", "server", "ca");
    int err = fixture_load(f, text);
    if (f->errors.len)
        fail_msg("%s", buf_cstr(&f->errors));
    assert_int_equal(err, 0);
    (void)load(f, true);
    assert_int_equal(fixture_load(f, text), 0);
    assert_int_equal(fixture_teardown(&state), 0);
}

static void refused(const char *certificate, const char *key, const char *authority)
{
    void *state = NULL;

    assert_int_equal(fixture_setup(&state), 0);
    struct fixture *f = state;

    write_text(certificate, key, authority);
    assert_int_not_equal(fixture_load(f, text), 0);
    assert_false(load(f, false));
    assert_int_equal(fixture_teardown(&state), 0);
}

static void of_another_key(void)
{
    refused("server", "good", "ca");
}

static void without_a_file(void)
{
    refused("server", "server", "not there");
}

#define EACH(scenario)                                                                                       \
    TEST(each_call_of_##scenario)                                                                            \
    {                                                                                                        \
        failing_calls_each(#scenario, scenario);                                                             \
    }

EACH(loaded)
EACH(of_another_key)
EACH(without_a_file)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_call_of_loaded),
        cmocka_unit_test(each_call_of_of_another_key),
        cmocka_unit_test(each_call_of_without_a_file),
    };

    (void)log_open(&(struct log_opts){.level = LOG_ERROR, .file = "/dev/null"});
    return cmocka_run_group_tests(tests, tls_files_setup, tls_files_teardown);
}
