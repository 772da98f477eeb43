/*
 * secret.h - a password, key or token: one owner, counted length, one way out.
 *
 * `p` is NUL-terminated for C interfaces, `len` is the truth (a password may hold any byte but NUL).
 * secret_clear() wipes; there is no way to print one. Memory for secrets comes from secret_alloc() only, so
 * that where they live can be decided in one place.
 */
#ifndef JG_BASE_SECRET_H
#define JG_BASE_SECRET_H

#include <stdbool.h>
#include <stddef.h>

struct secret {
    char *p; /* NULL = none */
    size_t len;
};

void *secret_alloc(size_t n);                                 /* NULL when out of memory */
void secret_free(void *p, size_t n);                          /* wipes n bytes; NULL is fine */
int secret_set(struct secret *, const char *bytes, size_t n); /* copies; clears the old one. 0 or -ENOMEM */
void secret_move(struct secret *to, struct secret *from);
void secret_clear(struct secret *);
/* Constant time in the contents; lengths may show. */
bool secret_equal(const struct secret *, const char *bytes, size_t n);
bool bytes_equal(const void *a, const void *b, size_t n); /* constant time */

/* Reads a secret from a file, without the trailing line end; at most `max` bytes. 0 or -errno, -EMSGSIZE,
 * -ENODATA. */
int secret_read_file(struct secret *, const char *path, size_t max);

/* Zeroes memory in a way the compiler keeps. */
void wipe(void *p, size_t n);

#endif
