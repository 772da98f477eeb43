/* SPDX-License-Identifier: Apache-2.0 */
/*
 * id.c - random names; see id.h. Five bits of a random byte make one letter.
 */
#include "base/id.h"

#include <errno.h>
#include <openssl/rand.h>

int id_new(char out[ID_SIZE])
{
    static const char letters[] = "0123456789abcdefghjkmnpqrstvwxyz";
    unsigned char random[ID_SIZE - 1];

    if (RAND_bytes(random, (int)sizeof(random)) != 1)
        return -EIO;
    for (int i = 0; i < ID_SIZE - 1; i++)
        out[i] = letters[random[i] & 31];
    out[ID_SIZE - 1] = '\0';
    return 0;
}
