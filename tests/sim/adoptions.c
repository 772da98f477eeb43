/* SPDX-License-Identifier: Apache-2.0 */
/* adoptions.c - see the header. */
#include "adoptions.h"

#include "ends.h"
#include "etcd_sim.h"

#include "base/id.h"
#include "fake_etcd.h"

#include <stdlib.h>
#include <string.h>

#define OWNER_SIZE    32
#define KEY_SIZE      256
#define RECORDED_MS   60000 /* until its record is on the disk */
#define IN_THE_ACT_MS 10000 /* until its leases have been read */

struct adoption {
    STAILQ_ENTRY(adoption) link;
    char lease[ID_SIZE], from[OWNER_SIZE];
    unsigned by;
    uint64_t at_ms;
    bool excused;
};

struct adoptions {
    struct world *world;
    const struct fake_etcd *keys;
    STAILQ_HEAD(, adoption) all;
    char from[OWNER_SIZE]; /* of the row that has just changed */
    unsigned by;
};

/* NODE@EPOCH of a row; false = it has none. */
static bool owner_of(const char *value, char owner[OWNER_SIZE])
{
    static const char member[] = "\"o\":\"";
    const char *at = value ? strstr(value, member) : NULL;

    if (at)
        (void)snprintf(owner, OWNER_SIZE, "%.*s", (int)strcspn(at + sizeof member - 1, "\""),
                       at + sizeof member - 1);
    return at;
}

static bool is_adopter(const struct adoptions *a, const char *dead, const char *adopter)
{
    char key[KEY_SIZE], member[OWNER_SIZE + 8];

    (void)snprintf(key, sizeof key, ETCD_PREFIX "d/%s", dead);
    (void)snprintf(member, sizeof member, "\"a\":\"%s\"", adopter);
    const char *value = fake_etcd_get(a->keys, key);
    return value && strstr(value, member);
}

/* A hold of the row: its key ends with the lease. */
static void add(void *arg, const char *key, const char *value)
{
    struct adoptions *a = arg;
    struct adoption *new = calloc(1, sizeof *new);

    (void)value;
    if (!new)
        abort();
    *new = (struct adoption){.by = a->by, .at_ms = a->world->now_ms};
    (void)snprintf(new->lease, sizeof new->lease, "%s", strrchr(key, '/') + 1);
    (void)snprintf(new->from, sizeof new->from, "%s", a->from);
    STAILQ_INSERT_TAIL(&a->all, new, link);
}

static void row_changed(struct adoptions *a, const char *key, const char *value, const char *before)
{
    char to[OWNER_SIZE], holds[KEY_SIZE];

    if (!owner_of(before, a->from) || !owner_of(value, to) || strcmp(a->from, to) == 0 ||
        !is_adopter(a, a->from, to) || sscanf(to, "g%u", &a->by) != 1)
        return;
    (void)snprintf(holds, sizeof holds, ETCD_PREFIX "h/main/%s/", strrchr(key, '/') + 1);
    fake_etcd_each(a->keys, holds, add, a);
}

static void excuse(struct adoptions *a, const char *lease, unsigned by, uint64_t within_ms)
{
    struct adoption *at;

    STAILQ_FOREACH(at, &a->all, link)
    if (a->world->now_ms - at->at_ms < within_ms && (lease ? strcmp(at->lease, lease) == 0 : at->by == by))
        at->excused = true;
}

void adoptions_changed(struct adoptions *a, const char *key, const char *value, const char *before)
{
    unsigned node;

    if (strncmp(key, ETCD_PREFIX "r/", sizeof ETCD_PREFIX "r/" - 1) == 0)
        row_changed(a, key, value, before);
    else if (!value && strncmp(key, ETCD_PREFIX "h/", sizeof ETCD_PREFIX "h/" - 1) == 0)
        excuse(a, strrchr(key, '/') + 1, 0, IN_THE_ACT_MS);
    else if (!value && sscanf(key, ETCD_PREFIX "m/g%u", &node) == 1)
        excuse(a, NULL, node, RECORDED_MS);
}

void adoptions_check_end(const struct adoptions *a)
{
    struct world *w = a->world;
    const struct adoption *at;

    STAILQ_FOREACH(at, &a->all, link)
    {
        if (at->excused || at->at_ms <= w->restored_ms ||
            ends_kill_between(w->ends, at->at_ms, at->at_ms + RECORDED_MS))
            continue;
        counts_add(w->counts, 1, "adoption.judged");
        if (!ends_has_adoption(w->ends, at->lease, at->from))
            world_fail(w, "no audit trail has the adoption of lease %s from %s by g%u", at->lease, at->from,
                       at->by);
    }
}

struct adoptions *adoptions_new(struct world *w, const struct fake_etcd *keys)
{
    struct adoptions *a = calloc(1, sizeof *a);

    if (!a)
        abort();
    a->world = w;
    a->keys = keys;
    STAILQ_INIT(&a->all);
    return a;
}

void adoptions_free(struct adoptions *a)
{
    struct adoption *at;

    while ((at = STAILQ_FIRST(&a->all))) {
        STAILQ_REMOVE_HEAD(&a->all, link);
        free(at);
    }
    free(a);
}
