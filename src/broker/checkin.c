/* SPDX-License-Identifier: Apache-2.0 */
/*
 * checkin.c - giving a vault request back, however long it takes.
 *
 *   loan_return() --> attempt --checked in / already gone--> ended
 *                      ^   |failed
 *                      |   v
 *                     back-off (doubling, with jitter) --past the vault's own expiry--> lapsed, ended
 *
 * The check-in belongs to nobody but the loan: neither the session that released nor a check-out that undid
 * itself waits for it, they may watch. Once begun it is never cancelled. It goes on until the vault confirms,
 * says that the request is gone, or must have ended it by itself: one vault minute after the end, since both
 * count from slightly different moments.
 *
 * A check-out that is handed this request by the vault's reuse meanwhile must not be left with a dead one. It
 * may take the loan back only while it is certain that no check-in has reached the vault (no call on its way,
 * none of unknown outcome); otherwise it watches, and asks anew when the loan has ended.
 *
 * Watchers are told once per attempt. They may unlink themselves and each other and take the loan back.
 */
#include "broker/leases.h"

#include "base/log.h"
#include "broker/op.h"

#include <stdlib.h>
#include <string.h>

struct checkin {
    struct vault_call call;
    struct loan *loan;
    char lease_id[ID_SIZE];
    unsigned attempts;
    bool in_flight;
    bool unknown; /* some attempt may have reached the vault */
};

static void attempt(struct loan *loan);

uint64_t leases_backoff(struct leases *ls, unsigned n)
{
    uint64_t delay = 500;

    while (--n && delay < 60000)
        delay *= 2;
    delay = delay < 60000 ? delay : 60000;
    ls->random ^= ls->random << 13;
    ls->random ^= ls->random >> 7;
    ls->random ^= ls->random << 17;
    return delay - ls->random % (delay / 4);
}

bool loan_in_flight(const struct loan *loan)
{
    return loan->checkin && loan->checkin->in_flight;
}

/* ---- watchers ---- */

void loan_watch(struct loan *loan, struct loan_watch *w)
{
    w->loan = loan;
    LIST_INSERT_HEAD(&loan->watches, w, link);
}

void loan_unwatch(struct loan_watch *w)
{
    if (!w->loan)
        return;
    LIST_REMOVE(w, link);
    w->loan = NULL;
}

/* The list is moved aside first, since those who are told watch again, unlink, or are freed. */
static void tell_watchers(struct loan *loan, bool ended)
{
    LIST_HEAD(, loan_watch) told = LIST_HEAD_INITIALIZER(told);
    struct loan_watch *w;

    while ((w = LIST_FIRST(&loan->watches))) {
        LIST_REMOVE(w, link);
        LIST_INSERT_HEAD(&told, w, link);
    }
    while ((w = LIST_FIRST(&told))) {
        LIST_REMOVE(w, link);
        w->loan = NULL;
        if (!ended)
            loan_watch(loan, w);
        w->told(w, ended);
    }
}

/* ---- the end ---- */

void loan_end(struct loan *loan, enum lease_change how)
{
    static const char *const words[] = {[LOAN_CHECKED_IN] = "checked_in",
                                        [LOAN_ALREADY_GONE] = "already_gone",
                                        [LOAN_LAPSED] = "lapsed",
                                        [LOAN_FORGOTTEN] = "forgotten"};
    struct checkin *c = loan->checkin;

    leases_tell(loan->leases, how, loan, NULL);
    enum log_level level = how == LOAN_LAPSED ? LOG_WARN : c && c->attempts > 1 ? LOG_INFO : LOG_DEBUG;

    log_event(level, "given_back", "outcome=%s user=%s lease=%s attempts=%u", words[how], loan->user,
              c ? c->lease_id : "-", c ? c->attempts : 0);
    if (c)
        vault_call_free(&c->call);
    free(c);
    loan->checkin = NULL;
    /* Nobody may find it from here on: who is told of its end asks the vault anew at once. */
    timer_stop(loan->leases->timers, &loan->deadline);
    table_remove(&loan->leases->loans, &loan->node);
    tell_watchers(loan, true);
    free(loan);
}

static bool is_past_expiry(const struct loan *loan)
{
    uint64_t now = clock_now(loan->leases->clock), slack = loan->vault->conf->minute_ms;

    return now > loan->ends_ms && now - loan->ends_ms >= slack;
}

/* ---- attempts ---- */

static void on_retry(struct deadline *d)
{
    struct loan *loan = OWNER_OF(d, struct loan, deadline);

    loan->leases->retrying--;
    if (is_past_expiry(loan))
        loan_end(loan, LOAN_LAPSED);
    else
        attempt(loan);
}

/* False = it could not, and the loan has ended. */
static bool retry_later(struct loan *loan)
{
    struct leases *ls = loan->leases;
    unsigned attempts = loan->checkin ? loan->checkin->attempts : 0;

    if (timer_start(ls->timers, &loan->deadline, leases_backoff(ls, attempts ? attempts : 1), on_retry)) {
        log_error("check_in_lost", "user=%s error=%s", loan->user, "out of memory");
        loan_end(loan, LOAN_LAPSED);
        return false;
    }
    ls->retrying++;
    return true;
}

static void on_checked_in(struct vault_call *call)
{
    struct checkin *c = OWNER_OF(call, struct checkin, call);
    struct loan *loan = c->loan;

    c->in_flight = false;
    loan->leases->in_flight--;
    if (call->result == VAULT_OK || call->result == VAULT_GONE) {
        loan_end(loan, call->result == VAULT_OK ? LOAN_CHECKED_IN : LOAN_ALREADY_GONE);
        return;
    }
    c->unknown |= call->unknown;
    log_warn("check_in_failed", "user=%s lease=%s attempts=%u error=%s", loan->user, c->lease_id, c->attempts,
             fault_row(call->fault.code)->code);
    if (is_past_expiry(loan)) {
        loan_end(loan, LOAN_LAPSED);
        return;
    }
    if (retry_later(loan))
        tell_watchers(loan, false);
}

static void attempt(struct loan *loan)
{
    struct checkin *c = loan->checkin;

    if (!c && !(c = loan->checkin = calloc(1, sizeof *c))) {
        (void)retry_later(loan);
        return;
    }
    c->loan = loan;
    c->attempts++;
    vault_call_free(&c->call);
    c->call = (struct vault_call){.user = loan->user,
                                  .timeout_ms = loan->vault->conf->call_timeout_ms,
                                  .background = true,
                                  .done = on_checked_in};
    if (loan->vault->ops->checkin(loan->vault, loan->request_id, "released by jumpgate", &c->call)) {
        (void)retry_later(loan);
        return;
    }
    c->in_flight = true;
    loan->leases->in_flight++;
}

void loan_return(struct loan *loan, const char lease_id[ID_SIZE])
{
    loan->state = LOAN_RETURNING;
    timer_stop(loan->leases->timers, &loan->deadline);
    loan->checkin = calloc(1, sizeof *loan->checkin);
    if (loan->checkin)
        memcpy(loan->checkin->lease_id, lease_id, ID_SIZE);
    attempt(loan);
}

/* ---- taking it back ---- */

bool loan_reopen(struct loan *loan)
{
    struct checkin *c = loan->checkin;
    struct leases *ls = loan->leases;

    if (loan->state != LOAN_RETURNING || (c && (c->in_flight || c->unknown)) ||
        clock_now(ls->clock) >= loan->ends_ms)
        return false;
    if (c)
        vault_call_free(&c->call);
    free(c);
    loan->checkin = NULL;
    ls->retrying--;
    loan->state = LOAN_OPEN;
    loan->node.spare = 1;
    loan_set_end(loan, loan->ends_ms, loan->expires_wall_ms);
    return true;
}

void loan_hurry(struct loan *loan)
{
    if (loan->state != LOAN_RETURNING || loan_in_flight(loan))
        return;
    timer_stop(loan->leases->timers, &loan->deadline);
    loan->leases->retrying--;
    attempt(loan);
}

void loan_cancel(struct loan *loan)
{
    struct checkin *c = loan->checkin;
    struct loan_watch *w;

    while ((w = LIST_FIRST(&loan->watches)))
        loan_unwatch(w);
    if (!c)
        return;
    if (c->in_flight)
        loan->vault->ops->cancel(loan->vault, &c->call);
    vault_call_free(&c->call);
    free(c);
    loan->checkin = NULL;
}
