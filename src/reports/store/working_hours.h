/*
 * working_hours.h - whether a time lies in the working hours of a time zone.
 *
 * Written as in the configuration: days, then ranges of hours, separated by blanks or commas:
 * `mon-fri 07:00-19:00, sat 08:00-12:00 13:00-17:00`. A range that ends before it begins goes on into the
 * next day; 24:00 is the end of a day.
 */
#ifndef JG_REPORTS_STORE_WORKING_HOURS_H
#define JG_REPORTS_STORE_WORKING_HOURS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct working_hours;

/* `zone` is a name of the IANA time zone database. NULL: `why` says what is wrong. */
struct working_hours *working_hours_new(const char *zone, const char *hours, char *why, size_t size);
void working_hours_free(struct working_hours *); /* NULL is fine */
bool working_hours_outside(const struct working_hours *, int64_t unix_time);
bool working_hours_zone_exists(const char *zone);

#endif
