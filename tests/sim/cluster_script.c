/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cluster_script.c - the setup and the acts of a world of several gateways; see script.h.
 *
 * Such a world is short, since a gateway writes to etcd each second: some minutes of acts, leases of some
 * minutes, few users and accounts, so that sessions meet. Each act goes to any gateway: what a session checks
 * out at one it releases at another. Each seed draws which kinds of disturbance it has; some have none, and
 * nothing excuses a late end in these.
 */
#include "script.h"

#include "rng.h"

#define SECOND UINT64_C(1000)
#define MINUTE (60 * SECOND)
#define FAULTS 16
#define VAULTS 10               /* calls of the vault */
#define ETCDS  4                /* calls of etcd */
#define SITES  6                /* calls of the site */
enum { CHECKIN = 7, SLOW = 0 }; /* of these */

struct maker {
    struct script *script;
    struct rng rng;
    uint64_t ms; /* of acts */
    unsigned nodes;
};

static unsigned below(struct maker *m, unsigned n)
{
    return rng_below(&m->rng, n);
}

static void add(struct maker *m, uint64_t at_ms, enum act_kind kind, unsigned a, unsigned b, unsigned c)
{
    script_add(m->script, at_ms, kind, a, b, c);
}

/* In the high bits of b: any gateway. */
static unsigned at_any(struct maker *m)
{
    return below(m, m->nodes) << ACT_NODE_SHIFT;
}

static uint64_t any_time(struct maker *m)
{
    return rng_next(&m->rng) % m->ms;
}

/* ---- setup ---- */

static void setup_clocks(struct setup *s, struct rng *r)
{
    for (unsigned k = 0; k < SETUP_NODES; k++) {
        s->clock[k].rate = rng_chance(r, 50) ? SETUP_RATE : rng_below(r, 2 * SETUP_RATE + 1);
        s->clock[k].ahead_s = rng_chance(r, 50) ? SETUP_AHEAD_S : rng_below(r, 2 * SETUP_AHEAD_S + 1);
    }
}

static void setup_site(struct setup *s, struct rng *r)
{
    s->site = rng_chance(r, 60) ? 1 + rng_below(r, 3) : 0; /* enum site_use */
    s->site_ahead_s = rng_chance(r, 50) ? rng_below(r, 300) : 0;
    s->probe_s = rng_between(r, 10, 30);
    s->poll_s = rng_between(r, 5, 20);
}

/* The gateways have two names for a user of the vault. */
static void setup_run_as(struct setup *s, uint64_t seed)
{
    struct rng r = {seed ^ UINT64_C(0x52554E4153)};

    s->full_name = rng_chance(&r, 20) ? rng_between(&r, 1, (1U << SETUP_NODES) - 2) : 0;
}

static void setup_make(struct setup *s, uint64_t seed)
{
    struct rng r = {seed ^ UINT64_C(0x434C5553544552)};

    *s = (struct setup){.users = rng_between(&r, 1, 3),
                        .accounts = rng_between(&r, 1, 3),
                        .nodes = rng_between(&r, 2, 3),
                        .minutes = rng_between(&r, 5, 15),
                        .ttl_s = rng_chance(&r, 70) ? 6 : rng_between(&r, 3, 8),
                        .etcd_users = rng_chance(&r, 30),
                        .release_minutes = rng_between(&r, 1, 8),
                        .session_idle_minutes = rng_between(&r, 1, 15),
                        .connections = rng_between(&r, 2, 8),
                        .sessions_per_user = rng_between(&r, 1, 4),
                        .reconcile_minutes = rng_between(&r, 1, 5),
                        .strict = rng_chance(&r, 60),
                        .latency_ms =
                            rng_chance(&r, 70) ? rng_between(&r, 2, 60) : rng_between(&r, 100, 1500)};
    for (unsigned a = 0; a < s->accounts; a++) {
        s->account[a].rotate = rng_chance(&r, 60);
        s->account[a].isa = rng_chance(&r, 10);
        s->account[a].concurrent = rng_chance(&r, 15);
        s->account[a].max_minutes = 480;
        s->account[a].approval = rng_chance(&r, 10);
    }
    s->checkin_ms = rng_chance(&r, 15) ? rng_between(&r, 500, 4000) : 0;
    setup_site(s, &r);
    for (unsigned u = 0; u < s->users; u++)
        for (unsigned a = 0; a < s->accounts; a++)
            s->entitled[u][a] = 1;
    setup_clocks(s, &r);
    s->approval_wait_s = rng_chance(&r, 60) ? 30 * rng_between(&r, 1, 8) : 0;
    setup_run_as(s, seed);
}

/* ---- sessions ---- */

static uint64_t soon(struct maker *m)
{
    return below(m, 100) < 40 ? below(m, 100) : below(m, 4000);
}

static unsigned flags(struct maker *m)
{
    return at_any(m) | (below(m, 100) < 30 ? SEND_REASON : 0) | (below(m, 100) < 15 ? SEND_IN_PIECES : 0) |
           (below(m, 100) < 10 ? SEND_SHORT_TIME : 0);
}

/* The site says that it has ended: at any gateway, in order, twice, late, or never. */
static void add_end(struct maker *m, unsigned session, uint64_t t)
{
    add(m, t, ACT_SESSION_END, session, below(m, 8) | at_any(m),
        below(m, 100) < 70 ? below(m, 2000) : below(m, 2 * (unsigned)MINUTE));
}

/* The approver's word, for or against, in time or not. */
static void add_approval(struct maker *m, uint64_t t)
{
    unsigned ms = 1000 * m->script->setup.approval_wait_s + 3000;

    add(m, t + below(m, ms), below(m, 4) ? ACT_APPROVE : ACT_DENY, below(m, 2), at_any(m), 0);
}

static void add_session(struct maker *m, unsigned session)
{
    const struct setup *s = &m->script->setup;
    unsigned account = below(m, s->accounts);
    unsigned site =
        s->site && below(m, 100) < 60 ? SEND_LSID : 0; /* it is known to the site, which ends it */
    uint64_t t = any_time(m);

    if (below(m, 3) == 0)
        add(m, t, ACT_FIND, session, flags(m), account);
    add(m, t += soon(m), ACT_CHECKOUT, session, flags(m) | site, account);
    if (s->account[account].approval)
        add_approval(m, t);
    if (site && below(m, 100) < 20) /* while the check-out is on its way */
        add_end(m, session, t + below(m, 1000));
    for (unsigned more = below(m, 4); more;
         more--) /* at another gateway, while the first one is asked or later */
        add(m, t + soon(m) * (1 + (below(m, 3) ? 0 : below(m, 60))), ACT_CHECKOUT, session, flags(m) | site,
            account);
    if (below(m, 100) < 20)
        add(m, t + soon(m), ACT_STARTED, session, flags(m) | site, account);
    if (below(m, 100) < 15) /* its client goes away, and asks again */
        add(m, t + below(m, 3000), ACT_LEAVE, below(m, 2), below(m, 2), 0);
    t += below(m, 100) < 40 ? soon(m) : SECOND * rng_between(&m->rng, 1, 300);
    if (site)
        add_end(m, session, t);
    if (site && below(m, 100) < 60)
        return;
    if (below(m, 100) < 60)
        add(m, t, ACT_RELEASE, session, flags(m), account);
    if (below(m, 100) < 40)
        add(m, t + soon(m), ACT_COMPLETE, session, flags(m), account);
    if (below(m, 100) < 20)
        add(m, t + soon(m), ACT_CHECKOUT, session, flags(m), account);
}

/* Many sessions want one account, and let it go, within seconds. */
static void add_rush(struct maker *m)
{
    uint64_t t = any_time(m);
    unsigned account = below(m, m->script->setup.accounts);

    for (unsigned n = rng_between(&m->rng, 3, 12); n; n--) {
        unsigned session = below(m, SETUP_SESSIONS);

        add(m, t + below(m, 3000), ACT_CHECKOUT, session, flags(m), account);
        if (below(m, 2))
            add(m, t + below(m, 6000), ACT_RELEASE, session, flags(m), account);
    }
}

/* A gateway dies in the act of a check-out or a release, and no new one comes before others are due to have
 * its rows. */
static void add_death_in_the_act(struct maker *m)
{
    uint64_t t = any_time(m);
    unsigned session = below(m, SETUP_SESSIONS), account = below(m, m->script->setup.accounts),
             at = at_any(m);

    add(m, t, ACT_CHECKOUT, session, at, account);
    if (below(m, 2))
        add(m, t += rng_between(&m->rng, 1000, 20000), ACT_RELEASE, session, at_any(m), account);
    add(m, t, ACT_KILL, 1 + below(m, 6), below(m, 2) | at, rng_between(&m->rng, 20000, 60000));
}

static unsigned session_of(struct maker *m, unsigned user)
{
    unsigned users = m->script->setup.users;

    return user + users * below(m, SETUP_SESSIONS / users);
}

/* A session lets go of its request while the vault hands that to another session, at a gateway whose etcd is
 * slow: the last holder may go between the look at the row and the `open`. */
static void add_crossing(struct maker *m)
{
    unsigned user = below(m, m->script->setup.users), account = below(m, m->script->setup.accounts);
    unsigned first = below(m, m->nodes), second = (first + 1 + below(m, m->nodes - 1)) % m->nodes;
    unsigned holder = session_of(m, user), other = session_of(m, user);
    uint64_t t = any_time(m);

    add(m, t, ACT_CHECKOUT, holder, first << ACT_NODE_SHIFT, account);
    t += rng_between(&m->rng, 4000, 12000);
    add(m, t, ACT_ETCD_SLOW, 20, second << ACT_NODE_SHIFT, rng_between(&m->rng, 300, 1200));
    add(m, t, ACT_CHECKOUT, other, second << ACT_NODE_SHIFT, account);
    add(m, t + below(m, 6000), ACT_RELEASE, holder, first << ACT_NODE_SHIFT, account);
    add(m, t + rng_between(&m->rng, 10000, 60000), ACT_RELEASE, other, at_any(m), account);
}

/* Each user has a request for each account, and all are listed. */
static void add_lists(struct maker *m)
{
    const struct setup *s = &m->script->setup;
    uint64_t t = any_time(m);

    for (unsigned user = 0; user < s->users; user++)
        for (unsigned account = 0; account < s->accounts; account++)
            add(m, t + below(m, 3000), ACT_CHECKOUT, session_of(m, user), at_any(m), account);
    for (unsigned n = rng_between(&m->rng, 2, 6); n; n--)
        add(m, t + rng_between(&m->rng, 5000, 40000), ACT_LIST, 0, at_any(m), 0);
}

/* ---- what disturbs ---- */

static void add_some(struct maker *m, enum act_kind kind, unsigned most, unsigned a, unsigned b, unsigned c)
{
    for (unsigned n = below(m, most + 1); n; n--)
        add(m, any_time(m), kind, below(m, a + 1), below(m, b + 1) | at_any(m), below(m, c + 1));
}

static void add_pauses(struct maker *m)
{
    unsigned ttl_ms = m->script->setup.ttl_s * 1000;
    const unsigned lengths[] = {1000, ttl_ms - 1000, ttl_ms + 5000, 60000, ttl_ms / 3 + 100, ttl_ms};

    for (unsigned n = rng_between(&m->rng, 1, 4); n; n--)
        add(m, any_time(m), ACT_PAUSE, below(m, 2) * below(m, 12), at_any(m),
            lengths[below(m, sizeof lengths / sizeof *lengths)]);
}

static void add_deaths(struct maker *m)
{
    for (unsigned n = below(m, 4); n; n--)
        add(m, any_time(m), ACT_KILL, below(m, 2) * below(m, 20), below(m, 2) | at_any(m),
            below(m, 100) < 15 ? UINT32_MAX : below(m, 40000));
    add_some(m, ACT_STOP, 2, 0, 0, 20000);
    add_some(m, ACT_CRASH, 2, 10, 3, 40000);
}

static void add_partitions(struct maker *m)
{
    for (unsigned n = rng_between(&m->rng, 1, 3); n; n--)
        add(m, any_time(m), ACT_PARTITION, rng_between(&m->rng, 1, 40),
            rng_between(&m->rng, 1, 31) | at_any(m), 0);
}

static void add_etcd_acts(struct maker *m)
{
    add_some(m, ACT_ETCD_FAULT, 40, ETCDS - 1, FAULTS - 1, 8000);
    add_some(m, ACT_ETCD_DOWN, 3, 30, ETCD_NDOWNS - 1, 7);
    add_some(m, ACT_ETCD_SLOW, 2, 60, 0, 2500);
    add_some(m, ACT_ETCD_FORGET, 2, 0, 0, 0);
}

/* etcd reaches its quota while steps of many sessions at one gateway gather for the next transaction. */
static void add_full(struct maker *m)
{
    unsigned at = below(m, m->nodes) << ACT_NODE_SHIFT, accounts = m->script->setup.accounts;
    uint64_t t = any_time(m);

    add(m, t, ACT_ETCD_SLOW, 20, at, rng_between(&m->rng, 200, 900));
    for (unsigned n = rng_between(&m->rng, 2, 12); n; n--) {
        unsigned session = session_of(m, below(m, m->script->setup.users)), account = below(m, accounts);

        add(m, t + below(m, 3000), ACT_CHECKOUT, session, at, account);
        if (below(m, 2))
            add(m, t + 3000 + below(m, 9000), ACT_RELEASE, session, at, account);
        if (below(m, 2))
            add(m, t + 3000 + below(m, 9000), ACT_CHECKOUT, session_of(m, 0), at, account);
    }
    add(m, t + 4000 + below(m, 6000), ACT_ETCD_FULL, rng_between(&m->rng, 1, 30), below(m, 4) | at, 0);
}

static void add_vault_acts(struct maker *m)
{
    add_some(m, ACT_FAULT, 20, VAULTS - 1, FAULTS - 1, 15000);
    add_some(m, ACT_VAULT_DOWN, 1, 60, 1, 0);
    add_some(m, ACT_VAULT_FORGET, 2, 0, 0, 0);
    add_some(m, ACT_VAULT_HANG_UP, 3, 0, 0, 0);
    add_some(m, ACT_TERMINATE, 2, 5, 0, 0);
    add_some(m, ACT_OWN, 3, m->script->setup.users - 1, 0, m->script->setup.accounts - 1);
    add_some(m, ACT_OWN_END, 3, 3, 0, 0);
}

/* Each user takes all accounts at this gateway, and gives them back a little later. */
static void add_turn(struct maker *m, uint64_t t, unsigned at)
{
    const struct setup *s = &m->script->setup;

    for (unsigned user = 0; user < s->users; user++)
        for (unsigned account = 0; account < s->accounts; account++) {
            unsigned session = session_of(m, user);

            add(m, t + below(m, 2000), ACT_CHECKOUT, session, at, account);
            add(m, t + 12000 + below(m, 300), ACT_RELEASE, session, at, account);
        }
}

/* A gateway is fenced while requests are being checked in by it, and has to check others in later. */
static void add_fence_at_checkins(struct maker *m)
{
    const struct setup *s = &m->script->setup;
    uint64_t t = rng_next(&m->rng) % (m->ms - 4 * MINUTE);
    unsigned at = at_any(m);

    add_turn(m, t, at);
    for (unsigned n = s->users * s->accounts; n; n--)
        add(m, t + 12000, ACT_FAULT, CHECKIN, SLOW, 9000);
    add(m, t + 12500, ACT_PAUSE, 0, at, s->ttl_s * 1000 + 2000);
    add_turn(m, t + 2 * MINUTE, at);
}

/* Gateways are started while the vault is away. */
static void add_dark_start(struct maker *m)
{
    uint64_t t = any_time(m);
    unsigned seconds = rng_between(&m->rng, 20, 120);

    add(m, t, ACT_VAULT_DOWN, seconds, below(m, 2), 0);
    for (unsigned n = rng_between(&m->rng, 1, 3); n; n--)
        add(m, t + below(m, 10000), below(m, 2) ? ACT_KILL : ACT_STOP, 0, at_any(m), below(m, 5000));
    for (unsigned n = 10; n; n--)
        add(m, t + below(m, (seconds + 90) * 1000), ACT_STATUS, below(m, STATUS_NPAGES), at_any(m), 0);
}

/* Each gateway is given it in its turn. */
static void add_reload(struct maker *m)
{
    uint64_t t = any_time(m);
    unsigned first = below(m, m->nodes);

    unsigned change = below(m, RELOAD_NCHANGES);

    add(m, t, ACT_RELOAD, change, below(m, 9) | first << ACT_NODE_SHIFT, 0);
    for (unsigned k = 1; k < m->nodes; k++)
        add(m, t += below(m, 30000), ACT_RELOAD, RELOAD_FOLLOW, (first + k) % m->nodes << ACT_NODE_SHIFT, 0);
}

static void add_site_acts(struct maker *m)
{
    add_some(m, ACT_SITE_EVENT, 6, SETUP_SESSIONS - 1, 5, 3000);
    add_some(m, ACT_END_SESSION, 6, 7, 0, 0);
    if (below(m, 100) < 60)
        return;
    add_some(m, ACT_SITE_FAULT, 20, SITES - 1, FAULTS - 1, 8000);
    add_some(m, ACT_SITE_DOWN, 2, 120, 1, 0);
}

/* All members are away, and come back with what a backup has. */
static void add_restore(struct maker *m)
{
    uint64_t t = any_time(m), back = t + SECOND * rng_between(&m->rng, 1, 240);

    add(m, t, ACT_ETCD_BACKUP, 0, 0, 0);
    if (below(m, 2))
        add(m, back - below(m, (unsigned)SECOND), ACT_ETCD_DOWN, rng_between(&m->rng, 1, 20), 0, 3);
    add(m, back, ACT_ETCD_RESTORE, 0, below(m, 2), 0);
}

void script_make_cluster(struct script *s, uint64_t seed)
{
    struct maker m = {s, {seed ^ UINT64_C(0x41435453)}, 0, 0};

    *s = (struct script){.seed = seed};
    setup_make(&s->setup, seed);
    m.ms = script_ms(&s->setup);
    m.nodes = s->setup.nodes;
    for (unsigned n = rng_between(&m.rng, 4, 40), i = 0; i < n; i++)
        add_session(&m, i);
    for (unsigned n = below(&m, 4); n; n--)
        add_rush(&m);
    add_some(&m, ACT_LIST, 4, 0, 0, 0);
    add_some(&m, ACT_STATUS, 4, STATUS_NPAGES - 1, 0, 0);
    add_some(&m, ACT_OPERATOR_RELEASE, 3, 7, 0, 0);
    if (s->setup.site)
        add_site_acts(&m);
    for (unsigned n = below(&m, 100) < 25 ? rng_between(&m.rng, 1, 4) : 0; n; n--)
        add_death_in_the_act(&m);
    for (unsigned n = below(&m, 100) < 30 ? rng_between(&m.rng, 1, 3) : 0; n; n--)
        add_reload(&m);
    if (below(&m, 100) < 15)
        add_restore(&m);
    if (below(&m, 100) < 50)
        add_deaths(&m);
    if (below(&m, 100) < 40)
        add_pauses(&m);
    if (below(&m, 100) < 30)
        add_partitions(&m);
    if (below(&m, 100) < 40)
        add_etcd_acts(&m);
    if (below(&m, 100) < 30)
        add_vault_acts(&m);
    for (unsigned n = below(&m, 100) < 30 ? rng_between(&m.rng, 1, 4) : 0; n; n--)
        add_crossing(&m);
    if (s->setup.users * s->setup.accounts > 2 && below(&m, 100) < 30)
        add_lists(&m);
    if (below(&m, 100) < 10)
        add_fence_at_checkins(&m);
    if (below(&m, 100) < 10)
        add_dark_start(&m);
    for (unsigned n = below(&m, 100) < 30 ? rng_between(&m.rng, 1, 3) : 0; n; n--)
        add_full(&m);
    script_sort(s);
}
