/* SPDX-License-Identifier: Apache-2.0 */
/*
 * secret.c - the memory of secrets: one arena, wiped when a secret is cleared; see secret.h.
 *
 * One arena for the process. Libraries that copy secrets into memory of their own wipe it when they free it
 * (wiping_alloc.h); what that leaves open is in docs/security.md.
 */
#include "base/memory/secret.h"

#include "base/memory/wiping_alloc.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define DEFAULT_LIMIT (64U * 1024 * 1024)
#define KEYS_SIZE     (256U * 1024) /* OpenSSL's own locked memory, for private keys */
#define KEYS_SMALLEST 32

static struct arena *arena; /* NULL until the first use */

void wipe(void *p, size_t n)
{
    if (p && n)
        explicit_bzero(p, n);
}

/* ---- the arena ---- */

int secret_init(void)
{
    int err = wiping_alloc_give_openssl();

    if (!err)
        (void)CRYPTO_secure_malloc_init(KEYS_SIZE, KEYS_SMALLEST); /* without it keys are in plain memory */
    return err;
}

/* As much as the system grants; the capability to lock without limit may be given up later. */
static uint64_t raise_lock_limit(uint64_t wanted)
{
    struct rlimit limit, more;

    if (getrlimit(RLIMIT_MEMLOCK, &limit) != 0)
        return 0;
    if (limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur >= wanted)
        return limit.rlim_cur;
    more = (struct rlimit){wanted, limit.rlim_max < wanted ? wanted : limit.rlim_max};
    if (setrlimit(RLIMIT_MEMLOCK, &more) == 0)
        return wanted;
    limit.rlim_cur = limit.rlim_max;
    return setrlimit(RLIMIT_MEMLOCK, &limit) == 0 ? limit.rlim_cur : 0;
}

int secret_open(size_t limit, char why[256])
{
    uint64_t wanted = (uint64_t)limit + KEYS_SIZE;
    uint64_t may_lock = raise_lock_limit(wanted);

    why[0] = '\0';
    if (may_lock < wanted)
        (void)snprintf(why, 256,
                       "RLIMIT_MEMLOCK lets %" PRIu64 " of %" PRIu64
                       " kB be locked; what is beyond may be swapped out: raise LimitMEMLOCK, lower "
                       "secret_memory, or encrypt the swap",
                       may_lock / 1024, wanted / 1024);
    if (arena)
        arena_limit(arena, limit);
    else
        arena = arena_new(limit);
    return arena ? 0 : -ENOMEM;
}

size_t secret_close(void)
{
    size_t left = arena_free(arena);

    arena = NULL;
    return left;
}

void secret_state(struct arena_state *out)
{
    *out = (struct arena_state){0};
    if (arena)
        arena_state(arena, out);
}

void *secret_alloc(size_t n)
{
    if (!arena)
        arena = arena_new(DEFAULT_LIMIT);
    return arena ? arena_alloc(arena, n) : NULL;
}

void secret_free(void *p)
{
    if (p)
        arena_release(arena, p);
}

bool secret_owns(const void *p)
{
    return arena && arena_owns(arena, p);
}

/* ---- one secret ---- */

int secret_set(struct secret *s, const char *bytes, size_t n)
{
    char *p = secret_alloc(n + 1);

    if (!p)
        return -ENOMEM;
    if (n)
        memcpy(p, bytes, n);
    p[n] = '\0';
    secret_clear(s);
    s->p = p;
    s->len = n;
    return 0;
}

void secret_move(struct secret *to, struct secret *from)
{
    secret_clear(to);
    *to = *from;
    *from = (struct secret){0};
}

void secret_clear(struct secret *s)
{
    if (s->p)
        secret_free(s->p);
    *s = (struct secret){0};
}

bool bytes_equal(const void *a, const void *b, size_t n)
{
    return CRYPTO_memcmp(a, b, n) == 0;
}

bool secret_equal(const struct secret *s, const char *bytes, size_t n)
{
    return s->p && s->len == n && bytes_equal(s->p, bytes, n);
}

static ssize_t read_all(int fd, char *to, size_t size)
{
    size_t n = 0;

    while (n < size) {
        ssize_t got = read(fd, to + n, size - n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -errno;
        if (got == 0)
            break;
        n += (size_t)got;
    }
    return (ssize_t)n;
}

int secret_read_file(struct secret *s, const char *path, size_t max)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO without a writer is not waited for */
    if (fd < 0)
        return -errno;

    size_t size = max + 3; /* a line end, and one byte to notice what is too long */
    char *bytes = secret_alloc(size);
    if (!bytes) {
        (void)close(fd);
        return -ENOMEM;
    }
    ssize_t n = read_all(fd, bytes, size);
    (void)close(fd);
    while (n > 0 && (bytes[n - 1] == '\n' || bytes[n - 1] == '\r'))
        n--;

    int err = n < 0 ? (int)n : n == 0 ? -ENODATA : 0;
    if (!err && (size_t)n > max)
        err = -EMSGSIZE;
    if (!err && memchr(bytes, '\0', (size_t)n))
        err = -EINVAL;
    if (!err)
        err = secret_set(s, bytes, (size_t)n);
    secret_free(bytes);
    return err;
}

/* What a secret that is to be one line of text must not hold; NULL = nothing of it. */
static const char *not_a_line(const struct secret *s)
{
    if (s->len >= 3 && memcmp(s->p, "\xef\xbb\xbf", 3) == 0)
        return "begins with a byte-order mark: save it without";
    for (size_t i = 0; i < s->len; i++)
        if ((unsigned char)s->p[i] < 0x20 || s->p[i] == 0x7f)
            return s->p[i] == '\n' ? "holds more than one line" : "holds a control character";
    return NULL;
}

int secret_read_line(struct secret *s, const char *path, char why[80])
{
    int err = secret_read_file(s, path, SECRET_LINE_MAX);
    const char *fault = err == -EINVAL    ? "holds a zero byte: save it as plain text"
                        : err == -ENODATA ? "holds nothing but line ends"
                        : err             ? strerror(-err)
                                          : not_a_line(s);

    if (err == -EMSGSIZE)
        (void)snprintf(why, 80, "is longer than %d bytes", SECRET_LINE_MAX);
    else
        (void)snprintf(why, 80, "%s", fault ? fault : "");
    if (!err && fault) {
        secret_clear(s);
        err = -EINVAL;
    }
    return err;
}
