/*
 * find_rows.h - from the lists of a fan-out to the credentials of an answer: merged, once each, in order.
 */
#ifndef JG_BROKER_FIND_FIND_ROWS_H
#define JG_BROKER_FIND_FIND_ROWS_H

#include "broker/broker.h"
#include "broker/find/vault_fanout.h"

struct find_rows {
    struct credential *row;         /* accounts point into the fan-out's lists */
    const struct fanout_vault **of; /* whose row it is */
    size_t n;
    char *string_pool;                       /* display values */
    struct catalogue_cache *catalogue_cache; /* NULL = no directory is known */
    /* rows left out, and why: */
    size_t twice;     /* came back for several questions */
    size_t hidden;    /* by the operator's patterns */
    size_t elsewhere; /* aliases of other endpoints */
    size_t capped;    /* over credential_limit */
};

/* 0 or -ENOMEM. */
int find_rows_make(const struct vault_fanout *, const struct session *, struct catalogue_cache *,
                   struct find_rows *);
void find_rows_free(struct find_rows *);

#endif
