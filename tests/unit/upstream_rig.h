/*
 * upstream_rig.h - loop, upstream and scripted peer, set up and taken down the same way in every test.
 *
 * rig_end() checks what must hold after every test: all calls answered, the upstream closed, the loop empty.
 */
#ifndef JG_TESTS_UPSTREAM_RIG_H
#define JG_TESTS_UPSTREAM_RIG_H

#include "check.h"
#include "loop/upstream/upstream.h"
#include "upstream_peer.h"

struct rig {
    struct loop *loop;
    struct upstream *up;
    struct peer *peer;
    struct upstream_opts opts;
    char url[64];
    size_t done; /* calls answered */
    bool closed;
};

struct probe {        /* a call and its outcome */
    struct call call; /* first */
    struct rig *rig;
    int told;
    size_t order; /* its place among the answered ones, from 1 */
    void (*then)(struct probe *);
};

/* Defaults that a test may change in rig->opts before rig_start(). */
void rig_init(struct rig *, struct peer *, const char *scheme);
/* A vault that does this, in this version of TLS (trusted) or, 0, without; rig_init_plain() is the common
 * case. */
void rig_init_vault(struct rig *, void (*script)(struct peer_conn *), const void *arg, int tls_version);
void rig_init_plain(struct rig *, void (*script)(struct peer_conn *));
void rig_start(struct rig *);
void rig_end(struct rig *);
void rig_close(struct rig *); /* upstream_close() and wait */

/* Iterates until the probe was answered / n calls were answered / the peer read n requests. */
void rig_wait(struct rig *, const struct probe *);
void rig_wait_done(struct rig *, size_t n);
void rig_wait_requests(struct rig *, int n);
/* Iterates until no connection is left open. */
void rig_wait_empty(struct rig *);
void rig_iterate(struct rig *);
/* Whether the loop sleeps until something happens outside: nothing it watches is ready all the time. */
bool rig_is_idle(struct rig *);

void probe_init(struct probe *, struct rig *, const char *target);
void probe_start(struct probe *);
void probe_begin(struct probe *, struct rig *, const char *target); /* init, start */
/* Init, start, wait. */
void probe_run(struct probe *, struct rig *, const char *target);
void probe_end(struct probe *);
bool probe_body_is(const struct probe *, const char *text);

/* A clock the test moves; rig->loop uses it after rig_use_fake_clock(). */
void rig_use_fake_clock(struct rig *);
void rig_advance(uint64_t ms);

#endif
