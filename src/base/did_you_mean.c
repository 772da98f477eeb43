/* SPDX-License-Identifier: Apache-2.0 */
/*
 * did_you_mean.c - "did you mean" by edit distance.
 *
 * Near enough is up to a third of the letters, at least two: `realease_duration` finds `release_duration`,
 * `ca` does not find `url`. A candidate that begins with the whole word (or the other way round) counts as
 * near as well, because a forgotten ending (`tls_cert`) is the most common slip of all.
 */
#include "base/did_you_mean.h"

#include "base/text.h"

#include <stdio.h>
#include <string.h>

#define PREFIX_MIN 3

static bool begins_with(const char *text, const char *with)
{
    size_t n = strlen(with);

    return n >= PREFIX_MIN && strncmp(text, with, n) == 0;
}

void did_you_mean_offer(struct did_you_mean *n, const char *candidate)
{
    unsigned distance = text_distance(n->word, candidate);
    bool prefix = begins_with(candidate, n->word) || begins_with(n->word, candidate);

    if (prefix && distance > 2)
        distance = 2;
    if (!n->best || distance < n->distance) {
        n->best = candidate;
        n->distance = distance;
    }
}

const char *did_you_mean(const struct did_you_mean *n)
{
    size_t letters = strlen(n->word);
    size_t limit = letters / 3 > 2 ? letters / 3 : 2;

    if (!n->best || n->distance > limit || n->distance >= letters)
        return NULL;
    return n->best;
}

const char *did_you_mean_hint(const struct did_you_mean *n, char *out, size_t size)
{
    const char *word = did_you_mean(n);

    if (!word)
        out[0] = '\0';
    else
        (void)snprintf(out, size, "; did you mean `%s`?", word);
    return out;
}
