/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clock.c - the system's clocks, and the three forms in which dates come and go.
 *
 * Calendar arithmetic is the C library's (timegm, gmtime_r, strptime); all dates are UTC.
 */
#include "base/clock.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static uint64_t read_ns(clockid_t id)
{
    struct timespec ts = {0};

    (void)clock_gettime(id, &ts); /* cannot fail for these clocks */
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* Time asleep counts: a lease does not get longer because the machine was suspended, as CLOCK_MONOTONIC says. */
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

const char *clock_rfc3339(int64_t wall_ms, char out[CLOCK_RFC3339_SIZE])
{
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm tm;

    if (!gmtime_r(&seconds, &tm) || strftime(out, CLOCK_RFC3339_SIZE, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
        memcpy(out, "-", 2);
    return out;
}

int clock_parse_http_date(const char *text, int64_t *wall_ms)
{
    struct tm tm = {0};
    const char *rest = strptime(text, "%a, %d %b %Y %H:%M:%S GMT", &tm);

    if (!rest || *rest)
        return -EINVAL;
    *wall_ms = (int64_t)timegm(&tm) * 1000;
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
    struct tm tm = {0};
    const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);

    if (!rest)
        return -EINVAL;
    int64_t ms = fraction_ms(&rest);
    if (*rest == 'Z')
        rest++;
    if (*rest)
        return -EINVAL;
    *wall_ms = (int64_t)timegm(&tm) * 1000 + ms;
    return 0;
}
