/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wiping_alloc.c - malloc() whose free() wipes; see wiping_alloc.h.
 *
 * The size to wipe is asked of the allocator, which knows the whole block, so that what a library wrote
 * behind the size it once asked for goes as well.
 *
 * A TLS connection takes a buffer for each record it reads or writes and gives it back behind it, so that an
 * idle one holds neither memory nor what was in it. malloc() has no block of that size at hand; so the last
 * few are kept here, wiped, where the next record of any connection finds them. A place is emptied and filled
 * by one exchange each, which needs no lock.
 */
#include "base/memory/wiping_alloc.h"

#include <errno.h>
#include <malloc.h>
#include <openssl/crypto.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define KEPT_EACH 2 /* records are mostly read and written one after the other */

static struct kept {
    size_t least, size; /* asked for: more than `least`, at most `size`, which is what is taken */
    _Atomic(void *) block[KEPT_EACH];
} kept[] = {
    {.least = 2048, .size = 2304},   /* a record with a request */
    {.least = 16384, .size = 16896}, /* one of the largest size there is */
};

#define NKEPT (sizeof(kept) / sizeof(kept[0]))

void *wiping_alloc(size_t n)
{
    for (size_t i = 0; i < NKEPT; i++) {
        if (n <= kept[i].least || n > kept[i].size)
            continue;
        n = kept[i].size;
        for (size_t k = 0; k < KEPT_EACH; k++) {
            void *p = atomic_exchange(&kept[i].block[k], NULL);
            if (p)
                return p;
        }
    }
    return malloc(n);
}

/* True = it is kept. `have` is the whole block: none is kept that is smaller than the next one to ask
 * expects. */
static bool keep_block(void *p, size_t have)
{
    for (size_t i = 0; i < NKEPT; i++) {
        if (have < kept[i].size || have >= kept[i].size + 64)
            continue;
        for (size_t k = 0; k < KEPT_EACH; k++) {
            void *none = NULL;
            if (atomic_compare_exchange_strong(&kept[i].block[k], &none, p))
                return true;
        }
    }
    return false;
}

void *wiping_calloc(size_t n, size_t size)
{
    return calloc(n, size);
}

void wiping_free(void *p)
{
    if (!p)
        return;
    size_t have = malloc_usable_size(p);
    explicit_bzero(p, have);
    if (!keep_block(p, have))
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

char *wiping_strdup(const char *text)
{
    size_t n = strlen(text) + 1;
    char *copy = malloc(n);

    return copy ? memcpy(copy, text, n) : NULL;
}

static void *on_openssl_alloc(size_t n, const char *file, int line)
{
    (void)file;
    (void)line;
    return n ? wiping_alloc(n) : NULL;
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
