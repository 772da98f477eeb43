/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_upstream_single.c - one call per connection, answers in pieces with pauses, and why no connection was
 * opened.
 */
#include "upstream_certs.h"
#include "upstream_rig.h"

#include <dlfcn.h>
#include <errno.h>
#include <netdb.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MEGABYTES 3

/* ---- one call per connection ---- */

/* The peer would keep the connection. */
TEST(each_call_has_a_connection_of_its_own)
{
    struct rig rig;
    struct probe probes[3];

    rig_init_plain(&rig, script_answers);
    rig.opts.single = true;
    rig_start(&rig);
    for (int i = 0; i < 3; i++) {
        probe_run(&probes[i], &rig, "/x");
        assert_true(probe_body_is(&probes[i], "ok"));
        probe_end(&probes[i]);
    }
    assert_int_equal(peer_accepted(rig.peer), 3);
    rig_wait_empty(&rig);
    rig_end(&rig);
}

TEST(no_more_connections_than_allowed_are_open_at_once)
{
    struct rig rig;
    struct probe probes[9];

    rig_init_plain(&rig, script_answers_when_allowed);
    rig.opts.single = true;
    rig_start(&rig);
    for (int i = 0; i < 9; i++)
        probe_begin(&probes[i], &rig, "/x");
    rig_wait_requests(&rig, 4);
    for (int i = 0; i < 20; i++)
        uv_run(loop_uv(rig.loop), UV_RUN_NOWAIT);
    assert_int_equal(peer_accepted(rig.peer), 4);
    peer_allow(rig.peer, 9);
    rig_wait_done(&rig, 9);
    for (int i = 0; i < 9; i++)
        probe_end(&probes[i]);
    assert_int_equal(peer_accepted(rig.peer), 9);
    rig_end(&rig);
}

/* A connection whose call left before it was open is not kept for the next. */
TEST(a_connection_without_its_call_is_closed)
{
    struct rig rig;
    struct probe gone, next;

    rig_init_plain(&rig, script_answers);
    rig.opts.single = true;
    rig_start(&rig);
    probe_begin(&gone, &rig, "/gone");
    upstream_cancel(&gone.call);
    rig_wait_empty(&rig);
    probe_run(&next, &rig, "/next");
    assert_int_equal(next.call.err, 0);
    probe_end(&next);
    rig_end(&rig);
}

/* ---- pieces ---- */

struct taker {
    struct probe probe; /* first */
    size_t bytes, pieces, largest;
    size_t pause_every; /* pieces; 0 = never */
    int fail_at;        /* this piece ends the call with -ENOMEM */
    bool paused;
};

static int take(struct call *call, const char *bytes, size_t n)
{
    struct taker *t = (struct taker *)call;

    assert_false(t->paused); /* nothing comes before it is resumed */
    assert_int_equal(call->status, 200);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(bytes[i], 'a' + (char)((t->bytes + i) % 23));
    t->bytes += n;
    t->largest = n > t->largest ? n : t->largest;
    if (++t->pieces == (size_t)t->fail_at)
        return -ENOMEM;
    t->paused = t->pause_every && t->pieces % t->pause_every == 0;
    return t->paused ? CALL_PAUSE : 0;
}

static void script_large(struct peer_conn *pc)
{
    static char block[23 * 1000];
    size_t left = MEGABYTES << 20;

    for (size_t i = 0; i < sizeof(block); i++)
        block[i] = 'a' + (char)(i % 23);
    if (!peer_handshake(pc) || !peer_read_request(pc))
        return;
    peer_write_text(pc, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 3145728\r\n\r\n");
    while (left) {
        size_t n = left < sizeof(block) ? left : sizeof(block);
        if (!peer_write(pc, block, n))
            return;
        left -= n;
    }
    peer_end(pc);
    peer_linger(pc);
}

static void begin_taking(struct taker *t, struct rig *rig)
{
    probe_init(&t->probe, rig, "/large");
    t->probe.call.piece = take;
    t->probe.call.max_answer = 4 << 20;
    probe_start(&t->probe);
}

/* All of it comes, in pieces; while it is paused the loop sleeps. */
static void take_large(int tls_version, size_t pause_every)
{
    struct rig rig;
    struct taker t = {.pause_every = pause_every};
    size_t pauses = 0;

    rig_init_vault(&rig, script_large, NULL, tls_version);
    rig.opts.single = true;
    rig_start(&rig);
    begin_taking(&t, &rig);
    while (!t.probe.told) {
        if (t.paused) {
            size_t pieces = t.pieces;
            assert_true(rig_is_idle(&rig));
            assert_int_equal(t.pieces, pieces);
            t.paused = false;
            pauses++;
            upstream_resume(&t.probe.call);
        } else {
            rig_iterate(&rig);
        }
    }
    assert_int_equal(t.probe.call.err, 0);
    assert_int_equal(t.bytes, MEGABYTES << 20);
    assert_true(t.largest <= 32768);
    assert_int_equal(t.probe.call.body_in.len, 0);
    assert_true(!pause_every || pauses >= 90 / pause_every);
    probe_end(&t.probe);
    rig_end(&rig);
}

TEST(a_large_answer_comes_in_pieces)
{
    take_large(0, 0);
    take_large(TLS1_3_VERSION, 0);
}

TEST(a_reader_may_pause_after_any_piece)
{
    take_large(0, 1);
    take_large(0, 7);
    take_large(TLS1_3_VERSION, 1);
    take_large(TLS1_2_VERSION, 3);
}

TEST(a_paused_call_may_be_cancelled_and_times_out)
{
    for (int cancel = 0; cancel < 2; cancel++) {
        struct rig rig;
        struct taker t = {.pause_every = 1};

        rig_init_plain(&rig, script_large);
        rig.opts.single = true;
        rig.opts.call_timeout_ms = 300;
        rig_start(&rig);
        begin_taking(&t, &rig);
        while (!t.paused)
            rig_iterate(&rig);
        if (cancel)
            upstream_cancel(&t.probe.call);
        else
            rig_wait(&rig, &t.probe);
        assert_int_equal(t.probe.call.err, cancel ? 0 : -ETIMEDOUT);
        assert_int_equal(t.pieces, 1);
        upstream_resume(&t.probe.call); /* does nothing any more */
        rig_wait_empty(&rig);
        rig_end(&rig);
    }
}

TEST(a_reader_may_refuse_and_a_limit_holds)
{
    struct rig rig;
    struct taker t = {.fail_at = 3}, small = {0};

    rig_init_plain(&rig, script_large);
    rig.opts.single = true;
    rig_start(&rig);
    begin_taking(&t, &rig);
    rig_wait(&rig, &t.probe);
    assert_int_equal(t.probe.call.err, -ENOMEM);
    assert_int_equal(t.pieces, 3);
    probe_init(&small.probe, &rig, "/large");
    small.probe.call.piece = take;
    small.probe.call.max_answer = 1 << 20;
    probe_start(&small.probe);
    rig_wait(&rig, &small.probe);
    assert_int_equal(small.probe.call.err, -EMSGSIZE);
    assert_int_equal(small.pieces, 0); /* the announced length says it */
    rig_end(&rig);
}

static void script_endless_chunks(struct peer_conn *pc)
{
    if (!peer_read_request(pc))
        return;
    peer_write_text(pc, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    while (peer_write_text(pc, "17\r\nabcdefghijklmnopqrstuvw\r\n"))
        ;
}

TEST(an_answer_without_an_end_is_cut_at_its_limit)
{
    struct rig rig;
    struct taker t = {0};

    rig_init_plain(&rig, script_endless_chunks);
    rig.opts.single = true;
    rig_start(&rig);
    probe_init(&t.probe, &rig, "/endless");
    t.probe.call.piece = take;
    t.probe.call.max_answer = 1 << 20;
    probe_start(&t.probe);
    rig_wait(&rig, &t.probe);
    assert_int_equal(t.probe.call.err, -EMSGSIZE);
    assert_true(t.bytes <= 1 << 20);
    rig_end(&rig);
}

static void script_headers(struct peer_conn *pc)
{
    if (peer_read_request(pc))
        peer_write_text(pc,
                        "HTTP/1.1 200 OK\r\nx-ratelimit-remaining: 14999\r\nX-BT-Pagination-Last-Page: 3\r\n"
                        "X-BT-Pagination-Last-Page-And-More-Words: 4\r\nContent-Length: 0\r\n\r\n");
    peer_linger(pc);
}

TEST(two_more_headers_are_kept)
{
    struct rig rig;
    struct probe p;

    rig_init_plain(&rig, script_headers);
    rig_start(&rig);
    probe_run(&p, &rig, "/x");
    assert_string_equal(p.call.value[CALL_RATE_REMAINING], "14999");
    assert_string_equal(p.call.value[CALL_LAST_PAGE], "3");
    probe_end(&p);
    rig_end(&rig);
}

/* ---- why no connection was opened ---- */

static void expect_fault(struct rig *rig, enum call_fault fault)
{
    struct probe p;

    rig->opts.single = true;
    rig_start(rig);
    probe_run(&p, rig, "/x");
    assert_int_equal(p.call.err, -ECONNREFUSED);
    assert_int_equal(p.call.fault, fault);
    assert_true(p.call.why[0]);
    probe_end(&p);
    rig_end(rig);
}

static void script_silent(struct peer_conn *pc)
{
    peer_linger(pc);
}

static void script_plain_words(struct peer_conn *pc)
{
    peer_write_text(pc, "220 no TLS here\r\n");
    peer_linger(pc);
}

static void with_certificate(X509 *which, const char *ca_file, enum call_fault fault)
{
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

    for (int i = 0; i < 2; i++) {
        struct rig rig;

        rig_init(&rig, peer_new(script_answers, NULL, certs_server(&certs, which, versions[i])), "https");
        rig.opts.ca_file = ca_file;
        expect_fault(&rig, fault);
    }
}

TEST(certificates_that_are_refused)
{
    with_certificate(certs.server, certs.other_ca_file, CALL_FAULT_ISSUER);
    with_certificate(certs.server, NULL, CALL_FAULT_ISSUER);
    with_certificate(certs.wrong_name, certs.ca_file, CALL_FAULT_WRONG_NAME);
    with_certificate(certs.expired, certs.ca_file, CALL_FAULT_EXPIRED);
}

TEST(a_name_that_is_unknown)
{
    struct rig rig;

    rig_init(&rig, NULL, "http");
    rig.opts.url = "http://no-such-name.invalid:1/";
    expect_fault(&rig, CALL_FAULT_NAME);
}

/* ---- a name server that does not answer ---- */

#define SLOW_NAME "slow-name-server.invalid"
#define AT_MOST_S 20 /* then the resolver gives up, and the test fails */

static sem_t name_server;
static atomic_int resolving, resolved;

/* libcurl's thread calls this one. */
__attribute__((visibility("default"))) int
getaddrinfo(const char *name, const char *port, const struct addrinfo *hints, struct addrinfo **addresses)
{
    int (*next)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    struct timespec end;

    if (!name || strcmp(name, SLOW_NAME) != 0) {
        *(void **)&next = dlsym(RTLD_NEXT, "getaddrinfo");
        return next(name, port, hints, addresses);
    }
    atomic_fetch_add(&resolving, 1);
    (void)clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += AT_MOST_S;
    (void)sem_timedwait(&name_server, &end);
    atomic_fetch_add(&resolved, 1);
    return EAI_AGAIN;
}

/* The call ends in time, and so does the upstream: the loop waits for no thread. */
TEST(a_name_server_that_does_not_answer_holds_nothing_up)
{
    struct rig rig;

    assert_int_equal(sem_init(&name_server, 0, 0), 0);
    rig_init(&rig, NULL, "http");
    rig.opts.url = "http://" SLOW_NAME ":1/";
    rig.opts.connect_timeout_ms = 300;
    expect_fault(&rig, CALL_FAULT_NAME);
    assert_true(atomic_load(&resolving) > 0);
    assert_int_equal(atomic_load(&resolved), 0);
    for (int i = 0; i < atomic_load(&resolving); i++)
        assert_int_equal(sem_post(&name_server), 0);
    while (atomic_load(&resolved) < atomic_load(&resolving))
        (void)usleep(1000);
}

TEST(a_connection_that_is_refused)
{
    struct rig rig;

    rig_init_plain(&rig, script_answers);
    peer_stop_accepting(rig.peer);
    expect_fault(&rig, CALL_FAULT_REFUSED);
}

TEST(a_peer_without_tls)
{
    struct rig rig;

    rig_init(&rig, peer_new(script_plain_words, NULL, NULL), "https");
    expect_fault(&rig, CALL_FAULT_NO_TLS);
}

TEST(a_handshake_that_is_not_answered)
{
    struct rig rig;

    rig_init(&rig, peer_new(script_silent, NULL, NULL), "https");
    rig.opts.connect_timeout_ms = 300;
    expect_fault(&rig, CALL_FAULT_NO_TLS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_call_has_a_connection_of_its_own),
        cmocka_unit_test(no_more_connections_than_allowed_are_open_at_once),
        cmocka_unit_test(a_connection_without_its_call_is_closed),
        cmocka_unit_test(a_large_answer_comes_in_pieces),
        cmocka_unit_test(a_reader_may_pause_after_any_piece),
        cmocka_unit_test(a_paused_call_may_be_cancelled_and_times_out),
        cmocka_unit_test(a_reader_may_refuse_and_a_limit_holds),
        cmocka_unit_test(an_answer_without_an_end_is_cut_at_its_limit),
        cmocka_unit_test(two_more_headers_are_kept),
        cmocka_unit_test(a_name_that_is_unknown),
        cmocka_unit_test(a_name_server_that_does_not_answer_holds_nothing_up),
        cmocka_unit_test(a_connection_that_is_refused),
        cmocka_unit_test(a_peer_without_tls),
        cmocka_unit_test(a_handshake_that_is_not_answered),
        cmocka_unit_test(certificates_that_are_refused),
    };
    return cmocka_run_group_tests(tests, certs_setup, certs_teardown);
}
