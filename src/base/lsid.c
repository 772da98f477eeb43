/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lsid.c - the forms of a PRA session id; see lsid.h.
 */
#include "base/lsid.h"

#include <stddef.h>
#include <string.h>

#define DIGITS      32
#define DASHED_SIZE 36 /* 8-4-4-4-12 */

static bool is_dash_place(size_t at)
{
    return at == 8 || at == 13 || at == 18 || at == 23;
}

/* The digit in lower case; 0 = it is none. */
static char lower_hex(char c)
{
    if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))
        return c;
    return c >= 'A' && c <= 'F' ? (char)(c - 'A' + 'a') : '\0';
}

bool lsid_normal(const char *text, char out[LSID_SIZE])
{
    size_t n = text ? strnlen(text, LSID_TEXT_SIZE) : 0, digits = 0;

    if (n > 1 && text[0] == '{' && text[n - 1] == '}') {
        text++;
        n -= 2;
    }
    if (n != DIGITS && n != DASHED_SIZE)
        return false;
    for (size_t i = 0; i < n; i++) {
        char digit = lower_hex(text[i]);

        if (n == DASHED_SIZE && is_dash_place(i)) {
            if (text[i] != '-')
                return false;
        } else if (!digit) {
            return false;
        } else {
            out[digits++] = digit;
        }
    }
    out[digits] = '\0';
    return true;
}

bool lsid_same(const char *a, const char *b)
{
    char one[LSID_SIZE], other[LSID_SIZE];

    if (!lsid_normal(a, one) || !lsid_normal(b, other))
        return strcmp(a, b) == 0;
    return strcmp(one, other) == 0;
}
