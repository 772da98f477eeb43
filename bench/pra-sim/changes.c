/* SPDX-License-Identifier: Apache-2.0 */
/*
 * changes.c - changes of the site itself: settings, accounts, Jumpoints, role, recipients; see changes.h.
 */
#include "pra-sim/changes.h"

#include "base/json.h"
#include "sim/fields.h"
#include "sim/strings.h"

#include <errno.h>
#include <string.h>

struct text_member {
    const char *name;
    char **place;
};

/* Each text that is given replaces the one that was there. */
static int read_texts(struct fields *f, const struct text_member *members, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const char *value = NULL;
        fields_text(f, members[i].name, &value);
        if (value && strings_replace(members[i].place, value))
            return -ENOMEM;
    }
    return f->rc;
}

/* ---- settings ---- */

static int read_knobs(struct site *s, const cJSON *knobs, struct buf *why)
{
    const cJSON *k;

    cJSON_ArrayForEach(k, knobs)
    {
        if (k->string && cJSON_IsString(k) && knob_set(&pra_knobs, s->knob, k->string, k->valuestring) == 0)
            continue;
        (void)buf_printf(why, "knobs: %s has no such value", k->string ? k->string : "?");
        return -EINVAL;
    }
    return 0;
}

static int read_limits(struct fields *f, struct account_limits *l)
{
    fields_u64(f, "token_seconds", &l->token_s);
    fields_u64(f, "tokens", &l->tokens);
    fields_u64(f, "lockout_failures", &l->lockout_failures);
    fields_u64(f, "lockout_ms", &l->lockout_ms);
    fields_u64(f, "rate_second", &l->rate_second);
    fields_u64(f, "rate_hour", &l->rate_hour);
    return f->rc;
}

int change_settings(struct server *s, const cJSON *e, struct buf *why)
{
    struct site *site = s->site;
    struct fields f = {.entry = e, .why = why};
    const struct text_member texts[] = {{"hostname", &site->hostname},
                                        {"version", &site->version},
                                        {"api_version", &site->api_version},
                                        {"error_message", &site->error_message}};
    int rc = cJSON_IsObject(e) ? read_knobs(site, json_get(e, "knobs"), why) : -EINVAL;

    if (!rc)
        rc = read_texts(&f, texts, sizeof(texts) / sizeof(texts[0]));
    if (rc)
        return rc;
    fields_bool(&f, "healthy", &site->healthy);
    fields_bool(&f, "xml_api", &site->xml_api);
    fields_u64(&f, "latency_ms", &s->latency_ms);
    fields_u64(&f, "jitter_ms", &s->jitter_ms);
    fields_u64(&f, "event_version", &site->event_version);
    fields_u64(&f, "report_lag_ms", &site->report_lag_ms);
    fields_u64(&f, "late_permille", &site->late_permille);
    fields_u64(&f, "late_ms", &site->late_ms);
    fields_u64(&f, "syslog_segment", &site->syslog_segment);
    return read_limits(&f, &site->accounts.limits);
}

/* ---- accounts ---- */

static int read_permissions(struct account *a, const cJSON *list, struct buf *why)
{
    const cJSON *p;

    cJSON_ArrayForEach(p, list)
    {
        if (p->string && cJSON_IsString(p) && account_permit(a, p->string, p->valuestring) == 0)
            continue;
        (void)buf_printf(why, "permissions: %s has no such value", p->string ? p->string : "?");
        return -EINVAL;
    }
    return 0;
}

/* The account of the entry: named, or the first; a new client_id with a secret makes one. */
static struct account *account_of(struct server *s, struct fields *f)
{
    struct accounts *all = &s->site->accounts;
    const char *id = NULL, *secret = NULL;
    struct account *a;

    fields_text(f, "client_id", &id);
    fields_text(f, "client_secret", &secret);
    a = id ? accounts_find(all, id) : all->all.n ? all->all.item[0] : NULL;
    if (!a && id && secret)
        return accounts_add(all, id, secret);
    if (!a)
        (void)fields_missing(f, "client_id");
    else if (secret && account_set_secret(a, secret))
        f->rc = -ENOMEM;
    return a;
}

/* Tokens that some other program asks for, with this account. */
static int issue(struct server *s, struct account *a, int count)
{
    for (int i = 0; i < count; i++)
        if (!account_issue(&s->site->accounts, a))
            return -ENOMEM;
    return 0;
}

static void unlock(struct account *a)
{
    a->locked_until_ms = 0;
    a->failures = 0;
}

int change_account(struct server *s, const cJSON *e, struct buf *why)
{
    struct fields f = {.entry = e, .why = why};
    struct account *a = account_of(s, &f);
    bool drop = false, open = false;
    uint64_t used = UINT64_MAX;
    int count = 0, rc = f.rc;

    if (!a || rc)
        return rc ? rc : -ENOMEM;
    fields_bool(&f, "enabled", &a->enabled);
    fields_bool(&f, "drop_tokens", &drop);
    fields_bool(&f, "unlock", &open);
    fields_int(&f, "issue_tokens", &count);
    fields_int(&f, "ecm_group_id", &a->ecm_group_id);
    fields_u64(&f, "rate_used", &used);
    rc = read_permissions(a, json_get(e, "permissions"), why);
    if (!rc)
        rc =
            read_texts(&f, (struct text_member[]){{"name", &a->name}, {"ip_addresses", &a->ip_addresses}}, 2);
    if (drop)
        account_drop_tokens(a);
    if (open)
        unlock(a);
    if (used != UINT64_MAX) {
        a->hour_begin_ms = clock_now(s->site->clock);
        a->hour_calls = used;
    }
    return rc ? rc : issue(s, a, count);
}

/* ---- Jumpoints ---- */

int change_jumpoint(struct server *s, const cJSON *e, struct buf *why)
{
    struct fields f = {.entry = e, .why = why};
    const char *name = NULL;
    struct jumpoint *j;
    bool connected;

    fields_text(&f, "name", &name);
    if (!name || f.rc)
        return fields_missing(&f, "name");
    j = site_jumpoint(s->site, name);
    if (!j)
        j = site_add_jumpoint(s->site, name);
    if (!j)
        return -ENOMEM;
    connected = j->connected;
    fields_bool(&f, "connected", &connected);
    fields_bool(&f, "enabled", &j->enabled);
    fields_bool(&f, "clustered", &j->clustered);
    site_connect_jumpoint(s->site, j, connected);
    return read_texts(&f,
                      (struct text_member[]){{"code_name", &j->code_name},
                                             {"comments", &j->comments},
                                             {"hostname", &j->hostname},
                                             {"public_ip", &j->public_ip},
                                             {"private_ip", &j->private_ip},
                                             {"external_jump_item_network_id", &j->network_id}},
                      6);
}

/* ---- failover ---- */

static int role_of(struct fields *f, enum failover_role *role)
{
    const char *name = NULL;

    fields_text(f, "role", &name);
    if (!name)
        return f->rc;
    for (enum failover_role r = 0; r < ROLE_COUNT; r++) {
        if (strcmp(failover_roles[r], name) != 0)
            continue;
        *role = r;
        return 0;
    }
    return fields_missing(f, "role");
}

int change_failover(struct server *s, const cJSON *e, struct buf *why)
{
    struct site *site = s->site;
    struct fields f = {.entry = e, .why = why};
    enum failover_role role = site->role;
    uint64_t age_s = 0;
    int rc = cJSON_IsObject(e) ? role_of(&f, &role) : -EINVAL;

    if (!rc)
        rc = read_texts(&f,
                        (struct text_member[]){{"appliance_id", &site->appliance_id},
                                               {"hostname", &site->hostname},
                                               {"shared_ips", &site->shared_ips},
                                               {"sync_status", &site->sync_status}},
                        4);
    if (rc)
        return rc;
    fields_u64(&f, "sync_age_seconds", &age_s);
    site->sync_ms = site_now(site) - (int64_t)age_s * 1000;
    site_set_role(site, role);
    return f.rc;
}

/* ---- outbound events ---- */

static int read_kinds(const cJSON *list, unsigned *kinds)
{
    static const char *const names[] = {"begin", "end", "other"};
    const cJSON *k;

    if (!list)
        return 0;
    *kinds = 0;
    cJSON_ArrayForEach(k, list)
    {
        for (unsigned i = 0; cJSON_IsString(k) && i < 3; i++)
            if (strcmp(names[i], k->valuestring) == 0)
                *kinds |= 1u << i;
    }
    return 0;
}

int change_recipient(struct server *s, struct sender *sender, const cJSON *e, struct buf *why)
{
    struct fields f = {.entry = e, .why = why};
    const char *name = NULL, *url = NULL;
    struct recipient *r;
    int copies = 1, rc;

    fields_text(&f, "name", &name);
    fields_text(&f, "url", &url);
    r = name ? outbound_find(&s->site->outbound, name) : NULL;
    if (!name || f.rc || (!r && !url))
        return fields_missing(&f, name ? "url" : "name");
    if (!r)
        r = outbound_add(&s->site->outbound, name, url);
    if (!r)
        return -ENOMEM;
    fields_bool(&f, "enabled", &r->enabled);
    fields_int(&f, "copies", &copies);
    fields_u64(&f, "retry_interval_ms", &r->retry_interval_ms);
    fields_u64(&f, "retry_duration_ms", &r->retry_duration_ms);
    r->copies = copies > 0 ? (unsigned)copies : 1;
    rc = read_kinds(json_get(e, "events"), &r->kinds);
    if (!rc)
        rc = read_texts(&f, (struct text_member[]){{"url", &r->url}, {"ca_file", &r->ca_file}}, 2);
    if (rc)
        return rc;
    sender_renew(sender, r);
    outbound_kick(r);
    return 0;
}

/* `raw` is a body as it is, with a content type of its own; else an event by its parts. */
int change_event(struct server *s, const cJSON *e, struct buf *why)
{
    struct fields f = {.entry = e, .why = why};
    const char *to = NULL, *raw = NULL, *event = NULL, *lsid = NULL, *key = NULL, *kind = "other";
    const char *type = "application/x-www-form-urlencoded";
    struct recipient *only;
    enum outbound_kind k;

    fields_text(&f, "recipient", &to);
    fields_text(&f, "raw", &raw);
    fields_text(&f, "event", &event);
    fields_text(&f, "lsid", &lsid);
    fields_text(&f, "external_key", &key);
    fields_text(&f, "kind", &kind);
    fields_text(&f, "content_type", &type);
    only = to ? outbound_find(&s->site->outbound, to) : NULL;
    if (f.rc || (to && !only))
        return fields_missing(&f, "recipient");
    if (raw)
        return outbound_queue(&s->site->outbound, only, OUTBOUND_OTHER, raw, type);
    k = strcmp(kind, "begin") == 0 ? OUTBOUND_BEGIN
        : strcmp(kind, "end") == 0 ? OUTBOUND_END
                                   : OUTBOUND_OTHER;
    if (!event && k == OUTBOUND_OTHER)
        return fields_missing(&f, "event");
    return site_event(s->site, only, k, event ? event : site_event_name(s->site, k), lsid, key);
}
