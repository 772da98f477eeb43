/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_upstream_tls.c - what is proven about libcurl's connect-only mode over TLS.
 *
 * Refused certificates; client certificates asked for in the handshake and late (renegotiation in TLS 1.2,
 * post-handshake authentication in TLS 1.3), before and after the request, with large requests in between;
 * ends with and without close_notify; large answers over many records with read_ahead; tickets and key
 * updates.
 */
#include "upstream_certs.h"
#include "upstream_rig.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

static void start(struct rig *rig, struct peer *peer, bool with_client_certificate)
{
    rig_init(rig, peer, "https");
    rig->opts.ca_file = certs.ca_file;
    if (with_client_certificate) {
        rig->opts.client_certificate = certs.client_certificate;
        rig->opts.client_key = certs.client_key;
    }
    rig_start(rig);
}

static void both_versions_reuse(void **unused)
{
    (void)unused;
    for (int v = 0; v < 2; v++) {
        struct rig rig;
        rig_init_vault(&rig, script_answers, NULL, versions[v]);
        rig_start(&rig);
        for (int i = 0; i < 5; i++) {
            struct probe p;
            probe_run(&p, &rig, "/x");
            assert_int_equal(p.call.err, 0);
            assert_true(probe_body_is(&p, "ok"));
            probe_end(&p);
        }
        assert_int_equal(peer_accepted(rig.peer), 1);
        rig_end(&rig);
    }
}

/* ---- refused certificates ---- */

static void check_refused(X509 *which, const char *ca_file, int version, const char *words)
{
    struct rig rig;
    struct probe p;

    rig_init(&rig, peer_new(script_answers, NULL, certs_server(&certs, which, version)), "https");
    rig.opts.ca_file = ca_file;
    rig_start(&rig);
    probe_run(&p, &rig, "/x");
    assert_int_equal(p.call.err, -ECONNREFUSED);
    assert_false(p.call.sent);
    if (!strstr(p.call.why, words))
        fail_msg("%s", p.call.why);
    assert_int_equal(peer_requests(rig.peer), 0);
    probe_end(&p);
    rig_end(&rig);
}

static void certificates_are_refused(void **unused)
{
    (void)unused;
    for (int v = 0; v < 2; v++) {
        check_refused(certs.server, certs.other_ca_file, versions[v], "certificate");
        check_refused(certs.server, NULL, versions[v],
                      "certificate"); /* the system knows no such authority */
        check_refused(certs.wrong_name, certs.ca_file, versions[v], "127.0.0.1");
        check_refused(certs.expired, certs.ca_file, versions[v], "expired");
    }
    check_refused(certs.server, "/nonexistent/ca.pem", TLS1_3_VERSION, "ca.pem");
    check_refused(certs.server, certs.ca_file, TLS1_1_VERSION, "SSL");
}

/* ---- client certificates ---- */

static SSL_CTX *asking_server(int version)
{
    SSL_CTX *ctx = certs_server(&certs, certs.server, version);

    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    return ctx;
}

static void client_certificate_at_once(void **unused)
{
    (void)unused;
    for (int v = 0; v < 2; v++) {
        struct rig rig;
        struct probe p;
        start(&rig, peer_new(script_answers, NULL, asking_server(versions[v])), true);
        probe_run(&p, &rig, "/x");
        assert_int_equal(p.call.err, 0);
        probe_end(&p);
        rig_end(&rig);

        start(&rig, peer_new(script_answers, NULL, asking_server(versions[v])), false);
        probe_run(&p, &rig, "/x");
        assert_true(p.call.err == -ECONNREFUSED || p.call.err == -ECONNRESET);
        assert_true(p.call.why[0]);
        probe_end(&p);
        rig_end(&rig);
    }
}

struct late {
    bool each;        /* asks on every request, not only on the first */
    bool in_answer;   /* asks in the middle of the answer */
    bool expect_none; /* the client has no certificate */
};

static void script_ask_late(struct peer_conn *pc)
{
    const struct late *late = peer_arg(pc);

    if (!peer_handshake(pc))
        return;
    while (peer_read_request(pc)) {
        if (late->in_answer)
            peer_write_text(pc, "HTTP/1.1 200 OK\r\nContent-Len");
        if ((pc->requests == 1 || late->each) && !peer_ask_certificate(pc))
            return;
        peer_write_text(pc, late->in_answer ? "gth: 4\r\n\r\nseen"
                                            : "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nseen");
    }
}

static void check_late(const struct late *late, int version)
{
    struct rig rig;
    struct probe p;
    char *body = calloc(1, 100000);

    start(&rig, peer_new(script_ask_late, late, certs_server(&certs, certs.server, version)),
          !late->expect_none);
    for (int i = 0; i < 3; i++) {
        probe_init(&p, &rig, "/x");
        p.call.method = "POST";
        p.call.body = body;
        p.call.body_len = i == 1 ? 100000 : 10;
        probe_start(&p);
        rig_wait(&rig, &p);
        if (late->expect_none) {
            assert_int_equal(p.call.err, -ECONNRESET);
            assert_true(p.call.sent);
        } else {
            assert_int_equal(p.call.err, 0);
            assert_true(probe_body_is(&p, "seen"));
        }
        probe_end(&p);
    }
    assert_int_equal(peer_accepted(rig.peer), late->expect_none ? 3 : 1);
    rig_end(&rig);
    free(body);
}

static void client_certificate_late(void **unused)
{
    static const struct late forms[] = {
        {false, false, false},
        {true, false, false},
        {false, true, false},
        {false, false, true},
    };

    (void)unused;
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        for (int v = 0; v < 2; v++) {
            /* Asked a second time in TLS 1.3, OpenSSL's server is content with the first certificate. */
            if (!(forms[i].each && versions[v] == TLS1_3_VERSION))
                check_late(&forms[i], versions[v]);
        }
    }
}

/* ---- ends ---- */

struct end {
    bool notify, length;
};

static void script_end(struct peer_conn *pc)
{
    const struct end *e = peer_arg(pc);

    if (!peer_handshake(pc) || !peer_read_request(pc))
        return;
    peer_write_text(pc, e->length ? "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody"
                                  : "HTTP/1.1 200 OK\r\n\r\nbody");
    if (e->notify)
        peer_end(pc);
    else
        peer_cut(pc);
    peer_linger(pc);
}

static void end_without_close_notify(void **unused)
{
    (void)unused;
    for (int form = 0; form < 8; form++) {
        struct end e = {form & 1, form & 2};
        struct rig rig;
        struct probe p;
        rig_init_vault(&rig, script_end, &e, versions[form >> 2]);
        rig_start(&rig);
        probe_run(&p, &rig, "/x");
        /* Only an answer that needs the end to be complete must not be believed without close_notify. */
        assert_int_equal(p.call.err, e.notify || e.length ? 0 : -ECONNRESET);
        if (!p.call.err)
            assert_true(probe_body_is(&p, "body"));
        probe_end(&p);
        rig_wait_empty(&rig);
        rig_end(&rig);
    }
}

/* ---- large answers ---- */

#define LARGE (1u << 20)

struct pieces {
    size_t size; /* of a record */
    bool chunked;
};

static char pattern(size_t i)
{
    return (char)('a' + (i * 7 + i / 251) % 26);
}

static void script_large(struct peer_conn *pc)
{
    const struct pieces *pieces = peer_arg(pc);
    char *body = malloc(LARGE), head[100];

    for (size_t i = 0; body && i < LARGE; i++)
        body[i] = pattern(i);
    while (body && (pc->tls || peer_handshake(pc)) && peer_read_request(pc)) {
        snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\n%s: %s\r\n\r\n",
                 pieces->chunked ? "Transfer-Encoding" : "Content-Length",
                 pieces->chunked ? "chunked" : "1048576");
        peer_write_text(pc, head);
        for (size_t at = 0; at < LARGE; at += pieces->size) {
            size_t n = LARGE - at < pieces->size ? LARGE - at : pieces->size;
            snprintf(head, sizeof(head), "%zx\r\n", n);
            if (pieces->chunked)
                peer_write_text(pc, head);
            peer_write(pc, body + at, n);
            if (pieces->chunked)
                peer_write_text(pc, "\r\n");
        }
        if (pieces->chunked)
            peer_write_text(pc, "0\r\n\r\n");
    }
    free(body);
}

static void check_large(const struct pieces *pieces, int version)
{
    struct rig rig;
    struct probe p;

    rig_init_vault(&rig, script_large, pieces, version);
    rig_start(&rig);
    for (int round = 0; round < 2; round++) {
        probe_run(&p, &rig, "/x");
        assert_int_equal(p.call.err, 0);
        assert_int_equal(p.call.body_in.len, LARGE);
        for (size_t i = 0; i < LARGE; i++) {
            if (p.call.body_in.data[i] != pattern(i))
                fail_msg("byte %zu", i);
        }
        probe_end(&p);
    }
    assert_int_equal(peer_accepted(rig.peer), 1);
    rig_end(&rig);
}

static void large_answers_over_many_records(void **unused)
{
    static const struct pieces forms[] = {{16384, false}, {1, false}, {4099, true}, {16384, true}};

    (void)unused;
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        struct pieces pieces = forms[i];
        if (pieces.size == 1)
            pieces.size = 97; /* many records to each read of the socket */
        for (int v = 0; v < 2; v++)
            check_large(&pieces, versions[v]);
    }
}

/* ---- housekeeping of TLS 1.3 on a connection that idles ---- */

static void script_housekeeping(struct peer_conn *pc)
{
    if (!peer_handshake(pc))
        return;
    while (peer_read_request(pc)) {
        peer_answer(pc, "ok");
        SSL_key_update(pc->tls, SSL_KEY_UPDATE_REQUESTED);
        SSL_do_handshake(pc->tls);
        SSL_new_session_ticket(pc->tls);
        SSL_do_handshake(pc->tls);
    }
}

static void tickets_and_key_updates_keep_the_connection(void **unused)
{
    struct rig rig;
    struct probe p;

    (void)unused;
    rig_init_vault(&rig, script_housekeeping, NULL, TLS1_3_VERSION);
    rig_start(&rig);
    for (int i = 0; i < 20; i++) {
        probe_run(&p, &rig, "/x");
        assert_int_equal(p.call.err, 0);
        probe_end(&p);
        for (int turn = 0; turn < i % 3; turn++) { /* it is met while idle, or else by the next exchange */
            loop_iterate(rig.loop);
            usleep(1000);
        }
    }
    assert_int_equal(peer_accepted(rig.peer), 1);
    rig_end(&rig);
}

/* Half a record, and the rest with a permit. */
static void script_halves(struct peer_conn *pc)
{
    if (!peer_handshake(pc))
        return;
    while (peer_read_request(pc)) {
        BIO *out = SSL_get_wbio(pc->tls), *record = BIO_new(BIO_s_mem());
        char *bytes;
        BIO_up_ref(out);
        SSL_set0_wbio(pc->tls, record);
        peer_answer(pc, "ok");
        long n = BIO_get_mem_data(record, &bytes);
        (void)BIO_write(out, bytes, (int)n / 2);
        peer_note(pc);
        peer_wait(pc);
        (void)BIO_write(out, bytes + n / 2, (int)(n - n / 2));
        SSL_set0_wbio(pc->tls, out);
    }
}

/* What others leave in OpenSSL's queue of errors is no error of a read that has to wait. */
static void errors_of_others_are_not_ours(void **unused)
{
    struct rig rig;
    struct probe p;

    (void)unused;
    rig_init_vault(&rig, script_halves, NULL, TLS1_3_VERSION);
    rig_start(&rig);
    for (int i = 0; i < 3; i++) {
        probe_begin(&p, &rig, "/x");
        for (int turn = 0; turn<5; turn += peer_notes(rig.peer)> i) {
            ERR_raise(ERR_LIB_USER, ERR_R_INTERNAL_ERROR);
            loop_iterate(rig.loop);
            usleep(500);
        }
        peer_allow(rig.peer, 1);
        rig_wait(&rig, &p);
        assert_int_equal(p.call.err, 0);
        probe_end(&p);
    }
    assert_int_equal(peer_accepted(rig.peer), 1);
    ERR_clear_error();
    rig_end(&rig);
}

static void script_hidden(struct peer_conn *pc)
{
    if (!peer_handshake(pc))
        return;
    while (peer_read_request(pc)) {
        /* Two records in one segment: the second waits inside OpenSSL, where no poll sees it. */
        BIO *out = SSL_get_wbio(pc->tls), *buffer = BIO_new(BIO_f_buffer());
        BIO_up_ref(out);
        SSL_set0_wbio(pc->tls, BIO_push(buffer, out));
        peer_answer(pc, "ok");
        peer_answer(pc, "foreign");
        (void)BIO_flush(buffer);
        BIO_up_ref(out);
        SSL_set0_wbio(pc->tls, out);
    }
}

static void next_in_done(struct probe *p)
{
    probe_start(p + 1);
}

/* The next call comes from done() itself, when the connection counts as just read. */
static void bytes_hidden_in_openssl_are_found(void **unused)
{
    (void)unused;
    for (int v = 0; v < 2; v++) {
        struct rig rig;
        struct probe p[3];
        rig_init_vault(&rig, script_hidden, NULL, versions[v]);
        rig_start(&rig);
        for (int i = 0; i < 3; i++) {
            probe_init(&p[i], &rig, "/x");
            p[i].then = i < 2 ? next_in_done : NULL;
        }
        probe_start(&p[0]);
        rig_wait(&rig, &p[2]);
        for (int i = 0; i < 3; i++) {
            assert_int_equal(p[i].call.err, 0);
            assert_true(probe_body_is(&p[i], "ok"));
            probe_end(&p[i]);
        }
        assert_int_equal(peer_accepted(rig.peer), 3);
        rig_end(&rig);
    }
}

static void many_calls_over_tls(void **unused)
{
    enum { N = 200 };
    struct rig rig;
    struct probe *p = calloc(N, sizeof(*p));

    (void)unused;
    rig_init_vault(&rig, script_answers, NULL, TLS1_3_VERSION);
    rig_start(&rig);
    for (int i = 0; i < N; i++)
        probe_begin(&p[i], &rig, "/x");
    rig_wait_done(&rig, N);
    for (int i = 0; i < N; i++) {
        assert_int_equal(p[i].call.err, 0);
        assert_true(probe_body_is(&p[i], "ok"));
        probe_end(&p[i]);
    }
    assert_in_range(peer_accepted(rig.peer), 1, 4);
    free(p);
    rig_end(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_versions_reuse),
        cmocka_unit_test(certificates_are_refused),
        cmocka_unit_test(client_certificate_at_once),
        cmocka_unit_test(client_certificate_late),
        cmocka_unit_test(end_without_close_notify),
        cmocka_unit_test(large_answers_over_many_records),
        cmocka_unit_test(tickets_and_key_updates_keep_the_connection),
        cmocka_unit_test(errors_of_others_are_not_ours),
        cmocka_unit_test(bytes_hidden_in_openssl_are_found),
        cmocka_unit_test(many_calls_over_tls),
    };

    return cmocka_run_group_tests(tests, certs_setup, certs_teardown);
}
