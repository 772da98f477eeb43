/* SPDX-License-Identifier: Apache-2.0 */
/*
 * etcd_flight.c - see etcd_flight.h.
 *
 * Everything that a flight writes is in `body` until it has landed: a repeat is the same bytes.
 */
#include "stores/etcd_flight.h"

#include "base/container_of.h"
#include "base/json.h"
#include "base/jsonw.h"
#include "base/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BODY_MAX    (2u << 20)
#define FLIGHT_SIZE (512u << 10)
#define AGAIN_MS    250
#define UNUSED_MS   (3600u * 1000u) /* `again` of a flight that is not sent again */
#define SELF_DEPTH  4

/* ---- the gateway's own key ---- */

void etcd_self_key(char key[ETCD_KEY_SIZE], const char *node)
{
    (void)snprintf(key, ETCD_KEY_SIZE, "m/%s", node);
}

void etcd_self_value(struct buf *out, const char *instance, uint64_t sequence)
{
    struct jsonw w = jsonw_start(out);

    jsonw_object(&w, NULL);
    jsonw_str(&w, "i", instance);
    jsonw_int(&w, "q", (int64_t)sequence);
    jsonw_end(&w);
}

bool etcd_self_read(const char *value, size_t n, const char *instance, uint64_t *sequence)
{
    struct json_outcome outcome;
    cJSON *tree = json_read(value, n, SELF_DEPTH, JSON_EXACT, &outcome);
    bool same = tree && strcmp(json_text(tree, "i"), instance) == 0;

    *sequence = (uint64_t)json_number(tree, "q");
    cJSON_Delete(tree);
    return same;
}

/* ---- which steps fly together ---- */

/* Hashes of the keys of a flight's steps. Two keys of one hash only divide a flight. */
#define SEEN_SIZE 2048
struct seen {
    uint64_t hashes[SEEN_SIZE]; /* 0 = free */
};

static uint64_t hash_key(const char *key)
{
    uint64_t h = UINT64_C(14695981039346656037);

    for (; *key; key++)
        h = (h ^ (unsigned char)*key) * UINT64_C(1099511628211);
    return h ? h : 1;
}

static size_t place_of(const struct seen *seen, uint64_t hash)
{
    size_t i = hash % SEEN_SIZE;

    while (seen->hashes[i] && seen->hashes[i] != hash)
        i = (i + 1) % SEEN_SIZE;
    return i;
}

enum { SHARED_KEYS = 7 };

static void list_keys(const struct etcd_keys *k, const char *keys[SHARED_KEYS])
{
    const char *const all[SHARED_KEYS] = {k->intent, k->request, k->pending, k->asker,
                                          k->lease,  k->instead, k->cursor};

    memcpy(keys, all, sizeof all);
}

/* A hold counts as its request. */
static bool has_common_key(const struct seen *seen, const struct etcd_keys *k)
{
    const char *keys[SHARED_KEYS];

    list_keys(k, keys);
    for (size_t i = 0; i < SHARED_KEYS; i++) {
        uint64_t hash = hash_key(keys[i]);

        if (*keys[i] && seen->hashes[place_of(seen, hash)])
            return true;
    }
    return false;
}

static void note_keys(struct seen *seen, const struct etcd_keys *k)
{
    const char *keys[SHARED_KEYS];

    list_keys(k, keys);
    for (size_t i = 0; i < SHARED_KEYS; i++) {
        uint64_t hash = hash_key(keys[i]);

        if (*keys[i])
            seen->hashes[place_of(seen, hash)] = hash;
    }
}

/* ---- the text of a flight ---- */

static void write_head(const struct etcd_flight *f, const struct etcd_writer *w)
{
    char key[ETCD_KEY_SIZE];
    struct buf value = BUF_INIT(ETCD_VALUE_SIZE);
    const struct etcd_compare own = {.kind = ETCD_MOD, .key = key, .mod = f->revision};

    etcd_self_key(key, f->self.node);
    etcd_self_value(&value, f->instance, f->sequence);
    const char *text = buf_cstr(&value);
    const struct etcd_op put = {.kind = ETCD_PUT, .key = key, .value = text ? text : ""};

    buf_char(w->out, '{');
    etcd_write_compares(w, &own, 1);
    buf_str(w->out, ",\"success\":[");
    etcd_write_ops(w, &put, 1);
    w->out->failed |= value.failed;
    buf_free(&value);
}

static void write_tail(const struct etcd_flight *f, const struct etcd_writer *w)
{
    char key[ETCD_KEY_SIZE];
    const struct etcd_op get = {.kind = ETCD_GET, .key = key};

    etcd_self_key(key, f->self.node);
    buf_str(w->out, "],\"failure\":[");
    etcd_write_ops(w, &get, 1);
    buf_str(w->out, "]}");
}

/* Appends the step. 0; 1 = it must not fly with the earlier ones; -ENAMETOOLONG; -ENOMEM. */
static int write_step(struct etcd_flight *f, const struct etcd_writer *w, const struct store_step *step,
                      struct seen *seen)
{
    struct etcd_keys keys;
    size_t before = w->out->len;
    int err = etcd_keys_of(&keys, step, f->self.node);

    if (!err && has_common_key(seen, &keys))
        return 1;
    if (!err)
        buf_char(w->out, ',');
    if (!err)
        err = etcd_step_write(w, &f->self, step, &keys);
    if (!err && f->n && w->out->len > FLIGHT_SIZE)
        err = 1;
    if (err)
        w->out->len = before;
    else
        note_keys(seen, &keys);
    return err;
}

/* Moves steps from the list into the flight. */
static int write_steps(struct etcd_flight *f, const struct etcd_writer *w, struct store_steps *waiting)
{
    struct seen *seen = calloc(1, sizeof *seen);
    struct store_step *step;
    int err = seen ? 0 : -ENOMEM;

    while (!err && f->n < ETCD_FLIGHT_STEPS && (step = STAILQ_FIRST(waiting))) {
        int result = write_step(f, w, step, seen);

        err = result == -ENOMEM ? result : 0;
        if (err || result == 1)
            break;
        f->outcomes[f->n] = STORE_OTHERWISE;
        f->errors[f->n++] = result;
        STAILQ_REMOVE_HEAD(waiting, link);
        STAILQ_INSERT_TAIL(&f->steps, step, link);
    }
    free(seen);
    return err;
}

static int write_flight(struct etcd_flight *f, struct store_steps *waiting)
{
    const struct etcd_writer w = {&f->body, f->prefix};

    f->sequence++;
    write_head(f, &w);
    int err = write_steps(f, &w, waiting);

    write_tail(f, &w);
    return f->body.failed ? -ENOMEM : err;
}

/* ---- sending ---- */

static void on_answer(struct etcd_call *);
static void send_again(struct etcd_flight *);

static int send_body(struct etcd_flight *f)
{
    f->call.body = f->body;
    return etcd_call(f->client, &f->call);
}

static void land(struct etcd_flight *f, int err)
{
    timer_stop(f->timers, &f->again);
    buf_free(&f->body);
    f->under_way = f->looking = false;
    f->landed(f, err); /* may start the next one */
}

static void on_again(struct deadline *d)
{
    struct etcd_flight *f = CONTAINER_OF(d, struct etcd_flight, again);

    if (f->given_up)
        land(f, -EIO);
    else if (send_body(f))
        send_again(f);
}

/* `again` runs from the start of the flight on, so that moving it needs no memory. */
static void send_again(struct etcd_flight *f)
{
    if (timer_start(f->timers, &f->again, f->given_up ? 0 : AGAIN_MS, on_again))
        log_error("store_timer", "error=%s", strerror(ENOMEM));
}

/* ---- what became of it ---- */

/* Each step has its answer behind that of m/NODE, or, in a look, from the first on. */
static void read_outcomes(struct etcd_flight *f, const cJSON *answer, int first, int64_t revision)
{
    struct store_step *step;
    size_t i = 0;

    STAILQ_FOREACH(step, &f->steps, link)
    {
        if (!f->errors[i]) {
            const cJSON *own = etcd_response(answer, first++);

            f->errors[i] = revision ? etcd_step_judge(step, own, revision, &f->outcomes[i])
                                    : etcd_step_read(step, own, &f->outcomes[i]);
        }
        i++;
    }
}

static void on_look(struct etcd_flight *f)
{
    if (f->call.err) {
        send_again(f);
        return;
    }
    read_outcomes(f, f->call.answer, 0, f->revision);
    land(f, 0);
}

/* The flight was applied, its answer was lost: reads what its steps have written. */
static int write_look(struct etcd_flight *f)
{
    const struct etcd_writer w = {&f->body, f->prefix};
    const struct store_step *step;
    size_t i = 0, written = 0;

    buf_clear(&f->body);
    buf_str(&f->body, "{\"success\":[");
    STAILQ_FOREACH(step, &f->steps, link)
    {
        struct etcd_keys keys;

        if (f->errors[i++] || etcd_keys_of(&keys, step, f->self.node))
            continue;
        if (written++)
            buf_char(&f->body, ',');
        etcd_step_write_look(&w, &keys);
    }
    buf_str(&f->body, "]}");
    return f->body.failed ? -ENOMEM : 0;
}

static void look(struct etcd_flight *f)
{
    f->looking = true;
    log_info("store_answer_lost", "sequence=%" PRIu64 " steps=%zu", f->sequence, f->n);
    if (write_look(f) || send_body(f))
        send_again(f);
}

/* m/NODE was not as the flight expects. */
static void on_other_self(struct etcd_flight *f)
{
    uint64_t sequence = 0;
    struct etcd_kv kv;
    bool ours = etcd_kv_read(etcd_response(f->call.answer, 0), 0, &kv);

    if (ours) {
        ours = etcd_self_read(kv.value.data, kv.value.len, f->instance, &sequence) && sequence == f->sequence;
        if (ours)
            f->revision = kv.mod;
        etcd_kv_free(&kv);
    }
    if (ours)
        look(f);
    else
        land(f, -ESTALE);
}

static void on_answer(struct etcd_call *call)
{
    struct etcd_flight *f = CONTAINER_OF(call, struct etcd_flight, call);

    if (f->looking) {
        on_look(f);
    } else if (call->err && call->unknown) {
        send_again(f);
    } else if (call->err) {
        land(f, call->err);
    } else if (cJSON_IsTrue(json_get(call->answer, "succeeded"))) {
        f->revision = etcd_revision(call->answer);
        read_outcomes(f, call->answer, 1, 0);
        land(f, 0);
    } else {
        on_other_self(f);
    }
}

/* ---- start and end ---- */

int etcd_flight_start(struct etcd_flight *f, struct store_steps *waiting)
{
    STAILQ_INIT(&f->steps);
    f->n = 0;
    f->looking = f->given_up = false;
    f->body = BUF_INIT(BODY_MAX);
    f->call = (struct etcd_call){.path = "/v3/kv/txn", .done = on_answer};
    int err = write_flight(f, waiting);

    if (!err)
        err = timer_start(f->timers, &f->again, UNUSED_MS, on_again);
    if (!err)
        err = send_body(f);
    f->under_way = !err;
    if (!err)
        return 0;
    timer_stop(f->timers, &f->again);
    buf_free(&f->body);
    STAILQ_CONCAT(&f->steps, waiting);
    STAILQ_CONCAT(waiting, &f->steps);
    return err;
}

void etcd_flight_give_up(struct etcd_flight *f)
{
    f->given_up = true;
    if (f->under_way && !f->call.client)
        send_again(f);
}
