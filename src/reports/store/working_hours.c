/* SPDX-License-Identifier: Apache-2.0 */
/*
 * working_hours.c - working hours as one bit per minute of the week, in a time zone; see working_hours.h.
 *
 * The week begins on Monday at 00:00 local time.
 */
#include "reports/store/working_hours.h"

#include "base/text.h"
#include "reports/zones.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAY_MINUTES  1440
#define WEEK_MINUTES (7 * DAY_MINUTES)
#define TOKEN_SIZE   32
#define EPOCH_DAY    3 /* 1970-01-01 was a Thursday; Monday is 0 */

struct working_hours {
    struct zone *zone;
    unsigned char working[(WEEK_MINUTES + 7) / 8];
};

bool working_hours_zone_exists(const char *name)
{
    return zone_exists(name);
}

/* ---- reading ---- */

static int day_named(const char *text, size_t n)
{
    static const char names[7][4] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};

    for (int i = 0; i < 7; i++)
        if (text_equal_nocase_n(text, n, names[i], 3))
            return i;
    return -1;
}

/* "mon" or "fri-mon" as bits of days; 0 = it is neither. */
static unsigned read_days(const char *token)
{
    const char *dash = strchr(token, '-');
    int from = day_named(token, dash ? (size_t)(dash - token) : strlen(token));
    int to = dash ? day_named(dash + 1, strlen(dash + 1)) : from;
    unsigned days = 0;

    if (from < 0 || to < 0)
        return 0;
    for (int day = from;; day = (day + 1) % 7) {
        days |= 1U << day;
        if (day == to)
            return days;
    }
}

/* "07:00"; minutes of the day, -1 = it is none. */
static int read_minute(const char *p)
{
    if (!isdigit((unsigned char)p[0]) || !isdigit((unsigned char)p[1]) || p[2] != ':' ||
        !isdigit((unsigned char)p[3]) || !isdigit((unsigned char)p[4]))
        return -1;
    int hour = (p[0] - '0') * 10 + (p[1] - '0'), minute = (p[3] - '0') * 10 + (p[4] - '0');
    int sum = hour * 60 + minute;
    return minute < 60 && sum <= DAY_MINUTES ? sum : -1;
}

static bool read_range(const char *token, int *from, int *to)
{
    if (strlen(token) != 11 || token[5] != '-')
        return false;
    *from = read_minute(token);
    *to = read_minute(token + 6);
    return *from >= 0 && *to >= 0 && *from != *to && *from < DAY_MINUTES;
}

static void set_range(struct working_hours *w, unsigned days, int from, int to)
{
    int length = to > from ? to - from : to + DAY_MINUTES - from;

    for (int day = 0; day < 7; day++) {
        if (!(days & 1U << day))
            continue;
        for (int i = 0; i < length; i++) {
            int minute = (day * DAY_MINUTES + from + i) % WEEK_MINUTES;
            w->working[minute / 8] |= (unsigned char)(1U << (minute % 8));
        }
    }
}

/* Days before the first range after them belong to it. */
static bool read_hours(struct working_hours *w, const char *hours, char *why, size_t size)
{
    char token[TOKEN_SIZE];
    unsigned days = 0;
    bool ranged = false, any = false; /* since the last day; at all */
    int from, to;

    for (const char *p = hours + strspn(hours, " ,\t"); *p; p += strspn(p, " ,\t")) {
        size_t n = strcspn(p, " ,\t");
        (void)snprintf(token, sizeof(token), "%.*s", (int)(n < sizeof(token) ? n : sizeof(token) - 1), p);
        p += n;
        unsigned more = read_days(token);
        if (more) {
            days = ranged ? more : days | more;
            ranged = false;
        } else if (days && read_range(token, &from, &to)) {
            set_range(w, days, from, to);
            ranged = any = true;
        } else {
            (void)snprintf(why, size,
                           "`%s` is neither a day (mon, mon-fri) nor, behind days, hours (07:00-19:00)",
                           token);
            return false;
        }
    }
    if (!any || !ranged)
        (void)snprintf(why, size, "there are no hours behind the days");
    return any && ranged;
}

struct working_hours *working_hours_new(const char *zone, const char *hours, char *why, size_t size)
{
    struct working_hours *w = calloc(1, sizeof(*w));

    if (!w) {
        (void)snprintf(why, size, "out of memory");
        return NULL;
    }
    w->zone = zone_open(zone);
    if (!w->zone)
        (void)snprintf(why, size, "`%.64s` is not a time zone of this system (Europe/Berlin, UTC)", zone);
    else if (read_hours(w, hours, why, size))
        return w;
    working_hours_free(w);
    return NULL;
}

void working_hours_free(struct working_hours *w)
{
    if (!w)
        return;
    zone_close(w->zone);
    free(w);
}

bool working_hours_outside(const struct working_hours *w, int64_t unix_time)
{
    int64_t local = unix_time + zone_offset(w->zone, unix_time);
    int64_t minute = (local >= 0 ? local : local - 59) / 60 + EPOCH_DAY * DAY_MINUTES;
    unsigned of_week = (unsigned)((minute % WEEK_MINUTES + WEEK_MINUTES) % WEEK_MINUTES);

    return !(w->working[of_week / 8] >> of_week % 8 & 1);
}
