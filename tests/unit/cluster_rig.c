/* SPDX-License-Identifier: Apache-2.0 */
/* cluster_rig.c - loop, upstream and time in place of the real ones; see the header. */
#include "cluster_rig.h"

#include "check.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ANSWER_MAX ((size_t)1 << 22)
#define STEPS_MAX  20000

struct upstream {
    TAILQ_ENTRY(upstream) link;
    struct cluster_node *node;
    void (*closed)(void *arg);
    void *arg;
};

struct cluster_rig cluster;
static TAILQ_HEAD(, call) sent;
static size_t places; /* deadlines that ran before the ones that fire now */
static TAILQ_HEAD(, upstream) upstreams;

static void quiet(bool on)
{
    if (cluster.quiet)
        cluster.quiet(on);
}

/* ---- loop and loop/upstream, as the store sees them ---- */

struct timers *loop_timers(struct loop *loop)
{
    (void)loop;
    return cluster.timers;
}

const struct clock *loop_clock(struct loop *loop)
{
    (void)loop;
    return &cluster.fc.clock;
}

struct upstream *upstream_new(struct loop *loop, const struct upstream_opts *opts, char why[256])
{
    (void)loop;
    if (cluster.fails && cluster.fails("upstream_new")) {
        (void)snprintf(why, 256, "out of memory");
        return NULL;
    }
    struct upstream *up = calloc(1, sizeof *up);

    assert_non_null(up);
    assert_int_equal(strncmp(opts->url, "https://g", 9), 0);
    up->node = &cluster.nodes[opts->url[9] - '1'];
    TAILQ_INSERT_TAIL(&upstreams, up, link);
    return up;
}

void upstream_close(struct upstream *up, void (*closed)(void *arg), void *arg)
{
    const struct call *call;

    TAILQ_FOREACH(call, &sent, link)
    assert_ptr_not_equal(call->up, up); /* they are cancelled by their owners before */
    assert_null(up->closed);
    up->closed = closed;
    up->arg = arg;
}

int upstream_call(struct upstream *up, struct call *call)
{
    assert_non_null(call->done);
    assert_true(call->timeout_ms > 0);
    assert_null(up->closed);
    assert_false(call->state);
    if (cluster.fails && cluster.fails("upstream_call"))
        return -ENOMEM;
    call->up = up;
    call->state = 1;
    TAILQ_INSERT_TAIL(&sent, call, link);
    return 0;
}

void upstream_cancel(struct call *call)
{
    if (call->state)
        TAILQ_REMOVE(&sent, call, link);
    call->state = 0;
    call_free_answer(call);
}

void call_free_answer(struct call *call)
{
    buf_free(&call->cookies);
    buf_free(&call->body_in);
}

/* ---- answers ---- */

static void lose(struct call *call, int err, enum call_fault fault)
{
    buf_free(&call->body_in);
    call->err = err;
    call->fault = fault;
    call->sent = err != -ECONNREFUSED;
    call->status = 0;
    (void)snprintf(call->why, sizeof call->why, "planned");
}

static bool has_token(const struct call *call)
{
    static const char name[] = "\r\nAuthorization: ";
    const char *at = strstr(call->headers, name);
    char token[64] = "";

    if (at)
        (void)snprintf(token, sizeof token, "%.*s", (int)strcspn(at + sizeof name - 1, "\r"),
                       at + sizeof name - 1);
    return strstr(call->target, "/auth/") || fake_etcd_token_is_good(cluster.keys, at ? token : NULL);
}

static void refuse(struct call *call, int status, const char *words)
{
    buf_free(&call->body_in);
    call->body_in = BUF_INIT(ANSWER_MAX);
    call->status = status;
    assert_int_equal(
        buf_printf(&call->body_in, "{\"error\":\"%s\",\"code\":14,\"message\":\"%s\"}", words, words), 0);
}

/* As etcd itself answers. */
static void ask_etcd(struct call *call)
{
    struct buf body = BUF_INIT(ANSWER_MAX);

    call->err = 0;
    call->sent = true;
    call->body_in = BUF_INIT(ANSWER_MAX);
    if (!has_token(call)) {
        refuse(call, 401, "etcdserver: invalid auth token");
        return;
    }
    assert_int_equal(buf_append(&body, call->body ? call->body : "", call->body_len), 0);
    call->status = fake_etcd_call(cluster.keys, call->target, buf_cstr(&body), &call->body_in);
    if (call->status == 400)
        fail_msg("etcd refuses %s: %s", buf_cstr(&body), buf_cstr(&call->body_in));
    buf_free(&body);
}

static void cut_answer(struct call *call)
{
    ask_etcd(call);
    call->body_in.len /= 2;
}

/* The text of the first member of that name. */
static void damage(struct call *call, const char *name)
{
    ask_etcd(call);
    char *at = buf_cstr(&call->body_in) ? strstr(call->body_in.data, name) : NULL;

    if (at)
        at[strlen(name)] = '*';
}

static void answer(struct call *call, enum cluster_fault fault)
{
    if (fault == CLUSTER_AFTER || fault == CLUSTER_TIMEOUT || fault == CLUSTER_503_AFTER ||
        fault == CLUSTER_GOOD || fault == CLUSTER_EMPTY)
        ask_etcd(call);
    switch (fault) {
    case CLUSTER_BEFORE:
    case CLUSTER_AFTER: lose(call, -ECONNRESET, CALL_FAULT_NONE); break;
    case CLUSTER_TIMEOUT: lose(call, -ETIMEDOUT, CALL_FAULT_NONE); break;
    case CLUSTER_REFUSED: lose(call, -ECONNREFUSED, CALL_FAULT_REFUSED); break;
    case CLUSTER_WRONG: lose(call, -ECONNREFUSED, CALL_FAULT_WRONG_NAME); break;
    case CLUSTER_503:
    case CLUSTER_503_AFTER: refuse(call, 503, "etcdserver: no leader"); break;
    case CLUSTER_401: refuse(call, 401, "etcdserver: invalid auth token"); break;
    case CLUSTER_403: refuse(call, 403, "etcdserver: permission denied"); break;
    case CLUSTER_429: refuse(call, 429, "etcdserver: too many requests"); break;
    case CLUSTER_CUT: cut_answer(call); break;
    case CLUSTER_KEY: damage(call, "\"key\":\""); break;
    case CLUSTER_VALUE: damage(call, "\"value\":\""); break;
    case CLUSTER_EMPTY: buf_free(&call->body_in); break;
    default: break;
    }
}

static void deliver(void)
{
    struct call *call = TAILQ_FIRST(&sent);
    const struct cluster_node *node = call->up->node;
    enum cluster_fault fault = node->cut ? CLUSTER_REFUSED : CLUSTER_GOOD;

    TAILQ_REMOVE(&sent, call, link);
    call->state = 0;
    quiet(true);
    if (cluster.watching && !node->cut) {
        cluster.calls++;
        fault = cluster.fault ? cluster.fault(call->target) : fault;
    }
    answer(call, fault);
    if (cluster.max_answer && !call->err && call->body_in.len > cluster.max_answer)
        lose(call, -EMSGSIZE, CALL_FAULT_NONE);
    if (cluster.watching && cluster.spoil && !call->err && call->status == 200)
        cluster.spoil(call->target, &call->body_in);
    quiet(false);
    fake_clock_advance(&cluster.fc, 1); /* so that two gateways do not run in step */
    call->done(call);
}

/* ---- time ---- */

static bool close_one(void)
{
    struct upstream *up;

    TAILQ_FOREACH(up, &upstreams, link)
    {
        if (!up->closed)
            continue;
        void (*closed)(void *) = up->closed;
        void *arg = up->arg;

        TAILQ_REMOVE(&upstreams, up, link);
        free(up);
        closed(arg);
        return true;
    }
    return false;
}

void cluster_step(void)
{
    uint64_t next;

    if (close_one())
        return;
    next = timers_next(cluster.timers);
    if (next && !TAILQ_EMPTY(&sent)) {
        deliver();
        return;
    }
    assert_int_not_equal(next, UINT64_MAX);
    fake_clock_advance(&cluster.fc, next);
    places = timers_count(cluster.timers);
    (void)timers_run(cluster.timers);
    places = 0;
}

bool cluster_has_place(void)
{
    return timers_count(cluster.timers) < places;
}

void cluster_wait(const bool *done, const char *what)
{
    for (int i = 0; !*done; i++) {
        if (i == STEPS_MAX)
            fail_msg("%s does not come to an end", what);
        cluster_step();
    }
}

static void count_key(void *arg, const char *key, const char *value)
{
    (void)key, (void)value;
    ++*(unsigned *)arg;
}

unsigned cluster_keys(const char *prefix)
{
    unsigned n = 0;

    fake_etcd_each(cluster.keys, prefix, count_key, &n);
    return n;
}

void cluster_advance(uint64_t ms)
{
    uint64_t end = cluster.fc.now + ms;

    while (cluster.fc.now < end) {
        uint64_t next = timers_next(cluster.timers), left = end - cluster.fc.now;

        if (TAILQ_EMPTY(&sent) && next > left)
            fake_clock_advance(&cluster.fc, left);
        else
            cluster_step();
    }
}

void cluster_watch(bool on)
{
    if (on)
        cluster.calls = 0;
    cluster.watching = on;
    if (cluster.watch)
        cluster.watch(on);
}

/* ---- gateways ---- */

static void on_joined(void *arg)
{
    ((struct cluster_node *)arg)->joined++;
}

static void on_certain(void *arg, bool certain)
{
    ((struct cluster_node *)arg)->certain = certain;
}

static void on_fenced(void *arg)
{
    ((struct cluster_node *)arg)->fenced++;
}

static void on_missed(void *arg)
{
    ((struct cluster_node *)arg)->missed++;
}

static void on_touched(void *arg, const char *mark)
{
    assert_true(*mark || cluster.is_lenient);
    ((struct cluster_node *)arg)->touched++;
}

static void on_gone(void *arg, const char *node, int64_t epoch)
{
    assert_true((*node && epoch > 0) || cluster.is_lenient);
    ((struct cluster_node *)arg)->gone++;
}

static size_t on_leases(void *arg)
{
    (void)arg;
    return 3;
}

static void on_adopt(void *arg, const char *from, const struct request_row *r,
                     const struct lease_row *const *leases, size_t n)
{
    assert_non_null(strchr(from, '@'));
    assert_true(r->mine);
    for (size_t i = 0; i < n; i++)
        assert_string_equal(leases[i]->request, r->mark);
    ((struct cluster_node *)arg)->adopted++;
    cluster_adopted(arg, r, n);
}

static const char *on_closing(void *arg, const struct request_row *r)
{
    (void)arg;
    assert_true(*r->mark || cluster.is_lenient);
    return "expired";
}

static void on_unrecorded(void *arg, const struct store_end *end)
{
    struct cluster_node *n = arg;

    assert_true(strchr(end->from, '@') || cluster.is_lenient);
    n->unrecorded++;
    (void)snprintf(n->end.from, sizeof n->end.from, "%s", end->from);
    (void)snprintf(n->end.lease, sizeof n->end.lease, "%s", end->lease);
    (void)snprintf(n->end.vault, sizeof n->end.vault, "%s", end->vault);
    (void)snprintf(n->end.name, sizeof n->end.name, "%s", end->name);
    (void)snprintf(n->end.record, sizeof n->end.record, "%s", end->record);
    n->end.at_wall_ms = end->at_wall_ms;
}

static void on_trail(void *arg, uint64_t *taken, uint64_t *settled)
{
    const struct cluster_node *n = arg;

    *taken = n->trail_taken;
    *settled = n->trail_settled;
}

static const struct store_news news = {.joined = on_joined,
                                       .certain = on_certain,
                                       .fenced = on_fenced,
                                       .adopt = on_adopt,
                                       .missed = on_missed,
                                       .touched = on_touched,
                                       .gone = on_gone,
                                       .closing = on_closing,
                                       .unrecorded = on_unrecorded,
                                       .trail = on_trail,
                                       .leases = on_leases};

static void on_opened(void *arg, const char *why)
{
    struct cluster_node *n = arg;

    assert_false(n->is_open);
    n->is_open = true;
    (void)snprintf(n->why, sizeof n->why, "%s", why);
}

static uint64_t node_now(void *arg)
{
    const struct cluster_node *n = arg;

    return n->stands_still_ms ? n->stands_still_ms : cluster.fc.now;
}

static int64_t node_wall(void *arg)
{
    (void)arg;
    return cluster.fc.wall;
}

static struct store *open_store(struct cluster_node *n)
{
    static char word[] = "secret";
    static const struct etcd_vault vaults[] = {
        {"safe", "https://vault.example.test", "digest of safe"},
        {"other safe", "https://other.example.test", "digest of other"}};
    const struct secret password = {.p = word, .len = strlen(word)};
    char first[32], second[32], why[ETCD_STORE_WHY] = "";
    const char *const urls[] = {first, second};
    const struct etcd_store_opts opts = {
        .client = {.endpoints = urls, .nendpoints = 2, .user = "jumpgate", .password = &password},
        .ttl_ms = CLUSTER_TTL_MS,
        .prefix = CLUSTER_PREFIX,
        .node = n->name,
        .instance = n->name,
        .version = "1",
        .config_digest = "abc",
        .vaults = vaults,
        .nvaults = 2,
        .clock = &n->clock};

    (void)snprintf(first, sizeof first, "https://%s.one.test", n->name);
    (void)snprintf(second, sizeof second, "https://%s.two.test", n->name);
    n->clock = (struct clock){.now_ms = node_now, .wall_ms = node_wall, .arg = n};
    n->is_open = n->closed = n->left = n->taken = n->certain = false;
    n->joined = n->fenced = n->missed = n->touched = n->gone = n->adopted = n->unrecorded = 0;
    n->trail_taken = n->trail_settled = 0;
    struct store *s = etcd_store_open(NULL, &opts, on_opened, n, why);

    assert_true(s || *why);
    return s;
}

/* With nothing failing it opens. */
static void start(struct cluster_node *n)
{
    for (int i = 0; i < 40 && !n->store; i++) {
        n->store = open_store(n);
        if (!n->store)
            assert_true(cluster.fails != NULL);
    }
    assert_non_null(n->store);
}

bool cluster_open(struct cluster_node *n)
{
    start(n);
    cluster_wait(&n->is_open, "the opening");
    if (!cluster.is_lenient)
        assert_string_equal(n->why, "");
    if (*n->why)
        return false;
    n->store->ops->listen(n->store, &news, n);
    for (int i = 0; !n->joined && i < STEPS_MAX; i++)
        cluster_step();
    assert_true(n->joined > 0);
    return true;
}

static void on_closed(void *arg)
{
    ((struct cluster_node *)arg)->closed = true;
}

void cluster_close(struct cluster_node *n)
{
    if (!n->store)
        return;
    n->store->ops->close(n->store, on_closed, n);
    cluster_wait(&n->closed, "the closing");
    n->store = NULL;
}

void cluster_begin(void)
{
    static const char *const names[CLUSTER_NODES] = {"g1", "g2"};

    TAILQ_INIT(&sent);
    TAILQ_INIT(&upstreams);
    fake_clock_init(&cluster.fc);
    cluster.timers = timers_new(&cluster.fc.clock);
    assert_non_null(cluster.timers);
    cluster.keys = fake_etcd_new();
    fake_etcd_enable_auth(cluster.keys, "jumpgate", "secret");
    cluster.watching = false;
    memset(cluster.nodes, 0, sizeof cluster.nodes);
    for (unsigned i = 0; i < CLUSTER_NODES; i++)
        cluster.nodes[i].name = names[i];
}

void cluster_end(void)
{
    cluster_watch(false);
    for (int i = 0; i < CLUSTER_NODES; i++) {
        cluster.nodes[i].cut = false;
        cluster_close(&cluster.nodes[i]);
    }
    while (!TAILQ_EMPTY(&upstreams))
        cluster_step();
    assert_true(TAILQ_EMPTY(&sent));
    assert_int_equal(timers_count(cluster.timers), 0);
    timers_free(cluster.timers);
    fake_etcd_free(cluster.keys);
}
