/*
 * backoff.h - how long to wait before something that failed is tried again.
 */
#ifndef JG_BASE_BACKOFF_H
#define JG_BASE_BACKOFF_H

#include <stdint.h>

/*
 * Milliseconds to wait after failure `n` (1, 2, ...): doubling from half a second to a minute, the last
 * quarter at random. `random` is the caller's random state, not 0.
 */
uint64_t backoff_ms(uint64_t *random, unsigned n);

#endif
