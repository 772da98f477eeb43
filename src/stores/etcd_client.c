/* SPDX-License-Identifier: Apache-2.0 */
/*
 * etcd_client.c - see etcd_client.h.
 *
 *   call --sent--> answered 200 ------------------------------------------> done(0)
 *     ^              | 401, once: waits for the sign-in --token--> the call again
 *     |              | other 4xx: etcd has refused it ---------------------> done(-EREMOTEIO)
 *     +--next member-+ 5xx, no answer, a broken one, not reached;
 *                      all have been tried --------------------------------> done(unknown if one was sent)
 *
 * The sign-in is the client's: one at a time, begun by the first call that needs it, and gone on with when
 * that one is cancelled. Without an answer it goes to the next member as a call does. Its end is that of all
 * calls that wait for it. After one that was refused the next one waits a while: a wrong password costs etcd
 * as much time as a right one, and every gateway of the cluster has it.
 *
 * Every call asks its member to answer at once where it knows no leader (Grpc-Metadata-hasleader).
 *
 * The token is in secret memory, and so is every text that it is copied into.
 *
 * Not here: what is asked (etcd_flight.c, etcd_scan.c).
 */
#include "stores/etcd_client.h"

#include "base/container_of.h"
#include "base/json.h"
#include "base/jsonw.h"
#include "base/log.h"
#include "base/text.h"
#include "stores/etcd_txn.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ANSWER_MAX   (4u << 20)
#define HEADERS_MAX  8192
#define SIGN_IN_MAX  8192
#define ANSWER_DEPTH 64
#define CONNECTIONS  4
#define CALLS_MAX    256
#define IDLE_MS      60000
#define TOO_MANY     429  /* a member that has no time for it now */
#define REFUSED_MS   2000 /* from a sign-in that was refused to the next one */

struct etcd_client {
    char *endpoints[ETCD_ENDPOINTS_MAX];
    struct upstream *upstreams[ETCD_ENDPOINTS_MAX];
    size_t n, current, open;
    uint64_t changes, timeout_ms;
    struct timers *timers;
    int64_t revision;
    char cluster[24]; /* its id; "" = not seen yet */
    void (*restored)(void *arg);
    void *restored_arg;
    char *user;
    struct secret password, token;
    uint64_t ntokens; /* that there have been */
    struct {
        struct call call;
        struct buf body;
        size_t endpoint, tries, misnamed;
        bool under_way;
        struct deadline later;
        LIST_HEAD(etcd_calls, etcd_call) waiting;
    } sign_in;
    void (*closed)(void *arg);
    void *closed_arg;
};

/* ---- one try ---- */

#define HEADERS "Content-Type: application/json\r\nGrpc-Metadata-hasleader: true\r\n"

static void on_answer(struct call *);
static int wait_for_sign_in(struct etcd_call *);
static int sign_in_or_send(struct etcd_call *);

static int write_headers(struct etcd_call *c)
{
    const struct secret *token = &c->client->token;

    c->headers = BUF_SECRET(HEADERS_MAX);
    buf_str(&c->headers, HEADERS);
    c->token = token->p ? c->client->ntokens : 0;
    if (token->p) {
        buf_str(&c->headers, "Authorization: ");
        buf_append(&c->headers, token->p, token->len);
        buf_str(&c->headers, "\r\n");
    }
    return buf_cstr(&c->headers) && !c->headers.failed ? 0 : -ENOMEM;
}

static int send_call(struct etcd_call *c)
{
    buf_free(&c->headers);
    int err = write_headers(c);

    if (err)
        return err;
    c->call = (struct call){.method = "POST",
                            .target = c->path,
                            .headers = c->headers.data,
                            .body = c->body.data,
                            .body_len = c->body.len,
                            .safe = true,
                            .timeout_ms = c->client->timeout_ms,
                            .done = on_answer};
    return upstream_call(c->client->upstreams[c->endpoint], &c->call);
}

/* ---- the end ---- */

static void finish(struct etcd_call *c, int err)
{
    cJSON *answer = c->answer;

    c->err = err;
    buf_free(&c->headers);
    c->client = NULL;
    c->done(c); /* may start it again, or free it */
    cJSON_Delete(answer);
}

static void fail(struct etcd_call *c, int err, const char *why)
{
    (void)snprintf(c->why, sizeof c->why, "%s: %.140s", c->client->endpoints[c->endpoint], why);
    finish(c, err);
}

static void next_member(struct etcd_call *c, int err, const char *why)
{
    struct etcd_client *client = c->client;

    if (++c->tries >= client->n) {
        fail(c, c->misnamed == client->n ? -EKEYREJECTED : err, why);
        return;
    }
    log_debug("etcd_member", "endpoint=%s error=%s", client->endpoints[c->endpoint], why);
    c->endpoint = (c->endpoint + 1) % client->n;
    err = sign_in_or_send(c);
    if (err)
        fail(c, err, strerror(-err));
}

/* ---- answers ---- */

static void note_member(struct etcd_client *client, size_t endpoint)
{
    client->changes += client->current != endpoint;
    client->current = endpoint;
}

/* A call is answered with the revision of its sending at least: reads are linearizable. */
static void note_history(struct etcd_call *c)
{
    struct etcd_client *client = c->client;
    const cJSON *head = json_get(c->answer, "header");
    const char *cluster = json_text(head, "cluster_id");
    int64_t revision = json_number(head, "revision");
    bool is_other = (*client->cluster && *cluster && strcmp(client->cluster, cluster) != 0) ||
                    (revision && revision < c->revision);

    if (is_other)
        log_error("store_restored", "endpoint=%s revision=%" PRId64 " before=%" PRId64 " hint=%s",
                  client->endpoints[c->endpoint], revision, c->revision,
                  "etcd is not what it was; every gateway joins it again");
    if (is_other || revision > client->revision)
        client->revision = revision;
    if (*cluster)
        (void)text_copy(client->cluster, sizeof client->cluster, cluster);
    if (is_other && client->restored)
        client->restored(client->restored_arg);
}

static cJSON *parse(const struct call *call, int *err)
{
    struct json_outcome outcome;
    cJSON *tree = json_read(call->body_in.data, call->body_in.len, ANSWER_DEPTH,
                            JSON_EXACT | (call->secret ? JSON_SECRET : 0), &outcome);

    *err = tree ? 0 : outcome.err == -ENOMEM ? -ENOMEM : -EPROTO;
    return tree;
}

static const char not_etcds[] = "its answer is not etcd's";

/* It was done, but what came of it cannot be read. */
static void on_broken(struct etcd_call *c, int err)
{
    cJSON_Delete(c->answer);
    c->answer = NULL;
    c->unknown = true;
    log_warn("store_answer", "endpoint=%s error=%s", c->client->endpoints[c->endpoint],
             err == -ENOMEM ? strerror(ENOMEM) : not_etcds);
    if (err == -ENOMEM)
        fail(c, err, "out of memory for its answer");
    else
        next_member(c, err, not_etcds);
}

static void on_result(struct etcd_call *c)
{
    int err;

    c->answer = parse(&c->call, &err);
    call_free_answer(&c->call);
    if (!err && !c->plain && !etcd_answer_is_whole(c->answer, c->then, c->otherwise))
        err = -EPROTO;
    if (err) {
        on_broken(c, err);
        return;
    }
    note_member(c->client, c->endpoint);
    note_history(c);
    finish(c, 0);
}

/* etcd's own words, if there are any. */
static const struct etcd_refusal *read_refusal(struct call *call, const char *when, char words[140])
{
    int ignored;
    cJSON *tree = parse(call, &ignored);
    const char *said = json_text(tree, "message");
    const struct etcd_refusal *refusal = etcd_refusal_of(said);

    (void)snprintf(words, 140, "HTTP %d%s%s%.90s", call->status, when, *said ? " " : "", said);
    cJSON_Delete(tree);
    call_free_answer(call);
    return refusal;
}

/* A token that is refused just after its sign-in was of a member that has restarted since, or of another one:
 * that passes. */
static bool is_for_good(const struct etcd_call *c, int status)
{
    return status == 403 || (status == 401 && !c->signed_in) || (c->refusal && c->refusal->is_of_user);
}

/* etcd looks at its quota before a transaction and once more after it, and says the same both times. */
static void on_refusal(struct etcd_call *c)
{
    int status = c->call.status;
    char words[140];

    c->refusal = read_refusal(&c->call, status == 401 && c->signed_in ? " just after a sign-in" : "", words);
    note_member(c->client, c->endpoint);
    fail(c,
         c->refusal && !c->refusal->is_of_user ? -ENOSPC
         : is_for_good(c, status)              ? -EACCES
                                               : -EREMOTEIO,
         words);
}

static bool is_member_down(int status)
{
    return status >= 500 || status == 408;
}

/* ---- the sign-in ---- */

static void on_signed_in(struct call *);
static void end_sign_in(struct etcd_client *, int err, const char *why, const struct etcd_refusal *);

static int send_sign_in(struct etcd_client *client)
{
    client->sign_in.call = (struct call){.method = "POST",
                                         .target = "/v3/auth/authenticate",
                                         .headers = HEADERS,
                                         .body = client->sign_in.body.data,
                                         .body_len = client->sign_in.body.len,
                                         .safe = true,
                                         .secret = true,
                                         .timeout_ms = client->timeout_ms,
                                         .done = on_signed_in};
    return upstream_call(client->upstreams[client->sign_in.endpoint], &client->sign_in.call);
}

static void on_later(struct deadline *d)
{
    struct etcd_client *client = CONTAINER_OF(d, struct etcd_client, sign_in.later);
    bool needed = client->sign_in.under_way;
    int err = needed ? send_sign_in(client) : 0;

    if (err)
        end_sign_in(client, err, strerror(-err), NULL);
}

/* The sign-in was refused. Without memory for the deadline the next one does not wait. */
static void begin_pause(struct etcd_client *client)
{
    if (timer_start(client->timers, &client->sign_in.later, REFUSED_MS, on_later))
        log_debug("etcd_sign_in", "error=%s", strerror(ENOMEM));
}

static int start_sign_in(struct etcd_client *client, size_t endpoint)
{
    const struct secret *password = &client->password;

    client->sign_in.endpoint = endpoint;
    client->sign_in.tries = client->sign_in.misnamed = 0;
    client->sign_in.body = BUF_SECRET(SIGN_IN_MAX);
    struct jsonw w = jsonw_start(&client->sign_in.body);

    jsonw_object(&w, NULL);
    jsonw_str(&w, "name", client->user);
    jsonw_strn(&w, "password", password->p ? password->p : "", password->len);
    jsonw_end(&w);
    bool pauses = timer_running(&client->sign_in.later);
    int err = client->sign_in.body.failed ? -ENOMEM : pauses ? 0 : send_sign_in(client);

    client->sign_in.under_way = !err;
    if (err)
        buf_free(&client->sign_in.body);
    return err;
}

/* done() of one may cancel another, and may start a call that waits for the next sign-in. */
static void end_sign_in(struct etcd_client *client, int err, const char *why,
                        const struct etcd_refusal *refusal)
{
    struct etcd_calls ended = client->sign_in.waiting;
    size_t endpoint = client->sign_in.endpoint;
    struct etcd_call *c;

    buf_free(&client->sign_in.body);
    client->sign_in.under_way = false;
    LIST_INIT(&client->sign_in.waiting);
    if (LIST_FIRST(&ended))
        LIST_FIRST(&ended)->link.le_prev = &ended.lh_first;
    while ((c = LIST_FIRST(&ended)) != NULL) {
        LIST_REMOVE(c, link);
        c->waiting = false;
        c->endpoint = endpoint;
        c->refusal = refusal;
        int failed = err ? err : send_call(c);

        if (failed)
            fail(c, failed, err ? why : strerror(-failed));
    }
}

static void sign_in_elsewhere(struct etcd_client *client, int err, const char *why)
{
    log_debug("etcd_member", "endpoint=%s error=%s", client->endpoints[client->sign_in.endpoint], why);
    if (++client->sign_in.tries >= client->n) {
        end_sign_in(client, client->sign_in.misnamed == client->n ? -EKEYREJECTED : err, why, NULL);
        return;
    }
    client->sign_in.endpoint = (client->sign_in.endpoint + 1) % client->n;
    err = send_sign_in(client);
    if (err)
        end_sign_in(client, err, strerror(-err), NULL);
}

static int take_token(struct etcd_client *client)
{
    int err;
    cJSON *tree = parse(&client->sign_in.call, &err);
    const char *token = json_text(tree, "token");

    if (!err)
        err = *token && strcspn(token, "\r\n") == strlen(token)
                  ? secret_set(&client->token, token, strlen(token))
                  : -EPROTO;
    cJSON_Delete(tree);
    call_free_answer(&client->sign_in.call);
    client->ntokens += !err;
    return err;
}

static void on_signed_in(struct call *call)
{
    struct etcd_client *client = CONTAINER_OF(call, struct etcd_client, sign_in.call);
    char why[140];

    if (call->err) {
        (void)text_copy(why, sizeof why, call->why);
        client->sign_in.misnamed += call->fault == CALL_FAULT_WRONG_NAME;
        sign_in_elsewhere(client, call->err, why);
    } else if (is_member_down(call->status)) {
        (void)snprintf(why, sizeof why, "HTTP %d", call->status);
        call_free_answer(call);
        sign_in_elsewhere(client, -EIO, why);
    } else if (call->status == 200) {
        int err = take_token(client);

        if (err == -EPROTO)
            sign_in_elsewhere(client, err, not_etcds);
        else
            end_sign_in(client, err, "sign-in failed", NULL);
    } else {
        int err = call->status == TOO_MANY ? -EREMOTEIO : -EACCES;
        const struct etcd_refusal *refusal = read_refusal(call, "", why);

        note_member(client, client->sign_in.endpoint);
        if (err == -EACCES)
            begin_pause(client);
        end_sign_in(client, err, why, refusal);
    }
}

static int wait_for_sign_in(struct etcd_call *c)
{
    struct etcd_client *client = c->client;
    int err = client->sign_in.under_way ? 0 : start_sign_in(client, c->endpoint);

    if (err)
        return err;
    c->signed_in = c->waiting = true;
    LIST_INSERT_HEAD(&client->sign_in.waiting, c, link);
    return 0;
}

/* ---- a call's answer ---- */

static bool may_sign_in(const struct etcd_call *c)
{
    return c->client->user && !c->signed_in;
}

static int sign_in_or_send(struct etcd_call *c)
{
    return c->client->user && !c->client->token.p ? wait_for_sign_in(c) : send_call(c);
}

/* Another call has signed in since this one was sent: it is repeated with that token. */
static void sign_in_or_fail(struct etcd_call *c)
{
    const struct etcd_client *client = c->client;
    bool is_renewed = client->token.p && c->token != client->ntokens && !client->sign_in.under_way;
    int err = is_renewed ? send_call(c) : wait_for_sign_in(c);

    if (err)
        fail(c, err, strerror(-err));
}

/*
 * etcd keeps a call until its log has reached the place that the token names. A restored backup begins a log
 * from its start, so that a token of before has no answer there. A call that has just signed in has a token
 * of this etcd, and another cause.
 */
static void drop_token(struct etcd_call *c)
{
    if (c->token && c->token == c->client->ntokens && !c->signed_in)
        secret_clear(&c->client->token);
}

/* No answer: etcd may have closed the connection of an old token. */
static void on_silence(struct etcd_call *c)
{
    int err = c->call.err;

    c->unknown |= c->call.sent;
    c->misnamed += c->call.fault == CALL_FAULT_WRONG_NAME;
    if (err == -ETIMEDOUT && c->call.sent)
        drop_token(c);
    if (err == -ECONNRESET && c->client->token.p && may_sign_in(c)) {
        sign_in_or_fail(c);
        return;
    }
    if (err == -EMSGSIZE)
        fail(c, err, c->call.why); /* of any other member it is as large */
    else
        next_member(c, err, c->call.why);
}

static void on_answer(struct call *call)
{
    struct etcd_call *c = CONTAINER_OF(call, struct etcd_call, call);

    if (call->err) {
        on_silence(c);
    } else if (is_member_down(call->status)) {
        char why[140];

        read_refusal(call, "", why);
        c->unknown = true;
        next_member(c, -EIO, why);
    } else if (call->status == 200) {
        on_result(c);
    } else if (call->status == 401 && may_sign_in(c)) {
        call_free_answer(call);
        sign_in_or_fail(c);
    } else {
        on_refusal(c);
    }
}

/* ---- the caller's side ---- */

int etcd_call(struct etcd_client *client, struct etcd_call *c)
{
    c->client = client;
    c->err = 0;
    c->unknown = c->signed_in = c->waiting = false;
    c->answer = NULL;
    c->refusal = NULL;
    c->why[0] = '\0';
    c->tries = c->misnamed = 0;
    c->endpoint = client->current;
    c->revision = client->revision;
    c->headers = BUF_SECRET(HEADERS_MAX);
    int err = sign_in_or_send(c);

    if (err) {
        buf_free(&c->headers);
        c->client = NULL;
    }
    return err;
}

void etcd_cancel(struct etcd_call *c)
{
    if (!c->client)
        return;
    if (c->waiting)
        LIST_REMOVE(c, link);
    else
        upstream_cancel(&c->call);
    buf_free(&c->headers);
    c->client = NULL;
}

const char *etcd_client_endpoint(const struct etcd_client *client)
{
    return client->endpoints[client->current];
}

uint64_t etcd_client_changes(const struct etcd_client *client)
{
    return client->changes;
}

int64_t etcd_client_revision(const struct etcd_client *client)
{
    return client->revision;
}

/* ---- life ---- */

static void client_free(struct etcd_client *client)
{
    for (size_t i = 0; i < client->n; i++)
        free(client->endpoints[i]);
    secret_clear(&client->password);
    secret_clear(&client->token);
    free(client->user);
    free(client);
}

static void on_upstream_closed(void *arg)
{
    struct etcd_client *client = arg;
    void (*closed)(void *) = client->closed;
    void *closed_arg = client->closed_arg;

    if (--client->open)
        return;
    client_free(client);
    if (closed)
        closed(closed_arg);
}

void etcd_client_close(struct etcd_client *client, void (*closed)(void *arg), void *arg)
{
    size_t n = client->n;

    if (client->sign_in.under_way && !timer_running(&client->sign_in.later))
        upstream_cancel(&client->sign_in.call);
    timer_stop(client->timers, &client->sign_in.later);
    client->sign_in.under_way = false;
    buf_free(&client->sign_in.body);
    client->closed = closed;
    client->closed_arg = arg;
    client->open++; /* held here, so that the end comes once */
    for (size_t i = 0; i < n; i++)
        if (client->upstreams[i])
            upstream_close(client->upstreams[i], on_upstream_closed, client);
    on_upstream_closed(client);
}

static int open_member(struct etcd_client *client, struct loop *loop, const struct etcd_client_opts *opts,
                       size_t i, char why[256])
{
    const struct upstream_opts up = {.kind = "store",
                                     .name = opts->endpoints[i],
                                     .url = opts->endpoints[i],
                                     .ca_file = opts->ca_file,
                                     .client_certificate = opts->client_certificate,
                                     .client_key = opts->client_key,
                                     .connections = CONNECTIONS,
                                     .max_calls = CALLS_MAX,
                                     .connect_timeout_ms = opts->timeout_ms,
                                     .call_timeout_ms = opts->timeout_ms,
                                     .idle_timeout_ms = IDLE_MS,
                                     .max_answer = ANSWER_MAX};

    client->endpoints[i] = strdup(opts->endpoints[i]);
    client->n = i + 1;
    client->upstreams[i] = client->endpoints[i] ? upstream_new(loop, &up, why) : NULL;
    client->open += client->upstreams[i] != NULL;
    return client->upstreams[i] ? 0 : -ENOMEM;
}

struct etcd_client *etcd_client_new(struct loop *loop, const struct etcd_client_opts *opts, char why[256])
{
    struct etcd_client *client = calloc(1, sizeof *client);
    int err = client ? 0 : -ENOMEM;

    text_copy(why, 256, "out of memory");
    if (err)
        return NULL;
    client->timers = loop_timers(loop);
    client->timeout_ms = opts->timeout_ms;
    client->restored = opts->restored;
    client->restored_arg = opts->arg;
    if (opts->user && !(client->user = strdup(opts->user)))
        err = -ENOMEM;
    if (!err && opts->password)
        err = secret_set(&client->password, opts->password->p, opts->password->len);
    for (size_t i = 0; !err && i < opts->nendpoints && i < ETCD_ENDPOINTS_MAX; i++)
        err = open_member(client, loop, opts, i, why);
    client->current = client->n ? opts->first % client->n : 0;
    if (!err && client->n)
        return client;
    etcd_client_close(client, NULL, NULL);
    return NULL;
}
