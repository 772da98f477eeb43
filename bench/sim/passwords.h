/*
 * passwords.h - passwords derived from numbers, so that thousands of accounts need no memory for them.
 *
 * They are awkward on purpose: quotes, backslashes, ampersands, and characters beyond ASCII and beyond the
 * basic plane. The first and the last letter are plain, since some clients trim blanks.
 */
#ifndef SIM_PASSWORDS_H
#define SIM_PASSWORDS_H

#include "base/buf.h"

#include <stdint.h>

/* The next number of a seeded row. */
uint64_t sim_mix(uint64_t *state);
/* Where the row of one account's version begins. */
uint64_t sim_password_seed(uint64_t seed, uint64_t id, uint64_t version);
/* Appends `length` characters. 0, or the error of the buffer. */
int sim_password(uint64_t state, size_t length, struct buf *out);

#endif
