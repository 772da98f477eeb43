/* SPDX-License-Identifier: Apache-2.0 */
/*
 * etcd_flight.c - see etcd_flight.h.
 *
 * Everything that a flight writes is in `body` until it has landed: a repeat is the same bytes.
 */
#include "stores/etcd_flight.h"

#include "base/container_of.h"
#include "base/crash_point.h"
#include "base/fnv.h"
#include "base/json.h"
#include "base/jsonw.h"
#include "base/log.h"
#include "stores/etcd_move.h"
#include "stores/store_rows.h"

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

void etcd_self_value(struct buf *out, const struct etcd_me *me)
{
    struct jsonw w = jsonw_start(out);

    jsonw_object(&w, NULL);
    jsonw_str(&w, "i", me->instance);
    jsonw_int(&w, "q", (int64_t)me->sequence);
    if (me->leaving)
        jsonw_int(&w, "g", 1);
    if (me->leases)
        jsonw_int(&w, "l", (int64_t)me->leases);
    if (me->version && *me->version)
        jsonw_str(&w, "w", me->version);
    if (me->config_digest && *me->config_digest)
        jsonw_str(&w, "h", me->config_digest);
    jsonw_int(&w, "c", ETCD_SCHEMA_NEWEST);
    if (me->ends)
        etcd_ends_write(me->ends, &w);
    jsonw_end(&w);
}

int etcd_self_read(const char *value, size_t n, const char *instance, uint64_t *sequence)
{
    struct json_outcome outcome;
    cJSON *tree = json_read(value, n, SELF_DEPTH, JSON_EXACT, &outcome);
    bool same = tree && strcmp(json_text(tree, "i"), instance) == 0;

    *sequence = (uint64_t)json_number(tree, "q");
    cJSON_Delete(tree);
    return same ? 0 : outcome.err == -ENOMEM ? -ENOMEM : -ENOENT;
}

/* ---- which steps fly together ---- */

static uint64_t hash_key(const char *key)
{
    uint64_t h = FNV_START;

    for (; *key; key++)
        h = fnv_byte(h, (unsigned char)*key);
    return h;
}

enum { SHARED_KEYS = 7 }; /* e/ is one lease's, so that its keys are among these as well */

struct step_hashes {
    uint64_t of[SHARED_KEYS + STORE_FINISHES];
    size_t n, nnoted;
};

/* A hold counts as its request. An ASK does not write the x/ that it compares: a FINISH may follow it. */
static void hash_keys(struct step_hashes *hashes, const struct etcd_keys *k, enum store_step_kind kind)
{
    const char *const keys[] = {k->intent,  k->request, k->pending,     k->asker,      k->lease,
                                k->instead, k->cursor,  k->finishes[0], k->finishes[1]};

    hashes->n = hashes->nnoted = 0;
    for (size_t i = 0; i < SHARED_KEYS + STORE_FINISHES; i++) {
        if (*keys[i])
            hashes->of[hashes->n++] = hash_key(keys[i]);
        hashes->nnoted = i < SHARED_KEYS || kind == STEP_FINISH ? hashes->n : hashes->nnoted;
    }
}

/* Of this flight; or a free place. */
static size_t place_of(const struct etcd_seen *seen, uint64_t hash)
{
    size_t i = hash % ETCD_SEEN_SIZE;

    while (seen->keys[i].flight == seen->flight && seen->keys[i].hash != hash)
        i = (i + 1) % ETCD_SEEN_SIZE;
    return i;
}

static bool has_common_key(const struct etcd_seen *seen, const struct step_hashes *hashes)
{
    bool is_seen = false;

    for (size_t i = 0; !is_seen && i < hashes->n; i++)
        is_seen = seen->keys[place_of(seen, hashes->of[i])].flight == seen->flight;
    return is_seen;
}

static void note_keys(struct etcd_seen *seen, const struct step_hashes *hashes)
{
    for (size_t i = 0; i < hashes->nnoted; i++) {
        size_t place = place_of(seen, hashes->of[i]);

        seen->keys[place].hash = hashes->of[i];
        seen->keys[place].flight = seen->flight;
    }
}

/* ---- the text of a flight ---- */

enum { BEAT_MEMBERS, BEAT_DEAD, BEAT_HINTS, BEAT_END }; /* places among the answers */

static void write_beat(const struct etcd_flight *f, const struct etcd_writer *w)
{
    char hints[ETCD_KEY_SIZE], hints_end[ETCD_KEY_SIZE];
    const struct etcd_op reads[] = {{.kind = ETCD_GET, .key = "m/", .to = "m0"},
                                    {.kind = ETCD_GET, .key = "d/", .to = "d0"},
                                    {.kind = ETCD_GET, .key = hints, .to = hints_end}};

    (void)snprintf(hints, sizeof hints, "n/%s/", f->self.node);
    etcd_key_end(hints_end, hints);
    etcd_write_ops(w, reads, 3);
    buf_char(w->out, ',');
}

static void write_head(const struct etcd_flight *f, const struct etcd_writer *w)
{
    char key[ETCD_KEY_SIZE];
    const struct etcd_compare own = {.kind = ETCD_MOD, .key = key, .mod = f->revision};

    etcd_self_key(key, f->self.node);
    buf_char(w->out, '{');
    etcd_write_compares(w, &own, 1);
    buf_str(w->out, ",\"success\":[");
    if (f->beat)
        write_beat(f, w);
}

/* The gateway's own key names the leases that the steps end: it comes after them. */
static void write_tail(const struct etcd_flight *f, const struct etcd_writer *w)
{
    char key[ETCD_KEY_SIZE];
    struct buf value = BUF_INIT(ETCD_VALUE_SIZE);
    const struct etcd_op get = {.kind = ETCD_GET, .key = key};

    etcd_self_key(key, f->self.node);
    etcd_self_value(&value, &f->me);
    const char *text = buf_cstr(&value);
    const struct etcd_op put = {.kind = ETCD_PUT, .key = key, .value = text ? text : ""};

    etcd_write_ops(w, &put, 1);
    buf_str(w->out, "],\"failure\":[");
    etcd_write_ops(w, &get, 1);
    buf_str(w->out, "]}");
    w->out->failed |= value.failed;
    buf_free(&value);
}

/* Appends the step. 0; 1 = it must not fly with the earlier ones; -ENAMETOOLONG; -ENOMEM. */
static int write_step(struct etcd_flight *f, const struct etcd_writer *w, const struct store_step *step)
{
    struct step_hashes hashes;
    struct etcd_keys keys;
    size_t before = w->out->len;
    int err = etcd_keys_of(&keys, step, f->self.node);

    if (!err) {
        hash_keys(&hashes, &keys, step->kind);
        if (has_common_key(&f->seen, &hashes))
            return 1;
        err = etcd_step_write(w, &f->self, step, &keys, &f->shapes[f->n]);
    }
    if (!err)
        buf_char(w->out, ',');
    if (!err && f->n && w->out->len > FLIGHT_SIZE)
        err = 1;
    if (err) {
        w->out->len = before;
    } else {
        note_keys(&f->seen, &hashes);
        etcd_hints_note(f->hints, step, f->self.node, clock_now(f->clock));
        etcd_ends_add(f->me.ends, step, &step->request, &step->lease, step->record, clock_wall(f->clock));
    }
    return err;
}

/* Moves steps from the list into the flight. */
static int write_steps(struct etcd_flight *f, const struct etcd_writer *w, struct store_steps *waiting)
{
    struct store_step *step;
    int err = 0;

    f->seen.flight++;
    while (!err && f->n < ETCD_FLIGHT_STEPS && (step = STAILQ_FIRST(waiting))) {
        int result = write_step(f, w, step);

        err = result == -ENOMEM ? result : 0;
        if (err || result == 1)
            break;
        f->shown[f->n] = (struct etcd_shown){.outcome = STORE_OTHERWISE};
        f->errors[f->n++] = result;
        STAILQ_REMOVE_HEAD(waiting, link);
        STAILQ_INSERT_TAIL(&f->steps, step, link);
    }
    return err;
}

static int write_flight(struct etcd_flight *f, struct store_steps *waiting)
{
    const struct etcd_writer w = {&f->body, f->prefix};

    (void)buf_reserve(&f->body, f->usual_len);
    f->me.sequence++;
    write_head(f, &w);
    int err = write_steps(f, &w, waiting);

    f->responses = 1 + (f->beat ? BEAT_END : BEAT_MEMBERS);
    for (size_t i = 0; i < f->n; i++)
        f->responses += !f->errors[i];
    f->responses += etcd_hints_write(f->hints, &w, f->self.node, clock_now(f->clock));
    write_tail(f, &w);
    f->usual_len -= f->usual_len / 8;
    if (f->usual_len < f->body.len)
        f->usual_len = f->body.len;
    return f->body.failed ? -ENOMEM : err;
}

/* ---- sending ---- */

static void on_answer(struct etcd_call *);
static void send_again(struct etcd_flight *);
static void ask_self(struct etcd_flight *);
static void show(struct etcd_flight *);
static void look(struct etcd_flight *);

static int send_body(struct etcd_flight *f)
{
    f->call.body = f->body;
    f->call.then = f->responses;
    f->call.otherwise = f->looking ? f->responses : 1;
    crash_point("etcd.flight.before");
    int err = etcd_call(f->client, &f->call);

    if (!err)
        crash_point("etcd.flight.sent");
    return err;
}

static void free_shown_keys(struct etcd_shown *shown)
{
    free(shown->request_key);
    free(shown->hold_key);
    shown->request_key = shown->hold_key = NULL;
}

static void land(struct etcd_flight *f, int err)
{
    timer_stop(f->timers, &f->again);
    buf_free(&f->body);
    for (size_t i = 0; i < f->n; i++)
        free_shown_keys(&f->shown[i]);
    f->under_way = f->looking = f->asking_self = false;
    f->landed(f, err); /* may start the next one */
}

static void on_again(struct deadline *d)
{
    struct etcd_flight *f = CONTAINER_OF(d, struct etcd_flight, again);

    if (f->given_up)
        land(f, -EIO);
    else if (f->asking_self)
        ask_self(f);
    else if (f->showing)
        show(f);
    else if (f->looking)
        look(f);
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

            f->errors[i] = revision ? etcd_step_judge(&f->self, step, own, revision, &f->shown[i])
                                    : etcd_step_read(&f->self, step, &f->shapes[i], own, &f->shown[i]);
        }
        i++;
    }
}

static void forget_shown(struct store_step *step, struct etcd_shown *shown)
{
    free_shown_keys(shown);
    free(step->now);
    free(step->lease_now);
    free(step->lsid_now);
    step->now = NULL;
    step->lease_now = NULL;
    step->lsid_now = NULL;
    step->cancelled = step->kept = false;
    step->holders = 0;
    memset(step->finishes, 0, sizeof step->finishes);
}

/* Memory was short for what a step shows, or its answer is a broken one: it is read once more, from the keys.
 */
static bool is_unread(int err)
{
    return err == -ENOMEM || err == -EPROTO;
}

static bool must_read_again(struct etcd_flight *f)
{
    struct store_step *step;
    bool must = false;
    size_t i = 0;

    for (size_t k = 0; k < f->n; k++)
        must = must || is_unread(f->errors[k]);
    if (!must)
        return false;
    STAILQ_FOREACH(step, &f->steps, link)
    {
        forget_shown(step, &f->shown[i]);
        f->errors[i] = is_unread(f->errors[i]) ? 0 : f->errors[i];
        i++;
    }
    return true;
}

/* ---- the requests of leases that were shown, and those that wait ---- */

static bool shows_lease(const struct etcd_shown *s, const struct store_step *step)
{
    return s->request_key && s->hold_key && step->lease_now;
}

static bool shows_request(const struct etcd_shown *s, const struct store_step *step)
{
    return shows_lease(s, step) || (s->request_key && s->outcome == STORE_APPLIED && step->kind == STEP_ASK);
}

/* How many check-outs answer with the lease. */
static void show_answers(struct store_step *step, const cJSON *range)
{
    char key[ETCD_KEY_SIZE];
    struct etcd_kv kv;

    if (etcd_kv_read(range, 0, &kv))
        (void)etcd_held_lease_key(key, &kv.value, &step->lease_now->answers);
}

static void on_requests(struct etcd_reads *r, int err)
{
    struct etcd_flight *f = CONTAINER_OF(r, struct etcd_flight, requests);
    struct store_step *step;
    size_t i = 0, n = 0;
    bool again = err != 0;

    STAILQ_FOREACH(step, &f->steps, link)
    {
        const struct etcd_shown *s = &f->shown[i];

        if (shows_request(s, step))
            f->errors[i] = err ? err : etcd_step_show_request(&f->self, step, etcd_reads_at(r, n++));
        if (shows_lease(s, step))
            show_answers(step, err ? NULL : etcd_reads_at(r, n++));
        again = again || (shows_request(s, step) && f->errors[i] == -ENOMEM);
        i++;
    }
    etcd_reads_clear(r);
    if (again && !f->given_up)
        send_again(f);
    else
        land(f, 0);
}

/* 0 = they are being read; 1 = there is none; -ENOMEM. */
static int read_requests(struct etcd_flight *f)
{
    struct store_step *step;
    size_t i = 0;
    int err = 0;

    STAILQ_FOREACH(step, &f->steps, link)
    {
        const struct etcd_shown *s = &f->shown[i++];

        if (!err && shows_request(s, step))
            err = etcd_reads_add(&f->requests, s->request_key, NULL, 0);
        if (!err && shows_lease(s, step))
            err = etcd_reads_add(&f->requests, s->hold_key, NULL, 0);
    }
    if (!err && !f->requests.n)
        return 1;
    if (!err)
        err = etcd_reads(&f->requests);
    if (err)
        etcd_reads_clear(&f->requests);
    return err;
}

static void show(struct etcd_flight *f)
{
    int err = read_requests(f);

    f->showing = err != 1;
    if (err == 1)
        land(f, 0);
    else if (err)
        send_again(f);
}

/* ---- answers ---- */

static void on_look(struct etcd_flight *f)
{
    if (f->call.err) {
        send_again(f);
        return;
    }
    read_outcomes(f, f->call.answer, 0, f->revision);
    if (must_read_again(f))
        send_again(f);
    else
        show(f);
}

/* The flight was applied, and its answer was lost or could not be read: reads what its steps have written. */
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

        if (f->errors[i++])
            continue;
        int err = etcd_keys_of(&keys, step, f->self.node);

        if (err)
            return err; /* each step that is looked for has its answer */
        if (written++)
            buf_char(&f->body, ',');
        etcd_step_write_look(&w, step, &keys);
    }
    buf_str(&f->body, "]}");
    f->responses = (int)written;
    return f->body.failed ? -ENOMEM : 0;
}

static void look(struct etcd_flight *f)
{
    f->looking = true;
    if (write_look(f) || send_body(f))
        send_again(f);
}

/* m/NODE as it is: 0 = this flight was applied, and `*mod` is its revision; -EAGAIN = it was not, and
 * the key is as the flight before has left it; -ESTALE = it is not this incarnation's; -ENOMEM. */
static int judge_self(const struct etcd_flight *f, const cJSON *self, int64_t *mod)
{
    uint64_t sequence = 0;
    struct etcd_kv kv;
    int err = etcd_kv_read(self, 0, &kv)
                  ? etcd_self_read(kv.value.data, kv.value.len, f->me.instance, &sequence)
                  : -ENOENT;

    if (err == -ENOMEM)
        return err;
    *mod = err ? 0 : kv.mod;
    if (!err && sequence == f->me.sequence)
        return 0;
    return !err && kv.mod == f->revision ? -EAGAIN : -ESTALE;
}

static void look_for_applied(struct etcd_flight *f, int64_t mod)
{
    f->revision = mod;
    f->beat = false; /* what it has read is lost */
    log_info("store_answer_lost", "sequence=%" PRIu64 " steps=%zu", f->me.sequence, f->n);
    look(f);
}

/* m/NODE was not as the flight expects. */
static void on_other_self(struct etcd_flight *f)
{
    const cJSON *self = etcd_response(f->call.answer, 0);
    int64_t mod;
    int err = etcd_is_range(self) ? judge_self(f, self, &mod) : -ENOMEM;

    if (err == -ENOMEM)
        send_again(f); /* and is answered the same */
    else if (err)
        land(f, -ESTALE);
    else
        look_for_applied(f, mod);
}

/* ---- a quota that is reached ---- */

/* Where an earlier sending is done yet, the next flight finds m/NODE changed, and the gateway is fenced. */
static void on_self(struct etcd_reads *r, int err)
{
    struct etcd_flight *f = CONTAINER_OF(r, struct etcd_flight, requests);
    int64_t mod = 0;

    err = err ? -ENOMEM : judge_self(f, etcd_reads_at(r, 0), &mod);
    etcd_reads_clear(r);
    r->done = on_requests;
    f->asking_self = err == -ENOMEM;
    if (f->given_up)
        land(f, -EIO);
    else if (err == -ENOMEM)
        send_again(f); /* asks once more */
    else if (err)
        land(f, err == -EAGAIN ? -EREMOTEIO : err);
    else
        look_for_applied(f, mod);
}

static void ask_self(struct etcd_flight *f)
{
    char key[ETCD_KEY_SIZE];

    f->asking_self = true;
    f->requests.done = on_self;
    etcd_self_key(key, f->self.node);
    int err = etcd_reads_add(&f->requests, key, NULL, 0);

    if (!err)
        err = etcd_reads(&f->requests);
    if (err) {
        etcd_reads_clear(&f->requests);
        send_again(f);
    }
}

static void on_applied(struct etcd_flight *f)
{
    const cJSON *answer = f->call.answer;

    f->revision = etcd_revision(answer);
    read_outcomes(f, answer, f->beat ? BEAT_END : BEAT_MEMBERS, 0);
    if (f->beat)
        f->saw(f, etcd_response(answer, BEAT_MEMBERS), etcd_response(answer, BEAT_DEAD),
               etcd_response(answer, BEAT_HINTS));
    if (must_read_again(f))
        look(f);
    else
        show(f);
}

/* Etcd has answered, and has not taken these bytes now. Where it has taken them before, the next flight finds
 * m/NODE changed, and the gateway is fenced. */
static bool is_refused(const struct etcd_call *call)
{
    return !call->unknown && (call->err == -EREMOTEIO || call->err == -EACCES);
}

static void on_answer(struct etcd_call *call)
{
    struct etcd_flight *f = CONTAINER_OF(call, struct etcd_flight, call);

    crash_point("etcd.flight.answered");
    f->unknown |= call->unknown;
    if (f->looking) {
        on_look(f);
    } else if (call->err == -ENOSPC) {
        ask_self(f);
    } else if (call->err && f->unknown && !is_refused(call)) {
        send_again(f);
    } else if (call->err) {
        land(f, call->err);
    } else if (cJSON_IsTrue(json_get(call->answer, "succeeded"))) {
        on_applied(f);
    } else {
        on_other_self(f);
    }
}

/* ---- start and end ---- */

static void forget_ends(struct etcd_flight *f)
{
    const struct store_step *step;

    STAILQ_FOREACH(step, &f->steps, link)
    etcd_ends_decide(f->me.ends, step, false);
}

int etcd_flight_start(struct etcd_flight *f, struct store_steps *waiting, bool beat)
{
    STAILQ_INIT(&f->steps);
    f->n = 0;
    f->beat = beat;
    f->looking = f->showing = f->asking_self = f->given_up = f->unknown = false;
    f->requests = (struct etcd_reads){.client = f->client, .prefix = f->prefix, .done = on_requests};
    f->body = BUF_INIT(BODY_MAX);
    f->call = (struct etcd_call){.path = "/v3/kv/txn", .done = on_answer};
    int err = write_flight(f, waiting);

    if (!err)
        err = timer_start(f->timers, &f->again, UNUSED_MS, on_again);
    f->sent_ms = clock_now(f->clock);
    if (!err)
        err = send_body(f);
    f->under_way = !err;
    if (!err)
        return 0;
    timer_stop(f->timers, &f->again);
    buf_free(&f->body);
    forget_ends(f);
    STAILQ_CONCAT(&f->steps, waiting);
    STAILQ_CONCAT(waiting, &f->steps);
    return err;
}

void etcd_flight_give_up(struct etcd_flight *f)
{
    f->given_up = true;
    if (f->under_way && !f->call.client && !f->requests.call.client)
        send_again(f);
}

void etcd_flight_fence(struct etcd_flight *f)
{
    if (!f->under_way)
        return;
    etcd_cancel(&f->call);
    etcd_reads_clear(&f->requests);
    land(f, -ESTALE);
}
