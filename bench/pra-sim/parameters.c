/* SPDX-License-Identifier: Apache-2.0 */
/*
 * parameters.c - which API a path belongs to, and the parameters of query and form; see dispatch.h.
 */
#include "pra-sim/dispatch.h"

#include "base/text.h"

#include <stdio.h>
#include <string.h>

static const struct api_row {
    const char *base;
    enum dispatch_api api;
    bool exact;
} apis[] = {
    {"/check_health", API_PROBE, true},    {"/oauth2/token", API_TOKEN, true},
    {"/api/command", API_COMMAND, true},   {"/api/reporting", API_REPORTING, true},
    {"/api/config/v1", API_CONFIG, false},
};

enum dispatch_api dispatch_api_of(const char *path, const char **below)
{
    for (size_t i = 0; i < sizeof(apis) / sizeof(apis[0]); i++) {
        size_t n = strlen(apis[i].base);
        if (strncmp(path, apis[i].base, n) != 0 || (path[n] && (apis[i].exact || path[n] != '/')))
            continue;
        *below = path + n;
        return apis[i].api;
    }
    *below = "";
    return API_NONE;
}

/* ---- parameters ---- */

bool dispatch_is_form(const char *content_type)
{
    static const char form[] = "application/x-www-form-urlencoded";
    size_t n = content_type ? strcspn(content_type, "; ") : 0;

    return n && text_equal_nocase_n(content_type, n, form, sizeof(form) - 1);
}

const char *params_exact(const struct params *p, const char *name)
{
    for (size_t i = 0; i < p->n; i++)
        if (strcmp(p->param[i].name, name) == 0)
            return p->param[i].value;
    return NULL;
}

const char *dispatch_param(const struct dispatch *d, const char *name)
{
    const char *value = params_exact(&d->query, name);

    return value ? value : params_exact(&d->form, name);
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
        answer_violation(d, VIOLATION_REPEATED_PARAMETER, text);
        return false;
    }
    for (; *names; names++)
        if (strcmp(*names, name) == 0)
            return true;
    if (d->api != API_CONFIG && d->site->knob[KNOB_UNKNOWN_PARAMETER])
        return true;
    (void)snprintf(text, sizeof(text), "Unknown parameter: %.64s", name);
    answer_violation(d, VIOLATION_UNKNOWN_PARAMETER, text);
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

bool dispatch_read_params(struct dispatch *d)
{
    const struct dispatch_call *c = d->call;
    bool ok = !c->query || params_read(&d->query, c->query, strlen(c->query)) == 0;

    if (c->body_len && dispatch_is_form(c->content_type))
        ok &= params_read(&d->form, c->body, c->body_len) == 0;
    return ok;
}
