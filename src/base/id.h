/*
 * id.h - random names: request ids and lease ids.
 *
 * From OpenSSL's generator, in Crockford's base 32 (no letter mistaken for another, safe in a URL, in a log
 * and in a vault's reason field).
 */
#ifndef JG_BASE_ID_H
#define JG_BASE_ID_H

#define ID_SIZE 27 /* 26 letters = 130 bits, and the NUL */

/* Fills `out` with a new id. 0, or -EIO when there is no randomness (then the caller must fail). */
int id_new(char out[ID_SIZE]) __attribute__((warn_unused_result));

#endif
