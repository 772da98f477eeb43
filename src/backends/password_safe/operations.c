/* SPDX-License-Identifier: Apache-2.0 */
/*
 * operations.c - the operations of backend.h as HTTP requests: target and body, and the table of operations.
 *
 * Every release of the vault understands these bytes: members of a body are spelled and ordered as the
 * vendor's clients send them, query values are percent-encoded, and nothing optional is sent without need. A
 * check-out always has access type View and conflict option reuse: with any other option the request behind a
 * lost answer could not be asked for again.
 *
 * Everything handed in is copied into the call's own buffers before the operation returns.
 *
 * Not here: how a call is sent (calls.c) and its answer read (parse.c).
 */
#include "backends/password_safe/internal.h"
#include "base/container_of.h"
#include "base/jsonw.h"
#include "base/text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

/* Writes the page that begins at call->offset behind the stem of the target. */
static int write_page(struct ps_call *call)
{
    char first = memchr(call->target.data, '?', call->stem) ? '&' : '?';

    call->target.len = call->stem;
    return buf_printf(&call->target, "%climit=%d&offset=%zu", first, PS_PAGE, call->offset);
}

/*
 * A request is not .repeat: only calls.c may send it again, and remembers that. The results are
 * those of refusals in the vault's own form (answer_form.c); FAILED = the vault never answers this operation
 * with this status.
 */
/* clang-format off */
const struct ps_op ps_operations[PS_NOPERATIONS] = {
    [PS_SIGN_IN]    = {.name = "sign-in",
                       .on_400 = VAULT_FAILED, .on_403 = VAULT_FAILED, .on_404 = VAULT_FAILED, .on_409 = VAULT_FAILED},
    [PS_LIST]       = {.name = "list", .method = "GET", .read = ps_parse_list, .next_page = write_page,
                       .repeat = true, .quotes = true,
                       .on_400 = VAULT_BAD, .on_403 = VAULT_OK, .on_404 = VAULT_OK, .on_409 = VAULT_FAILED},
    [PS_POLICY]     = {.name = "policy", .method = "POST", .read = ps_parse_policy, .repeat = true, .quotes = true,
                       .on_400 = VAULT_BAD, .on_403 = VAULT_DENIED, .on_404 = VAULT_ABSENT, .on_409 = VAULT_FAILED},
    [PS_REQUEST]    = {.name = "request", .method = "POST", .read = ps_parse_request, .effects = true, .approval = true, .quotes = true,
                       .on_400 = VAULT_BAD, .on_403 = VAULT_DENIED, .on_404 = VAULT_ABSENT, .on_409 = VAULT_CONFLICT},
    [PS_CREDENTIAL] = {.name = "credential", .method = "GET", .read = ps_parse_credential, .repeat = true, .approval = true,
                       .secret = true,
                       .on_400 = VAULT_ABSENT, .on_403 = VAULT_DENIED, .on_404 = VAULT_ABSENT, .on_409 = VAULT_FAILED},
    [PS_CHECKIN]    = {.name = "checkin", .method = "PUT", .read = ps_parse_checkin, .effects = true, .repeat = true,
                       .on_400 = VAULT_BAD, .on_403 = VAULT_DENIED, .on_404 = VAULT_GONE, .on_409 = VAULT_FAILED},
    [PS_REQUESTS]   = {.name = "requests", .method = "GET", .read = ps_parse_requests, .repeat = true, .quotes = true,
                       .on_400 = VAULT_BAD, .on_403 = VAULT_DENIED, .on_404 = VAULT_FAILED, .on_409 = VAULT_FAILED},
    [PS_DIRECTORY]  = {.name = "directory", .method = "GET", .read = ps_parse_directory, .next_page = write_page,
                       .repeat = true, .quotes = true,
                       .on_400 = VAULT_BAD, .on_403 = VAULT_DENIED, .on_404 = VAULT_ABSENT, .on_409 = VAULT_FAILED},
    [PS_ISA]        = {.name = "isa", .method = "POST", .read = ps_parse_credential, .effects = true, .approval = true, .quotes = true,
                       .secret = true,
                       .on_400 = VAULT_BAD, .on_403 = VAULT_DENIED, .on_404 = VAULT_ABSENT, .on_409 = VAULT_CONFLICT},
};
/* clang-format on */

/* A new call whose target begins with the path of the API; the rest is written behind it. */
static int new_call(struct vault *vault, enum ps_operation what, struct vault_call *out,
                    struct ps_call **call)
{
    struct ps *ps = CONTAINER_OF(vault, struct ps, vault);
    int err = ps_call_new(ps, &ps_operations[what], out, call);

    if (!err)
        (void)buf_str(&(*call)->target, ps->base);
    return err;
}

/* ---- list ---- */

static const char *kind_type(enum account_kind kind)
{
    switch (kind) {
    case KIND_LOCAL: return "system";
    case KIND_DOMAIN_LINKED: return "domainlinked";
    case KIND_APPLICATION: return "application";
    case KIND_DATABASE: return "database";
    case KIND_CLOUD: return "cloud";
    default: return NULL;
    }
}

/* `&name=value`, or `?name=value` when it is the first. */
static void query_add(struct buf *target, const char *name, const char *value)
{
    char encoded[PS_TARGET_MAX];
    bool first = !target->data || !memchr(target->data, '?', target->len);

    if (!text_url_encode(encoded, sizeof(encoded), value))
        target->failed = true;
    else
        (void)buf_printf(target, "%c%s=%s", first ? '?' : '&', name, encoded);
}

static void query_write(struct ps_call *call, const struct account_query *query)
{
    const char *type = query->recent ? "recent" : kind_type(query->kind);
    char number[24];

    if (query->system) {
        query_add(&call->target, "systemName", query->system);
    } else if (query->ip) {
        query_add(&call->target, "ipAddress", query->ip);
    } else if (query->application) {
        query_add(&call->target, "applicationDisplayName", query->application);
        type = kind_type(KIND_APPLICATION); /* the vault takes the name with this type only */
    } else if (query->system_id) {
        (void)snprintf(number, sizeof(number), "%" PRId64, query->system_id);
        query_add(&call->target, "systemID", number);
    }
    if (query->workgroup)
        query_add(&call->target, "workgroupName", query->workgroup);
    if (type)
        query_add(&call->target, "type", type);
}

static int ps_list(struct vault *vault, const struct account_query *query, struct vault_call *out)
{
    struct ps_call *call;
    int err = new_call(vault, PS_LIST, out, &call);

    if (err)
        return err;
    if (query->kind == KIND_ALIAS) { /* the user's aliases, all at once */
        call->kind = KIND_ALIAS;
        (void)buf_str(&call->target, "/Aliases");
        return ps_call_start(call);
    }
    call->kind = query->application ? KIND_APPLICATION : query->recent ? KIND_NKINDS : query->kind;
    (void)buf_str(&call->target, "/ManagedAccounts");
    query_write(call, query);
    call->stem = call->target.len;
    if (!call->target.failed)
        (void)write_page(call);
    return ps_call_start(call);
}

/* ---- the other operations ---- */

/* Starts the call of this target and this body, which it takes, also when it fails. */
__attribute__((format(printf, 5, 6))) static int start_call(struct vault *vault, enum ps_operation what,
                                                            struct vault_call *out, struct buf *body,
                                                            const char *target, ...)
{
    struct ps_call *call;
    va_list ap;
    int err = new_call(vault, what, out, &call);

    if (err) {
        buf_free(body);
        return err;
    }
    buf_move(&call->body, body);
    va_start(ap, target);
    (void)buf_vprintf(&call->target, target, ap);
    va_end(ap);
    return ps_call_start(call);
}

static int ps_policy(struct vault *vault, int64_t system_id, int64_t account_id, int64_t minutes,
                     struct vault_call *out)
{
    struct buf body = BUF_INIT(PS_BODY_MAX);
    struct jsonw w = jsonw_start(&body);

    jsonw_object(&w, NULL);
    jsonw_int(&w, "SystemId", system_id);
    jsonw_int(&w, "AccountId", account_id);
    jsonw_int(&w, "DurationMinutes", minutes);
    jsonw_end(&w);
    return start_call(vault, PS_POLICY, out, &body, "/AccessPolicies/Test");
}

static void write_text(struct jsonw *w, const char *name, const char *text)
{
    if (text && *text)
        jsonw_str(w, name, text);
}

static int ps_request(struct vault *vault, const struct request_args *request, struct vault_call *out)
{
    struct buf body = BUF_INIT(PS_BODY_MAX);
    struct jsonw w = jsonw_start(&body);

    jsonw_object(&w, NULL);
    jsonw_str(&w, "AccessType", "View");
    if (!request->alias_id) {
        jsonw_int(&w, "SystemID", request->system_id);
        jsonw_int(&w, "AccountID", request->account_id);
    }
    if (request->application_id && !request->alias_id)
        jsonw_int(&w, "ApplicationID", request->application_id);
    jsonw_int(&w, "DurationMinutes", request->minutes);
    write_text(&w, "Reason", request->reason);
    jsonw_str(&w, "ConflictOption", "reuse");
    if (request->ticket_system_id)
        jsonw_int(&w, "TicketSystemID", request->ticket_system_id);
    write_text(&w, "TicketNumber", request->ticket_number);
    jsonw_end(&w);
    if (request->alias_id)
        return start_call(vault, PS_REQUEST, out, &body, "/Aliases/%" PRId64 "/Requests", request->alias_id);
    return start_call(vault, PS_REQUEST, out, &body, "/Requests");
}

static const char *const secret_types[] = {
    [CREDENTIAL_PASSWORD] = "password",
    [CREDENTIAL_SSH_KEY] = "dsskey",
    [CREDENTIAL_PASSPHRASE] = "passphrase",
};

/* A request id in digits, and so nothing that has a meaning in a target. */
static bool is_request_id(const char *name)
{
    size_t n = strlen(name);

    return n && strspn(name, "0123456789") == n;
}

static int ps_credential(struct vault *vault, const char *name, enum credential_type type,
                         struct vault_call *out)
{
    if (!is_request_id(name))
        return -EINVAL;
    if (out->alias_id)
        return start_call(vault, PS_CREDENTIAL, out, &BUF_INIT(0),
                          "/Aliases/%" PRId64 "/Credentials/%s?type=%s", out->alias_id, name,
                          secret_types[type]);
    return start_call(vault, PS_CREDENTIAL, out, &BUF_INIT(0), "/Credentials/%s?type=%s", name,
                      secret_types[type]);
}

static int ps_isa(struct vault *vault, const struct request_args *request, enum credential_type type,
                  struct vault_call *out)
{
    struct buf body = BUF_INIT(PS_BODY_MAX);
    struct jsonw w = jsonw_start(&body);

    jsonw_object(&w, NULL);
    jsonw_int(&w, "SystemID", request->system_id);
    jsonw_int(&w, "AccountID", request->account_id);
    jsonw_int(&w, "DurationMinutes", request->minutes);
    write_text(&w, "Reason", request->reason);
    jsonw_end(&w);
    return start_call(vault, PS_ISA, out, &body, "/ISARequests?type=%s", secret_types[type]);
}

static int ps_checkin(struct vault *vault, const char *name, const char *reason, struct vault_call *out)
{
    if (!is_request_id(name))
        return -EINVAL;
    struct buf body = BUF_INIT(PS_BODY_MAX);
    struct jsonw w = jsonw_start(&body);

    jsonw_object(&w, NULL);
    write_text(&w, "Reason", reason);
    jsonw_end(&w);
    return start_call(vault, PS_CHECKIN, out, &body, "/Requests/%s/Checkin", name);
}

static int ps_requests(struct vault *vault, struct vault_call *out)
{
    /* Pending ones too: an own request whose answer was lost must be found before it is approved. */
    return start_call(vault, PS_REQUESTS, out, &BUF_INIT(0), "/Requests?status=all&queue=req");
}

static int ps_directory(struct vault *vault, enum directory_part part, struct vault_call *out)
{
    static const char *const names[DIRECTORY_NPARTS] = {
        [DIRECTORY_SYSTEMS] = "/ManagedSystems",
        [DIRECTORY_PLATFORMS] = "/Platforms",
        [DIRECTORY_WORKGROUPS] = "/Workgroups",
    };
    struct ps_call *call;
    int err = new_call(vault, PS_DIRECTORY, out, &call);

    if (err)
        return err;
    call->part = part;
    (void)buf_str(&call->target, names[part]);
    call->stem = call->target.len;
    if (part == DIRECTORY_SYSTEMS && !call->target.failed)
        (void)write_page(call);
    return ps_call_start(call);
}

/* ---- the table ---- */

static void ps_state(const struct vault *vault, struct vault_state *state)
{
    const struct ps *ps = (const struct ps *)(const void *)vault; /* it is the first member */
    struct upstream_state up = {0};

    *state = (struct vault_state){0};
    upstream_state(ps->up, &up);
    ps_reachability_state(ps, state);
    state->connections = up.connections;
    state->in_flight = ps->in_flight;
    state->queued = ps->ncalls > ps->in_flight ? ps->ncalls - ps->in_flight : 0;
    state->sessions = ps->nsessions;
    state->users = ps->nusers;
    state->certificate_end = ps->certificate_end;
    state->wait_ms = ps_overload_wait_ms(ps);
    state->refused = ps_overload_refusals(ps);
}

const struct vault_ops password_safe_ops = {
    .name = "password_safe",
    .list = ps_list,
    .policy = ps_policy,
    .request = ps_request,
    .credential = ps_credential,
    .checkin = ps_checkin,
    .requests = ps_requests,
    .directory = ps_directory,
    .isa = ps_isa,
    .admit = ps_admit,
    .cancel = ps_call_cancel,
    .withdraw = ps_call_withdraw,
    .state = ps_state,
};
