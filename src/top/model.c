/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model.c - rates and percentiles between two samples; see model.h.
 */
#include "top/model.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double parts[NPERCENTILES] = {0.5, 0.95, 0.99};

/* Operations by which a gateway is watched; this command asks for four of them itself. */
static const char *const watching[] = {"health", "livez", "readyz", "status", "metrics", "leases"};

void model_init(struct model *m)
{
    *m = (struct model){0};
}

static void drop_rows(struct model *m)
{
    free(m->operations);
    free(m->vaults);
    m->operations = m->vaults = NULL;
    m->noperations = 0;
}

void model_end(struct model *m)
{
    drop_rows(m);
    sample_free(m->now);
    sample_free(m->before);
    model_init(m);
}

/* ---- histograms ---- */

static double total_of(const struct histogram *h)
{
    return h->n ? h->count[h->n - 1] : 0;
}

/* Growth up to and including bucket i. */
static double growth(const struct histogram *before, const struct histogram *now, size_t i)
{
    bool same = before && before->n == now->n && total_of(before) <= total_of(now);

    return now->count[i] - (same ? before->count[i] : 0);
}

void histogram_add(struct histogram *sum, const struct histogram *h)
{
    if (!sum->n)
        *sum = *h;
    else
        for (size_t i = 0; i < sum->n && i < h->n; i++)
            sum->count[i] += h->count[i];
}

double histogram_quantile(const struct histogram *before, const struct histogram *now, double q)
{
    double total = now->n ? growth(before, now, now->n - 1) : 0;
    double rank = q * total, below = 0;
    size_t i = 0;

    if (total <= 0)
        return -1;
    while (i + 1 < now->n && growth(before, now, i) < rank)
        i++;
    if (isinf(now->le[i]))
        return (double)INFINITY;
    double from = i ? now->le[i - 1] : 0;
    if (i)
        below = growth(before, now, i - 1);
    double inside = growth(before, now, i) - below;
    return inside > 0 ? from + (now->le[i] - from) * (rank - below) / inside : now->le[i];
}

/* ---- rows ---- */

static double counter_growth(double before, double now)
{
    return now >= before ? now - before : now;
}

static struct rate_row rate_of(const struct model *m, const char *name, const struct histogram *before,
                               const struct histogram *now, double failed_before, double failed)
{
    struct rate_row row = {.name = name, .known = m->before && m->interval_s > 0, .total = total_of(now)};

    row.bound = now->n > 1 ? now->le[now->n - 2] : 0;
    for (size_t p = 0; p < NPERCENTILES; p++)
        row.seconds[p] = row.known ? histogram_quantile(before, now, parts[p]) : -1;
    if (!row.known)
        return row;
    row.per_s = counter_growth(before ? total_of(before) : 0, total_of(now)) / m->interval_s;
    row.failed_per_s = counter_growth(failed_before, failed) / m->interval_s;
    return row;
}

/* The counters of the sample before are those of the same process. */
static bool continues(const struct model *m)
{
    return m->before && strcmp(m->before->started_at, m->now->started_at) == 0;
}

static const struct operation_sample *operation_before(const struct model *m, const char *name)
{
    for (size_t i = 0; continues(m) && i < m->before->noperations; i++)
        if (strcmp(m->before->operations[i].name, name) == 0)
            return &m->before->operations[i];
    return NULL;
}

static const struct vault_sample *vault_before(const struct model *m, const char *name)
{
    for (size_t i = 0; continues(m) && i < m->before->nvaults; i++)
        if (strcmp(m->before->vaults[i].name, name) == 0)
            return &m->before->vaults[i];
    return NULL;
}

static bool only_watches(const char *name)
{
    for (size_t i = 0; i < sizeof(watching) / sizeof(watching[0]); i++)
        if (strcmp(watching[i], name) == 0)
            return true;
    return false;
}

static void add_operations(struct model *m)
{
    struct histogram all = {.n = 0}, all_before = {.n = 0};
    double failed = 0, failed_before = 0;

    for (size_t i = 0; i < m->now->noperations; i++) {
        const struct operation_sample *op = &m->now->operations[i];
        const struct operation_sample *was = operation_before(m, op->name);

        if (only_watches(op->name) || total_of(&op->duration) <= 0)
            continue;
        m->operations[m->noperations++] = rate_of(m, op->name, was ? &was->duration : NULL, &op->duration,
                                                  was ? was->failed : 0, op->failed);
        histogram_add(&all, &op->duration);
        failed += op->failed;
        if (was)
            histogram_add(&all_before, &was->duration);
        failed_before += was ? was->failed : 0;
    }
    m->all = rate_of(m, "all", &all_before, &all, failed_before, failed);
}

static void add_vaults(struct model *m)
{
    for (size_t i = 0; i < m->now->nvaults; i++) {
        const struct vault_sample *v = &m->now->vaults[i], *was = vault_before(m, v->name);

        m->vaults[i] =
            rate_of(m, v->name, was ? &was->duration : NULL, &v->duration, was ? was->failed : 0, v->failed);
    }
}

int model_take(struct model *m, struct sample *s)
{
    struct rate_row *operations = calloc(s->noperations + 1, sizeof(*operations));
    struct rate_row *vaults = calloc(s->nvaults + 1, sizeof(*vaults));

    if (!operations || !vaults) {
        free(operations);
        free(vaults);
        sample_free(s);
        return -ENOMEM;
    }
    drop_rows(m);
    sample_free(m->before);
    m->before = m->now;
    m->now = s;
    m->operations = operations;
    m->vaults = vaults;
    m->interval_s = m->before ? (double)(s->at_ms - m->before->at_ms) / 1000 : 0;
    add_operations(m);
    add_vaults(m);
    return 0;
}
