/*
 * list_wait.h - one wait for what a vault lists for a user: an account list, or the catalogue made of lists.
 *
 * It is a member of its owner's object and in at most one queue: that of a read under way, or that of the
 * hits, which are answered in the next run of the timers.
 */
#ifndef JG_BROKER_LISTS_LIST_WAIT_H
#define JG_BROKER_LISTS_LIST_WAIT_H

#include "backends/backend.h"
#include "base/timers.h"

struct catalogue;

enum list_source { LIST_FROM_VAULT, LIST_FROM_CACHE, LIST_SHARED };

struct list_wait {
    /* the caller's */
    void (*done)(struct list_wait *);
    uint64_t timeout_ms; /* own deadline: done() with FAULT_DEADLINE_EXCEEDED by then; the call goes on for
                            other waiters. Of account lists only */
    bool admitted; /* the vault has admitted the operation: vault_admit() is not called again. The same */
    /* the answer, in done(); the references are the waiter's own: account_list_unref(), catalogue_unref() */
    enum vault_result result;
    struct fault fault;
    struct account_list *accounts;
    struct catalogue *catalogue;
    uint64_t age_ms; /* 0 for what was read for this wait */
    enum list_source source;
    int status; /* HTTP status of the vault's answer; 0 = from the cache, or there was none */
    /* private */
    struct list_wait **queue; /* NULL = none */
    struct list_wait *next, *prev;
    struct deadline deadline;
};

/* Clears everything but the caller's members. */
void list_wait_begin(struct list_wait *);
void list_wait_enqueue(struct list_wait *, struct list_wait **queue);
void list_wait_dequeue(struct list_wait *, struct timers *); /* it is in one; stops its deadline */
/* A hit: done() comes with the next run of the timers. 0 or -ENOMEM. */
int list_wait_hit(struct list_wait *, struct timers *, struct list_wait **hits);

#endif
