/* SPDX-License-Identifier: Apache-2.0 */
/*
 * backoff.c - pauses that double, with jitter from a xorshift generator.
 */
#include "base/backoff.h"

#define FIRST_MS 500
#define LAST_MS  60000

uint64_t backoff_ms(uint64_t *random, unsigned n)
{
    uint64_t delay = FIRST_MS;

    while (--n && delay < LAST_MS)
        delay *= 2;
    delay = delay < LAST_MS ? delay : LAST_MS;
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    return delay - *random % (delay / 4);
}
