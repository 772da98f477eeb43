/* SPDX-License-Identifier: Apache-2.0 */
/*
 * syslog_lines.c - lines of the appliance's log; see syslog_lines.h.
 */
#include "reports/pra/syslog_lines.h"

#include "backends/pra/pra.h"
#include "base/digest.h"
#include "base/text.h"
#include "reports/pra/base64.h"
#include "reports/pra/syslog_join.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LINE_MAX_BYTES 65536
#define SEEN_ROOM      131072 /* a power of two, twice what is kept */
#define DAY_S          86400
#define YEARS_BACK     9 /* two leap years can be eight years apart */

struct seen {     /* digests of messages and how often each was there */
    uint64_t key; /* 0 = free */
    uint32_t n;
};

struct syslog_lines {
    int64_t now_s;
    struct buf line;
    bool too_long; /* the line at hand; the rest of it is skipped */
    uint64_t malformed;
    struct syslog_joins *joins;
    struct seen *seen, *earlier; /* two generations of SEEN_ROOM each; NULL before the first message */
    size_t nseen;
};

/* ---- ordinals ---- */

static struct seen *place(struct seen *table, uint64_t key)
{
    size_t at = key >> 32 & (SEEN_ROOM - 1);

    while (table[at].key && table[at].key != key)
        at = (at + 1) & (SEEN_ROOM - 1);
    return &table[at];
}

static void next_generation(struct syslog_lines *l)
{
    struct seen *swap = l->earlier;

    l->earlier = l->seen;
    l->seen = swap;
    memset(l->seen, 0, SEEN_ROOM * sizeof(*l->seen));
    l->nseen = 0;
}

static int count_equal(struct syslog_lines *l, const char *line, size_t n, uint64_t *ordinal)
{
    unsigned char digest[DIGEST_SIZE];
    uint64_t key;

    if (!l->seen)
        l->seen = calloc(SEEN_ROOM, sizeof(*l->seen));
    if (!l->earlier)
        l->earlier = calloc(SEEN_ROOM, sizeof(*l->earlier));
    if (!l->seen || !l->earlier || digest_sha256(line, n, digest))
        return -ENOMEM;
    memcpy(&key, digest, sizeof(key));
    key |= 1; /* not the mark of a free place */
    if (l->nseen == SEEN_ROOM / 2)
        next_generation(l);
    struct seen *here = place(l->seen, key);
    if (!here->key) {
        here->key = key;
        here->n = place(l->earlier, key)->n; /* 0 where it is free */
        l->nseen++;
    }
    *ordinal = here->n++;
    return 0;
}

/* ---- time ---- */

static bool two(const char *p, int low, int high, int *out)
{
    char tens = p[0] == ' ' ? '0' : p[0];

    if (!isdigit((unsigned char)tens) || !isdigit((unsigned char)p[1]))
        return false;
    *out = (tens - '0') * 10 + p[1] - '0';
    return *out >= low && *out <= high;
}

static int month_of(const char *p)
{
    static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

    for (int i = 0; i < 12; i++)
        if (!strncmp(p, names + 3 * i, 3))
            return i;
    return -1;
}

/* `Mon DD hh:mm:ss`, 15 bytes. */
static bool read_date(const char *p, struct tm *tm)
{
    *tm = (struct tm){.tm_mon = month_of(p)};
    return tm->tm_mon >= 0 && p[3] == ' ' && two(p + 4, 1, 31, &tm->tm_mday) && p[6] == ' ' &&
           two(p + 7, 0, 23, &tm->tm_hour) && p[9] == ':' && two(p + 10, 0, 59, &tm->tm_min) &&
           p[12] == ':' && two(p + 13, 0, 60, &tm->tm_sec);
}

/* In the newest year in which there is such a day, not over a day ahead. */
static int64_t time_of_date(const struct tm *date, int64_t now_s)
{
    time_t latest = (time_t)(now_s + DAY_S);
    struct tm now;

    if (!gmtime_r(&latest, &now))
        return RECORD_NONE;
    for (int back = 0; back < YEARS_BACK; back++) {
        struct tm tm = *date;
        tm.tm_year = now.tm_year - back;
        time_t at = timegm(&tm);
        if (tm.tm_mday == date->tm_mday && at <= latest)
            return at;
    }
    return RECORD_NONE;
}

/* The time with which the head of a line begins. */
static int64_t time_of_head(const char *head, size_t n, int64_t now_s)
{
    struct tm date;
    char iso[40];
    int64_t ms;

    if (n >= 15 && read_date(head, &date))
        return time_of_date(&date, now_s);
    const char *blank = memchr(head, ' ', n);
    if (!blank || !text_copy_n(iso, sizeof(iso), head, (size_t)(blank - head)) || pra_time_read(iso, &ms))
        return RECORD_NONE;
    return ms / 1000;
}

/* ---- payload ---- */

/* Up to the first `end` or ';' that is no plain one; unescaped into the arena. */
static const char *take_part(struct record_arena *arena, const char **at, const char *stop, char end)
{
    const char *p = *at;

    while (p < stop && *p != end && *p != ';')
        p += *p == '\\' && p + 1 < stop ? 2 : 1;
    char *out = record_alloc(arena, (size_t)(p - *at) + 1);
    if (!out)
        return NULL;
    const char *from = *at;
    for (char *to = out; from < p; from++) {
        from += *from == '\\' && from + 1 < p;
        *to++ = *from;
    }
    *at = p;
    return out;
}

static const struct known_key {
    const char *name;
    size_t offset;
} known_keys[] = {
    {"event", offsetof(struct record_syslog, event)},   {"target", offsetof(struct record_syslog, target)},
    {"status", offsetof(struct record_syslog, status)}, {"who", offsetof(struct record_syslog, who)},
    {"who_ip", offsetof(struct record_syslog, who_ip)},
};

static void note_known(struct record_syslog *record, const struct record_pair *pair)
{
    int64_t when;

    for (size_t i = 0; i < sizeof(known_keys) / sizeof(known_keys[0]); i++) {
        const char **to = (const char **)(void *)((char *)record + known_keys[i].offset);
        if (!*to && *pair->value && !strcmp(pair->name, known_keys[i].name))
            *to = pair->value;
    }
    if (!strcmp(pair->name, "when") && text_int(pair->value, 1, 99999999999, &when))
        record->timestamp = when;
}

static int split_payload(struct record_arena *arena, struct record_syslog *record, const char *at,
                         const char *stop)
{
    while (at < stop) {
        const char *name = take_part(arena, &at, stop, '=');
        if (!name)
            return -ENOMEM;
        if (at == stop || *at == ';') { /* no '=': nothing, or a bare word */
            at += at < stop;
            continue;
        }
        at++;
        const char *value = take_part(arena, &at, stop, ';');
        struct record_pair *pair =
            value ? record_append(arena, &record->data, &record->ndata, &record->data_room, sizeof(*pair))
                  : NULL;
        if (!pair)
            return -ENOMEM;
        *pair = (struct record_pair){name, value};
        note_known(record, pair);
        at += at < stop;
    }
    return 0;
}

/* ---- messages ---- */

struct head_parts {
    const char *host;
    size_t host_len;
};

/* The record's texts are made from one text that is valid: the letters of it may have been split, too. */
static int fill(struct syslog_lines *l, struct batch_out *out, struct record_syslog *record,
                const struct buf *text, size_t head_len, const struct head_parts *head)
{
    struct record_arena *arena = &out->batch.arena;
    const char *line = record_text(arena, text->data, text->len);
    struct buf host = BUF_INIT(3 * head->host_len + 1);

    record->line = line;
    if (!mended_text(&host, head->host, head->host_len))
        record->appliance = record_text(arena, host.data, host.len);
    buf_free(&host);
    if (!line || !record->appliance)
        return -ENOMEM;
    record->timestamp = time_of_head(line, head_len, l->now_s);
    if (split_payload(arena, record, line + head_len, line + text->len))
        return -ENOMEM;
    return count_equal(l, line, text->len, &record->ordinal);
}

static int add_message(struct syslog_lines *l, struct batch_out *out, const char *head, size_t head_len,
                       const char *payload, size_t len, const struct head_parts *parts)
{
    struct buf text = BUF_INIT(3 * (head_len + len) + 1);
    struct record_syslog *record = batch_add(out, REPORT_SYSLOG);
    int err = mended_text(&text, head, head_len);
    size_t mended_head = text.len;

    if (!err)
        err = mended_text(&text, payload, len);
    err = err || !record || !text.len ? -ENOMEM : fill(l, out, record, &text, mended_head, parts);
    buf_free(&text);
    if (!err && record->timestamp != RECORD_NONE && record->ndata) {
        batch_keep(out);
        return 0;
    }
    l->malformed += !err;
    batch_drop(out);
    return err;
}

/* ---- lines ---- */

static const char *skip_word(const char *p, const char *stop)
{
    const char *blank = memchr(p, ' ', (size_t)(stop - p));

    return blank ? blank + 1 : stop;
}

/* A number of at most two digits and the colon behind it; NULL = it is none. */
static const char *small_number(const char *p, const char *stop, unsigned *out)
{
    const char *from = p;

    for (*out = 0; p < stop && p - from < 2 && isdigit((unsigned char)*p); p++)
        *out = *out * 10 + (unsigned)(*p - '0');
    return p > from && p < stop && *p == ':' ? p + 1 : NULL;
}

/* Finds host, tag and segment of a line. False = another program's line; *bad = it is ours, but malformed. */
static bool take_apart(const char *line, size_t n, struct syslog_segment *s, struct head_parts *parts,
                       bool *bad)
{
    const char *stop = line + n, *p = line;

    if (n > 16 && month_of(line) >= 0 && line[15] == ' ')
        p += 16;
    else
        p = skip_word(p, stop); /* ISO 8601 */
    parts->host = p;
    p = skip_word(p, stop);
    parts->host_len = p > parts->host ? (size_t)(p - parts->host) - 1 : 0;
    const char *tag = p;
    if (stop - tag < 4 || strncmp(tag, "BG", 2) != 0 || (tag[2] != ':' && tag[2] != '['))
        return false;
    p = skip_word(p, stop);
    const char *site = p, *colon = memchr(site, ':', (size_t)(stop - site));
    p = colon ? small_number(colon + 1, stop, &s->number) : NULL;
    p = p ? small_number(p, stop, &s->total) : NULL;
    *bad = !p || !parts->host_len || !s->number || s->number > s->total;
    if (*bad)
        return true;
    s->head = line;
    s->head_len = (size_t)(colon + 1 - line);
    s->key = parts->host;
    s->key_len = (size_t)(colon - parts->host);
    s->payload = p;
    s->len = (size_t)(stop - p);
    return true;
}

static int take_line(struct syslog_lines *l, const char *line, size_t n, struct batch_out *out)
{
    struct syslog_segment s;
    struct head_parts parts;
    const char *head, *payload;
    size_t head_len, len;
    bool bad = false;

    n -= n && line[n - 1] == '\r';
    if (!take_apart(line, n, &s, &parts, &bad))
        return 0;
    l->malformed += bad;
    if (bad)
        return 0;
    if (s.total == 1)
        return add_message(l, out, s.head, s.head_len, s.payload, s.len, &parts);
    int whole = syslog_join(l->joins, &s, &head, &head_len, &payload, &len);
    return whole == 1 ? add_message(l, out, head, head_len, payload, len, &parts) : whole;
}

static int end_line(struct syslog_lines *l, struct batch_out *out)
{
    int err = 0;

    if (l->too_long)
        l->malformed++;
    else if (l->line.len)
        err = take_line(l, l->line.data, l->line.len, out);
    l->too_long = false;
    buf_clear(&l->line);
    return err;
}

static int hold_line(struct syslog_lines *l, const char *bytes, size_t n)
{
    int err = l->too_long ? 0 : buf_append(&l->line, bytes, n);

    if (err == -EMSGSIZE) {
        l->too_long = true;
        buf_clear(&l->line);
        err = 0;
    }
    return err;
}

int syslog_lines_feed(struct syslog_lines *l, const char *bytes, size_t n, struct batch_out *out)
{
    int err = 0;

    while (n && !err) {
        const char *end = memchr(bytes, '\n', n);
        size_t len = end ? (size_t)(end - bytes) : n;

        err = hold_line(l, bytes, len);
        if (!err && end)
            err = end_line(l, out);
        bytes += len + (end != NULL);
        n -= len + (end != NULL);
    }
    return err;
}

int syslog_lines_end_file(struct syslog_lines *l, struct batch_out *out)
{
    return end_line(l, out);
}

/* ---- life ---- */

struct syslog_lines *syslog_lines_new(int64_t now_s)
{
    struct syslog_lines *l = calloc(1, sizeof(*l));

    if (!l)
        return NULL;
    l->now_s = now_s;
    l->line = BUF_INIT(LINE_MAX_BYTES);
    l->joins = syslog_joins_new();
    if (l->joins)
        return l;
    syslog_lines_free(l);
    return NULL;
}

void syslog_lines_free(struct syslog_lines *l)
{
    if (!l)
        return;
    buf_free(&l->line);
    syslog_joins_free(l->joins);
    free(l->seen);
    free(l->earlier);
    free(l);
}

uint64_t syslog_lines_left_out(const struct syslog_lines *l)
{
    return l->malformed + syslog_joins_left(l->joins);
}
