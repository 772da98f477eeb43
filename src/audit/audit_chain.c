/* SPDX-License-Identifier: Apache-2.0 */
/*
 * audit_chain.c - one line of the audit trail, written and read; see audit_chain.h.
 *
 * Lines are read as strictly as they are written: the members in front have one order and one spelling,
 * so a line has exactly one form and no byte of it can change unseen. `check` detects
 * accidents. An attacker who computes it again is detected by `prev` of the next line; an attacker who writes
 * all later lines again, only by a copy kept elsewhere (docs/audit.md).
 */
#include "audit/audit_chain.h"

#include "base/clock.h"
#include "base/digest.h"
#include "base/json.h"
#include "base/text.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define CHECK_DIGITS 16
#define HASH_DIGITS  (AUDIT_HASH_SIZE - 1)
#define TIME_LETTERS (AUDIT_TIME_SIZE - 1)
#define HEX          "0123456789abcdef"

static int hash_hex(const char *bytes, size_t n, char out[AUDIT_HASH_SIZE])
{
    unsigned char digest[DIGEST_SIZE];
    int err = digest_sha256(bytes, n, digest);

    text_hex(out, digest, sizeof(digest));
    return err;
}

void audit_link_none(struct audit_link *link)
{
    *link = (struct audit_link){.seq = 0};
    memset(link->hash, '0', HASH_DIGITS);
}

/* ---- writing ---- */

int audit_line_write(struct buf *b, struct audit_link *at, int64_t wall_ms, const char *members, size_t n)
{
    size_t from = b->len, check_at = from + sizeof(AUDIT_START) - 1, rest_at = check_at + CHECK_DIGITS;
    char time[CLOCK_RFC3339_SIZE], hash[AUDIT_HASH_SIZE];

    if (n > AUDIT_LINE_MAX - 256)
        return -EMSGSIZE;
    int err = buf_printf(b, AUDIT_START "%016d\",\"seq\":%" PRIu64 ",\"time\":\"%s\",\"prev\":\"%s\",", 0,
                         at->seq + 1, clock_rfc3339_ms(wall_ms, time), at->hash);
    if (!err)
        err = buf_append(b, members, n);
    if (!err)
        err = buf_append(b, "}\n", 2);
    if (!err)
        err = hash_hex(b->data + rest_at, b->len - rest_at, hash);
    if (!err) {
        memcpy(b->data + check_at, hash, CHECK_DIGITS);
        err = hash_hex(b->data + from, b->len - from, hash);
    }
    if (err) {
        b->len = from; /* no half lines */
        b->failed = false;
        return err;
    }
    memcpy(at->hash, hash, sizeof(hash));
    at->seq++;
    return 0;
}

int audit_line_write_own(struct buf *b, struct audit_link *at, struct buf *object)
{
    int err = object->failed
                  ? -ENOMEM
                  : audit_line_write(b, at, clock_wall(&clock_system), object->data + 1, object->len - 2);
    buf_free(object);
    return err;
}

/* ---- reading ---- */

struct scan {
    const char *p;
    size_t left;
};

static bool take_text(struct scan *s, const char *text)
{
    size_t n = strlen(text);

    if (s->left < n || memcmp(s->p, text, n) != 0)
        return false;
    s->p += n;
    s->left -= n;
    return true;
}

/* n letters, all of them out of `allowed`. */
static bool take_letters(struct scan *s, size_t n, const char *allowed, char *out)
{
    if (s->left < n)
        return false;
    for (size_t i = 0; i < n; i++)
        if (!s->p[i] || !strchr(allowed, s->p[i]))
            return false;
    memcpy(out, s->p, n);
    out[n] = '\0';
    s->p += n;
    s->left -= n;
    return true;
}

static bool take_number(struct scan *s, uint64_t *out)
{
    size_t n = 0;

    *out = 0;
    for (; n < s->left && isdigit((unsigned char)s->p[n]); n++) {
        if (n == 19) /* more than any trail will have */
            return false;
        *out = *out * 10 + (uint64_t)(s->p[n] - '0');
    }
    if (n == 0 || s->p[0] == '0')
        return false;
    s->p += n;
    s->left -= n;
    return true;
}

static bool take_event(struct scan *s, char out[AUDIT_EVENT_SIZE])
{
    size_t n = 0;

    while (n < s->left && s->p[n] != '"')
        n++;
    return n > 0 && n < AUDIT_EVENT_SIZE && take_letters(s, n, "abcdefghijklmnopqrstuvwxyz_", out) &&
           take_text(s, "\"");
}

static bool take_front(struct scan *s, struct audit_line *out)
{
    return take_text(s, "\",\"seq\":") && take_number(s, &out->link.seq) && take_text(s, ",\"time\":\"") &&
           take_letters(s, TIME_LETTERS, "0123456789-:.TZ", out->time) && take_text(s, "\",\"prev\":\"") &&
           take_letters(s, HASH_DIGITS, HEX, out->prev) && take_text(s, "\",\"event\":\"") &&
           take_event(s, out->event);
}

/* What is wrong with it; NULL = nothing, or *err. */
static const char *line_fault(const char *line, size_t n, struct audit_line *out, int *err)
{
    struct scan s = {line, n};
    struct json_outcome read;
    char check[CHECK_DIGITS + 1], hash[AUDIT_HASH_SIZE];

    if (n == 0 || line[n - 1] != '\n')
        return "the line is cut off";
    if (n > AUDIT_LINE_MAX || !take_text(&s, AUDIT_START) || !take_letters(&s, CHECK_DIGITS, HEX, check))
        return "this is no audit line";
    *err = hash_hex(s.p, s.left, hash);
    if (*err)
        return NULL;
    if (memcmp(hash, check, CHECK_DIGITS) != 0)
        return "the line was changed";
    cJSON_Delete(json_read(line, n, 4, JSON_DUPLICATES_OK, &read));
    if (!take_front(&s, out) || (read.err && read.err != -ENOMEM))
        return "this is no audit line";
    *err = read.err ? read.err : hash_hex(line, n, out->link.hash);
    return NULL;
}

int audit_line_read(const char *line, size_t n, struct audit_line *out, const char **why)
{
    int err = 0;
    const char *fault = line_fault(line, n, out, &err);

    if (why)
        *why = fault;
    return fault ? -EINVAL : err;
}

/* ---- the head ---- */

#define HEAD_1 (20 + 1 + HASH_DIGITS + 1 + 20 + 1) /* of the first form, which has no second number */

size_t audit_head_length(void)
{
    return HEAD_1 + 1 + 20;
}

void audit_head_write(const struct audit_head *h, char out[AUDIT_HEAD_SIZE])
{
    char *to = text_digits(out, h->last.seq, 20);

    *to++ = ' ';
    memcpy(to, h->last.hash, HASH_DIGITS);
    to += HASH_DIGITS;
    *to++ = ' ';
    to = text_digits(to, h->first, 20);
    *to++ = ' ';
    memcpy(text_digits(to, h->last.seq, 20), "\n", 2);
}

static bool take_padded(struct scan *s, uint64_t *out)
{
    char digits[21];
    int64_t v;

    if (!take_letters(s, 20, "0123456789", digits) || !text_int(digits, 1, INT64_MAX, &v))
        return false;
    *out = (uint64_t)v;
    return true;
}

bool audit_head_read(const char *text, size_t n, struct audit_head *h)
{
    struct scan s = {text, n};
    uint64_t again = 0;

    if ((n != audit_head_length() && n != HEAD_1) || !take_padded(&s, &h->last.seq) || !take_text(&s, " ") ||
        !take_letters(&s, HASH_DIGITS, HEX, h->last.hash) || !take_text(&s, " ") ||
        !take_padded(&s, &h->first))
        return false;
    if (n != HEAD_1 && (!take_text(&s, " ") || !take_padded(&s, &again) || again != h->last.seq))
        return false;
    return take_text(&s, "\n") && h->first <= h->last.seq;
}
