/*
 * etcd_flight.h - steps on their way to etcd: one transaction of one gateway, one at a time.
 *
 * A flight takes steps from the front of a list, at most ETCD_FLIGHT_STEPS of them and 512 kB, and ends
 * before a step that has a row in common with an earlier one: steps of one transaction do not see each other
 * (etcd_txn.h). It compares the gateway's own key m/NODE with the revision of the flight before, and rewrites
 * it. So a twin of a flight that comes late, or a gateway that another has declared dead, changes nothing.
 *
 *   take -> sent --applied---------------------------------> show --> landed(0), outcomes
 *            | ^ \--m/NODE is of this flight: applied, -look-/
 *            | |  \                its answer was lost
 *            | |   \--m/NODE is of another, or gone----------------> landed(-ESTALE): fenced
 *            | +--a member may have it, or may get it yet, of this try or of one before: the same bytes again
 *            +----no member was ever reached, or etcd has refused it-> landed(-errno): not applied
 *            \----etcd's quota is reached: m/NODE is read, and is of this flight (look) or of the one before
 *                 (refused). etcd says so of a transaction that it has not done, and of one that it has.
 *
 * A flight is also the gateway's sign of life. One that is a `beat` reads besides the members of the cluster,
 * the dead ones whose rows are being adopted, and what others have changed of this gateway's rows. Where a
 * step changes a row of another gateway, the flight leaves word for it (etcd_hints.h).
 *
 * Show: the requests of leases that OTHERWISE has shown are read.
 *
 * Not here: which steps wait and what becomes of them (etcd.c), what a beat has read (etcd_members.h).
 */
#ifndef JG_STORES_ETCD_FLIGHT_H
#define JG_STORES_ETCD_FLIGHT_H

#include "stores/etcd_client.h"
#include "stores/etcd_ends.h"
#include "stores/etcd_hints.h"
#include "stores/etcd_reads.h"
#include "stores/etcd_rows.h"
#include "stores/etcd_steps.h"

/* etcd takes 128 operations to a transaction, those of nested levels included: a step has at most 24 of them
 * in a row (STEP_OPEN). */
#define ETCD_FLIGHT_STEPS 90

/* What m/NODE says of the gateway. */
struct etcd_me {
    const char *instance, *version, *config_digest;
    uint64_t sequence, leases;
    bool leaving;
    struct etcd_ends *ends; /* the owner's */
};

/* Hashes of the keys of a flight's steps: a place of another flight is free. Two keys of one hash only
 * divide a flight. */
#define ETCD_SEEN_SIZE 2048
struct etcd_seen {
    uint64_t flight; /* number of this one, from 1 on */
    struct {
        uint64_t hash, flight;
    } keys[ETCD_SEEN_SIZE];
};

struct etcd_flight {
    /* the owner's, before the first flight */
    struct etcd_client *client;
    struct timers *timers;
    const struct clock *clock;
    const char *prefix;
    struct etcd_self self;
    struct etcd_me me;
    struct etcd_hints *hints;
    int64_t revision; /* of m/NODE */
    /* What a beat has read: all of m/, of d/, and of n/NODE/. Before landed(). */
    void (*saw)(struct etcd_flight *, const cJSON *members, const cJSON *dead, const cJSON *hints);
    void (*landed)(struct etcd_flight *, int err);

    struct store_steps steps; /* that fly */
    size_t n;
    struct etcd_shown shown[ETCD_FLIGHT_STEPS];
    struct etcd_shape shapes[ETCD_FLIGHT_STEPS];
    uint64_t sent_ms; /* monotonic: the first time */
    /* Of each step: it has no part in the transaction (-ENAMETOOLONG), or a row in its answer could not be
     * read (-EUCLEAN). */
    int errors[ETCD_FLIGHT_STEPS];

    /* private */
    struct etcd_call call;
    struct buf body;
    size_t usual_len; /* of those before: the longest, less an eighth with each flight since */
    struct etcd_seen seen;
    struct deadline again;
    struct etcd_reads requests; /* of leases that were shown; or m/NODE */
    int responses;              /* of the transaction, where it is applied */
    bool under_way, looking, showing, asking_self, given_up;
    bool beat;    /* it reads the others; false again where that reading is lost */
    bool unknown; /* of a try, this one or one before: a member may have done it */
};

/* m/NODE: its key, and its value. */
void etcd_self_key(char key[ETCD_KEY_SIZE], const char *node);
void etcd_self_value(struct buf *out, const struct etcd_me *);
/* 0 = the value is of this instance, and *sequence; -ENOENT = it is not; -ENOMEM. */
int etcd_self_read(const char *value, size_t n, const char *instance, uint64_t *sequence);

/* Takes steps from the list, which may be empty, and sends them. 0 or -errno: then it has taken none. */
int etcd_flight_start(struct etcd_flight *, struct store_steps *waiting, bool beat)
    __attribute__((warn_unused_result));
/* A flight whose fate is not known is not sent again: it lands as one that etcd has not taken. */
void etcd_flight_give_up(struct etcd_flight *);
/* Etcd is another one than before: it lands as one of a gateway that is fenced. */
void etcd_flight_fence(struct etcd_flight *);

#endif
