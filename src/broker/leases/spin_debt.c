/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spin_debt.c - see spin_debt.h.
 */
#include "broker/leases/spin_debt.h"

#include "base/log.h"
#include "broker/leases/internal.h"
#include "broker/leases/lease_audit.h"

/* ---- its end ---- */

void spin_report(struct vault_request *r, enum spin_outcome outcome, const char *error)
{
    static const char *const words[SPIN_NOUTCOMES] = {"accepted", "failed", "withdrawn"};
    static const char *const events[SPIN_NOUTCOMES] = {"spin_accepted", "spin_given_up", "spin_withdrawn"};
    unsigned attempts = (r->work ? r->work->spins : 0) + (outcome == SPIN_ACCEPTED ? 1U : 0U);

    r->vault_ref->spins[outcome]++;
    audit_spin(r->vault_ref->leases->audit, r, words[outcome], attempts, error);
    log_event(outcome == SPIN_FAILED ? LOG_WARN : LOG_INFO, events[outcome],
              "user=%s lease=%s credential=%s attempts=%u error=%s", r->user, r->asker->id,
              r->asker->credential_id, attempts, error);
}

void spin_give_up(struct vault_request *r, enum request_end how)
{
    if (r->spin < SPIN_DUE)
        return;
    if (how == END_NEVER && r->refused)
        spin_report(r, SPIN_FAILED, fault_row(FAULT_VAULT_CONFLICT)->code);
    else
        spin_report(r, SPIN_WITHDRAWN, NULL);
    r->spin = SPIN_UNUSED;
}

/* ---- when ---- */

int64_t spin_first_delay(const struct vault_request *r)
{
    const struct vault *vault = vault_request_vault(r);
    const struct request_ref ref = vault_request_ref(r);

    return vault->ops->after_checkin ? vault->ops->after_checkin_delay(vault, &ref) : -1;
}

int64_t spin_next_delay(const struct vault_request *r)
{
    return r->work->spins ? (int64_t)SPIN_REPEAT_MS << (r->work->spins - 1) : spin_first_delay(r);
}

/* Not before a lost call can arrive no more: what waits for the key comes first then. */
static void set_time(struct vault_request *r, int64_t delay_ms)
{
    struct request_work *w = r->work;
    uint64_t now = clock_now(r->vault_ref->leases->clock);
    uint64_t until_ms =
        w->checkin_until_ms > w->checkout_until_ms ? w->checkin_until_ms : w->checkout_until_ms;
    uint64_t quiet_ms = until_ms > now ? until_ms - now : 0;

    w->delay_ms = (uint64_t)delay_ms > quiet_ms ? (uint64_t)delay_ms : quiet_ms;
    w->next_wall_ms = clock_wall(r->vault_ref->leases->clock) + (int64_t)w->delay_ms;
}

/* What is sent at once needs one row, that one. */
void spin_put_row(struct vault_request *r, int64_t delay_ms)
{
    set_time(r, delay_ms);
    r->spin = r->work->delay_ms || r->vault_ref->leases->draining ? SPIN_DUE : SPIN_SENT;
    row_spin(r);
}

/* The secret was handed out, and this is the end of that; or a spin was due before. */
static bool is_cause(const struct vault_request *r, enum request_end how)
{
    bool is_over = how == END_CHECKED_IN || how == END_ALREADY_GONE;

    if (r->spin == SPIN_USED)
        return how == END_CHECKED_IN && !r->work->is_recovered;
    return r->spin >= SPIN_DUE && (is_over || (how == END_NEVER && !r->refused));
}

bool spin_follows(struct vault_request *r, enum request_end how)
{
    if (!r->is_keyed || !request_work_get(r) || !is_cause(r, how))
        return false;
    int64_t delay_ms = spin_first_delay(r) < 0 ? -1 : spin_next_delay(r);

    if (delay_ms < 0)
        return false;
    if (!r->work->spins)
        r->work->last_error = NULL; /* of the check-in */
    spin_put_row(r, delay_ms);
    return true;
}
