/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reachability.c - is the vault reachable? Every HTTP call of a vault passes here, before it is sent and
 * after it has ended. The table of docs/password-safe.md ("Reachability") is kept here.
 *
 *     reachable --a failure--> doubted --the probe fails--> away
 *         ^                       |                          |
 *         '-------an answer-------'--------an answer---------'
 *
 * One failure (no connection, a lost one, a 5xx page of something in front of the vault) makes no vault away:
 * a probe on a connection of its own follows, and its failure does. Any answer that the vault may have
 * written ends the doubt, and makes a vault that was away reachable at once. A late answer is no failure:
 * time-outs count only where nothing came from the vault in the whole call_timeout. A shorter deadline is the
 * caller's own and decides nothing. Before the first answer there is nothing to doubt: one failure decides.
 *
 * The probe is an unauthenticated GET of the API's base: after PROBE_QUIET without traffic, every PROBE_DOWN
 * while the vault is away, PROBE_CONFIRM after a first failure, and after PROBE_STUCK in which calls are
 * under way and no answer comes. The last one finds a vault that is frozen before its calls time out, where
 * not even a connection can be opened; a slow vault opens one, and the probe waits for its answer as long as
 * a call does.
 *
 * Not here: further tries of a call, the meaning of answers (the backend).
 */
#include "backends/http_vault/http_vault.h"
#include "base/container_of.h"
#include "base/log.h"
#include "base/text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROBE_QUIET      15000 /* without traffic for so long: probe */
#define PROBE_IMPATIENCE 4000  /* that probe without an answer for so long: confirm */
#define PROBE_CONFIRM    500   /* after a failure: probe */
#define PROBE_STUCK      2000  /* calls under way and no answer for so long, or half of call_timeout: probe */
#define PROBE_DOWN       5000  /* between probes while the vault is away */
#define PROBE_CONNECT    2500  /* a new connection that is not open after so long has failed */

static void on_probe_time(struct deadline *);

static void probe_rearm(struct http_vault *hv, uint64_t delay)
{
    if (!hv->closing)
        timer_set(hv->timers, &hv->reachability.probe_at, delay, on_probe_time);
}

static uint64_t later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static uint64_t sooner(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* A call in flight and no answer for so long: half of call_timeout, so that the probe has time to answer. */
static uint64_t stuck_after(const struct http_vault *hv)
{
    return sooner(PROBE_STUCK, hv->vault.conf->call_timeout_ms / 2);
}

/* When the next probe is due, on the monotonic clock. */
static uint64_t probe_due(const struct http_vault *hv)
{
    const struct reachability *r = &hv->reachability;

    if (!r->is_known)
        return 0;
    if (!r->last_ok)
        return r->last_word_ms + PROBE_DOWN;
    if (r->is_doubted)
        return r->confirm_at_ms;
    if (hv->in_flight)
        return later(r->last_word_ms, r->busy_since_ms) + stuck_after(hv);
    return r->last_word_ms + PROBE_QUIET;
}

/* Answers of the same second have the same text, which is parsed once. */
static bool vault_date(struct http_vault *hv, const char *text, int64_t *wall_ms)
{
    struct reachability *r = &hv->reachability;

    if (!*text || strcmp(text, r->date) != 0) {
        r->date[0] = '\0';
        if (clock_parse_http_date(text, &r->date_ms) || r->date_ms <= 0)
            return false;
        (void)text_copy(r->date, sizeof(r->date), text);
    }
    *wall_ms = r->date_ms;
    return true;
}

enum outcome { OUTCOME_NONE, OUTCOME_ANSWER, OUTCOME_FAILURE, OUTCOME_SILENCE };

/* `full`: it had the whole call_timeout, so that its time-out says something about the vault. */
static enum outcome outcome_of(const struct http_vault *hv, const struct call *http, bool full)
{
    switch (http->err) {
    case 0: return http->status >= 500 && http_vault_is_page(http) ? OUTCOME_FAILURE : OUTCOME_ANSWER;
    case -EMSGSIZE: return OUTCOME_ANSWER;
    case -ECANCELED:
    case -ENOMEM:
    case -EAGAIN: return OUTCOME_NONE;
    case -ETIMEDOUT:
        /* Something came meanwhile: the beginning of this answer, or the answer to another call. */
        if (!full || http->status ||
            hv->reachability.last_success_ms + http->timeout_ms > clock_now(hv->clock))
            return OUTCOME_NONE;
        return OUTCOME_SILENCE;
    default: return OUTCOME_FAILURE;
    }
}

/* A clock may be wrong by so much for each millisecond that has passed since the skew was seen. */
#define SKEW_AGES 20

/* Is what is known nearer to it than this? Where the two cannot both be right the vault's clock was set. */
static bool is_known_better(const struct http_vault *hv, int64_t ahead_ms, int64_t error_ms)
{
    const struct reachability *r = &hv->reachability;
    int64_t known_ms = r->skew_error_ms + (int64_t)(clock_now(hv->clock) - r->skew_at_ms) / SKEW_AGES;

    return r->is_skew_known && known_ms < error_ms &&
           llabs((long long)(ahead_ms - r->ahead_ms)) <= known_ms + error_ms;
}

/* The Date was written at some time between the call's beginning and now, and lacks a part of a second. A
 * slow call says less than a quick one a moment ago. */
static void note_skew(struct http_vault *hv, const struct call *http)
{
    struct reachability *r = &hv->reachability;
    int64_t vault_ms, took_ms = (int64_t)(clock_now(hv->clock) - http->begun_ms);

    if (http->err || http_vault_is_page(http) || !vault_date(hv, http->value[CALL_DATE], &vault_ms))
        return;
    int64_t ahead_ms = vault_ms - (int64_t)clock_now(hv->clock) + took_ms / 2;
    int64_t error_ms = took_ms - took_ms / 2 + 1000;

    if (is_known_better(hv, ahead_ms, error_ms))
        return;
    r->ahead_ms = ahead_ms;
    r->skew_error_ms = error_ms;
    r->skew_at_ms = clock_now(hv->clock);
    r->is_skew_known = true;
}

static void note_answer(struct http_vault *hv)
{
    struct reachability *r = &hv->reachability;
    bool was = r->last_ok;

    r->is_known = r->last_ok = true;
    r->is_doubted = false;
    r->last_word_ms = r->last_success_ms = clock_now(hv->clock);
    r->trouble[0] = '\0';
    if (!was)
        log_info("vault_reached", "vault=%s", hv->vault.conf->name);
}

static void note_trouble(struct http_vault *hv, const struct call *http)
{
    struct reachability *r = &hv->reachability;

    if (http->err)
        (void)snprintf(r->trouble, sizeof(r->trouble), "%.150s",
                       *http->why ? http->why : strerror(-http->err));
    else
        (void)snprintf(r->trouble, sizeof(r->trouble), "a page with status %d came in the vault's place",
                       http->status);
}

/* `decides`: the failure is no first one. hv->reachability.trouble has its cause. */
static void note_failure(struct http_vault *hv, bool decides)
{
    struct reachability *r = &hv->reachability;
    bool was = r->last_ok;

    if (was && !decides) {
        if (!r->is_doubted)
            r->confirm_at_ms = clock_now(hv->clock) + PROBE_CONFIRM;
        r->is_doubted = true;
        if (!r->is_probing)
            probe_rearm(hv, 0);
        return;
    }
    r->is_known = true;
    r->last_ok = r->is_doubted = false;
    r->last_word_ms = clock_now(hv->clock);
    if (was)
        log_warn("vault_away", "vault=%s why=%s", hv->vault.conf->name, r->trouble);
}

static void note_outcome(struct http_vault *hv, const struct call *http, bool full, bool decides)
{
    enum outcome outcome = outcome_of(hv, http, full);

    note_skew(hv, http);
    if (outcome == OUTCOME_ANSWER) {
        note_answer(hv);
    } else if (outcome != OUTCOME_NONE) {
        note_trouble(hv, http);
        note_failure(hv, decides || outcome == OUTCOME_SILENCE);
    }
}

/* ---- probes ---- */

static void probe_again(struct http_vault *hv)
{
    uint64_t due = probe_due(hv), now = clock_now(hv->clock);

    hv->reachability.is_probing = false;
    probe_rearm(hv, due > now + PROBE_CONFIRM ? due - now : PROBE_CONFIRM);
}

static void on_probe_answer(struct call *http)
{
    struct http_vault *hv = CONTAINER_OF(http, struct http_vault, reachability.probe);
    bool impatient = http->err == -ETIMEDOUT && !hv->reachability.probe_decides;

    if (impatient) {
        note_trouble(hv, http);
        note_failure(hv, false);
    } else {
        note_outcome(hv, http, true, hv->reachability.probe_decides);
    }
    call_free_answer(http);
    probe_again(hv);
}

/* A probe that decides opens a connection of its own: a fault of the one that is there is not the vault's. */
static void probe_send(struct http_vault *hv)
{
    bool decides = hv->reachability.is_doubted || hv->in_flight || !hv->reachability.last_ok;
    uint64_t limit = hv->vault.conf->call_timeout_ms;

    hv->reachability.probe = (struct call){
        .method = "GET",
        .target = *hv->base ? hv->base : "/",
        .headers = decides ? "Connection: close\r\n" : NULL,
        .owner = decides ? ++hv->last_number : 0,
        .safe = true,
        .begun = true, /* a long queue does not mean that the vault is not reachable */
        .timeout_ms = decides ? limit : sooner(limit, PROBE_IMPATIENCE),
        .done = on_probe_answer,
    };
    hv->reachability.probe_decides = decides;
    hv->reachability.is_probing = !upstream_call(hv->up, &hv->reachability.probe);
    probe_rearm(hv, hv->reachability.is_probing ? PROBE_CONNECT : PROBE_STUCK);
}

/* The probe that decides has no connection yet, and one is being opened for it. If all are in use, it waits
 * for one of them, which says nothing. */
static void judge_connection(struct http_vault *hv)
{
    struct upstream_state state;

    upstream_state(hv->up, &state);
    if (!hv->reachability.probe_decides || !upstream_unsent(&hv->reachability.probe) || !state.connecting)
        return;
    upstream_cancel(&hv->reachability.probe);
    (void)snprintf(hv->reachability.trouble, sizeof(hv->reachability.trouble),
                   "no new connection within %d ms", PROBE_CONNECT);
    note_failure(hv, true);
    probe_again(hv);
}

static void on_probe_time(struct deadline *d)
{
    struct http_vault *hv = CONTAINER_OF(d, struct http_vault, reachability.probe_at);
    uint64_t due = probe_due(hv), now = clock_now(hv->clock);

    if (hv->reachability.is_probing)
        judge_connection(hv);
    else if (now >= due)
        probe_send(hv);
    else
        probe_rearm(hv, due - now);
}

int http_vault_send(struct http_vault *hv, struct call *http)
{
    int err = upstream_call(hv->up, http);

    if (err)
        return err;
    if (!hv->in_flight++) {
        hv->reachability.busy_since_ms = clock_now(hv->clock);
        if (hv->reachability.last_ok && !hv->reachability.is_doubted && !hv->reachability.is_probing)
            probe_rearm(hv, stuck_after(hv));
    }
    return 0;
}

void http_vault_done(struct http_vault *hv, const struct call *http)
{
    hv->in_flight--;
    note_outcome(hv, http, http->timeout_ms >= hv->vault.conf->call_timeout_ms, false);
}

void http_vault_cancel(struct http_vault *hv, struct call *http)
{
    hv->in_flight--;
    upstream_cancel(http);
    call_free_answer(http);
}

int http_vault_reachability_start(struct http_vault *hv)
{
    int err = timer_reserve(hv->timers, &hv->reachability.probe_at); /* without probes it would stay away */

    if (!err)
        probe_rearm(hv, 0);
    return err;
}

void http_vault_reachability_stop(struct http_vault *hv)
{
    timer_unreserve(hv->timers, &hv->reachability.probe_at);
    if (hv->reachability.is_probing)
        upstream_cancel(&hv->reachability.probe);
    hv->reachability.is_probing = false;
}

int64_t http_vault_clock_wall(const struct http_vault *hv)
{
    const struct reachability *r = &hv->reachability;

    return r->is_skew_known ? r->ahead_ms + (int64_t)clock_now(hv->clock) : clock_wall(hv->clock);
}

void http_vault_state(const struct http_vault *hv, struct vault_state *state)
{
    const struct reachability *r = &hv->reachability;
    struct upstream_state up = {0};

    upstream_state(hv->up, &up);
    *state = (struct vault_state){
        .known = r->is_known,
        .reachable = r->is_known && r->last_ok,
        .last_success_age_ms = r->last_success_ms ? clock_now(hv->clock) - r->last_success_ms : UINT64_MAX,
        .skew_ms = http_vault_clock_wall(hv) - clock_wall(hv->clock),
        .skew_error_ms = r->skew_error_ms,
        .skew_known = r->is_skew_known,
        .connections = up.connections,
        .queued = hv->ncalls > hv->in_flight ? hv->ncalls - hv->in_flight : 0,
        .in_flight = hv->in_flight,
        .certificate_end = hv->certificate_end,
        .wait_ms = http_vault_wait_ms(hv),
        .sign_ins = hv->sign_ins,
        .sign_ins_refused = hv->sign_ins_refused,
        .refused = http_vault_refusals(hv),
    };
    (void)text_copy(state->detail, sizeof(state->detail), r->last_ok ? "" : r->trouble);
}
