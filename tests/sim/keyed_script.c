/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keyed_script.c - scripts of worlds with a vault without numbers (keyed_vault.h).
 *
 * Few accounts and many sessions, so that check-outs and check-ins of a key meet; lost and late calls, never
 * later than `settle`; processes that die.
 */
#include "rng.h"
#include "script.h"

#include <string.h>

#define SECOND  UINT64_C(1000)
#define MINUTE  (60 * SECOND)
#define LATE_MS 20000 /* a call that is lost arrives before `settle` is over */
#define MODES   16    /* vault.h has as many kinds of fault */
/* Some of these, and of the calls, by their numbers there. */
enum { CALL_SIGN_IN = 1, CALL_SIGN_OUT = 2, CALL_CHECKOUT = 5, CALL_CHECKIN = 7 };
enum { FAULT_LOST_AFTER = 2, FAULT_STUCK = 3, FAULT_SILENT = 4, FAULT_PAGE_AFTER = 10 };

static void setup_make(struct setup *s, struct rng *r)
{
    *s = (struct setup){.keyed = 1,
                        .users = rng_between(r, 1, SETUP_USERS),
                        .accounts = rng_between(r, 1, 3),
                        .release_minutes = rng_between(r, 1, 60),
                        .session_idle_minutes = rng_between(r, 1, 10),
                        .connections = rng_between(r, 1, 8),
                        .sessions_per_user = 1,
                        .reconcile_minutes = 5,
                        .strict = rng_chance(r, 60),
                        .latency_ms = rng_chance(r, 70) ? rng_between(r, 2, 60) : rng_between(r, 100, 2000)};
    for (unsigned a = 0; a < s->accounts; a++) {
        s->account[a].rotate = rng_chance(r, 50);
        for (unsigned u = 0; u < s->users; u++)
            s->entitled[u][a] = rng_chance(r, 85);
    }
}

static uint64_t any_time(struct rng *r)
{
    return rng_next(r) % SCRIPT_MS;
}

static unsigned flags(struct rng *r)
{
    unsigned all = 0;

    all |= rng_chance(r, 15) ? SEND_IN_PIECES : 0;
    all |= rng_chance(r, 25) ? SEND_ON_OPEN : 0;
    all |= rng_chance(r, 10) ? SEND_SHORT_TIME : 0;
    all |= rng_chance(r, 25) ? SEND_DURATION : 0;
    all |= rng_chance(r, 30) ? SEND_REASON : 0;
    return all;
}

/* Sessions come and go within minutes, all of one account. */
static void add_rush(struct script *s, struct rng *r)
{
    uint64_t t = any_time(r);
    unsigned account = rng_below(r, s->setup.accounts), span = rng_chance(r, 50) ? 5000 : 120000;

    for (unsigned n = rng_between(r, 3, 16); n; n--) {
        unsigned session = rng_below(r, SETUP_SESSIONS);
        uint64_t at = t + rng_below(r, span);

        script_add(s, at, ACT_CHECKOUT, session, flags(r), account);
        if (rng_chance(r, 10))
            script_add(s, at + rng_below(r, 1000), ACT_LEAVE, 0, rng_below(r, 2), 0);
        if (rng_chance(r, 80))
            script_add(s, at + rng_below(r, span), rng_chance(r, 50) ? ACT_RELEASE : ACT_COMPLETE, session,
                       flags(r), account);
        if (rng_chance(r, 40))
            script_add(s, at + rng_below(r, span), ACT_CHECKOUT, session, flags(r), account);
        if (rng_chance(r, 30))
            script_add(s, at, ACT_FIND, session, flags(r), account);
    }
}

/* A call that is lost and arrives later, and a session that wants the key meanwhile. */
static void add_doubt(struct script *s, struct rng *r)
{
    static const unsigned lost[] = {FAULT_STUCK, FAULT_STUCK, FAULT_LOST_AFTER, FAULT_SILENT,
                                    FAULT_PAGE_AFTER};
    uint64_t t = any_time(r);
    unsigned account = rng_below(r, s->setup.accounts), session = rng_below(r, SETUP_SESSIONS);
    unsigned call = rng_chance(r, 50) ? CALL_CHECKOUT : CALL_CHECKIN;

    script_add(s, t, ACT_FAULT, call, lost[rng_below(r, 5)], rng_between(r, 8000, LATE_MS));
    script_add(s, t + 1, ACT_CHECKOUT, session, flags(r) & ~(unsigned)SEND_IN_PIECES, account);
    script_add(s, t + 2000 + rng_below(r, 3000), ACT_COMPLETE, session, 0, account);
    for (unsigned n = rng_below(r, 6); n; n--)
        script_add(s, t + rng_below(r, 60000), ACT_CHECKOUT, rng_below(r, SETUP_SESSIONS), flags(r), account);
    if (rng_chance(r, 30))
        script_add(s, t + rng_below(r, 40000), ACT_KILL, 0, 0, rng_below(r, 30000));
}

static void add_some(struct script *s, struct rng *r, enum act_kind kind, unsigned most, unsigned a,
                     unsigned b, unsigned c)
{
    for (unsigned n = rng_below(r, most + 1); n; n--)
        script_add(s, any_time(r), kind, rng_below(r, a + 1), rng_below(r, b + 1), rng_below(r, c + 1));
}

static void add_vault_acts(struct script *s, struct rng *r)
{
    static const unsigned calls[] = {CALL_SIGN_IN,  CALL_SIGN_OUT, CALL_CHECKOUT,
                                     CALL_CHECKOUT, CALL_CHECKIN,  CALL_CHECKIN};
    unsigned last = s->setup.accounts - 1;

    for (unsigned n = rng_below(r, 50); n; n--)
        script_add(s, any_time(r), ACT_FAULT, calls[rng_below(r, 6)], rng_below(r, MODES),
                   rng_below(r, LATE_MS));
    add_some(s, r, ACT_VAULT_DOWN, 2, 600, 1, 0);
    add_some(s, r, ACT_VAULT_FORGET, 4, 0, 0, 0);
    add_some(s, r, ACT_VAULT_HANG_UP, 5, 0, 0, 0);
    add_some(s, r, ACT_TERMINATE, 4, 0, 0, last);
    add_some(s, r, ACT_OWN, 6, 0, 0, last);
    add_some(s, r, ACT_OWN_END, 12, 0, 0, last);
}

static void add_machine_acts(struct script *s, struct rng *r)
{
    add_some(s, r, ACT_STORE_FAILS, 2, 300, 0, 0);
    add_some(s, r, ACT_STORE_SLOW, 2, 600, 3000, 0);
    add_some(s, r, ACT_TRAIL_FAILS, 1, 300, 0, 0);
    add_some(s, r, ACT_CRASH, 4, 10, 3, 60000);
    add_some(s, r, ACT_KILL, 6, 12, 1, 60000);
    add_some(s, r, ACT_STOP, 3, 0, 0, 60000);
}

void script_make_keyed(struct script *s, uint64_t seed)
{
    struct rng r = {seed ^ UINT64_C(0x4B45594544)};

    *s = (struct script){.seed = seed};
    setup_make(&s->setup, &r);
    for (unsigned n = rng_between(&r, 3, 20); n; n--)
        add_rush(s, &r);
    add_some(s, &r, ACT_LIST, 4, 0, 0, 0);
    add_some(s, &r, ACT_STATUS, 6, STATUS_NPAGES - 1, 0, 0);
    if (rng_chance(&r, 85))
        add_vault_acts(s, &r);
    if (rng_chance(&r, 60))
        add_machine_acts(s, &r);
    for (unsigned n = rng_below(&r, 8); n; n--)
        add_doubt(s, &r);
    script_sort(s);
}
