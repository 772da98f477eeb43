/* SPDX-License-Identifier: Apache-2.0 */
/*
 * id.c - random names; see id.h. Five bits of a random byte make one letter.
 *
 * A call of the generator costs far more than the bytes it brings, so bytes for several ids are fetched at
 * once, one supply for each thread. A byte is used once, and wiped as it is used: an id cannot be read
 * from memory after it was given.
 */
#include "base/id.h"

#include <errno.h>
#include <openssl/rand.h>
#include <string.h>

#define SUPPLY (16 * (ID_SIZE - 1))

static _Thread_local struct {
    unsigned char bytes[SUPPLY];
    size_t left;
} supply;

static const char letters[] = "0123456789abcdefghjkmnpqrstvwxyz";

int id_new(char out[ID_SIZE])
{
    if (supply.left < ID_SIZE - 1) {
        if (RAND_bytes(supply.bytes, SUPPLY) != 1)
            return -EIO;
        supply.left = SUPPLY;
    }
    unsigned char *random = supply.bytes + supply.left - (ID_SIZE - 1);
    for (int i = 0; i < ID_SIZE - 1; i++)
        out[i] = letters[random[i] & 31];
    explicit_bzero(random, ID_SIZE - 1);
    supply.left -= ID_SIZE - 1;
    out[ID_SIZE - 1] = '\0';
    return 0;
}

int id_new_tagged(const char tag[ID_TAG_SIZE], char out[ID_SIZE])
{
    int err = id_new(out);

    if (!err)
        memcpy(out, tag, ID_TAG_SIZE - 1);
    return err;
}

bool id_tag(const char *id, char tag[ID_TAG_SIZE])
{
    if (strlen(id) != ID_SIZE - 1 || strspn(id, letters) != ID_SIZE - 1)
        return false;
    memcpy(tag, id, ID_TAG_SIZE - 1);
    tag[ID_TAG_SIZE - 1] = '\0';
    return true;
}
