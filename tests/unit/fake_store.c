/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fake_store.c - see the header.
 */
#include "fake_store.h"

#include "check.h"
#include "stores/store_rows.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- rows ---- */

struct request_row **fake_find_request(struct fake_store *fs, const char *mark)
{
    for (size_t i = 0; i < FAKE_STORE_ROWS; i++)
        if (fs->requests[i] && strcmp(fs->requests[i]->mark, mark) == 0)
            return &fs->requests[i];
    return NULL;
}

struct lease_row **fake_find_lease(struct fake_store *fs, const char *request, const char *id)
{
    for (size_t i = 0; i < FAKE_STORE_ROWS; i++)
        if (fs->leases[i] && (!request || strcmp(fs->leases[i]->request, request) == 0) &&
            (!id || strcmp(fs->leases[i]->id, id) == 0))
            return &fs->leases[i];
    return NULL;
}

void fake_store_put_request(struct fake_store *fs, const struct request_row *row)
{
    struct request_row **at = fake_find_request(fs, row->mark), *copy = request_row_copy(row);

    for (size_t i = 0; !at && i < FAKE_STORE_ROWS; i++)
        if (!fs->requests[i])
            at = &fs->requests[i];
    if (!at || !copy)
        abort(); /* a runaway test */
    free(*at);
    *at = copy;
}

void fake_store_put_lease(struct fake_store *fs, const struct lease_row *row)
{
    struct lease_row **at = fake_find_lease(fs, row->request, row->id), *copy = lease_row_copy(row);

    for (size_t i = 0; !at && i < FAKE_STORE_ROWS; i++)
        if (!fs->leases[i])
            at = &fs->leases[i];
    if (!at || !copy)
        abort();
    copy->answers = *at ? (*at)->answers : row->answers;
    free(*at);
    *at = copy;
}

void fake_store_put_cursor(struct fake_store *fs, const struct cursor_row *row)
{
    size_t i = 0;

    while (i < fs->ncursors && strcmp(fs->cursors[i].site, row->site) != 0)
        i++;
    if (i == FAKE_STORE_CURSORS || strlen(row->site) >= sizeof fs->cursors[i].site)
        abort();
    fs->ncursors += i == fs->ncursors;
    (void)strcpy(fs->cursors[i].site, row->site);
    fs->cursors[i].ms = row->cursor_ms;
}

/* ---- steps ---- */

/* Does another lease than the step's own hold the request? */
static bool is_held_by_others(const struct fake_store *fs, const struct store_step *step)
{
    const char *own = store_step_rules[step->kind].lease == ROW_DELETED ? step->lease.id : "";

    for (size_t i = 0; i < FAKE_STORE_ROWS; i++)
        if (fs->leases[i] && strcmp(fs->leases[i]->request, step->request.mark) == 0 &&
            strcmp(fs->leases[i]->id, own) != 0)
            return true;
    return false;
}

static bool is_as_expected(const struct fake_store *fs, const struct store_step *step,
                           const struct request_row *row)
{
    const struct store_step_rule *rule = &store_step_rules[step->kind];

    if (rule->request == ROW_INSERTED)
        return !row;
    if (rule->request == ROW_DELETED && !row)
        return true;
    if (!row || (rule->alone && is_held_by_others(fs, step)))
        return false;
    unsigned from = rule->from ? rule->from : rule->request == ROW_DELETED ? ~0U : 1U << step->request.state;

    return from >> row->state & 1;
}

void fake_update_request(struct fake_store *fs, const struct request_row *old, const struct request_row *new)
{
    struct request_row row = *old;

    row.owner = new->owner;
    row.cancelled = false;
    row.state = new->state;
    row.vault = new->vault;
    row.url = new->url;
    row.name = new->name;
    row.adopted = new->adopted;
    row.expires_wall_ms = new->expires_wall_ms;
    row.checkins_due = new->checkins_due;
    row.attempts = new->attempts;
    row.next_wall_ms = new->next_wall_ms;
    row.last_error = new->last_error;
    row.spin = new->spin;
    row.spins = new->spins;
    row.began_wall_ms = new->began_wall_ms;
    row.asker.lsid = new->asker.lsid;
    fake_store_put_request(fs, &row);
}

static void change_request(struct fake_store *fs, const struct store_step *step, struct request_row **at)
{
    switch (store_step_rules[step->kind].request) {
    case ROW_INSERTED: fake_store_put_request(fs, &step->request); break;
    case ROW_UPDATED: fake_update_request(fs, *at, &step->request); break;
    case ROW_DELETED:
        if (at) {
            free(*at);
            *at = NULL;
        }
        break;
    case ROW_AS_IS: break;
    }
}

static void amend_lease(struct fake_store *fs, const struct lease_row *old, const struct lease_row *new)
{
    struct lease_row row = *old;

    row.holder.lsid = new->holder.lsid;
    row.ended = new->ended;
    row.ended_site = new->ended_site;
    fake_store_put_lease(fs, &row);
}

static void change_lease(struct fake_store *fs, const struct store_step *step)
{
    enum row_change change = store_step_rules[step->kind].lease;
    struct lease_row **at = change == ROW_AS_IS || !*step->lease.id
                                ? NULL
                                : fake_find_lease(fs, step->lease.request, step->lease.id);

    if (change == ROW_INSERTED)
        fake_store_put_lease(fs, &step->lease);
    else if (at && change == ROW_UPDATED)
        amend_lease(fs, *at, &step->lease);
    else if (at && change == ROW_DELETED) {
        free(*at);
        *at = NULL;
    }
}

static struct fake_store *rows_of(struct fake_store *fs)
{
    return fs->node.rows ? fs->node.rows : fs;
}

static enum store_outcome apply_to(struct fake_store *rows, struct store_step *step)
{
    bool as_is = store_step_rules[step->kind].request == ROW_AS_IS;
    struct request_row **at = as_is ? NULL : fake_find_request(rows, step->request.mark);

    if (!as_is && !is_as_expected(rows, step, at ? *at : NULL)) {
        step->now = at ? request_row_copy(*at) : NULL;
        return STORE_OTHERWISE;
    }
    change_request(rows, step, at);
    change_lease(rows, step);
    at = step->kind == STEP_OPEN && *step->instead ? fake_find_request(rows, step->instead) : NULL;
    if (at && (*at)->state == REQUEST_ASKED) {
        free(*at);
        *at = NULL;
    }
    return STORE_APPLIED;
}

enum store_outcome fake_store_apply(struct fake_store *fs, struct store_step *step)
{
    const char *owner = step->request.owner; /* as it is described */
    enum store_outcome outcome;

    if (step->kind == STEP_CURSOR) {
        fake_store_put_cursor(fs, &step->cursor);
        return STORE_APPLIED;
    }
    if (!fs->node.rows || !fake_shared_apply(fs, step, &outcome))
        outcome = apply_to(rows_of(fs), step);
    step->request.owner = owner;
    fs->otherwise += outcome == STORE_OTHERWISE;
    return outcome;
}

/* ---- the store's own ---- */

static bool is_writable(const struct fake_store *fs)
{
    return !fs->broken && clock_now(fs->clock) >= fs->writable_ms;
}

static int fake_load(struct store *s, const struct store_reader *reader, void *arg)
{
    struct fake_store *fs = (struct fake_store *)s;
    int err = fs->load_err;

    for (size_t i = 0; i < FAKE_STORE_ROWS && !err && !fs->node.rows; i++)
        if (fs->requests[i] && reader->request)
            err = reader->request(arg, fs->requests[i]);
    for (size_t i = 0; i < FAKE_STORE_ROWS && !err && !fs->node.rows; i++)
        if (fs->leases[i] && reader->lease)
            err = reader->lease(arg, fs->leases[i]);
    for (size_t i = 0; i < fs->ncursors && !err && reader->cursor; i++)
        err = reader->cursor(arg, &(struct cursor_row){fs->cursors[i].site, fs->cursors[i].ms});
    if (fs->npending)
        abort(); /* nothing may be given before all is read */
    return err;
}

static const char *fake_tag(const struct store *s)
{
    return ((const struct fake_store *)s)->tag;
}

static int fake_set_tag(struct store *s, const char tag[ID_TAG_SIZE])
{
    struct fake_store *fs = (struct fake_store *)s;

    if (fs->npending || fs->commits)
        abort(); /* nothing may be given before */
    memcpy(fs->tag, tag, ID_TAG_SIZE);
    return 0;
}

static int fake_steps(struct store *s, struct store_steps *steps)
{
    struct fake_store *fs = (struct fake_store *)s;
    struct store_step *step;
    size_t n = 0;

    STAILQ_FOREACH(step, steps, link)
    {
        step->now = NULL;
        step->lease_now = NULL;
        n++;
    }
    if (fs->nlists == FAKE_STORE_LISTS)
        abort();
    fs->lists[fs->nlists++] = n;
    fs->npending += n;
    fs->steps += (unsigned)n;
    STAILQ_CONCAT(&fs->queue, steps);
    return 0;
}

static void fake_state(const struct store *s, struct store_state *state)
{
    const struct fake_store *fs = (const struct fake_store *)s;

    *state = (struct store_state){.writable = is_writable(fs), .queued = fs->npending};
    if (fs->node.rows)
        state->cluster = &fs->node.cluster;
}

static void fake_close(struct store *s, void (*closed)(void *arg), void *arg)
{
    (void)fake_store_commit((struct fake_store *)s);
    closed(arg);
}

static const struct store_ops fake_ops = {.name = "fake",
                                          .load = fake_load,
                                          .tag = fake_tag,
                                          .set_tag = fake_set_tag,
                                          .steps = fake_steps,
                                          .state = fake_state,
                                          .close = fake_close};

/* ---- the test's ---- */

void fake_store_init(struct fake_store *fs, const struct clock *clock)
{
    memset(fs, 0, sizeof *fs);
    fs->store.ops = &fake_ops;
    fs->clock = clock;
    STAILQ_INIT(&fs->queue);
}

void fake_store_free(struct fake_store *fs)
{
    fake_store_crash(fs, 0);
    for (size_t i = 0; i < FAKE_STORE_ROWS; i++) {
        free(fs->requests[i]);
        free(fs->leases[i]);
    }
}

static void finish(struct store_step *step, enum store_outcome outcome, int err)
{
    struct request_row *now = step->now;
    struct lease_row *lease_now = step->lease_now;

    step->err = err;
    step->done(step, outcome);
    free(now);
    free(lease_now);
}

bool fake_store_commit(struct fake_store *fs)
{
    struct store_steps batch = STAILQ_HEAD_INITIALIZER(batch);
    enum store_outcome *outcomes = calloc(fs->npending + 1, sizeof *outcomes);
    struct store_step *step;
    size_t n = 0;
    bool waits = !STAILQ_EMPTY(&fs->queue);
    bool fails =
        waits && (fs->broken || fs->node.fenced || (fs->fails && fs->fails(fs->fails_arg, fs->commits)));

    if (!outcomes)
        abort();
    fs->commits += waits;
    STAILQ_CONCAT(&batch, &fs->queue);
    fs->npending = fs->nlists = 0;
    if (fails)
        fs->writable_ms = clock_now(fs->clock) + SECONDS(1);
    STAILQ_FOREACH(step, &batch, link)
    outcomes[n++] = fails ? STORE_AWAY : fake_store_apply(fs, step);
    for (n = 0; (step = STAILQ_FIRST(&batch)); n++) {
        STAILQ_REMOVE_HEAD(&batch, link);
        finish(step, outcomes[n], !fails ? 0 : fs->node.fenced ? -ESTALE : -ENOSPC);
    }
    free(outcomes);
    return (fs->node.rows && fake_shared_commit(fs)) || waits;
}

void fake_store_crash(struct fake_store *fs, size_t durable)
{
    struct store_step *step;
    size_t whole = 0;

    for (size_t i = 0; i < fs->nlists && i < durable; i++)
        whole += fs->lists[i];
    while ((step = STAILQ_FIRST(&fs->queue))) {
        STAILQ_REMOVE_HEAD(&fs->queue, link);
        if (whole)
            (void)fake_store_apply(fs, step);
        whole -= whole != 0;
        finish(step, STORE_AWAY, -EIO); /* its caller is gone */
    }
    fs->npending = fs->nlists = 0;
}

const struct request_row *fake_store_request(const struct fake_store *fs, const char *mark)
{
    struct request_row **at = fake_find_request((struct fake_store *)(uintptr_t)fs, mark);

    return at ? *at : NULL;
}

const struct lease_row *fake_store_lease(const struct fake_store *fs, const char *id)
{
    struct lease_row **at = fake_find_lease((struct fake_store *)(uintptr_t)fs, NULL, id);

    return at ? *at : NULL;
}

size_t fake_store_count(const struct fake_store *fs)
{
    size_t n = 0;

    for (size_t i = 0; i < FAKE_STORE_ROWS; i++)
        n += fs->requests[i] != NULL;
    return n;
}

size_t fake_store_leases(const struct fake_store *fs)
{
    size_t n = 0;

    for (size_t i = 0; i < FAKE_STORE_ROWS; i++)
        n += fs->leases[i] != NULL;
    return n;
}

const struct request_row *fake_store_only(const struct fake_store *fs)
{
    for (size_t i = 0; i < FAKE_STORE_ROWS; i++)
        if (fs->requests[i])
            return fs->requests[i];
    return NULL;
}

const struct lease_row *fake_store_only_lease(const struct fake_store *fs)
{
    struct lease_row **at = fake_find_lease((struct fake_store *)(uintptr_t)fs, NULL, NULL);

    return at ? *at : NULL;
}
