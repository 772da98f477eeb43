/*
 * arena.h - memory for secrets: locked, guarded, left out of cores, wiped when it is freed.
 *
 * An arena takes regions from the system as it needs them, up to its limit. Each region lies between guard
 * pages, is locked into RAM (as far as RLIMIT_MEMLOCK lets it), left out of core dumps and empty in a forked
 * child. Blocks come zeroed, carry canaries before and behind, and are zero again when they are given back. A
 * broken canary, a block given back twice and a pointer that is none of ours end the process with one clear
 * line, since a stray write there may have hit other memory too.
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
    size_t blocks;   /* given out */
};

struct arena *arena_new(size_t limit);       /* NULL when out of memory; takes no region yet */
size_t arena_free(struct arena *);           /* wipes all; how many blocks were still out. NULL is fine */
void *arena_alloc(struct arena *, size_t n); /* NULL when the limit is reached or memory is out */
void arena_release(struct arena *, void *p); /* wipes; NULL is fine */
bool arena_owns(const struct arena *, const void *p);
void arena_limit(struct arena *, size_t limit); /* what is taken already stays */
void arena_state(const struct arena *, struct arena_state *);

#endif
