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
#include "gateway_run.h"
#include "site_sim.h"

#include "broker/identity/request_reason.h"

#include <stdlib.h>
#include <string.h>

#define MINUTE        UINT64_C(60000)
#define APART_MS      2000 /* whole seconds, and the time of a call */
#define SHORT_MS      3000 /* of a lease that is as good as over */
#define TICK_MS       MINUTE
#define EXPIRED_MS    (3 * MINUTE)
#define PROMPT_MS     MINUTE        /* for a check-in that nothing keeps */
#define SETTLED_MS    (5 * MINUTE)  /* until what went wrong has no effect on what begins now */
#define ON_THE_WAY_MS 100           /* from its arrival until a check-out is in the broker */
#define STATUS_MS     100           /* for an answer about the gateway's state */
#define UNDER_WAY_MS  MINUTE        /* a check-out, at most */
#define SHOWN_MS      (3 * MINUTE)  /* of a listing, until its ends are taken */
#define LEARNT_MS     (30 * MINUTE) /* after the end of a request, until the gateway knows of it */
#define CALM_MS       (20 * MINUTE) /* longer than every retry and the longest reconcile_every */

/* What a client was answered: a lease. */
struct seen_lease {
    STAILQ_ENTRY(seen_lease) link;
    char id[ID_SIZE];
    unsigned session, user, account, request;
    uint64_t order, at_ms; /* of the answer */
    int64_t expires_wall_ms;
    uint64_t released_ms; /* 0 = it is not */
    bool named;           /* its lsid is known */
    bool end_seen;        /* in the trail; or it will not come */
};

/* A release or completion that was answered: check-outs that began before it give nothing any more. */
struct seen_release {
    STAILQ_ENTRY(seen_release) link;
    unsigned number, session, account;
    bool whole_session;
    uint64_t sent_order, answered_order, at_ms;
};

/* An end of a session that the gateway has accepted. */
struct seen_end {
    STAILQ_ENTRY(seen_end) link;
    unsigned session;
    uint64_t begun_ms; /* of its request */
};

struct oracle {
    struct world *world;
    STAILQ_HEAD(, seen_end) ends;
    bool timed[SETUP_SESSIONS]; /* a check-out of the session has asked for a duration */
    bool named[SETUP_SESSIONS]; /* a request has named the lsid of the session */
    STAILQ_HEAD(, seen_lease) leases;
    STAILQ_HEAD(, seen_release) releases;
    bool ending[SETUP_SESSIONS]; /* something has ended a lease of the session, or tried to */
};

static void mark_of(const struct vault_entry *e, char mark[ID_SIZE])
{
    if (!reason_lease_id(e->reason, mark))
        mark[0] = '\0';
}

/* ---- secrets ---- */

/* A read of this request since the check-out began, that no other answer came of. */
static struct vault_read *find_read(const struct oracle *o, const struct caller_op *op, unsigned version,
                                    unsigned request)
{
    struct vault_read *r;

    STAILQ_FOREACH(r, &o->world->vault->reads, link)
    if (r->at_ms >= op->started_ms && !r->answered && r->user == op->user && r->account == op->account &&
        r->version == version && r->entry->id == request)
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
    if (e->end == VAULT_END_CHECKIN && !e->own)
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
    int64_t apart = llabs((long long)w->wall_ahead_ms) + llabs((long long)w->vault->ahead_ms);

    if (expires < clock_wall(&w->clock) + SHORT_MS) /* keeps its length, and the answer is rounded up */
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
    if (end->session == op->session && op->named && op->begun_ms + ON_THE_WAY_MS < end->begun_ms) {
        lease->released_ms = o->world->now_ms;
        counts_add(o->world->counts, 1, "end.on_the_way");
    }
}

/* The request of a session that asks for no duration has that of the configuration. */
static void check_minutes(struct oracle *o, const struct caller_op *op, const char *id, unsigned request)
{
    struct world *w = o->world;
    const struct vault_entry *e = vault_find(w->vault, request);
    char mark[ID_SIZE] = "";

    if (e)
        mark_of(e, mark);
    if (strcmp(mark, id) == 0 && !o->timed[op->session % SETUP_SESSIONS] && e->made_ms >= op->begun_ms &&
        op->begun_ms > w->reloaded_ms && e->minutes > w->setup.release_minutes)
        world_fail(w, "request %u lasts %u minutes, release_duration is %u", request, e->minutes,
                   w->setup.release_minutes);
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
    check_release_before(o, op);
    int64_t expires = check_expiry(o, op, lease, request);
    if (!id || strlen(id) >= sizeof seen->id) {
        world_fail(w, "request %u got a secret without a lease", op->number);
        free(seen);
        return;
    }
    check_minutes(o, op, id, request);
    if (w->setup.strict && !disk_has_checkout(w->disk, id))
        world_fail(w, "request %u got a secret whose audit record is not on the disk", op->number);
    *seen = (struct seen_lease){.session = op->session,
                                .user = op->user,
                                .account = op->account,
                                .request = request,
                                .at_ms = w->now_ms,
                                .expires_wall_ms = expires,
                                .named = op->named,
                                .order = op->answered_order};
    (void)snprintf(seen->id, sizeof seen->id, "%s", id);
    STAILQ_INSERT_TAIL(&o->leases, seen, link);
    note_end_on_the_way(o, op, seen);
    counts_add(w->counts, 1, "secret.given");
}

/* ---- releases ---- */

static bool covers(const struct seen_release *r, const struct seen_lease *l)
{
    return l->session == r->session && (r->whole_session || l->account == r->account) &&
           l->order < r->sent_order;
}

static void on_release(struct oracle *o, const struct caller_op *op)
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
                               .sent_order = op->sent_order,
                               .answered_order = op->answered_order};
    STAILQ_INSERT_TAIL(&o->releases, r, link);
    STAILQ_FOREACH(l, &o->leases, link)
    if (covers(r, l))
        l->released_ms = l->released_ms ? l->released_ms : o->world->now_ms;
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
    *end = (struct seen_end){.session = op->session, .begun_ms = op->begun_ms};
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

/* Listings are read: what they show has ended. */
static void take_shown(struct oracle *o)
{
    const struct world *w = o->world;

    if ((w->setup.site == SITE_POLL || w->setup.site == SITE_BOTH) && site_sim_calm_ms(w->site) > CALM_MS &&
        world_calm_ms(w) > CALM_MS && gateway_run_serves(w->gateway))
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
            l->expires_wall_ms > clock_wall(&w->clock) + APART_MS)
            return true;
    }
    return false;
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
        0) /* a slow call may have the only connection for longer than max_wait */
        return;
    if (op->kind == ACT_CHECKOUT && !op->hurried && !op->minutes && gateway_run_serves(w->gateway) &&
        may_repeat(o, op) && world_calm_ms(w) > SETTLED_MS && !o->ending[op->session % SETUP_SESSIONS] &&
        !site_sim_ended(w->site, op->session) && vault_entitles(w->vault, op->user, op->account))
        world_fail(w, "request %u is refused (%s), and its session has a lease", op->number, code);
}

/* What shows the gateway's state waits for no vault and has no limit but the client's. */
static void check_status(struct oracle *o, const struct caller_op *op, const char *code)
{
    struct world *w = o->world;

    if (w->now_ms > op->begun_ms + STATUS_MS)
        world_fail(w, "request %u status is answered after %u ms", op->number,
                   (unsigned)(w->now_ms - op->begun_ms));
    if (code && strcmp(code, "overloaded") == 0)
        world_fail(w, "request %u status is refused for what others ask", op->number);
}

void oracle_on_answer(struct oracle *o, const struct caller_op *op, const cJSON *body)
{
    const char *code = cJSON_GetStringValue(cJSON_GetObjectItem(body, "code"));

    if (op->kind == ACT_STATUS)
        check_status(o, op, code);

    if (op->kind == ACT_OPERATOR_RELEASE || op->kind == ACT_END_SESSION)
        on_operator(o, op, body);
    if (op->status != 200) {
        if (code)
            on_refusal(o, op, code);
    } else if (op->kind == ACT_CHECKOUT) {
        on_checkout(o, op, body);
    } else if (op->kind == ACT_RELEASE || op->kind == ACT_COMPLETE) {
        on_release(o, op);
    } else if (op->kind == ACT_FIND) {
        check_found(o, op, body);
    } else if (op->kind == ACT_SESSION_END) {
        on_event(o, op, body);
    }
}

void oracle_on_start(struct oracle *o, const struct caller_op *op)
{
    bool ends = op->kind == ACT_RELEASE || op->kind == ACT_COMPLETE || op->kind == ACT_OPERATOR_RELEASE ||
                op->kind == ACT_END_SESSION;

    o->ending[op->session % SETUP_SESSIONS] |= ends;
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

static void check_has_row(struct oracle *o, const struct vault_entry *e)
{
    char mark[ID_SIZE], name[16];

    if (e->own || e->stray || !vault_live(e))
        return;
    mark_of(e, mark);
    (void)snprintf(name, sizeof name, "%u", e->id);
    if (!disk_has_request(o->world->disk, mark, name))
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

    return l->released_ms || o->ending[l->session % SETUP_SESSIONS] ||
           (o->named[l->session % SETUP_SESSIONS] && site_sim_ended(w->site, l->session)) ||
           l->expires_wall_ms <= clock_wall(&w->clock) + APART_MS + llabs((long long)w->wall_ahead_ms) ||
           w->gives_up || w->gave_up_ms >= l->at_ms;
}

void oracle_on_checkin(struct oracle *o, const struct vault_entry *e)
{
    const struct seen_lease *l;

    STAILQ_FOREACH(l, &o->leases, link)
    if (l->request == e->id && !may_have_ended(o, l))
        world_fail(o->world, "request %u is given back, and session %u has a lease of it", e->id, l->session);
}

static bool was_handed_over(const struct oracle *o, const struct vault_entry *e)
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
    uint64_t due_ms = e->ended_ms;

    if (e->wanted_approval && !was_handed_over(o, e) && e->waits_until_ms > due_ms)
        due_ms = e->waits_until_ms;
    if (e->own || e->stray || e->judged || e->end != VAULT_END_EXPIRED || w->now_ms < due_ms + EXPIRED_MS)
        return;
    e->judged = true;
    if (!e->asked_back && gateway_run_serves(w->gateway) && world_calm_ms(w) > CALM_MS)
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

/* At once, where nothing is in the way; after all retries and comparisons otherwise. */
static bool is_overdue(const struct oracle *o, const struct vault_entry *e, uint64_t since_ms)
{
    struct world *w = o->world;
    uint64_t for_ms = w->now_ms > since_ms ? w->now_ms - since_ms : 0, calm_ms = world_calm_ms(w);

    return !e->own && !e->stray && vault_live(e) && gateway_run_serves(w->gateway) && for_ms > PROMPT_MS &&
           (calm_ms > CALM_MS || calm_ms > for_ms + SETTLED_MS);
}

static void check_released(struct oracle *o, const struct vault_entry *e)
{
    uint64_t since_ms = vault_live(e) ? released_ms(o, e) : 0;

    if (since_ms && is_overdue(o, e, since_ms) && is_certain(o, e))
        world_fail(o->world, "request %u is released by all its sessions and still live", e->id);
    if (e->state == VAULT_PENDING && is_overdue(o, e, e->waits_until_ms))
        world_fail(o->world, "request %u still waits for its approver", e->id);
}

/* A check-out takes the wait of the moment at which it learns that its request has to be approved. */
void oracle_on_reload(struct oracle *o)
{
    struct world *w = o->world;
    uint64_t wait_ms = w->setup.approval_wait_s * UINT64_C(1000);
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
    int64_t left_ms = l->expires_wall_ms - clock_wall(&w->clock);
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

    return o->ending[l->session % SETUP_SESSIONS] || site_sim_ended(w->site, l->session) ||
           w->gave_up_ms >= l->at_ms || may_be_replaced(o, l) || (e && e->ended_ms && e->ended_ms < end_ms);
}

/* A process that is killed about the end of a lease may take the record with it. */
static bool may_lack_its_end(const struct oracle *o, const struct seen_lease *l, uint64_t end_ms)
{
    const struct world *w = o->world;
    uint64_t apart_ms = APART_MS + (uint64_t)llabs((long long)w->wall_ahead_ms);
    uint64_t from_ms = may_have_ended_before(o, l, end_ms) ? l->at_ms
                       : end_ms > apart_ms                 ? end_ms - apart_ms
                                                           : 0;

    return ends_kill_between(w->ends, from_ms, end_ms + apart_ms + SETTLED_MS);
}

/* Its end is in the trail a minute later, whatever the vault does, unless something kept the gateway. */
static void check_end_in_time(struct oracle *o, struct seen_lease *l)
{
    struct world *w = o->world;
    uint64_t end_ms = latest_end_ms(o, l) + (uint64_t)llabs((long long)w->wall_ahead_ms);
    uint64_t for_ms = w->now_ms > end_ms ? w->now_ms - end_ms : 0, calm_ms = world_calm_ms(w);

    if (l->end_seen || for_ms < PROMPT_MS || !gateway_run_serves(w->gateway) ||
        (calm_ms < CALM_MS && calm_ms < for_ms + SETTLED_MS))
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

    if (!e || e->own || e->stray)
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

/* Of a check-out that was answered: a policy that is not strict may lose it with the process. */
static void check_recorded(struct oracle *o, const struct seen_lease *l)
{
    struct world *w = o->world;

    if (!disk_has_checkout(w->disk, l->id) &&
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
    }
    STAILQ_FOREACH(l, &o->leases, link)
    check_end_in_time(o, l);
    world_after(o->world, TICK_MS, on_tick, o);
}

/* ---- the end ---- */

void oracle_check_quiet(struct oracle *o)
{
    struct world *w = o->world;
    const struct vault_entry *e;

    vault_settle(w->vault);
    STAILQ_FOREACH(e, &w->vault->requests, link)
    if (vault_live(e) && !e->own)
        world_fail(w, "request %u is live after the quiet time", e->id);
    if (disk_requests(w->disk) || disk_leases(w->disk))
        world_fail(w, "%zu vault requests and %zu leases are in the store after the quiet time",
                   disk_requests(w->disk), disk_leases(w->disk));
    if (site_sim_waiting(w->site))
        world_fail(w, "the gateway has not taken %zu events of the site", site_sim_waiting(w->site));
    if (disk_steps_refused(w->disk))
        world_fail(w, "the store has refused a step: its rows are not as the gateway knows them");
}

void oracle_check_end(struct oracle *o)
{
    const struct seen_lease *l;

    callers_check_end(o->world->callers);
    disk_check_trail(o->world->disk);
    STAILQ_FOREACH(l, &o->leases, link)
    check_recorded(o, l);
    check_ends(o);
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
