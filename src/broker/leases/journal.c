/* SPDX-License-Identifier: Apache-2.0 */
/*
 * journal.c - steps on their way to the store; see journal.h.
 *
 * An entry is one step with its texts in one piece, since a step cannot be cancelled and must stay valid
 * until it is done; an entry whose journal has ended (journal == NULL) frees itself.
 *
 * While the store cannot write, the queue is stuck: nothing is given to the store until a second has passed
 * and the store says that it can write. Waits are called with the error, and decide: a check-out ends, a
 * release goes on.
 *
 * Not here: which steps there are and when (rows.c).
 */
#include "broker/leases/journal.h"

#include "base/container_of.h"
#include "base/crash_point.h"
#include "base/log.h"
#include "base/queue/group_commit.h"
#include "stores/store_rows.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define TRY_AGAIN_MS 1000
#define DELAY_MS     25    /* longer than a quick vault needs for a check-in; no operation waits meanwhile */
#define TRAIL_MS     10000 /* a trail that cannot be written holds no step up for longer */

LIST_HEAD(wait_list, journal_wait);

struct journal_entry {
    struct store_step step;
    struct journal *journal;
    struct wait_list waits;
    TAILQ_ENTRY(journal_entry) link; /* of the queue, or of those that the store has */
    bool is_awaited;                 /* an operation waits for it */
    bool is_given_up;                /* it follows a step of a check-out that has not happened */
    bool is_given;                   /* the store has it */
    uint64_t taken, until_ms;        /* of one that waits for the trail: for so many records, and how long */
    char texts[];
};

TAILQ_HEAD(entry_list, journal_entry);

struct journal {
    struct timers *timers;
    struct store *store;
    bool is_shared;
    struct entry_list queue, given;
    struct entry_list unrecorded; /* these wait for the trail, before they are queued */
    struct audit *audit;          /* of these */
    struct deadline look;         /* at the trail */
    struct entry_list kept;       /* of the commit that is ending: away, and given again */
    int kept_err;                 /* why */
    size_t nqueued;
    uint64_t refused;
    struct group_commit group_commit;
    struct deadline again;
    bool is_stuck;
    bool is_loading;
    bool step_lost; /* for want of memory: the store has older rows */
};

static bool on_commit(struct group_commit *);
static void on_done(struct store_step *, enum store_outcome);

struct journal *journal_new(struct timers *timers, struct store *store)
{
    struct journal *j = calloc(1, sizeof *j);

    if (!j)
        return NULL;
    if (timer_reserve(timers, &j->again)) {
        free(j);
        return NULL;
    }
    if (timer_reserve(timers, &j->look)) {
        timer_unreserve(timers, &j->again);
        free(j);
        return NULL;
    }
    j->timers = timers;
    j->store = store;
    j->is_shared = store_is_shared(store);
    j->group_commit = (struct group_commit){.timers = timers, .commit = on_commit, .delay_ms = DELAY_MS};
    TAILQ_INIT(&j->queue);
    TAILQ_INIT(&j->given);
    TAILQ_INIT(&j->kept);
    TAILQ_INIT(&j->unrecorded);
    return j;
}

bool journal_writable(const struct journal *j)
{
    struct store_state state;

    if (!j->store)
        return true;
    j->store->ops->state(j->store, &state);
    return state.writable;
}

bool journal_quiet(const struct journal *j)
{
    return TAILQ_EMPTY(&j->given) && TAILQ_EMPTY(&j->unrecorded) && (j->is_stuck || TAILQ_EMPTY(&j->queue));
}

uint64_t journal_refused(const struct journal *j)
{
    return j->refused;
}

size_t journal_stuck(const struct journal *j)
{
    return j->is_stuck ? j->nqueued : 0;
}

/* ---- where a test may end the process ---- */

static void pass_crash_point(const struct store_step *step, bool durable)
{
    static const struct {
        const char *before, *durable;
    } points[STEP_NKINDS] = {
        [STEP_ASK] = {"checkout.intent.before", "checkout.intent.durable"},
        [STEP_OPEN] = {"checkout.open.before", "checkout.open.durable"},
        [STEP_PEND] = {"lease.pending.before", "lease.pending.durable"},
        [STEP_LEAVE] = {"lease.leave.before", "lease.leave.durable"},
        [STEP_RETURN] = {"lease.releasing.before", "lease.releasing.durable"},
        [STEP_LAPSE] = {"lease.lapsed.before", "lease.lapsed.durable"},
        [STEP_CLOSE] = {"lease.close.before", "lease.close.durable"},
        [STEP_CURSOR] = {"pra.cursor.before", "pra.cursor.durable"},
        [STEP_SPIN] = {"spin.row.before", "spin.row.durable"},
        [STEP_AGAIN] = {"spin.again.before", "spin.again.durable"},
        [STEP_RELEASE] = {"lease.release.before", "lease.release.durable"},
    };
    const char *name = durable ? points[step->kind].durable : points[step->kind].before;

    if (name)
        crash_point(name);
}

/* ---- entries and their waits ---- */

static struct journal_entry *entry_new(struct journal *j, const struct store_step *step)
{
    struct store_step given = *step;
    struct row_texts texts;

    store_step_texts(&given, &texts);
    struct journal_entry *entry = malloc(sizeof *entry + row_texts_size(&texts));

    if (!entry)
        return NULL;
    *entry = (struct journal_entry){.step = *step, .journal = j};
    entry->step.done = on_done;
    store_step_texts(&entry->step, &texts);
    row_texts_move(&texts, entry->texts);
    return entry;
}

void journal_unwait(struct journal_wait *w)
{
    if (!w->entry)
        return;
    LIST_REMOVE(w, link);
    w->entry = NULL;
}

static void wait_for(struct journal_entry *entry, struct journal_wait *w,
                     void (*done)(struct journal_wait *, int err))
{
    w->done = done;
    w->entry = entry;
    LIST_INSERT_HEAD(&entry->waits, w, link);
}

/* Each may put steps, and unlink others. */
static void notify_waits(struct wait_list *waits, int err, const struct store_step *step)
{
    struct journal_wait *w;

    while ((w = LIST_FIRST(waits))) {
        journal_unwait(w);
        w->step = step;
        w->done(w, err);
    }
}

/* The entry stays; those that waited for it are called. `all` = also those that follow it to its end. */
static void move_waits(struct journal_entry *entry, struct wait_list *to, bool all)
{
    struct journal_wait *w, *next;

    for (w = LIST_FIRST(&entry->waits); w; w = next) {
        next = LIST_NEXT(w, link);
        if (w->follows && !all)
            continue;
        LIST_REMOVE(w, link);
        LIST_INSERT_HEAD(to, w, link);
    }
}

/* The row of a request that was found at the vault is asked for as RETURNING. */
static bool asks_vault(const struct store_step *step)
{
    return (step->kind == STEP_ASK && step->request.state == REQUEST_ASKED) || step->kind == STEP_AGAIN;
}

/* Of a check-out that has not sent anything: it ends. */
static bool is_given_up(const struct journal_entry *entry)
{
    return entry->is_given_up || (entry->is_awaited && asks_vault(&entry->step));
}

static void dequeue(struct journal_entry *entry)
{
    TAILQ_REMOVE(&entry->journal->queue, entry, link);
    entry->journal->nqueued--;
}

static bool is_of_same_row(const struct journal_entry *a, const struct journal_entry *b)
{
    const char *mark = a->step.request.mark, *other = b->step.request.mark;

    return mark && other && strcmp(mark, other) == 0;
}

/* From `entry` on, in the queue. */
static void give_up_queued(struct journal_entry *entry, const struct journal_entry *asked,
                           struct wait_list *waits)
{
    struct journal_entry *next;

    for (; entry; entry = next) {
        next = TAILQ_NEXT(entry, link);
        if (!is_of_same_row(entry, asked))
            continue;
        move_waits(entry, waits, true);
        dequeue(entry);
        free(entry);
    }
}

/* The row of this STEP_ASK is never made, so what was put for it meanwhile never happens: the lsid of a
 * session that begins while its check-out waits. What was put for the row before it stays. `first`: of the
 * queue, after it. */
static void give_up_followers(struct journal *j, const struct journal_entry *asked,
                              struct journal_entry *first, struct wait_list *waits)
{
    struct journal_entry *entry;

    TAILQ_FOREACH(entry, &j->given, link)
    entry->is_given_up |= is_of_same_row(entry, asked);
    give_up_queued(first, asked, waits);
}

/* ---- steps that wait for the audit trail ---- */

static bool is_recorded(const struct journal *j, const struct journal_entry *entry,
                        const struct audit_state *trail)
{
    return trail->settled >= entry->taken || (!trail->writable && !audit_is_strict(j->audit)) ||
           clock_now(timers_clock(j->timers)) >= entry->until_ms;
}

/* Those that need not wait any more; `trail` NULL = all. */
static bool queue_unrecorded(struct journal *j, const struct audit_state *trail)
{
    struct journal_entry *entry;
    bool any = false;

    while ((entry = TAILQ_FIRST(&j->unrecorded)) && (!trail || is_recorded(j, entry, trail))) {
        TAILQ_REMOVE(&j->unrecorded, entry, link);
        TAILQ_INSERT_TAIL(&j->queue, entry, link);
        j->nqueued++;
        any = true;
    }
    return any;
}

static bool queue_recorded(struct journal *j)
{
    struct audit_state trail;

    if (TAILQ_EMPTY(&j->unrecorded))
        return false;
    audit_state(j->audit, &trail);
    return queue_unrecorded(j, &trail);
}

/* They have waited for as long as a step that no operation awaits. */
static void on_look(struct deadline *d)
{
    struct journal *j = CONTAINER_OF(d, struct journal, look);

    if (queue_recorded(j))
        group_commit_add(&j->group_commit, true);
    if (!TAILQ_EMPTY(&j->unrecorded))
        timer_set(j->timers, &j->look, DELAY_MS, on_look);
}

/* ---- a store that cannot write ---- */

static void on_retry(struct deadline *d);

static void try_later(struct journal *j, uint64_t delay_ms)
{
    if (!j->is_loading && !timer_running(&j->again))
        timer_set(j->timers, &j->again, delay_ms, on_retry);
}

static void unstick(struct journal *j)
{
    j->is_stuck = false;
    if (!TAILQ_EMPTY(&j->queue))
        group_commit_add(&j->group_commit, true);
}

static void on_retry(struct deadline *d)
{
    struct journal *j = CONTAINER_OF(d, struct journal, again);

    if (j->is_shared || journal_writable(j))
        unstick(j);
    else
        try_later(j, TRY_AGAIN_MS);
}

/* What waits for its step ends; what a check-out has waited for never happens. */
static void stick(struct journal *j, int err)
{
    struct wait_list waits = LIST_HEAD_INITIALIZER(waits);
    struct journal_entry *entry, *next;

    TAILQ_CONCAT(&j->kept, &j->queue, link);
    TAILQ_CONCAT(&j->queue, &j->kept, link); /* before all newer ones */
    j->is_stuck = true;
    try_later(j, TRY_AGAIN_MS);
    for (entry = TAILQ_FIRST(&j->queue); entry; entry = next) {
        bool given_up = is_given_up(entry);

        move_waits(entry, &waits, given_up);
        if (given_up)
            give_up_followers(j, entry, TAILQ_NEXT(entry, link), &waits);
        next = TAILQ_NEXT(entry, link); /* not one of the followers */
        if (given_up) {
            dequeue(entry);
            free(entry);
        }
    }
    notify_waits(&waits, err, NULL);
}

void journal_resume(struct journal *j)
{
    unstick(j);
}

static void void_entry(struct journal *j, struct journal_entry *entry)
{
    struct wait_list waits = LIST_HEAD_INITIALIZER(waits);

    dequeue(entry);
    move_waits(entry, &waits, true);
    notify_waits(&waits, -ECANCELED, j->is_shared ? &entry->step : NULL);
    free(entry);
}

void journal_void(struct journal *j)
{
    struct journal_entry *entry;

    TAILQ_CONCAT(&j->kept, &j->queue, link);
    TAILQ_CONCAT(&j->queue, &j->kept, link);
    (void)queue_unrecorded(j, NULL);
    while ((entry = TAILQ_FIRST(&j->queue)))
        void_entry(j, entry);
    j->step_lost = false;
}

/* ---- commits ---- */

static bool on_commit(struct group_commit *g)
{
    struct journal *j = CONTAINER_OF(g, struct journal, group_commit);
    struct store_steps list = STAILQ_HEAD_INITIALIZER(list);
    struct journal_entry *entry;

    (void)queue_recorded(j);
    if (j->is_stuck || TAILQ_EMPTY(&j->queue))
        return false;
    TAILQ_FOREACH(entry, &j->queue, link)
    {
        pass_crash_point(&entry->step, false);
        entry->is_given = true;
        STAILQ_INSERT_TAIL(&list, &entry->step, link);
    }
    if (j->store->ops->steps(j->store, &list)) { /* it is closing */
        j->is_stuck = true;
        return false;
    }
    TAILQ_CONCAT(&j->given, &j->queue, link);
    j->nqueued = 0;
    return true;
}

/* With the names of the row as it is: those of the step need not be there. */
static void note_refusal(const struct store_step *step)
{
    static const struct request_row none = {0};
    const struct request_row *now = step->now ? step->now : &none;
    const char *lease = step->lease.id; /* NULL: the step is of the request alone */

    log_error("step_refused",
              "step=%s request=%s lease=%s found=%s vault=%s vault_user=%s user=%s domain=%s session=%s "
              "system=%s account=%s hint=%s",
              store_step_rules[step->kind].name, step->request.mark, lease && *lease ? lease : NULL,
              step->now ? request_state_words[now->state] : "none", now->vault, now->user,
              now->asker.username, now->asker.domain, now->asker.session, now->asker.system,
              now->asker.account,
              "the lease store is not as the gateway has written it; a restart reads it again");
}

/* The last step of a commit: what was kept of it, and what came meanwhile, follows. */
static void commit_done(struct journal *j, int err)
{
    if (err)
        stick(j, err);
    group_commit_done(&j->group_commit);
}

/* In a shared store another gateway may have changed the rows: then those that follow the step deal with it.
 */
static void note_outcome(struct journal *j, const struct store_step *step, enum store_outcome outcome)
{
    if (outcome == STORE_APPLIED)
        pass_crash_point(step, true);
    if (outcome != STORE_OTHERWISE)
        return;
    if (j && j->is_shared) {
        log_debug("step_otherwise", "step=%s request=%s", store_step_rules[step->kind].name,
                  step->request.mark);
        return;
    }
    note_refusal(step);
    if (j)
        j->refused++;
}

/* The gateway was fenced, or the step came too late. */
static bool is_void(const struct journal *j, const struct store_step *step)
{
    return j->is_shared && (step->err == -ESTALE || step->err == -ETIMEDOUT);
}

static int error_of(const struct journal *j, const struct store_step *step, enum store_outcome outcome)
{
    if (outcome == STORE_AWAY)
        return is_void(j, step) ? -ECANCELED : step->err;
    return outcome == STORE_OTHERWISE ? -ESTALE : 0;
}

static void on_done(struct store_step *step, enum store_outcome outcome)
{
    struct journal_entry *entry = CONTAINER_OF(step, struct journal_entry, step);
    struct journal *j = entry->journal;
    struct wait_list waits = LIST_HEAD_INITIALIZER(waits), followers = LIST_HEAD_INITIALIZER(followers);

    note_outcome(j, step, outcome);
    if (!j) { /* the broker has ended before */
        free(entry);
        return;
    }
    int err = error_of(j, step, outcome);
    bool is_kept = outcome == STORE_AWAY && !is_given_up(entry) && !is_void(j, step);

    TAILQ_REMOVE(&j->given, entry, link);
    move_waits(entry, &waits, !is_kept);
    if (outcome == STORE_AWAY && is_given_up(entry))
        give_up_followers(j, entry, TAILQ_FIRST(&j->queue), &followers);
    if (is_kept) {
        entry->is_given = false;
        TAILQ_INSERT_TAIL(&j->kept, entry, link);
        j->nqueued++;
        j->kept_err = err;
    }
    bool last = TAILQ_EMPTY(&j->given);

    notify_waits(&waits, err, j->is_shared ? step : NULL);
    notify_waits(&followers, err, NULL);
    if (!is_kept)
        free(entry);
    if (last && j->is_shared)
        commit_done(j, TAILQ_EMPTY(&j->kept) ? 0 : j->kept_err); /* whatever became of the last one */
    else if (last)
        commit_done(j, outcome == STORE_AWAY ? err : 0);
}

/* ---- putting and waiting ---- */

/* `awaited`: by an operation. */
static int put(struct journal *j, const struct store_step *step, bool awaited, struct journal_wait *wait,
               void (*done)(struct journal_wait *, int err))
{
    if (!j->store)
        return 0; /* `wait` is not called */
    bool can = !j->is_loading && (j->is_shared || journal_writable(j));

    if (can && j->is_stuck)
        unstick(j);
    if (!can && awaited && asks_vault(step))
        return -EIO;
    struct journal_entry *entry = step->kind == STEP_CURSOR && j->step_lost ? NULL : entry_new(j, step);

    if (!entry) {
        j->step_lost = true;
        return -ENOMEM;
    }
    TAILQ_INSERT_TAIL(&j->queue, entry, link);
    j->nqueued++;
    entry->is_awaited = awaited;
    if (!can) {
        j->is_stuck = true;
        try_later(j, TRY_AGAIN_MS);
        return awaited ? -EIO : 1;
    }
    if (wait)
        wait_for(entry, wait, done);
    group_commit_add(&j->group_commit, awaited);
    return 1;
}

int journal_put(struct journal *j, const struct store_step *step, struct journal_wait *wait,
                void (*done)(struct journal_wait *, int err))
{
    return put(j, step, wait != NULL, wait, done);
}

int journal_put_recorded(struct journal *j, const struct store_step *step, struct audit *audit)
{
    struct audit_state trail;

    j->audit = audit;
    audit_state(audit, &trail);
    (void)queue_unrecorded(j, &trail);
    if (!j->store || j->is_loading || trail.settled >= trail.taken)
        return put(j, step, false, NULL, NULL);
    struct journal_entry *entry = entry_new(j, step);

    if (!entry) {
        j->step_lost = true;
        return -ENOMEM;
    }
    entry->taken = trail.taken;
    entry->until_ms = clock_now(timers_clock(j->timers)) + TRAIL_MS;
    TAILQ_INSERT_TAIL(&j->unrecorded, entry, link);
    if (!timer_running(&j->look))
        timer_set(j->timers, &j->look, DELAY_MS, on_look);
    return 1;
}

static void on_returned(struct journal_wait *w, int err)
{
    (void)w;
    (void)err; /* what ends the request is a step of its own from now on */
}

int journal_put_return(struct journal *j, const struct store_step *step, struct journal_wait *wait)
{
    return put(j, step, false, wait, on_returned);
}

bool journal_close_returned(struct journal_wait *wait)
{
    struct journal_entry *entry = wait->entry;

    if (!entry || entry->is_given)
        return false;
    journal_unwait(wait);
    entry->step.kind = STEP_CLOSE;
    return true;
}

int journal_await_all(struct journal *j, struct journal_wait *w, void (*done)(struct journal_wait *, int err))
{
    if (j->is_stuck && journal_writable(j))
        unstick(j);
    if (j->is_stuck && j->nqueued)
        return -EIO;
    struct journal_entry *last = TAILQ_LAST(&j->queue, entry_list);

    if (last) {
        wait_for(last, w, done);
        group_commit_add(&j->group_commit, true);
        return 1;
    }
    last = TAILQ_LAST(&j->given, entry_list);
    if (last)
        wait_for(last, w, done);
    return last != NULL;
}

/* ---- begin and end ---- */

int journal_load(struct journal *j, const struct store_reader *reader, void *arg)
{
    if (!j->store)
        return 0;
    j->is_stuck = j->is_loading = true;
    int err = j->store->ops->load(j->store, reader, arg);

    j->is_loading = false;
    j->is_stuck = j->nqueued > 0;
    if (j->is_stuck)
        try_later(j, 0);
    return err;
}

static void unwait_all(struct journal_entry *entry)
{
    struct journal_wait *w;

    while ((w = LIST_FIRST(&entry->waits)))
        journal_unwait(w);
}

/* The store frees those that it has by calling their `done`. */
static void let_go(struct entry_list *list, bool of_store)
{
    struct journal_entry *entry;

    while ((entry = TAILQ_FIRST(list))) {
        unwait_all(entry);
        TAILQ_REMOVE(list, entry, link);
        entry->journal = NULL;
        if (!of_store)
            free(entry);
    }
}

void journal_free(struct journal *j)
{
    if (!j)
        return;
    group_commit_stop(&j->group_commit);
    (void)queue_unrecorded(j, NULL);
    if (j->store)
        (void)on_commit(&j->group_commit); /* what is still delayed is written as well */
    timer_unreserve(j->timers, &j->again);
    timer_unreserve(j->timers, &j->look);
    let_go(&j->given, true);
    let_go(&j->queue, false);
    let_go(&j->kept, false);
    free(j);
}
