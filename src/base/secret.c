/* SPDX-License-Identifier: Apache-2.0 */
/*
 * secret.c - where secrets live, and how they go.
 *
 * One allocator for all of them, so that a stricter home (locked, guarded, left out of cores) is a change of
 * secret_alloc() and secret_free() alone.
 */
#include "base/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void wipe(void *p, size_t n)
{
    if (p && n)
        explicit_bzero(p, n);
}

void *secret_alloc(size_t n)
{
    return malloc(n ? n : 1);
}

void secret_free(void *p, size_t n)
{
    wipe(p, n);
    free(p);
}

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
        secret_free(s->p, s->len + 1);
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
    int fd = open(path, O_RDONLY | O_CLOEXEC);
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
    secret_free(bytes, size);
    return err;
}
