/*
 * store_rows.h - copies of rows and steps. A row's texts belong to whoever gave the row; a copy has them
 * behind it, in one allocation.
 */
#ifndef JG_STORES_STORE_ROWS_H
#define JG_STORES_STORE_ROWS_H

#include "stores/store.h"

/* The addresses of all texts in a step, so that they can be read and replaced. */
#define ROW_TEXTS_MAX 27
struct row_texts {
    const char **at[ROW_TEXTS_MAX];
    size_t n;
};

/* Those of its rows: the cursor alone, or request and lease, which may lack texts where it is no insertion.
 */
void store_step_texts(struct store_step *, struct row_texts *);

/* Bytes of all texts with their NULs. NULL counts as "". */
size_t row_texts_size(const struct row_texts *);
/* Copies the texts to `to`, and lets the step point to the copies. */
void row_texts_move(const struct row_texts *, char *to);

/* free() the copy. NULL = out of memory. */
struct request_row *request_row_copy(const struct request_row *);
struct lease_row *lease_row_copy(const struct lease_row *);

#endif
