/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reachability.c - is the vault reachable? Every HTTP call of the backend passes here, before it is sent and
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
 * The probe is an unauthenticated GET of the API's base: after PS_PROBE_QUIET without traffic, every
 * PS_PROBE_DOWN while the vault is away, PS_PROBE_CONFIRM after a first failure, and after PS_PROBE_STUCK in
 * which calls are under way and no answer comes. The last one finds a vault that is frozen before its calls
 * time out, where not even a connection can be opened; a slow vault opens one, and the probe waits for its
 * answer as long as a call does.
 *
 * Not here: retries (calls.c), the meaning of answers (errors.c).
 */
#include "backends/password_safe/internal.h"
#include "base/container_of.h"
#include "base/log.h"
#include "base/text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static void on_probe_time(struct deadline *);

static void probe_rearm(struct ps *ps, uint64_t delay)
{
    if (!ps->closing && timer_start(ps->timers, &ps->probe_at, delay, on_probe_time))
        log_error("vault_probe", "vault=%s error=%s", ps->vault.conf->name, "out of memory");
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
static uint64_t stuck_after(const struct ps *ps)
{
    return sooner(PS_PROBE_STUCK, ps->vault.conf->call_timeout_ms / 2);
}

/* When the next probe is due, on the monotonic clock. */
static uint64_t probe_due(const struct ps *ps)
{
    if (!ps->known)
        return 0;
    if (!ps->last_ok)
        return ps->last_word_ms + PS_PROBE_DOWN;
    if (ps->doubted)
        return ps->confirm_at_ms;
    if (ps->in_flight)
        return later(ps->last_word_ms, ps->busy_since_ms) + stuck_after(ps);
    return ps->last_word_ms + PS_PROBE_QUIET;
}

/* Answers of the same second have the same text, which is parsed once. */
static bool vault_date(struct ps *ps, const char *text, int64_t *wall_ms)
{
    if (!*text || strcmp(text, ps->date) != 0) {
        ps->date[0] = '\0';
        if (clock_parse_http_date(text, &ps->date_ms) || ps->date_ms <= 0)
            return false;
        (void)text_copy(ps->date, sizeof(ps->date), text);
    }
    *wall_ms = ps->date_ms;
    return true;
}

enum outcome { OUTCOME_NONE, OUTCOME_ANSWER, OUTCOME_FAILURE, OUTCOME_SILENCE };

/* `full`: it had the whole call_timeout, so that its time-out says something about the vault. */
static enum outcome outcome_of(const struct ps *ps, const struct call *http, bool full)
{
    switch (http->err) {
    case 0: return http->status >= 500 && ps_is_html(http) ? OUTCOME_FAILURE : OUTCOME_ANSWER;
    case -EMSGSIZE: return OUTCOME_ANSWER;
    case -ECANCELED:
    case -ENOMEM:
    case -EAGAIN: return OUTCOME_NONE;
    case -ETIMEDOUT:
        /* Something came meanwhile: the beginning of this answer, or the answer to another call. */
        if (!full || http->status || ps->last_success_ms + http->timeout_ms > clock_now(ps->clock))
            return OUTCOME_NONE;
        return OUTCOME_SILENCE;
    default: return OUTCOME_FAILURE;
    }
}

/* The Date was written at some time between the call's beginning and now, and lacks a part of a second. */
static void note_skew(struct ps *ps, const struct call *http)
{
    int64_t vault_ms, took_ms = (int64_t)(clock_now(ps->clock) - http->begun_ms);

    if (http->err || ps_is_html(http) || !vault_date(ps, http->value[CALL_DATE], &vault_ms))
        return;
    ps->skew_ms = vault_ms - clock_wall(ps->clock) + took_ms / 2;
    ps->skew_error_ms = took_ms - took_ms / 2 + 1000;
    ps->skew_known = true;
}

static void note_answer(struct ps *ps)
{
    bool was = ps->last_ok;

    ps->known = ps->last_ok = true;
    ps->doubted = false;
    ps->last_word_ms = ps->last_success_ms = clock_now(ps->clock);
    ps->trouble[0] = '\0';
    if (!was)
        log_info("vault_reached", "vault=%s", ps->vault.conf->name);
}

static void note_trouble(struct ps *ps, const struct call *http)
{
    if (http->err)
        (void)snprintf(ps->trouble, sizeof(ps->trouble), "%.150s",
                       *http->why ? http->why : strerror(-http->err));
    else
        (void)snprintf(ps->trouble, sizeof(ps->trouble), "a page with status %d came in the vault's place",
                       http->status);
}

/* `decides`: the failure is no first one. ps->trouble has its cause. */
static void note_failure(struct ps *ps, bool decides)
{
    bool was = ps->last_ok;

    if (was && !decides) {
        if (!ps->doubted)
            ps->confirm_at_ms = clock_now(ps->clock) + PS_PROBE_CONFIRM;
        ps->doubted = true;
        if (!ps->probing)
            probe_rearm(ps, 0);
        return;
    }
    ps->known = true;
    ps->last_ok = ps->doubted = false;
    ps->last_word_ms = clock_now(ps->clock);
    if (was)
        log_warn("vault_away", "vault=%s why=%s", ps->vault.conf->name, ps->trouble);
}

static void note_outcome(struct ps *ps, const struct call *http, bool full, bool decides)
{
    enum outcome outcome = outcome_of(ps, http, full);

    note_skew(ps, http);
    if (outcome == OUTCOME_ANSWER) {
        note_answer(ps);
    } else if (outcome != OUTCOME_NONE) {
        note_trouble(ps, http);
        note_failure(ps, decides || outcome == OUTCOME_SILENCE);
    }
}

/* ---- probes ---- */

static void probe_again(struct ps *ps)
{
    uint64_t due = probe_due(ps), now = clock_now(ps->clock);

    ps->probing = false;
    probe_rearm(ps, due > now + PS_PROBE_CONFIRM ? due - now : PS_PROBE_CONFIRM);
}

static void on_probe_answer(struct call *http)
{
    struct ps *ps = CONTAINER_OF(http, struct ps, probe);
    bool impatient = http->err == -ETIMEDOUT && !ps->probe_decides;

    if (impatient) {
        note_trouble(ps, http);
        note_failure(ps, false);
    } else {
        note_outcome(ps, http, true, ps->probe_decides);
    }
    call_free_answer(http);
    probe_again(ps);
}

/* A probe that decides opens a connection of its own: a fault of the one that is there is not the vault's. */
static void probe_send(struct ps *ps)
{
    bool decides = ps->doubted || ps->in_flight || !ps->last_ok;
    uint64_t limit = ps->vault.conf->call_timeout_ms;

    memset(&ps->probe, 0, sizeof(ps->probe));
    ps->probe.method = "GET";
    ps->probe.target = *ps->base ? ps->base : "/";
    ps->probe.headers = decides ? "Connection: close\r\n" : NULL;
    ps->probe.owner = decides ? ++ps->last_number : 0;
    ps->probe.safe = true;
    ps->probe.begun = true; /* a long queue does not mean that the vault is not reachable */
    ps->probe.timeout_ms = decides ? limit : sooner(limit, PS_PROBE_IMPATIENCE);
    ps->probe.done = on_probe_answer;
    ps->probe_decides = decides;
    ps->probing = !upstream_call(ps->up, &ps->probe);
    probe_rearm(ps, ps->probing ? PS_PROBE_CONNECT : PS_PROBE_STUCK);
}

/* The probe that decides has no connection yet, and one is being opened for it. If all are in use, it waits
 * for one of them, which says nothing. */
static void judge_connection(struct ps *ps)
{
    struct upstream_state state;

    upstream_state(ps->up, &state);
    if (!ps->probe_decides || !upstream_unsent(&ps->probe) || !state.connecting)
        return;
    upstream_cancel(&ps->probe);
    (void)snprintf(ps->trouble, sizeof(ps->trouble), "no new connection within %d ms", PS_PROBE_CONNECT);
    note_failure(ps, true);
    probe_again(ps);
}

static void on_probe_time(struct deadline *d)
{
    struct ps *ps = CONTAINER_OF(d, struct ps, probe_at);
    uint64_t due = probe_due(ps), now = clock_now(ps->clock);

    if (ps->probing)
        judge_connection(ps);
    else if (now >= due)
        probe_send(ps);
    else
        probe_rearm(ps, due - now);
}

int ps_http_send(struct ps *ps, struct call *http)
{
    int err = upstream_call(ps->up, http);

    if (err)
        return err;
    if (!ps->in_flight++) {
        ps->busy_since_ms = clock_now(ps->clock);
        if (ps->last_ok && !ps->doubted && !ps->probing)
            probe_rearm(ps, stuck_after(ps));
    }
    return 0;
}

void ps_http_done(struct ps *ps, const struct call *http)
{
    ps->in_flight--;
    note_outcome(ps, http, http->timeout_ms >= ps->vault.conf->call_timeout_ms, false);
}

void ps_http_cancel(struct ps *ps, struct call *http)
{
    ps->in_flight--;
    upstream_cancel(http);
    call_free_answer(http);
}

int ps_reachability_start(struct ps *ps)
{
    return timer_start(ps->timers, &ps->probe_at, 0, on_probe_time);
}

void ps_reachability_stop(struct ps *ps)
{
    timer_stop(ps->timers, &ps->probe_at);
    if (ps->probing)
        upstream_cancel(&ps->probe);
    ps->probing = false;
}

int64_t ps_vault_clock_wall(const struct ps *ps)
{
    return clock_wall(ps->clock) + (ps->skew_known ? ps->skew_ms : 0);
}

void ps_reachability_state(const struct ps *ps, struct vault_state *state)
{
    state->known = ps->known;
    state->reachable = ps->known && ps->last_ok;
    state->last_success_age_ms =
        ps->last_success_ms ? clock_now(ps->clock) - ps->last_success_ms : UINT64_MAX;
    state->sign_ins = ps->sign_ins;
    state->sign_ins_refused = ps->sign_ins_refused;
    state->skew_ms = ps->skew_ms;
    state->skew_error_ms = ps->skew_error_ms;
    state->skew_known = ps->skew_known;
    (void)text_copy(state->detail, sizeof(state->detail), ps->last_ok ? "" : ps->trouble);
}
