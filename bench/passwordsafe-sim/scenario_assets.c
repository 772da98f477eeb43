/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scenario_assets.c - entries of systems, accounts and links.
 */
#include "passwordsafe-sim/scenario_entries.h"

#include "base/json.h"
#include "passwordsafe-sim/credentials.h"
#include "sim/fields.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Text members of an object, by name and place. */
struct text_member {
    const char *name;
    char **place;
};

static int read_texts(struct fields *f, const struct text_member *members, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const char *value = NULL;
        fields_text(f, members[i].name, &value);
        if (value && strings_replace(members[i].place, value))
            return -ENOMEM;
    }
    return 0;
}

int entry_system(void *model, const cJSON *e, struct buf *why)
{
    struct model *m = model;
    struct fields f = {.entry = e, .why = why};
    const char *name = NULL;
    struct model_system *s;
    int id = 0;

    fields_int(&f, "id", &id);
    fields_text(&f, "name", &name);
    s = id ? model_system(m, id) : NULL;
    if (!s && name)
        s = model_add_system(m, id, name);
    if (!s)
        return fields_missing(&f, "id or name");
    fields_int(&f, "platform", &s->platform);
    fields_bool(&f, "database", &s->is_database);
    fields_bool(&f, "directory", &s->is_directory);
    const struct text_member texts[] = {{"dns", &s->dns_name},
                                        {"ip", &s->ip},
                                        {"workgroup", &s->workgroup},
                                        {"instance", &s->instance},
                                        {"netbios", &s->netbios}};
    if (read_texts(&f, texts, sizeof(texts) / sizeof(texts[0])) ||
        (s->ip && names_add(&m->system_ips, s->ip, s)))
        return -ENOMEM;
    for (size_t i = 0; i < s->pairs.n; i++)
        model_account_changed(((struct model_pair *)s->pairs.item[i])->account);
    return f.rc;
}

/* ---- accounts ---- */

static int read_rules(struct model *m, struct model_account *a, const cJSON *list)
{
    const cJSON *e;

    if (!list)
        return 0;
    a->rules.n = 0;
    cJSON_ArrayForEach(e, list)
    {
        struct model_rule *rule = cJSON_IsString(e) ? model_rule_named(m, e->valuestring) : NULL;
        if (!rule || vec_push(&a->rules, rule))
            return -ENOMEM;
    }
    return 0;
}

/* A secret: text sets it, null takes it away, true lets it be derived. */
static int read_secret(struct model_account *a, const cJSON *e, const char *name, enum credential_type type)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(e, name);

    if (!v)
        return 0;
    if (cJSON_IsString(v))
        return credentials_set(a, type, v->valuestring);
    if (!cJSON_IsTrue(v))
        return credentials_set(a, type, NULL);
    if (type == CREDENTIAL_KEY)
        a->has_key = true;
    else if (type == CREDENTIAL_PASSPHRASE)
        a->has_passphrase = true;
    else
        a->has_password = true;
    return 0;
}

static int read_secrets(struct model_account *a, const cJSON *e)
{
    int rc = read_secret(a, e, "password", CREDENTIAL_PASSWORD);

    if (!rc)
        rc = read_secret(a, e, "key", CREDENTIAL_KEY);
    return rc ? rc : read_secret(a, e, "passphrase", CREDENTIAL_PASSPHRASE);
}

static int read_account(struct model *m, struct model_account *a, struct fields *f)
{
    const struct text_member texts[] = {{"domain", &a->domain},
                                        {"upn", &a->upn},
                                        {"description", &a->description},
                                        {"application", &a->application},
                                        {"node", &a->node}};

    fields_bool(f, "api_enabled", &a->api_enabled);
    fields_bool(f, "rotates", &a->rotates);
    fields_int(f, "max_concurrent", &a->max_concurrent);
    fields_int(f, "default_duration", &a->default_minutes);
    fields_int(f, "max_duration", &a->max_minutes);
    fields_int(f, "dedicated_user", &a->dedicated_user);
    fields_int(f, "application_id", &a->application_id);
    fields_int(f, "change_state", &a->change_state);
    fields_date(f, "last_change", &a->last_change);
    fields_date(f, "next_change", &a->next_change);
    if (read_texts(f, texts, sizeof(texts) / sizeof(texts[0])) ||
        read_rules(m, a, json_get(f->entry, "rules")) || read_secrets(a, f->entry) ||
        model_index_account(m, a))
        return -ENOMEM;
    for (size_t i = 0; a->application_id && i < a->pairs.n; i++)
        ((struct model_pair *)a->pairs.item[i])->kind = KIND_APPLICATION;
    model_account_changed(a);
    return f->rc;
}

int entry_account(void *model, const cJSON *e, struct buf *why)
{
    struct model *m = model;
    struct fields f = {.entry = e, .why = why};
    const char *name = NULL, *domain = NULL;
    struct model_account *a;
    struct model_system *s;
    int id = 0, system = 0;

    fields_int(&f, "id", &id);
    fields_int(&f, "system", &system);
    fields_text(&f, "name", &name);
    fields_text(&f, "domain", &domain);
    a = id ? model_account(m, id) : NULL;
    s = system ? model_system(m, system) : NULL;
    if (!a && name && s)
        a = model_add_account(m, id, s, name, domain);
    if (!a)
        return fields_missing(&f, "id, name or system");
    return read_account(m, a, &f);
}

int entry_link(void *model, const cJSON *e, struct buf *why)
{
    struct model *m = model;
    struct fields f = {.entry = e, .why = why};
    int system = 0, account = 0;
    bool removed = false;
    struct model_system *s;
    struct model_account *a;

    fields_int(&f, "system", &system);
    fields_int(&f, "account", &account);
    fields_bool(&f, "remove", &removed);
    s = model_system(m, system);
    a = model_account(m, account);
    if (!s || !a)
        return fields_missing(&f, "system or account");
    if (!removed)
        return model_link(m, s, a);
    struct model_pair *pair = model_pair(s, a->id);
    if (pair)
        pair->removed = true;
    return f.rc;
}
