/* SPDX-License-Identifier: Apache-2.0 */
/*
 * signin_backoff.c - how often sign-ins are tried while they fail.
 *
 * A sign-in that is answered by 5xx, by nothing or by what is not the vault's word says nothing about the
 * user, but every caller wants another one. So it is held off in three ways:
 *
 *   the user's back-off    after each failure in a row the user waits 100 ms, doubling to 2 s
 *   the vault's back-off   the same over all users. It holds for users whose own last sign-in failed:
 *                          others may have better luck, and one user whose sign-in always fails does not
 *                          shut them out
 *   the vault's budget     at most PS_LOST_RATE sign-ins are under way or failed within PS_LOST_WINDOW, and
 *                          one more for each that the vault has answered lately, while none fails: a vault
 *                          that works is soon asked for as many as there are connections
 *
 * Who may not sign in fails at once with the last fault and the time after which it is worth while to try
 * again. Only where the budget is taken by sign-ins under way, and none has failed, does the user wait for
 * their outcome. The first sign-in that the vault answers itself, with a session or a refusal, ends both
 * back-offs.
 *
 * Not here: refusals, which have a back-off of their own (signin.c).
 */
#include "backends/password_safe/internal.h"

static uint64_t back_off(struct ps_setback *lost, uint64_t now)
{
    uint64_t delay = (uint64_t)PS_LOST_MIN << (lost->row < 5 ? lost->row : 5);

    if (delay > PS_LOST_MAX)
        delay = PS_LOST_MAX;
    lost->row++;
    lost->until_ms = now + delay;
    return delay;
}

static unsigned whole_seconds(uint64_t ms)
{
    return ms > 1000 ? (unsigned)((ms + 999) / 1000) : 1;
}

uint64_t ps_pace_lost(struct ps_user *user, struct fault *fault)
{
    struct ps_pace *pace = &user->ps->pace;
    uint64_t now = clock_now(user->ps->clock), delay = back_off(&user->lost, now);

    (void)back_off(&pace->lost, now);
    pace->won = (struct ps_won){0};
    pace->failed_ms[pace->nfailed++ % PS_LOST_RATE] = now;
    if (fault->retry_after_s < whole_seconds(delay))
        fault->retry_after_s = whole_seconds(delay);
    user->last_fault = *fault;
    pace->last_fault = *fault;
    return delay;
}

/* Counts by windows: what was won in this one and in the one before. */
static void won_turn(struct ps_won *won, uint64_t now)
{
    uint64_t window = now / PS_LOST_WINDOW;

    if (window == won->window)
        return;
    won->before = window == won->window + 1 ? won->now : 0;
    won->now = 0;
    won->window = window;
}

static size_t won_lately(const struct ps *ps, uint64_t now)
{
    struct ps_won won = ps->pace.won;

    won_turn(&won, now);
    return won.before + won.now;
}

void ps_pace_answered(struct ps_user *user)
{
    struct ps_won *won = &user->ps->pace.won;

    won_turn(won, clock_now(user->ps->clock));
    won->now++;
    user->lost = (struct ps_setback){0};
    user->ps->pace.lost = (struct ps_setback){0};
}

/* Sign-ins of which the budget has no more; *free_ms = when one of them leaves it by its age. */
static size_t budget_used(const struct ps *ps, uint64_t now, uint64_t *free_ms)
{
    const struct ps_pace *pace = &ps->pace;
    size_t n = pace->nfailed < PS_LOST_RATE ? pace->nfailed : PS_LOST_RATE, used = pace->under_way;

    *free_ms = now + PS_LOST_WINDOW;
    for (size_t i = 0; i < n; i++) {
        uint64_t end = pace->failed_ms[i] + PS_LOST_WINDOW;

        if (now >= end)
            continue;
        used++;
        if (end < *free_ms)
            *free_ms = end;
    }
    return used;
}

static enum ps_turn shut(const struct fault *last, uint64_t delay, struct fault *why, uint64_t *delay_ms)
{
    *why = *last;
    *delay_ms = delay;
    if (why->retry_after_s < whole_seconds(delay))
        why->retry_after_s = whole_seconds(delay);
    return PS_TURN_SHUT;
}

enum ps_turn ps_pace_turn(const struct ps_user *user, struct fault *why, uint64_t *delay_ms)
{
    const struct ps_pace *pace = &user->ps->pace;
    uint64_t now = clock_now(user->ps->clock), free_ms;

    if (now < user->lost.until_ms)
        return shut(&user->last_fault, user->lost.until_ms - now, why, delay_ms);
    if (user->lost.row && now < pace->lost.until_ms)
        return shut(&pace->last_fault, pace->lost.until_ms - now, why, delay_ms);
    if (budget_used(user->ps, now, &free_ms) < PS_LOST_RATE + won_lately(user->ps, now))
        return PS_TURN_NOW;
    return pace->lost.row ? shut(&pace->last_fault, free_ms - now, why, delay_ms) : PS_TURN_LATER;
}

void ps_pace_wait(struct ps_user *user)
{
    if (!user->wanting)
        TAILQ_INSERT_TAIL(&user->ps->pace.wanting, user, want_link);
    user->wanting = true;
}

void ps_pace_leave(struct ps_user *user)
{
    if (user->wanting)
        TAILQ_REMOVE(&user->ps->pace.wanting, user, want_link);
    user->wanting = false;
}

void ps_pace_next(struct ps *ps)
{
    struct ps_user *user;
    struct fault why;
    uint64_t delay_ms;

    while (!ps->closing && (user = TAILQ_FIRST(&ps->pace.wanting)) &&
           ps_pace_turn(user, &why, &delay_ms) != PS_TURN_LATER) {
        ps_pace_leave(user);
        ps_user_serve(user);
    }
}
