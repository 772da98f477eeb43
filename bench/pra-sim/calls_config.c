/* SPDX-License-Identifier: Apache-2.0 */
/*
 * calls_config.c - the Configuration API: jumpoint and api-account, read only.
 *
 * Its habits: 401 with `message` for a query parameter it does not know, 405 with Allow, OPTIONS, HEAD
 * wherever GET is, lists in pages with their position in headers, filters that are exact and know no letter
 * case.
 */
#include "pra-sim/dispatch.h"

#include "base/jsonw.h"
#include "base/text.h"

#include <stdio.h>
#include <string.h>

struct page {
    int64_t per_page, current, last, total;
};

/* ---- pages ---- */

static bool page_number(struct dispatch *d, const char *name, int64_t min, int64_t max, int64_t *out)
{
    const char *text = dispatch_param(d, name);

    if (!text || text_int(text, min, max, out))
        return true;
    answer_violation(d, VIOLATION_BAD_PARAMETER, "The given data was invalid.");
    return false;
}

static bool read_page(struct dispatch *d, struct page *p)
{
    *p = (struct page){.per_page = 100, .current = 1};
    return page_number(d, "per_page", 5, 100, &p->per_page) &&
           page_number(d, "current_page", 1, INT32_MAX, &p->current);
}

static void put_link(struct dispatch *d, const struct page *p, const char *rel, int64_t page, bool *first)
{
    (void)buf_printf(&d->answer->headers, "%s<https://%s%s?per_page=%lld&current_page=%lld>; rel=\"%s\"",
                     *first ? "Link: " : ", ", d->call->host ? d->call->host : d->site->hostname,
                     d->call->path, (long long)p->per_page, (long long)page, rel);
    *first = false;
}

static void put_page(struct dispatch *d, struct page *p, size_t total)
{
    bool first = true;

    p->total = (int64_t)total;
    p->last = p->total ? (p->total + p->per_page - 1) / p->per_page : 1;
    put_link(d, p, "first", 1, &first);
    if (p->current > 1)
        put_link(d, p, "previous", p->current - 1, &first);
    if (p->current < p->last)
        put_link(d, p, "next", p->current + 1, &first);
    put_link(d, p, "last", p->last, &first);
    (void)buf_printf(&d->answer->headers,
                     "\r\nX-BT-Pagination-Current-Page: %lld\r\nX-BT-Pagination-Last-Page: %lld\r\n"
                     "X-BT-Pagination-Per-Page: %lld\r\nX-BT-Pagination-Total: %lld\r\n",
                     (long long)p->current, (long long)p->last, (long long)p->per_page, (long long)p->total);
}

static bool on_page(const struct page *p, size_t index)
{
    return (int64_t)index / p->per_page == p->current - 1;
}

static bool filter(const struct dispatch *d, const char *name, const char *value)
{
    const char *wanted = dispatch_param(d, name);

    return !wanted || text_equal_nocase(wanted, value);
}

static void put_time(struct dispatch *d, struct jsonw *w, const char *name, int64_t wall_ms)
{
    char iso[TIME_ISO];

    if (!wall_ms) {
        jsonw_null(w, name);
    } else if (d->site->knob[KNOB_CONFIG_TIME]) {
        jsonw_int(w, name, wall_ms / 1000);
    } else {
        time_iso(wall_ms, iso);
        jsonw_str(w, name, iso);
    }
}

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
    return filter(d, "name", j->name) && filter(d, "code_name", j->code_name) &&
           filter(d, "public_ip", j->public_ip) && filter(d, "private_ip", j->private_ip) &&
           filter(d, "hostname", j->hostname);
}

static void list_jumpoints(struct dispatch *d)
{
    const struct vec *all = &d->site->jumpoints;
    struct page p;
    struct jsonw w;
    size_t n = 0;

    if (!read_page(d, &p))
        return;
    w = answer_json(d, 200);
    jsonw_array(&w, NULL);
    for (size_t i = 0; i < all->n; i++)
        if (jumpoint_matches(d, all->item[i]) && on_page(&p, n++))
            put_jumpoint(&w, all->item[i]);
    jsonw_end(&w);
    put_page(d, &p, n);
}

static const struct jumpoint *jumpoint_of(struct dispatch *d, int id)
{
    const struct jumpoint *j = site_jumpoint_by_id(d->site, id);

    if (!j)
        answer_message(d, 404, "Not found.");
    return j;
}

static void one_jumpoint(struct dispatch *d, int id)
{
    const struct jumpoint *j = jumpoint_of(d, id);
    struct jsonw w;

    if (!j)
        return;
    w = answer_json(d, 200);
    put_jumpoint(&w, j);
}

static void jumpoint_nodes(struct dispatch *d, int id)
{
    const struct jumpoint *j = jumpoint_of(d, id);
    struct jsonw w;

    if (!j)
        return;
    w = answer_json(d, 200);
    jsonw_array(&w, NULL);
    jsonw_object(&w, NULL);
    jsonw_int(&w, "id", j->id);
    put_time(d, &w, "last_connect_timestamp", j->connect_ms);
    put_time(d, &w, "last_disconnect_timestamp", j->disconnect_ms);
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
    put_time(d, w, "failed_login_expiration", locked_ms);
    jsonw_int(w, "ecm_group_id", a->ecm_group_id);
    for (enum permission p = 0; p < PERM_COUNT; p++) {
        if (p == PERM_COMMAND)
            jsonw_str(w, permission_names[p], account_permission(a, p));
        else
            jsonw_bool(w, permission_names[p], a->permission[p] != 0);
    }
    jsonw_end(w);
}

static void list_accounts(struct dispatch *d)
{
    const struct vec *all = &d->site->accounts.all;
    struct page p;
    struct jsonw w;

    if (!read_page(d, &p))
        return;
    w = answer_json(d, 200);
    jsonw_array(&w, NULL);
    for (size_t i = 0; i < all->n; i++)
        if (on_page(&p, i))
            put_account(d, &w, all->item[i]);
    jsonw_end(&w);
    put_page(d, &p, all->n);
}

static void one_account(struct dispatch *d, int id)
{
    struct account *a = accounts_by_id(&d->site->accounts, id);
    struct jsonw w;

    if (!a) {
        answer_message(d, 404, "Not found.");
        return;
    }
    w = answer_json(d, 200);
    put_account(d, &w, a);
}

/* ---- routes ---- */

#define FILTERS 8

static const struct config_route {
    const char *path; /* `*` stands for a number */
    void (*list)(struct dispatch *);
    void (*one)(struct dispatch *, int id);
    const char *filters[FILTERS]; /* NULL-ended */
} routes[] = {
    {"/jumpoint",
     list_jumpoints,
     NULL,
     {"per_page", "current_page", "name", "code_name", "public_ip", "private_ip", "hostname"}},
    {"/jumpoint/*", NULL, one_jumpoint, {NULL}},
    {"/jumpoint/*/node", NULL, jumpoint_nodes, {NULL}},
    {"/api-account", list_accounts, NULL, {"per_page", "current_page"}},
    {"/api-account/*", NULL, one_account, {NULL}},
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
        answer_message(d, 405, "Method not allowed.");
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

void calls_config(struct dispatch *d)
{
    int id = 0;
    const struct config_route *r = route_of(d->below, &id);

    if (!r) {
        answer_message(d, 404, "Not found.");
        return;
    }
    if (!method_allowed(d))
        return;
    if (!d->account->permission[PERM_CONFIGURATION]) {
        answer_denied(d, NULL);
        return;
    }
    if (!dispatch_params_known(d, r->filters))
        return;
    look_at_accept(d);
    if (r->list)
        r->list(d);
    else
        r->one(d, id);
}
