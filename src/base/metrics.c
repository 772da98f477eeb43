/* SPDX-License-Identifier: Apache-2.0 */
/*
 * metrics.c - counters, gauges and histograms; see metrics.h.
 *
 * One list, families together, in the order of their first registration.
 */
#include "base/metrics.h"

#include <inttypes.h>
#include <math.h>
#include <stddef.h>
#include <string.h>

static struct metric *first;

static const struct {
    uint64_t us;
    const char *le;
} buckets[METRIC_BUCKETS] = {
    {1000, "0.001"},  {2500, "0.0025"}, {5000, "0.005"},  {10000, "0.01"},  {25000, "0.025"},
    {50000, "0.05"},  {100000, "0.1"},  {250000, "0.25"}, {500000, "0.5"},  {1000000, "1"},
    {2500000, "2.5"}, {5000000, "5"},   {10000000, "10"}, {30000000, "30"},
};

void metric_register(struct metric *m)
{
    struct metric **end = &first, **family_end = NULL;

    for (; *end; end = &(*end)->next) {
        if (*end == m)
            return;
        if (strcmp((*end)->name, m->name) == 0)
            family_end = &(*end)->next;
    }
    struct metric **at = family_end ? family_end : end;
    m->next = *at;
    *at = m;
}

void metric_unregister(struct metric *m)
{
    for (struct metric **p = &first; *p; p = &(*p)->next) {
        if (*p != m)
            continue;
        *p = m->next;
        m->next = NULL;
        return;
    }
}

void metric_unregister_all(void)
{
    first = NULL;
}

void metric_observe_us(struct metric *m, uint64_t us)
{
    size_t i = 0;

    while (i < METRIC_BUCKETS && us > buckets[i].us)
        i++;
    m->count[i]++;
    m->sum += (double)us / 1e6;
}

static void put_value(struct buf *b, double v)
{
    if (v >= -9e15 && v <= 9e15 && floor(v) >= v)
        (void)buf_printf(b, " %" PRId64 "\n", (int64_t)v);
    else
        (void)buf_printf(b, fabs(v) >= 1e6 ? " %.3f\n" : " %.9g\n", v);
}

static void put_name(struct buf *b, const struct metric *m, const char *suffix, const char *le)
{
    (void)buf_printf(b, "%s%s", m->name, suffix);
    if (!m->labels && !le)
        return;
    (void)buf_printf(b, "{%s%s", m->labels ? m->labels : "", m->labels && le ? "," : "");
    if (le)
        (void)buf_printf(b, "le=\"%s\"", le);
    (void)buf_char(b, '}');
}

static void put_histogram(struct buf *b, const struct metric *m)
{
    uint64_t total = 0;
    size_t nbounds = 0;

    while (m->le ? m->le[nbounds] != NULL : nbounds < METRIC_BUCKETS)
        nbounds++;
    for (size_t i = 0; i <= nbounds; i++) {
        total += m->count[i];
        put_name(b, m, "_bucket", i == nbounds ? "+Inf" : m->le ? m->le[i] : buckets[i].le);
        put_value(b, (double)total);
    }
    put_name(b, m, "_sum", NULL);
    put_value(b, m->sum);
    put_name(b, m, "_count", NULL);
    put_value(b, (double)total);
}

void metrics_render(struct buf *b)
{
    static const char *const kinds[] = {"counter", "gauge", "histogram"};
    const char *family = "";

    for (const struct metric *m = first; m; m = m->next) {
        if (strcmp(family, m->name) != 0)
            (void)buf_printf(b, "# HELP %s %s\n# TYPE %s %s\n", m->name, m->help, m->name, kinds[m->kind]);
        family = m->name;
        if (m->kind == METRIC_HISTOGRAM) {
            put_histogram(b, m);
            continue;
        }
        put_name(b, m, "", NULL);
        put_value(b, m->read ? m->read(m->arg) : m->value);
    }
}
