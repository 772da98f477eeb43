/* SPDX-License-Identifier: Apache-2.0 */
/*
 * calls_accounts.c - GET ManagedAccounts: what the signed-in user may request.
 *
 * Candidates come from the narrowest index the query offers (system, address, account name, application),
 * else from the user's whole list; the other conditions filter them. Rows are kept as finished JSON per pair
 * and made again only when the account changed, so that long lists are a matter of copying.
 *
 * Both names given: one object or 404. Otherwise an array, also with limit and offset. Directory accounts
 * answer only to their qualified names (DOMAIN\name or UPN), as the account index knows no others.
 */
#include "passwordsafe-sim/calls.h"

#include "base/text.h"
#include "passwordsafe-sim/access.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct wanted {
    const char *system_name, *account_name, *workgroup, *application, *ip, *type;
    int system_id; /* -1 = any */
    enum model_kind kind;
    bool any_kind, recent;
    size_t limit, offset;
    bool everything;  /* no filter at all */
    bool domain_only; /* accountName=DOMAIN\name without a system */
};

static const char *const kind_names[KIND_NKINDS] = {"system", "domainlinked", "database", "application",
                                                    "cloud"};

/* ---- the row ---- */

static void put_row(struct buf *b, const struct model_pair *pair, bool isa)
{
    const struct model_account *a = pair->account;
    const struct model_system *s = pair->system;
    struct jsonw w = jsonw_start(b);

    jsonw_object(&w, NULL);
    jsonw_int(&w, "PlatformID", s->platform);
    jsonw_int(&w, "SystemId", s->id);
    jsonw_str(&w, "SystemName", s->name);
    jsonw_str(&w, "InstanceName", s->instance);
    jsonw_str(&w, "DomainName", a->domain);
    jsonw_int(&w, "AccountId", a->id);
    jsonw_str(&w, "AccountName", a->name);
    jsonw_str(&w, "UserPrincipalName", a->upn);
    wire_put_id(&w, "ApplicationID", a->application_id);
    jsonw_str(&w, "ApplicationDisplayName", a->application);
    jsonw_int(&w, "DefaultReleaseDuration", a->default_minutes);
    jsonw_int(&w, "MaximumReleaseDuration", a->max_minutes);
    wire_put_date(&w, "LastChangeDate", a->last_change);
    wire_put_date(&w, "NextChangeDate", a->next_change);
    jsonw_int(&w, "ChangeState", a->change_state);
    jsonw_bool(&w, "IsChanging", a->change_state == 1);
    jsonw_bool(&w, "IsISAAccess", isa);
    jsonw_str(&w, "PreferredNodeID", a->node);
    jsonw_str(&w, "AccountDescription", a->description);
    jsonw_end(&w);
}

static void refresh_row(struct model_pair *pair)
{
    struct buf b = BUF_INIT(16384);

    if (pair->row && pair->row_version == pair->account->row_version)
        return;
    put_row(&b, pair, false);
    free(pair->row);
    pair->row = NULL;
    if (!b.failed)
        pair->row = malloc(b.len);
    if (pair->row) {
        memcpy(pair->row, b.data, b.len);
        pair->row_len = b.len;
        pair->row_version = pair->account->row_version;
    }
    buf_free(&b);
}

static void append_row(struct dispatch *d, struct buf *out, struct model_pair *pair)
{
    if (access_roles(d->model, d->user, pair->account) & ROLE_ISA) {
        put_row(out, pair, true);
        return;
    }
    refresh_row(pair);
    if (pair->row)
        (void)buf_append(out, pair->row, pair->row_len);
    else
        out->failed = true;
}

/* ---- the query ---- */

static bool number(const struct dispatch *d, const char *name, size_t *out)
{
    const char *text = params_get(&d->query, name);
    int64_t value;

    if (!text || !*text)
        return true;
    if (!text_int(text, 0, INT_MAX, &value))
        return false;
    *out = (size_t)value;
    return true;
}

static const char *filled(const struct dispatch *d, const char *name)
{
    const char *value = params_get(&d->query, name);

    return value && *value ? value : NULL;
}

static const char *read_type(struct wanted *w)
{
    w->any_kind = !w->type;
    if (!w->type)
        return NULL;
    w->recent = text_equal_nocase(w->type, "recent");
    if (w->recent) {
        w->any_kind = true;
        return NULL;
    }
    for (int i = 0; i < KIND_NKINDS; i++) {
        if (text_equal_nocase(w->type, kind_names[i])) {
            w->kind = (enum model_kind)i;
            return NULL;
        }
    }
    return "Invalid value for type";
}

/* No condition but the user: then the roles of a row of the user's own list need no second check. */
static bool unfiltered(const struct wanted *w)
{
    return w->any_kind && !w->recent && w->system_id < 0 && !w->system_name && !w->account_name && !w->ip &&
           !w->workgroup && !w->application;
}

/* NULL, or why the query is refused. */
static const char *read_query(const struct dispatch *d, struct wanted *w)
{
    size_t system_id = SIZE_MAX;
    const char *why;

    *w = (struct wanted){.system_name = filled(d, "systemName"),
                         .account_name = filled(d, "accountName"),
                         .workgroup = filled(d, "workgroupName"),
                         .application = filled(d, "applicationDisplayName"),
                         .ip = filled(d, "ipAddress"),
                         .type = filled(d, "type"),
                         .limit = 1000};
    if (!number(d, "limit", &w->limit) || !number(d, "offset", &w->offset) ||
        !number(d, "systemID", &system_id))
        return "Invalid value for limit, offset or systemID";
    w->system_id = system_id == SIZE_MAX ? -1 : (int)system_id;
    why = read_type(w);
    if (why)
        return why;
    if (w->application && (w->any_kind || w->kind != KIND_APPLICATION))
        return "applicationDisplayName requires type=application";
    if (w->ip && (w->any_kind || w->kind == KIND_APPLICATION || w->kind == KIND_CLOUD))
        return "ipAddress requires type system, domainlinked or database";
    w->everything = unfiltered(w);
    w->domain_only = w->account_name && !w->system_name && w->system_id < 0 && strchr(w->account_name, '\\');
    return NULL;
}

static bool account_names_match(const struct model_account *a, const char *name)
{
    size_t domain = a->domain ? strlen(a->domain) : 0;

    if (!domain)
        return text_equal_nocase(name, a->name);
    if (a->upn && text_equal_nocase(name, a->upn))
        return true;
    return strlen(name) > domain && name[domain] == '\\' &&
           text_equal_nocase_n(name, domain, a->domain, domain) &&
           text_equal_nocase(name + domain + 1, a->name);
}

static bool pair_matches(struct dispatch *d, const struct wanted *w, const struct model_pair *pair)
{
    const struct model_system *s = pair->system;
    const struct model_account *a = pair->account;

    if (w->everything)
        return access_flags_ok(d->user, pair);
    if (!access_listed(d->model, d->user, pair) || (!w->any_kind && pair->kind != w->kind))
        return false;
    if ((w->system_id >= 0 && s->id != w->system_id) ||
        (w->system_name && !text_equal_nocase(s->name, w->system_name)))
        return false;
    if ((w->ip && (!s->ip || strcmp(s->ip, w->ip) != 0)) ||
        (w->workgroup && !text_equal_nocase(s->workgroup, w->workgroup)))
        return false;
    if (w->application && (!a->application || !text_equal_nocase(a->application, w->application)))
        return false;
    return !w->account_name || account_names_match(a, w->account_name);
}

/* ---- collecting ---- */

struct page {
    struct dispatch *d;
    const struct wanted *wanted;
    struct buf *out;
    size_t skipped, taken;
};

/* false = enough. */
static bool page_take(struct page *p, struct model_pair *pair)
{
    if (!pair_matches(p->d, p->wanted, pair))
        return true;
    if (p->skipped < p->wanted->offset) {
        p->skipped++;
        return true;
    }
    if (p->taken >= p->wanted->limit)
        return false;
    if (p->taken)
        (void)buf_char(p->out, ',');
    append_row(p->d, p->out, pair);
    p->taken++;
    return true;
}

static void take_pairs(struct page *p, const struct vec *pairs)
{
    for (size_t i = 0; pairs && i < pairs->n; i++)
        if (!page_take(p, pairs->item[i]))
            return;
}

static void take_systems(struct page *p, const struct vec *systems)
{
    for (size_t i = 0; systems && i < systems->n; i++)
        take_pairs(p, &((struct model_system *)systems->item[i])->pairs);
}

static void take_accounts(struct page *p, const struct vec *accounts)
{
    for (size_t i = 0; accounts && i < accounts->n; i++)
        take_pairs(p, &((struct model_account *)accounts->item[i])->pairs);
}

static void take_recent(struct page *p)
{
    const struct model_user *u = p->d->user;

    for (size_t i = 0; i < u->nrecent; i++)
        if (!page_take(p, u->recent[i]))
            return;
}

static void collect(struct page *p)
{
    const struct wanted *w = p->wanted;
    struct model *m = p->d->model;
    const struct model_system *s;

    if (w->recent) {
        take_recent(p);
    } else if (w->system_id >= 0) {
        s = model_system(m, w->system_id);
        take_pairs(p, s ? &s->pairs : NULL);
    } else if (w->system_name) {
        take_systems(p, names_find(&m->system_names, w->system_name));
    } else if (w->ip) {
        take_systems(p, names_find(&m->system_ips, w->ip));
    } else if (w->account_name) {
        take_accounts(p, names_find(&m->account_names, w->account_name));
    } else if (w->application) {
        take_accounts(p, names_find(&m->applications, w->application));
    } else {
        take_pairs(p, access_rows(m, p->d->user));
    }
}

static bool has_any_row(struct dispatch *d)
{
    const struct vec *rows = access_rows(d->model, d->user);

    for (size_t i = 0; rows && i < rows->n; i++)
        if (access_flags_ok(d->user, rows->item[i]))
            return true;
    return false;
}

/* One object: both names given, or a domain name alone under setting 6. */
static void answer_single(struct dispatch *d, struct wanted *w)
{
    struct page p = {.d = d, .wanted = w, .out = &d->answer->body};

    (void)answer_json(d, 200);
    w->limit = 1;
    w->offset = 0;
    collect(&p);
    if (!p.taken)
        answer_text(d, 404, "Managed Account not found");
}

static void answer_list(struct dispatch *d, const struct wanted *w)
{
    struct page p = {.d = d, .wanted = w, .out = &d->answer->body};

    if (d->model->settings.settings.value[SETTING_NONE_LISTED] && !has_any_row(d)) {
        answer_code(d, 4031);
        return;
    }
    (void)answer_json(d, 200);
    (void)buf_char(p.out, '[');
    collect(&p);
    (void)buf_char(p.out, ']');
}

void calls_accounts(struct dispatch *d)
{
    struct wanted w;
    const char *why = read_query(d, &w);
    bool single = w.system_name && w.account_name;

    if (why)
        answer_text(d, 400, why);
    else if (single || (w.domain_only && d->model->settings.settings.value[SETTING_DOMAIN_NAME]))
        answer_single(d, &w);
    else
        answer_list(d, &w);
}
