/* SPDX-License-Identifier: Apache-2.0 */
/*
 * overload.c - which calls may wait for this vault; the rules and their reasons are in docs/overload.md.
 *
 * The idea: an operation that would not be answered in time fails at once, with the time after which a new
 * attempt is worth while. Its wait is estimated before it begins, from the pace of two queues: the one for a
 * session of the user and the one for a connection (base/queue/wait_estimate.h).
 *
 * While the queues are empty every operation is admitted. Calls that continue or give back what has been
 * begun, and calls in the background, are not judged by their wait: `max_calls` alone bounds them. A call may
 * limit its wait (vault_call.wait_ms): it is judged again when it joins the queue, and it ends unsent when
 * this time is over. In both cases the fault is `overloaded`, and the vault has done nothing.
 *
 * Not here: the order of waiting calls (base/queue/priority_queue.h, sessions.c, loop/upstream/upstream.c).
 */
#include "backends/password_safe/internal.h"
#include "base/container_of.h"
#include "base/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define EXCHANGES     3
#define SHARE_MIN     4
#define OPERATION_MAX 32 /* more calls than one operation has at once */
#define RETRY_MAX_S   60
#define LOG_EVERY_MS  10000
#define ADMITTED      PS_NREFUSALS

const char *const ps_refusal_words[PS_NREFUSALS] = {
    [PS_DEADLINE] = "deadline",   [PS_MAX_WAIT] = "max_wait",    [PS_SHARE] = "share",
    [PS_MAX_CALLS] = "max_calls", [PS_WAIT_EXPIRED] = "in_vain",
};

/* ---- the estimate ---- */

/* A check-out takes two exchanges on a session of its user. */
static uint64_t session_wait_ms(const struct ps *ps, const struct ps_user *user, uint64_t exchange_ms)
{
    double usual = 2.0 * (double)exchange_ms / (double)ps->vault.conf->sessions_per_user;

    return priority_queue_wait_ms(&user->priority_queue, NULL, usual);
}

/* `user` NULL = a user without any call. */
static uint64_t estimate_wait(const struct ps *ps, const struct ps_user *user, uint64_t *exchange_ms)
{
    static const struct fair_queue_party newcomer;
    struct upstream_outlook outlook = {0};

    upstream_outlook(ps->up, user ? &user->party : &newcomer, &outlook);
    *exchange_ms = outlook.exchange_ms;
    return outlook.wait_ms + (user ? session_wait_ms(ps, user, outlook.exchange_ms) : 0);
}

uint64_t ps_overload_wait_ms(const struct ps *ps)
{
    uint64_t exchange_ms;

    return estimate_wait(ps, NULL, &exchange_ms);
}

/* ---- the rules ---- */

static bool has_more_than_share(const struct ps *ps, const struct ps_user *user)
{
    uint64_t max = ps->vault.conf->max_calls, share;

    if (!user || ps->ncalls < max - max / 4)
        return false;
    share = max / (ps->nactive + 1);
    return user->ncalls >= (share > SHARE_MIN ? share : SHARE_MIN);
}

/* A call of an admitted operation is admitted, however small `max_calls` is. */
static size_t room_on_top(const struct ps *ps)
{
    return ps->vault.conf->max_calls / 4 + OPERATION_MAX;
}

static enum ps_refusal judge_room(const struct ps *ps, const struct ps_user *user)
{
    if (ps->ncalls >= ps->vault.conf->max_calls)
        return PS_MAX_CALLS;
    return has_more_than_share(ps, user) ? PS_SHARE : ADMITTED;
}

static enum ps_refusal judge_wait(const struct ps *ps, uint64_t wait_ms, uint64_t exchange_ms,
                                  uint64_t left_ms)
{
    uint64_t most_ms = ps->vault.conf->max_wait_ms;

    if (!wait_ms)
        return ADMITTED;
    if (wait_ms > left_ms / 2 || wait_ms + EXCHANGES * exchange_ms > left_ms)
        return PS_DEADLINE;
    return most_ms && wait_ms > most_ms ? PS_MAX_WAIT : ADMITTED;
}

/* ---- refusing ---- */

static void count_refusal(struct ps *ps, enum ps_refusal why, uint64_t wait_ms)
{
    uint64_t now = clock_now(ps->clock);

    metric_add(&ps->metrics[PS_METRIC_REFUSALS + why].metric, 1);
    ps->unlogged++;
    if (ps->logged_ms && now - ps->logged_ms < LOG_EVERY_MS)
        return;
    log_warn("vault_overloaded", "vault=%s reason=%s refused=%" PRIu64 " wait_ms=%" PRIu64 " calls=%zu",
             ps->vault.conf->name, ps_refusal_words[why], ps->unlogged, wait_ms, ps->ncalls);
    ps->unlogged = 0;
    ps->logged_ms = now;
}

static void set_fault(const struct ps *ps, enum ps_refusal why, uint64_t wait_ms, struct fault *f)
{
    const char *name = ps->vault.conf->name;

    switch (why) {
    case PS_MAX_CALLS:
        fault_set(f, FAULT_OVERLOADED, "too many calls to vault %s are waiting (max_calls)", name);
        break;
    case PS_SHARE:
        fault_set(f, FAULT_OVERLOADED,
                  "vault %s is busy, and this vault user has more than an equal share of max_calls", name);
        break;
    case PS_WAIT_EXPIRED:
        fault_set(f, FAULT_OVERLOADED,
                  "vault %s is busy: the call could not be sent in time; nothing was begun", name);
        break;
    default:
        fault_set(f, FAULT_OVERLOADED,
                  "vault %s is busy: the wait would be %" PRIu64 " ms, too long (%s); nothing was begun",
                  name, wait_ms, why == PS_MAX_WAIT ? "max_wait" : "deadline");
    }
}

static int refuse_call(struct ps *ps, enum ps_refusal why, uint64_t wait_ms, struct fault *f)
{
    uint64_t after_s = (wait_ms + 999) / 1000;

    count_refusal(ps, why, wait_ms);
    set_fault(ps, why, wait_ms, f);
    f->retry_after_s = (unsigned)(after_s < 1 ? 1 : after_s < RETRY_MAX_S ? after_s : RETRY_MAX_S);
    return -EAGAIN;
}

int ps_admit(struct vault *vault, const char *name, uint64_t left_ms, struct fault *f)
{
    struct ps *ps = CONTAINER_OF(vault, struct ps, vault);
    const struct ps_user *user = ps_user_find(ps, ps->oauth_user ? ps->oauth_user : name);
    uint64_t exchange_ms, wait_ms;
    enum ps_refusal why;

    wait_ms = estimate_wait(ps, user, &exchange_ms);
    why = judge_room(ps, user);
    if (why == ADMITTED)
        why = judge_wait(ps, wait_ms, exchange_ms, left_ms);
    return why == ADMITTED ? 0 : refuse_call(ps, why, wait_ms, f);
}

static int admit_new(struct ps_call *call)
{
    struct ps *ps = call->ps;
    uint64_t exchange_ms, wait_ms = 0;
    enum ps_refusal why = judge_room(ps, call->user);

    if (why == ADMITTED && call->out->wait_ms) {
        wait_ms = estimate_wait(ps, call->user, &exchange_ms);
        why = wait_ms > call->out->wait_ms ? PS_DEADLINE : ADMITTED;
    }
    return why == ADMITTED ? 0 : refuse_call(ps, why, wait_ms, &call->out->fault);
}

int ps_overload_admit(struct ps_call *call)
{
    struct ps *ps = call->ps;
    size_t most = ps->vault.conf->max_calls;
    bool continues = call->out->begun || call->out->admitted;

    if (!continues && !call->out->background)
        return admit_new(call);
    if (continues)
        most += room_on_top(ps);
    return ps->ncalls < most ? 0 : refuse_call(ps, PS_MAX_CALLS, 0, &call->out->fault);
}

void ps_overload_expire(struct ps_call *call)
{
    uint64_t exchange_ms, wait_ms = estimate_wait(call->ps, call->user, &exchange_ms);

    call->out->result = VAULT_FAILED;
    (void)refuse_call(call->ps, PS_WAIT_EXPIRED, wait_ms, &call->out->fault);
}

uint64_t ps_overload_refusals(const struct ps *ps)
{
    double sum = 0;

    for (size_t i = 0; i < PS_NREFUSALS; i++)
        sum += ps->metrics[PS_METRIC_REFUSALS + i].metric.value;
    return (uint64_t)sum;
}
