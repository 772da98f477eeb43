/* SPDX-License-Identifier: Apache-2.0 */
/* cluster_scenarios.c - ways through a store on etcd, and what must come of them; see cluster_rig.h. */
#include "cluster_rig.h"

#include "check.h"
#include "stores/etcd_scan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define TRIES 40
#define URL   "https://vault.example.test"

#define STRICT(assertion)                                                                                    \
    do {                                                                                                     \
        if (!cluster.is_lenient)                                                                             \
            assertion;                                                                                       \
    } while (0)

static struct cluster_node *const g1 = &cluster.nodes[0], *const g2 = &cluster.nodes[1];

/* ---- the keys, as text: those of a run in which nothing failed are what every run must leave ---- */

struct dump {
    char text[16384];
    size_t n;
};

/* What differs from run to run is left out: epochs, and what gateways write of themselves. */
static void dump_key(void *arg, const char *key, const char *value)
{
    struct dump *d = arg;
    const char *rest = key + sizeof CLUSTER_PREFIX - 1;
    char line[2048];

    if (strchr("mn", *rest) || strcmp(rest, "c/tag") == 0)
        return;
    (void)snprintf(line, sizeof line, "%s %s\n", rest, value);
    for (const char *at = line; *at; at++) {
        assert_in_range(d->n, 0, sizeof d->text - 2);
        d->text[d->n++] = *at;
        if (*at == '@')
            at += strspn(at + 1, "0123456789");
    }
    d->text[d->n] = '\0';
}

/* Whatever fails: no gateway is fenced but in a scenario that has it dead, or etcd restored. */
static bool may_be_fenced;

static void end_with(struct dump *expected)
{
    struct dump now = {.n = 0};

    cluster_watch(false);
    STRICT(assert_true(may_be_fenced || !g1->fenced));
    may_be_fenced = false;
    if (!cluster.is_lenient) {
        fake_etcd_each(cluster.keys, CLUSTER_PREFIX, dump_key, &now);
        if (!expected->n)
            *expected = now;
        assert_string_equal(now.text, expected->text);
    }
    cluster_end();
}

/* ---- steps ---- */

struct given {
    struct store_step step; /* first */
    bool done;
    enum store_outcome outcome;
    int state;          /* of the request that was shown; -1 = none */
    char mark[8];       /* its mark */
    char lease[8];      /* that was shown */
    char lease_mark[8]; /* of its request */
    enum lease_answers answers;
};

static void on_done(struct store_step *step, enum store_outcome outcome)
{
    struct given *g = (struct given *)step;

    assert_false(g->done);
    g->done = true;
    g->outcome = outcome;
    assert_int_equal(step->err != 0, outcome == STORE_AWAY);
    g->state = step->now ? (int)step->now->state : -1;
    (void)snprintf(g->mark, sizeof g->mark, "%s", step->now ? step->now->mark : "");
    (void)snprintf(g->lease, sizeof g->lease, "%s", step->lease_now ? step->lease_now->id : "");
    (void)snprintf(g->lease_mark, sizeof g->lease_mark, "%s",
                   step->lease_now ? step->lease_now->request : "");
    g->answers = step->lease_now ? step->lease_now->answers : ANSWERS_ONE;
}

/* The lease `id` of the session `session` on the request `name`, whose asker has the lease `mark`. "" = none.
 */
static struct given step_of(enum store_step_kind kind, enum request_state state, const char *mark,
                            const char *name, const char *id, const char *session)
{
    const struct holder holder = {"mrivera", "ACME", session, session, "root@web01", "web01", "root", 1000};

    return (struct given){.step = {.kind = kind,
                                   .request = {.mark = mark,
                                               .owner = "",
                                               .state = state,
                                               .vault = "safe",
                                               .url = URL,
                                               .user = "ACME\\mrivera",
                                               .name = name,
                                               .last_error = "",
                                               .expires_wall_ms = 5000,
                                               .asker = holder},
                                   .lease = {.request = mark, .id = id, .holder = holder, .ended_site = ""},
                                   .cursor = {"pra one", 1795895628123},
                                   .instead = "",
                                   .record = kind == STEP_RELEASE ? "released" : NULL,
                                   .done = on_done}};
}

/* Given again while the store is away, as the journal does; `n` of them in one list. */
static void apply_all(struct cluster_node *node, struct given *g, size_t n)
{
    for (int i = 0; i < TRIES; i++) {
        struct store_steps list = STAILQ_HEAD_INITIALIZER(list);
        size_t left = 0;

        for (size_t k = 0; k < n; k++)
            if (!g[k].done || g[k].outcome == STORE_AWAY) {
                g[k].done = false;
                STAILQ_INSERT_TAIL(&list, &g[k].step, link);
            }
        assert_int_equal(node->store->ops->steps(node->store, &list), 0);
        for (size_t k = 0; k < n; k++) {
            cluster_wait(&g[k].done, store_step_rules[g[k].step.kind].name);
            left += g[k].outcome == STORE_AWAY;
        }
        if (!left)
            return;
        cluster_advance(SECONDS(1));
    }
    STRICT(fail_msg("the store does not heal"));
}

static struct given apply(struct cluster_node *node, struct given g, enum store_outcome expected)
{
    apply_all(node, &g, 1);
    STRICT(assert_int_equal(g.outcome, expected));
    return g;
}

static struct given ask_of(const char *mark)
{
    return step_of(STEP_ASK, REQUEST_ASKED, mark, "", "", mark);
}

/* Each session is named as its lease. */
static void check_out(struct cluster_node *node, const char *mark, const char *name)
{
    (void)apply(node, ask_of(mark), STORE_APPLIED);
    (void)apply(node, step_of(STEP_OPEN, REQUEST_HELD, mark, name, mark, mark), STORE_APPLIED);
}

/* The session of this lease joins the request of another mark. */
static void join(struct cluster_node *node, const char *id, const char *mark, const char *name)
{
    struct given open = step_of(STEP_OPEN, REQUEST_HELD, mark, name, id, id);

    (void)apply(node, ask_of(id), STORE_APPLIED);
    open.step.request.asker.session = mark;
    open.step.request.asker.lsid = mark;
    open.step.instead = id;
    open.step.reused = true;
    (void)apply(node, open, STORE_APPLIED);
}

static void begin(void)
{
    cluster_begin();
    assert_true(cluster_open(g1));
}

static void begin_two(void)
{
    begin();
    assert_true(cluster_open(g2));
    cluster_advance(SECONDS(3));
}

/* Its owner as a question shows it. */
static const char *owner_of(struct cluster_node *node, char owner[96])
{
    struct store_state state;

    node->store->ops->state(node->store, &state);
    (void)snprintf(owner, 96, "%s@%lld", node->name, (long long)state.cluster->epoch);
    return owner;
}

static void on_given(struct store_step *step, enum store_outcome outcome)
{
    struct cluster_given *g = (struct cluster_given *)step;

    assert_false(g->done);
    g->done = true;
    g->outcome = outcome;
    g->shows = step->now != NULL;
}

void cluster_give(struct cluster_node *node, struct cluster_given *g, enum store_step_kind kind,
                  enum request_state state, const char *id)
{
    struct store_steps list = STAILQ_HEAD_INITIALIZER(list);

    *g = (struct cluster_given){.step = step_of(kind, state, id, "41", id, id).step};
    g->step.done = on_given;
    STAILQ_INSERT_TAIL(&list, &g->step, link);
    assert_int_equal(node->store->ops->steps(node->store, &list), 0);
}

/* ---- opening ---- */

static int on_cursor(void *arg, const struct cursor_row *c)
{
    STRICT(assert_string_equal(c->site, "pra one"));
    ++*(unsigned *)arg;
    return 0;
}

static void opened(void)
{
    static const struct store_reader reader = {.cursor = on_cursor};
    static struct dump expected;
    unsigned cursors = 0;

    cluster_begin();
    cluster_watch(true);
    if (cluster_open(g1)) {
        STRICT(assert_int_equal(strlen(g1->store->ops->tag(g1->store)), ID_TAG_SIZE - 1));
        (void)apply(g1, step_of(STEP_CURSOR, REQUEST_ASKED, "", "", "", ""), STORE_APPLIED);
        g1->store->ops->set_config(g1->store, "def");
        check_out(g1, "a", "41");
        cluster_advance(SECONDS(1));
        assert_int_equal(g1->store->ops->may_send(g1->store), g1->certain);
    }
    cluster_close(g1);
    if (cluster_open(g1)) {
        assert_int_equal(g1->store->ops->load(g1->store, &reader, &cursors), 0);
        STRICT(assert_int_equal(cursors, 1));
        cluster_advance(SECONDS(3));
    }
    end_with(&expected);
}

/* ---- steps ---- */

static void checked_out(void)
{
    static struct dump expected;
    struct given amended = step_of(STEP_AMEND, REQUEST_HELD, "a", "41", "a", "a");
    struct given undone = step_of(STEP_RELEASE, REQUEST_RETURNING, "a", "41", "a", "a"), again = ask_of("z");

    begin();
    cluster_watch(true);
    check_out(g1, "a", "41");
    again.step.request.asker = amended.step.lease.holder;
    again = apply(g1, again, STORE_OTHERWISE);
    STRICT(assert_string_equal(again.lease, "a"));
    STRICT(assert_string_equal(again.lease_mark, "a"));
    STRICT(assert_int_equal(again.state, REQUEST_HELD));
    amended.step.lease.ended = SESSION_END_POLL;
    amended.step.lease.ended_site = "pra one";
    (void)apply(g1, amended, STORE_APPLIED);
    (void)apply(g1, step_of(STEP_REPEAT, REQUEST_HELD, "a", "41", "a", "a"), STORE_APPLIED);
    undone.step.undo = true;
    undone = apply(g1, undone, STORE_APPLIED);
    STRICT(assert_true(undone.step.kept));
    join(g1, "b", "a", "41");
    (void)apply(g1, step_of(STEP_EDIT, REQUEST_HELD, "a", "41", "", "a"), STORE_APPLIED);
    struct given released =
        apply(g1, step_of(STEP_RELEASE, REQUEST_RETURNING, "a", "41", "a", "a"), STORE_APPLIED);

    STRICT(assert_int_equal(released.step.holders, 1));
    released = step_of(STEP_RELEASE, REQUEST_RETURNING, "a", "41", "b", "b");
    released.step.request.asker.session = "a";
    released = apply(g1, released, STORE_APPLIED);
    STRICT(assert_int_equal(released.state, REQUEST_RETURNING));
    (void)apply(g1, step_of(STEP_RETURN, REQUEST_RETURNING, "a", "41", "", "a"), STORE_APPLIED);
    (void)apply(g1, step_of(STEP_LAPSE, REQUEST_LAPSED, "a", "41", "", "a"), STORE_APPLIED);
    (void)apply(g1, step_of(STEP_CLOSE, REQUEST_LAPSED, "a", "41", "", "a"), STORE_APPLIED);
    (void)apply(g1, step_of(STEP_EDIT, REQUEST_HELD, "a", "41", "", "a"), STORE_OTHERWISE);
    end_with(&expected);
}

static void ended_otherwise(void)
{
    static struct dump expected;

    begin();
    cluster_watch(true);
    /* to an approver, and from there */
    check_out(g1, "c", "42");
    (void)apply(g1, step_of(STEP_PEND, REQUEST_PENDING, "c", "42", "c", "c"), STORE_APPLIED);
    (void)apply(g1, step_of(STEP_EDIT, REQUEST_PENDING, "c", "42", "", "c"), STORE_APPLIED);
    (void)apply(g1, step_of(STEP_OPEN, REQUEST_HELD, "c", "42", "c", "c"), STORE_APPLIED);
    /* its time is over while leases hold it; they go with it */
    struct given ended = apply(g1, step_of(STEP_END, REQUEST_RETURNING, "c", "42", "", "c"), STORE_APPLIED);

    STRICT(assert_int_equal(ended.state, REQUEST_RETURNING));
    (void)apply(g1, step_of(STEP_CLOSE, REQUEST_RETURNING, "c", "42", "", "c"), STORE_APPLIED);
    /* a lease whose request has ended */
    check_out(g1, "d", "43");
    (void)apply(g1, step_of(STEP_END, REQUEST_RETURNING, "d", "43", "", "d"), STORE_APPLIED);
    (void)apply(g1, step_of(STEP_CLEAR, REQUEST_RETURNING, "d", "43", "d", "d"), STORE_APPLIED);
    /* a session that ends while it asks */
    struct given cancel = step_of(STEP_CANCEL, REQUEST_ASKED, "e", "", "", "e");
    char owner[96];

    (void)apply(g1, ask_of("e"), STORE_APPLIED);
    cancel.step.request.owner = owner_of(g1, owner);
    (void)apply(g1, cancel, STORE_APPLIED);
    struct given late = apply(g1, step_of(STEP_OPEN, REQUEST_HELD, "e", "44", "e", "e"), STORE_OTHERWISE);

    STRICT(assert_true(late.step.cancelled));
    (void)apply(g1, step_of(STEP_RETURN, REQUEST_RETURNING, "e", "44", "", "e"), STORE_APPLIED);
    /* a request of no name, and one that is left */
    (void)apply(g1, ask_of("f"), STORE_APPLIED);
    (void)apply(g1, step_of(STEP_OPEN, REQUEST_HELD, "f", "", "f", "f"), STORE_APPLIED);
    (void)apply(g1, step_of(STEP_LEAVE, REQUEST_HELD, "f", "", "f", "f"), STORE_APPLIED);
    end_with(&expected);
}

/* Many at once: what may not fly together, flies one after the other. */
static void many_at_once(void)
{
    static struct dump expected;
    struct given g[] = {ask_of("a"),
                        step_of(STEP_OPEN, REQUEST_HELD, "a", "41", "a", "a"),
                        ask_of("b"),
                        step_of(STEP_OPEN, REQUEST_HELD, "b", "42", "b", "b"),
                        step_of(STEP_RELEASE, REQUEST_RETURNING, "a", "41", "a", "a"),
                        step_of(STEP_CLOSE, REQUEST_RETURNING, "a", "41", "", "a"),
                        step_of(STEP_CURSOR, REQUEST_ASKED, "", "", "", "")};

    begin();
    cluster_watch(true);
    apply_all(g1, g, sizeof g / sizeof *g);
    for (size_t i = 0; i < sizeof g / sizeof *g; i++)
        STRICT(assert_int_equal(g[i].outcome, STORE_APPLIED));
    end_with(&expected);
}

/* ---- two gateways ---- */

static void shared(void)
{
    static struct dump expected;
    struct given ask = ask_of("b"), found, cancel = step_of(STEP_CANCEL, REQUEST_ASKED, "c", "", "", "c");
    char owner[96];

    begin_two();
    cluster_watch(true);
    check_out(g1, "a", "41");
    /* the vault hands the same request over to the other gateway */
    (void)apply(g2, ask, STORE_APPLIED);
    found = apply(g2, step_of(STEP_OPEN, REQUEST_HELD, "b", "41", "b", "b"), STORE_APPLIED);
    STRICT(assert_string_equal(found.mark, "a"));
    /* the session's lease is shown with its request */
    struct given again = ask_of("y");

    again.step.request.asker = ask_of("a").step.request.asker;
    again = apply(g2, again, STORE_OTHERWISE);
    STRICT(assert_string_equal(again.lease, "a"));
    STRICT(assert_string_equal(again.mark, "a"));
    struct given repeat = step_of(STEP_REPEAT, REQUEST_HELD, "a", "41", "a", "a");

    repeat.step.request.owner = owner_of(g1, owner);
    (void)apply(g2, repeat, STORE_APPLIED);
    again = ask_of("y");
    again.step.request.asker = ask_of("a").step.request.asker;
    again = apply(g2, again, STORE_OTHERWISE);
    STRICT(assert_int_equal(again.answers, ANSWERS_TWO));
    /* an intent of one is cancelled by the other, which lets it know */
    (void)apply(g1, ask_of("c"), STORE_APPLIED);
    cancel.step.request.owner = owner_of(g1, owner);
    (void)apply(g2, cancel, STORE_APPLIED);
    (void)apply(g1, step_of(STEP_RETURN, REQUEST_RETURNING, "c", "", "", "c"), STORE_APPLIED);
    /* the last lease ends at the other one */
    (void)apply(g1, step_of(STEP_RELEASE, REQUEST_RETURNING, "a", "41", "a", "a"), STORE_APPLIED);
    struct given last = step_of(STEP_RELEASE, REQUEST_RETURNING, "a", "41", "b", "b");

    last.step.request.owner = owner_of(g1, owner);
    last.step.request.asker.session = "a";
    (void)apply(g2, last, STORE_APPLIED);
    cluster_advance(SECONDS(3));
    STRICT(assert_true(g1->touched > 0));
    end_with(&expected);
}

/* ---- questions ---- */

struct asked {
    struct store_question q; /* first */
    bool done;
    enum store_answer answer;
    unsigned requests, leases;
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
        assert_true(f->lease || f->request);
        a->leases += f->lease != NULL;
        a->requests += f->request != NULL;
        a->state = f->request ? (int)f->request->state : a->state;
        if (q->kind == QUESTION_LIST && f->lease)
            STRICT(assert_string_equal(f->lease->holder.credential, "root@web01"));
    }
}

/* Asked again while there is no answer. */
static void ask(struct cluster_node *node, struct asked *a, enum store_answer expected)
{
    for (int i = 0; i < TRIES; i++) {
        a->done = false;
        a->requests = a->leases = 0;
        a->q.done = on_answer;
        a->q.until_ms = cluster.fc.now + 3000;
        if (node->store->ops->ask(node->store, &a->q))
            continue;
        assert_false(a->done);
        cluster_wait(&a->done, "a question");
        if (a->answer != STORE_NONE)
            break;
    }
    STRICT(assert_int_equal(a->answer, expected));
}

static void check_question(struct asked a, enum store_answer answer, unsigned leases, unsigned requests)
{
    ask(g2, &a, answer);
    STRICT(assert_int_equal(a.leases, leases));
    STRICT(assert_int_equal(a.requests, requests));
}

#define WHO                                                                                                  \
    {                                                                                                        \
        .username = "mrivera", .domain = "ACME", .session = "a", .lsid = "a", .credential = "root@web01"     \
    }

static struct asked about(enum store_question_kind kind, const char *lease, const char *name)
{
    return (struct asked){.q = {.kind = kind,
                                .who = WHO,
                                .lease = lease,
                                .mark = "c",
                                .vault = "safe",
                                .user = "ACME\\mrivera",
                                .name = name}};
}

/* All pages of a list; how many rows it has. */
static void list_all(const char *node, unsigned requests, unsigned leases)
{
    struct asked a = {.q = {.kind = QUESTION_LIST, .limit = 1, .node = node}};
    unsigned n_requests = 0, n_leases = 0, pages = 0;

    do {
        ask(g2, &a, STORE_OPEN);
        n_requests += a.requests;
        n_leases += a.leases;
    } while (*a.q.cursor && a.answer == STORE_OPEN && ++pages < 50);
    STRICT(assert_int_equal(n_requests, requests));
    STRICT(assert_int_equal(n_leases, leases));
}

/* g1: a and b hold 41, c is asked for, d waits for its approver, e is being returned. */
static void fill(void)
{
    check_out(g1, "a", "41");
    join(g1, "b", "a", "41");
    (void)apply(g1, ask_of("c"), STORE_APPLIED);
    check_out(g1, "d", "42");
    (void)apply(g1, step_of(STEP_PEND, REQUEST_PENDING, "d", "42", "d", "d"), STORE_APPLIED);
    check_out(g1, "e", "43");
    (void)apply(g1, step_of(STEP_RELEASE, REQUEST_RETURNING, "e", "43", "e", "e"), STORE_APPLIED);
}

static void asked_for(void)
{
    static struct dump expected;
    struct asked forgotten = about(QUESTION_SESSION, "", "");
    struct asked other_name = about(QUESTION_REQUEST, "", "41");
    bool is_forgotten = false;

    begin_two();
    fill();
    cluster_watch(true);
    check_question(about(QUESTION_CONFIRM, "a", "41"), STORE_OPEN, 1, 1);
    check_question(about(QUESTION_CONFIRM, "z", "41"), STORE_OVER, 1, 1);
    check_question(about(QUESTION_SESSION, "", ""), STORE_OPEN, 1, 1);
    check_question(about(QUESTION_LSID, "", ""), STORE_OPEN, 1, 1);
    check_question(about(QUESTION_REQUEST, "", "41"), STORE_OPEN, 2, 2);
    other_name.q.user = "mrivera@acme.example";
    check_question(other_name, STORE_OPEN, 2, 2);
    other_name.q.name = "42"; /* it waits for its approver */
    check_question(other_name, STORE_OPEN, 0, 1);
    check_question(about(QUESTION_MARK, "", ""), STORE_OPEN, 0, 1);
    list_all("", 5, 2);
    list_all("g2", 0, 0);
    /* what is not there */
    check_question(about(QUESTION_REQUEST, "", "40"), STORE_OPEN, 0, 0);
    forgotten.q.done = on_answer;
    forgotten.q.until_ms = cluster.fc.now + 3000;
    if (g2->store->ops->ask(g2->store, &forgotten.q) == 0) {
        cluster_step();
        is_forgotten = !forgotten.done;
        if (is_forgotten)
            g2->store->ops->forget(g2->store, &forgotten.q);
    }
    end_with(&expected);
    assert_false(is_forgotten && forgotten.done);
}

void cluster_fill(void)
{
    begin_two();
    fill();
}

static void on_asked(struct store_question *q, enum store_answer answer)
{
    struct cluster_asked *a = (struct cluster_asked *)q;
    const struct store_found *f;

    assert_false(a->done);
    a->done = true;
    a->answer = answer;
    STAILQ_FOREACH(f, &q->found, link)
    {
        a->requests += f->request != NULL;
        a->leases += f->lease != NULL;
    }
}

void cluster_ask(struct cluster_node *node, struct cluster_asked *a, enum store_question_kind kind)
{
    *a = (struct cluster_asked){.q = about(kind, "a", "41").q};
    a->q.limit = 200;
    a->q.done = on_asked;
    a->q.until_ms = cluster.fc.now + 3000;
    assert_int_equal(node->store->ops->ask(node->store, &a->q), 0);
}

/* A request that waits for its approver is shown to another gateway, which opens it; and waits again. */
static void waited(void)
{
    static struct dump expected;
    struct given keep = step_of(STEP_RELEASE, REQUEST_PENDING, "a", "41", "a", "a");
    struct given open = step_of(STEP_OPEN, REQUEST_HELD, "a", "41", "b", "b");
    struct given again = step_of(STEP_RELEASE, REQUEST_PENDING, "a", "41", "b", "b");
    struct given stale = step_of(STEP_OPEN, REQUEST_HELD, "a", "41", "c", "c");
    char owner[96];

    begin_two();
    cluster_watch(true);
    check_out(g1, "a", "41");
    keep.step.undo = true;
    keep = apply(g1, keep, STORE_APPLIED);
    STRICT(assert_int_equal(keep.state, REQUEST_PENDING));
    struct given shown = apply(g2, ask_of("b"), STORE_APPLIED);

    STRICT(assert_int_equal(shown.state, REQUEST_PENDING));
    STRICT(assert_string_equal(shown.mark, "a"));
    check_question(about(QUESTION_WAITING, "", ""), STORE_OPEN, 0, 1);
    check_question(about(QUESTION_REQUEST, "", "41"), STORE_OPEN, 0, 1);
    open.step.request.owner = owner_of(g1, owner);
    open.step.request.asker.session = open.step.request.asker.lsid = "a";
    open.step.instead = "b";
    open.step.reused = true;
    open = apply(g2, open, STORE_APPLIED);
    STRICT(assert_int_equal(open.state, REQUEST_HELD));
    (void)apply(g1, ask_of("c"), STORE_APPLIED);
    stale.step.instead = "c";
    stale.step.reused = true;
    stale = apply(g1, stale, STORE_OTHERWISE); /* it is not g1's any more */
    STRICT(assert_int_equal(stale.state, REQUEST_HELD));
    again.step.request.asker.session = again.step.request.asker.lsid = "a";
    again = apply(g2, again, STORE_APPLIED);
    STRICT(assert_int_equal(again.state, REQUEST_PENDING));
    (void)apply(g2, step_of(STEP_RETURN, REQUEST_RETURNING, "a", "41", "", "a"), STORE_APPLIED);
    check_question(about(QUESTION_WAITING, "", ""), STORE_OPEN, 0, 0);
    end_with(&expected);
}

/* ---- death, hand-over, restart ---- */

static struct {
    unsigned requests, leases, by_state[REQUEST_NSTATES];
} adopted[CLUSTER_NODES];

void cluster_adopted(struct cluster_node *n, const struct request_row *r, size_t nleases)
{
    size_t i = (size_t)(n - cluster.nodes);

    adopted[i].requests++;
    adopted[i].by_state[r->state]++;
    adopted[i].leases += (unsigned)nleases;
}

/* All that fill() has made is this gateway's: given, or to be read where it was missed. */
static void check_adopted(const struct cluster_node *n)
{
    size_t i = (size_t)(n - cluster.nodes);

    if (cluster.is_lenient)
        return;
    assert_in_range(adopted[i].requests, n->missed ? 0 : 4, 4 + 4 * n->missed);
    if (!n->missed) {
        assert_int_equal(adopted[i].leases, 2);
        assert_int_equal(adopted[i].by_state[REQUEST_HELD], 1);
        assert_int_equal(adopted[i].by_state[REQUEST_ASKED], 1);
        assert_int_equal(adopted[i].by_state[REQUEST_PENDING], 1);
        assert_int_equal(adopted[i].by_state[REQUEST_RETURNING], 1);
    }
}

static bool has_key(const char *prefix)
{
    struct dump found = {.n = 0};

    fake_etcd_each(cluster.keys, prefix, dump_key, &found);
    return found.n > 0;
}

/* Until nothing is left of the dead. */
static void wait_for_adoption(const struct cluster_node *n)
{
    cluster_advance(CLUSTER_TTL_MS / 2);
    for (int i = 0; i < 60 && has_key(CLUSTER_PREFIX "d/"); i++)
        cluster_advance(SECONDS(1));
    STRICT(assert_false(has_key(CLUSTER_PREFIX "d/")));
    check_adopted(n);
}

static void adopts(void)
{
    static struct dump expected;

    may_be_fenced = true;
    begin_two();
    fill();
    memset(adopted, 0, sizeof adopted);
    g1->cut = true;
    cluster_watch(true);
    cluster_advance(2 * CLUSTER_TTL_MS);
    wait_for_adoption(g2);
    STRICT(assert_true(g2->gone > 0));
    STRICT(assert_false(g1->certain));
    g1->cut = false;
    cluster_advance(SECONDS(8));
    STRICT(assert_true(g1->fenced > 0));
    for (int i = 0; i < TRIES && g1->joined < 2; i++)
        cluster_advance(SECONDS(1));
    STRICT(assert_true(g1->joined > 1));
    end_with(&expected);
}

static void restarted(void)
{
    static struct dump expected;

    begin();
    fill();
    cluster_close(g1);
    memset(adopted, 0, sizeof adopted);
    cluster_watch(true);
    if (cluster_open(g1))
        wait_for_adoption(g1);
    end_with(&expected);
}

static void on_left(void *arg, bool taken)
{
    struct cluster_node *n = arg;

    n->left = true;
    n->taken = taken;
}

static void handed_over(void)
{
    static struct dump expected;

    begin_two();
    fill();
    memset(adopted, 0, sizeof adopted);
    cluster_watch(true);
    g1->store->ops->leave(g1->store, on_left, g1);
    cluster_wait(&g1->left, "the hand-over");
    STRICT(assert_true(g1->taken));
    cluster_close(g1);
    wait_for_adoption(g2);
    g2->store->ops->leave(g2->store, on_left, g2);
    cluster_wait(&g2->left, "a stop without an heir");
    STRICT(assert_false(g2->taken));
    end_with(&expected);
}

/* Etcd is another one than before: each gateway joins it as a new one. */
static void restored(void)
{
    static struct dump expected;

    may_be_fenced = true;
    begin();
    check_out(g1, "a", "41");
    cluster_watch(true);
    if (cluster.quiet)
        cluster.quiet(true);
    fake_etcd_free(cluster.keys);
    cluster.keys = fake_etcd_new();
    fake_etcd_enable_auth(cluster.keys, "jumpgate", "secret");
    if (cluster.quiet)
        cluster.quiet(false);
    for (int i = 0; i < TRIES && g1->joined < 2; i++)
        cluster_advance(SECONDS(1));
    STRICT(assert_true(g1->joined > 1));
    check_out(g1, "b", "42");
    end_with(&expected);
}

/* ---- a read of all rows, as the commands do it ---- */

struct scanned {
    struct etcd_scan scan; /* first */
    bool done;
    int err;
    unsigned requests, leases, cursors;
};

static int scan_request(void *arg, const struct request_row *r)
{
    assert_true(*r->mark);
    ((struct scanned *)arg)->requests++;
    return 0;
}

static int scan_lease(void *arg, const struct lease_row *l)
{
    assert_true(*l->id && *l->request);
    ((struct scanned *)arg)->leases++;
    return 0;
}

static int scan_cursor(void *arg, const struct cursor_row *c)
{
    (void)c;
    ((struct scanned *)arg)->cursors++;
    return 0;
}

static void on_scanned(struct etcd_scan *scan, int err)
{
    struct scanned *s = (struct scanned *)scan;

    assert_false(s->done);
    s->done = true;
    s->err = err;
}

static void set_done(void *arg)
{
    *(bool *)arg = true;
}

static void scanned(void)
{
    static struct dump expected;
    static const struct secret password = {.p = (char *)(uintptr_t) "secret", .len = 6};
    const char *const urls[] = {"https://g2.one.test"};
    const struct etcd_client_opts opts = {
        .endpoints = urls, .nendpoints = 1, .user = "jumpgate", .password = &password, .timeout_ms = 1000};
    struct scanned s = {.err = -EAGAIN};
    char why[256];
    bool closed = false;

    begin();
    fill();
    (void)apply(g1, step_of(STEP_CURSOR, REQUEST_ASKED, "", "", "", ""), STORE_APPLIED);
    struct etcd_client *client = etcd_client_new(NULL, &opts, why);

    assert_non_null(client);
    cluster_watch(true);
    for (int i = 0; i < TRIES && s.err; i++) {
        s = (struct scanned){.scan = {.prefix = CLUSTER_PREFIX,
                                      .node = "g1",
                                      .reader = {scan_request, scan_lease, scan_cursor},
                                      .arg = &s,
                                      .done = on_scanned}};
        s.err = etcd_scan(client, &s.scan);
        if (!s.err)
            cluster_wait(&s.done, "a scan");
    }
    STRICT(assert_int_equal(s.err, 0));
    STRICT(assert_int_equal(s.requests, 4));
    STRICT(assert_int_equal(s.leases, 2));
    STRICT(assert_int_equal(s.cursors, 1));
    cluster_watch(false);
    etcd_client_close(client, set_done, &closed);
    cluster_wait(&closed, "a client");
    end_with(&expected);
}

/* ---- rows of a newer version ---- */

static void add_member(void *arg, const char *key, const char *value)
{
    char text[2048];

    (void)arg;
    (void)snprintf(text, sizeof text, "%.*s,\"zn\":[7,\"%c\"]}", (int)strlen(value) - 1, value,
                   key[sizeof CLUSTER_PREFIX - 1]);
    fake_etcd_put(cluster.keys, key, text);
}

/* Whatever fails, the members of each row stay: the keys at the end are those of a run without failures. */
static void newer(void)
{
    static const char *const rows[] = {CLUSTER_PREFIX "i/", CLUSTER_PREFIX "r/", CLUSTER_PREFIX "s/"};
    static struct dump expected;
    struct given edit = step_of(STEP_EDIT, REQUEST_PENDING, "d", "42", "", "d");

    may_be_fenced = true;
    begin_two();
    fill();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        fake_etcd_each(cluster.keys, rows[i], add_member, NULL);
    memset(adopted, 0, sizeof adopted);
    g1->cut = true;
    cluster_watch(true);
    cluster_advance(2 * CLUSTER_TTL_MS);
    wait_for_adoption(g2);
    list_all("", 5, 2); /* as the broker does after missed() */
    (void)apply(g2, step_of(STEP_AMEND, REQUEST_HELD, "a", "41", "a", "a"), STORE_APPLIED);
    (void)apply(g2, step_of(STEP_EDIT, REQUEST_HELD, "a", "41", "", "a"), STORE_APPLIED);
    (void)apply(g2, step_of(STEP_RELEASE, REQUEST_RETURNING, "a", "41", "a", "a"), STORE_APPLIED);
    (void)apply(g2, step_of(STEP_OPEN, REQUEST_HELD, "c", "44", "c", "c"), STORE_APPLIED);
    edit.step.request.next_wall_ms = 77;
    (void)apply(g2, edit, STORE_APPLIED);
    (void)apply(g2, step_of(STEP_LAPSE, REQUEST_LAPSED, "e", "43", "", "e"), STORE_APPLIED);
    end_with(&expected);
    unsigned n = 0;

    for (const char *at = expected.text; (at = strstr(at, "zn")); at++)
        n++;
    STRICT(assert_int_equal(n, 5)); /* the requests of a, c, d and e, and the lease b */
}

const struct cluster_scenario cluster_scenarios[] = {
    {"opened", opened},
    {"checked_out", checked_out},
    {"ended_otherwise", ended_otherwise},
    {"many_at_once", many_at_once},
    {"shared", shared},
    {"asked_for", asked_for},
    {"waited", waited},
    {"adopts", adopts},
    {"restarted", restarted},
    {"handed_over", handed_over},
    {"restored", restored},
    {"scanned", scanned},
    {"newer", newer},
};
const size_t cluster_nscenarios = sizeof cluster_scenarios / sizeof *cluster_scenarios;
