/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wiping_alloc.c - a realloc() and a free() that wipe; see wiping_alloc.h.
 *
 * The size to wipe comes from the allocator, which knows the whole block: what a library wrote behind the
 * size it once asked for is wiped as well.
 */
#include "base/memory/wiping_alloc.h"

#include <errno.h>
#include <malloc.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

void wiping_free(void *p)
{
    if (!p)
        return;
    explicit_bzero(p, malloc_usable_size(p));
    free(p);
}

void *wiping_realloc(void *p, size_t n)
{
    if (!p)
        return malloc(n);
    size_t have = malloc_usable_size(p);
    if (n && n <= have && n >= have / 2)
        return p;
    void *to = malloc(n ? n : 1);
    if (!to)
        return NULL;
    memcpy(to, p, have < n ? have : n);
    wiping_free(p);
    return to;
}

static void *on_openssl_alloc(size_t n, const char *file, int line)
{
    (void)file;
    (void)line;
    return n ? malloc(n) : NULL;
}

static void *on_openssl_realloc(void *p, size_t n, const char *file, int line)
{
    (void)file;
    (void)line;
    if (n)
        return wiping_realloc(p, n);
    wiping_free(p);
    return NULL;
}

static void on_openssl_free(void *p, const char *file, int line)
{
    (void)file;
    (void)line;
    wiping_free(p);
}

int wiping_alloc_give_openssl(void)
{
    return CRYPTO_set_mem_functions(on_openssl_alloc, on_openssl_realloc, on_openssl_free) == 1 ? 0 : -EBUSY;
}
