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

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#define LABELS_SIZE 160

union any_state {
    struct http_strangers strangers;
    struct vault_state vault;
    struct store_state store;
    struct audit_state audit;
};

/* The state that the fields of a table are members of: of this gateway or vault, written into `space` or kept
 * elsewhere. */
typedef const void *read_state(const void *of, union any_state *space);

enum field_type { FIELD_NONE, FIELD_BOOL, FIELD_UNSIGNED, FIELD_SIGNED };

struct gauge_row {
    const char *name, *help;
    enum metric_kind kind;
    double (*read)(void *of); /* NULL = a field of the table's state */
    size_t offset;            /* of the field, its type, and what its value is divided by */
    enum field_type type;
    double divisor;
    const char *labels;
};

struct gauge { /* a row of a table below, registered */
    struct metric metric;
    char labels[LABELS_SIZE];
    const struct gauge_row *row;
    read_state *state;
    const void *of;
};

struct gateway_metrics {
    struct gauge *gauges;
    size_t ngauges;
    struct metric build_info;
    struct broker_state broker; /* of this page: the broker counts every lease for it */
};

#define TYPE_OF(member)                                                                                      \
    _Generic((member), bool : FIELD_BOOL, unsigned long : FIELD_UNSIGNED, long : FIELD_SIGNED)
#define FIELD(state, member, per)                                                                            \
    .offset = offsetof(struct state, member), .type = TYPE_OF(((struct state *)0)->member), .divisor = (per)

/* ---- the gateway ---- */

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

/* clang-format off */
static const struct gauge_row gateway_rows[] = {
    {"jumpgate_requests_in_flight", "Operations admitted and not yet answered.", METRIC_GAUGE, .read = read_inflight},
    {"jumpgate_draining", "1 while the gateway shuts down.", METRIC_GAUGE, .read = read_draining},
    {"jumpgate_connections", "Open client connections.", METRIC_GAUGE, .read = read_connections},
    {"jumpgate_stranger_lines_left_out_total", "Lines about unknown callers that the log was spared.", METRIC_COUNTER, .read = read_lines_left_out},
    {"jumpgate_certificate_end_timestamp_seconds", "Earliest end of a listener's certificate; 0 = no TLS.", METRIC_GAUGE, .read = read_certificate_end},
    {"jumpgate_loop_lag_seconds", "Worst time the loop lately spent in one turn.", METRIC_GAUGE, .read = read_loop_lag},
    {"jumpgate_start_time_seconds", "When the gateway started, since 1970.", METRIC_GAUGE, .read = read_start_time},
    {"jumpgate_log_lines_left_out_total", "Lines that found no room in the log's queue, or no reader.", METRIC_COUNTER, .read = read_log_left_out},
    {"jumpgate_process_cpu_seconds_total", "Processor time used.", METRIC_COUNTER, .read = process_cpu_seconds},
    {"jumpgate_process_resident_memory_bytes", "Memory in use.", METRIC_GAUGE, .read = process_resident_bytes},
    {"jumpgate_process_open_fds", "Open file descriptors.", METRIC_GAUGE, .read = process_open_fds},
    {"jumpgate_process_max_fds", "Most file descriptors that may be open.", METRIC_GAUGE, .read = process_max_fds},
};

#define CLOSED "jumpgate_strangers_closed_total", "Connections without a client that were closed for others.", METRIC_COUNTER

static const struct gauge_row stranger_rows[] = {
    {"jumpgate_stranger_connections", "Open connections that have shown no client.", METRIC_GAUGE, FIELD(http_strangers, connections, 1)},
    {"jumpgate_stranger_bytes", "Bytes that their unfinished requests hold.", METRIC_GAUGE, FIELD(http_strangers, bytes, 1)},
    {CLOSED, FIELD(http_strangers, closed[HTTP_FOR_CONNECTIONS], 1), .labels = "reason=\"connections\""},
    {CLOSED, FIELD(http_strangers, closed[HTTP_FOR_BYTES], 1), .labels = "reason=\"bytes\""},
};

#define LEASES "jumpgate_leases", "Leases by state.", METRIC_GAUGE

static const struct gauge_row broker_rows[] = {
    {"jumpgate_broker_operations", "Operations the broker works on, those without a client included.", METRIC_GAUGE, FIELD(broker_state, ops, 1)},
    {"jumpgate_lease_oldest_overdue_seconds", "How long the oldest lease is past its end and not checked in.", METRIC_GAUGE, FIELD(broker_state, oldest_overdue_ms, 1000)},
    {"jumpgate_checkouts_total", "Credentials handed out.", METRIC_COUNTER, FIELD(broker_state, checkouts, 1)},
    {"jumpgate_releases_total", "Leases ended.", METRIC_COUNTER, FIELD(broker_state, releases, 1)},
    {"jumpgate_leases_lapsed_total", "Leases whose check-in never succeeded.", METRIC_COUNTER, FIELD(broker_state, lapsed, 1)},
    {"jumpgate_list_cache_hits_total", "Account lists answered from memory.", METRIC_COUNTER, FIELD(broker_state, cache_hits, 1)},
    {"jumpgate_list_coalesced_total", "Account lists that shared a call in flight.", METRIC_COUNTER, FIELD(broker_state, coalesced, 1)},
    {LEASES, FIELD(broker_state, leases_active, 1), .labels = "state=\"active\""},
    {LEASES, FIELD(broker_state, leases_releasing, 1), .labels = "state=\"releasing\""},
    {LEASES, FIELD(broker_state, leases_retrying, 1), .labels = "state=\"retrying\""},
};
/* clang-format on */

static const void *stranger_state(const void *of, union any_state *space)
{
    const struct gateway *gw = of;

    space->strangers = (struct http_strangers){0};
    if (gw->server)
        http_strangers(gw->server, &space->strangers);
    return &space->strangers;
}

static const void *broker_page_state(const void *of, union any_state *space)
{
    (void)space;
    return &((const struct gateway *)of)->metrics->broker;
}

/* ---- vaults ---- */

static const void *vault_page_state(const void *of, union any_state *space)
{
    health_vault(of, &space->vault);
    return &space->vault;
}

static double read_vault_up(void *of)
{
    struct vault_state s;
    health_vault(of, &s);
    return health_vault_usable(&s);
}

static double read_vault_age(void *of)
{
    struct vault_state s;
    health_vault(of, &s);
    return s.last_success_age_ms == UINT64_MAX ? -1 : (double)s.last_success_age_ms / 1000;
}

/* clang-format off */
static const struct gauge_row vault_rows[] = {
    {"jumpgate_vault_up", "1 while the vault answers, or has not been asked yet.", METRIC_GAUGE, .read = read_vault_up},
    {"jumpgate_vault_last_success_age_seconds", "Since the vault's last answer; -1 = never.", METRIC_GAUGE, .read = read_vault_age},
    {"jumpgate_vault_clock_skew_seconds", "The vault's clock minus ours.", METRIC_GAUGE, FIELD(vault_state, skew_ms, 1000)},
    {"jumpgate_vault_connections", "Open connections to the vault.", METRIC_GAUGE, FIELD(vault_state, connections, 1)},
    {"jumpgate_vault_calls_queued", "Calls that wait for a connection.", METRIC_GAUGE, FIELD(vault_state, queued, 1)},
    {"jumpgate_vault_calls_in_flight", "Calls the vault works on.", METRIC_GAUGE, FIELD(vault_state, in_flight, 1)},
    {"jumpgate_vault_sessions", "Vault sessions signed in.", METRIC_GAUGE, FIELD(vault_state, sessions, 1)},
    {"jumpgate_vault_users", "Vault users with a session.", METRIC_GAUGE, FIELD(vault_state, users, 1)},
    {"jumpgate_vault_client_certificate_end_timestamp_seconds", "End of the certificate shown to the vault; 0 = none is shown.", METRIC_GAUGE, FIELD(vault_state, certificate_end, 1)},
};

/* ---- store and audit trail ---- */

static const struct gauge_row store_rows[] = {
    {"jumpgate_store_writable", "1 while the lease store can be written.", METRIC_GAUGE, FIELD(store_state, writable, 1)},
    {"jumpgate_store_queued", "Writes that wait for the lease store.", METRIC_GAUGE, FIELD(store_state, queued, 1)},
    {"jumpgate_store_commits_total", "Commits made durable; one carries many writes.", METRIC_COUNTER, FIELD(store_state, commits, 1)},
    {"jumpgate_store_last_commit_seconds", "How long the last commit took.", METRIC_GAUGE, FIELD(store_state, last_commit_us, 1e6)},
};

static const struct gauge_row audit_rows[] = {
    {"jumpgate_audit_writable", "1 while the audit trail can be written.", METRIC_GAUGE, FIELD(audit_state, writable, 1)},
    {"jumpgate_audit_queued", "Records that are not on disk yet.", METRIC_GAUGE, FIELD(audit_state, queued, 1)},
    {"jumpgate_audit_records_total", "Records on disk.", METRIC_COUNTER, FIELD(audit_state, records, 1)},
    {"jumpgate_audit_failures_total", "Attempts to write that failed.", METRIC_COUNTER, FIELD(audit_state, failures, 1)},
    {"jumpgate_audit_lost_total", "Records given up because too many were waiting.", METRIC_COUNTER, FIELD(audit_state, lost, 1)},
    {"jumpgate_audit_breaks_total", "Times the file was found deleted, replaced, cut or changed.", METRIC_COUNTER, FIELD(audit_state, breaks, 1)},
    {"jumpgate_audit_syslog_dropped_total", "Records that the second sink did not take.", METRIC_COUNTER, FIELD(audit_state, sink_dropped, 1)},
    {"jumpgate_audit_last_commit_seconds", "How long the last write took.", METRIC_GAUGE, FIELD(audit_state, last_commit_us, 1e6)},
};
/* clang-format on */

static const void *store_page_state(const void *of, union any_state *space)
{
    (void)health_store(of, &space->store);
    return &space->store;
}

static const void *audit_page_state(const void *of, union any_state *space)
{
    (void)health_audit(of, &space->audit);
    return &space->audit;
}

/* ---- registration ---- */

static double read_field(void *arg)
{
    const struct gauge *g = arg;
    union any_state space;
    const char *field = (const char *)g->state(g->of, &space) + g->row->offset;

    switch (g->row->type) {
    case FIELD_BOOL: return *(const bool *)(const void *)field;
    case FIELD_UNSIGNED: return (double)*(const unsigned long *)(const void *)field / g->row->divisor;
    case FIELD_SIGNED: return (double)*(const long *)(const void *)field / g->row->divisor;
    case FIELD_NONE: break;
    }
    return 0;
}

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

/* One gauge of each row. `vault` is its label, NULL = none. */
static void add_gauges(struct gateway_metrics *m, const struct gauge_row *rows, size_t n, read_state *state,
                       void *of, const char *vault)
{
    for (const struct gauge_row *row = rows; row < rows + n; row++) {
        struct gauge *g = &m->gauges[m->ngauges++];

        g->row = row;
        g->state = state;
        g->of = of;
        g->metric = (struct metric){.name = row->name,
                                    .help = row->help,
                                    .kind = row->kind,
                                    .labels = row->labels,
                                    .read = row->read ? row->read : read_field,
                                    .arg = row->read ? of : g};
        if (vault) {
            snprintf(g->labels, sizeof(g->labels), "vault=\"%s\"", vault);
            g->metric.labels = g->labels;
        }
        metric_register(&g->metric);
    }
}

static void add_all_gauges(struct gateway_metrics *m, struct gateway *gw)
{
    add_gauges(m, gateway_rows, COUNT(gateway_rows), NULL, gw, NULL);
    add_gauges(m, stranger_rows, COUNT(stranger_rows), stranger_state, gw, NULL);
    add_gauges(m, broker_rows, COUNT(broker_rows), broker_page_state, gw, NULL);
    if (gw->audit)
        add_gauges(m, audit_rows, COUNT(audit_rows), audit_page_state, gw, NULL);
    if (gw->store)
        add_gauges(m, store_rows, COUNT(store_rows), store_page_state, gw, NULL);
    for (size_t v = 0; v < gw->nvaults; v++)
        add_gauges(m, vault_rows, COUNT(vault_rows), vault_page_state, gw->vaults[v],
                   gw->vaults[v]->conf->name);
}

struct gateway_metrics *gateway_metrics_new(struct gateway *gw)
{
    size_t ngauges = COUNT(gateway_rows) + COUNT(stranger_rows) + COUNT(broker_rows) + COUNT(store_rows) +
                     COUNT(audit_rows) + gw->nvaults * COUNT(vault_rows);
    struct gateway_metrics *m = calloc(1, sizeof(*m));
    if (!m)
        return NULL;
    m->gauges = calloc(ngauges, sizeof(*m->gauges));
    if (!m->gauges) {
        free(m);
        return NULL;
    }
    m->build_info = (struct metric){.name = "jumpgate_build_info",
                                    .help = "1, with the version as a label.",
                                    .kind = METRIC_GAUGE,
                                    .labels = "version=\"" JG_VERSION "\"",
                                    .value = 1};
    metric_register(&m->build_info);
    add_all_gauges(m, gw);
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
