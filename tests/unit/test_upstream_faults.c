/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_upstream_faults.c - vaults that misbehave: answers of every form over a real socket, large and early
 * ones, connects that lead nowhere, a proxy.
 *
 * The table runs over plain TCP and over TLS, each answer whole and in single bytes.
 */
#include "upstream_certs.h"
#include "upstream_rig.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OK(headers, rest) "HTTP/1.1 200 OK\r\n" headers "\r\n" rest

struct reply {
    const char *bytes;
    int status; /* or -errno */
    const char *body;
    bool reused; /* does the next call use the same connection? */
    bool end;    /* the peer ends in order after its bytes */
};

/* clang-format off */
static const struct reply replies[] = {
    { OK("Content-Length: 5\r\n", "hello"), 200, "hello", true, false },
    { OK("Transfer-Encoding: chunked\r\n", "4\r\nwiki\r\n0\r\nT: x\r\n\r\n"), 200, "wiki", true, false },
    { "HTTP/1.1 100 Continue\r\n\r\n" OK("Content-Length: 2\r\n", "ok"), 200, "ok", true, false },
    { "HTTP/1.1 204 No Content\r\n\r\n", 204, "", true, false },
    { OK("Connection: close\r\nContent-Length: 2\r\n", "ok"), 200, "ok", false, false },
    { OK("", "to the end"), 200, "to the end", false, true },
    { OK("Content-Length: 2\r\n", "okHTTP/1.1 200 OK\r\n\r\n"), 200, "ok", false, false },
    { "220 smtp.example ESMTP\r\n", -EPROTO, NULL, false, false },
    { OK("Content-Length: 5\r\n", "hel"), -ECONNRESET, NULL, false, true },
    { OK("Transfer-Encoding: chunked\r\n", "5\r\nhel"), -ECONNRESET, NULL, false, true },
    { "HTTP/1.1 200", -ECONNRESET, NULL, false, true },
    { "", -ECONNRESET, NULL, false, true },
    { OK("Content-Length: 3000000\r\n", "x"), -EMSGSIZE, NULL, false, false },
};
/* clang-format on */

struct replying {
    const struct reply *reply;
    bool in_bytes;
    bool tls;
};

static void script_reply(struct peer_conn *pc)
{
    const struct replying *r = peer_arg(pc);
    const char *bytes = r->reply->bytes;

    if (!peer_handshake(pc))
        return;
    while (peer_read_request(pc)) {
        for (const char *p = bytes; *p && r->in_bytes; p++)
            peer_write(pc, p, 1);
        if (!r->in_bytes)
            peer_write_text(pc, bytes);
        if (r->reply->end) {
            peer_end(pc);
            peer_linger(pc);
            return;
        }
    }
}

static void check_reply(const struct replying *r)
{
    struct rig rig;
    struct probe p;

    rig_init_vault(&rig, script_reply, r, r->tls ? TLS1_3_VERSION : 0);
    rig_start(&rig);
    probe_run(&p, &rig, "/1");
    if (r->reply->status < 0) {
        assert_int_equal(p.call.err, r->reply->status);
        assert_true(p.call.sent);
        assert_true(p.call.why[0]);
        assert_int_equal(p.call.body_in.len, 0);
    } else {
        assert_int_equal(p.call.err, 0);
        assert_int_equal(p.call.status, r->reply->status);
        assert_true(probe_body_is(&p, r->reply->body));
    }
    probe_end(&p);
    probe_run(&p, &rig, "/2");
    probe_end(&p);
    /* Byte by byte, what follows an answer may come so late that the second call is already under way. */
    if (!r->in_bytes || r->reply->reused)
        assert_int_equal(peer_accepted(rig.peer), r->reply->reused ? 1 : 2);
    rig_end(&rig);
}

static void replies_of_every_form(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < sizeof(replies) / sizeof(replies[0]); i++) {
        for (int form = 0; form < 4; form++) {
            case_label("form %d of %s", form, replies[i].bytes);
            struct replying r = {&replies[i], form & 1, form & 2};
            check_reply(&r);
        }
    }
}

/* ---- large and slow ---- */

struct slow {
    bool tls;
    bool later; /* after another exchange, when the bytes go past libcurl */
};

static void script_read_late(struct peer_conn *pc)
{
    const struct slow *s = peer_arg(pc);

    if (!peer_handshake(pc))
        return;
    if (s->later && (!peer_read_request(pc) || !peer_answer(pc, "ok")))
        return;
    peer_wait(pc); /* until the sender is stuck */
    while (peer_read_request(pc)) {
        bool all = pc->body_len == 20000000;

        if (all)
            peer_wait(pc); /* until it was seen that the sender rests */
        if (!peer_answer(pc, all ? "all" : "some"))
            return;
    }
}

static void large_request_to_a_slow_reader(void **unused)
{
    char *body = calloc(1, 20000000);

    (void)unused;
    for (int form = 0; form < 4; form++) {
        struct slow slow = {form & 1, form & 2};
        struct rig rig;
        struct probe p;
        rig_init_vault(&rig, script_read_late, &slow, slow.tls ? TLS1_3_VERSION : 0);
        rig_start(&rig);
        if (slow.later) {
            probe_run(&p, &rig, "/first");
            probe_end(&p);
        }
        probe_init(&p, &rig, "/x");
        p.call.method = "POST";
        p.call.body = body;
        p.call.body_len = 20000000;
        probe_start(&p);
        while (!p.call.sent)
            rig_iterate(&rig);
        peer_allow(rig.peer, 1);
        rig_wait_requests(&rig, slow.later ? 2 : 1);
        assert_true(rig_is_idle(&rig));
        peer_allow(rig.peer, 1);
        rig_wait(&rig, &p);
        assert_int_equal(p.call.err, 0);
        assert_true(probe_body_is(&p, "all"));
        probe_end(&p);
        probe_run(&p, &rig, "/y");
        assert_int_equal(peer_accepted(rig.peer), 1);
        probe_end(&p);
        rig_end(&rig);
    }
    free(body);
}

static void script_answer_early(struct peer_conn *pc)
{
    char sink[100];

    if (recv(pc->fd, sink, sizeof(sink), 0) <= 0)
        return;
    peer_write_text(pc, "HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n");
    peer_wait(pc); /* the rest of the request is left where it is */
}

static void answer_before_the_request_is_sent(void **unused)
{
    char *body = calloc(1, 20000000);
    struct rig rig;
    struct probe p;
    struct upstream_state state;

    (void)unused;
    rig_init_plain(&rig, script_answer_early);
    rig_start(&rig);
    probe_init(&p, &rig, "/x");
    p.call.method = "PUT";
    p.call.body = body;
    p.call.body_len = 20000000;
    probe_start(&p);
    rig_wait(&rig, &p);
    assert_int_equal(p.call.err, 0);
    assert_int_equal(p.call.status, 413);
    upstream_state(rig.up, &state);
    assert_int_equal(state.connections, 0);
    peer_allow(rig.peer, 1);
    probe_end(&p);
    rig_end(&rig);
    free(body);
}

/* ---- opening ---- */

static void script_speak_first(struct peer_conn *pc)
{
    peer_write_text(pc, "HTTP/1.1 503 Busy\r\n\r\n");
    peer_end(pc);
    peer_linger(pc);
}

static void peer_that_speaks_first(void **unused)
{
    struct rig rig;
    struct probe p;

    (void)unused;
    rig_init_plain(&rig, script_speak_first);
    rig_start(&rig);
    probe_run(&p, &rig, "/x");
    assert_true(p.call.err == -ECONNREFUSED || p.call.status == 503);
    probe_end(&p);
    rig_end(&rig);
}

static void script_silent(struct peer_conn *pc)
{
    peer_linger(pc);
}

static void connect_timeout(void **unused)
{
    struct rig rig;
    struct probe p;

    (void)unused;
    rig_init(&rig, peer_new(script_silent, NULL, NULL), "https"); /* no TLS handshake ever */
    rig.opts.connect_timeout_ms = 60;
    rig_start(&rig);
    probe_run(&p, &rig, "/x");
    assert_int_equal(p.call.err, -ECONNREFUSED);
    assert_false(p.call.sent);
    assert_true(p.call.why[0]);
    probe_end(&p);
    rig_end(&rig);
}

static void deadline_while_connecting(void **unused)
{
    struct rig rig;
    struct probe p;

    (void)unused;
    rig_init(&rig, peer_new(script_silent, NULL, NULL), "https");
    rig_start(&rig);
    probe_init(&p, &rig, "/x");
    p.call.timeout_ms = 60;
    probe_start(&p);
    rig_wait(&rig, &p);
    assert_int_equal(p.call.err, -ETIMEDOUT);
    assert_false(p.call.sent);
    probe_end(&p);
    rig_end(&rig);
}

static void script_proxy(struct peer_conn *pc)
{
    if (!peer_read_request(pc) || strncmp(pc->request, "CONNECT vault.test:", 19))
        return;
    peer_write_text(pc, "HTTP/1.1 200 Connection established\r\n\r\n");
    if (!peer_handshake(pc))
        return;
    while (peer_read_request(pc) && strstr(pc->request, "\r\nHost: vault.test\r\n"))
        peer_answer(pc, "through");
}

static void proxy_is_tunnelled(void **unused)
{
    (void)unused;
    for (int tls = 0; tls < 2; tls++) {
        struct rig rig;
        struct probe p;
        char proxy[64];
        rig_init_vault(&rig, script_proxy, NULL, tls ? TLS1_3_VERSION : 0);
        snprintf(proxy, sizeof(proxy), "http://127.0.0.1:%d", peer_port(rig.peer));
        rig.opts.proxy = proxy;
        rig.opts.url = tls ? "https://vault.test/base" : "http://vault.test/base";
        rig.opts.ca_file = certs.ca_file;
        rig_start(&rig);
        for (int i = 0; i < 2; i++) {
            probe_run(&p, &rig, "/x");
            assert_int_equal(p.call.err, 0);
            assert_true(probe_body_is(&p, "through"));
            probe_end(&p);
        }
        assert_int_equal(peer_accepted(rig.peer), 1);
        rig_end(&rig);
    }
}

static void script_tls_proxy(struct peer_conn *pc)
{
    if (!peer_handshake(pc) || !peer_read_request(pc) || strncmp(pc->request, "CONNECT vault.test:", 19))
        return;
    peer_write_text(pc, "HTTP/1.1 200 Connection established\r\n\r\n");
    while (peer_read_request(pc))
        peer_answer(pc, "through");
}

/* The proxy's certificate is judged by the same authorities as the vault's. */
static void proxy_over_tls_is_verified(void **unused)
{
    (void)unused;
    for (int trusted = 0; trusted < 2; trusted++) {
        struct rig rig;
        struct probe p;
        char proxy[64];
        rig_init(&rig, peer_new(script_tls_proxy, NULL, certs_server(&certs, certs.server, TLS1_3_VERSION)),
                 "http");
        snprintf(proxy, sizeof(proxy), "https://127.0.0.1:%d", peer_port(rig.peer));
        rig.opts.proxy = proxy;
        rig.opts.url = "http://vault.test/base";
        rig.opts.ca_file = trusted ? certs.ca_file : certs.other_ca_file;
        rig_start(&rig);
        for (int i = 0; i < 3; i++) {
            probe_run(&p, &rig, "/x");
            assert_int_equal(p.call.err, trusted ? 0 : -ECONNREFUSED);
            assert_true(!trusted || probe_body_is(&p, "through"));
            probe_end(&p);
        }
        assert_int_equal(peer_requests(rig.peer), trusted ? 4 : 0);
        rig_end(&rig);
    }
}

static void environment_cannot_redirect(void **unused)
{
    struct rig rig;
    struct probe p;

    (void)unused;
    setenv("http_proxy", "http://127.0.0.1:1", 1);
    setenv("all_proxy", "http://127.0.0.1:1", 1);
    rig_init_plain(&rig, script_answers);
    rig_start(&rig);
    probe_run(&p, &rig, "/x");
    assert_int_equal(p.call.err, 0);
    probe_end(&p);
    rig_end(&rig);
    unsetenv("http_proxy");
    unsetenv("all_proxy");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replies_of_every_form),
        cmocka_unit_test(large_request_to_a_slow_reader),
        cmocka_unit_test(answer_before_the_request_is_sent),
        cmocka_unit_test(peer_that_speaks_first),
        cmocka_unit_test(connect_timeout),
        cmocka_unit_test(deadline_while_connecting),
        cmocka_unit_test(proxy_is_tunnelled),
        cmocka_unit_test(proxy_over_tls_is_verified),
        cmocka_unit_test(environment_cannot_redirect),
    };

    return cmocka_run_group_tests(tests, certs_setup, certs_teardown);
}
