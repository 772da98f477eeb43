/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dispatch.c - names of calls and the order of decisions; see dispatch.h.
 */
#include "pra-sim/dispatch.h"

#include "base/text.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* ---- names ---- */

static void name_config(const char *below, char out[DISPATCH_NAME])
{
    char part[24];
    size_t used = 0;

    (void)snprintf(out, DISPATCH_NAME, "none");
    while (*below == '/' && used < DISPATCH_NAME - 1) {
        size_t n = strcspn(++below, "/");
        (void)text_copy_n(part, sizeof(part), below, n);
        if (n && strspn(below, "0123456789") == n)
            (void)text_copy(part, sizeof(part), "{id}");
        (void)snprintf(out + used, DISPATCH_NAME - used, "%s%s", used ? "/" : "", part);
        used = strlen(out);
        below += n;
    }
}

void dispatch_name(const struct dispatch_call *call, char out[DISPATCH_NAME])
{
    static const char *const names[] = {[API_NONE] = "none", [API_PROBE] = "probe", [API_TOKEN] = "token"};
    struct dispatch d = {.call = call};
    const char *value;

    d.api = dispatch_api_of(call->path, &d.below);
    if (d.api == API_CONFIG) {
        name_config(d.below, out);
        return;
    }
    if (d.api < API_COMMAND) {
        (void)snprintf(out, DISPATCH_NAME, "%s", names[d.api]);
        return;
    }
    (void)dispatch_read_params(&d);
    value = dispatch_param(&d, d.api == API_COMMAND ? "action" : "generate_report");
    (void)snprintf(out, DISPATCH_NAME, "%.40s", value && *value ? value : "none");
    params_free(&d.query);
    params_free(&d.form);
}

void dispatch_client(struct site *s, const struct dispatch_call *call, char *out, size_t size)
{
    const char *text = call->authorization;
    const struct account *a;
    unsigned char plain[768];
    int n;

    out[0] = '\0';
    if (text && strncasecmp(text, "Bearer ", 7) == 0) {
        a = accounts_of_token(&s->accounts, text + 7);
        (void)text_copy(out, size, a ? a->client_id : "");
        return;
    }
    if (!text || strncasecmp(text, "Basic ", 6) != 0 || strlen(text + 6) > 1000)
        return;
    n = EVP_DecodeBlock(plain, (const unsigned char *)text + 6, (int)strlen(text + 6));
    if (n > 0 && n < (int)sizeof(plain)) {
        plain[n] = '\0';
        (void)text_copy_n(out, size, (const char *)plain, strcspn((const char *)plain, ":"));
    }
}

/* ---- the order of decisions ---- */

static bool keeps_rules(struct dispatch *d)
{
    static const char *const secrets[] = {"access_token", "token", "client_secret", "client_id", "password"};

    if (d->api > API_TOKEN && d->call->keeps && !d->site->knob[KNOB_KEPT_CONNECTION]) {
        answer_violation(d, VIOLATION_KEPT_CONNECTION, "The connection must be closed after every call.");
        return false;
    }
    for (size_t i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++) {
        if (!params_exact(&d->query, secrets[i]))
            continue;
        answer_violation(d, VIOLATION_TOKEN_IN_URL, "Credentials do not belong in the URL.");
        return false;
    }
    return true;
}

static bool keeps_body_rules(struct dispatch *d)
{
    const char *type = d->call->content_type;

    if (d->api != API_COMMAND && d->api != API_REPORTING)
        return true;
    if (strcmp(d->call->method, "POST") == 0 && !d->call->has_length) {
        answer_violation(d, VIOLATION_NO_LENGTH, "Length required.");
        return false;
    }
    if (!d->call->body_len || dispatch_is_form(type))
        return true;
    if (type && strncasecmp(type, "multipart/", 10) == 0)
        answer_violation(d, VIOLATION_MULTIPART, "Multipart bodies are not accepted.");
    else
        answer_violation(d, VIOLATION_CONTENT_TYPE, "The body must be application/x-www-form-urlencoded.");
    return false;
}

static bool is_method(const struct dispatch *d)
{
    const char *m = d->call->method;

    switch (d->api) {
    case API_TOKEN: return strcmp(m, "POST") == 0;
    case API_PROBE: return strcmp(m, "GET") == 0 || strcmp(m, "HEAD") == 0;
    case API_COMMAND:
    case API_REPORTING: return strcmp(m, "GET") == 0 || strcmp(m, "POST") == 0;
    default: return true; /* the Configuration API has Allow */
    }
}

static bool is_there(struct dispatch *d)
{
    if (d->api == API_NONE || (d->api != API_CONFIG && d->api > API_TOKEN && !d->site->xml_api)) {
        answer_html(d, 404, "Not Found");
        return false;
    }
    if (!is_method(d)) {
        d->site->violations[VIOLATION_WRONG_METHOD]++;
        d->violation = VIOLATION_WRONG_METHOD;
        answer_html(d, 405, "Method Not Allowed");
        return false;
    }
    return true;
}

static void run(struct dispatch *d)
{
    bool readable = dispatch_read_params(d);

    if (!keeps_rules(d) || !is_there(d))
        return;
    if (d->api == API_TOKEN) {
        calls_token(d);
        return;
    }
    if (d->api == API_PROBE && !d->site->knob[KNOB_PROBE_TOKEN]) {
        calls_probe(d);
        return;
    }
    if (!dispatch_has_token(d) || !dispatch_within_rate(d) || !dispatch_role_serves(d) ||
        !keeps_body_rules(d))
        return;
    if (!readable) {
        answer_violation(d, VIOLATION_BAD_PARAMETER, "The parameters cannot be read.");
        return;
    }
    switch (d->api) {
    case API_COMMAND: calls_command(d); break;
    case API_REPORTING: calls_reporting(d); break;
    case API_CONFIG: calls_config(d); break;
    default: calls_probe(d); break;
    }
}

void dispatch_run(struct site *s, const struct dispatch_call *call, const struct dispatch_opts *opts,
                  struct sim_answer *answer, int *violation)
{
    struct dispatch d = {.site = s, .call = call, .answer = answer, .violation = -1};

    *answer = SIM_ANSWER_INIT;
    answer->status = 200;
    d.opts = *opts;
    d.api = dispatch_api_of(call->path, &d.below);
    run(&d);
    if (answer->body.failed || answer->headers.failed) {
        buf_clear(&answer->body);
        answer->status = 500;
        answer->content_type = NULL;
    }
    *violation = d.violation;
    params_free(&d.query);
    params_free(&d.form);
}
