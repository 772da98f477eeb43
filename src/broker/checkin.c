/* SPDX-License-Identifier: Apache-2.0 */
/*
 * checkin.c - giving a vault request back, however long it takes.
 *
 *   loan_return() --> in line --> on its way --checked in / already gone--> ended
 *                        ^            |failed
 *                        |            v
 *                     back-off (doubling, with jitter) --past the vault's own expiry--> lapsed
 *
 * The check-in belongs to nobody but the loan: neither the session that released nor a check-out that undid
 * itself waits for it, they may watch. Once begun it is never cancelled. It goes on until the vault confirms,
 * says that the request is gone, or must have ended it by itself: one vault minute after the end, since both
 * count from slightly different moments, and not before this process has tried once.
 *
 * The loan's cover is its row in the store: RELEASING, with the attempts made, the time of the next one and
 * the last error, written anew after each failure; so a restart goes on where this process was. The row is
 * written at once where a restart would otherwise take the lease for open (a release); a lease that ended
 * with its time needs no such word.
 *
 * A check-out that is handed this request by the vault's reuse meanwhile must not be left with a dead one. It
 * may take the loan back only while it is certain that no check-in has reached the vault (no call on its way,
 * none of unknown outcome); otherwise it watches, and asks anew when the loan has ended.
 *
 * Watchers are told once; who wants to hear of the next attempt watches again. They may unlink each other and
 * take the loan back.
 *
 * Not here: whose turn it is (lane.c).
 */
#include "broker/checkin.h"

#include "base/killpoint.h"
#include "base/log.h"
#include "broker/audit_leases.h"
#include "broker/leases.h"
#include "broker/op.h"

#include <stdlib.h>
#include <string.h>

#define LAPSED_KEPT_MS (24 * 3600000LL)
#define LAPSED_MAX     1000
#define MAX_ATTEMPTS   1000000000U

struct checkin_call {
    struct vault_call call; /* first */
    struct checkin *checkin;
};

static void enter_lane(struct loan *loan, bool first);

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

static struct checkin *checkin_of(const struct loan *loan)
{
    return loan->has_checkin ? loan->checkin : NULL;
}

static struct checkin *new_checkin(struct loan *loan)
{
    struct checkin *c = malloc(sizeof *c);

    if (!c)
        return NULL;
    *c = (struct checkin){.loan = loan, .ends_ms = loan->ends_ms};
    loan->checkin = c;
    loan->has_checkin = true;
    return c;
}

uint64_t loan_ends(const struct loan *loan)
{
    return loan->has_checkin ? loan->checkin->ends_ms : loan->ends_ms;
}

static struct lane *lane_of_loan(const struct loan *loan)
{
    return loan->leases->lanes[loan->lane];
}

bool loan_in_flight(const struct loan *loan)
{
    return checkin_of(loan) && (checkin_of(loan)->call || checkin_of(loan)->place.user);
}

struct checkin_view loan_checkin_view(const struct loan *loan)
{
    const struct checkin *c = checkin_of(loan);

    if (!c)
        return (struct checkin_view){0};
    return (struct checkin_view){c->attempts, c->next_wall_ms, c->last_error};
}

/* ---- watchers ---- */

bool loan_watch(struct loan *loan, struct loan_watch *w)
{
    if (!checkin_of(loan))
        return false;
    w->loan = loan;
    LIST_INSERT_HEAD(&checkin_of(loan)->watches, w, link);
    return true;
}

void loan_unwatch(struct loan_watch *w)
{
    if (!w->loan)
        return;
    LIST_REMOVE(w, link);
    w->loan = NULL;
}

LIST_HEAD(watch_list, loan_watch);

/* Aside, since those who are told watch again, unlink each other, or are freed. */
static void move_watchers(struct checkin *c, struct watch_list *to)
{
    struct loan_watch *w;

    LIST_INIT(to);
    while (c && (w = LIST_FIRST(&c->watches))) {
        LIST_REMOVE(w, link);
        LIST_INSERT_HEAD(to, w, link);
    }
}

/* Each one is unlinked before it is told, and may watch again. */
static void tell_watchers(struct watch_list *told, bool ended)
{
    struct loan_watch *w;

    while ((w = LIST_FIRST(told))) {
        loan_unwatch(w);
        w->told(w, ended);
    }
}

/* ---- the end ---- */

static void leave_counts(struct loan *loan)
{
    struct checkin *c = checkin_of(loan);
    struct leases *ls = loan->leases;

    timer_stop(ls->timers, &loan->deadline);
    if (!c)
        return;
    if (c->place.user)
        ls->in_flight--;
    lane_leave(lane_of_loan(loan), c);
    if (c->waiting)
        ls->retrying--;
    c->waiting = false;
}

static void drop_checkin(struct loan *loan)
{
    struct checkin *c = checkin_of(loan);

    leave_counts(loan);
    if (!c)
        return;
    loan->has_checkin = false;
    loan->ends_ms = c->ends_ms;
    free(c);
}

static void tell_end(const struct loan *loan, enum lease_change how)
{
    static const char *const words[] = {[LOAN_CHECKED_IN] = "checked_in",
                                        [LOAN_ALREADY_GONE] = "already_gone",
                                        [LOAN_LAPSED] = "lapsed",
                                        [LOAN_FORGOTTEN] = "forgotten"};
    const struct checkin *c = checkin_of(loan);
    const struct lease *cover = SLIST_FIRST(&loan->held);
    enum log_level level = how == LOAN_LAPSED ? LOG_WARN : c && c->attempts > 1 ? LOG_INFO : LOG_DEBUG;

    leases_tell(loan->leases, how, loan, NULL);
    audit_given_back(loan->leases->audit, loan, words[how], c ? c->attempts : 0, c ? c->last_error : NULL);
    log_event(level, "given_back", "outcome=%s user=%s lease=%s attempts=%u error=%s", words[how], loan->user,
              cover ? cover->id : NULL, c ? c->attempts : 0, c ? c->last_error : NULL);
}

void loan_end(struct loan *loan, enum lease_change how)
{
    struct watch_list told;

    tell_end(loan, how);
    move_watchers(checkin_of(loan), &told);
    drop_checkin(loan);
    loan_uncover(loan);
    /* Nobody may find it from here on: who is told of its end asks the vault anew at once. */
    table_remove(&loan->leases->loans, &loan->node);
    free(loan);
    tell_watchers(&told, true);
}

static bool is_past_expiry(const struct loan *loan)
{
    uint64_t now = clock_now(loan->leases->clock), slack = loan_vault(loan)->conf->minute_ms;

    return now > loan_ends(loan) && now - loan_ends(loan) >= slack;
}

/* ---- lapsed: kept for a day, for people to see ---- */

void loan_forget(struct loan *loan)
{
    struct leases *ls = loan->leases;

    TAILQ_REMOVE(&ls->lapsed, checkin_of(loan), lapsed);
    ls->nlapsed--;
    drop_checkin(loan);
    loan_uncover(loan);
    free(loan);
}

static void on_forget(struct deadline *d)
{
    loan_forget(OWNER_OF(d, struct loan, deadline));
}

static void keep_lapsed(struct loan *loan, uint64_t keep_ms)
{
    struct leases *ls = loan->leases;
    struct lease *cover = SLIST_FIRST(&loan->held);

    loan->state = LOAN_LAPSED_STATE;
    cover->state = LEASE_LAPSED;
    TAILQ_INSERT_TAIL(&ls->lapsed, checkin_of(loan), lapsed);
    if (++ls->nlapsed > LAPSED_MAX)
        loan_forget(TAILQ_FIRST(&ls->lapsed)->loan);
    if (timer_start(ls->timers, &loan->deadline, keep_ms, on_forget))
        log_error("lapsed_kept", "lease=%s error=%s", cover->id, "out of memory"); /* until there are more */
}

/* It is out of the table: the vault has ended the request. */
static void lapse(struct loan *loan)
{
    struct leases *ls = loan->leases;
    struct watch_list told;

    if (!checkin_of(loan) || SLIST_EMPTY(&loan->held)) {
        loan_end(loan, LOAN_LAPSED);
        return;
    }
    tell_end(loan, LOAN_LAPSED);
    leave_counts(loan);
    move_watchers(checkin_of(loan), &told);
    table_remove(&ls->loans, &loan->node);
    checkin_of(loan)->next_wall_ms = clock_wall(ls->clock) + LAPSED_KEPT_MS;
    struct lease *cover = SLIST_FIRST(&loan->held);

    keep_lapsed(loan, LAPSED_KEPT_MS);
    if (lease_tell(ls, cover))
        log_error("journal_lost", "lease=%s error=%s", cover->id, "out of memory");
    tell_watchers(&told, true);
}

/* ---- attempts ---- */

static void on_retry(struct deadline *d)
{
    struct loan *loan = OWNER_OF(d, struct loan, deadline);

    if (checkin_of(loan)) {
        checkin_of(loan)->waiting = false;
        loan->leases->retrying--;
    }
    if (is_past_expiry(loan) && (!checkin_of(loan) || checkin_of(loan)->tried))
        lapse(loan);
    else
        enter_lane(loan, false);
}

/* False = it could not, and the loan has ended. */
static bool wait_for(struct loan *loan, uint64_t delay_ms)
{
    struct leases *ls = loan->leases;
    struct checkin *c = checkin_of(loan);

    if (timer_start(ls->timers, &loan->deadline, delay_ms, on_retry)) {
        log_error("check_in_lost", "user=%s error=%s", loan->user, "out of memory");
        loan_end(loan, LOAN_LAPSED);
        return false;
    }
    if (!c)
        return true;
    if (!c->waiting)
        ls->retrying++;
    c->waiting = true;
    c->next_wall_ms = clock_wall(ls->clock) + (int64_t)delay_ms;
    return true;
}

static void write_cover(struct loan *loan)
{
    const struct lease *cover = SLIST_FIRST(&loan->held);

    if (cover && lease_tell(loan->leases, cover))
        log_error("journal_lost", "lease=%s error=%s", cover->id, "out of memory");
}

/* Back-off, and the row says so. */
static bool retry_later(struct loan *loan)
{
    struct checkin *c = checkin_of(loan);

    if (!wait_for(loan, leases_backoff(loan->leases, c && c->attempts ? c->attempts : 1)))
        return false;
    write_cover(loan);
    return true;
}

static void attempt_failed(struct loan *loan, const char *error)
{
    struct checkin *c = checkin_of(loan);

    c->last_error = error;
    audit_checkin_failed(loan->leases->audit, loan, c->attempts, error);
    log_warn("check_in_failed", "user=%s lease=%s attempts=%u error=%s", loan->user,
             SLIST_EMPTY(&loan->held) ? NULL : SLIST_FIRST(&loan->held)->id, c->attempts, error);
    if (is_past_expiry(loan)) {
        lapse(loan);
        return;
    }
    if (!retry_later(loan))
        return;
    struct watch_list told;

    move_watchers(c, &told);
    tell_watchers(&told, false);
}

static void on_checked_in(struct vault_call *call)
{
    struct checkin_call *cc = (struct checkin_call *)call;
    struct checkin *c = cc->checkin;
    struct loan *loan = c->loan;
    struct lane *lane = lane_of_loan(loan);
    enum vault_result result = call->result;
    const char *error = fault_row(call->fault.code)->code;

    killpoint("checkin.answered");
    c->call = NULL;
    c->unknown |= call->unknown;
    loan->leases->in_flight--;
    vault_call_free(call);
    free(cc);
    if (result == VAULT_OK || result == VAULT_GONE)
        loan_end(loan, result == VAULT_OK ? LOAN_CHECKED_IN : LOAN_ALREADY_GONE);
    else
        attempt_failed(loan, error);
    lane_done(lane);
}

static bool send_checkin(struct checkin *c)
{
    struct loan *loan = c->loan;
    struct vault *vault = loan_vault(loan);
    struct checkin_call *cc = malloc(sizeof *cc);

    if (!cc)
        return false;
    *cc = (struct checkin_call){.checkin = c,
                                .call = {.user = loan->user,
                                         .timeout_ms = vault->conf->call_timeout_ms,
                                         .background = true,
                                         .begun = true,
                                         .done = on_checked_in}};
    killpoint("checkin.before");
    if (vault->ops->checkin(vault, loan->request_id, "released by jumpgate", &cc->call)) {
        free(cc);
        return false;
    }
    killpoint("checkin.sent");
    c->call = cc;
    return true;
}

bool checkin_start(struct checkin *c)
{
    struct loan *loan = c->loan;

    c->attempts += c->attempts < MAX_ATTEMPTS;
    c->tried = true;
    if (send_checkin(c))
        return true;
    loan->leases->in_flight--;
    attempt_failed(loan, lane_of_loan(loan)->absent ? "vault_not_configured" : "overloaded");
    return false;
}

static void enter_lane(struct loan *loan, bool first)
{
    struct checkin *c = checkin_of(loan);

    if (!c)
        c = new_checkin(loan);
    if (c)
        loan->leases->in_flight++;
    if (!c || lane_join(lane_of_loan(loan), c, loan->user, first)) {
        loan->leases->in_flight -= c != NULL;
        (void)retry_later(loan);
    }
}

/* One cover is enough: the others are of holders that came and went. */
static void keep_one_cover(struct loan *loan)
{
    struct lease *cover = SLIST_FIRST(&loan->held), *more;

    while (cover && (more = SLIST_NEXT(cover, of_loan))) {
        SLIST_REMOVE(&loan->held, more, lease, of_loan);
        lease_discard(loan->leases, more);
    }
}

void loan_return(struct loan *loan, bool tell)
{
    const struct lease *cover = SLIST_FIRST(&loan->held);

    loan->state = LOAN_RETURNING;
    timer_stop(loan->leases->timers, &loan->deadline);
    if (tell || (cover && SLIST_NEXT(cover, of_loan)))
        write_cover(loan); /* before the others go */
    keep_one_cover(loan);
    enter_lane(loan, tell);
}

/* ---- from the store ---- */

static bool resume_checkin(struct loan *loan, int64_t attempts, const char *last_error)
{
    struct checkin *c = new_checkin(loan);

    if (!c)
        return false;
    c->attempts = attempts > 0 && attempts < MAX_ATTEMPTS ? (unsigned)attempts : 0;
    c->last_error = last_error;
    c->unknown = c->attempts > 0; /* we cannot know how they ended */
    return true;
}

void loan_resume(struct loan *loan, int64_t attempts, const char *last_error, uint64_t delay_ms)
{
    loan->state = LOAN_RETURNING;
    loan->node.spare = 0;
    timer_stop(loan->leases->timers, &loan->deadline);
    (void)resume_checkin(loan, attempts, last_error);
    (void)wait_for(loan, delay_ms);
}

void loan_resume_lapsed(struct loan *loan, int64_t attempts, const char *last_error, uint64_t keep_ms)
{
    loan->node.spare = 0;
    if (!resume_checkin(loan, attempts, last_error)) {
        loan_end(loan, LOAN_FORGOTTEN);
        return;
    }
    checkin_of(loan)->next_wall_ms = clock_wall(loan->leases->clock) + (int64_t)keep_ms;
    table_remove(&loan->leases->loans, &loan->node);
    keep_lapsed(loan, keep_ms);
}

void loan_unreturn(struct loan *loan)
{
    drop_checkin(loan);
    loan->state = LOAN_OPEN;
}

/* ---- taking it back ---- */

bool loan_reopen(struct loan *loan)
{
    struct checkin *c = checkin_of(loan);
    struct watch_list told;

    if (loan->state != LOAN_RETURNING || (c && (c->call || c->unknown)) ||
        clock_now(loan->leases->clock) >= loan_ends(loan))
        return false;
    move_watchers(c, &told);
    drop_checkin(loan);
    loan->state = LOAN_OPEN;
    loan->node.spare = 1;
    loan_set_end(loan, loan_ends(loan), loan->expires_wall_ms);
    tell_watchers(&told, false);
    return true;
}

void loan_hurry(struct loan *loan)
{
    struct checkin *c = checkin_of(loan);

    if (loan->state != LOAN_RETURNING || (c && c->call))
        return;
    leave_counts(loan);
    enter_lane(loan, true);
}

void loan_cancel(struct loan *loan)
{
    struct checkin *c = checkin_of(loan);
    struct loan_watch *w;

    while (c && (w = LIST_FIRST(&c->watches)))
        loan_unwatch(w);
    if (c && c->call) {
        loan_vault(loan)->ops->cancel(loan_vault(loan), &c->call->call);
        vault_call_free(&c->call->call);
        free(c->call);
    }
    drop_checkin(loan);
}
