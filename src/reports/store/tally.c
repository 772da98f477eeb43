/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tally.c - deltas of counts, summed in hash tables; see tally.h.
 *
 * Rows of one transaction share hosts, groups and labels, so a batch of sessions becomes few rows. Texts and
 * rows are in one arena, freed at the end of the transaction.
 */
#include "reports/store/tally.h"

#include "reports/store/inserter.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_SLOTS 256
#define LABEL_SIZE  256 /* characters, of jg_tally.label */
#define GROUP_SIZE  256
#define HOST_SIZE   255

const char *const tally_dims[TALLY_NDIMS] = {
    [DIM_ALL] = "all",           [DIM_JUMPOINT] = "jumpoint",   [DIM_TYPE] = "type",
    [DIM_DURATION] = "duration", [DIM_OUTSIDE] = "outside",     [DIM_ABNORMAL] = "abnormal",
    [DIM_USER] = "user",         [DIM_ENDPOINT] = "endpoint",   [DIM_EVENT] = "event",
    [DIM_REASON] = "reason",     [DIM_SITE_USER] = "site_user", [DIM_SITE_ENDPOINT] = "site_endpoint",
};

const int64_t tally_durations[TALLY_NDURATIONS] = {0, 60, 300, 900, 3600, 14400, 28800};

bool tally_by_month_only(enum tally_dim dim)
{
    return dim == DIM_USER || dim == DIM_ENDPOINT || tally_over_groups(dim);
}

bool tally_over_groups(enum tally_dim dim)
{
    return dim == DIM_SITE_USER || dim == DIM_SITE_ENDPOINT;
}

int64_t tally_floor(int64_t unix_time, int64_t of)
{
    int64_t rest = unix_time % of;

    return unix_time - (rest < 0 ? rest + of : rest);
}

/* Days are counted back to the first of the month, by the civil calendar's 400-year cycle from 1 March 0000.
 */
int64_t tally_month(int64_t unix_time)
{
    int64_t day = tally_floor(unix_time, TALLY_DAY) / TALLY_DAY;
    int64_t of_cycle = (day + 719468) - tally_floor(day + 719468, 146097);
    int64_t year = (of_cycle - of_cycle / 1460 + of_cycle / 36524 - of_cycle / 146096) / 365;
    int64_t of_year = of_cycle - (365 * year + year / 4 - year / 100);
    int64_t month = (5 * of_year + 2) / 153; /* from March */
    int64_t of_month = of_year - (153 * month + 2) / 5;

    return (day - of_month) * TALLY_DAY;
}

/* ---- hash tables ---- */

static uint64_t mix(uint64_t hash, const void *bytes, size_t n)
{
    const unsigned char *p = bytes;

    for (size_t i = 0; i < n; i++)
        hash = (hash ^ p[i]) * 0x100000001b3U;
    return (hash ^ n) * 0x100000001b3U;
}

static uint64_t row_hash(const struct tally_row *r)
{
    uint64_t hash = 0xcbf29ce484222325U ^ (uint64_t)r->slot * 0x9e3779b97f4a7c15U ^ (uint64_t)r->dim << 8 ^
                    (uint64_t)(unsigned char)r->grain;

    hash = mix(hash, r->host_name, r->host_len);
    hash = mix(hash, r->jump_group_name, r->group_len);
    hash = mix(hash, r->label, r->label_len);
    return hash ^ hash >> 29;
}

static bool same_bytes(const char *a, size_t an, const char *b, size_t bn)
{
    return an == bn && memcmp(a, b, an) == 0;
}

static bool same_row(const struct tally_row *a, const struct tally_row *b)
{
    return a->hash == b->hash && a->slot == b->slot && a->dim == b->dim && a->grain == b->grain &&
           same_bytes(a->host_name, a->host_len, b->host_name, b->host_len) &&
           same_bytes(a->jump_group_name, a->group_len, b->jump_group_name, b->group_len) &&
           same_bytes(a->label, a->label_len, b->label, b->label_len);
}

/* Twice the slots when half of them are taken. Every element begins with its hash. */
static int grow(void ***table, size_t *slots, size_t n)
{
    if (n * 2 < *slots)
        return 0;
    size_t more = *slots ? *slots * 2 : FIRST_SLOTS;
    void **moved = calloc(more, sizeof(*moved));
    if (!moved)
        return -ENOMEM;
    for (size_t i = 0; i < *slots; i++) {
        if (!(*table)[i])
            continue;
        uint64_t hash;
        memcpy(&hash, (*table)[i], sizeof(hash));
        size_t at = hash & (more - 1);
        while (moved[at])
            at = (at + 1) & (more - 1);
        moved[at] = (*table)[i];
    }
    free(*table);
    *table = moved;
    *slots = more;
    return 0;
}

static struct tally_row *new_row(struct tally *t, const struct tally_row *key)
{
    struct tally_row *r = record_alloc(&t->texts, sizeof(*r));

    if (!r)
        return NULL;
    *r = *key;
    r->host_name = record_text(&t->texts, key->host_name, key->host_len);
    r->jump_group_name = record_text(&t->texts, key->jump_group_name, key->group_len);
    r->label = record_text(&t->texts, key->label, key->label_len);
    return r->host_name && r->jump_group_name && r->label ? r : NULL;
}

static int add(struct tally *t, struct tally_row *key, int64_t n, int64_t seconds)
{
    key->hash = row_hash(key);
    if (grow(&t->rows, &t->row_slots, t->nrows))
        return -ENOMEM;
    size_t at = key->hash & (t->row_slots - 1);
    while (t->rows[at] && !same_row(t->rows[at], key))
        at = (at + 1) & (t->row_slots - 1);
    if (!t->rows[at]) {
        t->rows[at] = new_row(t, key);
        if (!t->rows[at])
            return -ENOMEM;
        t->nrows++;
    }
    struct tally_row *row = t->rows[at];
    row->n += n;
    row->seconds += seconds;
    return 0;
}

/* By day and month. */
static int add_dim(struct tally *t, struct tally_row *key, enum tally_dim dim, const char *label,
                   int64_t when, int sign, int64_t seconds)
{
    int err = 0;

    key->dim = dim;
    key->label = label ? label : "";
    key->label_len = text_cut(key->label, LABEL_SIZE);
    if (!tally_by_month_only(dim)) {
        key->grain = 'd';
        key->slot = tally_floor(when, TALLY_DAY);
        err = add(t, key, sign, seconds);
    }
    if (err)
        return err;
    key->grain = 'm';
    key->slot = tally_month(when);
    return add(t, key, sign, seconds);
}

static struct tally_slot *slot_of(struct tally *t, const char *host_name, int64_t when)
{
    struct tally_slot key = {.slot = tally_floor(when, TALLY_SLOT),
                             .host_name = host_name,
                             .host_len = text_cut(host_name, HOST_SIZE)};

    key.hash = mix((uint64_t)key.slot * 0x9e3779b97f4a7c15U, host_name, key.host_len);
    key.hash ^= key.hash >> 29;
    if (grow(&t->slots, &t->slot_slots, t->nslots))
        return NULL;
    size_t at = key.hash & (t->slot_slots - 1);
    for (struct tally_slot *s; (s = t->slots[at]); at = (at + 1) & (t->slot_slots - 1))
        if (s->slot == key.slot && same_bytes(s->host_name, s->host_len, host_name, key.host_len))
            return s;
    struct tally_slot *s = record_alloc(&t->texts, sizeof(*s));
    if (!s)
        return NULL;
    *s = key;
    s->host_name = record_text(&t->texts, host_name, key.host_len);
    if (!s->host_name)
        return NULL;
    t->slots[at] = s;
    t->nslots++;
    return s;
}

/* ---- what counts ---- */

static struct tally_row key_of(const struct counted *c)
{
    const char *group = c->jump_group_name ? c->jump_group_name : "";

    return (struct tally_row){.host_name = c->host_name,
                              .host_len = text_cut(c->host_name, HOST_SIZE),
                              .jump_group_name = group,
                              .group_len = text_cut(group, GROUP_SIZE)};
}

static int add_duration(struct tally *t, struct tally_row *key, const struct counted *c, int sign)
{
    char label[24];
    int i = TALLY_NDURATIONS - 1;

    while (i > 0 && c->duration_seconds < tally_durations[i])
        i--;
    (void)snprintf(label, sizeof(label), "%lld", (long long)tally_durations[i]);
    return add_dim(t, key, DIM_DURATION, label, c->start, sign, sign * c->duration_seconds);
}

int tally_session(struct tally *t, const struct counted *c, int sign)
{
    int64_t seconds = c->duration_seconds == RECORD_NONE ? 0 : sign * c->duration_seconds;
    const struct {
        enum tally_dim dim;
        const char *label;
        bool counts;
    } dims[] = {
        {DIM_ALL, "", true},
        {DIM_JUMPOINT, c->jumpoint_name, true},
        {DIM_TYPE, c->jump_item_type, true},
        {DIM_USER, c->user_name, true},
        {DIM_ENDPOINT, c->endpoint_name, true},
        {DIM_OUTSIDE, c->user_name, c->outside_hours},
        {DIM_ABNORMAL, "", c->abnormal},
        {DIM_SITE_USER, c->user_name, true},
        {DIM_SITE_ENDPOINT, c->endpoint_name, true},
    };
    struct tally_row key = key_of(c), over_groups = {.host_name = key.host_name,
                                                     .host_len = key.host_len,
                                                     .jump_group_name = ""};
    int err = 0;

    for (size_t i = 0; !err && i < sizeof(dims) / sizeof(*dims); i++)
        if (dims[i].counts)
            err = add_dim(t, tally_over_groups(dims[i].dim) ? &over_groups : &key, dims[i].dim, dims[i].label,
                          c->start, sign, seconds);
    if (!err && c->closed && c->duration_seconds != RECORD_NONE)
        err = add_duration(t, &key, c, sign);
    struct tally_slot *slot = err ? NULL : slot_of(t, c->host_name, c->start);
    if (!slot)
        return -ENOMEM;
    slot->sums[SLOT_SESSIONS] += sign;
    slot->sums[SLOT_SECONDS] += seconds;
    slot->sums[SLOT_ABNORMAL] += c->abnormal ? sign : 0;
    slot->sums[SLOT_OUTSIDE] += c->outside_hours ? sign : 0;
    return 0;
}

int tally_event(struct tally *t, const struct counted *session, const char *type, int64_t timestamp,
                const char *reason, int sign)
{
    struct tally_row key = key_of(session);
    int err = add_dim(t, &key, DIM_EVENT, type, timestamp, sign, 0);
    bool failed = reason, attempt = type && strcmp(type, "Credential Injection Attempt") == 0;

    if (!err && failed)
        err = add_dim(t, &key, DIM_REASON, reason, timestamp, sign, 0);
    if (err || (!failed && !attempt))
        return err;
    struct tally_slot *slot = slot_of(t, session->host_name, timestamp);
    if (!slot)
        return -ENOMEM;
    slot->sums[failed ? SLOT_FAILED : SLOT_INJECTIONS] += sign;
    return 0;
}

void tally_clear(struct tally *t)
{
    record_arena_free(&t->texts);
    if (t->rows)
        memset(t->rows, 0, t->row_slots * sizeof(*t->rows));
    if (t->slots)
        memset(t->slots, 0, t->slot_slots * sizeof(*t->slots));
    t->nrows = t->nslots = 0;
}

void tally_free(struct tally *t)
{
    record_arena_free(&t->texts);
    free(t->rows);
    free(t->slots);
    *t = (struct tally){0};
}
