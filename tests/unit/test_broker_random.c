/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_broker_random.c - many sessions at once, in random order, with a vault that fails at random.
 *
 * Each seed plays some hundred random moves: a session asks, leaves, releases or completes; the vault does
 * what a waiting call wants, or answers it, in any order; something lost lands late; a person ends a request
 * at the vault's own screen; time passes. Then the vault is well again, twenty minutes go by, and the books
 * must agree:
 *
 *   every lease stands on a request that lives (unless a person ended it);
 *   every request of ours that lives has a lease;
 *   everybody who asked was told, once, or has left;
 *   the store holds the rows of the leases, and no others.
 *
 * In one game of five the account is one of direct access; in every other one of these the vault keeps a
 * request of it.
 *
 * Three games of four have a store, whose commits come late or fail. In every other one of these the process
 * dies now and then: some of the vault's waiting calls still happen, some of the waiting writes are on disk,
 * and a new broker begins with what is left.
 *
 * A failing seed is printed; the same seed plays the same game.
 */
#include "broker_rig.h"

#include "base/id.h"
#include "broker/identity/request_reason.h"
#include "broker/leases/key_due.h"
#include "broker/leases/lease_table.h"
#include "check.h"

#include <stdlib.h>
#include <string.h>

enum { SESSIONS = 4, CALLERS = 12, MOVES = 250, SEEDS = 240, KIND_SEEDS = 40 };

struct game {
    struct world w;
    uint64_t random;
    bool well; /* vault and store fail no more, the process does not end */
    bool dies;
    unsigned deaths;
    struct caller callers[CALLERS];
    bool asked[CALLERS], left[CALLERS];
    bool killed[FAKE_MAX_REQUESTS]; /* by a person */
};

static unsigned seed_now;

static unsigned roll(struct game *g, unsigned sides)
{
    g->random ^= g->random << 13;
    g->random ^= g->random >> 7;
    g->random ^= g->random << 17;
    return (unsigned)(g->random >> 33) % sides;
}

static enum fake_fault fortune(void *arg, enum fake_op op, unsigned nth)
{
    static const enum fake_fault bad[] = {FAKE_CANNOT_START, FAKE_UNREACHABLE, FAKE_LOST_DID,
                                          FAKE_LOST_DID_NOT, FAKE_LOST_LATE,   FAKE_BAD,
                                          FAKE_REPLAYED};
    struct game *g = arg;

    (void)op;
    (void)nth;
    if (g->well || g->w.vault.nlate == FAKE_MAX_LATE || roll(g, 4))
        return FAKE_FINE;
    return bad[roll(g, sizeof bad / sizeof bad[0])];
}

static bool commit_fails(void *arg, unsigned nth)
{
    struct game *g = arg;

    (void)nth;
    return !g->well && roll(g, 12) == 0;
}

static const char *user_of(unsigned session)
{
    return session % 2 ? "alice" : "bob";
}

static const char *session_of(unsigned session)
{
    static const char *const names[] = {"s0", "s1", "s2", "s3"};

    return names[session];
}

static void ask(struct game *g)
{
    unsigned i = roll(g, CALLERS), session = roll(g, SESSIONS);

    if (g->asked[i] && g->callers[i].op)
        return;
    start_checkout(&g->w, user_of(session), session_of(session), &g->callers[i]);
    g->asked[i] = true;
    g->left[i] = false;
}

static void leave(struct game *g)
{
    unsigned i = roll(g, CALLERS);

    if (!g->callers[i].op)
        return;
    cancel_checkout(&g->callers[i]);
    g->left[i] = true;
}

static void on_released(void *arg, const struct release_answer *answer)
{
    (void)arg;
    assert_null(answer->fault);
}

static void release(struct game *g)
{
    unsigned session = roll(g, SESSIONS);
    struct release_args args = {.by = {person_session(user_of(session), session_of(session)), SECONDS(15)},
                                .credential_id = roll(g, 2) ? g->w.credential : NULL};

    assert_non_null(broker_release(g->w.broker, &args, on_released, NULL));
}

static void person_ends(struct game *g)
{
    struct fake_vault *fv = &g->w.vault;
    size_t i = fv->nrequests ? roll(g, (unsigned)fv->nrequests) : 0;

    if (i >= fv->nrequests || roll(g, 6))
        return;
    g->killed[i] |= fv->requests[i].live;
    fv->requests[i].live = false;
}

static void vault_moves(struct game *g, bool answers)
{
    size_t n = fake_vault_pending(&g->w.vault);

    if (!n)
        return;
    if (answers)
        fake_vault_deliver(&g->w.vault, roll(g, (unsigned)n));
    else
        fake_vault_commit(&g->w.vault, roll(g, (unsigned)n));
}

static void die(struct game *g)
{
    if (!g->dies || roll(g, 5))
        return;
    for (unsigned i = 0; i < CALLERS; i++) {
        g->left[i] |= g->callers[i].op != NULL;
        g->callers[i].op = NULL;
    }
    g->deaths++;
    unsigned carried_out = roll(g, 1U << 16);

    world_crash(&g->w, carried_out, roll(g, (unsigned)(g->w.store->npending + 1)));
}

static void store_moves(struct game *g)
{
    if (g->w.store && roll(g, 3))
        (void)fake_store_commit(g->w.store);
}

static void move(struct game *g)
{
    store_moves(g);
    switch (roll(g, 17)) {
    case 0:
    case 1:
    case 2: ask(g); break;
    case 3: leave(g); break;
    case 4: release(g); break;
    case 5: person_ends(g); break;
    case 6: fake_vault_land(&g->w.vault); break;
    case 7: fake_clock_run(&g->w.clock, g->w.timers, roll(g, SECONDS(3))); break;
    case 8:
    case 9: vault_moves(g, false); break;
    case 10: die(g); break;
    default: vault_moves(g, true); break;
    }
    world_iterate(&g->w);
}

/* A vault that has no numbers has one live request of the account. */
static bool is_request(const struct game *g, const struct vault_request *held, const struct fake_request *r)
{
    return g->w.vault.vault.can.keys_are_unique ? request_key_number(vault_request_name(held)) == r->id
                                                : r->live;
}

/* Where each check-out wants a check-in of its own. */
static void check_due(const struct fake_request *r, const struct vault_request *request)
{
    uint32_t due = keyed_due(request);

    if (due && due < r->out)
        fail_msg("seed %u: %u check-ins are due of %u check-outs", seed_now, due, r->out);
}

static void check_request(struct game *g, size_t i, const struct lease *leases[SESSIONS])
{
    struct fake_request *r = &g->w.vault.requests[i];
    char id[ID_SIZE];
    size_t holders = 0;

    for (unsigned s = 0; s < SESSIONS; s++)
        if (leases[s] && is_request(g, leases[s]->request, r)) {
            holders++;
            if (g->w.vault.vault.can.checkins_each && r->live)
                check_due(r, leases[s]->request);
        }
    if (holders && !r->live && !g->killed[i])
        fail_msg("seed %u: a lease stands on request %zu, which is dead", seed_now, i);
    if (!holders && r->live && reason_lease_id(r->reason, id))
        fail_msg("seed %u: nobody holds request %zu", seed_now, i);
}

static void check_store(struct game *g, size_t leases)
{
    const struct fake_store *fs = g->w.store;

    for (size_t i = 0; i < FAKE_STORE_ROWS; i++) {
        const struct request_row *r = fs->requests[i];
        const struct lease_row *l = fs->leases[i];

        if (r && r->state != REQUEST_HELD)
            fail_msg("seed %u: request %s is left in state %d", seed_now, r->mark, (int)r->state);
        if (l && (!fake_store_request(fs, l->request) || !lease_by_id(g->w.broker->leases, l->id)))
            fail_msg("seed %u: lease %s is left", seed_now, l->id);
    }
    assert_int_equal(fake_store_leases(fs), leases);
    if (fake_store_count(fs) > leases)
        fail_msg("seed %u: a request has no lease", seed_now);
}

static void check_books(struct game *g)
{
    const struct lease *leases[SESSIONS];
    struct broker_state state = world_state(&g->w);

    for (unsigned s = 0; s < SESSIONS; s++) {
        struct session session = person_session(user_of(s), session_of(s));

        leases[s] = lease_find(g->w.broker->leases, &session, g->w.credential);
    }
    for (size_t i = 0; i < g->w.vault.nrequests; i++)
        check_request(g, i, leases);
    for (size_t i = 0; i < CALLERS; i++)
        assert_int_equal(g->callers[i].replies, g->asked[i] && !g->left[i]);
    if (g->w.store)
        check_store(g, state.leases_active);
    assert_int_equal(state.ops, 0);
    assert_int_equal(state.leases_intent, 0);
    assert_int_equal(state.leases_retrying + state.leases_releasing, 0);
    assert_int_equal(g->w.vault.cancelled_writes, 0);
}

static void play(const struct fake_kind *kind, unsigned seed)
{
    struct game *g = calloc(1, sizeof *g);

    assert_non_null(g);
    seed_now = seed;
    g->random = 0x9e3779b97f4a7c15U * (seed + 1);
    world_init(&g->w);
    g->w.vault.plan = fortune;
    g->w.vault.plan_arg = g;
    if (kind)
        fake_vault_set_kind(&g->w.vault, kind);
    else if (seed % 3 == 0)
        (void)fake_vault_seed(&g->w.vault, "CORP\\alice", 1, 11, 30, "my own");
    g->w.vault.accounts[0].row.isa = !kind && seed % 5 == 4; /* direct access */
    g->w.vault.accounts[0].isa_kept = seed % 10 == 4;
    if (seed % 4) {
        world_add_store(&g->w);
        g->w.store->fails = commit_fails;
        g->w.store->fails_arg = g;
    }
    g->dies = seed % 4 && seed % 2;
    g->w.conf.gateway.reconcile_every_ms = seed % 4 ? MINUTES(5) : 0;
    g->w.conf.gateway.reconcile_per_s = 10;
    world_start(&g->w);
    for (unsigned i = 0; i < MOVES; i++)
        move(g);
    g->well = true;
    world_settle(&g->w);
    fake_vault_land(&g->w.vault);
    world_advance(&g->w, MINUTES(20));
    check_books(g);
    world_end(&g->w);
    free(g);
}

TEST(random_operations_leave_requests_leases_and_rows_in_agreement)
{
    for (unsigned seed = 0; seed < SEEDS; seed++)
        play(NULL, seed);
}

TEST(so_they_do_at_each_kind_of_vault)
{
    for (size_t k = 0; k < fake_nkinds; k++) {
        case_label("%s", fake_kinds[k].name);
        for (unsigned seed = 0; seed < KIND_SEEDS; seed++)
            play(&fake_kinds[k], seed);
    }
}

static int tell_seed(void **state)
{
    (void)state;
    print_message("last seed %u\n", seed_now);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(random_operations_leave_requests_leases_and_rows_in_agreement, tell_seed),
        cmocka_unit_test_teardown(so_they_do_at_each_kind_of_vault, tell_seed)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
