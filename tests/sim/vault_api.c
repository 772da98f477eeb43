/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vault_api.c - the HTTP interface of the simulated Password Safe, as docs/password-safe.md has it.
 *
 * A call needs a vault session (cookie), but for signing in. A session belongs to the user who signed in with
 * `runas`, and ends after 20 minutes without a call. The forms of the answers are those of the real one: a
 * bare number for a new request and for a refusal, a JSON string for a secret, dates without a zone.
 */
#include "vault.h"

#include "oracle.h"

#include "base/json.h"
#include "base/jsonw.h"

#include <cJSON.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#define ANSWER_MAX      ((size_t)1 << 22)
#define SESSION_IDLE_MS (20 * UINT64_C(60000))
#define JSON_TYPE       "application/json; charset=utf-8"

/* ---- one call ---- */

struct api_call {
    struct vault_sim *vault;
    const struct vault_http *http;
    enum vault_call_kind kind;
    const char *path; /* behind the base */
    unsigned user;
    int status;
    struct buf body;
    char lines[256];
};

static void text_answer(struct api_call *c, int status, const char *body)
{
    c->status = status;
    (void)buf_str(&c->body, body);
}

static bool begins(const char *text, const char *with)
{
    return strncasecmp(text, with, strlen(with)) == 0;
}

enum vault_call_kind vault_api_kind(const struct vault_http *http)
{
    static const struct {
        const char *path;
        enum vault_call_kind kind;
    } rows[] = {
        {"/Auth/SignAppin", VAULT_SIGN_IN}, {"/Auth/Signout", VAULT_SIGN_OUT},
        {"/ManagedAccounts", VAULT_LIST},   {"/Aliases", VAULT_LIST},
        {"/AccessPolicies/", VAULT_POLICY}, {"/Credentials/", VAULT_CREDENTIAL},
        {"/ISARequests", VAULT_ISA},
    };
    const char *path = http->target + strlen(VAULT_BASE);

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (begins(path, rows[i].path))
            return rows[i].kind;
    if (!begins(path, "/Requests"))
        return VAULT_PROBE;
    if (strcmp(http->method, "POST") == 0)
        return VAULT_REQUEST;
    return strcmp(http->method, "PUT") == 0 ? VAULT_CHECKIN : VAULT_REQUESTS;
}

const char *vault_call_word(enum vault_call_kind kind)
{
    static const char *const words[ALL_NCALLS] = {
        "probe",          "sign-in",    "sign-out",     "list",         "policy",
        "request",        "credential", "checkin",      "requests",     "isa",
        "site-probe",     "site-token", "site-command", "site-listing", "site-session",
        "site-terminate", "etcd-txn",   "etcd-range",   "etcd-sign-in", "etcd-status"};

    return words[kind];
}

void vault_api_answer(struct buf *to, int status, const char *type, const char *lines, const char *body)
{
    (void)buf_printf(to, "HTTP/1.1 %d Some\r\nContent-Type: %s\r\n%sContent-Length: %zu\r\n\r\n", status,
                     type, lines, strlen(body));
    (void)buf_str(to, body);
}

/* ---- vault sessions ---- */

static bool read_user(const char *head, const char *name, unsigned *user)
{
    const char *at = strcasestr(head, name);

    return at && sscanf(at + strlen(name), "u%u", user) == 1;
}

static void sign_in(struct api_call *c)
{
    struct vault_sim *v = c->vault;
    unsigned user;

    if (!read_user(c->http->head, "runas=", &user) || user >= v->world->setup.users) {
        text_answer(c, 401, "\"Invalid user\"");
        return;
    }
    struct vault_session *s = calloc(1, sizeof *s);
    if (!s)
        abort();
    *s = (struct vault_session){.id = ++v->last_session, .user = user, .last_ms = v->world->now_ms};
    STAILQ_INSERT_TAIL(&v->sessions, s, link);
    (void)snprintf(c->lines, sizeof c->lines,
                   "Set-Cookie: ASP.NET_SessionId=" VAULT_COOKIE "%u; path=/; secure; HttpOnly\r\n", s->id);
    c->status = 200;
    (void)buf_printf(&c->body, "{\"UserId\":%u,\"SID\":null,\"UserName\":\"u%u\",\"Name\":\"\"}", user + 1,
                     user);
}

static struct vault_session *session_of(struct api_call *c)
{
    static const char cookie[] = "ASP.NET_SessionId=" VAULT_COOKIE;
    const char *at = strcasestr(c->http->head, cookie);
    unsigned id = at ? (unsigned)strtoul(at + strlen(cookie), NULL, 10) : 0;
    struct vault_session *s;

    STAILQ_FOREACH(s, &c->vault->sessions, link)
    if (s->id == id)
        return s->last_ms + SESSION_IDLE_MS > c->vault->world->now_ms ? s : NULL;
    return NULL;
}

static void sign_out(struct api_call *c)
{
    struct vault_session *s = session_of(c);

    if (s) {
        STAILQ_REMOVE(&c->vault->sessions, s, vault_session, link);
        free(s);
    }
    c->status = 200;
}

/* ---- reading ---- */

/* The number behind `name=u` letters of a name in the query. */
static bool query_number(const char *target, const char *name, unsigned *number)
{
    const char *at = strcasestr(target, name);

    return at && sscanf(at + strlen(name), "%u", number) == 1;
}

static void write_account(struct jsonw *w, const struct setup *setup, unsigned a)
{
    char name[24], system[24];

    (void)snprintf(name, sizeof name, "root%u", a);
    (void)snprintf(system, sizeof system, "web%u", a);
    jsonw_object(w, NULL);
    jsonw_int(w, "PlatformID", 2);
    jsonw_int(w, "SystemId", 100 + a);
    jsonw_str(w, "SystemName", system);
    jsonw_null(w, "DomainName");
    jsonw_int(w, "AccountId", 200 + a);
    jsonw_str(w, "AccountName", name);
    jsonw_null(w, "ApplicationID");
    jsonw_int(w, "DefaultReleaseDuration", 60);
    jsonw_int(w, "MaximumReleaseDuration", setup->account[a].max_minutes);
    jsonw_bool(w, "IsChanging", false);
    jsonw_bool(w, "IsISAAccess", setup->account[a].isa);
    jsonw_end(w);
}

/* Local accounts alone; a system has one. */
static void list(struct api_call *c)
{
    const struct setup *setup = &c->vault->world->setup;
    struct jsonw w = jsonw_start(&c->body);
    unsigned named = 0, offset = 0;
    bool by_name = query_number(c->http->target, "systemName=web", &named);
    bool by_id = query_number(c->http->target, "systemID=", &named);
    bool local = !strcasestr(c->http->target, "type=") || strcasestr(c->http->target, "type=system");

    (void)query_number(c->http->target, "offset=", &offset);
    c->status = 200;
    jsonw_array(&w, NULL);
    for (unsigned a = 0; a < setup->accounts && local && !offset && begins(c->path, "/Managed"); a++)
        if (c->vault->entitled[c->user][a] && (!by_name || named == a) && (!by_id || named == 100 + a))
            write_account(&w, setup, a);
    jsonw_end(&w);
}

static int64_t member(const cJSON *body, const char *name)
{
    const cJSON *item = cJSON_GetObjectItem(body, name); /* in any case */

    return cJSON_IsNumber(item) ? (int64_t)item->valuedouble : 0;
}

static void policy(struct api_call *c)
{
    cJSON *body = cJSON_Parse(c->http->body);
    unsigned a = (unsigned)(member(body, "AccountId") - 200);
    const struct setup *setup = &c->vault->world->setup;

    cJSON_Delete(body);
    if (!vault_entitles(c->vault, c->user, a)) {
        text_answer(c, 403, "4031");
        return;
    }
    c->status = 200;
    (void)buf_printf(
        &c->body,
        "[{\"AccessPolicyID\":1,\"Name\":\"p\",\"Schedules\":[{\"ScheduleID\":1,\"RequireReason\":false,"
        "\"RequireTicketSystem\":false,\"AccessTypes\":[{\"AccessType\":\"View\",\"MinApprovers\":%d,"
        "\"MaxConcurrent\":0}]}]}]",
        setup->account[a].approval ? 1 : 0);
}

static void write_date(struct jsonw *w, const char *name, int64_t wall_ms)
{
    time_t seconds = (time_t)(wall_ms / 1000);
    char text[40];
    struct tm tm;

    if (!gmtime_r(&seconds, &tm))
        abort();
    size_t n = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm);
    (void)snprintf(text + n, sizeof text - n, ".%03d", (int)(wall_ms % 1000));
    jsonw_str(w, name, text);
}

static void requests(struct api_call *c)
{
    struct jsonw w = jsonw_start(&c->body);
    const struct vault_entry *e;

    c->status = 200;
    jsonw_array(&w, NULL);
    STAILQ_FOREACH(e, &c->vault->requests, link)
    {
        if (!vault_live(e) || e->user != c->user)
            continue;
        jsonw_object(&w, NULL);
        jsonw_int(&w, "RequestID", e->id);
        jsonw_int(&w, "SystemID", 100 + e->account);
        jsonw_int(&w, "AccountID", 200 + e->account);
        jsonw_str(&w, "AccessType", "View");
        jsonw_str(&w, "Status", e->state == VAULT_PENDING ? "pending" : "active");
        jsonw_str(&w, "Reason", e->reason);
        write_date(&w, "ExpiresDate", e->expires_wall_ms);
        jsonw_end(&w);
    }
    jsonw_end(&w);
}

static void read_secret(struct api_call *c, struct vault_entry *e)
{
    struct vault_sim *v = c->vault;
    struct vault_read *r = calloc(1, sizeof *r);
    struct jsonw w = jsonw_start(&c->body);
    char secret[VAULT_SECRET_SIZE];

    if (!r)
        abort();
    *r = (struct vault_read){.user = c->user,
                             .account = e->account,
                             .version = v->version[e->account],
                             .entry = e,
                             .at_ms = v->world->now_ms};
    STAILQ_INSERT_TAIL(&v->reads, r, link);
    e->read_ms = v->world->now_ms;
    vault_secret(v, e->account, r->version, secret);
    jsonw_str(&w, NULL, secret);
}

static void credential(struct api_call *c)
{
    struct vault_entry *e =
        vault_find(c->vault, (unsigned)strtoul(c->path + strlen("/Credentials/"), NULL, 10));

    if (!e || !vault_live(e)) {
        text_answer(c, 404, "\"Request has been released or is expired\"");
    } else if (e->user != c->user) {
        world_fail(c->vault->world, "user %u reads the secret of request %u of user %u", c->user, e->id,
                   e->user);
        text_answer(c, 403, "4031");
    } else if (e->state == VAULT_PENDING) {
        text_answer(c, 403, "4034");
    } else if (!strcasestr(c->path, "type=password")) {
        text_answer(c, 404, "\"The account has no key\"");
    } else {
        c->status = 200;
        read_secret(c, e);
    }
}

/* ---- changing ---- */

static struct vault_entry *reused(struct api_call *c, unsigned account)
{
    struct vault_entry *e;

    STAILQ_FOREACH(e, &c->vault->requests, link)
    if (vault_live(e) && e->user == c->user && e->account == account)
        return e;
    return NULL;
}

static void make_request(struct api_call *c, const cJSON *body)
{
    unsigned a = (unsigned)(member(body, "AccountID") - 200);
    unsigned minutes = (unsigned)member(body, "DurationMinutes");
    const char *reason = cJSON_GetStringValue(cJSON_GetObjectItem(body, "Reason"));
    const char *conflict = cJSON_GetStringValue(cJSON_GetObjectItem(body, "ConflictOption"));

    if (!conflict || strcasecmp(conflict, "reuse") != 0)
        world_fail(c->vault->world, "a request without reuse");
    if (!vault_entitles(c->vault, c->user, a)) {
        text_answer(c, 403, "4031");
        return;
    }
    if (minutes < 1 || minutes > c->vault->world->setup.account[a].max_minutes) {
        text_answer(c, 400, "\"DurationMinutes is out of range\"");
        return;
    }
    struct vault_entry *e = reused(c, a);
    if (e && e->state == VAULT_PENDING) {
        text_answer(c, 409, "4091");
        return;
    }
    c->status = e ? 200 : 201;
    if (!e)
        e = vault_make(c->vault, c->user, a, minutes, reason ? reason : "", false);
    if (!e) {
        text_answer(c, 409, "4091");
        return;
    }
    oracle_on_request(c->vault->world->oracle, e);
    (void)buf_printf(&c->body, "%u", e->id);
}

static void request(struct api_call *c)
{
    cJSON *body = cJSON_Parse(c->http->body);

    make_request(c, body);
    cJSON_Delete(body);
}

static void isa(struct api_call *c)
{
    cJSON *body = cJSON_Parse(c->http->body);
    unsigned a = (unsigned)(member(body, "AccountID") - 200);
    const char *reason = cJSON_GetStringValue(cJSON_GetObjectItem(body, "Reason"));
    unsigned minutes = (unsigned)member(body, "DurationMinutes");

    if (!vault_entitles(c->vault, c->user, a) || !c->vault->world->setup.account[a].isa) {
        text_answer(c, 403, "4031");
    } else if (!strcasestr(c->path, "type=password")) {
        text_answer(c, 404, "\"The account has no key\"");
    } else {
        struct vault_entry *e =
            vault_make(c->vault, c->user, a, minutes ? minutes : 60, reason ? reason : "", false);

        if (!e) {
            text_answer(c, 409, "4091");
        } else {
            e->state = VAULT_ACTIVE; /* no approval */
            e->isa = true;
            oracle_on_request(c->vault->world->oracle, e);
            c->status = 201;
            read_secret(c, e);
        }
    }
    cJSON_Delete(body);
}

static void checkin(struct api_call *c)
{
    struct vault_entry *e = vault_find(c->vault, (unsigned)strtoul(c->path + strlen("/Requests/"), NULL, 10));

    if (e && e->user == c->user)
        e->asked_back = true;
    if (!e || !vault_live(e)) {
        text_answer(c, 404, "\"Request not found\"");
    } else if (e->user != c->user) {
        world_fail(c->vault->world, "user %u checks in request %u of user %u", c->user, e->id, e->user);
        text_answer(c, 403, "4031");
    } else {
        oracle_on_checkin(c->vault->world->oracle, e);
        if (e->own)
            world_fail(c->vault->world, "the person's own request %u is checked in", e->id);
        vault_end(c->vault, e, VAULT_END_CHECKIN);
        c->status = 204;
    }
}

/* ---- all of it ---- */

static void answer_call(struct api_call *c)
{
    static void (*const fns[VAULT_NCALLS])(struct api_call *) = {
        [VAULT_LIST] = list,       [VAULT_POLICY] = policy,
        [VAULT_REQUEST] = request, [VAULT_CREDENTIAL] = credential,
        [VAULT_CHECKIN] = checkin, [VAULT_REQUESTS] = requests,
        [VAULT_ISA] = isa,
    };
    enum vault_call_kind kind = c->kind;
    struct vault_session *s;

    if (kind == VAULT_SIGN_IN) {
        sign_in(c);
        return;
    }
    if (kind == VAULT_SIGN_OUT) {
        sign_out(c);
        return;
    }
    s = session_of(c);
    if (!s || !fns[kind]) {
        text_answer(c, 401, "\"User not authenticated\"");
        return;
    }
    s->last_ms = c->vault->world->now_ms;
    c->user = s->user;
    fns[kind](c);
}

/* The vault's clock, in whole seconds: the gateway compares it with its own. */
static void write_moment(struct api_call *c)
{
    time_t seconds = (time_t)(vault_wall(c->vault) / 1000);
    size_t n = strlen(c->lines);
    struct tm tm;

    if (!gmtime_r(&seconds, &tm) ||
        !strftime(c->lines + n, sizeof c->lines - n, "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &tm))
        abort();
}

void vault_api(struct vault_sim *v, const struct vault_http *http, enum vault_call_kind kind,
               struct buf *answer)
{
    struct api_call c = {.vault = v, .http = http, .kind = kind, .path = http->target + strlen(VAULT_BASE)};

    c.body = BUF_INIT(ANSWER_MAX);
    vault_settle(v);
    answer_call(&c);
    write_moment(&c);
    (void)buf_char(&c.body, '\0');
    vault_api_answer(answer, c.status, JSON_TYPE, c.lines, c.body.data);
    counts_add(v->world->counts, 1, "vault.%s.%d", vault_call_word(kind), c.status);
    buf_free(&c.body);
}
