/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clock.c - the system's clocks, and the forms in which dates are read and written.
 *
 * Calendar arithmetic is the C library's (timegm, gmtime_r, strptime); all dates are UTC. Only the digits of
 * a time stamp are written here: strftime() costs five times as much.
 */
#include "base/clock.h"

#include "base/text.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <time.h>

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

/* The parts of a time stamp, one after the other. */
static void write_stamp(const struct tm *tm, char out[CLOCK_RFC3339_SIZE])
{
    const struct {
        int value, width;
        char end;
    } parts[] = {
        {tm->tm_year + 1900, 4, '-'}, {tm->tm_mon + 1, 2, '-'}, {tm->tm_mday, 2, 'T'},
        {tm->tm_hour, 2, ':'},        {tm->tm_min, 2, ':'},     {tm->tm_sec, 2, 'Z'},
    };
    char *to = out;

    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        to = text_digits(to, (uint64_t)parts[i].value, (unsigned)parts[i].width);
        *to++ = parts[i].end;
    }
    *to = '\0';
}

/* Answers, log lines and audit records of one second are many: each thread keeps the stamp it wrote last. */
const char *clock_rfc3339(int64_t wall_ms, char out[CLOCK_RFC3339_SIZE])
{
    static _Thread_local struct {
        time_t seconds;
        char stamp[CLOCK_RFC3339_SIZE];
    } last;
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm tm;

    if (seconds == last.seconds && *last.stamp)
        return memcpy(out, last.stamp, sizeof(last.stamp));
    if (seconds < 0 || seconds >= YEAR_10000_S || !gmtime_r(&seconds, &tm))
        return memcpy(out, "-", 2);
    write_stamp(&tm, last.stamp);
    last.seconds = seconds;
    return memcpy(out, last.stamp, sizeof(last.stamp));
}

const char *clock_rfc3339_ms(int64_t wall_ms, char out[CLOCK_RFC3339_SIZE])
{
    char *end = out + strcspn(clock_rfc3339(wall_ms, out), "Z");

    *end = '.';
    memcpy(text_digits(end + 1, (unsigned)(wall_ms % 1000) % 1000, 3), "Z", 2);
    return out;
}

const char *clock_rfc3339_or_null(int64_t wall_ms, char out[CLOCK_RFC3339_SIZE])
{
    return wall_ms > 0 && wall_ms / 1000 < YEAR_10000_S ? clock_rfc3339(wall_ms, out) : NULL;
}

/* timegm() takes February 30 for March 2: no such day is taken here. A second of 60 counts as the next
 * minute. */
static int tm_ms(struct tm tm, int64_t *wall_ms)
{
    int day = tm.tm_mday, seconds = tm.tm_sec;

    tm.tm_sec = 0;
    int64_t minute = timegm(&tm);
    if (tm.tm_mday != day)
        return -EINVAL;
    *wall_ms = (minute + seconds) * 1000;
    return 0;
}

static int parse_whole(const char *text, const char *form, int64_t *wall_ms)
{
    struct tm tm = {0};
    const char *rest = strptime(text, form, &tm);

    return rest && !*rest ? tm_ms(tm, wall_ms) : -EINVAL;
}

#define HTTP_DATE "%a, %d %b %Y %H:%M:%S GMT"

int clock_parse_http_date(const char *text, int64_t *wall_ms)
{
    return parse_whole(text, HTTP_DATE, wall_ms);
}

int clock_parse_cookie_date(const char *text, int64_t *wall_ms)
{
    static const char *const forms[] = {
        HTTP_DATE,
        "%a, %d-%b-%y %H:%M:%S GMT", /* before the one with %Y, which takes 94 for the year 94 */
        "%a, %d-%b-%Y %H:%M:%S GMT",
        "%a %b %d %H:%M:%S %Y",
    };

    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
        if (!parse_whole(text, forms[i], wall_ms))
            return 0;
    return -EINVAL;
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
    struct tm tm = {0};
    const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);

    if (!rest)
        return -EINVAL;
    int64_t ms = fraction_ms(&rest);
    if (*rest == 'Z')
        rest++;
    if (*rest)
        return -EINVAL;
    int err = tm_ms(tm, wall_ms);
    *wall_ms += err ? 0 : ms;
    return err;
}

int64_t clock_vault_date(const char *text)
{
    int64_t wall_ms;

    return clock_parse_vault_date(text, &wall_ms) ? 0 : wall_ms;
}
