/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reload.c - the configuration is read again and applied; see reload.h.
 *
 *   read, check --> compare --> prepare (TLS, vaults, clients, log) --> apply --> old values freed later
 *        |             |            |
 *        +-------------+------------+----> refused: logged, nothing has changed
 *
 * The log is the last step that can fail, because only opening it shows whether it can be opened.
 *
 * A struct plan holds the prepared objects; those that are not applied are freed with it. A struct retired
 * holds the old values and old clients, which requests in progress may still use. What a reload changes, or
 * why it was refused, is in the report as well as in the log.
 *
 * The end dates of certificates are checked at the start, after each reload and once a day, since a renewed
 * certificate is the most frequent reason for a reload.
 */
#include "commands/run/reload.h"
#include "commands/load_conf.h"

#include "base/container_of.h"
#include "base/log.h"
#include "base/metrics.h"
#include "broker/broker.h"
#include "commands/line/findings.h"
#include "commands/run/descriptors.h"
#include "commands/run/site.h"
#include "commands/vault_kinds.h"
#include "conf/conf_change.h"
#include "handlers/clients.h"
#include "handlers/routes.h"
#include "loop/server/tls.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#define ERRORS_MAX (1U << 20)
#define DAY_MS     86400000U
#define SPARE_MS   60000 /* added to the longest possible request */

struct retired {
    struct reload *of;
    struct conf *conf;
    struct clients *clients;
    struct deadline end;
    TAILQ_ENTRY(retired) link;
};

struct reload {
    struct reload_opts opts;
    TAILQ_HEAD(, retired) retired;
    struct deadline daily;
    struct metric done, refused, last;
    struct reload_report *report; /* of the reload in progress */
};

struct plan {
    struct conf *next;
    struct tls_context **tls;  /* per listener; NULL = plain */
    struct vault_next **vault; /* per vault */
    struct clients *clients;
    struct retired *retired;
};

/* ---- log ---- */

/* The lines of a text, each as one event. */
static void log_lines(enum log_level level, const char *event, struct buf *lines)
{
    const char *text = buf_cstr(lines);

    for (size_t n; text && *text; text += n + (text[n] == '\n')) {
        n = strcspn(text, "\n");
        char *line = strndup(text, n);

        log_event(level, event, "line=%s", line);
        free(line);
    }
}

static bool refuse_reload(const struct reload *r, const char *what, const char *why)
{
    log_error("reload_refused", "what=%s why=%s", what, why);
    (void)buf_printf(&r->report->mistakes, "%s: %s\n", what, why);
    return false;
}

/* `gateway.log_level, client pra (new)` as lines. */
static void add_names(struct buf *to, const struct buf *names)
{
    for (size_t i = 0; i < names->len; i++)
        if (names->data[i] != ',')
            (void)buf_char(to, names->data[i]);
        else if (buf_char(to, '\n') == 0)
            i++; /* the blank after the comma */
    if (names->len)
        (void)buf_char(to, '\n');
}

/* ---- steps that can fail ---- */

static bool read_conf(struct reload *r, struct plan *plan)
{
    struct buf lines = BUF_INIT(ERRORS_MAX), warnings = BUF_INIT(ERRORS_MAX);
    struct buf *mistakes = &r->report->mistakes;
    struct findings found = {0};
    int err = load_usable_conf(r->opts.path, &plan->next, &lines);

    findings_take_lines(&found, r->opts.path, &lines);
    findings_print_apart(&found, r->opts.path, mistakes, &warnings);
    log_lines(LOG_WARN, "reload_warning", &warnings);
    log_lines(LOG_ERROR, "reload_mistake", mistakes);
    findings_free(&found);
    buf_free(&warnings);
    buf_free(&lines);
    if (err && !mistakes->len)
        return refuse_reload(r, r->opts.path, strerror(-err));
    if (err)
        log_error("reload_refused", "what=%s why=%s", r->opts.path,
                  "it has mistakes; `jumpgate check` says the same");
    return !err;
}

static bool may_change(struct reload *r, const struct plan *plan)
{
    struct conf_change change;
    int err = conf_compare(r->opts.conf, plan->next, &change);
    bool ok = !err && !change.refused;

    if (err)
        refuse_reload(r, "comparison", "out of memory");
    else if (!ok) {
        (void)buf_append(&r->report->mistakes, change.reasons.data, change.reasons.len);
        log_lines(LOG_ERROR, "reload_needs_restart", &change.reasons);
    } else {
        add_names(&r->report->changed, &change.names);
        log_info("reload", "changed=%zu keys=%s config_digest=%s", change.changed,
                 change.changed ? buf_cstr(&change.names) : NULL, plan->next->digest);
    }
    conf_change_free(&change);
    return ok ||
           (!err && refuse_reload(r, "configuration", "some of it needs a restart; none of it was taken"));
}

struct http_tls_opts reload_tls_opts(const struct conf_listener *l)
{
    return (struct http_tls_opts){.certificate = l->tls_certificate,
                                  .key = l->tls_key,
                                  .client_ca = l->client_ca,
                                  .client_crl = l->client_crl};
}

static bool prepare_tls(const struct reload *r, struct plan *plan)
{
    const struct conf *next = plan->next;
    char why[256] = "out of memory";

    plan->tls = calloc(next->nlisteners + 1, sizeof(struct tls_context *));
    if (!plan->tls)
        return refuse_reload(r, "listeners", why);
    for (size_t i = 0; i < next->nlisteners; i++) {
        struct http_tls_opts opts = reload_tls_opts(&next->listeners[i]);

        if (!opts.certificate)
            continue;
        plan->tls[i] = tls_context_new(&opts, why);
        if (!plan->tls[i])
            return refuse_reload(r, next->listeners[i].name, why);
    }
    return true;
}

static bool prepare_vaults(const struct reload *r, struct plan *plan)
{
    const struct conf *next = plan->next;
    char why[256] = "out of memory";

    plan->vault = calloc(next->nvaults + 1, sizeof(struct vault_next *));
    if (!plan->vault)
        return refuse_reload(r, "vaults", why);
    for (size_t i = 0; i < next->nvaults; i++) {
        plan->vault[i] = vault_kind_of(next->vaults[i].type)->prepare(next, &next->vaults[i], why);
        if (!plan->vault[i])
            return refuse_reload(r, next->vaults[i].name, why);
    }
    return true;
}

/* The last steps that need memory. */
static bool prepare_clients(struct reload *r, struct plan *plan)
{
    plan->clients = gateway_prepare(r->opts.gateway, plan->next);
    plan->retired = calloc(1, sizeof(*plan->retired));
    return plan->clients && plan->retired ? true : refuse_reload(r, "clients", "out of memory");
}

static bool open_log(const struct reload *r, const struct plan *plan)
{
    const struct conf_gateway *g = &plan->next->gateway;
    int err = log_open(&(struct log_opts){.level = g->log_level, .json = g->log_json, .file = g->log_file});

    return err ? refuse_reload(r, g->log_file, log_why(err)) : true;
}

/* The last step: it puts in place what it has prepared. */
static bool reload_site(const struct reload *r, const struct plan *plan)
{
    char why[RUN_SITE_WHY_SIZE] = "";

    if (!r->opts.site || run_site_reload(r->opts.site, &plan->next->pras[0], why))
        return true;
    return refuse_reload(r, plan->next->pras[0].name, why);
}

static void plan_free(struct plan *plan)
{
    for (size_t i = 0; plan->tls && i < plan->next->nlisteners; i++)
        tls_context_unref(plan->tls[i]);
    for (size_t i = 0; plan->vault && i < plan->next->nvaults; i++)
        vault_kind_of(plan->next->vaults[i].type)->discard(plan->vault[i]);
    free(plan->tls);
    free(plan->vault);
    clients_free(plan->clients);
    free(plan->retired);
    conf_free(plan->next);
}

/* ---- steps that cannot fail ---- */

static void retired_free(struct retired *old)
{
    TAILQ_REMOVE(&old->of->retired, old, link);
    timer_stop(loop_timers(old->of->opts.loop), &old->end);
    clients_free(old->clients);
    conf_free(old->conf);
    free(old);
}

static void on_retired(struct deadline *d)
{
    retired_free(CONTAINER_OF(d, struct retired, end));
}

/* A request uses its client until it ends. Without a timer the old values are kept until the gateway ends. */
static void keep_retired(struct reload *r, struct retired *old)
{
    const struct conf_gateway *g = &old->conf->gateway;
    uint64_t longest = g->header_timeout_ms + 2 * g->body_timeout_ms + g->request_timeout_ms + SPARE_MS;

    old->of = r;
    TAILQ_INSERT_TAIL(&r->retired, old, link);
    if (timer_start(loop_timers(r->opts.loop), &old->end, longest, on_retired))
        log_warn("reload_kept", "hint=%s", "out of memory for a timer");
}

/* Half of the secret memory is reserved for the vaults' answers, however much clients pipeline. */
struct http_server_opts reload_server_opts(const struct conf *conf)
{
    const struct conf_gateway *g = &conf->gateway;

    return (struct http_server_opts){
        .max_connections = descriptors_for_clients(conf),
        .max_secret = g->secret_memory / 2,
        .max_stranger_secret = g->secret_memory / 16,
        .max_per_peer = g->max_connections_per_peer,
        .header_timeout_ms = g->header_timeout_ms,
        .body_timeout_ms = g->body_timeout_ms,
        .idle_timeout_ms = g->idle_timeout_ms,
        .write_timeout_ms = g->body_timeout_ms, /* a response has as much time as a body */
    };
}

static void apply_plan(struct reload *r, struct plan *plan)
{
    struct conf *conf = r->opts.conf;
    struct http_server_opts server;

    conf_exchange(conf, plan->next);
    plan->retired->conf = plan->next;
    plan->retired->clients = gateway_reload(r->opts.gateway, plan->clients);
    plan->clients = NULL;
    keep_retired(r, plan->retired);
    plan->retired = NULL;
    server = reload_server_opts(conf);
    http_server_limits(r->opts.server, &server);
    for (size_t i = 0; i < conf->nlisteners; i++)
        if (plan->tls[i] && !http_listener_reload(r->opts.server, conf->listeners[i].name, plan->tls[i]))
            tls_context_unref(plan->tls[i]);
    for (size_t i = 0; i < conf->nvaults; i++)
        vault_kind_of(conf->vaults[i].type)->reload(r->opts.vaults[i], plan->vault[i]);
    free(plan->tls);
    free(plan->vault);
    broker_reload(r->opts.broker);
}

/* ---- the whole reload ---- */

static bool try_reload(struct reload *r)
{
    struct plan plan = {0};

    if (read_conf(r, &plan) && may_change(r, &plan) && prepare_tls(r, &plan) && prepare_vaults(r, &plan) &&
        prepare_clients(r, &plan) && open_log(r, &plan) && reload_site(r, &plan)) {
        apply_plan(r, &plan);
        return true;
    }
    plan_free(&plan);
    return false;
}

void reload_report_free(struct reload_report *report)
{
    buf_free(&report->changed);
    buf_free(&report->restart);
    buf_free(&report->mistakes);
}

bool reload_now(struct reload *r, struct reload_report *report)
{
    *report = (struct reload_report){
        .changed = BUF_INIT(ERRORS_MAX), .restart = BUF_INIT(ERRORS_MAX), .mistakes = BUF_INIT(ERRORS_MAX)};
    r->report = report;
    bool done = report->done = try_reload(r);
    r->report = NULL;

    metric_add(done ? &r->done : &r->refused, 1);
    r->last.value = done;
    if (done)
        log_info("reloaded", "config_digest=%s", r->opts.conf->digest);
    else
        log_error("reload_failed", "hint=%s", "nothing has changed; correct the file and reload again");
    if (done)
        gateway_warn_certificates(r->opts.gateway);
    return done;
}

/* ---- life ---- */

static void on_day(struct deadline *d)
{
    struct reload *r = CONTAINER_OF(d, struct reload, daily);

    gateway_warn_certificates(r->opts.gateway);
    timer_set(loop_timers(r->opts.loop), &r->daily, DAY_MS, on_day);
}

static void register_metrics(struct reload *r)
{
    r->done = (struct metric){.name = "jumpgate_config_reloads_total",
                              .help = "Reloads of the configuration by result.",
                              .kind = METRIC_COUNTER,
                              .labels = "result=\"done\""};
    r->refused = r->done;
    r->refused.labels = "result=\"refused\"";
    r->last = (struct metric){.name = "jumpgate_config_last_reload_successful",
                              .help = "1 if the configuration in use is the one read last.",
                              .kind = METRIC_GAUGE,
                              .value = 1};
    metric_register(&r->done);
    metric_register(&r->refused);
    metric_register(&r->last);
}

struct reload *reload_new(const struct reload_opts *opts)
{
    struct reload *r = calloc(1, sizeof(*r));

    if (!r)
        return NULL;
    r->opts = *opts;
    TAILQ_INIT(&r->retired);
    if (timer_reserve(loop_timers(opts->loop), &r->daily)) {
        free(r);
        return NULL;
    }
    timer_set(loop_timers(opts->loop), &r->daily, DAY_MS, on_day);
    register_metrics(r);
    gateway_warn_certificates(opts->gateway);
    return r;
}

void reload_free(struct reload *r)
{
    if (!r)
        return;
    timer_unreserve(loop_timers(r->opts.loop), &r->daily);
    while (!TAILQ_EMPTY(&r->retired))
        retired_free(TAILQ_FIRST(&r->retired));
    free(r);
}
