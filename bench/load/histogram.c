/* SPDX-License-Identifier: Apache-2.0 */
/*
 * histogram.c - latencies in log-linear buckets; see histogram.h.
 */
#include "load/histogram.h"

#include <stddef.h>

static size_t slot_of(uint64_t us)
{
    if (us < 32)
        return (size_t)us;
    unsigned power = 63u - (unsigned)__builtin_clzll(us); /* >= 5 */
    size_t slot = (size_t)(power - 4) * 32 + (size_t)((us >> (power - 5)) & 31);
    return slot < HISTOGRAM_SLOTS ? slot : HISTOGRAM_SLOTS - 1;
}

static uint64_t edge_of(size_t slot)
{
    if (slot < 32)
        return slot;
    size_t power = slot / 32 + 4;
    return ((uint64_t)(32 + slot % 32 + 1) << (power - 5)) - 1;
}

void histogram_add(struct histogram *h, uint64_t us)
{
    h->count[slot_of(us)]++;
    h->total++;
    if (us > h->max)
        h->max = us;
}

uint64_t histogram_percentile(const struct histogram *h, double percent)
{
    uint64_t want = (uint64_t)((double)h->total * percent / 100.0), seen = 0;

    for (size_t i = 0; i < HISTOGRAM_SLOTS; i++) {
        seen += h->count[i];
        if (seen > want || seen == h->total)
            return edge_of(i) < h->max ? edge_of(i) : h->max;
    }
    return h->max;
}
