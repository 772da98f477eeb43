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
 *   budget of the vault    at most HTTP_VAULT_SIGNIN_BUDGET sign-ins are under way or failed within
 * WINDOW_MS, and one more for each that the vault has answered lately, while none fails
 *
 * A user whose sign-in is held off fails at once, with the last fault and the time after which a new attempt
 * is worth while. Where sign-ins under way use up the budget, and none has failed, the user waits for their
 * outcome. The first sign-in that the vault itself answers ends both back-offs.
 *
 * A refusal by the vault itself has a pause of its own, which doubles with each refusal in a row. Whether a
 * user signs in meanwhile is the backend's to decide.
 *
 * Not here: the exchange of a sign-in and the waiting calls (the backend).
 */
#include "backends/http_vault/http_vault.h"

#define WINDOW_MS       1000
#define FAILED_FIRST_MS 100 /* back-off after a failed sign-in, doubling to ... */
#define FAILED_MOST_MS  2000

static uint64_t count_failure(struct signin_failures *failures, uint64_t now)
{
    uint64_t delay = (uint64_t)FAILED_FIRST_MS << (failures->in_a_row < 5 ? failures->in_a_row : 5);

    if (delay > FAILED_MOST_MS)
        delay = FAILED_MOST_MS;
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

uint64_t signin_failed(struct http_vault_user *user, struct fault *fault)
{
    struct signin_backoff *backoff = &user->vault->signin_backoff;
    uint64_t now = clock_now(user->vault->clock), delay = count_failure(&user->failures, now);

    (void)count_failure(&backoff->failures, now);
    backoff->answered = (struct signin_answered){0};
    backoff->failed_ms[backoff->nfailed++ % HTTP_VAULT_SIGNIN_BUDGET] = now;
    retry_not_before(fault, delay);
    user->last_fault = *fault;
    backoff->last_fault = *fault;
    return delay;
}

/* The counts are kept by windows: of the present one and of the one before it. */
static void start_window(struct signin_answered *answered, uint64_t now)
{
    uint64_t window = now / WINDOW_MS;

    if (window == answered->window)
        return;
    answered->before = window == answered->window + 1 ? answered->now : 0;
    answered->now = 0;
    answered->window = window;
}

static size_t answered_lately(const struct http_vault *hv, uint64_t now)
{
    struct signin_answered answered = hv->signin_backoff.answered;

    start_window(&answered, now);
    return answered.before + answered.now;
}

uint64_t signin_refused(struct http_vault_user *user, uint64_t first_ms, uint64_t most_ms)
{
    unsigned doubled = user->refusals < 6 ? user->refusals : 6;
    uint64_t delay = first_ms << doubled;

    if (delay > most_ms)
        delay = most_ms;
    user->refusals++;
    user->vault->sign_ins_refused++;
    user->refused_until_ms = clock_now(user->vault->clock) + delay;
    signin_answered(user);
    return delay;
}

void signin_answered(struct http_vault_user *user)
{
    struct signin_backoff *backoff = &user->vault->signin_backoff;

    start_window(&backoff->answered, clock_now(user->vault->clock));
    backoff->answered.now++;
    user->failures = (struct signin_failures){0};
    backoff->failures = (struct signin_failures){0};
}

/* How many sign-ins count towards the budget; *free_ms = when the oldest failure no longer counts. */
static size_t budget_used(const struct http_vault *hv, uint64_t now, uint64_t *free_ms)
{
    const struct signin_backoff *backoff = &hv->signin_backoff;
    size_t n = backoff->nfailed < HTTP_VAULT_SIGNIN_BUDGET ? backoff->nfailed : HTTP_VAULT_SIGNIN_BUDGET;
    size_t used = backoff->under_way;

    *free_ms = now + WINDOW_MS;
    for (size_t i = 0; i < n; i++) {
        uint64_t end = backoff->failed_ms[i] + WINDOW_MS;

        if (now >= end)
            continue;
        used++;
        if (end < *free_ms)
            *free_ms = end;
    }
    return used;
}

static enum signin_permit deny(const struct fault *last, uint64_t delay, struct fault *why,
                               uint64_t *delay_ms)
{
    *why = *last;
    *delay_ms = delay;
    retry_not_before(why, delay);
    return SIGNIN_DENIED;
}

enum signin_permit signin_permit(const struct http_vault_user *user, struct fault *why, uint64_t *delay_ms)
{
    const struct signin_backoff *backoff = &user->vault->signin_backoff;
    uint64_t now = clock_now(user->vault->clock), free_ms;

    if (now < user->failures.until_ms)
        return deny(&user->last_fault, user->failures.until_ms - now, why, delay_ms);
    if (user->failures.in_a_row && now < backoff->failures.until_ms)
        return deny(&backoff->last_fault, backoff->failures.until_ms - now, why, delay_ms);
    if (budget_used(user->vault, now, &free_ms) <
        HTTP_VAULT_SIGNIN_BUDGET + answered_lately(user->vault, now))
        return SIGNIN_NOW;
    return backoff->failures.in_a_row ? deny(&backoff->last_fault, free_ms - now, why, delay_ms)
                                      : SIGNIN_LATER;
}

void signin_wait(struct http_vault_user *user)
{
    if (!user->awaits_permit)
        TAILQ_INSERT_TAIL(&user->vault->signin_backoff.waiting, user, permit_link);
    user->awaits_permit = true;
}

void signin_leave(struct http_vault_user *user)
{
    if (user->awaits_permit)
        TAILQ_REMOVE(&user->vault->signin_backoff.waiting, user, permit_link);
    user->awaits_permit = false;
}

struct http_vault_user *signin_next(struct http_vault *hv)
{
    struct http_vault_user *user = TAILQ_FIRST(&hv->signin_backoff.waiting);
    struct fault why;
    uint64_t delay_ms;

    if (hv->closing || !user || signin_permit(user, &why, &delay_ms) == SIGNIN_LATER)
        return NULL;
    signin_leave(user);
    return user;
}
