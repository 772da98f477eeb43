/* SPDX-License-Identifier: Apache-2.0 */
/*
 * parse.c - successful answers: lists of accounts, policies, request numbers and secrets.
 *
 * Releases of the vault differ: member names in another case, members missing or new, one object instead of
 * an array of one, a number in quotes, letters that JSON does not allow. All of that is accepted. An answer
 * that cannot be understood is VAULT_FAILED with a fault that names the operation and quotes nothing. A
 * secret goes from the answer's buffer straight into its struct secret and is never repaired.
 *
 * A list is read page by page until a page is short. The vault promises no order, so rows of an earlier page
 * may come again; they are dropped. A page without any new row ends the list: a server that ignores `offset`
 * cannot prolong it.
 *
 * Not here: failures (errors.c), the directory (parse_directory.c), the shared steps (parse_json.c).
 */
#include "backends/password_safe/parse_json.h"
#include "base/json.h"
#include "base/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- list ---- */

static enum account_kind row_kind(const struct account *row, const cJSON *object)
{
    if (ps_number(object, "AliasId"))
        return KIND_ALIAS;
    if (row->application_id || row->application)
        return KIND_APPLICATION;
    if (row->instance)
        return KIND_DATABASE;
    return row->domain ? KIND_DOMAIN_LINKED : KIND_LOCAL;
}

static size_t rows_max(const struct ps_call *call)
{
    uint64_t max = call->ps->http.vault.conf->max_rows;

    return max ? (size_t)max : PS_ROWS_MAX;
}

/* 1 = it is no account, or one of its ids cannot be kept; 0 or -ENOMEM. */
static int row_add(struct ps_call *call, const cJSON *object)
{
    char key[PS_KEY_SIZE];
    bool odd = false;
    int64_t alias_id = ps_id(object, "AliasId", &odd);
    struct account row = {
        .system_id = ps_id(object, "SystemId", &odd),
        .account_id = ps_id(object, "AccountId", &odd),
        .application_id = ps_id(object, "ApplicationID", &odd),
        .platform_id = ps_number(object, "PlatformID"),
        .default_minutes = ps_number(object, "DefaultReleaseDuration"),
        .max_minutes = ps_number(object, "MaximumReleaseDuration"),
        .isa = ps_flag(object, "IsISAAccess"),
        .system = ps_text(object, "SystemName"),
        .account = ps_text(object, "AccountName"),
        .domain = ps_text(object, "DomainName"),
        .upn = ps_text(object, "UserPrincipalName"),
        .instance = ps_text(object, "InstanceName"),
        .application = ps_text(object, "ApplicationDisplayName"),
        .description = ps_text(object, "AccountDescription"),
    };

    if (call->call.out->accounts->n >= rows_max(call))
        return 0;
    if (odd || !(alias_id || (row.system_id && row.account_id && row.account))) {
        ps_repaired_row_left_out(call, odd);
        return 1;
    }
    if (alias_id) {
        row.system_id = 0; /* the account behind an alias may change; the alias itself is requested */
        row.account_id = alias_id;
        row.alias = ps_text(object, "AliasName");
        row.application_id = 0;
        row.isa = false;
    }
    if (!row.account)
        return 0; /* an alias without an account at present: there is nothing to list */
    row.kind = call->kind == KIND_NKINDS ? row_kind(&row, object) : call->kind;
    ps_account_key_write(
        key, &(struct ps_account_key){row.kind, row.system_id, row.account_id, row.application_id});
    row.key = key;
    return account_list_add(call->call.out->accounts, &row);
}

static int compare_ids(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

static int row_order(const struct account *a, const struct account *b)
{
    int by = compare_ids(a->account_id, b->account_id);

    if (!by)
        by = compare_ids(a->system_id, b->system_id);
    if (!by)
        by = compare_ids(a->application_id, b->application_id);
    return by ? by : compare_ids((int64_t)a->kind, (int64_t)b->kind);
}

/* Of equal rows the earlier comes first and stays. */
static int index_order(const void *a, const void *b, void *arg)
{
    const struct account *rows = arg;
    size_t i = *(const size_t *)a, j = *(const size_t *)b;
    int by = row_order(&rows[i], &rows[j]);

    return by ? by : (i > j) - (i < j);
}

/* Drops repeated rows; the others keep their order. */
static int rows_unique(struct account_list *list)
{
    size_t n = list->n, kept = 0, *sorted = calloc(n ? n : 1, sizeof(*sorted));
    bool *twice = calloc(n ? n : 1, sizeof(*twice));

    if (!sorted || !twice) {
        free(sorted);
        free(twice);
        return -ENOMEM;
    }
    for (size_t i = 0; i < n; i++)
        sorted[i] = i;
    qsort_r(sorted, n, sizeof(*sorted), index_order, list->rows);
    for (size_t i = 1; i < n; i++)
        twice[sorted[i]] = !row_order(&list->rows[sorted[i - 1]], &list->rows[sorted[i]]);
    for (size_t i = 0; i < n; i++)
        if (!twice[i])
            list->rows[kept++] = list->rows[i];
    list->n = kept;
    free(sorted);
    free(twice);
    return 0;
}

static size_t *accounts(struct ps_call *call)
{
    struct vault_call *out = call->call.out;

    if (!out->accounts)
        out->accounts = account_list_new();
    return out->accounts ? &out->accounts->n : NULL;
}

static int page_end(struct ps_call *call, size_t before, size_t seen)
{
    struct account_list *list = call->call.out->accounts;

    call->taken += call->call.http.body_in.len;
    if (rows_unique(list))
        return -ENOMEM;
    if ((seen < PS_PAGE && list->n < rows_max(call)) || list->n == before || call->kind == KIND_ALIAS)
        return 0;
    if (list->n < rows_max(call) && call->taken < PS_PAGES_FULL * call->call.http.body_in.max)
        return 1;
    log_warn("vault_list_cut", "vault=%s rows=%zu", call->ps->http.vault.conf->name, list->n);
    return 0;
}

enum ps_next ps_parse_list(struct ps_call *call)
{
    static const struct ps_page_reader reader = {.what = "the list of accounts",
                                                 .row = "an account",
                                                 .object = "account",
                                                 .list = accounts,
                                                 .add = row_add,
                                                 .end = page_end};

    return ps_read_page(call, &reader);
}

enum ps_next ps_parse_nothing(struct ps_call *call)
{
    return accounts(call) ? PS_DONE : ps_no_memory(call);
}

/* ---- policy ---- */

/* A schedule counts when it offers View, or does not list what it offers. */
static bool schedule_view(const cJSON *schedule, bool *approval)
{
    const cJSON *types = json_get_nocase(schedule, "AccessTypes"), *type;

    *approval = false;
    if (!cJSON_IsArray(types))
        return true;
    cJSON_ArrayForEach(type, types)
    {
        const char *name = ps_text(type, "AccessType");

        if (name && strcasecmp(name, "View") != 0)
            continue;
        *approval = ps_number(type, "MinApprovers") > 0;
        return true;
    }
    return false;
}

/* An object without any of these members is no schedule. */
static bool is_schedule(const cJSON *object)
{
    return json_get_nocase(object, "ScheduleID") || json_get_nocase(object, "AccessTypes") ||
           json_get_nocase(object, "RequireReason") || json_get_nocase(object, "RequireTicketSystem");
}

/* The vault chooses the schedule with the fewest needs: only what every open schedule needs is one. */
static void policy_add(struct vault_policy *policy, const cJSON *schedule)
{
    bool approval, reason = ps_flag(schedule, "RequireReason"),
                   ticket = ps_flag(schedule, "RequireTicketSystem");

    if (!schedule_view(schedule, &approval))
        return;
    policy->reason = reason && (policy->reason || !policy->available);
    policy->ticket = ticket && (policy->ticket || !policy->available);
    policy->approval = approval && (policy->approval || !policy->available);
    policy->available = true;
}

/* False = it is no policy. */
static bool policy_read(struct ps_call *call, const cJSON *row)
{
    struct vault_policy *policy = &call->call.out->policy;
    const cJSON *schedules = json_get_nocase(row, "Schedules"), *schedule;
    size_t seen = 0, kept = 0;

    if (!cJSON_IsArray(schedules)) {
        bool named = json_get_nocase(row, "AccessPolicyID");

        policy->available |= named;
        if (!named)
            ps_repaired_row_left_out(call, false);
        return named;
    }
    cJSON_ArrayForEach(schedule, schedules)
    {
        seen++;
        if (is_schedule(schedule)) {
            policy_add(policy, schedule);
            kept++;
        } else {
            ps_repaired_row_left_out(call, false);
        }
    }
    return !seen || kept;
}

/* An empty array is an answer: no policy permits this user. */
static bool policies_read(struct ps_call *call, const cJSON *tree)
{
    const cJSON *row;
    bool any = cJSON_GetArraySize(tree) == 0;

    if (cJSON_IsObject(tree))
        return policy_read(call, tree);
    cJSON_ArrayForEach(row, tree) any |= policy_read(call, row);
    return cJSON_IsArray(tree) && any;
}

enum ps_next ps_parse_policy(struct ps_call *call)
{
    cJSON *tree = ps_tree(call);
    bool good;

    if (!tree)
        return ps_unreadable(call, "the answer about the access policy is not JSON");
    good = policies_read(call, tree);
    cJSON_Delete(tree);
    if (!good) {
        call->call.out->policy = (struct vault_policy){0};
        return ps_unreadable(call, "the answer about the access policy holds no policy");
    }
    call->call.out->result = VAULT_OK;
    return PS_DONE;
}

/* ---- request, credential, check-in ---- */

static void write_name(char out[REQUEST_KEY_SIZE], int64_t id)
{
    (void)snprintf(out, REQUEST_KEY_SIZE, "%" PRId64, id);
}

/* A whole number, bare or in quotes, with blanks around it. */
static bool bare_number(const struct buf *body, int64_t *out)
{
    size_t len;
    const char *text = http_vault_trimmed(body, &len);
    int64_t value = 0;

    if (len >= 2 && text[0] == '"' && text[len - 1] == '"') {
        text++;
        len -= 2;
    }
    if (!len)
        return false;
    for (size_t i = 0; i < len; i++)
        if (text[i] < '0' || text[i] > '9' || __builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, text[i] - '0', &value))
            return false;
    *out = value;
    return value > 0;
}

enum ps_next ps_parse_request(struct ps_call *call)
{
    int status = call->call.http.status;
    int64_t id;

    if ((status != 200 && status != 201) || !bare_number(&call->call.http.body_in, &id))
        return ps_unreadable(call, "the answer to the request holds no request number");
    write_name(call->call.out->request_key, id);
    call->call.out->origin = status == 200 ? CHECKOUT_REUSED : CHECKOUT_NEW;
    call->call.out->result = VAULT_OK;
    return PS_DONE;
}

/*
 * Some releases wrap the secret: {"Credentials":"..."} or {"Password":"..."}. Read into secret memory and as
 * it is: a repaired password would be another one. 0, -ENOENT for null, or -errno.
 */
static int wrapped_secret(const struct buf *body, struct secret *out)
{
    static const char *const names[] = {"Credentials", "Password", "PrivateKey", "Passphrase"};
    struct json_outcome outcome;
    cJSON *tree = json_read(body->data, body->len, PS_TREE_DEPTH, JSON_DUPLICATES_OK | JSON_SECRET, &outcome);
    int err = !tree ? outcome.err : cJSON_IsNull(tree) ? -ENOENT : -EINVAL;

    for (size_t i = 0; err == -EINVAL && cJSON_IsObject(tree) && i < sizeof(names) / sizeof(names[0]); i++) {
        const char *text = cJSON_GetStringValue(json_get_nocase(tree, names[i]));

        if (text)
            err = secret_set(out, text, strlen(text));
    }
    if (err == -EINVAL && ps_number(tree, "AliasId"))
        err = -ENOENT; /* an alias' answer, and the secret is not in it */
    cJSON_Delete(tree);
    return err;
}

static int secret_read(const struct call *http, struct secret *out)
{
    int err;

    if (!http->body_in.len)
        return -EINVAL;
    err = json_unescape(http->body_in.data, http->body_in.len, out);
    return err == -EINVAL ? wrapped_secret(&http->body_in, out) : err;
}

enum ps_next ps_parse_credential(struct ps_call *call)
{
    struct vault_call *out = call->call.out;
    int err = call->call.http.status == 200 || call->call.http.status == 201
                  ? secret_read(&call->call.http, &out->secret)
                  : -EINVAL;

    if (err == -ENOMEM)
        return ps_no_memory(call);
    if (err == -EILSEQ)
        return ps_unreadable(call,
                             "the credential holds a letter that JSON or UTF-8 does not allow (NUL, a lone "
                             "surrogate, a bare control character or a byte that is no UTF-8); it is not "
                             "handed out changed");
    if (err == -EINVAL)
        return ps_unreadable(call, "the answer with the credential is not a JSON string");
    if (err || !out->secret.len) {
        secret_clear(&out->secret);
        out->result = VAULT_ABSENT;
        fault_set(&out->fault, FAULT_CREDENTIAL_NOT_FOUND,
                  "the account has no credential of this type in the vault");
        out->fault.vault_status = call->call.http.status;
        return PS_DONE;
    }
    out->result = VAULT_OK;
    return PS_DONE;
}

/* The vault makes a request, whose id it does not answer. */
enum ps_next ps_parse_isa(struct ps_call *call)
{
    call->call.out->origin = CHECKOUT_NONE;
    return ps_parse_credential(call);
}

/* 204, nothing, or JSON. The body of any other 2xx was written by something in front of the vault. */
static bool confirms(struct ps_call *call)
{
    const struct call *http = &call->call.http;
    size_t len;

    (void)http_vault_trimmed(&http->body_in, &len);
    if (http->status == 204 || !len)
        return true;
    cJSON *tree = ps_tree(call);

    cJSON_Delete(tree);
    return tree;
}

enum ps_next ps_parse_checkin(struct ps_call *call)
{
    if (!confirms(call))
        return ps_unreadable(call, "the answer to the check-in is not the vault's");
    call->call.out->result = VAULT_OK;
    return PS_DONE;
}

/* ---- requests ---- */

/* 0, -ENODATA = it is no request, or its id cannot be read; -ENOMEM. */
static int request_add(struct ps_call *call, const cJSON *object)
{
    struct active_requests *active = &call->call.out->active;
    bool odd = false, other_odd = false; /* a request is known by its own id: the others only describe it */
    char name[REQUEST_KEY_SIZE], key[PS_KEY_SIZE];
    int64_t id = ps_id(object, "RequestID", &odd);
    struct ps_account_key account = {
        .kind = KIND_NKINDS,
        .system_id = ps_id(object, "SystemID", &other_odd),
        .account_id = ps_id(object, "AccountID", &other_odd),
    };
    struct active_request row = {0};
    const char *reason = ps_text(object, "Reason"), *ends = ps_text(object, "ExpiresDate");
    const char *status = ps_text(object, "Status");

    if (odd || !id) {
        ps_repaired_row_left_out(call, odd);
        return -ENODATA;
    }
    if (ends && (clock_parse_vault_date(ends, &row.expires_wall_ms) || row.expires_wall_ms < 0))
        row.expires_wall_ms = 0; /* an impossible date, and 0001-01-01, count as none */
    row.waits = status && strcasecmp(status, "pending") == 0;
    write_name(name, id);
    ps_account_key_write(key, &account);
    if (active_request_set(&row, name, key, reason))
        return -ENOMEM;
    active->rows[active->n++] = row;
    return 0;
}

/* The vault numbers its requests as they are made. */
static int by_number(const void *x, const void *y)
{
    int64_t a = request_key_number(((const struct active_request *)x)->name);
    int64_t b = request_key_number(((const struct active_request *)y)->name);

    return (a > b) - (a < b);
}

/* Requests come in one page: fewer rows than TotalCount are a part of them. */
static bool is_partial(const cJSON *tree, const cJSON *rows)
{
    return cJSON_IsObject(tree) && ps_number(tree, "TotalCount") > cJSON_GetArraySize(rows);
}

/*
 * What is missing in this list counts as ended, so it is used as a whole or not at all: one row without a
 * readable request id may be the request that is searched for.
 */
enum ps_next ps_parse_requests(struct ps_call *call)
{
    struct active_requests *active = &call->call.out->active;
    cJSON *tree = ps_tree(call);
    const cJSON *rows, *row;
    bool single;
    int err = 0, n;

    rows = ps_rows(tree, &single);
    if (single || !ps_are_rows(rows) || is_partial(tree, rows)) {
        cJSON_Delete(tree);
        return ps_unreadable(
            call, "the list of requests is not a JSON array of rows, or not of as many as it says");
    }
    n = cJSON_GetArraySize(rows);
    active->n = 0;
    active->rows = calloc(n > 0 ? (size_t)n : 1, sizeof(*active->rows));
    err = active->rows ? 0 : -ENOMEM;
    cJSON_ArrayForEach(row, rows) err = err ? err : request_add(call, row);
    cJSON_Delete(tree);
    if (err == -ENODATA)
        return ps_unreadable(call, "the list of requests has a row without a request id");
    if (err)
        return ps_no_memory(call);
    if (active->n)
        qsort(active->rows, active->n, sizeof(*active->rows), by_number);
    call->call.out->result = VAULT_OK;
    return PS_DONE;
}
