/* SPDX-License-Identifier: Apache-2.0 */
/*
 * release_work.c - leases that end over all gateways; see release_work.h.
 *
 * The steps of one attempt are a list of waits. A step that another gateway was quicker with is REFUSED and
 * counts for nothing. After a fence the whole is done again: what has ended is not found any more.
 *
 * A release of a credential that has ended no lease may mean a request that waits for its approver: it is
 * known by vault user and credential, so the store is asked for it as each user that the session may be at
 * the vault.
 *
 * A session that has ended is finished in the store first (STEP_FINISH), and then its leases and intents are
 * asked for. A check-out at another gateway that had written no intent by then finds the FINISH when it does;
 * one that had has its intent, or the lease that has come of it, among what the question finds.
 *
 * What the session has checked out after the release is not meant. Where the work comes late, after the store
 * was away, such leases are recognised by their time: by that of their vault, since each gateway has a clock
 * of its own.
 */
#include "broker/release_work.h"

#include "base/container_of.h"
#include "base/log.h"
#include "base/person.h"
#include "base/text.h"
#include "broker/identity/usermap.h"
#include "broker/leases/clock_skew.h"
#include "broker/leases/lease_table.h"
#include "broker/leases/leases.h"
#include "broker/leases/pending.h"
#include "broker/leases/rows.h"
#include "broker/leases/shared.h"
#include "stores/store_rows.h"

#include <stdlib.h>
#include <string.h>

#define AGAIN_MS  500
#define ASKING_MS 5000
#define LATE_MS   3000 /* an attempt after this time looks at when leases were made */
#define APART_MS  2000 /* two gateways know the time of a vault no better */

struct work_step {
    struct shared_wait wait;
    struct release_work *work;
    STAILQ_ENTRY(work_step) link;
    struct lease_row *lease; /* NULL = an intent */
    bool is_foreign;         /* it holds another gateway's request */
};

struct release_work {
    LIST_ENTRY(release_work) link; /* broker.works */
    struct broker *broker;
    const struct release_work_class *class;
    void *arg; /* of the class; NULL = its caller has left */
    bool is_waited_for;
    struct store_question question;
    struct request_row *expected; /* of a lease that this gateway has in its table; NULL = none */
    char expected_lease[ID_SIZE]; /* that lease; "" = none */
    bool is_asking, is_fenced, is_found, has_released;
    bool must_finish;    /* the store is not told yet that the session has ended */
    bool is_withdrawing; /* all leases have ended: requests that wait are asked for */
    struct usermap users;
    struct deadline again;
    STAILQ_HEAD(, work_step) steps;
    struct session *session; /* NULL = by lsid or lease */
    char *credential_id;
    char lsid[LSID_TEXT_SIZE], lease_id[ID_SIZE];
    const struct session_end *end;
    const char *why;
    uint64_t begun_ms;
    int64_t moment; /* of the store, then */
};

static void ask(struct release_work *);

static struct store *store_of(const struct release_work *w)
{
    return leases_shared(w->broker->leases);
}

/* ---- begin and end ---- */

static void step_free(struct work_step *s)
{
    shared_unwait(&s->wait);
    STAILQ_REMOVE(&s->work->steps, s, work_step, link);
    free(s->lease);
    free(s);
}

static void work_free(struct release_work *w)
{
    struct work_step *s;

    if (w->is_asking)
        store_of(w)->ops->forget(store_of(w), &w->question);
    while ((s = STAILQ_FIRST(&w->steps)))
        step_free(s);
    timer_unreserve(w->broker->timers, &w->again);
    LIST_REMOVE(w, link);
    w->broker->nworks--;
    free(w->session);
    free(w->credential_id);
    free(w->expected);
    usermap_free(&w->users);
    free(w);
}

void release_work_leave(struct release_work *w)
{
    w->is_waited_for = false;
}

void release_works_free(struct broker *b)
{
    struct release_work *w;

    while ((w = LIST_FIRST(&b->works)))
        work_free(w);
}

size_t release_works_count(const struct broker *b)
{
    return b->nworks;
}

static void finish(struct release_work *w)
{
    const struct release_work_class *class = w->is_waited_for ? w->class : NULL;
    void *arg = w->arg;
    bool found = w->is_found;

    if (!class && clock_now(w->broker->clock) - w->begun_ms > LATE_MS)
        log_info("release_done_late", "session=%s lsid=%s lease=%s", w->session ? w->session->id : NULL,
                 *w->lsid ? w->lsid : NULL, *w->lease_id ? w->lease_id : NULL);
    work_free(w);
    if (class)
        class->done(arg, found);
}

static void ask_in(struct release_work *, uint64_t ms);

static void on_again(struct deadline *d)
{
    struct release_work *w = CONTAINER_OF(d, struct release_work, again);

    if (w->is_asking || !STAILQ_EMPTY(&w->steps))
        ask_in(w, ASKING_MS);
    else
        ask(w);
}

static void ask_in(struct release_work *w, uint64_t ms)
{
    timer_set(w->broker->timers, &w->again, ms, on_again);
}

/* ---- requests that wait for their approver ---- */

/* Without memory they end with their time. */
static bool begin_withdrawing(struct release_work *w)
{
    struct credential_ref ref;
    const struct vault *vault = w->session && w->credential_id && !w->has_released
                                    ? broker_vault_of_credential(w->broker, w->credential_id, &ref)
                                    : NULL;

    w->is_withdrawing = true;
    return vault && usermap_at(vault, w->session, &w->users) == 0 && usermap_user(&w->users);
}

/* All is done that was found: is there another question? */
static bool asks_on(struct release_work *w)
{
    return w->is_withdrawing ? usermap_user(&w->users) && usermap_next(&w->users) : begin_withdrawing(w);
}

/* ---- ending ---- */

static void step_done(struct work_step *s)
{
    struct release_work *w = s->work;

    step_free(s);
    if (!STAILQ_EMPTY(&w->steps))
        return;
    if (w->is_fenced)
        ask_in(w, AGAIN_MS);
    else if (*w->question.cursor || asks_on(w))
        ask(w);
    else
        finish(w);
}

static void on_outcome(struct shared_wait *wait, const struct shared_outcome *outcome)
{
    struct work_step *s = CONTAINER_OF(wait, struct work_step, wait);
    struct release_work *w = s->work;

    w->is_fenced |= outcome->word == SHARED_FENCED;
    if (outcome->word == SHARED_APPLIED && s->lease) {
        w->has_released = true;
        w->broker->releases++;
        w->broker->foreign_releases += s->is_foreign;
        if (w->is_waited_for)
            w->class->ended(w->arg, s->lease, outcome->step->holders, outcome->returned);
    }
    step_done(s);
}

static struct work_step *step_new(struct release_work *w, const struct lease_row *lease)
{
    struct work_step *s = calloc(1, sizeof *s);

    if (!s)
        return NULL;
    *s = (struct work_step){.wait.done = on_outcome, .work = w};
    s->lease = lease ? lease_row_copy(lease) : NULL;
    if (lease && !s->lease) {
        free(s);
        return NULL;
    }
    STAILQ_INSERT_TAIL(&w->steps, s, link);
    return s;
}

/* Whether the step is on its way; one that is not goes. */
static bool is_given(struct work_step *s, bool given)
{
    if (s && !given)
        step_free(s);
    return given;
}

static bool is_late(const struct release_work *w)
{
    return clock_now(w->broker->clock) - w->begun_ms > LATE_MS;
}

/* The release was asked for before it was made. `row`: of its request; NULL = there is none. */
static bool is_newer(const struct release_work *w, const struct holder *h, const struct request_row *row)
{
    struct vault *vault = row ? broker_vault(w->broker, row->vault) : NULL;
    uint64_t ago_ms = clock_now(w->broker->clock) - w->begun_ms;

    return vault && h->created_wall_ms > leases_wall(w->broker->leases, vault) - (int64_t)ago_ms + APART_MS;
}

static bool is_meant(const struct release_work *w, const struct holder *h, const char *id,
                     const struct request_row *row)
{
    if (*w->lease_id)
        return strcmp(id, w->lease_id) == 0;
    if (w->credential_id && strcmp(h->credential, w->credential_id) != 0)
        return false;
    return !is_late(w) || !is_newer(w, h, row);
}

static bool is_over(const struct release_work *w, const struct request_row *r)
{
    struct vault *vault = broker_vault(w->broker, r->vault);

    return r->state != REQUEST_HELD || (vault && leases_wall(w->broker->leases, vault) >= r->expires_wall_ms);
}

static bool is_asker(const struct release_work *w, const struct holder *h)
{
    const struct session *s = w->session;

    return !s || (strcmp(s->id, h->session) == 0 && person_same(s->username, h->username) &&
                  person_same(s->domain ? s->domain : "", h->domain));
}

/* False = out of memory. */
static bool withdraw(struct release_work *w, const struct request_row *row)
{
    struct vault_request *own = row->mine ? pending_marked(w->broker->leases, row->mark) : NULL;

    if (!is_asker(w, &row->asker))
        return true;
    if (own) {
        if (own->state == VR_PENDING)
            pending_withdraw(own);
        return true;
    }
    struct work_step *s = step_new(w, NULL);

    return is_given(s, s && shared_withdraw_row(w->broker->leases, row, &s->wait));
}

/* One whose request has ended with its time is not released. False = out of memory. */
static bool end_found(struct release_work *w, const struct store_found *f)
{
    struct leases *ls = w->broker->leases;
    bool is_intent = !f->lease;
    const struct holder *h = is_intent ? &f->request->asker : &f->lease->holder;

    if (!is_meant(w, h, is_intent ? f->request->mark : f->lease->id, f->request))
        return true;
    w->is_found = true;
    if (is_intent && f->request->state == REQUEST_PENDING)
        return withdraw(w, f->request);
    if (is_intent && (f->request->mine || f->request->state != REQUEST_ASKED))
        return true; /* what is in flight here has been ended */
    if (!is_intent && (!f->request || is_over(w, f->request)))
        return true;
    struct work_step *s = step_new(w, f->lease);

    if (s)
        s->is_foreign = !f->request->mine;
    return is_given(s, s && (is_intent ? shared_cancel_row(ls, f->request, &s->wait)
                                       : shared_release_row(ls, f, w->why, w->end, &s->wait)));
}

static bool is_shown(const struct store_found_list *found, const struct lease *lease)
{
    const struct store_found *f;

    STAILQ_FOREACH(f, found, link)
    if (f->lease && strcmp(f->lease->holder.credential, lease->credential_id) == 0)
        return true;
    return false;
}

/* One of the table. False = out of memory. */
static bool end_own(struct release_work *w, struct lease *lease)
{
    const struct lease_row row = row_of_lease(lease);
    struct work_step *s = step_new(w, &row);

    return is_given(s, s && shared_release_lease(lease, w->why, &s->wait));
}

/* A lease of the table, from before the question, whose row the store does not have: other hands have deleted
 * it, and the lease holds its request still. Of one that another gateway has ended the step is REFUSED. False
 * = out of memory. */
static bool end_unfound(struct release_work *w, const struct store_found_list *found)
{
    struct lease *lease = *w->expected_lease ? lease_by_id(w->broker->leases, w->expected_lease) : NULL;

    if (!lease || lease->state != LEASE_OPEN || is_shown(found, lease))
        return true;
    const struct request_row request = row_of_request(lease->request, REQUEST_HELD);
    const struct lease_row row = row_of_lease(lease);

    return !is_meant(w, &row.holder, row.id, &request) || end_own(w, lease);
}

static void on_answer(struct store_question *q, enum store_answer answer)
{
    struct release_work *w = CONTAINER_OF(q, struct release_work, question);
    const struct store_found *f;
    bool all = true;

    w->is_asking = false;
    if (answer != STORE_OPEN) {
        w->question.cursor[0] = '\0';
        ask_in(w, AGAIN_MS);
        return;
    }
    STAILQ_FOREACH(f, &q->found, link)
    all = end_found(w, f) && all;
    all = end_unfound(w, &q->found) && all;
    if (!all)
        w->is_fenced = true; /* what has no step yet is found once more */
    if (!STAILQ_EMPTY(&w->steps))
        return;
    if (!all)
        ask_in(w, AGAIN_MS);
    else if (*q->cursor || asks_on(w))
        ask_in(w, 0);
    else
        finish(w);
}

/* ---- asking ---- */

static struct holder who_of(const struct release_work *w)
{
    static const struct session none = {.username = "", .id = ""};
    const struct session *s = w->session ? w->session : &none;

    return (struct holder){.username = s->username,
                           .domain = s->domain ? s->domain : "",
                           .session = s->id ? s->id : "",
                           .lsid = w->lsid,
                           .credential = w->credential_id ? w->credential_id : "",
                           .system = "",
                           .account = ""};
}

static void on_finished(struct shared_wait *wait, const struct shared_outcome *outcome)
{
    struct work_step *s = CONTAINER_OF(wait, struct work_step, wait);
    struct release_work *w = s->work;

    w->must_finish = outcome->word == SHARED_FENCED;
    step_free(s);
    ask_in(w, w->must_finish ? AGAIN_MS : 0);
}

static void finish_session(struct release_work *w)
{
    const struct holder who = who_of(w);
    const struct shared_over over = {.who = &who, .ms = w->begun_ms, .moment = w->moment};
    struct work_step *s = step_new(w, NULL);

    if (s)
        s->wait.done = on_finished;
    if (!is_given(s, s && shared_finish(w->broker->leases, &over, &s->wait)))
        ask_in(w, AGAIN_MS);
}

/* One of the table is found without a question. */
static bool end_known(struct release_work *w)
{
    struct lease *lease = *w->lease_id ? lease_by_id(w->broker->leases, w->lease_id) : NULL;

    if (!lease || lease->state != LEASE_OPEN)
        return false;
    w->is_found = true;
    return end_own(w, lease);
}

static enum store_question_kind kind_of(const struct release_work *w)
{
    if (w->is_withdrawing)
        return QUESTION_WAITING;
    return w->session ? QUESTION_SESSION : *w->lsid ? QUESTION_LSID : QUESTION_LIST;
}

/* The vault request of a lease of the session that is meant. Without memory the store reads it later. */
static struct request_row *expect(struct release_work *w)
{
    struct session_leases *probe = w->session ? session_leases_probe(w->session) : NULL;
    const struct session_leases *s = probe ? session_leases_find(w->broker->leases, probe) : NULL;
    const struct lease *lease = s ? SLIST_FIRST(&s->leases) : NULL;
    struct request_row *found = NULL;

    while (lease && w->credential_id && strcmp(lease->credential_id, w->credential_id) != 0)
        lease = SLIST_NEXT(lease, of_session);
    if (lease) {
        const struct request_row row = row_of_request(lease->request, REQUEST_HELD);

        memcpy(w->expected_lease, lease->id, ID_SIZE);
        found = request_row_copy(&row);
    }
    free(probe);
    return found;
}

static void ask(struct release_work *w)
{
    char cursor[STORE_CURSOR_SIZE];

    if (w->must_finish) {
        finish_session(w);
        return;
    }
    if (end_known(w))
        return;

    memcpy(cursor, w->question.cursor, sizeof cursor);
    w->is_fenced = false;
    free(w->expected);
    w->expected_lease[0] = '\0';
    w->expected = kind_of(w) == QUESTION_SESSION ? expect(w) : NULL;
    w->question = (struct store_question){.kind = kind_of(w),
                                          .until_ms = clock_now(w->broker->clock) + ASKING_MS,
                                          .who = who_of(w),
                                          .user = usermap_user(&w->users),
                                          .expected = w->expected,
                                          .node = "",
                                          .limit = STORE_LIST_MAX,
                                          .done = on_answer};
    memcpy(w->question.cursor, cursor, sizeof cursor);
    ask_in(w, 2 * ASKING_MS);
    w->is_asking = store_of(w)->ops->ask(store_of(w), &w->question) == 0;
    if (!w->is_asking)
        ask_in(w, AGAIN_MS);
}

static bool copy_args(struct release_work *w, const struct release_work_args *args)
{
    w->session = args->session ? session_copy(args->session) : NULL;
    w->credential_id = args->credential_id ? strdup(args->credential_id) : NULL;
    (void)text_copy(w->lsid, sizeof(w->lsid), args->lsid ? args->lsid : "");
    (void)text_copy(w->lease_id, sizeof(w->lease_id), args->lease_id ? args->lease_id : "");
    return (w->session || !args->session) && (w->credential_id || !args->credential_id);
}

struct release_work *release_work_new(struct broker *b, const struct release_work_args *args,
                                      const struct release_work_class *class, void *arg)
{
    struct release_work *w = b->nworks < RELEASE_WORKS_MAX ? calloc(1, sizeof *w) : NULL;

    if (!w)
        return NULL;
    *w = (struct release_work){.broker = b,
                               .class = class,
                               .arg = arg,
                               .is_waited_for = class != NULL,
                               .end = args->end,
                               .must_finish = args->is_over,
                               .why = args->why,
                               .begun_ms = clock_now(b->clock),
                               .moment = leases_shared(b->leases)->ops->moment(leases_shared(b->leases))};
    STAILQ_INIT(&w->steps);
    LIST_INSERT_HEAD(&b->works, w, link);
    b->nworks++;
    if (!copy_args(w, args) || timer_reserve(b->timers, &w->again)) {
        work_free(w);
        return NULL;
    }
    ask_in(w, 0);
    return w;
}

bool release_works_cover(const struct broker *b, const struct session *session, const char *credential_id)
{
    const struct release_work *w;

    LIST_FOREACH(w, &b->works, link)
    if (w->session && strcmp(w->session->id, session->id) == 0 &&
        person_same(w->session->username, session->username) &&
        person_same(w->session->domain ? w->session->domain : "", session->domain ? session->domain : "") &&
        (!w->credential_id || strcmp(w->credential_id, credential_id) == 0))
        return true;
    return false;
}
