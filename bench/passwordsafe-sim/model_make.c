/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model_make.c - the makers of model.h: each object with the vendor's defaults, registered where it is found.
 *
 * Defaults of accounts are those of the provisioning model: release 120 minutes, at most 525600, one request
 * at a time. `api_enabled` is true here although the vendor's default is false: a test that wants the other
 * says so.
 */
#include "passwordsafe-sim/model.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char default_node[] = "6f0d2f0c-1111-4a7e-8d55-0a1b2c3d4e5f";

struct model_user *model_add_user(struct model *m, int id, const char *name)
{
    struct model_user *u = calloc(1, sizeof(*u));

    if (!u)
        return NULL;
    u->enabled = true;
    u->id = id ? id : (int)m->users.n + 1;
    TAILQ_INIT(&u->live);
    if (model_user(m, u->id) || strings_replace(&u->name, name) || strings_replace(&u->display, "") ||
        names_add(&m->user_names, name, u) || vec_push(&m->users, u)) {
        free(u->name);
        free(u->display);
        free(u);
        return NULL;
    }
    HASH_ADD(by_id, m->users_by_id, id, sizeof(u->id), u);
    model_changed(m);
    return u;
}

struct model_group *model_add_group(struct model *m, int id, const char *name)
{
    struct model_group *g = calloc(1, sizeof(*g));

    if (!g)
        return NULL;
    g->id = id ? id : (int)m->groups.n + 1;
    g->registration = true;
    if (model_group(m, g->id) || strings_replace(&g->name, name) || vec_push(&m->groups, g)) {
        free(g->name);
        free(g);
        return NULL;
    }
    model_changed(m);
    return g;
}

struct model_rule *model_rule_named(struct model *m, const char *name)
{
    struct model_rule *rule;

    for (size_t i = 0; i < m->rules.n; i++)
        if (strcmp(((struct model_rule *)m->rules.item[i])->name, name) == 0)
            return m->rules.item[i];
    rule = calloc(1, sizeof(*rule));
    if (!rule)
        return NULL;
    rule->index = m->rules.n;
    if (strings_replace(&rule->name, name) || vec_push(&m->rules, rule)) {
        free(rule->name);
        free(rule);
        return NULL;
    }
    model_changed(m);
    return rule;
}

struct model_policy *model_add_policy(struct model *m, int id, const char *name)
{
    struct model_policy *p = calloc(1, sizeof(*p));

    if (!p)
        return NULL;
    p->id = id ? id : (int)m->policies.n + 1;
    if (model_policy(m, p->id) || strings_replace(&p->name, name) || strings_replace(&p->description, "") ||
        vec_push(&m->policies, p)) {
        free(p->name);
        free(p->description);
        free(p);
        return NULL;
    }
    return p;
}

static int fill_system(struct model_system *s, const char *name)
{
    char dns[300], netbios[16];

    (void)snprintf(dns, sizeof(dns), "%.200s.acme.test", name);
    (void)snprintf(netbios, sizeof(netbios), "%.15s", name);
    if (strings_replace(&s->name, name) || strings_replace(&s->dns_name, dns) ||
        strings_replace(&s->netbios, netbios) || strings_replace(&s->workgroup, "Default") ||
        strings_replace(&s->instance, ""))
        return -ENOMEM;
    s->platform = 2;
    return 0;
}

struct model_system *model_add_system(struct model *m, int id, const char *name)
{
    struct model_system *s = calloc(1, sizeof(*s));

    if (!s)
        return NULL;
    s->id = id ? id : (int)m->systems.n + 1;
    if (model_system(m, s->id) || fill_system(s, name) || names_add(&m->system_names, name, s) ||
        vec_push(&m->systems, s)) {
        free(s->name);
        free(s->dns_name);
        free(s->netbios);
        free(s->workgroup);
        free(s->instance);
        free(s);
        return NULL;
    }
    HASH_ADD(by_id, m->systems_by_id, id, sizeof(s->id), s);
    return s;
}

static struct model_pair *pair_new(struct model *m, struct model_system *s, struct model_account *a,
                                   enum model_kind kind)
{
    struct model_pair *pair = calloc(1, sizeof(*pair));

    if (!pair)
        return NULL;
    *pair = (struct model_pair){.system = s, .account = a, .kind = kind, .row_version = UINT_MAX};
    if (vec_push(&m->pairs, pair)) {
        free(pair);
        return NULL;
    }
    if (vec_push(&s->pairs, pair) || vec_push(&a->pairs, pair))
        pair->removed = true;
    m->pairs_sorted = false;
    model_changed(m);
    return pair->removed ? NULL : pair;
}

static void account_defaults(struct model *m, struct model_account *a)
{
    a->api_enabled = a->rotates = a->has_password = true;
    a->max_concurrent = 1;
    a->default_minutes = 120;
    a->max_minutes = 525600;
    a->model = m;
    a->last_change = model_wall(m) / 1000 * 1000;
    TAILQ_INIT(&a->live);
}

struct model_account *model_add_account(struct model *m, int id, struct model_system *s, const char *name,
                                        const char *domain)
{
    struct model_account *a = calloc(1, sizeof(*a));

    if (!a)
        return NULL;
    a->id = id ? id : (int)m->accounts.n + 1;
    a->system = s;
    account_defaults(m, a);
    if (model_account(m, a->id) || strings_replace(&a->name, name) || strings_replace(&a->domain, domain) ||
        strings_replace(&a->description, "") || strings_replace(&a->node, default_node) ||
        vec_push(&m->accounts, a)) {
        free(a->name);
        free(a->domain);
        free(a->description);
        free(a->node);
        free(a);
        return NULL;
    }
    HASH_ADD(by_id, m->accounts_by_id, id, sizeof(a->id), a);
    if (!s->is_directory && !pair_new(m, s, a, s->is_database ? KIND_DATABASE : KIND_SYSTEM))
        return NULL;
    return a;
}

int model_grant(struct model *m, struct model_group *g, struct model_rule *rule, unsigned roles,
                struct model_policy *policy)
{
    struct model_grant *grant = calloc(1, sizeof(*grant));

    if (!grant)
        return -ENOMEM;
    *grant = (struct model_grant){.rule = rule, .roles = roles, .policy = policy};
    if (vec_push(&g->grants, grant)) {
        free(grant);
        return -ENOMEM;
    }
    model_changed(m);
    return 0;
}

void model_clear_grants(struct model_group *g)
{
    for (size_t i = 0; i < g->grants.n; i++)
        free(g->grants.item[i]);
    g->grants.n = 0;
}

int model_link(struct model *m, struct model_system *s, struct model_account *a)
{
    if (model_pair(s, a->id))
        return 0;
    return pair_new(m, s, a, KIND_LINKED) ? 0 : -ENOMEM;
}

int model_index_account(struct model *m, struct model_account *a)
{
    char qualified[NAMES_KEY_MAX];

    if (a->domain)
        (void)snprintf(qualified, sizeof(qualified), "%.200s\\%.300s", a->domain, a->name);
    else
        (void)snprintf(qualified, sizeof(qualified), "%.500s", a->name);
    if (names_add(&m->account_names, qualified, a))
        return -ENOMEM;
    if (a->upn && names_add(&m->account_names, a->upn, a))
        return -ENOMEM;
    if (a->application && names_add(&m->applications, a->application, a))
        return -ENOMEM;
    return 0;
}
