/* SPDX-License-Identifier: Apache-2.0 */
/*
 * etcd_reads.c - see etcd_reads.h.
 */
#include "stores/etcd_reads.h"

#include "base/container_of.h"
#include "base/json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BODY_MAX (1u << 20)

struct etcd_read_key {
    char *key, *to; /* `to` NULL = the key alone */
    unsigned limit;
};

static void on_call(struct etcd_call *);

int etcd_reads_add(struct etcd_reads *r, const char *key, const char *to, unsigned limit)
{
    if (r->n == r->cap) {
        size_t cap = r->cap ? 2 * r->cap : 16;
        struct etcd_read_key *larger = realloc(r->keys, cap * sizeof *larger);

        if (!larger)
            return -ENOMEM;
        r->keys = larger;
        r->cap = cap;
    }
    struct etcd_read_key one = {.key = strdup(key), .to = to ? strdup(to) : NULL, .limit = limit};

    if (!one.key || (to && !one.to)) {
        free(one.key);
        free(one.to);
        return -ENOMEM;
    }
    r->keys[r->n++] = one;
    return 0;
}

static struct etcd_op read_op(const struct etcd_read_key *key)
{
    return (struct etcd_op){.kind = ETCD_GET, .key = key->key, .to = key->to, .limit = key->limit};
}

static int send_reads(struct etcd_client *client, struct etcd_call *call, const char *prefix,
                      const struct etcd_op *ops, size_t n)
{
    const struct etcd_writer w = {&call->body, prefix};

    buf_clear(&call->body);
    etcd_write_reads(&w, ops, n);
    call->then = call->otherwise = (int)n;
    return call->body.failed ? -ENOMEM : etcd_call(client, call);
}

/* The next keys that fit into one transaction. */
static int send_next(struct etcd_reads *r)
{
    struct etcd_op ops[ETCD_READS_MAX];
    size_t n = 0;

    for (; n < ETCD_READS_MAX && r->sent + n < r->n; n++)
        ops[n] = read_op(&r->keys[r->sent + n]);
    r->sent += n;
    return send_reads(r->client, &r->call, r->prefix, ops, n);
}

static void finish(struct etcd_reads *r, int err)
{
    buf_free(&r->call.body);
    r->done(r, err); /* may clear or free it */
}

static void on_call(struct etcd_call *call)
{
    struct etcd_reads *r = CONTAINER_OF(call, struct etcd_reads, call);
    int err = call->err;

    if (!err) {
        cJSON *responses = cJSON_DetachItemFromObject(call->answer, "responses");

        r->revision = r->revision ? r->revision : etcd_revision(call->answer);
        r->answers[r->nanswers++] = responses;
        err = responses ? 0 : -EPROTO;
    }
    if (!err && r->sent < r->n && !(err = send_next(r)))
        return;
    finish(r, err);
}

/* ---- in a line ---- */

static void on_line_call(struct etcd_call *);

void etcd_read_line_init(struct etcd_read_line *line, struct etcd_client *client, const char *prefix)
{
    *line = (struct etcd_read_line){.client = client, .prefix = prefix};
    TAILQ_INIT(&line->waiting);
    TAILQ_INIT(&line->sent);
    TAILQ_INIT(&line->landed);
}

static void move_to(struct etcd_reads *r, struct etcd_reads_list *list)
{
    if (r->in)
        TAILQ_REMOVE(r->in, r, link);
    r->in = list;
    if (list)
        TAILQ_INSERT_TAIL(list, r, link);
}

/* Those that wait, as many as one transaction takes. What fails is not sent: it has landed with its error. */
static void send_line(struct etcd_read_line *line)
{
    struct etcd_op ops[ETCD_READS_MAX];
    struct etcd_reads *r;
    size_t n = 0;

    while ((r = TAILQ_FIRST(&line->waiting)) && n + r->n <= ETCD_READS_MAX) {
        r->first = n;
        for (size_t i = 0; i < r->n; i++)
            ops[n++] = read_op(&r->keys[i]);
        move_to(r, &line->sent);
    }
    line->call = (struct etcd_call){.path = "/v3/kv/txn", .body = BUF_INIT(BODY_MAX), .done = on_line_call};
    int err = send_reads(line->client, &line->call, line->prefix, ops, n);

    line->under_way = !err;
    if (err)
        buf_free(&line->call.body);
    while (err && (r = TAILQ_FIRST(&line->sent))) {
        r->err = err;
        move_to(r, &line->landed);
    }
}

/* The run's own responses, of which the `passed` first ones of the transaction have been taken away. */
static int take_responses(struct etcd_reads *r, cJSON *responses, size_t *passed)
{
    cJSON *own = cJSON_CreateArray();

    for (; *passed < r->first; ++*passed)
        cJSON_Delete(cJSON_DetachItemFromArray(responses, 0));
    for (size_t i = 0; own && i < r->n; i++, ++*passed)
        cJSON_AddItemToArray(own, cJSON_DetachItemFromArray(responses, 0));
    if (own)
        r->answers[r->nanswers++] = own;
    return own ? 0 : -ENOMEM;
}

/* done() of one may clear others, and may begin new ones. */
static void end_landed(struct etcd_read_line *line)
{
    struct etcd_reads *r;

    while ((r = TAILQ_FIRST(&line->landed))) {
        move_to(r, NULL);
        r->done(r, r->err);
    }
}

static void on_line_call(struct etcd_call *call)
{
    struct etcd_read_line *line = CONTAINER_OF(call, struct etcd_read_line, call);
    cJSON *responses = call->err ? NULL : cJSON_DetachItemFromObject(call->answer, "responses");
    int err = call->err ? call->err : responses ? 0 : -EPROTO;
    struct etcd_reads *r;
    size_t passed = 0;

    while ((r = TAILQ_FIRST(&line->sent))) {
        r->err = err ? err : take_responses(r, responses, &passed);
        r->revision = err ? 0 : etcd_revision(call->answer);
        move_to(r, &line->landed);
    }
    cJSON_Delete(responses);
    buf_free(&call->body);
    line->under_way = false;
    while (!line->under_way && TAILQ_FIRST(&line->waiting))
        send_line(line);
    end_landed(line);
}

/* A call of which nothing is wanted any more ends, so that the line may be freed. */
static void leave_line(struct etcd_reads *r)
{
    struct etcd_read_line *line = r->line;

    if (!r->in)
        return;
    move_to(r, NULL);
    if (!line->under_way || TAILQ_FIRST(&line->sent) || TAILQ_FIRST(&line->waiting))
        return;
    etcd_cancel(&line->call);
    buf_free(&line->call.body);
    line->under_way = false;
}

static int join_line(struct etcd_reads *r)
{
    move_to(r, &r->line->waiting);
    if (r->line->under_way)
        return 0;
    send_line(r->line);
    if (r->in == &r->line->sent)
        return 0;
    move_to(r, NULL);
    return r->err;
}

int etcd_reads(struct etcd_reads *r)
{
    r->answers = calloc(r->n / ETCD_READS_MAX + 1, sizeof(cJSON *));
    r->call = (struct etcd_call){.path = "/v3/kv/txn", .body = BUF_INIT(BODY_MAX), .done = on_call};
    int err = !r->answers ? -ENOMEM : r->line && r->n <= ETCD_READS_MAX ? join_line(r) : send_next(r);

    if (err)
        buf_free(&r->call.body);
    return err;
}

const cJSON *etcd_reads_at(const struct etcd_reads *r, size_t n)
{
    size_t at = n / ETCD_READS_MAX;
    const cJSON *one =
        at < r->nanswers ? cJSON_GetArrayItem(r->answers[at], (int)(n % ETCD_READS_MAX)) : NULL;

    return one && cJSON_IsObject(one) ? one->child : NULL;
}

void etcd_reads_clear(struct etcd_reads *r)
{
    leave_line(r);
    etcd_cancel(&r->call);
    buf_free(&r->call.body);
    for (size_t i = 0; i < r->n; i++) {
        free(r->keys[i].key);
        free(r->keys[i].to);
    }
    for (size_t i = 0; i < r->nanswers; i++)
        cJSON_Delete(r->answers[i]);
    free(r->keys);
    free(r->answers);
    *r = (struct etcd_reads){.client = r->client, .prefix = r->prefix, .line = r->line, .done = r->done};
}
