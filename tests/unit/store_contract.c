/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_contract.c - see the header.
 *
 * The model is written from the words of store.h and not from its table of rules, so that a wrong rule is
 * seen as well.
 */
#include "store_contract.h"

#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MARKS = 3, IDS = 3, LISTS_MAX = 8, ABSENT = REQUEST_NSTATES };

/* ---- the model ---- */

struct model {
    int state[MARKS]; /* ABSENT, or an enum request_state */
    char text[MARKS][16];
    bool leased[MARKS][IDS];
    char lsid[MARKS][IDS][16];
    bool adopted[MARKS], cancelled[MARKS];
    char owner[96]; /* of a shared store, as it was read */
    int64_t cursor_ms;
    bool is_shared; /* the store */
};

static const char *const marks[MARKS] = {"mark-a", "mark-b", "mark-c"};
static const char *const names[MARKS] = {"41", "42/7", ""}; /* the vault keeps no request for the last one */
static const char *const ids[IDS] = {"mark-a", "mark-b", "id-3"};

/* Each lease has its session and credential. */
static struct holder holder_of(const char *id, const char *lsid)
{
    return (struct holder){"mrivera", "ACME", id, lsid, id, "web01", "root", 1000};
}

/* A step by the numbers of its rows; `lease`, `instead` -1 = none. */
struct asked_step {
    struct store_step step;  /* first */
    struct asked_step *next; /* of its list */
    int mark, lease, instead;
    enum store_outcome expected;
    char text[16];
    int done;
    enum store_outcome outcome;
    int found; /* state that OTHERWISE has shown, or ABSENT */
    int found_expected;
    unsigned holders;
    bool kept;
};

static unsigned leases_of(const struct model *m, int mark)
{
    unsigned n = 0;

    for (int i = 0; i < IDS; i++)
        n += m->leased[mark][i];
    return n;
}

static bool others_hold(const struct model *m, const struct asked_step *a)
{
    return leases_of(m, a->mark) > (a->lease >= 0 && m->leased[a->mark][a->lease] ? 1U : 0U);
}

static bool is_leased(const struct model *m, const struct asked_step *a)
{
    return a->lease >= 0 && m->leased[a->mark][a->lease];
}

/* The lease's own request in a shared store: its session may have ended meanwhile. */
static bool is_instead_over(const struct store_under_test *t, const struct model *m,
                            const struct asked_step *a)
{
    return t->is_shared && a->instead >= 0 && !is_leased(m, a) &&
           (m->state[a->instead] != REQUEST_ASKED || m->cancelled[a->instead]);
}

static bool is_expected(const struct store_under_test *t, const struct model *m, const struct asked_step *a)
{
    int state = m->state[a->mark];

    switch (a->step.kind) {
    case STEP_RELEASE: return is_leased(m, a);
    case STEP_END: return state == REQUEST_HELD;
    case STEP_CANCEL: return state == REQUEST_ASKED && !m->cancelled[a->mark];
    case STEP_CLEAR:
        return is_leased(m, a) && (state == ABSENT || state == REQUEST_RETURNING || state == REQUEST_LAPSED);
    case STEP_REPEAT: return is_leased(m, a) && state == REQUEST_HELD;
    case STEP_SPIN:
        return !t->is_shared && !others_hold(m, a) &&
               (state == REQUEST_ASKED || state == REQUEST_RETURNING || state == REQUEST_SPINNING);
    case STEP_AGAIN: return !t->is_shared && state == REQUEST_SPINNING && !others_hold(m, a);
    case STEP_ASK: return state == ABSENT;
    case STEP_OPEN:
        return (state == REQUEST_ASKED && !m->cancelled[a->mark]) ||
               ((state == REQUEST_HELD || state == REQUEST_PENDING) && !is_instead_over(t, m, a));
    case STEP_PEND: return state == REQUEST_HELD && !others_hold(m, a);
    case STEP_EDIT:
        return state == (int)a->step.request.state && !(state == REQUEST_ASKED && m->cancelled[a->mark]);
    case STEP_RETURN:
        return state != ABSENT && state != REQUEST_LAPSED &&
               (!others_hold(m, a) || (t->is_shared && state == REQUEST_RETURNING));
    case STEP_LAPSE: return state == REQUEST_RETURNING && (t->is_shared || !leases_of(m, a->mark));
    case STEP_CLOSE:
        return state == ABSENT || !others_hold(m, a) || (t->is_shared && state == REQUEST_RETURNING);
    default: return true;
    }
}

static void end_lease(struct model *m, const struct asked_step *a)
{
    if (a->lease >= 0)
        m->leased[a->mark][a->lease] = false;
}

static void describe(struct model *m, const struct asked_step *a, int state)
{
    m->state[a->mark] = state;
    m->adopted[a->mark] = a->step.request.adopted;
    m->cancelled[a->mark] = false;
    (void)snprintf(m->text[a->mark], sizeof m->text[0], "%s", a->text);
}

static void hold(struct model *m, const struct asked_step *a)
{
    m->leased[a->mark][a->lease] = true;
    (void)snprintf(m->lsid[a->mark][a->lease], sizeof m->lsid[0][0], "%s", a->text);
    if (a->instead >= 0 && m->state[a->instead] == REQUEST_ASKED)
        m->state[a->instead] = ABSENT;
}

static void release(struct model *m, const struct asked_step *a)
{
    end_lease(m, a);
    if (leases_of(m, a->mark) || m->state[a->mark] != REQUEST_HELD)
        return;
    if (a->step.request.adopted || !*names[a->mark])
        m->state[a->mark] = ABSENT;
    else
        describe(m, a, REQUEST_RETURNING);
}

/* What the step makes of the rows, and its outcome. */
static enum store_outcome apply(const struct store_under_test *t, struct model *m, struct asked_step *a)
{
    a->found_expected = m->state[a->mark];
    if (!is_expected(t, m, a))
        return STORE_OTHERWISE;
    switch (a->step.kind) {
    case STEP_RELEASE: release(m, a); break;
    case STEP_END: describe(m, a, REQUEST_RETURNING); break;
    case STEP_CANCEL:
        describe(m, a, REQUEST_ASKED);
        m->cancelled[a->mark] = true;
        break;
    case STEP_CLEAR: end_lease(m, a); break;
    case STEP_SPIN: describe(m, a, REQUEST_SPINNING); break;
    case STEP_AGAIN: describe(m, a, REQUEST_ASKED); break;
    case STEP_ASK:
    case STEP_EDIT: describe(m, a, (int)a->step.request.state); break;
    case STEP_OPEN:
        describe(m, a, REQUEST_HELD);
        hold(m, a);
        break;
    case STEP_AMEND:
        if (m->leased[a->mark][a->lease])
            (void)snprintf(m->lsid[a->mark][a->lease], sizeof m->lsid[0][0], "%s", a->text);
        break;
    case STEP_LEAVE: end_lease(m, a); break;
    case STEP_PEND:
        end_lease(m, a);
        describe(m, a, REQUEST_PENDING);
        break;
    case STEP_RETURN:
        end_lease(m, a);
        describe(m, a, REQUEST_RETURNING);
        break;
    case STEP_LAPSE:
        memset(m->leased[a->mark], 0, sizeof m->leased[0]);
        describe(m, a, REQUEST_LAPSED);
        break;
    case STEP_CLOSE:
        end_lease(m, a);
        if (m->state[a->mark] == REQUEST_RETURNING)
            memset(m->leased[a->mark], 0, sizeof m->leased[0]);
        m->state[a->mark] = ABSENT;
        break;
    case STEP_CURSOR: m->cursor_ms = a->step.cursor.cursor_ms; break;
    default: break;
    }
    return STORE_APPLIED;
}

/* ---- what the store has ---- */

static int index_of(const char *const *list, int n, const char *text)
{
    for (int i = 0; i < n; i++)
        if (strcmp(list[i], text) == 0)
            return i;
    fail_msg("a row %s that no step has made", text);
    return 0;
}

static int on_request(void *arg, const struct request_row *r)
{
    struct model *m = arg;
    int i = index_of(marks, MARKS, r->mark);

    assert_int_equal(m->state[i], ABSENT);
    m->state[i] = (int)r->state;
    m->cancelled[i] = r->cancelled;
    (void)snprintf(m->owner, sizeof m->owner, "%s", r->owner);
    (void)snprintf(m->text[i], sizeof m->text[0], "%s", r->url);
    assert_string_equal(r->vault, "safe");
    assert_string_equal(r->user, "ACME\\mrivera");
    assert_string_equal(r->name, r->state == REQUEST_ASKED ? "" : names[i]);
    assert_string_equal(r->last_error, r->url);
    assert_string_equal(r->asker.lsid, r->url);
    assert_string_equal(r->asker.credential, marks[i]);
    assert_int_equal(r->asker.created_wall_ms, 1000);
    assert_int_equal(r->expires_wall_ms, strtol(r->url + 1, NULL, 10));
    assert_int_equal(r->attempts, r->expires_wall_ms + 1);
    assert_int_equal(r->next_wall_ms, r->expires_wall_ms + 2);
    assert_int_equal(r->adopted, r->expires_wall_ms % 2);
    if (m->is_shared)
        return 0;
    assert_int_equal(r->spin, r->expires_wall_ms % REQUEST_NSPINS);
    assert_int_equal(r->spins, r->expires_wall_ms + 3);
    assert_int_equal(r->began_wall_ms, r->expires_wall_ms + 4);
    return 0;
}

static int on_lease(void *arg, const struct lease_row *l)
{
    struct model *m = arg;
    int mark = index_of(marks, MARKS, l->request), i = index_of(ids, IDS, l->id);

    assert_false(m->leased[mark][i]);
    m->leased[mark][i] = true;
    (void)snprintf(m->lsid[mark][i], sizeof m->lsid[0][0], "%s", l->holder.lsid);
    assert_string_equal(l->ended_site, l->holder.lsid);
    assert_int_equal(l->ended, strtol(l->ended_site + 1, NULL, 10) % SESSION_END_NSOURCES);
    assert_string_equal(l->holder.session, ids[i]);
    assert_string_equal(l->holder.account, "root");
    return 0;
}

static int on_cursor(void *arg, const struct cursor_row *c)
{
    assert_string_equal(c->site, "pra one");
    ((struct model *)arg)->cursor_ms = c->cursor_ms;
    return 0;
}

static void clear(struct model *m)
{
    memset(m, 0, sizeof *m);
    for (int i = 0; i < MARKS; i++)
        m->state[i] = ABSENT;
}

static void compare(struct store_under_test *t, struct model *want)
{
    static const struct store_reader reader = {on_request, on_lease, on_cursor};
    struct model have;

    clear(&have);
    have.is_shared = t->is_shared;
    assert_int_equal(t->load ? t->load(t, &reader, &have) : t->store->ops->load(t->store, &reader, &have), 0);
    assert_int_equal(have.cursor_ms, want->cursor_ms);
    if (*have.owner)
        memcpy(want->owner, have.owner, sizeof want->owner);
    for (int i = 0; i < MARKS; i++) {
        assert_int_equal(have.state[i], want->state[i]);
        if (want->state[i] != ABSENT)
            assert_string_equal(have.text[i], want->text[i]);
        assert_int_equal(have.cancelled[i], want->state[i] == REQUEST_ASKED && want->cancelled[i]);
        for (int k = 0; k < IDS; k++) {
            assert_int_equal(have.leased[i][k], want->leased[i][k]);
            if (want->leased[i][k])
                assert_string_equal(have.lsid[i][k], want->lsid[i][k]);
        }
    }
}

/* ---- steps ---- */

static struct asked_step *next_done; /* the step that must be done next */

static void on_done(struct store_step *step, enum store_outcome outcome)
{
    struct asked_step *a = (struct asked_step *)step;

    assert_ptr_equal(a, next_done); /* in the order of the list */
    next_done = a->next;
    assert_int_equal(a->done, 0);
    a->done++;
    a->outcome = outcome;
    a->found = step->now ? (int)step->now->state : ABSENT;
    a->holders = step->holders;
    a->kept = step->kept;
    if (step->now)
        assert_string_equal(step->now->mark, marks[a->mark]);
}

static bool asks(enum store_step_kind kind)
{
    return kind == STEP_ASK || kind == STEP_AGAIN || kind == STEP_CANCEL;
}

/* Each text and number of the row follows from `number`. */
static void fill(struct asked_step *a, enum store_step_kind kind, int mark, int lease, int number)
{
    *a = (struct asked_step){.mark = mark, .lease = lease, .instead = -1};
    (void)snprintf(a->text, sizeof a->text, "n%d", number);
    a->step = (struct store_step){
        .kind = kind,
        .request = {.mark = marks[mark],
                    .state = asks(kind)           ? REQUEST_ASKED
                             : kind == STEP_SPIN  ? REQUEST_SPINNING
                             : kind == STEP_LAPSE ? REQUEST_LAPSED
                             : kind == STEP_PEND  ? REQUEST_PENDING
                             : kind == STEP_RETURN || kind == STEP_RELEASE || kind == STEP_END
                                 ? REQUEST_RETURNING
                                 : REQUEST_HELD,
                    .vault = "safe",
                    .url = a->text,
                    .user = "ACME\\mrivera",
                    .name = asks(kind) ? "" : names[mark],
                    .adopted = number % 2,
                    .expires_wall_ms = number,
                    .attempts = number + 1,
                    .next_wall_ms = number + 2,
                    .last_error = a->text,
                    .spin = (enum request_spin)(number % REQUEST_NSPINS),
                    .spins = number + 3,
                    .began_wall_ms = number + 4,
                    .asker = holder_of(marks[mark], a->text)},
        .lease = {.request = marks[mark],
                  .id = lease < 0 ? "" : ids[lease],
                  .holder = holder_of(lease < 0 ? "" : ids[lease], a->text),
                  .ended = (enum session_end_source)(number % SESSION_END_NSOURCES),
                  .ended_site = a->text},
        .instead = "",
        .cursor = {"pra one", number},
        .done = on_done,
    };
}

static bool is_open_elsewhere(const struct model *m, int lease, int mark)
{
    for (int i = 0; i < MARKS; i++)
        if (i != mark && m->leased[i][lease])
            return true;
    return false;
}

/* Does a caller keep to store.h with this step? */
static bool may_be_given(const struct store_under_test *t, const struct model *m, const struct asked_step *a)
{
    int state = m->state[a->mark];

    if (a->step.kind == STEP_OPEN || a->step.kind == STEP_CLEAR)
        return !is_open_elsewhere(m, a->lease, a->mark);
    if (a->step.kind != STEP_ASK)
        return (a->step.kind != STEP_CANCEL || *m->owner) &&
               (a->step.kind != STEP_RELEASE || a->step.request.adopted == m->adopted[a->mark]);
    for (int i = 0; i < IDS; i++)
        if (strcmp(ids[i], marks[a->mark]) == 0 && is_open_elsewhere(m, i, a->mark))
            return false;
    return t->finds_marks || state == ABSENT || state == REQUEST_ASKED;
}

/* A step on a request without a name does not describe one that the vault has named meanwhile. */
static bool can_be_found(const struct store_under_test *t, const struct asked_step *a)
{
    return t->finds_marks || *a->step.request.name || !*names[a->mark] || a->found_expected == REQUEST_ASKED;
}

/* Leases go with it: it may be done later than what follows. */
static bool had_leases;

static bool is_slow(const struct store_under_test *t, const struct asked_step *a)
{
    return t->is_shared && (a->step.kind == STEP_CLOSE || a->step.kind == STEP_LAPSE) && had_leases;
}

static bool is_as_told(const struct store_under_test *t, const struct asked_step *a)
{
    bool is_of_lease = a->step.kind == STEP_RELEASE || a->step.kind == STEP_CLEAR;

    return a->outcome == a->expected || (t->is_unsure && is_of_lease && a->outcome == STORE_APPLIED);
}

/* Gives the steps as one list, and lets them happen in the model. Those that may not be given are left out.
 */
static void give(struct store_under_test *t, struct model *m, struct asked_step *steps, size_t n)
{
    struct store_steps list = STAILQ_HEAD_INITIALIZER(list);
    struct asked_step *last = NULL;
    struct store_state state;

    for (size_t i = 0; i < n && !(last && is_slow(t, last)); i++) {
        if (!may_be_given(t, m, &steps[i]))
            continue;
        if (last)
            last->next = &steps[i];
        else
            next_done = &steps[i];
        last = &steps[i];
        last->step.request.owner = m->owner;
        had_leases = leases_of(m, last->mark) > 0;
        last->expected = apply(t, m, last);
        STAILQ_INSERT_TAIL(&list, &last->step, link);
    }
    if (!last)
        return;
    assert_int_equal(t->store->ops->steps(t->store, &list), 0);
    assert_int_equal(next_done->done, 0); /* never before the call has returned */
    while (!last->done)
        t->go_on(t);
    for (size_t i = 0; i < n; i++) {
        if (!is_as_told(t, &steps[i]))
            fail_msg("%s: %d and not %d", store_step_rules[steps[i].step.kind].name, (int)steps[i].outcome,
                     (int)steps[i].expected);
        if (steps[i].done && steps[i].outcome == STORE_OTHERWISE && can_be_found(t, &steps[i]))
            assert_int_equal(steps[i].found, steps[i].found_expected);
    }
    t->store->ops->state(t->store, &state);
    assert_true(state.writable);
    assert_int_equal(state.queued, 0);
    compare(t, m);
}

static void give_one(struct store_under_test *t, struct model *m, enum store_step_kind kind, int mark,
                     int lease)
{
    static int number = 10;
    struct asked_step a;

    number += kind == STEP_RELEASE && number % 2 != m->adopted[mark];
    fill(&a, kind, mark, lease, number++);
    give(t, m, &a, 1);
}

/* "mark-a" in the state, held by the first `leases` ids. A request that leases hold is HELD, or, in a shared
 * store, RETURNING. */
static void reach(struct store_under_test *t, struct model *m, int state, int leases)
{
    t->empty(t);
    clear(m);
    if (state == ABSENT)
        return;
    give_one(t, m, STEP_ASK, 0, -1);
    for (int i = 0; i < leases; i++)
        give_one(t, m, STEP_OPEN, 0, i);
    if ((state == REQUEST_HELD || state == REQUEST_PENDING) && !leases) {
        give_one(t, m, STEP_OPEN, 0, 0);
        give_one(t, m, STEP_LEAVE, 0, 0);
    }
    if (state == REQUEST_PENDING)
        give_one(t, m, STEP_PEND, 0, -1);
    if (state == REQUEST_RETURNING && leases)
        give_one(t, m, STEP_END, 0, -1);
    else if (state == REQUEST_RETURNING || state == REQUEST_LAPSED)
        give_one(t, m, STEP_RETURN, 0, -1);
    if (state == REQUEST_LAPSED)
        give_one(t, m, STEP_LAPSE, 0, -1);
    if (state == REQUEST_SPINNING)
        give_one(t, m, STEP_SPIN, 0, -1);
    assert_int_equal(m->state[0], state);
}

static bool may_have_leases(const struct store_under_test *t, int state)
{
    return state == REQUEST_HELD || (t->is_shared && state == REQUEST_RETURNING);
}

/* With a lease, without one, or both. */
static bool is_of(int kind, int lease)
{
    switch (kind) {
    case STEP_OPEN:
    case STEP_AMEND:
    case STEP_LEAVE:
    case STEP_RELEASE:
    case STEP_CLEAR:
    case STEP_REPEAT: return lease >= 0;
    case STEP_SPIN:
    case STEP_AGAIN:
    case STEP_END:
    case STEP_CANCEL: return lease < 0;
    default: return true;
    }
}

static void each_step(struct store_under_test *t, void (*give_it)(struct store_under_test *, struct model *,
                                                                  enum store_step_kind, int lease))
{
    struct model m;

    for (int state = 0; state <= ABSENT; state++) {
        if (state == REQUEST_SPINNING && t->is_shared)
            continue; /* it is kept by none */
        for (int leases = 0; leases < (may_have_leases(t, state) ? 3 : 1); leases++)
            for (int kind = 0; kind < (t->is_shared ? STEP_NKINDS : STEP_FIRST_SHARED); kind++)
                for (int lease = -1; lease < 2; lease++) {
                    if (!is_of(kind, lease))
                        continue;
                    case_label("%s in state %d with %d leases, of lease %d", store_step_rules[kind].name,
                               state, leases, lease);
                    reach(t, &m, state, leases);
                    give_it(t, &m, (enum store_step_kind)kind, lease);
                }
    }
    t->empty(t);
    case_text[0] = '\0';
}

static void give_twice(struct store_under_test *t, struct model *m, enum store_step_kind kind, int lease)
{
    give_one(t, m, kind, 0, lease);
    give_one(t, m, kind, 0, lease);
}

void store_contract_steps(struct store_under_test *t)
{
    each_step(t, give_twice);
}

static void give_strange(struct store_under_test *t, struct model *m, enum store_step_kind kind, int lease)
{
    t->make_strange(t);
    give_one(t, m, kind, 0, lease);
    t->check_strange(t);
    give_one(t, m, kind, 0, lease);
    t->check_strange(t);
}

void store_contract_strange(struct store_under_test *t)
{
    each_step(t, give_strange);
}

/* ---- check-outs that answer with one lease ---- */

/* An undone lease of "mark-a", which two leases hold. */
static void undo(struct store_under_test *t, struct model *m, enum store_outcome outcome, bool kept,
                 unsigned holders)
{
    static int number = 2; /* the request is not the person's own */
    struct store_steps list = STAILQ_HEAD_INITIALIZER(list);
    struct asked_step a;

    fill(&a, STEP_RELEASE, 0, 0, number += 2);
    a.step.undo = true;
    next_done = &a;
    STAILQ_INSERT_TAIL(&list, &a.step, link);
    assert_int_equal(t->store->ops->steps(t->store, &list), 0);
    while (!a.done)
        t->go_on(t);
    assert_int_equal(a.outcome, outcome);
    assert_int_equal(a.kept, kept);
    if (outcome == STORE_APPLIED) {
        assert_int_equal(a.found, REQUEST_HELD);
        assert_int_equal(a.holders, holders);
    }
    if (outcome == STORE_APPLIED && !kept)
        end_lease(m, &a);
    compare(t, m);
}

void store_contract_repeats(struct store_under_test *t)
{
    static const struct {
        unsigned repeats, undos; /* that leave the lease; the next one ends it */
        bool for_good;           /* it never ends so */
    } cases[] = {{0, 0, false}, {1, 1, false}, {2, 0, true}, {5, 0, true}};
    struct model m;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        case_label("%u repeats", cases[i].repeats);
        reach(t, &m, REQUEST_HELD, 2);
        for (unsigned n = 0; n < cases[i].repeats; n++)
            give_one(t, &m, STEP_REPEAT, 0, 0);
        give_one(t, &m, STEP_AMEND, 0, 0); /* does not change the count */
        give_one(t, &m, STEP_OPEN, 0, 0);  /* ... nor does this one, once more */
        for (unsigned n = 0; n < (cases[i].for_good ? 5 : cases[i].undos); n++)
            undo(t, &m, STORE_APPLIED, true, 2);
        if (!cases[i].for_good) {
            undo(t, &m, STORE_APPLIED, false, 1);
            undo(t, &m, STORE_OTHERWISE, false, 0);
        } else {
            give_one(t, &m, STEP_RELEASE, 0, 0); /* ends it for all */
        }
    }
    reach(t, &m, REQUEST_HELD, 2);
    give_one(t, &m, STEP_REPEAT, 0, 0);
    undo(t, &m, STORE_APPLIED, true, 2);
    give_one(t, &m, STEP_REPEAT, 0, 0); /* counts again */
    undo(t, &m, STORE_APPLIED, true, 2);
    undo(t, &m, STORE_APPLIED, false, 1);
    t->empty(t);
    case_text[0] = '\0';
}

static void edit_in(struct asked_step *a, enum request_state state)
{
    a->step.request.state = state;
    a->step.request.name = state == REQUEST_ASKED ? "" : names[a->mark];
}

/* In place of the lease's own request, where that is another one. */
static void open_instead(struct asked_step *a)
{
    for (int i = 0; i < MARKS; i++)
        if (i != a->mark && strcmp(marks[i], ids[a->lease]) == 0)
            a->instead = i;
    a->step.instead = a->instead < 0 ? "" : marks[a->instead];
}

void store_contract_order(struct store_under_test *t, unsigned seed)
{
    struct asked_step steps[LISTS_MAX];
    struct model m;

    t->empty(t);
    clear(&m);
    for (int round = 0; round < 200; round++) {
        size_t n = 1 + (size_t)rand_r(&seed) % LISTS_MAX;

        case_label("round %d", round);
        for (size_t i = 0; i < n; i++) {
            int kinds = t->is_shared ? STEP_NKINDS : STEP_FIRST_SHARED;
            enum store_step_kind kind = (enum store_step_kind)(rand_r(&seed) % kinds);
            int lease = rand_r(&seed) % IDS;

            if ((kind == STEP_RETURN || kind == STEP_CLOSE || kind == STEP_PEND) && rand_r(&seed) % 2)
                lease = -1;
            if (!is_of((int)kind, lease))
                lease = -1;
            fill(&steps[i], kind, rand_r(&seed) % MARKS, lease, rand_r(&seed) % 1000);
            if (kind == STEP_EDIT)
                edit_in(&steps[i], (enum request_state)(rand_r(&seed) % REQUEST_NSTATES));
            if (kind == STEP_OPEN && rand_r(&seed) % 2)
                open_instead(&steps[i]);
        }
        give(t, &m, steps, n);
    }
    t->empty(t);
    case_text[0] = '\0';
}
