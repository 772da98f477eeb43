/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dispatch.c - families of calls and the order of decisions; see dispatch.h.
 */
#include "pra-sim/dispatch.h"

#include "base/text.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static const struct family_row {
    const char *base;
    enum dispatch_family family;
    bool exact;
} families[] = {
    {"/check_health", FAMILY_PROBE, true},    {"/oauth2/token", FAMILY_TOKEN, true},
    {"/api/command", FAMILY_COMMAND, true},   {"/api/reporting", FAMILY_REPORTING, true},
    {"/api/config/v1", FAMILY_CONFIG, false},
};

enum dispatch_family dispatch_family_of(const char *path, const char **below)
{
    for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++) {
        size_t n = strlen(families[i].base);
        if (strncmp(path, families[i].base, n) != 0 || (path[n] && (families[i].exact || path[n] != '/')))
            continue;
        *below = path + n;
        return families[i].family;
    }
    *below = "";
    return FAMILY_NONE;
}

/* ---- parameters ---- */

static bool is_form(const char *content_type)
{
    static const char form[] = "application/x-www-form-urlencoded";
    size_t n = content_type ? strcspn(content_type, "; ") : 0;

    return n && text_equal_nocase_n(content_type, n, form, sizeof(form) - 1);
}

static const char *find(const struct params *p, const char *name)
{
    for (size_t i = 0; i < p->n; i++)
        if (strcmp(p->param[i].name, name) == 0)
            return p->param[i].value;
    return NULL;
}

const char *dispatch_param(const struct dispatch *d, const char *name)
{
    const char *value = find(&d->query, name);

    return value ? value : find(&d->form, name);
}

static size_t occurrences(const struct dispatch *d, const char *name)
{
    size_t n = 0;

    for (size_t i = 0; i < d->query.n; i++)
        n += strcmp(d->query.param[i].name, name) == 0;
    for (size_t i = 0; i < d->form.n; i++)
        n += strcmp(d->form.param[i].name, name) == 0;
    return n;
}

static bool is_known(struct dispatch *d, const char *const *names, const char *name)
{
    char text[128];

    if (occurrences(d, name) > 1) {
        (void)snprintf(text, sizeof(text), "Parameter %.64s was sent more than once.", name);
        answer_offence(d, VIOLATION_REPEATED_PARAMETER, text);
        return false;
    }
    for (; *names; names++)
        if (strcmp(*names, name) == 0)
            return true;
    if (d->family != FAMILY_CONFIG && d->site->knob[KNOB_UNKNOWN_PARAMETER])
        return true;
    (void)snprintf(text, sizeof(text), "Unknown parameter: %.64s", name);
    answer_offence(d, VIOLATION_UNKNOWN_PARAMETER, text);
    return false;
}

bool dispatch_params_known(struct dispatch *d, const char *const *names)
{
    for (size_t i = 0; i < d->query.n; i++)
        if (!is_known(d, names, d->query.param[i].name))
            return false;
    for (size_t i = 0; i < d->form.n; i++)
        if (!is_known(d, names, d->form.param[i].name))
            return false;
    return true;
}

/* ---- names ---- */

static bool read_params(struct dispatch *d)
{
    const struct dispatch_call *c = d->call;
    bool ok = !c->query || params_read(&d->query, c->query, strlen(c->query)) == 0;

    if (c->body_len && is_form(c->content_type))
        ok &= params_read(&d->form, c->body, c->body_len) == 0;
    return ok;
}

static void name_config(const char *below, char out[DISPATCH_NAME])
{
    char *to = out, *end = out + DISPATCH_NAME - 8;

    while (*below == '/' && to < end) {
        size_t n = strcspn(++below, "/");
        bool number = n && strspn(below, "0123456789") == n;
        if (to > out)
            *to++ = '/';
        if (number)
            to += snprintf(to, (size_t)(end + 8 - to), "{id}");
        else
            to += snprintf(to, (size_t)(end - to), "%.*s", (int)(n < 16 ? n : 16), below);
        below += n;
    }
    if (to == out)
        (void)snprintf(out, DISPATCH_NAME, "none");
}

void dispatch_name(const struct dispatch_call *call, char out[DISPATCH_NAME])
{
    static const char *const names[] = {
        [FAMILY_NONE] = "none", [FAMILY_PROBE] = "probe", [FAMILY_TOKEN] = "token"};
    struct dispatch d = {.call = call};
    const char *value;

    d.family = dispatch_family_of(call->path, &d.below);
    if (d.family == FAMILY_CONFIG) {
        name_config(d.below, out);
        return;
    }
    if (d.family < FAMILY_COMMAND) {
        (void)snprintf(out, DISPATCH_NAME, "%s", names[d.family]);
        return;
    }
    (void)read_params(&d);
    value = dispatch_param(&d, d.family == FAMILY_COMMAND ? "action" : "generate_report");
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

    if (d->family > FAMILY_TOKEN && d->call->keeps && !d->site->knob[KNOB_KEPT_CONNECTION]) {
        answer_offence(d, VIOLATION_KEPT_CONNECTION, "The connection must be closed after every call.");
        return false;
    }
    for (size_t i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++) {
        if (!find(&d->query, secrets[i]))
            continue;
        answer_offence(d, VIOLATION_TOKEN_IN_URL, "Credentials do not belong in the URL.");
        return false;
    }
    return true;
}

static bool keeps_body_rules(struct dispatch *d)
{
    const char *type = d->call->content_type;

    if (d->family != FAMILY_COMMAND && d->family != FAMILY_REPORTING)
        return true;
    if (strcmp(d->call->method, "POST") == 0 && !d->call->has_length) {
        answer_offence(d, VIOLATION_NO_LENGTH, "Length required.");
        return false;
    }
    if (!d->call->body_len || is_form(type))
        return true;
    if (type && strncasecmp(type, "multipart/", 10) == 0)
        answer_offence(d, VIOLATION_MULTIPART, "Multipart bodies are not accepted.");
    else
        answer_offence(d, VIOLATION_CONTENT_TYPE, "The body must be application/x-www-form-urlencoded.");
    return false;
}

static void token_refused(struct dispatch *d)
{
    static const int statuses[] = {401, 200, 400, 403};
    int status = statuses[d->site->knob[KNOB_TOKEN_REFUSED]], form = d->site->knob[KNOB_TOKEN_REFUSED_FORM];

    if (form == 0) {
        answer_oauth_error(d, status, "access_denied",
                           "The resource owner or authorization server denied the request.");
        return;
    }
    if (form == 1)
        answer_error(d, NULL, "The access token is not valid.");
    d->answer->status = status;
}

static bool has_token(struct dispatch *d)
{
    const char *text = d->call->authorization;
    int check = d->site->knob[KNOB_ADDRESS_CHECK];

    if (text && strncasecmp(text, "Bearer ", 7) == 0)
        d->account = accounts_of_token(&d->site->accounts, text + 7);
    if (d->account && !d->account->enabled)
        d->account = NULL;
    if (d->account && check != ADDRESS_TOKEN && !account_allows(d->account, d->call->peer))
        d->account = NULL;
    if (!d->account)
        token_refused(d);
    return d->account != NULL;
}

static void put_retry_after(struct dispatch *d, uint64_t wait_ms)
{
    int64_t seconds = (int64_t)((wait_ms + 999) / 1000);
    int64_t at = site_now(d->site) + seconds * 1000;
    char iso[TIME_ISO];

    if (d->site->knob[KNOB_RETRY_AFTER] == RETRY_AFTER_SECONDS)
        (void)buf_printf(&d->answer->headers, "Retry-After: %lld\r\n", (long long)seconds);
    if (d->site->knob[KNOB_RETRY_AFTER] != RETRY_AFTER_DATE)
        return;
    time_http(at, iso);
    (void)buf_printf(&d->answer->headers, "Retry-After: %s\r\n", iso);
}

bool dispatch_within_rate(struct dispatch *d)
{
    static const int statuses[] = {429, 503, 403};
    const struct accounts *all = &d->site->accounts;
    uint64_t wait = account_rate(all, d->account);

    if (!d->site->knob[KNOB_RATE_HEADERS])
        (void)buf_printf(&d->answer->headers, "X-RateLimit-Limit: %llu\r\nX-RateLimit-Remaining: %llu\r\n",
                         (unsigned long long)all->limits.rate_hour,
                         (unsigned long long)account_rate_left(all, d->account));
    if (!wait)
        return true;
    answer_message(d, statuses[d->site->knob[KNOB_RATE_STATUS]], "Rate limit exceeded.");
    put_retry_after(d, wait);
    return false;
}

static bool is_method(const struct dispatch *d)
{
    const char *m = d->call->method;

    switch (d->family) {
    case FAMILY_TOKEN: return strcmp(m, "POST") == 0;
    case FAMILY_PROBE: return strcmp(m, "GET") == 0 || strcmp(m, "HEAD") == 0;
    case FAMILY_COMMAND:
    case FAMILY_REPORTING: return strcmp(m, "GET") == 0 || strcmp(m, "POST") == 0;
    default: return true; /* the Configuration API has Allow */
    }
}

static bool is_there(struct dispatch *d)
{
    if (d->family == FAMILY_NONE ||
        (d->family != FAMILY_CONFIG && d->family > FAMILY_TOKEN && !d->site->xml_api)) {
        answer_html(d, 404, "Not Found");
        return false;
    }
    if (!is_method(d)) {
        answer_html(d, 405, "Method Not Allowed");
        return false;
    }
    return true;
}

static bool on_duty(struct dispatch *d)
{
    const char *action = dispatch_param(d, "action");

    if (d->site->role != ROLE_BACKUP || !d->site->knob[KNOB_BACKUP_CALLS])
        return true;
    if (d->family == FAMILY_COMMAND && action && strcmp(action, "check_health") == 0)
        return true;
    if (d->family == FAMILY_CONFIG)
        answer_message(d, 500, "This appliance is the backup.");
    else
        answer_error(d, NULL, "This appliance is the backup.");
    return false;
}

static void run(struct dispatch *d)
{
    bool readable = read_params(d);

    if (!keeps_rules(d) || !is_there(d))
        return;
    if (d->family == FAMILY_TOKEN) {
        calls_token(d);
        return;
    }
    if (d->family == FAMILY_PROBE && !d->site->knob[KNOB_PROBE_TOKEN]) {
        calls_probe(d);
        return;
    }
    if (!has_token(d) || !dispatch_within_rate(d) || !on_duty(d) || !keeps_body_rules(d))
        return;
    if (!readable) {
        answer_offence(d, VIOLATION_BAD_PARAMETER, "The parameters cannot be read.");
        return;
    }
    switch (d->family) {
    case FAMILY_COMMAND: calls_command(d); break;
    case FAMILY_REPORTING: calls_reporting(d); break;
    case FAMILY_CONFIG: calls_config(d); break;
    default: calls_probe(d); break;
    }
}

void dispatch_run(struct site *s, const struct dispatch_call *call, const struct dispatch_opts *opts,
                  struct sim_answer *answer, int *offence)
{
    struct dispatch d = {.site = s, .call = call, .answer = answer, .offence = -1};

    *answer = SIM_ANSWER_INIT;
    answer->status = 200;
    d.foreign_namespace = opts->foreign_namespace;
    d.family = dispatch_family_of(call->path, &d.below);
    run(&d);
    if (answer->body.failed || answer->headers.failed) {
        buf_clear(&answer->body);
        answer->status = 500;
        answer->content_type = NULL;
    }
    *offence = d.offence;
    params_free(&d.query);
    params_free(&d.form);
}
