/*
 * store_contract.h - what every lease store must do (stores/store.h), asked of each of them.
 *
 * The caller brings a store that is empty, and a way to let it go on. After each step the suite reads all
 * rows back, as a restart would, and compares them with what the rule of the step says.
 *
 * store_contract_steps() gives each kind of step in each state of its request, with and without leases that
 * hold it; store_contract_repeats() counts check-outs that answer with one lease, of a shared store;
 * store_contract_finishes() has sessions end there; store_contract_strange() gives each kind of step in each
 * state to rows that have members of a newer version; store_contract_order() gives random steps in lists of
 * random lengths and keeps a model of the rows beside them.
 */
#ifndef JG_TESTS_STORE_CONTRACT_H
#define JG_TESTS_STORE_CONTRACT_H

#include "stores/store.h"

struct store_under_test {
    struct store *store;
    bool finds_marks; /* a mark is enough to find a request */
    bool is_shared;   /* steps of a shared store are given as well */
    bool is_unsure;   /* answers are lost: a RELEASE or CLEAR that was not as expected may be APPLIED */
    /* All rows as they are now; NULL = the store's own load() does it at any time. */
    int (*load)(struct store_under_test *, const struct store_reader *, void *arg);
    void (*go_on)(struct store_under_test *); /* until something is done */
    void (*empty)(struct store_under_test *); /* all rows are gone, the store is as new */
    /* Of store_contract_strange(): all rows get such a member, and the store reads them; have they it still?
     */
    void (*make_strange)(struct store_under_test *);
    void (*check_strange)(struct store_under_test *);
};

void store_contract_steps(struct store_under_test *);
void store_contract_repeats(struct store_under_test *);
void store_contract_finishes(struct store_under_test *);
void store_contract_strange(struct store_under_test *);
void store_contract_order(struct store_under_test *, unsigned seed);

#endif
