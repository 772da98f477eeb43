/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shared_news.c - what a shared store says by itself: a request is this gateway's from now on, another
 * gateway has changed one, the gateway was fenced and has joined again; see shared.h.
 */
#include "base/container_of.h"
#include "base/log.h"
#include "broker/leases/clock_skew.h"
#include "broker/leases/lease_audit.h"
#include "broker/leases/shared_steps.h"
#include "stores/store_rows.h"

#include <stdlib.h>
#include <string.h>

#define LOOK_MS 5000

/* ---- another gateway's ---- */

struct vault_request *shared_elsewhere(struct leases *ls, const struct lease_args *args, struct vault *vault,
                                       const struct request_row *row)
{
    struct lease *asker = lease_ask(ls, args, vault, row->user);
    struct vault_request *r = asker ? asker->request : NULL;

    if (!r)
        return NULL;
    asker->state = LEASE_ENDED;
    if (!vault_request_set_name(r, row->name) && shared_set_elsewhere(r, row))
        return r;
    r->checkouts--;
    vault_request_goto(r, VR_ENDED);
    return NULL;
}

/* ---- closed ---- */

const char *shared_closing(struct leases *ls, const struct request_row *request)
{
    const struct vault_ref *ref = vault_ref_of_row(&ls->vaults, request->vault, request->url, false);

    return ref && leases_wall(ls, ref->vault) >= request->expires_wall_ms ? "expired" : "gone";
}

void shared_closed(struct leases *ls, const struct request_row *request, const struct lease_row *lease)
{
    const struct lease_end_record record = {.why = shared_closing(ls, request)};

    audit_lease_row_end(ls->audit, request, lease, &record, 0, shared_wall(ls, request));
    log_info("lease_ended", "why=%s user=%s session=%s credential=%s lease=%s", record.why,
             lease->holder.username, lease->holder.session, lease->holder.credential, lease->id);
}

void shared_unrecorded(struct leases *ls, const struct store_end *end)
{
    audit_unrecorded_end(ls->audit, end);
    log_info("lease_ended", "why=%s lease=%s from=%s", end->record, end->lease, end->from);
}

/* ---- touched ---- */

struct shared_look {
    struct store_question question;
    LIST_ENTRY(shared_look) link; /* leases.looks */
    struct leases *leases;
    uint16_t outcomes;      /* of the request, as it was asked */
    bool is_of_damage;      /* no row was shown where one should be */
    struct lease_row *left; /* see shared_damaged(); NULL = none */
    char mark[ID_SIZE];
    char texts[]; /* vault, name */
};

static void look_free(struct shared_look *l)
{
    LIST_REMOVE(l, link);
    free(l->left);
    free(l);
}

static bool is_holder(const struct store_found_list *found, const char *id)
{
    const struct store_found *f;

    STAILQ_FOREACH(f, found, link)
    if (f->lease && strcmp(f->lease->id, id) == 0)
        return true;
    return false;
}

static void forget_ended(struct vault_request *r, const struct store_found_list *found)
{
    struct lease *lease = SLIST_FIRST(&r->leased), *next;

    for (; lease; lease = next) {
        next = SLIST_NEXT(lease, of_request);
        if (!is_holder(found, lease->id))
            shared_forget_lease(lease);
    }
}

static void look_if_held(struct vault_request *, bool is_of_damage, const struct lease_row *left);

static bool has_holders(const struct store_found_list *found)
{
    const struct store_found *f;

    STAILQ_FOREACH(f, found, link)
    if (f->lease)
        return true;
    return false;
}

/* It is this gateway's, and HELD. */
static void look_at_holders(const struct shared_look *l, struct vault_request *r)
{
    if (has_holders(&l->question.found))
        forget_ended(r, &l->question.found);
    else
        shared_give_back_unheld(r, true, l->left);
}

static void on_looked(struct store_question *q, enum store_answer answer)
{
    struct shared_look *l = CONTAINER_OF(q, struct shared_look, question);
    const struct store_found *f = STAILQ_FIRST(&q->found);
    struct vault_request *r = answer == STORE_OPEN ? shared_record(l->leases, l->mark) : NULL;
    const struct request_row *now = f ? f->request : NULL;

    if (r && r->outcomes != l->outcomes) /* the answer may be of before that step */
        look_if_held(r, l->is_of_damage, l->left);
    else if (r && r->state == VR_HELD && now && now->mine && now->state == REQUEST_HELD)
        look_at_holders(l, r);
    else if (r && r->state == VR_HELD && !f && l->is_of_damage)
        shared_give_back_unheld(r, false, l->left);
    else if (r)
        shared_follow(l->leases, l->mark, now);
    look_free(l);
}

static char *append(char *to, const char *text, const char **at)
{
    size_t n = strlen(text) + 1;

    *at = memcpy(to, text, n);
    return to + n;
}

static void look(struct vault_request *r, bool is_of_damage, const struct lease_row *left)
{
    const char *vault = vault_request_vault(r)->conf->name, *name = vault_request_name(r);
    struct leases *ls = r->vault_ref->leases;
    struct shared_look *l = calloc(1, sizeof *l + strlen(vault) + strlen(name) + 2);

    if (!l)
        return; /* a hint: the next step on the request finds out */
    l->leases = ls;
    l->outcomes = r->outcomes;
    l->is_of_damage = is_of_damage;
    l->left = left ? lease_row_copy(left) : NULL; /* without memory its row stays */
    memcpy(l->mark, r->asker->id, ID_SIZE);
    l->question = (struct store_question){.kind = QUESTION_REQUEST,
                                          .mark = l->mark,
                                          .until_ms = clock_now(ls->clock) + LOOK_MS,
                                          .done = on_looked};
    (void)append(append(l->texts, vault, &l->question.vault), name, &l->question.name);
    LIST_INSERT_HEAD(&ls->looks, l, link);
    if (ls->shared->ops->ask(ls->shared, &l->question))
        look_free(l);
}

static void look_if_held(struct vault_request *r, bool is_of_damage, const struct lease_row *left)
{
    if ((r->state == VR_HELD || r->state == VR_PENDING) && !r->returned)
        look(r, is_of_damage, left);
}

void shared_touched(struct leases *ls, const char *mark)
{
    struct vault_request *r = shared_record(ls, mark);

    if (r)
        look_if_held(r, false, NULL);
}

void shared_damaged(struct vault_request *r, const struct lease_row *left)
{
    look_if_held(r, !left, left);
}

static void forget_look(struct leases *ls, const char *mark)
{
    struct shared_look *l, *next;

    for (l = LIST_FIRST(&ls->looks); l; l = next) {
        next = LIST_NEXT(l, link);
        if (strcmp(l->mark, mark) != 0)
            continue;
        ls->shared->ops->forget(ls->shared, &l->question);
        look_free(l);
    }
}

/* An answer that was asked for before may say that it is another's. */
int shared_adopt(struct leases *ls, const char *from, const struct request_row *row,
                 const struct lease_row *const *leases, size_t n)
{
    forget_look(ls, row->mark);
    int err = leases_adopt(ls, row, leases, n);

    if (err)
        return err;
    log_info("request_adopted", "request=%s state=%s vault=%s user=%s leases=%zu from=%s", row->mark,
             request_state_words[row->state], row->vault, row->user, n, from);
    for (size_t i = 0; i < n; i++)
        audit_adopted(ls->audit, from, row, leases[i]);
    if (!n)
        audit_adopted(ls->audit, from, row, NULL);
    return 0;
}

static void end_looks(struct leases *ls)
{
    struct shared_look *l;

    while ((l = LIST_FIRST(&ls->looks))) {
        ls->shared->ops->forget(ls->shared, &l->question);
        look_free(l);
    }
}

/* ---- fenced ---- */

void shared_void_begin(struct leases *ls)
{
    ls->voiding = true;
}

static void void_request(struct vault_request *r)
{
    known_users_watch(r->vault_ref->leases, vault_request_vault(r), r->user);
    shared_forget_leases(r);
    r->has_row = r->undecided = r->opening = r->returned = false;
    if (r->state == VR_ASKED && r->checkouts)
        return; /* on its way to the vault */
    if (r->checkouts)
        vault_request_goto(r, VR_ELSEWHERE);
    else
        vault_request_cancel(r);
}

void shared_void_end(struct leases *ls)
{
    struct lease *lease;

    ls->was_fenced = true;

    end_looks(ls);
    journal_void(ls->journal);
    for (lease = lease_first(ls, 0); lease; lease = lease_next(ls))
        if (lease->request->asker == lease)
            void_request(lease->request);
    ls->voiding = false;
}

static int keep_cursor(void *arg, const struct cursor_row *row)
{
    return sites_keep_cursor(arg, row);
}

void shared_joined(struct leases *ls)
{
    static const struct store_reader reader = {.cursor = keep_cursor};

    lease_tag_set(&ls->tag, ls->shared->ops->tag(ls->shared));
    if (ls->shared->ops->load(ls->shared, &reader, ls))
        log_error("cursors_not_read", "error=%s", "out of memory");
    journal_resume(ls->journal);
    reconcile_hurry(ls->reconcile); /* it has a share; and what was its own may be no row's any more */
    ls->was_fenced = false;
}

/* Its share is others' from now on. */
void shared_gone(struct leases *ls)
{
    reconcile_hurry(ls->reconcile);
}

void shared_free(struct leases *ls)
{
    struct shared_step *s;

    if (!ls->shared)
        return;
    end_looks(ls);
    shared_strays_free(ls);
    list_share_free(ls);
    known_users_free(ls);
    while ((s = LIST_FIRST(&ls->shared_steps)))
        shared_step_free(s);
}
