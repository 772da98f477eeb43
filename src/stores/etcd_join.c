/* SPDX-License-Identifier: Apache-2.0 */
/*
 * etcd_join.c - see etcd_join.h.
 *
 * Each call may be lost or done twice: then the next look finds what it has left, and goes on from there.
 */
#include "stores/etcd_join.h"

#include "base/container_of.h"
#include "base/json.h"
#include "base/jsonw.h"
#include "base/log.h"
#include "base/text.h"
#include "stores/etcd_members.h"
#include "stores/etcd_move.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AGAIN_MS      1000
#define SOON_MS       100
#define SAID_EVERY_MS 60000
#define BODY_MAX      (256u << 10)
#define SCHEMA_KEY    "c/schema"
#define DEPTH         4
#define VAULTS_MAX    64 /* that are written with the entrance; etcd takes 128 operations to a transaction */

static void on_call(struct etcd_call *);

/* ---- calls ---- */

static void on_again(struct deadline *);

/* `again` runs from the start to the end, so that moving it needs no memory. */
static void try_in(struct etcd_join *j, uint64_t ms)
{
    if (timer_start(j->timers, &j->again, ms, on_again))
        log_error("store_timer", "error=%s", "out of memory");
}

/* The log has it at once, and then each minute. */
static void join_failed(struct etcd_join *j, const char *why)
{
    uint64_t now_ms = clock_now(j->clock);

    if (!j->said_ms || now_ms - j->said_ms >= SAID_EVERY_MS) {
        log_warn("store_join", "node=%s error=%s", j->node, why);
        j->said_ms = now_ms;
    }
    j->failed(j, why);
    try_in(j, AGAIN_MS);
}

static void end(struct etcd_join *j, const char *why)
{
    char text[ETCD_JOIN_WHY];

    (void)text_copy(text, sizeof text, why);
    timer_stop(j->timers, &j->again);
    buf_free(&j->call.body);
    j->running = false;
    j->done(j, text);
}

/* `then` and `otherwise`: as in etcd_client.h. */
static void send_call(struct etcd_join *j, int then, int otherwise)
{
    j->call.then = then;
    j->call.otherwise = otherwise;
    if (j->call.body.failed || etcd_call(j->client, &j->call))
        join_failed(j, "out of memory");
}

static struct etcd_writer writer(struct etcd_join *j)
{
    buf_clear(&j->call.body);
    return (struct etcd_writer){&j->call.body, j->prefix};
}

/* ---- look, leave ---- */

enum { LOOK_SELF, LOOK_SCHEMA, LOOK_VAULTS, LOOK_MOVED, NLOOKS };

static void look(struct etcd_join *j)
{
    char key[ETCD_KEY_SIZE];
    const struct etcd_op gets[NLOOKS] = {[LOOK_SELF] = {.kind = ETCD_GET, .key = key},
                                         [LOOK_SCHEMA] = {.kind = ETCD_GET, .key = SCHEMA_KEY},
                                         [LOOK_VAULTS] = {.kind = ETCD_GET, .key = "c/v/", .to = "c/v0"},
                                         [LOOK_MOVED] = {.kind = ETCD_GET, .key = ETCD_MOVED_KEY}};
    struct etcd_writer w = writer(j);

    j->state = JOIN_LOOKS;
    etcd_self_key(key, j->node);
    etcd_write_reads(&w, gets, NLOOKS);
    send_call(j, NLOOKS, NLOOKS);
}

/* The incarnation before is dead; the next one of this node takes its rows, as epoch 0 says. */
static void leave(struct etcd_join *j, const struct etcd_kv *kv)
{
    char key[ETCD_KEY_SIZE], dead[ETCD_KEY_SIZE], hints[ETCD_KEY_SIZE], hints_end[ETCD_KEY_SIZE];
    char next[ETCD_OWNER_SIZE];
    struct buf value = BUF_INIT(ETCD_DEAD_VALUE_SIZE), ends = BUF_INIT(ETCD_VALUE_SIZE);
    const struct etcd_compare as_read = {.kind = ETCD_MOD, .key = key, .mod = kv->mod};
    struct etcd_writer w = writer(j);

    j->state = JOIN_LEAVES;
    etcd_ends_copy(&ends, kv->value.data, kv->value.len);
    etcd_self_key(key, j->node);
    etcd_dead_key(dead, sizeof dead, j->node, kv->created);
    (void)snprintf(hints, sizeof hints, "n/%s/", j->node);
    etcd_key_end(hints_end, hints);
    (void)snprintf(next, sizeof next, "%s@0", j->node);
    etcd_dead_value(&value, next, "", ends.len ? buf_cstr(&ends) : "");
    const char *text = buf_cstr(&value);
    const struct etcd_op ops[] = {{.kind = ETCD_DELETE, .key = key},
                                  {.kind = ETCD_PUT, .key = dead, .value = text ? text : ""},
                                  {.kind = ETCD_DELETE, .key = hints, .to = hints_end}};

    buf_char(w.out, '{');
    etcd_write_compares(&w, &as_read, 1);
    buf_str(w.out, ",\"success\":[");
    etcd_write_ops(&w, ops, 3);
    buf_str(w.out, "]}");
    w.out->failed |= value.failed || ends.failed;
    buf_free(&value);
    buf_free(&ends);
    send_call(j, 3, 0);
}

/* ---- enter ---- */

static void write_if_absent(const struct etcd_writer *w, const char *key, const char *value)
{
    const struct etcd_alternative absent = {.compares = {{.kind = ETCD_ABSENT, .key = key}},
                                            .ncompares = 1,
                                            .ops = {{.kind = ETCD_PUT, .key = key, .value = value}},
                                            .nops = 1};

    etcd_write_chain(w, &absent, 1, NULL, 0);
    buf_char(w->out, ',');
}

static void write_vault(const struct etcd_writer *w, const struct etcd_vault *v)
{
    char key[ETCD_KEY_SIZE] = "c/v/";
    struct buf value = BUF_INIT(ETCD_VALUE_SIZE);
    struct jsonw json = jsonw_start(&value);

    jsonw_object(&json, NULL);
    jsonw_str(&json, "d", v->digest);
    jsonw_str(&json, "u", v->url);
    jsonw_end(&json);
    const char *text = buf_cstr(&value);

    if (text_url_encode(key + 4, sizeof key - 4, v->name) && text)
        write_if_absent(w, key, text);
    w->out->failed |= value.failed;
    buf_free(&value);
}

/* The reads come last: etcd does the operations in their order. Their number is known from the end. */
enum { ENTER_TAG = 4, ENTER_SCHEMA = 3, ENTER_VAULTS = 2, ENTER_CURSORS = 1, ENTER_READS = 4 };

static void write_enter(const struct etcd_join *j, const struct etcd_writer *w, const char *key,
                        const char *self, const char *tag)
{
    char cursors[ETCD_KEY_SIZE], cursors_end[ETCD_KEY_SIZE], schema[8];
    /* A schema that is raised, or a move of rows that begins, is seen before or fails this transaction. */
    const struct etcd_compare as_looked[] = {{.kind = ETCD_ABSENT, .key = key},
                                             {.kind = ETCD_ABSENT, .key = ETCD_MOVED_KEY},
                                             {.kind = ETCD_MOD, .key = SCHEMA_KEY, .mod = j->schema_mod}};
    const struct etcd_op put = {.kind = ETCD_PUT, .key = key, .value = self};
    const struct etcd_op gets[] = {{.kind = ETCD_GET, .key = "c/tag"},
                                   {.kind = ETCD_GET, .key = SCHEMA_KEY},
                                   {.kind = ETCD_GET, .key = "c/v/", .to = "c/v0"},
                                   {.kind = ETCD_GET, .key = cursors, .to = cursors_end}};

    (void)snprintf(cursors, sizeof cursors, "p/%s/", j->node);
    etcd_key_end(cursors_end, cursors);
    buf_char(w->out, '{');
    etcd_write_compares(w, as_looked, sizeof as_looked / sizeof *as_looked);
    buf_str(w->out, ",\"success\":[");
    etcd_write_ops(w, &put, 1);
    buf_char(w->out, ',');
    write_if_absent(w, "c/tag", tag);
    (void)snprintf(schema, sizeof schema, "%d", ETCD_SCHEMA_NEWEST);
    write_if_absent(w, SCHEMA_KEY, schema);
    for (size_t i = 0; i < j->nvaults && i < VAULTS_MAX; i++)
        write_vault(w, &j->vaults[i]);
    etcd_write_ops(w, gets, ENTER_READS);
    buf_str(w->out, "]}");
}

/* m/NODE, tag, schema, vaults and the reads. */
static int enter_responses(const struct etcd_join *j)
{
    return 3 + (int)(j->nvaults < VAULTS_MAX ? j->nvaults : VAULTS_MAX) + ENTER_READS;
}

static void enter(struct etcd_join *j)
{
    char key[ETCD_KEY_SIZE], id[ID_SIZE], tag[ID_TAG_SIZE];
    struct buf self = BUF_INIT(ETCD_VALUE_SIZE);
    struct etcd_writer w = writer(j);

    j->state = JOIN_ENTERS;
    j->me->sequence = 0;
    j->me->leaving = false;
    etcd_self_key(key, j->node);
    etcd_self_value(&self, j->me);
    const char *text = buf_cstr(&self);

    if (!text || self.failed || id_new(id) || !id_tag(id, tag)) {
        join_failed(j, "out of memory, or of randomness");
    } else {
        write_enter(j, &w, key, text, tag);
        j->sent_ms = clock_now(j->clock);
        send_call(j, enter_responses(j), 0);
    }
    buf_free(&self);
}

/* ---- what the gateways must agree in ---- */

static const struct etcd_vault *vault_named(const struct etcd_join *j, const char *name)
{
    for (size_t i = 0; i < j->nvaults; i++)
        if (strcmp(j->vaults[i].name, name) == 0)
            return &j->vaults[i];
    return NULL;
}

/* 0; -EINVAL and why; -ENOMEM. */
static int vault_agrees(const struct etcd_join *j, struct etcd_kv *kv, char why[ETCD_JOIN_WHY])
{
    struct json_outcome outcome = {.err = 0};
    char name[ETCD_KEY_SIZE];
    const char *key = buf_cstr(&kv->key), *at = key ? strrchr(key, '/') : NULL;

    if (!at || !text_copy(name, sizeof name, at + 1) || !text_url_decode(name, false))
        return 0; /* it is of no gateway */
    const struct etcd_vault *v = vault_named(j, name);
    cJSON *tree = v ? json_read(kv->value.data, kv->value.len, DEPTH, JSON_EXACT, &outcome) : NULL;
    bool agrees = !v || (tree && strcmp(json_text(tree, "d"), v->digest) == 0);
    int err = agrees ? 0 : outcome.err == -ENOMEM ? -ENOMEM : -EINVAL;

    if (err == -EINVAL)
        (void)snprintf(
            why, ETCD_JOIN_WHY,
            "[vault %.40s] differs from that of the cluster (url there: %.80s); make `type`, `url` and "
            "`minute` equal at all gateways",
            name, tree ? json_text(tree, "u") : "not readable");
    cJSON_Delete(tree);
    return err;
}

/* Does the gateway fit into the cluster? 0; -EINVAL and why: waiting cannot help; -ENOMEM. */
static int fits(const struct etcd_join *j, const cJSON *schema, const cJSON *vaults, char why[ETCD_JOIN_WHY])
{
    char text[8];
    struct etcd_kv kv;
    int err = 0;

    etcd_small_value(schema, text, sizeof text);
    if (!etcd_schema_is_known(text)) {
        (void)snprintf(why, ETCD_JOIN_WHY,
                       "the cluster's schema is %.7s, and this version knows %d to %d; use the "
                       "version of the other gateways",
                       text, ETCD_SCHEMA_OLDEST, ETCD_SCHEMA_NEWEST);
        return -EINVAL;
    }
    for (int i = 0; !err && etcd_kv_read(vaults, i, &kv); i++) {
        err = vault_agrees(j, &kv, why);
    }
    return err;
}

/* Are the rows another store's, or about to be? Then -EINVAL and why; 0; -ENOMEM. */
static int is_moved(const cJSON *range, char why[ETCD_JOIN_WHY])
{
    struct etcd_moved moved = {.kind = ETCD_MOVED_OUT};
    struct etcd_kv kv;

    if (!etcd_kv_read(range, 0, &kv))
        return 0;
    int err = etcd_moved_read(kv.value.data, kv.value.len, &moved);

    if (err == -ENOMEM)
        return err;
    if (err)
        (void)text_copy(moved.peer, sizeof moved.peer, "a place that this version does not know");
    etcd_moved_explain(&moved, why);
    return -EINVAL;
}

/* The last change of a key that was read; 0 = it is absent. */
static int64_t mod_of(const cJSON *range)
{
    struct etcd_kv kv;

    if (!etcd_kv_read(range, 0, &kv))
        return 0;
    return kv.mod;
}

/* ---- answers ---- */

static void explain_taken(const struct etcd_join *j, bool by_copy, char why[ETCD_JOIN_WHY])
{
    if (by_copy)
        (void)snprintf(why, ETCD_JOIN_WHY,
                       "another process runs as %.63s with a copy of this gateway's `state_dir`; give each "
                       "gateway its own `node`, and a state directory that begins empty",
                       j->node);
    else
        (void)snprintf(why, ETCD_JOIN_WHY,
                       "the name %.63s is taken by another gateway of the cluster; give each its "
                       "own `node`",
                       j->node);
}

/* Another process has the name: is it alive? It counts as dead as any other does: its silence begins again
 * after a gap between two looks. */
static void on_other(struct etcd_join *j, const struct etcd_kv *kv, bool is_copy)
{
    uint64_t now_ms = clock_now(j->clock);
    char why[ETCD_JOIN_WHY];

    if (j->other_mod && j->other_mod != kv->mod) {
        explain_taken(j, is_copy, why);
        end(j, why);
        return;
    }
    if (!j->other_mod || now_ms - j->looked_ms > j->ttl_ms / 2)
        j->other_ms = now_ms;
    j->looked_ms = now_ms;
    j->other_mod = kv->mod;
    if (now_ms - j->other_ms >= j->ttl_ms)
        leave(j, kv);
    else
        try_in(j, j->ttl_ms / 6);
}

/* m/NODE is of this instance: has another process written it, with a copy of the state directory? This one
 * knows the epoch that it has had, and does not know it where the answer to its entrance was lost. */
static bool is_of_copy(const struct etcd_join *j, const struct etcd_kv *kv)
{
    return j->revision && !j->may_be_own && kv->created != j->revision;
}

/* -ENOMEM passes; anything else is the end, and why. */
static void misfits(struct etcd_join *j, int err, const char *why)
{
    if (err == -ENOMEM)
        join_failed(j, "out of memory");
    else
        end(j, why);
}

static void on_looked(struct etcd_join *j)
{
    const cJSON *answer = j->call.answer;
    char why[ETCD_JOIN_WHY];
    uint64_t sequence;
    struct etcd_kv kv;
    int err = is_moved(etcd_response(answer, LOOK_MOVED), why);

    if (!err)
        err = fits(j, etcd_response(answer, LOOK_SCHEMA), etcd_response(answer, LOOK_VAULTS), why);
    if (err) {
        misfits(j, err, why);
        return;
    }
    j->schema_mod = mod_of(etcd_response(answer, LOOK_SCHEMA));
    if (!etcd_kv_read(etcd_response(answer, LOOK_SELF), 0, &kv)) {
        enter(j);
        return;
    }
    err = etcd_self_read(kv.value.data, kv.value.len, j->me->instance, &sequence);
    if (err == -ENOMEM)
        join_failed(j, "out of memory");
    else if (err || is_of_copy(j, &kv))
        on_other(j, &kv, !err);
    else
        leave(j, &kv);
}

static int keep_cursor(struct etcd_join *j, struct etcd_kv *kv)
{
    const char *key = buf_cstr(&kv->key), *text = buf_cstr(&kv->value);
    const char *site = key ? strrchr(key, '/') : NULL;
    struct etcd_cursor *c = site ? calloc(1, sizeof *c + strlen(site)) : NULL;

    if (!c || !text)
        return -ENOMEM;
    memcpy(c->site, site + 1, strlen(site));
    if (!text_url_decode(c->site, false) || !text_int(text, INT64_MIN, INT64_MAX, &c->ms)) {
        free(c);
        return -EUCLEAN;
    }
    STAILQ_INSERT_TAIL(&j->cursors, c, link);
    return 0;
}

static int keep_cursors(struct etcd_join *j, const cJSON *range)
{
    struct etcd_kv kv;
    int err = 0;

    etcd_join_free_cursors(j);
    for (int i = 0; !err && etcd_kv_read(range, i, &kv); i++) {
        err = keep_cursor(j, &kv);
    }
    return err;
}

/* A cursor that cannot be read stays so: it is for the operator. Without it ends of sessions would be missed.
 */
static void end_with_cursors(struct etcd_join *j, const cJSON *range)
{
    int err = keep_cursors(j, range);

    if (err == -ENOMEM)
        join_failed(j, "out of memory");
    else
        end(j, err ? "a cursor of this gateway, below p/, is damaged" : "");
}

static void on_entered(struct etcd_join *j)
{
    const cJSON *answer = j->call.answer;
    int n = etcd_responses(answer);
    char why[ETCD_JOIN_WHY];

    if (!cJSON_IsTrue(json_get(answer, "succeeded"))) {
        log_info("store_join", "node=%s error=%s", j->node,
                 "the name was taken, or the schema was written, meanwhile");
        try_in(j, SOON_MS);
        return;
    }
    j->revision = etcd_revision(answer);
    j->may_be_own = false;
    etcd_small_value(etcd_response(answer, n - ENTER_TAG), j->tag, sizeof j->tag);
    int err = fits(j, etcd_response(answer, n - ENTER_SCHEMA), etcd_response(answer, n - ENTER_VAULTS), why);

    if (strlen(j->tag) != ID_TAG_SIZE - 1)
        end(j, "the cluster's tag c/tag is damaged");
    else if (err)
        misfits(j, err, why);
    else
        end_with_cursors(j, etcd_response(answer, n - ENTER_CURSORS));
}

/* Waiting cannot help. */
static void refuse(struct etcd_join *j, const char *cause, const char *remedy)
{
    char why[ETCD_JOIN_WHY];

    (void)snprintf(why, sizeof why, "%s; %s (%.120s)", cause, remedy, j->call.why);
    end(j, why);
}

static void on_call(struct etcd_call *call)
{
    struct etcd_join *j = CONTAINER_OF(call, struct etcd_join, call);

    const struct etcd_refusal *known = call->refusal;

    j->may_be_own |= call->err && j->state == JOIN_ENTERS;
    if (call->err == -EACCES) {
        refuse(j, known ? known->cause : "etcd refuses the sign-in",
               known ? known->remedy : "correct `user` and `password_file`, or the user's role");
    } else if (call->err == -EKEYREJECTED) {
        refuse(j, "etcd's certificate is for another name",
               "correct `endpoints`, or have it issued for this name");
    } else if (call->err) {
        join_failed(j, call->why[0] ? call->why : "no answer");
    } else {
        switch (j->state) {
        case JOIN_LOOKS: on_looked(j); break;
        case JOIN_LEAVES: look(j); break;
        case JOIN_ENTERS: on_entered(j); break;
        }
    }
}

/* ---- start and end ---- */

static void on_again(struct deadline *d)
{
    struct etcd_join *j = CONTAINER_OF(d, struct etcd_join, again);

    try_in(j, 3600u * 1000u);
    look(j);
}

int etcd_join_start(struct etcd_join *j)
{
    STAILQ_INIT(&j->cursors);
    j->call = (struct etcd_call){.path = "/v3/kv/txn", .body = BUF_INIT(BODY_MAX), .done = on_call};
    j->other_mod = 0;
    j->said_ms = 0;
    j->running = true;
    int err = timer_start(j->timers, &j->again, 0, on_again);

    if (err)
        j->running = false;
    return err;
}

void etcd_join_free_cursors(struct etcd_join *j)
{
    struct etcd_cursor *c;

    while ((c = STAILQ_FIRST(&j->cursors))) {
        STAILQ_REMOVE_HEAD(&j->cursors, link);
        free(c);
    }
}

void etcd_join_cancel(struct etcd_join *j)
{
    if (j->running) {
        timer_stop(j->timers, &j->again);
        etcd_cancel(&j->call);
        buf_free(&j->call.body);
        j->running = false;
    }
    etcd_join_free_cursors(j);
}
