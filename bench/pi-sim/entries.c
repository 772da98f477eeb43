/* SPDX-License-Identifier: Apache-2.0 */
/*
 * entries.c - one entry of each list; see entries.h.
 */
#include "pi-sim/entries.h"

#include "base/json.h"
#include "base/text.h"
#include "pi-sim/checkouts.h"
#include "pi-sim/tokens.h"
#include "sim/fields.h"
#include "sim/strings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A member that is a secret: text, null = none. `given` says whether it was there. */
static int read_secret(struct fields *f, const char *name, struct secret *out, bool *given)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(f->entry, name);

    *given = v != NULL;
    if (!v)
        return 0;
    if (cJSON_IsNull(v)) {
        secret_clear(out);
        return 0;
    }
    if (!cJSON_IsString(v))
        return fields_missing(f, name);
    return secret_set(out, v->valuestring, strlen(v->valuestring));
}

/* ---- settings ---- */

static int read_knobs(struct vault *v, const cJSON *knobs, struct buf *why)
{
    const cJSON *k;

    cJSON_ArrayForEach(k, knobs)
    {
        if (cJSON_IsString(k) && knob_set(&pi_knobs, v->settings.knob, k->string, k->valuestring) == 0)
            continue;
        (void)buf_printf(why, "knobs: %s has no such value", k->string);
        return -EINVAL;
    }
    return 0;
}

static int read_texts(struct vault *v, const cJSON *texts, struct buf *why)
{
    const cJSON *t;

    cJSON_ArrayForEach(t, texts)
    {
        int rc = cJSON_IsString(t) || cJSON_IsNull(t)
                     ? texts_set(&v->settings.texts, t->string, t->valuestring)
                     : -EINVAL;
        if (!rc)
            continue;
        (void)buf_printf(why, "texts: %s is unknown or no text", t->string);
        return rc;
    }
    return 0;
}

static int entry_settings(void *model, const cJSON *e, struct buf *why)
{
    struct vault *v = model;
    struct vault_settings *s = &v->settings;
    struct fields f = {.entry = e, .why = why};
    const struct {
        const char *name;
        uint64_t *place;
    } numbers[] = {{"token_life_ms", &s->token_life_ms},
                   {"token_idle_ms", &s->token_idle_ms},
                   {"tokens", &s->tokens},
                   {"lockout_failures", &s->lockout_failures},
                   {"lockout_ms", &s->lockout_ms},
                   {"checkout_life_ms", &s->checkout_life_ms},
                   {"change_delay_ms", &s->change_delay_ms},
                   {"rate_second", &s->rate_second},
                   {"max_body", &s->max_body},
                   {"max_comment", &s->max_comment},
                   {"dead_token_ms", &v->conduct.dead_token_ms},
                   {"sign_in_ms", &v->conduct.sign_in_ms}};
    int rc;

    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        fields_u64(&f, numbers[i].name, numbers[i].place);
    for (int i = 0; i < FACE_COUNT; i++)
        fields_bool(&f, face_names[i], &s->face[i]);
    fields_bool(&f, "require_certificate", &s->require_certificate);
    rc = read_knobs(v, json_get(e, "knobs"), why);
    if (!rc)
        rc = read_texts(v, json_get(e, "texts"), why);
    return rc ? rc : f.rc;
}

/* ---- identities ---- */

static int entry_identity(void *model, const cJSON *e, struct buf *why)
{
    struct vault *v = model;
    struct fields f = {.entry = e, .why = why};
    const char *name = NULL, *authenticator = NULL;
    bool given, unlock = false;
    struct identity *i;

    fields_text(&f, "name", &name);
    fields_text(&f, "authenticator", &authenticator);
    if (!name)
        return fields_missing(&f, "name");
    i = vault_identity(v, name, authenticator);
    if (!i)
        i = vault_add_identity(v, name, authenticator);
    if (!i)
        return -ENOMEM;
    fields_bool(&f, "enabled", &i->enabled);
    fields_bool(&f, "all_access", &i->all_access);
    fields_bool(&f, "ignore_checkout", &i->ignore_checkout);
    fields_bool(&f, "unlock", &unlock);
    if (read_secret(&f, "password", &i->password, &given) == -ENOMEM ||
        read_secret(&f, "mfa", &i->mfa, &given) == -ENOMEM)
        return -ENOMEM;
    if (unlock) {
        i->locked = false;
        i->failures = 0;
    }
    return f.rc;
}

/* ---- credentials ---- */

static bool read_name(struct fields *f, struct credential_name *n)
{
    *n = (struct credential_name){.type = 1};
    fields_text(f, "list", &n->list);
    fields_text(f, "system", &n->system);
    fields_text(f, "account", &n->account);
    fields_text(f, "custom_type", &n->custom_type);
    fields_int(f, "type", &n->type);
    n->kind = n->list ? KIND_SHARED : KIND_STORED;
    return n->system && n->account;
}

struct credential *entries_credential(const struct vault *v, const cJSON *entry, struct buf *why)
{
    struct fields f = {.entry = entry, .why = why};
    struct credential *c = NULL;
    struct credential_name name;
    int id = 0;

    fields_int(&f, "id", &id);
    if (id)
        c = vault_credential_by_id(v, id);
    else if (read_name(&f, &name))
        c = vault_credential_exact(v, &name);
    if (!c)
        (void)fields_missing(&f, "credential");
    return f.rc ? NULL : c;
}

static int read_may(const struct vault *v, struct credential *c, const cJSON *list, struct buf *why)
{
    const cJSON *e;

    if (!list)
        return 0;
    c->may.n = 0;
    cJSON_ArrayForEach(e, list)
    {
        struct identity *i = cJSON_IsString(e) ? vault_identity_named(v, e->valuestring) : NULL;
        if (!i) {
            (void)buf_str(why, "may: an identity is unknown");
            return -EINVAL;
        }
        if (vec_push(&c->may, i))
            return -ENOMEM;
    }
    return 0;
}

static struct credential *find_or_make(struct vault *v, struct fields *f)
{
    const char *namespace = NULL;
    struct credential_name name;
    struct credential *c;

    if (json_get(f->entry, "id"))
        return entries_credential(v, f->entry, f->why);
    fields_text(f, "namespace", &namespace);
    if (!read_name(f, &name) || f->rc) {
        (void)fields_missing(f, "system or account");
        return NULL;
    }
    c = vault_credential_exact(v, &name);
    return c ? c : vault_add_credential(v, &name, namespace);
}

/* {"password":null} = none, {"password":true} = derived, text = that one, from a new version on. */
static int set_password(struct fields *f, struct credential *c)
{
    const cJSON *p = cJSON_GetObjectItemCaseSensitive(f->entry, "password");
    bool given;
    int rc;

    if (cJSON_IsTrue(p)) {
        secret_clear(&c->password);
        c->has_password = true;
        return 0;
    }
    rc = read_secret(f, "password", &c->password, &given);
    if (!rc && given)
        c->has_password = c->password.p != NULL;
    return rc;
}

static int entry_credential(void *model, const cJSON *e, struct buf *why)
{
    struct vault *v = model;
    struct fields f = {.entry = e, .why = why};
    struct credential *c = find_or_make(v, &f);
    bool change = false;
    int rc;

    if (!c)
        return f.rc || why->len ? -EINVAL : -ENOMEM;
    fields_bool(&f, "approval", &c->approval);
    fields_bool(&f, "unreachable", &c->unreachable);
    fields_bool(&f, "change", &change);
    rc = read_may(v, c, json_get(e, "may"), why);
    if (!rc)
        rc = set_password(&f, c);
    if (!rc && change)
        credential_change(c, PASSWORD_CHANGED);
    return rc ? rc : f.rc;
}

/* ---- sets ---- */

static int add_system(struct management_set *s, const cJSON *e, struct buf *why)
{
    struct fields f = {.entry = e, .why = why};
    const char *name = NULL, *kind = "Linux";
    struct managed_system *one;

    fields_text(&f, "name", &name);
    fields_text(&f, "kind", &kind);
    if (!name)
        return fields_missing(&f, "name");
    one = calloc(1, sizeof(*one));
    if (!one)
        return -ENOMEM;
    if (strings_replace(&one->name, name) || strings_replace(&one->kind, kind) ||
        vec_push(&s->systems, one)) {
        free(one->name);
        free(one->kind);
        free(one);
        return -ENOMEM;
    }
    return f.rc;
}

static struct management_set *set_named(const struct vault *v, const char *name)
{
    for (size_t i = 0; i < v->sets.n; i++) {
        struct management_set *s = v->sets.item[i];
        if (text_equal_nocase(s->name, name))
            return s;
    }
    return NULL;
}

/* The systems are added to those that are there. */
static int entry_set(void *model, const cJSON *e, struct buf *why)
{
    struct vault *v = model;
    struct fields f = {.entry = e, .why = why};
    const char *name = NULL;
    struct management_set *s;
    const cJSON *system;
    int rc = 0;

    fields_text(&f, "name", &name);
    if (!name)
        return fields_missing(&f, "name");
    s = set_named(v, name);
    if (!s)
        s = vault_add_set(v, name);
    if (!s)
        return -ENOMEM;
    cJSON_ArrayForEach(system, json_get(e, "systems"))
    {
        if (!rc)
            rc = add_system(s, system, why);
    }
    return rc;
}

/* ---- check-outs of persons ---- */

static int entry_checkout(void *model, const cJSON *e, struct buf *why)
{
    struct vault *v = model;
    struct fields f = {.entry = e, .why = why};
    const char *who = NULL, *comment = NULL;
    struct credential *c = entries_credential(v, e, why);

    fields_text(&f, "who", &who);
    fields_text(&f, "comment", &comment);
    if (!c || !who)
        return fields_missing(&f, "who");
    return checkouts_person(v, c, who, comment) ? f.rc : -ENOMEM;
}

static const struct list_row rows[] = {{"settings", entry_settings},
                                       {"identities", entry_identity},
                                       {"credentials", entry_credential},
                                       {"sets", entry_set},
                                       {"checkouts", entry_checkout}};
const struct list_table entries_lists = {rows, sizeof(rows) / sizeof(rows[0])};

/* ---- built-in data ---- */

static const char fixture[] =
    "{\"identities\":["
    "{\"name\":\"svc-gateway\",\"password\":\"Wheel+of/fortune=9\",\"all_access\":true},"
    "{\"name\":\"svc-domain\",\"authenticator\":\"CORP\",\"password\":\"Domain word 5\"},"
    "{\"name\":\"svc-mfa\",\"password\":\"Two steps 2\",\"mfa\":\"402117\"},"
    "{\"name\":\"svc-other\",\"password\":\"Other word 7\"}],"
    "\"credentials\":["
    "{\"list\":\"Domain admins\",\"system\":\"corp.test\",\"account\":\"adm1\"},"
    "{\"list\":\"Domain admins\",\"system\":\"corp.test\",\"account\":\"adm2\"},"
    "{\"system\":\"web01\",\"account\":\"Administrator\",\"password\":\"Tr0ut\\\\lamp\\\"42&co/x\"},"
    "{\"system\":\"db01\",\"account\":\"sa\",\"type\":3},"
    "{\"system\":\"app01\",\"account\":\"deploy\",\"type\":9,\"custom_type\":\"Appliance\"},"
    "{\"system\":\"corp.test\",\"account\":\"svc_backup\",\"namespace\":\"CORP\"},"
    "{\"system\":\"vip01\",\"account\":\"root\",\"approval\":true},"
    "{\"system\":\"fin01\",\"account\":\"root\",\"may\":[\"svc-other\"]},"
    "{\"system\":\"new01\",\"account\":\"root\",\"password\":null}],"
    "\"sets\":[{\"name\":\"All servers\",\"systems\":[{\"name\":\"web01\",\"kind\":\"Windows\"},"
    "{\"name\":\"vip01\"},{\"name\":\"fin01\"}]}]}";

int entries_load_fixture(struct vault *v, struct buf *why)
{
    return lists_load_text(&entries_lists, v, fixture, sizeof(fixture) - 1, why);
}

int entries_generate(struct vault *v, uint64_t stored, uint64_t shared)
{
    char name[32];

    for (uint64_t i = 1; i <= stored; i++) {
        struct credential_name n = {.kind = KIND_STORED, .system = name, .account = "admin", .type = 1};
        (void)snprintf(name, sizeof(name), "srv%llu", (unsigned long long)i);
        if (!vault_credential_exact(v, &n) && !vault_add_credential(v, &n, NULL))
            return -ENOMEM;
    }
    for (uint64_t i = 1; i <= shared; i++) {
        struct credential_name n = {
            .kind = KIND_SHARED, .list = "Pool", .system = "pool.test", .account = name};
        (void)snprintf(name, sizeof(name), "pool%llu", (unsigned long long)i);
        if (!vault_credential_exact(v, &n) && !vault_add_credential(v, &n, NULL))
            return -ENOMEM;
    }
    return 0;
}
