/* SPDX-License-Identifier: Apache-2.0 */
/*
 * decide.c - decisions of the collector as pure functions; see decide.h.
 */
#include "reports/collect/decide.h"

#include <string.h>

#define BACKOFF_FIRST_MS 5000u
#define BACKOFF_MOST_MS  600000u
#define TRIES_OF_A_DAY   5
#define DAY_S            86400

/* ---- ends ---- */

static const struct end_rule rules[REPORT_NENDS] = {
    [REPORT_OK] = {.act = END_WHOLE},
    [REPORT_NO_ROWS] = {.act = END_WHOLE},
    [REPORT_INVALID_LSID] = {.act = END_UNKNOWN},
    [REPORT_CREDENTIALS] = {.act = END_WAIT, .certain = true, .rank = 9},
    [REPORT_DENIED] = {.act = END_DENIED, .certain = true, .rank = 5},
    [REPORT_RATE_LIMITED] = {.act = END_WAIT, .rank = 2},
    [REPORT_API_DISABLED] = {.act = END_BACKOFF, .certain = true, .rank = 6},
    [REPORT_TLS] = {.act = END_BACKOFF, .certain = true, .rank = 8},
    [REPORT_UNREACHABLE] = {.act = END_BACKOFF, .rank = 7},
    [REPORT_TIMEOUT] = {.act = END_BACKOFF, .halves = true, .blames = true, .rank = 4},
    [REPORT_BROKEN] = {.act = END_BACKOFF, .halves = true, .blames = true, .rank = 4},
    [REPORT_TOO_LARGE] = {.act = END_BACKOFF, .halves = true, .blames = true, .rank = 3},
    [REPORT_FORMAT] = {.act = END_BACKOFF, .halves = true, .blames = true, .rank = 3},
    [REPORT_WEB_PAGE] = {.act = END_BACKOFF, .halves = true, .blames = true, .rank = 3},
    [REPORT_SITE_ERROR] = {.act = END_BACKOFF, .halves = true, .blames = true, .rank = 2},
    [REPORT_NO_SPOOL] = {.act = END_BACKOFF, .rank = 1},
    [REPORT_NO_MEMORY] = {.act = END_BACKOFF, .halves = true, .rank = 1},
    [REPORT_STOPPED] = {.act = END_STOPPED},
};

const struct end_rule *end_rule(enum report_end end)
{
    return &rules[end];
}

const char *end_reason(enum report_end end, int status)
{
    const char *reason = report_end_reason(end);

    if (reason)
        return reason;
    return end == REPORT_SITE_ERROR && status < 500 ? "format" : "unreachable";
}

static uint64_t next_random(uint64_t *random)
{
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    return *random;
}

uint64_t decide_backoff_ms(unsigned failures, uint64_t *random)
{
    uint64_t delay = BACKOFF_FIRST_MS;

    while (failures > 1 && delay < BACKOFF_MOST_MS) {
        delay *= 2;
        failures--;
    }
    delay = delay < BACKOFF_MOST_MS ? delay : BACKOFF_MOST_MS;
    return delay - next_random(random) % (delay / 4);
}

int64_t decide_session_wait(int64_t tries, uint64_t *random)
{
    if (tries >= TRIES_OF_A_DAY)
        return DAY_S;
    return (int64_t)(decide_backoff_ms((unsigned)tries, random) / 1000);
}

/* ---- windows ---- */

void windows_init(struct windows *w)
{
    *w = (struct windows){.width = WINDOW_FIRST};
}

static void halve(struct windows *w)
{
    w->few = 0;
    w->width = w->width / 2 > WINDOW_LEAST ? w->width / 2 : WINDOW_LEAST;
}

void windows_answered(struct windows *w, uint64_t rows)
{
    if (rows > WINDOW_MANY) {
        halve(w);
        return;
    }
    w->few = rows < WINDOW_FEW ? w->few + 1 : 0;
    if (w->few < 3)
        return;
    w->few = 0;
    w->width = w->width * 2 < WINDOW_MOST ? w->width * 2 : WINDOW_MOST;
}

void windows_failed(struct windows *w)
{
    halve(w);
}

/* ---- sessions ---- */

static const char *const whys[WHY_NWHYS] = {
    [WHY_LISTED] = "listed",   [WHY_BACKFILL] = "backfill", [WHY_SWEEP] = "sweep",
    [WHY_RUNNING] = "running", [WHY_RECHECK] = "recheck",   [WHY_INACTIVE] = "inactive",
};

const char *todo_why_name(enum todo_why why)
{
    return whys[why];
}

enum todo_why todo_why_named(const char *name)
{
    for (int i = 0; name && i < WHY_NWHYS; i++)
        if (strcmp(whys[i], name) == 0)
            return (enum todo_why)i;
    return WHY_LISTED;
}

bool decide_listed(enum todo_why why, bool by_start, const struct store_known *known)
{
    if (!known->stored)
        return true;
    if (why == WHY_RUNNING)
        return known->state == STORE_RUNNING;
    return !by_start && known->state != STORE_CLOSED; /* a list by the end has sessions that have one */
}

static bool has_ended(const struct record_session *s)
{
    for (size_t i = s->nevents; i-- > 0;)
        if (s->events[i].type && strcmp(s->events[i].type, "Session End") == 0)
            return true;
    return false;
}

enum store_state decide_state(const struct record_session *s, const struct session_view *v)
{
    if (s->end != RECORD_NONE)
        return STORE_CLOSED;
    if (has_ended(s) || v->why == WHY_INACTIVE)
        return STORE_ABNORMAL;
    if (v->command_denied && s->start != RECORD_NONE && s->start + v->running_max <= v->now)
        return STORE_ABNORMAL;
    return STORE_RUNNING;
}

int64_t decide_recheck(const struct collect_settings *settings, int64_t end, int64_t now)
{
    for (size_t i = 0; i < settings->nrecheck; i++)
        if (end + settings->recheck[i] > now)
            return end + settings->recheck[i];
    return RECORD_NONE;
}
