/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vault.c - the state of the simulated Password Safe: requests, accounts, sessions; see vault.h.
 *
 * A request of the same user and account is handed over again (`reuse`); the requests of others are in the
 * way up to the account's limit. A request ends by check-in, by its time, by a denial or by an administrator;
 * then the password of an account that rotates is another one.
 */
#include "vault.h"

#include <stdlib.h>
#include <string.h>

int64_t vault_wall(const struct vault_sim *v)
{
    return world_wall(v->world) + v->ahead_ms;
}

bool vault_entitles(const struct vault_sim *v, unsigned user, unsigned account)
{
    return user < v->world->setup.users && account < v->world->setup.accounts && v->entitled[user][account];
}

/* ---- secrets ---- */

/* Letters that JSON escapes are part of every password. */
void vault_secret(const struct vault_sim *v, unsigned account, unsigned version, char out[VAULT_SECRET_SIZE])
{
    (void)v;
    (void)snprintf(out, VAULT_SECRET_SIZE, "pw\"%u\\%u/\t%x", account, version,
                   account * 7919 + version * 104729);
}

bool vault_secret_of(const struct vault_sim *v, const char *secret, unsigned *account, unsigned *version)
{
    char again[VAULT_SECRET_SIZE];

    if (sscanf(secret, "pw\"%u\\%u/", account, version) != 2)
        return false;
    vault_secret(v, *account, *version, again);
    return strcmp(secret, again) == 0;
}

static void rotate(struct vault_sim *v, unsigned account)
{
    if (account >= SETUP_ACCOUNTS)
        return;
    v->version[account]++;
    counts_add(v->world->counts, 1, "vault.rotated");
    world_note(v->world, "vault: account %u has password %u", account, v->version[account]);
}

/* ---- requests ---- */

static const char *const end_words[] = {"none", "checkin", "expired", "denied", "admin"};

void vault_end(struct vault_sim *v, struct vault_entry *e, enum vault_request_end how)
{
    world_note(v->world, "vault: request %u ends: %s", e->id, end_words[how]);
    counts_add(v->world->counts, 1, "vault.end_%s", end_words[how]);
    bool read = e->read_ms;

    e->state = VAULT_ENDED;
    e->end = how;
    e->ended_ms = v->world->now_ms;
    if (read && v->world->setup.account[e->account].rotate)
        rotate(v, e->account);
}

void vault_settle(struct vault_sim *v)
{
    struct vault_entry *e;

    STAILQ_FOREACH(e, &v->requests, link)
    if (vault_live(e) && e->expires_wall_ms <= vault_wall(v))
        vault_end(v, e, VAULT_END_EXPIRED);
}

struct vault_entry *vault_find(struct vault_sim *v, unsigned id)
{
    struct vault_entry *e;

    STAILQ_FOREACH(e, &v->requests, link)
    if (e->id == id)
        return e;
    return NULL;
}

static bool is_in_the_way(const struct vault_sim *v, unsigned user, unsigned account)
{
    unsigned limit = v->world->setup.account[account].concurrent, others = 0;
    const struct vault_entry *e;

    STAILQ_FOREACH(e, &v->requests, link)
    others += vault_live(e) && e->account == account && e->user != user;
    return limit && others >= limit;
}

struct vault_entry *vault_make(struct vault_sim *v, unsigned user, unsigned account, unsigned minutes,
                               const char *reason, bool own)
{
    if (is_in_the_way(v, user, account))
        return NULL;
    struct vault_entry *e = calloc(1, sizeof *e);
    if (!e)
        abort();
    e->id = ++v->last_request;
    e->user = user;
    e->account = account;
    e->own = own;
    e->state = v->world->setup.account[account].approval ? VAULT_PENDING : VAULT_ACTIVE;
    e->wanted_approval = e->state == VAULT_PENDING;
    e->stray = v->strays;
    e->made_ms = v->world->now_ms;
    e->waits_until_ms = e->made_ms + world_approval_wait_ms(v->world);
    e->minutes = minutes;
    e->expires_wall_ms = vault_wall(v) + (int64_t)minutes * 60000;
    (void)snprintf(e->reason, sizeof e->reason, "%s", reason);
    STAILQ_INSERT_TAIL(&v->requests, e, link);
    world_note(v->world, "vault: request %u of user %u for account %u, %u min, %s%s", e->id, user, account,
               minutes, e->state == VAULT_PENDING ? "pending" : "active", own ? ", by hand" : "");
    counts_add(v->world->counts, 1, own ? "vault.made_by_hand" : "vault.made");
    return e;
}

/* ---- acts ---- */

/* The n-th (beginning again at the last one) that fits. */
static struct vault_entry *pick(struct vault_sim *v, bool (*fits)(const struct vault_entry *), unsigned n)
{
    struct vault_entry *e, *found = NULL;

    STAILQ_FOREACH(e, &v->requests, link)
    if (fits(e)) {
        found = e;
        if (!n--)
            break;
    }
    return found;
}

static bool is_pending(const struct vault_entry *e)
{
    return e->state == VAULT_PENDING;
}

static bool is_own(const struct vault_entry *e)
{
    return vault_live(e) && e->own;
}

static void approve(struct vault_sim *v, struct vault_entry *e)
{
    if (!e)
        return;
    e->state = VAULT_ACTIVE;
    world_note(v->world, "vault: request %u is approved", e->id);
    counts_add(v->world->counts, 1, "vault.approved");
}

static void end_picked(struct vault_sim *v, struct vault_entry *e, enum vault_request_end how)
{
    if (e)
        vault_end(v, e, how);
}

static void make_own(struct vault_sim *v, const struct act *act)
{
    struct vault_entry *e;

    if (!vault_entitles(v, act->a, act->c))
        return;
    STAILQ_FOREACH(e, &v->requests, link)
    if (vault_live(e) && e->user == act->a && e->account == act->c)
        return;
    (void)vault_make(v, act->a, act->c, world_is_cluster(v->world) ? 5 : 30, "by hand", true);
}

static void forget_sessions(struct vault_sim *v)
{
    struct vault_session *s;

    while ((s = STAILQ_FIRST(&v->sessions))) {
        STAILQ_REMOVE_HEAD(&v->sessions, link);
        free(s);
    }
}

static void turn_entitlement(struct vault_sim *v, const struct act *act)
{
    if (act->a >= SETUP_USERS || act->c >= SETUP_ACCOUNTS)
        return;
    v->entitled[act->a][act->c] ^= true;
    v->entitled_ms[act->a][act->c] = v->world->now_ms;
}

void vault_act(struct vault_sim *v, const struct act *act)
{
    vault_settle(v);
    if (act->kind != ACT_APPROVE)
        world_disturbed(v->world);
    switch (act->kind) {
    case ACT_VAULT_FORGET: forget_sessions(v); break;
    case ACT_ENTITLE: turn_entitlement(v, act); break;
    case ACT_APPROVE: approve(v, pick(v, is_pending, act->a)); break;
    case ACT_DENY: end_picked(v, pick(v, is_pending, act->a), VAULT_END_DENIED); break;
    case ACT_TERMINATE: end_picked(v, pick(v, vault_live, act->a), VAULT_END_ADMIN); break;
    case ACT_ROTATE: rotate(v, act->c); break;
    case ACT_OWN: make_own(v, act); break;
    case ACT_OWN_END: end_picked(v, pick(v, is_own, act->a), VAULT_END_CHECKIN); break;
    case ACT_VAULT_CLOCK: v->ahead_ms = act->b ? -(int64_t)act->a * 1000 : (int64_t)act->a * 1000; break;
    default: link_side_act(v->links, act);
    }
}

void vault_heal(struct vault_sim *v)
{
    link_side_heal(v->links);
}

/* ---- life ---- */

struct vault_sim *vault_new(struct world *w)
{
    struct vault_sim *v = calloc(1, sizeof *v);

    if (!v)
        abort();
    v->world = w;
    STAILQ_INIT(&v->requests);
    STAILQ_INIT(&v->sessions);
    STAILQ_INIT(&v->reads);
    for (unsigned u = 0; u < SETUP_USERS; u++)
        for (unsigned a = 0; a < SETUP_ACCOUNTS; a++)
            v->entitled[u][a] = w->setup.entitled[u][a];
    v->links = link_side_new(w);
    return v;
}

void vault_free(struct vault_sim *v)
{
    struct vault_entry *e;
    struct vault_read *r;

    link_side_free(v->links);
    forget_sessions(v);
    while ((e = STAILQ_FIRST(&v->requests))) {
        STAILQ_REMOVE_HEAD(&v->requests, link);
        free(e);
    }
    while ((r = STAILQ_FIRST(&v->reads))) {
        STAILQ_REMOVE_HEAD(&v->reads, link);
        free(r);
    }
    free(v);
}
