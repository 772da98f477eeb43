/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_failing_tls.c - each call of OpenSSL, each allocation and each random number fails once on the
 * server's side of TLS: while a listener is made and its certificate is exchanged, in handshakes with and
 * without certificates, in resumed sessions and in requests.
 *
 * A listener is made, or says why not. A client gets its answer, or the end of its connection: none waits for
 * a deadline, since time stands still. A certificate that is revoked, or of another authority, is never
 * taken. With nothing failing any more the next client gets its answer, and no secret is left in memory.
 */
#include "check.h"
#include "failing_calls.h"
#include "http_rig.h"
#include "loop/server/tls.h"
#include "tls_files.h"

#include "base/log.h"

#include <openssl/err.h>
#include <string.h>
#include <unistd.h>

#define ROUNDS    5000
#define ALL_NAMES "DNS:pra.example URI:spiffe://x/pra email:ops@example.org IP:192.0.2.7 IP:2001:db8::1 "

struct how {
    bool mutual, revocation, late;
    int version;
    const char *certificate; /* client's; NULL = none */
};

static struct rig rig;
static struct http_tls_opts opts;
static char paths[4][TLS_FILES_PATH];

static void set_opts(const struct how *how)
{
    opts = (struct http_tls_opts){
        .certificate = tls_file("server", ".crt", paths[0]),
        .key = tls_file("server", ".key", paths[1]),
        .client_ca = how->mutual ? tls_file("ca", ".crt", paths[2]) : NULL,
        .client_crl = how->revocation ? tls_file("ca", ".crl", paths[3]) : NULL,
        .ask_late = how->late,
    };
}

static int listen_once(void)
{
    char why[256] = "";
    int err =
        http_listen(rig.server, &(struct http_listen_opts){.name = "tls", .host = "127.0.0.1", .tls = &opts},
                    rig.address, why);

    assert_int_equal(err != 0, *why != '\0');
    return err;
}

static void begin(const struct how *how)
{
    set_opts(how);
    rig_start(&rig, NULL);
    failing_calls_start();
    if (listen_once()) {
        failing_calls_stop();
        assert_int_equal(listen_once(), 0);
        failing_calls_start();
    }
}

/* ---- clients ---- */

static SSL_CTX *client_context(const struct how *how)
{
    char path[TLS_FILES_PATH];
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

    assert_non_null(ctx);
    assert_int_equal(SSL_CTX_load_verify_locations(ctx, tls_file("ca", ".crt", path), NULL), 1);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_min_proto_version(ctx, how->version);
    SSL_CTX_set_max_proto_version(ctx, how->version);
    if (how->certificate) {
        assert_int_equal(
            SSL_CTX_use_certificate_file(ctx, tls_file(how->certificate, ".crt", path), SSL_FILETYPE_PEM), 1);
        assert_int_equal(
            SSL_CTX_use_PrivateKey_file(ctx, tls_file(how->certificate, ".key", path), SSL_FILETYPE_PEM), 1);
    }
    SSL_CTX_set_post_handshake_auth(ctx, how->late);
    return ctx;
}

/* What a gateway would leave in the queue of errors must not pass for the client's. */
static bool handshake(struct client *c, const struct how *how, SSL_SESSION *session)
{
    client_open(c, &rig);
    c->ctx = client_context(how);
    c->ssl = SSL_new(c->ctx);
    assert_non_null(c->ssl);
    assert_int_equal(SSL_set_fd(c->ssl, c->fd), 1);
    if (session)
        SSL_set_session(c->ssl, session);
    for (int i = 0; i < ROUNDS; i++) {
        ERR_clear_error();
        int done = SSL_connect(c->ssl);

        if (done == 1)
            return true;
        if (SSL_get_error(c->ssl, done) != SSL_ERROR_WANT_READ) {
            ERR_clear_error();
            return false;
        }
        rig_wait(&rig, i);
    }
    fail_msg("the handshake comes to no end");
    return false;
}

/* True: it was answered. Else its connection has ended. */
static bool request(struct client *c, const char *text)
{
    unsigned before = client_count(c, "HTTP/1.1 ");

    ERR_clear_error();
    client_send(c, text);
    for (int i = 0; i < ROUNDS; i++) {
        if (client_count(c, "HTTP/1.1 ") > before)
            return true;
        if (c->eof || c->reset)
            return false;
        ERR_clear_error();
        client_poll(c);
    }
    fail_msg("neither an answer nor an end");
    return false;
}

/* One client with a request, whose session is taken and given. */
static bool ask(const struct how *how, SSL_SESSION **session)
{
    struct client c;
    bool answered;

    rig.sans[0] = '\0';
    rig.certificate = false;
    answered = handshake(&c, how, session ? *session : NULL) && request(&c, GET("/echo")) &&
               client_count(&c, "HTTP/1.1 200");
    if (session && answered) {
        SSL_SESSION_free(*session);
        *session = SSL_get1_session(c.ssl);
    }
    ERR_clear_error();
    SSL_shutdown(c.ssl);
    client_close(&c);
    return answered;
}

static void end(const struct how *how, const char *sans)
{
    failing_calls_stop();
    assert_true(ask(how, NULL));
    assert_string_equal(rig.sans, sans);
    rig_wait_for(&rig, !http_connections(rig.server));
    rig_end(&rig);
    ERR_clear_error();
}

/* ---- scenarios ---- */

/* OpenSSL gives some numbers once for the process. */
static void first_listener(void)
{
    struct how how = {.version = TLS1_3_VERSION};

    set_opts(&how);
    rig_start(&rig, NULL);
    failing_calls_start();
    if (listen_once() == 0)
        (void)ask(&how, NULL);
    failing_calls_stop();
    if (http_certificate_end(rig.server))
        rig_wait_for(&rig, !http_connections(rig.server));
    rig_end(&rig);
    ERR_clear_error();
}

static void without_certificates(int version)
{
    struct how how = {.version = version};
    struct client c;

    begin(&how);
    if (handshake(&c, &how, NULL) &&
        request(&c, "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nab"))
        (void)request(&c, GET("/echo"));
    client_close(&c);
    end(&how, "");
}

static void tls_1_3(void)
{
    without_certificates(TLS1_3_VERSION);
}

static void tls_1_2(void)
{
    without_certificates(TLS1_2_VERSION);
}

/* A name that was read is one of the certificate; it may lack some, and the request is refused then. */
static void with_certificates(void)
{
    struct how how = {.mutual = true, .revocation = true, .version = TLS1_3_VERSION, .certificate = "good"};
    struct client c;

    begin(&how);
    if (handshake(&c, &how, NULL) && request(&c, GET("/echo"))) {
        struct http_shown shown;

        assert_true(rig.certificate || !*rig.sans);
        if (http_connections(rig.server)) /* what failed may have ended it behind the answer */
            (void)http_shown_certificate(rig.last, &shown);
        failing_calls_stop();
        if (request(&c, GET("/echo")))
            assert_string_equal(rig.sans, ALL_NAMES);
        failing_calls_start();
    }
    client_close(&c);
    end(&how, ALL_NAMES);
}

static void refused(const char *certificate)
{
    struct how how = {
        .mutual = true, .revocation = true, .version = TLS1_3_VERSION, .certificate = certificate};

    begin(&how);
    assert_false(ask(&how, NULL));
    assert_false(rig.certificate);
    how.certificate = "good";
    end(&how, ALL_NAMES);
}

static void of_another_authority(void)
{
    refused("stranger");
}

static void revoked(void)
{
    refused("revoked");
}

static void resumed(void)
{
    struct how how = {.version = TLS1_3_VERSION};
    SSL_SESSION *session = NULL;

    begin(&how);
    (void)ask(&how, &session);
    (void)ask(&how, &session);
    rig_advance(&rig, HOURS(1));
    (void)ask(&how, &session);
    SSL_SESSION_free(session);
    end(&how, "");
}

/* The standing connection is of an authority that the new context does not know. */
static void reloaded(void)
{
    struct how how = {.mutual = true, .version = TLS1_3_VERSION, .certificate = "good"};
    char why[256] = "", ca[TLS_FILES_PATH];
    struct client standing, stranger;

    set_opts(&how);
    rig_start(&rig, NULL);
    assert_int_equal(listen_once(), 0);
    assert_true(handshake(&standing, &how, NULL) && request(&standing, GET("/echo")));
    failing_calls_start();
    struct tls_context *next = tls_context_new(&opts, why);
    if (next)
        assert_true(http_listener_reload(rig.server, "tls", next));
    else
        assert_true(*why);
    if (!request(&standing, GET("/echo"))) {
        failing_calls_stop();
        client_close(&standing);
        assert_true(handshake(&standing, &how, NULL) && request(&standing, GET("/echo")));
        failing_calls_start();
    }
    opts.client_ca = tls_file("other", ".crt", ca);
    next = tls_context_new(&opts, why);
    if (next) {
        assert_true(http_listener_reload(rig.server, "tls", next));
        assert_false(request(&standing, GET("/echo")));
    } else {
        (void)request(&standing, GET("/echo"));
    }
    failing_calls_stop();
    client_close(&standing);
    assert_int_equal(handshake(&stranger, &how, NULL) && request(&stranger, GET("/echo")), next == NULL);
    client_close(&stranger);
    how.certificate = next ? "stranger" : "good";
    end(&how, ALL_NAMES);
}

static void asked_late(int version)
{
    struct how how = {.mutual = true, .late = true, .version = version, .certificate = "good"};
    struct client c;

    begin(&how);
    if (handshake(&c, &how, NULL))
        (void)request(&c, GET("/echo"));
    client_close(&c);
    end(&how, ALL_NAMES);
}

static void asked_late_1_2(void)
{
    asked_late(TLS1_2_VERSION);
}

static void asked_late_1_3(void)
{
    asked_late(TLS1_3_VERSION);
}

#define EACH(scenario)                                                                                       \
    TEST(each_call_of_##scenario)                                                                            \
    {                                                                                                        \
        failing_calls_each(#scenario, scenario);                                                             \
    }

TEST(each_call_of_the_first_listener)
{
    failing_calls_first("first_listener", first_listener);
}

EACH(tls_1_3)
EACH(tls_1_2)
EACH(with_certificates)
EACH(of_another_authority)
EACH(revoked)
EACH(resumed)
EACH(reloaded)
EACH(asked_late_1_2)
EACH(asked_late_1_3)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_call_of_the_first_listener),
        cmocka_unit_test(each_call_of_tls_1_3),
        cmocka_unit_test(each_call_of_tls_1_2),
        cmocka_unit_test(each_call_of_with_certificates),
        cmocka_unit_test(each_call_of_of_another_authority),
        cmocka_unit_test(each_call_of_revoked),
        cmocka_unit_test(each_call_of_resumed),
        cmocka_unit_test(each_call_of_reloaded),
        cmocka_unit_test(each_call_of_asked_late_1_2),
        cmocka_unit_test(each_call_of_asked_late_1_3),
    };

    (void)log_open(&(struct log_opts){.level = LOG_ERROR, .file = "/dev/null"});
    return cmocka_run_group_tests(tests, tls_files_setup, tls_files_teardown);
}
