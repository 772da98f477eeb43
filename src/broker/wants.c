/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wants.c - a handful of slots that walk down the rows together.
 *
 * Each slot holds one vault call; when it is answered the slot takes the next row that needs asking. The walk
 * is over when no slot is busy, for then no row is left either: a slot only rests when ask_next() found none.
 * A call that cannot start leaves its row unanswered and the slot goes on to the next.
 */
#include "broker/wants.h"

#include <stddef.h>
#include <stdlib.h>

struct slot {
    struct vault_call call; /* first */
    struct wants *of;
    size_t row;
    bool busy;
};

struct wants {
    struct wants_opts opts;
    size_t next, end; /* rows */
    size_t busy;
    struct slot slot[WANTS_PARALLEL];
};

static void tell_row(struct credential *row, const struct vault_policy *policy)
{
    row->policy = *policy;
    row->policy_asked = true;
}

/* The account's own maximum bounds what a check-out would ask for. */
static int64_t minutes_for(const struct wants *wants, const struct account *account)
{
    int64_t minutes = wants->opts.minutes > 0 ? (int64_t)wants->opts.minutes : 1;

    return account->max_minutes > 0 && account->max_minutes < minutes ? account->max_minutes : minutes;
}

static void on_policy(struct vault_call *);

/* True when the slot is busy with that row now. */
static bool ask_row(struct wants *wants, struct slot *slot, size_t i)
{
    struct credential *row = &wants->opts.rows->row[i];
    const struct survey_vault *of = wants->opts.rows->of[i];
    struct vault_policy policy;
    struct credential_ref ref;

    if (!of->vault->conf->ask_policy || (row->account->isa && of->vault->ops->isa)) /* ISA knows none */
        return false;
    credential_ref_make(of->vault->conf->name, row->account, &ref);
    if (lists_known_policy(wants->opts.lists, of->vault, usermap_user(&of->users), &ref, &policy)) {
        tell_row(row, &policy);
        return false;
    }
    if (lists_policy_untold(wants->opts.lists, of->vault, usermap_user(&of->users), &ref))
        return false;
    slot->row = i;
    slot->call = (struct vault_call){
        .user = usermap_user(&of->users),
        .timeout_ms = wants->opts.timeout_ms,
        .done = on_policy,
    };
    return of->vault->ops->policy(of->vault, row->account->system_id, row->account->account_id,
                                  minutes_for(wants, row->account), &slot->call) == 0;
}

static void ask_next(struct wants *wants, struct slot *slot)
{
    while (!slot->busy && wants->next < wants->end)
        slot->busy = ask_row(wants, slot, wants->next++);
    if (slot->busy)
        wants->busy++;
}

static void learn(struct wants *wants, const struct slot *slot)
{
    struct credential *row = &wants->opts.rows->row[slot->row];
    const struct survey_vault *of = wants->opts.rows->of[slot->row];
    struct credential_ref ref;

    bool told = slot->call.result == VAULT_OK;

    credential_ref_make(of->vault->conf->name, row->account, &ref);
    lists_learn_policy(wants->opts.lists, of->vault, usermap_user(&of->users), &ref,
                       told ? &slot->call.policy : NULL);
    if (told)
        tell_row(row, &slot->call.policy);
}

static void on_policy(struct vault_call *call)
{
    struct slot *slot = (struct slot *)(void *)((char *)call - offsetof(struct slot, call));
    struct wants *wants = slot->of;

    if (call->result != VAULT_REFUSED)
        learn(wants, slot);
    vault_call_free(call);
    slot->busy = false;
    wants->busy--;
    ask_next(wants, slot);
    if (wants->busy == 0)
        wants->opts.done(wants->opts.arg);
}

struct wants *wants_new(const struct wants_opts *opts)
{
    struct wants *wants;
    bool wanted = false;

    for (size_t i = 0; i < opts->rows->n && !wanted; i++)
        wanted = opts->rows->of[i]->vault->conf->ask_policy;
    wants = wanted ? calloc(1, sizeof(*wants)) : NULL;
    if (!wants)
        return NULL;
    wants->opts = *opts;
    wants->end = opts->rows->n < WANTS_ROWS ? opts->rows->n : WANTS_ROWS;
    for (size_t i = 0; i < WANTS_PARALLEL; i++) {
        wants->slot[i].of = wants;
        ask_next(wants, &wants->slot[i]);
    }
    if (wants->busy == 0) {
        free(wants);
        return NULL;
    }
    return wants;
}

void wants_free(struct wants *wants)
{
    if (!wants)
        return;
    for (size_t i = 0; i < WANTS_PARALLEL; i++) {
        struct slot *slot = &wants->slot[i];
        struct vault *vault = slot->busy ? wants->opts.rows->of[slot->row]->vault : NULL;
        if (vault)
            vault->ops->cancel(vault, &slot->call);
        vault_call_free(&slot->call);
    }
    free(wants);
}
