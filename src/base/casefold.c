/* SPDX-License-Identifier: Apache-2.0 */
/*
 * casefold.c - lower case for all of UTF-8, one letter at a time.
 *
 * The C library converts the letters, in a locale of this file's own, so that the process keeps the "C"
 * locale. Without that locale only ASCII, Latin-1, Greek and Cyrillic fold, by arithmetic. The final sigma
 * folds to the common one, since its upper case is the same. Letters that become several (the German sharp s)
 * stay single: a name is written the same way on both sides.
 *
 * A letter written as one sign and the same letter with its marks behind it fold to the same bytes, and
 * hidden letters (utf8.h) fold to nothing.
 */
#include "base/casefold.h"

#include "base/utf8.h"

#include <locale.h>
#include <string.h>
#include <wchar.h>
#include <wctype.h>

static locale_t letter_locale(void)
{
    static locale_t made;
    static bool tried;

    if (!tried) {
        tried = true;
        made = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    }
    return made;
}

static uint32_t lower_plain(uint32_t c)
{
    if ((c >= 0xc0 && c <= 0xde && c != 0xd7) || (c >= 0x391 && c <= 0x3a9) || (c >= 0x410 && c <= 0x42f))
        return c + 0x20;
    return c >= 0x400 && c <= 0x40f ? c + 0x50 : c;
}

static uint32_t lower_letter(uint32_t c)
{
    locale_t in = letter_locale();
    uint32_t out = in ? (uint32_t)towlower_l((wint_t)c, in) : lower_plain(c);

    return out == 0x3c2 ? 0x3c3 : out;
}

/*
 * What is behind the letter and belongs to it, up to *at: marks that join it are taken into it, hidden
 * letters are passed over.
 */
static uint32_t take_marks(const char **at, const char *end, uint32_t letter)
{
    while (*at < end && (unsigned char)**at >= 0x80) {
        uint32_t next, joined = 0;
        size_t len = utf8_decode(*at, (size_t)(end - *at), &next);
        enum letter_kind kind = len ? letter_kind(next) : LETTER_PLAIN;

        if (kind == LETTER_MARK)
            joined = casefold_join(letter, next);
        if (!joined && kind != LETTER_HIDDEN)
            break;
        letter = joined ? joined : letter;
        *at += len;
    }
    return letter;
}

/* Folds the letter at *at, which moves behind it; returns its bytes, 0 for hidden ones at the end. */
static size_t next_letter(const char **at, const char *end, char out[4])
{
    uint32_t c = 0;
    size_t len = 0;

    while (*at < end && (len = utf8_decode(*at, (size_t)(end - *at), &c)) && c >= 0x80 &&
           letter_kind(c) == LETTER_HIDDEN)
        *at += len;
    if (*at == end)
        return 0;
    *at += len ? len : 1;
    if (!len) {
        out[0] = (*at)[-1];
        return 1;
    }
    c = c < 0x80 ? c + (c >= 'A' && c <= 'Z' ? 0x20 : 0) : lower_letter(c);
    return utf8_encode(out, take_marks(at, end, c));
}

size_t casefold_text(char *out, const char *text, size_t n)
{
    const char *end = text + n;
    size_t used = 0;

    while (text < end) {
        char letter[4];
        size_t len = next_letter(&text, end, letter);
        memcpy(out + used, letter, len);
        used += len;
    }
    return used;
}

bool casefold_equal_n(const char *a, size_t an, const char *b, size_t bn)
{
    const char *a_end = a + an, *b_end = b + bn;

    while (a < a_end && b < b_end) {
        char x[4], y[4];
        size_t len = next_letter(&a, a_end, x);
        if (next_letter(&b, b_end, y) != len || memcmp(x, y, len) != 0)
            return false;
    }
    return a == a_end && b == b_end;
}

bool casefold_is_plain(const char *text)
{
    size_t n = strlen(text), len;

    for (size_t at = 0; at < n; at += len) {
        enum letter_kind kind = letter_kind_at(text + at, n - at, &len);

        if (kind == LETTER_MARK || kind == LETTER_HIDDEN)
            return false;
    }
    return true;
}

bool casefold_equal(const char *a, const char *b)
{
    return a && b && casefold_equal_n(a, strlen(a), b, strlen(b));
}

void casefold_sign(struct casefold_signature *signature, const char *folded, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        uint32_t pair = (uint32_t)(unsigned char)folded[i - 1] << 8 | (unsigned char)folded[i];
        uint32_t bit = (pair * 0x9e3779b1U) >> 25; /* the upper seven bits */
        signature->bits[bit >> 6] |= (uint64_t)1 << (bit & 63);
    }
}
