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
    int64_t cursor_ms;
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

static bool is_expected(const struct model *m, const struct asked_step *a)
{
    int state = m->state[a->mark];

    switch (a->step.kind) {
    case STEP_ASK: return state == ABSENT;
    case STEP_OPEN: return state == REQUEST_ASKED || state == REQUEST_HELD || state == REQUEST_PENDING;
    case STEP_PEND: return state == REQUEST_HELD && !others_hold(m, a);
    case STEP_EDIT: return state == (int)a->step.request.state;
    case STEP_RETURN: return state != ABSENT && state != REQUEST_LAPSED && !others_hold(m, a);
    case STEP_LAPSE: return state == REQUEST_RETURNING && !leases_of(m, a->mark);
    case STEP_CLOSE: return state == ABSENT || !others_hold(m, a);
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
    (void)snprintf(m->text[a->mark], sizeof m->text[0], "%s", a->text);
}

static void hold(struct model *m, const struct asked_step *a)
{
    m->leased[a->mark][a->lease] = true;
    (void)snprintf(m->lsid[a->mark][a->lease], sizeof m->lsid[0][0], "%s", a->text);
    if (a->instead >= 0 && m->state[a->instead] == REQUEST_ASKED)
        m->state[a->instead] = ABSENT;
}

/* What the step makes of the rows, and its outcome. */
static enum store_outcome apply(struct model *m, struct asked_step *a)
{
    a->found_expected = m->state[a->mark];
    if (!is_expected(m, a))
        return STORE_OTHERWISE;
    switch (a->step.kind) {
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
    case STEP_LAPSE: describe(m, a, REQUEST_LAPSED); break;
    case STEP_CLOSE:
        end_lease(m, a);
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

static void compare(struct store_under_test *t, const struct model *want)
{
    static const struct store_reader reader = {on_request, on_lease, on_cursor};
    struct model have;

    clear(&have);
    assert_int_equal(t->load ? t->load(t, &reader, &have) : t->store->ops->load(t->store, &reader, &have), 0);
    assert_int_equal(have.cursor_ms, want->cursor_ms);
    for (int i = 0; i < MARKS; i++) {
        assert_int_equal(have.state[i], want->state[i]);
        if (want->state[i] != ABSENT)
            assert_string_equal(have.text[i], want->text[i]);
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
    if (step->now)
        assert_string_equal(step->now->mark, marks[a->mark]);
}

/* Each text and number of the row follows from `number`. */
static void fill(struct asked_step *a, enum store_step_kind kind, int mark, int lease, int number)
{
    *a = (struct asked_step){.mark = mark, .lease = lease, .instead = -1};
    (void)snprintf(a->text, sizeof a->text, "n%d", number);
    a->step = (struct store_step){
        .kind = kind,
        .request = {.mark = marks[mark],
                    .state = kind == STEP_ASK      ? REQUEST_ASKED
                             : kind == STEP_RETURN ? REQUEST_RETURNING
                             : kind == STEP_LAPSE  ? REQUEST_LAPSED
                             : kind == STEP_PEND   ? REQUEST_PENDING
                                                   : REQUEST_HELD,
                    .vault = "safe",
                    .url = a->text,
                    .user = "ACME\\mrivera",
                    .name = kind == STEP_ASK ? "" : names[mark],
                    .adopted = number % 2,
                    .expires_wall_ms = number,
                    .attempts = number + 1,
                    .next_wall_ms = number + 2,
                    .last_error = a->text,
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

    if (a->step.kind == STEP_OPEN)
        return !is_open_elsewhere(m, a->lease, a->mark);
    if (a->step.kind != STEP_ASK)
        return true;
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

/* Gives the steps as one list, and lets them happen in the model. Those that may not be given are left out.
 */
static void give(struct store_under_test *t, struct model *m, struct asked_step *steps, size_t n)
{
    struct store_steps list = STAILQ_HEAD_INITIALIZER(list);
    struct asked_step *last = NULL;
    struct store_state state;

    for (size_t i = 0; i < n; i++) {
        if (!may_be_given(t, m, &steps[i]))
            continue;
        if (last)
            last->next = &steps[i];
        else
            next_done = &steps[i];
        last = &steps[i];
        last->expected = apply(m, last);
        STAILQ_INSERT_TAIL(&list, &last->step, link);
    }
    if (!last)
        return;
    assert_int_equal(t->store->ops->steps(t->store, &list), 0);
    assert_int_equal(next_done->done, 0); /* never before the call has returned */
    while (!last->done)
        t->go_on(t);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(steps[i].outcome, steps[i].expected);
        if (steps[i].done && steps[i].expected == STORE_OTHERWISE && can_be_found(t, &steps[i]))
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

    fill(&a, kind, mark, lease, number++);
    give(t, m, &a, 1);
}

/* "mark-a" in the state, held by the first `leases` ids. A request that leases hold is HELD. */
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
    if (state == REQUEST_RETURNING || state == REQUEST_LAPSED)
        give_one(t, m, STEP_RETURN, 0, -1);
    if (state == REQUEST_LAPSED)
        give_one(t, m, STEP_LAPSE, 0, -1);
    assert_int_equal(m->state[0], state);
}

void store_contract_steps(struct store_under_test *t)
{
    struct model m;

    for (int state = 0; state <= ABSENT; state++)
        for (int leases = 0; leases < (state == REQUEST_HELD ? 3 : 1); leases++)
            for (int kind = 0; kind < STEP_FIRST_SHARED; kind++)
                for (int lease = -1; lease < 2; lease++) {
                    bool needs = kind == STEP_OPEN || kind == STEP_AMEND || kind == STEP_LEAVE;

                    if (needs && lease < 0)
                        continue;
                    case_label("%s in state %d with %d leases, of lease %d", store_step_rules[kind].name,
                               state, leases, lease);
                    reach(t, &m, state, leases);
                    give_one(t, &m, (enum store_step_kind)kind, 0, lease);
                    give_one(t, &m, (enum store_step_kind)kind, 0, lease); /* again */
                }
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
            enum store_step_kind kind = (enum store_step_kind)(rand_r(&seed) % STEP_FIRST_SHARED);
            int lease = rand_r(&seed) % IDS;

            if ((kind == STEP_RETURN || kind == STEP_CLOSE || kind == STEP_PEND) && rand_r(&seed) % 2)
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
