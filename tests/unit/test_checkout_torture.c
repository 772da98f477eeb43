/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_checkout_torture.c - what a check-out leaves behind when everything goes wrong.
 *
 * Each scenario is run clean, its vault calls are counted, and then every call is broken in every way, and
 * every pair of calls in every pair of ways: the vault refuses, answers nonsense, does it but the answer is
 * lost, does not and the answer is lost; the client leaves before the vault did it, after it but before the
 * answer, or after the answer; its time is up; the site says that its session has ended. After each run the
 * invariants must hold:
 *
 *   - at any time an open request at the vault is leased, held by work in flight, being checked in or being
 *     searched for;
 *   - in the end the check-out was answered once or its client has left; a secret was answered exactly if
 *     there is a lease, otherwise no request of the gateway is open, long before anything expires; the
 *     person's own request is still open;
 *   - no write is ever cancelled; no timer, call or memory is left.
 *
 * A failure prints the scenario and its harms in words, as in "shared: call 3 to the vault, its answer cut".
 */
#include "broker_rig.h"

#include "broker/identity/request_reason.h"
#include "broker/leases/lease_table.h"
#include "check.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LSID    "0123456789abcdef0123456789abcdef" /* of the session whose check-out is tortured */
#define NO_CALL 99                                 /* no check-out makes so many */

enum harm {
    HARM_NONE = FAKE_FINE,
    /* those between are enum fake_fault */
    LEAVE_BEFORE = FAKE_NFAULTS,
    LEAVE_COMMITTED,
    LEAVE_AFTER,
    TIME_UP,
    SITE_ENDS,
    NHARMS
};

/* What happened to a call beside the faults of the vault, as a failure prints it. */
static const char *const client_harms[NHARMS] = {
    [LEAVE_BEFORE] = "its client gone before",
    [LEAVE_COMMITTED] = "its client gone after the vault acted",
    [LEAVE_AFTER] = "its client gone after the answer",
    [TIME_UP] = "its time up before",
    [SITE_ENDS] = "the session ended by the site before",
};

/* What happens to the record that a check-out waits for; on top of it every harm of the vault. */
enum record_harm {
    RECORD_FINE,
    RECORD_BUSY,    /* it is not taken */
    RECORD_FAILS,   /* it could not be had in time */
    RECORD_DOWN,    /* the trail is known not to write */
    RECORD_LEAVE,   /* the client leaves while it waits */
    RECORD_TIME_UP, /* its time is up while it waits */
    RECORD_ENDED,   /* its session ends while it waits */
    RECORD_STUCK,   /* never answered: the caller's deadline */
    NRECORDS
};

static const char *const record_names[NRECORDS] = {
    [RECORD_FINE] = "written",
    [RECORD_BUSY] = "not taken",
    [RECORD_FAILS] = "not written in time",
    [RECORD_DOWN] = "not written by a trail that is down",
    [RECORD_LEAVE] = "awaited when the client leaves",
    [RECORD_TIME_UP] = "awaited when the time is up",
    [RECORD_ENDED] = "awaited when the session ends",
    [RECORD_STUCK] = "never answered",
};

static struct {
    bool on;
    enum conf_audit_policy policy;
    enum record_harm harm;
} audited;

struct scenario {
    const char *name;
    void (*setup)(struct world *);  /* before the broker is made */
    void (*before)(struct world *); /* before the check-out that is tortured */
    size_t others;                  /* leases of others that must stay */
    bool person;                    /* the person has a request of their own: it must stay */
    bool fails;                     /* the clean run ends in a fault */
    bool has_lease;                 /* the session has this lease already */
    bool newest;                    /* the newest vault call is answered first */
    bool local;                     /* the vault keeps no request */
    bool at_any;                    /* played at every kind of vault */
    bool repeats;                   /* where it hands out a secret again */
    void (*then)(struct world *);   /* just before, and harmed as well */
    const char *session;
};

struct torture {
    unsigned first; /* number of the first vault call that may be harmed */
    bool newest;
    unsigned k[2];
    int harm[2];
    struct world w;
    struct caller c;
    bool left, ended, ended_by_site;
    unsigned asked; /* requests asked for by others, before */
};

static enum fake_fault plan(void *arg, enum fake_op op, unsigned nth)
{
    struct torture *t = arg;

    (void)op;
    for (int i = 0; i < 2; i++)
        if (nth == t->first + t->k[i] && t->harm[i] < FAKE_NFAULTS)
            return (enum fake_fault)t->harm[i];
    return FAKE_FINE;
}

static bool is_due(const struct torture *t, unsigned delivered, int harm)
{
    return (t->k[0] == delivered && t->harm[0] == harm) || (t->k[1] == delivered && t->harm[1] == harm);
}

static void check_held(const struct world *w, bool person)
{
    struct broker_state state = world_state(w);
    struct fake_vault *fv = (struct fake_vault *)(uintptr_t)&w->vault;

    if (fake_vault_live(fv) > (person ? 1 : 0))
        assert_true(state.ops || state.leases_active || state.leases_releasing || state.leases_retrying ||
                    state.leases_intent);
}

static void leave(struct torture *t)
{
    if (!t->c.op)
        return;
    t->left = true;
    cancel_checkout(&t->c);
}

/* It is answered as usual, and its lease ends with the answer. */
static void end_by_site(struct torture *t)
{
    t->ended_by_site = true;
    (void)broker_end_session(
        t->w.broker, &(struct session_ended_args){.lsid = LSID, .source = SESSION_END_POLL, .site = "pra1"});
}

static size_t which(const struct torture *t)
{
    return t->newest ? fake_vault_pending(&t->w.vault) - 1 : 0;
}

static void harm_record(struct torture *t)
{
    static const enum sink_mood moods[NRECORDS] = {
        [RECORD_BUSY] = SINK_BUSY,     [RECORD_FAILS] = SINK_FAILS, [RECORD_LEAVE] = SINK_STUCK,
        [RECORD_TIME_UP] = SINK_STUCK, [RECORD_ENDED] = SINK_STUCK, [RECORD_STUCK] = SINK_STUCK};

    t->w.sink.mood = moods[audited.harm];
    t->w.sink.down = audited.harm == RECORD_DOWN;
}

/* The vault has answered all there was; what waits now is the record. */
static void end_record_wait(struct torture *t, const struct scenario *s)
{
    struct world *w = &t->w;
    struct released r;

    if (!w->sink.nwaits)
        return;
    if (audited.harm == RECORD_LEAVE)
        leave(t);
    if (audited.harm == RECORD_TIME_UP)
        fake_clock_run(&w->clock, w->timers, SECONDS(15));
    if (audited.harm == RECORD_ENDED) {
        t->ended = true;
        start_release(w, "alice", s->session, NULL, &r);
        broker_leave(r.op);
    }
    world_iterate(w);
    if (audited.harm == RECORD_LEAVE || audited.harm == RECORD_TIME_UP || audited.harm == RECORD_ENDED)
        assert_int_equal(w->sink.nwaits, 0);
}

static unsigned asked(const struct world *w)
{
    return w->vault.count[FAKE_REQUEST] + w->vault.count[FAKE_ISA];
}

/* Strict: no secret without its record. Degraded: no secret is withheld for want of one. */
static void check_record(const struct torture *t, unsigned durable_before)
{
    bool answered = t->c.replies == 1 && t->c.code == FAULT_NONE;

    if (audited.policy == AUDIT_STRICT && answered)
        assert_int_equal(t->w.sink.durable, durable_before + 1);
    if (audited.policy == AUDIT_STRICT && (audited.harm == RECORD_BUSY || audited.harm == RECORD_FAILS))
        assert_false(answered);
    if (audited.policy == AUDIT_STRICT && audited.harm == RECORD_DOWN)
        assert_int_equal(asked(&t->w), t->asked); /* the vault is not troubled */
    if (audited.policy == AUDIT_DEGRADED)
        assert_int_not_equal(t->c.code, FAULT_AUDIT_UNAVAILABLE);
}

/* One vault answer with what happens around it; false = no answer is waiting. */
static bool step(struct torture *t, unsigned delivered)
{
    struct world *w = &t->w;

    world_iterate(w);
    if (is_due(t, delivered, LEAVE_BEFORE))
        leave(t);
    if (is_due(t, delivered, TIME_UP) && t->c.op) {
        fake_clock_advance(&w->clock, SECONDS(15));
        world_iterate(w);
    }
    if (is_due(t, delivered, SITE_ENDS))
        end_by_site(t);
    world_iterate(w);
    if (!fake_vault_pending(&w->vault))
        return false;
    fake_clock_advance(&w->clock, 10);
    if (is_due(t, delivered, LEAVE_COMMITTED)) {
        fake_vault_commit(&w->vault, which(t));
        leave(t);
        if (!fake_vault_pending(&w->vault))
            return false;
    }
    fake_vault_deliver(&w->vault, which(t));
    if (is_due(t, delivered, LEAVE_AFTER))
        leave(t);
    return true;
}

static bool is_keyed(void)
{
    return world_kind && !world_kind->can.keys_are_unique;
}

/* By the mark, or, where nothing has one, all: no other identity checks anything out there. */
static size_t ours_live(struct fake_vault *fv)
{
    char id[ID_SIZE];
    size_t n = 0;

    (void)fake_vault_live(fv);
    for (size_t i = 0; i < fv->nrequests; i++)
        n += fv->requests[i].live && (is_keyed() || reason_lease_id(fv->requests[i].reason, id));
    return n;
}

/* The request of a lease lives at the vault. */
static bool is_live_there(struct fake_vault *fv, const struct lease *lease)
{
    const char *name = vault_request_name(lease->request);

    if (is_keyed())
        return ours_live(fv) > 0;
    return *name && fake_vault_find(fv, request_key_number(name))->live;
}

static void check_end(struct torture *t, const struct scenario *s)
{
    struct world *w = &t->w;
    struct broker_state state = world_state(w);
    bool answered = t->c.replies == 1 && t->c.code == FAULT_NONE;

    assert_int_equal(t->c.replies + t->left, 1);
    assert_int_equal(state.ops, 0);
    assert_int_equal(state.leases_releasing + state.leases_retrying, 0);
    assert_int_equal(state.lapsed, 0);
    assert_int_equal(w->vault.cancelled_writes, 0);
    struct session me = person_session("alice", s->session);
    struct lease *mine = lease_find(w->broker->leases, &me, w->credential);

    if (answered && t->ended_by_site) {
        assert_null(mine);
        assert_true(strlen(t->c.secret) > 0);
    } else if (answered) {
        assert_non_null(mine);
        assert_string_equal(mine->id, t->c.lease_id);
        assert_int_equal(t->c.request_id == 0, s->local || is_keyed());
        assert_true(s->local || is_live_there(&w->vault, mine));
        assert_true(strlen(t->c.secret) > 0);
    } else if (mine) {
        assert_true(s->has_lease && !t->ended); /* a failed repeat leaves what there was */
    }
    assert_int_equal(state.leases_active, s->others + (mine != NULL));
    if (s->person)
        assert_true(fake_vault_find(&w->vault, 101)->live);
    bool adopted = mine && mine->request->origin == ORIGIN_FOREIGN;
    bool alive = mine && is_live_there(&w->vault, mine);
    size_t expected = s->others || (alive && !adopted) ? 1 : 0;

    if (ours_live(&w->vault) != expected)
        fail_msg("%s: %zu requests of ours are open, not %zu", s->name, ours_live(&w->vault), expected);
}

static unsigned runs;

/* What a run does, for the failure that it may be. */
static void label_run(const struct scenario *s, const struct torture *t)
{
    char harms[160] = "";

    for (int i = 0; i < 2 && t->harm[i] != HARM_NONE; i++) {
        size_t n = strlen(harms);

        (void)snprintf(harms + n, sizeof harms - n, ", call %u to the vault %s", t->k[i] + 1,
                       client_harms[t->harm[i]] ? client_harms[t->harm[i]]
                                                : fake_fault_name((enum fake_fault)t->harm[i]));
    }
    case_label("%s%s%s%s%s%s", world_kind ? world_kind->name : "", world_kind ? ": " : "", s->name, harms,
               audited.on ? ", its record " : "", audited.on ? record_names[audited.harm] : "");
}

static int print_runs(void **state)
{
    (void)state;
    print_message("%u runs\n", runs);
    return 0;
}

/* Returns how many vault calls the check-out made. */
static unsigned torture_once(const struct scenario *s, unsigned k1, int h1, unsigned k2, int h2)
{
    static struct torture one; /* a megabyte: new pages for each run would cost more than the run */
    struct torture *t = &one;
    struct world *w = &t->w;
    unsigned n = 0;

    t->c = (struct caller){0};
    t->left = t->ended = t->ended_by_site = false;
    t->k[0] = k1;
    t->k[1] = k2;
    t->harm[0] = h1;
    t->harm[1] = h2;
    label_run(s, t);
    runs++;
    world_init(w);
    if (s->setup)
        s->setup(w);
    if (audited.on)
        world_add_audit(w, audited.policy);
    world_start(w);
    t->newest = s->newest;
    t->first = UINT_MAX / 2;
    w->vault.plan = plan;
    w->vault.plan_arg = t;
    if (s->before)
        s->before(w);
    t->first = w->vault.ncalls;
    if (s->then)
        s->then(w);
    t->asked = asked(w);
    unsigned durable = w->sink.durable;

    if (audited.on)
        harm_record(t);
    struct checkout_args args = checkout_args_for(w, "alice", s->session);

    args.by.session.lsid = LSID;
    start_checkout_with(w, &args, &t->c);
    for (; step(t, n) && n < 50; n++)
        check_held(w, s->person);
    assert_true(n < 50);
    if (audited.on)
        end_record_wait(t, s);
    world_advance(w, SECONDS(1));
    fake_vault_land(&w->vault);
    /* Twenty minutes: time for retries and recoveries, but none of the leases of sixty is over. */
    world_advance(w, MINUTES(20));
    check_end(t, s);
    if (audited.on)
        check_record(t, durable);
    if (h1 == HARM_NONE && audited.harm == RECORD_FINE)
        assert_int_equal(t->c.code != FAULT_NONE, s->fails);
    unsigned calls = w->vault.ncalls - t->first;

    world_advance(w, MINUTES(70));
    assert_int_equal(fake_vault_live(&w->vault), 0);
    assert_int_equal(world_state(w).leases_active, 0);
    assert_true(broker_idle(w->broker));
    world_end(w);
    return calls;
}

static void asks_policy(struct world *w)
{
    w->vault.conf.ask_policy = true;
}

static void wants_approval(struct world *w)
{
    w->vault.accounts[0].approval = true;
}

static void direct(struct world *w)
{
    w->vault.accounts[0].row.isa = true;
}

static void direct_kept(struct world *w)
{
    direct(w);
    w->vault.accounts[0].isa_kept = true;
}

static void direct_key(struct world *w)
{
    world_set_key_account(w);
    direct(w);
}

static void direct_key_kept(struct world *w)
{
    world_set_key_account(w);
    direct_kept(w);
}

static void persons_own(struct world *w)
{
    (void)fake_vault_seed(&w->vault, "CORP\\alice", 1, 11, 80, "my own");
}

static void lease_of(struct world *w, const char *session)
{
    struct caller c;

    checkout_ok(w, "alice", session, &c);
    assert_int_equal(c.replies, 1);
}

static void has_lease(struct world *w)
{
    lease_of(w, "s1");
}

static void shares(struct world *w)
{
    lease_of(w, "other");
}

/* The session's lease holds a request that was ended at the vault's own screen. */
static void has_dead_lease(struct world *w)
{
    lease_of(w, "s1");
    w->vault.requests[0].live = false;
}

/* Another session has just released; its check-in is on its way when the check-out begins. */
static void other_releases(struct world *w)
{
    struct released r;

    start_release(w, "alice", "other", w->credential, &r);
    broker_leave(r.op);
    world_iterate(w);
}

/* clang-format off: rows of unequal length */
static const struct scenario scenarios[] = {
    {.name = "plain", .at_any = true, .session = "s1"},
    {.name = "key", .setup = world_set_key_account, .session = "s1"},
    {.name = "policy", .setup = asks_policy, .session = "s1"},
    {.name = "two candidates", .setup = world_set_two_candidates, .session = "s1"},
    {.name = "approval", .setup = wants_approval, .fails = true, .session = "s1"},
    {.name = "adopted", .setup = persons_own, .person = true, .session = "s1"},
    {.name = "repeat",
     .at_any = true,
     .repeats = true,
     .before = has_lease,
     .has_lease = true,
     .session = "s1"},
    {.name = "shared", .at_any = true, .repeats = true, .before = shares, .others = 1, .session = "s1"},
    {.name = "dead lease",
     .at_any = true,
     .repeats = true,
     .before = has_dead_lease,
     .has_lease = true,
     .session = "s1"},
    {.name = "returning", .at_any = true, .before = shares, .then = other_releases, .session = "s1"},
    {.name = "await",
     .at_any = true,
     .before = shares,
     .then = other_releases,
     .session = "s1",
     .newest = true},
    {.name = "isa", .setup = direct, .local = true, .session = "s1"},
    {.name = "isa kept", .setup = direct_kept, .session = "s1"},
    {.name = "isa key", .setup = direct_key, .local = true, .session = "s1"},
    {.name = "isa key kept", .setup = direct_key_kept, .session = "s1"},
    {.name = "isa repeat",
     .setup = direct,
     .before = has_lease,
     .has_lease = true,
     .local = true,
     .session = "s1"},
    {.name = "isa kept repeat",
     .setup = direct_kept,
     .before = has_lease,
     .has_lease = true,
     .session = "s1"},
};

/* clang-format on */
#define NSCENARIOS (sizeof scenarios / sizeof scenarios[0])

/* A conflict in the words of a vault without numbers says that nothing of ours is checked out there. A
 * request that its own second copy was handed is taken for a person's: that one ends by the vault's time
 * alone. */
static bool is_harm(int harm)
{
    if (harm == FAKE_CONFLICT_DID)
        return !is_keyed();
    return harm != FAKE_REPLAYED || !world_kind ||
           (world_kind->can.keys_are_unique && world_kind->can.has_end);
}

static void torture(const struct scenario *s)
{
    unsigned n = torture_once(s, NO_CALL, HARM_NONE, NO_CALL, HARM_NONE);

    for (unsigned k1 = 0; k1 < n; k1++)
        for (int h1 = 1; h1 < NHARMS; h1++) {
            if (!is_harm(h1))
                continue;
            unsigned m = torture_once(s, k1, h1, NO_CALL, HARM_NONE);

            for (unsigned k2 = k1 + 1; k2 < m && k2 < k1 + 6; k2++)
                for (int h2 = 1; h2 < NHARMS; h2++)
                    if (is_harm(h2))
                        (void)torture_once(s, k1, h1, k2, h2);
        }
}

TEST(any_two_harmed_calls_leave_no_request_without_lease)
{
    memset(&audited, 0, sizeof audited);
    for (size_t i = 0; i < NSCENARIOS; i++)
        torture(&scenarios[i]);
}

TEST(nor_do_they_at_any_kind_of_vault)
{
    memset(&audited, 0, sizeof audited);
    for (size_t k = 0; k < fake_nkinds; k++)
        for (size_t i = 0; i < NSCENARIOS; i++) {
            world_kind = &fake_kinds[k];
            if (scenarios[i].at_any && (world_kind->can.repeatable || !scenarios[i].repeats))
                torture(&scenarios[i]);
        }
    world_kind = NULL;
}

/* Every way to lose the record, alone and, where it counts, with every harm of one vault call. */
TEST(any_lost_record_keeps_the_audit_policy)
{
    for (size_t i = 0; i < 2 * NSCENARIOS; i++) {
        const struct scenario *s = &scenarios[i / 2];

        audited.on = true;
        audited.policy = i % 2 ? AUDIT_DEGRADED : AUDIT_STRICT;
        for (int harm = 0; harm < NRECORDS; harm++) {
            audited.harm = (enum record_harm)harm;
            unsigned n = torture_once(s, NO_CALL, HARM_NONE, NO_CALL, HARM_NONE);

            for (unsigned k = 0; k < n && audited.policy == AUDIT_STRICT; k++)
                for (int h = 1; h < NHARMS; h++)
                    (void)torture_once(s, k, h, NO_CALL, HARM_NONE);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(any_lost_record_keeps_the_audit_policy, print_runs),
        cmocka_unit_test_teardown(any_two_harmed_calls_leave_no_request_without_lease, print_runs),
        cmocka_unit_test_teardown(nor_do_they_at_any_kind_of_vault, print_runs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
