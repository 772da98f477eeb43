/*
 * partial_answers.h - answers of find and endpoints in which a vault is missing: counted and logged, by
 * vault.
 *
 * One line of the log for the first such answer of a vault, then at most one a minute, with the number of
 * answers since the line before. The count has every answer.
 *
 * Not here: when a vault is missing (vault_fanout.c).
 */
#ifndef JG_BROKER_FIND_PARTIAL_ANSWERS_H
#define JG_BROKER_FIND_PARTIAL_ANSWERS_H

#include "base/fault.h"

#include <stddef.h>
#include <stdint.h>

struct partial_answers;

struct partial_answers *partial_answers_new(size_t nvaults); /* NULL = out of memory */
void partial_answers_free(struct partial_answers *);         /* NULL is fine */

/* An answer without the rows of a vault, by its place and name; `why` says what its call ended with. `now_ms`
 * is monotonic. */
void partial_answers_note(struct partial_answers *, size_t vault, const char *name, const struct fault *why,
                          uint64_t now_ms);
uint64_t partial_answers_count(const struct partial_answers *, size_t vault);

#endif
