/* SPDX-License-Identifier: Apache-2.0 */
/*
 * operation.c - the list of operations in flight, their deadlines, and the client that leaves.
 */
#include "broker/operation.h"

#include "base/container_of.h"

#include <errno.h>
#include <string.h>

static void on_expired(struct deadline *d)
{
    struct op *op = CONTAINER_OF(d, struct op, deadline);

    op->class->expired(op); /* may free it */
}

int op_begin(struct op *op, const struct op_class *class, struct broker *b, uint64_t timeout_ms)
{
    *op = (struct op){.class = class, .broker = b, .ends_ms = clock_now(b->clock) + timeout_ms};
    if (timer_start(b->timers, &op->deadline, timeout_ms, on_expired))
        return -ENOMEM;
    TAILQ_INSERT_TAIL(&b->ops, op, link);
    b->nops++;
    return 0;
}

/* A deadline that runs already needs no memory; without it the op ends at the time it was given. */
void op_expire_soon(struct op *op)
{
    (void)!timer_start(op->broker->timers, &op->deadline, 0, on_expired);
}

void op_end(struct op *op)
{
    timer_stop(op->broker->timers, &op->deadline);
    TAILQ_REMOVE(&op->broker->ops, op, link);
    op->broker->nops--;
}

uint64_t op_time_left(const struct op *op)
{
    uint64_t now = clock_now(op->broker->clock);

    return op->ends_ms > now ? op->ends_ms - now : 1;
}

struct vault *broker_vault(const struct broker *b, const char *name)
{
    for (size_t i = 0; i < b->nvaults; i++)
        if (strcmp(b->vaults[i]->conf->name, name) == 0)
            return b->vaults[i];
    return NULL;
}

struct vault *broker_vault_of_credential(const struct broker *b, const char *credential_id,
                                         struct credential_ref *ref)
{
    struct vault *vault = credential_id_parse(credential_id, ref) ? broker_vault(b, ref->vault) : NULL;

    return vault && vault_is_account_key(vault, ref->account_key) ? vault : NULL;
}

void op_vault_call(const struct op *op, struct vault_call *call, const char *user,
                   void (*done)(struct vault_call *))
{
    vault_call_free(call);
    *call = (struct vault_call){.user = user, .timeout_ms = op_time_left(op), .done = done};
}

void broker_leave(struct op *op)
{
    timer_stop(op->broker->timers, &op->deadline);
    op->left = true;
    op->class->leave(op);
}
