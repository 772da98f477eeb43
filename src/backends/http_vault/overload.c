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
 * Not here: the order of waiting calls (base/queue/priority_queue.h, the backend, loop/upstream/upstream.c).
 */
#include "backends/http_vault/http_vault.h"
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
#define ADMITTED      OVERLOAD_NREFUSALS

const char *const overload_words[OVERLOAD_NREFUSALS] = {
    [OVERLOAD_DEADLINE] = "deadline",   [OVERLOAD_MAX_WAIT] = "max_wait",    [OVERLOAD_SHARE] = "share",
    [OVERLOAD_MAX_CALLS] = "max_calls", [OVERLOAD_WAIT_EXPIRED] = "in_vain",
};

/* ---- the estimate ---- */

/* A check-out takes two exchanges on a session of its user. */
static uint64_t session_wait_ms(const struct http_vault *hv, const struct http_vault_user *user,
                                uint64_t exchange_ms)
{
    double usual = 2.0 * (double)exchange_ms / (double)hv->vault.conf->sessions_per_user;

    if (user->is_everybody) /* one sign-in, after which all that wait are sent */
        return priority_queue_peek(&user->priority_queue) ? exchange_ms : 0;
    return priority_queue_wait_ms(&user->priority_queue, NULL, usual);
}

/* `user` NULL = a user without any call. */
static uint64_t estimate_wait(const struct http_vault *hv, const struct http_vault_user *user,
                              uint64_t *exchange_ms)
{
    static const struct fair_queue_party newcomer;
    struct upstream_outlook outlook = {0};

    upstream_outlook(hv->up, user ? &user->party : &newcomer, &outlook);
    *exchange_ms = outlook.exchange_ms;
    return outlook.wait_ms + (user ? session_wait_ms(hv, user, outlook.exchange_ms) : 0);
}

uint64_t http_vault_wait_ms(const struct http_vault *hv)
{
    uint64_t exchange_ms;

    return estimate_wait(hv, NULL, &exchange_ms);
}

/* ---- the rules ---- */

static bool has_more_than_share(const struct http_vault *hv, const struct http_vault_user *user)
{
    uint64_t max = hv->vault.conf->max_calls, share;

    if (!user || user->is_everybody || hv->ncalls < max - max / 4)
        return false;
    share = max / (hv->nactive + 1);
    return user->ncalls >= (share > SHARE_MIN ? share : SHARE_MIN);
}

/* A call of an admitted operation is admitted, however small `max_calls` is. */
static size_t room_on_top(const struct http_vault *hv)
{
    return hv->vault.conf->max_calls / 4 + OPERATION_MAX;
}

static enum overload_refusal judge_room(const struct http_vault *hv, const struct http_vault_user *user)
{
    if (hv->ncalls >= hv->vault.conf->max_calls)
        return OVERLOAD_MAX_CALLS;
    return has_more_than_share(hv, user) ? OVERLOAD_SHARE : ADMITTED;
}

static enum overload_refusal judge_wait(const struct http_vault *hv, uint64_t wait_ms, uint64_t exchange_ms,
                                        uint64_t left_ms)
{
    uint64_t most_ms = hv->vault.conf->max_wait_ms;

    if (!wait_ms)
        return ADMITTED;
    if (wait_ms > left_ms / 2 || wait_ms + EXCHANGES * exchange_ms > left_ms)
        return OVERLOAD_DEADLINE;
    return most_ms && wait_ms > most_ms ? OVERLOAD_MAX_WAIT : ADMITTED;
}

/* ---- refusing ---- */

static void count_refusal(struct http_vault *hv, enum overload_refusal why, uint64_t wait_ms)
{
    uint64_t now = clock_now(hv->clock);

    metric_add(&hv->refusals[why].metric, 1);
    hv->unlogged++;
    if (hv->logged_ms && now - hv->logged_ms < LOG_EVERY_MS)
        return;
    log_warn("vault_overloaded", "vault=%s reason=%s refused=%" PRIu64 " wait_ms=%" PRIu64 " calls=%zu",
             hv->vault.conf->name, overload_words[why], hv->unlogged, wait_ms, hv->ncalls);
    hv->unlogged = 0;
    hv->logged_ms = now;
}

static void set_fault(const struct http_vault *hv, enum overload_refusal why, uint64_t wait_ms,
                      struct fault *f)
{
    const char *name = hv->vault.conf->name;

    switch (why) {
    case OVERLOAD_MAX_CALLS:
        fault_set(f, FAULT_OVERLOADED, "too many calls to vault %s are waiting (max_calls)", name);
        break;
    case OVERLOAD_SHARE:
        fault_set(f, FAULT_OVERLOADED,
                  "vault %s is busy, and this vault user has more than an equal share of max_calls", name);
        break;
    case OVERLOAD_WAIT_EXPIRED:
        fault_set(f, FAULT_OVERLOADED,
                  "vault %s is busy: the call could not be sent in time; nothing was begun", name);
        break;
    default:
        fault_set(f, FAULT_OVERLOADED,
                  "vault %s is busy: the wait would be %" PRIu64 " ms, too long (%s); nothing was begun",
                  name, wait_ms, why == OVERLOAD_MAX_WAIT ? "max_wait" : "deadline");
    }
}

static int refuse_call(struct http_vault *hv, enum overload_refusal why, uint64_t wait_ms, struct fault *f)
{
    uint64_t after_s = (wait_ms + 999) / 1000;

    count_refusal(hv, why, wait_ms);
    set_fault(hv, why, wait_ms, f);
    f->retry_after_s = (unsigned)(after_s < 1 ? 1 : after_s < RETRY_MAX_S ? after_s : RETRY_MAX_S);
    return -EAGAIN;
}

int http_vault_admit(struct http_vault *hv, const struct http_vault_user *user, uint64_t left_ms,
                     struct fault *f)
{
    uint64_t exchange_ms, wait_ms;
    enum overload_refusal why;

    wait_ms = estimate_wait(hv, user, &exchange_ms);
    why = judge_room(hv, user);
    if (why == ADMITTED)
        why = judge_wait(hv, wait_ms, exchange_ms, left_ms);
    return why == ADMITTED ? 0 : refuse_call(hv, why, wait_ms, f);
}

static int admit_new(struct http_vault *hv, const struct http_vault_user *user, struct vault_call *out)
{
    uint64_t exchange_ms, wait_ms = 0;
    enum overload_refusal why = judge_room(hv, user);

    if (why == ADMITTED && out->wait_ms) {
        wait_ms = estimate_wait(hv, user, &exchange_ms);
        why = wait_ms > out->wait_ms ? OVERLOAD_DEADLINE : ADMITTED;
    }
    return why == ADMITTED ? 0 : refuse_call(hv, why, wait_ms, &out->fault);
}

int http_vault_admit_call(struct http_vault *hv, const struct http_vault_user *user, struct vault_call *out)
{
    size_t most = hv->vault.conf->max_calls;
    bool continues = out->begun || out->admitted;

    if (!continues && !out->background)
        return admit_new(hv, user, out);
    if (continues)
        most += room_on_top(hv);
    return hv->ncalls < most ? 0 : refuse_call(hv, OVERLOAD_MAX_CALLS, 0, &out->fault);
}

void http_vault_expire(struct http_vault *hv, const struct http_vault_user *user, struct vault_call *out)
{
    uint64_t exchange_ms, wait_ms = estimate_wait(hv, user, &exchange_ms);

    out->result = VAULT_FAILED;
    (void)refuse_call(hv, OVERLOAD_WAIT_EXPIRED, wait_ms, &out->fault);
}

uint64_t http_vault_refusals(const struct http_vault *hv)
{
    double sum = 0;

    for (size_t i = 0; i < OVERLOAD_NREFUSALS; i++)
        sum += hv->refusals[i].metric.value;
    return (uint64_t)sum;
}
