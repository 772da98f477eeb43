/* SPDX-License-Identifier: Apache-2.0 */
/*
 * xml.c - an XML writer; see xml.h.
 */
#include "pra-sim/xml.h"

#include <stdio.h>
#include <string.h>

static void put_escaped(struct buf *b, const char *text)
{
    for (const char *p = text; *p;) {
        size_t n = strcspn(p, "&<>\"\x01\x02\x03\x04\x05\x06\x07\x08\x0b\x0c\x0e\x0f\x10\x11\x12\x13\x14\x15"
                              "\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f");
        (void)buf_append(b, p, n);
        p += n;
        if (!*p)
            return;
        (void)buf_str(b, *p == '&'   ? "&amp;"
                         : *p == '<' ? "&lt;"
                         : *p == '>' ? "&gt;"
                         : *p == '"' ? "&quot;"
                                     : "\xef\xbf\xbd");
        p++;
    }
}

static void put_name(struct xml *x, const char *name)
{
    if (x->prefix)
        (void)buf_printf(x->buf, "%s:", x->prefix);
    (void)buf_str(x->buf, name);
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
    (void)buf_printf(x->buf, " %s=\"", name);
    put_escaped(x->buf, value);
    (void)buf_char(x->buf, '"');
}

void xml_attribute_int(struct xml *x, const char *name, int64_t value)
{
    (void)buf_printf(x->buf, " %s=\"%lld\"", name, (long long)value);
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

    (void)snprintf(digits, sizeof(digits), "%lld", (long long)value);
    xml_leaf(x, name, digits);
}
