/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lease_index.c - an array in order of creation, and a hash of places in it.
 *
 * A lease has the low half of its number; the whole follows from the last one given, as no two leases that
 * live at a time are four thousand million numbers apart. The array is sorted by number, so a place is found
 * by halves, and a lease that leaves leaves a hole that still has the number. When half of the array is holes
 * it is closed up, and the hash is made anew: so both cost a constant on average. The hash holds four-byte
 * places instead of pointers. All this is small because every open lease pays for it.
 *
 * The remembered ids are a direct-mapped cache of hashes: constant size, and the last tens of thousands of
 * leases are nearly all in it. The place is one part of the hash, what stands there another: 48 bits of it
 * count. What it forgets is only how a stray request is recognised that turns up long after its lease has
 * ended.
 */
#include "broker/leases/lease_index.h"

#include "broker/leases/lease_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SLOT_LEFT  UINT32_MAX
#define REMEMBERED 65536U

static uint64_t id_hash(const char id[ID_SIZE])
{
    uint64_t h = 1469598103934665603U;

    for (const char *p = id; *p; p++)
        h = (h ^ (unsigned char)*p) * 1099511628211U;
    return h ^ (h >> 29);
}

void lease_index_free(struct lease_index *r)
{
    free(r->order);
    free(r->slots);
    free(r->remembered);
    *r = (struct lease_index){0};
}

/* ---- places ---- */

static bool is_hole(union lease_index_place p)
{
    return p.hole & 1;
}

static uint64_t whole(const struct lease_index *r, uint32_t low)
{
    return r->seq - (uint32_t)((uint32_t)r->seq - low);
}

static uint64_t number_at(const struct lease_index *r, size_t i)
{
    return whole(r, is_hole(r->order[i]) ? (uint32_t)(r->order[i].hole >> 1) : r->order[i].lease->number);
}

/* The first place whose number is at least this. */
static size_t place_of(const struct lease_index *r, uint64_t number)
{
    size_t low = 0, high = r->n;

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (number_at(r, middle) >= number)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

/* ---- by id ---- */

static void index_put(struct lease_index *r, const char *id, size_t place)
{
    size_t i = (size_t)id_hash(id) & (r->nslots - 1);

    while (r->slots[i] && r->slots[i] != SLOT_LEFT)
        i = (i + 1) & (r->nslots - 1);
    r->used += r->slots[i] == 0;
    r->slots[i] = (uint32_t)place + 1;
}

static size_t index_find(const struct lease_index *r, const char *id)
{
    size_t i = (size_t)id_hash(id) & (r->nslots - 1);

    for (; r->slots[i]; i = (i + 1) & (r->nslots - 1))
        if (r->slots[i] != SLOT_LEFT && strcmp(r->order[r->slots[i] - 1].lease->id, id) == 0)
            return i;
    return SIZE_MAX;
}

/* Room for `n` ids at a load of at most two thirds. */
static int index_rebuild(struct lease_index *r, size_t n)
{
    size_t nslots = 64;

    while (nslots * 2 < n * 3)
        nslots *= 2;
    uint32_t *slots = calloc(nslots, sizeof *slots);

    if (!slots)
        return -ENOMEM;
    free(r->slots);
    r->slots = slots;
    r->nslots = nslots;
    r->used = 0;
    for (size_t i = 0; i < r->n; i++)
        if (!is_hole(r->order[i]))
            index_put(r, r->order[i].lease->id, i);
    return 0;
}

/* ---- in order ---- */

static void close_up(struct lease_index *r)
{
    size_t to = 0;

    memset(r->slots, 0, r->nslots * sizeof *r->slots);
    r->used = 0;
    for (size_t i = 0; i < r->n; i++)
        if (!is_hole(r->order[i]))
            r->order[to++] = r->order[i];
    r->n = to;
    for (size_t i = 0; i < to; i++)
        index_put(r, r->order[i].lease->id, i);
}

static int grow(struct lease_index *r)
{
    size_t cap = r->cap + r->cap / 4 + 32;
    union lease_index_place *order = cap < SLOT_LEFT ? realloc(r->order, cap * sizeof *order) : NULL;

    if (!order)
        return -ENOMEM;
    r->order = order;
    r->cap = cap;
    return 0;
}

int lease_index_add(struct lease_index *r, struct lease *lease)
{
    if (r->n == r->cap && grow(r))
        return -ENOMEM;
    if ((r->used + 1) * 3 > r->nslots * 2 && index_rebuild(r, r->live + 1 + r->live / 8))
        return -ENOMEM;
    lease->number = (uint32_t)++r->seq;
    r->order[r->n].lease = lease;
    index_put(r, lease->id, r->n++);
    r->live++;
    return 0;
}

void lease_index_remove(struct lease_index *r, struct lease *lease)
{
    r->slots[index_find(r, lease->id)] = SLOT_LEFT;
    r->order[place_of(r, whole(r, lease->number))].hole = ((uint64_t)lease->number << 1) | 1;
    r->live--;
    while (r->n && is_hole(r->order[r->n - 1]))
        r->n--;
    if (r->n > 64 && r->live < r->n / 2)
        close_up(r);
}

struct lease *lease_index_find(const struct lease_index *r, const char id[ID_SIZE])
{
    size_t i = r->nslots ? index_find(r, id) : SIZE_MAX;

    return i == SIZE_MAX ? NULL : r->order[r->slots[i] - 1].lease;
}

struct lease *lease_index_after(const struct lease_index *r, uint64_t seq, uint64_t *own)
{
    size_t i = place_of(r, seq + 1);

    while (i < r->n && is_hole(r->order[i]))
        i++;
    if (i == r->n)
        return NULL;
    *own = number_at(r, i);
    return r->order[i].lease;
}

/* ---- ids of the past ---- */

void lease_index_remember(struct lease_index *r, const char id[ID_SIZE])
{
    uint64_t h = id_hash(id);

    if (!r->remembered)
        r->remembered = calloc(REMEMBERED, sizeof *r->remembered);
    if (r->remembered)
        r->remembered[h % REMEMBERED] = (uint32_t)(h >> 32);
}

bool lease_index_knows(const struct lease_index *r, const char id[ID_SIZE])
{
    uint64_t h = id_hash(id);

    return lease_index_find(r, id) || (r->remembered && r->remembered[h % REMEMBERED] == (uint32_t)(h >> 32));
}
