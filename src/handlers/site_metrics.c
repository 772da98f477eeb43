/* SPDX-License-Identifier: Apache-2.0 */
/*
 * site_metrics.c - the PRA site on the /metrics page; see site_metrics.h.
 *
 * Each counter of the view has a metric of its own, which is given the view's number before a page is
 * written. No lsid, user or host is a label; of Jumpoints only the configured names are.
 */
#include "handlers/site_metrics.h"

#include "backends/pra/site.h"
#include "base/metrics.h"
#include "conf/conf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LABELS_SIZE 64
#define NCOUNTS                                                                                              \
    (PRA_NCALLS * PRA_NOUTCOMES + PRA_NEVENTS * PRA_NEVENT_OUTCOMES + 2 * PRA_NSOURCES + PRA_NTERMINATIONS + \
     1)

struct count {
    struct metric metric;
    const uint64_t *value; /* in the view; NULL = of a call's outcome */
    enum pra_call_kind call;
    enum pra_outcome outcome;
    char labels[LABELS_SIZE];
};

struct site_metrics {
    const struct pra_site *site;
    const struct conf *conf;
    struct pra_site_view view;
    struct count counts[NCOUNTS];
    size_t ncounts;
    struct metric durations[PRA_NCALLS];
    char calls[PRA_NCALLS][LABELS_SIZE];
    struct metric up, skew, success_age, cursor_age;
};

static struct count *__attribute__((format(printf, 5, 6)))
add_count(struct site_metrics *m, const char *name, const char *help, const uint64_t *value, const char *fmt,
          ...)
{
    struct count *c = &m->counts[m->ncounts++];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(c->labels, sizeof(c->labels), fmt, ap);
    va_end(ap);
    c->value = value;
    c->metric = (struct metric){
        .name = name, .help = help, .kind = METRIC_COUNTER, .labels = *c->labels ? c->labels : NULL};
    metric_register(&c->metric);
    return c;
}

static void add_gauge(struct metric *gauge, const char *name, const char *help)
{
    *gauge = (struct metric){.name = name, .help = help, .kind = METRIC_GAUGE};
    metric_register(gauge);
}

static void add_calls(struct site_metrics *m)
{
    for (int call = 0; call < PRA_NCALLS; call++)
        for (int outcome = 0; outcome < PRA_NOUTCOMES; outcome++) {
            struct count *c =
                add_count(m, "jumpgate_pra_calls_total", "Calls to the PRA site by their outcome.", NULL,
                          "call=\"%s\",outcome=\"%s\"", pra_call_name(call), pra_outcome_name(outcome));
            c->call = (enum pra_call_kind)call;
            c->outcome = (enum pra_outcome)outcome;
        }
    for (int call = 0; call < PRA_NCALLS; call++) {
        (void)snprintf(m->calls[call], sizeof(m->calls[call]), "call=\"%s\"", pra_call_name(call));
        m->durations[call] = (struct metric){.name = "jumpgate_pra_call_duration_seconds",
                                             .help = "How long calls to the PRA site took.",
                                             .kind = METRIC_HISTOGRAM,
                                             .labels = m->calls[call]};
        metric_register(&m->durations[call]);
    }
    (void)add_count(m, "jumpgate_pra_tokens_total", "Tokens that the PRA site granted.", &m->view.tokens,
                    "%s", "");
}

static void add_ends(struct site_metrics *m)
{
    for (int event = 0; event < PRA_NEVENTS; event++)
        for (int outcome = 0; outcome < PRA_NEVENT_OUTCOMES; outcome++)
            (void)add_count(m, "jumpgate_pra_events_total", "Outbound events of the PRA site that came in.",
                            &m->view.events[event][outcome], "event=\"%s\",outcome=\"%s\"",
                            pra_event_name(event), pra_event_outcome_name(outcome));
    for (int source = 0; source < PRA_NSOURCES; source++)
        (void)add_count(m, "jumpgate_pra_sessions_ended_total",
                        "PRA sessions with leases that ended, by what reported it.",
                        &m->view.sessions_ended[source], "source=\"%s\"", pra_source_name(source));
    for (int source = 0; source < PRA_NSOURCES; source++)
        (void)add_count(m, "jumpgate_pra_early_releases_total",
                        "Leases that ended because their PRA session had.", &m->view.leases_ended[source],
                        "source=\"%s\"", pra_source_name(source));
    for (int outcome = 0; outcome < PRA_NTERMINATIONS; outcome++)
        (void)add_count(m, "jumpgate_pra_terminations_total", "PRA sessions that an operator asked to end.",
                        &m->view.terminations[outcome], "outcome=\"%s\"", pra_termination_name(outcome));
}

struct site_metrics *site_metrics_new(const struct pra_site *site, const struct conf *conf)
{
    struct site_metrics *m = calloc(1, sizeof(*m));

    if (!m)
        return NULL;
    m->site = site;
    m->conf = conf;
    add_gauge(&m->up, "jumpgate_pra_up", "1 while the PRA site answers (states up and degraded).");
    add_gauge(&m->skew, "jumpgate_pra_clock_skew_seconds", "The PRA site's clock minus ours; 0 = not known.");
    add_gauge(&m->success_age, "jumpgate_pra_last_success_age_seconds",
              "Since the PRA site's last valid answer; -1 = never.");
    add_gauge(&m->cursor_age, "jumpgate_pra_cursor_age_seconds",
              "How far back the time lies up to which ended sessions are known; -1 = not known.");
    add_calls(m);
    add_ends(m);
    return m;
}

void site_metrics_free(struct site_metrics *m)
{
    free(m);
}

void site_metrics_read(struct site_metrics *m)
{
    struct pra_site_view *v = &m->view;

    pra_site_view(m->site, v);
    m->up.value = v->state == PRA_STATE_UP || v->state == PRA_STATE_DEGRADED;
    m->skew.value = v->has_skew ? (double)v->skew_ms / 1000 : 0;
    m->success_age.value = v->has_success ? (double)v->last_success_age_ms / 1000 : -1;
    m->cursor_age.value = v->cursor_ms ? (double)v->cursor_age_ms / 1000 : -1;
    for (size_t i = 0; i < m->ncounts; i++) {
        struct count *c = &m->counts[i];
        c->metric.value = (double)(c->value ? *c->value : v->counts[c->call].outcomes[c->outcome]);
    }
    for (int call = 0; call < PRA_NCALLS; call++) {
        memcpy(m->durations[call].count, v->counts[call].duration.count, sizeof(m->durations[call].count));
        m->durations[call].sum = v->counts[call].duration.sum;
    }
}

/* A label's value: backslash, quote and line end are escaped. */
static void put_label(struct buf *page, const char *text)
{
    for (; *text; text++) {
        if (*text == '\\' || *text == '"')
            (void)buf_char(page, '\\');
        (void)buf_char(page, *text);
    }
}

static bool is_connected(const struct pra_site_view *v, const char *name)
{
    for (size_t i = 0; v->jumpoints && i < v->njumpoints; i++)
        if (strcmp(v->jumpoints[i].name, name) == 0)
            return v->jumpoints[i].connected;
    return false;
}

void site_metrics_jumpoints(const struct site_metrics *m, struct buf *page)
{
    const struct conf_list *names = &m->conf->pras[0].jumpoints.names;

    if (!names->n || !m->view.jumpoints)
        return;
    (void)buf_str(page,
                  "# HELP jumpgate_pra_jumpoint_connected 1 while the Jumpoint is connected to the site.\n"
                  "# TYPE jumpgate_pra_jumpoint_connected gauge\n");
    for (size_t i = 0; i < names->n; i++) {
        (void)buf_str(page, "jumpgate_pra_jumpoint_connected{jumpoint=\"");
        put_label(page, names->item[i]);
        (void)buf_printf(page, "\"} %d\n", is_connected(&m->view, names->item[i]));
    }
}
