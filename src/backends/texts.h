/*
 * texts.h - many short texts that live and die together.
 *
 * A list of a thousand rows with eight texts each must not cost eight thousand allocations: the texts go, one
 * after the other, into chunks that are never moved and only freed together.
 */
#ifndef JG_BACKENDS_TEXTS_H
#define JG_BACKENDS_TEXTS_H

struct texts;

/* Replaces *text by a copy that lives as long as *all; NULL stays NULL. 0 or -ENOMEM. *all begins as NULL. */
int texts_keep(struct texts **all, const char **text);
void texts_free(struct texts *); /* NULL is fine */

#endif
