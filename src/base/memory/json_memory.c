/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json_memory.c - where cJSON's trees live; see json_memory.h.
 *
 * A tree is built at once and freed at once, but cJSON allocates it in dozens of small pieces and frees each
 * by itself. So the pieces of a tree are cut off slabs, one behind the other; freeing a piece only
 * counts, and with its last piece a slab is wiped and freed. A large piece has a slab of its own. A secret
 * tree's slabs are in secret memory.
 *
 * cJSON's allocation hook does not name the tree. Each thread builds one tree at a time.
 *
 * Invariants: a pointer to its slab is in front of each piece. `live` is the number of pieces not given back;
 * the slab that new pieces are cut from is kept when `live` is 0.
 */
#include "base/memory/json_memory.h"

#include "base/container_of.h"
#include "base/memory/secret.h"

#include <cJSON.h>
#include <stdint.h>
#include <stdlib.h>

#define SLAB_MOST ((size_t)16 * 1024)

struct slab {
    size_t size, used; /* of bytes */
    size_t live;
    bool secret;
    bool cutting;
    char bytes[] __attribute__((aligned(8)));
};

/* The longest that malloc() still takes from the thread's own cache of glibc. */
#define SLAB_LEAST (1032 - sizeof(struct slab))

struct piece {
    struct slab *slab;
    char bytes[] __attribute__((aligned(8)));
};

static _Thread_local struct {
    struct slab *slab; /* to cut from */
    size_t slab_size;  /* 0 = no tree is being built */
    bool secret;
} tree;

static struct slab *slab_new(size_t size)
{
    size_t whole = sizeof(struct slab) + size;
    struct slab *s = tree.secret ? secret_alloc(whole) : malloc(whole);

    if (s)
        *s = (struct slab){.size = size, .secret = tree.secret};
    return s;
}

static void slab_free(struct slab *s)
{
    if (s->secret) {
        secret_free(s); /* wipes */
        return;
    }
    wipe(s->bytes, s->used);
    free(s);
}

/* The slab in work is full, or the tree complete. */
static void leave_slab(void)
{
    struct slab *s = tree.slab;

    tree.slab = NULL;
    if (!s)
        return;
    s->cutting = false;
    if (!s->live)
        slab_free(s);
}

static void *cut_piece(struct slab *s, size_t whole)
{
    struct piece *p = (struct piece *)(void *)(s->bytes + s->used);

    s->used += whole;
    s->live++;
    p->slab = s;
    return p->bytes;
}

static void *on_alloc(size_t n)
{
    if (n > SIZE_MAX / 2)
        return NULL;
    size_t whole = (sizeof(struct piece) + n + 7) & ~(size_t)7;
    struct slab *s = tree.slab;

    if (s && s->size - s->used >= whole)
        return cut_piece(s, whole);
    bool alone = whole > tree.slab_size / 4;
    s = slab_new(alone ? whole : tree.slab_size);
    if (!s)
        return NULL;
    if (!alone) {
        leave_slab();
        tree.slab = s;
        s->cutting = true;
    }
    return cut_piece(s, whole);
}

static void on_free(void *bytes)
{
    if (!bytes)
        return;
    struct piece *p = CONTAINER_OF(bytes, struct piece, bytes);
    struct slab *s = p->slab;

    if (--s->live == 0 && !s->cutting)
        slab_free(s);
}

void json_memory_init(void)
{
    cJSON_Hooks hooks = {.malloc_fn = on_alloc, .free_fn = on_free};

    cJSON_InitHooks(&hooks);
}

void json_memory_begin(size_t text_len, bool secret)
{
    size_t size = text_len < SLAB_MOST / 4 ? text_len * 4 : SLAB_MOST;

    tree.slab_size = size < SLAB_LEAST ? SLAB_LEAST : size;
    tree.secret = secret;
}

void json_memory_end(void)
{
    leave_slab();
    tree.slab_size = 0;
    tree.secret = false;
}
