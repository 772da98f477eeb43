/*
 * histogram.h - latencies in log-linear buckets: 32 per power of two, so a percentile is within 3 %.
 */
#ifndef LOAD_HISTOGRAM_H
#define LOAD_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_SLOTS (60 * 32)

struct histogram {
    uint64_t count[HISTOGRAM_SLOTS];
    uint64_t total, max;
};

void histogram_add(struct histogram *, uint64_t us);
uint64_t histogram_percentile(const struct histogram *, double percent); /* upper edge of the bucket, us */

#endif
