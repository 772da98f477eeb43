/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_etcd_cluster.c - several stores on one etcd in one process, as several gateways: death, pause, a twin,
 * hand-over, adoption, and rows that several gateways change.
 */
#include "etcd_rig.h"

#include "check.h"
#include "loop/upstream/upstream.h"
#include "stores/etcd.h"
#include "stores/store_rows.h"

#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PREFIX "/t/"
#define NODES  3
#define TTL_MS 3000

static struct etcd_rig etcd; /* one for all tests */
static bool is_there;
static struct loop *loop;

/* A gateway: its store, and what it was told. */
struct node {
    struct store *store;
    char name[8], instance[16];
    bool opened, closed, left, taken;
    char why[ETCD_STORE_WHY];
    const char *url;
    unsigned joined, fenced, uncertain, gone;
    unsigned adopted, leases, by_state[REQUEST_NSTATES];
    char touched[ID_SIZE], last_closed[ID_SIZE];
    unsigned leases_closed;
    const struct etcd_vault *vaults;
    size_t nvaults;
    uint64_t stands_still_ms; /* its clock, if not 0 */
    struct clock clock;
};

/* ---- news ---- */

static void on_joined(void *arg)
{
    ((struct node *)arg)->joined++;
}

static void on_certain(void *arg, bool certain)
{
    ((struct node *)arg)->uncertain += !certain;
}

static void on_fenced(void *arg)
{
    struct node *n = arg;

    n->fenced++;
    n->adopted = n->leases = 0;
}

static void on_adopt(void *arg, const char *from, const struct request_row *r,
                     const struct lease_row *const *leases, size_t count)
{
    struct node *n = arg;

    assert_true(r->mine);
    assert_non_null(strchr(from, '@'));
    assert_string_not_equal(from, r->owner);
    for (size_t i = 0; i < count; i++)
        assert_string_equal(leases[i]->request, r->mark);
    n->adopted++;
    n->by_state[r->state]++;
    n->leases += (unsigned)count;
}

static void on_touched(void *arg, const char *mark)
{
    (void)snprintf(((struct node *)arg)->touched, ID_SIZE, "%s", mark);
}

static void on_lease_closed(void *arg, const struct request_row *r, const struct lease_row *l)
{
    struct node *n = arg;

    assert_non_null(r->name);
    (void)snprintf(n->last_closed, ID_SIZE, "%s", l->id);
    n->leases_closed++;
}

static void on_gone(void *arg, const char *node, int64_t epoch)
{
    (void)node;
    assert_true(epoch > 0);
    ((struct node *)arg)->gone++;
}

static const struct store_news news = {.joined = on_joined,
                                       .certain = on_certain,
                                       .fenced = on_fenced,
                                       .adopt = on_adopt,
                                       .touched = on_touched,
                                       .closed = on_lease_closed,
                                       .gone = on_gone};

/* ---- nodes ---- */

static void turn(void)
{
    (void)uv_run(loop_uv(loop), UV_RUN_ONCE);
}

static void on_opened(void *arg, const char *why)
{
    struct node *n = arg;

    n->opened = true;
    (void)snprintf(n->why, sizeof n->why, "%s", why);
}

static void on_closed(void *arg)
{
    ((struct node *)arg)->closed = true;
}

static uint64_t node_now(void *arg)
{
    const struct node *n = arg;

    return n->stands_still_ms ? n->stands_still_ms : clock_now(&clock_system);
}

static void start_opening(struct node *n, const char *name, const char *instance)
{
    const char *const urls[] = {n->url ? n->url : etcd.url};
    const struct etcd_store_opts opts = {.client = {.endpoints = urls, .nendpoints = 1},
                                         .ttl_ms = TTL_MS,
                                         .prefix = PREFIX,
                                         .node = name,
                                         .instance = instance,
                                         .version = "1",
                                         .config_digest = "abc",
                                         .vaults = n->vaults,
                                         .nvaults = n->nvaults,
                                         .clock = &n->clock};
    char why[ETCD_STORE_WHY];

    n->clock = (struct clock){.now_ms = node_now, .wall_ms = clock_system.wall_ms, .arg = n};
    n->opened = false;
    (void)snprintf(n->name, sizeof n->name, "%s", name);
    (void)snprintf(n->instance, sizeof n->instance, "%s", instance);
    n->store = etcd_store_open(loop, &opts, on_opened, n, why);
    assert_non_null(n->store);
}

static void open_node(struct node *n, const char *name, const char *instance)
{
    start_opening(n, name, instance);
    while (!n->opened)
        turn();
    assert_string_equal(n->why, "");
    n->store->ops->listen(n->store, &news, n);
    while (!n->joined)
        turn();
}

static void close_node(struct node *n)
{
    if (!n->store)
        return;
    n->closed = false;
    n->store->ops->close(n->store, on_closed, n);
    while (!n->closed)
        turn();
    n->store = NULL;
}

static void begin(struct node nodes[NODES])
{
    loop = loop_new();
    assert_non_null(loop);
    memset(nodes, 0, NODES * sizeof *nodes);
    etcd_rig_delete(&etcd, PREFIX, PREFIX "z");
}

static void begin_all(struct node nodes[NODES])
{
    static const char *const names[] = {"g1", "g2", "g3"};

    begin(nodes);
    for (int i = 0; i < NODES; i++)
        open_node(&nodes[i], names[i], names[i]);
}

static void end(struct node nodes[NODES])
{
    for (int i = 0; i < NODES; i++)
        close_node(&nodes[i]);
    assert_int_equal(timers_count(loop_timers(loop)), 0);
    assert_int_equal(loop_free(loop), 0);
}

static const struct store_cluster *cluster_of(const struct node *n)
{
    struct store_state state;

    n->store->ops->state(n->store, &state);
    return state.cluster;
}

static const struct store_member *member(const struct node *n, const char *name)
{
    const struct store_cluster *c = cluster_of(n);

    for (size_t i = 0; i < c->nmembers; i++)
        if (strcmp(c->members[i].node, name) == 0)
            return &c->members[i];
    return NULL;
}

static uint64_t now(void)
{
    return clock_now(&clock_system);
}

/* ---- steps ---- */

struct given {
    struct store_step step; /* first */
    bool done;
    enum store_outcome outcome;
    int state; /* of the request that was shown; -1 = none */
    bool mine;
    char mark[ID_SIZE], owner[96];
    char lease[ID_SIZE], lease_request[ID_SIZE]; /* that was shown; "" = none */
    enum lease_answers answers;                  /* of that one */
};

static void on_done(struct store_step *step, enum store_outcome outcome)
{
    struct given *g = (struct given *)step;

    assert_false(g->done);
    g->done = true;
    g->outcome = outcome;
    g->state = step->now ? (int)step->now->state : -1;
    g->mine = step->now && step->now->mine;
    (void)snprintf(g->mark, sizeof g->mark, "%s", step->now ? step->now->mark : "");
    (void)snprintf(g->owner, sizeof g->owner, "%s", step->now ? step->now->owner : "");
    (void)snprintf(g->lease, sizeof g->lease, "%s", step->lease_now ? step->lease_now->id : "");
    (void)snprintf(g->lease_request, sizeof g->lease_request, "%s",
                   step->lease_now ? step->lease_now->request : "");
    g->answers = step->lease_now ? step->lease_now->answers : ANSWERS_ONE;
}

/* The lease `id` of the session `session` on the request `name` of the vault, whose asker has the lease
 * `mark`. */
static struct given step_of(enum store_step_kind kind, enum request_state state, const char *mark,
                            const char *name, const char *id, const char *session)
{
    const struct holder holder = {"mrivera", "ACME", session, session, "root@web01", "web01", "root", 1000};

    return (struct given){.step = {.kind = kind,
                                   .request = {.mark = mark,
                                               .state = state,
                                               .vault = "safe",
                                               .url = "https://vault.example.test",
                                               .user = "ACME\\mrivera",
                                               .name = name,
                                               .last_error = "",
                                               .asker = holder},
                                   .lease = {.request = mark, .id = id, .holder = holder, .ended_site = ""},
                                   .instead = "",
                                   .done = on_done}};
}

static void give(const struct node *n, struct given *g)
{
    struct store_steps list = STAILQ_HEAD_INITIALIZER(list);

    STAILQ_INSERT_TAIL(&list, &g->step, link);
    assert_int_equal(n->store->ops->steps(n->store, &list), 0);
    assert_false(g->done);
}

static void wait_for(struct given *g)
{
    while (!g->done)
        turn();
}

static void give_this(const struct node *n, struct given *g, enum store_outcome expected)
{
    give(n, g);
    wait_for(g);
    assert_int_equal(g->outcome, expected);
}

/* Each session is named as its lease. */
static struct given ask_step(const char *id)
{
    struct given g = step_of(STEP_ASK, REQUEST_ASKED, id, "", "", id);

    return g;
}

static void check_out(const struct node *n, const char *id, const char *name)
{
    struct given ask = ask_step(id), open = step_of(STEP_OPEN, REQUEST_HELD, id, name, id, id);

    give_this(n, &ask, STORE_APPLIED);
    give_this(n, &open, STORE_APPLIED);
}

/* ---- questions ---- */

struct asked {
    struct store_question q; /* first */
    bool done;
    enum store_answer answer;
    unsigned requests, leases;
    char ids[4][ID_SIZE], owner[96];
    int state;
};

static void on_answer(struct store_question *q, enum store_answer answer)
{
    struct asked *a = (struct asked *)q;
    const struct store_found *f;

    assert_false(a->done);
    a->done = true;
    a->answer = answer;
    STAILQ_FOREACH(f, &q->found, link)
    {
        if (f->lease && a->leases < 4)
            (void)snprintf(a->ids[a->leases], ID_SIZE, "%s", f->lease->id);
        a->leases += f->lease != NULL;
        a->requests += f->request != NULL;
        if (f->request) {
            a->state = (int)f->request->state;
            (void)snprintf(a->owner, sizeof a->owner, "%s", f->request->owner);
        }
    }
}

static void ask(const struct node *n, struct asked *a)
{
    a->q.done = on_answer;
    if (!a->q.until_ms)
        a->q.until_ms = now() + 20000;
    assert_int_equal(n->store->ops->ask(n->store, &a->q), 0);
    assert_false(a->done);
    while (!a->done)
        turn();
}

static struct asked confirm(const struct node *n, const char *id, const char *session, const char *name)
{
    struct asked a = {
        .q = {
            .kind = QUESTION_CONFIRM,
            .who = {.username = "mrivera", .domain = "ACME", .session = session, .credential = "root@web01"},
            .lease = id,
            .vault = "safe",
            .user = "ACME\\mrivera",
            .name = name}};

    ask(n, &a);
    return a;
}

static struct asked session(const struct node *n, enum store_question_kind kind, const char *id)
{
    struct asked a = {
        .q = {.kind = kind, .who = {.username = "mrivera", .domain = "ACME", .session = id, .lsid = id}}};

    ask(n, &a);
    return a;
}

static enum etcd_fault when_silent(void *arg, const char *path)
{
    (void)path;
    return *(atomic_bool *)arg ? FAULT_BEFORE : FAULT_NONE;
}

static void on_left(void *arg, bool taken)
{
    struct node *n = arg;

    n->left = true;
    n->taken = taken;
}

#define NEEDS_ETCD                                                                                           \
    do {                                                                                                     \
        if (!is_there)                                                                                       \
            skip();                                                                                          \
    } while (0)

/* ---- one lease seen by all ---- */

TEST(a_session_has_one_lease_in_the_cluster)
{
    struct node n[NODES];
    struct given again = step_of(STEP_ASK, REQUEST_ASKED, "b", "", "", "a");

    NEEDS_ETCD;
    begin_all(n);
    check_out(&n[0], "a", "41");
    give_this(&n[1], &again, STORE_OTHERWISE);
    assert_string_equal(again.lease, "a");
    assert_string_equal(again.lease_request, "a");
    assert_int_equal(again.state, REQUEST_HELD);
    assert_false(again.mine);
    assert_int_equal(strncmp(again.owner, "g1@", 3), 0);
    struct asked sure = confirm(&n[2], "a", "a", "41"), wrong = confirm(&n[2], "b", "a", "41");

    assert_int_equal(sure.answer, STORE_OPEN);
    assert_true(n[2].store->ops->is_fresh(n[2].store, sure.q.sent_ms));
    assert_int_equal(wrong.answer, STORE_OVER);
    assert_int_equal(wrong.leases, 1);
    end(n);
}

TEST(the_last_lease_gives_back_wherever_it_ends)
{
    struct node n[NODES];
    struct given ask_b, joins, first, last, late;

    NEEDS_ETCD;
    begin_all(n);
    check_out(&n[0], "a", "41");
    ask_b = ask_step("b");
    give_this(&n[1], &ask_b, STORE_APPLIED);
    joins = step_of(STEP_OPEN, REQUEST_HELD, "b", "41", "b", "b");
    joins.step.reused = true;
    give_this(&n[1], &joins, STORE_APPLIED);
    assert_string_equal(joins.mark, "a");
    /* the third gateway releases both, with the rows as it is shown them */
    struct asked shown = session(&n[2], QUESTION_SESSION, "a");

    assert_int_equal(shown.leases, 1);
    assert_string_equal(shown.ids[0], "a");
    first = step_of(STEP_RELEASE, REQUEST_RETURNING, "a", "41", "a", "a");
    first.step.request.owner = shown.owner;
    give_this(&n[2], &first, STORE_APPLIED);
    assert_int_equal(first.step.holders, 1);
    assert_int_equal(first.state, REQUEST_HELD);
    assert_int_equal(confirm(&n[0], "a", "a", "41").answer, STORE_OVER);
    assert_int_equal(confirm(&n[0], "b", "b", "41").answer, STORE_OPEN);
    last = step_of(STEP_RELEASE, REQUEST_RETURNING, "a", "41", "b", "b");
    last.step.request.owner = shown.owner;
    give_this(&n[2], &last, STORE_APPLIED);
    assert_int_equal(last.step.holders, 0);
    assert_int_equal(last.state, REQUEST_RETURNING);
    assert_true(last.mine);
    late = step_of(STEP_RELEASE, REQUEST_RETURNING, "a", "41", "b", "b");
    give_this(&n[1], &late, STORE_OTHERWISE);
    assert_int_equal(late.state, REQUEST_RETURNING);
    assert_false(late.mine);
    while (!*n[0].touched)
        turn();
    assert_string_equal(n[0].touched, "a");
    end(n);
}

/* The vault has handed over a request that has ended meanwhile: no row is made for it. */
TEST(a_reused_request_is_only_joined)
{
    struct node n[NODES];
    struct given ask_a = ask_step("a"), open = step_of(STEP_OPEN, REQUEST_HELD, "a", "41", "a", "a");

    NEEDS_ETCD;
    begin(n);
    open_node(&n[0], "g1", "g1");
    give_this(&n[0], &ask_a, STORE_APPLIED);
    open.step.reused = true;
    give_this(&n[0], &open, STORE_OTHERWISE);
    assert_int_equal(open.state, REQUEST_ASKED);
    struct asked maker = {.q = {.kind = QUESTION_MARK, .mark = "a"}};

    ask(&n[0], &maker);
    assert_int_equal(maker.requests, 1);
    assert_int_equal(maker.state, REQUEST_ASKED);
    open.done = open.step.reused = false;
    give_this(&n[0], &open, STORE_APPLIED);
    maker.done = false;
    maker.requests = 0;
    ask(&n[0], &maker);
    assert_int_equal(maker.requests, 0);
    end(n);
}

TEST(a_cancelled_check_out_opens_nothing)
{
    struct node n[NODES];
    struct given ask_a = ask_step("a"), open = step_of(STEP_OPEN, REQUEST_HELD, "a", "41", "a", "a");
    struct given cancel = step_of(STEP_CANCEL, REQUEST_ASKED, "a", "", "", "a"), back;

    NEEDS_ETCD;
    begin(n);
    open_node(&n[0], "g1", "g1");
    open_node(&n[1], "g2", "g2");
    give_this(&n[0], &ask_a, STORE_APPLIED);
    struct asked by_session = session(&n[1], QUESTION_SESSION, "a"),
                 by_lsid = session(&n[1], QUESTION_LSID, "a");

    assert_int_equal(by_session.requests, 1);
    assert_int_equal(by_session.state, REQUEST_ASKED);
    assert_int_equal(by_lsid.requests, 1);
    cancel.step.request.owner = by_session.owner;
    give_this(&n[1], &cancel, STORE_APPLIED);
    while (!*n[0].touched)
        turn();
    give_this(&n[0], &open, STORE_OTHERWISE);
    assert_true(open.step.cancelled);
    back = step_of(STEP_RETURN, REQUEST_RETURNING, "a", "41", "", "a");
    give_this(&n[0], &back, STORE_APPLIED);
    assert_int_equal(session(&n[1], QUESTION_LSID, "a").requests, 0);
    end(n);
}

/* The lease of the session `id` on "41", whose asker was "a", instead of the intent that it has. */
static struct given claim_step(const char *id, const char *owner)
{
    struct given open = step_of(STEP_OPEN, REQUEST_HELD, "a", "41", id, id);

    open.step.request.asker.session = open.step.request.asker.lsid = "a";
    open.step.request.owner = owner;
    open.step.instead = id;
    open.step.reused = true;
    return open;
}

/* Of two that wait for the same person and credential one is returned. */
TEST(a_request_waits_for_its_approver_unless_others_hold_it)
{
    struct node n[NODES];
    struct given keep = step_of(STEP_RELEASE, REQUEST_PENDING, "a", "41", "a", "a");

    NEEDS_ETCD;
    begin_all(n);
    check_out(&n[0], "a", "41");
    struct given ask_b = ask_step("b"), ask_c = ask_step("c"), join = claim_step("b", "");

    give_this(&n[0], &ask_b, STORE_APPLIED);
    assert_int_equal(ask_b.state, -1);
    give_this(&n[0], &join, STORE_APPLIED);
    give_this(&n[0], &keep, STORE_APPLIED);
    assert_int_equal(keep.state, REQUEST_HELD);
    keep = step_of(STEP_RELEASE, REQUEST_PENDING, "a", "41", "b", "b");
    keep.step.request.asker.session = keep.step.request.asker.lsid = "a";
    give_this(&n[1], &keep, STORE_APPLIED); /* by the gateway that has joined it */
    assert_int_equal(keep.state, REQUEST_PENDING);
    assert_true(keep.mine);
    give_this(&n[2], &ask_c, STORE_APPLIED);
    assert_int_equal(ask_c.state, REQUEST_PENDING);
    assert_string_equal(ask_c.mark, "a");
    check_out(&n[2], "d", "42");
    keep = step_of(STEP_RELEASE, REQUEST_PENDING, "d", "42", "d", "d");
    give_this(&n[2], &keep, STORE_APPLIED);
    assert_int_equal(keep.state, REQUEST_RETURNING);
    assert_true(keep.mine);
    end(n);
}

/* The first one that opens it is its owner, the next one joins; a session that has ended meanwhile does not.
 */
TEST(a_request_that_waits_is_opened_by_any_gateway)
{
    struct node n[NODES];
    struct given keep = step_of(STEP_RELEASE, REQUEST_PENDING, "a", "41", "a", "a");
    struct given asks[] = {ask_step("b"), ask_step("c"), ask_step("d"), ask_step("e")};
    struct given cancel = step_of(STEP_CANCEL, REQUEST_ASKED, "b", "", "", "b");

    NEEDS_ETCD;
    begin_all(n);
    check_out(&n[0], "a", "41");
    give_this(&n[0], &keep, STORE_APPLIED);
    for (int i = 0; i < 4; i++) {
        give_this(&n[i < 3 ? i : 0], &asks[i], STORE_APPLIED);
        assert_string_equal(asks[i].mark, "a");
    }
    struct asked b = session(&n[1], QUESTION_SESSION, "b");

    cancel.step.request.owner = b.owner;
    give_this(&n[1], &cancel, STORE_APPLIED);
    struct given opened = claim_step("b", ""), joined = claim_step("d", asks[2].owner),
                 first = claim_step("c", asks[1].owner), stale = claim_step("e", "");

    give_this(&n[0], &opened, STORE_OTHERWISE);
    assert_true(opened.step.cancelled);
    assert_int_equal(opened.state, REQUEST_PENDING);
    give_this(&n[1], &first, STORE_APPLIED);
    assert_int_equal(first.state, REQUEST_HELD);
    assert_true(first.mine);
    while (!*n[0].touched)
        turn();
    give_this(&n[2], &joined, STORE_APPLIED);
    assert_int_equal(joined.state, REQUEST_HELD);
    assert_false(joined.mine);
    assert_int_equal(strncmp(joined.owner, "g2@", 3), 0);
    give_this(&n[0], &stale, STORE_OTHERWISE); /* as its own */
    assert_int_equal(stale.state, REQUEST_HELD);
    assert_int_equal(strncmp(stale.owner, "g2@", 3), 0);
    end(n);
}

/* Names of people are the same in ASCII case (base/person.h). */
TEST(a_person_has_one_lease_in_whatever_letters)
{
    struct node n[NODES];
    struct given other = step_of(STEP_ASK, REQUEST_ASKED, "b", "", "", "a");

    NEEDS_ETCD;
    begin_all(n);
    check_out(&n[0], "a", "41");
    other.step.request.asker.username = "MRivera";
    other.step.request.asker.domain = "acme";
    other.step.request.user = "acme\\mrivera";
    give_this(&n[1], &other, STORE_OTHERWISE);
    assert_string_equal(other.lease, "a");
    struct asked named = {
        .q = {.kind = QUESTION_REQUEST, .vault = "safe", .user = "Acme\\MRivera", .name = "41"}};

    ask(&n[1], &named);
    assert_int_equal(named.leases, 1);
    end(n);
}

static struct asked request(const struct node *n, const char *name, const char *mark)
{
    struct asked a = {.q = {.kind = mark ? QUESTION_MARK : QUESTION_REQUEST,
                            .mark = mark,
                            .vault = "safe",
                            .user = "ACME\\mrivera",
                            .name = name}};

    ask(n, &a);
    return a;
}

TEST(a_request_is_found_by_its_name_and_by_its_mark)
{
    struct node n[NODES];
    struct given ask_b = ask_step("b"), ask_c = ask_step("c"), joins;

    NEEDS_ETCD;
    begin(n);
    open_node(&n[0], "g1", "g1");
    open_node(&n[1], "g2", "g2");
    check_out(&n[0], "a", "41");
    give_this(&n[1], &ask_b, STORE_APPLIED);
    joins = step_of(STEP_OPEN, REQUEST_HELD, "b", "41", "b", "b");
    joins.step.reused = true;
    give_this(&n[1], &joins, STORE_APPLIED);
    give_this(&n[0], &ask_c, STORE_APPLIED);
    struct asked held = request(&n[1], "41", NULL), none = request(&n[1], "4", NULL);

    assert_int_equal(held.answer, STORE_OPEN);
    assert_int_equal(held.requests, 2); /* with each of its leases */
    assert_int_equal(held.leases, 2);
    assert_int_equal(held.state, REQUEST_HELD);
    assert_string_equal(held.ids[0], "a");
    assert_string_equal(held.ids[1], "b");
    assert_int_equal(none.answer, STORE_OPEN);
    assert_int_equal(none.requests, 0);
    struct asked asked = request(&n[1], NULL, "c"), other = request(&n[1], NULL, "a");

    assert_int_equal(asked.requests, 1);
    assert_int_equal(asked.state, REQUEST_ASKED);
    assert_int_equal(other.requests, 0); /* it is open: a lease by now */
    end(n);
}

/* The site and its clients write an lsid in different forms. */
TEST(a_session_is_found_by_any_form_of_its_lsid)
{
    static const char *const forms[] = {
        "0123456789abcdef0123456789abcdef", "0123456789ABCDEF0123456789ABCDEF",
        "01234567-89ab-cdef-0123-456789abcdef", "{01234567-89AB-CDEF-0123-456789abcdef}"};
    struct node n[NODES];
    struct given ask_a = ask_step("a");

    NEEDS_ETCD;
    begin(n);
    open_node(&n[0], "g1", "g1");
    open_node(&n[1], "g2", "g2");
    ask_a.step.request.asker.lsid = forms[3];
    give_this(&n[0], &ask_a, STORE_APPLIED);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(session(&n[1], QUESTION_LSID, forms[i]).requests, 1);
    assert_int_equal(session(&n[1], QUESTION_LSID, "0123456789abcdef0123456789abcde0").requests, 0);
    end(n);
}

/* How many check-outs answer with the lease of the session "a", as a gateway is shown that asks for one. */
static enum lease_answers answers_shown(const struct node *n)
{
    struct given again = step_of(STEP_ASK, REQUEST_ASKED, "again", "", "", "a");

    give_this(n, &again, STORE_OTHERWISE);
    assert_string_equal(again.lease, "a");
    assert_int_equal(again.state, REQUEST_HELD);
    return again.answers;
}

static struct given undo_step(void)
{
    struct given g = step_of(STEP_RELEASE, REQUEST_RETURNING, "a", "41", "a", "a");

    g.step.undo = true;
    return g;
}

/* g1 makes the lease, g2 answers with it: whichever fails first, the lease ends with the other one. */
TEST(a_lease_that_two_gateways_answer_with_is_ended_by_the_last_one_that_fails)
{
    struct node n[NODES];

    NEEDS_ETCD;
    begin_all(n);
    for (int first = 0; first < 2; first++) {
        struct given repeat = step_of(STEP_REPEAT, REQUEST_HELD, "a", "41", "a", "a"), undone = undo_step(),
                     last = undo_step(), late = step_of(STEP_REPEAT, REQUEST_HELD, "a", "41", "a", "a"),
                     closes = step_of(STEP_CLOSE, REQUEST_RETURNING, "a", "41", "", "a");

        check_out(&n[0], "a", "41");
        assert_int_equal(answers_shown(&n[1]), ANSWERS_ONE);
        give_this(&n[1], &repeat, STORE_APPLIED);
        assert_true(n[1].store->ops->is_fresh(n[1].store, repeat.step.sent_ms));
        assert_int_equal(answers_shown(&n[2]), ANSWERS_TWO);
        give_this(&n[first], &undone, STORE_APPLIED);
        assert_true(undone.step.kept);
        assert_int_equal(undone.state, REQUEST_HELD);
        assert_int_equal(undone.mine, first == 0);
        assert_int_equal(confirm(&n[2], "a", "a", "41").answer, STORE_OPEN);
        give_this(&n[!first], &last, STORE_APPLIED);
        assert_false(last.step.kept);
        assert_int_equal(last.state, REQUEST_RETURNING);
        assert_true(last.mine);
        give_this(&n[2], &late, STORE_OTHERWISE);
        give_this(&n[!first], &closes, STORE_APPLIED);
    }
    end(n);
}

/* The lease counts no further than that, and its request can be adopted and closed with it. */
TEST(a_lease_that_many_answer_with_stays_until_it_is_released)
{
    struct node n[NODES];

    NEEDS_ETCD;
    begin_all(n);
    check_out(&n[0], "a", "41");
    for (int i = 0; i < 3; i++) {
        struct given repeat = step_of(STEP_REPEAT, REQUEST_HELD, "a", "41", "a", "a");

        give_this(&n[i], &repeat, STORE_APPLIED);
    }
    assert_int_equal(answers_shown(&n[1]), ANSWERS_MANY);
    for (int i = 0; i < 4; i++) {
        struct given undone = undo_step();

        give_this(&n[i % NODES], &undone, STORE_APPLIED);
        assert_true(undone.step.kept);
    }
    assert_int_equal(session(&n[2], QUESTION_SESSION, "a").leases, 1);
    assert_int_equal(session(&n[2], QUESTION_LSID, "a").leases, 1);
    struct asked list = {.q = {.kind = QUESTION_LIST, .limit = 10, .node = ""}};

    ask(&n[2], &list);
    assert_int_equal(list.leases, 1);
    close_node(&n[0]); /* it dies */
    while (!n[1].adopted && !n[2].adopted)
        turn();
    struct node *by = n[1].adopted ? &n[1] : &n[2];
    struct given ends = step_of(STEP_END, REQUEST_RETURNING, "a", "41", "", "a");
    struct given closes = step_of(STEP_CLOSE, REQUEST_RETURNING, "a", "41", "", "a");

    assert_int_equal(by->leases, 1);
    give_this(by, &ends, STORE_APPLIED);
    give_this(by, &closes, STORE_APPLIED);
    assert_int_equal(session(by, QUESTION_SESSION, "a").leases, 0);
    end(n);
}

/* Its time is over at the owner; a lease of another gateway goes with it. */
TEST(the_end_of_a_request_takes_its_leases_along)
{
    struct node n[NODES];
    struct given ask_b = ask_step("b"), joins = step_of(STEP_OPEN, REQUEST_HELD, "b", "41", "b", "b");
    struct given ends = step_of(STEP_END, REQUEST_RETURNING, "a", "41", "", "a");
    struct given closes = step_of(STEP_CLOSE, REQUEST_RETURNING, "a", "41", "", "a");
    struct given again = step_of(STEP_ASK, REQUEST_ASKED, "c", "", "", "b"), clears;

    NEEDS_ETCD;
    begin_all(n);
    check_out(&n[0], "a", "41");
    give_this(&n[1], &ask_b, STORE_APPLIED);
    give_this(&n[1], &joins, STORE_APPLIED);
    give_this(&n[0], &ends, STORE_APPLIED);
    assert_int_equal(ends.state, REQUEST_RETURNING);
    assert_true(ends.mine);
    assert_int_equal(confirm(&n[1], "b", "b", "41").answer, STORE_OVER);
    give_this(&n[1], &again, STORE_OTHERWISE);
    assert_string_equal(again.lease, "b");
    assert_int_equal(again.state, REQUEST_RETURNING);
    clears = step_of(STEP_CLEAR, REQUEST_RETURNING, "a", "41", "b", "b");
    give_this(&n[1], &clears, STORE_APPLIED);
    again.done = false;
    give_this(&n[1], &again, STORE_APPLIED);
    assert_int_equal(n[0].leases_closed, 0);
    give_this(&n[0], &closes, STORE_APPLIED);
    assert_int_equal(n[0].leases_closed, 1); /* the other one was cleared */
    assert_string_equal(n[0].last_closed, "a");
    assert_int_equal(session(&n[2], QUESTION_SESSION, "a").leases, 0);
    assert_int_equal(session(&n[2], QUESTION_LSID, "a").leases, 0);
    end(n);
}

TEST(all_rows_are_listed_in_pages)
{
    struct node n[NODES];
    struct asked a = {.q = {.kind = QUESTION_LIST, .limit = 2, .node = ""}};
    struct given ask_d = ask_step("d");
    unsigned requests = 0, leases = 0, pages = 0;

    NEEDS_ETCD;
    begin(n);
    open_node(&n[0], "g1", "g1");
    open_node(&n[1], "g2", "g2");
    check_out(&n[0], "a", "41");
    check_out(&n[0], "b", "42");
    check_out(&n[1], "c", "43");
    give_this(&n[1], &ask_d, STORE_APPLIED);
    do {
        a.done = false;
        a.requests = a.leases = 0;
        ask(&n[1], &a);
        assert_int_equal(a.answer, STORE_OPEN);
        requests += a.requests;
        leases += a.leases;
        pages++;
    } while (*a.q.cursor);
    assert_int_equal(requests, 4);
    assert_int_equal(leases, 3);
    assert_in_range(pages, 3, 5);
    struct asked own = {.q = {.kind = QUESTION_LIST, .limit = 100, .node = "g2"}};

    ask(&n[0], &own);
    assert_int_equal(own.leases, 1);
    assert_string_equal(own.ids[0], "c");
    end(n);
}

TEST(a_gateway_shows_the_digest_of_its_configuration)
{
    struct node n[NODES];

    NEEDS_ETCD;
    begin_all(n);
    while (!member(&n[1], "g1") || strcmp(member(&n[1], "g1")->config_digest, "abc") != 0)
        turn();
    n[0].store->ops->set_config(n[0].store, "def");
    while (strcmp(member(&n[1], "g1")->config_digest, "def") != 0)
        turn();
    end(n);
}

/* ---- death ---- */

/* A gateway that is killed: nothing of it runs any more. Its key stays. */
static void kill_node(struct node *n)
{
    close_node(n);
}

TEST(the_rows_of_a_dead_gateway_are_adopted)
{
    struct node n[NODES];
    struct given ask_c = ask_step("c"),
                 gives_back = step_of(STEP_RELEASE, REQUEST_RETURNING, "b", "42", "b", "b");

    NEEDS_ETCD;
    begin_all(n);
    check_out(&n[0], "a", "41");
    check_out(&n[0], "b", "42");
    give_this(&n[0], &gives_back, STORE_APPLIED);
    give_this(&n[0], &ask_c, STORE_APPLIED);
    uint64_t from = now();

    kill_node(&n[0]);
    while (n[1].adopted + n[2].adopted < 3)
        turn();
    print_message("a death is seen and adopted after %" PRIu64 " ms (ttl %d ms)\n", now() - from, TTL_MS);
    struct node *by = n[1].adopted ? &n[1] : &n[2];

    assert_int_equal(by->adopted, 3); /* by one of them alone */
    assert_int_equal(by->by_state[REQUEST_HELD], 1);
    assert_int_equal(by->by_state[REQUEST_RETURNING], 1);
    assert_int_equal(by->by_state[REQUEST_ASKED], 1);
    assert_int_equal(by->leases, 1);
    while (member(&n[1], "g1") || member(&n[2], "g1") || !n[1].gone || !n[2].gone)
        turn();
    assert_int_equal(n[1].fenced + n[2].fenced, 0);
    assert_int_equal(confirm(&n[1], "a", "a", "41").answer, STORE_OPEN); /* it runs on */
    end(n);
}

/* The adopter dies in the middle: the next one adopts its rows, and the rest. */
TEST(an_adopter_that_dies_is_adopted)
{
    struct node n[NODES];

    NEEDS_ETCD;
    begin(n);
    open_node(&n[0], "g1", "g1");
    for (int i = 0; i < 4; i++) {
        static char ids[4][16], names[4][16];

        (void)snprintf(ids[i], sizeof ids[i], "l%d", i);
        (void)snprintf(names[i], sizeof names[i], "4%d", i);
        check_out(&n[0], ids[i], names[i]);
    }
    kill_node(&n[0]);
    open_node(&n[1], "g2", "g2");
    while (!n[1].adopted && (!member(&n[1], "g1") || member(&n[1], "g1")->state != MEMBER_ADOPTED))
        turn();
    kill_node(&n[1]); /* whatever it has done by now */
    open_node(&n[2], "g3", "g3");
    while (n[2].adopted < 4 || cluster_of(&n[2])->nmembers)
        turn();
    assert_int_equal(n[2].adopted, 4);
    assert_int_equal(n[2].leases, 4);
    end(n);
}

/* So many check-outs of a gateway, as quickly as it goes. */
static void check_out_many(const struct node *n, unsigned count)
{
    char(*ids)[24] = calloc(count, sizeof *ids);
    struct given *steps = calloc(2 * count, sizeof *steps);

    assert_non_null(ids);
    assert_non_null(steps);
    for (unsigned i = 0; i < count; i++) {
        (void)snprintf(ids[i], sizeof ids[i], "lease-%u", i);
        steps[2 * i] = ask_step(ids[i]);
        steps[2 * i + 1] = step_of(STEP_OPEN, REQUEST_HELD, ids[i], ids[i], ids[i], ids[i]);
    }
    for (unsigned k = 0; k < 2; k++) {
        for (unsigned i = 0; i < count; i++)
            give(n, &steps[2 * i + k]);
        for (unsigned i = 0; i < count; i++) {
            wait_for(&steps[2 * i + k]);
            assert_int_equal(steps[2 * i + k].outcome, STORE_APPLIED);
        }
    }
    free(steps);
    free(ids);
}

/* JG_ADOPT_ROWS=10000 is the figure of docs/cluster.md; the time is shown and judged by nobody. */
TEST(many_rows_are_adopted)
{
    const char *wanted = getenv("JG_ADOPT_ROWS");
    unsigned count = wanted ? (unsigned)strtoul(wanted, NULL, 10) : 700;
    struct node n[NODES];

    NEEDS_ETCD;
    begin(n);
    open_node(&n[0], "g1", "g1");
    open_node(&n[1], "g2", "g2");
    check_out_many(&n[0], count);
    kill_node(&n[0]);
    while (!n[1].adopted)
        turn();
    uint64_t from = now();

    while (member(&n[1], "g1"))
        turn();
    print_message("%u rows are adopted in %" PRIu64 " ms, longest iteration %.0f ms\n", count, now() - from,
                  loop_lag_ms(loop));
    assert_int_equal(n[1].adopted, count);
    assert_int_equal(n[1].leases, count);
    end(n);
}

struct faulty {
    atomic_bool on;
    unsigned seed;
};

static enum etcd_fault now_and_then(void *arg, const char *path)
{
    struct faulty *f = arg;
    enum etcd_fault fault = FAULT_NONE;

    (void)path;
    if (f->on && rand_r(&f->seed) % 3 == 0)
        fault = (enum etcd_fault)(rand_r(&f->seed) % FAULT_NFAULTS);
    return fault == FAULT_401 ? FAULT_503 : fault;
}

/* Each row is given once, whichever answers are lost. */
TEST(a_faulty_way_to_etcd_loses_no_row)
{
    struct faulty faulty = {.seed = 7};
    struct etcd_proxy *proxy;
    struct node n[NODES];
    char url[64];

    NEEDS_ETCD;
    begin(n);
    proxy = etcd_proxy_start(&etcd, now_and_then, &faulty, url);
    n[1].url = url;
    open_node(&n[0], "g1", "g1");
    open_node(&n[1], "g2", "g2");
    check_out_many(&n[0], 600);
    kill_node(&n[0]);
    faulty.on = true;
    while (n[1].adopted < 600 || member(&n[1], "g1"))
        turn();
    assert_int_equal(n[1].adopted, 600);
    faulty.on = false;
    assert_int_equal(confirm(&n[1], "lease-599", "lease-599", "lease-599").answer, STORE_OPEN);
    end(n);
    etcd_proxy_end(proxy);
}

/* Its clock stands still, and so does it: when it goes on it is another incarnation without rows. */
TEST(a_paused_gateway_is_fenced_and_joins_again)
{
    struct node n[NODES];
    struct etcd_proxy *proxy;
    atomic_bool silent = false;
    char url[64];

    NEEDS_ETCD;
    begin(n);

    proxy = etcd_proxy_start(&etcd, when_silent, &silent, url);
    n[0].url = url;
    open_node(&n[0], "g1", "g1");
    open_node(&n[1], "g2", "g2");
    check_out(&n[0], "a", "41");
    int64_t before = cluster_of(&n[0])->epoch;

    assert_true(n[0].store->ops->may_send(n[0].store));
    silent = true;
    while (!n[1].adopted)
        turn();
    assert_false(n[0].store->ops->may_send(n[0].store));
    assert_int_equal(n[0].uncertain, 1);
    assert_int_equal(n[0].fenced, 0);
    uint64_t from = now();
    struct given waits = ask_step("b");

    give(&n[0], &waits);
    silent = false;
    while (!n[0].fenced)
        turn();
    assert_true(waits.done);
    assert_int_equal(waits.outcome, STORE_AWAY);
    assert_int_equal(waits.step.err, -ESTALE);
    while (n[0].joined < 2)
        turn();
    print_message("a fenced gateway has joined again after %" PRIu64 " ms\n", now() - from);
    assert_true(cluster_of(&n[0])->epoch > before);
    assert_true(n[0].store->ops->may_send(n[0].store));
    assert_int_equal(n[0].adopted, 0);
    check_out(&n[0], "b", "42");
    end(n);
    etcd_proxy_end(proxy);
}

/* Nobody is dead while nobody can write: the second gateway comes back later than the first, which has not
 * heard of it for longer than the ttl by then. */
TEST(an_outage_of_etcd_fences_nobody)
{
    struct node n[NODES];
    struct etcd_proxy *proxy;
    atomic_bool silent = false;
    char url[64];

    NEEDS_ETCD;
    begin(n);
    proxy = etcd_proxy_start(&etcd, when_silent, &silent, url);
    n[1].url = url;
    open_node(&n[0], "g1", "g1");
    open_node(&n[1], "g2", "g2");
    check_out(&n[0], "a", "41");
    while (!member(&n[0], "g2") || !member(&n[1], "g1"))
        turn();
    etcd_rig_kill(&etcd);
    silent = true;
    for (uint64_t until = now() + 2 * TTL_MS; now() < until;)
        turn();
    assert_false(cluster_of(&n[0])->certain);
    assert_false(cluster_of(&n[1])->certain);
    etcd_rig_restart(&etcd);
    while (!cluster_of(&n[0])->certain)
        turn();
    for (uint64_t until = now() + TTL_MS / 3; now() < until;)
        turn();
    silent = false;
    while (!cluster_of(&n[1])->certain)
        turn();
    for (int i = 0; i < 2; i++) {
        assert_int_equal(n[i].fenced, 0);
        assert_int_equal(n[i].adopted, 0);
    }
    end(n);
    etcd_proxy_end(proxy);
}

/* A way to etcd that ends: a member answers, and has no leader. */
struct way {
    struct etcd_proxy *proxy;
    atomic_bool cut, loses; /* `loses`: the next answer is lost, and the way is cut from then on */
    atomic_uint passed;
    char url[64];
};

static enum etcd_fault along(void *arg, const char *path)
{
    struct way *w = arg;

    (void)path;
    if (w->cut)
        return FAULT_503;
    if (w->loses) {
        w->loses = false;
        w->cut = true;
        return FAULT_503_AFTER;
    }
    w->passed++;
    return FAULT_NONE;
}

static void make_ways(struct way *ways, struct node *n, int count)
{
    for (int i = 0; i < count; i++) {
        ways[i] = (struct way){.cut = false};
        ways[i].proxy = etcd_proxy_start(&etcd, along, &ways[i], ways[i].url);
        n[i].url = ways[i].url;
    }
}

static void turn_for(uint64_t ms)
{
    for (uint64_t until = now() + ms; now() < until;)
        turn();
}

/* `first` comes back, and the other one a third of a ttl later: it has been silent for more than a ttl. */
static void come_back_in_turn(struct node *n, struct way *ways, int first)
{
    turn_for(2 * TTL_MS);
    assert_false(cluster_of(&n[0])->certain);
    assert_false(cluster_of(&n[1])->certain);
    ways[first].cut = false;
    while (!cluster_of(&n[first])->certain)
        turn();
    turn_for(TTL_MS / 3);
    ways[!first].cut = false;
    while (!cluster_of(&n[!first])->certain)
        turn();
    for (int i = 0; i < 2; i++) {
        assert_int_equal(n[i].fenced, 0);
        assert_int_equal(n[i].adopted, 0);
    }
}

/* The beat that is under way when it begins is sent again until it ends, and counts as of its first sending.
 * With `lost` it has been applied, and its answer was lost: nothing was read of the other one, of whose
 * writing all is known. */
static void outlive_an_outage(bool lost)
{
    struct node n[NODES];
    struct way ways[2];

    begin(n);
    make_ways(ways, n, 2);
    open_node(&n[0], "g1", "g1");
    open_node(&n[1], "g2", "g2");
    while (!member(&n[0], "g2") || !member(&n[1], "g1"))
        turn();
    ways[1].cut = true;
    turn_for(TTL_MS / 3);
    if (lost)
        ways[0].loses = true;
    else
        ways[0].cut = true;
    come_back_in_turn(n, ways, 0);
    end(n);
    for (int i = 0; i < 2; i++)
        etcd_proxy_end(ways[i].proxy);
}

TEST(a_beat_that_is_sent_again_through_an_outage_fences_nobody)
{
    NEEDS_ETCD;
    outlive_an_outage(false);
}

TEST(a_beat_whose_answer_is_lost_in_an_outage_fences_nobody)
{
    NEEDS_ETCD;
    outlive_an_outage(true);
}

static uint64_t commits(const struct node *n)
{
    struct store_state state;

    n->store->ops->state(n->store, &state);
    return state.commits;
}

/* The answer of a flight is lost, and no member can be reached for a while: the flight is not given up for
 * another one, which would find m/NODE changed. */
TEST(a_gateway_does_not_fence_itself_with_a_flight_whose_answer_was_lost)
{
    struct node n[NODES];
    struct way way;
    struct given asks = ask_step("a");

    NEEDS_ETCD;
    begin(n);
    make_ways(&way, n, 1);
    open_node(&n[0], "g1", "g1");
    turn_for(TTL_MS / 6);
    way.loses = true;
    while (!way.cut)
        turn();
    etcd_proxy_refuse(way.proxy);
    way.cut = false;
    give(&n[0], &asks);
    turn_for(TTL_MS / 3);
    uint64_t before = commits(&n[0]);

    etcd_proxy_listen(way.proxy);
    while (commits(&n[0]) < before + 2)
        turn();
    wait_for(&asks);
    assert_int_equal(asks.outcome, STORE_APPLIED);
    assert_int_equal(n[0].fenced, 0);
    assert_int_equal(n[0].joined, 1);
    end(n);
    etcd_proxy_end(way.proxy);
}

/* ---- starting and stopping ---- */

TEST(a_gateway_that_stops_hands_over)
{
    struct node n[NODES];

    NEEDS_ETCD;
    begin_all(n);
    check_out(&n[0], "a", "41");
    uint64_t from = now();

    n[0].store->ops->leave(n[0].store, on_left, &n[0]);
    while (!n[0].left || n[1].adopted + n[2].adopted < 1)
        turn();
    assert_true(n[0].taken);
    print_message("handed over after %" PRIu64 " ms\n", now() - from);
    close_node(&n[0]);
    /* the last one finds no other */
    close_node(&n[2]);
    while (member(&n[1], "g3"))
        turn();
    n[1].store->ops->leave(n[1].store, on_left, &n[1]);
    while (!n[1].left)
        turn();
    assert_false(n[1].taken);
    end(n);
}

TEST(a_name_is_one_gateways_as_long_as_that_lives)
{
    struct node n[NODES];

    NEEDS_ETCD;
    begin(n);
    open_node(&n[0], "g1", "g1");
    check_out(&n[0], "a", "41");
    start_opening(&n[1], "g1", "other");
    while (!n[1].opened)
        turn();
    assert_non_null(strstr(n[1].why, "taken"));
    assert_int_equal(n[0].fenced, 0);
    close_node(&n[1]);
    kill_node(&n[0]);
    /* the machine was replaced: the name is free after the ttl */
    open_node(&n[1], "g1", "other");
    while (n[1].adopted < 1)
        turn();
    end(n);
}

/* A state directory was copied: the process that comes later has the name, and the other one does not take it
 * back while that one lives. */
TEST(two_processes_of_one_instance_do_not_take_turns)
{
    struct store_state shown;
    struct node n[NODES];

    NEEDS_ETCD;
    begin(n);
    open_node(&n[0], "g1", "g1");
    check_out(&n[0], "a", "41");
    open_node(&n[1], "g1", "g1");
    do {
        turn();
        n[0].store->ops->state(n[0].store, &shown);
    } while (!strstr(shown.why, "copy of this gateway's `state_dir`"));
    assert_int_equal(n[0].fenced, 1);
    assert_int_equal(n[0].joined, 1);
    assert_int_equal(n[1].fenced, 0);
    assert_int_equal(n[1].adopted, 1);
    assert_false(n[0].store->ops->may_send(n[0].store));
    kill_node(&n[1]);
    while (n[0].adopted < 1)
        turn();
    assert_int_equal(n[0].joined, 2);
    end(n);
}

/* Neither the gateway nor the newcomer can write for longer than a ttl: that is not the gateway's silence. */
TEST(a_name_stays_its_gateways_through_an_outage)
{
    struct node n[NODES];
    struct way ways[2];

    NEEDS_ETCD;
    begin(n);
    make_ways(ways, n, 2);
    open_node(&n[0], "g1", "g1");
    ways[0].cut = true;
    turn_for(TTL_MS / 6);
    start_opening(&n[1], "g1", "other");
    while (!ways[1].passed)
        turn();
    ways[1].cut = true;
    turn_for(TTL_MS + TTL_MS / 2);
    ways[1].passed = 0;
    ways[1].cut = false;
    while (ways[1].passed < 2)
        turn();
    ways[0].cut = false;
    while (!n[1].opened)
        turn();
    assert_non_null(strstr(n[1].why, "taken"));
    assert_int_equal(n[0].fenced, 0);
    end(n);
    for (int i = 0; i < 2; i++)
        etcd_proxy_end(ways[i].proxy);
}

TEST(a_vault_that_differs_is_refused)
{
    const struct etcd_vault ours[] = {{"safe", "https://a.example.test", "1111"}},
                            other[] = {{"safe", "https://b.example.test", "2222"}};
    struct node n[NODES];

    NEEDS_ETCD;
    begin(n);
    n[0].vaults = n[2].vaults = ours;
    n[1].vaults = other;
    n[0].nvaults = n[1].nvaults = n[2].nvaults = 1;
    open_node(&n[0], "g1", "g1");
    start_opening(&n[1], "g2", "g2");
    while (!n[1].opened)
        turn();
    assert_non_null(strstr(n[1].why, "[vault safe]"));
    assert_non_null(strstr(n[1].why, "https://a.example.test"));
    open_node(&n[2], "g3", "g3");
    end(n);
}

/* Rows of a vault that a gateway lacks wait for one that has it. */
TEST(rows_of_an_unknown_vault_stay)
{
    const struct etcd_vault safe[] = {{"safe", "https://a.example.test", "1111"}},
                            other[] = {{"other", "https://b.example.test", "2222"}};
    struct node n[NODES];

    NEEDS_ETCD;
    begin(n);
    n[0].vaults = n[2].vaults = safe;
    n[1].vaults = other;
    n[0].nvaults = n[1].nvaults = n[2].nvaults = 1;
    open_node(&n[0], "g1", "g1");
    open_node(&n[1], "g2", "g2");
    check_out(&n[0], "a", "41");
    kill_node(&n[0]);
    while (!member(&n[1], "g1") || member(&n[1], "g1")->state != MEMBER_ADOPTED)
        turn();
    open_node(&n[2], "g3", "g3");
    while (!n[2].adopted || member(&n[2], "g1"))
        turn();
    assert_int_equal(n[1].adopted, 0);
    end(n);
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
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_session_has_one_lease_in_the_cluster),
        cmocka_unit_test(the_last_lease_gives_back_wherever_it_ends),
        cmocka_unit_test(a_reused_request_is_only_joined),
        cmocka_unit_test(a_cancelled_check_out_opens_nothing),
        cmocka_unit_test(a_request_waits_for_its_approver_unless_others_hold_it),
        cmocka_unit_test(a_request_that_waits_is_opened_by_any_gateway),
        cmocka_unit_test(a_person_has_one_lease_in_whatever_letters),
        cmocka_unit_test(a_request_is_found_by_its_name_and_by_its_mark),
        cmocka_unit_test(a_session_is_found_by_any_form_of_its_lsid),
        cmocka_unit_test(a_lease_that_two_gateways_answer_with_is_ended_by_the_last_one_that_fails),
        cmocka_unit_test(a_lease_that_many_answer_with_stays_until_it_is_released),
        cmocka_unit_test(the_end_of_a_request_takes_its_leases_along),
        cmocka_unit_test(all_rows_are_listed_in_pages),
        cmocka_unit_test(a_gateway_shows_the_digest_of_its_configuration),
        cmocka_unit_test(the_rows_of_a_dead_gateway_are_adopted),
        cmocka_unit_test(an_adopter_that_dies_is_adopted),
        cmocka_unit_test(many_rows_are_adopted),
        cmocka_unit_test(a_faulty_way_to_etcd_loses_no_row),
        cmocka_unit_test(a_paused_gateway_is_fenced_and_joins_again),
        cmocka_unit_test(an_outage_of_etcd_fences_nobody),
        cmocka_unit_test(a_beat_that_is_sent_again_through_an_outage_fences_nobody),
        cmocka_unit_test(a_beat_whose_answer_is_lost_in_an_outage_fences_nobody),
        cmocka_unit_test(a_gateway_does_not_fence_itself_with_a_flight_whose_answer_was_lost),
        cmocka_unit_test(a_gateway_that_stops_hands_over),
        cmocka_unit_test(a_name_is_one_gateways_as_long_as_that_lives),
        cmocka_unit_test(two_processes_of_one_instance_do_not_take_turns),
        cmocka_unit_test(a_name_stays_its_gateways_through_an_outage),
        cmocka_unit_test(a_vault_that_differs_is_refused),
        cmocka_unit_test(rows_of_an_unknown_vault_stay),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
