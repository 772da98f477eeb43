/*
 * metrics.h - counters, gauges and histograms, rendered as Prometheus text 0.0.4.
 *
 * A metric is a static object registered once; its labels are a ready-made text (`operation="find"`), so that
 * counting is one addition. Values of one family (same name) are registered one after the other and share
 * HELP and TYPE. Base units: seconds, bytes. Single-threaded.
 */
#ifndef JG_BASE_METRICS_H
#define JG_BASE_METRICS_H

#include "base/buf.h"

#include <stdint.h>

enum metric_kind { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

#define METRIC_BUCKETS 14 /* 1 ms .. 30 s, and +Inf */

struct metric {
    const char *name; /* "jumpgate_requests_total" */
    const char *help;
    enum metric_kind kind;
    const char *labels; /* NULL = none; otherwise `k="v",k2="v2"`; static or owned by the registrant */
    double value;
    double (*read)(void *arg); /* gauge asked at scrape time; NULL = `value` */
    void *arg;
    const char *const *le; /* histogram: its bounds in seconds, ended by NULL; NULL = the usual ones */
    uint64_t count[METRIC_BUCKETS + 1];
    double sum;
    struct metric *next;
};

void metric_register(struct metric *);   /* not twice; families stay together whatever the order */
void metric_unregister(struct metric *); /* one that is not registered is fine */
void metric_unregister_all(void);
static inline void metric_add(struct metric *m, double n)
{
    m->value += n;
}
void metric_observe_us(struct metric *, uint64_t us); /* histogram */
void metrics_render(struct buf *);

#endif
