/* SPDX-License-Identifier: Apache-2.0 */
/* etcd_sim.c - see the header. */
#include "etcd_sim.h"

#include "adoptions.h"
#include "fake_etcd.h"
#include "gateway_run.h"
#include "ids_seen.h"
#include "vault.h"

#include "base/text.h"

#include <stdlib.h>
#include <string.h>

#define ANSWER_MAX ((size_t)1 << 24)
#define PREFIX     ETCD_PREFIX
#define KEY_MAX    256
#define HOLDS_MAX  128 /* of one transaction */
/* The fastest beat that reads a key has been written this long after it, by the world's clock. */
#define SILENCE_APART_MS 100

struct etcd_sim {
    struct world *world;
    struct fake_etcd *keys, *backup;
    const struct node *caller;     /* whose call is done now */
    char held[HOLDS_MAX][KEY_MAX]; /* keys of the holds that it has made */
    unsigned nheld;
    uint64_t written_ms[SETUP_NODES]; /* the key of each node */
    struct adoptions *adoptions;
    struct id_seen *holders; /* leases that have held a vault request */
    uint64_t full_ms;        /* its quota is reached until then */
    unsigned done_yet;       /* transactions that it does, and refuses for its quota */
};

/* ---- calls ---- */

enum vault_call_kind etcd_sim_kind(const struct vault_http *http)
{
    if (strstr(http->target, "/range"))
        return ETCD_RANGE;
    if (strstr(http->target, "/authenticate"))
        return ETCD_SIGN_IN;
    return strstr(http->target, "/status") ? ETCD_STATUS : ETCD_TXN;
}

/* The token of a request; false = it has none. */
static bool token_of(const char *head, char token[64])
{
    static const char name[] = "\r\nAuthorization: ";
    const char *at = strstr(head, name);

    if (at)
        (void)snprintf(token, 64, "%.*s", (int)strcspn(at + sizeof name - 1, "\r"), at + sizeof name - 1);
    return at;
}

static int refuse_for_quota(struct etcd_sim *e, struct buf *body)
{
    world_disturbed(e->world);
    buf_clear(body);
    (void)buf_str(body, "{\"error\":\"etcdserver: mvcc: database space exceeded\",\"code\":8,"
                        "\"message\":\"etcdserver: mvcc: database space exceeded\"}");
    return 429;
}

/* etcd looks at its quota before a transaction that puts a key, and once more after it: until all members
 * know that it is reached, some are done and refused. */
static int call_in_quota(struct etcd_sim *e, const struct vault_http *http, struct buf *body)
{
    bool refused = e->world->now_ms < e->full_ms && strstr(http->body, "\"requestPut\"");

    if (refused && !e->done_yet)
        return refuse_for_quota(e, body);
    int status = fake_etcd_call(e->keys, http->target, http->body, body);

    if (!refused || status != 200)
        return status;
    e->done_yet--;
    return refuse_for_quota(e, body);
}

static int call(struct etcd_sim *e, const struct vault_http *http, struct buf *body)
{
    char token[64];

    if (etcd_sim_kind(http) != ETCD_SIGN_IN &&
        !fake_etcd_token_is_good(e->keys, token_of(http->head, token) ? token : NULL)) {
        (void)buf_str(body, "{\"error\":\"etcdserver: invalid auth token\",\"code\":16}");
        return 401;
    }
    return call_in_quota(e, http, body);
}

/* ---- what no transaction may do ---- */

struct held_request {
    const char *name;
    size_t n;
    char letter;
};

static void find_held(void *arg, const char *key, const char *value)
{
    struct held_request *h = arg;
    const char *last = strrchr(key, '/') + 1;

    if (strlen(last) == h->n && strncmp(last, h->name, h->n) == 0 && h->letter != 'O')
        h->letter = *value;
}

/* A new hold, PREFIX h/VAULT/R/L: its request is held, and its lease, of which its value has the key, there.
 */
static void check_hold(struct etcd_sim *e, const char *key)
{
    const char *name = strchr(key + sizeof PREFIX "h/" - 1, '/') + 1, *hold = fake_etcd_get(e->keys, key);
    struct held_request request = {name, strcspn(name, "/"), '-'};
    char lease[KEY_MAX];

    if (!hold)
        return;
    fake_etcd_each(e->keys, PREFIX "r/", find_held, &request);
    if (request.letter != 'O')
        world_fail(e->world, "g%u makes the hold %s of a request that is %c", e->caller->number, key,
                   request.letter);
    (void)snprintf(lease, sizeof lease, PREFIX "s/%.*s", (int)strcspn(hold, " "), hold);
    const char *row = fake_etcd_get(e->keys, lease);
    if (!row || !strstr(row, strrchr(key, '/') + 1))
        world_fail(e->world, "g%u makes the hold %s without its lease", e->caller->number, key);
}

static void check_request(struct etcd_sim *e, const char *key, const char *value, const char *before)
{
    if (value && before && (*value == 'O' || *value == 'W') && (*before == 'R' || *before == 'L'))
        world_fail(e->world, "g%u makes the request %s, which was %c, one that is held or waits",
                   e->caller->number, key, *before);
}

/* A gateway counts another one as dead that neither hands over nor has been silent for the ttl, by its clock.
 */
static void check_silence(const struct etcd_sim *e, const struct node *n, const char *value)
{
    struct world *w = e->world;
    int drift = e->caller->drift > 0 ? e->caller->drift : 0;
    uint64_t ttl_ms = w->setup.ttl_s * UINT64_C(1000) * 1000 / (uint64_t)(1000 + drift);

    if (n != e->caller && !strstr(value, "\"g\":1") &&
        w->now_ms + SILENCE_APART_MS < e->written_ms[n->number] + ttl_ms)
        world_fail(w, "g%u counts g%u as dead, which has written %u ms ago", e->caller->number, n->number,
                   (unsigned)(w->now_ms - e->written_ms[n->number]));
}

/* Another gateway counts it as dead. One that has had no answer to its entrance does not know of itself as it
 * is counted as dead then: it has done nothing, and its trail need not say so. */
static void note_fence(const struct etcd_sim *e, unsigned node, const char *before)
{
    struct node *n = &e->world->node[node];

    check_silence(e, n, before);
    if (n != e->caller && gateway_run_serves(n->gateway) && e->written_ms[node] >= n->started_ms) {
        n->last_fenced_ms = e->world->now_ms;
        if (gateway_run_has_joined(n->gateway))
            n->fenced_ms = e->world->now_ms;
        else
            counts_add(e->world->counts, 1, "fenced.before_it_knew");
        node_note(n, "counted as dead");
    }
}

/* What gateways write of themselves, each second, is left out. */
static void on_change(void *arg, const char *key, const char *value, const char *before)
{
    struct etcd_sim *e = arg;
    unsigned node;

    adoptions_changed(e->adoptions, key, value, before);
    if (sscanf(key, PREFIX "m/g%u", &node) == 1 && node < SETUP_NODES) {
        if (value)
            e->written_ms[node] = e->world->now_ms;
        else
            note_fence(e, node, before);
        return;
    }
    world_note(e->world, "etcd: %s %s", key + sizeof PREFIX - 1, value ? value : "goes");
    if (strncmp(key, PREFIX "r/", sizeof PREFIX "r/" - 1) == 0)
        check_request(e, key, value, before);
    if (strncmp(key, PREFIX "h/", sizeof PREFIX "h/" - 1) != 0 || !value || before)
        return;
    ids_seen_add(&e->holders, strrchr(key, '/') + 1);
    if (e->nheld < HOLDS_MAX)
        (void)snprintf(e->held[e->nheld++], KEY_MAX, "%s", key);
}

/* ---- calls ---- */

void etcd_sim_call(struct etcd_sim *e, struct node *n, const struct vault_http *http, struct buf *answer)
{
    struct buf body = BUF_INIT(ANSWER_MAX);
    int64_t before = fake_etcd_revision(e->keys);

    e->caller = n;
    e->nheld = 0;
    int status = call(e, http, &body);

    for (unsigned i = 0; i < e->nheld; i++)
        check_hold(e, e->held[i]);

    (void)buf_cstr(&body);
    vault_api_answer(answer, status, "application/json", "", body.data);
    counts_add(e->world->counts, 1, "%s.%d%s", vault_call_word(etcd_sim_kind(http)), status,
               status == 200 && fake_etcd_revision(e->keys) > before ? ".written" : "");
    if (status != 200)
        world_note(e->world, "etcd: g%u %s -> %d %s", n->number, http->target, status, body.data);
    if (status == 400)
        world_fail(e->world, "etcd refuses a request of g%u: %s", n->number, body.data);
    buf_free(&body);
}

void etcd_sim_act(struct etcd_sim *e, const struct act *act)
{
    if (act->kind == ACT_ETCD_FORGET) {
        fake_etcd_forget_tokens(e->keys);
        return;
    }
    if (act->kind == ACT_ETCD_FULL) {
        world_disturbed(e->world);
        e->full_ms = e->world->now_ms + act->a * UINT64_C(1000);
        e->done_yet = act->b;
        return;
    }
    if (e->backup)
        fake_etcd_free(e->backup);
    e->backup = fake_etcd_copy(e->keys);
}

bool etcd_sim_restore(struct etcd_sim *e, bool other_cluster)
{
    if (!e->backup || !fake_etcd_get(e->backup, PREFIX "c/tag"))
        return false;
    fake_etcd_restore(e->keys, e->backup, other_cluster);
    world_note(e->world, "etcd: restored, revision %lld", (long long)fake_etcd_revision(e->keys));
    return true;
}

/* ---- rows ---- */

struct search {
    const char *mark, *name;
    size_t found;
};

static void match(void *arg, const char *key, const char *value)
{
    struct search *s = arg;
    const char *last = strrchr(key, '/');

    s->found += (*s->mark && strstr(value, s->mark)) || (last && strcmp(last + 1, s->name) == 0);
}

bool etcd_sim_has_request(const struct etcd_sim *e, const char *mark, const char *name)
{
    struct search s = {mark, name, 0};

    fake_etcd_each(e->keys, PREFIX "r/", match, &s);
    s.name = "";
    fake_etcd_each(e->keys, PREFIX "i/", match, &s);
    return s.found;
}

/* But for requests that have lapsed. */
static void count(void *arg, const char *key, const char *value)
{
    bool lapsed = strncmp(key, PREFIX "r/", sizeof PREFIX "r/" - 1) == 0 && *value == 'L';

    *(size_t *)arg += !lapsed;
}

static size_t count_all(const struct etcd_sim *e, const char *const prefixes[], size_t n)
{
    size_t all = 0;

    for (size_t i = 0; i < n; i++)
        fake_etcd_each(e->keys, prefixes[i], count, &all);
    return all;
}

size_t etcd_sim_requests(const struct etcd_sim *e)
{
    static const char *const prefixes[] = {PREFIX "r/", PREFIX "i/", PREFIX "w/"};

    return count_all(e, prefixes, 3);
}

size_t etcd_sim_leases(const struct etcd_sim *e)
{
    static const char *const prefixes[] = {PREFIX "s/", PREFIX "h/", PREFIX "e/"};

    return count_all(e, prefixes, 3);
}

bool etcd_sim_is_held(const struct etcd_sim *e, unsigned request)
{
    char prefix[48];
    size_t holds = 0;

    (void)snprintf(prefix, sizeof prefix, PREFIX "h/main/%u/", request);
    fake_etcd_each(e->keys, prefix, count, &holds);
    return holds;
}

bool etcd_sim_has_held(const struct etcd_sim *e, const char *lease_id)
{
    return ids_seen_has(e->holders, lease_id);
}

bool etcd_sim_has_lsid(const struct etcd_sim *e, const char *lease_id)
{
    struct search s = {"", lease_id, 0};

    fake_etcd_each(e->keys, PREFIX "e/", match, &s);
    return s.found;
}

bool etcd_sim_has_member(const struct etcd_sim *e, const struct node *n)
{
    char key[32];

    (void)snprintf(key, sizeof key, PREFIX "m/g%u", n->number);
    return fake_etcd_get(e->keys, key);
}

bool etcd_sim_owns(const struct etcd_sim *e, const struct node *n)
{
    static const char *const prefixes[] = {PREFIX "r/", PREFIX "i/"};
    char owner[16], dead[32];
    struct search s = {owner, "", 0};

    (void)snprintf(owner, sizeof owner, "\"g%u@", n->number);
    (void)snprintf(dead, sizeof dead, PREFIX "d/g%u@", n->number);
    for (size_t i = 0; i < 2; i++)
        fake_etcd_each(e->keys, prefixes[i], match, &s);
    fake_etcd_each(e->keys, dead, count, &s.found);
    return s.found;
}

uint64_t etcd_sim_written_ms(const struct etcd_sim *e, const struct node *n)
{
    return e->written_ms[n->number];
}

static void show(void *arg, const char *key, const char *value)
{
    struct etcd_sim *e = arg;

    world_note(e->world, "etcd: %s %s", key, value);
}

void etcd_sim_show(struct etcd_sim *e)
{
    fake_etcd_each(e->keys, PREFIX, show, e);
}

void etcd_sim_check_end(const struct etcd_sim *e)
{
    adoptions_check_end(e->adoptions);
}

/* ---- life ---- */

struct etcd_sim *etcd_sim_new(struct world *w)
{
    struct etcd_sim *e = calloc(1, sizeof *e);

    if (!e)
        abort();
    e->world = w;
    e->keys = fake_etcd_new();
    e->adoptions = adoptions_new(w, e->keys);
    fake_etcd_watch(e->keys, on_change, e);
    if (w->setup.etcd_users)
        fake_etcd_enable_auth(e->keys, ETCD_USER, ETCD_PASSWORD);
    return e;
}

void etcd_sim_free(struct etcd_sim *e)
{
    ids_seen_free(&e->holders);
    adoptions_free(e->adoptions);
    fake_etcd_free(e->keys);
    if (e->backup)
        fake_etcd_free(e->backup);
    free(e);
}
