/*
 * load.h - what a run of the load tool is made of.
 *
 * N clients, each a connection of its own, each working in a closed loop: find once, then check-out and
 * release again and again (or find alone), until the time is over. A client is one PRA session of one user on
 * one host.
 */
#ifndef LOAD_LOAD_H
#define LOAD_LOAD_H

#include "base/buf.h"
#include "base/secret.h"
#include "load/histogram.h"

#include <stdbool.h>
#include <uv.h>

enum load_step { STEP_FIND, STEP_CHECKOUT, STEP_RELEASE, STEP_NSTEPS };

struct load {
    uv_loop_t loop;
    uv_timer_t phase; /* end of warm-up, then end of run */
    struct sockaddr_storage address;
    struct secret token;
    const char *user_format, *host_format, *domain; /* one %u each */
    unsigned clients, users, hosts, first;
    bool find_only;
    uint64_t hold_ms; /* between check-out and release */

    bool measuring, stopping;
    uint64_t from_us, until_us;
    unsigned open; /* connections not yet closed */
    unsigned in_flight, most_in_flight;
    uint64_t done[STEP_NSTEPS], errors;
    char first_error[512];
    struct histogram latency[STEP_NSTEPS];
};

/* Starts client number i. 0 or -errno. The clients end by themselves when `stopping` is set. */
int client_start(struct load *, unsigned i);

#endif
