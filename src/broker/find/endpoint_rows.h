/*
 * endpoint_rows.h - makes the endpoints of an answer of the catalogues of a fan-out: searched, merged, cut.
 */
#ifndef JG_BROKER_FIND_ENDPOINT_ROWS_H
#define JG_BROKER_FIND_ENDPOINT_ROWS_H

#include "broker/broker.h"
#include "broker/find/vault_fanout.h"

struct endpoint_filter {
    bool rdp, shell;
    const char *query;   /* "" = all */
    bool recent;         /* keep the vault's order instead of ranking */
    size_t limit;        /* rows */
    const char *network; /* network of the session, NULL = none; for vaults with restrict_network */
    struct catalogue_cache *catalogue_cache; /* knows the directories; NULL = there are none */
};

struct endpoint_rows {
    struct endpoint *row;
    size_t n;
    bool truncated;
    size_t searched; /* systems looked through */
    size_t systems;  /* of these, in the rows */
    /* what the rows point into */
    struct catalogue **catalogue; /* one per vault, NULL = none */
    size_t nvaults;
    char *comments; /* COMMENT_SIZE bytes for each system */
};

/* 0 or -ENOMEM. */
int endpoint_rows_make(const struct vault_fanout *, const struct endpoint_filter *, struct endpoint_rows *);
void endpoint_rows_free(struct endpoint_rows *);

#endif
