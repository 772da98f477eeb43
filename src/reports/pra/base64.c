/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base64.c - base64 of a report back into text; see base64.h.
 */
#include "reports/pra/base64.h"

#include "base/utf8.h"

#include <errno.h>

static int digit(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

int mended_text(struct buf *out, const char *bytes, size_t n)
{
    while (n) {
        uint32_t letter;
        char text[4];
        size_t used = utf8_letter(bytes, n, &letter);

        if (letter)
            (void)buf_append(out, text, utf8_encode(text, letter));
        bytes += used;
        n -= used;
    }
    return out->failed ? -ENOMEM : 0;
}

/* One group of two to four digits; the bytes in it. */
static size_t ungroup(const int digits[4], unsigned n, char bytes[3])
{
    unsigned long bits = 0;

    for (unsigned i = 0; i < 4; i++)
        bits = bits << 6 | (unsigned)(i < n ? digits[i] : 0);
    bytes[0] = (char)(bits >> 16 & 0xff);
    bytes[1] = (char)(bits >> 8 & 0xff);
    bytes[2] = (char)(bits & 0xff);
    return n - 1;
}

static int decode(struct buf *raw, const char *p)
{
    int digits[4];
    unsigned n = 0;
    char bytes[3];

    for (; *p && *p != '='; p++) {
        if (*p == ' ' || (*p >= '\t' && *p <= '\r'))
            continue;
        digits[n] = digit(*p);
        if (digits[n] < 0)
            return -EINVAL;
        if (++n == 4)
            (void)buf_append(raw, bytes, ungroup(digits, n, bytes)), n = 0;
    }
    if (n > 1 && *p == '=')
        (void)buf_append(raw, bytes, ungroup(digits, n, bytes));
    return raw->failed ? -ENOMEM : 0;
}

int base64_text(struct buf *out, const char *base64)
{
    struct buf raw = BUF_INIT(strlen(base64) + 4);
    int err = decode(&raw, base64);

    if (!err)
        err = mended_text(out, raw.data, raw.len);
    buf_free(&raw);
    return err;
}
