/* SPDX-License-Identifier: Apache-2.0 */
/*
 * health.c - /livez, /readyz and /status.
 *
 * /livez: the loop runs, which any answer proves. /readyz: should requests be sent here? Each reason against
 * it is named: database, audit trail, certificate, a shut-down in progress. A site that is away is no reason.
 * /status: the whole state on one page: names and numbers, no person and no secret. None of these waits.
 */
#include "base/clock.h"
#include "base/compiler.h"
#include "reports/web/web_internal.h"

#include <stdio.h>

void livez_start(struct web_request *r)
{
    struct jsonw w;

    web_object(r, &w);
    jsonw_bool(&w, "alive", true);
    jsonw_end(&w);
    web_json(r, 200);
}

static bool audit_state_of(const struct web *web, struct audit_state *state)
{
    *state = (struct audit_state){.writable = true};
    if (web->audit)
        web->audit->ops->state(web->audit, state);
    return web->audit;
}

static bool certificate_valid(const struct web *web)
{
    int64_t end = web->server ? http_certificate_end(web->server) : 0;

    return !end || end > clock_wall(web->clock) / 1000;
}

/* Outcomes of the last query that say that the next will fail too. */
static bool database_there(const struct web *web)
{
    enum db_outcome outcome = readers_outcome(web->pages);

    return outcome != DB_AWAY && outcome != DB_DAMAGED && outcome != DB_REFUSED;
}

static unsigned write_reasons(const struct web *web, struct jsonw *w)
{
    struct audit_state audit;
    char why[320];
    unsigned n = 0;

    if (!database_there(web)) {
        (void)snprintf(why, sizeof(why), "the database cannot be read: %s",
                       db_outcome_name(readers_outcome(web->pages)));
        jsonw_str(w, NULL, why);
        n++;
    }
    if (audit_state_of(web, &audit) && !audit.writable) {
        (void)snprintf(why, sizeof(why), "the audit trail cannot be written: %s", audit.why);
        jsonw_str(w, NULL, why);
        n++;
    }
    if (!certificate_valid(web)) {
        jsonw_str(w, NULL, "the certificate of the page has expired");
        n++;
    }
    if (web->draining) {
        jsonw_str(w, NULL, "jumpgate-reports is shutting down");
        n++;
    }
    return n;
}

void readyz_start(struct web_request *r)
{
    struct buf reasons = BUF_INIT(4096);
    struct jsonw list = jsonw_start(&reasons), w;
    unsigned n;

    jsonw_array(&list, NULL);
    n = write_reasons(r->web, &list);
    jsonw_end(&list);
    web_object(r, &w);
    jsonw_bool(&w, "ready", n == 0);
    jsonw_raw(&w, "reasons", reasons.data, reasons.len);
    jsonw_end(&w);
    r->body.failed = r->body.failed || reasons.failed;
    buf_free(&reasons);
    web_json(r, n ? 503 : 200);
}

static void write_database(struct jsonw *w, const struct web *web)
{
    enum db_outcome outcome = readers_outcome(web->pages);

    jsonw_object(w, NULL);
    jsonw_str(w, "name", "database");
    jsonw_str(w, "type", web->db_name);
    jsonw_str(w, "state", database_there(web) ? "readable" : "not_readable");
    jsonw_str(w, "last_outcome", db_outcome_name(outcome));
    jsonw_int(w, "queries_waiting", (int64_t)readers_waiting(web->pages));
    jsonw_int(w, "exports_waiting", (int64_t)readers_waiting(web->exports));
    jsonw_end(w);
}

static void write_audit(struct jsonw *w, const struct web *web)
{
    struct audit_state s;

    if (!audit_state_of(web, &s))
        return;
    jsonw_object(w, NULL);
    audit_state_json(w, &s, web->conf->reports.audit_policy == REPORTS_AUDIT_STRICT);
    jsonw_end(w);
}

static void write_sites(struct jsonw *w, const struct view *view)
{
    const struct query_context *context = view_context(view);
    char text[CLOCK_RFC3339_SIZE];

    jsonw_array(w, "sites");
    for (size_t i = 0; i < context->nsites; i++) {
        const struct query_site *s = &context->sites[i];

        if (!view_sees(view, s->host_name))
            continue;
        jsonw_object(w, NULL);
        jsonw_str(w, "host_name", s->host_name);
        jsonw_str(w, "state", s->state);
        jsonw_str(w, "reason", s->reason);
        jsonw_str(w, "last_success",
                  s->last_success == QUERY_NONE ? NULL : clock_rfc3339(s->last_success * 1000, text));
        jsonw_end(w);
    }
    jsonw_end(w);
}

void status_start(struct web_request *r)
{
    struct web *web = r->web;
    struct view *view = view_new(web, r);
    int64_t end = http_certificate_end(web->server);
    char text[CLOCK_RFC3339_SIZE];
    struct jsonw w;

    if (!view) {
        web_fail_with(r, PROBLEM_INTERNAL, "out of memory");
        return;
    }
    web_object(r, &w);
    jsonw_str(&w, "name", "jumpgate-reports");
    jsonw_str(&w, "version", JG_VERSION);
    jsonw_str(&w, "build", JG_COMPILER);
    jsonw_str(&w, "started_at", clock_rfc3339(web->started_wall_ms, text));
    jsonw_int(&w, "uptime_seconds", (int64_t)((clock_now(web->clock) - web->started_ms) / 1000));
    jsonw_str(&w, "config_digest", web->conf->digest);
    jsonw_bool(&w, "draining", web->draining);
    jsonw_bool(&w, "collects", web->collector != NULL);
    jsonw_int(&w, "connections", (int64_t)http_connections(web->server));
    jsonw_double(&w, "loop_lag_ms", loop_lag_ms(web->loop));
    jsonw_int(&w, "web_sessions", (int64_t)web_sessions_count(&web->sessions));
    jsonw_str(&w, "certificate_end", end ? clock_rfc3339(end * 1000, text) : NULL);
    jsonw_array(&w, "dependencies");
    write_database(&w, web);
    write_audit(&w, web);
    jsonw_end(&w);
    write_sites(&w, view);
    jsonw_end(&w);
    view_free(view);
    web_json(r, 200);
}
