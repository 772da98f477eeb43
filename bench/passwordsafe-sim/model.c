/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model.c - making, finding and freeing the objects of the vault; see model.h.
 *
 * Requests and sessions live in their own files (requests.c, sessions.c); this file only starts and ends
 * them.
 */
#include "passwordsafe-sim/model.h"

#include "base/text.h"
#include "passwordsafe-sim/access.h"
#include "passwordsafe-sim/requests.h"
#include "passwordsafe-sim/sessions.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const model_access_names[ACCESS_NTYPES] = {"View", "RDP", "SSH", "App"};

enum model_access model_access_of(const char *name)
{
    int i = 0;

    while (i < ACCESS_NTYPES && !text_equal_nocase(name, model_access_names[i]))
        i++;
    return (enum model_access)i;
}

struct model *model_new(struct timers *timers)
{
    struct model *m = calloc(1, sizeof(*m));

    if (!m)
        return NULL;
    m->timers = timers;
    m->clock = timers_clock(timers);
    m->settings = (struct model_settings){
        .minute_ms = 60000,
        .session_idle_ms = 20 * 60000,
        .rotation_delay_ms = 2000,
        .token_minutes = 60,
        .registration_active = true,
        .seed = 1,
        .max_finished = 200000,
    };
    m->requests = requests_new();
    m->sessions = sessions_new();
    if (!m->requests || !m->sessions) {
        model_free(m);
        return NULL;
    }
    return m;
}

static void free_user(struct model_user *u)
{
    free(u->name);
    free(u->display);
    free(u->email);
    free(u->sid);
    secret_clear(&u->password);
    secret_clear(&u->mfa);
    vec_free(&u->groups);
    for (size_t i = 0; i < u->cookies.n; i++)
        free(u->cookies.item[i]);
    vec_free(&u->cookies);
    free(u);
}

static void free_group(struct model_group *g)
{
    for (size_t i = 0; i < g->grants.n; i++)
        free(g->grants.item[i]);
    vec_free(&g->grants);
    free(g->name);
    free(g);
}

static void free_system(struct model_system *s)
{
    free(s->name);
    free(s->dns_name);
    free(s->ip);
    free(s->workgroup);
    free(s->instance);
    free(s->netbios);
    vec_free(&s->pairs);
    free(s);
}

static void free_account(struct model *m, struct model_account *a)
{
    timer_stop(m->timers, &a->change);
    free(a->name);
    free(a->domain);
    free(a->upn);
    free(a->description);
    free(a->application);
    free(a->node);
    secret_clear(&a->password);
    secret_clear(&a->key);
    secret_clear(&a->passphrase);
    vec_free(&a->rules);
    vec_free(&a->pairs);
    free(a);
}

static void free_small(struct model *m)
{
    for (size_t i = 0; i < m->rules.n; i++) {
        struct model_rule *rule = m->rules.item[i];
        free(rule->name);
        free(rule);
    }
    for (size_t i = 0; i < m->policies.n; i++) {
        struct model_policy *policy = m->policies.item[i];
        free(policy->name);
        free(policy->description);
        free(policy);
    }
    for (size_t i = 0; i < m->pairs.n; i++) {
        struct model_pair *pair = m->pairs.item[i];
        free(pair->row);
        free(pair);
    }
}

void model_free(struct model *m)
{
    if (!m)
        return;
    sessions_free(m->sessions);
    requests_free(m);
    access_free(m);
    HASH_CLEAR(by_id, m->users_by_id);
    HASH_CLEAR(by_id, m->systems_by_id);
    HASH_CLEAR(by_id, m->accounts_by_id);
    for (size_t i = 0; i < m->users.n; i++)
        free_user(m->users.item[i]);
    for (size_t i = 0; i < m->groups.n; i++)
        free_group(m->groups.item[i]);
    for (size_t i = 0; i < m->accounts.n; i++)
        free_account(m, m->accounts.item[i]);
    for (size_t i = 0; i < m->systems.n; i++)
        free_system(m->systems.item[i]);
    free_small(m);
    struct vec *lists[] = {&m->users,   &m->groups,   &m->rules, &m->policies,
                           &m->systems, &m->accounts, &m->pairs};
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
        vec_free(lists[i]);
    struct names *indexes[] = {&m->user_names, &m->system_names, &m->system_ips, &m->account_names,
                               &m->applications};
    for (size_t i = 0; i < sizeof(indexes) / sizeof(indexes[0]); i++)
        names_free(indexes[i]);
    secret_clear(&m->settings.api_key);
    free(m->settings.allow_from);
    free(m);
}

int64_t model_wall(const struct model *m)
{
    return clock_wall(m->clock);
}

uint64_t model_now(const struct model *m)
{
    return clock_now(m->clock);
}

void model_changed(struct model *m)
{
    m->generation++;
}

void model_account_changed(struct model_account *a)
{
    a->row_version++;
}

/* ---- finding ---- */

struct model_user *model_user(const struct model *m, int id)
{
    struct model_user *u;

    HASH_FIND(by_id, m->users_by_id, &id, sizeof(id), u);
    return u;
}

struct model_user *model_user_named(const struct model *m, const char *name)
{
    return names_first(&m->user_names, name);
}

struct model_system *model_system(const struct model *m, int id)
{
    struct model_system *s;

    HASH_FIND(by_id, m->systems_by_id, &id, sizeof(id), s);
    return s;
}

struct model_account *model_account(const struct model *m, int id)
{
    struct model_account *a;

    HASH_FIND(by_id, m->accounts_by_id, &id, sizeof(id), a);
    return a;
}

struct model_group *model_group(const struct model *m, int id)
{
    for (size_t i = 0; i < m->groups.n; i++)
        if (((struct model_group *)m->groups.item[i])->id == id)
            return m->groups.item[i];
    return NULL;
}

struct model_group *model_group_named(const struct model *m, const char *name)
{
    for (size_t i = 0; i < m->groups.n; i++)
        if (text_equal_nocase(((struct model_group *)m->groups.item[i])->name, name))
            return m->groups.item[i];
    return NULL;
}

struct model_policy *model_policy(const struct model *m, int id)
{
    for (size_t i = 0; i < m->policies.n; i++)
        if (((struct model_policy *)m->policies.item[i])->id == id)
            return m->policies.item[i];
    return NULL;
}

struct model_policy *model_policy_named(const struct model *m, const char *name)
{
    for (size_t i = 0; i < m->policies.n; i++)
        if (text_equal_nocase(((struct model_policy *)m->policies.item[i])->name, name))
            return m->policies.item[i];
    return NULL;
}

struct model_pair *model_pair(const struct model_system *s, int account_id)
{
    for (size_t i = 0; i < s->pairs.n; i++) {
        struct model_pair *pair = s->pairs.item[i];
        if (pair->account->id == account_id && !pair->removed)
            return pair;
    }
    return NULL;
}
