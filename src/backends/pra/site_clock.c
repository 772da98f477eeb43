/* SPDX-License-Identifier: Apache-2.0 */
/*
 * site_clock.c - the site's clock: how far it is from the gateway's, and what follows when one of them is
 * set.
 *
 *   get_api_info names its time --> skew --changed by more than measurements differ--> the next listing looks
 *   Date of any other answer --differs from the Date before--> a check now                          back
 *
 * The skew is measured in the middle of a call, so it may be wrong by half of the call's time. Between two
 * measurements a step of either clock is not known, and listings ask for a wrong time: hence the look back,
 * and the look at each Date, which shows a step within one poll. Where get_api_info names no time, the Date
 * is the measurement.
 */
#include "backends/pra/site_internal.h"

#include "base/log.h"

int64_t pra_site_wall(const struct pra_site *site)
{
    return clock_wall(site->clock) + site->skew_ms;
}

/*
 * Where the skew has been wrong, a clock has been set: the gateway's, the site's, or both. What has ended
 * since it was measured before has a time that lies after the cursor of then, or that is as long ago as that
 * measurement, whichever is earlier. Before the first measurement the skew counts as 0: that has done no harm
 * while the cursor is still the saved one.
 */
static void note_doubt(struct pra_site *site, bool known, bool stepped)
{
    struct pra_poll *poll = &site->poll;
    uint64_t now = clock_now(site->clock);

    if (stepped && (known || poll->cursor_ms != poll->sure_cursor_ms)) {
        int64_t age = known ? (int64_t)(now - poll->sure_at_ms) : 0;
        int64_t since = earlier(poll->sure_cursor_ms, pra_site_wall(site) - age);
        poll->doubt_ms = poll->has_doubt ? earlier(poll->doubt_ms, since) : since;
        poll->has_doubt = true;
        poll->wanted++;
    }
    poll->sure_cursor_ms = poll->cursor_ms;
    poll->sure_at_ms = now;
}

static int64_t skew_by(const struct pra_call *call, int64_t time_ms)
{
    return time_ms - call->began_wall_ms - (int64_t)(call->took_ms / 2);
}

/* More than two measurements can differ by. */
static bool is_step(int64_t moved_ms, int64_t error_ms)
{
    return moved_ms > PRA_STEP_MS + error_ms || moved_ms < -PRA_STEP_MS - error_ms;
}

void pra_site_note_time(struct pra_site *site, const struct pra_call *call, int64_t time_ms)
{
    int64_t skew = skew_by(call, time_ms), error = (int64_t)(call->took_ms / 2);
    int64_t moved = skew - site->skew_ms;
    bool known = site->has_skew, stepped = is_step(moved, error + site->skew_error_ms);

    site->has_skew = true;
    site->skew_ms = skew;
    site->skew_error_ms = error;
    site->has_date_skew = false;
    if (stepped && known)
        log_warn("pra_clock_set", "pra=%s moved_ms=%lld hint=%s", site->name, (long long)moved,
                 "the site's clock or the gateway's was set; the next listing looks back as far");
    note_doubt(site, known, stepped);
}

/* One of the clocks has been set since the last answer with a Date: get_api_info says what they are now. */
static void note_step(struct pra_site *site, const struct pra_call *call)
{
    int64_t skew = skew_by(call, call->date_ms), moved = skew - site->date_skew_ms;
    bool stepped = site->has_date_skew && is_step(moved, (int64_t)call->took_ms);
    uint64_t now = clock_now(site->clock);

    site->has_date_skew = true;
    site->date_skew_ms = skew;
    if (!stepped || (site->has_step && now < site->step_at_ms + PRA_STEP_APART_MS))
        return;
    site->has_step = true;
    site->step_at_ms = now;
    if (site->check.running)
        site->check.again = true;
    else
        timer_set(site->timers, &site->check.timer, 0, site->check.timer.fire);
}

/* The Date header has less to say than get_api_info: it counts where that names no time. */
void pra_site_note_date(struct pra_site *site, const struct pra_call *call)
{
    if (!call->has_date || !call->began_wall_ms)
        return;
    if (site->skew_is_exact)
        note_step(site, call);
    else
        pra_site_note_time(site, call, call->date_ms);
}
