/* SPDX-License-Identifier: Apache-2.0 */
/*
 * checkin.c - giving a vault request back, however long it takes.
 *
 *   vault_request_return() --> in line --> on its way --checked in / already gone--> ended
 *                        ^            |failed
 *                        |            v
 *                     back-off (doubling, with jitter) --past the vault's own expiry--> lapsed
 *
 * The check-in belongs to nobody but the vault request: neither the session that released nor a check-out
 * that undid itself waits for it, they may watch. Once begun it is never cancelled. It goes on until the
 * vault confirms, says that the request is gone, or must have ended it by itself: one vault minute after the
 * end, since both count from slightly different moments, and not before this process has tried once.
 *
 * The vault request's cover is its row in the store: RELEASING, with the attempts made, the time of the next
 * one and the last error, written anew after each failure; so a restart goes on where this process was. The
 * row is written at once where a restart would otherwise take the lease for open (a release); a lease that
 * ended with its time needs no such word.
 *
 * A check-out that is handed this request by the vault's reuse meanwhile must not be left with a dead one. It
 * may take the vault request back only while it is certain that no check-in has reached the vault (no call on
 * its way, none of unknown outcome); otherwise it watches, and asks anew when the vault request has ended.
 *
 * Watchers are told once; who wants to hear of the next attempt watches again. They may unlink each other and
 * take the vault request back.
 *
 * Not here: whose turn it is (checkin_queue.c).
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
    struct vault_call call; /* first */
    struct checkin *checkin;
};

static void enter_checkin_queue(struct vault_request *request, bool first);

uint64_t leases_backoff(struct leases *ls, unsigned n)
{
    return backoff_ms(n, &ls->random);
}

static struct checkin *checkin_of(const struct vault_request *request)
{
    return request->has_checkin ? request->checkin : NULL;
}

static struct checkin *new_checkin(struct vault_request *request)
{
    struct checkin *c = malloc(sizeof *c);

    if (!c)
        return NULL;
    *c = (struct checkin){.request = request, .ends_ms = request->ends_ms};
    request->checkin = c;
    request->has_checkin = true;
    return c;
}

uint64_t vault_request_ends(const struct vault_request *request)
{
    return request->has_checkin ? request->checkin->ends_ms : request->ends_ms;
}

static struct checkin_queue *checkin_queue_of_request(const struct vault_request *request)
{
    return request->leases->checkin_queues[request->checkin_queue];
}

bool vault_request_in_flight(const struct vault_request *request)
{
    return checkin_of(request) && (checkin_of(request)->call || checkin_of(request)->place.user);
}

struct checkin_view vault_request_checkin_view(const struct vault_request *request)
{
    const struct checkin *c = checkin_of(request);

    if (!c)
        return (struct checkin_view){0};
    return (struct checkin_view){c->attempts, c->next_wall_ms, c->last_error};
}

/* ---- watchers ---- */

bool vault_request_watch(struct vault_request *request, struct vault_request_watch *w)
{
    if (!checkin_of(request))
        return false;
    w->request = request;
    LIST_INSERT_HEAD(&checkin_of(request)->watches, w, link);
    return true;
}

void vault_request_unwatch(struct vault_request_watch *w)
{
    if (!w->request)
        return;
    LIST_REMOVE(w, link);
    w->request = NULL;
}

LIST_HEAD(watch_list, vault_request_watch);

/* Aside, since those who are told watch again, unlink each other, or are freed. */
static void move_watchers(struct checkin *c, struct watch_list *to)
{
    struct vault_request_watch *w;

    LIST_INIT(to);
    while (c && (w = LIST_FIRST(&c->watches))) {
        LIST_REMOVE(w, link);
        LIST_INSERT_HEAD(to, w, link);
    }
}

/* Each one is unlinked before it is told, and may watch again. */
static void tell_watchers(struct watch_list *on_ended, bool ended)
{
    struct vault_request_watch *w;

    while ((w = LIST_FIRST(on_ended))) {
        vault_request_unwatch(w);
        w->on_ended(w, ended);
    }
}

/* ---- the end ---- */

static void leave_counts(struct vault_request *request)
{
    struct checkin *c = checkin_of(request);
    struct leases *ls = request->leases;

    timer_stop(ls->timers, &request->deadline);
    if (!c)
        return;
    if (c->place.user)
        ls->in_flight--;
    checkin_queue_leave(checkin_queue_of_request(request), c);
    if (c->waiting)
        ls->retrying--;
    c->waiting = false;
}

static void drop_checkin(struct vault_request *request)
{
    struct checkin *c = checkin_of(request);

    leave_counts(request);
    if (!c)
        return;
    request->has_checkin = false;
    request->ends_ms = c->ends_ms;
    free(c);
}

static void tell_end(const struct vault_request *request, enum lease_change how)
{
    static const char *const words[] = {[REQUEST_CHECKED_IN] = "checked_in",
                                        [REQUEST_ALREADY_GONE] = "already_gone",
                                        [REQUEST_EXPIRED] = "lapsed",
                                        [REQUEST_FORGOTTEN] = "forgotten"};
    const struct checkin *c = checkin_of(request);
    const struct lease *cover = SLIST_FIRST(&request->held);
    enum log_level level = how == REQUEST_EXPIRED ? LOG_WARN : c && c->attempts > 1 ? LOG_INFO : LOG_DEBUG;

    leases_tell(request->leases, how, request, NULL);
    audit_given_back(request->leases->audit, request, words[how], c ? c->attempts : 0,
                     c ? c->last_error : NULL);
    log_event(level, "given_back", "outcome=%s user=%s lease=%s attempts=%u error=%s", words[how],
              request->user, cover ? cover->id : NULL, c ? c->attempts : 0, c ? c->last_error : NULL);
}

void vault_request_end(struct vault_request *request, enum lease_change how)
{
    struct watch_list on_ended;

    tell_end(request, how);
    move_watchers(checkin_of(request), &on_ended);
    drop_checkin(request);
    vault_request_uncover(request);
    /* Nobody may find it from here on: who is told of its end asks the vault anew at once. */
    table_remove(&request->leases->requests, &request->node);
    free(request);
    tell_watchers(&on_ended, true);
}

static bool is_past_expiry(const struct vault_request *request)
{
    uint64_t now = clock_now(request->leases->clock), slack = vault_request_vault(request)->conf->minute_ms;

    return now > vault_request_ends(request) && now - vault_request_ends(request) >= slack;
}

/* ---- lapsed: kept for a day, for people to see ---- */

void vault_request_forget(struct vault_request *request)
{
    struct leases *ls = request->leases;

    TAILQ_REMOVE(&ls->lapsed, checkin_of(request), lapsed);
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
    struct lease *cover = SLIST_FIRST(&request->held);

    request->state = REQUEST_LAPSED;
    cover->state = LEASE_LAPSED;
    TAILQ_INSERT_TAIL(&ls->lapsed, checkin_of(request), lapsed);
    if (++ls->nlapsed > LAPSED_MAX)
        vault_request_forget(TAILQ_FIRST(&ls->lapsed)->request);
    if (timer_start(ls->timers, &request->deadline, keep_ms, on_forget))
        log_error("lapsed_kept", "lease=%s error=%s", cover->id, "out of memory"); /* until there are more */
}

/* It is out of the table: the vault has ended the request. */
static void lapse(struct vault_request *request)
{
    struct leases *ls = request->leases;
    struct watch_list on_ended;

    if (!checkin_of(request) || SLIST_EMPTY(&request->held)) {
        vault_request_end(request, REQUEST_EXPIRED);
        return;
    }
    tell_end(request, REQUEST_EXPIRED);
    leave_counts(request);
    move_watchers(checkin_of(request), &on_ended);
    table_remove(&ls->requests, &request->node);
    checkin_of(request)->next_wall_ms = clock_wall(ls->clock) + LAPSED_KEPT_MS;
    struct lease *cover = SLIST_FIRST(&request->held);

    keep_lapsed(request, LAPSED_KEPT_MS);
    if (lease_tell(ls, cover))
        log_error("journal_lost", "lease=%s error=%s", cover->id, "out of memory");
    tell_watchers(&on_ended, true);
}

/* ---- attempts ---- */

static void on_retry(struct deadline *d)
{
    struct vault_request *request = CONTAINER_OF(d, struct vault_request, deadline);

    if (checkin_of(request)) {
        checkin_of(request)->waiting = false;
        request->leases->retrying--;
    }
    if (is_past_expiry(request) && (!checkin_of(request) || checkin_of(request)->tried))
        lapse(request);
    else
        enter_checkin_queue(request, false);
}

/* False = it could not, and the vault request has ended. */
static bool wait_for(struct vault_request *request, uint64_t delay_ms)
{
    struct leases *ls = request->leases;
    struct checkin *c = checkin_of(request);

    if (timer_start(ls->timers, &request->deadline, delay_ms, on_retry)) {
        log_error("check_in_lost", "user=%s error=%s", request->user, "out of memory");
        vault_request_end(request, REQUEST_EXPIRED);
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
    const struct lease *cover = SLIST_FIRST(&request->held);

    if (cover && lease_tell(request->leases, cover))
        log_error("journal_lost", "lease=%s error=%s", cover->id, "out of memory");
}

/* Back-off, and the row says so. */
static bool retry_later(struct vault_request *request)
{
    struct checkin *c = checkin_of(request);

    if (!wait_for(request, leases_backoff(request->leases, c && c->attempts ? c->attempts : 1)))
        return false;
    write_cover(request);
    return true;
}

static void attempt_failed(struct vault_request *request, const char *error)
{
    struct checkin *c = checkin_of(request);

    c->last_error = error;
    audit_checkin_failed(request->leases->audit, request, c->attempts, error);
    log_warn("check_in_failed", "user=%s lease=%s attempts=%u error=%s", request->user,
             SLIST_EMPTY(&request->held) ? NULL : SLIST_FIRST(&request->held)->id, c->attempts, error);
    if (is_past_expiry(request)) {
        lapse(request);
        return;
    }
    if (!retry_later(request))
        return;
    struct watch_list on_ended;

    move_watchers(c, &on_ended);
    tell_watchers(&on_ended, false);
}

static void on_checked_in(struct vault_call *call)
{
    struct checkin_call *cc = (struct checkin_call *)call;
    struct checkin *c = cc->checkin;
    struct vault_request *request = c->request;
    struct checkin_queue *checkin_queue = checkin_queue_of_request(request);
    enum vault_result result = call->result;
    const char *error = fault_row(call->fault.code)->code;

    crash_point("checkin.answered");
    c->call = NULL;
    c->unknown |= call->unknown;
    request->leases->in_flight--;
    vault_call_free(call);
    free(cc);
    if (result == VAULT_OK || result == VAULT_GONE)
        vault_request_end(request, result == VAULT_OK ? REQUEST_CHECKED_IN : REQUEST_ALREADY_GONE);
    else
        attempt_failed(request, error);
    checkin_queue_done(checkin_queue);
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
                                         .begun = true,
                                         .done = on_checked_in}};
    crash_point("checkin.before");
    if (vault->ops->checkin(vault, request->request_id, "released by jumpgate", &cc->call)) {
        free(cc);
        return false;
    }
    crash_point("checkin.sent");
    c->call = cc;
    return true;
}

bool checkin_start(struct checkin *c)
{
    struct vault_request *request = c->request;

    c->attempts += c->attempts < MAX_ATTEMPTS;
    c->tried = true;
    if (send_checkin(c))
        return true;
    request->leases->in_flight--;
    attempt_failed(request,
                   checkin_queue_of_request(request)->absent ? "vault_not_configured" : "overloaded");
    return false;
}

static void enter_checkin_queue(struct vault_request *request, bool first)
{
    struct checkin *c = checkin_of(request);

    if (!c)
        c = new_checkin(request);
    if (c)
        request->leases->in_flight++;
    if (!c || checkin_queue_join(checkin_queue_of_request(request), c, request->user, first)) {
        request->leases->in_flight -= c != NULL;
        (void)retry_later(request);
    }
}

/* One cover is enough: the others are of holders that came and went. */
static void keep_one_cover(struct vault_request *request)
{
    struct lease *cover = SLIST_FIRST(&request->held), *more;

    while (cover && (more = SLIST_NEXT(cover, of_request))) {
        SLIST_REMOVE(&request->held, more, lease, of_request);
        lease_discard(request->leases, more);
    }
}

void vault_request_return(struct vault_request *request, bool tell)
{
    const struct lease *cover = SLIST_FIRST(&request->held);

    request->state = REQUEST_RETURNING;
    timer_stop(request->leases->timers, &request->deadline);
    if (tell || (cover && SLIST_NEXT(cover, of_request)))
        write_cover(request); /* before the others go */
    keep_one_cover(request);
    enter_checkin_queue(request, tell);
}

/* ---- from the store ---- */

static bool resume_checkin(struct vault_request *request, int64_t attempts, const char *last_error)
{
    struct checkin *c = new_checkin(request);

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
    request->node.spare = 0;
    timer_stop(request->leases->timers, &request->deadline);
    (void)resume_checkin(request, attempts, last_error);
    (void)wait_for(request, delay_ms);
}

void vault_request_resume_lapsed(struct vault_request *request, int64_t attempts, const char *last_error,
                                 uint64_t keep_ms)
{
    request->node.spare = 0;
    if (!resume_checkin(request, attempts, last_error)) {
        vault_request_end(request, REQUEST_FORGOTTEN);
        return;
    }
    checkin_of(request)->next_wall_ms = clock_wall(request->leases->clock) + (int64_t)keep_ms;
    table_remove(&request->leases->requests, &request->node);
    keep_lapsed(request, keep_ms);
}

void vault_request_unreturn(struct vault_request *request)
{
    drop_checkin(request);
    request->state = REQUEST_HELD;
}

/* ---- taking it back ---- */

bool vault_request_reopen(struct vault_request *request)
{
    struct checkin *c = checkin_of(request);
    struct watch_list on_ended;

    if (request->state != REQUEST_RETURNING || (c && (c->call || c->unknown)) ||
        clock_now(request->leases->clock) >= vault_request_ends(request))
        return false;
    move_watchers(c, &on_ended);
    drop_checkin(request);
    request->state = REQUEST_HELD;
    request->node.spare = 1;
    vault_request_set_end(request, vault_request_ends(request), request->expires_wall_ms);
    tell_watchers(&on_ended, false);
    return true;
}

void vault_request_hurry(struct vault_request *request)
{
    struct checkin *c = checkin_of(request);

    if (request->state != REQUEST_RETURNING || (c && c->call))
        return;
    leave_counts(request);
    enter_checkin_queue(request, true);
}

void vault_request_cancel(struct vault_request *request)
{
    struct checkin *c = checkin_of(request);
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
