/*
 * catalogue.h - the systems on which one user may request an account, ready to be searched.
 *
 * A catalogue is made once from the user's own lists of accounts, joined with the system index; it never
 * changes afterwards and is shared by count. A row is 32 bytes and a pointer to a system entry, which
 * catalogues share. What a user may request is what the lists said when they were read.
 *
 * Not here: vault calls (catalogue_cache.h).
 */
#ifndef JG_BROKER_CATALOGUE_CATALOGUE_H
#define JG_BROKER_CATALOGUE_CATALOGUE_H

#include "broker/catalogue/directory.h"
#include "broker/catalogue/system_entry.h"

struct catalogue_row {
    struct casefold_signature
        signature; /* the system entry's; a copy, so that a search reads memory in order */
    struct system_entry *entry;
    uint32_t accounts; /* how many different ones */
    uint32_t seq;      /* place in the lists */
};

struct catalogue {
    unsigned refs;
    size_t n;
    struct catalogue_row *row; /* in the order of system_entry_compare(), or of the lists */
};

struct catalogue_sources {
    const struct conf_vault *conf;
    const struct system_index *index;  /* NULL = the names are all that is known */
    struct account_list *const *lists; /* may hold NULL */
    size_t nlists;
    bool in_order; /* keep the order of the lists */
};

struct catalogue *catalogue_make(const struct catalogue_sources *); /* NULL = out of memory */
struct catalogue *catalogue_ref(struct catalogue *);
void catalogue_unref(struct catalogue *); /* NULL is fine */

struct catalogue_filter {
    const struct system_query *query;
    bool rdp, shell;
    const char *network; /* only systems of this network; NULL = of any */
    bool in_order;       /* do not rank */
    size_t limit;        /* most hits wanted; one more is returned if there are more */
};

struct catalogue_hit {
    const struct catalogue_row *row;
    enum match_rank rank;
};

/* The best hits in their order, at most limit + 1. 0 or -ENOMEM; *hits is the caller's to free. */
int catalogue_search(const struct catalogue *, const struct catalogue_filter *, struct catalogue_hit **hits,
                     size_t *n);

#endif
