/*
 * model.h - what the screen shows of a gateway: the newest sample, and rates and percentiles since the one
 * before it.
 *
 * Life: model_init() -> model_take() with each sample -> model_end(). The model owns its samples.
 *
 * A rate is the growth of a counter by the time between two samples. Where the gateway has started
 * between them, or a counter is smaller than before, its growth is its value. A percentile is interpolated
 * within the bucket of the histogram's growth in which its rank is, as Prometheus' histogram_quantile() does.
 */
#ifndef JG_TOP_MODEL_H
#define JG_TOP_MODEL_H

#include "top/sample.h"

enum percentile { P50, P95, P99, NPERCENTILES };

struct rate_row {
    const char *name;
    bool known;   /* false before the second sample: the rates are 0 */
    double per_s; /* calls that ended */
    double failed_per_s;
    double seconds[NPERCENTILES]; /* negative = nothing ended; infinite = beyond the last bound */
    double bound;                 /* the last one that is finite */
    double total;                 /* calls since the gateway's start */
};

struct model {
    struct sample *now, *before; /* NULL = none yet */
    struct rate_row
        *operations; /* that have occurred, in the order of the page, without those that only watch */
    size_t noperations;
    struct rate_row all;     /* those together */
    struct rate_row *vaults; /* in the order of now->vaults */
    double interval_s;       /* between the two samples */
};

void model_init(struct model *);
void model_end(struct model *);
/* Takes over the sample. 0 or -ENOMEM: the sample is freed, the model is as before. */
int model_take(struct model *, struct sample *);

/* The value below which the part `q` (0 to 1) of the growth from `before` to `now` is; `before` NULL = all
 * of it. Negative where nothing grew; infinite where the rank is in the last bucket, which has no bound. */
double histogram_quantile(const struct histogram *before, const struct histogram *now, double q);
/* Adds the buckets, which have the same bounds. */
void histogram_add(struct histogram *sum, const struct histogram *h);

#endif
