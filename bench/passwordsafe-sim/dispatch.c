/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dispatch.c - routes and the order of decisions; see dispatch.h.
 */
#include "passwordsafe-sim/dispatch.h"

#include "base/text.h"
#include "passwordsafe-sim/access.h"
#include "passwordsafe-sim/calls.h"
#include "passwordsafe-sim/psauth.h"
#include "passwordsafe-sim/sessions.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define ROUTE(method, pattern, flags, permission, run)                                                       \
    {                                                                                                        \
        method, pattern, method " " pattern, flags, permission, run                                          \
    }

const struct dispatch_route dispatch_routes[] = {
    ROUTE("POST", "Auth/SignAppin", DISPATCH_PUBLIC | DISPATCH_RAW, 0, calls_sign_in),
    ROUTE("POST", "Auth/Signout", DISPATCH_PUBLIC | DISPATCH_RAW, 0, calls_sign_out),
    ROUTE("POST", "Auth/connect/token", DISPATCH_PUBLIC | DISPATCH_RAW, 0, calls_token),
    ROUTE("GET", "ManagedAccounts", 0, 0, calls_accounts),
    ROUTE("POST", "Requests", DISPATCH_BODY, 0, calls_request_create),
    ROUTE("GET", "Requests", 0, 0, calls_requests),
    ROUTE("GET", "Credentials/{id}", 0, 0, calls_credential),
    ROUTE("PUT", "Requests/{id}/Checkin", 0, 0, calls_checkin),
    ROUTE("PUT", "Requests/Release/{id}", 0, 0, calls_checkin),
    ROUTE("PUT", "Requests/{id}/Approve", 0, 0, calls_approve),
    ROUTE("PUT", "Requests/{id}/Deny", 0, 0, calls_deny),
    ROUTE("PUT", "Requests/{id}/RotateOnCheckin", 0, 0, calls_rotate_on_checkin),
    ROUTE("POST", "Requests/{id}/Sessions", DISPATCH_BODY, 0, calls_session_create),
    ROUTE("POST", "ISARequests", DISPATCH_BODY, 0, calls_isa_request),
    ROUTE("POST", "ManagedAccounts/{id}/Requests/Terminate", 0, PERMIT_QUARANTINE, calls_terminate_account),
    ROUTE("POST", "ManagedSystems/{id}/Requests/Terminate", 0, PERMIT_QUARANTINE, calls_terminate_system),
    ROUTE("POST", "Users/{id}/Requests/Terminate", 0, PERMIT_QUARANTINE, calls_terminate_user),
    ROUTE("POST", "AccessPolicies/Test", DISPATCH_BODY, 0, calls_policy_test),
    ROUTE("GET", "AccessPolicies", 0, PERMIT_POLICIES, calls_policies),
    ROUTE("GET", "ManagedSystems", 0, PERMIT_SYSTEMS, calls_systems),
    ROUTE("GET", "ManagedSystems/{id}", 0, PERMIT_SYSTEMS, calls_system),
    ROUTE("GET", "Workgroups", 0, PERMIT_SYSTEMS, calls_workgroups),
    ROUTE("GET", "Platforms", 0, 0, calls_platforms),
    ROUTE("GET", "Platforms/{id}", 0, 0, calls_platform),
    ROUTE("GET", "EntityTypes", 0, 0, calls_entity_types),
    ROUTE("GET", "Users", 0, PERMIT_USERS, calls_users),
    ROUTE("GET", "Users/{id}", 0, PERMIT_USERS, calls_user),
    ROUTE("GET", "Users/{id}/UserGroups", 0, PERMIT_USERS, calls_user_groups),
    ROUTE("GET", "UserGroups", 0, PERMIT_USERS, calls_groups),
    ROUTE("GET", "UserGroups/{id}/Users", 0, PERMIT_USERS, calls_group_users),
};
const size_t dispatch_nroutes = sizeof(dispatch_routes) / sizeof(dispatch_routes[0]);

/* One segment of pattern against one of the path. */
static bool segment_matches(const char *pattern, size_t pn, const char *path, size_t n, int *id)
{
    char digits[12];
    int64_t value;

    if (pn != 4 || memcmp(pattern, "{id}", 4) != 0)
        return text_equal_nocase_n(pattern, pn, path, n);
    if (!text_copy_n(digits, sizeof(digits), path, n) || !text_int(digits, 0, INT32_MAX, &value))
        return false;
    *id = (int)value;
    return true;
}

static bool pattern_matches(const char *pattern, const char *path, int ids[DISPATCH_IDS])
{
    size_t nids = 0;

    for (;;) {
        size_t pn = strcspn(pattern, "/"), n = strcspn(path, "/");
        int id = 0;
        if (!segment_matches(pattern, pn, path, n, &id))
            return false;
        if (pattern[0] == '{' && nids < DISPATCH_IDS)
            ids[nids++] = id;
        pattern += pn;
        path += n;
        if (!*pattern)
            return !*path || strcmp(path, "/") == 0;
        if (!*path)
            return false;
        pattern++;
        path++;
    }
}

const struct dispatch_route *dispatch_match(const char *method, const char *path, int ids[DISPATCH_IDS],
                                            int *status)
{
    size_t base = sizeof(DISPATCH_BASE) - 1;
    int scratch[DISPATCH_IDS] = {0};

    *status = 404;
    if (strncasecmp(path, DISPATCH_BASE, base) != 0 || path[base] != '/')
        return NULL;
    for (size_t i = 0; i < dispatch_nroutes; i++) {
        const struct dispatch_route *r = &dispatch_routes[i];
        if (!pattern_matches(r->pattern, path + base + 1, scratch))
            continue;
        *status = 405;
        if (strcmp(r->method, method) != 0)
            continue;
        *status = 200;
        if (ids)
            memcpy(ids, scratch, sizeof(scratch));
        return r;
    }
    return NULL;
}

/* ---- session ---- */

static bool is_attribute(const char *name, size_t n)
{
    static const char *const attributes[] = {"path", "secure", "httponly", "samesite", "domain", "expires"};

    for (size_t i = 0; i < sizeof(attributes) / sizeof(attributes[0]); i++)
        if (text_equal_nocase_n(name, n, attributes[i], strlen(attributes[i])))
            return true;
    return false;
}

/* Value of one cookie; false when absent, or when Set-Cookie attributes were echoed. */
static bool cookie_value(const char *header, const char *name, char *out, size_t size)
{
    bool found = false;

    for (const char *p = header; *p;) {
        size_t n, whole;
        p += strspn(p, "; ");
        whole = strcspn(p, ";");
        n = strcspn(p, "=; ");
        if (whole && is_attribute(p, n))
            return false;
        if (p[n] == '=' && n == strlen(name) && strncasecmp(p, name, n) == 0)
            found = text_copy_n(out, size, p + n + 1, whole - n - 1);
        p += whole;
    }
    return found;
}

bool dispatch_cookie(const struct dispatch_call *c, char out[], size_t size)
{
    if (c->cookie_lines != 1 || !c->cookie)
        return false;
    return cookie_value(c->cookie, "ASP.NET_SessionId", out, size);
}

/* With the second cookie on, it must come back with the first. */
static bool verification_ok(const struct dispatch *d, const char *cookie)
{
    char token[SESSION_COOKIE + 8];

    if (!d->model->settings.verification_cookie)
        return true;
    return cookie_value(d->call->cookie, "__RequestVerificationToken", token, sizeof(token)) &&
           token[0] == 'v' && strcmp(token + 1, cookie) == 0;
}

static bool header_ok(struct dispatch *d)
{
    return !d->model->settings.settings.value[SETTING_HEADER_ALWAYS] || calls_header_is(d, d->user);
}

static void find_session(struct dispatch *d)
{
    char cookie[SESSION_COOKIE];

    if (!dispatch_cookie(d->call, cookie, sizeof(cookie)))
        return;
    d->session = sessions_find(d->model, cookie);
    if (d->session && d->session->user && verification_ok(d, cookie))
        d->user = d->session->user;
}

/* ---- body ---- */

static bool read_body(struct dispatch *d, const struct dispatch_route *r)
{
    enum body_kind kind = body_kind_of(d->call->content_type);

    if (r->flags & DISPATCH_RAW)
        return true;
    if (d->call->body_len == 0) {
        if (r->flags & DISPATCH_BODY)
            answer_text(d, 400, "Request body is missing");
        return !(r->flags & DISPATCH_BODY);
    }
    if (strcmp(r->method, "GET") == 0)
        return true;
    if (kind == BODY_OTHER || (kind == BODY_FORM && !d->lenient)) {
        answer_message(d, 415, "The request entity's media type is not supported for this resource.");
        return false;
    }
    d->body = body_read(kind, d->call->body, d->call->body_len, d->lenient);
    if (!d->body)
        answer_text(d, 400, "Request body is malformed");
    return d->body != NULL;
}

static bool admitted(struct dispatch *d, const struct dispatch_route *r)
{
    const struct access *access;

    find_session(d);
    if (r->flags & DISPATCH_PUBLIC)
        return true;
    if (!d->user || !header_ok(d)) {
        answer_unauthenticated(d);
        return false;
    }
    access = access_of(d->model, d->user);
    if (access && (access->permissions & r->permission) == r->permission)
        return true;
    answer_code(d, 4031);
    return false;
}

static void route_missing(struct dispatch *d, int status)
{
    if (status == 405)
        answer_message(d, 405, "The requested resource does not support this http method.");
    else
        answer_message(d, 404, "No HTTP resource was found that matches the request URI.");
}

static void run_route(struct dispatch *d)
{
    int status;
    const struct dispatch_route *r = dispatch_match(d->call->method, d->call->path, d->ids, &status);
    bool sends = strcmp(d->call->method, "POST") == 0 || strcmp(d->call->method, "PUT") == 0;

    if (sends && !d->call->has_length) {
        answer_message(d, 411, "Length Required");
        return;
    }
    if (!r) {
        route_missing(d, status);
        return;
    }
    if (!admitted(d, r))
        return;
    if (d->call->query && params_read(&d->query, d->call->query, strlen(d->call->query))) {
        answer_text(d, 400, "Query is malformed");
        return;
    }
    if (read_body(d, r))
        r->run(d);
}

void dispatch_run(struct model *m, const struct dispatch_call *call, struct sim_answer *answer)
{
    struct dispatch d = {.model = m, .call = call, .answer = answer};

    *answer = SIM_ANSWER_INIT;
    d.lenient = m->settings.settings.value[SETTING_LENIENT] == 0;
    run_route(&d);
    if (m->settings.settings.value[SETTING_ESCAPING] && answer->body.len && wire_transcode(&answer->body))
        answer->body.failed = true;
    if (answer->body.failed || answer->headers.failed) {
        buf_clear(&answer->body);
        answer->status = 500;
        answer->content_type = NULL;
    }
    params_free(&d.query);
    cJSON_Delete(d.body);
}
