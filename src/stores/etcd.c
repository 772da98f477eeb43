/* SPDX-License-Identifier: Apache-2.0 */
/*
 * etcd.c - a store on etcd: the steps that wait, and the gateway's place in the cluster.
 *
 *     steps() -> waiting --flight--> flying -> done(APPLIED or OTHERWISE) for each
 *                  |  ^                 |\-- refused, or this gateway is fenced --> done(AWAY), all that wait
 *                  |  \-- not reached --/
 *                  \-- its time is over --> done(AWAY)
 *
 * One flight at a time takes what may fly together; steps that come meanwhile are for the next one. Without
 * steps a flight goes every sixth of the ttl: it is the sign of life, and reads who else is there.
 *
 * Certain: the last flight that was applied was sent less than two thirds of the ttl ago. Nobody counts this
 * gateway as dead before a whole ttl is over.
 *
 * Fenced: a flight finds that m/NODE is not its own any more, or etcd is another one than before (a restored
 * backup). All that waits is AWAY, and the gateway joins again as a new incarnation.
 *
 * close() ends what flies; a flight whose fate is not known by then is AWAY: the next start reads what became
 * of it.
 *
 * Not here: who is dead (etcd_members.h), adopting its rows (etcd_adopt.h), joining (etcd_join.h), questions
 * (etcd_ask.h).
 */
#include "stores/etcd_store.h"

#include "base/container_of.h"
#include "base/log.h"
#include "base/text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define JOIN_AGAIN_MS   5000
#define LEAVE_MS        1000
#define LEAVE_TURNS_MAX 3 /* eight times ETCD_AGAIN_MS, if that is less than the time of a beat */

static struct etcd_store *etcd_of(struct store *store)
{
    return CONTAINER_OF(store, struct etcd_store, store);
}

static const struct etcd_store *const_etcd_of(const struct store *store)
{
    return (const struct etcd_store *)(const void *)store;
}

/* ---- the end ---- */

static void store_free(struct etcd_store *s)
{
    for (size_t i = 0; i < s->nvaults; i++) {
        free((char *)(uintptr_t)s->vaults[i].name);
        free((char *)(uintptr_t)s->vaults[i].url);
        free((char *)(uintptr_t)s->vaults[i].digest);
    }
    etcd_kept_clear(&s->kept);
    etcd_ends_clear(&s->ends);
    free(s->vaults);
    free(s->prefix);
    free(s->node);
    free(s->instance);
    free(s->version);
    free(s);
}

static void on_client_closed(void *arg)
{
    struct etcd_store *s = arg;
    void (*closed)(void *) = s->closed;
    void *closed_arg = s->closed_arg;

    store_free(s);
    if (closed)
        closed(closed_arg);
}

static void finish_close(struct etcd_store *s)
{
    struct timers *timers = loop_timers(s->loop);

    timer_stop(timers, &s->turn);
    timer_stop(timers, &s->doubt);
    timer_unreserve(timers, &s->status_again);
    etcd_finishes_stop(&s->finishes);
    etcd_cancel(&s->status);
    buf_free(&s->status.body);
    etcd_join_cancel(&s->join);
    etcd_cluster_cancel_adoptions(s);
    etcd_client_close(s->client, on_client_closed, s);
}

/* ---- time ---- */

static bool is_within(const struct etcd_store *s, uint64_t since_ms, uint64_t ms)
{
    uint64_t now_ms = clock_now(s->clock);

    return s->epoch && !s->restored && now_ms - since_ms < ms;
}

static bool etcd_may_send(const struct store *store)
{
    const struct etcd_store *s = const_etcd_of(store);

    return is_within(s, s->sent_ms, s->ttl_ms / 3);
}

/* An etcd that can be read and not be written (its quota is reached) confirms a lease whose release waits. */
static bool etcd_is_fresh(const struct store *store, uint64_t sent_ms)
{
    const struct etcd_store *s = const_etcd_of(store);

    return s->state.writable && is_within(s, sent_ms, s->ttl_ms / 3);
}

static void start_join(struct etcd_store *s)
{
    if (etcd_join_start(&s->join))
        log_error("store_timer", "error=%s", strerror(ENOMEM)); /* the turn tries again */
}

/* ---- fenced ---- */

/* What this gateway was is over, also for steps that are given when others end. */
static void end_incarnation(struct etcd_store *s, struct store_steps *steps, const char *why)
{
    s->epoch = 0;
    s->restored = false;
    s->cluster.joined = s->cluster.refused = false;
    etcd_cluster_cancel_adoptions(s);
    do {
        STAILQ_CONCAT(steps, &s->waiting);
        etcd_queue_away(s, steps, -ESTALE);
        etcd_queue_cancel_closings(s, -ESTALE);
    } while (!STAILQ_EMPTY(&s->waiting));
    etcd_kept_clear(&s->kept);
    etcd_ends_clear(&s->ends);
    etcd_cluster_set_certain(s, false, why);
}

static void fence(struct etcd_store *s, struct store_steps *steps)
{
    log_error("cluster_fenced", "node=%s epoch=%" PRId64 " leases=%zu hint=%s", s->node, s->epoch,
              s->news && s->news->leases ? s->news->leases(s->news_arg) : 0,
              "other gateways have taken this one's leases over; it joins again");
    s->cluster.fenced = true;
    s->cluster.fences++;
    end_incarnation(s, steps, "this gateway was counted as dead; it joins again");
    if (s->news && s->news->fenced)
        s->news->fenced(s->news_arg);
    if (!s->closing)
        start_join(s);
}

/* This gateway hands over, and another one has taken its rows. */
static void hand_over(struct etcd_store *s, struct store_steps *steps)
{
    void (*left)(void *, bool) = s->left;

    log_info("cluster_left", "node=%s epoch=%" PRId64, s->node, s->epoch);
    end_incarnation(s, steps, "this gateway has handed its rows over");
    s->left = NULL;
    left(s->left_arg, true);
}

/* ---- flights ---- */

/* The rest of the stop waits for the hand-over. Whoever takes over compares m/NODE with what it has read: it
 * is given more and more time for that, up to that between two beats. */
static uint64_t leave_turn_ms(const struct etcd_store *s)
{
    unsigned turns = s->leave_turns < LEAVE_TURNS_MAX ? s->leave_turns : LEAVE_TURNS_MAX;
    uint64_t turn_ms = (uint64_t)ETCD_AGAIN_MS << turns, beat_ms = s->ttl_ms / 6;

    return turn_ms < beat_ms ? turn_ms : beat_ms;
}

static uint64_t next_turn_ms(const struct etcd_store *s)
{
    uint64_t passed_ms = clock_now(s->clock) - s->beat_ms;
    uint64_t every_ms = s->left ? leave_turn_ms(s) : s->ttl_ms / 6;

    if (s->closing || s->restored || !STAILQ_EMPTY(&s->waiting) || etcd_queue_closings_wait(s))
        return 0;
    return passed_ms < every_ms ? every_ms - passed_ms : 0;
}

static bool is_refusal(int err)
{
    return err == -EREMOTEIO || err == -EACCES || err == -ENOMEM;
}

static void finish_flight(struct etcd_store *s, struct store_steps *steps, int err)
{
    bool again = false;

    if (s->restored)
        err = -ESTALE;
    if (err == -ESTALE && s->left && s->flight.me.leaving) {
        hand_over(s, steps);
    } else if (err == -ESTALE) {
        fence(s, steps);
    } else if (!err) {
        etcd_queue_applied(s, steps);
    } else if (is_refusal(err) || s->closing) {
        etcd_queue_refused(s, steps, err);
        again = true;
    } else {
        STAILQ_CONCAT(steps, &s->waiting);
        STAILQ_CONCAT(&s->waiting, steps);
        s->cluster.refused = false;
        etcd_cluster_note_writable(s, s->flight.call.why);
        again = true;
    }
    etcd_queue_turn_in(s, again && !s->closing ? ETCD_AGAIN_MS : next_turn_ms(s));
}

static void on_landed(struct etcd_flight *f, int err)
{
    struct etcd_store *s = CONTAINER_OF(f, struct etcd_store, flight);
    struct store_steps steps = STAILQ_HEAD_INITIALIZER(steps);

    STAILQ_CONCAT(&steps, &f->steps);
    s->state.last_commit_us = clock_measure_us() - s->sent_us;
    if (!err)
        etcd_cluster_note_trip(s, s->state.last_commit_us);
    finish_flight(s, &steps, err);
}

/* Without a broker no record is written any more: what is named stays so. */
static void settle_ends(struct etcd_store *s)
{
    uint64_t taken, settled;

    if (!s->ends.n || !s->news || !s->news->trail)
        return;
    s->news->trail(s->news_arg, &taken, &settled);
    etcd_ends_settle(&s->ends, taken, settled);
}

/* Whoever takes over would write the records that are on their way to the disk once more. */
static bool may_leave(const struct etcd_store *s)
{
    return !s->ends.n || clock_now(s->clock) - s->leave_ms >= LEAVE_MS;
}

static void start_flight(struct etcd_store *s)
{
    struct store_steps none = STAILQ_HEAD_INITIALIZER(none);
    bool is_beat = clock_now(s->clock) - s->beat_ms >= s->ttl_ms / 6;

    s->sent_us = clock_measure_us();
    s->flight.me.leases = s->news && s->news->leases ? s->news->leases(s->news_arg) : 0;
    settle_ends(s);
    s->flight.me.leaving = s->leaving && STAILQ_EMPTY(&s->waiting) && may_leave(s);
    s->leave_turns += s->flight.me.leaving;
    etcd_queue_name_closings(s);
    s->flight.self.now_ms = clock_now(s->clock);
    int err = etcd_flight_start(&s->flight, &s->waiting, is_beat || s->flight.me.leaving);

    if (err)
        finish_flight(s, &none, err);
    else if (s->closing)
        etcd_flight_give_up(&s->flight);
}

/* ---- what is next ---- */

static void on_turn(struct deadline *d)
{
    struct etcd_store *s = CONTAINER_OF(d, struct etcd_store, turn);

    etcd_queue_turn_in(s, s->flight.under_way || !s->epoch ? ETCD_AGAIN_MS : s->ttl_ms / 6);
    etcd_queue_expire(s);
    etcd_cluster_doubt(s);
    if (s->must_tell_joined && s->news && s->epoch)
        etcd_cluster_tell_joined(s);
    if (s->restored && s->flight.under_way) {
        etcd_flight_fence(&s->flight);
        return;
    }
    if (s->flight.under_way)
        return;
    if (s->closing && (STAILQ_EMPTY(&s->waiting) || !s->epoch)) {
        etcd_queue_away(s, &s->waiting, -ESHUTDOWN);
        etcd_queue_cancel_closings(s, -ESHUTDOWN);
        etcd_ask_end_all(&s->asker);
        finish_close(s);
    } else if (!s->epoch) {
        if (!s->join.running && s->has_joined && !s->leaving)
            start_join(s);
    } else if (s->restored) {
        struct store_steps none = STAILQ_HEAD_INITIALIZER(none);

        fence(s, &none);
    } else if (!STAILQ_EMPTY(&s->waiting) || next_turn_ms(s) == 0 || (s->leaving && !s->flight.me.leaving)) {
        start_flight(s);
    } else {
        etcd_queue_turn_in(s, next_turn_ms(s));
    }
}

/* ---- the other operations ---- */

static int etcd_load(struct store *store, const struct store_reader *reader, void *arg)
{
    struct etcd_store *s = etcd_of(store);
    const struct etcd_cursor *c;
    int err = 0;

    STAILQ_FOREACH(c, &s->join.cursors, link)
    if (!err && reader->cursor)
        err = reader->cursor(arg, &(struct cursor_row){c->site, c->ms});
    etcd_join_free_cursors(&s->join);
    return err;
}

static const char *etcd_tag(const struct store *store)
{
    return const_etcd_of(store)->join.tag;
}

/* The flight was sent, and is to be sent again: what the flight before has met does not hold any more. */
static bool is_unanswered(const struct etcd_store *s)
{
    int err = s->flight.call.err;

    return s->flight.under_way && s->cluster.refused && err && err != -ENOSPC && !is_refusal(err);
}

static void etcd_state(const struct store *store, struct store_state *state)
{
    struct etcd_store *s = (struct etcd_store *)(uintptr_t)store;
    uint64_t now_ms = clock_now(s->clock), left_ms = s->ttl_ms / 3 * 2;

    /* Whose own beats are not answered does not see the others': their silence is as it was then. */
    etcd_members_show(&s->members, now_ms - s->saw_ms > s->ttl_ms / 2 ? s->saw_ms : now_ms, s->ttl_ms);
    s->cluster.certain_left_ms =
        s->cluster.certain && now_ms - s->sent_ms < left_ms ? left_ms - (now_ms - s->sent_ms) : 0;
    s->cluster.epoch = s->epoch;
    s->cluster.members = s->members.shown;
    s->cluster.nmembers = s->members.nshown;
    s->cluster.config_digest = s->config_digest;
    s->cluster.unreadable = s->kept.unreadable;
    s->cluster.endpoint_changes = etcd_client_changes(s->client);
    (void)text_copy(s->cluster.endpoint, sizeof s->cluster.endpoint, etcd_client_endpoint(s->client));
    s->cluster.revision = etcd_client_revision(s->client);
    *state = s->state;
    state->cluster = &s->cluster;
    if (!is_unanswered(s))
        return;
    s->cluster.refused = false;
    (void)text_copy(state->why, sizeof state->why, s->flight.call.why);
}

static void etcd_listen(struct store *store, const struct store_news *news, void *arg)
{
    struct etcd_store *s = etcd_of(store);

    s->news = news;
    s->news_arg = arg;
    s->must_tell_joined = s->epoch != 0;
    s->beat_ms = 0; /* what has happened before comes with the next beat */
    etcd_queue_turn_in(s, 0);
}

static int etcd_store_ask(struct store *store, struct store_question *q)
{
    struct etcd_store *s = etcd_of(store);

    return s->closing ? -ESHUTDOWN : etcd_ask(&s->asker, q);
}

static void etcd_store_forget(struct store *store, struct store_question *q)
{
    (void)store;
    etcd_forget(q);
}

/* Answers come with a revision that etcd has had before. */
static int64_t etcd_moment(const struct store *store)
{
    int64_t revision = etcd_client_revision(const_etcd_of(store)->client);

    return revision ? revision : 1;
}

static void etcd_set_config(struct store *store, const char *digest)
{
    struct etcd_store *s = etcd_of(store);

    (void)text_copy(s->config_digest, sizeof s->config_digest, digest); /* the next flight has it */
}

static void etcd_leave(struct store *store, void (*done)(void *arg, bool taken), void *arg)
{
    struct etcd_store *s = etcd_of(store);

    s->leaving = true;
    s->leave_ms = clock_now(s->clock);
    s->left = done;
    s->left_arg = arg;
    etcd_cluster_cancel_adoptions(s);
    etcd_queue_turn_in(s, 0);
}

static void etcd_close(struct store *store, void (*closed)(void *arg), void *arg)
{
    struct etcd_store *s = etcd_of(store);

    s->closing = true;
    s->news = NULL;
    s->left = NULL;
    s->closed = closed;
    s->closed_arg = arg;
    etcd_flight_give_up(&s->flight);
    etcd_queue_turn_in(s, 0);
}

static const struct store_ops etcd_ops = {
    .name = "etcd",
    .load = etcd_load,
    .tag = etcd_tag,
    .steps = etcd_queue_steps,
    .state = etcd_state,
    .close = etcd_close,
    .listen = etcd_listen,
    .ask = etcd_store_ask,
    .forget = etcd_store_forget,
    .may_send = etcd_may_send,
    .is_fresh = etcd_is_fresh,
    .moment = etcd_moment,
    .set_config = etcd_set_config,
    .leave = etcd_leave,
};

/* ---- joining ---- */

static void on_restored(void *arg)
{
    struct etcd_store *s = arg;

    s->restored = s->epoch != 0;
    s->join.may_be_own = true;
    etcd_queue_turn_in(s, 0);
}

static void begin_incarnation(struct etcd_store *s, const struct etcd_join *j)
{
    (void)snprintf(s->owner, sizeof s->owner, "%s@%" PRId64, s->node, j->revision);
    s->epoch = s->adopter.epoch = j->revision;
    s->flight.revision = j->revision;
    s->members.n = s->members.ndead = 0;
    s->hints_seen = j->revision;
    s->beat_ms = 0;
    s->has_joined = s->cluster.joined = true;
    s->cluster.fenced = false;
    s->must_tell_joined = true; /* that it is certain is said then */
    etcd_cluster_applied(s, j->sent_ms);
    etcd_finishes_restart(&s->finishes);
    etcd_cluster_on_doubt(&s->doubt);
    etcd_queue_turn_in(s, 0);
    etcd_cluster_ask_status(&s->status_again);
}

static void on_joined(struct etcd_join *j, const char *why)
{
    struct etcd_store *s = CONTAINER_OF(j, struct etcd_store, join);
    bool first = !s->has_joined;

    if (!*why)
        begin_incarnation(s, j);
    else
        log_error("store_join", "node=%s error=%s", s->node, why);
    if (*why && !first) {
        etcd_cluster_note_writable(s, why);
        etcd_queue_turn_in(s, JOIN_AGAIN_MS);
    }
    if (first)
        s->opened(s->opened_arg, why);
}

static void on_join_failed(struct etcd_join *j, const char *why)
{
    char text[ETCD_JOIN_WHY];

    (void)snprintf(text, sizeof text, "it has not joined its cluster yet: %s", why);
    etcd_cluster_note_writable(CONTAINER_OF(j, struct etcd_store, join), text);
}

/* ---- opening ---- */

static char *copy_or_empty(const char *text)
{
    return strdup(text ? text : "");
}

static bool copy_vaults(struct etcd_store *s, const struct etcd_store_opts *opts)
{
    s->vaults = calloc(opts->nvaults + 1, sizeof *s->vaults);
    bool good = s->vaults != NULL;

    for (size_t i = 0; good && i < opts->nvaults; i++) {
        struct etcd_vault *v = &s->vaults[s->nvaults++];

        *v = (struct etcd_vault){.name = copy_or_empty(opts->vaults[i].name),
                                 .url = copy_or_empty(opts->vaults[i].url),
                                 .digest = copy_or_empty(opts->vaults[i].digest)};
        good = v->name && v->url && v->digest;
    }
    return good;
}

static bool copy_texts(struct etcd_store *s, const struct etcd_store_opts *opts)
{
    s->prefix = strdup(opts->prefix);
    s->node = strdup(opts->node);
    s->instance = strdup(opts->instance);
    s->version = copy_or_empty(opts->version);
    (void)text_copy(s->config_digest, sizeof s->config_digest,
                    opts->config_digest ? opts->config_digest : "");
    return s->prefix && s->node && s->instance && s->version && copy_vaults(s, opts);
}

static void set_flight(struct etcd_store *s)
{
    s->flight = (struct etcd_flight){.client = s->client,
                                     .timers = loop_timers(s->loop),
                                     .clock = s->clock,
                                     .prefix = s->prefix,
                                     .self = {.node = s->node, .owner = s->owner, .kept = &s->kept},
                                     .me = {.instance = s->instance,
                                            .version = s->version,
                                            .config_digest = s->config_digest,
                                            .ends = &s->ends},
                                     .hints = &s->hints,
                                     .saw = etcd_cluster_on_beat,
                                     .landed = on_landed};
}

static void set_parts(struct etcd_store *s, bool has_vaults)
{
    struct timers *timers = loop_timers(s->loop);

    set_flight(s);
    s->join = (struct etcd_join){.client = s->client,
                                 .timers = timers,
                                 .clock = s->clock,
                                 .prefix = s->prefix,
                                 .node = s->node,
                                 .me = &s->flight.me,
                                 .vaults = s->vaults,
                                 .nvaults = s->nvaults,
                                 .ttl_ms = s->ttl_ms,
                                 .done = on_joined,
                                 .failed = on_join_failed};
    etcd_cluster_set_adopter(s, has_vaults);
    s->asker = (struct etcd_asker){.client = s->client,
                                   .timers = timers,
                                   .clock = s->clock,
                                   .prefix = s->prefix,
                                   .self = &s->flight.self,
                                   .epoch = &s->epoch,
                                   .trip = etcd_cluster_note_trip,
                                   .arg = s};
    etcd_read_line_init(&s->asker.line, s->client, s->prefix);
    s->status = (struct etcd_call){
        .path = "/v3/maintenance/status", .body = BUF_INIT(16), .done = etcd_cluster_on_status};
}

static struct etcd_client *new_client(struct etcd_store *s, const struct etcd_store_opts *opts,
                                      char why[ETCD_STORE_WHY])
{
    struct etcd_client_opts client = opts->client;

    client.timeout_ms = s->ttl_ms / 4;
    client.restored = on_restored;
    client.arg = s;
    return etcd_client_new(s->loop, &client, why);
}

struct store *etcd_store_open(struct loop *loop, const struct etcd_store_opts *opts,
                              void (*opened)(void *arg, const char *why), void *arg, char why[ETCD_STORE_WHY])
{
    struct etcd_store *s = calloc(1, sizeof *s);

    (void)snprintf(why, ETCD_STORE_WHY, "out of memory");
    if (!s)
        return NULL;
    *s = (struct etcd_store){.store.ops = &etcd_ops,
                             .loop = loop,
                             .clock = opts->clock ? opts->clock : &clock_system,
                             .ttl_ms = opts->ttl_ms ? opts->ttl_ms : ETCD_TTL_MS,
                             .opened = opened,
                             .opened_arg = arg};
    STAILQ_INIT(&s->waiting);
    etcd_kept_init(&s->kept);
    etcd_ends_init(&s->ends);
    s->members.kept = &s->kept;
    s->client = copy_texts(s, opts) ? new_client(s, opts, why) : NULL;
    if (!s->client) {
        store_free(s);
        return NULL;
    }
    set_parts(s, opts->vaults != NULL);
    s->cluster.remedy = "";
    (void)text_copy(s->cluster.node, sizeof s->cluster.node, s->node);
    (void)text_copy(s->state.why, sizeof s->state.why, "it has not joined its cluster yet");
    s->turn.fire = on_turn;
    etcd_queue_turn_in(s, ETCD_AGAIN_MS);
    int err = timer_running(&s->turn) ? timer_reserve(loop_timers(loop), &s->status_again) : -ENOMEM;

    if (!err)
        err = etcd_finishes_start(&s->finishes, s->client, loop_timers(loop), s->prefix);
    if (!err)
        err = etcd_join_start(&s->join);

    if (!err)
        return &s->store;
    finish_close(s);
    return NULL;
}
