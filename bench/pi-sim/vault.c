/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vault.c - identities, credentials and their passwords; see vault.h.
 *
 * A credential is found by a text made of its kind and names. Stored ones that only the type tells apart
 * share that text.
 */
#include "pi-sim/vault.h"

#include "base/container_of.h"
#include "base/text.h"
#include "sim/passwords.h"
#include "sim/strings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PASSWORD_LENGTH 20

const char *const face_names[FACE_COUNT] = {"json-v2", "json-v1", "rest"};

/* ---- freeing ---- */

void identity_free(struct identity *i)
{
    free(i->name);
    free(i->authenticator);
    secret_clear(&i->password);
    secret_clear(&i->mfa);
    secret_clear(&i->refused.password);
    free(i);
}

void credential_free(struct credential *c)
{
    timer_stop(c->vault->timers, &c->change);
    free(c->system);
    free(c->account);
    free(c->list);
    free(c->namespace);
    free(c->custom_type);
    secret_clear(&c->password);
    vec_free(&c->may);
    for (size_t i = 0; i < c->claims.n; i++)
        free(c->claims.item[i]);
    vec_free(&c->claims);
    free(c);
}

void management_set_free(struct management_set *s)
{
    for (size_t i = 0; i < s->systems.n; i++) {
        struct managed_system *one = s->systems.item[i];
        free(one->name);
        free(one->kind);
        free(one);
    }
    vec_free(&s->systems);
    free(s->name);
    free(s);
}

/* ---- identities ---- */

static bool same_or_null(const char *a, const char *b)
{
    return a && b ? text_equal_nocase(a, b) : a == b;
}

struct identity *vault_identity(const struct vault *v, const char *name, const char *authenticator)
{
    for (size_t i = 0; i < v->identities.n; i++) {
        struct identity *one = v->identities.item[i];
        if (text_equal_nocase(one->name, name) && same_or_null(one->authenticator, authenticator))
            return one;
    }
    return NULL;
}

struct identity *vault_identity_named(const struct vault *v, const char *name)
{
    for (size_t i = 0; i < v->identities.n; i++) {
        struct identity *one = v->identities.item[i];
        if (text_equal_nocase(one->name, name))
            return one;
    }
    return NULL;
}

struct identity *vault_add_identity(struct vault *v, const char *name, const char *authenticator)
{
    struct identity *i = calloc(1, sizeof(*i));

    if (!i)
        return NULL;
    i->enabled = true;
    if (strings_replace(&i->name, name) || strings_replace(&i->authenticator, authenticator) ||
        vec_push(&v->identities, i)) {
        identity_free(i);
        return NULL;
    }
    return i;
}

/* ---- credentials ---- */

static bool put_key(const struct credential_name *n, const char *account, char out[NAMES_KEY_MAX])
{
    int length = n->kind == KIND_SHARED
                     ? snprintf(out, NAMES_KEY_MAX, "shared\x1f%s\x1f%s\x1f%s", n->list, n->system, account)
                     : snprintf(out, NAMES_KEY_MAX, "stored\x1f%s\x1f%s", n->system, account);

    return length > 0 && length < NAMES_KEY_MAX;
}

static bool fits(const struct credential *c, const struct credential_name *n)
{
    if (n->kind == KIND_SHARED)
        return true;
    return c->type == n->type && text_equal_nocase(c->custom_type, n->custom_type ? n->custom_type : "");
}

static struct credential *find(const struct vault *v, const struct credential_name *n, const char *account)
{
    char key[NAMES_KEY_MAX];
    const struct vec *found;

    if (!put_key(n, account, key))
        return NULL;
    found = names_find(&v->keys, key);
    for (size_t i = 0; found && i < found->n; i++)
        if (fits(found->item[i], n))
            return found->item[i];
    return NULL;
}

struct credential *vault_credential_exact(const struct vault *v, const struct credential_name *n)
{
    return find(v, n, n->account);
}

/* A stored account with a namespace can be named with it. */
struct credential *vault_credential(const struct vault *v, const struct credential_name *n)
{
    const char *backslash = n->kind == KIND_STORED ? strchr(n->account, '\\') : NULL;
    int form = v->settings.knob[KNOB_ACCOUNT_FORM];
    struct credential *c = find(v, n, n->account);

    if (c && (!c->namespace || !*c->namespace || form != ACCOUNT_QUALIFIED))
        return c;
    if (!backslash || form == ACCOUNT_PLAIN)
        return NULL;
    c = find(v, n, backslash + 1);
    if (!c || !c->namespace ||
        !text_equal_nocase_n(c->namespace, strlen(c->namespace), n->account,
                             (size_t)(backslash - n->account)))
        return NULL;
    return c;
}

struct credential *vault_credential_by_id(const struct vault *v, int id)
{
    return id >= 1 && (size_t)id <= v->credentials.n ? v->credentials.item[id - 1] : NULL;
}

static int name_credential(struct credential *c, const struct credential_name *n, const char *namespace)
{
    c->kind = n->kind;
    c->type = n->type;
    if (strings_replace(&c->system, n->system) || strings_replace(&c->account, n->account) ||
        strings_replace(&c->list, n->list) || strings_replace(&c->namespace, namespace) ||
        strings_replace(&c->custom_type, n->custom_type ? n->custom_type : ""))
        return -ENOMEM;
    return 0;
}

struct credential *vault_add_credential(struct vault *v, const struct credential_name *n,
                                        const char *namespace)
{
    struct credential *c = calloc(1, sizeof(*c));
    char key[NAMES_KEY_MAX];

    if (!c)
        return NULL;
    c->vault = v;
    c->id = (int)v->credentials.n + 1;
    c->has_password = true;
    c->version = 1;
    TAILQ_INIT(&c->live);
    if (name_credential(c, n, namespace) || !put_key(n, n->account, key) || names_add(&v->keys, key, c)) {
        credential_free(c);
        return NULL;
    }
    if (vec_push(&v->credentials, c))
        abort(); /* the index has it already: a vault without it would be another one */
    return c;
}

struct management_set *vault_add_set(struct vault *v, const char *name)
{
    struct management_set *s = calloc(1, sizeof(*s));

    if (!s)
        return NULL;
    if (strings_replace(&s->name, name) || vec_push(&v->sets, s)) {
        management_set_free(s);
        return NULL;
    }
    return s;
}

bool credential_permits(const struct credential *c, const struct identity *i)
{
    return c->may.n == 0 || i->all_access || vec_has(&c->may, i);
}

void credential_describe(const struct credential *c, struct buf *out)
{
    if (c->kind == KIND_SHARED)
        (void)buf_printf(out, "shared %s %s %s", c->list, c->system, c->account);
    else
        (void)buf_printf(out, "stored %s %s", c->system, c->account);
}

/* ---- passwords ---- */

int credential_password(const struct credential *c, struct buf *out)
{
    int rc;

    if (!c->has_password)
        return 0;
    rc = c->password.p ? buf_append(out, c->password.p, c->password.len)
                       : sim_password(sim_password_seed(c->vault->settings.seed, (uint64_t)c->id, c->version),
                                      PASSWORD_LENGTH, out);
    return rc ? rc : 1;
}

static void change_now(struct credential *c)
{
    if (c->unreachable) {
        history_add(c->vault, &(struct history_event){.what = "change_failed", .credential = c});
        return;
    }
    secret_clear(&c->password);
    c->version++;
    history_add(c->vault, &(struct history_event){.what = "changed", .credential = c});
}

static void on_change(struct deadline *d)
{
    change_now(CONTAINER_OF(d, struct credential, change));
}

void credential_change(struct credential *c, enum knob_password how)
{
    if (how == PASSWORD_CHANGED)
        change_now(c);
    if (how != PASSWORD_LATER || timer_running(&c->change))
        return;
    if (timer_start(c->vault->timers, &c->change, c->vault->settings.change_delay_ms, on_change))
        change_now(c);
}

bool vault_within_rate(struct vault *v)
{
    uint64_t second = vault_now(v) / 1000;

    if (second != v->second)
        v->in_second = 0;
    v->second = second;
    return !v->settings.rate_second || ++v->in_second <= v->settings.rate_second;
}
