/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wire.c - dates and string dialects; see wire.h.
 */
#include "passwordsafe-sim/wire.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

const char *wire_date(int64_t wall_ms, char out[WIRE_DATE])
{
    time_t seconds = (time_t)(wall_ms / 1000);
    unsigned ms = (unsigned)(wall_ms % 1000);
    struct tm tm;
    size_t n = 0;

    out[0] = '\0';
    if (gmtime_r(&seconds, &tm))
        n = strftime(out, WIRE_DATE, "%Y-%m-%dT%H:%M:%S", &tm);
    if (!n || ms == 0)
        return out;
    n += (size_t)snprintf(out + n, WIRE_DATE - n, ".%03u", ms % 1000);
    while (out[n - 1] == '0')
        out[--n] = '\0';
    return out;
}

void wire_put_date(struct jsonw *w, const char *name, int64_t wall_ms)
{
    char text[WIRE_DATE];

    if (wall_ms)
        jsonw_str(w, name, wire_date(wall_ms, text));
    else
        jsonw_null(w, name);
}

void wire_put_id(struct jsonw *w, const char *name, int id)
{
    if (id)
        jsonw_int(w, name, id);
    else
        jsonw_null(w, name);
}

/* ---- the other dialect ---- */

/* Code point of the well-formed sequence at p; *len its bytes. */
static unsigned code_point(const unsigned char *p, size_t left, size_t *len)
{
    unsigned lead = p[0];
    size_t n = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;
    unsigned c = n == 4 ? lead & 7u : n == 3 ? lead & 15u : n == 2 ? lead & 31u : lead;

    if (n > left)
        n = left;
    for (size_t i = 1; i < n; i++)
        c = c << 6 | (p[i] & 63u);
    *len = n;
    return c;
}

static void put_escaped(struct buf *out, unsigned c)
{
    if (c >= 0x10000) {
        (void)buf_printf(out, "\\u%04X", 0xd800 + ((c - 0x10000) >> 10));
        (void)buf_printf(out, "\\u%04X", 0xdc00 + ((c - 0x10000) & 0x3ff));
    } else {
        (void)buf_printf(out, "\\u%04X", c);
    }
}

/* An escape pair of the first dialect. Returns the bytes taken. */
static size_t put_pair(struct buf *out, const char *p, size_t left)
{
    if (left < 2)
        return 1;
    if (p[1] == '"') {
        (void)buf_str(out, "\\u0022");
        return 2;
    }
    if (p[1] == 'u' && left >= 6) {
        char upper[7] = {0};
        for (int i = 0; i < 6; i++)
            upper[i] = (char)(i > 1 && p[i] >= 'a' && p[i] <= 'f' ? p[i] - 32 : p[i]);
        (void)buf_append(out, upper, 6);
        return 6;
    }
    (void)buf_append(out, p, 2);
    return 2;
}

int wire_transcode(struct buf *json)
{
    struct buf out = BUF_INIT(json->max * 6 + 16);
    size_t i = 0, taken;

    while (i < json->len) {
        unsigned char c = (unsigned char)json->data[i];
        if (c == '\\') {
            i += put_pair(&out, json->data + i, json->len - i);
        } else if (c >= 0x7f || strchr("&<>'+`", c)) {
            unsigned point = code_point((const unsigned char *)json->data + i, json->len - i, &taken);
            put_escaped(&out, point);
            i += taken;
        } else {
            (void)buf_char(&out, (char)c);
            i++;
        }
    }
    if (out.failed) {
        buf_free(&out);
        return -ENOMEM;
    }
    buf_move(json, &out);
    return 0;
}
