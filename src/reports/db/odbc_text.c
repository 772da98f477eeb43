/* SPDX-License-Identifier: Apache-2.0 */
/*
 * odbc_text.c - texts between UTF-8 and the UTF-16 of ODBC; see odbc_internal.h.
 */
#include "base/utf8.h"
#include "reports/db/odbc_internal.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_ROOM     256
#define UTF8_MAX_BYTES 3 /* of one unit of UTF-16; a pair of them is 4 */

bool wide_reserve(struct wide *w, size_t more)
{
    if (more <= w->room - w->n)
        return true;
    size_t room = w->room ? w->room : FIRST_ROOM;
    while (room - w->n < more)
        room *= 2;
    SQLWCHAR *units = calloc(room, sizeof(*units));
    if (!units)
        return false;
    if (w->n)
        memcpy(units, w->units, w->n * sizeof(*units));
    free(w->units);
    w->units = units;
    w->room = room;
    return true;
}

bool wide_append(struct wide *w, const char *text, size_t len)
{
    if (!wide_reserve(w, len + 1)) /* a letter has at least as many bytes as units */
        return false;
    SQLWCHAR *to = w->units + w->n;
    for (size_t at = 0; at < len;) {
        unsigned char c = (unsigned char)text[at];
        uint32_t letter = c;
        size_t bytes = c < 0x80 ? 1 : utf8_letter(text + at, len - at, &letter);

        if (letter > 0xffff) {
            letter -= 0x10000;
            *to++ = (SQLWCHAR)(0xd800 + (letter >> 10));
            letter = 0xdc00 + (letter & 0x3ff);
        }
        *to++ = (SQLWCHAR)letter;
        at += bytes;
    }
    w->n = (size_t)(to - w->units);
    return true;
}

void wide_free(struct wide *w)
{
    if (w->units)
        explicit_bzero(w->units, w->room * sizeof(*w->units));
    free(w->units);
    *w = (struct wide){.units = NULL};
}

static bool narrow_reserve(struct narrow *b, size_t more)
{
    if (more <= b->room - b->n)
        return true;
    size_t room = b->room ? b->room : FIRST_ROOM;
    while (room - b->n < more)
        room *= 2;
    char *bytes = realloc(b->bytes, room);
    if (!bytes)
        return false;
    b->bytes = bytes;
    b->room = room;
    return true;
}

bool narrow_append(struct narrow *b, const SQLWCHAR *units, size_t n)
{
    if (!narrow_reserve(b, n * UTF8_MAX_BYTES + 1))
        return false;
    char *to = b->bytes + b->n;
    for (size_t at = 0; at < n; at++) {
        uint32_t letter = units[at];

        if (letter < 0x80) {
            *to++ = (char)letter;
            continue;
        }
        if (letter >= 0xd800 && letter < 0xdc00 && at + 1 < n && (units[at + 1] & 0xfc00) == 0xdc00)
            letter = 0x10000 + ((letter & 0x3ff) << 10) + (units[++at] & 0x3ffU);
        else if (letter >= 0xd800 && letter < 0xe000)
            letter = UTF8_REPLACEMENT;
        to += utf8_encode(to, letter);
    }
    *to++ = 0;
    b->n = (size_t)(to - b->bytes);
    return true;
}
