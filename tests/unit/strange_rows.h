/*
 * strange_rows.h - rows in etcd as a newer gateway writes them: with a member that this version does not
 * know.
 *
 * strange_rows_make() adds one to every row that is there, another one each time; strange_rows_check() fails
 * where one of those rows, under whatever key it is by now, has lost it.
 */
#ifndef JG_TESTS_STRANGE_ROWS_H
#define JG_TESTS_STRANGE_ROWS_H

#include "store_contract.h"

#define STRANGE_ROWS_MAX 32

struct strange_rows {
    const char *prefix;
    /* One POST to etcd: the JSON of its answer, to be freed. */
    char *(*ask)(void *arg, const char *path, const char *body);
    void *arg;

    char ids[STRANGE_ROWS_MAX][40], text[96];
    unsigned n;
};

void strange_rows_make(struct strange_rows *);
/* How many of those rows are there still. */
unsigned strange_rows_check(const struct strange_rows *);
/* The store reads all rows. */
void strange_rows_read(struct store *, void (*go_on)(void *arg), void *arg);

#endif
