/* SPDX-License-Identifier: Apache-2.0 */
/*
 * access.c - resolving groups, grants and smart rules; see access.h.
 */
#include "passwordsafe-sim/access.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void free_one(struct access *a)
{
    free(a->signature);
    free(a->roles);
    free(a->policies);
    vec_free(&a->rows);
    free(a);
}

void access_free(struct model *m)
{
    for (size_t i = 0; i < m->access.n; i++)
        free_one(m->access.item[i]);
    vec_free(&m->access);
}

static char *signature_of(const struct model_user *u)
{
    size_t size = u->groups.n * 12 + 1, used = 0;
    char *text = malloc(size);

    if (!text)
        return NULL;
    text[0] = '\0';
    for (size_t i = 0; i < u->groups.n; i++) {
        const struct model_group *g = u->groups.item[i];
        used += (size_t)snprintf(text + used, size - used, "%d,", g->id);
    }
    return text;
}

static void take_group(struct access *a, const struct model_group *g)
{
    a->permissions |= g->permissions;
    if (g->registration)
        a->registration = true;
    for (size_t i = 0; i < g->grants.n; i++) {
        const struct model_grant *grant = g->grants.item[i];
        size_t rule = grant->rule->index;
        a->roles[rule] |= grant->roles;
        if ((grant->roles & ROLE_REQUESTOR) && grant->policy && !a->policies[rule])
            a->policies[rule] = grant->policy;
    }
}

static struct access *resolve(struct model *m, const struct model_user *u, char *signature)
{
    struct access *a = calloc(1, sizeof(*a));

    if (!a)
        return NULL;
    a->nrules = m->rules.n;
    a->roles = calloc(a->nrules + 1, sizeof(*a->roles));
    a->policies = calloc(a->nrules + 1, sizeof(struct model_policy *));
    if (!a->roles || !a->policies || vec_push(&m->access, a)) {
        free_one(a);
        return NULL;
    }
    a->signature = signature;
    for (size_t i = 0; i < u->groups.n; i++)
        take_group(a, u->groups.item[i]);
    return a;
}

/* The first user of a new generation throws the old tables away. */
static void drop_old(struct model *m)
{
    static const struct vec none;

    if (m->access_generation == m->generation)
        return;
    access_free(m);
    m->access = none;
    m->access_generation = m->generation;
}

const struct access *access_of(struct model *m, struct model_user *u)
{
    char *signature;

    drop_old(m);
    if (u->access && u->access_generation == m->generation)
        return u->access;
    signature = signature_of(u);
    if (!signature)
        return NULL;
    u->access = NULL;
    for (size_t i = 0; i < m->access.n && !u->access; i++)
        if (strcmp(((struct access *)m->access.item[i])->signature, signature) == 0)
            u->access = m->access.item[i];
    if (u->access) {
        free(signature);
    } else {
        u->access = resolve(m, u, signature);
        if (!u->access)
            free(signature);
    }
    u->access_generation = m->generation;
    return u->access;
}

static unsigned roles_in(const struct access *a, const struct model_account *account)
{
    unsigned roles = 0;

    for (size_t i = 0; i < account->rules.n; i++) {
        const struct model_rule *rule = account->rules.item[i];
        if (rule->index < a->nrules)
            roles |= a->roles[rule->index];
    }
    return roles;
}

unsigned access_roles(struct model *m, struct model_user *u, const struct model_account *account)
{
    const struct access *a = access_of(m, u);

    return a ? roles_in(a, account) : 0;
}

struct model_policy *access_policy(struct model *m, struct model_user *u, const struct model_account *account)
{
    const struct access *a = access_of(m, u);

    for (size_t i = 0; a && i < account->rules.n; i++) {
        const struct model_rule *rule = account->rules.item[i];
        if (rule->index < a->nrules && a->policies[rule->index])
            return a->policies[rule->index];
    }
    return NULL;
}

bool access_flags_ok(const struct model_user *u, const struct model_pair *pair)
{
    const struct model_account *a = pair->account;

    return !pair->removed && a->api_enabled && (a->dedicated_user == 0 || a->dedicated_user == u->id);
}

bool access_listed(struct model *m, struct model_user *u, const struct model_pair *pair)
{
    return access_flags_ok(u, pair) && (access_roles(m, u, pair->account) & (ROLE_REQUESTOR | ROLE_ISA));
}

static int compare_pairs(const void *a, const void *b)
{
    const struct model_pair *x = *(struct model_pair *const *)a, *y = *(struct model_pair *const *)b;

    if (x->system->id != y->system->id)
        return x->system->id < y->system->id ? -1 : 1;
    return (x->account->id > y->account->id) - (x->account->id < y->account->id);
}

static void sort_pairs(struct model *m)
{
    if (!m->pairs_sorted && m->pairs.n > 1)
        qsort(m->pairs.item, m->pairs.n, sizeof(void *), compare_pairs);
    m->pairs_sorted = true;
}

const struct vec *access_rows(struct model *m, struct model_user *u)
{
    struct access *a = access_of(m, u) ? u->access : NULL;

    if (!a || a->rows_ready)
        return a ? &a->rows : NULL;
    sort_pairs(m);
    for (size_t i = 0; i < m->pairs.n; i++) {
        struct model_pair *pair = m->pairs.item[i];
        if (!(roles_in(a, pair->account) & (ROLE_REQUESTOR | ROLE_ISA)))
            continue;
        if (vec_push(&a->rows, pair)) {
            vec_free(&a->rows);
            return NULL;
        }
    }
    a->rows_ready = true;
    return &a->rows;
}

int access_approvers(struct model *m, const struct model_account *account)
{
    int n = 0;

    for (size_t i = 0; i < m->users.n; i++) {
        struct model_user *u = m->users.item[i];
        if (u->enabled && (access_roles(m, u, account) & ROLE_APPROVER))
            n++;
    }
    return n;
}
