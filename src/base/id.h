/*
 * id.h - random names: request ids and lease ids.
 *
 * From OpenSSL's generator, in Crockford's base 32 (no letter mistaken for another, safe in a URL, in a log
 * and in a vault's reason field).
 */
#ifndef JG_BASE_ID_H
#define JG_BASE_ID_H

#include <stdbool.h>

#define ID_SIZE 27 /* 26 letters = 130 bits, and the NUL */

/* The first letters of the ids of one maker. */
#define ID_TAG_SIZE 6 /* 5 letters = 25 bits, and the NUL; 105 bits of the id are left */

/* Fills `out` with a new id. 0, or -EIO when there is no randomness (then the caller must fail). */
int id_new(char out[ID_SIZE]) __attribute__((warn_unused_result));
/* The same with this tag. */
int id_new_tagged(const char tag[ID_TAG_SIZE], char out[ID_SIZE]) __attribute__((warn_unused_result));
/* The tag of an id. False = the text is no id. */
bool id_tag(const char *id, char tag[ID_TAG_SIZE]);

#endif
