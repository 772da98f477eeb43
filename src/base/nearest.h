/*
 * nearest.h - "did you mean": the known word closest to one that was mistyped.
 *
 * Start with NEAREST(word), offer every candidate, ask once. A word too far from all of them has no nearest
 * one, since a wild guess misleads more than it helps.
 */
#ifndef JG_BASE_NEAREST_H
#define JG_BASE_NEAREST_H

#include <stddef.h>

struct nearest {
    const char *word;
    const char *best; /* the candidate's own pointer */
    unsigned distance;
};

#define NEAREST(mistyped) ((struct nearest){.word = (mistyped)})

void nearest_offer(struct nearest *, const char *candidate);
/* NULL when nothing is near enough. */
const char *nearest_word(const struct nearest *);
/* "; did you mean `WORD`?" or "". Returns `out`. */
const char *nearest_hint(const struct nearest *, char *out, size_t size);

#endif
