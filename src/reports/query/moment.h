/*
 * moment.h - a point of time as users of commands and of the feed write it.
 */
#ifndef JG_REPORTS_QUERY_MOMENT_H
#define JG_REPORTS_QUERY_MOMENT_H

#include <stdbool.h>
#include <stdint.h>

#define MOMENT_NEEDS "must be a time (RFC 3339), a date or an age such as 30d"

/* RFC 3339, a date (UTC), or an age before `now`: a number of s, m, h or d, up to ten years. Unix seconds. */
bool moment_read(const char *text, int64_t now, int64_t *when);

#endif
