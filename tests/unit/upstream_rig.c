/* SPDX-License-Identifier: Apache-2.0 */
/*
 * upstream_rig.c - see the header. A watchdog ends a test program that waits for what never comes.
 */
#include "upstream_rig.h"

#include "secrets_gone.h"
#include "upstream_certs.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static uint64_t fake_now;

static uint64_t fake_now_ms(void *arg)
{
    (void)arg;
    return fake_now;
}

static const struct clock fake = {fake_now_ms, NULL, NULL};

void rig_use_fake_clock(struct rig *rig)
{
    fake_now = 1000000;
    assert_int_equal(loop_free(rig->loop), 0);
    rig->loop = loop_new_clock(&fake);
    assert_non_null(rig->loop);
}

void rig_advance(uint64_t ms)
{
    fake_now += ms;
}

void rig_init(struct rig *rig, struct peer *peer, const char *scheme)
{
    alarm(100);
    memset(rig, 0, sizeof(*rig));
    rig->peer = peer;
    rig->loop = loop_new();
    assert_non_null(rig->loop);
    snprintf(rig->url, sizeof(rig->url), "%s://127.0.0.1:%d/base/path", scheme, peer ? peer_port(peer) : 1);
    rig->opts = (struct upstream_opts){
        .kind = "vault",
        .name = "test",
        .url = rig->url,
        .connections = 4,
        .max_calls = 1000,
        .connect_timeout_ms = SECONDS(20),
        .call_timeout_ms = SECONDS(20),
        .idle_timeout_ms = MINUTES(1),
        .max_answer = 1 << 21,
    };
}

void rig_init_vault(struct rig *rig, void (*script)(struct peer_conn *), const void *arg, int tls_version)
{
    SSL_CTX *server = tls_version ? certs_server(&certs, certs.server, tls_version) : NULL;

    rig_init(rig, peer_new(script, arg, server), server ? "https" : "http");
    rig->opts.ca_file = server ? certs.ca_file : NULL;
}

void rig_init_plain(struct rig *rig, void (*script)(struct peer_conn *))
{
    rig_init_vault(rig, script, NULL, 0);
}

void rig_start(struct rig *rig)
{
    char why[256];

    assert_int_equal(upstream_global_init(), 0);
    rig->up = upstream_new(rig->loop, &rig->opts, why);
    assert_non_null(rig->up);
}

void rig_iterate(struct rig *rig)
{
    uv_run(loop_uv(rig->loop), UV_RUN_ONCE);
}

bool rig_is_idle(struct rig *rig)
{
    struct pollfd fd = {.fd = uv_backend_fd(loop_uv(rig->loop)), .events = POLLIN};

    for (int i = 0; i < 3; i++) /* takes what is there, and gives the kernel what is watched from now on */
        uv_run(loop_uv(rig->loop), UV_RUN_NOWAIT);
    return poll(&fd, 1, 0) == 0;
}

static void on_closed(void *arg)
{
    struct rig *rig = arg;

    assert_false(rig->closed);
    rig->closed = true;
    rig->up = NULL;
}

void rig_close(struct rig *rig)
{
    if (rig->up)
        upstream_close(rig->up, on_closed, rig);
    while (!rig->closed)
        rig_iterate(rig);
}

void rig_end(struct rig *rig)
{
    rig_close(rig);
    assert_int_equal(timers_count(loop_timers(rig->loop)), 0);
    assert_int_equal(loop_free(rig->loop), 0);
    if (rig->peer)
        peer_free(rig->peer);
    upstream_global_cleanup();
    assert_secrets_gone();
}

void rig_wait(struct rig *rig, const struct probe *p)
{
    while (!p->told)
        rig_iterate(rig);
}

void rig_wait_done(struct rig *rig, size_t n)
{
    while (rig->done < n)
        rig_iterate(rig);
}

void rig_wait_requests(struct rig *rig, int n)
{
    while (peer_requests(rig->peer) < n) {
        uv_run(loop_uv(rig->loop), UV_RUN_NOWAIT);
        usleep(1000);
    }
}

void rig_wait_empty(struct rig *rig)
{
    struct upstream_state state;

    for (upstream_state(rig->up, &state); state.connections; upstream_state(rig->up, &state))
        rig_iterate(rig);
}

static void on_done(struct call *call)
{
    struct probe *p = (struct probe *)call;

    p->told++;
    p->order = ++p->rig->done;
    if (p->then)
        p->then(p);
}

void probe_init(struct probe *p, struct rig *rig, const char *target)
{
    memset(p, 0, sizeof(*p));
    p->rig = rig;
    p->call.method = "GET";
    p->call.target = target;
    p->call.done = on_done;
}

void probe_start(struct probe *p)
{
    int told = p->told;

    assert_int_equal(upstream_call(p->rig->up, &p->call), 0);
    assert_int_equal(p->told, told); /* never from within */
}

void probe_begin(struct probe *p, struct rig *rig, const char *target)
{
    probe_init(p, rig, target);
    probe_start(p);
}

void probe_run(struct probe *p, struct rig *rig, const char *target)
{
    probe_begin(p, rig, target);
    rig_wait(rig, p);
}

void probe_end(struct probe *p)
{
    assert_true(p->told <= 1);
    call_free_answer(&p->call);
}

bool probe_body_is(const struct probe *p, const char *text)
{
    size_t n = strlen(text);

    return p->call.body_in.len == n && (n == 0 || !memcmp(p->call.body_in.data, text, n));
}
