/*
 * endpoint_rows.h - from all accounts of a user to the systems they are on: filtered, ranked, cut.
 */
#ifndef JG_BROKER_ENDPOINT_ROWS_H
#define JG_BROKER_ENDPOINT_ROWS_H

#include "broker/broker.h"
#include "broker/survey.h"

struct endpoint_wish {
    bool rdp, shell;
    const char *query; /* "" = all */
    bool recent;       /* keep the vault's order instead of ranking */
    size_t limit;      /* rows */
};

struct endpoint_rows {
    struct endpoint *row; /* names point into the survey's lists */
    size_t n;
    bool truncated;
    char (*comments)[32]; /* one per system */
};

/* 0 or -ENOMEM. */
int endpoint_rows_make(const struct survey *, const struct endpoint_wish *, struct endpoint_rows *);
void endpoint_rows_free(struct endpoint_rows *);

#endif
