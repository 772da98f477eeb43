/* SPDX-License-Identifier: Apache-2.0 */
/*
 * etcd_adopt_ends.c - the ends of leases that a dead gateway has named (etcd_ends.h): read, told to the
 * broker where they have happened, and waited for until their records are on disk.
 */
#include "stores/etcd_adopt_parts.h"

#include "base/container_of.h"
#include "stores/etcd_flight.h"

#include <errno.h>
#include <string.h>

/* A trail that cannot be written holds no adoption up. */
#define TRAIL_MS 10000

static bool has_hold(const struct store_end *end, const char *mark)
{
    return *end->lease && (*end->name || *mark);
}

/* A lease whose hold is there has not ended. */
static void tell_ends(struct etcd_adoption *a)
{
    struct etcd_adoption_work *w = a->work;
    struct store_end end;
    const char *mark;
    struct etcd_kv kv;
    uint64_t settled;
    size_t read = 0;

    for (int n = 0; etcd_ends_read(w->ends, n, &end, &mark); n++) {
        bool is_held = has_hold(&end, mark) && etcd_kv_read(etcd_reads_at(&w->holds, read++), 0, &kv);

        end.from = w->owner;
        if (*end.lease && !is_held && a->by->unrecorded)
            a->by->unrecorded(a->by->arg, &end);
    }
    if (a->by->trail)
        a->by->trail(a->by->arg, &w->taken, &settled);
    w->until_ms = clock_now(timers_clock(a->by->timers)) + TRAIL_MS;
}

static void on_holds(struct etcd_reads *r, int err)
{
    struct etcd_adoption_work *w = CONTAINER_OF(r, struct etcd_adoption_work, holds);
    struct etcd_adoption *a = w->call.user;

    if (!err)
        tell_ends(a);
    etcd_reads_clear(r);
    w->checked(a, err);
}

int etcd_adopt_check_ends(struct etcd_adoption *a)
{
    struct etcd_adoption_work *w = a->work;
    struct store_end end;
    const char *mark;
    int err = 0;

    w->holds = (struct etcd_reads){.client = a->by->client, .prefix = a->by->prefix, .done = on_holds};
    for (int n = 0; !err && etcd_ends_read(w->ends, n, &end, &mark); n++) {
        const struct request_row request = {.vault = end.vault, .name = end.name, .mark = mark};
        char key[ETCD_KEY_SIZE];

        if (!has_hold(&end, mark))
            continue;
        if (etcd_hold_key(key, &request, end.lease))
            key[0] = '\0'; /* no gateway names such a one */
        err = etcd_reads_add(&w->holds, *key ? key : "h/", NULL, 0);
    }
    if (!err && w->holds.n)
        err = etcd_reads(&w->holds);
    else if (!err)
        err = 1;
    if (err == 1 && w->ends)
        tell_ends(a);
    if (err)
        etcd_reads_clear(&w->holds);
    return err;
}

/* The key as it is read is the one that the next transaction compares. */
int etcd_adopt_read_look(struct etcd_adoption *a)
{
    struct etcd_adoption_work *w = a->work;
    struct etcd_kv kv;

    if (!etcd_kv_read(w->call.answer, 0, &kv) || kv.mod != w->mod)
        return -ESTALE;
    return etcd_ends_take(kv.value.data, kv.value.len, &w->ends) ? 0 : -ENOMEM;
}

int etcd_adopt_look(struct etcd_adoption *a)
{
    struct etcd_adoption_work *w = a->work;
    const struct etcd_writer writer = {&w->call.body, a->by->prefix};
    char key[ETCD_KEY_SIZE], to[ETCD_KEY_SIZE];

    if (w->then == ADOPT_FENCES)
        etcd_self_key(key, a->node);
    else
        etcd_dead_key(key, sizeof key, a->node, a->epoch);
    (void)etcd_put_texts(to, (const char *const[]){key, "!", NULL});
    buf_clear(&w->call.body);
    etcd_write_range(&writer, key, strlen(key), to, 1);
    w->call.path = "/v3/kv/range";
    return w->call.body.failed ? -ENOMEM : etcd_call(a->by->client, &w->call);
}

bool etcd_adopt_is_recorded(const struct etcd_adoption *a)
{
    const struct etcd_adoption_work *w = a->work;
    uint64_t taken, settled;

    if (!w->ends || !a->by->trail || clock_now(timers_clock(a->by->timers)) >= w->until_ms)
        return true;
    a->by->trail(a->by->arg, &taken, &settled);
    return settled >= w->taken;
}

void etcd_adopt_write_more(const struct etcd_adoption *a, struct buf *more)
{
    buf_str(more, etcd_kept_members(a->by->self->kept, KEPT_DEAD, a->work->owner));
    if (a->work->state != ADOPT_LEAVES)
        etcd_ends_print(more, a->work->ends);
}
