/* SPDX-License-Identifier: Apache-2.0 */
/*
 * doctor_pra.c - the stages of the PRA site, through the gateway's own client for it.
 *
 *   secret -> dns, tcp, tls, probe (one call) -> token, command (one call) -> permissions -> role -> clock
 *   -> reporting -> Jumpoints
 *
 * One call can decide several stages: the client tells apart at which of them it failed. After a failure the
 * stages follow that can still be looked at: without a secret those up to the probe. No secret is sent to a
 * server that does not look like a site. The calls only read, and one token is made.
 *
 * Not here: how a fault is told apart (backends/pra/judge.c), which permission which feature needs
 * (backends/pra/permissions.c).
 */
#include "backends/pra/client.h"
#include "backends/pra/permissions.h"
#include "base/container_of.h"
#include "commands/doctor_stages.h"
#include "commands/site_params.h"
#include "conf/conf.h"
#include "loop/upstream/upstream.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define SECRET_MAX     4096
#define SKEW_BAD_MS    60000
#define SYNC_STALE_MS  (3600 * 1000)
#define LISTING_BACK_S 60
#define PAGES_MAX      100

struct site_doctor {
    struct doctor *d;
    const struct conf_pra *conf;
    struct loop *loop;
    struct pra_client *client;
    struct pra_info info;
    bool has_info;
    bool has_skew;
    int64_t skew_ms; /* the site's clock less this machine's */
};

struct site_call {
    struct pra_call call;
    struct loop *loop;
    bool done;
};

/* ---- findings ---- */

static void enter(struct site_doctor *s, enum doctor_stage stage)
{
    s->d->report.stage = stage;
}

/* The fault of the present stage, with what to do about it. */
static void site_fault(struct site_doctor *s, enum report_part part, const char *code, const char *detail,
                       const char *cause, const char *remedy)
{
    struct doctor_report *report = &s->d->report;

    report->of[report->stage].fault = code;
    report_write(report, part, "%s", detail);
    report_cause(s->d, "%s", cause);
    report_remedy(s->d, "%s", remedy);
}

struct explanation {
    enum pra_fault fault;
    const char *code, *cause, *remedy;
};

static const struct explanation *explanation_of(const struct explanation *rows, size_t n,
                                                enum pra_fault fault)
{
    for (size_t i = 0; i + 1 < n; i++)
        if (rows[i].fault == fault)
            return &rows[i];
    return &rows[n - 1]; /* for every other fault */
}

static void explain_result(struct site_doctor *s, const struct explanation *row,
                           const struct pra_result *result)
{
    char detail[PRA_TEXT_SIZE + 160];

    pra_result_words(result, detail, sizeof(detail));
    site_fault(s, REPORT_FAILED, row->code, detail, row->cause, row->remedy);
}

#define EXPLAIN(s, rows, result)                                                                             \
    explain_result((s), explanation_of((rows), sizeof(rows) / sizeof((rows)[0]), (result)->fault), (result))

/* ---- calls ---- */

static void on_done(struct pra_call *call)
{
    struct site_call *waiting = CONTAINER_OF(call, struct site_call, call);

    waiting->done = true;
    loop_stop(waiting->loop);
}

/* One call, waited for; pra_call_free() it. */
static void ask_site(struct site_doctor *s, struct site_call *out)
{
    out->loop = s->loop;
    out->call.urgent = out->call.once = true;
    out->call.done = on_done;
    if (pra_client_call(s->client, &out->call)) {
        out->call.result.fault = PRA_NO_MEMORY;
        return;
    }
    while (!out->done)
        (void)loop_run(s->loop);
}

/* ---- the secret ---- */

static bool read_secret(struct site_doctor *s, struct secret *secret)
{
    const char *path = s->conf->client_secret_file;
    char why[80] = "", detail[512];
    int err;

    enter(s, STAGE_PRA_SECRET);
    err = secret_read_file(secret, path, SECRET_MAX);
    if (err && err != -ENODATA) {
        (void)snprintf(detail, sizeof(detail), "%s cannot be read: %s", path, strerror(-err));
        site_fault(s, REPORT_FAILED, "secret_unreadable", detail,
                   "the file is missing, or its permissions are for another user",
                   "make it readable for the user that the gateway runs as, and for no other");
        return false;
    }
    bool empty = err || strspn(secret->p, " \t\r\n") == secret->len;

    secret_clear(secret);
    err = empty ? 0 : secret_read_line(secret, path, why);
    if (!empty && !err) {
        report_ok(s->d, "%s holds a secret of %zu characters", path, secret->len);
        return true;
    }
    (void)snprintf(detail, sizeof(detail), "%s %s", path, empty ? "is empty" : why);
    site_fault(s, REPORT_FAILED, empty ? "secret_empty" : "secret_unreadable", detail,
               "the file does not hold the client secret, on one line of text",
               "write the OAuth client secret of the API account into it; the site shows it once");
    return false;
}

/* ---- name, connection, certificate, probe ---- */

static const struct explanation dns_rows[] = {
    {PRA_NAME_UNKNOWN, "name_unknown",
     "the host in `url` (or `proxy`) is misspelt, or this machine's name "
     "servers do not know it",
     "compare it with the address in a browser that reaches the site; ask `getent hosts NAME`"},
};

static const struct explanation tcp_rows[] = {
    {PRA_CONNECT_LATE, "connect_timeout", "a firewall drops the packets, or the address is not the site's",
     "let this machine through to the site, or set `proxy`"},
    {PRA_NO_CONNECTION, "connect_refused",
     "the way to the site is closed, or the proxy does not let this machine through to it",
     "see the detail; let this machine through to the site's name and port, or correct `proxy`"},
    {PRA_REFUSED_TCP, "connect_refused", "the machine is there, and nothing listens on this port",
     "check the port in `url`; the site is on 443 unless it was moved"},
};

static const struct explanation tls_rows[] = {
    {PRA_TLS_ISSUER, "untrusted_issuer",
     "the certificate comes from an authority this gateway does not trust, "
     "or the site does not send its intermediate certificates",
     "name the authority's certificate (PEM) as `ca_file`; never switch verification off"},
    {PRA_TLS_NAME, "wrong_name", "the certificate is good, and made for another name",
     "write the site's public name into `url`"},
    {PRA_TLS_EXPIRED, "certificate_expired",
     "the certificate is not valid today, or this machine's clock is "
     "wrong",
     "renew the certificate at the site; check this machine's clock (timedatectl)"},
    {PRA_TLS_NONE, "no_tls", "the other side does not speak TLS 1.2 or newer on this port",
     "check scheme and port of `url`"},
};

static const struct explanation probe_rows[] = {
    {PRA_TIMEOUT, "not_a_site", "the server takes connections and does not answer in time",
     "see whether the site's /login opens in a browser; raise `call_timeout` if it is slow"},
    {PRA_REDIRECT, "not_a_site", "another server answers: a site does not redirect its health page",
     "write the site's own address into `url`"},
    {PRA_OK, "not_a_site", "another server answers in the site's place: a proxy, a portal, or a wrong `url`",
     "write the site's own address into `url`; let this machine through without a portal"},
};

#define NROWS(rows) (sizeof(rows) / sizeof((rows)[0]))

/* The stage at which the probe failed; those before it are in order. */
static const struct {
    enum doctor_stage stage;
    const struct explanation *rows;
    size_t n;
    const char *good;
} net_stages[] = {
    {STAGE_PRA_DNS, dns_rows, NROWS(dns_rows), "the site's name resolves"},
    {STAGE_PRA_TCP, tcp_rows, NROWS(tcp_rows), "the site takes connections"},
    {STAGE_PRA_TLS, tls_rows, NROWS(tls_rows), "the certificate is trusted and has the site's name"},
};

static bool fails_at(const struct explanation *rows, size_t n, enum pra_fault fault)
{
    for (size_t i = 0; i < n; i++)
        if (rows[i].fault == fault)
            return true;
    return false;
}

static bool judge_probe(struct site_doctor *s, const struct pra_call *call)
{
    for (size_t i = 0; i < NROWS(net_stages); i++) {
        enter(s, net_stages[i].stage);
        if (fails_at(net_stages[i].rows, net_stages[i].n, call->result.fault)) {
            explain_result(s, explanation_of(net_stages[i].rows, net_stages[i].n, call->result.fault),
                           &call->result);
            return false;
        }
        if (net_stages[i].stage == STAGE_PRA_TLS && strncmp(s->conf->url, "https", 5) != 0)
            report_ok(s->d, "not used: `insecure_http` to this machine itself");
        else
            report_ok(s->d, "%s", net_stages[i].good);
    }
    enter(s, STAGE_PRA_PROBE);
    if (call->result.fault != PRA_OK) {
        EXPLAIN(s, probe_rows, &call->result);
        return false;
    }
    if (call->answer.probe_healthy)
        report_ok(s->d, "the site calls itself healthy (%" PRIu64 " ms)", call->took_ms);
    else
        site_fault(s, REPORT_FAILED, "unhealthy", "the site answers, and calls itself unhealthy",
                   "the appliance has a problem of its own", "see its /login and /appliance pages");
    return true;
}

static bool check_probe(struct site_doctor *s)
{
    struct site_call probe = {.call = {.kind = PRA_CALL_PROBE}};
    bool site;

    ask_site(s, &probe);
    site = judge_probe(s, &probe.call);
    pra_call_free(&probe.call);
    return site;
}

/* ---- token, Command API ---- */

static const struct explanation token_rows[] = {
    {PRA_CLIENT_REFUSED, "client_refused",
     "`client_id` or the secret are wrong, or the account is disabled or locked after failures",
     "compare the id, write a new secret into the file (Management > API Configuration), check Enabled"},
    {PRA_WEB_PAGE, "token_endpoint_missing", "another server answers, or a site older than 16.1",
     "write the site's own address into `url`"},
    {PRA_OK, "token_error", "the site could not make a token", "try again; see the site's own log"},
};
static const struct explanation token_missing = {PRA_STATUS, "token_endpoint_missing",
                                                 "another server answers, or a site older than 16.1",
                                                 "write the site's own address into `url`"};

static const struct explanation command_rows[] = {
    {PRA_WEB_PAGE, "xml_api_off", "the XML API is switched off at the site",
     "Management > Security: check Enable XML API"},
    {PRA_DENIED, "command_denied", "the account may not use the Command API",
     "Management > API Configuration: set Command API to Read Only or Full Access"},
    {PRA_TOKEN_REFUSED, "token_refused",
     "the site refuses a token that it has just made: this machine's address is not allowed for the account, "
     "or another program uses up the account's 30 tokens",
     "enter this machine under the account's Network Restrictions; give the gateway an account of its own"},
    {PRA_OK, "nonsense", "the answer has no form that a site's answer has",
     "see the detail; is there a proxy in between that changes answers?"},
};

/* A denial in words: sites say it in an <error> as well. */
static bool says_denied(const struct pra_result *result)
{
    return result->fault == PRA_DENIED ||
           (result->fault == PRA_SITE_ERROR &&
            (strcasestr(result->text, "permission") || strcasestr(result->text, "denied")));
}

/* What the XML APIs answer when they are switched off, unless it is a page. */
static bool is_status_404(const struct pra_result *result)
{
    return result->fault == PRA_STATUS && result->status == 404;
}

static const struct explanation *command_row(const struct pra_result *result)
{
    if (says_denied(result))
        return &command_rows[1];
    if (is_status_404(result))
        return &command_rows[0];
    return explanation_of(command_rows, NROWS(command_rows), result->fault);
}

/* The time in the answer is exact; without one the Date header has whole seconds. */
static void take_clock(struct site_doctor *s, const struct pra_call *call)
{
    int64_t middle_ms = call->began_wall_ms + (int64_t)call->took_ms / 2;

    s->has_skew = s->info.has_time || call->has_date;
    if (s->has_skew)
        s->skew_ms = (s->info.has_time ? s->info.time_ms : call->date_ms) - middle_ms;
}

/* The site's clock, as far as it is known. */
static int64_t site_time_ms(const struct site_doctor *s)
{
    return clock_wall(loop_clock(s->loop)) + s->skew_ms;
}

/* False: nothing that needs a token can be looked at. */
static bool judge_info(struct site_doctor *s, struct pra_call *call)
{
    const struct pra_result *result = &call->result;

    enter(s, STAGE_PRA_TOKEN);
    if (result->fault != PRA_OK && result->failed == PRA_CALL_TOKEN) {
        if (result->fault == PRA_STATUS && result->status == 404)
            explain_result(s, &token_missing, result);
        else
            EXPLAIN(s, token_rows, result);
        return false;
    }
    report_ok(s->d, "the site has made a token");
    enter(s, STAGE_PRA_COMMAND);
    if (result->fault != PRA_OK) {
        explain_result(s, command_row(result), result);
        return result->fault != PRA_TOKEN_REFUSED;
    }
    s->info = call->answer.info;
    s->has_info = true;
    take_clock(s, call);
    report_ok(s->d, "get_api_info answers: API version %s",
              *s->info.api_version ? s->info.api_version : "not named");
    return true;
}

static bool check_command(struct site_doctor *s)
{
    struct site_call info = {.call = {.kind = PRA_CALL_INFO}};
    bool token;

    ask_site(s, &info);
    token = judge_info(s, &info.call);
    pra_call_free(&info.call);
    return token;
}

/* ---- permissions ---- */

struct feature {
    const char *name;
    bool on;
    const struct pra_requirement *needs;
};

static bool is_missing(const struct site_doctor *s, const struct feature *feature)
{
    return feature->on && pra_granted(&s->info, feature->needs) == PRA_GRANT_NO;
}

/* A later feature lacks the same permission, and its box grants this one's as well. */
static bool told_later(const struct site_doctor *s, const struct feature *features, size_t n, size_t i)
{
    for (size_t later = i + 1; later < n; later++)
        if (is_missing(s, &features[later]) &&
            strcmp(features[later].needs->permission, features[i].needs->permission) == 0)
            return true;
    return false;
}

static void judge_permissions(struct site_doctor *s, const struct feature *features, size_t n)
{
    char detail[512] = "", remedy[512] = "";
    size_t missing = 0;

    for (size_t i = 0; i < n; i++) {
        const struct pra_requirement *need = features[i].needs;
        if (!is_missing(s, &features[i]))
            continue;
        size_t used = strlen(detail), told = strlen(remedy);
        (void)snprintf(detail + used, sizeof(detail) - used, "%s%s needs %s", used ? "; " : "",
                       features[i].name, need->permission);
        if (!told_later(s, features, n, i))
            (void)snprintf(remedy + told, sizeof(remedy) - told, "%s%s",
                           told ? "; " : "Management > API Configuration, set ", need->box);
        missing++;
    }
    if (missing) {
        site_fault(s, REPORT_FAILED, "permission_missing", detail,
                   "the API account lacks what the configured features need", remedy);
        return;
    }
    for (enum pra_list list = 0; list < PRA_NLISTS; list++)
        if (pra_list_verdict(&s->info, list) == PRA_LIST_INCOMPLETE) {
            size_t used = strlen(detail);
            (void)snprintf(detail + used, sizeof(detail) - used, "%s%s", used ? ", " : "",
                           pra_list_name(list));
        }
    if (*detail) {
        char text[600];
        (void)snprintf(text, sizeof(text),
                       "all that is configured is allowed; not all that is asked for by: %s", detail);
        site_fault(s, REPORT_WARNING, "vendor_list_incomplete", text,
                   "the account has fewer permissions than the vendor's own integrations want",
                   "nothing, unless Password Safe or Identity Security Insights use this account");
        return;
    }
    report_ok(s->d, "the account may do all that is configured");
}

static void check_permissions(struct site_doctor *s)
{
    const struct feature features[] = {
        {"watching", true, &pra_need_command_read},
        {"early release by polling", s->conf->poll_interval_ms > 0, &pra_need_reports},
        {"ending sessions", s->conf->terminate, &pra_need_command_full},
        {"Jumpoints", s->conf->jumpoints.all || s->conf->jumpoints.names.n, &pra_need_configuration},
        {"the ECM plug-in", s->conf->ecm, &pra_need_ecm},
    };

    enter(s, STAGE_PRA_PERMISSIONS);
    if (!s->has_info)
        return;
    for (size_t i = 0; i < s->info.npermissions; i++)
        report_note(s->d, "%s = %s", s->info.permissions[i].name, s->info.permissions[i].value);
    judge_permissions(s, features, NROWS(features));
}

/* ---- role, clock ---- */

static void judge_health(struct site_doctor *s, const struct pra_health *health)
{
    bool stale = health->has_sync && site_time_ms(s) - health->last_sync_ms > SYNC_STALE_MS;

    report_note(s->d, "version %s, appliance %s", *health->version ? health->version : "not named",
                *health->appliance_id ? health->appliance_id : "not named");
    if (strcasecmp(health->failover_role, "backup") == 0)
        site_fault(s, REPORT_FAILED, "standby", "this appliance is the backup of a failover pair",
                   "`url` names the backup, or the pair has switched over and its name has not",
                   "write the name that the pair shares into `url`");
    else if (health->has_success && !health->success)
        site_fault(s, REPORT_FAILED, "site_reports_error",
                   *health->error_message ? health->error_message : "the site reports an error",
                   "the appliance has a problem of its own", "see its /login and /appliance pages");
    else if (stale)
        site_fault(s, REPORT_WARNING, "sync_stale",
                   "the pair's last data synchronisation is over an hour old",
                   "the backup is away, or synchronisation is switched off",
                   "see Management > Failover at the site");
    else
        report_ok(s->d, "role %s, no error reported",
                  *health->failover_role ? health->failover_role : "not named");
}

static void check_role(struct site_doctor *s)
{
    struct site_call health = {.call = {.kind = PRA_CALL_HEALTH}};
    static const struct explanation other = {
        PRA_OK, "site_reports_error", "check_health of the Command API did not answer", "see the detail"};

    enter(s, STAGE_PRA_ROLE);
    if (!s->has_info || pra_granted(&s->info, &pra_need_command_read) == PRA_GRANT_NO)
        return; /* check_health is a call of the Command API */
    ask_site(s, &health);
    if (health.call.result.fault == PRA_OK)
        judge_health(s, &health.call.answer.health);
    else
        explain_result(s, &other, &health.call.result);
    pra_call_free(&health.call);
}

static void check_clock(struct site_doctor *s)
{
    char detail[160];

    enter(s, STAGE_PRA_CLOCK);
    if (!s->has_info)
        return;
    if (!s->has_skew) {
        report_unknown(s->d, "the site does not say its time");
        return;
    }
    (void)snprintf(detail, sizeof(detail), "the site's clock is %.1f s %s this machine's",
                   (double)llabs(s->skew_ms) / 1000, s->skew_ms < 0 ? "behind" : "ahead of");
    if (llabs(s->skew_ms) > SKEW_BAD_MS)
        site_fault(s, REPORT_FAILED, "clock_skew", detail, "one of the two clocks is not kept by NTP",
                   "check `timedatectl` here and the NTP server in the site's /appliance");
    else
        report_ok(s->d, "%s", detail);
}

/* ---- reports, Jumpoints ---- */

static const struct explanation reporting_rows[] = {
    {PRA_DENIED, "reporting_denied", "the account may not read session reports",
     "Management > API Configuration: check Allow Access to Access Session Reports and Recordings"},
    {PRA_WEB_PAGE, "reporting_error", "the XML API is switched off at the site",
     "Management > Security: check Enable XML API"},
    {PRA_OK, "reporting_error", "the listing of closed sessions failed",
     "see the detail; a busy site may need a longer `report_timeout`"},
};

static const struct explanation *reporting_row(const struct pra_result *result)
{
    if (says_denied(result))
        return &reporting_rows[0];
    if (is_status_404(result))
        return &reporting_rows[1];
    return explanation_of(reporting_rows, NROWS(reporting_rows), result->fault);
}

static void check_reporting(struct site_doctor *s)
{
    struct site_call listing = {.call = {.kind = PRA_CALL_LISTING}};
    const struct pra_result *result = &listing.call.result;

    enter(s, STAGE_PRA_REPORTING);
    if (!s->conf->poll_interval_ms) {
        report_ok(s->d, "not used: `poll_interval` is 0s");
        return;
    }
    listing.call.end_time_s = site_time_ms(s) / 1000 - LISTING_BACK_S;
    ask_site(s, &listing);
    if (result->fault == PRA_OK || result->fault == PRA_NO_ROWS)
        report_ok(s->d, "%zu session%s ended in the last minute", listing.call.answer.listing.n,
                  listing.call.answer.listing.n == 1 ? "" : "s");
    else
        explain_result(s, reporting_row(result), result);
    pra_call_free(&listing.call);
}

static bool is_wanted(const struct site_doctor *s, const char *name, bool *found)
{
    const struct conf_jumpoints *wanted = &s->conf->jumpoints;

    for (size_t i = 0; i < wanted->names.n; i++)
        if (strcmp(wanted->names.item[i], name) == 0) {
            found[i] = true;
            return true;
        }
    return wanted->all;
}

struct jumpoint_findings {
    bool found[64];    /* of the configured names; the table's maximum */
    const char *fault; /* the first one */
    char detail[256];
};

static void judge_jumpoint(struct site_doctor *s, const struct pra_jumpoint *j, struct jumpoint_findings *f)
{
    if (!is_wanted(s, j->name, f->found))
        return;
    report_note(s->d, "%s: %s, %s", j->name, j->enabled ? "enabled" : "disabled",
                j->connected ? "connected" : "not connected");
    if (f->fault || (j->enabled && j->connected) || (s->conf->jumpoints.all && !j->enabled))
        return; /* of `all` those that are in use */
    f->fault = j->enabled ? "jumpoint_disconnected" : "jumpoint_disabled";
    (void)snprintf(f->detail, sizeof(f->detail), "Jumpoint %s is %s", j->name,
                   j->enabled ? "not connected" : "disabled");
}

/* Every page. PRA_OK, or the fault of a page, which is explained. */
static enum pra_fault read_jumpoints(struct site_doctor *s, struct jumpoint_findings *f)
{
    static const struct explanation rows[] = {
        {PRA_DENIED, "configuration_denied", "the account may not use the Configuration API",
         "Management > API Configuration: set Configuration API to Allow Access"},
        {PRA_OK, "configuration_denied", "the list of Jumpoints could not be read", "see the detail"},
    };
    enum pra_fault fault = PRA_OK;
    bool last = false;

    for (unsigned page = 1; fault == PRA_OK && !last && page <= PAGES_MAX; page++) {
        struct site_call call = {.call = {.kind = PRA_CALL_JUMPOINTS, .page = page}};

        ask_site(s, &call);
        fault = call.call.result.fault;
        for (size_t i = 0; fault == PRA_OK && i < call.call.answer.jumpoints.n; i++)
            judge_jumpoint(s, &call.call.answer.jumpoints.rows[i], f);
        last = call.call.answer.jumpoints.last;
        if (fault != PRA_OK)
            explain_result(s, &rows[says_denied(&call.call.result) ? 0 : 1], &call.call.result);
        pra_call_free(&call.call);
    }
    return fault;
}

static void check_jumpoints(struct site_doctor *s)
{
    const struct conf_jumpoints *wanted = &s->conf->jumpoints;
    struct jumpoint_findings f = {.fault = NULL};

    enter(s, STAGE_PRA_JUMPOINT);
    if (!wanted->all && !wanted->names.n) {
        report_ok(s->d, "not looked at: `jumpoints` is not set");
        return;
    }
    if (read_jumpoints(s, &f) != PRA_OK)
        return;
    for (size_t i = 0; i < wanted->names.n; i++)
        if (!f.found[i]) {
            f.fault = "jumpoint_unknown";
            (void)snprintf(f.detail, sizeof(f.detail), "the site has no Jumpoint %s", wanted->names.item[i]);
            break;
        }
    if (f.fault)
        site_fault(s, REPORT_FAILED, f.fault, f.detail,
                   "the Jumpoint was renamed, stopped or disabled, or `jumpoints` is misspelt",
                   "see Jump > Jumpoint at the site; start the Jumpoint's service on its machine");
    else
        report_ok(s->d, "all Jumpoints that are looked at are connected");
}

/* ---- the whole ---- */

static void on_closed(void *arg)
{
    loop_stop(arg);
}

static bool open_client(struct site_doctor *s, struct secret *secret)
{
    struct pra_site_params params = site_params(s->conf);
    char why[256] = "out of memory";

    s->loop = upstream_global_init() ? NULL : loop_new();
    if (s->loop)
        s->client = pra_client_new(s->loop, &params.client, secret, why);
    else
        secret_clear(secret);
    if (!s->client)
        report_failed(s->d, "the client for the site does not start: %s", why);
    return s->client;
}

static void close_client(struct site_doctor *s)
{
    if (s->client) {
        pra_client_close(s->client, on_closed, s->loop);
        (void)loop_run(s->loop);
    }
    if (s->loop)
        (void)loop_free(s->loop);
    upstream_global_cleanup();
}

void doctor_pra(struct doctor *d)
{
    struct site_doctor s = {.d = d, .conf = doctor_site(d)};
    struct secret secret = {0};

    bool has_secret = read_secret(&s, &secret);

    if (open_client(&s, &secret) && check_probe(&s) && has_secret && check_command(&s)) {
        check_permissions(&s);
        check_role(&s);
        check_clock(&s);
        check_reporting(&s);
        check_jumpoints(&s);
    }
    close_client(&s);
}
