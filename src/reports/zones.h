/*
 * zones.h - time zones: offsets, calendar borders and texts of times.
 *
 * Only this file knows GLib. A zone is a name of the IANA time zone database (Europe/Berlin, UTC); nothing
 * else that GLib would take (offsets, POSIX rules, paths, posix/ and right/ beside the zones). Times are Unix
 * seconds. A border is the first instant of its hour, day, week or month by the clock of the zone, whatever
 * the clock does there: a day whose midnight does not exist begins with its first second.
 */
#ifndef JG_REPORTS_ZONES_H
#define JG_REPORTS_ZONES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct zone;

/* NULL: there is none of this name, or no memory. Any thread; a zone may be used by several at once. */
struct zone *zone_open(const char *name);
void zone_close(struct zone *); /* NULL is fine */
bool zone_exists(const char *name);

int64_t zone_offset(const struct zone *, int64_t when); /* seconds east of UTC */
/* The first instant at which the clock shows `local` (seconds since 1970 by that clock), or goes past it. */
int64_t zone_instant(const struct zone *, int64_t local);

enum zone_unit { ZONE_HOUR, ZONE_DAY, ZONE_WEEK /* from Monday */, ZONE_MONTH, ZONE_NUNITS };

/* The border at or before `when`, moved by `steps` units of the calendar. */
int64_t zone_border(const struct zone *, int64_t when, enum zone_unit, int steps);
/* The first border behind `when`: going on from one to the next leaves nothing out, and counts nothing
 * twice. */
int64_t zone_next(const struct zone *, int64_t when, enum zone_unit);

#define ZONE_TEXT_SIZE 40
/* RFC 3339 with the zone's offset: `2026-03-10T09:30:12+01:00`, Z at UTC. Returns `out`. */
const char *zone_text(const struct zone *, int64_t when, char out[ZONE_TEXT_SIZE]);
/* RFC 3339, with its offset. Second 60 is refused: Unix seconds have none. A blank in the place of the
 * offset's plus is one (it was not encoded in a URL). */
bool zone_read(const char *text, int64_t *when);
bool zone_read_date(const char *text, int64_t *when); /* a date alone: its midnight in UTC */

#endif
