/* SPDX-License-Identifier: Apache-2.0 */
/*
 * zones.c - time zones by GLib's GTimeZone, dates by its GDate; see zones.h.
 *
 * GLib says the offset of an instant; which instant a local time is follows from it. Between two offsets that
 * are a day apart lies at most one change.
 */
#include "reports/zones.h"

#include <fcntl.h>
#include <glib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define HOUR         3600
#define DAY          86400
#define NAME_LETTERS 64
#define EPOCH_DAY    719163 /* 1970-01-01 as a day of GDate */
/* Years 2 to 9998: a border beside them is still a date. */
#define EARLIEST (-62104060800)
#define LATEST   253370764800

struct zone {
    GTimeZone *zone;
};

/* ---- opening ---- */

/* Whether the database of the system has a file of this name that is a time zone. */
static bool is_zone_file(const char *name)
{
    const char *folder = getenv("TZDIR");
    char path[256], magic[4];

    if (snprintf(path, sizeof(path), "%s/%s", folder && *folder ? folder : "/usr/share/zoneinfo", name) >=
        (int)sizeof(path))
        return false;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return false;
    bool is = read(fd, magic, sizeof(magic)) == (ssize_t)sizeof(magic) && memcmp(magic, "TZif", 4) == 0;
    (void)close(fd);
    return is;
}

/* Every name of the IANA database begins with a capital; other files beside its zones do not: posix/UTC,
 * right/UTC (counts leap seconds), posixrules, localtime. */
static bool is_name(const char *name)
{
    size_t n = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-/");

    return n > 0 && n <= NAME_LETTERS && !name[n] && g_ascii_isupper(*name) && !strstr(name, "//");
}

struct zone *zone_open(const char *name)
{
    bool utc = strcmp(name, "UTC") == 0;

    if (!is_name(name) || (!utc && !is_zone_file(name)))
        return NULL;
    struct zone *z = malloc(sizeof(*z));
    if (!z)
        return NULL;
    z->zone = utc ? g_time_zone_new_utc() : g_time_zone_new_identifier(name);
    if (z->zone)
        return z;
    free(z);
    return NULL;
}

void zone_close(struct zone *z)
{
    if (!z)
        return;
    g_time_zone_unref(z->zone);
    free(z);
}

bool zone_exists(const char *name)
{
    struct zone *z = zone_open(name);

    zone_close(z);
    return z;
}

/* ---- instants and local times ---- */

int64_t zone_offset(const struct zone *z, int64_t when)
{
    int interval = g_time_zone_find_interval(z->zone, G_TIME_TYPE_UNIVERSAL, when);

    return interval < 0 ? 0 : g_time_zone_get_offset(z->zone, interval);
}

static int64_t local_of(const struct zone *z, int64_t when)
{
    return when + zone_offset(z, when);
}

int64_t zone_instant(const struct zone *z, int64_t local)
{
    int64_t early = local - zone_offset(z, local - DAY), late = local - zone_offset(z, local + DAY);

    if (early > late) {
        int64_t swap = early;
        early = late;
        late = swap;
    }
    if (local_of(z, early) == local)
        return early;
    if (local_of(z, late) == local)
        return late;
    /* The clock jumps over it, between the two. */
    while (early < late) {
        int64_t middle = early + (late - early) / 2;
        if (local_of(z, middle) >= local)
            late = middle;
        else
            early = middle + 1;
    }
    return late;
}

static int64_t floor_of(int64_t n, int64_t of)
{
    int64_t rest = n % of;

    return n - (rest < 0 ? rest + of : rest);
}

static int64_t within_years(int64_t when)
{
    return when < EARLIEST ? EARLIEST : when > LATEST ? LATEST : when;
}

/* ---- borders ---- */

static int64_t move_date(int64_t day, enum zone_unit unit, int steps)
{
    GDate date;

    g_date_clear(&date, 1);
    g_date_set_julian(&date, (guint32)(day + EPOCH_DAY));
    if (unit == ZONE_WEEK)
        day -= (int)g_date_get_weekday(&date) - G_DATE_MONDAY;
    if (unit != ZONE_MONTH)
        return day + steps * (unit == ZONE_WEEK ? 7 : 1);
    g_date_set_day(&date, 1);
    if (steps > 0)
        g_date_add_months(&date, (guint)steps);
    else
        g_date_subtract_months(&date, (guint)-steps);
    return (int64_t)g_date_get_julian(&date) - EPOCH_DAY;
}

int64_t zone_border(const struct zone *z, int64_t when, enum zone_unit unit, int steps)
{
    when = within_years(when);
    int64_t local = local_of(z, when);
    if (unit == ZONE_HOUR) {
        when += floor_of(local, HOUR) - local + (int64_t)steps * HOUR;
        local = local_of(z, when);
        return when + floor_of(local, HOUR) - local;
    }
    return zone_instant(z, move_date(floor_of(local, DAY) / DAY, unit, steps) * DAY);
}

int64_t zone_next(const struct zone *z, int64_t when, enum zone_unit unit)
{
    when = within_years(when);
    if (unit == ZONE_HOUR) {
        int64_t local = local_of(z, when);
        return when + floor_of(local, HOUR) + HOUR - local;
    }
    int64_t next = zone_border(z, when, unit, 1);
    return next > when ? next : zone_border(z, when, unit, 2);
}

/* ---- texts ---- */

const char *zone_text(const struct zone *z, int64_t when, char out[ZONE_TEXT_SIZE])
{
    when = within_years(when);
    int64_t offset = zone_offset(z, when);
    time_t local = (time_t)(when + offset);
    struct tm tm = {0};

    (void)gmtime_r(&local, &tm);
    int n = snprintf(out, ZONE_TEXT_SIZE, "%04d-%02d-%02dT%02d:%02d:%02d", (tm.tm_year + 1900) % 10000,
                     tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
    if (n < 0 || offset == 0) {
        (void)snprintf(out + (n < 0 ? 0 : n), 2, "Z");
        return out;
    }
    int minutes = (int)(offset < 0 ? -offset : offset) / 60;
    (void)snprintf(out + n, (size_t)(ZONE_TEXT_SIZE - n), "%c%02d:%02d", offset < 0 ? '-' : '+',
                   minutes / 60 % 100, minutes % 60);
    return out;
}

/* `n` digits at *p as a number; moves *p. -1 = they are not there. */
static int digits(const char **p, int n)
{
    int value = 0;

    for (; n > 0; n--, (*p)++) {
        if (!g_ascii_isdigit(**p))
            return -1;
        value = value * 10 + (**p - '0');
    }
    return value;
}

static bool take(const char **p, const char *any)
{
    if (!**p || !strchr(any, **p))
        return false;
    (*p)++;
    return true;
}

static bool read_date(const char **p, int64_t *local)
{
    int year = digits(p, 4);
    int month = year < 1 || !take(p, "-") ? -1 : digits(p, 2);
    int day = month < 1 || !take(p, "-") ? -1 : digits(p, 2);
    GDate date;

    if (month < 1 || month > 12 || day < 1 || year < 2 ||
        !g_date_valid_dmy((GDateDay)day, (GDateMonth)month, (GDateYear)year))
        return false;
    g_date_clear(&date, 1);
    g_date_set_dmy(&date, (GDateDay)day, (GDateMonth)month, (GDateYear)year);
    *local = ((int64_t)g_date_get_julian(&date) - EPOCH_DAY) * DAY;
    return true;
}

/* HH:MM:SS; a fraction is left out. */
static bool read_clock(const char **p, int64_t *seconds)
{
    int hour = digits(p, 2);
    int minute = hour < 0 || !take(p, ":") ? -1 : digits(p, 2);
    int second = minute < 0 || !take(p, ":") ? -1 : digits(p, 2);

    if (second >= 0 && take(p, ".")) {
        if (digits(p, 1) < 0)
            return false;
        while (g_ascii_isdigit(**p))
            (*p)++;
    }
    *seconds = hour * HOUR + minute * 60 + second;
    return second >= 0 && hour < 24 && minute < 60 && second < 60;
}

bool zone_read_date(const char *text, int64_t *when)
{
    return read_date(&text, when) && !*text;
}

bool zone_read(const char *text, int64_t *when)
{
    int64_t local, seconds;

    if (!read_date(&text, &local) || !take(&text, "Tt ") || !read_clock(&text, &seconds))
        return false;
    local += seconds;
    if (take(&text, "Zz")) {
        *when = local;
        return !*text;
    }
    bool west = *text == '-';
    if (!take(&text, "+- "))
        return false;
    int hours = digits(&text, 2), minutes = hours < 0 || !take(&text, ":") ? -1 : digits(&text, 2);
    if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59 || *text)
        return false;
    int64_t offset = hours * HOUR + minutes * 60;
    *when = west ? local + offset : local - offset;
    return true;
}
