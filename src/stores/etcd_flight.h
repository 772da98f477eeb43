/*
 * etcd_flight.h - steps on their way to etcd: one transaction of one gateway, one at a time.
 *
 * A flight takes steps from the front of a list, at most 100 of them and 512 kB, and ends before a step that
 * has a row in common with an earlier one: steps of one transaction do not see each other (etcd_txn.h). It
 * compares the gateway's own key m/NODE with the revision of the flight before, and rewrites it. So a twin of
 * a flight that comes late, or a gateway that another has declared dead, changes nothing.
 *
 *   take -> sent --applied--------------------------------------------------------> landed(0), outcomes
 *            | ^ \--m/NODE is of this flight: applied, its answer was lost: look --/
 *            | |  \--m/NODE is of another, or gone------------------------------> landed(-ESTALE): fenced
 *            | +--a member may have it, or may get it yet: the same bytes again
 *            +----no member was reached, or etcd has refused it-----------------> landed(-errno): not applied
 *
 * Not here: which steps wait and what becomes of them (etcd.c).
 */
#ifndef JG_STORES_ETCD_FLIGHT_H
#define JG_STORES_ETCD_FLIGHT_H

#include "stores/etcd_client.h"
#include "stores/etcd_rows.h"
#include "stores/etcd_steps.h"

#define ETCD_FLIGHT_STEPS 100

struct etcd_flight {
    /* the owner's, before the first flight */
    struct etcd_client *client;
    struct timers *timers;
    const char *prefix, *instance;
    struct etcd_self self;
    int64_t revision;  /* of m/NODE */
    uint64_t sequence; /* of the last flight */
    void (*landed)(struct etcd_flight *, int err);

    struct store_steps steps; /* that fly */
    size_t n;
    enum store_outcome outcomes[ETCD_FLIGHT_STEPS];
    /* Of each step: it has no part in the transaction (-ENAMETOOLONG), or its answer could not be read. */
    int errors[ETCD_FLIGHT_STEPS];

    /* private */
    struct etcd_call call;
    struct buf body;
    struct deadline again;
    bool under_way, looking, given_up;
};

/* m/NODE: its key, and its value. */
void etcd_self_key(char key[ETCD_KEY_SIZE], const char *node);
void etcd_self_value(struct buf *out, const char *instance, uint64_t sequence);
/* Is the value of this instance? Then *sequence. */
bool etcd_self_read(const char *value, size_t n, const char *instance, uint64_t *sequence);

/* Takes steps from the list, which may be empty, and sends them. 0 or -errno: then it has taken none. */
int etcd_flight_start(struct etcd_flight *, struct store_steps *waiting) __attribute__((warn_unused_result));
/* A flight whose fate is not known is not sent again: it lands as one that etcd has not taken. */
void etcd_flight_give_up(struct etcd_flight *);

#endif
