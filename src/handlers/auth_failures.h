/*
 * auth_failures.h - how often each peer came without being a known client.
 *
 * The same for the lines in the log that it causes by whatever else it does: a bucket of its own, of the same
 * size.
 *
 * Each origin (an IPv4 address, an IPv6 /64 network, a uid) has a bucket of `per_s` failures, filled
 * continuously, that holds one minute's worth. Whoever has emptied it is told 429 instead of 401 until it has
 * filled up to the next one. The bucket only counts failures: a known client behind the same address is never
 * asked. It spares the log and the CPU, and ends the connection of who goes on; that a token is not guessed
 * rests on its length.
 *
 * The table is bounded: the origin that failed longest ago is forgotten first, and comes back with full
 * buckets. So the lines of all origins together have one more bucket, AUTH_FAILURES_ALL times as large as
 * that of one.
 */
#ifndef JG_HANDLERS_AUTH_FAILURES_H
#define JG_HANDLERS_AUTH_FAILURES_H

#include "base/clock.h"

#include <stdbool.h>
#include <stddef.h>

#define AUTH_FAILURES_MAX 4096 /* origins */
#define AUTH_FAILURES_ALL 16   /* rates of one origin: the lines about all of them together */

struct auth_failures;

struct auth_failures *auth_failures_new(const struct clock *); /* NULL when out of memory */
void auth_failures_free(struct auth_failures *);               /* NULL is fine */
/* Counts one: 0, or after how many seconds the next would be within the rate. per_s = 0: always 0. */
unsigned auth_failures_take(struct auth_failures *, const char *origin, double per_s);
/* May one more line about it go to the log? per_s = 0: always. */
bool auth_failures_line(struct auth_failures *, const char *origin, double per_s);
size_t auth_failures_count(const struct auth_failures *);

#endif
