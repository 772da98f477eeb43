/* SPDX-License-Identifier: Apache-2.0 */
/*
 * disk.c - faults, time and crashes of a world's disk; see disk.h.
 *
 * Each operation of the disk calls on_operation() before it and after_operation() behind it. Both count down
 * to the crash of an act, so that the process is killed in front of or behind any write, sync, new length or
 * new name. A sync takes time; where a thread of the program waits for it, the world goes on meanwhile.
 *
 * A side of the disk that fails does so in one way: it is full, writes fail, syncs fail, or each operation
 * may.
 */
#include "disk.h"

#include "ends.h"
#include "gateway_run.h"
#include "seen_store.h"
#include "seen_trail.h"
#include "vdisk.h"
#include "vfs.h"
#include "virtual_libc.h"
#include "virtual_threads.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define USUAL_MS     4
#define CRASH_WITHIN 8 /* operations, for each number of the act */

enum failure { FAILS_FULL, FAILS_WRITES, FAILS_SYNCS, FAILS_SOME, FAILURES };

/* The files of the store, or those of the trail. */
struct side {
    const char *name;
    uint64_t fails_ms, slow_ms; /* until then */
    unsigned takes_ms;
    enum failure failure;
};

struct disk {
    struct world *world;
    struct node *node;
    struct vdisk *vdisk;
    struct seen_store *store;
    struct seen_trail *trail;
    struct side store_side, trail_side;
    struct rng rng;
    bool store_kept_waiting; /* attempts may not have been written then */
    unsigned crash_in;       /* operations; 0 = none is to come */
    enum vdisk_loss crash_loss;
    unsigned crash_restart_ms;
};

static struct side *side_of(struct disk *d, const char *path)
{
    return strstr(path, "/audit") ? &d->trail_side : &d->store_side;
}

static void count_down(struct disk *d, const char *path)
{
    if (!d->crash_in || d->node->dead || --d->crash_in)
        return;
    counts_add(d->world->counts, 1, "crash.%s.loss_%u", side_of(d, path)->name, d->crash_loss);
    node_kill(d->node, d->crash_restart_ms);
}

/* ---- faults ---- */

static int failure_of(struct disk *d, const struct side *s, enum vdisk_op op, uint64_t grows)
{
    switch (s->failure) {
    case FAILS_FULL: return grows ? ENOSPC : 0;
    case FAILS_WRITES: return op == VDISK_WRITE ? EIO : 0;
    case FAILS_SYNCS: return op == VDISK_SYNC ? EIO : 0;
    default: return rng_chance(&d->rng, 30) ? EIO : 0;
    }
}

static void note_trouble(struct disk *d, const struct side *s)
{
    d->store_kept_waiting |= s == &d->store_side;
    world_disturbed(d->world);
}

static void wait_for_disk(struct disk *d, const struct side *s)
{
    bool slow = d->world->now_ms < s->slow_ms;

    if (slow)
        note_trouble(d, s);
    if (virtual_thread_runs())
        virtual_thread_sleep(slow ? s->takes_ms : USUAL_MS);
}

static int on_operation(void *arg, enum vdisk_op op, const char *path, uint64_t grows)
{
    struct disk *d = arg;
    struct side *s = side_of(d, path);

    if (op == VDISK_SYNC)
        wait_for_disk(d, s);
    count_down(d, path);
    if (d->node->dead)
        return 0;
    int err = d->world->now_ms < s->fails_ms ? failure_of(d, s, op, grows) : 0;

    if (err) {
        note_trouble(d, s);
        counts_add(d->world->counts, 1, "%s.failed.%s_%s", s->name,
                   (const char *const[]){"write", "sync", "length", "name"}[op],
                   err == ENOSPC ? "full" : "error");
    }
    return err;
}

static void after_operation(void *arg, enum vdisk_op op, const char *path)
{
    struct disk *d = arg;

    if (op == VDISK_SYNC)
        counts_add(d->world->counts, 1, "%s.sync", side_of(d, path)->name);
    count_down(d, path);
}

static bool is_trail(const char *path)
{
    return strstr(path, "/audit") && strstr(path, ".jsonl");
}

static void on_found(void *arg, const char *path, const char *bytes, size_t n, size_t *seen)
{
    const struct disk *d = arg;

    if (is_trail(path))
        seen_trail_found(d->trail, bytes, n, seen);
}

static void on_durable(void *arg, const char *path, const char *bytes, size_t n, size_t *seen)
{
    struct disk *d = arg;

    if (is_trail(path))
        seen_trail_durable(d->trail, bytes, n, seen, !d->store_kept_waiting);
}

/* ---- starts ---- */

struct store *disk_open_store(struct disk *d, struct loop *loop)
{
    char why[320] = "";
    struct store *store = seen_store_open(d->store, loop, DISK_STATE_DIR, why);

    if (!store && !d->node->dead && d->world->now_ms >= d->store_side.fails_ms)
        world_fail(d->world, "a start is refused: %s", why);
    counts_add(d->world->counts, !store, "gateway.not_started");
    return store;
}

void disk_started(struct disk *d)
{
    if (!d->node->dead && d->world->now_ms >= d->trail_side.fails_ms)
        disk_check_trail(d);
}

void disk_rotate_trail(struct disk *d)
{
    seen_trail_rotate(d->trail, d->vdisk, DISK_STATE_DIR);
}

/* ---- the end of a process ---- */

void disk_cut(struct disk *d)
{
    seen_store_cut(d->store);
    vdisk_cut(d->vdisk, d->crash_loss);
}

void disk_bury(struct disk *d)
{
    vdisk_reboot(d->vdisk);
    ends_process(d->world->ends, d->node->dead || disk_fails(d));
    seen_store_closed(d->store);
    d->crash_in = 0;
    d->crash_loss = rng_below(&d->rng, VDISK_LOSS_KINDS); /* of a kill without an act of its own */
}

/* A thread that still waits for the disk ends with its process. */
static void end_threads(struct disk *d)
{
    if (!virtual_threads_wait(d->node))
        return;
    counts_add(d->world->counts, 1, "gateway.left_thread");
    vdisk_cut(d->vdisk, VDISK_LOSE_NONE);
    while (virtual_threads_hurry(d->node))
        ;
    vdisk_reboot(d->vdisk);
}

void disk_closed(struct disk *d)
{
    end_threads(d);
    ends_process(d->world->ends, d->node->dead || disk_fails(d));
    vdisk_exit(d->vdisk);
    seen_store_closed(d->store);
    d->crash_in = 0;
}

/* ---- acts ---- */

static void fail_until(struct disk *d, struct side *s, uint64_t end_ms)
{
    s->fails_ms = end_ms;
    s->failure = rng_below(&d->rng, FAILURES);
    counts_add(d->world->counts, 1, "%s.fails.%u", s->name, s->failure);
}

void disk_act(struct disk *d, const struct act *act)
{
    uint64_t end_ms = d->world->now_ms + act->a * UINT64_C(1000);
    struct side *slow = act->kind == ACT_STORE_SLOW ? &d->store_side : &d->trail_side;

    switch (act->kind) {
    case ACT_STORE_FAILS: fail_until(d, &d->store_side, end_ms); break;
    case ACT_TRAIL_FAILS: fail_until(d, &d->trail_side, end_ms); break;
    case ACT_STORE_SLOW:
    case ACT_TRAIL_SLOW:
        slow->slow_ms = end_ms;
        slow->takes_ms = act->b;
        break;
    default: /* ACT_CRASH */
        d->crash_in = 1 + rng_below(&d->rng, CRASH_WITHIN * (act->a + 1));
        d->crash_loss = act->b % VDISK_LOSS_KINDS;
        d->crash_restart_ms = act->c;
    }
}

void disk_heal(struct disk *d)
{
    d->store_side.fails_ms = d->store_side.slow_ms = d->trail_side.fails_ms = d->trail_side.slow_ms = 0;
    d->crash_in = 0;
}

/* ---- what is durable ---- */

bool disk_has_request(const struct disk *d, const char *mark, const char *name)
{
    return seen_store_has_request(d->store, mark, name);
}

bool disk_has_lease(const struct disk *d, const char *lease_id)
{
    return seen_store_has_lease(d->store, lease_id);
}

size_t disk_requests(const struct disk *d)
{
    return seen_store_requests(d->store);
}

size_t disk_leases(const struct disk *d)
{
    return seen_store_leases(d->store);
}

bool disk_has_checkout(const struct disk *d, const char *lease_id)
{
    return seen_trail_has_checkout(d->trail, lease_id);
}

void disk_check_trail(struct disk *d)
{
    seen_trail_check(d->trail, d->vdisk, DISK_STATE_DIR);
}

bool disk_steps_refused(const struct disk *d)
{
    return seen_store_refused(d->store);
}

bool disk_fails(const struct disk *d)
{
    uint64_t now = d->world->now_ms;

    return now < d->store_side.fails_ms || now < d->trail_side.fails_ms || now < d->store_side.slow_ms ||
           now < d->trail_side.slow_ms;
}

/* ---- life ---- */

void disk_use(struct disk *d, const struct clock *clock)
{
    virtual_libc_use(d->vdisk, clock);
}

struct disk *disk_new(struct node *n)
{
    struct world *w = n->world;
    struct disk *d = calloc(1, sizeof *d);
    uint64_t seed = w->script->seed ^ (uint64_t)n->number << 32;
    struct vdisk_hooks hooks = {on_operation, after_operation, on_durable, on_found, d};

    if (!d)
        abort();
    d->world = w;
    d->node = n;
    d->store_side.name = "store";
    d->trail_side.name = "trail";
    d->rng = (struct rng){seed ^ UINT64_C(0x4641554C54)};
    d->crash_loss = rng_below(&d->rng, VDISK_LOSS_KINDS);
    d->vdisk = vdisk_new(seed, &hooks);
    d->store = seen_store_new(n);
    d->trail = seen_trail_new(n);
    disk_use(d, &n->clock);
    vfs_use(d->vdisk, &n->clock, seed);
    return d;
}

void disk_free(struct disk *d)
{
    seen_store_free(d->store);
    seen_trail_free(d->trail);
    vdisk_free(d->vdisk);
    free(d);
}
