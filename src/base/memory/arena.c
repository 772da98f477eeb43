/* SPDX-License-Identifier: Apache-2.0 */
/*
 * arena.c - memory for secrets; see arena.h.
 *
 *   region   [guard][span][span]...[span][guard]     from mmap, 16 spans, or as many as one large block needs
 *   span     [struct span][block][block]...          64 kB, aligned to its size, blocks of one class
 *   block    [struct block][n bytes][canary]...      aligned to 16
 *
 * The alignment of spans gives the span of a pointer, so freeing needs no search and no size. Each class has
 * a list of its spans with space; an empty span returns to the list that all classes share, unless it is the
 * last of its class with space. Allocating and freeing are a few steps each, whatever the size of the arena.
 * A region of spans is kept until the arena is freed; the region of a large block is freed with the block. A
 * span is made when it is needed, so a region uses no memory beyond its spans.
 *
 * Invariants: a free block is all zero behind its head. The canary before a block is made of its address, its
 * size and a random number; a free block has the complement. The descriptions of regions are outside of the
 * regions: in a forked child the regions are empty, and the child may only make an arena of its own.
 *
 * Under AddressSanitizer all memory outside of allocated blocks is poisoned, so the sanitizer detects the
 * same errors as with malloc().
 */
#include "base/memory/arena.h"

#include "base/crash_message.h"
#include "base/sanitized.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/queue.h>
#include <sys/random.h>
#include <unistd.h>

#if SANITIZED
#include <sanitizer/asan_interface.h>
#define HIDE(p, n) ASAN_POISON_MEMORY_REGION(p, n)
#define SHOW(p, n) ASAN_UNPOISON_MEMORY_REGION(p, n)
#else
#define HIDE(p, n) ((void)(p), (void)(n))
#define SHOW(p, n) ((void)(p), (void)(n))
#endif

#define SPAN_SIZE    65536U
#define REGION_SPANS 16U
#define SPAN_MAGIC   UINT64_C(0x7370616e6a756d70)
#define TAIL         sizeof(uint64_t)

/* Sizes of blocks, head and canary included. Buffers double: a power of two with head and canary has a class.
 */
/* clang-format off */
static const uint32_t class_size[] = {
    48, 64, 96, 128, 160, 192, 256, 320, 384, 512, 640, 768, 1024, 1280, 1536, 2048, 2560, 3072, 4096,
    5120, 6144, 8192, 10240, 13088, 16368, 21824, 32736, 65472,
};
/* clang-format on */
#define NCLASSES (sizeof(class_size) / sizeof(class_size[0]))

struct block {
    uint32_t size; /* as requested */
    uint32_t next; /* free: number of the next free block of the span + 1, 0 = none */
    uint64_t canary;
};

struct span {
    uint64_t magic;
    struct region *region;
    LIST_ENTRY(span) link; /* spans of the class with room, or free spans */
    uint32_t class;
    uint32_t used;  /* allocated blocks */
    uint32_t fresh; /* blocks from this number on were never allocated */
    uint32_t free;  /* first free block + 1, 0 = none */
    uint64_t unused[2];
};
_Static_assert(sizeof(struct span) == 64, "blocks must be aligned to 16");
_Static_assert(sizeof(struct block) == 16, "blocks must be aligned to 16");

struct region {
    LIST_ENTRY(region) link;
    char *map; /* guards included */
    size_t mapped;
    char *base;
    size_t size;
    size_t made; /* bytes from the start that are spans; the bytes behind them were never written */
    bool locked;
};

struct arena {
    LIST_HEAD(, region) regions;
    LIST_HEAD(span_list, span) free_spans;
    struct span_list with_room[NCLASSES];
    struct region *filling; /* the latest region of spans; NULL = none */
    size_t limit, taken, unlocked, blocks;
    uint64_t secret; /* the random part of canaries */
    pthread_t owner;
};

/* Says why and aborts: after a stray write no memory of the process can be trusted. */
__attribute__((noreturn)) static void die_corrupt(const char *why)
{
    crash_message("secret memory", why);
    abort();
}

static void check_thread(const struct arena *a)
{
    if (!pthread_equal(a->owner, pthread_self()))
        die_corrupt("used by a thread that does not own it");
}

/* ---- regions ---- */

/* A refusal of the system (old kernel, RLIMIT_MEMLOCK) weakens the protection and does not stop the service.
 */
static void protect_pages(struct region *r)
{
    (void)madvise(r->base, r->size, MADV_DONTDUMP);
    (void)madvise(r->base, r->size, MADV_WIPEONFORK);
    r->locked = mlock2(r->base, r->size, MLOCK_ONFAULT) == 0 || mlock(r->base, r->size) == 0;
}

static int map_pages(struct region *r, size_t nspans)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);

    r->size = nspans * SPAN_SIZE;
    r->mapped = page + SPAN_SIZE + r->size + page;
    r->map = mmap(NULL, r->mapped, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (r->map == MAP_FAILED)
        return -ENOMEM;
    size_t skip = page + (SPAN_SIZE - ((uintptr_t)r->map + page) % SPAN_SIZE) % SPAN_SIZE;
    r->base = r->map + skip;
    if (mprotect(r->base, r->size, PROT_READ | PROT_WRITE) != 0) {
        (void)munmap(r->map, r->mapped);
        return -ENOMEM;
    }
    protect_pages(r);
    return 0;
}

static struct region *region_new(struct arena *a, size_t nspans)
{
    if (nspans > (SIZE_MAX / 2) / SPAN_SIZE || a->taken + nspans * SPAN_SIZE > a->limit)
        return NULL;
    struct region *r = calloc(1, sizeof(*r));
    if (!r)
        return NULL;
    if (map_pages(r, nspans)) {
        free(r);
        return NULL;
    }
    LIST_INSERT_HEAD(&a->regions, r, link);
    a->taken += r->size;
    a->unlocked += r->locked ? 0 : r->size;
    return r;
}

static void region_free(struct arena *a, struct region *r)
{
    LIST_REMOVE(r, link);
    a->taken -= r->size;
    a->unlocked -= r->locked ? 0 : r->size;
    SHOW(r->base, r->size);
    explicit_bzero(r->base, r->made);
    (void)munmap(r->map, r->mapped);
    free(r);
}

/* ---- spans ---- */

static struct span *span_at(char *base, struct region *r)
{
    struct span *s = (struct span *)(void *)base;

    SHOW(s, sizeof(*s));
    *s = (struct span){.magic = SPAN_MAGIC, .region = r};
    return s;
}

/* A region for spans: of the usual size, smaller near the limit. */
static struct region *region_of_spans(struct arena *a)
{
    size_t room = a->limit > a->taken ? (a->limit - a->taken) / SPAN_SIZE : 0;
    struct region *r = room ? region_new(a, room < REGION_SPANS ? room : REGION_SPANS) : NULL;

    if (r)
        HIDE(r->base, r->size);
    return r;
}

static struct span *span_new(struct arena *a)
{
    struct region *r = a->filling;

    if (!r || r->made == r->size)
        r = a->filling = region_of_spans(a);
    if (!r)
        return NULL;
    r->made += SPAN_SIZE;
    return span_at(r->base + r->made - SPAN_SIZE, r);
}

static struct span *span_take(struct arena *a, uint32_t class)
{
    struct span *s = LIST_FIRST(&a->free_spans);

    if (s)
        LIST_REMOVE(s, link);
    else if (!(s = span_new(a)))
        return NULL;
    s->class = class;
    s->used = s->fresh = s->free = 0;
    LIST_INSERT_HEAD(&a->with_room[class], s, link);
    return s;
}

static uint32_t span_blocks(const struct span *s)
{
    return (SPAN_SIZE - (uint32_t)sizeof(struct span)) / class_size[s->class];
}

static struct block *block_at(struct span *s, uint32_t number)
{
    return (struct block *)(void *)((char *)(s + 1) + (size_t)number * class_size[s->class]);
}

static bool span_full(const struct span *s)
{
    return !s->free && s->fresh == span_blocks(s);
}

/* Returns the span to the shared list. Its blocks are zeroed: another class has their heads at other places.
 */
static void span_retire(struct arena *a, struct span *s)
{
    size_t written = (size_t)s->fresh * class_size[s->class];

    LIST_REMOVE(s, link);
    SHOW(s + 1, written);
    explicit_bzero(s + 1, written);
    HIDE(s + 1, SPAN_SIZE - sizeof(*s));
    LIST_INSERT_HEAD(&a->free_spans, s, link);
}

/* ---- blocks ---- */

static uint64_t canary_of(const struct arena *a, const struct block *b)
{
    return a->secret ^ (uint64_t)(uintptr_t)b ^ ((uint64_t)b->size << 32);
}

/* Writes head and canary, and unpoisons the bytes between them. */
static void *block_open(const struct arena *a, struct block *b, size_t n)
{
    char *bytes = (char *)(b + 1);

    b->size = (uint32_t)n;
    b->canary = canary_of(a, b);
    SHOW(bytes, n + TAIL);
    memcpy(bytes + n, &b->canary, TAIL);
    HIDE(bytes + n, TAIL);
    return bytes;
}

/* Checks both canaries and wipes the block. */
static void block_close(const struct arena *a, struct block *b)
{
    uint64_t before = canary_of(a, b), behind = 0;
    char *bytes = (char *)(b + 1);

    if (b->canary == ~before)
        die_corrupt("a block was given back twice");
    if (b->canary != before)
        die_corrupt("the canary before a block is broken");
    SHOW(bytes, b->size + TAIL);
    memcpy(&behind, bytes + b->size, TAIL);
    if (behind != before)
        die_corrupt("the canary behind a block is broken");
    explicit_bzero(bytes, b->size + TAIL);
    HIDE(bytes, b->size + TAIL);
    b->canary = ~before;
}

static void *take_small(struct arena *a, uint32_t class, size_t n)
{
    struct span *s = LIST_FIRST(&a->with_room[class]);

    if (!s && !(s = span_take(a, class)))
        return NULL;
    uint32_t number = s->free ? s->free - 1 : s->fresh++;
    struct block *b = block_at(s, number);
    if (s->free) {
        if (b->canary != ~canary_of(a, b))
            die_corrupt("a free block was written to");
        s->free = b->next;
    } else {
        SHOW(b, sizeof(*b));
    }
    s->used++;
    if (span_full(s))
        LIST_REMOVE(s, link);
    return block_open(a, b, n);
}

static void *take_large(struct arena *a, size_t n)
{
    size_t whole = sizeof(struct span) + sizeof(struct block) + n + TAIL;
    struct region *r = n < UINT32_MAX ? region_new(a, (whole + SPAN_SIZE - 1) / SPAN_SIZE) : NULL;

    if (!r)
        return NULL;
    r->made = r->size;
    struct span *s = span_at(r->base, r);
    s->class = NCLASSES;
    return block_open(a, (struct block *)(void *)(s + 1), n);
}

void *arena_alloc(struct arena *a, size_t n)
{
    uint32_t class = 0;
    size_t whole = sizeof(struct block) + n + TAIL;

    check_thread(a);
    while (class < NCLASSES && class_size[class] < whole)
        class ++;
    void *p = whole < n ? NULL : class < NCLASSES ? take_small(a, class, n) : take_large(a, n);
    a->blocks += p != NULL;
    return p;
}

static void release_small(struct arena *a, struct span *s, struct block *b)
{
    size_t offset = (size_t)((char *)b - (char *)(s + 1));
    bool was_full = span_full(s);

    if (offset % class_size[s->class])
        die_corrupt("a pointer into a block was given back");
    block_close(a, b);
    b->next = s->free;
    s->free = (uint32_t)(offset / class_size[s->class]) + 1;
    s->used--;
    if (was_full)
        LIST_INSERT_HEAD(&a->with_room[s->class], s, link);
    if (s->used || (LIST_FIRST(&a->with_room[s->class]) == s && !LIST_NEXT(s, link)))
        return;
    span_retire(a, s);
}

void arena_release(struct arena *a, void *p)
{
    if (!p)
        return;
    check_thread(a);
    struct span *s = (struct span *)((uintptr_t)p & ~(uintptr_t)(SPAN_SIZE - 1));
    if (!arena_owns(a, p))
        die_corrupt("a pointer that is not its own was given back");
    if (s->magic != SPAN_MAGIC)
        die_corrupt("the head of a span is broken");
    a->blocks--;
    if (s->class < NCLASSES) {
        release_small(a, s, (struct block *)p - 1);
        return;
    }
    block_close(a, (struct block *)p - 1);
    region_free(a, s->region);
}

/* A linear search: there is one region for each megabyte. */
bool arena_owns(const struct arena *a, const void *p)
{
    const struct region *r;
    uintptr_t at = (uintptr_t)p;

    LIST_FOREACH(r, &a->regions, link)
    if (at >= (uintptr_t)r->base && at < (uintptr_t)r->base + r->made)
        return true;
    return false;
}

/* ---- life ---- */

struct arena *arena_new(size_t limit)
{
    struct arena *a = calloc(1, sizeof(*a));

    if (!a)
        return NULL;
    if (getrandom(&a->secret, sizeof(a->secret), 0) != (ssize_t)sizeof(a->secret)) {
        free(a);
        return NULL;
    }
    a->limit = limit;
    a->owner = pthread_self();
    return a;
}

size_t arena_free(struct arena *a)
{
    struct region *r;
    size_t left = a ? a->blocks : 0;

    if (!a)
        return 0;
    check_thread(a);
    while ((r = LIST_FIRST(&a->regions)))
        region_free(a, r);
    explicit_bzero(a, sizeof(*a));
    free(a);
    return left;
}

void arena_limit(struct arena *a, size_t limit)
{
    a->limit = limit;
}

void arena_state(const struct arena *a, struct arena_state *out)
{
    *out = (struct arena_state){
        .limit = a->limit, .taken = a->taken, .unlocked = a->unlocked, .blocks = a->blocks};
}
