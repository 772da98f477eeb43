/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reachability.c - is the vault reachable? Every HTTP call of the backend passes here, before it is sent and
 * after it has ended.
 *
 * The last call with a conclusive result decides: any HTTP answer means yes; a refused or lost connection or
 * a full call_timeout means no. A shorter deadline is the caller's own and decides nothing. Without calls an
 * unauthenticated GET of the API's base decides, the probe: after PS_PROBE_QUIET without traffic, every
 * PS_PROBE_DOWN while it is not reachable, and after PS_PROBE_STUCK in which calls are under way and no
 * answer comes. The last one finds a frozen vault before its calls time out; a slow vault answers the probe.
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

/* When the next probe is due, on the monotonic clock. */
static uint64_t probe_due(const struct ps *ps)
{
    if (!ps->known)
        return 0;
    if (ps->in_flight && ps->last_ok)
        return later(ps->last_word_ms, ps->busy_since_ms) + PS_PROBE_STUCK;
    return ps->last_word_ms + (ps->last_ok ? PS_PROBE_QUIET : PS_PROBE_DOWN);
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

static void note_reachability(struct ps *ps, const struct call *http, bool full)
{
    uint64_t now = clock_now(ps->clock);
    bool was = ps->last_ok;
    int64_t vault_ms;

    if (http->err == -ECANCELED || http->err == -ENOMEM || http->err == -EAGAIN ||
        (http->err == -ETIMEDOUT && !full))
        return;
    ps->known = true;
    ps->last_word_ms = now;
    ps->last_ok = !http->err || http->err == -EMSGSIZE;
    if (ps->last_ok) {
        ps->last_success_ms = now;
        ps->trouble[0] = '\0';
    } else {
        (void)snprintf(ps->trouble, sizeof(ps->trouble), "%.150s",
                       *http->why ? http->why : strerror(-http->err));
    }
    if (!http->err && !ps_is_html(http) && vault_date(ps, http->value[CALL_DATE], &vault_ms)) {
        ps->skew_ms = vault_ms - clock_wall(ps->clock);
        ps->skew_known = true;
    }
    if (was && !ps->last_ok)
        log_warn("vault_away", "vault=%s why=%s", ps->vault.conf->name, ps->trouble);
    else if (!was && ps->last_ok)
        log_info("vault_reached", "vault=%s", ps->vault.conf->name);
}

static void on_probe_answer(struct call *http)
{
    struct ps *ps = CONTAINER_OF(http, struct ps, probe);
    uint64_t due, now;

    ps->probing = false;
    note_reachability(ps, http, true);
    call_free_answer(http);
    due = probe_due(ps);
    now = clock_now(ps->clock);
    probe_rearm(ps, due > now + PS_PROBE_STUCK ? due - now : PS_PROBE_STUCK);
}

static void probe_send(struct ps *ps)
{
    uint64_t limit = ps->vault.conf->call_timeout_ms;

    if (ps->in_flight && limit > PS_PROBE_TIMEOUT)
        limit = PS_PROBE_TIMEOUT;
    memset(&ps->probe, 0, sizeof(ps->probe));
    ps->probe.method = "GET";
    ps->probe.target = *ps->base ? ps->base : "/";
    ps->probe.safe = true;
    ps->probe.begun = true; /* a long queue does not mean that the vault is not reachable */
    ps->probe.timeout_ms = limit;
    ps->probe.done = on_probe_answer;
    ps->probing = !upstream_call(ps->up, &ps->probe);
    if (!ps->probing)
        probe_rearm(ps, PS_PROBE_STUCK);
}

static void on_probe_time(struct deadline *d)
{
    struct ps *ps = CONTAINER_OF(d, struct ps, probe_at);
    uint64_t due = probe_due(ps), now = clock_now(ps->clock);

    if (ps->probing)
        return;
    if (now >= due)
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
        if (ps->last_ok && !ps->probing)
            probe_rearm(ps, PS_PROBE_STUCK);
    }
    return 0;
}

void ps_http_done(struct ps *ps, const struct call *http)
{
    ps->in_flight--;
    note_reachability(ps, http, http->timeout_ms >= ps->vault.conf->call_timeout_ms);
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
    state->skew_ms = ps->skew_ms;
    state->skew_known = ps->skew_known;
    (void)text_copy(state->detail, sizeof(state->detail), ps->trouble);
}
