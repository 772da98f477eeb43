/* SPDX-License-Identifier: Apache-2.0 */
/*
 * finished.c - a session that ends at another gateway while a check-out of it has no intent in the store.
 *
 * The other gateway finishes the session in the store (STEP_FINISH) and ends the intents and leases that it
 * finds afterwards. A check-out that writes its intent later is refused by the store where a FINISH is after
 * the moment that this gateway knew of when the check-out began: no FINISH of an end that follows the begin
 * is missed so. But the gateway may know of an old moment. So the check-out also takes the moment of the
 * store's first word to it: of its STEP_ASK, or, where it waits for something else before, of a question that
 * goes beside.
 *
 *   since < FINISH, first < FINISH    the session has ended afterwards: the check-out ends
 *   since < FINISH <= first           it has ended before the store's first word. Where that came at once
 *                                     the check-out begins with it: the STEP_ASK is given again, with the
 *                                     FINISH as `since`. Where it came late the end may have been before or
 *                                     after the begin: store_unavailable, and a repeated check-out begins
 *                                     after the FINISH
 *
 * A FINISH that comes late, since the store was away, says how long ago the session had ended. A check-out
 * that is younger is not meant.
 *
 * Not here: how the moments are known (shared.c), what ends with a session in this gateway (checkouts_end()),
 * intents and leases that are in the store (release_work.c).
 */
#include "broker/checkout/checkout.h"

#include <errno.h>

#define AT_ONCE_MS 1000 /* as old as what a gateway knows of the store when nothing happens */
#define APART_MS   1000 /* of two gateways' clocks, and an eighth of the time that passes */

enum co_state co_intend_again(struct checkout *co)
{
    if (lease_id_new(co->op.broker->leases, co->lease_id))
        return co_fail(co, FAULT_INTERNAL, "no random numbers");
    co->at_vault = CO_VAULT_BEGUN;
    return CO_INTENT;
}

enum judgement { NOT_MEANT, MEANT, IN_DOUBT };

static enum judgement judge(const struct checkout *co, const struct store_finish *f)
{
    const struct co_shared *s = co->shared;
    uint64_t age = clock_now(co->op.broker->clock) - co->started_ms;

    if (!f->moment || age + age / 8 + APART_MS < f->ago_ms)
        return NOT_MEANT;
    if (s->first < f->moment)
        return MEANT;
    return s->first_ms < f->ago_ms + AT_ONCE_MS ? NOT_MEANT : IN_DOUBT;
}

enum co_state co_session_finished(struct checkout *co)
{
    struct co_shared *s = co->shared;
    enum judgement worst = NOT_MEANT;

    if (s->first_asked.private)
        return CO_PAUSE; /* asked again when the store's first word has come */
    for (size_t i = 0; i < STORE_FINISHES; i++) {
        enum judgement one = judge(co, &s->finishes[i]);

        worst = one == MEANT || worst == NOT_MEANT ? one : worst;
    }
    if (worst == MEANT)
        return co_fail(co, FAULT_CREDENTIAL_NOT_FOUND,
                       "the session has ended while its check-out was under way");
    if (worst == IN_DOUBT)
        return co_store_failed(co, -EIO);
    for (size_t i = 0; i < STORE_FINISHES; i++)
        s->since = s->finishes[i].moment > s->since ? s->finishes[i].moment : s->since;
    return co_intend_again(co);
}
