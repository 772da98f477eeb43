/* SPDX-License-Identifier: Apache-2.0 */
/*
 * utf8.c - UTF-8 letter by letter, and the few kinds of letters that names must be judged by.
 *
 * The kinds are a table of ranges in the order of the letters; what is in no range is plain. Combining signs
 * that a script cannot be written without (vowels of Indic scripts, points of Hebrew and Arabic) are plain:
 * only the marks that a composed letter contains already are marks here.
 */
#include "base/utf8.h"

#include <stdbool.h>

struct range {
    uint32_t from, to;
    enum letter_kind kind;
};

static const struct range ranges[] = {
    {0x0000, 0x001f, LETTER_CONTROL}, {0x0020, 0x0020, LETTER_BLANK},    {0x007f, 0x009f, LETTER_CONTROL},
    {0x00a0, 0x00a0, LETTER_BLANK},   {0x00ad, 0x00ad, LETTER_HIDDEN},   {0x0300, 0x036f, LETTER_MARK},
    {0x0483, 0x0489, LETTER_MARK},    {0x061c, 0x061c, LETTER_HIDDEN},   {0x115f, 0x1160, LETTER_HIDDEN},
    {0x1161, 0x11ff, LETTER_MARK},    {0x1680, 0x1680, LETTER_BLANK},    {0x17b4, 0x17b5, LETTER_HIDDEN},
    {0x180b, 0x180f, LETTER_HIDDEN},  {0x1ab0, 0x1aff, LETTER_MARK},     {0x1dc0, 0x1dff, LETTER_MARK},
    {0x2000, 0x200a, LETTER_BLANK},   {0x200b, 0x200f, LETTER_HIDDEN},   {0x2028, 0x2029, LETTER_CONTROL},
    {0x202a, 0x202e, LETTER_HIDDEN},  {0x202f, 0x202f, LETTER_BLANK},    {0x205f, 0x205f, LETTER_BLANK},
    {0x2060, 0x206f, LETTER_HIDDEN},  {0x20d0, 0x20ff, LETTER_MARK},     {0x3000, 0x3000, LETTER_BLANK},
    {0x3099, 0x309a, LETTER_MARK},    {0x3164, 0x3164, LETTER_HIDDEN},   {0xfe00, 0xfe0f, LETTER_HIDDEN},
    {0xfe20, 0xfe2f, LETTER_MARK},    {0xfeff, 0xfeff, LETTER_HIDDEN},   {0xffa0, 0xffa0, LETTER_HIDDEN},
    {0xfff0, 0xfffb, LETTER_HIDDEN},  {0x1d173, 0x1d17a, LETTER_HIDDEN}, {0xe0000, 0xe0fff, LETTER_HIDDEN},
};

size_t utf8_decode(const char *text, size_t n, uint32_t *out)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    unsigned char lead = (unsigned char)text[0];
    size_t len = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    uint32_t c = lead & (0xffU >> (len + 1));

    if (lead < 0x80) {
        *out = lead;
        return 1;
    }
    if (lead < 0xc2 || lead > 0xf4 || n < len)
        return 0;
    for (size_t i = 1; i < len; i++) {
        if (((unsigned char)text[i] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | ((unsigned char)text[i] & 0x3f);
    }
    *out = c;
    return c >= least[len] && c <= 0x10ffff && (c < 0xd800 || c > 0xdfff) ? len : 0;
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

        while (at && ((unsigned char)text[at] & 0xc0) == 0x80)
            at--;
        if (!is_nothing(letter_kind_at(text + at, end - at, &len)) || at + len != end)
            break;
        end = at;
    }
    return n - end;
}
