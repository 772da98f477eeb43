/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cluster_metrics.c - the steps of a shared store by their outcome, and its round trips, in /metrics; see
 * cluster_state.h.
 *
 * Not here: the figures with one value each (metrics_page.c).
 */
#include "handlers/cluster_state.h"

#include "base/metrics.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STEP_LABELS_SIZE 64

static const char *const outcomes[STORE_NOUTCOMES] = {"applied", "otherwise", "away"};

static_assert(STORE_TRIP_BUCKETS - 1 <= METRIC_BUCKETS, "a metric has room for the store's buckets");

struct cluster_metrics {
    struct metric steps[STEP_NKINDS][STORE_NOUTCOMES];
    char labels[STEP_NKINDS][STORE_NOUTCOMES][STEP_LABELS_SIZE];
    struct metric trips;
    char bounds[STORE_TRIP_BUCKETS - 1][16];
    const char *le[STORE_TRIP_BUCKETS];
};

static void register_steps(struct cluster_metrics *m)
{
    for (size_t kind = 0; kind < STEP_NKINDS; kind++)
        for (size_t o = 0; o < STORE_NOUTCOMES; o++) {
            (void)snprintf(m->labels[kind][o], STEP_LABELS_SIZE, "step=\"%s\",outcome=\"%s\"",
                           store_step_rules[kind].name, outcomes[o]);
            m->steps[kind][o] = (struct metric){.name = "jumpgate_store_steps_total",
                                                .help = "Steps of a shared store by outcome; away: not done.",
                                                .kind = METRIC_COUNTER,
                                                .labels = m->labels[kind][o]};
            metric_register(&m->steps[kind][o]);
        }
}

static void register_trips(struct cluster_metrics *m)
{
    for (size_t i = 0; i < STORE_TRIP_BUCKETS - 1; i++) {
        (void)snprintf(m->bounds[i], sizeof(m->bounds[i]), "%g", store_trip_bounds_ms[i] / 1000.0);
        m->le[i] = m->bounds[i];
    }
    m->trips = (struct metric){.name = "jumpgate_store_round_trip_seconds",
                               .help = "Time of a call to etcd.",
                               .kind = METRIC_HISTOGRAM,
                               .le = m->le};
    metric_register(&m->trips);
}

struct cluster_metrics *cluster_metrics_new(void)
{
    struct cluster_metrics *m = calloc(1, sizeof(*m));

    if (!m)
        return NULL;
    register_steps(m);
    register_trips(m);
    return m;
}

void cluster_metrics_read(struct cluster_metrics *m, const struct store_cluster *c)
{
    for (size_t kind = 0; kind < STEP_NKINDS; kind++)
        for (size_t o = 0; o < STORE_NOUTCOMES; o++)
            m->steps[kind][o].value = (double)c->outcomes[kind][o];
    memcpy(m->trips.count, c->trips, sizeof(c->trips));
    m->trips.sum = (double)c->trips_sum_us / 1e6;
}

void cluster_metrics_free(struct cluster_metrics *m)
{
    free(m);
}
