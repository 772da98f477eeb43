/* SPDX-License-Identifier: Apache-2.0 */
/*
 * month.c - times, names and states of made-up sessions; see month.h.
 */
#include "pra-sim/month.h"

#include "base/text.h"
#include "pra-sim/month_items.h"

#include <stdlib.h>
#include <string.h>

#define HOUR_S INT64_C(3600)
#define DAY_S  INT64_C(86400)

enum purpose {
    FOR_KEY = 1,
    FOR_LSID,
    FOR_START,
    FOR_LENGTH_CLASS,
    FOR_LENGTH,
    FOR_ABNORMAL,
    FOR_FIX,
    FOR_CORRECTION,
    FOR_RECORDING,
    FOR_USER,
    FOR_PEOPLE,
    FOR_ITEM_KIND,
    FOR_GROUP,
    FOR_RANK
};

/* ---- chance ---- */

static uint64_t mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

/* The inverse of mix(). */
static uint64_t unmix(uint64_t x)
{
    x = (x ^ (x >> 31) ^ (x >> 62)) * 0x319642b2d24d8ec3u;
    x = (x ^ (x >> 27) ^ (x >> 54)) * 0x96de1b173f119089u;
    return x ^ (x >> 30) ^ (x >> 60);
}

uint64_t month_chance(uint64_t key, uint64_t purpose)
{
    return mix(key + purpose * 0x9e3779b97f4a7c15u);
}

static uint64_t key_of(const struct month *m, uint64_t index)
{
    return mix(month_chance(m->opts.seed, FOR_KEY) ^ (index * 0xd1342543de82ef95u));
}

double month_fraction(uint64_t chance)
{
    return (double)(chance >> 11) / 9007199254740992.0;
}

static int zipf_make(struct month_zipf *z, uint64_t n)
{
    double sum = 0, so_far = 0;

    z->below = calloc(n, sizeof(*z->below));
    if (!z->below)
        return -1;
    z->n = n;
    for (uint64_t i = 0; i < n; i++)
        sum += 1.0 / (double)(i + 1);
    for (uint64_t i = 0; i < n; i++) {
        so_far += 1.0 / (double)(i + 1);
        z->below[i] = (uint32_t)(so_far / sum * 4294967295.0);
    }
    return 0;
}

uint64_t month_rank(const struct month_zipf *z, uint64_t chance)
{
    uint32_t wanted = (uint32_t)(chance >> 32);
    uint64_t low = 0, high = z->n - 1;

    while (low < high) {
        uint64_t middle = (low + high) / 2;
        if (z->below[middle] < wanted)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* ---- hours ---- */

static double weight_of(int64_t hour_s)
{
    int64_t day = hour_s / DAY_S, hour = hour_s / HOUR_S % 24;
    bool weekend = (day + 4) % 7 == 0 || (day + 4) % 7 == 6; /* 1970-01-01 was a Thursday */

    if (weekend)
        return hour >= 8 && hour < 18 ? 1.0 : 0.4;
    if (hour >= 7 && hour < 18)
        return 10.0;
    return hour == 6 || (hour >= 18 && hour < 21) ? 2.5 : 0.6;
}

static int hours_make(struct month *m)
{
    uint64_t n = m->opts.days * 24;

    m->before = calloc(n + 1, sizeof(*m->before));
    if (!m->before)
        return -1;
    for (uint64_t i = 0; i < n; i++)
        m->before[i + 1] = m->before[i] + weight_of(m->begin_s + (int64_t)i * HOUR_S);
    return 0;
}

int64_t month_time_of(const struct month *m, double share)
{
    uint64_t low = 0, high = m->opts.days * 24;
    double wanted = share * m->before[high];

    while (high - low > 1) {
        uint64_t middle = (low + high) / 2;
        if (m->before[middle] <= wanted)
            low = middle;
        else
            high = middle;
    }
    return m->begin_s + (int64_t)low * HOUR_S +
           (int64_t)((wanted - m->before[low]) / (m->before[low + 1] - m->before[low]) * 3600.0);
}

/* ---- life ---- */

static uint64_t usual(uint64_t value, uint64_t otherwise)
{
    return value ? value : otherwise;
}

struct month *month_new(const struct month_opts *o)
{
    struct month *m = calloc(1, sizeof(*m));

    if (!m)
        return NULL;
    m->opts = *o;
    m->opts.days = usual(o->days, 30);
    m->opts.events = usual(o->events, 40);
    m->opts.users = usual(o->users, 500);
    m->opts.endpoints = usual(o->endpoints, 5000);
    m->opts.groups = usual(o->groups, 20);
    m->opts.jumpoints = usual(o->jumpoints, 10);
    m->opts.vault_accounts = usual(o->vault_accounts, 800);
    m->opts.vault_activity = usual(o->vault_activity, 2000);
    m->opts.team_activity = usual(o->team_activity, 3000);
    m->opts.syslog_messages = usual(o->syslog_messages, 3000);
    m->opts.stream_hour = usual(o->stream_hour, 20);
    m->begin_s = o->until_s - (int64_t)m->opts.days * DAY_S;
    if (hours_make(m) || zipf_make(&m->groups, m->opts.groups) || zipf_make(&m->users, m->opts.users) ||
        zipf_make(&m->ranks, (m->opts.endpoints + m->opts.groups - 1) / m->opts.groups)) {
        month_free(m);
        return NULL;
    }
    return m;
}

void month_free(struct month *m)
{
    struct month_change *c, *next;

    if (!m)
        return;
    HASH_ITER(hh, m->changes, c, next)
    {
        HASH_DEL(m->changes, c);
        free(c);
    }
    free(m->before);
    free(m->groups.below);
    free(m->users.below);
    free(m->ranks.below);
    free(m);
}

/* ---- changes ---- */

const struct month_change *month_changed(const struct month *m, uint64_t index)
{
    struct month_change *c = NULL;

    HASH_FIND(hh, m->changes, &index, sizeof(index), c);
    return c;
}

struct month_change *month_change(struct month *m, uint64_t index)
{
    struct month_change *c = NULL;

    HASH_FIND(hh, m->changes, &index, sizeof(index), c);
    if (c)
        return c;
    c = calloc(1, sizeof(*c));
    if (!c)
        return NULL;
    c->index = index;
    HASH_ADD(hh, m->changes, index, sizeof(c->index), c);
    return c;
}

enum session_gone month_gone(const struct month *m, uint64_t index)
{
    const struct month_change *c = month_changed(m, index);

    return c ? c->gone : GONE_NOT;
}

/* ---- lsids ---- */

static uint64_t second_half(const struct month *m, uint64_t first)
{
    return mix(first ^ month_chance(m->opts.seed, FOR_LSID));
}

void month_lsid(const struct month *m, uint64_t index, char out[LSID_SIZE])
{
    uint64_t first = mix(index + month_chance(m->opts.seed, FOR_LSID)), second = second_half(m, first);
    unsigned char bytes[16];

    for (unsigned i = 0; i < 8; i++) {
        bytes[i] = (unsigned char)(first >> (56 - 8 * i));
        bytes[i + 8] = (unsigned char)(second >> (56 - 8 * i));
    }
    text_hex(out, bytes, sizeof(bytes));
}

bool month_find(const struct month *m, const char *lsid, uint64_t *index)
{
    unsigned char bytes[16];
    uint64_t first = 0, second = 0;

    if (!text_unhex(bytes, sizeof(bytes), lsid))
        return false;
    for (unsigned i = 0; i < 8; i++) {
        first = first << 8 | bytes[i];
        second = second << 8 | bytes[i + 8];
    }
    if (second != second_half(m, first))
        return false;
    *index = unmix(first) - month_chance(m->opts.seed, FOR_LSID);
    return true;
}

/* ---- times ---- */

static int64_t length_of(uint64_t key)
{
    static const struct {
        unsigned below; /* of 1000 */
        int64_t from_s, to_s;
    } classes[] = {{100, 2, 60},
                   {350, 60, 300},
                   {600, 300, 900},
                   {850, 900, 3600},
                   {970, 3600, 14400},
                   {995, 14400, 28800},
                   {1000, 28800, MONTH_LONGEST_S}};
    unsigned at = (unsigned)(month_chance(key, FOR_LENGTH_CLASS) % 1000), i = 0;

    while (at >= classes[i].below)
        i++;
    return classes[i].from_s +
           (int64_t)(month_chance(key, FOR_LENGTH) % (uint64_t)(classes[i].to_s - classes[i].from_s));
}

/* Of the first group: its start lies in the index's share of all weight, so starts grow with it. */
static int64_t past_start(const struct month *m, uint64_t index)
{
    double within = month_fraction(month_chance(key_of(m, index), FOR_START));

    return month_time_of(m, ((double)index + within) / (double)m->opts.sessions);
}

static int64_t live_start(const struct month *m, uint64_t nth)
{
    double within =
        month_fraction(month_chance(key_of(m, m->opts.sessions + m->opts.running + nth), FOR_START));

    return m->opts.until_s + 1 + (int64_t)(((double)nth + within) * 3600.0 / (double)m->opts.live_hour);
}

static void running_times(const struct month *m, uint64_t key, struct month_times *t)
{
    uint64_t chance = month_chance(key, FOR_START);
    int64_t most = chance % 50 == 0 ? 20 * HOUR_S : 4 * HOUR_S;

    t->start_s = m->opts.until_s - (int64_t)((chance >> 8) % (uint64_t)most);
    t->closed_s = m->opts.until_s + 60 + (int64_t)(month_chance(key, FOR_LENGTH) % (4 * HOUR_S));
}

struct month_times month_times(const struct month *m, uint64_t index)
{
    const struct month_change *c = month_changed(m, index);
    uint64_t key = key_of(m, index), closed = m->opts.sessions, running = m->opts.running;
    struct month_times t = {.abnormal = month_chance(key, FOR_ABNORMAL) % 200 == 0,
                            .fixed = month_chance(key, FOR_FIX) % 8 == 0};

    if (index >= closed && index < closed + running) {
        running_times(m, key, &t);
    } else {
        t.start_s = index < closed ? past_start(m, index) : live_start(m, index - closed - running);
        t.closed_s = t.start_s + length_of(key);
        if (index < closed && t.closed_s > m->opts.until_s)
            t.closed_s = m->opts.until_s;
    }
    t.planned_s = t.closed_s;
    if (c && c->closed_s) {
        t.closed_s = c->closed_s;
        t.abnormal = c->abnormal;
        t.fixed = false;
    }
    return t;
}

enum session_state month_state(const struct month_times *t, int64_t now_s)
{
    if (now_s < t->closed_s)
        return SESSION_RUNNING;
    if (t->abnormal && !(t->fixed && now_s >= t->closed_s + MONTH_FIXED_S))
        return SESSION_ABNORMAL;
    return SESSION_ENDED;
}

uint64_t month_count(const struct month *m, int64_t now_s)
{
    uint64_t fixed = m->opts.sessions + m->opts.running, n;

    if (!m->opts.live_hour || now_s <= m->opts.until_s)
        return fixed;
    n = (uint64_t)((double)(now_s - m->opts.until_s) * (double)m->opts.live_hour / 3600.0) + 1;
    while (n && live_start(m, n - 1) > now_s)
        n--;
    return fixed + n;
}

uint64_t month_first_at(const struct month *m, int64_t at_s)
{
    uint64_t low = 0, high = m->opts.sessions;

    while (low < high) {
        uint64_t middle = (low + high) / 2;
        if (past_start(m, middle) < at_s)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* ---- a session ---- */

/* One in 100 is corrected between five minutes and twenty hours after its end. */
static unsigned revision_of(uint64_t key, const struct month_times *t, int64_t now_s)
{
    uint64_t chance = month_chance(key, FOR_CORRECTION);

    return chance % 100 == 0 && now_s >= t->closed_s + 300 + (int64_t)((chance >> 8) % (20 * HOUR_S)) ? 2 : 1;
}

static uint64_t item_of(const struct month *m, const struct month_session *s)
{
    const struct month_opts *o = &m->opts;
    uint64_t kind = month_chance(s->key, FOR_ITEM_KIND) % 100, item;
    uint64_t group = month_rank(&m->groups, month_chance(s->key, FOR_GROUP));

    if (kind < 6)
        return o->endpoints + s->user[0]; /* the user's own */
    if (kind < 10)
        return o->endpoints + o->users + month_chance(s->key, FOR_RANK) % MONTH_EXTERNAL;
    item = group + o->groups * month_rank(&m->ranks, month_chance(s->key, FOR_RANK));
    return item < o->endpoints ? item : group % o->endpoints;
}

void month_session(const struct month *m, uint64_t index, int64_t now_s, struct month_session *s)
{
    const struct month_change *c = month_changed(m, index);
    uint64_t people;

    *s = (struct month_session){.index = index, .key = key_of(m, index), .now_s = now_s};
    month_lsid(m, index, s->lsid);
    s->times = month_times(m, index);
    s->state = month_state(&s->times, now_s);
    s->revision = revision_of(s->key, &s->times, now_s) + (c ? c->revision : 0);
    s->recording = month_chance(s->key, FOR_RECORDING) % 10 < 4;
    people = month_chance(s->key, FOR_PEOPLE) % 100;
    s->npeople = people < 3 ? 3 : people < 12 ? 2 : 1;
    s->user[0] = month_rank(&m->users, month_chance(s->key, FOR_USER));
    for (unsigned i = 1; i < MONTH_PEOPLE; i++)
        s->user[i] = (s->user[0] + i * 7) % m->opts.users;
    s->item = item_of(m, s);
}
