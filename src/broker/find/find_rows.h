/*
 * find_rows.h - makes the credentials of an answer of the lists of a fan-out: merged, once each, in order.
 */
#ifndef JG_BROKER_FIND_FIND_ROWS_H
#define JG_BROKER_FIND_FIND_ROWS_H

#include "broker/broker.h"
#include "broker/find/vault_fanout.h"

struct find_rows {
    struct credential *row;             /* accounts point into the fan-out's lists */
    const struct fanout_vault **target; /* the vault of each row */
    size_t n;
    char *displays;                          /* display values */
    struct catalogue_cache *catalogue_cache; /* knows the directories; NULL = there are none */
    /* rows left out, and why: */
    size_t twice;     /* returned for several queries */
    size_t hidden;    /* by `hide` */
    size_t elsewhere; /* aliases of other endpoints */
    size_t capped;    /* over credential_limit */
};

/* 0 or -ENOMEM. */
int find_rows_make(const struct vault_fanout *, const struct session *, struct catalogue_cache *,
                   struct find_rows *);
void find_rows_free(struct find_rows *);

#endif
