/* SPDX-License-Identifier: Apache-2.0 */
/*
 * calls_config.c - the Configuration API: its routes, Jumpoints and API accounts, read only.
 *
 * Its habits: 401 with `message` for a query parameter it does not know, 405 with Allow, OPTIONS, HEAD
 * wherever GET is, lists in pages with their position in headers, filters that are exact and know no letter
 * case.
 */
#include "pra-sim/config_pages.h"
#include "pra-sim/month_items.h"

#include "base/jsonw.h"
#include "base/text.h"

#include <stdio.h>
#include <string.h>

/* ---- Jumpoints ---- */

static void put_jumpoint(struct jsonw *w, const struct jumpoint *j)
{
    jsonw_object(w, NULL);
    jsonw_int(w, "id", j->id);
    jsonw_str(w, "name", j->name);
    jsonw_str(w, "platform", j->platform);
    jsonw_str(w, "code_name", j->code_name);
    jsonw_str(w, "comments", j->comments);
    jsonw_bool(w, "enabled", j->enabled);
    jsonw_bool(w, "connected", j->connected);
    jsonw_bool(w, "clustered", j->clustered);
    jsonw_bool(w, "shell_jump_enabled", true);
    jsonw_str(w, "external_jump_item_network_id", j->network_id);
    jsonw_bool(w, "protocol_tunnel_enabled", false);
    jsonw_null(w, "rdp_service_account_id");
    jsonw_end(w);
}

static bool jumpoint_matches(const struct dispatch *d, const struct jumpoint *j)
{
    return config_filter(d, "name", j->name) && config_filter(d, "code_name", j->code_name) &&
           config_filter(d, "public_ip", j->public_ip) && config_filter(d, "private_ip", j->private_ip) &&
           config_filter(d, "hostname", j->hostname);
}

static bool jumpoint_gone(const struct dispatch *d, const struct jumpoint *j)
{
    char path[32];

    (void)snprintf(path, sizeof(path), "jumpoint/%d", j->id);
    return site_is_gone(d->site, path);
}

static void list_jumpoints(struct dispatch *d, int kind)
{
    const struct vec *all = &d->site->jumpoints;
    struct page p;
    struct jsonw w;

    (void)kind;
    if (!config_begin_list(d, &p, &w))
        return;
    for (size_t i = 0; i < all->n; i++)
        if (!jumpoint_gone(d, all->item[i]) && jumpoint_matches(d, all->item[i]) && config_on_page(&p))
            put_jumpoint(&w, all->item[i]);
    config_end_list(d, &p, &w);
}

static const struct jumpoint *jumpoint_of(struct dispatch *d, int id)
{
    const struct jumpoint *j = site_jumpoint_by_id(d->site, id);

    if (!j)
        answer_message(d, 404, "Not found.");
    return j;
}

static void one_jumpoint(struct dispatch *d, int kind, int id)
{
    const struct jumpoint *j = jumpoint_of(d, id);
    struct jsonw w;

    (void)kind;
    if (!j)
        return;
    w = answer_json(d, 200);
    put_jumpoint(&w, j);
}

static void jumpoint_nodes(struct dispatch *d, int kind, int id)
{
    const struct jumpoint *j = jumpoint_of(d, id);
    struct jsonw w;

    (void)kind;
    if (!j)
        return;
    w = answer_json(d, 200);
    jsonw_array(&w, NULL);
    jsonw_object(&w, NULL);
    jsonw_int(&w, "id", j->id);
    config_put_time(d, &w, "last_connect_timestamp", j->connect_ms);
    config_put_time(d, &w, "last_disconnect_timestamp", j->disconnect_ms);
    jsonw_str(&w, "public_ip", j->public_ip);
    jsonw_str(&w, "private_ip", j->private_ip);
    jsonw_str(&w, "hostname", j->hostname);
    jsonw_end(&w);
    jsonw_end(&w);
}

/* ---- API accounts ---- */

static void put_account(struct dispatch *d, struct jsonw *w, struct account *a)
{
    int64_t locked_ms = 0;

    if (account_locked(&d->site->accounts, a))
        locked_ms = site_now(d->site) + (int64_t)(a->locked_until_ms - clock_now(d->site->clock));
    jsonw_object(w, NULL);
    jsonw_int(w, "id", a->id);
    jsonw_str(w, "name", a->name);
    jsonw_str(w, "comments", a->comments);
    jsonw_bool(w, "enabled", a->enabled);
    jsonw_str(w, "client_id", a->client_id);
    jsonw_str(w, "ip_addresses", a->ip_addresses);
    jsonw_int(w, "failed_login_attempts", (int64_t)a->failures);
    config_put_time(d, w, "failed_login_expiration", locked_ms);
    jsonw_int(w, "ecm_group_id", a->ecm_group_id);
    for (enum permission p = 0; p < PERM_COUNT; p++) {
        if (p == PERM_COMMAND)
            jsonw_str(w, permission_names[p], account_permission(a, p));
        else
            jsonw_bool(w, permission_names[p], a->permission[p] != 0);
    }
    jsonw_end(w);
}

static void list_accounts(struct dispatch *d, int kind)
{
    const struct vec *all = &d->site->accounts.all;
    struct page p;
    struct jsonw w;

    (void)kind;
    if (!config_begin_list(d, &p, &w))
        return;
    for (size_t i = 0; i < all->n; i++)
        if (config_on_page(&p))
            put_account(d, &w, all->item[i]);
    config_end_list(d, &p, &w);
}

static void one_account(struct dispatch *d, int kind, int id)
{
    struct account *a = accounts_by_id(&d->site->accounts, id);
    struct jsonw w;

    (void)kind;
    if (!a) {
        answer_message(d, 404, "Not found.");
        return;
    }
    w = answer_json(d, 200);
    put_account(d, &w, a);
}

/* ---- routes ---- */

#define FILTERS 9

static const struct config_route {
    const char *path; /* `*` stands for a number */
    void (*list)(struct dispatch *, int kind);
    void (*one)(struct dispatch *, int kind, int id);
    const char *filters[FILTERS]; /* NULL-ended */
    int kind;
    enum permission permission; /* besides perm_configuration; 0 = none */
} routes[] = {
#define LIST(route, fn, kind_, permission_, ...)                                                             \
    {                                                                                                        \
        .path = (route), .list = (fn), .kind = (kind_), .permission = (permission_), .filters = {            \
            "per_page",                                                                                      \
            "current_page",                                                                                  \
            __VA_ARGS__                                                                                      \
        }                                                                                                    \
    }
#define ONE(route, fn, kind_, permission_)                                                                   \
    {                                                                                                        \
        .path = (route), .one = (fn), .kind = (kind_), .permission = (permission_)                           \
    }
#define ITEM(route, type)                                                                                    \
    LIST(route, items_list, type, 0, "name", "hostname", "jump_group_id", "jump_group_type", "jumpoint_id",  \
         "tag"),                                                                                             \
        ONE(route "/*", items_one, type, 0)
    LIST("/jumpoint", list_jumpoints, 0, 0, "name", "code_name", "public_ip", "private_ip", "hostname"),
    ONE("/jumpoint/*", one_jumpoint, 0, 0),
    ONE("/jumpoint/*/node", jumpoint_nodes, 0, 0),
    LIST("/api-account", list_accounts, 0, 0, NULL),
    ONE("/api-account/*", one_account, 0, 0),
    LIST("/jump-group", items_list_groups, 0, 0, "name", "code_name", "ecm_group_id"),
    ONE("/jump-group/*", items_one_group, 0, 0),
    ITEM("/jump-client", ITEM_JUMP_CLIENT),
    ITEM("/jump-item/remote-rdp", ITEM_RDP),
    ITEM("/jump-item/remote-vnc", ITEM_VNC),
    ITEM("/jump-item/shell-jump", ITEM_SHELL),
    ITEM("/jump-item/protocol-tunnel-jump", ITEM_TUNNEL),
    ITEM("/jump-item/web-jump", ITEM_WEB),
    ITEM("/jump-item/mysql-tunnel-jump", ITEM_MYSQL),
    ITEM("/jump-item/psql-tunnel-jump", ITEM_PSQL),
    ITEM("/jump-item/network-tunnel-jump", ITEM_NETWORK),
    LIST("/vault/account", items_list_accounts, 0, PERM_CONFIGURATION_VAULT, "type", "name",
         "include_personal", "account_group_id", "endpoint_id"),
    ONE("/vault/account/*", items_one_account, 0, PERM_CONFIGURATION_VAULT),
#undef ITEM
#undef ONE
#undef LIST
};

static bool path_matches(const char *pattern, const char *path, int *id)
{
    char digits[12];
    int64_t value;

    for (; *pattern; pattern++) {
        size_t n;
        if (*pattern != '*') {
            if (*pattern != *path++)
                return false;
            continue;
        }
        n = strcspn(path, "/");
        if (!text_copy_n(digits, sizeof(digits), path, n) || !text_int(digits, 0, INT32_MAX, &value))
            return false;
        *id = (int)value;
        path += n;
    }
    return *path == '\0';
}

static const struct config_route *route_of(const char *path, int *id)
{
    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++)
        if (path_matches(routes[i].path, path, id))
            return &routes[i];
    return NULL;
}

static bool method_allowed(struct dispatch *d)
{
    static const char allow[] = "Allow: GET, HEAD, OPTIONS\r\n";
    const char *m = d->call->method;

    if (strcmp(m, "GET") == 0 || strcmp(m, "HEAD") == 0)
        return true;
    if (strcmp(m, "OPTIONS") == 0)
        d->answer->status = 204;
    else
        answer_violation(d, VIOLATION_CHANGING_CALL, "Method not allowed.");
    (void)buf_str(&d->answer->headers, allow);
    return false;
}

/* The document asks for `Accept: application/json`; what comes without it is counted and served. */
static void look_at_accept(struct dispatch *d)
{
    if (d->call->accept && strcasestr(d->call->accept, dispatch_json))
        return;
    d->site->violations[VIOLATION_NO_ACCEPT]++;
    d->violation = VIOLATION_NO_ACCEPT;
}

/* A call that exists in the product and is none of a program that reads: a check-out, say. */
static bool changes_something(struct dispatch *d)
{
    const char *m = d->call->method;

    if (strcmp(m, "POST") != 0 && strcmp(m, "PATCH") != 0 && strcmp(m, "PUT") != 0 &&
        strcmp(m, "DELETE") != 0)
        return false;
    answer_violation(d, VIOLATION_CHANGING_CALL, "This call is not for programs that read.");
    return true;
}

static bool is_gone(const struct dispatch *d)
{
    return site_is_gone(d->site, d->below + 1);
}

void calls_config(struct dispatch *d)
{
    int id = 0;
    const struct config_route *r = route_of(d->below, &id);

    if (r ? !method_allowed(d) : changes_something(d))
        return;
    if (!r || is_gone(d)) {
        answer_message(d, 404, "Not found.");
        return;
    }
    if (!d->account->permission[PERM_CONFIGURATION] ||
        (r->permission && !d->account->permission[r->permission])) {
        answer_denied(d, NULL);
        return;
    }
    if (!dispatch_params_known(d, r->filters))
        return;
    look_at_accept(d);
    if (r->list)
        r->list(d, r->kind);
    else
        r->one(d, r->kind, id);
}
