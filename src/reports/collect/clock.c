/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clock.c - how far the site's clock is from ours.
 *
 * get_api_info says it, to the millisecond of the answer. Where it does not, the `Date` header of any quick
 * answer does; and where the two differ, get_api_info is asked again, since the clock was set.
 */
#include "reports/collect/collect_internal.h"

#include "base/log.h"

#include <stdlib.h>

#define DATE_QUICK_MS 10000 /* an answer that took longer says little about the time */
#define DATE_STEP_MS  2000  /* a Date has whole seconds */
#define INFO_AGAIN_S  30    /* not more often */

static void note_time(struct collect_site *site, int64_t site_ms)
{
    site->clock_ms = site_ms;
    site->clock_at_ms = clock_now(timers_clock(site->collector->timers));
    site->has_skew = true;
}

int64_t clock_said(const struct collect_site *site)
{
    uint64_t passed = clock_now(timers_clock(site->collector->timers)) - site->clock_at_ms;

    return (site->clock_ms + (int64_t)passed) / 1000;
}

void clock_set_skew(struct collect_site *site, int64_t skew_ms, int64_t site_ms)
{
    bool was_large = llabs(site->skew_ms) > SKEW_WARNING_MS, large = llabs(skew_ms) > SKEW_WARNING_MS;

    site->put_wanted |= llabs(skew_ms - site->skew_ms) > 1000;
    site->skew_ms = skew_ms;
    note_time(site, site_ms);
    if (large != was_large)
        log_event(large ? LOG_WARN : LOG_INFO, "site_clock", "site=%s skew_ms=%lld", site->name,
                  (long long)skew_ms);
}

bool clock_take_date(struct collect_site *site, const struct report_outcome *o)
{
    const struct source *info = &site->sources[COLLECT_INFO];
    int64_t skew = o->date_ms - o->sent_ms, now = collect_now(site->collector);

    if (!o->has_date || !o->sent_ms || o->took_ms > DATE_QUICK_MS)
        return false;
    if (site->has_skew && llabs(skew - site->skew_ms) <= DATE_STEP_MS + (int64_t)o->took_ms) {
        note_time(site, o->date_ms);
        return false;
    }
    if (!site->has_info_time)
        clock_set_skew(site, skew, o->date_ms);
    return site->has_info_time && now - info->last_success > INFO_AGAIN_S;
}
