/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_tls_session_cache.c - new connections that go on from an earlier one's TLS session, and those that
 * must not.
 */
#include "upstream_certs.h"
#include "upstream_rig.h"

#include <errno.h>
#include <sys/socket.h>

static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

/* One answer for each connection; a note for each that was resumed. */
static void script_one_each(struct peer_conn *pc)
{
    if (!peer_handshake(pc))
        return;
    if (SSL_session_reused(pc->tls))
        peer_note(pc);
    if (peer_read_request(pc))
        peer_write_text(pc, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok");
    peer_end(pc);
    peer_linger(pc);
}

static void start(struct rig *rig, void (*script)(struct peer_conn *), SSL_CTX *server)
{
    rig_init(rig, peer_new(script, NULL, server), "https");
    rig->opts.ca_file = certs.ca_file;
    rig_use_fake_clock(rig);
}

static int ask(struct rig *rig)
{
    struct probe p;

    probe_run(&p, rig, "/x");
    int err = p.call.err;
    if (!err)
        assert_true(probe_body_is(&p, "ok"));
    probe_end(&p);
    rig_wait_empty(rig);
    return err;
}

static void renew(struct rig *rig)
{
    struct upstream_next *renewal = upstream_prepare(&rig->opts);

    assert_non_null(renewal);
    upstream_reload(rig->up, renewal);
}

static void new_connections_resume(void **unused)
{
    (void)unused;
    for (int v = 0; v < 2; v++) {
        struct rig rig;
        start(&rig, script_one_each, certs_server(&certs, certs.server, versions[v]));
        rig_start(&rig);
        for (int i = 0; i < 4; i++) {
            assert_int_equal(ask(&rig), 0);
            assert_int_equal(peer_notes(rig.peer), i);
        }
        rig_end(&rig);
    }
}

static void script_keeps(struct peer_conn *pc)
{
    if (!peer_handshake(pc))
        return;
    if (SSL_session_reused(pc->tls))
        peer_note(pc);
    while (peer_read_request(pc) && peer_answer(pc, "ok"))
        ;
    peer_end(pc); /* OpenSSL forgets the session of a connection that is not ended in order */
}

/* In a full pool an owner's connection is closed for another's: that must be cheap. */
static void a_connection_in_the_place_of_another_resumes(void **unused)
{
    (void)unused;
    for (int v = 0; v < 2; v++) {
        struct rig rig;
        start(&rig, script_keeps, certs_server(&certs, certs.server, versions[v]));
        rig.opts.connections = 1;
        rig_start(&rig);
        for (int i = 0; i < 4; i++) {
            struct probe p;
            probe_init(&p, &rig, "/x");
            p.call.owner = (uint64_t)i;
            probe_start(&p);
            rig_wait(&rig, &p);
            assert_int_equal(p.call.err, 0);
            assert_int_equal(peer_notes(rig.peer), i);
            probe_end(&p);
        }
        rig_end(&rig);
    }
}

static void not_after_a_renewal(void **unused)
{
    (void)unused;
    for (int v = 0; v < 2; v++) {
        struct rig rig;
        start(&rig, script_one_each, certs_server(&certs, certs.server, versions[v]));
        rig_start(&rig);
        assert_int_equal(ask(&rig), 0);
        renew(&rig);
        assert_int_equal(ask(&rig), 0);
        assert_int_equal(peer_notes(rig.peer), 0);
        assert_int_equal(ask(&rig), 0);
        assert_int_equal(peer_notes(rig.peer), 1);
        rig.opts.ca_file = certs.other_ca_file;
        renew(&rig);
        assert_int_equal(ask(&rig), -ECONNREFUSED);
        rig_end(&rig);
    }
}

static void not_after_an_hour(void **unused)
{
    struct rig rig;

    (void)unused;
    start(&rig, script_one_each, certs_server(&certs, certs.server, TLS1_3_VERSION));
    rig_start(&rig);
    assert_int_equal(ask(&rig), 0);
    rig_advance(HOURS(1) - 1);
    assert_int_equal(ask(&rig), 0);
    assert_int_equal(peer_notes(rig.peer), 1);
    rig_advance(1);
    assert_int_equal(ask(&rig), 0);
    assert_int_equal(peer_notes(rig.peer), 1);
    assert_int_equal(ask(&rig), 0);
    assert_int_equal(peer_notes(rig.peer), 2);
    rig_end(&rig);
}

/* The second handshake fails, as with a server that breaks when it is asked to resume. */
static void script_break_second(struct peer_conn *pc)
{
    char hello;

    if (pc->index != 1)
        script_one_each(pc);
    else if (recv(pc->fd, &hello, 1, MSG_PEEK) == 1) /* not while it still connects */
        peer_reset(pc);
}

static void a_server_that_breaks_is_left_alone(void **unused)
{
    struct rig rig;

    (void)unused;
    start(&rig, script_break_second, certs_server(&certs, certs.server, TLS1_3_VERSION));
    rig_start(&rig);
    assert_int_equal(ask(&rig), 0);
    assert_int_equal(ask(&rig), -ECONNREFUSED);
    for (int i = 0; i < 3; i++)
        assert_int_equal(ask(&rig), 0);
    assert_int_equal(peer_notes(rig.peer), 0);
    rig_advance(HOURS(1));
    for (int i = 0; i < 3; i++)
        assert_int_equal(ask(&rig), 0);
    assert_int_equal(peer_notes(rig.peer), 2);
    rig_end(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(new_connections_resume),
        cmocka_unit_test(a_connection_in_the_place_of_another_resumes),
        cmocka_unit_test(not_after_a_renewal),
        cmocka_unit_test(not_after_an_hour),
        cmocka_unit_test(a_server_that_breaks_is_left_alone),
    };

    return cmocka_run_group_tests(tests, certs_setup, certs_teardown);
}
