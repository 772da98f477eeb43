/* SPDX-License-Identifier: Apache-2.0 */
/*
 * utf8.c - UTF-8 letter by letter, and the few kinds of letters that names and logs are judged by; see
 * utf8.h.
 *
 * The kinds are a table of ranges in the order of the letters; what is in no range is plain. Combining signs
 * that a script cannot be written without (vowels of Indic scripts, points of Hebrew and Arabic) are plain:
 * only the marks that a composed letter contains already are marks here.
 *
 * Not here: the JSON escape of a letter (json.c, jsonw.c), letters without case (casefold.c).
 */
#include "base/utf8.h"

#include "base/buf.h"

#include <string.h>

#define GRAPHEME_JOINER 0x34fU /* combines as a mark does, and has no shape of its own */

struct range {
    uint32_t from, to;
    enum letter_kind kind;
};

static const struct range ranges[] = {
    {0x0000, 0x001f, LETTER_CONTROL},  {0x0020, 0x0020, LETTER_BLANK},    {0x007f, 0x009f, LETTER_CONTROL},
    {0x00a0, 0x00a0, LETTER_BLANK},    {0x00ad, 0x00ad, LETTER_HIDDEN},   {0x0300, 0x036f, LETTER_MARK},
    {0x0483, 0x0489, LETTER_MARK},     {0x061c, 0x061c, LETTER_HIDDEN},   {0x115f, 0x1160, LETTER_HIDDEN},
    {0x1161, 0x11ff, LETTER_MARK},     {0x1680, 0x1680, LETTER_BLANK},    {0x17b4, 0x17b5, LETTER_HIDDEN},
    {0x180b, 0x180f, LETTER_HIDDEN},   {0x1ab0, 0x1aff, LETTER_MARK},     {0x1dc0, 0x1dff, LETTER_MARK},
    {0x2000, 0x200a, LETTER_BLANK},    {0x200b, 0x200f, LETTER_HIDDEN},   {0x2028, 0x2029, LETTER_CONTROL},
    {0x202a, 0x202e, LETTER_HIDDEN},   {0x202f, 0x202f, LETTER_BLANK},    {0x205f, 0x205f, LETTER_BLANK},
    {0x2060, 0x206f, LETTER_HIDDEN},   {0x20d0, 0x20ff, LETTER_MARK},     {0x2800, 0x2800, LETTER_BLANK},
    {0x3000, 0x3000, LETTER_BLANK},    {0x3099, 0x309a, LETTER_MARK},     {0x3164, 0x3164, LETTER_HIDDEN},
    {0xfdd0, 0xfdef, LETTER_HIDDEN},   {0xfe00, 0xfe0f, LETTER_HIDDEN},   {0xfe20, 0xfe2f, LETTER_MARK},
    {0xfeff, 0xfeff, LETTER_HIDDEN},   {0xffa0, 0xffa0, LETTER_HIDDEN},   {0xfff0, 0xfffb, LETTER_HIDDEN},
    {0xfffe, 0xffff, LETTER_HIDDEN},   {0x13430, 0x1345f, LETTER_HIDDEN}, {0x16fe4, 0x16fe4, LETTER_HIDDEN},
    {0x1bca0, 0x1bca3, LETTER_HIDDEN}, {0x1d173, 0x1d17a, LETTER_HIDDEN}, {0xe0000, 0xe0fff, LETTER_HIDDEN},
};

/* May the second byte follow the first? Overlong forms, surrogates and what is beyond U+10FFFF end here. */
static bool second_follows(const unsigned char *p)
{
    return (p[1] & 0xc0) == 0x80 && !((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
                                      (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f));
}

static bool is_continuation(char c)
{
    return ((unsigned char)c & 0xc0) == 0x80;
}

size_t utf8_run(const char *text, size_t n, size_t *whole)
{
    const unsigned char *p = (const unsigned char *)text;
    size_t len = 1;

    *whole = p[0] < 0x80 ? 1 : p[0] < 0xc2 || p[0] > 0xf4 ? 0 : p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
    if (*whole < 2 || n < 2 || !second_follows(p))
        return 1;
    while (len < *whole && len < n && is_continuation(text[len]))
        len++;
    return len;
}

size_t utf8_decode(const char *text, size_t n, uint32_t *out)
{
    size_t whole, len = utf8_run(text, n, &whole);

    if (len != whole)
        return 0;
    uint32_t letter = (unsigned char)text[0] & (len == 1 ? 0x7fU : 0x7fU >> len);
    for (size_t i = 1; i < len; i++)
        letter = letter << 6 | ((unsigned char)text[i] & 0x3f);
    *out = letter;
    return len;
}

size_t utf8_letter(const char *text, size_t n, uint32_t *out)
{
    size_t len = utf8_decode(text, n, out);

    if (!len)
        *out = UTF8_REPLACEMENT;
    return len ? len : 1;
}

bool utf8_valid(const char *text, size_t n)
{
    size_t whole, len;

    for (; n; text += len, n -= len) {
        len = utf8_run(text, n, &whole);
        if (len != whole)
            return false;
    }
    return true;
}

size_t utf8_encode(char out[4], uint32_t letter)
{
    size_t len = letter < 0x80 ? 1 : letter < 0x800 ? 2 : letter < 0x10000 ? 3 : 4;
    static const unsigned char lead[] = {0, 0, 0xc0, 0xe0, 0xf0};

    for (size_t i = len; i-- > 1; letter >>= 6)
        out[i] = (char)(0x80 | (letter & 0x3f));
    out[0] = (char)(lead[len] | letter);
    return len;
}

size_t utf8_count(const char *text)
{
    size_t n = 0;

    for (; *text; text++)
        n += !is_continuation(*text);
    return n;
}

size_t utf8_fit(const char *text, size_t max)
{
    size_t n = text ? strnlen(text, max) : 0;

    if (n == max && text)
        while (n && is_continuation(text[n]))
            n--;
    return n;
}

void utf8_visible(struct buf *out, const char *text, size_t n)
{
    for (size_t len; n; text += len, n -= len) {
        uint32_t letter;

        len = utf8_letter(text, n, &letter);
        if (letter_is_hidden(letter))
            (void)buf_printf(out, letter > 0xffff ? "\\U%08x" : "\\u%04x", (unsigned)letter);
        else if (letter == UTF8_REPLACEMENT)
            (void)buf_str(out, "\xef\xbf\xbd");
        else
            (void)buf_append(out, text, len);
    }
}

enum letter_kind letter_kind(uint32_t letter)
{
    size_t low = 0, high = sizeof(ranges) / sizeof(ranges[0]);

    if (letter > 0x20 && letter < 0x7f)
        return LETTER_PLAIN;
    while (low < high) {
        size_t middle = (low + high) / 2;

        if (letter > ranges[middle].to)
            low = middle + 1;
        else
            high = middle;
    }
    return low < sizeof(ranges) / sizeof(ranges[0]) && letter >= ranges[low].from ? ranges[low].kind
                                                                                  : LETTER_PLAIN;
}

bool letter_is_hidden(uint32_t letter)
{
    enum letter_kind kind = letter_kind(letter);

    return kind == LETTER_CONTROL || kind == LETTER_HIDDEN || letter == GRAPHEME_JOINER;
}

enum letter_kind letter_kind_at(const char *text, size_t n, size_t *len)
{
    uint32_t letter;

    *len = utf8_decode(text, n, &letter);
    if (*len)
        return letter_kind(letter);
    *len = 1;
    return LETTER_CONTROL;
}

static bool is_nothing(enum letter_kind kind)
{
    return kind == LETTER_BLANK || kind == LETTER_HIDDEN;
}

size_t letters_blank_before(const char *text, size_t n)
{
    size_t at = 0, len;

    while (at < n && is_nothing(letter_kind_at(text + at, n - at, &len)))
        at += len;
    return at;
}

size_t letters_blank_behind(const char *text, size_t n)
{
    size_t end = n;

    while (end) {
        size_t at = end - 1, len;

        while (at && is_continuation(text[at]))
            at--;
        if (!is_nothing(letter_kind_at(text + at, end - at, &len)) || at + len != end)
            break;
        end = at;
    }
    return n - end;
}
