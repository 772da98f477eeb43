/* SPDX-License-Identifier: Apache-2.0 */
/*
 * request_metrics.c - counters of requests: by operation and status, their duration by operation.
 *
 * A counter is made with its first request, so that the page has the combinations that have occurred and
 * not every possible one.
 *
 * Metrics point into this table: the end of the program unregisters all of them before
 * request_metrics_free(). Not here: gauges and the page itself (metrics_page.c).
 */
#include "base/metrics.h"
#include "handlers/gateway.h"

#include <stdio.h>
#include <stdlib.h>

#define LABELS_SIZE 160

struct counter { /* requests of one operation that ended with one status */
    struct counter *next;
    int status;
    char labels[LABELS_SIZE];
    struct metric metric;
};

struct operation {
    struct counter *counters;
    char labels[LABELS_SIZE];
    struct metric latency;
};

struct request_metrics {
    const struct route *rows;
    size_t nrows;
    struct operation *operations; /* one of each row */
    struct metric refused_callers;
};

static void add_latencies(struct request_metrics *m)
{
    for (size_t i = 0; i < m->nrows; i++) {
        struct operation *op = &m->operations[i];
        snprintf(op->labels, sizeof(op->labels), "operation=\"%s\"", m->rows[i].operation);
        op->latency = (struct metric){.name = "jumpgate_request_duration_seconds",
                                      .help = "From the head of a request to its answer.",
                                      .kind = METRIC_HISTOGRAM,
                                      .labels = op->labels};
        metric_register(&op->latency);
    }
}

struct request_metrics *request_metrics_new(const struct route *rows, size_t nrows)
{
    struct request_metrics *m = calloc(1, sizeof(*m));
    if (!m)
        return NULL;
    m->rows = rows;
    m->nrows = nrows;
    m->operations = calloc(nrows, sizeof(*m->operations));
    if (!m->operations) {
        request_metrics_free(m);
        return NULL;
    }
    m->refused_callers = (struct metric){.name = "jumpgate_authentication_failures_total",
                                         .help = "Requests of callers that no client section matches.",
                                         .kind = METRIC_COUNTER};
    metric_register(&m->refused_callers);
    add_latencies(m);
    return m;
}

void request_metrics_free(struct request_metrics *m)
{
    if (!m)
        return;
    for (size_t i = 0; m->operations && i < m->nrows; i++) {
        struct counter *c, *next;
        for (c = m->operations[i].counters; c; c = next) {
            next = c->next;
            free(c);
        }
    }
    free(m->operations);
    free(m);
}

static struct counter *counter_of(struct operation *op, const struct route *route, int status)
{
    struct counter *c = op->counters;
    while (c && c->status != status)
        c = c->next;
    if (c)
        return c;
    c = calloc(1, sizeof(*c));
    if (!c)
        return NULL;
    c->status = status;
    snprintf(c->labels, sizeof(c->labels), "operation=\"%s\",status=\"%d\"", route->operation, status);
    c->metric = (struct metric){.name = "jumpgate_requests_total",
                                .help = "Requests by operation and answered status; 499 = the client left.",
                                .kind = METRIC_COUNTER,
                                .labels = c->labels};
    metric_register(&c->metric);
    c->next = op->counters;
    op->counters = c;
    return c;
}

void gateway_count(struct gateway *gw, const struct route *route, int status, uint64_t took_us)
{
    struct operation *op = &gw->requests->operations[route - gw->requests->rows];
    struct counter *c = counter_of(op, route, status);

    if (c) /* without memory the request is not counted */
        metric_add(&c->metric, 1);
    metric_observe_us(&op->latency, took_us);
}

void gateway_count_refused_caller(struct gateway *gw)
{
    metric_add(&gw->requests->refused_callers, 1);
}
