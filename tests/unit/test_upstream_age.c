/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_upstream_age.c - the pool follows the vault: connections grow old, and a name is resolved again.
 *
 * getaddrinfo() is this file's: it knows one name, and where that leads is the test's to say.
 */
#include "upstream_certs.h"
#include "upstream_rig.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MOVING "vault.test"

static atomic_int lookups;
static atomic_int host; /* 127.0.0.`host` */

typedef int resolve(const char *, const char *, const struct addrinfo *, struct addrinfo **);

/* libcurl calls it from a thread. */
int getaddrinfo(const char *restrict node, const char *restrict service,
                const struct addrinfo *restrict hints, struct addrinfo **restrict result)
{
    struct addrinfo numeric = hints ? *hints : (struct addrinfo){0};
    resolve *real = NULL;
    char address[32];
    void *symbol = dlsym(RTLD_NEXT, "getaddrinfo");

    memcpy(&real, &symbol, sizeof(symbol)); /* ISO C has no cast for it */
    if (!node || strcmp(node, MOVING) != 0)
        return real(node, service, hints, result);
    lookups++;
    snprintf(address, sizeof(address), "127.0.0.%d", host);
    numeric.ai_flags |= AI_NUMERICHOST;
    numeric.ai_family = AF_INET;
    return real(address, service, &numeric, result);
}

static size_t connections(const struct rig *rig)
{
    struct upstream_state state;

    upstream_state(rig->up, &state);
    return state.connections;
}

static void turn_until(struct rig *rig, size_t done)
{
    while (rig->done < done) {
        loop_iterate(rig->loop);
        usleep(500);
    }
}

/* One call, of an owner who has a connection already or not. */
static void ask(struct rig *rig, uint64_t owner)
{
    struct probe p;

    probe_init(&p, rig, "/x");
    p.call.owner = owner;
    probe_start(&p);
    turn_until(rig, rig->done + 1);
    assert_int_equal(p.call.err, 0);
    assert_int_equal(p.call.status, 200);
    probe_end(&p);
}

/* ---- age ---- */

static void begin_aged(struct rig *rig, void (*script)(struct peer_conn *), uint64_t age_ms)
{
    rig_init_plain(rig, script);
    rig_use_fake_clock(rig);
    rig->opts.max_age_ms = age_ms;
    rig_start(rig);
}

/* Its use does not make it younger. */
static void an_idle_connection_ends_at_its_age(void **unused)
{
    struct rig rig;

    (void)unused;
    begin_aged(&rig, script_answers, 10000);
    for (int i = 0; i < 10; i++) {
        ask(&rig, 1);
        rig_advance(999);
        loop_iterate(rig.loop);
    }
    assert_int_equal(peer_accepted(rig.peer), 1);
    assert_int_equal(connections(&rig), 1);
    rig_advance(10);
    loop_iterate(rig.loop);
    assert_int_equal(connections(&rig), 0);
    ask(&rig, 1);
    assert_int_equal(peer_accepted(rig.peer), 2);
    rig_end(&rig);
}

static void a_busy_connection_ends_after_its_answer(void **unused)
{
    struct rig rig;
    struct probe p;

    (void)unused;
    begin_aged(&rig, script_answers_when_allowed, 10000);
    peer_allow(rig.peer, 1);
    ask(&rig, 1);
    rig_advance(9999);
    probe_init(&p, &rig, "/long");
    p.call.owner = 1;
    probe_start(&p);
    while (peer_requests(rig.peer) < 2)
        loop_iterate(rig.loop);
    rig_advance(SECONDS(5));
    loop_iterate(rig.loop);
    assert_int_equal(connections(&rig), 1);
    peer_allow(rig.peer, 1);
    turn_until(&rig, 2);
    assert_int_equal(p.call.err, 0);
    assert_int_equal(connections(&rig), 0);
    assert_int_equal(peer_accepted(rig.peer), 1);
    probe_end(&p);
    rig_end(&rig);
}

/* Even where no turn of the loop has closed it. */
static void an_old_connection_is_not_used(void **unused)
{
    struct rig rig;

    (void)unused;
    begin_aged(&rig, script_answers, 10000);
    ask(&rig, 1);
    rig_advance(SECONDS(10));
    ask(&rig, 1);
    assert_int_equal(peer_accepted(rig.peer), 2);
    rig_end(&rig);
}

static void connections_of_one_age_end_one_by_one(void **unused)
{
    enum { N = 32 };
    struct rig rig;
    size_t last = N, most = 0;

    (void)unused;
    rig_init_plain(&rig, script_answers);
    rig_use_fake_clock(&rig);
    rig.opts.max_age_ms = SECONDS(10);
    rig.opts.connections = N;
    rig_start(&rig);
    for (uint64_t i = 0; i < N; i++)
        ask(&rig, i);
    rig_advance(8999);
    loop_iterate(rig.loop);
    assert_int_equal(connections(&rig), N);
    for (int ms = 9000; ms <= 10000; ms++) {
        rig_advance(1);
        loop_iterate(rig.loop);
        size_t now = connections(&rig);
        most = last - now > most ? last - now : most;
        last = now;
    }
    assert_int_equal(last, 0);
    assert_true(most <= 2);
    rig_end(&rig);
}

static void another_age_counts_for_what_is_open(void **unused)
{
    struct rig rig;

    (void)unused;
    begin_aged(&rig, script_answers, 0);
    ask(&rig, 1);
    rig_advance(SECONDS(20));
    loop_iterate(rig.loop);
    assert_int_equal(connections(&rig), 1);
    rig.opts.max_age_ms = SECONDS(30);
    struct upstream_next *renewal = upstream_prepare(&rig.opts);
    assert_non_null(renewal);
    upstream_reload(rig.up, renewal);
    rig_advance(9999);
    loop_iterate(rig.loop);
    assert_int_equal(connections(&rig), 1);
    rig_advance(1);
    loop_iterate(rig.loop);
    assert_int_equal(connections(&rig), 0);
    rig_end(&rig);
}

/* ---- the name ---- */

/* The vault is at 127.0.0.1, and so says its name. */
static void begin_named(struct rig *rig, void (*script)(struct peer_conn *))
{
    rig_init_plain(rig, script);
    snprintf(rig->url, sizeof(rig->url), "http://" MOVING ":%d", peer_port(rig->peer));
    rig_use_fake_clock(rig);
    lookups = 0;
    host = 1;
    rig_start(rig);
}

/* To 127.0.0.2, the same port; what is at the old address is the test's business. */
static struct peer *move_vault(const struct rig *rig)
{
    struct peer *there = peer_new_at(2, peer_port(rig->peer), script_answers, NULL, NULL);

    host = 2;
    return there;
}

static void connects_do_not_resolve_each_time(void **unused)
{
    struct rig rig;

    (void)unused;
    begin_named(&rig, script_answers);
    for (uint64_t i = 0; i < 20; i++)
        ask(&rig, i);
    assert_int_equal(peer_accepted(rig.peer), 20);
    assert_in_range(lookups, 1, 2);
    rig_end(&rig);
}

/* Where each call has a connection of its own, the name is resolved for each, and the next one follows it. */
static void single_calls_resolve_each_time(void **unused)
{
    struct rig rig;

    (void)unused;
    begin_named(&rig, script_answers);
    rig_close(&rig);
    rig.closed = false;
    rig.opts.single = true;
    rig_start(&rig);
    for (uint64_t i = 0; i < 5; i++)
        ask(&rig, 1);
    assert_int_equal(lookups, 5);
    struct peer *there = move_vault(&rig); /* the old address still answers */
    ask(&rig, 1);
    assert_int_equal(peer_accepted(rig.peer), 5);
    assert_int_equal(peer_accepted(there), 1);
    rig_end(&rig);
    peer_free(there);
}

/* Nothing fails: connections grow old, and what is opened then goes where the name leads. */
static void the_pool_follows_the_name(void **unused)
{
    struct rig rig;

    (void)unused;
    begin_named(&rig, script_answers);
    rig_close(&rig);
    rig.closed = false;
    rig.opts.max_age_ms = MINUTES(1);
    rig_start(&rig);
    ask(&rig, 1);
    struct peer *there = move_vault(&rig);
    for (int s = 0; s < 60; s++) {
        rig_advance(SECONDS(1));
        ask(&rig, 1);
    }
    assert_int_equal(peer_accepted(rig.peer), 1);
    assert_int_equal(peer_accepted(there), 1);
    rig_end(&rig);
    peer_free(there);
}

/* The old address refuses: the call that finds out goes on at the new one. */
static void a_refused_connect_resolves_again(void **unused)
{
    struct rig rig;

    (void)unused;
    begin_named(&rig, script_answers);
    ask(&rig, 1);
    ask(&rig, 2);
    peer_stop_accepting(rig.peer);
    struct peer *there = move_vault(&rig);
    ask(&rig, 3);
    ask(&rig, 4);
    assert_int_equal(peer_accepted(there), 2);
    rig_end(&rig);
    peer_free(there);
}

/* A listener whose queue is full: the kernel answers no more connects. */
static int black_hole(int port, int fillers[4])
{
    struct sockaddr_in at = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), yes = 1;

    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)), 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(listen(fd, 0), 0);
    for (int i = 0; i < 4; i++) {
        fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        assert_true(connect(fillers[i], (struct sockaddr *)&at, sizeof(at)) == 0 || errno == EINPROGRESS);
    }
    return fd;
}

/* The old address is silent: half of the connect timeout goes to it, the other half is for the new one. */
static void a_silent_address_leaves_time_for_another(void **unused)
{
    struct rig rig;
    struct probe p;
    int fillers[4];

    (void)unused;
    begin_named(&rig, script_answers);
    ask(&rig, 1);
    ask(&rig, 2);
    peer_stop_accepting(rig.peer);
    int hole = black_hole(peer_port(rig.peer), fillers);
    struct peer *there = move_vault(&rig);
    probe_init(&p, &rig, "/x");
    p.call.owner = 3;
    p.call.timeout_ms = SECONDS(19);
    probe_start(&p);
    loop_iterate(rig.loop);
    rig_advance(rig.opts.connect_timeout_ms / 2 - 1);
    loop_iterate(rig.loop);
    assert_int_equal(peer_accepted(there), 0);
    rig_advance(1);
    turn_until(&rig, 3);
    assert_int_equal(p.call.err, 0);
    assert_int_equal(peer_accepted(there), 1);
    probe_end(&p);
    rig_end(&rig);
    peer_free(there);
    for (int i = 0; i < 4; i++)
        close(fillers[i]);
    close(hole);
}

static void script_first_only(struct peer_conn *pc)
{
    if (pc->index < 2)
        script_answers(pc);
    else
        peer_linger(pc);
}

/* A vault that took the connection is there, however long its handshake takes. */
static void a_slow_handshake_is_left_alone(void **unused)
{
    struct rig rig;
    struct probe p;

    (void)unused;
    rig_init_vault(&rig, script_first_only, NULL, TLS1_3_VERSION);
    snprintf(rig.url, sizeof(rig.url), "https://" MOVING ":%d", peer_port(rig.peer));
    rig_use_fake_clock(&rig);
    lookups = 0;
    host = 1;
    rig_start(&rig);
    ask(&rig, 1);
    ask(&rig, 2);
    int before = lookups;
    probe_init(&p, &rig, "/x");
    p.call.owner = 3;
    probe_start(&p);
    while (peer_accepted(rig.peer) < 3)
        loop_iterate(rig.loop);
    usleep(2000);
    loop_iterate(rig.loop); /* libcurl sees that it is connected */
    rig_advance(rig.opts.connect_timeout_ms / 2);
    for (int i = 0; i < 20; i++) {
        loop_iterate(rig.loop);
        usleep(500);
    }
    assert_int_equal(p.told, 0);
    assert_int_equal(peer_accepted(rig.peer), 3);
    assert_int_equal(lookups, before);
    rig_close(&rig);
    assert_int_equal(p.call.err, -ECANCELED);
    probe_end(&p);
    rig_end(&rig);
}

/* ---- silence on open connections ---- */

static void script_one_answer(struct peer_conn *pc)
{
    if (peer_read_request(pc) && peer_answer(pc, "ok"))
        peer_linger(pc);
}

/* The vault's machine is gone without a word: one call finds out, not one for each connection. */
static void silence_ends_what_was_idle_longer(void **unused)
{
    struct rig rig;
    struct probe p;

    (void)unused;
    begin_named(&rig, script_one_answer);
    for (uint64_t i = 1; i <= 3; i++)
        ask(&rig, i);
    struct peer *there = move_vault(&rig);
    rig_advance(1);
    probe_init(&p, &rig, "/x");
    p.call.owner = 1;
    probe_start(&p);
    rig_advance(rig.opts.call_timeout_ms);
    turn_until(&rig, 4);
    assert_int_equal(p.call.err, -ETIMEDOUT);
    assert_int_equal(connections(&rig), 0);
    ask(&rig, 2);
    assert_int_equal(peer_accepted(there), 1);
    probe_end(&p);
    rig_end(&rig);
    peer_free(there);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_idle_connection_ends_at_its_age),
        cmocka_unit_test(a_busy_connection_ends_after_its_answer),
        cmocka_unit_test(an_old_connection_is_not_used),
        cmocka_unit_test(connections_of_one_age_end_one_by_one),
        cmocka_unit_test(another_age_counts_for_what_is_open),
        cmocka_unit_test(connects_do_not_resolve_each_time),
        cmocka_unit_test(single_calls_resolve_each_time),
        cmocka_unit_test(the_pool_follows_the_name),
        cmocka_unit_test(a_refused_connect_resolves_again),
        cmocka_unit_test(a_silent_address_leaves_time_for_another),
        cmocka_unit_test(a_slow_handshake_is_left_alone),
        cmocka_unit_test(silence_ends_what_was_idle_longer),
    };

    return cmocka_run_group_tests(tests, certs_setup, certs_teardown);
}
