/* SPDX-License-Identifier: Apache-2.0 */
/*
 * site_poll.c - which sessions have ended since the cursor.
 *
 *   tick --a lease has a key--> listing --valid--> rows passed on, some in each iteration --> cursor moves
 *                                  ^                                                           |
 *                                  +------------- another window, at once ---------------------+
 *
 * A listing asks for sessions that ended at or after a time T: the cursor less the overlap, or the creation
 * of the oldest lease with a key less the overlap, whichever is later; never before now less catch_up. Where
 * T is over six hours ago, the listing has an end, and the next one follows from there.
 *
 * The cursor is the site's clock. It moves only after a complete, valid answer whose rows have been passed
 * on, and is saved once a poll, after that. It goes back from the future alone. But the next listing looks
 * back further, and all after it until a poll that began later has succeeded:
 *   - by 15 minutes, after a failover;
 *   - to the oldest lease, where that was made before there was a lease to ask for: it has come from another
 *     gateway, or was given its key later;
 *   - to the last time at which the skew was right, after a clock has been set. Until the skew is measured
 *     again, listings have asked for a wrong time.
 *
 * Denied reports are asked for again after the next check, others after the poll interval. Without a lease
 * with a key nothing is asked, and what failed before is forgotten.
 */
#include "backends/pra/site_internal.h"

#include "base/container_of.h"
#include "base/log.h"
#include "base/text.h"

#include <stdlib.h>

#define ROWS_AT_ONCE 512                  /* of a listing, in one iteration */
#define ENDED_WEIGHT 16                   /* a row whose session has leases counts as so many */
#define OVERLAP_MAX  (PRA_WINDOW_S * 500) /* between windows: half of one, so that the next is later */

static void on_tick(struct deadline *);
static void ask_listing(struct pra_site *);

void pra_site_ended(struct pra_site *site, enum pra_end_source source, size_t leases)
{
    site->leases_ended[source] += leases;
    site->sessions_ended[source] += leases > 0;
}

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* ---- the end of a poll ---- */

static uint64_t next_tick_ms(const struct pra_site *site)
{
    const struct pra_site_params *p = &site->params;
    uint64_t base = site->poll.denied ? p->check_interval_ms : p->poll_interval_ms;
    struct pra_client_state now;

    pra_client_state(site->client, &now);
    uint64_t next = pra_site_interval(site, base, site->poll.denied ? 0 : site->poll.failures, true);
    return now.token_paused && now.token_pause_ms > next ? now.token_pause_ms : next;
}

static void end_poll(struct pra_site *site)
{
    struct pra_poll *poll = &site->poll;

    pra_call_free(&poll->call);
    poll->running = false;
    if (poll->advanced)
        site->hooks.save_cursor(site->hooks.ctx, poll->cursor_ms);
    poll->advanced = false;
    pra_site_update(site);
    if (site->params.poll_interval_ms && !site->closing)
        timer_set(site->timers, &poll->timer, next_tick_ms(site), on_tick);
}

static void listing_failed(struct pra_site *site, const struct pra_result *result)
{
    struct pra_poll *poll = &site->poll;

    poll->failure = *result;
    poll->failures++;
    poll->denied = result->fault == PRA_DENIED || result->fault == PRA_SITE_ERROR;
    end_poll(site);
}

static void listing_passed(struct pra_site *site)
{
    struct pra_poll *poll = &site->poll;

    poll->failures = 0;
    poll->denied = false;
    poll->failure = (struct pra_result){.fault = PRA_OK};
    poll->has_success = true;
    poll->success_at_ms = clock_now(site->clock);
    poll->cursor_ms = later(poll->cursor_ms, poll->end_ms);
    poll->advanced = true;
    if (poll->more && !site->closing) {
        ask_listing(site);
        return;
    }
    if (poll->wanted == poll->asked) {
        poll->extra_ms = 0;
        poll->has_look_back = poll->has_doubt = false;
    }
    end_poll(site);
}

/* ---- rows ---- */

/* A few in each iteration: the hook may have much to do for one. */
static void pass_rows(struct pra_site *site)
{
    struct pra_listing *list = &site->poll.call.answer.listing;
    char lsid[LSID_SIZE];

    for (size_t work = 0; site->poll.next_row < list->n && work < ROWS_AT_ONCE; work++) {
        text_hex(lsid, list->rows[site->poll.next_row++].id, sizeof(list->rows->id));
        size_t ended = site->hooks.session_ended(site->hooks.ctx, lsid, PRA_END_POLL);
        pra_site_ended(site, PRA_END_POLL, ended);
        work += ended ? ENDED_WEIGHT : 0;
    }
}

static void on_rows(struct deadline *d)
{
    struct pra_site *site = CONTAINER_OF(d, struct pra_site, poll.timer);

    pass_rows(site);
    if (site->poll.next_row < site->poll.call.answer.listing.n) {
        timer_set(site->timers, &site->poll.timer, 0, on_rows);
        return;
    }
    pra_call_free(&site->poll.call);
    listing_passed(site);
}

static void on_listing(struct pra_call *call)
{
    struct pra_site *site = CONTAINER_OF(call, struct pra_site, poll.call);
    struct pra_result result = call->result;

    if (site->closing)
        return;
    pra_site_note_date(site, call);
    if (pra_is_failure(&result)) {
        listing_failed(site, &result);
        return;
    }
    if (!site->poll.more) /* up to now, which was when it was sent, and not before */
        site->poll.end_ms = call->began_wall_ms + site->skew_ms - site->skew_error_ms;
    site->rows_skipped += call->answer.listing.skipped;
    site->poll.next_row = 0;
    timer_set(site->timers, &site->poll.timer, 0, on_rows);
}

/* ---- asking ---- */

/* From when on the first listing of a poll asks, the site's clock. A lease of the future says nothing about
 * time: the gateway's clock was set back. */
static int64_t first_from_ms(const struct pra_site *site, int64_t oldest_ms)
{
    const struct pra_poll *poll = &site->poll;
    int64_t from = oldest_ms > clock_wall(site->clock) ? 0 : oldest_ms + site->skew_ms;

    if (poll->cursor_ms)
        from = later(from, poll->cursor_ms);
    if (poll->has_look_back)
        from = earlier(from, poll->look_back_ms + site->skew_ms);
    if (poll->has_doubt)
        from = earlier(from, poll->doubt_ms);
    return from - (int64_t)site->params.poll_overlap_ms - poll->extra_ms;
}

/* The same for any listing of a poll: the next window overlaps the one before it. */
static int64_t from_ms(const struct pra_site *site, int64_t oldest_ms, int64_t now_ms)
{
    const struct pra_poll *poll = &site->poll;
    int64_t overlap = (int64_t)site->params.poll_overlap_ms;
    int64_t from = poll->advanced ? poll->end_ms - (overlap < OVERLAP_MAX ? overlap : OVERLAP_MAX)
                                  : first_from_ms(site, oldest_ms);

    return later(later(from, now_ms - (int64_t)site->params.catch_up_ms), 0);
}

static void ask_listing(struct pra_site *site)
{
    struct pra_poll *poll = &site->poll;
    int64_t now = pra_site_wall(site), oldest;

    if (!site->hooks.oldest_key(site->hooks.ctx, &oldest)) { /* the last window has ended the last lease */
        end_poll(site);
        return;
    }
    int64_t from_s = from_ms(site, oldest, now) / 1000;
    poll->more = from_s < now / 1000 - PRA_WINDOW_S;
    poll->end_ms = (from_s + PRA_WINDOW_S) * 1000; /* of a window; on_listing() sets it otherwise */
    poll->call.kind = PRA_CALL_LISTING;
    poll->call.end_time_s = from_s;
    poll->call.duration_s = poll->more ? PRA_WINDOW_S : 0;
    poll->call.done = on_listing;
    if (pra_client_call(site->client, &poll->call))
        listing_failed(site, &(struct pra_result){.fault = PRA_NO_MEMORY, .failed = PRA_CALL_LISTING});
}

/* Is it of no use to ask now? */
static bool is_held_back(const struct pra_site *site)
{
    struct pra_client_state now;

    pra_client_state(site->client, &now);
    return pra_site_is_standby(site) || now.token_paused || now.none_left ||
           pra_granted(site->has_info ? &site->info : NULL, &pra_need_reports) == PRA_GRANT_NO;
}

/* Nothing to ask for: the cursor moves with the clock. */
static void idle(struct pra_site *site, int64_t now_ms)
{
    struct pra_poll *poll = &site->poll;

    poll->cursor_ms = now_ms;
    poll->failures = 0;
    poll->denied = false;
    poll->failure = (struct pra_result){.fault = PRA_OK};
    poll->has_doubt = false;
}

/* The cursor has moved past the beginning of a lease that was not asked for. */
static void look_back(struct pra_site *site, int64_t created_ms)
{
    struct pra_poll *poll = &site->poll;

    if (!poll->is_idle || created_ms + site->skew_ms >= poll->cursor_ms)
        return;
    if (!poll->has_look_back || created_ms < poll->look_back_ms)
        poll->look_back_ms = created_ms;
    poll->has_look_back = true;
    poll->wanted++;
}

static void on_tick(struct deadline *d)
{
    struct pra_site *site = CONTAINER_OF(d, struct pra_site, poll.timer);
    struct pra_poll *poll = &site->poll;
    int64_t now = pra_site_wall(site), oldest;
    bool has_key = site->hooks.oldest_key(site->hooks.ctx, &oldest);

    poll->running = true;
    poll->advanced = false;
    if (poll->cursor_ms > now) /* the clock was set back */
        poll->cursor_ms = now;
    if (has_key)
        look_back(site, oldest);
    poll->is_idle = !has_key;
    poll->asked = poll->wanted;
    if (!has_key) {
        idle(site, now);
        end_poll(site);
    } else if (is_held_back(site)) {
        end_poll(site);
    } else {
        ask_listing(site);
    }
}

void pra_site_poll_soon(struct pra_site *site, uint64_t delay_ms)
{
    const struct deadline *timer = &site->poll.timer;
    bool sooner = timer_running(timer) && timer->at_ms <= clock_now(site->clock) + delay_ms;

    if (site->params.poll_interval_ms && !site->poll.running && !sooner)
        timer_set(site->timers, &site->poll.timer, delay_ms, on_tick);
}

void pra_site_poll_stop(struct pra_site *site)
{
    timer_stop(site->timers, &site->poll.timer);
    pra_call_free(&site->poll.call);
}

bool pra_site_poll_is_passing(const struct pra_site *site)
{
    return timer_running(&site->poll.timer) && site->poll.timer.fire == on_rows;
}

void pra_site_poll_switched(struct pra_site *site)
{
    site->poll.extra_ms = PRA_SWITCH_MS;
    site->poll.wanted++;
}
