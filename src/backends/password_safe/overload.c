/* SPDX-License-Identifier: Apache-2.0 */
/*
 * overload.c - who may stand in line for this vault.
 *
 * The idea: somebody who would not be answered in time is told so at once, with the time after which it is
 * worth while to try again. Otherwise a vault that is asked for twice what it can do spends its time on
 * answers that nobody waits for any more. So before an operation begins its wait is foretold from the pace of
 * the two lines before it, that for one of the user's sessions and that for a connection
 * (base/queue/wait_estimate.h). It is let in if
 *
 *   - the wait is at most half of the time it has left, and three exchanges fit in as well: a prediction may
 * be wrong by half, and an operation takes two calls or three;
 *   - the wait is at most `max_wait`, where that is set;
 *   - there is room within `max_calls`; from three quarters of that on, a user with more than an equal share
 * of it (and more than SHARE_MIN calls) is refused, so that one script cannot shut the others out.
 *
 * With nobody in line all are let in, whatever was measured before. What goes on with something begun, gives
 * back, or runs in the background is not held up here: only `max_calls` bounds it, with a quarter and the
 * calls of one operation on top for what was begun, belongs to an operation that was let in, or is given
 * back.
 *
 * The prediction can be wrong, and whoever was let in at once counts from when it stands in line. So a call
 * may say how long its wait is worth while (vault_call.wait_ms): it is asked again when it joins the line,
 * and ends unsent when its wait was in vain. Both are `overloaded`, and nothing was done at the vault.
 *
 * Not here: the order in which who waits is served (base/queue/priority_queue.h, sessions.c,
 * loop/upstream/upstream.c).
 */
#include "backends/password_safe/internal.h"
#include "base/container_of.h"
#include "base/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define EXCHANGES      3
#define SHARE_MIN      4
#define OPERATION_MAX  32 /* more calls than one operation has at once: all forms of a name, all kinds */
#define RETRY_MAX_S    60
#define LOG_EVERY_MS   10000
#define NOBODY_REFUSED PS_NREFUSALS

static const char *const reasons[PS_NREFUSALS] = {
    [PS_DEADLINE] = "deadline",   [PS_MAX_WAIT] = "max_wait",    [PS_SHARE] = "share",
    [PS_MAX_CALLS] = "max_calls", [PS_WAIT_EXPIRED] = "in_vain",
};

static const char *const classes[CALL_NCLASSES] = {
    [CALL_CONTINUE] = "begun",
    [CALL_NEW] = "first",
    [CALL_CHECKIN] = "return",
    [CALL_BACKGROUND] = "background",
};

/* ---- the prediction ---- */

/* A check-out takes two exchanges on a session of its user. */
static uint64_t session_wait_ms(const struct ps *ps, const struct ps_user *user, uint64_t exchange_ms)
{
    double usual = 2.0 * (double)exchange_ms / (double)ps->vault.conf->sessions_per_user;

    return priority_queue_wait_ms(&user->priority_queue, NULL, usual);
}

/* `user` NULL = one who has no call here. */
static uint64_t foretell(const struct ps *ps, const struct ps_user *user, uint64_t *exchange_ms)
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

    return foretell(ps, NULL, &exchange_ms);
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

/* What belongs to an operation that was let in must not fail it now, however small `max_calls` is. */
static size_t room_on_top(const struct ps *ps)
{
    return ps->vault.conf->max_calls / 4 + OPERATION_MAX;
}

static enum ps_refusal judge_room(const struct ps *ps, const struct ps_user *user)
{
    if (ps->ncalls >= ps->vault.conf->max_calls)
        return PS_MAX_CALLS;
    return has_more_than_share(ps, user) ? PS_SHARE : NOBODY_REFUSED;
}

static enum ps_refusal judge_wait(const struct ps *ps, uint64_t wait_ms, uint64_t exchange_ms,
                                  uint64_t left_ms)
{
    uint64_t most_ms = ps->vault.conf->max_wait_ms;

    if (!wait_ms)
        return NOBODY_REFUSED;
    if (wait_ms > left_ms / 2 || wait_ms + EXCHANGES * exchange_ms > left_ms)
        return PS_DEADLINE;
    return most_ms && wait_ms > most_ms ? PS_MAX_WAIT : NOBODY_REFUSED;
}

/* ---- refusing ---- */

static void count(struct ps *ps, enum ps_refusal why, uint64_t wait_ms)
{
    struct ps_overload *gate = &ps->overload;
    uint64_t now = clock_now(ps->clock);

    metric_add(&gate->refused[why].metric, 1);
    gate->unlogged++;
    if (gate->logged_ms && now - gate->logged_ms < LOG_EVERY_MS)
        return;
    log_warn("vault_overloaded", "vault=%s reason=%s refused=%" PRIu64 " wait_ms=%" PRIu64 " calls=%zu",
             ps->vault.conf->name, reasons[why], gate->unlogged, wait_ms, ps->ncalls);
    gate->unlogged = 0;
    gate->logged_ms = now;
}

static void set_words(const struct ps *ps, enum ps_refusal why, uint64_t wait_ms, struct fault *f)
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
        fault_set(f, FAULT_OVERLOADED, "vault %s is busy: no turn came in time; nothing was begun", name);
        break;
    default:
        fault_set(f, FAULT_OVERLOADED,
                  "vault %s is busy: a turn would come in %" PRIu64 " ms, too late (%s); nothing was begun",
                  name, wait_ms, why == PS_MAX_WAIT ? "max_wait" : "deadline");
    }
}

static int refuse(struct ps *ps, enum ps_refusal why, uint64_t wait_ms, struct fault *f)
{
    uint64_t after_s = (wait_ms + 999) / 1000;

    count(ps, why, wait_ms);
    set_words(ps, why, wait_ms, f);
    f->retry_after_s = (unsigned)(after_s < 1 ? 1 : after_s < RETRY_MAX_S ? after_s : RETRY_MAX_S);
    return -EAGAIN;
}

int ps_admit(struct vault *vault, const char *name, uint64_t left_ms, struct fault *f)
{
    struct ps *ps = CONTAINER_OF(vault, struct ps, vault);
    const struct ps_user *user = ps_user_find(ps, ps->oauth_user ? ps->oauth_user : name);
    uint64_t exchange_ms, wait_ms;
    enum ps_refusal why;

    wait_ms = foretell(ps, user, &exchange_ms);
    why = judge_room(ps, user);
    if (why == NOBODY_REFUSED)
        why = judge_wait(ps, wait_ms, exchange_ms, left_ms);
    return why == NOBODY_REFUSED ? 0 : refuse(ps, why, wait_ms, f);
}

static int pass_first(struct ps_call *call)
{
    struct ps *ps = call->ps;
    uint64_t exchange_ms, wait_ms = 0;
    enum ps_refusal why = judge_room(ps, call->user);

    if (why == NOBODY_REFUSED && call->out->wait_ms) {
        wait_ms = foretell(ps, call->user, &exchange_ms);
        why = wait_ms > call->out->wait_ms ? PS_DEADLINE : NOBODY_REFUSED;
    }
    return why == NOBODY_REFUSED ? 0 : refuse(ps, why, wait_ms, &call->out->fault);
}

int ps_overload_admit(struct ps_call *call)
{
    struct ps *ps = call->ps;
    size_t most = ps->vault.conf->max_calls;
    bool goes_on = call->out->begun || call->out->let_in;

    if (!goes_on && !call->out->background)
        return pass_first(call);
    if (goes_on)
        most += room_on_top(ps);
    return ps->ncalls < most ? 0 : refuse(ps, PS_MAX_CALLS, 0, &call->out->fault);
}

void ps_overload_expire(struct ps_call *call)
{
    uint64_t exchange_ms, wait_ms = foretell(call->ps, call->user, &exchange_ms);

    call->out->result = VAULT_FAILED;
    (void)refuse(call->ps, PS_WAIT_EXPIRED, wait_ms, &call->out->fault);
}

/* ---- what is told ---- */

uint64_t ps_overload_refusals(const struct ps *ps)
{
    double sum = 0;

    for (size_t i = 0; i < PS_NREFUSALS; i++)
        sum += ps->overload.refused[i].metric.value;
    return (uint64_t)sum;
}

static double read_wait(void *of)
{
    return (double)ps_overload_wait_ms(of) / 1000;
}

static double read_line(const struct ps *ps, enum call_class class)
{
    struct upstream_state up = {0};

    upstream_state(ps->up, &up);
    return (double)(ps->nwaiting[class] + up.priority_queue[class]);
}

static double read_begun(void *of)
{
    return read_line(of, CALL_CONTINUE);
}

static double read_first(void *of)
{
    return read_line(of, CALL_NEW);
}

static double read_return(void *of)
{
    return read_line(of, CALL_CHECKIN);
}

static double read_background(void *of)
{
    return read_line(of, CALL_BACKGROUND);
}

static void tell(struct ps *ps, struct ps_gauge *g, const struct metric *m, const char *label,
                 const char *value)
{
    int used = snprintf(g->labels, sizeof(g->labels), "vault=\"%s\"", ps->vault.conf->name);

    if (label)
        (void)snprintf(g->labels + used, sizeof(g->labels) - (size_t)used, ",%s=\"%s\"", label, value);
    g->metric = *m;
    g->metric.labels = g->labels;
    g->metric.arg = ps;
    metric_register(&g->metric);
}

void ps_overload_start(struct ps *ps)
{
    static double (*const readers[CALL_NCLASSES])(void *) = {
        [CALL_CONTINUE] = read_begun,
        [CALL_NEW] = read_first,
        [CALL_CHECKIN] = read_return,
        [CALL_BACKGROUND] = read_background,
    };
    static const struct metric refused = {.name = "jumpgate_vault_refusals_total",
                                          .help = "Operations and calls not let into the line, by reason.",
                                          .kind = METRIC_COUNTER};
    static const struct metric wait = {.name = "jumpgate_vault_wait_seconds",
                                       .help = "How long somebody new would wait for a turn at the vault.",
                                       .kind = METRIC_GAUGE,
                                       .read = read_wait};
    struct metric priority_queue = {.name = "jumpgate_vault_line",
                                    .help = "Calls that wait for a session or a connection, by class.",
                                    .kind = METRIC_GAUGE};

    for (size_t i = 0; i < PS_NREFUSALS; i++)
        tell(ps, &ps->overload.refused[i], &refused, "reason", reasons[i]);
    tell(ps, &ps->overload.wait, &wait, NULL, NULL);
    for (size_t i = 0; i < CALL_NCLASSES; i++) {
        priority_queue.read = readers[i];
        tell(ps, &ps->overload.priority_queue[i], &priority_queue, "class", classes[i]);
    }
}

void ps_overload_stop(struct ps *ps)
{
    for (size_t i = 0; i < PS_NREFUSALS; i++)
        metric_unregister(&ps->overload.refused[i].metric);
    metric_unregister(&ps->overload.wait.metric);
    for (size_t i = 0; i < CALL_NCLASSES; i++)
        metric_unregister(&ps->overload.priority_queue[i].metric);
}
