/* SPDX-License-Identifier: Apache-2.0 */
/*
 * records.c - the memory of records: chunks that grow, from which pieces are cut; see records.h.
 *
 * A chunk is twice as large as the one before it, from CHUNK_MIN to CHUNK_MAX; a piece that is larger gets a
 * chunk of its own. The list begins with the chunk that pieces are cut from. `used` counts what was asked
 * for, rounded up to the alignment.
 */
#include "reports/records.h"

#include "base/sanitized.h"

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_MIN  ((size_t)4096)
#define CHUNK_MAX  ((size_t)1024 * 1024)
#define ARRAY_ROOM ((size_t)4)

struct record_chunk {
    struct record_chunk *next;
    size_t size, used; /* of bytes[] */
    alignas(max_align_t) char bytes[];
};

/* A sanitizer reports an access to what was not handed out. */
#if SANITIZED
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(p, n)   ((void)(p), (void)(n))
#define ASAN_UNPOISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
#endif

/* 0 = too large. */
static size_t round_up(size_t bytes)
{
    const size_t align = alignof(max_align_t);

    if (bytes > SIZE_MAX / 2)
        return 0;
    return bytes == 0 ? align : (bytes + align - 1) / align * align;
}

static struct record_chunk *add_chunk(struct record_arena *a, size_t piece)
{
    size_t size = a->chunks && a->chunks->size < CHUNK_MAX ? a->chunks->size * 2 : CHUNK_MAX;

    if (!a->chunks)
        size = CHUNK_MIN;
    bool own = piece > size / 4;
    if (own)
        size = piece;
    struct record_chunk *c = calloc(1, sizeof(*c) + size);
    if (!c)
        return NULL;
    c->size = size;
    ASAN_POISON_MEMORY_REGION(c->bytes, size);
    if (own && a->chunks) { /* behind the first, which may have room for more */
        c->next = a->chunks->next;
        a->chunks->next = c;
    } else {
        c->next = a->chunks;
        a->chunks = c;
    }
    return c;
}

static void *alloc_rounded(struct record_arena *a, size_t asked, size_t piece)
{
    struct record_chunk *c = a->chunks;

    if (piece == 0 || (a->limit && (piece > a->limit || a->used > a->limit - piece)))
        return NULL;
    if (!c || c->size - c->used < piece)
        c = add_chunk(a, piece);
    if (!c)
        return NULL;
    char *p = c->bytes + c->used;
    c->used += piece;
    a->used += piece;
    ASAN_UNPOISON_MEMORY_REGION(p, asked);
    return p;
}

void *record_alloc(struct record_arena *a, size_t bytes)
{
    return alloc_rounded(a, bytes, round_up(bytes));
}

const char *record_text(struct record_arena *a, const char *bytes, size_t n)
{
    char *p = n < SIZE_MAX ? record_alloc(a, n + 1) : NULL;

    if (p && n)
        memcpy(p, bytes, n);
    return p;
}

void *record_append(struct record_arena *a, void *array, size_t *n, size_t *room, size_t size)
{
    char *elements;

    memcpy(&elements, array, sizeof(elements)); /* `array` is the address of a pointer of any type */
    if (*n == *room) {
        size_t more = *room ? *room * 2 : ARRAY_ROOM;
        if (*room > SIZE_MAX / 2 || more > SIZE_MAX / 4 / size)
            return NULL;
        char *moved = record_alloc(a, more * size);
        if (!moved)
            return NULL;
        if (*n)
            memcpy(moved, elements, *n * size);
        elements = moved;
        memcpy(array, &elements, sizeof(elements));
        *room = more;
    }
    return elements + (*n)++ * size;
}

void record_arena_free(struct record_arena *a)
{
    struct record_chunk *next;

    for (struct record_chunk *c = a->chunks; c; c = next) {
        next = c->next;
        ASAN_UNPOISON_MEMORY_REGION(c->bytes, c->size);
        free(c);
    }
    a->chunks = NULL;
    a->used = 0;
}
