/*
 * auth_failures.h - how often each peer failed to identify itself as a client, and its lines in the log.
 *
 * Each origin (an IPv4 address, an IPv6 /64 network, a uid) has a bucket of `per_s` failures, filled
 * continuously, that holds one minute's worth, and a second one of the same size for log lines. The buckets
 * count failures only: a known client at the same address is not limited.
 *
 * The table is bounded: the origin whose last failure is oldest is dropped first, and comes back with full
 * buckets. So one more bucket, AUTH_FAILURES_ALL times as large, limits the log lines of all origins
 * together.
 */
#ifndef JG_HANDLERS_AUTH_FAILURES_H
#define JG_HANDLERS_AUTH_FAILURES_H

#include "base/clock.h"

#include <stdbool.h>
#include <stddef.h>

#define AUTH_FAILURES_MAX 4096 /* origins */
#define AUTH_FAILURES_ALL 16   /* log lines of all origins together, in rates of one */

struct auth_failures;

struct auth_failures *auth_failures_new(const struct clock *); /* NULL when out of memory */
void auth_failures_free(struct auth_failures *);               /* NULL is fine */
/* Counts one: 0, or after how many seconds the next would be within the rate. per_s = 0: always 0. */
unsigned auth_failures_take(struct auth_failures *, const char *origin, double per_s);
/* May one more line about it go to the log? per_s = 0: always. */
bool auth_failures_line(struct auth_failures *, const char *origin, double per_s);
size_t auth_failures_count(const struct auth_failures *);

#endif
