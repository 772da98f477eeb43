/*
 * lease_list.h - the leases as they are shown: those that a filter lets through, in an order.
 *
 * The list points into a sample and is made again for each one. The selected lease is kept by its id, so that
 * a new sample or another order does not select another lease; where it has ended, the lease at its place is
 * selected.
 */
#ifndef JG_TOP_LEASE_LIST_H
#define JG_TOP_LEASE_LIST_H

#include "top/sample.h"

#define FILTER_SIZE   128
#define SELECTED_SIZE 128

enum lease_order { ORDER_LEFT, ORDER_USER, ORDER_SYSTEM, ORDER_ACCOUNT, ORDER_STATE, NORDERS };

struct lease_list {
    const struct lease_sample **rows;
    size_t n;
    size_t selected; /* index; 0 where there is none */
    enum lease_order order;
    char filter[FILTER_SIZE];        /* "" = all */
    char selected_id[SELECTED_SIZE]; /* "" = none yet */
};

/* What the list is ordered by, in words. */
const char *lease_order_word(enum lease_order);
/* Makes the rows from the sample (NULL = none) by filter and order, and finds the selected one. 0 or -ENOMEM:
 * the list is empty then. */
int lease_list_make(struct lease_list *, const struct sample *);
/* Moves the selection by so many rows, within the list. */
void lease_list_move(struct lease_list *, long rows);
/* The selected lease; NULL = the list is empty. */
const struct lease_sample *lease_list_selected(const struct lease_list *);
void lease_list_free(struct lease_list *);

#endif
