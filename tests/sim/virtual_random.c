/* SPDX-License-Identifier: Apache-2.0 */
/* virtual_random.c - see the header. */
#include "virtual_random.h"

#include "base/id.h"
#include "rng.h"

#include <openssl/rand.h>
#include <stdlib.h>

#define IDS_AT_ONCE 16 /* base/id.c fetches bytes for so many */

static struct {
    struct rng rng;
    unsigned calls;
} generator;

int RAND_bytes(unsigned char *to, int n)
{
    generator.calls++;
    for (int i = 0; i < n; i++)
        to[i] = (unsigned char)rng_next(&generator.rng);
    return 1;
}

static void take_id(void)
{
    char id[ID_SIZE];

    if (id_new(id))
        abort();
}

/* base/id.c keeps bytes from an earlier seed: they are used up first, and the first new ones after them. */
void virtual_random_seed(uint64_t seed)
{
    unsigned before = generator.calls;

    while (generator.calls == before)
        take_id();
    for (int i = 1; i < IDS_AT_ONCE; i++)
        take_id();
    generator.rng = (struct rng){seed};
}
