/* SPDX-License-Identifier: Apache-2.0 */
/*
 * buf_printf.c - text by a format, straight into a buffer.
 *
 * What the hot paths write are words and whole numbers: s, c, d, i, u and x, with the lengths h, l, ll, z and
 * j, a precision for s, and a width with leading zeros for numbers. These are copied and counted out here. A
 * format with anything else in it (blanks to a width, doubles, pointers) is handed to vsnprintf() as a whole,
 * so there is nothing that printf() can do and this cannot.
 *
 * Invariant: a failed write leaves the contents as they were, and nothing behind them.
 */
#include "base/buf.h"
#include "base/memory/secret.h"
#include "base/text.h"

#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define OTHER 1 /* a conversion for vsnprintf() */

#define WIDTH_MAX 20

/* One conversion, behind its percent sign. */
struct spec {
    const char *end; /* behind the letter */
    unsigned width;  /* of leading zeros */
    int precision;   /* -1 = none */
    const char *length;
    char letter;
};

static unsigned take_number(const char **p)
{
    unsigned n = 0;

    for (; isdigit((unsigned char)**p) && n < 100000; (*p)++)
        n = n * 10 + (unsigned)(**p - '0');
    return n;
}

/* False = not one of ours. */
static bool read_spec(const char *p, struct spec *s, va_list *ap)
{
    *s = (struct spec){.precision = -1};
    if (*p == '0')
        s->width = take_number(&p);
    if (*p == '.' && p[1] == '*') {
        s->precision = va_arg(*ap, int);
        p += 2;
    } else if (*p == '.') {
        p++;
        s->precision = (int)take_number(&p);
    }
    s->length = p;
    p += strspn(p, "hlzj");
    s->letter = *p;
    s->end = p + 1;
    if (s->letter == 's' || s->letter == 'c')
        return s->length == p && !s->width && (s->letter == 's' || s->precision < 0);
    return s->letter && strchr("diux", s->letter) && s->width <= WIDTH_MAX && s->precision < 0;
}

/* The next number; a negative one comes as its bits. */
static uint64_t next_number(const struct spec *s, bool has_sign, va_list *ap)
{
    switch (s->length[0]) {
    case 'z': return va_arg(*ap, size_t);
    case 'j': return va_arg(*ap, uintmax_t);
    case 'l':
        if (s->length[1] == 'l')
            return va_arg(*ap, unsigned long long);
        return has_sign ? (uint64_t)(int64_t)va_arg(*ap, long) : va_arg(*ap, unsigned long);
    default: return has_sign ? (uint64_t)(int64_t)va_arg(*ap, int) : va_arg(*ap, unsigned);
    }
}

static int put_hex(struct buf *b, uint64_t v, unsigned width)
{
    char digits[WIDTH_MAX], *p = digits + sizeof(digits);

    do {
        *--p = "0123456789abcdef"[v & 15];
        v >>= 4;
    } while (v);
    while (digits + sizeof(digits) - p < (ptrdiff_t)width)
        *--p = '0';
    return buf_append(b, p, (size_t)(digits + sizeof(digits) - p));
}

static int put_number(struct buf *b, const struct spec *s, va_list *ap)
{
    char text[1 + WIDTH_MAX] = "-";
    bool has_sign = s->letter == 'd' || s->letter == 'i';
    uint64_t v = next_number(s, has_sign, ap);

    if (s->letter == 'x')
        return put_hex(b, v, s->width);
    bool minus = has_sign && v >> 63;
    char *end = text_digits(text + minus, minus ? 0 - v : v, s->width > minus ? s->width - minus : 0);

    return buf_append(b, text, (size_t)(end - text));
}

static int put_text(struct buf *b, const struct spec *s, va_list *ap)
{
    const char *text = va_arg(*ap, const char *);

    if (!text)
        text = "(null)";
    return buf_append(b, text, s->precision < 0 ? strlen(text) : strnlen(text, (size_t)s->precision));
}

/* 0, -errno, or OTHER at the first conversion that is not ours. */
static int put_plain(struct buf *b, const char *fmt, va_list *ap)
{
    struct spec s;
    int err = 0;

    for (const char *percent; !err && (percent = strchr(fmt, '%')); fmt = s.end) {
        err = buf_append(b, fmt, (size_t)(percent - fmt));
        if (err)
            return err;
        if (!read_spec(percent + 1, &s, ap))
            return OTHER;
        if (s.letter == 's')
            err = put_text(b, &s, ap);
        else if (s.letter == 'c')
            err = buf_char(b, (char)va_arg(*ap, int));
        else
            err = put_number(b, &s, ap);
    }
    return err ? err : buf_str(b, fmt);
}

__attribute__((format(printf, 2, 0))) static int put_any(struct buf *b, const char *fmt, va_list ap)
{
    va_list again;

    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, again);
    va_end(again);
    int err = n < 0 ? -EINVAL : buf_reserve(b, (size_t)n);
    if (!err && vsnprintf(b->data + b->len, (size_t)n + 1, fmt, ap) != n)
        err = -EINVAL;
    if (!err)
        b->len += (size_t)n;
    b->failed |= err != 0;
    return err;
}

int buf_vprintf(struct buf *b, const char *fmt, va_list ap)
{
    size_t from = b->len;
    va_list again;

    va_copy(again, ap);
    int err = put_plain(b, fmt, &again);
    va_end(again);
    if (!err)
        return 0;
    if (b->len > from) {
        wipe(b->data + from, b->len - from);
        b->len = from;
    }
    return err == OTHER ? put_any(b, fmt, ap) : err;
}

int buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    int err = buf_vprintf(b, fmt, ap);
    va_end(ap);
    return err;
}
