/*
 * did_you_mean.h - "did you mean": the known word closest to one that was mistyped.
 *
 * Start with DID_YOU_MEAN(word), offer every candidate, ask once. A word too far from all of them has no
 * nearest one, since a wild guess misleads more than it helps.
 */
#ifndef JG_BASE_DID_YOU_MEAN_H
#define JG_BASE_DID_YOU_MEAN_H

#include <stddef.h>

struct did_you_mean {
    const char *word;
    const char *best; /* the candidate's own pointer */
    unsigned distance;
};

#define DID_YOU_MEAN(mistyped) ((struct did_you_mean){.word = (mistyped)})

void did_you_mean_offer(struct did_you_mean *, const char *candidate);
/* NULL when nothing is near enough. */
const char *did_you_mean(const struct did_you_mean *);
/* "; did you mean `WORD`?" or "". Returns `out`. */
const char *did_you_mean_hint(const struct did_you_mean *, char *out, size_t size);

#endif
