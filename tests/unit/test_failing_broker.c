/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_failing_broker.c - each allocation and each random number of the broker fails once, in the life of a
 * check-out: with approval, with a key, by direct access, shared, lost at the vault, at a vault whose keys
 * come again, over a crash, a reload and a vault that is configured no more; and in one of two gateways, with
 * a lease or a request of the other one.
 *
 * While calls fail, an operation may not begin, or ends with a fault. Afterwards, with nothing failing any
 * more, three hours pass. Then each operation that began was answered once, no request lives at the vault, no
 * lease is in memory, and no memory is lost. A step that was lost for want of memory leaves an older row in
 * the store (journal.h): the next process makes an end of it.
 */
#include "broker_rig.h"
#include "check.h"
#include "failing_calls.h"

#include "base/log.h"
#include "broker/leases/lease_table.h"
#include "broker/release_work.h"

#include <stdio.h>
#include <string.h>

#define LSID "0123456789abcdef0123456789abcdef"

static struct world w;

/* ---- operations, which begin or not ---- */

#define OPS 8
static struct started {
    bool begun;
    int answers;
    enum fault_code code;
} ops[OPS];
static size_t nops;

static struct started *next_op(void)
{
    assert_true(nops < OPS);
    ops[nops] = (struct started){0};
    return &ops[nops++];
}

static void answered(struct started *op, const struct fault *fault)
{
    op->answers++;
    op->code = fault ? fault->code : FAULT_NONE;
}

static void on_checkout(void *arg, const struct checkout_answer *a)
{
    answered(arg, a->fault);
}

static void on_release(void *arg, const struct release_answer *a)
{
    answered(arg, a->fault);
}

static void on_found(void *arg, const struct find_answer *a)
{
    answered(arg, a->fault);
}

static void on_endpoints(void *arg, const struct endpoints_answer *a)
{
    answered(arg, a->fault);
}

static void on_started(void *arg)
{
    answered(arg, NULL);
}

static void on_ended(void *arg, const struct session_ended_answer *a)
{
    answered(arg, a->fault);
}

static void checkout(const char *user, const char *session)
{
    struct checkout_args args = checkout_args_for(&w, user, session);
    struct started *op = next_op();

    args.by.session.lsid = LSID;
    args.reason = "to mend it";
    op->begun = broker_checkout(w.broker, &args, on_checkout, op) != NULL;
}

static void release_credential(const char *user, const char *session, const char *credential_id)
{
    struct release_args args = {.by = {person_session(user, session), SECONDS(15)},
                                .credential_id = credential_id};
    struct started *op = next_op();

    op->begun = broker_release(w.broker, &args, on_release, op) != NULL;
}

static void release(const char *user, const char *session)
{
    release_credential(user, session, NULL);
}

/* ---- before and after ---- */

static void begin_world(void)
{
    nops = 0;
    world_init(&w);
    w.conf.gateway.reconcile_every_ms = MINUTES(10);
    w.conf.gateway.reconcile_per_s = 10;
    w.conf.gateway.list_cache_ms = MINUTES(1);
    w.conf.gateway.explain_entries = 10;
    w.conf.gateway.explain_memory = 1 << 20;
    world_add_store(&w);
    world_add_audit(&w, AUDIT_STRICT);
}

static void restart(void)
{
    if (!world_try_start(&w)) { /* the service manager starts it once more */
        failing_calls_stop();
        world_start(&w);
        failing_calls_start();
    }
}

static void begin(void)
{
    begin_world();
    world_start(&w);
    failing_calls_start();
}

/* Its requests do not end by their own time before the end of the scenario. */
static void begin_long(void)
{
    begin_world();
    w.conf.gateway.release_duration_ms = HOURS(8);
    w.vault.accounts[0].row.max_minutes = 480;
    world_start(&w);
    failing_calls_start();
}

/* The vault's requests have keys that come again. */
static void begin_keyed_world(bool each)
{
    const struct vault_can can = {.secret_with_checkout = true, .checkins_each = each, .repeatable = true};

    begin_world();
    fake_vault_set_can(&w.vault, can, 0);
    world_start(&w);
}

static void begin_keyed(void)
{
    begin_keyed_world(false);
    failing_calls_start();
}

/* Requests at the vault that have a key. */
static size_t keys(void)
{
    struct key_counts n;

    broker_count_keys(w.broker, &w.vault.vault, &n);
    return n.held + n.returning + n.settling + n.spinning;
}

static void check_end(void)
{
    failing_calls_stop();
    w.vault.plan = NULL;
    world_advance(&w, HOURS(3));
    for (size_t i = 0; i < nops; i++)
        assert_int_equal(ops[i].answers, ops[i].begun);
    assert_int_equal(fake_vault_live(&w.vault), 0);
    assert_int_equal(world_state(&w).ops, 0);
    assert_int_equal(world_state(&w).leases_active, 0);
    assert_int_equal(keys(), 0);
}

static void end(void)
{
    check_end();
    if (fake_store_count(w.store)) {
        world_crash(&w, 0, 0);
        world_advance(&w, HOURS(30)); /* a check-in that was given up is shown for a day */
    }
    assert_int_equal(fake_store_count(w.store), 0);
    w.store->otherwise = 0; /* of the row that was older */
    world_end(&w);
}

/* ---- scenarios ---- */

static void released(void)
{
    begin();
    checkout("alice", "s1");
    world_advance(&w, SECONDS(1));
    checkout("alice", "s1");
    world_advance(&w, SECONDS(1));
    release("alice", "s1");
    world_advance(&w, SECONDS(20));
    end();
}

static void shared(void)
{
    begin();
    checkout("alice", "s1");
    checkout("alice", "s2");
    world_advance(&w, SECONDS(1));
    release("alice", "s1");
    world_advance(&w, SECONDS(1));
    release("alice", "s2");
    world_advance(&w, SECONDS(20));
    end();
}

static void lapsed(void)
{
    begin();
    checkout("alice", "s1");
    world_advance(&w, HOURS(2));
    end();
}

static void approved(void)
{
    begin();
    w.vault.accounts[0].approval = true;
    checkout("alice", "s1");
    world_advance(&w, SECONDS(20));
    for (size_t i = 0; i < w.vault.nrequests; i++)
        w.vault.requests[i].pending = false;
    checkout("alice", "s1");
    world_advance(&w, SECONDS(20));
    release("alice", "s1");
    world_advance(&w, SECONDS(20));
    end();
}

static void with_a_key(void)
{
    begin();
    world_set_key_account(&w);
    checkout("alice", "s1");
    world_advance(&w, SECONDS(20));
    release("alice", "s1");
    world_advance(&w, SECONDS(20));
    end();
}

static void direct(void)
{
    begin();
    w.vault.accounts[0].row.isa = true;
    checkout("alice", "s1");
    world_advance(&w, SECONDS(20));
    release("alice", "s1");
    world_advance(&w, SECONDS(20));
    end();
}

static void session_ends(void)
{
    static const struct session_ended_args ended = {
        .lsid = LSID, .source = SESSION_END_EVENT, .site = "pra1", .timeout_ms = SECONDS(5)};
    struct started_args start = {.by = {person_session("alice", "s1"), SECONDS(5)}};

    begin();
    checkout("alice", "s1");
    world_advance(&w, SECONDS(1));
    start.by.session.lsid = LSID;
    struct started *op = next_op();
    op->begun = broker_session_started(w.broker, &start, on_started, op) != NULL;
    world_advance(&w, SECONDS(1));
    op = next_op();
    op->begun = broker_session_ended(w.broker, &ended, on_ended, op) != NULL;
    (void)broker_pra_cursor_save(w.broker, "pra1", 1000);
    world_advance(&w, SECONDS(20));
    end();
}

static enum fake_fault lose_requests(void *arg, enum fake_op op, unsigned nth)
{
    (void)arg;
    (void)nth;
    return op == FAKE_REQUEST ? FAKE_LOST_DID : FAKE_FINE;
}

static void answer_lost(void)
{
    begin_long();
    w.vault.plan = lose_requests;
    checkout("alice", "s1");
    world_advance(&w, MINUTES(2));
    end();
}

static void keyed_shared(void)
{
    begin_keyed();
    checkout("alice", "s1");
    checkout("bob", "s2");
    world_advance(&w, SECONDS(1));
    release("alice", "s1");
    world_advance(&w, SECONDS(1));
    release("bob", "s2");
    world_advance(&w, MINUTES(2));
    end();
}

static void keyed_lost(void)
{
    begin_keyed();
    w.vault.plan = lose_requests;
    checkout("alice", "s1");
    world_advance(&w, MINUTES(2));
    end();
}

static enum fake_fault lose_spins(void *arg, enum fake_op op, unsigned nth)
{
    (void)arg;
    (void)nth;
    return op == FAKE_SPIN && w.vault.count[op] == 0 ? FAKE_LOST_DID_NOT : FAKE_FINE;
}

/* The password is changed after the check-in. */
static void begin_spun(int64_t delay_ms)
{
    begin_keyed();
    w.vault.spin_delay_ms = delay_ms;
}

static void spun(void)
{
    begin_spun(0);
    w.vault.plan = lose_spins;
    checkout("alice", "s1");
    world_advance(&w, SECONDS(1));
    release("alice", "s1");
    world_advance(&w, MINUTES(2));
    end();
}

static void spin_taken_back(void)
{
    begin_spun(SECONDS(20));
    checkout("alice", "s1");
    world_advance(&w, SECONDS(1));
    release("alice", "s1");
    world_advance(&w, SECONDS(1));
    checkout("bob", "s2");
    world_advance(&w, SECONDS(1));
    release("bob", "s2");
    world_advance(&w, MINUTES(2));
    end();
}

static void spin_after_a_restart(void)
{
    begin_spun(MINUTES(1));
    failing_calls_stop();
    checkout("alice", "s1");
    world_advance(&w, SECONDS(1));
    release("alice", "s1");
    world_advance(&w, SECONDS(1));
    world_kill(&w, 0, 0);
    failing_calls_start();
    restart();
    world_advance(&w, MINUTES(2));
    end();
}

static enum fake_fault refuse_checkins(void *arg, enum fake_op op, unsigned nth)
{
    (void)arg;
    (void)nth;
    return op == FAKE_CHECKIN ? FAKE_UNREACHABLE : FAKE_FINE;
}

static void checkin_again(void)
{
    begin_long();
    checkout("alice", "s1");
    world_advance(&w, SECONDS(1));
    w.vault.plan = refuse_checkins;
    release("alice", "s1");
    if (!ops[1].begun) { /* the caller asks once more */
        failing_calls_stop();
        release("alice", "s1");
        failing_calls_start();
    }
    world_advance(&w, MINUTES(2));
    end();
}

/* The process dies while the vault has the request, and once more with a lease. */
static void keyed_by_hand(void)
{
    begin_keyed();
    failing_calls_stop();
    (void)fake_vault_seed(&w.vault, FAKE_PRINCIPAL, 1, 11, 600, "of a lost store");
    failing_calls_start();
    struct started *op = next_op();
    op->begun = broker_checkin_credential(w.broker, w.credential, SECONDS(5), on_release, op) != NULL;
    world_advance(&w, MINUTES(2));
    failing_calls_stop();
    if (fake_vault_live(&w.vault)) { /* the operator does it once more */
        op = next_op();
        op->begun = broker_checkin_credential(w.broker, w.credential, SECONDS(5), on_release, op) != NULL;
    }
    end();
}

/* Each check-out wants a check-in of its own: of one that was lost, of one that takes it over, of a further
 * one on whose way the process ends, and of one after that. */
static void keyed_each(void)
{
    begin_keyed_world(true);
    failing_calls_start();
    w.vault.plan = lose_requests;
    checkout("alice", "s1");
    world_advance(&w, SECONDS(1));
    w.vault.plan = NULL;
    checkout("bob", "s2");
    world_advance(&w, SECONDS(1));
    checkout("bob", "s2");
    for (int i = 0; i < 100 && w.vault.count[FAKE_CREDENTIAL] == 0; i++) {
        world_iterate(&w);
        if (!fake_store_commit(w.store))
            (void)fake_vault_step(&w.vault);
    }
    failing_calls_stop();
    world_kill(&w, 1, 8);
    nops = 0; /* they died with their process */
    failing_calls_start();
    restart();
    world_advance(&w, SECONDS(1));
    checkout("alice", "s1");
    world_advance(&w, SECONDS(1));
    for (int i = 0; i < 2; i++) { /* the callers ask once more */
        release("bob", "s2");
        release("alice", "s1");
        failing_calls_stop();
    }
    failing_calls_start();
    world_advance(&w, MINUTES(2));
    end();
}

/* As the process before has left it: in the row the key is asked for. */
static void keyed_recovered(void)
{
    begin_keyed();
    failing_calls_stop();
    w.vault.plan = lose_requests;
    checkout("alice", "s1");
    world_advance(&w, SECONDS(1));
    world_kill(&w, 0, 0);
    failing_calls_start();
    restart();
    world_advance(&w, MINUTES(2));
    end();
}

static void recovered(void)
{
    begin_world();
    world_start(&w);
    checkout("alice", "s1");
    for (int i = 0; i < 100 && w.vault.count[FAKE_REQUEST] == 0; i++) {
        world_iterate(&w);
        if (!fake_store_commit(w.store))
            (void)fake_vault_step(&w.vault);
    }
    world_kill(&w, 1, 8);
    nops = 0; /* the first died with its process */
    failing_calls_start();
    restart();
    world_advance(&w, MINUTES(11));
    checkout("alice", "s2");
    world_advance(&w, SECONDS(1));
    failing_calls_stop();
    world_kill(&w, 0, 8);
    failing_calls_start();
    restart();
    world_advance(&w, SECONDS(1));
    release("alice", "s2");
    world_advance(&w, SECONDS(20));
    end();
}

static void restart_named(const char *vault)
{
    failing_calls_stop();
    (void)snprintf(w.vault.conf.name, sizeof w.vault.conf.name, "%s", vault);
    world_kill(&w, 0, 8);
    failing_calls_start();
    restart();
    world_advance(&w, SECONDS(1));
}

/* A process has rows of a vault that is not configured; the next one has it again. */
static void vault_gone(void)
{
    begin();
    checkout("alice", "s1");
    world_advance(&w, SECONDS(1));
    restart_named("other");
    restart_named("main");
    end();
}

/* ---- two gateways with one store ---- */

static struct fake_store second;
static struct broker *brokers[2];

static void be(size_t i, struct fake_store *store)
{
    w.store = store;
    w.broker = brokers[i];
}

/* The first one has checked out for alice's session s1, or `waits` for the approver; the second one is next.
 */
static struct fake_store *begin_two(bool waits)
{
    struct fake_store *first;

    begin_world();
    w.vault.accounts[0].approval = waits;
    w.vault.conf.approval_wait_ms = waits ? MINUTES(30) : 0;
    first = w.store;
    fake_store_share(first, NULL, "g0");
    fake_store_init(&second, &w.clock.clock);
    fake_store_share(&second, first, "g1");
    for (size_t i = 2; i-- > 0;) {
        w.store = i ? &second : first;
        world_start(&w);
        world_settle(&w);
        brokers[i] = w.broker;
    }
    checkout("alice", "s1");
    world_advance(&w, SECONDS(1));
    return first;
}

/* No row of a living gateway stays: a gateway has no restart that would make an end of it. */
static void end_two(struct fake_store *first)
{
    check_end();
    assert_int_equal(release_works_count(w.broker), 0);
    assert_int_equal(fake_store_count(first), 0);
    assert_int_equal(fake_store_leases(first), 0);
    broker_free(w.broker);
    w.broker = NULL;
    fake_store_free(&second);
    w.store = first;
    world_end(&w);
}

/* One dies, and the other one adopts its lease. */
static struct fake_store *begin_adopted(void)
{
    struct fake_store *first = begin_two(false);

    broker_free(w.broker);
    fake_store_crash(first, 0);
    be(1, &second);
    failing_calls_start();
    fake_store_fence(first, &second);
    world_advance(&w, SECONDS(1));
    return first;
}

/* It ends with its time. */
static void adopted_for_good(void)
{
    struct fake_store *first = begin_adopted();

    world_advance(&w, HOURS(2));
    end_two(first);
}

static void adopted(void)
{
    struct fake_store *first = begin_adopted();

    release("alice", "s1");
    world_advance(&w, SECONDS(20));
    end_two(first);
}

/* The second gateway goes on, in which calls fail, and the first one, in which none does. */
static void go_on(struct fake_store *first)
{
    for (int i = 0; i < 20; i++) {
        world_advance(&w, SECONDS(1));
        failing_calls_stop();
        be(0, first);
        world_settle(&w);
        be(1, &second);
        failing_calls_start();
    }
}

/* The first one dies: the other one ends what was not released. */
static void end_at_second(struct fake_store *first)
{
    failing_calls_stop();
    broker_free(brokers[0]);
    fake_store_crash(first, 0);
    fake_store_fence(first, &second);
    end_two(first);
}

/* The gateway that has not made the request releases it. */
static void release_at_second(struct fake_store *first, const char *credential_id)
{
    be(1, &second);
    failing_calls_start();
    release_credential("alice", "s1", credential_id);
    go_on(first);
    end_at_second(first);
}

/* Of this session, which releases then. */
static void checkout_at_second(struct fake_store *first, const char *session)
{
    be(1, &second);
    failing_calls_start();
    checkout("alice", session);
    go_on(first);
    release("alice", session);
    go_on(first);
    end_at_second(first);
}

/* The first one's lease is answered. */
static void repeated(void)
{
    checkout_at_second(begin_two(false), "s1");
}

/* Another session's lease joins the first one's request. */
static void joined(void)
{
    checkout_at_second(begin_two(false), "s2");
}

/* The request is kept by the first one, and approved. */
static void claimed(void)
{
    struct fake_store *first = begin_two(true);

    w.vault.requests[0].pending = false;
    checkout_at_second(first, "s1");
}

/* Nothing is at the vault before. */
static void made_at_second(void)
{
    struct fake_store *first = begin_two(false);

    release("alice", "s1");
    world_advance(&w, SECONDS(5));
    checkout_at_second(first, "s1");
}

/* It waits for its approver, and is withdrawn in time. */
static void kept_at_second(void)
{
    struct fake_store *first = begin_two(false);

    release("alice", "s1");
    world_advance(&w, SECONDS(5));
    w.vault.accounts[0].approval = true;
    w.vault.conf.approval_wait_ms = MINUTES(30);
    be(1, &second);
    failing_calls_start();
    checkout("alice", "s2");
    go_on(first);
    checkout("alice", "s3");
    go_on(first);
    end_at_second(first);
}

/* The site reports the end of the first one's session. */
static void reported_at_second(void)
{
    static const struct session_ended_args ended = {
        .lsid = LSID, .source = SESSION_END_EVENT, .site = "pra1", .timeout_ms = SECONDS(5)};
    struct fake_store *first = begin_two(false);

    be(1, &second);
    failing_calls_start();
    struct started *op = next_op();
    op->begun = broker_session_ended(w.broker, &ended, on_ended, op) != NULL;
    go_on(first);
    end_at_second(first);
}

static void on_page(void *arg, const struct lease_page_answer *a)
{
    answered(arg, a->fault);
}

/* An operator sees the lease, and ends it. */
static void operated_at_second(void)
{
    static const struct lease_filter all = {.limit = 100};
    struct fake_store *first = begin_two(false);
    const char *id = fake_store_only_lease(first)->id;
    struct started *op = next_op();
    char lease_id[ID_SIZE];

    (void)snprintf(lease_id, sizeof lease_id, "%s", id);
    be(1, &second);
    failing_calls_start();
    op->begun = broker_lease_page(w.broker, &all, "", SECONDS(5), on_page, op) != NULL;
    go_on(first);
    op = next_op();
    op->begun = broker_release_lease(w.broker, lease_id, SECONDS(5), on_release, op) != NULL;
    go_on(first);
    end_at_second(first);
}

/* The vault ends the first one's request by itself; either gateway may have the list of its user. */
static void ended_at_vault(void)
{
    struct fake_store *first = begin_two(false);

    w.vault.requests[0].live = false;
    be(1, &second);
    failing_calls_start();
    for (int i = 0; i < 3; i++) {
        (void)broker_reconcile(w.broker, true);
        world_advance(&w, MINUTES(5));
        go_on(first);
    }
    first->otherwise = 0; /* each of the two may find it first */
    end_at_second(first);
}

/* The others take the second one for dead, and it joins again. */
static void fenced(void)
{
    struct fake_store *first = begin_two(false);

    be(1, &second);
    failing_calls_start();
    checkout("alice", "s2");
    world_advance(&w, SECONDS(1));
    fake_store_fence(&second, first);
    go_on(first);
    fake_store_rejoin(&second);
    go_on(first);
    checkout("alice", "s3");
    go_on(first);
    end_at_second(first);
}

/* It was the last lease. */
static void taken_over(void)
{
    release_at_second(begin_two(false), NULL);
}

static void withdrawn(void)
{
    release_at_second(begin_two(true), w.credential);
}

static void reloaded(void)
{
    begin();
    checkout("alice", "s1");
    world_advance(&w, SECONDS(1));
    w.conf.gateway.release_duration_ms = MINUTES(30);
    w.conf.gateway.catalogue_cache_ms = MINUTES(2);
    w.conf.gateway.list_cache_ms = MINUTES(2);
    broker_reload(w.broker);
    world_advance(&w, SECONDS(1));
    checkout("bob", "s2");
    world_advance(&w, SECONDS(1));
    broker_drain(w.broker);
    world_advance(&w, SECONDS(1));
    end();
}

/* A second system: the index has one entry when the other one cannot be made. */
static void add_directory(void)
{
    static char reader[] = "svc-reader";
    static const struct directory_row systems[] = {
        {.id = 1, .name = "srv01", .dns = "srv01.acme.test", .platform_id = 2},
        {.id = 2, .name = "srv02", .workgroup_id = 7}};
    static const struct directory_row platforms[] = {{.id = 2, .name = "Linux", .session_type = "SSH"}};
    static const struct directory_row workgroups[] = {{.id = 7, .name = "Berlin"}};

    w.vault.conf.directory_user = reader;
    w.vault.directory[DIRECTORY_SYSTEMS] = systems;
    w.vault.directory[DIRECTORY_PLATFORMS] = platforms;
    w.vault.directory[DIRECTORY_WORKGROUPS] = workgroups;
    w.vault.ndirectory[DIRECTORY_SYSTEMS] = 2;
    w.vault.ndirectory[DIRECTORY_PLATFORMS] = w.vault.ndirectory[DIRECTORY_WORKGROUPS] = 1;
}

static void found(void)
{
    struct endpoints_args ask = {
        .by = {person_session("alice", "s1"), SECONDS(5)}, .rdp = true, .shell = true, .query = "srv"};
    struct asked_by by = {person_session("alice", "s1"), SECONDS(5)};

    begin_world();
    add_directory();
    world_start(&w);
    failing_calls_start();
    by.session.request_id = "r1";
    for (int i = 0; i < 2; i++) {
        struct started *op = next_op();
        op->begun = broker_find(w.broker, &by, on_found, op) != NULL;
        op = next_op();
        op->begun = broker_endpoints(w.broker, &ask, on_endpoints, op) != NULL;
        world_advance(&w, SECONDS(1));
    }
    end();
}

#define EACH(scenario)                                                                                       \
    TEST(each_call_of_##scenario)                                                                            \
    {                                                                                                        \
        failing_calls_each(#scenario, scenario);                                                             \
    }

EACH(released)
EACH(shared)
EACH(lapsed)
EACH(approved)
EACH(with_a_key)
EACH(direct)
EACH(session_ends)
EACH(answer_lost)
EACH(keyed_shared)
EACH(keyed_lost)
EACH(spun)
EACH(spin_taken_back)
EACH(spin_after_a_restart)
EACH(keyed_recovered)
EACH(keyed_each)
EACH(keyed_by_hand)
EACH(checkin_again)
EACH(recovered)
EACH(vault_gone)
EACH(adopted)
EACH(adopted_for_good)
EACH(taken_over)
EACH(withdrawn)
EACH(repeated)
EACH(joined)
EACH(claimed)
EACH(made_at_second)
EACH(kept_at_second)
EACH(reported_at_second)
EACH(operated_at_second)
EACH(ended_at_vault)
EACH(fenced)
EACH(reloaded)
EACH(found)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_call_of_released),
        cmocka_unit_test(each_call_of_shared),
        cmocka_unit_test(each_call_of_lapsed),
        cmocka_unit_test(each_call_of_approved),
        cmocka_unit_test(each_call_of_with_a_key),
        cmocka_unit_test(each_call_of_direct),
        cmocka_unit_test(each_call_of_session_ends),
        cmocka_unit_test(each_call_of_answer_lost),
        cmocka_unit_test(each_call_of_keyed_shared),
        cmocka_unit_test(each_call_of_keyed_lost),
        cmocka_unit_test(each_call_of_spun),
        cmocka_unit_test(each_call_of_spin_taken_back),
        cmocka_unit_test(each_call_of_spin_after_a_restart),
        cmocka_unit_test(each_call_of_keyed_recovered),
        cmocka_unit_test(each_call_of_keyed_each),
        cmocka_unit_test(each_call_of_keyed_by_hand),
        cmocka_unit_test(each_call_of_checkin_again),
        cmocka_unit_test(each_call_of_recovered),
        cmocka_unit_test(each_call_of_vault_gone),
        cmocka_unit_test(each_call_of_adopted),
        cmocka_unit_test(each_call_of_adopted_for_good),
        cmocka_unit_test(each_call_of_taken_over),
        cmocka_unit_test(each_call_of_withdrawn),
        cmocka_unit_test(each_call_of_repeated),
        cmocka_unit_test(each_call_of_joined),
        cmocka_unit_test(each_call_of_claimed),
        cmocka_unit_test(each_call_of_made_at_second),
        cmocka_unit_test(each_call_of_kept_at_second),
        cmocka_unit_test(each_call_of_reported_at_second),
        cmocka_unit_test(each_call_of_operated_at_second),
        cmocka_unit_test(each_call_of_ended_at_vault),
        cmocka_unit_test(each_call_of_fenced),
        cmocka_unit_test(each_call_of_reloaded),
        cmocka_unit_test(each_call_of_found),
    };

    (void)log_open(&(struct log_opts){.level = LOG_ERROR, .file = "/dev/null"});
    return cmocka_run_group_tests(tests, NULL, NULL);
}
