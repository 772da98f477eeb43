/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scenario_entries.c - entries of users, groups, policies and settings; systems and accounts are in
 * scenario_assets.c.
 */
#include "passwordsafe-sim/scenario_entries.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"
#include "passwordsafe-sim/requests.h"
#include "passwordsafe-sim/schedules.h"
#include "passwordsafe-sim/sessions.h"
#include "sim/fields.h"

#include <errno.h>
#include <string.h>

/* ---- settings ---- */

static int read_settings(struct model *m, const cJSON *settings, struct buf *why)
{
    const cJSON *k;

    cJSON_ArrayForEach(k, settings)
    {
        if (cJSON_IsString(k) && settings_set_one(&m->settings.settings, k->string, k->valuestring) == 0)
            continue;
        (void)buf_printf(why, "knobs: %s has no such value", k->string);
        return -EINVAL;
    }
    return 0;
}

int entry_settings(void *model, const cJSON *e, struct buf *why)
{
    struct model *m = model;
    struct model_settings *s = &m->settings;
    struct fields f = {.entry = e, .why = why};
    const char *key = NULL, *from = NULL;
    int rc;

    fields_u64(&f, "minute_ms", &s->minute_ms);
    fields_u64(&f, "session_idle_ms", &s->session_idle_ms);
    fields_u64(&f, "rotation_delay_ms", &s->rotation_delay_ms);
    fields_u64(&f, "token_minutes", &s->token_minutes);
    fields_bool(&f, "require_user_password", &s->require_password);
    fields_bool(&f, "require_mfa", &s->require_mfa);
    fields_bool(&f, "require_certificate", &s->require_certificate);
    fields_bool(&f, "registration_active", &s->registration_active);
    fields_bool(&f, "verification_cookie", &s->verification_cookie);
    fields_int(&f, "next_request_id", &m->requests->next_id);
    fields_text(&f, "api_key", &key);
    fields_text(&f, "allow_from", &from);
    if (f.rc)
        return f.rc;
    if (key && secret_set(&s->api_key, key, strlen(key)))
        return -ENOMEM;
    if (from && strings_replace(&s->allow_from, *from ? from : NULL))
        return -ENOMEM;
    rc = read_settings(m, json_get(e, "knobs"), why);
    return rc;
}

/* ---- policies ---- */

static int read_offer(const cJSON *e, struct model_schedule *s, struct buf *why)
{
    struct fields f = {.entry = e, .why = why};
    const char *name = "";
    enum model_access access;

    fields_text(&f, "type", &name);
    access = model_access_of(name);
    if (access == ACCESS_NTYPES) {
        (void)buf_str(why, "access type is unknown");
        return -EINVAL;
    }
    s->offer[access].offered = true;
    fields_int(&f, "min_approvers", &s->offer[access].min_approvers);
    fields_int(&f, "max_concurrent", &s->offer[access].max_concurrent);
    fields_bool(&f, "record", &s->offer[access].record);
    return f.rc;
}

static int read_schedule(const cJSON *e, struct model_schedule *s, struct buf *why)
{
    struct fields f = {.entry = e, .why = why};
    const cJSON *offers = json_get(e, "types"), *offer;
    int rc = 0, approvers = 0;

    *s = (struct model_schedule){.open_to = 1440};
    fields_int(&f, "id", &s->id);
    fields_bool(&f, "require_reason", &s->require_reason);
    fields_bool(&f, "require_ticket", &s->require_ticket);
    fields_int(&f, "ticket_system", &s->ticket_system);
    fields_int(&f, "open_from", &s->open_from);
    fields_int(&f, "open_to", &s->open_to);
    fields_int(&f, "min_approvers", &approvers);
    for (int i = 0; i < ACCESS_NTYPES && !offers; i++)
        s->offer[i] = (struct model_offer){.offered = true, .min_approvers = approvers};
    cJSON_ArrayForEach(offer, offers)
    {
        if (!rc)
            rc = read_offer(offer, s, why);
    }
    return rc ? rc : f.rc;
}

static int read_schedules(struct model_policy *p, const cJSON *list, struct buf *why)
{
    const cJSON *e;
    int rc = 0;

    if (!list)
        return 0;
    p->nschedules = 0;
    cJSON_ArrayForEach(e, list)
    {
        if (p->nschedules == MODEL_SCHEDULES)
            return -EINVAL;
        rc = read_schedule(e, &p->schedules[p->nschedules++], why);
        if (rc)
            return rc;
    }
    return 0;
}

int entry_policy(void *model, const cJSON *e, struct buf *why)
{
    struct model *m = model;
    struct fields f = {.entry = e, .why = why};
    const char *name = NULL, *description = NULL;
    int id = 0, rc;
    struct model_policy *p;

    fields_int(&f, "id", &id);
    fields_text(&f, "name", &name);
    fields_text(&f, "description", &description);
    p = id ? model_policy(m, id) : name ? model_policy_named(m, name) : NULL;
    if (!p && name) {
        p = model_add_policy(m, id, name);
        if (p)
            schedule_default(p, 100 + p->id);
    }
    if (!p)
        return fields_missing(&f, "name");
    fields_bool(&f, "rotation_override", &p->rotation_override);
    rc = read_schedules(p, json_get(e, "schedules"), why);
    if (!rc && description)
        rc = strings_replace(&p->description, description);
    return rc ? rc : f.rc;
}

/* ---- groups ---- */

static unsigned permission_named(const char *name)
{
    static const char *const names[] = {"systems", "users", "policies", "quarantine"};

    for (unsigned i = 0; i < 4; i++)
        if (strcmp(name, names[i]) == 0)
            return 1u << i;
    return 0;
}

static unsigned role_named(const char *name)
{
    static const char *const names[] = {"requestor", "approver", "isa"};

    for (unsigned i = 0; i < 3; i++)
        if (strcmp(name, names[i]) == 0)
            return 1u << i;
    return 0;
}

/* The bits of a list of names; false for an unknown name. */
static bool read_bits(const cJSON *list, unsigned (*bit)(const char *), unsigned *out)
{
    const cJSON *e;

    *out = 0;
    cJSON_ArrayForEach(e, list)
    {
        unsigned b = cJSON_IsString(e) ? bit(e->valuestring) : 0;
        if (!b)
            return false;
        *out |= b;
    }
    return true;
}

static int read_grant(struct model *m, struct model_group *g, const cJSON *e, struct buf *why)
{
    struct fields f = {.entry = e, .why = why};
    const char *rule = NULL, *policy = NULL;
    struct model_policy *p = NULL;
    struct model_rule *r;
    unsigned roles;

    fields_text(&f, "rule", &rule);
    fields_text(&f, "policy", &policy);
    if (!rule || !read_bits(json_get(e, "roles"), role_named, &roles))
        return fields_missing(&f, "rule or roles");
    if (policy)
        p = model_policy_named(m, policy);
    if (policy && !p)
        return fields_missing(&f, "policy");
    r = model_rule_named(m, rule);
    return r ? model_grant(m, g, r, roles, p) : -ENOMEM;
}

static int read_grants(struct model *m, struct model_group *g, const cJSON *list, struct buf *why)
{
    const cJSON *e;
    int rc = 0;

    if (!list)
        return 0;
    model_clear_grants(g);
    cJSON_ArrayForEach(e, list)
    {
        if (!rc)
            rc = read_grant(m, g, e, why);
    }
    return rc;
}

int entry_group(void *model, const cJSON *e, struct buf *why)
{
    struct model *m = model;
    struct fields f = {.entry = e, .why = why};
    const cJSON *permissions = json_get(e, "permissions");
    const char *name = NULL;
    struct model_group *g;
    int id = 0, rc;

    fields_int(&f, "id", &id);
    fields_text(&f, "name", &name);
    g = id ? model_group(m, id) : name ? model_group_named(m, name) : NULL;
    if (!g && name)
        g = model_add_group(m, id, name);
    if (!g)
        return fields_missing(&f, "name");
    fields_bool(&f, "registration", &g->registration);
    if (permissions && !read_bits(permissions, permission_named, &g->permissions))
        return fields_missing(&f, "permissions");
    rc = read_grants(m, g, json_get(e, "grants"), why);
    return rc ? rc : f.rc;
}

/* ---- users ---- */

static int read_groups(struct model *m, struct model_user *u, const cJSON *list, struct buf *why)
{
    const cJSON *e;

    if (!list)
        return 0;
    u->groups.n = 0;
    cJSON_ArrayForEach(e, list)
    {
        struct model_group *g = cJSON_IsString(e) ? model_group_named(m, e->valuestring) : NULL;
        if (!g) {
            (void)buf_printf(why, "user %s: a group is unknown", u->name);
            return -EINVAL;
        }
        if (vec_push(&u->groups, g))
            return -ENOMEM;
    }
    return 0;
}

static int read_cookies(struct model_user *u, const cJSON *list)
{
    const cJSON *e;

    cJSON_ArrayForEach(e, list)
    {
        char *copy = cJSON_IsString(e) ? strdup(e->valuestring) : NULL;
        if (!copy)
            return -ENOMEM;
        if (vec_push(&u->cookies, copy)) {
            free(copy);
            return -ENOMEM;
        }
    }
    return 0;
}

static int read_user_texts(struct model *m, struct model_user *u, struct fields *f)
{
    const char *display = NULL, *email = NULL, *sid = NULL;

    fields_text(f, "display", &display);
    fields_text(f, "email", &email);
    fields_text(f, "sid", &sid);
    if ((display && strings_replace(&u->display, display)) || (email && strings_replace(&u->email, email)) ||
        (sid && strings_replace(&u->sid, sid)))
        return -ENOMEM;
    return email && names_add(&m->user_names, email, u) ? -ENOMEM : 0;
}

static int read_user_secret(struct fields *f, const char *name, struct secret *s)
{
    const char *value = NULL;

    fields_text(f, name, &value);
    if (!value)
        return 0;
    return secret_set(s, value, strlen(value));
}

int entry_user(void *model, const cJSON *e, struct buf *why)
{
    struct model *m = model;
    struct fields f = {.entry = e, .why = why};
    const char *name = NULL;
    struct model_user *u;
    int id = 0, rc;

    fields_int(&f, "id", &id);
    fields_text(&f, "name", &name);
    u = id ? model_user(m, id) : name ? model_user_named(m, name) : NULL;
    if (!u && name)
        u = model_add_user(m, id, name);
    if (!u)
        return fields_missing(&f, "name");
    fields_bool(&f, "enabled", &u->enabled);
    fields_bool(&f, "quarantined", &u->quarantined);
    fields_bool(&f, "application", &u->application);
    rc = read_user_texts(m, u, &f);
    if (!rc)
        rc = read_user_secret(&f, "password", &u->password);
    if (!rc)
        rc = read_user_secret(&f, "mfa", &u->mfa);
    if (!rc)
        rc = read_groups(m, u, json_get(e, "groups"), why);
    if (!rc)
        rc = read_cookies(u, json_get(e, "cookies"));
    return rc ? rc : f.rc;
}

int entry_client(void *model, const cJSON *e, struct buf *why)
{
    struct model *m = model;
    struct fields f = {.entry = e, .why = why};
    const char *id = NULL, *secret = NULL, *user = NULL, *token = NULL;
    struct model_user *u;

    fields_text(&f, "id", &id);
    fields_text(&f, "secret", &secret);
    fields_text(&f, "user", &user);
    fields_text(&f, "token", &token);
    u = user ? model_user_named(m, user) : NULL;
    if (!id || !secret || !u)
        return fields_missing(&f, "id, secret or user");
    return f.rc ? f.rc : sessions_add_client(m, id, secret, u, token);
}
