/* SPDX-License-Identifier: Apache-2.0 */
/*
 * heap.c - malloc() whose free() wipes; see heap.h.
 *
 * The size to wipe is asked of the allocator, which knows the whole block, so that what a library wrote
 * behind the size it once asked for goes as well.
 */
#include "base/heap.h"

#include <errno.h>
#include <malloc.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

void *heap_alloc(size_t n)
{
    return malloc(n);
}

void *heap_calloc(size_t n, size_t size)
{
    return calloc(n, size);
}

void heap_free(void *p)
{
    if (p)
        explicit_bzero(p, malloc_usable_size(p));
    free(p);
}

void *heap_realloc(void *p, size_t n)
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
    heap_free(p);
    return to;
}

char *heap_strdup(const char *text)
{
    size_t n = strlen(text) + 1;
    char *copy = malloc(n);

    return copy ? memcpy(copy, text, n) : NULL;
}

static void *on_openssl_alloc(size_t n, const char *file, int line)
{
    (void)file;
    (void)line;
    return n ? heap_alloc(n) : NULL;
}

static void *on_openssl_realloc(void *p, size_t n, const char *file, int line)
{
    (void)file;
    (void)line;
    if (n)
        return heap_realloc(p, n);
    heap_free(p);
    return NULL;
}

static void on_openssl_free(void *p, const char *file, int line)
{
    (void)file;
    (void)line;
    heap_free(p);
}

int heap_give_openssl(void)
{
    return CRYPTO_set_mem_functions(on_openssl_alloc, on_openssl_realloc, on_openssl_free) == 1 ? 0 : -EBUSY;
}
