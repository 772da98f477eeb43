/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fold.c - lower case for all of UTF-8, one letter at a time.
 *
 * The C library knows the letters; it is asked in a locale of our own, so that the process stays in the plain
 * one. Without such a locale only ASCII, Latin-1, Greek and Cyrillic fold, by arithmetic. The final sigma
 * folds to the common one, since its upper case is the same. Letters that become several (the German sharp s)
 * stay single: a name is written the same way on both sides.
 *
 * Normal forms are not the same: a letter written as one sign and as two is two texts.
 */
#include "broker/fold.h"

#include "base/letters.h"

#include <locale.h>
#include <string.h>
#include <wchar.h>
#include <wctype.h>

static locale_t letters(void)
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

static uint32_t lower(uint32_t c)
{
    locale_t in = letters();
    uint32_t out = in ? (uint32_t)towlower_l((wint_t)c, in) : lower_plain(c);

    return out == 0x3c2 ? 0x3c3 : out;
}

/* Folds the letter at *at, which moves behind it; returns its bytes. */
static size_t next_letter(const char **at, const char *end, char out[4])
{
    unsigned char u = (unsigned char)**at;
    uint32_t c;
    size_t len = u < 0x80 ? 0 : letter_decode(*at, (size_t)(end - *at), &c);

    if (len) {
        *at += len;
        return letter_encode(out, lower(c));
    }
    ++*at;
    out[0] = (char)(u >= 'A' && u <= 'Z' ? u | 0x20 : u);
    return 1;
}

size_t fold_text(char *out, const char *text, size_t n)
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

bool fold_equal_n(const char *a, size_t an, const char *b, size_t bn)
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

bool fold_equal(const char *a, const char *b)
{
    return a && b && fold_equal_n(a, strlen(a), b, strlen(b));
}

void fold_sign(struct fold_signature *signature, const char *folded, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        uint32_t pair = (uint32_t)(unsigned char)folded[i - 1] << 8 | (unsigned char)folded[i];
        uint32_t bit = (pair * 0x9e3779b1U) >> 25; /* the upper seven bits */
        signature->bits[bit >> 6] |= (uint64_t)1 << (bit & 63);
    }
}
