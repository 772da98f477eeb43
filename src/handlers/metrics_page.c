/* SPDX-License-Identifier: Apache-2.0 */
/*
 * metrics_page.c - the /metrics page, and the gauges read while it is written.
 *
 * Each page begins with the present state of the gateway, its process, its lease store, its audit trail and
 * its vaults. A row of a table below makes one gauge: a field of that state.
 *
 * Metrics point into the gateway: the end of the program unregisters all of them before gateway_free().
 * Not here: counters of requests (request_metrics.c); what the loop and the backends count, which register
 * their own.
 */
#include "base/log.h"
#include "base/metrics.h"
#include "handlers/certificates.h"
#include "handlers/cluster_state.h"
#include "handlers/gateway.h"

#include <dirent.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#define LABELS_SIZE 160

struct page_state {
    double inflight, draining, connections, lines_left_out, certificate_end, crl_end, loop_lag_ms, started_ms;
    double log_left_out, cpu_s, resident_bytes, open_fds, max_fds;
    struct http_strangers strangers;
    struct broker_state broker;
    struct store_state store;
    struct audit_state audit;
    struct store_cluster cluster; /* all zero where the store is not shared */
    double members[MEMBER_NSTATES], config_differs;
};

struct page_vault {
    struct vault_state state;
    struct key_counts keys; /* where they are not unique */
    double up, success_age_s, partial;
};

enum field_type { FIELD_BOOL, FIELD_UNSIGNED, FIELD_SIGNED, FIELD_DOUBLE };

struct gauge_row {
    const char *name, *help;
    enum metric_kind kind;
    size_t offset; /* of the field, its type, and what its value is divided by */
    enum field_type type;
    double divisor;
    const char *labels;
};

struct gauge { /* a row of a table below, registered */
    struct metric metric;
    char labels[LABELS_SIZE];
    const struct gauge_row *row;
    const void *state; /* whose field it is */
};

struct gateway_metrics {
    struct gauge *gauges;
    size_t ngauges;
    struct metric build_info;
    struct cluster_metrics *cluster; /* NULL = the store is not shared */
    struct page_state page;
    struct page_vault vaults[]; /* in the order of the gateway's */
};

/* clang-format off */
#define TYPE_OF(member) \
    _Generic((member), bool: FIELD_BOOL, unsigned long: FIELD_UNSIGNED, long: FIELD_SIGNED, double: FIELD_DOUBLE)
/* clang-format on */
#define FIELD(state, member, per)                                                                            \
    .offset = offsetof(struct state, member), .type = TYPE_OF(((struct state *)0)->member), .divisor = (per)
#define PAGE(member, per)  FIELD(page_state, member, per)
#define VAULT(member, per) FIELD(page_vault, member, per)

/* clang-format off */
#define CLOSED "jumpgate_strangers_closed_total", "Connections without a client closed in favour of others.", METRIC_COUNTER
#define SIGN_INS "jumpgate_vault_sign_ins_total", "Sign-ins at the vault by its answer; refused of all users: the key is wrong.", METRIC_COUNTER
#define LEASES "jumpgate_leases", "Leases by state.", METRIC_GAUGE

static const struct gauge_row page_rows[] = {
    {"jumpgate_requests_in_flight", "Operations admitted and not yet answered.", METRIC_GAUGE, PAGE(inflight, 1)},
    {"jumpgate_draining", "1 while the gateway shuts down.", METRIC_GAUGE, PAGE(draining, 1)},
    {"jumpgate_connections", "Open client connections.", METRIC_GAUGE, PAGE(connections, 1)},
    {"jumpgate_stranger_lines_left_out_total", "Lines about unknown callers that were left out of the log.", METRIC_COUNTER, PAGE(lines_left_out, 1)},
    {"jumpgate_certificate_end_timestamp_seconds", "Earliest end of a listener's certificate; 0 = no TLS.", METRIC_GAUGE, PAGE(certificate_end, 1)},
    {"jumpgate_client_crl_end_timestamp_seconds", "Earliest next update of a listener's revocation lists; 0 = there are none.", METRIC_GAUGE, PAGE(crl_end, 1)},
    {"jumpgate_loop_lag_seconds", "Longest iteration of the event loop in the last 10 seconds.", METRIC_GAUGE, PAGE(loop_lag_ms, 1000)},
    {"jumpgate_start_time_seconds", "When the gateway started, since 1970.", METRIC_GAUGE, PAGE(started_ms, 1000)},
    {"jumpgate_log_lines_left_out_total", "Lines left out because the log's queue was full or had no reader.", METRIC_COUNTER, PAGE(log_left_out, 1)},
    {"jumpgate_process_cpu_seconds_total", "Processor time used.", METRIC_COUNTER, PAGE(cpu_s, 1)},
    {"jumpgate_process_resident_memory_bytes", "Memory in use.", METRIC_GAUGE, PAGE(resident_bytes, 1)},
    {"jumpgate_process_open_fds", "Open file descriptors.", METRIC_GAUGE, PAGE(open_fds, 1)},
    {"jumpgate_process_max_fds", "Most file descriptors that may be open.", METRIC_GAUGE, PAGE(max_fds, 1)},
    {"jumpgate_stranger_connections", "Open connections that have shown no client.", METRIC_GAUGE, PAGE(strangers.connections, 1)},
    {"jumpgate_stranger_bytes", "Bytes that their unfinished requests hold.", METRIC_GAUGE, PAGE(strangers.bytes, 1)},
    {CLOSED, PAGE(strangers.closed[HTTP_FOR_CONNECTIONS], 1), .labels = "reason=\"connections\""},
    {CLOSED, PAGE(strangers.closed[HTTP_FOR_BYTES], 1), .labels = "reason=\"bytes\""},
    {"jumpgate_broker_operations", "Operations the broker works on, those without a client included.", METRIC_GAUGE, PAGE(broker.ops, 1)},
    {"jumpgate_lease_oldest_overdue_seconds", "How long the oldest lease is past its end and not checked in.", METRIC_GAUGE, PAGE(broker.oldest_overdue_ms, 1000)},
    {"jumpgate_checkouts_total", "Credentials handed out.", METRIC_COUNTER, PAGE(broker.checkouts, 1)},
    {"jumpgate_releases_total", "Leases ended.", METRIC_COUNTER, PAGE(broker.releases, 1)},
    {"jumpgate_leases_lapsed_total", "Leases whose check-in never succeeded.", METRIC_COUNTER, PAGE(broker.lapsed, 1)},
    {"jumpgate_store_steps_refused_total", "Steps that the lease store refused: its rows were not as the gateway had written them.", METRIC_COUNTER, PAGE(broker.steps_refused, 1)},
    {"jumpgate_list_cache_hits_total", "Account lists answered from memory.", METRIC_COUNTER, PAGE(broker.cache_hits, 1)},
    {"jumpgate_list_coalesced_total", "Account lists that shared a call in flight.", METRIC_COUNTER, PAGE(broker.coalesced, 1)},
    {LEASES, PAGE(broker.leases_active, 1), .labels = "state=\"active\""},
    {LEASES, PAGE(broker.leases_releasing, 1), .labels = "state=\"releasing\""},
    {LEASES, PAGE(broker.leases_retrying, 1), .labels = "state=\"retrying\""},
    {LEASES, PAGE(broker.leases_pending, 1), .labels = "state=\"pending\""},
};

static const struct gauge_row store_rows[] = {
    {"jumpgate_store_writable", "1 while the lease store can be written.", METRIC_GAUGE, PAGE(store.writable, 1)},
    {"jumpgate_store_queued", "Writes that wait for the lease store.", METRIC_GAUGE, PAGE(store.queued, 1)},
    {"jumpgate_store_commits_total", "Commits made durable; one carries many writes.", METRIC_COUNTER, PAGE(store.commits, 1)},
    {"jumpgate_store_last_commit_seconds", "How long the last commit took.", METRIC_GAUGE, PAGE(store.last_commit_us, 1e6)},
};

#define MEMBERS "jumpgate_cluster_members", "Gateways that share the store, by state.", METRIC_GAUGE

static const struct gauge_row cluster_rows[] = {
    {MEMBERS, PAGE(members[MEMBER_ALIVE], 1), .labels = "state=\"alive\""},
    {MEMBERS, PAGE(members[MEMBER_SILENT], 1), .labels = "state=\"silent\""},
    {MEMBERS, PAGE(members[MEMBER_LEAVING], 1), .labels = "state=\"leaving\""},
    {MEMBERS, PAGE(members[MEMBER_ADOPTED], 1), .labels = "state=\"adopting\""},
    {"jumpgate_cluster_certain", "1 while no other gateway can count this one as dead.", METRIC_GAUGE, PAGE(cluster.certain, 1)},
    {"jumpgate_cluster_certain_left_seconds", "For how long that holds without a further write.", METRIC_GAUGE, PAGE(cluster.certain_left_ms, 1000)},
    {"jumpgate_cluster_fenced_total", "Times this gateway was counted as dead, and joined again.", METRIC_COUNTER, PAGE(cluster.fences, 1)},
    {"jumpgate_cluster_adoptions_total", "Gateways whose requests this one has taken over.", METRIC_COUNTER, PAGE(cluster.adoptions, 1)},
    {"jumpgate_cluster_adopted_leases_total", "Requests that were taken over.", METRIC_COUNTER, PAGE(cluster.adopted, 1)},
    {"jumpgate_cluster_foreign_releases_total", "Leases ended here that held a request of another gateway.", METRIC_COUNTER, PAGE(broker.foreign_releases, 1)},
    {"jumpgate_cluster_config_differs", "1 while a gateway differs in a key that all are to have alike.", METRIC_GAUGE, PAGE(config_differs, 1)},
    {"jumpgate_store_flights_total", "Transactions that etcd has applied; one carries many steps.", METRIC_COUNTER, PAGE(store.commits, 1)},
    {"jumpgate_store_unreadable_rows_total", "Rows of etcd that could not be read, each value once.", METRIC_COUNTER, PAGE(cluster.unreadable, 1)},
    {"jumpgate_store_endpoint_changes_total", "Times the gateway has gone to another member of etcd.", METRIC_COUNTER, PAGE(cluster.endpoint_changes, 1)},
    {"jumpgate_store_db_bytes", "Size of etcd's database.", METRIC_GAUGE, PAGE(cluster.db_bytes, 1)},
};

static const struct gauge_row audit_rows[] = {
    {"jumpgate_audit_writable", "1 while the audit trail can be written.", METRIC_GAUGE, PAGE(audit.writable, 1)},
    {"jumpgate_audit_queued", "Records that are not on disk yet.", METRIC_GAUGE, PAGE(audit.queued, 1)},
    {"jumpgate_audit_records_total", "Records on disk.", METRIC_COUNTER, PAGE(audit.records, 1)},
    {"jumpgate_audit_failures_total", "Attempts to write that failed.", METRIC_COUNTER, PAGE(audit.failures, 1)},
    {"jumpgate_audit_lost_total", "Records given up because too many were waiting.", METRIC_COUNTER, PAGE(audit.lost, 1)},
    {"jumpgate_audit_breaks_total", "Times the file was found deleted, replaced, cut or changed.", METRIC_COUNTER, PAGE(audit.breaks, 1)},
    {"jumpgate_audit_syslog_dropped_total", "Records that the second sink did not take.", METRIC_COUNTER, PAGE(audit.sink_dropped, 1)},
    {"jumpgate_audit_last_commit_seconds", "How long the last write took.", METRIC_GAUGE, PAGE(audit.last_commit_us, 1e6)},
};

static const struct gauge_row vault_rows[] = {
    {"jumpgate_vault_up", "1 while the vault answers, or has not been asked yet.", METRIC_GAUGE, VAULT(up, 1)},
    {"jumpgate_vault_last_success_age_seconds", "Since the vault's last answer; -1 = never.", METRIC_GAUGE, VAULT(success_age_s, 1)},
    {"jumpgate_partial_answers_total", "Lists answered without the rows of this vault, which did not answer.", METRIC_COUNTER, VAULT(partial, 1)},
    {SIGN_INS, VAULT(state.sign_ins, 1), .labels = "outcome=\"accepted\""},
    {SIGN_INS, VAULT(state.sign_ins_refused, 1), .labels = "outcome=\"refused\""},
    {"jumpgate_vault_clock_skew_seconds", "The vault's clock minus ours.", METRIC_GAUGE, VAULT(state.skew_ms, 1000)},
    {"jumpgate_vault_connections", "Open connections to the vault.", METRIC_GAUGE, VAULT(state.connections, 1)},
    {"jumpgate_vault_calls_queued", "Calls that wait for a connection.", METRIC_GAUGE, VAULT(state.queued, 1)},
    {"jumpgate_vault_calls_in_flight", "Calls the vault works on.", METRIC_GAUGE, VAULT(state.in_flight, 1)},
    {"jumpgate_vault_sessions", "Vault sessions signed in.", METRIC_GAUGE, VAULT(state.sessions, 1)},
    {"jumpgate_vault_users", "Vault users with a session.", METRIC_GAUGE, VAULT(state.users, 1)},
    {"jumpgate_vault_client_certificate_end_timestamp_seconds", "End of the certificate shown to the vault; 0 = none is shown.", METRIC_GAUGE, VAULT(state.certificate_end, 1)},
};

#define SPINS "jumpgate_vault_spins_total", "Changes of a password after its check-in, by outcome.", METRIC_COUNTER

/* Of a vault whose keys are not unique. */
static const struct gauge_row key_rows[] = {
    {"jumpgate_vault_settling", "Credentials of which a call whose answer was lost may still take effect.", METRIC_GAUGE, VAULT(keys.settling, 1)},
    {"jumpgate_vault_overdue_checkins", "Credentials whose check-in has failed, and is tried again.", METRIC_GAUGE, VAULT(keys.overdue, 1)},
    {SPINS, VAULT(keys.spins[SPIN_ACCEPTED], 1), .labels = "outcome=\"accepted\""},
    {SPINS, VAULT(keys.spins[SPIN_FAILED], 1), .labels = "outcome=\"failed\""},
    {SPINS, VAULT(keys.spins[SPIN_WITHDRAWN], 1), .labels = "outcome=\"withdrawn\""},
};
/* clang-format on */

/* ---- the state ---- */

static double resident_bytes(void)
{
    unsigned long pages = 0;
    FILE *f = fopen("/proc/self/statm", "re");

    if (!f)
        return 0;
    if (fscanf(f, "%*u %lu", &pages) != 1)
        pages = 0;
    (void)fclose(f);
    return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

static double open_fds(void)
{
    DIR *dir = opendir("/proc/self/fd");
    double n = 0;

    if (!dir)
        return 0;
    for (const struct dirent *e = readdir(dir); e; e = readdir(dir))
        n += e->d_name[0] != '.';
    (void)closedir(dir);
    return n - 1; /* the directory itself */
}

static double timeval_seconds(const struct timeval *t)
{
    return (double)t->tv_sec + (double)t->tv_usec / 1e6;
}

/* What the kernel says about this process. Where /proc is not mounted the number is 0. */
static void read_process(struct page_state *page)
{
    struct rusage usage;
    struct rlimit limit;

    page->cpu_s = getrusage(RUSAGE_SELF, &usage)
                      ? 0
                      : timeval_seconds(&usage.ru_utime) + timeval_seconds(&usage.ru_stime);
    page->resident_bytes = resident_bytes();
    page->open_fds = open_fds();
    page->max_fds = getrlimit(RLIMIT_NOFILE, &limit) ? 0 : (double)limit.rlim_cur;
}

static void read_cluster(const struct gateway *gw, struct page_state *page)
{
    const struct store_cluster *c = page->store.cluster;
    size_t members[MEMBER_NSTATES];

    if (!c)
        return;
    page->cluster = *c;
    cluster_count(gw, c, members);
    for (size_t i = 0; i < MEMBER_NSTATES; i++)
        page->members[i] = (double)members[i];
    page->config_differs = cluster_config_differs(gw, c);
    if (gw->metrics->cluster)
        cluster_metrics_read(gw->metrics->cluster, c);
}

static void read_gateway(const struct gateway *gw, struct page_state *page)
{
    page->inflight = (double)gw->inflight;
    page->draining = gw->draining;
    page->lines_left_out = (double)gw->stranger_lines.total;
    page->loop_lag_ms = loop_lag_ms(gw->loop);
    page->started_ms = (double)gw->started_wall_ms;
    page->log_left_out = (double)log_left_out();
    broker_state(gw->broker, &page->broker);
    (void)health_store(gw, &page->store);
    (void)health_audit(gw, &page->audit);
    read_cluster(gw, page);
    if (!gw->server)
        return;
    page->connections = (double)http_connections(gw->server);
    page->certificate_end = (double)http_certificate_end(gw->server);
    page->crl_end = (double)certificates_crl_end(gw);
    http_strangers(gw->server, &page->strangers);
}

static void read_vault(const struct vault *vault, const struct broker *broker, size_t place,
                       struct page_vault *out)
{
    struct vault_state *s = &out->state;

    health_vault(vault, s);
    if (!vault->can.keys_are_unique)
        broker_count_keys(broker, vault, &out->keys);
    out->up = health_vault_usable(s);
    out->partial = (double)broker_partial_answers(broker, place);
    out->success_age_s = s->last_success_age_ms == UINT64_MAX ? -1 : (double)s->last_success_age_ms / 1000;
}

void gateway_render_metrics(struct gateway *gw, struct buf *page)
{
    read_process(&gw->metrics->page);
    read_gateway(gw, &gw->metrics->page);
    for (size_t v = 0; v < gw->nvaults; v++)
        read_vault(gw->vaults[v], gw->broker, v, &gw->metrics->vaults[v]);
    metrics_render(page);
}

void metrics_start(struct request_context *ctx, const union route_args *args)
{
    (void)args;
    gateway_render_metrics(ctx->gateway, &ctx->body);
    ctx_text(ctx, "text/plain; version=0.0.4; charset=utf-8");
}

/* ---- registration ---- */

static double read_field(void *arg)
{
    const struct gauge *g = arg;
    const void *field = (const char *)g->state + g->row->offset;

    switch (g->row->type) {
    case FIELD_BOOL: return *(const bool *)field;
    case FIELD_UNSIGNED: return (double)*(const unsigned long *)field / g->row->divisor;
    case FIELD_SIGNED: return (double)*(const long *)field / g->row->divisor;
    case FIELD_DOUBLE: return *(const double *)field / g->row->divisor;
    }
    return 0;
}

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

/* One gauge of each row. `vault` is its label, NULL = none. */
static void add_gauges(struct gateway_metrics *m, const struct gauge_row *rows, size_t n, const void *state,
                       const char *vault)
{
    for (const struct gauge_row *row = rows; row < rows + n; row++) {
        struct gauge *g = &m->gauges[m->ngauges++];

        g->row = row;
        g->state = state;
        g->metric = (struct metric){.name = row->name,
                                    .help = row->help,
                                    .kind = row->kind,
                                    .labels = row->labels,
                                    .read = read_field,
                                    .arg = g};
        if (vault) {
            snprintf(g->labels, sizeof(g->labels), "vault=\"%s\"%s%s", vault, row->labels ? "," : "",
                     row->labels ? row->labels : "");
            g->metric.labels = g->labels;
        }
        metric_register(&g->metric);
    }
}

struct gateway_metrics *gateway_metrics_new(struct gateway *gw)
{
    size_t ngauges = COUNT(page_rows) + COUNT(store_rows) + COUNT(cluster_rows) + COUNT(audit_rows) +
                     gw->nvaults * (COUNT(vault_rows) + COUNT(key_rows));
    struct gateway_metrics *m = calloc(1, sizeof(*m) + gw->nvaults * sizeof(m->vaults[0]));
    bool shared = cluster_of(gw) != NULL;

    if (!m)
        return NULL;
    m->gauges = calloc(ngauges, sizeof(*m->gauges));
    if (!m->gauges || (shared && !(m->cluster = cluster_metrics_new()))) {
        gateway_metrics_free(m);
        return NULL;
    }
    m->build_info = (struct metric){.name = "jumpgate_build_info",
                                    .help = "1, with the version as a label.",
                                    .kind = METRIC_GAUGE,
                                    .labels = "version=\"" JG_VERSION "\"",
                                    .value = 1};
    metric_register(&m->build_info);
    add_gauges(m, page_rows, COUNT(page_rows), &m->page, NULL);
    if (gw->audit)
        add_gauges(m, audit_rows, COUNT(audit_rows), &m->page, NULL);
    if (gw->store)
        add_gauges(m, store_rows, COUNT(store_rows), &m->page, NULL);
    if (shared)
        add_gauges(m, cluster_rows, COUNT(cluster_rows), &m->page, NULL);
    for (size_t v = 0; v < gw->nvaults; v++) {
        add_gauges(m, vault_rows, COUNT(vault_rows), &m->vaults[v], gw->vaults[v]->conf->name);
        if (!gw->vaults[v]->can.keys_are_unique)
            add_gauges(m, key_rows, COUNT(key_rows), &m->vaults[v], gw->vaults[v]->conf->name);
    }
    return m;
}

void gateway_metrics_free(struct gateway_metrics *m)
{
    if (!m)
        return;
    cluster_metrics_free(m->cluster);
    free(m->gauges);
    free(m);
}
