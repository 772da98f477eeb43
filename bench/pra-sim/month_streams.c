/* SPDX-License-Identifier: Apache-2.0 */
/*
 * month_streams.c - times of records; see month_streams.h.
 */
#include "pra-sim/month_streams.h"

#define PURPOSE 200

static uint64_t past_of(const struct month *m, enum stream s)
{
    const uint64_t n[STREAM_COUNT] = {[STREAM_VAULT] = m->opts.vault_activity,
                                      [STREAM_TEAM] = m->opts.team_activity,
                                      [STREAM_SYSLOG] = m->opts.syslog_messages};

    return n[s];
}

uint64_t stream_key(const struct month *m, enum stream s, uint64_t index)
{
    return month_chance(month_chance(m->opts.seed, PURPOSE + s) + index, PURPOSE + s);
}

int64_t stream_at(const struct month *m, enum stream s, uint64_t index)
{
    uint64_t past = past_of(m, s);
    double within = month_fraction(stream_key(m, s, index));

    if (index < past)
        return month_time_of(m, ((double)index + within) / (double)past);
    return m->opts.until_s + 1 +
           (int64_t)(((double)(index - past) + within) * 3600.0 / (double)m->opts.stream_hour);
}

uint64_t stream_until(const struct month *m, enum stream s, int64_t at_s)
{
    uint64_t low = 0, high = past_of(m, s);

    if (at_s > m->opts.until_s && m->opts.stream_hour) {
        low = high;
        high += (uint64_t)((double)(at_s - m->opts.until_s) * (double)m->opts.stream_hour / 3600.0) + 2;
    }
    while (low < high) {
        uint64_t middle = (low + high) / 2;
        if (stream_at(m, s, middle) <= at_s)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}
