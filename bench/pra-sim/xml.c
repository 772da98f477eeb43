/* SPDX-License-Identifier: Apache-2.0 */
/*
 * xml.c - an XML writer; see xml.h.
 */
#include "pra-sim/xml.h"

#include "base/text.h"

#include <string.h>

/* What XML 1.0 cannot hold, or gives a meaning, is not plain. Bytes of UTF-8 are. */
static const bool special[256] = {
    [0x01] = 1, [0x02] = 1, [0x03] = 1, [0x04] = 1, [0x05] = 1, [0x06] = 1, [0x07] = 1, [0x08] = 1,
    [0x0b] = 1, [0x0c] = 1, [0x0e] = 1, [0x0f] = 1, [0x10] = 1, [0x11] = 1, [0x12] = 1, [0x13] = 1,
    [0x14] = 1, [0x15] = 1, [0x16] = 1, [0x17] = 1, [0x18] = 1, [0x19] = 1, [0x1a] = 1, [0x1b] = 1,
    [0x1c] = 1, [0x1d] = 1, [0x1e] = 1, [0x1f] = 1, ['&'] = 1,  ['<'] = 1,  ['>'] = 1,  ['"'] = 1};

static void put_escaped(struct buf *b, const char *text)
{
    for (const char *p = text, *from = text;; p++) {
        if (*p && !special[(unsigned char)*p])
            continue;
        if (p > from)
            (void)buf_append(b, from, (size_t)(p - from));
        if (!*p)
            return;
        (void)buf_str(b, *p == '&'   ? "&amp;"
                         : *p == '<' ? "&lt;"
                         : *p == '>' ? "&gt;"
                         : *p == '"' ? "&quot;"
                                     : "\xef\xbf\xbd");
        from = p + 1;
    }
}

static void put_name(struct xml *x, const char *name)
{
    if (x->prefix) {
        (void)buf_str(x->buf, x->prefix);
        (void)buf_char(x->buf, ':');
    }
    (void)buf_str(x->buf, name);
}

/* A number's digits, in the caller's memory. */
static const char *digits_of(int64_t value, char out[24])
{
    char *p = out;

    if (value < 0)
        *p++ = '-';
    *text_digits(p, value < 0 ? 0 - (uint64_t)value : (uint64_t)value, 0) = '\0';
    return out;
}

static void end_tag(struct xml *x)
{
    if (x->in_tag)
        (void)buf_char(x->buf, '>');
    x->in_tag = false;
}

static void put_break(struct xml *x)
{
    if (x->indented && (x->depth || x->buf->len))
        (void)buf_printf(x->buf, "\n%*s", (int)x->depth * 2, "");
}

void xml_open(struct xml *x, const char *name)
{
    end_tag(x);
    put_break(x);
    (void)buf_char(x->buf, '<');
    put_name(x, name);
    if (x->depth == XML_DEPTH) {
        x->buf->failed = true;
        return;
    }
    if (x->depth == 0 && x->namespace)
        (void)buf_printf(x->buf, " xmlns%s%s=\"%s\"", x->prefix ? ":" : "", x->prefix ? x->prefix : "",
                         x->namespace);
    x->open[x->depth++] = name;
    x->in_tag = true;
    x->had_text = false;
}

void xml_attribute(struct xml *x, const char *name, const char *value)
{
    (void)buf_char(x->buf, ' ');
    (void)buf_str(x->buf, name);
    (void)buf_append(x->buf, "=\"", 2);
    put_escaped(x->buf, value);
    (void)buf_char(x->buf, '"');
}

void xml_attribute_int(struct xml *x, const char *name, int64_t value)
{
    char digits[24];

    xml_attribute(x, name, digits_of(value, digits));
}

void xml_text(struct xml *x, const char *text)
{
    end_tag(x);
    put_escaped(x->buf, text);
    x->had_text = true;
}

void xml_close(struct xml *x)
{
    const char *name;

    if (x->depth == 0) {
        x->buf->failed = true;
        return;
    }
    name = x->open[--x->depth];
    if (x->in_tag) {
        (void)buf_str(x->buf, "/>");
        x->in_tag = false;
    } else {
        if (!x->had_text)
            put_break(x);
        (void)buf_str(x->buf, "</");
        put_name(x, name);
        (void)buf_char(x->buf, '>');
    }
    x->had_text = false;
}

void xml_leaf(struct xml *x, const char *name, const char *text)
{
    xml_open(x, name);
    if (*text)
        xml_text(x, text);
    xml_close(x);
}

void xml_leaf_int(struct xml *x, const char *name, int64_t value)
{
    char digits[24];

    xml_leaf(x, name, digits_of(value, digits));
}
