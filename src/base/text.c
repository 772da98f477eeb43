/* SPDX-License-Identifier: Apache-2.0 */
/*
 * text.c - small functions on strings; see text.h.
 */
#include "base/text.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

bool text_copy_n(char *to, size_t size, const char *from, size_t n)
{
    bool whole = n < size;
    size_t take = whole ? n : size - 1;

    memcpy(to, from, take);
    to[take] = '\0';
    return whole;
}

bool text_copy(char *to, size_t size, const char *from)
{
    return text_copy_n(to, size, from, strlen(from));
}

bool text_int(const char *text, int64_t min, int64_t max, int64_t *out)
{
    char *end = NULL;

    if (!isdigit((unsigned char)text[0]) && !(text[0] == '-' && isdigit((unsigned char)text[1])))
        return false;
    errno = 0;
    long long v = strtoll(text, &end, 10);
    if (errno || *end || v < min || v > max)
        return false;
    *out = v;
    return true;
}

bool text_equal_nocase(const char *a, const char *b)
{
    return strcasecmp(a, b) == 0;
}

bool text_equal_nocase_n(const char *a, size_t an, const char *b, size_t bn)
{
    return an == bn && strncasecmp(a, b, an) == 0;
}

bool text_only(const char *text, const char *allowed)
{
    return *text && text[strspn(text, allowed)] == '\0';
}

bool text_url_encode(char *out, size_t size, const char *text)
{
    static const char hex[] = "0123456789ABCDEF";
    size_t n = 0;

    for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
        bool plain = (*p < 0x80 && isalnum(*p)) || strchr("-._~", *p);
        if (n + (plain ? 1 : 3) >= size)
            return false;
        if (plain) {
            out[n++] = (char)*p;
            continue;
        }
        out[n++] = '%';
        out[n++] = hex[*p >> 4];
        out[n++] = hex[*p & 15];
    }
    if (n >= size)
        return false;
    out[n] = '\0';
    return true;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)tolower((unsigned char)c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool text_url_decode(char *text, bool plus)
{
    char *to = text;

    for (const char *p = text; *p; p++) {
        if (*p == '%') {
            int high = hex_digit(p[1]);
            int low = high < 0 ? -1 : hex_digit(p[2]);
            if (low < 0 || (high == 0 && low == 0))
                return false;
            *to++ = (char)(high * 16 + low);
            p += 2;
        } else {
            *to++ = plus && *p == '+' ? ' ' : *p;
        }
    }
    *to = '\0';
    return true;
}

unsigned text_distance(const char *a, const char *b)
{
    enum { MAX = 63 };
    unsigned row[MAX + 1];
    size_t an = strnlen(a, MAX), bn = strnlen(b, MAX);

    for (size_t j = 0; j <= bn; j++)
        row[j] = (unsigned)j;
    for (size_t i = 1; i <= an; i++) {
        unsigned diagonal = row[0];
        row[0] = (unsigned)i;
        for (size_t j = 1; j <= bn; j++) {
            unsigned replace = diagonal + (a[i - 1] != b[j - 1]);
            unsigned remove = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
            diagonal = row[j];
            row[j] = replace < remove ? replace : remove;
        }
    }
    return row[bn];
}

bool text_is_ip(const char *text)
{
    unsigned char address[16];
    char bare[64];
    size_t n = strlen(text);

    if (inet_pton(AF_INET, text, address) == 1)
        return true;
    if (n > 2 && text[0] == '[' && text[n - 1] == ']') {
        if (!text_copy_n(bare, sizeof(bare), text + 1, n - 2))
            return false;
        text = bare;
    }
    return inet_pton(AF_INET6, text, address) == 1;
}

char *text_digits(char *out, uint64_t value, unsigned width)
{
    char digits[20], *p = digits + sizeof(digits);

    do {
        *--p = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    size_t n = (size_t)(digits + sizeof(digits) - p);
    for (; width > n; width--)
        *out++ = '0';
    memcpy(out, p, n);
    return out + n;
}

#define EACH(byte) (UINT64_C(0x0101010101010101) * (byte))

/*
 * How many of eight bytes are before the first that is a control character, a quote, a backslash, or above
 * 0x7e. Each of these marks its highest bit; the first byte is the lowest. A borrow or carry may mark a
 * neighbour as well, but only one behind a byte that is special. Controls and the quote are those which, with
 * bit 1 turned over, are below 0x21.
 */
static size_t plain_of_eight(const char *p)
{
    uint64_t v;

    memcpy(&v, p, sizeof(v));
    v = le64toh(v);
    uint64_t turned = v ^ EACH(0x02), slash = v ^ EACH('\\');
    uint64_t marks =
        (((turned - EACH(0x21)) & ~turned) | ((slash - EACH(1)) & ~slash) | v | (v + EACH(1))) & EACH(0x80);

    return marks ? (size_t)__builtin_ctzll(marks) / 8 : 8;
}

/* Eight bytes at a time, the last of them together with some before; only a short text goes one by one. */
size_t text_plain_run(const char *p, size_t n)
{
    size_t i = 0, run;

    for (; n - i >= 8; i += 8) {
        run = plain_of_eight(p + i);
        if (run < 8)
            return i + run;
    }
    if (i)
        return i < n ? n - 8 + plain_of_eight(p + n - 8) : n;
    while (i < n && (unsigned char)p[i] >= 0x20 && (unsigned char)p[i] < 0x7f && p[i] != '"' && p[i] != '\\')
        i++;
    return i;
}

void text_hex(char *out, const void *bytes, size_t n)
{
    static const char hex[] = "0123456789abcdef";
    const unsigned char *p = bytes;

    for (size_t i = 0; i < n; i++) {
        out[2 * i] = hex[p[i] >> 4];
        out[2 * i + 1] = hex[p[i] & 15];
    }
    out[2 * n] = '\0';
}

bool text_unhex(void *out, size_t n, const char *hex)
{
    unsigned char *p = out;

    if (strlen(hex) != 2 * n)
        return false;
    for (size_t i = 0; i < n; i++) {
        int high = hex_digit(hex[2 * i]), low = hex_digit(hex[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        p[i] = (unsigned char)(high * 16 + low);
    }
    return true;
}
