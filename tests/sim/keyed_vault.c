/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keyed_vault.c - see the header: what the vault does, what its answers are, then the promises.
 */
#include "keyed_vault.h"

#include "disk.h"
#include "gateway_run.h"

#include "base/json.h"
#include "base/jsonw.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define BASE       "/ERPMWebService/json/V2/AuthService.svc/"
#define BODY_MAX   4096
#define EXPIRES_MS 2000 /* whole seconds, and the time of a call */

enum held_by { HELD_BY_NONE, HELD_BY_US, HELD_BY_A_PERSON };

/* A check-out was answered with this lease. */
struct given {
    STAILQ_ENTRY(given) link;
    const struct caller_op *op;
    int64_t expires_wall_ms;
};

struct keyed_vault {
    struct world *world;
    enum held_by holder[SETUP_ACCOUNTS];
    uint64_t by_hand_ms[SETUP_ACCOUNTS]; /* when a person last did something to it */
    unsigned version[SETUP_ACCOUNTS];    /* of the password */
    unsigned token, last_token;          /* the one that is good; 0 = none is */
    STAILQ_HEAD(, given) given;
};

/* ---- calls ---- */

enum vault_call_kind keyed_vault_kind(const struct vault_http *http)
{
    const char *name = strrchr(http->target, '/') + 1;

    if (strncmp(http->target, BASE, strlen(BASE)) != 0)
        return VAULT_PROBE;
    if (strcmp(name, "DoLogin2") == 0)
        return VAULT_SIGN_IN;
    if (strcmp(name, "DoLogout") == 0)
        return VAULT_SIGN_OUT;
    return strstr(name, "_CheckOut") ? VAULT_REQUEST : VAULT_CHECKIN;
}

unsigned keyed_vault_account(const struct vault_http *http)
{
    const char *at = strstr(http->body, "\"acc");

    return at ? (unsigned)strtoul(at + 4, NULL, 10) % SETUP_ACCOUNTS : 0;
}

static unsigned ours(const struct keyed_vault *v)
{
    unsigned n = 0;

    for (unsigned a = 0; a < SETUP_ACCOUNTS; a++)
        n += v->holder[a] == HELD_BY_US;
    return n;
}

static void refuse(struct buf *answer, const char *words)
{
    char body[128];

    (void)snprintf(body, sizeof body, "{\"Message\":\"%s\"}", words);
    vault_api_answer(answer, 500, "application/json", "", body);
}

static void say_done(struct buf *answer, const char *words)
{
    char body[128];

    (void)snprintf(body, sizeof body, "{\"OperationMessage\":\"%s\",\"OperationSucceeded\":true}", words);
    vault_api_answer(answer, 200, "application/json", "", body);
}

static void sign_in(struct keyed_vault *v, struct buf *answer)
{
    char token[32];

    v->token = ++v->last_token;
    (void)snprintf(token, sizeof token, "token-%08u", v->token);
    say_done(answer, token);
}

static void check_out(struct keyed_vault *v, unsigned account, struct buf *answer)
{
    struct buf body = BUF_INIT(BODY_MAX);
    char secret[VAULT_SECRET_SIZE];

    if (v->holder[account] == HELD_BY_A_PERSON) {
        refuse(answer, "The password is checked out by a person");
        return;
    }
    if (v->holder[account] == HELD_BY_NONE)
        world_note(v->world, "vault: account %u is checked out", account);
    v->holder[account] = HELD_BY_US;
    if (ours(v) > disk_requests(v->world->node[0].disk))
        world_fail(v->world, "account %u is checked out, and the store has no row for it", account);
    vault_secret(v->world->vault, account, v->version[account], secret);
    struct jsonw w = jsonw_start(&body);

    jsonw_object(&w, NULL);
    jsonw_str(&w, "Password", secret);
    jsonw_end(&w);
    vault_api_answer(answer, 200, "application/json", "", buf_cstr(&body));
    buf_free(&body);
}

static void check_nobody_holds(struct keyed_vault *, unsigned account);

static void check_in(struct keyed_vault *v, unsigned account, struct buf *answer)
{
    if (v->holder[account] != HELD_BY_US) {
        refuse(answer, v->holder[account] ? "It is checked out by a person" : "It is not checked out");
        return;
    }
    check_nobody_holds(v, account);
    v->holder[account] = HELD_BY_NONE;
    world_note(v->world, "vault: account %u is checked in", account);
    if (v->world->setup.account[account].rotate)
        v->version[account]++;
    say_done(answer, "The password was checked in");
}

static bool has_token(const struct keyed_vault *v, const struct vault_http *http)
{
    const char *at = strstr(http->body, "\"token-");

    return v->token && at && strtoul(at + 7, NULL, 10) == v->token;
}

void keyed_vault_call(struct keyed_vault *v, const struct vault_http *http, enum vault_call_kind kind,
                      struct buf *answer)
{
    if (kind == VAULT_PROBE) {
        vault_api_answer(answer, 200, "text/html", "", "<html>The service is there.</html>");
    } else if (kind == VAULT_SIGN_IN) {
        sign_in(v, answer);
    } else if (!has_token(v, http)) {
        refuse(answer, "The authentication token is not valid");
    } else if (kind == VAULT_SIGN_OUT) {
        v->token = 0;
        say_done(answer, "success");
    } else if (kind == VAULT_REQUEST) {
        check_out(v, keyed_vault_account(http), answer);
    } else {
        check_in(v, keyed_vault_account(http), answer);
    }
}

/* ---- acts ---- */

static void by_hand(struct keyed_vault *v, unsigned account, enum held_by from, enum held_by to)
{
    if (account >= v->world->setup.accounts || v->holder[account] != from)
        return;
    v->holder[account] = to;
    v->by_hand_ms[account] = v->world->now_ms;
    world_note(v->world, "vault: account %u by hand: %s", account, to ? "checked out" : "given back");
    counts_add(v->world->counts, 1, "keyed.by_hand.%d.%d", (int)from, (int)to);
}

bool keyed_vault_act(struct keyed_vault *v, const struct act *act)
{
    switch (act->kind) {
    case ACT_VAULT_FORGET: v->token = 0; break;
    case ACT_OWN: by_hand(v, act->c, HELD_BY_NONE, HELD_BY_A_PERSON); break;
    case ACT_OWN_END: by_hand(v, act->c, HELD_BY_A_PERSON, HELD_BY_NONE); break;
    case ACT_TERMINATE: by_hand(v, act->c, HELD_BY_US, HELD_BY_NONE); break;
    default: return false;
    }
    world_disturbed(v->world);
    return true;
}

/* ---- promises ---- */

struct question {
    const struct caller_op *op; /* a check-out */
    bool answered_between;
};

static bool ends(const struct caller_op *release, const struct caller_op *op)
{
    return release->session == op->session &&
           (release->kind == ACT_COMPLETE ||
            (release->kind == ACT_RELEASE && release->account == op->account));
}

/* A release that may have come after it. */
static bool may_end(void *arg, const struct caller_op *release)
{
    const struct caller_op *op = ((struct question *)arg)->op;

    return ends(release, op) && (release->sent_order > op->sent_order || !release->answered_order ||
                                 release->answered_order > op->begun_order);
}

/* A release was asked for and answered while it was on its way. */
static bool ended_between(void *arg, const struct caller_op *release)
{
    const struct caller_op *op = ((struct question *)arg)->op;

    return ends(release, op) && release->status == 200 && op->begun_order < release->sent_order &&
           release->answered_order < op->answered_order;
}

static bool asked(const struct keyed_vault *v, bool (*what)(void *, const struct caller_op *),
                  const struct caller_op *op)
{
    struct question q = {.op = op};

    return callers_any(v->world->callers, what, &q);
}

/* Only a lease that nothing has ended, as far as is known here, is one that is held for certain. */
static void check_nobody_holds(struct keyed_vault *v, unsigned account)
{
    const struct given *g;

    STAILQ_FOREACH(g, &v->given, link)
    if (g->op->account == account && !g->op->left && v->by_hand_ms[account] < g->op->started_ms &&
        world_lease_wall(v->world) < g->expires_wall_ms - EXPIRES_MS && !asked(v, may_end, g->op) &&
        !v->world->setup.release_on_stop)
        world_fail(v->world, "account %u is given back, and session %u has a lease of it", account,
                   g->op->session);
}

static void check_secret(struct keyed_vault *v, const struct caller_op *op, const char *secret)
{
    unsigned account = 0, version = 0;

    if (!secret || !vault_secret_of(v->world->vault, secret, &account, &version))
        world_fail(v->world, "request %u got a secret that the vault never had", op->number);
    else if (account != op->account)
        world_fail(v->world, "request %u for account %u got the secret of account %u", op->number,
                   op->account, account);
    else if (v->by_hand_ms[account] < op->started_ms && !asked(v, may_end, op)) {
        if (v->holder[account] != HELD_BY_US)
            world_fail(v->world, "request %u got a secret of account %u, which is not checked out",
                       op->number, account);
        if (version != v->version[account])
            world_fail(v->world, "request %u got an old secret of account %u", op->number, account);
    }
}

static void on_checkout(struct keyed_vault *v, const struct caller_op *op, const cJSON *body)
{
    const cJSON *lease = cJSON_GetObjectItem(body, "lease");
    const char *expires = cJSON_GetStringValue(cJSON_GetObjectItem(lease, "expires_at"));
    struct given *g = calloc(1, sizeof *g);

    if (!g)
        abort();
    g->op = op;
    g->expires_wall_ms = expires ? clock_vault_date(expires) : 0;
    STAILQ_INSERT_TAIL(&v->given, g, link);
    check_secret(v, op, cJSON_GetStringValue(cJSON_GetObjectItem(body, "password")));
    if (!v->world->setup.entitled[op->user][op->account])
        world_fail(v->world, "request %u got a secret that user %u may not have", op->number, op->user);
    if (asked(v, ended_between, op))
        world_fail(v->world, "request %u got a secret after its session's release was answered", op->number);
    if (!cJSON_IsNull(cJSON_GetObjectItem(lease, "request_id")))
        world_fail(v->world, "request %u got a lease with a number of the vault", op->number);
}

static void on_find(struct keyed_vault *v, const struct caller_op *op, const cJSON *body)
{
    const struct setup *s = &v->world->setup;
    int n = 0;

    for (unsigned a = 0; a < s->accounts; a++)
        n += s->entitled[op->user][a] != 0;
    if (cJSON_GetArraySize(cJSON_GetObjectItem(body, "credentials")) != n)
        world_fail(v->world, "request %u found %d credentials, user %u may have %d", op->number,
                   cJSON_GetArraySize(cJSON_GetObjectItem(body, "credentials")), op->user, n);
}

/* What is refused to a user whom the map names, and the other way round. */
static void on_refusal(struct keyed_vault *v, const struct caller_op *op, const char *code)
{
    bool entitled = v->world->setup.entitled[op->user][op->account];

    if (op->kind == ACT_CHECKOUT && entitled && strcmp(code, "not_entitled") == 0)
        world_fail(v->world, "request %u is refused to user %u, who may have account %u", op->number,
                   op->user, op->account);
    if (op->kind == ACT_STATUS && op->session == STATUS_READY && v->world->healed)
        world_fail(v->world, "the gateway is not ready after the quiet time: %s", code);
}

void keyed_vault_on_answer(struct keyed_vault *v, const struct caller_op *op, const cJSON *body)
{
    const char *code = cJSON_GetStringValue(cJSON_GetObjectItem(body, "code"));

    if (op->status != 200) {
        if (code)
            on_refusal(v, op, code);
    } else if (op->kind == ACT_CHECKOUT) {
        on_checkout(v, op, body);
    } else if (op->kind == ACT_FIND) {
        on_find(v, op, body);
    }
}

void keyed_vault_check_quiet(struct keyed_vault *v)
{
    struct world *w = v->world;

    for (unsigned a = 0; a < SETUP_ACCOUNTS; a++)
        if (v->holder[a] == HELD_BY_US)
            world_fail(w, "account %u is checked out after the quiet time", a);
    if (disk_requests(w->node[0].disk) || disk_leases(w->node[0].disk))
        world_fail(w, "%zu vault requests and %zu leases are in the store after the quiet time",
                   disk_requests(w->node[0].disk), disk_leases(w->node[0].disk));
}

/* ---- life ---- */

struct keyed_vault *keyed_vault_new(struct world *w)
{
    struct keyed_vault *v = calloc(1, sizeof *v);

    if (!v)
        abort();
    v->world = w;
    STAILQ_INIT(&v->given);
    return v;
}

void keyed_vault_free(struct keyed_vault *v)
{
    struct given *g;

    while (v && (g = STAILQ_FIRST(&v->given))) {
        STAILQ_REMOVE_HEAD(&v->given, link);
        free(g);
    }
    free(v);
}
