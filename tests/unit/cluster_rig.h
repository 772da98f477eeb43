/*
 * cluster_rig.h - the stores of several gateways on one fake etcd, in virtual time, without a network.
 *
 * The fixture stands in for loop/upstream: each call of a store waits until a step of the fixture, and then
 * fake_etcd.h answers it. A test may cut a gateway off, spoil the answer of a call, or let calls fail
 * (failing_calls.h). Each gateway has two members of etcd of its own name, which are one.
 *
 * cluster_scenarios[] are ways through a store with all that it does; each checks its outcomes.
 */
#ifndef JG_TESTS_CLUSTER_RIG_H
#define JG_TESTS_CLUSTER_RIG_H

#include "fake_clock.h"
#include "fake_etcd.h"

#include "loop/upstream/upstream.h"
#include "stores/etcd.h"

#define CLUSTER_PREFIX "/t/"
#define CLUSTER_TTL_MS 6000
#define CLUSTER_NODES  2

enum cluster_fault {
    CLUSTER_GOOD,
    CLUSTER_BEFORE,    /* etcd does not get it; the connection is lost */
    CLUSTER_AFTER,     /* etcd has done it; the connection is lost */
    CLUSTER_REFUSED,   /* no connection */
    CLUSTER_WRONG,     /* no connection: the certificate is for another name */
    CLUSTER_TIMEOUT,   /* etcd has done it; no answer comes in time */
    CLUSTER_503,       /* no leader: etcd does not get it */
    CLUSTER_503_AFTER, /* etcd has done it, and the member says that it does not know */
    CLUSTER_401,       /* refused: the token is old */
    CLUSTER_403,       /* refused: no permission */
    CLUSTER_429,       /* refused: too many requests */
    CLUSTER_CUT,       /* etcd has done it; half of the answer comes */
    CLUSTER_EMPTY,     /* etcd has done it; an answer without a body comes */
    CLUSTER_KEY,       /* etcd has done it; the first key of its answer is no base64 */
    CLUSTER_VALUE,     /* the same with the first value */
    CLUSTER_NFAULTS
};

struct cluster_node {
    struct store *store;
    const char *name;
    char why[ETCD_STORE_WHY];
    bool is_open, closed, cut;
    bool left, taken;
    unsigned joined, fenced, missed, touched, gone, adopted;
    bool certain;
    /* Ends of leases whose gateway was counted as dead, and the last one of them. */
    unsigned unrecorded;
    struct {
        char from[96], lease[ID_SIZE], vault[32], name[32], record[32];
        int64_t at_wall_ms;
    } end;
    uint64_t trail_taken, trail_settled; /* which the test sets */
    struct clock clock;
    uint64_t stands_still_ms; /* its clock, if not 0 */
};

struct cluster_rig {
    struct fake_clock fc;
    struct timers *timers;
    struct fake_etcd *keys;
    struct cluster_node nodes[CLUSTER_NODES];
    unsigned calls; /* that were answered since cluster_watch(true) */
    bool watching;

    /* The test's; NULL = none. They stay over cluster_begin(). */
    void (*watch)(bool on);                        /* the part of a scenario that is tested begins or ends */
    void (*quiet)(bool on);                        /* the fixture itself is at work */
    bool (*fails)(const char *name);               /* a call of the fixture's fails for want of memory */
    enum cluster_fault (*fault)(const char *path); /* of a call that is watched */
    void (*spoil)(const char *path, struct buf *answer);
    size_t max_answer; /* a larger answer is not taken; 0 = each is */
    bool is_lenient;   /* answers are spoiled: outcomes may be others, and things may have to be done again */
};
extern struct cluster_rig cluster;

void cluster_begin(void);
void cluster_end(void);      /* closes what is open; nothing is left */
void cluster_watch(bool on); /* from here on, or up to here, calls fail and answers are spoiled */
void cluster_step(void);     /* one answer arrives, or the next deadline comes */
void cluster_wait(const bool *done, const char *what);
/* Of the keys that begin so, how many there are. */
unsigned cluster_keys(const char *prefix);
void cluster_advance(uint64_t ms);
bool cluster_has_place(
    void); /* a deadline that has just fired has left its place to the next one that starts */
bool cluster_open(struct cluster_node *); /* false = it says why it cannot */
void cluster_close(struct cluster_node *);
/* The scenario's: a request was adopted. */
void cluster_adopted(struct cluster_node *, const struct request_row *, size_t nleases);

/* Both gateways are open. g1: a and b hold 41, c is asked for, d waits for its approver, e is returned. */
void cluster_fill(void);
/* A step for the lease, or the request, `id` on the request 41, given once. The session is named as well. */
struct cluster_given {
    struct store_step step; /* first */
    bool done;
    enum store_outcome outcome;
    bool shows;
};
void cluster_give(struct cluster_node *, struct cluster_given *, enum store_step_kind, enum request_state,
                  const char *id);
/* A question about the session a, and its request 41, asked once. */
struct cluster_asked {
    struct store_question q; /* first */
    bool done;
    enum store_answer answer;
    unsigned requests, leases;
};
void cluster_ask(struct cluster_node *, struct cluster_asked *, enum store_question_kind);

struct cluster_scenario {
    const char *name;
    void (*run)(void);
};
extern const struct cluster_scenario cluster_scenarios[];
extern const size_t cluster_nscenarios;

#endif
