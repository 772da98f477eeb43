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
    [PS_ISA]        = {.name = "isa", .method = "POST", .read = ps_parse_isa, .effects = true, .approval = true, .quotes = true,
                       .secret = true,
                       .on_400 = VAULT_BAD, .on_403 = VAULT_DENIED, .on_404 = VAULT_ABSENT, .on_409 = VAULT_CONFLICT},
};
/* clang-format on */

/* A new call whose target begins with the path of the API; the rest is written behind it. */
static int new_call(struct vault *vault, enum ps_operation what, struct vault_call *out,
                    struct ps_call **call)
{
    struct ps *ps = CONTAINER_OF(vault, struct ps, http.vault);
    int err = ps_call_new(ps, &ps_operations[what], out, call);

    if (!err)
        (void)buf_str(&(*call)->target, ps->http.base);
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

static int ps_query(const struct vault *vault, const char *account_key, struct account_query *query)
{
    struct ps_account_key key;

    (void)vault;
    if (!ps_account_key_read(account_key, &key) || key.kind == KIND_NKINDS)
        return -EINVAL;
    *query = (struct account_query){.kind = key.kind, .system_id = key.system_id};
    return 0;
}

static int ps_policy(struct vault *vault, const char *account_key, int64_t minutes, struct vault_call *out)
{
    struct ps_account_key key;

    if (!ps_account_key_read(account_key, &key))
        return -EINVAL;
    struct buf body = BUF_INIT(PS_BODY_MAX);
    struct jsonw w = jsonw_start(&body);

    jsonw_object(&w, NULL);
    jsonw_int(&w, "SystemId", key.system_id);
    jsonw_int(&w, "AccountId", key.account_id);
    jsonw_int(&w, "DurationMinutes", minutes);
    jsonw_end(&w);
    return start_call(vault, PS_POLICY, out, &body, "/AccessPolicies/Test");
}

static void write_text(struct jsonw *w, const char *name, const char *text)
{
    if (text && *text)
        jsonw_str(w, name, text);
}

static int request(struct vault *vault, const struct checkout_want *want, const struct ps_account_key *key,
                   struct vault_call *out)
{
    struct buf body = BUF_INIT(PS_BODY_MAX);
    struct jsonw w = jsonw_start(&body);

    jsonw_object(&w, NULL);
    jsonw_str(&w, "AccessType", "View");
    if (key->kind != KIND_ALIAS) {
        jsonw_int(&w, "SystemID", key->system_id);
        jsonw_int(&w, "AccountID", key->account_id);
    }
    if (key->application_id && key->kind != KIND_ALIAS)
        jsonw_int(&w, "ApplicationID", key->application_id);
    jsonw_int(&w, "DurationMinutes", want->minutes);
    write_text(&w, "Reason", want->reason);
    jsonw_str(&w, "ConflictOption", "reuse");
    if (want->ticket_system_id)
        jsonw_int(&w, "TicketSystemID", want->ticket_system_id);
    write_text(&w, "TicketNumber", want->ticket_number);
    jsonw_end(&w);
    if (key->kind == KIND_ALIAS)
        return start_call(vault, PS_REQUEST, out, &body, "/Aliases/%" PRId64 "/Requests", key->account_id);
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

static int ps_read_secret(struct vault *vault, const struct request_ref *request, enum credential_type type,
                          struct vault_call *out)
{
    struct ps_account_key key = {.kind = KIND_LOCAL};

    if (!is_request_id(request->key) || (out->account_key && !ps_account_key_read(out->account_key, &key)))
        return -EINVAL;
    if (key.kind == KIND_ALIAS)
        return start_call(vault, PS_CREDENTIAL, out, &BUF_INIT(0),
                          "/Aliases/%" PRId64 "/Credentials/%s?type=%s", key.account_id, request->key,
                          secret_types[type]);
    return start_call(vault, PS_CREDENTIAL, out, &BUF_INIT(0), "/Credentials/%s?type=%s", request->key,
                      secret_types[type]);
}

static int isa(struct vault *vault, const struct checkout_want *want, const struct ps_account_key *key,
               struct vault_call *out)
{
    struct buf body = BUF_INIT(PS_BODY_MAX);
    struct jsonw w = jsonw_start(&body);

    jsonw_object(&w, NULL);
    jsonw_int(&w, "SystemID", key->system_id);
    jsonw_int(&w, "AccountID", key->account_id);
    jsonw_int(&w, "DurationMinutes", want->minutes);
    write_text(&w, "Reason", want->reason);
    jsonw_end(&w);
    return start_call(vault, PS_ISA, out, &body, "/ISARequests?type=%s", secret_types[want->type]);
}

static int ps_checkout(struct vault *vault, const struct checkout_want *want, struct vault_call *out)
{
    struct ps_account_key key;

    if (!ps_account_key_read(want->account_key, &key))
        return -EINVAL;
    return want->direct ? isa(vault, want, &key, out) : request(vault, want, &key, out);
}

static int ps_checkin(struct vault *vault, const struct request_ref *request, const char *reason,
                      struct vault_call *out)
{
    if (!is_request_id(request->key))
        return -EINVAL;
    struct buf body = BUF_INIT(PS_BODY_MAX);
    struct jsonw w = jsonw_start(&body);

    jsonw_object(&w, NULL);
    write_text(&w, "Reason", reason);
    jsonw_end(&w);
    return start_call(vault, PS_CHECKIN, out, &body, "/Requests/%s/Checkin", request->key);
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

static int ps_admit(struct vault *vault, const char *name, uint64_t left_ms, struct fault *f)
{
    struct ps *ps = CONTAINER_OF(vault, struct ps, http.vault);
    const struct ps_user *user = ps_user_find(ps, ps->oauth_user ? ps->oauth_user : name);

    return http_vault_admit(&ps->http, user ? &user->http : NULL, left_ms, f);
}

static void ps_state(const struct vault *vault, struct vault_state *state)
{
    const struct ps *ps = (const struct ps *)(const void *)vault; /* it is the first member */

    http_vault_state(&ps->http, state);
    state->sessions = ps->nsessions;
    state->users = ps->nusers;
}

const struct vault_ops password_safe_ops = {
    .name = "password_safe",
    .list = ps_list,
    .query = ps_query,
    .match = ps_account_key_match,
    .policy = ps_policy,
    .checkout = ps_checkout,
    .read_secret = ps_read_secret,
    .checkin = ps_checkin,
    .requests = ps_requests,
    .directory = ps_directory,
    .admit = ps_admit,
    .cancel = http_vault_call_cancel,
    .withdraw = http_vault_call_withdraw,
    .state = ps_state,
};
