/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_failing_upstream.c - each call of libcurl and OpenSSL and each allocation fails once on the way to a
 * vault: while an upstream is made and reloaded, a connection is opened with a name, with TLS and with a
 * certificate of the client, and calls are made over it.
 *
 * A call that began is answered once, with an answer or with the reason of its failure. A request that the
 * vault has read was called sent. With nothing failing any more the next call gets its answer, and no secret
 * is left in memory.
 */
#include "failing_calls.h"
#include "upstream_certs.h"
#include "upstream_rig.h"

#include "base/log.h"

#include <errno.h>
#include <openssl/err.h>
#include <string.h>
#include <unistd.h>

#define STILL_MS 1500 /* nothing has come for so long: time passes */

static struct rig rig;
static int nsent;

/* libcurl has a clock of its own: this one goes with it, and ahead. */
static uint64_t ahead;

static uint64_t now_ms(void *unused)
{
    (void)unused;
    return clock_now(&clock_system) + ahead;
}

static const struct clock going = {.now_ms = now_ms};

/* ---- before and after ---- */

static void try_start(void)
{
    char why[256] = "";
    int err = upstream_global_init();

    if (!err) {
        rig.up = upstream_new(rig.loop, &rig.opts, why);
        if (rig.up)
            return;
        assert_true(*why);
        upstream_global_cleanup();
    }
    failing_calls_stop();
    assert_int_equal(timers_count(loop_timers(rig.loop)), 0);
    rig_start(&rig);
    failing_calls_start();
}

/* One answer, and then the end of the connection. */
static void script_one(struct peer_conn *pc)
{
    if (peer_handshake(pc) && peer_read_request(pc) && peer_answer(pc, "ok"))
        peer_end(pc);
    peer_linger(pc);
}

static void begin(void (*script)(struct peer_conn *), SSL_CTX *tls)
{
    nsent = 0;
    rig_init(&rig, peer_new(script, NULL, tls), tls ? "https" : "http");
    rig.opts.ca_file = tls ? certs.ca_file : NULL;
    assert_int_equal(loop_free(rig.loop), 0);
    rig.loop = loop_new_clock(&going);
    assert_non_null(rig.loop);
}

/* ---- calls ---- */

/* While nothing comes, time passes. */
static void iterate(int *still)
{
    (void)loop_iterate(rig.loop);
    usleep(1000);
    if (++*still % STILL_MS == 0)
        ahead += SECONDS(30);
}

/* A connection whose call was never sent stays open until it was idle for too long. */
static void wait_empty(void)
{
    struct upstream_state state;

    upstream_state(rig.up, &state);
    for (int still = 0; state.connections; upstream_state(rig.up, &state))
        iterate(&still);
}

/* Whether it got its answer. */
static bool ask(const char *body)
{
    static struct probe p;

    probe_init(&p, &rig, "/x");
    p.call.method = body ? "POST" : "GET";
    p.call.body = body;
    p.call.body_len = body ? strlen(body) : 0;
    p.call.secret = true;
    int err = upstream_call(rig.up, &p.call);
    if (err) {
        assert_int_equal(err, -ENOMEM);
        return false;
    }
    for (int still = 0; !p.told;)
        iterate(&still);
    assert_int_equal(p.told, 1);
    nsent += p.call.sent;
    if (p.call.err)
        assert_true(p.call.why[0]);
    else
        assert_true(probe_body_is(&p, "ok"));
    bool well = !p.call.err;
    probe_end(&p);
    return well;
}

static void reload(void)
{
    struct upstream_next *next = upstream_prepare(&rig.opts);

    if (!next) {
        failing_calls_stop();
        next = upstream_prepare(&rig.opts);
        failing_calls_start();
    }
    upstream_reload(rig.up, next);
}

static void end(void)
{
    failing_calls_stop();
    struct probe p;

    probe_run(&p, &rig, "/next");
    nsent++;
    if (p.call.err)
        fail_msg("the next call: %s", p.call.why);
    assert_true(probe_body_is(&p, "ok"));
    probe_end(&p);
    assert_in_range(peer_requests(rig.peer), 1, nsent);
    rig_end(&rig);
    ERR_clear_error();
}

/* ---- scenarios ---- */

static void calls_over(int version)
{
    begin(script_answers, certs_server(&certs, certs.server, version));
    failing_calls_start();
    try_start();
    (void)ask(NULL);
    (void)ask("some");
    reload();
    (void)ask(NULL);
    end();
}

static void tls_1_3(void)
{
    calls_over(TLS1_3_VERSION);
}

static void tls_1_2(void)
{
    calls_over(TLS1_2_VERSION);
}

/* Each connection after the first resumes the session of the one before. */
static void resumed(void)
{
    begin(script_one, certs_server(&certs, certs.server, TLS1_3_VERSION));
    failing_calls_start();
    try_start();
    for (int i = 0; i < 3; i++)
        (void)ask("some");
    end();
}

static void with_a_certificate(void)
{
    SSL_CTX *server = certs_server(&certs, certs.server, TLS1_3_VERSION);

    SSL_CTX_set_verify(server, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    begin(script_answers, server);
    rig.opts.client_certificate = certs.client_certificate;
    rig.opts.client_key = certs.client_key;
    failing_calls_start();
    try_start();
    (void)ask(NULL);
    end();
}

/* No byte of a request goes to a vault whose certificate is of another authority, whatever fails. */
static void refused(void)
{
    begin(script_answers, certs_server(&certs, certs.server, TLS1_3_VERSION));
    rig.opts.ca_file = certs.other_ca_file;
    failing_calls_start();
    try_start();
    assert_false(ask("some"));
    assert_int_equal(nsent, 0);
    rig.opts.ca_file = certs.ca_file;
    reload();
    end();
}

/* The address of a name is used again, until a connect to it fails. */
static void by_name(void)
{
    begin(script_one, NULL);
    snprintf(rig.url, sizeof(rig.url), "http://localhost:%d/", peer_port(rig.peer));
    failing_calls_start();
    try_start();
    (void)ask(NULL);
    (void)ask(NULL);
    int port = peer_port(rig.peer);
    failing_calls_stop();
    wait_empty();
    nsent -= peer_requests(rig.peer);
    peer_free(rig.peer);
    failing_calls_start();
    assert_false(ask(NULL));
    failing_calls_stop();
    rig.peer = peer_new_at(1, port, script_one, NULL, NULL);
    end();
}

#define EACH(scenario)                                                                                       \
    TEST(each_call_of_##scenario)                                                                            \
    {                                                                                                        \
        failing_calls_each(#scenario, scenario);                                                             \
    }

EACH(tls_1_3)
EACH(tls_1_2)
EACH(resumed)
EACH(with_a_certificate)
EACH(refused)
EACH(by_name)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_call_of_tls_1_3), cmocka_unit_test(each_call_of_tls_1_2),
        cmocka_unit_test(each_call_of_resumed), cmocka_unit_test(each_call_of_with_a_certificate),
        cmocka_unit_test(each_call_of_refused), cmocka_unit_test(each_call_of_by_name),
    };

    (void)log_open(&(struct log_opts){.level = LOG_ERROR, .file = "/dev/null"});
    return cmocka_run_group_tests(tests, certs_setup, certs_teardown);
}
