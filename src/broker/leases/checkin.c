/* SPDX-License-Identifier: Apache-2.0 */
/*
 * checkin.c - checking a vault request in, however long it takes.
 *
 *   vault_request_check_in() --> queued --> on its way --checked in / already gone--> ended
 *                                  ^            |failed
 *                                  |            v
 *                               back-off (doubling, with jitter) --past the vault's own expiry--> lapsed
 *
 * The check-in belongs to the vault request alone: neither the session that released nor a check-out that is
 * undone waits for it; both may watch. Once begun it is never cancelled. It goes on until the vault confirms,
 * says that the request is gone, or must have ended it by itself: one vault minute after the end, since both
 * count from slightly different moments, and not before this process has tried once.
 *
 * The vault request's cover is its row in the store: RELEASING, with the attempts made, the time of the next
 * one and the last error, written again after each failure; so a restart goes on where this process was. The
 * row is written at once where a restart would otherwise find the lease OPEN (a release); the row of a lease
 * that ended with its time says so by its end.
 *
 * A check-out to which the vault's reuse gives this request meanwhile must not be left with a dead one. It
 * may reopen the vault request only while it is certain that no check-in has reached the vault (no call on
 * its way, none of unknown outcome); otherwise it watches, and asks the vault again when the vault request
 * has ended.
 *
 * A watch is called once; to be called for the next attempt it watches again. Watches may unlink each other
 * and reopen the vault request.
 *
 * Not here: which check-in is next (checkin_queue.c).
 */
#include "broker/leases/checkin.h"

#include "base/backoff.h"
#include "base/container_of.h"
#include "base/crash_point.h"
#include "base/log.h"
#include "broker/leases/internal.h"
#include "broker/leases/lease_audit.h"

#include <stdlib.h>
#include <string.h>

#define LAPSED_KEPT_MS (24 * 3600000LL)
#define LAPSED_MAX     1000
#define MAX_ATTEMPTS   1000000000U

struct checkin_call {
    struct vault_call call;
    struct checkin *checkin;
};

static bool start_checkin(struct checkin_queue_item *);
static void enter_checkin_queue(struct vault_request *request, bool first);

static struct checkin *checkin_new(struct vault_request *request)
{
    struct checkin *c = malloc(sizeof *c);

    if (!c)
        return NULL;
    *c = (struct checkin){.request = request, .queued = {.start = start_checkin}};
    request->checkin = c;
    return c;
}

bool vault_request_in_flight(const struct vault_request *request)
{
    return request->checkin && (request->checkin->call || request->checkin->queued.user);
}

bool vault_request_checkin_sent(const struct vault_request *request)
{
    return request->checkin && (request->checkin->call || request->checkin->unknown);
}

/* ---- watches ---- */

bool vault_request_watch(struct vault_request *request, struct vault_request_watch *w)
{
    if (!request->checkin)
        return false;
    w->request = request;
    LIST_INSERT_HEAD(&request->checkin->watches, w, link);
    return true;
}

void vault_request_unwatch(struct vault_request_watch *w)
{
    if (!w->request)
        return;
    LIST_REMOVE(w, link);
    w->request = NULL;
}

/* Aside, since those that are called watch again, unlink each other, or are freed. */
static void move_watches(struct checkin *c, struct watch_list *to)
{
    struct vault_request_watch *w;

    LIST_INIT(to);
    while (c && (w = LIST_FIRST(&c->watches))) {
        LIST_REMOVE(w, link);
        LIST_INSERT_HEAD(to, w, link);
    }
}

/* Each one is unlinked before it is called, and may watch again. */
void watch_list_notify(struct watch_list *watches, bool ended)
{
    struct vault_request_watch *w;

    while ((w = LIST_FIRST(watches))) {
        vault_request_unwatch(w);
        w->on_ended(w, ended);
    }
}

/* ---- the end ---- */

static void leave_counts(struct vault_request *request)
{
    struct checkin *c = request->checkin;
    struct leases *ls = request->leases;

    timer_stop(ls->timers, &request->deadline);
    if (!c)
        return;
    if (c->queued.user)
        ls->in_flight--;
    checkin_queue_leave(&request->vault_ref->checkins, &c->queued);
    if (c->waiting)
        ls->retrying--;
    c->waiting = false;
}

static void drop_checkin(struct vault_request *request)
{
    struct checkin *c = request->checkin;

    leave_counts(request);
    if (!c)
        return;
    request->checkin = NULL;
    free(c);
}

static void report_end(const struct vault_request *request, enum request_end how)
{
    static const char *const words[] = {[END_CHECKED_IN] = "checked_in",
                                        [END_ALREADY_GONE] = "already_gone",
                                        [END_LAPSED] = "lapsed",
                                        [END_FORGOTTEN] = "forgotten"};
    const struct checkin *c = request->checkin;
    const struct lease *cover = SLIST_FIRST(&request->leased);
    enum log_level level = how == END_LAPSED ? LOG_WARN : c && c->attempts > 1 ? LOG_INFO : LOG_DEBUG;

    request->leases->lapsed_ever += how == END_LAPSED;
    lease_log_change(words[how], request, NULL);
    audit_checkin_end(request->leases->audit, request, words[how], c ? c->attempts : 0,
                      c ? c->last_error : NULL);
    log_event(level, "given_back", "outcome=%s user=%s lease=%s attempts=%u error=%s", words[how],
              request->user, cover ? cover->id : NULL, c ? c->attempts : 0, c ? c->last_error : NULL);
}

void vault_request_end(struct vault_request *request, enum request_end how)
{
    struct watch_list watches;

    report_end(request, how);
    move_watches(request->checkin, &watches);
    drop_checkin(request);
    vault_request_uncover(request);
    /* Out of the table before the watches are called: they ask the vault again at once. */
    HASH_DEL(request->leases->requests, request);
    free(request);
    watch_list_notify(&watches, true);
}

static bool is_past_expiry(const struct vault_request *request)
{
    uint64_t now = clock_now(request->leases->clock), slack = vault_request_vault(request)->conf->minute_ms;

    return now > request->ends_ms && now - request->ends_ms >= slack;
}

/* ---- lapsed: kept for a day, for operators to see ---- */

void vault_request_forget(struct vault_request *request)
{
    struct leases *ls = request->leases;

    TAILQ_REMOVE(&ls->lapsed, request->checkin, lapsed);
    ls->nlapsed--;
    drop_checkin(request);
    vault_request_uncover(request);
    free(request);
}

static void on_forget(struct deadline *d)
{
    vault_request_forget(CONTAINER_OF(d, struct vault_request, deadline));
}

static void keep_lapsed(struct vault_request *request, uint64_t keep_ms)
{
    struct leases *ls = request->leases;
    struct lease *cover = SLIST_FIRST(&request->leased);

    request->state = REQUEST_LAPSED;
    cover->state = LEASE_LAPSED;
    TAILQ_INSERT_TAIL(&ls->lapsed, request->checkin, lapsed);
    if (++ls->nlapsed > LAPSED_MAX)
        vault_request_forget(TAILQ_FIRST(&ls->lapsed)->request);
    if (timer_start(ls->timers, &request->deadline, keep_ms, on_forget))
        log_error("lapsed_kept", "lease=%s error=%s", cover->id, "out of memory"); /* until there are more */
}

/* It is out of the table: the vault has ended the request. */
static void lapse_request(struct vault_request *request)
{
    struct leases *ls = request->leases;
    struct watch_list watches;

    if (!request->checkin || SLIST_EMPTY(&request->leased)) {
        vault_request_end(request, END_LAPSED);
        return;
    }
    report_end(request, END_LAPSED);
    leave_counts(request);
    move_watches(request->checkin, &watches);
    HASH_DEL(ls->requests, request);
    request->checkin->next_wall_ms = clock_wall(ls->clock) + LAPSED_KEPT_MS;
    struct lease *cover = SLIST_FIRST(&request->leased);

    keep_lapsed(request, LAPSED_KEPT_MS);
    if (lease_write_row(ls, cover))
        log_error("journal_lost", "lease=%s error=%s", cover->id, "out of memory");
    watch_list_notify(&watches, true);
}

/* ---- attempts ---- */

static void on_retry(struct deadline *d)
{
    struct vault_request *request = CONTAINER_OF(d, struct vault_request, deadline);

    if (request->checkin) {
        request->checkin->waiting = false;
        request->leases->retrying--;
    }
    if (is_past_expiry(request) && (!request->checkin || request->checkin->tried))
        lapse_request(request);
    else
        enter_checkin_queue(request, false);
}

/* False = it could not, and the vault request has ended. */
static bool schedule_attempt(struct vault_request *request, uint64_t delay_ms)
{
    struct leases *ls = request->leases;
    struct checkin *c = request->checkin;

    if (timer_start(ls->timers, &request->deadline, delay_ms, on_retry)) {
        log_error("check_in_lost", "user=%s error=%s", request->user, "out of memory");
        vault_request_end(request, END_LAPSED);
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

static void write_cover(struct vault_request *request)
{
    const struct lease *cover = SLIST_FIRST(&request->leased);

    if (cover && lease_write_row(request->leases, cover))
        log_error("journal_lost", "lease=%s error=%s", cover->id, "out of memory");
}

/* Back-off, and the row says so. */
static bool retry_later(struct vault_request *request)
{
    struct checkin *c = request->checkin;

    if (!schedule_attempt(request, backoff_ms(c && c->attempts ? c->attempts : 1, &request->leases->random)))
        return false;
    write_cover(request);
    return true;
}

static void attempt_failed(struct vault_request *request, const char *error)
{
    struct checkin *c = request->checkin;

    c->last_error = error;
    audit_checkin_failed(request->leases->audit, request, c->attempts, error);
    log_warn("check_in_failed", "user=%s lease=%s attempts=%u error=%s", request->user,
             SLIST_EMPTY(&request->leased) ? NULL : SLIST_FIRST(&request->leased)->id, c->attempts, error);
    if (is_past_expiry(request)) {
        lapse_request(request);
        return;
    }
    if (!retry_later(request))
        return;
    struct watch_list watches;

    move_watches(c, &watches);
    watch_list_notify(&watches, false);
}

static void on_checked_in(struct vault_call *call)
{
    struct checkin_call *cc = CONTAINER_OF(call, struct checkin_call, call);
    struct checkin *c = cc->checkin;
    struct vault_request *request = c->request;
    struct checkin_queue *queue = &request->vault_ref->checkins;
    enum vault_result result = call->result;
    const char *error = fault_row(call->fault.code)->code;

    crash_point("checkin.answered");
    c->call = NULL;
    c->unknown |= call->unknown;
    request->leases->in_flight--;
    vault_call_free(call);
    free(cc);
    if (result == VAULT_OK || result == VAULT_GONE)
        vault_request_end(request, result == VAULT_OK ? END_CHECKED_IN : END_ALREADY_GONE);
    else
        attempt_failed(request, error);
    checkin_queue_done(queue);
}

/* The end of a session that the site reports is not an operation of a client: unless one waits for the
 * outcome, its check-in goes behind the calls of all of them. */
static bool is_background(const struct checkin *c)
{
    return c->request->session_ended && !c->queued.first;
}

static bool send_checkin(struct checkin *c)
{
    struct vault_request *request = c->request;
    struct vault *vault = vault_request_vault(request);
    struct checkin_call *cc = malloc(sizeof *cc);

    if (!cc)
        return false;
    *cc = (struct checkin_call){.checkin = c,
                                .call = {.user = request->user,
                                         .timeout_ms = vault->conf->call_timeout_ms,
                                         .background = true,
                                         .begun = !is_background(c),
                                         .admitted = true,
                                         .done = on_checked_in}};
    crash_point("checkin.before");
    if (vault->ops->checkin(vault, request->name, "released by jumpgate", &cc->call)) {
        free(cc);
        return false;
    }
    crash_point("checkin.sent");
    c->call = cc;
    return true;
}

static bool start_checkin(struct checkin_queue_item *item)
{
    struct checkin *c = CONTAINER_OF(item, struct checkin, queued);
    struct vault_request *request = c->request;

    c->attempts += c->attempts < MAX_ATTEMPTS;
    c->tried = true;
    if (send_checkin(c))
        return true;
    request->leases->in_flight--;
    attempt_failed(request, request->vault_ref->absent ? "vault_not_configured" : "overloaded");
    return false;
}

static void enter_checkin_queue(struct vault_request *request, bool first)
{
    struct checkin *c = request->checkin;

    if (!c)
        c = checkin_new(request);
    if (c)
        request->leases->in_flight++;
    if (!c || checkin_queue_join(&request->vault_ref->checkins, &c->queued, request->user, first)) {
        request->leases->in_flight -= c != NULL;
        (void)retry_later(request);
    }
}

/* One cover is enough: the others are of earlier holders. */
static void keep_one_cover(struct vault_request *request)
{
    struct lease *cover = SLIST_FIRST(&request->leased), *more;

    while (cover && (more = SLIST_NEXT(cover, of_request))) {
        SLIST_REMOVE(&request->leased, more, lease, of_request);
        lease_discard(request->leases, more);
    }
}

void vault_request_check_in(struct vault_request *request, bool write_row)
{
    const struct lease *cover = SLIST_FIRST(&request->leased);

    request->state = REQUEST_RETURNING;
    timer_stop(request->leases->timers, &request->deadline);
    if (write_row || (cover && SLIST_NEXT(cover, of_request)))
        write_cover(request); /* before the others go */
    keep_one_cover(request);
    enter_checkin_queue(request, write_row && !request->session_ended);
}

/* ---- from the store ---- */

static bool resume_checkin(struct vault_request *request, int64_t attempts, const char *last_error)
{
    struct checkin *c = checkin_new(request);

    if (!c)
        return false;
    c->attempts = attempts > 0 && attempts < MAX_ATTEMPTS ? (unsigned)attempts : 0;
    c->last_error = last_error;
    c->unknown = c->attempts > 0; /* we cannot know how they ended */
    return true;
}

void vault_request_resume(struct vault_request *request, int64_t attempts, const char *last_error,
                          uint64_t delay_ms)
{
    request->state = REQUEST_RETURNING;
    request->checkouts = 0;
    timer_stop(request->leases->timers, &request->deadline);
    (void)resume_checkin(request, attempts, last_error);
    (void)schedule_attempt(request, delay_ms);
}

void vault_request_resume_lapsed(struct vault_request *request, int64_t attempts, const char *last_error,
                                 uint64_t keep_ms)
{
    request->checkouts = 0;
    if (!resume_checkin(request, attempts, last_error)) {
        vault_request_end(request, END_FORGOTTEN);
        return;
    }
    request->checkin->next_wall_ms = clock_wall(request->leases->clock) + (int64_t)keep_ms;
    HASH_DEL(request->leases->requests, request);
    keep_lapsed(request, keep_ms);
}

/* ---- back to HELD ---- */

void vault_request_stop_checkin(struct vault_request *request, struct watch_list *aside)
{
    move_watches(request->checkin, aside);
    drop_checkin(request);
    request->state = REQUEST_HELD;
}

void vault_request_hurry(struct vault_request *request)
{
    struct checkin *c = request->checkin;

    if (request->state != REQUEST_RETURNING || (c && c->call))
        return;
    leave_counts(request);
    enter_checkin_queue(request, true);
}

void vault_request_cancel(struct vault_request *request)
{
    struct checkin *c = request->checkin;
    struct vault_request_watch *w;

    while (c && (w = LIST_FIRST(&c->watches)))
        vault_request_unwatch(w);
    if (c && c->call) {
        vault_request_vault(request)->ops->cancel(vault_request_vault(request), &c->call->call);
        vault_call_free(&c->call->call);
        free(c->call);
    }
    drop_checkin(request);
}
