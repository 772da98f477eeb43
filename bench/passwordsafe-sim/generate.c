/* SPDX-License-Identifier: Apache-2.0 */
/*
 * generate.c - filling the model with made-up data; see generate.h.
 */
#include "passwordsafe-sim/generate.h"

#include "passwordsafe-sim/schedules.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define FIRST_USER   10001
#define FIRST_SYSTEM 100001

const struct generate_opts generate_defaults = {
    .users = 20,
    .approvers = 2,
    .systems = 50,
    .local_accounts = 2,
    .domain_accounts = 20,
    .domain_links = 1,
    .databases = 4,
    .applications = 4,
    .ssh_keys = 4,
    .approval_systems = 2,
    .reason_systems = 2,
    .ticket_systems = 2,
    .max_concurrent = 1,
};

enum rule { RULE_AUTO, RULE_APPROVAL, RULE_REASON, RULE_TICKET, NRULES };

struct generator {
    struct model *m;
    const struct generate_opts *o;
    struct model_rule *rules[NRULES];
    struct model_policy *policies[NRULES];
    struct model_group *requesters, *approvers, *readers;
    int next_account;
};

static int make_policies(struct generator *g)
{
    static const char *const names[NRULES] = {"Generated auto-approve", "Generated approval",
                                              "Generated reason", "Generated ticket"};
    static const char *const rules[NRULES] = {"generated-auto", "generated-approval", "generated-reason",
                                              "generated-ticket"};

    for (int i = 0; i < NRULES; i++) {
        g->policies[i] = model_add_policy(g->m, 9000 + i, names[i]);
        g->rules[i] = model_rule_named(g->m, rules[i]);
        if (!g->policies[i] || !g->rules[i])
            return -ENOMEM;
        schedule_default(g->policies[i], 9100 + i);
    }
    for (int i = 0; i < ACCESS_NTYPES; i++)
        g->policies[RULE_APPROVAL]->schedules[0].offer[i].min_approvers = 1;
    g->policies[RULE_REASON]->schedules[0].require_reason = true;
    g->policies[RULE_TICKET]->schedules[0].require_ticket = true;
    return 0;
}

static int make_groups(struct generator *g)
{
    g->requesters = model_add_group(g->m, 9001, "Generated requesters");
    g->approvers = model_add_group(g->m, 9002, "Generated approvers");
    g->readers = model_add_group(g->m, 9003, "Generated directory readers");
    if (!g->requesters || !g->approvers || !g->readers)
        return -ENOMEM;
    g->readers->permissions = PERMIT_SYSTEMS | PERMIT_USERS | PERMIT_POLICIES;
    for (int i = 0; i < NRULES; i++)
        if (model_grant(g->m, g->requesters, g->rules[i], ROLE_REQUESTOR, g->policies[i]) ||
            model_grant(g->m, g->approvers, g->rules[i], ROLE_APPROVER, NULL))
            return -ENOMEM;
    return 0;
}

static int make_user(struct generator *g, int id, const char *name, const char *display,
                     struct model_group *group)
{
    struct model_user *u = model_add_user(g->m, id, name);

    if (!u || strings_replace(&u->display, display) || vec_push(&u->groups, group) ||
        secret_set(&u->password, GENERATE_PASSWORD, strlen(GENERATE_PASSWORD)))
        return -ENOMEM;
    return g->o->mfa ? secret_set(&u->mfa, GENERATE_MFA, strlen(GENERATE_MFA)) : 0;
}

static int make_users(struct generator *g)
{
    char name[64], display[64];
    int rc = make_user(g, FIRST_USER - 1, "svc-reader", "Directory reader", g->readers);

    for (uint64_t i = 1; i <= g->o->users && !rc; i++) {
        (void)snprintf(name, sizeof(name), "ACME\\user%llu", (unsigned long long)i);
        (void)snprintf(display, sizeof(display), "User %llu", (unsigned long long)i);
        rc = make_user(g, FIRST_USER + (int)i - 1, name, display, g->requesters);
    }
    for (uint64_t i = 1; i <= g->o->approvers && !rc; i++) {
        (void)snprintf(name, sizeof(name), "ACME\\approver%llu", (unsigned long long)i);
        rc = make_user(g, FIRST_USER + (int)(g->o->users + i) - 1, name, "Approver", g->approvers);
    }
    return rc;
}

/* The policies that want something govern the last systems. */
static struct model_rule *rule_of(const struct generator *g, uint64_t index)
{
    uint64_t left = g->o->systems - index; /* 1 for the last */

    if (left <= g->o->approval_systems)
        return g->rules[RULE_APPROVAL];
    left -= g->o->approval_systems;
    if (left <= g->o->reason_systems)
        return g->rules[RULE_REASON];
    left -= g->o->reason_systems;
    return g->rules[left <= g->o->ticket_systems ? RULE_TICKET : RULE_AUTO];
}

static struct model_account *make_account(struct generator *g, struct model_system *s, const char *name,
                                          const char *domain, struct model_rule *rule)
{
    struct model_account *a = model_add_account(g->m, g->next_account++, s, name, domain);

    if (!a || vec_push(&a->rules, rule))
        return NULL;
    a->max_concurrent = (int)g->o->max_concurrent;
    return a;
}

static int make_locals(struct generator *g, struct model_system *s, uint64_t index)
{
    static const char *const names[] = {"root", "admin", "backup", "deploy"};
    char name[32];

    for (uint64_t i = 0; i < g->o->local_accounts; i++) {
        struct model_account *a;
        if (i < 4)
            (void)snprintf(name, sizeof(name), "%s", names[i]);
        else
            (void)snprintf(name, sizeof(name), "local%llu", (unsigned long long)i);
        a = make_account(g, s, name, NULL, rule_of(g, index));
        if (!a)
            return -ENOMEM;
        if (i == 0 && index < g->o->ssh_keys) {
            a->has_key = true;
            a->has_passphrase = index % 2 == 1;
        }
        if (i == 1 && index < g->o->applications) {
            a->application_id = 500 + (int)index;
            ((struct model_pair *)a->pairs.item[0])->kind = KIND_APPLICATION;
            if (strings_replace(&a->application, "Ledger console"))
                return -ENOMEM;
        }
        if (model_index_account(g->m, a))
            return -ENOMEM;
    }
    return 0;
}

static struct model_system *make_system(struct generator *g, int id, const char *name, uint64_t index)
{
    struct model_system *s = model_add_system(g->m, id, name);
    char ip[32];

    (void)snprintf(ip, sizeof(ip), "10.%u.%u.%u", (unsigned)(30 + index / 62500 % 200),
                   (unsigned)(index / 250 % 250), (unsigned)(index % 250 + 1));
    if (!s || strings_replace(&s->ip, ip) || names_add(&g->m->system_ips, ip, s))
        return NULL;
    s->platform = index % 3 == 2 ? 25 : 2;
    return s;
}

static int make_systems(struct generator *g, const struct model_system *directory)
{
    int first = directory ? g->next_account - (int)g->o->domain_accounts : 0;
    char name[32];

    for (uint64_t i = 0; i < g->o->systems; i++) {
        struct model_system *s;
        (void)snprintf(name, sizeof(name), "srv%llu", (unsigned long long)i + 1);
        s = make_system(g, FIRST_SYSTEM + (int)i, name, i);
        if (!s || make_locals(g, s, i))
            return -ENOMEM;
        for (uint64_t k = 0; directory && k < g->o->domain_links && k < g->o->domain_accounts; k++) {
            uint64_t pick = (i + k * 7) % g->o->domain_accounts;
            if (model_link(g->m, s, model_account(g->m, first + (int)pick)))
                return -ENOMEM;
        }
    }
    return 0;
}

/* The directory's accounts are governed by auto-approval whatever system they are used on. */
static int make_directory(struct generator *g, struct model_system **out)
{
    char name[32], upn[64];

    if (g->o->domain_accounts == 0)
        return 0;
    *out = model_add_system(g->m, FIRST_SYSTEM - 1, "acme.test");
    if (!*out)
        return -ENOMEM;
    (*out)->is_directory = true;
    (*out)->platform = 12;
    for (uint64_t i = 1; i <= g->o->domain_accounts; i++) {
        struct model_account *a;
        (void)snprintf(name, sizeof(name), "adm%llu", (unsigned long long)i);
        (void)snprintf(upn, sizeof(upn), "%s@acme.test", name);
        a = make_account(g, *out, name, "acme.test", g->rules[RULE_AUTO]);
        if (!a || strings_replace(&a->upn, upn) || model_index_account(g->m, a))
            return -ENOMEM;
    }
    return 0;
}

static int make_databases(struct generator *g)
{
    char name[32];

    for (uint64_t i = 0; i < g->o->databases; i++) {
        struct model_system *s;
        struct model_account *a;
        (void)snprintf(name, sizeof(name), "db%llu", (unsigned long long)i + 1);
        s = make_system(g, FIRST_SYSTEM + (int)(g->o->systems + i), name, g->o->systems + i);
        if (!s || strings_replace(&s->instance, "ORCL"))
            return -ENOMEM;
        s->is_database = true;
        s->platform = 8;
        a = make_account(g, s, "oracle", NULL, g->rules[RULE_AUTO]);
        if (!a || model_index_account(g->m, a))
            return -ENOMEM;
    }
    return 0;
}

int generate(struct model *m, const struct generate_opts *o)
{
    struct generator g = {.m = m, .o = o, .next_account = FIRST_SYSTEM};
    struct model_system *directory = NULL;

    if (o->users == 0 && o->systems == 0)
        return 0;
    if (make_policies(&g) || make_groups(&g) || make_users(&g) || make_directory(&g, &directory) ||
        make_systems(&g, directory) || make_databases(&g))
        return -ENOMEM;
    return 0;
}
