/* SPDX-License-Identifier: Apache-2.0 */
/*
 * offline.c - leases without a running gateway; see offline.h.
 *
 * All rows are read and sorted by vault request, so that rows with the same request are neighbours: they give
 * a lease's sessions and the other holders of its request.
 *
 * A lease ends here as in the gateway, without the vault: while others hold the same request the row is
 * removed; the last holder's row becomes `releasing`, due at once, and the next start checks it in. The row
 * of a person's own request (adopted) is removed as well, since it is never checked in. An intent is kept:
 * only the vault knows its outcome, and every start recovers it.
 *
 * Who ends a lease here is written into the audit trail, as a running gateway does (trail.c).
 *
 * Nothing here creates a store: run as root it would leave files that the gateway's user cannot open.
 */
#include "commands/leases/offline.h"

#include "base/container_of.h"
#include "base/person.h"
#include "base/string_pool.h"
#include "commands/leases/trail.h"
#include "stores/sqlite.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct offline_lease {
    struct lease_row row; /* its texts are in the pool */
    size_t at;            /* its index in leases[] */
    bool chosen, ended;
    struct store_write write;
    struct offline *offline;
};

struct offline {
    struct offline_lease **leases; /* in the order of their requests */
    size_t n, cap;
    struct string_pool *texts;
    /* while writing */
    struct loop *loop;
    struct store *store;
    struct leases_trail *trail; /* NULL = none that can be written */
    size_t pending, ended, open;
    unsigned closed;
    int err;
};

/* ---- reading ---- */

static struct offline_lease *copy_row(struct offline *o, const struct lease_row *row)
{
    struct offline_lease *lease = calloc(1, sizeof(*lease));

    if (!lease)
        return NULL;
    struct lease_row *r = &lease->row;
    const char **texts[LEASE_ROW_TEXTS];
    int err = 0;

    *r = *row;
    lease_row_texts(r, texts);
    for (size_t i = 0; !err && i < LEASE_ROW_TEXTS; i++)
        err = string_pool_keep(&o->texts, texts[i]);
    if (!err)
        return lease;
    free(lease);
    return NULL;
}

static int on_stored(void *arg, const struct lease_row *row)
{
    struct offline *o = arg;

    if (o->n == o->cap) {
        size_t cap = o->cap ? o->cap * 2 : 256;
        struct offline_lease **leases = realloc(o->leases, cap * sizeof(struct offline_lease *));
        if (!leases)
            return -ENOMEM;
        o->leases = leases;
        o->cap = cap;
    }
    o->leases[o->n] = copy_row(o, row);
    return o->leases[o->n] ? (o->n++, 0) : -ENOMEM;
}

/* The vault's address; a row of a version that kept none has the name of its section. */
static const char *vault_of(const struct lease_row *row)
{
    return *row->url ? row->url : row->vault;
}

/* The user is not compared: two spellings of one person hold the same request. */
static bool same_request(const struct lease_row *a, const struct lease_row *b)
{
    return *a->request && strcmp(a->request, b->request) == 0 && strcmp(vault_of(a), vault_of(b)) == 0;
}

static int by_age(const struct lease_row *a, const struct lease_row *b)
{
    if (a->created_wall_ms != b->created_wall_ms)
        return a->created_wall_ms < b->created_wall_ms ? -1 : 1;
    return strcmp(a->id, b->id);
}

static int by_request(const void *left, const void *right)
{
    const struct lease_row *a = &(*(const struct offline_lease *const *)left)->row;
    const struct lease_row *b = &(*(const struct offline_lease *const *)right)->row;
    int order = strcmp(vault_of(a), vault_of(b));

    if (!order)
        order = strcmp(a->request, b->request);
    return order ? order : by_age(a, b);
}

static int by_creation(const void *left, const void *right)
{
    return by_age(&(*(const struct offline_lease *const *)left)->row,
                  &(*(const struct offline_lease *const *)right)->row);
}

static void put_in_order(struct offline *o)
{
    if (o->n)
        qsort(o->leases, o->n, sizeof(o->leases[0]), by_request);
    for (size_t i = 0; i < o->n; i++)
        o->leases[i]->at = i;
}

static bool has_store(const char *state_dir)
{
    char path[4096];

    return snprintf(path, sizeof(path), "%s/" SQLITE_STORE_FILE, state_dir) < (int)sizeof(path) &&
           (access(path, F_OK) == 0 || errno != ENOENT);
}

static int no_store(const char *state_dir, char why[OFFLINE_WHY_SIZE])
{
    (void)snprintf(why, OFFLINE_WHY_SIZE,
                   "no lease store in %.200s; nothing is known about what is checked out", state_dir);
    return -ENODATA;
}

struct offline *offline_read(const char *state_dir, char why[OFFLINE_WHY_SIZE])
{
    struct offline *o = calloc(1, sizeof(*o));
    int err = o ? 0 : -ENOMEM;

    (void)snprintf(why, OFFLINE_WHY_SIZE, "out of memory");
    if (!err)
        err =
            has_store(state_dir) ? sqlite_store_read(state_dir, on_stored, o, why) : no_store(state_dir, why);
    if (err) {
        offline_free(o);
        return NULL;
    }
    put_in_order(o);
    return o;
}

void offline_free(struct offline *o)
{
    if (!o)
        return;
    for (size_t i = 0; i < o->n; i++)
        free(o->leases[i]);
    free(o->leases);
    string_pool_free(o->texts);
    free(o);
}

/* ---- listing ---- */

/* The run of rows that share this one's request, itself included: [*from, *to). */
static void holders_of(const struct offline *o, const struct offline_lease *lease, size_t *from, size_t *to)
{
    *from = lease->at;
    *to = lease->at + 1;
    while (*from && same_request(&o->leases[*from - 1]->row, &lease->row))
        --*from;
    while (*to < o->n && same_request(&o->leases[*to]->row, &lease->row))
        ++*to;
}

/* Its own session first, then those of the other holders. `room` has an element for each row. */
static size_t sessions_of(const struct offline *o, const struct offline_lease *lease, const char **room)
{
    size_t from, to, n = 0;

    holders_of(o, lease, &from, &to);
    room[n++] = lease->row.session;
    for (size_t i = from; i < to; i++)
        if (i != lease->at)
            room[n++] = o->leases[i]->row.session;
    return n;
}

static bool has_session(const struct lease_view *view, const char *session)
{
    for (size_t i = 0; i < view->nsessions; i++)
        if (strcmp(view->sessions[i], session) == 0)
            return true;
    return false;
}

static bool is_chosen(const struct lease_view *view, const struct leases_choice *choice)
{
    const struct lease_filter *filter = &choice->filter;

    return (!filter->user || person_same(filter->user, view->user)) &&
           (!filter->session || has_session(view, filter->session)) &&
           (!filter->state || strcmp(filter->state, view->state) == 0) && leases_choice_fits(choice, view);
}

static struct lease_view view_of(const struct lease_row *row, const char *const *sessions, size_t nsessions)
{
    static const char *const states[LEASE_NSTATES] = {
        [LEASE_INTENT] = "intent", [LEASE_OPEN] = "open", [LEASE_RELEASING] = "releasing"};

    /* A version that kept no lsid had sessions whose id is one. */
    const struct session session = {.id = row->session, .lsid = *row->lsid ? row->lsid : NULL};

    return (struct lease_view){
        .id = row->id,
        .request_id = request_name_number(row->request),
        .user = row->user,
        .sessions = sessions,
        .nsessions = nsessions,
        .lsid = session_lsid(&session),
        .credential_id = row->credential,
        .system = *row->system ? row->system : NULL,
        .account = *row->account ? row->account : NULL,
        .state = states[row->state],
        .adopted = row->adopted,
        .created_wall_ms = row->created_wall_ms,
        .expires_wall_ms = row->expires_wall_ms,
        .attempts = row->attempts,
        .last_error = row->last_error,
    };
}

int offline_list(const struct offline *o, const struct leases_choice *choice,
                 void (*row)(void *arg, const struct lease_view *), void *arg)
{
    const char **room = calloc(o->n + 1, sizeof(*room));
    struct offline_lease **oldest = calloc(o->n + 1, sizeof(*oldest));
    int err = room && oldest ? 0 : -ENOMEM;

    if (!err && o->n) {
        memcpy(oldest, o->leases, o->n * sizeof(*oldest));
        qsort(oldest, o->n, sizeof(*oldest), by_creation);
    }
    for (size_t i = 0; !err && i < o->n; i++) {
        struct lease_view view = view_of(&oldest[i]->row, room, sessions_of(o, oldest[i], room));
        if (is_chosen(&view, choice))
            row(arg, &view);
    }
    free(room);
    free(oldest);
    return err;
}

/* ---- ending ---- */

static void on_closed(void *arg)
{
    struct offline *o = arg;

    if (++o->closed == o->open)
        loop_stop(o->loop);
}

static void on_written(struct store_write *w, int err)
{
    struct offline_lease *lease = CONTAINER_OF(w, struct offline_lease, write);
    struct offline *o = lease->offline;

    if (err)
        o->err = err;
    else
        o->ended++;
    if (--o->pending == 0)
        o->store->ops->close(o->store, on_closed, o);
}

static size_t other_holders(const struct offline *o, const struct offline_lease *lease)
{
    size_t from, to, n = 0;

    holders_of(o, lease, &from, &to);
    for (size_t i = from; i < to; i++)
        n += i != lease->at && o->leases[i]->row.state == LEASE_OPEN && !o->leases[i]->ended;
    return n;
}

static void end_lease(struct offline *o, struct offline_lease *lease)
{
    struct store_writes writes = STAILQ_HEAD_INITIALIZER(writes);

    if (lease->row.state != LEASE_OPEN || o->err)
        return; /* an intent, or on its way already */
    size_t others = other_holders(o, lease);

    leases_trail_end(o->trail, &lease->row, others);
    lease->ended = true;
    lease->offline = o;
    lease->write = (struct store_write){.row = lease->row, .done = on_written};
    /* Without a name the vault keeps no request: there is nothing to check in. */
    lease->write.remove = lease->row.adopted || !*lease->row.request || others;
    lease->write.row.state = LEASE_RELEASING;
    lease->write.row.next_wall_ms = 0;
    STAILQ_INSERT_TAIL(&writes, &lease->write, link);
    o->err = o->store->ops->write(o->store, &writes);
    o->pending += !o->err;
}

static int choose_leases(struct offline *o, const struct leases_choice *choice)
{
    const char **room = calloc(o->n + 1, sizeof(*room));

    for (size_t i = 0; room && i < o->n; i++) {
        struct offline_lease *lease = o->leases[i];
        struct lease_view view = view_of(&lease->row, room, sessions_of(o, lease, room));

        lease->chosen = is_chosen(&view, choice);
    }
    free(room);
    return room ? 0 : -ENOMEM;
}

static int choose_lease(struct offline *o, const char *id)
{
    for (size_t i = 0; i < o->n; i++) {
        o->leases[i]->chosen = strcmp(o->leases[i]->row.id, id) == 0;
        if (o->leases[i]->chosen)
            return 0;
    }
    return -ENOENT;
}

/* Ends the lease, or those that are chosen; on_written() is called while the loop runs. */
static int end_leases(struct offline *o, const char *id, const struct leases_choice *choice)
{
    put_in_order(o);
    int err = id ? choose_lease(o, id) : choose_leases(o, choice);

    for (size_t i = 0; !err && i < o->n; i++)
        if (o->leases[i]->chosen)
            end_lease(o, o->leases[i]);
    return err;
}

static int release_with(struct loop *loop, const struct conf *conf, const char *id,
                        const struct leases_choice *choice, struct offline *o, char *why)
{
    const char *state_dir = conf->gateway.state_dir;
    bool rebuilt;

    o->loop = loop;
    o->store = sqlite_store_open(loop, state_dir, false, &rebuilt, why);
    if (!o->store)
        return -EBUSY;
    int err = o->store->ops->load(o->store, on_stored, o);

    o->trail = err ? NULL : leases_trail_open(loop, conf, o->n, why);
    o->open = o->trail ? 2 : 1;
    if (!err)
        err = end_leases(o, id, choice);
    if (o->trail)
        leases_trail_close(o->trail, on_closed, o);
    if (!o->pending)
        o->store->ops->close(o->store, on_closed, o);
    if (o->closed < o->open)
        (void)loop_run(loop); /* until on_closed() */
    err = err ? err : o->err;
    if (err)
        (void)snprintf(why, OFFLINE_WHY_SIZE, "the lease store in %.200s: %.80s", state_dir, strerror(-err));
    else if (o->trail)
        (void)snprintf(why, OFFLINE_WHY_SIZE, "%.200s cannot be written", conf->gateway.audit_file);
    return err;
}

int offline_release(const struct conf *conf, const char *id, const struct leases_choice *choice,
                    size_t *ended, size_t *unrecorded, char why[OFFLINE_WHY_SIZE])
{
    const char *state_dir = conf->gateway.state_dir;
    struct offline *o = calloc(1, sizeof(*o));
    struct loop *loop = loop_new();
    int err = o && loop ? 0 : -ENOMEM;

    *ended = *unrecorded = 0;
    (void)snprintf(why, OFFLINE_WHY_SIZE, "out of memory");
    if (!err)
        err = has_store(state_dir) ? release_with(loop, conf, id, choice, o, why) : no_store(state_dir, why);
    if (o) {
        *ended = o->ended;
        *unrecorded = o->trail ? leases_trail_lost(o->trail) : o->ended;
        leases_trail_free(o->trail);
    }
    if (loop && loop_free(loop) && !err)
        err = -EBUSY;
    offline_free(o);
    return err;
}
