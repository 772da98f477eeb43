/* SPDX-License-Identifier: Apache-2.0 */
/*
 * metrics.c - the /metrics page: what the web, the collector, the database and the audit trail count.
 *
 * Written with each call from what they hold; a family's rows follow its HELP and TYPE. No person, no
 * endpoint and no session is in a label. Sites are those that the reader may see.
 */
#include "reports/web/web_internal.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define PREFIX "jumpgate_reports_"

static void family(struct buf *b, const char *name, const char *kind, const char *help)
{
    (void)buf_printf(b, "# HELP " PREFIX "%s %s\n# TYPE " PREFIX "%s %s\n", name, help, name, kind);
}

static void value(struct buf *b, const char *name, double v)
{
    (void)buf_printf(b, PREFIX "%s %.17g\n", name, v);
}

/* Labels: words of this program and names of sections, which need no escaping. */
static void labelled(struct buf *b, const char *name, double v, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
static void labelled(struct buf *b, const char *name, double v, const char *fmt, ...)
{
    va_list ap;

    (void)buf_printf(b, PREFIX "%s{", name);
    va_start(ap, fmt);
    (void)buf_vprintf(b, fmt, ap);
    va_end(ap);
    (void)buf_printf(b, "} %.17g\n", v);
}

static void one(struct buf *b, const char *name, const char *kind, const char *help, double v)
{
    family(b, name, kind, help);
    value(b, name, v);
}

static void took(struct buf *b, const char *name, const char *label, const char *word, const struct took *t)
{
    (void)buf_printf(b, PREFIX "%s_sum{%s=\"%s\"} %.17g\n" PREFIX "%s_count{%s=\"%s\"} %" PRIu64 "\n", name,
                     label, word, (double)t->us / 1e6, name, label, word, t->n);
}

/* ---- the web ---- */

/* Rows of one operation stand together in the table; the first of them speaks for all. */
static bool is_first(const struct web *web, size_t row)
{
    return !row || strcmp(web->routes[row].operation, web->routes[row - 1].operation) != 0;
}

static struct request_count sum_of(const struct web *web, size_t row)
{
    struct request_count sum = {.by_status = {0}};

    for (size_t i = row; i < web->nroutes && (i == row || !is_first(web, i)); i++) {
        for (size_t k = 0; k < 6; k++)
            sum.by_status[k] += web->counts.requests[i].by_status[k];
        sum.took.n += web->counts.requests[i].took.n;
        sum.took.us += web->counts.requests[i].took.us;
    }
    return sum;
}

static void write_requests(struct buf *b, const struct web *web)
{
    static const char *const classes[] = {"gone", "1xx", "2xx", "3xx", "4xx", "5xx"};

    family(b, "requests_total", "counter",
           "Requests by operation and class of status; gone = the client left.");
    for (size_t i = 0; i < web->nroutes; i++) {
        struct request_count sum = sum_of(web, i);

        for (size_t k = 0; k < 6 && is_first(web, i); k++)
            if (sum.by_status[k])
                labelled(b, "requests_total", (double)sum.by_status[k], "operation=\"%s\",status=\"%s\"",
                         web->routes[i].operation, classes[k]);
    }
    family(b, "request_seconds", "summary", "From the head of a request to its answer.");
    for (size_t i = 0; i < web->nroutes; i++) {
        struct request_count sum = sum_of(web, i);

        if (is_first(web, i) && sum.took.n)
            took(b, "request_seconds", "operation", web->routes[i].operation, &sum.took);
    }
}

static void write_queries(struct buf *b, const struct web *web)
{
    static const char *const statements[] = {"tile",    "records", "export", "values",
                                             "session", "events",  "feed",   "layout"};

    family(b, "database_seconds", "summary", "Time on a reader's thread, by what was asked.");
    for (size_t i = 0; i < sizeof(statements) / sizeof(statements[0]); i++)
        took(b, "database_seconds", "statement", statements[i], &web->counts.statements[i]);
    family(b, "tile_seconds", "summary", "Time on a reader's thread, by tile.");
    for (int i = 0; i < query_ntiles() && i < COUNTS_TILES; i++)
        took(b, "tile_seconds", "tile", query_tile_id(i), &web->counts.tiles[i]);
    one(b, "queries_waiting", "gauge", "Queries that wait for a reader.",
        (double)readers_waiting(web->pages));
    family(b, "exports_total", "counter", "Exports that were begun, by how they ended.");
    labelled(b, "exports_total", (double)web->counts.exports, "complete=\"yes\"");
    labelled(b, "exports_total", (double)web->counts.exports_broken, "complete=\"no\"");
    one(b, "feed_pages_total", "counter", "Pages of the feed that were answered.",
        (double)web->counts.feed_pages);
}

static void write_sign_ins(struct buf *b, struct web *web)
{
    static const char *const words[SIGN_IN_NOUTCOMES] = {"ok", "failed", "locked_out", "refused"};

    family(b, "sign_ins_total", "counter", "Attempts to sign in.");
    for (size_t i = 0; i < SIGN_IN_NOUTCOMES; i++)
        labelled(b, "sign_ins_total", (double)web->counts.sign_ins[i], "outcome=\"%s\"", words[i]);
    one(b, "web_sessions", "gauge", "Users' sessions that are signed in.",
        (double)web_sessions_count(&web->sessions));
    one(b, "connections", "gauge", "Open connections.", (double)http_connections(web->server));
    one(b, "certificate_end_timestamp_seconds", "gauge", "End of the page's certificate.",
        (double)http_certificate_end(web->server));
}

static void write_process(struct buf *b, const struct web *web)
{
    struct rusage usage = {0};
    unsigned long pages = 0;
    FILE *f = fopen("/proc/self/statm", "re");

    if (f && fscanf(f, "%*u %lu", &pages) != 1)
        pages = 0;
    if (f)
        (void)fclose(f);
    (void)getrusage(RUSAGE_SELF, &usage);
    family(b, "build_info", "gauge", "Always 1.");
    labelled(b, "build_info", 1, "version=\"%s\"", JG_VERSION);
    one(b, "start_time_seconds", "gauge", "When the process started, since 1970.",
        (double)web->started_wall_ms / 1000);
    one(b, "process_cpu_seconds_total", "counter", "Processor time used.",
        (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
            (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6);
    one(b, "process_resident_memory_bytes", "gauge", "Memory in use.",
        (double)pages * (double)sysconf(_SC_PAGESIZE));
    one(b, "loop_lag_seconds", "gauge", "Longest iteration of the event loop in the last 10 seconds.",
        loop_lag_ms(web->loop) / 1000);
    one(b, "draining", "gauge", "1 while the process shuts down.", web->draining);
}

static void write_audit(struct buf *b, const struct web *web)
{
    struct audit_state s = {0};

    if (!web->audit)
        return;
    web->audit->ops->state(web->audit, &s);
    one(b, "audit_writable", "gauge", "1 while the audit trail can be written.", s.writable);
    one(b, "audit_queued", "gauge", "Records that are not on disk yet.", (double)s.queued);
    one(b, "audit_records_total", "counter", "Records on disk.", (double)s.records);
    one(b, "audit_failures_total", "counter", "Attempts to write that failed.", (double)s.failures);
    one(b, "audit_lost_total", "counter", "Records given up because too many were waiting.", (double)s.lost);
    one(b, "audit_breaks_total", "counter", "Times the file was found deleted, replaced, cut or changed.",
        (double)s.breaks);
}

/* ---- sites and collector ---- */

static void write_states(struct buf *b, const struct view *view)
{
    const struct query_context *context = view_context(view);

    family(b, "site_state", "gauge", "1 for the state that a site is in.");
    for (size_t i = 0; i < context->nsites; i++)
        for (int word = 0; word < COLLECT_NWORDS; word++)
            if (view_sees(view, context->sites[i].host_name))
                labelled(b, "site_state",
                         strcmp(context->sites[i].state, collect_word_name((enum collect_word)word)) == 0,
                         "site=\"%s\",state=\"%s\"", context->sites[i].host_name,
                         collect_word_name((enum collect_word)word));
}

/* A gauge of each site, or of each of its sources. */
typedef void site_rows(struct buf *, const char *name, const struct collect_site_state *);

static void each_source(struct buf *b, const char *name, const struct collect_site_state *s,
                        int64_t (*of)(const struct collect_source_state *))
{
    for (size_t i = 0; i < COLLECT_NSOURCES; i++)
        if (of(&s->sources[i]) != RECORD_NONE)
            labelled(b, name, (double)of(&s->sources[i]), "site=\"%s\",source=\"%s\"", s->host_name,
                     collect_source_name((enum collect_source)i));
}

static int64_t last_success_of(const struct collect_source_state *s)
{
    return s->last_success;
}

static int64_t lag_of(const struct collect_source_state *s)
{
    return s->lag;
}

static void rows_success(struct buf *b, const char *name, const struct collect_site_state *s)
{
    each_source(b, name, s, last_success_of);
}

static void rows_lag(struct buf *b, const char *name, const struct collect_site_state *s)
{
    each_source(b, name, s, lag_of);
}

static void rows_calls(struct buf *b, const char *name, const struct collect_site_state *s)
{
    for (size_t i = 0; i < COLLECT_NSOURCES; i++)
        for (int end = 0; end < REPORT_NENDS; end++)
            if (s->sources[i].calls[end])
                labelled(b, name, (double)s->sources[i].calls[end],
                         "site=\"%s\",source=\"%s\",outcome=\"%s\"", s->host_name,
                         collect_source_name((enum collect_source)i), report_end_name((enum report_end)end));
}

static void rows_call_seconds(struct buf *b, const char *name, const struct collect_site_state *s)
{
    for (size_t i = 0; i < COLLECT_NSOURCES; i++) {
        const char *source = collect_source_name((enum collect_source)i);
        uint64_t calls = 0;

        for (int end = 0; end < REPORT_NENDS; end++)
            calls += s->sources[i].calls[end];
        if (calls)
            (void)buf_printf(b,
                             PREFIX "%s_sum{site=\"%s\",source=\"%s\"} %.17g\n" PREFIX
                                    "%s_count{site=\"%s\",source=\"%s\"} %" PRIu64 "\n",
                             name, s->host_name, source, (double)s->sources[i].call_ms / 1000, name,
                             s->host_name, source, calls);
    }
}

static void site_row(struct buf *b, const char *name, const struct collect_site_state *s, double v)
{
    labelled(b, name, v, "site=\"%s\"", s->host_name);
}

static void rows_todo(struct buf *b, const char *name, const struct collect_site_state *s)
{
    site_row(b, name, s, (double)s->todo);
}

static void rows_failed(struct buf *b, const char *name, const struct collect_site_state *s)
{
    site_row(b, name, s, (double)s->failed);
}

static void rows_rate(struct buf *b, const char *name, const struct collect_site_state *s)
{
    if (s->rate_remaining >= 0)
        site_row(b, name, s, (double)s->rate_remaining);
}

static void rows_skew(struct buf *b, const char *name, const struct collect_site_state *s)
{
    site_row(b, name, s, (double)s->skew_ms / 1000);
}

static const struct {
    const char *name, *kind, *help;
    site_rows *rows;
} site_families[] = {
    {"last_success_seconds", "gauge", "When a source last succeeded, since 1970.", rows_success},
    {"lag_seconds", "gauge", "Between what a source has collected and now.", rows_lag},
    {"calls_total", "counter", "Calls to a site.", rows_calls},
    {"call_seconds", "summary", "How long calls to a site took.", rows_call_seconds},
    {"todo", "gauge", "Sessions that wait to be fetched.", rows_todo},
    {"failed_sessions", "gauge", "Sessions whose fetch failed five times.", rows_failed},
    {"rate_remaining", "gauge", "Calls that the site still allows in this hour.", rows_rate},
    {"clock_skew_seconds", "gauge", "The site's clock less ours.", rows_skew},
};

static void write_collector(struct buf *b, const struct web *web, const struct view *view)
{
    const struct collect_state *state = web->collector ? collect_state(web->collector) : NULL;

    if (!state)
        return;
    for (size_t f = 0; f < sizeof(site_families) / sizeof(site_families[0]); f++) {
        family(b, site_families[f].name, site_families[f].kind, site_families[f].help);
        for (size_t i = 0; i < state->nsites; i++)
            if (view_sees(view, state->sites[i].host_name))
                site_families[f].rows(b, site_families[f].name, &state->sites[i]);
    }
    one(b, "sessions_stored_total", "counter", "Sessions stored for the first time.",
        (double)state->database.counts.sessions_new);
    one(b, "sessions_changed_total", "counter", "Sessions stored again with other contents.",
        (double)state->database.counts.sessions_changed);
    one(b, "events_stored_total", "counter", "Events of sessions stored.",
        (double)state->database.counts.events);
    one(b, "database_writable", "gauge", "1 while the collector can write.",
        state->database.outcome == DB_OK);
}

static void write_database(struct buf *b, const struct web *web)
{
    int64_t bytes = states_database_bytes(web);

    if (bytes >= 0)
        one(b, "database_bytes", "gauge", "Size of the database.", (double)bytes);
}

void metrics_start(struct web_request *r)
{
    struct web *web = r->web;
    struct view *view = view_new(web, r);

    if (!view) {
        web_fail_with(r, PROBLEM_INTERNAL, "out of memory");
        return;
    }
    write_process(&r->body, web);
    write_requests(&r->body, web);
    write_queries(&r->body, web);
    write_sign_ins(&r->body, web);
    write_audit(&r->body, web);
    write_states(&r->body, view);
    write_collector(&r->body, web, view);
    write_database(&r->body, web);
    view_free(view);
    web_send(r, 200, "text/plain; version=0.0.4; charset=utf-8", "no-store");
}
