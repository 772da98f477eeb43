/*
 * secret.h - a password, key or token: one owner, counted length, one way out.
 *
 * `p` is NUL-terminated for C interfaces, `len` is the truth (a password may hold any byte but NUL).
 * secret_clear() wipes; there is no way to print one. Memory for secrets comes from secret_alloc() only: one
 * arena for the process, locked and left out of cores. struct buf uses it with BUF_SECRET,
 * the JSON parser with JSON_SECRET.
 */
#ifndef JG_BASE_MEMORY_SECRET_H
#define JG_BASE_MEMORY_SECRET_H

#include "base/memory/arena.h"

#include <stdbool.h>
#include <stddef.h>

struct secret {
    char *p; /* NULL = none */
    size_t len;
};

/*
 * First of all in main(): OpenSSL's memory is wiped when it is freed, its private keys get locked memory of
 * their own. 0 or -EBUSY (OpenSSL is in use already).
 */
int secret_init(void);
/*
 * The arena may take `limit` bytes, and RLIMIT_MEMLOCK is raised as far as the system allows. Without this
 * call the arena is made by its first use, with a limit of its own. `why` says what an operator should know
 * about locked memory, "" when all is well. 0 or -ENOMEM.
 */
int secret_open(size_t limit, char why[256]);
size_t secret_close(void); /* wipes and frees the arena; how many blocks were still out */
/* Its `unlocked` bytes may be swapped out: run.c warns once. All zero while there is no arena. */
void secret_state(struct arena_state *);

/* In the arena, of the loop's thread alone (arena.h). */
void *secret_alloc(size_t n); /* zeroed; NULL when out of memory */
void secret_free(void *p);    /* wipes; NULL is fine */
bool secret_owns(const void *p);
/* Copies; clears the old one. 0 or -ENOMEM. */
int secret_set(struct secret *, const char *bytes, size_t n);
void secret_move(struct secret *to, struct secret *from);
void secret_clear(struct secret *);
/* Constant time in the contents; lengths may show. */
bool secret_equal(const struct secret *, const char *bytes, size_t n);
bool bytes_equal(const void *a, const void *b, size_t n); /* constant time */

/* Reads a secret from a file, without the trailing line end; at most `max` bytes. 0 or -errno, -EMSGSIZE,
 * -ENODATA. */
int secret_read_file(struct secret *, const char *path, size_t max);
#define SECRET_LINE_MAX 4096
/* The same for one line of text, such as a key that goes into a header: control characters and a byte-order
 * mark are refused (-EINVAL). `why` says in words what is wrong with the file. */
int secret_read_line(struct secret *, const char *path, char why[80]);

/* Zeroes memory in a way the compiler keeps. */
void wipe(void *p, size_t n);

#endif
