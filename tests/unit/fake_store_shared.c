/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fake_store_shared.c - the fake store of several gateways: what a shared store does besides
 * (stores/store.h).
 *
 * Rows are the first gateway's arrays. A request is found by its mark, as in the store of one gateway, and by
 * vault and name where another gateway may have its row.
 */
#include "fake_store.h"

#include "base/lsid.h"
#include "base/person.h"
#include "check.h"
#include "stores/store_rows.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FRESH_MS 2000

/* ---- rows ---- */

static bool is_mine(const struct fake_store *fs, const struct request_row *r)
{
    return !fs->node.fenced && strcmp(r->owner, fs->node.owner) == 0;
}

/* As this gateway reads it. */
static struct request_row *shown(const struct fake_store *fs, const struct request_row *r)
{
    struct request_row *copy = r ? request_row_copy(r) : NULL;

    if (copy)
        copy->mine = is_mine(fs, r);
    return copy;
}

static bool is_same_name(const struct request_row *a, const struct request_row *b)
{
    return *b->name && strcmp(a->vault, b->vault) == 0 && strcmp(a->name, b->name) == 0;
}

/* By vault and name; NULL = none. */
static struct request_row **find_name(struct fake_store *rows, const struct request_row *r)
{
    for (size_t i = 0; i < FAKE_STORE_ROWS; i++)
        if (rows->requests[i] && is_same_name(rows->requests[i], r))
            return &rows->requests[i];
    return NULL;
}

/* The row of the vault request that the step names, whoever has made it. */
static struct request_row **find_named(struct fake_store *rows, const struct request_row *r)
{
    struct request_row **at = find_name(rows, r);

    return at ? at : fake_find_request(rows, r->mark);
}

static bool is_of_session(const struct holder *a, const struct holder *b)
{
    return person_same(a->username, b->username) && person_same(a->domain, b->domain) &&
           strcmp(a->session, b->session) == 0;
}

static struct lease_row *lease_of_session(struct fake_store *rows, const struct holder *h)
{
    for (size_t i = 0; i < FAKE_STORE_ROWS; i++)
        if (rows->leases[i] && is_of_session(&rows->leases[i]->holder, h) &&
            strcmp(rows->leases[i]->holder.credential, h->credential) == 0)
            return rows->leases[i];
    return NULL;
}

static unsigned count_holders(struct fake_store *rows, const char *mark)
{
    unsigned n = 0;

    for (size_t i = 0; i < FAKE_STORE_ROWS; i++)
        n += rows->leases[i] && strcmp(rows->leases[i]->request, mark) == 0;
    return n;
}

static void drop_request(struct request_row **at)
{
    free(*at);
    *at = NULL;
}

static void drop_lease(struct lease_row **at)
{
    free(*at);
    *at = NULL;
}

static struct fake_store *store_of_owner(const struct fake_store *fs, const char *owner)
{
    const struct fake_node *first = &fs->node.rows->node;

    for (size_t i = 0; i < FAKE_STORE_MEMBERS; i++)
        if (first->nodes[i] && strcmp(first->nodes[i]->node.owner, owner) == 0)
            return first->nodes[i];
    return NULL;
}

static void touch(const struct fake_store *fs, const struct request_row *r)
{
    struct fake_store *owner = is_mine(fs, r) ? NULL : store_of_owner(fs, r->owner);

    if (owner && owner->node.news && owner->node.news->touched)
        owner->node.news->touched(owner->node.news_arg, r->mark);
}

/* ---- steps ---- */

static enum store_outcome otherwise(const struct fake_store *fs, struct store_step *step,
                                    struct request_row **at)
{
    step->now = at ? shown(fs, *at) : NULL;
    return STORE_OTHERWISE;
}

/* The session has another lease of the credential. */
static bool is_taken(struct fake_store *fs, struct store_step *step, const struct holder *h, const char *id)
{
    struct lease_row *has = lease_of_session(fs->node.rows, h);

    if (!has || strcmp(has->id, id) == 0)
        return false;
    step->lease_now = lease_row_copy(has);
    (void)otherwise(fs, step, fake_find_request(fs->node.rows, has->request));
    return true;
}

/* The request that waits for its approver. */
static struct request_row *find_waiting(const struct fake_store *rows, const char *user,
                                        const char *credential)
{
    for (size_t i = 0; i < FAKE_STORE_ROWS; i++) {
        struct request_row *r = rows->requests[i];

        if (r && r->state == REQUEST_PENDING && person_same(r->user, user) &&
            strcmp(r->asker.credential, credential) == 0)
            return r;
    }
    return NULL;
}

/* Its session has ended meanwhile, or it has gone. */
static bool is_instead_over(struct fake_store *rows, struct store_step *step)
{
    struct request_row **at = *step->instead ? fake_find_request(rows, step->instead) : NULL;
    bool holds = fake_find_lease(rows, NULL, step->lease.id) != NULL;

    step->cancelled = at && (*at)->cancelled;
    return *step->instead && !holds && (!at || (*at)->state != REQUEST_ASKED || step->cancelled);
}

/* One that waits, or that leases hold. `is_own`: as the step describes it. False = as in the store of one
 * gateway. */
static bool apply_open_known(struct fake_store *fs, struct store_step *step, struct request_row **at,
                             bool is_own, enum store_outcome *outcome)
{
    struct fake_store *rows = fs->node.rows;
    struct lease_row lease = step->lease;

    if ((*at)->state != REQUEST_HELD && (*at)->state != REQUEST_PENDING)
        return false;
    if (is_instead_over(rows, step) || (is_own && !is_mine(fs, *at))) {
        (void)otherwise(fs, step, at);
        return true;
    }
    if (is_own)
        return false;
    touch(fs, *at);
    if ((*at)->state == REQUEST_PENDING)
        fake_update_request(rows, *at, &step->request);
    at = find_named(rows, &step->request);
    lease.request = (*at)->mark;
    fake_store_put_lease(rows, &lease);
    if (*step->instead && fake_find_request(rows, step->instead))
        drop_request(fake_find_request(rows, step->instead));
    step->now = shown(fs, *at);
    *outcome = STORE_APPLIED;
    return true;
}

static bool apply_open(struct fake_store *fs, struct store_step *step, bool is_own,
                       enum store_outcome *outcome)
{
    struct fake_store *rows = fs->node.rows;
    struct request_row **own = fake_find_request(rows, step->request.mark);
    struct request_row **there = find_named(rows, &step->request);

    *outcome = STORE_OTHERWISE;
    if (is_taken(fs, step, &step->lease.holder, step->lease.id))
        return true;
    if (own && (*own)->state != REQUEST_ASKED)
        return apply_open_known(fs, step, own, is_own, outcome);
    if (!own)
        return false;
    bool is_other = there && there != own, cancelled = (*own)->cancelled;

    if (*step->instead)
        (void)is_instead_over(rows, step);
    else
        step->cancelled = cancelled;
    if (cancelled || (!is_other && step->reused) || (is_other && (*there)->state != REQUEST_HELD)) {
        (void)otherwise(fs, step, there);
        return true;
    }
    if (!is_other)
        return false;
    struct lease_row lease = step->lease;

    lease.request = (*there)->mark;
    fake_store_put_lease(rows, &lease);
    drop_request(own);
    step->now = shown(fs, *there);
    *outcome = STORE_APPLIED;
    return true;
}

static enum store_outcome apply_release(struct fake_store *fs, struct store_step *step)
{
    struct fake_store *rows = fs->node.rows;
    struct request_row **at = find_named(rows, &step->request);
    struct lease_row **lease = fake_find_lease(rows, NULL, step->lease.id);

    if (!lease || !at || strcmp((*lease)->request, (*at)->mark) != 0) {
        enum store_outcome outcome = otherwise(fs, step, at);

        return fs->node.forgets ? STORE_APPLIED : outcome;
    }
    if (step->undo && (*lease)->answers != ANSWERS_ONE) {
        step->kept = true;
        step->now = shown(fs, *at);
        step->holders = count_holders(rows, (*at)->mark);
        if ((*lease)->answers == ANSWERS_TWO)
            (*lease)->answers = ANSWERS_ONE;
        return STORE_APPLIED;
    }
    drop_lease(lease);
    step->holders = count_holders(rows, (*at)->mark);
    touch(fs, *at);
    if (!step->holders && (*at)->state == REQUEST_HELD) {
        if (step->request.state == REQUEST_PENDING &&
            find_waiting(rows, (*at)->user, (*at)->asker.credential))
            step->request.state = REQUEST_RETURNING;
        if ((*at)->adopted || !*(*at)->name)
            drop_request(at);
        else
            fake_update_request(rows, *at, &step->request);
    }
    step->now = shown(fs, *at);
    return STORE_APPLIED;
}

static enum store_outcome apply_end(struct fake_store *fs, struct store_step *step)
{
    struct request_row **at = find_named(fs->node.rows, &step->request);

    if (!at || (*at)->state != REQUEST_HELD)
        return otherwise(fs, step, at);
    touch(fs, *at);
    fake_update_request(fs->node.rows, *at, &step->request);
    step->now = shown(fs, *at);
    return STORE_APPLIED;
}

static enum store_outcome apply_cancel(struct fake_store *fs, struct store_step *step)
{
    struct request_row **at = fake_find_request(fs->node.rows, step->request.mark);

    if (!at || (*at)->state != REQUEST_ASKED || (*at)->cancelled)
        return otherwise(fs, step, at);
    struct request_row row = step->request;

    row.state = REQUEST_ASKED;
    row.owner = (*at)->owner;
    touch(fs, *at);
    fake_update_request(fs->node.rows, *at, &row);
    (*at)->cancelled = true;
    return STORE_APPLIED;
}

static enum store_outcome apply_clear(struct fake_store *fs, struct store_step *step)
{
    struct fake_store *rows = fs->node.rows;
    struct lease_row **lease = fake_find_lease(rows, NULL, step->lease.id);
    struct request_row **at =
        lease ? fake_find_request(rows, (*lease)->request) : find_named(rows, &step->request);

    if (!lease || (at && (*at)->state != REQUEST_RETURNING && (*at)->state != REQUEST_LAPSED))
        return otherwise(fs, step, at);
    drop_lease(lease);
    return STORE_APPLIED;
}

static enum store_outcome apply_repeat(struct fake_store *fs, struct store_step *step)
{
    struct fake_store *rows = fs->node.rows;
    struct lease_row **lease = fake_find_lease(rows, NULL, step->lease.id);
    struct request_row **at = find_named(rows, &step->request);

    if (!lease || !at || (*at)->state != REQUEST_HELD || strcmp((*lease)->request, (*at)->mark) != 0)
        return otherwise(fs, step, at);
    (*lease)->answers = (*lease)->answers == ANSWERS_ONE ? ANSWERS_TWO : ANSWERS_MANY;
    return STORE_APPLIED;
}

/* Of a RETURNING request the leases go along. */
static void drop_leases(struct fake_store *fs, const struct store_step *step, const char *mark)
{
    struct lease_row **all = fs->node.rows->leases;

    for (size_t i = 0; i < FAKE_STORE_ROWS; i++) {
        if (!all[i] || strcmp(all[i]->request, mark) != 0)
            continue;
        if (fs->node.news && fs->node.news->closed)
            fs->node.news->closed(fs->node.news_arg, &step->request, all[i]);
        drop_lease(&all[i]);
    }
}

/* The rest is as in the store of one gateway. */
static bool apply_close(struct fake_store *fs, const struct store_step *step)
{
    struct fake_store *rows = fs->node.rows;
    struct request_row **at = find_named(rows, &step->request);

    if (!at || (*at)->state != REQUEST_RETURNING)
        return false;
    touch(fs, *at);
    drop_leases(fs, step, (*at)->mark);
    drop_request(at);
    return true;
}

/* Its leases alone go here. */
static bool apply_lapse(struct fake_store *fs, const struct store_step *step)
{
    struct request_row **at = find_named(fs->node.rows, &step->request);

    if (at && (*at)->state == REQUEST_RETURNING)
        drop_leases(fs, step, (*at)->mark);
    return false;
}

/* An ASKED request that others hold by its name: theirs stays. */
static bool apply_return(struct fake_store *fs, struct store_step *step)
{
    struct fake_store *rows = fs->node.rows;
    struct request_row **own = fake_find_request(rows, step->request.mark);
    struct request_row **there = find_named(rows, &step->request);

    if (own && (*own)->state == REQUEST_PENDING)
        touch(fs, *own);
    if (own && (*own)->state == REQUEST_RETURNING) {
        fake_update_request(rows, *own, &step->request);
        struct lease_row **lease = fake_find_lease(rows, (*own)->mark, step->lease.id);

        if (lease)
            drop_lease(lease);
        return true;
    }
    if (!own || !there || own == there || (*own)->state != REQUEST_ASKED)
        return false;
    drop_request(own);
    step->now = shown(fs, *there);
    return true;
}

static bool is_finish_of(const struct fake_finish *f, const struct holder *h, bool by_lsid)
{
    if (by_lsid)
        return *f->lsid && lsid_same(f->lsid, h->lsid);
    return *f->session && person_same(f->username, h->username) && person_same(f->domain, h->domain) &&
           strcmp(f->session, h->session) == 0;
}

static struct fake_finish *find_finish(struct fake_store *rows, const struct holder *h, bool by_lsid)
{
    for (size_t i = 0; i < rows->node.nfinishes; i++)
        if (is_finish_of(&rows->node.finishes[i], h, by_lsid))
            return &rows->node.finishes[i];
    return NULL;
}

/* The session of the check-out has ended since. */
static bool is_finished(struct fake_store *fs, struct store_step *step)
{
    bool is = false;

    for (int by_lsid = 0; step->since && by_lsid < STORE_FINISHES; by_lsid++) {
        const struct fake_finish *f = find_finish(fs->node.rows, &step->request.asker, by_lsid);

        if (!f || f->moment <= step->since)
            continue;
        step->finishes[by_lsid] = (struct store_finish){f->moment, f->ago_ms};
        is = true;
    }
    return is;
}

static enum store_outcome apply_finish(struct fake_store *fs, const struct store_step *step)
{
    struct fake_node *node = &fs->node.rows->node;
    const struct holder *h = &step->request.asker;
    bool by_lsid = !*h->session;
    struct fake_finish *f = find_finish(fs->node.rows, h, by_lsid);
    bool is_after = f && f->moment > step->since;

    if (!f && node->nfinishes == FAKE_STORE_FINISHES)
        abort();
    f = f ? f : &node->finishes[node->nfinishes++];
    *f = (struct fake_finish){.moment = node->moment + 1,
                              .ago_ms = is_after ? 0 : clock_now(fs->clock) - step->over_ms};
    if (by_lsid) {
        (void)snprintf(f->lsid, sizeof f->lsid, "%s", h->lsid);
        return STORE_APPLIED;
    }
    (void)snprintf(f->username, sizeof f->username, "%s", h->username);
    (void)snprintf(f->domain, sizeof f->domain, "%s", h->domain);
    (void)snprintf(f->session, sizeof f->session, "%s", h->session);
    return STORE_APPLIED;
}

/* By its session; or, one that was found at the vault, by its name. */
static bool is_asked_already(struct fake_store *fs, struct store_step *step)
{
    if (step->request.state == REQUEST_ASKED) {
        bool finished = is_finished(fs, step);

        if (is_taken(fs, step, &step->request.asker, "") || finished)
            return true;
        if (!fake_find_request(fs->node.rows, step->request.mark))
            step->now =
                shown(fs, find_waiting(fs->node.rows, step->request.user, step->request.asker.credential));
        return false;
    }
    struct request_row **there = find_named(fs->node.rows, &step->request);

    if (there)
        (void)otherwise(fs, step, there);
    return there != NULL;
}

static bool is_cancelled(struct fake_store *fs, struct store_step *step)
{
    struct request_row **at = fake_find_request(fs->node.rows, step->request.mark);

    if (!at || (*at)->state != REQUEST_ASKED || !(*at)->cancelled)
        return false;
    (void)otherwise(fs, step, at);
    return true;
}

static bool decide(struct fake_store *fs, struct store_step *step, bool is_own, enum store_outcome *outcome)
{
    *outcome = STORE_APPLIED;
    switch (step->kind) {
    case STEP_ASK: *outcome = STORE_OTHERWISE; return is_asked_already(fs, step);
    case STEP_OPEN: return apply_open(fs, step, is_own, outcome);
    case STEP_EDIT: *outcome = STORE_OTHERWISE; return is_cancelled(fs, step);
    case STEP_RETURN: return apply_return(fs, step);
    case STEP_CLOSE: return apply_close(fs, step);
    case STEP_LAPSE: return apply_lapse(fs, step);
    case STEP_RELEASE: *outcome = apply_release(fs, step); return true;
    case STEP_END: *outcome = apply_end(fs, step); return true;
    case STEP_CANCEL: *outcome = apply_cancel(fs, step); return true;
    case STEP_CLEAR: *outcome = apply_clear(fs, step); return true;
    case STEP_REPEAT: *outcome = apply_repeat(fs, step); return true;
    case STEP_FINISH: *outcome = apply_finish(fs, step); return true;
    case STEP_SPIN:
    case STEP_AGAIN:
        *outcome = otherwise(fs, step, fake_find_request(fs->node.rows, step->request.mark));
        return true;
    default: return false;
    }
}

bool fake_shared_apply(struct fake_store *fs, struct store_step *step, enum store_outcome *outcome)
{
    const char *owner = step->request.owner ? step->request.owner : "";
    bool is_own = !*owner || strcmp(owner, fs->node.owner) == 0;

    step->request.owner = fs->node.owner;
    step->sent_ms = clock_now(fs->clock);
    step->cancelled = false;
    step->holders = 0;
    step->kept = false;
    memset(step->finishes, 0, sizeof step->finishes);
    bool decided = decide(fs, step, is_own, outcome);

    step->moment = ++fs->node.rows->node.moment;
    return decided;
}

/* ---- questions ---- */

static void found(const struct fake_store *fs, struct store_question *q, const struct request_row *r,
                  const struct lease_row *l)
{
    struct store_found *f = calloc(1, sizeof *f);

    if (!f)
        abort();
    f->request = shown(fs, r);
    f->lease = l ? lease_row_copy(l) : NULL;
    STAILQ_INSERT_TAIL(&q->found, f, link);
}

static const struct request_row *request_of(struct fake_store *rows, const struct lease_row *l)
{
    struct request_row **at = fake_find_request(rows, l->request);

    return at ? *at : NULL;
}

static enum store_answer answer_confirm(struct fake_store *fs, struct store_question *q)
{
    const struct lease_row *l = lease_of_session(fs->node.rows, &q->who);
    const struct request_row *r = l ? request_of(fs->node.rows, l) : NULL;

    if (l)
        found(fs, q, r, l);
    return l && r && r->state == REQUEST_HELD && strcmp(l->id, q->lease) == 0 ? STORE_OPEN : STORE_OVER;
}

static bool is_asked_for(const struct store_question *q, const struct holder *h)
{
    return q->kind == QUESTION_LSID ? lsid_same(h->lsid, q->who.lsid) : is_of_session(h, &q->who);
}

static void answer_session(struct fake_store *fs, struct store_question *q)
{
    struct fake_store *rows = fs->node.rows;

    for (size_t i = 0; i < FAKE_STORE_ROWS; i++)
        if (rows->leases[i] && is_asked_for(q, &rows->leases[i]->holder))
            found(fs, q, request_of(rows, rows->leases[i]), rows->leases[i]);
    for (size_t i = 0; i < FAKE_STORE_ROWS; i++)
        if (rows->requests[i] && rows->requests[i]->state == REQUEST_ASKED &&
            is_asked_for(q, &rows->requests[i]->asker))
            found(fs, q, rows->requests[i], NULL);
}

static void found_with_holders(const struct fake_store *fs, struct store_question *q,
                               const struct request_row *r)
{
    struct fake_store *rows = fs->node.rows;
    size_t n = 0;

    for (size_t i = 0; i < FAKE_STORE_ROWS; i++)
        if (rows->leases[i] && strcmp(rows->leases[i]->request, r->mark) == 0) {
            found(fs, q, r, rows->leases[i]);
            n++;
        }
    if (!n)
        found(fs, q, r, NULL);
}

/* One without a name by its mark. What is asked for has none yet, and is not found by its own mark. */
static void answer_request(struct fake_store *fs, struct store_question *q)
{
    const struct request_row row = {.mark = q->mark ? q->mark : "", .vault = q->vault, .name = q->name};
    struct request_row **at =
        *row.name ? find_name(fs->node.rows, &row) : fake_find_request(fs->node.rows, row.mark);

    if (at && (*at)->state != REQUEST_ASKED)
        found_with_holders(fs, q, *at);
}

static void answer_waiting(struct fake_store *fs, struct store_question *q)
{
    const struct request_row *r = find_waiting(fs->node.rows, q->user, q->who.credential);

    if (r)
        found(fs, q, r, NULL);
}

static void answer_mark(struct fake_store *fs, struct store_question *q)
{
    struct request_row **at = fake_find_request(fs->node.rows, q->mark);

    if (at && (*at)->state == REQUEST_ASKED)
        found(fs, q, *at, NULL);
}

/* The cursor is the place in the array. */
static void answer_list(struct fake_store *fs, struct store_question *q)
{
    size_t i = (size_t)strtoul(q->cursor, NULL, 10), n = 0, len = strlen(q->node);

    for (q->cursor[0] = '\0'; i < FAKE_STORE_ROWS; i++) {
        const struct request_row *r = fs->node.rows->requests[i];

        if (!r || (len && (strncmp(r->owner, q->node, len) != 0 || r->owner[len] != '@')))
            continue;
        if (n++ == q->limit) {
            (void)snprintf(q->cursor, sizeof q->cursor, "%zu", i);
            return;
        }
        found_with_holders(fs, q, r);
    }
}

static enum store_answer answer(struct fake_store *fs, struct store_question *q)
{
    if (fs->broken)
        return STORE_NONE;
    if (fs->node.fenced)
        return STORE_FENCED;
    switch (q->kind) {
    case QUESTION_CONFIRM: return answer_confirm(fs, q);
    case QUESTION_SESSION:
    case QUESTION_LSID: answer_session(fs, q); break;
    case QUESTION_REQUEST: answer_request(fs, q); break;
    case QUESTION_WAITING: answer_waiting(fs, q); break;
    case QUESTION_MARK: answer_mark(fs, q); break;
    case QUESTION_LIST: answer_list(fs, q); break;
    case QUESTION_MOMENT: break;
    }
    return STORE_OPEN;
}

static void answer_question(struct fake_store *fs, struct store_question *q)
{
    struct store_found_list all = STAILQ_HEAD_INITIALIZER(all);
    struct store_found *f;
    enum store_answer said = answer(fs, q);

    q->sent_ms = clock_now(fs->clock);
    q->moment = fs->node.rows->node.moment;
    all = q->found;
    q->private = NULL;
    q->done(q, said); /* may free it */
    while ((f = STAILQ_FIRST(&all))) {
        STAILQ_REMOVE_HEAD(&all, link);
        free(f->request);
        free(f->lease);
        free(f);
    }
}

static int fake_ask(struct store *s, struct store_question *q)
{
    struct fake_store *fs = (struct fake_store *)s;

    if (fs->node.nquestions == FAKE_STORE_QUESTIONS)
        abort();
    STAILQ_INIT(&q->found);
    q->private = fs;
    fs->node.questions[fs->node.nquestions++] = q;
    fs->node.asked++;
    return 0;
}

static void fake_forget(struct store *s, struct store_question *q)
{
    struct fake_node *node = &((struct fake_store *)s)->node;
    size_t i = 0;

    while (i < node->nquestions && node->questions[i] != q)
        i++;
    if (i == node->nquestions)
        return;
    node->nquestions--;
    memmove(&node->questions[i], &node->questions[i + 1], (node->nquestions - i) * sizeof node->questions[0]);
    q->private = NULL;
}

/* ---- members ---- */

/* The others of the cluster, as the gateway sees them. */
static void list_members(struct fake_store *fs)
{
    struct fake_node *node = &fs->node;

    node->cluster.config_digest = node->config_digest;
    node->cluster.members = node->members;
    node->cluster.nmembers = 0;
    for (size_t i = 0; i < FAKE_STORE_MEMBERS; i++) {
        const struct fake_store *other = node->rows->node.nodes[i];
        struct store_member *m = &node->members[node->cluster.nmembers];

        if (!other || other == fs || other->node.fenced)
            continue;
        *m = (struct store_member){.epoch = other->node.cluster.epoch};
        (void)snprintf(m->node, sizeof m->node, "%s", other->node.cluster.node);
        memcpy(m->config_digest, other->node.config_digest, sizeof m->config_digest);
        node->cluster.nmembers++;
    }
}

static void list_all_members(const struct fake_store *fs)
{
    for (size_t i = 0; i < FAKE_STORE_MEMBERS; i++)
        if (fs->node.rows->node.nodes[i])
            list_members(fs->node.rows->node.nodes[i]);
}

static void add_node(struct fake_store *fs)
{
    struct fake_store **nodes = fs->node.rows->node.nodes;
    size_t i = 0;

    while (i < FAKE_STORE_MEMBERS && nodes[i])
        i++;
    if (i == FAKE_STORE_MEMBERS)
        abort();
    nodes[i] = fs;
}

static void give_adopted(struct fake_store *fs, const char *from, const struct request_row *r)
{
    const struct lease_row *leases[FAKE_STORE_ROWS];
    struct request_row *row = shown(fs, r);
    size_t n = 0;

    if (!row)
        abort();
    for (size_t i = 0; i < FAKE_STORE_ROWS; i++) {
        const struct lease_row *l = fs->node.rows->leases[i];

        if (l && strcmp(l->request, r->mark) == 0)
            leases[n++] = l;
    }
    if (fs->node.news && fs->node.news->adopt)
        fs->node.news->adopt(fs->node.news_arg, from, row, leases, n);
    free(row);
}

static void adopt_all(struct fake_store *fs, const char *from)
{
    struct fake_store *rows = fs->node.rows;

    for (size_t i = 0; i < FAKE_STORE_ROWS; i++) {
        if (!rows->requests[i] || strcmp(rows->requests[i]->owner, from) != 0)
            continue;
        struct request_row row = *rows->requests[i];

        row.owner = fs->node.owner;
        fake_store_put_request(rows, &row);
        fs->node.cluster.adopted++;
        give_adopted(fs, from, rows->requests[i]);
    }
    fs->node.cluster.adoptions++;
}

static void enter(struct fake_store *fs)
{
    struct fake_node *node = &fs->node;

    node->cluster.epoch = ++node->rows->node.epochs;
    node->known = ++node->rows->node.moment;
    node->cluster.joined = node->cluster.certain = true;
    node->cluster.fenced = node->fenced = node->uncertain = false;
    (void)snprintf(node->owner, sizeof node->owner, "%s@%lld", node->cluster.node,
                   (long long)node->cluster.epoch);
    list_all_members(fs);
    if (node->news && node->news->joined)
        node->news->joined(node->news_arg);
}

void fake_store_fence(struct fake_store *fs, struct fake_store *by)
{
    char from[sizeof fs->node.owner];

    (void)snprintf(from, sizeof from, "%s", fs->node.owner);
    fs->node.fenced = fs->node.cluster.fenced = true;
    fs->node.cluster.certain = false;
    for (size_t i = 0; i < FAKE_STORE_MEMBERS; i++) {
        struct fake_store *other = fs->node.rows->node.nodes[i];

        if (other && other != fs && !other->node.fenced && other->node.news && other->node.news->gone)
            other->node.news->gone(other->node.news_arg, fs->node.cluster.node, fs->node.cluster.epoch);
    }
    adopt_all(by, from);
    list_all_members(by);
}

void fake_store_rejoin(struct fake_store *fs)
{
    enter(fs);
}

void fake_store_set_certain(struct fake_store *fs, bool certain)
{
    fs->node.uncertain = !certain;
    fs->node.cluster.certain = certain;
    if (fs->node.news && fs->node.news->certain)
        fs->node.news->certain(fs->node.news_arg, certain);
}

static void finish_leaving(struct fake_store *fs)
{
    void (*left)(void *, bool) = fs->node.left;

    fs->node.left = NULL;
    if (fs->node.heir)
        fake_store_fence(fs, fs->node.heir);
    left(fs->node.left_arg, fs->node.heir != NULL);
}

/* To one that listens only now. */
static bool tell_joined(struct fake_node *node)
{
    bool is_due = node->unheard && node->news->joined;

    node->unheard = false;
    if (is_due)
        node->news->joined(node->news_arg);
    return is_due;
}

bool fake_shared_commit(struct fake_store *fs)
{
    struct fake_node *node = &fs->node;
    int64_t moment = node->rows->node.moment;
    bool has_news = tell_joined(node) || node->nquestions || node->left;

    for (size_t n = node->nquestions; n && node->nquestions; n--) {
        struct store_question *q = node->questions[0];

        fake_forget(&fs->store, q);
        answer_question(fs, q);
    }
    if (node->fenced && node->cluster.joined && !node->left) {
        node->cluster.joined = false;
        node->cluster.fences++;
        has_news = true;
        if (node->news && node->news->fenced)
            node->news->fenced(node->news_arg);
    }
    if (node->left)
        finish_leaving(fs);
    node->known = moment;
    return has_news;
}

static void fake_listen(struct store *s, const struct store_news *news, void *arg)
{
    struct fake_store *fs = (struct fake_store *)s;

    fs->node.news = news;
    fs->node.news_arg = arg;
    fs->node.unheard = fs->node.cluster.joined;
}

static bool fake_may_send(const struct store *s)
{
    const struct fake_node *node = &((const struct fake_store *)s)->node;

    return !node->uncertain && !node->fenced;
}

static bool fake_is_fresh(const struct store *s, uint64_t sent_ms)
{
    const struct fake_store *fs = (const struct fake_store *)s;

    return fake_may_send(s) && clock_now(fs->clock) - sent_ms < fs->node.fresh_ms;
}

static int64_t fake_moment(const struct store *s)
{
    return ((const struct fake_store *)s)->node.known;
}

static void fake_set_config(struct store *s, const char *digest)
{
    struct fake_node *node = &((struct fake_store *)s)->node;

    (void)snprintf(node->config_digest, sizeof node->config_digest, "%s", digest);
    list_all_members((struct fake_store *)s);
}

static void fake_leave(struct store *s, void (*done)(void *arg, bool taken), void *arg)
{
    struct fake_store *fs = (struct fake_store *)s;

    fs->node.left = done;
    fs->node.left_arg = arg;
}

void fake_store_share(struct fake_store *fs, struct fake_store *with, const char *node)
{
    struct store_ops *ops = &fs->shared_ops;

    *ops = *fs->store.ops;
    ops->set_tag = NULL;
    ops->listen = fake_listen;
    ops->ask = fake_ask;
    ops->forget = fake_forget;
    ops->may_send = fake_may_send;
    ops->is_fresh = fake_is_fresh;
    ops->moment = fake_moment;
    ops->set_config = fake_set_config;
    ops->leave = fake_leave;
    fs->store.ops = ops;
    fs->node.rows = with ? with->node.rows : fs;
    fs->node.fresh_ms = FRESH_MS;
    (void)snprintf(fs->node.cluster.node, sizeof fs->node.cluster.node, "%s", node);
    add_node(fs);
    if (with)
        memcpy(fs->tag, with->tag, sizeof fs->tag);
    else
        (void)snprintf(fs->tag, sizeof fs->tag, "%s", "aaaaa");
    enter(fs);
}
