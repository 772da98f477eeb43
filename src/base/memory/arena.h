/*
 * arena.h - memory for secrets: locked, guarded, left out of cores, wiped when it is freed.
 *
 * An arena takes regions from the system as it needs them, up to its limit. Each region is between guard
 * pages, is locked into RAM (as far as RLIMIT_MEMLOCK lets it), left out of core dumps and empty in a forked
 * child. Blocks are zeroed, have a canary before and behind, and are zeroed again when they are released. A
 * broken canary, a second release of a block and the release of a foreign pointer end the process with one
 * line, since a stray write may have changed other memory too.
 *
 * One thread owns an arena, the one that made it. The loop has one thread, so no lock is needed; another
 * thread that calls it ends the process in the same way.
 */
#ifndef JG_BASE_MEMORY_ARENA_H
#define JG_BASE_MEMORY_ARENA_H

#include <stdbool.h>
#include <stddef.h>

struct arena;

struct arena_state {
    size_t limit;    /* bytes it may take from the system */
    size_t taken;    /* bytes taken */
    size_t unlocked; /* bytes of these that could not be locked */
    size_t blocks;   /* allocated */
};

struct arena *arena_new(size_t limit); /* NULL when out of memory; takes no region yet */
size_t arena_free(struct arena *);     /* wipes all; how many blocks were still allocated. NULL is fine */
void *arena_alloc(struct arena *, size_t n); /* NULL when the limit is reached or out of memory */
void arena_release(struct arena *, void *p); /* wipes; NULL is fine */
bool arena_owns(const struct arena *, const void *p);
void arena_limit(struct arena *, size_t limit); /* what is taken already stays */
void arena_state(const struct arena *, struct arena_state *);

#endif
