/* SPDX-License-Identifier: Apache-2.0 */
/*
 * feed_cursor.c - the place behind a record as a text; see feed_internal.h.
 *
 * A cursor is hex of: form, dataset, seq, position, the first bytes of a digest over these and the database.
 * The digest finds what was cut, changed or is of elsewhere. It is no secret: a place is no right.
 */
#include "reports/query/feed_internal.h"

#include "base/digest.h"
#include "base/text.h"

#include <errno.h>
#include <string.h>

#define FORM     1
#define PLACE    18 /* bytes of form, dataset, seq and position */
#define CHECK    8  /* bytes of the digest */
#define CURSOR   (PLACE + CHECK)
#define DIGESTED (PLACE + 8)

static void put_number(unsigned char out[8], int64_t value)
{
    for (int i = 0; i < 8; i++)
        out[i] = (unsigned char)((uint64_t)value >> (56 - 8 * i));
}

static int64_t get_number(const unsigned char in[8])
{
    uint64_t value = 0;

    for (int i = 0; i < 8; i++)
        value = value << 8 | in[i];
    return (int64_t)value;
}

static int check_of(const unsigned char place[PLACE], int64_t of, unsigned char check[CHECK])
{
    unsigned char digested[DIGESTED], digest[DIGEST_SIZE];

    memcpy(digested, place, PLACE);
    put_number(digested + PLACE, of);
    if (digest_sha256(digested, sizeof(digested), digest))
        return -ENOMEM;
    memcpy(check, digest, CHECK);
    return 0;
}

int feed_cursor_write(enum feed_dataset dataset, int64_t of, const struct feed_place *place,
                      char out[FEED_CURSOR_SIZE])
{
    unsigned char bytes[CURSOR] = {FORM, (unsigned char)dataset};

    put_number(bytes + 2, place->seq);
    put_number(bytes + 10, place->position);
    if (check_of(bytes, of, bytes + PLACE))
        return -ENOMEM;
    text_hex(out, bytes, sizeof(bytes));
    return 0;
}

bool feed_cursor_form(const char *text)
{
    unsigned char bytes[CURSOR];

    return strlen(text) == 2 * sizeof(bytes) && text_unhex(bytes, sizeof(bytes), text);
}

int feed_cursor_read(enum feed_dataset dataset, int64_t of, const char *text, struct feed_place *place)
{
    unsigned char bytes[CURSOR], check[CHECK];

    if (!feed_cursor_form(text) || !text_unhex(bytes, sizeof(bytes), text))
        return -EINVAL;
    if (check_of(bytes, of, check))
        return -ENOMEM;
    *place = (struct feed_place){.seq = get_number(bytes + 2), .position = get_number(bytes + 10)};
    if (bytes[0] != FORM || bytes[1] != dataset || memcmp(check, bytes + PLACE, CHECK) != 0 ||
        place->seq < 0 || place->position < 0)
        return -EINVAL;
    return 0;
}
