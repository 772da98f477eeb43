/*
 * backoff.h - how long to wait before an attempt is repeated: doubling, with a part at random.
 *
 * The random part keeps attempts that failed together from being repeated together. It is no secret: a
 * generator of 64 bits (xorshift) per owner is enough.
 */
#ifndef JG_BASE_BACKOFF_H
#define JG_BASE_BACKOFF_H

#include <stdint.h>

/*
 * Milliseconds before attempt n (1, 2, …) is repeated: half a second, doubling to a minute; the last quarter
 * is at random. `*random` is the state of the generator, anything but 0.
 */
uint64_t backoff_ms(unsigned attempt, uint64_t *random);

#endif
