/* SPDX-License-Identifier: Apache-2.0 */
/*
 * offline.c - leases without a running gateway; see offline.h.
 *
 * All rows are read. An item is a lease with the vault request that it holds, or a vault request that no
 * lease holds, which is shown as the lease for which it was asked. Items are sorted by vault request, so that
 * the holders of one are neighbours.
 *
 * A lease ends here as in the gateway, without the vault: while others hold the same request its row is
 * removed; the last holder's request becomes `releasing`, due at once, and the next start checks it in. A
 * person's own request (adopted) is removed as well, since it is never checked in; so is one that the vault
 * does not keep. A request of unknown outcome is kept: only the vault knows it, and every start looks for it.
 *
 * Who ends a lease here is written into the audit trail, as a running gateway does (trail.c).
 *
 * Nothing here creates a store: run as root it would leave files that the gateway's user cannot open.
 */
#include "commands/leases/offline.h"

#include "base/container_of.h"
#include "base/person.h"
#include "base/text.h"
#include "commands/leases/trail.h"
#include "stores/sqlite.h"
#include "stores/store_rows.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct item {
    const struct request_row *request;
    const struct lease_row *lease; /* NULL = no lease holds it */
    size_t at;                     /* its index in items[] */
    bool chosen, ended;
    char node[64]; /* the owner's name in the cluster; "" = the store is a file */
    struct store_step step;
    struct offline *offline;
};

/* Pointers that grow. */
struct pointers {
    void **all;
    size_t n, cap;
};

struct offline {
    struct pointers requests, leases; /* copies of all rows */
    struct item *items;               /* in the order of their requests */
    size_t n;
    /* while writing */
    struct loop *loop;
    struct store *store;
    struct leases_trail *trail; /* NULL = none that can be written */
    size_t pending, ended, open;
    unsigned closed;
    int err;
};

/* ---- reading ---- */

static int keep(struct pointers *p, void *copy)
{
    if (copy && p->n == p->cap) {
        size_t cap = p->cap ? p->cap * 2 : 256;
        void **all = realloc(p->all, cap * sizeof(void *));

        if (!all) {
            free(copy);
            return -ENOMEM;
        }
        p->all = all;
        p->cap = cap;
    }
    if (!copy)
        return -ENOMEM;
    p->all[p->n++] = copy;
    return 0;
}

static int on_request(void *arg, const struct request_row *row)
{
    return keep(&((struct offline *)arg)->requests, request_row_copy(row));
}

static int on_lease(void *arg, const struct lease_row *row)
{
    return keep(&((struct offline *)arg)->leases, lease_row_copy(row));
}

static const struct store_reader reader = {.request = on_request, .lease = on_lease};

/* What is shown of an item. */
static const char *id_of(const struct item *item)
{
    return item->lease ? item->lease->id : item->request->mark;
}

static const struct holder *holder_of(const struct item *item)
{
    return item->lease ? &item->lease->holder : &item->request->asker;
}

static int by_age(const struct item *a, const struct item *b)
{
    int64_t left = holder_of(a)->created_wall_ms, right = holder_of(b)->created_wall_ms;

    return left != right ? (left < right ? -1 : 1) : strcmp(id_of(a), id_of(b));
}

static int by_request(const void *left, const void *right)
{
    const struct item *a = left, *b = right;
    int order = strcmp(a->request->mark, b->request->mark);

    return order ? order : by_age(a, b);
}

static int by_creation(const void *left, const void *right)
{
    return by_age(*(const struct item *const *)left, *(const struct item *const *)right);
}

static int by_mark(const void *left, const void *right)
{
    const struct request_row *a = *(const struct request_row *const *)left;
    const struct request_row *b = *(const struct request_row *const *)right;

    return strcmp(a->mark, b->mark);
}

static void add_item(struct offline *o, const struct request_row *request, const struct lease_row *lease)
{
    struct item *item = &o->items[o->n++];
    const char *owner = request->owner ? request->owner : "";

    *item = (struct item){.request = request, .lease = lease, .offline = o};
    (void)text_copy_n(item->node, sizeof(item->node), owner, strcspn(owner, "@"));
}

/* A lease whose request is not there is odd: the next start names it in the log. */
static void add_leases(struct offline *o, bool *held)
{
    for (size_t i = 0; i < o->leases.n; i++) {
        const struct lease_row *lease = o->leases.all[i];
        const struct request_row *key = &(struct request_row){.mark = lease->request};
        void **found =
            o->requests.n ? bsearch(&key, o->requests.all, o->requests.n, sizeof(void *), by_mark) : NULL;

        if (!found)
            continue;
        add_item(o, *found, lease);
        held[found - o->requests.all] = true;
    }
}

static int make_items(struct offline *o)
{
    bool *held = calloc(o->requests.n + 1, sizeof(*held));

    o->items = calloc(o->requests.n + o->leases.n + 1, sizeof(*o->items));
    if (!held || !o->items) {
        free(held);
        return -ENOMEM;
    }
    if (o->requests.n)
        qsort(o->requests.all, o->requests.n, sizeof(void *), by_mark);
    add_leases(o, held);
    for (size_t i = 0; i < o->requests.n; i++)
        if (!held[i])
            add_item(o, o->requests.all[i], NULL);
    free(held);
    if (o->n)
        qsort(o->items, o->n, sizeof(o->items[0]), by_request);
    for (size_t i = 0; i < o->n; i++)
        o->items[i].at = i;
    return 0;
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

struct offline *offline_read(const char *state_dir, struct offline_store *other, char why[OFFLINE_WHY_SIZE])
{
    struct offline *o = calloc(1, sizeof(*o));
    int err = o ? 0 : -ENOMEM;

    (void)snprintf(why, OFFLINE_WHY_SIZE, "out of memory");
    if (!err)
        err = other                  ? other->read(other, &reader, o, why)
              : has_store(state_dir) ? sqlite_store_read(state_dir, &reader, o, why)
                                     : no_store(state_dir, why);
    if (!err)
        err = make_items(o);
    if (err) {
        offline_free(o);
        return NULL;
    }
    return o;
}

void offline_free(struct offline *o)
{
    if (!o)
        return;
    for (size_t i = 0; i < o->requests.n; i++)
        free(o->requests.all[i]);
    for (size_t i = 0; i < o->leases.n; i++)
        free(o->leases.all[i]);
    free(o->requests.all);
    free(o->leases.all);
    free(o->items);
    free(o);
}

/* ---- listing ---- */

/* The items of this one's request, itself included: [*from, *to). */
static void holders_of(const struct offline *o, const struct item *item, size_t *from, size_t *to)
{
    *from = item->at;
    *to = item->at + 1;
    while (*from && o->items[*from - 1].request == item->request)
        --*from;
    while (*to < o->n && o->items[*to].request == item->request)
        ++*to;
}

/* Its own session first, then those of the other holders. `room` has an element for each item. */
static size_t sessions_of(const struct offline *o, const struct item *item, const char **room)
{
    size_t from, to, n = 0;

    holders_of(o, item, &from, &to);
    room[n++] = holder_of(item)->session;
    for (size_t i = from; i < to; i++)
        if (i != item->at)
            room[n++] = holder_of(&o->items[i])->session;
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
           (!filter->node || strcmp(filter->node, view->node ? view->node : "") == 0) &&
           (!filter->session || has_session(view, filter->session)) &&
           (!filter->state || strcmp(filter->state, view->state) == 0) && leases_choice_fits(choice, view);
}

/* What a process has left without a lease is checked in by the next start. */
static const char *word_of(const struct item *item)
{
    static const char *const words[REQUEST_NSTATES] = {"intent", "releasing", "releasing",
                                                       "lapsed", "pending",   "spinning"};

    return item->lease ? "open" : words[item->request->state];
}

/* `user` has room for the PRA user. Where a handle names the request one identity of the vault makes all. */
static struct lease_view view_of(const struct item *item, const char *const *sessions, size_t nsessions,
                                 char user[LEASE_USER_SIZE])
{
    const struct request_row *request = item->request;
    const struct holder *h = holder_of(item);
    /* A version that kept no lsid had sessions whose id is one. */
    const struct session session = {.id = h->session, .lsid = *h->lsid ? h->lsid : NULL};

    bool is_one_for_all = request->handle && *request->handle;

    if (is_one_for_all)
        person_write(user, LEASE_USER_SIZE, h->domain, h->username);
    return (struct lease_view){
        .id = id_of(item),
        .request_id = request_key_number(request->name),
        .request_key = request->name,
        .user = is_one_for_all ? user : request->user,
        .run_as = is_one_for_all ? request->user : NULL,
        .sessions = sessions,
        .nsessions = nsessions,
        .lsid = session_lsid(&session),
        .credential_id = h->credential,
        .system = *h->system ? h->system : NULL,
        .account = *h->account ? h->account : NULL,
        .state = word_of(item),
        .adopted = request->adopted,
        .created_wall_ms = h->created_wall_ms,
        .expires_wall_ms = request->state == REQUEST_SPINNING ? 0 : request->expires_wall_ms,
        .attempts = request->state == REQUEST_SPINNING ? request->spins : request->attempts,
        .last_error = request->last_error,
        .node = *item->node ? item->node : NULL,
    };
}

int offline_list(const struct offline *o, const struct leases_choice *choice,
                 void (*row)(void *arg, const struct lease_view *), void *arg)
{
    const char **room = calloc(o->n + 1, sizeof(*room));
    const struct item **oldest = calloc(o->n + 1, sizeof(*oldest));
    int err = room && oldest ? 0 : -ENOMEM;
    char user[LEASE_USER_SIZE];

    for (size_t i = 0; !err && i < o->n; i++)
        oldest[i] = &o->items[i];
    if (!err && o->n)
        qsort(oldest, o->n, sizeof(*oldest), by_creation);
    for (size_t i = 0; !err && i < o->n; i++) {
        struct lease_view view = view_of(oldest[i], room, sessions_of(o, oldest[i], room), user);
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

static void on_written(struct store_step *step, enum store_outcome outcome)
{
    struct item *item = CONTAINER_OF(step, struct item, step);
    struct offline *o = item->offline;

    if (outcome == STORE_APPLIED)
        o->ended++;
    else
        o->err = outcome == STORE_AWAY ? step->err : -ESTALE;
    if (--o->pending == 0)
        o->store->ops->close(o->store, on_closed, o);
}

static size_t other_holders(const struct offline *o, const struct item *item)
{
    size_t from, to, n = 0;

    holders_of(o, item, &from, &to);
    for (size_t i = from; i < to; i++)
        n += i != item->at && !o->items[i].ended;
    return n;
}

static enum store_step_kind step_of(const struct item *item, size_t others)
{
    return others ? STEP_LEAVE : item->request->adopted || !*item->request->name ? STEP_CLOSE : STEP_RETURN;
}

static void end_item(struct offline *o, struct item *item)
{
    struct store_steps steps = STAILQ_HEAD_INITIALIZER(steps);

    if (!item->lease || o->err)
        return; /* of unknown outcome, or on its way already */
    size_t others = other_holders(o, item);

    leases_trail_end(o->trail, item->request, item->lease, others);
    item->ended = true;
    item->step = (struct store_step){
        .kind = step_of(item, others), .request = *item->request, .lease = *item->lease, .done = on_written};
    item->step.request.state = REQUEST_RETURNING;
    item->step.request.next_wall_ms = 0;
    STAILQ_INSERT_TAIL(&steps, &item->step, link);
    o->err = o->store->ops->steps(o->store, &steps);
    o->pending += !o->err;
}

static int choose_items(struct offline *o, const struct leases_choice *choice)
{
    const char **room = calloc(o->n + 1, sizeof(*room));
    char user[LEASE_USER_SIZE];

    for (size_t i = 0; room && i < o->n; i++) {
        struct item *item = &o->items[i];
        struct lease_view view = view_of(item, room, sessions_of(o, item, room), user);

        item->chosen = is_chosen(&view, choice);
    }
    free(room);
    return room ? 0 : -ENOMEM;
}

static int choose_item(struct offline *o, const char *id)
{
    for (size_t i = 0; i < o->n; i++) {
        o->items[i].chosen = strcmp(id_of(&o->items[i]), id) == 0;
        if (o->items[i].chosen)
            return 0;
    }
    return -ENOENT;
}

/* Ends the lease, or those that are chosen; on_written() is called while the loop runs. */
static int end_items(struct offline *o, const char *id, const struct leases_choice *choice)
{
    int err = make_items(o);

    if (!err)
        err = id ? choose_item(o, id) : choose_items(o, choice);
    for (size_t i = 0; !err && i < o->n; i++)
        if (o->items[i].chosen)
            end_item(o, &o->items[i]);
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
    int err = o->store->ops->load(o->store, &reader, o);

    o->trail = err ? NULL : leases_trail_open(loop, conf, o->leases.n, why);
    o->open = o->trail ? 2 : 1;
    if (!err)
        err = end_items(o, id, choice);
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

/* ---- another store ---- */

static int end_in_other(struct offline *o, struct offline_store *other, struct item *item, char *why)
{
    if (!item->lease)
        return 0; /* of unknown outcome, or on its way already */
    int err = other->end(other, item->request, item->lease, why);

    if (err)
        return err == -ENOENT ? 0 : err;
    leases_trail_end(o->trail, item->request, item->lease, other_holders(o, item));
    item->ended = true;
    o->ended++;
    return 0;
}

static void on_trail_closed(void *arg)
{
    struct offline *o = arg;

    o->closed = 1;
    loop_stop(o->loop);
}

static void close_trail(struct offline *o)
{
    o->closed = 0;
    leases_trail_close(o->trail, on_trail_closed, o);
    while (!o->closed)
        (void)loop_run(o->loop);
}

static int release_in_other(const struct conf *conf, struct offline_store *other, const char *id,
                            const struct leases_choice *choice, struct offline *o, char *why)
{
    char trail_why[OFFLINE_WHY_SIZE] = "";
    int err = other->take(other, why);

    if (!err)
        err = other->read(other, &reader, o, why);
    if (!err)
        err = make_items(o);
    if (!err)
        err = id ? choose_item(o, id) : choose_items(o, choice);
    if (err)
        return err;
    o->loop = other->loop;
    o->trail = leases_trail_open(o->loop, conf, o->leases.n, trail_why);
    for (size_t i = 0; !err && i < o->n; i++)
        if (o->items[i].chosen)
            err = end_in_other(o, other, &o->items[i], why);
    if (o->trail)
        close_trail(o);
    if (!err)
        (void)snprintf(why, OFFLINE_WHY_SIZE, "%s", *trail_why ? trail_why : "it cannot be written");
    return err;
}

static int release_other(const struct conf *conf, struct offline_store *other, const char *id,
                         const struct leases_choice *choice, size_t *ended, size_t *unrecorded, char *why)
{
    struct offline *o = calloc(1, sizeof(*o));

    (void)snprintf(why, OFFLINE_WHY_SIZE, "out of memory");
    if (!o)
        return -ENOMEM;
    int err = release_in_other(conf, other, id, choice, o, why);

    *ended = o->ended;
    *unrecorded = o->trail ? leases_trail_lost(o->trail) : o->ended;
    leases_trail_free(o->trail);
    offline_free(o);
    return err;
}

/* ---- both ---- */

int offline_release(const struct conf *conf, struct offline_store *other, const char *id,
                    const struct leases_choice *choice, size_t *ended, size_t *unrecorded,
                    char why[OFFLINE_WHY_SIZE])
{
    if (other)
        return release_other(conf, other, id, choice, ended, unrecorded, why);

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
