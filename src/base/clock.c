/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clock.c - the system's clocks, and the three forms in which dates come and go.
 *
 * All dates are UTC in the Gregorian calendar and of fixed form. They are written and read here rather than
 * by strftime() and strptime(): every vault answer carries a date, and those two cost as much as the rest of
 * its head. Days are counted in years that begin in March, so that the leap day is a year's last.
 */
#include "base/clock.h"

#include "base/text.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#define DAY_S        86400
#define DAYS_400     146097 /* in 400 years */
#define MARCH_0      719468 /* days from the first of March of year 0 to 1970 */
#define YEAR_10000_S INT64_C(253402300800)

static uint64_t read_ns(clockid_t id)
{
    struct timespec ts = {0};

    (void)clock_gettime(id, &ts); /* cannot fail for these clocks */
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* Time asleep counts: a lease does not get longer because the machine was suspended, as CLOCK_MONOTONIC says.
 */
static uint64_t system_now_ms(void *arg)
{
    (void)arg;
    return read_ns(CLOCK_BOOTTIME) / 1000000u;
}

static int64_t system_wall_ms(void *arg)
{
    (void)arg;
    return (int64_t)(read_ns(CLOCK_REALTIME) / 1000000u);
}

const struct clock clock_system = {.now_ms = system_now_ms, .wall_ms = system_wall_ms};

uint64_t clock_measure_us(void)
{
    return read_ns(CLOCK_MONOTONIC) / 1000u;
}

/* ---- the calendar ---- */

struct date {
    unsigned year, month, day; /* month and day from 1 */
};

static struct date date_of(uint64_t days)
{
    uint64_t n = days + MARCH_0, cycle = n / DAYS_400, day = n % DAYS_400;
    uint64_t year = (day - day / 1460 + day / 36524 - day / (DAYS_400 - 1)) / 365;
    unsigned of_year = (unsigned)(day - (365 * year + year / 4 - year / 100));
    unsigned month = (5 * of_year + 2) / 153; /* from March */

    return (struct date){.year = (unsigned)(cycle * 400 + year) + (month >= 10),
                         .month = month < 10 ? month + 3 : month - 9,
                         .day = of_year - (153 * month + 2) / 5 + 1};
}

static int64_t days_of(const struct date *d)
{
    int64_t year = (int64_t)d->year - (d->month <= 2), cycle = (year >= 0 ? year : year - 399) / 400;
    int64_t of_cycle = year - cycle * 400, month = (d->month + 9) % 12;
    int64_t of_year = (153 * month + 2) / 5 + d->day - 1;

    return cycle * DAYS_400 + of_cycle * 365 + of_cycle / 4 - of_cycle / 100 + of_year - MARCH_0;
}

/* ---- writing ---- */

const char *clock_rfc3339(int64_t wall_ms, char out[CLOCK_RFC3339_SIZE])
{
    int64_t seconds = wall_ms / 1000;

    if (seconds < 0 || seconds >= YEAR_10000_S)
        return memcpy(out, "-", 2);
    struct date d = date_of((uint64_t)seconds / DAY_S);
    unsigned of_day = (unsigned)(seconds % DAY_S);
    const struct {
        unsigned value, width;
        char end;
    } parts[] = {
        {d.year, 4, '-'},        {d.month, 2, '-'},          {d.day, 2, 'T'},
        {of_day / 3600, 2, ':'}, {of_day / 60 % 60, 2, ':'}, {of_day % 60, 2, 'Z'},
    };
    char *to = out;

    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        to = text_digits(to, parts[i].value, parts[i].width);
        *to++ = parts[i].end;
    }
    *to = '\0';
    return out;
}

/* ---- reading ---- */

/* Exactly n digits, between min and max; moves *p behind them. */
static bool take_number(const char **p, unsigned n, unsigned min, unsigned max, unsigned *out)
{
    unsigned v = 0;

    for (; n; n--, (*p)++) {
        if (!isdigit((unsigned char)**p))
            return false;
        v = v * 10 + (unsigned)(**p - '0');
    }
    *out = v;
    return v >= min && v <= max;
}

static bool take_char(const char **p, char c)
{
    return *(*p)++ == c;
}

/* hh:mm:ss, a leap second allowed. */
static bool take_time(const char **p, int64_t *seconds)
{
    unsigned h, m, s;

    if (!take_number(p, 2, 0, 23, &h) || !take_char(p, ':') || !take_number(p, 2, 0, 59, &m) ||
        !take_char(p, ':') || !take_number(p, 2, 0, 60, &s))
        return false;
    *seconds = h * 3600 + m * 60 + s;
    return true;
}

/* One of the names of three letters in a row, in any case; its number from 1, or 0. */
static unsigned take_name(const char **p, const char *names)
{
    for (unsigned i = 0; names[i]; i += 3) {
        if (strncasecmp(*p, names + i, 3) != 0)
            continue;
        *p += 3;
        return i / 3 + 1;
    }
    return 0;
}

int clock_parse_http_date(const char *text, int64_t *wall_ms)
{
    struct date d = {0};
    const char *p = text;
    int64_t seconds;

    if (!take_name(&p, "SunMonTueWedThuFriSat") || !take_char(&p, ',') || !take_char(&p, ' ') ||
        !take_number(&p, 2, 1, 31, &d.day) || !take_char(&p, ' ') ||
        !(d.month = take_name(&p, "JanFebMarAprMayJunJulAugSepOctNovDec")) || !take_char(&p, ' ') ||
        !take_number(&p, 4, 0, 9999, &d.year) || !take_char(&p, ' ') || !take_time(&p, &seconds) ||
        strcmp(p, " GMT") != 0)
        return -EINVAL;
    *wall_ms = (days_of(&d) * DAY_S + seconds) * 1000;
    return 0;
}

/* Reads ".123" into milliseconds and moves *p behind all digits. */
static int64_t fraction_ms(const char **p)
{
    int64_t ms = 0, scale = 100;

    if (**p != '.')
        return 0;
    for ((*p)++; isdigit((unsigned char)**p); (*p)++, scale /= 10)
        ms += (**p - '0') * scale;
    return ms;
}

int clock_parse_vault_date(const char *text, int64_t *wall_ms)
{
    struct date d = {0};
    const char *p = text;
    int64_t seconds;

    if (!take_number(&p, 4, 0, 9999, &d.year) || !take_char(&p, '-') ||
        !take_number(&p, 2, 1, 12, &d.month) || !take_char(&p, '-') || !take_number(&p, 2, 1, 31, &d.day) ||
        !take_char(&p, 'T') || !take_time(&p, &seconds))
        return -EINVAL;
    int64_t ms = fraction_ms(&p);
    if (*p == 'Z')
        p++;
    if (*p)
        return -EINVAL;
    *wall_ms = (days_of(&d) * DAY_S + seconds) * 1000 + ms;
    return 0;
}
