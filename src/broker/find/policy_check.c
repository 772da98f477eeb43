/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy_check.c - a handful of slots that walk down the rows together.
 *
 * Each slot holds one vault call; when it is answered the slot takes the next row that needs asking. The walk
 * is over when no slot is busy, for then no row is left either: a slot only rests when ask_next() found none.
 * A call that cannot start leaves its row unanswered and the slot goes on to the next.
 */
#include "broker/find/policy_check.h"

#include "base/container_of.h"

#include <stddef.h>
#include <stdlib.h>

struct slot {
    struct vault_call call; /* first */
    struct policy_check *of;
    size_t row;
    bool busy;
};

struct policy_check {
    struct policy_check_opts opts;
    size_t next, end; /* rows */
    size_t busy;
    struct slot slot[POLICY_CHECK_PARALLEL];
};

static void tell_row(struct credential *row, const struct vault_policy *policy)
{
    row->policy = *policy;
    row->policy_asked = true;
}

/* The account's own maximum bounds what a check-out would ask for. */
static int64_t minutes_for(const struct policy_check *policy_check, const struct account *account)
{
    int64_t minutes = policy_check->opts.minutes > 0 ? (int64_t)policy_check->opts.minutes : 1;

    return account->max_minutes > 0 && account->max_minutes < minutes ? account->max_minutes : minutes;
}

static void on_policy(struct vault_call *);

/* True when the slot is busy with that row now. */
static bool ask_row(struct policy_check *policy_check, struct slot *slot, size_t i)
{
    struct credential *row = &policy_check->opts.rows->row[i];
    const struct fanout_vault *of = policy_check->opts.rows->of[i];
    struct vault_policy policy;
    struct credential_ref ref;

    if (!of->vault->conf->ask_policy || (row->account->isa && of->vault->ops->isa)) /* ISA knows none */
        return false;
    credential_ref_make(of->vault->conf->name, row->account, &ref);
    if (account_lists_known_policy(policy_check->opts.lists, of->vault, usermap_user(&of->users), &ref,
                                   &policy)) {
        tell_row(row, &policy);
        return false;
    }
    if (account_lists_policy_untold(policy_check->opts.lists, of->vault, usermap_user(&of->users), &ref))
        return false;
    slot->row = i;
    slot->call = (struct vault_call){
        .user = usermap_user(&of->users),
        .timeout_ms = policy_check->opts.timeout_ms,
        .done = on_policy,
    };
    return of->vault->ops->policy(of->vault, row->account->system_id, row->account->account_id,
                                  minutes_for(policy_check, row->account), &slot->call) == 0;
}

static void ask_next(struct policy_check *policy_check, struct slot *slot)
{
    while (!slot->busy && policy_check->next < policy_check->end)
        slot->busy = ask_row(policy_check, slot, policy_check->next++);
    if (slot->busy)
        policy_check->busy++;
}

static void learn(struct policy_check *policy_check, const struct slot *slot)
{
    struct credential *row = &policy_check->opts.rows->row[slot->row];
    const struct fanout_vault *of = policy_check->opts.rows->of[slot->row];
    struct credential_ref ref;

    bool told = slot->call.result == VAULT_OK;

    credential_ref_make(of->vault->conf->name, row->account, &ref);
    account_lists_learn_policy(policy_check->opts.lists, of->vault, usermap_user(&of->users), &ref,
                               told ? &slot->call.policy : NULL);
    if (told)
        tell_row(row, &slot->call.policy);
}

static void on_policy(struct vault_call *call)
{
    struct slot *slot = CONTAINER_OF(call, struct slot, call);
    struct policy_check *policy_check = slot->of;

    if (call->result != VAULT_REFUSED)
        learn(policy_check, slot);
    vault_call_free(call);
    slot->busy = false;
    policy_check->busy--;
    ask_next(policy_check, slot);
    if (policy_check->busy == 0)
        policy_check->opts.done(policy_check->opts.arg);
}

struct policy_check *policy_check_new(const struct policy_check_opts *opts)
{
    struct policy_check *policy_check;
    bool wanted = false;

    for (size_t i = 0; i < opts->rows->n && !wanted; i++)
        wanted = opts->rows->of[i]->vault->conf->ask_policy;
    policy_check = wanted ? calloc(1, sizeof(*policy_check)) : NULL;
    if (!policy_check)
        return NULL;
    policy_check->opts = *opts;
    policy_check->end = opts->rows->n < POLICY_CHECK_ROWS ? opts->rows->n : POLICY_CHECK_ROWS;
    for (size_t i = 0; i < POLICY_CHECK_PARALLEL; i++) {
        policy_check->slot[i].of = policy_check;
        ask_next(policy_check, &policy_check->slot[i]);
    }
    if (policy_check->busy == 0) {
        free(policy_check);
        return NULL;
    }
    return policy_check;
}

void policy_check_free(struct policy_check *policy_check)
{
    if (!policy_check)
        return;
    for (size_t i = 0; i < POLICY_CHECK_PARALLEL; i++) {
        struct slot *slot = &policy_check->slot[i];
        struct vault *vault = slot->busy ? policy_check->opts.rows->of[slot->row]->vault : NULL;
        if (vault)
            vault->ops->cancel(vault, &slot->call);
        vault_call_free(&slot->call);
    }
    free(policy_check);
}
