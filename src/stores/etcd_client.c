/* SPDX-License-Identifier: Apache-2.0 */
/*
 * etcd_client.c - see etcd_client.h.
 *
 *   call --sent--> answered 200 ------------------------------------------> done(0)
 *     ^              | 401, once: sign in --token--> the call again
 *     |              | other 4xx: etcd has refused it ---------------------> done(-EREMOTEIO)
 *     +--next member-+ 5xx, no answer, not reached; all have been tried ---> done(unknown if one was sent)
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

struct etcd_client {
    char *endpoints[ETCD_ENDPOINTS_MAX];
    struct upstream *upstreams[ETCD_ENDPOINTS_MAX];
    size_t n, current, open;
    uint64_t changes, timeout_ms;
    int64_t revision;
    char cluster[24]; /* its id; "" = not seen yet */
    void (*restored)(void *arg);
    void *restored_arg;
    char *user;
    struct secret password, token;
    void (*closed)(void *arg);
    void *closed_arg;
};

/* ---- one try ---- */

static void on_answer(struct call *);
static int sign_in(struct etcd_call *);

static void free_texts(struct etcd_call *c)
{
    buf_free(&c->headers);
    buf_free(&c->sign_in);
}

static int write_headers(struct etcd_call *c)
{
    const struct secret *token = &c->client->token;

    c->headers = BUF_SECRET(HEADERS_MAX);
    buf_str(&c->headers, "Content-Type: application/json\r\nGrpc-Metadata-hasleader: true\r\n");
    if (token->p && !c->signing_in) {
        buf_str(&c->headers, "Authorization: ");
        buf_append(&c->headers, token->p, token->len);
        buf_str(&c->headers, "\r\n");
    }
    return buf_cstr(&c->headers) && !c->headers.failed ? 0 : -ENOMEM;
}

/* Sends what the call is at: itself, or its sign-in. */
static int send_call(struct etcd_call *c)
{
    const struct buf *body = c->signing_in ? &c->sign_in : &c->body;

    buf_free(&c->headers);
    int err = write_headers(c);

    if (err)
        return err;
    c->call = (struct call){.method = "POST",
                            .target = c->signing_in ? "/v3/auth/authenticate" : c->path,
                            .headers = c->headers.data,
                            .body = body->data,
                            .body_len = body->len,
                            .safe = true,
                            .secret = c->signing_in,
                            .timeout_ms = c->client->timeout_ms,
                            .done = on_answer};
    return upstream_call(c->client->upstreams[c->endpoint], &c->call);
}

/* ---- the end ---- */

static void finish(struct etcd_call *c, int err)
{
    cJSON *answer = c->answer;

    c->err = err;
    free_texts(c);
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

    c->signing_in = false;
    if (++c->tries >= client->n) {
        fail(c, c->misnamed == client->n ? -EKEYREJECTED : err, why);
        return;
    }
    log_debug("etcd_member", "endpoint=%s error=%s", client->endpoints[c->endpoint], why);
    c->endpoint = (c->endpoint + 1) % client->n;
    err = send_call(c);
    if (err)
        fail(c, err, strerror(-err));
}

/* ---- answers ---- */

static void note_member(struct etcd_call *c)
{
    struct etcd_client *client = c->client;

    client->changes += client->current != c->endpoint;
    client->current = c->endpoint;
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
                  "etcd is not what it was; every gateway joins it anew");
    if (is_other || revision > client->revision)
        client->revision = revision;
    if (*cluster)
        (void)text_copy(client->cluster, sizeof client->cluster, cluster);
    if (is_other && client->restored)
        client->restored(client->restored_arg);
}

static cJSON *parse(struct etcd_call *c, int *err)
{
    struct json_outcome outcome;
    cJSON *tree = json_read(c->call.body_in.data, c->call.body_in.len, ANSWER_DEPTH,
                            JSON_EXACT | (c->signing_in ? JSON_SECRET : 0), &outcome);

    *err = tree ? 0 : outcome.err == -ENOMEM ? -ENOMEM : -EPROTO;
    return tree;
}

static void on_result(struct etcd_call *c)
{
    int err;

    c->answer = parse(c, &err);
    call_free_answer(&c->call);
    note_member(c);
    c->unknown = err != 0; /* it was done, but what came of it cannot be read */
    if (!err)
        note_history(c);
    if (err)
        fail(c, err, "its answer is not JSON");
    else
        finish(c, 0);
}

/* etcd's own words, if there are any. */
static void on_refusal(struct etcd_call *c, int err)
{
    char words[140] = "";
    int ignored;
    cJSON *tree = parse(c, &ignored);

    (void)snprintf(words, sizeof words, "HTTP %d %.100s", c->call.status, json_text(tree, "message"));
    cJSON_Delete(tree);
    call_free_answer(&c->call);
    note_member(c);
    fail(c, err, words);
}

static bool take_token(struct etcd_call *c)
{
    int err;
    cJSON *tree = parse(c, &err);
    const char *token = json_text(tree, "token");
    bool good = *token && strcspn(token, "\r\n") == strlen(token) &&
                secret_set(&c->client->token, token, strlen(token)) == 0;

    cJSON_Delete(tree);
    call_free_answer(&c->call);
    return good;
}

static bool is_member_down(int status)
{
    return status >= 500 || status == 408;
}

static void on_sign_in(struct etcd_call *c)
{
    if (c->call.status != 200) {
        on_refusal(c, -EACCES);
        return;
    }
    bool good = take_token(c);

    c->signing_in = false;
    int err = good ? send_call(c) : -EPROTO;

    if (err)
        fail(c, err, "sign-in failed");
}

static bool may_sign_in(const struct etcd_call *c)
{
    return c->client->user && !c->signed_in;
}

static void sign_in_or_fail(struct etcd_call *c)
{
    int err = sign_in(c);

    if (err)
        fail(c, err, strerror(-err));
}

/* No answer: the vault of an old token may have closed the connection. */
static void on_silence(struct etcd_call *c)
{
    int err = c->call.err;

    c->unknown |= c->call.sent && !c->signing_in;
    c->misnamed += c->call.fault == CALL_FAULT_WRONG_NAME;
    if (err == -ECONNRESET && c->client->token.p && may_sign_in(c)) {
        sign_in_or_fail(c);
        return;
    }
    next_member(c, err, c->call.why);
}

static void on_answer(struct call *call)
{
    struct etcd_call *c = CONTAINER_OF(call, struct etcd_call, call);

    if (call->err) {
        on_silence(c);
    } else if (is_member_down(call->status)) {
        char why[40];

        (void)snprintf(why, sizeof why, "HTTP %d", call->status);
        c->unknown |= !c->signing_in;
        call_free_answer(call);
        next_member(c, -EIO, why);
    } else if (c->signing_in) {
        on_sign_in(c);
    } else if (call->status == 200) {
        on_result(c);
    } else if (call->status == 401 && may_sign_in(c)) {
        call_free_answer(call);
        sign_in_or_fail(c);
    } else {
        on_refusal(c, call->status == 401 || call->status == 403 ? -EACCES : -EREMOTEIO);
    }
}

static int sign_in(struct etcd_call *c)
{
    const struct secret *password = &c->client->password;

    c->signed_in = c->signing_in = true;
    buf_free(&c->sign_in);
    c->sign_in = BUF_SECRET(SIGN_IN_MAX);
    struct jsonw w = jsonw_start(&c->sign_in);

    jsonw_object(&w, NULL);
    jsonw_str(&w, "name", c->client->user);
    jsonw_strn(&w, "password", password->p ? password->p : "", password->len);
    jsonw_end(&w);
    return c->sign_in.failed ? -ENOMEM : send_call(c);
}

/* ---- the caller's side ---- */

int etcd_call(struct etcd_client *client, struct etcd_call *c)
{
    c->client = client;
    c->err = 0;
    c->unknown = c->signed_in = c->signing_in = false;
    c->answer = NULL;
    c->why[0] = '\0';
    c->tries = c->misnamed = 0;
    c->endpoint = client->current;
    c->revision = client->revision;
    c->headers = BUF_SECRET(HEADERS_MAX);
    c->sign_in = BUF_SECRET(SIGN_IN_MAX);
    int err = client->user && !client->token.p ? sign_in(c) : send_call(c);

    if (err) {
        free_texts(c);
        c->client = NULL;
    }
    return err;
}

void etcd_cancel(struct etcd_call *c)
{
    if (!c->client)
        return;
    upstream_cancel(&c->call);
    free_texts(c);
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
