/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pra.c - the stages of the PRA site, through the gateway's own client for it.
 *
 *   secret -> dns, tcp, tls, probe (one call) -> token, command (one call) -> permissions -> role -> clock
 *   -> reporting -> Jumpoints
 *
 * One call can decide several stages: the client tells apart at which of them it failed. After a failure the
 * stages follow that can still be looked at: without a secret those up to the probe. No secret is sent to a
 * server that does not look like a site. The calls only read, and one token is made.
 *
 * Not here: how a fault is told apart (backends/pra/judge.c).
 */
#include "commands/doctor/pra.h"
#include "commands/run/site_params.h"
#include "conf/conf.h"
#include "loop/upstream/upstream.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define SECRET_MAX 4096

#define NROWS(rows) (sizeof(rows) / sizeof((rows)[0]))
#define EXPLAIN(s, rows, result)                                                                             \
    site_explain((s), site_explanation((rows), NROWS(rows), (result)->fault), (result))

/* ---- the secret ---- */

static bool read_secret(struct site_doctor *s, struct secret *secret)
{
    const char *path = s->conf->client_secret_file;
    char why[80] = "", detail[512];
    int err;

    site_enter(s, STAGE_PRA_SECRET);
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

/* The proxy's own answer says more than that there was no connection. */
static bool explain_proxy(struct site_doctor *s, const struct pra_result *result)
{
    char cause[DOCTOR_WORDS_SIZE], remedy[DOCTOR_WORDS_SIZE], detail[PRA_TEXT_SIZE + 160],
        why[ADDRESS_WHY_SIZE];
    struct address_url proxy, url;
    int status;

    if (result->fault != PRA_NO_CONNECTION || !doctor_is_http_proxy(s->conf->proxy, &proxy) ||
        address_split_url(s->conf->url, &url, why))
        return false;
    status = doctor_ask_proxy(&proxy, url.host, doctor_url_port(&url), s->conf->connect_timeout_ms);
    if (status / 100 == 2)
        return false;
    pra_result_words(result, detail, sizeof(detail));
    doctor_proxy_words(status, url.host, doctor_url_port(&url), cause, remedy);
    site_fault(s, REPORT_FAILED, "connect_refused", detail, cause, remedy);
    return true;
}

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
        site_enter(s, net_stages[i].stage);
        if (fails_at(net_stages[i].rows, net_stages[i].n, call->result.fault)) {
            if (!explain_proxy(s, &call->result))
                site_explain(s, site_explanation(net_stages[i].rows, net_stages[i].n, call->result.fault),
                             &call->result);
            return false;
        }
        if (net_stages[i].stage == STAGE_PRA_TLS && strncmp(s->conf->url, "https", 5) != 0)
            report_ok(s->d, "not used: `insecure_http` to this machine itself");
        else
            report_ok(s->d, "%s", net_stages[i].good);
    }
    site_enter(s, STAGE_PRA_PROBE);
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

    site_ask(s, &probe);
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

static const struct explanation *command_row(const struct pra_result *result)
{
    if (site_denies(result))
        return &command_rows[1];
    if (site_lacks(result))
        return &command_rows[0];
    return site_explanation(command_rows, NROWS(command_rows), result->fault);
}

/* The time in the answer is exact; without one the Date header has whole seconds. */
static void take_clock(struct site_doctor *s, const struct pra_call *call)
{
    int64_t middle_ms = call->began_wall_ms + (int64_t)call->took_ms / 2;

    s->has_skew = s->info.has_time || call->has_date;
    if (s->has_skew)
        s->skew_ms = (s->info.has_time ? s->info.time_ms : call->date_ms) - middle_ms;
}

/* False: nothing that needs a token can be looked at. */
static bool judge_info(struct site_doctor *s, struct pra_call *call)
{
    const struct pra_result *result = &call->result;

    site_enter(s, STAGE_PRA_TOKEN);
    if (result->fault != PRA_OK && result->failed == PRA_CALL_TOKEN) {
        if (result->fault == PRA_STATUS && result->status == 404)
            site_explain(s, &token_missing, result);
        else
            EXPLAIN(s, token_rows, result);
        return false;
    }
    report_ok(s->d, "the site has made a token");
    site_enter(s, STAGE_PRA_COMMAND);
    if (result->fault != PRA_OK) {
        site_explain(s, command_row(result), result);
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

    site_ask(s, &info);
    token = judge_info(s, &info.call);
    pra_call_free(&info.call);
    return token;
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
        site_check_permissions(&s);
        site_check_role(&s);
        site_check_clock(&s);
        site_check_reporting(&s);
        site_check_jumpoints(&s);
    }
    close_client(&s);
}
