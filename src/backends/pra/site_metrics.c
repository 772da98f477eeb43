/* SPDX-License-Identifier: Apache-2.0 */
/*
 * site_metrics.c - the metrics of a site, registered as long as it lives.
 *
 * Nothing is counted here: each metric reads a number of the site when it is scraped. The histograms are the
 * client's. Labels are from the tables below and the configured names of Jumpoints; no session, user or host
 * is one.
 */
#include "backends/pra/site_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define LABELS_MAX (6 * PRA_TEXT_LETTERS + 32)

struct pra_metric {
    struct metric metric;
    const uint64_t *count;            /* of a counter */
    const struct pra_site *site;      /* of a gauge */
    struct pra_jumpoint_view *wanted; /* of a gauge of one Jumpoint */
    char *labels;
};

struct pra_metrics {
    struct pra_metric *rows;
    size_t n, room;
    struct pra_call_counts *histograms; /* whose `duration` is registered */
    char *histogram_labels[PRA_NCALLS];
};

/* ---- gauges ---- */

static double read_up(void *arg)
{
    const struct pra_site *site = ((struct pra_metric *)arg)->site;

    return site->state == PRA_STATE_UP || site->state == PRA_STATE_DEGRADED;
}

static double read_skew(void *arg)
{
    return (double)((struct pra_metric *)arg)->site->skew_ms / 1000;
}

static double read_success_age(void *arg)
{
    const struct pra_site *site = ((struct pra_metric *)arg)->site;

    return site->has_success ? (double)(clock_now(site->clock) - site->success_at_ms) / 1000 : -1;
}

static double read_cursor_age(void *arg)
{
    const struct pra_site *site = ((struct pra_metric *)arg)->site;
    int64_t age = pra_site_wall(site) - site->poll.cursor_ms;

    return site->poll.cursor_ms ? (double)(age > 0 ? age : 0) / 1000 : -1;
}

static double read_count(void *arg)
{
    return (double)*((struct pra_metric *)arg)->count;
}

static double read_jumpoint(void *arg)
{
    const struct pra_metric *m = arg;
    const struct pra_site *site = m->site;

    for (size_t i = 0; site->has_jumpoints && i < site->jumpoints.n; i++)
        if (!strcmp(site->jumpoints.rows[i].name, m->wanted->name))
            return site->jumpoints.rows[i].connected;
    return 0;
}

/* ---- registering ---- */

/* `labels` NULL = none; a metric that finds no memory is left out. */
static struct pra_metric *add(struct pra_metrics *all, const char *name, const char *help,
                              enum metric_kind kind, const char *labels)
{
    struct pra_metric *m = all->n < all->room ? &all->rows[all->n] : NULL;

    if (!m)
        return NULL;
    m->labels = labels ? strdup(labels) : NULL;
    if (labels && !m->labels)
        return NULL;
    m->metric = (struct metric){.name = name, .help = help, .kind = kind, .labels = m->labels, .arg = m};
    all->n++;
    return m;
}

static void add_gauge(const struct pra_site *site, const char *name, const char *help,
                      double (*read)(void *arg))
{
    struct pra_metric *m = add(site->metrics, name, help, METRIC_GAUGE, NULL);

    if (!m)
        return;
    m->site = site;
    m->metric.read = read;
    metric_register(&m->metric);
}

static void add_count(const struct pra_site *site, const char *name, const char *help, const char *labels,
                      const uint64_t *count)
{
    struct pra_metric *m = add(site->metrics, name, help, METRIC_COUNTER, labels);

    if (!m)
        return;
    m->count = count;
    m->metric.read = read_count;
    metric_register(&m->metric);
}

static void add_calls(const struct pra_site *site)
{
    struct pra_call_counts *counts = pra_client_counts(site->client);
    char labels[96];

    for (int k = 0; k < PRA_NCALLS; k++) {
        for (int o = 0; o < PRA_NOUTCOMES; o++) {
            (void)snprintf(labels, sizeof(labels), "call=\"%s\",outcome=\"%s\"",
                           pra_call_name((enum pra_call_kind)k), pra_outcome_name((enum pra_outcome)o));
            add_count(site, "jumpgate_pra_calls_total", "Calls to the PRA site.", labels,
                      &counts[k].outcomes[o]);
        }
    }
}

static void add_durations(const struct pra_site *site)
{
    struct pra_metrics *all = site->metrics;
    char labels[64];

    all->histograms = pra_client_counts(site->client);
    for (int k = 0; k < PRA_NCALLS; k++) {
        struct metric *m = &all->histograms[k].duration;
        (void)snprintf(labels, sizeof(labels), "call=\"%s\"", pra_call_name((enum pra_call_kind)k));
        all->histogram_labels[k] = strdup(labels);
        if (!all->histogram_labels[k])
            continue;
        m->name = "jumpgate_pra_call_duration_seconds";
        m->help = "Time of calls to the PRA site, from sending to the answer or failure.";
        m->kind = METRIC_HISTOGRAM;
        m->labels = all->histogram_labels[k];
        metric_register(m);
    }
}

static void add_events(const struct pra_site *site)
{
    char labels[64];

    for (int e = 0; e < PRA_NEVENTS; e++) {
        for (int o = 0; o < PRA_NEVENT_OUTCOMES; o++) {
            (void)snprintf(labels, sizeof(labels), "event=\"%s\",outcome=\"%s\"",
                           pra_event_name((enum pra_event_kind)e),
                           pra_event_outcome_name((enum pra_event_outcome)o));
            add_count(site, "jumpgate_pra_events_total", "Events of the PRA site.", labels,
                      &site->events[e][o]);
        }
    }
}

static void add_ends(const struct pra_site *site)
{
    char labels[64];

    for (int s = 0; s < PRA_NSOURCES; s++) {
        (void)snprintf(labels, sizeof(labels), "source=\"%s\"", pra_source_name((enum pra_end_source)s));
        add_count(site, "jumpgate_pra_sessions_ended_total",
                  "Sessions with leases that are proven to have ended.", labels, &site->sessions_ended[s]);
    }
    for (int s = 0; s < PRA_NSOURCES; s++) {
        (void)snprintf(labels, sizeof(labels), "source=\"%s\"", pra_source_name((enum pra_end_source)s));
        add_count(site, "jumpgate_pra_early_releases_total", "Leases ended because their session had ended.",
                  labels, &site->leases_ended[s]);
    }
    for (int o = 0; o < PRA_NTERMINATIONS; o++) {
        (void)snprintf(labels, sizeof(labels), "outcome=\"%s\"",
                       pra_termination_name((enum pra_termination_outcome)o));
        add_count(site, "jumpgate_pra_terminations_total", "Sessions that an operator asked to terminate.",
                  labels, &site->termination_counts[o]);
    }
}

/* A name goes between quotes. */
static void label_jumpoint(char *out, size_t size, const char *name)
{
    size_t at = (size_t)snprintf(out, size, "jumpoint=\"");

    for (; *name && at + 4 < size; name++) {
        if (*name == '"' || *name == '\\')
            out[at++] = '\\';
        out[at++] = *name;
    }
    out[at++] = '"';
    out[at] = '\0';
}

static void add_jumpoints(const struct pra_site *site)
{
    char labels[LABELS_MAX];

    for (size_t i = 0; i < site->wanted.n; i++) {
        label_jumpoint(labels, sizeof(labels), site->wanted.rows[i].name);
        struct pra_metric *m =
            add(site->metrics, "jumpgate_pra_jumpoint_connected",
                "Whether a configured Jumpoint is connected; 0 also while that is not known.", METRIC_GAUGE,
                labels);
        if (!m)
            return;
        m->site = site;
        m->wanted = &site->wanted.rows[i];
        m->metric.read = read_jumpoint;
        metric_register(&m->metric);
    }
}

int pra_site_metrics_start(struct pra_site *site)
{
    size_t room = 5 + (size_t)PRA_NCALLS * PRA_NOUTCOMES + (size_t)PRA_NEVENTS * PRA_NEVENT_OUTCOMES +
                  2 * PRA_NSOURCES + PRA_NTERMINATIONS + site->wanted.n;

    site->metrics = calloc(1, sizeof(*site->metrics));
    if (!site->metrics)
        return -ENOMEM;
    site->metrics->rows = calloc(room, sizeof(*site->metrics->rows));
    if (!site->metrics->rows) {
        pra_site_metrics_stop(site);
        return -ENOMEM;
    }
    site->metrics->room = room;
    add_gauge(site, "jumpgate_pra_up", "1 while the PRA site answers and serves (up, degraded).", read_up);
    add_gauge(site, "jumpgate_pra_clock_skew_seconds", "The PRA site's clock less the gateway's.", read_skew);
    add_gauge(site, "jumpgate_pra_last_success_age_seconds",
              "Since the PRA site's last valid answer; -1 = never.", read_success_age);
    add_gauge(site, "jumpgate_pra_cursor_age_seconds",
              "How far back sessions may have ended unseen; -1 = no cursor.", read_cursor_age);
    add_count(site, "jumpgate_pra_tokens_total", "Tokens granted by the PRA site.", NULL,
              pra_client_tokens(site->client));
    add_calls(site);
    add_durations(site);
    add_events(site);
    add_ends(site);
    add_jumpoints(site);
    return 0;
}

void pra_site_metrics_stop(struct pra_site *site)
{
    struct pra_metrics *all = site->metrics;

    if (!all)
        return;
    for (size_t i = 0; i < all->n; i++) {
        metric_unregister(&all->rows[i].metric);
        free(all->rows[i].labels);
    }
    for (int k = 0; all->histograms && k < PRA_NCALLS; k++) {
        metric_unregister(&all->histograms[k].duration);
        free(all->histogram_labels[k]);
    }
    free(all->rows);
    free(all);
    site->metrics = NULL;
}
