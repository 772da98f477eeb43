/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cursor.c - the position of a row as a text that is carried by the caller.
 *
 *     version 1 | per key: 'n', 'i' with 8 bytes, or 't' with 2 bytes of length and the text | digest
 *
 * as hex digits. The digest is the beginning of SHA-256 over the keys and what the position belongs to:
 * dataset, order, range and filters. So a cursor that was cut, changed or taken to another grid is refused.
 * It has no key in it: whoever makes one up names a place between rows that the filters let through.
 */
#include "base/digest.h"
#include "base/text.h"
#include "base/utf8.h"
#include "reports/query/query_internal.h"

#include <stdlib.h>

#define VERSION      1
#define DIGEST_BYTES 16
#define KEY_TEXT_MAX 1100 /* bytes: 256 letters and more */
#define BYTES_MAX    (1 + KEYS_MAX * (3 + KEY_TEXT_MAX) + DIGEST_BYTES)
#define BOUND_MAX    (512 * 1024)

/* ---- what a cursor belongs to ---- */

static void bind_text(struct buf *b, char tag, const char *text)
{
    size_t len = text ? strlen(text) : 0;

    (void)buf_printf(b, "%c%zu:", tag, len);
    (void)buf_append(b, text, len);
}

static void bind_list(struct buf *b, char tag, const struct text_list *list)
{
    for (size_t i = 0; i < list->n; i++)
        bind_text(b, tag, list->texts[i]);
    if (list->empty)
        bind_text(b, tag, "");
}

static void bind_query(struct buf *b, const struct query *q)
{
    bind_text(b, 'd', q->dataset->name);
    bind_text(b, q->descending ? '-' : '+', q->sort->name);
    if (q->range == RANGE_CUSTOM)
        (void)buf_printf(b, "c%lld,", (long long)q->from);
    else
        bind_text(b, 'r', range_words[q->range]);
    if (q->to_text)
        (void)buf_printf(b, "t%lld,", (long long)q->to);
    bind_list(b, 's', &q->site);
    bind_list(b, 'g', &q->group);
    bind_list(b, 'u', &q->user);
    bind_list(b, 'e', &q->endpoint);
    for (size_t i = 0; i < q->nfilters; i++) {
        bind_text(b, 'f', q->filters[i].column->name);
        bind_text(b, '=', q->filters[i].written);
    }
}

/* False when memory runs out. */
static bool digest_of(const struct query *q, const void *bytes, size_t n, unsigned char digest[DIGEST_SIZE])
{
    struct buf bound = BUF_INIT(BOUND_MAX);

    (void)buf_append(&bound, bytes, n);
    bind_query(&bound, q);
    bool done = !bound.failed && digest_sha256(bound.data, bound.len, digest) == 0;
    buf_free(&bound);
    return done;
}

/* ---- writing ---- */

static size_t write_key(const struct cursor_key *key, unsigned char *to)
{
    size_t n = 0, len;

    if (key->null) {
        to[n++] = 'n';
    } else if (!key->is_text) {
        to[n++] = 'i';
        for (int shift = 56; shift >= 0; shift -= 8)
            to[n++] = (unsigned char)((uint64_t)key->number >> shift);
    } else {
        len = utf8_fit(key->text, KEY_TEXT_MAX);
        to[n++] = 't';
        to[n++] = (unsigned char)(len >> 8);
        to[n++] = (unsigned char)len;
        memcpy(to + n, key->text, len);
        n += len;
    }
    return n;
}

int cursor_write(const struct query *q, const struct cursor *at, struct buf *out)
{
    unsigned char bytes[BYTES_MAX], digest[DIGEST_SIZE];
    size_t n = 0;

    bytes[n++] = VERSION;
    for (size_t i = 0; i < at->n; i++)
        n += write_key(&at->keys[i], bytes + n);
    if (!digest_of(q, bytes, n, digest))
        return -1;
    memcpy(bytes + n, digest, DIGEST_BYTES);
    n += DIGEST_BYTES;
    char *hex = malloc(2 * n + 1);
    if (!hex)
        return -1;
    text_hex(hex, bytes, n);
    int err = buf_append(out, hex, 2 * n);
    free(hex);
    return err;
}

/* ---- reading ---- */

struct reading {
    const unsigned char *at;
    size_t left;
};

static const unsigned char *take(struct reading *r, size_t n)
{
    const unsigned char *bytes = r->at;

    if (n > r->left)
        return NULL;
    r->at += n;
    r->left -= n;
    return bytes;
}

static bool read_number(struct reading *r, struct cursor_key *key)
{
    const unsigned char *p = take(r, 8);
    uint64_t number = 0;

    for (int i = 0; p && i < 8; i++)
        number = number << 8 | p[i];
    key->number = (int64_t)number;
    return p;
}

static bool read_text(struct reading *r, struct cursor_key *key, struct record_arena *arena)
{
    const unsigned char *p = take(r, 2);
    size_t len = p ? (size_t)p[0] << 8 | p[1] : 0;
    const char *text = p ? (const char *)take(r, len) : NULL;

    if (!text || memchr(text, 0, len) || !utf8_valid(text, len))
        return false;
    key->text = record_text(arena, text, len);
    return key->text;
}

static bool read_key(struct reading *r, const struct dataset_key *of, bool may_be_null,
                     struct cursor_key *key, struct record_arena *arena)
{
    const unsigned char *tag = take(r, 1);

    *key = (struct cursor_key){.is_text = of->text};
    if (tag && *tag == 'n') {
        key->null = true;
        return may_be_null;
    }
    if (!tag || *tag != (of->text ? 't' : 'i'))
        return false;
    return of->text ? read_text(r, key, arena) : read_number(r, key);
}

bool cursor_read(struct query *q, const char *text, struct cursor *at)
{
    unsigned char bytes[BYTES_MAX], digest[DIGEST_SIZE];
    struct dataset_key keys[KEYS_MAX];
    size_t n = strlen(text) / 2;

    if (n < 1 + DIGEST_BYTES || n > sizeof(bytes) || !text_unhex(bytes, n, text))
        return false;
    n -= DIGEST_BYTES;
    if (bytes[0] != VERSION || !digest_of(q, bytes, n, digest) ||
        memcmp(digest, bytes + n, DIGEST_BYTES) != 0)
        return false;
    struct reading r = {bytes + 1, n - 1};
    at->n = scan_keys(q, keys);
    for (size_t i = 0; i < at->n; i++)
        if (!read_key(&r, &keys[i], i == 0 && !(q->sort->flags & COL_FULL), &at->keys[i], &q->texts))
            return false;
    return r.left == 0;
}
