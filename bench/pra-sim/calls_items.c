/* SPDX-License-Identifier: Apache-2.0 */
/*
 * calls_items.c - the inventory in the Configuration API: Jump items of each kind, Jump Clients, jump groups,
 * vault accounts; see config_pages.h. What is in it belongs to the made-up sessions; without them it is
 * empty.
 */
#include "pra-sim/config_pages.h"
#include "pra-sim/month_items.h"

#include "base/text.h"

#include <stdio.h>
#include <string.h>

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))
#define PATH        80

enum purpose { FOR_ACCOUNT = 300, FOR_CHECKOUT };

static bool gone(const struct dispatch *d, const char *kind, int64_t id)
{
    char path[PATH];

    (void)snprintf(path, sizeof(path), "%.50s/%lld", kind, (long long)id);
    return site_is_gone(d->site, path);
}

/* The kind's path: /jump-item/remote-rdp of /api/config/v1/jump-item/remote-rdp/7, without its slash. */
static const char *kind_of(enum item_type type, char out[PATH])
{
    (void)snprintf(out, PATH, type == ITEM_JUMP_CLIENT ? "%s" : "jump-item/%s", item_types[type]);
    return out;
}

/* ---- Jump items ---- */

static const char *tag_of(const struct month_item *i)
{
    static const char *const tags[] = {"", "production", "test", "PCI & SOX"};

    return tags[i->number % COUNT(tags)];
}

static int64_t jumpoint_id(const struct dispatch *d, const struct month_item *i)
{
    const struct jumpoint *j;
    char name[MONTH_TEXT];

    if (i->jumpoint < 0)
        return 0;
    month_jumpoint((uint64_t)i->jumpoint, name);
    j = site_jumpoint(d->site, name);
    return j ? j->id : 0;
}

static bool has_hostname(enum item_type type)
{
    return type != ITEM_WEB && type != ITEM_NETWORK;
}

static void put_own(struct jsonw *w, const struct month_item *i)
{
    switch (i->type) {
    case ITEM_SHELL:
        jsonw_str(w, "protocol", "ssh");
        jsonw_int(w, "port", 22);
        jsonw_str(w, "terminal", "xterm");
        jsonw_int(w, "keep_alive", 0);
        jsonw_str(w, "username", "");
        break;
    case ITEM_RDP:
        jsonw_str(w, "rdp_username", "");
        jsonw_str(w, "domain", "ACME");
        jsonw_str(w, "quality", "performance");
        jsonw_bool(w, "console", false);
        jsonw_bool(w, "ignore_untrusted", false);
        jsonw_bool(w, "session_forensics", true);
        jsonw_str(w, "secure_app_type", "none");
        break;
    case ITEM_WEB:
        jsonw_str(w, "url", "https://app.acme.test/");
        jsonw_str(w, "username_format", "default");
        jsonw_bool(w, "verify_certificate", true);
        break;
    case ITEM_TUNNEL:
        jsonw_str(w, "tunnel_type", "tcp");
        jsonw_str(w, "tunnel_listen_address", "127.0.0.1");
        jsonw_str(w, "tunnel_definitions", "22;24");
        break;
    default: break;
    }
}

static void put_item(const struct dispatch *d, struct jsonw *w, const struct month_item *i)
{
    jsonw_object(w, NULL);
    jsonw_int(w, "id", i->id);
    jsonw_str(w, "name", i->name);
    if (i->type != ITEM_JUMP_CLIENT)
        jsonw_int(w, "jumpoint_id", jumpoint_id(d, i));
    if (has_hostname(i->type))
        jsonw_str(w, "hostname", i->hostname);
    jsonw_int(w, "jump_group_id", i->group_id);
    jsonw_str(w, "jump_group_type", i->personal ? "personal" : "shared");
    jsonw_str(w, "tag", tag_of(i));
    jsonw_str(w, "comments", "");
    jsonw_null(w, "jump_policy_id");
    jsonw_null(w, "session_policy_id");
    put_own(w, i);
    jsonw_end(w);
}

static bool item_matches(const struct dispatch *d, const struct month_item *i)
{
    return config_filter(d, "name", i->name) && config_filter(d, "hostname", i->hostname) &&
           config_filter_int(d, "jump_group_id", i->group_id) &&
           config_filter(d, "jump_group_type", i->personal ? "personal" : "shared") &&
           config_filter_int(d, "jumpoint_id", jumpoint_id(d, i)) && config_filter(d, "tag", tag_of(i));
}

void items_list(struct dispatch *d, int type)
{
    const struct month *m = d->site->month;
    struct month_item item;
    char kind[PATH];
    struct page p;
    struct jsonw w;

    if (!config_begin_list(d, &p, &w))
        return;
    (void)kind_of((enum item_type)type, kind);
    for (uint64_t i = 0; m && i < month_nitems(m); i++) {
        if (month_item_type(m, i) != (enum item_type)type)
            continue;
        month_item(m, i, &item);
        if (!gone(d, kind, item.id) && item_matches(d, &item) && config_on_page(&p))
            put_item(d, &w, &item);
    }
    config_end_list(d, &p, &w);
}

void items_one(struct dispatch *d, int type, int id)
{
    const struct month *m = d->site->month;
    uint64_t number = (uint64_t)((int64_t)id - 1 - type);
    struct month_item item;
    struct jsonw w;

    if (!m || number >= month_nitems(m) || month_item_type(m, number) != (enum item_type)type) {
        answer_message(d, 404, "Not found.");
        return;
    }
    month_item(m, number, &item);
    w = answer_json(d, 200);
    put_item(d, &w, &item);
}

/* ---- jump groups ---- */

static void put_group(struct jsonw *w, uint64_t number, const char *name, const char *code)
{
    jsonw_object(w, NULL);
    jsonw_int(w, "id", (int64_t)number + 1);
    jsonw_str(w, "name", name);
    jsonw_str(w, "code_name", code);
    jsonw_str(w, "comments", "");
    jsonw_int(w, "ecm_group_id", 1);
    jsonw_end(w);
}

static uint64_t ngroups(const struct dispatch *d)
{
    return d->site->month ? d->site->month->opts.groups : 1;
}

static void name_group(uint64_t number, char name[MONTH_TEXT], char code[MONTH_TEXT])
{
    month_group(number, name);
    (void)snprintf(code, MONTH_TEXT, "group_%llu", (unsigned long long)number + 1);
}

void items_list_groups(struct dispatch *d, int unused)
{
    char name[MONTH_TEXT], code[MONTH_TEXT];
    struct page p;
    struct jsonw w;

    (void)unused;
    if (!config_begin_list(d, &p, &w))
        return;
    for (uint64_t i = 0; i < ngroups(d); i++) {
        name_group(i, name, code);
        if (!gone(d, "jump-group", (int64_t)i + 1) && config_filter(d, "name", name) &&
            config_filter(d, "code_name", code) && config_filter(d, "ecm_group_id", "1") &&
            config_on_page(&p))
            put_group(&w, i, name, code);
    }
    config_end_list(d, &p, &w);
}

void items_one_group(struct dispatch *d, int unused, int id)
{
    char name[MONTH_TEXT], code[MONTH_TEXT];
    struct jsonw w;

    (void)unused;
    if (id < 1 || (uint64_t)id > ngroups(d)) {
        answer_message(d, 404, "Not found.");
        return;
    }
    name_group((uint64_t)id - 1, name, code);
    w = answer_json(d, 200);
    put_group(&w, (uint64_t)id - 1, name, code);
}

/* ---- vault accounts ---- */

struct vault_account {
    int64_t id, owner_user_id, group_id, endpoint_id, checkout_ms;
    const char *type, *policy;
    char name[MONTH_TEXT], username[MONTH_TEXT], dn[MONTH_TEXT];
    bool personal;
};

static void read_account(const struct dispatch *d, uint64_t number, struct vault_account *a)
{
    static const char *const types[] = {"username_password", "windows_local",  "windows_domain", "ssh",
                                        "password_safe",     "windows_domain", "opaque_token",   "ssh_ca"};
    static const char *const policies[] = {NULL, "default", "rotate_daily"};
    const struct month *m = d->site->month;
    uint64_t key = month_chance(m->opts.seed + number, FOR_ACCOUNT);
    uint64_t chance = month_chance(m->opts.seed + number, FOR_CHECKOUT);
    uint64_t span_s = (uint64_t)(m->opts.until_s - m->begin_s);

    *a = (struct vault_account){.id = (int64_t)number + 1,
                                .type = types[key % COUNT(types)],
                                .policy = policies[(key >> 8) % COUNT(policies)],
                                .group_id = 1 + (int64_t)((key >> 16) % 4),
                                .endpoint_id = 1 + (int64_t)((key >> 24) % m->opts.endpoints),
                                .personal = (key >> 40) % 10 == 0};
    if (a->personal)
        a->owner_user_id = (int64_t)((key >> 44) % m->opts.users) + 2;
    (void)snprintf(a->name, sizeof(a->name), number % 41 ? "svc-%05llu" : "svc \"q\" & co %llu",
                   (unsigned long long)number);
    (void)snprintf(a->username, sizeof(a->username), "svc-%05llu", (unsigned long long)number);
    (void)snprintf(a->dn, sizeof(a->dn), "CN=svc-%05llu,OU=Service,DC=acme,DC=test",
                   (unsigned long long)number);
    if (chance % 10 < 6)
        a->checkout_ms = (m->begin_s + (int64_t)((chance >> 8) % span_s)) * 1000;
}

static void put_vault_account(struct dispatch *d, struct jsonw *w, const struct vault_account *a)
{
    jsonw_object(w, NULL);
    jsonw_int(w, "id", a->id);
    jsonw_str(w, "type", a->type);
    jsonw_str(w, "name", a->name);
    if (strcmp(a->type, "opaque_token") != 0)
        jsonw_str(w, "username", a->username);
    jsonw_str(w, "description", a->id % 3 ? "" : "Ab & zu <benutzt>");
    if (strcmp(a->type, "password_safe") != 0) {
        jsonw_bool(w, "personal", a->personal);
        jsonw_int_or_null(w, "owner_user_id", a->owner_user_id, !a->personal);
    }
    jsonw_int(w, "account_group_id", a->group_id);
    jsonw_str(w, "account_policy", a->policy);
    if (strcmp(a->type, "windows_local") == 0)
        jsonw_int(w, "endpoint_id", a->endpoint_id);
    if (strcmp(a->type, "windows_domain") == 0)
        jsonw_str(w, "distinguished_name", a->dn);
    if (strncmp(a->type, "ssh", 3) == 0)
        jsonw_str(w, "public_key", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGFiY2RlZg== svc");
    config_put_time(d, w, "last_checkout_timestamp", a->checkout_ms);
    jsonw_end(w);
}

static bool account_matches(const struct dispatch *d, const struct vault_account *a)
{
    const char *personal = dispatch_param(d, "include_personal");

    if (a->personal && (!personal || (strcmp(personal, "true") != 0 && strcmp(personal, "1") != 0)))
        return false;
    if (dispatch_param(d, "endpoint_id") && strcmp(a->type, "windows_local") != 0)
        return false;
    return config_filter(d, "type", a->type) && config_filter(d, "name", a->name) &&
           config_filter_int(d, "account_group_id", a->group_id) &&
           config_filter_int(d, "endpoint_id", a->endpoint_id);
}

static uint64_t naccounts(const struct dispatch *d)
{
    return d->site->month ? d->site->month->opts.vault_accounts : 0;
}

void items_list_accounts(struct dispatch *d, int unused)
{
    struct vault_account a;
    struct page p;
    struct jsonw w;

    (void)unused;
    if (!config_begin_list(d, &p, &w))
        return;
    for (uint64_t i = 0; i < naccounts(d); i++) {
        read_account(d, i, &a);
        if (!gone(d, "vault/account", a.id) && account_matches(d, &a) && config_on_page(&p))
            put_vault_account(d, &w, &a);
    }
    config_end_list(d, &p, &w);
}

void items_one_account(struct dispatch *d, int unused, int id)
{
    struct vault_account a;
    struct jsonw w;

    (void)unused;
    if (id < 1 || (uint64_t)id > naccounts(d)) {
        answer_message(d, 404, "Not found.");
        return;
    }
    read_account(d, (uint64_t)id - 1, &a);
    w = answer_json(d, 200);
    put_vault_account(d, &w, &a);
}
