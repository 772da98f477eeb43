/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy_check.c - a few calls in parallel, which take the rows in order.
 *
 * Each slot holds one vault call; when it is answered the slot takes the next row whose policy is not known.
 * The check is over when no slot is busy: a slot is idle only after ask_next_row() has found no row. A
 * call that cannot start leaves its row without a policy, and the slot takes the next row.
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

static void set_policy(struct credential *row, const struct vault_policy *policy)
{
    row->policy = *policy;
    row->policy_asked = true;
}

/* The length of a check-out of this account, bounded by the account's own maximum. */
static int64_t minutes_for(const struct policy_check *check, const struct account *account)
{
    int64_t minutes = check->opts.minutes > 0 ? (int64_t)check->opts.minutes : 1;

    return account->max_minutes > 0 && account->max_minutes < minutes ? account->max_minutes : minutes;
}

static void on_policy(struct vault_call *);

/* True = the slot is busy with that row. */
static bool ask_row(struct policy_check *check, struct slot *slot, size_t i)
{
    struct credential *row = &check->opts.rows->row[i];
    const struct fanout_vault *target = check->opts.rows->target[i];
    struct vault_policy policy;
    enum policy_knowledge known;

    if (!target->vault->ops->policy || !target->vault->conf->ask_policy ||
        row->account->isa) /* direct access has no policy */
        return false;
    known = account_facts_policy(check->opts.facts, target->vault, usermap_user(&target->users),
                                 row->account->key, &policy);
    if (known == POLICY_KNOWN)
        set_policy(row, &policy);
    if (known != POLICY_NOT_ASKED)
        return false;
    slot->row = i;
    slot->call = (struct vault_call){
        .user = usermap_user(&target->users),
        .timeout_ms = check->opts.timeout_ms,
        .done = on_policy,
    };
    return target->vault->ops->policy(target->vault, row->account->key, minutes_for(check, row->account),
                                      &slot->call) == 0;
}

static void ask_next_row(struct policy_check *check, struct slot *slot)
{
    while (!slot->busy && check->next < check->end)
        slot->busy = ask_row(check, slot, check->next++);
    if (slot->busy)
        check->busy++;
}

static void learn_policy(struct policy_check *check, const struct slot *slot)
{
    struct credential *row = &check->opts.rows->row[slot->row];
    const struct fanout_vault *target = check->opts.rows->target[slot->row];

    bool answered = slot->call.result == VAULT_OK;

    account_facts_learn_policy(check->opts.facts, target->vault, usermap_user(&target->users),
                               row->account->key, answered ? &slot->call.policy : NULL);
    if (answered)
        set_policy(row, &slot->call.policy);
}

static void on_policy(struct vault_call *call)
{
    struct slot *slot = CONTAINER_OF(call, struct slot, call);
    struct policy_check *check = slot->of;

    if (call->result != VAULT_REFUSED)
        learn_policy(check, slot);
    vault_call_free(call);
    slot->busy = false;
    check->busy--;
    ask_next_row(check, slot);
    if (check->busy == 0)
        check->opts.done(check->opts.arg);
}

struct policy_check *policy_check_new(const struct policy_check_opts *opts)
{
    struct policy_check *check;
    bool wanted = false;

    for (size_t i = 0; i < opts->rows->n && !wanted; i++)
        wanted = opts->rows->target[i]->vault->conf->ask_policy;
    check = wanted ? calloc(1, sizeof(*check)) : NULL;
    if (!check)
        return NULL;
    check->opts = *opts;
    check->end = opts->rows->n < POLICY_CHECK_ROWS ? opts->rows->n : POLICY_CHECK_ROWS;
    for (size_t i = 0; i < POLICY_CHECK_PARALLEL; i++) {
        check->slot[i].of = check;
        ask_next_row(check, &check->slot[i]);
    }
    if (check->busy == 0) {
        free(check);
        return NULL;
    }
    return check;
}

void policy_check_free(struct policy_check *check)
{
    if (!check)
        return;
    for (size_t i = 0; i < POLICY_CHECK_PARALLEL; i++) {
        struct slot *slot = &check->slot[i];
        struct vault *vault = slot->busy ? check->opts.rows->target[slot->row]->vault : NULL;
        if (vault)
            vault->ops->cancel(vault, &slot->call);
        vault_call_free(&slot->call);
    }
    free(check);
}
