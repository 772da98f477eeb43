/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lane.c - check-ins stand in line: one line per vault, and in it one per user, served in turn.
 *
 * When a hundred thousand leases end at once (a vault that was away, a night's end, a restart) their
 * check-ins must neither flood the vault nor keep one user waiting for all the others. So at most
 * LANE_IN_FLIGHT (see lane.h) are on their way to a vault; each vault has its own lane, so a sick one holds up
 * nobody else; and in a lane the users take turns (base/turns.h). Somebody who waits for the outcome is put
 * first among the check-ins of that user, and that user first in the lane.
 *
 * A lane_user exists while it has something in line. lane_run() is not re-entered: starting a check-in that
 * fails at once ends up in its back-off, never here.
 *
 * The vault of a row whose name is configured no more is played by one that refuses to start any call: its
 * rows are kept and shown, their check-ins wait, and it all goes on when the vault is configured again.
 */
#include "broker/lane.h"

#include "base/person.h"
#include "base/names.h"
#include "broker/checkin.h"
#include "broker/leases.h"
#include "broker/op.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct lane_user {
    struct table_node node;
    struct turn_party party;
    char name[];
};

/* ---- a vault that is not there ---- */

static int refuse_requests(struct vault *v, struct vault_call *call)
{
    (void)v;
    (void)call;
    return -ENOTCONN;
}

static int refuse_checkin(struct vault *v, int64_t id, const char *reason, struct vault_call *call)
{
    (void)id;
    (void)reason;
    return refuse_requests(v, call);
}

static void cancel_nothing(struct vault *v, struct vault_call *call)
{
    (void)v;
    (void)call;
}

static void tell_absent(const struct vault *v, struct vault_state *state)
{
    (void)v;
    *state = (struct vault_state){.last_success_age_ms = UINT64_MAX};
}

/* No check-out comes here, so the other calls are never made. */
static const struct vault_ops absent_ops = {.name = "absent",
                                            .requests = refuse_requests,
                                            .checkin = refuse_checkin,
                                            .cancel = cancel_nothing,
                                            .state = tell_absent};

static struct vault *absent_new(const char *name)
{
    struct vault *v = calloc(1, sizeof *v);
    struct conf_vault *conf = calloc(1, sizeof *conf);

    if (!v || !conf) {
        free(v);
        free(conf);
        return NULL;
    }
    (void)memccpy(conf->name, name, '\0', sizeof conf->name - 1);
    conf->minute_ms = 60000;
    conf->call_timeout_ms = 10000;
    *v = (struct vault){.ops = &absent_ops, .conf = conf};
    return v;
}

static void absent_free(struct vault *v)
{
    free((void *)(uintptr_t)v->conf);
    free(v);
}

/* ---- lanes ---- */

struct lane *lane_of(const struct leases *ls, const struct vault *vault)
{
    for (size_t i = 0; i < ls->nlanes; i++)
        if (ls->lanes[i]->vault == vault)
            return ls->lanes[i];
    return NULL;
}

static uint16_t place_of(const struct leases *ls, const char *url)
{
    for (size_t i = 0; *url && i < ls->nlanes; i++)
        if (strcmp(ls->lanes[i]->url, url) == 0)
            return (uint16_t)i;
    return (uint16_t)ls->nlanes;
}

static struct lane *add_lane(struct leases *ls, struct vault *vault, const char *url)
{
    struct lane **lanes = realloc(ls->lanes, (ls->nlanes + 1) * sizeof(struct lane *));

    if (!lanes)
        return NULL;
    ls->lanes = lanes;
    struct lane *lane = ls->nlanes < UINT16_MAX ? calloc(1, sizeof *lane) : NULL;

    if (lane)
        lane->url = strdup(url);
    if (!lane || !lane->url) {
        free(lane);
        return NULL;
    }
    lane->vault = vault;
    lane->number = (uint16_t)ls->nlanes;
    lane->place = place_of(ls, url);
    turns_init(&lane->turns);
    ls->lanes[ls->nlanes++] = lane;
    return lane;
}

int lane_new(struct leases *ls, struct vault *vault)
{
    char url[NAMES_IDENTITY_SIZE];

    names_url_identity(vault->conf->url, url);
    return add_lane(ls, vault, url) ? 0 : -ENOMEM;
}

/* NULL for `name` or `url`: any. */
static struct lane *find_lane(const struct leases *ls, const char *name, const char *url)
{
    for (size_t i = 0; i < ls->nlanes; i++) {
        struct lane *lane = ls->lanes[i];

        if ((!name || strcmp(lane->vault->conf->name, name) == 0) && (!url || strcmp(lane->url, url) == 0) &&
            (!lane->absent || (name && url)))
            return lane;
    }
    return NULL;
}

struct lane *lane_of_row(struct leases *ls, const char *name, const char *url)
{
    struct lane *lane = find_lane(ls, name, url);

    if (!lane && *url)
        lane = find_lane(ls, NULL, url);
    if (!lane)
        lane = find_lane(ls, name, NULL);
    if (lane)
        return lane;
    struct vault *absent = absent_new(name);

    lane = absent ? add_lane(ls, absent, url) : NULL;
    if (lane)
        lane->absent = true;
    else if (absent)
        absent_free(absent);
    return lane;
}

void lanes_free(struct leases *ls)
{
    for (size_t i = 0; i < ls->nlanes; i++) {
        if (ls->lanes[i]->absent)
            absent_free(ls->lanes[i]->vault);
        table_free(&ls->lanes[i]->names);
        free(ls->lanes[i]->url);
        free(ls->lanes[i]);
    }
    free(ls->lanes);
}

/* ---- in line ---- */

static struct lane_user *user_find(const struct lane *lane, const char *name)
{
    struct table_node *node = table_first(&lane->names, table_hash_person(name));

    for (; node; node = table_next(node)) {
        struct lane_user *user = OWNER_OF(node, struct lane_user, node);

        if (person_same(user->name, name))
            return user;
    }
    return NULL;
}

static struct lane_user *user_get(struct lane *lane, const char *name)
{
    struct lane_user *user = user_find(lane, name);
    size_t n = strlen(name) + 1;

    if (user)
        return user;
    user = malloc(sizeof *user + n);
    if (!user)
        return NULL;
    *user = (struct lane_user){0};
    memcpy(user->name, name, n);
    if (table_add(&lane->names, &user->node, table_hash_person(name))) {
        free(user);
        return NULL;
    }
    return user;
}

/* It is out of the line already. */
static void forget(struct lane *lane, struct checkin *c)
{
    struct lane_user *user = c->place.user;

    c->place.user = NULL;
    if (user->party.n)
        return;
    table_remove(&lane->names, &user->node);
    free(user);
}

static size_t width(const struct lane *lane)
{
    size_t third = (size_t)lane->vault->conf->connections / 3;

    return third > LANE_IN_FLIGHT ? third : LANE_IN_FLIGHT;
}

static void lane_run(struct lane *lane)
{
    struct turn_item *turn;

    if (lane->running)
        return;
    lane->running = true;
    while (lane->in_flight < width(lane) && (turn = turns_take(&lane->turns))) {
        struct checkin *c = OWNER_OF(turn, struct checkin, place.turn);

        forget(lane, c);
        lane->in_flight += checkin_start(c);
    }
    lane->running = false;
}

int lane_join(struct lane *lane, struct checkin *c, const char *name, bool first)
{
    struct lane_user *user = user_get(lane, name);

    if (!user)
        return -ENOMEM;
    c->place.user = user;
    turns_add(&lane->turns, &user->party, &c->place.turn, first);
    lane_run(lane);
    return 0;
}

void lane_leave(struct lane *lane, struct checkin *c)
{
    if (!c->place.user)
        return;
    turns_remove(&lane->turns, &c->place.turn);
    forget(lane, c);
}

void lane_done(struct lane *lane)
{
    lane->in_flight--;
    lane_run(lane);
}
