/* SPDX-License-Identifier: Apache-2.0 */
/*
 * metrics_page.c - the /metrics page, and the gauges read while it is written.
 *
 * A row of a table below makes one gauge: of the gateway, of each vault, of the lease store, of the audit
 * trail, of the process. Its value is read when the page is written; nothing is kept here between two pages.
 *
 * Metrics point into the gateway: the end of the program unregisters all of them before gateway_free().
 * Not here: counters of requests (request_metrics.c); what the loop and the backends count, which register
 * their own.
 */
#include "base/log.h"
#include "base/metrics.h"
#include "handlers/gateway.h"
#include "handlers/process.h"

#include <stdio.h>
#include <stdlib.h>

#define GAUGE_LABELS_SIZE 160

struct gauge { /* a row of a table below, registered */
    struct metric metric;
    char labels[GAUGE_LABELS_SIZE];
};

struct gateway_metrics {
    struct gauge *gauges;
    size_t ngauges;
    struct metric build_info;
    struct broker_state broker; /* as of this scrape: asking walks every lease */
};

struct gauge_row {
    const char *name, *help;
    enum metric_kind kind;
    double (*read)(void *of);
};

static double read_inflight(void *of)
{
    return (double)((const struct gateway *)of)->inflight;
}

static double read_draining(void *of)
{
    return ((const struct gateway *)of)->draining;
}

static double read_log_left_out(void *of)
{
    (void)of;
    return (double)log_left_out();
}

static double read_connections(void *of)
{
    const struct gateway *gw = of;
    return gw->server ? (double)http_connections(gw->server) : 0;
}

static struct http_strangers strangers_of(void *of)
{
    const struct gateway *gw = of;
    struct http_strangers s = {0};

    if (gw->server)
        http_strangers(gw->server, &s);
    return s;
}

static double read_strangers(void *of)
{
    return (double)strangers_of(of).connections;
}

static double read_stranger_bytes(void *of)
{
    return (double)strangers_of(of).bytes;
}

static double read_closed_for_room(void *of)
{
    return (double)strangers_of(of).closed[HTTP_FOR_CONNECTIONS];
}

static double read_closed_for_bytes(void *of)
{
    return (double)strangers_of(of).closed[HTTP_FOR_BYTES];
}

static double read_lines_left_out(void *of)
{
    return (double)((const struct gateway *)of)->stranger_lines.total;
}

static double read_certificate_end(void *of)
{
    const struct gateway *gw = of;
    return gw->server ? (double)http_certificate_end(gw->server) : 0;
}

static double read_loop_lag(void *of)
{
    return loop_lag_ms(((const struct gateway *)of)->loop) / 1000;
}

static double read_start_time(void *of)
{
    return (double)((const struct gateway *)of)->started_wall_ms / 1000;
}

static const struct broker_state *broker_of(void *of)
{
    return &((const struct gateway *)of)->metrics->broker;
}

static double read_leases_active(void *of)
{
    return (double)broker_of(of)->leases_active;
}

static double read_leases_releasing(void *of)
{
    return (double)broker_of(of)->leases_releasing;
}

static double read_leases_retrying(void *of)
{
    return (double)broker_of(of)->leases_retrying;
}

static double read_overdue(void *of)
{
    return (double)broker_of(of)->oldest_overdue_ms / 1000;
}

static double read_broker_ops(void *of)
{
    return (double)broker_of(of)->ops;
}

static double read_checkouts(void *of)
{
    return (double)broker_of(of)->checkouts;
}

static double read_releases(void *of)
{
    return (double)broker_of(of)->releases;
}

static double read_lapsed(void *of)
{
    return (double)broker_of(of)->lapsed;
}

static double read_cache_hits(void *of)
{
    return (double)broker_of(of)->cache_hits;
}

static double read_coalesced(void *of)
{
    return (double)broker_of(of)->coalesced;
}

static const struct gauge_row gateway_rows[] = {
    {"jumpgate_requests_in_flight", "Operations admitted and not yet answered.", METRIC_GAUGE, read_inflight},
    {"jumpgate_draining", "1 while the gateway shuts down.", METRIC_GAUGE, read_draining},
    {"jumpgate_connections", "Open client connections.", METRIC_GAUGE, read_connections},
    {"jumpgate_stranger_connections", "Open connections that have shown no client.", METRIC_GAUGE,
     read_strangers},
    {"jumpgate_stranger_bytes", "Bytes that their unfinished requests hold.", METRIC_GAUGE,
     read_stranger_bytes},
    {"jumpgate_stranger_lines_left_out_total", "Lines about unknown callers that the log was spared.",
     METRIC_COUNTER, read_lines_left_out},
    {"jumpgate_certificate_end_timestamp_seconds", "Earliest end of a listener's certificate; 0 = no TLS.",
     METRIC_GAUGE, read_certificate_end},
    {"jumpgate_loop_lag_seconds", "Worst time the loop lately spent in one turn.", METRIC_GAUGE,
     read_loop_lag},
    {"jumpgate_start_time_seconds", "When the gateway started, since 1970.", METRIC_GAUGE, read_start_time},
    {"jumpgate_broker_operations", "Operations the broker works on, those without a client included.",
     METRIC_GAUGE, read_broker_ops},
    {"jumpgate_lease_oldest_overdue_seconds", "How long the oldest lease is past its end and not checked in.",
     METRIC_GAUGE, read_overdue},
    {"jumpgate_checkouts_total", "Credentials handed out.", METRIC_COUNTER, read_checkouts},
    {"jumpgate_releases_total", "Leases ended.", METRIC_COUNTER, read_releases},
    {"jumpgate_leases_lapsed_total", "Leases whose check-in never succeeded.", METRIC_COUNTER, read_lapsed},
    {"jumpgate_list_cache_hits_total", "Account lists answered from memory.", METRIC_COUNTER,
     read_cache_hits},
    {"jumpgate_list_coalesced_total", "Account lists that shared a call in flight.", METRIC_COUNTER,
     read_coalesced},
    {"jumpgate_log_lines_left_out_total", "Lines that found no room in the log's queue, or no reader.",
     METRIC_COUNTER, read_log_left_out},
    {"jumpgate_process_cpu_seconds_total", "Processor time used.", METRIC_COUNTER, process_cpu_seconds},
    {"jumpgate_process_resident_memory_bytes", "Memory in use.", METRIC_GAUGE, process_resident_bytes},
    {"jumpgate_process_open_fds", "Open file descriptors.", METRIC_GAUGE, process_open_fds},
    {"jumpgate_process_max_fds", "Most file descriptors that may be open.", METRIC_GAUGE, process_max_fds},
};

#define CLOSED_HELP "Connections without a client that were closed for others."

static const struct {
    const char *labels;
    struct gauge_row row;
} labelled_rows[] = {
    {"state=\"active\"", {"jumpgate_leases", "Leases by state.", METRIC_GAUGE, read_leases_active}},
    {"state=\"releasing\"", {"jumpgate_leases", "Leases by state.", METRIC_GAUGE, read_leases_releasing}},
    {"state=\"retrying\"", {"jumpgate_leases", "Leases by state.", METRIC_GAUGE, read_leases_retrying}},
    {"reason=\"connections\"",
     {"jumpgate_strangers_closed_total", CLOSED_HELP, METRIC_COUNTER, read_closed_for_room}},
    {"reason=\"bytes\"",
     {"jumpgate_strangers_closed_total", CLOSED_HELP, METRIC_COUNTER, read_closed_for_bytes}},
};

static struct vault_state vault_of(void *of)
{
    struct vault_state s;
    health_vault(of, &s);
    return s;
}

static double read_vault_up(void *of)
{
    struct vault_state s = vault_of(of);
    return health_vault_usable(&s);
}

static double read_vault_age(void *of)
{
    uint64_t age_ms = vault_of(of).last_success_age_ms;
    return age_ms == UINT64_MAX ? -1 : (double)age_ms / 1000;
}

static double read_vault_skew(void *of)
{
    return (double)vault_of(of).skew_ms / 1000;
}

static double read_vault_connections(void *of)
{
    return (double)vault_of(of).connections;
}

static double read_vault_queued(void *of)
{
    return (double)vault_of(of).queued;
}

static double read_vault_in_flight(void *of)
{
    return (double)vault_of(of).in_flight;
}

static double read_vault_sessions(void *of)
{
    return (double)vault_of(of).sessions;
}

static double read_vault_users(void *of)
{
    return (double)vault_of(of).users;
}

static double read_vault_certificate_end(void *of)
{
    return (double)vault_of(of).certificate_end;
}

static const struct gauge_row vault_rows[] = {
    {"jumpgate_vault_up", "1 while the vault answers, or has not been asked yet.", METRIC_GAUGE,
     read_vault_up},
    {"jumpgate_vault_last_success_age_seconds", "Since the vault's last answer; -1 = never.", METRIC_GAUGE,
     read_vault_age},
    {"jumpgate_vault_clock_skew_seconds", "The vault's clock minus ours.", METRIC_GAUGE, read_vault_skew},
    {"jumpgate_vault_connections", "Open connections to the vault.", METRIC_GAUGE, read_vault_connections},
    {"jumpgate_vault_calls_queued", "Calls that wait for a connection.", METRIC_GAUGE, read_vault_queued},
    {"jumpgate_vault_calls_in_flight", "Calls the vault works on.", METRIC_GAUGE, read_vault_in_flight},
    {"jumpgate_vault_sessions", "Vault sessions signed in.", METRIC_GAUGE, read_vault_sessions},
    {"jumpgate_vault_users", "Vault users with a session.", METRIC_GAUGE, read_vault_users},
    {"jumpgate_vault_client_certificate_end_timestamp_seconds",
     "End of the certificate shown to the vault; 0 = none is shown.", METRIC_GAUGE,
     read_vault_certificate_end},
};

static struct store_state store_of(void *of)
{
    struct store_state s;
    (void)health_store(of, &s);
    return s;
}

static double read_store_writable(void *of)
{
    return store_of(of).writable;
}

static double read_store_queued(void *of)
{
    return (double)store_of(of).queued;
}

static double read_store_commits(void *of)
{
    return (double)store_of(of).commits;
}

static double read_store_commit_time(void *of)
{
    return (double)store_of(of).last_commit_us / 1e6;
}

/* clang-format off */
static const struct gauge_row store_rows[] = {
    {"jumpgate_store_writable",            "1 while the lease store can be written.",          METRIC_GAUGE,   read_store_writable},
    {"jumpgate_store_queued",              "Writes that wait for the lease store.",            METRIC_GAUGE,   read_store_queued},
    {"jumpgate_store_commits_total",       "Commits made durable; one carries many writes.",   METRIC_COUNTER, read_store_commits},
    {"jumpgate_store_last_commit_seconds", "How long the last commit took.",                   METRIC_GAUGE,   read_store_commit_time},
};
/* clang-format on */

static struct audit_state audit_of(void *of)
{
    struct audit_state s;
    (void)health_audit(of, &s);
    return s;
}

static double read_audit_writable(void *of)
{
    return audit_of(of).writable;
}

static double read_audit_queued(void *of)
{
    return (double)audit_of(of).queued;
}

static double read_audit_records(void *of)
{
    return (double)audit_of(of).records;
}

static double read_audit_failures(void *of)
{
    return (double)audit_of(of).failures;
}

static double read_audit_lost(void *of)
{
    return (double)audit_of(of).lost;
}

static double read_audit_breaks(void *of)
{
    return (double)audit_of(of).breaks;
}

static double read_audit_dropped(void *of)
{
    return (double)audit_of(of).sink_dropped;
}

static double read_audit_commit_time(void *of)
{
    return (double)audit_of(of).last_commit_us / 1e6;
}

/* clang-format off */
static const struct gauge_row audit_rows[] = {
    {"jumpgate_audit_writable",              "1 while the audit trail can be written.",                      METRIC_GAUGE,   read_audit_writable},
    {"jumpgate_audit_queued",                "Records that are not on disk yet.",                            METRIC_GAUGE,   read_audit_queued},
    {"jumpgate_audit_records_total",         "Records on disk.",                                             METRIC_COUNTER, read_audit_records},
    {"jumpgate_audit_failures_total",        "Attempts to write that failed.",                               METRIC_COUNTER, read_audit_failures},
    {"jumpgate_audit_lost_total",            "Records given up because too many were waiting.",              METRIC_COUNTER, read_audit_lost},
    {"jumpgate_audit_breaks_total",          "Times the file was found deleted, replaced, cut or changed.",  METRIC_COUNTER, read_audit_breaks},
    {"jumpgate_audit_syslog_dropped_total",  "Records that the second sink did not take.",                   METRIC_COUNTER, read_audit_dropped},
    {"jumpgate_audit_last_commit_seconds",   "How long the last write took.",                                METRIC_GAUGE,   read_audit_commit_time},
};
/* clang-format on */

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

static struct gauge *add_gauge(struct gateway_metrics *m, const struct gauge_row *row, void *of)
{
    struct gauge *g = &m->gauges[m->ngauges++];
    g->metric = (struct metric){
        .name = row->name, .help = row->help, .kind = row->kind, .read = row->read, .arg = of};
    metric_register(&g->metric);
    return g;
}

static void add_gauges(struct gateway_metrics *m, struct gateway *gw)
{
    for (size_t i = 0; i < COUNT(gateway_rows); i++)
        (void)add_gauge(m, &gateway_rows[i], gw);
    for (size_t i = 0; i < COUNT(labelled_rows); i++)
        add_gauge(m, &labelled_rows[i].row, gw)->metric.labels = labelled_rows[i].labels;
    for (size_t i = 0; gw->audit && i < COUNT(audit_rows); i++)
        (void)add_gauge(m, &audit_rows[i], gw);
    for (size_t i = 0; gw->store && i < COUNT(store_rows); i++)
        (void)add_gauge(m, &store_rows[i], gw);
    for (size_t v = 0; v < gw->nvaults; v++)
        for (size_t i = 0; i < COUNT(vault_rows); i++) {
            struct gauge *g = add_gauge(m, &vault_rows[i], gw->vaults[v]);
            snprintf(g->labels, sizeof(g->labels), "vault=\"%s\"", gw->vaults[v]->conf->name);
            g->metric.labels = g->labels;
        }
}

struct gateway_metrics *gateway_metrics_new(struct gateway *gw)
{
    size_t ngauges = COUNT(gateway_rows) + COUNT(labelled_rows) + COUNT(store_rows) + COUNT(audit_rows) +
                     gw->nvaults * COUNT(vault_rows);
    struct gateway_metrics *m = calloc(1, sizeof(*m));
    if (!m)
        return NULL;
    m->gauges = calloc(ngauges, sizeof(*m->gauges));
    if (!m->gauges) {
        gateway_metrics_free(m);
        return NULL;
    }
    m->build_info = (struct metric){.name = "jumpgate_build_info",
                                    .help = "1, with the version as a label.",
                                    .kind = METRIC_GAUGE,
                                    .labels = "version=\"" JG_VERSION "\"",
                                    .value = 1};
    metric_register(&m->build_info);
    add_gauges(m, gw);
    return m;
}

void gateway_metrics_free(struct gateway_metrics *m)
{
    if (!m)
        return;
    free(m->gauges);
    free(m);
}

void gateway_render_metrics(struct gateway *gw, struct buf *page)
{
    broker_state(gw->broker, &gw->metrics->broker);
    metrics_render(page);
}

void metrics_start(struct request_context *ctx, const union route_args *args)
{
    struct buf buf = BUF_INIT(RESPONSE_MAX);

    (void)args;
    gateway_render_metrics(ctx->gateway, &buf);
    ctx_text(ctx, "text/plain; version=0.0.4; charset=utf-8", &buf);
}
