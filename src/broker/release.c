/* SPDX-License-Identifier: Apache-2.0 */
/*
 * release.c - a session gives back one credential, or everything it has.
 *
 *   broker_release(): the leases end at once --> loans without holders begin their check-in --> wait --> done
 *
 * The session is rid of its leases whatever the vault says, so the operation cannot fail: it tells how many
 * leases ended, and whether the vault has confirmed. It watches each check-in it caused until the first
 * outcome; a failure, or the caller's deadline, makes the answer `pending`, and the loan goes on by itself
 * (checkin.c). A client that leaves takes nothing with it but its watches.
 *
 * A session's leases are found under (user, session), so nobody ends another user's lease of the same session
 * id. Only leases that are there now are ended; a check-out of the session still in flight is its caller's
 * own affair.
 */
#include "broker/lease.h"
#include "broker/op.h"

#include "base/log.h"

#include <stdlib.h>
#include <string.h>

struct release;

struct release_wait {
    struct loan_watch watch;
    struct release *release;
};

struct release {
    struct op op; /* first */
    release_done *done;
    void *arg;
    struct session *session;
    struct release_answer answer;
    struct fault fault;
    struct deadline turn; /* for an answer that needs no waiting */
    uint64_t started_ms;
    uint64_t age_s;         /* for the log: of the last lease that ended */
    char lease_id[ID_SIZE]; /* and its id */
    size_t waiting;
    bool begun; /* broker_release() has returned */
    size_t nwaits;
    struct release_wait waits[];
};

static void release_free(struct release *r)
{
    timer_stop(r->op.broker->timers, &r->turn);
    for (size_t i = 0; i < r->nwaits; i++)
        loan_unwatch(&r->waits[i].watch);
    op_end(&r->op);
    free(r->session);
    free(r);
}

static void finish(struct release *r)
{
    const char *outcome = r->answer.fault     ? fault_row(r->fault.code)->code
                          : r->answer.pending ? "pending"
                                              : "ok";

    timer_stop(r->op.broker->timers, &r->op.deadline);
    log_info(
        "release",
        "outcome=%s ms=%llu user=%s domain=%s session=%s released=%lld remaining=%lld lease=%s age_s=%llu",
        outcome, (unsigned long long)(clock_now(r->op.broker->clock) - r->started_ms), r->session->username,
        r->session->domain, r->session->id, (long long)r->answer.released,
        (long long)r->answer.remaining_holders, *r->lease_id ? r->lease_id : NULL,
        (unsigned long long)r->age_s);
    r->done(r->arg, &r->answer);
    release_free(r);
}

static void on_told(struct loan_watch *w, bool ended)
{
    struct release *r = OWNER_OF(w, struct release_wait, watch)->release;

    r->answer.pending |= !ended;
    r->waiting--;
    loan_unwatch(w);
    if (r->begun && r->waiting == 0)
        finish(r);
}

static void on_turn(struct deadline *d)
{
    finish(OWNER_OF(d, struct release, turn));
}

static void release_leave(struct op *op)
{
    release_free((struct release *)op);
}

static void release_expired(struct op *op)
{
    struct release *r = (struct release *)op;

    r->answer.pending = true;
    finish(r);
}

static const struct op_class release_class = {"release", release_leave, release_expired, release_leave};

/* ---- ending the leases ---- */

static bool is_meant(const struct lease *lease, const char *credential_id)
{
    return !credential_id || strcmp(lease->credential_id, credential_id) == 0;
}

static size_t count_meant(const struct sitting *s, const char *credential_id)
{
    const struct lease *lease;
    size_t n = 0;

    if (s)
        SLIST_FOREACH(lease, &s->leases, of_sitting)
    n += is_meant(lease, credential_id);
    return n;
}

static void end_lease(struct release *r, struct lease *lease)
{
    struct loan *loan = lease->loan;
    size_t others = loan_holders(loan) - 1;
    struct release_wait *wait = &r->waits[r->nwaits];

    r->age_s = lease_age_s(lease);
    memcpy(r->lease_id, lease->id, ID_SIZE);
    r->answer.released++;
    r->answer.remaining_holders += (int64_t)others;
    if (others == 0) {
        *wait = (struct release_wait){.watch = {.told = on_told}, .release = r};
        r->nwaits++;
        r->waiting++;
        loan_watch(loan, &wait->watch);
    }
    lease_close(lease, "released");
    if (others == 0 && wait->watch.loan && !loan_in_flight(loan)) {
        r->answer.pending = true; /* the first attempt could not even start */
        r->waiting--;
        loan_unwatch(&wait->watch);
    }
}

/* The sitting ends with its last lease, so the next one is picked before, and the count taken beforehand. */
static void end_leases(struct release *r, struct sitting *s, size_t n, const char *credential_id)
{
    struct lease *lease = n ? SLIST_FIRST(&s->leases) : NULL;

    while (lease && n) {
        struct lease *next = SLIST_NEXT(lease, of_sitting);

        if (is_meant(lease, credential_id)) {
            n--;
            end_lease(r, lease);
        }
        lease = next;
    }
}

static struct release *release_new(struct broker *b, const struct release_args *args, size_t n)
{
    struct release *r = calloc(1, sizeof *r + n * sizeof r->waits[0]);

    if (!r)
        return NULL;
    r->session = session_copy(&args->session);
    if (!r->session || op_begin(&r->op, &release_class, b, args->timeout_ms)) {
        free(r->session);
        free(r);
        return NULL;
    }
    r->started_ms = clock_now(b->clock);
    return r;
}

struct op *broker_release(struct broker *b, const struct release_args *args, release_done *done, void *arg)
{
    struct sitting *s = b->draining ? NULL : sitting_find(b->leases, &args->session);
    size_t n = count_meant(s, args->credential_id);
    struct release *r = release_new(b, args, n);

    if (!r)
        return NULL;
    r->done = done;
    r->arg = arg;
    if (timer_start(b->timers, &r->turn, 0,
                    on_turn)) { /* before anything is done that cannot be taken back */
        release_free(r);
        return NULL;
    }
    if (b->draining) {
        fault_set(&r->fault, FAULT_DRAINING, "the gateway is stopping");
        r->answer.fault = &r->fault;
    }
    end_leases(r, s, n, args->credential_id);
    b->releases += n;
    r->begun = true;
    if (r->waiting)
        timer_stop(b->timers, &r->turn);
    return &r->op;
}
