/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dispatch.c - faces, operations and the order of decisions; see dispatch.h.
 */
#include "pi-sim/dispatch.h"

#include "base/json.h"
#include "base/text.h"

#include <string.h>
#include <strings.h>

#define DEPTH 32

#define CREDENTIAL(name, kind, flag, what, verb, flags, run)                                                 \
    {name, FACE_JSON_V2, "POST", "AccountStoreOps_" what "_" verb, (flags) | (flag), kind, run},             \
        {name, FACE_JSON_V1, "POST", "AccountStoreOps_" what "_" verb, (flags) | (flag) | OPERATION_GUESSED, \
         kind, run},                                                                                         \
    {                                                                                                        \
        name, FACE_REST, "POST", "AccountStoreOps_" what "_" verb, (flags) | (flag) | OPERATION_GUESSED,     \
            kind, run                                                                                        \
    }
#define STORED "StoredCredential"
#define SHARED "SharedCredential"

static const struct operation operations[] = {
    {"sign_in", FACE_JSON_V2, "POST", "DoLogin2", OPERATION_PUBLIC, OPERATION_SIGN_IN, calls_sign_in},
    {"sign_in", FACE_JSON_V1, "POST", "DoLogin", OPERATION_PUBLIC, OPERATION_SIGN_IN, calls_sign_in},
    {"sign_in", FACE_REST, "POST", "Login", OPERATION_PUBLIC, OPERATION_SIGN_IN, calls_sign_in},
    {"sign_out", FACE_JSON_V2, "POST", "DoLogout", OPERATION_PUBLIC, OPERATION_OTHER, calls_sign_out},
    {"sign_out", FACE_JSON_V1, "POST", "DoLogout", OPERATION_PUBLIC, OPERATION_OTHER, calls_sign_out},
    {"sign_out", FACE_REST, "POST", "Logout", OPERATION_PUBLIC, OPERATION_OTHER, calls_sign_out},
    CREDENTIAL("checkout_shared", OPERATION_CHECKOUT, OPERATION_SHARED, SHARED, "CheckOut", 0,
               calls_checkout),
    CREDENTIAL("checkin_shared", OPERATION_CHECKIN, OPERATION_SHARED, SHARED, "CheckIn", 0, calls_checkin),
    CREDENTIAL("checkout_stored", OPERATION_CHECKOUT, OPERATION_STORED, STORED, "CheckOut", 0,
               calls_checkout),
    CREDENTIAL("checkin_stored", OPERATION_CHECKIN, OPERATION_STORED, STORED, "CheckIn", OPERATION_GUESSED,
               calls_checkin),
    CREDENTIAL("spin_shared", OPERATION_SPIN, OPERATION_SHARED, SHARED, "Spin", OPERATION_SPINS, calls_spin),
    CREDENTIAL("spin_stored", OPERATION_SPIN, OPERATION_STORED, STORED, "Spin", OPERATION_SPINS, calls_spin),
    CREDENTIAL("list_shared", OPERATION_OTHER, 0, SHARED, "List", OPERATION_LISTS, calls_list),
    CREDENTIAL("list_stored", OPERATION_OTHER, 0, STORED, "List", OPERATION_LISTS, calls_list),
    {"management_sets", FACE_REST, "GET", "ManagementSets", 0, OPERATION_OTHER, calls_sets},
    {"management_sets", FACE_JSON_V1, "POST", "ManagementSetOps_GetManagementSetList", 0, OPERATION_OTHER,
     calls_sets},
    {"set_systems", FACE_REST, "GET", "ManagementSet/System/Linux", OPERATION_QUERY, OPERATION_OTHER,
     calls_set_systems},
    {"set_systems", FACE_REST, "GET", "ManagementSet/System/Windows", OPERATION_QUERY, OPERATION_OTHER,
     calls_set_systems},
    {"set_systems", FACE_JSON_V1, "POST", "ManagementSetOps_GetLinuxSystemListForManagementSet", 0,
     OPERATION_OTHER, calls_set_systems},
};
#define NOPERATIONS (sizeof(operations) / sizeof(operations[0]))

const char *const dispatch_names[] = {
    "sign_in",     "sign_out",    "checkout_stored", "checkin_stored", "checkout_shared", "checkin_shared",
    "spin_stored", "spin_shared", "list_stored",     "list_shared",    "management_sets", "set_systems",
    "probe",       "none"};
const size_t dispatch_nnames = sizeof(dispatch_names) / sizeof(dispatch_names[0]);

static const char service_page[] = "/AuthService.svc";

/* The longest first: each begins with the name of a service file of its own. */
static const char *const face_bases[FACE_COUNT] = {"/json/V2/AuthService.svc/", "/AuthService_JSON.svc/",
                                                   "/AuthService.svc/REST/"};

/* ---- the route ---- */

static bool serves(const struct vault *v, const struct operation *o)
{
    const int *knob = v->settings.knob;

    if (!v->settings.face[o->face])
        return false;
    if (o->flags & OPERATION_LISTS)
        return knob[KNOB_LIST_ROWS] != 0;
    if (o->flags & OPERATION_SPINS)
        return knob[KNOB_SPIN_ROWS] != 0;
    return !(o->flags & OPERATION_GUESSED) || knob[KNOB_GUESSED] == 0;
}

static void find_operation(struct dispatch *d, const char *below)
{
    for (size_t i = 0; i < NOPERATIONS; i++) {
        const struct operation *o = &operations[i];
        if (o->face != d->face || !text_equal_nocase(o->path, below) || !serves(d->vault, o))
            continue;
        d->missing = 405;
        if (strcmp(o->method, d->call->method) != 0)
            continue;
        d->operation = o;
        return;
    }
}

/* IIS does not mind the case of letters. */
static void find_route(struct dispatch *d)
{
    size_t n = strlen(DISPATCH_BASE);
    const char *path = d->call->path;

    d->missing = 404;
    if (strncasecmp(path, DISPATCH_BASE, n) != 0)
        return;
    path += n;
    d->is_probe = text_equal_nocase(path, service_page) && strcmp(d->call->method, "GET") == 0;
    for (size_t i = 0; i < FACE_COUNT && !d->is_probe; i++) {
        size_t base = strlen(face_bases[i]);
        if (strncasecmp(path, face_bases[i], base) != 0)
            continue;
        d->face = (enum face)i;
        find_operation(d, path + base);
        return;
    }
}

/* ---- the body ---- */

static void read_credential(struct dispatch *d)
{
    unsigned flags = d->operation->flags;

    if (!d->body || !(flags & (OPERATION_STORED | OPERATION_SHARED)))
        return;
    d->names_credential = flags & OPERATION_STORED ? dispatch_name_stored(d) : dispatch_name_shared(d);
    if (d->names_credential)
        d->credential = vault_credential(d->vault, &d->name);
}

static void read_token(struct dispatch *d)
{
    int place = d->vault->settings.knob[KNOB_TOKEN_PLACE];
    bool get = strcmp(d->call->method, "GET") == 0;

    if (place != PLACE_HEADER && !get)
        d->token_text = dispatch_text(d->body, "AuthenticationToken");
    if (!d->token_text && (place != PLACE_BODY || get))
        d->token_text = d->call->token;
    if (d->token_text)
        d->token = tokens_find(d->vault, d->token_text);
    if (d->token)
        d->identity = d->token->identity;
}

/* Who signs in: with LoginType 1 the authenticator is not looked at. */
static void read_login(struct dispatch *d)
{
    const char *name = dispatch_text(d->body, "Username");
    bool quoted = d->vault->settings.knob[KNOB_LOGIN_TYPE] == 0;
    int64_t type;

    if (!name || !dispatch_number(d->body, "LoginType", quoted, &type))
        return;
    if (type == 1)
        d->identity = vault_identity(d->vault, name, NULL);
    else if (type == 2 && dispatch_text(d->body, "Authenticator"))
        d->identity = vault_identity(d->vault, name, dispatch_text(d->body, "Authenticator"));
}

void dispatch_open(struct dispatch *d, struct vault *v, const struct dispatch_call *call)
{
    const char *why;

    *d = (struct dispatch){.vault = v, .call = call};
    find_route(d);
    if (call->query && params_read(&d->query, call->query, strlen(call->query)))
        d->query = (struct params){0};
    if (!d->operation)
        return;
    if (call->body_len)
        d->body = json_parse(call->body, call->body_len, DEPTH, JSON_DUPLICATES_OK, &why);
    if (d->operation->kind == OPERATION_SIGN_IN)
        read_login(d);
    else
        read_token(d);
    read_credential(d);
}

void dispatch_close(struct dispatch *d)
{
    params_free(&d->query);
    cJSON_Delete(d->body);
    d->body = NULL;
}

const char *dispatch_name(const struct dispatch *d)
{
    if (d->is_probe)
        return "probe";
    return d->operation ? d->operation->name : "none";
}

void dispatch_asked(const struct dispatch *d, struct conduct_asked *asked)
{
    *asked = (struct conduct_asked){.identity = d->identity, .credential = d->credential};
    if (!d->operation)
        return;
    asked->kind = d->operation->kind;
    if (d->operation->kind == OPERATION_SIGN_IN)
        asked->password = dispatch_text(d->body, "Password");
    else if (d->operation->run != calls_sign_out)
        asked->token = d->token;
}

/* ---- what a call must not have ---- */

static bool has(const char *text, const char *part)
{
    return text && part && strlen(part) >= 8 && strstr(text, part);
}

static bool secret_named(const struct params *query)
{
    static const char *const names[] = {"AuthenticationToken", "Token", "Password", "MFATokenCode"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (params_get(query, names[i]))
            return true;
    return false;
}

static bool url_has_secret(const struct dispatch *d)
{
    const struct dispatch_call *c = d->call;

    if (secret_named(&d->query))
        return true;
    for (const struct token *t = d->vault->tokens->by_text; t; t = t->by_text.next)
        if (has(c->query, t->text) || has(c->path, t->text))
            return true;
    for (size_t i = 0; i < d->vault->identities.n; i++) {
        const struct identity *one = d->vault->identities.item[i];
        if (has(c->query, one->password.p) || has(c->path, one->password.p))
            return true;
    }
    return false;
}

/* A path that is a route has no secret. */
static bool judge_url(struct dispatch *d)
{
    if ((d->call->query || !d->operation) && url_has_secret(d)) {
        conduct_count(d->vault, VIOLATION_SECRET_IN_URL);
        answer_html(d, 400, "Request Error", "The request was refused.");
        return false;
    }
    if (d->call->query && !(d->operation && d->operation->flags & OPERATION_QUERY))
        conduct_count(d->vault, VIOLATION_QUERY);
    if (d->call->cookie)
        conduct_count(d->vault, VIOLATION_COOKIE);
    return true;
}

static bool is_json(const char *type)
{
    return type && strncasecmp(type, "application/json", 16) == 0 && (!type[16] || strchr("; ", type[16]));
}

static bool body_good(struct dispatch *d)
{
    bool wants_names = d->operation->flags & (OPERATION_STORED | OPERATION_SHARED);

    if (strcmp(d->operation->method, "GET") == 0)
        return true;
    if (is_json(d->call->content_type) && cJSON_IsObject(d->body) && (!wants_names || d->names_credential))
        return true;
    conduct_count(d->vault, VIOLATION_BAD_BODY);
    if (!is_json(d->call->content_type))
        answer_html(d, 415, "Cannot process the message because the content type was not expected.", "");
    else
        answer_refusal(d, TEXT_BAD_BODY, NULL);
    return false;
}

static bool token_good(struct dispatch *d)
{
    if (d->operation->flags & OPERATION_PUBLIC)
        return true;
    if (!d->token_text && !d->call->token && !dispatch_text(d->body, "AuthenticationToken"))
        conduct_count(d->vault, VIOLATION_MISSING_TOKEN);
    if (d->token_text && !d->token)
        conduct_count(d->vault, VIOLATION_UNKNOWN_TOKEN);
    if (d->token && tokens_use(d->vault, d->token_text, d->face))
        return true;
    answer_token_refused(d);
    return false;
}

static bool within_rate(struct dispatch *d)
{
    static const int statuses[] = {429, 503, 403};

    if (vault_within_rate(d->vault))
        return true;
    answer_html(d, statuses[d->vault->settings.knob[KNOB_RATE_STATUS]], "Too many requests", "");
    if (d->vault->settings.knob[KNOB_RETRY_AFTER] == RETRY_AFTER_SECONDS)
        (void)buf_str(&d->answer->headers, "Retry-After: 1\r\n");
    return false;
}

static void run(struct dispatch *d)
{
    uint64_t max = d->vault->settings.max_body;

    if (d->vault->settings.require_certificate && !d->call->certificate)
        answer_html(d, 403, "403 - Forbidden", "The page requires a client certificate.");
    else if (!within_rate(d) || !judge_url(d))
        return;
    else if (d->is_probe)
        answer_html(d, 200, "AuthService Service", "You have created a service.");
    else if (!d->operation && d->missing == 405)
        answer_html(d, 405, "Service", "Method not allowed.");
    else if (!d->operation)
        answer_html(d, 404, "Service", "Endpoint not found.");
    else if (max && d->call->body_len > max)
        answer_html(d, 413, "Request Error", "The maximum message size quota was exceeded.");
    else if (body_good(d) && token_good(d))
        d->operation->run(d);
}

/* As the serializer of WCF writes: a slash occurs in JSON nowhere but inside strings. */
static void escape_slashes(struct buf *b)
{
    struct buf out = BUF_INIT(b->max);

    for (size_t i = 0; i < b->len; i++) {
        if (b->data[i] == '/')
            (void)buf_char(&out, '\\');
        (void)buf_char(&out, b->data[i]);
    }
    buf_move(b, &out);
}

void dispatch_run(struct vault *v, const struct dispatch_call *call, struct sim_answer *answer,
                  struct dispatch_result *result)
{
    struct dispatch d;

    *answer = SIM_ANSWER_INIT;
    dispatch_open(&d, v, call);
    d.answer = answer;
    run(&d);
    if (answer->content_type == dispatch_json && v->settings.knob[KNOB_SLASHES] == 0)
        escape_slashes(&answer->body);
    if (answer->body.failed || answer->headers.failed)
        answer->status = 500;
    *result = (struct dispatch_result){.outcome = d.outcome, .token_refused = d.token_refused};
    dispatch_close(&d);
}
