/*
 * string_pool.h - many short texts that are freed together.
 *
 * A list of a thousand rows with eight texts each must not cost eight thousand allocations: the texts are
 * copied, one after the other, into chunks that are never moved and are freed together.
 */
#ifndef JG_BASE_STRING_POOL_H
#define JG_BASE_STRING_POOL_H

struct string_pool;

/* Replaces *text by a copy that lives as long as *all; NULL stays NULL. 0 or -ENOMEM. *all begins as NULL. */
int string_pool_keep(struct string_pool **all, const char **text);
void string_pool_free(struct string_pool *); /* NULL is fine */

#endif
