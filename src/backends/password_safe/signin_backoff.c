/* SPDX-License-Identifier: Apache-2.0 */
/*
 * signin_backoff.c - how often sign-ins are tried while they fail.
 *
 * A sign-in that ends with 5xx, with no answer or with an answer that the vault did not write says nothing
 * about the user, yet every caller needs another one. Three limits hold sign-ins off:
 *
 *   back-off of the user   after each failure in a row
 *   back-off of the vault  the same over all users. It applies to users whose own last sign-in failed: one
 *                          user whose sign-in always fails does not hold off the others
 *   budget of the vault    at most PS_SIGNIN_BUDGET sign-ins are under way or failed within PS_SIGNIN_WINDOW,
 *                          and one more for each that the vault has answered lately, while none fails
 *
 * A user whose sign-in is held off fails at once, with the last fault and the time after which a new attempt
 * is worth while. Where sign-ins under way use up the budget, and none has failed, the user waits for their
 * outcome. The first sign-in that the vault itself answers ends both back-offs.
 *
 * Not here: refusals, which have a back-off of their own (signin.c); serving users (sessions.c).
 */
#include "backends/password_safe/internal.h"

static uint64_t count_failure(struct ps_failures *failures, uint64_t now)
{
    uint64_t delay = (uint64_t)PS_FAILED_MIN << (failures->in_a_row < 5 ? failures->in_a_row : 5);

    if (delay > PS_FAILED_MAX)
        delay = PS_FAILED_MAX;
    failures->in_a_row++;
    failures->until_ms = now + delay;
    return delay;
}

static unsigned whole_seconds(uint64_t ms)
{
    return ms > 1000 ? (unsigned)((ms + 999) / 1000) : 1;
}

static void retry_not_before(struct fault *fault, uint64_t delay_ms)
{
    if (fault->retry_after_s < whole_seconds(delay_ms))
        fault->retry_after_s = whole_seconds(delay_ms);
}

uint64_t ps_backoff_failed(struct ps_user *user, struct fault *fault)
{
    struct ps_signin_backoff *backoff = &user->ps->signin_backoff;
    uint64_t now = clock_now(user->ps->clock), delay = count_failure(&user->failures, now);

    (void)count_failure(&backoff->failures, now);
    backoff->answered = (struct ps_answered_count){0};
    backoff->failed_ms[backoff->nfailed++ % PS_SIGNIN_BUDGET] = now;
    retry_not_before(fault, delay);
    user->last_fault = *fault;
    backoff->last_fault = *fault;
    return delay;
}

/* The counts are kept by windows: of the present one and of the one before it. */
static void start_window(struct ps_answered_count *answered, uint64_t now)
{
    uint64_t window = now / PS_SIGNIN_WINDOW;

    if (window == answered->window)
        return;
    answered->before = window == answered->window + 1 ? answered->now : 0;
    answered->now = 0;
    answered->window = window;
}

static size_t answered_lately(const struct ps *ps, uint64_t now)
{
    struct ps_answered_count answered = ps->signin_backoff.answered;

    start_window(&answered, now);
    return answered.before + answered.now;
}

void ps_backoff_answered(struct ps_user *user)
{
    struct ps_signin_backoff *backoff = &user->ps->signin_backoff;

    start_window(&backoff->answered, clock_now(user->ps->clock));
    backoff->answered.now++;
    user->failures = (struct ps_failures){0};
    backoff->failures = (struct ps_failures){0};
}

/* How many sign-ins count towards the budget; *free_ms = when the oldest failure no longer counts. */
static size_t budget_used(const struct ps *ps, uint64_t now, uint64_t *free_ms)
{
    const struct ps_signin_backoff *backoff = &ps->signin_backoff;
    size_t n = backoff->nfailed < PS_SIGNIN_BUDGET ? backoff->nfailed : PS_SIGNIN_BUDGET;
    size_t used = backoff->under_way;

    *free_ms = now + PS_SIGNIN_WINDOW;
    for (size_t i = 0; i < n; i++) {
        uint64_t end = backoff->failed_ms[i] + PS_SIGNIN_WINDOW;

        if (now >= end)
            continue;
        used++;
        if (end < *free_ms)
            *free_ms = end;
    }
    return used;
}

static enum ps_permit deny(const struct fault *last, uint64_t delay, struct fault *why, uint64_t *delay_ms)
{
    *why = *last;
    *delay_ms = delay;
    retry_not_before(why, delay);
    return PS_PERMIT_DENIED;
}

enum ps_permit ps_backoff_permit(const struct ps_user *user, struct fault *why, uint64_t *delay_ms)
{
    const struct ps_signin_backoff *backoff = &user->ps->signin_backoff;
    uint64_t now = clock_now(user->ps->clock), free_ms;

    if (now < user->failures.until_ms)
        return deny(&user->last_fault, user->failures.until_ms - now, why, delay_ms);
    if (user->failures.in_a_row && now < backoff->failures.until_ms)
        return deny(&backoff->last_fault, backoff->failures.until_ms - now, why, delay_ms);
    if (budget_used(user->ps, now, &free_ms) < PS_SIGNIN_BUDGET + answered_lately(user->ps, now))
        return PS_PERMIT_NOW;
    return backoff->failures.in_a_row ? deny(&backoff->last_fault, free_ms - now, why, delay_ms)
                                      : PS_PERMIT_LATER;
}

void ps_backoff_wait(struct ps_user *user)
{
    if (!user->awaits_permit)
        TAILQ_INSERT_TAIL(&user->ps->signin_backoff.waiting, user, permit_link);
    user->awaits_permit = true;
}

void ps_backoff_leave(struct ps_user *user)
{
    if (user->awaits_permit)
        TAILQ_REMOVE(&user->ps->signin_backoff.waiting, user, permit_link);
    user->awaits_permit = false;
}

struct ps_user *ps_backoff_next(struct ps *ps)
{
    struct ps_user *user = TAILQ_FIRST(&ps->signin_backoff.waiting);
    struct fault why;
    uint64_t delay_ms;

    if (ps->closing || !user || ps_backoff_permit(user, &why, &delay_ms) == PS_PERMIT_LATER)
        return NULL;
    ps_backoff_leave(user);
    return user;
}
