/* SPDX-License-Identifier: Apache-2.0 */
/*
 * key_doubt.c - see key_doubt.h.
 */
#include "broker/leases/key_doubt.h"

#include "broker/leases/clock_skew.h"
#include "broker/leases/internal.h"

#include <string.h>

static uint64_t now_of(const struct vault_request *r)
{
    return clock_now(r->vault_ref->leases->clock);
}

uint64_t keyed_settle_ms(const struct vault_request *r)
{
    const struct conf_vault *conf = vault_request_vault(r)->conf;

    return conf->settle_ms > conf->call_timeout_ms ? conf->settle_ms : conf->call_timeout_ms;
}

/* ---- doubt ---- */

void keyed_doubt_checkout(struct vault_request *r)
{
    struct request_work *w = request_work_get(r);

    r->was_lost = true;
    if (w)
        w->checkout_until_ms = now_of(r) + keyed_settle_ms(r);
}

void keyed_doubt_checkin(struct vault_request *r)
{
    struct request_work *w = request_work_get(r);

    if (w)
        w->checkin_until_ms = now_of(r) + keyed_settle_ms(r);
}

bool keyed_checkout_may_arrive(const struct vault_request *r)
{
    return r->work && now_of(r) < r->work->checkout_until_ms;
}

bool keyed_checkin_may_arrive(const struct vault_request *r)
{
    return r->work && now_of(r) < r->work->checkin_until_ms;
}

/* A key names what one sign-in name has checked out: another one does not give it back. */
bool keyed_is_of_other_identity(const struct vault_request *r)
{
    const char *principal = vault_request_vault(r)->principal;

    return r->is_keyed && principal && strcmp(principal, r->user) != 0;
}

/* ---- turns ---- */

static uint64_t time_until(const struct vault_request *r, uint64_t moment_ms)
{
    uint64_t now = now_of(r);

    return moment_ms > now ? moment_ms - now : 0;
}

/* Until no call may arrive any more, and until the next attempt of the check-in. */
static uint64_t shortest_wait(const struct vault_request *r)
{
    const struct request_work *w = r->work;

    if (!w)
        return 0;
    uint64_t wait = time_until(r, w->checkin_until_ms), other = time_until(r, w->checkout_until_ms);
    uint64_t retry = r->state == VR_RETRY ? time_until(r, w->retry_at_ms) : 0;

    wait = wait > other ? wait : other;
    return wait > retry ? wait : retry;
}

/* A lease that began now would have no time. */
static bool is_past_latest_end(const struct vault_request *r)
{
    return keyed_latest_end(r) <= leases_wall(r->vault_ref->leases, vault_request_vault(r));
}

enum key_turn keyed_turn(const struct vault_request *r, uint64_t *wait_ms)
{
    bool repeatable = vault_request_vault(r)->can.repeatable;

    *wait_ms = 0;
    if (r->state == VR_HELD)
        return repeatable && !is_past_latest_end(r) ? KEY_JOIN : KEY_REFUSED;
    if (r->state == VR_SETTLING && repeatable && !r->refused && !keyed_checkin_may_arrive(r))
        return KEY_TAKE_OVER;
    if (spin_is_to_come(r) && !keyed_checkin_may_arrive(r))
        return KEY_TAKE_BACK;
    *wait_ms = shortest_wait(r);
    return KEY_WAIT;
}

/* ---- the vault's own end ---- */

static int64_t life_end(const struct vault_request *r)
{
    const struct vault *vault = vault_request_vault(r);

    int64_t began = r->work && r->work->began_wall_ms ? r->work->began_wall_ms : r->asker->created_s * 1000;

    return vault->can.has_end && vault->life_ms ? began + (int64_t)vault->life_ms : INT64_MAX;
}

int64_t keyed_latest_end(const struct vault_request *r)
{
    int64_t end = life_end(r);

    return end == INT64_MAX ? end : end - (int64_t)vault_request_vault(r)->conf->minute_ms;
}

/* Where the vault keeps it for its minutes, these are those of its last lease. */
bool keyed_is_past_life(const struct vault_request *r)
{
    const struct vault *vault = vault_request_vault(r);
    int64_t end = vault->life_ms ? life_end(r) : r->expires_wall_ms;

    return vault->can.has_end && !keyed_checkin_may_arrive(r) &&
           leases_wall(r->vault_ref->leases, vault_request_vault(r)) >= end + (int64_t)vault->conf->minute_ms;
}
