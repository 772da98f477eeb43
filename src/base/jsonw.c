/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jsonw.c - writes JSON straight into a buffer; see jsonw.h.
 *
 * Strings are copied in runs: only what must be escaped is treated singly. A depth over JSONW_DEPTH is a
 * programming error and marks the buffer as failed.
 */
#include "base/jsonw.h"

#include "base/text.h"
#include "base/utf8.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

struct jsonw jsonw_start(struct buf *buf)
{
    struct jsonw w = {.buf = buf};

    w.first[0] = true;
    return w;
}

/* The comma, and the name if there is one. */
static void write_lead(struct jsonw *w, const char *name)
{
    bool comma = !w->first[w->depth];
    size_t n = name ? strlen(name) : 0, quotes = name ? strlen("\"\":") : 0;

    w->first[w->depth] = false;
    if (!comma && !name)
        return;
    char *to = buf_add(w->buf, comma + n + quotes);

    if (to && comma)
        *to++ = ',';
    if (!to || !name)
        return;
    *to++ = '"';
    memcpy(to, name, n);
    memcpy(to + n, "\":", 2);
}

static void open_container(struct jsonw *w, const char *name, char open, char close)
{
    write_lead(w, name);
    if (w->depth + 1 >= JSONW_DEPTH) {
        w->buf->failed = true;
        return;
    }
    (void)buf_char(w->buf, open);
    w->depth++;
    w->close[w->depth] = close;
    w->first[w->depth] = true;
}

void jsonw_object(struct jsonw *w, const char *name)
{
    open_container(w, name, '{', '}');
}

void jsonw_array(struct jsonw *w, const char *name)
{
    open_container(w, name, '[', ']');
}

void jsonw_end(struct jsonw *w)
{
    if (w->depth == 0) {
        w->buf->failed = true;
        return;
    }
    (void)buf_char(w->buf, w->close[w->depth]);
    w->depth--;
}

static void escape_ascii(struct buf *b, unsigned char c)
{
    static const char special[] = "\"\\\b\f\n\r\t", letter[] = "\"\\bfnrt";
    const char *at = c ? strchr(special, c) : NULL;

    if (at)
        (void)buf_append(b, (const char[]){'\\', letter[at - special]}, 2);
    else
        (void)buf_printf(b, "\\u%04x", c);
}

/* Copies one character of several bytes, escapes it where it would not be seen as what it is, or writes
 * U+FFFD for one bad byte. Returns bytes taken. */
static size_t put_wide(struct buf *b, const char *p, size_t left)
{
    uint32_t c;
    size_t taken = utf8_letter(p, left, &c);

    if (c == 0xfffd)
        (void)buf_str(b, "\xef\xbf\xbd");
    else if (!letter_is_hidden(c))
        (void)buf_append(b, p, taken);
    else if (c > 0xffff)
        (void)buf_printf(b, "\\u%04x\\u%04x", 0xd800 + ((c - 0x10000) >> 10), 0xdc00 + (c & 0x3ff));
    else
        (void)buf_printf(b, "\\u%04x", (unsigned)c);
    return taken;
}

void jsonw_escape(struct buf *b, const char *value, size_t len)
{
    const unsigned char *p = (const unsigned char *)value;
    const unsigned char *end = p + len;

    while (p < end) {
        size_t n = text_plain_run((const char *)p, (size_t)(end - p));
        (void)buf_append(b, p, n);
        p += n;
        if (p == end)
            return;
        if (*p >= 0x80) {
            p += put_wide(b, (const char *)p, (size_t)(end - p));
        } else {
            escape_ascii(b, *p);
            p++;
        }
    }
}

void jsonw_strn(struct jsonw *w, const char *name, const char *value, size_t len)
{
    write_lead(w, name);
    (void)buf_char(w->buf, '"');
    jsonw_escape(w->buf, value, len);
    (void)buf_char(w->buf, '"');
}

void jsonw_str(struct jsonw *w, const char *name, const char *value)
{
    if (value)
        jsonw_strn(w, name, value, strlen(value));
    else
        jsonw_null(w, name);
}

void jsonw_int(struct jsonw *w, const char *name, int64_t value)
{
    char text[24] = "-";
    bool minus = value < 0;
    char *end = text_digits(text + minus, minus ? 0 - (uint64_t)value : (uint64_t)value, 0);

    write_lead(w, name);
    (void)buf_append(w->buf, text, (size_t)(end - text));
}

void jsonw_double(struct jsonw *w, const char *name, double value)
{
    if (!isfinite(value)) {
        jsonw_null(w, name);
        return;
    }
    write_lead(w, name);
    char text[350];
    int n = snprintf(text, sizeof(text), "%.6f", value);
    while (n > 1 && text[n - 1] == '0')
        n--;
    if (n > 1 && text[n - 1] == '.')
        n--;
    (void)buf_append(w->buf, text, (size_t)n);
}

void jsonw_strs(struct jsonw *w, const char *name, const char *const *values, size_t n)
{
    jsonw_array(w, name);
    for (size_t i = 0; i < n; i++)
        jsonw_str(w, NULL, values[i]);
    jsonw_end(w);
}

void jsonw_bool(struct jsonw *w, const char *name, bool value)
{
    write_lead(w, name);
    (void)buf_str(w->buf, value ? "true" : "false");
}

void jsonw_null(struct jsonw *w, const char *name)
{
    write_lead(w, name);
    (void)buf_str(w->buf, "null");
}

void jsonw_raw(struct jsonw *w, const char *name, const char *json, size_t len)
{
    write_lead(w, name);
    (void)buf_append(w->buf, json, len);
}
