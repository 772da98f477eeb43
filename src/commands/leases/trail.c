/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trail.c - who ended leases while no gateway runs; see trail.h.
 *
 * The records are those that a gateway writes for an operator's release: `operator_release` and `lease_end`.
 * The caller has the lock of the lease store, and the trail has a lock of its own, so no gateway writes to it
 * meanwhile.
 *
 * Nothing here makes a trail: run as root it would leave a file that the gateway's user cannot open.
 */
#include "commands/leases/trail.h"

#include "base/clock.h"
#include "base/container_of.h"
#include "commands/operator_trail.h"
#include "commands/run/audit.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define PER_LEASE 2
#define SPARE     16 /* what the trail says about itself */

struct leases_trail {
    struct run_audit audit;
    size_t waiting, lost;
    void (*closed)(void *arg);
    void *closed_arg;
};

struct record_wait {
    struct audit_wait wait;
    struct leases_trail *trail;
};

struct leases_trail *leases_trail_open(struct loop *loop, const struct conf *conf, size_t leases,
                                       char why[320])
{
    struct leases_trail *t = calloc(1, sizeof(*t));

    (void)snprintf(why, 320, "out of memory");
    if (t && operator_trail_is_there(conf, why) &&
        (run_audit_attach(&t->audit, loop, conf, leases * PER_LEASE + SPARE, why) || t->audit.writer))
        return t; /* a writer without its audit is to be closed as well */
    free(t);
    return NULL;
}

static void close_when_written(struct leases_trail *t)
{
    if (t->waiting || !t->closed)
        return;
    audit_free(t->audit.audit);
    t->audit.audit = NULL;
    run_audit_close(&t->audit, t->closed, t->closed_arg);
}

static void on_recorded(struct audit_wait *wait, int err)
{
    struct record_wait *w = CONTAINER_OF(wait, struct record_wait, wait);
    struct leases_trail *t = w->trail;

    t->lost += err != 0;
    t->waiting--;
    free(w);
    close_when_written(t);
}

/* Who runs the command, as the system knows it. */
static void record_operator(struct leases_trail *t, const struct lease_row *lease)
{
    const struct passwd *who = getpwuid(getuid());
    struct audit_note n;

    audit_note(&n, t->audit.audit, "operator_release");
    audit_text(&n, "client", "offline");
    audit_count(&n, "peer_uid", (int64_t)getuid());
    audit_text(&n, "peer_user", who ? who->pw_name : NULL);
    audit_text(&n, "user", lease->holder.username);
    audit_text(&n, "domain", lease->holder.domain);
    audit_text(&n, "lease_id", lease->id);
    audit_write(&n);
}

static void note_end(struct audit_note *n, struct audit *a, const struct request_row *request,
                     const struct lease_row *lease, size_t remaining_holders)
{
    const struct holder *h = &lease->holder;
    int64_t held_ms = clock_wall(&clock_system) - h->created_wall_ms;

    audit_note(n, a, "lease_end");
    audit_text(n, "reason", "released");
    audit_text(n, "user", h->username);
    audit_text(n, "domain", h->domain);
    audit_text(n, "session", h->session);
    audit_text(n, "lsid", h->lsid);
    audit_text(n, "lease_id", lease->id);
    audit_text(n, "credential_id", h->credential);
    audit_text(n, "vault", request->vault);
    audit_text(n, "run_as", request->user);
    audit_number(n, "vault_request_id", request_key_number(request->name));
    audit_count(n, "held_seconds", held_ms > 0 ? held_ms / 1000 : 0);
    audit_count(n, "remaining_holders", (int64_t)remaining_holders);
}

void leases_trail_end(struct leases_trail *t, const struct request_row *request,
                      const struct lease_row *lease, size_t remaining_holders)
{
    struct record_wait *w = t ? calloc(1, sizeof(*w)) : NULL;
    struct audit_note n;

    if (!t)
        return;
    record_operator(t, lease);
    note_end(&n, t->audit.audit, request, lease, remaining_holders);
    if (!w) {
        audit_write(&n);
        t->lost++;
        return;
    }
    *w = (struct record_wait){.wait.done = on_recorded, .trail = t};
    if (audit_write_await(&n, &w->wait) == AUDIT_WAIT) {
        t->waiting++;
        return;
    }
    t->lost++;
    free(w);
}

void leases_trail_close(struct leases_trail *t, void (*closed)(void *arg), void *arg)
{
    t->closed = closed;
    t->closed_arg = arg;
    close_when_written(t);
}

size_t leases_trail_lost(const struct leases_trail *t)
{
    return t->lost;
}

void leases_trail_free(struct leases_trail *t)
{
    free(t);
}
