/*
 * etcd_look.h - what is read where a step is OTHERWISE, and where its answer was lost: for etcd_steps.c,
 * which writes the reads, and etcd_outcomes.c, which finds them in the answer.
 */
#ifndef JG_STORES_ETCD_LOOK_H
#define JG_STORES_ETCD_LOOK_H

#include "stores/etcd_steps.h"

enum etcd_look_place {
    LOOK_REQUEST,
    LOOK_INTENT,
    LOOK_ROWS,                /* so far the request, wherever it is */
    LOOK_SESSION = LOOK_ROWS, /* s/ of ASK and OPEN, and where etcd_may_lack_lsid() */
    LOOK_PENDING,             /* of ASK */
    LOOK_INSTEAD,             /* of OPEN */
    LOOK_FINISHED,            /* of ASK that looks at them: x/ of its session, */
    LOOK_FINISHED_LSID,       /* and of its lsid */
    LOOK_HOLD,                /* of the step's lease */
    LOOK_HOLDERS,             /* of RELEASE and CLOSE: all h/ */
    LOOK_NREADS
};

struct etcd_look {
    struct etcd_op ops[LOOK_NREADS];
    int place[LOOK_NREADS]; /* among the operations; -1 = it is not read */
    size_t n;
};

/* `k` NULL = only the places. `lost`: an answer was lost. */
void etcd_look_plan(struct etcd_look *, const struct store_step *, const struct etcd_keys *k,
                    const char *holds_end, bool lost);
/* OTHERWISE shows the lease that the session has. */
bool etcd_shows_session(const struct store_step *);
/* The step ends a lease without its lsid: another gateway, or a step before, may have given it one. */
bool etcd_may_lack_lsid(const struct store_step *);
/* What is absent anyway needs neither change nor deletion. */
bool etcd_cannot_fail(const struct store_step *);
/* The vault keeps no such request, or it is the person's own: there is nothing to check in. */
bool etcd_needs_no_checkin(const struct request_row *);

#endif
