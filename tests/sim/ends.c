/* SPDX-License-Identifier: Apache-2.0 */
/* ends.c - see the header. */
#include "ends.h"

#include "oracle.h"

#include "base/id.h"
#include "base/uthash_nofail.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define KEY_SIZE     (ID_SIZE + 96)
#define LEARNT_MS    60000 /* after it was counted as dead a gateway has found that out */
#define OUTCOME_SIZE 16

/* What ended or was adopted, and when a trail had it last. */
struct seen {
    char key[KEY_SIZE]; /* "lease ID", "request N", "release rN", "lease ID of NODE@E" */
    char outcome[OUTCOME_SIZE];
    const struct node *node; /* whose trail that is */
    bool named;              /* it says whose end it is: in the place of a gateway that was counted as dead */
    uint64_t at_ms;
    size_t process; /* how many were killed before */
    UT_hash_handle hh;
};

struct ends {
    struct world *world;
    struct seen *table;
    uint64_t *killed_ms; /* of processes */
    size_t nkilled, cap;
};

static struct seen *find(const struct ends *e, const char *key)
{
    struct seen *seen = NULL;

    HASH_FIND_STR(e->table, key, seen);
    return seen;
}

/* The text or number behind `"name":`; false = the line does not have it. */
static bool read_member(const char *line, size_t n, const char *name, char *to, size_t size)
{
    char search[40];
    int length = snprintf(search, sizeof search, "\"%s\":", name);
    const char *at = memmem(line, n, search, (size_t)length);

    if (!at)
        return false;
    at += length;
    at += *at == '"';
    size_t long_ = strcspn(at, "\",}");
    (void)snprintf(to, size, "%.*s", (int)(long_ < size ? long_ : size - 1), at);
    return true;
}

static bool was_fenced(const struct world *w, const struct node *n)
{
    uint64_t from_ms = n->paused_ms > n->last_fenced_ms ? n->paused_ms : n->last_fenced_ms;

    return n->last_fenced_ms && w->now_ms < from_ms + LEARNT_MS;
}

/* A gateway does not know yet that it was counted as dead; one whose flight has lost its answer cannot see
 * who has ended the lease; a restored etcd has what has ended since. */
static bool may_be_repeated(const struct ends *e, const struct seen *seen, const struct node *n)
{
    const struct world *w = e->world;

    return seen->process != e->nkilled || w->restored_ms ||
           (seen->node != n &&
            (was_fenced(w, n) || was_fenced(w, seen->node) || world_calm_ms(w) < LEARNT_MS));
}

/* `named`: see struct seen. */
static void put(struct ends *e, const struct node *n, const char *key, const char *outcome, bool named)
{
    struct seen *seen = find(e, key);

    if (!seen) {
        seen = calloc(1, sizeof *seen);
        if (!seen)
            abort();
        (void)snprintf(seen->key, sizeof seen->key, "%s", key);
        HASH_ADD_STR(e->table, key, seen);
        if (!seen->hh.tbl)
            abort();
    } else if (*seen->outcome &&
               strcmp(outcome, "already_gone") == 0) { /* looked for once more, and it ended nothing */
        return;
    } else if (*seen->outcome && !named && !seen->named && !may_be_repeated(e, seen, n)) {
        world_fail(e->world, "the audit trail has a second end of %s: %s, after %s (g%u, g%u)", key, outcome,
                   seen->outcome, n->number, seen->node->number);
    }
    counts_add(e->world->counts, *seen->outcome && seen->node != n, "trail.ended_twice");
    seen->named = named;
    seen->process = e->nkilled;
    seen->node = n;
    seen->at_ms = e->world->now_ms;
    (void)snprintf(seen->outcome, sizeof seen->outcome, "%s", outcome);
}

/* A list of live requests shows it once more: its check-in is repeated. */
static void forget(struct ends *e, const char *key)
{
    struct seen *seen = find(e, key);

    if (seen)
        seen->outcome[0] = '\0';
}

void ends_record(struct ends *e, const struct node *node, const char *line, size_t n)
{
    char event[24] = "", outcome[OUTCOME_SIZE] = "", id[ID_SIZE] = "", key[KEY_SIZE], from[64];

    (void)read_member(line, n, "event", event, sizeof event);
    if (strcmp(event, "lease_end") == 0 && read_member(line, n, "lease_id", id, sizeof id)) {
        (void)snprintf(key, sizeof key, "lease %s", id);
        (void)read_member(line, n, "reason", outcome, sizeof outcome);
        bool named = read_member(line, n, "from", from, sizeof from);

        counts_add(e->world->counts, named, "trail.ended_for_the_dead");
        put(e, node, key, outcome, named);
        return;
    }
    if (strcmp(event, "release") == 0 && read_member(line, n, "request_id", id, sizeof id)) {
        (void)snprintf(key, sizeof key, "release %s", id);
        put(e, node, key, event, false);
        return;
    }
    if (strcmp(event, "adopted") == 0 && read_member(line, n, "lease_id", id, sizeof id)) {
        bool named = read_member(line, n, "from", from, sizeof from);

        (void)snprintf(key, sizeof key, "lease %s of %s", id, named ? from : "");
        if (named || !find(e, key)) /* without a name it is one that was missed before */
            put(e, node, key, event, false);
        return;
    }
    if (!read_member(line, n, "vault_request_id", id, sizeof id))
        return;
    (void)snprintf(key, sizeof key, "request %s", id);
    if (strcmp(event, "reconcile") == 0 && read_member(line, n, "found", outcome, sizeof outcome) &&
        strncmp(outcome, "stray", 5) == 0)
        forget(e, key);
    if (strcmp(event, "checkin") == 0 && read_member(line, n, "outcome", outcome, sizeof outcome) &&
        strcmp(outcome, "forgotten") != 0)
        put(e, node, key, outcome, false);
    if (strcmp(outcome, "lapsed") == 0)
        oracle_on_lapse(e->world->oracle, (unsigned)strtoul(id, NULL, 10));
}

void ends_durable(struct ends *e, const struct node *node, const char *line, size_t n)
{
    char event[24] = "", id[ID_SIZE] = "", key[KEY_SIZE];

    (void)read_member(line, n, "event", event, sizeof event);
    if (strcmp(event, "lease_end") != 0 || !read_member(line, n, "lease_id", id, sizeof id))
        return;
    (void)snprintf(key, sizeof key, "lease %s", id);
    if (!find(e, key))
        put(e, node, key, "", false);
}

void ends_process(struct ends *e, bool killed)
{
    if (!killed)
        return;
    if (e->nkilled == e->cap) {
        e->cap = e->cap ? 2 * e->cap : 16;
        e->killed_ms = realloc(e->killed_ms, e->cap * sizeof *e->killed_ms);
        if (!e->killed_ms)
            abort();
    }
    e->killed_ms[e->nkilled++] = e->world->now_ms;
}

bool ends_kill_between(const struct ends *e, uint64_t from_ms, uint64_t to_ms)
{
    for (size_t i = 0; i < e->nkilled; i++)
        if (e->killed_ms[i] >= from_ms && e->killed_ms[i] <= to_ms)
            return true;
    return false;
}

bool ends_has_release(const struct ends *e, unsigned number)
{
    char key[KEY_SIZE];

    (void)snprintf(key, sizeof key, "release r%u", number);
    return find(e, key);
}

bool ends_has_lease(const struct ends *e, const char *lease_id)
{
    char key[KEY_SIZE];

    (void)snprintf(key, sizeof key, "lease %s", lease_id);
    return find(e, key);
}

static bool has_adoption(const struct ends *e, const char *lease_id, const char *from)
{
    char key[KEY_SIZE];

    (void)snprintf(key, sizeof key, "lease %s of %s", lease_id, from);
    return find(e, key);
}

bool ends_has_adoption(const struct ends *e, const char *lease_id, const char *from)
{
    return has_adoption(e, lease_id, from) || has_adoption(e, lease_id, "");
}

const char *ends_checkin(const struct ends *e, unsigned request)
{
    char key[KEY_SIZE];

    (void)snprintf(key, sizeof key, "request %u", request);
    const struct seen *seen = find(e, key);
    return seen ? seen->outcome : "";
}

struct ends *ends_new(struct world *w)
{
    struct ends *e = calloc(1, sizeof *e);

    if (!e)
        abort();
    e->world = w;
    return e;
}

void ends_free(struct ends *e)
{
    struct seen *seen, *next;

    HASH_ITER(hh, e->table, seen, next)
    {
        HASH_DEL(e->table, seen);
        free(seen);
    }
    free(e->killed_ms);
    free(e);
}
