/* SPDX-License-Identifier: Apache-2.0 */
/*
 * passwords.c - derived passwords; see passwords.h.
 */
#include "sim/passwords.h"

/* The first SAFE stand at either end. */
static const char plain_letters[] = "abcdefghjkmnpqrstuwxyzABCDEFGHJKMNP23456789-_.!#%\"\\&<>'+/;][{} \t";
static const char *const wide_letters[] = {"\xc3\xa9", "\xc3\x9f", "\xe2\x82\xac", "\xf0\x9d\x84\x9e"};
enum { SAFE = 40, PLAIN = sizeof(plain_letters) - 1, WIDE = sizeof(wide_letters) / sizeof(*wide_letters) };

uint64_t sim_mix(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

uint64_t sim_password_seed(uint64_t seed, uint64_t id, uint64_t version)
{
    uint64_t state = seed;

    state = sim_mix(&state) ^ id;
    return sim_mix(&state) ^ version;
}

int sim_password(uint64_t state, size_t length, struct buf *out)
{
    int rc = 0;

    for (size_t i = 0; i < length && !rc; i++) {
        bool at_end = i == 0 || i + 1 == length;
        size_t pick = sim_mix(&state) % (at_end ? SAFE : PLAIN + WIDE);
        rc = pick < PLAIN ? buf_char(out, plain_letters[pick]) : buf_str(out, wide_letters[pick - PLAIN]);
    }
    return rc;
}
