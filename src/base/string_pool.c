/* SPDX-License-Identifier: Apache-2.0 */
/*
 * string_pool.c - chunks of texts, the newest first.
 *
 * Small lists get small chunks: most answers have a row or two, and are kept for a while. The size doubles
 * from chunk to chunk up to CHUNK_BYTES; a longer text gets a chunk of its own size.
 */
#include "base/string_pool.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_FIRST ((size_t)112)
#define CHUNK_BYTES ((size_t)16 * 1024)

struct string_pool {
    struct string_pool *next;
    size_t used, size;
    char bytes[];
};

static struct string_pool *chunk_new(size_t want, const struct string_pool *before)
{
    size_t size = before ? before->size * 2 : CHUNK_FIRST;
    struct string_pool *chunk;

    if (size > CHUNK_BYTES)
        size = CHUNK_BYTES;
    if (size < want)
        size = want;
    chunk = malloc(sizeof(*chunk) + size);
    if (chunk) {
        chunk->used = 0;
        chunk->size = size;
    }
    return chunk;
}

int string_pool_keep(struct string_pool **all, const char **text)
{
    struct string_pool *chunk = *all;
    size_t n;

    if (!*text)
        return 0;
    n = strlen(*text) + 1;
    if (!chunk || chunk->size - chunk->used < n) {
        chunk = chunk_new(n, chunk);
        if (!chunk)
            return -ENOMEM;
        chunk->next = *all;
        *all = chunk;
    }
    memcpy(chunk->bytes + chunk->used, *text, n);
    *text = chunk->bytes + chunk->used;
    chunk->used += n;
    return 0;
}

void string_pool_free(struct string_pool *chunk)
{
    for (struct string_pool *next; chunk; chunk = next) {
        next = chunk->next;
        free(chunk);
    }
}
