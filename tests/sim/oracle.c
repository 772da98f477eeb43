/* SPDX-License-Identifier: Apache-2.0 */
/*
 * oracle.c - the promises of oracle.h, one function each.
 *
 * The oracle knows what clients were answered, what the vault has and what is durable; it asks the gateway
 * nothing. Where the outcome of a request is unknown to its client, it allows both outcomes.
 */
#include "oracle.h"

#include "disk.h"
#include "ends.h"
#include "etcd_sim.h"
#include "gateway_run.h"
#include "keyed_vault.h"
#include "oracle_seen.h"
#include "site_sim.h"

#include "broker/identity/request_reason.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define MINUTE          UINT64_C(60000)
#define APART_MS        2000 /* whole seconds, and the time of a call */
#define SHORT_MS        3000 /* of a lease that is as good as over */
#define TICK_MS         MINUTE
#define CLUSTER_TICK_MS 1000
#define EXPIRED_MS      (3 * MINUTE)
#define DELAYED_MS      100           /* until the end of a lease is durable */
#define PROMPT_MS       MINUTE        /* for a check-in that nothing keeps */
#define SETTLED_MS      (5 * MINUTE)  /* until what went wrong has no effect on what begins now */
#define ON_THE_WAY_MS   100           /* from its arrival until a check-out is in the broker */
#define STATUS_MS       100           /* for an answer about the gateway's state */
#define AWAY_MS         40000         /* until a gateway that was up finds that the vault is away */
#define STARTED_MS      5000          /* ... and one that starts then */
#define UNDER_WAY_MS    MINUTE        /* a check-out, at most */
#define SHOWN_MS        (3 * MINUTE)  /* of a listing, until its ends are taken */
#define READY_MS        MINUTE        /* after the last thing that was in the way */
#define LEARNT_MS       (30 * MINUTE) /* after the end of a request, until the gateway knows of it */
#define CALM_MS         (20 * MINUTE) /* longer than every retry and the longest reconcile_every */
#define CLUSTER_CALM_MS (4 * MINUTE)  /* the same, with the shorter intervals of several gateways */

static void mark_of(const struct vault_entry *e, char mark[ID_SIZE])
{
    if (!reason_lease_id(e->reason, mark))
        mark[0] = '\0';
}

/* ---- secrets ---- */

/*
 * A read of this request since the check-out began, that no other answer came of. Direct access returns no
 * request: where it has ended before the list is read, none is known.
 */
static struct vault_read *find_read(const struct oracle *o, const struct caller_op *op, unsigned version,
                                    unsigned request)
{
    struct vault_read *r;

    STAILQ_FOREACH(r, &o->world->vault->reads, link)
    if (r->at_ms >= op->started_ms && !r->answered && r->user == op->user && r->account == op->account &&
        r->version == version && (r->entry->id == request || (!request && r->entry->state == VAULT_ENDED)))
        return r;
    return NULL;
}

static void check_secret(struct oracle *o, const struct caller_op *op, const char *secret, unsigned request)
{
    struct world *w = o->world;
    unsigned account = 0, version = 0;
    struct vault_read *read = NULL;

    if (!secret || !vault_secret_of(w->vault, secret, &account, &version))
        world_fail(w, "request %u got a secret that the vault never had", op->number);
    else if (account != op->account)
        world_fail(w, "request %u for account %u got the secret of account %u", op->number, op->account,
                   account);
    else if (!(read = find_read(o, op, version, request)))
        world_fail(w, "request %u got a secret that was not read for it as its user", op->number);
    if (read)
        read->answered = true;
    const struct vault_entry *e = vault_find(w->vault, request);
    if (!e)
        return;
    if (e->user != op->user || e->account != op->account)
        world_fail(w, "request %u holds request %u of another user or account", op->number, request);
    if (e->end == VAULT_END_CHECKIN && !e->own && !world_is_cluster(w))
        world_fail(w, "request %u got a secret after request %u was checked in", op->number, request);
}

static void check_release_before(struct oracle *o, const struct caller_op *op)
{
    const struct seen_release *r;

    STAILQ_FOREACH(r, &o->releases, link)
    if (r->session == op->session && (r->whole_session || r->account == op->account) &&
        op->begun_order < r->sent_order && r->answered_order < op->answered_order)
        world_fail(o->world, "request %u got a secret after its session's release was answered", op->number);
}

static int number_of(const cJSON *object, const char *name)
{
    const cJSON *item = cJSON_GetObjectItem(object, name);

    return cJSON_IsNumber(item) ? (int)item->valuedouble : 0;
}

/* No lease is longer than its vault request, as far as the clocks agree. */
static int64_t check_expiry(struct oracle *o, const struct caller_op *op, const cJSON *lease,
                            unsigned request)
{
    struct world *w = o->world;
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItem(lease, "expires_at"));
    const struct vault_entry *e = vault_find(w->vault, request);
    int64_t expires = text ? clock_vault_date(text) : 0;
    int64_t apart = world_lease_apart(w) + llabs((long long)w->vault->ahead_ms);

    if (e && world_is_cluster(w))
        apart += cluster_apart_ms(o, e->made_ms);

    if (expires < world_lease_wall(w) + SHORT_MS) /* keeps its length, and the answer is rounded up */
        apart += 1000;

    if (e && expires > e->expires_wall_ms + apart)
        world_fail(w, "request %u got a lease that ends %lld ms after its vault request", op->number,
                   (long long)(expires - e->expires_wall_ms));
    return expires;
}

/* The session ended while the check-out was on its way: it is answered, and its lease ends at once. */
static void note_end_on_the_way(const struct oracle *o, const struct caller_op *op, struct seen_lease *lease)
{
    const struct seen_end *end;

    STAILQ_FOREACH(end, &o->ends, link)
    if (end->session == op->session && end->node == op->node && op->named &&
        op->begun_ms + ON_THE_WAY_MS < end->begun_ms) {
        lease->released_ms = o->world->now_ms;
        counts_add(o->world->counts, 1, "end.on_the_way");
    }
}

/* What release_duration is at most, at all gateways; 0 = one has been given another since. */
static unsigned release_minutes(const struct world *w, uint64_t since_ms)
{
    unsigned most = 0;

    for (unsigned k = 0; k < w->nnodes; k++) {
        if (w->node[k].reloaded_ms >= since_ms)
            return 0;
        most = w->node[k].release_minutes > most ? w->node[k].release_minutes : most;
    }
    return most;
}

/* The request of a session that asks for no duration has that of the configuration. */
static void check_minutes(struct oracle *o, const struct caller_op *op, const char *id, unsigned request)
{
    struct world *w = o->world;
    const struct vault_entry *e = vault_find(w->vault, request);
    unsigned most = release_minutes(w, op->begun_ms);
    char mark[ID_SIZE] = "";

    if (e)
        mark_of(e, mark);
    if (strcmp(mark, id) == 0 && !o->timed[op->session % SETUP_SESSIONS] && e->made_ms >= op->begun_ms &&
        most && e->minutes > most)
        world_fail(w, "request %u lasts %u minutes, release_duration is %u", request, e->minutes, most);
}

static uint64_t made_ms(const struct world *w, unsigned request)
{
    const struct vault_entry *e = vault_find(w->vault, request);

    return e ? e->made_ms : w->now_ms;
}

/* Or has had one: it may have ended since, by its session's end or at another gateway. */
static bool has_lease(const struct world *w, const char *id)
{
    return world_is_cluster(w) ? etcd_sim_has_held(w->etcd, id) : disk_has_lease(w->node[0].disk, id);
}

static void on_checkout(struct oracle *o, const struct caller_op *op, const cJSON *body)
{
    struct world *w = o->world;
    const cJSON *lease = cJSON_GetObjectItem(body, "lease");
    const char *id = cJSON_GetStringValue(cJSON_GetObjectItem(lease, "id"));
    unsigned request = (unsigned)number_of(lease, "request_id");
    struct seen_lease *seen = calloc(1, sizeof *seen);

    if (!seen)
        abort();
    check_secret(o, op, cJSON_GetStringValue(cJSON_GetObjectItem(body, "password")), request);
    if (world_is_cluster(w))
        cluster_check_secret(o, op, id ? id : "", request);
    else
        check_release_before(o, op);
    int64_t expires = check_expiry(o, op, lease, request);
    if (!id || strlen(id) >= sizeof seen->id) {
        world_fail(w, "request %u got a secret without a lease", op->number);
        free(seen);
        return;
    }
    check_minutes(o, op, id, request);
    if (!has_lease(w, id))
        world_fail(w, "request %u got a secret, and its lease %s has no row", op->number, id);
    if (w->setup.strict && !disk_has_checkout(op->node->disk, id))
        world_fail(w, "request %u got a secret whose audit record is not on the disk", op->number);
    *seen = (struct seen_lease){.session = op->session,
                                .user = op->user,
                                .account = op->account,
                                .request = request,
                                .at_ms = w->now_ms,
                                .expires_wall_ms = expires,
                                .named = op->named,
                                .op = op,
                                .made_ms = made_ms(w, request),
                                .order = op->answered_order};
    (void)snprintf(seen->id, sizeof seen->id, "%s", id);
    if (world_is_cluster(w)) {
        seen->named = etcd_sim_has_lsid(w->etcd, id); /* a repeat at another gateway does not add it */
        cluster_check_lease(o, seen);
    }
    STAILQ_INSERT_TAIL(&o->leases, seen, link);
    note_end_on_the_way(o, op, seen);
    if (world_is_cluster(w) && cluster_check_ends(o, op) && !seen->released_ms)
        seen->released_ms = w->now_ms;
    counts_add(w->counts, 1, "secret.given");
}

/* ---- releases ---- */

static unsigned account_bit(unsigned account)
{
    return 1U << account % SETUP_ACCOUNTS;
}

/* Something has ended the session's lease of the account, or tried to. */
static bool is_ending(const struct oracle *o, unsigned session, unsigned account)
{
    return o->ending[session % SETUP_SESSIONS] & account_bit(account);
}

static bool covers(const struct seen_release *r, const struct seen_lease *l)
{
    return l->session == r->session && (r->whole_session || l->account == r->account) &&
           l->order < r->sent_order;
}

/* Another session was given a lease of the request, and has not released it. */
static bool others_hold(const struct oracle *o, const struct seen_lease *lease)
{
    const struct seen_lease *l;

    STAILQ_FOREACH(l, &o->leases, link)
    if (l->request == lease->request && l->session != lease->session && !l->released_ms)
        return true;
    return false;
}

/* The vault request of a lease that the release has ended; NULL = of one that it has not, or had ended
 * before. */
static const struct vault_entry *ended_by(const struct oracle *o, const struct caller_op *op,
                                          const struct seen_release *r, const struct seen_lease *l)
{
    const struct vault_entry *e =
        covers(r, l) && !l->released_ms ? vault_find(o->world->vault, l->request) : NULL;

    return e && (vault_live(e) || e->ended_ms >= op->started_ms) ? e : NULL;
}

/* So many leases it has ended, if no other answer came since it was sent; -1 = that is not known. */
static int count_ended(const struct oracle *o, const struct caller_op *op, const struct seen_release *r)
{
    const struct seen_lease *l;
    int n = 0;

    STAILQ_FOREACH(l, &o->leases, link)
    {
        if (l->session == r->session && l->order >= r->sent_order)
            return -1;
        n += ended_by(o, op, r, l) != NULL;
    }
    return n;
}

/* What the answer says of other holders, and of the vault, which has confirmed unless it is pending. */
static void check_release(struct oracle *o, const struct caller_op *op, const struct seen_release *r,
                          const cJSON *body)
{
    struct world *w = o->world;
    const struct seen_lease *l;

    if (number_of(body, "released") != count_ended(o, op, r)) /* some have ended otherwise */
        return;
    STAILQ_FOREACH(l, &o->leases, link)
    {
        const struct vault_entry *e = ended_by(o, op, r, l);

        if (!e || e->own || e->isa || e->stray || others_hold(o, l) ||
            !callers_certain(w->callers, e->user, e->account, e->made_ms))
            continue;
        counts_add(w->counts, 1, "release.%s", r->pending ? "pending" : "confirmed");
        if (number_of(body, "remaining_holders"))
            world_fail(w, "request %u is a release that counts other holders of request %u, which has none",
                       r->number, e->id);
        else if (!r->pending && vault_live(e))
            world_fail(w, "request %u is a release that is not pending, and request %u is still live",
                       r->number, e->id);
    }
}

/* Its check-out was under way. */
static bool takes_along(const struct oracle *o, const struct seen_release *r, const struct seen_lease *l)
{
    bool is = world_is_cluster(o->world) && r->whole_session && l->session == r->session &&
              cluster_is_taken_along(o, l->op, r->sent_ms);

    counts_add(o->world->counts, is, "end.along");
    return is;
}

static void on_release(struct oracle *o, const struct caller_op *op, const cJSON *body)
{
    struct seen_release *r = calloc(1, sizeof *r);
    struct seen_lease *l;

    if (!r)
        abort();
    *r = (struct seen_release){.number = op->number,
                               .at_ms = o->world->now_ms,
                               .session = op->session,
                               .account = op->account,
                               .whole_session = op->kind == ACT_COMPLETE,
                               .pending = op->pending,
                               .node = op->node,
                               .sent_order = op->sent_order,
                               .answered_order = op->answered_order,
                               .sent_ms = op->started_ms};
    STAILQ_INSERT_TAIL(&o->releases, r, link);
    if (!world_is_cluster(o->world))
        check_release(o, op, r, body);
    else if (op->pending) /* done later */
        return;
    STAILQ_FOREACH(l, &o->leases, link)
    if ((covers(r, l) || takes_along(o, r, l)) && !l->released_ms) {
        l->released_ms = o->world->now_ms;
        l->hurried = op->hurried && op->pending;
    }
}

/* Its lease ends by another release, or with its time. */
static void forget_release(struct oracle *o, struct seen_lease *l)
{
    l->released_ms = 0;
    l->hurried = false;
    counts_add(o->world->counts, 1, "release.forgotten");
}

void oracle_on_lost_steps(struct oracle *o, uint64_t since_ms)
{
    struct seen_lease *l;

    STAILQ_FOREACH(l, &o->leases, link)
    if (l->released_ms >= since_ms)
        forget_release(o, l);
}

void oracle_on_kill(struct oracle *o)
{
    struct seen_lease *l;

    STAILQ_FOREACH(l, &o->leases, link)
    if (l->hurried && l->released_ms + DELAYED_MS > o->world->now_ms)
        forget_release(o, l);
}

/* ---- ends of sessions ---- */

/* The leases of the session that were given before `order` and whose lsid is known. */
static void end_leases(struct oracle *o, unsigned session, uint64_t order, const char *how)
{
    struct seen_lease *l;

    STAILQ_FOREACH(l, &o->leases, link)
    if (l->session == session && l->named && l->order < order && !l->released_ms) {
        l->released_ms = o->world->now_ms;
        counts_add(o->world->counts, 1, "end.by_%s", how);
    }
}

static void on_event(struct oracle *o, const struct caller_op *op, const cJSON *body)
{
    struct seen_end *end;

    if (!cJSON_IsTrue(cJSON_GetObjectItem(body, "accepted"))) {
        world_fail(o->world, "request %u is an event that is refused for ever", op->number);
        return;
    }
    end = calloc(1, sizeof *end);
    if (!end)
        abort();
    *end = (struct seen_end){
        .session = op->session, .begun_ms = op->begun_ms, .at_ms = o->world->now_ms, .node = op->node};
    STAILQ_INSERT_TAIL(&o->ends, end, link);
    end_leases(o, op->session, op->sent_order, "event");
}

/* An operator has released a lease, and perhaps ended its session; whatever the answer is, it says so. */
static void on_operator(struct oracle *o, const struct caller_op *op, const cJSON *body)
{
    const char *outcome = cJSON_GetStringValue(cJSON_GetObjectItem(body, "outcome"));
    struct seen_lease *l;

    STAILQ_FOREACH(l, &o->leases, link)
    if (strcmp(l->id, op->lease) == 0 && number_of(body, "released") && !l->released_ms)
        l->released_ms = o->world->now_ms;
    if (outcome && (strcmp(outcome, "terminated") == 0 || strcmp(outcome, "already_ended") == 0))
        end_leases(o, op->session, op->sent_order, outcome);
}

static void on_shown(void *arg, unsigned session, uint64_t at_ms)
{
    struct oracle *o = arg;
    struct seen_lease *l;

    STAILQ_FOREACH(l, &o->leases, link)
    if (l->session == session && l->named && l->at_ms < at_ms && !l->released_ms) {
        l->released_ms = o->world->now_ms;
        counts_add(o->world->counts, 1, "end.by_poll");
    }
}

/* Nothing has gone wrong for longer than every retry. */
static bool is_calm(const struct oracle *o)
{
    const struct world *w = o->world;

    return world_is_cluster(w) ? cluster_is_calm(o, CLUSTER_CALM_MS) : world_calm_ms(w) > CALM_MS;
}

/* Listings are read: what they show has ended. */
static void take_shown(struct oracle *o)
{
    const struct world *w = o->world;

    if ((w->setup.site == SITE_POLL || w->setup.site == SITE_BOTH) &&
        site_sim_calm_ms(w->site) > (world_is_cluster(w) ? CLUSTER_CALM_MS : CALM_MS) && is_calm(o) &&
        world_serves(w))
        site_sim_shown(w->site, SHOWN_MS, on_shown, o);
}

/* ---- finds, refusals ---- */

/* A list shows what its user may have, or had when a kept list was read. */
static void check_found(struct oracle *o, const struct caller_op *op, const cJSON *body)
{
    struct world *w = o->world;
    const cJSON *row;

    cJSON_ArrayForEach(row, cJSON_GetObjectItem(body, "credentials"))
    {
        const char *name = cJSON_GetStringValue(cJSON_GetObjectItem(row, "account"));
        unsigned a = SETUP_ACCOUNTS;

        if (!name || sscanf(name, "root%u", &a) != 1 || a != op->account)
            world_fail(w, "request %u found an account of another system", op->number);
        else if (!vault_entitles(w->vault, op->user, a) &&
                 w->vault->entitled_ms[op->user][a] + w->list_cache_ms + APART_MS < op->started_ms)
            world_fail(w, "request %u found account %u, to which its user is not entitled", op->number, a);
    }
}

/* The session has a lease, and nothing is in its way. */
static bool may_repeat(const struct oracle *o, const struct caller_op *op)
{
    struct world *w = o->world;
    const struct seen_lease *l;

    STAILQ_FOREACH(l, &o->leases, link)
    {
        const struct vault_entry *e = vault_find(w->vault, l->request);

        if (l->session == op->session && l->account == op->account && !l->released_ms && e &&
            e->state == VAULT_ACTIVE && l->at_ms < op->started_ms &&
            l->expires_wall_ms > world_lease_wall(w) + APART_MS)
            return true;
    }
    return false;
}

/* The calls of a few operations, one after the other, take longer than a client waits. */
static bool is_narrow(const struct setup *s)
{
    return (uint64_t)s->latency_ms * 16 / s->connections > 10000;
}

static void on_refusal(struct oracle *o, const struct caller_op *op, const char *code)
{
    struct world *w = o->world;

    if (op->kind == ACT_GARBAGE || op->kind == ACT_SITE_EVENT)
        return;
    if (op->status == 429)
        world_fail(w, "request %u is over a rate that it did not reach", op->number);
    if (!w->setup.strict && strcmp(code, "audit_unavailable") == 0)
        world_fail(w, "request %u is refused for its audit record, and the policy is not strict", op->number);
    if (strcmp(code, "overloaded") ==
            0 || /* a slow call may have the only connection for longer than max_wait */
        (strcmp(code, "deadline_exceeded") == 0 && is_narrow(&w->setup)))
        return;
    if (world_is_cluster(w)) {
        if (op->kind == ACT_CHECKOUT && !op->hurried && cluster_may_repeat(o, op))
            world_fail(w, "request %u is refused (%s), and its session has a lease", op->number, code);
        if (op->kind == ACT_CHECKOUT && strcmp(code, "credential_not_found") == 0)
            cluster_check_not_found(o, op);
        return;
    }
    if (op->kind == ACT_CHECKOUT && !op->hurried && !op->minutes && world_serves(w) && may_repeat(o, op) &&
        world_calm_ms(w) > SETTLED_MS && !is_ending(o, op->session, op->account) &&
        !site_sim_ended(w->site, op->session) && vault_entitles(w->vault, op->user, op->account))
        world_fail(w, "request %u is refused (%s), and its session has a lease", op->number, code);
}

/* Of a vault that is away the gateway knows within so long. */
static uint64_t known_away_ms(const struct world *w, const struct node *n)
{
    uint64_t away_ms = link_side_vault_away_ms(w->vault->links);
    uint64_t known_ms = n->started_ms > away_ms ? n->started_ms + STARTED_MS : away_ms + AWAY_MS;

    return known_ms > n->paused_ms + AWAY_MS ? known_ms : n->paused_ms + AWAY_MS;
}

/* Nothing is in the way of its work, and nothing was a moment ago. */
static bool has_to_be_ready(const struct oracle *o, const struct node *n)
{
    const struct world *w = o->world;

    return gateway_run_serves(n->gateway) && w->now_ms > n->started_ms + READY_MS &&
           (world_is_cluster(w) ? cluster_is_calm(o, READY_MS) : world_calm_ms(w) > READY_MS);
}

/* A gateway is ready, however it was started, unless the vault is away; then it says so. */
static void check_ready(struct oracle *o, const struct caller_op *op, const cJSON *body)
{
    struct world *w = o->world;
    const char *why = cJSON_GetStringValue(cJSON_GetArrayItem(cJSON_GetObjectItem(body, "reasons"), 0));
    bool away = link_side_vault_away_ms(w->vault->links), ready = op->status == 200;

    if (ready && away && w->now_ms > known_away_ms(w, op->node))
        world_fail(w, "request %u status says that the gateway is ready, and the vault is away", op->number);
    if (!ready && !away && has_to_be_ready(o, op->node))
        world_fail(w, "request %u status says that the gateway is not ready: %s", op->number, why ? why : "");
    counts_add(w->counts, 1, "ready.%s%s", ready ? "yes" : "no", away ? ".vault_away" : "");
}

/* What shows the gateway's state waits for no vault and has no limit but the client's. */
static void check_status(struct oracle *o, const struct caller_op *op, const cJSON *body, const char *code)
{
    struct world *w = o->world;
    unsigned page = op->session % STATUS_NPAGES;

    if (w->now_ms > op->begun_ms + STATUS_MS && op->node->paused_ms < op->started_ms)
        world_fail(w, "request %u status is answered after %u ms", op->number,
                   (unsigned)(w->now_ms - op->begun_ms));
    if (code && strcmp(code, "overloaded") == 0)
        world_fail(w, "request %u status is refused for what others ask", op->number);
    if (page == STATUS_READY || page == STATUS_HEALTH)
        check_ready(o, op, body);
    else if (op->status != 200)
        world_fail(w, "request %u status is answered %d", op->number, op->status);
}

void oracle_on_answer(struct oracle *o, const struct caller_op *op, const cJSON *body)
{
    const char *code = cJSON_GetStringValue(cJSON_GetObjectItem(body, "code"));

    if (o->world->keyed) {
        keyed_vault_on_answer(o->world->keyed, op, body);
        return;
    }
    if (op->kind == ACT_STATUS)
        check_status(o, op, body, code);

    if (op->kind == ACT_OPERATOR_RELEASE || op->kind == ACT_END_SESSION)
        on_operator(o, op, body);
    if (op->status != 200) {
        if (code)
            on_refusal(o, op, code);
    } else if (op->kind == ACT_CHECKOUT) {
        on_checkout(o, op, body);
    } else if (op->kind == ACT_RELEASE || op->kind == ACT_COMPLETE) {
        on_release(o, op, body);
    } else if (op->kind == ACT_FIND) {
        check_found(o, op, body);
    } else if (op->kind == ACT_SESSION_END) {
        on_event(o, op, body);
    } else if (op->kind == ACT_LIST && world_is_cluster(o->world)) {
        cluster_check_list(o, op, body);
    }
}

void oracle_on_start(struct oracle *o, const struct caller_op *op)
{
    if (op->kind == ACT_RELEASE)
        o->ending[op->session % SETUP_SESSIONS] |= account_bit(op->account);
    if (op->kind == ACT_COMPLETE || op->kind == ACT_OPERATOR_RELEASE || op->kind == ACT_END_SESSION)
        o->ending[op->session % SETUP_SESSIONS] = UINT_MAX;
    o->named[op->session % SETUP_SESSIONS] |= op->named;
    o->timed[op->session % SETUP_SESSIONS] |= op->minutes != 0;
}

/* Its session is not known to have ended. */
static bool is_running(const struct oracle *o, const struct seen_lease *l)
{
    return l->named && l->expires_wall_ms > world_wall(o->world) &&
           !site_sim_ended(o->world->site, l->session);
}

const char *oracle_pick_lease(const struct oracle *o, unsigned n, bool running, unsigned *session)
{
    const struct seen_lease *l, *found = NULL;

    STAILQ_FOREACH(l, &o->leases, link)
    if (!l->released_ms && (!running || is_running(o, l))) {
        found = l;
        if (!n--)
            break;
    }
    if (!found)
        return NULL;
    *session = found->session;
    return found->id;
}

/* ---- requests at the vault ---- */

static void check_only_one(struct oracle *o, const struct vault_entry *e)
{
    const struct vault_entry *other;

    STAILQ_FOREACH(other, &o->world->vault->requests, link)
    if (other != e && vault_live(other) && !other->isa && !e->isa && other->user == e->user &&
        other->account == e->account)
        world_fail(o->world, "user %u has the requests %u and %u for account %u", e->user, other->id, e->id,
                   e->account);
}

static bool has_row(const struct world *w, const char *mark, const char *name)
{
    return world_is_cluster(w) ? etcd_sim_has_request(w->etcd, mark, name)
                               : disk_has_request(w->node[0].disk, mark, name);
}

static void check_has_row(struct oracle *o, const struct vault_entry *e)
{
    char mark[ID_SIZE], name[16];

    if (e->own || e->stray || !vault_live(e) || (world_is_cluster(o->world) && cluster_may_lack_row(o, e)))
        return;
    mark_of(e, mark);
    (void)snprintf(name, sizeof name, "%u", e->id);
    if (!has_row(o->world, mark, name))
        world_fail(o->world, "orphan: request %u of user %u for account %u has no row", e->id, e->user,
                   e->account);
}

void oracle_on_request(struct oracle *o, const struct vault_entry *e)
{
    check_only_one(o, e);
    check_has_row(o, e);
}

/* Its session has asked for it, has ended at the site and is known there, or its time is over. */
static bool may_have_ended(const struct oracle *o, const struct seen_lease *l)
{
    const struct world *w = o->world;

    if (world_is_cluster(w))
        return cluster_may_have_ended(o, l);
    return l->released_ms || is_ending(o, l->session, l->account) ||
           (o->named[l->session % SETUP_SESSIONS] && site_sim_ended(w->site, l->session)) ||
           l->expires_wall_ms <= world_lease_wall(w) + APART_MS + world_lease_apart(w) || w->gives_up ||
           w->gave_up_ms >= l->at_ms;
}

void oracle_on_checkin(struct oracle *o, const struct vault_entry *e)
{
    const struct seen_lease *l;

    STAILQ_FOREACH(l, &o->leases, link)
    if (l->request == e->id && !may_have_ended(o, l))
        world_fail(o->world, "request %u is given back, and session %u has a lease of it", e->id, l->session);
}

bool seen_handed_over(const struct oracle *o, const struct vault_entry *e)
{
    const struct seen_lease *l;

    STAILQ_FOREACH(l, &o->leases, link)
    if (l->request == e->id)
        return true;
    return false;
}

/* The check-in of a request whose time is over comes with its end, a moment before or after; that of one
 * which no check-out has handed over, with the end of its wait for an approver. */
static void check_expired(struct oracle *o, struct vault_entry *e)
{
    struct world *w = o->world;
    uint64_t apart_ms = world_is_cluster(w) ? (uint64_t)cluster_apart_ms(o, e->made_ms) : 0;
    uint64_t due_ms = e->ended_ms + apart_ms;

    if (e->wanted_approval && !seen_handed_over(o, e) && e->waits_until_ms + apart_ms > due_ms)
        due_ms = e->waits_until_ms + apart_ms;
    if (e->own || e->stray || e->judged || e->end != VAULT_END_EXPIRED || w->now_ms < due_ms + EXPIRED_MS)
        return;
    e->judged = true;
    if (!e->asked_back &&
        (world_is_cluster(w) ? cluster_is_overdue(o, due_ms) : world_serves(w) && world_calm_ms(w) > CALM_MS))
        world_fail(w, "request %u has ended by its own time, and was not checked in", e->id);
}

/* Every session that was given a lease of it has released it. */
static uint64_t released_ms(const struct oracle *o, const struct vault_entry *e)
{
    const struct seen_lease *l;
    uint64_t last_ms = 0;
    bool any = false;

    STAILQ_FOREACH(l, &o->leases, link)
    if (l->request == e->id) {
        any = true;
        if (!l->released_ms)
            return 0;
        last_ms = l->released_ms > last_ms ? l->released_ms : last_ms;
    }
    return any ? last_ms : 0;
}

/* No client is in doubt about a check-out of this user and account since the request was made. */
static bool is_certain(const struct oracle *o, const struct vault_entry *e)
{
    return callers_certain(o->world->callers, e->user, e->account, e->made_ms);
}

/* The vault takes its time for each check-in, and the gateway has so many connections. */
static uint64_t backlog_ms(const struct world *w, uint64_t since_ms)
{
    const struct vault_entry *e;
    uint64_t live = 0;

    STAILQ_FOREACH(e, &w->vault->requests, link)
    live += vault_live(e) || e->ended_ms >= since_ms;
    return 2 * live * w->setup.checkin_ms / w->setup.connections;
}

/* At once, where nothing is in the way; after all retries and comparisons otherwise. */
static bool is_overdue(const struct oracle *o, const struct vault_entry *e, uint64_t since_ms)
{
    struct world *w = o->world;
    uint64_t for_ms = w->now_ms > since_ms ? w->now_ms - since_ms : 0, calm_ms = world_calm_ms(w);

    if (world_is_cluster(w))
        return !e->own && !e->stray && vault_live(e) && cluster_is_overdue(o, since_ms);
    return !e->own && !e->stray && vault_live(e) && world_serves(w) &&
           for_ms > PROMPT_MS + backlog_ms(w, since_ms) &&
           (calm_ms > CALM_MS || calm_ms > for_ms + SETTLED_MS);
}

/* By so much the gateway's clock may be wrong about an end that was set then. */
static uint64_t end_apart_ms(const struct oracle *o, uint64_t made_ms)
{
    return (uint64_t)(world_is_cluster(o->world) ? cluster_apart_ms(o, made_ms)
                                                 : world_lease_apart(o->world));
}

void oracle_on_lapse(const struct oracle *o, unsigned request)
{
    const struct world *w = o->world;
    const struct vault_entry *e = vault_find(w->vault, request);
    int64_t apart_ms = APART_MS + llabs((long long)w->vault->ahead_ms);

    if (e && vault_live(e) && !e->own && !e->stray &&
        e->expires_wall_ms > vault_wall(w->vault) + apart_ms + (int64_t)end_apart_ms(o, e->made_ms))
        world_fail(o->world,
                   "the audit trail says that request %u has lapsed, which is live for %lld ms more", e->id,
                   (long long)(e->expires_wall_ms - vault_wall(w->vault)));
}

static void check_released(struct oracle *o, const struct vault_entry *e)
{
    uint64_t since_ms = vault_live(e) ? released_ms(o, e) : 0;

    if (since_ms && is_overdue(o, e, since_ms) && is_certain(o, e))
        world_fail(o->world, "request %u is released by all its sessions and still live", e->id);
    if (e->state == VAULT_PENDING && !(world_is_cluster(o->world) && cluster_may_be_unread(o, e)) &&
        is_overdue(o, e, e->waits_until_ms + end_apart_ms(o, e->made_ms)))
        world_fail(o->world, "request %u still waits for its approver", e->id);
}

/* A check-out takes the wait of the moment at which it learns that its request has to be approved. */
void oracle_on_reload(struct oracle *o)
{
    struct world *w = o->world;
    uint64_t wait_ms = world_approval_wait_ms(w);
    struct vault_entry *e;

    STAILQ_FOREACH(e, &w->vault->requests, link)
    if (e->state == VAULT_PENDING && e->made_ms + wait_ms > e->waits_until_ms &&
        w->now_ms < e->made_ms + UNDER_WAY_MS && !is_certain(o, e))
        e->waits_until_ms = e->made_ms + wait_ms;
}

/* ---- the trail ---- */

/* When the lease has ended at the latest, by the gateway's clock of now. */
static uint64_t latest_end_ms(const struct oracle *o, const struct seen_lease *l)
{
    const struct world *w = o->world;
    int64_t left_ms = l->expires_wall_ms - world_lease_wall(w);
    uint64_t end_ms =
        left_ms < 0 && (uint64_t)-left_ms > w->now_ms ? 0 : (uint64_t)((int64_t)w->now_ms + left_ms);

    return l->released_ms && l->released_ms < end_ms ? l->released_ms : end_ms;
}

/* Another check-out of the session has, or may have, replaced it. */
static bool may_be_replaced(const struct oracle *o, const struct seen_lease *l)
{
    const struct seen_lease *other;

    STAILQ_FOREACH(other, &o->leases, link)
    if (other->session == l->session && other->account == l->account && other->order > l->order &&
        strcmp(other->id, l->id) != 0)
        return true;
    return !callers_certain(o->world->callers, l->user, l->account, l->at_ms);
}

/* Something may have ended it before, and its client was not answered. */
static bool may_have_ended_before(const struct oracle *o, const struct seen_lease *l, uint64_t end_ms)
{
    const struct world *w = o->world;
    const struct vault_entry *e = vault_find(w->vault, l->request);

    return is_ending(o, l->session, l->account) || site_sim_ended(w->site, l->session) ||
           w->gave_up_ms >= l->at_ms || may_be_replaced(o, l) || (e && e->ended_ms && e->ended_ms < end_ms);
}

/* A process that is killed about the end of a lease may take the record with it, but of several gateways,
 * where another one writes it; so may a restored etcd. */
static bool may_lack_its_end(const struct oracle *o, const struct seen_lease *l, uint64_t end_ms)
{
    const struct world *w = o->world;
    uint64_t apart_ms = APART_MS + end_apart_ms(o, l->made_ms);
    uint64_t from_ms = may_have_ended_before(o, l, end_ms) ? l->at_ms
                       : end_ms > apart_ms                 ? end_ms - apart_ms
                                                           : 0;

    if (world_is_cluster(w))
        return l->op->begun_ms <= w->restored_ms;
    return ends_kill_between(w->ends, from_ms, end_ms + apart_ms + SETTLED_MS);
}

/* Its end is in the trail a minute later, whatever the vault does, unless something kept the gateway. */
static void check_end_in_time(struct oracle *o, struct seen_lease *l)
{
    struct world *w = o->world;
    uint64_t end_ms = latest_end_ms(o, l) + end_apart_ms(o, l->made_ms);
    uint64_t for_ms = w->now_ms > end_ms ? w->now_ms - end_ms : 0, calm_ms = world_calm_ms(w);
    bool in_time = world_is_cluster(w)
                       ? cluster_is_overdue(o, end_ms)
                       : world_serves(w) && (calm_ms >= CALM_MS || calm_ms >= for_ms + SETTLED_MS);

    if (l->end_seen || for_ms < PROMPT_MS || !in_time)
        return;
    l->end_seen = true;
    if (!ends_has_lease(w->ends, l->id) && !may_lack_its_end(o, l, end_ms))
        world_fail(w, "lease %s of session %u is over, and the audit trail has no end of it", l->id,
                   l->session);
    counts_add(w->counts, 1, "trail.end_in_time");
}

/* The outcome of the check-in of its request. */
static void check_checkin(struct oracle *o, const struct seen_lease *l)
{
    struct world *w = o->world;
    const struct vault_entry *e = vault_find(w->vault, l->request);
    const char *outcome = ends_checkin(w->ends, l->request);

    if (!e || e->own || e->stray || (w->restored_ms && e->made_ms <= w->restored_ms))
        return;
    if (!*outcome && !ends_kill_between(w->ends, e->ended_ms - APART_MS, e->ended_ms + LEARNT_MS))
        world_fail(w, "the audit trail has no check-in and no lapse of request %u", e->id);
    if (*outcome && !e->asked_back && strcmp(outcome, "lapsed") != 0)
        world_fail(w, "the audit trail says %s of request %u, which was not checked in", outcome, e->id);
    if (e->end == VAULT_END_CHECKIN && strcmp(outcome, "lapsed") == 0)
        counts_add(w->counts, 1, "trail.lapsed_and_checked_in");
    counts_add(w->counts, 1, "trail.end_%s", *outcome ? outcome : "lost");
}

/* The end of a lease is in the trail when it is over, and that of its request when it is settled. */
static void check_ends(struct oracle *o)
{
    struct world *w = o->world;
    const struct seen_release *r;
    const struct seen_lease *l;

    STAILQ_FOREACH(l, &o->leases, link)
    {
        bool may_lack = may_lack_its_end(o, l, latest_end_ms(o, l));

        counts_add(w->counts, 1, may_lack ? "trail.lease_excused" : "trail.lease_judged");
        if (!may_lack && !ends_has_lease(w->ends, l->id))
            world_fail(w, "the audit trail has no end of lease %s of session %u", l->id, l->session);
        check_checkin(o, l);
    }
    STAILQ_FOREACH(r, &o->releases, link)
    if (!ends_has_release(w->ends, r->number) && !ends_kill_between(w->ends, r->at_ms, r->at_ms + SETTLED_MS))
        world_fail(w, "the audit trail has no record of release %u", r->number);
}

static bool has_checkout(const struct world *w, const char *lease_id)
{
    for (unsigned k = 0; k < w->nnodes; k++)
        if (disk_has_checkout(w->node[k].disk, lease_id))
            return true;
    return false;
}

/* Of a check-out that was answered: a policy that is not strict may lose it with the process. */
static void check_recorded(struct oracle *o, const struct seen_lease *l)
{
    struct world *w = o->world;

    if (!has_checkout(w, l->id) &&
        (w->setup.strict || !ends_kill_between(w->ends, l->at_ms, l->at_ms + SETTLED_MS)))
        world_fail(w, "the audit trail has no check-out of lease %s", l->id);
}

/* ---- each minute ---- */

static void on_tick(void *arg)
{
    struct oracle *o = arg;
    struct vault_sim *v = o->world->vault;
    struct vault_entry *e;
    struct seen_lease *l;

    take_shown(o);
    vault_settle(v);
    STAILQ_FOREACH(e, &v->requests, link)
    {
        check_has_row(o, e);
        check_expired(o, e);
        check_released(o, e);
        if (world_is_cluster(o->world))
            cluster_check_unheld(o, e);
    }
    if (world_is_cluster(o->world)) {
        cluster_settle_releases(o, covers);
        cluster_check_nodes(o);
    }
    STAILQ_FOREACH(l, &o->leases, link)
    check_end_in_time(o, l);
    world_after(o->world, world_is_cluster(o->world) ? CLUSTER_TICK_MS : TICK_MS, on_tick, o);
}

/* ---- the end ---- */

void oracle_check_quiet(struct oracle *o)
{
    struct world *w = o->world;
    const struct vault_entry *e;

    if (w->keyed) {
        keyed_vault_check_quiet(w->keyed);
        return;
    }
    vault_settle(w->vault);
    STAILQ_FOREACH(e, &w->vault->requests, link)
    if (vault_live(e) && !e->own)
        world_fail(w, "request %u is live after the quiet time", e->id);
    size_t requests = world_is_cluster(w) ? etcd_sim_requests(w->etcd) : disk_requests(w->node[0].disk);
    size_t leases = world_is_cluster(w) ? etcd_sim_leases(w->etcd) : disk_leases(w->node[0].disk);
    if ((requests || leases) && world_is_cluster(w))
        etcd_sim_show(w->etcd);
    if (requests || leases)
        world_fail(w, "%zu vault requests and %zu leases are in the store after the quiet time", requests,
                   leases);
    if (site_sim_waiting(w->site))
        world_fail(w, "the gateway has not taken %zu events of the site", site_sim_waiting(w->site));
    if (!world_is_cluster(w) && disk_steps_refused(w->node[0].disk))
        world_fail(w, "the store has refused a step: its rows are not as the gateway knows them");
}

void oracle_check_end(struct oracle *o)
{
    const struct seen_lease *l;

    callers_check_end(o->world->callers);
    for (unsigned k = 0; k < o->world->nnodes; k++)
        disk_check_trail(o->world->node[k].disk);
    STAILQ_FOREACH(l, &o->leases, link)
    check_recorded(o, l);
    check_ends(o);
    if (world_is_cluster(o->world))
        etcd_sim_check_end(o->world->etcd);
}

/* ---- life ---- */

struct oracle *oracle_new(struct world *w)
{
    struct oracle *o = calloc(1, sizeof *o);

    if (!o)
        abort();
    o->world = w;
    STAILQ_INIT(&o->leases);
    STAILQ_INIT(&o->releases);
    STAILQ_INIT(&o->ends);
    if (!w->keyed)
        world_after(w, TICK_MS, on_tick, o);
    return o;
}

void oracle_free(struct oracle *o)
{
    struct seen_release *r;
    struct seen_lease *l;
    struct seen_end *end;

    while ((l = STAILQ_FIRST(&o->leases))) {
        STAILQ_REMOVE_HEAD(&o->leases, link);
        free(l);
    }
    while ((r = STAILQ_FIRST(&o->releases))) {
        STAILQ_REMOVE_HEAD(&o->releases, link);
        free(r);
    }
    while ((end = STAILQ_FIRST(&o->ends))) {
        STAILQ_REMOVE_HEAD(&o->ends, link);
        free(end);
    }
    free(o);
}
