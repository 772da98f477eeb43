/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gateways_rig.c - see gateways_rig.h.
 */
#include "gateways_rig.h"

#include "broker/leases/internal.h"

#include <string.h>

struct world w;
struct fake_store stores[GATEWAYS];
struct broker *brokers[GATEWAYS];
struct buf *gateways_trail;

void gateway(size_t i)
{
    w.broker = brokers[i];
    w.store = &stores[i];
}

static struct broker *broker_start(size_t i)
{
    struct vault *vaults[] = {&w.vault.vault};

    return broker_new(&(struct broker_opts){.timers = w.timers,
                                            .conf = &w.conf,
                                            .vaults = vaults,
                                            .nvaults = 1,
                                            .audit = w.audit,
                                            .store = &stores[i].store});
}

static bool go_on(void)
{
    bool any = false;

    for (size_t i = 0; i < GATEWAYS; i++)
        any |= brokers[i] && fake_store_commit(&stores[i]);
    return any;
}

void settle(void)
{
    int rounds = 0;

    do {
        world_iterate(&w);
        assert_true(++rounds < 1000);
    } while (go_on() || fake_vault_step(&w.vault) || world_answer_record(&w));
}

void advance(uint64_t ms)
{
    uint64_t end = w.clock.now + ms;

    for (;;) {
        settle();
        uint64_t next = timers_next(w.timers);

        if (next == UINT64_MAX || w.clock.now + next > end)
            break;
        fake_clock_advance(&w.clock, next);
    }
    fake_clock_advance(&w.clock, end - w.clock.now);
    settle();
}

int gateways_open(void **state)
{
    static const char *const names[GATEWAYS] = {"g0", "g1", "g2"};

    (void)state;
    world_init(&w);
    w.conf.gateway.reconcile_every_ms = MINUTES(10);
    if (gateways_trail) {
        world_add_audit(&w, AUDIT_DEGRADED);
        w.sink.text = gateways_trail;
    }
    for (size_t i = 0; i < GATEWAYS; i++) {
        fake_store_init(&stores[i], &w.clock.clock);
        fake_store_share(&stores[i], i ? &stores[0] : NULL, names[i]);
        brokers[i] = broker_start(i);
        assert_non_null(brokers[i]);
    }
    gateway(0);
    return 0;
}

int gateways_start(void **state)
{
    (void)gateways_open(state);
    settle();
    return 0;
}

/* Its process ends at once. */
void kill_gateway(size_t i)
{
    broker_free(brokers[i]);
    brokers[i] = NULL;
    fake_store_crash(&stores[i], 0);
}

int gateways_end(void **state)
{
    (void)state;
    for (size_t i = 0; i < GATEWAYS; i++)
        if (brokers[i])
            kill_gateway(i);
    w.broker = NULL;
    w.store = NULL;
    for (size_t i = GATEWAYS; i-- > 0;)
        fake_store_free(&stores[i]);
    world_end(&w);
    return 0;
}

void check_out(size_t i, const char *user, const char *session, struct caller *c)
{
    gateway(i);
    start_checkout(&w, user, session, c);
    settle();
    if (!c->replies)
        advance(SECONDS(2)); /* it waits for the end of another */
    assert_int_equal(c->replies, 1);
}

void check_out_ok(size_t i, const char *user, const char *session, struct caller *c)
{
    check_out(i, user, session, c);
    assert_checkout_ok(c);
    assert_string_equal(c->secret, "s3\"cret");
}

void release(size_t i, const char *user, const char *session, struct released *r)
{
    gateway(i);
    start_release(&w, user, session, NULL, r);
    settle();
    if (!r->replies)
        advance(SECONDS(2)); /* its steps wait for others */
    assert_int_equal(r->replies, 1);
}

void assert_released(const struct released *r, int64_t n, int64_t remaining)
{
    assert_int_equal(r->code, FAULT_NONE);
    assert_int_equal(r->released, n);
    assert_int_equal(r->remaining, remaining);
}

size_t leases_at(size_t i)
{
    struct broker_state state;

    broker_state(brokers[i], &state);
    return state.leases_active;
}

/* Nothing is left of a test whose sessions have released all. */
void assert_all_given_back(void)
{
    advance(SECONDS(1)); /* the last step is not in a hurry */
    assert_int_equal(fake_vault_live(&w.vault), 0);
    assert_int_equal(fake_store_count(&stores[0]), 0);
    assert_int_equal(fake_store_leases(&stores[0]), 0);
    for (size_t i = 0; i < GATEWAYS; i++)
        if (brokers[i])
            assert_null(lease_first(brokers[i]->leases, 0)); /* and no record of a request is left */
}

void assert_same_lease(const struct caller *a, const struct caller *b)
{
    assert_string_equal(a->lease_id, b->lease_id);
    assert_int_equal(a->request_id, b->request_id);
    assert_int_equal(a->expires_wall_ms, b->expires_wall_ms);
}

unsigned count_records(struct buf *trail, const char *text)
{
    const char *at = buf_cstr(trail);
    unsigned n = 0;

    while ((at = strstr(at, text))) {
        at += strlen(text);
        n++;
    }
    return n;
}

static void on_operator(void *arg, const struct release_answer *a)
{
    *(int64_t *)arg = a->fault ? -(int64_t)a->fault->code : a->released;
}

/* How many it has ended, or minus the fault. */
int64_t operator_release(size_t i, const char *lease_id)
{
    int64_t answer = INT64_MIN;

    gateway(i);
    assert_non_null(broker_release_lease(w.broker, lease_id, SECONDS(15), on_operator, &answer));
    settle();
    return answer;
}
