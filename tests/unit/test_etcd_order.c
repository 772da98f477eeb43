/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_etcd_order.c - check-outs and releases of three gateways in any order, on one vault that reuses its
 * request, through proxies that lose, delay and repeat.
 *
 * Nine sessions ask, open and release as a broker does, each in its own time. The vault has one request at a
 * time: who asks while it lives is handed it. What holds at every moment: a lease has its hold and a hold its
 * lease, a request that is held has holders, one that is being given back has none, and no request is checked
 * in while a session holds it.
 */
#include "etcd_rig.h"

#include "base/json.h"
#include "check.h"
#include "loop/upstream/upstream.h"
#include "stores/etcd.h"
#include "stores/etcd_txn.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define PREFIX  "/t/"
#define NODES   3
#define CLIENTS 9
#define ROUNDS  25 /* check-outs of each session */
#define KEYS    512

static struct etcd_rig etcd;
static bool is_there;

enum client_state {
    CLIENT_IDLE,
    CLIENT_ASKS,
    CLIENT_POSTED,
    CLIENT_OPENS,
    CLIENT_HOLDS,
    CLIENT_LEAVES,
    CLIENT_RETURNS,
    CLIENT_CLOSES,
    CLIENT_WITHDRAWS
};

struct world;

struct client {
    struct store_step step; /* first */
    struct world *world;
    enum client_state state;
    int node, number, rounds, wait; /* turns */
    bool reused, busy, holds;
    int request; /* the vault's number */
    char id[ID_SIZE], session[32], name[16], mark[ID_SIZE];
};

struct world {
    struct loop *loop;
    struct store *stores[NODES];
    unsigned opened, closed, seed, fault_seed;
    pthread_mutex_t lock;
    struct client clients[CLIENTS];
    int live, made; /* the vault: its request, 0 = none; how many so far */
    unsigned joins, returned, refused;
};

static int below(struct world *w, int n)
{
    return rand_r(&w->seed) % n;
}

/* ---- a client ---- */

static void on_step(struct store_step *, enum store_outcome);

static struct holder holder_of(const struct client *c)
{
    return (struct holder){"mrivera", "ACME", c->session, c->session, "root@web01", "web01", "root", 1000};
}

static void give(struct client *c, enum store_step_kind kind, enum request_state state, const char *mark,
                 const char *name, const char *lease)
{
    struct store_steps list = STAILQ_HEAD_INITIALIZER(list);

    c->step =
        (struct store_step){.kind = kind,
                            .reused = c->reused,
                            .request = {.mark = mark,
                                        .state = state,
                                        .vault = "safe",
                                        .url = "",
                                        .user = "u",
                                        .name = name,
                                        .last_error = "",
                                        .asker = holder_of(c)},
                            .lease = {.request = mark, .id = lease, .holder = holder_of(c), .ended_site = ""},
                            .instead = "",
                            .done = on_step};
    STAILQ_INSERT_TAIL(&list, &c->step, link);
    c->busy = true;
    assert_int_equal(c->world->stores[c->node]->ops->steps(c->world->stores[c->node], &list), 0);
}

static void post(struct client *c)
{
    struct world *w = c->world;

    c->reused = w->live != 0;
    if (!w->live)
        w->live = ++w->made;
    c->request = w->live;
    (void)snprintf(c->name, sizeof c->name, "%d", c->request);
    (void)snprintf(c->mark, sizeof c->mark, "%s", c->id);
}

static void check_in(struct client *c)
{
    struct world *w = c->world;

    for (int i = 0; i < CLIENTS; i++)
        assert_false(w->clients[i].holds && w->clients[i].request == c->request);
    assert_int_equal(w->live, c->request);
    w->live = 0;
    w->returned++;
}

/* What a client does next when its wait is over. */
static void act(struct client *c)
{
    switch (c->state) {
    case CLIENT_IDLE:
        (void)snprintf(c->id, sizeof c->id, "c%d-%d-%u", c->number, c->rounds, c->world->refused);
        c->state = CLIENT_ASKS;
        c->reused = false;
        give(c, STEP_ASK, REQUEST_ASKED, c->id, "", "");
        break;
    case CLIENT_POSTED:
        c->state = CLIENT_OPENS;
        give(c, STEP_OPEN, REQUEST_HELD, c->id, c->name, c->id);
        break;
    case CLIENT_HOLDS:
        c->state = CLIENT_LEAVES;
        c->holds = false;
        give(c, STEP_RELEASE, REQUEST_RETURNING, c->mark, c->name, c->id);
        break;
    case CLIENT_RETURNS:
        check_in(c);
        c->state = CLIENT_CLOSES;
        give(c, STEP_CLOSE, REQUEST_RETURNING, c->mark, c->name, "");
        break;
    default: fail();
    }
}

static void after_open(struct client *c, enum store_outcome outcome)
{
    if (outcome == STORE_APPLIED) {
        c->holds = true;
        c->state = CLIENT_HOLDS;
        assert_int_equal(c->world->live, c->request);
        if (c->step.now) {
            (void)snprintf(c->mark, sizeof c->mark, "%s", c->step.now->mark);
            c->world->joins++;
        }
        return;
    }
    assert_true(c->reused); /* the row of a request that was made for it is its own to make */
    /* Where the answer was lost the row is read later: its maker may hold it by then. */
    assert_non_null(c->step.now);
    c->world->refused++;
    c->state = CLIENT_WITHDRAWS;
    give(c, STEP_CLOSE, REQUEST_ASKED, c->id, "", "");
}

static void after_release(struct client *c)
{
    assert_true(c->step.now || c->step.holders == 0);
    c->rounds++;
    c->state = CLIENT_IDLE;
    if (c->step.now && c->step.now->state == REQUEST_RETURNING && c->step.now->mine && !c->step.holders)
        c->state = CLIENT_RETURNS;
}

static void on_step(struct store_step *step, enum store_outcome outcome)
{
    struct client *c = (struct client *)step;

    c->busy = false;
    c->wait = below(c->world, 6);
    if (c->state == CLIENT_OPENS) {
        after_open(c, outcome);
        return;
    }
    assert_int_equal(outcome, STORE_APPLIED);
    switch (c->state) {
    case CLIENT_ASKS:
        post(c);
        c->state = CLIENT_POSTED;
        break;
    case CLIENT_LEAVES: after_release(c); break;
    default: c->state = CLIENT_IDLE; break;
    }
}

static bool is_done(const struct client *c)
{
    return c->state == CLIENT_IDLE && c->rounds >= ROUNDS;
}

static bool turn_clients(struct world *w)
{
    bool all = true;

    for (int i = 0; i < CLIENTS; i++) {
        struct client *c = &w->clients[i];

        all &= is_done(c);
        if (!c->busy && !is_done(c) && c->wait-- <= 0)
            act(c);
    }
    return all;
}

/* ---- the keys as they are ---- */

struct keys {
    char key[KEYS][160], value[KEYS][700];
    size_t n;
};

static void read_keys(struct keys *k)
{
    struct json_outcome outcome;
    struct etcd_kv kv;
    char *answer =
        etcd_rig_ask(&etcd, "/v3/kv/range", "{\"key\":\"L3Qv\",\"range_end\":\"L3Qw\"}"); /* /t/, /t0 */

    assert_non_null(answer);
    const char *body = strstr(answer, "\r\n\r\n") + 4;
    cJSON *tree = json_read(body, strlen(body), 16, JSON_EXACT, &outcome);

    assert_non_null(tree);
    for (k->n = 0; etcd_kv_read(tree, (int)k->n, &kv); k->n++) {
        assert_true(k->n < KEYS);
        (void)snprintf(k->key[k->n], sizeof k->key[0], "%.*s", (int)(kv.key.len - 3), kv.key.data + 3);
        (void)snprintf(k->value[k->n], sizeof k->value[0], "%.*s", (int)kv.value.len, kv.value.data);
    }
    cJSON_Delete(tree);
    free(answer);
}

static const char *value_of(const struct keys *k, const char *key)
{
    for (size_t i = 0; i < k->n; i++)
        if (strcmp(k->key[i], key) == 0)
            return k->value[i];
    return NULL;
}

static unsigned count(const struct keys *k, const char *prefix)
{
    unsigned n = 0;

    for (size_t i = 0; i < k->n; i++)
        n += strncmp(k->key[i], prefix, strlen(prefix)) == 0;
    return n;
}

static void check_hold(const struct keys *k, size_t i)
{
    char lease[160], begin[80];

    (void)snprintf(lease, sizeof lease, "s/%.150s", k->value[i]);
    (void)snprintf(begin, sizeof begin, "O{\"i\":\"%.60s\"", strrchr(k->key[i], '/') + 1);
    const char *value = value_of(k, lease);

    assert_non_null(value);
    assert_int_equal(strncmp(value, begin, strlen(begin)), 0);
}

static void check_keys(const struct keys *k)
{
    assert_int_equal(count(k, "s/"), count(k, "h/"));
    for (size_t i = 0; i < k->n; i++) {
        char holds[160];

        if (k->key[i][0] == 'h')
            check_hold(k, i);
        if (k->key[i][0] != 'r')
            continue;
        (void)snprintf(holds, sizeof holds, "h/safe/%.100s/", strrchr(k->key[i], '/') + 1);
        if (k->value[i][0] == 'O')
            assert_true(count(k, holds) > 0);
        else
            assert_int_equal(count(k, holds), 0);
    }
}

/* ---- the world ---- */

static void on_opened(void *arg, const char *why)
{
    assert_string_equal(why, "");
    ((struct world *)arg)->opened++;
}

static void on_closed(void *arg)
{
    ((struct world *)arg)->closed++;
}

static enum etcd_fault some_fault(void *arg, const char *path)
{
    struct world *w = arg;
    enum etcd_fault fault = FAULT_NONE;

    (void)pthread_mutex_lock(&w->lock); /* each proxy has threads of its own */
    if (strcmp(path, "/v3/kv/txn") == 0 && w->opened == NODES && rand_r(&w->fault_seed) % 5 == 0)
        fault = (enum etcd_fault)(rand_r(&w->fault_seed) % FAULT_NFAULTS);
    (void)pthread_mutex_unlock(&w->lock);
    return fault == FAULT_401 ? FAULT_503 : fault; /* there is no user to sign in */
}

static void open_stores(struct world *w, struct etcd_proxy *proxies[NODES], char urls[NODES][64])
{
    static const char *const names[] = {"g1", "g2", "g3"};
    char why[ETCD_STORE_WHY];

    for (unsigned i = 0; i < NODES; i++) {
        proxies[i] = etcd_proxy_start(&etcd, some_fault, w, urls[i]);
        const char *const endpoints[] = {urls[i]};
        const struct etcd_store_opts opts = {.client = {.endpoints = endpoints, .nendpoints = 1},
                                             .prefix = PREFIX,
                                             .node = names[i],
                                             .instance = names[i]};

        w->stores[i] = etcd_store_open(w->loop, &opts, on_opened, w, why);
        assert_non_null(w->stores[i]);
        while (w->opened <= i)
            (void)uv_run(loop_uv(w->loop), UV_RUN_ONCE);
    }
}

static void run(unsigned seed)
{
    static struct world w;
    static struct keys keys;
    struct etcd_proxy *proxies[NODES];
    char urls[NODES][64];
    unsigned turns = 0;

    w = (struct world){.loop = loop_new(), .seed = seed, .fault_seed = seed};
    assert_int_equal(pthread_mutex_init(&w.lock, NULL), 0);
    etcd_rig_delete(&etcd, PREFIX, PREFIX "z");
    open_stores(&w, proxies, urls);
    for (int i = 0; i < CLIENTS; i++) {
        w.clients[i] = (struct client){.world = &w, .node = i % NODES, .number = i};
        (void)snprintf(w.clients[i].session, sizeof w.clients[i].session, "session-%d", i);
    }
    while (!turn_clients(&w)) {
        (void)uv_run(loop_uv(w.loop), UV_RUN_ONCE);
        if (turns++ % 20 == 0) {
            read_keys(&keys);
            check_keys(&keys);
        }
    }
    read_keys(&keys);
    assert_int_equal(count(&keys, "s/") + count(&keys, "h/") + count(&keys, "r/") + count(&keys, "i/") +
                         count(&keys, "e/"),
                     0);
    print_message("seed %u: %d requests, %u joined, %u refused\n", seed, w.made, w.joins, w.refused);
    assert_int_equal(w.returned, w.made);
    assert_true(w.joins > 0 && w.refused > 0);
    for (int i = 0; i < NODES; i++)
        w.stores[i]->ops->close(w.stores[i], on_closed, &w);
    while (w.closed < NODES)
        (void)uv_run(loop_uv(w.loop), UV_RUN_ONCE);
    assert_int_equal(loop_free(w.loop), 0);
    for (int i = 0; i < NODES; i++)
        etcd_proxy_end(proxies[i]);
    (void)pthread_mutex_destroy(&w.lock);
}

TEST(any_order_of_three_gateways_keeps_the_rows_together)
{
    if (!is_there)
        skip();
    for (unsigned seed = 1; seed < 4; seed++)
        run(seed);
}

static int setup(void **state)
{
    (void)state;
    assert_int_equal(upstream_global_init(), 0);
    is_there = etcd_rig_start(&etcd);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    if (is_there)
        etcd_rig_end(&etcd);
    upstream_global_cleanup();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(any_order_of_three_gateways_keeps_the_rows_together)};

    return cmocka_run_group_tests(tests, setup, teardown);
}
