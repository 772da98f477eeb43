/* SPDX-License-Identifier: Apache-2.0 */
/*
 * batch.c - records collected into batches; see batch.h.
 */
#include "reports/pra/batch.h"

#include <string.h>

static const size_t sizes[] = {
    [REPORT_SESSIONS] = sizeof(struct record_session),
    [REPORT_LISTED] = sizeof(struct record_listed),
    [REPORT_TEAM] = sizeof(struct record_team),
    [REPORT_VAULT_ACTIVITY] = sizeof(struct record_vault_activity),
    [REPORT_SYSLOG] = sizeof(struct record_syslog),
    [REPORT_VAULT_ACCOUNTS] = sizeof(struct record_vault_account),
    [REPORT_JUMP_ITEMS] = sizeof(struct record_jump_item),
    [REPORT_JUMPOINTS] = sizeof(struct record_jumpoint),
    [REPORT_JUMP_GROUPS] = sizeof(struct record_jump_group),
};

void *batch_add(struct batch_out *out, enum report_kind kind)
{
    void *record = record_append(&out->batch.arena, &out->batch.rows, &out->batch.n, &out->room, sizes[kind]);

    out->batch.kind = kind;
    if (!record)
        return NULL;
    memset(record, 0, sizes[kind]); /* a record may have been dropped in this place */
    out->batch.n--;                 /* it counts when it is kept */
    out->open = true;
    return record;
}

void batch_keep(struct batch_out *out)
{
    out->open = false;
    out->batch.n++;
    out->rows++;
    if (out->batch.kind == REPORT_SESSIONS)
        batch_flush(out);
}

static void renew(struct batch_out *out)
{
    record_arena_free(&out->batch.arena);
    out->batch = (struct report_batch){.kind = out->batch.kind, .arena.limit = out->batch.arena.limit};
    out->room = 0;
}

void batch_drop(struct batch_out *out)
{
    if (!out->open)
        return;
    out->open = false;
    if (!out->batch.n)
        renew(out);
}

bool batch_is_full(const struct batch_out *out)
{
    return out->batch.n >= BATCH_ROWS || (out->batch.n && out->batch.arena.used >= BATCH_BYTES);
}

void batch_flush(struct batch_out *out)
{
    size_t limit = out->batch.arena.limit;

    if (out->batch.n)
        out->give(out->ctx, &out->batch);
    out->batch.arena.limit = limit; /* the receiver may have zeroed it */
    renew(out);
}

void batch_free(struct batch_out *out)
{
    out->open = false;
    renew(out);
}
