/* SPDX-License-Identifier: Apache-2.0 */
/*
 * script.c - from a seed to its setup and its acts; see script.h.
 *
 * Most acts belong to stories: a person opens a session, finds, checks out, works, releases or does not. The
 * others disturb. Each seed draws how much of which disturbance it has, so that some worlds have one kind
 * alone and some have all at once.
 */
#include "script.h"

#include "rng.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define SECOND     UINT64_C(1000)
#define MINUTE     (60 * SECOND)
#define ACTS_MAX   100000
#define MODES      16 /* vault.h has as many kinds of fault at most */
#define CALL_KINDS 10
/* Some of these, by their numbers there. */
enum { CALL_REQUEST = 5, CALL_CREDENTIAL = 6, CALL_CHECKIN = 7, CALL_ISA = 9 };
enum {
    FAULT_SLOW = 0,
    FAULT_LOST_AFTER = 2,
    FAULT_PAGE_AFTER = 10,
    FAULT_REFUSED = 12,
    FAULT_FAILED_AFTER = 14,
    FAULT_EMPTY = 15
};
#define SITE_CALLS 6 /* ... and as many calls of the site */

#define SETUP_NUMBERS (sizeof(struct setup) / sizeof(unsigned))

/* ---- setup ---- */

static void setup_accounts(struct setup *s, struct rng *r)
{
    for (unsigned a = 0; a < s->accounts; a++) {
        s->account[a].concurrent = rng_below(r, 3);
        s->account[a].approval = rng_chance(r, 20);
        s->account[a].rotate = rng_chance(r, 60);
        s->account[a].isa = rng_chance(r, 15);
        s->account[a].max_minutes = rng_chance(r, 20) ? 30 : 480;
    }
    for (unsigned u = 0; u < s->users; u++)
        for (unsigned a = 0; a < s->accounts; a++)
            s->entitled[u][a] = rng_chance(r, 85);
}

/* Many persons, each of whom may have every account, at a vault that is slow to take one back: what is
 * checked in one after the other is late. It has a connection for each of them. */
static void setup_slow_checkins(struct setup *s, struct rng *r)
{
    s->users = SETUP_USERS;
    s->accounts = SETUP_ACCOUNTS;
    s->connections = rng_between(r, SETUP_USERS, 8);
    s->latency_ms = rng_between(r, 2, 60);
    setup_accounts(s, r);
    for (unsigned a = 0; a < s->accounts; a++)
        s->account[a].concurrent = s->account[a].approval = 0;
    s->checkin_ms = rng_between(r, 4000, 7000);
}

static void setup_make(struct setup *s, uint64_t seed)
{
    struct rng r = {seed ^ UINT64_C(0x5345545550)};

    *s = (struct setup){.users = rng_between(&r, 1, SETUP_USERS),
                        .accounts = rng_between(&r, 1, SETUP_ACCOUNTS)};
    s->release_minutes = rng_chance(&r, 50) ? 60 : rng_between(&r, 1, 120);
    s->approval_wait_s = rng_chance(&r, 60) ? 60 * rng_between(&r, 1, 60) : 0;
    s->list_cache_ms = rng_chance(&r, 50) ? 15000 : 0;
    s->session_idle_minutes = rng_between(&r, 1, 15);
    s->connections = rng_between(&r, 1, 8);
    s->sessions_per_user = rng_between(&r, 1, 4);
    s->reconcile_minutes = rng_between(&r, 1, 15);
    s->strict = rng_chance(&r, 60);
    s->release_on_stop = rng_chance(&r, 30);
    s->ask_policy = rng_chance(&r, 30);
    s->site = rng_below(&r, 4); /* SITE_NUSES */
    s->site_ahead_s = rng_chance(&r, 50) ? rng_below(&r, 300) : 0;
    s->probe_s = 60 * rng_between(&r, 1, 5);
    s->poll_s = rng_between(&r, 5, 60);
    s->latency_ms = rng_chance(&r, 70) ? rng_between(&r, 2, 60) : rng_between(&r, 100, 2000);
    setup_accounts(s, &r);
    s->max_inflight = rng_chance(&r, 10) ? rng_between(&r, 1, 6) : 0;
    if (rng_chance(&r, 10))
        setup_slow_checkins(s, &r);
}

/* ---- acts ---- */

void script_add(struct script *s, uint64_t at_ms, enum act_kind kind, unsigned a, unsigned b, unsigned c)
{
    if (s->n == s->cap) {
        s->cap = s->cap ? s->cap * 2 : 256;
        s->act = realloc(s->act, s->cap * sizeof *s->act);
        if (!s->act)
            abort();
    }
    s->act[s->n++] = (struct act){at_ms, kind, a, b, c};
}

static unsigned send_flags(struct rng *r)
{
    unsigned flags = 0;

    flags |= rng_chance(r, 15) ? SEND_IN_PIECES : 0;
    flags |= rng_chance(r, 25) ? SEND_ON_OPEN : 0;
    flags |= rng_chance(r, 10) ? SEND_SHORT_TIME : 0;
    flags |= rng_chance(r, 25) ? SEND_DURATION : 0;
    flags |= rng_chance(r, 30) ? SEND_REASON : 0;
    flags |= rng_chance(r, 40) ? SEND_LSID : 0;
    return flags;
}

static uint64_t soon(struct rng *r)
{
    return rng_chance(r, 30) ? rng_below(r, 50) : rng_below(r, 5000);
}

/* The site says that the session has ended: in order, twice, late, or never. */
static void add_end(struct script *s, struct rng *r, unsigned session, uint64_t about_ms)
{
    unsigned late_ms = rng_chance(r, 70) ? rng_below(r, 2000) : rng_below(r, 20 * (unsigned)MINUTE);

    script_add(s, about_ms - rng_below(r, (unsigned)(about_ms < MINUTE ? about_ms + 1 : MINUTE)),
               ACT_SESSION_END, session, rng_below(r, 8), late_ms);
}

/* One PRA session: how it opens, what it uses and how it ends. */
static void add_story(struct script *s, struct rng *r, const struct setup *setup, unsigned session)
{
    uint64_t t = rng_next(r) % SCRIPT_MS;
    unsigned account = rng_below(r, setup->accounts);
    unsigned site =
        setup->site && rng_chance(r, 60) ? SEND_LSID : 0; /* it is known to the site, which ends it */

    if (rng_chance(r, 60))
        script_add(s, t, ACT_FIND, session, send_flags(r), account);
    script_add(s, t += soon(r), ACT_CHECKOUT, session, send_flags(r) | site, account);
    if (site && rng_chance(r, 20)) /* while the check-out is on its way */
        script_add(s, t + 200 + rng_below(r, 2000), ACT_SESSION_END, session, rng_below(r, 8),
                   rng_below(r, 2000));
    if (rng_chance(r, 12))
        script_add(s, t + rng_below(r, 3000), ACT_LEAVE, rng_below(r, 2), rng_below(r, 2), 0);
    if (rng_chance(r, 40))
        script_add(s, t + soon(r), ACT_STARTED, session, send_flags(r), account);
    for (unsigned more = rng_below(r, 3); more; more--) /* again, or another account */
        script_add(s, t + soon(r) * (1 + rng_below(r, 200)), ACT_CHECKOUT, session, send_flags(r) | site,
                   rng_chance(r, 70) ? account : rng_below(r, setup->accounts));
    t += rng_chance(r, 30) ? soon(r) : MINUTE * rng_between(r, 1, 90);
    if (site) {
        add_end(s, r, session, t);
        return;
    }
    if (rng_chance(r, 50))
        script_add(s, t, ACT_RELEASE, session, send_flags(r), account);
    if (rng_chance(r, 50))
        script_add(s, t + soon(r), ACT_COMPLETE, session, send_flags(r), account);
    if (rng_chance(r, 10))
        script_add(s, t + soon(r), ACT_CHECKOUT, session, send_flags(r), account);
}

/* Many sessions want one account within seconds. */
static void add_rush(struct script *s, struct rng *r, const struct setup *setup)
{
    uint64_t t = rng_next(r) % SCRIPT_MS;
    unsigned account = rng_below(r, setup->accounts);

    for (unsigned n = rng_between(r, 3, 16); n; n--) {
        unsigned session = rng_below(r, SETUP_SESSIONS);

        script_add(s, t + rng_below(r, 3000), rng_chance(r, 40) ? ACT_FIND : ACT_CHECKOUT, session,
                   send_flags(r), account);
        if (rng_chance(r, 50))
            script_add(s, t + rng_below(r, 6000), ACT_RELEASE, session, send_flags(r), account);
        script_add(s, t + rng_below(r, 3000), ACT_STATUS, rng_below(r, STATUS_NPAGES), 0, 0);
    }
    if (rng_chance(r, 40))
        script_add(s, t + rng_below(r, 3000), ACT_RELOAD, rng_below(r, RELOAD_NCHANGES), rng_below(r, 101),
                   0);
}

/* Everybody works for a while and ends within a second; what shows the gateway's state is asked meanwhile. */
static void add_evening(struct script *s, struct rng *r, const struct setup *setup)
{
    uint64_t t = rng_next(r) % (SCRIPT_MS - 30 * MINUTE);

    for (unsigned session = 0; session < SETUP_SESSIONS; session++) {
        script_add(s, t + rng_below(r, 5 * (unsigned)MINUTE), ACT_CHECKOUT, session, 0,
                   session / setup->users % setup->accounts);
        script_add(s, t + 15 * MINUTE + rng_below(r, 1000), ACT_COMPLETE, session, 0, 0);
    }
    for (unsigned n = 10; n; n--)
        script_add(s, t + 15 * MINUTE + rng_below(r, 1500), ACT_STATUS, rng_below(r, STATUS_NPAGES), 0, 0);
}

static void add_some(struct script *s, struct rng *r, enum act_kind kind, unsigned most, unsigned a,
                     unsigned b, unsigned c)
{
    for (unsigned n = rng_below(r, most + 1); n; n--)
        script_add(s, rng_next(r) % SCRIPT_MS, kind, rng_below(r, a + 1), rng_below(r, b + 1),
                   rng_below(r, c + 1));
}

static void add_vault_acts(struct script *s, struct rng *r, const struct setup *setup)
{
    add_some(s, r, ACT_FAULT, 50, CALL_KINDS - 1, MODES - 1, 20000);
    add_some(s, r, ACT_VAULT_DOWN, 2, 600, 1, 0);
    add_some(s, r, ACT_VAULT_FORGET, 3, 0, 0, 0);
    add_some(s, r, ACT_VAULT_HANG_UP, 5, 0, 0, 0);
    add_some(s, r, ACT_ENTITLE, 4, setup->users - 1, 0, setup->accounts - 1);
    add_some(s, r, ACT_APPROVE, 30, 3, 0, 0);
    add_some(s, r, ACT_DENY, 8, 3, 0, 0);
    add_some(s, r, ACT_TERMINATE, 4, 5, 0, 0);
    add_some(s, r, ACT_ROTATE, 6, 0, 0, setup->accounts - 1);
    add_some(s, r, ACT_OWN, 6, setup->users - 1, 0, setup->accounts - 1);
    add_some(s, r, ACT_OWN_END, 6, 3, 0, 0);
    add_some(s, r, ACT_VAULT_CLOCK, 1, 120, 1, 0);
}

/* A person checks out once more as the wait for an approver ends, while the vault takes its time. */
static void add_late_wait(struct script *s, struct rng *r, const struct setup *setup, unsigned account)
{
    unsigned wait_ms = 1000 * setup->approval_wait_s, session = rng_below(r, SETUP_SESSIONS);
    uint64_t t = rng_next(r) % (SCRIPT_MS - 75 * MINUTE);

    script_add(s, t, ACT_CHECKOUT, session, 0, account);
    t += wait_ms + rng_below(r, 2000);
    for (unsigned n = rng_between(r, 1, 2); n; n--) {
        script_add(s, t - rng_below(r, 4000), ACT_CHECKOUT, session, 0, account);
        script_add(s, t - 4000 + rng_below(r, 100), ACT_FAULT, CALL_CREDENTIAL, FAULT_SLOW,
                   rng_between(r, 2000, 8000));
    }
    if (rng_chance(r, 50))
        script_add(s, t - rng_below(r, wait_ms), ACT_APPROVE, rng_below(r, 3), 0, 0);
}

/* What one sending of a call may have done, and what the next one is answered, in turn. */
static void add_doubt(struct script *s, struct rng *r, const struct setup *setup)
{
    static const unsigned calls[] = {CALL_REQUEST, CALL_REQUEST, CALL_CHECKIN, CALL_ISA};
    static const unsigned lost[] = {FAULT_LOST_AFTER, FAULT_PAGE_AFTER, FAULT_FAILED_AFTER, FAULT_EMPTY};
    unsigned call = calls[rng_below(r, 4)], session = rng_below(r, SETUP_SESSIONS);
    unsigned account = rng_below(r, setup->accounts);
    uint64_t t = rng_next(r) % SCRIPT_MS;

    script_add(s, t, ACT_FAULT, call, lost[rng_below(r, 4)], rng_below(r, 20000));
    script_add(s, t + 1, ACT_FAULT, call, rng_chance(r, 70) ? FAULT_REFUSED : rng_below(r, MODES),
               rng_below(r, 20000));
    script_add(s, t + 2, ACT_CHECKOUT, session, 0, account);
    script_add(s, t + MINUTE * rng_between(r, 1, 20), ACT_RELEASE, session, 0, account);
}

/* The gateway is started, once or more, while the vault is away. */
static void add_dark_start(struct script *s, struct rng *r, const struct setup *setup)
{
    uint64_t t = rng_chance(r, 30) ? 0 : rng_next(r) % (SCRIPT_MS - 15 * MINUTE);
    unsigned ms = 1000 * rng_between(r, 30, 600);

    script_add(s, t, ACT_VAULT_DOWN, ms / 1000, rng_below(r, 2), 0);
    for (unsigned n = rng_below(r, 3) + (t != 0); n; n--)
        script_add(s, t + rng_below(r, ms / 2), rng_chance(r, 50) ? ACT_KILL : ACT_STOP, 0, 0,
                   rng_below(r, ms / 2));
    for (unsigned n = 10; n; n--)
        script_add(s, t + rng_below(r, ms + 2 * (unsigned)MINUTE), ACT_STATUS, rng_below(r, STATUS_NPAGES), 0,
                   0);
    for (unsigned n = rng_below(r, 5); n; n--)
        script_add(s, t + rng_below(r, ms), rng_chance(r, 50) ? ACT_FIND : ACT_CHECKOUT,
                   rng_below(r, SETUP_SESSIONS), send_flags(r), rng_below(r, setup->accounts));
}

static void add_machine_acts(struct script *s, struct rng *r)
{
    add_some(s, r, ACT_JUMP, 1, 90, 1, 0);
    add_some(s, r, ACT_STORE_FAILS, 2, 300, 0, 0);
    add_some(s, r, ACT_STORE_SLOW, 2, 600, 3000, 0);
    add_some(s, r, ACT_TRAIL_FAILS, 2, 300, 0, 0);
    add_some(s, r, ACT_TRAIL_SLOW, 2, 600, 3000, 0);
    add_some(s, r, ACT_CRASH, 6, 10, 3, 60000);
    add_some(s, r, ACT_KILL, 3, 0, 0, 60000);
    add_some(s, r, ACT_STOP, 3, 0, 0, 60000);
    add_some(s, r, ACT_RELOAD, 12, RELOAD_NCHANGES - 1, 100, 0);
    add_some(s, r, ACT_ROTATE_TRAIL, 4, 0, 0, 0);
}

/* Sessions end while the site does not answer, for longer than a poll looks back; reports show it afterwards.
 */
static void add_outage(struct script *s, struct rng *r, const struct setup *setup)
{
    uint64_t t = rng_next(r) % SCRIPT_MS;

    script_add(s, t, ACT_SITE_DOWN, rng_between(r, 300, 900), rng_below(r, 2), 0);
    for (unsigned n = rng_between(r, 1, 4); n; n--) {
        unsigned session = rng_below(r, SETUP_SESSIONS);

        script_add(s, t - rng_below(r, (unsigned)(t < 10 * MINUTE ? t + 1 : 10 * MINUTE)), ACT_CHECKOUT,
                   session, SEND_LSID, rng_below(r, setup->accounts));
        script_add(s, t + rng_below(r, 300 * (unsigned)SECOND), ACT_SESSION_END, session, 2,
                   0); /* END_SILENT */
    }
}

static void add_site_acts(struct script *s, struct rng *r, const struct setup *setup)
{
    for (unsigned n = rng_below(r, 3); n; n--)
        add_outage(s, r, setup);
    add_some(s, r, ACT_SITE_EVENT, 12, SETUP_SESSIONS - 1, 5, 3000);
    add_some(s, r, ACT_END_SESSION, 20, 7, 0, 0);
    if (rng_chance(r, 30))
        return;
    add_some(s, r, ACT_SITE_FAULT, 30, SITE_CALLS - 1, MODES - 1, 20000);
    add_some(s, r, ACT_SITE_DOWN, 2, 900, 1, 0);
}

static void add_caller_acts(struct script *s, struct rng *r)
{
    add_some(s, r, ACT_OPERATOR_RELEASE, 5, 7, 0, 0);
    add_some(s, r, ACT_LIST, 4, 0, SEND_IN_PIECES, 0);
    add_some(s, r, ACT_STATUS, 4, STATUS_NPAGES - 1, 0, 0);
    add_some(s, r, ACT_GARBAGE, 4, 7, SEND_IN_PIECES, 0);
}

static int by_time(const void *x, const void *y)
{
    const struct act *a = x, *b = y;
    int by = (a->at_ms > b->at_ms) - (a->at_ms < b->at_ms);

    if (!by)
        by = (a->kind > b->kind) - (a->kind < b->kind);
    if (!by)
        by = (a->a > b->a) - (a->a < b->a);
    return by ? by : (a->c > b->c) - (a->c < b->c);
}

void script_sort(struct script *s)
{
    qsort(s->act, s->n, sizeof *s->act, by_time);
}

void script_make(struct script *s, uint64_t seed)
{
    struct rng r = {seed};

    *s = (struct script){.seed = seed};
    setup_make(&s->setup, seed);
    unsigned stories = rng_between(&r, 4, SETUP_SESSIONS);
    for (unsigned i = 0; i < stories; i++)
        add_story(s, &r, &s->setup, rng_chance(&r, 20) ? rng_below(&r, i + 1) : i);
    for (unsigned rushes = rng_below(&r, 5); rushes; rushes--)
        add_rush(s, &r, &s->setup);
    add_caller_acts(s, &r);
    if (s->setup.site)
        add_site_acts(s, &r, &s->setup);
    for (unsigned n = s->setup.checkin_ms ? 2 : rng_chance(&r, 5); n; n--)
        add_evening(s, &r, &s->setup);
    /* But for the site: nothing excuses a late end. */
    bool calm = (s->setup.site && rng_chance(&r, 20)) || (s->setup.checkin_ms && rng_chance(&r, 70));
    if (!calm && rng_chance(&r, 85))
        add_vault_acts(s, &r, &s->setup);
    if (!calm && rng_chance(&r, 60))
        add_machine_acts(s, &r);
    if (!calm && rng_chance(&r, 15))
        add_dark_start(s, &r, &s->setup);
    for (unsigned n = !calm && rng_chance(&r, 30) ? rng_between(&r, 1, 4) : 0; n; n--)
        add_doubt(s, &r, &s->setup);
    for (unsigned a = 0; a < s->setup.accounts; a++)
        if (!calm && s->setup.approval_wait_s && s->setup.account[a].approval && rng_chance(&r, 50))
            add_late_wait(s, &r, &s->setup, a);
    script_sort(s);
}

void script_free(struct script *s)
{
    free(s->act);
    *s = (struct script){0};
}

void script_without(struct script *to, const struct script *from, size_t first, size_t n)
{
    *to = (struct script){.seed = from->seed, .setup = from->setup};
    for (size_t i = 0; i < from->n; i++)
        if (i < first || i >= first + n)
            script_add(to, from->act[i].at_ms, from->act[i].kind, from->act[i].a, from->act[i].b,
                       from->act[i].c);
}

/* ---- as text ---- */

static const char *const words[ACT_NKINDS] = {
#define X(name, word) word,
    SCRIPT_ACTS(X)
#undef X
};

const char *script_word(enum act_kind kind)
{
    return words[kind];
}

void script_write(const struct script *s, FILE *to)
{
    const unsigned *numbers = (const unsigned *)&s->setup;

    (void)fprintf(to, "seed %" PRIu64 "\nsetup", s->seed);
    for (size_t i = 0; i < SETUP_NUMBERS; i++)
        (void)fprintf(to, " %u", numbers[i]);
    (void)fputc('\n', to);
    for (size_t i = 0; i < s->n; i++)
        (void)fprintf(to, "%" PRIu64 " %s %u %u %u\n", s->act[i].at_ms, words[s->act[i].kind], s->act[i].a,
                      s->act[i].b, s->act[i].c);
}

static bool kind_of(const char *word, enum act_kind *kind)
{
    for (int i = 0; i < ACT_NKINDS; i++)
        if (strcmp(words[i], word) == 0) {
            *kind = (enum act_kind)i;
            return true;
        }
    return false;
}

static bool read_setup(struct script *s, FILE *from)
{
    unsigned *numbers = (unsigned *)&s->setup;

    if (fscanf(from, "seed %" SCNu64 " setup", &s->seed) != 1)
        return false;
    for (size_t i = 0; i < SETUP_NUMBERS; i++) {
        int next = fgetc(from);

        if (next == '\n')
            return i > 0;
        if (next != ' ' || fscanf(from, "%u", &numbers[i]) != 1)
            return false;
    }
    return fgetc(from) == '\n';
}

bool script_read(struct script *s, FILE *from)
{
    char line[128], word[64];
    enum act_kind kind;
    uint64_t at;
    unsigned a, b, c;

    *s = (struct script){0};
    if (!read_setup(s, from))
        return false;
    while (fgets(line, sizeof line, from)) {
        if (line[0] == '#' || line[0] == '\n')
            continue;
        if (s->n == ACTS_MAX || sscanf(line, "%" SCNu64 " %63s %u %u %u", &at, word, &a, &b, &c) != 5 ||
            !kind_of(word, &kind))
            return false;
        script_add(s, at, kind, a, b, c);
    }
    return true;
}
