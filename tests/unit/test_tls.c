/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_tls.c - TLS: handshakes, mutual TLS, names of certificates, questions asked late, and tls.h by itself.
 */
#include "check.h"
#include "http_rig.h"
#include "loop/server/tls.h"
#include "tls_files.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define ALL_NAMES "DNS:pra.example URI:spiffe://x/pra email:ops@example.org IP:192.0.2.7 IP:2001:db8::1 "

struct how {
    bool mutual, late;
    int max_version;         /* server's */
    int client_version;      /* 0 = any */
    const char *certificate; /* client's, NULL = none */
    bool no_late_answer;     /* TLS 1.3: the client does not offer post-handshake authentication */
};

static void listen_tls(struct rig *rig, const struct how *how)
{
    char crt[TLS_FILES_PATH], key[TLS_FILES_PATH], ca[TLS_FILES_PATH];
    struct http_tls_opts tls = {
        .certificate = tls_file("server", ".crt", crt),
        .key = tls_file("server", ".key", key),
        .client_ca = how->mutual ? tls_file("ca", ".crt", ca) : NULL,
        .ask_late = how->late,
        .max_version = how->max_version,
    };

    rig_listen(rig, &(struct http_listen_opts){.name = "tls", .host = "127.0.0.1", .tls = &tls});
}

static void start(struct rig *rig, const struct how *how)
{
    rig_start(rig, NULL);
    listen_tls(rig, how);
}

static SSL_CTX *client_context(const struct how *how)
{
    char path[TLS_FILES_PATH];
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

    assert_non_null(ctx);
    assert_int_equal(SSL_CTX_load_verify_locations(ctx, tls_file("ca", ".crt", path), NULL), 1);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    if (how->client_version) {
        SSL_CTX_set_security_level(ctx, 0);
        SSL_CTX_set_min_proto_version(ctx, how->client_version);
        SSL_CTX_set_max_proto_version(ctx, how->client_version);
    }
    if (how->certificate) {
        assert_int_equal(
            SSL_CTX_use_certificate_file(ctx, tls_file(how->certificate, ".crt", path), SSL_FILETYPE_PEM), 1);
        assert_int_equal(
            SSL_CTX_use_PrivateKey_file(ctx, tls_file(how->certificate, ".key", path), SSL_FILETYPE_PEM), 1);
    }
    SSL_CTX_set_post_handshake_auth(ctx, how->late && !how->no_late_answer);
    return ctx;
}

/* True when the client's side of the handshake ended well. */
static bool handshake(struct client *c, struct rig *rig, const struct how *how, SSL_SESSION *session)
{
    client_open(c, rig);
    c->ctx = client_context(how);
    c->ssl = SSL_new(c->ctx);
    assert_non_null(c->ssl);
    assert_int_equal(SSL_set_fd(c->ssl, c->fd), 1);
    if (session)
        SSL_set_session(c->ssl, session);
    for (int i = 0; i < 5000; i++) {
        int done = SSL_connect(c->ssl);

        if (done == 1)
            return true;
        if (SSL_get_error(c->ssl, done) != SSL_ERROR_WANT_READ) {
            ERR_clear_error();
            return false;
        }
        rig_iterate_n(rig, 1);
    }
    return false;
}

/* A server and its first client, who have come to terms. */
static void meet(struct rig *rig, struct client *c, const struct how *how)
{
    start(rig, how);
    assert_true(handshake(c, rig, how, NULL));
}

TEST(tls_1_2_and_1_3_are_spoken)
{
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

    for (size_t i = 0; i < 2; i++) {
        case_label("TLS 1.%d", i ? 3 : 2);
        struct how how = {.client_version = versions[i]};
        struct rig rig;
        struct client c;

        meet(&rig, &c, &how);
        assert_int_equal(SSL_version(c.ssl), versions[i]);
        client_send(&c, "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nab");
        /* Head and body come in one record. */
        for (int n = 0; n < 5000 && !c.len; n++)
            client_poll(&c);
        assert_int_equal(client_count(&c, "\r\n\r\nab"), 1);
        client_send(&c, GET("/echo"));
        client_expect(&c, "HTTP/1.1 200", 2);
        assert_string_equal(rig.sans, "");
        assert_false(rig.certificate);
        client_close(&c);
        rig_end(&rig);
    }
}

TEST(an_old_version_is_refused)
{
    struct how how = {.client_version = TLS1_1_VERSION};
    struct rig rig;
    struct client c;

    start(&rig, &how);
    assert_false(handshake(&c, &rig, &how, NULL));
    rig_iterate_n(&rig, 3);
    assert_int_equal(http_connections(rig.server), 0);
    client_close(&c);
    rig_end(&rig);
}

TEST(names_of_client_certificates_are_read)
{
    static const struct {
        const char *certificate, *sans;
    } rows[] = {{"good", ALL_NAMES}, {"nul", "DNS:plain.example "}, {"bare", ""}};

    for (size_t i = 0; i < 6; i++) {
        case_label("%s over TLS 1.%d", rows[i / 2].certificate, i % 2 ? 3 : 2);
        struct how how = {.mutual = true,
                          .certificate = rows[i / 2].certificate,
                          .client_version = i % 2 ? TLS1_3_VERSION : TLS1_2_VERSION};
        struct rig rig;
        struct client c;

        meet(&rig, &c, &how);
        client_send(&c, GET("/echo"));
        client_expect(&c, "HTTP/1.1 200", 1);
        assert_string_equal(rig.sans, rows[i / 2].sans);
        assert_true(rig.certificate);
        client_close(&c);
        rig_end(&rig);
    }
}

TEST(missing_foreign_and_expired_certificates_are_refused)
{
    static const char *const certificates[] = {NULL, "stranger", "expired"};

    for (size_t i = 0; i < 6; i++) {
        case_label("%s over TLS 1.%d", certificates[i / 2] ? certificates[i / 2] : "none", i % 2 ? 3 : 2);
        struct how how = {.mutual = true,
                          .certificate = certificates[i / 2],
                          .client_version = i % 2 ? TLS1_3_VERSION : TLS1_2_VERSION};
        struct rig rig;
        struct client c;

        start(&rig, &how);
        if (handshake(&c, &rig, &how, NULL)) { /* in TLS 1.3 the client is ready before it is judged */
            client_send(&c, GET("/echo"));
            client_expect_end(&c);
            assert_true(c.failed); /* by an alert, not by an end of file */
        }
        rig_wait_for(&rig, !http_connections(rig.server));
        assert_int_equal(rig.heads, 0);
        assert_int_equal(http_connections(rig.server), 0);
        client_close(&c);
        rig_end(&rig);
    }
}

TEST(a_resumed_session_keeps_its_names)
{
    for (int i = 0; i < 2; i++) {
        struct how how = {
            .mutual = true, .certificate = "good", .client_version = i ? TLS1_3_VERSION : TLS1_2_VERSION};
        struct rig rig;
        struct client c;
        SSL_SESSION *session;

        meet(&rig, &c, &how);
        client_send(&c, GET("/echo"));
        client_expect(&c, "HTTP/1.1 200", 1);
        session = SSL_get1_session(c.ssl);
        SSL_shutdown(c.ssl);
        client_close(&c);
        rig.sans[0] = '\0';
        assert_true(handshake(&c, &rig, &how, session));
        client_send(&c, GET("/echo"));
        client_expect(&c, "HTTP/1.1 200", 1);
        assert_int_equal(SSL_session_reused(c.ssl), 1);
        assert_string_equal(rig.sans, ALL_NAMES);
        SSL_SESSION_free(session);
        client_close(&c);
        rig_end(&rig);
    }
}

/* One request over a new connection; true when the session was resumed. Gives the new session in *session. */
static bool resumed(struct rig *rig, const struct how *how, SSL_SESSION **session)
{
    struct client c;
    bool reused;

    assert_true(handshake(&c, rig, how, *session));
    client_send(&c, GET("/echo"));
    client_expect(&c, "HTTP/1.1 200", 1);
    reused = SSL_session_reused(c.ssl) == 1;
    SSL_SESSION_free(*session);
    *session = SSL_get1_session(c.ssl);
    SSL_shutdown(c.ssl);
    client_close(&c);
    return reused;
}

/* A ticket opens in the period it was sealed in and in the next, and then no more. */
TEST(ticket_keys_rotate)
{
    for (int i = 0; i < 2; i++) {
        struct how how = {.client_version = i ? TLS1_3_VERSION : TLS1_2_VERSION};
        struct rig rig;
        SSL_SESSION *session = NULL, *old;

        start(&rig, &how);
        assert_false(resumed(&rig, &how, &session));
        old = SSL_SESSION_dup(session);
        assert_true(resumed(&rig, &how, &session));
        rig_advance(&rig, HOURS(1));
        assert_true(resumed(&rig, &how, &old));
        SSL_SESSION_free(old);
        old = SSL_SESSION_dup(session);
        rig_advance(&rig, HOURS(1));
        assert_false(resumed(&rig, &how, &old));
        SSL_SESSION_free(old);
        SSL_SESSION_free(session);
        rig_end(&rig);
    }
}

/* An open connection goes on; new ones use the new context, which honours no old ticket. */
TEST(a_reloaded_context_serves_new_connections)
{
    char crt[TLS_FILES_PATH], key[TLS_FILES_PATH], why[256] = "";
    struct http_tls_opts opts = {.certificate = tls_file("server", ".crt", crt),
                                 .key = tls_file("server", ".key", key)};
    struct how how = {0};
    struct rig rig;
    struct client standing;
    SSL_SESSION *session = NULL;
    struct tls_context *next;

    start(&rig, &how);
    assert_true(handshake(&standing, &rig, &how, NULL));
    client_send(&standing, GET("/echo"));
    client_expect(&standing, "HTTP/1.1 200", 1);
    assert_false(resumed(&rig, &how, &session));
    next = tls_context_new(&opts, why);
    assert_non_null(next);
    assert_false(http_listener_reload(rig.server, "nobody", next));
    assert_true(http_listener_reload(rig.server, "tls", next));
    assert_false(resumed(&rig, &how, &session));
    assert_true(resumed(&rig, &how, &session));
    client_send(&standing, GET("/echo"));
    client_expect(&standing, "HTTP/1.1 200", 2);
    SSL_SESSION_free(session);
    client_close(&standing);
    rig_end(&rig);
}

TEST(a_certificate_may_be_asked_for_late)
{
    static const struct {
        const char *certificate;
        bool no_late_answer;
        const char *sans;
    } rows[] = {{"good", false, ALL_NAMES}, {NULL, false, ""}, {"good", true, ""}};

    for (size_t i = 0; i < 6; i++) {
        case_label("%s over TLS 1.%d", rows[i / 2].certificate ? rows[i / 2].certificate : "none",
                   i % 2 ? 3 : 2);
        struct how how = {.mutual = true,
                          .late = true,
                          .certificate = rows[i / 2].certificate,
                          .no_late_answer = rows[i / 2].no_late_answer,
                          .max_version = i % 2 ? 0 : TLS1_2_VERSION};
        struct rig rig;
        struct client c;

        if (i == 4)
            continue; /* a TLS 1.2 client always can be asked */
        meet(&rig, &c, &how);
        client_send(&c, "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nab");
        client_expect(&c, "\r\n\r\nab", 1);
        assert_string_equal(rig.sans, rows[i / 2].sans);
        assert_int_equal(rig.certificate, rows[i / 2].sans[0] != '\0');
        client_send(&c, GET("/echo"));
        client_expect(&c, "HTTP/1.1 200", 2);
        client_close(&c);
        rig_end(&rig);
    }
}

TEST(a_foreign_certificate_shown_late_is_refused)
{
    for (int i = 0; i < 2; i++) {
        struct how how = {
            .mutual = true, .late = true, .certificate = "stranger", .max_version = i ? 0 : TLS1_2_VERSION};
        struct rig rig;
        struct client c;

        meet(&rig, &c, &how);
        client_send(&c, GET("/echo"));
        client_expect_end(&c);
        assert_int_equal(rig.heads, 0);
        client_close(&c);
        rig_end(&rig);
    }
}

TEST(renegotiation_is_refused)
{
    struct how how = {.client_version = TLS1_2_VERSION};
    struct rig rig;
    struct client c;
    int done = 0;

    meet(&rig, &c, &how);
    assert_int_equal(SSL_renegotiate(c.ssl), 1);
    for (int i = 0; i < 20; i++) {
        done = SSL_do_handshake(c.ssl);
        if (done != 1 && SSL_get_error(c.ssl, done) != SSL_ERROR_WANT_READ)
            break;
        rig_iterate_n(&rig, 1);
    }
    assert_int_not_equal(done, 1);
    ERR_clear_error();
    client_close(&c);
    rig_end(&rig);
}

TEST(plain_http_on_a_tls_port_is_closed)
{
    struct how how = {0};
    struct rig rig;
    struct client c;

    start(&rig, &how);
    client_open(&c, &rig);
    client_send(&c, GET("/echo"));
    client_expect_end(&c);
    assert_int_equal(rig.heads, 0);
    client_close(&c);
    rig_end(&rig);
}

TEST(handshakes_and_idle_connections_time_out)
{
    struct how how = {0};
    struct rig rig;
    struct client c, d;

    start(&rig, &how);
    client_open(&c, &rig); /* begins no handshake */
    rig_advance(&rig, 4999);
    assert_int_equal(http_connections(rig.server), 1);
    rig_advance(&rig, 1);
    client_expect_end(&c);
    client_close(&c);
    assert_true(handshake(&d, &rig, &how, NULL)); /* idle: ends with close_notify */
    rig_advance(&rig, MINUTES(1));
    client_expect_end(&d);
    assert_true(d.eof && !d.failed);
    client_close(&d);
    rig_end(&rig);
}

TEST(a_client_that_leaves_is_noticed)
{
    struct how how = {0};
    struct rig rig;
    struct client c;

    for (int polite = 0; polite < 2; polite++) {
        meet(&rig, &c, &how);
        client_send(&c, GET("/hold"));
        client_expect_held(&c);
        if (polite)
            SSL_shutdown(c.ssl);
        client_close(&c);
        rig_wait_for(&rig, rig.gones);
        assert_int_equal(rig.gones, 1);
        rig_end(&rig);
    }
}

TEST(pipelined_requests_are_answered_in_order)
{
    struct how how = {0};
    struct http_server_opts opts = rig_opts;
    struct rig rig;
    struct client c;

    opts.max_pipelined = 200;
    rig_start(&rig, &opts);
    listen_tls(&rig, &how);
    assert_true(handshake(&c, &rig, &how, NULL));
    client_send(&c,
                GET("/hold") GET("/echo") GET("/echo") GET("/echo") GET("/echo") GET("/echo") GET("/hold"));
    client_expect_held(&c);
    rig_answer(&rig, 200, "first");
    client_expect_held(&c);
    client_expect(&c, "HTTP/1.1 200", 6);
    rig_answer(&rig, 200, "last");
    client_expect(&c, "last", 1);
    client_close(&c);
    rig_end(&rig);
}

/* Nothing has come yet that the client could read. */
static bool silent(const struct client *c)
{
    char byte;

    return recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

/* A request that comes with the end of the handshake: the ticket and the answer are one write. Without one
 * the ticket comes by itself. */
TEST(the_ticket_goes_with_the_answer)
{
    struct how how = {.client_version = TLS1_3_VERSION};
    struct rig rig;
    struct client c, quiet;
    int on = 1;

    start(&rig, &how);
    assert_true(handshake(&quiet, &rig, &how, NULL));
    rig_wait_for(&rig, !silent(&quiet));
    assert_false(silent(&quiet));
    assert_true(handshake(&c, &rig, &how, NULL));
    assert_true(silent(&c));
    assert_int_equal(setsockopt(c.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)), 0); /* it must not wait */
    client_send(&c, GET("/hold"));
    rig_wait_for(&rig, rig.held);
    rig_iterate_n(&rig, 3);
    assert_true(silent(&c));
    assert_false(SSL_SESSION_is_resumable(SSL_get0_session(c.ssl)));
    rig_answer(&rig, 200, "late");
    client_expect(&c, "late", 1);
    assert_true(SSL_SESSION_is_resumable(SSL_get0_session(c.ssl)));
    client_close(&c);
    client_close(&quiet);
    rig_end(&rig);
}

TEST(big_answers_and_refusals_end_with_close_notify)
{
    struct how how = {0};
    struct rig rig;
    struct client c;
    size_t total = 0;

    meet(&rig, &c, &how);
    client_send(&c, GET("/big"));
    while (total < 8U * 1024 * 1024 && !c.eof) {
        client_poll(&c);
        total += c.len;
        client_forget(&c);
    }
    client_send(&c, "nonsense\r\n\r\n");
    client_expect(&c, "HTTP/1.1 400", 1);
    client_expect_end(&c);
    assert_true(c.eof && !c.failed); /* close_notify came */
    client_close(&c);
    rig_end(&rig);
}

TEST(connections_over_the_limit_are_closed_unanswered)
{
    struct how how = {0};
    struct http_server_opts opts = rig_opts;
    struct rig rig;
    struct client a, b;

    opts.max_connections = 1;
    rig_start(&rig, &opts);
    listen_tls(&rig, &how);
    assert_true(handshake(&a, &rig, &how, NULL));
    client_open(&b, &rig);
    client_expect_end(&b);
    assert_int_equal(b.len, 0);
    client_close(&a);
    client_close(&b);
    rig_end(&rig);
}

/* The rig's application takes a certificate with a name for a client's. */
TEST(a_named_certificate_makes_a_client)
{
    struct how mutual = {.mutual = true, .certificate = "good"}, plain = {0};
    struct http_strangers now;
    struct rig rig;
    struct client a, b;

    rig_start_strangers(&rig, NULL);
    listen_tls(&rig, &mutual);
    assert_true(handshake(&a, &rig, &mutual, NULL));
    client_send(&a, GET("/urgent"));
    client_expect(&a, "HTTP/1.1 404", 1);
    http_strangers(rig.server, &now);
    assert_int_equal(now.connections, 0);
    listen_tls(&rig, &plain);
    assert_true(handshake(&b, &rig, &plain, NULL));
    client_send(&b, GET("/urgent"));
    client_expect(&b, "HTTP/1.1 404", 1);
    http_strangers(rig.server, &now);
    assert_int_equal(now.connections, 1);
    client_close(&a);
    client_close(&b);
    rig_end(&rig);
}

TEST(the_end_of_the_certificate_is_known)
{
    struct how how = {0};
    struct rig rig;

    rig_start(&rig, NULL);
    assert_int_equal(http_certificate_end(rig.server), 0);
    listen_tls(&rig, &how);
    assert_in_range(http_certificate_end(rig.server), time(NULL) + 7200 - 120, time(NULL) + 7200);
    rig_end(&rig);
}

TEST(unusable_files_are_named)
{
    char crt[TLS_FILES_PATH], key[TLS_FILES_PATH], why[256] = "";
    struct http_tls_opts opts = {.certificate = tls_file("server", ".crt", crt),
                                 .key = tls_file("good", ".key", key)};

    assert_null(tls_context_new(&opts, why));
    assert_non_null(strstr(why, "good.key"));
    opts.key = crt; /* a certificate is no key */
    assert_null(tls_context_new(&opts, why));
    assert_non_null(strstr(why, "key "));
    opts.key = tls_file("server", ".key", key);
    opts.client_ca = key; /* and a key no authority */
    assert_null(tls_context_new(&opts, why));
    assert_non_null(strstr(why, "client CA"));
}

/* tls.h by itself: each byte of ciphertext comes alone, and after each the buffers are given back. */
TEST(ciphertext_may_come_byte_by_byte)
{
    char crt[TLS_FILES_PATH], key[TLS_FILES_PATH], why[256], got[64];
    struct http_tls_opts opts = {.certificate = tls_file("server", ".crt", crt),
                                 .key = tls_file("server", ".key", key)};
    struct tls_context *context = tls_context_new(&opts, why);
    struct tls *t = tls_new(context);
    struct how how = {0};
    SSL_CTX *ctx = client_context(&how);
    SSL *ssl = SSL_new(ctx);
    BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
    struct buf cipher = BUF_INIT(100000);
    size_t len = 0;

    SSL_set_bio(ssl, in, out);
    SSL_set_connect_state(ssl);
    for (int i = 0; i < 100 && len < 5; i++) {
        char byte;
        ssize_t n;

        if (SSL_do_handshake(ssl) == 1 && i < 50) {
            assert_int_equal(SSL_write(ssl, "hello", 5), 5);
            i = 50;
        }
        while (BIO_read(out, &byte, 1) == 1) {
            assert_int_equal(tls_feed(t, &byte, 1), 0);
            n = tls_read(t, got + len, sizeof(got) - len);
            assert_true(n >= 0);
            len += (size_t)n;
            tls_rest(t);
        }
        assert_int_equal(tls_output(t, &cipher), 0);
        BIO_write(in, cipher.data, (int)cipher.len);
        buf_free(&cipher);
    }
    assert_int_equal(len, 5);
    assert_memory_equal(got, "hello", 5);
    assert_true(tls_established(t));
    assert_int_equal(tls_feed(t, "garbage garbage", 15), 0);
    assert_int_equal(tls_read(t, got, sizeof(got)), -EPROTO);
    assert_int_equal(tls_write(t, "x", 1), -EPROTO); /* for ever */
    assert_true(strlen(tls_why(t)) > 0);
    tls_free(t);
    tls_context_unref(context);
    SSL_free(ssl);
    SSL_CTX_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tls_1_2_and_1_3_are_spoken),
        cmocka_unit_test(an_old_version_is_refused),
        cmocka_unit_test(names_of_client_certificates_are_read),
        cmocka_unit_test(missing_foreign_and_expired_certificates_are_refused),
        cmocka_unit_test(a_resumed_session_keeps_its_names),
        cmocka_unit_test(ticket_keys_rotate),
        cmocka_unit_test(a_reloaded_context_serves_new_connections),
        cmocka_unit_test(a_certificate_may_be_asked_for_late),
        cmocka_unit_test(a_foreign_certificate_shown_late_is_refused),
        cmocka_unit_test(renegotiation_is_refused),
        cmocka_unit_test(plain_http_on_a_tls_port_is_closed),
        cmocka_unit_test(handshakes_and_idle_connections_time_out),
        cmocka_unit_test(a_client_that_leaves_is_noticed),
        cmocka_unit_test(pipelined_requests_are_answered_in_order),
        cmocka_unit_test(the_ticket_goes_with_the_answer),
        cmocka_unit_test(big_answers_and_refusals_end_with_close_notify),
        cmocka_unit_test(connections_over_the_limit_are_closed_unanswered),
        cmocka_unit_test(a_named_certificate_makes_a_client),
        cmocka_unit_test(the_end_of_the_certificate_is_known),
        cmocka_unit_test(unusable_files_are_named),
        cmocka_unit_test(ciphertext_may_come_byte_by_byte),
    };

    return cmocka_run_group_tests(tests, tls_files_setup, tls_files_teardown);
}
