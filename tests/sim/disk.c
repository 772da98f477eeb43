/* SPDX-License-Identifier: Apache-2.0 */
/*
 * disk.c - the lease store and the audit trail of a world; see disk.h.
 *
 * The store is the one of the unit tests (fake_store.h), whose rows outlive the process; a commit comes some
 * milliseconds after its steps. The trail is lines of base audit_chain.h in memory, written in batches.
 * A crash is counted down over the writes of both: it falls between the moment a write is given and the
 * moment its writer learns of it, and what waits of the other one is durable or not by itself. So the two are
 * seen in any order that a real disk has.
 */
#include "disk.h"

#include "ends.h"
#include "gateway_run.h"

#include "audit/audit_chain.h"
#include "audit/audit_witness.h"
#include "base/container_of.h"
#include "base/uthash_nofail.h"
#include "broker/broker.h"
#include "fake_store.h"

#include <errno.h>
#include <stdlib.h>

#define TRAIL_MAX   ((size_t)256 << 20)
#define DEADLINE_MS 2000 /* of a wait for a record, as commands/run/audit.c has it */
#define RETRY_MS    1000
#define USUAL_MS    4

enum durable { DURABLE_STORE = 1, DURABLE_TRAIL = 2 };

struct record {
    STAILQ_ENTRY(record) link;
    struct audit_wait *wait;
    uint64_t until_ms;
    int64_t wall_ms;
    unsigned flags;
    size_t n;
    char members[];
};

struct checkout_seen {
    char lease_id[ID_SIZE];
    UT_hash_handle hh;
};

/* How often the check-in of a lease's request was tried, as the trail has it. */
struct attempts_seen {
    char lease_id[ID_SIZE];
    unsigned most;
    UT_hash_handle hh;
};

struct disk {
    struct world *world;
    /* the store */
    struct fake_store fs;
    struct store_ops ops; /* the fake's, with steps and close of this file */
    const struct store_ops *fake_ops;
    bool commit_due;
    size_t durable_lists; /* of those that wait when the process is killed */
    uint64_t store_fails_ms, store_slow_ms;
    unsigned store_takes_ms;
    /* the trail */
    struct audit_sink sink;
    STAILQ_HEAD(, record) records;
    bool write_due, writable;
    uint64_t trail_fails_ms, trail_slow_ms;
    unsigned trail_takes_ms;
    struct buf file;
    struct audit_link last;
    struct checkout_seen *checkouts;
    struct attempts_seen *attempts;
    bool store_kept_waiting; /* attempts may not have been written then */
    /* the crash to come */
    unsigned crash_in; /* writes; 0 = none */
    unsigned crash_durable, crash_restart_ms;
};

/* True = the process ends at this write. */
static bool crashes_here(struct disk *d)
{
    if (!d->crash_in || --d->crash_in)
        return false;
    counts_add(d->world->counts, 1, "crash.durable_%u", d->crash_durable);
    world_kill(d->world, d->crash_restart_ms);
    return true;
}

/* ---- the store ---- */

static struct disk *disk_of_store(struct store *store)
{
    return CONTAINER_OF((struct fake_store *)store, struct disk, fs);
}

static bool commit_fails(void *arg, unsigned nth)
{
    struct disk *d = arg;

    (void)nth;
    if (d->world->now_ms >= d->store_fails_ms)
        return false;
    d->store_kept_waiting = true;
    counts_add(d->world->counts, 1, "store.commit_failed");
    world_disturbed(d->world);
    return true;
}

static void on_commit(void *arg)
{
    struct disk *d = arg;
    struct world *w = d->world;

    d->commit_due = false;
    if (w->dead || !d->fs.npending || crashes_here(d))
        return;
    counts_add(w->counts, 1, "store.commit");
    (void)fake_store_commit(&d->fs);
}

static int disk_steps(struct store *store, struct store_steps *steps)
{
    struct disk *d = disk_of_store(store);
    bool slow = d->world->now_ms < d->store_slow_ms;
    int err = d->world->dead ? -EIO : d->fake_ops->steps(store, steps);

    if (err || d->commit_due)
        return err;
    d->commit_due = true;
    d->store_kept_waiting |= slow;
    if (slow)
        world_disturbed(d->world);
    world_after(d->world, slow ? d->store_takes_ms : USUAL_MS, on_commit, d);
    return 0;
}

static void disk_close(struct store *store, void (*closed)(void *arg), void *arg)
{
    struct disk *d = disk_of_store(store);

    if (d->world->dead) {
        fake_store_crash(&d->fs, d->durable_lists);
        closed(arg);
    } else {
        d->fake_ops->close(store, closed, arg);
    }
}

struct store *disk_open_store(struct disk *d, struct loop *loop)
{
    (void)loop;
    return &d->fs.store;
}

/* ---- the trail ---- */

static struct disk *disk_of_sink(struct audit_sink *sink)
{
    return CONTAINER_OF(sink, struct disk, sink);
}

static bool begins_with(const char *members, size_t n, const char *text)
{
    return n > strlen(text) && memcmp(members, text, strlen(text)) == 0;
}

/* The lease id of a record; false = it has none. */
static bool record_lease(const char *members, size_t n, char id[ID_SIZE])
{
    static const char name[] = "\"lease_id\":\"";
    const char *at = memmem(members, n, name, sizeof name - 1);

    if (at)
        (void)snprintf(id, ID_SIZE, "%.*s", ID_SIZE - 1, at + sizeof name - 1);
    return at;
}

static void note_checkout(struct disk *d, const char *members, size_t n)
{
    struct checkout_seen *seen = NULL;
    char id[ID_SIZE];

    if (!begins_with(members, n, "\"event\":\"checkout\"") || !memmem(members, n, "\"outcome\":\"ok\"", 14) ||
        !record_lease(members, n, id))
        return;
    HASH_FIND_STR(d->checkouts, id, seen);
    if (seen)
        return;
    seen = calloc(1, sizeof *seen);
    if (!seen)
        abort();
    memcpy(seen->lease_id, id, sizeof id);
    HASH_ADD_STR(d->checkouts, lease_id, seen);
    if (!seen->hh.tbl)
        abort();
}

/* The count of attempts outlives the process. */
static void note_attempt(struct disk *d, const char *members, size_t n)
{
    static const char name[] = "\"attempts\":";
    struct attempts_seen *seen = NULL;
    const char *at = memmem(members, n, name, sizeof name - 1);
    char id[ID_SIZE];

    if (!begins_with(members, n, "\"event\":\"checkin_failed\"") || !at || !record_lease(members, n, id))
        return;
    unsigned attempts = (unsigned)strtoul(at + sizeof name - 1, NULL, 10);
    HASH_FIND_STR(d->attempts, id, seen);
    if (!seen) {
        seen = calloc(1, sizeof *seen);
        if (!seen)
            abort();
        memcpy(seen->lease_id, id, sizeof id);
        HASH_ADD_STR(d->attempts, lease_id, seen);
        if (!seen->hh.tbl)
            abort();
    }
    if (attempts < seen->most && !d->store_kept_waiting)
        world_fail(d->world, "check-in attempt %u of lease %s follows attempt %u", attempts, id, seen->most);
    seen->most = attempts > seen->most ? attempts : seen->most;
}

static void write_record(struct disk *d, const struct record *r)
{
    if (audit_line_write(&d->file, &d->last, r->wall_ms, r->members, r->n))
        abort();
    ends_record(d->world->ends, r->members, r->n);
    note_checkout(d, r->members, r->n);
    note_attempt(d, r->members, r->n);
}

static void end_wait(struct record *r, int err)
{
    struct audit_wait *wait = r->wait;

    r->wait = NULL;
    if (!wait)
        return;
    wait->entry = NULL;
    wait->done(wait, err);
}

static void write_soon(struct disk *d, uint64_t ms);

/* The waits end; what is to be kept is written later. */
static void fail_records(struct disk *d, bool late_only, int err)
{
    struct record *r, *next;

    for (r = STAILQ_FIRST(&d->records); r; r = next) {
        next = STAILQ_NEXT(r, link);
        if (late_only && (!r->wait || r->until_ms > d->world->now_ms))
            continue;
        if (!(r->flags & AUDIT_KEEP) && r->wait) {
            STAILQ_REMOVE(&d->records, r, record, link);
            end_wait(r, err);
            free(r);
        } else {
            end_wait(r, err);
        }
    }
}

static void write_all(struct disk *d)
{
    struct record *r;
    STAILQ_HEAD(, record) batch = STAILQ_HEAD_INITIALIZER(batch);

    STAILQ_CONCAT(&batch, &d->records);
    STAILQ_FOREACH(r, &batch, link)
    write_record(d, r);
    while ((r = STAILQ_FIRST(&batch))) {
        STAILQ_REMOVE_HEAD(&batch, link);
        end_wait(r, 0);
        free(r);
    }
}

static void on_write(void *arg)
{
    struct disk *d = arg;
    struct world *w = d->world;

    d->write_due = false;
    if (w->dead || STAILQ_EMPTY(&d->records) || crashes_here(d))
        return;
    d->writable = w->now_ms >= d->trail_fails_ms;
    counts_add(w->counts, 1, d->writable ? "trail.write" : "trail.write_failed");
    if (d->writable) {
        write_all(d);
        return;
    }
    world_disturbed(w);
    fail_records(d, false, -EIO);
    if (!STAILQ_EMPTY(&d->records))
        write_soon(d, RETRY_MS);
}

static void write_soon(struct disk *d, uint64_t ms)
{
    if (d->write_due)
        return;
    d->write_due = true;
    world_after(d->world, ms, on_write, d);
}

static void on_late(void *arg)
{
    struct disk *d = arg;

    if (!d->world->dead)
        fail_records(d, true, -ETIMEDOUT);
}

static int sink_put(struct audit_sink *sink, const char *members, size_t n, unsigned flags,
                    struct audit_wait *wait)
{
    struct disk *d = disk_of_sink(sink);
    struct world *w = d->world;
    bool slow = w->now_ms < d->trail_slow_ms;

    if (w->dead)
        return wait ? -ESHUTDOWN : 0;
    struct record *r = calloc(1, sizeof *r + n + 1); /* a text */
    if (!r)
        abort();
    r->wall_ms = clock_wall(&w->clock);
    r->until_ms = w->now_ms + DEADLINE_MS;
    r->flags = flags;
    r->n = n;
    r->wait = wait;
    memcpy(r->members, members, n);
    if (wait) {
        wait->entry = r;
        world_after(w, DEADLINE_MS, on_late, d);
    }
    STAILQ_INSERT_TAIL(&d->records, r, link);
    if (slow)
        world_disturbed(w);
    write_soon(d, slow ? d->trail_takes_ms : USUAL_MS);
    return 0;
}

static void sink_forget(struct audit_sink *sink, struct audit_wait *wait)
{
    struct record *r = wait->entry;

    (void)sink;
    if (r)
        r->wait = NULL;
    wait->entry = NULL;
}

static void sink_state(struct audit_sink *sink, struct audit_state *state)
{
    const struct disk *d = disk_of_sink(sink);

    *state = (struct audit_state){.writable = d->writable, .seq = d->last.seq};
}

static const struct audit_sink_ops sink_ops = {sink_put, sink_forget, sink_state};

struct audit_sink *disk_open_trail(struct disk *d)
{
    d->writable = true;
    return &d->sink;
}

/* ---- what a start reads of the trail ---- */

/* From the newest line to the oldest, until fn says that it is enough. */
static int read_back(const struct disk *d, int (*fn)(void *arg, const char *line, size_t n), void *arg)
{
    const char *end = d->file.data + d->file.len;
    int r = 0;

    while (!r && end > d->file.data) {
        const char *at = memrchr(d->file.data, '\n', (size_t)(end - 1 - d->file.data));

        at = at ? at + 1 : d->file.data;
        r = fn(arg, at, (size_t)(end - at));
        end = at;
    }
    return r;
}

static int on_tag_line(void *arg, const char *line, size_t n)
{
    return audit_line_tag(line, n, arg);
}

void disk_tag_of_trail(struct disk *d, struct store *store)
{
    char tag[ID_TAG_SIZE] = "";

    if (*store->ops->tag(store) || !d->file.len || !read_back(d, on_tag_line, tag))
        return;
    if (store->ops->set_tag(store, tag))
        abort();
}

struct claims {
    struct broker *broker;
    struct audit_witness *witness;
    size_t lost;
};

static void on_claim(void *arg, const struct audit_claim *claim)
{
    struct claims *claims = arg;

    claims->lost += broker_claim(claims->broker, claim);
}

static int on_line(void *arg, const char *line, size_t n)
{
    return audit_witness_line(((struct claims *)arg)->witness, line, n);
}

void disk_witness(struct disk *d, struct broker *broker)
{
    struct claims claims = {.broker = broker};

    claims.witness = audit_witness_new(on_claim, &claims);
    if (!claims.witness || (d->file.len && read_back(d, on_line, &claims)))
        abort();
    audit_witness_free(claims.witness);
    counts_add(d->world->counts, claims.lost, "start.claims");
}

/* ---- the end of a process ---- */

static void drop_records(struct disk *d)
{
    struct record *r;

    while ((r = STAILQ_FIRST(&d->records))) {
        STAILQ_REMOVE_HEAD(&d->records, link);
        if (r->wait)
            r->wait->entry = NULL;
        free(r);
    }
}

void disk_closed(struct disk *d)
{
    write_all(d);
    ends_process(d->world->ends);
    d->crash_in = 0;
}

void disk_cut(struct disk *d)
{
    struct record *r;

    d->durable_lists = d->crash_durable & DURABLE_STORE ? d->fs.nlists : 0;
    if (d->crash_durable & DURABLE_TRAIL)
        STAILQ_FOREACH(r, &d->records, link)
    write_record(d, r);
    drop_records(d);
    ends_process(d->world->ends);
    d->crash_in = d->crash_durable = 0;
}

void disk_bury(struct disk *d)
{
    drop_records(d);
    d->fs.commits = 0; /* the fake wants the tag before any commit of a process */
}

/* ---- acts ---- */

void disk_act(struct disk *d, const struct act *act)
{
    uint64_t end_ms = d->world->now_ms + act->a * UINT64_C(1000);

    switch (act->kind) {
    case ACT_STORE_FAILS: d->store_fails_ms = end_ms; break;
    case ACT_STORE_SLOW:
        d->store_slow_ms = end_ms;
        d->store_takes_ms = act->b;
        break;
    case ACT_TRAIL_FAILS: d->trail_fails_ms = end_ms; break;
    case ACT_TRAIL_SLOW:
        d->trail_slow_ms = end_ms;
        d->trail_takes_ms = act->b;
        break;
    default: /* ACT_CRASH */
        d->crash_in = act->a + 1;
        d->crash_durable = act->b;
        d->crash_restart_ms = act->c;
    }
}

void disk_heal(struct disk *d)
{
    d->store_fails_ms = d->store_slow_ms = d->trail_fails_ms = d->trail_slow_ms = 0;
    d->crash_in = 0;
}

/* ---- what is durable ---- */

bool disk_has_request(const struct disk *d, const char *mark, const char *name)
{
    for (size_t i = 0; i < FAKE_STORE_ROWS; i++) {
        const struct request_row *row = d->fs.requests[i];

        if (row && (strcmp(row->mark, mark) == 0 || strcmp(row->name, name) == 0))
            return true;
    }
    return false;
}

size_t disk_requests(const struct disk *d)
{
    size_t n = 0;

    for (size_t i = 0; i < FAKE_STORE_ROWS; i++)
        n += d->fs.requests[i] && d->fs.requests[i]->state != REQUEST_LAPSED;
    return n;
}

size_t disk_leases(const struct disk *d)
{
    return fake_store_leases(&d->fs);
}

bool disk_has_checkout(const struct disk *d, const char *lease_id)
{
    struct checkout_seen *seen = NULL;

    HASH_FIND_STR(d->checkouts, lease_id, seen);
    return seen;
}

bool disk_steps_refused(const struct disk *d)
{
    return d->fs.otherwise > 0;
}

bool disk_fails(const struct disk *d)
{
    uint64_t now = d->world->now_ms;

    return now < d->store_fails_ms || now < d->trail_fails_ms || now < d->store_slow_ms ||
           now < d->trail_slow_ms;
}

const char *disk_trail_fault(const struct disk *d)
{
    struct audit_link at;
    const char *p = d->file.data, *end = p + d->file.len;

    audit_link_none(&at);
    while (p < end) {
        const char *stop = memchr(p, '\n', (size_t)(end - p));
        struct audit_line line;

        if (!stop)
            return "a line has no end";
        const char *why;
        if (audit_line_read(p, (size_t)(stop + 1 - p), &line, &why))
            return why ? why : "out of memory";
        if (line.link.seq != at.seq + 1 || strcmp(line.prev, at.hash) != 0)
            return "a line does not follow the one before";
        at = line.link;
        p = stop + 1;
    }
    return NULL;
}

/* ---- life ---- */

struct disk *disk_new(struct world *w)
{
    struct disk *d = calloc(1, sizeof *d);

    if (!d)
        abort();
    d->world = w;
    fake_store_init(&d->fs, &w->clock);
    d->fs.fails = commit_fails;
    d->fs.fails_arg = d;
    d->fake_ops = d->fs.store.ops;
    d->ops = *d->fake_ops;
    d->ops.steps = disk_steps;
    d->ops.close = disk_close;
    d->fs.store.ops = &d->ops;
    d->sink.ops = &sink_ops;
    STAILQ_INIT(&d->records);
    d->file = BUF_INIT(TRAIL_MAX);
    audit_link_none(&d->last);
    return d;
}

static void free_attempts(struct disk *d)
{
    struct attempts_seen *seen, *next;

    HASH_ITER(hh, d->attempts, seen, next)
    {
        HASH_DEL(d->attempts, seen);
        free(seen);
    }
}

void disk_free(struct disk *d)
{
    struct checkout_seen *seen, *next;

    HASH_ITER(hh, d->checkouts, seen, next)
    {
        HASH_DEL(d->checkouts, seen);
        free(seen);
    }
    free_attempts(d);
    drop_records(d);
    buf_free(&d->file);
    fake_store_free(&d->fs);
    free(d);
}
