/* SPDX-License-Identifier: Apache-2.0 */
/*
 * backoff.c - how long to wait before an attempt is repeated; see backoff.h.
 */
#include "base/backoff.h"

#define FIRST_MS 500
#define MOST_MS  60000

static uint64_t next_random(uint64_t *random)
{
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    return *random;
}

uint64_t backoff_ms(unsigned attempt, uint64_t *random)
{
    uint64_t delay = FIRST_MS;

    while (--attempt && delay < MOST_MS)
        delay *= 2;
    delay = delay < MOST_MS ? delay : MOST_MS;
    return delay - next_random(random) % (delay / 4);
}
